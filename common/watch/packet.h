/* SPDX-License-Identifier: MIT */
#ifndef MWAN_WATCH_PACKET_H
#define MWAN_WATCH_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "conf/watch.h"

/* The questions of mwan-rules watch as packets, and what comes in as answers.
 * Pure: everything that comes from the network is read here, and fuzzed.
 */
enum {
	/* The longest question. */
	PACKET_SIZE = 64,
	/* The part of an answer that is read: headers, and no more. */
	PACKET_READ = 256,
};

/* A question's sign of recognition; random, the same for all of a process. */
struct packet_key {
	uint16_t id;
	uint16_t secret;
	uint64_t cookie;	/* goes along where there is room */
};

/* What the kernel puts before an answer, and what it has changed in it. */
enum packet_form {
	PACKET_IP,		/* an IPv4 header: raw sockets */
	PACKET_IP6,		/* nothing: raw sockets of IPv6 */
	PACKET_BARE,		/* nothing, and an echo has an id of the kernel's */
	PACKET_BARE6,
};

/* How one link asks. */
struct packet_way {
	struct watch_probe how;
	enum packet_form form;
	struct addr local;	/* its family is the questions' */
	uint8_t mac[6];		/* of the interface: ARP tells who asks */
};

enum packet_says {
	PACKET_FOREIGN,		/* nothing of ours */
	PACKET_ANSWER,
	PACKET_REFUSAL,		/* a router on the way has sent it back */
};

/* What came in: from whom (PACKET_IP), or whom the refused question was sent
 * to, and which question.
 */
struct packet_reply {
	struct addr target;	/* family 0: the socket knows */
	uint16_t seq;
	bool any;		/* seq is not told: ARP has no such thing */
};

/* Write question @seq to @target. Returns the length; the IP header is the
 * kernel's, and so is the checksum of ICMPv6, and of TCP by IPv6.
 */
size_t packet_write(const struct packet_way *way, const struct packet_key *key,
		    uint16_t seq, const struct addr *target,
		    uint8_t buf[PACKET_SIZE]);

/* Read what came in, whatever it is. */
enum packet_says packet_read(const struct packet_way *way,
			     const struct packet_key *key, const uint8_t *buf,
			     size_t len, struct packet_reply *reply);

/* The source port of TCP questions: above what the kernel gives to sockets. */
uint16_t packet_port(const struct packet_key *key);

#endif
