/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CORE_APPLY_H
#define MWAN_CORE_APPLY_H

#include "core/plan.h"
#include "kernel/nl.h"

/* What became of a plan. */
struct apply_result {
	unsigned int done;	/* what changed something */
	unsigned int failed;
	unsigned int failed_queues;	/* of those: the way is right, only
					 * the queue before it is not */
	int code;		/* of the first failure, a negative errno */
	struct err first;	/* its sentence */
};

/* Has nothing failed but queues? The way of every packet is right then. */
bool apply_only_queues(const struct apply_result *r);

/* Carry out the operations in their order. A refused one does not keep the
 * others from being tried: a kernel without sfq still gets its routes. @nfnl is
 * needed for nftables and conntrack only.
 */
void apply_plan(const struct plan *plan, struct nl *rtnl, struct nl *nfnl,
		const struct present *present, struct apply_result *result);

#endif
