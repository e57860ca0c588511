// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/util.h"
#include "core/own.h"

enum {
	/* A longer prefix has no room for an address of ours. */
	OWN_LEN_MAX = 96,
	NETWORK_LEN = 64,
	/* "mw", the mark of our addresses: PREFIX::6d77:1 and up. */
	OURS_HIGH = 0x6d,
	OURS_LOW = 0x77,
};

static bool has(const struct prefixes *list, const struct prefix *p)
{
	unsigned int i;

	for (i = 0; i < list->n; i++)
		if (prefix_covers(&list->item[i], p))
			return true;
	return false;
}

void own_add(struct prefixes *list, const struct prefix *p)
{
	unsigned int i, n = 0;

	if (has(list, p))
		return;
	for (i = 0; i < list->n; i++)
		if (!prefix_covers(p, &list->item[i]))
			list->item[n++] = list->item[i];
	list->n = n;
	if (list->n < PREFIXES_MAX)
		list->item[list->n++] = *p;
}

static void add_all(struct prefixes *list, const struct prefixes *more)
{
	unsigned int i;

	for (i = 0; i < more->n; i++)
		own_add(list, &more->item[i]);
}

/* The prefixes that link @i had before it had @own, the latest first. */
static struct prefixes past_of(const struct prefixes *own,
			       const struct prefix6 *known, unsigned int i)
{
	const struct prefixes *from[] = { &known->of[i].last,
					  &known->of[i].past };
	struct prefixes past = { .n = 0 };
	unsigned int k, n;

	for (n = 0; n < COUNT(from); n++)
		for (k = 0; k < from[n]->n; k++)
			if (!has(own, &from[n]->item[k]))
				own_add(&past, &from[n]->item[k]);
	return past;
}

/* Has the router an address on the LAN in this prefix? The client that got the
 * prefix removes that when it loses it.
 */
static bool is_on_lan(const struct present *p, const struct prefix *of)
{
	unsigned int i;

	for (i = 0; i < p->n_lans; i++)
		if (prefix_covers(of, &p->lan[i].to))
			return true;
	return false;
}

/* The wanted one of two addresses of ours comes first. */
static void sort_ours(struct link *l, unsigned int i)
{
	const struct addr want = own_address(l, i), one = l->ours6;

	if (!l->stale6.family || !addr_equal(&l->stale6, &want))
		return;
	l->ours6 = l->stale6;
	l->stale6 = one;
}

static void decide_link(struct present *p, const struct conf *conf,
			const struct prefix6 *known, unsigned int i)
{
	struct link *l = &p->link[i];
	struct prefixes *own = &l->own6;
	unsigned int k;

	own->n = 0;
	add_all(own, &conf->link[i].prefix6);
	if (l->af[FAMILY_IPV6].local.family) {
		for (k = 0; known && k < known->of[i].told.n; k++)
			if (known->of[i].ifindex == l->ifindex ||
			    is_on_lan(p, &known->of[i].told.item[k]))
				own_add(own, &known->of[i].told.item[k]);
		add_all(own, &l->seen6);
	}
	l->known6 = l->af[FAMILY_IPV6].local.family && own->n;
	if (!l->known6 && known)
		add_all(own, &known->of[i].last);
	l->past6.n = 0;
	if (known)
		l->past6 = past_of(own, known, i);
	sort_ours(l, i);
}

void own_decide(struct present *p, const struct conf *conf,
		const struct prefix6 *known)
{
	unsigned int i;

	for (i = 0; i < conf->n_links; i++)
		decide_link(p, conf, known, i);
}

bool own_any(const struct present *p, const struct conf *conf)
{
	unsigned int i;

	for (i = 0; i < conf->n_links; i++)
		if (p->link[i].own6.n)
			return true;
	return false;
}

bool own_remember(struct prefix6 *known, const struct present *p,
		  const struct conf *conf)
{
	bool changed = false;
	unsigned int i;

	for (i = 0; i < conf->n_links; i++) {
		if (!p->link[i].known6 ||
		    prefixes_equal(&known->of[i].last, &p->link[i].own6))
			continue;
		known->of[i].past = past_of(&p->link[i].own6, known, i);
		known->of[i].last = p->link[i].own6;
		changed = true;
	}
	return changed;
}

struct addr own_address(const struct link *l, unsigned int i)
{
	struct addr a = { .family = 0 };
	unsigned int k, bit;

	for (k = 0; k < l->own6.n && l->own6.item[k].len > OWN_LEN_MAX; k++)
		;
	if (k == l->own6.n)
		return a;
	a = l->own6.item[k].addr;
	for (bit = l->own6.item[k].len; bit < NETWORK_LEN; bit++)
		a.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	a.bytes[12] = OURS_HIGH;
	a.bytes[13] = OURS_LOW;
	a.bytes[14] = (uint8_t)((i + 1) >> 8);
	a.bytes[15] = (uint8_t)(i + 1);
	return a;
}

bool own_is_ours(const struct addr *a, uint8_t len)
{
	return a->family == AF_INET6 && len == 128 &&
	       !a->bytes[8] && !a->bytes[9] && !a->bytes[10] &&
	       !a->bytes[11] && a->bytes[12] == OURS_HIGH &&
	       a->bytes[13] == OURS_LOW && !a->bytes[14] && a->bytes[15];
}
