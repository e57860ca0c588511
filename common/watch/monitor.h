/* SPDX-License-Identifier: MIT */
#ifndef MWAN_WATCH_MONITOR_H
#define MWAN_WATCH_MONITOR_H

#include "base/err.h"
#include "conf/conf.h"
#include "core/link.h"
#include "kernel/nl.h"

/* Hears when something in the kernel changes that may be ours. A filter in the
 * kernel drops everything else: a full BGP table that comes and goes wakes
 * nobody.
 */
struct monitor {
	struct nl rtnl, nfnl;
};

enum monitor_heard {
	MONITOR_NOTHING = 0,
	MONITOR_LINKS = 1,	/* an interface or address of a link's */
	MONITOR_GONE = 2,	/* a route of ours, a rule or a nexthop */
	MONITOR_NFT = 4,	/* any transaction of nftables */
};

enum { MONITOR_PORTS = 3 };

/* What counts as ours: interfaces, by @conf's names and @link's indices, and
 * the sockets whose changes are our own.
 */
struct monitor_ours {
	const struct conf *conf;
	const struct link *link;
	unsigned int port[MONITOR_PORTS];
};

int monitor_open(struct monitor *m, struct err *err);
int monitor_fd(const struct nl *nl);

/* Read all that there is. When messages were lost, everything may have changed.
 * Returns a sum of the above.
 */
unsigned int monitor_hear(struct monitor *m, const struct monitor_ours *ours);

#endif
