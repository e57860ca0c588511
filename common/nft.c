// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "nft.h"

/* What the rules compare with. */
enum {
	TCPOPT_MAXSEG = 2,		/* RFC 9293, 3.2 */
	TCP_SYN = 0x02, TCP_SYN_RST = 0x06,
	IPV4_SADDR = 12,		/* offset in the IPv4 header */
	TCP_FLAGS = 13,			/* offset in the TCP header */
	/* enum ip_conntrack_info's IP_CT_NEW as a bit of ct state. */
	STATE_NEW = 8,
	DIRECTION_REPLY = 1,
};

/* How nft tells types of set keys (src/include/datatype.h); the kernel keeps
 * the number and does not look at it, nft needs it to print the elements.
 */
enum {
	KEY_INTEGER = 4,
	KEY_IPV4 = 7,
	KEY_MARK = 19,
	KEY_IFNAME = 41,
	KEY_VERDICT = 0xffffff00,
};

enum {
	/* Userdata is type, length, value; nft knows 0 (comment) and 1 and
	 * skips the rest.
	 */
	UDATA_HASH = 0x77,
	UDATA_LEN = 2 + sizeof(uint64_t),
	/* Userdata of a set: 0 is the key's byte order, 1 for the host's. */
	UDATA_BYTEORDER = 0,
	/* An element with its verdict is at most 72 bytes. */
	ELEMENT_ROOM = 80,
	SCRATCH = 1024 + LINKS_MAX * ELEMENT_ROOM,
	/* 255 links need about 300 KB, to replace as many others 30 more. */
	BATCH_SIZE = 512 * 1024,
	/* Every refused message has an answer, all at once. */
	ANSWERS_SIZE = 2 * 1024 * 1024,
	MODULE_TEXT = 96,
	RULE_TEXT = 160,	/* the rest of a long rule is left out */
};

static char batch_buf[BATCH_SIZE] __attribute__((aligned(8)));
static char scratch_buf[SCRATCH] __attribute__((aligned(8)));

/* Where messages go: into a batch, or, with none, each into the same scratch
 * place, for the sake of the hash alone.
 */
struct out {
	struct nl *nl;
	struct nl_batch *batch;
};

static struct nlmsghdr *begin(struct out *o, unsigned int op, uint16_t flags,
			      size_t room)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_INET };
	uint16_t type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | op);
	struct nlmsghdr *nlh;

	if (o->batch)
		return nl_put(o->batch, o->nl, type, flags, &head,
			      sizeof(head), room);
	nlh = mnl_nlmsg_put_header(scratch_buf);
	memcpy(mnl_nlmsg_put_extra_header(nlh, sizeof(head)), &head,
	       sizeof(head));
	return nlh;
}

static void finish(struct out *o, struct nlmsghdr *nlh)
{
	if (o->batch)
		nl_end(o->batch, nlh);
}

/* FNV-1a, by words: a message is a sequence of them. */
static uint64_t fold(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x100000001b3;
	return h ^ h >> 29;
}

static const uint64_t fold_start = 0xcbf29ce484222325;

static uint64_t fold_message(uint64_t h, const struct nlmsghdr *nlh)
{
	const char *p = mnl_nlmsg_get_payload(nlh);
	const char *tail = mnl_nlmsg_get_payload_tail(nlh);
	uint32_t word;

	for (; p + sizeof(word) <= tail; p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = fold(h, word);
	}
	return h;
}

/* libmnl before 1.0.5 leaves the bytes behind a short attribute as they are;
 * the hash has to be of what is written alone.
 */
static void put(struct nlmsghdr *nlh, uint16_t type, const void *data,
		size_t len)
{
	size_t pad = -len & (MNL_ALIGNTO - 1);
	char *end;

	mnl_attr_put(nlh, type, len, data);
	end = mnl_nlmsg_get_payload_tail(nlh);
	memset(end - pad, 0, pad);
}

static void put_text(struct nlmsghdr *nlh, uint16_t type, const char *text)
{
	put(nlh, type, text, strlen(text) + 1);
}

/* nftables has its numbers in network order. */
static void put32(struct nlmsghdr *nlh, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(nlh, type, htonl(value));
}

static void put_value(struct nlmsghdr *nlh, uint16_t type, const void *data,
		      size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	put(nlh, NFTA_DATA_VALUE, data, len);
	mnl_attr_nest_end(nlh, nest);
}

static void put_verdict(struct nlmsghdr *nlh, uint16_t type, int code,
			const char *chain)
{
	struct nlattr *data = mnl_attr_nest_start(nlh, type);
	struct nlattr *verdict = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);

	put32(nlh, NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain)
		put_text(nlh, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(nlh, verdict);
	mnl_attr_nest_end(nlh, data);
}

/* An expression: its name and, nested, its own attributes. */
struct expr {
	struct nlattr *list, *data;
};

static struct expr open_expr(struct nlmsghdr *nlh, const char *name)
{
	struct expr e;

	e.list = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	put_text(nlh, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	return e;
}

static void close_expr(struct nlmsghdr *nlh, struct expr e)
{
	mnl_attr_nest_end(nlh, e.data);
	mnl_attr_nest_end(nlh, e.list);
}

/* meta, ct and rt have the same two attributes under different numbers.
 * Everything is computed in register 1.
 */
static void load(struct nlmsghdr *nlh, const char *name, uint16_t key_attr,
		 uint16_t dreg_attr, uint32_t key)
{
	struct expr e = open_expr(nlh, name);

	put32(nlh, key_attr, key);
	put32(nlh, dreg_attr, NFT_REG_1);
	close_expr(nlh, e);
}

static void load_meta(struct nlmsghdr *nlh, uint32_t key)
{
	load(nlh, "meta", NFTA_META_KEY, NFTA_META_DREG, key);
}

static void load_ct(struct nlmsghdr *nlh, uint32_t key)
{
	load(nlh, "ct", NFTA_CT_KEY, NFTA_CT_DREG, key);
}

static void load_rt(struct nlmsghdr *nlh, uint32_t key)
{
	load(nlh, "rt", NFTA_RT_KEY, NFTA_RT_DREG, key);
}

static void load_payload(struct nlmsghdr *nlh, uint32_t dreg, uint32_t base,
			 uint32_t offset, uint32_t len)
{
	struct expr e = open_expr(nlh, "payload");

	put32(nlh, NFTA_PAYLOAD_DREG, dreg);
	put32(nlh, NFTA_PAYLOAD_BASE, base);
	put32(nlh, NFTA_PAYLOAD_OFFSET, offset);
	put32(nlh, NFTA_PAYLOAD_LEN, len);
	close_expr(nlh, e);
}

/* reg 1 = reg 1 & mask ^ xor */
static void bitwise(struct nlmsghdr *nlh, const void *mask, const void *xor,
		    uint32_t len)
{
	struct expr e = open_expr(nlh, "bitwise");

	put32(nlh, NFTA_BITWISE_SREG, NFT_REG_1);
	put32(nlh, NFTA_BITWISE_DREG, NFT_REG_1);
	put32(nlh, NFTA_BITWISE_LEN, len);
	put_value(nlh, NFTA_BITWISE_MASK, mask, len);
	put_value(nlh, NFTA_BITWISE_XOR, xor, len);
	close_expr(nlh, e);
}

static void bitwise32(struct nlmsghdr *nlh, uint32_t mask, uint32_t xor)
{
	bitwise(nlh, &mask, &xor, sizeof(mask));
}

/* A mask of ones changes nothing. */
static void mask32(struct nlmsghdr *nlh, uint32_t mask)
{
	if (mask != UINT32_MAX)
		bitwise32(nlh, mask, 0);
}

static void compare(struct nlmsghdr *nlh, uint32_t op, const void *data,
		    size_t len)
{
	struct expr e = open_expr(nlh, "cmp");

	put32(nlh, NFTA_CMP_SREG, NFT_REG_1);
	put32(nlh, NFTA_CMP_OP, op);
	put_value(nlh, NFTA_CMP_DATA, data, len);
	close_expr(nlh, e);
}

static void compare8(struct nlmsghdr *nlh, uint32_t op, uint8_t value)
{
	compare(nlh, op, &value, sizeof(value));
}

static void compare32(struct nlmsghdr *nlh, uint32_t op, uint32_t value)
{
	compare(nlh, op, &value, sizeof(value));
}

static void byteorder(struct nlmsghdr *nlh, uint32_t len)
{
	struct expr e = open_expr(nlh, "byteorder");

	put32(nlh, NFTA_BYTEORDER_SREG, NFT_REG_1);
	put32(nlh, NFTA_BYTEORDER_DREG, NFT_REG_1);
	put32(nlh, NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	put32(nlh, NFTA_BYTEORDER_LEN, len);
	put32(nlh, NFTA_BYTEORDER_SIZE, len);
	close_expr(nlh, e);
}

static void set_mark(struct nlmsghdr *nlh, const char *name,
		     uint16_t key_attr, uint16_t sreg_attr, uint32_t key)
{
	struct expr e = open_expr(nlh, name);

	put32(nlh, key_attr, key);
	put32(nlh, sreg_attr, NFT_REG_1);
	close_expr(nlh, e);
}

static void immediate(struct nlmsghdr *nlh, int code, const char *chain)
{
	struct expr e = open_expr(nlh, "immediate");

	put32(nlh, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	put_verdict(nlh, NFTA_IMMEDIATE_DATA, code, chain);
	close_expr(nlh, e);
}

/* The kernel turns the %d into a number that is free. */
static const char *set_name(const struct ruleset_statement *s)
{
	return ruleset_is_map(s) ? "__map%d" : "__set%d";
}

static void lookup(struct nlmsghdr *nlh, const struct ruleset_statement *s,
		   uint32_t id)
{
	struct expr e = open_expr(nlh, "lookup");

	put32(nlh, NFTA_LOOKUP_SREG, NFT_REG_1);
	if (ruleset_is_map(s))
		put32(nlh, NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
	put_text(nlh, NFTA_LOOKUP_SET, set_name(s));
	put32(nlh, NFTA_LOOKUP_SET_ID, id);
	if (s->kind == IF_NOT_IIFNAME)
		put32(nlh, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	close_expr(nlh, e);
}

/* nft puts this before every field of an IPv4 header in an inet chain, and
 * without it would print the field as raw bits.
 */
static void only_ipv4(struct nlmsghdr *nlh)
{
	load_meta(nlh, NFT_META_NFPROTO);
	compare8(nlh, NFT_CMP_EQ, NFPROTO_IPV4);
}

/* Links of weight 1 have a slot each, which is a plain map; with weights the
 * slots of a link are a range.
 */
static bool has_ranges(const struct ruleset_statement *s)
{
	return s->kind == TO_HASH && s->value > s->count;
}

static void hash_source(struct nlmsghdr *nlh, const struct ruleset_statement *s)
{
	struct expr e;

	only_ipv4(nlh);
	load_payload(nlh, NFT_REG_2, NFT_PAYLOAD_NETWORK_HEADER, IPV4_SADDR,
		     sizeof(uint32_t));
	e = open_expr(nlh, "hash");
	put32(nlh, NFTA_HASH_SREG, NFT_REG_2);
	put32(nlh, NFTA_HASH_DREG, NFT_REG_1);
	put32(nlh, NFTA_HASH_LEN, sizeof(uint32_t));
	put32(nlh, NFTA_HASH_MODULUS, s->value);
	put32(nlh, NFTA_HASH_SEED, RULESET_SEED);
	put32(nlh, NFTA_HASH_OFFSET, 0);
	put32(nlh, NFTA_HASH_TYPE, NFT_HASH_JENKINS);
	close_expr(nlh, e);
	/* The kernel orders ranges as bytes. */
	if (has_ranges(s))
		byteorder(nlh, sizeof(uint32_t));
}

static void tcp_syn(struct nlmsghdr *nlh)
{
	const uint8_t mask = TCP_SYN_RST, none = 0;

	load_meta(nlh, NFT_META_L4PROTO);
	compare8(nlh, NFT_CMP_EQ, IPPROTO_TCP);
	load_payload(nlh, NFT_REG_1, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS,
		     sizeof(mask));
	bitwise(nlh, &mask, &none, sizeof(mask));
	compare8(nlh, NFT_CMP_EQ, TCP_SYN);
}

/* The option's size field is its bytes 2 and 3; the kernel writes it only
 * when the new value is smaller.
 */
static void clamp_mss(struct nlmsghdr *nlh)
{
	const uint8_t option = TCPOPT_MAXSEG;
	const uint16_t field = 2;
	struct expr e;

	load_rt(nlh, NFT_RT_TCPMSS);
	byteorder(nlh, field);
	e = open_expr(nlh, "exthdr");
	put32(nlh, NFTA_EXTHDR_SREG, NFT_REG_1);
	put(nlh, NFTA_EXTHDR_TYPE, &option, sizeof(option));
	put32(nlh, NFTA_EXTHDR_OFFSET, field);
	put32(nlh, NFTA_EXTHDR_LEN, field);
	put32(nlh, NFTA_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
	close_expr(nlh, e);
}

static void masquerade(struct nlmsghdr *nlh)
{
	struct expr e = open_expr(nlh, "masq");

	close_expr(nlh, e);
}

/* The set's or map's key, or the one name to compare with. */
static void load_key(struct nlmsghdr *nlh, const struct ruleset *rs,
		     const struct ruleset_statement *s)
{
	switch (s->kind) {
	case TO_CT_MARK:
		load_ct(nlh, NFT_CT_MARK);
		mask32(nlh, s->mask);
		break;
	case TO_HASH:
		hash_source(nlh, s);
		break;
	case TO_SADDR:
		only_ipv4(nlh);
		load_payload(nlh, NFT_REG_1, NFT_PAYLOAD_NETWORK_HEADER,
			     IPV4_SADDR, sizeof(uint32_t));
		bitwise32(nlh, htonl(s->mask), 0);
		break;
	case IF_OIFNAME:
	case TO_OIFNAME:
		load_meta(nlh, NFT_META_OIFNAME);
		break;
	default:
		load_meta(nlh, NFT_META_IIFNAME);
	}
	if (!ruleset_has_set(s))
		compare(nlh, s->kind == IF_NOT_IIFNAME ? NFT_CMP_NEQ :
			NFT_CMP_EQ, rs->element[s->first].name, IFNAMSIZ);
}

/* A condition or action without elements. */
static void put_simple(struct nlmsghdr *nlh, const struct ruleset *rs,
		       const struct ruleset_statement *s)
{
	switch (s->kind) {
	case IF_NOT_IPV4:
		load_meta(nlh, NFT_META_NFPROTO);
		compare8(nlh, NFT_CMP_NEQ, NFPROTO_IPV4);
		break;
	case IF_NEW:
		load_ct(nlh, NFT_CT_STATE);
		bitwise32(nlh, STATE_NEW, 0);
		compare32(nlh, NFT_CMP_NEQ, 0);
		break;
	case IF_NOT_NEW:
		load_ct(nlh, NFT_CT_STATE);
		compare32(nlh, NFT_CMP_NEQ, STATE_NEW);
		break;
	case IF_REPLY:
		load_ct(nlh, NFT_CT_DIRECTION);
		compare8(nlh, NFT_CMP_EQ, DIRECTION_REPLY);
		break;
	case IF_MARKED:
		load_meta(nlh, NFT_META_MARK);
		mask32(nlh, s->mask);
		compare32(nlh, NFT_CMP_NEQ, 0);
		break;
	case IF_MARK_ZERO:
		load_meta(nlh, NFT_META_MARK);
		compare32(nlh, NFT_CMP_EQ, 0);
		break;
	case IF_CT_MARKED:
		load_ct(nlh, NFT_CT_MARK);
		mask32(nlh, s->mask);
		compare32(nlh, NFT_CMP_NEQ, 0);
		break;
	case IF_NO_IPSEC:
		load_rt(nlh, NFT_RT_XFRM);
		compare8(nlh, NFT_CMP_EQ, 0);
		break;
	case IF_TCP_SYN:
		tcp_syn(nlh);
		break;
	case SET_META_MARK:
		load_meta(nlh, NFT_META_MARK);
		bitwise32(nlh, ~s->mask, s->value);
		set_mark(nlh, "meta", NFTA_META_KEY, NFTA_META_SREG,
			 NFT_META_MARK);
		break;
	case SET_CT_MARK:
		load_ct(nlh, NFT_CT_MARK);
		bitwise32(nlh, ~s->mask, s->value);
		set_mark(nlh, "ct", NFTA_CT_KEY, NFTA_CT_SREG, NFT_CT_MARK);
		break;
	case COPY_CT_MARK:
		load_ct(nlh, NFT_CT_MARK);
		mask32(nlh, s->mask);
		set_mark(nlh, "meta", NFTA_META_KEY, NFTA_META_SREG,
			 NFT_META_MARK);
		break;
	case DO_CLAMP_MSS:
		clamp_mss(nlh);
		break;
	case DO_MASQUERADE:
		masquerade(nlh);
		break;
	case DO_RETURN:
		immediate(nlh, NFT_RETURN, NULL);
		break;
	case DO_GOTO:
		immediate(nlh, NFT_GOTO, rs->chain[s->chain].name);
		break;
	}
}

/* How a set's key looks to the kernel, and to nft. */
static uint32_t key_type(const struct ruleset_statement *s)
{
	switch (s->kind) {
	case TO_CT_MARK:
		return KEY_MARK;
	case TO_HASH:
		return KEY_INTEGER;
	case TO_SADDR:
		return KEY_IPV4;
	default:
		return KEY_IFNAME;
	}
}

static void put_set(struct nlmsghdr *nlh, const struct ruleset_statement *s,
		    uint32_t id)
{
	const uint8_t order[6] = { UDATA_BYTEORDER, 4 };
	uint8_t udata[sizeof(order)];
	uint32_t flags = NFT_SET_ANONYMOUS | NFT_SET_CONSTANT;
	uint32_t host = s->kind == TO_SADDR ? 2 : 1;
	uint32_t size = s->count;
	struct nlattr *desc;

	if (ruleset_is_map(s))
		flags |= NFT_SET_MAP;
	if (has_ranges(s)) {
		flags |= NFT_SET_INTERVAL;
		size *= 2;	/* a range has two ends */
	}
	put_text(nlh, NFTA_SET_TABLE, RULESET_TABLE);
	put_text(nlh, NFTA_SET_NAME, set_name(s));
	put32(nlh, NFTA_SET_FLAGS, flags);
	put32(nlh, NFTA_SET_KEY_TYPE, key_type(s));
	put32(nlh, NFTA_SET_KEY_LEN, key_type(s) == KEY_IFNAME ?
	      IFNAMSIZ : sizeof(uint32_t));
	if (ruleset_is_map(s)) {
		put32(nlh, NFTA_SET_DATA_TYPE, KEY_VERDICT);
		put32(nlh, NFTA_SET_DATA_LEN, 0);
	}
	put32(nlh, NFTA_SET_ID, id);
	desc = mnl_attr_nest_start(nlh, NFTA_SET_DESC);
	put32(nlh, NFTA_SET_DESC_SIZE, size);
	mnl_attr_nest_end(nlh, desc);
	memcpy(udata, order, 2);
	memcpy(udata + 2, &host, sizeof(host));
	put(nlh, NFTA_SET_USERDATA, udata, sizeof(udata));
}

static void put_key(struct nlmsghdr *nlh, const struct ruleset_statement *s,
		    const struct ruleset_element *e)
{
	uint32_t key = e->key;

	if (key_type(s) == KEY_IFNAME) {
		put_value(nlh, NFTA_SET_ELEM_KEY, e->name, IFNAMSIZ);
		return;
	}
	if (s->kind == TO_SADDR || has_ranges(s))
		key = htonl(key);
	put_value(nlh, NFTA_SET_ELEM_KEY, &key, sizeof(key));
}

static void put_elements(struct nlmsghdr *nlh, const struct ruleset *rs,
			 const struct ruleset_statement *s, uint32_t id)
{
	const struct ruleset_element *e = &rs->element[s->first];
	struct ruleset_element past = { 0 };
	struct nlattr *list, *one;
	unsigned int i;

	put_text(nlh, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
	put_text(nlh, NFTA_SET_ELEM_LIST_SET, set_name(s));
	put32(nlh, NFTA_SET_ELEM_LIST_SET_ID, id);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (i = 0; i < s->count; i++, e++) {
		one = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
		put_key(nlh, s, e);
		if (ruleset_is_map(s))
			put_verdict(nlh, NFTA_SET_ELEM_DATA, NFT_GOTO,
				    rs->chain[e->chain].name);
		mnl_attr_nest_end(nlh, one);
	}
	/* The ranges follow each other: a range ends where the next begins,
	 * only the last one needs its end.
	 */
	if (has_ranges(s)) {
		past.key = e[-1].last + 1;
		one = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
		put32(nlh, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
		put_key(nlh, s, &past);
		mnl_attr_nest_end(nlh, one);
	}
	mnl_attr_nest_end(nlh, list);
}

/* The set of a rule comes before the rule that it is bound to. */
static int encode_set(struct out *o, const struct ruleset *rs,
		      const struct ruleset_statement *s, uint32_t id,
		      uint64_t *hash)
{
	struct nlmsghdr *nlh = begin(o, NFT_MSG_NEWSET, NLM_F_CREATE, NL_ROOM);

	if (!nlh)
		return -ENOSPC;
	put_set(nlh, s, id);
	*hash = fold_message(*hash, nlh);
	finish(o, nlh);
	nlh = begin(o, NFT_MSG_NEWSETELEM, NLM_F_CREATE,
		    NL_ROOM + (size_t)s->count * ELEMENT_ROOM);
	if (!nlh)
		return -ENOSPC;
	put_elements(nlh, rs, s, id);
	*hash = fold_message(*hash, nlh);
	finish(o, nlh);
	return 0;
}

static void put_hash(struct nlmsghdr *nlh, uint64_t hash)
{
	uint8_t udata[UDATA_LEN] = { UDATA_HASH, sizeof(hash) };

	memcpy(udata + 2, &hash, sizeof(hash));
	put(nlh, NFTA_RULE_USERDATA, udata, sizeof(udata));
}

static int encode_sets(struct out *o, const struct ruleset *rs,
		       const struct ruleset_rule *r, uint32_t id,
		       uint64_t *hash)
{
	unsigned int i;
	int code = 0;

	for (i = 0; !code && i < RULESET_STATEMENTS; i++)
		if (ruleset_has_set(&r->s[i]))
			code = encode_set(o, rs, &r->s[i], id, hash);
	return code;
}

static void put_rule(struct nlmsghdr *nlh, const struct ruleset *rs,
		     const struct ruleset_rule *r, uint32_t id)
{
	const struct ruleset_statement *s;
	struct nlattr *list;

	put_text(nlh, NFTA_RULE_TABLE, RULESET_TABLE);
	put_text(nlh, NFTA_RULE_CHAIN, rs->chain[r->chain].name);
	list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	for (s = r->s; s < r->s + RULESET_STATEMENTS; s++) {
		if (s->count) {
			load_key(nlh, rs, s);
			if (ruleset_has_set(s))
				lookup(nlh, s, id);
		} else {
			put_simple(nlh, rs, s);
		}
	}
	mnl_attr_nest_end(nlh, list);
}

/* Of all that is wanted for the rule, its set with the elements included. A
 * set's number in the transaction is 0 here: it depends on other rules.
 */
static uint64_t hash_rule(const struct ruleset *rs,
			  const struct ruleset_rule *r)
{
	struct out scratch = { .nl = NULL, .batch = NULL };
	uint64_t hash = fold_start;
	struct nlmsghdr *nlh;

	encode_sets(&scratch, rs, r, 0, &hash);
	nlh = begin(&scratch, NFT_MSG_NEWRULE, 0, NL_ROOM);
	put_rule(nlh, rs, r, 0);
	return fold_message(hash, nlh);
}

/* The messages of one rule; @number is its place among all rules, which also
 * numbers its set in the transaction: a rule has at most one.
 */
static int encode_rule(struct out *o, const struct ruleset *rs,
		       unsigned int number)
{
	const struct ruleset_rule *r = &rs->rule[number];
	uint64_t unused = 0;
	struct nlmsghdr *nlh;
	int code;

	code = encode_sets(o, rs, r, number + 1, &unused);
	if (code)
		return code;
	nlh = begin(o, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NL_ROOM);
	if (!nlh)
		return -ENOSPC;
	put_rule(nlh, rs, r, number + 1);
	put_hash(nlh, hash_rule(rs, r));
	finish(o, nlh);
	return 0;
}

static int encode_chain(struct out *o, const struct ruleset_chain *c)
{
	struct nlmsghdr *nlh = begin(o, NFT_MSG_NEWCHAIN, NLM_F_CREATE,
				     NL_ROOM);
	struct nlattr *hook;

	if (!nlh)
		return -ENOSPC;
	put_text(nlh, NFTA_CHAIN_TABLE, RULESET_TABLE);
	put_text(nlh, NFTA_CHAIN_NAME, c->name);
	if (c->hook != HOOK_NONE) {
		put_text(nlh, NFTA_CHAIN_TYPE,
				  ruleset_type_name(c->type));
		put32(nlh, NFTA_CHAIN_POLICY, NF_ACCEPT);
		hook = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
		put32(nlh, NFTA_HOOK_HOOKNUM, c->hook);
		put32(nlh, NFTA_HOOK_PRIORITY, (uint32_t)c->priority);
		mnl_attr_nest_end(nlh, hook);
	}
	finish(o, nlh);
	return 0;
}

/* A message that needs no more than the names of table and chain. */
static int encode_names(struct out *o, unsigned int op, uint16_t flags,
			uint16_t table_attr, uint16_t chain_attr,
			const char *chain)
{
	struct nlmsghdr *nlh = begin(o, op, flags, NL_ROOM);

	if (!nlh)
		return -ENOSPC;
	put_text(nlh, table_attr, RULESET_TABLE);
	if (chain)
		put_text(nlh, chain_attr, chain);
	/* A table without flags is awake. */
	if (op == NFT_MSG_NEWTABLE)
		put32(nlh, NFTA_TABLE_FLAGS, 0);
	finish(o, nlh);
	return 0;
}

/* The brackets of a transaction. @seen: only if nothing of nftables has
 * changed since then.
 */
static int encode_bracket(struct nl *nl, struct nl_batch *b, uint16_t type,
			  const struct nft_seen *seen)
{
	const struct nfgenmsg head = {
		.res_id = htons(NFNL_SUBSYS_NFTABLES),
	};
	struct nlmsghdr *nlh = nl_put(b, nl, type, 0, &head, sizeof(head),
				      NL_ROOM);

	if (!nlh)
		return -ENOSPC;
	if (seen)
		put32(nlh, NFNL_BATCH_GENID, seen->generation);
	nl_end(b, nlh);
	return 0;
}

static bool same_chain(const struct nft_chain *k,
		       const struct ruleset_chain *c)
{
	if (strcmp(k->name, c->name) != 0 || k->hook != c->hook)
		return false;
	return c->hook == HOOK_NONE ||
	       (k->priority == c->priority &&
		!strcmp(k->type, ruleset_type_name(c->type)));
}

/* Chains come back in the order in which they were made, so that the next one
 * to look for is nearly always the next one there is: *@at.
 */
static const struct nft_chain *find_seen(const struct nft_seen *seen,
					 const char *name, unsigned int *at)
{
	unsigned int i;

	for (i = 0; i < seen->n_chains; i++) {
		if (*at >= seen->n_chains)
			*at = 0;
		if (!strcmp(seen->chain[*at].name, name))
			return &seen->chain[(*at)++];
		(*at)++;
	}
	return NULL;
}

/* Mark which of the wanted chains the kernel has as they should be, and which
 * of its own it may keep as chains, with or without their rules. Returns the
 * number of the former.
 */
static unsigned int compare_chains(const struct nft_seen *seen,
				   const struct ruleset *rs,
				   bool good[RULESET_CHAINS],
				   bool keep[NFT_SEEN_CHAINS])
{
	unsigned int i, r = 0, at = 0, count = 0;

	memset(good, 0, sizeof(good[0]) * RULESET_CHAINS);
	memset(keep, 0, sizeof(keep[0]) * NFT_SEEN_CHAINS);
	for (i = 0; i < rs->n_chains; i++) {
		const struct nft_chain *k = find_seen(seen, rs->chain[i].name,
						      &at);
		uint64_t digest = fold_start;
		uint32_t n = 0;

		for (; r < rs->n_rules && rs->rule[r].chain == i; r++, n++)
			if (k && n < k->n_rules)
				digest = fold(digest,
					      hash_rule(rs, &rs->rule[r]));
		if (!k || !same_chain(k, &rs->chain[i]))
			continue;
		keep[k - seen->chain] = true;
		good[i] = k->policy == NF_ACCEPT && k->n_rules == n &&
			  k->digest == digest;
		count += good[i];
	}
	return count;
}

bool nft_intact(const struct nft_seen *seen, const struct ruleset *rs)
{
	bool good[RULESET_CHAINS], keep[NFT_SEEN_CHAINS];

	return seen->present && !seen->odd &&
	       seen->n_chains == rs->n_chains &&
	       compare_chains(seen, rs, good, keep) == rs->n_chains;
}

/* One load. */
struct load {
	const struct ruleset *rs;
	const struct nft_seen *seen;
	struct err *err;
	bool whole;			/* make the table anew */
	bool said;			/* the first refusal */
	bool good[RULESET_CHAINS];
	bool keep[NFT_SEEN_CHAINS];
	/* The last message of the batch before the chains, and about each
	 * chain and rule.
	 */
	unsigned int setup;
	uint16_t chain[RULESET_CHAINS], rule[RULESET_RULES];
};

static int encode_whole(struct out *o)
{
	int code = encode_names(o, NFT_MSG_DELTABLE, 0, NFTA_TABLE_NAME, 0,
				NULL);

	return code ? code : encode_names(o, NFT_MSG_NEWTABLE, NLM_F_CREATE,
					  NFTA_TABLE_NAME, 0, NULL);
}

/* First all rules that go, then the chains: a rule can hold another chain. */
static int encode_removal(struct out *o, struct load *l)
{
	const struct nft_seen *seen = l->seen;
	unsigned int i, at = 0;
	int code;

	code = encode_names(o, NFT_MSG_NEWTABLE, NLM_F_CREATE,
			    NFTA_TABLE_NAME, 0, NULL);
	if (code || l->whole)
		return code ? code : encode_whole(o);
	for (i = 0; i < l->rs->n_chains; i++) {
		const struct nft_chain *k = find_seen(seen,
						      l->rs->chain[i].name,
						      &at);

		if (k && !l->good[i] && k->n_rules)
			code = encode_names(o, NFT_MSG_DELRULE, 0,
					    NFTA_RULE_TABLE, NFTA_RULE_CHAIN,
					    k->name);
		if (code)
			return code;
	}
	for (i = 0; !code && i < seen->n_chains; i++)
		if (!l->keep[i] && seen->chain[i].n_rules)
			code = encode_names(o, NFT_MSG_DELRULE, 0,
					    NFTA_RULE_TABLE, NFTA_RULE_CHAIN,
					    seen->chain[i].name);
	for (i = 0; !code && i < seen->n_chains; i++)
		if (!l->keep[i])
			code = encode_names(o, NFT_MSG_DELCHAIN, 0,
					    NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME,
					    seen->chain[i].name);
	return code;
}

static int encode_table(struct out *o, struct load *l)
{
	const struct ruleset *rs = l->rs;
	unsigned int i;
	int code;

	code = encode_bracket(o->nl, o->batch, NFNL_MSG_BATCH_BEGIN, l->seen);
	if (!code)
		code = encode_removal(o, l);
	l->setup = o->batch->count - 1;
	for (i = 0; !code && i < rs->n_chains; i++) {
		if (!l->good[i])
			code = encode_chain(o, &rs->chain[i]);
		l->chain[i] = (uint16_t)(o->batch->count - 1);
	}
	for (i = 0; !code && i < rs->n_rules; i++) {
		if (!l->good[rs->rule[i].chain])
			code = encode_rule(o, rs, i);
		l->rule[i] = (uint16_t)(o->batch->count - 1);
	}
	return code;
}

/* Which of the @n objects message @index is about; @n: none of them. */
static unsigned int about(const uint16_t *last, unsigned int n,
			  unsigned int index)
{
	unsigned int i = 0;

	while (i < n && last[i] < index)
		i++;
	return i;
}

/* What is not in the kernel proper. Without it the kernel says "no such file
 * or directory", which nobody understands.
 */
static const char *module_of(const struct ruleset_rule *r)
{
	unsigned int i;

	for (i = 0; i < RULESET_STATEMENTS; i++) {
		switch (r->s[i].kind) {
		case DO_MASQUERADE:
			return "nft_masq";
		case TO_HASH:
			return "nft_hash";
		case IF_NEW:
		case IF_NOT_NEW:
		case IF_REPLY:
		case TO_CT_MARK:
		case SET_CT_MARK:
		case IF_CT_MARKED:
		case COPY_CT_MARK:
			return "nft_ct";
		}
	}
	return "nf_tables";
}

static const char *missing(char text[MODULE_TEXT], int code,
			   const char *module)
{
	text[0] = '\0';
	if (code == -ENOENT || code == -EOPNOTSUPP || code == -EAFNOSUPPORT ||
	    code == -EPROTONOSUPPORT)
		snprintf(text, MODULE_TEXT, "; is kernel module %s missing?",
			 module);
	else if (code == -EPERM)
		snprintf(text, MODULE_TEXT,
			 "; this takes the capability CAP_NET_ADMIN");
	return text;
}

static int refused_rule(struct load *l, const struct ruleset_rule *r,
			const struct nl_refusal *no)
{
	char module[MODULE_TEXT], text[RULE_TEXT];

	ruleset_print_rule(l->rs, r, text, sizeof(text));
	return err_set(l->err, no->code, "nftables refuses rule %u of chain "
		       "%s: %s%s (%s)", r->number,
		       l->rs->chain[r->chain].name, no->why,
		       missing(module, no->code, module_of(r)), text);
}

static int refused_chain(struct load *l, const struct ruleset_chain *c,
			 const struct nl_refusal *no)
{
	char module[MODULE_TEXT];

	return err_set(l->err, no->code, "nftables refuses chain %s: %s%s",
		       c->name, no->why,
		       missing(module, no->code, c->type == TYPE_NAT ?
			       "nft_chain_nat" : "nf_tables"));
}

/* The first refusal is the cause; what comes after it is its consequence. */
static int refused(const struct nl_refusal *no, void *data)
{
	struct load *l = data;
	const struct ruleset *rs = l->rs;
	char module[MODULE_TEXT];
	unsigned int i;

	if (l->said)
		return no->code;
	l->said = true;
	if (no->code == -ERESTART)
		return err_set(l->err, no->code, "nftables changed while its "
			       "rules were being loaded");
	if (no->index > l->setup) {
		i = about(l->chain, rs->n_chains, no->index);
		if (i < rs->n_chains)
			return refused_chain(l, &rs->chain[i], no);
		i = about(l->rule, rs->n_rules, no->index);
		if (i < rs->n_rules)
			return refused_rule(l, &rs->rule[i], no);
	}
	return err_set(l->err, no->code, "nftables refuses to set up table "
		       "inet %s: %s%s", RULESET_TABLE, no->why,
		       missing(module, no->code, "nf_tables"));
}

/* A transaction is one sendmsg(2), and its errors come all at once. FORCE
 * passes the limits of /proc/sys/net/core and takes CAP_NET_ADMIN, as nftables
 * does anyway. When it fails the kernel will say what is wrong.
 */
static void make_room(struct nl *nl)
{
	const int fd = mnl_socket_get_fd(nl->sock);
	const int out = 2 * BATCH_SIZE, in = ANSWERS_SIZE;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &out, sizeof(out)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &out, sizeof(out));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &in, sizeof(in)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &in, sizeof(in));
}

static int load_once(struct nl *nl, const struct ruleset *rs,
		     const struct nft_seen *seen, bool whole, struct err *err)
{
	struct nl_batch batch;
	struct out o = { .nl = nl, .batch = &batch };
	struct load l = { .rs = rs, .seen = seen, .whole = whole, .err = err };
	struct nlmsghdr *last;
	int code;

	if (!whole)
		compare_chains(seen, rs, l.good, l.keep);
	nl_batch_init(&batch, nl, batch_buf, sizeof(batch_buf));
	code = encode_table(&o, &l);
	last = batch.last;
	if (!code)
		code = encode_bracket(nl, &batch, NFNL_MSG_BATCH_END, NULL);
	if (code)
		return err_set(err, code, "the nftables rules for the links "
			       "do not fit %d bytes", BATCH_SIZE);
	return nl_send(nl, &batch, last, refused, NULL, &l, err);
}

int nft_load(struct nl *nl, const struct ruleset *rs,
	     const struct nft_seen *seen, struct err *err)
{
	struct err why = { "" };
	int code;

	make_room(nl);
	if (seen->odd)
		return load_once(nl, rs, seen, true, err);
	code = load_once(nl, rs, seen, false, &why);
	/* Something holds a chain that has to go: a map that somebody added,
	 * or, before Linux 6.4, a map of our own, deleted in the same
	 * transaction.
	 */
	if (code == -EBUSY && seen->present)
		return load_once(nl, rs, seen, true, err);
	return code ? err_set(err, code, "%s", why.msg) : 0;
}

static int refused_delete(const struct nl_refusal *no, void *data)
{
	if (no->code == -ENOENT)
		return 0;
	return err_set(data, no->code, "nftables refuses to delete table inet "
		       "%s: %s", RULESET_TABLE, no->why);
}

int nft_delete(struct nl *nl, struct err *err)
{
	char buf[4 * NL_ROOM] __attribute__((aligned(8)));
	struct nl_batch batch;
	struct out o = { .nl = nl, .batch = &batch };
	struct nlmsghdr *last;

	nl_batch_init(&batch, nl, buf, sizeof(buf));
	encode_bracket(nl, &batch, NFNL_MSG_BATCH_BEGIN, NULL);
	encode_names(&o, NFT_MSG_DELTABLE, 0, NFTA_TABLE_NAME, 0, NULL);
	last = batch.last;
	encode_bracket(nl, &batch, NFNL_MSG_BATCH_END, NULL);
	return nl_send(nl, &batch, last, refused_delete, NULL, err, err);
}

/* Reading. */

struct reader {
	struct nft_seen *seen;
	struct err *err;
	unsigned int at;	/* the chain of the last rule */
	bool changed;		/* between two of our requests */
};

static bool ours(const struct nlmsghdr *nlh, unsigned int op,
		 const struct nlattr *table)
{
	const struct nfgenmsg *head = mnl_nlmsg_get_payload(nlh);

	return nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | op) &&
	       head->nfgen_family == NFPROTO_INET &&
	       !strcmp(nl_str(table), RULESET_TABLE);
}

/* The header of every object has the generation's low 16 bits. */
static void check_generation(struct reader *r, const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *head = mnl_nlmsg_get_payload(nlh);

	if (ntohs(head->res_id) != (r->seen->generation & 0xffff))
		r->changed = true;
}

static int read_table(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NFTA_TABLE_MAX + 1];
	struct reader *r = data;

	if (nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN)) {
		const struct nlattr *gen[NFTA_GEN_ID + 1];

		if (nl_attrs(nlh, sizeof(struct nfgenmsg), gen, NFTA_GEN_ID))
			return -EBADMSG;
		r->seen->generation = nl_be32(gen[NFTA_GEN_ID]);
		return 0;
	}
	if (nl_attrs(nlh, sizeof(struct nfgenmsg), tb, NFTA_TABLE_MAX))
		return -EBADMSG;
	if (!ours(nlh, NFT_MSG_NEWTABLE, tb[NFTA_TABLE_NAME]))
		return 0;
	r->seen->present = true;
	if (nl_be32(tb[NFTA_TABLE_FLAGS]))
		r->seen->odd = true;
	check_generation(r, nlh);
	return 0;
}

static int read_chain(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NFTA_CHAIN_MAX + 1];
	const struct nlattr *hook[NFTA_HOOK_PRIORITY + 1];
	struct reader *r = data;
	struct nft_seen *seen = r->seen;
	struct nft_chain *k;
	const char *name;

	if (nl_attrs(nlh, sizeof(struct nfgenmsg), tb, NFTA_CHAIN_MAX))
		return -EBADMSG;
	if (!ours(nlh, NFT_MSG_NEWCHAIN, tb[NFTA_CHAIN_TABLE]))
		return 0;
	check_generation(r, nlh);
	name = nl_str(tb[NFTA_CHAIN_NAME]);
	if (seen->n_chains == NFT_SEEN_CHAINS ||
	    strlen(name) >= sizeof(k->name)) {
		seen->odd = true;
		return 0;
	}
	k = &seen->chain[seen->n_chains++];
	*k = (struct nft_chain){ .hook = HOOK_NONE, .policy = NF_ACCEPT,
				 .digest = fold_start };
	memcpy(k->name, name, strlen(name) + 1);
	if (!tb[NFTA_CHAIN_HOOK])
		return 0;
	if (nl_nested(tb[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_PRIORITY))
		return -EBADMSG;
	k->hook = (uint8_t)nl_be32(hook[NFTA_HOOK_HOOKNUM]);
	k->priority = (int32_t)nl_be32(hook[NFTA_HOOK_PRIORITY]);
	k->policy = (uint8_t)nl_be32(tb[NFTA_CHAIN_POLICY]);
	snprintf(k->type, sizeof(k->type), "%s", nl_str(tb[NFTA_CHAIN_TYPE]));
	return 0;
}

/* The hash that we gave the rule; 0 for a rule that is not ours. */
static uint64_t rule_hash(const struct nlattr *udata)
{
	const uint8_t *p = udata ? mnl_attr_get_payload(udata) : NULL;
	uint64_t hash = 0;

	if (p && mnl_attr_get_payload_len(udata) == UDATA_LEN &&
	    p[0] == UDATA_HASH && p[1] == sizeof(hash))
		memcpy(&hash, p + 2, sizeof(hash));
	return hash;
}

static int read_rule(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NFTA_RULE_MAX + 1];
	struct reader *r = data;
	struct nft_seen *seen = r->seen;
	const char *name;
	unsigned int i;

	if (nl_attrs(nlh, sizeof(struct nfgenmsg), tb, NFTA_RULE_MAX))
		return -EBADMSG;
	if (!ours(nlh, NFT_MSG_NEWRULE, tb[NFTA_RULE_TABLE]))
		return 0;
	check_generation(r, nlh);
	name = nl_str(tb[NFTA_RULE_CHAIN]);
	for (i = 0; i < seen->n_chains; i++, r->at++) {
		struct nft_chain *k;

		if (r->at >= seen->n_chains)
			r->at = 0;
		k = &seen->chain[r->at];
		if (strcmp(k->name, name) != 0)
			continue;
		k->n_rules++;
		k->digest = fold(k->digest,
				 rule_hash(tb[NFTA_RULE_USERDATA]));
		return 0;
	}
	return 0;
}

static int refused_read(const struct nl_refusal *no, void *data)
{
	struct reader *r = data;
	char module[MODULE_TEXT];

	if (no->index == 1 && no->code == -ENOENT)
		return 0;		/* there is no such table */
	/* What nfnetlink says for a subsystem that it does not have. */
	return err_set(r->err, no->code, "cannot read the nftables rules: %s%s",
		       no->why, missing(module, no->code == -EINVAL ?
					-EOPNOTSUPP : no->code, "nf_tables"));
}

static int dump(struct nl *nl, struct reader *r, unsigned int op,
		nl_reply_cb reply, uint16_t table_attr)
{
	char buf[2 * NL_ROOM] __attribute__((aligned(8)));
	struct nl_batch batch;
	struct out o = { .nl = nl, .batch = &batch };

	nl_batch_init(&batch, nl, buf, sizeof(buf));
	/* NFTA_RULE_TABLE makes the kernel leave other tables' rules out; of
	 * chains it dumps the whole family.
	 */
	encode_names(&o, op, 0, table_attr, 0, NULL);
	return nl_dump(nl, &batch, reply, r, r->err);
}

int nft_read(struct nl *nl, struct nft_seen *seen, struct err *err)
{
	char buf[4 * NL_ROOM] __attribute__((aligned(8)));
	struct reader r = { .seen = seen, .err = err };
	struct nl_batch batch;
	struct out o = { .nl = nl, .batch = &batch };
	struct nlmsghdr *nlh;
	int code;

	seen->present = seen->odd = false;
	seen->generation = 0;
	seen->n_chains = 0;
	nl_batch_init(&batch, nl, buf, sizeof(buf));
	nlh = begin(&o, NFT_MSG_GETGEN, 0, NL_ROOM);
	finish(&o, nlh);
	encode_names(&o, NFT_MSG_GETTABLE, 0, NFTA_TABLE_NAME, 0, NULL);
	code = nl_send(nl, &batch, NULL, refused_read, read_table, &r, err);
	if (code || !seen->present)
		return code;
	code = dump(nl, &r, NFT_MSG_GETCHAIN, read_chain, NFTA_CHAIN_TABLE);
	if (!code)
		code = dump(nl, &r, NFT_MSG_GETRULE, read_rule,
			    NFTA_RULE_TABLE);
	if (!code && r.changed)
		code = err_set(err, -EINTR, "nftables changed while it was "
			       "read");
	return code;
}
