// SPDX-License-Identifier: MIT
#include "core/link.h"

static bool has_gateway(const struct link_family *af)
{
	return !af->needs_gateway || af->gateway.family;
}

/* Everything but the carrier and the gateway. */
static bool is_there(const struct link *l, enum family f)
{
	return l->ifindex && !l->other && l->up && l->af[f].local.family;
}

bool link_usable(const struct link *l, enum family f)
{
	return is_there(l, f) && l->carrier && has_gateway(&l->af[f]);
}

bool link_holds(const struct link *l, enum family f)
{
	return is_there(l, f) && has_gateway(&l->af[f]) &&
	       (l->carrier || (l->shared && l->af[f].skips_linkdown));
}

bool link_lacks_gateway(const struct link *l, enum family f)
{
	return is_there(l, f) && l->carrier && !has_gateway(&l->af[f]);
}

static void judge(struct link *link, unsigned int n, enum family f)
{
	bool others = false;
	unsigned int i;

	for (i = 0; i < n; i++)
		others = others || (!link[i].held && link_usable(&link[i], f));
	for (i = 0; i < n; i++)
		link[i].af[f].held = others && link[i].held;
}

void links_judge(struct link *link, unsigned int n)
{
	judge(link, n, FAMILY_IPV4);
	judge(link, n, FAMILY_IPV6);
}

unsigned int link_rank(const struct conf_link *want, const struct link *is,
		       enum family f)
{
	return is->af[f].held ? RANK_HELD : is->drained ? RANK_DRAINED :
	       want->tier;
}
