// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/prefix.h"
#include "kernel/fib.h"
#include "kernel/rule.h"
#include "kernel/sysctl.h"
#include "nft/load.h"
#include "tell/why_ask.h"

/* An index that the kernel has just told. */
static int name_of(uint32_t ifindex, char name[IFNAMSIZ], struct err *err)
{
	return if_indextoname(ifindex, name) ? 0 :
	       err_set(err, -EAGAIN, "interface %u has just gone: try again",
		       ifindex);
}

/* The kernel looks the route up twice: the first gives the source, by which it
 * then is routed (net/ipv6/ip6_output.c, ip6_dst_lookup_tail()).
 */
static int ask_source(struct why *why, struct nl *rtnl, struct err *err)
{
	const struct fib_packet out = {
		.destination = why->packet.tuple.destination
	};
	struct fib fib;
	int code = fib_ask(rtnl, &out, &fib, err);

	if (!code && !fib.code)
		why->seen.source = fib.source;
	return code;
}

/* Is what comes from outside to this address sent to the link? */
static bool is_to(const struct link *l, enum family f, const struct addr *to)
{
	unsigned int i;

	if (f == FAMILY_IPV4)
		return addr_equal(&l->af[f].local, to);
	for (i = 0; i < l->own6.n && !prefix_has(&l->own6.item[i], to); i++)
		;
	return i < l->own6.n;
}

/* Where the packet comes from: if a route of its own, and not by a link, leads
 * to a host, then the host is of the LAN or a VPN, whatever it sends to.
 */
static int ask_back(struct why *why, const struct conf *conf,
		    const struct present *present, struct nl *rtnl,
		    struct err *err)
{
	const struct ct_tuple *t = &why->packet.tuple;
	const struct fib_packet back = { .destination = t->source };
	struct why_seen *seen = &why->seen;
	unsigned int i;
	bool by_link, near;
	int code;

	seen->own = !t->source.family;
	seen->source = t->source;
	if (seen->own)
		return why->family == FAMILY_IPV6 ?
		       ask_source(why, rtnl, err) : 0;
	code = fib_ask(rtnl, &back, &seen->back, err);
	if (code || seen->back.code)
		return code;
	seen->own = seen->back.type == RTN_LOCAL;
	seen->ifindex = seen->own ? 0 : seen->back.ifindex;
	by_link = present_link_of(present, conf, seen->ifindex) >= 0;
	near = seen->own || (seen->back.prefix_len && !by_link);
	for (i = 0; i < conf->n_links && !near && !seen->to_link; i++) {
		seen->to_link = is_to(&present->link[i], why->family,
				      &t->destination);
		if (seen->to_link)
			seen->ifindex = present->link[i].ifindex;
	}
	seen->astray = by_link && !seen->back.prefix_len && !seen->to_link;
	return seen->own ? 0 : name_of(seen->ifindex, seen->iif, err);
}

/* IPv6 has one switch for all, and from Linux 6.17 on one of an interface that
 * goes beyond it; it has no rp_filter.
 */
static void ask_settings6(struct why_seen *seen)
{
	char path[SYSCTL_PATH_MAX];

	snprintf(path, sizeof(path), "net/ipv6/conf/%s/force_forwarding",
		 seen->iif);
	seen->no_forward = sysctl_read(SYSCTL_IPV6_FORWARD) == 0 &&
			   sysctl_read(path) <= 0;
}

static void ask_settings(struct why_seen *seen, const struct present *present)
{
	char path[SYSCTL_PATH_MAX];
	int own;

	sysctl_rp_filter_path(seen->iif, path);
	own = sysctl_read(path);
	seen->strict = own >= 0 &&
		       sysctl_rp_strict(present->rp_filter_all, own);
	snprintf(path, sizeof(path), "net/ipv4/conf/%s/forwarding", seen->iif);
	seen->no_forward = sysctl_read(path) == 0;
}

static int ask_marks(struct why *why, const struct ruleset *rs,
		     struct nl *nfnl, struct err *err)
{
	const struct ct_tuple *t = &why->packet.tuple;
	struct why_seen *seen = &why->seen;
	struct ct_tuple known = *t;
	unsigned int i;
	int code = 0;

	seen->flow.to = t->destination;
	if (why->packet.has_ports && t->source.family) {
		if (why->family == FAMILY_IPV6 && why->marking)
			code = nft_moved(nfnl, t, &seen->moved, err);
		if (seen->moved)
			known.zone = RULESET_ZONE;
		if (!code)
			code = ct_find(nfnl, &known, &seen->flow, err);
	}
	if (!code && why->marking && ruleset_has_set_of(rs, SET_STICKY) &&
	    !seen->own)
		code = nft_sticky(nfnl, &t->source, &seen->sticky, err);
	for (i = 0; !code && why->marking && i < rs->n_sets; i++)
		if (set_is_named(rs, i))
			code = nft_named(nfnl, rs, i, &t->destination,
					 &seen->named[i], err);
	return code;
}

static int ask_fib(const struct why *why, uint32_t mark, struct nl *rtnl,
		   struct fib *fib, struct err *err)
{
	const struct ct_tuple *t = &why->packet.tuple;
	const struct fib_packet p = {
		.source = why->seen.source, .destination = why->seen.flow.to,
		.iif = why->seen.ifindex,
		.mark = mark, .protocol = t->protocol,
		.source_port = t->source_port,
		.destination_port = t->destination_port,
	};

	return fib_ask(rtnl, &p, fib, err);
}

static int ask_way(const struct why *why, struct why_way *way, struct nl *rtnl,
		   struct err *err)
{
	int code = ask_fib(why, way->walk.mark, rtnl, &way->fib, err);

	way->oif[0] = '\0';
	if (code || way->fib.code)
		return code;
	return name_of(way->fib.ifindex, way->oif, err);
}

struct taking {
	const struct why *why;
	struct why_way *way;
	uint32_t table;		/* where it goes without its mark */
	bool done;
};

static int on_rule(const struct rule *r, void *data)
{
	struct taking *t = data;

	t->done = t->done || why_taker(t->why, t->way, r);
	return 0;
}

static int ask_taker(const struct why *why, struct why_way *way,
		     struct nl *rtnl, struct err *err)
{
	struct taking t = { .why = why, .way = way };

	if (way->as_planned || way->fib.code)
		return 0;
	return rule_dump(rtnl, family_af(why->family), RULE_ANYONES, on_rule,
			 &t, err);
}

static int on_spared(const struct rule *r, void *data)
{
	struct taking *t = data;

	t->done = t->done || why_spared(t->why, t->way, r, t->table);
	return 0;
}

/* A rule of somebody else's after ours, which had such packets before there were
 * marks: the kernel says where this one goes without.
 */
static int ask_spared(const struct why *why, struct why_way *way,
		      const struct conf *conf, struct nl *rtnl,
		      struct err *err)
{
	struct taking t = { .why = why, .way = way };
	uint32_t others = way->walk.mark & ~conf->mark_mask;
	struct fib fib;
	int code;

	if (!way->as_planned || way->verdict != WHY_LINK ||
	    others == way->walk.mark)
		return 0;
	code = ask_fib(why, others, rtnl, &fib, err);
	if (code || fib.code || fib.table == way->fib.table)
		return code;
	t.table = fib.table;
	return rule_dump(rtnl, family_af(why->family), RULE_ANYONES, on_spared,
			 &t, err);
}

/* Also for somebody else's routes; an interface that has just gone has no
 * name.
 */
static void name_hops(struct why_way *way)
{
	struct why_hop *hop = way->hop;
	unsigned int i;

	for (i = 0; i < way->n_hops; i++, hop++)
		if (!hop->route || !if_indextoname(hop->route->ifindex,
						   hop->dev))
			hop->dev[0] = '\0';
}

static int on_main(const struct route *r, void *data)
{
	struct route *first = data;

	if (!first->family && !r->tos)
		*first = *r;
	return 0;
}

/* A default of main that refuses stands before all marks. */
static int ask_refusal(struct why *why, struct nl *rtnl, struct err *err)
{
	struct route *r = &why->refusal;
	int code;

	r->family = 0;
	code = route_dump_defaults(rtnl, family_af(why->family), TABLE_MAIN,
				   on_main, r, err);
	if (!route_refuses(r))
		r->family = 0;
	return code;
}

/* May a group choose by what nobody can know? Of IPv6 the kernel answers a
 * question by another hash than that of a packet (net/ipv6/route.c,
 * rt6_multipath_hash() without an skb).
 */
static bool is_unknown_hash(enum family f)
{
	return f == FAMILY_IPV6 ||
	       sysctl_read(sysctl_hash_policy[f]) == HASH_POLICY_L4;
}

/* The links' prefixes as the rules know them: those that the kernel's sets
 * hold, or would hold.
 */
static void note_own(struct why *why, const struct conf *conf,
		     const struct present *p)
{
	unsigned int i;

	for (i = 0; i < conf->n_links && why->family == FAMILY_IPV6; i++)
		why->seen.own6.link[i].own6 = why->what_if ?
			p->link[i].own6 : p->nft.state.link[i].own6;
}

int ask_why(struct why *why, const struct conf *conf,
	    const struct ruleset *rs, const struct present *present,
	    struct nl *rtnl, struct nl *nfnl, struct err *err)
{
	struct why_way *way = why->way;
	unsigned int n = 1;
	int code;

	why->n_ways = 0;
	memset(&why->seen, 0, sizeof(why->seen));
	why->family = addr_family(&why->packet.tuple.destination);
	note_own(why, conf, present);
	why->marking = present->nft.present;
	why->intact = nft_intact(&present->nft, rs);
	why->by_hash = is_unknown_hash(why->family);
	code = ask_back(why, conf, present, rtnl, err);
	if (code || why->seen.back.code)
		return code;
	if (!why->seen.own && why->family == FAMILY_IPV4)
		ask_settings(&why->seen, present);
	else if (!why->seen.own)
		ask_settings6(&why->seen);
	code = ask_marks(why, rs, nfnl, err);
	if (!code)
		code = ask_refusal(why, rtnl, err);
	for (; !code && why->n_ways < n; why->n_ways++, way++) {
		why_mark(why, way, why->n_ways, rs);
		if (way->walk.n_choices)
			n = way->walk.n_choices;
		code = ask_way(why, way, rtnl, err);
		if (code)
			break;
		why_route(why, way, conf, present);
		name_hops(way);
		code = ask_taker(why, way, rtnl, err);
		if (!code)
			code = ask_spared(why, way, conf, rtnl, err);
	}
	return code;
}
