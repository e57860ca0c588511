/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_PPP_H
#define MWAN_TOOL_PPP_H

#include <net/if.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"

/* What pppd told its hook. The strings are numbers, or "", and point into the
 * environment. PEERNAME, ACNAME and the like are chosen by the remote side, any
 * bytes but NUL, and are not even read.
 */
struct ppp_event {
	bool up;
	char ifname[IFNAMSIZ];
	struct addr local;	/* family 0: not said */
	struct addr peer;
	const char *connect_time;	/* seconds */
	const char *sent;		/* bytes */
	const char *received;
};

/* Read pppd's arguments (ifname tty speed local remote [ipparam], pppd(8),
 * SCRIPTS) where there are any, else IFNAME, IPLOCAL and IPREMOTE. An ip-up
 * needs the interface and the local address, an ip-down the interface: after
 * the interface is gone, pppd itself may not know more. Returns 0 or -EINVAL
 * with a sentence that quotes what is wrong.
 */
int ppp_event_read(struct ppp_event *e, bool up, int argc, char **argv,
		   struct err *err);

#endif
