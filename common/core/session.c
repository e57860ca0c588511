// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "conf/state.h"
#include "core/own.h"
#include "core/session.h"
#include "nft/message.h"
#include "kernel/fib.h"
#include "kernel/iface.h"

enum {
	/* One to change things, and the rest for links that come and go
	 * meanwhile: when a machine boots, all of them do.
	 */
	ROUNDS_MAX = 32,
};

static bool marks_open(const struct conf *conf)
{
	unsigned int i;

	for (i = 0; i < conf->n_links; i++)
		if (!conf->link[i].mark_given)
			return true;
	return false;
}

void run_recall(struct run *run)
{
	static struct conf old;

	if ((marks_open(&run->conf) || !run->conf.standby_given) &&
	    !accepted_read(&old, NULL)) {
		conf_give_marks(&run->conf, &old);
		conf_keep_standby(&run->conf, &old);
	}
	if (!drained_read(&run->conf, &run->verdicts, &run->bad_drained))
		run->bad_drained.msg[0] = '\0';
	if (!held_read(&run->conf, &run->verdicts, &run->bad_held))
		run->bad_held.msg[0] = '\0';
	if (!run->conf.ipv6 ||
	    !prefix6_read(&run->conf, &run->prefix6, &run->bad_prefix6))
		run->bad_prefix6.msg[0] = '\0';
}

void run_note_past(struct run *run)
{
	static struct conf old;
	struct conf *c = &run->conf;
	unsigned int i, n = c->n_links;

	if (accepted_read(&old, NULL))
		return;
	for (i = 0; i < old.n_links && n < LINKS_MAX; i++)
		if (conf_link_index(c, old.link[i].name) < 0)
			c->link[n++] = old.link[i];
	c->n_past = n - c->n_links;
}

void run_force(struct run *run)
{
	int code = accepted_source(run->source, &run->bad_force);

	run->in_force = !code;
	run->unknown_force = code == -EACCES;
	if (!code || code == -ENOENT || code == -EACCES)
		run->bad_force.msg[0] = '\0';
}

static int choose_conf(struct run *run, struct err *err)
{
	const char *path = CONF_PATH;
	int code;

	run_force(run);
	if (run->in_force && run->source[0])
		path = run->source;
	code = conf_read(&run->conf, path, run->in_force, &run->bad_conf);
	run->unknown_conf = code == -EACCES && geteuid();
	if (!code) {
		run->bad_conf.msg[0] = '\0';
		if (run->in_force && path != run->source)
			strcpy(run->source, path);
		return 0;
	}
	/* In force without a file: it was made from rt_tables. */
	if (code == -ENOENT && !run->source[0])
		run->bad_conf.msg[0] = '\0';
	if (run->in_force && !accepted_read(&run->conf, NULL))
		return 0;
	return conf_read(&run->conf, "", false, err);
}

int run_conf(struct run *run, struct err *err)
{
	int code = choose_conf(run, err);

	memset(&run->verdicts, 0, sizeof(run->verdicts));
	if (!code && run->in_force)
		run_recall(run);
	return code;
}

const char *run_bad_conf_use(const struct run *run)
{
	return run->in_force ? "; until it is fixed, what is in force stays" :
	       "; until it is fixed, the tables' names in rt_tables are used";
}

int run_open(struct run *run, struct err *err)
{
	int code = nl_watch(&run->watch, err);

	if (!code)
		code = nl_open(&run->rtnl, NETLINK_ROUTE, err);
	if (!code)
		run->no_nfnl = nl_open(&run->nfnl, NETLINK_NETFILTER,
				       &run->bad_nfnl);
	return code;
}

void run_close(struct run *run)
{
	nl_close(&run->rtnl);
	nl_close(&run->nfnl);
	nl_close(&run->watch);
}

int run_read(struct run *run, enum plan_goal goal, bool dry, struct err *err)
{
	struct present_source from = {
		.rtnl = &run->rtnl,
		.nfnl = goal == PLAN_LINKS || run->no_nfnl ? NULL :
			&run->nfnl,
		.ruleset = run->have_ruleset ? &run->ruleset : NULL,
		.known = !dry && run->verified.netns ? &run->verified : NULL,
		.said = run->have_said ? &run->said : NULL,
		.prefix6 = &run->prefix6,
		.every_queue = goal == PLAN_FLUSH,
		.every_table = goal == PLAN_FLUSH || goal == PLAN_APPLY,
	};
	int code = present_read(&run->present, &run->conf, &from, err);
	unsigned int i;

	for (i = 0; i < run->conf.n_links; i++) {
		run->present.link[i].drained = run->verdicts.drained[i];
		run->present.link[i].held = run->verdicts.held[i];
	}
	links_judge(run->present.link, run->conf.n_links);
	if (goal != PLAN_LINKS && run->no_nfnl) {
		run->present.nft_code = run->no_nfnl;
		run->present.nft_err = run->bad_nfnl;
	}
	run->nft_unread = dry && run->present.nft_code == -EPERM;
	if (run->nft_unread)
		run->present.nft_code = 0;
	return code;
}

/* What was verified of this ruleset in this namespace. Only the hooks come here
 * with something to recall: mwan-rules builds its ruleset before, and so what
 * it says or puts in force was really read.
 */
static void recall_verified(struct run *run)
{
	struct verified *v = &run->verified;

	if (run->no_nfnl || nl_netns(&run->nfnl, &v->netns))
		v->netns = 0;
	if (!v->netns)
		return;
	v->ruleset = nftmsg_digest(&run->ruleset);
	v->n_links = run->ruleset.n_links;
	verified_read(v);
}

/* The table that the last round has read, for the next hook. What that round
 * then loaded it has not seen: the next hook reads it.
 */
static void keep_verified(struct run *run)
{
	const struct nft_seen *is = &run->present.nft;
	struct verified *v = &run->verified;

	if (!v->netns || run->present.nft_code || is->known || !is->steady ||
	    is->misfilled || !nft_intact(is, &run->ruleset))
		return;
	v->state = is->state;
	v->table = is->handle;
	v->generation = is->generation;
	verified_write(v);
}

int run_ruleset(struct run *run, struct err *err)
{
	run->have_ruleset = true;
	run->verified.netns = 0;
	return ruleset_build(&run->ruleset, &run->conf, run->verdicts.drained,
			     run->twins, err);
}

static int build_ruleset(struct run *run, enum plan_goal goal,
			 struct err *err)
{
	int code;

	if (run->have_ruleset || (goal != PLAN_ALL && goal != PLAN_APPLY))
		return 0;
	code = run_ruleset(run, err);
	if (!code && goal == PLAN_ALL)
		recall_verified(run);
	return code;
}

int run_look(struct run *run, enum plan_goal goal, bool dry, struct err *err)
{
	int code = run_read(run, goal, dry, err);

	if (code || !run->have_ruleset ||
	    links_are_twins(run->present.link, run->conf.n_links) ==
	    run->twins)
		return code;
	run->twins = !run->twins;
	code = run_ruleset(run, err);
	return code ? code : run_read(run, goal, dry, err);
}

/* Before a prefix is lost from sight: its hosts may still use it. @dry: for this
 * plan alone.
 */
static void keep_prefixes(struct run *run, enum plan_goal goal, bool dry)
{
	if ((goal != PLAN_ALL && goal != PLAN_APPLY) ||
	    run->bad_prefix6.msg[0] ||
	    !own_remember(&run->prefix6, &run->present, &run->conf) || dry)
		return;
	(void)prefix6_write(&run->conf, &run->prefix6, &run->bad_prefix6);
}

/* Refusals that mean "it was different a moment ago". */
static bool transient(int code)
{
	return code == -ENODEV || code == -ENETDOWN || code == -ERESTART ||
	       code == -EAGAIN || code == -ENOBUFS || code == -EINTR;
}

/* No setting of the host is changed silently. */
static void note_ops(struct run *run)
{
	const struct op *op;
	char text[SYSCTL_PATH_MAX + 16];
	unsigned int i;

	for (i = 0; i < run->plan.n_ops; i++) {
		op = &run->plan.op[i];
		if (op->kind != OP_SYSCTL)
			continue;
		snprintf(text, sizeof(text), "%s=%d", op->sysctl.path,
			 op->sysctl.value);
		str_add(run->sysctls, sizeof(run->sysctls), " ", text);
	}
}

/* The rest is done; what could not even be looked at, or stood in the way, is a
 * failure. @planned and @why are plan_make()'s.
 */
static int outcome(const struct run *run, int planned, const struct err *why,
		   struct err *err)
{
	const struct present *p = &run->present;

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
	const struct run *run = data;
	struct iface l;

	return iface_event(nlh, &l) || !run->rounds ||
	       present_link_of(&run->present, &run->conf, l.ifindex) >= 0 ||
	       conf_link_index(&run->conf, l.name) >= 0;
}

/* Have our links changed since the last look, or may they have? */
static bool links_changed(struct run *run)
{
	return nl_heard(&run->watch, is_ours, run);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int run_rounds(struct run *run, struct plan_event *event, FILE *dry,
	       struct err *err)
{
	struct err why, no_ruleset;
	int ruleset = build_ruleset(run, event->goal, &no_ruleset);
	int code, planned;
	bool again = false;

	/* Without a ruleset there is still the links' part. */
	if (ruleset)
		event->goal = PLAN_LINKS;
	do {
		run->rounds++;
		code = run_look(run, event->goal, dry, err);
		if (code)
			return code;
		run->looked = now_ns();
		keep_prefixes(run, event->goal, dry);
		planned = plan_make(&run->plan, &run->conf, &run->present,
				    &run->ruleset, event, &why);
		if (dry) {
			if (run->nft_unread)
				fputs("# Only root can read nftables: our "
				      "table counts as missing here.\n", dry);
			plan_print(&run->plan, dry);
			break;
		}
		note_ops(run);
		apply_plan(&run->plan, &run->rtnl, &run->nfnl, &run->present,
			   &run->later, &run->result);
		run->changes += run->result.done;
		/* Done once; nothing in the kernel shows it. */
		if (run_any_usable(run))
			event->gone.family = 0;
		again = links_changed(run) || run->plan.more ||
			transient(run->result.code) ||
			transient(run->present.unread_code);
	} while (again && run->rounds < ROUNDS_MAX);
	if (ruleset)
		return err_set(err, ruleset, "%s", no_ruleset.msg);
	if (!dry && run->result.failed)
		return err_set(err, run->result.code, "%s",
			       run->result.first.msg);
	code = outcome(run, planned, &why, err);
	if (!code && again)
		return err_set(err, -EAGAIN, "interfaces keep coming and "
			       "going: the next event goes on from here, and "
			       "pppd's messages in the system log say why");
	return code;
}

int run_links(struct run *run, struct plan_event *event, FILE *dry,
	      struct err *err)
{
	/* Who may not know is shown all of it. */
	bool all = run->in_force || (dry && run->unknown_force);
	int code;

	event->goal = all ? PLAN_ALL : PLAN_LINKS;
	code = run_rounds(run, event, dry, err);
	/* The links' part is done, and it may be all. */
	if (!code && run->bad_force.msg[0]) {
		*err = run->bad_force;
		return -EIO;
	}
	if (code || dry || !run->in_force || run->bad_conf.msg[0] ||
	    run->no_lock.msg[0])
		return code;
	code = accepted_write(&run->conf, run->source, err);
	if (!code)
		keep_verified(run);
	return code;
}

/* Is there something that nobody has seen who still holds the lock? Who holds
 * it now has taken it since, and reads all of it.
 */
static bool missed(struct run *run)
{
	struct err err;

	return run->watch.sock && links_changed(run) &&
	       lock_take(&run->lock, "lock", 0, &err) != -EBUSY;
}

/* End the flows that are to be ended, without the lock. Returns whether rules
 * that remembered them can go now, with the lock then. When somebody else holds
 * it for long, the rules stay, and the next run of anything removes them.
 */
static bool ended(struct run *run, int *code, struct err *err)
{
	bool queues = apply_only_queues(&run->result);
	unsigned int done = run->result.done;
	struct err why, busy;
	int failed;

	if (!apply_waits(&run->later))
		return false;
	failed = apply_later(&run->later, &run->plan, &run->present, &run->nfnl,
			     &run->result, run->ended, sizeof(run->ended),
			     &why);
	run->changes += run->result.done - done;
	if (failed && (!*code || queues)) {
		*code = failed;
		*err = why;
	}
	return !failed && run->later.kept &&
	       lock_take(&run->lock, "lock", LOCK_WAIT_MS, &busy) != -EBUSY;
}

int run_again(struct run *run, int code, struct err *err)
{
	struct plan_event event = { .gone_link = -1 };

	lock_release(&run->lock);
	while (ended(run, &code, err) || missed(run)) {
		/* By now it may be another configuration. */
		run->have_ruleset = run->have_said = false;
		code = run_conf(run, err);
		if (!code)
			code = run_links(run, &event, NULL, err);
		lock_release(&run->lock);
		if (code)
			break;
	}
	return code;
}

static int on_main_default(const struct route *r, void *data)
{
	struct route *first = data;

	if (!first->family && !r->tos)
		*first = *r;
	return 0;
}

bool run_main_refuses(struct run *run, struct route *by)
{
	struct fib_packet p = { .destination = { .family = AF_INET } };
	struct fib fib;
	struct err err;
	unsigned int i;

	/* TEST-NET-1: a route of its own leads there at most to refuse. */
	p.destination.v4.s_addr = htonl(0xc0000201);
	for (i = 0; i < run->conf.n_links && !p.mark; i++)
		if (link_usable(&run->present.link[i], FAMILY_IPV4))
			p.mark = run->conf.link[i].mark;
	if (!p.mark || !run->in_force || fib_ask(&run->rtnl, &p, &fib, &err) ||
	    !fib.code)
		return false;
	by->family = 0;
	return !route_dump_defaults(&run->rtnl, AF_INET, TABLE_MAIN,
				    on_main_default, by, &err) &&
	       by->family && route_refuses(by);
}

bool run_any_usable(const struct run *run)
{
	unsigned int i;

	for (i = 0; i < run->conf.n_links; i++)
		if (link_usable(&run->present.link[i], FAMILY_IPV4))
			return true;
	return false;
}

bool run_any_down(const struct run *run)
{
	unsigned int i;

	for (i = 0; i < run->conf.n_links; i++)
		if (!link_usable(&run->present.link[i], FAMILY_IPV4))
			return true;
	return false;
}

const char *run_standby_text(const struct run *run, char *buf, size_t size)
{
	const struct conf_link *link = run->conf.link;
	const struct link *is = run->present.link;
	unsigned int i, best = RANKS;

	for (i = 0; i < run->conf.n_links; i++)
		if (link_usable(&is[i], FAMILY_IPV4) &&
		    link_rank(&link[i], &is[i], FAMILY_IPV4) < best)
			best = link_rank(&link[i], &is[i], FAMILY_IPV4);
	*buf = '\0';
	for (i = 0; i < run->conf.n_links; i++)
		if (link_usable(&is[i], FAMILY_IPV4) &&
		    link_rank(&link[i], &is[i], FAMILY_IPV4) == best)
			str_add(buf, size, ",", link[i].name);
	if (!*buf)
		snprintf(buf, size, "none");
	return buf;
}

const char *run_names(const struct run *run, const bool *which, char *buf,
		      size_t size)
{
	unsigned int i;

	*buf = '\0';
	for (i = 0; i < run->conf.n_links; i++)
		if (which[i])
			str_add(buf, size, ",", run->conf.link[i].name);
	return buf;
}
