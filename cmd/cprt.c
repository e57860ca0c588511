// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "conf/rttables.h"
#include "copy/copy.h"
#include "copy/route_command.h"
#include "kernel/route.h"
#include "tool/priv.h"
#include "tool/report.h"

#define TOOL "cprt"

static const char usage[] =
	"Usage: cprt [-nv] [--flush] SRC DST\n"
	"Make the routing table DST hold exactly the routes of table SRC, "
	"IPv4 and IPv6.\n"
	"Default routes are not copied, and those of DST stay.\n"
	"  SRC, DST   names or numbers of routing tables\n"
	"  --flush    take the default routes of DST away, too\n"
	"  -n         print the difference as ip commands; change nothing\n"
	"  -v         say what has been done\n"
	"  --help     print this text; --version: the version\n"
	"See cprt(8).\n";

/* One call of cprt. */
struct call {
	bool flush, dry, verbose;
	uint32_t src, dst;
	struct report report;
	struct lock lock;
	struct nl nl;
	struct copy copy;
};

static char text[RTTEXT_MAX];

static int status_of(int code)
{
	return code == -EBUSY ? EXIT_BUSY : EXIT_FAILED;
}

static int misuse(const struct call *c, const char *sentence)
{
	report_say(&c->report, sentence);
	return EXIT_USAGE;
}

static int read_tables(struct call *c, const char *src, const char *dst)
{
	struct err err;

	if (rttables_number(src, &c->src, &err) ||
	    rttables_number(dst, &c->dst, &err))
		return misuse(c, err.msg);
	if (c->dst >= TABLE_DEFAULT && c->dst <= TABLE_LOCAL) {
		err_set(&err, 0, "\"%s\" is the system's own routing table "
			"%u, which is never written to: give another DST",
			dst, c->dst);
		return misuse(c, err.msg);
	}
	if (c->src == c->dst) {
		err_set(&err, 0, "\"%s\" and \"%s\" are the same routing "
			"table, %u: give two different ones", src, dst,
			c->src);
		return misuse(c, err.msg);
	}
	return 0;
}

/* Read the command line. Returns 0 or an exit status. */
static int read_arguments(struct call *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "flush", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	struct err err;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+nv", options, NULL)) != -1) {
		if (opt == 'f') {
			c->flush = true;
		} else if (opt == 'n') {
			c->dry = true;
		} else if (opt == 'v') {
			c->verbose = true;
		} else {
			err_set(&err, 0, "unknown option \"-%c\"; see cprt "
				"--help", optopt ? optopt : '-');
			if (!optopt)
				err_set(&err, 0, "unknown option \"%.64s\"; "
					"see cprt --help", argv[optind - 1]);
			return misuse(c, err.msg);
		}
	}
	if (argc - optind != 2)
		return misuse(c, "two routing tables are expected, SRC and "
			      "DST; see cprt --help");
	return read_tables(c, argv[optind], argv[optind + 1]);
}

static int print_op(const struct nlmsghdr *nlh, void *data)
{
	int code = rttext(nlh, text, sizeof(text));

	(void)data;
	/* Never run half of a command. */
	if (code)
		printf("# ip(8) has more words for this one: ");
	return puts(text) < 0 ? -EIO : 0;
}

static int print_plan(struct call *c, struct err *err)
{
	int code = copy_plan(&c->copy, &c->nl, err);

	if (code)
		return code;
	code = copy_each(&c->copy, print_op, NULL);
	if (code || fflush(stdout))
		return err_set(err, -EIO, "cannot write the commands to the "
			       "standard output: %s; is that closed, or its "
			       "disk full?", strerror(errno));
	return 0;
}

/* List what the kernel did not take. Returns the exit status. */
static int print_refused(const struct call *c)
{
	const struct nlmsghdr *no = NULL;
	const char *why;

	while ((no = copy_refused(&c->copy, no, &why))) {
		rttext_route(no, text, sizeof(text));
		fprintf(stderr, TOOL ": the kernel refuses to %s %s: %s\n",
			no->nlmsg_type == RTM_DELROUTE ? "delete" : "take",
			text, why);
	}
	return c->copy.count.refused ? EXIT_FAILED : 0;
}

static void print_counts(const struct call *c)
{
	const struct copy_counts *n = &c->copy.count;

	printf("table %u, %zu routes, to table %u: %zu added, %zu replaced, "
	       "%zu deleted, %zu refused, in %u round%s\n", c->src, n->routes,
	       c->dst, n->added, n->replaced, n->deleted, n->refused,
	       n->rounds, n->rounds == 1 ? "" : "s");
}

static int copy_locked(struct call *c, struct err *err)
{
	char name[32];
	int code;

	snprintf(name, sizeof(name), TOOL "-%u", c->dst);
	code = lock_take(&c->lock, name, LOCK_WAIT_MS, err);
	if (code == -EBUSY)
		return err_set(err, code, "another cprt is writing to table "
			       "%u and has not ended within %d ms: try again",
			       c->dst, LOCK_WAIT_MS);
	/* The copy is as good without; two at once would find each other's
	 * changes, and say so.
	 */
	if (code)
		fprintf(stderr, TOOL ": %s; going on without a lock\n",
			err->msg);
	code = copy_run(&c->copy, &c->nl, err);
	lock_release(&c->lock);
	return code;
}

int main(int argc, char **argv)
{
	static struct call call = { .report.tool = TOOL, .lock.fd = -1 };
	struct err err;
	int code, status;

	if (report_help(TOOL, usage, argc, argv))
		return 0;
	report_begin(&call.report, TOOL, "copy");
	if (priv_drop(&err))
		report_say(&call.report, err.msg);
	status = read_arguments(&call, argc, argv);
	if (status)
		return status;
	copy_init(&call.copy, call.src, call.dst, call.flush);
	code = nl_open(&call.nl, NETLINK_ROUTE, &err);
	if (!code)
		code = call.dry ? print_plan(&call, &err) :
				  copy_locked(&call, &err);
	status = call.dry ? 0 : print_refused(&call);
	if (!code && status)
		report_say(&call.report, "all other routes are copied: fix "
			   "these, and run it again (see DIAGNOSTICS in "
			   "cprt(8))");
	if (!code && call.verbose && !call.dry)
		print_counts(&call);
	if (code) {
		report_say(&call.report, err.msg);
		status = status_of(code);
	}
	copy_release(&call.copy);
	nl_close(&call.nl);
	return status;
}
