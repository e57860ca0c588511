// SPDX-License-Identifier: MIT
/* What is planned for IPv6, and in which order. */
#include <linux/rtnetlink.h>

#include "core/plan.h"
#include "unit.h"

static struct conf conf;
static struct present present;
static struct plan plan;
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

int main(void)
{
	test_up();
	test_nothing();
	test_lost();
	test_renumbered();
	test_lan();
	test_address();
	return done();
}
