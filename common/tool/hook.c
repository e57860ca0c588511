// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/state.h"
#include "core/session.h"
#include "tool/hook.h"
#include "tool/outcome.h"
#include "tool/notify.h"
#include "tool/ppp.h"
#include "tool/priv.h"

#define USAGE \
	"Usage: %s [-n] [ifname tty speed local remote [ipparam]]\n" \
	"pppd calls it so; without arguments it reads IFNAME, IPLOCAL and\n" \
	"IPREMOTE from the environment.\n" \
	"  -n         print the commands that would do the same; change " \
	"nothing\n" \
	"  --help     this text\n" \
	"  --version  the version\n" \
	"See %s(8).\n"

/* The lock's holder looks once more for a hook that has given up, but does not
 * know what the hook was told; and a DHCP client tells a gateway once a lease.
 * It keeps no other line waiting, as pppd's hook would.
 */
enum { TOLD_WAIT_MS = 15000 };

/* One call of a hook. */
struct hook {
	const char *tool;
	bool up, dry;
	bool told;		/* not by pppd */
	struct ppp_event event;
	int link;
	struct report report;
	struct outcome outcome;
	struct session session;
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

static void log_session(struct log *l, const struct hook *h)
{
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

/* Say what the kernel now does with this link's traffic, and with the traffic
 * of other links that are down.
 */
static void log_carriers(struct log *l, const struct hook *h)
{
	const struct session *s = &h->session;
	const struct link *is = &s->present.link[h->link];
	char carriers[512];

	log_add(l, "default", "%s", session_carriers(s, h->link, carriers,
						     sizeof(carriers)));
	if (session_any_usable(s) && session_any_down(s))
		log_add(l, "takeover", "%s",
			session_carriers(s, -1, carriers, sizeof(carriers)));
	log_addr(l, "gateway", &is->af[FAMILY_IPV4].gateway);
}

/* Something to know of the link. */
static void say_note(struct report *r, const struct hook *h)
{
	const struct conf_link *want = &h->session.conf.link[h->link];
	const struct link *is = &h->session.present.link[h->link];
	bool usable = link_usable(is, FAMILY_IPV4);
	const char *name = h->event.ifname;
	struct log *l = &r->line;
	char addr[ADDR_TEXT];
	struct err why;

	if (is->ifindex && is->other) {
		log_add(l, "note", "%s is not used: pppd says that it is not "
			"the session of linkname %s", name, want->linkname);
	} else if (link_lacks_gateway(want, is, FAMILY_IPV4, &why)) {
		report_say(r, why.msg);
		log_add(l, "note", "%s", why.msg);
	} else if (!session_any_usable(&h->session)) {
		log_add(l, "note", "all links are down");
	} else if (!h->up && usable) {
		log_add(l, "note", "%s has %s address %s: it stays in use",
			name, h->told ? "its" : "a session with",
			addr_text(&is->af[FAMILY_IPV4].local, addr));
	} else if (h->up && !usable) {
		log_add(l, "note", "%s is not up any more", name);
	}
}

/* The link is up, and nobody gets out by it. */
static void warn_refusal(struct report *r, struct session *s)
{
	char text[ROUTE_TEXT];
	struct route by;
	struct err err;

	if (!session_main_refuses(s, &by))
		return;
	err_set(&err, 0, "the table main refuses all that goes by a link "
		"(%s): see mwan-rules status", route_text(&by, "", text));
	report_warn(r, &err);
}

/* Say that the file is bad, and what was used in its place. */
static void tell_bad_conf(struct report *r, const struct session *s)
{
	struct err err;

	if (!s->bad_conf.msg[0])
		return;
	err_set(&err, 0, "%s%s", s->bad_conf.msg, session_bad_conf_use(s));
	report_say(r, err.msg);
	log_add(&r->line, "config", "%s", err.msg);
}

static void say_subject(struct report *r, bool failed, void *of)
{
	const struct hook *h = of;

	log_session(&r->line, h);
	if (failed)
		tell_bad_conf(r, &h->session);
	else
		log_carriers(&r->line, h);
}

static void say_details(struct report *r, void *of)
{
	struct hook *h = of;

	say_note(r, h);
	warn_refusal(r, &h->session);
	tell_bad_conf(r, &h->session);
}

/* Nothing came of it. */
static int refuse(struct hook *h, const char *event, const struct err *err,
		  int status)
{
	const struct outcome_words words = { .subject = say_subject, .of = h };

	return outcome_refuse(&h->report, &h->session, h->dry, &words, event,
			      event, err, status);
}

static int ignore(struct hook *h)
{
	const struct session *s = &h->session;
	bool bad = s->bad_conf.msg[0];
	struct err note;

	if (h->dry)
		return bad ? EXIT_CONFIG : 0;
	report_event(&h->report, "ignored");
	log_session(&h->report.line, h);
	err_set(&note, 0, "%s is not a configured link", h->event.ifname);
	/* A person may have meant another one. */
	if (h->told)
		report_say(&h->report, note.msg);
	log_add(&h->report.line, "note", "%s", note.msg);
	tell_bad_conf(&h->report, s);
	report_end(&h->report, s->conf.log, bad ? "config" : "ok");
	return bad ? EXIT_CONFIG : 0;
}

/* The file as it is to be, in a person's words. */
static void print_gateways(const struct session *s)
{
	bool any = false;
	char addr[ADDR_TEXT];
	unsigned int i, f;

	for (i = 0; i < s->conf.n_links; i++)
		for (f = 0; f < FAMILIES; f++) {
			if (!s->said.said[i][f].family)
				continue;
			if (!any)
				printf("cat >%s <<'END'\n", GATEWAY_PATH);
			any = true;
			printf("%s %s\n", s->conf.link[i].name,
			       addr_text(&s->said.said[i][f], addr));
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
	struct session *s = &h->session;
	struct addr *of;
	unsigned int f;
	bool change = false;
	int code = gateways_read(&s->conf, &s->said, err);

	if (code)
		return code;
	for (f = 0; f < FAMILIES; f++) {
		of = &s->said.said[h->link][f];
		if (h->up && (!new->family || addr_family(new) != f))
			continue;
		change = change || !addr_equal(of, new);
		*of = *new;
	}
	if (!change)
		return 0;
	s->have_said = true;
	if (!h->dry)
		return gateways_write(&s->conf, &s->said, err);
	print_gateways(s);
	return 0;
}

/* Take down what pppd says of resolvers, for mwan-rules watch. It is no reason to
 * fail: there are others that can be asked.
 */
static void note_resolvers(const struct hook *h)
{
	static struct resolvers all;
	const struct addr *new = h->event.resolver;
	const struct conf *conf = &h->session.conf;
	struct addr *of = all.of[h->link];
	struct err err;

	if (!h->up || h->dry || !new[0].family ||
	    resolvers_read(conf, &all, &err) ||
	    (addr_equal(&of[0], &new[0]) && addr_equal(&of[1], &new[1])))
		return;
	memcpy(of, new, sizeof(all.of[0]));
	(void)resolvers_write(conf, &all, &err);
}

/* Change the kernel with the lock held. Then report without it: a slow disk must
 * not delay another link's hook.
 */
static int carry_out(struct hook *h)
{
	const struct outcome_words words = { .subject = say_subject,
					     .details = say_details,
					     .of = h };
	struct session *s = &h->session;
	struct outcome *o = &h->outcome;
	struct plan_event event = { .gone_link = -1 };
	int code;

	/* The IPv6 rules remember what is gone. */
	if (!h->up && h->event.family == FAMILY_IPV4) {
		event.gone = h->event.local;
		event.gone_link = h->link;
	}
	outcome_begin(o);
	o->code = session_open(s, &o->err);
	if (!o->code && h->told)
		o->code = note_gateway(h, &o->err);
	note_resolvers(h);
	if (!o->code)
		session_links(s, &event, h->dry ? stdout : NULL, o);
	if (!h->dry)
		session_again(s, o);
	/* The configuration may have changed by now. */
	h->link = conf_link_index(&s->conf, h->event.ifname);
	if (h->link < 0)
		return ignore(h);
	code = outcome_report(&h->report, s, h->dry, &words, o);
	return h->dry || outcome_failed(o) || !s->bad_conf.msg[0] ? code :
	       EXIT_CONFIG;
}

/* Called with the lock, or by a process that may not take it. */
static int run_locked(struct hook *h, const struct err *bad_event)
{
	const struct outcome_words none = { .details = NULL };
	struct err err;
	int code = session_conf(&h->session, &err);

	if (bad_event)
		return outcome_refuse(&h->report, &h->session, h->dry, &none,
				      "failed", "usage", bad_event,
				      EXIT_USAGE);
	h->link = code ? -1 : conf_link_index(&h->session.conf,
					      h->event.ifname);
	if (h->link >= 0)
		return carry_out(h);
	/* Called without the lock, see carry_out(). */
	lock_release(&h->session.lock);
	return code ? refuse(h, "failed", &err, EXIT_CONFIG) : ignore(h);
}

/* Somebody else holds the lock, and looks once more when he has let go of it
 * (session_again()).
 */
static int give_up(struct hook *h, const struct err *busy)
{
	struct err err;

	if (!session_conf(&h->session, &err) &&
	    conf_link_index(&h->session.conf, h->event.ifname) < 0)
		return ignore(h);
	return refuse(h, "busy", busy, EXIT_BUSY);
}

static int hook_run(struct hook *h, const struct err *bad_event)
{
	struct err err;
	int code = 0;

	report_begin(&h->report, h->tool, event_word(&h->event));
	if (priv_drop(&err))
		report_say(&h->report, err.msg);
	h->session.lock.fd = -1;
	if (!h->dry && !bad_event)
		code = lock_take(&h->session.lock, "lock", h->told ?
				 TOLD_WAIT_MS : LOCK_WAIT_MS, &err);
	if (code == -EBUSY)
		return give_up(h, &err);
	/* pppd may run its hooks without root: changing routes needs only
	 * CAP_NET_ADMIN, the lock needs a directory below /run.
	 */
	if (code) {
		h->session.no_lock = err;
		report_say(&h->report, err.msg);
	}
	code = run_locked(h, bad_event);
	session_close(&h->session);
	lock_release(&h->session.lock);
	if (!h->dry)
		notify(&h->session, false);
	return report_status(&h->report, code);
}

int hook_main(const char *tool, bool up, int argc, char **argv)
{
	struct hook *h = &hook;
	struct err bad_event;
	char usage[1024];
	int bad;

	report_small_pages();
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
