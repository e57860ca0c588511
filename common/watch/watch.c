// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "conf/state.h"
#include "conf/watched.h"
#include "tool/service.h"
#include "watch/act.h"
#include "watch/ask.h"
#include "watch/counter.h"
#include "watch/monitor.h"
#include "watch/probe.h"
#include "watch/watch.h"

enum {
	MS = 1000,
	SECOND = PROBE_SECOND,
	/* A verdict must be said again in this time, and is so three times as
	 * often: who dies holds nobody out for longer.
	 */
	HELD_SECONDS = 30,
	RENEW = HELD_SECONDS / 3 * SECOND,
	WATCHED_SECONDS = 5,
	/* Delay from a change to its repair: the changes of one command come
	 * together, and a hook that pppd calls goes first.
	 */
	DEBOUNCE = 10 * MS,
	DEBOUNCE_LINKS = 50 * MS,
	/* Between two repairs. The delay grows while others change nftables all
	 * the time, and nothing of ours.
	 */
	PAUSE = 200 * MS,
	PAUSE_MAX = SECOND,
	/* The most messages read from one socket at once. */
	READ_MAX = 256,
	/* Signals, timer, rtnetlink, nftables. */
	FDS = 4,
};

/* All that is kept while it runs. */
struct watch {
	struct session *session;
	struct report *report;
	struct probe probe;
	struct counter counter;
	struct monitor monitor;
	struct packet_key key;
	struct nl look;			/* not the run's: that may be at work */
	struct ask ask[LINKS_MAX];
	struct act_note note[LINKS_MAX];	/* not told yet */
	struct act_note telling[LINKS_MAX];	/* by the child */
	struct verdicts held;
	struct watch_targets targets[LINKS_MAX];
	struct watched watched[LINKS_MAX];
	struct timespec accepted;	/* of the copy that conf was made from */
	bool in_force;
	int signals, timer;
	int64_t period;
	int64_t now;
	int64_t second;			/* when it last looked around */
	int64_t renewed;		/* held */
	int64_t watchdog;
	bool act_now;			/* a verdict has changed */
	int64_t heal_at;		/* 0: nothing to heal */
	bool nft_alone;			/* ... and only nftables has changed */
	int64_t pause;
	int64_t acted;			/* begin of the last repair */
	pid_t child;			/* 0: none */
	bool blind;			/* counters are not available: said
					 * once */
	bool ending;
};

static struct watch watch;

static int64_t boot_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

static void say(struct watch *w, const struct err *err)
{
	report_say(w->report, err->msg);
}

/* --- what is in force --- */

static struct timespec accepted_time(void)
{
	struct stat st;

	if (lstat(RUN_DIR "/mwan.ini", &st))
		return (struct timespec){ 0 };
	return st.st_mtim;
}

static struct probe_rules rules_of(const struct watch_conf *c,
				   unsigned int n_targets)
{
	return (struct probe_rules){
		.detect = (int64_t)c->detect * MS,
		.recover = (int64_t)c->recover * MS,
		.interval = (int64_t)c->interval * MS,
		.latency = (int64_t)c->latency * MS,
		.loss = c->loss,
		.n_targets = c->probe.kind == WATCH_NONE ? 0 : n_targets,
	};
}

static bool same_targets(const struct watch_targets *a,
			 const struct watch_targets *b)
{
	unsigned int i;

	for (i = 0; i < a->n && a->n == b->n; i++)
		if (!addr_equal(&a->addr[i], &b->addr[i]))
			return false;
	return a->n == b->n;
}

static void set_line(struct watch *w, unsigned int i)
{
	const struct watch_conf *c = &w->session->conf.link[i].watch;
	struct watch_targets targets = c->targets;
	struct probe_rules rules;
	bool anew;

	/* It has been checked long ago. */
	if (!targets.n)
		(void)watch_targets_parse(WATCH_TARGETS_USUAL, &targets, NULL);
	anew = !same_targets(&targets, &w->targets[i]);
	w->targets[i] = targets;
	rules = rules_of(c, targets.n);
	probe_set(&w->probe, i, &rules, anew);
}

/* Lines that are still there keep what is known of them. */
static void carry_over(struct watch *w, const struct conf *old)
{
	static struct probe before;
	static struct watch_targets targets[LINKS_MAX];
	static struct watched watched[LINKS_MAX];
	unsigned int i;
	int k;

	before = w->probe;
	memcpy(watched, w->watched, sizeof(watched));
	memcpy(targets, w->targets, sizeof(targets));
	probe_begin(&w->probe, w->session->conf.n_links, w->now);
	memset(w->targets, 0, sizeof(w->targets));
	memset(w->note, 0, sizeof(w->note));
	memset(w->watched, 0, sizeof(w->watched));
	for (i = 0; i < LINKS_MAX; i++)
		ask_close(&w->ask[i]);
	for (i = 0; i < w->session->conf.n_links; i++) {
		k = conf_link_index(old, w->session->conf.link[i].name);
		if (k < 0 || (unsigned int)k >= before.n)
			continue;
		w->probe.line[i] = before.line[k];
		w->probe.line[i].up = false;
		w->targets[i] = targets[k];
		w->watched[i] = watched[k];
	}
}

/* Verdicts of who watched before us. */
static void take_over(struct watch *w)
{
	struct verdicts v;
	struct err err;
	unsigned int i;

	if (held_read(&w->session->conf, &v, &err)) {
		say(w, &err);
		return;
	}
	for (i = 0; i < w->probe.n; i++)
		if (v.held[i] && w->session->conf.link[i].watch.probe.kind !=
					 WATCH_NONE)
			probe_take_over(&w->probe, i, w->now);
}

static void count_links(struct watch *w)
{
	struct err err;

	if (!counter_make(&w->counter, &w->session->conf, &err)) {
		w->blind = false;
		return;
	}
	if (!w->blind)
		say(w, &err);
	w->blind = true;
}

/* Read what is in force, when that is another one than before. */
static int read_conf(struct watch *w, struct err *err)
{
	static struct conf old;
	bool before = w->in_force;
	unsigned int i;
	int code;

	old = w->session->conf;
	w->accepted = accepted_time();
	code = session_conf(w->session, err);
	if (code)
		return code;
	w->in_force = w->session->in_force;
	carry_over(w, &old);
	for (i = 0; i < w->probe.n; i++)
		set_line(w, i);
	if (!w->in_force)
		return 0;
	if (!before)
		take_over(w);
	count_links(w);
	return 0;
}

/* --- links --- */

static void see_line(struct watch *w, unsigned int i)
{
	const struct link *is = &w->session->present.link[i];
	const struct conf_link *want = &w->session->conf.link[i];
	bool up = w->in_force && want->watch.probe.kind != WATCH_NONE &&
		  link_usable(is, FAMILY_IPV4);
	struct err err;

	if (up && ask_open(&w->ask[i], want->name, is->ifindex,
			   &is->af[FAMILY_IPV4].local, &want->watch.probe,
			   &err)) {
		say(w, &err);
		up = false;
	}
	if (!up)
		ask_close(&w->ask[i]);
	probe_up(&w->probe, i, up, w->now);
}

static void see_links(struct watch *w)
{
	const struct present_source from = { .rtnl = &w->look };
	struct err err;
	unsigned int i;

	if (present_read(&w->session->present, &w->session->conf, &from,
			 &err)) {
		say(w, &err);
		return;
	}
	for (i = 0; i < w->probe.n; i++)
		see_line(w, i);
}

/* --- verdicts --- */

static void keep_held(struct watch *w)
{
	struct err err;
	unsigned int i;

	for (i = 0; i < w->probe.n; i++) {
		w->held.held[i] = w->probe.line[i].verdict == PROBE_DEAD &&
				  !w->ending;
		w->held.poor[i] = w->probe.line[i].verdict == PROBE_POOR &&
				  !w->ending;
	}
	w->renewed = w->now;
	if (held_write(&w->session->conf, &w->held, HELD_SECONDS, &err))
		say(w, &err);
}

static void keep_line(const struct probe_line *l,
		      const struct watch_targets *targets, struct watched *w)
{
	static const enum watched_verdict verdicts[] = {
		[PROBE_FINE] = WATCHED_FINE, [PROBE_POOR] = WATCHED_POOR,
		[PROBE_DEAD] = WATCHED_HELD,
	};

	w->verdict = l->up ? verdicts[l->verdict] : WATCHED_NOT;
	str_copy(w->why, sizeof(w->why), act_why(l->why));
	w->loss = probe_loss(l);
	w->rtt = (uint64_t)probe_rtt(l);
	w->answer = (uint64_t)l->heard / MS;
	w->target = targets->addr[l->last_target];
	w->questions = l->questions;
	w->replies = l->replies;
	w->verdicts = l->verdicts;
}

/* For mwan-rules status. */
static void keep_watched(struct watch *w)
{
	struct err err;
	unsigned int i;

	for (i = 0; i < w->probe.n; i++)
		keep_line(&w->probe.line[i], &w->targets[i], &w->watched[i]);
	if (watched_write(&w->session->conf, w->watched, WATCHED_SECONDS, &err))
		say(w, &err);
}

static bool any_held(const struct watch *w)
{
	unsigned int i;

	for (i = 0; i < w->probe.n; i++)
		if (w->held.held[i] || w->held.poor[i])
			return true;
	return false;
}

static void note_verdicts(struct watch *w)
{
	const struct probe_line *l;
	unsigned int i;

	for (i = 0; i < w->probe.n; i++) {
		l = &w->probe.line[i];
		if (l->changed != w->now)
			continue;
		w->note[i].event = l->verdict == PROBE_DEAD ? ACT_FAILED :
				   l->verdict == PROBE_POOR ? ACT_AVOIDED :
				   ACT_RECOVERED;
		w->note[i].line = *l;
		w->watched[i].since = (uint64_t)time(NULL);
	}
	keep_held(w);
	keep_watched(w);
	w->act_now = true;
}

/* --- questions and answers --- */

static void send_questions(struct watch *w)
{
	unsigned int i, target;
	uint16_t seq;

	for (i = 0; i < w->probe.n; i++)
		while (probe_next(&w->probe, i, &seq, &target))
			if (ask_send(&w->ask[i], &w->key, seq,
				     &w->targets[i].addr[target]))
				probe_unsent(&w->probe, i, seq);
}

/* Was it this one who was asked? */
static bool is_target(const struct watch *w, unsigned int i,
		      const struct packet_reply *reply)
{
	const struct probe_line *l = &w->probe.line[i];
	unsigned int target = l->ring[reply->seq % PROBE_RING].target;

	return addr_equal(&w->targets[i].addr[target], &reply->target);
}

/* Returns whether a verdict has changed. */
static bool read_answers(struct watch *w, unsigned int i)
{
	struct packet_reply reply;
	enum packet_says says;
	bool changed = false;
	unsigned int n = 0;

	while (n++ < READ_MAX &&
	       ask_read(&w->ask[i], &w->key, &says, &reply)) {
		if (says == PACKET_FOREIGN || !is_target(w, i, &reply))
			continue;
		if (says == PACKET_REFUSAL)
			probe_refuse(&w->probe, i, reply.seq);
		else
			changed |= probe_answer(&w->probe, i, reply.seq,
						w->now);
	}
	return changed;
}

static void count(struct watch *w)
{
	struct err err;
	unsigned int i;
	int code;

	if (!w->counter.n)
		return;
	code = counter_read(&w->counter, &err);
	if (code == -ENOENT)
		count_links(w);
	for (i = 0; i < w->probe.n && !code; i++)
		probe_count(&w->probe, i, &w->counter.seen[i], w->now);
}

/* --- a tick --- */

static void set_timer(struct watch *w)
{
	int64_t us = probe_period(&w->probe);
	const struct timespec pause = {
		.tv_sec = us / SECOND,
		.tv_nsec = (long)(us % SECOND * 1000),
	};
	const struct itimerspec every = {
		.it_interval = pause,
		.it_value = pause,
	};

	if (us != w->period)
		timerfd_settime(w->timer, 0, &every, NULL);
	w->period = us;
}

static void reload(struct watch *w)
{
	struct err err;

	if (read_conf(w, &err)) {
		say(w, &err);
		return;
	}
	see_links(w);
	set_timer(w);
	/* Something may have gone before this was known. */
	if (w->in_force && w->session->conf.heal)
		w->heal_at = w->now;
	if (!w->in_force)
		watched_drop();
}

/* Once a second. */
static void look_around(struct watch *w)
{
	struct timespec is = accepted_time();

	if (is.tv_sec != w->accepted.tv_sec || is.tv_nsec != w->accepted.tv_nsec)
		reload(w);
	if (any_held(w) && w->now - w->renewed >= RENEW)
		keep_held(w);
	if (w->in_force)
		keep_watched(w);
	w->second = w->now;
}

static void tick(struct watch *w)
{
	uint64_t times;

	(void)!read(w->timer, &times, sizeof(times));
	if (w->now - w->second >= SECOND)
		look_around(w);
	if (service_watchdog() && w->now - w->watchdog >= service_watchdog() / 3) {
		service_tell("WATCHDOG=1");
		w->watchdog = w->now;
	}
	if (!w->in_force)
		return;
	count(w);
	if (probe_tick(&w->probe, w->now))
		note_verdicts(w);
	send_questions(w);
}

/* --- repairs --- */

static void hear(struct watch *w)
{
	const struct monitor_ours ours = {
		.conf = &w->session->conf, .link = w->session->present.link,
		.port = { w->session->rtnl.portid, w->session->nfnl.portid,
			  counter_port(&w->counter) },
	};
	unsigned int heard = monitor_hear(&w->monitor, &ours);
	int64_t at = w->now + (heard & (MONITOR_GONE | MONITOR_NFT) ?
			       DEBOUNCE : DEBOUNCE_LINKS);

	if (heard & MONITOR_LINKS)
		see_links(w);
	if (!heard || !w->in_force || !w->session->conf.heal)
		return;
	w->nft_alone = heard == MONITOR_NFT && (!w->heal_at || w->nft_alone);
	if (!w->heal_at || at < w->heal_at)
		w->heal_at = at;
}

/* When is the next repair to begin? 0 if there is none. */
static int64_t due(const struct watch *w)
{
	int64_t at = w->acted + (w->nft_alone ? w->pause : PAUSE);

	if (w->child || !w->in_force)
		return 0;
	if (w->act_now)
		return w->now;
	return !w->heal_at || w->heal_at > at ? w->heal_at : at;
}

static void begin_act(struct watch *w)
{
	struct err err;

	memcpy(w->telling, w->note, sizeof(w->telling));
	memset(w->note, 0, sizeof(w->note));
	w->act_now = false;
	w->heal_at = 0;
	w->acted = w->now;
	w->child = act_begin(w->session, w->report, w->telling);
	if (w->child > 0)
		return;
	err_set(&err, w->child, "cannot start a process: %s; trying again",
		strerror(-w->child));
	say(w, &err);
	w->child = 0;
	w->heal_at = w->now + SECOND;
}

static void open_run(struct watch *w)
{
	struct session *s = w->session;
	struct err err;

	nl_close(&s->rtnl);
	nl_close(&s->nfnl);
	if (nl_open(&s->rtnl, NETLINK_ROUTE, &err))
		say(w, &err);
	s->no_nfnl = nl_open(&s->nfnl, NETLINK_NETFILTER, &s->bad_nfnl);
}

/* Whatever it has not done remains to be done. */
static void end_act(struct watch *w, int status)
{
	enum act_outcome how = act_outcome(status);
	unsigned int i;

	w->child = 0;
	/* Its messages are in the queues now, and known as our own. */
	hear(w);
	if (how == ACT_UNCHANGED && w->nft_alone)
		w->pause = w->pause * 2 < PAUSE_MAX ? w->pause * 2 : PAUSE_MAX;
	else
		w->pause = PAUSE;
	if (how == ACT_BUSY) {
		for (i = 0; i < w->probe.n; i++)
			if (!w->note[i].event)
				w->note[i] = w->telling[i];
		w->act_now = true;
	} else if (how == ACT_BAD) {
		/* Its sockets may have answers left to read. */
		if (!WIFEXITED(status))
			open_run(w);
		w->heal_at = w->now + SECOND;
	}
}

static void take_signals(struct watch *w)
{
	struct signalfd_siginfo info;
	int status;

	while (read(w->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(w);
		else if (info.ssi_signo != SIGCHLD)
			w->ending = true;
		else if (w->child > 0 &&
			 waitpid(w->child, &status, WNOHANG) == w->child)
			end_act(w, status);
	}
}

/* --- its life --- */

static int wait_ms(const struct watch *w)
{
	int64_t at = due(w);

	if (!at)
		return -1;
	return at <= w->now ? 0 : (int)((at - w->now + MS - 1) / MS);
}

static void once(struct watch *w)
{
	struct pollfd fd[FDS + LINKS_MAX] = {
		{ .fd = w->signals }, { .fd = w->timer },
		{ .fd = monitor_fd(&w->monitor.rtnl) },
		{ .fd = monitor_fd(&w->monitor.nfnl) },
	};
	unsigned int i, n = w->probe.n;
	bool changed = false;

	for (i = 0; i < n; i++)
		fd[FDS + i].fd = w->ask[i].fd;
	for (i = 0; i < FDS + n; i++)
		fd[i].events = POLLIN;
	if (poll(fd, FDS + n, wait_ms(w)) < 0)
		return;
	w->now = boot_us();
	for (i = 0; i < n; i++)
		if (fd[FDS + i].revents)
			changed |= read_answers(w, i);
	if (changed)
		note_verdicts(w);
	if (fd[2].revents | fd[3].revents)
		hear(w);
	if (fd[1].revents)
		tick(w);
	if (fd[0].revents)
		take_signals(w);
	if (due(w) && due(w) <= w->now)
		begin_act(w);
}

/* Nobody is held out by who is not there. */
static void release(struct watch *w)
{
	bool any = any_held(w);
	unsigned int i;
	int status;

	service_tell("STOPPING=1");
	if (w->child > 0)
		waitpid(w->child, &status, 0);
	if (!any || !w->in_force)
		return;
	memset(w->telling, 0, sizeof(w->telling));
	for (i = 0; i < w->probe.n; i++) {
		if (!w->held.held[i] && !w->held.poor[i])
			continue;
		w->telling[i].event = ACT_RECOVERED;
		w->telling[i].line = w->probe.line[i];
		w->telling[i].line.why = PROBE_RELEASED;
	}
	keep_held(w);
	w->child = act_begin(w->session, w->report, w->telling);
	if (w->child > 0)
		waitpid(w->child, &status, 0);
}

static int open_signals(struct watch *w, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	w->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->signals < 0 || w->timer < 0)
		return err_set(err, -errno, "cannot wait for signals and time: "
			       "%s", strerror(errno));
	return 0;
}

static int open_all(struct watch *w, struct err *err)
{
	unsigned int i;
	int code;

	for (i = 0; i < LINKS_MAX; i++)
		w->ask[i].fd = -1;
	if (getrandom(&w->key, sizeof(w->key), 0) != sizeof(w->key))
		return err_set(err, -errno, "cannot get random numbers: %s",
			       strerror(errno));
	code = open_signals(w, err);
	if (!code)
		code = nl_open(&w->look, NETLINK_ROUTE, err);
	if (!code)
		code = counter_open(&w->counter, err);
	if (!code)
		code = monitor_open(&w->monitor, err);
	return code;
}

int watch_run(struct session *s, struct report *report, struct err *err)
{
	struct watch *w = &watch;
	struct lock alone;
	int code;

	w->session = s;
	w->report = report;
	w->now = w->second = boot_us();
	w->pause = PAUSE;
	code = lock_take(&alone, "watch.lock", 0, err);
	if (code)
		return code;
	code = open_all(w, err);
	if (!code)
		code = read_conf(w, err);
	if (code)
		return code;
	open_run(w);
	see_links(w);
	set_timer(w);
	/* Read the events from before. */
	w->heal_at = s->conf.heal ? w->now : 0;
	service_tell("READY=1");
	while (!w->ending)
		once(w);
	release(w);
	watched_drop();
	counter_close(&w->counter);
	return 0;
}
