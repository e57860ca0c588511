// SPDX-License-Identifier: MIT
#include <errno.h>
/* Before the kernel's: with musl they know only so what is there already. */
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>

#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "watch/ask.h"

enum {
	DNS_PORT = 53,
	/* The queue's first band (linux/pkt_sched.h, TC_PRIO_INTERACTIVE): in
	 * front of what waits in this machine.
	 */
	PRIORITY = 6,
	FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC,
	TCP_CHECKSUM_AT = 16,
	ARP_OPERATION_AT = 6,
	NEIGHBOUR_HOPS = 255,	/* RFC 4861: from nowhere else */
};

/* An address of either family for the kernel. */
union end {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_ll link;
};

static bool is_v6(const struct ask *a)
{
	return a->way.local.family == AF_INET6;
}

/* @a at @port; the interface says where a link-local address is. */
static socklen_t end_of(union end *e, const struct addr *a, uint16_t port,
			uint32_t ifindex)
{
	memset(e, 0, sizeof(*e));
	if (a->family == AF_INET) {
		e->v4.sin_family = AF_INET;
		e->v4.sin_addr = a->v4;
		e->v4.sin_port = htons(port);
		return sizeof(e->v4);
	}
	e->v6.sin6_family = AF_INET6;
	e->v6.sin6_addr = a->v6;
	e->v6.sin6_port = htons(port);
	if (IN6_IS_ADDR_LINKLOCAL(&a->v6) || IN6_IS_ADDR_MULTICAST(&a->v6))
		e->v6.sin6_scope_id = ifindex;
	return sizeof(e->v6);
}

static int open_icmp4(struct ask *a)
{
	const struct icmp_filter unwanted = {
		~(1U << ICMP_ECHOREPLY | 1U << ICMP_DEST_UNREACH |
		  1U << ICMP_TIME_EXCEEDED),
	};
	int fd = socket(AF_INET, SOCK_RAW | FLAGS, IPPROTO_ICMP);

	a->way.form = PACKET_IP;
	if (fd >= 0)
		setsockopt(fd, SOL_RAW, ICMP_FILTER, &unwanted,
			   sizeof(unwanted));
	if (fd >= 0 || (errno != EPERM && errno != EACCES))
		return fd;
	a->way.form = PACKET_BARE;
	return socket(AF_INET, SOCK_DGRAM | FLAGS, IPPROTO_ICMP);
}

/* Only those types, of all that come in. (The headers' own words for it have
 * signs that they should not have with musl.)
 */
static void filter_icmp6(int fd, const uint8_t *type, unsigned int n)
{
	struct icmp6_filter wanted;

	memset(&wanted, 0xff, sizeof(wanted));
	while (n--)
		wanted.icmp6_filt[type[n] / 32] &= ~(1U << type[n] % 32);
	setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &wanted, sizeof(wanted));
}

static int open_icmp6(struct ask *a)
{
	static const uint8_t wanted[] = { ICMP6_ECHO_REPLY, ICMP6_DST_UNREACH,
				      ICMP6_TIME_EXCEEDED };
	int fd = socket(AF_INET6, SOCK_RAW | FLAGS, IPPROTO_ICMPV6);

	a->way.form = PACKET_IP6;
	if (fd >= 0)
		filter_icmp6(fd, wanted, COUNT(wanted));
	if (fd >= 0 || (errno != EPERM && errno != EACCES))
		return fd;
	a->way.form = PACKET_BARE6;
	return socket(AF_INET6, SOCK_DGRAM | FLAGS, IPPROTO_ICMPV6);
}

static int open_tcp(struct ask *a)
{
	const int at = TCP_CHECKSUM_AT;
	int fd = socket(a->way.local.family, SOCK_RAW | FLAGS, IPPROTO_TCP);

	a->way.form = is_v6(a) ? PACKET_IP6 : PACKET_IP;
	if (fd >= 0 && is_v6(a))
		setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &at, sizeof(at));
	return fd;
}

/* Answers alone: a segment has many questions for others. */
static int open_arp(struct ask *a)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ARP_OPERATION_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPOP_REPLY, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT16_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog prog = { COUNT(code), code };
	int fd = socket(AF_PACKET, SOCK_DGRAM | FLAGS, 0);

	a->way.form = PACKET_BARE;
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
			   sizeof(prog));
	return fd;
}

static int open_neighbours(struct ask *a)
{
	static const uint8_t wanted[] = { ND_NEIGHBOR_ADVERT };
	const int hops = NEIGHBOUR_HOPS;
	int fd = socket(AF_INET6, SOCK_RAW | FLAGS, IPPROTO_ICMPV6);

	a->way.form = PACKET_IP6;
	if (fd < 0)
		return fd;
	filter_icmp6(fd, wanted, COUNT(wanted));
	setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops));
	return fd;
}

static int open_kind(struct ask *a)
{
	switch (a->way.how.kind) {
	case WATCH_ICMP:
		return is_v6(a) ? open_icmp6(a) : open_icmp4(a);
	case WATCH_DNS:
		a->way.form = is_v6(a) ? PACKET_BARE6 : PACKET_BARE;
		return socket(a->way.local.family, SOCK_DGRAM | FLAGS, 0);
	case WATCH_TCP:
		return open_tcp(a);
	case WATCH_ARP:
		return is_v6(a) ? open_neighbours(a) : open_arp(a);
	case WATCH_NONE:
		break;
	}
	errno = EINVAL;
	return -1;
}

static int read_mac(struct ask *a, const char *dev)
{
	struct ifreq is = { 0 };

	(void)str_copy(is.ifr_name, sizeof(is.ifr_name), dev);
	if (ioctl(a->fd, SIOCGIFHWADDR, &is))
		return -errno;
	memcpy(a->way.mac, is.ifr_hwaddr.sa_data, sizeof(a->way.mac));
	return 0;
}

static bool asks_by_arp(const struct ask *a)
{
	return a->way.how.kind == WATCH_ARP && !is_v6(a);
}

/* Bound to the device and to the address: an output chain may choose another
 * way for the mark of an earlier packet, and a rule for the address of a line
 * may not be there; one of them alone is not enough.
 */
static int bind_to(struct ask *a, const char *dev)
{
	const int priority = PRIORITY, tos = IPTOS_LOWDELAY;
	const int level = is_v6(a) ? IPPROTO_IPV6 : IPPROTO_IP;
	union end from;
	socklen_t len = end_of(&from, &a->way.local, 0, a->ifindex);
	int code = a->way.how.kind == WATCH_ARP ? read_mac(a, dev) : 0;

	if (code)
		return code;
	if (asks_by_arp(a)) {
		from.link = (struct sockaddr_ll){
			.sll_family = AF_PACKET,
			.sll_protocol = htons(ETH_P_ARP),
			.sll_ifindex = (int)a->ifindex,
		};
		return bind(a->fd, &from.any, sizeof(from.link)) ? -errno : 0;
	}
	if (setsockopt(a->fd, SOL_SOCKET, SO_BINDTODEVICE, dev,
		       (socklen_t)strlen(dev) + 1) ||
	    bind(a->fd, &from.any, len))
		return -errno;
	/* A process that may not set these uses the defaults. */
	setsockopt(a->fd, level, is_v6(a) ? IPV6_TCLASS : IP_TOS, &tos,
		   sizeof(tos));
	setsockopt(a->fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
	return 0;
}

static bool is_for(const struct ask *a, uint32_t ifindex,
		   const struct addr *local, const struct watch_probe *how)
{
	return a->fd >= 0 && a->ifindex == ifindex &&
	       addr_equal(&a->way.local, local) &&
	       a->way.how.kind == how->kind && a->way.how.port == how->port;
}

int ask_open(struct ask *a, const char *dev, uint32_t ifindex,
	     const struct addr *local, const struct watch_probe *how,
	     struct err *err)
{
	int code;

	if (is_for(a, ifindex, local, how))
		return 0;
	ask_close(a);
	a->way = (struct packet_way){ .how = *how, .local = *local };
	a->ifindex = ifindex;
	a->fd = open_kind(a);
	if (a->fd < 0)
		return err_set(err, -errno, "cannot ask anybody by %s: %s; it "
			       "needs %s", dev, strerror(errno),
			       how->kind == WATCH_ARP ? "CAP_NET_RAW and, as a "
			       "service, mwan-watch.service.d/arp.conf of the "
			       "examples" : "CAP_NET_RAW, or for icmp a group "
			       "in net.ipv4.ping_group_range");
	code = bind_to(a, dev);
	if (!code)
		return 0;
	ask_close(a);
	return err_set(err, code, "cannot ask anybody by %s: %s", dev,
		       strerror(-code));
}

void ask_close(struct ask *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

/* Whom a question for @target goes to: in ARP all of the segment, and in IPv6
 * those whose addresses end as the target's does (RFC 4291, 2.7.1).
 */
static socklen_t send_to(const struct ask *a, const struct addr *target,
			 union end *to)
{
	static const uint8_t solicited[] = { 0xff, 0x02, 0, 0, 0, 0, 0, 0,
					     0, 0, 0, 1, 0xff };
	struct addr group = *target;

	if (asks_by_arp(a)) {
		*to = (union end){ .link = {
			.sll_family = AF_PACKET,
			.sll_protocol = htons(ETH_P_ARP),
			.sll_ifindex = (int)a->ifindex,
			.sll_halen = sizeof(a->way.mac),
		} };
		memset(to->link.sll_addr, 0xff, sizeof(a->way.mac));
		return sizeof(to->link);
	}
	if (a->way.how.kind == WATCH_ARP)
		memcpy(group.bytes, solicited, sizeof(solicited));
	return end_of(to, &group,
		      a->way.how.kind == WATCH_DNS ? DNS_PORT : 0, a->ifindex);
}

int ask_send(const struct ask *a, const struct packet_key *key, uint16_t seq,
	     const struct addr *target)
{
	union end to;
	uint8_t buf[PACKET_SIZE];
	size_t len = packet_write(&a->way, key, seq, target, buf);
	socklen_t to_len = send_to(a, target, &to);

	if (sendto(a->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL, &to.any,
		   to_len) < 0)
		return -errno;
	return 0;
}

/* The sender, and its port. */
static uint16_t sender(const union end *from, struct addr *a)
{
	memset(a, 0, sizeof(*a));
	if (from->any.sa_family == AF_INET6) {
		(void)addr_set(a, &from->v6.sin6_addr, sizeof(a->v6));
		return ntohs(from->v6.sin6_port);
	}
	if (from->any.sa_family != AF_INET)
		return 0;
	(void)addr_set(a, &from->v4.sin_addr, sizeof(a->v4));
	return ntohs(from->v4.sin_port);
}

bool ask_read(const struct ask *a, const struct packet_key *key,
	      enum packet_says *says, struct packet_reply *reply)
{
	union end from = { .any.sa_family = AF_UNSPEC };
	socklen_t from_len = sizeof(from);
	uint8_t buf[PACKET_READ];
	struct addr who;
	uint16_t port;
	ssize_t len;

	len = recvfrom(a->fd, buf, sizeof(buf), MSG_DONTWAIT, &from.any,
		       &from_len);
	/* A refusal that the socket was told of is no packet, and no end. */
	*says = PACKET_FOREIGN;
	if (len < 0)
		return errno != EAGAIN && errno != EBADF;
	*says = packet_read(&a->way, key, buf, (size_t)len, reply);
	if (reply->target.family)
		return true;
	port = sender(&from, &who);
	if (a->way.how.kind == WATCH_DNS && port != DNS_PORT)
		*says = PACKET_FOREIGN;
	reply->target = who;
	return true;
}
