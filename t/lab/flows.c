// SPDX-License-Identifier: MIT
/*
 * flows - the lab's traffic meter
 *
 *	flows serve ADDR:PORT...	echo server, UDP and TCP
 *	flows client [-c FILE] [-i MS] SOCKET
 *					meter, commanded through SOCKET
 *	flows ctl SOCKET WORD...	send one command, print the answer
 *
 * A flow sends numbered requests, "ID SEQ", at a steady pace. The server's
 * answer is "ID SEQ ADDR:PORT" with the source it saw, so that the client knows
 * the public address, and so the line, by which its flow leaves. All flows of
 * a side live in one process: in an emulated machine a process each would cost
 * so much that the lines' own keep-alives time out.
 *
 * Commands (answers are lines of key=value):
 *	open GROUP udp|tcp SRC[-LAST] DST PORT [count=N] [rate=N] [reopen]
 *		COUNT flows a source; A.B.C.D-E is a range of sources, as is
 *		an IPv6 address with its last byte in decimal behind it; SRC
 *		0.0.0.0 leaves the source to the kernel; rate is in packets/s.
 *		A TCP flow that dies stays dead; with reopen a new flow, with
 *		an id of its own, takes its place.
 *	mark NAME	start a phase; packets count in the phase they are
 *			sent in, everything else in the one it happens in
 *	ready		how many live flows never had an answer
 *	pause [GROUP]	stop sending, on all flows or on a group's
 *	resume		go on sending, on all flows
 *	close GROUP	end a group's flows; what they counted stays
 *	report [NAME]	a line a flow: of everything, or of one phase
 *	stop		end the client
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NSEC		1000000000LL
#define MSEC		1000000LL

/* An unanswered datagram counts as lost after this time. */
#define GRACE		(2 * NSEC)

#define MAX_FLOWS	1024
/* An outage and a return for each of 100 runs, and some to spare. */
#define MAX_PHASES	256
_Static_assert(MAX_PHASES - 1 <= UINT8_MAX, "struct packet's phase");
#define FIRST_PORT	20000
#define PORTS		12768
#define MAX_NAME	24
#define MAX_RATE	1000
#define MAX_WORDS	16

/* Longest message: two numbers of 10 digits, an address and a port. */
#define MESSAGE		96

/* Must hold what MAX_RATE sends within GRACE. */
#define WINDOW		4096
_Static_assert(WINDOW > MAX_RATE * (GRACE / NSEC + 1), "window too small");

/* One end of a flow, of either family. */
union end {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct count {
	unsigned int sent, answered, lost, late, errors;
	unsigned int changes;	/* other public address than before */
	unsigned int ports;	/* same address, other port */
	unsigned int resets;	/* TCP: reset, EOF, refused, timed out */
	long long gap;		/* longest time without an answer, ns */
	union end first, last;
};

struct packet {
	long long sent;
	uint8_t phase;
	bool waits;
};

enum state { CONNECTING, OPEN, RESET, CLOSED };

static const char *const state_names[] = {
	[CONNECTING] = "connecting", [OPEN] = "open",
	[RESET] = "reset", [CLOSED] = "closed",
};

struct flow {
	int fd;
	unsigned int id;
	enum state state;
	bool tcp, reopen, paused;
	char group[MAX_NAME];
	union end src, dst;
	long long period, due, answer;	/* answer: when the last one came */
	unsigned int seq, acked, oldest;
	bool any;
	unsigned int series_answered, series_lost;
	bool series_told;
	char line[MESSAGE];	/* TCP: an answer that is not complete */
	size_t line_len;
	struct count total, by_phase[MAX_PHASES];
	struct packet window[WINDOW];
};

static struct flow *flows[MAX_FLOWS];
static unsigned int n_flows;
static char phases[MAX_PHASES][MAX_NAME] = { "start" };
static unsigned int phase;
static bool paused, stopped;
static long long woke;		/* after the last standstill; 0: none yet */
static int epoll_fd;
static FILE *series;
static long long series_period = 500 * MSEC, series_due, epoch;

__attribute__((format(printf, 1, 2), noreturn))
static void die(const char *format, ...)
{
	va_list args;

	fputs("flows: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NSEC + t.tv_nsec;
}

/* Reads a decimal number up to max; -1 if TEXT is anything else. */
static long number(const char *text, long max)
{
	char *end;
	long value;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || *end || value > max)
		return -1;
	return value;
}

static socklen_t end_size(const union end *e)
{
	return e->sa.sa_family == AF_INET6 ? sizeof(e->v6) : sizeof(e->v4);
}

static in_port_t *end_port(union end *e)
{
	return e->sa.sa_family == AF_INET6 ? &e->v6.sin6_port :
					     &e->v4.sin_port;
}

static bool end_known(const union end *e)
{
	return e->sa.sa_family == AF_INET6 ? e->v6.sin6_port : e->v4.sin_port;
}

/* Reads an address of either family, and leaves the port 0. */
static int end_parse(union end *e, const char *text)
{
	memset(e, 0, sizeof(*e));
	e->sa.sa_family = AF_INET;
	if (inet_pton(AF_INET, text, &e->v4.sin_addr) == 1)
		return 0;
	e->sa.sa_family = AF_INET6;
	return inet_pton(AF_INET6, text, &e->v6.sin6_addr) == 1 ? 0 : -EINVAL;
}

static const char *end_text(const union end *e, char text[INET6_ADDRSTRLEN])
{
	if (e->sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &e->v6.sin6_addr, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET, &e->v4.sin_addr, text, INET6_ADDRSTRLEN);
	return text;
}

static bool same_host(const union end *a, const union end *b)
{
	if (a->sa.sa_family == AF_INET6)
		return !memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr,
			       sizeof(a->v6.sin6_addr));
	return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

/* The last byte of an address, by which a range counts. */
static uint8_t *end_last(union end *e)
{
	if (e->sa.sa_family == AF_INET6)
		return &e->v6.sin6_addr.s6_addr[15];
	return (uint8_t *)&e->v4.sin_addr + 3;
}

/* Reads "ADDR:PORT"; changes TEXT. */
static int endpoint(char *text, union end *addr)
{
	char *colon = strrchr(text, ':');
	long port;

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	port = number(colon + 1, 65535);
	if (port < 0 || end_parse(addr, text))
		return -EINVAL;
	*end_port(addr) = htons((uint16_t)port);
	return 0;
}

static void watch(int fd, uint32_t events, void *ptr, int op)
{
	struct epoll_event event = { .events = events, .data.ptr = ptr };

	if (epoll_ctl(epoll_fd, op, fd, &event) < 0)
		die("epoll_ctl: %s", strerror(errno));
}

static int new_socket(int family, int type)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, size = 4 * 1024 * 1024;

	if (fd < 0)
		die("socket: %s", strerror(errno));
	/* The default holds less than 50 ms of what 12 flows send: what a busy
	 * machine reads late is not lost.
	 */
	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
			   sizeof(size));
	if (type == SOCK_STREAM) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	return fd;
}

/* Server ------------------------------------------------------------------ */

enum kind { UDP_SOCKET, LISTENER, CONNECTION };

struct peer {
	enum kind kind;
	int fd;
	union end from;
	char in[MESSAGE];
	size_t in_len;
	char out[1 << 16];
	size_t out_len;
};

static struct peer *new_peer(enum kind kind, int fd)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		die("out of memory");
	p->kind = kind;
	p->fd = fd;
	watch(fd, EPOLLIN, p, EPOLL_CTL_ADD);
	return p;
}

static int answer(char *out, size_t size, const char *request, size_t len,
		  const union end *from)
{
	char addr[INET6_ADDRSTRLEN];
	union end end = *from;

	return snprintf(out, size, "%.*s %s:%u\n", (int)len, request,
			end_text(from, addr), ntohs(*end_port(&end)));
}

static void serve_udp(const struct peer *p)
{
	union end from;
	char in[MESSAGE], out[2 * MESSAGE];

	for (;;) {
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(p->fd, in, sizeof(in), 0,
				     &from.sa, &size);
		int len;

		if (n < 0)
			return;
		if (n == 0 || in[n - 1] != '\n')
			continue;
		len = answer(out, sizeof(out), in, (size_t)n - 1, &from);
		sendto(p->fd, out, (size_t)len, 0, &from.sa,
		       size);
	}
}

static void accept_all(const struct peer *listener)
{
	union end from;

	for (;;) {
		socklen_t size = sizeof(from);
		int one = 1;
		int fd = accept4(listener->fd, &from.sa, &size,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		new_peer(CONNECTION, fd)->from = from;
	}
}

/* Sends what has gathered; false when the connection is over. */
static bool flush_peer(struct peer *p)
{
	ssize_t n = send(p->fd, p->out, p->out_len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		return false;
	if (n > 0) {
		p->out_len -= (size_t)n;
		memmove(p->out, p->out + n, p->out_len);
	}
	/* No more requests are read while answers wait. */
	watch(p->fd, p->out_len ? EPOLLOUT : EPOLLIN, p, EPOLL_CTL_MOD);
	return true;
}

static bool serve_tcp(struct peer *p)
{
	char buf[4096];
	ssize_t n, i;

	if (p->out_len)
		return flush_peer(p);
	n = recv(p->fd, buf, sizeof(buf), 0);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		return false;
	for (i = 0; i < n; i++) {
		if (buf[i] != '\n') {
			if (p->in_len == sizeof(p->in))
				return false;
			p->in[p->in_len++] = buf[i];
			continue;
		}
		/* Fits: 4 KiB of requests make less than 64 KiB of answers. */
		p->out_len += (size_t)answer(p->out + p->out_len,
					     sizeof(p->out) - p->out_len,
					     p->in, p->in_len, &p->from);
		p->in_len = 0;
	}
	return p->out_len ? flush_peer(p) : true;
}

static void listen_on(char *text)
{
	union end addr;
	int type, fd;

	if (endpoint(text, &addr))
		die("not an ADDR:PORT: %s", text);
	for (type = SOCK_STREAM; ; type = SOCK_DGRAM) {
		fd = new_socket(addr.sa.sa_family, type);
		if (bind(fd, &addr.sa, end_size(&addr)) < 0)
			die("bind %s: %s", text, strerror(errno));
		if (type == SOCK_DGRAM)
			break;
		if (listen(fd, 1024) < 0)
			die("listen: %s", strerror(errno));
		new_peer(LISTENER, fd);
	}
	new_peer(UDP_SOCKET, fd);
}

static int serve(char **endpoints)
{
	struct epoll_event events[64];
	int i, n;

	for (; *endpoints; endpoints++)
		listen_on(*endpoints);
	while ((n = epoll_wait(epoll_fd, events, 64, -1)) >= 0 ||
	       errno == EINTR) {
		for (i = 0; i < n; i++) {
			struct peer *p = events[i].data.ptr;

			if (p->kind == UDP_SOCKET) {
				serve_udp(p);
			} else if (p->kind == LISTENER) {
				accept_all(p);
			} else if (!serve_tcp(p)) {
				close(p->fd);
				free(p);
			}
		}
	}
	die("epoll_wait: %s", strerror(errno));
}

/* Client: flows ----------------------------------------------------------- */

static void raise_to(long long *max, long long value)
{
	if (value > *max)
		*max = value;
}

/* By a port that no flow of this client has had: conntrack would take it for that
 * one. Below the kernel's own choice (net.ipv4.ip_local_port_range).
 */
static int bind_anew(int fd, const union end *src)
{
	static in_port_t n;
	union end end = *src;
	unsigned int i;

	for (i = 0; i < PORTS; i++) {
		*end_port(&end) = htons((in_port_t)(FIRST_PORT + n++ % PORTS));
		if (!bind(fd, &end.sa, end_size(&end)))
			return 0;
		if (errno != EADDRINUSE)
			return -1;
	}
	return -1;
}

static int start_flow(struct flow *f)
{
	f->fd = new_socket(f->src.sa.sa_family,
			   f->tcp ? SOCK_STREAM : SOCK_DGRAM);
	if (bind_anew(f->fd, &f->src) < 0 ||
	    (connect(f->fd, &f->dst.sa, end_size(&f->dst)) < 0 &&
	     errno != EINPROGRESS)) {
		int err = -errno;

		close(f->fd);
		f->fd = -1;
		return err;
	}
	f->state = f->tcp ? CONNECTING : OPEN;
	watch(f->fd, f->tcp ? EPOLLOUT : EPOLLIN, f, EPOLL_CTL_ADD);
	return 0;
}

/* Opens a flow like the one given; only its description is used. */
static int add_flow(const struct flow *like, long long due)
{
	struct flow *f;
	int err;

	if (n_flows == MAX_FLOWS)
		return -ENOSPC;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->id = n_flows;
	f->tcp = like->tcp;
	f->reopen = like->reopen;
	memcpy(f->group, like->group, sizeof(f->group));
	f->src = like->src;
	f->dst = like->dst;
	f->period = like->period;
	f->due = due;
	f->answer = now_ns();
	err = start_flow(f);
	if (err) {
		free(f);
		return err;
	}
	flows[n_flows++] = f;
	return 0;
}

static void note_lost(struct flow *f, const struct packet *p)
{
	f->total.lost++;
	f->by_phase[p->phase].lost++;
}

static void end_flow(struct flow *f, enum state state)
{
	/* A closed flow's last packets are nobody's loss. */
	for (; state == RESET && f->oldest != f->seq; f->oldest++) {
		struct packet *p = &f->window[f->oldest % WINDOW];

		if (p->waits)
			note_lost(f, p);
		p->waits = false;
	}
	f->oldest = f->seq;
	close(f->fd);
	f->fd = -1;
	f->state = state;
}

static void break_flow(struct flow *f)
{
	end_flow(f, RESET);
	f->total.resets++;
	f->by_phase[phase].resets++;
	/*
	 * A flow that never worked would be opened again and again. A failure
	 * to open shows in the report as a flow that is missing.
	 */
	if (f->reopen && f->any)
		(void)add_flow(f, now_ns() + f->period);
}

/* Datagrams are lost when their time is over; TCP's come, or die with it. The time
 * in which this process stood still does not count: their answers may wait to be
 * read.
 */
static void expire(struct flow *f, long long now)
{
	for (; f->oldest != f->seq; f->oldest++) {
		struct packet *p = &f->window[f->oldest % WINDOW];

		if (p->waits && f->tcp)
			return;
		if (p->waits && (now - p->sent < GRACE || now - woke < GRACE))
			return;
		if (p->waits)
			note_lost(f, p);
		p->waits = false;
	}
}

static void send_one(struct flow *f, long long now)
{
	struct packet *p = &f->window[f->seq % WINDOW];
	char buf[MESSAGE];
	int len;

	/* A stalled TCP flow sends no more than the window remembers. */
	if (f->seq - f->oldest == WINDOW)
		return;
	len = snprintf(buf, sizeof(buf), "%u %u\n", f->id, f->seq);
	if (send(f->fd, buf, (size_t)len, MSG_NOSIGNAL) != len) {
		if (f->tcp && errno == EAGAIN)
			return;
		if (f->tcp) {
			break_flow(f);
			return;
		}
		/*
		 * The error may be an ICMP message about an earlier packet:
		 * this one was not sent then, so try again. Where there is no
		 * route it counts as sent all the same, and gets lost.
		 */
		f->total.errors++;
		f->by_phase[phase].errors++;
		(void)!send(f->fd, buf, (size_t)len, MSG_NOSIGNAL);
	}
	p->sent = now;
	p->phase = (uint8_t)phase;
	p->waits = true;
	f->seq++;
	f->total.sent++;
	f->by_phase[phase].sent++;
}

static void note_source(struct count *c, const union end *source)
{
	if (!end_known(&c->first))
		c->first = *source;
	c->last = *source;
}

static void note_answer(struct flow *f, unsigned int seq,
			const union end *source)
{
	struct packet *p = &f->window[seq % WINDOW];
	const union end *before = &f->total.last;
	struct count *c = &f->by_phase[phase];
	long long now = now_ns();

	if (seq - f->oldest >= f->seq - f->oldest || !p->waits) {
		f->total.late++;
		c->late++;
		return;
	}
	p->waits = false;
	f->total.answered++;
	f->by_phase[p->phase].answered++;
	raise_to(&f->total.gap, now - f->answer);
	raise_to(&c->gap, now - f->answer);
	f->answer = now;
	/* An answer overtaken by a later one says nothing about now. */
	if (f->any && (int)(seq - f->acked) < 0)
		return;
	if (f->any && !same_host(source, before)) {
		f->total.changes++;
		c->changes++;
	} else if (f->any && memcmp(source, before, sizeof(*source)) != 0) {
		f->total.ports++;
		c->ports++;
	}
	f->any = true;
	f->acked = seq;
	note_source(&f->total, source);
	note_source(c, source);
}

/* One answer, NUL-terminated, without its newline. */
static void read_answer(struct flow *f, char *text)
{
	char *seq = strchr(text, ' ');
	char *source = seq ? strchr(seq + 1, ' ') : NULL;
	union end addr;
	long id, n;

	if (!source)
		return;
	*seq++ = '\0';
	*source++ = '\0';
	id = number(text, MAX_FLOWS);
	n = number(seq, INT32_MAX);
	if (id != (long)f->id || n < 0 || endpoint(source, &addr))
		return;
	note_answer(f, (unsigned int)n, &addr);
}

static void read_udp(struct flow *f)
{
	char buf[MESSAGE + 1];
	ssize_t n;

	for (;;) {
		n = recv(f->fd, buf, MESSAGE, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			f->total.errors++;
			f->by_phase[phase].errors++;
			continue;
		}
		if (n > 0 && buf[n - 1] == '\n') {
			buf[n - 1] = '\0';
			read_answer(f, buf);
		}
	}
}

static void read_tcp(struct flow *f)
{
	char buf[4096];
	ssize_t n, i;

	n = recv(f->fd, buf, sizeof(buf), 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		break_flow(f);
		return;
	}
	for (i = 0; i < n; i++) {
		if (buf[i] == '\n') {
			f->line[f->line_len] = '\0';
			read_answer(f, f->line);
			f->line_len = 0;
		} else if (f->line_len < sizeof(f->line) - 1) {
			f->line[f->line_len++] = buf[i];
		}
	}
}

static void flow_event(struct flow *f)
{
	int err = 0;
	socklen_t size = sizeof(err);

	if (f->fd < 0)
		return;
	if (!f->tcp) {
		read_udp(f);
	} else if (f->state == CONNECTING) {
		getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &err, &size);
		if (err) {
			break_flow(f);
			return;
		}
		f->state = OPEN;
		watch(f->fd, EPOLLIN, f, EPOLL_CTL_MOD);
	} else {
		read_tcp(f);
	}
}

/* Client: commands -------------------------------------------------------- */

static int next_source(union end *src, const char *text,
		       unsigned int *count)
{
	char addr[INET6_ADDRSTRLEN];
	const char *dash = strchr(text, '-');
	size_t len = dash ? (size_t)(dash - text) : strlen(text);
	long last, first;

	if (len >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (end_parse(src, addr))
		return -EINVAL;
	*count = 1;
	if (!dash)
		return 0;
	first = *end_last(src);
	last = number(dash + 1, 255);
	if (last < first)
		return -EINVAL;
	*count = (unsigned int)(last - first + 1);
	return 0;
}

/* Spreads COUNT flows of N sources evenly over one period. */
static int open_flows(struct flow *f, unsigned int n, unsigned int count)
{
	uint8_t base = *end_last(&f->src);
	unsigned int total = n * count, i;
	long long now = now_ns();
	int err;

	for (i = 0; i < total; i++) {
		*end_last(&f->src) = (uint8_t)(base + i / count);
		err = add_flow(f, now + f->period * i / total);
		if (err)
			return err;
	}
	return 0;
}

static int open_options(struct flow *f, char **words, unsigned int *count)
{
	long value;

	for (; *words; words++) {
		if (!strcmp(*words, "reopen")) {
			f->reopen = true;
		} else if (!strncmp(*words, "count=", 6)) {
			value = number(*words + 6, MAX_FLOWS);
			if (value < 1)
				return -EINVAL;
			*count = (unsigned int)value;
		} else if (!strncmp(*words, "rate=", 5)) {
			value = number(*words + 5, MAX_RATE);
			if (value < 1)
				return -EINVAL;
			f->period = NSEC / value;
		} else {
			return -EINVAL;
		}
	}
	return 0;
}

static void command_open(FILE *out, int n, char **words)
{
	static struct flow f;	/* too big for a stack */
	unsigned int sources, count = 1;
	long port;
	int err;

	memset(&f, 0, sizeof(f));
	f.period = NSEC / 10;
	if (n < 6 || strlen(words[1]) >= sizeof(f.group)) {
		fputs("error: open GROUP udp|tcp SRC DST PORT\n", out);
		return;
	}
	strcpy(f.group, words[1]);
	f.tcp = !strcmp(words[2], "tcp");
	port = number(words[5], 65535);
	if ((!f.tcp && strcmp(words[2], "udp")) || port < 1 ||
	    next_source(&f.src, words[3], &sources) ||
	    end_parse(&f.dst, words[4]) ||
	    open_options(&f, words + 6, &count)) {
		fputs("error: a word of open is not valid\n", out);
		return;
	}
	*end_port(&f.dst) = htons((uint16_t)port);
	err = open_flows(&f, sources, count);
	if (err)
		fprintf(out, "error: %s\n", strerror(-err));
}

static void print_source(FILE *out, const char *key,
			 const union end *source)
{
	char addr[INET6_ADDRSTRLEN] = "-";

	if (end_known(source))
		end_text(source, addr);
	fprintf(out, " %s=%s", key, addr);
}

/* c: the flow's totals, or its counts of one phase; the latter's gap may have
 * begun before the phase, and a gap that goes on belongs to the last one.
 */
static void report_flow(FILE *out, const struct flow *f, const struct count *c)
{
	bool live = f->state == OPEN || f->state == CONNECTING;
	bool current = c == &f->total || c == &f->by_phase[phase];
	long long gap = c->gap, silent = now_ns() - f->answer;
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);
	char addr[INET6_ADDRSTRLEN];

	if (live && current && !paused && !f->paused)
		raise_to(&gap, silent);
	if (f->tcp && live)
		getsockopt(f->fd, IPPROTO_TCP, TCP_INFO, &info, &size);
	end_text(&f->src, addr);
	fprintf(out, "flow=%u group=%s proto=%s src=%s", f->id, f->group,
		f->tcp ? "tcp" : "udp", addr);
	end_text(&f->dst, addr);
	fprintf(out, " dst=%s state=%s sent=%u answered=%u lost=%u late=%u",
		addr, state_names[f->state], c->sent, c->answered, c->lost,
		c->late);
	fprintf(out, " pending=%u errors=%u changes=%u ports=%u resets=%u",
		c->sent - c->answered - c->lost, c->errors, c->changes,
		c->ports, c->resets);
	print_source(out, "first", &c->first);
	print_source(out, "last", &c->last);
	fprintf(out, " gap_ms=%lld silent_ms=%lld retrans=%u\n", gap / MSEC,
		silent / MSEC, info.tcpi_total_retrans);
}

static void command_report(FILE *out, const char *name)
{
	unsigned int i, which = 0;

	/* The latest phase of that name. */
	if (name) {
		for (which = phase; strcmp(phases[which], name); which--) {
			if (which == 0) {
				fputs("error: no such phase\n", out);
				return;
			}
		}
	}
	for (i = 0; i < n_flows; i++)
		report_flow(out, flows[i], name ? &flows[i]->by_phase[which] :
						  &flows[i]->total);
}

static void command_mark(FILE *out, const char *name)
{
	if (phase + 1 == MAX_PHASES || strlen(name) >= MAX_NAME) {
		fputs("error: too many phases, or too long a name\n", out);
		return;
	}
	strcpy(phases[++phase], name);
	if (series)
		fprintf(series, "%lld,mark,%s,,,,,\n",
			(now_ns() - epoch) / MSEC, name);
}

static unsigned int count_unready(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < n_flows; i++)
		n += flows[i]->fd >= 0 && !flows[i]->any;
	return n;
}

static void command_close(const char *group)
{
	unsigned int i;

	for (i = 0; i < n_flows; i++)
		if (flows[i]->fd >= 0 && !strcmp(flows[i]->group, group))
			end_flow(flows[i], CLOSED);
}

static void command_pause(const char *group)
{
	unsigned int i;

	if (!group)
		paused = true;
	for (i = 0; i < n_flows && group; i++)
		if (!strcmp(flows[i]->group, group))
			flows[i]->paused = true;
}

/* Flows were silent by order: that is no gap of theirs. */
static void command_resume(void)
{
	unsigned int i;

	for (i = 0; i < n_flows; i++) {
		flows[i]->answer = now_ns();
		flows[i]->paused = false;
	}
	paused = false;
}

static void command(FILE *out, char *line)
{
	char *words[MAX_WORDS + 1] = { NULL }, *rest = NULL;
	int n = 0;

	for (words[n] = strtok_r(line, " \n", &rest); words[n] && n < MAX_WORDS;
	     words[n] = strtok_r(NULL, " \n", &rest))
		n++;
	words[n] = NULL;
	if (!n)
		fputs("error: no command\n", out);
	else if (!strcmp(words[0], "open"))
		command_open(out, n, words);
	else if (!strcmp(words[0], "report"))
		command_report(out, words[1]);
	else if (!strcmp(words[0], "mark") && n == 2)
		command_mark(out, words[1]);
	else if (!strcmp(words[0], "close") && n == 2)
		command_close(words[1]);
	else if (!strcmp(words[0], "ready"))
		fprintf(out, "%u\n", count_unready());
	else if (!strcmp(words[0], "pause"))
		command_pause(words[1]);
	else if (!strcmp(words[0], "resume"))
		command_resume();
	else if (!strcmp(words[0], "stop"))
		stopped = true;
	else
		fprintf(out, "error: unknown command: %s\n", words[0]);
}

/* One command a connection; the other side is our own ctl, on this machine. */
static void control(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char line[512];
	FILE *out;
	ssize_t n;

	if (fd < 0)
		return;
	n = read(fd, line, sizeof(line) - 1);
	out = fdopen(fd, "w");
	if (!out || n < 0) {
		close(fd);
		return;
	}
	line[n] = '\0';
	command(out, line);
	fclose(out);
}

/* Client: main loop ------------------------------------------------------- */

static void write_series(long long now)
{
	char src[INET6_ADDRSTRLEN], link[INET6_ADDRSTRLEN];
	unsigned int i;

	series_due = now + series_period;
	for (i = 0; i < n_flows; i++) {
		struct flow *f = flows[i];

		/* One that could not be opened is there, too. */
		if (f->fd < 0 && f->series_told &&
		    f->series_answered == f->total.answered &&
		    f->series_lost == f->total.lost)
			continue;
		f->series_told = true;
		end_text(&f->src, src);
		end_text(&f->total.last, link);
		fprintf(series, "%lld,%u,%s,%s,%s,%u,%u,%s\n",
			(now - epoch) / MSEC, f->id, f->group,
			f->tcp ? "tcp" : "udp", src,
			f->total.answered - f->series_answered,
			f->total.lost - f->series_lost, link);
		f->series_answered = f->total.answered;
		f->series_lost = f->total.lost;
	}
	fflush(series);
}

/* Does what is due and returns the time of what comes next. */
static long long work(void)
{
	static long long last;
	long long now = now_ns(), next = now + NSEC;
	unsigned int i;

	/* It sleeps for a second at the most. */
	if (last && now - last > 3 * NSEC / 2)
		woke = now;
	last = now;
	for (i = 0; i < n_flows; i++) {
		struct flow *f = flows[i];

		if (f->fd < 0)
			continue;
		expire(f, now);
		if (f->due <= now) {
			if (!paused && !f->paused && f->state == OPEN)
				send_one(f, now);
			/* Late is late: never a burst to catch up. */
			f->due += f->period;
			if (f->due <= now)
				f->due = now + f->period;
		}
		if (f->due < next)
			next = f->due;
	}
	if (series && series_due <= now)
		write_series(now);
	if (series && series_due < next)
		next = series_due;
	return next;
}

static int listen_unix(const char *path, bool client)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0 || strlen(path) >= sizeof(addr.sun_path))
		die("%s: no socket, or too long a path", path);
	strcpy(addr.sun_path, path);
	if (client) {
		err = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	} else {
		unlink(path);
		err = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
		if (!err)
			err = listen(fd, 16);
	}
	if (err)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static int client(const char *path)
{
	struct epoll_event events[64];
	struct timespec wait;
	long long pause_ns;
	int listener = listen_unix(path, false);
	int i, n;

	/* The one descriptor without a flow behind it. */
	watch(listener, EPOLLIN, NULL, EPOLL_CTL_ADD);
	epoch = now_ns();
	if (series)
		fputs("ms,flow,group,proto,src,answered,lost,link\n", series);
	while (!stopped) {
		pause_ns = work() - now_ns();
		if (pause_ns < 0)
			pause_ns = 0;
		wait.tv_sec = (time_t)(pause_ns / NSEC);
		wait.tv_nsec = (long)(pause_ns % NSEC);
		/* epoll_wait() waits for whole milliseconds, and musl has no
		 * epoll_pwait2().
		 */
		ppoll(&(struct pollfd){ .fd = epoll_fd, .events = POLLIN }, 1,
		      &wait, NULL);
		n = epoll_wait(epoll_fd, events, 64, 0);
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr)
				flow_event(events[i].data.ptr);
			else
				control(listener);
		}
	}
	unlink(path);
	return 0;
}

/* Prints the answer; fails if it is an error. */
static int ctl(const char *path, char **words)
{
	char line[512] = "", buf[4096];
	int fd = listen_unix(path, true);
	size_t len = 0;
	bool first = true, failed = false;
	ssize_t n;

	for (; *words; words++) {
		n = snprintf(line + len, sizeof(line) - len, "%s ", *words);
		len += (size_t)n;
		if (len >= sizeof(line))
			die("the command is too long");
	}
	line[len - 1] = '\n';
	if (write(fd, line, len) != (ssize_t)len)
		die("%s: %s", path, strerror(errno));
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (first && n >= 5 && !memcmp(buf, "error", 5))
			failed = true;
		first = false;
		fwrite(buf, 1, (size_t)n, failed ? stderr : stdout);
	}
	return failed ? 1 : 0;
}

static int usage(void)
{
	fputs("usage: flows serve ADDR:PORT...\n"
	      "       flows client [-c FILE] [-i MS] SOCKET\n"
	      "       flows ctl SOCKET WORD...\n", stderr);
	return 64;
}

static int client_options(int argc, char **argv)
{
	long ms;
	int opt;

	while ((opt = getopt(argc, argv, "c:i:")) != -1) {
		if (opt == 'c') {
			series = fopen(optarg, "w");
			if (!series)
				die("%s: %s", optarg, strerror(errno));
		} else if (opt == 'i') {
			ms = number(optarg, 60000);
			if (ms < 1)
				die("not a number of milliseconds: %s", optarg);
			series_period = ms * MSEC;
		} else {
			return usage();
		}
	}
	if (argc - optind != 1)
		return usage();
	return client(argv[optind]);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc < 3)
		return usage();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		die("epoll_create1: %s", strerror(errno));
	if (!strcmp(argv[1], "serve"))
		return serve(argv + 2);
	if (!strcmp(argv[1], "client"))
		return client_options(argc - 1, argv + 1);
	if (!strcmp(argv[1], "ctl") && argc > 3)
		return ctl(argv[2], argv + 3);
	return usage();
}
