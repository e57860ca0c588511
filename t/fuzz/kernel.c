// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "kernel.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ASAN_POISON_MEMORY_REGION(\
						start, size)
#endif

enum {
	PORT = 77,
	TYPES = 1 << 12,	/* all that are sent are below */
	PARTS_MAX = 4096,
	QUEUE_MAX = 256,
	SENT_MAX = 512,		/* requests of one sendto() while recording */
};

ssize_t __real_sendto(int fd, const void *buf, size_t len, int flags,
		      const struct sockaddr *to, socklen_t to_len);
ssize_t __real_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __real_recv(int fd, void *buf, size_t len, int flags);
int __real_nl_open(struct nl *nl, int bus, struct err *err);
int __real_nl_watch(struct nl *nl, struct err *err);
void __real_nl_close(struct nl *nl);
ssize_t __wrap_sendto(int fd, const void *buf, size_t len, int flags,
		      const struct sockaddr *to, socklen_t to_len);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags);
int __wrap_nl_open(struct nl *nl, int bus, struct err *err);
int __wrap_nl_watch(struct nl *nl, struct err *err);
void __wrap_nl_close(struct nl *nl);

/* An answer that waits to be read: a part, or, without one, the kernel's word
 * that is not in the input.
 */
struct answer {
	struct part part;
	const uint8_t *data;
	uint32_t seq;
	uint16_t type;		/* NLMSG_DONE, NLMSG_ERROR; 0: the part */
	int code;
};

static struct {
	const uint8_t *data;
	size_t size;
	/* Where to look for the next part of a type. */
	size_t next[TYPES];
	struct answer queue[QUEUE_MAX];
	unsigned int head, tail;
	FILE *out;
	uint16_t sent[SENT_MAX];	/* the types of the last requests */
	uint32_t first;			/* and their first number */
	unsigned int n_sent;
} k;

void kernel_begin(const uint8_t *data, size_t size)
{
	k.data = data;
	k.size = size;
	memset(k.next, 0, sizeof(k.next));
	k.head = k.tail = 0;
}

const uint8_t *kernel_part(uint16_t type, struct part *head)
{
	size_t *at = &k.next[type % TYPES];
	const uint8_t *found = NULL;

	while (!found && k.size - *at >= sizeof(*head)) {
		memcpy(head, k.data + *at, sizeof(*head));
		*at += sizeof(*head);
		if (head->len > k.size - *at)
			head->len = (uint16_t)(k.size - *at);
		if (head->type == type)
			found = k.data + *at;
		*at += head->len;
	}
	return found;
}

/* --- being the kernel --- */

static void enqueue(const struct answer *a)
{
	if (k.tail - k.head < QUEUE_MAX)
		k.queue[k.tail++ % QUEUE_MAX] = *a;
}

static bool is_dump(const struct nlmsghdr *nlh)
{
	return (nlh->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
}

/* rtnetlink's types come in fours, of which the third asks (rtnetlink.c); of
 * nfnetlink's subsystems we ask with these.
 */
static bool is_question(const struct nlmsghdr *nlh)
{
	const unsigned int subsystem = nlh->nlmsg_type >> 8;

	return subsystem ? subsystem == NFNL_SUBSYS_NFTABLES &&
			   (nlh->nlmsg_type & 0xff) == 1 :
			   nlh->nlmsg_type >= RTM_BASE &&
			   nlh->nlmsg_type % 4 == 2;
}

/* Returns the errno of sendto(), or 0. */
static int take_request(const struct nlmsghdr *nlh)
{
	struct answer a = { .seq = nlh->nlmsg_seq };

	a.data = kernel_part(nlh->nlmsg_type, &a.part);
	if (a.data && (a.part.flags & PART_UNSENT) && a.part.error)
		return a.part.error;
	if (a.data)
		enqueue(&a);
	if (is_dump(nlh)) {
		a.type = NLMSG_DONE;
		enqueue(&a);
		return 0;
	}
	a.type = NLMSG_ERROR;
	a.code = !a.data && is_question(nlh) ? -ENOENT : 0;
	if (a.code || (nlh->nlmsg_flags & NLM_F_ACK))
		enqueue(&a);
	return 0;
}

static void remember_request(const struct nlmsghdr *nlh)
{
	if (!k.n_sent)
		k.first = nlh->nlmsg_seq;
	if (k.n_sent < SENT_MAX)
		k.sent[k.n_sent++] = nlh->nlmsg_type;
}

ssize_t __wrap_sendto(int fd, const void *buf, size_t len, int flags,
		      const struct sockaddr *to, socklen_t to_len)
{
	const struct nlmsghdr *nlh = buf;
	int left = (int)len;

	k.n_sent = 0;
	while (mnl_nlmsg_ok(nlh, left)) {
		if (k.out)
			remember_request(nlh);
		else if ((errno = take_request(nlh)))
			return -1;
		nlh = mnl_nlmsg_next(nlh, &left);
	}
	/* What we send is our own: always whole. */
	must(!left);
	return k.out ? __real_sendto(fd, buf, len, flags, to, to_len) :
		       (ssize_t)len;
}

/* The input cannot know the request's number, and seldom knows lengths. */
static void address(char *buf, size_t len, const struct answer *a)
{
	struct nlmsghdr *nlh = (void *)buf;
	int left = (int)len;

	while (left >= (int)sizeof(*nlh)) {
		if (!(a->part.flags & PART_EXACT) &&
		    (nlh->nlmsg_len < sizeof(*nlh) ||
		     nlh->nlmsg_len > (uint32_t)left))
			nlh->nlmsg_len = (uint32_t)left;
		nlh->nlmsg_seq += a->seq;
		nlh->nlmsg_pid += PORT;
		if (nlh->nlmsg_len < sizeof(*nlh) ||
		    nlh->nlmsg_len > (uint32_t)left)
			return;
		nlh = mnl_nlmsg_next(nlh, &left);
	}
}

/* What the kernel says of its own accord: "done", "confirmed", "no". */
static size_t say(char *buf, const struct answer *a)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlmsgerr *e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e));

	e->error = a->code;
	e->msg.nlmsg_len = sizeof(e->msg);
	nlh->nlmsg_flags = NLM_F_CAPPED;
	nlh->nlmsg_type = a->type;
	nlh->nlmsg_seq = a->seq;
	nlh->nlmsg_pid = PORT;
	return nlh->nlmsg_len;
}

static ssize_t answer_next(struct msghdr *msg)
{
	struct sockaddr_nl *from = msg->msg_name;
	const struct answer *a;
	char *buf = msg->msg_iov->iov_base;
	size_t len = msg->msg_iov->iov_len, n;

	ASAN_UNPOISON_MEMORY_REGION(buf, len);
	errno = EAGAIN;
	if (k.head == k.tail)
		return -1;
	a = &k.queue[k.head++ % QUEUE_MAX];
	*from = (struct sockaddr_nl){ .nl_family = AF_NETLINK };
	msg->msg_namelen = sizeof(*from);
	msg->msg_flags = 0;
	if (a->type)
		return (ssize_t)say(buf, a);
	errno = a->part.error;
	if (errno)
		return -1;
	from->nl_pid = a->part.flags & PART_STRANGER ? 1 : 0;
	if (a->part.flags & PART_TRUNCATED)
		msg->msg_flags = MSG_TRUNC;
	n = a->part.len < len ? a->part.len : len;
	memset(buf, 0xff, len < n + 64 ? len : n + 64);
	memcpy(buf, a->data, n);
	address(buf, n, a);
	/* What lies behind the answer is never looked at. */
	ASAN_POISON_MEMORY_REGION(buf + n, len - n);
	return (ssize_t)n;
}

static void record_answer(const char *buf, size_t len)
{
	static char copy[NL_RX_SIZE] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = (void *)copy;
	uint32_t at = ((const struct nlmsghdr *)(const void *)buf)->nlmsg_seq -
		      k.first;
	int left = (int)len;

	if (at >= k.n_sent || len > sizeof(copy))
		return;
	memcpy(copy, buf, len);
	while (mnl_nlmsg_ok(nlh, left)) {
		nlh->nlmsg_seq -= k.first + at;
		nlh->nlmsg_pid = 0;
		nlh = mnl_nlmsg_next(nlh, &left);
	}
	kernel_write(k.out, k.sent[at], 0, copy, len);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t n;

	if (!k.out)
		return answer_next(msg);
	n = __real_recvmsg(fd, msg, flags);
	if (n > 0)
		record_answer(msg->msg_iov->iov_base, (size_t)n);
	return n;
}

/* Only the watching socket is read so. */
ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags)
{
	struct part head;
	const uint8_t *data;

	if (k.out)
		return __real_recv(fd, buf, len, flags);
	data = kernel_part(PART_CHANGED, &head);
	errno = data ? head.error : EAGAIN;
	if (errno)
		return -1;
	memcpy(buf, data, head.len < len ? head.len : len);
	return head.len;
}

/* --- sockets --- */

void kernel_open(struct nl *nl)
{
	static struct mnl_socket *sock;
	int pair[2];

	if (!sock) {
		must(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
		sock = mnl_socket_fdopen(pair[0]);
	}
	/* What an earlier socket has not read is gone with it. */
	k.head = k.tail;
	nl->sock = sock;
	nl->portid = PORT;
	nl->seq = 0xfffffff0;	/* numbers may wrap */
}

int __wrap_nl_open(struct nl *nl, int bus, struct err *err)
{
	if (k.out)
		return __real_nl_open(nl, bus, err);
	kernel_open(nl);
	return 0;
}

int __wrap_nl_watch(struct nl *nl, struct err *err)
{
	if (k.out)
		return __real_nl_watch(nl, err);
	kernel_open(nl);
	return 0;
}

void __wrap_nl_close(struct nl *nl)
{
	if (k.out)
		__real_nl_close(nl);
	ASAN_UNPOISON_MEMORY_REGION(nl->rx, sizeof(nl->rx));
	nl->sock = NULL;
}

/* --- recording --- */

void kernel_record(FILE *out)
{
	k.out = out;
}

void kernel_write(FILE *out, uint16_t type, uint8_t flags, const void *data,
		  size_t len)
{
	struct part head = { .type = type, .len = (uint16_t)len,
			     .flags = flags };

	must(len <= UINT16_MAX);
	must(fwrite(&head, sizeof(head), 1, out) == 1);
	must(fwrite(data, 1, len, out) == len);
}
