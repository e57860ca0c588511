/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_EVENT_H
#define MWAN_TELL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* "2026-11-22T17:22:06.123+01:00" */
	EVENT_TIME_TEXT = 32,
	/* Longer than any value that is read here but a list of names or a
	 * note, which are cut.
	 */
	EVENT_WORD = 64,
	EVENT_LIST = 600,
};

/* A line of the log, as far as it tells of links; "" is what it does not have. */
struct event {
	int64_t ms;	/* since 1970; negative: no date */
	char time[EVENT_TIME_TEXT];
	char tool[EVENT_WORD];
	char event[EVENT_WORD];
	char link[EVENT_WORD];
	char local[EVENT_WORD];
	char by[EVENT_WORD];		/* default=: who carries its traffic */
	char cause[EVENT_WORD];
	char result[EVENT_WORD];
	char drained[EVENT_LIST];	/* names with commas between */
	char note[EVENT_LIST];
};

/* Read a line of @len bytes, without its newline: whatever bytes a power cut or
 * somebody else has left there. False: it is no line of the log, or only the
 * beginning of one.
 */
bool event_parse(const char *line, size_t len, struct event *e);

/* Is it said in the @list of names with commas between? */
bool event_names(const char *list, const char *name);

#endif
