// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <string.h>

#include "base/util.h"
#include "kernel/iface.h"

/* linux/if.h and net/if.h do not go together; this one is only in the first. */
#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP (1U << 16)
#endif

struct dump {
	uint32_t ifindex;	/* 0: any */
	iface_addr_cb cb;
	void *data;
};

int iface_put_get(struct nl_batch *b, struct nl *nl, const char *name)
{
	static const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct nlmsghdr *nlh = nl_put(b, nl, RTM_GETLINK, 0, &head,
				      sizeof(head), 64);

	if (!nlh)
		return -ENOSPC;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	/* The statistics are half of each answer. */
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	nl_end(b, nlh);
	return 0;
}

int iface_reply(const struct nlmsghdr *nlh, struct iface *l)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFLA_MTU + 1];

	if (nlh->nlmsg_type != RTM_NEWLINK ||
	    nl_attrs(nlh, sizeof(*ifi), tb, IFLA_MTU))
		return -EBADMSG;
	l->ifindex = (uint32_t)ifi->ifi_index;
	l->up = ifi->ifi_flags & IFF_UP;
	l->carrier = ifi->ifi_flags & IFF_LOWER_UP;
	l->shared = !(ifi->ifi_flags & (IFF_POINTOPOINT | IFF_NOARP));
	l->mtu = tb[IFLA_MTU] ? nl_u32(tb[IFLA_MTU]) : 0;
	l->ppp = ifi->ifi_type == ARPHRD_PPP;
	return str_copy(l->name, sizeof(l->name), nl_str(tb[IFLA_IFNAME])) ?
	       -EBADMSG : 0;
}

int iface_event(const struct nlmsghdr *nlh, struct iface *l)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFLA_IFNAME + 1];

	*l = (struct iface){ 0 };
	switch (nlh->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa))
			return -EBADMSG;
		l->ifindex = ifa->ifa_index;
		return 0;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		break;
	default:
		return -EBADMSG;
	}
	if (nl_attrs(nlh, sizeof(struct ifinfomsg), tb, IFLA_IFNAME))
		return -EBADMSG;
	l->ifindex = (uint32_t)((const struct ifinfomsg *)
				mnl_nlmsg_get_payload(nlh))->ifi_index;
	return str_copy(l->name, sizeof(l->name), nl_str(tb[IFLA_IFNAME])) ?
	       -EBADMSG : 0;
}

/* On a point-to-point interface IFA_ADDRESS is the peer's. */
static const struct nlattr *local_of(const struct nlattr *const *tb)
{
	return tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
}

bool iface_event_addr(const struct nlmsghdr *nlh, struct addr *a, uint8_t *len)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFA_LOCAL + 1], *local;

	if ((nlh->nlmsg_type != RTM_NEWADDR &&
	     nlh->nlmsg_type != RTM_DELADDR) ||
	    nl_attrs(nlh, sizeof(*ifa), tb, IFA_LOCAL))
		return false;
	local = local_of(tb);
	*len = ifa->ifa_prefixlen;
	return local && !addr_set(a, mnl_attr_get_payload(local),
				  mnl_attr_get_payload_len(local));
}

static int on_stats(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[IFLA_STATS_LINK_64 + 1], *a;
	struct rtnl_link_stats64 stats = { 0 };
	struct iface_bytes *bytes = data;
	size_t len;

	if (nlh->nlmsg_type != RTM_NEWSTATS ||
	    nl_attrs(nlh, sizeof(struct if_stats_msg), tb, IFLA_STATS_LINK_64))
		return -EBADMSG;
	a = tb[IFLA_STATS_LINK_64];
	if (!a)
		return -EBADMSG;
	/* It has grown with the kernel's versions. */
	len = mnl_attr_get_payload_len(a);
	memcpy(&stats, mnl_attr_get_payload(a),
	       len < sizeof(stats) ? len : sizeof(stats));
	bytes->rx = stats.rx_bytes;
	bytes->tx = stats.tx_bytes;
	return 0;
}

int iface_read_bytes(struct nl *nl, uint32_t ifindex, struct iface_bytes *bytes,
		    struct err *err)
{
	struct if_stats_msg head = {
		.ifindex = ifindex,
		.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64),
	};
	struct nl_ask ask;

	nl_ask(&ask, nl, RTM_GETSTATS, &head, sizeof(head));
	return nl_ask_send(&ask, NULL, on_stats, bytes, err);
}

static int on_addr(const struct nlmsghdr *nlh, void *data)
{
	/* A daemon's have no route of the kernel's. */
	const uint32_t advertised = IFA_F_MANAGETEMPADDR | IFA_F_PERMANENT |
				    IFA_F_NOPREFIXROUTE;
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[IFA_FLAGS + 1], *local;
	const struct dump *d = data;
	struct iface_addr a = { 0 };
	uint32_t flags;

	if (nlh->nlmsg_type != RTM_NEWADDR)
		return 0;
	if (nl_attrs(nlh, sizeof(*ifa), tb, IFA_FLAGS))
		return -EBADMSG;
	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return 0;
	flags = tb[IFA_FLAGS] ? nl_u32(tb[IFA_FLAGS]) : ifa->ifa_flags;
	local = local_of(tb);
	/* Kernels without the strict check answer with every interface. */
	if (!local || !tb[IFA_ADDRESS] ||
	    (d->ifindex && ifa->ifa_index != d->ifindex))
		return 0;
	a.ifindex = ifa->ifa_index;
	a.on_link = ifa->ifa_scope >= RT_SCOPE_LINK;
	a.len = ifa->ifa_prefixlen;
	a.deprecated = flags & IFA_F_DEPRECATED;
	a.unusable = flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED);
	a.advertised = (flags & advertised) == IFA_F_MANAGETEMPADDR;
	if (addr_set(&a.local, mnl_attr_get_payload(local),
		     mnl_attr_get_payload_len(local)) ||
	    addr_set(&a.peer, mnl_attr_get_payload(tb[IFA_ADDRESS]),
		     mnl_attr_get_payload_len(tb[IFA_ADDRESS])))
		return -EBADMSG;
	return d->cb(&a, d->data);
}

int iface_addr_dump(struct nl *nl, uint8_t family, uint32_t ifindex,
		   iface_addr_cb cb, void *data, struct err *err)
{
	struct ifaddrmsg head = { .ifa_family = family, .ifa_index = ifindex };
	struct dump d = { .ifindex = ifindex, .cb = cb, .data = data };
	struct nl_ask ask;

	nl_ask(&ask, nl, RTM_GETADDR, &head, sizeof(head));
	return err_prefix(err, nl_ask_dump(&ask, on_addr, &d, err),
			  "cannot read the addresses");
}

static int put_addr(struct nl_batch *b, struct nl *nl, uint16_t type,
		    uint16_t flags, uint32_t ifindex, const struct addr *a)
{
	struct ifaddrmsg head = {
		.ifa_family = a->family, .ifa_index = ifindex,
		.ifa_prefixlen = (uint8_t)(8 * addr_len(a)),
	};
	struct nlmsghdr *nlh = nl_put(b, nl, type, flags, &head, sizeof(head),
				      64);

	if (!nlh)
		return -ENOSPC;
	mnl_attr_put(nlh, IFA_LOCAL, addr_len(a), a->bytes);
	mnl_attr_put(nlh, IFA_ADDRESS, addr_len(a), a->bytes);
	if (type == RTM_NEWADDR)
		mnl_attr_put_u32(nlh, IFA_FLAGS,
				 IFA_F_NOPREFIXROUTE | IFA_F_NODAD);
	nl_end(b, nlh);
	return 0;
}

int iface_addr_put_add(struct nl_batch *b, struct nl *nl, uint32_t ifindex,
		       const struct addr *a)
{
	return put_addr(b, nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex,
			a);
}

int iface_addr_put_del(struct nl_batch *b, struct nl *nl, uint32_t ifindex,
		       const struct addr *a)
{
	return put_addr(b, nl, RTM_DELADDR, 0, ifindex, a);
}

void iface_addr_print_add(const struct addr *a, const char *dev, FILE *out)
{
	char text[ADDR_TEXT];

	fprintf(out, "ip -6 addr add %s/128 dev %s nodad noprefixroute\n",
		addr_text(a, text), dev);
}

void iface_addr_print_del(const struct addr *a, const char *dev, FILE *out)
{
	char text[ADDR_TEXT];

	fprintf(out, "ip -6 addr del %s/128 dev %s\n", addr_text(a, text),
		dev);
}
