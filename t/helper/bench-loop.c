// SPDX-License-Identifier: MIT
/* bench-loop SRC DST: the plain loop that t/bench/cprt measures cprt against.
 * It dumps the IPv4 routes of one table and adds them to another, 128 in a
 * message, and does nothing else: no comparison, no order, no second look.
 */
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/nl.h"

enum { SEND = 64 * 1024 };

struct loop {
	struct nl out;
	struct nl_batch batch;
	uint32_t src, dst;
	char buf[SEND] __attribute__((aligned(8)));
};

static int flush(struct loop *l)
{
	struct err err;
	int code = nl_send(&l->out, &l->batch, NULL, NULL, NULL, NULL, &err);

	if (code)
		fprintf(stderr, "bench-loop: %s\n", err.msg);
	nl_batch_init(&l->batch, &l->out, l->buf, sizeof(l->buf));
	return code;
}

static int add(const struct nlmsghdr *in, void *data)
{
	const struct nlattr *tb[RTA_MAX + 1];
	struct loop *l = data;
	struct nlmsghdr *nlh;
	struct rtmsg head;
	uint16_t i;

	if (nl_attrs(in, sizeof(head), tb, RTA_MAX))
		return -1;
	memcpy(&head, mnl_nlmsg_get_payload(in), sizeof(head));
	if (nl_u32(tb[RTA_TABLE]) != l->src || !head.rtm_dst_len)
		return 0;
	head.rtm_table = RT_TABLE_UNSPEC;
	head.rtm_flags = 0;
	if (l->batch.count == NL_BATCH_MAX && flush(l))
		return -1;
	nlh = nl_put(&l->batch, &l->out, RTM_NEWROUTE,
		     NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head),
		     in->nlmsg_len + 64);
	if (!nlh)
		return -1;
	mnl_attr_put_u32(nlh, RTA_TABLE, l->dst);
	for (i = 1; i <= RTA_MAX; i++)
		if (tb[i] && i != RTA_TABLE && i != RTA_CACHEINFO)
			mnl_attr_put(nlh, i, mnl_attr_get_payload_len(tb[i]),
				     mnl_attr_get_payload(tb[i]));
	nl_end(&l->batch, nlh);
	return 0;
}

int main(int argc, char **argv)
{
	static struct loop l;
	static struct nl in;
	char buf[128] __attribute__((aligned(8)));
	struct rtmsg head = { .rtm_family = AF_INET };
	struct nl_batch b;
	struct nlmsghdr *nlh;
	struct err err;

	if (argc != 3 || nl_open(&in, NETLINK_ROUTE, &err) ||
	    nl_open(&l.out, NETLINK_ROUTE, &err))
		return 1;
	l.src = (uint32_t)strtoul(argv[1], NULL, 10);
	l.dst = (uint32_t)strtoul(argv[2], NULL, 10);
	nl_batch_init(&l.batch, &l.out, l.buf, sizeof(l.buf));
	nl_batch_init(&b, &in, buf, sizeof(buf));
	nlh = nl_put(&b, &in, RTM_GETROUTE, NLM_F_DUMP, &head, sizeof(head),
		     16);
	mnl_attr_put_u32(nlh, RTA_TABLE, l.src);
	nl_end(&b, nlh);
	if (nl_dump(&in, &b, add, &l, &err)) {
		fprintf(stderr, "bench-loop: %s\n", err.msg);
		return 1;
	}
	return flush(&l) != 0;
}
