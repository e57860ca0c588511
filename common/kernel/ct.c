// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/ct.h"

enum {
	CT_GET = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
	CT_NEW = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW,
	CT_STATS = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS,
	CT_DELETE = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
	/* Dumps until one shows no entry: the first finds them, the next one
	 * confirms that they are gone, the others are for what a resize of the
	 * kernel's table hid from the first.
	 */
	ROUNDS_MAX = 16,
	STRAY_ROUNDS = 2,
	/* With 10,000 entries a dump takes 5 to 19 ms and the other way 2 to
	 * 12; with 100,000 it is 65 and 130.
	 */
	FEW = 20000,
	/* The original tuple, as the kernel writes it, is below 60 bytes. */
	TUPLE_MAX = 128,
	/* CTA_FILTER_F_CTA_IP_DST, which the kernel keeps to itself
	 * (nf_internals.h).
	 */
	FILTER_IP_DST = 1 << 1,
};

/* Entries on their way out: those of one address, of one prefix with a mark, or
 * stray ones.
 */
struct forget {
	const struct addr *local;	/* NULL: not of an address */
	const struct prefix *prefix;	/* NULL: not of a prefix */
	uint32_t mark, mask;		/* of a prefix's */
	/* Of stray ones: replies to this address are as they should be. */
	bool (*keep)(const struct addr *a, void *data);
	void *data;
	struct nl *nl;		/* for deletions: the dump has its own */
	struct nl_batch batch;	/* deletions of single entries */
	bool one_by_one;	/* the kernel cannot delete by a filter */
	bool all;		/* it has done so in this round */
	unsigned int found;	/* in this round */
	int code;		/* the first failure of a deletion */
	struct err *err;
};

/* Where the replies of an entry go, of the family of @to; family 0: nowhere. */
static int read_reply(const struct nlattr *reply, uint8_t family,
		      struct addr *to)
{
	const struct nlattr *tuple[CTA_TUPLE_IP + 1];
	const struct nlattr *ip[CTA_IP_V6_DST + 1], *dst;

	if (nl_nested(reply, tuple, CTA_TUPLE_IP) || !tuple[CTA_TUPLE_IP] ||
	    nl_nested(tuple[CTA_TUPLE_IP], ip, CTA_IP_V6_DST))
		return -EBADMSG;
	*to = (struct addr){ .family = family };
	dst = ip[family == AF_INET ? CTA_IP_V4_DST : CTA_IP_V6_DST];
	if (dst && mnl_attr_get_payload_len(dst) == addr_len(to))
		memcpy(to->bytes, mnl_attr_get_payload(dst), addr_len(to));
	else
		to->family = 0;
	return 0;
}

static uint8_t family_of(const struct forget *f)
{
	if (f->prefix)
		return f->prefix->addr.family;
	return f->local ? f->local->family : AF_INET;
}

/* Must this entry go? 1, 0, or -EBADMSG. */
static int is_meant(const struct forget *f, const struct nlattr **tb)
{
	struct addr to;
	int code = read_reply(tb[CTA_TUPLE_REPLY], family_of(f), &to);

	if (code || !to.family)
		return code;
	/* A dump does not filter by marks before it knows to (Linux 3.10). */
	if (f->prefix)
		return (nl_be32(tb[CTA_MARK]) & f->mask) == f->mark &&
		       prefix_has(f->prefix, &to);
	if (f->local)
		return addr_equal(&to, f->local);
	return !(nl_be32(tb[CTA_STATUS]) & IPS_SEEN_REPLY) &&
	       !f->keep(&to, f->data);
}

/* Ask for the entries whose reply goes to @local. A dump before Linux 5.8 does
 * not know the filter and shows all entries.
 */
static void put_filter(struct nlmsghdr *nlh, const struct addr *local)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTA_FILTER), *ip;

	mnl_attr_put_u32(nlh, CTA_FILTER_ORIG_FLAGS, 0);
	mnl_attr_put_u32(nlh, CTA_FILTER_REPLY_FLAGS, FILTER_IP_DST);
	mnl_attr_nest_end(nlh, nest);
	nest = mnl_attr_nest_start(nlh, CTA_TUPLE_REPLY);
	ip = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	mnl_attr_put(nlh, local->family == AF_INET ? CTA_IP_V4_DST :
		     CTA_IP_V6_DST, addr_len(local), local->bytes);
	mnl_attr_nest_end(nlh, ip);
	mnl_attr_nest_end(nlh, nest);
}

static void put_mark(struct nlmsghdr *nlh, uint32_t mark, uint32_t mask)
{
	mnl_attr_put_u32(nlh, CTA_MARK, htonl(mark));
	mnl_attr_put_u32(nlh, CTA_MARK_MASK, htonl(mask));
}

/* An entry may end by itself before its deletion. */
static int on_refused(const struct nl_refusal *no, void *data)
{
	if (no->code == -ENOENT)
		return 0;
	return err_set(data, no->code, "the kernel says: %s%s", no->why,
		       err_advice(no->code));
}

/* Delete all of them with one message (Linux 6.12). It can never flush the
 * whole table: a kernel that does not take the filter for deletions, or does
 * not know CTA_FILTER at all, reads CTA_TUPLE_REPLY as the tuple of one entry
 * (nf_conntrack_netlink.c, ctnetlink_del_conntrack()), and refuses it with
 * EINVAL because it has no source and no protocol.
 */
static int delete_all(struct forget *f)
{
	struct nfgenmsg nfg = { .nfgen_family = f->local->family,
				.version = 1 };
	struct nl_ask ask;

	put_filter(nl_ask(&ask, f->nl, CT_DELETE, &nfg, sizeof(nfg)),
		   f->local);
	return nl_ask_send(&ask, NULL, NULL, NULL, f->err);
}

static void send_batch(struct forget *f)
{
	if (!f->code)
		f->code = nl_send(f->nl, &f->batch, NULL, on_refused, NULL,
				  f->err, f->err);
	nl_batch_init(&f->batch, f->nl, f->batch.buf, f->batch.size);
}

/* Begin a message about the entry that @tb are the attributes of. There is
 * always room: a batch is sent at NL_BATCH_MAX.
 */
static struct nlmsghdr *put_about(struct nl_batch *b, struct nl *nl,
				  uint16_t type, const struct nfgenmsg *nfg,
				  const struct nlattr **tb)
{
	const struct nlattr *orig = tb[CTA_TUPLE_ORIG];
	struct nlmsghdr *nlh;

	if (mnl_attr_get_payload_len(orig) > TUPLE_MAX)
		return NULL;
	nlh = nl_put(b, nl, type, 0, nfg, sizeof(*nfg), TUPLE_MAX + 32);
	mnl_attr_put(nlh, CTA_TUPLE_ORIG | NLA_F_NESTED,
		     mnl_attr_get_payload_len(orig),
		     mnl_attr_get_payload(orig));
	if (tb[CTA_ZONE] && mnl_attr_get_payload_len(tb[CTA_ZONE]) ==
	    sizeof(uint16_t))
		mnl_attr_put(nlh, CTA_ZONE, sizeof(uint16_t),
			     mnl_attr_get_payload(tb[CTA_ZONE]));
	return nlh;
}

/* @tb: the entry's attributes. Its id keeps a new entry of the same tuple. */
static int delete_one(struct forget *f, const struct nfgenmsg *nfg,
		      const struct nlattr **tb)
{
	struct nlmsghdr *del;

	if (f->batch.count == NL_BATCH_MAX)
		send_batch(f);
	del = put_about(&f->batch, f->nl, CT_DELETE, nfg, tb);
	if (!del)
		return -EBADMSG;
	if (tb[CTA_ID] && mnl_attr_get_payload_len(tb[CTA_ID]) ==
	    sizeof(uint32_t))
		mnl_attr_put(del, CTA_ID, sizeof(uint32_t),
			     mnl_attr_get_payload(tb[CTA_ID]));
	nl_end(&f->batch, del);
	return 0;
}

static int on_entry(const struct nlmsghdr *nlh, void *data)
{
	struct forget *f = data;
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[CTA_ZONE + 1];
	int match;

	if (nl_attrs(nlh, sizeof(*nfg), tb, CTA_ZONE))
		return -EBADMSG;
	if (!tb[CTA_TUPLE_ORIG] || !tb[CTA_TUPLE_REPLY])
		return 0;
	match = is_meant(f, tb);
	if (match <= 0)
		return match;
	f->found++;
	if (f->all || f->code)
		return 0;
	if (!f->one_by_one) {
		f->code = delete_all(f);
		f->all = !f->code;
		if (f->code != -EINVAL && f->code != -EOPNOTSUPP)
			return 0;
		f->code = 0;
		f->one_by_one = true;
		/* Its first number comes after that message's. */
		nl_batch_init(&f->batch, f->nl, f->batch.buf, f->batch.size);
	}
	return delete_one(f, nfg, tb);
}

/* nfnetlink says EINVAL for a subsystem that it does not have. */
static int no_conntrack(int code, struct err *err)
{
	if (code != -EINVAL && code != -EOPNOTSUPP)
		return code;
	return err_set(err, code, "the kernel says: %s; is kernel module "
		       "nf_conntrack_netlink missing?", strerror(-code));
}

/* Dump on @dump what is there, and delete it on f->nl meanwhile: a deletion per
 * dump of limited length would read a long table many times.
 */
static int forget_round(struct forget *f, struct nl *dump)
{
	static char del[NL_BATCH_MAX * (TUPLE_MAX + 64)]
		__attribute__((aligned(8)));
	struct nfgenmsg nfg = { .nfgen_family = family_of(f) };
	struct nl_ask ask;
	struct nlmsghdr *nlh;
	struct err err;
	int code;

	f->found = 0;
	f->all = false;
	nl_batch_init(&f->batch, f->nl, del, sizeof(del));
	nlh = nl_ask(&ask, dump, CT_GET, &nfg, sizeof(nfg));
	if (f->local)
		put_filter(nlh, f->local);
	if (f->prefix)
		put_mark(nlh, f->mark, f->mask);
	code = nl_ask_dump(&ask, on_entry, f, &err);
	send_batch(f);
	if (f->code)
		return f->code;
	if (code)
		*f->err = err;
	return no_conntrack(code, f->err);
}

/* Until a dump shows none. Returns how many were found, at least, or a negative
 * errno.
 */
static int forget(struct forget *f, unsigned int rounds)
{
	static struct nl dump;
	unsigned int round;
	int n = 0, code = nl_open(&dump, NETLINK_NETFILTER, f->err);

	if (code)
		return code;
	for (round = 0; round < rounds; round++) {
		code = forget_round(f, &dump);
		if (code || !f->found)
			break;
		n += (int)f->found;
	}
	nl_close(&dump);
	return code ? code : n;
}

int ct_end_stray(struct nl *nl, bool (*keep)(const struct addr *, void *),
		 void *data, struct err *err)
{
	struct forget f = { .keep = keep, .data = data, .nl = nl,
			    .one_by_one = true, .err = err };

	/* What begins meanwhile is seen as well, again and again. */
	return forget(&f, STRAY_ROUNDS);
}

int ct_forget(struct nl *nl, const struct addr *local, struct err *err)
{
	struct forget f = { .local = local, .nl = nl, .err = err };
	char text[ADDR_TEXT];
	int n = forget(&f, ROUNDS_MAX);

	if (n < 0)
		return n;
	return !f.found ? n :
	       err_set(err, -EBUSY, "%u connections of %s are left, or new "
		       "ones keep beginning: does a rule of yours (snat) still "
		       "translate to it?", f.found, addr_text(local, text));
}

static int on_stats(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[CTA_STATS_GLOBAL_ENTRIES + 1];
	uint32_t *n = data;

	if (nl_attrs(nlh, sizeof(struct nfgenmsg), tb,
		     CTA_STATS_GLOBAL_ENTRIES))
		return -EBADMSG;
	if (tb[CTA_STATS_GLOBAL_ENTRIES])
		*n = nl_be32(tb[CTA_STATS_GLOBAL_ENTRIES]);
	return 0;
}

/* Is it cheaper to have the kernel delete by mark than to dump? It then waits
 * for masquerading, which walks through the table when a device goes, and a dump
 * does not.
 */
static bool are_few(struct nl *nl)
{
	struct nfgenmsg nfg = { .nfgen_family = AF_UNSPEC };
	uint32_t n = UINT32_MAX;
	struct nl_ask ask;
	struct err err;

	nl_ask(&ask, nl, CT_STATS, &nfg, sizeof(nfg));
	return !nl_ask_send(&ask, NULL, on_stats, &n, &err) && n <= FEW;
}

int ct_forget_prefix(struct nl *nl, const struct prefix *of, uint32_t mark,
		     uint32_t mask, struct err *err)
{
	struct forget f = { .prefix = of, .mark = mark, .mask = mask, .nl = nl,
			    .one_by_one = true, .err = err };
	int n;

	if (!of->len && are_few(nl)) {
		n = ct_end(nl, of->addr.family, mark, mask, err);
		return n ? n : 1;
	}
	/* New ones of this kind do not begin: the prefix is no line's. */
	return forget(&f, STRAY_ROUNDS);
}

/* Marks on their way to others. */
struct renumber {
	const struct ct_marks *from, *to;
	unsigned int n;
	struct nl *nl;		/* for changes: the dump has its own */
	struct nl_batch batch;
	int code;		/* the first failure of a change */
	struct err *err;
};

static void send_changes(struct renumber *r)
{
	if (!r->code)
		r->code = nl_send(r->nl, &r->batch, NULL, on_refused, NULL,
				  r->err, r->err);
	nl_batch_init(&r->batch, r->nl, r->batch.buf, r->batch.size);
}

/* A change to what is there already: without NLM_F_CREATE. */
static int on_marked(const struct nlmsghdr *nlh, void *data)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[CTA_ZONE + 1];
	struct renumber *r = data;
	struct nlmsghdr *set;
	uint32_t mark;
	unsigned int i;

	if (nl_attrs(nlh, sizeof(*nfg), tb, CTA_ZONE))
		return -EBADMSG;
	mark = nl_be32(tb[CTA_MARK]) & r->from->mask;
	for (i = 0; i < r->n; i++)
		if (mark && mark == r->from->mark[i])
			break;
	if (i == r->n || !tb[CTA_TUPLE_ORIG] || r->code)
		return 0;
	if (r->batch.count == NL_BATCH_MAX)
		send_changes(r);
	set = put_about(&r->batch, r->nl, CT_NEW, nfg, tb);
	if (!set)
		return -EBADMSG;
	put_mark(set, r->to->mark[i], r->from->mask | r->to->mask);
	nl_end(&r->batch, set);
	return 0;
}

int ct_renumber(struct nl *nl, const struct ct_marks *from,
		const struct ct_marks *to, unsigned int n, struct err *err)
{
	static char changes[NL_BATCH_MAX * (TUPLE_MAX + 80)]
		__attribute__((aligned(8)));
	static struct nl dump;
	struct nfgenmsg nfg = { .nfgen_family = AF_UNSPEC };
	struct renumber r = { .from = from, .to = to, .n = n, .nl = nl,
			      .err = err };
	struct nl_ask ask;
	int code = nl_open(&dump, NETLINK_NETFILTER, err);

	if (code)
		return code;
	nl_batch_init(&r.batch, nl, changes, sizeof(changes));
	nl_ask(&ask, &dump, CT_GET, &nfg, sizeof(nfg));
	code = nl_ask_dump(&ask, on_marked, &r, err);
	send_changes(&r);
	nl_close(&dump);
	return r.code ? r.code : no_conntrack(code, err);
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

int ct_count(struct nl *nl, uint8_t family, uint32_t mask,
	     const uint32_t *marks, unsigned int n, uint64_t *counts,
	     struct err *err)
{
	struct nfgenmsg nfg = { .nfgen_family = family };
	struct count c = { .mask = mask, .marks = marks, .n = n,
			   .counts = counts };
	struct nl_ask ask;

	memset(counts, 0, n * sizeof(counts[0]));
	nl_ask(&ask, nl, CT_GET, &nfg, sizeof(nfg));
	return nl_ask_dump(&ask, on_counted, &c, err);
}

int ct_end(struct nl *nl, uint8_t family, uint32_t mark, uint32_t mask,
	   struct err *err)
{
	/* Before version 1 the family did not count
	 * (nf_conntrack_netlink.c, ctnetlink_del_conntrack()).
	 */
	struct nfgenmsg nfg = { .nfgen_family = family, .version = 1 };
	struct nl_ask ask;

	put_mark(nl_ask(&ask, nl, CT_DELETE, &nfg, sizeof(nfg)), mark, mask);
	return no_conntrack(nl_ask_send(&ask, NULL, NULL, NULL, err), err);
}

static uint16_t source_attr(const struct ct_tuple *t)
{
	return t->source.family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC;
}

static uint16_t destination_attr(const struct ct_tuple *t)
{
	return t->source.family == AF_INET ? CTA_IP_V4_DST : CTA_IP_V6_DST;
}

static void put_tuple(struct nlmsghdr *nlh, const struct ct_tuple *t)
{
	struct nlattr *tuple = mnl_attr_nest_start(nlh, CTA_TUPLE_ORIG), *part;

	part = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	mnl_attr_put(nlh, source_attr(t), addr_len(&t->source),
		     t->source.bytes);
	mnl_attr_put(nlh, destination_attr(t), addr_len(&t->destination),
		     t->destination.bytes);
	mnl_attr_nest_end(nlh, part);
	part = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, t->protocol);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(t->source_port));
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(t->destination_port));
	mnl_attr_nest_end(nlh, part);
	if (t->zone)
		mnl_attr_put_u16(nlh, CTA_TUPLE_ZONE, htons(t->zone));
	mnl_attr_nest_end(nlh, tuple);
}

static int get_addr(const struct nlattr *v4, const struct nlattr *v6,
		    struct addr *addr)
{
	const struct nlattr *is = v4 ? v4 : v6;

	return is ? addr_set(addr, mnl_attr_get_payload(is),
			     mnl_attr_get_payload_len(is)) : -EBADMSG;
}

static int get_tuple(const struct nlattr *nest, struct ct_tuple *t)
{
	const struct nlattr *tuple[CTA_TUPLE_PROTO + 1];
	const struct nlattr *ip[CTA_IP_V6_DST + 1];
	const struct nlattr *proto[CTA_PROTO_DST_PORT + 1];

	if (!nest || nl_nested(nest, tuple, CTA_TUPLE_PROTO) ||
	    !tuple[CTA_TUPLE_IP] || !tuple[CTA_TUPLE_PROTO] ||
	    nl_nested(tuple[CTA_TUPLE_IP], ip, CTA_IP_V6_DST) ||
	    nl_nested(tuple[CTA_TUPLE_PROTO], proto, CTA_PROTO_DST_PORT) ||
	    get_addr(ip[CTA_IP_V4_SRC], ip[CTA_IP_V6_SRC], &t->source) ||
	    get_addr(ip[CTA_IP_V4_DST], ip[CTA_IP_V6_DST], &t->destination))
		return -EBADMSG;
	t->protocol = nl_u8(proto[CTA_PROTO_NUM]);
	t->source_port = ntohs(nl_u16(proto[CTA_PROTO_SRC_PORT]));
	t->destination_port = ntohs(nl_u16(proto[CTA_PROTO_DST_PORT]));
	return 0;
}

/* The next SYN of a TCP connection that is over begins another one
 * (nf_conntrack_proto_tcp.c, nf_conntrack_tcp_packet()).
 */
static bool is_over(const struct nlattr *info)
{
	const struct nlattr *proto[CTA_PROTOINFO_TCP + 1];
	const struct nlattr *tcp[CTA_PROTOINFO_TCP_STATE + 1];
	uint8_t state;

	if (!info || nl_nested(info, proto, CTA_PROTOINFO_TCP) ||
	    !proto[CTA_PROTOINFO_TCP] ||
	    nl_nested(proto[CTA_PROTOINFO_TCP], tcp, CTA_PROTOINFO_TCP_STATE))
		return false;
	state = nl_u8(tcp[CTA_PROTOINFO_TCP_STATE]);
	return state == TCP_CONNTRACK_TIME_WAIT ||
	       state == TCP_CONNTRACK_CLOSE;
}

struct find {
	const struct ct_tuple *tuple;
	struct ct_flow *flow;
};

/* The direction is that whose tuple is the packet's (nf_conntrack_core.c,
 * resolve_normal_ct()); NAT makes its source the other one's destination,
 * and the other way round.
 */
static int on_flow(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[CTA_MARK + 1];
	const struct find *find = data;
	const struct ct_tuple *is = find->tuple;
	struct ct_flow *flow = find->flow;
	struct ct_tuple orig, reply;
	uint32_t status;

	if (nl_attrs(nlh, sizeof(struct nfgenmsg), tb, CTA_MARK) ||
	    get_tuple(tb[CTA_TUPLE_ORIG], &orig) ||
	    get_tuple(tb[CTA_TUPLE_REPLY], &reply))
		return -EBADMSG;
	if (is_over(tb[CTA_PROTOINFO]))
		return 0;
	flow->known = true;
	flow->is_reply = !addr_equal(&orig.source, &is->source) ||
			 !addr_equal(&orig.destination, &is->destination) ||
			 orig.source_port != is->source_port ||
			 orig.destination_port != is->destination_port;
	status = nl_be32(tb[CTA_STATUS]);
	flow->answered = flow->is_reply || (status & IPS_SEEN_REPLY);
	flow->bare = !(status & IPS_NAT_MASK);
	flow->mark = nl_be32(tb[CTA_MARK]);
	flow->from = flow->is_reply ? orig.destination : reply.destination;
	flow->to = flow->is_reply ? orig.source : reply.source;
	return 0;
}

static int on_missing(const struct nl_refusal *no, void *data)
{
	(void)data;
	return no->code == -ENOENT ? 0 : no->code;
}

int ct_find(struct nl *nl, const struct ct_tuple *tuple, struct ct_flow *flow,
	    struct err *err)
{
	struct nfgenmsg nfg = { .nfgen_family = tuple->source.family };
	struct find find = { .tuple = tuple, .flow = flow };
	struct nl_ask ask;
	int code;

	*flow = (struct ct_flow){ .from = tuple->source,
				  .to = tuple->destination };
	put_tuple(nl_ask(&ask, nl, CT_GET, &nfg, sizeof(nfg)), tuple);
	code = nl_ask_send(&ask, on_missing, on_flow, &find, err);
	return code ? err_set(err, code, "cannot ask conntrack for the "
			      "connection: %s%s", strerror(-code),
			      code == -EINVAL ? "; is kernel module "
			      "nf_conntrack_netlink missing?" :
			      err_advice(code)) : 0;
}

void ct_print_forget(const struct addr *local, FILE *out)
{
	char text[ADDR_TEXT];

	fprintf(out, "conntrack -D --reply-dst %s\n", addr_text(local, text));
}

void ct_print_forget_prefix(uint32_t mark, uint32_t mask, FILE *out)
{
	fprintf(out, "conntrack -D -f ipv6 --mark 0x%x/0x%x\n", mark, mask);
}

void ct_print_end(uint8_t family, uint32_t mark, uint32_t mask, FILE *out)
{
	fprintf(out, "conntrack -D%s --mark 0x%x/0x%x\n",
		family == AF_INET6 ? " -f ipv6" : "", mark, mask);
}

void ct_print_end_stray(FILE *out)
{
	fprintf(out, "conntrack -D -f ipv4 -u UNREPLIED\n");
}
