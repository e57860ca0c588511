// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>

#include "base/util.h"
#include "kernel/iface.h"
#include "kernel/route.h"
#include "watch/monitor.h"

#define TYPE offsetof(struct nlmsghdr, nlmsg_type)
#define RTM_PROTOCOL (NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_protocol))

/* A filter loads words in network order, and netlink has them in the host's.
 * For routes listen only to removals of ours, and to those that come of router
 * advertisements: no client tells us of them. For rules only to removals.
 */
static int filter_rtnl(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, TYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWRULE), 7, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 4),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, RTM_PROTOCOL),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROTO_MWAN, 2, 1),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, RTM_PROTOCOL),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RTPROT_RA, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT16_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog prog = { COUNT(code), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			  sizeof(prog));
}

/* The end of each transaction alone: the kernel may put several of its other
 * messages into one piece, and a filter sees the first.
 */
static int filter_nfnl(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, TYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			 htons(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN),
			 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT16_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog prog = { COUNT(code), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			  sizeof(prog));
}

int monitor_fd(const struct nl *nl)
{
	return nl->sock ? mnl_socket_get_fd(nl->sock) : -1;
}

static int join(struct nl *nl, const int *group, size_t n,
		int (*filter)(int fd), struct err *err)
{
	int fd = monitor_fd(nl);
	size_t i;

	if (filter(fd))
		return err_set(err, -errno, "cannot filter what netlink says: "
			       "%s", strerror(errno));
	for (i = 0; i < n; i++)
		/* Nexthops have a group from Linux 5.3 on. */
		if (mnl_socket_setsockopt(nl->sock, NETLINK_ADD_MEMBERSHIP,
					  (void *)&(int){ group[i] },
					  sizeof(int)) && errno != EINVAL)
			return err_set(err, -errno, "cannot hear of changes "
				       "by netlink: %s", strerror(errno));
	return 0;
}

int monitor_open(struct monitor *m, struct err *err)
{
	static const int groups[] = {
		RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,
		RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP,
	};
	static const int nft[] = { NFNLGRP_NFTABLES };
	int code = nl_open(&m->rtnl, NETLINK_ROUTE, err);

	if (!code)
		code = join(&m->rtnl, groups, COUNT(groups), filter_rtnl, err);
	if (!code)
		code = nl_open(&m->nfnl, NETLINK_NETFILTER, err);
	if (!code)
		code = join(&m->nfnl, nft, COUNT(nft), filter_nfnl, err);
	return code;
}

struct hearing {
	const struct monitor_ours *ours;
	unsigned int heard;
};

static bool is_own(const struct monitor_ours *ours, const struct nlmsghdr *nlh)
{
	unsigned int i;

	for (i = 0; i < MONITOR_PORTS; i++)
		if (ours->port[i] && ours->port[i] == nlh->nlmsg_pid)
			return true;
	return false;
}

static bool is_links(const struct monitor_ours *ours, const struct iface *is)
{
	unsigned int i;

	if (*is->name && conf_link_index(ours->conf, is->name) >= 0)
		return true;
	for (i = 0; i < ours->conf->n_links; i++)
		if (ours->link[i].ifindex == is->ifindex)
			return true;
	return false;
}

/* Returns 0 so that all messages come here. */
static int on_change(const struct nlmsghdr *nlh, void *data)
{
	struct hearing *h = data;
	struct iface is;

	if (is_own(h->ours, nlh))
		return 0;
	if (nlh->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES)
		h->heard |= MONITOR_NFT;
	else if (iface_event(nlh, &is))
		h->heard |= MONITOR_GONE;
	else if (is_links(h->ours, &is))
		h->heard |= MONITOR_LINKS;
	return 0;
}

unsigned int monitor_hear(struct monitor *m, const struct monitor_ours *ours)
{
	struct hearing h = { .ours = ours };

	if (nl_heard(&m->rtnl, on_change, &h))
		h.heard |= MONITOR_LINKS | MONITOR_GONE;
	if (nl_heard(&m->nfnl, on_change, &h))
		h.heard |= MONITOR_NFT;
	return h.heard;
}
