/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_WHY_ASK_H
#define MWAN_TELL_WHY_ASK_H

#include "base/err.h"
#include "conf/conf.h"
#include "core/present.h"
#include "kernel/nl.h"
#include "nft/table.h"
#include "tell/why.h"

/* Ask the kernel what becomes of @why->packet; @present is what else it has.
 * Nothing is changed. @nfnl is a NETLINK_NETFILTER socket, which needs root.
 * Returns 0 or a negative errno with a sentence.
 */
int ask_why(struct why *why, const struct conf *conf,
	    const struct ruleset *rs, const struct present *present,
	    struct nl *rtnl, struct nl *nfnl, struct err *err);

#endif
