// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "core/own.h"
#include "core/way.h"
#include "tell/status.h"

#define APPLY "run \"mwan-rules apply\""

static void say(struct status *s, const char *kind, const char *link,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void say(struct status *s, const char *kind, const char *link,
		const char *fmt, ...)
{
	struct status_problem *p = &s->problem[s->n_problems];
	va_list ap;

	if (s->n_problems == STATUS_PROBLEMS_MAX) {
		s->more++;
		return;
	}
	s->n_problems++;
	p->kind = kind;
	snprintf(p->link, sizeof(p->link), "%s", link);
	va_start(ap, fmt);
	vsnprintf(p->text.msg, sizeof(p->text.msg), fmt, ap);
	va_end(ap);
}

/* --- where packets go --- */

static int link_of_ifindex(const struct status *s, uint32_t ifindex)
{
	unsigned int i;

	for (i = 0; ifindex && i < s->n_links; i++)
		if (s->link[i].is->ifindex == ifindex)
			return (int)i;
	return -1;
}

static void name_other(const struct status *s, struct status_link *l,
		       const struct route *r)
{
	const struct facts *f = s->facts;
	unsigned int i;

	for (i = 0; i < f->n_defaults; i++)
		if (f->default_[i].route.table == r->table &&
		    f->default_[i].route.ifindex == r->ifindex)
			strcpy(l->by_other, f->default_[i].dev);
}

/* Use the links that exist, then main, as the rules do. */
static void find_way(const struct status *s, const struct session *now,
		     unsigned int link, struct status_link *l)
{
	const struct facts *f = s->facts;
	const struct route *r = NULL;
	struct way w;
	unsigned int i;

	if (!way_of_link(&w, &now->conf, &now->present, FAMILY_IPV4, link)) {
		for (i = 0; i < f->n_defaults && !r; i++)
			if (f->default_[i].route.table == TABLE_MAIN)
				r = &f->default_[i].route;
		if (!r)
			return;
		way_of_route(&w, &now->conf, &now->present, r);
	}
	l->n_by = w.n;
	memcpy(l->by, w.by, w.n * sizeof(w.by[0]));
	if (w.other)
		name_other(s, l, w.other);
}

/* --- links --- */

static bool any_pppd(const struct status *s)
{
	unsigned int i;

	for (i = 0; i < s->n_links; i++)
		if (link_is_pppd(s->link[i].want, s->link[i].is))
			return true;
	return false;
}

static void tell_down(struct status *s, const struct status_link *l)
{
	const char *name = l->want->name;
	bool pppd = link_is_pppd(l->want, l->is);
	char where[IFNAMSIZ + 80];

	snprintf(where, sizeof(where), pppd ? "pppd's messages about it in the "
		 "system log" : "\"ip addr show dev %s\"", name);
	say(s, "link-down", name, "%s is down, %s: see %s.%s", name,
	    !l->is->ifindex ? "there is no such interface (a link is called "
	    "like its interface: see \"ip -br link\")" :
	    !l->is->up ? "the interface is not up" :
	    !l->is->carrier ? "the interface has no carrier" :
	    "the interface has no IPv4 address", !pppd && l->is->ifindex &&
	    l->is->up && l->is->carrier ? "the messages of its DHCP client in "
	    "the system log" : where, link_usable(l->is, FAMILY_IPV6) ?
	    " IPv6 goes on by it." : "");
}

static void last_answer(const struct status *s, enum family f, unsigned int i,
			char text[ADDR_TEXT + 80])
{
	const struct watched *w = &s->facts->watched[f][i];
	char addr[ADDR_TEXT];

	strcpy(text, "never");
	if (w->answer)
		snprintf(text, ADDR_TEXT + 80, "%llu s ago from %s",
			 (unsigned long long)s->facts->answer_ms[f][i] / 1000,
			 addr_text(&w->target, addr));
}

static void check_held(struct status *s, enum family f, unsigned int i)
{
	const struct status_link *l = &s->link[i];
	char answer[ADDR_TEXT + 80];

	last_answer(s, f, i, answer);
	say(s, "held", l->want->name, "%s is up and leads nowhere%s, says "
	    "mwan-rules watch, so %s; its last answer came %s: ask the "
	    "provider, or see whether its targets answer (\"ping -I %s "
	    "TARGET\").", l->want->name, f == FAMILY_IPV6 ? " in IPv6" : "",
	    l->is->af[f].held ? "others carry its traffic" :
	    "it is used only because no other link is up", answer,
	    l->want->name);
}

static void check_verdict(struct status *s, unsigned int i)
{
	const struct status_link *l = &s->link[i];
	const struct watched *w = &s->facts->watched[FAMILY_IPV4][i];
	const struct watched *w6 = &s->facts->watched[FAMILY_IPV6][i];

	if (l->is->held[FAMILY_IPV6] && link_usable(l->is, FAMILY_IPV6))
		check_held(s, FAMILY_IPV6, i);
	if (!l->usable)
		return;
	if (l->is->held[FAMILY_IPV4]) {
		check_held(s, FAMILY_IPV4, i);
		return;
	}
	if (!l->is->poor)
		return;
	if (w6->verdict == WATCHED_POOR)
		w = w6;
	say(s, "poor", l->want->name, "New connections avoid %s, which "
	    "loses %u.%u %% and needs %u.%u ms for a round trip%s: that is "
	    "beyond loss or latency in mwan.ini.", l->want->name,
	    w->loss / 10000, w->loss / 1000 % 10,
	    (unsigned int)(w->rtt / 1000), (unsigned int)(w->rtt / 100 % 10),
	    w == w6 ? " of IPv6" : "");
}

static void check_links(struct status *s)
{
	const struct status_link *l;
	struct err why;
	unsigned int i;

	if (s->code == STATUS_NO_LINK)
		say(s, "no-link", "", "No link is up: see %s in the system "
		    "log.", any_pppd(s) ? "pppd's own messages" :
		    "the messages of the links' clients");
	for (i = 0; i < s->n_links; i++) {
		l = &s->link[i];
		check_verdict(s, i);
		if (l->usable ||
		    (l->is->drained && s->code != STATUS_NO_LINK))
			continue;
		if (l->is->ifindex && l->is->other) {
			say(s, "other-session", l->want->name, "%s is there, "
			    "but pppd says that it is not the session of "
			    "linkname %s, so it is not used: dial that one, "
			    "with \"linkname %s\" in its peers file, and let "
			    "no other session take the name.", l->want->name,
			    l->want->linkname, l->want->linkname);
			continue;
		}
		if (l->is->up && l->is->carrier &&
		    l->is->af[FAMILY_IPV4].narrow) {
			say(s, "link-down", l->want->name, "%s is down, its "
			    "IPv4 address is of scope link, which is not for "
			    "packets to the Internet: give it an address of "
			    "scope global, see \"ip -4 addr show dev %s\".",
			    l->want->name, l->want->name);
			continue;
		}
		if (link_lacks_gateway(l->want, l->is, FAMILY_IPV4, &why)) {
			if (l->is->af[FAMILY_IPV4].from == GATEWAY_LAN)
				say(s, "overlap", l->want->name, "%s.",
				    why.msg);
			else
				say(s, "no-gateway", l->want->name, "%s.",
				    why.msg);
			continue;
		}
		tell_down(s, l);
	}
}

/* Packets to such a network take whichever route main has first. */
static void check_overlaps(struct status *s)
{
	const struct status_link *l;
	char net[PREFIX_TEXT];
	const char *other;
	unsigned int i;

	for (i = 0; i < s->n_links; i++) {
		l = &s->link[i];
		other = s->facts->overlap[i];
		if (!*other)
			continue;
		say(s, "overlap", l->want->name, "%s and %s are both in %s, and "
		    "what is for hosts beyond %s may leave by %s: give the "
		    "router on %s, or the LAN, other addresses.",
		    l->want->name, other,
		    prefix_text(&l->is->af[FAMILY_IPV4].net, net), other,
		    l->want->name, l->want->name);
	}
}

/* --- IPv6 --- */

/* pppd opens IPV6CP by itself, also where the provider has nothing behind it. */
static void check_prefix(struct status *s, const struct status_link *l)
{
	const char *name = l->want->name;

	if (!l->is->af[FAMILY_IPV6].local.family || l->is->known6)
		return;
	say(s, "no-prefix", name, "%s has IPv6 and no prefix of it is known, so "
	    "it is not used for IPv6: let its DHCPv6 client call \"mwan-rules "
	    "prefix\", or write prefix6 = PREFIX in mwan.ini; with "
	    "net.ipv6.conf.all.forwarding = 1 the kernel takes an address of it "
	    "only with net.ipv6.conf.%s.accept_ra = 2.%s", name, name,
	    link_is_pppd(l->want, l->is) ? " Where the provider has no IPv6, "
	    "tell pppd: noipv6." : "");
}

/* Its prefix is known, from the file or from before, and it has no address that a
 * session begins with.
 */
static void check_no_ipv6(struct status *s, const struct status_link *l,
			  bool off)
{
	const struct link *is = l->is;
	const char *name = l->want->name;
	bool pppd = link_is_pppd(l->want, is);

	if (is->af[FAMILY_IPV6].local.family || !is->own6.n || !is->ifindex ||
	    !is->up || !is->carrier || is->other || is->drained)
		return;
	if (off)
		say(s, "no-ipv6", name, "%s has no IPv6, as net/ipv6/conf/%s/"
		    "disable_ipv6 is 1: \"sysctl -w net/ipv6/conf/%s/"
		    "disable_ipv6=0\"%s.", name, name, name, pppd ? ", and dial "
		    "again, as pppd gives it its address only at the "
		    "beginning" : "");
	else
		say(s, "no-ipv6", name, "%s has no IPv6, as it has no "
		    "link-local address: %s%s%s.", name, pppd ? "IPV6CP is not "
		    "open, see pppd's messages about it in the system log, and "
		    "dial again" : "see \"ip -6 addr show dev ", pppd ? "" :
		    name, pppd ? "" : "\"");
}

static void check_gateway6(struct status *s, const struct status_link *l,
			   const struct facts_ipv6 *f)
{
	const char *name = l->want->name;
	char advice[120] = "its router does not advertise itself";
	struct err why;

	if (!link_lacks_gateway(l->want, l->is, FAMILY_IPV6, &why))
		return;
	if (f->deaf)
		snprintf(advice, sizeof(advice), "let the kernel take its "
			 "router's advertisements (\"sysctl -w net/ipv6/conf/%s/"
			 "accept_ra=2\")", name);
	say(s, "no-gateway", name, "%s is not used for IPv6, as nobody says who "
	    "its gateway is: %s, or write \"gateway = ADDRESS\" below [link "
	    "%s] in mwan.ini.", name, advice, name);
}

static void check_accept_ra(struct status *s, const struct status_link *l,
			    const struct facts_ipv6 *f)
{
	const char *name = l->want->name;

	if (f->advertised && f->deaf)
		say(s, "accept-ra", name, "%s will lose its IPv6 address, which "
		    "is of a router's advertisement, as with net/ipv6/conf/%s/"
		    "accept_ra = %d and forwarding = %d the kernel takes no "
		    "more of them: \"sysctl -w net/ipv6/conf/%s/accept_ra=2\".",
		    name, name, f->accept_ra, f->forwarding, name);
}

/* Nothing keeps strangers from the LAN when it is on: it is never ours. */
static void check_ipv6(struct status *s, const struct session *now)
{
	unsigned int i;

	if (!now->conf.ipv6 || !own_any(&now->present, &now->conf))
		return;
	for (i = 0; i < s->n_links; i++) {
		check_prefix(s, &s->link[i]);
		check_no_ipv6(s, &s->link[i], s->facts->ipv6[i].off);
		check_gateway6(s, &s->link[i], &s->facts->ipv6[i]);
		check_accept_ra(s, &s->link[i], &s->facts->ipv6[i]);
	}
	if (s->facts->forwarding6 == 0 && now->in_force)
		say(s, "ip-forward", "", "net/ipv6/conf/all/forwarding is 0, and "
		    "nothing of IPv6 is forwarded: see first that your firewall "
		    "keeps what comes in by the links from the LAN, as nothing "
		    "else does in IPv6, and then \"sysctl -w "
		    "net/ipv6/conf/all/forwarding=1\".");
}

/* The address alone does not tell whose packet it is. */
static void check_addresses(struct status *s, const struct session *now)
{
	const struct status_link *a, *b;
	const struct addr *local;
	char addr[ADDR_TEXT];
	unsigned int i, k;

	for (i = 0; i < s->n_links; i++) {
		b = &s->link[i];
		local = &b->is->af[FAMILY_IPV4].local;
		for (k = 0; k < i; k++) {
			a = &s->link[k];
			if (!a->usable || !b->usable ||
			    !addr_equal(&a->is->af[FAMILY_IPV4].local, local))
				continue;
			say(s, "same-address", b->want->name, "%s has the "
			    "address of %s, %s: what the router binds to it "
			    "leaves by %s; for %s bind it to the interface or "
			    "give it the mark 0x%x.", b->want->name,
			    a->want->name, addr_text(local, addr),
			    a->want->name, b->want->name, b->want->mark);
			break;
		}
	}
	if (now->present.extras_left)
		say(s, "addresses", "", "The links have more addresses than "
		    "%d beside their first: what the router binds to the rest "
		    "leaves by any link; bind it to the interface instead.",
		    PRESENT_EXTRAS_MAX);
}

/* Say it before all others: they may be its consequences. */
static void check_edited(struct status *s, const struct session *now)
{
	if (now->edited)
		say(s, "configuration", "", "%s was changed since it was put "
		    "in force, and what follows comes of that: " APPLY ".",
		    now->source);
}

static void check_run(struct status *s, const struct session *now)
{
	if (now->unknown_conf)
		say(s, "privilege", "", "Only root can read the configuration, "
		    "and what is shown here comes of %s: run mwan-rules "
		    "status as root.", now->in_force ? "what is in force" :
		    "the tables' names");
	else if (now->bad_conf.msg[0])
		say(s, "configuration", "", "%s: fix it, and " APPLY ".",
		    now->bad_conf.msg);
	if (now->bad_drained.msg[0])
		say(s, "configuration", "", "%s.", now->bad_drained.msg);
	if (now->bad_held.msg[0])
		say(s, "configuration", "", "%s.", now->bad_held.msg);
	if (now->bad_prefix6.msg[0])
		say(s, "configuration", "", "%s.", now->bad_prefix6.msg);
	if (s->facts->bad_rundir.msg[0])
		say(s, "configuration", "", "%s.", s->facts->bad_rundir.msg);
	if (s->facts->bad_log.msg[0])
		say(s, "log", "", "%s.", s->facts->bad_log.msg);
	if (!now->in_force && s->facts->conf_exists)
		say(s, "not-in-force", "", "Rules and nftables are not in "
		    "force, though there is " CONF_PATH ": " APPLY ".");
	if (now->present.nft_code == -EPERM)
		say(s, "privilege", "", "Only root can see the nftables table "
		    "and count connections: run mwan-rules status as root.");
	else if (now->present.nft_code)
		say(s, "nftables", "", "%s.", now->present.nft_err.msg);
}

static void check_lan(struct status *s, const struct session *now)
{
	const struct conf *c = &now->conf;
	char names[300] = "";
	unsigned int i, n = 0;

	for (i = 0; i < c->n_lan; i++) {
		if (!s->facts->lan_missing[i])
			continue;
		str_add(names, sizeof(names), ", ", c->lan[i]);
		n++;
	}
	if (n)
		say(s, "lan", "", "lan names %s, and there %s, so what comes "
		    "in by another one is not shared: fix lan in %s, and "
		    APPLY ".", names, n > 1 ? "are no such interfaces" :
		    "is no such interface",
		    now->source[0] ? now->source : CONF_PATH);
}

/* --- what the next run would do --- */

static void tell_nexthop(struct status *s, const struct op *op)
{
	if (op->dev[0])
		say(s, "nexthop", op->dev, "The nexthop of %s (id %u) is "
		    "missing or leads elsewhere: " APPLY ".", op->dev,
		    op->nexthop.id);
	else
		say(s, "standby", "", "The group of the standby (nexthop %u) "
		    "is missing or has other members than the links that are "
		    "up, and what a failed link carries would go wrong: " APPLY
		    ".", op->nexthop.id);
}

/* Does something else than the link itself carry packets with its mark? */
static bool goes_elsewhere(const struct status *s, const char *name)
{
	const struct status_link *l;
	unsigned int i, k;

	for (i = 0; i < s->n_links; i++) {
		l = &s->link[i];
		if (strcmp(l->want->name, name))
			continue;
		for (k = 0; k < l->n_by; k++)
			if (l->by[k] != i)
				return true;
		return l->by_other[0];
	}
	return false;
}

static void tell_missing_route(struct status *s, const struct op *op)
{
	const struct route *r = &op->route;

	if (r->table == TABLE_DEFAULT)
		say(s, "route", "", "The table default lacks our default of "
		    "metric %u, and what looks nowhere but into main and "
		    "default, as Tailscale's own packets do, has no way out: "
		    APPLY ".", r->metric);
	else if (op->dev[0])
		say(s, "route", op->dev, "Table %u lacks the default of %s%s: "
		    APPLY ".", r->table, op->dev,
		    goes_elsewhere(s, op->dev) ?
		    ", whose traffic goes by other links" : "");
	else
		say(s, "standby", "", "The standby (table %u) lacks its "
		    "default of metric %u, and what a failed link carries "
		    "would go wrong: " APPLY ".", r->table, r->metric);
}

static void tell_sysctl(struct status *s, const struct op *op)
{
	/* These two have a sentence of their own, also where the
	 * configuration wants no sysctl to be set.
	 */
	if (!strncmp(op->sysctl.path, "net/ipv4/conf/", 14) ||
	    !strcmp(op->sysctl.path, SYSCTL_IP_FORWARD))
		return;
	say(s, "sysctl", "", "/proc/sys/%s is not %d: " APPLY ".",
	    op->sysctl.path, op->sysctl.value);
}

static void tell(struct status *s, const struct session *now,
		 const struct op *op)
{
	char addr[ADDR_TEXT], text[RULE_TEXT], prefix[PREFIX_TEXT];

	s->commands = true;
	switch (op->kind) {
	case OP_SYSCTL:
		tell_sysctl(s, op);
		return;
	case OP_NEXTHOP_SET:
		tell_nexthop(s, op);
		return;
	case OP_NEXTHOP_DEL:
		say(s, "nexthop", "", "Nexthop %u is ours and not wanted any "
		    "more: " APPLY ".", op->nexthop.id);
		return;
	case OP_ROUTE_ADD:
		tell_missing_route(s, op);
		return;
	case OP_ROUTE_DEL:
		say(s, "route", op->dev, "Table %u has a default%s%s that "
		    "does not belong there: " APPLY ".", op->route.table,
		    op->dev[0] ? " by " : "", op->dev);
		return;
	case OP_RULE_ADD:
		/* It remembers for a while what is told by another sentence. */
		if (op->rule.priority >= PRIORITY_STRAY)
			return;
		say(s, "rule", "", "The rule \"%s\" is missing: " APPLY ".",
		    rule_text(&op->rule, text));
		return;
	case OP_RULE_DEL:
		if (op->rule.priority >= PRIORITY_STRAY)
			return;
		say(s, "rule", "", "The rule \"%s\" is ours and not wanted: "
		    APPLY ".", rule_text(&op->rule, text));
		return;
	case OP_ADDR_ADD:
		say(s, "address", op->dev, "%s lacks the address %s, and what "
		    "is translated there would leave as another line's: "
		    APPLY ".", op->dev, addr_text(&op->own.addr, addr));
		return;
	case OP_ADDR_DEL:
		say(s, "address", op->dev, "%s has the address %s, which is "
		    "ours and not wanted any more: " APPLY ".", op->dev,
		    addr_text(&op->own.addr, addr));
		return;
	case OP_ONLINK_SET:
	case OP_ONLINK_DEL:
		say(s, "route", "", "Table %u does not have the LAN's routes "
		    "as they are: " APPLY ".", op->onlink.table);
		return;
	case OP_QDISC_SET:
	case OP_QDISC_DEL:
		say(s, "queue", op->dev, "The queue of %s is not the one that "
		    "the configuration asks for: " APPLY ", and if this "
		    "kernel lacks that queue, set qdisc = none in mwan.ini.",
		    op->dev);
		return;
	case OP_NFT_LOAD:
	case OP_NFT_DELETE:
		say(s, "nftables", "", "The nftables table \"inet mwan\" %s: "
		    APPLY "%s.", !now->present.nft.present ? "is missing" :
		    now->edited ? "is of the configuration before" :
		    "was changed", now->edited ? "" :
		    ", and again whenever something flushes nftables");
		return;
	case OP_NFT_FILL:
		say(s, "nftables", "", "The sets of the nftables table \"inet "
		    "mwan\" do not say what the links have now: " APPLY ".");
		return;
	case OP_CT_FORGET:
		say(s, "conntrack", "", "There may still be connections of "
		    "the address %s, which is %s: " APPLY ".",
		    addr_text(&op->addr, addr),
		    present_has_addr(&now->present, &op->addr) ?
		    "of a link that is held" : "gone");
		return;
	case OP_CT_PREFIX:
		if (!op->lost.prefix.len)
			say(s, "conntrack", op->dev, "There may still be IPv6 "
			    "connections of %s, which cannot be used for it: "
			    APPLY ".", op->dev);
		else
			say(s, "conntrack", "", "There may still be "
			    "connections of the prefix %s, which %s has no "
			    "more: " APPLY ".",
			    prefix_text(&op->lost.prefix, prefix), op->dev);
		return;
	case OP_CT_STRAY:
		if (now->present.nft.masquerades)
			say(s, "conntrack", "", "There may still be "
			    "connections that left untranslated while the "
			    "nftables table was missing: " APPLY ".");
		return;
	case OP_CT_END:
		say(s, "conntrack", op->dev, "Connections of %s are still to "
		    "be ended (failback = move): " APPLY ".", op->dev);
		return;
	}
}

static void check_plan(struct status *s, struct session *now)
{
	struct plan_event event = {
		.goal = now->in_force ? PLAN_ALL : PLAN_LINKS,
	};
	struct err err;
	unsigned int i;

	if (plan_make(&now->plan, &now->conf, &now->present, &now->ruleset,
		      &event, &err))
		say(s, "nexthop", "", "%s.", err.msg);
	for (i = 0; i < now->plan.n_ops; i++)
		tell(s, now, &now->plan.op[i]);
}

/* The kernel has refused one rule of the table, see nft_load(). */
static void check_guard(struct status *s, const struct session *now)
{
	const struct nft_seen *is = &now->present.nft;

	s->guards = is->present && is->guards;
	s->stopped = s->guards ? is->stopped : 0;
	if (is->present && is->masquerades && !is->guards && now->in_force &&
	    now->conf.masquerade && nft_intact(is, &now->ruleset))
		say(s, "nftables", "", "This kernel lacks nft_fib_inet, so "
		    "nothing keeps packets that are not masqueraded from "
		    "leaving under a private address: install that module, "
		    "and then run \"mwan-rules apply\".");
}

/* --- sysctls --- */

static void check_rp_filter(struct status *s, const struct session *now,
			    const struct status_link *l)
{
	int own = l->is->rp_filter;
	const char *name = l->want->name;
	char advice[80] = APPLY;

	if (!l->usable || !sysctl_rp_strict(now->present.rp_filter_all, own))
		return;
	if (!now->conf.sysctl)
		snprintf(advice, sizeof(advice),
			 "\"sysctl -w net/ipv4/conf/%s/rp_filter=2\"", name);
	say(s, "rp-filter", name, "net/ipv4/conf/%s/rp_filter is 1, strict, "
	    "and answers that come in by %s are dropped: %s.",
	    own == RP_STRICT ? name : "all", name, advice);
}

static void check_linkdown(struct status *s, const struct session *now,
			   const struct status_link *l)
{
	char path[SYSCTL_PATH_MAX];

	if (!l->usable || !l->is->shared ||
	    l->is->af[FAMILY_IPV4].skips_linkdown)
		return;
	sysctl_linkdown_path(l->want->name, FAMILY_IPV4, path);
	say(s, "linkdown", l->want->name, "%s is 0, and if %s loses its "
	    "carrier, its packets go on to nowhere: %s%s%s.", path,
	    l->want->name, now->conf.sysctl ? APPLY : "\"sysctl -w ",
	    now->conf.sysctl ? "" : path, now->conf.sysctl ? "" : "=1\"");
}

static void check_sysctls(struct status *s, const struct session *now)
{
	unsigned int i;

	if (now->present.ip_forward == 0)
		say(s, "ip-forward", "", "net/ipv4/ip_forward is 0, and "
		    "nothing is forwarded: %s.", now->conf.sysctl ? APPLY :
		    "\"sysctl -w net/ipv4/ip_forward=1\"");
	for (i = 0; i < s->n_links; i++) {
		check_rp_filter(s, now, &s->link[i]);
		check_linkdown(s, now, &s->link[i]);
	}
}

/* --- what others have done --- */

/* Is it before all of ours in its table? Through a link it is no matter, but in
 * the standby: the plan replaces it.
 */
static bool is_first(const struct status *s, const struct session *now,
		     const struct route *r)
{
	const struct route *first = way_default(&now->present, FAMILY_IPV4,
						r->table);

	return first && first->protocol == r->protocol &&
	       first->metric == r->metric && first->ifindex == r->ifindex &&
	       (r->table == now->conf.standby_table ||
		link_of_ifindex(s, r->ifindex) < 0);
}

/* Does it take a link's traffic in the place of the standby, from behind ours
 * in the link's table? Through a link it is no matter: the plan replaces it.
 */
static bool takes_over(const struct status *s, const struct route *r)
{
	return r->type != RTN_THROW && !r->tos &&
	       link_of_ifindex(s, r->ifindex) < 0;
}

/* Does the router's own traffic, which takes main's default, fail over with this
 * one? It does where the client that made it takes it away with the lease, and
 * the kernel passes over it without carrier; not while the link is put aside.
 */
static bool fails_over(const struct status *s, const struct route *r)
{
	int i = link_of_ifindex(s, r->ifindex);
	const struct status_link *l = &s->link[i < 0 ? 0 : i];

	return i >= 0 && r->table == TABLE_MAIN && l->is->shared &&
	       l->is->af[FAMILY_IPV4].skips_linkdown &&
	       link_rank(l->want, l->is, FAMILY_IPV4) <= TIER_MAX;
}

/* How to tell such a client not to make it. */
static const char *default_advice(const struct status *s,
				  const struct route *r)
{
	int i = link_of_ifindex(s, r->ifindex);

	if (i >= 0 && !link_is_pppd(s->link[i].want, s->link[i].is))
		return "its DHCP client not to (networkd: RouteTable=, dhcpcd: "
		       "nogateway, NetworkManager: ipv4.never-default)";
	return "whatever made it not to (pppd: nodefaultroute)";
}

/* Not where it is wanted, nor where it is the only way that is left. */
static void check_main_default(struct status *s, const struct session *now,
			       const struct route *r, const char *table,
			       const char *text)
{
	const struct conf *c = &now->conf;

	if (s->code == STATUS_NO_LINK || fails_over(s, r) ||
	    (c->last_resort_given && c->last_resort == LAST_RESORT_MAIN))
		return;
	say(s, "foreign-default", "", "The table %s has a default, which "
	    "the router's own traffic takes before ours, and which does not "
	    "fail over: \"ip route del %s\", and tell %s, or, if it is to be "
	    "the last resort, write \"last_resort = main\" in mwan.ini.",
	    table, text, default_advice(s, r));
}

/* main's one that refuses: alone it stops all that is marked, which the first of
 * our rules sends there, and unmarked packets as well.
 */
static void check_refusal(struct status *s, const struct facts_default *d,
			  const char *text)
{
	const struct facts *f = s->facts;
	unsigned int i;

	for (i = 0; f->default_[i].route.table != TABLE_MAIN ||
		    f->default_[i].route.tos; i++)
		if (&f->default_[i] == d)
			break;
	say(s, "refused", "", "The table main refuses what it has no route for "
	    "(%s), %s: \"ip route del %s\", and if nothing may leave by "
	    "another way when no link is up, write \"last_resort = "
	    "unreachable\" in mwan.ini in its place.", text,
	    &f->default_[i] == d ? "and with that all that goes by a link" :
	    "and when its other default goes, all that goes by a link", text);
}

/* Half of all addresses, and the other half elsewhere: OpenVPN's way. */
static void check_half(struct status *s)
{
	const struct facts_default *d = &s->facts->half;
	char text[ROUTE_TEXT];

	if (!d->route.family)
		return;
	route_text(&d->route, d->dev, text);
	if (route_refuses(&d->route))
		say(s, "refused", "", "The table main refuses half of all "
		    "addresses (%s), and its routes win over marks: \"ip route "
		    "del %s\", and so with 128.0.0.0/1.", text, text);
	else
		say(s, "foreign-default", "", "The table main has a route for "
		    "half of all addresses (%s), and its routes win over "
		    "marks: what goes there is not shared among the links; if "
		    "it should be, \"ip route del %s\", and so with "
		    "128.0.0.0/1 (OpenVPN: pull-filter ignore "
		    "redirect-gateway).", text, text);
}

static void check_default(struct status *s, const struct session *now,
			  const struct facts_default *d)
{
	const char *link = "";
	char text[ROUTE_TEXT];
	unsigned int i;

	route_text(&d->route, d->dev, text);
	if (d->route.table == TABLE_MAIN && d->route.type == RTN_THROW)
		return;
	if (d->route.table == TABLE_MAIN && route_refuses(&d->route)) {
		check_refusal(s, d, text);
		return;
	}
	if (d->route.table == TABLE_MAIN) {
		check_main_default(s, now, &d->route, "main", text);
		return;
	}
	if (d->route.table == TABLE_DEFAULT) {
		check_main_default(s, now, &d->route, "default",
				   text);
		return;
	}
	for (i = 0; i < s->n_links; i++)
		if (s->link[i].want->table == d->route.table)
			link = s->link[i].want->name;
	if (is_first(s, now, &d->route)) {
		if (*link || d->route.table == now->conf.standby_table)
			say(s, "foreign-default", link, "Table %u, %s%s, has "
			    "a default of somebody else's before ours: \"ip "
			    "route del %s\".", d->route.table,
			    *link ? "of " : "the standby", link, text);
	} else if (*link && takes_over(s, &d->route)) {
		say(s, "foreign-default", link, "Table %u, of %s, has a "
		    "default of somebody else's after ours, which will take "
		    "its traffic when %s fails: \"ip route del %s\".",
		    d->route.table, link, link, text);
	}
}

/* The links whose packets the rule takes, and not to their own table. */
static unsigned int rule_takes(const struct status *s, const struct rule *r,
			       char *names, size_t size)
{
	const struct conf_link *l;
	unsigned int i, n = 0;

	*names = '\0';
	for (i = 0; i < s->n_links; i++) {
		l = s->link[i].want;
		if (!facts_rule_takes(r, l))
			continue;
		if (++n <= 3)
			str_add(names, size, ", ", l->name);
	}
	if (n > 3)
		snprintf(names + strlen(names), size - strlen(names),
			 " and %u more", n - 3);
	return n;
}

static void check_rule(struct status *s, const struct session *now,
		       const struct rule *r)
{
	char names[100], text[RULE_TEXT];

	if (!rule_takes(s, r, names, sizeof(names)))
		return;
	say(s, "foreign-rule", "", "A rule of somebody else's, of priority "
	    "%u, leads what is marked for %s %s before ours do: \"ip rule del "
	    "%s\", or give it a priority above %u.", r->priority, names,
	    r->action == FR_ACT_TO_TBL ? "elsewhere" : "nowhere",
	    rule_text(r, text), now->conf.rule_priority + RULE_STANDBY);
}

/* Is it for a mark that is a link's here? */
static bool collides(const struct rule *r, uint32_t mask)
{
	return !r->invert && (r->mark & r->mask & mask);
}

/* Bits that neither the rule nor we have; 0xff as long as there are links. */
static uint32_t other_mask(const struct rule *r, uint32_t mask)
{
	uint32_t bits = 0xff000000;

	while (bits > 0xff && (bits & (mask | r->mark)))
		bits >>= 8;
	return bits;
}

static bool any_use_main(const struct conf *c)
{
	unsigned int i;

	for (i = 0; i < c->n_policies; i++)
		if (c->policy[i].use == USE_MAIN)
			return true;
	return false;
}

/* How the rule could come before ours, but for one that would then take
 * everything.
 */
static void late_advice(const struct conf *c, const struct rule *r, bool all,
			char *text, size_t size)
{
	uint32_t next = r->priority / 1000 * 1000 + 1000;
	char what[RULE_TEXT], del[RULE_TEXT];

	*text = '\0';
	if (all)
		return;
	if (next + RULE_STANDBY < PRIORITY_MAIN)
		snprintf(text, size, "set rule_priority = %u in mwan.ini, or ",
			 next);
	else if (!r->opaque)
		snprintf(text, size, "\"ip rule del %s; ip rule add pref %u "
			 "%s\", or ", rule_text(r, del), c->rule_priority - 1,
			 rule_what(r, what, sizeof(what)));
}

/* A rule of somebody else's after ours. A policy with use = main is a user's
 * decision what goes there.
 */
static void check_late(struct status *s, const struct session *now,
		       unsigned int i)
{
	const struct rule *r = &s->facts->late[i];
	const struct conf *c = &now->conf;
	char names[100], what[RULE_TEXT], advice[2 * RULE_TEXT + 60];

	if (!now->in_force || !rule_takes(s, r, names, sizeof(names)))
		return;
	rule_what(r, what, sizeof(what));
	if (collides(r, c->mark_mask)) {
		say(s, "mark-collision", "", "The rule %u of somebody else's "
		    "(%s) is for a mark that is %s's here, and ours take its "
		    "packets first: set mark_mask = 0x%x in mwan.ini, and give "
		    "that rule a mask without these bits and a priority below "
		    "%u.", r->priority, what, names,
		    other_mask(r, c->mark_mask), c->rule_priority);
		return;
	}
	if (any_use_main(c))
		return;
	late_advice(c, r, !r->partial && s->facts->late_default[i], advice,
		    sizeof(advice));
	say(s, "late-rule", "", "The rule %u of somebody else's (%s) comes "
	    "after ours, and what the LAN sends by %s never gets to it: "
	    "%swrite a policy with use = main for what is to; or give the rule "
	    "\"iif lo\" if it is for the router alone.", r->priority, what,
	    names, advice);
}

static void check_networkd(struct status *s)
{
	const struct facts *f = s->facts;

	if (f->networkd_routes || f->networkd_rules)
		say(s, "networkd", "", "systemd-networkd will delete our %s "
		    "when it starts again: put%s%s below [Network] into "
		    "/etc/systemd/networkd.conf, and restart it.",
		    !f->networkd_rules ? "routes" :
		    !f->networkd_routes ? "rules" : "routes and rules",
		    f->networkd_routes ? " ManageForeignRoutes=no" : "",
		    f->networkd_rules ?
		    " ManageForeignRoutingPolicyRules=no" : "");
}

/* --- hooks --- */

enum { INSTALL_TEXT = HOOKFILE_PATH + 100 };

/* The command that makes the hook, with @option of ln(1). */
static const char *install_text(const struct hookfile *h, const char *option,
				char text[INSTALL_TEXT])
{
	if (h->program[0])
		snprintf(text, INSTALL_TEXT, "\"ln %s %s %s\"", option,
			 h->program, h->path);
	else
		snprintf(text, INSTALL_TEXT, "make it a link to our hook, "
			 "which is in /usr/libexec/mwan or "
			 "/usr/local/libexec/mwan");
	return text;
}

static void check_hook(struct status *s, const char *what,
		       const struct hookfile *h)
{
	const char *path = h->path;
	char install[INSTALL_TEXT];

	switch (h->state) {
	case HOOKFILE_FINE:
	case HOOKFILE_UNKNOWN:
		return;
	case HOOKFILE_NONE:
		say(s, "hook", "", "%s is missing, and pppd does not tell us "
		    "when a link goes %s: %s.", path, what,
		    install_text(h, "-s", install));
		return;
	case HOOKFILE_NO_EXEC:
		say(s, "hook", "", "%s is not executable, and pppd does not "
		    "tell us when a link goes %s: \"chmod +x %s\".", path,
		    what, path);
		return;
	case HOOKFILE_DANGLING:
		say(s, "hook", "", "%s leads nowhere, and pppd does not tell "
		    "us when a link goes %s: %s.", path, what,
		    install_text(h, "-sf", install));
		return;
	case HOOKFILE_FOREIGN:
		say(s, "hook", "", "%s is not our hook, and pppd does not tell "
		    "us when a link goes %s: rename it to %s.before-mwan, and "
		    "%s.", path, what, path, install_text(h, "-s", install));
		return;
	case HOOKFILE_SHADOWED:
		say(s, "hook", "", "/etc/ppp/ip-%s runs %s in the place of "
		    "the scripts in ip-%s.d, and so not our hook %s: \"mv %s "
		    "%s.before-mwan\".", what, path, what, h->other, path,
		    path);
		return;
	case HOOKFILE_SHADOWS:
		say(s, "hook", "", "/etc/ppp/ip-%s runs our hook %s in the "
		    "place of the scripts in ip-%s.d, and so not %s: \"mv %s "
		    "/etc/ppp/ip-%s.d/0000mwan\".", what, path, what,
		    h->other, path, what);
		return;
	case HOOKFILE_ODD_NAME:
		say(s, "hook", "", "run-parts passes over %s for its name, "
		    "and pppd does not tell us when a link goes %s: \"mv %s "
		    "/etc/ppp/ip-%s.d/0000mwan\".", path, what, path, what);
		return;
	case HOOKFILE_NOT_RUN:
		say(s, "hook", "", "/etc/ppp/ip-%s does not run what is in "
		    "ip-%s.d, and so not our hook %s: \"mv %s "
		    "/etc/ppp/ip-%s.local\".", what, what, path, path, what);
		return;
	case HOOKFILE_NO_SCRIPT:
		say(s, "hook", "", "%s is missing, and pppd runs no hook when "
		    "a link goes %s: install pppd's own %s anew.", path, what,
		    path);
		return;
	case HOOKFILE_SCRIPT_NO_EXEC:
		say(s, "hook", "", "%s is not executable, and pppd runs no "
		    "hook when a link goes %s: \"chmod +x %s\".", path, what,
		    path);
		return;
	}
}

/* --- all of it --- */

void status_fail(struct status *s, int code, const struct err *err)
{
	s->code = code;
	say(s, "error", "", "%s", err->msg);
}

/* A file that is not executable was switched off; a name with a '~' is an
 * editor's.
 */
static bool looks_like_script(const char *name)
{
	const char *end = strrchr(name, '.');

	return end && (!strcmp(end, ".sh") || !strcmp(end, ".py") ||
		       !strcmp(end, ".pl"));
}

static void check_programs(struct status *s)
{
	const struct programs *p = &s->facts->programs;
	const char *name;
	unsigned int i;

	if (p->n && p->unsafe)
		say(s, "program", "", "Others than root can write to "
		    PROGRAMS_DIR ", so no program there is started: "
		    "\"chown root " PROGRAMS_DIR "; chmod 755 " PROGRAMS_DIR
		    "\".");
	for (i = 0; i < p->n; i++) {
		name = p->program[i].name;
		if (p->program[i].fault == PROGRAM_NAMED_ODDLY &&
		    looks_like_script(name))
			say(s, "program", "", PROGRAMS_DIR "/%s is not "
			    "started, because its name has a dot: \"mv "
			    PROGRAMS_DIR "/%s " PROGRAMS_DIR "/%.*s\".", name,
			    name, (int)strcspn(name, "."), name);
		if (p->program[i].fault == PROGRAM_NOT_ROOTS)
			say(s, "program", "", PROGRAMS_DIR "/%s is not "
			    "started, because others than root can write to "
			    "it: \"chown root " PROGRAMS_DIR "/%s; chmod 755 "
			    PROGRAMS_DIR "/%s\".", name, name, name);
	}
}

void status_make(struct status *s, struct session *now,
		 const struct facts *facts)
{
	struct status_link *l;
	unsigned int i;

	s->facts = facts;
	s->in_force = now->in_force;
	s->ipv6 = now->conf.ipv6 && own_any(&now->present, &now->conf);
	s->code = session_any_usable(now) ? STATUS_OK : STATUS_NO_LINK;
	s->n_links = now->conf.n_links;
	for (i = 0; i < s->n_links; i++) {
		l = &s->link[i];
		l->want = &now->conf.link[i];
		l->is = &now->present.link[i];
		l->usable = link_usable(l->is, FAMILY_IPV4);
	}
	for (i = 0; i < s->n_links; i++)
		find_way(s, now, i, &s->link[i]);
	check_edited(s, now);
	check_links(s);
	check_addresses(s, now);
	check_overlaps(s);
	check_ipv6(s, now);
	check_run(s, now);
	check_lan(s, now);
	check_plan(s, now);
	check_guard(s, now);
	check_sysctls(s, now);
	for (i = 0; i < facts->n_rules; i++)
		check_rule(s, now, &facts->rule[i]);
	for (i = 0; i < facts->n_late; i++)
		check_late(s, now, i);
	for (i = 0; i < facts->n_defaults; i++)
		check_default(s, now, &facts->default_[i]);
	check_half(s);
	check_networkd(s);
	if (any_pppd(s)) {
		check_hook(s, "up", &facts->up);
		check_hook(s, "down", &facts->down);
	}
	check_programs(s);
	if (s->code == STATUS_OK && s->n_problems)
		s->code = STATUS_DEGRADED;
}
