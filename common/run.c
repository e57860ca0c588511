// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

#include "accepted.h"
#include "run.h"

enum {
	/* One to change things, and three for a link that goes up and down
	 * meanwhile.
	 */
	ROUNDS_MAX = 4,
};

int run_conf(struct run *run, struct err *err)
{
	const char *path = CONF_PATH;
	int code = accepted_source(run->source);

	run->in_force = !code;
	run->unknown_force = code == -EACCES;
	if (run->in_force && run->source[0])
		path = run->source;
	code = conf_read(&run->conf, path, run->in_force, &run->bad_conf);
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

int run_open(struct run *run, struct err *err)
{
	int code = nl_watch(&run->watch, err);

	if (!code)
		code = nl_open(&run->rtnl, NETLINK_ROUTE, err);
	if (code)
		return code;
	return nl_open(&run->nfnl, NETLINK_NETFILTER, err);
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
		.nfnl = goal == PLAN_LINKS ? NULL : &run->nfnl,
		.every_queue = goal == PLAN_FLUSH,
	};
	int code = present_read(&run->present, &run->conf, &from, err);

	if (dry && run->present.nft_code == -EPERM)
		run->present.nft_code = 0;
	return code;
}

static int build_ruleset(struct run *run, enum plan_goal goal,
			 struct err *err)
{
	if (run->have_ruleset || (goal != PLAN_ALL && goal != PLAN_APPLY))
		return 0;
	run->have_ruleset = true;
	return ruleset_build(&run->ruleset, &run->conf, err);
}

/* Refusals that mean "it was different a moment ago". */
static bool transient(int code)
{
	return code == -ENODEV || code == -ENETDOWN || code == -ERESTART ||
	       code == -EAGAIN || code == -ENOBUFS || code == -EINTR;
}

/* A host's setting is not changed silently. */
static void note_sysctls(struct run *run)
{
	const struct op *op;
	size_t len = strlen(run->sysctls);
	unsigned int i;

	for (i = 0; i < run->plan.n_ops && len < sizeof(run->sysctls); i++) {
		op = &run->plan.op[i];
		if (op->kind == OP_SYSCTL)
			len += (size_t)snprintf(run->sysctls + len,
						sizeof(run->sysctls) - len,
						"%s%s=%d", len ? " " : "",
						op->sysctl.path,
						op->sysctl.value);
	}
}

/* The rest is done; what could not even be looked at is a failure. */
static int nft_outcome(const struct run *run, struct err *err)
{
	if (run->present.nft_code)
		*err = run->present.nft_err;
	return run->present.nft_code;
}

int run_rounds(struct run *run, struct plan_event *event, FILE *dry,
	       struct err *err)
{
	unsigned int round;
	int code = build_ruleset(run, event->goal, err);

	for (round = 0; round < ROUNDS_MAX && !code; round++) {
		code = run_read(run, event->goal, dry, err);
		if (!code)
			code = plan_make(&run->plan, &run->conf, &run->present,
					 &run->ruleset, event, err);
		if (code)
			return code;
		if (dry) {
			plan_print(&run->plan, dry);
			return 0;
		}
		note_sysctls(run);
		apply_plan(&run->plan, &run->rtnl, &run->nfnl, &run->present,
			   &run->result);
		run->changes += run->result.done;
		/* Done once; nothing in the kernel shows it. */
		if (run_any_usable(run))
			event->gone.family = 0;
		if (nl_heard(&run->watch) || run->plan.more ||
		    transient(run->result.code))
			continue;
		if (run->result.failed)
			break;
		return nft_outcome(run, err);
	}
	if (code)
		return code;
	if (!run->result.failed)
		return err_set(err, -EAGAIN, "interfaces keep coming and "
			       "going: the next event goes on from here");
	*err = run->result.first;
	return run->result.code;
}

bool run_any_usable(const struct run *run)
{
	unsigned int i;

	for (i = 0; i < run->conf.n_links; i++)
		if (present_usable(&run->present.link[i]))
			return true;
	return false;
}

bool run_any_down(const struct run *run)
{
	unsigned int i;

	for (i = 0; i < run->conf.n_links; i++)
		if (!present_usable(&run->present.link[i]))
			return true;
	return false;
}

const char *run_standby_text(const struct run *run, char *buf, size_t size)
{
	const struct conf *c = &run->conf;
	uint8_t best = UINT8_MAX;
	unsigned int i;
	size_t len = 0;

	for (i = 0; i < c->n_links; i++)
		if (present_usable(&run->present.link[i]) &&
		    c->link[i].tier < best)
			best = c->link[i].tier;
	snprintf(buf, size, "none");
	for (i = 0; i < c->n_links && len < size; i++)
		if (present_usable(&run->present.link[i]) &&
		    c->link[i].tier == best)
			len += (size_t)snprintf(buf + len, size - len, "%s%s",
						len ? "," : "",
						c->link[i].name);
	return buf;
}
