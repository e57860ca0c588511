/* SPDX-License-Identifier: MIT */
#ifndef MWAN_BASE_LIMITS_H
#define MWAN_BASE_LIMITS_H

enum {
	/* A nexthop group's weight is one byte (before Linux 6.12), and a link
	 * wants a rule priority and four chains of its own.
	 */
	LINKS_MAX = 255,
};

#endif
