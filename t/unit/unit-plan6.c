// SPDX-License-Identifier: MIT
/* What is planned for IPv6, and in which order; and both families at random, on a
 * model of the kernel.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "core/plan.h"
#include "model.h"
#include "unit.h"

enum {
	WORLDS = 1500, WORLDS_LONG = 20000,	/* TEST_LONG */
	EVENTS = 30,
	ROUNDS_MAX = 8,
};

static const struct ruleset no_ruleset;
static struct err err;
static char text[16384];

static void link_begin(unsigned int i, const char *prefix)
{
	struct conf_link *want = &conf.link[i];
	struct link *is = &present.link[i];
	struct link_family *af = &is->af[FAMILY_IPV6];

	snprintf(want->name, sizeof(want->name), "ppp%u", i);
	want->table = 201 + i;
	want->mark = i + 1;
	want->weight = want->tier = 1;
	is->ifindex = 7 + i;
	is->up = is->carrier = true;
	addr_parse(&af->local, "fe80::2");
	addr_parse(&af->peer, "fe80::1");
	af->gateway = af->peer;
	is->known6 = true;
	prefixes_add(&is->own6, prefix, &err);
}

/* Two links of IPv6 alone, and an empty kernel. */
static void begin(void)
{
	memset(&conf, 0, sizeof(conf));
	memset(&present, 0, sizeof(present));
	conf.ipv6 = conf.masquerade = true;
	conf.rule_priority = 1000;
	conf.mark_mask = 0xff;
	conf.standby_table = 200;
	conf.onlink_table = 199;
	conf.nexthop_base = 77000;
	conf.n_links = present.n_links = 2;
	present.ipv6 = present.addrs_complete = true;
	present.ip_forward = 1;
	present.hash_policy[FAMILY_IPV4] = present.hash_policy[FAMILY_IPV6] =
		-1;
	present.nft.present = present.nft.masquerades = true;
	link_begin(0, "2001:db8:a00::/56");
	link_begin(1, "2001:db8:b00::/56");
}

/* What is to be done in IPv6, as commands. */
static const char *planned(enum plan_goal goal)
{
	struct plan_event event = { .goal = goal, .gone_link = -1 };
	static char all[32768];
	char *line, *save;
	FILE *f = fmemopen(all, sizeof(all), "w");

	plan_make(&plan, &conf, &present, &no_ruleset, &event, &err);
	plan_print(&plan, f);
	fclose(f);
	*text = '\0';
	for (line = strtok_r(all, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (strstr(line, " -6 ") || strstr(line, "ipv6") ||
		    strstr(line, "group"))
			snprintf(text + strlen(text),
				 sizeof(text) - strlen(text), "%s\n", line);
	return text;
}

/* Is the line with @first before that with @then? */
static bool before(const char *first, const char *then)
{
	const char *a = strstr(text, first), *b = strstr(text, then);

	return a && b && a < b;
}

static void rule_seen(uint32_t priority, uint32_t table, const char *from)
{
	struct rule *r = &present.rule[present.n_rules++];
	struct prefix p = { .len = 0 };

	*r = (struct rule){ .priority = priority, .table = table,
			    .family = AF_INET6, .protocol = PROTO_MWAN };
	if (from && !prefix_parse(&p, from)) {
		r->from = p.addr;
		r->from_len = p.len;
	}
}

static void test_up(void)
{
	begin();
	planned(PLAN_ALL);
	ok(before("addr add 2001:db8:a00:ff::6d77:1/128 dev ppp0",
		  "nexthop replace id 77513 via fe80::1 dev ppp0"),
	   "a link's address comes before the way there");
	ok(before("nexthop replace id 77514", "group 77513,1/77514,1"),
	   "members before their group");
	ok(before("group 77513", "route replace default nhid 77769 table 200"),
	   "a group before its route");
	ok(before("default nhid 77769 table 200", "rule add pref 1002 fwmark"),
	   "routes before the rules that lead there");
	ok(before("rule add pref 1000 not fwmark", "pref 1001 lookup 199"),
	   "main before what is remembered of the LAN");
	ok(before("pref 1301 from 2001:db8:a00::/56 lookup 201",
		  "pref 1302 from 2001:db8:b00::/56 lookup 202"),
	   "a rule for each prefix");
}

/* A verdict is of one family. */
static void test_held(void)
{
	const char *all;

	begin();
	present.link[0].held[FAMILY_IPV4] = true;
	links_judge(present.link, 2);
	ok(strstr(planned(PLAN_ALL), "fwmark 0x1/0xff") != NULL,
	   "held in IPv4 alone: nothing of it in IPv6");
	present.link[0].held[FAMILY_IPV4] = false;
	present.link[0].held[FAMILY_IPV6] = true;
	links_judge(present.link, 2);
	all = planned(PLAN_ALL);
	ok(!strstr(all, "fwmark 0x1/0xff") && strstr(all, "fwmark 0x2/0xff") &&
	   strstr(all, "from 2001:db8:a00::/56 iif lo lookup 201"),
	   "held in IPv6: no rule for its mark, for its prefix the router's");
	present.link[1].held[FAMILY_IPV6] = true;
	links_judge(present.link, 2);
	ok(strstr(planned(PLAN_ALL), "fwmark 0x1/0xff") != NULL,
	   "both are: as if none were");
}

/* Nothing of IPv6 in each of these. */
static void test_nothing(void)
{
	begin();
	conf.ipv6 = false;
	is(planned(PLAN_ALL), "", "ipv6 = no");
	begin();
	present.ipv6 = false;
	is(planned(PLAN_ALL), "", "a kernel without IPv6");
	begin();
	present.link[0].own6.n = present.link[1].own6.n = 0;
	present.link[0].known6 = present.link[1].known6 = false;
	is(planned(PLAN_ALL), "", "no prefix is known");
}

static void test_lost(void)
{
	begin();
	present.link[0].af[FAMILY_IPV6].local.family = 0;
	present.link[0].known6 = false;
	addr_parse(&present.link[0].ours6, "2001:db8:a00:ff::6d77:1");
	rule_seen(1301, 201, "2001:db8:a00::/56");
	planned(PLAN_ALL);
	ok(before("addr del 2001:db8:a00:ff::6d77:1/128 dev ppp0",
		  "conntrack -D -f ipv6 --mark 0x1/0xff"),
	   "our address leaves a link that IPv6 has left");
	ok(before("conntrack -D -f ipv6 --mark 0x1/0xff",
		  "rule del pref 1301 from 2001:db8:a00::/56"),
	   "the rule that remembers the prefix goes after its flows");
	ok(!strstr(text, "77513"), "the group is made of the other link");
	rule_seen(1301, 201, "2001:db8:a77::/56");
	planned(PLAN_ALL);
	ok(strstr(text, "conntrack") &&
	   !strstr(strstr(text, "conntrack") + 1, "conntrack"),
	   "one deletion is for all prefixes of a link that is down");
	present.link[1].af[FAMILY_IPV6].local.family = 0;
	present.link[1].known6 = false;
	planned(PLAN_ALL);
	ok(!strstr(text, "conntrack") && !strstr(text, "del pref 1301"),
	   "with no other link the flows wait");
}

static void test_renumbered(void)
{
	begin();
	rule_seen(1301, 201, "2001:db8:a77::/56");
	planned(PLAN_ALL);
	ok(before("rule add pref 1301 from 2001:db8:a00::/56",
		  "conntrack -D -f ipv6 --mark 0x1/0xff"),
	   "another prefix comes before the flows of the old one end");
	ok(before("conntrack", "rule del pref 1301 from 2001:db8:a77::/56"),
	   "then the old one's rule goes");
}

static void test_lan(void)
{
	struct prefix net = { .len = 0 };

	begin();
	ok(!prefix_parse(&net, "2001:db8:a00:7::/64"), "a network of the LAN");
	present.lan[0] = (struct onlink){ .ifindex = 1, .to = net };
	present.n_lans = 1;
	ok(strstr(planned(PLAN_ALL), "route replace 2001:db8:a00:7::/64 dev "
		  "lo table 199 protocol") != NULL, "is remembered");
	present.onlink[0] = present.lan[0];
	present.onlink[0].table = conf.onlink_table;
	present.n_onlinks = 1;
	ok(!strstr(planned(PLAN_ALL), "table 199 protocol"), "once");
	present.n_lans = 0;
	ok(strstr(planned(PLAN_ALL), "table 199 expires 7200") != NULL,
	   "when it is withdrawn, for two hours more");
	present.onlink[0].expires = 100;
	ok(!strstr(planned(PLAN_ALL), "expires"), "and not for longer");
	ok(strstr(planned(PLAN_FLUSH), "route del 2001:db8:a00:7::/64") != NULL,
	   "until a flush");
	prefix_parse(&net, "2001:db8:c00::/64");
	present.n_onlinks = 0;
	present.n_lans = 1;
	present.lan[0].to = net;
	ok(!strstr(planned(PLAN_ALL), "table 199 protocol"),
	   "one that is of no link is not our affair");
}

static void test_address(void)
{
	begin();
	present.link[0].has_own6 = true;
	planned(PLAN_ALL);
	ok(!strstr(text, "6d77:1"), "a link that has an address needs none");
	addr_parse(&present.link[0].ours6, "2001:db8:a00:ff::6d77:1");
	planned(PLAN_ALL);
	ok(strstr(text, "addr del 2001:db8:a00:ff::6d77:1/128") != NULL,
	   "and ours goes");
}

/* --- both families at random --- */

static struct kernel both, alone;	/* with IPv6, and the same without */
static unsigned long n_checked, n_bad[9];
static char first[300];

enum { B_ENDS, B_REFUSED, B_MARK, B_UNMARKED, B_OWN, B_EVERY, B_IPV4, B_FLUSH,
       B_ADDRESS };
static const char *const what[] = {
	[B_ENDS] = "a run has an end, and the next has nothing to do",
	[B_REFUSED] = "the kernel refuses nothing",
	[B_MARK] = "a mark goes by its link, else by those of the best rank",
	[B_UNMARKED] = "unmarked traffic goes by one link that lives",
	[B_OWN] = "a prefix goes by its own link, a held link's by the others",
	[B_EVERY] = "after every operation each mark that had a way has one",
	[B_IPV4] = "IPv4 is what it is without IPv6",
	[B_FLUSH] = "a flush leaves nothing",
	[B_ADDRESS] = "a link that IPv6 uses has one address of ours, of its prefix",
};

static void bad(unsigned int property, bool is_bad, const char *why)
{
	n_checked++;
	if (is_bad && !n_bad[property]++)
		printf("# %s: %s\n", what[property], why);
	if (is_bad && !first[0])
		snprintf(first, sizeof(first), "%s", why);
}

/* IPV6CP opens or ends. */
static void set_ll(struct dev *d, unsigned int i, bool up)
{
	char text_of[ADDR_TEXT];

	d->local6.family = d->peer6.family = 0;
	if (!up)
		return;
	snprintf(text_of, sizeof(text_of), "fe80::a:%u", i);
	addr_parse(&d->local6, text_of);
	snprintf(text_of, sizeof(text_of), "fe80::b:%u", i);
	addr_parse(&d->peer6, text_of);
}

/* None, or one that nobody had before. */
static void set_prefix(struct dev *d)
{
	static unsigned int serial;
	char word[PREFIX_TEXT];

	d->own6.n = 0;
	if (!unit_random(3))
		return;
	serial = (serial + 1) % 0xffff;
	snprintf(word, sizeof(word), "2001:db8:%x::/48", serial);
	prefixes_add(&d->own6, word, &err);
}

static void event_of(struct dev *d, struct kernel *k, unsigned int i,
		     unsigned int kind, const struct dev *like)
{
	static const struct addr none;

	switch (kind) {
	case 0:
	case 1:
		if (d->ifindex)
			dev_gone(k, i);
		dev_add(k, i, kind ? like->local : none);
		break;
	case 2:
		dev_gone(k, i);
		break;
	case 3:
		if (d->ifindex)
			dev_down(k, i);
		break;
	case 4:
		if (d->ifindex && d->local.family)
			addr_drop(k, i);
		break;
	case 5:
		if (d->ifindex && d->up && !d->local.family)
			d->local = like->local;
		break;
	}
	/* One kernel has what the other one has. */
	if (!d->ifindex || !d->up)
		return;
	d->local6 = like->local6;
	d->peer6 = like->peer6;
	d->own6 = like->own6;
}

static void some_event(void)
{
	static uint32_t serial;
	unsigned int i = unit_random(conf.n_links), kind = unit_random(10);
	struct dev like = both.dev[i];

	like.local = (struct addr){ .family = AF_INET,
				    .v4.s_addr = htonl(0x0a400001 + ++serial) };
	/* A new interface begins without, a session may get it before IPv4. */
	if (kind < 2)
		like.local6.family = 0;
	if (kind == 6 || (kind < 2 && unit_random(2)))
		set_ll(&like, i, !like.local6.family);
	if (kind == 7 || (kind < 2 && unit_random(2)))
		set_prefix(&like);
	if (kind == 8)
		drained[i] = !drained[i];
	if (kind == 9)
		held[i] = !held[i];
	event_of(&both.dev[i], &both, i, kind, &like);
	event_of(&alone.dev[i], &alone, i, kind, &like);
}

static bool has_way6(uint32_t mark)
{
	struct path w;
	unsigned int i;

	find_path6(&both, mark, NULL, &w);
	for (i = 0; i < w.n; i++)
		if (!w.dev[i] || !alive6(w.dev[i]))
			return false;
	return w.n;
}

/* What took its place has deleted it; apply.c forgives that. */
static bool is_replaced(const struct op *op, int code)
{
	return op->kind == OP_ROUTE_DEL && op->route.family == AF_INET6 &&
	       code == -ESRCH;
}

/* @stop: so many operations are done, and the rest is for the next run. */
static void run(struct kernel *k, enum plan_goal goal, unsigned int stop)
{
	struct plan_event event = { .goal = goal, .gone_link = -1 };
	bool good[LINKS_MAX];
	unsigned int round, i, m;
	char line[200];
	int code;

	for (round = 0; round < ROUNDS_MAX; round++) {
		observe(k, goal);
		plan_make(&plan, &conf, &present, &ruleset, &event, &err);
		if (!plan.n_ops)
			return;
		for (m = 0; m < conf.n_links; m++)
			good[m] = k == &both && goal != PLAN_FLUSH &&
				  has_way6(m + 1);
		for (i = 0; i < plan.n_ops; i++) {
			if (!stop--)
				return;
			code = do_op(k, &plan.op[i]);
			snprintf(line, sizeof(line), "operation %u, kind %u: "
				 "%s", i, plan.op[i].kind, strerror(-code));
			bad(B_REFUSED, code && !is_replaced(&plan.op[i], code),
			    line);
			for (m = 0; m < conf.n_links; m++)
				bad(B_EVERY, good[m] && !has_way6(m + 1), line);
		}
	}
	bad(B_ENDS, true, "it goes round and round");
}

/* The best rank that a link of IPv6 has; RANKS: none is usable. */
static unsigned int best_rank(void)
{
	unsigned int i, rank, best = RANKS;

	for (i = 0; i < conf.n_links; i++) {
		rank = link_rank(&conf.link[i], &present.link[i], FAMILY_IPV6);
		if (alive6(&both.dev[i]) && rank < best)
			best = rank;
	}
	return best;
}

static bool goes_by(const struct path *w, unsigned int rank)
{
	unsigned int i, n = 0;
	bool among = true;

	for (i = 0; i < conf.n_links; i++)
		n += alive6(&both.dev[i]) && rank == link_rank(&conf.link[i],
			&present.link[i], FAMILY_IPV6);
	for (i = 0; i < w->n; i++)
		among = among && w->dev[i] && alive6(w->dev[i]);
	return among && w->n == n;
}

static void check_addresses(void)
{
	const struct dev *d;
	unsigned int i, n;

	for (i = 0; i < conf.n_links; i++) {
		d = &both.dev[i];
		n = (d->ours6[0].family ? 1U : 0U) +
		    (d->ours6[1].family ? 1U : 0U);
		bad(B_ADDRESS, n != alive6(d) || (n && !prefix_has(
		    &d->own6.item[0], &d->ours6[!d->ours6[0].family])),
		    "of a link");
	}
}

static void check_ways(void)
{
	const unsigned int best = best_rank();
	const struct dev *d;
	struct path w;
	unsigned int i;
	char line[80];

	for (i = 0; i < conf.n_links; i++) {
		d = &both.dev[i];
		find_path6(&both, i + 1, NULL, &w);
		snprintf(line, sizeof(line), "link %u, %u ways, alive %d", i,
			 w.n, alive6(d));
		bad(B_MARK, alive6(d) && !present.link[i].af[FAMILY_IPV6].held ?
		    !only_way(&w, d) : best == RANKS ? w.n :
		    !goes_by(&w, best), line);
		if (!alive6(d))
			continue;
		find_path6(&both, 0, &d->own6.item[0], &w);
		bad(B_OWN, present.link[i].af[FAMILY_IPV6].held ?
		    w.n != 1 || !alive6(w.dev[0]) || w.dev[0] == d :
		    !only_way(&w, d), line);
	}
	find_path6(&both, 0, NULL, &w);
	bad(B_UNMARKED, best == RANKS ? w.n : w.n != 1 || !alive6(w.dev[0]),
	    "unmarked");
}

/* A number of all that is of IPv4. */
static uint64_t digest4(const struct kernel *k)
{
	const struct nexthop *nh;
	uint64_t d = 0;
	unsigned int i, n;

	for (i = 0; i < k->n_rules; i++)
		if (k->rule[i].family == AF_INET)
			d += k->rule[i].priority * 131ULL + k->rule[i].table;
	for (i = 0; i < k->n_routes; i++)
		if (k->route[i].family == AF_INET)
			d += (k->route[i].table * 131ULL + k->route[i].metric) *
			     (k->route[i].ifindex + 7 * k->route[i].nhid + 1);
	for (i = 0; i < k->n_nexthops; i++) {
		nh = &k->nexthop[i].nh;
		if (nh->id >= conf.nexthop_base + NEXTHOP_SPAN)
			continue;
		d += nh->id * 1009ULL + nh->ifindex;
		for (n = 0; n < nh->n_members; n++)
			d += k->nexthop[i].member[n].id * 31ULL +
			     k->nexthop[i].member[n].weight;
	}
	return d;
}

static void one_world(bool killed)
{
	unsigned int i, e;

	model_begin(&alone, 2 + unit_random(4));
	model_begin(&both, conf.n_links);
	conf.onlink_table = 199;
	for (i = 0; i < conf.n_links; i++) {
		conf.link[i].tier = (uint8_t)(1 + unit_random(2));
		conf.link[i].weight = (uint8_t)(1 + unit_random(3));
	}
	for (e = 0; e < EVENTS; e++) {
		some_event();
		conf.ipv6 = true;
		if (killed && !unit_random(3)) {
			run(&both, PLAN_ALL, unit_random(unit_random(2) ?
							 4 : 24));
			continue;
		}
		run(&both, PLAN_ALL, UINT32_MAX);
		check_ways();
		check_addresses();
		conf.ipv6 = false;
		if (killed)
			continue;
		run(&alone, PLAN_ALL, UINT32_MAX);
		bad(B_IPV4, digest4(&both) != digest4(&alone), "differs");
	}
	conf.ipv6 = true;
	run(&both, PLAN_FLUSH, UINT32_MAX);
	for (i = e = 0; i < conf.n_links; i++)
		e += both.dev[i].ours6[0].family || both.dev[i].ours6[1].family;
	bad(B_FLUSH, both.n_rules || both.n_routes || both.n_nexthops || e,
	    "something is left");
}

static void test_random(void)
{
	unsigned int i, n = getenv("TEST_LONG") ? WORLDS_LONG
					      : unit_rounds(WORLDS);

	unit_seed = 20261127;
	for (i = 0; i < n; i++)
		one_world(i % 2);
	for (i = 0; i < sizeof(what) / sizeof(what[0]); i++)
		ok(!n_bad[i], "%u worlds: %s (%lu)", n, what[i], n_bad[i]);
	ok(n_checked > 100UL * n, "%lu checks", n_checked);
}

int main(void)
{
	test_random();
	test_up();
	test_held();
	test_nothing();
	test_lost();
	test_renumbered();
	test_lan();
	test_address();
	return done();
}
