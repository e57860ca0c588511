/* SPDX-License-Identifier: MIT */
#ifndef MWAN_KERNEL_RULE_H
#define MWAN_KERNEL_RULE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/addr.h"
#include "kernel/nl.h"

/* The attributes of a rule as they were read. All that the kernel tells of an
 * IPv4 rule today fits; a rule with more has no raw.
 */
enum { RULE_RAW_MAX = 320 };

struct rule_raw {
	uint16_t len;
	char attrs[RULE_RAW_MAX] __attribute__((aligned(4)));
};

/* A policy rule of the kinds that we make: "lookup TABLE" with at most a mark,
 * a source and a destination, which in IPv6 may be prefixes, and "iif lo": of the
 * router itself. Two equal structs are the same rule.
 */
struct rule {
	uint32_t priority;
	uint32_t table;
	uint32_t mark;
	uint32_t mask;			/* 0: any mark */
	bool invert;			/* "not" */
	bool suppress_default;		/* suppress_prefixlength 0 */
	uint8_t family;
	uint8_t protocol;
	struct addr from, to;		/* family 0: any */
	/* It has something that is none of the above; ours never have. It can
	 * be deleted by what was read of it alone; NULL: not at all.
	 */
	bool foreign;
	const struct rule_raw *raw;	/* not owned */
	/* Of a rule that was read: it looks at more than the mark, or leaves
	 * out routes.
	 */
	bool partial;
	uint8_t action;			/* linux/fib_rules.h, FR_ACT_* */
	/* What others select by as well: the bits of from and to that count (0:
	 * of a rule that was read none, of one to be made all), and an
	 * interface; and whether that is all there is.
	 */
	uint8_t from_len, to_len, tos;
	char iif[IFNAMSIZ];
	bool opaque;
	bool own;		/* it is for the router's own packets alone */
};

/* The callee has @r's raw only until it returns. */
typedef int (*rule_cb)(const struct rule *r, void *data);

/* Read the rules of @family that have the protocol number @protocol, or all of
 * them (RULE_ANYONES). Errors of nl_dump().
 */
enum { RULE_ANYONES = -1 };
int rule_dump(struct nl *nl, uint8_t family, int protocol, rule_cb cb,
	      void *data, struct err *err);

/* Encode "add this rule" (EEXIST when it is there) or "delete the first rule
 * like it" (ENOENT when there is none), which of a foreign one says all that it
 * has. Return 0 or -ENOSPC when the batch is
 * full.
 */
int rule_put_add(struct nl_batch *b, struct nl *nl, const struct rule *r);
int rule_put_del(struct nl_batch *b, struct nl *nl, const struct rule *r);

bool rule_equal(const struct rule *a, const struct rule *b);

/* A rule, of others also one that refuses, as ip-rule(8) writes it: "pref 1001
 * fwmark 0x1/0xff lookup 201". rule_what(): without its priority.
 */
enum { RULE_TEXT = 200 };
const char *rule_text(const struct rule *r, char text[RULE_TEXT]);
const char *rule_what(const struct rule *r, char *text, size_t size);

/* Print a command about it: @verb is "add" or "del". */
void rule_print(const struct rule *r, const char *verb, FILE *out);

#endif
