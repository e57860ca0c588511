/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CORE_LINK_H
#define MWAN_CORE_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "conf/conf.h"
#include "kernel/qdisc.h"

/* What a link has of one address family. */
struct link_family {
	/* The one with a peer, which is pppd's, or the first; family 0: no
	 * address of a wider scope than the link.
	 */
	struct addr local;
	struct addr peer;
	bool narrow;		/* there is one of scope link or narrower */
};

/* What there is of conf->link[i]: a line, not its interface alone. */
struct link {
	uint32_t ifindex;	/* 0: no such interface */
	bool up, carrier;
	bool other;		/* pppd says: not the link's session */
	bool drained;		/* put aside by mwan-rules drain */
	struct link_family af[FAMILIES];
	int rp_filter;
	struct qdisc qdisc;	/* only of an interface that is up */
};

/* Can the link be used for this family: it exists, is its own session's, is up,
 * has carrier and an address?
 */
bool link_usable(const struct link *l, enum family f);

/* The order in which links are used: by tier, and links that are put aside
 * after all others. Also the metric of the route to the group of that rank.
 */
enum { RANK_DRAINED = TIER_MAX + 1, RANKS };
unsigned int link_rank(const struct conf_link *want, const struct link *is);

#endif
