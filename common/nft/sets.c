// SPDX-License-Identifier: MIT
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "base/util.h"
#include "nft/sets.h"

enum {
	IPV4_HEADERS = 20 + 20,		/* of IP and TCP, without options */
};

static const struct set_shape shapes[SET_KINDS] = {
	[SET_STICKY] = { RULESET_STICKY, "type ipv4_addr : classid",
		.flags = NFT_SET_MAP | NFT_SET_TIMEOUT | NFT_SET_EVAL,
		.key_type = TYPE_IPV4, .key_len = 4,
		.data_type = TYPE_CLASS, .data_len = 4,
		.size = RULESET_STICKY_SIZE },
	[SET_MSS] = { RULESET_MSS, "typeof iifname : tcp option maxseg size",
		.flags = NFT_SET_MAP, .key_type = TYPE_IFNAME,
		.key_len = IFNAMSIZ, .data_type = TYPE_INTEGER,
		.data_len = 2, .headers = IPV4_HEADERS },
};

const struct set_shape *set_shape(unsigned int kind)
{
	return &shapes[kind];
}

bool set_is_filled(const struct ruleset *rs, unsigned int set)
{
	return !(shapes[rs->set[set].kind].flags & NFT_SET_EVAL);
}

unsigned int set_content(const struct ruleset *rs, unsigned int set,
			 const struct table_state *state,
			 struct ruleset_element content[SET_CONTENT_MAX])
{
	const struct set_shape *k = &shapes[rs->set[set].kind];
	unsigned int i, n = 0;

	for (i = 0; i < rs->n_links && k->headers; i++) {
		struct ruleset_element *e = &content[n];

		if (state->link[i].mtu <= k->headers)
			continue;
		memset(e, 0, sizeof(*e));
		memcpy(e->name, rs->link[i].name, sizeof(e->name));
		e->last = wide(state->link[i].mtu - k->headers);
		n++;
	}
	return n;
}

bool ruleset_has_set_of(const struct ruleset *rs, unsigned int kind)
{
	unsigned int i;

	for (i = 0; i < rs->n_sets; i++)
		if (rs->set[i].kind == kind)
			return true;
	return false;
}

void table_state_merge(const struct ruleset *rs, struct table_state *want,
		       const struct table_state *is)
{
	unsigned int i;

	for (i = 0; i < rs->n_links; i++) {
		struct table_link *l = &want->link[i];

		if (!l->mtu)
			l->mtu = is->link[i].mtu;
		if (l->mtu > MTU_MAX)
			l->mtu = MTU_MAX;
	}
}

bool table_state_equal(const struct ruleset *rs, const struct table_state *a,
		       const struct table_state *b)
{
	bool mss = ruleset_has_set_of(rs, SET_MSS);
	unsigned int i;

	for (i = 0; i < rs->n_links; i++)
		if (mss && a->link[i].mtu != b->link[i].mtu)
			return false;
	return true;
}
