// SPDX-License-Identifier: MIT
/* Routes cut short and damaged on their way: whatever arrives, normalising,
 * comparing, joining and printing stay within the message. To be run with the
 * address sanitizer; every message lies in heap of exactly its length.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/lwtunnel.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "copy/route_command.h"
#include "copy/rtmsg.h"
#include "unit.h"

static unsigned int used, bad;

static void check(bool good)
{
	bad += !good;
}

static char sample[4096] __attribute__((aligned(8)));

static struct nlmsghdr *begin(uint8_t family)
{
	struct nlmsghdr *nlh;
	struct rtmsg *r;

	memset(sample, 0, sizeof(sample));
	nlh = mnl_nlmsg_put_header(sample);
	nlh->nlmsg_type = RTM_NEWROUTE;
	r = mnl_nlmsg_put_extra_header(nlh, sizeof(*r));
	r->rtm_family = family;
	r->rtm_dst_len = 24;
	r->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(nlh, RTA_TABLE, 77);
	return nlh;
}

static void put_leg(struct nlmsghdr *nlh, const void *gateway, size_t len)
{
	struct rtnexthop *leg = mnl_nlmsg_get_payload_tail(nlh);

	nlh->nlmsg_len += sizeof(*leg);
	leg->rtnh_ifindex = 1;
	mnl_attr_put(nlh, RTA_GATEWAY, len, gateway);
	leg->rtnh_len = (unsigned short)((char *)
		mnl_nlmsg_get_payload_tail(nlh) - (char *)leg);
}

/* A route with everything that has an inside. */
static struct nlmsghdr *rich(uint8_t family)
{
	static const uint8_t address[16] = { 0x20, 1, 0xd, 0xb8 };
	size_t len = family == AF_INET6 ? 16 : 4;
	struct nlmsghdr *nlh = begin(family);
	struct rta_cacheinfo ci = { .rta_expires = 50000 };
	struct nlattr *nest;
	int i;

	mnl_attr_put(nlh, RTA_DST, len, address);
	mnl_attr_put_u32(nlh, RTA_PRIORITY, 7);
	nest = mnl_attr_nest_start(nlh, RTA_METRICS);
	mnl_attr_put_u32(nlh, RTAX_MTU, 1400);
	mnl_attr_put_strz(nlh, RTAX_CC_ALGO, "reno");
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put(nlh, RTA_PREFSRC, len, address);
	nest = mnl_attr_nest_start(nlh, RTA_MULTIPATH);
	for (i = 0; i < 3; i++)
		put_leg(nlh, address, len);
	mnl_attr_nest_end(nlh, nest);
	nest->nla_type = RTA_MULTIPATH;
	mnl_attr_put(nlh, RTA_CACHEINFO, sizeof(ci), &ci);
	return nlh;
}

static struct nlmsghdr *encapsulated(uint16_t kind)
{
	static const uint8_t bytes[40] = { 1, 0, 0, 0, 0, 2, 4, 0, 1 };
	struct nlmsghdr *nlh = begin(AF_INET6);
	struct nlattr *nest = mnl_attr_nest_start(nlh, RTA_ENCAP);
	uint16_t i;

	for (i = 1; i <= LWTUNNEL_IP_MAX; i++)
		mnl_attr_put(nlh, i, 1 + (i * 7U) % sizeof(bytes), bytes);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u16(nlh, RTA_ENCAP_TYPE, kind);
	return nlh;
}

/* Everything that is done to a route, to a copy of just @len bytes. Returns
 * what normalising says.
 */
static int use(const void *bytes, size_t len)
{
	static char out[RTMSG_MAX] __attribute__((aligned(8)));
	static char joined[RTMSG_MAX] __attribute__((aligned(8)));
	static char text[RTTEXT_MAX];
	struct nlmsghdr *in = malloc(len), *nlh = (void *)out;
	struct rtmsg_key key, again;
	uint8_t family;
	int code;

	memcpy(in, bytes, len);
	in->nlmsg_len = (uint32_t)len;
	rtmsg_table(in, &family);
	used++;
	code = rtmsg_normalise(in, 78, 1000, out, &key);
	free(in);
	if (code <= 0)
		return code;
	rtmsg_key(nlh, &again);
	check(!rtmsg_key_cmp(&key, &again));
	check(rtmsg_equal(nlh, nlh));
	rttext(nlh, text, sizeof(text));
	rtmsg_join(nlh, nlh, joined, sizeof(joined));
	rtmsg_mistakable(nlh, nlh);
	rtmsg_keep_first_leg(nlh);
	rttext_route(nlh, text, sizeof(text));
	return code;
}

static void cut(const struct nlmsghdr *nlh)
{
	size_t len;

	check(use(nlh, nlh->nlmsg_len) > 0);
	for (len = sizeof(*nlh); len < nlh->nlmsg_len; len++)
		use(nlh, len);
	/* In the header, the first attribute, and the last one, of which two
	 * bytes can be padding.
	 */
	check(use(nlh, sizeof(*nlh) + 4) == -EBADMSG);
	check(use(nlh, sizeof(*nlh) + sizeof(struct rtmsg) + 5) == -EBADMSG);
	check(use(nlh, nlh->nlmsg_len - 3) == -EBADMSG);
}

/* Every length and type in it, and all else, is wrong once. */
static void damage(const struct nlmsghdr *nlh)
{
	static const uint8_t wrong[] = { 0, 1, 3, 4, 5, 0x7f, 0x80, 0xff };
	size_t len = nlh->nlmsg_len, at, i;
	char *bytes = (char *)nlh;

	for (at = sizeof(*nlh); at < len; at++) {
		for (i = 0; i < sizeof(wrong); i++) {
			char was = bytes[at];

			bytes[at] = (char)wrong[i];
			use(nlh, len);
			bytes[at] = was;
		}
	}
}

/* @f with each kind of route. */
static void all(void (*f)(const struct nlmsghdr *nlh), const char *what)
{
	uint16_t kind;

	used = bad = 0;
	f(rich(AF_INET));
	f(rich(AF_INET6));
	for (kind = 0; kind <= LWTUNNEL_ENCAP_MAX; kind++)
		f(encapsulated(kind));
	ok(used && !bad, "%s: %u messages, nothing read beyond any", what,
	   used);
}

int main(void)
{
	all(cut, "cut at every byte");
	all(damage, "damaged at every byte");
	return done();
}
