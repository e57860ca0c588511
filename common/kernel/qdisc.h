/* SPDX-License-Identifier: MIT */
#ifndef MWAN_KERNEL_QDISC_H
#define MWAN_KERNEL_QDISC_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "kernel/nl.h"

enum qdisc_kind {
	QDISC_NONE,		/* leave the device's queue alone */
	QDISC_PRIO_SFQ,		/* prio 1: with sfq 10: 20: 30: */
	QDISC_FQ_CODEL,
	QDISC_CAKE,
	/* prio-sfq on a point-to-point device; the device's own on any other:
	 * a network card has a queue for each of its rings, and a pseudo-device
	 * such as a bridge or VLAN none, as its card's serves it.
	 */
	QDISC_AUTO,
};

struct qdisc_conf {
	enum qdisc_kind kind;
	uint64_t bandwidth;	/* cake: bytes a second; 0: unlimited */
};

enum { QDISC_BANDS = 3, QDISC_KIND_MAX = 16 };

/* The queue that a person asks for, by the words of mwan.ini: "prio-sfq", "cake
 * bandwidth 20mbit". qdisc_conf_parse() returns 0, or -EINVAL with a sentence
 * that lists the words.
 */
int qdisc_conf_parse(const char *text, struct qdisc_conf *q, struct err *err);
const char *qdisc_conf_text(const struct qdisc_conf *q, char *buf,
			    size_t size);

/* What @q asks for on such a device: one of the other kinds. @shared: it is no
 * point-to-point device.
 */
const struct qdisc_conf *qdisc_conf_for(const struct qdisc_conf *q,
					bool shared);

/* The queue that an interface has. */
struct qdisc {
	char kind[QDISC_KIND_MAX];	/* of the root; "" where not told */
	uint32_t handle;		/* 0: the kernel's own default */
	uint64_t bandwidth;		/* of a cake, bytes a second */
	uint8_t sfq_bands;		/* bit per band of a prio with sfq */
};

/* Encode the questions that tell @ifindex's queue (a refusal is an answer
 * too: "there is none"); the replies belong to qdisc_reply(), which returns
 * -EBADMSG for a malformed one. Returns 0 or -ENOSPC.
 */
int qdisc_put_get(struct nl_batch *b, struct nl *nl, uint32_t ifindex);

/* Which interface a reply is about, 0 when it is about none. */
uint32_t qdisc_reply_ifindex(const struct nlmsghdr *nlh);
int qdisc_reply(const struct nlmsghdr *nlh, struct qdisc *q);

/* Is this queue what @want says? Is it one of ours? */
bool qdisc_matches(const struct qdisc *q, const struct qdisc_conf *want);
bool qdisc_is_ours(const struct qdisc *q);

/* Encode "take the queue from @ifindex" (ENOENT when it has none), or "give
 * it what this one lacks in place of @is": an sfq cannot be replaced by
 * another under the same handle. Return 0 or -ENOSPC.
 */
int qdisc_put_del(struct nl_batch *b, struct nl *nl, uint32_t ifindex);
int qdisc_put_set(struct nl_batch *b, struct nl *nl, uint32_t ifindex,
		  const struct qdisc *is, const struct qdisc_conf *want);

/* Print the same as tc commands. */
void qdisc_print_set(const char *dev, const struct qdisc *is,
		     const struct qdisc_conf *want, FILE *out);
void qdisc_print_del(const char *dev, FILE *out);

#endif
