// SPDX-License-Identifier: MIT
/* What mwan-rules status prints, for figures that no test can make the kernel
 * have.
 */
#include "tell/link_facts.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include "model.h"
#include "tell/status_print.h"
#include "unit.h"

enum { TEXT_MAX = 1 << 20, ROUNDS = 300, ROUTERS = 200 };

static struct status status;
static struct facts facts;
static struct session session;
static struct kernel kernel;
static char text[TEXT_MAX];

static void as_table(const struct status *s, FILE *out)
{
	status_print(s, true, false, out);
}

static const char *printed_by(void (*print)(const struct status *s, FILE *out))
{
	FILE *f = fmemopen(text, sizeof(text), "w");

	print(&status, f);
	fclose(f);
	return text;
}

static void as_brief(const struct status *s, FILE *out)
{
	status_print(s, false, false, out);
}

static const char *printed(bool json)
{
	return printed_by(json ? status_print_json : as_table);
}

/* The nth word of the nth line, from 1. */
static const char *word(unsigned int line, unsigned int n)
{
	static char copy[200];
	char *at = text, *w = NULL, *save;

	while (--line)
		at = strchr(at, '\n') + 1;
	snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(at, "\n"), at);
	for (at = copy; n--; at = NULL)
		w = strtok_r(at, " ", &save);
	return w ? w : "";
}

static void links(unsigned int n)
{
	struct status_link *l;
	unsigned int i;

	memset(&status, 0, sizeof(status));
	memset(&facts, 0, sizeof(facts));
	status.facts = &facts;
	status.n_links = n;
	status.in_force = true;
	for (i = 0; i < n; i++) {
		l = &status.link[i];
		l->want = &conf.link[i];
		l->is = &present.link[i];
		snprintf(conf.link[i].name, IFNAMSIZ, "ppp%u", i);
	}
}

static void test_scale(void)
{
	static const struct {
		uint64_t n;
		const char *text;
	} cases[] = {
		{ 0, "0" }, { 9999, "9999" }, { 10000, "10.0k" },
		{ 99999, "99.9k" }, { 100000, "100k" }, { 999999, "999k" },
		{ 1000000, "1.0M" }, { 123456789, "123M" },
		{ 1999999999, "1.9G" }, { UINT64_MAX, "18.4E" },
	};
	size_t i;

	links(1);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		facts.have_bytes[0] = true;
		facts.bytes[0].rx = cases[i].n;
		printed(false);
		is(word(4, 6), cases[i].text, "%s", cases[i].text);
	}
}

static void test_default(void)
{
	unsigned int i;

	links(LINKS_MAX);
	printed(false);
	is(word(4, 8), "none", "no link carries it");
	strcpy(status.link[0].by_other, "eth0");
	printed(false);
	is(word(4, 8), "eth0", "another interface does");
	for (i = 0; i < LINKS_MAX; i++)
		status.link[0].by[status.link[0].n_by++] = (uint8_t)i;
	printed(false);
	is(word(4, 8), "ppp0,ppp1,ppp2,+252", "all links do");
	status.link[0].n_by = 4;
	printed(false);
	is(word(4, 8), "ppp0,ppp1,ppp2,ppp3", "all that there is room for");
}

static void test_state(void)
{
	links(1);
	present.link[0].drained = true;
	printed(false);
	is(word(3, 2), "down,drained", "a drained link that is down");
	status.link[0].usable = true;
	printed(false);
	is(word(3, 2), "drained", "... and that is up");
	present.link[0].drained = false;
}

static void fill(char *to, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size; i++)
		to[i] = (char)('a' + unit_random(26));
	to[i] = '\0';
}

/* Sentences of words that are not longer than a line. */
static void fill_sentence(struct err *e)
{
	size_t i;

	for (i = 0; i + 1 < sizeof(e->msg); i++)
		e->msg[i] = i % 70 == 69 || !unit_random(6) ? ' ' : 'a';
	e->msg[0] = 'a';
	e->msg[i] = '\0';
}

/* A line a link; the columns are as wide as what is in them. */
static void test_brief(void)
{
	links(2);
	facts.now = 1000000;
	strcpy(facts.since[0].text, "x");
	facts.since[0].seconds = 1000000 - (3 * 24 + 4) * 3600;
	strcpy(facts.since[1].text, "x");
	facts.since[1].seconds = 1000000 - 59;
	addr_parse(&present.link[0].af[FAMILY_IPV4].local, "10.0.0.1");
	status.link[0].usable = true;
	status.link[0].n_by = 1;
	facts.have_bytes[0] = true;
	facts.bytes[0].rx = 123456;
	is(printed_by(as_brief),
	   "LINK  STATE  FOR    ADDRESS     RX  TX  FLOWS  CARRIED BY\n"
	   "ppp0  up     3d 4h  10.0.0.1  123k   0      0  ppp0\n"
	   "ppp1  down   59s    none         -   -      0  none\n",
	   "a line a link");
	addr_parse(&present.link[0].af[FAMILY_IPV4].local, "100.100.100.100");
	strcpy(conf.link[0].name, "long-name-ppp-0");
	strcpy(conf.link[1].name, "long-name-ppp-1");
	present.link[1].drained = true;
	facts.since[0].seconds = 1000000 - 86400 * 9999 - 3600 * 23;
	facts.flows[0] = facts.bytes[0].rx = facts.bytes[0].tx = 55500;
	status.link[1].by[status.link[1].n_by++] = 0;
	is(printed_by(as_brief),
	   "LINK            STATE        FOR       ADDRESS         "
	   "   RX    TX FLOWS BY\n"
	   "long-name-ppp-0 up           9999d 23h 100.100.100.100 "
	   "55.5k 55.5k 55.5k \n  carried by long-name-ppp-0\n"
	   "long-name-ppp-1 down,drained 59s       none            "
	   "    -     -     0 \n  carried by long-name-ppp-0\n",
	   "a line of its own for names that do not fit");
	present.link[1].drained = false;
	facts.since[0].text[0] = facts.since[1].text[0] = '\0';
	present.link[0].af[FAMILY_IPV4].local.family = 0;
}

static void a_problem(unsigned int i, const char *link, const char *text_of)
{
	struct status_problem *p = &status.problem[i];

	p->kind = "link-down";
	strcpy(p->link, link);
	snprintf(p->text.msg, sizeof(p->text.msg), "%s%s", link, text_of);
	status.n_problems = i + 1;
}

static void test_shared(void)
{
	links(1);
	a_problem(0, "ppp0", " is down, it hides.");
	a_problem(1, "ppp1", " is down, it is lost.");
	a_problem(2, "ppp2", " is down, it hides.");
	a_problem(3, "", "Something else.");
	a_problem(4, "ppp4", " is down, it hides.");
	printed_by(as_brief);
	is(strstr(text, "\n\n"), "\n\n"
	   "* ppp0, ppp2 and ppp4 are down, it hides.\n"
	   "* ppp1 is down, it is lost.\n"
	   "* Something else.\n", "what is said of several links");
	a_problem(1, "ppp1", " has gone.");
	a_problem(2, "ppp2", " has gone.");
	printed_by(as_brief);
	is(strstr(text, "\n\n"), "\n\n"
	   "* ppp0 is down, it hides.\n"
	   "* ppp1 has gone.\n"
	   "* ppp2 has gone.\n", "other sentences are said of each");
}

static void long_ipv6(struct link *is)
{
	struct err err;

	is->own6.n = 0;
	prefixes_add(&is->own6, "2001:db80:c000:d000::/64", &err);
	addr_parse(&is->af[FAMILY_IPV6].gateway,
		   "2001:db80:c000:d000:e000:f000:a000:b000");
}

static void test_width(void)
{
	size_t len, max = 0;
	struct status_link *l;
	struct link_family *af;
	unsigned int round, i;

	for (round = 0; round < ROUNDS; round++) {
		links(1 + unit_random(LINKS_MAX));
		for (i = 0; i < status.n_links; i++) {
			l = &status.link[i];
			fill(conf.link[i].name, 2 + unit_random(15));
			fill(facts.since[i].text, EVENT_TIME_TEXT);
			conf.link[i].table = UINT32_MAX;
			conf.link[i].mark = UINT32_MAX;
			conf.link[i].weight = conf.link[i].tier = 255;
			l->usable = unit_random(2);
			present.link[i].drained = unit_random(2);
			af = &present.link[i].af[FAMILY_IPV4];
			addr_parse(&af->local, "100.100.100.100");
			addr_parse(&af->peer, "200.200.200.200");
			long_ipv6(&present.link[i]);
			facts.have_bytes[i] = true;
			facts.bytes[i].rx = facts.bytes[i].tx =
				facts.flows[i] = UINT64_MAX >> unit_random(64);
			while (l->n_by < status.n_links && unit_random(4))
				l->by[l->n_by++] = (uint8_t)unit_random(
					status.n_links);
		}
		status.ipv6 = unit_random(2);
		status.n_problems = 3;
		for (i = 0; i < 3; i++)
			fill_sentence(&status.problem[i].text);
		printed(false);
		len = unit_longest_line(text);
		if (len > max)
			max = len;
		printed_by(as_brief);
		len = unit_longest_line(text);
		if (len > max)
			max = len;
	}
	ok(max <= 80 && max > 70, "%d tables: no line is longer than 80 "
	   "(%zu)", ROUNDS, max);
}

/* Every fact in all three forms, or in none. */
static void test_forms(void)
{
	const struct link_fact *f;
	char want[200];

	links(1);
	status.ipv6 = true;
	long_ipv6(&present.link[0]);
	facts.since[0].seconds = 77;
	strcpy(facts.since[0].text, "2026-11-22T17:22:06.123+01:00");
	addr_parse(&present.link[0].af[FAMILY_IPV4].local, "10.0.0.1");
	addr_parse(&present.link[0].af[FAMILY_IPV4].peer, "10.0.0.2");
	facts.have_bytes[0] = true;
	facts.judged[0] = facts.since[0];
	facts.watched[FAMILY_IPV4][0] = (struct watched){
		.verdict = WATCHED_FINE, .why = "answers", .loss = 12000,
		.rtt = 23456, .answer = 1000, .target = { .family = AF_INET },
	};
	facts.watched[FAMILY_IPV6][0] = facts.watched[FAMILY_IPV4][0];
	status.link[0].n_by = 1;
	for (f = link_facts; f < link_facts + FACTS; f++) {
		printed(false);
		ok(strstr(text, f->heading) != NULL, "%s: in the table",
		   f->key);
		snprintf(want, sizeof(want), "\"%s\": ", f->key);
		printed(true);
		ok(strstr(text, want) != NULL, "%s: in JSON", f->key);
		printed_by(status_print_prometheus);
		snprintf(want, sizeof(want), "%s=", f->key);
		ok(f->metric || !strstr(text, want),
		   "%s: not in the metrics, where it would be another one "
		   "at each look", f->key);
		if (!f->metric)
			continue;
		snprintf(want, sizeof(want), "\n%s{link=\"ppp0\"",
			 f->metric);
		ok(strstr(text, want) != NULL, "%s: in the metrics", f->key);
		snprintf(want, sizeof(want), ",%s=\"", f->key);
		if (f->kind == KIND_WORD && f != link_facts)
			ok(strstr(text, want) != NULL, "%s: as a label",
			   f->key);
	}
	ok(strstr(text, "mwan_link_since_seconds{link=\"ppp0\"} 77\n") &&
	   strstr(text, "mwan_link_info{link=\"ppp0\",local=\"10.0.0.1\","
		  "peer=\"10.0.0.2\",gateway=\"\",ipv6_local=\"\","
		  "ipv6_peer=\""
		  "2001:db80:c000:d000:e000:f000:a000:b000\",ipv6_prefix="
		  "\"2001:db80:c000:d000::/64\",cause=\"answers\","
		  "ipv6_cause=\"answers\"} 1\n") &&
	   strstr(text, "mwan_link_carried_by{link=\"ppp0\",by=\"ppp0\"} 1\n"),
	   "a date, words and names in metrics");
	strcpy(status.link[0].by_other, "a\"b\\c");
	status.link[0].n_by = 0;
	printed_by(status_print_prometheus);
	ok(strstr(text, "by=\"a\\\"b\\\\c\"} 1\n") != NULL,
	   "an odd name is escaped in a label");
}

static void test_json(void)
{
	struct err err = { "a \"b\" \\ \n\x01\xff\xc3\xa4." };
	struct err longest;

	memset(&status, 0, sizeof(status));
	status_fail(&status, 78, &err);
	is(printed(true),
	   "{\"status\": 78, \"in_force\": false, \"stopped_packets\": "
	   "null, \"links\": [],\n"
	   "\"problems\": [\n{\"kind\": \"error\", \"link\": null, "
	   "\"text\": \"a \\\"b\\\" \\\\ "
	   "\\\\x0a\\\\x01\\\\xff\\\\xc3\\\\xa4.\"}],\n"
	   "\"more_problems\": 0}\n", "JSON of an error");
	memset(&status, 0, sizeof(status));
	memset(longest.msg, 0xff, sizeof(longest.msg) - 1);
	longest.msg[sizeof(longest.msg) - 1] = '\0';
	for (unsigned int i = 0; i < STATUS_PROBLEMS_MAX + 2; i++)
		status_fail(&status, 1, &longest);
	printed(true);
	ok(strstr(text, "\\\\xff\"}],\n\"more_problems\": 2}\n") != NULL,
	   "JSON of more problems than there is room for is complete");
}

/* The router that the model is, as status sees it. */
static void see(void)
{
	memset(&status, 0, sizeof(status));
	memset(&facts, 0, sizeof(facts));
	memset(&session, 0, offsetof(struct session, ruleset));
	facts.conf_exists = true;
	facts.forwarding6 = -1;
	observe(&kernel, PLAN_ALL);
	session.conf = conf;
	session.present = present;
	session.in_force = session.have_ruleset = true;
}

static void look(void)
{
	see();
	status_make(&status, &session, &facts);
}

static bool says(const char *kind)
{
	unsigned int i;

	for (i = 0; i < status.n_problems; i++)
		if (!strcmp(status.problem[i].kind, kind))
			return true;
	return false;
}

static unsigned int n_alive(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < conf.n_links; i++)
		n += alive(dev_of_link(&kernel, i));
	return n;
}

static void any_router(void)
{
	struct addr a = { .family = AF_INET };
	unsigned int i;

	model_begin(&kernel, 1 + unit_random(6));
	kernel.ip_forward = 1;
	for (i = 0; i < conf.n_links; i++) {
		conf.link[i].tier = (uint8_t)(1 + unit_random(2));
		drained[i] = !unit_random(4);
		a.v4.s_addr = htonl(0x0a400001 + i);
		if (unit_random(4))
			dev_add(&kernel, i, a);
	}
	settle(&kernel, PLAN_ALL);
}

/* When all is done, status speaks of the links that are down and of nothing
 * else; when something of ours is taken away, it names that.
 */
static void test_model(void)
{
	unsigned int round, i, odd = 0, missed = 0, wrong_code = 0;

	for (round = 0; round < ROUTERS; round++) {
		any_router();
		look();
		for (i = 0; i < status.n_problems; i++)
			odd += strcmp(status.problem[i].kind, "link-down") &&
			       strcmp(status.problem[i].kind, "no-link");
		wrong_code += (status.code == STATUS_NO_LINK) != !n_alive();
		if (!n_alive())
			continue;
		for (i = 0; kernel.route[i].protocol != PROTO_MWAN ||
			    kernel.route[i].table == TABLE_DEFAULT; i++)
			;
		route_drop(&kernel, i);
		look();
		missed += !says("route") && !says("standby");
		rule_drop(&kernel, unit_random(kernel.n_rules));
		look();
		missed += !says("rule");
		wrong_code += status.code != STATUS_DEGRADED;
	}
	ok(!odd, "%d routers: what is as it should be is no problem (%u)",
	   ROUTERS, odd);
	ok(!missed, "what is missing is one (%u)", missed);
	ok(!wrong_code, "and the exit status says so (%u)", wrong_code);
}

/* --- every kind of problem --- */

static struct route main_default(uint8_t type)
{
	return (struct route){ .table = TABLE_MAIN, .family = AF_INET,
			       .type = type };
}

static struct rule others_rule(uint32_t priority)
{
	return (struct rule){ .priority = priority, .table = 77,
			      .family = AF_INET, .protocol = 4,
			      .action = FR_ACT_TO_TBL };
}

static void is_poor(void)
{
	session.present.link[0].poor = true;
	facts.watched[FAMILY_IPV4][0].loss = 123456;
	facts.watched[FAMILY_IPV4][0].rtt = 7890;
}

static void is_held(void)
{
	struct watched *w = &facts.watched[FAMILY_IPV4][0];

	session.present.link[0].held[FAMILY_IPV4] = true;
	session.present.link[0].af[FAMILY_IPV4].held = true;
	w->answer = 1;
	addr_parse(&w->target, "192.0.2.1");
	facts.answer_ms[FAMILY_IPV4][0] = 5000;
}

static void is_narrow(void)
{
	struct link_family *af = &session.present.link[1].af[FAMILY_IPV4];

	af->local.family = 0;
	af->narrow = true;
}

static void has_no_prefix(void)
{
	struct err err;

	session.conf.ipv6 = session.present.ipv6 = true;
	facts.forwarding6 = 0;
	prefixes_add(&session.present.link[0].own6, "2001:db8::/56", &err);
	session.present.link[0].known6 = true;
	addr_parse(&session.present.link[1].af[FAMILY_IPV6].local, "fe80::1");
}

/* The first link has a prefix and no address that a session begins with. */
static void has_no_ipv6(void)
{
	has_no_prefix();
	session.present.link[0].known6 = false;
}

static void has_ipv6_off(void)
{
	has_no_ipv6();
	facts.ipv6[0].off = true;
}

static void hears_nobody(void)
{
	has_no_prefix();
	facts.ipv6[0].advertised = facts.ipv6[0].deaf = true;
	facts.ipv6[0].accept_ra = facts.ipv6[0].forwarding = 1;
}

static void lacks_gateway6(void)
{
	struct link *is = &session.present.link[0];

	hears_nobody();
	addr_parse(&is->af[FAMILY_IPV6].local, "fe80::2");
	is->af[FAMILY_IPV6].needs_gateway = true;
}

static void lacks_advertisement(void)
{
	lacks_gateway6();
	facts.ipv6[0].deaf = false;
}

static void extras_are_left(void)
{
	session.present.extras_left = true;
}

static void has_bad_file(void)
{
	strcpy(session.bad_conf.msg, "mwan.ini:3: nonsense");
	strcpy(session.bad_prefix6.msg, "the prefixes are nonsense");
}

static void is_not_root(void)
{
	session.unknown_conf = true;
	session.present.nft_code = -EPERM;
}

static void has_bad_table(void)
{
	session.present.nft_code = -EINVAL;
	strcpy(session.present.nft_err.msg, "nftables is odd");
}

static void lacks_nexthop(void)
{
	session.present.n_nexthops = 0;
}

static void is_strict(void)
{
	session.conf.sysctl = true;
	session.present.link[0].rp_filter = RP_STRICT;
}

static void has_stale_address(void)
{
	struct rule *r = &session.present.rule[session.present.n_rules++];

	*r = (struct rule){ .priority = 1000 + RULE_FROM, .table = 201,
			    .family = AF_INET, .protocol = PROTO_MWAN };
	addr_parse(&r->from, "10.99.0.1");
}

static void refuses_all(void)
{
	facts.default_[facts.n_defaults++].route =
		main_default(RTN_UNREACHABLE);
}

static void refuses_last(void)
{
	facts.default_[facts.n_defaults++].route = main_default(RTN_UNICAST);
	refuses_all();
}

static void refuses_half(void)
{
	facts.half.route = main_default(RTN_BLACKHOLE);
	facts.half.route.dst_len = 1;
}

static void has_half(void)
{
	facts.half.route = main_default(RTN_UNICAST);
	facts.half.route.dst_len = 1;
	strcpy(facts.half.dev, "tun0");
}

static void has_early_rule(void)
{
	facts.rule[facts.n_rules++] = others_rule(500);
}

static void has_late_rule(void)
{
	facts.late[facts.n_late++] = others_rule(5000);
}

static void has_last_rule(void)
{
	facts.late[facts.n_late++] = others_rule(32000);
}

static void has_same_mark(void)
{
	struct rule *r = &facts.late[facts.n_late++];

	*r = others_rule(5000);
	r->mark = r->mask = 1;
}

static void has_networkd(void)
{
	facts.networkd_routes = facts.networkd_rules = true;
}

static void test_problems(void)
{
	static const struct {
		void (*happens)(void);
		const char *kind, *says;
	} all[] = {
		{ is_poor, "poor", "loses 12.3 % and needs 7.8 ms" },
		{ is_held, "held", "others carry its traffic; its last answer "
		  "came 5 s ago from 192.0.2.1" },
		{ is_narrow, "link-down", "ppp1 is down, its IPv4 address is "
		  "of scope link" },
		{ has_no_prefix, "no-prefix", "ppp1 has IPv6 and no prefix" },
		{ has_no_prefix, "ip-forward", "conf/all/forwarding is 0" },
		{ has_no_ipv6, "no-ipv6", "ppp0 has no IPv6, as it has no "
		  "link-local address: IPV6CP is not open" },
		{ has_ipv6_off, "no-ipv6", "disable_ipv6=0\", and dial again" },
		{ hears_nobody, "accept-ra", "ppp0 will lose its IPv6 address" },
		{ lacks_gateway6, "no-gateway", "let the kernel take its "
		  "router's advertisements" },
		{ lacks_advertisement, "no-gateway", "its router does not "
		  "advertise itself" },
		{ extras_are_left, "addresses", "more addresses than" },
		{ has_bad_file, "configuration", "mwan.ini:3: nonsense: fix" },
		{ is_not_root, "privilege", "run mwan-rules status as root" },
		{ has_bad_table, "nftables", "nftables is odd." },
		{ lacks_nexthop, "nexthop", "The nexthop of ppp0 (id 77001) is "
		  "missing" },
		{ lacks_nexthop, "standby", "The group of the standby (nexthop "
		  "77257) is missing" },
		{ is_strict, "rp-filter", "net/ipv4/conf/ppp0/rp_filter is 1, "
		  "strict" },
		{ has_stale_address, "conntrack", "10.99.0.1" },
		{ refuses_all, "refused", "and with that all that goes by a "
		  "link: \"ip route del unreachable default\"" },
		{ refuses_last, "refused", "and when its other default goes" },
		{ refuses_half, "refused", "refuses half of all addresses "
		  "(blackhole 0.0.0.0/1)" },
		{ has_half, "foreign-default", "0.0.0.0/1 dev tun0" },
		{ has_early_rule, "foreign-rule", "leads what is marked for "
		  "ppp0, ppp1 elsewhere before ours do" },
		{ has_late_rule, "late-rule", "set rule_priority = 6000" },
		{ has_last_rule, "late-rule", "ip rule add pref 999" },
		{ has_same_mark, "mark-collision", "set mark_mask = "
		  "0xff000000" },
		{ has_networkd, "networkd", "our routes and rules" },
	};
	struct addr a = { .family = AF_INET };
	const char *told;
	unsigned int k;
	size_t i, len;

	model_begin(&kernel, 2);
	kernel.ip_forward = 1;
	for (k = 0; k < 2; k++) {
		a.v4.s_addr = htonl(0x0a400001 + k);
		dev_add(&kernel, k, a);
	}
	settle(&kernel, PLAN_ALL);
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		see();
		all[i].happens();
		status_make(&status, &session, &facts);
		told = "";
		for (k = 0; k < status.n_problems; k++)
			if (!strcmp(status.problem[k].kind, all[i].kind) &&
			    strstr(status.problem[k].text.msg, all[i].says))
				told = status.problem[k].text.msg;
		len = strlen(told);
		if (!ok(len && told[len - 1] == '.', "%s: %s", all[i].kind,
			all[i].says))
			for (k = 0; k < status.n_problems; k++)
				unit_show(status.problem[k].kind,
					  status.problem[k].text.msg);
	}
}

int main(void)
{
	test_scale();
	test_default();
	test_state();
	test_brief();
	test_shared();
	test_width();
	test_forms();
	test_json();
	test_model();
	test_problems();
	return done();
}
