/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_HISTORY_PRINT_H
#define MWAN_TELL_HISTORY_PRINT_H

#include <stdio.h>

#include "base/err.h"
#include "tell/history.h"

/* The part of a history to show: the links, or one of them, in a window of
 * time.
 */
struct history_view {
	const struct history *h;
	int only;		/* a link's index; -1: all */
	int64_t from, to;	/* milliseconds since 1970, from < to */
};

/* "2026-11-22", "2026-11-22T17:22" (local time), or as long ago as "36h", "7d",
 * "4w". Returns 0, or -EINVAL.
 */
int history_when(const char *text, int64_t now, int64_t *when);

/* For a person, in 80 columns. */
void history_print(const struct history_view *v, FILE *out);

/* One document, with all outages. */
void history_print_json(const struct history_view *v, FILE *out);

/* A picture. */
void history_print_svg(const struct history_view *v, FILE *out);

/* "2026-11-22 17:22", with seconds "2026-11-22 17:22:06", in local time. */
enum { MOMENT_TEXT = 32 };
const char *moment_text(int64_t ms, bool seconds, char text[MOMENT_TEXT]);

#endif
