// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/prefix.h"
#include "base/util.h"
#include "conf/policy.h"
#include "core/plan.h"
#include "core/way.h"
#include "tell/why.h"

void why_mark(const struct why *why, struct why_way *way, unsigned int choice,
	      const struct ruleset *rs)
{
	const struct ct_tuple *t = &why->packet.tuple;
	const struct why_seen *seen = &why->seen;
	struct walk *w = &way->walk;

	*w = (struct walk){
		.rs = rs, .choice = choice, .state = &seen->own6,
		.source = seen->source, .destination = t->destination,
		.has_protocol = why->packet.has_protocol,
		.has_ports = why->packet.has_ports,
		.protocol = t->protocol, .source_port = t->source_port,
		.destination_port = t->destination_port,
		.is_new = !seen->flow.answered,
		.is_reply = seen->flow.is_reply,
		.ct_mark = seen->flow.mark, .sticky = seen->sticky,
		.named = seen->named,
	};
	/* Rules are of a family, also for a packet without a source. */
	w->source.family = t->destination.family;
	memcpy(w->iif, seen->iif, sizeof(w->iif));
	if (why->marking)
		walk(w, seen->own ? HOOK_OUTPUT : HOOK_PREROUTING);
	/* From here on the packet has the address that NAT gives it. */
	w->destination = seen->flow.to;
}

static bool is_within(const struct addr *a, const struct addr *net,
		      uint8_t len)
{
	const struct prefix p = { *net, len };

	return !len || (a->family && prefix_has(&p, a));
}

static bool rule_applies(const struct rule *r, uint32_t mark,
			 const struct why_seen *seen)
{
	const struct addr *source = &seen->source;
	bool like = (mark & r->mask) == r->mark &&
		    (!r->from.family ||
		     is_within(source, &r->from, r->from_len ? r->from_len :
			       (uint8_t)(8 * addr_len(&r->from)))) &&
		    (!r->iif[0] || seen->own);

	return !r->foreign && like != r->invert;
}

/* main's own defaults come after our marks and before our last rules. */
static bool main_wins(const struct fib *fib, const struct rule *r)
{
	return !fib->code && fib->table == TABLE_MAIN &&
	       (fib->prefix_len || r->priority >= PRIORITY_PRIMARY);
}

/* The kernel's rule for the table default, where ours are the last ones. */
static const struct rule rule_default = {
	.priority = PRIORITY_DEFAULT, .table = TABLE_DEFAULT,
	.action = FR_ACT_TO_TBL,
};

static bool default_wins(const struct fib *fib, const struct rule *r)
{
	return !fib->code && fib->table == TABLE_DEFAULT &&
	       r->priority >= PRIORITY_PRIMARY;
}

/* The table of networks that are remembered. */
static bool is_onlink(const struct conf *conf, uint32_t table)
{
	return conf->ipv6 && table == conf->onlink_table;
}

/* Decide by our rules, which the kernel has sorted. Rules of others and main's
 * routes are not known here: the kernel's answer tells.
 */
static void find_hops(struct why_way *way, const struct why *why,
		      const struct conf *conf, const struct present *p)
{
	const uint8_t family = family_af(why->family);
	const struct rule *r = p->rule;
	struct why_hop *hop;
	unsigned int i;

	way->n_hops = 0;
	for (i = 0; i < p->n_rules && way->n_hops < WHY_HOPS; i++, r++) {
		if (r->family != family)
			continue;
		if (main_wins(&way->fib, r) ||
		    (is_onlink(conf, r->table) && way->fib.table == r->table))
			return;
		if (default_wins(&way->fib, r)) {
			hop = &way->hop[way->n_hops++];
			hop->rule = &rule_default;
			hop->route = way_default(p, why->family,
						 TABLE_DEFAULT);
			return;
		}
		if (r->suppress_default || is_onlink(conf, r->table) ||
		    r->priority == PRIORITY_FAILBACK ||
		    !rule_applies(r, way->walk.mark, &why->seen))
			continue;
		hop = &way->hop[way->n_hops++];
		hop->rule = r;
		hop->route = way_default(p, why->family, r->table);
		if (hop->route)
			return;
	}
}

static bool leads_to(const struct present *p, const struct route *r,
		     uint32_t ifindex)
{
	const struct nexthop *group = present_nexthop(p, r->nhid), *nh;
	unsigned int i;

	if (!group)
		return !r->ifindex || r->ifindex == ifindex;
	for (i = 0; i < group->n_members; i++) {
		nh = present_nexthop(p, group->member[i].id);
		if (nh && nh->ifindex == ifindex)
			return true;
	}
	return false;
}

const struct route *why_last_route(const struct why_way *way)
{
	return way->n_hops ? way->hop[way->n_hops - 1].route : NULL;
}

/* Is the kernel's decision that of our rules? */
static bool as_planned(const struct why_way *way, const struct conf *conf,
		       const struct present *p)
{
	const struct route *r = why_last_route(way);
	const struct fib *fib = &way->fib;

	if (fib->code)
		return !r || r->type != RTN_UNICAST;
	if (!r)
		return fib->table == TABLE_MAIN || fib->table == TABLE_LOCAL ||
		       fib->table == TABLE_DEFAULT ||
		       is_onlink(conf, fib->table);
	return fib->table == r->table && leads_to(p, r, fib->ifindex);
}

/* The router's own packets have no hash yet. */
static uint32_t open_group(const struct why *why, const struct why_way *way,
			   const struct present *p)
{
	const struct route *r = why_last_route(way);
	const struct nexthop *group = r ? present_nexthop(p, r->nhid) : NULL;

	return why->by_hash && !why->seen.own && way->as_planned && group &&
	       group->n_members > 1 ? group->id : 0;
}

/* One to several hosts at once. */
static bool is_multicast(const struct addr *a)
{
	return a->family == AF_INET6 ? a->bytes[0] == 0xff :
	       IN_MULTICAST(ntohl(a->v4.s_addr));
}

static bool matches(const struct rule *r, const struct why *why,
		    const struct walk *w)
{
	/* The router's own come in by lo. */
	const char *iif = why->seen.own ? "lo" : why->seen.iif;
	bool like = (w->mark & r->mask) == r->mark &&
		    is_within(&w->source, &r->from, r->from_len) &&
		    is_within(&w->destination, &r->to, r->to_len) &&
		    (!r->iif[0] || !strcmp(r->iif, iif));

	return like != r->invert;
}

bool why_taker(const struct why *why, struct why_way *way,
	       const struct rule *r)
{
	if (why_last_route(way) &&
	    r->priority > way->hop[way->n_hops - 1].rule->priority)
		return true;
	if (r->action != FR_ACT_TO_TBL || r->table != way->fib.table ||
	    (r->protocol == PROTO_MWAN && !r->foreign) ||
	    (r->suppress_default && !way->fib.prefix_len))
		return false;
	way->taken = !r->opaque && matches(r, why, &way->walk);
	way->taker = *r;
	return way->taken || r->opaque;
}

bool why_spared(const struct why *why, struct why_way *way,
		const struct rule *r, uint32_t table)
{
	if (r->action != FR_ACT_TO_TBL || r->table != table ||
	    r->protocol == PROTO_MWAN || r->opaque || r->own ||
	    !matches(r, why, &way->walk))
		return false;
	way->spared = true;
	way->taker = *r;
	return true;
}

static bool to_many(const struct fib *fib)
{
	return fib->type == RTN_BROADCAST || fib->type == RTN_MULTICAST;
}

static bool is_of_link(const struct present *p, unsigned int link,
		       const struct addr *a)
{
	unsigned int i;

	for (i = 0; i < p->n_extras; i++)
		if (p->extra[i].link == link && addr_equal(&p->extra[i].addr, a))
			return true;
	return addr_equal(&p->link[link].af[FAMILY_IPV4].local, a);
}

/* Does the guard drop what leaves by @link, as masquerade or conntrack makes it?
 * Answers have passed it as questions. See guard() in nft/table.c.
 */
static bool guarded(const struct why *why, struct why_way *way,
		    const struct present *p, unsigned int link)
{
	const struct ct_flow *flow = &why->seen.flow;
	bool translated;

	if (!p->nft.masquerades || flow->is_reply)
		return false;
	way->as = flow->known ? flow->from :
				p->link[link].af[FAMILY_IPV4].local;
	if (!flow->known)
		return p->nft.guards && !way->as.family;
	translated = !addr_equal(&way->as, &why->packet.tuple.source);
	return p->nft.guards && ruleset_is_private(&way->as) &&
	       !is_of_link(p, link, &way->as) &&
	       !(translated && !present_has_addr(p, &way->as));
}

static bool has_own(const struct prefixes *own, const struct addr *a)
{
	unsigned int i;

	for (i = 0; i < own->n && !prefix_has(&own->item[i], a); i++)
		;
	return i < own->n;
}

/* What of srcnat6, and of the drop before it (table.c, leave_chains()), has the
 * source when it leaves by link @i. A translated flow goes on being translated.
 */
static enum why_source source_by(const struct why *why,
				 const struct conf *conf,
				 const struct present *present, unsigned int i)
{
	const struct ct_flow *flow = &why->seen.flow;
	const struct prefixes *own = &why->seen.own6.link[i].own6;
	const struct addr *source = &why->seen.source;

	if (!conf->translate6)
		return SOURCE_LEFT;
	if (!source->family)
		return SOURCE_UNTOLD;
	if (!own->n)
		return SOURCE_UNKNOWN;
	if (flow->known && flow->bare)
		return has_own(own, source) ? SOURCE_OWN : SOURCE_ASTRAY;
	if (flow->known && flow->is_reply)
		return SOURCE_ANSWER;
	/* A flow that only DNAT concerns keeps its own source. */
	if (flow->known)
		return has_own(own, &flow->from) ||
		       !present_has_addr(present, &flow->from) ?
		       SOURCE_NAT : SOURCE_ASTRAY;
	return has_own(own, source) ? SOURCE_OWN : SOURCE_TRANSLATED;
}

static enum why_source find_source(const struct why *why,
				   const struct why_way *way,
				   const struct conf *conf,
				   const struct present *present)
{
	const struct nexthop *group = present_nexthop(present, way->any_of);
	const struct nexthop *nh;
	enum why_source all = SOURCE_UNTOLD, one;
	unsigned int i;
	int link;

	if (!group)
		return source_by(why, conf, present, (unsigned int)
			present_link_of(present, conf, way->fib.ifindex));
	for (i = 0; i < group->n_members; i++) {
		nh = present_nexthop(present, group->member[i].id);
		link = nh ? present_link_of(present, conf, nh->ifindex) : -1;
		one = link < 0 ? SOURCE_UNTOLD :
		      source_by(why, conf, present, (unsigned int)link);
		if (i && one != all)
			return SOURCE_UNTOLD;
		all = one;
	}
	return all;
}

static enum why_verdict by_link(const struct why *why, struct why_way *way,
				const struct conf *conf,
				const struct present *present,
				unsigned int link)
{
	if (why->family == FAMILY_IPV4)
		return guarded(why, way, present, link) ? WHY_STOPPED :
							  WHY_LINK;
	if (why->marking && conf->ipv6)
		way->source = find_source(why, way, conf, present);
	return way->source == SOURCE_ASTRAY ? WHY_STOPPED : WHY_LINK;
}

void why_route(const struct why *why, struct why_way *way,
	       const struct conf *conf, const struct present *present)
{
	const struct fib *fib = &way->fib;
	int link = present_link_of(present, conf, fib->ifindex);

	way->as.family = 0;
	way->source = SOURCE_UNTOLD;
	/* One to a group that the router is no member of is dropped without a
	 * word (net/ipv4/route.c, ip_route_input_rcu()).
	 */
	if (!why->seen.own && is_multicast(&way->walk.destination))
		way->fib = (struct fib){ .type = RTN_MULTICAST };
	/* Only when it forwards does the kernel ask whether it may (IPv6). */
	if (why->family == FAMILY_IPV6 && why->seen.no_forward &&
	    !fib->code && fib->type == RTN_UNICAST)
		way->fib.code = -EINVAL;
	find_hops(way, why, conf, present);
	/* The kernel names no table for some that go to many. */
	if (!fib->code && (fib->table == TABLE_LOCAL || to_many(fib)))
		way->n_hops = 0;
	way->taken = way->spared = false;
	way->as_planned = to_many(fib) || as_planned(way, conf, present);
	way->any_of = open_group(why, way, present);
	memcpy(way->walk.oif, way->oif, sizeof(way->oif));
	if (why->marking && !why->seen.own && !fib->code &&
	    fib->type == RTN_UNICAST)
		walk(&way->walk, HOOK_FORWARD);
	if (fib->code)
		way->verdict = WHY_NOWHERE;
	else if (way->walk.rejected)
		way->verdict = WHY_REJECTED;
	else if (to_many(fib) && !why->seen.own)
		way->verdict = WHY_MANY;
	else if (fib->type != RTN_UNICAST && !to_many(fib))
		way->verdict = WHY_ROUTER;
	else if (link >= 0)
		way->verdict = by_link(why, way, conf, present,
				       (unsigned int)link);
	else
		way->verdict = WHY_OTHER;
}

bool why_arrives(const struct why *why)
{
	unsigned int i;

	for (i = 0; i < why->n_ways; i++)
		if (why->way[i].verdict < WHY_MANY)
			return true;
	return false;
}

static int read_port(uint16_t *port, const char *word, struct err *err)
{
	uint32_t number;

	if (u32_parse(word, 0, UINT16_MAX, &number))
		return err_expected(err, "a port from 0 to 65535", word);
	*port = (uint16_t)number;
	return 0;
}

static int read_address(struct addr *a, const char *word, struct err *err)
{
	if (addr_parse(a, word))
		return err_expected(err, "an address", word);
	/* It may be on several interfaces, and leaves none of them. */
	return addr_is_link_local6(a) ?
	       err_set(err, -EINVAL, "nothing is forwarded or shared of an "
		       "address that stays on its link, as does \"%s\"",
		       word) : 0;
}

/* The words after SRC and DST. */
static int read_rest(struct why_packet *p, int n, char **word,
		     struct err *err)
{
	struct ct_tuple *t = &p->tuple;
	struct err why;

	p->has_protocol = n > 0;
	p->has_ports = n > 1;
	if (p->has_protocol && protocol_parse(word[0], &t->protocol, &why))
		return err_expected(err, "tcp, udp, icmp or a protocol's "
				    "number", word[0]);
	if (t->destination.family == AF_INET6 && t->protocol == IPPROTO_ICMP)
		t->protocol = IPPROTO_ICMPV6;
	if (!p->has_ports)
		return 0;
	if (t->protocol == IPPROTO_ICMP || t->protocol == IPPROTO_ICMPV6)
		return err_set(err, -EINVAL, "there are no ports in \"%s\"",
			       word[0]);
	return read_port(&t->source_port, word[1], err) ||
	       read_port(&t->destination_port, word[2], err) ? -EINVAL : 0;
}

int why_packet_read(struct why_packet *p, int n, char **word,
		    struct err *err)
{
	struct ct_tuple *t = &p->tuple;

	if ((strcmp(word[0], "self") &&
	     read_address(&t->source, word[0], err)) ||
	    read_address(&t->destination, word[1], err))
		return -EINVAL;
	if (t->source.family && t->source.family != t->destination.family)
		return err_set(err, -EINVAL, "the source is of the other "
			       "family than \"%s\"", word[1]);
	return read_rest(p, n - 2, word + 2, err);
}
