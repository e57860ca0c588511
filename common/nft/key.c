// SPDX-License-Identifier: MIT
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>

#include "nft/key.h"

enum {
	/* Offsets in the headers of IPv4, IPv6, TCP and UDP alike, and TCP. */
	IPV4_SADDR = 12, IPV4_DADDR = 16,
	IPV6_SADDR = 8, IPV6_DADDR = 24,
	SPORT = 0, DPORT = 2,
	TCP_FLAGS = 13,
	TCP_SYN = 0x02, TCP_SYN_RST = 0x06,
	/* enum ip_conntrack_info's IP_CT_NEW as a bit of ct state. */
	STATE_NEW = 8,
};

#define ADDRESS(offset) .from = FROM_NETWORK, .number = (offset), \
	.type = TYPE_IPV4, .len = 4, .network = true, .family = NFPROTO_IPV4
#define ADDRESS6(offset) .from = FROM_NETWORK, .number = (offset), \
	.type = TYPE_IPV6, .len = 16, .network = true, .family = NFPROTO_IPV6
#define PORT(offset) .from = FROM_TRANSPORT, .number = (offset), \
	.type = TYPE_SERVICE, .len = 2, .network = true
#define LOCAL(flags) .from = FROM_FIB, .number = NFTA_FIB_F_SADDR | (flags), \
	.len = 4, .constant = "local", .value = RTN_LOCAL

static const struct key keys[KEYS] = {
	[KEY_IPV4] = { "meta nfproto", .from = FROM_META,
		.number = NFT_META_NFPROTO, .len = 1,
		.constant = "ipv4", .value = NFPROTO_IPV4 },
	[KEY_IPV6] = { "meta nfproto", .from = FROM_META,
		.number = NFT_META_NFPROTO, .len = 1,
		.constant = "ipv6", .value = NFPROTO_IPV6 },
	[KEY_IIFNAME] = { "iifname", .from = FROM_META,
		.number = NFT_META_IIFNAME, .type = TYPE_IFNAME,
		.len = IFNAMSIZ },
	[KEY_OIFNAME] = { "oifname", .from = FROM_META,
		.number = NFT_META_OIFNAME, .type = TYPE_IFNAME,
		.len = IFNAMSIZ },
	[KEY_NEW] = { "ct state", .from = FROM_CT, .number = NFT_CT_STATE,
		.len = 4, .constant = "new", .value = STATE_NEW,
		.bits = true },
	[KEY_REPLY] = { "ct direction", .from = FROM_CT,
		.number = NFT_CT_DIRECTION, .len = 1,
		.constant = "reply", .value = IP_CT_DIR_REPLY },
	[KEY_ORIGINAL] = { "ct direction", .from = FROM_CT,
		.number = NFT_CT_DIRECTION, .len = 1,
		.constant = "original", .value = IP_CT_DIR_ORIGINAL },
	[KEY_SNAT] = { "ct status", .from = FROM_CT, .number = NFT_CT_STATUS,
		.len = 4, .constant = "snat", .value = IPS_SRC_NAT,
		.bits = true },
	[KEY_BARE] = { "ct status", .from = FROM_CT, .number = NFT_CT_STATUS,
		.len = 4, .constant = "confirmed / confirmed,snat,dnat",
		.value = IPS_CONFIRMED,
		.mask = IPS_CONFIRMED | IPS_SRC_NAT | IPS_DST_NAT },
	[KEY_META_MARK] = { "meta mark", .from = FROM_META,
		.number = NFT_META_MARK, .type = TYPE_MARK, .len = 4 },
	[KEY_CT_MARK] = { "ct mark", .from = FROM_CT, .number = NFT_CT_MARK,
		.type = TYPE_MARK, .len = 4 },
	[KEY_PRIORITY] = { "meta priority", .from = FROM_META,
		.number = NFT_META_PRIORITY, .type = TYPE_CLASS, .len = 4 },
	[KEY_IPSEC] = { "rt ipsec", .from = FROM_RT, .number = NFT_RT_XFRM,
		.len = 1, .constant = "missing", .value = 0 },
	[KEY_LOCAL] = { "fib saddr type", LOCAL(0) },
	[KEY_LOCAL_OIF] = { "fib saddr . oif type", LOCAL(NFTA_FIB_F_OIF) },
	[KEY_SYN] = { "tcp flags", .from = FROM_TCP, .number = TCP_FLAGS,
		.len = 1, .constant = "syn / syn,rst", .value = TCP_SYN,
		.mask = TCP_SYN_RST },
	[KEY_SADDR] = { "ip saddr", ADDRESS(IPV4_SADDR) },
	[KEY_DADDR] = { "ip daddr", ADDRESS(IPV4_DADDR) },
	[KEY_SADDR6] = { "ip6 saddr", ADDRESS6(IPV6_SADDR) },
	[KEY_DADDR6] = { "ip6 daddr", ADDRESS6(IPV6_DADDR) },
	[KEY_TUPLE6] = { "ip6 saddr . ip6 daddr . th sport . th dport . meta "
		"l4proto", .from = FROM_TUPLE, .family = NFPROTO_IPV6 },
	[KEY_PROTOCOL] = { "meta l4proto", .from = FROM_META,
		.number = NFT_META_L4PROTO, .type = TYPE_PROTOCOL, .len = 1,
		.network = true },
	[KEY_PORTS_OF] = { NULL, .from = FROM_META,
		.number = NFT_META_L4PROTO, .type = TYPE_PROTOCOL, .len = 1,
		.network = true },
	[KEY_SPORT] = { "sport", PORT(SPORT) },
	[KEY_DPORT] = { "dport", PORT(DPORT) },
	[KEY_HASH] = { "jhash ip saddr", .from = FROM_HASH,
		.type = TYPE_INTEGER, .len = 4, .family = NFPROTO_IPV4 },
	[KEY_FLOW] = { "jhash ip saddr . ip daddr . ip protocol . th sport . "
		"th dport", .from = FROM_HASH, .type = TYPE_INTEGER, .len = 4,
		.family = NFPROTO_IPV4 },
	[KEY_HASH6] = { "jhash ip6 saddr", .from = FROM_HASH,
		.type = TYPE_INTEGER, .len = 4, .family = NFPROTO_IPV6 },
	[KEY_FLOW6] = { "jhash ip6 saddr . ip6 daddr . meta l4proto . th sport "
		". th dport", .from = FROM_HASH, .type = TYPE_INTEGER,
		.len = 4, .family = NFPROTO_IPV6 },
	[KEY_RANDOM] = { "numgen random", .from = FROM_NUMGEN,
		.number = NFT_NG_RANDOM, .type = TYPE_INTEGER, .len = 4 },
	[KEY_TURNS] = { "numgen inc", .from = FROM_NUMGEN,
		.number = NFT_NG_INCREMENTAL, .type = TYPE_INTEGER, .len = 4 },
};

const struct key *key_of(unsigned int kind)
{
	return &keys[kind & KEY_MASK];
}
