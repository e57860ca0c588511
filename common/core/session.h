/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CORE_SESSION_H
#define MWAN_CORE_SESSION_H

#include <stdbool.h>
#include <stdio.h>

#include "base/lock.h"
#include "base/util.h"
#include "conf/conf.h"
#include "conf/state.h"
#include "core/apply.h"
#include "core/plan.h"
#include "core/present.h"
#include "nft/table.h"

/* What a process holds, whatever it does: its sockets, the wanted state, and
 * the state at the last look. The hooks and mwan-rules have one code path that
 * can be taken any number of times. Large; the tools have one, static.
 */
struct session {
	char source[LOG_PATH_MAX];	/* the file of conf; "": none */
	bool in_force;
	bool accepted;			/* the accepted copy says conf and source */
	bool unknown_force;		/* ... as far as one may see */
	struct err bad_force;		/* why it could not be read what is in
					 * force; "": it could */
	struct err bad_conf;		/* why the file was not used; "": was */
	bool unknown_conf;		/* ... without the right to read it */
	bool edited;			/* of status: the file is another one
					 * than what was put in force */
	struct err bad_drained;		/* why it is not known which links are
					 * drained; "": it is */
	struct err bad_held;		/* the same of held */
	struct err bad_prefix6;		/* why prefix6 is not known; "": it is */
	/* Marks that connections may have from before; NULL: none has. */
	const struct ct_marks *was;
	bool twins;			/* ruleset is for two links of one
					 * address */
	bool other[LINKS_MAX];		/* ... or for names that other sessions
					 * have taken */
	bool have_ruleset;		/* of this conf and these verdicts */
	bool have_said;			/* has a caller just changed said? */
	int64_t looked;			/* when the kernel was last read, by
					 * CLOCK_BOOTTIME in ns; 0: never */
	bool nft_unread;		/* the table counts as missing */
	int no_nfnl;			/* negative: why there is no nfnl ... */
	struct err bad_nfnl;		/* ... in a sentence */
	struct lock lock;
	struct err no_lock;		/* why there is none: "": there is */
	struct verdicts verdicts;	/* of conf's links */
	/* Large: of these only the beginning is touched when links are few. */
	struct conf conf;
	struct nl rtnl ON_A_PAGE, nfnl, watch;
	struct verified verified;	/* of the ruleset; netns 0: not known */
	struct ruleset ruleset;
	struct present present;
	struct plan plan;		/* of the last round */
	struct prefix6 prefix6;		/* what is remembered of the links */
	struct gateways said;		/* what a caller has changed the file
					 * to */
};

/* The result of one carrying-out; each has a new one. */
struct outcome {
	/* 0, or the negative errno of what could not be done, and its sentence.
	 * Everything possible is done.
	 */
	int code;
	struct err err;
	/* ... and the ways are right: it is queues, a nexthop id that another
	 * program has, or that the links' prefixes cannot be written down.
	 */
	bool partial;
	unsigned int rounds;	/* of reading and changing */
	unsigned int changes;	/* of all rounds */
	char sysctls[256];	/* "path=value ..." that were set */
	char ended[256];	/* links whose flows were (failback) */
	struct apply_result result;	/* of the last round */
	struct apply_later later;	/* flows that are to be ended */
};

/* Make it new. */
void outcome_begin(struct outcome *o);

/* Is more undone than that? */
bool outcome_failed(const struct outcome *o);

/* Find out whether anything is in force, and the file that it was made from. */
void session_force(struct session *s);

/* Choose the configuration of a hook: the file that is in force, or the
 * default one; when it is not usable the accepted copy, else what rt_tables
 * says. Fails only when there is nothing at all to go by.
 */
int session_conf(struct session *s, struct err *err);

/* What is used instead of a file with bad_conf, as the end of that sentence. */
const char *session_bad_conf_use(const struct session *s);

/* Carry over what has been before to a configuration that was read from its
 * file: the marks and the standby table that it leaves open, and the verdicts
 * on its links. Returns whether the accepted copy says just that configuration;
 * not for certain when false.
 */
bool session_recall(struct session *s);

/* Note the links of the accepted copy that the configuration does not have, so
 * that their queues go: before the copy is another one.
 */
void session_note_past(struct session *s);

/* Nothing is in force any more: remove what the run directory has of it.
 * Returns 0 or a negative errno with a sentence.
 */
int session_forget(struct session *s, struct err *err);

/* Open the sockets. A kernel without netfilter still gets its links. */
int session_open(struct session *s, struct err *err);
void session_close(struct session *s);

/* Observe the kernel, as far as it matters for @goal. @dry: without privilege
 * the nftables table, which only root may read, counts as missing.
 */
int session_read(struct session *s, enum plan_goal goal, bool dry,
		 struct err *err);

/* Build the ruleset of the configuration. session_look(): and observe the
 * kernel, which may show that it has to be another one (links_are_twins(),
 * link.other).
 * Return 0 or a negative errno with a sentence.
 */
int session_ruleset(struct session *s, struct err *err);
int session_look(struct session *s, enum plan_goal goal, bool dry,
		 struct err *err);

/* Observe, plan and apply, and again as long as interfaces or addresses change
 * meanwhile, within limits: pppd does not call a second time for what happens
 * during a hook. If @dry is set, print the plan to it instead. Adds to @o.
 */
void session_carry_out(struct session *s, struct plan_event *event, FILE *dry,
		       struct outcome *o);

/* A hook's work under the lock: session_carry_out() for all that is in force,
 * and an update of the accepted copy. Sets @event's goal.
 */
void session_links(struct session *s, struct plan_event *event, FILE *dry,
		   struct outcome *o);

/* Release the lock, end the flows that have to end, and see whether an
 * interface or address has changed since the last look: a hook that gave up
 * waiting for the lock relies on its holder, which may have been at its end. If
 * so, or if rules remembered those flows, do as that hook would have, with what
 * is in force by now. Adds to @o.
 */
void session_again(struct session *s, struct outcome *o);

/* The names of the links that carry the traffic of link @link, or of those that
 * cannot carry their own (-1), with commas between; "none".
 */
const char *session_carriers(const struct session *s, int link, char *buf,
			     size_t size);

/* Does main refuse what it has no route for, and so all that is marked? If so,
 * @by is its default and the result is true. Asks the kernel.
 */
bool session_main_refuses(struct session *s, struct route *by);

bool session_any_usable(const struct session *s);
bool session_any_down(const struct session *s);

/* The names of those links for which @which, an array of the verdicts, says so,
 * with commas between; "" without any.
 */
const char *session_names(const struct session *s, const bool *which,
			  char *buf, size_t size);

#endif
