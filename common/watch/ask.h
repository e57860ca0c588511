/* SPDX-License-Identifier: MIT */
#ifndef MWAN_WATCH_ASK_H
#define MWAN_WATCH_ASK_H

#include "base/err.h"
#include "watch/packet.h"

/* The socket that asks by one link, in one family. Its packets leave by that
 * link, with that link's address, whatever rules and marks say.
 */
struct ask {
	int fd;			/* -1 if there is none */
	uint32_t ifindex;	/* ... of this interface and address */
	struct packet_way way;
};

/* Open it for @dev and the address @local, or keep the one that there is for the
 * same. A process without CAP_NET_RAW uses a ping socket, if
 * net.ipv4.ping_group_range allows it. Returns 0 or a negative errno with a
 * sentence.
 */
int ask_open(struct ask *a, const char *dev, uint32_t ifindex,
	     const struct addr *local, const struct watch_probe *how,
	     struct err *err);
void ask_close(struct ask *a);

/* Send question @seq to @target. Returns 0 or a negative errno: it has not left
 * this machine.
 */
int ask_send(const struct ask *a, const struct packet_key *key, uint16_t seq,
	     const struct addr *target);

/* Read one packet that has come in. Returns false when there is none. */
bool ask_read(const struct ask *a, const struct packet_key *key,
	      enum packet_says *says, struct packet_reply *reply);

#endif
