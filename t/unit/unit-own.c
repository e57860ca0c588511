// SPDX-License-Identifier: MIT
/* Prefixes, and which IPv6 prefixes are which link's. */
#include "core/own.h"
#include "unit.h"

static struct present present;
static struct conf conf;
static struct prefix6 known;

static struct prefix of(const char *text)
{
	struct prefix p;

	if (prefix_parse(&p, text))
		printf("Bail out! %s is no prefix\n", text);
	return p;
}

static struct addr address(const char *text)
{
	struct addr a;

	addr_parse(&a, text);
	return a;
}

static const char *list_text(const struct prefixes *list)
{
	static char text[PREFIXES_MAX * PREFIX_TEXT];
	char one[PREFIX_TEXT];
	unsigned int i;

	*text = '\0';
	for (i = 0; i < list->n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%s%s", i ? " " : "",
			 prefix_text(&list->item[i], one));
	return text;
}

static void test_prefixes(void)
{
	static const char *const odd[] = {
		"", "/", "2001:db8::/129", "2001:db8::1/64", "2001:db8::/",
		"2001:db8::/-1", "10.0.0.0/33", "10.0.0.1/8", "2001:db8::/64 ",
	};
	struct prefix p = of("2001:db8:a00::/41");
	struct prefix host = of("10.0.0.1");
	struct prefix all = of("::/0");
	struct addr a = address("2001:db8:a7f:ffff::1");
	size_t i;

	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		ok(prefix_parse(&p, odd[i]) < 0, "\"%s\" is no prefix", odd[i]);
	p = of("2001:db8:a00::/41");
	ok(host.len == 32 && all.len == 0, "a host and everybody");
	ok(prefix_has(&p, &a), "the last network of a prefix");
	a = address("2001:db8:a80::1");
	ok(!prefix_has(&p, &a) && prefix_has(&all, &a), "the one after it");
	a = address("10.0.0.1");
	ok(!prefix_has(&all, &a) && prefix_has(&host, &a), "of each family");
	host = of("2001:db8:a40::/42");
	ok(prefix_covers(&p, &host) && !prefix_covers(&host, &p),
	   "a half and the whole");
	a = address("fe80::1");
	ok(addr_is_link_local6(&a) && !addr_is_global6(&a), "link-local");
	a = address("fd00::1");
	ok(!addr_is_link_local6(&a) && !addr_is_global6(&a), "unique local");
}

static void test_add(void)
{
	struct prefixes list = { .n = 0 };
	struct prefix p;
	unsigned int i;

	p = of("2001:db8:a00:1::/64");
	own_add(&list, &p);
	p = of("2001:db8:b00::/56");
	own_add(&list, &p);
	own_add(&list, &p);
	p = of("2001:db8:a00::/56");
	own_add(&list, &p);
	is(list_text(&list), "2001:db8:b00::/56 2001:db8:a00::/56",
	   "a prefix takes the place of its parts");
	for (i = 0; i < 2 * PREFIXES_MAX; i++) {
		p = of("2001:db8:c00::/56");
		p.addr.bytes[6] = (uint8_t)i;
		own_add(&list, &p);
	}
	ok(list.n == PREFIXES_MAX, "what has no room is left out");
}

/* Two links; the first has a session. */
static void begin(void)
{
	memset(&present, 0, sizeof(present));
	memset(&conf, 0, sizeof(conf));
	memset(&known, 0, sizeof(known));
	conf.n_links = present.n_links = 2;
	conf.ipv6 = true;
	present.link[0].ifindex = 7;
	present.link[0].up = present.link[0].carrier = true;
	present.link[0].af[FAMILY_IPV6].local = address("fe80::2");
}

static void told(const char *prefix, uint32_t ifindex)
{
	known.of[0].told.item[0] = of(prefix);
	known.of[0].told.n = 1;
	known.of[0].ifindex = ifindex;
}

static void test_decide(void)
{
	const struct link *l = &present.link[0];

	begin();
	own_decide(&present, &conf, &known);
	ok(!l->known6 && !link_usable(l, FAMILY_IPV6) &&
	   !own_any(&present, &conf), "a session without a prefix");
	present.link[0].seen6.item[0] = of("2001:db8:a01::/64");
	present.link[0].seen6.n = 1;
	own_decide(&present, &conf, &known);
	ok(link_usable(l, FAMILY_IPV6) && own_any(&present, &conf),
	   "the kernel's word is enough");
	told("2001:db8:a00::/56", 7);
	own_decide(&present, &conf, &known);
	is(list_text(&l->own6), "2001:db8:a00::/56 2001:db8:a01::/64",
	   "what a client tells is added");
	known.of[0].ifindex = 6;
	own_decide(&present, &conf, &known);
	is(list_text(&l->own6), "2001:db8:a01::/64",
	   "but not what it told of another session");
	present.lan[0].to = of("2001:db8:a00:5::/64");
	present.n_lans = 1;
	own_decide(&present, &conf, &known);
	is(list_text(&l->own6), "2001:db8:a00::/56 2001:db8:a01::/64",
	   "unless the LAN still has it");
	conf.link[1].prefix6.item[0] = of("2001:db8:b00::/56");
	conf.link[1].prefix6.n = 1;
	own_decide(&present, &conf, &known);
	ok(present.link[1].own6.n == 1 && !present.link[1].known6,
	   "a link that is down has what the file says");
}

static void test_remember(void)
{
	begin();
	told("2001:db8:a00::/56", 7);
	own_decide(&present, &conf, &known);
	ok(own_remember(&known, &present, &conf), "a new prefix is news");
	ok(!own_remember(&known, &present, &conf), "once");
	present.link[0].af[FAMILY_IPV6].local.family = 0;
	own_decide(&present, &conf, &known);
	ok(!own_remember(&known, &present, &conf), "a lost line is none");
	is(list_text(&present.link[0].own6), "2001:db8:a00::/56",
	   "it keeps its prefix");
	present.link[0].af[FAMILY_IPV6].local = address("fe80::2");
	told("2001:db8:a77::/56", 7);
	own_decide(&present, &conf, &known);
	ok(own_remember(&known, &present, &conf), "another one");
	is(list_text(&known.of[0].past), "2001:db8:a00::/56",
	   "makes a past one of it");
	told("2001:db8:a00::/56", 7);
	own_decide(&present, &conf, &known);
	own_remember(&known, &present, &conf);
	is(list_text(&known.of[0].past), "2001:db8:a77::/56",
	   "which may come back");
}

static void test_address(void)
{
	static const struct {
		const char *prefix, *want;
	} tests[] = {
		{ "2001:db8:a00::/56", "2001:db8:a00:ff::6d77:1" },
		{ "2001:db8:a00:7::/64", "2001:db8:a00:7::6d77:1" },
		{ "2001:db8::/32", "2001:db8:ffff:ffff::6d77:1" },
		{ "2001:db8::8:0:0/96", "2001:db8::8:6d77:1" },
		{ "2001:db8::1/128", "none" },
	};
	struct link l = { .ifindex = 7 };
	char text[ADDR_TEXT];
	struct addr a;
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		l.own6.item[0] = of(tests[i].prefix);
		l.own6.n = 1;
		a = own_address(&l, 0);
		is(addr_text(&a, text), tests[i].want, "our address in %s",
		   tests[i].prefix);
	}
	a = address("2001:db8:a00:ff::6d77:1");
	ok(own_is_ours(&a, 128) && !own_is_ours(&a, 64), "is known again");
	a = address("2001:db8:a00:ff:1::6d77:1");
	ok(!own_is_ours(&a, 128), "and nobody else's");
}

int main(void)
{
	test_prefixes();
	test_add();
	test_decide();
	test_remember();
	test_address();
	return done();
}
