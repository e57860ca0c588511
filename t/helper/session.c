// SPDX-License-Identifier: MIT
/* session TIMES LINK: one process that carries out again and again what a hook
 * does once, while LINK goes down and up, and each fifth time nothing happens.
 * Prints how many times all was as it should be, and what was not.
 */
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/session.h"

static struct session session;
static struct outcome outcome;
static bool failed;

static void complain(unsigned long time, const char *what)
{
	if (!failed)
		printf("# the %lu. time: %s: %s\n", time, what,
		       outcome.code ? outcome.err.msg : "no error");
	failed = true;
}

static void set_up(const char *name, bool up)
{
	struct ifreq r = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), code;

	strncpy(r.ifr_name, name, sizeof(r.ifr_name) - 1);
	code = fd < 0 || ioctl(fd, SIOCGIFFLAGS, &r);
	r.ifr_flags = (short)((r.ifr_flags & ~IFF_UP) | (up ? IFF_UP : 0));
	if (code || ioctl(fd, SIOCSIFFLAGS, &r)) {
		perror(name);
		exit(1);
	}
	close(fd);
}

static unsigned int n_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

/* What a hook does, with what it has already. */
static void once(void)
{
	struct plan_event event = { .gone_link = -1 };
	struct outcome *o = &outcome;

	outcome_begin(o);
	o->code = lock_take(&session.lock, "lock", LOCK_WAIT_MS, &o->err);
	if (!o->code)
		o->code = session_conf(&session, &o->err);
	if (!o->code)
		session_links(&session, &event, NULL, o);
	session_again(&session, o);
}

int main(int argc, char **argv)
{
	unsigned long times = argc > 2 ? strtoul(argv[1], NULL, 10) : 0, i;
	unsigned long good = 0;
	unsigned int fds;
	bool up = true, changes;
	struct err err;
	int link;

	session.lock.fd = -1;
	if (!times || session_open(&session, &err)) {
		fputs("usage: session TIMES LINK, as root\n", stderr);
		return 64;
	}
	once();
	link = conf_link_index(&session.conf, argv[2]);
	fds = n_open();
	for (i = 1; i <= times && link >= 0; i++) {
		changes = i % 5;
		up = changes ? !up : up;
		if (changes)
			set_up(argv[2], up);
		once();
		if (outcome_failed(&outcome) || outcome.code)
			complain(i, "it failed");
		else if (changes != (outcome.changes > 0))
			complain(i, "too much or nothing was changed");
		else if (link_usable(&session.present.link[link],
				     FAMILY_IPV4) != up)
			complain(i, "it has not seen the link");
		else if (outcome.rounds > 3 || outcome.later.n)
			complain(i, "something is left of the time before");
		else
			good++;
	}
	if (n_open() != fds)
		complain(i, "it has not closed its files");
	printf("%lu\n", good);
	session_close(&session);
	return failed || link < 0;
}
