/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_HISTORY_H
#define MWAN_TELL_HISTORY_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/limits.h"
#include "tell/event.h"

/* The links' past, from the log. Pure: no files; the only clock is what the
 * caller passes. All times are milliseconds since 1970.
 */

enum {
	/* Changes that are kept, the newest: ten a day for 70 years. */
	HISTORY_CHANGES_MAX = 1 << 18,
	/* Days, weeks or months that availability is told for. */
	HISTORY_UNITS_MAX = 400,
};

/* States of a link, from good to bad. PAST_HELD and worse are outages. */
enum past {
	PAST_UNKNOWN,
	PAST_UP,
	PAST_DRAINED,	/* put aside by a person; the line itself was up */
	PAST_FLUSHED,	/* mwan-rules flush: nothing used it */
	PAST_HELD,	/* by probes: dead, whatever its interface says */
	PAST_CARRIER,	/* its interface went down */
	PAST_PPPD,	/* pppd ended the session */
	PAST_LOST,	/* nobody logged its end: a power cut, a reboot */
	PASTS,
};

/* The state's word in JSON, its character in the timeline, and its part of a
 * sentence.
 */
struct past_word {
	const char *word;
	char cell;
	const char *text;
};

extern const struct past_word past_words[PASTS];

struct history_link {
	char name[IFNAMSIZ];
	/* What was read from the log until now. */
	enum past session;	/* PAST_UNKNOWN, PAST_UP, or why it is down */
	bool held, drained, flushed;
	char local[EVENT_WORD];
	enum past now;		/* what comes of these */
	enum past first;	/* before the first change that is kept */
};

struct history_change {
	int64_t at;
	uint8_t link, past;	/* past: enum past, from then on */
};

/* Large: the callers have one, static. */
struct history {
	unsigned int n_links;
	struct history_link link[LINKS_MAX];
	unsigned int n;
	struct history_change change[HISTORY_CHANGES_MAX];
	uint64_t lines;		/* of the log that were understood */
	int64_t begin;		/* the first time that is known; -1: none */
	int64_t last;		/* the newest time until now */
	int64_t now;		/* of the reader: what is later is wrong */
	bool no_clock;		/* lines without a usable time are being read */
	unsigned int jumps;	/* the clock was set back, or was not set */
};

/* Begin at the time @now. */
void history_begin(struct history *h, int64_t now);

/* The index of a link, which becomes one of the history; -1: there is no room,
 * or it is no name of an interface.
 */
int history_link(struct history *h, const char *name);

/* Take what a line tells, in the order of the log. */
void history_add(struct history *h, const struct event *e);

/* All lines have been read. @boot: the machine's start; what was said of a link
 * before tells nothing of it since.
 */
void history_end(struct history *h, int64_t boot);

/* A time in which a link did one thing. */
struct history_span {
	unsigned int link;
	enum past past;
	int64_t begin, end;
	bool begins_before;	/* the log does not tell when it began */
	bool goes_on;		/* it has not ended yet */
};

/* Call @cb with each span that touches [from, to), whole, in the order of their
 * beginnings; stops when it returns false.
 */
void history_spans(const struct history *h, int64_t from, int64_t to,
		   bool (*cb)(const struct history_span *span, void *data),
		   void *data);

/* The part of the known time in which a link could be used, in milliseconds. */
struct history_share {
	int64_t up, known;
};

/* Sum up the units between @n + 1 ascending times: @share has @n * LINKS_MAX,
 * unit by unit.
 */
void history_shares(const struct history *h, const int64_t *bound,
		    unsigned int n, struct history_share *share);

/* The worst of each of the @n equal cells of [from, to), link by link. */
void history_cells(const struct history *h, int64_t from, int64_t to,
		   unsigned int n, uint8_t *cell);

/* "99.98%", never rounded up; "-": nothing is known. */
enum { SHARE_TEXT = 8 };
const char *history_share_text(const struct history_share *s,
			       char text[SHARE_TEXT]);

/* "3d 4h", "12m 5s", "0.3s". */
enum { DURATION_TEXT = 32 };
const char *duration_text(int64_t ms, char text[DURATION_TEXT]);

#endif
