/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_OUTCOME_H
#define MWAN_TOOL_OUTCOME_H

#include "core/session.h"
#include "tool/report.h"

/* The part of a report that depends on the carrying-out. Each adds fields to
 * the log line of @r; NULL: it has none.
 */
struct outcome_words {
	/* The subject of every line. @failed: the line's event is no longer the
	 * one that the report began with.
	 */
	void (*subject)(struct report *r, bool failed, void *of);
	/* After a success: the present state. May also say something. */
	void (*details)(struct report *r, void *of);
	void *of;		/* for both */
};

/* The last word of a line on @o: "failed", "partial", "ok" or "unchanged". */
const char *outcome_result(const struct outcome *o);

/* Add which links are drained, and which are held, where any are. */
void outcome_put_aside(struct log *l, const struct session *s);

/* Say and log that nothing came of it: @event is "failed", "busy" ..., @result
 * the last word of the line. A dry run only says it. Returns @status.
 */
int outcome_refuse(struct report *r, const struct session *s, bool dry,
		   const struct outcome_words *words, const char *event,
		   const char *result, const struct err *err, int status);

/* Report what a carrying-out has brought, for hooks, commands and whatever else
 * carries out: on stderr what a person should know, in the log all of it.
 * Returns the exit status.
 */
int outcome_report(struct report *r, const struct session *s, bool dry,
		   const struct outcome_words *words, const struct outcome *o);

#endif
