// SPDX-License-Identifier: MIT
#include "tool/outcome.h"

static const char *log_path(const struct session *s)
{
	return s->conf.log[0] ? s->conf.log : CONF_LOG;
}

const char *outcome_result(const struct outcome *o)
{
	if (outcome_failed(o))
		return "failed";
	return o->code ? "partial" : o->changes ? "ok" : "unchanged";
}

void outcome_put_aside(struct log *l, const struct session *s)
{
	char names[512];

	if (*session_names(s, s->verdicts.drained, names, sizeof(names)))
		log_add(l, "drained", "%s", names);
	if (*session_names(s, s->verdicts.held[FAMILY_IPV4], names,
			   sizeof(names)))
		log_add(l, "held", "%s", names);
	if (*session_names(s, s->verdicts.held[FAMILY_IPV6], names,
			   sizeof(names)))
		log_add(l, "ipv6_held", "%s", names);
}

int outcome_refuse(struct report *r, const struct session *s, bool dry,
		   const struct outcome_words *words, const char *event,
		   const char *result, const struct err *err, int status)
{
	report_say(r, err->msg);
	if (dry)
		return status;
	report_event(r, event);
	if (words->subject)
		words->subject(r, true, words->of);
	log_add(&r->line, "error", "%s", err->msg);
	report_end(r, log_path(s), result);
	return status;
}

int outcome_report(struct report *r, const struct session *s, bool dry,
		   const struct outcome_words *words, const struct outcome *o)
{
	struct log *l = &r->line;

	if (outcome_failed(o))
		return outcome_refuse(r, s, dry, words, "failed", "failed",
				      &o->err, EXIT_FAILED);
	if (dry)
		return 0;
	if (words->subject)
		words->subject(r, false, words->of);
	if (o->sysctls[0])
		log_add(l, "sysctl", "%s", o->sysctls);
	outcome_put_aside(l, s);
	if (o->ended[0])
		log_add(l, "ended", "%s", o->ended);
	if (words->details)
		words->details(r, words->of);
	log_add(l, "changes", "%u", o->changes);
	if (o->code)
		report_warn(r, &o->err);
	/* A list that cannot be used is no reason to do nothing. */
	report_warn(r, &s->bad_drained);
	report_warn(r, &s->bad_held);
	report_warn(r, &s->bad_prefix6);
	if (s->no_lock.msg[0])
		log_add(l, "warning", "%s", s->no_lock.msg);
	report_end(r, log_path(s), outcome_result(o));
	return o->code ? EXIT_FAILED : 0;
}
