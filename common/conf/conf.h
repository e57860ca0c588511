/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CONF_CONF_H
#define MWAN_CONF_CONF_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/prefix.h"
#include "conf/gateway.h"
#include "conf/policy.h"
#include "conf/watch.h"
#include "kernel/pppd.h"
#include "kernel/qdisc.h"

enum {
	WEIGHT_MAX = 255,
	TIER_MAX = 255,
	LAN_MAX = 32,
	LOG_PATH_MAX = 256,
	/* Ids of a family: 255 links, 255 tiers. */
	NEXTHOP_SPAN = 512,
	/* A file that a person wrote for 255 links is about 40 KB. */
	CONF_FILE_MAX = 256 * 1024,
	/* More than a person reads at once. */
	CONF_FAULTS_MAX = 100,
};

enum balance {
	BALANCE_SOURCE,		/* a hash of the host's address */
	BALANCE_SOURCE_PARITY,	/* the low bits of the host's address */
	BALANCE_FLOW,		/* a hash of addresses and ports */
	BALANCE_ROUND_ROBIN,	/* a connection each in turn */
	BALANCE_RANDOM,
};

/* What happens to packets when no link is usable. */
enum last_resort {
	LAST_RESORT_MAIN,	/* they go on to main's own default */
	LAST_RESORT_UNREACHABLE,
	LAST_RESORT_BLACKHOLE,
};

/* What happens to the flows of a worse tier when a better one returns. */
enum failback {
	FAILBACK_STAY,
	FAILBACK_MOVE,		/* they are ended, and begin again */
};

struct conf_link {
	char name[IFNAMSIZ];
	uint32_t table;
	uint32_t mark;		/* under mark_mask, never 0 */
	bool mark_given;	/* ... by the file */
	char linkname[PPPD_LINKNAME];	/* "": any session of that name */
	uint8_t weight;
	uint8_t tier;		/* 1 is used first */
	struct qdisc_conf qdisc;
	struct gateway_conf gateway;
	/* IPv6 prefixes that the provider takes from this link; there may be
	 * more of them than the file says.
	 */
	struct prefixes prefix6;
	struct watch_conf watch;
};

/* The complete wanted configuration: every default is filled in. */
struct conf {
	char log[LOG_PATH_MAX];
	uint32_t rule_priority;
	uint32_t mark_mask;
	uint32_t standby_table;
	bool standby_given;	/* by the file */
	uint32_t nexthop_base;
	enum balance balance;
	uint32_t sticky;	/* seconds that a host keeps its link; 0: off */
	bool masquerade;
	bool clamp_mss;
	bool sysctl;
	bool ipv6;
	bool translate6;	/* what is foreign to the link it leaves by */
	/* Networks of the LAN that are remembered (IPv6). */
	uint32_t onlink_table;
	enum last_resort last_resort;
	bool last_resort_given;	/* by the file */
	enum failback failback;
	struct qdisc_conf qdisc;
	struct watch_conf watch;
	bool heal;		/* mwan-rules watch puts back what goes */
	unsigned int n_lan;	/* 0: every interface that is not a link */
	char lan[LAN_MAX][IFNAMSIZ];
	unsigned int n_links;
	/* Links of the previous configuration, after those of this one: only
	 * their queues matter, which have to go. No file has them.
	 */
	unsigned int n_past;
	unsigned int n_policies;
	struct conf_link link[LINKS_MAX];
	struct policy policy[POLICIES_MAX];	/* the first match counts */
};

/* The faults of a file, in the order of its lines. */
struct conf_faults {
	unsigned int n, more;	/* more: those that had no room */
	struct conf_fault {
		unsigned int line;	/* 0: of no line */
		bool as_read;		/* before the end of the file */
		struct err err;		/* complete, as conf_read()'s */
	} fault[CONF_FAULTS_MAX];
};

#define CONF_PATH "/etc/ppp/mwan.ini"
#define CONF_LOG "/var/log/ifchang.log"

/* Read the configuration @path into @conf, with every default filled in. When
 * there is no such file, or no [link] in it, the links are the rt_tables
 * entries ppp0, ppp1, ... in the order of their numbers; there may be none.
 * Returns 0, or a negative errno with "PATH:LINE: sentence" in @err; -EINVAL is
 * a mistake in the file. The file must be a plain one, of root or the caller,
 * that nobody else can write. -ENOENT is returned only when @must_exist.
 */
int conf_read(struct conf *conf, const char *path, bool must_exist,
	      struct err *err);

/* The same, but read on after a mistake, and list all of them in @faults, which
 * is empty if the file could not be read at all. @err has the one that
 * conf_read() would have found.
 */
int conf_read_all(struct conf *conf, const char *path, bool must_exist,
		  struct conf_faults *faults, struct err *err);

/* Write @conf as a file that conf_read() takes back to the same struct. Returns
 * the length, or -ENOSPC.
 */
int conf_print(const struct conf *conf, char *buf, size_t size);

/* The link called @name, or -1. */
int conf_link_index(const struct conf *conf, const char *name);

/* Give every link whose mark the file leaves open the mark that the link of its
 * name has in @old (may be NULL), if that is still free: no connection changes
 * its link because another one is added or removed. Otherwise it gets the mark
 * of its place in the file, or the lowest free one.
 */
void conf_give_marks(struct conf *conf, const struct conf *old);

/* Keep the standby table of @old if the file leaves it open and no link has it:
 * a new name in rt_tables moves nothing that is in force.
 */
void conf_keep_standby(struct conf *conf, const struct conf *old);

/* Does @old, of which this forgets what its file gave, want exactly what @conf
 * does? Compares bytes: false may also mean that it only looks different.
 */
bool conf_same(const struct conf *conf, struct conf *old);

/* The number of families that are routed: those with a lower index. IPv4 is the
 * first.
 */
unsigned int conf_families(const struct conf *conf);

/* The number of ids taken from nexthop_base on. */
uint32_t conf_nexthop_span(const struct conf *conf);

/* Is a link chosen for the host, with all its connections? */
bool conf_by_host(const struct conf *conf);

/* The tier that is used first: the lowest number of all links'. */
uint8_t conf_best_tier(const struct conf *conf);

#endif
