/* SPDX-License-Identifier: MIT */
#ifndef MWAN_COPY_RTMSG_H
#define MWAN_COPY_RTMSG_H

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* A dump's message is never longer than the buffer that it is read
	 * into (nl.h); normalising adds at most one attribute.
	 */
	RTMSG_MAX = 32768 + 64,
};

/* One route of any kind as a message that the kernel takes as it is: a header,
 * a struct rtmsg, and the attributes in the order in which the kernel dumps
 * them, without whatever only describes the moment (dead, link down,
 * offloaded). Two routes are the same when the messages are.
 *
 * nlmsg_pid, which the kernel does not read, holds the second (CLOCK_BOOTTIME)
 * in which the route expires, 0 for never; RTA_EXPIRES is the last attribute
 * then.
 */

/* What a table is sorted by, and what one routing decision tells apart. */
struct rtmsg_key {
	uint8_t family;
	uint8_t dst_len;
	uint8_t src_len;	/* IPv6 "from" */
	uint8_t tos;		/* IPv4 */
	uint32_t priority;
	uint8_t dst[16];
	uint8_t src[16];
};

/* Seconds of CLOCK_BOOTTIME, as in nlmsg_pid. */
uint32_t rtmsg_now(void);

/* Rewrite the dumped route @in, as one of @table, to @out (RTMSG_MAX bytes,
 * aligned to 8), and fill in its key. Returns the aligned length, 0 when @in is
 * no route but a cached decision or one that has expired, or -EBADMSG.
 */
int rtmsg_normalise(const struct nlmsghdr *in, uint32_t table, uint32_t now,
		    void *out, struct rtmsg_key *key);

/* The table that the kernel dumped @in from; @family 0 when @in is cut short.
 */
uint32_t rtmsg_table(const struct nlmsghdr *in, uint8_t *family);

void rtmsg_key(const struct nlmsghdr *nlh, struct rtmsg_key *k);

/* In the order of the kernel's dumps: IPv4 by address, the longer prefix first
 * (fib_trie.c); IPv6 a prefix after everything inside it (ip6_fib.c). Source
 * specific IPv6 routes alone come in another order than this.
 */
int rtmsg_key_cmp(const struct rtmsg_key *a, const struct rtmsg_key *b);

/* The same route; expiry may differ by what rounding and the time between two
 * dumps amount to. The legs of an IPv6 multipath route have no order.
 */
bool rtmsg_equal(const struct nlmsghdr *a, const struct nlmsghdr *b);

const struct rtmsg *rtmsg_head(const struct nlmsghdr *nlh);
const struct nlattr *rtmsg_attr(const struct nlmsghdr *nlh, uint16_t type);

/* Does it need another route to reach its gateway? */
bool rtmsg_has_gateway(const struct nlmsghdr *nlh);

/* Does IPv6 make one multipath route of this one and its likes with the same
 * prefix and metric? (rt6_qualify_for_ecmp(), ip6_route.h)
 */
bool rtmsg_is_leg(const struct nlmsghdr *nlh);

/* Could deleting @u delete @k of the same key instead, if @k comes first? The
 * kernel compares only what a deletion names: "dev eth0" is also found in "via
 * 10.0.0.1 dev eth0". Errs on the side of yes.
 */
bool rtmsg_mistakable(const struct nlmsghdr *u, const struct nlmsghdr *k);

/* Make one multipath route, at @out (@size bytes), of the IPv6 gateway routes
 * @a and @b, with the attributes of @a. Returns the aligned length or
 * -EMSGSIZE.
 */
int rtmsg_join(const struct nlmsghdr *a, const struct nlmsghdr *b, void *out,
	       size_t size);

/* Shorten a multipath route; any other stays as it is. */
void rtmsg_keep_first_leg(struct nlmsghdr *nlh);

#endif
