// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "copy/rtmsg.h"
#include "kernel/nl.h"

enum {
	/* IP6_RT_PRIO_USER (linux/ipv6_route.h): what the kernel makes of
	 * metric 0 in a request. Only its own routes in table local have 0.
	 */
	PRIO_USER_V6 = 1024,
	/* The kernel counts expiry in USER_HZ for user space, which is 100 on
	 * every architecture but alpha and ia64.
	 */
	TICKS = 100,
	EXPIRY_TOLERANCE = 2,	/* seconds */
	/* What belongs to the route; DEAD, LINKDOWN, OFFLOAD, UNRESOLVED, TRAP
	 * and the RTM_F_* are reports.
	 */
	FLAGS = RTNH_F_ONLINK | RTNH_F_PERVASIVE,
	ATTR_U32 = sizeof(struct nlattr) + sizeof(uint32_t),
};

static size_t align(size_t len)
{
	return (len + NLMSG_ALIGNTO - 1) & ~(size_t)(NLMSG_ALIGNTO - 1);
}

static uint16_t type_of(const struct nlattr *a)
{
	return (uint16_t)(a->nla_type & NLA_TYPE_MASK);
}

/* The attribute after @a (NULL: the first), NULL after the last. A million
 * routes are ten million attributes: libmnl's loop, a call for each, took a
 * third of the time that is not the kernel's.
 */
static inline const struct nlattr *next(const struct nlmsghdr *nlh,
					const struct nlattr *a)
{
	const char *end = (const char *)nlh + nlh->nlmsg_len;
	const char *at = a ? (const char *)a + align(a->nla_len) :
			 (const char *)(nlh + 1) + sizeof(struct rtmsg);

	a = (const void *)at;
	if (end - at < (ptrdiff_t)sizeof(*a) || a->nla_len < sizeof(*a) ||
	    end - at < a->nla_len)
		return NULL;
	return a;
}

uint32_t rtmsg_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint32_t)ts.tv_sec;
}

const struct rtmsg *rtmsg_head(const struct nlmsghdr *nlh)
{
	return mnl_nlmsg_get_payload(nlh);
}

const struct nlattr *rtmsg_attr(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *a;

	for (a = next(nlh, NULL); a; a = next(nlh, a))
		if (type_of(a) == type)
			return a;
	return NULL;
}

uint32_t rtmsg_table(const struct nlmsghdr *in, uint8_t *family)
{
	const struct nlattr *a;

	*family = 0;
	if (mnl_nlmsg_get_payload_len(in) < sizeof(struct rtmsg))
		return 0;
	*family = rtmsg_head(in)->rtm_family;
	a = rtmsg_attr(in, RTA_TABLE);
	return a ? nl_u32(a) : rtmsg_head(in)->rtm_table;
}

/* Append an attribute of another message; the padding is zero, so that equal
 * routes are equal bytes.
 */
static struct nlattr *put(struct nlmsghdr *nlh, const struct nlattr *a)
{
	char *tail = (char *)nlh + nlh->nlmsg_len;
	size_t len = align(a->nla_len);

	/* The padding, if any, lies in the last four bytes. */
	memset(tail + len - NLMSG_ALIGNTO, 0, NLMSG_ALIGNTO);
	memcpy(tail, a, a->nla_len);
	nlh->nlmsg_len += (uint32_t)len;
	return (void *)tail;
}

#define BIT(type) (1ULL << (type))

/* Reports about the moment, or about a decision, but not of the route. */
static bool is_report(uint16_t type)
{
	const uint64_t reports = BIT(RTA_TABLE) | BIT(RTA_CACHEINFO) |
				 BIT(RTA_EXPIRES) | BIT(RTA_IIF) |
				 BIT(RTA_MFC_STATS) | BIT(RTA_UID);

	return type < 64 && (reports & BIT(type));
}

/* What the kernel fills in from the nexthop object, and refuses beside it. */
static bool is_nexthops(uint16_t type)
{
	const uint64_t nexthops = BIT(RTA_OIF) | BIT(RTA_GATEWAY) |
				  BIT(RTA_VIA) | BIT(RTA_MULTIPATH) |
				  BIT(RTA_ENCAP) | BIT(RTA_ENCAP_TYPE) |
				  BIT(RTA_FLOW);

	return type < 64 && (nexthops & BIT(type));
}

static void clean_legs(struct nlattr *multipath)
{
	struct rtnexthop *leg = mnl_attr_get_payload(multipath);
	int left = mnl_attr_get_payload_len(multipath);

	while (RTNH_OK(leg, left)) {
		leg->rtnh_flags &= FLAGS;
		left -= RTNH_ALIGN(leg->rtnh_len);
		leg = RTNH_NEXT(leg);
	}
}

/* The second in which the route expires; 0: never; UINT32_MAX: it has. */
static uint32_t deadline(const struct nlattr *cacheinfo, uint32_t now)
{
	struct rta_cacheinfo ci;

	if (!cacheinfo || mnl_attr_get_payload_len(cacheinfo) < sizeof(ci))
		return 0;
	memcpy(&ci, mnl_attr_get_payload(cacheinfo), sizeof(ci));
	if (!ci.rta_expires)
		return 0;
	if (ci.rta_expires < 0)
		return UINT32_MAX;
	return now + ((uint32_t)ci.rta_expires + TICKS - 1) / TICKS;
}

/* Note what @a says about the key. */
static void add_to_key(struct rtmsg_key *k, const struct nlattr *a)
{
	size_t len = a->nla_len - sizeof(*a);
	uint8_t *to;

	switch (type_of(a)) {
	case RTA_PRIORITY:
		k->priority = nl_u32(a);
		return;
	case RTA_DST:
		to = k->dst;
		break;
	case RTA_SRC:
		to = k->src;
		break;
	default:
		return;
	}
	memcpy(to, a + 1, len < sizeof(k->dst) ? len : sizeof(k->dst));
}

static void begin_key(struct rtmsg_key *k, const struct rtmsg *r)
{
	memset(k, 0, sizeof(*k));
	k->family = r->rtm_family;
	k->dst_len = r->rtm_dst_len;
	k->src_len = r->rtm_src_len;
	k->tos = r->rtm_tos;
}

void rtmsg_key(const struct nlmsghdr *nlh, struct rtmsg_key *k)
{
	const struct nlattr *a;

	begin_key(k, rtmsg_head(nlh));
	for (a = next(nlh, NULL); a; a = next(nlh, a))
		add_to_key(k, a);
}

/* The header of the normalised message, with RTA_TABLE. */
static void begin(struct nlmsghdr *nlh, const struct nlmsghdr *in,
		  uint32_t table, bool nexthop_object)
{
	struct rtmsg *r = (void *)(nlh + 1);

	*nlh = (struct nlmsghdr){ .nlmsg_len = sizeof(*nlh) + sizeof(*r),
				  .nlmsg_type = RTM_NEWROUTE,
				  .nlmsg_flags = NLM_F_REQUEST };
	*r = *rtmsg_head(in);
	r->rtm_flags &= nexthop_object ? 0 : FLAGS;
	/* Ids beyond 255 do not fit, and RTA_TABLE counts anyway. */
	r->rtm_table = RT_TABLE_UNSPEC;
	/* The type that the kernel shows is the nexthop object's. */
	if (nexthop_object && r->rtm_type == RTN_BLACKHOLE)
		r->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(nlh, RTA_TABLE, table);
}

int rtmsg_normalise(const struct nlmsghdr *in, uint32_t table, uint32_t now,
		    void *out, struct rtmsg_key *key)
{
	const struct nlattr *a, *cacheinfo = NULL, *last = NULL;
	struct nlattr *copy;
	const uint32_t metric = PRIO_USER_V6;
	const bool nhid = rtmsg_attr(in, RTA_NH_ID);
	struct nlmsghdr *nlh = out;
	const char *end;
	bool v6;

	if (in->nlmsg_len < sizeof(*in) + sizeof(struct rtmsg) ||
	    in->nlmsg_len > RTMSG_MAX - 64)
		return -EBADMSG;
	if (rtmsg_head(in)->rtm_flags & RTM_F_CLONED)
		return 0;
	begin(nlh, in, table, nhid);
	begin_key(key, rtmsg_head(in));
	v6 = key->family == AF_INET6;
	for (a = next(in, NULL); a; last = a, a = next(in, a)) {
		uint16_t type = type_of(a);

		if (type == RTA_CACHEINFO)
			cacheinfo = a;
		if (is_report(type) || (nhid && is_nexthops(type)))
			continue;
		copy = put(nlh, a);
		if (type == RTA_MULTIPATH)
			clean_legs(copy);
		if (type == RTA_PRIORITY && v6 && !nl_u32(copy))
			memcpy(copy + 1, &metric, sizeof(metric));
		add_to_key(key, copy);
	}
	/* The rest is no attribute. */
	end = last ? (const char *)last + align(last->nla_len) :
		     (const char *)(in + 1) + sizeof(struct rtmsg);
	if ((const char *)in + in->nlmsg_len > end)
		return -EBADMSG;
	/* IPv4 routes do not expire, though they may say something here. */
	if (v6)
		nlh->nlmsg_pid = deadline(cacheinfo, now);
	if (nlh->nlmsg_pid == UINT32_MAX)
		return 0;
	if (nlh->nlmsg_pid)
		mnl_attr_put_u32(nlh, RTA_EXPIRES, nlh->nlmsg_pid - now);
	return (int)align(nlh->nlmsg_len);
}

/* Compare the first @bits of two addresses. */
static int cmp_bits(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int bytes = bits / 8;
	int d = memcmp(a, b, bytes), mask;

	if (d || !(bits % 8))
		return d;
	mask = 0xff << (8 - bits % 8);
	return (a[bytes] & mask) - (b[bytes] & mask);
}

int rtmsg_key_cmp(const struct rtmsg_key *a, const struct rtmsg_key *b)
{
	unsigned int bits = a->dst_len < b->dst_len ? a->dst_len : b->dst_len;
	int d;

	if (a->family != b->family)
		return a->family - b->family;
	d = cmp_bits(a->dst, b->dst, a->family == AF_INET ? 32 : bits);
	if (!d)
		d = b->dst_len - a->dst_len;
	if (!d)
		d = b->src_len - a->src_len;
	if (!d)
		d = memcmp(a->src, b->src, sizeof(a->src));
	if (!d)
		d = b->tos - a->tos;
	if (!d)
		d = (a->priority > b->priority) - (a->priority < b->priority);
	return d;
}

/* How many legs of @multipath are byte by byte like @leg? */
static unsigned int count_legs(const struct nlattr *multipath,
			       const struct rtnexthop *leg)
{
	const struct rtnexthop *l = mnl_attr_get_payload(multipath);
	int left = mnl_attr_get_payload_len(multipath);
	unsigned int n = 0;

	while (RTNH_OK(l, left)) {
		n += l->rtnh_len == leg->rtnh_len &&
		     !memcmp(l, leg, leg->rtnh_len);
		left -= RTNH_ALIGN(l->rtnh_len);
		l = RTNH_NEXT(l);
	}
	return n;
}

/* Legs that end before their attribute are like none: they would be compared by
 * one side's alone.
 */
static bool same_legs(const struct nlattr *a, const struct nlattr *b)
{
	const struct rtnexthop *l = mnl_attr_get_payload(a);
	int left = mnl_attr_get_payload_len(a);

	if (a->nla_len != b->nla_len)
		return false;
	while (RTNH_OK(l, left)) {
		if (count_legs(a, l) != count_legs(b, l))
			return false;
		left -= RTNH_ALIGN(l->rtnh_len);
		l = RTNH_NEXT(l);
	}
	return left <= 0;
}

/* Two messages of one length that differ somewhere: in the order of their legs
 * only?
 */
static bool same_but_for_order(const struct nlmsghdr *a,
			       const struct nlmsghdr *b, size_t len)
{
	const struct nlattr *la = rtmsg_attr(a, RTA_MULTIPATH);
	const struct nlattr *lb = rtmsg_attr(b, RTA_MULTIPATH);
	size_t at, behind;

	if (rtmsg_head(a)->rtm_family != AF_INET6 || !la || !lb)
		return false;
	at = (size_t)((const char *)la - (const char *)a);
	if ((size_t)((const char *)lb - (const char *)b) != at ||
	    memcmp(rtmsg_head(a), rtmsg_head(b), at - sizeof(*a)) != 0)
		return false;
	behind = at + align(la->nla_len);
	return same_legs(la, lb) &&
	       !memcmp((const char *)a + behind, (const char *)b + behind,
		       len - behind);
}

bool rtmsg_equal(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	size_t len = a->nlmsg_len;
	uint32_t ea = a->nlmsg_pid, eb = b->nlmsg_pid;

	if (len != b->nlmsg_len || !ea != !eb)
		return false;
	if (ea > eb + EXPIRY_TOLERANCE || eb > ea + EXPIRY_TOLERANCE)
		return false;
	if (ea)
		len -= ATTR_U32;
	return !memcmp(rtmsg_head(a), rtmsg_head(b),
		       len - sizeof(*a)) ||
	       same_but_for_order(a, b, len);
}

bool rtmsg_has_gateway(const struct nlmsghdr *nlh)
{
	const uint64_t any = BIT(RTA_GATEWAY) | BIT(RTA_VIA) |
			     BIT(RTA_MULTIPATH);
	const struct nlattr *a;

	for (a = next(nlh, NULL); a; a = next(nlh, a))
		if (type_of(a) < 64 && (any & BIT(type_of(a))))
			return true;
	return false;
}

bool rtmsg_is_leg(const struct nlmsghdr *nlh)
{
	return rtmsg_head(nlh)->rtm_family == AF_INET6 &&
	       (rtmsg_attr(nlh, RTA_GATEWAY) ||
		rtmsg_attr(nlh, RTA_MULTIPATH));
}

/* Both are there and say different things. */
static bool differ(const struct nlattr *a, const struct nlattr *b)
{
	return a && b && (a->nla_len != b->nla_len ||
			  memcmp(a, b, a->nla_len) != 0);
}

bool rtmsg_mistakable(const struct nlmsghdr *u, const struct nlmsghdr *k)
{
	const struct rtmsg *ru = rtmsg_head(u), *rk = rtmsg_head(k);
	const struct nlattr *src;

	if (ru->rtm_protocol && ru->rtm_protocol != rk->rtm_protocol)
		return false;
	if (ru->rtm_family == AF_INET) {
		if (ru->rtm_type != rk->rtm_type &&
		    !rtmsg_attr(u, RTA_NH_ID) && !rtmsg_attr(k, RTA_NH_ID))
			return false;
		src = rtmsg_attr(u, RTA_PREFSRC);
		if (src && (!rtmsg_attr(k, RTA_PREFSRC) ||
			    differ(src, rtmsg_attr(k, RTA_PREFSRC))))
			return false;
	}
	/* A gateway is not found in a route that has none. */
	if (rtmsg_is_leg(u) && !rtmsg_is_leg(k) && !rtmsg_attr(k, RTA_NH_ID))
		return false;
	return !differ(rtmsg_attr(u, RTA_NH_ID), rtmsg_attr(k, RTA_NH_ID)) &&
	       !differ(rtmsg_attr(u, RTA_OIF), rtmsg_attr(k, RTA_OIF)) &&
	       !differ(rtmsg_attr(u, RTA_GATEWAY), rtmsg_attr(k, RTA_GATEWAY));
}

/* Append the leg or legs of @in to the multipath attribute that ends @nlh. */
static int put_legs(struct nlmsghdr *nlh, size_t size,
		    const struct nlmsghdr *in)
{
	const struct nlattr *a = rtmsg_attr(in, RTA_MULTIPATH);
	char *tail = mnl_nlmsg_get_payload_tail(nlh);
	struct rtnexthop leg = { .rtnh_len = sizeof(leg) };
	size_t len = sizeof(leg), room = size - nlh->nlmsg_len;

	if (a) {
		len = mnl_attr_get_payload_len(a);
		if (len > room)
			return -EMSGSIZE;
		memcpy(tail, mnl_attr_get_payload(a), len);
		nlh->nlmsg_len += (uint32_t)align(len);
		return 0;
	}
	if (in->nlmsg_len + sizeof(leg) > room)
		return -EMSGSIZE;
	for (a = next(in, NULL); a; a = next(in, a)) {
		uint16_t type = type_of(a);

		if (type != RTA_GATEWAY && type != RTA_ENCAP &&
		    type != RTA_ENCAP_TYPE)
			continue;
		memcpy(tail + len, a, align(a->nla_len));
		len += align(a->nla_len);
	}
	leg.rtnh_len = (unsigned short)len;
	leg.rtnh_flags = (unsigned char)rtmsg_head(in)->rtm_flags;
	leg.rtnh_ifindex = (int)nl_u32(rtmsg_attr(in, RTA_OIF));
	memcpy(tail, &leg, sizeof(leg));
	nlh->nlmsg_len += (uint32_t)len;
	return 0;
}

/* The sooner of two deadlines, of which 0 is never. */
static uint32_t sooner(uint32_t a, uint32_t b)
{
	return !a || (b && b < a) ? b : a;
}

int rtmsg_join(const struct nlmsghdr *a, const struct nlmsghdr *b, void *out,
	       size_t size)
{
	struct nlmsghdr *nlh = out;
	struct nlattr *nest = NULL;
	const struct nlattr *x;
	struct rtmsg *r;

	if (a->nlmsg_len + b->nlmsg_len + sizeof(struct nlattr) > size)
		return -EMSGSIZE;
	*nlh = *a;
	nlh->nlmsg_len = sizeof(*nlh);
	nlh->nlmsg_pid = sooner(a->nlmsg_pid, b->nlmsg_pid);
	r = mnl_nlmsg_put_extra_header(nlh, sizeof(*r));
	*r = *rtmsg_head(a);
	r->rtm_flags = 0;
	for (x = next(a, NULL); x; x = next(a, x)) {
		uint16_t type = type_of(x);

		if (type == RTA_EXPIRES || (nest && is_nexthops(type)))
			continue;
		if (is_nexthops(type)) {
			/* Where the kernel's dumps have it, so that the two
			 * can be compared, and without NLA_F_NESTED.
			 */
			nest = mnl_attr_nest_start(nlh, RTA_MULTIPATH);
			if (put_legs(nlh, size, a) || put_legs(nlh, size, b))
				return -EMSGSIZE;
			mnl_attr_nest_end(nlh, nest);
			nest->nla_type = RTA_MULTIPATH;
			continue;
		}
		put(nlh, x);
	}
	if (nlh->nlmsg_pid)
		mnl_attr_put_u32(nlh, RTA_EXPIRES, 1);
	return (int)align(nlh->nlmsg_len);
}

void rtmsg_keep_first_leg(struct nlmsghdr *nlh)
{
	const struct nlattr *found = rtmsg_attr(nlh, RTA_MULTIPATH);
	const struct rtnexthop *leg;
	struct nlattr *a;
	size_t at, cut;
	char *end;

	if (!found)
		return;
	at = (size_t)((const char *)found - (const char *)nlh);
	a = (void *)((char *)nlh + at);
	leg = mnl_attr_get_payload(a);
	if (!RTNH_OK(leg, (int)mnl_attr_get_payload_len(a)))
		return;
	end = (char *)leg + RTNH_ALIGN(leg->rtnh_len);
	cut = (size_t)((char *)a + align(a->nla_len) - end);
	memmove(end, end + cut, nlh->nlmsg_len - (size_t)(end - (char *)nlh) -
		cut);
	a->nla_len = (uint16_t)(end - (char *)a);
	nlh->nlmsg_len -= (uint32_t)cut;
}
