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

/* Add a prefix in the place of those that are a part of it, unless it is a part
 * of one itself. Prefixes beyond the room are left out.
 */
void own_add(struct prefixes *list, const struct prefix *p);

/* Change @known to what there is now. Returns whether that is anything new. */
bool own_remember(struct prefix6 *known, const struct present *p,
		  const struct conf *conf);

/* Is IPv6 any of our business: has any link a prefix, or had it one? */
bool own_any(const struct present *p, const struct conf *conf);

/* Our own address of link @i, in the last network of its first prefix that has
 * room for one; family 0 if none has.
 */
struct addr own_address(const struct link *l, unsigned int i);

/* Is this an address that we have given a link? */
bool own_is_ours(const struct addr *a, uint8_t len);

#endif
