/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_REPORT_H
#define MWAN_TOOL_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

/* sysexits.h's numbers, which pppd and systemd show. */
enum {
	EXIT_FAILED = 1,
	EXIT_USAGE = 64,
	EXIT_BUSY = 75,
	EXIT_CONFIG = 78,
};

/* A tool's report at its end: sentences on stderr, and its line in the log. */
struct report {
	const char *tool;
	int64_t start_us;
	struct log line;
};

/* Begin the clock, and the log line with ts, tool, pid and event. Forget what
 * the caller left this process with: clear the environment, fill descriptors 0
 * to 2, so that no file opened later receives what is printed, and make a pipe
 * without a reader or a full quota (setrlimit(2), RLIMIT_FSIZE) an error, not a
 * death.
 */
void report_begin(struct report *r, const char *tool, const char *event);

/* Restart the clock, in a process that runs for long. */
void report_restart(struct report *r);

/* Ask the kernel to give this program's tables of zeros (.bss) in pages, not in
 * huge ones, before anything has touched them. If transparent huge pages are
 * "always" given, as in Debian's kernel, the first touch would zero 2 MB.
 */
void report_small_pages(void);

/* The event has turned out to be another one ("busy", "failed"). Loses what
 * has been added to the line.
 */
void report_event(struct report *r, const char *event);

/* "tool: sentence" on stderr, what is not printable ASCII as \xNN: it may quote
 * what somebody else has chosen.
 */
void report_say(const struct report *r, const char *sentence);

/* Say a sentence, and put it into the line as a warning; without one do
 * nothing.
 */
void report_warn(struct report *r, const struct err *err);

/* Complete the line with result and took_us, and write it to @path. A log that
 * cannot be written is said on stderr and nothing else.
 */
void report_end(struct report *r, const char *path, const char *result);

/* The exit status, which is EXIT_FAILED and no longer 0 where what was printed
 * could not be written to stdout.
 */
int report_status(const struct report *r, int status);

/* Handle --help (-h) and --version, which must be the only argument: true when
 * one was there and its text has been printed.
 */
bool report_help(const char *tool, const char *usage, int argc, char **argv);

#endif
