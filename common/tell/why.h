/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_WHY_H
#define MWAN_TELL_WHY_H

#include <stdbool.h>
#include <stdio.h>

#include "conf/conf.h"
#include "core/present.h"
#include "kernel/ct.h"
#include "kernel/fib.h"
#include "nft/table.h"
#include "nft/trace.h"

enum {
	/* Ours that a packet can match: main, mark, from, standby, primary,
	 * last; leftovers of others go beyond the last.
	 */
	WHY_HOPS = 8,
};

/* The packet in question: one that the router forwards, or its own. */
struct why_packet {
	struct ct_tuple tuple;	/* no source: of the router, unbound */
	bool has_protocol, has_ports;
};

/* Read SRC|self DST [PROTOCOL [SPORT DPORT]], @n words: 2, 3 or 5. Returns 0,
 * or -EINVAL with a sentence.
 */
int why_packet_read(struct why_packet *p, int n, char **word,
		    struct err *err);

/* What the kernel knows about it before it is marked. */
struct why_seen {
	bool own;		/* it is the router's */
	struct fib back;	/* the way to its source */
	/* Its source, or what the kernel chooses for the router's own (IPv6:
	 * it is routed by that); family 0: none.
	 */
	struct addr source;
	/* The interface that it comes in by: the one that leads to its source,
	 * unless that is a link or a default route and it is sent to the
	 * address of a link, or (IPv6) to one of its prefixes.
	 */
	bool to_link;
	bool astray;		/* only a link's default leads to its source */
	uint32_t ifindex;
	char iif[IFNAMSIZ];
	bool strict;		/* rp_filter is, there */
	bool no_forward;	/* nothing that comes in there is forwarded */
	struct ct_flow flow;
	uint32_t sticky;	/* the mark of its host in the map; 0: none */
	bool named[RULESET_SETS];	/* the sets that have its destination */
	bool moved;		/* its flow has a zone of its own */
	/* The prefixes that the links' providers accept, as the rules know
	 * them.
	 */
	struct table_state own6;
};

enum why_verdict {
	WHY_LINK,		/* it leaves by a link */
	WHY_OTHER,		/* ... by another interface */
	WHY_ROUTER,		/* it is for the router itself */
	WHY_MANY,		/* a broadcast or multicast ends here */
	WHY_REJECTED,		/* by a policy with if_down = unreachable */
	WHY_STOPPED,		/* where it leaves by a link: by the guard,
				 * or its flow cannot be translated */
	WHY_NOWHERE,		/* routing refuses it */
};

/* A rule of ours that the packet matches, and the default of its table. */
struct why_hop {
	const struct rule *rule;
	const struct route *route;	/* NULL if there is none; go on */
	char dev[IFNAMSIZ];	/* of the route; "": none or several */
};

/* What becomes of the source of an IPv6 packet that leaves by a link. */
enum why_source {
	SOURCE_UNTOLD,		/* IPv4, or of no link */
	SOURCE_OWN,		/* the link's own prefix has it: it stays */
	SOURCE_UNKNOWN,		/* no prefix of the link's is known: it stays */
	SOURCE_LEFT,		/* translate6 = no: it stays */
	SOURCE_TRANSLATED,	/* to an address of the link */
	SOURCE_NAT,		/* it goes on as what conntrack remembers */
	SOURCE_ANSWER,		/* its connection's NAT decides */
	SOURCE_ASTRAY,		/* a flow that began as it is, elsewhere */
};

/* One way that the packet can take: the only one, unless the balance goes by
 * turns or at random, or by what is not known.
 */
struct why_way {
	struct walk walk;
	struct fib fib;		/* with the mark that it has then */
	char oif[IFNAMSIZ];	/* its interface's name */
	unsigned int n_hops;
	struct why_hop hop[WHY_HOPS];
	enum why_verdict verdict;
	/* Under which address it leaves by a link; family 0: that has none, or
	 * nothing is masqueraded.
	 */
	struct addr as;
	bool as_planned;	/* the kernel decides as our rules would */
	bool taken;		/* ... no: by this rule of somebody else's */
	/* It goes as planned, but without its mark this rule of somebody
	 * else's after ours would have it.
	 */
	bool spared;
	struct rule taker;
	/* Of several links that it may leave by (any_of): what all of them have
	 * in common.
	 */
	enum why_source source;
	/* It leads to this group, of which any member may take the packet: see
	 * why.by_hash. 0: none.
	 */
	uint32_t any_of;
};

struct why {
	struct why_packet packet;
	enum family family;
	/* Files, or NULL: the one that it goes by in the place of what is in
	 * force; that of what is in force, when it says something else by now.
	 */
	const char *what_if, *changed;
	struct why_seen seen;
	struct route refusal;	/* main's default that refuses; family 0: none */
	bool marking;		/* our nftables table is there */
	bool intact;		/* ... and is what the configuration wants */
	/* A group chooses by the hash that the packet has brought along, from
	 * the network card or the socket, if it has one (route.c,
	 * fib_multipath_hash()): nobody else knows it. So it is with every
	 * hash of IPv6.
	 */
	bool by_hash;
	unsigned int n_ways;
	struct why_way way[LINKS_MAX];
};

/* The packet's marks for way @choice, into @way->walk. Pure, like the next: the
 * caller asks the kernel in between. The number of ways is walk.n_choices, and
 * 1 when that is 0.
 */
void why_mark(const struct why *why, struct why_way *way, unsigned int choice,
	      const struct ruleset *rs);

/* With the kernel's answer in @way: how our rules lead to it, and what happens
 * to the packet.
 */
void why_route(const struct why *why, struct why_way *way,
	       const struct conf *conf, const struct present *present);

/* The default by which our rules would send it; NULL: none of ours does. */
const struct route *why_last_route(const struct why_way *way);

/* If the kernel decided otherwise: did @r, the next of all rules in their
 * order, take the packet? Returns true when no other one need be looked at: it
 * is in @way, or it cannot be told.
 */
bool why_taker(const struct why *why, struct why_way *way,
	       const struct rule *r);

/* If the way is as planned: would @r, the next of all rules in their order,
 * take the packet into @table, where it goes without its mark?
 */
bool why_spared(const struct why *why, struct why_way *way,
		const struct rule *r, uint32_t table);

/* Does any way lead somewhere? */
bool why_arrives(const struct why *why);

/* A sentence with the verdict, and below it why, a step a line. A step longer
 * than a line continues in the next one, indented by four. Returns 0 or a
 * negative errno.
 */
int why_print(const struct why *why, const struct conf *conf,
	      const struct present *present, FILE *out);

#endif
