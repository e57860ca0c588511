// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kernel/nl.h"

/* Not in the headers of every distribution we build on. */
#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* Appended to messages about replies that no known kernel sends. */
#define REPORT ": report it with the kernel's version (uname -r)"

enum {
	NL_EXTACK_LEN = 256,
	/* How often a dump goes on after ENOBUFS: without memory it would
	 * never end.
	 */
	NL_LOST_MAX = 32,
	/* A part of a dump that does not end it is nearly as long as a page
	 * without its overhead, 3.7 KB, or longer (netlink_dump()).
	 */
	NL_PART_MIN = 3072,
	/* The room to receive in until there is much. The kernel allocates as
	 * much for the next part of a dump, be it empty (netlink_dump()), and
	 * many kernels clear what they allocate, Debian's too
	 * (CONFIG_INIT_ON_ALLOC_DEFAULT_ON). With the kernel's own 320 bytes
	 * this fits 8 KiB. A dump's first part is a page, and 8 KiB at the
	 * most, whatever room there is.
	 */
	NL_RX_FIRST = 8192 - 512,
	/* What a machine with thousands of interfaces may say in the tenths of
	 * a second that a run takes; it counts what waits and takes nothing by
	 * itself. The default holds about a hundred messages.
	 */
	NL_WATCH_SIZE = 4 * 1024 * 1024,
};

/* NLMSG_ALIGN() for sizes: the kernel's macro counts in int. */
static size_t align(size_t len)
{
	return (len + NLMSG_ALIGNTO - 1) & ~(size_t)(NLMSG_ALIGNTO - 1);
}

static int open_bound(struct nl *nl, int bus, unsigned int groups,
		      struct err *err)
{
	int code;

	memset(nl, 0, offsetof(struct nl, rx));
	nl->sock = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!nl->sock) {
		code = -errno;
		if (code != -EPROTONOSUPPORT && code != -EAFNOSUPPORT)
			return err_set(err, code, "cannot open a netlink "
				       "socket: %s%s", strerror(-code),
				       err_advice(code));
		return err_set(err, code,
			       "cannot open a netlink socket: %s; is this "
			       "kernel built with %s?", strerror(-code),
			       bus == NETLINK_ROUTE ? "CONFIG_NET" :
			       "CONFIG_NETFILTER_NETLINK");
	}
	if (mnl_socket_bind(nl->sock, groups, MNL_SOCKET_AUTOPID) < 0) {
		code = -errno;
		nl_close(nl);
		return err_set(err, code, "cannot bind a netlink socket: %s%s",
			       strerror(-code), err_advice(code));
	}
	return 0;
}

int nl_open(struct nl *nl, int bus, struct err *err)
{
	int on = 1, code = open_bound(nl, bus, 0, err);

	if (code)
		return code;
	nl->portid = mnl_socket_get_portid(nl->sock);
	nl->seq = (uint32_t)time(NULL);
	nl->much = sysconf(_SC_PAGESIZE) > NL_RX_FIRST;
	/* Each one helps, none is required: a kernel without the strict check
	 * answers a dump in full, and all our readers filter by themselves.
	 */
	mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->sock, NETLINK_GET_STRICT_CHK, &on,
			      sizeof(on));
	return 0;
}

void nl_share(struct nl *nl)
{
	nl->much = true;
}

int nl_watch(struct nl *nl, struct err *err)
{
	int size = NL_WATCH_SIZE;
	int code = open_bound(nl, NETLINK_ROUTE,
			      RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
			      RTMGRP_IPV6_IFADDR, err);

	/* Without the right to raise it, the default must do. */
	if (!code)
		setsockopt(mnl_socket_get_fd(nl->sock), SOL_SOCKET,
			   SO_RCVBUFFORCE, &size, sizeof(size));
	return code;
}

int nl_netns(const struct nl *nl, uint64_t *cookie)
{
	socklen_t len = sizeof(*cookie);

	return getsockopt(mnl_socket_get_fd(nl->sock), SOL_SOCKET,
			  SO_NETNS_COOKIE, cookie, &len) ? -errno : 0;
}

/* Does one of the messages in these @n bytes matter? A malformed one may. */
static bool any_matters(const struct nl *nl, size_t n, nl_reply_cb matters,
			void *data)
{
	const struct nlmsghdr *nlh = (const void *)nl->rx;
	int left = (int)n;

	if (!n || n > sizeof(nl->rx))
		return true;
	while (mnl_nlmsg_ok(nlh, left) && nlh->nlmsg_len <= (uint32_t)left) {
		if (matters(nlh, data))
			return true;
		nlh = mnl_nlmsg_next(nlh, &left);
	}
	return left > 0;
}

int nl_fd(const struct nl *nl)
{
	return mnl_socket_get_fd(nl->sock);
}

bool nl_heard(struct nl *nl, nl_reply_cb matters, void *data)
{
	bool heard = false;
	ssize_t n;

	do {
		/* MSG_TRUNC: the length that it has, not what fits. */
		n = recv(mnl_socket_get_fd(nl->sock), nl->rx, sizeof(nl->rx),
			 MSG_DONTWAIT | MSG_TRUNC);
		if (n >= 0)
			heard = heard ||
				any_matters(nl, (size_t)n, matters, data);
		/* ENOBUFS: there was more than the buffer holds. */
		else if (errno != EAGAIN && errno != EWOULDBLOCK)
			heard = true;
	} while (n >= 0 || errno == EINTR || errno == ENOBUFS);
	return heard;
}

void nl_close(struct nl *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
	nl->sock = NULL;
}

void nl_batch_init(struct nl_batch *b, struct nl *nl, void *buf, size_t size)
{
	*b = (struct nl_batch){ .buf = buf, .size = size,
				.first = nl->seq + 1 };
}

struct nlmsghdr *nl_put(struct nl_batch *b, struct nl *nl, uint16_t type,
			uint16_t flags, const void *head, size_t head_len,
			size_t room)
{
	struct nlmsghdr *nlh;

	if (b->size - b->len < sizeof(*nlh) + align(head_len) + room)
		return NULL;
	nlh = mnl_nlmsg_put_header(b->buf + b->len);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++nl->seq;
	memcpy(mnl_nlmsg_put_extra_header(nlh, head_len), head, head_len);
	b->count++;
	b->last = nlh;
	return nlh;
}

void nl_end(struct nl_batch *b, struct nlmsghdr *nlh)
{
	b->len = (size_t)((char *)nlh - b->buf) + align(nlh->nlmsg_len);
}

/* The kernel's own sentence (NLMSGERR_ATTR_MSG), or strerror(). With
 * NETLINK_CAP_ACK the request is not repeated, only its header is.
 */
static void extack(const struct nlmsghdr *nlh, int code,
		   char why[NL_EXTACK_LEN])
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	size_t offset = sizeof(*e);
	const struct nlattr *tb[NLMSGERR_ATTR_MSG + 1];

	if (!(nlh->nlmsg_flags & NLM_F_CAPPED) &&
	    e->msg.nlmsg_len > sizeof(e->msg))
		offset += align(e->msg.nlmsg_len - sizeof(e->msg));
	if ((nlh->nlmsg_flags & NLM_F_ACK_TLVS) &&
	    mnl_nlmsg_get_payload_len(nlh) > offset &&
	    !nl_attrs(nlh, offset, tb, NLMSGERR_ATTR_MSG) &&
	    *nl_str(tb[NLMSGERR_ATTR_MSG])) {
		strncpy(why, nl_str(tb[NLMSGERR_ATTR_MSG]), NL_EXTACK_LEN - 1);
		why[NL_EXTACK_LEN - 1] = '\0';
	} else {
		strncpy(why, strerror(-code), NL_EXTACK_LEN - 1);
		why[NL_EXTACK_LEN - 1] = '\0';
	}
}

/* Receive without waiting. Returns the bytes read, 0 when nothing is there.
 * Only the kernel has port 0; other programs may send to our port, and are not
 * listened to.
 */
static ssize_t receive(struct nl *nl, struct err *err)
{
	size_t room = nl->much ? sizeof(nl->rx) : NL_RX_FIRST;
	struct sockaddr_nl from;
	struct iovec iov = { .iov_base = nl->rx, .iov_len = room };
	struct msghdr msg = { .msg_name = &from, .msg_iov = &iov,
			      .msg_iovlen = 1 };
	ssize_t n;

	do {
		from.nl_pid = 0;
		msg.msg_namelen = sizeof(from);
		n = recvmsg(mnl_socket_get_fd(nl->sock), &msg, MSG_DONTWAIT);
	} while (n < 0 ? errno == EINTR :
		 msg.msg_namelen != sizeof(from) || from.nl_pid != 0);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0)
		return err_set(err, -errno, "cannot read the kernel's answer: "
			       "%s%s", strerror(errno), err_advice(-errno));
	/* Somebody has told this socket of more room, or this kernel's parts
	 * are longer than any that we know.
	 */
	if (msg.msg_flags & MSG_TRUNC && !nl->much) {
		nl->much = true;
		return err_set(err, -ENOBUFS, "an answer of the kernel was "
			       "longer than expected: try again");
	}
	if (msg.msg_flags & MSG_TRUNC)
		return err_set(err, -EBADMSG,
			       "an answer of the kernel is longer than %zu "
			       "bytes" REPORT, room);
	nl->much = nl->much || n >= NL_PART_MIN;
	return n;
}

static int transmit(struct nl *nl, const struct nl_batch *b, struct err *err)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = nl->sock ? mnl_socket_get_fd(nl->sock) : -1;
	ssize_t n;

	do {
		n = sendto(fd, b->buf, b->len, 0,
			   (const struct sockaddr *)&kernel, sizeof(kernel));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(err, -errno, "cannot send to the kernel: %s%s",
			       strerror(errno), err_advice(-errno));
	return 0;
}

/* State of one nl_send() or nl_dump(). */
struct talk {
	struct nl *nl;
	const struct nl_batch *b;
	uint32_t ack;
	bool acked, interrupted, enough;
	nl_refused_cb refused;
	nl_reply_cb reply;
	void *data;
	struct err *err;
	int code;		/* the first failure */
};

static void refuse(struct talk *t, const struct nlmsghdr *nlh, int code)
{
	char why[NL_EXTACK_LEN];
	struct nl_refusal no = { .index = nlh->nlmsg_seq - t->b->first,
				 .code = code, .why = why };

	extack(nlh, code, why);
	if (t->refused)
		code = t->refused(&no, t->data);
	else if (!t->code)
		err_set(t->err, code, "the kernel says: %s%s", why,
			err_advice(code));
	if (!t->code)
		t->code = code;
}

/* A number that is no errno (linux/err.h, MAX_ERRNO) says nothing. */
static int errno_of(int error)
{
	return error < -4095 ? -EBADMSG : error;
}

static void answer(struct talk *t, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	int code;

	/* An answer to an earlier call that ended in ENOBUFS. */
	if (nlh->nlmsg_seq - t->b->first >= t->b->count ||
	    nlh->nlmsg_pid != t->nl->portid)
		return;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		t->interrupted = true;
	if (nlh->nlmsg_type == NLMSG_DONE) {
		t->acked = true;
		if (mnl_nlmsg_get_payload_len(nlh) < sizeof(code))
			return;
		memcpy(&code, mnl_nlmsg_get_payload(nlh), sizeof(code));
		code = errno_of(code);
		if (code < 0 && !t->code)
			t->code = err_set(t->err, code, "the kernel says: "
					  "%s%s", strerror(-code),
					  err_advice(code));
		return;
	}
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e)) {
			t->code = err_set(t->err, -EBADMSG,
					  "an answer of the kernel is too "
					  "short" REPORT);
			return;
		}
		if (nlh->nlmsg_seq == t->ack)
			t->acked = true;
		if (e->error < 0)
			refuse(t, nlh, errno_of(e->error));
		return;
	}
	if (nlh->nlmsg_type < NLMSG_MIN_TYPE || !t->reply || t->enough)
		return;
	code = t->reply(nlh, t->data);
	t->enough = code == NL_ENOUGH;
	if (code && !t->enough && !t->code)
		t->code = err_set(t->err, code, "cannot use an answer of the "
				  "kernel: %s%s", strerror(-code),
				  err_advice(code));
}

/* Hand over the messages of one receive(). */
static void answers(struct talk *t, ssize_t n)
{
	const struct nlmsghdr *nlh = (const void *)t->nl->rx;
	int left = (int)n;

	/* libmnl takes a length of 2 GiB and more for a negative one. */
	while (mnl_nlmsg_ok(nlh, left) && nlh->nlmsg_len <= (uint32_t)left) {
		answer(t, nlh);
		nlh = mnl_nlmsg_next(nlh, &left);
	}
}

int nl_send(struct nl *nl, struct nl_batch *b, struct nlmsghdr *acked,
	    nl_refused_cb refused, nl_reply_cb reply, void *data,
	    struct err *err)
{
	struct talk t = { .nl = nl, .b = b, .refused = refused,
			  .reply = reply, .data = data, .err = err };
	ssize_t n;
	int code;

	if (!b->count)
		return 0;
	if (!acked)
		acked = b->last;
	acked->nlmsg_flags |= NLM_F_ACK;
	t.ack = acked->nlmsg_seq;
	code = transmit(nl, b, err);
	if (code)
		return code;
	/* The kernel answers in the order of the messages: behind the last
	 * one's acknowledgement there is nothing.
	 */
	do {
		n = receive(nl, err);
		answers(&t, n);
	} while (n > 0 && !(t.acked && acked == b->last));
	if (n < 0)
		return (int)n;
	if (!t.acked && !t.code)
		return err_set(err, -EAGAIN, "the kernel did not answer in "
			       "full: try again");
	return t.code;
}

int nl_dump(struct nl *nl, struct nl_batch *b, nl_reply_cb reply, void *data,
	    struct err *err)
{
	struct talk t = { .nl = nl, .b = b, .reply = reply, .data = data,
			  .err = err, .ack = b->first };
	unsigned int lost = 0;
	ssize_t n;
	int code;

	b->last->nlmsg_flags |= NLM_F_DUMP;
	code = transmit(nl, b, err);
	if (code)
		return code;
	/* Each receive() makes the kernel fill the next part. */
	while (!t.acked) {
		n = receive(nl, err);
		if (n == -ENOBUFS && ++lost < NL_LOST_MAX)
			continue;
		if (n < 0)
			return (int)n;
		if (n == 0)
			return err_set(err, -EAGAIN, "the kernel's answer "
				       "ends in the middle: try again");
		answers(&t, n);
		/* After a part that is not full, the end costs nothing. */
		if (t.enough && !t.acked && !t.code && n >= NL_PART_MIN)
			return NL_ENOUGH;
	}
	if (!t.code && lost)
		return err_set(err, -ENOBUFS, "parts of the kernel's answer "
			       "were lost: %s%s", strerror(ENOBUFS),
			       err_advice(-ENOBUFS));
	if (!t.code && t.interrupted)
		return err_set(err, -EINTR, "the kernel's state changed while "
			       "it was read: try again");
	return t.code;
}

struct nlmsghdr *nl_ask(struct nl_ask *ask, struct nl *nl, uint16_t type,
			const void *head, size_t head_len)
{
	ask->nl = nl;
	nl_batch_init(&ask->batch, nl, ask->buf, sizeof(ask->buf));
	return nl_put(&ask->batch, nl, type, 0, head, head_len, NL_ASK_ROOM);
}

int nl_ask_dump(struct nl_ask *ask, nl_reply_cb reply, void *data,
		struct err *err)
{
	nl_end(&ask->batch, ask->batch.last);
	return nl_dump(ask->nl, &ask->batch, reply, data, err);
}

int nl_ask_send(struct nl_ask *ask, nl_refused_cb refused, nl_reply_cb reply,
		void *data, struct err *err)
{
	nl_end(&ask->batch, ask->batch.last);
	return nl_send(ask->nl, &ask->batch, NULL, refused, reply, data, err);
}

static int sort(const struct nlattr *a, const char *end,
		const struct nlattr **tb, uint16_t max)
{
	size_t i;

	for (i = 0; i <= max; i++)
		tb[i] = NULL;
	while (mnl_attr_ok(a, (int)(end - (const char *)a))) {
		if (mnl_attr_get_type(a) <= max)
			tb[mnl_attr_get_type(a)] = a;
		a = mnl_attr_next(a);
	}
	return (const char *)a < end ? -EBADMSG : 0;
}

int nl_attrs(const struct nlmsghdr *nlh, size_t offset,
	     const struct nlattr **tb, uint16_t max)
{
	if (mnl_nlmsg_get_payload_len(nlh) < offset)
		return -EBADMSG;
	/* Not mnl_nlmsg_get_payload_tail(), which rounds up: up to three bytes
	 * behind the message would be the last attribute's.
	 */
	return sort(mnl_nlmsg_get_payload_offset(nlh, offset),
		    (const char *)nlh + nlh->nlmsg_len, tb, max);
}

int nl_nested(const struct nlattr *nest, const struct nlattr **tb,
	      uint16_t max)
{
	const char *start = mnl_attr_get_payload(nest);

	return sort((const void *)start,
		    start + mnl_attr_get_payload_len(nest), tb, max);
}

uint32_t nl_u32(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) == sizeof(uint32_t) ?
	       mnl_attr_get_u32(a) : 0;
}

uint32_t nl_be32(const struct nlattr *a)
{
	return ntohl(nl_u32(a));
}

uint64_t nl_be64(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) == sizeof(uint64_t) ?
	       be64toh(mnl_attr_get_u64(a)) : 0;
}

uint16_t nl_u16(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) == sizeof(uint16_t) ?
	       mnl_attr_get_u16(a) : 0;
}

uint8_t nl_u8(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) == sizeof(uint8_t) ?
	       mnl_attr_get_u8(a) : 0;
}

const char *nl_str(const struct nlattr *a)
{
	const char *s = a ? mnl_attr_get_payload(a) : NULL;

	return s && memchr(s, '\0', mnl_attr_get_payload_len(a)) ? s : "";
}
