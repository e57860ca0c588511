/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CORE_WAY_H
#define MWAN_CORE_WAY_H

#include "conf/conf.h"
#include "core/present.h"

/* Who carries packets. Pure, like the plan. */
struct way {
	unsigned int n;
	uint8_t by[LINKS_MAX];		/* links of the configuration ... */
	const struct route *other;	/* ... or a route that leads elsewhere */
};

/* The default of @table that counts: of the lowest metric the first. NULL: it
 * has none.
 */
const struct route *way_default(const struct present *p, enum family f,
				uint32_t table);

/* The target of a route: links, directly or by its nexthop object, something
 * else, or nothing.
 */
void way_of_route(struct way *w, const struct conf *conf,
		  const struct present *p, const struct route *r);

/* What carries the packets with the mark of link @i at present: its own table,
 * or, where no rule leads there, as the link is held, the standby. Returns false
 * when neither has a default, and the packets go on to main.
 */
bool way_of_link(struct way *w, const struct conf *conf,
		 const struct present *p, enum family f, unsigned int i);

/* The same by what is wanted, for after a plan is carried out. @i: -1: what
 * carries the packets of links that cannot.
 */
void way_wanted(struct way *w, const struct conf *conf,
		const struct present *p, enum family f, int i);

#endif
