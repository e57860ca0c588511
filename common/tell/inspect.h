/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_INSPECT_H
#define MWAN_TELL_INSPECT_H

#include "conf/conf.h"
#include "conf/programs.h"
#include "conf/watched.h"
#include "core/present.h"
#include "kernel/iface.h"
#include "kernel/nl.h"
#include "kernel/route.h"
#include "kernel/rule.h"
#include "tell/since.h"
#include "tell/pppd_hook.h"

enum {
	/* Objects of others; a user who has more has more to look at than
	 * this.
	 */
	FACTS_RULES_MAX = 64,
	FACTS_DEFAULTS_MAX = 64,
};

/* A default route of somebody else, and the name of its interface, "" without
 * one.
 */
struct facts_default {
	struct route route;
	char dev[IFNAMSIZ];
};

/* How the kernel is set to have IPv6 on a link, where that is our business. */
struct facts_ipv6 {
	bool off;		/* disable_ipv6 */
	bool deaf;		/* it takes no router's advertisements */
	bool advertised;	/* it has an address of one */
	int accept_ra, forwarding;
};

/* What mwan-rules status tells and hooks need not know. */
struct facts {
	bool conf_exists;	/* mwan.ini, whether in force or not */
	/* Why nothing can be changed, and why nothing can be logged; "": it
	 * can, or this is not root, who does it.
	 */
	struct err bad_rundir, bad_log;
	bool lan_missing[LAN_MAX];	/* there is no such interface */
	int64_t now;		/* of the looking: seconds since 1970 */
	struct since since[LINKS_MAX];
	bool have_bytes[LINKS_MAX];
	struct iface_bytes bytes[LINKS_MAX];
	int flows_code;		/* negative: they could not be counted */
	uint64_t flows[LINKS_MAX];
	/* An interface that is no link and has addresses of the link's network,
	 * too; "" if there is none.
	 */
	char overlap[LINKS_MAX][IFNAMSIZ];
	/* Rules of others before the last of ours for what is marked, that
	 * lead a link's packets to a default of another table or nowhere.
	 */
	unsigned int n_rules;
	struct rule rule[FACTS_RULES_MAX];
	/* Rules of others after ours, that led such packets to a route of
	 * another table or nowhere before there were marks.
	 */
	unsigned int n_late;
	struct rule late[FACTS_RULES_MAX];
	bool late_default[FACTS_RULES_MAX];	/* its table has a default */
	/* Those in the table main, and those of others in the links' tables and
	 * the standby.
	 */
	unsigned int n_defaults;
	struct facts_default default_[FACTS_DEFAULTS_MAX];
	/* main's 0.0.0.0/1, which wins over marks; family 0: none */
	struct facts_default half;
	int forwarding6;	/* of IPv6; -1: it is not our business */
	struct facts_ipv6 ipv6[LINKS_MAX];
	bool networkd_routes, networkd_rules;	/* it deletes them */
	struct watched watched[FAMILIES][LINKS_MAX];
	struct since judged[LINKS_MAX];	/* since when its verdict is that */
	uint64_t answer_ms[FAMILIES][LINKS_MAX];	/* so long ago was its last answer */
	struct hookfile up, down;
	struct programs programs;
};

/* Does the rule take packets with the link's mark, and not to its own table? */
bool facts_rule_takes(const struct rule *r, const struct conf_link *l);

/* Gather them, after present_read(). Writes nothing. Returns 0 or a negative
 * errno with a sentence.
 */
int facts_read(struct facts *f, const struct conf *conf,
	       const struct present *present, struct nl *rtnl,
	       struct nl *nfnl, struct err *err);

#endif
