/* SPDX-License-Identifier: MIT */
#ifndef MWAN_KERNEL_NEXTHOP_H
#define MWAN_KERNEL_NEXTHOP_H

#include <stdbool.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/limits.h"
#include "kernel/nl.h"

struct nexthop_member {
	uint32_t id;
	uint8_t weight;		/* 1 to 255 */
};

/* A nexthop object (Linux 5.3): a device, perhaps with a gateway behind it, or
 * a group of such.
 */
struct nexthop {
	uint32_t id;
	uint8_t protocol;
	uint8_t family;		/* of a device; AF_UNSPEC for a group */
	uint32_t ifindex;	/* 0: a group */
	struct addr gateway;	/* family 0: none */
	/* The gateway is on the link, whatever the device's addresses say. */
	bool onlink;
	unsigned int n_members;	/* at most LINKS_MAX ... */
	bool more;		/* ... of a group that has more: not ours */
	const struct nexthop_member *member;	/* not owned */
};

/* The members of @nh are the callee's only until it returns. */
typedef int (*nexthop_cb)(const struct nexthop *nh, void *data);

/* Read every nexthop object. Errors of nl_dump(). */
int nexthop_dump(struct nl *nl, nexthop_cb cb, void *data, struct err *err);

/* Ask for the object @id alone; one that does not exist is not told, and no
 * error. For when all of them cannot be read: a group of more than 4,000
 * members does not fit the kernel's buffer and ends a dump (EMSGSIZE).
 */
int nexthop_get(struct nl *nl, uint32_t id, nexthop_cb cb, void *data,
		struct err *err);

/* Encode "make or change this object", or "delete the object @id". Return 0 or
 * -ENOSPC when the batch is full.
 */
int nexthop_put_set(struct nl_batch *b, struct nl *nl,
		    const struct nexthop *nh);
int nexthop_put_del(struct nl_batch *b, struct nl *nl, uint32_t id);

bool nexthop_equal(const struct nexthop *a, const struct nexthop *b);

/* Print the command that makes or changes it, on the interface @dev. */
void nexthop_print(const struct nexthop *nh, const char *dev, FILE *out);
void nexthop_print_del(uint32_t id, FILE *out);

#endif
