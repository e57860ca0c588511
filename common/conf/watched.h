/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CONF_WATCHED_H
#define MWAN_CONF_WATCHED_H

#include <stdint.h>

#include "base/lock.h"
#include "conf/conf.h"

#define WATCHED_PATH RUN_DIR "/watched"

/* The state of a link that mwan-rules watch writes to a file every second, for
 * mwan-rules status. No hook reads it.
 */
enum watched_verdict {
	WATCHED_NOT,		/* nobody watches it, or it is down */
	WATCHED_FINE,
	WATCHED_POOR,		/* new connections avoid it */
	WATCHED_HELD,
};

enum { WATCHED_WHY = 16 };

struct watched {
	enum watched_verdict verdict;
	uint32_t loss;		/* of a million questions */
	char why[WATCHED_WHY];	/* a word, of the log too */
	uint64_t since;		/* of the verdict, in seconds of the epoch; 0:
				 * since the begin */
	uint64_t rtt;		/* microseconds; 0: not known */
	uint64_t answer;	/* the last one, in milliseconds of
				 * CLOCK_BOOTTIME; 0: never */
	struct addr target;	/* whose that was */
	uint64_t questions, replies, verdicts;
};

/* Write it, for @seconds from now on, in one step. Returns 0 or a negative errno
 * with a sentence.
 */
int watched_write(const struct conf *conf,
		  struct watched w[FAMILIES][LINKS_MAX], unsigned int seconds,
		  struct err *err);

/* Read it for @conf's links. A link that is missing, expired or odd counts as
 * not watched. Returns whether anybody watches.
 */
bool watched_read(const struct conf *conf,
		  struct watched w[FAMILIES][LINKS_MAX]);

/* The age of the last answer, in milliseconds. */
uint64_t watched_age(const struct watched *w);

/* Nobody watches any more. */
void watched_drop(void);

#endif
