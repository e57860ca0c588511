// SPDX-License-Identifier: MIT
/* The nftables table as data, as text and as messages. Without arguments this
 * is a test of its own and needs no privilege; with some it is the hand of
 * t5000-nft.t inside a network namespace:
 *
 *	unit-nft [-m MASK] [-p] [-b BALANCE] [-w WEIGHTS] [-s SECONDS]
 *		[-d LINK,...] [-l LAN,...] [-L NAME,...] [-f FILE]
 *		[-C] [-N] [-t] [-n LINKS] [-M MTU] [-6] [-T] [-P PREFIX,...]
 *		load|check|print|delete|stale|broken
 *	unit-nft spray COUNT FROM TO SPORT DPORT [ROUNDS]
 *
 * -n number of links (2), -p parity, -b flow, round-robin or random, -s sticky,
 * -d drained links by name, -f a configuration instead of all this, -w weights
 * "3:2:1" or "random", -M the MTU of the first link and one more for each other
 * (else the named sets stay empty), -6 IPv6 as well, -T without translation, -P
 * of the first link the first prefix, and so on; "-" is of none, -L names of the links (ppp0, ppp1, …), -C no MSS clamp,
 * -N no masquerade, -t print the time that it took. "stale" loads with the
 * generation of yesterday, "broken" a rule that no kernel takes. "spray" sends
 * one UDP datagram from each of COUNT addresses from FROM on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "nft/load.h"
#include "unit.h"

enum { TEXT = 8 * 1024 * 1024 };

static struct conf conf;
static bool drained[LINKS_MAX];
static const bool nobody[LINKS_MAX];
static struct ruleset rs;
static struct nft_seen seen;
static struct table_state state;
static struct nl nl;
static char text[TEXT], before[TEXT];

/* Marks are 1, 2, … at the low end of the mask. */
static void make_conf(unsigned int n, uint32_t mask, enum balance balance)
{
	unsigned int i;

	memset(&conf, 0, sizeof(conf));
	memset(drained, 0, sizeof(drained));
	conf.mark_mask = mask;
	conf.balance = balance;
	conf.masquerade = conf.clamp_mss = true;
	conf.n_links = n;
	for (i = 0; i < n; i++) {
		struct conf_link *l = &conf.link[i];

		snprintf(l->name, sizeof(l->name), "ppp%u", i);
		l->mark = (i + 1) * (mask & -mask);
		l->weight = 1;
		l->tier = 1;
	}
}

static bool has(const char *part)
{
	return strstr(text, part) != NULL;
}

static bool build(void)
{
	struct err err = { "" };

	if (ruleset_build(&rs, &conf, drained, nobody, false, &err)) {
		printf("# %s\n", err.msg);
		return false;
	}
	return ruleset_print(&rs, text, sizeof(text)) < sizeof(text);
}

static void test_size(unsigned int n, enum balance balance)
{
	make_conf(n, 0xffff, balance);
	ok(build(), "%u links: built", n);
	ok(rs.n_chains == 2 * n + 8 && rs.n_rules == 2 * n + 30 &&
	   rs.n_chains <= RULESET_CHAINS && rs.n_rules <= RULESET_RULES &&
	   rs.n_elements <= RULESET_ELEMENTS, "%u links: sizes", n);
	ok(ruleset_print(&rs, NULL, 0) == strlen(text),
	   "%u links: the text's length is known before", n);
	strcpy(before, text);
	memset(&rs, 0xa5, sizeof(rs));
	build();
	ok(!strcmp(text, before), "%u links: the same twice", n);
	memset(&seen, 0, sizeof(seen));
	ok(!nft_intact(&seen, &rs), "%u links: no table is not intact", n);
}

static void test_text(void)
{
	make_conf(2, 0xff, BALANCE_SOURCE_PARITY);
	build();
	ok(has("\t\tip saddr & 0.0.0.1 vmap { 0.0.0.0 : goto to_ppp0, "
	       "0.0.0.1 : goto to_ppp1 }\n"), "even and odd");
	ok(has("\t\tiifname \"lo\" return\n"), "all but lo without lan");
	conf.n_lan = 1;
	strcpy(conf.lan[0], "lan0");
	build();
	ok(has("\t\tiifname != \"lan0\" return\n"), "one lan");
	make_conf(3, 0x70000000, BALANCE_SOURCE);
	conf.link[0].weight = 3;
	conf.link[1].weight = 2;
	conf.clamp_mss = conf.masquerade = false;
	build();
	ok(has("\t\tjhash ip saddr mod 6 seed 0x6d77616e vmap { 0-2 : goto "
	       "to_ppp0, 3-4 : goto to_ppp1, 5 : goto to_ppp2 }\n"), "slots");
	ok(has("\t\tmeta mark set meta mark & 0xafffffff | 0x20000000\n"),
	   "a mask at the other end");
	ok(!has("srcnat") && !has("maxseg"), "no masquerade, no clamp");
	conf.link[0].tier = 2;
	conf.link[1].tier = 2;
	build();
	ok(has("\t\tgoto to_ppp2\n"), "one link in the best tier");
	strcpy(conf.link[0].name, "ppp-a.1");
	strcpy(conf.link[1].name, "a@b:c");
	build();
	ok(has("chain to_ppp-a.1 {") && has("chain to2 {") &&
	   has("\"a@b:c\" : goto is2"), "odd names");
}

/* The first of three links is new. */
static void test_renumbered(void)
{
	static const struct ct_marks was = { .mask = 0xff00,
					     .mark = { 0, 0x100, 0x200 } };
	struct err err = { "" };

	make_conf(3, 0xff, BALANCE_SOURCE);
	ok(!ruleset_build_after(&rs, &conf, drained, nobody, false, &was,
				 &err) &&
	   ruleset_print(&rs, text, sizeof(text)) < sizeof(text),
	   "marks of before");
	ok(has("\t\tct mark & 0x0000ff00 vmap { 0x00000100 : goto to_ppp1, "
	       "0x00000200 : goto to_ppp2 }\n\t\tct mark & 0x000000ff vmap { "
	       "0x00000001 : goto to_ppp0, "), "are led to the links that had "
	   "them");
}

static void refuses(const char *what, const char *why)
{
	struct err err = { "" };
	int code = ruleset_build(&rs, &conf, drained, nobody, false, &err);

	ok(code == -EINVAL && strstr(err.msg, why), "refused: %s", what);
}

static void test_refusals(void)
{
	make_conf(3, 0xff, BALANCE_SOURCE_PARITY);
	refuses("parity of three", "2, 4, 8");
	make_conf(0, 0xff, BALANCE_SOURCE);
	refuses("no link", "1 to 255");
	make_conf(2, 0xff, BALANCE_SOURCE);
	strcpy(conf.link[1].name, "ppp*");
	refuses("a name with a wildcard", "'ppp*'");
	strcpy(conf.link[1].name, "a\"b");
	refuses("a name with a quote", "'a\"b'");
	make_conf(2, 0xff, BALANCE_SOURCE);
	conf.link[1].mark = 0x100;
	refuses("a mark outside the mask", "0x100");
}

/* --- the deal --- */

/* A packet of a host, seen by the rules of the balance: the link whose chain it
 * is sent to, or -1. The kernel's hash is not needed to see what a rule makes
 * of one; @draw numbers the packets for those that count.
 */
static int link_of_chain(uint16_t chain)
{
	const char *name = rs.chain[chain].name;
	const char *link = strchr(name, '_');

	return link && strncmp(name, "is", 2) ?
	       conf_link_index(&conf, link + 1) : -1;
}

static uint32_t mixed(uint32_t host, uint32_t seed)
{
	uint64_t h = (host + 1) * 0x9e3779b97f4a7c15ULL ^
		     seed * 0xd6e8feb86659fd93ULL;

	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ULL;
	return (uint32_t)(h >> 32);
}

static int look_up(const struct ruleset_statement *s, uint32_t key)
{
	const struct ruleset_element *e = &rs.element[s->first];
	unsigned int i;

	for (i = 0; i < s->count; i++, e++)
		if (e->key.lo <= key && key <= e->last.lo)
			return link_of_chain(e->chain);
	return -1;
}

static int dealt(uint32_t host, bool has_ports)
{
	const struct ruleset_statement *s;
	int link = -1;

	for (s = rs.statement; s < rs.statement + rs.n_statements; s++) {
		if (s->kind == TO_HASH || (s->kind == TO_FLOW && has_ports))
			link = look_up(s, mixed(host, s->mask) % s->value);
		else if (s->kind == TO_SADDR)
			link = look_up(s, host & s->mask);
		else if (s->kind == DO_GOTO && !s[-1].count &&
			 s == &rs.statement[rs.n_statements - 1])
			link = link_of_chain(s->chain);
		if (link >= 0)
			return link;
	}
	return -1;
}

enum { HOSTS = 600 };

static void random_links(enum balance balance)
{
	unsigned int i, n = 2 + unit_random(unit_random(4) ? 6 : 63);

	if (balance == BALANCE_SOURCE_PARITY)
		n = 2U << unit_random(3);
	make_conf(n, 0xffff, balance);
	/* The last rule is then that of the balance. */
	conf.clamp_mss = conf.masquerade = false;
	conf.sticky = unit_random(2) * 600;
	for (i = 0; i < n && balance != BALANCE_SOURCE_PARITY; i++)
		conf.link[i].weight = (uint8_t)(1 + unit_random(
			unit_random(2) ? 4 : 255));
}

static unsigned int undrained(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < conf.n_links; i++)
		n += !drained[i];
	return n;
}

/* One link after the other is put aside: only its own hosts move, and none goes
 * to a link that is.
 */
static unsigned int drain_all(bool has_ports)
{
	static int was[HOSTS];
	unsigned int bad = 0, i, link;
	int now;

	for (i = 0; i < HOSTS; i++)
		was[i] = dealt(i, has_ports);
	while (undrained() > 2) {
		do {
			link = unit_random(conf.n_links);
		} while (drained[link]);
		drained[link] = true;
		if (!build())
			return 1;
		for (i = 0; i < HOSTS; i++) {
			now = dealt(i, has_ports);
			bad += now < 0 || drained[now] ||
			       (was[i] != (int)link && now != was[i]);
			was[i] = now;
		}
	}
	return bad;
}

static void test_drained(enum balance balance, bool has_ports,
			 const char *what)
{
	unsigned int round, bad = 0;

	for (round = 0; round < unit_rounds(100); round++) {
		random_links(balance);
		bad += build() ? drain_all(has_ports) : 1;
	}
	ok(!bad, "%s: a host moves only with its link", what);
}

/* The hosts of a link that is put aside go to all others, by weight. */
static void test_drained_shares(void)
{
	unsigned int i, got[4] = { 0 };
	static const uint8_t weight[] = { 3, 2, 1, 2 };

	make_conf(4, 0xff, BALANCE_SOURCE);
	for (i = 0; i < 4; i++)
		conf.link[i].weight = weight[i];
	drained[3] = true;
	build();
	for (i = 0; i < 60000; i++)
		got[dealt(i, true) & 3]++;
	printf("# 60000 hosts by weights 3:2:1: %u %u %u\n", got[0], got[1],
	       got[2]);
	ok(!got[3] && got[0] > 29000 && got[0] < 31000 && got[1] > 19300 &&
	   got[1] < 20700 && got[2] > 9500 && got[2] < 10500,
	   "what a link had is dealt out by weight");
}

static void test_tiers(void)
{
	make_conf(4, 0xff, BALANCE_SOURCE_PARITY);
	conf.link[2].tier = conf.link[3].tier = 2;
	conf.link[2].weight = 3;
	drained[0] = true;
	build();
	ok(has("\t\tgoto to_ppp1\n"), "the other one of a tier");
	drained[1] = true;
	build();
	ok(has("mod 4 seed 0x6d77616e vmap { 0-2 : goto to_ppp2, 3 : goto "
	       "to_ppp3 }"), "the next tier, by its weights without parity");
	drained[2] = drained[3] = true;
	build();
	ok(has("ip saddr & 0.0.0.1 vmap { 0.0.0.0 : goto to_ppp0, 0.0.0.1 : "
	       "goto to_ppp1 }"), "all links put aside: as if none were");
}

/* Turn by turn: no link is ever owed, or has had, more than a turn and a bit.
 * @turns is written down for the weights that are easy to check by hand.
 */
static double worst_lag(char *turns)
{
	const struct ruleset_statement *s = rs.statement;
	unsigned int had[LINKS_MAX] = { 0 }, turn, i;
	int32_t lag[LINKS_MAX] = { 0 };
	double worst = 0, owed;

	while (s->kind != TO_TURNS)
		s++;
	for (turn = 1; turn <= s->value; turn++) {
		i = ruleset_turn(&rs, s, lag);
		had[i]++;
		if (turns)
			*turns++ = (char)('a' + i);
		for (i = 0; i < s->count; i++) {
			const struct ruleset_element *e =
				&rs.element[s->first + i];

			owed = (double)turn * (double)(e->last.lo - e->key.lo + 1) /
			       s->value - had[i];
			if (owed > worst || -owed > worst)
				worst = owed > 0 ? owed : -owed;
		}
	}
	if (turns)
		*turns = '\0';
	for (i = 0; i < s->count; i++)
		if (lag[i])
			return HOSTS;
	return worst;
}

static void turns_are(unsigned int n, const uint8_t *weight, const char *want)
{
	char turns[1024];
	unsigned int i;

	make_conf(n, 0xff, BALANCE_ROUND_ROBIN);
	for (i = 0; i < n; i++)
		conf.link[i].weight = weight[i];
	build();
	worst_lag(turns);
	is(turns, want, "turns of %u:%u:%u", weight[0], weight[1],
	   n > 2 ? weight[2] : 0);
}

static void test_turns(void)
{
	unsigned int round, i;
	double worst = 0, one;

	turns_are(2, (const uint8_t []){ 1, 1 }, "ab");
	turns_are(2, (const uint8_t []){ 200, 100 }, "aba");
	turns_are(3, (const uint8_t []){ 3, 2, 1 }, "abacba");
	turns_are(3, (const uint8_t []){ 255, 255, 255 }, "abc");
	turns_are(2, (const uint8_t []){ 5, 3 }, "abaababa");
	ok(has("numgen inc mod 8 vmap { 0 : goto to_ppp0, 1 : goto to_ppp1, "
	       "2 : goto to_ppp0, 3 : goto to_ppp0, 4 : goto to_ppp1, "), "as "
	   "text");
	for (round = 0; round < unit_rounds(200); round++) {
		random_links(BALANCE_ROUND_ROBIN);
		build();
		one = worst_lag(NULL);
		worst = one > worst ? one : worst;
	}
	make_conf(64, 0xff, BALANCE_ROUND_ROBIN);
	conf.link[0].weight = 255;
	build();
	one = worst_lag(NULL);
	printf("# worst: %.2f turns; 255 to 63 times 1: %.2f\n", worst, one);
	ok(worst < 1.5 && one < 1.5, "every link has its turns in time");
	make_conf(64, 0xff, BALANCE_ROUND_ROBIN);
	for (i = 0; i < 64; i++)
		conf.link[i].weight = (uint8_t)(255 - i % 2);
	build();
	ok(rs.n_elements < 1024, "64 links, weights 254 and 255: %u elements",
	   rs.n_elements);
}

/* --- sticky and policies --- */

static void test_sticky_text(void)
{
	make_conf(2, 0xff0000, BALANCE_SOURCE);
	conf.sticky = 90061;
	conf.link[1].tier = 2;
	build();
	ok(has("\tmap sticky {\n\t\ttype ipv4_addr : classid\n\t\tsize 65536\n"
	       "\t\tflags dynamic,timeout\n\t\ttimeout 1d1h1m1s\n\t}\n"),
	   "the map");
	ok(has("vmap { 1:0 : goto to_ppp0, 2:0 : goto to_ppp1 }\n\t}\n\n\tchain "
	       "deal_ppp0"), "all links are found in it");
	conf.failback = FAILBACK_MOVE;
	build();
	ok(has("vmap { 1:0 : goto to_ppp0 }\n\t}\n\n\tchain deal_ppp0"),
	   "with failback = move none of a worse tier");
	conf.failback = FAILBACK_STAY;
	drained[0] = true;
	build();
	ok(has("vmap { 2:0 : goto to_ppp1 }\n\t}\n\n\tchain deal_ppp0"),
	   "and none that is put aside");
	ok(has("\t\tmeta mark & 0x00ff0000 != 0x00000000 return\n"
	       "\t\tgoto deal_ppp1\n"), "what is not in it is dealt out");
	ok(has("\t\tadd @sticky { ip saddr : 1:0 }\n\t\tjump stuck\n"
	       "\t\tmeta mark & 0x00ff0000 != 0x00000000 return\n\t\tdelete "
	       "@sticky { ip saddr : 1:0 } add @sticky { ip saddr : 1:0 }\n"
	       "\t\tgoto to_ppp0\n"), "a host's first connection");
}

static void test_sets(void)
{
	static struct table_state other;

	make_conf(3, 0xff, BALANCE_SOURCE);
	build();
	ok(has("\tmap mss {\n\t\ttypeof iifname : tcp option maxseg size\n"
	       "\t}\n"), "the map of the segment sizes");
	ok(has("\t\ttcp flags syn / syn,rst tcp option maxseg size set iifname "
	       "map @mss\n"), "and its rule");
	state.link[0].mtu = 1500;
	state.link[1].mtu = 40;
	table_state_print(&rs, &state, text, sizeof(text));
	is(text, "flush map inet mwan mss\nadd element inet mwan mss "
	   "{ \"ppp0\" : 1460 }\n", "what it holds: no MTU, no room, no "
	   "element");
	other.link[0].mtu = 1400;
	other.link[2].mtu = 70000;
	table_state_complete(&rs, &other, &state);
	ok(other.link[0].mtu == 1400 && other.link[1].mtu == 40 &&
	   other.link[2].mtu == MTU_MAX, "what is not known stays");
	ok(!table_state_equal(&rs, &state, &other), "that is another one");
	conf.clamp_mss = false;
	build();
	ok(!has("map mss"), "no map without the rule");
	ok(table_state_equal(&rs, &state, &other), "no difference without map");
	memset(&state, 0, sizeof(state));
}

static void add_past(struct table_state *s, const char *prefix)
{
	prefix_parse(&s->past6[s->n_past++], prefix);
}

/* Which IPv6 addresses are any of our business. */
static void test_known(void)
{
	static struct table_state other;
	struct prefixes *own = &state.link[1].own6;

	make_conf(2, 0xff, BALANCE_SOURCE);
	conf.ipv6 = true;
	conf.clamp_mss = false;
	build();
	table_state_print(&rs, &state, text, sizeof(text));
	ok(has("known6\nadd element inet mwan known6 { fc00::/7 }\n"),
	   "nothing known: private addresses alone");
	prefix_parse(&own->item[own->n++], "2001:db8:a::/48");
	other = state;
	add_past(&other, "2001:db8:b:1::/64");
	add_past(&other, "2001:db8::/33");
	add_past(&other, "2001:db8:b::/48");
	add_past(&other, "2001:db8:a:7::/64");
	ok(!table_state_equal(&rs, &state, &other), "earlier prefixes");
	table_state_complete(&rs, &other, &state);
	ok(other.n_past == 1 && other.past6[0].len == 33,
	   "none within another, nor within what a link has");
	table_state_print(&rs, &other, text, sizeof(text));
	ok(has("known6 { 2001:db8::/33, fc00::/7 }\n"), "one that has a "
	   "link's in it");
	ok(has("native6 { 2001:db8:a::/48 : goto to_ppp1 }\n"),
	   "an earlier prefix is no link's");
	ok(!table_state_equal(&rs, &state, &other), "one more is another state");
	memset(&state, 0, sizeof(state));
}

static void one_policy(struct policy y)
{
	make_conf(2, 0xff, BALANCE_SOURCE);
	conf.n_policies = 1;
	conf.policy[0] = y;
}

static void test_policy_text(void)
{
	struct policy y = { .name = "x", .use = USE_LINK, .link = 1,
			    .n_protocol = 1, .protocol = { 6 },
			    .n_destination_port = 1,
			    .destination_port = { { 25, 25 } },
			    .unreachable = true };

	one_policy(y);
	build();
	ok(has("\t\ttcp dport 25 ct mark set ct mark & 0xffffff02 | 0x00000002 "
	       "goto to_ppp1\n"), "to a link");
	ok(has("\t\ttcp dport 25 meta mark & 0x000000ff == 0x00000002 oifname "
	       "!= \"ppp1\" oifname { \"ppp0\", \"ppp1\" } reject with icmp "
	       "net-unreachable\n"), "and to no other");
	drained[1] = true;
	build();
	ok(has("\t\ttcp dport 25 return\n"), "put aside: no mark");
	ok(has("\t\ttcp dport 25 ct state new ct mark & 0x000000ff == "
	       "0x00000000 meta mark & 0x000000ff == 0x00000000 oifname { "
	       "\"ppp0\", \"ppp1\" } reject with icmp net-unreachable\n"),
	   "and nothing new by any link");
	y.unreachable = false;
	one_policy(y);
	build();
	ok(!has("chain strict") && !has("chain balance"), "no chains for none");
	drained[1] = true;
	build();
	ok(has("\t\ttcp dport 25 goto balance\n") && has("chain balance {\n"
	   "\t\tgoto to_ppp0\n"), "put aside: the balance");
	conf.n_lan = 1;
	strcpy(conf.lan[0], "lan0");
	build();
	ok(has("\t\tiifname \"lo\" return\n\t\ttcp dport 25 goto balance\n"
	       "\t\tiifname != \"lan0\" return\n"),
	   "not for the router itself, and before lan");
	conf.policy[1] = y;
	conf.policy[1].unreachable = true;
	conf.policy[1].destination_port[0] = (struct ports){ 80, 90 };
	conf.n_policies = 2;
	build();
	ok(has("\t\ttcp dport 25 return\n\t\ttcp dport 80-90 ct state new"),
	   "an earlier policy comes first there as well");
	y.use = USE_MAIN;
	y.n_protocol = 0;
	y.n_destination_port = 0;
	one_policy(y);
	build();
	ok(has("\t\tiifname \"lo\" return\n\t\treturn\n"), "all to main");
	y.n_protocol = 1;
	y.protocol[0] = IPPROTO_ICMP;
	y.n_source = 2;
	y.source[0] = (struct range){ AF_INET, wide(0), wide_ones(32) };
	y.source[1] = (struct range){ AF_INET6, wide(1), wide(1) };
	one_policy(y);
	build();
	ok(has("\t\tiifname \"lo\" return\n\t\tmeta l4proto icmp return\n") &&
	   !has("::1"), "addresses of IPv6 where there is none");
	conf.ipv6 = true;
	build();
	ok(has("\t\tmeta nfproto ipv4 meta l4proto { icmp, ipv6-icmp } return\n"
	       "\t\tip6 saddr ::1 meta l4proto { icmp, ipv6-icmp } return\n"),
	   "a rule for each family");
}

static void test_named(void)
{
	struct policy y = { .n_source = 0 };
	char value[RULESET_NAME + 2];
	struct err err;
	unsigned int i, taken = 0, named = 0;
	size_t len;

	for (i = 0; i < SET_KINDS; i++) {
		len = strlen(set_shape(i)->name);
		if (!len)
			continue;
		snprintf(value, sizeof(value), "@%s", set_shape(i)->name);
		named++;
		taken += policy_set(&y, "destination", value, &err) != 0;
		/* The one whose set of IPv6 would be ours. */
		value[len] = value[len] == '6' ? '\0' : value[len];
		named++;
		taken += policy_set(&y, "destination", value, &err) != 0;
	}
	ok(named && taken == named, "no policy can name a set of ours");
	make_conf(2, 0xff, BALANCE_FLOW);
	conf.n_policies = POLICIES_MAX;
	for (i = 0; i < POLICIES_MAX; i++) {
		conf.policy[i] = (struct policy){ .use = USE_MAIN };
		snprintf(conf.policy[i].set, POLICY_SET, "set%u_", i / 2);
	}
	conf.ipv6 = true;
	named = 0;
	ok(build(), "policies name sets");
	for (i = 0; i < rs.n_sets; i++)
		named += set_is_named(&rs, i);
	ok(named == 2 * POLICIES_MAX / 2,
	   "a set a name and family, whoever names it");
}

static void test_largest(void)
{
	static struct ct_marks was;
	struct policy *y = &conf.policy[0];
	struct err err;
	unsigned int i, k;

	make_conf(LINKS_MAX, 0xffff, BALANCE_FLOW);
	conf.sticky = 1;
	conf.ipv6 = conf.translate6 = true;
	conf.n_lan = LAN_MAX;
	conf.n_policies = POLICIES_MAX;
	for (i = 0; i < LAN_MAX; i++)
		snprintf(conf.lan[i], IFNAMSIZ, "lan%u", i);
	for (i = 0; i < POLICIES_MAX; i++, y++) {
		*y = (struct policy){ .use = USE_LINK, .unreachable = true,
			.n_source = POLICY_ADDRESSES,
			.n_destination = POLICY_ADDRESSES,
			.n_source_port = POLICY_PORTS,
			.n_destination_port = POLICY_PORTS,
			.n_protocol = POLICY_PROTOCOLS,
			.n_interface = POLICY_INTERFACES };
		for (k = 0; k < POLICY_PORTS; k++) {
			y->source_port[k] = (struct ports){
				(uint16_t)(3 * k), (uint16_t)(3 * k) };
			y->destination_port[k] = y->source_port[k];
		}
		for (k = 0; k < POLICY_ADDRESSES; k++) {
			y->source[k] = (struct range){
				k % 2 ? AF_INET : AF_INET6,
				wide(3 * k), wide(3 * k + 1) };
			y->destination[k] = y->source[k];
		}
		for (k = 0; k < POLICY_PROTOCOLS; k++)
			y->protocol[k] = (uint8_t)k;
		for (k = 0; k < POLICY_INTERFACES; k++)
			snprintf(y->interface[k], IFNAMSIZ, "eth%u", k);
	}
	drained[0] = true;
	was.mask = UINT32_MAX;
	for (i = 0; i < LINKS_MAX; i++)
		was.mark[i] = 0x10000 + i;
	ok(!ruleset_build_after(&rs, &conf, drained, nobody, false, &was,
				 &err),
	   "the largest of all is built");
	printf("# %u of %d chains, %u of %d rules, %u of %d statements, %u of "
	       "%d elements\n", rs.n_chains, RULESET_CHAINS, rs.n_rules,
	       RULESET_RULES, rs.n_statements, RULESET_STATEMENTS,
	       rs.n_elements, RULESET_ELEMENTS);
	ok(rs.n_chains <= RULESET_CHAINS && rs.n_rules <= RULESET_RULES &&
	   rs.n_statements <= RULESET_STATEMENTS &&
	   rs.n_elements <= RULESET_ELEMENTS, "and fits");
}

static int unit(void)
{
	static const unsigned int sizes[] = { 1, 2, 3, 4, 64, 128, 255 };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		test_size(sizes[i], BALANCE_SOURCE);
		if (!(sizes[i] & (sizes[i] - 1)))
			test_size(sizes[i], BALANCE_SOURCE_PARITY);
	}
	test_text();
	test_renumbered();
	test_refusals();
	test_drained(BALANCE_SOURCE, true, "source");
	test_drained(BALANCE_FLOW, true, "flow");
	test_drained(BALANCE_FLOW, false, "flow without ports");
	test_drained(BALANCE_SOURCE_PARITY, true, "parity");
	test_drained_shares();
	test_tiers();
	test_turns();
	test_sticky_text();
	test_sets();
	test_known();
	test_policy_text();
	test_named();
	test_largest();
	return done();
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* 0: it is as it should be; 1: not; 2: an error. */
static int act(const char *what, bool timed)
{
	struct err err = { "" };
	double t[4];
	int code;

	t[0] = now();
	code = nl_open(&nl, NETLINK_NETFILTER, &err);
	if (code)
		goto out;
	if (!strcmp(what, "delete")) {
		code = nft_delete(&nl, &err);
		goto out;
	}
	t[1] = now();
	code = nft_read(&nl, &seen, &rs, NULL, &err);
	t[2] = now();
	if (code)
		goto out;
	if (nft_intact(&seen, &rs) && nft_filled(&seen, &rs, &state)) {
		t[3] = now();
		printf("intact\n");
		if (timed)
			printf("read %.0f us, compare %.0f us\n", t[2] - t[1],
			       t[3] - t[2]);
		return 0;
	}
	printf("%s\n", seen.present ? "changed" : "absent");
	if (!strcmp(what, "check"))
		return 1;
	if (!strcmp(what, "stale"))
		seen.generation--;
	if (!strcmp(what, "broken"))
		rs.statement[rs.n_statements - 1].kind = DO_MASQUERADE;
	t[2] = now();
	code = nft_intact(&seen, &rs) ? nft_fill(&nl, &rs, &state, &seen,
						 &err) :
	       nft_load(&nl, &rs, &state, &seen, &err);
	t[3] = now();
	if (!code && timed)
		printf("load %.0f us\n", t[3] - t[2]);
out:
	if (code)
		fprintf(stderr, "%s (%s)\n", err.msg, strerror(-code));
	return code ? 2 : 0;
}

/* UDP without a checksum is legal over IPv4. The kernel fills in the header's
 * checksum and length. The other end of a veth queues at most
 * net.core.netdev_max_backlog packets (1000) and drops the rest when its
 * softirq comes late: so no bursts.
 */
static int spray(char **arg, int rounds)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
	} p = { .ip = { .version = 4, .ihl = 5, .ttl = 64,
			.protocol = IPPROTO_UDP } };
	struct sockaddr_in to = { .sin_family = AF_INET };
	uint32_t count = (uint32_t)atoi(arg[0]), i;
	uint32_t from = ntohl(inet_addr(arg[1]));
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	to.sin_addr.s_addr = p.ip.daddr = inet_addr(arg[2]);
	p.udp.source = htons((uint16_t)atoi(arg[3]));
	p.udp.dest = htons((uint16_t)atoi(arg[4]));
	p.udp.len = htons(sizeof(p.udp));
	while (rounds--) {
		for (i = 0; i < count; i++) {
			p.ip.saddr = htonl(from + i);
			if (sendto(fd, &p, sizeof(p), 0, (void *)&to,
				   sizeof(to)) < 0) {
				perror("sendto");
				return 2;
			}
			if (i % 256 == 255)
				usleep(200);
		}
	}
	return 0;
}

/* A list in place, for -L and -l. */
static unsigned int names(char *list, char (*name)[IFNAMSIZ], size_t step,
			  unsigned int max)
{
	unsigned int n = 0;
	char *s;

	for (s = strtok(list, ","); s && n < max; s = strtok(NULL, ","), n++) {
		snprintf(*name, IFNAMSIZ, "%s", s);
		name = (void *)((char *)name + step);
	}
	return n;
}

static void weights(char *list)
{
	unsigned int n = 0;
	char *s;

	if (!strcmp(list, "random"))
		for (; n < conf.n_links; n++)
			conf.link[n].weight = (uint8_t)(1 + unit_random(255));
	if (n)
		return;
	for (s = strtok(list, ":"); s && n < LINKS_MAX; s = strtok(NULL, ":"))
		conf.link[n++].weight = (uint8_t)atoi(s);
}

static void drain(char *list)
{
	char *s;
	int i;

	for (s = strtok(list, ","); s; s = strtok(NULL, ",")) {
		i = conf_link_index(&conf, s);
		if (i >= 0)
			drained[i] = true;
	}
}

/* "2001:db8:1::/48+fd00::/8,-,2001:db8:2::/48": of three links. */
static void own(char *list)
{
	struct prefixes *p;
	unsigned int i = 0;
	char *s, *one, *save, *rest;

	for (s = strtok_r(list, ",", &save); s && i < LINKS_MAX;
	     s = strtok_r(NULL, ",", &save)) {
		p = &state.link[i++].own6;
		for (one = strtok_r(s, "+", &rest); one && *one != '-';
		     one = strtok_r(NULL, "+", &rest))
			if (prefix_parse(&p->item[p->n++], one))
				exit(64);
	}
}

static bool read_file(const char *file)
{
	struct err err = { "" };

	if (!conf_read(&conf, file, true, &err))
		return true;
	fprintf(stderr, "%s\n", err.msg);
	return false;
}

static enum balance method(const char *name)
{
	if (!strcmp(name, "flow"))
		return BALANCE_FLOW;
	return strcmp(name, "random") ? BALANCE_ROUND_ROBIN : BALANCE_RANDOM;
}

int main(int argc, char **argv)
{
	enum balance balance = BALANCE_SOURCE;
	char *lan = NULL, *link = NULL, *weight = NULL, *aside = NULL;
	const char *file = NULL;
	char *prefixes = NULL;
	bool ipv6 = false, translate = true;
	uint32_t sticky = 0;
	bool clamp = true, masquerade = true, timed = false;
	uint32_t mask = 0xff, mtu = 0;
	unsigned int n = 2, i;
	int c;

	if (argc == 1)
		return unit();
	if (argc >= 7 && !strcmp(argv[1], "spray"))
		return spray(argv + 2, argc > 7 ? atoi(argv[7]) : 1);
	while ((c = getopt(argc, argv, "n:m:M:P:pb:w:s:d:l:L:f:CNt6T")) != -1) {
		switch (c) {
		case 'm': mask = (uint32_t)strtoul(optarg, NULL, 0); break;
		case '6': ipv6 = true; break;
		case 'T': translate = false; break;
		case 'P': prefixes = optarg; break;
		case 'M': mtu = (uint32_t)atoi(optarg); break;
		case 'n': n = (unsigned int)atoi(optarg); break;
		case 'p': balance = BALANCE_SOURCE_PARITY; break;
		case 'b': balance = method(optarg); break;
		case 'w': weight = optarg; break;
		case 's': sticky = (uint32_t)atoi(optarg); break;
		case 'd': aside = optarg; break;
		case 'f': file = optarg; break;
		case 'l': lan = optarg; break;
		case 'L': link = optarg; break;
		case 'C': clamp = false; break;
		case 'N': masquerade = false; break;
		case 't': timed = true; break;
		default: return 64;
		}
	}
	if (optind == argc)
		return 64;
	make_conf(n, mask, balance);
	conf.clamp_mss = clamp;
	conf.masquerade = masquerade;
	conf.sticky = sticky;
	if (link)
		conf.n_links = names(link, &conf.link[0].name,
				     sizeof(conf.link[0]), conf.n_links);
	if (lan)
		conf.n_lan = names(lan, conf.lan, IFNAMSIZ, LAN_MAX);
	if (weight)
		weights(weight);
	if (file && !read_file(file))
		return 78;
	conf.ipv6 = ipv6;
	conf.translate6 = translate;
	if (aside)
		drain(aside);
	if (!build())
		return 78;
	for (i = 0; mtu && i < conf.n_links; i++)
		state.link[i].mtu = mtu + i;
	if (prefixes)
		own(prefixes);
	table_state_complete(&rs, &state, &state);
	if (!strcmp(argv[optind], "print")) {
		fputs(text, stdout);
		table_state_print(&rs, &state, text, sizeof(text));
		return fputs(text, stdout) < 0;
	}
	return act(argv[optind], timed);
}
