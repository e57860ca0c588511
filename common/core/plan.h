/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CORE_PLAN_H
#define MWAN_CORE_PLAN_H

#include <stdbool.h>
#include <stdio.h>

#include "conf/conf.h"
#include "core/present.h"
#include "kernel/sysctl.h"
#include "nft/table.h"

enum {
	/* Every present and every wanted object once, and some. */
	PLAN_OPS_MAX = FAMILIES * 18 * LINKS_MAX,
};

/* Rules, by their distance from rule_priority. */
enum {
	RULE_MAIN = 0,
	/* "wg-quick down" deletes rules until "ip rule" shows no more "from all
	 * lookup main suppress_prefixlength 0". Ours is not for a mark that
	 * nobody has ("mwan"): so it is for all packets, and is not meant.
	 */
	RULE_MAIN_NOT = 0x6d77616e,
	RULE_ONLINK = 1,	/* of IPv6, where the next ones are one later */
	RULE_MARK = 1,		/* of link 0; one a link */
	RULE_FROM = 301,	/* of link 0; one a live link */
	RULE_STANDBY = 900,
};

/* Rules after main (32766) and default (32767). */
enum {
	/* Not ours: the kernel's, for main and default. */
	PRIORITY_MAIN = 32766,
	PRIORITY_DEFAULT = 32767,
	PRIORITY_PRIMARY = 32768,
	PRIORITY_LAST = 32769,
	/* No packet gets here. The rule looks up the table of the previous
	 * primary, and so records that flows of worse tiers than the primary's
	 * still have to be ended.
	 */
	PRIORITY_FAILBACK = 32770,
	/* Link 0's "from" rule while its tier is worse than the primary's, with
	 * failback = move.
	 */
	PRIORITY_FROM = 32771,
	/* Remembers that flows may have left untranslated while there was no
	 * table of ours. No packet comes to this standby after the last one.
	 */
	PRIORITY_STRAY = 33100,
	/* Link 0's record that flows still have the address of a held link and
	 * have to be ended. A packet that gets here has no other link.
	 */
	PRIORITY_HELD = 33101,
};

enum {
	/* The standby's route when no link is usable, after all groups'. */
	METRIC_LAST_RESORT = 65535,
	/* Ours in the table default, after whatever somebody else has there:
	 * the primary's; the group of tier 1 has one more.
	 */
	METRIC_DEFAULT = 65536,
};

/* The operations to carry out. */
enum plan_goal {
	/* The links' own part: nexthops, tables, the standby, the last rule,
	 * queues. The rest stays as it is.
	 */
	PLAN_LINKS,
	/* All of it: a hook while mwan-rules are in force. */
	PLAN_ALL,
	/* All of it, and the host's forwarding: mwan-rules apply. */
	PLAN_APPLY,
	/* Nothing of ours at all. */
	PLAN_FLUSH,
};

enum op_kind {
	OP_SYSCTL,
	OP_NEXTHOP_SET,
	OP_NEXTHOP_DEL,
	OP_ROUTE_ADD,
	OP_ROUTE_DEL,
	OP_RULE_ADD,
	OP_RULE_DEL,
	OP_ADDR_ADD,
	OP_ADDR_DEL,
	OP_ONLINK_SET,
	OP_ONLINK_DEL,
	OP_QDISC_SET,
	OP_QDISC_DEL,
	OP_NFT_LOAD,
	OP_NFT_FILL,
	OP_NFT_DELETE,
	OP_CT_FORGET,
	OP_CT_PREFIX,
	OP_CT_END,
	OP_CT_STRAY,
};

struct op {
	enum op_kind kind;
	char dev[IFNAMSIZ];	/* for people: the link, where it is of one */
	/* A removal of what still serves. It stays when an addition before it
	 * was refused: what was to take its place may be missing.
	 */
	bool serves;
	union {
		struct {
			char path[SYSCTL_PATH_MAX];
			int value;
		} sysctl;
		struct nexthop nexthop;
		struct route route;
		struct rule rule;
		struct {
			uint32_t ifindex;
			struct qdisc is;
			const struct qdisc_conf *want;
		} qdisc;
		struct addr addr;	/* OP_CT_FORGET */
		struct onlink onlink;
		struct {
			uint32_t ifindex;
			struct addr addr;
		} own;			/* OP_ADDR_ADD, OP_ADDR_DEL */
		struct {
			struct prefix prefix;	/* ::/0: any */
			uint32_t value, mask;
		} lost;			/* OP_CT_PREFIX */
		struct {
			uint8_t family;
			uint32_t value, mask;
			struct addr own;	/* family 0, or the address
						 * that the router's sockets
						 * are to leave */
		} mark;			/* OP_CT_END */
	};
};

/* Operations in the order in which they must be done. It points into the
 * configuration and ruleset that it was made from.
 */
struct plan {
	unsigned int n_ops;
	/* From this operation on, nexthops move from the ids of a detour to
	 * their own; n_ops if there is no detour.
	 */
	unsigned int detour_end;
	unsigned int n_members;
	const struct ruleset *ruleset;
	bool more;		/* another round is needed for the rest */
	int primary[FAMILIES];	/* the link of the last rules; -1: none */
	struct table_state table;	/* what its named sets are to hold */
	struct nexthop_member member[FAMILIES * 2 * LINKS_MAX];
	struct op op[PLAN_OPS_MAX];
};

/* What has happened that the kernel cannot tell. */
struct plan_event {
	enum plan_goal goal;
	/* The address of the session that ended, and its link; family 0: none
	 * did.
	 */
	struct addr gone;
	int gone_link;
};

/* Compare what is wanted with what is there. Pure: no sockets, no files, no
 * clock. Returns 0, or -EEXIST with a sentence when somebody else has the id
 * of an object of ours: the plan has all the rest.
 */
int plan_make(struct plan *plan, const struct conf *conf,
	      const struct present *present, const struct ruleset *ruleset,
	      const struct plan_event *event, struct err *err);

/* The link of @conf whose nexthop object has this id while no other one stands
 * in for it; -1: none.
 */
int plan_link_of_nexthop(const struct conf *conf, uint32_t id);

/* Print one operation, or all, as commands that a person can run. */
void op_print(const struct plan *plan, const struct op *op, FILE *out);
void plan_print(const struct plan *plan, FILE *out);

#endif
