/* SPDX-License-Identifier: MIT */
#ifndef MWAN_RULESET_H
#define MWAN_RULESET_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "err.h"

/* The nftables table that a configuration asks for, as plain data: what
 * nft.c sends to the kernel and what ruleset_print() shows to a person.
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
 *	jhash ... mod ... seed		4.9
 *	batch tied to a generation	4.12 (older kernels ignore it)
 *	masquerade			3.18, in the inet family 5.2
 *	tcp option maxseg size set	4.14
 *	rt mtu				4.14
 *	rt ipsec			4.20
 *	nat chain in the inet family	5.2
 *	route chain in the inet family	5.2
 */

#define RULESET_TABLE "mwan"

enum {
	/* from_link, six base chains at most, two chains a link */
	RULESET_CHAINS = 2 * LINKS_MAX + 7,
	/* one rule a chain of a link; from_link 1, prerouting 8, output 2,
	 * postrouting 3, srcnat 2, forward 3
	 */
	RULESET_RULES = 2 * LINKS_MAX + 19,
	/* links by name, links by mark, slots of the balance, lan */
	RULESET_ELEMENTS = 3 * LINKS_MAX + LAN_MAX,
	RULESET_STATEMENTS = 3,
	/* "to_" and an interface's name */
	RULESET_NAME = 4 + IFNAMSIZ,
	RULESET_NONE = 0xffff,		/* no chain */
	/* The hash of the hosts must give the same links after every load:
	 * the seed is fixed ("mwan").
	 */
	RULESET_SEED = 0x6d77616e,
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

/* M is statement.mask, m statement.value, { } its elements. */
enum ruleset_kind {
	DO_END,			/* no statement */
	IF_NOT_IPV4,		/* meta nfproto != ipv4 */
	IF_IIFNAME,		/* iifname { } */
	IF_NOT_IIFNAME,		/* iifname != { } */
	IF_OIFNAME,		/* oifname { } */
	IF_NEW,			/* ct state new */
	IF_NOT_NEW,		/* ct state != new */
	IF_REPLY,		/* ct direction reply */
	IF_MARKED,		/* meta mark & M != 0 */
	IF_MARK_ZERO,		/* meta mark 0, foreign bits included */
	IF_CT_MARKED,		/* ct mark & M != 0 */
	IF_NO_IPSEC,		/* rt ipsec missing */
	IF_TCP_SYN,		/* tcp flags syn / syn,rst */
	TO_IIFNAME,		/* iifname vmap { } */
	TO_OIFNAME,		/* oifname vmap { } */
	TO_CT_MARK,		/* ct mark & M vmap { } */
	TO_HASH,		/* jhash ip saddr mod m seed ... vmap { } */
	TO_SADDR,		/* ip saddr & M vmap { } */
	SET_META_MARK,		/* meta mark set meta mark & ~M | m */
	SET_CT_MARK,		/* ct mark set ct mark & ~M | m */
	COPY_CT_MARK,		/* meta mark set ct mark & M */
	DO_CLAMP_MSS,		/* tcp option maxseg size set rt mtu */
	DO_MASQUERADE,		/* masquerade */
	DO_RETURN,		/* return */
	DO_GOTO,		/* goto chain */
};

struct ruleset_statement {
	uint8_t kind;
	uint16_t chain;		/* of DO_GOTO */
	uint16_t first, count;	/* its elements */
	uint32_t mask, value;	/* addresses too in host order */
};

struct ruleset_rule {
	uint16_t chain;
	uint16_t number;	/* in its chain, from 1 */
	struct ruleset_statement s[RULESET_STATEMENTS];
};

/* A key of a set, or a key and the chain that a map sends it to. */
struct ruleset_element {
	char name[IFNAMSIZ];	/* key of iifname and oifname, zero-padded */
	uint32_t key, last;	/* other keys, and the last of a range */
	uint16_t chain;
};

struct ruleset {
	unsigned int n_chains, n_rules, n_elements;
	/* Chains and rules in the order in which they are sent; the rules of
	 * a chain stand together, in the order of the chains.
	 */
	struct ruleset_chain chain[RULESET_CHAINS];
	struct ruleset_rule rule[RULESET_RULES];
	struct ruleset_element element[RULESET_ELEMENTS];
};

/* Build the table for @conf, which has passed its checks. Returns 0, or
 * -EINVAL when nftables cannot express it: no link, an interface name that
 * its language cannot quote, links that the parity cannot tell apart.
 */
int ruleset_build(struct ruleset *rs, const struct conf *conf,
		  struct err *err);

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
const char *ruleset_hook_name(uint8_t hook);

/* The links' elements are shared by sets (the keys alone) and by maps. */
static inline bool ruleset_is_map(const struct ruleset_statement *s)
{
	return s->kind >= TO_IIFNAME && s->kind <= TO_SADDR;
}

/* A set of one interface is a comparison, as nft itself makes of it. */
static inline bool ruleset_has_set(const struct ruleset_statement *s)
{
	return ruleset_is_map(s) || s->count > 1;
}

#endif
