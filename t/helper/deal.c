// SPDX-License-Identifier: MIT
/*
 * deal - who is given which link
 *
 *	deal serve PORT...
 *	deal ask [-t udp|tcp|icmp] [-s FIRST] [-n HOSTS] [-c COUNT]
 *		[-p PORT] [-q TOS] [-m MARK] [-C CPU] [-2] [-b|-k]
 *		DST PORT
 *
 * "ask" opens COUNT connections from each of HOSTS addresses from FIRST on (of
 * the kernel's choice without -s), from source port (ICMP: with the id) PORT
 * on; the hosts take turns. The server answers with the source address that it
 * sees: behind masquerade that is the link's. Every connection becomes a line,
 * in the order of asking:
 *
 *	HOST PORT SEEN		SEEN is "-" when no answer came, or the
 *				error that came instead: ENETUNREACH
 *
 * With -2 there are two processes, on processors 0 and 1 if there are two. They
 * ask at the same moment for the first connection of each host, then at their
 * own pace; from ports of their own: PORT and PORT + COUNT on.
 *
 * With -b datagrams are sent and no answers wanted: five times as fast.
 *
 * With -k all connections stay open: each line on standard input asks by all
 * of them again, and "end" follows each series. A TCP connection that an error
 * has ended stays so.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	/* A veth queues at most net.core.netdev_max_backlog (1000) packets on
	 * the way there and on the way back, and drops the rest: so only so
	 * many questions are open at a time, of a few packets each.
	 */
	WINDOW = 64,
	/* All is on one machine: a packet that is not there after 2 s is lost,
	 * see ask_again(). The time is counted in turns that we really had: one
	 * that the machine has slept through is one.
	 */
	TURN_MS = 100,
	TURNS = 20,
	EVENTS = 64,
	FILES = 1 << 17,
};

#define NOBODY UINT32_MAX	/* what epoll says of no connection */

struct echo {
	struct icmphdr head;
	uint32_t seen;
};

struct conn {
	uint32_t host, seen;
	uint16_t port;
	int fd, error;
	bool waits;
};

static int type = SOCK_DGRAM;
static struct sockaddr_in from = { .sin_family = AF_INET };
static struct sockaddr_in to = { .sin_family = AF_INET };
static unsigned int n_hosts = 1, n_conns = 1, mark, open_now;
static unsigned int first_port = 1024;
static int tos, epoll_fd, raw_fd = -1;
static bool keep, blind;
static unsigned int *asked;	/* of both processes together */
static pid_t other = -1;	/* 0: this is the other one */
static unsigned long dropped;	/* packets, by the processors' queues */
static struct conn *conns;

__attribute__((noreturn))
static void die(const char *what)
{
	fprintf(stderr, "deal: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(int fd, uint32_t events, uint32_t who, int op)
{
	struct epoll_event e = { .events = events, .data.u64 =
		(uint64_t)who << 32 | (uint32_t)fd };

	if (epoll_ctl(epoll_fd, op, fd, &e) < 0)
		die("epoll_ctl");
}

static void option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		die("setsockopt");
}

static int new_socket(int kind, int protocol)
{
	int fd = socket(AF_INET, kind | SOCK_NONBLOCK, protocol);

	if (fd < 0)
		die("socket");
	return fd;
}

/* RFC 1071, of whole 16-bit words. */
static uint16_t checksum(const void *data, size_t size)
{
	const char *byte = data;
	uint32_t sum = 0;
	uint16_t word;

	for (; size; size -= 2, byte += 2) {
		memcpy(&word, byte, 2);
		sum += word;
	}
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)~(sum + (sum >> 16));
}

/* Datagrams with both addresses: @local is ours. */
struct datagram {
	struct sockaddr_in peer;
	struct in_addr local;
	char data[128];
	size_t size;
};

union pktinfo {
	char buf[CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct cmsghdr align;
};

static bool receive(int fd, struct datagram *d)
{
	union pktinfo control;
	struct iovec iov = { d->data, sizeof(d->data) };
	struct msghdr m = {
		.msg_name = &d->peer, .msg_namelen = sizeof(d->peer),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	struct in_pktinfo info;
	ssize_t n = recvmsg(fd, &m, 0);

	if (n < 0)
		return false;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == IP_PKTINFO) {
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		d->local = info.ipi_addr;
	}
	d->size = (size_t)n;
	return true;
}

static int transmit(int fd, struct datagram *d)
{
	union pktinfo control = { .buf = "" };
	struct iovec iov = { d->data, d->size };
	struct msghdr m = {
		.msg_name = &d->peer, .msg_namelen = sizeof(d->peer),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct in_pktinfo info = { .ipi_spec_dst = d->local };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	return sendmsg(fd, &m, 0) < 0 ? -errno : 0;
}

/* Server ------------------------------------------------------------------ */

enum kind { UDP, ICMP, LISTENER, CONNECTION };

static void serve_udp(int fd)
{
	struct datagram d;

	while (receive(fd, &d)) {
		memcpy(d.data, &d.peer.sin_addr, sizeof(uint32_t));
		d.size = sizeof(uint32_t);
		transmit(fd, &d);
	}
}

/* The kernel's own answers say nothing: net.ipv4.icmp_echo_ignore_all. */
static void serve_icmp(int fd)
{
	struct datagram d;
	struct echo echo;
	size_t skip;

	while (receive(fd, &d)) {
		skip = ((uint8_t)d.data[0] & 15U) * 4;
		if (d.size < skip + sizeof(echo))
			continue;
		memcpy(&echo, d.data + skip, sizeof(echo));
		if (echo.head.type != ICMP_ECHO)
			continue;
		echo.head.type = ICMP_ECHOREPLY;
		echo.head.checksum = 0;
		echo.seen = d.peer.sin_addr.s_addr;
		echo.head.checksum = checksum(&echo, sizeof(echo));
		memcpy(d.data, &echo, sizeof(echo));
		d.size = sizeof(echo);
		transmit(fd, &d);
	}
}

static void serve_tcp(int fd)
{
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	char c;

	if (recv(fd, &c, 1, 0) != 1 ||
	    getpeername(fd, (void *)&peer, &size) < 0 ||
	    send(fd, &peer.sin_addr, 4, MSG_NOSIGNAL) != 4)
		close(fd);
}

static void accept_all(int fd)
{
	int c;

	while ((c = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0)
		watch(c, EPOLLIN, CONNECTION, EPOLL_CTL_ADD);
}

static void listen_on(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)atoi(port)) };
	int udp = new_socket(SOCK_DGRAM, 0), tcp = new_socket(SOCK_STREAM, 0);

	option(udp, IPPROTO_IP, IP_PKTINFO, 1);
	option(udp, SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20);
	option(tcp, SOL_SOCKET, SO_REUSEADDR, 1);
	if (bind(udp, (void *)&a, sizeof(a)) < 0 ||
	    bind(tcp, (void *)&a, sizeof(a)) < 0 || listen(tcp, 4096) < 0)
		die(port);
	watch(udp, EPOLLIN, UDP, EPOLL_CTL_ADD);
	watch(tcp, EPOLLIN, LISTENER, EPOLL_CTL_ADD);
}

static void open_raw(int protocol, uint32_t who)
{
	raw_fd = new_socket(SOCK_RAW, protocol);
	option(raw_fd, IPPROTO_IP, IP_PKTINFO, 1);
	option(raw_fd, SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20);
	watch(raw_fd, EPOLLIN, who, EPOLL_CTL_ADD);
}

__attribute__((noreturn))
static void serve(char **ports)
{
	static void (*const act[])(int) = {
		[UDP] = serve_udp, [ICMP] = serve_icmp,
		[LISTENER] = accept_all, [CONNECTION] = serve_tcp,
	};
	struct epoll_event e[EVENTS];
	int i, n;

	/* The test may be killed. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (; *ports; ports++)
		listen_on(*ports);
	open_raw(IPPROTO_ICMP, ICMP);
	puts("ready");
	fflush(stdout);
	for (;;) {
		n = epoll_wait(epoll_fd, e, EVENTS, -1);
		for (i = 0; i < n; i++)
			act[e[i].data.u64 >> 32]((int)e[i].data.u64);
	}
}

/* Client ------------------------------------------------------------------ */

static void finish(struct conn *c, uint32_t seen, int error)
{
	static const struct linger reset = { .l_onoff = 1 };

	if (c->waits)
		open_now--;
	c->waits = false;
	c->seen = seen;
	c->error = error;
	if (c->fd < 0 || (keep && !(error && type == SOCK_STREAM)))
		return;
	/* No TIME_WAIT at either end: the ports serve again. */
	if (type == SOCK_STREAM)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(c->fd);
	c->fd = -1;
}

static void ask_echo(struct conn *c)
{
	struct echo echo = { .head = { .type = ICMP_ECHO } };
	struct datagram d = { .peer = to, .size = sizeof(echo) };
	int code;

	echo.head.un.echo.id = htons(c->port);
	echo.head.checksum = checksum(&echo, sizeof(echo));
	memcpy(d.data, &echo, sizeof(echo));
	d.local.s_addr = htonl(c->host);
	code = transmit(raw_fd, &d);
	if (code)
		finish(c, 0, -code);
}

/* A header is all of it. */
static void ask_blind(struct conn *c)
{
	struct udphdr head = { .source = htons(c->port), .dest = to.sin_port,
			       .len = htons(sizeof(head)) };
	struct datagram d = { .peer = to, .size = sizeof(head),
			      .local.s_addr = htonl(c->host) };
	int code;

	memcpy(d.data, &head, sizeof(head));
	code = transmit(raw_fd, &d);
	finish(c, 0, code ? -code : ETIMEDOUT);
	if (c->port % WINDOW == 0)
		usleep(100);
}

/* Where much else runs, the queue behind a pair of veths is full at times: for a
 * second at most, that is not the answer.
 */
static int say(int fd)
{
	int tries;

	for (tries = 1000; send(fd, "?", 1, MSG_NOSIGNAL) < 0; tries--) {
		if (errno != ENOBUFS || !tries)
			return -1;
		usleep(1000);
	}
	return 0;
}

/* The connection is new, or was kept. */
static void ask_socket(struct conn *c, uint32_t who)
{
	struct sockaddr_in a = from;

	if (c->fd >= 0) {
		if (say(c->fd) < 0)
			finish(c, 0, errno);
		return;
	}
	c->fd = new_socket(type, 0);
	a.sin_addr.s_addr = htonl(c->host);
	a.sin_port = htons(c->port);
	if (type == SOCK_STREAM)
		option(c->fd, SOL_SOCKET, SO_REUSEADDR, 1);
	else
		option(c->fd, IPPROTO_IP, IP_RECVERR, 1);
	if (tos)
		option(c->fd, IPPROTO_IP, IP_TOS, tos);
	if (mark)
		option(c->fd, SOL_SOCKET, SO_MARK, (int)mark);
	if (bind(c->fd, (void *)&a, sizeof(a)) < 0)
		die("bind");
	watch(c->fd, type == SOCK_STREAM ? EPOLLOUT : EPOLLIN, who,
	      EPOLL_CTL_ADD);
	if ((connect(c->fd, (void *)&to, sizeof(to)) < 0 &&
	     errno != EINPROGRESS) ||
	    (type == SOCK_DGRAM && say(c->fd) < 0))
		finish(c, 0, errno);
}

static void ask(uint32_t who)
{
	struct conn *c = &conns[who];

	if (keep && type == SOCK_STREAM && c->error)
		return;
	c->waits = true;
	c->seen = 0;
	c->error = 0;
	open_now++;
	if (blind)
		ask_blind(c);
	else if (type == SOCK_RAW)
		ask_echo(c);
	else
		ask_socket(c, who);
}

static void hear_socket(struct conn *c, uint32_t who, uint32_t events)
{
	socklen_t size = sizeof(int);
	uint32_t seen;
	int error = 0;

	if (c->fd < 0)
		return;
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (!error && events & EPOLLOUT) {
		watch(c->fd, EPOLLIN, who, EPOLL_CTL_MOD);
		if (send(c->fd, "?", 1, MSG_NOSIGNAL) == 1)
			return;
		error = errno;
	}
	if (error) {
		finish(c, 0, error);
		return;
	}
	if (recv(c->fd, &seen, sizeof(seen), 0) == sizeof(seen))
		finish(c, seen, 0);
	else if (type == SOCK_STREAM)
		finish(c, 0, ECONNRESET);
}

/* The answer, or a router's word about the question, which it quotes. */
static void hear_echo(void)
{
	struct datagram d;
	struct echo echo;
	struct iphdr ip;
	size_t skip;
	uint32_t host, who;
	int error;

	while (receive(raw_fd, &d)) {
		skip = ((uint8_t)d.data[0] & 15U) * 4;
		if (d.size < skip + sizeof(echo))
			continue;
		memcpy(&echo, d.data + skip, sizeof(echo));
		host = ntohl(d.local.s_addr);
		error = 0;
		if (echo.head.type == ICMP_DEST_UNREACH) {
			skip += sizeof(echo.head);
			memcpy(&ip, d.data + skip, sizeof(ip));
			host = ntohl(ip.saddr);
			error = echo.head.code == ICMP_NET_UNREACH ?
				ENETUNREACH : EHOSTUNREACH;
			memcpy(&echo, d.data + skip + ip.ihl * 4,
			       sizeof(echo));
		} else if (echo.head.type != ICMP_ECHOREPLY) {
			continue;
		}
		who = (ntohs(echo.head.un.echo.id) - first_port) * n_hosts;
		if (from.sin_addr.s_addr)
			who += host - ntohl(from.sin_addr.s_addr);
		if (who < n_hosts * n_conns && conns[who].waits)
			finish(&conns[who], error ? 0 : echo.seen, error);
	}
}

/* All tests of the machine share the processors' queues of packets, and a full
 * one drops what comes: those packets, on every processor since boot.
 */
static unsigned long drops(void)
{
	FILE *f = fopen("/proc/net/softnet_stat", "r");
	unsigned long one, sum = 0;

	if (!f)
		die("/proc/net/softnet_stat");
	while (fscanf(f, "%*x %lx%*[^\n]", &one) == 1)
		sum += one;
	fclose(f);
	return sum;
}

/* Where the machine has dropped packets since the last time, these may be ours:
 * then an open question is put once more. (TCP does that itself, if one waits.)
 * Where it has not, the network under test has lost them; but one in a thousand,
 * once, is what a busy machine may lose without counting it.
 */
static bool ask_again(void)
{
	static bool strays_asked;
	unsigned long now = drops();
	bool strays = !strays_asked && open_now * 1000 <= n_hosts * n_conns;
	uint32_t i;

	if (blind || (now == dropped && !strays))
		return false;
	fprintf(stderr, "deal: %lu packets dropped by this machine, %u"
		" questions are put again\n", now - dropped, open_now);
	strays_asked |= now == dropped;
	dropped = now;
	for (i = 0; i < n_hosts * n_conns; i++) {
		if (!conns[i].waits)
			continue;
		if (type == SOCK_RAW)
			ask_echo(&conns[i]);
		else if (type == SOCK_DGRAM && say(conns[i].fd) < 0)
			finish(&conns[i], 0, errno);
	}
	return true;
}

static int wait_patiently(struct epoll_event *e)
{
	int n = 0, i;

	for (i = 0; !n && i < TURNS; i++)
		n = epoll_wait(epoll_fd, e, EVENTS, TURN_MS);
	return n;
}

/* Until no more than @left questions are open, or nothing comes. */
static bool hear(unsigned int left)
{
	struct epoll_event e[EVENTS];
	int i, n;

	while (open_now > left) {
		n = wait_patiently(e);
		if (!n && ask_again())
			continue;
		if (n <= 0)
			return false;
		for (i = 0; i < n; i++) {
			uint32_t who = (uint32_t)(e[i].data.u64 >> 32);

			if (who == NOBODY)
				hear_echo();
			else
				hear_socket(&conns[who], who, e[i].events);
		}
	}
	return true;
}

static void give_up(void)
{
	uint32_t i;

	for (i = 0; i < n_hosts * n_conns; i++)
		if (conns[i].waits)
			finish(&conns[i], 0, ETIMEDOUT);
}

/* glibc's strerrorname_np(), which musl has not, for what the network says. */
static const char *error_name(int error)
{
	switch (error) {
	case ENETUNREACH:	return "ENETUNREACH";
	case EHOSTUNREACH:	return "EHOSTUNREACH";
	case ECONNREFUSED:	return "ECONNREFUSED";
	case ECONNRESET:	return "ECONNRESET";
	case EPERM:		return "EPERM";
	case EINVAL:		return "EINVAL";
	case ETIMEDOUT:		return "-";
	default:		return strerror(error);
	}
}

static void print(const struct conn *c)
{
	struct in_addr a = { htonl(c->host) };

	printf("%s %u ", inet_ntoa(a), c->port);
	a.s_addr = c->seen;
	puts(c->error ? error_name(c->error) : inet_ntoa(a));
}

/* Until both processes have come so far. */
static void meet(uint32_t i)
{
	if (!asked)
		return;
	__atomic_add_fetch(asked, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(asked, __ATOMIC_SEQ_CST) < 2 * (i + 1))
		sched_yield();
}

static void ask_all(uint32_t total)
{
	bool heard = true;
	uint32_t i;

	/* Where one window was lost the next may not be: twice is enough. */
	for (i = 0; i < total; i++) {
		if (!hear(WINDOW - 1)) {
			give_up();
			if (!heard)
				break;
			heard = false;
		}
		if (i < n_hosts)
			meet(i);
		ask(i);
	}
	if (asked)
		__atomic_store_n(asked, 1U << 31, __ATOMIC_SEQ_CST);
	for (; i < total; i++)
		finish(&conns[i], 0, ETIMEDOUT);
	if (!hear(0))
		give_up();
}

static void series(void)
{
	uint32_t i, total = n_hosts * n_conns;

	dropped = drops();
	ask_all(total);
	if (other > 0)
		waitpid(other, NULL, 0);
	for (i = 0; i < total; i++)
		print(&conns[i]);
	if (keep)
		puts("end");
	fflush(stdout);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("sched_setaffinity");
}

static void make_two(void)
{
	asked = mmap(NULL, sizeof(*asked), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (asked == MAP_FAILED)
		die("mmap");
	other = fork();
	if (other < 0)
		die("fork");
	pin(other || sysconf(_SC_NPROCESSORS_ONLN) < 2 ? 0 : 1);
	if (!other)
		first_port += n_conns;
	close(epoll_fd);
	epoll_fd = epoll_create1(0);
}

static int client(void)
{
	uint32_t i, total = n_hosts * n_conns;
	char line[16];

	conns = calloc(total, sizeof(*conns));
	if (!conns)
		die("calloc");
	for (i = 0; i < total; i++) {
		conns[i].fd = -1;
		conns[i].port = (uint16_t)(first_port + i / n_hosts);
		if (from.sin_addr.s_addr)
			conns[i].host = ntohl(from.sin_addr.s_addr) +
					i % n_hosts;
	}
	if (blind || type == SOCK_RAW) {
		open_raw(blind ? IPPROTO_UDP : IPPROTO_ICMP, NOBODY);
		option(raw_fd, IPPROTO_IP, IP_TOS, tos);
		option(raw_fd, SOL_SOCKET, SO_MARK, (int)mark);
	}
	series();
	while (keep && fgets(line, sizeof(line), stdin))
		series();
	return 0;
}

static int parse(int argc, char **argv)
{
	bool two = false;
	int c;

	/* Options may come last, which musl's getopt() does not take. */
	while ((c = getopt_long(argc, argv, "t:s:n:c:p:q:m:C:2bk",
				&(struct option){ 0 }, NULL)) != -1) {
		switch (c) {
		case 't': type = *optarg == 'u' ? SOCK_DGRAM : *optarg == 't' ?
			SOCK_STREAM : SOCK_RAW; break;
		case 's': from.sin_addr.s_addr = inet_addr(optarg); break;
		case 'n': n_hosts = (unsigned int)atoi(optarg); break;
		case 'c': n_conns = (unsigned int)atoi(optarg); break;
		case 'p': first_port = (unsigned int)atoi(optarg); break;
		case 'q': tos = (int)strtol(optarg, NULL, 0); break;
		case 'm': mark = (unsigned int)strtoul(optarg, NULL, 0); break;
		case 'C': pin(atoi(optarg)); break;
		case '2': two = true; break;
		case 'b': blind = true; break;
		case 'k': keep = true; break;
		default: return 64;
		}
	}
	if (optind + 3 != argc || strcmp(argv[optind], "ask") ||
	    !n_hosts || !n_conns || first_port + n_conns * (1 + two) > 65536)
		return 64;
	to.sin_addr.s_addr = inet_addr(argv[optind + 1]);
	to.sin_port = htons((uint16_t)atoi(argv[optind + 2]));
	if (two)
		make_two();
	return 0;
}

int main(int argc, char **argv)
{
	static const struct rlimit many = { FILES, FILES };

	setrlimit(RLIMIT_NOFILE, &many);
	epoll_fd = epoll_create1(0);
	if (argc > 2 && !strcmp(argv[1], "serve"))
		serve(argv + 2);
	if (parse(argc, argv)) {
		fputs("deal: see the beginning of t/helper/deal.c\n", stderr);
		return 64;
	}
	return client();
}
