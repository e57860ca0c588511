/* bench-send IFACE SRC DST FLOWS PACKETS: sends PACKETS UDP packets of 64 bytes in
 * IPv6 by IFACE, of FLOWS flows in turn, whose sources are SRC and those after it,
 * and prints how many nanoseconds one takes. They go past the sender's own stack;
 * by veths, the router behind IFACE works on the sender's processor and in its
 * time, so this is the router's. IFACE has the address of the device opposite.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

enum { FLOWS_MAX = 256, LENGTH = 64 };

struct frame {
	struct ether_header eth;
	struct ip6_hdr ip;
	struct udphdr udp;
	uint8_t data[LENGTH - sizeof(struct ip6_hdr) - sizeof(struct udphdr)];
} __attribute__((packed));

static struct frame frame[FLOWS_MAX];
static struct iovec iov[FLOWS_MAX];
static struct mmsghdr msg[FLOWS_MAX];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint32_t sum(uint32_t s, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t i;

	for (i = 0; i < len; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	return s;
}

/* RFC 8200, 8.1: over the addresses, the length and the next header as well. */
static uint16_t checksum(const struct frame *f)
{
	const uint32_t len = LENGTH - sizeof(f->ip);
	uint32_t s = sum(len + IPPROTO_UDP, &f->ip.ip6_src,
			 2 * sizeof(f->ip.ip6_src));

	s = sum(s, &f->udp, len);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return htons((uint16_t)~s);
}

static void fill(struct frame *f, const uint8_t *mac, struct in6_addr src,
		 const struct in6_addr *dst, unsigned int flow)
{
	memcpy(f->eth.ether_dhost, mac, ETH_ALEN);
	memcpy(f->eth.ether_shost, mac, ETH_ALEN);
	f->eth.ether_type = htons(ETHERTYPE_IPV6);
	src.s6_addr[15] = (uint8_t)(src.s6_addr[15] + flow);
	f->ip.ip6_src = src;
	f->ip.ip6_dst = *dst;
	f->ip.ip6_vfc = 6 << 4;
	f->ip.ip6_plen = htons(LENGTH - sizeof(f->ip));
	f->ip.ip6_nxt = IPPROTO_UDP;
	f->ip.ip6_hlim = 64;
	f->udp.source = htons((uint16_t)(20000 + flow));
	f->udp.dest = htons(9);
	f->udp.len = f->ip.ip6_plen;
	f->udp.check = checksum(f);
}

int main(int argc, char **argv)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	struct ifreq ifr = { 0 };
	struct in6_addr src, dst;
	unsigned long packets, n;
	unsigned int flows, i;
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1, sent;
	double start;

	if (argc != 6 || inet_pton(AF_INET6, argv[2], &src) != 1 ||
	    inet_pton(AF_INET6, argv[3], &dst) != 1)
		return 64;
	flows = (unsigned int)atoi(argv[4]);
	packets = strtoul(argv[5], NULL, 10);
	if (!flows || flows > FLOWS_MAX || !packets)
		return 64;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", argv[1]);
	to.sll_ifindex = (int)if_nametoindex(argv[1]);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &ifr) ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)))
		die(argv[1]);
	for (i = 0; i < flows; i++) {
		fill(&frame[i], (uint8_t *)ifr.ifr_hwaddr.sa_data, src, &dst,
		     i);
		iov[i] = (struct iovec){ &frame[i], sizeof(frame[i]) };
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	start = now();
	for (n = 0; n < packets; n += (unsigned long)sent) {
		sent = sendmmsg(fd, msg, flows, 0);
		if (sent <= 0)
			die("send");
	}
	printf("%.1f\n", (now() - start) / (double)n);
	return 0;
}
