// SPDX-License-Identifier: MIT
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "conf/state.h"
#include "core/renumber.h"
#include "tool/change.h"

/* Returns 0 or an exit status. */
static int take_lock(struct task *t)
{
	struct err err;
	int code = t->dry ? 0 : lock_take(&t->session.lock, "lock",
					  LOCK_WAIT_MS, &err);

	if (!code)
		return 0;
	if (code == -EBUSY)
		return task_fail(t, "busy", &err, EXIT_BUSY);
	return task_fail(t, "failed", &err, EXIT_FAILED);
}

static bool others_usable(const struct session *s)
{
	const struct link *is = s->present.link;
	unsigned int i;

	for (i = 0; i < s->conf.n_links; i++)
		if (link_usable(&is[i], FAMILY_IPV4) && !is[i].drained &&
		    !is[i].af[FAMILY_IPV4].held)
			return true;
	return false;
}

static void say_details(struct report *r, void *of)
{
	struct task *t = of;
	const struct session *s = &t->session;
	char drained[512];
	struct err note;

	err_set(&note, 0, "set %s", t->outcome.sysctls);
	if (t->outcome.sysctls[0])
		report_say(r, note.msg);
	log_add(&r->line, "links", "%u", s->conf.n_links);
	if (t->goal == PLAN_FLUSH)
		return;
	task_say_gateways(t);
	if (!session_any_usable(s)) {
		log_add(&r->line, "note", "all links are down");
	} else if (!others_usable(s)) {
		err_set(&note, 0, "no other link is up: what is drained (%s) "
			"stays in use until one is",
			session_names(s, s->verdicts.drained, drained,
				      sizeof(drained)));
		report_say(r, note.msg);
		log_add(&r->line, "note", "%s", note.msg);
	}
}

/* Called with the lock, which it releases. */
static int carry_out(struct task *t, enum plan_goal goal)
{
	const struct outcome_words words = { .subject = task_subject,
					     .details = say_details,
					     .of = t };
	struct session *s = &t->session;
	struct outcome *o = &t->outcome;
	struct plan_event what = { .goal = goal };
	struct err why;
	int code;

	t->goal = goal;
	outcome_begin(o);
	o->code = session_open(s, &o->err);
	if (!o->code && goal == PLAN_APPLY && !t->dry)
		renumber(s, o);
	if (!o->code)
		session_carry_out(s, &what, t->dry ? stdout : NULL, o);
	if (t->accept_last && !t->dry) {
		code = accepted_write(&s->conf, s->source, &why);
		if (code && !o->code) {
			o->code = code;
			o->err = why;
		}
	}
	/* A flush that was killed is still to be done; an apply is done when
	 * what is in force is known.
	 */
	if (!o->code && !t->dry && goal == PLAN_FLUSH)
		o->code = session_forget(s, &o->err);
	/* After a flush there is to be nothing of ours, whatever has come up. */
	if (goal == PLAN_FLUSH)
		lock_release(&s->lock);
	else if (!t->dry)
		session_again(s, o);
	if (goal == PLAN_FLUSH && !t->dry && !outcome_failed(o) &&
	    o->changes && session_any_usable(s))
		report_say(&t->report, "the links that are up have no route "
			   "of ours any more, until their next ip-up or "
			   "\"mwan-rules apply\"");
	return outcome_report(&t->report, s, t->dry, &words, o);
}

int change_apply(struct task *t)
{
	struct err err;
	int code = task_conf(t, NULL, &err);

	if (code)
		return task_fail(t, "failed", &err, EXIT_CONFIG);
	code = take_lock(t);
	if (code)
		return code;
	if (task_recall(t, &err))
		return task_fail(t, "failed", &err, EXIT_CONFIG);
	renumber_note(&t->session.conf, t->dry ? stdout : NULL);
	/* Do this before the first change: if this apply is killed, the next
	 * hook completes it. If a link was removed, only the copy in force
	 * knows whose queue has to go. Then the hook reads the file that the
	 * copy names: it completes the change of that one, and takes back what
	 * another file (-f) has begun.
	 */
	t->accept_last = t->session.conf.n_past;
	if (!t->dry && !t->accept_last)
		code = accepted_write(&t->session.conf, t->session.source,
				      &err);
	if (code)
		return task_fail(t, "failed", &err, EXIT_FAILED);
	return carry_out(t, PLAN_APPLY);
}

int change_flush(struct task *t)
{
	struct err err;
	int code = take_lock(t);

	if (code)
		return code;
	/* The configuration in force says what to flush. */
	if (t->file)
		code = conf_read(&t->session.conf, t->file, true, &err);
	else
		code = session_conf(&t->session, &err);
	if (code)
		return task_fail(t, "failed", &err, EXIT_CONFIG);
	session_note_past(&t->session);
	return carry_out(t, PLAN_FLUSH);
}

/* Returns 0 or an exit status, with a sentence. */
static int known_link(struct task *t, int *link, struct err *err)
{
	struct session *s = &t->session;
	char names[400] = "";
	unsigned int i;

	*link = conf_link_index(&s->conf, t->link);
	if (*link >= 0)
		return 0;
	for (i = 0; i < s->conf.n_links; i++)
		str_add(names, sizeof(names), ", ", s->conf.link[i].name);
	err_set(err, 0, "there is no link \"%s\"; the links are: %s", t->link,
		names);
	return EXIT_USAGE;
}

/* Read what drain and undrain need, with the lock. Returns 0 or an exit status,
 * with a sentence.
 */
static int find_link(struct task *t, int *link, struct err *err)
{
	struct session *s = &t->session;

	if (session_conf(s, err))
		return EXIT_CONFIG;
	if (s->bad_force.msg[0]) {
		*err = s->bad_force;
		return EXIT_FAILED;
	}
	if (s->unknown_force)
		return task_only_root(t, err);
	if (!s->in_force) {
		err_set(err, 0, "nothing is in force that %s could be put "
			"aside from: run \"mwan-rules apply\" first",
			t->link);
		return EXIT_USAGE;
	}
	return known_link(t, link, err);
}

/* Take down which links are drained: before the first change in the kernel, so
 * that the next hook completes what is killed.
 */
static int note_drained(struct task *t, int link, bool drained,
			struct err *err)
{
	struct session *s = &t->session;
	bool new = s->verdicts.drained[link] != drained;
	char names[512];
	int code = 0;

	s->verdicts.drained[link] = drained;
	if (t->dry) {
		session_names(s, s->verdicts.drained, names,
			  sizeof(names));
		if (new && *names)
			printf("echo %s | tr , '\\n' >%s\n", names,
			       DRAINED_PATH);
		else if (new)
			printf("rm -f %s\n", DRAINED_PATH);
		return 0;
	}
	if (!s->bad_conf.msg[0])
		code = accepted_write(&s->conf, s->source, err);
	return code ? code : drained_write(&s->conf, &s->verdicts, err);
}

static int drain(struct task *t, bool drained)
{
	struct session *s = &t->session;
	struct err err;
	int link = -1, code = take_lock(t);

	if (code)
		return code;
	code = find_link(t, &link, &err);
	if (code)
		return task_fail(t, "failed", &err, code);
	if (s->bad_conf.msg[0]) {
		err_set(&err, 0, "%s%s", s->bad_conf.msg,
			session_bad_conf_use(s));
		report_say(&t->report, err.msg);
	}
	/* It would be written again without the names that it has. */
	if (s->bad_drained.msg[0])
		return task_fail(t, "failed", &s->bad_drained, EXIT_FAILED);
	if (note_drained(t, link, drained, &err))
		return task_fail(t, "failed", &err, EXIT_FAILED);
	return carry_out(t, PLAN_ALL);
}

int change_drain(struct task *t)
{
	return drain(t, true);
}

int change_undrain(struct task *t)
{
	return drain(t, false);
}

/* Do this before the first change in the kernel, as for drained links. A link
 * without an interface (ENODEV) has the index 0.
 */
static int note_prefixes(struct task *t, int link, struct err *err)
{
	struct session *s = &t->session;
	char text[PREFIX_TEXT];
	unsigned int i;

	for (i = 0; i < t->prefixes.n; i++)
		str_add(t->told, sizeof(t->told), " ",
			prefix_text(&t->prefixes.item[i], text));
	s->prefix6.of[link].told = t->prefixes;
	s->prefix6.of[link].ifindex = if_nametoindex(t->link);
	if (!s->prefix6.of[link].ifindex && errno != ENODEV)
		return err_set(err, -errno, "the interface %s cannot be looked "
			       "up: %s", t->link, strerror(errno));
	if (t->dry) {
		printf("# %s: %s told %u %s\n", PREFIX6_PATH, t->link,
		       s->prefix6.of[link].ifindex, t->told);
		return 0;
	}
	if (!t->prefixes.n)
		strcpy(t->told, "none");
	return prefix6_write(&s->conf, &s->prefix6, err);
}

int change_prefix(struct task *t)
{
	struct session *s = &t->session;
	struct err err;
	int link = -1, code = take_lock(t);

	if (code)
		return code;
	if (session_conf(s, &err))
		return task_fail(t, "failed", &err, EXIT_CONFIG);
	if (!s->in_force)
		session_recall(s);
	code = known_link(t, &link, &err);
	if (code)
		return task_fail(t, "failed", &err, code);
	if (s->bad_force.msg[0])
		return task_fail(t, "failed", &s->bad_force, EXIT_FAILED);
	/* Its lines about other links would be lost. */
	if (s->bad_prefix6.msg[0])
		return task_fail(t, "failed", &s->bad_prefix6, EXIT_FAILED);
	if (note_prefixes(t, link, &err))
		return task_fail(t, "failed", &err, EXIT_FAILED);
	if (s->in_force)
		return carry_out(t, PLAN_ALL);
	lock_release(&s->lock);
	if (t->dry)
		return 0;
	task_subject(&t->report, false, t);
	report_end(&t->report, s->conf.log, "ok");
	return 0;
}
