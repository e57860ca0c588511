// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/state.h"
#include "core/session.h"
#include "tool/hook.h"
#include "tool/notify.h"
#include "tool/ppp.h"
#include "tool/priv.h"
#include "tool/report.h"

#define USAGE \
	"Usage: %s [-n] [ifname tty speed local remote [ipparam]]\n" \
	"pppd calls it so; without arguments it reads IFNAME, IPLOCAL and\n" \
	"IPREMOTE from the environment.\n" \
	"  -n         print the commands that would do the same; change " \
	"nothing\n" \
	"  --help     this text\n" \
	"  --version  the version\n" \
	"See %s(8).\n"

/* One call of a hook. */
struct hook {
	const char *tool;
	bool up, dry;
	bool told;		/* not by pppd */
	struct ppp_event event;
	int link;
	struct report report;
	struct run run;
};

/* Large: what is not used is never touched. */
static struct hook hook;

/* A link is up or down by its IPv4: IPv6CP has words of its own. */
static const char *event_word(const struct ppp_event *e)
{
	if (e->family == FAMILY_IPV6)
		return e->up ? "ipv6-up" : "ipv6-down";
	return e->up ? "up" : "down";
}

static void log_addr(struct log *l, const char *key, const struct addr *a)
{
	char text[ADDR_TEXT];

	if (a->family)
		log_add(l, key, "%s", addr_text(a, text));
}

static void log_session(struct hook *h)
{
	struct log *l = &h->report.line;
	const struct ppp_event *e = &h->event;

	log_add(l, "if", "%s", e->ifname);
	log_addr(l, "local", &e->local);
	log_addr(l, "peer", &e->peer);
	if (h->up)
		return;
	if (*e->connect_time)
		log_add(l, "connect_time", "%s", e->connect_time);
	if (*e->sent)
		log_add(l, "sent", "%s", e->sent);
	if (*e->received)
		log_add(l, "received", "%s", e->received);
}

/* Something to know of the link @is. */
static void log_note(struct hook *h, const struct link *is, bool usable)
{
	const struct conf_link *want = &h->run.conf.link[h->link];
	const char *name = h->event.ifname;
	struct log *l = &h->report.line;
	char addr[ADDR_TEXT];
	struct err why;

	if (is->ifindex && is->other) {
		log_add(l, "note", "%s is not used: pppd says that it is not "
			"the session of linkname %s", name, want->linkname);
	} else if (link_lacks_gateway(want, is, FAMILY_IPV4, &why)) {
		report_say(&h->report, why.msg);
		log_add(l, "note", "%s", why.msg);
	} else if (!run_any_usable(&h->run)) {
		log_add(l, "note", "all links are down");
	} else if (!h->up && usable) {
		log_add(l, "note", "%s has %s address %s: it stays in use",
			name, h->told ? "its" : "a session with",
			addr_text(&is->af[FAMILY_IPV4].local, addr));
	} else if (h->up && !usable) {
		log_add(l, "note", "%s is not up any more", name);
	}
}

/* Say what the kernel now does with this link's traffic, and with the traffic
 * of other links that are down.
 */
static void log_outcome(struct hook *h)
{
	struct log *l = &h->report.line;
	const struct run *r = &h->run;
	const struct link *is = &r->present.link[h->link];
	bool usable = link_usable(is, FAMILY_IPV4);
	char carriers[512], names[512];

	run_standby_text(r, carriers, sizeof(carriers));
	log_add(l, "default", "%s", usable ? h->event.ifname : carriers);
	if (run_any_usable(r) && run_any_down(r))
		log_add(l, "takeover", "%s", carriers);
	if (*run_names(r, r->verdicts.drained, names, sizeof(names)))
		log_add(l, "drained", "%s", names);
	if (*run_names(r, r->verdicts.held, names, sizeof(names)))
		log_add(l, "held", "%s", names);
	log_addr(l, "gateway", &is->af[FAMILY_IPV4].gateway);
	if (r->ended[0])
		log_add(l, "ended", "%s", r->ended);
	log_note(h, is, usable);
}

/* The link is up, and nobody gets out by it. */
static void log_refusal(struct hook *h)
{
	char text[ROUTE_TEXT];
	struct route by;
	struct err err;

	if (!run_main_refuses(&h->run, &by))
		return;
	err_set(&err, 0, "the table main refuses all that goes by a link "
		"(%s): see mwan-rules status", route_text(&by, "", text));
	report_say(&h->report, err.msg);
	log_add(&h->report.line, "warning", "%s", err.msg);
}

/* The link's own words for "the file is bad, and this is what I did". */
static void tell_bad_conf(struct hook *h)
{
	struct err err;

	if (!h->run.bad_conf.msg[0])
		return;
	err_set(&err, 0, "%s%s", h->run.bad_conf.msg,
		run_bad_conf_use(&h->run));
	report_say(&h->report, err.msg);
	log_add(&h->report.line, "config", "%s", err.msg);
}

static int refuse_event(struct hook *h, const struct err *err)
{
	report_say(&h->report, err->msg);
	if (!h->dry) {
		report_event(&h->report, "failed");
		log_add(&h->report.line, "error", "%s", err->msg);
		report_end(&h->report, h->run.conf.log, "usage");
	}
	return EXIT_USAGE;
}

static int ignore(struct hook *h)
{
	struct err note;

	if (h->dry)
		return h->run.bad_conf.msg[0] ? EXIT_CONFIG : 0;
	report_event(&h->report, "ignored");
	log_session(h);
	err_set(&note, 0, "%s is not a configured link", h->event.ifname);
	/* A person may have meant another one. */
	if (h->told)
		report_say(&h->report, note.msg);
	log_add(&h->report.line, "note", "%s", note.msg);
	tell_bad_conf(h);
	if (h->run.bad_conf.msg[0]) {
		report_end(&h->report, h->run.conf.log, "config");
		return EXIT_CONFIG;
	}
	report_end(&h->report, h->run.conf.log, "ok");
	return 0;
}

static int fail(struct hook *h, const char *event, const char *result,
		const struct err *err, int status)
{
	report_say(&h->report, err->msg);
	if (!h->dry) {
		report_event(&h->report, event);
		log_session(h);
		log_add(&h->report.line, "error", "%s", err->msg);
		tell_bad_conf(h);
		report_end(&h->report, h->run.conf.log, result);
	}
	return status;
}

/* The file as it is to be, in a person's words. */
static void print_gateways(const struct run *r)
{
	bool any = false;
	char addr[ADDR_TEXT];
	unsigned int i, f;

	for (i = 0; i < r->conf.n_links; i++)
		for (f = 0; f < FAMILIES; f++) {
			if (!r->said.said[i][f].family)
				continue;
			if (!any)
				printf("cat >%s <<'END'\n", GATEWAY_PATH);
			any = true;
			printf("%s %s\n", r->conf.link[i].name,
			       addr_text(&r->said.said[i][f], addr));
		}
	if (any)
		puts("END");
	else
		printf("rm -f %s\n", GATEWAY_PATH);
}

/* Take down what the caller says of the gateway: before the first change in the
 * kernel, so that the next run completes what is killed.
 */
static int note_gateway(struct hook *h, struct err *err)
{
	const struct addr *new = &h->event.gateway;
	struct run *r = &h->run;
	struct addr *of;
	unsigned int f;
	bool change = false;
	int code = gateways_read(&r->conf, &r->said, err);

	if (code)
		return code;
	for (f = 0; f < FAMILIES; f++) {
		of = &r->said.said[h->link][f];
		if (h->up && (!new->family || addr_family(new) != f))
			continue;
		change = change || !addr_equal(of, new);
		*of = *new;
	}
	if (!change)
		return 0;
	r->have_said = true;
	if (!h->dry)
		return gateways_write(&r->conf, &r->said, err);
	print_gateways(r);
	return 0;
}

/* Change the kernel with the lock held. Then report without it: a slow disk must
 * not delay another link's hook.
 */
static int carry_out(struct hook *h)
{
	struct run *r = &h->run;
	struct plan_event event = { .gone_link = -1 };
	struct err err;
	bool queues;
	int code;

	/* Of IPv6 the rules remember what is gone. */
	if (!h->up && h->event.family == FAMILY_IPV4) {
		event.gone = h->event.local;
		event.gone_link = h->link;
	}
	code = run_open(r, &err);
	if (!code && h->told)
		code = note_gateway(h, &err);
	if (!code)
		code = run_links(r, &event, h->dry ? stdout : NULL, &err);
	if (!h->dry)
		code = run_again(r, code, &err);
	/* By now it may be another configuration. */
	h->link = conf_link_index(&r->conf, h->event.ifname);
	if (h->link < 0)
		return ignore(h);
	queues = code && apply_only_queues(&r->result);
	if (code && !queues)
		return fail(h, "failed", "failed", &err, EXIT_FAILED);
	if (h->dry)
		return 0;
	log_session(h);
	log_outcome(h);
	if (queues)
		report_warn(&h->report, &err);
	log_refusal(h);
	log_add(&h->report.line, "changes", "%u", r->changes);
	if (r->sysctls[0])
		log_add(&h->report.line, "sysctl", "%s", r->sysctls);
	tell_bad_conf(h);
	report_warn(&h->report, &r->bad_drained);
	report_warn(&h->report, &r->bad_held);
	report_warn(&h->report, &r->bad_prefix6);
	if (r->no_lock.msg[0])
		log_add(&h->report.line, "warning", "%s", r->no_lock.msg);
	report_end(&h->report, r->conf.log, queues ? "partial" :
		   r->changes ? "ok" : "unchanged");
	if (r->bad_conf.msg[0])
		return EXIT_CONFIG;
	return queues ? EXIT_FAILED : 0;
}

/* With the lock, or without the right to it. */
static int run_locked(struct hook *h, const struct err *bad_event)
{
	struct err err;
	int code = run_conf(&h->run, &err);

	if (bad_event)
		return refuse_event(h, bad_event);
	h->link = code ? -1 : conf_link_index(&h->run.conf, h->event.ifname);
	if (h->link >= 0)
		return carry_out(h);
	/* Without the lock, see carry_out(). */
	lock_release(&h->run.lock);
	return code ? fail(h, "failed", "failed", &err, EXIT_CONFIG) :
	       ignore(h);
}

/* Somebody else holds the lock, and looks once more when he has let go of it
 * (run_again()).
 */
static int give_up(struct hook *h, const struct err *busy)
{
	struct err err;

	if (!run_conf(&h->run, &err) &&
	    conf_link_index(&h->run.conf, h->event.ifname) < 0)
		return ignore(h);
	return fail(h, "busy", "busy", busy, EXIT_BUSY);
}

static int hook_run(struct hook *h, const struct err *bad_event)
{
	struct err err;
	int code = 0;

	report_begin(&h->report, h->tool, event_word(&h->event));
	if (priv_drop(&err))
		report_say(&h->report, err.msg);
	h->run.lock.fd = -1;
	if (!h->dry && !bad_event)
		code = lock_take(&h->run.lock, "lock", LOCK_WAIT_MS, &err);
	if (code == -EBUSY)
		return give_up(h, &err);
	/* pppd may run its hooks without root: changing routes needs only
	 * CAP_NET_ADMIN, the lock needs a directory below /run.
	 */
	if (code) {
		h->run.no_lock = err;
		report_say(&h->report, err.msg);
	}
	code = run_locked(h, bad_event);
	run_close(&h->run);
	lock_release(&h->run.lock);
	if (!h->dry)
		notify(&h->run, false);
	return report_status(&h->report, code);
}

int hook_main(const char *tool, bool up, int argc, char **argv)
{
	struct hook *h = &hook;
	struct err bad_event;
	char usage[1024];
	int bad;

	h->tool = tool;
	h->up = up;
	snprintf(usage, sizeof(usage), USAGE, tool, tool);
	if (report_help(tool, usage, argc, argv))
		return 0;
	if (argc > 1 && !strcmp(argv[1], "-n")) {
		h->dry = true;
		argv++;
		argc--;
	}
	if (argc > 1 && argv[1][0] == '-') {
		fprintf(stderr, "%s: unknown option \"%s\"; see %s --help\n",
			tool, argv[1], tool);
		return EXIT_USAGE;
	}
	bad = ppp_event_read(&h->event, up, argc, argv, &bad_event);
	return hook_run(h, bad ? &bad_event : NULL);
}

int hook_told(const char *tool, bool dry, const struct ppp_event *event)
{
	hook.tool = tool;
	hook.dry = dry;
	hook.told = true;
	hook.up = event->up;
	hook.event = *event;
	return hook_run(&hook, NULL);
}
