/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_STATUS_H
#define MWAN_TELL_STATUS_H

#include "core/session.h"
#include "tell/inspect.h"
#include "tell/rates.h"

/* The exit status of mwan-rules status. */
enum { STATUS_OK = 0, STATUS_DEGRADED = 1, STATUS_NO_LINK = 2 };

enum {
	/* More than a person reads at once. */
	STATUS_PROBLEMS_MAX = 256,
};

/* Something that is not as it should be. */
struct status_problem {
	const char *kind;	/* a word for programs, see mwan-rules(8) */
	char link[IFNAMSIZ];	/* "": it is of no single link */
	struct err text;	/* a sentence: what is wrong and what to do */
};

struct status_link {
	const struct conf_link *want;
	const struct link *is;
	bool usable;
	/* The links that carry packets with its mark now, or another
	 * interface; neither: none does.
	 */
	unsigned int n_by;
	uint8_t by[LINKS_MAX];
	char by_other[IFNAMSIZ];
};

/* The present state, and how it differs from the wanted one. */
struct status {
	int code;		/* STATUS_* */
	bool in_force;
	bool ipv6;		/* it is to be routed, and a prefix is known */
	bool commands;		/* mwan-rules apply -n fixes some of it */
	/* Packets that were stopped from leaving by a link under an address
	 * that is not the link's, since the rule for that was loaded; not known
	 * without such a rule.
	 */
	bool guards;
	uint64_t stopped;
	const struct facts *facts;
	/* Shown in the place of bytes by the short table; NULL: not known. */
	const struct rates *rates;
	unsigned int n_links;
	struct status_link link[LINKS_MAX];
	unsigned int n_problems, more;	/* more: those without room */
	struct status_problem problem[STATUS_PROBLEMS_MAX];
};

/* Compare what @now has read with what it should be. Pure: no sockets, no
 * files, no clock. @now's plan becomes what the next run would do. It points
 * into @now and @facts.
 */
void status_make(struct status *s, struct session *now,
		 const struct facts *facts);

/* Nothing could be looked at: that is the one problem there is. */
void status_fail(struct status *s, int code, const struct err *err);

#endif
