/* SPDX-License-Identifier: MIT */
#ifndef MWAN_REPORT_H
#define MWAN_REPORT_H

#include <stdbool.h>

#include "log.h"

/* sysexits.h's numbers, which pppd and systemd show. */
enum {
	EXIT_FAILED = 1,
	EXIT_USAGE = 64,
	EXIT_BUSY = 75,
	EXIT_CONFIG = 78,
};

/* What a tool says at its end: sentences on stderr, and its line in the log. */
struct report {
	const char *tool;
	long start_us;
	struct log line;
};

/* Make descriptors 0 to 2 usable: a file that is opened later must not take
 * their place and receive what is printed. Begin the clock, and the log line
 * with ts, tool, pid and event.
 */
void report_begin(struct report *r, const char *tool, const char *event);

/* The event has turned out to be another one ("busy", "failed"). Loses what
 * has been added to the line.
 */
void report_event(struct report *r, const char *event);

/* "tool: sentence" on stderr. */
void report_say(const struct report *r, const char *sentence);

/* Complete the line with result and took_us, and write it to @path. A log that
 * cannot be written is said on stderr and nothing else.
 */
void report_end(struct report *r, const char *path, const char *result);

/* Handle --help and --version, which must be the only argument: true when one
 * was there and its text has been printed.
 */
bool report_help(const char *tool, const char *usage, int argc, char **argv);

#endif
