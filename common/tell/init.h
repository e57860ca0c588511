/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_INIT_H
#define MWAN_TELL_INIT_H

#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "kernel/nl.h"
#include "kernel/pppd.h"

enum {
	/* More than one reads through; who has more writes them himself. */
	INIT_LINKS = 32,
	INIT_LAN = 16,
	INIT_NOTES = 64,
	INIT_FROM = 200,
};

/* A line of this machine that a configuration is to have. */
struct init_link {
	char name[IFNAMSIZ];
	char from[INIT_FROM];		/* where it was found, in words */
	char linkname[PPPD_LINKNAME];	/* that pppd gives it; or "" */
	char file[PPPD_LINKNAME];	/* of /etc/ppp/peers, were it plain */
	uint32_t table;
	bool named;			/* rt_tables has the link's name */
	bool wireless;			/* LTE and its like */
	bool doubtful;			/* it may be no line at all */
};

/* What there is of it on this machine, and what is to be said about that. */
struct init {
	unsigned int n_links, n_lan, n_notes;
	struct init_link link[INIT_LINKS];
	char lan[INIT_LAN][IFNAMSIZ];
	struct err note[INIT_NOTES];
	unsigned int n_lines;	/* links that are not doubtful */
	bool own_marks;		/* somebody uses the marks 1, 2, ... */
	bool ipv6;		/* a line asks for it */
};

/* Look at the machine: pppd's files, interfaces, routes, rules, rt_tables,
 * NetworkManager, and the scripts that mwan takes the place of. Writes nothing.
 * Returns 0 or a negative errno with a sentence.
 */
int init_look(struct init *in, struct nl *rtnl, struct err *err);

/* Write the mwan.ini that fits it, with its notes as comments. */
void init_print(const struct init *in, FILE *out);

#endif
