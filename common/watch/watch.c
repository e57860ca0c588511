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

/* The targets that a link asks, and how. */
struct asked {
	struct watch_probe how;
	struct watch_targets targets;
	unsigned int n_reserve;		/* the last of them */
};

/* All that is kept while it runs. */
struct watch {
	struct session *session;
	struct report *report;
	/* Each family has its own: a line's IPv6 may be dead while its IPv4 is
	 * not, and only other lines of the same family can show that it is the
	 * line.
	 */
	struct probe probe[FAMILIES];
	struct counter counter;
	struct monitor monitor;
	struct packet_key key;
	struct nl look;			/* not the run's: that may be at work */
	struct ask ask[FAMILIES][LINKS_MAX];
	struct act_note note[FAMILIES][LINKS_MAX];	/* not told yet */
	struct act_note telling[FAMILIES][LINKS_MAX];	/* by the child */
	struct verdicts held;
	struct asked asked[FAMILIES][LINKS_MAX];
	struct watched watched[FAMILIES][LINKS_MAX];
	struct resolvers resolvers;
	struct timespec accepted;	/* of the copy that conf was made from */
	struct timespec resolved;	/* of the resolvers' file */
	bool in_force;
	bool anew;			/* rules may be others than before */
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

static struct timespec file_time(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		return (struct timespec){ 0 };
	return st.st_mtim;
}

static bool is_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static unsigned int families(const struct watch *w)
{
	return conf_families(&w->session->conf);
}

static unsigned int n_links(const struct watch *w)
{
	return w->session->conf.n_links;
}

static struct probe_rules rules_of(const struct watch_conf *c,
				   const struct asked *asked)
{
	return (struct probe_rules){
		.detect = (int64_t)c->detect * MS,
		.recover = (int64_t)c->recover * MS,
		.interval = (int64_t)c->interval * MS,
		.latency = (int64_t)c->latency * MS,
		.loss = c->loss,
		.n_targets = c->probe.kind == WATCH_NONE ? 0 :
			     asked->targets.n,
		.n_reserve = asked->n_reserve,
		.apart = asked->how.kind == WATCH_ARP,
	};
}

static bool same_asked(const struct asked *a, const struct asked *b)
{
	unsigned int i;

	for (i = 0; i < a->targets.n && a->targets.n == b->targets.n; i++)
		if (!addr_equal(&a->targets.addr[i], &b->targets.addr[i]))
			return false;
	return a->targets.n == b->targets.n && a->n_reserve == b->n_reserve &&
	       a->how.kind == b->how.kind && a->how.port == b->how.port;
}

static void add_reserve(struct asked *asked, enum family f,
			const struct addr *resolver)
{
	struct watch_targets *t = &asked->targets;
	unsigned int i;

	if (!resolver->family || addr_family(resolver) != f ||
	    t->n == WATCH_TARGETS)
		return;
	for (i = 0; i < t->n; i++)
		if (addr_equal(&t->addr[i], resolver))
			return;
	t->addr[t->n++] = *resolver;
	asked->n_reserve++;
}

/* The gateway, by its hardware address; else those that the configuration names;
 * else the usual ones, and the provider's resolvers.
 */
static struct asked whom(const struct watch *w, enum family f, unsigned int i)
{
	const struct watch_conf *c = &w->session->conf.link[i].watch;
	const struct link *is = &w->session->present.link[i];
	struct asked asked = { .how = c->probe };
	unsigned int k;

	if (c->probe.kind == WATCH_ARP && is->af[f].gateway.family &&
	    is->shared) {
		asked.targets.n = 1;
		asked.targets.addr[0] = is->af[f].gateway;
		return asked;
	}
	if (c->probe.kind == WATCH_ARP)
		asked.how.kind = WATCH_ICMP;
	if (watch_targets_of(&c->targets, f, &asked.targets))
		return asked;
	for (k = 0; k < RESOLVERS; k++)
		add_reserve(&asked, f, &w->resolvers.of[i][k]);
	return asked;
}

/* Lines that are still there keep what is known of them. */
static void carry_over(struct watch *w, enum family f, const struct conf *old)
{
	static struct probe before;
	static struct asked asked[LINKS_MAX];
	static struct watched watched[LINKS_MAX];
	struct probe *p = &w->probe[f];
	unsigned int i, n;
	int k;

	n = p->n;
	memcpy(before.line, p->line, n * sizeof(before.line[0]));
	memcpy(watched, w->watched[f], n * sizeof(watched[0]));
	memcpy(asked, w->asked[f], n * sizeof(asked[0]));
	probe_begin(p, f < families(w) ? n_links(w) : 0, w->now);
	for (i = 0; i < LINKS_MAX; i++)
		ask_close(&w->ask[f][i]);
	for (i = 0; i < n_links(w); i++) {
		memset(&w->asked[f][i], 0, sizeof(asked[i]));
		memset(&w->note[f][i], 0, sizeof(w->note[f][i]));
		memset(&w->watched[f][i], 0, sizeof(watched[i]));
		k = conf_link_index(old, w->session->conf.link[i].name);
		if (k < 0 || (unsigned int)k >= n || i >= p->n)
			continue;
		p->line[i] = before.line[k];
		p->line[i].up = false;
		w->asked[f][i] = asked[k];
		w->watched[f][i] = watched[k];
	}
}

/* Verdicts of who watched before us. */
static void take_over(struct watch *w)
{
	struct verdicts v;
	struct err err;
	unsigned int i, f;

	if (held_read(&w->session->conf, &v, &err)) {
		say(w, &err);
		return;
	}
	for (f = 0; f < families(w); f++)
		for (i = 0; i < n_links(w); i++)
			if (v.held[f][i] &&
			    w->session->conf.link[i].watch.probe.kind !=
				    WATCH_NONE)
				probe_take_over(&w->probe[f], i, w->now);
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
	unsigned int f;
	int code;

	old = w->session->conf;
	w->accepted = file_time(RUN_DIR "/mwan.ini");
	code = session_conf(w->session, err);
	if (code)
		return code;
	w->in_force = w->session->in_force;
	for (f = 0; f < FAMILIES; f++)
		carry_over(w, f, &old);
	w->anew = true;
	if (!w->in_force)
		return 0;
	if (!before)
		take_over(w);
	count_links(w);
	return 0;
}

/* --- links --- */

/* The address that the link's questions have. In IPv6 that of the link itself
 * leads nowhere, and is for neighbours alone.
 */
static const struct addr *local_of(const struct link *is, enum family f,
				   enum watch_probe_kind kind)
{
	if (f == FAMILY_IPV4 || kind == WATCH_ARP)
		return &is->af[f].local;
	return link_address6(is);
}

static void set_line(struct watch *w, enum family f, unsigned int i)
{
	struct asked asked = whom(w, f, i);
	bool anew = !same_asked(&asked, &w->asked[f][i]);
	struct probe_rules rules;

	if (!anew && !w->anew)
		return;
	rules = rules_of(&w->session->conf.link[i].watch, &asked);
	probe_set(&w->probe[f], i, &rules, anew);
	w->asked[f][i] = asked;
}

static void see_line(struct watch *w, enum family f, unsigned int i)
{
	const struct link *is = &w->session->present.link[i];
	const struct conf_link *want = &w->session->conf.link[i];
	struct ask *ask = &w->ask[f][i];
	const struct addr *local;
	struct err err;
	bool up;

	set_line(w, f, i);
	local = local_of(is, f, w->asked[f][i].how.kind);
	up = w->in_force && want->watch.probe.kind != WATCH_NONE &&
	     link_usable(is, f) && local->family;
	if (up && ask_open(ask, want->name, is->ifindex, local,
			   &w->asked[f][i].how, &err)) {
		say(w, &err);
		up = false;
	}
	if (!up)
		ask_close(ask);
	probe_up(&w->probe[f], i, up, w->now);
}

static void see_links(struct watch *w)
{
	struct session *s = w->session;
	const struct present_source from = { .rtnl = &w->look,
					     .prefix6 = &s->prefix6 };
	unsigned int i, f;
	struct err err;

	/* Others may have learned of one meanwhile. */
	if (families(w) > 1)
		(void)prefix6_read(&s->conf, &s->prefix6, &err);
	if (present_read(&s->present, &s->conf, &from, &err) ||
	    resolvers_read(&s->conf, &w->resolvers, &err)) {
		say(w, &err);
		return;
	}
	w->resolved = file_time(RESOLVERS_PATH);
	for (f = 0; f < families(w); f++)
		for (i = 0; i < n_links(w); i++)
			see_line(w, f, i);
	w->anew = false;
}

/* --- verdicts --- */

static void keep_held(struct watch *w)
{
	const struct probe_line *l;
	unsigned int i, f;
	struct err err;

	memset(w->held.poor, 0, sizeof(w->held.poor));
	memset(w->held.held, 0, sizeof(w->held.held));
	for (f = 0; f < families(w) && !w->ending; f++)
		for (i = 0; i < n_links(w); i++) {
			l = &w->probe[f].line[i];
			w->held.held[f][i] = l->verdict == PROBE_DEAD;
			w->held.poor[i] |= l->verdict == PROBE_POOR;
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
	unsigned int i, f;
	struct err err;

	for (f = 0; f < families(w); f++)
		for (i = 0; i < n_links(w); i++)
			keep_line(&w->probe[f].line[i],
				  &w->asked[f][i].targets, &w->watched[f][i]);
	if (watched_write(&w->session->conf, w->watched, WATCHED_SECONDS, &err))
		say(w, &err);
}

static bool is_held(const struct watch *w, enum family f, unsigned int i)
{
	return w->held.held[f][i] || (f == FAMILY_IPV4 && w->held.poor[i]);
}

static bool any_held(const struct watch *w)
{
	unsigned int i, f;

	for (f = 0; f < FAMILIES; f++)
		for (i = 0; i < n_links(w); i++)
			if (is_held(w, f, i))
				return true;
	return false;
}

static void note_verdict(struct watch *w, enum family f, unsigned int i)
{
	const struct probe_line *l = &w->probe[f].line[i];

	if (l->changed != w->now)
		return;
	act_note(&w->note[f][i], l->verdict == PROBE_DEAD ? ACT_FAILED :
		 l->verdict == PROBE_POOR ? ACT_AVOIDED : ACT_RECOVERED, l);
	w->watched[f][i].since = (uint64_t)time(NULL);
}

static void note_verdicts(struct watch *w)
{
	unsigned int i, f;

	for (f = 0; f < families(w); f++)
		for (i = 0; i < n_links(w); i++)
			note_verdict(w, f, i);
	keep_held(w);
	keep_watched(w);
	w->act_now = true;
}

/* --- questions and answers --- */

static void send_questions(struct watch *w, enum family f)
{
	struct probe *p = &w->probe[f];
	unsigned int i, target;
	uint16_t seq;

	for (i = 0; i < p->n; i++)
		while (probe_next(p, i, &seq, &target))
			if (ask_send(&w->ask[f][i], &w->key, seq,
				     &w->asked[f][i].targets.addr[target]))
				probe_unsent(p, i, seq);
}

/* Was it this one who was asked? */
static bool is_target(const struct watch *w, enum family f, unsigned int i,
		      const struct packet_reply *reply)
{
	const struct probe_line *l = &w->probe[f].line[i];
	unsigned int target = l->ring[reply->seq % PROBE_RING].target;

	return addr_equal(&w->asked[f][i].targets.addr[target],
			  &reply->target);
}

/* Find the question of an answer that does not name it. */
static bool find_question(const struct watch *w, enum family f, unsigned int i,
			  struct packet_reply *reply)
{
	const struct watch_targets *t = &w->asked[f][i].targets;
	unsigned int k;

	for (k = 0; k < t->n; k++)
		if (addr_equal(&t->addr[k], &reply->target))
			return probe_latest(&w->probe[f], i, k, &reply->seq);
	return false;
}

/* Returns whether a verdict has changed. */
static bool read_answers(struct watch *w, enum family f, unsigned int i)
{
	struct packet_reply reply;
	enum packet_says says;
	bool changed = false;
	unsigned int n = 0;

	while (n++ < READ_MAX &&
	       ask_read(&w->ask[f][i], &w->key, &says, &reply)) {
		if (says == PACKET_FOREIGN ||
		    (reply.any && !find_question(w, f, i, &reply)) ||
		    !is_target(w, f, i, &reply))
			continue;
		if (says == PACKET_REFUSAL)
			probe_refuse(&w->probe[f], i, reply.seq);
		else
			changed |= probe_answer(&w->probe[f], i, reply.seq,
						w->now);
	}
	return changed;
}

static void count(struct watch *w)
{
	unsigned int i, f;
	struct err err;
	int code;

	if (!w->counter.n)
		return;
	code = counter_read(&w->counter, &err);
	if (code == -ENOENT)
		count_links(w);
	for (f = 0; f < families(w) && !code; f++)
		for (i = 0; i < n_links(w); i++)
			probe_count(&w->probe[f], i, &w->counter.seen[f][i],
				    w->now);
	/* Both families fill the same line. */
	for (i = 0; i < n_links(w) && families(w) > 1 && !code; i++)
		for (f = 0; f < FAMILIES; f++)
			probe_beside(&w->probe[f], i,
				     &w->probe[!f].line[i].load);
}

/* --- a tick --- */

static void set_timer(struct watch *w)
{
	int64_t us4 = probe_period(&w->probe[FAMILY_IPV4]);
	int64_t us6 = probe_period(&w->probe[FAMILY_IPV6]);
	int64_t us = us4 < us6 ? us4 : us6;
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
	struct timespec conf = file_time(RUN_DIR "/mwan.ini");
	struct timespec resolvers = file_time(RESOLVERS_PATH);

	if (!is_time(&conf, &w->accepted))
		reload(w);
	else if (!is_time(&resolvers, &w->resolved))
		see_links(w);
	if (any_held(w) && w->now - w->renewed >= RENEW)
		keep_held(w);
	if (w->in_force)
		keep_watched(w);
	w->second = w->now;
}

static void tick(struct watch *w)
{
	bool changed = false;
	unsigned int f;
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
	for (f = 0; f < families(w); f++)
		changed |= probe_tick(&w->probe[f], w->now);
	if (changed)
		note_verdicts(w);
	for (f = 0; f < families(w); f++)
		send_questions(w, f);
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

/* Move what is to be told. */
static void take_notes(struct act_note to[FAMILIES][LINKS_MAX],
		       struct act_note from[FAMILIES][LINKS_MAX],
		       unsigned int n)
{
	unsigned int i, f;

	for (f = 0; f < FAMILIES; f++)
		for (i = 0; i < n; i++) {
			to[f][i] = from[f][i];
			from[f][i].event = ACT_NOTHING;
		}
}

static void begin_act(struct watch *w)
{
	struct err err;

	take_notes(w->telling, w->note, n_links(w));
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
	nl_share(&s->rtnl);
	nl_share(&s->nfnl);
}

/* Whatever it has not done remains to be done. */
static void end_act(struct watch *w, int status)
{
	enum act_outcome how = act_outcome(status);
	unsigned int i, f;

	w->child = 0;
	/* Its messages are in the queues now, and known as our own. */
	hear(w);
	if (how == ACT_UNCHANGED && w->nft_alone)
		w->pause = w->pause * 2 < PAUSE_MAX ? w->pause * 2 : PAUSE_MAX;
	else
		w->pause = PAUSE;
	if (how == ACT_BUSY) {
		for (f = 0; f < FAMILIES; f++)
			for (i = 0; i < n_links(w); i++)
				if (!w->note[f][i].event)
					w->note[f][i] = w->telling[f][i];
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

/* Which sockets have answers? Returns how many are asked. */
static nfds_t poll_asks(const struct watch *w, struct pollfd *fd)
{
	unsigned int i, f;
	nfds_t n = 0;

	for (f = 0; f < families(w); f++)
		for (i = 0; i < n_links(w); i++)
			fd[n++] = (struct pollfd){ .fd = w->ask[f][i].fd,
						   .events = POLLIN };
	return n;
}

static bool hear_answers(struct watch *w, const struct pollfd *fd)
{
	bool changed = false;
	unsigned int i, f;

	for (f = 0; f < families(w); f++)
		for (i = 0; i < n_links(w); i++, fd++)
			if (fd->revents)
				changed |= read_answers(w, f, i);
	return changed;
}

static void once(struct watch *w)
{
	struct pollfd fd[FDS + FAMILIES * LINKS_MAX] = {
		{ .fd = w->signals, .events = POLLIN },
		{ .fd = w->timer, .events = POLLIN },
		{ .fd = monitor_fd(&w->monitor.rtnl), .events = POLLIN },
		{ .fd = monitor_fd(&w->monitor.nfnl), .events = POLLIN },
	};
	nfds_t n = FDS + poll_asks(w, fd + FDS);

	if (poll(fd, n, wait_ms(w)) < 0)
		return;
	w->now = boot_us();
	if (hear_answers(w, fd + FDS))
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
	unsigned int i, f;
	int status;

	service_tell("STOPPING=1");
	if (w->child > 0)
		waitpid(w->child, &status, 0);
	if (!any || !w->in_force)
		return;
	for (f = 0; f < FAMILIES; f++)
		for (i = 0; i < n_links(w); i++) {
			w->telling[f][i].event = ACT_NOTHING;
			if (!is_held(w, f, i))
				continue;
			act_note(&w->telling[f][i], ACT_RECOVERED,
				 &w->probe[f].line[i]);
			w->telling[f][i].why = PROBE_RELEASED;
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
	unsigned int i, f;
	int code;

	for (f = 0; f < FAMILIES; f++)
		for (i = 0; i < LINKS_MAX; i++)
			w->ask[f][i].fd = -1;
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
