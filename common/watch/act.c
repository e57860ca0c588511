// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/notify.h"
#include "watch/act.h"

static const char *const whys[] = {
	[PROBE_NOTHING] = "-",
	[PROBE_SILENT] = "silent",
	[PROBE_DEAF] = "deaf",
	[PROBE_NEVER] = "never-answered",
	[PROBE_LOSSY] = "loss",
	[PROBE_SLOW] = "latency",
	[PROBE_ANSWERS] = "answers",
	[PROBE_LATE] = "late-answer",
	[PROBE_BETTER] = "better",
	[PROBE_TAKEN_OVER] = "taken-over",
	[PROBE_RELEASED] = "watch-ended",
};

const char *act_why(enum probe_why why)
{
	return whys[why];
}

static const char *const events[] = {
	[ACT_FAILED] = "failed",
	[ACT_RECOVERED] = "recovered",
	[ACT_AVOIDED] = "avoided",
};

static void add_line(struct log *l, const struct act_note *n)
{
	const struct probe_line *is = &n->line;
	uint32_t loss = probe_loss(is);

	log_add(l, "cause", "%s", whys[is->why]);
	if (n->event == ACT_FAILED) {
		log_add(l, "silent_ms", "%lld", (long long)is->silent / 1000);
		log_add(l, "unanswered", "%u", is->unanswered);
		log_add(l, "enough", "%u", is->enough);
	}
	log_add(l, "loss", "%u.%u%%", loss / 10000, loss / 1000 % 10);
	log_add(l, "rtt_ms", "%lld.%lld", (long long)probe_rtt(is) / 1000,
		(long long)probe_rtt(is) / 100 % 10);
}

static void tell(const struct run *r, struct report *report,
		 const struct act_note *n, const char *name,
		 const struct err *err, const char *result)
{
	struct log *l = &report->line;
	char names[512];

	report_event(report, n ? events[n->event] : "healed");
	if (n) {
		log_add(l, "if", "%s", name);
		add_line(l, n);
		log_add(l, "default", "%s",
			run_standby_text(r, names, sizeof(names)));
	}
	if (*run_names(r, r->verdicts.drained, names, sizeof(names)))
		log_add(l, "drained", "%s", names);
	if (*run_names(r, r->verdicts.held, names, sizeof(names)))
		log_add(l, "held", "%s", names);
	log_add(l, "changes", "%u", r->changes);
	if (r->sysctls[0])
		log_add(l, "sysctl", "%s", r->sysctls);
	if (err->msg[0])
		log_add(l, "error", "%s", err->msg);
	report_end(report, r->conf.log, result);
}

/* @code and @err are how it went. */
static void tell_all(const struct run *r, struct report *report,
		     const struct act_note *note, const struct conf *conf,
		     int code, const struct err *err)
{
	const char *result = !code ? r->changes ? "ok" : "unchanged" :
			     apply_only_queues(&r->result) ? "partial" :
			     "failed";
	bool told = false;
	unsigned int i;

	if (code)
		report_say(report, err->msg);
	for (i = 0; i < conf->n_links; i++) {
		if (note[i].event == ACT_NOTHING)
			continue;
		tell(r, report, &note[i], conf->link[i].name, err, result);
		told = true;
	}
	/* Nobody wants to read that there was nothing to do. */
	if (!told && (code || r->changes))
		tell(r, report, NULL, NULL, err, result);
}

static enum act_outcome act(struct run *r, struct report *report,
			    const struct act_note *note)
{
	struct plan_event event = { .gone_link = -1 };
	struct err err = { "" };
	static struct conf conf;
	int code;

	/* Its links are those of the notes, whatever is in force by now. */
	conf = r->conf;
	report_restart(report);
	code = lock_take(&r->lock, "lock", LOCK_WAIT_MS, &err);
	if (code == -EBUSY)
		return ACT_BUSY;
	if (!code)
		code = run_conf(r, &err);
	if (!code && !r->in_force)
		return ACT_UNCHANGED;
	if (!code)
		code = nl_watch(&r->watch, &err);
	if (!code)
		code = run_links(r, &event, NULL, &err);
	code = run_again(r, code, &err);
	tell_all(r, report, note, &conf, code, &err);
	notify(r, false);
	if (code && !apply_only_queues(&r->result))
		return ACT_BAD;
	return r->changes ? ACT_CHANGED : ACT_UNCHANGED;
}

pid_t act_begin(struct run *run, const struct report *report,
		const struct act_note *note)
{
	static struct report mine;
	pid_t pid = fork();

	if (pid)
		return pid < 0 ? -errno : pid;
	mine = *report;
	_exit(act(run, &mine, note));
}

enum act_outcome act_outcome(int status)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status) > ACT_BAD)
		return ACT_BAD;
	return WEXITSTATUS(status);
}
