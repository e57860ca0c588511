/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CONF_WATCH_H
#define MWAN_CONF_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

/* The ways in which mwan-rules watch finds out whether a link leads
 * anywhere.
 */
enum {
	WATCH_TARGETS = 8,
	/* Addresses with blanks between them. */
	WATCH_TARGETS_TEXT = WATCH_TARGETS * ADDR_TEXT,
	WATCH_PROBE_TEXT = 16,
};

enum watch_probe_kind {
	WATCH_ICMP,
	WATCH_DNS,		/* a question for the root's name servers */
	WATCH_TCP,		/* a connection that is refused or not begun */
	WATCH_ARP,		/* the gateway's hardware address, in either
				 * family; where there is none it is ICMP */
	WATCH_NONE,		/* this link is not watched */
};

struct watch_probe {
	enum watch_probe_kind kind;
	uint16_t port;		/* of WATCH_TCP */
};

struct watch_targets {
	unsigned int n;
	struct addr addr[WATCH_TARGETS];
};

struct watch_conf {
	uint32_t detect, recover, interval;	/* milliseconds */
	uint32_t latency;	/* ... above which the link is poor; 0: none */
	uint8_t loss;		/* per cent from which it is; 0: none */
	struct watch_probe probe;
	struct watch_targets targets;	/* of both families */
};

/* Read and write the keys' values. The first two return 0, or -EINVAL with a
 * sentence.
 */
int watch_probe_parse(const char *text, struct watch_probe *p,
		      struct err *err);
int watch_targets_parse(const char *text, struct watch_targets *t,
			struct err *err);

/* The targets of one family, or anycast resolvers of three operators if none
 * are given. Returns whether these were given.
 */
bool watch_targets_of(const struct watch_targets *given, enum family f,
		      struct watch_targets *t);

const char *watch_probe_text(const struct watch_probe *p,
			     char text[WATCH_PROBE_TEXT]);
const char *watch_targets_text(const struct watch_targets *t,
			       char text[WATCH_TARGETS_TEXT]);

#endif
