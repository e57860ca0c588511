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
	const char *name;	/* of the command */
	const char *file;	/* of -f, absolute; NULL: the default */
	bool dry;
	struct report report;
	struct run run;
};

enum { STATUS_OK = 0, STATUS_DEGRADED = 1, STATUS_NO_LINK = 2 };

/* Say why on stderr; what should have changed something also in the log. */
static int fail(struct call *c, const char *event, const struct err *err,
		int status)
{
	report_say(&c->report, err->msg);
	if (event && !c->dry) {
		report_event(&c->report, event);
		log_add(&c->report.line, "command", "%s", c->name);
		log_add(&c->report.line, "error", "%s", err->msg);
		report_end(&c->report, c->run.conf.log[0] ? c->run.conf.log :
			   CONF_LOG, event);
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

/* Returns 0 or an exit status. */
static int take_lock(struct call *c)
{
	struct err err, full;
	int code = c->dry ? 0 : lock_take(&c->run.lock, "lock", LOCK_WAIT_MS,
					  &err);

	if (!code)
		return 0;
	if (code == -EBUSY)
		return fail(c, "busy", &err, EXIT_BUSY);
	err_set(&full, code, "%s; run mwan-rules as root", err.msg);
	return fail(c, "failed", &full, EXIT_FAILED);
}

static int change(struct call *c, enum plan_goal goal)
{
	struct run *r = &c->run;
	struct plan_event what = { .goal = goal };
	struct err err;
	bool queues;
	int code = run_open(r, &err);

	if (!code)
		code = run_rounds(r, &what, c->dry ? stdout : NULL, &err);
	/* A flush that was killed is still to be done; an apply is done when
	 * what is in force is known.
	 */
	if (!code && !c->dry && goal == PLAN_FLUSH)
		code = accepted_drop(&err);
	queues = code && apply_only_queues(&r->result);
	if (code && !queues)
		return fail(c, "failed", &err, EXIT_FAILED);
	if (c->dry)
		return 0;
	if (queues) {
		report_say(&c->report, err.msg);
		log_add(&c->report.line, "warning", "%s", err.msg);
	}
	if (r->sysctls[0]) {
		err_set(&err, 0, "set %s", r->sysctls);
		report_say(&c->report, err.msg);
		log_add(&c->report.line, "sysctl", "%s", r->sysctls);
	}
	log_add(&c->report.line, "links", "%u", r->conf.n_links);
	log_add(&c->report.line, "changes", "%u", r->changes);
	if (goal == PLAN_APPLY && !run_any_usable(r))
		log_add(&c->report.line, "note", "all links are down");
	report_end(&c->report, r->conf.log, queues ? "partial" :
		   r->changes ? "ok" : "unchanged");
	return queues ? EXIT_FAILED : 0;
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
	/* Before the first change: whatever kills this apply, the next hook
	 * completes it.
	 */
	if (!c->dry)
		code = accepted_write(&c->run.conf, c->run.source, &err);
	if (code)
		return fail(c, "failed", &err, EXIT_FAILED);
	code = change(c, PLAN_APPLY);
	lock_release(&c->run.lock);
	return code;
}

static int cmd_flush(struct call *c)
{
	struct err err;
	int code = take_lock(c);

	if (code)
		return code;
	/* What is in force says what there is to flush. */
	if (c->file)
		code = conf_read(&c->run.conf, c->file, true, &err);
	else
		code = run_conf(&c->run, &err);
	if (code)
		return fail(c, "failed", &err, EXIT_CONFIG);
	code = change(c, PLAN_FLUSH);
	lock_release(&c->run.lock);
	return code;
}

static int cmd_check(struct call *c)
{
	const struct run *r = &c->run;
	const struct conf_link *l;
	struct err err;
	unsigned int i;
	int code = read_conf(c, &err);

	if (code)
		return fail(c, NULL, &err, EXIT_CONFIG);
	if (r->source[0])
		printf("%s is fine, with these links:\n", r->source);
	else
		printf("There is no " CONF_PATH "; the tables' names give "
		       "these links:\n");
	for (i = 0; i < r->conf.n_links; i++) {
		l = &r->conf.link[i];
		printf("%s: table %u, mark 0x%x, weight %u, tier %u\n",
		       l->name, l->table, l->mark, l->weight, l->tier);
	}
	return 0;
}

/* The last part of the log, NUL-terminated; "" when there is none. */
static void read_log(const char *log, char *text, size_t size)
{
	off_t len;
	ssize_t n;
	int fd = open(log, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	text[0] = '\0';
	if (fd < 0)
		return;
	len = lseek(fd, 0, SEEK_END);
	lseek(fd, len > (off_t)size - 1 ? len - ((off_t)size - 1) : 0,
	      SEEK_SET);
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
}

/* The value behind @key (" local=") in a line of the log; "" without. */
static void log_value(const char *line, const char *key, char *value,
		      size_t size)
{
	const char *at = strstr(line, key);

	snprintf(value, size, "%.*s", at ? (int)strcspn(at + strlen(key), " ")
		 : 0, at ? at + strlen(key) : "");
}

/* When the link came into the state that it is in, by the log: events that
 * tell the same again, or a session that had ended before, change nothing.
 */
static void find_since(const char *log, const char *name, bool usable,
		       char since[32])
{
	static char text[1 << 18];
	char want[IFNAMSIZ + 8], event[16], local[ADDR_TEXT], way[IFNAMSIZ];
	char state[16] = "", state_local[ADDR_TEXT] = "", *line, *save;

	strcpy(since, "-");
	read_log(log, text, sizeof(text));
	snprintf(want, sizeof(want), " if=%s ", name);
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		log_value(line, " event=", event, sizeof(event));
		log_value(line, " local=", local, sizeof(local));
		log_value(line, " default=", way, sizeof(way));
		if (strncmp(line, "ts=", 3) || !strstr(line, want) ||
		    (strcmp(event, "up") && strcmp(event, "down")) ||
		    (!strcmp(event, "down") && !strcmp(way, name)) ||
		    (!strcmp(event, state) &&
		     (*event == 'd' || !strcmp(local, state_local))))
			continue;
		strcpy(state, event);
		strcpy(state_local, local);
		snprintf(since, 32, "%.19s", line + 3);
	}
	if (strcmp(state, usable ? "up" : "down"))
		strcpy(since, "-");
}

static void print_link(const struct run *r, unsigned int i)
{
	const struct conf_link *want = &r->conf.link[i];
	const struct present_link *is = &r->present.link[i];
	bool usable = present_usable(is);
	char addr[ADDR_TEXT], since[32], standby[512];

	find_since(r->conf.log, want->name, usable, since);
	run_standby_text(r, standby, sizeof(standby));
	printf("%-15s %-5s %-19s %-15s %10u 0x%-6x %3u  %s\n", want->name,
	       usable ? "up" : "down", since, addr_text(&is->local, addr),
	       want->table, want->mark, want->weight,
	       usable ? want->name : standby);
}

/* Observe, and plan what the next run would do. Returns 0 or an exit status. */
static int look(struct call *c, struct err *err)
{
	struct run *r = &c->run;
	int code = c->file ? conf_read(&r->conf, c->file, true, err) :
			     run_conf(r, err);

	if (code)
		return EXIT_CONFIG;
	if (r->unknown_force) {
		err_set(err, 0, "only root can see what is in force: run "
			"mwan-rules status as root");
		return EXIT_FAILED;
	}
	if (!r->conf.n_links)
		return read_conf(c, err) ? EXIT_CONFIG : 0;
	if (run_open(r, err) ||
	    run_read(r, PLAN_ALL, true, err) ||
	    ruleset_build(&r->ruleset, &r->conf, err))
		return EXIT_FAILED;
	return 0;
}

static int cmd_status(struct call *c)
{
	struct run *r = &c->run;
	struct plan_event now = { 0 };
	struct err err;
	unsigned int i;
	bool degraded;
	int code = look(c, &err);

	if (code)
		return fail(c, NULL, &err, code);
	printf("%-15s %-5s %-19s %-15s %10s %-8s %3s  %s\n", "LINK", "STATE",
	       "SINCE", "ADDRESS", "TABLE", "MARK", "WT", "DEFAULT");
	for (i = 0; i < r->conf.n_links; i++)
		print_link(r, i);
	degraded = run_any_down(r) || r->bad_conf.msg[0];
	if (r->bad_conf.msg[0])
		printf("%s\n", r->bad_conf.msg);
	if (!r->in_force)
		printf("Rules and nftables are not in force: \"mwan-rules "
		       "apply\" puts them in force.\n");
	now.goal = r->in_force ? PLAN_ALL : PLAN_LINKS;
	if (plan_make(&r->plan, &r->conf, &r->present, &r->ruleset, &now,
		      &err)) {
		printf("%s\n", err.msg);
		degraded = true;
	} else if (r->plan.n_ops) {
		printf("The kernel is not as it should be; these commands, or "
		       "\"mwan-rules apply\", mend it:\n");
		plan_print(&r->plan, stdout);
		degraded = true;
	}
	if (!run_any_usable(r)) {
		printf("No link is up: see pppd's own messages in the system "
		       "log.\n");
		return STATUS_NO_LINK;
	}
	return degraded ? STATUS_DEGRADED : STATUS_OK;
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
	fprintf(stderr, TOOL ": %s \"%s\"; see mwan-rules --help\n", what,
		arg);
	return EXIT_USAGE;
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

int main(int argc, char **argv)
{
	static const struct option none[] = { { NULL, 0, NULL, 0 } };
	static struct call call;
	char letter[] = "-?";
	size_t i;
	int opt;

	if (report_help(TOOL, usage, argc, argv))
		return 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":f:n", none, NULL)) != -1) {
		letter[1] = (char)optopt;
		if (opt == 'n')
			call.dry = true;
		else if (opt == 'f' && *optarg)
			call.file = absolute(optarg);
		else if (opt == 'f' || opt == ':')
			return misuse("a file's name is missing behind", "-f");
		else
			return misuse("unknown option", optopt ? letter :
				      argv[optind - 1]);
	}
	if (argc - optind != 1)
		return misuse("one command is expected: apply, flush, status "
			      "or check, not", argc > optind ?
			      argv[optind + 1] : "");
	clearenv();
	call.run.lock.fd = -1;
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[optind], commands[i].name))
			continue;
		call.name = commands[i].name;
		report_begin(&call.report, TOOL, call.name);
		return commands[i].run(&call);
	}
	return misuse("unknown command", argv[optind]);
}
