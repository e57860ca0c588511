// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accepted.h"
#include "report.h"
#include "run.h"

#define TOOL "mwan-rules"

static const char usage[] =
	"Usage: mwan-rules apply|flush|status|check [-f FILE] [-n]\n"
	"  apply    put rules, nftables table and sysctls in force (at boot)\n"
	"  flush    take everything of ours out of the kernel\n"
	"  status   show the links; exit 0 all well, 1 degraded, 2 no link\n"
	"  check    read the configuration and say what is wrong with it\n"
	"  -f FILE  the configuration, in the place of " CONF_PATH "\n"
	"  -n       print the commands that would do the same; change "
	"nothing\n"
	"See mwan-rules(8).\n";

/* One call of mwan-rules. */
struct call {
	const char *file;	/* of -f, absolute; NULL: the default */
	bool dry;
	struct report report;
	struct run run;
};

enum { STATUS_OK = 0, STATUS_DEGRADED = 1, STATUS_NO_LINK = 2 };

static int fail(struct call *c, const char *event, const struct err *err,
		int status)
{
	report_say(&c->report, err->msg);
	if (event && !c->dry) {
		report_event(&c->report, event);
		log_add(&c->report.line, "error", "%s", err->msg);
		report_end(&c->report, c->run.conf.log, event);
	}
	return status;
}

/* The configuration of apply and check: the file, never a fallback. */
static int read_conf(struct call *c, struct err *err)
{
	struct run *r = &c->run;
	const char *path = c->file ? c->file : CONF_PATH;
	int code = conf_read(&r->conf, path, c->file != NULL, err);

	if (code)
		return code;
	if (c->file || !access(path, F_OK))
		(void)!strncpy(r->source, path, sizeof(r->source) - 1);
	if (!r->conf.n_links)
		return err_set(err, -EINVAL, "there are no links: describe "
			       "them in %s ([link ppp0] ...), or name tables "
			       "ppp0, ppp1 ... in /etc/iproute2/rt_tables",
			       path);
	r->have_ruleset = true;
	return ruleset_build(&r->ruleset, &r->conf, err);
}

static int take_lock(struct call *c, struct err *err)
{
	int code = c->dry ? 0 : lock_take(&c->run.lock, "lock", LOCK_WAIT_MS,
					  err);

	if (code && code != -EBUSY)
		report_say(&c->report, err->msg);
	return code == -EBUSY ? code : 0;
}

static int change(struct call *c, enum plan_goal goal, const char *event)
{
	struct run *r = &c->run;
	struct plan_event what = { .goal = goal };
	struct err err;
	int code = run_open(r, &err);

	if (!code)
		code = run_rounds(r, &what, c->dry ? stdout : NULL, &err);
	/* A flush that was killed is still to be done; an apply is done when
	 * what is in force is known.
	 */
	if (!code && !c->dry && goal == PLAN_FLUSH)
		code = accepted_drop(&err);
	if (code)
		return fail(c, "failed", &err, EXIT_FAILED);
	if (c->dry)
		return 0;
	if (r->sysctls[0]) {
		err_set(&err, 0, "set %s", r->sysctls);
		report_say(&c->report, err.msg);
		log_add(&c->report.line, "sysctl", "%s", r->sysctls);
	}
	log_add(&c->report.line, "links", "%u", r->conf.n_links);
	log_add(&c->report.line, "changes", "%u", r->changes);
	if (!strcmp(event, "apply") && !run_any_usable(r))
		log_add(&c->report.line, "note", "all links are down");
	report_end(&c->report, r->conf.log, r->changes ? "ok" : "unchanged");
	return 0;
}

static int cmd_apply(struct call *c)
{
	struct err err;
	int code = read_conf(c, &err);

	if (code)
		return fail(c, NULL, &err, EXIT_CONFIG);
	code = take_lock(c, &err);
	if (code)
		return fail(c, "busy", &err, EXIT_BUSY);
	/* Before the first change: whatever kills this apply, the next hook
	 * completes it.
	 */
	if (!c->dry)
		code = accepted_write(&c->run.conf, c->run.source, &err);
	if (code)
		return fail(c, "failed", &err, EXIT_FAILED);
	code = change(c, PLAN_APPLY, "apply");
	lock_release(&c->run.lock);
	return code;
}

static int cmd_flush(struct call *c)
{
	struct err err;
	int code = take_lock(c, &err);

	if (code)
		return fail(c, "busy", &err, EXIT_BUSY);
	/* What is in force says what there is to flush. */
	if (c->file)
		code = conf_read(&c->run.conf, c->file, true, &err);
	else
		code = run_conf(&c->run, &err);
	if (code)
		return fail(c, "failed", &err, EXIT_CONFIG);
	code = change(c, PLAN_FLUSH, "flush");
	lock_release(&c->run.lock);
	return code;
}

static int cmd_check(struct call *c)
{
	struct err err;
	int code = read_conf(c, &err);

	if (code)
		return fail(c, NULL, &err, EXIT_CONFIG);
	printf("%s is fine: %u link%s\n",
	       c->run.source[0] ? c->run.source : "/etc/iproute2/rt_tables",
	       c->run.conf.n_links, c->run.conf.n_links == 1 ? "" : "s");
	return 0;
}

/* The time of the last line of the log about @name that has @event. */
static void find_since(const char *log, const char *event, const char *name,
		       char since[32])
{
	static char text[1 << 18];
	char want_if[IFNAMSIZ + 8], want_event[32], *line, *save;
	ssize_t n;
	off_t size;
	int fd = open(log, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	strcpy(since, "-");
	if (fd < 0)
		return;
	size = lseek(fd, 0, SEEK_END);
	/* The last part of a log that has grown long. */
	lseek(fd, size > (off_t)sizeof(text) - 1 ?
	      size - ((off_t)sizeof(text) - 1) : 0, SEEK_SET);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	snprintf(want_if, sizeof(want_if), " if=%s ", name);
	snprintf(want_event, sizeof(want_event), " event=%s ", event);
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, "ts=", 3) && strstr(line, want_if) &&
		    strstr(line, want_event))
			snprintf(since, 32, "%.19s", line + 3);
}

static void print_link(const struct run *r, unsigned int i)
{
	const struct conf_link *want = &r->conf.link[i];
	const struct present_link *is = &r->present.link[i];
	bool usable = present_usable(is);
	char addr[ADDR_TEXT], since[32], standby[512];

	find_since(r->conf.log, usable ? "up" : "down", want->name, since);
	run_standby_text(r, standby, sizeof(standby));
	printf("%-15s %-5s %-19s %-15s %10u 0x%-6x %3u  %s\n", want->name,
	       usable ? "up" : "down", since, addr_text(&is->local, addr),
	       want->table, want->mark, want->weight,
	       usable ? want->name : standby);
}

static int cmd_status(struct call *c)
{
	struct run *r = &c->run;
	struct plan_event now = { .goal = PLAN_ALL };
	struct err err;
	unsigned int i;
	int code = c->file ? conf_read(&r->conf, c->file, true, &err) :
			     run_conf(r, &err);

	if (code)
		return fail(c, NULL, &err, EXIT_CONFIG);
	if (r->bad_conf.msg[0])
		report_say(&c->report, r->bad_conf.msg);
	code = run_open(r, &err);
	if (!code)
		code = run_read(r, PLAN_ALL, true, &err);
	if (!code && r->conf.n_links)
		code = ruleset_build(&r->ruleset, &r->conf, &err);
	if (!r->in_force)
		now.goal = PLAN_LINKS;
	if (!code)
		code = plan_make(&r->plan, &r->conf, &r->present, &r->ruleset,
				 &now, &err);
	if (code)
		return fail(c, NULL, &err, EXIT_FAILED);
	printf("%-15s %-5s %-19s %-15s %10s %-8s %3s  %s\n", "LINK", "STATE",
	       "SINCE", "ADDRESS", "TABLE", "MARK", "WT", "DEFAULT");
	for (i = 0; i < r->conf.n_links; i++)
		print_link(r, i);
	if (!r->in_force)
		printf("Rules and nftables are not in force: \"mwan-rules "
		       "apply\" puts them in force.\n");
	if (r->plan.n_ops)
		printf("The kernel differs from what is wanted in %u points: "
		       "\"mwan-rules apply -n\" shows them, \"mwan-rules "
		       "apply\" mends them.\n", r->plan.n_ops);
	if (!run_any_usable(r)) {
		printf("No link is up: see pppd's own messages in the system "
		       "log.\n");
		return STATUS_NO_LINK;
	}
	return run_any_down(r) || r->plan.n_ops || r->bad_conf.msg[0] ?
	       STATUS_DEGRADED : STATUS_OK;
}

static const struct {
	const char *name;
	int (*run)(struct call *c);
} commands[] = {
	{ "apply", cmd_apply },
	{ "flush", cmd_flush },
	{ "status", cmd_status },
	{ "check", cmd_check },
};

static int misuse(const char *what, const char *arg)
{
	fprintf(stderr, TOOL ": %s%s%s; see mwan-rules --help\n", what,
		*arg ? " " : "", arg);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static struct call call;
	static char path[LOG_PATH_MAX];
	size_t i;
	int opt;

	if (report_help(TOOL, usage, argc, argv))
		return 0;
	opterr = 0;
	while ((opt = getopt(argc, argv, "f:n")) != -1) {
		if (opt == 'n')
			call.dry = true;
		else if (opt == 'f')
			call.file = optarg;
		else
			return misuse("unknown option, or no FILE behind -f",
				      "");
	}
	if (argc - optind != 1)
		return misuse("one of apply, flush, status and check is "
			      "expected", "");
	/* A hook reads the file again, from another directory. */
	if (call.file && call.file[0] != '/' && getcwd(path, sizeof(path)) &&
	    strlen(path) + strlen(call.file) + 1 < sizeof(path))
		call.file = strcat(strcat(path, "/"), call.file);
	clearenv();
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[optind], commands[i].name))
			continue;
		report_begin(&call.report, TOOL, commands[i].name);
		return commands[i].run(&call);
	}
	return misuse("unknown command", argv[optind]);
}
