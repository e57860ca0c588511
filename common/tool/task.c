// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nft/words.h"
#include "tool/task.h"

void task_subject(struct report *r, bool failed, void *task)
{
	const struct task *t = task;

	if (failed)
		log_add(&r->line, "command", "%s", t->name);
	if (t->link)
		log_add(&r->line, "if", "%s", t->link);
	if (*t->told && !failed)
		log_add(&r->line, "prefix", "%s", t->told);
}

int task_fail(struct task *t, const char *event, const struct err *err,
	      int status)
{
	const struct outcome_words words = { .subject = task_subject, .of = t };

	return outcome_refuse(&t->report, &t->session, t->dry || !event,
			      &words, event, event, err, status);
}

int task_only_root(const struct task *t, struct err *err)
{
	err_set(err, 0, "only root can see what is in force: run mwan-rules %s "
		"as root", t->name);
	return EXIT_FAILED;
}

/* Hooks need not know: what they read has been applied. */
static int check_sets(const struct conf *conf, struct err *err)
{
	const struct policy *y = conf->policy;
	unsigned int i;

	for (i = 0; i < conf->n_policies; i++)
		if (nft_is_word(y[i].set))
			return err_set(err, -EINVAL, "[policy %s]: nobody can "
				       "fill a set \"@%s\", as that is a word "
				       "of nft's language: choose another name",
				       y[i].name, y[i].set);
	return 0;
}

int task_conf(struct task *t, struct conf_faults *faults, struct err *err)
{
	struct session *s = &t->session;
	const char *path = t->file ? t->file : CONF_PATH;
	int code = conf_read_all(&s->conf, path, t->file != NULL, faults,
				 err);

	if (!code)
		code = check_sets(&s->conf, err);
	if (code)
		return code;
	if (t->file || !access(path, F_OK) || errno != ENOENT)
		(void)!strncpy(s->source, path, sizeof(s->source) - 1);
	if (!s->conf.n_links)
		return err_set(err, -EINVAL, "there are no links: describe "
			       "them in %s ([link ppp0] ...), or name tables "
			       "ppp0, ppp1 ... in /etc/iproute2/rt_tables",
			       path);
	return 0;
}

int task_recall(struct task *t, struct err *err)
{
	struct session *s = &t->session;

	session_recall(s);
	return session_ruleset(s, err);
}

/* A packet meets what is in force, whatever the file says by now. */
static int go_by_force(struct session *s, const char **changed,
		       struct err *err)
{
	int code;

	if (s->bad_conf.msg[0] || !accepted_is(&s->conf))
		*changed = s->source[0] ? s->source : CONF_PATH;
	code = accepted_read(&s->conf, err);
	if (code)
		return err_prefix(err, code, "cannot read what is in force");
	session_recall(s);
	return 0;
}

int task_look(struct task *t, const char **changed, struct err *err)
{
	struct session *s = &t->session;
	int code = t->file ? conf_read(&s->conf, t->file, true, err) :
			     session_conf(s, err);

	if (code)
		return EXIT_CONFIG;
	if (t->file)
		session_force(s);
	if (s->bad_force.msg[0]) {
		*err = s->bad_force;
		return EXIT_FAILED;
	}
	if (t->file)
		session_recall(s);
	else if (changed && s->in_force && go_by_force(s, changed, err))
		return EXIT_FAILED;
	if (!s->unknown_force && !s->conf.n_links && task_conf(t, NULL, err))
		return EXIT_CONFIG;
	if (s->unknown_force)
		return task_only_root(t, err);
	if (session_open(s, err) || session_ruleset(s, err) ||
	    session_look(s, PLAN_ALL, false, err))
		return EXIT_FAILED;
	if (s->present.unread_code) {
		*err = s->present.unread;
		return EXIT_FAILED;
	}
	return 0;
}

void task_say_gateways(struct task *t)
{
	const struct session *s = &t->session;
	struct err why;
	unsigned int i;

	for (i = 0; i < s->conf.n_links; i++) {
		if (!link_lacks_gateway(&s->conf.link[i], &s->present.link[i],
					FAMILY_IPV4, &why))
			continue;
		report_say(&t->report, why.msg);
		log_add(&t->report.line, "warning", "%s", why.msg);
	}
}

static int say_faults(const struct task *t, const struct conf_faults *f)
{
	struct err more;
	unsigned int i;

	for (i = 0; i < f->n; i++)
		report_say(&t->report, f->fault[i].err.msg);
	err_set(&more, 0, "... and %u more: fix these first", f->more);
	if (f->more)
		report_say(&t->report, more.msg);
	return EXIT_CONFIG;
}

int task_check(struct task *t)
{
	static struct conf_faults faults;
	struct session *s = &t->session;
	const struct conf_link *l;
	char gateway[GATEWAY_TEXT], prefix[PREFIX_TEXT];
	struct err err;
	unsigned int i, k;
	int code;

	code = task_conf(t, &faults, &err);
	if (faults.n)
		return say_faults(t, &faults);
	if (!code)
		code = task_recall(t, &err);
	if (code)
		return task_fail(t, NULL, &err, EXIT_CONFIG);
	if (s->source[0])
		printf("%s is fine, with these links:\n", s->source);
	else
		printf("There is no " CONF_PATH "; the tables' names give "
		       "these links:\n");
	for (i = 0; i < s->conf.n_links; i++) {
		l = &s->conf.link[i];
		gateway_text(&l->gateway, gateway);
		printf("%s: table %u, mark 0x%x, weight %u, tier %u%s%s",
		       l->name, l->table, l->mark, l->weight, l->tier,
		       *gateway ? ", gateway " : "", gateway);
		for (k = 0; k < l->prefix6.n; k++)
			printf("%s%s", k ? " " : ", prefix6 ",
			       prefix_text(&l->prefix6.item[k], prefix));
		putchar('\n');
	}
	/* Something missing now is no mistake in the file. */
	if (!session_open(s, &err) && !session_read(s, PLAN_LINKS, true, &err))
		task_say_gateways(t);
	return 0;
}
