// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>

#include "core/renumber.h"
#include "kernel/ct.h"

/* Three things say which link a connection has: its mark in conntrack, the rules
 * that lead marks to tables, and our nftables table. No transaction has them
 * all. So the new rules come first, beside the old ones; then, in one commit, an
 * nftables table that knows the old marks, too, and gives each packet its link's
 * new one; then the marks of connections that have not had a packet meanwhile
 * are changed; then the old rules and that table go. Where a number means one
 * link before and another one after, there are two such steps, by numbers that
 * mean nothing.
 */

enum {
	/* Downwards from here: nobody counts up to it. */
	DETOUR_TABLE = 4294967000U,
};

/* The configuration that was in force. */
static struct conf old;
static bool have_old;

/* Do the marks of two different links look alike to rules of either? */
static bool marks_clash(const struct conf *a, unsigned int i,
			const struct conf *b, unsigned int k)
{
	uint32_t x = a->link[i].mark, y = b->link[k].mark;

	return (y & a->mark_mask) == x || (x & b->mark_mask) == y;
}

static bool link_clashes(const struct conf *a, unsigned int i,
			 const struct conf *b, bool *marks, bool *tables)
{
	unsigned int k;

	for (k = 0; k < b->n_links; k++) {
		if (!strcmp(a->link[i].name, b->link[k].name))
			continue;
		*marks = *marks || marks_clash(a, i, b, k);
		*tables = *tables || a->link[i].table == b->link[k].table;
	}
	return *marks || *tables;
}

static void find_clashes(const struct conf *new, const struct conf *before,
			 bool *marks, bool *tables)
{
	unsigned int i;

	*marks = *tables = false;
	for (i = 0; i < new->n_links; i++)
		(void)link_clashes(new, i, before, marks, tables);
}

bool renumber_clashes(const struct conf *new, const struct conf *before)
{
	bool marks, tables;

	find_clashes(new, before, &marks, &tables);
	return marks || tables;
}

/* Is it good for any link on the way from @before to @new? */
static bool mark_is_free(uint32_t mark, const struct conf *new,
			 const struct conf *before)
{
	unsigned int i;

	for (i = 0; i < new->n_links; i++)
		if (new->link[i].mark == mark)
			return false;
	for (i = 0; i < before->n_links; i++)
		if ((mark & before->mark_mask) == before->link[i].mark ||
		    (before->link[i].mark & new->mark_mask) == mark)
			return false;
	return true;
}

static bool detour_marks(struct conf *via, const struct conf *new,
			 const struct conf *before)
{
	uint32_t mark = 0;
	unsigned int i;

	for (i = 0; i < new->n_links; i++) {
		/* The next one under the mask, until it is 0 again. */
		do {
			mark = ((mark | ~new->mark_mask) + 1) & new->mark_mask;
		} while (mark && !mark_is_free(mark, new, before));
		if (!mark)
			return false;
		via->link[i].mark = mark;
	}
	return true;
}

static bool has_table(const struct conf *c, uint32_t table)
{
	unsigned int i;

	for (i = 0; i < c->n_links; i++)
		if (c->link[i].table == table)
			return true;
	return c->standby_table == table || c->onlink_table == table;
}

static void detour_tables(struct conf *via, const struct conf *new,
			  const struct conf *before)
{
	uint32_t table = DETOUR_TABLE;
	unsigned int i;

	for (i = 0; i < new->n_links; i++, table--) {
		while (has_table(new, table) || has_table(before, table))
			table--;
		via->link[i].table = table;
	}
}

bool renumber_detour(struct conf *via, const struct conf *new,
		     const struct conf *before)
{
	bool marks, tables;

	*via = *new;
	find_clashes(new, before, &marks, &tables);
	if (tables)
		detour_tables(via, new, before);
	return !marks || detour_marks(via, new, before);
}

/* The marks that the links of @conf have in @c. */
static void marks_of(struct ct_marks *m, const struct conf *conf,
		     const struct conf *c)
{
	unsigned int i;
	int k;

	m->mask = c->mark_mask;
	for (i = 0; i < conf->n_links; i++) {
		k = conf_link_index(c, conf->link[i].name);
		m->mark[i] = k < 0 ? 0 : c->link[k].mark;
	}
}

static bool marks_differ(const struct ct_marks *a, const struct ct_marks *b,
			 unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (a->mark[i] && (a->mark[i] != b->mark[i] ||
				   a->mask != b->mask))
			return true;
	return false;
}

static void print_marks(const struct ct_marks *a, const struct ct_marks *b,
			unsigned int n, FILE *out)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (a->mark[i])
			fprintf(out, "# A connection with mark 0x%" PRIx32
				"/0x%" PRIx32 " would get 0x%" PRIx32 "/0x%"
				PRIx32 ".\n", a->mark[i], a->mask, b->mark[i],
				b->mask);
}

void renumber_note(const struct conf *conf, FILE *dry)
{
	static struct ct_marks was, now;
	bool marks, tables;

	have_old = !accepted_read(&old, NULL);
	if (!have_old)
		return;
	marks_of(&was, conf, &old);
	marks_of(&now, conf, conf);
	find_clashes(conf, &old, &marks, &tables);
	have_old = tables;
	if (!marks_differ(&was, &now, conf->n_links))
		return;
	have_old = true;
	if (dry)
		print_marks(&was, &now, conf->n_links, dry);
}

/* Go from @before to @next. The apply that follows tries again what failed. */
static void step(struct session *s, const struct conf *next,
		 const struct conf *before, struct outcome *o)
{
	static struct ct_marks was, now;
	struct plan_event event = { .goal = PLAN_APPLY, .gone_link = -1 };
	bool differ;

	s->conf = *next;
	marks_of(&was, next, before);
	marks_of(&now, next, next);
	differ = marks_differ(&was, &now, next->n_links);
	s->was = differ ? &was : NULL;
	o->code = session_ruleset(s, &o->err);
	if (!o->code)
		session_carry_out(s, &event, NULL, o);
	if (!o->code && differ)
		o->code = ct_renumber(&s->nfnl, &was, &now, next->n_links,
				      &o->err);
	s->was = NULL;
}

void renumber(struct session *s, struct outcome *o)
{
	static struct conf via, new;
	const struct conf *before = &old;

	if (!have_old)
		return;
	new = s->conf;
	if (renumber_clashes(&new, &old) &&
	    renumber_detour(&via, &new, &old)) {
		step(s, &via, before, o);
		before = &via;
	}
	if (!renumber_clashes(&new, before))
		step(s, &new, before, o);
	s->conf = new;
	o->code = session_ruleset(s, &o->err);
}
