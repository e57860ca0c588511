// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/lock.h"
#include "conf/programs.h"
#include "tool/notify.h"

enum {
	/* The longest time that a program may take. */
	PROGRAM_SECONDS = 30,
	/* Names of links, as many as fit. */
	BY_MAX = 256,
	WORD_MAX = 16,
};

/* The facts about a link that programs are told. */
struct notice {
	uint64_t number;	/* 0: it is no news */
	int64_t at;		/* seconds since 1970 */
	char link[IFNAMSIZ];
	char event[WORD_MAX], state[WORD_MAX], state6[WORD_MAX];
	char address[ADDR_TEXT], address6[ADDR_TEXT], peer[ADDR_TEXT];
	char by[BY_MAX];	/* who carries its traffic */
};

/* The file "links" in the directory EVENTS below the run directory: the last
 * notice of each link, as of the newest look at the kernel. Beside it are the
 * file "lock" for its writers, and for each program a file of its name after a
 * point, which has the number of the last notice that the program was given (a
 * uint64_t) and is locked by the process that serves it.
 */
#define EVENTS "events"
#define LINKS "links"

struct told {
	uint32_t size;		/* of this struct: another version's is not read */
	uint32_t n;
	int64_t looked;		/* struct session */
	uint64_t number;	/* of the newest notice */
	struct notice link[LINKS_MAX];
};

/* --- what there is to tell --- */

static const char *state_of(const struct link *l, bool up, enum family f,
			    bool flushed)
{
	return !up ? "down" : flushed ? "flushed" : l->held[f] ? "held" :
	       l->drained ? "drained" : "up";
}

static void say_addr(const struct addr *a, char text[ADDR_TEXT])
{
	*text = '\0';
	if (a->family)
		addr_text(a, text);
}

static void fill(struct notice *n, const struct session *s, unsigned int i,
		 bool flushed)
{
	const struct link *l = &s->present.link[i];
	bool up6 = link_usable(l, FAMILY_IPV6);
	bool up = link_usable(l, FAMILY_IPV4) || up6;

	strcpy(n->link, s->conf.link[i].name);
	strcpy(n->state, state_of(l, up, FAMILY_IPV4, flushed));
	strcpy(n->state6, state_of(l, up6, FAMILY_IPV6, flushed));
	say_addr(&l->af[FAMILY_IPV4].local, n->address);
	say_addr(&l->af[FAMILY_IPV4].peer, n->peer);
	say_addr(&l->af[FAMILY_IPV6].local, n->address6);
	if (up && !l->held[FAMILY_IPV4])
		strcpy(n->by, n->link);
	else
		session_carriers(s, (int)i, n->by, sizeof(n->by));
}

static struct notice *find(struct told *t, const char *link)
{
	static const struct notice none;
	unsigned int i;

	for (i = 0; i < t->n; i++)
		if (!strcmp(t->link[i].link, link))
			return &t->link[i];
	/* Full of links that there are no more: those that are come again. */
	if (t->n == LINKS_MAX)
		t->n = 0;
	t->link[t->n] = none;
	return &t->link[t->n++];
}

/* A link that is down when it is first seen, as all are at boot, is no news. */
static void update(struct told *t, struct notice *now)
{
	struct notice *was = find(t, now->link);
	bool same = !strcmp(was->state, now->state);
	bool same6 = !strcmp(was->state6, now->state6);
	bool at = !strcmp(was->address, now->address) &&
		  !strcmp(was->address6, now->address6);

	if (same && (!strcmp(now->state, "down") || (at && same6)))
		return;
	strcpy(now->event, !same ? now->state : !at ? "address" : "ipv6-");
	if (same && at)
		strcat(now->event, now->state6);
	now->number = 0;
	if (*was->state || strcmp(now->state, "down"))
		now->number = ++t->number;
	*was = *now;
}

/* As much of it as is in the file. */
static size_t told_len(const struct told *t)
{
	return offsetof(struct told, link) + t->n * sizeof(t->link[0]);
}

/* Has room for the NUL that file_read() adds. */
union told_room {
	struct told told;
	char room[sizeof(struct told) + 1];
};

static void read_told(union told_room *u, int events)
{
	struct told *t = &u->told;
	ssize_t n = file_read(events, LINKS, u->room, sizeof(u->room),
			      FILE_NO_SYMLINK | FILE_OWN, NULL);

	if (n >= (ssize_t)offsetof(struct told, link) &&
	    t->size == sizeof(*t) && t->n <= LINKS_MAX &&
	    n == (ssize_t)told_len(t))
		return;
	memset(t, 0, sizeof(*t));
	t->size = sizeof(*t);
}

/* A process that looked later has told all of it. Returns false when there is
 * nothing new.
 */
static bool record(const struct session *s, bool flushed, int events)
{
	static union told_room u;
	struct notice now = { .at = time(NULL) };
	uint64_t before;
	unsigned int i;
	struct err err;
	int lock = openat(events, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (lock < 0 || flock(lock, LOCK_EX))
		return false;
	read_told(&u, events);
	before = u.told.number;
	if (u.told.looked < s->looked) {
		u.told.looked = s->looked;
		for (i = 0; i < s->conf.n_links; i++) {
			fill(&now, s, i, flushed);
			update(&u.told, &now);
		}
		(void)file_replace(events, EVENTS, LINKS, (char *)&u.told,
				   told_len(&u.told), &err);
	}
	close(lock);
	return u.told.number > before;
}

/* --- a program --- */

enum { VARIABLES = 12, VARIABLE_MAX = BY_MAX + 16 };

static char **environment(const struct notice *n)
{
	static char text[VARIABLES][VARIABLE_MAX];
	static char *env[VARIABLES + 1];
	char date[32];
	struct tm tm = { 0 };
	time_t at = (time_t)n->at;
	const struct {
		const char *name, *value;
	} known[] = {
		{ "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
		  "/sbin:/bin" },
		{ "LINK", n->link }, { "EVENT", n->event },
		{ "STATE", n->state }, { "STATE6", n->state6 },
		{ "ADDRESS", n->address },
		{ "ADDRESS6", n->address6 }, { "PEER", n->peer },
		{ "CARRIED_BY", n->by }, { "TIME", date },
	};
	size_t i;

	localtime_r(&at, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S%z", &tm);
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		snprintf(text[i], VARIABLE_MAX, "%s=%s", known[i].name,
			 known[i].value);
		env[i] = text[i];
	}
	return env;
}

static void become_program(const char *name, const struct notice *n)
{
	char path[sizeof(PROGRAMS_DIR) + PROGRAM_NAME + 1], word[PROGRAM_NAME];
	char *argv[] = { word, NULL };
	sigset_t none;
	int i;

	snprintf(path, sizeof(path), PROGRAMS_DIR "/%s", name);
	strcpy(word, name);
	setpgid(0, 0);
	/* Ours, and those that whoever started us did not want. */
	for (i = 1; i < SIGRTMIN; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(path, argv, environment(n));
	_exit(EXIT_FAILURE);
}

/* Wait until it ends or its time is up; then end what it has left in its
 * process group, so that the number of processes stays bounded.
 */
static void run_program(const char *name, const struct notice *n)
{
	struct timespec end, now, left = { 0 };
	sigset_t child;
	siginfo_t is;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	pid = fork();
	if (!pid)
		become_program(name, n);
	if (pid < 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += PROGRAM_SECONDS;
	do {
		is.si_pid = 0;
		if (waitid(P_PID, (id_t)pid, &is, WEXITED | WNOHANG | WNOWAIT) ||
		    is.si_pid)
			break;
		clock_gettime(CLOCK_MONOTONIC, &now);
		left.tv_sec = end.tv_sec - now.tv_sec;
		if (left.tv_sec > 0)
			sigtimedwait(&child, NULL, &left);
	} while (left.tv_sec > 0);
	/* Its number is not free yet, so these are its own. */
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- who works for a program --- */

/* The oldest notice after @number; NULL if there is none. */
static const struct notice *next_notice(const struct told *t, uint64_t number)
{
	const struct notice *next = NULL;
	unsigned int i;

	for (i = 0; i < t->n; i++)
		if (t->link[i].number > number &&
		    (!next || t->link[i].number < next->number))
			next = &t->link[i];
	return next;
}

/* The number of the last notice that the program was given. */
static uint64_t given(int mine)
{
	uint64_t number;

	return pread(mine, &number, sizeof(number), 0) == sizeof(number) ?
	       number : 0;
}

/* Give the program each notice that it has not had, until none is left. One at
 * a time: what happens to a link meanwhile is one notice, the last. Each time
 * that the lock is taken another may have given it what was new.
 */
static void work(const char *name, int mine, int events)
{
	static union told_room u;
	const struct notice *n;
	uint64_t number;

	do {
		number = given(mine);
		for (;;) {
			read_told(&u, events);
			/* The run directory has been emptied since. */
			if (number > u.told.number)
				number = 0;
			n = next_notice(&u.told, number);
			if (!n)
				break;
			number = n->number;
			run_program(name, n);
			(void)!pwrite(mine, &number, sizeof(number), 0);
		}
		flock(mine, LOCK_UN);
		/* Processes that came before that have gone away, relying on
		 * us.
		 */
		read_told(&u, events);
	} while (next_notice(&u.told, number) &&
		 !flock(mine, LOCK_EX | LOCK_NB));
}

/* The lock belongs to the open file: a forked process has it as well. */
static void start_worker(const char *name, int events)
{
	char own[PROGRAM_NAME + 1];
	int mine;

	snprintf(own, sizeof(own), ".%s", name);
	mine = openat(events, own, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		      0600);
	if (mine < 0)
		return;
	if (!flock(mine, LOCK_EX | LOCK_NB) && !fork()) {
		work(name, mine, events);
		_exit(EXIT_SUCCESS);
	}
	close(mine);
}

/* --- a process of its own --- */

static int open_events(void)
{
	struct err err;
	int events, dir = rundir_open(&err);

	if (dir < 0)
		return -1;
	(void)!mkdirat(dir, EVENTS, 0700);
	events = openat(dir, EVENTS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			O_CLOEXEC);
	close(dir);
	return events;
}

/* Nothing of who started us holds us, and we hold nothing of his. */
static void detach(int keep)
{
	int fd, null = open("/dev/null", O_RDWR);

	setsid();
	for (fd = 0; fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	/* A hook has the descriptors that it has opened, and what pppd forgot.
	 */
	for (fd = STDERR_FILENO + 1; fd < 256; fd++)
		if (fd != keep)
			close(fd);
	(void)!chdir("/");
	umask(022);
	signal(SIGCHLD, SIG_DFL);
}

static void tell(const struct session *s, bool flushed, int dir)
{
	static struct programs programs;
	unsigned int i;
	int events;

	detach(dir);
	programs_read(&programs, dir);
	events = open_events();
	if (programs.unsafe || events < 0 || !record(s, flushed, events))
		return;
	for (i = 0; i < programs.n; i++)
		if (programs.program[i].fault == PROGRAM_FINE)
			start_worker(programs.program[i].name, events);
}

void notify(const struct session *s, bool flushed)
{
	pid_t pid;
	int dir;

	if (!s->looked)
		return;
	dir = open(PROGRAMS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return;
	pid = fork();
	if (!pid) {
		/* A process that lives on has no parent to wait for it any
		 * more.
		 */
		if (!fork())
			tell(s, flushed, dir);
		_exit(EXIT_SUCCESS);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	close(dir);
}
