/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_PEERS_H
#define MWAN_TELL_PEERS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/pppd.h"

/* What a file in /etc/ppp/peers tells pppd of a line, as far as it concerns
 * us. The passwords and all else in it are not kept.
 */
struct peer {
	char ifname[IFNAMSIZ];		/* "": pppd takes the next free one */
	char port[IFNAMSIZ];		/* Ethernet; "": not known */
	char linkname[PPPD_LINKNAME];	/* "": none */
	bool pppoe;
	bool default_route;
	bool persist, for_ever;		/* "maxfail 0" */
	bool echo;			/* both of lcp-echo-... */
	bool demand;
	bool ipv6;
	bool interval, failure;		/* of echo, while it is read */
	char called[256];		/* other files of peers: "a b" */
};

/* Read @path and what it includes, behind /etc/ppp/options. Returns 0 or a
 * negative errno.
 */
int peer_read(struct peer *p, const char *path);

#endif
