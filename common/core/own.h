/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CORE_OWN_H
#define MWAN_CORE_OWN_H

#include <stdbool.h>

#include "conf/conf.h"
#include "conf/state.h"
#include "core/present.h"

/* Which IPv6 prefixes are which link's: those that its provider takes from it.
 * All of it is pure.
 */

/* Complete the links of @p, of which addresses and routes have been read, by
 * what the configuration says and what is remembered (@known; NULL: nothing).
 */
void own_decide(struct present *p, const struct conf *conf,
		const struct prefix6 *known);

/* Add a prefix in the place of those that are a part of it, unless it is a part of
 * one itself. What has no room is left out.
 */
void own_add(struct prefixes *list, const struct prefix *p);

/* Change @known to what there is now. Returns whether that is anything new. */
bool own_remember(struct prefix6 *known, const struct present *p,
		  const struct conf *conf);

/* Is IPv6 any of our business: has any link a prefix, or had it one? */
bool own_any(const struct present *p, const struct conf *conf);

/* One of the prefixes that are known, none of which is in another one. */
struct own {
	struct prefix prefix;
	int link;		/* -1: it was one's, or is the LAN's own alone */
};

/* Unique local addresses, and of each link what it has and what it had. */
enum { OWN_MAX = 1 + 2 * LINKS_MAX * PREFIXES_MAX };

/* Every prefix that is foreign to all links but at most one. A packet from
 * anywhere else is none of our business. Returns how many there are in @list.
 */
unsigned int own_list(const struct present *p, const struct conf *conf,
		      const struct prefix6 *known, struct own list[OWN_MAX]);

/* Our own address of link @i, in the last network of its first prefix that has
 * room for one; family 0: there is none.
 */
struct addr own_address(const struct link *l, unsigned int i);

/* Is this an address that we have given a link? */
bool own_is_ours(const struct addr *a, uint8_t len);

#endif
