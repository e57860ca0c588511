/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_TASK_H
#define MWAN_TOOL_TASK_H

#include "base/prefix.h"
#include "core/session.h"
#include "tool/outcome.h"
#include "tool/report.h"

/* A command of mwan-rules that works on a session. */
struct task {
	const char *name;	/* of the command */
	const char *link;	/* the one that it is about; NULL: none */
	const char *file;	/* the configuration, absolute; NULL: what is in
				 * force, or the default one */
	struct prefixes prefixes;	/* of prefix ... */
	char told[PREFIXES_MAX * PREFIX_TEXT];	/* ... in words; "": none yet */
	bool dry;
	enum plan_goal goal;	/* of what is changed */
	bool accept_last;		/* the copy is written when all is done */
	struct report report;
	struct session session;
	struct outcome outcome;
};

/* Fields of the log line: the link, the prefixes, and of a failure the command.
 * Has the form of struct outcome_words' functions.
 */
void task_subject(struct report *r, bool failed, void *task);

/* Say why on stderr; what should have changed something also in the log, where
 * @event is not NULL. Returns @status.
 */
int task_fail(struct task *t, const char *event, const struct err *err,
	      int status);

/* Only root can see what is in force. Returns an exit status. */
int task_only_root(const struct task *t, struct err *err);

/* Read the configuration of apply and check: the file, never a fallback, and
 * what is wrong with it into @faults unless that is NULL. It is not complete
 * before task_recall(), with the lock where something is changed: what has been
 * before, and the ruleset of all that. Return 0 or a negative errno with a
 * sentence.
 */
int task_conf(struct task *t, struct conf_faults *faults, struct err *err);
int task_recall(struct task *t, struct err *err);

/* Observe what there is. With @changed, see it as packets do: by the
 * configuration in force; the file goes to @changed if it differs by now.
 * Returns 0 or an exit status with a sentence.
 */
int task_look(struct task *t, const char **changed, struct err *err);

/* Say, and log, which links nobody gets out by, though they are up. */
void task_say_gateways(struct task *t);

/* The command check: say what is wrong with the configuration, or print its
 * links. Returns the exit status.
 */
int task_check(struct task *t);

#endif
