// SPDX-License-Identifier: MIT
#include "core/link.h"

bool link_usable(const struct link *l, enum family f)
{
	return l->ifindex && !l->other && l->up && l->carrier &&
	       l->af[f].local.family;
}

unsigned int link_rank(const struct conf_link *want, const struct link *is)
{
	return is->drained ? RANK_DRAINED : want->tier;
}
