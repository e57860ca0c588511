// SPDX-License-Identifier: MIT
#include <errno.h>
/* Before the kernel's: with musl they know only so what is there already. */
#include <netinet/in.h>
#include <netinet/ip.h>

#include <linux/icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "watch/ask.h"

enum {
	DNS_PORT = 53,
	/* The queue's first band (linux/pkt_sched.h, TC_PRIO_INTERACTIVE): in
	 * front of what waits in this machine.
	 */
	PRIORITY = 6,
};

static int open_icmp(struct ask *a)
{
	const struct icmp_filter unwanted = {
		~(1U << ICMP_ECHOREPLY | 1U << ICMP_DEST_UNREACH |
		  1U << ICMP_TIME_EXCEEDED),
	};
	int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd = socket(AF_INET, SOCK_RAW | flags, IPPROTO_ICMP);

	a->form = PACKET_IP;
	if (fd >= 0)
		setsockopt(fd, SOL_RAW, ICMP_FILTER, &unwanted,
			   sizeof(unwanted));
	if (fd >= 0 || (errno != EPERM && errno != EACCES))
		return fd;
	a->form = PACKET_BARE;
	return socket(AF_INET, SOCK_DGRAM | flags, IPPROTO_ICMP);
}

static int open_kind(struct ask *a)
{
	int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;

	switch (a->how.kind) {
	case WATCH_ICMP:
		return open_icmp(a);
	case WATCH_DNS:
		a->form = PACKET_BARE;
		return socket(AF_INET, SOCK_DGRAM | flags, 0);
	case WATCH_TCP:
		a->form = PACKET_IP;
		return socket(AF_INET, SOCK_RAW | flags, IPPROTO_TCP);
	case WATCH_NONE:
		break;
	}
	errno = EINVAL;
	return -1;
}

/* Bound to the device and to the address: an output chain may choose another
 * way for the mark of an earlier packet, and a rule for the address of a line
 * may not be there; one of them alone is not enough.
 */
static int bind_to(int fd, const char *dev, const struct addr *local)
{
	const int priority = PRIORITY, tos = IPTOS_LOWDELAY;
	const struct sockaddr_in from = { .sin_family = AF_INET,
					  .sin_addr = local->v4 };

	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dev,
		       (socklen_t)strlen(dev) + 1) ||
	    bind(fd, (const struct sockaddr *)&from, sizeof(from)))
		return -errno;
	/* A process that may not set these uses the defaults. */
	setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
	return 0;
}

static bool is_for(const struct ask *a, uint32_t ifindex,
		   const struct addr *local, const struct watch_probe *how)
{
	return a->fd >= 0 && a->ifindex == ifindex &&
	       addr_equal(&a->local, local) && a->how.kind == how->kind &&
	       a->how.port == how->port;
}

int ask_open(struct ask *a, const char *dev, uint32_t ifindex,
	     const struct addr *local, const struct watch_probe *how,
	     struct err *err)
{
	int code;

	if (is_for(a, ifindex, local, how))
		return 0;
	ask_close(a);
	a->how = *how;
	a->ifindex = ifindex;
	a->local = *local;
	a->fd = open_kind(a);
	if (a->fd < 0)
		return err_set(err, -errno, "cannot ask anybody by %s: %s; it "
			       "needs CAP_NET_RAW, or for icmp a group in "
			       "net.ipv4.ping_group_range", dev,
			       strerror(errno));
	code = bind_to(a->fd, dev, local);
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

int ask_send(const struct ask *a, const struct packet_key *key, uint16_t seq,
	     const struct addr *target)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr = target->v4 };
	uint8_t buf[PACKET_SIZE];
	size_t len = packet_write(&a->how, key, seq, &a->local, target, buf);

	if (a->how.kind == WATCH_DNS)
		to.sin_port = htons(DNS_PORT);
	if (sendto(a->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL,
		   (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}

bool ask_read(const struct ask *a, const struct packet_key *key,
	      enum packet_says *says, struct packet_reply *reply)
{
	struct sockaddr_in from = { 0 };
	socklen_t from_len = sizeof(from);
	uint8_t buf[PACKET_READ];
	ssize_t len;

	len = recvfrom(a->fd, buf, sizeof(buf), MSG_DONTWAIT,
		       (struct sockaddr *)&from, &from_len);
	/* A refusal that the socket was told of is no packet, and no end. */
	*says = PACKET_FOREIGN;
	if (len < 0)
		return errno != EAGAIN && errno != EBADF;
	*says = packet_read(&a->how, key, a->form, buf, (size_t)len, reply);
	if (a->form == PACKET_IP)
		return true;
	if (a->how.kind == WATCH_DNS && from.sin_port != htons(DNS_PORT))
		*says = PACKET_FOREIGN;
	reply->target.family = AF_INET;
	reply->target.v4 = from.sin_addr;
	return true;
}
