/* SPDX-License-Identifier: MIT */
#ifndef MWAN_NFT_TABLE_H
#define MWAN_NFT_TABLE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/util.h"
#include "base/wide.h"
#include "conf/conf.h"
#include "kernel/ct.h"
#include "nft/key.h"

/* The nftables table that a configuration asks for, as plain data: what
 * nft_load() sends to the kernel and ruleset_print() shows to a person.
 *
 * A packet of a new connection gets a link's mark before routing; after
 * routing the connection remembers the link that it really left by, and its
 * later packets follow. Only the bits under the configured mask are written,
 * in the packet's mark and in the connection's.
 *
 * The Linux release that first has what a statement needs; 5.2 is the least
 * for the table as a whole:
 *
 *	inet family			3.14
 *	sets and verdict maps		3.13
 *	a mark under a constant mask	3.13 (a mask from a second register,
 *					"meta mark & ~M | ct mark & M", only
 *					6.13; so one rule a link)
 *	ct state, ct mark		3.13
 *	ct direction			3.13
 *	reject in the inet family	3.14
 *	elements with a timeout		4.1
 *	add, update @map		4.3 (their expression's name: dynset)
 *	numgen inc, random		4.9
 *	jhash ... mod ... seed		4.9
 *	batch tied to a generation	4.12 (older kernels ignore it)
 *	masquerade			3.18, in the inet family 5.2
 *	tcp option maxseg size set	4.14
 *	rt mtu				4.14
 *	rt ipsec			4.20
 *	fib in the inet family		4.10
 *	meta priority			3.14
 *	delete @map			5.4
 *	nat chain in the inet family	5.2
 *	route chain in the inet family	5.2
 */

#define RULESET_TABLE "mwan"

/* The chain that masquerades. */
#define RULESET_NAT "srcnat"

/* The chain that stops what has not been masqueraded, and counts it; without fib
 * in the kernel the rules that need it are left out.
 */
#define RULESET_GUARD "guard"

/* The one map that outlives a load: which link a host has. */
#define RULESET_STICKY "sticky"

/* The map of the largest segment that fits through a link. */
#define RULESET_MSS "mss"

/* Flows that began untranslated go on in a conntrack zone of their own ("mw"). */
enum { RULESET_ZONE = 0x6d77 };

enum {
	/* from_link, back, balance, stuck, astray, elsewhere, guardnew, ten
	 * base chains, seven chains a link
	 */
	RULESET_CHAINS = 7 * LINKS_MAX + 17,
	/* Of a link: to 1, is 1, deal 7, keep 5, leave 2, foreign 1, guard 1. Of
	 * a policy: for each family 1 and, strict, 1 more. from_link 4,
	 * back 1, stuck 2, astray 2, elsewhere 2, early 1, balance 3 and
	 * 4 * (DEALS + 1), prerouting 11, output 6, postrouting 8, srcnat 2,
	 * srcnat6 4, guard 6, guardnew 2, guard6 6, forward 4, strict 3.
	 */
	RULESET_DEALS = 4,
	RULESET_RULES = 18 * LINKS_MAX + 4 * POLICIES_MAX +
			4 * RULESET_DEALS + 77,
	/* Of a link: to 1, is 1, deal 10, keep 11, leave 6, foreign 4, guard 6.
	 * Of a policy, for each family: 8, strict 11. No other rule has more
	 * than 6.
	 */
	RULESET_STATEMENTS = 39 * LINKS_MAX + 38 * POLICIES_MAX +
			     6 * (4 * RULESET_DEALS + 77),
	/* Links by name (six maps), by mark (four), slots of the balance
	 * (two), lan, private addresses, addresses that stay on the link, two
	 * protocols, and the lists of the policies.
	 */
	RULESET_PRIVATE = 5,
	RULESET_ELEMENTS = 12 * LINKS_MAX + LAN_MAX + 1 + RULESET_PRIVATE + 4 +
			   POLICIES_MAX *
			   (2 * POLICY_ADDRESSES + 2 * POLICY_PORTS +
			    POLICY_PROTOCOLS + 1 + POLICY_INTERFACES),
	/* "foreign_" and an interface's name */
	RULESET_NAME = 8 + IFNAMSIZ,
	RULESET_NONE = 0xffff,		/* no chain */
	/* The hash of the hosts must give the same links after every load:
	 * the seed is fixed ("mwan").
	 */
	RULESET_SEED = 0x6d77616e,
	/* One of each kind, one a link, and one a policy and family. */
	RULESET_SETS = 8 + LINKS_MAX + 2 * POLICIES_MAX,
	/* Hosts that the map holds, about 100 bytes each; the others are
	 * dealt out without being remembered.
	 */
	RULESET_STICKY_SIZE = 65536,
};

/* nft's names for places in a hook (linux/netfilter_ipv4.h). */
enum {
	RULESET_RAW = -300,
	RULESET_MANGLE = -150,
	RULESET_SRCNAT = 100,
};

/* The kernel's numbers (enum nf_inet_hooks). */
enum ruleset_hook {
	HOOK_PREROUTING = 0,
	HOOK_FORWARD = 2,
	HOOK_OUTPUT = 3,
	HOOK_POSTROUTING = 4,
	HOOK_NONE = 255,		/* a regular chain */
};

enum ruleset_type {
	TYPE_FILTER,
	TYPE_ROUTE,
	TYPE_NAT,
};

struct ruleset_chain {
	char name[RULESET_NAME];
	uint8_t hook;
	uint8_t type;
	int16_t priority;
};

/* Operator and key, see key.h; M is statement.mask, m statement.value, { } its
 * elements.
 */
enum ruleset_kind {
	DO_END = 0,				/* no statement */
	IF_NOT_IPV4 = OP_IF_NOT | KEY_IPV4,	/* meta nfproto != ipv4 */
	IF_IPV4 = OP_IF | KEY_IPV4,		/* meta nfproto ipv4 */
	IF_IPV6 = OP_IF | KEY_IPV6,		/* meta nfproto ipv6 */
	IF_NOT_IPV6 = OP_IF_NOT | KEY_IPV6,
	IF_IIFNAME = OP_IF | KEY_IIFNAME,	/* iifname { } */
	IF_NOT_IIFNAME = OP_IF_NOT | KEY_IIFNAME,
	IF_OIFNAME = OP_IF | KEY_OIFNAME,
	IF_NOT_OIFNAME = OP_IF_NOT | KEY_OIFNAME,
	IF_NEW = OP_IF | KEY_NEW,		/* ct state new */
	IF_NOT_NEW = OP_IF_NOT | KEY_NEW,
	IF_REPLY = OP_IF | KEY_REPLY,		/* ct direction reply */
	IF_ORIGINAL = OP_IF | KEY_ORIGINAL,	/* ct direction original */
	IF_META_MARK = OP_IF | KEY_META_MARK,	/* meta mark & M == m or { } */
	IF_NOT_META_MARK = OP_IF_NOT | KEY_META_MARK,
	IF_CT_MARK = OP_IF | KEY_CT_MARK,	/* ct mark & M == m or { } */
	IF_NOT_CT_MARK = OP_IF_NOT | KEY_CT_MARK,
	IF_NO_IPSEC = OP_IF | KEY_IPSEC,	/* rt ipsec missing */
	IF_SNAT = OP_IF | KEY_SNAT,		/* ct status snat */
	IF_BARE = OP_IF | KEY_BARE,		/* ct status confirmed / ... */
	IF_ELSEWHERE = OP_IF_NOT | KEY_LOCAL,	/* fib saddr type != local */
	IF_FOREIGN = OP_IF_NOT | KEY_LOCAL_OIF,	/* fib saddr . oif type ... */
	IF_TCP_SYN = OP_IF | KEY_SYN,		/* tcp flags syn / syn,rst */
	IF_SADDR = OP_IF | KEY_SADDR,		/* ip saddr { } */
	IF_NOT_SADDR = OP_IF_NOT | KEY_SADDR,
	IF_DADDR = OP_IF | KEY_DADDR,
	IF_SADDR6 = OP_IF | KEY_SADDR6,		/* ip6 saddr { } or @set */
	IF_NOT_SADDR6 = OP_IF_NOT | KEY_SADDR6,
	IF_DADDR6 = OP_IF | KEY_DADDR6,
	IF_NOT_DADDR6 = OP_IF_NOT | KEY_DADDR6,
	IF_TUPLE6 = OP_IF | KEY_TUPLE6,		/* ... @set */
	IF_PROTOCOL = OP_IF | KEY_PROTOCOL,	/* meta l4proto { } */
	IF_PORTS_OF = OP_IF | KEY_PORTS_OF,
	/* th sport { }; of protocol m, which is not 0: tcp or udp sport { } */
	IF_SPORT = OP_IF | KEY_SPORT,
	IF_DPORT = OP_IF | KEY_DPORT,
	TO_IIFNAME = OP_TO | KEY_IIFNAME,	/* iifname vmap { } */
	TO_OIFNAME = OP_TO | KEY_OIFNAME,
	TO_META_MARK = OP_TO | KEY_META_MARK,	/* meta mark & M vmap { } */
	TO_CT_MARK = OP_TO | KEY_CT_MARK,
	TO_PRIORITY = OP_TO | KEY_PRIORITY,	/* meta priority vmap { } */
	TO_SADDR = OP_TO | KEY_SADDR,		/* ip saddr & M vmap { } */
	TO_SADDR6 = OP_TO | KEY_SADDR6,		/* ip6 saddr vmap @set */
	TO_HASH6 = OP_TO | KEY_HASH6,
	TO_FLOW6 = OP_TO | KEY_FLOW6,
	TO_HASH = OP_TO | KEY_HASH,	/* jhash ... mod m seed M vmap { } */
	TO_FLOW = OP_TO | KEY_FLOW,
	TO_RANDOM = OP_TO | KEY_RANDOM,	/* numgen random mod m vmap { } */
	TO_TURNS = OP_TO | KEY_TURNS,	/* numgen inc mod m vmap { }, see below */
	SET_META_MARK = OP_SET | KEY_META_MARK,
	SET_CT_MARK = OP_SET | KEY_CT_MARK,
	SET_PRIORITY = OP_RECALL | KEY_SADDR,
	ADD_STICKY = OP_ADD | KEY_SADDR,
	UPDATE_STICKY = OP_UPDATE | KEY_SADDR,
	DELETE_STICKY = OP_DELETE | KEY_SADDR,
	SET_PRIORITY6 = OP_RECALL | KEY_SADDR6,
	ADD_STICKY6 = OP_ADD | KEY_SADDR6,
	UPDATE_STICKY6 = OP_UPDATE | KEY_SADDR6,
	DELETE_STICKY6 = OP_DELETE | KEY_SADDR6,
	ADD_TUPLE6 = OP_ADD | KEY_TUPLE6,	/* add @set { ... } */
	UPDATE_TUPLE6 = OP_UPDATE | KEY_TUPLE6,
	UPDATE_SADDR6 = OP_UPDATE | KEY_SADDR6,	/* of a set, without a value */
	CLAMP_IIFNAME = OP_CLAMP | KEY_IIFNAME,
	COPY_CT_MARK = OP_DO,	/* meta mark set ct mark & M */
	DO_CLAMP_MSS,		/* tcp option maxseg size set rt mtu */
	DO_ZONE,		/* ct original zone set RULESET_ZONE */
	DO_MASQUERADE,		/* masquerade */
	DO_COUNT,		/* counter */
	DO_DROP,		/* drop */
	DO_REJECT,		/* reject with icmp net-unreachable */
	DO_REJECT_ANY,		/* reject with icmpx no-route */
	DO_RETURN,		/* return */
	DO_JUMP,		/* jump chain */
	DO_GOTO,		/* goto chain */
};

/* The elements of TO_TURNS are ranges, as those of TO_RANDOM are, and say no
 * more than how many turns each link has: ruleset_turn() says which, and only
 * what is sent or printed has an element for each turn.
 */
struct ruleset_statement {
	uint16_t kind;
	uint16_t chain;		/* of DO_GOTO, DO_JUMP */
	uint16_t set;		/* the number of its named set, from 1 */
	uint16_t first, count;	/* its elements */
	uint32_t mask, value;
};

struct ruleset_rule {
	uint16_t chain;
	uint16_t number;	/* in its chain, from 1 */
	uint16_t first, count;	/* its statements */
	uint8_t policy;		/* the number of its policy, from 1; 0: none */
};

/* A key of a set, or a key and the chain that a map sends it to. */
struct ruleset_element {
	char name[IFNAMSIZ];	/* key of iifname and oifname, zero-padded */
	/* Other keys, and the last of a range, in host order; ranges ascend
	 * and leave no two without a gap between them but in a map.
	 */
	struct wide key, last;
	uint16_t chain;
};

/* A named set or map; see sets.h. */
struct ruleset_set {
	char name[RULESET_NAME];
	uint8_t kind;
	uint16_t link;		/* of one that is a link's: its place */
	uint32_t timeout;	/* in seconds; 0: none */
};

struct ruleset_link {
	char name[IFNAMSIZ];	/* zero-padded */
	uint16_t to;		/* the chain that gives its mark */
};

struct ruleset {
	unsigned int n_links, n_sets;
	unsigned int n_chains, n_rules, n_statements, n_elements;
	struct ruleset_link link[LINKS_MAX];	/* as in the configuration */
	struct ruleset_set set[RULESET_SETS];
	/* Chains and rules in the order in which they are sent; the rules of
	 * a chain stand together, in the order of the chains.
	 */
	struct ruleset_chain chain[RULESET_CHAINS];
	struct ruleset_rule rule[RULESET_RULES] ON_A_PAGE;
	struct ruleset_statement statement[RULESET_STATEMENTS];
	struct ruleset_element element[RULESET_ELEMENTS];
};

/* Build the table for @conf, which has passed its checks, and @drained says of
 * each of its links whether it is put aside, @other whether its name is that of
 * another session's interface. @twins: two links have one address,
 * which the kernel finds on one of them alone, so that the guard believes what
 * has been translated. Returns 0, or
 * -EINVAL when nftables cannot express it: no link, an interface name that
 * its language cannot quote, links that the parity cannot tell apart.
 */
int ruleset_build(struct ruleset *rs, const struct conf *conf,
		  const bool *drained, const bool *other, bool twins,
		  struct err *err);

/* The same table while connections may have the marks that @conf's links had
 * before (NULL: none may). No such mark is another link's now.
 */
int ruleset_build_after(struct ruleset *rs, const struct conf *conf,
			const bool *drained, const bool *other, bool twins,
			const struct ct_marks *was, struct err *err);

/* Is it an IPv4 address that the guard knows as a private one? */
bool ruleset_is_private(const struct addr *a);

/* Write the table as the text that `nft -f` reads and `nft list table inet
 * mwan` shows, NUL-terminated. Returns its length like snprintf(): what would
 * have been written, had @size been enough.
 */
size_t ruleset_print(const struct ruleset *rs, char *buf, size_t size);

/* The same for one rule, without tabs and newline, for messages. */
size_t ruleset_print_rule(const struct ruleset *rs,
			  const struct ruleset_rule *rule, char *buf,
			  size_t size);

/* The names that nft uses: "filter", "prerouting". */
const char *ruleset_type_name(uint8_t type);

/* Which of the elements of @s, a TO_TURNS, has the next turn. @lag is
 * all zero before the first one. Each time every link earns its weight, and
 * who is owed most has the turn and pays for all: so a link's turns are spread
 * evenly, however many others there are.
 */
unsigned int ruleset_turn(const struct ruleset *rs,
			  const struct ruleset_statement *s,
			  int32_t lag[LINKS_MAX]);

/* The links' elements are shared by sets (the keys alone) and by maps. */
static inline bool ruleset_is_map(const struct ruleset_statement *s)
{
	return (s->kind & OP_MASK) == OP_TO;
}

/* Has it an anonymous set? One of one interface, or of one range, is a
 * comparison, as nft itself makes of it.
 */
static inline bool ruleset_has_set(const struct ruleset_statement *s)
{
	return !s->set && (ruleset_is_map(s) || s->count > 1);
}

#endif
