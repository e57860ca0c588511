/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CORE_PRESENT_H
#define MWAN_CORE_PRESENT_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/util.h"
#include "conf/conf.h"
#include "conf/state.h"
#include "core/link.h"
#include "kernel/nexthop.h"
#include "kernel/nl.h"
#include "kernel/route.h"
#include "kernel/rule.h"
#include "nft/load.h"

enum {
	/* More than we can want; what does not fit is seen the next time
	 * round.
	 */
	PRESENT_RULES_MAX = FAMILIES * 8 * LINKS_MAX,
	PRESENT_ROUTES_MAX = FAMILIES * 6 * LINKS_MAX,
	PRESENT_NEXTHOPS_MAX = FAMILIES * (2 * LINKS_MAX + 2),
	PRESENT_MEMBERS_MAX = FAMILIES * 4 * LINKS_MAX,
	PRESENT_ADDRS_MAX = 8192,
	/* Addresses of links beyond their first: a rule each. */
	PRESENT_EXTRAS_MAX = FAMILIES * LINKS_MAX,
	/* Networks of the LAN, and those that are remembered (IPv6). */
	PRESENT_LANS_MAX = 256,
	/* An old range of ours can reach into two of them. */
	PRESENT_DETOURS = 4,
	/* Routes that are not ours to manage: status names them, and they must
	 * not take the room of ours.
	 */
	PRESENT_FOREIGN_MAX = 2 * LINKS_MAX,
	/* More than a LAN has; what is beyond is not compared with the links'. */
	PRESENT_NETS_MAX = 64,
	/* Rules that are to be deleted as they were read, in one round. */
	PRESENT_RAW_MAX = 64,
	/* Likewise addresses of ours that interfaces have which are no links. */
	PRESENT_LEFT_MAX = 16,
};

/* The kernel's state, as far as it concerns us. What every run touches
 * stands together behind the arrays: a page that is touched for the first time
 * costs as much as a system call, and of an array for LINKS_MAX links mostly
 * one page is used.
 */
struct present {
	struct link link[LINKS_MAX];
	struct route route[PRESENT_ROUTES_MAX];	/* defaults, our tables' */
	struct nexthop nexthop[PRESENT_NEXTHOPS_MAX] ON_A_PAGE;	/* of our ids */
	struct nexthop_member member[PRESENT_MEMBERS_MAX];
	struct rule rule[PRESENT_RULES_MAX] ON_A_PAGE;	/* of our protocol */
	struct rule_raw raw[PRESENT_RAW_MAX];
	struct present_extra {
		unsigned int link;
		struct addr addr;
	} extra[PRESENT_EXTRAS_MAX];
	/* IPv6 networks on interfaces that are no links, by the router's
	 * addresses in them, and what the table of such has from us.
	 */
	struct onlink lan[PRESENT_LANS_MAX], onlink[PRESENT_LANS_MAX];
	/* Networks of IPv4 on interfaces that are no links. */
	struct onlink net[PRESENT_NETS_MAX];
	/* An interface that was a link, and got another name, keeps what it has
	 * from us.
	 */
	struct present_left {
		uint32_t ifindex;
		char dev[IFNAMSIZ];
		struct addr addr;
	} left[PRESENT_LEFT_MAX];
	struct addr addr[PRESENT_ADDRS_MAX];	/* every interface's */
	unsigned int n_links ON_A_PAGE;	/* of the conf that was read for */
	unsigned int n_routes, n_nexthops, n_members, n_rules, n_raw;
	unsigned int n_extras, n_lans, n_onlinks, n_nets, n_left, n_addrs;
	/* Other programs have ids in the detour of this number. */
	bool detour_taken[PRESENT_DETOURS];
	bool extras_left;	/* there are more than these */
	bool ipv6;		/* this kernel has it, and we route it */
	bool addrs_complete;
	bool more;		/* not everything of ours has been seen */
	/* Negative: a part could not be read, and counts as empty. */
	int unread_code;
	struct err unread;	/* why */
	bool rules_unread, queues_unread;
	int rp_filter_all;
	int ip_forward;
	/* -1: none, or not our business */
	int hash_policy[FAMILIES], hash_fields[FAMILIES];
	int nft_code;		/* negative: the table cannot be read ... */
	struct err nft_err;	/* ... and why */
	struct nft_seen nft;
};

/* Where to look: sockets that the caller opened. @nfnl may be NULL: the
 * nftables table is not read then, and counts as missing.
 */
struct present_source {
	struct nl *rtnl;
	struct nl *nfnl;
	/* The nftables table that is wanted; NULL: none, or not known. A reading
	 * that finds exactly this needs no other one, however much others
	 * change meanwhile.
	 */
	const struct ruleset *ruleset;
	/* What was verified of it and can be trusted; NULL: read it. */
	const struct verified *known;
	/* The gateways that hooks named; NULL: read the file, if it matters. */
	const struct gateways *said;
	/* The remembered IPv6 prefixes of the links; NULL: nothing. */
	const struct prefix6 *prefix6;
	bool every_queue;	/* also where the configuration wants none */
	/* Routes of ours in every table, also where neither the configuration
	 * nor a rule of ours leads.
	 */
	bool every_table;
};

/* Observe the kernel. Reads a part again (a few times) when it changes
 * meanwhile. Returns 0 or a negative errno with a sentence: without links,
 * addresses and nexthops nothing can be planned. If nftables or another part
 * cannot be read, @p says so, and it is no error: the links come first.
 */
int present_read(struct present *p, const struct conf *conf,
		 const struct present_source *from, struct err *err);

/* Which link of @conf has this interface? -1: none. */
int present_link_of(const struct present *p, const struct conf *conf,
		    uint32_t ifindex);

/* The first id of a detour, 0 to PRESENT_DETOURS - 1: as many ids beside those
 * of @conf, for the moment in which those have to change their kind.
 */
uint32_t present_detour(const struct conf *conf, unsigned int number);

/* The nexthop or group of an id; NULL: none. */
const struct nexthop *present_nexthop(const struct present *p, uint32_t id);

/* Does a rule of ours lead the packets of a mark to @table, or, if that is 0, to
 * any? So it is with the links that are not held, while apply is in force.
 */
bool present_has_mark(const struct present *p, enum family f, uint32_t table);

/* Is this address on any interface? True where that is not known. */
bool present_has_addr(const struct present *p, const struct addr *a);

#endif
