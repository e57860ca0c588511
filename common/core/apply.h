/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CORE_APPLY_H
#define MWAN_CORE_APPLY_H

#include "core/plan.h"
#include "kernel/nl.h"

enum {
	/* An address and a mark for each link, the address of the event, and
	 * what masquerading has missed.
	 */
	APPLY_LATER_MAX = 2 * LINKS_MAX + 2,
};

/* The result of carrying out a plan. */
struct apply_result {
	unsigned int done;	/* what changed something */
	unsigned int failed;
	unsigned int failed_queues;	/* of those: the way is right, only
					 * the queue before it is not */
	int code;		/* of the first failure, a negative errno */
	struct err first;	/* its sentence */
};

/* Deletions of conntrack entries, which wait until the lock is released: with
 * many entries they take seconds, and another link's hook gives up after
 * LOCK_WAIT_MS.
 */
struct apply_later {
	unsigned int n;
	unsigned int kept;	/* rules that remember them in the kernel */
	struct {
		struct op op;
		bool done;
	} item[APPLY_LATER_MAX];
};

/* Has nothing failed but queues? The way of every packet is right then. */
bool apply_only_queues(const struct apply_result *r);

/* Carry out the operations in their order. A refused one does not keep the
 * others from being tried: a kernel without sfq still gets its routes. @nfnl is
 * needed for nftables only. Conntrack deletions are added to @later, and the
 * rules that remember them stay, unless @later has them as done.
 */
void apply_plan(const struct plan *plan, struct nl *rtnl, struct nl *nfnl,
		const struct present *present, struct apply_later *later,
		struct apply_result *result);

/* Is there a deletion that has not been carried out? */
bool apply_waits(const struct apply_later *later);

/* Carry out what waits in @later, without the lock. Adds to @result, and names
 * in @ended (@size bytes, commas between) the links whose flows were ended.
 * Returns 0 or the negative errno of the first failure, with its sentence in
 * @err.
 */
int apply_later(struct apply_later *later, const struct plan *plan,
		struct present *present, struct nl *nfnl,
		struct apply_result *result, char *ended, size_t size,
		struct err *err);

#endif
