// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "conf/state.h"
#include "core/own.h"
#include "core/session.h"
#include "core/way.h"
#include "nft/message.h"
#include "kernel/fib.h"
#include "kernel/iface.h"

enum {
	/* One to change things, and the rest for links that come and go
	 * meanwhile: when a machine boots, all of them do.
	 */
	ROUNDS_MAX = 32,
};

/* The links that @old has and the new one has not. */
static void note_past(struct conf *c, const struct conf *old)
{
	unsigned int i, n = c->n_links;

	for (i = 0; i < old->n_links && n < LINKS_MAX; i++)
		if (conf_link_index(c, old->link[i].name) < 0)
			c->link[n++] = old->link[i];
	c->n_past = n - c->n_links;
}

bool session_recall(struct session *s)
{
	static struct conf old ON_A_PAGE;
	bool same = !accepted_read(&old, NULL);

	if (same) {
		conf_give_marks(&s->conf, &old);
		conf_keep_standby(&s->conf, &old);
		same = conf_same(&s->conf, &old);
		note_past(&s->conf, &old);
	}
	if (!drained_read(&s->conf, &s->verdicts, &s->bad_drained))
		s->bad_drained.msg[0] = '\0';
	if (!held_read(&s->conf, &s->verdicts, &s->bad_held))
		s->bad_held.msg[0] = '\0';
	if (!s->conf.ipv6 ||
	    !prefix6_read(&s->conf, &s->prefix6, &s->bad_prefix6))
		s->bad_prefix6.msg[0] = '\0';
	return same;
}

void session_note_past(struct session *s)
{
	static struct conf old;

	if (!accepted_read(&old, NULL))
		note_past(&s->conf, &old);
}

void session_force(struct session *s)
{
	int code = accepted_source(s->source, &s->bad_force);

	s->in_force = !code;
	s->unknown_force = code == -EACCES;
	if (!code || code == -ENOENT || code == -EACCES)
		s->bad_force.msg[0] = '\0';
}

/* @moved: it is in force from a file that the accepted copy does not name. */
static int choose_conf(struct session *s, bool *moved, struct err *err)
{
	const char *path = CONF_PATH;
	int code;

	session_force(s);
	if (s->in_force && s->source[0])
		path = s->source;
	code = conf_read(&s->conf, path, s->in_force, &s->bad_conf);
	s->unknown_conf = code == -EACCES && geteuid();
	if (!code) {
		s->bad_conf.msg[0] = '\0';
		*moved = s->in_force && path != s->source;
		if (*moved)
			strcpy(s->source, path);
		return 0;
	}
	/* In force without a file: it was made from rt_tables. */
	if (code == -ENOENT && !s->source[0])
		s->bad_conf.msg[0] = '\0';
	if (s->in_force && !accepted_read(&s->conf, NULL))
		return 0;
	return conf_read(&s->conf, "", false, err);
}

int session_conf(struct session *s, struct err *err)
{
	bool moved = false;
	int code = choose_conf(s, &moved, err);

	s->have_ruleset = s->have_said = false;
	memset(&s->verdicts, 0, sizeof(s->verdicts));
	s->accepted = !code && s->in_force && session_recall(s) && !moved;
	return code;
}

const char *session_bad_conf_use(const struct session *s)
{
	return s->in_force ? "; until it is fixed, what is in force stays" :
	       "; until it is fixed, the tables' names in rt_tables are used";
}

int session_forget(struct session *s, struct err *err)
{
	int code = accepted_drop(err);

	if (!code)
		memset(&s->verdicts, 0, sizeof(s->verdicts));
	return code;
}

int session_open(struct session *s, struct err *err)
{
	int code = nl_watch(&s->watch, err);

	if (!code)
		code = nl_open(&s->rtnl, NETLINK_ROUTE, err);
	if (!code)
		s->no_nfnl = nl_open(&s->nfnl, NETLINK_NETFILTER,
				     &s->bad_nfnl);
	return code;
}

void session_close(struct session *s)
{
	nl_close(&s->rtnl);
	nl_close(&s->nfnl);
	nl_close(&s->watch);
}

int session_read(struct session *s, enum plan_goal goal, bool dry,
		 struct err *err)
{
	struct present_source from = {
		.rtnl = &s->rtnl,
		.nfnl = goal == PLAN_LINKS || s->no_nfnl ? NULL : &s->nfnl,
		.ruleset = s->have_ruleset ? &s->ruleset : NULL,
		.known = !dry && s->verified.netns ? &s->verified : NULL,
		.said = s->have_said ? &s->said : NULL,
		.prefix6 = &s->prefix6,
		.every_queue = goal == PLAN_FLUSH,
		.every_table = goal == PLAN_FLUSH || goal == PLAN_APPLY,
	};
	int code = present_read(&s->present, &s->conf, &from, err);
	const bool *aside = verdicts_aside(&s->verdicts);
	unsigned int i, f;

	for (i = 0; i < s->conf.n_links; i++) {
		s->present.link[i].drained = aside[i];
		for (f = 0; f < FAMILIES; f++)
			s->present.link[i].held[f] = s->verdicts.held[f][i];
		s->present.link[i].poor = s->verdicts.poor[i] &&
					  !s->verdicts.drained[i];
	}
	links_judge(s->present.link, s->conf.n_links);
	if (goal != PLAN_LINKS && s->no_nfnl) {
		s->present.nft_code = s->no_nfnl;
		s->present.nft_err = s->bad_nfnl;
	}
	s->nft_unread = dry && s->present.nft_code == -EPERM;
	if (s->nft_unread)
		s->present.nft_code = 0;
	return code;
}

/* What was verified for this ruleset in this namespace. Only hooks recall
 * something here: mwan-rules builds its ruleset before, so it has really read
 * what it reports or puts in force.
 */
static void recall_verified(struct session *s)
{
	struct verified *v = &s->verified;

	if (s->no_nfnl || nl_netns(&s->nfnl, &v->netns))
		v->netns = 0;
	if (!v->netns)
		return;
	v->ruleset = nftmsg_digest(&s->ruleset);
	v->n_links = s->ruleset.n_links;
	verified_read(v);
}

/* The table that the last round has read, for the next hook. It has not seen
 * what that round loaded afterwards: the next hook reads it.
 */
static void keep_verified(struct session *s)
{
	const struct nft_seen *is = &s->present.nft;
	struct verified *v = &s->verified;

	if (!v->netns || s->present.nft_code || is->known || !is->steady ||
	    is->misfilled || !nft_intact(is, &s->ruleset))
		return;
	memcpy(v->state.link, is->state.link,
	       v->n_links * sizeof(v->state.link[0]));
	v->table = is->handle;
	v->generation = is->generation;
	verified_write(v);
}

int session_ruleset(struct session *s, struct err *err)
{
	s->have_ruleset = true;
	s->verified.netns = 0;
	return ruleset_build_after(&s->ruleset, &s->conf,
				   verdicts_aside(&s->verdicts), s->other,
				   s->twins, s->was, err);
}

static int need_ruleset(struct session *s, enum plan_goal goal,
			struct err *err)
{
	int code;

	if (s->have_ruleset || (goal != PLAN_ALL && goal != PLAN_APPLY))
		return 0;
	code = session_ruleset(s, err);
	if (!code && goal == PLAN_ALL)
		recall_verified(s);
	return code;
}

/* Do the links show that the ruleset has to be another one? */
static bool has_changed(struct session *s)
{
	const struct link *l = s->present.link;
	bool twins = links_are_twins(l, s->conf.n_links);
	bool changed = twins != s->twins;
	unsigned int i;

	s->twins = twins;
	for (i = 0; i < s->conf.n_links; i++) {
		changed = changed || s->other[i] != l[i].other;
		s->other[i] = l[i].other;
	}
	return changed;
}

int session_look(struct session *s, enum plan_goal goal, bool dry,
		 struct err *err)
{
	int code = session_read(s, goal, dry, err);

	if (code || !s->have_ruleset || !has_changed(s))
		return code;
	code = session_ruleset(s, err);
	return code ? code : session_read(s, goal, dry, err);
}

void outcome_begin(struct outcome *o)
{
	/* The list of flows to end is large, and counted. */
	memset(o, 0, offsetof(struct outcome, later));
	o->later.n = o->later.kept = 0;
}

bool outcome_failed(const struct outcome *o)
{
	return o->code && !o->partial;
}

static void set_code(struct outcome *o, int code, const struct err *why)
{
	o->code = code;
	if (code)
		o->err = *why;
	/* If nothing was refused, it is what plan_make() has left out. */
	o->partial = apply_only_queues(&o->result) ||
		     (code == -EEXIST && !o->result.failed);
}

/* Refusals that mean "it was different a moment ago". */
static bool transient(int code)
{
	return code == -ENODEV || code == -ENETDOWN || code == -ERESTART ||
	       code == -EAGAIN || code == -ENOBUFS || code == -EINTR;
}

/* No setting of the host is changed silently. */
static void note_ops(const struct plan *plan, struct outcome *o)
{
	const struct op *op;
	char text[SYSCTL_PATH_MAX + 16];
	unsigned int i;

	for (i = 0; i < plan->n_ops; i++) {
		op = &plan->op[i];
		if (op->kind != OP_SYSCTL)
			continue;
		snprintf(text, sizeof(text), "%s=%d", op->sysctl.path,
			 op->sysctl.value);
		str_add(o->sysctls, sizeof(o->sysctls), " ", text);
	}
}

/* Do this before the prefix is forgotten: its hosts may still use it. @dry: for
 * this plan alone. @failed: the last round could not write it. Returns 0, or a
 * negative errno with a sentence.
 */
static int keep_prefixes(struct session *s, enum plan_goal goal, bool dry,
			 bool failed, struct err *err)
{
	if ((goal != PLAN_ALL && goal != PLAN_APPLY) ||
	    s->bad_prefix6.msg[0])
		return 0;
	if (!own_remember(&s->prefix6, &s->present, &s->conf) && !failed)
		return 0;
	return dry ? 0 : prefix6_write(&s->conf, &s->prefix6, err);
}

/* The rest is done; what could not even be looked at, or stood in the way, is a
 * failure. @planned and @why are plan_make()'s.
 */
static int unread(const struct session *s, int planned, const struct err *why,
		  struct err *err)
{
	const struct present *p = &s->present;

	if (planned)
		return err_set(err, planned, "%s", why->msg);
	if (p->unread_code)
		return err_set(err, p->unread_code, "%s", p->unread.msg);
	if (p->nft_code)
		*err = p->nft_err;
	return p->nft_code;
}

/* Is this change one of our links'? An address tells its interface's index
 * alone; an interface that is made, or gets another name, tells its name
 * before.
 */
static int is_ours(const struct nlmsghdr *nlh, void *data)
{
	const struct session *s = data;
	struct iface l;
	struct addr a;
	uint8_t len;

	/* We have given it to the link, or taken it: nothing to look at. */
	if (iface_event_addr(nlh, &a, &len) && own_is_ours(&a, len))
		return 0;
	return iface_event(nlh, &l) || !s->looked ||
	       present_link_of(&s->present, &s->conf, l.ifindex) >= 0 ||
	       conf_link_index(&s->conf, l.name) >= 0;
}

/* Have our links changed since the last look, or may they have? */
static bool links_changed(struct session *s)
{
	return nl_heard(&s->watch, is_ours, s);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* @kept and @unkept: keep_prefixes()'s. */
static int rounds(struct session *s, struct plan_event *event, FILE *dry,
		  struct outcome *o, int *kept, struct err *unkept,
		  struct err *err)
{
	struct err why, no_ruleset;
	int ruleset = need_ruleset(s, event->goal, &no_ruleset);
	int code, planned;
	bool again = false;

	/* The links' part needs no ruleset. */
	if (ruleset)
		event->goal = PLAN_LINKS;
	do {
		o->rounds++;
		code = session_look(s, event->goal, dry, err);
		if (code)
			return code;
		s->looked = now_ns();
		*kept = keep_prefixes(s, event->goal, dry, *kept, unkept);
		planned = plan_make(&s->plan, &s->conf, &s->present,
				    &s->ruleset, event, &why);
		if (dry) {
			if (s->nft_unread)
				fputs("# Only root can read nftables: our "
				      "table counts as missing here.\n", dry);
			if (s->plan.n_ops)
				fprintf(dry, "# %u change%s would be made:\n",
					s->plan.n_ops,
					s->plan.n_ops > 1 ? "s" : "");
			plan_print(&s->plan, dry);
			break;
		}
		note_ops(&s->plan, o);
		apply_plan(&s->plan, &s->rtnl, &s->nfnl, &s->present,
			   &o->later, &o->result);
		o->changes += o->result.done;
		/* Done once; nothing in the kernel shows it. */
		if (session_any_usable(s))
			event->gone.family = 0;
		again = links_changed(s) || s->plan.more ||
			transient(o->result.code) ||
			transient(s->present.unread_code);
	} while (again && o->rounds < ROUNDS_MAX);
	if (ruleset)
		return err_set(err, ruleset, "%s", no_ruleset.msg);
	if (!dry && o->result.failed)
		return err_set(err, o->result.code, "%s", o->result.first.msg);
	code = unread(s, planned, &why, err);
	if (!code && again)
		return err_set(err, -EAGAIN, "interfaces keep coming and "
			       "going: the next event goes on from here, and "
			       "pppd's messages in the system log say why");
	return code;
}

void session_carry_out(struct session *s, struct plan_event *event, FILE *dry,
		       struct outcome *o)
{
	struct err why, unkept;
	int kept = 0;

	set_code(o, rounds(s, event, dry, o, &kept, &unkept, &why), &why);
	/* The kernel is as it should be all the same. */
	if (!o->code && kept) {
		set_code(o, kept, &unkept);
		o->partial = true;
	}
}

void session_links(struct session *s, struct plan_event *event, FILE *dry,
		   struct outcome *o)
{
	/* A caller that may not have it is shown all of it. */
	bool all = s->in_force || (dry && s->unknown_force);
	struct err why;

	event->goal = all ? PLAN_ALL : PLAN_LINKS;
	session_carry_out(s, event, dry, o);
	/* The links' part is done, and it may be all. */
	if (!o->code && s->bad_force.msg[0])
		set_code(o, -EIO, &s->bad_force);
	if (o->code || dry || !s->in_force || s->bad_conf.msg[0] ||
	    s->no_lock.msg[0])
		return;
	if (!s->accepted)
		set_code(o, accepted_write(&s->conf, s->source, &why), &why);
	s->accepted = !o->code;
	if (!o->code)
		keep_verified(s);
}

/* Is there something that nobody has seen who still holds the lock? The present
 * holder took it after that, and reads all of it.
 */
static bool missed(struct session *s)
{
	struct err err;

	return s->watch.sock && links_changed(s) &&
	       lock_take(&s->lock, "lock", 0, &err) != -EBUSY;
}

/* End the flows that are to be ended, without the lock. Returns whether rules
 * that remembered them can go now, with the lock then. When somebody else holds
 * it for long, the rules stay, and the next run of anything removes them.
 */
static bool ended(struct session *s, struct outcome *o)
{
	unsigned int done = o->result.done;
	struct err why, busy;
	int code;

	if (!apply_waits(&o->later))
		return false;
	code = apply_later(&o->later, &s->plan, &s->present, &s->nfnl,
			   &o->result, o->ended, sizeof(o->ended), &why);
	o->changes += o->result.done - done;
	if (code && (!o->code || o->partial))
		set_code(o, code, &why);
	return !code && o->later.kept &&
	       lock_take(&s->lock, "lock", LOCK_WAIT_MS, &busy) != -EBUSY;
}

void session_again(struct session *s, struct outcome *o)
{
	struct plan_event event = { .gone_link = -1 };
	struct err why;
	int code;

	lock_release(&s->lock);
	while (ended(s, o) || missed(s)) {
		/* The configuration may have changed by now. */
		code = session_conf(s, &why);
		set_code(o, code, &why);
		if (!code)
			session_links(s, &event, NULL, o);
		lock_release(&s->lock);
		if (o->code)
			break;
	}
}

static int on_main_default(const struct route *r, void *data)
{
	struct route *first = data;

	if (!first->family && !r->tos)
		*first = *r;
	return 0;
}

bool session_main_refuses(struct session *s, struct route *by)
{
	struct fib_packet p = { .destination = { .family = AF_INET } };
	struct fib fib;
	struct err err;
	unsigned int i;

	/* TEST-NET-1: a route of its own leads there at most to refuse. */
	p.destination.v4.s_addr = htonl(0xc0000201);
	for (i = 0; i < s->conf.n_links && !p.mark; i++)
		if (link_usable(&s->present.link[i], FAMILY_IPV4))
			p.mark = s->conf.link[i].mark;
	if (!p.mark || !s->in_force || fib_ask(&s->rtnl, &p, &fib, &err) ||
	    !fib.code)
		return false;
	by->family = 0;
	return !route_dump_defaults(&s->rtnl, AF_INET, TABLE_MAIN,
				    on_main_default, by, &err) &&
	       by->family && route_refuses(by);
}

bool session_any_usable(const struct session *s)
{
	unsigned int i;

	for (i = 0; i < s->conf.n_links; i++)
		if (link_usable(&s->present.link[i], FAMILY_IPV4))
			return true;
	return false;
}

bool session_any_down(const struct session *s)
{
	unsigned int i;

	for (i = 0; i < s->conf.n_links; i++)
		if (!link_usable(&s->present.link[i], FAMILY_IPV4))
			return true;
	return false;
}

const char *session_carriers(const struct session *s, int link, char *buf,
			     size_t size)
{
	struct way w;
	unsigned int i;

	way_wanted(&w, &s->conf, &s->present, FAMILY_IPV4, link);
	*buf = '\0';
	for (i = 0; i < w.n; i++)
		str_add(buf, size, ",", s->conf.link[w.by[i]].name);
	if (!w.n)
		snprintf(buf, size, "none");
	return buf;
}

const char *session_names(const struct session *s, const bool *which,
			  char *buf, size_t size)
{
	unsigned int i;

	*buf = '\0';
	for (i = 0; i < s->conf.n_links; i++)
		if (which[i])
			str_add(buf, size, ",", s->conf.link[i].name);
	return buf;
}
