// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "plan.h"
#include "rttables.h"

enum {
	/* Ids from nexthop_base on; link 0 has base + 1, tier 1 base + 257. */
	ID_LINK = 1,
	ID_TIER = 256,
	RULES_WANTED_MAX = 2 * LINKS_MAX + 4,
	RP_STRICT = 1,
	RP_LOOSE = 2,
};

/* A plan in the making. */
struct making {
	struct plan *plan;
	const struct conf *conf;
	const struct present *present;
	const struct plan_event *event;
	struct err *err;
	bool usable[LINKS_MAX];
	bool any_usable;
	bool tier_used[TIER_MAX + 1];
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

/* Everything but the links' own part is in force, or shall be. */
static bool in_force(const struct making *m)
{
	return m->event->goal == PLAN_ALL || m->event->goal == PLAN_APPLY;
}

/* --- usable links --- */

static void find_usable(struct making *m)
{
	unsigned int i;

	for (i = 0; i < m->conf->n_links && !flushing(m); i++) {
		m->usable[i] = present_usable(&m->present->link[i]);
		if (!m->usable[i])
			continue;
		m->any_usable = true;
		m->tier_used[m->conf->link[i].tier] = true;
	}
}

static int link_of_ifindex(const struct making *m, uint32_t ifindex)
{
	unsigned int i;

	for (i = 0; ifindex && i < m->conf->n_links; i++)
		if (m->present->link[i].ifindex == ifindex)
			return (int)i;
	return -1;
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
 * their source: strict reverse path filtering drops them. The larger of "all"
 * and the interface's own value counts.
 */
static void plan_rp_filter(struct making *m)
{
	const struct present *p = m->present;
	struct op *op;
	unsigned int i;
	int effective;

	for (i = 0; i < m->conf->n_links && m->conf->sysctl; i++) {
		if (!m->usable[i])
			continue;
		effective = p->link[i].rp_filter;
		if (effective < p->rp_filter_all)
			effective = p->rp_filter_all;
		if (effective != RP_STRICT)
			continue;
		op = push(m, OP_SYSCTL);
		sysctl_rp_filter_path(m->conf->link[i].name, op->sysctl.path);
		op->sysctl.value = RP_LOOSE;
	}
}

static void plan_ip_forward(struct making *m)
{
	struct op *op;

	if (m->event->goal != PLAN_APPLY || !m->conf->sysctl ||
	    m->present->ip_forward != 0)
		return;
	op = push(m, OP_SYSCTL);
	strcpy(op->sysctl.path, SYSCTL_IP_FORWARD);
	op->sysctl.value = 1;
}

/* --- nexthops and groups --- */

static uint32_t link_id(const struct making *m, unsigned int link)
{
	return m->conf->nexthop_base + ID_LINK + link;
}

static uint32_t tier_id(const struct making *m, unsigned int tier)
{
	return m->conf->nexthop_base + ID_TIER + tier;
}

static const struct nexthop *find_nexthop(const struct making *m, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < m->present->n_nexthops; i++)
		if (m->present->nexthop[i].id == id)
			return &m->present->nexthop[i];
	return NULL;
}

static bool nexthop_equal(const struct nexthop *a, const struct nexthop *b)
{
	unsigned int i;

	if (a->ifindex != b->ifindex || a->n_members != b->n_members)
		return false;
	for (i = 0; i < a->n_members; i++)
		if (a->member[i].id != b->member[i].id ||
		    a->member[i].weight != b->member[i].weight)
			return false;
	return true;
}

static int want_nexthop(struct making *m, const struct nexthop *want,
			const char *dev)
{
	const struct nexthop *is = find_nexthop(m, want->id);
	struct op *op;

	if (is && is->protocol != PROTO_MWAN)
		return err_set(m->err, -EEXIST, "nexthop %u belongs to "
			       "another program (protocol %u): set "
			       "nexthop_base to the first of 512 free ids in "
			       "mwan.ini", want->id, is->protocol);
	if (is && nexthop_equal(is, want))
		return 0;
	op = push(m, OP_NEXTHOP_SET);
	op->nexthop = *want;
	set_dev(op, dev);
	return 0;
}

static int plan_nexthops(struct making *m)
{
	struct nexthop want = { .protocol = PROTO_MWAN, .family = AF_INET };
	unsigned int i;
	int code = 0;

	for (i = 0; i < m->conf->n_links && !code; i++) {
		if (!m->usable[i])
			continue;
		want.id = link_id(m, i);
		want.ifindex = m->present->link[i].ifindex;
		code = want_nexthop(m, &want, m->conf->link[i].name);
	}
	return code;
}

static int plan_groups(struct making *m)
{
	struct plan *p = m->plan;
	struct nexthop want = { .protocol = PROTO_MWAN,
				.family = AF_UNSPEC };
	unsigned int tier, i;
	int code = 0;

	for (tier = 1; tier <= TIER_MAX && !code; tier++) {
		if (!m->tier_used[tier])
			continue;
		want.id = tier_id(m, tier);
		want.member = &p->member[p->n_members];
		want.n_members = 0;
		for (i = 0; i < m->conf->n_links; i++) {
			if (!m->usable[i] || m->conf->link[i].tier != tier)
				continue;
			want.n_members++;
			p->member[p->n_members++] = (struct nexthop_member){
				.id = link_id(m, i),
				.weight = m->conf->link[i].weight,
			};
		}
		code = want_nexthop(m, &want, "");
	}
	return code;
}

/* What is no longer wanted, an earlier configuration's ids included; groups
 * first, or the removal of a member would change them.
 */
static void plan_nexthop_removal(struct making *m)
{
	const struct nexthop *nh;
	uint32_t base = m->conf->nexthop_base, offset;
	unsigned int i, pass;
	bool wanted, group;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < m->present->n_nexthops; i++) {
			nh = &m->present->nexthop[i];
			offset = nh->id - base;
			group = nh->n_members > 0;
			if (nh->protocol != PROTO_MWAN || group == (pass == 1))
				continue;
			if (group)
				wanted = offset > ID_TIER &&
					 offset - ID_TIER <= TIER_MAX &&
					 m->tier_used[offset - ID_TIER];
			else
				wanted = offset >= ID_LINK &&
					 offset - ID_LINK < LINKS_MAX &&
					 m->usable[offset - ID_LINK];
			if (!wanted)
				push(m, OP_NEXTHOP_DEL)->nexthop.id = nh->id;
		}
	}
}

/* --- routes --- */

static bool route_equal(const struct route *a, const struct route *b)
{
	return a->table == b->table && a->metric == b->metric &&
	       a->ifindex == b->ifindex && a->nhid == b->nhid &&
	       a->protocol == b->protocol && a->type == b->type &&
	       a->tos == b->tos && addr_equal(&a->gateway, &b->gateway);
}

/* The default that a usable link's table shall have. */
static struct route link_default(const struct making *m, unsigned int i)
{
	return (struct route){ .table = m->conf->link[i].table,
			       .ifindex = m->present->link[i].ifindex,
			       .family = AF_INET, .protocol = PROTO_MWAN,
			       .type = RTN_UNICAST, .scope = RT_SCOPE_LINK };
}

/* The default that leads to a tier's group. Its metric is the tier's number,
 * so the next tier's stands behind it.
 */
static struct route standby_default(const struct making *m, unsigned int tier)
{
	return (struct route){ .table = m->conf->standby_table,
			       .metric = tier, .nhid = tier_id(m, tier),
			       .family = AF_INET, .protocol = PROTO_MWAN,
			       .type = RTN_UNICAST,
			       .scope = RT_SCOPE_UNIVERSE };
}

/* The present route of a nexthop object shows the object's device too. */
static bool same_route(const struct route *is, const struct route *want)
{
	struct route r = *is;

	if (r.nhid)
		r.ifindex = 0;
	return route_equal(&r, want);
}

static void want_route(struct making *m, const struct route *want,
		       const char *dev)
{
	struct op *op;
	unsigned int i;

	for (i = 0; i < m->present->n_routes; i++)
		if (same_route(&m->present->route[i], want))
			return;
	op = push(m, OP_ROUTE_ADD);
	op->route = *want;
	set_dev(op, dev);
}

static void plan_link_routes(struct making *m)
{
	struct route want;
	unsigned int i;

	for (i = 0; i < m->conf->n_links; i++) {
		if (!m->usable[i])
			continue;
		want = link_default(m, i);
		want_route(m, &want, m->conf->link[i].name);
	}
}

static void plan_standby_routes(struct making *m)
{
	struct route want;
	unsigned int tier;

	for (tier = 1; tier <= TIER_MAX; tier++) {
		if (!m->tier_used[tier])
			continue;
		want = standby_default(m, tier);
		want_route(m, &want, "");
	}
}

/* In a link's table every default through a managed link is ours to replace:
 * the scripts that we follow left such ones behind. Everything else that is
 * not of our protocol is somebody's who knows why.
 */
static bool route_stale(const struct making *m, const struct route *is)
{
	struct route want;
	int i = link_of_table(m, is->table);

	if (i >= 0) {
		if (is->protocol != PROTO_MWAN &&
		    (flushing(m) || link_of_ifindex(m, is->ifindex) < 0))
			return false;
		want = link_default(m, (unsigned int)i);
		return !m->usable[i] || !same_route(is, &want);
	}
	if (is->protocol != PROTO_MWAN)
		return false;
	if (is->table != m->conf->standby_table || is->metric < 1 ||
	    is->metric > TIER_MAX || !m->tier_used[is->metric])
		return true;
	want = standby_default(m, is->metric);
	return !same_route(is, &want);
}

static void plan_route_removal(struct making *m)
{
	const struct route *is;
	struct op *op;
	unsigned int i;
	int link;

	for (i = 0; i < m->present->n_routes; i++) {
		is = &m->present->route[i];
		if (!route_stale(m, is))
			continue;
		op = push(m, OP_ROUTE_DEL);
		op->route = *is;
		link = link_of_ifindex(m, is->ifindex);
		if (link >= 0 && !is->nhid)
			set_dev(op, m->conf->link[link].name);
	}
}

/* --- rules --- */

static struct rule *want_rule(struct making *m, uint32_t priority,
			      uint32_t table)
{
	struct rule *r = &m->rule[m->n_rules++];

	*r = (struct rule){ .priority = priority, .table = table,
			    .family = AF_INET, .protocol = PROTO_MWAN };
	return r;
}

/* The link for the router's own and other unmarked traffic: it keeps its link
 * until that dies, or a better tier is back: a metered backup line is not left
 * in use for longer than needed.
 */
static int choose_primary(const struct making *m)
{
	const struct conf *c = m->conf;
	unsigned int i;
	int best = -1, now = -1;

	for (i = 0; i < m->present->n_rules; i++)
		if (m->present->rule[i].priority == PRIORITY_PRIMARY)
			now = link_of_table(m, m->present->rule[i].table);
	for (i = 0; i < c->n_links; i++)
		if (m->usable[i] &&
		    (best < 0 || c->link[i].tier < c->link[best].tier))
			best = (int)i;
	if (now >= 0 && m->usable[now] &&
	    c->link[now].tier == c->link[best].tier)
		return now;
	return best;
}

/* In the order in which they are added: the standby before the rules that
 * fall through to it.
 */
static void want_rules(struct making *m)
{
	const struct conf *c = m->conf;
	uint32_t base = c->rule_priority;
	struct rule *r;
	unsigned int i;

	if (flushing(m))
		return;
	want_rule(m, PRIORITY_LAST, c->standby_table);
	if (!in_force(m))
		return;
	r = want_rule(m, base + RULE_STANDBY, c->standby_table);
	r->mask = c->mark_mask;
	r->invert = true;
	if (m->plan->primary >= 0)
		want_rule(m, PRIORITY_PRIMARY,
			  c->link[m->plan->primary].table);
	r = want_rule(m, base + RULE_MAIN, TABLE_MAIN);
	r->suppress_default = true;
	for (i = 0; i < c->n_links; i++) {
		r = want_rule(m, base + RULE_MARK + i, c->link[i].table);
		r->mark = c->link[i].mark;
		r->mask = c->mark_mask;
	}
	for (i = 0; i < c->n_links; i++) {
		if (!m->usable[i])
			continue;
		r = want_rule(m, base + RULE_FROM + i, c->link[i].table);
		r->from = m->present->link[i].local;
	}
}

/* Is @r in @list? @hint is where the last one was found: both lists have the
 * links in the same order.
 */
static bool has_rule(const struct rule *list, unsigned int n,
		     const struct rule *r, unsigned int *hint)
{
	unsigned int k, i;

	for (k = 0; k < n; k++) {
		i = (*hint + k) % n;
		if (!rule_equal(&list[i], r))
			continue;
		*hint = i + 1;
		return true;
	}
	return false;
}

static void plan_rules(struct making *m)
{
	const struct present *p = m->present;
	unsigned int i, hint = 0;

	for (i = 0; i < m->n_rules; i++)
		if (!has_rule(p->rule, p->n_rules, &m->rule[i], &hint))
			push(m, OP_RULE_ADD)->rule = m->rule[i];
}

/* A rule "from" an address that is gone remembers, in the kernel, that flows
 * of that address may still have to be ended. It goes last, after they are,
 * and that waits until there is a link for them to go on by.
 */
static bool remembers(const struct making *m, const struct rule *r)
{
	return r->from.family && !present_has_addr(m->present, &r->from);
}

static void plan_rule_removal(struct making *m, bool remembering)
{
	const struct rule *is;
	unsigned int i, hint = 0;

	for (i = 0; i < m->present->n_rules; i++) {
		is = &m->present->rule[i];
		if (remembers(m, is) != remembering)
			continue;
		if (remembering && !m->any_usable && !flushing(m))
			continue;
		/* Without mwan-rules in force only the last rule is ours. */
		if (!in_force(m) && !flushing(m) &&
		    is->priority != PRIORITY_LAST)
			continue;
		if (!has_rule(m->rule, m->n_rules, is, &hint))
			push(m, OP_RULE_DEL)->rule = *is;
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

static void forget(struct making *m, const struct addr *gone, int link)
{
	struct plan *p = m->plan;
	unsigned int i;

	if (!gone->family || !m->any_usable || forgets_itself(m, link) ||
	    present_has_addr(m->present, gone))
		return;
	for (i = 0; i < p->n_ops; i++)
		if (p->op[i].kind == OP_CT_FORGET &&
		    addr_equal(&p->op[i].addr, gone))
			return;
	push(m, OP_CT_FORGET)->addr = *gone;
}

static void plan_conntrack(struct making *m)
{
	const struct rule *r;
	unsigned int i;

	forget(m, &m->event->gone, m->event->gone_link);
	for (i = 0; i < m->present->n_rules && in_force(m); i++) {
		r = &m->present->rule[i];
		forget(m, &r->from, link_of_table(m, r->table));
	}
}

/* --- queues and nftables --- */

static void plan_qdiscs(struct making *m)
{
	const struct conf_link *want;
	const struct present_link *is;
	struct op *op;
	unsigned int i;

	for (i = 0; i < m->conf->n_links; i++) {
		want = &m->conf->link[i];
		is = &m->present->link[i];
		if (flushing(m) && qdisc_is_ours(&is->qdisc)) {
			op = push(m, OP_QDISC_DEL);
		} else if (m->usable[i] &&
			   !qdisc_matches(&is->qdisc, &want->qdisc) &&
			   (!is->qdisc.handle || qdisc_is_ours(&is->qdisc))) {
			op = push(m, OP_QDISC_SET);
			op->qdisc.want = &want->qdisc;
		} else {
			continue;
		}
		op->qdisc.ifindex = is->ifindex;
		op->qdisc.is = is->qdisc;
		set_dev(op, want->name);
	}
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

/* --- all of it --- */

int plan_make(struct plan *plan, const struct conf *conf,
	      const struct present *present, const struct ruleset *ruleset,
	      const struct plan_event *event, struct err *err)
{
	struct making m;
	int code;

	memset(&m, 0, offsetof(struct making, rule));
	m.plan = plan;
	m.conf = conf;
	m.present = present;
	m.event = event;
	m.err = err;
	plan->n_ops = plan->n_members = 0;
	plan->ruleset = ruleset;
	plan->more = present->more;
	find_usable(&m);
	plan->primary = choose_primary(&m);
	want_rules(&m);

	/* Whoever is killed between any two of these leaves a router that
	 * works: routes before what leads to them, additions before removals,
	 * conntrack when everything else is right. Routes go before rules:
	 * the tables of an earlier configuration are found by our rules alone,
	 * and a rule that leads to an empty table leads on to the next.
	 */
	plan_rp_filter(&m);
	code = plan_nexthops(&m);
	if (code)
		return code;
	plan_link_routes(&m);
	code = plan_groups(&m);
	if (code)
		return code;
	plan_standby_routes(&m);
	plan_rules(&m);
	plan_nft(&m);
	plan_route_removal(&m);
	plan_rule_removal(&m, false);
	plan_nexthop_removal(&m);
	plan_qdiscs(&m);
	plan_ip_forward(&m);
	plan_conntrack(&m);
	plan_rule_removal(&m, true);
	return 0;
}
