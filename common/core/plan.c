// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "core/own.h"
#include "core/plan.h"

enum {
	/* Ids from nexthop_base on, NEXTHOP_SPAN of each family; the group of
	 * the held links has base + 0, link 0 base + 1, the group of the
	 * drained links base + 256, that of tier 1 base + 257.
	 */
	ID_HELD = 0,
	ID_LINK = 1,
	ID_DRAINED = 256,
	ID_TIER = 256,
	/* For each address of a link, and for a peer that other links share. */
	RULES_WANTED_MAX = FAMILIES * (4 * LINKS_MAX + 4) +
			   2 * PRESENT_EXTRAS_MAX + LINKS_MAX * PREFIXES_MAX,
	/* A network of the LAN is remembered for so long after it has gone,
	 * in seconds: as long as hosts are told to believe in a prefix.
	 */
	ONLINK_EXPIRES = 7200,
};

/* A plan in the making. */
struct making {
	struct plan *plan;
	const struct conf *conf;
	const struct present *present;
	const struct plan_event *event;
	struct err *err;
	int code;		/* what is in the way, -EEXIST with @err */
	/* A family that is not planned has nothing usable: what there is of it
	 * goes.
	 */
	struct making_family {
		bool planned;
		bool usable[LINKS_MAX];
		/* Its default stays, see link_stays(). */
		bool stays[LINKS_MAX];
		bool any_usable;
		/* Nexthops are made of these: usable, and the id is not
		 * taken.
		 */
		bool carries[LINKS_MAX];
		bool rank_used[RANKS];
		struct nexthop best;	/* the group of the first of these */
		int primary_now;
		bool failback;	/* flows of worse tiers are to be ended */
	} af[FAMILIES];
	uint32_t base;		/* of nexthops: the file's, or a detour's */
	bool anew;		/* nothing has the ids of base */
	bool stray;		/* flows that masquerading has missed, too */
	unsigned int n_rules;
	struct rule rule[RULES_WANTED_MAX];	/* last: not cleared */
};

static struct op *push(struct making *m, enum op_kind kind)
{
	struct plan *p = m->plan;
	struct op *op;

	/* The array holds every object that there should be; what others add
	 * beyond that is left to the next round.
	 */
	if (p->n_ops == PLAN_OPS_MAX) {
		p->n_ops--;
		p->more = true;
	}
	op = &p->op[p->n_ops++];

	memset(op, 0, sizeof(*op));
	op->kind = kind;
	return op;
}

static void set_dev(struct op *op, const char *dev)
{
	strncpy(op->dev, dev, sizeof(op->dev) - 1);
}

static bool flushing(const struct making *m)
{
	return m->event->goal == PLAN_FLUSH;
}

/* Everything but the links' own part is in force, or is wanted. */
static bool in_force(const struct making *m)
{
	return m->event->goal == PLAN_ALL || m->event->goal == PLAN_APPLY;
}

/* One part of the plan, for each family. */
static void each(struct making *m, void (*part)(struct making *, enum family))
{
	unsigned int f;

	for (f = 0; f < FAMILIES; f++)
		if (m->af[f].planned)
			part(m, f);
}

/* --- ids of nexthops --- */

/* What the nexthop object with an id stands for. */
struct place {
	enum family family;
	unsigned int rank;	/* 0: it is of a link ... */
	unsigned int link;	/* ... this one */
};

static uint32_t id_of_link(uint32_t base, enum family f, unsigned int link)
{
	return base + f * NEXTHOP_SPAN + ID_LINK + link;
}

static uint32_t link_id(const struct making *m, enum family f,
			unsigned int link)
{
	return id_of_link(m->base, f, link);
}

static uint32_t group_id(const struct making *m, enum family f,
			 unsigned int rank)
{
	return m->base + f * NEXTHOP_SPAN +
	       (rank == RANK_HELD ? ID_HELD :
		rank == RANK_DRAINED ? ID_DRAINED : ID_TIER + rank);
}

/* Is the id, counted from @base, of an object that we ever make? */
static bool place_of(uint32_t base, uint32_t id, struct place *at)
{
	uint32_t offset = id - base;

	*at = (struct place){ 0 };
	if (offset >= FAMILIES * NEXTHOP_SPAN)
		return false;
	at->family = offset / NEXTHOP_SPAN;
	offset %= NEXTHOP_SPAN;
	if (offset == ID_HELD)
		at->rank = RANK_HELD;
	else if (offset == ID_DRAINED)
		at->rank = RANK_DRAINED;
	else if (offset > ID_TIER)
		at->rank = offset - ID_TIER;
	else
		at->link = offset - ID_LINK;
	return true;
}

static bool is_wanted(const struct making *m, const struct place *at)
{
	const struct making_family *of = &m->af[at->family];

	return at->rank ? of->rank_used[at->rank] : of->carries[at->link];
}

int plan_link_of_nexthop(const struct conf *conf, uint32_t id)
{
	struct place at;

	return place_of(conf->nexthop_base, id, &at) && !at.rank &&
	       at.link < conf->n_links ? (int)at.link : -1;
}

/* --- usable links --- */

/* Does somebody else have the id? Then operations that need it are left out. */
static bool taken(struct making *m, uint32_t id)
{
	const struct nexthop *is = present_nexthop(m->present, id);

	if (!is || is->protocol == PROTO_MWAN)
		return false;
	if (!m->code)
		m->code = err_set(m->err, -EEXIST, "nexthop %u belongs to "
				  "another program (protocol %u): set "
				  "nexthop_base to the first of %u free ids "
				  "in mwan.ini", id, is->protocol,
				  conf_nexthop_span(m->conf));
	return true;
}

static unsigned int rank_of(const struct making *m, enum family f,
			    unsigned int link)
{
	return link_rank(&m->conf->link[link], &m->present->link[link], f);
}

/* Is the link to be left, though it is up? */
static bool is_held(const struct making *m, enum family f, unsigned int link)
{
	return m->present->link[link].af[f].held;
}

static void find_usable(struct making *m, enum family f)
{
	struct making_family *of = &m->af[f];
	unsigned int i, rank;

	for (i = 0; i < m->conf->n_links && !flushing(m); i++) {
		of->stays[i] = link_stays(&m->present->link[i], f);
		of->usable[i] = link_usable(&m->present->link[i], f);
		if (!of->usable[i])
			continue;
		of->any_usable = true;
		of->carries[i] = !taken(m, link_id(m, f, i));
		if (of->carries[i])
			of->rank_used[rank_of(m, f, i)] = true;
	}
	for (rank = 1; rank < RANKS; rank++)
		if (of->rank_used[rank] && taken(m, group_id(m, f, rank)))
			of->rank_used[rank] = false;
}

/* Does anything of any family leave by link @i? */
static bool is_in_use(const struct making *m, unsigned int i)
{
	return m->af[FAMILY_IPV4].usable[i] || m->af[FAMILY_IPV6].usable[i];
}

static int link_of_ifindex(const struct making *m, uint32_t ifindex)
{
	return present_link_of(m->present, m->conf, ifindex);
}

static int link_of_table(const struct making *m, uint32_t table)
{
	unsigned int i;

	for (i = 0; i < m->conf->n_links; i++)
		if (m->conf->link[i].table == table)
			return (int)i;
	return -1;
}

/* --- sysctls --- */

/* Answers to a link's flows come in by a link that main does not name for
 * their source: strict reverse path filtering drops them.
 */
static void plan_rp_filter(struct making *m)
{
	const struct present *p = m->present;
	struct op *op;
	unsigned int i;

	for (i = 0; i < m->conf->n_links && m->conf->sysctl; i++) {
		if (!m->af[FAMILY_IPV4].usable[i] ||
		    !sysctl_rp_strict(p->rp_filter_all, p->link[i].rp_filter))
			continue;
		op = push(m, OP_SYSCTL);
		sysctl_rp_filter_path(m->conf->link[i].name, op->sysctl.path);
		op->sysctl.value = RP_LOOSE;
	}
}

/* A cable that is pulled leaves routes as they are, and packets take them to
 * nowhere: on Ethernet nobody sets the interface down, as pppd does.
 */
static void plan_linkdown(struct making *m)
{
	const struct link *is;
	struct op *op;
	unsigned int i, f;

	for (i = 0; i < m->conf->n_links && m->conf->sysctl; i++) {
		is = &m->present->link[i];
		for (f = 0; f < FAMILIES && is->shared; f++) {
			if (!m->af[f].usable[i] || is->af[f].skips_linkdown)
				continue;
			op = push(m, OP_SYSCTL);
			sysctl_linkdown_path(m->conf->link[i].name, f,
					     op->sysctl.path);
			op->sysctl.value = 1;
		}
	}
}

static void want_arp(struct making *m, unsigned int i, enum sysctl_arp which,
		     int is, int want)
{
	struct op *op;

	if (is < 0 || is >= want || !m->af[FAMILY_IPV4].usable[i])
		return;
	op = push(m, OP_SYSCTL);
	sysctl_arp_path(m->conf->link[i].name, which, op->sysctl.path);
	op->sysctl.value = want;
}

static void plan_arp(struct making *m)
{
	const struct link *is;
	unsigned int i;

	for (i = 0; i < m->conf->n_links && m->conf->sysctl; i++) {
		is = &m->present->link[i];
		if (!is->shared)
			continue;
		want_arp(m, i, ARP_IGNORE, is->arp_ignore, ARP_IGNORE_OTHERS);
		want_arp(m, i, ARP_ANNOUNCE, is->arp_announce,
			 ARP_ANNOUNCE_OWN);
	}
}

static void want_sysctl(struct making *m, const char *path, int is, int want)
{
	struct op *op;

	if (is == want)
		return;
	op = push(m, OP_SYSCTL);
	strcpy(op->sysctl.path, path);
	op->sysctl.value = want;
}

/* When a link fails, keep all connections of one host together on one other
 * link, if links are chosen per host. Do not set what this kernel lacks (the
 * fields: Linux 5.13), and so is everything with one or two links.
 */
static void plan_hash(struct making *m, enum family f)
{
	const struct present *p = m->present;

	if (flushing(m) || p->hash_policy[f] < 0)
		return;
	if (!conf_by_host(m->conf)) {
		want_sysctl(m, sysctl_hash_policy[f], p->hash_policy[f],
			    HASH_POLICY_L4);
	} else if (p->hash_fields[f] >= 0) {
		want_sysctl(m, sysctl_hash_fields[f], p->hash_fields[f],
			    HASH_FIELDS_SOURCE);
		want_sysctl(m, sysctl_hash_policy[f], p->hash_policy[f],
			    HASH_POLICY_FIELDS);
	}
}

static void plan_ip_forward(struct making *m)
{
	if (in_force(m) && m->conf->sysctl &&
	    m->present->ip_forward == 0)
		want_sysctl(m, SYSCTL_IP_FORWARD, 0, 1);
}

/* --- nexthops and groups --- */

/* Is none of the ids that are wanted from @base on a group of ours where a
 * device belongs, or a device where a group does? The kernel makes neither of
 * the other ("Can not replace a nexthop group with a nexthop").
 */
static bool base_fits(const struct making *m, uint32_t base)
{
	const struct nexthop *nh;
	struct place at;
	unsigned int i;

	for (i = 0; i < m->present->n_nexthops; i++) {
		nh = &m->present->nexthop[i];
		if (nh->protocol == PROTO_MWAN && place_of(base, nh->id, &at) &&
		    is_wanted(m, &at) && !at.rank != !nh->n_members)
			return false;
	}
	return true;
}

/* When nexthop_base moves by less than the two ranges take, an id may have to
 * become an object of the other kind, which it can only by being deleted, and
 * with it its routes. So all move to free ids first, and from there to their
 * own.
 */
static void choose_base(struct making *m)
{
	unsigned int i;

	if (base_fits(m, m->base))
		return;
	for (i = 0; i < PRESENT_DETOURS; i++) {
		if (m->present->detour_taken[i] ||
		    !base_fits(m, present_detour(m->conf, i)))
			continue;
		m->base = present_detour(m->conf, i);
		return;
	}
}

/* Does an object of an earlier nexthop_base stand in for one whose id somebody
 * else has?
 */
static bool stands_in(const struct making *m, uint32_t id)
{
	return m->code && id && !flushing(m) &&
	       id - m->conf->nexthop_base >= conf_nexthop_span(m->conf);
}

static void want_nexthop(struct making *m, const struct nexthop *want,
			 const char *dev)
{
	const struct nexthop *is = present_nexthop(m->present, want->id);
	struct op *op;

	if (is && !m->anew && nexthop_equal(is, want))
		return;
	op = push(m, OP_NEXTHOP_SET);
	op->nexthop = *want;
	set_dev(op, dev);
}

/* A link-local address is on the link in any case. */
static bool is_onlink(const struct addr *gateway)
{
	return gateway->family && !addr_is_link_local6(gateway);
}

static void plan_nexthops(struct making *m, enum family f)
{
	struct nexthop want = { .protocol = PROTO_MWAN,
				.family = family_af(f) };
	const struct link *is;
	unsigned int i;

	for (i = 0; i < m->conf->n_links; i++) {
		if (!m->af[f].carries[i])
			continue;
		is = &m->present->link[i];
		want.id = link_id(m, f, i);
		want.ifindex = is->ifindex;
		want.gateway = is->af[f].gateway;
		want.onlink = is_onlink(&want.gateway);
		want_nexthop(m, &want, m->conf->link[i].name);
	}
}

static void plan_groups(struct making *m, enum family f)
{
	struct making_family *of = &m->af[f];
	struct plan *p = m->plan;
	struct nexthop want = { .protocol = PROTO_MWAN,
				.family = AF_UNSPEC };
	unsigned int rank, i;

	for (rank = 1; rank < RANKS; rank++) {
		if (!of->rank_used[rank])
			continue;
		want.id = group_id(m, f, rank);
		want.member = &p->member[p->n_members];
		want.n_members = 0;
		for (i = 0; i < m->conf->n_links; i++) {
			if (!of->carries[i] || rank_of(m, f, i) != rank)
				continue;
			want.n_members++;
			p->member[p->n_members++] = (struct nexthop_member){
				.id = link_id(m, f, i),
				.weight = m->conf->link[i].weight,
			};
		}
		want_nexthop(m, &want, "");
		if (!of->best.n_members)
			of->best = want;
	}
}

/* @af: AF_INET or AF_INET6. */
static bool is_of_usable(const struct making *m, uint8_t af, uint32_t ifindex)
{
	int link = link_of_ifindex(m, ifindex);

	return link >= 0 && m->af[family_index(af)].usable[link];
}

static void remove_nexthop(struct making *m, uint32_t id, bool serves)
{
	struct op *op = push(m, OP_NEXTHOP_DEL);

	op->nexthop.id = id;
	op->serves = serves;
}

static bool nexthop_stale(const struct making *m, const struct nexthop *nh)
{
	struct place at;

	return nh->protocol == PROTO_MWAN && !stands_in(m, nh->id) &&
	       !(place_of(m->base, nh->id, &at) &&
		 !at.rank == !nh->n_members && is_wanted(m, &at));
}

/* The number of members of a group that lead to usable links of @f. */
static unsigned int n_usable_members(const struct making *m, enum family f,
				     const struct nexthop *group)
{
	const struct nexthop *nh;
	unsigned int i, n = 0;

	for (i = 0; i < group->n_members; i++) {
		nh = present_nexthop(m->present, group->member[i].id);
		n += nh && nh->family == family_af(f) &&
		     is_of_usable(m, nh->family, nh->ifindex);
	}
	return n;
}

/* A group that is no longer wanted goes after the rules, for the links that it
 * still serves. New rules lead packets to it until then: if it has a dead link
 * as well, give it other members first.
 */
static void plan_stale_groups(struct making *m, enum family f)
{
	const struct nexthop *nh, *best = &m->af[f].best;
	unsigned int i, n;
	struct op *op;

	for (i = 0; i < m->present->n_nexthops && best->n_members; i++) {
		nh = &m->present->nexthop[i];
		n = n_usable_members(m, f, nh);
		if (!n || n == nh->n_members || !nexthop_stale(m, nh))
			continue;
		op = push(m, OP_NEXTHOP_SET);
		op->nexthop = *best;
		op->nexthop.id = nh->id;
		set_dev(op, "");
	}
}

/* Remove nexthops that are no longer wanted, also under an earlier
 * configuration's ids; groups first, or the removal of a member would change
 * them.
 */
static void plan_nexthop_removal(struct making *m)
{
	const struct nexthop *nh;
	unsigned int i, pass;
	bool group;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < m->present->n_nexthops; i++) {
			nh = &m->present->nexthop[i];
			group = nh->n_members > 0;
			if (group == (pass == 0) && nexthop_stale(m, nh))
				remove_nexthop(m, nh->id, group ||
					       is_of_usable(m, nh->family,
							    nh->ifindex));
		}
	}
}

/* --- routes --- */

/* The default that a usable link's table needs. */
static struct route link_default(const struct making *m, enum family f,
				 unsigned int i)
{
	const struct addr *gateway = &m->present->link[i].af[f].gateway;
	bool via = gateway->family;

	return (struct route){ .table = m->conf->link[i].table,
			       .metric = f == FAMILY_IPV6 ? METRIC_IPV6 : 0,
			       .ifindex = m->present->link[i].ifindex,
			       .family = family_af(f), .protocol = PROTO_MWAN,
			       .type = RTN_UNICAST, .gateway = *gateway,
			       .onlink = is_onlink(gateway), .scope = via ?
			       RT_SCOPE_UNIVERSE : RT_SCOPE_LINK };
}

/* The default that leads to a group. Its metric is the tier's number, so the
 * next tier's default comes after it, and the drained links' after all of them.
 */
static struct route standby_default(const struct making *m, enum family f,
				    unsigned int rank)
{
	return (struct route){ .table = m->conf->standby_table,
			       .metric = rank, .nhid = group_id(m, f, rank),
			       .family = family_af(f), .protocol = PROTO_MWAN,
			       .type = RTN_UNICAST,
			       .scope = RT_SCOPE_UNIVERSE };
}

/* Programs that keep their own packets out of their own tunnel let them look
 * into main and default alone, and refuse the rest (Tailscale: 5210 "fwmark
 * 0x80000/0xff0000 lookup main", 5230 "lookup default", 5250 "unreachable"). So
 * the table default gets what our last two rules lead to: the primary's
 * default, and the groups' for the moment when that one is gone.
 */
static struct route primary_default(const struct making *m, enum family f)
{
	struct route r = link_default(m, f,
				      (unsigned int)m->plan->primary[f]);

	r.table = TABLE_DEFAULT;
	r.metric = METRIC_DEFAULT;
	return r;
}

static struct route group_default(const struct making *m, enum family f,
				  unsigned int rank)
{
	struct route r = standby_default(m, f, rank);

	r.table = TABLE_DEFAULT;
	r.metric = METRIC_DEFAULT + rank;
	return r;
}

/* The one that leads nowhere. */
static struct route last_resort_default(const struct making *m, enum family f)
{
	return (struct route){ .table = m->conf->standby_table,
			       .metric = METRIC_LAST_RESORT,
			       .family = family_af(f), .protocol = PROTO_MWAN,
			       .type = m->conf->last_resort ==
				       LAST_RESORT_BLACKHOLE ?
				       RTN_BLACKHOLE : RTN_UNREACHABLE,
			       .scope = RT_SCOPE_UNIVERSE };
}

static bool wants_last_resort(const struct making *m)
{
	return m->conf->last_resort != LAST_RESORT_MAIN && !flushing(m);
}

/* The present route of a nexthop object shows the object's device and gateway
 * too.
 */
static bool same_route(const struct route *is, const struct route *want)
{
	struct route r = *is;

	if (r.nhid)
		r.ifindex = r.gateway.family = 0;
	return route_equal(&r, want);
}

static void want_route(struct making *m, const struct route *want,
		       const char *dev)
{
	struct op *op;
	unsigned int i;

	for (i = 0; i < m->present->n_routes && !m->anew; i++)
		if (same_route(&m->present->route[i], want))
			return;
	op = push(m, OP_ROUTE_ADD);
	op->route = *want;
	set_dev(op, dev);
}

static void plan_link_routes(struct making *m, enum family f)
{
	struct route want;
	unsigned int i;

	for (i = 0; i < m->conf->n_links; i++) {
		if (!m->af[f].usable[i])
			continue;
		want = link_default(m, f, i);
		want_route(m, &want, m->conf->link[i].name);
	}
}

static void plan_group_routes(struct making *m, enum family f)
{
	struct route want;
	unsigned int rank;

	for (rank = 1; rank < RANKS; rank++) {
		if (!m->af[f].rank_used[rank])
			continue;
		want = standby_default(m, f, rank);
		want_route(m, &want, "");
		want = group_default(m, f, rank);
		want_route(m, &want, "");
	}
}

static void plan_last_resort(struct making *m, enum family f)
{
	struct route want;

	if (!wants_last_resort(m))
		return;
	want = last_resort_default(m, f);
	want_route(m, &want, "");
}

static void plan_primary_default(struct making *m, enum family f)
{
	int primary = m->plan->primary[f];
	struct route want;

	if (!in_force(m) || primary < 0)
		return;
	want = primary_default(m, f);
	want_route(m, &want, m->conf->link[primary].name);
}

/* @is: of ours, in the table default. */
static bool default_stale(const struct making *m, const struct route *is)
{
	uint32_t rank = is->metric - METRIC_DEFAULT;
	enum family f = family_index(is->family);
	struct route want;

	if (!rank && in_force(m) && m->plan->primary[f] >= 0)
		want = primary_default(m, f);
	else if (rank && rank < RANKS && m->af[f].rank_used[rank])
		want = group_default(m, f, rank);
	else
		return true;
	return !same_route(is, &want);
}

static bool standby_stale(const struct making *m, const struct route *is)
{
	enum family f = family_index(is->family);
	struct route want;

	if (is->metric == METRIC_LAST_RESORT && wants_last_resort(m)) {
		want = last_resort_default(m, f);
	} else if (is->metric < RANKS && m->af[f].rank_used[is->metric]) {
		want = standby_default(m, f, is->metric);
	} else {
		return true;
	}
	return !same_route(is, &want);
}

/* A default of somebody else's, by the device of the table's own link. It stays
 * where a daemon has put it there (iproute2's rt_protos: those of people and
 * scripts are boot and static; networkd with RouteTable= writes dhcp), and where
 * it may be what tells the gateway.
 */
static bool is_own_clients(const struct making *m, unsigned int i,
			   const struct route *is)
{
	return is->protocol != PROTO_MWAN &&
	       is->ifindex == m->present->link[i].ifindex &&
	       (is->protocol > RTPROT_STATIC ||
		(is->gateway.family && m->present->link[i].shared));
}

/* In a link's table we replace every default through a managed link: the
 * scripts that we succeed left such defaults. Everything else that is not of
 * our protocol is somebody's who knows why.
 */
static bool route_stale(const struct making *m, const struct route *is)
{
	enum family f = family_index(is->family);
	int i = link_of_table(m, is->table);
	struct route want;

	/* Ours are never such, and a deletion would find one of ours first. */
	if (is->opaque)
		return false;
	if (i >= 0) {
		if (is->protocol != PROTO_MWAN &&
		    (flushing(m) || link_of_ifindex(m, is->ifindex) < 0 ||
		     is_own_clients(m, (unsigned int)i, is)))
			return false;
		want = link_default(m, f, (unsigned int)i);
		return !m->af[f].stays[i] || !same_route(is, &want);
	}
	if (is->protocol != PROTO_MWAN)
		return false;
	if (stands_in(m, is->nhid))
		return false;
	if (is->table == TABLE_DEFAULT)
		return default_stale(m, is);
	return is->table != m->conf->standby_table || standby_stale(m, is);
}

/* A route of a detour is not there yet. */
static bool group_serves(const struct making *m, uint32_t id)
{
	const struct nexthop *group = present_nexthop(m->present, id), *nh;
	unsigned int i;

	for (i = 0; group && i < group->n_members; i++) {
		nh = present_nexthop(m->present, group->member[i].id);
		if (nh && is_of_usable(m, nh->family, nh->ifindex))
			return true;
	}
	return !group;
}

static bool route_serves(const struct making *m, const struct route *is)
{
	return is->type == RTN_UNICAST &&
	       (is->nhid ? group_serves(m, is->nhid) :
		is_of_usable(m, is->family, is->ifindex));
}

static void remove_route(struct making *m, const struct route *is)
{
	struct op *op = push(m, OP_ROUTE_DEL);
	int link = link_of_ifindex(m, is->ifindex);

	op->route = *is;
	op->serves = route_serves(m, is);
	if (link >= 0 && !is->nhid)
		set_dev(op, m->conf->link[link].name);
}

/* Remove this first: rules of an earlier configuration may still lead to the
 * table of its last resort, which would then catch packets that are marked from
 * now on.
 */
static void plan_last_resort_removal(struct making *m)
{
	const struct route *is;
	unsigned int i;

	for (i = 0; i < m->present->n_routes; i++) {
		is = &m->present->route[i];
		if (is->type != RTN_UNICAST && route_stale(m, is))
			remove_route(m, is);
	}
}

/* Start from the last one, so that none takes the place of one before it. */
static void plan_standby_removal(struct making *m, bool serving)
{
	const struct present *p = m->present;
	const struct route *is;
	unsigned int i;

	for (i = p->n_routes; i-- > 0;) {
		is = &p->route[i];
		if (is->type == RTN_UNICAST &&
		    is->table == m->conf->standby_table &&
		    route_serves(m, is) == serving && route_stale(m, is))
			remove_route(m, is);
	}
}

/* Does a link's table lead to a link that cannot be used? */
static bool is_dead(const struct making *m, const struct route *is)
{
	return is->type == RTN_UNICAST && link_of_table(m, is->table) >= 0 &&
	       link_of_ifindex(m, is->ifindex) >= 0 &&
	       !is_of_usable(m, is->family, is->ifindex);
}

/* Remove routes that lead to no usable link before rules lead to them. */
static void plan_dead_route_removal(struct making *m)
{
	const struct present *p = m->present;
	unsigned int i;

	plan_standby_removal(m, false);
	for (i = 0; i < p->n_routes; i++)
		if (is_dead(m, &p->route[i]) && route_stale(m, &p->route[i]))
			remove_route(m, &p->route[i]);
}

/* Others after those that lead to no usable link, for the same reason, and of
 * one interface in their order: what a request does not say, such as no
 * gateway, matches the first (fib_trie.c, fib_table_delete()).
 */
static void plan_route_removal(struct making *m)
{
	const struct present *p = m->present;
	uint32_t standby = m->conf->standby_table;
	const struct route *is;
	unsigned int i, pass;

	plan_standby_removal(m, true);
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < p->n_routes; i++) {
			is = &p->route[i];
			if (is->type == RTN_UNICAST && is->table != standby &&
			    is_of_usable(m, is->family, is->ifindex) ==
				    (pass == 1) &&
			    !is_dead(m, is) && route_stale(m, is))
				remove_route(m, is);
		}
	}
}

static void remove_detour(struct making *m, enum family f)
{
	const struct making_family *of = &m->af[f];
	struct route is;
	unsigned int rank, i;

	for (rank = RANKS; rank-- > 1;) {
		if (!of->rank_used[rank])
			continue;
		is = standby_default(m, f, rank);
		remove_route(m, &is);
		is = group_default(m, f, rank);
		remove_route(m, &is);
	}
	for (rank = 1; rank < RANKS; rank++)
		if (of->rank_used[rank])
			remove_nexthop(m, group_id(m, f, rank), true);
	for (i = 0; i < m->conf->n_links; i++)
		if (of->carries[i])
			remove_nexthop(m, link_id(m, f, i), true);
}

/* From the detour to the ids that are wanted. Nothing has those any more. */
static void leave_detour(struct making *m)
{
	uint32_t detour = m->base;

	m->plan->detour_end = m->plan->n_ops;
	if (detour == m->conf->nexthop_base)
		return;
	m->base = m->conf->nexthop_base;
	m->anew = true;
	each(m, plan_nexthops);
	each(m, plan_groups);
	each(m, plan_group_routes);
	m->base = detour;
	each(m, remove_detour);
}

/* --- rules --- */

static struct rule our_rule(enum family f, uint32_t priority, uint32_t table)
{
	return (struct rule){ .priority = priority, .table = table,
			      .family = family_af(f), .protocol = PROTO_MWAN };
}

static struct rule *want_rule(struct making *m, enum family f,
			      uint32_t priority, uint32_t table)
{
	struct rule *r = &m->rule[m->n_rules++];

	*r = our_rule(f, priority, table);
	return r;
}

/* Take the last one: the kernel adds a new rule after the old one. When the
 * rules could not be read, the table default tells the same.
 */
static int find_primary(const struct making *m, enum family f)
{
	const struct present *p = m->present;
	unsigned int i;
	int now = -1;

	for (i = 0; i < p->n_rules; i++)
		if (p->rule[i].priority == PRIORITY_PRIMARY &&
		    p->rule[i].family == family_af(f) && !p->rule[i].foreign)
			now = link_of_table(m, p->rule[i].table);
	for (i = 0; i < p->n_routes && p->rules_unread; i++)
		if (p->route[i].table == TABLE_DEFAULT &&
		    p->route[i].family == family_af(f) &&
		    p->route[i].protocol == PROTO_MWAN &&
		    p->route[i].metric == METRIC_DEFAULT)
			now = link_of_ifindex(m, p->route[i].ifindex);
	return now;
}

/* The link for the router's own and other unmarked traffic: it keeps its link
 * until that dies, or a better tier is back: a metered backup line is not left
 * in use for longer than needed.
 */
static int choose_primary(const struct making *m, enum family f)
{
	const struct making_family *of = &m->af[f];
	unsigned int i, rank, least = RANKS;
	int best = -1, now = of->primary_now;

	for (i = 0; i < m->conf->n_links; i++) {
		rank = rank_of(m, f, i);
		if (!of->usable[i] || rank >= least)
			continue;
		least = rank;
		best = (int)i;
	}
	if (now >= 0 && of->usable[now] &&
	    rank_of(m, f, (unsigned int)now) == least)
		return now;
	return best;
}

/* Is link @i (-1: none) of a worse tier than the primary? */
static bool behind(const struct making *m, enum family f, int i)
{
	const struct conf_link *link = m->conf->link;
	int primary = m->plan->primary[f];

	return i >= 0 && primary >= 0 && link[i].tier > link[primary].tier;
}

/* The flows of this link are ended when the primary moves to a better tier.
 * Flows of a drained link may finish, and flows of a link that is not usable,
 * or held, have moved already.
 */
static bool is_left(const struct making *m, enum family f, unsigned int i)
{
	return m->af[f].usable[i] && !is_held(m, f, i) &&
	       !m->present->link[i].drained && behind(m, f, (int)i);
}

/* Does the primary move to a better tier (or did it in a run that was killed),
 * and is there a link whose flows should follow?
 */
static bool find_failback(const struct making *m, enum family f)
{
	const struct rule *r;
	unsigned int i;
	bool moves = behind(m, f, m->af[f].primary_now), left = false;

	if (m->conf->failback != FAILBACK_MOVE || !in_force(m))
		return false;
	for (i = 0; i < m->present->n_rules; i++) {
		r = &m->present->rule[i];
		if (r->priority == PRIORITY_FAILBACK &&
		    r->family == family_af(f) && !r->foreign)
			moves = moves ||
				behind(m, f, link_of_table(m, r->table));
	}
	for (i = 0; i < m->conf->n_links; i++)
		left = left || is_left(m, f, i);
	return moves && left;
}

/* Are the router's own sockets to leave this link, when the primary's tier is
 * better? If they were not masqueraded, they would leave with an address of
 * another link.
 */
static bool gives_up(const struct making *m, enum family f, unsigned int i)
{
	return m->conf->failback == FAILBACK_MOVE && m->conf->masquerade &&
	       !m->present->link[i].drained && behind(m, f, (int)i);
}

/* A socket of the router that is connected has the source address of the link
 * that it was routed by, bound or not: the rule "from" would keep it on the
 * backup line for ever. After the primary's, the rule leads nothing there, so
 * the socket's next packet takes the primary and is masqueraded.
 */
static uint32_t from_priority(const struct making *m, enum family f,
			      unsigned int i)
{
	return gives_up(m, f, i) ? PRIORITY_FROM + i :
	       m->conf->rule_priority + RULE_FROM + i;
}

/* The other end of a line: its gateway, else its peer; family 0 if unknown. */
static struct addr far_end(const struct link_family *af)
{
	static const struct addr nobody;

	if (af->gateway.family)
		return af->gateway;
	return addr_equal(&af->peer, &af->local) ? nobody : af->peer;
}

/* Is @i's another link's too (one access server at the end of both, or two
 * modems as they came out of the shop)?
 */
static bool shares_peer(const struct making *m, enum family f, unsigned int i)
{
	struct addr end = far_end(&m->present->link[i].af[f]), other;
	unsigned int k;

	for (k = 0; k < m->conf->n_links && end.family; k++) {
		other = far_end(&m->present->link[k].af[f]);
		if (k != i && m->af[f].usable[k] && addr_equal(&other, &end))
			return true;
	}
	return false;
}

/* Packets from any prefix of link @i: the router's sockets, and packets without
 * a mark. Of a held link the router's alone, as its probes: hosts with its prefix
 * go on by the standby.
 */
static void want_from_prefixes(struct making *m, uint32_t priority,
			       unsigned int i)
{
	const struct prefixes *own = &m->present->link[i].own6;
	struct rule *r;
	unsigned int k;

	for (k = 0; k < own->n; k++) {
		r = want_rule(m, FAMILY_IPV6, priority, m->conf->link[i].table);
		r->from = own->item[k].addr;
		r->from_len = own->item[k].len;
		if (is_held(m, FAMILY_IPV6, i))
			strcpy(r->iif, "lo");
	}
}

/* Packets of sockets bound to any address of link @i, to @to (NULL:
 * anywhere).
 */
static void want_from(struct making *m, enum family f, uint32_t priority,
		      unsigned int i, const struct addr *to)
{
	const struct present *p = m->present;
	uint32_t table = m->conf->link[i].table;
	unsigned int first = m->n_rules, k;

	if (f == FAMILY_IPV6) {
		want_from_prefixes(m, priority, i);
		return;
	}
	want_rule(m, f, priority, table)->from = p->link[i].af[f].local;
	for (k = 0; k < p->n_extras; k++)
		if (p->extra[k].link == i &&
		    addr_family(&p->extra[k].addr) == f)
			want_rule(m, f, priority, table)->from =
				p->extra[k].addr;
	for (k = first; to && k < m->n_rules; k++) {
		m->rule[k].to = *to;
		m->rule[k].to_len = (uint8_t)(8 * addr_len(to));
	}
}

/* Packets with its mark go by this link. Without the rule, packets of a held
 * link go on to the standby; masquerading then ends their flow, which begins
 * again (nf_nat_core.c, nf_nat_inet_fn(), "oif_changed"). The table stays, and
 * so does the rule "from": a probe needs both, or it would leave by another
 * line and be answered there.
 */
static void want_mark(struct making *m, enum family f, uint32_t priority,
		      unsigned int i, const struct addr *to)
{
	struct rule *r;

	if (is_held(m, f, i))
		return;
	r = want_rule(m, f, priority, m->conf->link[i].table);
	r->mark = m->conf->link[i].mark;
	r->mask = m->conf->mark_mask;
	if (!to)
		return;
	r->to = *to;
	r->to_len = (uint8_t)(8 * addr_len(to));
}

/* Main has the peer's route by both links, and the rule of main comes first: it
 * would send what is for the peer by one of them, whatever its link is.
 */
static void want_peer(struct making *m, enum family f, unsigned int i)
{
	uint32_t priority = m->conf->rule_priority - 1;
	struct addr peer = far_end(&m->present->link[i].af[f]);

	/* Nothing is routed to a link-local address without its link. */
	if (f == FAMILY_IPV6 || !shares_peer(m, f, i))
		return;
	want_mark(m, f, priority, i, &peer);
	want_from(m, f, priority, i, &peer);
}

static uint32_t mark_priority(const struct making *m, enum family f,
			      unsigned int i)
{
	return m->conf->rule_priority + RULE_MARK + i +
	       (f == FAMILY_IPV6 ? RULE_ONLINK : 0);
}

/* Rules are added in this order and leftovers removed from the last to the
 * first: while rules of two values of rule_priority exist, those of the lower
 * value are complete, or they are the first of their list. The standby of one
 * before the marks of the other would take packets from their links.
 */
static void want_rules(struct making *m, enum family f)
{
	const struct conf *c = m->conf;
	uint32_t base = c->rule_priority;
	int primary = m->plan->primary[f];
	struct rule *r;
	unsigned int i;

	if (flushing(m))
		return;
	want_rule(m, f, PRIORITY_LAST, c->standby_table);
	if (!in_force(m))
		return;
	if (primary >= 0)
		want_rule(m, f, PRIORITY_PRIMARY, c->link[primary].table);
	r = want_rule(m, f, base + RULE_MAIN, TABLE_MAIN);
	r->suppress_default = true;
	r->mark = RULE_MAIN_NOT;
	r->mask = UINT32_MAX;
	r->invert = true;
	if (f == FAMILY_IPV6)
		want_rule(m, f, base + RULE_ONLINK, c->onlink_table);
	for (i = 0; i < c->n_links; i++)
		want_mark(m, f, mark_priority(m, f, i), i, NULL);
	for (i = 0; i < c->n_links; i++) {
		if (!m->af[f].stays[i])
			continue;
		want_from(m, f, from_priority(m, f, i), i, NULL);
		want_peer(m, f, i);
	}
	r = want_rule(m, f, base + RULE_STANDBY, c->standby_table);
	r->mask = c->mark_mask;
	r->invert = true;
}

/* Is @r in @list? @hint is where the next one is expected, upwards or downwards:
 * both lists have the links in the same order.
 */
static bool has_rule(const struct rule *list, unsigned int n, bool upwards,
		     const struct rule *r, unsigned int *hint)
{
	unsigned int k, i;

	for (k = 0; k < n; k++) {
		i = (*hint + (upwards ? k : n - k)) % n;
		if (!rule_equal(&list[i], r))
			continue;
		*hint = upwards ? i + 1 : i + n - 1;
		return true;
	}
	return false;
}

/* The rule that remembers the primary that is left. */
static struct rule failback_rule(const struct making *m, enum family f)
{
	return our_rule(f, PRIORITY_FAILBACK,
			m->conf->link[m->af[f].primary_now].table);
}

static bool is_present(const struct making *m, const struct rule *r)
{
	unsigned int hint = 0;

	return has_rule(m->present->rule, m->present->n_rules, true, r, &hint);
}

/* Must it be made, before the primary moves? */
static bool failback_is_new(const struct making *m, enum family f)
{
	struct rule r;

	if (!m->af[f].failback || !behind(m, f, m->af[f].primary_now))
		return false;
	r = failback_rule(m, f);
	return !is_present(m, &r);
}

static void plan_failback_rule(struct making *m, enum family f)
{
	if (failback_is_new(m, f))
		push(m, OP_RULE_ADD)->rule = failback_rule(m, f);
}

static void plan_failback_rule_removal(struct making *m, enum family f)
{
	if (failback_is_new(m, f))
		push(m, OP_RULE_DEL)->rule = failback_rule(m, f);
}

/* --- flows of a held link --- */

static struct rule held_rule(const struct making *m, enum family f,
			     unsigned int i)
{
	return our_rule(f, PRIORITY_HELD + i, m->conf->link[i].table);
}

/* Must flows of link @i be ended? Masquerading ends them by itself, one by one,
 * as their packets take another link: see want_mark(). Source NAT to a fixed
 * address does not, and they would leave by that link under this one's address
 * for ever.
 */
static bool held_is_new(const struct making *m, enum family f, unsigned int i)
{
	return in_force(m) && !m->conf->masquerade && is_held(m, f, i) &&
	       m->af[f].usable[i] &&
	       present_has_mark(m->present, f, m->conf->link[i].table);
}

/* Note this before the packets take another link: if we are killed after that,
 * the note stays.
 */
static void plan_held_rules(struct making *m, enum family f)
{
	struct rule r;
	unsigned int i;

	for (i = 0; i < m->conf->n_links; i++) {
		r = held_rule(m, f, i);
		if (held_is_new(m, f, i) && !is_present(m, &r))
			push(m, OP_RULE_ADD)->rule = r;
	}
}

/* And those that have been there go with the others that remember something. */
static void plan_held_rule_removal(struct making *m, enum family f)
{
	struct rule r;
	unsigned int i;

	for (i = 0; i < m->conf->n_links; i++) {
		r = held_rule(m, f, i);
		if (held_is_new(m, f, i) && !is_present(m, &r))
			push(m, OP_RULE_DEL)->rule = r;
	}
}

static void plan_rules(struct making *m)
{
	const struct present *p = m->present;
	unsigned int i, hint = 0;

	for (i = 0; i < m->n_rules; i++)
		if (!has_rule(p->rule, p->n_rules, true, &m->rule[i], &hint))
			push(m, OP_RULE_ADD)->rule = m->rule[i];
}

/* Is it a rule "from" a prefix that its link has, and can be used? */
static bool is_own(const struct making *m, const struct rule *r)
{
	const struct prefixes *own;
	int i = link_of_table(m, r->table);
	unsigned int k;

	if (i < 0 || !m->af[FAMILY_IPV6].usable[i])
		return false;
	own = &m->present->link[i].own6;
	for (k = 0; k < own->n; k++)
		if (own->item[k].len == r->from_len &&
		    addr_equal(&own->item[k].addr, &r->from))
			return true;
	return false;
}

/* A rule "from" an address that is gone remembers, in the kernel, that flows
 * of that address may still have to be ended. It goes last, after they are,
 * and that waits until there is a link for them to go on by. The same holds
 * for the rule of the primary that was left, and for those of held links.
 */
static bool remembers(const struct making *m, const struct rule *r)
{
	/* For IPv6: a prefix that the link no longer has, or that is of no use
	 * now.
	 */
	if (r->from.family == AF_INET6 && !r->foreign)
		return m->af[FAMILY_IPV6].planned && !is_own(m, r);
	return !r->foreign && (r->priority == PRIORITY_FAILBACK ||
	       r->priority == PRIORITY_STRAY ||
	       r->priority - PRIORITY_HELD < LINKS_MAX ||
	       (r->from.family && !present_has_addr(m->present, &r->from)));
}

/* Is a rule of its family and priority added? The kernel may ignore what
 * somebody else's rule has beyond ours (fib_rules.c, rule_exists()): "File
 * exists" may have meant that one.
 */
static bool adds_rule(const struct plan *p, const struct rule *like)
{
	unsigned int i;

	for (i = 0; i < p->n_ops; i++)
		if (p->op[i].kind == OP_RULE_ADD &&
		    p->op[i].rule.family == like->family &&
		    p->op[i].rule.priority == like->priority)
			return true;
	return false;
}

/* The kernel deletes the first rule that has what the request says, whatever
 * else it has (fib_rules.c, rule_find()). So delete first the rules that have
 * attributes which ours never have: those requests name them all and match none
 * of ours, while a request for one of ours could match one of them. Ours from
 * the last one on: see want_rules().
 */
static void plan_rule_removal(struct making *m, bool remembering)
{
	const struct rule *is;
	struct op *op;
	unsigned int i, k, hint = 0, n = m->present->n_rules;

	for (k = 2 * n; k-- > 0;) {
		i = k % n;
		is = &m->present->rule[i];
		if (is->foreign != (k >= n) || remembers(m, is) != remembering)
			continue;
		if (remembering && !flushing(m) &&
		    !m->af[family_index(is->family)].any_usable &&
		    is->priority != PRIORITY_STRAY)
			continue;
		/* Before mwan-rules is applied, only the last rule is ours. */
		if (!in_force(m) && !flushing(m) &&
		    is->priority != PRIORITY_LAST)
			continue;
		if (has_rule(m->rule, m->n_rules, false, is, &hint))
			continue;
		if (is->foreign && adds_rule(m->plan, is))
			m->plan->more = true;
		op = push(m, OP_RULE_DEL);
		op->rule = *is;
		op->serves = !remembering && !is->foreign;
	}
}

/* --- conntrack --- */

/* When an interface goes down or away, masquerading forgets its flows by
 * itself (nf_nat_masquerade.c, masq_device_event()); to look for them costs a
 * walk through the whole conntrack table, 10 ms and more. It does not see an
 * address that goes while the interface stays, and fixed source NAT, which is
 * the user's affair when masquerade = no, has no such thing at all.
 */
static bool forgets_itself(const struct making *m, int link)
{
	return m->conf->masquerade && link >= 0 &&
	       !(m->present->link[link].ifindex && m->present->link[link].up);
}

static void forget(struct making *m, const struct addr *a)
{
	struct plan *p = m->plan;
	unsigned int i;

	for (i = 0; i < p->n_ops; i++)
		if (p->op[i].kind == OP_CT_FORGET &&
		    addr_equal(&p->op[i].addr, a))
			return;
	push(m, OP_CT_FORGET)->addr = *a;
}

static void forget_gone(struct making *m, const struct addr *gone, int link)
{
	if (gone->family && m->af[addr_family(gone)].any_usable &&
	    !forgets_itself(m, link) && !present_has_addr(m->present, gone))
		forget(m, gone);
}

/* The flows of a prefix that left by link @i. Nobody else ends those that were
 * not translated.
 */
static void forget_prefix(struct making *m, const struct prefix *gone,
			  unsigned int i)
{
	static const struct prefix all = { .addr = { .family = AF_INET6 } };
	bool any = m->af[FAMILY_IPV6].usable[i];
	const struct op *last = &m->plan->op[m->plan->n_ops];
	struct op *op;

	/* No flow of a link that cannot be used lives on, whatever its prefix:
	 * that is one deletion, and a cheap one.
	 */
	if (!any && m->plan->n_ops && last[-1].kind == OP_CT_PREFIX &&
	    last[-1].lost.value == m->conf->link[i].mark)
		return;
	op = push(m, OP_CT_PREFIX);
	op->lost.prefix = any ? *gone : all;
	op->lost.value = m->conf->link[i].mark;
	op->lost.mask = m->conf->mark_mask;
	set_dev(op, m->conf->link[i].name);
}

/* The addresses of a held link are still there. */
static void forget_held(struct making *m, enum family f)
{
	const struct present *p = m->present;
	struct rule r;
	unsigned int i, k;

	for (i = 0; i < m->conf->n_links; i++) {
		r = held_rule(m, f, i);
		if (!m->af[f].usable[i] || !is_held(m, f, i) ||
		    !(held_is_new(m, f, i) || is_present(m, &r)))
			continue;
		for (k = 0; k < p->link[i].own6.n && f == FAMILY_IPV6; k++)
			forget_prefix(m, &p->link[i].own6.item[k], i);
		if (f == FAMILY_IPV6)
			continue;
		forget(m, &p->link[i].af[f].local);
		for (k = 0; k < p->n_extras; k++)
			if (p->extra[k].link == i &&
			    addr_family(&p->extra[k].addr) == f)
				forget(m, &p->extra[k].addr);
	}
}

/* The same of a prefix that rule @r remembers. */
static void forget_lost(struct making *m, const struct rule *r)
{
	struct prefix gone = { r->from, r->from_len };
	int i = link_of_table(m, r->table);

	if (remembers(m, r) && m->af[FAMILY_IPV6].any_usable && i >= 0)
		forget_prefix(m, &gone, (unsigned int)i);
}

static void plan_conntrack(struct making *m)
{
	const struct rule *r;
	unsigned int i;

	forget_gone(m, &m->event->gone, m->event->gone_link);
	for (i = 0; i < m->present->n_rules && in_force(m); i++) {
		r = &m->present->rule[i];
		if (!r->foreign && r->from.family == AF_INET6)
			forget_lost(m, r);
		else if (!r->foreign)
			forget_gone(m, &r->from, link_of_table(m, r->table));
	}
}

static void plan_failback(struct making *m, enum family f)
{
	const struct conf_link *l;
	const struct link *is;
	struct op *op;
	unsigned int i;

	for (i = 0; i < m->conf->n_links && m->af[f].failback; i++) {
		if (!is_left(m, f, i))
			continue;
		l = &m->conf->link[i];
		is = &m->present->link[i];
		op = push(m, OP_CT_END);
		op->mark.family = family_af(f);
		op->mark.value = l->mark;
		op->mark.mask = m->conf->mark_mask;
		if (f == FAMILY_IPV4 && gives_up(m, f, i))
			op->mark.own = is->af[f].local;
		set_dev(op, l->name);
	}
}

/* --- flows that masquerading has missed --- */

/* The rule that remembers them. */
static struct rule stray_rule(const struct making *m)
{
	return our_rule(FAMILY_IPV4, PRIORITY_STRAY, m->conf->standby_table);
}

/* Without a table, or with one that did not masquerade, flows leave
 * untranslated, and conntrack never translates a flow that it has confirmed
 * that way (nf_nat_core.c, nf_nat_inet_fn()): they stay dead even after the
 * table returns.
 */
static void find_stray(struct making *m)
{
	const struct present *p = m->present;
	unsigned int i;

	if (!in_force(m) || !m->conf->masquerade || p->nft_code)
		return;
	m->stray = !p->nft.masquerades;
	for (i = 0; i < p->n_rules; i++)
		if (p->rule[i].priority == PRIORITY_STRAY &&
		    !p->rule[i].foreign)
			m->stray = true;
}

/* Add it before the table is loaded: if we are killed after that, the rule
 * stays.
 */
static void plan_stray_rule(struct making *m)
{
	struct rule r = stray_rule(m);

	if (m->stray && !is_present(m, &r))
		push(m, OP_RULE_ADD)->rule = r;
}

static void plan_stray(struct making *m)
{
	struct rule r = stray_rule(m);

	if (!m->stray)
		return;
	push(m, OP_CT_STRAY);
	if (!is_present(m, &r))
		push(m, OP_RULE_DEL)->rule = r;
}

/* --- addresses and networks of IPv6 --- */

/* A line that has a link-local address alone, or none that is good for new
 * connections, lets masquerading take another line's (RFC 6724, rule 8).
 */
static void plan_addresses(struct making *m, enum family f)
{
	const struct link *is;
	struct addr want;
	struct op *op;
	unsigned int i;

	for (i = 0; i < m->conf->n_links && f == FAMILY_IPV6; i++) {
		is = &m->present->link[i];
		if (!m->af[f].usable[i] || is->has_own6)
			continue;
		want = own_address(is, i);
		if (!want.family || addr_equal(&want, &is->ours6))
			continue;
		op = push(m, OP_ADDR_ADD);
		op->own.ifindex = is->ifindex;
		op->own.addr = want;
		set_dev(op, m->conf->link[i].name);
	}
}

static void remove_address(struct making *m, const char *dev, uint32_t ifindex,
			   const struct addr *a)
{
	struct op *op = push(m, OP_ADDR_DEL);

	op->own.ifindex = ifindex;
	op->own.addr = *a;
	set_dev(op, dev);
}

/* Also of a link that IPv6 has left while its interface stays, and of what is no
 * link any more.
 */
static void plan_address_removal(struct making *m)
{
	const struct present_left *left = m->present->left;
	const struct link *is;
	const char *dev;
	struct addr want;
	unsigned int i;

	for (i = 0; i < m->present->n_left; i++)
		remove_address(m, left[i].dev, left[i].ifindex, &left[i].addr);
	for (i = 0; i < m->conf->n_links + m->conf->n_past; i++) {
		is = &m->present->link[i];
		dev = m->conf->link[i].name;
		want = own_address(is, i);
		if (is->stale6.family)
			remove_address(m, dev, is->ifindex, &is->stale6);
		if (!is->ours6.family ||
		    (m->af[FAMILY_IPV6].usable[i] && !is->has_own6 &&
		     addr_equal(&want, &is->ours6)))
			continue;
		remove_address(m, dev, is->ifindex, &is->ours6);
	}
}

static bool is_on(const struct onlink *list, unsigned int n,
		  const struct onlink *o)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (list[i].ifindex == o->ifindex &&
		    prefix_equal(&list[i].to, &o->to))
			return true;
	return false;
}

/* Is it a part of what a link has, or had when it was last of use? */
static bool is_of_link(const struct making *m, const struct prefix *p)
{
	const struct prefixes *own;
	unsigned int i, k;

	for (i = 0; i < m->conf->n_links; i++) {
		own = &m->present->link[i].own6;
		for (k = 0; k < own->n; k++)
			if (prefix_covers(&own->item[k], p))
				return true;
	}
	return false;
}

/* A client that loses its line removes the prefix from the LAN, but the hosts
 * go on using it: without a route of ours, their answers would leave by a line.
 */
static void plan_onlinks(struct making *m, enum family f)
{
	const struct present *p = m->present;
	struct onlink want;
	unsigned int i, k;

	for (i = 0; i < p->n_lans && f == FAMILY_IPV6 && in_force(m); i++) {
		want = p->lan[i];
		want.table = m->conf->onlink_table;
		for (k = 0; k < p->n_onlinks; k++)
			if (is_on(&p->onlink[k], 1, &want))
				break;
		if (is_of_link(m, &want.to) &&
		    (k == p->n_onlinks || p->onlink[k].expires))
			push(m, OP_ONLINK_SET)->onlink = want;
	}
	for (i = 0; i < p->n_onlinks && f == FAMILY_IPV6; i++) {
		want = p->onlink[i];
		if (want.expires || is_on(p->lan, p->n_lans, &want))
			continue;
		want.expires = ONLINK_EXPIRES;
		push(m, OP_ONLINK_SET)->onlink = want;
	}
}

static void plan_onlink_removal(struct making *m)
{
	unsigned int i;

	if (!flushing(m) && m->af[FAMILY_IPV6].planned)
		return;
	for (i = 0; i < m->present->n_onlinks; i++)
		push(m, OP_ONLINK_DEL)->onlink = m->present->onlink[i];
}

/* --- queues and nftables --- */

static void plan_qdiscs(struct making *m)
{
	const struct qdisc_conf *want;
	const struct link *is;
	struct op *op;
	unsigned int i, n = m->conf->n_links + m->conf->n_past;
	bool gone;

	for (i = 0; i < n && !m->present->queues_unread; i++) {
		is = &m->present->link[i];
		want = qdisc_conf_for(&m->conf->link[i].qdisc, is->shared);
		gone = flushing(m) || i >= m->conf->n_links;
		if (gone && qdisc_is_ours(&is->qdisc)) {
			op = push(m, OP_QDISC_DEL);
		} else if (is_in_use(m, i) &&
			   !qdisc_matches(&is->qdisc, want) &&
			   (!is->qdisc.handle || qdisc_is_ours(&is->qdisc))) {
			op = push(m, OP_QDISC_SET);
			op->qdisc.want = want;
		} else {
			continue;
		}
		op->qdisc.ifindex = is->ifindex;
		op->qdisc.is = is->qdisc;
		set_dev(op, m->conf->link[i].name);
	}
}

/* The links' part of the nftables table. It keeps what it has of one that
 * cannot be used now.
 */
static void want_table(struct making *m)
{
	struct table_state *want = &m->plan->table;
	unsigned int i, k;

	for (i = 0; i < m->conf->n_links; i++) {
		const struct link *is = &m->present->link[i];
		bool any = link_usable(is, FAMILY_IPV4) ||
			   link_usable(is, FAMILY_IPV6);

		want->link[i].mtu = any ? is->mtu : 0;
		want->link[i].own6 = is->own6;
	}
	/* The latest of each link before older ones. */
	want->n_past = 0;
	for (k = 0; k < PREFIXES_MAX; k++)
		for (i = 0; i < m->conf->n_links; i++)
			if (k < m->present->link[i].past6.n &&
			    want->n_past < PAST6_MAX)
				want->past6[want->n_past++] =
					m->present->link[i].past6.item[k];
	table_state_complete(m->plan->ruleset, want, &m->present->nft.state);
}

/* Do this before the link gets traffic, so that even its first packet is
 * treated right. A load of the whole table includes it.
 */
static void plan_fill(struct making *m)
{
	const struct nft_seen *is = &m->present->nft;

	if (!in_force(m) || m->present->nft_code)
		return;
	want_table(m);
	if (nft_intact(is, m->plan->ruleset) &&
	    !nft_filled(is, m->plan->ruleset, &m->plan->table))
		push(m, OP_NFT_FILL);
}

static void plan_nft(struct making *m)
{
	const struct nft_seen *is = &m->present->nft;

	if (m->present->nft_code)
		return;
	if (flushing(m) && is->present)
		push(m, OP_NFT_DELETE);
	else if (in_force(m) && !nft_intact(is, m->plan->ruleset))
		push(m, OP_NFT_LOAD);
}

/* Without the table packets leave untranslated, so it is more urgent than the
 * routes for marks: packets without a mark do not use those anyway.
 */
static bool masquerades_first(const struct making *m)
{
	return m->conf->masquerade && in_force(m) && !m->present->nft.present;
}

/* --- all of it --- */

static void plan_primary(struct making *m, enum family f)
{
	m->af[f].primary_now = find_primary(m, f);
	m->plan->primary[f] = choose_primary(m, f);
	m->af[f].failback = find_failback(m, f);
}

int plan_make(struct plan *plan, const struct conf *conf,
	      const struct present *present, const struct ruleset *ruleset,
	      const struct plan_event *event, struct err *err)
{
	/* Too large for the smallest stack that a hook may be given. */
	static struct making m ON_A_PAGE;
	unsigned int f;

	memset(&m, 0, offsetof(struct making, rule));
	m.plan = plan;
	m.conf = conf;
	m.present = present;
	m.event = event;
	m.err = err;
	plan->n_ops = plan->n_members = 0;
	plan->ruleset = ruleset;
	plan->more = present->more;
	m.base = conf->nexthop_base;
	for (f = 0; f < FAMILIES; f++)
		plan->primary[f] = -1;
	m.af[FAMILY_IPV4].planned = true;
	m.af[FAMILY_IPV6].planned = conf_families(conf) > 1 && present->ipv6 &&
				    own_any(present, conf);
	each(&m, find_usable);
	choose_base(&m);
	each(&m, plan_primary);
	find_stray(&m);
	each(&m, want_rules);

	/* A kill between any two of these leaves a router that works: routes
	 * before the rules that lead to them, additions before removals,
	 * conntrack when everything else is right. Routes go before rules: the
	 * tables of an earlier configuration are found by our rules alone, and
	 * a rule that leads to an empty table leads on to the next.
	 * Masquerading comes first when it is missing, and goes last at a
	 * flush: what can leave is translated at all times.
	 */
	plan_stray_rule(&m);
	plan_fill(&m);
	if (masquerades_first(&m))
		plan_nft(&m);
	plan_rp_filter(&m);
	plan_linkdown(&m);
	plan_arp(&m);
	each(&m, plan_hash);
	each(&m, plan_addresses);
	each(&m, plan_onlinks);
	each(&m, plan_nexthops);
	each(&m, plan_link_routes);
	each(&m, plan_groups);
	each(&m, plan_stale_groups);
	each(&m, plan_group_routes);
	each(&m, plan_last_resort);
	each(&m, plan_primary_default);
	plan_dead_route_removal(&m);
	each(&m, plan_failback_rule);
	each(&m, plan_held_rules);
	plan_rules(&m);
	plan_last_resort_removal(&m);
	if (!masquerades_first(&m) && !flushing(&m))
		plan_nft(&m);
	plan_route_removal(&m);
	plan_rule_removal(&m, false);
	plan_nexthop_removal(&m);
	plan_onlink_removal(&m);
	plan_address_removal(&m);
	leave_detour(&m);
	plan_qdiscs(&m);
	plan_ip_forward(&m);
	plan_conntrack(&m);
	each(&m, forget_held);
	each(&m, plan_failback);
	plan_stray(&m);
	plan_rule_removal(&m, true);
	if (flushing(&m))
		plan_nft(&m);
	each(&m, plan_failback_rule_removal);
	each(&m, plan_held_rule_removal);
	return m.code;
}
