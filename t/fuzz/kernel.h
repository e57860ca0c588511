/* SPDX-License-Identifier: MIT */
#ifndef MWAN_FUZZ_KERNEL_H
#define MWAN_FUZZ_KERNEL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "kernel/nl.h"

/* A kernel that is not there: with kernel.c the linker's --wrap makes the
 * project's netlink sockets ours. An input is a row of parts, each a struct
 * part and its bytes. A request is answered by the next part that has its
 * message type; a request without one is confirmed, or, where it asks for
 * something, answered with "there is none".
 */
struct part {
	uint16_t type;		/* nlmsg_type of the request, or PART_* */
	uint16_t len;
	uint8_t flags;
	uint8_t error;		/* an errno in the place of the answer */
};

enum part_type {
	PART_CHANGED,		/* what a watching socket hears */
	PART_CONF,		/* the configuration */
	PART_ACCEPTED,		/* the one in force */
	PART_DRAINED,
	PART_ARGUMENTS,		/* a NUL behind each */
	PART_ENVIRONMENT,	/* NAME=VALUE, a NUL behind each */
	PART_HELD,
	PART_GATEWAY,
	PART_PREFIX6,
	PART_TYPES,
};

enum part_flags {
	PART_TRUNCATED = 1,	/* MSG_TRUNC */
	PART_STRANGER = 2,	/* another process sent it */
	PART_UNSENT = 4,	/* the error is sendto()'s */
	PART_DOWN = 8,		/* of arguments: ip-down.local */
	PART_TOLD = 32,		/* of arguments: mwan-rules up or down */
	PART_IPV6 = 64,		/* ... of the hooks of IPv6 */
	PART_EXACT = 16,	/* take the answer's lengths as they are */
};

/* Begin with an input; @data must stay. */
void kernel_begin(const uint8_t *data, size_t size);

/* The next part of a type, or NULL. Its bytes are behind @head. */
const uint8_t *kernel_part(uint16_t type, struct part *head);

/* Sockets that lead there. */
void kernel_open(struct nl *nl);

/* Go to the real kernel, and write all answers to @out as parts. */
void kernel_record(FILE *out);
void kernel_write(FILE *out, uint16_t type, uint8_t flags, const void *data,
		  size_t len);

#endif
