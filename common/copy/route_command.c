// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <linux/lwtunnel.h>
#include <linux/mpls_iptunnel.h>
#include <linux/rtnetlink.h>
#include <linux/seg6_iptunnel.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "copy/route_command.h"
#include "copy/rtmsg.h"
#include "kernel/nl.h"

/* The text so far. */
struct text {
	char *buf;
	size_t size;
	size_t len;
	bool unknown;		/* something has no words */
	bool full;
};

static void put(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->size - t->len) {
		t->full = true;
		t->buf[t->len] = '\0';
		return;
	}
	t->len += (size_t)n;
}

static void put_address(struct text *t, const char *word, int family,
			const void *bytes)
{
	char s[INET6_ADDRSTRLEN];

	if (inet_ntop(family, bytes, s, sizeof(s)))
		put(t, "%s%s", word, s);
}

/* The address in @a; its length tells the family. */
static void put_attr_address(struct text *t, const char *word,
			     const struct nlattr *a)
{
	if (!a)
		return;
	if (mnl_attr_get_payload_len(a) == 16)
		put_address(t, word, AF_INET6, mnl_attr_get_payload(a));
	else if (mnl_attr_get_payload_len(a) == 4)
		put_address(t, word, AF_INET, mnl_attr_get_payload(a));
	else
		t->unknown = true;
}

static void put_prefix(struct text *t, const char *word, int family,
		       const struct nlattr *a, unsigned int len)
{
	static const uint8_t zero[16];

	if (!a && !len) {
		put(t, "%sdefault", word);
		return;
	}
	if (a && mnl_attr_get_payload_len(a) != (family == AF_INET ? 4 : 16)) {
		t->unknown = true;
		return;
	}
	put_address(t, word, family, a ? mnl_attr_get_payload(a) : zero);
	put(t, "/%u", len);
}

static void put_device(struct text *t, uint32_t ifindex)
{
	static char name[IF_NAMESIZE];
	static uint32_t last;

	if (!ifindex)
		return;
	/* Routes of one device mostly follow one another. */
	if (ifindex != last && !if_indextoname(ifindex, name))
		snprintf(name, sizeof(name), "if%u", ifindex);
	last = ifindex;
	if (!str_plain(name))
		t->unknown = true;
	put(t, " dev %s", name);
}

static void put_via(struct text *t, const struct nlattr *via)
{
	const struct rtvia *v = mnl_attr_get_payload(via);
	size_t len = mnl_attr_get_payload_len(via);

	if (len == sizeof(*v) + 16 && v->rtvia_family == AF_INET6)
		put_address(t, " via inet6 ", AF_INET6, v->rtvia_addr);
	else if (len == sizeof(*v) + 4 && v->rtvia_family == AF_INET)
		put_address(t, " via inet ", AF_INET, v->rtvia_addr);
	else
		t->unknown = true;
}

static void put_realms(struct text *t, const struct nlattr *flow)
{
	uint32_t realms = nl_u32(flow);

	if (!realms)
		return;
	put(t, " realms ");
	if (realms >> 16)
		put(t, "%u/", realms >> 16);
	put(t, "%u", realms & 0xffff);
}

static void encap_mpls(struct text *t, const struct nlattr **tb)
{
	const struct nlattr *dst = tb[MPLS_IPTUNNEL_DST];
	const uint32_t *label = dst ? mnl_attr_get_payload(dst) : NULL;
	size_t i, n = dst ? mnl_attr_get_payload_len(dst) / 4 : 0;

	put(t, " encap mpls ");
	for (i = 0; i < n; i++)
		put(t, "%s%u", i ? "/" : "", ntohl(label[i]) >> 12);
	if (tb[MPLS_IPTUNNEL_TTL])
		put(t, " ttl %u", nl_u8(tb[MPLS_IPTUNNEL_TTL]));
}

static uint64_t id64(const struct nlattr *a)
{
	const uint8_t *b = a ? mnl_attr_get_payload(a) : NULL;
	uint64_t id = 0;
	unsigned int i;

	for (i = 0; b && i < 8 && i < mnl_attr_get_payload_len(a); i++)
		id = id << 8 | b[i];
	return id;
}

/* LWTUNNEL_IP_* and LWTUNNEL_IP6_* have the same numbers. */
static void encap_ip(struct text *t, const struct nlattr **tb, bool v6)
{
	/* linux/if_tunnel.h's TUNNEL_* as the wire has them: big endian. */
	uint16_t flags = ntohs(nl_u16(tb[LWTUNNEL_IP_FLAGS]));

	put(t, " encap %s id %llu", v6 ? "ip6" : "ip",
	    (unsigned long long)id64(tb[LWTUNNEL_IP_ID]));
	put_attr_address(t, " src ", tb[LWTUNNEL_IP_SRC]);
	put_attr_address(t, " dst ", tb[LWTUNNEL_IP_DST]);
	put(t, " %s %u %s %u", v6 ? "hoplimit" : "ttl",
	    nl_u8(tb[LWTUNNEL_IP_TTL]), v6 ? "tc" : "tos",
	    nl_u8(tb[LWTUNNEL_IP_TOS]));
	if (flags & 0x01)
		put(t, " csum");
	if (flags & 0x04)
		put(t, " key");
	if (flags & 0x08)
		put(t, " seq");
	if (tb[LWTUNNEL_IP_OPTS])
		t->unknown = true;
}

static void encap_seg6(struct text *t, const struct nlattr **tb)
{
	static const char *const mode[] = { "inline", "encap", "l2encap",
					    "encap.red", "l2encap.red" };
	const struct nlattr *a = tb[SEG6_IPTUNNEL_SRH];
	const struct seg6_iptunnel_encap *e;
	const struct ipv6_sr_hdr *srh;
	size_t len = a ? mnl_attr_get_payload_len(a) : 0;
	int i, low;

	if (len < sizeof(*e) + sizeof(*srh)) {
		t->unknown = true;
		return;
	}
	e = mnl_attr_get_payload(a);
	srh = e->srh;
	if ((size_t)e->mode >= COUNT(mode) || sizeof(*e) + sizeof(*srh) +
	    ((size_t)srh->first_segment + 1) * 16 > len) {
		t->unknown = true;
		return;
	}
	/* The last segment of the inline mode is the packet's destination,
	 * which ip(8) adds by itself. Flags say that an HMAC follows.
	 */
	low = e->mode == SEG6_IPTUN_MODE_INLINE;
	put(t, " encap seg6 mode %s segs ", mode[e->mode]);
	for (i = srh->first_segment; i >= low; i--)
		put_address(t, i == srh->first_segment ? "" : ",", AF_INET6,
			    &srh->segments[i]);
	if (srh->flags)
		t->unknown = true;
}

static void put_encap(struct text *t, const struct nlattr *type,
		      const struct nlattr *encap)
{
	const struct nlattr *tb[LWTUNNEL_IP_MAX + 1];
	uint16_t kind = nl_u16(type);

	if (!encap)
		return;
	if (nl_nested(encap, tb, LWTUNNEL_IP_MAX)) {
		t->unknown = true;
		return;
	}
	if (kind == LWTUNNEL_ENCAP_MPLS)
		encap_mpls(t, tb);
	else if (kind == LWTUNNEL_ENCAP_IP || kind == LWTUNNEL_ENCAP_IP6)
		encap_ip(t, tb, kind == LWTUNNEL_ENCAP_IP6);
	else if (kind == LWTUNNEL_ENCAP_SEG6)
		encap_seg6(t, tb);
	else
		t->unknown = true;
}

static void put_legs(struct text *t, const struct nlattr *multipath)
{
	const struct rtnexthop *leg;
	const struct nlattr *tb[RTA_MAX + 1];
	struct nlattr nest;
	char buf[4096] __attribute__((aligned(8)));
	int left;

	if (!multipath)
		return;
	leg = mnl_attr_get_payload(multipath);
	left = mnl_attr_get_payload_len(multipath);
	while (RTNH_OK(leg, left)) {
		size_t len = leg->rtnh_len - sizeof(*leg);

		put(t, " nexthop");
		nest = (struct nlattr){ .nla_len =
					(uint16_t)(sizeof(nest) + len) };
		if (sizeof(nest) + len > sizeof(buf)) {
			t->unknown = true;
			return;
		}
		memcpy(buf, &nest, sizeof(nest));
		memcpy(buf + sizeof(nest), leg + 1, len);
		if (nl_nested((const void *)buf, tb, RTA_MAX))
			t->unknown = true;
		put_encap(t, tb[RTA_ENCAP_TYPE], tb[RTA_ENCAP]);
		put_attr_address(t, " via ", tb[RTA_GATEWAY]);
		if (tb[RTA_VIA])
			put_via(t, tb[RTA_VIA]);
		put_device(t, (uint32_t)leg->rtnh_ifindex);
		put(t, " weight %u", leg->rtnh_hops + 1);
		put_realms(t, tb[RTA_FLOW]);
		if (leg->rtnh_flags & RTNH_F_ONLINK)
			put(t, " onlink");
		if (leg->rtnh_flags & RTNH_F_PERVASIVE)
			put(t, " pervasive");
		left -= RTNH_ALIGN(leg->rtnh_len);
		leg = RTNH_NEXT(leg);
	}
}

static const char *const metric[RTAX_MAX + 1] = {
	[RTAX_MTU] = "mtu", [RTAX_WINDOW] = "window", [RTAX_RTT] = "rtt",
	[RTAX_RTTVAR] = "rttvar", [RTAX_SSTHRESH] = "ssthresh",
	[RTAX_CWND] = "cwnd", [RTAX_ADVMSS] = "advmss",
	[RTAX_REORDERING] = "reordering", [RTAX_HOPLIMIT] = "hoplimit",
	[RTAX_INITCWND] = "initcwnd", [RTAX_RTO_MIN] = "rto_min",
	[RTAX_INITRWND] = "initrwnd", [RTAX_QUICKACK] = "quickack",
	[RTAX_FASTOPEN_NO_COOKIE] = "fastopen_no_cookie",
};

static void put_metrics(struct text *t, const struct nlattr *nest)
{
	const struct nlattr *tb[RTAX_MAX + 1];
	uint32_t locked, v;
	const char *lock;
	unsigned int i;

	if (!nest)
		return;
	if (nl_nested(nest, tb, RTAX_MAX))
		t->unknown = true;
	locked = nl_u32(tb[RTAX_LOCK]);
	for (i = RTAX_LOCK + 1; i <= RTAX_MAX; i++) {
		if (!tb[i])
			continue;
		v = nl_u32(tb[i]);
		lock = locked & 1U << i ? " lock" : "";
		/* ip(8) locks rto_min by itself. A number without a unit is
		 * the kernel's own, for all of them.
		 */
		if (i == RTAX_RTO_MIN)
			put(t, " rto_min %ums", v);
		else if (i == RTAX_CC_ALGO && str_plain(nl_str(tb[i])))
			put(t, " congctl%s %s", lock, nl_str(tb[i]));
		else if (i == RTAX_FEATURES && !(v & ~1U))
			put(t, " features ecn");
		else if (metric[i])
			put(t, " %s%s %u", metric[i], lock, v);
		else
			t->unknown = true;
	}
}

static const char *const type_name[] = {
	[RTN_UNICAST] = "unicast", [RTN_LOCAL] = "local",
	[RTN_BROADCAST] = "broadcast", [RTN_ANYCAST] = "anycast",
	[RTN_MULTICAST] = "multicast",
	[RTN_BLACKHOLE] = "blackhole", [RTN_UNREACHABLE] = "unreachable",
	[RTN_PROHIBIT] = "prohibit", [RTN_THROW] = "throw",
};

/* IPv4 only: IPv6 has one scope. */
static void put_scope(struct text *t, unsigned int scope)
{
	switch (scope) {
	case RT_SCOPE_UNIVERSE:
		put(t, " scope global");
		break;
	case RT_SCOPE_LINK:
		put(t, " scope link");
		break;
	case RT_SCOPE_HOST:
		put(t, " scope host");
		break;
	default:
		put(t, " scope %u", scope);
	}
}

static void put_route(struct text *t, const struct nlmsghdr *nlh)
{
	static const char *const pref[] = { "medium", "high", "", "low" };
	const struct rtmsg *r = rtmsg_head(nlh);
	const struct nlattr *tb[RTA_MAX + 1];
	bool v6 = r->rtm_family == AF_INET6;

	if (nl_attrs(nlh, sizeof(*r), tb, RTA_MAX))
		t->unknown = true;
	/* No type: ip(8), too, then deletes a route of any. */
	if (r->rtm_type < COUNT(type_name) && type_name[r->rtm_type])
		put(t, "%s ", type_name[r->rtm_type]);
	else
		t->unknown = r->rtm_type != RTN_UNSPEC;
	put_prefix(t, "", r->rtm_family, tb[RTA_DST], r->rtm_dst_len);
	if (r->rtm_src_len)
		put_prefix(t, " from ", r->rtm_family, tb[RTA_SRC],
			   r->rtm_src_len);
	if (tb[RTA_NH_ID])
		put(t, " nhid %u", nl_u32(tb[RTA_NH_ID]));
	if (r->rtm_tos)
		put(t, " tos 0x%02x", r->rtm_tos);
	put_encap(t, tb[RTA_ENCAP_TYPE], tb[RTA_ENCAP]);
	put_attr_address(t, " via ", tb[RTA_GATEWAY]);
	if (tb[RTA_VIA])
		put_via(t, tb[RTA_VIA]);
	put_device(t, nl_u32(tb[RTA_OIF]));
	put(t, " proto %u", r->rtm_protocol);
	if (!v6)
		put_scope(t, r->rtm_scope);
	put_attr_address(t, " src ", tb[RTA_PREFSRC]);
	if (tb[RTA_PRIORITY])
		put(t, " metric %u", nl_u32(tb[RTA_PRIORITY]));
	if (r->rtm_flags & RTNH_F_ONLINK)
		put(t, " onlink");
	if (r->rtm_flags & RTNH_F_PERVASIVE)
		put(t, " pervasive");
	put_realms(t, tb[RTA_FLOW]);
	put_metrics(t, tb[RTA_METRICS]);
	if (tb[RTA_EXPIRES] && nlh->nlmsg_type == RTM_NEWROUTE)
		put(t, " expires %u", nl_u32(tb[RTA_EXPIRES]));
	if (tb[RTA_PREF] && nl_u8(tb[RTA_PREF]) < COUNT(pref))
		put(t, " pref %s", pref[nl_u8(tb[RTA_PREF])]);
	if (tb[RTA_TTL_PROPAGATE])
		put(t, " ttl-propagate %s",
		    nl_u8(tb[RTA_TTL_PROPAGATE]) ? "enabled" : "disabled");
	put(t, " table %u", nl_u32(tb[RTA_TABLE]));
	put_legs(t, tb[RTA_MULTIPATH]);
}

static const char *verb(const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_type == RTM_DELROUTE)
		return "del";
	if (nlh->nlmsg_flags & NLM_F_REPLACE)
		return "replace";
	return nlh->nlmsg_flags & NLM_F_EXCL ? "add" : "append";
}

static int finish(const struct text *t)
{
	if (t->full)
		return -ENOSPC;
	return t->unknown ? -ENOTSUP : 0;
}

int rttext(const struct nlmsghdr *nlh, char *buf, size_t size)
{
	struct text t = { .buf = buf, .size = size };

	put(&t, "ip -%d route %s ",
	    rtmsg_head(nlh)->rtm_family == AF_INET6 ? 6 : 4, verb(nlh));
	put_route(&t, nlh);
	return finish(&t);
}

int rttext_route(const struct nlmsghdr *nlh, char *buf, size_t size)
{
	struct text t = { .buf = buf, .size = size };

	put_route(&t, nlh);
	return finish(&t);
}
