/* SPDX-License-Identifier: MIT */
#ifndef MWAN_WATCH_ACT_H
#define MWAN_WATCH_ACT_H

#include <sys/types.h>

#include "core/session.h"
#include "tool/report.h"
#include "watch/probe.h"

/* What to tell about a link once the kernel is as it should be. */
enum act_event {
	ACT_NOTHING,
	ACT_FAILED,		/* it is held out */
	ACT_RECOVERED,
	ACT_AVOIDED,		/* new connections avoid it */
};

struct act_note {
	enum act_event event;
	enum probe_why why;	/* and the line as it was then: */
	int64_t silent, rtt;	/* in microseconds */
	unsigned int unanswered, enough;
	uint32_t loss;		/* of a million */
};

/* Take it down. */
void act_note(struct act_note *n, enum act_event event,
	      const struct probe_line *is);

/* Bring the kernel about, in a process of its own: it may have to wait for the
 * lock, and nothing that it does can harm who watches. It uses the sockets of
 * @s, whose changes are known as ours by their ports.
 */
enum act_outcome {
	ACT_CHANGED,
	ACT_UNCHANGED,
	ACT_BUSY,		/* somebody else has the lock: try again */
	ACT_BAD,		/* and the log says why */
};

/* Begin. Returns the process, or a negative errno. @note has a note of each
 * link of @s's configuration in each family.
 */
pid_t act_begin(struct session *s, const struct report *report,
		struct act_note note[FAMILIES][LINKS_MAX]);

/* The word for a verdict's reason. */
const char *act_why(enum probe_why why);

/* How the act ended, by waitpid(2)'s @status. */
enum act_outcome act_outcome(int status);

#endif
