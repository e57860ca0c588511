// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "conf/state.h"
#include "core/session.h"
#include "tell/history_print.h"
#include "tell/history_read.h"
#include "tell/init.h"
#include "tell/status_print.h"
#include "tell/why.h"
#include "tell/why_ask.h"
#include "tool/hook.h"
#include "tool/notify.h"
#include "tool/service.h"
#include "tool/priv.h"
#include "tool/outcome.h"
#include "tool/report.h"
#include "tool/terminal.h"
#include "watch/watch.h"

#define TOOL "mwan-rules"
/* The rest of the usage, after the commands. */
static const char options[] =
	"  -f FILE  the configuration, in the place of " CONF_PATH "\n"
	"  --long   status with all there is of each link\n"
	"  --watch  status again and again, with rates; q ends it\n"
	"  --json, --prometheus\n"
	"           status, or history, for programs\n"
	"  --since WHEN\n"
	"           from a date (2026-11-22, 2026-11-22T17:22) on, or for the\n"
	"           last 36h, 7d or 4w; without it 30d\n"
	"  --svg FILE\n"
	"           history as a picture; - is the standard output\n"
	"  -n       print the commands that would do the same; change "
	"nothing\n"
	"See mwan-rules(8).\n";

/* The forms that status prints. */
enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_PROMETHEUS, FORMAT_LONG };

/* One call of mwan-rules. */
struct call {
	const char *name;	/* of the command */
	const char *link;	/* of drain, undrain and history; or NULL */
	struct why_packet packet;	/* of why */
	struct ppp_event event;		/* of up and down */
	const char *file;	/* of -f, absolute; NULL: the default */
	struct prefixes prefixes;	/* of prefix ... */
	char told[PREFIXES_MAX * PREFIX_TEXT];	/* ... in words; "": none yet */
	bool dry;
	int format;			/* of status, history: enum format */
	const char *since, *svg;	/* of history; or NULL */
	unsigned int watch;		/* of status: seconds; 0: once */
	struct rates *rates;		/* of status with watch; else NULL */
	bool colour;
	struct conf_faults *faults;	/* of check; else NULL */
	enum plan_goal goal;		/* of what is changed */
	struct report report;
	struct session session;
	struct outcome outcome;
};

static void say_subject(struct report *r, bool failed, void *of)
{
	const struct call *c = of;

	if (failed)
		log_add(&r->line, "command", "%s", c->name);
	if (c->link)
		log_add(&r->line, "if", "%s", c->link);
	if (*c->told && !failed)
		log_add(&r->line, "prefix", "%s", c->told);
}

/* Say why on stderr; what should have changed something also in the log. */
static int fail(struct call *c, const char *event, const struct err *err,
		int status)
{
	const struct outcome_words words = { .subject = say_subject, .of = c };

	return outcome_refuse(&c->report, &c->session, c->dry || !event,
			      &words, event, event, err, status);
}

/* The configuration of apply and check: the file, never a fallback. Not yet
 * complete: see recall().
 */
static int read_conf(struct call *c, struct err *err)
{
	struct session *s = &c->session;
	const char *path = c->file ? c->file : CONF_PATH;
	int code = conf_read_all(&s->conf, path, c->file != NULL, c->faults,
				 err);

	if (code)
		return code;
	if (c->file || !access(path, F_OK) || errno != ENOENT)
		(void)!strncpy(s->source, path, sizeof(s->source) - 1);
	if (!s->conf.n_links)
		return err_set(err, -EINVAL, "there are no links: describe "
			       "them in %s ([link ppp0] ...), or name tables "
			       "ppp0, ppp1 ... in /etc/iproute2/rt_tables",
			       path);
	return 0;
}

/* Read the previous state and the ruleset of all that; a caller that changes
 * something holds the lock.
 */
static int recall(struct call *c, struct err *err)
{
	struct session *s = &c->session;

	session_recall(s);
	return session_ruleset(s, err);
}

/* Returns 0 or an exit status. */
static int take_lock(struct call *c)
{
	struct err err;
	int code = c->dry ? 0 : lock_take(&c->session.lock, "lock",
					  LOCK_WAIT_MS, &err);

	if (!code)
		return 0;
	if (code == -EBUSY)
		return fail(c, "busy", &err, EXIT_BUSY);
	return fail(c, "failed", &err, EXIT_FAILED);
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

/* Links that nobody gets out by, though they are up. */
static void tell_gateways(struct call *c)
{
	const struct session *s = &c->session;
	struct err why;
	unsigned int i;

	for (i = 0; i < s->conf.n_links; i++) {
		if (!link_lacks_gateway(&s->conf.link[i], &s->present.link[i],
					FAMILY_IPV4, &why))
			continue;
		report_say(&c->report, why.msg);
		log_add(&c->report.line, "warning", "%s", why.msg);
	}
}

static void say_details(struct report *r, void *of)
{
	struct call *c = of;
	const struct session *s = &c->session;
	char drained[512];
	struct err note;

	err_set(&note, 0, "set %s", c->outcome.sysctls);
	if (c->outcome.sysctls[0])
		report_say(r, note.msg);
	log_add(&r->line, "links", "%u", s->conf.n_links);
	if (c->goal == PLAN_FLUSH)
		return;
	tell_gateways(c);
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
static int change(struct call *c, enum plan_goal goal)
{
	const struct outcome_words words = { .subject = say_subject,
					     .details = say_details,
					     .of = c };
	struct session *s = &c->session;
	struct outcome *o = &c->outcome;
	struct plan_event what = { .goal = goal };

	c->goal = goal;
	outcome_begin(o);
	o->code = session_open(s, &o->err);
	if (!o->code)
		session_carry_out(s, &what, c->dry ? stdout : NULL, o);
	/* A flush that was killed is still to be done; an apply is done when
	 * what is in force is known.
	 */
	if (!o->code && !c->dry && goal == PLAN_FLUSH)
		o->code = session_forget(s, &o->err);
	/* After a flush there is to be nothing of ours, whatever has come up. */
	if (goal == PLAN_FLUSH)
		lock_release(&s->lock);
	else if (!c->dry)
		session_again(s, o);
	if (goal == PLAN_FLUSH && !c->dry && !outcome_failed(o) &&
	    o->changes && session_any_usable(s))
		report_say(&c->report, "the links that are up have no route "
			   "of ours any more, until their next ip-up or "
			   "\"mwan-rules apply\"");
	return outcome_report(&c->report, s, c->dry, &words, o);
}

static int cmd_apply(struct call *c)
{
	struct err err;
	int code = read_conf(c, &err);

	if (code)
		return fail(c, "failed", &err, EXIT_CONFIG);
	code = take_lock(c);
	if (code)
		return code;
	if (recall(c, &err))
		return fail(c, "failed", &err, EXIT_CONFIG);
	session_note_past(&c->session);
	/* Do this before the first change: if this apply is killed, the next
	 * hook completes it.
	 */
	if (!c->dry)
		code = accepted_write(&c->session.conf, c->session.source,
				      &err);
	if (code)
		return fail(c, "failed", &err, EXIT_FAILED);
	return change(c, PLAN_APPLY);
}

static int cmd_flush(struct call *c)
{
	struct err err;
	int code = take_lock(c);

	if (code)
		return code;
	/* The configuration in force says what to flush. */
	if (c->file)
		code = conf_read(&c->session.conf, c->file, true, &err);
	else
		code = session_conf(&c->session, &err);
	if (code)
		return fail(c, "failed", &err, EXIT_CONFIG);
	session_note_past(&c->session);
	return change(c, PLAN_FLUSH);
}

static int only_root(const struct call *c, struct err *err)
{
	err_set(err, 0, "only root can see what is in force: run mwan-rules %s "
		"as root", c->name);
	return EXIT_FAILED;
}

/* Returns 0 or an exit status, with a sentence. */
static int known_link(struct call *c, int *link, struct err *err)
{
	struct session *s = &c->session;
	char names[400] = "";
	unsigned int i;

	*link = conf_link_index(&s->conf, c->link);
	if (*link >= 0)
		return 0;
	for (i = 0; i < s->conf.n_links; i++)
		str_add(names, sizeof(names), ", ", s->conf.link[i].name);
	err_set(err, 0, "there is no link \"%s\"; the links are: %s", c->link,
		names);
	return EXIT_USAGE;
}

/* Read what drain and undrain need, with the lock. Returns 0 or an exit status,
 * with a sentence.
 */
static int find_link(struct call *c, int *link, struct err *err)
{
	struct session *s = &c->session;

	if (session_conf(s, err))
		return EXIT_CONFIG;
	if (s->bad_force.msg[0]) {
		*err = s->bad_force;
		return EXIT_FAILED;
	}
	if (s->unknown_force)
		return only_root(c, err);
	if (!s->in_force) {
		err_set(err, 0, "nothing is in force that %s could be put "
			"aside from: run \"mwan-rules apply\" first",
			c->link);
		return EXIT_USAGE;
	}
	return known_link(c, link, err);
}

/* Take down which links are drained: before the first change in the kernel, so
 * that the next hook completes what is killed.
 */
static int note_drained(struct call *c, int link, bool drained,
			struct err *err)
{
	struct session *s = &c->session;
	bool new = s->verdicts.drained[link] != drained;
	char names[512];
	int code = 0;

	s->verdicts.drained[link] = drained;
	if (c->dry) {
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

static int drain(struct call *c, bool drained)
{
	struct session *s = &c->session;
	struct err err;
	int link = -1, code = take_lock(c);

	if (code)
		return code;
	code = find_link(c, &link, &err);
	if (code)
		return fail(c, "failed", &err, code);
	if (s->bad_conf.msg[0]) {
		err_set(&err, 0, "%s%s", s->bad_conf.msg,
			session_bad_conf_use(s));
		report_say(&c->report, err.msg);
	}
	/* It would be written again without the names that it has. */
	if (s->bad_drained.msg[0])
		return fail(c, "failed", &s->bad_drained, EXIT_FAILED);
	if (note_drained(c, link, drained, &err))
		return fail(c, "failed", &err, EXIT_FAILED);
	return change(c, PLAN_ALL);
}

static int cmd_drain(struct call *c)
{
	return drain(c, true);
}

static int cmd_undrain(struct call *c)
{
	return drain(c, false);
}

/* The hooks' path for callers other than pppd. */
static int tell_event(struct call *c, bool up)
{
	c->event.up = up;
	return hook_told(TOOL, c->dry, &c->event);
}

static int cmd_up(struct call *c)
{
	return tell_event(c, true);
}

static int cmd_down(struct call *c)
{
	return tell_event(c, false);
}

/* Do this before the first change in the kernel, as for drained links. */
static int note_prefixes(struct call *c, int link, struct err *err)
{
	struct session *s = &c->session;
	char text[PREFIX_TEXT];
	unsigned int i;

	for (i = 0; i < c->prefixes.n; i++)
		str_add(c->told, sizeof(c->told), " ",
			prefix_text(&c->prefixes.item[i], text));
	s->prefix6.of[link].told = c->prefixes;
	s->prefix6.of[link].ifindex = if_nametoindex(c->link);
	if (c->dry) {
		printf("# %s: %s told %u %s\n", PREFIX6_PATH, c->link,
		       s->prefix6.of[link].ifindex, c->told);
		return 0;
	}
	if (!c->prefixes.n)
		strcpy(c->told, "none");
	return prefix6_write(&s->conf, &s->prefix6, err);
}

/* If nothing is in force, it is kept for the next apply. */
static int cmd_prefix(struct call *c)
{
	struct session *s = &c->session;
	struct err err;
	int link = -1, code = take_lock(c);

	if (code)
		return code;
	if (session_conf(s, &err))
		return fail(c, "failed", &err, EXIT_CONFIG);
	if (!s->in_force)
		session_recall(s);
	code = known_link(c, &link, &err);
	if (code)
		return fail(c, "failed", &err, code);
	/* Its lines about other links would be lost. */
	if (s->bad_prefix6.msg[0])
		return fail(c, "failed", &s->bad_prefix6, EXIT_FAILED);
	if (note_prefixes(c, link, &err))
		return fail(c, "failed", &err, EXIT_FAILED);
	if (s->in_force)
		return change(c, PLAN_ALL);
	lock_release(&s->lock);
	if (c->dry)
		return 0;
	say_subject(&c->report, false, c);
	report_end(&c->report, s->conf.log, "ok");
	return 0;
}

static int tell_faults(struct call *c)
{
	const struct conf_faults *f = c->faults;
	struct err more;
	unsigned int i;

	for (i = 0; i < f->n; i++)
		report_say(&c->report, f->fault[i].err.msg);
	err_set(&more, 0, "... and %u more: fix these first", f->more);
	if (f->more)
		report_say(&c->report, more.msg);
	return EXIT_CONFIG;
}

static int cmd_check(struct call *c)
{
	static struct conf_faults faults;
	struct session *s = &c->session;
	const struct conf_link *l;
	char gateway[GATEWAY_TEXT];
	struct err err;
	unsigned int i;
	int code;

	c->faults = &faults;
	code = read_conf(c, &err);
	if (faults.n)
		return tell_faults(c);
	if (!code)
		code = recall(c, &err);
	if (code)
		return fail(c, NULL, &err, EXIT_CONFIG);
	if (s->source[0])
		printf("%s is fine, with these links:\n", s->source);
	else
		printf("There is no " CONF_PATH "; the tables' names give "
		       "these links:\n");
	for (i = 0; i < s->conf.n_links; i++) {
		l = &s->conf.link[i];
		gateway_text(&l->gateway, gateway);
		printf("%s: table %u, mark 0x%x, weight %u, tier %u%s%s\n",
		       l->name, l->table, l->mark, l->weight, l->tier,
		       *gateway ? ", gateway " : "", gateway);
	}
	/* Something missing now is no mistake in the file. */
	if (!session_open(s, &err) && !session_read(s, PLAN_LINKS, true, &err))
		tell_gateways(c);
	return 0;
}

/* A packet meets what is in force, whatever the file says by now. */
static int go_by_force(struct session *s, struct why *why, struct err *err)
{
	int code;

	if (s->bad_conf.msg[0] || !accepted_is(&s->conf))
		why->changed = s->source[0] ? s->source : CONF_PATH;
	code = accepted_read(&s->conf, err);
	if (code)
		return err_prefix(err, code, "cannot read what is in force");
	session_recall(s);
	return 0;
}

/* Observe what there is, for @why or else for status. Returns 0 or an exit
 * status.
 */
static int look(struct call *c, struct why *why, struct err *err)
{
	struct session *s = &c->session;
	int code = c->file ? conf_read(&s->conf, c->file, true, err) :
			     session_conf(s, err);

	if (code)
		return EXIT_CONFIG;
	if (c->file)
		session_force(s);
	if (s->bad_force.msg[0]) {
		*err = s->bad_force;
		return EXIT_FAILED;
	}
	if (c->file)
		session_recall(s);
	else if (why && s->in_force && go_by_force(s, why, err))
		return EXIT_FAILED;
	if (!s->unknown_force && !s->conf.n_links && read_conf(c, err))
		return EXIT_CONFIG;
	if (s->unknown_force)
		return only_root(c, err);
	if (session_open(s, err) || session_ruleset(s, err) ||
	    session_look(s, PLAN_ALL, false, err))
		return EXIT_FAILED;
	if (s->present.unread_code) {
		*err = s->present.unread;
		return EXIT_FAILED;
	}
	return 0;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int show_status(struct call *c)
{
	static struct status status;
	static struct facts facts;
	struct session *s = &c->session;
	struct err err;
	int code = look(c, NULL, &err);

	if (!code && facts_read(&facts, &s->conf, &s->present, &s->rtnl,
				&s->nfnl, &err))
		code = EXIT_FAILED;
	if (code) {
		fail(c, NULL, &err, code);
		if (c->format == FORMAT_TABLE || c->format == FORMAT_LONG)
			return code;
		status_fail(&status, code, &err);
	} else {
		/* Another file is there to be compared. */
		s->edited = s->in_force && !s->bad_conf.msg[0] &&
			    (!c->file || !strcmp(c->file, s->source)) &&
			    !accepted_is(&s->conf);
		status_make(&status, s, &facts);
		if (c->rates)
			rates_note(c->rates, &facts, &s->present,
				   s->conf.n_links, now_ns());
		status.rates = c->rates;
	}
	if (c->format == FORMAT_JSON)
		status_print_json(&status, stdout);
	else if (c->format == FORMAT_PROMETHEUS)
		status_print_prometheus(&status, stdout);
	else
		status_print(&status, c->format == FORMAT_LONG, c->colour,
			     stdout);
	return status.code;
}

/* One look, in a process of its own: what it has read and opened is gone with
 * it, and so is whatever goes wrong. Read its output to @text.
 */
static int look_once(struct call *c, char *text, size_t size)
{
	int ends[2], status = 0;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		status = show_status(c);
		fflush(stdout);
		_exit(status);
	}
	close(ends[1]);
	while (pid > 0 && (n = read(ends[0], text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(ends[0]);
	text[len] = '\0';
	return pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) ?
	       -1 : WEXITSTATUS(status);
}

static int any_change(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	(void)data;
	return 1;
}

/* To a pipe or a file: one after the other, until nobody reads any more. */
static int watch_plain(struct call *c, char *text, size_t size)
{
	int code;

	for (;;) {
		code = look_once(c, text, size);
		if (printf("%s\n", text) < 0 || fflush(stdout))
			return code < 0 ? EXIT_FAILED : code;
		sleep(c->watch);
	}
}

/* Again each interval, and as soon as an interface or an address changes, but
 * five times a second at the most.
 */
static int watch_status(struct call *c)
{
	enum { PAUSE_MS = 200 };
	static struct terminal terminal;
	static char text[1 << 17];
	struct nl *changes = &c->session.watch;
	struct err err;
	int code, fd;

	c->rates = mmap(NULL, sizeof(*c->rates), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c->rates == MAP_FAILED)
		c->rates = NULL;
	if (!terminal_begin(&terminal))
		return watch_plain(c, text, sizeof(text));
	fd = nl_watch(changes, &err) ? -1 : nl_fd(changes);
	do {
		/* A signal after this ends the wait. */
		if (fd >= 0)
			nl_heard(changes, any_change, NULL);
		code = look_once(c, text, sizeof(text));
		terminal_draw(&terminal, text);
	} while (terminal_wait(&terminal, -1, PAUSE_MS) &&
		 terminal_wait(&terminal, fd, (int)c->watch * 1000 -
			       PAUSE_MS));
	terminal_end(&terminal);
	return code < 0 ? EXIT_FAILED : code;
}

static int cmd_status(struct call *c)
{
	return c->watch ? watch_status(c) : show_status(c);
}

static int cmd_why(struct call *c)
{
	static struct why why;
	const struct session *s = &c->session;
	struct err err;
	int code = look(c, &why, &err);

	if (!code && s->present.nft_code == -EPERM)
		code = only_root(c, &err);
	if (code)
		return fail(c, NULL, &err, code);
	why.packet = c->packet;
	why.what_if = c->file;
	if (ask_why(&why, &s->conf, &s->ruleset, &s->present, &c->session.rtnl,
		    &c->session.nfnl, &err))
		return fail(c, NULL, &err, EXIT_FAILED);
	code = why_print(&why, &s->conf, &s->present, stdout);
	if (code) {
		err_set(&err, code, "cannot say why: %s%s", strerror(-code),
			err_advice(code));
		return fail(c, NULL, &err, EXIT_FAILED);
	}
	return why_arrives(&why) ? 0 : EXIT_FAILED;
}

/* The start of the machine, in milliseconds since 1970, and with it now. */
static int64_t read_clock(int64_t *now)
{
	struct timespec real, up;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &up);
	*now = (int64_t)real.tv_sec * 1000 + real.tv_nsec / 1000000;
	return *now - (int64_t)up.tv_sec * 1000 - up.tv_nsec / 1000000;
}

/* The log's history, of the links in the order of the configuration. Returns 0
 * or an exit status.
 */
static int recollect(struct call *c, struct history *h, struct err *err)
{
	struct session *s = &c->session;
	struct err left;
	unsigned int i;
	int64_t now, boot = read_clock(&now);
	int code = c->file ? conf_read(&s->conf, c->file, true, err) :
			     session_conf(s, err);

	if (code)
		return EXIT_CONFIG;
	history_begin(h, now);
	for (i = 0; i < s->conf.n_links; i++)
		history_link(h, s->conf.link[i].name);
	if (history_read(h, s->conf.log, &left, err))
		return EXIT_FAILED;
	if (left.msg[0])
		report_say(&c->report, left.msg);
	history_end(h, boot);
	return 0;
}

static int draw(const struct history_view *v, const char *file,
		struct err *err)
{
	bool to_stdout = !strcmp(file, "-");
	FILE *out = to_stdout ? stdout : fopen(file, "we");
	int code = 0;

	if (!out)
		return err_set(err, -errno, "cannot write %s: %s; \"--svg - "
			       ">%s\" lets your shell do it", file,
			       strerror(errno), file);
	history_print_svg(v, out);
	if (!to_stdout && (ferror(out) | fclose(out)))
		code = err_set(err, -EIO, "cannot write all of %s: is its "
			       "disk full?", file);
	return code;
}

static int cmd_history(struct call *c)
{
	static struct history history;
	struct history_view v = { .h = &history, .only = -1 };
	struct err err;
	int code = recollect(c, &history, &err);

	if (code)
		return fail(c, NULL, &err, code);
	v.to = history.now;
	if (history_when(c->since ? c->since : "30d", v.to, &v.from) ||
	    v.from >= v.to) {
		err_set(&err, 0, "\"%s\" is no time in the past that --since "
			"knows: 2026-11-22, 2026-11-22T17:22, 36h, 7d or 4w",
			c->since);
		return fail(c, NULL, &err, EXIT_USAGE);
	}
	/* There is nothing to show if nothing is known. */
	if (history.begin > v.from)
		v.from = history.begin < v.to ? history.begin : v.from;
	for (unsigned int i = 0; i < history.n_links && c->link; i++)
		if (!strcmp(history.link[i].name, c->link))
			v.only = (int)i;
	if (c->link && v.only < 0) {
		err_set(&err, 0, "neither the configuration nor the log has a "
			"link \"%s\"", c->link);
		return fail(c, NULL, &err, EXIT_USAGE);
	}
	if (c->svg)
		return draw(&v, c->svg, &err) ?
		       fail(c, NULL, &err, EXIT_FAILED) : 0;
	if (c->format == FORMAT_JSON)
		history_print_json(&v, stdout);
	else
		history_print(&v, stdout);
	return 0;
}

static int cmd_watch(struct call *c)
{
	struct err err;
	int code = watch_run(&c->session, &c->report, &err);

	if (code == -EBUSY)
		return fail(c, "busy", &err, EXIT_BUSY);
	return code ? fail(c, "failed", &err, EXIT_FAILED) : 0;
}

static int cmd_init(struct call *c)
{
	static struct init init;
	struct err err;
	unsigned int i;
	int code = nl_open(&c->session.rtnl, NETLINK_ROUTE, &err);

	if (!code)
		code = init_look(&init, &c->session.rtnl, &err);
	if (code)
		return fail(c, NULL, &err, EXIT_FAILED);
	init_print(&init, stdout);
	for (i = 0; i < init.n_notes; i++)
		report_say(&c->report, init.note[i].msg);
	if (init.n_lines)
		return 0;
	err_set(&err, 0, "no line was found: describe each to pppd, a file "
		"in /etc/ppp/peers (the examples have two), or have its DHCP "
		"client running, and call this again");
	return fail(c, NULL, &err, EXIT_FAILED);
}

static int misuse(const char *what, const char *arg)
{
	fprintf(stderr, TOOL ": %s \"%s\"; see mwan-rules --help\n", what,
		arg);
	return EXIT_USAGE;
}

static int no_words(struct call *c, int argc, char **argv)
{
	if (!argc)
		return 0;
	fprintf(stderr, TOOL ": nothing is expected after %s, but there is "
		"\"%s\"; see mwan-rules --help\n", c->name, argv[0]);
	return EXIT_USAGE;
}

/* The interval of --watch. */
static int maybe_seconds(struct call *c, int argc, char **argv)
{
	uint32_t seconds;

	if (!argc || !c->watch || argc > 1)
		return no_words(c, argc, argv);
	if (u32_parse(argv[0], 1, 3600, &seconds))
		return misuse("seconds from 1 to 3600 are expected, not",
			      argv[0]);
	c->watch = seconds;
	return 0;
}

static int maybe_link(struct call *c, int argc, char **argv)
{
	if (argc > 1)
		return misuse("one link's name at most is expected after",
			      c->name);
	c->link = argv[0];
	return c->svg && c->format ? misuse("--svg does not go with",
					    "--json") : 0;
}

/* What it would do depends on what happens. */
static int no_dry_run(struct call *c, int argc, char **argv)
{
	if (c->dry)
		return misuse("-n does not go with", c->name);
	return no_words(c, argc, argv);
}

static int one_link(struct call *c, int argc, char **argv)
{
	if (argc != 1)
		return misuse("one link's name is expected after", c->name);
	c->link = argv[0];
	return 0;
}

static int an_event(struct call *c, int argc, char **argv)
{
	struct ppp_event *e = &c->event;

	if (one_link(c, argc ? 1 : 0, argv))
		return EXIT_USAGE;
	e->connect_time = e->sent = e->received = "";
	if (!ifname_valid(argv[0]) ||
	    str_copy(e->ifname, sizeof(e->ifname), argv[0]))
		return misuse("an interface's name is expected, not", argv[0]);
	if (argc > 1 && addr_parse(&e->local, argv[1]))
		return misuse("an address is expected, not", argv[1]);
	e->family = addr_family(&e->local);
	if (argc > 2 && (addr_parse(&e->gateway, argv[2]) ||
			 e->gateway.family != e->local.family ||
			 !gateway_possible(&e->gateway)))
		return misuse("a router's address of the same family is "
			      "expected, not", argv[2]);
	return argc > 3 ? misuse("nothing is expected after", argv[2]) : 0;
}

/* The client may not know any more what has ended. */
static int an_end(struct call *c, int argc, char **argv)
{
	return one_link(c, argc, argv) || an_event(c, argc, argv) ?
	       EXIT_USAGE : 0;
}

static int a_link_and_prefixes(struct call *c, int argc, char **argv)
{
	struct err err;
	int i;

	if (!argc)
		return misuse("a link's name is expected after", c->name);
	c->link = argv[0];
	for (i = 1; i < argc; i++) {
		if (!prefixes_add(&c->prefixes, argv[i], &err))
			continue;
		fprintf(stderr, TOOL ": %s; see mwan-rules --help\n", err.msg);
		return EXIT_USAGE;
	}
	return 0;
}

static int a_port(const char *word, uint16_t *port)
{
	uint32_t number;

	if (u32_parse(word, 0, UINT16_MAX, &number))
		return misuse("a port from 0 to 65535 is expected, not", word);
	*port = (uint16_t)number;
	return 0;
}

static int an_address(const char *word, struct addr *a)
{
	if (addr_parse(a, word))
		return misuse("an address is expected, not", word);
	/* It may be on several interfaces, and leaves none of them. */
	return addr_is_link_local6(a) ?
	       misuse("nothing is forwarded or shared of an address that "
		      "stays on its link, as does", word) : 0;
}

/* SRC DST, and as much of the rest as is known. */
static int a_packet(struct call *c, int argc, char **argv)
{
	struct why_packet *p = &c->packet;
	struct ct_tuple *t = &p->tuple;
	struct err err;

	if (argc != 2 && argc != 3 && argc != 5)
		return misuse("SRC DST [PROTOCOL [SPORT DPORT]] are expected "
			      "after", c->name);
	if ((strcmp(argv[0], "self") && an_address(argv[0], &t->source)) ||
	    an_address(argv[1], &t->destination))
		return EXIT_USAGE;
	if (t->source.family && t->source.family != t->destination.family)
		return misuse("the source is of the other family than",
			      argv[1]);
	p->has_protocol = argc > 2;
	if (p->has_protocol && protocol_parse(argv[2], &t->protocol, &err))
		return misuse("tcp, udp, icmp or a protocol's number is "
			      "expected, not", argv[2]);
	if (t->destination.family == AF_INET6 && t->protocol == IPPROTO_ICMP)
		t->protocol = IPPROTO_ICMPV6;
	p->has_ports = argc > 3;
	if (p->has_ports && (t->protocol == IPPROTO_ICMP ||
			     t->protocol == IPPROTO_ICMPV6))
		return misuse("there are no ports in", argv[2]);
	if (p->has_ports && (a_port(argv[3], &t->source_port) ||
			     a_port(argv[4], &t->destination_port)))
		return EXIT_USAGE;
	return 0;
}

/* Options that not every command takes. */
enum { TAKES_FILE = 1, TAKES_JSON = 2, TAKES_PROMETHEUS = 4, TAKES_TIME = 8 };

/* TAKES_PROMETHEUS is also of --long. The commands, in the order of the usage. */
static const struct command {
	const char *name;
	const char *words;	/* what may follow the name */
	/* Its purpose; a continued line starts below the first. */
	const char *help;
	unsigned int takes;
	int (*run)(struct call *c);
	/* Read what follows the name: 0, or EXIT_USAGE with a sentence. */
	int (*read)(struct call *c, int argc, char **argv);
} commands[] = {
	{ "init", "",
	  "look at this machine and write an mwan.ini for it to\n"
	  "standard output; what pppd's files lack, to standard error",
	  0, cmd_init, no_dry_run },
	{ "apply", "[-f FILE] [-n]",
	  "put rules, nftables table and sysctls in force (at boot)",
	  TAKES_FILE, cmd_apply, no_words },
	{ "flush", "[-f FILE] [-n]",
	  "take everything of ours out of the kernel",
	  TAKES_FILE, cmd_flush, no_words },
	{ "status", "[-f FILE] [--long] [--json|--prometheus|--watch [SEC]]",
	  "show the links; exit 0 all well, 1 degraded, 2 no link",
	  TAKES_FILE | TAKES_JSON | TAKES_PROMETHEUS, cmd_status,
	  maybe_seconds },
	{ "history", "[-f FILE] [LINK] [--since WHEN] [--json|--svg FILE]",
	  "show the links' outages, by the log",
	  TAKES_FILE | TAKES_JSON | TAKES_TIME, cmd_history, maybe_link },
	{ "check", "[-f FILE]",
	  "read the configuration and say what is wrong with it",
	  TAKES_FILE, cmd_check, no_words },
	{ "why", "[-f FILE] SRC|self DST [PROTOCOL [SPORT DPORT]]",
	  "say which link such a packet takes, and why",
	  TAKES_FILE, cmd_why, a_packet },
	{ "watch", "",
	  "stay, find links that are up and lead nowhere, and put\n"
	  "back what is taken away",
	  0, cmd_watch, no_dry_run },
	{ "drain", "LINK [-n]",
	  "put LINK aside: new connections take other links, until\n"
	  "undrain or the next boot",
	  0, cmd_drain, one_link },
	{ "undrain", "LINK [-n]", "take LINK back", 0, cmd_undrain, one_link },
	{ "up", "LINK [ADDRESS [GATEWAY]] [-n]",
	  "what the client of a LINK that is not pppd's has to say:\n"
	  "it has a new lease",
	  0, cmd_up, an_event },
	{ "down", "LINK [-n]", "the same: it has none any more", 0, cmd_down,
	  an_end },
	{ "prefix", "LINK [PREFIX ...] [-n]",
	  "note the IPv6 prefixes that LINK has now, for DHCPv6 clients",
	  0, cmd_prefix, a_link_and_prefixes },
};

static const char *usage(void)
{
	static char text[4096];
	const char *line, *end;
	char row[100];
	size_t i;

	for (i = 0; i < COUNT(commands); i++) {
		snprintf(row, sizeof(row), "%s " TOOL " %s%s%s\n",
			 i ? "      " : "Usage:", commands[i].name,
			 *commands[i].words ? " " : "", commands[i].words);
		str_add(text, sizeof(text), "", row);
	}
	for (i = 0; i < COUNT(commands); i++) {
		for (line = commands[i].help; *line; line = end + (*end != 0)) {
			end = line + strcspn(line, "\n");
			snprintf(row, sizeof(row), "  %-9s%.*s\n",
				 line == commands[i].help ? commands[i].name :
				 "", (int)(end - line), line);
			str_add(text, sizeof(text), "", row);
		}
	}
	str_add(text, sizeof(text), "", options);
	return text;
}

static int no_command(void)
{
	size_t i, last = COUNT(commands) - 1;

	fputs(TOOL ": a command is missing: ", stderr);
	for (i = 0; i < last; i++)
		fprintf(stderr, i + 1 < last ? "%s, " : "%s or ",
			commands[i].name);
	fprintf(stderr, "%s; see mwan-rules --help\n", commands[last].name);
	return EXIT_USAGE;
}

static int begin(struct call *c, int (*run)(struct call *c))
{
	struct err err;
	int status;

	report_begin(&c->report, TOOL, c->name);
	if (run == cmd_watch ? priv_drop_to_ask(&err) : priv_drop(&err))
		report_say(&c->report, err.msg);
	status = run(c);
	if (!c->dry)
		notify(&c->session, run == cmd_flush);
	return report_status(&c->report, status);
}

/* A hook reads the file again, from another directory. */
static const char *absolute(const char *file)
{
	static char path[LOG_PATH_MAX];

	if (*file == '/' || !getcwd(path, sizeof(path)) ||
	    strlen(path) + strlen(file) + 2 > sizeof(path))
		return file;
	return strcat(strcat(path, "/"), file);
}

/* Use colour on a terminal, unless it cannot, or the user does not want it
 * (no-color.org).
 */
static bool may_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && *term &&
	       strcmp(term, "dumb");
}

/* The options, which getopt_long() moves to the front. */
static int read_options(struct call *c, int argc, char **argv)
{
	enum { SINCE = 's', SVG = 'g', WATCH = 'w' };
	const struct option words[] = {
		{ "json", no_argument, &c->format, FORMAT_JSON },
		{ "prometheus", no_argument, &c->format, FORMAT_PROMETHEUS },
		{ "long", no_argument, &c->format, FORMAT_LONG },
		{ "since", required_argument, NULL, SINCE },
		{ "svg", required_argument, NULL, SVG },
		{ "watch", no_argument, NULL, WATCH },
		{ NULL, 0, NULL, 0 },
	};
	char letter[] = "-?";
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":f:n", words, NULL)) != -1) {
		letter[1] = (char)optopt;
		if (!opt)
			continue;
		if (opt == 'n')
			c->dry = true;
		else if (opt == SINCE)
			c->since = optarg;
		else if (opt == WATCH)
			c->watch = 1;
		else if (opt == SVG && *optarg)
			c->svg = optarg;
		else if (opt == 'f' && *optarg)
			c->file = absolute(optarg);
		else if (opt == ':' && optopt == SINCE)
			return misuse("a time is missing after", "--since");
		else if (opt == SVG || (opt == ':' && optopt == SVG))
			return misuse("a file's name is missing after",
				      "--svg");
		else if (opt == 'f' || opt == ':')
			return misuse("a file's name is missing after", "-f");
		else
			/* --json=x leaves the format there. */
			return misuse("unknown option",
				      optopt > FORMAT_LONG ? letter :
				      argv[optind - 1]);
	}
	return 0;
}

/* Does each option go with the command? */
static int check_options(const struct call *c, const struct command *command)
{
	unsigned int format = c->format == FORMAT_JSON ? TAKES_JSON :
			      c->format ? TAKES_PROMETHEUS : 0;

	if (format & ~command->takes)
		return misuse("--json, --prometheus and --long do not go with",
			      c->name);
	if (c->watch && command->run != cmd_status)
		return misuse("--watch does not go with", c->name);
	if (c->watch && c->format && c->format != FORMAT_LONG)
		return misuse("--json and --prometheus do not go with",
			      "--watch");
	if ((c->since || c->svg) && !(command->takes & TAKES_TIME))
		return misuse("--since and --svg do not go with", c->name);
	if (c->file && !(command->takes & TAKES_FILE))
		return misuse("-f does not go with", c->name);
	return 0;
}

int main(int argc, char **argv)
{
	static struct call call;
	size_t i;

	report_small_pages();
	if (report_help(TOOL, usage(), argc, argv))
		return 0;
	call.colour = may_colour();
	service_begin();
	/* getopt() would read POSIXLY_CORRECT. */
	clearenv();
	if (read_options(&call, argc, argv))
		return EXIT_USAGE;
	if (argc == optind)
		return no_command();
	call.session.lock.fd = -1;
	for (i = 0; i < COUNT(commands); i++) {
		if (strcmp(argv[optind], commands[i].name))
			continue;
		call.name = commands[i].name;
		if (check_options(&call, &commands[i]) ||
		    commands[i].read(&call, argc - optind - 1,
				     argv + optind + 1))
			return EXIT_USAGE;
		return begin(&call, commands[i].run);
	}
	return misuse("unknown command", argv[optind]);
}
