/* SPDX-License-Identifier: MIT */
#ifndef MWAN_COPY_COPY_H
#define MWAN_COPY_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kernel/nl.h"

enum {
	/* How often a copy is made again because the source has changed. */
	COPY_ROUNDS = 3,
	/* The kernel has some forty sentences for a refused route. */
	COPY_REASONS = 64,
	COPY_REASON_LEN = 128,
};

/* Messages (rtmsg.h) one behind the other in one piece of heap. */
struct messages {
	char *data;
	size_t len;
	size_t size;
};

enum copy_state {
	COPY_TODO,
	COPY_DONE,
	COPY_REFUSED,
};

/* One change of the target table. */
struct copy_op {
	size_t at;		/* its message in source or extra */
	uint16_t type;		/* RTM_NEWROUTE, RTM_DELROUTE */
	uint16_t flags;		/* NLM_F_* */
	bool extra;
	bool head;		/* first of a group of steps */
	uint8_t state;
	uint8_t reason;		/* of a refusal */
};

struct copy_ops {
	struct copy_op *op;
	size_t n;
	size_t size;
};

/* The order in which the difference is applied: routes without a gateway, so
 * that the gateways of the others can be reached; the others; prefixes with
 * several routes that need more than one step; what has to go.
 */
enum copy_phase {
	PHASE_LINK,
	PHASE_GATEWAY,
	PHASE_STEPS,
	PHASE_DELETE,
	PHASES,
};

struct copy_counts {
	size_t routes;		/* in the source, without its defaults */
	size_t added;
	size_t replaced;
	size_t deleted;
	size_t refused;
	unsigned int rounds;
};

/* Makes one table equal to another. Its heap is the source (about 64 bytes an
 * IPv4 route), 16 bytes a change, and the routes that have to go.
 */
struct copy {
	uint32_t src;
	uint32_t dst;
	bool flush;		/* the target's default routes go too */
	bool exists;		/* a new route was refused as being there */
	unsigned int revealed;	/* after which round legs were taken away */
	struct copy_counts count;
	struct messages source;
	struct messages extra;
	struct messages refused;	/* nlmsg_seq: index into reason */
	struct copy_ops phase[PHASES];
	unsigned int n_reasons;
	int code[COPY_REASONS];
	char reason[COPY_REASONS][COPY_REASON_LEN];
};

void copy_init(struct copy *c, uint32_t src, uint32_t dst, bool flush);
void copy_release(struct copy *c);

/* Read both tables and find the difference; writes nothing. Returns 0, -ENOENT
 * when the source does not exist (an existing, empty one empties the target),
 * or another negative errno.
 */
int copy_plan(struct copy *c, struct nl *nl, struct err *err);

/* Call @cb with each change of the plan in order, as a message that the kernel
 * takes. Returns what @cb does, if not 0, at once.
 */
typedef int (*copy_op_cb)(const struct nlmsghdr *nlh, void *data);
int copy_each(const struct copy *c, copy_op_cb cb, void *data);

/* Make the target equal to the source: plan, apply, read both tables again, and
 * go round again where they differ. Nothing is written when they are equal.
 * SIGTERM, SIGINT and SIGHUP wait while a prefix has something that is not to
 * stay. Returns 0 also when the kernel refused routes (count.refused); -EBUSY
 * when a table kept changing for COPY_ROUNDS; -EPERM without CAP_NET_ADMIN; or
 * another negative errno.
 */
int copy_run(struct copy *c, struct nl *nl, struct err *err);

/* The first refused change (@after NULL) or the one after @after, with the
 * kernel's reason; NULL after the last.
 */
const struct nlmsghdr *copy_refused(const struct copy *c,
				    const struct nlmsghdr *after,
				    const char **why);

#endif
