// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "conf/state.h"
#include "core/own.h"
#include "core/present.h"
#include "kernel/iface.h"
#include "kernel/pppd.h"
#include "kernel/sysctl.h"

enum {
	READ_TRIES = 8,
	NETWORK6 = 64,	/* what one interface has of IPv6 */
	/* Any commit to nftables disturbs the reading of our table. */
	NFT_TRIES = 32,
	ANSWERS_MAX = 16,
};

/* An observation in progress. */
struct reading {
	struct present *p;
	const struct conf *conf;
	unsigned int n_foreign;
	unsigned int n_families;	/* of which routes are read */
	/* Which link an interface is, by the order of the interfaces. */
	unsigned int n_ifs;
	struct {
		uint32_t ifindex;
		unsigned int link;
	} known[LINKS_MAX];
};

/* "Not found" is an answer as well. */
static int forgive(const struct nl_refusal *no, void *data)
{
	(void)no;
	(void)data;
	return 0;
}

/* The links, and those of before. */
static unsigned int n_read(const struct conf *conf)
{
	return conf->n_links + conf->n_past;
}

/* Which link an interface is, or -1. */
static int known(const struct reading *r, uint32_t ifindex)
{
	unsigned int i;

	for (i = 0; i < r->n_ifs; i++)
		if (r->known[i].ifindex == ifindex)
			return (int)r->known[i].link;
	return -1;
}

static struct link *link_of(const struct reading *r, uint32_t ifindex)
{
	int i = known(r, ifindex);

	return i < 0 ? NULL : &r->p->link[i];
}

static int on_link(const struct nlmsghdr *nlh, void *data)
{
	struct reading *r = data;
	struct link *pl;
	struct iface l;
	unsigned int i = 0;
	int code = iface_reply(nlh, &l);

	if (code)
		return code;
	while (i < n_read(r->conf) && strcmp(r->conf->link[i].name, l.name))
		i++;
	if (i == n_read(r->conf) || r->n_ifs == LINKS_MAX)
		return 0;
	pl = &r->p->link[i];
	pl->ifindex = l.ifindex;
	pl->up = l.up;
	pl->carrier = l.carrier;
	pl->shared = l.shared;
	pl->ppp = l.ppp;
	pl->mtu = l.mtu;
	r->known[r->n_ifs].ifindex = l.ifindex;
	r->known[r->n_ifs++].link = i;
	return 0;
}

static void add_extra(struct present *p, const struct link *pl,
		      const struct addr *a)
{
	if (p->n_extras == PRESENT_EXTRAS_MAX) {
		p->extras_left = true;
		return;
	}
	p->extra[p->n_extras].link = (unsigned int)(pl - p->link);
	p->extra[p->n_extras++].addr = *a;
}

/* The network that an address makes; none of a single host. */
static struct prefix net_of(const struct iface_addr *a)
{
	if (a->len == 8 * addr_len(&a->local))
		return (struct prefix){ 0 };
	return prefix_of(&a->local, a->len);
}

/* Which interfaces beside the links have which IPv4 networks. */
static void add_net(struct present *p, const struct iface_addr *a)
{
	struct prefix net = net_of(a);

	if (net.addr.family == AF_INET && p->n_nets < PRESENT_NETS_MAX)
		p->net[p->n_nets++] = (struct onlink){ .ifindex = a->ifindex,
						       .to = net };
}

static void add_local(struct present *p, struct link *pl,
		      const struct iface_addr *a)
{
	struct link_family *af = &pl->af[addr_family(&a->local)];
	bool first = !af->local.family;

	/* An address that somebody added beside pppd's has no peer. */
	if (!first && (!addr_equal(&af->local, &af->peer) ||
		       addr_equal(&a->local, &a->peer))) {
		add_extra(p, pl, &a->local);
		return;
	}
	if (!first)
		add_extra(p, pl, &af->local);
	af->local = a->local;
	af->peer = a->peer;
	af->net = net_of(a);
}

/* Learn from an IPv6 address of a link. Those of pppd have a peer. */
static void add_addr6(struct link *pl, const struct iface_addr *a)
{
	struct link_family *af = &pl->af[FAMILY_IPV6];
	struct prefix p;

	if (addr_is_link_local6(&a->local)) {
		af->narrow = true;
		if (!af->local.family || !addr_equal(&a->local, &a->peer)) {
			af->local = a->local;
			af->peer = a->peer;
		}
		return;
	}
	if (own_is_ours(&a->local, a->len)) {
		/* A run was killed before it deleted the one. */
		if (pl->ours6.family)
			pl->stale6 = pl->ours6;
		pl->ours6 = a->local;
		return;
	}
	if (!addr_is_global6(&a->local) || a->unusable)
		return;
	if (!a->deprecated)
		pl->others6 = a->local;
	pl->has_own6 = pl->has_own6 || !a->deprecated;
	p = prefix_of(&a->local, a->len < NETWORK6 ? NETWORK6 : a->len);
	own_add(&pl->seen6, &p);
}

static void add_left(struct present *p, const struct iface_addr *a)
{
	struct present_left *left = &p->left[p->n_left];

	if (p->n_left == PRESENT_LEFT_MAX) {
		p->more = true;
		return;
	}
	/* It may be gone by now. */
	if (!if_indextoname(a->ifindex, left->dev))
		return;
	left->ifindex = a->ifindex;
	left->addr = a->local;
	p->n_left++;
}

/* The same of an interface that is no link. */
static void add_lan(struct present *p, const struct iface_addr *a)
{
	unsigned int i;
	struct onlink o = { .ifindex = a->ifindex,
			    .to = prefix_of(&a->local, a->len) };

	if (own_is_ours(&a->local, a->len))
		add_left(p, a);
	if (!addr_is_global6(&a->local) || a->len == 8 * addr_len(&a->local))
		return;
	for (i = 0; i < p->n_lans; i++)
		if (prefix_equal(&p->lan[i].to, &o.to))
			return;
	if (p->n_lans < PRESENT_LANS_MAX)
		p->lan[p->n_lans++] = o;
}

static int on_addr(const struct iface_addr *a, void *data)
{
	struct reading *r = data;
	struct present *p = r->p;
	int i = known(r, a->ifindex);

	if (a->local.family == AF_INET6) {
		if (i >= 0)
			add_addr6(&p->link[i], a);
		else
			add_lan(p, a);
	} else if (i >= 0 && a->on_link)
		p->link[i].af[addr_family(&a->local)].narrow = true;
	else if (i >= 0)
		add_local(p, &p->link[i], a);
	else
		add_net(p, a);
	p->ipv6 = p->ipv6 || a->local.family == AF_INET6;
	if (p->n_addrs < PRESENT_ADDRS_MAX)
		p->addr[p->n_addrs++] = a->local;
	else
		p->addrs_complete = false;
	return 0;
}

/* --- gateways --- */

/* A source that comes after a better one gives nothing. */
static void note_gateway(struct link *is, enum gateway_from from,
			 const struct addr *a)
{
	struct link_family *af = &is->af[addr_family(a)];

	if (!a->family || af->from <= from)
		return;
	af->gateway = *a;
	af->from = from;
	if (addr_equal(a, &af->local)) {
		af->gateway.family = 0;
		af->from = GATEWAY_SELF;
	}
}

/* May others say what it is? */
static bool is_learned(const struct reading *r, unsigned int link,
		       enum family f)
{
	const struct conf_link *want = &r->conf->link[link];
	const struct link *is = &r->p->link[link];

	return is->af[f].from > GATEWAY_OF_CONF &&
	       (want->gateway.how == GATEWAY_AUTO ||
		(want->gateway.how != GATEWAY_NONE && is->shared));
}

/* Is that of a link in use still to be found, of a better source than @from? */
static bool gateway_lacks(const struct reading *r, enum family f,
			  enum gateway_from from)
{
	unsigned int i;

	for (i = 0; i < r->conf->n_links; i++)
		if (r->p->link[i].af[f].local.family &&
		    r->p->link[i].af[f].from > from && is_learned(r, i, f))
			return true;
	return false;
}

/* The prefixes that mwan.ini names. */
static void begin_gateways(struct reading *r)
{
	const struct gateway_conf *want;
	struct link_family *af;
	unsigned int i, f;

	for (i = 0; i < r->conf->n_links; i++) {
		want = &r->conf->link[i].gateway;
		for (f = 0; f < FAMILIES; f++) {
			af = &r->p->link[i].af[f];
			af->gateway.family = 0;
			af->from = GATEWAY_UNKNOWN;
			af->needs_gateway = r->p->link[i].shared &&
					    want->how != GATEWAY_NONE;
			note_gateway(&r->p->link[i], GATEWAY_OF_CONF,
				     &want->addr[f]);
		}
	}
}

/* A default of somebody else's by a link's device: his gateway, from there. */
static void note_default(const struct reading *r, const struct route *route,
			 unsigned int link, enum gateway_from from)
{
	enum family f = route->family == AF_INET6 ? FAMILY_IPV6 : FAMILY_IPV4;

	if (route->protocol != PROTO_MWAN && route->type == RTN_UNICAST &&
	    !route->opaque && !route->tos && !route->dst_len &&
	    route->gateway.family == route->family && is_learned(r, link, f))
		note_gateway(&r->p->link[link], from, &route->gateway);
}

static void note_own_table(const struct reading *r, const struct route *route)
{
	int i = known(r, route->ifindex);

	if (i >= 0 && (unsigned int)i < r->conf->n_links &&
	    r->conf->link[i].table == route->table)
		note_default(r, route, (unsigned int)i, GATEWAY_OF_TABLE);
}

static int on_main_default(const struct route *route, void *data)
{
	const struct reading *r = data;
	int i = known(r, route->ifindex);

	if (i >= 0 && (unsigned int)i < r->conf->n_links)
		note_default(r, route, (unsigned int)i, GATEWAY_OF_MAIN);
	return 0;
}

/* A route by the device alone needs a neighbour entry for every destination; by
 * way of the peer there is one in all.
 */
static void note_peers6(const struct reading *r)
{
	struct link_family *af;
	unsigned int i;

	for (i = 0; i < r->conf->n_links; i++) {
		af = &r->p->link[i].af[FAMILY_IPV6];
		if (!af->gateway.family && af->local.family &&
		    af->from == GATEWAY_UNKNOWN &&
		    !addr_equal(&af->local, &af->peer))
			af->gateway = af->peer;
	}
}

/* lo has the same number in every namespace. */
static bool is_lan(const struct conf *conf, uint32_t ifindex)
{
	enum { LO = 1 };
	unsigned int i;

	for (i = 0; i < conf->n_lan; i++)
		if (if_nametoindex(conf->lan[i]) == ifindex)
			return true;
	return !conf->n_lan && ifindex != LO;
}

/* If the LAN also has a link's network, or one around it, main sends packets
 * for hosts of the LAN to the link. A part of it wins, as the narrower route.
 */
static void refuse_lan(const struct reading *r)
{
	const struct onlink *net;
	struct link_family *af;
	struct link *is;
	unsigned int i;

	for (is = r->p->link; is < r->p->link + r->conf->n_links; is++) {
		af = &is->af[FAMILY_IPV4];
		if (!af->needs_gateway || !af->net.addr.family)
			continue;
		for (i = 0; i < r->p->n_nets; i++) {
			net = &r->p->net[i];
			if (!prefix_covers(&net->to, &af->net) ||
			    !is_lan(r->conf, net->ifindex))
				continue;
			af->gateway.family = 0;
			af->from = GATEWAY_LAN;
			is->lan = net->ifindex;
			break;
		}
	}
}

static void note_said(const struct reading *r, const struct gateways *g)
{
	unsigned int i, f;

	for (i = 0; i < r->conf->n_links; i++)
		for (f = 0; f < FAMILIES; f++)
			if (is_learned(r, i, f))
				note_gateway(&r->p->link[i], GATEWAY_OF_HOOK,
					     &g->said[i][f]);
}

/* If the links' own tables say nothing, ask the kernel and the DHCP client.
 * Nothing of it is read for point-to-point links.
 */
static int find_gateways(struct reading *r, const struct present_source *from,
			 struct err *err)
{
	static struct gateways said;
	unsigned int f;
	int code = 0;

	for (f = 0; f < conf_families(r->conf) && !code; f++)
		if (gateway_lacks(r, f, GATEWAY_OF_MAIN))
			code = route_dump_defaults(from->rtnl, family_af(f),
						   TABLE_MAIN, on_main_default,
						   r, err);
	if (code || (!gateway_lacks(r, FAMILY_IPV4, GATEWAY_OF_HOOK) &&
		     !gateway_lacks(r, FAMILY_IPV6, GATEWAY_OF_HOOK)))
		return code;
	if (from->said) {
		note_said(r, from->said);
		return 0;
	}
	code = gateways_read(r->conf, &said, err);
	note_said(r, &said);
	return code;
}

static int on_route(const struct route *route, void *data)
{
	struct reading *r = data;
	struct present *p = r->p;

	note_own_table(r, route);
	/* Ours are for packets from anywhere. */
	if (route->from.len)
		return 0;
	if (route->protocol != PROTO_MWAN && known(r, route->ifindex) < 0 &&
	    r->n_foreign++ >= PRESENT_FOREIGN_MAX)
		return 0;
	if (p->n_routes < PRESENT_ROUTES_MAX)
		p->route[p->n_routes++] = *route;
	else
		p->more = true;
	return 0;
}

uint32_t present_detour(const struct conf *conf, unsigned int number)
{
	uint32_t distance = (number + 1) * conf_nexthop_span(conf);

	return conf->nexthop_base > UINT32_MAX / 2 ?
	       conf->nexthop_base - distance : conf->nexthop_base + distance;
}

static void note_taken(const struct reading *r, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < PRESENT_DETOURS; i++)
		if (id - present_detour(r->conf, i) <
		    conf_nexthop_span(r->conf))
			r->p->detour_taken[i] = true;
}

/* Ours wherever they are, and whatever has an id that we may want. */
static int on_nexthop(const struct nexthop *nh, void *data)
{
	struct reading *r = data;
	struct present *p = r->p;
	struct nexthop *to = &p->nexthop[p->n_nexthops];
	unsigned int n;

	if (nh->protocol != PROTO_MWAN &&
	    nh->id - r->conf->nexthop_base >= conf_nexthop_span(r->conf)) {
		note_taken(r, nh->id);
		return 0;
	}
	/* Of somebody else's, only the owner matters. */
	n = nh->protocol == PROTO_MWAN ? nh->n_members : 0;
	if (p->n_nexthops == PRESENT_NEXTHOPS_MAX ||
	    n > PRESENT_MEMBERS_MAX - p->n_members) {
		p->more = true;
		return 0;
	}
	*to = *nh;
	to->n_members = n;
	to->member = &p->member[p->n_members];
	if (n)
		memcpy(&p->member[p->n_members], nh->member,
		       n * sizeof(nh->member[0]));
	p->n_members += n;
	p->n_nexthops++;
	return 0;
}

static int on_rule(const struct rule *rule, void *data)
{
	struct present *p = ((struct reading *)data)->p;
	struct rule *to = &p->rule[p->n_rules];

	/* No request can be made that means this one. */
	if (rule->foreign && !rule->raw)
		return 0;
	if (p->n_rules == PRESENT_RULES_MAX ||
	    (rule->raw && p->n_raw == PRESENT_RAW_MAX)) {
		p->more = true;
		return 0;
	}
	*to = *rule;
	if (rule->raw) {
		p->raw[p->n_raw] = *rule->raw;
		to->raw = &p->raw[p->n_raw++];
	}
	p->n_rules++;
	return 0;
}

static int on_qdisc(const struct nlmsghdr *nlh, void *data)
{
	struct link *pl = link_of(data, qdisc_reply_ifindex(nlh));

	return pl ? qdisc_reply(nlh, &pl->qdisc) : 0;
}

/* Questions that get an answer each are sent a few at a time: the answers have
 * to fit the socket's buffer.
 */
struct asking {
	struct reading *r;
	struct nl *nl;
	nl_reply_cb reply;
	struct nl_batch b;
	char buf[8192] __attribute__((aligned(8)));
};

static int ask(struct asking *a, struct err *err)
{
	int code = nl_send(a->nl, &a->b, NULL, forgive, a->reply, a->r, err);

	nl_batch_init(&a->b, a->nl, a->buf, sizeof(a->buf));
	return err_prefix(err, code, "cannot read the links and their queues");
}

static int read_links(struct reading *r, struct nl *nl, struct err *err)
{
	struct asking a = { .r = r, .nl = nl, .reply = on_link };
	unsigned int i;
	int code = 0;

	nl_batch_init(&a.b, nl, a.buf, sizeof(a.buf));
	for (i = 0; i < n_read(r->conf) && !code; i++) {
		code = iface_put_get(&a.b, nl, r->conf->link[i].name);
		if (!code && a.b.count >= ANSWERS_MAX)
			code = ask(&a, err);
	}
	return code ? code : ask(&a, err);
}

static bool queue_matters(const struct reading *r,
			  const struct present_source *from, unsigned int i)
{
	if (i >= r->conf->n_links)
		return r->p->link[i].ifindex;
	return link_usable(&r->p->link[i], FAMILY_IPV4) &&
	       (from->every_queue ||
		qdisc_conf_for(&r->conf->link[i].qdisc,
			       r->p->link[i].shared)->kind != QDISC_NONE);
}

static int read_qdiscs(struct reading *r, const struct present_source *from,
		       struct err *err)
{
	struct asking a = { .r = r, .nl = from->rtnl, .reply = on_qdisc };
	unsigned int i;
	int code = 0;

	nl_batch_init(&a.b, a.nl, a.buf, sizeof(a.buf));
	for (i = 0; i < n_read(r->conf) && !code; i++) {
		if (!queue_matters(r, from, i))
			continue;
		code = qdisc_put_get(&a.b, a.nl, r->p->link[i].ifindex);
		if (!code && a.b.count >= ANSWERS_MAX)
			code = ask(&a, err);
	}
	return code ? code : ask(&a, err);
}

/* With one or two links there is no choice when one fails. */
static void read_hash(struct reading *r)
{
	bool matters = r->conf->sysctl && r->conf->n_links > 2;
	unsigned int f;

	for (f = 0; f < FAMILIES; f++) {
		if (f >= r->n_families)
			matters = false;
		r->p->hash_policy[f] = matters ?
			sysctl_read(sysctl_hash_policy[f]) : -1;
		r->p->hash_fields[f] = matters ?
			sysctl_read(sysctl_hash_fields[f]) : -1;
	}
}

static int on_sysctl(const struct sysctl *s, void *data)
{
	struct reading *r = data;
	struct link *pl;

	if (!s->ifindex) {
		r->p->rp_filter_all = s->rp_filter;
		r->p->ip_forward = s->forwarding;
		return 0;
	}
	pl = link_of(r, s->ifindex);
	if (pl) {
		pl->rp_filter = s->rp_filter;
		pl->af[FAMILY_IPV4].skips_linkdown = s->linkdown == 1;
	}
	return 0;
}

/* Others may change objects of the kind all the time: each part is read again
 * by itself, as what is short can be read between two changes. @once forgets
 * what an earlier try has read.
 */
static int again(int (*once)(struct reading *r, struct nl *nl,
			     struct err *err),
		 struct reading *r, struct nl *nl, struct err *err)
{
	int code = -EINTR, i;

	for (i = 0; i < READ_TRIES && code == -EINTR; i++)
		code = once(r, nl, err);
	return code;
}

static void forget_addrs(struct link *pl)
{
	memset(pl->af, 0, sizeof(pl->af));
	pl->own6.n = pl->seen6.n = pl->past6.n = 0;
	pl->known6 = pl->has_own6 = false;
	pl->ours6.family = pl->stale6.family = pl->others6.family = 0;
}

/* One family, or all (AF_UNSPEC). */
static uint8_t address_families(const struct reading *r)
{
	return conf_families(r->conf) > 1 ? AF_UNSPEC : AF_INET;
}

static int read_addrs_once(struct reading *r, struct nl *nl, struct err *err)
{
	struct present *p = r->p;
	unsigned int i;

	p->n_addrs = p->n_extras = 0;
	p->addrs_complete = true;
	p->extras_left = false;
	p->ipv6 = false;
	p->n_lans = p->n_nets = p->n_left = 0;
	for (i = 0; i < n_read(r->conf); i++)
		forget_addrs(&p->link[i]);
	return iface_addr_dump(nl, address_families(r), 0, on_addr, r, err);
}

/* A reading that was disturbed to the last may lack an interface: ask for those
 * of ours that it lacks. Their own changes are heard of.
 */
static int read_addrs(struct reading *r, struct nl *nl, struct err *err)
{
	const struct link *pl = r->p->link;
	int code = again(read_addrs_once, r, nl, err);
	unsigned int i, f;

	if (code != -EINTR)
		return code;
	r->p->addrs_complete = false;
	for (i = 0; i < r->conf->n_links; i++) {
		for (f = 0; f < conf_families(r->conf); f++) {
			if (!pl[i].ifindex || pl[i].af[f].local.family)
				continue;
			code = iface_addr_dump(nl, family_af(f), pl[i].ifindex,
					       on_addr, r, err);
			if (code && code != -EINTR)
				return code;
		}
	}
	return 0;
}

static int read_nexthops_once(struct reading *r, struct nl *nl,
			      struct err *err)
{
	r->p->n_nexthops = r->p->n_members = 0;
	memset(r->p->detour_taken, 0, sizeof(r->p->detour_taken));
	return nexthop_dump(nl, on_nexthop, r, err);
}

/* Somebody else's object, or his changes, must not keep us from our own. */
static int read_nexthops(struct reading *r, struct nl *nl, struct err *err)
{
	uint32_t base = r->conf->nexthop_base, id;
	int code = again(read_nexthops_once, r, nl, err);
	struct err why;

	if (!code || code == -EOPNOTSUPP)
		return code;
	r->p->n_nexthops = r->p->n_members = 0;
	/* As far as is known. */
	memset(r->p->detour_taken, true, sizeof(r->p->detour_taken));
	for (id = base; id - base < conf_nexthop_span(r->conf); id++)
		if (nexthop_get(nl, id, on_nexthop, r, &why))
			return code;
	return 0;
}

static int read_rules(struct reading *r, struct nl *nl, struct err *err)
{
	r->p->n_rules = r->p->n_raw = 0;
	return rule_dump(nl, AF_UNSPEC, PROTO_MWAN, on_rule, r, err);
}

/* "default from P dev LINK": netifd writes such for what was delegated.
 * Otherwise the router that advertised itself.
 */
static int on_delegated(const struct route *route, void *data)
{
	const struct reading *r = data;
	struct link *pl = link_of(r, route->ifindex);

	if (!pl)
		return 0;
	if (addr_is_global6(&route->from.addr))
		own_add(&pl->seen6, &route->from);
	return on_main_default(route, data);
}

/* Which prefixes are whose. A file that cannot be read counts as missing. */
static void read_prefixes(struct reading *r, const struct present_source *from)
{
	struct err err;
	unsigned int i;

	if (conf_families(r->conf) == 1)
		return;
	for (i = 0; i < r->conf->n_links; i++)
		if (r->p->link[i].af[FAMILY_IPV6].local.family)
			(void)route_dump_device(from->rtnl, AF_INET6,
						TABLE_MAIN,
						r->p->link[i].ifindex,
						on_delegated, r, &err);
	own_decide(r->p, r->conf, from->prefix6);
}

static int on_onlink(const struct onlink *o, void *data)
{
	struct present *p = ((struct reading *)data)->p;

	if (p->n_onlinks < PRESENT_LANS_MAX)
		p->onlink[p->n_onlinks++] = *o;
	return 0;
}

/* Is there anything of ours in IPv6, or may we want it? */
static bool ipv6_matters(const struct reading *r)
{
	const struct present *p = r->p;
	unsigned int i;

	if (p->ipv6 && own_any(p, r->conf))
		return true;
	for (i = 0; i < p->n_rules; i++)
		if (p->rule[i].family == AF_INET6)
			return true;
	for (i = 0; i < p->n_nexthops; i++)
		if (p->nexthop[i].family == AF_INET6 &&
		    p->nexthop[i].protocol == PROTO_MWAN)
			return true;
	return false;
}

static int read_sysctls(struct reading *r, struct nl *nl, struct err *err)
{
	return sysctl_dump(nl, on_sysctl, r, err);
}

/* Is another link's network the same, or a part of it? */
static bool shares_segment(const struct reading *r, unsigned int i)
{
	const struct link *l = r->p->link;
	const struct prefix *net = &l[i].af[FAMILY_IPV4].net;
	unsigned int k;

	for (k = 0; k < r->conf->n_links && l[i].shared; k++)
		if (k != i && l[k].shared &&
		    prefix_overlaps(&l[k].af[FAMILY_IPV4].net, net))
			return true;
	return false;
}

/* The dump of IPv4's sysctls has not those of IPv6. */
static void read_linkdown6(struct reading *r)
{
	char path[SYSCTL_PATH_MAX];
	struct link *is;
	unsigned int i;

	for (i = 0; i < r->conf->n_links; i++) {
		is = &r->p->link[i];
		if (!is->shared || !is->af[FAMILY_IPV6].local.family)
			continue;
		sysctl_linkdown_path(r->conf->link[i].name, FAMILY_IPV6, path);
		is->af[FAMILY_IPV6].skips_linkdown = sysctl_read(path) == 1;
	}
}

/* Links whose networks overlap may be on one segment. */
static void read_arp(struct reading *r)
{
	char path[SYSCTL_PATH_MAX];
	struct link *is;
	unsigned int i;

	for (i = 0; i < r->conf->n_links; i++) {
		is = &r->p->link[i];
		is->arp_ignore = is->arp_announce = -1;
		if (!r->conf->sysctl || !shares_segment(r, i))
			continue;
		sysctl_arp_path(r->conf->link[i].name, ARP_IGNORE, path);
		is->arp_ignore = sysctl_read(path);
		sysctl_arp_path(r->conf->link[i].name, ARP_ANNOUNCE, path);
		is->arp_announce = sysctl_read(path);
	}
}

/* Is it a table that is read in any case? */
static bool table_known(const struct reading *r, uint32_t table)
{
	unsigned int i;

	if (table == TABLE_DEFAULT || table == r->conf->standby_table)
		return true;
	for (i = 0; i < r->conf->n_links; i++)
		if (r->conf->link[i].table == table)
			return true;
	return false;
}

/* Or one that an earlier rule of the list leads to? */
static bool table_seen(const struct reading *r, unsigned int rule)
{
	uint32_t table = r->p->rule[rule].table;
	unsigned int i;

	if (table == TABLE_MAIN || table_known(r, table))
		return true;
	for (i = 0; i < rule; i++)
		if (r->p->rule[i].table == table)
			return true;
	return false;
}

/* Keeps the first failure in @code: one table's is not the others'. */
static void read_table(struct reading *r, struct nl *nl, uint32_t table,
		       int *code, struct err *err)
{
	struct err why;
	unsigned int f;
	int failed;

	for (f = 0; f < r->n_families; f++) {
		failed = route_dump_defaults(nl, family_af(f), table, on_route,
					     r, &why);
		if (failed && !*code)
			*code = err_set(err, failed, "%s", why.msg);
	}
}

static int on_any_route(const struct route *route, void *data)
{
	return table_known(data, route->table) ? 0 : on_route(route, data);
}

/* The defaults of every table that the configuration names, of the table
 * default, and of those that our rules lead to: an earlier configuration may
 * have named others. When somebody has deleted those rules, only a look into
 * every table helps; with a million routes that takes a hook too long.
 */
static int read_routes(struct reading *r, const struct present_source *from,
		       struct err *err)
{
	struct nl *nl = from->rtnl;
	unsigned int i, f;
	int code = 0;

	r->n_families = ipv6_matters(r) ? FAMILIES : FAMILY_IPV4 + 1;
	read_table(r, nl, r->conf->standby_table, &code, err);
	read_table(r, nl, TABLE_DEFAULT, &code, err);
	for (i = 0; i < r->conf->n_links; i++)
		read_table(r, nl, r->conf->link[i].table, &code, err);
	for (f = 0; f < r->n_families && from->every_table && !code; f++)
		code = route_dump_protocol(nl, family_af(f), PROTO_MWAN,
					   on_any_route, r, err);
	if (from->every_table)
		return code;
	for (i = 0; i < r->p->n_rules; i++)
		if (!table_seen(r, i))
			read_table(r, nl, r->p->rule[i].table, &code, err);
	return code;
}

/* A name alone proves nothing: a server's pppd takes any that is free. Not
 * knowing is no reason to give up a line.
 */
static void read_sessions(struct reading *r)
{
	const struct conf_link *want;
	char ifname[IFNAMSIZ];
	unsigned int i;
	int code;

	for (i = 0; i < r->conf->n_links; i++) {
		want = &r->conf->link[i];
		r->p->link[i].other = false;
		if (!*want->linkname || !r->p->link[i].ifindex)
			continue;
		code = pppd_interface(want->linkname, ifname);
		r->p->link[i].other = code ? code == -ENOENT :
					     strcmp(ifname, want->name) != 0;
	}
}

static int read_onlinks(struct reading *r, struct nl *nl, struct err *err)
{
	r->p->n_onlinks = 0;
	return r->n_families == 1 ? 0 :
	       onlink_dump(nl, r->conf->onlink_table, on_onlink, r, err);
}

static void note_unread(struct present *p, int code, const struct err *err)
{
	if (code && !p->unread_code) {
		p->unread_code = code;
		p->unread = *err;
	}
}

static void read_nft(struct present *p, const struct conf *conf,
		     const struct present_source *from)
{
	int code = from->nfnl ? -EINTR : 0, i;

	p->nft.present = p->nft.masquerades = p->nft.guards = false;
	for (i = 0; i < NFT_TRIES && code == -EINTR; i++) {
		code = nft_read(from->nfnl, &p->nft, from->ruleset,
				from->known, &p->nft_err);
		if (code == -EINTR && from->ruleset &&
		    nft_intact(&p->nft, from->ruleset))
			code = 0;
	}
	/* Others commit all the time, and ours never looked as it should: it is
	 * made again.
	 */
	if (code == -EINTR && from->ruleset) {
		p->nft.odd = true;
		code = 0;
	}
	if (p->nft.known)
		p->nft.masquerades = conf->masquerade;
	p->nft_code = code;
}

int present_read(struct present *p, const struct conf *conf,
		 const struct present_source *from, struct err *err)
{
	struct reading r = { .p = p, .conf = conf };
	struct nl *nl = from->rtnl;
	struct err why;
	int code;

	memset(p->link, 0, n_read(conf) * sizeof(p->link[0]));
	p->n_links = conf->n_links;
	p->n_routes = 0;
	p->more = false;
	p->unread_code = 0;
	code = read_links(&r, nl, err);
	read_sessions(&r);
	if (!code)
		code = read_addrs(&r, nl, err);
	if (!code)
		code = read_nexthops(&r, nl, err);
	if (code)
		return code;
	begin_gateways(&r);
	read_prefixes(&r, from);
	code = read_rules(&r, nl, &why);
	p->rules_unread = code;
	note_unread(p, code, &why);
	note_unread(p, read_routes(&r, from, &why), &why);
	note_unread(p, find_gateways(&r, from, &why), &why);
	refuse_lan(&r);
	note_peers6(&r);
	note_unread(p, read_onlinks(&r, nl, &why), &why);
	code = read_qdiscs(&r, from, &why);
	p->queues_unread = code;
	note_unread(p, code, &why);
	/* The next run sets what a disturbed reading missed. */
	code = again(read_sysctls, &r, nl, &why);
	note_unread(p, code == -EINTR ? 0 : code, &why);
	read_linkdown6(&r);
	read_arp(&r);
	read_hash(&r);
	read_nft(p, conf, from);
	return 0;
}

int present_link_of(const struct present *p, const struct conf *conf,
		    uint32_t ifindex)
{
	unsigned int i;

	for (i = 0; ifindex && i < conf->n_links; i++)
		if (p->link[i].ifindex == ifindex)
			return (int)i;
	return -1;
}

const struct nexthop *present_nexthop(const struct present *p, uint32_t id)
{
	unsigned int i;

	for (i = 0; id && i < p->n_nexthops; i++)
		if (p->nexthop[i].id == id)
			return &p->nexthop[i];
	return NULL;
}

bool present_has_mark(const struct present *p, enum family f, uint32_t table)
{
	const struct rule *r;
	unsigned int i;

	for (i = 0; i < p->n_rules; i++) {
		r = &p->rule[i];
		if (r->family == family_af(f) && r->mask && !r->invert &&
		    !r->foreign && (!table || r->table == table))
			return true;
	}
	return false;
}

bool present_has_addr(const struct present *p, const struct addr *a)
{
	unsigned int i;

	for (i = 0; i < p->n_addrs; i++)
		if (addr_equal(&p->addr[i], a))
			return true;
	return !p->addrs_complete;
}
