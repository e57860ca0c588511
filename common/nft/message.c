// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "nft/message.h"

/* What the rules compare with. */
enum {
	TCPOPT_MAXSEG = 2,		/* RFC 9293, 3.2 */
	TCP_SYN = 0x02, TCP_SYN_RST = 0x06,
	/* Offsets in the IPv4 header, and in those of TCP and UDP. */
	IPV4_PROTOCOL = 9, IPV4_SADDR = 12, IPV4_DADDR = 16,
	SPORT = 0, DPORT = 2,
	TCP_FLAGS = 13,			/* offset in the TCP header */
	/* enum ip_conntrack_info's IP_CT_NEW as a bit of ct state. */
	STATE_NEW = 8,
	DIRECTION_REPLY = 1,
};

enum {
	KEY_VERDICT = 0xffffff00,
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

static void put_set_lookup(struct nlmsghdr *nlh,
			   const struct ruleset_statement *s, uint32_t id)
{
	struct expr e = open_expr(nlh, "lookup");

	put32(nlh, NFTA_LOOKUP_SREG, NFT_REG_1);
	if (ruleset_is_map(s))
		put32(nlh, NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
	put_text(nlh, NFTA_LOOKUP_SET, set_name(s));
	put32(nlh, NFTA_LOOKUP_SET_ID, id);
	if (s->kind == IF_NOT_IIFNAME || s->kind == IF_NOT_OIFNAME)
		put32(nlh, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	close_expr(nlh, e);
}

/* nft puts this before the first field of an IPv4 header in an inet chain, and
 * without it would print the field as raw bits.
 */
static void only_ipv4(struct nlmsghdr *nlh)
{
	load_meta(nlh, NFT_META_NFPROTO);
	compare8(nlh, NFT_CMP_EQ, NFPROTO_IPV4);
}

static bool needs_ipv4(const struct ruleset_statement *s)
{
	switch (s->kind) {
	case TO_HASH:
	case TO_FLOW:
	case TO_SADDR:
	case IF_SADDR:
	case IF_DADDR:
	case SET_PRIORITY:
	case ADD_STICKY:
	case UPDATE_STICKY:
	case DELETE_STICKY:
		return true;
	}
	return false;
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
		if (e[i].last != e[i].key)
			return true;
	return false;
}

static void load_address(struct nlmsghdr *nlh, uint32_t reg, uint32_t offset)
{
	load_payload(nlh, reg, NFT_PAYLOAD_NETWORK_HEADER, offset,
		     sizeof(uint32_t));
}

static void load_port(struct nlmsghdr *nlh, uint32_t reg, uint32_t offset)
{
	load_payload(nlh, reg, NFT_PAYLOAD_TRANSPORT_HEADER, offset,
		     sizeof(uint16_t));
}

/* Registers of 4 bytes in a row from NFT_REG_2 on, as nft numbers them. */
static uint32_t load_flow(struct nlmsghdr *nlh)
{
	load_address(nlh, NFT_REG_2, IPV4_SADDR);
	load_address(nlh, NFT_REG32_05, IPV4_DADDR);
	load_payload(nlh, NFT_REG32_06, NFT_PAYLOAD_NETWORK_HEADER,
		     IPV4_PROTOCOL, sizeof(uint8_t));
	load_port(nlh, NFT_REG32_07, SPORT);
	load_port(nlh, NFT_REG_3, DPORT);
	return 5 * sizeof(uint32_t);
}

static void hash(struct nlmsghdr *nlh, const struct ruleset_statement *s)
{
	uint32_t len = sizeof(uint32_t);
	struct expr e;

	if (s->kind == TO_FLOW)
		len = load_flow(nlh);
	else
		load_address(nlh, NFT_REG_2, IPV4_SADDR);
	e = open_expr(nlh, "hash");
	put32(nlh, NFTA_HASH_SREG, NFT_REG_2);
	put32(nlh, NFTA_HASH_DREG, NFT_REG_1);
	put32(nlh, NFTA_HASH_LEN, len);
	put32(nlh, NFTA_HASH_MODULUS, s->value);
	put32(nlh, NFTA_HASH_SEED, s->mask);
	put32(nlh, NFTA_HASH_OFFSET, 0);
	put32(nlh, NFTA_HASH_TYPE, NFT_HASH_JENKINS);
	close_expr(nlh, e);
}

static void number(struct nlmsghdr *nlh, const struct ruleset_statement *s)
{
	struct expr e = open_expr(nlh, "numgen");

	put32(nlh, NFTA_NG_DREG, NFT_REG_1);
	put32(nlh, NFTA_NG_MODULUS, s->value);
	put32(nlh, NFTA_NG_TYPE, s->kind == TO_TURNS ? NFT_NG_INCREMENTAL :
						       NFT_NG_RANDOM);
	put32(nlh, NFTA_NG_OFFSET, 0);
	close_expr(nlh, e);
}

/* What chooses a slot. */
static void choose(struct nlmsghdr *nlh, const struct ruleset *rs,
		   const struct ruleset_statement *s)
{
	if (s->kind == TO_RANDOM || s->kind == TO_TURNS)
		number(nlh, s);
	else
		hash(nlh, s);
	/* The kernel orders ranges as bytes. */
	if (has_ranges(rs, s))
		byteorder(nlh, sizeof(uint32_t));
}

/* An address, a prefix, a range; of a prefix that ends at a byte's end nft
 * loads only the bytes before it.
 */
static void compare_address(struct nlmsghdr *nlh, const struct range *r,
			    uint32_t offset)
{
	uint32_t first = htonl(r->first), last = htonl(r->last), len = 32;
	int prefix = range_prefix(r);

	if (prefix > 0)
		len = (uint32_t)prefix;
	if (prefix > 0 && !(len % 8)) {
		load_payload(nlh, NFT_REG_1, NFT_PAYLOAD_NETWORK_HEADER,
			     offset, len / 8);
		compare(nlh, NFT_CMP_EQ, &first, len / 8);
		return;
	}
	load_address(nlh, NFT_REG_1, offset);
	if (prefix > 0) {
		bitwise32(nlh, ~(first ^ last), 0);
		compare32(nlh, NFT_CMP_EQ, first);
	} else {
		compare32(nlh, NFT_CMP_GTE, first);
		compare32(nlh, NFT_CMP_LTE, last);
	}
}

static void compare_port(struct nlmsghdr *nlh, const struct range *r)
{
	uint16_t first = htons((uint16_t)r->first);
	uint16_t last = htons((uint16_t)r->last);

	if (first == last) {
		compare(nlh, NFT_CMP_EQ, &first, sizeof(first));
	} else {
		compare(nlh, NFT_CMP_GTE, &first, sizeof(first));
		compare(nlh, NFT_CMP_LTE, &last, sizeof(last));
	}
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

/* Compare with the one element that there is. */
static void compare_one(struct nlmsghdr *nlh, const struct ruleset_statement *s,
			const struct ruleset_element *e)
{
	const struct range r = { e->key, e->last };

	switch (s->kind) {
	case IF_SADDR:
		compare_address(nlh, &r, IPV4_SADDR);
		break;
	case IF_DADDR:
		compare_address(nlh, &r, IPV4_DADDR);
		break;
	case IF_SPORT:
	case IF_DPORT:
		compare_port(nlh, &r);
		break;
	case IF_PROTOCOL:
	case IF_PORTS_OF:
		compare8(nlh, NFT_CMP_EQ, (uint8_t)e->key);
		break;
	case IF_META_MARKS:
		compare32(nlh, NFT_CMP_EQ, e->key);
		break;
	case IF_NOT_IIFNAME:
	case IF_NOT_OIFNAME:
		compare(nlh, NFT_CMP_NEQ, e->name, IFNAMSIZ);
		break;
	default:
		compare(nlh, NFT_CMP_EQ, e->name, IFNAMSIZ);
	}
}

/* The key of the set or map, or what to compare. */
static void load_key(struct nlmsghdr *nlh, const struct ruleset *rs,
		     const struct ruleset_statement *s)
{
	switch (s->kind) {
	case TO_CT_MARK:
		load_ct(nlh, NFT_CT_MARK);
		mask32(nlh, s->mask);
		break;
	case TO_META_MARK:
	case IF_META_MARKS:
		load_meta(nlh, NFT_META_MARK);
		mask32(nlh, s->mask);
		break;
	case TO_PRIORITY:
		load_meta(nlh, NFT_META_PRIORITY);
		break;
	case TO_HASH:
	case TO_FLOW:
	case TO_RANDOM:
	case TO_TURNS:
		choose(nlh, rs, s);
		break;
	case TO_SADDR:
		load_address(nlh, NFT_REG_1, IPV4_SADDR);
		bitwise32(nlh, htonl(s->mask), 0);
		break;
	case IF_SADDR:
	case IF_DADDR:
		/* compare_one() loads no more than it needs. */
		if (ruleset_has_set(s))
			load_address(nlh, NFT_REG_1, s->kind == IF_SADDR ?
				     IPV4_SADDR : IPV4_DADDR);
		break;
	case IF_SPORT:
	case IF_DPORT:
		load_port(nlh, NFT_REG_1, s->kind == IF_SPORT ? SPORT : DPORT);
		break;
	case IF_PROTOCOL:
	case IF_PORTS_OF:
		load_meta(nlh, NFT_META_L4PROTO);
		break;
	case IF_OIFNAME:
	case IF_NOT_OIFNAME:
	case TO_OIFNAME:
		load_meta(nlh, NFT_META_OIFNAME);
		break;
	default:
		load_meta(nlh, NFT_META_IIFNAME);
	}
}

/* The link that the map has for the packet's host, to the packet's priority. */
static void set_priority(struct nlmsghdr *nlh)
{
	struct expr e;

	load_address(nlh, NFT_REG_1, IPV4_SADDR);
	e = open_expr(nlh, "lookup");
	put32(nlh, NFTA_LOOKUP_SREG, NFT_REG_1);
	put32(nlh, NFTA_LOOKUP_DREG, NFT_REG_1);
	put_text(nlh, NFTA_LOOKUP_SET, RULESET_STICKY);
	close_expr(nlh, e);
	set_mark(nlh, "meta", NFTA_META_KEY, NFTA_META_SREG,
		 NFT_META_PRIORITY);
}

static void write_sticky(struct nlmsghdr *nlh, uint32_t op, uint32_t value)
{
	struct expr e;

	load_address(nlh, NFT_REG_1, IPV4_SADDR);
	e = open_expr(nlh, "immediate");
	put32(nlh, NFTA_IMMEDIATE_DREG, NFT_REG_2);
	put_value(nlh, NFTA_IMMEDIATE_DATA, &value, sizeof(value));
	close_expr(nlh, e);
	e = open_expr(nlh, "dynset");
	put_text(nlh, NFTA_DYNSET_SET_NAME, RULESET_STICKY);
	put32(nlh, NFTA_DYNSET_OP, op);
	put32(nlh, NFTA_DYNSET_SREG_KEY, NFT_REG_1);
	put32(nlh, NFTA_DYNSET_SREG_DATA, NFT_REG_2);
	close_expr(nlh, e);
}

/* What the packet's source is to this machine, or with NFTA_FIB_F_OIF to the
 * interface that it leaves by.
 */
static void load_source_type(struct nlmsghdr *nlh, uint32_t flags)
{
	struct expr e = open_expr(nlh, "fib");

	put32(nlh, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	put32(nlh, NFTA_FIB_FLAGS, NFTA_FIB_F_SADDR | flags);
	put32(nlh, NFTA_FIB_DREG, NFT_REG_1);
	close_expr(nlh, e);
}

static void count(struct nlmsghdr *nlh)
{
	const uint64_t zero = 0;
	struct expr e = open_expr(nlh, "counter");

	put(nlh, NFTA_COUNTER_BYTES, &zero, sizeof(zero));
	put(nlh, NFTA_COUNTER_PACKETS, &zero, sizeof(zero));
	close_expr(nlh, e);
}

static void reject(struct nlmsghdr *nlh)
{
	const uint8_t code = ICMP_NET_UNREACH;
	struct expr e = open_expr(nlh, "reject");

	put32(nlh, NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
	put(nlh, NFTA_REJECT_ICMP_CODE, &code, sizeof(code));
	close_expr(nlh, e);
}

/* A mark under a mask, compared. */
static void compare_mark(struct nlmsghdr *nlh,
			 const struct ruleset_statement *s)
{
	bool not = s->kind == IF_NOT_META_MARK || s->kind == IF_NOT_CT_MARK;

	if (s->kind == IF_CT_MARK || s->kind == IF_NOT_CT_MARK)
		load_ct(nlh, NFT_CT_MARK);
	else
		load_meta(nlh, NFT_META_MARK);
	mask32(nlh, s->mask);
	compare32(nlh, not ? NFT_CMP_NEQ : NFT_CMP_EQ, s->value);
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
	case IF_META_MARK:
	case IF_NOT_META_MARK:
	case IF_CT_MARK:
	case IF_NOT_CT_MARK:
		compare_mark(nlh, s);
		break;
	case IF_NO_IPSEC:
		load_rt(nlh, NFT_RT_XFRM);
		compare8(nlh, NFT_CMP_EQ, 0);
		break;
	case IF_SNAT:
		load_ct(nlh, NFT_CT_STATUS);
		bitwise32(nlh, IPS_SRC_NAT, 0);
		compare32(nlh, NFT_CMP_NEQ, 0);
		break;
	case IF_ELSEWHERE:
		load_source_type(nlh, 0);
		compare32(nlh, NFT_CMP_NEQ, RTN_LOCAL);
		break;
	case IF_FOREIGN:
		load_source_type(nlh, NFTA_FIB_F_OIF);
		compare32(nlh, NFT_CMP_NEQ, RTN_LOCAL);
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
	case SET_PRIORITY:
		set_priority(nlh);
		break;
	case ADD_STICKY:
		write_sticky(nlh, NFT_DYNSET_OP_ADD, s->value);
		break;
	case UPDATE_STICKY:
		write_sticky(nlh, NFT_DYNSET_OP_UPDATE, s->value);
		break;
	case DELETE_STICKY:
		write_sticky(nlh, NFT_DYNSET_OP_DELETE, s->value);
		break;
	case DO_COUNT:
		count(nlh);
		break;
	case DO_DROP:
		immediate(nlh, NF_DROP, NULL);
		break;
	case DO_REJECT:
		reject(nlh);
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

/* How a set's key looks to the kernel, and to nft. */
static uint32_t key_type(const struct ruleset_statement *s)
{
	switch (s->kind) {
	case TO_CT_MARK:
	case TO_META_MARK:
	case IF_META_MARKS:
		return NFTMSG_MARK;
	case TO_PRIORITY:
		return NFTMSG_CLASS;
	case TO_HASH:
	case TO_FLOW:
	case TO_RANDOM:
	case TO_TURNS:
		return NFTMSG_INTEGER;
	case TO_SADDR:
	case IF_SADDR:
	case IF_DADDR:
		return NFTMSG_IPV4;
	case IF_PROTOCOL:
		return NFTMSG_PROTOCOL;
	case IF_SPORT:
	case IF_DPORT:
		return NFTMSG_SERVICE;
	default:
		return NFTMSG_IFNAME;
	}
}

static uint32_t key_len(const struct ruleset_statement *s)
{
	switch (key_type(s)) {
	case NFTMSG_IFNAME:
		return IFNAMSIZ;
	case NFTMSG_PROTOCOL:
		return sizeof(uint8_t);
	case NFTMSG_SERVICE:
		return sizeof(uint16_t);
	default:
		return sizeof(uint32_t);
	}
}

/* Headers have their fields in the network's order. */
static bool network_order(const struct ruleset_statement *s)
{
	switch (key_type(s)) {
	case NFTMSG_IPV4:
	case NFTMSG_PROTOCOL:
	case NFTMSG_SERVICE:
		return true;
	}
	return false;
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

	put32(nlh, NFTA_SET_DESC_SIZE, size);
	mnl_attr_nest_end(nlh, desc);
}

static void put_set(struct nlmsghdr *nlh, const struct ruleset *rs,
		    const struct ruleset_statement *s, uint32_t id)
{
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
	put32(nlh, NFTA_SET_FLAGS, flags);
	put32(nlh, NFTA_SET_KEY_TYPE, key_type(s));
	put32(nlh, NFTA_SET_KEY_LEN, key_len(s));
	if (ruleset_is_map(s)) {
		put32(nlh, NFTA_SET_DATA_TYPE, KEY_VERDICT);
		put32(nlh, NFTA_SET_DATA_LEN, 0);
	}
	put32(nlh, NFTA_SET_ID, id);
	put_set_size(nlh, size);
	udata32(udata, UDATA_KEY_BYTEORDER, network_order(s) ?
		BYTEORDER_NETWORK : BYTEORDER_HOST);
	put(nlh, NFTA_SET_USERDATA, udata, sizeof(udata));
}

int nftmsg_sticky(struct nftmsg_out *o, uint32_t timeout)
{
	struct nlmsghdr *nlh = begin(o, NFT_MSG_NEWSET, NLM_F_CREATE, NL_ROOM);
	uint8_t udata[2 * (2 + sizeof(uint32_t))];
	size_t len;

	if (!nlh)
		return -ENOSPC;
	put_text(nlh, NFTA_SET_TABLE, RULESET_TABLE);
	put_text(nlh, NFTA_SET_NAME, RULESET_STICKY);
	put32(nlh, NFTA_SET_FLAGS, NFTMSG_STICKY_FLAGS);
	put32(nlh, NFTA_SET_KEY_TYPE, NFTMSG_IPV4);
	put32(nlh, NFTA_SET_KEY_LEN, sizeof(uint32_t));
	put32(nlh, NFTA_SET_DATA_TYPE, NFTMSG_CLASS);
	put32(nlh, NFTA_SET_DATA_LEN, sizeof(uint32_t));
	put32(nlh, NFTA_SET_ID, 1);
	put_set_size(nlh, RULESET_STICKY_SIZE);
	mnl_attr_put_u64(nlh, NFTA_SET_TIMEOUT, htobe64(timeout * 1000ULL));
	len = udata32(udata, UDATA_KEY_BYTEORDER, BYTEORDER_NETWORK);
	udata32(udata + len, UDATA_DATA_BYTEORDER, BYTEORDER_HOST);
	put(nlh, NFTA_SET_USERDATA, udata, sizeof(udata));
	finish(o, nlh);
	return 0;
}

static void put_key(struct nlmsghdr *nlh, const struct ruleset_statement *s,
		    uint32_t key, bool network)
{
	const uint8_t byte = (uint8_t)key;
	const uint16_t port = htons((uint16_t)key);

	switch (key_len(s)) {
	case sizeof(byte):
		put_value(nlh, NFTA_SET_ELEM_KEY, &byte, sizeof(byte));
		break;
	case sizeof(port):
		put_value(nlh, NFTA_SET_ELEM_KEY, &port, sizeof(port));
		break;
	default:
		if (network)
			key = htonl(key);
		put_value(nlh, NFTA_SET_ELEM_KEY, &key, sizeof(key));
	}
}

int nftmsg_get_sticky(struct nftmsg_out *o, uint32_t host)
{
	const uint32_t key = htonl(host);
	struct nlmsghdr *nlh = begin(o, NFT_MSG_GETSETELEM, 0, NL_ROOM);
	struct nlattr *list, *one;

	if (!nlh)
		return -ENOSPC;
	put_text(nlh, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
	put_text(nlh, NFTA_SET_ELEM_LIST_SET, RULESET_STICKY);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	one = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	put_value(nlh, NFTA_SET_ELEM_KEY, &key, sizeof(key));
	mnl_attr_nest_end(nlh, one);
	mnl_attr_nest_end(nlh, list);
	finish(o, nlh);
	return 0;
}

/* What ends a range: the first key behind it. */
static void put_range_end(struct nlmsghdr *nlh,
			  const struct ruleset_statement *s, uint32_t key)
{
	struct nlattr *one = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

	put32(nlh, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	put_key(nlh, s, key, true);
	mnl_attr_nest_end(nlh, one);
}

/* The last key that there can be: a range up to it has no end. */
static uint32_t last_key(const struct ruleset_statement *s)
{
	return key_len(s) == sizeof(uint16_t) ? UINT16_MAX : UINT32_MAX;
}

static void put_element(struct nlmsghdr *nlh, const struct ruleset *rs,
			const struct ruleset_statement *s,
			const struct ruleset_element *e, uint32_t key,
			bool ranges)
{
	struct nlattr *one = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	uint8_t open[2 + sizeof(uint32_t)];

	if (key_type(s) == NFTMSG_IFNAME)
		put_value(nlh, NFTA_SET_ELEM_KEY, e->name, IFNAMSIZ);
	else
		put_key(nlh, s, key, ranges || network_order(s));
	if (ruleset_is_map(s))
		put_verdict(nlh, NFTA_SET_ELEM_DATA, NFT_GOTO,
			    rs->chain[e->chain].name);
	if (ranges && e->last == last_key(s)) {
		udata32(open, UDATA_ELEMENT_FLAGS, 1);
		put(nlh, NFTA_SET_ELEM_USERDATA, open, sizeof(open));
	}
	mnl_attr_nest_end(nlh, one);
}

/* From element @from on: ranges that follow each other need no end between
 * them, and before the first there is an end of nothing, as nft has it.
 */
static void put_ranges(struct nlmsghdr *nlh, const struct ruleset *rs,
		       const struct ruleset_statement *s, unsigned int from,
		       unsigned int to)
{
	const struct ruleset_element *e = &rs->element[s->first + from];
	unsigned int i;

	if (!from && e->key)
		put_range_end(nlh, s, 0);
	for (i = from; i < to; i++, e++) {
		put_element(nlh, rs, s, e, e->key, true);
		if (e->last != last_key(s) &&
		    (i + 1 == s->count || e[1].key != e->last + 1))
			put_range_end(nlh, s, e->last + 1);
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
	put32(nlh, NFTA_SET_ELEM_LIST_SET_ID, l->id);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	l->done = to;
	if (l->ranges)
		put_ranges(nlh, l->rs, l->s, i, to);
	for (; !l->ranges && i < to; i++)
		put_element(nlh, l->rs, l->s, l->turns ?
			    &e[ruleset_turn(l->rs, l->s, l->lag)] : &e[i],
			    l->turns ? i : e[i].key, false);
	mnl_attr_nest_end(nlh, list);
}

/* The set of a rule comes before the rule that it is bound to. For the hash
 * the turns are the ranges that they are made from: there may be thousands.
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

/* A set's number in the transaction: each statement may have one. */
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

static void put_statement(struct nlmsghdr *nlh, const struct ruleset *rs,
			  const struct ruleset_statement *s, bool numbered)
{
	if (!s->count) {
		put_simple(nlh, rs, s);
		return;
	}
	load_key(nlh, rs, s);
	if (ruleset_has_set(s))
		put_set_lookup(nlh, s, set_id(rs, s, numbered));
	else
		compare_one(nlh, s, &rs->element[s->first]);
}

static void put_rule(struct nlmsghdr *nlh, const struct ruleset *rs,
		     const struct ruleset_rule *r, bool numbered)
{
	const struct ruleset_statement *s = &rs->statement[r->first];
	const struct ruleset_statement *end = s + r->count, *p;
	bool rejects = false, ipv4 = false;
	struct nlattr *list;

	put_text(nlh, NFTA_RULE_TABLE, RULESET_TABLE);
	put_text(nlh, NFTA_RULE_CHAIN, rs->chain[r->chain].name);
	list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	for (p = s; p < end; p++) {
		ipv4 = ipv4 || needs_ipv4(p);
		rejects = rejects || p->kind == DO_REJECT;
	}
	if (rejects && !ipv4)
		only_ipv4(nlh);
	for (; s < end; s++) {
		if (ipv4 && needs_ipv4(s)) {
			only_ipv4(nlh);
			ipv4 = false;
		}
		put_statement(nlh, rs, s, numbered);
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

/* By members: what lies between them may be anything. */
uint64_t nftmsg_digest(const struct ruleset *rs)
{
	uint64_t h = fold_text(nftmsg_fold_start, MWAN_VERSION);
	unsigned int i;

	h = nftmsg_fold(h, rs->n_chains | (uint64_t)rs->n_rules << 32);
	h = nftmsg_fold(h, rs->n_statements | (uint64_t)rs->n_elements << 32);
	h = nftmsg_fold(h, rs->sticky);
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
	}
	for (i = 0; i < rs->n_elements; i++) {
		const struct ruleset_element *e = &rs->element[i];

		h = fold_text(h, e->name);
		h = nftmsg_fold(h, e->key | (uint64_t)e->last << 32);
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
		put32(nlh, NFTA_CHAIN_POLICY, NF_ACCEPT);
		hook = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
		put32(nlh, NFTA_HOOK_HOOKNUM, c->hook);
		put32(nlh, NFTA_HOOK_PRIORITY, (uint32_t)c->priority);
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
		put32(nlh, NFTA_TABLE_FLAGS, 0);
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
		put32(nlh, NFNL_BATCH_GENID, *generation);
	nl_end(o->batch, nlh);
	return 0;
}
