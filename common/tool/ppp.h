/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_PPP_H
#define MWAN_TOOL_PPP_H

#include <net/if.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/err.h"
#include "conf/state.h"

/* The event that pppd told its hook, or another caller mwan-rules. The strings
 * are numbers, or "", and point into the environment. PEERNAME, ACNAME and the
 * like are chosen by the remote side, any bytes but NUL, and are not even read.
 */
struct ppp_event {
	bool up;
	char ifname[IFNAMSIZ];
	enum family family;	/* what came up or ended: IPCP or IPV6CP */
	struct addr local;	/* family 0: not said */
	struct addr peer;
	struct addr gateway;	/* never pppd's */
	struct addr resolver[RESOLVERS];	/* family 0: none was told */
	const char *connect_time;	/* seconds */
	const char *sent;		/* bytes */
	const char *received;
};

/* Read pppd's arguments (ifname tty speed local remote [ipparam], pppd(8),
 * SCRIPTS) where there are any, else IFNAME and IPLOCAL and IPREMOTE, or
 * LLLOCAL and LLREMOTE in a hook of IPv6. Arguments tell by themselves which
 * family they are of: pppd writes the link-local addresses without "::". An
 * ip-up needs the interface and the local address, an ip-down the interface:
 * after the interface is gone, pppd itself may not know more. With usepeerdns
 * it knows DNS1 and DNS2; what is no address of a host there counts as not
 * told. Returns 0 or -EINVAL with a sentence that quotes what is wrong.
 */
int ppp_event_read(struct ppp_event *e, bool up, int argc, char **argv,
		   struct err *err);

/* Read what another caller says: LINK [ADDRESS [GATEWAY]], @n words from 1 to
 * 3. The gateway is of the address's family. Returns 0, or -EINVAL with a
 * sentence.
 */
int ppp_event_told(struct ppp_event *e, bool up, int n, char **word,
		   struct err *err);

#endif
