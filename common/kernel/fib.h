/* SPDX-License-Identifier: MIT */
#ifndef MWAN_KERNEL_FIB_H
#define MWAN_KERNEL_FIB_H

#include <stdint.h>

#include "base/addr.h"
#include "kernel/nl.h"

/* A packet, as far as routing looks at it; ports in host order. */
struct fib_packet {
	struct addr source;	/* family 0: none yet */
	struct addr destination;
	uint32_t iif;		/* 0: the router's own */
	uint32_t mark;
	uint8_t protocol;	/* 0: not known, nor are the ports */
	uint16_t source_port, destination_port;
};

/* The kernel's answer. */
struct fib {
	int code;		/* a negative errno: it refuses the packet */
	uint32_t ifindex;	/* that it leaves by */
	uint8_t type;		/* RTN_UNICAST, RTN_LOCAL ... */
	/* The source that the router's own packet gets if it has none; family
	 * 0: not told.
	 */
	struct addr source;
	/* The route that was found. */
	uint32_t table;
	uint8_t prefix_len;
};

/* Ask the kernel for its routing decision: all rules of whomever, and the
 * choice among the members of a group. Returns 0, also when the decision is to
 * refuse, or a negative errno of the asking.
 */
int fib_ask(struct nl *nl, const struct fib_packet *p, struct fib *fib,
	    struct err *err);

#endif
