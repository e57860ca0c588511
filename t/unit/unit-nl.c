// SPDX-License-Identifier: MIT
/* Answers of a kernel that is not there: sendto() and recvmsg() are ours. What
 * is malformed must be refused, or read as absent, and never be read beyond
 * its end; under the address sanitizer what lies behind an answer is poisoned.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/fib_rules.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/nexthop.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/ct.h"
#include "kernel/iface.h"
#include "kernel/nexthop.h"
#include "kernel/nl.h"
#include "kernel/qdisc.h"
#include "kernel/route.h"
#include "kernel/rule.h"
#include "unit.h"

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

enum { PORT = 77, ROUNDS = 20000, ANSWER_MAX = 8192, ANSWERS = 8,
       SENTENCE = 512 };

/* --- the kernel that is not there --- */

static struct {
	size_t len;
	int flags;		/* of recvmsg() */
	int error;
	uint32_t from;
	char data[ANSWER_MAX] __attribute__((aligned(8)));
} answer[ANSWERS];
static unsigned int n_answers, next_answer;
static int send_error;

static struct nl nl;
static char out[4096] __attribute__((aligned(8)));
static struct nl_batch batch;
static struct err err;

/* Conntrack, for its own test alone. */
static struct {
	bool on;
	bool dump_filter;	/* Linux 5.8 */
	bool delete_filter;	/* Linux 6.12 */
	bool stubborn;		/* its entries cannot be deleted */
	unsigned int n, n_kept;	/* entries of the address, and others */
	uint32_t mark;		/* of the dump's filter; 0: none */
	unsigned int dumps, singles;
} ct;

/* That the last answer was given. */
static size_t room;

/* glibc declares it with a union. */
#ifdef __CONST_SOCKADDR_ARG
#define SOCKADDR __CONST_SOCKADDR_ARG
#else
#define SOCKADDR const struct sockaddr *
#endif

static void ct_request(int fd, const struct nlmsghdr *nlh);
static ssize_t ct_receive(int fd, char *buf, size_t size);

ssize_t sendto(int fd, const void *buf, size_t len, int flags,
	       SOCKADDR to, socklen_t to_len)
{
	const struct nlmsghdr *nlh = buf;
	int left = (int)len;

	(void)flags;
	(void)to;
	(void)to_len;
	for (; ct.on && mnl_nlmsg_ok(nlh, left);
	     nlh = mnl_nlmsg_next(nlh, &left))
		ct_request(fd, nlh);
	errno = send_error;
	return send_error ? -1 : (ssize_t)len;
}

/* qemu-user knows no netfilter, and nothing real is asked anyway. */
int socket(int family, int type, int protocol)
{
	(void)protocol;
	return (int)syscall(SYS_socket, family, type, NETLINK_ROUTE);
}

/* Only the watching socket is read so. */
ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	unsigned int i = next_answer++;

	(void)fd;
	(void)flags;
	errno = i < n_answers ? answer[i].error : EAGAIN;
	if (errno)
		return -1;
	ASAN_UNPOISON_MEMORY_REGION(buf, len);
	memcpy(buf, answer[i].data, answer[i].len < len ? answer[i].len : len);
	return (ssize_t)(answer[i].flags ? len + 1 : answer[i].len);
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct sockaddr_nl *from = msg->msg_name;
	unsigned int i = next_answer++;

	(void)flags;
	room = msg->msg_iov->iov_len;
	if (ct.on) {
		from->nl_pid = 0;
		msg->msg_namelen = sizeof(*from);
		msg->msg_flags = 0;
		return ct_receive(fd, msg->msg_iov->iov_base,
				  msg->msg_iov->iov_len);
	}
	errno = EAGAIN;
	if (i >= n_answers)
		return -1;
	errno = answer[i].error;
	if (errno)
		return -1;
	ASAN_UNPOISON_MEMORY_REGION(nl.rx, sizeof(nl.rx));
	memset(nl.rx, 0xff, sizeof(nl.rx));
	memcpy(nl.rx, answer[i].data, answer[i].len);
	ASAN_POISON_MEMORY_REGION(nl.rx + answer[i].len,
				  sizeof(nl.rx) - answer[i].len);
	from->nl_pid = answer[i].from;
	msg->msg_namelen = sizeof(*from);
	msg->msg_flags = answer[i].flags;
	return (ssize_t)answer[i].len;
}

static void begin(void)
{
	memset(answer, 0, sizeof(answer));
	n_answers = next_answer = 0;
	send_error = 0;
	err.msg[0] = '\0';
	nl.much = false;
	nl_batch_init(&batch, &nl, out, sizeof(out));
}

/* Requests without a content of their own. */
static void request(unsigned int n)
{
	static const struct rtgenmsg head = { .rtgen_family = AF_INET };

	while (n--)
		nl_end(&batch, nl_put(&batch, &nl, RTM_GETLINK, 0, &head,
				      sizeof(head), 0));
}

/* Another message in answer @i, to the @nth request. */
static struct nlmsghdr *reply(unsigned int i, uint16_t type, unsigned int nth)
{
	struct nlmsghdr *nlh;

	if (i >= n_answers)
		n_answers = i + 1;
	nlh = mnl_nlmsg_put_header(answer[i].data + answer[i].len);
	nlh->nlmsg_type = type;
	nlh->nlmsg_seq = batch.first + nth;
	nlh->nlmsg_pid = PORT;
	return nlh;
}

static void end(unsigned int i, const struct nlmsghdr *nlh)
{
	answer[i].len = (size_t)((const char *)nlh - answer[i].data) +
			(size_t)MNL_ALIGN((int)nlh->nlmsg_len);
}

static struct nlmsgerr *reply_error(unsigned int i, unsigned int nth, int code,
				    const char *why)
{
	struct nlmsghdr *nlh = reply(i, NLMSG_ERROR, nth);
	struct nlmsgerr *e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e));

	e->error = code;
	e->msg.nlmsg_len = sizeof(e->msg);
	nlh->nlmsg_flags = NLM_F_CAPPED;
	if (why) {
		nlh->nlmsg_flags |= NLM_F_ACK_TLVS;
		mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, why);
	}
	end(i, nlh);
	return e;
}

static void reply_done(unsigned int i, int code)
{
	struct nlmsghdr *nlh = reply(i, NLMSG_DONE, 0);

	*(int *)mnl_nlmsg_put_extra_header(nlh, sizeof(int)) = code;
	end(i, nlh);
}

static void verdict(int code, int want, const char *sentence, const char *what)
{
	ok(code == want, "%s: %d", what, code);
	is(err.msg, sentence, "%s: the sentence", what);
}

static int send_all(void)
{
	return nl_send(&nl, &batch, NULL, NULL, NULL, NULL, &err);
}

/* --- changes --- */

static void test_acks(void)
{
	struct nlmsghdr *nlh;

	begin();
	request(2);
	reply_error(0, 1, 0, NULL);
	verdict(send_all(), 0, "", "confirmed");
	begin();
	request(2);
	reply_error(0, 0, 0, NULL);
	verdict(send_all(), -EAGAIN, "the kernel did not answer in full: try "
		"again", "the wrong one confirmed");
	begin();
	request(1);
	verdict(send_all(), -EAGAIN, "the kernel did not answer in full: try "
		"again", "silence");
	begin();
	request(1);
	reply_error(0, 0, -EPERM, NULL);
	((struct nlmsghdr *)(void *)answer[0].data)->nlmsg_pid = PORT + 1;
	reply_error(0, 5, -EPERM, NULL);
	nlh = reply(0, NLMSG_NOOP, 0);
	end(0, nlh);
	reply_error(1, 0, 0, NULL);
	verdict(send_all(), 0, "", "answers to others");
	begin();
	request(1);
	send_error = EPERM;
	verdict(send_all(), -EPERM, "cannot send to the kernel: Operation "
		"not permitted; run this as root or with CAP_NET_ADMIN",
		"not sent");
	begin();
	request(1);
	reply_error(0, 0, 0, NULL);
	answer[0].error = ENOBUFS;
	verdict(send_all(), -ENOBUFS, "cannot read the kernel's answer: No "
		"buffer space available; free some memory, and try again",
		"answers lost");
	begin();
	request(1);
	reply_error(0, 0, 0, NULL);
	answer[0].flags = MSG_TRUNC;
	verdict(send_all(), -ENOBUFS, "an answer of the kernel was longer "
		"than expected: try again", "cut off");
	begin();
	nl_share(&nl);
	request(1);
	reply_error(0, 0, 0, NULL);
	answer[0].flags = MSG_TRUNC;
	verdict(send_all(), -EBADMSG, "an answer of the kernel is longer "
		"than 32768 bytes: report it with the kernel's version "
		"(uname -r)", "with all room, too");
	ok(room == sizeof(nl.rx), "a shared socket has all room at once");
	begin();
	request(1);
	reply_error(0, 0, -EPERM, NULL);
	answer[0].from = 4711;
	answer[0].flags = MSG_TRUNC;
	reply_error(1, 0, 0, NULL);
	verdict(send_all(), 0, "", "another program's message before it");
}

static void test_sentences(void)
{
	struct nlmsgerr *e;
	struct nlmsghdr *nlh;

	begin();
	request(1);
	reply_error(0, 0, -EINVAL, "Nexthop id does not exist");
	verdict(send_all(), -EINVAL, "the kernel says: Nexthop id does not "
		"exist; try again, or report it with the kernel's version "
		"(uname -r)", "the kernel's own sentence");
	begin();
	request(1);
	reply_error(0, 0, -ESRCH, NULL);
	verdict(send_all(), -ESRCH, "the kernel says: No such process; try "
		"again, or report it with the kernel's version (uname -r)",
		"no sentence");
	/* Without NETLINK_CAP_ACK the request stands before the sentence. */
	begin();
	request(1);
	nlh = reply(0, NLMSG_ERROR, 0);
	e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e) + 20);
	e->error = -EEXIST;
	e->msg.nlmsg_len = sizeof(e->msg) + 18;
	nlh->nlmsg_flags = NLM_F_ACK_TLVS;
	mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, "It is there");
	end(0, nlh);
	verdict(send_all(), -EEXIST, "the kernel says: It is there; try "
		"again, or report it with the kernel's version (uname -r)",
		"behind the request");
	e->msg.nlmsg_len = 0xfffffff0;
	next_answer = 0;
	batch.first = nl.seq;
	verdict(send_all(), -EEXIST, "the kernel says: File exists; try "
		"again, or report it with the kernel's version (uname -r)",
		"a request of an impossible length");
	begin();
	request(1);
	reply_error(0, 0, -EEXIST, "No end");
	answer[0].data[answer[0].len - 2] = 'd';
	answer[0].data[answer[0].len - 1] = 's';
	((struct nlattr *)(void *)(answer[0].data + 36))->nla_len = 10;
	verdict(send_all(), -EEXIST, "the kernel says: File exists; try "
		"again, or report it with the kernel's version (uname -r)",
		"a sentence without its NUL");
	((struct nlattr *)(void *)(answer[0].data + 36))->nla_len = 400;
	next_answer = 0;
	verdict(send_all(), -EEXIST, "the kernel says: File exists; try "
		"again, or report it with the kernel's version (uname -r)",
		"a sentence longer than its message");
	begin();
	request(1);
	nlh = reply(0, NLMSG_ERROR, 0);
	mnl_nlmsg_put_extra_header(nlh, 4);
	end(0, nlh);
	verdict(send_all(), -EBADMSG, "an answer of the kernel is too short: "
		"report it with the kernel's version (uname -r)",
		"half an error");
}

static int forgive_first(const struct nl_refusal *no, void *data)
{
	unsigned int *seen = data;

	*seen = *seen * 10 + no->index;
	return no->index ? no->code : 0;
}

static void test_refusals(void)
{
	unsigned int seen = 0;
	int code;

	begin();
	request(3);
	reply_error(0, 0, -EEXIST, NULL);
	reply_error(0, 1, -ENETDOWN, NULL);
	reply_error(1, 2, -ENODEV, NULL);
	code = nl_send(&nl, &batch, NULL, forgive_first, NULL, &seen, &err);
	ok(code == -ENETDOWN && seen == 12, "the first refusal that is not "
	   "forgiven: %d, %u", code, seen);
	begin();
	ok(!send_all(), "nothing to send");
}

static void test_batch(void)
{
	char small[64] __attribute__((aligned(8)));
	static const struct rtgenmsg head = { 0 };
	struct nlmsghdr *nlh;

	nl_batch_init(&batch, &nl, small, sizeof(small));
	nlh = nl_put(&batch, &nl, RTM_GETLINK, 0, &head, sizeof(head), 16);
	ok(nlh != NULL, "there is room");
	nl_end(&batch, nlh);
	ok(!nl_put(&batch, &nl, RTM_GETLINK, 0, &head, sizeof(head), 40) &&
	   batch.count == 1, "a full batch takes no more");
}

/* --- dumps --- */

static int count(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	return ++*(int *)data == 2 ? -EBADMSG : 0;
}

static int dump(int *n)
{
	*n = 0;
	return nl_dump(&nl, &batch, count, n, &err);
}

static void a_dump(unsigned int messages, int code)
{
	unsigned int i;

	begin();
	request(1);
	for (i = 0; i < messages; i++)
		end(i / 2, reply(i / 2, RTM_NEWLINK, 0));
	reply_done(messages / 2, code);
}

static void test_dumps(void)
{
	char sentence[SENTENCE];
	int n;

	a_dump(1, 0);
	verdict(dump(&n), 0, "", "a dump");
	a_dump(5, 0);
	verdict(dump(&n), -EBADMSG, "cannot use an answer of the kernel: Bad "
		"message; try again, or report it with the kernel's version "
		"(uname -r)", "a message that is not liked");
	ok(n == 5 && next_answer == 3, "the dump is read to its end");
	a_dump(0, -ENOENT);
	verdict(dump(&n), -ENOENT, "the kernel says: No such file or "
		"directory; try again, or report it with the kernel's "
		"version (uname -r)", "an error in NLMSG_DONE");
	a_dump(1, 0);
	((struct nlmsghdr *)(void *)answer[0].data)->nlmsg_flags =
		NLM_F_DUMP_INTR;
	verdict(dump(&n), -EINTR, "the kernel's state changed while it was "
		"read: try again", "interrupted");
	a_dump(3, 0);
	n_answers = 1;
	verdict(dump(&n), -EAGAIN, "the kernel's answer ends in the middle: "
		"try again", "an end that is missing");
	a_dump(2, 0);
	dump(&n);
	ok(room >= 4096 && room <= 8192 - 320,
	   "a short dump is read in little room: %zu", room);
	a_dump(2, 0);
	mnl_nlmsg_put_extra_header(reply(0, RTM_NEWLINK, 0), 3600);
	answer[0].len += 3616;
	dump(&n);
	ok(room == sizeof(nl.rx), "after a full part in all there is: %zu",
	   room);
	a_dump(2, 0);
	answer[0].flags = MSG_TRUNC;
	verdict(dump(&n), -ENOBUFS, "parts of the kernel's answer were lost: "
		"No buffer space available; free some memory, and try again",
		"a part that is cut off");
	ok(room == sizeof(nl.rx), "the next has all room: %zu", room);
	begin();
	request(1);
	reply_error(0, 0, -EBUSY, NULL);
	snprintf(sentence, sizeof(sentence), "the kernel says: %s; try again",
		 strerror(EBUSY));
	verdict(dump(&n), -EBUSY, sentence, "refused");
	begin();
	request(1);
	end(0, reply(0, NLMSG_DONE, 0));
	verdict(dump(&n), 0, "", "NLMSG_DONE without a payload");
}

/* --- changes that are heard of --- */

/* The interface 7 is of interest, and the name "ppp0". */
static int matters(const struct nlmsghdr *nlh, void *data)
{
	struct iface l;

	++*(int *)data;
	return iface_event(nlh, &l) || l.ifindex == 7 ||
	       !strcmp(l.name, "ppp0");
}

static void change(unsigned int i, uint16_t type, unsigned int ifindex,
		   const char *name)
{
	struct nlmsghdr *nlh = reply(i, type, 0);
	struct ifinfomsg *ifi;
	struct ifaddrmsg *ifa;

	if (name) {
		ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
		ifi->ifi_index = (int)ifindex;
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	} else {
		ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
		ifa->ifa_index = ifindex;
	}
	end(i, nlh);
}

static bool heard(void)
{
	int n = 0;

	return nl_heard(&nl, matters, &n);
}

static void test_heard(void)
{
	static const uint16_t types[] = { RTM_NEWLINK, RTM_DELLINK,
					  RTM_NEWADDR, RTM_DELADDR };
	unsigned int i;

	begin();
	ok(!heard(), "silence");
	for (i = 0; i < 4; i++) {
		begin();
		change(0, types[i], 8, i < 2 ? "veth0" : NULL);
		change(1, types[i], 9, i < 2 ? "ppp01" : NULL);
		ok(!heard() && next_answer == 3, "type %u of others",
		   types[i]);
		change(1, types[i], 7, i < 2 ? "x" : NULL);
		change(2, types[i], 8, i < 2 ? "veth0" : NULL);
		next_answer = 0;
		ok(heard() && next_answer == 4, "type %u of ours among them",
		   types[i]);
	}
	begin();
	change(0, RTM_NEWLINK, 8, "ppp0");
	ok(heard(), "a new interface of ours");
	begin();
	change(0, RTM_NEWADDR, 8, NULL);
	answer[0].len -= 4;
	ok(heard(), "what is cut off may be ours");
	begin();
	change(0, RTM_NEWADDR, 8, NULL);
	answer[0].flags = 1;
	ok(heard(), "what is longer than the buffer may be ours");
	begin();
	change(0, RTM_NEWROUTE, 8, NULL);
	ok(heard(), "what was not asked for may be ours");
	begin();
	change(0, RTM_NEWADDR, 8, NULL);
	change(1, RTM_NEWADDR, 8, NULL);
	answer[0].error = ENOBUFS;
	ok(heard() && next_answer == 3, "what was lost may be ours");
	begin();
	change(0, RTM_NEWADDR, 8, NULL);
	answer[0].len = 0;
	ok(heard(), "and what is empty");
}

/* --- attributes --- */

static void test_attributes(void)
{
	const struct nlattr *tb[4];
	struct nlmsghdr *nlh;
	struct nlattr *nest;

	begin();
	nlh = mnl_nlmsg_put_header(answer[0].data);
	mnl_nlmsg_put_extra_header(nlh, 4);
	mnl_attr_put_u32(nlh, 1, 0x01020304);
	mnl_attr_put(nlh, 2, 2, "\5");
	mnl_attr_put_u8(nlh, 9, 6);
	nest = mnl_attr_nest_start(nlh, 3);
	mnl_attr_put_strz(nlh, 1, "in");
	mnl_attr_nest_end(nlh, nest);
	ok(!nl_attrs(nlh, 4, tb, 3) && !tb[0], "attributes");
	ok(nl_u32(tb[1]) == 0x01020304 && nl_u16(tb[2]) == htole16(5), "numbers");
	ok(nl_be32(tb[1]) == ntohl(0x01020304), "the network's order");
	ok(!nl_u32(tb[2]) && !nl_u16(tb[1]) && !nl_u8(tb[1]) && !nl_u32(NULL)
	   && !nl_u8(NULL), "numbers of another length, or absent, are 0");
	is(nl_str(NULL), "", "an absent string is empty");
	is(nl_str(tb[2]), "\5", "a string ends in its attribute");
	mnl_attr_put_u32(nlh, 2, 0x61616161);
	ok(!nl_attrs(nlh, 4, tb, 3), "the last of two");
	is(nl_str(tb[2]), "", "or is none");
	ok(!nl_nested(tb[3], tb, 1) && tb[1], "nested");
	is(nl_str(tb[1]), "in", "nested string");
	ok(nl_attrs(nlh, 4000, tb, 3) == -EBADMSG, "a message too short");
	nlh->nlmsg_len -= 2;
	ok(nl_attrs(nlh, 4, tb, 3) == -EBADMSG, "an attribute cut off");
	nlh->nlmsg_len -= 2;
	ok(nl_attrs(nlh, 4, tb, 3) == -EBADMSG, "and further up");
	((struct nlattr *)(void *)(answer[0].data + 20))->nla_len = 3;
	ok(nl_attrs(nlh, 4, tb, 3) == -EBADMSG, "shorter than its head");
	((struct nlattr *)(void *)(answer[0].data + 20))->nla_len = 0;
	ok(nl_attrs(nlh, 4, tb, 3) == -EBADMSG, "a length of 0 ends");
}

/* --- every kind of object --- */

static struct iface link_seen;
static struct iface_addr addr_seen;
static struct route route_seen;
static struct onlink onlink_seen;
static struct rule rule_seen;
static struct nexthop nexthop_seen;
static struct qdisc qdisc_seen;
static unsigned int objects, members_sum;

static int on_link(const struct nlmsghdr *nlh, void *data)
{
	(void)data;
	objects++;
	return iface_reply(nlh, &link_seen);
}

static int on_addr(const struct iface_addr *a, void *data)
{
	(void)data;
	addr_seen = *a;
	objects++;
	return 0;
}

static int on_route(const struct route *r, void *data)
{
	(void)data;
	route_seen = *r;
	objects++;
	return 0;
}

static int on_onlink(const struct onlink *o, void *data)
{
	(void)data;
	onlink_seen = *o;
	objects++;
	return 0;
}

static int on_rule(const struct rule *r, void *data)
{
	static struct rule_raw raw;

	(void)data;
	rule_seen = *r;
	if (r->raw) {
		raw = *r->raw;
		rule_seen.raw = &raw;
	}
	objects++;
	return 0;
}

static int on_nexthop(const struct nexthop *nh, void *data)
{
	unsigned int i;

	(void)data;
	nexthop_seen = *nh;
	for (i = 0; i < nh->n_members; i++)
		members_sum += nh->member[i].id * nh->member[i].weight;
	objects++;
	return 0;
}

/* As present.c does it. */
static int on_qdisc(const struct nlmsghdr *nlh, void *data)
{
	(void)data;
	if (!qdisc_reply_ifindex(nlh))
		return 0;
	objects++;
	return qdisc_reply(nlh, &qdisc_seen);
}

static void put_link(struct nlmsghdr *nlh)
{
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_index = 7;
	ifi->ifi_flags = 0x10001;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "abcdefghijklmno");
	mnl_attr_put_u32(nlh, IFLA_MTU, 1492);
}

static void put_addr(struct nlmsghdr *nlh)
{
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	ifa->ifa_family = AF_INET;
	ifa->ifa_index = 7;
	mnl_attr_put_u32(nlh, IFA_ADDRESS, htonl(0x0a000002));
	mnl_attr_put_u32(nlh, IFA_LOCAL, htonl(0x0a000001));
}

static void put_route(struct nlmsghdr *nlh)
{
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = AF_INET;
	rtm->rtm_protocol = PROTO_MWAN;
	rtm->rtm_flags = RTNH_F_ONLINK;
	mnl_attr_put_u32(nlh, RTA_TABLE, 4000000000U);
	mnl_attr_put_u32(nlh, RTA_PRIORITY, 9);
	mnl_attr_put_u32(nlh, RTA_OIF, 7);
	mnl_attr_put_u32(nlh, RTA_NH_ID, 77001);
	mnl_attr_put_u32(nlh, RTA_GATEWAY, htonl(0x0a000002));
}

static void put_onlink(struct nlmsghdr *nlh)
{
	static const uint8_t to[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1 };
	static const struct rta_cacheinfo life = { .rta_expires = 720000 };
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = AF_INET6;
	rtm->rtm_protocol = PROTO_MWAN;
	rtm->rtm_dst_len = 64;
	mnl_attr_put_u32(nlh, RTA_TABLE, 199);
	mnl_attr_put(nlh, RTA_DST, sizeof(to), to);
	mnl_attr_put_u32(nlh, RTA_OIF, 7);
	mnl_attr_put(nlh, RTA_CACHEINFO, sizeof(life), &life);
}

static void put_rule(struct nlmsghdr *nlh)
{
	struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(nlh,
							      sizeof(*frh));

	frh->family = AF_INET;
	frh->action = FR_ACT_TO_TBL;
	frh->src_len = 32;
	mnl_attr_put_u32(nlh, FRA_PRIORITY, 1301);
	mnl_attr_put_u32(nlh, FRA_TABLE, 201);
	mnl_attr_put_u8(nlh, FRA_PROTOCOL, PROTO_MWAN);
	mnl_attr_put_u32(nlh, FRA_FWMARK, 1);
	mnl_attr_put_u32(nlh, FRA_FWMASK, 0xff);
	mnl_attr_put_u32(nlh, FRA_SUPPRESS_PREFIXLEN, 0xffffffff);
	mnl_attr_put_u32(nlh, FRA_SRC, htonl(0x0a000001));
}

static void put_nexthop(struct nlmsghdr *nlh)
{
	static const struct nexthop_grp group[2] = {
		{ .id = 77001, .weight = 0 }, { .id = 77002, .weight = 254 },
	};
	struct nhmsg *nhm = mnl_nlmsg_put_extra_header(nlh, sizeof(*nhm));

	nhm->nh_protocol = PROTO_MWAN;
	mnl_attr_put_u32(nlh, NHA_ID, 77257);
	mnl_attr_put(nlh, NHA_GROUP, sizeof(group), group);
}

static void put_qdisc(struct nlmsghdr *nlh)
{
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));
	struct nlattr *nest;

	tcm->tcm_ifindex = 7;
	tcm->tcm_parent = TC_H_ROOT;
	tcm->tcm_handle = 0x30000;
	mnl_attr_put_strz(nlh, TCA_KIND, "cake");
	nest = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	mnl_attr_put_u64(nlh, TCA_CAKE_BASE_RATE64, 2500000);
	mnl_attr_nest_end(nlh, nest);
}

static const struct object {
	const char *what;
	uint16_t type;
	void (*put)(struct nlmsghdr *nlh);
} object[] = {
	{ "link", RTM_NEWLINK, put_link },
	{ "address", RTM_NEWADDR, put_addr },
	{ "route", RTM_NEWROUTE, put_route },
	{ "rule", RTM_NEWRULE, put_rule },
	{ "nexthop", RTM_NEWNEXTHOP, put_nexthop },
	{ "queue", RTM_NEWQDISC, put_qdisc },
	{ "network on a segment", RTM_NEWROUTE, put_onlink },
};

enum { OBJECTS = sizeof(object) / sizeof(object[0]) };

static int read_object(unsigned int kind)
{
	objects = members_sum = 0;
	next_answer = 0;
	batch.first = nl.seq + 1;
	switch (kind) {
	case 1:
		return iface_addr_dump(&nl, AF_INET, 0, on_addr, NULL, &err);
	case 2:
		return route_dump_defaults(&nl, AF_INET, 4000000000U,
					   on_route, NULL, &err);
	case 3:
		return rule_dump(&nl, AF_INET, PROTO_MWAN, on_rule, NULL,
				 &err);
	case 4:
		return nexthop_dump(&nl, on_nexthop, NULL, &err);
	case 6:
		return onlink_dump(&nl, 199, on_onlink, NULL, &err);
	default:
		nl_batch_init(&batch, &nl, out, sizeof(out));
		request(1);
		return nl_dump(&nl, &batch, kind ? on_qdisc : on_link, NULL,
			       &err);
	}
}

/* Answers carry the number that the question will have. */
static struct nlmsghdr *prepare(unsigned int kind)
{
	struct nlmsghdr *nlh;

	begin();
	nlh = reply(0, object[kind].type, 0);
	object[kind].put(nlh);
	end(0, nlh);
	reply_done(1, 0);
	return nlh;
}

static void test_good_objects(void)
{
	unsigned int i;
	int code;

	for (i = 0; i < OBJECTS; i++) {
		prepare(i);
		code = read_object(i);
		ok(!code && objects == 1, "%s: %d, %u", object[i].what, code,
		   objects);
	}
	ok(link_seen.ifindex == 7 && link_seen.up && link_seen.carrier &&
	   link_seen.shared && !link_seen.ppp &&
	   !strcmp(link_seen.name, "abcdefghijklmno"), "the link's values");
	ok(addr_seen.ifindex == 7 &&
	   ntohl(addr_seen.local.v4.s_addr) == 0x0a000001 &&
	   ntohl(addr_seen.peer.v4.s_addr) == 0x0a000002,
	   "the address's values");
	ok(route_seen.table == 4000000000U && route_seen.metric == 9 &&
	   route_seen.ifindex == 7 && route_seen.nhid == 77001 &&
	   route_seen.onlink && route_seen.gateway.family == AF_INET,
	   "the route's values");
	ok(rule_seen.priority == 1301 && rule_seen.table == 201 &&
	   rule_seen.mark == 1 && rule_seen.mask == 0xff &&
	   !rule_seen.suppress_default && !rule_seen.foreign &&
	   ntohl(rule_seen.from.v4.s_addr) == 0x0a000001,
	   "the rule's values");
	ok(nexthop_seen.id == 77257 && nexthop_seen.n_members == 2,
	   "the nexthop's values");
	ok(!strcmp(qdisc_seen.kind, "cake") &&
	   qdisc_seen.bandwidth == 2500000, "the queue's values");
	ok(onlink_seen.table == 199 && onlink_seen.ifindex == 7 &&
	   onlink_seen.to.len == 64 && onlink_seen.expires == 7201,
	   "the values of a network on a segment");
}

/* Cut off at every byte: refused, or without what was cut off. */
static void test_cut_objects(void)
{
	struct nlmsghdr *nlh;
	unsigned int i, bad, refused;
	uint32_t len;
	size_t cut;
	int code;

	for (i = 0; i < OBJECTS; i++) {
		bad = refused = 0;
		nlh = prepare(i);
		len = nlh->nlmsg_len;
		for (cut = sizeof(*nlh); cut < len; cut++) {
			nlh = prepare(i);
			nlh->nlmsg_len = (uint32_t)cut;
			answer[0].len = (size_t)MNL_ALIGN((int)cut);
			code = read_object(i);
			refused += code == -EBADMSG;
			bad += code && code != -EBADMSG;
		}
		ok(!bad && refused > cut / 4, "%s cut off: %u of %zu "
		   "refused", object[i].what, refused, cut - sizeof(*nlh));
	}
}

/* Bytes that are others, in lengths and types too. */
static void test_changed_objects(void)
{
	struct nlmsghdr *nlh;
	unsigned int i, k, kind, bad = 0, refused = 0, at;
	int code;

	for (i = 0; i < ROUNDS; i++) {
		kind = unit_random(OBJECTS);
		nlh = prepare(kind);
		for (k = 1 + unit_random(4); k; k--) {
			at = (unsigned int)sizeof(*nlh) + unit_random(
				nlh->nlmsg_len - (uint32_t)sizeof(*nlh));
			answer[0].data[at] = (char)unit_random(
				unit_random(2) ? 256 : 40);
		}
		code = read_object(kind);
		refused += code == -EBADMSG;
		bad += code && code != -EBADMSG;
	}
	ok(!bad && refused > ROUNDS / 10, "%d objects with changed bytes: %u "
	   "refused", ROUNDS, refused);
}

static void test_odd_objects(void)
{
	static const char many[256 * sizeof(struct nexthop_grp)];
	struct ifaddrmsg *ifa;
	struct nlmsghdr *nlh;
	struct nhmsg *nhm;

	begin();
	nlh = reply(0, RTM_NEWNEXTHOP, 0);
	nhm = mnl_nlmsg_put_extra_header(nlh, sizeof(*nhm));
	nhm->nh_protocol = PROTO_MWAN;
	mnl_attr_put(nlh, NHA_GROUP, sizeof(many), many);
	end(0, nlh);
	reply_done(1, 0);
	ok(!read_object(4) && nexthop_seen.more &&
	   nexthop_seen.n_members == 255, "a group of 256 is told as such");
	begin();
	nlh = reply(0, RTM_NEWLINK, 0);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "abcdefghijklmnop");
	end(0, nlh);
	reply_done(1, 0);
	ok(read_object(0) == -EBADMSG, "a name of 16 characters");
	begin();
	nlh = reply(0, RTM_NEWADDR, 0);
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	mnl_attr_put(nlh, IFA_ADDRESS, 20, many);
	end(0, nlh);
	reply_done(1, 0);
	ok(read_object(1) == -EBADMSG, "an address of 20 bytes");
	begin();
	reply_done(0, -ENOENT);
	err.msg[0] = '\0';
	ok(!read_object(2) && !objects, "a table that does not exist");
}

/* The last request of the batch, as the kernel would tell the object. */
static void tell_back(uint16_t type)
{
	static char asked[512] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = (void *)asked;
	size_t len = batch.last->nlmsg_len;

	memcpy(asked, batch.last, len);
	begin();
	nlh = reply(0, type, 0);
	memcpy(nlh + 1, asked + sizeof(*nlh), len - sizeof(*nlh));
	nlh->nlmsg_len = (uint32_t)len;
	end(0, nlh);
	reply_done(1, 0);
}

/* What is asked for is what is read, of both families. */
static void test_gateways(const char *text)
{
	struct nexthop nh = { .id = 77002, .protocol = PROTO_MWAN,
			      .ifindex = 7, .onlink = true };
	struct route r = { .table = 4000000000U, .ifindex = 7,
			   .protocol = PROTO_MWAN, .type = RTN_UNICAST,
			   .onlink = true };
	struct nlmsghdr *nlh;

	addr_parse(&nh.gateway, text);
	r.gateway = nh.gateway;
	r.family = nh.family = nh.gateway.family;
	begin();
	ok(!nexthop_put_set(&batch, &nl, &nh), "ask for a nexthop via %s",
	   text);
	tell_back(RTM_NEWNEXTHOP);
	ok(!read_object(4) && nexthop_seen.ifindex == 7 &&
	   nexthop_seen.family == nh.family && nexthop_seen.onlink &&
	   addr_equal(&nexthop_seen.gateway, &nh.gateway), "and read it");
	begin();
	ok(!route_put_add(&batch, &nl, &r), "ask for a route via %s", text);
	tell_back(RTM_NEWROUTE);
	ok(!read_object(2) && route_seen.ifindex == 7 && !route_seen.opaque &&
	   route_seen.family == r.family && route_seen.onlink &&
	   addr_equal(&route_seen.gateway, &r.gateway), "and read it");
	begin();
	nlh = reply(0, RTM_NEWNEXTHOP, 0);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nhmsg));
	mnl_attr_put(nlh, NHA_GATEWAY, 5, "12345");
	end(0, nlh);
	reply_done(1, 0);
	ok(read_object(4) == -EBADMSG, "a gateway of 5 bytes");
}

/* Of a rule that has more than ours, all is kept that was read. */
static void test_raw_rules(void)
{
	static const char much[RULE_RAW_MAX] = "much";
	char text[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh;

	begin();
	nlh = reply(0, RTM_NEWRULE, 0);
	put_rule(nlh);
	mnl_attr_put_strz(nlh, FRA_OIFNAME, "lan0");
	end(0, nlh);
	reply_done(1, 0);
	ok(!read_object(3) && rule_seen.foreign && rule_seen.raw,
	   "a rule with an interface");
	memcpy(text, nlh, nlh->nlmsg_len);
	begin();
	ok(!rule_put_del(&batch, &nl, &rule_seen) &&
	   batch.last->nlmsg_type == RTM_DELRULE, "is deleted");
	nlh = (void *)text;
	ok(batch.last->nlmsg_len == nlh->nlmsg_len &&
	   !memcmp(batch.last + 1, nlh + 1,
		   nlh->nlmsg_len - sizeof(*nlh)), "with all that it has");
	begin();
	nlh = reply(0, RTM_NEWRULE, 0);
	put_rule(nlh);
	mnl_attr_put(nlh, FRA_MAX + 1, sizeof(much), much);
	mnl_attr_put_strz(nlh, FRA_OIFNAME, "lan0");
	end(0, nlh);
	reply_done(1, 0);
	ok(!read_object(3) && rule_seen.foreign && !rule_seen.raw,
	   "a rule with more than there is room for");
}

/* A rule for the hosts of an IPv6 prefix is like ours; for those of an IPv4 one
 * it is somebody else's, who may have used our number.
 */
static void test_prefix_rules(void)
{
	static const uint8_t from[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1 };
	const struct fib_rule_hdr *frh;
	struct fib_rule_hdr *put;
	struct rule other;
	struct nlmsghdr *nlh;

	begin();
	nlh = reply(0, RTM_NEWRULE, 0);
	put = mnl_nlmsg_put_extra_header(nlh, sizeof(*put));
	put->family = AF_INET6;
	put->action = FR_ACT_TO_TBL;
	put->src_len = 56;
	mnl_attr_put_u32(nlh, FRA_TABLE, 201);
	mnl_attr_put_u8(nlh, FRA_PROTOCOL, PROTO_MWAN);
	mnl_attr_put(nlh, FRA_SRC, sizeof(from), from);
	end(0, nlh);
	reply_done(1, 0);
	ok(!read_object(3) && !rule_seen.foreign && rule_seen.from_len == 56,
	   "a rule from an IPv6 prefix");
	other = rule_seen;
	ok(rule_equal(&rule_seen, &other), "is itself");
	other.from_len = 64;
	ok(!rule_equal(&rule_seen, &other), "and not that of a part of it");
	begin();
	ok(!rule_put_add(&batch, &nl, &rule_seen), "is made");
	frh = mnl_nlmsg_get_payload(batch.last);
	ok(frh->src_len == 56, "from all of the prefix");
	strcpy(other.iif, "lo");
	other.from_len = 56;
	ok(!rule_equal(&rule_seen, &other), "nor that of the router alone");
	begin();
	ok(!rule_put_add(&batch, &nl, &other), "which is made");
	begin();
	nlh = reply(0, RTM_NEWRULE, 0);
	put_rule(nlh);
	mnl_attr_put_strz(nlh, FRA_IIFNAME, "lo");
	end(0, nlh);
	reply_done(1, 0);
	ok(!read_object(3) && !rule_seen.foreign && rule_seen.partial &&
	   !strcmp(rule_seen.iif, "lo"), "and ours");
	begin();
	nlh = reply(0, RTM_NEWRULE, 0);
	put = mnl_nlmsg_put_extra_header(nlh, sizeof(*put));
	put->family = AF_INET;
	put->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(nlh, FRA_TABLE, 201);
	mnl_attr_put_u8(nlh, FRA_PROTOCOL, PROTO_MWAN);
	mnl_attr_put_strz(nlh, FRA_IIFNAME, "lo");
	end(0, nlh);
	reply_done(1, 0);
	ok(!read_object(3) && rule_seen.foreign && rule_seen.partial,
	   "not one of the router alone from anywhere");
	begin();
	nlh = reply(0, RTM_NEWRULE, 0);
	put_rule(nlh);
	((struct fib_rule_hdr *)mnl_nlmsg_get_payload(nlh))->src_len = 8;
	end(0, nlh);
	reply_done(1, 0);
	ok(!read_object(3) && rule_seen.foreign, "one from an IPv4 prefix");
}

/* A dump of which the first message is enough. */
static int first_only(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	++*(int *)data;
	return NL_ENOUGH;
}

static void test_enough(void)
{
	int n = 0, code;

	a_dump(2, 0);
	code = nl_dump(&nl, &batch, first_only, &n, &err);
	ok(!code && n == 1, "enough of a short dump: %d, %d", code, n);
	a_dump(8, 0);
	n = 0;
	mnl_nlmsg_put_extra_header(reply(0, RTM_NEWLINK, 0), 4000);
	answer[0].len += 4016;
	code = nl_dump(&nl, &batch, first_only, &n, &err);
	ok(code == NL_ENOUGH && n == 1 && next_answer == 1,
	   "enough of a long one: %d, %d, %u", code, n, next_answer);
}

/* The C library's own words for @code take the place of "%s". */
static void with_words(char text[SENTENCE], const char *sentence, int code)
{
	const char *at = strstr(sentence, "%s");

	snprintf(text, SENTENCE, "%.*s%s%s",
		 (int)(at ? at - sentence : (long)strlen(sentence)), sentence,
		 at ? strerror(-code) : "", at ? at + 2 : "");
}

/* What is read is named, and so is what the kernel lacks. */
static void test_refused_reads(void)
{
#define UNAME "; try again, or report it with the kernel's version (uname -r)"
	static const struct {
		const char *what;
		unsigned int kind;
		int code;
		const char *sentence;
	} reads[] = {
		{ "addresses", 1, -EINVAL, "cannot read the addresses: the "
		  "kernel says: %s" UNAME },
		{ "routes", 2, -EBUSY, "cannot read the routes: the kernel "
		  "says: %s; try again" },
		{ "rules", 3, -ENOMEM, "cannot read the rules: the kernel "
		  "says: %s; free some memory, and try again" },
		{ "a kernel without rules", 3, -EOPNOTSUPP, "this kernel has "
		  "no policy rules: one built with CONFIG_IP_MULTIPLE_TABLES "
		  "is needed" },
		{ "nexthops", 4, -EPERM, "cannot read the nexthops: the "
		  "kernel says: %s; run this as root or with CAP_NET_ADMIN" },
		{ "an old kernel", 4, -EOPNOTSUPP, "this kernel has no nexthop "
		  "objects: Linux 5.4 or newer is needed" },
	};
	char sentence[SENTENCE];
	size_t i;

	for (i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		begin();
		reply_error(0, 0, reads[i].code, NULL);
		with_words(sentence, reads[i].sentence, reads[i].code);
		verdict(read_object(reads[i].kind), reads[i].code, sentence,
			reads[i].what);
	}
	begin();
	reply_error(0, 0, -EINVAL, NULL);
	next_answer = 0;
	verdict(ct_end(&nl, AF_INET, 1, 0xff, &err), -EINVAL, "the kernel says: Invalid "
		"argument; is kernel module nf_conntrack_netlink missing?",
		"no conntrack");
}

/* --- ending the flows of an address --- */

/* Two sockets: of the dump, and of the deletions (nl's). Their answers wait
 * apart.
 */
static struct ct_queue {
	char data[1 << 20] __attribute__((aligned(8)));
	size_t len, at;
} ct_dump, ct_said;

static struct ct_queue *ct_queue_of(int fd)
{
	return fd == mnl_socket_get_fd(nl.sock) ? &ct_said : &ct_dump;
}

/* As much as fits, in whole messages. */
static ssize_t ct_receive(int fd, char *buf, size_t size)
{
	struct ct_queue *q = ct_queue_of(fd);
	const struct nlmsghdr *nlh;
	size_t n = 0;

	while (q->at + n < q->len) {
		nlh = (const void *)(q->data + q->at + n);
		if (n + nlh->nlmsg_len > size)
			break;
		n += (size_t)MNL_ALIGN((int)nlh->nlmsg_len);
	}
	memcpy(buf, q->data + q->at, n);
	q->at += n;
	if (q->at == q->len)
		q->at = q->len = 0;
	errno = EAGAIN;
	return n ? (ssize_t)n : -1;
}

static struct nlmsghdr *ct_say(int fd, uint16_t type, uint32_t seq)
{
	struct ct_queue *q = ct_queue_of(fd);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(q->data + q->len);
	struct sockaddr_nl own = { 0 };
	socklen_t len = sizeof(own);

	nlh->nlmsg_type = type;
	nlh->nlmsg_seq = seq;
	nlh->nlmsg_pid = PORT;
	if (q == &ct_dump && !getsockname(fd, (struct sockaddr *)&own, &len))
		nlh->nlmsg_pid = own.nl_pid;
	return nlh;
}

static void ct_said_end(int fd, const struct nlmsghdr *nlh)
{
	struct ct_queue *q = ct_queue_of(fd);

	q->len = (size_t)((const char *)nlh - q->data) +
		 (size_t)MNL_ALIGN((int)nlh->nlmsg_len);
}

static void ct_entry(int fd, uint32_t seq, uint32_t to, uint32_t id)
{
	static const struct nfgenmsg head = { .nfgen_family = AF_INET };
	struct nlmsghdr *nlh = ct_say(fd, NFNL_SUBSYS_CTNETLINK << 8 |
				      IPCTNL_MSG_CT_NEW, seq);
	struct nlattr *tuple, *ip;
	uint16_t type;

	nlh->nlmsg_flags = NLM_F_MULTI;
	memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(head)), &head,
	       sizeof(head));
	for (type = CTA_TUPLE_ORIG; type <= CTA_TUPLE_REPLY; type++) {
		tuple = mnl_attr_nest_start(nlh, type);
		ip = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
		mnl_attr_put_u32(nlh, CTA_IP_V4_DST, htonl(to));
		mnl_attr_nest_end(nlh, ip);
		mnl_attr_nest_end(nlh, tuple);
	}
	mnl_attr_put_u32(nlh, CTA_ID, htonl(id));
	ct_said_end(fd, nlh);
}

/* As ctnetlink_del_conntrack(): 0, or why it refuses. */
static int ct_delete(const struct nlattr **tb)
{
	const struct nlattr *tuple[CTA_TUPLE_PROTO + 1];

	if (tb[CTA_FILTER] && ct.delete_filter) {
		ct.n = ct.stubborn ? ct.n : 0;
		return 0;
	}
	if (tb[CTA_TUPLE_ORIG]) {
		ct.singles++;
		if (!ct.n)
			return -ENOENT;
		ct.n -= !ct.stubborn;
		return 0;
	}
	if (tb[CTA_TUPLE_REPLY])
		return nl_nested(tb[CTA_TUPLE_REPLY], tuple, CTA_TUPLE_PROTO) ||
		       !tuple[CTA_TUPLE_PROTO] ? -EINVAL : 0;
	/* Without a tuple it flushes the whole table. */
	ct.n = ct.n_kept = 0;
	return 0;
}

static void ct_request(int fd, const struct nlmsghdr *nlh)
{
	const struct nlattr *tb[CTA_FILTER + 1];
	struct nlmsgerr *e;
	struct nlmsghdr *no;
	unsigned int i;
	int code;

	code = nl_attrs(nlh, sizeof(struct nfgenmsg), tb, CTA_FILTER);
	if ((nlh->nlmsg_type & 0xff) == IPCTNL_MSG_CT_GET) {
		ct.dumps++;
		ct.mark = nl_be32(tb[CTA_MARK]);
		for (i = 0; i < ct.n_kept && !ct.dump_filter; i++)
			ct_entry(fd, nlh->nlmsg_seq, 0x0a400165, i);
		for (i = 0; i < ct.n; i++)
			ct_entry(fd, nlh->nlmsg_seq, 0x0a400164, i);
		no = ct_say(fd, NLMSG_DONE, nlh->nlmsg_seq);
		ct_said_end(fd, no);
		return;
	}
	code = code ? code : ct_delete(tb);
	if (!code && !(nlh->nlmsg_flags & NLM_F_ACK))
		return;
	no = ct_say(fd, NLMSG_ERROR, nlh->nlmsg_seq);
	e = mnl_nlmsg_put_extra_header(no, sizeof(*e));
	e->error = code;
	e->msg.nlmsg_len = sizeof(e->msg);
	no->nlmsg_flags = NLM_F_CAPPED;
	ct_said_end(fd, no);
}

/* Kernels by what they know of CTA_FILTER. */
static void test_forget(void)
{
	static const struct {
		const char *what;
		bool dump, delete;
		unsigned int n, singles, dumps;
	} kernels[] = {
		{ "6.12", true, true, 1000, 0, 2 },
		{ "5.8", true, false, 1000, 1000, 2 },
		{ "5.4", false, false, 1000, 1000, 2 },
		{ "6.12 without any", true, true, 0, 0, 1 },
		{ "5.4 without any", false, false, 0, 0, 1 },
	};
	struct addr local;
	const uint32_t to = htonl(0x0a400164);
	size_t i;
	int n;

	addr_set(&local, &to, sizeof(to));
	for (i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		begin();
		ASAN_UNPOISON_MEMORY_REGION(nl.rx, sizeof(nl.rx));
		ct.on = true;
		ct.dump_filter = kernels[i].dump;
		ct.delete_filter = kernels[i].delete;
		ct.n = kernels[i].n;
		ct.n_kept = 3;
		ct.singles = ct.dumps = 0;
		n = ct_forget(&nl, &local, &err);
		ok(n == (int)kernels[i].n && !ct.n && ct.n_kept == 3 &&
		   ct.singles == kernels[i].singles &&
		   ct.dumps == kernels[i].dumps,
		   "the flows of an address are ended, and no others: Linux "
		   "%s", kernels[i].what);
	}
	ct.n = 5;
	ct.stubborn = true;
	verdict(ct_forget(&nl, &local, &err), -EBUSY, "5 connections of "
		"10.64.1.100 are left, or new ones keep beginning: does a rule "
		"of yours (snat) still translate to it?", "some are left");
	ct.on = false;
}

/* The fake's entries are of IPv4: their replies go to no address of the prefix,
 * or to one of it that is told as IPv4's, which is no reason to delete them.
 */
static void test_forget_prefix(void)
{
	struct prefix of;
	int n;

	ok(!prefix_parse(&of, "2001:db8:a00::/40"), "a prefix");
	begin();
	ASAN_UNPOISON_MEMORY_REGION(nl.rx, sizeof(nl.rx));
	ct.on = true;
	ct.dump_filter = ct.delete_filter = ct.stubborn = false;
	ct.n = ct.n_kept = 3;
	ct.singles = ct.dumps = 0;
	n = ct_forget_prefix(&nl, &of, 7, 0xff, &err);
	ok(!n && ct.n == 3 && ct.n_kept == 3 && ct.dumps == 1 && ct.mark == 7,
	   "flows of no address of the prefix stay: %d", n);
	ct.on = false;
}

int main(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)) {
		printf("Bail out! no socket\n");
		return 1;
	}
	nl.sock = mnl_socket_fdopen(pair[0]);
	nl.portid = PORT;
	nl.seq = 0xfffffff0;	/* numbers may wrap */
	test_acks();
	test_sentences();
	test_refusals();
	test_batch();
	test_dumps();
	test_enough();
	test_heard();
	test_attributes();
	test_good_objects();
	test_cut_objects();
	test_changed_objects();
	test_odd_objects();
	test_gateways("192.168.1.1");
	test_gateways("fe80::1");
	test_raw_rules();
	test_prefix_rules();
	test_refused_reads();
	test_forget();
	test_forget_prefix();
	close(pair[1]);
	nl_close(&nl);
	return done();
}
