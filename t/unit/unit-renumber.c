// SPDX-License-Identifier: MIT
/* Marks and tables that change: which numbers clash, and the detour. */
#include "core/renumber.h"
#include "unit.h"

enum { ROUNDS = 2000 };

static struct conf old, new, via;

/* Links ppp0, ppp1 ... with these numbers. */
static void make(struct conf *c, uint32_t mask, unsigned int n,
		 const uint32_t *mark, const uint32_t *table)
{
	unsigned int i;

	memset(c, 0, sizeof(*c));
	c->mark_mask = mask;
	c->standby_table = 200;
	c->n_links = n;
	for (i = 0; i < n; i++) {
		snprintf(c->link[i].name, IFNAMSIZ, "ppp%u", i);
		c->link[i].mark = mark[i];
		c->link[i].table = table[i];
	}
}

/* 0: it clashes and there is no detour, 1: no clash, 2: there is a detour. */
static int way(uint32_t was_mask, const uint32_t *was_mark,
	       const uint32_t *was_table, uint32_t mask, const uint32_t *mark,
	       const uint32_t *table)
{
	make(&old, was_mask, 3, was_mark, was_table);
	make(&new, mask, 3, mark, table);
	if (!renumber_clashes(&new, &old))
		return 1;
	if (!renumber_detour(&via, &new, &old))
		return 0;
	return renumber_clashes(&via, &old) || renumber_clashes(&new, &via) ?
	       -1 : 2;
}

static void test_ways(void)
{
	static const uint32_t m[] = { 1, 2, 3 }, far[] = { 9, 10, 11 },
		circle[] = { 2, 3, 1 }, next[] = { 2, 3, 4 },
		high[] = { 0x100, 0x200, 0x300 }, wide[] = { 0x101, 0x102,
		0x103 }, odd[] = { 0x102, 0x201, 0x303 };
	static const uint32_t t[] = { 201, 202, 203 }, u[] = { 301, 302, 303 },
		turned[] = { 202, 203, 201 };

	ok(way(0xff, m, t, 0xff, m, t) == 1, "the same does not clash");
	ok(way(0xff, m, t, 0xff, far, u) == 1, "nor do other numbers");
	ok(way(0xff, m, t, 0xff00, high, t) == 1, "nor another mask");
	ok(way(0xff, m, t, 0xffff, wide, t) == 1, "nor a wider one that adds "
	   "bits to each");
	ok(way(0xff, m, t, 0xffff, odd, t) == 2, "one that looks like another "
	   "link's does");
	ok(way(0xff, m, t, 0xff, circle, t) == 2, "marks in a circle");
	ok(way(0xff, m, t, 0xff, next, t) == 2, "the next one's marks");
	ok(way(0xff, m, t, 0xff, m, turned) == 2, "tables in a circle");
	ok(via.link[0].mark == 1 && via.link[0].table > 1000, "they alone get "
	   "other numbers");
	ok(way(0xff, m, t, 0xff, circle, turned) == 2, "both");
	ok(way(3, m, t, 3, circle, t) == 0, "the mask has no room");
}

static void random_numbers(uint32_t mask, uint32_t mark[8], uint32_t table[8])
{
	unsigned int i, k, low = mask & -mask, room = mask / low;

	for (i = 0; i < 8; i++)
		do {
			mark[i] = (1 + unit_random(room)) * low & mask;
			table[i] = 1 + unit_random(12);
			for (k = 0; k < i; k++)
				if (mark[k] == mark[i] || table[k] == table[i])
					break;
		} while (!mark[i] || k < i);
}

static void test_random(void)
{
	static const uint32_t masks[] = { 0xff, 0xff00, 0xffff, 0x1f, 0x3f0,
					  0x0f0f };
	uint32_t mark[8], table[8];
	unsigned int i, clashes = 0, none = 0, bad = 0;

	for (i = 0; i < ROUNDS; i++) {
		random_numbers(masks[i % 6], mark, table);
		make(&old, masks[i % 6], 1 + unit_random(8), mark, table);
		random_numbers(masks[i / 6 % 6], mark, table);
		make(&new, masks[i / 6 % 6], 1 + unit_random(8), mark, table);
		if (!renumber_clashes(&new, &old))
			continue;
		clashes++;
		if (!renumber_detour(&via, &new, &old))
			none++;
		else if (renumber_clashes(&via, &old) ||
			 renumber_clashes(&new, &via))
			bad++;
	}
	ok(clashes > ROUNDS / 10 && none < clashes / 2 && !bad, "%u of %d "
	   "random pairs clash, %u without a detour, %u detours are wrong",
	   clashes, ROUNDS, none, bad);
}

int main(void)
{
	test_ways();
	test_random();
	return done();
}
