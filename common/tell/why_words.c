// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prefix.h"
#include "base/util.h"
#include "core/plan.h"
#include "tell/why.h"

/* Indent of a continued line. A step itself is indented by two. */
enum { INDENT = 4 };

/* What the words of all steps are made from. */
struct telling {
	const struct why *why;
	const struct conf *conf;
	const struct present *present;
	FILE *out;
};

static const char *mark_name(const struct conf *conf, uint32_t mark)
{
	unsigned int i;

	for (i = 0; i < conf->n_links; i++)
		if (conf->link[i].mark == (mark & conf->mark_mask))
			return conf->link[i].name;
	return "no link";
}

/* The links of a group. Returns how many. */
static unsigned int tell_members(const struct telling *t, uint32_t id)
{
	const struct present *p = t->present;
	const struct nexthop *nh, *end = p->nexthop + p->n_nexthops;
	unsigned int i, n = 0;
	int link;

	for (nh = p->nexthop; nh < end && nh->id != id; nh++)
		;
	for (i = 0; nh < end && i < nh->n_members; i++) {
		link = plan_link_of_nexthop(t->conf, nh->member[i].id);
		if (link >= 0)
			fprintf(t->out, "%s%s", n++ ? " or " : "",
				t->conf->link[link].name);
	}
	return n;
}

static void tell_packet(const struct telling *t)
{
	const struct why_packet *p = &t->why->packet;
	char from[ADDR_TEXT], to[ADDR_TEXT], protocol[PROTOCOL_TEXT];

	fprintf(t->out, "%s -> %s", p->tuple.source.family ?
		addr_text(&p->tuple.source, from) : "the router",
		addr_text(&p->tuple.destination, to));
	if (p->has_protocol)
		fprintf(t->out, ", %s", p->tuple.protocol == IPPROTO_ICMPV6 ?
			"icmpv6" :
			protocol_text(p->tuple.protocol, protocol));
	if (p->has_ports)
		fprintf(t->out, " %u -> %u", p->tuple.source_port,
			p->tuple.destination_port);
}

/* --- the verdict --- */

/* Linux 6.18 says EINVAL, as for a blackhole, where older ones said EXDEV. */
static bool is_filtered(const struct why *why, const struct why_way *way)
{
	const struct route *r = why_last_route(way);

	return way->fib.code == -EXDEV ||
	       (way->fib.code == -EINVAL && why->seen.strict &&
		!(r && r->type == RTN_BLACKHOLE));
}

static const char *refusal(const struct why *why, const struct why_way *way)
{
	if (is_filtered(why, way))
		return "reverse path filtering (rp_filter) drops it where it "
		       "comes in";
	/* Nor does ip_error() tell the sender when it may not forward. */
	if (way->fib.code == -EINVAL || why->seen.no_forward)
		return "the kernel drops it without a word";
	switch (way->fib.code) {
	case -EACCES:
		return "the sender is told that it is prohibited";
	default:
		return "the sender is told that there is no way";
	}
}

static void tell_device(const struct telling *t, const char *name)
{
	int i = conf_link_index(t->conf, name);
	const struct addr *gateway;
	char text[ADDR_TEXT];

	fputs(name, t->out);
	if (i < 0)
		return;
	gateway = &t->present->link[i].af[t->why->family].gateway;
	if (gateway->family && !addr_is_link_local6(gateway))
		fprintf(t->out, ", via %s", addr_text(gateway, text));
}

/* The one link that it leaves by, or those of which it may. */
static void tell_links(const struct telling *t, const struct why_way *way)
{
	if (way->any_of)
		tell_members(t, way->any_of);
	else
		fputs(way->oif, t->out);
}

static void tell_end(const struct telling *t, const struct why_way *way)
{
	switch (way->verdict) {
	case WHY_LINK:
	case WHY_OTHER:
		fputs("leaves by ", t->out);
		if (way->any_of)
			tell_members(t, way->any_of);
		else
			tell_device(t, way->oif);
		break;
	case WHY_ROUTER:
		fputs("is for the router itself", t->out);
		break;
	case WHY_MANY:
		fputs("is not forwarded", t->out);
		break;
	case WHY_REJECTED:
		fputs("goes nowhere: a policy has it refused", t->out);
		break;
	case WHY_STOPPED:
		fputs("goes nowhere: it is dropped where it would leave by ",
		      t->out);
		tell_links(t, way);
		break;
	case WHY_NOWHERE:
		fprintf(t->out, "goes nowhere: %s", refusal(t->why, way));
		break;
	}
}

static bool same_end(const struct why_way *a, const struct why_way *b)
{
	return a->verdict == b->verdict && a->any_of == b->any_of &&
	       (a->any_of || !strcmp(a->oif, b->oif));
}

/* Ways that end alike count as one. */
static void tell_ends(const struct telling *t)
{
	const struct why_way *way = t->why->way;
	unsigned int i, k, n = t->why->n_ways;
	uint32_t share;

	for (i = 0; i < n; i++) {
		for (k = 0; !same_end(&way[k], &way[i]); k++)
			;
		if (k < i)
			continue;
		for (share = 0; k < n; k++)
			if (same_end(&way[k], &way[i]))
				share += way[k].walk.share;
		fputs(i ? "; or it " : ": it ", t->out);
		tell_end(t, &way[i]);
		if (n > 1 && share < way[i].walk.shares)
			fprintf(t->out, " (%u of %u)", share,
				way[i].walk.shares);
	}
	fputs(".\n", t->out);
}

/* A packet that really comes from outside belongs to a connection, or goes into
 * the LAN or to the router.
 */
static bool is_astray(const struct why *why)
{
	unsigned int i;

	for (i = 0; i < why->n_ways; i++)
		if (why->way[i].verdict == WHY_LINK ||
		    why->way[i].verdict >= WHY_REJECTED)
			return why->seen.astray && !why->seen.flow.known;
	return false;
}

static void tell_verdict(const struct telling *t)
{
	char text[ADDR_TEXT];

	tell_packet(t);
	if (t->why->n_ways)
		tell_ends(t);
	else
		fputs(": it goes nowhere: no route leads to its source, so "
		      "nobody knows where it comes in.\n", t->out);
	if (is_astray(t->why))
		fprintf(t->out, "  No interface of the LAN leads to %s, only "
			"%s: is the address right, and the LAN up?\n",
			addr_text(&t->why->packet.tuple.source, text),
			t->why->seen.iif);
	if (t->why->changed)
		fprintf(t->out, "  It goes by what is in force; %s was changed "
			"since.\n", t->why->changed);
	if (t->why->what_if && t->why->marking)
		fprintf(t->out, "  It goes by %s, as if that were in force, "
			"with the rules and routes of now.\n",
			t->why->what_if);
}

/* --- what is known before --- */

static void tell_own(const struct telling *t)
{
	const struct why *why = t->why;
	char text[ADDR_TEXT];

	fputs("  It is the router's own", t->out);
	if (!why->packet.tuple.source.family)
		fputs(", from a socket that is bound to no address", t->out);
	if (!why->packet.tuple.source.family && why->seen.source.family)
		fprintf(t->out, ": the kernel gives it %s",
			addr_text(&why->seen.source, text));
	fputs(".\n", t->out);
}

static void tell_seen(const struct telling *t)
{
	const struct why *why = t->why;
	const struct ct_flow *flow = &why->seen.flow;
	char text[ADDR_TEXT];

	if (why->seen.own)
		tell_own(t);
	else
		fprintf(t->out, "  It comes in by %s, which %s.\n",
			why->seen.iif, !why->seen.to_link ?
			"leads to its source" : why->family == FAMILY_IPV4 ?
			"has the address that it is sent to" :
			"has the prefix of what it is sent to");
	if (why->seen.moved)
		fputs("  Its flow began by another link, untranslated, and goes "
		      "on in a conntrack zone of its own.\n", t->out);
	if (!flow->known)
		fprintf(t->out, "  %s.\n", why->packet.has_ports ?
			"conntrack does not know its connection: it begins "
			"one" : "It is taken to begin a connection: without "
			"ports one cannot know");
	else
		fprintf(t->out, "  conntrack knows its connection%s, with mark "
			"0x%x: %s.\n", flow->is_reply ? ", of which it is an "
			"answer" : flow->answered ? "" :
			", which has had no answer yet", flow->mark,
			mark_name(t->conf, flow->mark));
	if (!addr_equal(&flow->to, &why->packet.tuple.destination))
		fprintf(t->out, "  NAT sends it to %s.\n",
			addr_text(&flow->to, text));
	if (!why->marking)
		fputs("  Nothing is marked: nftables has no table of ours "
		      "(\"mwan-rules apply\").\n", t->out);
	else if (!why->intact && !why->what_if)
		fputs("  The nftables table differs from what this goes by: "
		      "see \"mwan-rules status\".\n", t->out);
	if (why->family == FAMILY_IPV6 && !t->conf->ipv6)
		fputs("  IPv6 is not shared: ipv6 = no.\n", t->out);
}

/* --- the rules of nftables --- */

static const char *const balance_names[] = {
	[BALANCE_SOURCE] = "a hash of the sender's address",
	[BALANCE_SOURCE_PARITY] = "the low bits of the sender's address",
	[BALANCE_FLOW] = "a hash of addresses, protocol and ports",
	[BALANCE_ROUND_ROBIN] = "the links take turns",
	[BALANCE_RANDOM] = "at random",
};

static void tell_policy(const struct telling *t, unsigned int number)
{
	const struct policy *y = &t->conf->policy[number - 1];
	const char *link = y->use == USE_LINK ? t->conf->link[y->link].name :
			   y->use == USE_MAIN ? "main" : "balance";

	fprintf(t->out, "  Policy %s (%u of %u) matches: use = %s", y->name,
		number, t->conf->n_policies, link);
	if (y->use == USE_LINK)
		fprintf(t->out, "%s, if_down = %s",
			t->present->link[y->link].held[t->why->family] ?
			" (held)" :
			t->present->link[y->link].drained ? " (drained)" : "",
			y->unreachable ? "unreachable" : "balance");
	fputs(".\n", t->out);
}

/* A map by which the balance chooses. */
static void tell_slot(const struct telling *t, const struct walk_step *step,
		      const struct ruleset_statement *s)
{
	const char *how = s->kind == TO_HASH || s->kind == TO_HASH6 ?
			  balance_names[BALANCE_SOURCE] :
			  balance_names[t->conf->balance];
	const uint32_t slots = s->kind == TO_SADDR ? s->mask + 1 : s->value;

	fprintf(t->out, "  The balance chooses: %s", how);
	if (step->key == WALK_NO_KEY)
		fputs(s->kind == TO_FLOW ? ", which are not known" : "",
		      t->out);
	else
		fprintf(t->out, ", slot %u of %u", step->key + 1, slots);
	if (s->kind != TO_SADDR && s->mask > RULESET_SEED &&
	    step->key != WALK_NO_KEY)
		fputs(" (chosen again: its own is drained)", t->out);
	fputs(".\n", t->out);
}

/* Is the rule the whole balance: there is one link to choose? */
static bool is_sole(const struct ruleset *rs, const struct ruleset_rule *r)
{
	const struct ruleset_chain *in = &rs->chain[r->chain];
	const struct ruleset_statement *s = &rs->statement[r->first];

	return r->count == 1 && s->kind == DO_GOTO &&
	       (in->hook == HOOK_PREROUTING || !strcmp(in->name, "balance")) &&
	       strcmp(rs->chain[s->chain].name, "balance") != 0;
}

/* The last statement of a rule says what it is for. */
static void tell_step(const struct telling *t, const struct ruleset *rs,
		      const struct walk_step *step)
{
	const struct ruleset_rule *r = &rs->rule[step->rule];
	const struct ruleset_statement *s = &rs->statement[r->first];
	const struct ruleset_statement *last = s + r->count - 1;

	switch (last->kind) {
	case TO_CT_MARK:
		fprintf(t->out, "  Its connection stays with %s.\n",
			mark_name(t->conf, step->key));
		return;
	case TO_PRIORITY:
		/* It is looked up again when the balance has dealt. */
		if (t->why->seen.sticky == step->key)
			fprintf(t->out, "  The host has %s already "
				"(sticky).\n", mark_name(t->conf, step->key));
		return;
	case TO_SADDR6:
		fprintf(t->out, "  Its address is of a prefix of %s: it leaves "
			"by that link.\n",
			mark_name(t->conf, t->why->way[0].walk.mark));
		return;
	case TO_HASH:
	case TO_FLOW:
	case TO_HASH6:
	case TO_FLOW6:
	case TO_SADDR:
	case TO_RANDOM:
	case TO_TURNS:
		tell_slot(t, step, last);
		return;
	case TO_IIFNAME:
		fputs("  It comes from a link: its connection is bound to that "
		      "link.\n", t->out);
		return;
	}
	if (is_sole(rs, r))
		fputs("  The balance has one link to give: the others are "
		      "drained or of a worse tier.\n", t->out);
	else if (last->kind == DO_RETURN && s->kind == IF_NOT_IIFNAME)
		fprintf(t->out, "  %s is none of the lan interfaces: it is not "
			"shared.\n", t->why->seen.iif);
	else if (last->kind == DO_RETURN && s->kind == IF_NOT_NEW)
		fputs("  Its connection has no link's mark.\n", t->out);
}

/* The policies before routing; after it they can only refuse. */
static bool is_policy(const struct walk *w, unsigned int step)
{
	const struct ruleset_rule *r = &w->rs->rule[w->step[step].rule];

	return r->policy && w->rs->chain[r->chain].hook == HOOK_PREROUTING;
}

static void tell_no_policy(const struct telling *t, const struct walk *w)
{
	unsigned int i, n = t->conf->n_policies;

	for (i = 0; i < w->n_steps; i++)
		if (is_policy(w, i))
			return;
	if (w->asked && n == 1)
		fprintf(t->out, "  Policy %s, the only one, does not match.\n",
			t->conf->policy[0].name);
	else if (w->asked)
		fprintf(t->out, "  None of the %u policies matches.\n", n);
}

static void tell_walk(const struct telling *t, const struct walk *w)
{
	const struct ruleset_rule *r;
	unsigned int i;

	tell_no_policy(t, w);
	for (i = 0; i < w->n_steps; i++) {
		r = &w->rs->rule[w->step[i].rule];
		if (is_policy(w, i))
			tell_policy(t, r->policy);
		else if (!r->policy)
			tell_step(t, w->rs, &w->step[i]);
	}
	if (w->unsure)
		fputs("  Left out: policies that ask for a protocol or a port, "
		      "which are not known.\n", t->out);
}

/* --- routing --- */

static void tell_route(const struct telling *t, const struct why_way *way,
		       const struct why_hop *hop)
{
	const struct route *r = hop->route;
	unsigned int n;

	if (!r) {
		fputs(" has no default", t->out);
		return;
	}
	if (r->type != RTN_UNICAST) {
		fputs(" refuses it (last_resort)", t->out);
		return;
	}
	fputs(" leads to ", t->out);
	n = r->nhid ? tell_members(t, r->nhid) : 0;
	if (!n)
		fputs(hop->dev[0] ? hop->dev : "several interfaces", t->out);
	if (n > 1 && !way->fib.code)
		fprintf(t->out, ", by the packet's hash to %s",
			way->any_of ? "any of them" : way->oif);
}

static void tell_rule(const struct telling *t, const struct rule *r)
{
	unsigned int i;
	char text[PREFIX_TEXT];
	const struct prefix from = { r->from, r->from_len };

	fprintf(t->out, "  Rule %u (", r->priority);
	if (r->from.family == AF_INET6)
		fprintf(t->out, "from %s", prefix_text(&from, text));
	else if (r->from.family)
		fprintf(t->out, "from %s", addr_text(&r->from, text));
	else if (r->mask)
		fprintf(t->out, "%sfwmark 0x%x/0x%x", r->invert ? "not " : "",
			r->mark, r->mask);
	else
		fputs("all", t->out);
	fprintf(t->out, "): table %u", r->table);
	for (i = 0; i < t->conf->n_links; i++)
		if (t->conf->link[i].table == r->table)
			fprintf(t->out, " of %s%s", t->conf->link[i].name,
				link_usable(&t->present->link[i],
					    t->why->family) ? "" : " (down)");
	if (t->conf->standby_table == r->table)
		fputs(" (standby)", t->out);
}

/* If main, or nothing of ours, has the last word. */
static void tell_other(const struct telling *t, const struct fib *fib)
{
	const bool onlink = t->conf->ipv6 &&
			    fib->table == t->conf->onlink_table;

	if (fib->code)
		fputs("  No route of ours or of main leads on.\n", t->out);
	else if (fib->type == RTN_BROADCAST)
		fputs("  It is a broadcast address: it is not forwarded.\n",
		      t->out);
	else if (fib->type == RTN_MULTICAST)
		fputs("  It is a multicast address: it is not forwarded.\n",
		      t->out);
	else if (onlink)
		fprintf(t->out, "  Table %u remembers its network (/%u), which "
			"the router has no more.\n", fib->table,
			fib->prefix_len);
	else if (fib->table == TABLE_LOCAL)
		fputs("  It is an address of the router.\n", t->out);
	else if (fib->table == TABLE_MAIN && fib->prefix_len)
		fprintf(t->out, "  main has a route to it (/%u) that is no "
			"default: that wins over marks.\n", fib->prefix_len);
	else if (fib->table == TABLE_MAIN)
		fputs("  main has a default route of its own.\n", t->out);
}

/* Is the link of this mark left for another one? */
static bool is_held(const struct telling *t, uint32_t mark)
{
	unsigned int i;

	for (i = 0; i < t->conf->n_links; i++)
		if (t->conf->link[i].mark == mark)
			return t->present->link[i].af[t->why->family].held;
	return false;
}

static void tell_source4(const struct telling *t, const struct why_way *way)
{
	char text[ADDR_TEXT];

	if (way->verdict == WHY_STOPPED && !way->as.family)
		fprintf(t->out, "  %s has no address that masquerade could "
			"give it: it is dropped (chain guard).\n", way->oif);
	else if (way->verdict == WHY_STOPPED)
		fprintf(t->out, "  Its connection has the address %s, which "
			"is none of %s, and no provider takes that: it is "
			"dropped (chain guard). conntrack translates a "
			"connection when it begins, or never: \"mwan-rules "
			"apply\" ends those that nobody has answered.\n",
			addr_text(&way->as, text), way->oif);
	else if (way->verdict == WHY_LINK && way->as.family)
		fprintf(t->out, "  It leaves under the address %s%s.\n",
			addr_text(&way->as, text), t->why->seen.flow.known ?
			"" : ", unless your own rules translate it first");
}

/* The rules note what is TCP or UDP alone. */
static bool is_noted(const struct why *why)
{
	const uint8_t protocol = why->packet.tuple.protocol;

	return why->packet.has_ports && (protocol == IPPROTO_TCP ||
					 protocol == IPPROTO_UDP);
}

/* Which address of the link it gets, where that is known. */
static void tell_translated(const struct telling *t, const struct why_way *way)
{
	const int i = way->any_of ? -1 : conf_link_index(t->conf, way->oif);
	char text[ADDR_TEXT];

	fputs(": it is translated", t->out);
	if (i >= 0 && t->present->link[i].ours6.family)
		fprintf(t->out, " to %s",
			addr_text(&t->present->link[i].ours6, text));
}

static void tell_source6(const struct telling *t, const struct why_way *way)
{
	const struct ct_flow *flow = &t->why->seen.flow;
	char text[ADDR_TEXT];

	switch (way->source) {
	case SOURCE_UNTOLD:
	case SOURCE_ANSWER:
		return;
	case SOURCE_OWN:
		fputs("  It keeps its address, which is of a prefix of ",
		      t->out);
		tell_links(t, way);
		break;
	case SOURCE_UNKNOWN:
		fputs("  It keeps its address: no prefix is known "
		      "(prefix6) of ", t->out);
		tell_links(t, way);
		break;
	case SOURCE_LEFT:
		fputs("  It keeps its address: translate6 = no", t->out);
		break;
	case SOURCE_TRANSLATED:
		fputs("  Its address is of no prefix of ", t->out);
		tell_links(t, way);
		tell_translated(t, way);
		break;
	case SOURCE_NAT:
		fprintf(t->out, "  It goes on as %s",
			addr_text(&flow->from, text));
		break;
	case SOURCE_ASTRAY:
		fprintf(t->out, "  %s is of no prefix of ",
			addr_text(&flow->from, text));
		tell_links(t, way);
		fprintf(t->out, ", and conntrack cannot translate this "
			"connection any more%s", flow->bare &&
			!flow->is_reply && is_noted(t->why) ?
			": its next packet begins it anew" : "");
		break;
	}
	fputs(".\n", t->out);
}

/* After all rules. */
static void tell_source(const struct telling *t, const struct why_way *way)
{
	if (t->why->family == FAMILY_IPV6)
		tell_source6(t, way);
	else
		tell_source4(t, way);
}

static void tell_way(const struct telling *t, const struct why_way *way)
{
	const struct conf *conf = t->conf;
	const uint32_t mark = way->walk.mark & conf->mark_mask;
	const struct why_hop *hop = way->hop;
	char text[RULE_TEXT];
	unsigned int i;

	if (t->why->n_ways > 1)
		fprintf(t->out, "  For %u of %u:\n", way->walk.share,
			way->walk.shares);
	if (mark)
		fprintf(t->out, "  Mark 0x%x of mask 0x%x: %s%s.\n", mark,
			conf->mark_mask, mark_name(conf, mark),
			is_held(t, mark) ? ", which is held: it is up and "
			"leads nowhere, so its rule is not there" : "");
	else
		fputs("  It has no mark.\n", t->out);
	for (i = 0; i < way->n_hops; i++, hop++) {
		tell_rule(t, hop->rule);
		tell_route(t, way, hop);
		fputs(".\n", t->out);
	}
	if (!why_last_route(way))
		tell_other(t, &way->fib);
	if (way->verdict == WHY_REJECTED)
		fputs("  By if_down = unreachable it may leave by no other "
		      "link: it is refused.\n", t->out);
	if (!way->as_planned && way->fib.code && t->why->refusal.family)
		fprintf(t->out, "  But main, which is asked first, refuses "
			"what it has no route for (%s): see \"mwan-rules "
			"status\".\n", route_text(&t->why->refusal, "", text));
	else if (!way->as_planned && way->fib.code)
		fputs("  The kernel refuses it all the same.\n", t->out);
	else if (way->spared && way->taker.table != TABLE_MAIN &&
		 way->taker.table != TABLE_DEFAULT)
		fprintf(t->out, "  Rule %u, which is not ours (%s), would take "
			"it, but it comes after ours: see \"mwan-rules "
			"status\".\n", way->taker.priority,
			rule_what(&way->taker, text, sizeof(text)));
	else if (way->taken)
		fprintf(t->out, "  Rule %u, which is not ours (%s), takes it "
			"first.\n", way->taker.priority,
			rule_what(&way->taker, text, sizeof(text)));
	else if (!way->as_planned)
		fprintf(t->out, "  The kernel decides otherwise, by table %u: "
			"see \"ip rule\".\n", way->fib.table);
	tell_source(t, way);
	if (!way->fib.code || !t->why->seen.no_forward)
		return;
	if (t->why->family == FAMILY_IPV6)
		fputs("  net/ipv6/conf/all/forwarding is 0: the router forwards "
		      "no IPv6.\n", t->out);
	else if (t->present->ip_forward)
		fprintf(t->out, "  net/ipv4/conf/%s/forwarding is 0: nothing "
			"that comes in there is forwarded.\n",
			t->why->seen.iif);
	else
		fputs("  net.ipv4.ip_forward is 0: the router forwards "
		      "nothing.\n", t->out);
}

static void tell(const struct telling *t)
{
	unsigned int i;

	tell_verdict(t);
	if (!t->why->n_ways)
		return;
	tell_seen(t);
	tell_walk(t, &t->why->way[0].walk);
	for (i = 0; i < t->why->n_ways; i++)
		tell_way(t, &t->why->way[i]);
}

int why_print(const struct why *why, const struct conf *conf,
	      const struct present *present, FILE *out)
{
	struct telling t = { why, conf, present, NULL };
	char *text, *line, *rest;
	size_t size, step;

	t.out = open_memstream(&text, &size);
	if (!t.out)
		return -errno;
	tell(&t);
	if (fclose(t.out))
		return -errno;
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		step = strspn(line, " ");
		fprintf(out, "%*s", (int)step, "");
		print_wrapped(line + step, step, INDENT, out);
	}
	free(text);
	return 0;
}
