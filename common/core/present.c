// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "core/present.h"
#include "kernel/iface.h"
#include "kernel/sysctl.h"

enum { READ_TRIES = 5, ANSWERS_MAX = 16 };

/* An observation in progress. */
struct reading {
	struct present *p;
	const struct conf *conf;
	/* Which link an interface is, by the order of the interfaces. */
	unsigned int n_ifs;
	struct {
		uint32_t ifindex;
		unsigned int link;
	} known[LINKS_MAX];
};

/* "There is none" is an answer as well. */
static int forgive(const struct nl_refusal *no, void *data)
{
	(void)no;
	(void)data;
	return 0;
}

static struct present_link *link_of(const struct reading *r, uint32_t ifindex)
{
	unsigned int i;

	for (i = 0; i < r->n_ifs; i++)
		if (r->known[i].ifindex == ifindex)
			return &r->p->link[r->known[i].link];
	return NULL;
}

static int on_link(const struct nlmsghdr *nlh, void *data)
{
	struct reading *r = data;
	struct present_link *pl;
	struct link l;
	int i, code = link_reply(nlh, &l);

	if (code)
		return code;
	i = conf_link_index(r->conf, l.name);
	if (i < 0 || r->n_ifs == LINKS_MAX)
		return 0;
	pl = &r->p->link[i];
	pl->ifindex = l.ifindex;
	pl->up = l.up;
	pl->carrier = l.carrier;
	r->known[r->n_ifs].ifindex = l.ifindex;
	r->known[r->n_ifs++].link = (unsigned int)i;
	return 0;
}

static int on_addr(const struct link_addr *a, void *data)
{
	struct reading *r = data;
	struct present *p = r->p;
	struct present_link *pl = link_of(r, a->ifindex);

	/* The first is the primary one. */
	if (pl && !pl->local.family) {
		pl->local = a->local;
		pl->peer = a->peer;
	}
	if (p->n_addrs < PRESENT_ADDRS_MAX)
		p->addr[p->n_addrs++] = a->local;
	else
		p->addrs_complete = false;
	return 0;
}

static int on_route(const struct route *route, void *data)
{
	struct present *p = ((struct reading *)data)->p;

	if (p->n_routes < PRESENT_ROUTES_MAX)
		p->route[p->n_routes++] = *route;
	else
		p->more = true;
	return 0;
}

/* Ours wherever they are, and whatever has an id that we may want. */
static int on_nexthop(const struct nexthop *nh, void *data)
{
	struct reading *r = data;
	struct present *p = r->p;
	struct nexthop *to = &p->nexthop[p->n_nexthops];

	if (nh->protocol != PROTO_MWAN &&
	    nh->id - r->conf->nexthop_base >= NEXTHOP_SPAN)
		return 0;
	if (p->n_nexthops == PRESENT_NEXTHOPS_MAX ||
	    nh->n_members > PRESENT_MEMBERS_MAX - p->n_members) {
		p->more = true;
		return 0;
	}
	*to = *nh;
	to->member = &p->member[p->n_members];
	if (nh->n_members)
		memcpy(&p->member[p->n_members], nh->member,
		       nh->n_members * sizeof(nh->member[0]));
	p->n_members += nh->n_members;
	p->n_nexthops++;
	return 0;
}

static int on_rule(const struct rule *rule, void *data)
{
	struct present *p = ((struct reading *)data)->p;

	if (p->n_rules < PRESENT_RULES_MAX)
		p->rule[p->n_rules++] = *rule;
	else
		p->more = true;
	return 0;
}

static int on_qdisc(const struct nlmsghdr *nlh, void *data)
{
	struct present_link *pl = link_of(data, qdisc_reply_ifindex(nlh));

	return pl ? qdisc_reply(nlh, &pl->qdisc) : 0;
}

/* Questions that get an answer each are sent a few at a time: the answers have
 * to fit the socket's buffer.
 */
struct asking {
	struct reading *r;
	struct nl *nl;
	nl_reply_cb reply;
	struct nl_batch b;
	char buf[8192] __attribute__((aligned(8)));
};

static int ask(struct asking *a, struct err *err)
{
	int code = nl_send(a->nl, &a->b, NULL, forgive, a->reply, a->r, err);

	nl_batch_init(&a->b, a->nl, a->buf, sizeof(a->buf));
	return err_prefix(err, code, "cannot read the links and their queues");
}

static int read_links(struct reading *r, struct nl *nl, struct err *err)
{
	struct asking a = { .r = r, .nl = nl, .reply = on_link };
	unsigned int i;
	int code = 0;

	nl_batch_init(&a.b, nl, a.buf, sizeof(a.buf));
	for (i = 0; i < r->conf->n_links && !code; i++) {
		code = link_put_get(&a.b, nl, r->conf->link[i].name);
		if (!code && a.b.count >= ANSWERS_MAX)
			code = ask(&a, err);
	}
	return code ? code : ask(&a, err);
}

static int read_qdiscs(struct reading *r, const struct present_source *from,
		       struct err *err)
{
	struct asking a = { .r = r, .nl = from->rtnl, .reply = on_qdisc };
	unsigned int i;
	int code = 0;

	nl_batch_init(&a.b, a.nl, a.buf, sizeof(a.buf));
	for (i = 0; i < r->conf->n_links && !code; i++) {
		if ((r->conf->link[i].qdisc.kind == QDISC_NONE &&
		     !from->every_queue) ||
		    !present_usable(&r->p->link[i]))
			continue;
		code = qdisc_put_get(&a.b, a.nl, r->p->link[i].ifindex);
		if (!code && a.b.count >= ANSWERS_MAX)
			code = ask(&a, err);
	}
	return code ? code : ask(&a, err);
}

/* With one or two links there is nothing to choose among when one fails. */
static void read_hash(struct reading *r)
{
	bool matters = r->conf->sysctl && r->conf->n_links > 2;

	r->p->hash_policy = matters ? sysctl_read(SYSCTL_HASH_POLICY) : -1;
	r->p->hash_fields = matters ? sysctl_read(SYSCTL_HASH_FIELDS) : -1;
}

static int on_sysctl(const struct sysctl *s, void *data)
{
	struct reading *r = data;
	struct present_link *pl;

	if (!s->ifindex) {
		r->p->rp_filter_all = s->rp_filter;
		r->p->ip_forward = s->forwarding;
		return 0;
	}
	pl = link_of(r, s->ifindex);
	if (pl)
		pl->rp_filter = s->rp_filter;
	return 0;
}

/* Is it a table that the configuration names, or one that an earlier rule of
 * the list does?
 */
static bool table_seen(const struct reading *r, unsigned int rule)
{
	uint32_t table = r->p->rule[rule].table;
	unsigned int i;

	if (table == TABLE_MAIN || table == r->conf->standby_table)
		return true;
	for (i = 0; i < r->conf->n_links; i++)
		if (r->conf->link[i].table == table)
			return true;
	for (i = 0; i < rule; i++)
		if (r->p->rule[i].table == table)
			return true;
	return false;
}

/* The defaults of every table that the configuration names, and of those that
 * our rules lead to: an earlier configuration may have named others.
 */
static int read_routes(struct reading *r, struct nl *nl, struct err *err)
{
	unsigned int i;
	int code = route_dump_defaults(nl, AF_INET, r->conf->standby_table,
				       on_route, r, err);

	for (i = 0; i < r->conf->n_links && !code; i++)
		code = route_dump_defaults(nl, AF_INET,
					   r->conf->link[i].table, on_route,
					   r, err);
	for (i = 0; i < r->p->n_rules && !code; i++)
		if (!table_seen(r, i))
			code = route_dump_defaults(nl, AF_INET,
						   r->p->rule[i].table,
						   on_route, r, err);
	return code;
}

static int read_once(struct present *p, const struct conf *conf,
		     const struct present_source *from, struct err *err)
{
	struct reading r = { .p = p, .conf = conf };
	int code;

	memset(p->link, 0, conf->n_links * sizeof(p->link[0]));
	p->n_routes = p->n_nexthops = p->n_members = 0;
	p->n_rules = p->n_addrs = 0;
	p->addrs_complete = true;
	p->more = false;
	code = read_links(&r, from->rtnl, err);
	if (!code)
		code = link_addr_dump(from->rtnl, AF_INET, 0, on_addr, &r,
				      err);
	if (!code)
		code = nexthop_dump(from->rtnl, on_nexthop, &r, err);
	if (!code)
		code = rule_dump(from->rtnl, AF_INET, PROTO_MWAN, on_rule, &r,
				 err);
	if (!code)
		code = read_routes(&r, from->rtnl, err);
	if (!code)
		code = read_qdiscs(&r, from, err);
	if (!code)
		code = sysctl_dump(from->rtnl, on_sysctl, &r, err);
	read_hash(&r);
	p->nft.present = false;
	p->nft_code = 0;
	if (!code && from->nfnl)
		p->nft_code = nft_read(from->nfnl, &p->nft, &p->nft_err);
	return p->nft_code == -EINTR ? -EINTR : code;
}

int present_read(struct present *p, const struct conf *conf,
		 const struct present_source *from, struct err *err)
{
	int code = -EINTR, i;

	for (i = 0; i < READ_TRIES && code == -EINTR; i++)
		code = read_once(p, conf, from, err);
	if (code && p->nft_code == code)
		*err = p->nft_err;
	return code;
}

bool present_usable(const struct present_link *l)
{
	return l->ifindex && l->up && l->carrier && l->local.family;
}

int present_link_of(const struct present *p, const struct conf *conf,
		    uint32_t ifindex)
{
	unsigned int i;

	for (i = 0; ifindex && i < conf->n_links; i++)
		if (p->link[i].ifindex == ifindex)
			return (int)i;
	return -1;
}

const struct nexthop *present_nexthop(const struct present *p, uint32_t id)
{
	unsigned int i;

	for (i = 0; id && i < p->n_nexthops; i++)
		if (p->nexthop[i].id == id)
			return &p->nexthop[i];
	return NULL;
}

bool present_has_addr(const struct present *p, const struct addr *a)
{
	unsigned int i;

	for (i = 0; i < p->n_addrs; i++)
		if (addr_equal(&p->addr[i], a))
			return true;
	return !p->addrs_complete;
}
