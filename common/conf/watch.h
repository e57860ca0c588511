/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CONF_WATCH_H
#define MWAN_CONF_WATCH_H

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

/* Anycast resolvers of three operators. */
#define WATCH_TARGETS_USUAL "1.1.1.1 8.8.8.8 9.9.9.9"

enum watch_probe_kind {
	WATCH_ICMP,
	WATCH_DNS,		/* a question for the root's name servers */
	WATCH_TCP,		/* a connection that is refused or not begun */
	WATCH_NONE,		/* this link is not watched */
};

struct watch_probe {
	enum watch_probe_kind kind;
	uint16_t port;		/* of WATCH_TCP */
};

struct watch_targets {
	unsigned int n;		/* 0: WATCH_TARGETS_USUAL */
	struct addr addr[WATCH_TARGETS];
};

struct watch_conf {
	uint32_t detect, recover, interval;	/* milliseconds */
	uint32_t latency;	/* ... above which the link is poor; 0: none */
	uint8_t loss;		/* per cent from which it is; 0: none */
	struct watch_probe probe;
	struct watch_targets targets;
};

/* Read and write the keys' values. The first two return 0, or -EINVAL with a
 * sentence.
 */
int watch_probe_parse(const char *text, struct watch_probe *p,
		      struct err *err);
int watch_targets_parse(const char *text, struct watch_targets *t,
			struct err *err);
const char *watch_probe_text(const struct watch_probe *p,
			     char text[WATCH_PROBE_TEXT]);
const char *watch_targets_text(const struct watch_targets *t,
			       char text[WATCH_TARGETS_TEXT]);

#endif
