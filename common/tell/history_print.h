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

/* Choose what to show of @h: the link @only (NULL: all), from @since (NULL: 30
 * days ago) on, as far as anything is known. Returns 0, or -EINVAL with a
 * sentence.
 */
int history_choose(struct history_view *v, const struct history *h,
		   const char *since, const char *only, struct err *err);

/* "2026-11-22", "2026-11-22T17:22" (local time), or as long ago as "36h", "7d",
 * "4w". Returns 0, or -EINVAL.
 */
int history_when(const char *text, int64_t now, int64_t *when);

/* For a person, in 80 columns. */
void history_print(const struct history_view *v, FILE *out);

/* One document, with all outages. */
void history_print_json(const struct history_view *v, FILE *out);

/* A picture; and in a file of its own, "-": the standard output. Returns 0 or a
 * negative errno with a sentence.
 */
void history_print_svg(const struct history_view *v, FILE *out);
int history_draw(const struct history_view *v, const char *file,
		 struct err *err);

/* "2026-11-22 17:22", with seconds "2026-11-22 17:22:06", in local time. */
enum { MOMENT_TEXT = 32 };
const char *moment_text(int64_t ms, bool seconds, char text[MOMENT_TEXT]);

#endif
