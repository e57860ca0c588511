/* SPDX-License-Identifier: MIT */
#ifndef MWAN_KERNEL_NL_H
#define MWAN_KERNEL_NL_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	/* The kernel fills dumps in skbs of up to 32 KiB when the reader has
	 * that much room (af_netlink.c, netlink_dump()).
	 */
	NL_RX_SIZE = 32768,
	/* Room that nl_put() leaves for one message, attributes included; no
	 * message of ours but an nftables element list comes near it.
	 */
	NL_ROOM = 2048,
	/* A default receive buffer holds 256 answers; beyond that they are
	 * lost (ENOBUFS) though the changes were made.
	 */
	NL_BATCH_MAX = 128,
	NL_ENOUGH = 1,
};

/* One netlink socket. */
struct nl {
	struct mnl_socket *sock;
	uint32_t seq;
	unsigned int portid;
	bool much;		/* is there to receive: use all of rx */
	char rx[NL_RX_SIZE] __attribute__((aligned(8)));
};

/* Messages that go to the kernel in one sendmsg(2). The caller owns @buf. */
struct nl_batch {
	char *buf;
	size_t size;
	size_t len;
	unsigned int count;
	uint32_t first;		/* sequence number of the first message */
	struct nlmsghdr *last;
};

/* What the kernel said to one message of a batch. */
struct nl_refusal {
	unsigned int index;	/* which message, from 0 */
	int code;		/* a negative errno */
	const char *why;	/* the kernel's own sentence, or strerror() */
};

/* Open a socket on @bus (NETLINK_ROUTE or NETLINK_NETFILTER). Returns 0 or a
 * negative errno with a sentence in @err.
 */
int nl_open(struct nl *nl, int bus, struct err *err);
void nl_close(struct nl *nl);

/* Forked processes will receive by @nl as well. The kernel keeps in mind the most
 * room that any of them had (af_netlink.c, max_recvmsg_len), so it takes all.
 */
void nl_share(struct nl *nl);

/* Open a socket that hears of every change to the interfaces and their IPv4
 * addresses (RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR).
 */
int nl_watch(struct nl *nl, struct err *err);

/* Begin an empty batch in @size bytes at @buf (aligned to 8). */
void nl_batch_init(struct nl_batch *b, struct nl *nl, void *buf, size_t size);

/* Add a message of @type with a copy of @head, the family's own header, and
 * leave at least @room bytes for its attributes. NULL: the batch is full. The
 * message counts from here on; nl_end() must follow before the next one.
 */
struct nlmsghdr *nl_put(struct nl_batch *b, struct nl *nl, uint16_t type,
			uint16_t flags, const void *head, size_t head_len,
			size_t room);
void nl_end(struct nl_batch *b, struct nlmsghdr *nlh);

/* Called for every refused message. Returns 0 when the refusal is forgiven,
 * else a negative errno, the first of which nl_send() gives back.
 */
typedef int (*nl_refused_cb)(const struct nl_refusal *no, void *data);

/* Called for every answer that is a message of its own (a GET without DUMP),
 * or message of a dump. Returns 0, or a negative errno to fail the call.
 */
typedef int (*nl_reply_cb)(const struct nlmsghdr *nlh, void *data);

/* A number that no other network namespace has until the next boot. Returns 0 or
 * a negative errno: kernels before 5.14 do not tell.
 */
int nl_netns(const struct nl *nl, uint64_t *cookie);

/* Has the socket of nl_watch() heard, since it was opened or since the last
 * call, of a change for which @matters returns other than 0? Also true when
 * changes were lost or cannot be read.
 */
bool nl_heard(struct nl *nl, nl_reply_cb matters, void *data);

/* Its descriptor, for poll(2). */
int nl_fd(const struct nl *nl);

/* Send the batch and collect every answer. The kernel handles a batch before
 * sendmsg(2) returns, so its answers are waiting by then. Messages after a
 * refused one have still been carried out, except in an nftables batch, which
 * is all or nothing. @acked is the message that must be confirmed (NULL: the
 * last); a batch whose confirmation is missing gives -EAGAIN: unknown, read
 * the state again. Without @refused the first refusal's errno and sentence are
 * returned.
 */
int nl_send(struct nl *nl, struct nl_batch *b, struct nlmsghdr *acked,
	    nl_refused_cb refused, nl_reply_cb reply, void *data,
	    struct err *err);

/* Send a dump request, the only message of @b, and hand every answer to
 * @reply. Reads to the end also when @reply fails: a dump that is not read to
 * its end makes the next one fail with EBUSY. When @reply returns NL_ENOUGH,
 * the rest is not handed over. If it would have to be asked for, it is not read
 * either: nl_dump() then returns NL_ENOUGH, and the caller must close and open
 * the socket before its next use. Returns, after the last answer, -EINTR when
 * the kernel's objects changed meanwhile (NLM_F_DUMP_INTR: what was read may be
 * incomplete), -ENOBUFS when a part of the answer was lost, or the error in the
 * payload of NLMSG_DONE, which libmnl's mnl_cb_run() takes for success.
 */
int nl_dump(struct nl *nl, struct nl_batch *b, nl_reply_cb reply, void *data,
	    struct err *err);

/* One request and its own buffer, for what is asked once. */
enum { NL_ASK_ROOM = 128 };	/* for attributes */

struct nl_ask {
	struct nl *nl;
	struct nl_batch batch;
	char buf[256] __attribute__((aligned(8)));
};

/* Begin it. Attributes may be added to what it returns, until nl_ask_dump() or
 * nl_ask_send(), which are nl_dump() and nl_send() for this one message.
 */
struct nlmsghdr *nl_ask(struct nl_ask *ask, struct nl *nl, uint16_t type,
			const void *head, size_t head_len);
int nl_ask_dump(struct nl_ask *ask, nl_reply_cb reply, void *data,
		struct err *err);
int nl_ask_send(struct nl_ask *ask, nl_refused_cb refused, nl_reply_cb reply,
		void *data, struct err *err);

/* Sort the attributes behind @offset bytes of @nlh's payload into @tb[0..max],
 * unknown ones left out. Returns -EBADMSG when they do not fit the message.
 */
int nl_attrs(const struct nlmsghdr *nlh, size_t offset,
	     const struct nlattr **tb, uint16_t max);
int nl_nested(const struct nlattr *nest, const struct nlattr **tb,
	      uint16_t max);

/* The attribute's value; 0 where it is absent or of another length. */
uint32_t nl_u32(const struct nlattr *a);
uint32_t nl_be32(const struct nlattr *a);
uint64_t nl_be64(const struct nlattr *a);
uint16_t nl_u16(const struct nlattr *a);
uint8_t nl_u8(const struct nlattr *a);
/* The string, NUL-terminated inside its attribute, else "". */
const char *nl_str(const struct nlattr *a);

#endif
