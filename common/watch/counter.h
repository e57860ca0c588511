/* SPDX-License-Identifier: MIT */
#ifndef MWAN_WATCH_COUNTER_H
#define MWAN_WATCH_COUNTER_H

#include "base/err.h"
#include "conf/conf.h"
#include "kernel/nl.h"
#include "watch/probe.h"

/* Packet counters of the links, in a table of nftables of their own, inet
 * mwan_watch. Since Linux 5.12 it belongs to our socket: nobody else can change
 * it, "nft flush ruleset" skips it, and it goes when we go, however we end. An
 * interface's own counters would not do: they also count ARP, what a modem says
 * on its own, and a router's refusals.
 */
struct counter {
	struct nl nl;
	unsigned int n;			/* links; 0: there is no table */
	unsigned int read;		/* counters of the last dump */
	unsigned int n_families;
	struct probe_seen seen[FAMILIES][LINKS_MAX];
};

/* Open the socket. Returns 0 or a negative errno with a sentence. */
int counter_open(struct counter *c, struct err *err);

/* Make the counters of @conf's links, from 0 on, in the place of earlier ones. */
int counter_make(struct counter *c, const struct conf *conf, struct err *err);

/* Read them all into seen. -ENOENT: they have been taken away. */
int counter_read(struct counter *c, struct err *err);

/* Take the table away, and close the socket. */
void counter_close(struct counter *c);

/* Which socket asks for these: for who hears of changes. */
unsigned int counter_port(const struct counter *c);

#endif
