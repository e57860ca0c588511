/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CONF_STATE_H
#define MWAN_CONF_STATE_H

#include <stdint.h>

#include "base/lock.h"
#include "conf/conf.h"

#define DRAINED_PATH RUN_DIR "/drained"
#define GATEWAY_PATH RUN_DIR "/gateway"
#define HELD_PATH RUN_DIR "/held"
#define VERIFIED_PATH RUN_DIR "/verified"
#define PREFIX6_PATH RUN_DIR "/prefix6"
#define RESOLVERS_PATH RUN_DIR "/resolvers"

/* The configuration that mwan-rules has put in force, as a file in the run
 * directory: mwan-rules apply makes it before anything else, mwan-rules flush
 * removes it last of all, and a reboot empties the directory. Its first line
 * names the file that it was made from.
 */

/* Is a configuration in force, and from which file was it made? @source becomes
 * its path, "" when there was none. Returns 0, -ENOENT when nothing is in
 * force (also what is no file), -EACCES without the right to know, or another
 * negative errno when it could not be read; these two with a sentence.
 */
int accepted_source(char source[LOG_PATH_MAX], struct err *err);

/* Read it. Returns 0 or a negative errno with a sentence. */
int accepted_read(struct conf *conf, struct err *err);

/* Does it say @conf? Not as text: an earlier version may have written it. */
bool accepted_is(const struct conf *conf);

/* Write it, in one step (rename), unless it says the same already. Returns 0
 * or a negative errno with a sentence.
 */
int accepted_write(const struct conf *conf, const char *source,
		   struct err *err);

/* The run directory's part about each link of a configuration. */
struct verdicts {
	bool drained[LINKS_MAX];	/* put aside by mwan-rules drain */
	bool held[FAMILIES][LINKS_MAX];	/* up, and leads nowhere */
	bool poor[LINKS_MAX];		/* loses too much, or is too slow */
	bool aside[LINKS_MAX];		/* of verdicts_aside() */
};

/* Which links have been put aside, in a file of names beside it. Set drained of
 * every link of @conf; what the file names and @conf does not is passed over.
 * Returns 0, or a negative errno with a sentence, and no link is drained then.
 */
int drained_read(const struct conf *conf, struct verdicts *v, struct err *err);

/* Write the names of the drained links, in one step; none: remove the file.
 * Returns 0 or a negative errno with a sentence.
 */
int drained_write(const struct conf *conf, const struct verdicts *v,
		  struct err *err);

/* The next router of each link that its DHCP client or a person named last by
 * mwan-rules up; family 0: nobody did.
 */
struct gateways {
	struct addr said[LINKS_MAX][FAMILIES];
};

/* Read them from a file beside it, "NAME ADDRESS" a line, or write them in one
 * step; none: remove the file. Links that the file names and @conf does not are
 * skipped. It outlives a flush: it is the line's, not the configuration's.
 * Return 0 or a negative errno with a sentence; nothing was said then.
 */
int gateways_read(const struct conf *conf, struct gateways *g,
		  struct err *err);
int gateways_write(const struct conf *conf, const struct gateways *g,
		   struct err *err);

/* The provider's resolvers, as pppd was told by it (DNS1 and DNS2); family 0 if
 * it was told none. They are kept like gateways, and mwan-rules watch asks
 * them.
 */
enum { RESOLVERS = 2 };

struct resolvers {
	struct addr of[LINKS_MAX][RESOLVERS];
};

int resolvers_read(const struct conf *conf, struct resolvers *r,
		   struct err *err);
int resolvers_write(const struct conf *conf, const struct resolvers *r,
		    struct err *err);

/* Room for two links that get a new prefix each day for two weeks; no host has
 * older ones any more.
 */
enum { PAST6_MAX = 32 };

/* The part about each link of our nftables table's named sets: it changes when
 * a link comes up, and not with the configuration.
 */
struct table_state {
	unsigned int n_past;
	struct table_link {
		uint32_t mtu;	/* 0: not known */
		/* The prefixes that the provider accepts from the link; if none
		 * is known, nothing is foreign to it.
		 */
		struct prefixes own6;
	} link[LINKS_MAX];
	/* Earlier prefixes of any link: some hosts may still use them. They are
	 * translated everywhere. A global prefix that is neither here nor a
	 * link's is not our business.
	 */
	struct prefix past6[PAST6_MAX];
};

/* Which links get no new connections, unless there are no others: those that are
 * drained or poor.
 */
const bool *verdicts_aside(struct verdicts *v);

/* Which links are held, in a file of lines "NAME UNTIL" beside it, in IPv6
 * "NAME UNTIL ipv6", and which are poor, "NAME UNTIL poor". UNTIL are the
 * seconds of CLOCK_BOOTTIME from which on the line counts no more: whoever
 * holds a link has to say so again in time. Set held and poor of every link of
 * @conf. The rest as drained_read().
 */
int held_read(const struct conf *conf, struct verdicts *v, struct err *err);

/* Write which links are held or poor, from now on for @seconds, in one step;
 * none: remove the file. Returns 0 or a negative errno with a sentence.
 */
int held_write(const struct conf *conf, struct verdicts *v,
	       unsigned int seconds, struct err *err);

/* The remembered IPv6 prefixes of the links. */
struct prefix6 {
	struct {
		/* What mwan-rules prefix was told, and the link's interface at
		 * that time (0 if none): a new session may have another prefix.
		 */
		struct prefixes told;
		uint32_t ifindex;
		/* The prefixes of the link when it was last usable: its hosts
		 * know no other prefix while it is down.
		 */
		struct prefixes last;
		/* Its earlier prefixes, the latest first: some hosts may not
		 * have heard of the new one.
		 */
		struct prefixes past;
	} of[LINKS_MAX];
};

/* Read it, a line "NAME told IFINDEX PREFIX ...", "NAME last PREFIX ..." or "NAME
 * past PREFIX ..." each; what the file names and @conf does not is passed over.
 * Returns 0, or a negative errno with a sentence, and nothing is remembered then.
 */
int prefix6_read(const struct conf *conf, struct prefix6 *p, struct err *err);

/* Write it, in one step, unless the file says the same; nothing to remember:
 * remove the file. It outlives a flush: whoever delegates a prefix says so once.
 * Returns 0 or a negative errno with a sentence.
 */
int prefix6_write(const struct conf *conf, const struct prefix6 *p,
		  struct err *err);

/* The nftables table that a hook has read and found to be exactly what is wanted,
 * for the next one to see that it is still the same. Each number is unique only
 * together with the others, and until the next boot, which empties the run
 * directory.
 */
struct verified {
	uint64_t netns;		/* cookie of the network namespace */
	uint64_t ruleset;	/* nftmsg_digest() of what was wanted */
	uint64_t table;		/* handle of the kernel's table */
	uint32_t generation;	/* of nftables; 0: none was verified */
	unsigned int n_links;	/* of the ruleset */
	struct table_state state;
};

/* Complete @v, which has netns, ruleset and the number of its links, with what
 * was verified of these. An odd file counts as nothing verified: generation 0.
 */
void verified_read(struct verified *v);

/* Keep @v, in one step, for verified_read(). It is a help and no more: a failure
 * costs the next hook a full reading.
 */
void verified_write(const struct verified *v);

/* Remove all of them. Returns 0 (also if it does not exist) or a negative
 * errno.
 */
int accepted_drop(struct err *err);

#endif
