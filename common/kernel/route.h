/* SPDX-License-Identifier: MIT */
#ifndef MWAN_KERNEL_ROUTE_H
#define MWAN_KERNEL_ROUTE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/prefix.h"
#include "kernel/nl.h"

enum {
	/* The protocol number of our routes, rules and nexthops. Nothing in
	 * iproute2's rt_protos or linux/rtnetlink.h has it.
	 */
	PROTO_MWAN = 119,
	/* linux/rtnetlink.h, RT_TABLE_* */
	TABLE_DEFAULT = 253,
	TABLE_MAIN = 254,
	TABLE_LOCAL = 255,
	/* IPv6 makes this of no metric (net/ipv6_route.h, IP6_RT_PRIO_USER). */
	METRIC_IPV6 = 1024,
};

/* A default route as far as we need to know it: ours lead to a device, to a
 * gateway behind it, or to a nexthop object; of others it is enough to see where
 * they lead.
 */
struct route {
	uint32_t table;
	uint32_t metric;
	uint32_t ifindex;	/* 0: none or several */
	uint32_t nhid;		/* 0: no nexthop object */
	uint8_t family;
	uint8_t protocol;
	uint8_t type;		/* RTN_UNICAST ... */
	uint8_t scope;
	uint8_t tos;
	uint8_t dst_len;	/* 0; 1: of the half of all addresses from 0 on */
	struct addr gateway;	/* family 0: none */
	/* IPv6: only for packets from here ("default from P"); family 0: from
	 * anywhere.
	 */
	struct prefix from;
	bool onlink;		/* as a nexthop's */
	/* It has legs, or a gateway of another family: a request cannot be
	 * made from this struct that means it and no other one.
	 */
	bool opaque;
};

/* Has @table any IPv4 route that leads somewhere or refuses? Reads no further
 * than the first. Returns 0, or a negative errno with a sentence.
 */
int route_any(struct nl *nl, uint32_t table, bool *any, struct err *err);

/* Does it refuse packets? A rule with suppress_prefixlength does not pass over
 * such a route (fib_rules.c, fib_rules_lookup(): the action's error ends it).
 */
bool route_refuses(const struct route *r);

typedef int (*route_cb)(const struct route *r, void *data);

/* Read the default routes of @table; one that does not exist has none. Where
 * the table is large, @nl is closed and opened again, so as not to read the
 * rest of it. Errors of nl_dump() and nl_open().
 */
int route_dump_defaults(struct nl *nl, uint8_t family, uint32_t table,
			route_cb cb, void *data, struct err *err);

/* The same of those that lead to the interface @ifindex. */
int route_dump_device(struct nl *nl, uint8_t family, uint32_t table,
		      uint32_t ifindex, route_cb cb, void *data,
		      struct err *err);

/* The same for IPv4, and 0.0.0.0/1, which with its other half is a default that
 * goes before all others.
 */
int route_dump_halves(struct nl *nl, uint32_t table, route_cb cb, void *data,
		      struct err *err);

/* Read the default routes of a protocol number in every table, and only them:
 * the kernel looks at every route that there is, and tells these. Errors of
 * nl_dump().
 */
int route_dump_protocol(struct nl *nl, uint8_t family, uint8_t protocol,
			route_cb cb, void *data, struct err *err);

/* Encode "add this default route in front of its equals", or "delete it".
 * Adding what is there already gives EEXIST (IPv4), deleting what is not ESRCH.
 * IPv6 knows no "in front": it takes the place of one of its metric that is of
 * its kind, by a gateway or not, which otherwise would share the packets with
 * it. Return 0 or -ENOSPC when the batch is full.
 */
int route_put_add(struct nl_batch *b, struct nl *nl, const struct route *r);
int route_put_del(struct nl_batch *b, struct nl *nl, const struct route *r);

/* An IPv6 network that is on an interface's own segment. */
struct onlink {
	uint32_t table;
	uint32_t ifindex;
	struct prefix to;
	uint32_t expires;	/* in seconds; 0: never */
};

typedef int (*onlink_cb)(const struct onlink *o, void *data);

/* Read those of our protocol number in @table. Errors of nl_dump(). */
int onlink_dump(struct nl *nl, uint32_t table, onlink_cb cb, void *data,
		struct err *err);

/* Encode "have this route", in the place of one with another time, or "delete
 * it" (ESRCH when there is none). Return 0 or -ENOSPC when the batch is full.
 */
int onlink_put_set(struct nl_batch *b, struct nl *nl, const struct onlink *o);
int onlink_put_del(struct nl_batch *b, struct nl *nl, const struct onlink *o);

bool route_equal(const struct route *a, const struct route *b);

/* As ip-route(8) takes it after "del", with the name of its interface, ""
 * without one: "unreachable default metric 4".
 */
enum { ROUTE_TEXT = 160 };
const char *route_text(const struct route *r, const char *dev,
		       char text[ROUTE_TEXT]);

/* Print a command about it: @verb is "prepend", "replace" or "del". */
void route_print(const struct route *r, const char *verb, const char *dev,
		 FILE *out);

/* Print the command that onlink_put_set() or onlink_put_del() is. */
void onlink_print_set(const struct onlink *o, FILE *out);
void onlink_print_del(const struct onlink *o, FILE *out);

#endif
