// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#include "ct.h"

enum {
	/* Deletions a round; more entries than this take more rounds. */
	FORGET_MAX = 1024,
	ROUNDS_MAX = 64,
	/* The original tuple, as the kernel writes it, is below 60 bytes. */
	TUPLE_MAX = 128,
};

struct forget {
	const struct addr *local;
	struct nl_batch del;
	struct nl *del_nl;
};

static int reply_goes_to(const struct nlattr *reply, const struct addr *local)
{
	const struct nlattr *tuple[CTA_TUPLE_IP + 1];
	const struct nlattr *ip[CTA_IP_V6_DST + 1], *dst;

	if (nl_nested(reply, tuple, CTA_TUPLE_IP) || !tuple[CTA_TUPLE_IP] ||
	    nl_nested(tuple[CTA_TUPLE_IP], ip, CTA_IP_V6_DST))
		return -EBADMSG;
	dst = ip[local->family == AF_INET ? CTA_IP_V4_DST : CTA_IP_V6_DST];
	return dst && mnl_attr_get_payload_len(dst) == addr_len(local) &&
	       !memcmp(mnl_attr_get_payload(dst), local->bytes,
		       addr_len(local));
}

/* Put the deletion of this entry into the batch that follows the dump. */
static int on_entry(const struct nlmsghdr *nlh, void *data)
{
	struct forget *f = data;
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[CTA_ZONE + 1];
	struct nlmsghdr *del;
	int match;

	if (nl_attrs(nlh, sizeof(*nfg), tb, CTA_ZONE))
		return -EBADMSG;
	if (!tb[CTA_TUPLE_ORIG] || !tb[CTA_TUPLE_REPLY])
		return 0;
	match = reply_goes_to(tb[CTA_TUPLE_REPLY], f->local);
	if (match <= 0)
		return match;
	if (mnl_attr_get_payload_len(tb[CTA_TUPLE_ORIG]) > TUPLE_MAX)
		return -EBADMSG;
	if (f->del.count == FORGET_MAX)
		return 0;
	del = nl_put(&f->del, f->del_nl,
		     NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, 0, nfg,
		     sizeof(*nfg), TUPLE_MAX + 32);
	if (!del)
		return 0;
	mnl_attr_put(del, CTA_TUPLE_ORIG | NLA_F_NESTED,
		     mnl_attr_get_payload_len(tb[CTA_TUPLE_ORIG]),
		     mnl_attr_get_payload(tb[CTA_TUPLE_ORIG]));
	/* With its id: a new entry of the same tuple is not meant. */
	if (tb[CTA_ID] && mnl_attr_get_payload_len(tb[CTA_ID]) ==
	    sizeof(uint32_t))
		mnl_attr_put(del, CTA_ID, sizeof(uint32_t),
			     mnl_attr_get_payload(tb[CTA_ID]));
	if (tb[CTA_ZONE] && mnl_attr_get_payload_len(tb[CTA_ZONE]) ==
	    sizeof(uint16_t))
		mnl_attr_put(del, CTA_ZONE, sizeof(uint16_t),
			     mnl_attr_get_payload(tb[CTA_ZONE]));
	nl_end(&f->del, del);
	return 0;
}

/* An entry may end by itself before its deletion. */
static int on_refused(const struct nl_refusal *no, void *data)
{
	if (no->code == -ENOENT)
		return 0;
	return err_set(data, no->code, "the kernel says: %s", no->why);
}

int ct_forget(struct nl *nl, const struct addr *local, struct err *err)
{
	static char del[FORGET_MAX * (TUPLE_MAX + 64)]
		__attribute__((aligned(8)));
	struct nfgenmsg nfg = { .nfgen_family = local->family };
	struct forget f = { .local = local, .del_nl = nl };
	char buf[64] __attribute__((aligned(8)));
	struct nl_batch b;
	unsigned int round;
	int code, n = 0;

	for (round = 0; round < ROUNDS_MAX; round++) {
		nl_batch_init(&b, nl, buf, sizeof(buf));
		nl_end(&b, nl_put(&b, nl, NFNL_SUBSYS_CTNETLINK << 8 |
				  IPCTNL_MSG_CT_GET, 0, &nfg, sizeof(nfg), 0));
		nl_batch_init(&f.del, nl, del, sizeof(del));
		code = nl_dump(nl, &b, on_entry, &f, err);
		if (code)
			return code;
		if (!f.del.count)
			return n;
		code = nl_send(nl, &f.del, NULL, on_refused, NULL, err, err);
		if (code)
			return code;
		n += (int)f.del.count;
	}
	return n;
}

struct count {
	uint32_t mask;
	const uint32_t *marks;
	unsigned int n, last;
	uint64_t *counts;
};

static int on_counted(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[CTA_MARK + 1];
	struct count *c = data;
	unsigned int k, i;
	uint32_t mark;

	if (nl_attrs(nlh, sizeof(struct nfgenmsg), tb, CTA_MARK))
		return -EBADMSG;
	mark = nl_be32(tb[CTA_MARK]) & c->mask;
	/* Entries of one link often come together. */
	for (k = 0; k < c->n && mark; k++) {
		i = (c->last + k) % c->n;
		if (c->marks[i] != mark)
			continue;
		c->counts[i]++;
		c->last = i;
		break;
	}
	return 0;
}

int ct_count(struct nl *nl, uint32_t mask, const uint32_t *marks,
	     unsigned int n, uint64_t *counts, struct err *err)
{
	struct nfgenmsg nfg = { .nfgen_family = AF_INET };
	struct count c = { .mask = mask, .marks = marks, .n = n,
			   .counts = counts };
	char buf[64] __attribute__((aligned(8)));
	struct nl_batch b;

	memset(counts, 0, n * sizeof(counts[0]));
	nl_batch_init(&b, nl, buf, sizeof(buf));
	nl_end(&b, nl_put(&b, nl, NFNL_SUBSYS_CTNETLINK << 8 |
			  IPCTNL_MSG_CT_GET, 0, &nfg, sizeof(nfg), 0));
	return nl_dump(nl, &b, on_counted, &c, err);
}

int ct_end(struct nl *nl, uint32_t mark, uint32_t mask, struct err *err)
{
	/* Before version 1 the family did not count
	 * (nf_conntrack_netlink.c, ctnetlink_del_conntrack()).
	 */
	struct nfgenmsg nfg = { .nfgen_family = AF_INET, .version = 1 };
	char buf[64] __attribute__((aligned(8)));
	struct nlmsghdr *nlh;
	struct nl_batch b;

	nl_batch_init(&b, nl, buf, sizeof(buf));
	nlh = nl_put(&b, nl, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
		     0, &nfg, sizeof(nfg), 16);
	mnl_attr_put_u32(nlh, CTA_MARK, htonl(mark));
	mnl_attr_put_u32(nlh, CTA_MARK_MASK, htonl(mask));
	nl_end(&b, nlh);
	return nl_send(nl, &b, NULL, NULL, NULL, NULL, err);
}
