// SPDX-License-Identifier: MIT
/* The plan, without a kernel: a model of what the kernel does stands in for
 * it. First some examples that can be read, then properties over a random
 * schedule of what can happen to a router: links that come and go, addresses
 * that change, hooks that are killed or never called, other configurations,
 * what other programs do.
 *
 *	unit-plan [ROUNDS [SEED]]
 *
 * A failed property prints the round and the seed that repeat it; UNIT_SEED
 * in the environment sets the seed as well.
 */
#include <errno.h>
#include <limits.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "conf/rttables.h"
#include "model.h"
#include "unit.h"

enum {
	ROUNDS = 20000,
	ROUNDS_LONG = 1000000,	/* with TEST_LONG in the environment */
	/* Rounds until the router is another one. */
	WORLD = 60,
	PROTO_BOOT = 3,
	PROTO_STATIC = 4,
	PROTO_DHCP = 16,
	/* run.c goes round more often. */
	ROUNDS_MAX = 4,
};

static struct kernel kernel, fresh, settled;
static bool in_force;

/* --- properties --- */

enum property {
	P_ACCEPTED, P_LIMIT, P_IDEMPOTENT, P_SCRATCH, P_PREFIX_MARK,
	P_PREFIX_UNMARKED, P_ORDER, P_FOREIGN, P_LEFTOVER, P_PRIMARY,
	P_STALE, P_MTU, P_FLUSH, P_LINKS_ONLY, P_MARK, P_FROM, P_UNMARKED,
	P_DOWN, P_HOST, P_MAIN, P_DEFAULT, P_LAST, P_FAILBACK, P_KEEP, P_STRAY,
	N_PROPERTIES,
};

static struct {
	const char *what;
	unsigned long checked, failed;
	char first[256];
} property[N_PROPERTIES] = {
	[P_ACCEPTED] = { .what = "the kernel refuses no operation" },
	[P_LIMIT] = { .what = "no plan is longer than its array" },
	[P_IDEMPOTENT] = { .what = "a second run has nothing to do" },
	[P_SCRATCH] = { .what = "the history leaves no trace: the state is "
				"what it would be from scratch" },
	[P_PREFIX_MARK] = { .what = "every prefix of a plan leaves each mark "
				    "a live way" },
	[P_PREFIX_UNMARKED] = { .what = "every prefix of a plan leaves "
					"unmarked traffic a live way" },
	[P_ORDER] = { .what = "nothing is removed before what replaces it "
			      "is there" },
	[P_FOREIGN] = { .what = "foreign rules, routes and nexthops stay" },
	[P_LEFTOVER] = { .what = "the scripts' leftover defaults are "
				 "replaced" },
	[P_PRIMARY] = { .what = "the primary stays until it dies or a better "
				"tier is back" },
	[P_STRAY] = { .what = "what began without masquerading is ended" },
	[P_STALE] = { .what = "an address that is gone is remembered until "
			      "its connections are ended" },
	[P_MTU] = { .what = "nftables knows the MTU of each link" },
	[P_FLUSH] = { .what = "a flush leaves nothing of ours" },
	[P_LINKS_ONLY] = { .what = "the links' part alone leaves other rules "
				   "and nftables as they are" },
	[P_MARK] = { .what = "a mark goes by its link, else by the standby" },
	[P_FROM] = { .what = "a link's address goes by the link, "
			     "unless that one is given up" },
	[P_UNMARKED] = { .what = "unmarked traffic goes by one link of the "
				 "best tier" },
	[P_DOWN] = { .what = "without a link nothing of ours leads anywhere" },
	[P_HOST] = { .what = "reverse path filter, forwarding and queues are "
			     "as they should be" },
	[P_MAIN] = { .what = "nothing of ours is in main" },
	[P_DEFAULT] = { .what = "the table default alone leads out by the "
				"primary" },
	[P_LAST] = { .what = "without a link the last resort has the last "
			     "word" },
	[P_FAILBACK] = { .what = "when a better tier is back, flows of worse "
				 "ones are ended if that is asked for" },
	[P_KEEP] = { .what = "and no others are" },
};

/* Somebody has taken rules of ours away, or left a default through a link that
 * may be dead: what comes next need not be better at every step, only at its
 * end.
 */
static bool damaged;
static unsigned long round_number;
static uint64_t first_seed;

/* The first lines of the plan that has led to a failure. */
static void show_plan(void)
{
	char text[4096] = "";
	FILE *f = fmemopen(text, sizeof(text) - 1, "w");

	plan_print(&plan, f);
	fclose(f);
	unit_show("the last plan:", text);
}

static void hold(enum property p, bool good, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void hold(enum property p, bool good, const char *fmt, ...)
{
	va_list ap;

	property[p].checked++;
	if (good || property[p].failed++)
		return;
	va_start(ap, fmt);
	vsnprintf(property[p].first, sizeof(property[p].first), fmt, ap);
	va_end(ap);
	printf("# round %lu, seed %llu: %s\n", round_number,
	       (unsigned long long)first_seed, property[p].first);
	show_plan();
}

static const char *op_text(const struct op *op)
{
	static char text[512];
	FILE *f = fmemopen(text, sizeof(text), "w");

	op_print(&plan, op, f);
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* Ours to replace: a default through a link in a link's table. */
static bool leftover(struct kernel *k, const struct route *r)
{
	const struct dev *d;
	unsigned int i;
	bool link = false, table = false;

	for (i = 0; i < conf.n_links; i++) {
		d = dev_of_link(k, i);
		table = table || conf.link[i].table == r->table;
		link = link || (r->ifindex && r->ifindex == d->ifindex);
		/* What may tell the gateway stays. */
		if (r->protocol != PROTO_MWAN && r->gateway.family &&
		    conf.link[i].table == r->table && d->shared && r->ifindex &&
		    r->ifindex == d->ifindex)
			return false;
	}
	return r->protocol != PROTO_MWAN && link && table;
}

/* A number that changes when anything does that is not ours. */
static uint64_t foreign_digest(struct kernel *k)
{
	const struct rule *r;
	const struct route *t;
	const struct nexthop *nh;
	uint64_t d = 1;
	unsigned int i;

	for (i = 0; i < k->n_rules; i++) {
		r = &k->rule[i];
		if (r->protocol != PROTO_MWAN)
			d = d * 31 + r->priority * 7 + r->table + r->mark;
	}
	for (i = 0; i < k->n_routes; i++) {
		t = &k->route[i];
		if (t->protocol != PROTO_MWAN && !leftover(k, t))
			d += ((uint64_t)t->table * 131 + t->metric) *
			     (t->ifindex + 7);
	}
	for (i = 0; i < k->n_nexthops; i++) {
		nh = &k->nexthop[i].nh;
		if (nh->protocol != PROTO_MWAN)
			d += nh->id * 1000003ULL + nh->ifindex;
	}
	return d;
}

/* Every order that plan_make() promises. */
static void check_order(enum plan_goal goal)
{
	unsigned int i, k, added[2] = { 0 };
	const struct op *op;

	hold(P_LIMIT, plan.n_ops <= PLAN_OPS_MAX, "%u operations",
	     plan.n_ops);
	for (i = 0; i < plan.n_ops; i++) {
		op = &plan.op[i];
		if (op->kind == OP_NEXTHOP_SET || op->kind == OP_ROUTE_ADD ||
		    op->kind == OP_RULE_ADD || op->kind == OP_NFT_LOAD)
			added[i >= plan.detour_end] = i;
	}
	for (i = 0; i < plan.n_ops; i++) {
		op = &plan.op[i];
		if (op->kind == OP_NEXTHOP_DEL ||
		    (op->kind == OP_ROUTE_DEL &&
		     op->route.type == RTN_UNICAST && op->serves) ||
		    op->kind == OP_RULE_DEL || op->kind == OP_CT_FORGET ||
		    op->kind == OP_CT_END || op->kind == OP_CT_STRAY)
			hold(P_ORDER, i >= added[i >= plan.detour_end],
			     "too early: %s",
			     op_text(op));
		hold(P_HOST, op->kind != OP_SYSCTL ||
		     !strstr(op->sysctl.path, "hash") ||
		     (conf.sysctl && conf.n_links > 2), "a hash for nothing");
		for (k = 0; op->kind == OP_CT_END && k < i; k++)
			hold(P_ORDER, plan.op[k].kind != OP_RULE_DEL ||
			     plan.op[k].rule.priority != PRIORITY_FAILBACK,
			     "forgotten before it was done: %s", op_text(op));
		for (k = 0; op->kind == OP_CT_STRAY && k < i; k++)
			hold(P_ORDER, plan.op[k].kind != OP_RULE_DEL ||
			     plan.op[k].rule.priority != PRIORITY_STRAY,
			     "forgotten before it was done: %s", op_text(op));
		for (k = 0; op->kind == OP_CT_FORGET && k < i; k++)
			hold(P_ORDER, plan.op[k].kind != OP_RULE_DEL ||
			     present_has_addr(&present, &op->addr) ||
			     !addr_equal(&plan.op[k].rule.from, &op->addr),
			     "forgotten before it was done: %s", op_text(op));
		if (goal != PLAN_LINKS || op->kind == OP_NFT_LOAD)
			continue;
		hold(P_LINKS_ONLY, op->kind != OP_NFT_DELETE &&
		     ((op->kind != OP_RULE_ADD && op->kind != OP_RULE_DEL) ||
		      op->rule.priority == PRIORITY_LAST),
		     "not the links' part: %s", op_text(op));
	}
}

static bool any_alive(struct kernel *k)
{
	unsigned int i;

	for (i = 0; i < conf.n_links; i++)
		if (alive(dev_of_link(k, i)))
			return true;
	return false;
}

/* Does something of ours lead to a link that is dead, and the kernel did not
 * see that? (Only its address is gone.)
 */
static bool leads_astray(struct kernel *k)
{
	unsigned int i;

	for (i = 0; i < k->n_routes; i++)
		if (k->route[i].protocol == PROTO_MWAN && !k->route[i].nhid &&
		    k->route[i].type == RTN_UNICAST &&
		    !alive(dev_of(k, k->route[i].ifindex)) &&
		    !passed_over(k, &k->route[i]))
			return true;
	for (i = 0; i < k->n_nexthops; i++)
		if (k->nexthop[i].nh.ifindex &&
		    !alive(dev_of(k, k->nexthop[i].nh.ifindex)))
			return true;
	return false;
}

static int link_of_table(uint32_t table)
{
	unsigned int i;

	for (i = 0; i < conf.n_links; i++)
		if (conf.link[i].table == table)
			return (int)i;
	return -1;
}

/* The link that the last of our rules of this priority leads to, or -1. */
static int link_of_rule(const struct kernel *k, uint32_t priority)
{
	unsigned int i;
	int link = -1;

	for (i = 0; i < k->n_rules; i++)
		if (k->rule[i].protocol == PROTO_MWAN &&
		    k->rule[i].priority == priority)
			link = link_of_table(k->rule[i].table);
	return link;
}

static bool worse(int link, int than)
{
	return link >= 0 && than >= 0 &&
	       conf.link[link].tier > conf.link[than].tier;
}

/* Is the link held while another one is alive that is not? */
static bool gives_way(struct kernel *k, unsigned int link)
{
	unsigned int i;

	for (i = 0; held[link] && i < conf.n_links; i++)
		if (!held[i] && alive(dev_of_link(k, i)))
			return true;
	return false;
}

/* Has a link that gives way this address, and nothing else ends its flows? */
static bool is_of_held(struct kernel *k, const struct addr *a)
{
	const struct dev *d;
	unsigned int i;

	for (i = 0; i < conf.n_links && !conf.masquerade; i++) {
		d = dev_of_link(k, i);
		if (gives_way(k, i) && (addr_equal(&d->local, a) ||
					addr_equal(&d->extra, a)))
			return true;
	}
	return false;
}

static bool any_left(struct kernel *k, int primary)
{
	unsigned int i;

	for (i = 0; i < conf.n_links; i++)
		if (alive(dev_of_link(k, i)) &&
		    !drained[i] && !gives_way(k, i) && worse((int)i, primary))
			return true;
	return false;
}

/* Why flows of worse tiers may be ended in this plan: the primary that it
 * found, or that an earlier one has left.
 */
static bool may_end;
/* The device of a primary that has been left; -1: nothing is owed. */
static int owed = -1;

static void check_end(struct kernel *k, const struct op *op)
{
	int primary = link_of_rule(k, PRIORITY_PRIMARY);
	const struct conf_link *l = NULL;
	unsigned int i;

	for (i = 0; i < conf.n_links; i++)
		if (conf.link[i].mark == op->mark.value)
			l = &conf.link[i];
	hold(P_KEEP, may_end && conf.failback == FAILBACK_MOVE && l &&
	     op->mark.mask == conf.mark_mask && !drained[l - conf.link] &&
	     !gives_way(k, (unsigned int)(l - conf.link)) &&
	     worse((int)(l - conf.link), primary) &&
	     alive(dev_of_link(k, (unsigned int)(l - conf.link))), "%s",
	     op_text(op));
}

/* Take down that the primary has moved from @old, by a plan or a part of it. */
static void note_move(struct kernel *k, int old)
{
	int now = link_of_rule(k, PRIORITY_PRIMARY);

	if (conf.failback != FAILBACK_MOVE || !worse(old, now) ||
	    !any_left(k, now))
		return;
	if (owed < 0 || !worse(link_of_rule(k, PRIORITY_FAILBACK), old))
		owed = (int)dev_number((unsigned int)old);
}

/* Before which operation something happens to a link; beyond the last: before
 * none. From then on the plan is one for another kernel, whose operations may
 * be refused: somebody looks again.
 */
static unsigned int midway = UINT_MAX;

static void iface_event(struct kernel *k, struct plan_event *event);

/* Carry out the first @n operations, and look after each what became of the
 * ways that were good before.
 */
static void carry_out(struct kernel *k, unsigned int n, enum plan_goal goal)
{
	struct plan_event unheard = { .goal = goal };
	bool good[LINKS_MAX], unmarked = good_way(k, 0), live = any_alive(k);
	unsigned int i, m, stuck, step = conf.n_links > 16 ? 23 : 1;
	const struct op *op;
	struct path w;
	int code;

	/* Both at once is left for the end, too. */
	if (k->changed && leads_astray(k))
		damaged = true;
	for (m = 0; m < k->n_marks; m += step)
		good[m] = good_way(k, k->mark[m]);
	for (i = 0; i < n; i++) {
		op = &plan.op[i];
		if (i == midway) {
			stuck = k->n_stuck;
			iface_event(k, &unheard);
			/* Its own hook ends an address's connections. */
			while (k->n_stuck > stuck)
				stuck_drop(k, k->n_stuck - 1);
		}
		if (op->kind == OP_CT_END && i < midway)
			check_end(k, op);
		code = do_op(k, op);
		hold(P_ACCEPTED, !code || i >= midway, "%s: %s", op_text(op),
		     strerror(-code));
		if (op->kind == OP_CT_FORGET && i < midway)
			hold(P_STALE, live && (!addr_present(k, &op->addr) ||
			     is_of_held(k, &op->addr)),
			     "ended needlessly: %s", op_text(op));
		if (goal == PLAN_FLUSH || !live || damaged || i >= midway)
			continue;
		/* Whoever gives marks must find ways for them; but without
		 * masquerading, what left without a mark was lost, too.
		 */
		for (m = 0; op->kind == OP_NFT_LOAD && m < k->n_marks; m++) {
			find_path(k, k->mark[m], NULL, &w);
			hold(P_PREFIX_MARK, w.n || k->masquerade,
			     "mark 0x%x has no way", k->mark[m]);
			good[m] = good_way(k, k->mark[m]);
		}
		/* With masquerading first the marks are there before the
		 * rules, and the default of a dead link may still be there
		 * when its rule comes.
		 */
		for (m = 0; k->masquerade && op->kind == OP_RULE_ADD &&
		     op->rule.mask && m < k->n_marks; m++)
			if (k->mark[m] == op->rule.mark)
				good[m] = good_way(k, k->mark[m]);
		for (m = 0; m < k->n_marks; m += step)
			hold(P_PREFIX_MARK, !good[m] ||
			     good_way(k, k->mark[m]), "mark 0x%x after "
			     "operation %u of %u: %s", k->mark[m], i + 1,
			     plan.n_ops, op_text(op));
		hold(P_PREFIX_UNMARKED, !unmarked || good_way(k, 0), "after "
		     "operation %u of %u: %s", i + 1, plan.n_ops,
		     op_text(op));
	}
}

/* --- what a complete run has to bring about --- */

/* Of all tiers, with the drained links behind them, and then the held ones. */
static unsigned int rank(struct kernel *k, unsigned int link)
{
	return gives_way(k, link) ? 2000 : drained[link] ? 1000 :
	       conf.link[link].tier;
}

static unsigned int best_rank(struct kernel *k)
{
	unsigned int i, best = 2001;

	for (i = 0; i < conf.n_links; i++)
		if (alive(dev_of_link(k, i)) && rank(k, i) < best)
			best = rank(k, i);
	return best;
}

/* Is this way the standby: exactly the live links of the best tier that are
 * not put aside, or the drained ones if there are no others, or the held ones?
 */
static bool standby_way(struct kernel *k, const struct path *w)
{
	unsigned int i, n = 0, best = best_rank(k);

	for (i = 0; i < conf.n_links; i++) {
		if (!alive(dev_of_link(k, i)) || rank(k, i) != best)
			continue;
		if (n == w->n || w->dev[n++] != dev_of_link(k, i))
			return false;
	}
	return n == w->n;
}

static void check_weights(struct kernel *k)
{
	const struct object *o;
	unsigned int i, m, link;

	for (i = 0; i < k->n_nexthops; i++) {
		o = &k->nexthop[i];
		for (m = 0; m < o->nh.n_members; m++) {
			if (o->nh.protocol != PROTO_MWAN)
				break;
			link = o->member[m].id - conf.nexthop_base - 1;
			hold(P_MARK, link < conf.n_links &&
			     o->member[m].weight == conf.link[link].weight,
			     "weight of link %u", link);
		}
	}
}

/* What another program's default in a link's table does is its affair. */
static bool foreign_way(struct kernel *k, const struct path *w)
{
	return w->n == 1 && w->dev[0] == &k->dev[DEV_FOREIGN];
}

/* Are the router's sockets that have this link's address to leave it, because a
 * better tier is back?
 */
static bool gives_up(struct kernel *k, unsigned int i)
{
	return conf.failback == FAILBACK_MOVE && conf.masquerade &&
	       !drained[i] &&
	       worse((int)i, link_of_rule(k, PRIORITY_PRIMARY));
}

/* A packet from a link's address goes by the first live link that has it; or
 * where one before that, which waits for its carrier, has somebody else's
 * default.
 */
static void check_from(struct kernel *k, unsigned int link)
{
	const struct dev *own = dev_of_link(k, link), *d = NULL;
	struct path w, unmarked;
	bool waiting = false;
	unsigned int i;

	for (i = 0; i < conf.n_links && !d; i++) {
		if (gives_up(k, i) ||
		    !addr_equal(&dev_of_link(k, i)->local, &own->local))
			continue;
		if (alive(dev_of_link(k, i)))
			d = dev_of_link(k, i);
		waiting = waiting || waits(dev_of_link(k, i));
	}
	find_path(k, 0, &own->local, &w);
	find_path(k, 0, NULL, &unmarked);
	if (!d && unmarked.n == 1)
		d = unmarked.dev[0];
	hold(P_FROM, d && (only_way(&w, d) ||
			   (waiting && foreign_way(k, &w))), "from %s",
	     conf.link[link].name);
}

static void check_ways(struct kernel *k, bool marks)
{
	unsigned int i;
	const struct dev *d;
	struct path w;

	for (i = 0; i < conf.n_links && marks; i++) {
		d = dev_of_link(k, i);
		find_path(k, conf.link[i].mark, NULL, &w);
		hold(P_MARK, alive(d) && !gives_way(k, i) ? only_way(&w, d) :
		     foreign_way(k, &w) || standby_way(k, &w),
		     "mark 0x%x of %s goes wrong", conf.link[i].mark,
		     conf.link[i].name);
		if (alive(d))
			check_from(k, i);
	}
	find_path(k, 0, NULL, &w);
	if (!marks) {
		hold(P_UNMARKED, standby_way(k, &w), "not the standby");
		return;
	}
	for (i = 0; i < conf.n_links; i++)
		if (rank(k, i) == best_rank(k) && w.n == 1 &&
		    dev_of_link(k, i) == w.dev[0] && alive(w.dev[0]))
			break;
	hold(P_UNMARKED, i < conf.n_links, "not one link of the best tier");
	i = (unsigned int)link_of_rule(k, PRIORITY_PRIMARY);
	hold(P_DEFAULT, way_of_table(k, TABLE_DEFAULT, &w) &&
	     i < conf.n_links && only_way(&w, dev_of_link(k, i)),
	     "not the primary");
}

static void check_none_left(struct kernel *k, enum property p, bool rules)
{
	unsigned int i;

	for (i = 0; i < k->n_rules; i++)
		hold(p, !rules || k->rule[i].protocol != PROTO_MWAN,
		     "rule %u", k->rule[i].priority);
	for (i = 0; i < k->n_routes; i++)
		hold(p, k->route[i].protocol != PROTO_MWAN ||
		     (p == P_DOWN && (k->route[i].type != RTN_UNICAST ||
				      passed_over(k, &k->route[i]))),
		     "a route of table %u", k->route[i].table);
	for (i = 0; i < k->n_nexthops; i++)
		hold(p, k->nexthop[i].nh.protocol != PROTO_MWAN,
		     "nexthop %u", k->nexthop[i].nh.id);
}

/* No link is up. */
static void check_last_resort(struct kernel *k, bool marks)
{
	static const uint8_t want[] = {
		[LAST_RESORT_UNREACHABLE] = RTN_UNREACHABLE,
		[LAST_RESORT_BLACKHOLE] = RTN_BLACKHOLE,
	};
	struct path w;
	unsigned int i;

	for (i = 0; i < conf.n_links && marks; i++) {
		find_path(k, conf.link[i].mark, NULL, &w);
		hold(P_LAST, w.nowhere == want[conf.last_resort] ||
		     foreign_way(k, &w), "mark 0x%x", conf.link[i].mark);
	}
	find_path(k, 0, NULL, &w);
	hold(P_LAST, w.nowhere == want[conf.last_resort], "unmarked");
}

static void check_failback(struct kernel *k)
{
	int primary = link_of_rule(k, PRIORITY_PRIMARY), old = -1;
	unsigned int i;

	for (i = 0; i < conf.n_links; i++)
		if (owed >= 0 && dev_of_link(k, i) == &k->dev[owed])
			old = (int)i;
	for (i = 0; i < conf.n_links && worse(old, primary); i++)
		hold(P_FAILBACK, !worse((int)i, primary) ||
		     !alive(dev_of_link(k, i)) || drained[i] ||
		     gives_way(k, i) ||
		     !k->flows[dev_of_link(k, i) - k->dev], "flows of %s",
		     conf.link[i].name);
	if (!any_alive(k))
		return;
	for (i = 0; i < k->n_rules; i++)
		hold(P_FAILBACK, k->rule[i].protocol != PROTO_MWAN ||
		     k->rule[i].priority != PRIORITY_FAILBACK,
		     "it is still remembered");
	owed = -1;
}

static void check_hash(struct kernel *k)
{
	bool by_host = conf.balance == BALANCE_SOURCE ||
		       conf.balance == BALANCE_SOURCE_PARITY || conf.sticky;

	if (!conf.sysctl || conf.n_links < 3)
		return;
	if (!by_host)
		hold(P_HOST, k->hash_policy == 1, "no hash of ports");
	else if (k->hash_fields >= 0)
		hold(P_HOST, k->hash_policy == 3 && k->hash_fields == 1,
		     "no hash of the host");
	/* Somebody sets them anew. */
	k->hash_policy = (int)unit_random(4);
	k->hash_fields = k->hash_fields < 0 ? -1 : (int)unit_random(8);
}

static void check_host(struct kernel *k, enum plan_goal goal)
{
	const struct dev *d;
	unsigned int i;

	hold(P_HOST, (goal != PLAN_APPLY && goal != PLAN_ALL) ||
	     !conf.sysctl || k->ip_forward,
	     "no forwarding");
	for (i = 0; i < conf.n_links; i++) {
		d = dev_of_link(k, i);
		if (!alive(d))
			continue;
		hold(P_HOST, !conf.sysctl || d->rp_filter == 2 ||
		     (d->rp_filter != 1 && k->rp_filter_all != 1) ||
		     k->rp_filter_all == 2, "strict filter of %s",
		     conf.link[i].name);
		hold(P_HOST, !conf.sysctl || !d->shared || d->skips_linkdown,
		     "%s without carrier leads nowhere", conf.link[i].name);
		hold(P_HOST, qdisc_matches(&d->qdisc, qdisc_conf_for(
				&conf.link[i].qdisc, d->shared)) ||
		     (d->qdisc.handle && !qdisc_is_ours(&d->qdisc)),
		     "queue of %s", conf.link[i].name);
	}
}

static void check_leftovers(struct kernel *k)
{
	unsigned int i;

	for (i = 0; i < k->n_routes; i++) {
		hold(P_LEFTOVER, !leftover(k, &k->route[i]),
		     "a default in table %u", k->route[i].table);
		hold(P_MAIN, k->route[i].protocol != PROTO_MWAN ||
		     k->route[i].table != TABLE_MAIN, "a default");
	}
}

static bool remembered(const struct kernel *k, const struct addr *a)
{
	unsigned int i;

	for (i = 0; i < k->n_rules; i++)
		if (k->rule[i].protocol == PROTO_MWAN &&
		    addr_equal(&k->rule[i].from, a))
			return true;
	return false;
}

static void check_stale(struct kernel *k)
{
	unsigned int i;

	for (i = 0; i < k->n_stuck; i++)
		hold(P_STALE, !any_alive(k) &&
		     remembered(k, &k->stuck[i].addr), "address of ppp%u",
		     k->stuck[i].dev);
}

/* --- from scratch --- */

/* NULL also when somebody was killed in the change from one to another. */
static struct rule *primary_rule(struct kernel *k)
{
	struct rule *found = NULL;
	unsigned int i;

	for (i = 0; i < k->n_rules; i++) {
		if (k->rule[i].protocol != PROTO_MWAN ||
		    k->rule[i].priority != PRIORITY_PRIMARY)
			continue;
		if (found)
			return NULL;
		found = &k->rule[i];
	}
	return found;
}

/* A copy of the router that has never seen us; but the primary is history by
 * intention.
 */
static void strip(struct kernel *k)
{
	unsigned int i;

	for (i = k->n_rules; i-- > 0;)
		if (k->rule[i].protocol == PROTO_MWAN &&
		    k->rule[i].priority != PRIORITY_PRIMARY)
			rule_drop(k, i);
	for (i = k->n_routes; i-- > 0;)
		if (k->route[i].protocol == PROTO_MWAN)
			route_drop(k, i);
	for (i = 0; i < k->n_nexthops;) {
		if (k->nexthop[i].nh.protocol == PROTO_MWAN) {
			nexthop_drop(k, k->nexthop[i].nh.id);
			i = 0;
		} else {
			i++;
		}
	}
	do_nft(k, false);
}

static unsigned int next_rule(const struct kernel *k, unsigned int i)
{
	while (i < k->n_rules && k->rule[i].protocol != PROTO_MWAN)
		i++;
	return i;
}

/* What is remembered while no link is up is history by intention, too. */
static bool same_rules(const struct kernel *a, const struct kernel *b)
{
	unsigned int i = next_rule(a, 0), k = next_rule(b, 0);

	while (i < a->n_rules) {
		if (k < b->n_rules && rule_equal(&a->rule[i], &b->rule[k]))
			k = next_rule(b, k + 1);
		else if (a->rule[i].priority != PRIORITY_FAILBACK &&
			 a->rule[i].priority - PRIORITY_HELD >= LINKS_MAX &&
			 (!a->rule[i].from.family ||
			  addr_present(a, &a->rule[i].from)))
			return false;
		i = next_rule(a, i + 1);
	}
	return k == b->n_rules;
}

static bool has_routes_of(const struct kernel *a, const struct kernel *b)
{
	unsigned int i, k;

	for (i = 0; i < a->n_routes; i++) {
		for (k = 0; k < b->n_routes; k++)
			if (route_same(&a->route[i], &b->route[k]))
				break;
		if (k == b->n_routes)
			return false;
	}
	return true;
}

static bool has_nexthops_of(const struct kernel *a, struct kernel *b)
{
	const struct object *x, *y;
	unsigned int i, m;

	for (i = 0; i < a->n_nexthops; i++) {
		x = &a->nexthop[i];
		y = object_of(b, x->nh.id);
		if (!y || y->nh.ifindex != x->nh.ifindex ||
		    !addr_equal(&y->nh.gateway, &x->nh.gateway) ||
		    y->nh.n_members != x->nh.n_members)
			return false;
		for (m = 0; m < x->nh.n_members; m++)
			if (x->member[m].id != y->member[m].id ||
			    x->member[m].weight != y->member[m].weight)
				return false;
	}
	return a->n_nexthops == b->n_nexthops;
}

static void make(struct kernel *k, const struct plan_event *event)
{
	struct err err = { "" };
	int code;

	observe(k, event->goal);
	code = plan_make(&plan, &conf, &present, &ruleset, event, &err);
	hold(P_ACCEPTED, !code, "no plan: %s", err.msg);
	if (code)
		plan.n_ops = 0;
}

/* What stays of a link that waits for its carrier, and is not made anew. */
static void drop_waiting(struct kernel *k)
{
	const struct dev *d;
	unsigned int i;
	int link;

	for (i = k->n_routes; i-- > 0;) {
		d = k->route[i].nhid ? NULL : dev_of(k, k->route[i].ifindex);
		if (d && waits(d) && k->route[i].protocol == PROTO_MWAN)
			route_drop(k, i);
	}
	for (i = k->n_rules; i-- > 0;) {
		link = k->rule[i].from.family || k->rule[i].to.family ?
		       link_of_table(k->rule[i].table) : -1;
		if (link >= 0 && k->rule[i].protocol == PROTO_MWAN &&
		    waits(dev_of_link(k, (unsigned int)link)))
			rule_drop(k, i);
	}
}

/* Those to one peer have one priority, and no packet is for two of them. */
static void sort_peers(struct kernel *k)
{
	struct rule *r = k->rule, tmp;
	unsigned int i, n;

	for (n = 1; n < k->n_rules; n++)
		for (i = n; i > 0 && r[i].to.family && r[i - 1].to.family &&
			    r[i].priority == r[i - 1].priority &&
			    (r[i].table < r[i - 1].table ||
			     (r[i].table == r[i - 1].table &&
			      r[i].mask > r[i - 1].mask)); i--) {
			tmp = r[i];
			r[i] = r[i - 1];
			r[i - 1] = tmp;
		}
}

static void check_scratch(struct kernel *k, enum plan_goal goal)
{
	struct plan_event event = { .goal = goal };
	unsigned int i, n;

	kernel_copy(&fresh, k);
	strip(&fresh);
	for (n = 0; n < ROUNDS_MAX; n++) {
		make(&fresh, &event);
		for (i = 0; i < plan.n_ops; i++)
			do_op(&fresh, &plan.op[i]);
	}
	kernel_copy(&settled, k);
	drop_waiting(&settled);
	sort_peers(&settled);
	drop_waiting(&fresh);
	sort_peers(&fresh);
	hold(P_SCRATCH, goal == PLAN_LINKS || same_rules(&settled, &fresh),
	     "other rules");
	hold(P_SCRATCH, settled.n_routes == fresh.n_routes &&
	     has_routes_of(&settled, &fresh) && has_routes_of(&fresh, &settled),
	     "other routes");
	hold(P_SCRATCH, has_nexthops_of(k, &fresh), "other nexthops");
	hold(P_SCRATCH, goal == PLAN_LINKS || k->nft == fresh.nft,
	     "other nftables");
}

/* Which link is the primary, and may it stay? */
static int lasting_primary(struct kernel *k)
{
	const struct rule *r = primary_rule(k);
	unsigned int i;

	for (i = 0; r && i < conf.n_links; i++)
		if (conf.link[i].table == r->table &&
		    alive(dev_of_link(k, i)) &&
		    rank(k, i) == best_rank(k))
			return (int)i;
	return -1;
}

static void check_primary(struct kernel *k, int lasting)
{
	const struct rule *r = primary_rule(k);

	hold(P_PRIMARY, !r == !any_alive(k), "there is %s",
	     r ? "one without a link" : "none");
	if (lasting >= 0 && r)
		hold(P_PRIMARY, r->table == conf.link[lasting].table,
		     "it was %s", conf.link[lasting].name);
}

static void check_mtus(struct kernel *k)
{
	const struct dev *d;
	unsigned int i;

	for (i = 0; i < conf.n_links && conf.clamp_mss; i++) {
		d = dev_of_link(k, i);
		hold(P_MTU, !alive(d) || k->mtu[dev_number(i)] == d->mtu,
		     "%s has %u and the map %u", conf.link[i].name, d->mtu,
		     k->mtu[dev_number(i)]);
	}
}

static void check_done(struct kernel *k, enum plan_goal goal, int lasting)
{
	struct plan_event event = { .goal = goal };
	bool all = goal == PLAN_ALL || goal == PLAN_APPLY;

	if (goal == PLAN_FLUSH) {
		check_none_left(k, P_FLUSH, true);
		hold(P_FLUSH, !k->nft, "nftables");
		return;
	}
	check_host(k, goal);
	check_leftovers(k);
	check_weights(k);
	if (any_alive(k)) {
		check_ways(k, all);
	} else {
		check_none_left(k, P_DOWN, false);
		check_last_resort(k, all);
	}
	if (all) {
		check_failback(k);
		check_primary(k, lasting);
		check_stale(k);
		hold(P_STRAY, !k->strays || !k->masquerade, "flows are left");
		check_mtus(k);
	}
	check_scratch(k, goal);
	make(k, &event);
	hold(P_IDEMPOTENT, !plan.n_ops, "%u operations, the first: %s",
	     plan.n_ops, plan.n_ops ? op_text(&plan.op[0]) : "");
	check_hash(k);
}

/* One run of a tool: @cut operations of each plan are carried out, the last
 * one included when it is negative.
 */
static void run(struct kernel *k, struct plan_event *event, int cut)
{
	uint64_t foreign = foreign_digest(k);
	int lasting = lasting_primary(k);
	unsigned int i, n, rounds;
	int old;

	for (rounds = 0; rounds < ROUNDS_MAX; rounds++) {
		old = link_of_rule(k, PRIORITY_PRIMARY);
		make(k, event);
		may_end = worse(old, plan.primary[FAMILY_IPV4]) ||
			  link_of_rule(k, PRIORITY_FAILBACK) >= 0;
		event->gone.family = 0;
		check_order(event->goal);
		n = plan.n_ops;
		if (cut >= 0 && (unsigned int)cut < n)
			n = (unsigned int)cut;
		for (i = k->n_stuck; i-- > 0;)
			if (addr_present(k, &k->stuck[i].addr))
				stuck_drop(k, i);
		carry_out(k, n, event->goal);
		note_move(k, old);
		hold(P_FOREIGN, foreign_digest(k) == foreign, "with goal %d",
		     (int)event->goal);
		if (n < plan.n_ops)
			return;
		if (midway < n) {
			lasting = lasting_primary(k);
			/* Who came meanwhile was not left. */
			owed = -1;
			midway = UINT_MAX;
			continue;
		}
		/* What did not fit has its turn now. */
		if (k->n_rules <= PRESENT_RULES_MAX &&
		    k->n_routes <= PRESENT_ROUTES_MAX)
			break;
	}
	damaged = k->changed = false;
	check_done(k, event->goal, lasting);
}

/* --- what happens to a router --- */

static struct addr address(uint32_t host)
{
	struct addr a = { .family = AF_INET };

	a.v4.s_addr = htonl(0x0a400000 | host);
	return a;
}

static struct addr any_address(const struct kernel *k, unsigned int dev)
{
	unsigned int other = unit_random(k->n_devs);

	/* Two providers may give the same private address. */
	if (!unit_random(16) && k->dev[other].local.family)
		return k->dev[other].local;
	return address(dev << 8 | (unit_random(6) + 1));
}

static void dev_new(struct kernel *k, unsigned int dev, struct addr local)
{
	dev_add(k, dev, local);
	k->dev[dev].mtu = 1400 + 46 * unit_random(3);
	k->dev[dev].rp_filter = (int)unit_random(3);
}

/* Its router says another address, or nothing any more; some are alike. */
static void gateway_new(struct dev *d, unsigned int dev)
{
	d->gateway = (struct addr){ .family = AF_INET };
	d->gateway.v4.s_addr = htonl(0x0a40fe00 |
				     (unit_random(3) ? dev & 0xff : 0));
	if (!unit_random(8))
		d->gateway.family = 0;
}

static void random_link(struct conf *c, unsigned int dev, uint32_t tables,
			unsigned int turn)
{
	unsigned int n = kernel.n_devs;
	struct conf_link *l = &c->link[c->n_links];
	uint32_t low = c->mark_mask & -c->mark_mask;

	*l = (struct conf_link){ .table = tables + (dev + turn) % n,
				 .weight = 1, .tier = 1 };
	snprintf(l->name, sizeof(l->name), "ppp%u", dev);
	l->mark = (c->n_links + 1) * low;
	if (!unit_random(3))
		l->weight = (uint8_t)(1 + unit_random(WEIGHT_MAX));
	if (!unit_random(4))
		l->tier = (uint8_t)(unit_random(4) ? 2 : TIER_MAX);
	drained[c->n_links] = !unit_random(8);
	held[c->n_links] = !unit_random(8);
	l->qdisc.kind = unit_random(QDISC_AUTO + 1);
	if (l->qdisc.kind == QDISC_CAKE)
		l->qdisc.bandwidth = unit_random(3) * 1000;
	c->n_links++;
}

/* The scripts' leftovers through what is no longer a link: not ours to take
 * away, and in the way.
 */
static void tidy_leftovers(struct kernel *k)
{
	unsigned int i;

	for (i = k->n_routes; i-- > 0;)
		if (k->route[i].protocol == PROTO_BOOT &&
		    !leftover(k, &k->route[i]))
			route_drop(k, i);
}

/* Another configuration. Not a turn of the tables while an address that is
 * gone is remembered: by its table its link is known.
 */
static void random_conf(void)
{
	static const uint32_t mask[] = { 0xff, 0xff00, 0x1ff00000, 0xff000000,
					 0xffffffff };
	static const uint32_t base[] = { 77000, 77512, 77256, 77001, 77255,
					 4000000000U };
	static const uint32_t standby[] = { 200, 210, 77000000 };
	static const uint32_t tables[] = { 201, 301, 4000000000U,
					   10000, 20000, 4000000000U };
	static const uint32_t priority[] = { 1000, 1001, 20000 };
	struct conf *c = &conf;
	static unsigned int turn;
	unsigned int i, skip = kernel.n_devs;
	/* A crowd would run into 253 to 255, which are main's and the like. */
	uint32_t first = tables[unit_random(3) + (skip > 8 ? 3 : 0)];

	memset(c, 0, sizeof(*c));
	c->mark_mask = mask[unit_random(5)];
	c->nexthop_base = base[unit_random(6)];
	c->standby_table = standby[unit_random(3)];
	c->rule_priority = priority[unit_random(3)];
	c->masquerade = kernel.masquerade;
	c->clamp_mss = true;
	c->sysctl = unit_random(2);
	c->balance = unit_random(BALANCE_RANDOM + 1);
	c->sticky = unit_random(2) * 600;
	c->last_resort = unit_random(LAST_RESORT_BLACKHOLE + 1);
	c->failback = unit_random(FAILBACK_MOVE + 1);
	owed = -1;
	if (!kernel.n_stuck)
		turn = unit_random(kernel.n_devs);
	if (kernel.n_devs > 1 && !unit_random(3))
		skip = unit_random(kernel.n_devs);
	for (i = 0; i < kernel.n_devs; i++)
		if (i != skip)
			random_link(c, i, first, turn);
	tidy_leftovers(&kernel);
	kernel.changed = true;
	conf_serial++;
}

/* Does the configuration or a rule of ours lead to every table where routes of
 * ours are? Without, a hook does not find an earlier configuration's tables.
 */
static bool tables_known(const struct kernel *k)
{
	unsigned int i, r;

	for (i = 0; i < k->n_routes; i++) {
		if (k->route[i].protocol != PROTO_MWAN ||
		    table_known(k->route[i].table))
			continue;
		for (r = 0; r < k->n_rules; r++)
			if (k->rule[r].protocol == PROTO_MWAN &&
			    k->rule[r].table == k->route[i].table)
				break;
		if (r == k->n_rules)
			return false;
	}
	return true;
}

static void break_rules(struct kernel *k)
{
	unsigned int i;

	/* With its rule the memory of an address, or of a primary, goes, and of
	 * flows from before the table.
	 */
	k->n_stuck = 0;
	k->strays = k->strays && !k->nft;
	owed = -1;
	damaged = true;
	for (i = k->n_rules; i-- > 0;)
		if (k->rule[i].protocol == PROTO_MWAN && !unit_random(3))
			rule_drop(k, i);
}

static void break_something(struct kernel *k)
{
	unsigned int i;

	switch (unit_random(4)) {
	case 0:
		break_rules(k);
		return;
	case 1:
		do_nft(k, false);
		return;
	case 2:
		for (i = k->n_routes; i-- > 0;)
			if (k->route[i].protocol == PROTO_MWAN &&
			    !unit_random(2))
				route_drop(k, i);
		return;
	case 3:
		if (!k->n_nexthops)
			return;
		i = unit_random(k->n_nexthops);
		if (k->nexthop[i].nh.protocol == PROTO_MWAN)
			nexthop_drop(k, k->nexthop[i].nh.id);
		return;
	}
}

/* What the scripts, or a person with our protocol number, leave behind. */
static void leave_something(struct kernel *k)
{
	struct route r = { .family = AF_INET, .type = RTN_UNICAST };
	struct rule odd = { .priority = 1600, .table = 7, .family = AF_INET,
			    .protocol = PROTO_MWAN,
			    .mark = 0x55, .mask = 0x55 };
	struct nexthop nh = { .id = conf.nexthop_base + 240,
			      .protocol = PROTO_MWAN, .family = AF_INET };
	unsigned int link = unit_random(conf.n_links);
	unsigned int through = unit_random(conf.n_links);

	r.table = conf.link[link].table;
	r.ifindex = dev_of_link(k, through)->ifindex;
	nh.ifindex = r.ifindex;
	switch (unit_random(4)) {
	case 0:
	case 1:
		damaged = true;
		r.protocol = PROTO_BOOT;
		r.metric = unit_random(2) * 7;
		/* By a link of its own such a one is whom the link asks. */
		if (unit_random(2) && !(link == through &&
					dev_of_link(k, link)->shared))
			r.gateway = address(0xff00 + through);
		do_route_add(k, &r);
		return;
	case 2:
		r.protocol = PROTO_MWAN;
		r.metric = 9;
		do_route_add(k, &r);
		do_nexthop_set(k, &nh);
		return;
	case 3:
		odd.foreign = unit_random(2);
		do_rule_add(k, &odd);
		return;
	}
}

/* What is somebody else's. */
static void add_foreign(struct kernel *k)
{
	struct route r = { .family = AF_INET, .type = RTN_UNICAST,
			   .protocol = PROTO_STATIC, .metric = 50,
			   .ifindex = k->dev[DEV_FOREIGN].ifindex };
	struct rule rule = { .priority = 1001, .table = 7, .family = AF_INET,
			     .protocol = PROTO_BOOT, .mark = 0x10000,
			     .mask = 0x10000 };
	struct nexthop nh = { .id = 5 + unit_random(3),
			      .protocol = PROTO_STATIC, .family = AF_INET,
			      .ifindex = r.ifindex };

	rule.priority += unit_random(2) * 31767;
	r.table = conf.link[unit_random(conf.n_links)].table;
	if (k->n_routes < 40)
		do_route_add(k, &r);
	do_rule_add(k, &rule);
	do_nexthop_set(k, &nh);
	if (k->n_devs > 8)
		return;
	/* In our range, but not where we want to be. */
	nh.id = conf.nexthop_base + 100;
	if (!object_of(k, nh.id))
		do_nexthop_set(k, &nh);
}

static void iface_event(struct kernel *k, struct plan_event *event)
{
	unsigned int i = unit_random(k->n_devs);
	struct dev *d = &k->dev[i];
	struct addr old = d->local;

	if (!d->ifindex) {
		dev_new(k, i, any_address(k, i));
		d->shared = !unit_random(3);
		if (d->shared)
			gateway_new(d, i);
		return;
	}
	switch (unit_random(9)) {
	case 0:
	case 1:
	case 2:
		dev_gone(k, i);
		break;
	case 3:
		addr_drop(k, i);
		break;
	case 4:
		addr_drop(k, i);
		d->local = any_address(k, i);
		break;
	case 5:
		dev_down(k, i);
		break;
	case 6:
		/* A plain route stays, a nexthop goes. */
		if (d->carrier)
			nexthops_drop(k, d->ifindex);
		d->carrier = false;
		break;
	case 7:
		d->up = d->carrier = true;
		break;
	case 8:
		if (d->shared)
			gateway_new(d, i);
		break;
	}
	event->gone_link = -1;
	/* The hook is told, unless it is never called. */
	if (addr_equal(&old, &d->local) || !unit_random(3))
		return;
	event->gone = old;
	for (i = 0; i < conf.n_links; i++)
		if (dev_of_link(k, i) == d)
			event->gone_link = (int)i;
}

static enum plan_goal random_goal(void)
{
	uint32_t r = unit_random(100);

	if (r < 4)
		return PLAN_FLUSH;
	if (r < 12)
		return PLAN_APPLY;
	return in_force ? PLAN_ALL : PLAN_LINKS;
}

static void new_world(unsigned int n)
{
	damaged = false;
	memset(&kernel, 0, offsetof(struct kernel, route));
	kernel.n_stuck = kernel.nft = kernel.n_marks = 0;
	kernel.strays = true;
	kernel.n_devs = n;
	kernel.rp_filter_all = (int)unit_random(3);
	kernel.ip_forward = 0;
	kernel.hash_fields = unit_random(4) ? 7 : -1;
	owed = -1;
	kernel.masquerade = unit_random(4);
	in_force = false;
	dev_new(&kernel, DEV_FOREIGN, address(0xffff));
	random_conf();
}

/* Other slots for new connections: another ruleset. */
static void drain_or_undrain(void)
{
	unsigned int link = unit_random(conf.n_links);

	drained[link] = !drained[link];
	conf_serial++;
}

static void hold_or_release(void)
{
	unsigned int link = unit_random(conf.n_links);

	held[link] = !held[link];
}

static void one_round(void)
{
	static bool killed;
	struct kernel *k = &kernel;
	struct plan_event event = { .gone_link = -1 };
	unsigned int i;
	int cut = -1;

	do {
		iface_event(k, &event);
	} while (!unit_random(3));
	/* Who is killed in a change of tables is known by its rules alone. */
	if (!killed && !k->changed && !unit_random(8))
		break_something(k);
	if (!unit_random(8))
		leave_something(k);
	if (!unit_random(16))
		add_foreign(k);
	if (!unit_random(12))
		random_conf();
	if (!unit_random(10))
		drain_or_undrain();
	if (!unit_random(6))
		hold_or_release();
	for (i = 0; i < k->n_devs; i++)
		k->flows[i] = k->flows[i] || (alive(&k->dev[i]) &&
					      unit_random(2));
	event.goal = random_goal();
	if (!tables_known(k))
		event.goal = unit_random(2) ? PLAN_FLUSH : PLAN_APPLY;
	/* apply is in force before its first change, flush until its last. */
	if (event.goal == PLAN_APPLY)
		in_force = true;
	killed = !unit_random(5);
	if (killed)
		cut = (int)unit_random(24);
	/* A link changes while somebody is at it. */
	if (!unit_random(5))
		midway = unit_random(24);
	run(k, &event, cut);
	midway = UINT_MAX;
	killed = killed && plan.n_ops;
	if (event.goal == PLAN_FLUSH && !killed)
		in_force = false;
	/* A flush forgets, also one that was killed. */
	if (event.goal == PLAN_FLUSH || !in_force) {
		k->n_stuck = 0;
		k->strays = k->strays && !k->nft;
		owed = -1;
	}
}

static void schedule(unsigned long rounds)
{
	static const unsigned int sizes[] = { 1, 2, 2, 2, 2, 3, 3, 3, 4, 8 };

	for (round_number = 0; round_number < rounds; round_number++) {
		if (round_number % WORLD == 0)
			new_world(sizes[unit_random(10)]);
		one_round();
	}
}

/* All links up at once, and then some rounds. */
static void crowd(unsigned int n, unsigned int rounds)
{
	struct plan_event event = { .goal = PLAN_APPLY };
	unsigned int i;

	new_world(n);
	for (i = 0; i < n; i++)
		dev_new(&kernel, i, address((i << 4) + 1));
	in_force = true;
	run(&kernel, &event, -1);
	for (round_number = 0; round_number < rounds; round_number++) {
		if (round_number % 4 == 3)
			random_conf();
		one_round();
	}
}

/* The array's end, with more in the kernel than there can be. */
static void overflow(void)
{
	struct plan_event event = { .goal = PLAN_ALL };
	struct rule r = { .table = 7, .family = AF_INET,
			  .protocol = PROTO_MWAN };
	struct route t = { .table = 201, .family = AF_INET,
			   .type = RTN_UNICAST, .protocol = PROTO_MWAN };
	struct nexthop nh = { .protocol = PROTO_MWAN, .family = AF_INET };
	struct kernel *k = &kernel;
	unsigned int i;

	round_number = 0;
	new_world(LINKS_MAX);
	conf.standby_table = 200;
	for (i = 0; i < LINKS_MAX; i++) {
		dev_new(k, i, address((i << 4) + 1));
		k->dev[i].rp_filter = 1;
		conf.link[i].table = 301 + i;
		conf.link[i].qdisc.kind = QDISC_FQ_CODEL;
	}
	conf.sysctl = true;
	for (i = 0; i < K_RULES - 600; i++) {
		r.priority = 5000 + i;
		do_rule_add(k, &r);
	}
	for (i = 0; i < K_ROUTES - 600; i++) {
		t.metric = 300 + i;
		t.ifindex = k->dev[i % LINKS_MAX].ifindex;
		t.table = conf.link[i % conf.n_links].table;
		do_route_add(k, &t);
	}
	for (i = 0; i < 300; i++) {
		nh.id = 100000 + i;
		nh.ifindex = t.ifindex;
		do_nexthop_set(k, &nh);
	}
	make(k, &event);
	check_order(PLAN_ALL);
	for (i = 0; i < plan.n_ops; i++)
		do_op(k, &plan.op[i]);
	check_ways(k, true);
}

static void report_properties(void)
{
	unsigned int i;

	for (i = 0; i < N_PROPERTIES; i++) {
		ok(property[i].checked && !property[i].failed, "%s (%lu "
		   "times)", property[i].what, property[i].checked);
		if (property[i].failed)
			printf("# failed %lu times, first: %s\n",
			       property[i].failed, property[i].first);
	}
}

/* --- examples --- */

/* Two links as the original had them, no queue and no settings to change. */
static void two_links(void)
{
	new_world(2);
	conf_of_links(2);
	kernel.masquerade = true;
}

static void example(struct kernel *k, struct plan_event event,
		    const char *what, const char *want)
{
	static char text[8192];
	FILE *f = fmemopen(text, sizeof(text), "w");

	make(k, &event);
	text[0] = '\0';
	plan_print(&plan, f);
	fclose(f);
	is(text, want, "%s", what);
	carry_out(k, plan.n_ops, event.goal);
	event.gone.family = 0;
	make(k, &event);
	ok(!plan.n_ops, "%s: and once more: nothing to do", what);
}

static void first_up(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_APPLY };

	kernel.ip_forward = 0;
	conf.sysctl = true;
	dev_new(k, 0, address(1));
	k->dev[0].rp_filter = 1;
	k->rp_filter_all = 0;
	example(k, event, "apply with the first link up",
		"ip rule add pref 33100 lookup 200 protocol 119\n"
		"nft -f - <<'END'\n"
		"add table inet mwan\n"
		"delete table inet mwan\n"
		"table inet mwan {}\n"
		"END\n"
		"sysctl -w net/ipv4/conf/ppp0/rp_filter=2\n"
		"ip nexthop replace id 77001 dev ppp0 protocol 119\n"
		"ip route prepend default dev ppp0 table 201 protocol 119\n"
		"ip nexthop replace id 77257 group 77001,1 protocol 119\n"
		"ip route prepend default nhid 77257 table 200 metric 1 "
		"protocol 119\n"
		"ip route prepend default nhid 77257 table 253 metric 65537 "
		"protocol 119\n"
		"ip route prepend default dev ppp0 table 253 metric 65536 "
		"protocol 119\n"
		"ip rule add pref 32769 lookup 200 protocol 119\n"
		"ip rule add pref 32768 lookup 201 protocol 119\n"
		"ip rule add pref 1000 not fwmark 0x6d77616e/0xffffffff lookup "
		"main suppress_prefixlength 0 protocol 119\n"
		"ip rule add pref 1001 fwmark 0x1/0xff lookup 201 protocol "
		"119\n"
		"ip rule add pref 1002 fwmark 0x2/0xff lookup 202 protocol "
		"119\n"
		"ip rule add pref 1301 from 10.64.0.1 lookup 201 protocol "
		"119\n"
		"ip rule add pref 1900 not fwmark 0x0/0xff lookup 200 protocol "
		"119\n"
		"sysctl -w net/ipv4/ip_forward=1\n"
		"conntrack -D -f ipv4 -u UNREPLIED\n"
		"ip rule del pref 33100 lookup 200 protocol 119\n");
}

static void second_up_and_down(struct kernel *k)
{
	struct plan_event up = { .goal = PLAN_ALL, .gone_link = -1 };
	struct plan_event down = { .goal = PLAN_ALL, .gone = address(2),
				   .gone_link = 1 };

	dev_new(k, 1, address(2));
	k->dev[1].rp_filter = 2;
	example(k, up, "the second link comes: four writes",
		"ip nexthop replace id 77002 dev ppp1 protocol 119\n"
		"ip route prepend default dev ppp1 table 202 protocol 119\n"
		"ip nexthop replace id 77257 group 77001,1/77002,1 protocol "
		"119\n"
		"ip rule add pref 1302 from 10.64.0.2 lookup 202 protocol "
		"119\n");
	dev_gone(k, 1);
	ok(k->n_routes == 4 && k->n_nexthops == 2 && good_way(k, 2),
	   "the second link goes: the kernel has failed over by itself");
	example(k, down, "its ip-down has only its rule to remove",
		"ip rule del pref 1302 from 10.64.0.2 lookup 202 protocol "
		"119\n");
}

static void late_down(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone = address(9),
				    .gone_link = 0 };

	conf.masquerade = true;
	dev_new(k, 1, address(3));
	k->dev[1].rp_filter = 2;
	event.gone_link = -1;
	event.gone.family = 0;
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	event.gone = address(2);
	event.gone_link = 1;
	example(k, event, "a late ip-down of an old session leaves the new "
		"one alone", "conntrack -D --reply-dst 10.64.0.2\n");
	event.gone = address(3);
	example(k, event, "a late ip-down of the same address: nothing", "");
}

static void other_address(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone = address(3),
				    .gone_link = 1 };

	addr_drop(k, 1);
	k->dev[1].local = address(4);
	example(k, event, "another address on the same interface",
		"ip rule add pref 1302 from 10.64.0.4 lookup 202 protocol "
		"119\n"
		"conntrack -D --reply-dst 10.64.0.3\n"
		"ip rule del pref 1302 from 10.64.0.3 lookup 202 protocol "
		"119\n");
	addr_drop(k, 0);
	event.gone = address(1);
	event.gone_link = 0;
	example(k, event, "only the primary's address goes, the interface "
		"stays",
		"ip nexthop replace id 77257 group 77002,1 protocol 119\n"
		"ip route prepend default dev ppp1 table 253 metric 65536 "
		"protocol 119\n"
		"ip route del default dev ppp0 table 201 protocol 119\n"
		"ip rule add pref 32768 lookup 202 protocol 119\n"
		"ip route del default dev ppp0 table 253 metric 65536 protocol "
		"119\n"
		"ip rule del pref 32768 lookup 201 protocol 119\n"
		"ip nexthop del id 77001\n"
		"conntrack -D --reply-dst 10.64.0.1\n"
		"ip rule del pref 1301 from 10.64.0.1 lookup 201 protocol "
		"119\n");
	addr_drop(k, 1);
	event.gone = address(4);
	event.gone_link = 1;
	example(k, event, "the last address goes: it is remembered",
		"ip route del default nhid 77257 table 200 metric 1 protocol "
		"119\n"
		"ip route del default dev ppp1 table 202 protocol 119\n"
		"ip route del default dev ppp1 table 253 metric 65536 protocol "
		"119\n"
		"ip route del default nhid 77257 table 253 metric 65537 "
		"protocol 119\n"
		"ip rule del pref 32768 lookup 202 protocol 119\n"
		"ip nexthop del id 77257\n"
		"ip nexthop del id 77002\n");
	ok(remembered(k, &event.gone), "by its rule");
}

static void flush(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_FLUSH };

	example(k, event, "flush",
		"ip rule del pref 32769 lookup 200 protocol 119\n"
		"ip rule del pref 1900 not fwmark 0x0/0xff lookup 200 "
		"protocol 119\n"
		"ip rule del pref 1002 fwmark 0x2/0xff lookup 202 protocol "
		"119\n"
		"ip rule del pref 1001 fwmark 0x1/0xff lookup 201 protocol "
		"119\n"
		"ip rule del pref 1000 not fwmark 0x6d77616e/0xffffffff lookup "
		"main suppress_prefixlength 0 protocol 119\n"
		"ip rule del pref 1302 from 10.64.0.4 lookup 202 protocol "
		"119\n"
		"nft delete table inet mwan\n");
}

/* Under the thread's own rules, after years of the scripts. */
static void hooks_alone(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_LINKS, .gone_link = -1 };
	struct route r = { .table = 201, .family = AF_INET,
			   .type = RTN_UNICAST, .protocol = PROTO_BOOT };
	struct rule rule = { .priority = 500, .table = 201, .mark = 1,
			     .mask = 0xffffffff, .family = AF_INET,
			     .protocol = PROTO_BOOT };

	dev_gone(k, 0);
	dev_gone(k, 1);
	dev_new(k, 0, address(1));
	dev_new(k, 1, address(2));
	r.ifindex = k->dev[1].ifindex;
	do_route_add(k, &r);
	do_rule_add(k, &rule);
	conf.sysctl = false;
	example(k, event, "a hook alone, and the scripts' default in the "
		"other's table",
		"ip nexthop replace id 77001 dev ppp0 protocol 119\n"
		"ip nexthop replace id 77002 dev ppp1 protocol 119\n"
		"ip route prepend default dev ppp0 table 201 protocol 119\n"
		"ip route prepend default dev ppp1 table 202 protocol 119\n"
		"ip nexthop replace id 77257 group 77001,1/77002,1 protocol "
		"119\n"
		"ip route prepend default nhid 77257 table 200 metric 1 "
		"protocol 119\n"
		"ip route prepend default nhid 77257 table 253 metric 65537 "
		"protocol 119\n"
		"ip rule add pref 32769 lookup 200 protocol 119\n"
		"ip route del default dev ppp1 table 201 protocol 3\n");
}

static void backup_tier(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };

	two_links();
	conf.link[0].tier = 2;
	dev_new(k, 0, address(1));
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	dev_new(k, 1, address(2));
	conf.link[1].weight = 3;
	example(k, event, "a better tier comes back and becomes the primary",
		"ip nexthop replace id 77002 dev ppp1 protocol 119\n"
		"ip route prepend default dev ppp1 table 202 protocol 119\n"
		"ip nexthop replace id 77257 group 77002,3 protocol 119\n"
		"ip route prepend default nhid 77257 table 200 metric 1 "
		"protocol 119\n"
		"ip route prepend default nhid 77257 table 253 metric 65537 "
		"protocol 119\n"
		"ip route prepend default dev ppp1 table 253 metric 65536 "
		"protocol 119\n"
		"ip rule add pref 32768 lookup 202 protocol 119\n"
		"ip rule add pref 1302 from 10.64.0.2 lookup 202 protocol "
		"119\n"
		"ip route del default dev ppp0 table 253 metric 65536 protocol "
		"119\n"
		"ip rule del pref 32768 lookup 201 protocol 119\n");
}

/* The scripts' leftovers in the table of a link that is down: the one that
 * packets can leave by goes last.
 */
static void dead_leftover(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };
	struct route r = { .table = 202, .family = AF_INET, .metric = 7,
			   .type = RTN_UNICAST, .protocol = PROTO_BOOT };

	two_links();
	dev_new(k, 0, address(1));
	dev_new(k, 1, address(2));
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	addr_drop(k, 1);
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	r.ifindex = k->dev[0].ifindex;
	do_route_add(k, &r);
	r.metric = 9;
	r.ifindex = k->dev[1].ifindex;
	do_route_add(k, &r);
	example(k, event, "leftovers: first the one that leads to a dead link",
		"ip route del default dev ppp1 table 202 metric 9 protocol "
		"3\n"
		"ip route del default dev ppp0 table 202 metric 7 protocol "
		"3\n");
}

/* With the first link of tier 1 and the second of tier 2, both up. */
static void failback(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };

	two_links();
	conf.failback = FAILBACK_MOVE;
	conf.link[1].tier = 2;
	dev_new(k, 1, address(2));
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	dev_new(k, 0, address(1));
	may_end = true;
	example(k, event, "failback = move: the flows of the worse tier are "
		"ended, and that is remembered until it is done",
		"ip nexthop replace id 77001 dev ppp0 protocol 119\n"
		"ip route prepend default dev ppp0 table 201 protocol 119\n"
		"ip nexthop replace id 77257 group 77001,1 protocol 119\n"
		"ip route prepend default nhid 77257 table 200 metric 1 "
		"protocol 119\n"
		"ip route prepend default nhid 77257 table 253 metric 65537 "
		"protocol 119\n"
		"ip route prepend default dev ppp0 table 253 metric 65536 "
		"protocol 119\n"
		"ip rule add pref 32770 lookup 202 protocol 119\n"
		"ip rule add pref 32768 lookup 201 protocol 119\n"
		"ip rule add pref 1301 from 10.64.0.1 lookup 201 protocol "
		"119\n"
		"ip rule add pref 32772 from 10.64.0.2 lookup 202 protocol "
		"119\n"
		"ip route del default dev ppp1 table 253 metric 65536 protocol "
		"119\n"
		"ip rule del pref 32768 lookup 202 protocol 119\n"
		"ip rule del pref 1302 from 10.64.0.2 lookup 202 protocol "
		"119\n"
		"conntrack -D --mark 0x2/0xff\n"
		"ss -tK state established src 10.64.0.2\n"
		"ip rule del pref 32770 lookup 202 protocol 119\n");
	drained[0] = true;
	example(k, event, "the better tier's only link is drained",
		"ip nexthop replace id 77256 group 77001,1 protocol 119\n"
		"ip route prepend default nhid 77256 table 200 metric 256 "
		"protocol 119\n"
		"ip route prepend default nhid 77256 table 253 metric 65792 "
		"protocol 119\n"
		"ip route prepend default dev ppp1 table 253 metric 65536 "
		"protocol 119\n"
		"ip rule add pref 32768 lookup 202 protocol 119\n"
		"ip rule add pref 1302 from 10.64.0.2 lookup 202 protocol "
		"119\n"
		"ip route del default nhid 77257 table 200 metric 1 protocol "
		"119\n"
		"ip route del default dev ppp0 table 253 metric 65536 protocol "
		"119\n"
		"ip route del default nhid 77257 table 253 metric 65537 "
		"protocol 119\n"
		"ip rule del pref 32772 from 10.64.0.2 lookup 202 protocol "
		"119\n"
		"ip rule del pref 32768 lookup 201 protocol 119\n"
		"ip nexthop del id 77257\n");
	dev_gone(k, 1);
	ok(good_way(k, 2) && good_way(k, 0), "a drained link is used when no "
	   "other is left");
}

/* Killed behind each operation of the failback, and run once more. */
static void failback_killed(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };
	unsigned int n = 0, i, bad = 0;

	do {
		two_links();
		conf.failback = FAILBACK_MOVE;
		conf.link[1].tier = 2;
		dev_new(k, 1, address(2));
		make(k, &event);
		carry_out(k, plan.n_ops, PLAN_ALL);
		dev_new(k, 0, address(1));
		k->flows[0] = k->flows[1] = true;
		make(k, &event);
		carry_out(k, n < plan.n_ops ? n : plan.n_ops, PLAN_ALL);
		i = plan.n_ops;
		make(k, &event);
		carry_out(k, plan.n_ops, PLAN_ALL);
		bad += k->flows[1] || !k->flows[0] ||
		       link_of_rule(k, PRIORITY_FAILBACK) >= 0;
	} while (n++ < i);
	ok(n > 8 && !bad, "failback: killed in %u places, and completed", n);
}

/* Both links go for good. */
static void last_resort(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };
	struct path w;

	two_links();
	conf.last_resort = LAST_RESORT_UNREACHABLE;
	dev_new(k, 0, address(1));
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	find_path(k, 2, NULL, &w);
	ok(only_way(&w, &k->dev[0]), "a last resort stands behind the links");
	dev_gone(k, 0);
	find_path(k, 2, NULL, &w);
	ok(w.nowhere == RTN_UNREACHABLE, "and is there before any hook runs");
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	conf.last_resort = LAST_RESORT_BLACKHOLE;
	example(k, event, "another last resort",
		"ip route prepend blackhole default table 200 metric 65535 "
		"protocol 119\n"
		"ip route del unreachable default table 200 metric 65535 "
		"protocol 119\n");
}

/* Somebody else has an id that we want; and our own ids of before, which are
 * groups where links belong now: the kernel refuses to make one of the other,
 * so that takes a second round.
 */
static void taken_ids(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };
	struct nexthop nh = { .id = 77002, .protocol = PROTO_STATIC,
			      .family = AF_INET };
	struct err err = { "" };
	unsigned int i;

	conf.nexthop_base = 77256;
	make(k, &event);
	ok(plan.detour_end < plan.n_ops, "links where groups were: a detour");
	carry_out(k, plan.n_ops, PLAN_ALL);
	make(k, &event);
	ok(!plan.n_ops && object_of(k, 77257)->nh.ifindex &&
	   object_of(k, 77513)->nh.n_members == 1, "is one plan");
	conf.nexthop_base = 77000;
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	nh.ifindex = k->dev[DEV_FOREIGN].ifindex;
	do_nexthop_set(k, &nh);
	observe(k, event.goal);
	ok(plan_make(&plan, &conf, &present, &ruleset, &event, &err) ==
	   -EEXIST, "an id that somebody else has is refused");
	is(err.msg, "nexthop 77002 belongs to another program (protocol 4): "
	   "set nexthop_base to the first of 512 free ids in mwan.ini",
	   "with a sentence");
	for (i = 0; i < plan.n_ops; i++)
		do_op(k, &plan.op[i]);
	ok(good_way(k, 1) && good_way(k, 0) && plan.n_ops,
	   "and all the rest is planned");
	nexthop_drop(k, 77002);
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	ok(object_of(k, 77002)->nh.protocol == PROTO_MWAN,
	   "until it is free");
}

/* The file has other tables and one link less, and somebody has deleted our
 * rules.
 */
static void lost_tables(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };
	unsigned int round;

	for (round = 0; round < 2; round++) {
		two_links();
		dev_new(k, 0, address(1));
		dev_new(k, 1, address(2));
		make(k, &event);
		carry_out(k, plan.n_ops, PLAN_ALL);
		k->n_rules = 0;
		conf.n_links = 1;
		conf.link[0].table = 301;
		conf.standby_table = 210;
		event.goal = round ? PLAN_APPLY : PLAN_FLUSH;
		make(k, &event);
		carry_out(k, plan.n_ops, event.goal);
		ok(k->n_routes == (round ? 4 : 0), "%s finds our routes where "
		   "nothing leads", round ? "apply" : "flush");
	}
}

/* Another rule_priority: each mark goes by its link after every operation. */
static void priorities(struct kernel *k)
{
	static const uint32_t base[] = { 1000, 100, 1900, 1001, 1000, 101,
					 20000, 19100, 20000, 1000 };
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };
	unsigned int b, i, link, astray = 0, n = 0;
	struct path w;

	two_links();
	dev_new(k, 0, address(1));
	dev_new(k, 1, address(2));
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	for (b = 1; b < sizeof(base) / sizeof(base[0]); b++) {
		conf.rule_priority = base[b];
		make(k, &event);
		for (i = 0; i < plan.n_ops; i++, n++) {
			do_op(k, &plan.op[i]);
			for (link = 0; link < 2; link++) {
				find_path(k, link + 1, NULL, &w);
				astray += !only_way(&w, &k->dev[link]);
			}
		}
	}
	ok(n > 100 && !astray, "another rule_priority: after none of %u "
	   "operations a mark is on another link (%u)", n, astray);
}

static void addresses(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };

	two_links();
	dev_new(k, 0, address(1));
	dev_new(k, 1, address(2));
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	k->dev[1].extra = address(9);
	example(k, event, "one more address of a link",
		"ip rule add pref 1302 from 10.64.0.9 lookup 202 protocol "
		"119\n");
	k->dev[1].extra.family = 0;
	example(k, event, "and it goes: its connections are ended, too",
		"conntrack -D --reply-dst 10.64.0.9\n"
		"ip rule del pref 1302 from 10.64.0.9 lookup 202 protocol "
		"119\n");
	k->dev[0].peer = k->dev[1].peer = address(100);
	example(k, event, "both lines end at one peer",
		"ip rule add pref 999 to 10.64.0.100 fwmark 0x1/0xff lookup "
		"201 protocol 119\n"
		"ip rule add pref 999 from 10.64.0.1 to 10.64.0.100 lookup "
		"201 protocol 119\n"
		"ip rule add pref 999 to 10.64.0.100 fwmark 0x2/0xff lookup "
		"202 protocol 119\n"
		"ip rule add pref 999 from 10.64.0.2 to 10.64.0.100 lookup "
		"202 protocol 119\n");
	dev_gone(k, 1);
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	make(k, &event);
	ok(!plan.n_ops && k->rule[0].priority == 1000,
	   "one of them goes: main's route does again");
}

/* A link on Ethernet beside one of pppd's. */
static void gateways(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };
	struct route r = { .table = 202, .family = AF_INET,
			   .type = RTN_UNICAST, .protocol = PROTO_DHCP,
			   .metric = 1024, .gateway = address(0xfe02) };

	two_links();
	conf.sysctl = true;
	dev_new(k, 0, address(1));
	dev_new(k, 1, address(2));
	k->rp_filter_all = RP_LOOSE;
	k->dev[1].shared = true;
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	make(k, &event);
	ok(!plan.n_ops && !object_of(k, 77002),
	   "without a gateway it gets no default");
	k->dev[1].gateway = address(0xfe02);
	r.ifindex = k->dev[1].ifindex;
	do_route_add(k, &r);
	example(k, event, "the gateway is known, from a default of networkd's",
		"sysctl -w net/ipv4/conf/ppp1/ignore_routes_with_linkdown=1\n"
		"ip nexthop replace id 77002 via 10.64.254.2 dev ppp1 onlink "
		"protocol 119\n"
		"ip route prepend default via 10.64.254.2 dev ppp1 onlink "
		"table 202 protocol 119\n"
		"ip nexthop replace id 77257 group 77001,1/77002,1 protocol "
		"119\n"
		"ip rule add pref 1302 from 10.64.0.2 lookup 202 protocol "
		"119\n");
	k->dev[1].gateway = address(0xfe03);
	example(k, event, "it is another one",
		"ip nexthop replace id 77002 via 10.64.254.3 dev ppp1 onlink "
		"protocol 119\n"
		"ip route prepend default via 10.64.254.3 dev ppp1 onlink "
		"table 202 protocol 119\n"
		"ip route del default via 10.64.254.2 dev ppp1 onlink "
		"table 202 protocol 119\n");
	nexthops_drop(k, k->dev[1].ifindex);
	k->dev[1].carrier = false;
	make(k, &event);
	ok(!plan.n_ops, "its cable is pulled: all stays, for its return");
	k->dev[1].skips_linkdown = false;
	example(k, event, "the same where the kernel does not pass over it",
		"ip route del default via 10.64.254.3 dev ppp1 onlink "
		"table 202 protocol 119\n"
		"ip rule del pref 1302 from 10.64.0.2 lookup 202 protocol "
		"119\n");
	k->dev[0].gateway = k->dev[1].gateway;
	k->dev[0].shared = k->dev[1].carrier = true;
	k->dev[0].local = k->dev[1].local;
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	make(k, &event);
	ok(!plan.n_ops && k->rule[0].priority == 999 &&
	   k->rule[0].mark == 1 && k->rule[2].priority == 999 &&
	   k->rule[2].mark == 2,
	   "two modems with one address: to each by its own link");
}

/* Two links that are up. */
static void both_up(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };

	two_links();
	dev_new(k, 0, address(1));
	dev_new(k, 1, address(2));
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
}

static void hold_links(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };
	struct nexthop nh = { .id = 77000, .protocol = PROTO_STATIC,
			      .family = AF_INET };
	struct err err = { "" };
	struct path w;

	both_up(k);
	held[0] = true;
	example(k, event, "a held link: its group first, then its rule; its "
		"table and the rule \"from\" stay",
		"ip nexthop replace id 77257 group 77002,1 protocol 119\n"
		"ip nexthop replace id 77000 group 77001,1 protocol 119\n"
		"ip route prepend default nhid 77000 table 200 metric 257 "
		"protocol 119\n"
		"ip route prepend default nhid 77000 table 253 metric 65793 "
		"protocol 119\n"
		"ip route prepend default dev ppp1 table 253 metric 65536 "
		"protocol 119\n"
		"ip rule add pref 32768 lookup 202 protocol 119\n"
		"ip route del default dev ppp0 table 253 metric 65536 protocol "
		"119\n"
		"ip rule del pref 32768 lookup 201 protocol 119\n"
		"ip rule del pref 1001 fwmark 0x1/0xff lookup 201 protocol "
		"119\n");
	find_path(k, 1, NULL, &w);
	ok(only_way(&w, &k->dev[1]), "its mark goes by the other link");
	find_path(k, 0, &k->dev[0].local, &w);
	ok(only_way(&w, &k->dev[0]), "a probe from its address by itself");
	held[1] = true;
	example(k, event, "every usable link is held: as if none were",
		"ip nexthop replace id 77257 group 77001,1/77002,1 protocol "
		"119\n"
		"ip rule add pref 1001 fwmark 0x1/0xff lookup 201 protocol "
		"119\n"
		"ip route del default nhid 77000 table 200 metric 257 protocol "
		"119\n"
		"ip route del default nhid 77000 table 253 metric 65793 "
		"protocol 119\n"
		"ip nexthop del id 77000\n");
	held[0] = false;
	conf.link[1].tier = 2;
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	dev_gone(k, 0);
	ok(good_way(k, 1) && good_way(k, 2) && good_way(k, 0), "when all "
	   "others go, the kernel itself takes a held link again");

	both_up(k);
	nh.ifindex = k->dev[DEV_FOREIGN].ifindex;
	do_nexthop_set(k, &nh);
	held[0] = true;
	observe(k, event.goal);
	ok(plan_make(&plan, &conf, &present, &ruleset, &event, &err) ==
	   -EEXIST && !strncmp(err.msg, "nexthop 77000 belongs to another "
	   "program", 40), "the group's id is somebody else's");
	nexthop_drop(k, 77000);
}

/* Source NAT of one's own: the flows' translation has to be ended. */
static void hold_without_masquerade(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };
	unsigned int n = 0, ops, i, bad = 0;
	bool ended, marks;

	do {
		both_up(k);
		conf.masquerade = false;
		held[0] = true;
		make(k, &event);
		ops = plan.n_ops;
		ended = false;
		for (i = 0; i < n && i < ops; i++) {
			ended = ended || plan.op[i].kind == OP_CT_FORGET;
			do_op(k, &plan.op[i]);
		}
		make(k, &event);
		marks = false;
		for (i = 0; i < plan.n_ops; i++) {
			ended = ended || (plan.op[i].kind == OP_CT_FORGET &&
				addr_equal(&plan.op[i].addr,
					   &k->dev[0].local));
			marks = marks || (plan.op[i].kind == OP_RULE_DEL &&
					  plan.op[i].rule.mask);
			bad += plan.op[i].kind == OP_RULE_DEL &&
			       plan.op[i].rule.mask && ended;
			do_op(k, &plan.op[i]);
		}
		bad += !ended || link_of_rule(k, PRIORITY_HELD) >= 0;
		make(k, &event);
		bad += plan.n_ops != 0;
	} while (n++ < ops);
	ok(n > 11 && !bad, "held without masquerade: killed after any of %u "
	   "operations, its flows are ended once more, and that is "
	   "forgotten", n - 1);
	both_up(k);
	held[0] = true;
	make(k, &event);
	for (i = 0, bad = 0; i < plan.n_ops; i++)
		bad += plan.op[i].kind == OP_CT_FORGET;
	ok(!bad, "masquerading ends them by itself");
}

/* What is left of a held link's tier moves no more than it has to. */
static void hold_and_failback(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };
	unsigned int i, n = 0;

	both_up(k);
	conf.failback = FAILBACK_MOVE;
	conf.link[1].tier = 2;
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	held[0] = true;
	make(k, &event);
	for (i = 0; i < plan.n_ops; i++)
		n += plan.op[i].kind == OP_CT_END;
	carry_out(k, plan.n_ops, PLAN_ALL);
	ok(!n && link_of_rule(k, PRIORITY_PRIMARY) == 1, "the better tier is "
	   "held: the backup is the primary, and nothing is ended");
	held[0] = false;
	may_end = true;
	make(k, &event);
	for (i = 0; i < plan.n_ops; i++)
		n += plan.op[i].kind == OP_CT_END &&
		     plan.op[i].mark.value == 2;
	carry_out(k, plan.n_ops, PLAN_ALL);
	ok(n == 1 && !link_of_rule(k, PRIORITY_PRIMARY), "it leads somewhere "
	   "again: the backup's flows are ended");
}

/* All rules are gone; of the better tier one link has lost its address and the
 * other is held.
 */
static void stale_group(struct kernel *k)
{
	struct plan_event event = { .goal = PLAN_ALL, .gone_link = -1 };
	unsigned int i, link, bad = 0, seen = 0;
	bool ruled = false;

	new_world(3);
	conf_of_links(3);
	kernel.masquerade = true;
	conf.link[2].tier = 2;
	for (i = 0; i < 3; i++)
		dev_new(k, i, address(i + 1));
	make(k, &event);
	carry_out(k, plan.n_ops, PLAN_ALL);
	addr_drop(k, 0);
	held[1] = true;
	k->n_rules = 0;
	make(k, &event);
	for (i = 0; i < plan.n_ops; i++) {
		do_op(k, &plan.op[i]);
		ruled = ruled || plan.op[i].kind == OP_RULE_ADD;
		for (link = 1; link <= 3 && ruled; link++, seen++)
			bad += !good_way(k, link);
	}
	ok(seen > 20 && !bad, "a group to be removed leads new rules to no "
	   "dead link before it goes (%u)", bad);
	make(k, &event);
	ok(!plan.n_ops, "and it is gone");
}

/* Without an interface or an object nothing else tells the families apart. */
static void families(void)
{
	struct route a = { .table = 200, .metric = METRIC_LAST_RESORT,
			   .type = RTN_UNREACHABLE, .family = AF_INET,
			   .protocol = PROTO_MWAN };
	struct route b = a;

	ok(route_equal(&a, &b), "equal routes");
	b.family = AF_INET6;
	ok(!route_equal(&a, &b), "the same of the other family is another one");
}

static void examples(void)
{
	struct kernel *k = &kernel;

	two_links();
	first_up(k);
	second_up_and_down(k);
	late_down(k);
	other_address(k);
	flush(k);
	hooks_alone(k);
	backup_tier(k);
	taken_ids(k);
	failback(k);
	failback_killed(k);
	last_resort(k);
	dead_leftover(k);
	lost_tables(k);
	addresses(k);
	gateways(k);
	priorities(k);
	hold_links(k);
	hold_without_masquerade(k);
	hold_and_failback(k);
	stale_group(k);
	families();
}

int main(int argc, char **argv)
{
	const char *seed = argc > 2 ? argv[2] : getenv("UNIT_SEED");
	const char *more = getenv("TEST_LONG");
	unsigned long rounds = more && *more ? ROUNDS_LONG
					     : unit_rounds(ROUNDS);

	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 10);
	if (seed)
		unit_seed = strtoull(seed, NULL, 10);
	if (!unit_seed)
		unit_seed = 1;
	first_seed = unit_seed;
	examples();
	schedule(rounds);
	crowd(64, 24);
	crowd(LINKS_MAX, 8);
	overflow();
	report_properties();
	printf("# %lu rounds, seed %llu\n", rounds,
	       (unsigned long long)first_seed);
	return done();
}
