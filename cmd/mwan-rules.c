// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "tell/history_print.h"
#include "tell/history_read.h"
#include "tell/init.h"
#include "tell/status_print.h"
#include "tell/why.h"
#include "tell/why_ask.h"
#include "tool/again.h"
#include "tool/change.h"
#include "tool/hook.h"
#include "tool/notify.h"
#include "tool/priv.h"
#include "tool/service.h"
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
	struct task task;
	struct why_packet packet;	/* of why */
	struct ppp_event event;		/* of up and down */
	int format;			/* of status, history: enum format */
	const char *since, *svg;	/* of history; or NULL */
	unsigned int watch;		/* of status: seconds; 0: once */
	struct rates *rates;		/* of status with watch; else NULL */
	bool colour;
};

static int cmd_up(struct call *c)
{
	return hook_told(TOOL, c->task.dry, &c->event);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int show_status(void *call)
{
	static struct status status;
	static struct facts facts;
	struct call *c = call;
	struct task *t = &c->task;
	struct session *s = &t->session;
	struct err err;
	int code = task_look(t, NULL, &err);

	if (!code && facts_read(&facts, &s->conf, &s->present, &s->rtnl,
				&s->nfnl, &err))
		code = EXIT_FAILED;
	if (code) {
		task_fail(t, NULL, &err, code);
		if (c->format == FORMAT_TABLE || c->format == FORMAT_LONG)
			return code;
		status_fail(&status, code, &err);
	} else {
		/* Another file is there to be compared. */
		s->edited = s->in_force && !s->bad_conf.msg[0] &&
			    (!t->file || !strcmp(t->file, s->source)) &&
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

/* The looks, a process each, share the rates. */
static int cmd_status(struct call *c)
{
	int code;

	if (!c->watch)
		return show_status(c);
	c->rates = mmap(NULL, sizeof(*c->rates), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c->rates == MAP_FAILED)
		c->rates = NULL;
	code = again_show(show_status, c, c->watch);
	return code < 0 ? EXIT_FAILED : code;
}

static int cmd_why(struct call *c)
{
	static struct why why;
	struct task *t = &c->task;
	struct session *s = &t->session;
	struct err err;
	int code = task_look(t, &why.changed, &err);

	if (!code && s->present.nft_code == -EPERM)
		code = task_only_root(t, &err);
	if (code)
		return task_fail(t, NULL, &err, code);
	why.packet = c->packet;
	why.what_if = t->file;
	if (ask_why(&why, &s->conf, &s->ruleset, &s->present, &s->rtnl,
		    &s->nfnl, &err))
		return task_fail(t, NULL, &err, EXIT_FAILED);
	code = why_print(&why, &s->conf, &s->present, stdout);
	if (code) {
		err_set(&err, code, "cannot say why: %s%s", strerror(-code),
			err_advice(code));
		return task_fail(t, NULL, &err, EXIT_FAILED);
	}
	return why_arrives(&why) ? 0 : EXIT_FAILED;
}

static int cmd_history(struct call *c)
{
	static struct history history;
	struct task *t = &c->task;
	struct session *s = &t->session;
	struct history_view v;
	struct err err, left;

	if (t->file ? conf_read(&s->conf, t->file, true, &err) :
		      session_conf(s, &err))
		return task_fail(t, NULL, &err, EXIT_CONFIG);
	if (history_recall(&history, &s->conf, &left, &err))
		return task_fail(t, NULL, &err, EXIT_FAILED);
	if (left.msg[0])
		report_say(&t->report, left.msg);
	if (history_choose(&v, &history, c->since, t->link, &err))
		return task_fail(t, NULL, &err, EXIT_USAGE);
	if (c->svg)
		return history_draw(&v, c->svg, &err) ?
		       task_fail(t, NULL, &err, EXIT_FAILED) : 0;
	if (c->format == FORMAT_JSON)
		history_print_json(&v, stdout);
	else
		history_print(&v, stdout);
	return 0;
}

static int cmd_watch(struct call *c)
{
	struct task *t = &c->task;
	struct err err;
	int code = watch_run(&t->session, &t->report, &err);

	if (code == -EBUSY)
		return task_fail(t, "busy", &err, EXIT_BUSY);
	return code ? task_fail(t, "failed", &err, EXIT_FAILED) : 0;
}

static int cmd_init(struct call *c)
{
	static struct init init;
	struct err err;
	unsigned int i;
	int code = nl_open(&c->task.session.rtnl, NETLINK_ROUTE, &err);

	if (!code)
		code = init_look(&init, &c->task.session.rtnl, &err);
	if (code)
		return task_fail(&c->task, NULL, &err, EXIT_FAILED);
	init_print(&init, stdout);
	for (i = 0; i < init.n_notes; i++)
		report_say(&c->task.report, init.note[i].msg);
	if (init.n_lines)
		return 0;
	err_set(&err, 0, "no line was found: describe each to pppd, a file "
		"in /etc/ppp/peers (the examples have two), or have its DHCP "
		"client running, and call this again");
	return task_fail(&c->task, NULL, &err, EXIT_FAILED);
}

static int misuse(const char *what, const char *arg)
{
	fprintf(stderr, TOOL ": %s \"%s\"; see mwan-rules --help\n", what,
		arg);
	return EXIT_USAGE;
}

static int misuse_of(const struct err *err)
{
	fprintf(stderr, TOOL ": %s; see mwan-rules --help\n", err->msg);
	return EXIT_USAGE;
}

static int no_words(struct call *c, int argc, char **argv)
{
	if (!argc)
		return 0;
	fprintf(stderr, TOOL ": nothing is expected after %s, but there is "
		"\"%s\"; see mwan-rules --help\n", c->task.name, argv[0]);
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
			      c->task.name);
	c->task.link = argv[0];
	return c->svg && c->format ? misuse("--svg does not go with",
					    "--json") : 0;
}

/* What it would do depends on what happens. */
static int no_dry_run(struct call *c, int argc, char **argv)
{
	if (c->task.dry)
		return misuse("-n does not go with", c->task.name);
	return no_words(c, argc, argv);
}

static int one_link(struct call *c, int argc, char **argv)
{
	if (argc != 1)
		return misuse("one link's name is expected after", c->task.name);
	c->task.link = argv[0];
	return 0;
}

static int an_event(struct call *c, bool up, int argc, char **argv)
{
	struct err err;

	if (one_link(c, argc ? 1 : 0, argv))
		return EXIT_USAGE;
	if (ppp_event_told(&c->event, up, argc > 3 ? 3 : argc, argv, &err))
		return misuse_of(&err);
	return argc > 3 ? misuse("nothing is expected after", argv[2]) : 0;
}

static int a_lease(struct call *c, int argc, char **argv)
{
	return an_event(c, true, argc, argv);
}

/* The client may not know any more what has ended. */
static int an_end(struct call *c, int argc, char **argv)
{
	return one_link(c, argc, argv) || an_event(c, false, argc, argv) ?
	       EXIT_USAGE : 0;
}

static int a_link_and_prefixes(struct call *c, int argc, char **argv)
{
	struct err err;
	int i;

	if (!argc)
		return misuse("a link's name is expected after",
			      c->task.name);
	c->task.link = argv[0];
	for (i = 1; i < argc; i++)
		if (prefixes_add(&c->task.prefixes, argv[i], &err))
			return misuse_of(&err);
	return 0;
}

/* SRC DST, and as much of the rest as is known. */
static int a_packet(struct call *c, int argc, char **argv)
{
	struct err err;

	if (argc != 2 && argc != 3 && argc != 5)
		return misuse("SRC DST [PROTOCOL [SPORT DPORT]] are expected "
			      "after", c->task.name);
	return why_packet_read(&c->packet, argc, argv, &err) ?
	       misuse_of(&err) : 0;
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
	/* Read what follows the name: 0, or EXIT_USAGE with a sentence. */
	int (*read)(struct call *c, int argc, char **argv);
	/* The function that does it: one of both. */
	int (*task)(struct task *t);
	int (*run)(struct call *c);
} commands[] = {
	{ "init", "",
	  "look at this machine and write an mwan.ini for it to\n"
	  "standard output; what pppd's files lack, to standard error",
	  0, no_dry_run, NULL, cmd_init },
	{ "apply", "[-f FILE] [-n]",
	  "put rules, nftables table and sysctls in force (at boot)",
	  TAKES_FILE, no_words, change_apply, NULL },
	{ "flush", "[-f FILE] [-n]",
	  "take everything of ours out of the kernel",
	  TAKES_FILE, no_words, change_flush, NULL },
	{ "status", "[-f FILE] [--long] [--json|--prometheus|--watch [SEC]]",
	  "show the links; exit 0 all well, 1 degraded, 2 no link",
	  TAKES_FILE | TAKES_JSON | TAKES_PROMETHEUS, maybe_seconds, NULL,
	  cmd_status },
	{ "history", "[-f FILE] [LINK] [--since WHEN] [--json|--svg FILE]",
	  "show the links' outages, by the log",
	  TAKES_FILE | TAKES_JSON | TAKES_TIME, maybe_link, NULL,
	  cmd_history },
	{ "check", "[-f FILE]",
	  "read the configuration and say what is wrong with it",
	  TAKES_FILE, no_words, task_check, NULL },
	{ "why", "[-f FILE] SRC|self DST [PROTOCOL [SPORT DPORT]]",
	  "say which link such a packet takes, and why",
	  TAKES_FILE, a_packet, NULL, cmd_why },
	{ "watch", "",
	  "stay, find links that are up and lead nowhere, and put\n"
	  "back what is taken away",
	  0, no_dry_run, NULL, cmd_watch },
	{ "drain", "LINK [-n]",
	  "put LINK aside: new connections take other links, until\n"
	  "undrain or the next boot",
	  0, one_link, change_drain, NULL },
	{ "undrain", "LINK [-n]", "take LINK back", 0, one_link,
	  change_undrain, NULL },
	{ "up", "LINK [ADDRESS [GATEWAY]] [-n]",
	  "what the client of a LINK that is not pppd's has to say:\n"
	  "it has a new lease",
	  0, a_lease, NULL, cmd_up },
	{ "down", "LINK [-n]", "the same: it has none any more", 0, an_end,
	  NULL, cmd_up },
	{ "prefix", "LINK [PREFIX ...] [-n]",
	  "note the IPv6 prefixes that LINK has now, for DHCPv6 clients",
	  0, a_link_and_prefixes, change_prefix, NULL },
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

static int begin(struct call *c, const struct command *command)
{
	struct task *t = &c->task;
	struct err err;
	int status;

	report_begin(&t->report, TOOL, t->name);
	if (command->run == cmd_watch ? priv_drop_to_ask(&err) :
					priv_drop(&err))
		report_say(&t->report, err.msg);
	status = command->run ? command->run(c) : command->task(t);
	if (!t->dry)
		notify(&t->session, command->task == change_flush);
	return report_status(&t->report, status);
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
			c->task.dry = true;
		else if (opt == SINCE)
			c->since = optarg;
		else if (opt == WATCH)
			c->watch = 1;
		else if (opt == SVG && *optarg)
			c->svg = optarg;
		else if (opt == 'f' && *optarg)
			c->task.file = absolute(optarg);
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
			      c->task.name);
	if (c->watch && command->run != cmd_status)
		return misuse("--watch does not go with", c->task.name);
	if (c->watch && c->format && c->format != FORMAT_LONG)
		return misuse("--json and --prometheus do not go with",
			      "--watch");
	if ((c->since || c->svg) && !(command->takes & TAKES_TIME))
		return misuse("--since and --svg do not go with", c->task.name);
	if (c->task.file && !(command->takes & TAKES_FILE))
		return misuse("-f does not go with", c->task.name);
	return 0;
}

int main(int argc, char **argv)
{
	static struct call call;
	size_t i;

	report_small_pages();
	if (report_help(TOOL, usage(), argc, argv))
		return 0;
	call.colour = terminal_may_colour();
	service_begin();
	/* getopt() would read POSIXLY_CORRECT. */
	clearenv();
	if (read_options(&call, argc, argv))
		return EXIT_USAGE;
	if (argc == optind)
		return no_command();
	call.task.session.lock.fd = -1;
	for (i = 0; i < COUNT(commands); i++) {
		if (strcmp(argv[optind], commands[i].name))
			continue;
		call.task.name = commands[i].name;
		if (check_options(&call, &commands[i]) ||
		    commands[i].read(&call, argc - optind - 1,
				     argv + optind + 1))
			return EXIT_USAGE;
		return begin(&call, &commands[i]);
	}
	return misuse("unknown command", argv[optind]);
}
