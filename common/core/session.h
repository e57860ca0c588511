/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CORE_SESSION_H
#define MWAN_CORE_SESSION_H

#include <stdbool.h>
#include <stdio.h>

#include "base/lock.h"
#include "conf/conf.h"
#include "conf/state.h"
#include "core/apply.h"
#include "core/plan.h"
#include "core/present.h"
#include "nft/table.h"

/* The one code path of the hooks and of mwan-rules: what is wanted, what is
 * there, what was done. Large; the tools have one, static.
 */
struct run {
	struct conf conf;
	char source[LOG_PATH_MAX];	/* the file of conf; "": none */
	bool in_force;
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
	struct verdicts verdicts;	/* of conf's links */
	struct prefix6 prefix6;		/* what is remembered of them */
	struct err bad_prefix6;		/* why that is not known; "": it is */
	struct ruleset ruleset;
	bool twins;			/* it is for two links of one address */
	bool have_ruleset;
	struct gateways said;		/* the file's content, where a caller
					 * has just changed it ... */
	bool have_said;			/* ... and has he? */
	struct verified verified;	/* of the ruleset; netns 0: not known */
	struct present present;
	bool nft_unread;		/* the table counts as missing */
	struct plan plan;
	struct nl rtnl, nfnl, watch;
	int no_nfnl;			/* negative: why there is no nfnl ... */
	struct err bad_nfnl;		/* ... in a sentence */
	struct lock lock;
	struct err no_lock;		/* why there is none; "": there is */
	unsigned int rounds;		/* of reading and changing, until now */
	int64_t looked;			/* when the kernel was last read, by
					 * CLOCK_BOOTTIME in ns; 0: never */
	struct apply_result result;	/* of the last round */
	struct apply_later later;	/* flows that are to be ended */
	unsigned int changes;		/* of all rounds */
	char sysctls[256];		/* "path=value ..." that were set */
	char ended[256];		/* links whose flows were (failback) */
};

/* Find out whether anything is in force, and the file that it was made from. */
void run_force(struct run *run);

/* Choose the configuration of a hook: the file that is in force, or the
 * default one; when it is not usable the accepted copy, else what rt_tables
 * says. Fails only when there is nothing at all to go by.
 */
int run_conf(struct run *run, struct err *err);

/* What is used in the place of a file with run.bad_conf, for behind that
 * sentence.
 */
const char *run_bad_conf_use(const struct run *run);

/* Add to a configuration that was read from its file what has been before: the
 * marks and the standby table that it leaves open, and which links are drained.
 */
void run_recall(struct run *run);

/* Note the links of the accepted copy that the configuration does not have, so
 * that their queues go: before the copy is another one.
 */
void run_note_past(struct run *run);

/* Open the sockets. A kernel without netfilter still gets its links. */
int run_open(struct run *run, struct err *err);
void run_close(struct run *run);

/* Observe the kernel, as far as it matters for @goal. @dry: without privilege
 * the nftables table, which only root may read, counts as missing.
 */
int run_read(struct run *run, enum plan_goal goal, bool dry, struct err *err);

/* Build the table that is wanted. run_look(): and observe the kernel, which may
 * show that it has to be another one (links_are_twins()). Return 0 or a negative
 * errno with a sentence.
 */
int run_ruleset(struct run *run, struct err *err);
int run_look(struct run *run, enum plan_goal goal, bool dry, struct err *err);

/* Observe, plan and apply, and again as long as interfaces or addresses change
 * meanwhile, within limits: pppd does not call a second time for what happens
 * during a hook. With @dry set, print the plan to it instead. Returns 0, or the
 * negative errno of what could not be done with its sentence; what could be
 * done is done.
 */
int run_rounds(struct run *run, struct plan_event *event, FILE *dry,
	       struct err *err);

/* What a hook does with the lock: run_rounds() for all that is in force, and
 * the accepted copy kept up to date. Sets @event's goal.
 */
int run_links(struct run *run, struct plan_event *event, FILE *dry,
	      struct err *err);

/* Release the lock, end the flows that are to be ended, and look whether an
 * interface or address has changed since the last look: a hook that has waited
 * for the lock in vain relies on its holder, which may have been at its end. If
 * so, or if rules remembered those flows, do as that hook would
 * have, with what is in force by now. @code and @err are the outcome until
 * now; returns the last one.
 */
int run_again(struct run *run, int code, struct err *err);

/* The names of the links that carry the traffic of those that are down, with
 * commas between; "none".
 */
const char *run_standby_text(const struct run *run, char *buf, size_t size);

/* Does main refuse what it has no route for, and so all that is marked? Then
 * @by is its default, and true is returned. Asks the kernel.
 */
bool run_main_refuses(struct run *run, struct route *by);

bool run_any_usable(const struct run *run);
bool run_any_down(const struct run *run);

/* The names of those links for which @which, an array of run.verdicts, says so,
 * with commas between; "" without any.
 */
const char *run_names(const struct run *run, const bool *which, char *buf,
		      size_t size);

#endif
