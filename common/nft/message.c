// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "nft/message.h"

enum {
	TCPOPT_MAXSEG = 2,		/* RFC 9293, 3.2 */
	IPV4_PROTOCOL = 9,		/* its offset in the header */
};

enum {
	DATA_VERDICT = 0xffffff00,	/* the type of a map's data */
	/* Userdata of a set (libnftnl/udata.h): the byte order of its key and
	 * of its data, 1 for the host's and 2 for the network's. Userdata of
	 * an element: bit 0 of its flags says that its range has no end.
	 */
	UDATA_KEY_BYTEORDER = 0,
	UDATA_DATA_BYTEORDER = 1,
	UDATA_ELEMENT_FLAGS = 1,
	BYTEORDER_HOST = 1,
	BYTEORDER_NETWORK = 2,
	/* An element with its verdict is at most 72 bytes, and in a set with
	 * ranges each may need a second one for its end.
	 */
	ELEMENT_ROOM = 144,
	/* Userdata of a set that was declared by what it is about ("typeof"):
	 * nft shows it so, and needs it where a type alone has no name. The
	 * expressions have nft's numbers (include/expression.h), and what
	 * each of them has to say about itself, nested.
	 */
	UDATA_KEY_TYPEOF = 3,
	UDATA_DATA_TYPEOF = 4,
	UDATA_TYPEOF_EXPR = 0,
	UDATA_TYPEOF_DATA = 1,
	EXPR_EXTHDR = 8,
	EXPR_META = 9,
	OP_OF_OPTION = 2,	/* NFT_EXTHDR_OP_TCPOPT, as nft counts */
	/* Numbers of named sets in a transaction begin here. */
	NAMED_ID = 1 << 20,
	/* A list of elements is one attribute, and must be below 64 KB. */
	PIECE = 400,
	SCRATCH = 2048 + PIECE * ELEMENT_ROOM,
};

static char scratch_buf[SCRATCH] __attribute__((aligned(8)));

static struct nlmsghdr *begin(struct nftmsg_out *o, unsigned int op,
			      uint16_t flags, size_t room)
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

static void finish(struct nftmsg_out *o, struct nlmsghdr *nlh)
{
	if (o->batch)
		nl_end(o->batch, nlh);
}

/* FNV-1a, by words: a message is a sequence of them. */
uint64_t nftmsg_fold(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x100000001b3;
	return h ^ h >> 29;
}

const uint64_t nftmsg_fold_start = 0xcbf29ce484222325;

static uint64_t fold_message(uint64_t h, const struct nlmsghdr *nlh)
{
	const char *p = mnl_nlmsg_get_payload(nlh);
	const char *tail = mnl_nlmsg_get_payload_tail(nlh);
	uint32_t word;

	for (; p + sizeof(word) <= tail; p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = nftmsg_fold(h, word);
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

void nftmsg_put32(struct nlmsghdr *nlh, uint16_t type, uint32_t value)
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

	nftmsg_put32(nlh, NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain)
		put_text(nlh, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(nlh, verdict);
	mnl_attr_nest_end(nlh, data);
}

struct nftmsg_expr nftmsg_expr_open(struct nlmsghdr *nlh, const char *name)
{
	struct nftmsg_expr e;

	e.list = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	put_text(nlh, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	return e;
}

void nftmsg_expr_close(struct nlmsghdr *nlh, struct nftmsg_expr e)
{
	mnl_attr_nest_end(nlh, e.data);
	mnl_attr_nest_end(nlh, e.list);
}

/* meta, ct and rt have the same two attributes under different numbers. */
static void load(struct nlmsghdr *nlh, const char *name, uint16_t key_attr,
		 uint16_t dreg_attr, uint32_t key, uint32_t dreg)
{
	struct nftmsg_expr e = nftmsg_expr_open(nlh, name);

	nftmsg_put32(nlh, key_attr, key);
	nftmsg_put32(nlh, dreg_attr, dreg);
	nftmsg_expr_close(nlh, e);
}

static void load_meta(struct nlmsghdr *nlh, uint32_t key)
{
	load(nlh, "meta", NFTA_META_KEY, NFTA_META_DREG, key, NFT_REG_1);
}

static void load_payload(struct nlmsghdr *nlh, uint32_t dreg, uint32_t base,
			 uint32_t offset, uint32_t len)
{
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "payload");

	nftmsg_put32(nlh, NFTA_PAYLOAD_DREG, dreg);
	nftmsg_put32(nlh, NFTA_PAYLOAD_BASE, base);
	nftmsg_put32(nlh, NFTA_PAYLOAD_OFFSET, offset);
	nftmsg_put32(nlh, NFTA_PAYLOAD_LEN, len);
	nftmsg_expr_close(nlh, e);
}

/* reg 1 = reg 1 & mask ^ xor */
static void bitwise(struct nlmsghdr *nlh, const void *mask, const void *xor,
		    uint32_t len)
{
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "bitwise");

	nftmsg_put32(nlh, NFTA_BITWISE_SREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_BITWISE_DREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_BITWISE_LEN, len);
	put_value(nlh, NFTA_BITWISE_MASK, mask, len);
	put_value(nlh, NFTA_BITWISE_XOR, xor, len);
	nftmsg_expr_close(nlh, e);
}

static void bitwise32(struct nlmsghdr *nlh, uint32_t mask, uint32_t xor)
{
	bitwise(nlh, &mask, &xor, sizeof(mask));
}

static void compare(struct nlmsghdr *nlh, uint32_t op, const void *data,
		    size_t len)
{
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "cmp");

	nftmsg_put32(nlh, NFTA_CMP_SREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_CMP_OP, op);
	put_value(nlh, NFTA_CMP_DATA, data, len);
	nftmsg_expr_close(nlh, e);
}

static void compare8(struct nlmsghdr *nlh, uint32_t op, uint8_t value)
{
	compare(nlh, op, &value, sizeof(value));
}

static void byteorder(struct nlmsghdr *nlh, uint32_t len)
{
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "byteorder");

	nftmsg_put32(nlh, NFTA_BYTEORDER_SREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_BYTEORDER_DREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	nftmsg_put32(nlh, NFTA_BYTEORDER_LEN, len);
	nftmsg_put32(nlh, NFTA_BYTEORDER_SIZE, len);
	nftmsg_expr_close(nlh, e);
}

/* Register 1 to where @k is loaded from. */
static void store(struct nlmsghdr *nlh, const struct key *k)
{
	bool ct = k->from == FROM_CT;
	struct nftmsg_expr e = nftmsg_expr_open(nlh, ct ? "ct" : "meta");

	nftmsg_put32(nlh, ct ? NFTA_CT_KEY : NFTA_META_KEY, k->number);
	nftmsg_put32(nlh, ct ? NFTA_CT_SREG : NFTA_META_SREG, NFT_REG_1);
	nftmsg_expr_close(nlh, e);
}

static void immediate(struct nlmsghdr *nlh, int code, const char *chain)
{
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "immediate");

	nftmsg_put32(nlh, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	put_verdict(nlh, NFTA_IMMEDIATE_DATA, code, chain);
	nftmsg_expr_close(nlh, e);
}

/* The kernel turns the %d into a number that is free. */
static const char *set_name(const struct ruleset_statement *s)
{
	return ruleset_is_map(s) ? "__map%d" : "__set%d";
}

static void put_set_lookup(struct nlmsghdr *nlh,
			   const struct ruleset_statement *s, uint32_t id)
{
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "lookup");

	nftmsg_put32(nlh, NFTA_LOOKUP_SREG, NFT_REG_1);
	if (ruleset_is_map(s))
		nftmsg_put32(nlh, NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
	put_text(nlh, NFTA_LOOKUP_SET, set_name(s));
	nftmsg_put32(nlh, NFTA_LOOKUP_SET_ID, id);
	if ((s->kind & OP_MASK) == OP_IF_NOT)
		nftmsg_put32(nlh, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	nftmsg_expr_close(nlh, e);
}

/* nft puts this before the first field of a header in an inet chain, and
 * without it would print the field as raw bits.
 */
static void only_family(struct nlmsghdr *nlh, uint8_t family)
{
	load_meta(nlh, NFT_META_NFPROTO);
	compare8(nlh, NFT_CMP_EQ, family);
}

static uint8_t needs_family(const struct ruleset_statement *s)
{
	if (s->kind == DO_REJECT)
		return NFPROTO_IPV4;
	return (s->kind & OP_MASK) == OP_DO ? 0 : key_of(s->kind)->family;
}

/* Addresses, ports and slots may be ranges; a set of single ones is no set of
 * ranges for nft.
 */
static bool has_ranges(const struct ruleset *rs,
		       const struct ruleset_statement *s)
{
	const struct ruleset_element *e = &rs->element[s->first];
	unsigned int i;

	if (s->kind == TO_TURNS)
		return false;
	for (i = 0; i < s->count; i++)
		if (!wide_equal(e[i].last, e[i].key))
			return true;
	return false;
}

static void load_field(struct nlmsghdr *nlh, uint32_t reg, unsigned int key)
{
	const struct key *k = key_of(key);

	load_payload(nlh, reg, k->from == FROM_NETWORK ?
		     NFT_PAYLOAD_NETWORK_HEADER : NFT_PAYLOAD_TRANSPORT_HEADER,
		     k->number, k->len);
}

/* Registers of 4 bytes in a row from NFT_REG_2 on, as nft numbers them. */
static uint32_t load_flow(struct nlmsghdr *nlh)
{
	load_field(nlh, NFT_REG_2, KEY_SADDR);
	load_field(nlh, NFT_REG32_05, KEY_DADDR);
	load_payload(nlh, NFT_REG32_06, NFT_PAYLOAD_NETWORK_HEADER,
		     IPV4_PROTOCOL, sizeof(uint8_t));
	load_field(nlh, NFT_REG32_07, KEY_SPORT);
	load_field(nlh, NFT_REG_3, KEY_DPORT);
	return 5 * sizeof(uint32_t);
}

static uint32_t load_flow6(struct nlmsghdr *nlh)
{
	load_field(nlh, NFT_REG_2, KEY_SADDR6);
	load_field(nlh, NFT_REG_3, KEY_DADDR6);
	load(nlh, "meta", NFTA_META_KEY, NFTA_META_DREG, NFT_META_L4PROTO,
	     NFT_REG_4);
	load_field(nlh, NFT_REG32_13, KEY_SPORT);
	load_field(nlh, NFT_REG32_14, KEY_DPORT);
	return (4 + 4 + 3) * sizeof(uint32_t);
}

static void load_tuple6(struct nlmsghdr *nlh)
{
	load_field(nlh, NFT_REG_1, KEY_SADDR6);
	load_field(nlh, NFT_REG_2, KEY_DADDR6);
	load_field(nlh, NFT_REG_3, KEY_SPORT);
	load_field(nlh, NFT_REG32_09, KEY_DPORT);
	load(nlh, "meta", NFTA_META_KEY, NFTA_META_DREG, NFT_META_L4PROTO,
	     NFT_REG32_10);
}

/* Load the hash's input into the registers from NFT_REG_2 on; returns its
 * length.
 */
static uint32_t load_hashed(struct nlmsghdr *nlh, unsigned int kind)
{
	unsigned int field = KEY_SADDR;

	switch (kind) {
	case TO_FLOW:
		return load_flow(nlh);
	case TO_FLOW6:
		return load_flow6(nlh);
	case TO_HASH6:
		field = KEY_SADDR6;
	}
	load_field(nlh, NFT_REG_2, field);
	return key_of(field)->len;
}

static void hash(struct nlmsghdr *nlh, const struct ruleset_statement *s)
{
	uint32_t len = load_hashed(nlh, s->kind);
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "hash");

	nftmsg_put32(nlh, NFTA_HASH_SREG, NFT_REG_2);
	nftmsg_put32(nlh, NFTA_HASH_DREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_HASH_LEN, len);
	nftmsg_put32(nlh, NFTA_HASH_MODULUS, s->value);
	nftmsg_put32(nlh, NFTA_HASH_SEED, s->mask);
	nftmsg_put32(nlh, NFTA_HASH_OFFSET, 0);
	nftmsg_put32(nlh, NFTA_HASH_TYPE, NFT_HASH_JENKINS);
	nftmsg_expr_close(nlh, e);
}

static void number(struct nlmsghdr *nlh, const struct ruleset_statement *s)
{
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "numgen");

	nftmsg_put32(nlh, NFTA_NG_DREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_NG_MODULUS, s->value);
	nftmsg_put32(nlh, NFTA_NG_TYPE, key_of(s->kind)->number);
	nftmsg_put32(nlh, NFTA_NG_OFFSET, 0);
	nftmsg_expr_close(nlh, e);
}

/* The role of the packet's source for this machine, or for an interface. */
static void load_source_type(struct nlmsghdr *nlh, uint32_t flags)
{
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "fib");

	nftmsg_put32(nlh, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nftmsg_put32(nlh, NFTA_FIB_FLAGS, flags);
	nftmsg_put32(nlh, NFTA_FIB_DREG, NFT_REG_1);
	nftmsg_expr_close(nlh, e);
}

/* A key to register 1. */
static void load_key(struct nlmsghdr *nlh, const struct ruleset *rs,
		     const struct ruleset_statement *s)
{
	const struct key *k = key_of(s->kind);

	switch (k->from) {
	case FROM_META:
		load_meta(nlh, k->number);
		break;
	case FROM_CT:
		load(nlh, "ct", NFTA_CT_KEY, NFTA_CT_DREG, k->number,
		     NFT_REG_1);
		break;
	case FROM_RT:
		load(nlh, "rt", NFTA_RT_KEY, NFTA_RT_DREG, k->number,
		     NFT_REG_1);
		break;
	case FROM_FIB:
		load_source_type(nlh, k->number);
		break;
	case FROM_TCP:
		load_meta(nlh, NFT_META_L4PROTO);
		compare8(nlh, NFT_CMP_EQ, IPPROTO_TCP);
		load_field(nlh, NFT_REG_1, s->kind);
		break;
	case FROM_TUPLE:
		load_tuple6(nlh);
		break;
	case FROM_HASH:
		hash(nlh, s);
		break;
	case FROM_NUMGEN:
		number(nlh, s);
		break;
	default:
		load_field(nlh, NFT_REG_1, s->kind);
	}
	/* The kernel orders ranges as bytes. */
	if (k->type == TYPE_INTEGER && has_ranges(rs, s))
		byteorder(nlh, k->len);
}

/* @value as the kernel compares and keeps it; @network: in network order, of
 * what is in the host's by itself.
 */
static void to_bytes(const struct key *k, struct wide value, bool network,
		     uint8_t bytes[WIDE_BYTES])
{
	const uint32_t word = (uint32_t)value.lo;

	if (k->network || network || k->len != sizeof(word))
		wide_put(value, bytes, k->len);
	else
		memcpy(bytes, &word, sizeof(word));
}

static void bitwise_key(struct nlmsghdr *nlh, const struct key *k,
			struct wide mask)
{
	static const uint8_t none[WIDE_BYTES];
	uint8_t bytes[WIDE_BYTES];

	to_bytes(k, mask, false, bytes);
	bitwise(nlh, bytes, none, k->len);
}

static void compare_key(struct nlmsghdr *nlh, uint32_t op,
			const struct key *k, struct wide value)
{
	uint8_t bytes[WIDE_BYTES];

	to_bytes(k, value, false, bytes);
	compare(nlh, op, bytes, k->len);
}

/* A mask of ones changes nothing; of a key that has none it is 0. */
static void mask_key(struct nlmsghdr *nlh, const struct ruleset_statement *s)
{
	const struct key *k = key_of(s->kind);

	if (k->type != TYPE_INTEGER && s->mask && s->mask != UINT32_MAX)
		bitwise_key(nlh, k, wide(s->mask));
}

/* An address, a prefix, a range; of a prefix that ends at a byte's end nft
 * loads only the bytes before it.
 */
static void compare_address(struct nlmsghdr *nlh, const struct key *k,
			    const struct ruleset_element *e)
{
	int prefix = wide_prefix(e->key, e->last, 8U * k->len);
	uint8_t bytes[WIDE_BYTES];

	if (prefix > 0 && !(prefix % 8)) {
		load_payload(nlh, NFT_REG_1, NFT_PAYLOAD_NETWORK_HEADER,
			     k->number, (uint32_t)prefix / 8);
		to_bytes(k, e->key, true, bytes);
		compare(nlh, NFT_CMP_EQ, bytes, (uint32_t)prefix / 8);
		return;
	}
	load_payload(nlh, NFT_REG_1, NFT_PAYLOAD_NETWORK_HEADER, k->number,
		     k->len);
	if (prefix > 0) {
		bitwise_key(nlh, k, wide_not(wide_ones(8U * k->len -
						       (unsigned int)prefix)));
		compare_key(nlh, NFT_CMP_EQ, k, e->key);
	} else {
		compare_key(nlh, NFT_CMP_GTE, k, e->key);
		compare_key(nlh, NFT_CMP_LTE, k, e->last);
	}
}

/* Compare with the one element that there is. */
static void compare_one(struct nlmsghdr *nlh, uint32_t op,
			const struct key *k, const struct ruleset_element *e)
{
	if (k->type == TYPE_IFNAME) {
		compare(nlh, op, e->name, IFNAMSIZ);
	} else if (wide_equal(e->key, e->last)) {
		compare_key(nlh, op, k, e->key);
	} else {
		compare_key(nlh, NFT_CMP_GTE, k, e->key);
		compare_key(nlh, NFT_CMP_LTE, k, e->last);
	}
}

/* One of several bits is there, but the whole is not. */
static void compare_constant(struct nlmsghdr *nlh, uint32_t op,
			     const struct key *k)
{
	if (k->mask)
		bitwise_key(nlh, k, wide(k->mask));
	if (!k->bits || op == NFT_CMP_NEQ) {
		compare_key(nlh, op, k, wide(k->value));
		return;
	}
	bitwise_key(nlh, k, wide(k->value));
	compare_key(nlh, NFT_CMP_NEQ, k, wide(0));
}

/* Look register 1 up in a named set, or a verdict in a map. */
static void look_up(struct nlmsghdr *nlh, const struct ruleset *rs,
		    const struct ruleset_statement *s)
{
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "lookup");

	nftmsg_put32(nlh, NFTA_LOOKUP_SREG, NFT_REG_1);
	if (ruleset_is_map(s))
		nftmsg_put32(nlh, NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
	put_text(nlh, NFTA_LOOKUP_SET, rs->set[s->set - 1].name);
	if ((s->kind & OP_MASK) == OP_IF_NOT)
		nftmsg_put32(nlh, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	nftmsg_expr_close(nlh, e);
}

static void put_condition(struct nlmsghdr *nlh, const struct ruleset *rs,
			  const struct ruleset_statement *s, uint32_t id)
{
	const struct ruleset_element *e = &rs->element[s->first];
	const struct key *k = key_of(s->kind);
	uint32_t op = (s->kind & OP_MASK) == OP_IF ? NFT_CMP_EQ : NFT_CMP_NEQ;

	if (k->from == FROM_NETWORK && s->count == 1 && !ruleset_is_map(s)) {
		compare_address(nlh, k, e);
		return;
	}
	load_key(nlh, rs, s);
	mask_key(nlh, s);
	if (k->constant)
		compare_constant(nlh, op, k);
	else if (s->set)
		look_up(nlh, rs, s);
	else if (ruleset_has_set(s))
		put_set_lookup(nlh, s, id);
	else if (s->count)
		compare_one(nlh, op, k, e);
	else
		compare_key(nlh, op, k, wide(s->value));
}

/* A mark or part of it to where it came from. */
static void set_mark(struct nlmsghdr *nlh, const struct ruleset *rs,
		     const struct ruleset_statement *s)
{
	load_key(nlh, rs, s);
	bitwise32(nlh, ~s->mask, s->value);
	store(nlh, key_of(s->kind));
}

static void copy_mark(struct nlmsghdr *nlh, uint32_t mask)
{
	const struct ruleset_statement from = { .kind = IF_CT_MARK,
						.mask = mask };

	load_key(nlh, NULL, &from);
	mask_key(nlh, &from);
	store(nlh, key_of(KEY_META_MARK));
}

/* The link that the map has for the packet's host, to the packet's priority. */
static void recall(struct nlmsghdr *nlh, const struct ruleset *rs,
		   const struct ruleset_statement *s)
{
	struct nftmsg_expr e;

	load_field(nlh, NFT_REG_1, s->kind);
	e = nftmsg_expr_open(nlh, "lookup");
	nftmsg_put32(nlh, NFTA_LOOKUP_SREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_LOOKUP_DREG, NFT_REG_1);
	put_text(nlh, NFTA_LOOKUP_SET, rs->set[s->set - 1].name);
	nftmsg_expr_close(nlh, e);
	store(nlh, key_of(KEY_PRIORITY));
}

/* An element with a link's mark, or none, as its data. */
static void write_set(struct nlmsghdr *nlh, const struct ruleset *rs,
		      const struct ruleset_statement *s, uint32_t op)
{
	bool map = set_is_map(rs, s->set - 1U);
	struct nftmsg_expr e;

	load_key(nlh, rs, s);
	if (map) {
		e = nftmsg_expr_open(nlh, "immediate");
		nftmsg_put32(nlh, NFTA_IMMEDIATE_DREG, NFT_REG_2);
		put_value(nlh, NFTA_IMMEDIATE_DATA, &s->value,
			  sizeof(s->value));
		nftmsg_expr_close(nlh, e);
	}
	e = nftmsg_expr_open(nlh, "dynset");
	put_text(nlh, NFTA_DYNSET_SET_NAME, rs->set[s->set - 1].name);
	nftmsg_put32(nlh, NFTA_DYNSET_OP, op);
	nftmsg_put32(nlh, NFTA_DYNSET_SREG_KEY, NFT_REG_1);
	if (map)
		nftmsg_put32(nlh, NFTA_DYNSET_SREG_DATA, NFT_REG_2);
	nftmsg_expr_close(nlh, e);
}

/* The segment size of register 1. The option's size field is its bytes 2 and 3;
 * the kernel writes it only when the new value is smaller
 * (nft_exthdr_tcp_set_eval()).
 */
static void write_mss(struct nlmsghdr *nlh)
{
	const uint8_t option = TCPOPT_MAXSEG;
	const uint16_t field = 2;
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "exthdr");

	nftmsg_put32(nlh, NFTA_EXTHDR_SREG, NFT_REG_1);
	put(nlh, NFTA_EXTHDR_TYPE, &option, sizeof(option));
	nftmsg_put32(nlh, NFTA_EXTHDR_OFFSET, field);
	nftmsg_put32(nlh, NFTA_EXTHDR_LEN, field);
	nftmsg_put32(nlh, NFTA_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
	nftmsg_expr_close(nlh, e);
}

/* The one that the route leaves room for. */
static void clamp_mss(struct nlmsghdr *nlh)
{
	load(nlh, "rt", NFTA_RT_KEY, NFTA_RT_DREG, NFT_RT_TCPMSS, NFT_REG_1);
	byteorder(nlh, sizeof(uint16_t));
	write_mss(nlh);
}

/* The one that a map has. */
static void clamp_by_map(struct nlmsghdr *nlh, const struct ruleset *rs,
			 const struct ruleset_statement *s)
{
	struct nftmsg_expr e;

	load_key(nlh, rs, s);
	e = nftmsg_expr_open(nlh, "lookup");
	nftmsg_put32(nlh, NFTA_LOOKUP_SREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_LOOKUP_DREG, NFT_REG_1);
	put_text(nlh, NFTA_LOOKUP_SET, rs->set[s->set - 1].name);
	nftmsg_expr_close(nlh, e);
	write_mss(nlh);
}

static void count(struct nlmsghdr *nlh)
{
	const uint64_t zero = 0;
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "counter");

	put(nlh, NFTA_COUNTER_BYTES, &zero, sizeof(zero));
	put(nlh, NFTA_COUNTER_PACKETS, &zero, sizeof(zero));
	nftmsg_expr_close(nlh, e);
}

static void reject(struct nlmsghdr *nlh, uint32_t type, uint8_t code)
{
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "reject");

	nftmsg_put32(nlh, NFTA_REJECT_TYPE, type);
	put(nlh, NFTA_REJECT_ICMP_CODE, &code, sizeof(code));
	nftmsg_expr_close(nlh, e);
}

/* Match only the direction in which the connection began. */
static void set_zone(struct nlmsghdr *nlh)
{
	const uint16_t zone = RULESET_ZONE;
	const uint8_t original = IP_CT_DIR_ORIGINAL;
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "immediate");

	nftmsg_put32(nlh, NFTA_IMMEDIATE_DREG, NFT_REG_1);
	put_value(nlh, NFTA_IMMEDIATE_DATA, &zone, sizeof(zone));
	nftmsg_expr_close(nlh, e);
	e = nftmsg_expr_open(nlh, "ct");
	nftmsg_put32(nlh, NFTA_CT_KEY, NFT_CT_ZONE);
	nftmsg_put32(nlh, NFTA_CT_SREG, NFT_REG_1);
	put(nlh, NFTA_CT_DIRECTION, &original, sizeof(original));
	nftmsg_expr_close(nlh, e);
}

/* A rule's statements that involve no key. */
static void put_verb(struct nlmsghdr *nlh, const struct ruleset *rs,
		     const struct ruleset_statement *s)
{
	switch (s->kind) {
	case COPY_CT_MARK:
		copy_mark(nlh, s->mask);
		break;
	case DO_CLAMP_MSS:
		clamp_mss(nlh);
		break;
	case DO_MASQUERADE:
		nftmsg_expr_close(nlh, nftmsg_expr_open(nlh, "masq"));
		break;
	case DO_COUNT:
		count(nlh);
		break;
	case DO_DROP:
		immediate(nlh, NF_DROP, NULL);
		break;
	case DO_REJECT:
		reject(nlh, NFT_REJECT_ICMP_UNREACH, ICMP_NET_UNREACH);
		break;
	case DO_REJECT_ANY:
		reject(nlh, NFT_REJECT_ICMPX_UNREACH,
		       NFT_REJECT_ICMPX_NO_ROUTE);
		break;
	case DO_ZONE:
		set_zone(nlh);
		break;
	case DO_RETURN:
		immediate(nlh, NFT_RETURN, NULL);
		break;
	case DO_JUMP:
		immediate(nlh, NFT_JUMP, rs->chain[s->chain].name);
		break;
	case DO_GOTO:
		immediate(nlh, NFT_GOTO, rs->chain[s->chain].name);
		break;
	}
}

static void put_statement(struct nlmsghdr *nlh, const struct ruleset *rs,
			  const struct ruleset_statement *s, uint32_t id)
{
	switch (s->kind & OP_MASK) {
	case OP_SET:
		set_mark(nlh, rs, s);
		break;
	case OP_RECALL:
		recall(nlh, rs, s);
		break;
	case OP_ADD:
		write_set(nlh, rs, s, NFT_DYNSET_OP_ADD);
		break;
	case OP_UPDATE:
		write_set(nlh, rs, s, NFT_DYNSET_OP_UPDATE);
		break;
	case OP_DELETE:
		write_set(nlh, rs, s, NFT_DYNSET_OP_DELETE);
		break;
	case OP_CLAMP:
		clamp_by_map(nlh, rs, s);
		break;
	case OP_DO:
		put_verb(nlh, rs, s);
		break;
	default:
		put_condition(nlh, rs, s, id);
	}
}

/* Type, length and value of a piece of userdata that is a number. */
static size_t udata32(uint8_t *out, uint8_t type, uint32_t value)
{
	out[0] = type;
	out[1] = sizeof(value);
	memcpy(out + 2, &value, sizeof(value));
	return 2 + sizeof(value);
}

static void put_set_size(struct nlmsghdr *nlh, uint32_t size)
{
	struct nlattr *desc = mnl_attr_nest_start(nlh, NFTA_SET_DESC);

	nftmsg_put32(nlh, NFTA_SET_DESC_SIZE, size);
	mnl_attr_nest_end(nlh, desc);
}

static void put_set(struct nlmsghdr *nlh, const struct ruleset *rs,
		    const struct ruleset_statement *s, uint32_t id)
{
	const struct key *k = key_of(s->kind);
	uint8_t udata[2 + sizeof(uint32_t)];
	uint32_t flags = NFT_SET_ANONYMOUS | NFT_SET_CONSTANT;
	uint32_t size = s->kind == TO_TURNS ? s->value : s->count;

	if (ruleset_is_map(s))
		flags |= NFT_SET_MAP;
	if (has_ranges(rs, s)) {
		flags |= NFT_SET_INTERVAL;
		/* A range has two ends; and one before the first. */
		size = 2 * size + 1;
	}
	put_text(nlh, NFTA_SET_TABLE, RULESET_TABLE);
	put_text(nlh, NFTA_SET_NAME, set_name(s));
	nftmsg_put32(nlh, NFTA_SET_FLAGS, flags);
	nftmsg_put32(nlh, NFTA_SET_KEY_TYPE, k->type);
	nftmsg_put32(nlh, NFTA_SET_KEY_LEN, k->len);
	if (ruleset_is_map(s)) {
		nftmsg_put32(nlh, NFTA_SET_DATA_TYPE, DATA_VERDICT);
		nftmsg_put32(nlh, NFTA_SET_DATA_LEN, 0);
	}
	nftmsg_put32(nlh, NFTA_SET_ID, id);
	put_set_size(nlh, size);
	udata32(udata, UDATA_KEY_BYTEORDER, k->network ?
		BYTEORDER_NETWORK : BYTEORDER_HOST);
	put(nlh, NFTA_SET_USERDATA, udata, sizeof(udata));
}

/* The head of a piece of userdata that holds others of @len bytes. */
static uint8_t *udata_nest(uint8_t *out, uint8_t type, size_t len)
{
	out[0] = type;
	out[1] = (uint8_t)len;
	return out + 2;
}

/* "typeof iifname : tcp option maxseg size". */
static size_t typeof_mss(uint8_t *out)
{
	enum { WORD = 2 + sizeof(uint32_t), NEST = 2, OPTION = 1, FIELD = 2 };
	uint8_t *p = out;

	p = udata_nest(p, UDATA_KEY_TYPEOF, 2 * WORD + NEST);
	p += udata32(p, UDATA_TYPEOF_EXPR, EXPR_META);
	p = udata_nest(p, UDATA_TYPEOF_DATA, WORD);
	p += udata32(p, 0, NFT_META_IIFNAME);
	p = udata_nest(p, UDATA_DATA_TYPEOF, 4 * WORD + NEST);
	p += udata32(p, UDATA_TYPEOF_EXPR, EXPR_EXTHDR);
	p = udata_nest(p, UDATA_TYPEOF_DATA, (size_t)3 * WORD);
	p += udata32(p, OPTION, TCPOPT_MAXSEG);
	p += udata32(p, FIELD, 1);
	p += udata32(p, 0, OP_OF_OPTION);
	return (size_t)(p - out);
}

int nftmsg_set(struct nftmsg_out *o, const struct ruleset *rs,
	       unsigned int set)
{
	const struct ruleset_set *as = &rs->set[set];
	const struct set_shape *k = set_shape(as->kind);
	struct nlmsghdr *nlh = begin(o, NFT_MSG_NEWSET, NLM_F_CREATE, NL_ROOM);
	uint8_t udata[128];
	size_t len;

	if (!nlh)
		return -ENOSPC;
	put_text(nlh, NFTA_SET_TABLE, RULESET_TABLE);
	put_text(nlh, NFTA_SET_NAME, as->name);
	nftmsg_put32(nlh, NFTA_SET_FLAGS, k->flags);
	nftmsg_put32(nlh, NFTA_SET_KEY_TYPE, k->key_type);
	nftmsg_put32(nlh, NFTA_SET_KEY_LEN, k->key_len);
	if (k->flags & NFT_SET_MAP) {
		nftmsg_put32(nlh, NFTA_SET_DATA_TYPE, k->data_type);
		nftmsg_put32(nlh, NFTA_SET_DATA_LEN, k->data_len);
	}
	nftmsg_put32(nlh, NFTA_SET_ID, NAMED_ID + set);
	if (k->size)
		put_set_size(nlh, k->size);
	if (as->timeout)
		mnl_attr_put_u64(nlh, NFTA_SET_TIMEOUT,
				 htobe64(as->timeout * 1000ULL));
	len = udata32(udata, UDATA_KEY_BYTEORDER, k->key_type == TYPE_IFNAME ?
		      BYTEORDER_HOST : BYTEORDER_NETWORK);
	/* nft 1.0.6 aborts where a verdict has a byte order. */
	if (k->data_len)
		len += udata32(udata + len, UDATA_DATA_BYTEORDER, k->headers ?
			       BYTEORDER_NETWORK : BYTEORDER_HOST);
	if (k->headers)
		len += typeof_mss(udata + len);
	put(nlh, NFTA_SET_USERDATA, udata, len);
	finish(o, nlh);
	return 0;
}

/* An element of what links say: a name and a number, or a range of addresses,
 * whose end is one more, and a chain.
 */
static void put_content(struct nlmsghdr *nlh, const struct ruleset *rs,
			const struct set_shape *k,
			const struct ruleset_element *e)
{
	struct nlattr *one = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	const uint16_t mss = htons((uint16_t)e->last.lo);
	uint8_t bytes[WIDE_BYTES], open[2 + sizeof(uint32_t)];

	if (k->headers) {
		put_value(nlh, NFTA_SET_ELEM_KEY, e->name, k->key_len);
		put_value(nlh, NFTA_SET_ELEM_DATA, &mss, sizeof(mss));
	} else {
		wide_put(e->key, bytes, k->key_len);
		put_value(nlh, NFTA_SET_ELEM_KEY, bytes, k->key_len);
		if (k->flags & NFT_SET_MAP)
			put_verdict(nlh, NFTA_SET_ELEM_DATA, NFT_GOTO,
				    rs->chain[e->chain].name);
		if (wide_equal(e->last, wide_ones(8 * k->key_len))) {
			udata32(open, UDATA_ELEMENT_FLAGS, 1);
			put(nlh, NFTA_SET_ELEM_USERDATA, open, sizeof(open));
		}
	}
	mnl_attr_nest_end(nlh, one);
}

static void put_content_end(struct nlmsghdr *nlh, const struct set_shape *k,
			    struct wide key)
{
	struct nlattr *one = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	uint8_t bytes[WIDE_BYTES];

	nftmsg_put32(nlh, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	wide_put(key, bytes, k->key_len);
	put_value(nlh, NFTA_SET_ELEM_KEY, bytes, k->key_len);
	mnl_attr_nest_end(nlh, one);
}

/* Elements @i to @to. For a named set the kernel wants every end. */
static void put_contents(struct nlmsghdr *nlh, const struct ruleset *rs,
			 const struct set_shape *k,
			 const struct ruleset_element *content,
			 unsigned int i, unsigned int to)
{
	const struct wide last = wide_ones(8 * k->key_len);
	bool ranges = k->flags & NFT_SET_INTERVAL;

	for (; i < to; i++) {
		put_content(nlh, rs, k, &content[i]);
		if (ranges && !wide_equal(content[i].last, last))
			put_content_end(nlh, k, wide_next(content[i].last));
	}
}

int nftmsg_refill(struct nftmsg_out *o, const struct ruleset *rs,
		  unsigned int set, const struct table_state *state)
{
	static struct ruleset_element content[SET_CONTENT_MAX];
	unsigned int n = set_content(rs, set, state, content), i = 0, to;
	const struct set_shape *k = set_shape(rs->set[set].kind);
	struct nlmsghdr *nlh;
	struct nlattr *list;
	int code = nftmsg_names(o, NFT_MSG_DELSETELEM, 0,
				NFTA_SET_ELEM_LIST_TABLE,
				NFTA_SET_ELEM_LIST_SET, rs->set[set].name);

	while (!code && i < n) {
		nlh = begin(o, NFT_MSG_NEWSETELEM, NLM_F_CREATE, SCRATCH);
		if (!nlh)
			return -ENOSPC;
		put_text(nlh, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
		put_text(nlh, NFTA_SET_ELEM_LIST_SET, rs->set[set].name);
		list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
		to = n - i > PIECE ? i + PIECE : n;
		put_contents(nlh, rs, k, content, i, to);
		i = to;
		mnl_attr_nest_end(nlh, list);
		finish(o, nlh);
	}
	return code;
}

static void put_key(struct nlmsghdr *nlh, const struct key *k,
		    struct wide key, bool network)
{
	uint8_t bytes[WIDE_BYTES];

	to_bytes(k, key, network, bytes);
	put_value(nlh, NFTA_SET_ELEM_KEY, bytes, k->len);
}

int nftmsg_get(struct nftmsg_out *o, const char *set, const void *key,
	       size_t len)
{
	struct nlmsghdr *nlh = begin(o, NFT_MSG_GETSETELEM, 0, NL_ROOM);
	struct nlattr *list, *one;

	if (!nlh)
		return -ENOSPC;
	put_text(nlh, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
	put_text(nlh, NFTA_SET_ELEM_LIST_SET, set);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	one = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	put_value(nlh, NFTA_SET_ELEM_KEY, key, len);
	mnl_attr_nest_end(nlh, one);
	mnl_attr_nest_end(nlh, list);
	finish(o, nlh);
	return 0;
}

/* The end of a range: the first key after it. */
static void put_range_end(struct nlmsghdr *nlh, const struct key *k,
			  struct wide key)
{
	struct nlattr *one = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

	nftmsg_put32(nlh, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	put_key(nlh, k, key, true);
	mnl_attr_nest_end(nlh, one);
}

/* Is it the last key that there can be? A range up to it has no end. */
static bool is_last(const struct key *k, struct wide key)
{
	return wide_equal(key, wide_ones(8U * k->len));
}

static void put_element(struct nlmsghdr *nlh, const struct ruleset *rs,
			const struct ruleset_statement *s,
			const struct ruleset_element *e, struct wide key,
			bool ranges)
{
	struct nlattr *one = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	const struct key *k = key_of(s->kind);
	uint8_t open[2 + sizeof(uint32_t)];

	if (k->type == TYPE_IFNAME)
		put_value(nlh, NFTA_SET_ELEM_KEY, e->name, IFNAMSIZ);
	else
		put_key(nlh, k, key, ranges);
	if (ruleset_is_map(s))
		put_verdict(nlh, NFTA_SET_ELEM_DATA, NFT_GOTO,
			    rs->chain[e->chain].name);
	if (ranges && is_last(k, e->last)) {
		udata32(open, UDATA_ELEMENT_FLAGS, 1);
		put(nlh, NFTA_SET_ELEM_USERDATA, open, sizeof(open));
	}
	mnl_attr_nest_end(nlh, one);
}

/* Encode from element @from on: adjacent ranges need no end between them, and
 * an end of nothing precedes the first one, as nft does it.
 */
static void put_ranges(struct nlmsghdr *nlh, const struct ruleset *rs,
		       const struct ruleset_statement *s, unsigned int from,
		       unsigned int to)
{
	const struct ruleset_element *e = &rs->element[s->first + from];
	const struct key *k = key_of(s->kind);
	unsigned int i;

	if (!from && !wide_equal(e->key, wide(0)))
		put_range_end(nlh, k, wide(0));
	for (i = from; i < to; i++, e++) {
		struct wide next = wide_next(e->last);

		put_element(nlh, rs, s, e, e->key, true);
		if (!is_last(k, e->last) &&
		    (i + 1 == s->count || !wide_equal(e[1].key, next)))
			put_range_end(nlh, k, next);
	}
}

/* The state of one set's elements, message by message. */
struct elements {
	const struct ruleset *rs;
	const struct ruleset_statement *s;
	uint32_t id, done, count;
	bool ranges, turns;
	int32_t lag[LINKS_MAX];
};

static void put_elements(struct nlmsghdr *nlh, struct elements *l)
{
	const struct ruleset_element *e = &l->rs->element[l->s->first];
	uint32_t i = l->done, to = l->count;
	struct nlattr *list;

	if (to - i > PIECE)
		to = i + PIECE;
	put_text(nlh, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
	put_text(nlh, NFTA_SET_ELEM_LIST_SET, set_name(l->s));
	nftmsg_put32(nlh, NFTA_SET_ELEM_LIST_SET_ID, l->id);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	l->done = to;
	if (l->ranges)
		put_ranges(nlh, l->rs, l->s, i, to);
	for (; !l->ranges && i < to; i++)
		put_element(nlh, l->rs, l->s, l->turns ?
			    &e[ruleset_turn(l->rs, l->s, l->lag)] : &e[i],
			    l->turns ? wide(i) : e[i].key, false);
	mnl_attr_nest_end(nlh, list);
}

/* The set of a rule comes before the rule that it is bound to. The hash is of
 * the ranges that turns are made from, not of the turns: there may be
 * thousands.
 */
static int encode_set(struct nftmsg_out *o, const struct ruleset *rs,
		      const struct ruleset_statement *s, uint32_t id,
		      uint64_t *hash)
{
	struct nlmsghdr *nlh = begin(o, NFT_MSG_NEWSET, NLM_F_CREATE, NL_ROOM);
	struct elements l = { .rs = rs, .s = s, .id = id, .count = s->count };

	if (!nlh)
		return -ENOSPC;
	put_set(nlh, rs, s, id);
	*hash = fold_message(*hash, nlh);
	finish(o, nlh);
	l.turns = s->kind == TO_TURNS && o->batch;
	l.ranges = s->kind == TO_TURNS ? !o->batch : has_ranges(rs, s);
	if (l.turns)
		l.count = s->value;
	while (l.done < l.count) {
		nlh = begin(o, NFT_MSG_NEWSETELEM, NLM_F_CREATE, SCRATCH);
		if (!nlh)
			return -ENOSPC;
		put_elements(nlh, &l);
		*hash = fold_message(*hash, nlh);
		finish(o, nlh);
	}
	return 0;
}

static void put_hash(struct nlmsghdr *nlh, uint64_t hash)
{
	uint8_t udata[UDATA_LEN] = { UDATA_HASH, sizeof(hash) };

	memcpy(udata + 2, &hash, sizeof(hash));
	put(nlh, NFTA_RULE_USERDATA, udata, sizeof(udata));
}

/* A set's number in the transaction, below NAMED_ID: each statement may have
 * one.
 */
static uint32_t set_id(const struct ruleset *rs,
		       const struct ruleset_statement *s, bool numbered)
{
	return numbered ? (uint32_t)(s - rs->statement) + 2 : 0;
}

static int encode_sets(struct nftmsg_out *o, const struct ruleset *rs,
		       const struct ruleset_rule *r, bool numbered,
		       uint64_t *hash)
{
	const struct ruleset_statement *s = &rs->statement[r->first];
	unsigned int i;
	int code = 0;

	for (i = 0; !code && i < r->count; i++, s++)
		if (ruleset_has_set(s))
			code = encode_set(o, rs, s, set_id(rs, s, numbered),
					  hash);
	return code;
}

static void put_rule(struct nlmsghdr *nlh, const struct ruleset *rs,
		     const struct ruleset_rule *r, bool numbered)
{
	const struct ruleset_statement *s = &rs->statement[r->first];
	const struct ruleset_statement *end = s + r->count, *p;
	bool rejects = false, fields = false;
	struct nlattr *list;

	put_text(nlh, NFTA_RULE_TABLE, RULESET_TABLE);
	put_text(nlh, NFTA_RULE_CHAIN, rs->chain[r->chain].name);
	list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	for (p = s; p < end; p++) {
		if (p->kind == DO_REJECT)
			rejects = true;
		else
			fields = fields || needs_family(p);
	}
	if (rejects && !fields)
		only_family(nlh, NFPROTO_IPV4);
	for (; s < end; s++) {
		if (fields && needs_family(s)) {
			only_family(nlh, needs_family(s));
			fields = false;
		}
		put_statement(nlh, rs, s, set_id(rs, s, numbered));
	}
	mnl_attr_nest_end(nlh, list);
}

/* A set's number in the transaction is 0 here: it depends on other rules. */
uint64_t nftmsg_hash(const struct ruleset *rs, const struct ruleset_rule *r)
{
	struct nftmsg_out scratch = { .nl = NULL, .batch = NULL };
	uint64_t hash = nftmsg_fold_start;
	struct nlmsghdr *nlh;

	encode_sets(&scratch, rs, r, false, &hash);
	nlh = begin(&scratch, NFT_MSG_NEWRULE, 0, NL_ROOM);
	put_rule(nlh, rs, r, false);
	return fold_message(hash, nlh);
}

static uint64_t fold_text(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = nftmsg_fold(h, (uint8_t)*text);
	return nftmsg_fold(h, 0);
}

/* Compare by members: the padding between them may be anything. */
uint64_t nftmsg_digest(const struct ruleset *rs)
{
	uint64_t h = fold_text(nftmsg_fold_start, MWAN_VERSION);
	unsigned int i;

	h = nftmsg_fold(h, rs->n_chains | (uint64_t)rs->n_rules << 32);
	h = nftmsg_fold(h, rs->n_statements | (uint64_t)rs->n_elements << 32);
	h = nftmsg_fold(h, rs->n_sets | (uint64_t)rs->n_links << 32);
	for (i = 0; i < rs->n_sets; i++) {
		h = fold_text(h, rs->set[i].name);
		h = nftmsg_fold(h, rs->set[i].kind |
				   (uint64_t)rs->set[i].timeout << 32);
	}
	for (i = 0; i < rs->n_chains; i++) {
		const struct ruleset_chain *c = &rs->chain[i];

		h = fold_text(h, c->name);
		h = nftmsg_fold(h, c->hook | (uint64_t)c->type << 8 |
				   (uint64_t)(uint16_t)c->priority << 16);
	}
	for (i = 0; i < rs->n_rules; i++) {
		const struct ruleset_rule *r = &rs->rule[i];

		h = nftmsg_fold(h, r->chain | (uint64_t)r->number << 16 |
				   (uint64_t)r->first << 32 |
				   (uint64_t)r->count << 48);
		h = nftmsg_fold(h, r->policy);
	}
	for (i = 0; i < rs->n_statements; i++) {
		const struct ruleset_statement *s = &rs->statement[i];

		h = nftmsg_fold(h, s->kind | (uint64_t)s->chain << 16 |
				   (uint64_t)s->first << 32 |
				   (uint64_t)s->count << 48);
		h = nftmsg_fold(h, s->mask | (uint64_t)s->value << 32);
		h = nftmsg_fold(h, s->set);
	}
	for (i = 0; i < rs->n_elements; i++) {
		const struct ruleset_element *e = &rs->element[i];

		h = fold_text(h, e->name);
		h = nftmsg_fold(h, e->key.hi);
		h = nftmsg_fold(h, e->key.lo);
		h = nftmsg_fold(h, e->last.hi);
		h = nftmsg_fold(h, e->last.lo);
		h = nftmsg_fold(h, e->chain);
	}
	return h;
}

int nftmsg_rule(struct nftmsg_out *o, const struct ruleset *rs,
		unsigned int number)
{
	const struct ruleset_rule *r = &rs->rule[number];
	uint64_t unused = 0;
	struct nlmsghdr *nlh;
	int code;

	code = encode_sets(o, rs, r, true, &unused);
	if (code)
		return code;
	nlh = begin(o, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NL_ROOM);
	if (!nlh)
		return -ENOSPC;
	put_rule(nlh, rs, r, true);
	put_hash(nlh, nftmsg_hash(rs, r));
	finish(o, nlh);
	return 0;
}

int nftmsg_chain(struct nftmsg_out *o, const struct ruleset_chain *c)
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
		nftmsg_put32(nlh, NFTA_CHAIN_POLICY, NF_ACCEPT);
		hook = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
		nftmsg_put32(nlh, NFTA_HOOK_HOOKNUM, c->hook);
		nftmsg_put32(nlh, NFTA_HOOK_PRIORITY, (uint32_t)c->priority);
		mnl_attr_nest_end(nlh, hook);
	}
	finish(o, nlh);
	return 0;
}

int nftmsg_names(struct nftmsg_out *o, unsigned int op, uint16_t flags,
		 uint16_t table_attr, uint16_t name_attr, const char *name)
{
	struct nlmsghdr *nlh = begin(o, op, flags, NL_ROOM);

	if (!nlh)
		return -ENOSPC;
	if (table_attr)
		put_text(nlh, table_attr, RULESET_TABLE);
	if (name)
		put_text(nlh, name_attr, name);
	/* A table without flags is awake. */
	if (op == NFT_MSG_NEWTABLE)
		nftmsg_put32(nlh, NFTA_TABLE_FLAGS, 0);
	finish(o, nlh);
	return 0;
}

int nftmsg_bracket(struct nftmsg_out *o, uint16_t type,
		   const uint32_t *generation)
{
	const struct nfgenmsg head = {
		.res_id = htons(NFNL_SUBSYS_NFTABLES),
	};
	struct nlmsghdr *nlh = nl_put(o->batch, o->nl, type, 0, &head,
				      sizeof(head), NL_ROOM);

	if (!nlh)
		return -ENOSPC;
	if (generation)
		nftmsg_put32(nlh, NFNL_BATCH_GENID, *generation);
	nl_end(o->batch, nlh);
	return 0;
}
