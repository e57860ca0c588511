// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

#include "kernel/fib.h"

struct asking {
	struct fib *fib;
	uint32_t first;		/* sequence number of the first question */
};

/* The error that IPv4 would answer with: IPv6 answers with a route. */
static int code_of(uint8_t type)
{
	switch (type) {
	case RTN_UNREACHABLE:
		return -EHOSTUNREACH;
	case RTN_PROHIBIT:
		return -EACCES;
	case RTN_BLACKHOLE:
		return -EINVAL;
	case RTN_THROW:
		return -ENETUNREACH;
	}
	return 0;
}

/* The first answer says where the packet goes, the second by which route. */
static int on_answer(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTA_TABLE + 1];
	const struct asking *a = data;

	if (nlh->nlmsg_type != RTM_NEWROUTE ||
	    nl_attrs(nlh, sizeof(*rtm), tb, RTA_TABLE))
		return -EBADMSG;
	if (nlh->nlmsg_seq == a->first) {
		a->fib->ifindex = nl_u32(tb[RTA_OIF]);
		a->fib->type = rtm->rtm_type;
		a->fib->code = code_of(rtm->rtm_type);
		if (tb[RTA_PREFSRC])
			addr_set(&a->fib->source,
				 mnl_attr_get_payload(tb[RTA_PREFSRC]),
				 mnl_attr_get_payload_len(tb[RTA_PREFSRC]));
	} else {
		a->fib->prefix_len = rtm->rtm_dst_len;
	}
	a->fib->table = tb[RTA_TABLE] ? nl_u32(tb[RTA_TABLE]) : rtm->rtm_table;
	return 0;
}

static int on_refused(const struct nl_refusal *no, void *data)
{
	const struct asking *a = data;

	if (!no->index)
		a->fib->code = no->code;
	return 0;
}

/* Ports are read with a protocol that the kernel would make a header of alone
 * (net/ipv4/fib_frontend.c, rtm_getroute_parse_ip_proto()).
 */
static void put_protocol(struct nlmsghdr *nlh, const struct fib_packet *p)
{
	if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP &&
	    p->protocol != IPPROTO_ICMP && p->protocol != IPPROTO_ICMPV6)
		return;
	mnl_attr_put_u8(nlh, RTA_IP_PROTO, p->protocol);
	if (p->source_port)
		mnl_attr_put_u16(nlh, RTA_SPORT, htons(p->source_port));
	if (p->destination_port)
		mnl_attr_put_u16(nlh, RTA_DPORT, htons(p->destination_port));
}

static void put_question(struct nl_batch *b, struct nl *nl,
			 const struct fib_packet *p, uint32_t flags)
{
	/* IPv6 tells the table without being asked, and refuses the flag. */
	const uint32_t table = p->destination.family == AF_INET ?
			       RTM_F_LOOKUP_TABLE : 0;
	struct rtmsg head = {
		.rtm_family = p->destination.family,
		.rtm_dst_len = (uint8_t)(8 * addr_len(&p->destination)),
		.rtm_src_len = (uint8_t)(8 * addr_len(&p->source)),
		.rtm_flags = table | flags,
	};
	struct nlmsghdr *nlh = nl_put(b, nl, RTM_GETROUTE, 0, &head,
				      sizeof(head), 128);

	mnl_attr_put(nlh, RTA_DST, addr_len(&p->destination),
		     p->destination.bytes);
	if (p->source.family)
		mnl_attr_put(nlh, RTA_SRC, addr_len(&p->source),
			     p->source.bytes);
	if (p->iif)
		mnl_attr_put_u32(nlh, RTA_IIF, p->iif);
	if (p->mark)
		mnl_attr_put_u32(nlh, RTA_MARK, p->mark);
	put_protocol(nlh, p);
	nl_end(b, nlh);
}

int fib_ask(struct nl *nl, const struct fib_packet *p, struct fib *fib,
	    struct err *err)
{
	char buf[512] __attribute__((aligned(8)));
	struct asking a = { .fib = fib };
	struct nl_batch b;

	*fib = (struct fib){ .code = 0 };
	nl_batch_init(&b, nl, buf, sizeof(buf));
	a.first = b.first;
	put_question(&b, nl, p, 0);
	put_question(&b, nl, p, RTM_F_FIB_MATCH);
	return err_prefix(err, nl_send(nl, &b, NULL, on_refused, on_answer, &a,
				       err), "cannot ask for a route");
}
