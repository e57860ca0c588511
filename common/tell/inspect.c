// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "core/plan.h"
#include "kernel/ct.h"
#include "tell/inspect.h"
#include "tell/networkd.h"

struct gathering {
	struct facts *f;
	const struct conf *conf;
	const struct present *present;
	unsigned int defaults;	/* in the table that is looked at */
	unsigned int seen;	/* rules that may matter, in this dump ... */
	unsigned int sifted;	/* ... and those that were looked at before */
	bool standby;		/* our last rule for marks was in this dump */
};

bool facts_rule_takes(const struct rule *r, const struct conf_link *l)
{
	return (((l->mark ^ r->mark) & r->mask) == 0) != r->invert &&
	       !(r->action == FR_ACT_TO_TBL && r->table == l->table);
}

static bool takes_any(const struct rule *r, const struct conf *conf)
{
	unsigned int i;

	for (i = 0; i < conf->n_links; i++)
		if (facts_rule_takes(r, &conf->link[i]))
			return true;
	return false;
}

/* Is it before our last rule for marks? The older rule of one priority is
 * first, also in a dump.
 */
static bool is_before(struct gathering *g, const struct rule *r)
{
	const uint32_t standby = g->conf->rule_priority + RULE_STANDBY;

	if (r->priority == standby && r->protocol == PROTO_MWAN)
		g->standby = true;
	return r->priority < standby || (r->priority == standby && !g->standby);
}

static int on_rule(const struct rule *r, void *data)
{
	struct gathering *g = data;
	struct facts *f = g->f;
	bool before = is_before(g, r);

	if (r->protocol != PROTO_MWAN && !r->partial &&
	    (r->action == FR_ACT_TO_TBL || r->action == FR_ACT_BLACKHOLE ||
	     r->action == FR_ACT_UNREACHABLE ||
	     r->action == FR_ACT_PROHIBIT) &&
	    before && takes_any(r, g->conf) && g->seen++ >= g->sifted &&
	    f->n_rules < FACTS_RULES_MAX)
		f->rule[f->n_rules++] = *r;
	return 0;
}

/* Rules before main for packets of the LAN: not for the router's own packets,
 * nor from an address of the router.
 */
static bool is_late(const struct gathering *g, const struct rule *r)
{
	return r->protocol != PROTO_MWAN && !r->own &&
	       r->priority < PRIORITY_MAIN &&
	       (r->action == FR_ACT_TO_TBL ? r->table < TABLE_DEFAULT ||
					     r->table > TABLE_LOCAL :
		r->action == FR_ACT_BLACKHOLE ||
		r->action == FR_ACT_UNREACHABLE ||
		r->action == FR_ACT_PROHIBIT) &&
	       (r->from_len != 32 || !g->present->addrs_complete ||
		!present_has_addr(g->present, &r->from)) &&
	       takes_any(r, g->conf);
}

static int on_late(const struct rule *r, void *data)
{
	struct gathering *g = data;

	if (!is_before(g, r) && is_late(g, r) && g->f->n_late < FACTS_RULES_MAX)
		g->f->late[g->f->n_late++] = *r;
	return 0;
}

static int on_default(const struct route *r, void *data)
{
	struct gathering *g = data;

	/* Back to the next rule. */
	if (r->type != RTN_THROW)
		g->defaults++;
	return 0;
}

/* A rule leads no packet away whose table has no way for it. Looks at what is
 * in f->rule from @first on, and keeps what does.
 */
static int sift(struct gathering *g, unsigned int first, struct nl *rtnl,
		struct err *err)
{
	struct facts *f = g->f;
	unsigned int i, n = first;
	int code = 0;

	for (i = first; i < f->n_rules && !code; i++) {
		g->defaults = 1;
		if (f->rule[i].action == FR_ACT_TO_TBL) {
			g->defaults = 0;
			code = route_dump_defaults(rtnl, AF_INET,
						   f->rule[i].table,
						   on_default, g, err);
		}
		if (g->defaults)
			f->rule[n++] = f->rule[i];
	}
	f->n_rules = n;
	return code;
}

/* The socket is busy during a dump: as many rules at a time as there is room
 * for.
 */
static int read_rules(struct gathering *g, struct nl *rtnl, struct err *err)
{
	struct facts *f = g->f;
	unsigned int first;
	int code;

	do {
		first = f->n_rules;
		g->seen = 0;
		g->standby = false;
		code = rule_dump(rtnl, AF_INET, RULE_ANYONES, on_rule, g, err);
		g->sifted += f->n_rules - first;
		if (!code)
			code = sift(g, first, rtnl, err);
	} while (!code && g->seen > g->sifted && f->n_rules < FACTS_RULES_MAX);
	return code;
}

/* Rules after ours; one that leads to a table without a route has no effect. */
static int read_late(struct gathering *g, struct nl *rtnl, struct err *err)
{
	struct facts *f = g->f;
	unsigned int i, n = 0;
	bool any;
	int code;

	g->standby = false;
	code = rule_dump(rtnl, AF_INET, RULE_ANYONES, on_late, g, err);

	for (i = 0; i < f->n_late && !code; i++) {
		any = true;
		g->defaults = 0;
		if (f->late[i].action == FR_ACT_TO_TBL) {
			code = route_any(rtnl, f->late[i].table, &any, err);
			if (!code)
				code = route_dump_defaults(rtnl, AF_INET,
							   f->late[i].table,
							   on_default, g, err);
		}
		if (!any)
			continue;
		f->late_default[n] = g->defaults > 0;
		f->late[n++] = f->late[i];
	}
	f->n_late = n;
	return code;
}

static int note_default(const struct route *r, void *data)
{
	struct facts *f = ((struct gathering *)data)->f;
	struct facts_default *d = &f->default_[f->n_defaults];

	if (r->family != AF_INET || r->protocol == PROTO_MWAN ||
	    f->n_defaults == FACTS_DEFAULTS_MAX)
		return 0;
	if (r->dst_len)
		d = &f->half;
	d->route = *r;
	if (!r->ifindex || !if_indextoname(r->ifindex, d->dev))
		d->dev[0] = '\0';
	f->n_defaults += !r->dst_len;
	return 0;
}

/* The files that apply and the hooks write. */
static void read_files(struct facts *f, const struct conf *conf)
{
	f->bad_rundir.msg[0] = f->bad_log.msg[0] = '\0';
	if (geteuid())
		return;
	(void)rundir_check(&f->bad_rundir);
	(void)log_check(conf->log, &f->bad_log);
}

static void read_links(struct gathering *g, const struct present *present,
		       struct nl *rtnl, struct nl *nfnl)
{
	const struct conf *conf = g->conf;
	uint32_t marks[LINKS_MAX];
	struct addr local[LINKS_MAX];
	struct facts *f = g->f;
	unsigned int i;

	for (i = 0; i < conf->n_links; i++) {
		local[i] = (struct addr){ 0 };
		if (link_usable(&present->link[i], FAMILY_IPV4))
			local[i] = present->link[i].af[FAMILY_IPV4].local;
		marks[i] = conf->link[i].mark;
		f->have_bytes[i] = present->link[i].ifindex &&
			!iface_read_bytes(rtnl, present->link[i].ifindex,
					 &f->bytes[i], NULL);
	}
	since_read(conf, local, f->since);
	f->flows_code = ct_count(nfnl, AF_INET, conf->mark_mask, marks, conf->n_links,
				 f->flows, NULL);
}

static int on_addr6(const struct iface_addr *a, void *data)
{
	struct gathering *g = data;
	int i = present_link_of(g->present, g->conf, a->ifindex);

	if (i >= 0 && a->advertised)
		g->f->ipv6[i].advertised = true;
	return 0;
}

static int setting6(const char *dev, const char *name)
{
	char path[SYSCTL_PATH_MAX];

	snprintf(path, sizeof(path), "net/ipv6/conf/%s/%s", dev, name);
	return sysctl_read(path);
}

/* A router takes advertisements of others only with accept_ra 2
 * (ip-sysctl.rst).
 */
static void read_ipv6(struct gathering *g, struct nl *rtnl)
{
	struct facts_ipv6 *f = g->f->ipv6;
	const char *name;
	unsigned int i;

	memset(f, 0, sizeof(g->f->ipv6));
	if (!g->conf->ipv6)
		return;
	(void)iface_addr_dump(rtnl, AF_INET6, 0, on_addr6, g, NULL);
	for (i = 0; i < g->conf->n_links; i++, f++) {
		name = g->conf->link[i].name;
		f->off = setting6(name, "disable_ipv6") == 1;
		f->accept_ra = setting6(name, "accept_ra");
		f->forwarding = setting6(name, "forwarding");
		f->deaf = f->forwarding == 1 ? f->accept_ra != 2 :
					       f->accept_ra == 0;
	}
}

static void read_programs(struct programs *p)
{
	int dir = open(PROGRAMS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	p->n = 0;
	p->unsafe = false;
	if (dir >= 0)
		programs_read(p, dir);
}

/* Does an interface have the same addresses as the network of a link's card? */
static void find_overlaps(struct facts *f, const struct conf *conf,
			  const struct present *p)
{
	unsigned int i, k;

	for (i = 0; i < conf->n_links; i++) {
		f->overlap[i][0] = '\0';
		for (k = 0; k < p->n_nets && p->link[i].shared; k++)
			if (prefix_covers(&p->net[k].to,
					  &p->link[i].af[FAMILY_IPV4].net) &&
			    p->link[i].af[FAMILY_IPV4].from != GATEWAY_LAN &&
			    !if_indextoname(p->net[k].ifindex, f->overlap[i]))
				f->overlap[i][0] = '\0';
	}
}

/* A date in the log's form. */
static void put_date(time_t at, struct since *s)
{
	char day[20], zone[6];
	struct tm tm;

	s->seconds = at;
	localtime_r(&at, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	snprintf(s->text, sizeof(s->text), "%s.000%.3s:%.2s", day, zone,
		 zone + 3);
}

static void read_watched(struct facts *f, const struct conf *conf)
{
	const struct watched *w;
	unsigned int i, k;

	(void)watched_read(conf, f->watched);
	for (i = 0; i < conf->n_links; i++) {
		for (k = 0; k < FAMILIES; k++)
			f->answer_ms[k][i] = watched_age(&f->watched[k][i]);
		w = &f->watched[FAMILY_IPV4][i];
		f->judged[i].text[0] = '\0';
		if (w->since)
			put_date((time_t)w->since, &f->judged[i]);
	}
}

int facts_read(struct facts *f, const struct conf *conf,
	       const struct present *present, struct nl *rtnl,
	       struct nl *nfnl, struct err *err)
{
	struct gathering g = { .f = f, .conf = conf, .present = present };
	unsigned int i;
	int code;

	f->now = time(NULL);
	f->half.route.family = 0;
	f->n_rules = f->n_late = f->n_defaults = 0;
	f->conf_exists = !access(CONF_PATH, F_OK);
	for (i = 0; i < conf->n_lan; i++)
		f->lan_missing[i] = !if_nametoindex(conf->lan[i]);
	code = read_rules(&g, rtnl, err);
	if (!code)
		code = read_late(&g, rtnl, err);
	if (!code)
		code = route_dump_halves(rtnl, TABLE_MAIN, note_default, &g,
					 err);
	if (code)
		return code;
	for (i = 0; i < present->n_routes; i++)
		note_default(&present->route[i], &g);
	find_overlaps(f, conf, present);
	f->forwarding6 = conf->ipv6 ? sysctl_read(SYSCTL_IPV6_FORWARD) : -1;
	read_files(f, conf);
	read_links(&g, present, rtnl, nfnl);
	read_ipv6(&g, rtnl);
	networkd_read(&f->networkd_routes, &f->networkd_rules);
	hookfile_read(&f->up, "up");
	hookfile_read(&f->down, "down");
	read_programs(&f->programs);
	read_watched(f, conf);
	return 0;
}
