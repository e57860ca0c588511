// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/notify.h"
#include "tool/outcome.h"
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

/* Events of the log; IPv6's are other ones, as in the hooks. */
static const char *const events[FAMILIES][4] = {
	[FAMILY_IPV4] = {
		[ACT_FAILED] = "failed",
		[ACT_RECOVERED] = "recovered",
		[ACT_AVOIDED] = "avoided",
	},
	[FAMILY_IPV6] = {
		[ACT_FAILED] = "ipv6-failed",
		[ACT_RECOVERED] = "ipv6-recovered",
		[ACT_AVOIDED] = "ipv6-avoided",
	},
};

void act_note(struct act_note *n, enum act_event event,
	      const struct probe_line *is)
{
	*n = (struct act_note){
		.event = event, .why = is->why, .silent = is->silent,
		.rtt = probe_rtt(is), .unanswered = is->unanswered,
		.enough = is->enough, .loss = probe_loss(is),
	};
}

static void add_line(struct log *l, const struct act_note *n)
{
	log_add(l, "cause", "%s", whys[n->why]);
	if (n->event == ACT_FAILED) {
		log_add(l, "silent_ms", "%lld", (long long)n->silent / 1000);
		log_add(l, "unanswered", "%u", n->unanswered);
		log_add(l, "enough", "%u", n->enough);
	}
	log_add(l, "loss", "%u.%u%%", n->loss / 10000, n->loss / 1000 % 10);
	log_add(l, "rtt_ms", "%lld.%lld", (long long)n->rtt / 1000,
		(long long)n->rtt / 100 % 10);
}

/* The subject of an act, and its result. */
struct telling {
	const struct session *s;
	struct report *report;
	const struct outcome *o;
};

static void tell(const struct telling *t, const struct act_note *n,
		 enum family f, const char *name)
{
	const struct session *s = t->s;
	struct log *l = &t->report->line;
	char names[512];

	report_event(t->report, n ? events[f][n->event] : "healed");
	if (n) {
		log_add(l, "if", "%s", name);
		add_line(l, n);
		if (f == FAMILY_IPV4)
			log_add(l, "default", "%s",
				session_carriers(s, -1, names, sizeof(names)));
	}
	outcome_put_aside(l, s);
	log_add(l, "changes", "%u", t->o->changes);
	if (t->o->sysctls[0])
		log_add(l, "sysctl", "%s", t->o->sysctls);
	if (t->o->code)
		log_add(l, "error", "%s", t->o->err.msg);
	report_end(t->report, s->conf.log, outcome_result(t->o));
}

static void tell_all(const struct telling *t,
		     struct act_note note[FAMILIES][LINKS_MAX],
		     const struct conf *conf)
{
	bool told = false;
	unsigned int i, f;

	if (t->o->code)
		report_say(t->report, t->o->err.msg);
	for (f = 0; f < FAMILIES; f++)
		for (i = 0; i < conf->n_links; i++) {
			if (note[f][i].event == ACT_NOTHING)
				continue;
			tell(t, &note[f][i], f, conf->link[i].name);
			told = true;
		}
	/* Nobody wants to read that there was nothing to do. */
	if (!told && (t->o->code || t->o->changes))
		tell(t, NULL, FAMILY_IPV4, NULL);
}

static enum act_outcome act(struct session *s, struct report *report,
			    struct act_note note[FAMILIES][LINKS_MAX])
{
	static struct outcome outcome;
	static struct conf conf;
	struct outcome *o = &outcome;
	struct telling t = { .s = s, .report = report, .o = o };
	struct plan_event event = { .gone_link = -1 };

	/* Its links are those of the notes, whatever is in force now. */
	conf = s->conf;
	report_restart(report);
	outcome_begin(o);
	o->code = lock_take(&s->lock, "lock", LOCK_WAIT_MS, &o->err);
	if (o->code == -EBUSY)
		return ACT_BUSY;
	if (!o->code)
		o->code = session_conf(s, &o->err);
	if (!o->code && !s->in_force)
		return ACT_UNCHANGED;
	if (!o->code)
		o->code = nl_watch(&s->watch, &o->err);
	if (!o->code)
		session_links(s, &event, NULL, o);
	session_again(s, o);
	tell_all(&t, note, &conf);
	notify(s, false);
	return outcome_failed(o) ? ACT_BAD :
	       o->changes ? ACT_CHANGED : ACT_UNCHANGED;
}

pid_t act_begin(struct session *s, const struct report *report,
		struct act_note note[FAMILIES][LINKS_MAX])
{
	static struct report mine;
	pid_t pid = fork();

	if (pid)
		return pid < 0 ? -errno : pid;
	mine = *report;
	_exit((int)act(s, &mine, note));
}

enum act_outcome act_outcome(int status)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status) > ACT_BAD)
		return ACT_BAD;
	return (enum act_outcome)WEXITSTATUS(status);
}
