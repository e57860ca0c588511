// SPDX-License-Identifier: MIT
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "nft/sets.h"

enum {
	/* The headers of IP and TCP, without options. */
	IPV4_HEADERS = 20 + 20,
	IPV6_HEADERS = 40 + 20,
	DATA_VERDICT = 0xffffff00,
	/* nft's way to make one number of the types of several keys in a
	 * row.
	 */
	TYPE_BITS = 6,
	TYPE_TUPLE6 = (((TYPE_IPV6 << TYPE_BITS | TYPE_IPV6) << TYPE_BITS |
			TYPE_SERVICE) << TYPE_BITS | TYPE_SERVICE) <<
		      TYPE_BITS | TYPE_PROTOCOL,
	/* Each part fills registers of 4 bytes. */
	LEN_TUPLE6 = 16 + 16 + 4 + 4 + 4,
};

#define HOSTS .flags = NFT_SET_MAP | NFT_SET_TIMEOUT | NFT_SET_EVAL, \
	.data_type = TYPE_CLASS, .data_len = 4, .size = RULESET_STICKY_SIZE
#define NAMED .flags = NFT_SET_INTERVAL | NFT_SET_TIMEOUT, \
	.size = SET_NAMED_SIZE
#define SIZES "typeof iifname : tcp option maxseg size", \
	.flags = NFT_SET_MAP, .key_type = TYPE_IFNAME, .key_len = IFNAMSIZ, \
	.data_type = TYPE_INTEGER, .data_len = 2

static const struct set_shape shapes[SET_KINDS] = {
	[SET_STICKY] = { RULESET_STICKY, .text = "type ipv4_addr : classid",
		HOSTS, .key_type = TYPE_IPV4, .key_len = 4 },
	[SET_STICKY6] = { "sticky6", .text = "type ipv6_addr : classid",
		HOSTS, .key_type = TYPE_IPV6, .key_len = 16 },
	[SET_MSS] = { RULESET_MSS, .text = SIZES, .headers = IPV4_HEADERS },
	[SET_MSS6] = { "mss6", .text = SIZES, .headers = IPV6_HEADERS },
	[SET_OWN6] = { "own6", .of_link = true, .text = "type ipv6_addr",
		.flags = NFT_SET_INTERVAL, .key_type = TYPE_IPV6,
		.key_len = 16 },
	[SET_KNOWN6] = { "known6", .text = "type ipv6_addr",
		.flags = NFT_SET_INTERVAL, .key_type = TYPE_IPV6,
		.key_len = 16 },
	[SET_NATIVE6] = { "native6", .text = "type ipv6_addr : verdict",
		.flags = NFT_SET_MAP | NFT_SET_INTERVAL,
		.key_type = TYPE_IPV6, .key_len = 16,
		.data_type = DATA_VERDICT },
	[SET_MOVED] = { "moved", .text = "type ipv6_addr . ipv6_addr . "
		"inet_service . inet_service . inet_proto",
		.flags = NFT_SET_TIMEOUT | NFT_SET_EVAL,
		.key_type = TYPE_TUPLE6, .key_len = LEN_TUPLE6,
		.size = SET_MOVED_SIZE },
	[SET_MOVED6] = { "moved6", .text = "type ipv6_addr",
		.flags = NFT_SET_TIMEOUT | NFT_SET_EVAL,
		.key_type = TYPE_IPV6, .key_len = 16,
		.size = SET_MOVED_SIZE },
	/* Prefixes, and elements that expire, if who fills them likes. */
	[SET_NAMED] = { "", .text = "type ipv4_addr", NAMED,
		.key_type = TYPE_IPV4, .key_len = 4 },
	[SET_NAMED6] = { "", .text = "type ipv6_addr", NAMED,
		.key_type = TYPE_IPV6, .key_len = 16 },
};

const struct set_shape *set_shape(unsigned int kind)
{
	return &shapes[kind];
}

bool ruleset_has_set_of(const struct ruleset *rs, unsigned int kind)
{
	unsigned int i;

	for (i = 0; i < rs->n_sets; i++)
		if (rs->set[i].kind == kind)
			return true;
	return false;
}

bool set_is_filled(const struct ruleset *rs, unsigned int set)
{
	return set_flags_filled(shapes[rs->set[set].kind].flags);
}

bool set_flags_filled(uint32_t flags)
{
	return !(flags & NFT_SET_TIMEOUT);
}

bool set_is_named(const struct ruleset *rs, unsigned int set)
{
	return rs->set[set].kind == SET_NAMED ||
	       rs->set[set].kind == SET_NAMED6;
}

bool set_is_map(const struct ruleset *rs, unsigned int set)
{
	return shapes[rs->set[set].kind].flags & NFT_SET_MAP;
}

/* --- what they hold --- */

static unsigned int sizes(const struct ruleset *rs, unsigned int headers,
			  const struct table_state *state,
			  struct ruleset_element *content)
{
	unsigned int i, n = 0;

	for (i = 0; i < rs->n_links; i++) {
		struct ruleset_element *e = &content[n];

		if (state->link[i].mtu <= headers)
			continue;
		memset(e, 0, sizeof(*e));
		memcpy(e->name, rs->link[i].name, sizeof(e->name));
		e->last = wide(state->link[i].mtu - headers);
		n++;
	}
	return n;
}

static struct ruleset_element range_of(const struct prefix *p, uint16_t chain)
{
	struct ruleset_element e = { .key = wide_get(p->addr.bytes, 16),
				     .chain = chain };

	e.last = wide_or(e.key, wide_ones(128U - p->len));
	return e;
}

/* Unique local addresses. */
static const struct prefix private6 = {
	{ .family = AF_INET6, .bytes = { 0xfc } }, 7
};

static unsigned int own_of(const struct table_link *l,
			   struct ruleset_element *content)
{
	static const struct prefix all = { { .family = AF_INET6 }, 0 };
	unsigned int i;

	if (!l->own6.n)
		content[0] = range_of(&all, RULESET_NONE);
	for (i = 0; i < l->own6.n; i++)
		content[i] = range_of(&l->own6.item[i], RULESET_NONE);
	return l->own6.n ? l->own6.n : 1;
}

static int by_key(const void *a, const void *b)
{
	const struct ruleset_element *x = a, *y = b;

	return wide_compare(x->key, y->key);
}

/* A prefix comes before one that lies in it. */
static int by_size(const void *a, const void *b)
{
	const struct ruleset_element *x = a, *y = b;
	int order = wide_compare(x->key, y->key);

	return order ? order : wide_compare(y->last, x->last);
}

static unsigned int known(const struct ruleset *rs,
			  const struct table_state *state,
			  struct ruleset_element *content)
{
	unsigned int i, k, n = 0, kept = 0;

	content[n++] = range_of(&private6, RULESET_NONE);
	for (i = 0; i < rs->n_links; i++)
		for (k = 0; k < state->link[i].own6.n; k++)
			content[n++] = range_of(&state->link[i].own6.item[k],
						RULESET_NONE);
	for (i = 0; i < state->n_past; i++)
		content[n++] = range_of(&state->past6[i], RULESET_NONE);
	qsort(content, n, sizeof(*content), by_size);
	for (i = 0; i < n; i++)
		if (!kept || wide_compare(content[i].key,
					  content[kept - 1].last) > 0)
			content[kept++] = content[i];
	return kept;
}

/* If two links have the same addresses, the first link gets them. */
static unsigned int native(const struct ruleset *rs,
			   const struct table_state *state,
			   struct ruleset_element *content)
{
	unsigned int i, k, m, n = 0;

	for (i = 0; i < rs->n_links; i++)
		for (k = 0; k < state->link[i].own6.n; k++) {
			struct ruleset_element e =
				range_of(&state->link[i].own6.item[k],
					 rs->link[i].to);

			for (m = 0; m < n; m++)
				if (wide_compare(e.key, content[m].last) <= 0 &&
				    wide_compare(content[m].key, e.last) <= 0)
					break;
			if (m == n)
				content[n++] = e;
		}
	qsort(content, n, sizeof(*content), by_key);
	return n;
}

unsigned int set_content(const struct ruleset *rs, unsigned int set,
			 const struct table_state *state,
			 struct ruleset_element content[SET_CONTENT_MAX])
{
	const struct set_shape *k = &shapes[rs->set[set].kind];

	switch (rs->set[set].kind) {
	case SET_MSS:
	case SET_MSS6:
		return sizes(rs, k->headers, state, content);
	case SET_OWN6:
		return own_of(&state->link[rs->set[set].link], content);
	case SET_KNOWN6:
		return known(rs, state, content);
	case SET_NATIVE6:
		return native(rs, state, content);
	}
	return 0;
}

/* --- what is wanted --- */

static int by_prefix(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;
	int order = memcmp(x->addr.bytes, y->addr.bytes, 16);

	return order ? order : x->len - y->len;
}

/* Sort in ascending order and drop any that lies in another: it comes right
 * after that one.
 */
static void order(struct prefixes *p)
{
	unsigned int i, n = 0;

	qsort(p->item, p->n, sizeof(p->item[0]), by_prefix);
	for (i = 0; i < p->n; i++)
		if (!n || !prefix_covers(&p->item[n - 1], &p->item[i]))
			p->item[n++] = p->item[i];
	p->n = n;
	/* All there is: as if nothing were known. */
	if (n && !p->item[0].len)
		p->n = 0;
}

bool table_state_has6(const struct ruleset *rs, const struct table_state *state,
		      const struct prefix *p)
{
	unsigned int i, k;

	if (prefix_covers(&private6, p))
		return true;
	for (i = 0; i < rs->n_links; i++)
		for (k = 0; k < state->link[i].own6.n; k++)
			if (prefix_covers(&state->link[i].own6.item[k], p))
				return true;
	return false;
}

/* The same order, and without what a link has. */
static void order_past(const struct ruleset *rs, struct table_state *s)
{
	unsigned int i, n = 0;

	qsort(s->past6, s->n_past, sizeof(s->past6[0]), by_prefix);
	for (i = 0; i < s->n_past; i++)
		if (!table_state_has6(rs, s, &s->past6[i]) &&
		    (!n || !prefix_covers(&s->past6[n - 1], &s->past6[i])))
			s->past6[n++] = s->past6[i];
	s->n_past = n;
}

void table_state_complete(const struct ruleset *rs, struct table_state *want,
			  const struct table_state *is)
{
	unsigned int i;

	for (i = 0; i < rs->n_links; i++) {
		struct table_link *l = &want->link[i];

		if (!l->mtu)
			l->mtu = is->link[i].mtu;
		if (l->mtu > MTU_MAX)
			l->mtu = MTU_MAX;
		order(&l->own6);
	}
	order_past(rs, want);
}

static bool same_past(const struct table_state *a, const struct table_state *b)
{
	unsigned int i;

	for (i = 0; i < a->n_past && i < b->n_past; i++)
		if (!prefix_equal(&a->past6[i], &b->past6[i]))
			return false;
	return a->n_past == b->n_past;
}

bool table_state_equal(const struct ruleset *rs, const struct table_state *a,
		       const struct table_state *b)
{
	bool mss = ruleset_has_set_of(rs, SET_MSS);
	bool own = ruleset_has_set_of(rs, SET_OWN6);
	unsigned int i;

	for (i = 0; i < rs->n_links; i++)
		if ((mss && a->link[i].mtu != b->link[i].mtu) ||
		    (own && !prefixes_equal(&a->link[i].own6,
					    &b->link[i].own6)))
			return false;
	return !own || same_past(a, b);
}
