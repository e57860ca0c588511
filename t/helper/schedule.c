// SPDX-License-Identifier: MIT
/* Links that come and go, and the hooks of many pppds at once, in the order
 * that a seed gives; in a network namespace of its own, with the run and
 * configuration directories of a test.
 *
 *	schedule random BIN ROUNDS SEED
 *	schedule flap BIN STEP		a flap at every STEPth system call
 *	schedule giveup BIN		a hook that gives up on a stopped one
 *
 * A round is a few events, whose hooks run in parallel; some are killed,
 * stopped or find their link gone and back, at a system call of a given
 * number. When all have ended, the kernel must hold what its links and the
 * configuration ask for, as "ip" shows it, and a further run must find nothing
 * to do. The first round that fails is shown, with its events, and ends the
 * run.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../unit/unit.h"

enum {
	LINKS = 64,
	TIER_2 = LINKS * 2 / 3,	/* the first link of the second tier */
	TABLE = 1000,
	JOBS = 4 * LINKS,
	HOOKS_MAX = 100000,
	/* Longer than a hook waits for the lock (lock.h, LOCK_WAIT_MS). */
	HOLD_US = 3000000,
	/* As many system calls as a hook makes that has all to do. */
	CALLS = 1200,
	/* Nobody waits longer for a hook that hangs. */
	HANGS_US = 120000000,
};

#define LOG "/var/log/ifchang.log"

/* A device, and the session on it. */
struct dev {
	int fd;			/* of the tun device; -1: none */
	bool on;		/* it is up ... */
	bool up;		/* with an address */
	bool up6;		/* with those of IPV6CP */
	unsigned int session;	/* its address and the one before it */
	unsigned int last;
};

enum family { IPV4, IPV6 };

enum trick { NONE, KILL, FLAP, HOLD };

/* A hook that runs. */
struct job {
	pid_t pid;
	unsigned int link;
	enum trick trick;
	unsigned int at;	/* the system call; 0: the first one after a
				 * look whether anything has changed */
	unsigned int calls;
	bool looked, done, seen;
	int64_t start, resume, stopped;
};

static struct dev dev[LINKS];
static int renamed[LINKS];	/* devices that have left their name */
static unsigned int n_renamed;
static struct job job[JOBS];
static unsigned int n_jobs, running;
static const char *bin;
static int sock, rtnl;

static unsigned long hooks, kills, flaps, late, busy, unsettled;
static unsigned long failures, n_times;
static long times[HOOKS_MAX];
/* Of the processor, which depends little on what else the machine does. */
static long work[HOOKS_MAX];
static bool killed;		/* ... a hook in this round */
static char events[16384];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *fmt, ...)
{
	size_t len = strlen(events);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(events + len, sizeof(events) - len, fmt, ap);
	va_end(ap);
}

/* --- devices --- */

static void address(unsigned int link, unsigned int session, char text[20])
{
	snprintf(text, 20, "10.%u.%u.%u", 64 + session / 200 % 100, link,
		 1 + session % 200);
}

/* Every third link is Ethernet, with a gateway that mwan.ini names and a client
 * that calls mwan-rules.
 */
static bool is_ethernet(unsigned int link)
{
	return link % 3 == 1;
}

static void gateway(unsigned int link, char text[20])
{
	snprintf(text, 20, "10.63.%u.1", link);
}

static void name(struct ifreq *r, unsigned int link)
{
	memset(r, 0, sizeof(*r));
	snprintf(r->ifr_name, IFNAMSIZ, "ppp%u", link);
}

static void set_addr(unsigned int link, unsigned long what, const char *text)
{
	struct ifreq r;
	struct sockaddr_in in = { .sin_family = AF_INET };

	name(&r, link);
	inet_pton(AF_INET, text, &in.sin_addr);
	memcpy(&r.ifr_addr, &in, sizeof(in));
	/* ioctl() takes an int with musl, a long with glibc. */
	if (syscall(SYS_ioctl, sock, what, &r))
		die("address");
}

/* The kernel takes IPv6 from what is down. */
static void set_up(unsigned int link, bool up)
{
	struct ifreq r;

	name(&r, link);
	r.ifr_flags = (short)(IFF_POINTOPOINT | (up ? IFF_UP : 0));
	if (ioctl(sock, SIOCSIFFLAGS, &r))
		die("flags");
	dev[link].on = up;
	dev[link].up6 = dev[link].up6 && up;
}

/* Every sixth link has IPv6 too, which comes and goes by itself. */
static bool is_ipv6(unsigned int link)
{
	return link % 6 == 0;
}

/* The end of IPV6CP, as pppd writes it. */
static void end6(unsigned int link, char end, char text[40])
{
	snprintf(text, 40, "fe80::0000:0000:0000:%c%03x", end, link);
}

static void put_attr(struct nlmsghdr *h, unsigned short type, const void *data,
		     unsigned int len)
{
	struct rtattr *a = (void *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + RTA_SPACE(len);
}

/* IPV6CP opens or ends: pppd's two addresses. */
static void set_ipv6(unsigned int link, bool up)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg ifa;
		char attrs[64];
	} m = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(m.ifa)),
		       .nlmsg_type = up ? RTM_NEWADDR : RTM_DELADDR,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.ifa = { .ifa_family = AF_INET6, .ifa_prefixlen = 128,
			 .ifa_flags = IFA_F_NODAD },
	};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} answer;
	char text[40], dev_name[IFNAMSIZ + 16];
	struct in6_addr a;

	snprintf(dev_name, sizeof(dev_name), "ppp%u", link);
	m.ifa.ifa_index = if_nametoindex(dev_name);
	end6(link, 'a', text);
	inet_pton(AF_INET6, text, &a);
	put_attr(&m.h, IFA_LOCAL, &a, sizeof(a));
	end6(link, 'b', text);
	inet_pton(AF_INET6, text, &a);
	put_attr(&m.h, IFA_ADDRESS, &a, sizeof(a));
	if (send(rtnl, &m, m.h.nlmsg_len, 0) < 0 ||
	    recv(rtnl, &answer, sizeof(answer), 0) < (ssize_t)sizeof(answer))
		die("rtnetlink");
	errno = -answer.e.error;
	if (errno)
		die("address of IPv6");
	dev[link].up6 = up;
}

static void dev_new(unsigned int link)
{
	struct dev *d = &dev[link];
	struct ifreq r;

	if (d->fd >= 0)
		return;
	d->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	name(&r, link);
	r.ifr_flags = is_ethernet(link) ? IFF_TAP | IFF_NO_PI :
					  IFF_TUN | IFF_NO_PI;
	if (d->fd < 0 || ioctl(d->fd, TUNSETIFF, &r))
		die("tun");
}

/* The order is pppd's. */
static void dev_up(unsigned int link)
{
	static unsigned int sessions;
	struct dev *d = &dev[link];
	char text[20], peer[20];

	dev_new(link);
	d->session = ++sessions;
	address(link, d->session, text);
	set_addr(link, SIOCSIFADDR, text);
	gateway(link, peer);
	set_addr(link, SIOCSIFDSTADDR, peer);
	/* Or one that leaves its name would have the network of all. */
	set_addr(link, SIOCSIFNETMASK, "255.255.255.255");
	set_up(link, true);
	d->up = true;
}

static void dev_clear(unsigned int link)
{
	struct dev *d = &dev[link];

	if (!d->up)
		return;
	d->last = d->session;
	d->up = false;
	set_addr(link, SIOCSIFADDR, "0.0.0.0");
}

static void dev_gone(unsigned int link)
{
	struct dev *d = &dev[link];

	if (d->fd < 0)
		return;
	set_up(link, false);
	dev_clear(link);
	close(d->fd);
	d->fd = -1;
}

/* As it is, address and all, it is not ours any more. */
static void dev_rename(unsigned int link)
{
	static unsigned int serial;
	struct dev *d = &dev[link];
	struct ifreq r;

	if (n_renamed == LINKS)
		return;
	name(&r, link);
	snprintf(r.ifr_newname, IFNAMSIZ, "was%u", serial++);
	if (ioctl(sock, SIOCSIFNAME, &r)) {
		/* Before Linux 6.2 only what is down can be renamed. */
		set_up(link, false);
		if (ioctl(sock, SIOCSIFNAME, &r))
			die("rename");
	}
	renamed[n_renamed++] = d->fd;
	d->last = d->session;
	d->fd = -1;
	d->on = d->up = d->up6 = false;
}

/* --- hooks --- */

static void begin(struct job *j, const char *tool, const char *arg,
		  const char *local)
{
	/* LeakSanitizer cannot run in what is traced. */
	static char *const env[] = { "ASAN_OPTIONS=detect_leaks=0", NULL };
	char path[4096], ifname[IFNAMSIZ + 16], via[20], peer6[40];
	int null;

	snprintf(path, sizeof(path), "%s/%s", bin, tool);
	snprintf(ifname, sizeof(ifname), "ppp%u", j->link);
	j->start = now_us();
	/* Not fork(): a device lasts as long as any copy of its descriptor. */
	j->pid = vfork();
	if (j->pid < 0)
		die("vfork");
	if (j->pid) {
		running++;
		hooks++;
		return;
	}
	null = open("/dev/null", O_RDWR);
	dup2(null, 1);
	dup2(null, 2);
	syscall(SYS_close_range, 3, ~0U, 0);
	if (j->trick != NONE)
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	gateway(j->link, via);
	end6(j->link, 'b', peer6);
	if (arg && !local)
		execle(path, tool, arg, NULL, env);
	else if (arg && !strcmp(arg, "up"))
		execle(path, tool, arg, ifname, local, via, NULL, env);
	else if (arg)
		execle(path, tool, arg, ifname, NULL, env);
	else
		execle(path, tool, ifname, "eth9", "0", local,
		       strchr(local, ':') ? peer6 : "10.63.0.1", NULL, env);
	_exit(127);
}

static struct job *new_job(unsigned int link, enum trick trick,
			   unsigned int at)
{
	struct job *j = &job[n_jobs++];

	if (n_jobs == JOBS)
		die("too many hooks");
	*j = (struct job){ .link = link, .trick = trick, .at = at };
	return j;
}

static struct job *hook(bool up, unsigned int link, unsigned int session,
			enum trick trick, unsigned int at)
{
	static const char *const text[] = { "", " killed", " with a flap",
					    " held" };
	struct job *j = new_job(link, trick, at);
	char local[20];

	address(link, session, local);
	note("#   %s %s ppp%u %s%s", is_ethernet(link) ? "mwan-rules" : "ip",
	     up ? "up" : "down", link, local, text[trick]);
	note(trick == NONE ? "\n" : " at call %u\n", at);
	if (is_ethernet(link))
		begin(j, "mwan-rules", up ? "up" : "down", local);
	else
		begin(j, up ? "ip-up.local" : "ip-down.local", NULL, local);
	return j;
}

/* The hook of the family that is_ipv6() means. */
static void hook6(bool up, unsigned int link, enum trick trick,
		  unsigned int at)
{
	struct job *j = new_job(link, trick, at);
	char local[40];

	end6(link, 'a', local);
	note("#   ipv6-%s ppp%u%s", up ? "up" : "down", link,
	     trick == KILL ? " killed" : "");
	note(trick == NONE ? "\n" : " at call %u\n", at);
	begin(j, up ? "ip-up.local" : "ip-down.local", NULL, local);
}

/* The trick's moment has come. Does the process go on? */
static bool play(struct job *j)
{
	int64_t start = now_us();

	j->done = true;
	switch (j->trick) {
	case KILL:
		kill(j->pid, SIGKILL);
		kills++;
		killed = true;
		return false;
	case HOLD:
		j->resume = start + HOLD_US;
		return false;
	case FLAP:
		flaps++;
		dev_gone(j->link);
		dev_up(j->link);
		j->stopped = now_us() - start;
		return true;
	default:
		return true;
	}
}

/* A traced hook has stopped, most often at a system call. */
static void on_stop(struct job *j, int status)
{
	struct __ptrace_syscall_info info;
	int sig = WSTOPSIG(status);
	bool look;

	if (!j->calls && sig == SIGTRAP) {
		ptrace(PTRACE_SETOPTIONS, j->pid, NULL,
		       PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
		sig = 0;
	} else if (sig == (SIGTRAP | 0x80)) {
		sig = 0;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, j->pid, sizeof(info),
			   &info) > 0 &&
		    info.op == PTRACE_SYSCALL_INFO_ENTRY) {
			j->calls++;
			/* nl_heard() alone does not wait. */
			look = info.entry.nr == SYS_recvfrom &&
			       info.entry.args[3] & MSG_DONTWAIT;
			if (!j->done && (j->at ? j->calls == j->at :
					 j->looked && !look) && !play(j))
				return;
			j->looked = j->looked || look;
			j->seen = j->seen || (j->done && look);
		}
	}
	ptrace(PTRACE_SYSCALL, j->pid, NULL, sig);
}

static long us(struct timeval tv)
{
	return (long)(tv.tv_sec * 1000000 + tv.tv_usec);
}

static void on_end(struct job *j, int status, const struct rusage *used)
{
	long took = (long)(now_us() - j->start - j->stopped);
	unsigned int link = j->link, code = (unsigned int)WEXITSTATUS(status);

	j->pid = 0;
	running--;
	if (WIFSIGNALED(status))
		return;
	if (n_times < HOOKS_MAX) {
		work[n_times] = us(used->ru_utime) + us(used->ru_stime);
		times[n_times++] = took;
	}
	busy += code == 75;
	/* The log says whether that is right, see refused(). */
	unsettled += code == 1;
	failures += code > 1 && code != 75;
	if (code > 1 && code != 75)
		note("#   a hook of ppp%u has failed: %u\n", link, code);
	if (j->trick != FLAP || !j->done || j->seen || code == 75)
		return;
	/* Between the last look and the end: pppd may or may not call again. */
	late++;
	hook(false, link, dev[link].last, NONE, 0);
	hook(true, link, dev[link].session, NONE, 0);
}

/* Look after the hooks, until all have ended if @all. */
static void attend(bool all)
{
	static const struct timespec pause = { .tv_nsec = 5000000 };
	struct rusage used;
	sigset_t set;
	unsigned int i;
	int status;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	while (running) {
		pid = wait4(-1, &status, WNOHANG | __WALL, &used);
		for (i = 0; i < n_jobs && pid > 0; i++) {
			if (job[i].pid != pid)
				continue;
			if (WIFSTOPPED(status))
				on_stop(&job[i], status);
			else
				on_end(&job[i], status, &used);
			break;
		}
		for (i = 0; i < n_jobs; i++) {
			struct job *j = &job[i];

			if (j->pid && now_us() - j->start > HANGS_US) {
				kill(j->pid, SIGKILL);
				note("#   a hook of ppp%u hangs\n", j->link);
				failures++;
			}
			if (!j->pid || !j->resume || now_us() < j->resume)
				continue;
			j->stopped = HOLD_US;
			j->resume = 0;
			ptrace(PTRACE_SYSCALL, j->pid, NULL, 0);
		}
		if (pid <= 0 && !all)
			return;
		if (pid <= 0)
			sigtimedwait(&set, NULL, &pause);
	}
}

/* --- what there has to be --- */

static unsigned int tier(unsigned int link)
{
	return link < TIER_2 ? 1 : 2;
}

static unsigned int weight(unsigned int link)
{
	return 1 + link % 5;
}

/* Can this family use the link? */
static bool serves(unsigned int link, enum family f)
{
	return f == IPV6 ? dev[link].up6 : dev[link].up;
}

/* The best tier of a link that is up; 0: none is. */
static unsigned int best_tier(enum family f)
{
	unsigned int i;

	for (i = 0; i < LINKS; i++)
		if (serves(i, f))
			return tier(i);
	return 0;
}

static void configure(void)
{
	FILE *f = fopen("/etc/ppp/mwan.ini", "w");
	unsigned int i;
	char via[20];

	if (!f)
		die("/etc/ppp/mwan.ini");
	fprintf(f, "[mwan]\nqdisc = none\nbalance = source\nipv6 = yes\n");
	for (i = 0; i < LINKS; i++) {
		fprintf(f, "[link ppp%u]\ntable = %u\nweight = %u\ntier = "
			"%u\n", i, TABLE + i, weight(i), tier(i));
		gateway(i, via);
		if (is_ethernet(i))
			fprintf(f, "gateway = %s\n", via);
		if (is_ipv6(i))
			fprintf(f, "prefix6 = 2001:db8:a%02x::/48\n", i);
	}
	fclose(f);
}

static void want_rules(FILE *f)
{
	unsigned int i;
	char text[20];

	fprintf(f, "0:\tfrom all lookup local\n"
		"1000:\tnot from all fwmark 0x6d77616e lookup main "
		"suppress_prefixlength 0 proto 119\n");
	for (i = 0; i < LINKS; i++)
		fprintf(f, "%u:\tfrom all fwmark 0x%x/0xff lookup %u proto "
			"119\n", 1001 + i, i + 1, TABLE + i);
	for (i = 0; i < LINKS; i++) {
		address(i, dev[i].session, text);
		if (dev[i].up)
			fprintf(f, "%u:\tfrom %s lookup %u proto 119\n",
				1301 + i, text, TABLE + i);
	}
	fprintf(f, "1900:\tnot from all fwmark 0/0xff lookup 200 proto 119\n"
		"32766:\tfrom all lookup main\n"
		"32767:\tfrom all lookup default\n");
	if (best_tier(IPV4))
		fprintf(f, "32768:\tfrom all lookup BEST proto 119\n");
	fprintf(f, "32769:\tfrom all lookup 200 proto 119\n");
}

/* Of IPv6: the network that is remembered goes before the marks. */
static void want_rules6(FILE *f)
{
	unsigned int i;

	fprintf(f, "6 0:\tfrom all lookup local\n"
		"6 1000:\tnot from all fwmark 0x6d77616e lookup main "
		"suppress_prefixlength 0 proto 119\n6 1001:\tfrom all lookup 199 proto 119\n");
	for (i = 0; i < LINKS; i++) {
		fprintf(f, "6 %u:\tfrom all fwmark 0x%x/0xff lookup %u proto "
			"119\n", 1002 + i, i + 1, TABLE + i);
		if (dev[i].up6)
			fprintf(f, "6 %u:\tfrom 2001:db8:a%02x::/48 lookup %u "
				"proto 119\n", 1301 + i, i, TABLE + i);
	}
	fprintf(f, "6 1900:\tnot from all fwmark 0/0xff lookup 200 proto 119\n"
		"6 32766:\tfrom all lookup main\n");
	if (best_tier(IPV6))
		fprintf(f, "6 32768:\tfrom all lookup BEST proto 119\n");
	fprintf(f, "6 32769:\tfrom all lookup 200 proto 119\n");
}

/* Nexthops and groups have ids of their family. */
static void want_nexthops(FILE *f, enum family of)
{
	const unsigned int base = 77001 + 512 * of;
	unsigned int i, t;
	const char *sep;
	char via[20];

	for (i = 0; i < LINKS; i++) {
		gateway(i, via);
		if (!serves(i, of))
			continue;
		if (of == IPV6)
			fprintf(f, "id %u via fe80::b%03x dev ppp%u scope link "
				"proto 119\n", base + i, i, i);
		else if (is_ethernet(i))
			fprintf(f, "id %u via %s dev ppp%u scope link proto "
				"119 onlink\n", base + i, via, i);
		else
			fprintf(f, "id %u dev ppp%u scope host proto 119\n",
				base + i, i);
	}
	for (t = 1; t <= 2; t++) {
		sep = "";
		for (i = 0; i < LINKS; i++) {
			if (!serves(i, of) || tier(i) != t)
				continue;
			if (!*sep)
				fprintf(f, "id %u group ", base + 255 + t);
			fprintf(f, "%s%u", sep, base + i);
			if (weight(i) > 1)
				fprintf(f, ",%u", weight(i));
			sep = "/";
		}
		if (*sep)
			fprintf(f, " proto 119\n");
	}
}

static void want_routes(FILE *f)
{
	bool used[3] = { false };
	unsigned int i, t;
	char via[20];

	for (i = 0; i < LINKS; i++) {
		if (!dev[i].up)
			continue;
		used[tier(i)] = true;
		gateway(i, via);
		if (is_ethernet(i))
			fprintf(f, "default via %s dev ppp%u table %u proto "
				"119 onlink\n", via, i, TABLE + i);
		else
			fprintf(f, "default dev ppp%u table %u proto 119 "
				"scope link\n", i, TABLE + i);
	}
	for (t = 1; t <= 2; t++) {
		if (!used[t])
			continue;
		fprintf(f, "default nhid %u table 200 proto 119 metric %u\n",
			77256 + t, t);
		fprintf(f, "default nhid %u table default proto 119 metric "
			"%u\n", 77256 + t, 65536 + t);
	}
	if (best_tier(IPV4))
		fprintf(f, "default dev BEST table default proto 119 scope "
			"link metric 65536\n");
}

static void want_routes6(FILE *f)
{
	bool used[3] = { false };
	unsigned int i, t;

	for (i = 0; i < LINKS; i++) {
		if (!dev[i].up6)
			continue;
		used[tier(i)] = true;
		fprintf(f, "6 default via fe80::b%03x dev ppp%u table %u proto "
			"119 metric 1024 pref medium\n", i, i, TABLE + i);
		fprintf(f, "6 ppp%u 2001:db8:a%02x:ffff::6d77:%x/128\n", i, i,
			i + 1);
	}
	for (t = 1; t <= 2; t++) {
		if (!used[t])
			continue;
		fprintf(f, "6 default nhid %u table 200 proto 119 metric %u "
			"pref medium\n", 77768 + t, t);
		fprintf(f, "6 default nhid %u table default proto 119 metric "
			"%u pref medium\n", 77768 + t, 65536 + t);
	}
	if (best_tier(IPV6))
		fprintf(f, "6 default via BEST table default proto 119 metric "
			"65536 pref medium\n");
}

/* Where each mark leads: the standby by any link of the best tier. */
static void want_ways(FILE *f, enum family of)
{
	const char *six = of == IPV6 ? "6 " : "";
	unsigned int i;

	for (i = 0; i < LINKS && best_tier(of); i++) {
		if (serves(i, of))
			fprintf(f, "%smark %u ppp%u\n", six, i + 1, i);
		else
			fprintf(f, "%smark %u BEST\n", six, i + 1);
	}
}

/* A sed script for what "ip" shows: where one link of several may be. */
static void write_names(FILE *f, enum family of)
{
	const char *six = of == IPV6 ? "6 " : "";
	unsigned int i, k, best = best_tier(of);

	for (i = 0; i < LINKS; i++) {
		if (!serves(i, of) || tier(i) != best)
			continue;
		fprintf(f, "s/^(%s32768:.* )%u /\\1BEST /\n", six, TABLE + i);
		fprintf(f, "s/^(6 default via )[0-9a-f:]* dev ppp%u (table "
			"default)/\\1BEST \\2/\n", i);
		fprintf(f, "s/^(default dev )ppp%u (table default)/"
			"\\1BEST \\2/\n", i);
		fprintf(f, "s/^default via [0-9.]* dev ppp%u table default "
			"proto 119 metric 65536 onlink/default dev BEST table "
			"default proto 119 scope link metric 65536/\n", i);
		for (k = 0; k < LINKS; k++)
			if (!serves(k, of))
				fprintf(f, "s/^%smark %u ppp%u$/%smark %u "
					"BEST/\n", six, k + 1, i, six, k + 1);
	}
	/* The memory of the last address waits for a link. */
	if (!best)
		fprintf(f, "/^%s13[0-9][0-9]:/d\n", six);
}

/* Is the kernel as it should be? Shows the difference. */
static bool look(void)
{
	static const char show[] =
		"{ ip rule; ip nexthop; ip -4 route show table all | sed -E '"
		"/ table local /d; / proto kernel /d; /^\tnexthop /d;"
		"/ nhid /s/( via [0-9.]*)? dev ppp[0-9]*//; / nhid /s/ onlink//';"
		"ip -force -batch marks 2>&1 |"
		"sed -nE 's/.* dev ([^ ]*) .*/\\1/p' | awk '"
		"{ print \"mark\", NR, $1 }';"
		"{ ip -6 rule; ip -6 route show table all | sed -E '"
		"/ table local /d; / proto kernel /d; /^\tnexthop /d;"
		"/ nhid /s/( via [0-9a-f:]*)? dev ppp[0-9]*//';"
		"ip -6 -br addr show scope global | awk '"
		"!/^was/ { for (i = 3; i <= NF; i++) print $1, $i }';"
		"ip -6 -force -batch marks6 2>&1 | sed -nE "
		"'s/^2001:db8::([^ ]*) .* dev ([^ ]*) .*/\\1 \\2/p' |"
		"while read -r n dev; do echo mark $((0x$n)) $dev; done;"
		"} | sed 's/^/6 /'; } | sed -E -f names.sed |"
		"sed 's/ *$//' | grep -v -e '^multicast' -e 'dev lo ' |"
		"sort >got; sort -o want want; diff want got | head -n 40 |"
		"sed 's/^/# /'; cmp -s want got";
	FILE *f = fopen("want", "w");

	if (!f)
		die("want");
	want_rules(f);
	want_rules6(f);
	want_nexthops(f, IPV4);
	want_nexthops(f, IPV6);
	want_routes(f);
	want_routes6(f);
	want_ways(f, IPV4);
	want_ways(f, IPV6);
	fclose(f);
	f = fopen("names.sed", "w");
	if (!f)
		die("names.sed");
	write_names(f, IPV4);
	write_names(f, IPV6);
	fclose(f);
	fflush(stdout);
	return system(show) == 0;
}

/* Has the last run changed anything? */
static bool nothing_done(const char *what)
{
	char line[4096] = "", last[4096] = "";
	FILE *f = fopen(LOG, "r");

	while (f && fgets(line, sizeof(line), f))
		strcpy(last, line);
	if (f)
		fclose(f);
	if (strstr(last, " changes=0 "))
		return true;
	printf("# %s: %s", what, last);
	return false;
}

/* Has a hook failed for another reason than that links kept changing, or
 * without a word?
 */
static bool refused(void)
{
	static unsigned long before;
	FILE *f = fopen(LOG, "r");
	char line[4096];
	unsigned long said = 0;
	bool bad = false;

	while (f && fgets(line, sizeof(line), f)) {
		if (!strstr(line, "result=failed"))
			continue;
		said++;
		if (strstr(line, "interfaces keep coming and going"))
			continue;
		bad = true;
		printf("# %s", line);
	}
	if (f)
		fclose(f);
	if (unsettled - before > said) {
		printf("# %lu hooks have failed, and %lu say so\n",
		       unsettled - before, said);
		bad = true;
	}
	before = unsettled;
	return bad;
}

/* All hooks have ended: is everything right, and does it stay so? */
static bool settled(unsigned int link)
{
	bool good = look();

	good = !refused() && good;
	(void)!truncate(LOG, 0);
	n_jobs = 0;
	hook(dev[link].up, link, dev[link].session, NONE, 0);
	attend(true);
	good = nothing_done("a further hook") && good;
	n_jobs = 0;
	begin(new_job(link, NONE, 0), "mwan-rules", "apply", NULL);
	attend(true);
	return nothing_done("apply") && good;
}

/* --- the schedule --- */

static enum trick some_trick(unsigned int *at)
{
	*at = 1 + unit_random(CALLS);
	return unit_random(5) ? NONE : KILL;
}

static void up_hook(unsigned int link)
{
	unsigned int at;
	enum trick trick = some_trick(&at);

	hook(true, link, dev[link].session, trick, at);
}

static void down_hook(unsigned int link)
{
	unsigned int at;
	enum trick trick = some_trick(&at);

	hook(false, link, dev[link].last, trick, at);
}

static void both_hooks(unsigned int link)
{
	if (unit_random(2)) {
		down_hook(link);
		up_hook(link);
	} else {
		up_hook(link);
		down_hook(link);
	}
}

/* IPV6CP opens or ends, whatever IPCP does. */
static void event_ipv6(unsigned int link)
{
	unsigned int at;
	enum trick trick = some_trick(&at);
	bool up = !dev[link].up6;

	note("# IPv6 of ppp%u %s\n", link, up ? "comes" : "goes");
	if (up && !dev[link].on) {
		dev_new(link);
		set_up(link, true);
	}
	set_ipv6(link, up);
	hook6(up, link, trick, at);
}

static void event_absent(unsigned int link)
{
	unsigned int kind = unit_random(4), at = 1 + unit_random(CALLS);

	note("# ppp%u comes, %u\n", link, kind);
	if (is_ipv6(link) && unit_random(2))
		event_ipv6(link);
	dev_up(link);
	switch (kind) {
	case 0:
		up_hook(link);
		break;
	case 1:		/* the old session's ip-down is late */
		both_hooks(link);
		break;
	case 2:
		up_hook(link);
		up_hook(link);
		break;
	case 3:
		hook(true, link, dev[link].session, FLAP, at);
		break;
	}
}

static void event_present(unsigned int link)
{
	unsigned int kind = unit_random(9), at = 1 + unit_random(CALLS);

	if (is_ipv6(link) && unit_random(2)) {
		event_ipv6(link);
		return;
	}
	note("# ppp%u is there, %u\n", link, kind);
	switch (kind) {
	case 0:
	case 1:
		set_up(link, false);
		dev_clear(link);
		down_hook(link);
		dev_gone(link);
		break;
	case 2:		/* IPv6CP keeps the device up */
		dev_clear(link);
		down_hook(link);
		break;
	case 3:		/* negotiated anew */
		dev_clear(link);
		dev_up(link);
		both_hooks(link);
		break;
	case 4:		/* a late ip-down, with nothing new */
		down_hook(link);
		break;
	case 5:
		up_hook(link);
		up_hook(link);
		break;
	case 6:
		dev_gone(link);
		dev_up(link);
		both_hooks(link);
		break;
	case 7:
		dev_rename(link);
		down_hook(link);
		break;
	case 8:
		hook(unit_random(2), link, dev[link].session, FLAP, at);
		break;
	}
}

/* All at once, as when the machine boots or the provider fails. */
static void event_all(bool up)
{
	unsigned int i;

	note("# all %s\n", up ? "come" : "go");
	for (i = 0; i < LINKS; i++) {
		if (up == dev[i].up)
			continue;
		if (up) {
			dev_up(i);
			if (is_ipv6(i) && !dev[i].up6)
				event_ipv6(i);
			hook(true, i, dev[i].session, NONE, 0);
		} else {
			dev_gone(i);
			hook(false, i, dev[i].last, NONE, 0);
		}
		attend(false);
	}
}

static void some_events(void)
{
	unsigned int n = 1 + unit_random(8), link = unit_random(LINKS);

	/* Each its own link. */
	for (; n; n--, link = (link + 1 + unit_random(7)) % LINKS) {
		if (dev[link].up)
			event_present(link);
		else
			event_absent(link);
		attend(false);
	}
}

static bool one_round(void)
{
	unsigned int i, at = 1 + unit_random(CALLS), link = unit_random(LINKS);
	bool all = !unit_random(25), up = unit_random(2);

	events[0] = '\0';
	n_jobs = 0;
	killed = false;
	if (!unit_random(40))
		hook(dev[link].up, link, dev[link].session, HOLD, at);
	if (!unit_random(10))
		begin(new_job(link, NONE, 0), "mwan-rules", "apply", NULL);
	if (all)
		event_all(up);
	else
		some_events();
	attend(true);
	/* Whoever is killed has somebody after him. */
	link = unit_random(LINKS);
	if (killed)
		hook(dev[link].up, link, dev[link].session, NONE, 0);
	attend(true);
	if (!unit_random(4)) {
		for (i = 0; i < n_renamed; i++)
			close(renamed[i]);
		n_renamed = 0;
	}
	return settled(unit_random(LINKS)) && !failures;
}

static bool run_random(unsigned long rounds, uint64_t seed)
{
	unsigned long n;

	unit_seed = seed ? seed : 1;
	for (n = 1; n <= rounds; n++) {
		if (one_round())
			continue;
		printf("# round %lu of SEED=%llu has failed after\n%s", n,
		       (unsigned long long)seed, events);
		return false;
	}
	return true;
}

/* A link that goes and comes during its hook, and no further call. Hooks and
 * "mwan-rules up" make calls of their own, and so have a last look each.
 */
static bool run_flaps(unsigned int step)
{
	unsigned int at, link = 0;
	bool past_last[2] = { false, false }, ended[2] = { false, false };
	unsigned long before;
	bool kind;
	struct job *j;

	for (at = 1; ; at += step) {
		events[0] = '\0';
		n_jobs = 0;
		link = (link + 1) % LINKS;
		before = late;
		kind = is_ethernet(link);
		j = hook(true, link, dev[link].session, FLAP, at);
		attend(true);
		ended[kind] = ended[kind] || !j->done;
		if (ended[false] && ended[true])
			return true;
		/* No look comes after the last one. */
		if (!settled(link) || failures || (j->seen && past_last[kind]))
			break;
		past_last[kind] = past_last[kind] || late > before;
	}
	printf("# after a flap:\n%s", events);
	return false;
}

/* One hook is stopped after its look whether anything has changed. A link goes
 * meanwhile, and its hook gives up the lock.
 */
static bool run_giveup(void)
{
	unsigned long before = busy;

	hook(true, 1, dev[1].session, HOLD, 0);
	while (!job[0].resume && running)
		attend(false);
	dev_gone(2);
	hook(false, 2, dev[2].last, NONE, 0);
	attend(true);
	if (settled(3) && busy == before + 1)
		return true;
	printf("# after %lu hooks that gave up:\n%s", busy - before, events);
	return false;
}

static int compare(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

static void report(void)
{
	qsort(times, n_times, sizeof(times[0]), compare);
	qsort(work, n_times, sizeof(work[0]), compare);
	printf("hooks=%lu killed=%lu flaps=%lu late=%lu busy=%lu "
	       "unsettled=%lu failed=%lu", hooks, kills, flaps, late, busy,
	       unsettled, failures);
	if (n_times)
		printf(" p50_ms=%ld p99_ms=%ld max_ms=%ld work_p50_us=%ld "
		       "work_p99_us=%ld work_max_us=%ld",
		       times[n_times / 2] / 1000,
		       times[n_times * 99 / 100] / 1000,
		       times[n_times - 1] / 1000, work[n_times / 2],
		       work[n_times * 99 / 100], work[n_times - 1]);
	putchar('\n');
}

/* The configuration in force, and every link up. */
static void prepare(void)
{
	FILE *f = fopen("marks", "w"), *f6 = fopen("marks6", "w");
	sigset_t set;
	unsigned int i;

	if (!f || !f6)
		die("marks");
	for (i = 0; i < LINKS; i++) {
		fprintf(f, "route get 192.0.2.1 mark %u\n", i + 1);
		fprintf(f6, "route get 2001:db8::%x mark %u\n", i + 1, i + 1);
		dev[i].fd = -1;
	}
	fclose(f);
	fclose(f6);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	rtnl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (sock < 0 || rtnl < 0)
		die("socket");
	configure();
	for (i = 0; i < LINKS; i++) {
		dev_up(i);
		if (is_ipv6(i))
			set_ipv6(i, true);
	}
	begin(new_job(0, NONE, 0), "mwan-rules", "apply", NULL);
	attend(true);
	n_jobs = 0;
}

int main(int argc, char **argv)
{
	bool good = false;

	if (argc < 3)
		return 64;
	bin = argv[2];
	prepare();
	if (!strcmp(argv[1], "random") && argc == 5)
		good = run_random(strtoul(argv[3], NULL, 10),
				  strtoull(argv[4], NULL, 10));
	else if (!strcmp(argv[1], "flap") && argc == 4)
		good = run_flaps((unsigned int)strtoul(argv[3], NULL, 10));
	else if (!strcmp(argv[1], "giveup"))
		good = run_giveup();
	report();
	return !good;
}
