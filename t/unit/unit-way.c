// SPDX-License-Identifier: MIT
/* Who carries a link's packets: by what there is, and by what is wanted. */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "core/way.h"
#include "model.h"
#include "unit.h"

enum { ROUNDS = 400 };

static struct kernel kernel;
static struct way w;

/* Links 0 to 2, of tiers 1, 1 and 2, all up, each with its default, and the
 * standby with the groups of both tiers.
 */
static void three_links(void)
{
	static const uint8_t tier[] = { 1, 1, 2 };
	struct present *p = &present;
	unsigned int i;

	memset(&conf, 0, sizeof(conf));
	memset(p, 0, sizeof(*p));
	conf.n_links = 3;
	conf.standby_table = 200;
	for (i = 0; i < 3; i++) {
		conf.link[i].table = 201 + i;
		conf.link[i].tier = tier[i];
		p->link[i].ifindex = 10 + i;
		p->link[i].up = p->link[i].carrier = true;
		addr_parse(&p->link[i].af[FAMILY_IPV4].local, "10.0.0.1");
		p->route[p->n_routes++] = (struct route){
			.table = 201 + i, .ifindex = 10 + i,
			.family = AF_INET, .type = RTN_UNICAST };
		p->nexthop[p->n_nexthops++] = (struct nexthop){
			.id = 77001 + i, .ifindex = 10 + i };
		p->member[p->n_members++].id = 77001 + i;
	}
	/* The worse tier's stands first: its metric counts. */
	p->nexthop[p->n_nexthops++] = (struct nexthop){
		.id = 77258, .n_members = 1, .member = &p->member[2] };
	p->nexthop[p->n_nexthops++] = (struct nexthop){
		.id = 77257, .n_members = 2, .member = &p->member[0] };
	for (i = 2; i > 0; i--)
		p->route[p->n_routes++] = (struct route){
			.table = 200, .nhid = 77256 + i, .metric = i,
			.family = AF_INET, .type = RTN_UNICAST };
}

static bool by(const char *links)
{
	char text[16];
	unsigned int i;

	for (i = 0; i < w.n && i + 1 < sizeof(text); i++)
		text[i] = (char)('0' + w.by[i]);
	text[i] = '\0';
	return !strcmp(text, links);
}

static void test_present(void)
{
	struct present *p = &present;

	three_links();
	ok(way_of_link(&w, &conf, p, FAMILY_IPV4, 2) && by("2"),
	   "a link's own table");
	p->route[1].table = 7;
	ok(way_of_link(&w, &conf, p, FAMILY_IPV4, 1) && by("01"),
	   "without its default the standby: the least metric");
	p->n_rules = 1;
	p->rule[0] = (struct rule){ .family = AF_INET, .table = 201,
				    .mark = 1, .mask = 0xff };
	ok(way_of_link(&w, &conf, p, FAMILY_IPV4, 2) && by("01"),
	   "its own default does not count where no rule leads, as when it is "
	   "held");
	ok(!way_of_link(&w, &conf, p, FAMILY_IPV6, 0) && by(""),
	   "nothing of the other family");
	p->route[0].ifindex = 99;
	ok(way_of_link(&w, &conf, p, FAMILY_IPV4, 0) && by("") &&
	   w.other == &p->route[0], "elsewhere");
	p->route[0].type = RTN_UNREACHABLE;
	ok(way_of_link(&w, &conf, p, FAMILY_IPV4, 0) && by("") && !w.other,
	   "nowhere");
	p->route[0] = (struct route){ .table = 201, .nhid = 77003,
				      .family = AF_INET,
				      .type = RTN_UNICAST };
	ok(way_of_link(&w, &conf, p, FAMILY_IPV4, 0) && by("2"),
	   "a nexthop object that is no group");
	p->route[0].tos = 8;
	p->n_routes = 1;
	ok(!way_of_link(&w, &conf, p, FAMILY_IPV4, 0) && by(""),
	   "on to main, when neither table has a default for all");
}

static void test_wanted(void)
{
	struct link *l = present.link;

	three_links();
	way_wanted(&w, &conf, &present, FAMILY_IPV4, 2);
	ok(by("2"), "wanted: each link that can carries its own");
	way_wanted(&w, &conf, &present, FAMILY_IPV4, -1);
	ok(by("01"), "the best tier carries the others'");
	l[0].drained = true;
	way_wanted(&w, &conf, &present, FAMILY_IPV4, 0);
	ok(by("0"), "a drained link its own");
	way_wanted(&w, &conf, &present, FAMILY_IPV4, -1);
	ok(by("1"), "and no other's");
	l[1].held[FAMILY_IPV4] = true;
	links_judge(l, 3);
	way_wanted(&w, &conf, &present, FAMILY_IPV4, 1);
	ok(by("2"), "a held link's go by the next tier");
	l[2].up = false;
	links_judge(l, 3);
	way_wanted(&w, &conf, &present, FAMILY_IPV4, 1);
	ok(by("0"), "or by a drained one");
	l[0].up = false;
	links_judge(l, 3);
	way_wanted(&w, &conf, &present, FAMILY_IPV4, 2);
	ok(by("1"), "or by itself, and it all others'");
	l[1].up = false;
	way_wanted(&w, &conf, &present, FAMILY_IPV4, 1);
	ok(by(""), "no link is left");
}

static void random_link(unsigned int i, bool holds)
{
	struct addr a = { .family = AF_INET };

	a.v4.s_addr = htonl(0x0a400001 + i);
	conf.link[i].tier = (uint8_t)(1 + unit_random(2));
	conf.link[i].weight = (uint8_t)(1 + unit_random(3));
	drained[i] = !unit_random(5);
	held[i] = holds && !unit_random(5);
	if (unit_random(4))
		dev_add(&kernel, i, a);
}

/* Does @w name the interfaces that the model sends the mark's packets to? */
static bool as_sent(uint32_t mark)
{
	struct path p;
	unsigned int i;

	find_path(&kernel, mark, NULL, &p);
	for (i = 0; i < w.n && w.n == p.n; i++)
		if (dev_of_link(&kernel, w.by[i]) != p.dev[i])
			return false;
	return w.n == p.n && !w.other;
}

static unsigned int astray(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < conf.n_links; i++) {
		way_of_link(&w, &conf, &present, FAMILY_IPV4, i);
		n += !as_sent(conf.link[i].mark);
	}
	return n;
}

/* What is told of any router is what its packets do: at the end of a plan, and
 * when a link has gone since.
 */
static void test_model(void)
{
	unsigned int round, i, wrong = 0, unwanted = 0, gone = 0;

	for (round = 0; round < ROUNDS; round++) {
		model_begin(&kernel, 1 + unit_random(6));
		for (i = 0; i < conf.n_links; i++)
			random_link(i, round % 2);
		unwanted += !settle(&kernel, PLAN_ALL);
		wrong += astray();
		for (i = 0; i < conf.n_links; i++) {
			way_wanted(&w, &conf, &present, FAMILY_IPV4, (int)i);
			unwanted += !as_sent(conf.link[i].mark);
		}
		i = unit_random(conf.n_links);
		if (!kernel.dev[i].ifindex)
			continue;
		dev_gone(&kernel, i);
		observe(&kernel, PLAN_ALL);
		wrong += astray();
		gone++;
	}
	ok(!wrong && gone > ROUNDS / 4, "%d routers: a link's packets go where "
	   "that is told, also when a link has just gone (%u)", ROUNDS, wrong);
	ok(!unwanted, "and where it was said before that they would (%u)",
	   unwanted);
}

int main(void)
{
	test_present();
	test_wanted();
	test_model();
	return done();
}
