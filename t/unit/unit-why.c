// SPDX-License-Identifier: MIT
/* What mwan-rules why rests on: the kernel's hash, and a packet's walk through
 * the rules of any configuration.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>

#include "nft/jhash.h"
#include "model.h"
#include "nft/trace.h"
#include "tell/why.h"
#include "unit.h"

enum { HOSTS = 60000, ROUNDS = 20000, ROUTERS = 200, MASK = 0xff00 };

static struct ruleset rs;
static struct kernel kernel;

/* Of "driver5" of Bob Jenkins' lookup3.c. On a big-endian machine the kernel's
 * hash is another one, neither his little nor his big: all words but the last
 * three are read in the machine's order.
 */
static void test_jhash(void)
{
	static const char words[] = "Four score and seven years ago";
	const bool big = htons(1) == 1;

	ok(jhash("", 0, 0) == 0xdeadbeef, "hash of nothing");
	ok(jhash("", 0, 0xdeadbeef) == 0xbd5b7dde, "hash of a seed");
	ok(jhash(words, 30, 0) == (big ? 0x65872663 : 0x17770551),
	   "hash of 30 bytes");
	ok(jhash(words, 30, 1) == (big ? 0xfb244b7f : 0xcd628161),
	   "hash of 30 bytes and a seed");
}

static bool build(unsigned int n, enum balance balance, uint32_t sticky)
{
	static const bool none[LINKS_MAX];
	struct err err;
	unsigned int i;

	memset(&conf, 0, sizeof(conf));
	conf.mark_mask = MASK;
	conf.balance = balance;
	conf.sticky = sticky;
	conf.n_links = n;
	for (i = 0; i < n; i++) {
		struct conf_link *l = &conf.link[i];

		snprintf(l->name, sizeof(l->name), "ppp%u", i);
		l->mark = (i + 1) << 8;
		l->weight = (uint8_t)(n - i);
		l->tier = 1;
	}
	return !ruleset_build(&rs, &conf, none, none, false, &err);
}

static struct addr ipv4(uint32_t address)
{
	return (struct addr){ .family = AF_INET,
			      .v4.s_addr = htonl(address) };
}

static void begin(struct walk *w, uint32_t source)
{
	memset(w, 0, sizeof(*w));
	w->rs = &rs;
	w->source = ipv4(source);
	w->destination = ipv4(0xc6336401);
	w->has_protocol = w->has_ports = true;
	w->protocol = 17;
	w->source_port = 1024;
	w->destination_port = 53;
	strcpy(w->iif, "lan0");
	w->is_new = true;
	w->mark = 0x40003;
}

static unsigned int link_of(const struct walk *w)
{
	return (w->mark & MASK) >> 8;
}

static void test_shares(enum balance balance, const char *name)
{
	unsigned int i, got[4] = { 0 };
	bool others = true;
	struct walk w;

	build(3, balance, 0);
	for (i = 0; i < HOSTS; i++) {
		begin(&w, 0x0a090000 + i);
		walk(&w, HOOK_PREROUTING);
		others &= (w.mark & ~(uint32_t)MASK) == 0x40003;
		got[link_of(&w) & 3]++;
	}
	ok(others && !got[0], "%s: every packet gets a link's mark, and keeps "
	   "the other bits", name);
	for (i = 1; i < 4; i++)
		ok(got[i] * 6 > (4 - i) * HOSTS * 0.97 &&
		   got[i] * 6 < (4 - i) * HOSTS * 1.03,
		   "%s: link %u has %u of 6 (%u of %d)", name, i, 4 - i,
		   got[i], HOSTS);
}

/* What nobody can know has as many ways as there are links, with their
 * weights.
 */
static void test_choices(enum balance balance, const char *name)
{
	unsigned int i, shares = 0;
	bool own = true;
	struct walk w;

	build(3, balance, 0);
	for (i = 0; i < 3; i++) {
		begin(&w, 0x0a090001);
		w.has_ports = false;
		w.choice = i;
		walk(&w, HOOK_PREROUTING);
		own &= link_of(&w) == i + 1 && w.share == 3 - i &&
		       w.shares == 6;
		shares += w.share;
	}
	ok(own && w.n_choices == 3 && shares == 6,
	   "%s: a way a link, of its weight", name);
}

static void test_followers(void)
{
	struct walk w;

	build(3, BALANCE_SOURCE, 600);
	begin(&w, 0x0a090001);
	w.is_new = false;
	w.ct_mark = 2 << 8;
	walk(&w, HOOK_PREROUTING);
	ok(link_of(&w) == 2 && !w.n_choices, "a connection keeps its link");
	begin(&w, 0x0a090001);
	w.mark = 3 << 8;
	walk(&w, HOOK_PREROUTING);
	ok(link_of(&w) == 3, "a mark of somebody else's decides");
	begin(&w, 0x0a090001);
	w.sticky = 3 << 8;
	walk(&w, HOOK_PREROUTING);
	ok(link_of(&w) == 3, "a host keeps its link");
	begin(&w, 0xc6336401);
	strcpy(w.iif, "ppp1");
	walk(&w, HOOK_PREROUTING);
	ok(w.ct_mark == 2 << 8 && !link_of(&w),
	   "what comes in by a link is answered by it");
}

/* Any packet, any configuration: within bounds, and the other bits stay. */
static void test_any(void)
{
	unsigned int i, wrong = 0, refused = 0;
	uint32_t others;
	struct walk w;

	for (i = 0; i < ROUNDS; i++) {
		if (i % 100 == 0 && !build(1U << unit_random(7),
			   unit_random(BALANCE_RANDOM + 1),
			   unit_random(2) * 600))
			refused++;
		begin(&w, unit_random(UINT32_MAX));
		w.destination = ipv4(unit_random(UINT32_MAX));
		w.has_protocol = unit_random(2);
		w.has_ports = unit_random(2);
		w.protocol = (uint8_t)unit_random(256);
		snprintf(w.iif, sizeof(w.iif), "ppp%u", unit_random(80));
		w.is_new = unit_random(2);
		w.is_reply = unit_random(2);
		w.mark = unit_random(UINT32_MAX);
		w.ct_mark = unit_random(UINT32_MAX);
		w.sticky = unit_random(8) << 8;
		w.choice = unit_random(300);
		others = w.mark & ~(uint32_t)MASK;
		walk(&w, unit_random(2) ? HOOK_PREROUTING : HOOK_OUTPUT);
		snprintf(w.oif, sizeof(w.oif), "ppp%u", unit_random(80));
		walk(&w, HOOK_FORWARD);
		walk(&w, HOOK_POSTROUTING);
		wrong += w.n_steps > WALK_STEPS ||
			 (w.mark & ~(uint32_t)MASK) != others;
	}
	ok(!wrong && !refused, "%d packets at random (%u wrong, %u "
	   "configurations refused)", ROUNDS, wrong, refused);
}

/* --- IPv6 --- */

static struct table_state state;

static void begin6(struct walk *w, const char *source, uint32_t host)
{
	begin(w, 0);
	addr_parse(&w->source, source);
	addr_parse(&w->destination, "2001:db8:ffff::1");
	host = htonl(host);
	memcpy(&w->source.bytes[12], &host, sizeof(host));
	w->state = &state;
}

static unsigned int link6(const char *source, const char *destination)
{
	struct walk w;

	begin6(&w, source, 7);
	addr_parse(&w.destination, destination);
	walk(&w, HOOK_PREROUTING);
	return link_of(&w);
}

static void test_ipv6(enum balance balance, const char *name)
{
	unsigned int i, got[4] = { 0 };
	struct walk w;

	build(3, balance, 0);
	conf.ipv6 = conf.translate6 = true;
	if (ruleset_build(&rs, &conf, (bool [LINKS_MAX]){ false },
			  (bool [LINKS_MAX]){ false }, false,
			  &(struct err){ "" }))
		return;
	memset(&state, 0, sizeof(state));
	prefix_parse(&state.link[1].own6.item[0], "2001:db8:b::/48");
	prefix_parse(&state.link[2].own6.item[0], "2001:db8:b:1::/64");
	prefix_parse(&state.link[2].own6.item[1], "2001:db8:c::/48");
	state.link[1].own6.n = 1;
	state.link[2].own6.n = 2;
	for (i = 0; i < HOSTS; i++) {
		begin6(&w, "fd00::", i);
		walk(&w, HOOK_PREROUTING);
		got[link_of(&w) & 3]++;
	}
	printf("# %u %u %u\n", got[1], got[2], got[3]);
	ok(!got[0] && got[1] > got[2] && got[2] > got[3] &&
	   got[3] * 7 > HOSTS, "%s: IPv6 is shared as well", name);
	ok(link6("2001:db8:b::", "2001:db8:ffff::1") == 2 &&
	   link6("2001:db8:c::", "2001:db8:ffff::1") == 3,
	   "%s: a provider's address leaves by its link", name);
	ok(link6("2001:db8:b:1::", "2001:db8:ffff::1") == 2,
	   "%s: what two have is the first one's", name);
	ok(!link6("2001:db8:b::", "ff05::1") && !link6("2001:db8:b::",
	   "fe80::1") && !link6("fe80::", "febf:ffff::1"),
	   "%s: what stays on its link gets no mark", name);
	begin(&w, 0x0a090001);
	walk(&w, HOOK_PREROUTING);
	ok(link_of(&w), "%s: and IPv4 is, as before", name);
}

static void test_words(void)
{
	static const struct {
		const char *words, *want;	/* "": they can be read */
	} all[] = {
		{ "10.0.0.1 192.0.2.1", "" },
		{ "self 192.0.2.1 tcp", "" },
		{ "10.0.0.1 192.0.2.1 17 0 65535", "" },
		{ "2001:db8::1 2001:db8::2 icmp", "" },
		{ "10.0.0 192.0.2.1", "an address is expected, not "
		  "\"10.0.0\"" },
		{ "self 192.0.2", "an address is expected, not \"192.0.2\"" },
		{ "self fe80::1", "nothing is forwarded or shared of an "
		  "address that stays on its link, as does \"fe80::1\"" },
		{ "10.0.0.1 2001:db8::2", "the source is of the other family "
		  "than \"2001:db8::2\"" },
		{ "self 192.0.2.1 256", "tcp, udp, icmp or a protocol's "
		  "number is expected, not \"256\"" },
		{ "self 192.0.2.1 icmp 1 2", "there are no ports in "
		  "\"icmp\"" },
		{ "self 192.0.2.1 udp 65536 2", "a port from 0 to 65535 is "
		  "expected, not \"65536\"" },
		{ "self 192.0.2.1 udp 1 -2", "a port from 0 to 65535 is "
		  "expected, not \"-2\"" },
	};
	char copy[100], *word[5], *save, *w;
	struct why_packet p;
	struct err err;
	size_t i;
	int n;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		memset(&p, 0, sizeof(p));
		err.msg[0] = '\0';
		strcpy(copy, all[i].words);
		n = 0;
		for (w = strtok_r(copy, " ", &save); w;
		     w = strtok_r(NULL, " ", &save))
			word[n++] = w;
		ok(!why_packet_read(&p, n, word, &err) == !*all[i].want &&
		   p.has_ports == (n > 3 && p.has_protocol),
		   "why %s", all[i].words);
		is(err.msg, all[i].want, "why %s: says", all[i].words);
	}
}

/* The kernel sends it by this interface. */
static void route_by(struct why_way *way, uint32_t mark, const struct path *p,
		     unsigned int choice)
{
	static struct why why;

	why.packet.tuple.source = ipv4(0xc0a80101);
	memset(way, 0, sizeof(*way));
	way->walk.mark = mark;
	way->fib.table = p->table;
	way->fib.type = RTN_UNICAST;
	way->fib.ifindex = p->n ? p->dev[choice]->ifindex : 0;
	way->fib.code = p->n ? 0 : -ENETUNREACH;
	why_route(&why, way, &conf, &present);
}

/* Of any router on which all is done: our rules explain what the kernel does
 * with each mark, and nothing else that it might do.
 */
static void test_model(void)
{
	unsigned int round, i, c, wrong = 0, believed = 0, seen = 0;
	struct path p;
	struct why_way way;

	for (round = 0; round < ROUTERS; round++) {
		model_begin(&kernel, 2 + unit_random(5));
		dev_add(&kernel, DEV_FOREIGN, ipv4(0xc0a80102));
		for (i = 0; i < conf.n_links; i++) {
			conf.link[i].tier = (uint8_t)(1 + unit_random(2));
			held[i] = !unit_random(4);
			if (unit_random(4))
				dev_add(&kernel, i, ipv4(0x0a400001 + i));
		}
		settle(&kernel, PLAN_ALL);
		for (i = 0; i < conf.n_links; i++) {
			find_path(&kernel, conf.link[i].mark, NULL, &p);
			for (c = 0; c < p.n; c++, seen++) {
				route_by(&way, conf.link[i].mark, &p, c);
				wrong += !way.as_planned ||
					 way.verdict != WHY_LINK;
			}
			if (!p.n)
				continue;
			p.dev[0] = &kernel.dev[DEV_FOREIGN];
			route_by(&way, conf.link[i].mark, &p, 0);
			believed += way.as_planned || way.verdict != WHY_OTHER;
			p.n = 0;
			route_by(&way, conf.link[i].mark, &p, 0);
			believed += way.as_planned ||
				    way.verdict != WHY_NOWHERE;
		}
	}
	ok(seen > ROUTERS && !wrong, "%d routers: our rules explain where each "
	   "of %u marked packets goes (%u)", ROUTERS, seen, wrong);
	ok(!believed, "and no other way is taken for theirs (%u)", believed);
}

int main(void)
{
	test_jhash();
	test_shares(BALANCE_SOURCE, "source");
	test_shares(BALANCE_FLOW, "flow");
	test_choices(BALANCE_FLOW, "flow without ports");
	test_choices(BALANCE_ROUND_ROBIN, "round-robin");
	test_choices(BALANCE_RANDOM, "random");
	test_followers();
	test_any();
	test_ipv6(BALANCE_SOURCE, "source");
	test_ipv6(BALANCE_FLOW, "flow");
	test_words();
	test_model();
	return done();
}
