// SPDX-License-Identifier: MIT
/* load - more traffic than a line carries
 *
 *	load serve ADDR PORT			for the next two
 *	load down|up SRC ADDR PORT SECONDS	eight greedy TCP connections
 *	load flood SRC ADDR PORT SECONDS KBIT	UDP that nobody answers
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FLOWS = 8, CLIENTS = 64, CHUNK = 16384, DATAGRAM = 1000 };

static char buf[CHUNK];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in address(const char *addr, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	a.sin_port = htons((uint16_t)atoi(port));
	if (inet_pton(AF_INET, addr, &a.sin_addr) != 1)
		die(addr);
	return a;
}

/* Who says 'd' is sent to, others are read from. */
static void serve(const char *addr, const char *port)
{
	struct sockaddr_in a = address(addr, port);
	struct pollfd fd[CLIENTS + 1] = { { .fd = -1 } };
	int on = 1, n = 1, i;
	char word;

	fd[0] = (struct pollfd){ socket(AF_INET, SOCK_STREAM, 0), POLLIN, 0 };
	setsockopt(fd[0].fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd[0].fd, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(fd[0].fd, CLIENTS))
		die("listen");
	puts("ready");
	fflush(stdout);
	while (poll(fd, (nfds_t)n, -1) > 0) {
		if (fd[0].revents && n <= CLIENTS) {
			fd[n].fd = accept(fd[0].fd, NULL, NULL);
			if (read(fd[n].fd, &word, 1) == 1)
				fd[n].events = word == 'd' ? POLLOUT : POLLIN;
			fd[n++].revents = 0;
		}
		for (i = 1; i < n; i++) {
			ssize_t done = 1;

			if (fd[i].revents & POLLOUT)
				done = send(fd[i].fd, buf, CHUNK, MSG_DONTWAIT);
			else if (fd[i].revents)
				done = recv(fd[i].fd, buf, CHUNK, MSG_DONTWAIT);
			if (done > 0)
				continue;
			close(fd[i].fd);
			fd[i] = fd[--n];
		}
	}
}

static void greedy(char word, const char *src, const struct sockaddr_in *to,
		   double end)
{
	struct sockaddr_in from = address(src, "0");
	struct pollfd fd[FLOWS];
	unsigned long long bytes = 0;
	ssize_t done;
	int i;

	for (i = 0; i < FLOWS; i++) {
		fd[i] = (struct pollfd){
			.fd = socket(AF_INET, SOCK_STREAM, 0),
			.events = word == 'd' ? POLLIN : POLLOUT,
		};
		if (bind(fd[i].fd, (struct sockaddr *)&from, sizeof(from)) ||
		    connect(fd[i].fd, (const struct sockaddr *)to,
			    sizeof(*to)) ||
		    write(fd[i].fd, &word, 1) != 1)
			die("connect");
	}
	while (now() < end && poll(fd, FLOWS, 1000) >= 0)
		for (i = 0; i < FLOWS; i++) {
			done = 0;
			if (fd[i].revents & POLLOUT)
				done = send(fd[i].fd, buf, CHUNK, MSG_DONTWAIT);
			else if (fd[i].revents & POLLIN)
				done = recv(fd[i].fd, buf, CHUNK, MSG_DONTWAIT);
			bytes += done > 0 ? (unsigned long long)done : 0;
		}
	printf("%llu\n", bytes);
}

static void flood(const char *src, const struct sockaddr_in *to, double end,
		  double kbit)
{
	struct sockaddr_in from = address(src, "0");
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	double start = now(), t;
	unsigned long long n = 0;

	if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
		die("bind");
	for (t = start; t < end; t = now()) {
		for (; (double)n * DATAGRAM * 8 / 1000 < (t - start) * kbit; n++)
			sendto(fd, buf, DATAGRAM - 28, 0,
			       (const struct sockaddr *)to, sizeof(*to));
		usleep(4000);
	}
	printf("%llu\n", n * DATAGRAM);
}

int main(int argc, char **argv)
{
	struct sockaddr_in to;
	double end;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && !strcmp(argv[1], "serve")) {
		serve(argv[2], argv[3]);
		return 1;
	}
	if (argc < 6)
		return 64;
	to = address(argv[3], argv[4]);
	end = now() + atof(argv[5]);
	if (argc == 7)
		flood(argv[2], &to, end, atof(argv[6]));
	else
		greedy(argv[1][0], argv[2], &to, end);
	return 0;
}
