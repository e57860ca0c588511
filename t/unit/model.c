// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/own.h"
#include "model.h"

enum { SETTLE_MAX = 8 };

struct conf conf;
bool drained[LINKS_MAX], held[LINKS_MAX];
unsigned int conf_serial;
struct present present;
struct plan plan;
struct ruleset ruleset;

unsigned int dev_number(unsigned int link)
{
	return (unsigned int)atoi(conf.link[link].name + 3);
}

struct dev *dev_of_link(struct kernel *k, unsigned int link)
{
	return &k->dev[dev_number(link)];
}

void kernel_copy(struct kernel *to, const struct kernel *from)
{
	unsigned int i;

	memcpy(to, from, offsetof(struct kernel, route));
	memcpy(to->route, from->route,
	       from->n_routes * sizeof(from->route[0]));
	memcpy(to->rule, from->rule, from->n_rules * sizeof(from->rule[0]));
	memcpy((char *)to + offsetof(struct kernel, stuck),
	       (const char *)from + offsetof(struct kernel, stuck),
	       sizeof(*to) - offsetof(struct kernel, stuck));
	for (i = 0; i < from->n_nexthops; i++) {
		to->nexthop[i].nh = from->nexthop[i].nh;
		memcpy(to->nexthop[i].member, from->nexthop[i].member,
		       from->nexthop[i].nh.n_members *
		       sizeof(from->nexthop[i].member[0]));
	}
}

void conf_of_links(unsigned int n)
{
	unsigned int i;

	conf = (struct conf){ .rule_priority = 1000, .mark_mask = 0xff,
			      .standby_table = 200, .nexthop_base = 77000,
			      .masquerade = true, .n_links = n };
	memset(drained, 0, sizeof(drained));
	memset(held, 0, sizeof(held));
	for (i = 0; i < n; i++) {
		conf.link[i] = (struct conf_link){ .table = 201 + i,
						   .mark = i + 1,
						   .weight = 1, .tier = 1 };
		snprintf(conf.link[i].name, IFNAMSIZ, "ppp%u", i);
	}
}

void model_begin(struct kernel *k, unsigned int n_links)
{
	memset(k, 0, offsetof(struct kernel, route));
	k->n_stuck = k->nft = k->n_marks = 0;
	k->strays = k->masquerade = true;
	k->n_devs = n_links;
	memset(k->flows, 0, sizeof(k->flows));
	k->hash_fields = -1;
	conf_of_links(n_links);
	conf_serial++;
}

bool alive(const struct dev *d)
{
	return d->ifindex && d->up && d->carrier && d->local.family &&
	       (!d->shared || d->gateway.family);
}

bool alive6(const struct dev *d)
{
	return d->ifindex && d->up && d->carrier && d->local6.family &&
	       d->own6.n;
}

bool waits(const struct dev *d)
{
	return d->ifindex && d->up && !d->carrier && d->local.family &&
	       d->shared && d->gateway.family && d->skips_linkdown;
}

struct dev *dev_of(struct kernel *k, uint32_t ifindex)
{
	unsigned int i;

	for (i = 0; i < DEVS; i++)
		if (ifindex && k->dev[i].ifindex == ifindex)
			return &k->dev[i];
	return NULL;
}

bool addr_present(const struct kernel *k, const struct addr *a)
{
	unsigned int i;

	for (i = 0; i < DEVS; i++)
		if (k->dev[i].ifindex && a->family &&
		    addr_equal(&k->dev[i].local, a))
			return true;
	return false;
}

void route_drop(struct kernel *k, unsigned int i)
{
	k->n_routes--;
	memmove(&k->route[i], &k->route[i + 1],
		(k->n_routes - i) * sizeof(k->route[0]));
}

void rule_drop(struct kernel *k, unsigned int i)
{
	k->n_rules--;
	memmove(&k->rule[i], &k->rule[i + 1],
		(k->n_rules - i) * sizeof(k->rule[0]));
}

struct object *object_of(struct kernel *k, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < k->n_nexthops; i++)
		if (k->nexthop[i].nh.id == id)
			return &k->nexthop[i];
	return NULL;
}

/* remove_nexthop(): its routes go, it leaves its groups, and the last member
 * takes the group with it.
 */
void nexthop_drop(struct kernel *k, uint32_t id)
{
	struct object *o;
	unsigned int i, m;

	for (i = k->n_routes; i-- > 0;)
		if (k->route[i].nhid == id)
			route_drop(k, i);
	o = object_of(k, id);
	*o = k->nexthop[--k->n_nexthops];
	for (i = k->n_nexthops; i-- > 0;) {
		o = &k->nexthop[i];
		for (m = 0; m < o->nh.n_members && o->member[m].id != id; m++)
			;
		if (m == o->nh.n_members)
			continue;
		memmove(&o->member[m], &o->member[m + 1],
			(--o->nh.n_members - m) * sizeof(o->member[0]));
		/* The array is in another order then: begin anew. */
		if (!o->nh.n_members) {
			nexthop_drop(k, o->nh.id);
			i = k->n_nexthops;
		}
	}
}

void nexthops_drop(struct kernel *k, uint32_t ifindex)
{
	unsigned int i;

	for (i = 0; i < k->n_nexthops;) {
		if (k->nexthop[i].nh.ifindex != ifindex) {
			i++;
			continue;
		}
		nexthop_drop(k, k->nexthop[i].nh.id);
		i = 0;
	}
}

/* Does a rule lead from this address to @dev's table? */
static bool from_rule(const struct kernel *k, const struct addr *a,
		      unsigned int dev)
{
	char name[IFNAMSIZ];
	unsigned int i;
	int link;

	snprintf(name, sizeof(name), "ppp%u", dev);
	link = conf_link_index(&conf, name);
	for (i = 0; i < k->n_rules && link >= 0; i++)
		if (k->rule[i].protocol == PROTO_MWAN && a->family &&
		    k->rule[i].table == conf.link[link].table &&
		    addr_equal(&k->rule[i].from, a))
			return true;
	return false;
}

void stuck_drop(struct kernel *k, unsigned int i)
{
	k->stuck[i] = k->stuck[--k->n_stuck];
}

/* The address goes. Its connections stay where they are, if it had any. (Not
 * in the middle of a change of configuration: by its table its link is known.)
 */
void addr_drop(struct kernel *k, unsigned int dev)
{
	struct dev *d = &k->dev[dev];

	if (d->up && !k->changed && from_rule(k, &d->local, dev) &&
	    k->n_stuck < K_STUCK)
		k->stuck[k->n_stuck++] = (struct stuck){ d->local, dev };
	d->local.family = 0;
}

/* The interface goes down: nothing of it stays, in no table; masquerading
 * forgets the connections that left by it.
 */
void dev_down(struct kernel *k, unsigned int dev)
{
	struct dev *d = &k->dev[dev];
	unsigned int i;

	for (i = k->n_routes; i-- > 0;)
		if (!k->route[i].nhid && k->route[i].ifindex == d->ifindex)
			route_drop(k, i);
	nexthops_drop(k, d->ifindex);
	d->up = d->carrier = false;
	d->local6.family = d->peer6.family = 0;
	d->ours6[0].family = d->ours6[1].family = 0;
	k->flows[dev] = k->flows[dev] && !k->masquerade;
	for (i = k->n_stuck; i-- > 0;)
		if (k->masquerade && k->stuck[i].dev == dev)
			stuck_drop(k, i);
}

void dev_gone(struct kernel *k, unsigned int dev)
{
	addr_drop(k, dev);
	dev_down(k, dev);
	k->dev[dev] = (struct dev){ 0 };
	k->flows[dev] = false;
}

void dev_add(struct kernel *k, unsigned int dev, struct addr local)
{
	k->dev[dev] = (struct dev){ .ifindex = ++k->last_ifindex, .up = true,
				    .carrier = true, .local = local,
				    .mtu = 1492 };
}

static bool members_fit(struct kernel *k, const struct nexthop *nh)
{
	const struct object *o;
	unsigned int i;

	for (i = 0; i < nh->n_members; i++) {
		o = object_of(k, nh->member[i].id);
		if (!o || o->nh.n_members || !nh->member[i].weight)
			return false;
	}
	return true;
}

int do_nexthop_set(struct kernel *k, const struct nexthop *nh)
{
	struct object *o = object_of(k, nh->id);
	const struct dev *d = dev_of(k, nh->ifindex);

	/* "Can not replace a nexthop group with a nexthop", and back. */
	if (o && !o->nh.n_members != !nh->n_members)
		return -EINVAL;
	if (!nh->n_members && (!d || !d->up || !d->carrier))
		return -ENETDOWN;
	if (!members_fit(k, nh))
		return -EINVAL;
	if (!o)
		o = &k->nexthop[k->n_nexthops++];
	o->nh = *nh;
	if (nh->n_members)
		memcpy(o->member, nh->member,
		       nh->n_members * sizeof(nh->member[0]));
	o->nh.member = o->member;
	return 0;
}

/* Those of a test may have none. */
static uint8_t family_of(const struct route *r)
{
	return r->family ? r->family : AF_INET;
}

static uint8_t rule_family(const struct rule *r)
{
	return r->family ? r->family : AF_INET;
}

/* fib6_add_rt2node() with NLM_F_REPLACE: one of its metric and its kind. */
static void replace6(struct kernel *k, const struct route *r)
{
	const struct route *is;
	unsigned int i;

	for (i = 0; i < k->n_routes; i++) {
		is = &k->route[i];
		if (is->family == AF_INET6 && is->table == r->table &&
		    is->metric == r->metric &&
		    !is->gateway.family == !r->gateway.family) {
			route_drop(k, i);
			return;
		}
	}
}

bool route_same(const struct route *a, const struct route *b)
{
	return a->table == b->table && a->metric == b->metric &&
	       family_of(a) == family_of(b) && a->ifindex == b->ifindex && a->nhid == b->nhid &&
	       a->protocol == b->protocol && a->type == b->type &&
	       addr_equal(&a->gateway, &b->gateway);
}

/* In front of its equals, as fib_table_insert() does without NLM_F_APPEND. */
int do_route_add(struct kernel *k, const struct route *r)
{
	const struct dev *d = dev_of(k, r->ifindex);
	unsigned int i;

	if (r->nhid ? !object_of(k, r->nhid) :
	    r->type == RTN_UNICAST ? !d || !d->up : r->ifindex != 0)
		return -EINVAL;
	for (i = 0; i < k->n_routes; i++)
		if (route_same(&k->route[i], r))
			return -EEXIST;
	if (r->family == AF_INET6)
		replace6(k, r);
	for (i = 0; i < k->n_routes; i++)
		if (k->route[i].table == r->table &&
		    k->route[i].metric >= r->metric)
			break;
	memmove(&k->route[i + 1], &k->route[i],
		(k->n_routes - i) * sizeof(k->route[0]));
	k->route[i] = *r;
	k->n_routes++;
	return 0;
}

/* fib_table_delete() and fib_nh_match(): what is not said matches all. */
static int do_route_del(struct kernel *k, const struct route *r)
{
	const struct route *is;
	unsigned int i;

	for (i = 0; i < k->n_routes; i++) {
		is = &k->route[i];
		if (is->table == r->table && is->type == r->type &&
		    family_of(is) == family_of(r) && (!r->metric || is->metric == r->metric) &&
		    (!r->protocol || is->protocol == r->protocol) &&
		    is->scope == r->scope &&
		    (r->nhid ? is->nhid == r->nhid :
		     !is->nhid && is->ifindex == r->ifindex) &&
		    (r->nhid || !r->gateway.family ||
		     addr_equal(&is->gateway, &r->gateway))) {
			route_drop(k, i);
			return 0;
		}
	}
	return -ESRCH;
}

/* Behind its equals; rule_exists() overlooks FIB_RULE_INVERT. */
int do_rule_add(struct kernel *k, const struct rule *r)
{
	const struct rule *is;
	unsigned int i, at = 0;

	for (i = 0; i < k->n_rules; i++) {
		is = &k->rule[i];
		if (is->priority <= r->priority)
			at = i + 1;
		if (is->priority == r->priority && is->table == r->table &&
		    rule_family(is) == rule_family(r) &&
		    is->mark == r->mark && is->mask == r->mask &&
		    is->from_len == r->from_len && is->suppress_default == r->suppress_default &&
		    is->protocol == r->protocol && !is->foreign &&
		    !strcmp(is->iif, r->iif) &&
		    (!r->from.family || addr_equal(&is->from, &r->from)) &&
		    (!r->to.family || addr_equal(&is->to, &r->to)))
			return -EEXIST;
	}
	memmove(&k->rule[at + 1], &k->rule[at],
		(k->n_rules - at) * sizeof(k->rule[0]));
	k->rule[at] = *r;
	k->n_rules++;
	return 0;
}

/* rule_find(): what is not said matches all. */
static int do_rule_del(struct kernel *k, const struct rule *r)
{
	const struct rule *is;
	unsigned int i;

	for (i = 0; i < k->n_rules; i++) {
		is = &k->rule[i];
		if (is->priority == r->priority && is->table == r->table &&
		    rule_family(is) == rule_family(r) && (!r->foreign || is->foreign) &&
		    (!r->mark || is->mark == r->mark) &&
		    (!r->mask || is->mask == r->mask) &&
		    (!r->suppress_default || is->suppress_default) &&
		    (!r->iif[0] || !strcmp(is->iif, r->iif)) &&
		    (!r->protocol || is->protocol == r->protocol) &&
		    (!r->from.family || addr_equal(&is->from, &r->from)) &&
		    (!r->to.family || addr_equal(&is->to, &r->to))) {
			rule_drop(k, i);
			return 0;
		}
	}
	return -ENOENT;
}

static int do_sysctl(struct kernel *k, const char *path, int value)
{
	char want[SYSCTL_PATH_MAX];
	struct dev *d;
	unsigned int i;

	if (!strcmp(path, SYSCTL_IP_FORWARD)) {
		k->ip_forward = value;
		return 0;
	}
	if (!strcmp(path, sysctl_hash_policy[FAMILY_IPV4])) {
		k->hash_policy = value;
		return value == HASH_POLICY_FIELDS && k->hash_fields < 0 ?
		       -EINVAL : 0;
	}
	if (!strcmp(path, sysctl_hash_fields[FAMILY_IPV4]) &&
	    k->hash_fields >= 0) {
		k->hash_fields = value;
		return 0;
	}
	for (i = 0; i < conf.n_links; i++) {
		d = dev_of_link(k, i);
		sysctl_rp_filter_path(conf.link[i].name, want);
		if (!strcmp(path, want)) {
			d->rp_filter = value;
			return 0;
		}
		sysctl_linkdown_path(conf.link[i].name, FAMILY_IPV4,
				     want);
		if (!strcmp(path, want)) {
			d->skips_linkdown = value;
			return 0;
		}
	}
	return -ENOENT;
}

static int do_qdisc(struct kernel *k, const struct op *op)
{
	static const char *const kind[] = { "", "prio", "fq_codel", "cake" };
	struct dev *d = dev_of(k, op->qdisc.ifindex);

	if (!d)
		return -ENODEV;
	memset(&d->qdisc, 0, sizeof(d->qdisc));
	if (op->kind == OP_QDISC_DEL)
		return 0;
	strcpy(d->qdisc.kind, kind[op->qdisc.want->kind]);
	d->qdisc.handle = (uint32_t)op->qdisc.want->kind << 16;
	d->qdisc.bandwidth = op->qdisc.want->bandwidth;
	if (op->qdisc.want->kind == QDISC_PRIO_SFQ)
		d->qdisc.sfq_bands = 7;
	return 0;
}

/* The whole map is filled anew. */
static void fill(struct kernel *k)
{
	unsigned int i;

	memset(k->mtu, 0, sizeof(k->mtu));
	for (i = 0; i < conf.n_links; i++)
		k->mtu[dev_number(i)] = plan.table.link[i].mtu;
}

int do_nft(struct kernel *k, bool load)
{
	unsigned int i;

	memset(k->mtu, 0, sizeof(k->mtu));
	if (load)
		fill(k);

	k->nft = load ? conf_serial : 0;
	k->strays = k->strays || !load;
	k->n_marks = load ? conf.n_links : 0;
	for (i = 0; i < k->n_marks; i++)
		k->mark[i] = conf.link[i].mark;
	return 0;
}

static int do_forget(struct kernel *k, const struct addr *a)
{
	unsigned int i;

	for (i = k->n_stuck; i-- > 0;)
		if (addr_equal(&k->stuck[i].addr, a))
			stuck_drop(k, i);
	return 0;
}

static int do_end(struct kernel *k, uint32_t mark)
{
	unsigned int i;

	for (i = 0; i < conf.n_links; i++)
		if (conf.link[i].mark == mark)
			k->flows[dev_number(i)] = false;
	return 0;
}

static int do_addr(struct kernel *k, const struct op *op)
{
	const bool add = op->kind == OP_ADDR_ADD;
	struct dev *d = dev_of(k, op->own.ifindex);
	unsigned int i;

	if (!d || !d->up)
		return -ENODEV;
	for (i = 0; i < 2; i++)
		if (addr_equal(&d->ours6[i], &op->own.addr))
			break;
	if (add ? i < 2 : i == 2)
		return add ? -EEXIST : -EADDRNOTAVAIL;
	if (!add) {
		d->ours6[i].family = 0;
		return 0;
	}
	/* The new one comes before the old one goes. */
	for (i = 0; i < 2 && d->ours6[i].family; i++)
		;
	if (i == 2)
		return -EINVAL;
	d->ours6[i] = op->own.addr;
	return 0;
}

int do_op(struct kernel *k, const struct op *op)
{
	switch (op->kind) {
	case OP_SYSCTL:
		return do_sysctl(k, op->sysctl.path, op->sysctl.value);
	case OP_NEXTHOP_SET:
		return do_nexthop_set(k, &op->nexthop);
	case OP_NEXTHOP_DEL:
		if (!object_of(k, op->nexthop.id))
			return -ENOENT;
		nexthop_drop(k, op->nexthop.id);
		return 0;
	case OP_ROUTE_ADD:
		return do_route_add(k, &op->route);
	case OP_ROUTE_DEL:
		return do_route_del(k, &op->route);
	case OP_RULE_ADD:
		return do_rule_add(k, &op->rule);
	case OP_RULE_DEL:
		return do_rule_del(k, &op->rule);
	case OP_QDISC_SET:
	case OP_QDISC_DEL:
		return do_qdisc(k, op);
	case OP_NFT_LOAD:
	case OP_NFT_DELETE:
		return do_nft(k, op->kind == OP_NFT_LOAD);
	case OP_NFT_FILL:
		fill(k);
		return k->nft ? 0 : -ENOENT;
	case OP_CT_FORGET:
		return do_forget(k, &op->addr);
	case OP_CT_END:
		return do_end(k, op->mark.value);
	case OP_ADDR_ADD:
	case OP_ADDR_DEL:
		return do_addr(k, op);
	case OP_CT_PREFIX:
		return 0;
	case OP_ONLINK_SET:
	case OP_ONLINK_DEL:
		return -EINVAL;
	case OP_CT_STRAY:
		k->strays = !k->nft;
		return 0;
	}
	return -EINVAL;
}

/* --- what present_read() would see --- */

static void see_route(struct kernel *k, const struct route *r)
{
	struct present *p = &present;
	const struct object *o;
	struct route *to;

	if (p->n_routes == PRESENT_ROUTES_MAX)
		return;
	to = &p->route[p->n_routes++];
	*to = *r;
	/* A group of one is shown as a single device. */
	o = to->nhid ? object_of(k, to->nhid) : NULL;
	if (o && o->nh.n_members == 1)
		o = object_of(k, o->member[0].id);
	if (o && !o->nh.n_members)
		to->ifindex = o->nh.ifindex;
}

static void see_table(struct kernel *k, uint32_t table)
{
	unsigned int i;

	for (i = 0; i < k->n_routes; i++)
		if (k->route[i].table == table)
			see_route(k, &k->route[i]);
}

bool table_known(uint32_t table)
{
	unsigned int i;

	if (table == TABLE_MAIN || table == TABLE_DEFAULT ||
	    table == conf.standby_table)
		return true;
	for (i = 0; i < conf.n_links; i++)
		if (conf.link[i].table == table)
			return true;
	return false;
}

/* Those of our protocol, in all other tables. */
static void see_ours(struct kernel *k)
{
	unsigned int i;

	for (i = 0; i < k->n_routes; i++)
		if (k->route[i].protocol == PROTO_MWAN &&
		    !table_known(k->route[i].table))
			see_route(k, &k->route[i]);
}

static bool table_seen(uint32_t table, unsigned int n_rules)
{
	unsigned int i;

	if (table_known(table))
		return true;
	for (i = 0; i < n_rules; i++)
		if (present.rule[i].table == table)
			return true;
	return false;
}

static void see_nexthops(struct kernel *k)
{
	struct present *p = &present;
	const struct nexthop *nh;
	unsigned int i, d;

	p->n_nexthops = p->n_members = 0;
	memset(p->detour_taken, 0, sizeof(p->detour_taken));
	for (i = 0; i < k->n_nexthops; i++) {
		nh = &k->nexthop[i].nh;
		if (nh->protocol != PROTO_MWAN &&
		    nh->id - conf.nexthop_base >= NEXTHOP_SPAN) {
			for (d = 0; d < PRESENT_DETOURS; d++)
				if (nh->id - present_detour(&conf, d) <
				    NEXTHOP_SPAN)
					p->detour_taken[d] = true;
			continue;
		}
		if (p->n_nexthops == PRESENT_NEXTHOPS_MAX ||
		    nh->n_members > PRESENT_MEMBERS_MAX - p->n_members)
			continue;
		p->nexthop[p->n_nexthops] = *nh;
		p->nexthop[p->n_nexthops++].member = &p->member[p->n_members];
		memcpy(&p->member[p->n_members], k->nexthop[i].member,
		       nh->n_members * sizeof(nh->member[0]));
		p->n_members += nh->n_members;
	}
}

static void see_links(struct kernel *k)
{
	struct present *p = &present;
	const struct dev *d;
	unsigned int i;

	memset(p->link, 0, sizeof(p->link));
	for (i = 0; i < conf.n_links; i++) {
		d = dev_of_link(k, i);
		p->link[i].drained = drained[i];
		p->link[i].held[FAMILY_IPV4] = held[i];
		p->link[i].held[FAMILY_IPV6] = held[i];
		if (!d->ifindex)
			continue;
		p->link[i] = (struct link){
			.ifindex = d->ifindex, .up = d->up,
			.carrier = d->carrier, .shared = d->shared,
			.rp_filter = -ENOENT, .mtu = d->mtu,
			.arp_ignore = -1, .arp_announce = -1,
			.drained = drained[i],
			.held = { held[i], held[i] },
			.af[FAMILY_IPV4] = {
				.local = d->local,
				.peer = d->peer.family ? d->peer : d->local,
				.gateway = d->gateway,
				.needs_gateway = d->shared,
				.skips_linkdown = d->skips_linkdown,
			},
			.af[FAMILY_IPV6] = {
				.local = d->local6, .peer = d->peer6,
				.gateway = d->peer6, .skips_linkdown = true,
			},
			.seen6 = d->own6,
			.ours6 = d->ours6[!d->ours6[0].family],
			.stale6 = d->ours6[0].family ? d->ours6[1] :
						       (struct addr){ 0 },
		};
		if (!alive(d))
			continue;
		p->link[i].rp_filter = d->rp_filter;
		if (qdisc_conf_for(&conf.link[i].qdisc, d->shared)->kind !=
		    QDISC_NONE)
			p->link[i].qdisc = d->qdisc;
	}
	p->ipv6 = conf.ipv6;
	own_decide(p, &conf, NULL);
	links_judge(p->link, conf.n_links);
	p->n_addrs = 0;
	p->addrs_complete = true;
	for (i = 0; i < DEVS; i++)
		if (k->dev[i].ifindex && k->dev[i].local.family)
			p->addr[p->n_addrs++] = k->dev[i].local;
	p->n_extras = 0;
	for (i = 0; i < conf.n_links; i++) {
		d = dev_of_link(k, i);
		if (!d->ifindex || !d->extra.family)
			continue;
		p->extra[p->n_extras].link = i;
		p->extra[p->n_extras++].addr = d->extra;
		p->addr[p->n_addrs++] = d->extra;
	}
}

/* Only the map of the MTUs, with nothing that it would differ in. */
static void want_map(void)
{
	static const struct nft_set map = {
		.name = RULESET_MSS, .flags = NFT_SET_MAP,
		.key_type = TYPE_IFNAME, .key_len = IFNAMSIZ,
		.data_type = TYPE_INTEGER, .data_len = sizeof(uint16_t),
	};

	ruleset.n_links = conf.n_links;
	ruleset.n_sets = present.nft.n_sets = conf.clamp_mss;
	ruleset.set[0] = (struct ruleset_set){ .name = RULESET_MSS,
					       .kind = SET_MSS };
	present.nft.set[0] = map;
}

void observe(struct kernel *k, enum plan_goal goal)
{
	struct present *p = &present;
	unsigned int i;

	want_map();
	see_links(k);
	see_nexthops(k);
	p->n_rules = p->n_routes = 0;
	for (i = 0; i < k->n_rules && p->n_rules < PRESENT_RULES_MAX; i++)
		if (k->rule[i].protocol == PROTO_MWAN)
			p->rule[p->n_rules++] = k->rule[i];
	see_table(k, conf.standby_table);
	see_table(k, TABLE_DEFAULT);
	for (i = 0; i < conf.n_links; i++)
		see_table(k, conf.link[i].table);
	if (goal == PLAN_FLUSH || goal == PLAN_APPLY)
		see_ours(k);
	for (i = 0; i < p->n_rules && goal != PLAN_FLUSH &&
	     goal != PLAN_APPLY; i++)
		if (!table_seen(p->rule[i].table, i))
			see_table(k, p->rule[i].table);
	p->rp_filter_all = k->rp_filter_all;
	p->ip_forward = k->ip_forward;
	for (i = 0; i < FAMILIES; i++)
		p->hash_policy[i] = p->hash_fields[i] = -1;
	if (conf.sysctl && conf.n_links > 2) {
		p->hash_policy[FAMILY_IPV4] = k->hash_policy;
		p->hash_fields[FAMILY_IPV4] = k->hash_fields;
	}
	p->nft.present = p->nft.masquerades = p->nft.guards = k->nft != 0;
	p->nft.n_chains = k->nft != conf_serial;
	for (i = 0; i < conf.n_links; i++)
		p->nft.state.link[i].mtu = k->mtu[dev_number(i)];
}

/* --- where a packet goes --- */

static void path_of_route(struct kernel *k, const struct route *r,
			 struct path *w)
{
	const struct object *o = r->nhid ? object_of(k, r->nhid) : NULL;
	unsigned int i;

	w->n = 0;
	w->nowhere = r->type == RTN_UNICAST ? 0 : r->type;
	if (w->nowhere)
		return;
	if (!o) {
		w->dev[w->n++] = dev_of(k, r->ifindex);
	} else if (!o->nh.n_members) {
		w->dev[w->n++] = dev_of(k, o->nh.ifindex);
	} else {
		for (i = 0; i < o->nh.n_members; i++)
			w->dev[w->n++] = dev_of(k, object_of(k,
				o->member[i].id)->nh.ifindex);
	}
}

bool passed_over(struct kernel *k, const struct route *r)
{
	const struct dev *d = r->nhid ? NULL : dev_of(k, r->ifindex);

	return d && !d->carrier && d->skips_linkdown;
}

/* By the first route of a table; false: it has none. */
static bool way_by(struct kernel *k, uint8_t family, uint32_t table,
		   struct path *w)
{
	unsigned int i;

	for (i = 0; i < k->n_routes; i++) {
		if (k->route[i].table != table ||
		    family_of(&k->route[i]) != family || passed_over(k, &k->route[i]))
			continue;
		path_of_route(k, &k->route[i], w);
		w->table = table;
		return true;
	}
	return false;
}

bool way_of_table(struct kernel *k, uint32_t table, struct path *w)
{
	return way_by(k, AF_INET, table, w);
}

/* Walk the rules by their priority; main is empty, and the table default comes
 * before 32768.
 */
static void walk_rules(struct kernel *k, uint8_t family, uint32_t mark,
		       const struct addr *from, struct path *w)
{
	const struct rule *r;
	unsigned int i;
	bool match, asked = false;

	w->n = w->nowhere = 0;
	for (i = 0; i < k->n_rules; i++) {
		r = &k->rule[i];
		if (rule_family(r) != family)
			continue;
		if (!asked && r->priority >= PRIORITY_PRIMARY) {
			asked = true;
			if (way_by(k, family, TABLE_DEFAULT, w))
				return;
		}
		match = (mark & r->mask) == r->mark &&
			(!r->from.family ||
			 (from && addr_equal(from, &r->from)));
		/* No packet here is to a peer, or of the router itself. */
		if (match == r->invert || r->suppress_default ||
		    r->to.family || r->iif[0])
			continue;
		if (way_by(k, family, r->table, w))
			return;
	}
	if (!asked)
		way_by(k, family, TABLE_DEFAULT, w);
}

void find_path(struct kernel *k, uint32_t mark, const struct addr *from,
	       struct path *w)
{
	walk_rules(k, AF_INET, mark, from, w);
}

void find_path6(struct kernel *k, uint32_t mark, const struct prefix *from,
		struct path *w)
{
	walk_rules(k, AF_INET6, mark, from ? &from->addr : NULL, w);
}

/* A way for everything that takes it. */
bool good_way(struct kernel *k, uint32_t mark)
{
	struct path w;
	unsigned int i;

	find_path(k, mark, NULL, &w);
	for (i = 0; i < w.n; i++)
		if (!w.dev[i] || !alive(w.dev[i]))
			return false;
	return w.n > 0;
}

bool only_way(const struct path *w, const struct dev *d)
{
	return w->n == 1 && w->dev[0] == d;
}

bool settle(struct kernel *k, enum plan_goal goal)
{
	struct plan_event event = { .goal = goal, .gone_link = -1 };
	unsigned int round, i;
	struct err err;

	for (round = 0; round < SETTLE_MAX; round++) {
		observe(k, goal);
		if (plan_make(&plan, &conf, &present, &ruleset, &event, &err))
			return false;
		if (!plan.n_ops)
			return true;
		for (i = 0; i < plan.n_ops; i++)
			do_op(k, &plan.op[i]);
	}
	return false;
}
