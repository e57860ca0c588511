// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "copy/copy.h"
#include "copy/rtmsg.h"

enum {
	MESSAGES_MIN = 16 * 1024,
	OPS_MIN = 256,
	/* One sendmsg(2): well below the smallest send buffer in use
	 * (212992), and room for one message of any length.
	 */
	TX_SIZE = 64 * 1024 + RTMSG_MAX,
	TX_FULL = 64 * 1024,
	/* Gateways that depend on gateways: the kernel allows chains of two;
	 * the rest is for odd tables.
	 */
	RETRIES = 8,
	READS = 8,		/* of a table, until its dump is whole */
	ADD = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL,
	APPEND = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND,
	REPLACE = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE,
	/* For the short time of a step: any protocol but the group's own. */
	PROTO_TEMPORARY = 250,
};

/* --- growing arrays -------------------------------------------------- */

/* Room for @len more bytes; NULL: no memory. */
static void *messages_room(struct messages *m, size_t len)
{
	size_t size = m->size ? m->size : MESSAGES_MIN;
	char *data;

	while (size - m->len < len)
		size *= 2;
	if (size != m->size) {
		data = realloc(m->data, size);
		if (!data)
			return NULL;
		m->data = data;
		m->size = size;
	}
	return m->data + m->len;
}

static int messages_push(struct messages *m, const struct nlmsghdr *nlh)
{
	void *to = messages_room(m, nlh->nlmsg_len);

	if (!to)
		return -ENOMEM;
	memcpy(to, nlh, nlh->nlmsg_len);
	m->len += nlh->nlmsg_len;
	return 0;
}

/* One that is known to be there. */
static struct nlmsghdr *messages_here(const struct messages *m, size_t at)
{
	return (void *)(m->data + at);
}

static struct nlmsghdr *messages_at(const struct messages *m, size_t at)
{
	return at < m->len ? messages_here(m, at) : NULL;
}

static void messages_release(struct messages *m)
{
	free(m->data);
	*m = (struct messages){ 0 };
}

static int ops_push(struct copy_ops *o, const struct copy_op *op)
{
	struct copy_op *bigger;
	size_t size;

	if (o->n == o->size) {
		size = o->size ? 2 * o->size : OPS_MIN;
		bigger = realloc(o->op, size * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		o->op = bigger;
		o->size = size;
	}
	o->op[o->n++] = *op;
	return 0;
}

/* Pointers to the routes of one key. */
struct group {
	const struct nlmsghdr **route;
	size_t n;
	size_t size;
};

static int group_push(struct group *g, const struct nlmsghdr *nlh)
{
	const struct nlmsghdr **bigger;
	size_t size;

	if (g->n == g->size) {
		size = g->size ? 2 * g->size : 8;
		/* NOLINTNEXTLINE(bugprone-sizeof-expression): of pointers */
		bigger = realloc(g->route, size * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		g->route = bigger;
		g->size = size;
	}
	g->route[g->n++] = nlh;
	return 0;
}

static bool group_has(const struct group *g, const struct nlmsghdr *nlh)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (rtmsg_equal(g->route[i], nlh))
			return true;
	return false;
}

/* --- the difference -------------------------------------------------- */

static int emit_op(struct copy *c, enum copy_phase phase,
		   const struct nlmsghdr *nlh, struct copy_op op)
{
	const char *at = (const char *)nlh;
	int code;

	/* An empty source has no data to count from. */
	if (c->source.len && at >= c->source.data &&
	    at < c->source.data + c->source.len) {
		op.at = (size_t)(at - c->source.data);
	} else {
		op.extra = true;
		op.at = c->extra.len;
		code = messages_push(&c->extra, nlh);
		if (code)
			return code;
	}
	return ops_push(&c->phase[phase], &op);
}

static int emit(struct copy *c, enum copy_phase phase,
		const struct nlmsghdr *nlh, int flags)
{
	struct copy_op op = { .type = RTM_NEWROUTE,
			      .flags = (uint16_t)flags };

	return emit_op(c, phase, nlh, op);
}

static int emit_delete(struct copy *c, enum copy_phase phase,
		       const struct nlmsghdr *nlh)
{
	struct copy_op op = { .type = RTM_DELROUTE, .flags = NLM_F_REQUEST };

	return emit_op(c, phase, nlh, op);
}

/* Routes of one key keep their order only within one phase. */
static enum copy_phase add_phase(const struct group *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (rtmsg_has_gateway(s->route[i]))
			return PHASE_GATEWAY;
	return PHASE_LINK;
}

static int plan_new(struct copy *c, const struct group *s)
{
	enum copy_phase phase = add_phase(s);
	int code = 0;
	size_t i;

	for (i = 0; !code && i < s->n; i++)
		code = emit(c, phase, s->route[i], i ? APPEND : ADD);
	return code;
}

static uint8_t free_protocol(const struct group *s, const struct group *d)
{
	uint8_t proto = PROTO_TEMPORARY;
	size_t i;

	for (i = 0; i < s->n + d->n; i++) {
		const struct nlmsghdr *nlh = i < s->n ? s->route[i] :
					     d->route[i - s->n];

		if (rtmsg_head(nlh)->rtm_protocol == proto) {
			proto--;
			i = (size_t)-1;
		}
	}
	return proto;
}

/* Which route of @d does the kernel replace by @nlh? IPv4: the first one. IPv6
 * (fib6_add_rt2node(), ip6_fib.c): the first one that is as fit for multipath
 * as @nlh is, else, for one that is fit, the first one. d->n: none, @nlh is
 * added.
 */
static size_t replaced(const struct nlmsghdr *nlh, const struct group *d)
{
	bool leg = rtmsg_is_leg(nlh);
	size_t i;

	if (rtmsg_head(nlh)->rtm_family == AF_INET)
		return 0;
	for (i = 0; i < d->n; i++)
		if (rtmsg_is_leg(d->route[i]) == leg)
			return i;
	return leg ? 0 : d->n;
}

/* The way that is always right: put the first wanted route, under a protocol
 * number that no other has, in the place of the first present one; then every
 * deletion finds exactly what it names; then the wanted ones. The prefix is
 * never without a route, and its first one goes where it will go in the end.
 */
static int plan_steps(struct copy *c, const struct group *s,
		      const struct group *d)
{
	struct copy_op head = { .type = RTM_NEWROUTE, .flags = REPLACE,
				.head = true };
	size_t at = c->extra.len, gone, i;
	int code;

	/* Not emit_op(): the message is to be a copy in any case. */
	code = messages_push(&c->extra, s->route[0]);
	if (code)
		return code;
	((struct rtmsg *)mnl_nlmsg_get_payload(messages_at(&c->extra, at)))
		->rtm_protocol = free_protocol(s, d);
	head.at = at;
	head.extra = true;
	code = ops_push(&c->phase[PHASE_STEPS], &head);
	gone = replaced(s->route[0], d);
	for (i = 0; !code && i < d->n; i++)
		if (i != gone)
			code = emit_delete(c, PHASE_STEPS, d->route[i]);
	for (i = 0; !code && i < s->n; i++)
		code = emit(c, PHASE_STEPS, s->route[i],
			    i ? APPEND : REPLACE);
	return code;
}

/* IPv4 keeps the routes of one prefix, tos and metric in order. The first one
 * counts, a replacement hits the first, new ones go to either end. How many of
 * @s can stay as they are (the first, replaced, included), so that the rest of
 * @s can be appended and the rest of @d deleted? 0: not possible.
 */
static size_t stay_v4(const struct group *s, const struct group *d,
		      bool replace)
{
	size_t i = replace, j, k;

	for (j = replace; j < d->n; j++) {
		if (i < s->n && rtmsg_equal(s->route[i], d->route[j])) {
			i++;
			continue;
		}
		/* This one goes: would its deletion find what stays? */
		for (k = 0; k < i; k++)
			if (rtmsg_mistakable(d->route[j], s->route[k]))
				return 0;
	}
	for (j = i; j < s->n; j++)
		if (group_has(d, s->route[j]))
			return 0;
	return i;
}

static int plan_v4(struct copy *c, const struct group *s,
		   const struct group *d)
{
	bool replace = !group_has(d, s->route[0]) &&
		       !group_has(s, d->route[0]);
	size_t stay = stay_v4(s, d, replace), i, j;
	enum copy_phase phase = add_phase(s);
	int code = 0;

	if (!stay)
		return plan_steps(c, s, d);
	if (replace)
		code = emit(c, phase, s->route[0], REPLACE);
	for (i = stay; !code && i < s->n; i++)
		code = emit(c, phase, s->route[i], APPEND);
	for (i = j = replace; !code && j < d->n; j++) {
		if (i < stay && rtmsg_equal(s->route[i], d->route[j]))
			i++;
		else
			code = emit_delete(c, PHASE_DELETE, d->route[j]);
	}
	return code;
}

/* Do two IPv6 routes perhaps have the same nexthop? Then the kernel refuses
 * the one while the other is there (rt6_duplicate_nexthop(), ip6_fib.c).
 */
static bool same_nexthop(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	const struct nlattr *oa = rtmsg_attr(a, RTA_OIF);
	const struct nlattr *ob = rtmsg_attr(b, RTA_OIF);

	if (rtmsg_is_leg(a) || rtmsg_is_leg(b))
		return false;
	return !oa || !ob || nl_u32(oa) == nl_u32(ob);
}

/* The one route of the group that IPv6 makes multipath; NULL: none. */
static const struct nlmsghdr *legs(const struct group *g)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (rtmsg_is_leg(g->route[i]))
			return g->route[i];
	return NULL;
}

/* Would deleting what only @d has, and adding what only @s has, go wrong? */
static bool entangled(const struct group *s, const struct group *d)
{
	size_t i, j;

	for (j = 0; j < d->n; j++) {
		const struct nlmsghdr *u = d->route[j];

		if (group_has(s, u) || (rtmsg_is_leg(u) && legs(s)))
			continue;
		for (i = 0; i < s->n; i++) {
			const struct nlmsghdr *k = s->route[i];

			if (rtmsg_mistakable(u, k) ||
			    (!group_has(d, k) && same_nexthop(k, u)))
				return true;
		}
	}
	return false;
}

/* Does replacing the multipath route @ld by @ls put new legs behind other
 * routes of @d? All that stand between two legs are left out of the kernel's
 * dumps (rt6_dump_route() goes on behind the last leg): nobody sees them then,
 * though they are in force and cannot be added again.
 */
static bool hides(const struct group *d, const struct nlmsghdr *ls,
		  const struct nlmsghdr *ld)
{
	return ls && ld && d->n > 1 && rtmsg_attr(ls, RTA_MULTIPATH) &&
	       !rtmsg_equal(ls, ld);
}

/* Was a route refused as being there, perhaps because an equal one is hidden,
 * see hides()? The kernel takes two routes for equal when their nexthops are,
 * so that the hidden one can have any type and protocol, and no deletion can
 * name it without the risk to hit a leg instead. Once in a copy we look behind
 * the legs; that takes one round, and to make them whole again another one.
 */
static bool conceals(const struct copy *c, const struct group *s,
		     const struct group *d)
{
	const struct nlmsghdr *ld = legs(d);

	return c->exists && legs(s) && ld && rtmsg_attr(ld, RTA_MULTIPATH) &&
	       (!c->revealed || c->revealed == c->count.rounds);
}

/* Let one leg serve the prefix until the next round, which will then see all
 * routes. Before that, all legs: were they refused at the end, as when an
 * interface is down, the others would be lost, so that the group is left as it
 * is.
 */
static int plan_reveal(struct copy *c, const struct group *s)
{
	struct copy_op one = { .type = RTM_NEWROUTE, .flags = REPLACE,
			       .extra = true }, all = one;
	struct nlmsghdr *nlh;
	int i, code = 0;

	c->revealed = c->count.rounds;
	all.at = c->extra.len;
	all.head = true;
	for (i = 0; !code && i < 2; i++) {
		one.at = c->extra.len;
		code = messages_push(&c->extra, legs(s));
	}
	if (code)
		return code;
	nlh = messages_at(&c->extra, one.at);
	rtmsg_keep_first_leg(nlh);
	c->extra.len = one.at + nlh->nlmsg_len;
	code = ops_push(&c->phase[PHASE_STEPS], &all);
	return code ? code : ops_push(&c->phase[PHASE_STEPS], &one);
}

/* IPv6: among the routes of one prefix and metric at most one is multipath, a
 * gateway route replaces that one (as a whole), and the others have no order.
 */
static int plan_v6(struct copy *c, const struct group *s,
		   const struct group *d)
{
	const struct nlmsghdr *ls = legs(s), *ld = legs(d);
	enum copy_phase phase = add_phase(s);
	int code = 0;
	size_t i;

	if (entangled(s, d) || hides(d, ls, ld))
		return plan_steps(c, s, d);
	/* First, or the others come to stand between its legs. */
	if (ls && ld && !rtmsg_equal(ls, ld))
		code = emit(c, phase, ls, REPLACE);
	for (i = 0; !code && i < s->n; i++) {
		if (group_has(d, s->route[i]) || (ld && s->route[i] == ls))
			continue;
		code = emit(c, phase, s->route[i], APPEND);
	}
	for (i = 0; !code && i < d->n; i++) {
		if (group_has(s, d->route[i]) || (ls && d->route[i] == ld))
			continue;
		code = emit_delete(c, PHASE_DELETE, d->route[i]);
	}
	return code;
}

static bool same_groups(const struct group *s, const struct group *d)
{
	bool ordered;
	size_t i;

	if (s->n != d->n)
		return false;
	ordered = s->n && rtmsg_head(s->route[0])->rtm_family == AF_INET;
	for (i = 0; i < s->n; i++)
		if (ordered ? !rtmsg_equal(s->route[i], d->route[i]) :
			      !group_has(s, d->route[i]) ||
			      !group_has(d, s->route[i]))
			return false;
	return true;
}

/* What turns @d, the target's routes of one key, into @s, the source's? */
static int plan_group(struct copy *c, const struct group *s,
		      const struct group *d)
{
	int code = 0;
	size_t i;

	if (same_groups(s, d))
		return 0;
	if (!d->n)
		return plan_new(c, s);
	if (!s->n) {
		for (i = 0; !code && i < d->n; i++)
			code = emit_delete(c, PHASE_DELETE, d->route[i]);
		return code;
	}
	if (s->n == 1 && d->n == 1 && !replaced(s->route[0], d))
		return emit(c, add_phase(s), s->route[0], REPLACE);
	if (conceals(c, s, d))
		return plan_reveal(c, s);
	if (c->exists)
		return plan_steps(c, s, d);
	return rtmsg_head(s->route[0])->rtm_family == AF_INET ?
	       plan_v4(c, s, d) : plan_v6(c, s, d);
}

/* The state of comparing the target, as it is read, with the source. */
struct merge {
	struct copy *c;
	size_t at;			/* in the source */
	struct rtmsg_key next;		/* the source's there */
	struct messages held;		/* the target's routes of one key */
	struct rtmsg_key key;		/* theirs */
	bool unsorted;
	struct group s, d;
	/* Legs joined to one route: two of the source, two of the target. */
	char joined[2][2][RTMSG_MAX] __attribute__((aligned(8)));
};

/* Several IPv6 gateway routes of one prefix and metric, as router
 * advertisements leave them, can only be copied as one multipath route.
 */
static int join_legs(struct group *g, char buf[2][RTMSG_MAX])
{
	const struct nlmsghdr *first = NULL;
	size_t i, n = 0, at = 0;
	unsigned int turn = 0;
	int code;

	for (i = 0; i < g->n; i++) {
		if (!rtmsg_is_leg(g->route[i])) {
			g->route[n++] = g->route[i];
			continue;
		}
		if (!first) {
			first = g->route[i];
			at = n++;
		} else {
			code = rtmsg_join(first, g->route[i], buf[turn],
					  RTMSG_MAX);
			if (code < 0)
				return code;
			first = (const void *)buf[turn];
			turn ^= 1;
		}
		g->route[at] = first;
	}
	g->n = n;
	return 0;
}

/* Go to @at in the source. */
static void source_at(struct merge *m, size_t at)
{
	const struct nlmsghdr *nlh = messages_at(&m->c->source, at);

	m->at = at;
	if (nlh)
		rtmsg_key(nlh, &m->next);
}

/* Take the next group of the source, if its key is @only (NULL: any). Returns
 * 1 when it did, 0, or a negative errno.
 */
static int take_source(struct merge *m, const struct rtmsg_key *only)
{
	struct nlmsghdr *nlh = messages_at(&m->c->source, m->at);
	struct rtmsg_key first = m->next;
	int code;

	m->s.n = 0;
	if (!nlh || (only && rtmsg_key_cmp(&first, only)))
		return 0;
	do {
		code = group_push(&m->s, nlh);
		if (code)
			return code;
		source_at(m, m->at + nlh->nlmsg_len);
		nlh = messages_at(&m->c->source, m->at);
	} while (nlh && !rtmsg_key_cmp(&first, &m->next));
	if (m->s.n > 1 && first.family == AF_INET6) {
		code = join_legs(&m->s, m->joined[0]);
		if (code)
			return code;
	}
	return 1;
}

/* Plan the groups of the source in front of @key (NULL: all that are left). */
static int plan_before(struct merge *m, const struct rtmsg_key *key)
{
	int code;

	m->d.n = 0;
	while (m->at < m->c->source.len &&
	       (!key || rtmsg_key_cmp(&m->next, key) < 0)) {
		code = take_source(m, NULL);
		if (code > 0)
			code = plan_group(m->c, &m->s, &m->d);
		if (code < 0)
			return code;
	}
	return 0;
}

/* The target's routes of one key are complete: plan what they need. */
static int plan_held(struct merge *m)
{
	struct nlmsghdr *nlh;
	size_t at;
	int code;

	if (!m->held.len)
		return 0;
	code = plan_before(m, &m->key);
	if (code)
		return code;
	code = take_source(m, &m->key);
	if (code < 0)
		return code;
	m->d.n = 0;
	for (at = 0; (nlh = messages_at(&m->held, at)); at += nlh->nlmsg_len) {
		code = group_push(&m->d, nlh);
		if (code)
			return code;
	}
	if (m->d.n > 1 && m->key.family == AF_INET6) {
		code = join_legs(&m->d, m->joined[1]);
		if (code)
			return code;
	}
	m->held.len = 0;
	return plan_group(m->c, &m->s, &m->d);
}

/* The next route of the target. */
static int feed(struct merge *m, const struct nlmsghdr *nlh,
		const struct rtmsg_key *key)
{
	int code, d = 0;

	if (m->held.len)
		d = rtmsg_key_cmp(key, &m->key);
	if (d < 0) {
		m->unsorted = true;
		return 0;
	}
	if (d > 0) {
		code = plan_held(m);
		if (code)
			return code;
	}
	m->key = *key;
	return messages_push(&m->held, nlh);
}

/* --- reading tables -------------------------------------------------- */

struct reading {
	uint8_t family;
	uint32_t table;
	uint32_t as;		/* the table that the routes are to name */
	uint32_t now;
	bool defaults;
	void (*begin)(void *data);
	int (*take)(const struct nlmsghdr *nlh, const struct rtmsg_key *key,
		    void *data);
	void *data;
	struct rtmsg_key key;
	char route[RTMSG_MAX] __attribute__((aligned(8)));
};

static int read_route(const struct nlmsghdr *nlh, void *data)
{
	struct reading *r = data;
	uint8_t family;
	int len;

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return 0;
	/* A kernel without the strict check sends every table, and one
	 * without IPv6 its IPv4 routes.
	 */
	if (rtmsg_table(nlh, &family) != r->table || family != r->family)
		return 0;
	if (!r->defaults && !rtmsg_head(nlh)->rtm_dst_len)
		return 0;
	len = rtmsg_normalise(nlh, r->as, r->now, r->route, &r->key);
	if (len <= 0)
		return len;
	return r->take((const void *)r->route, &r->key, r->data);
}

/* Read one family of a table. Returns 1 when there is no such table. */
static int read_family(struct reading *r, struct nl *nl, uint8_t family,
		       struct err *err)
{
	struct rtmsg head = { .rtm_family = family };
	struct nl_ask ask;
	int code;

	r->family = family;
	r->now = rtmsg_now();
	mnl_attr_put_u32(nl_ask(&ask, nl, RTM_GETROUTE, &head, sizeof(head)),
			 RTA_TABLE, r->table);
	code = nl_ask_dump(&ask, read_route, r, err);
	if (code == -ENOENT)
		return 1;
	if (family == AF_INET6 &&
	    (code == -EOPNOTSUPP || code == -EAFNOSUPPORT))
		return 1;
	return code;
}

/* Returns 1 when neither family has such a table. */
static int read_families(struct reading *r, struct nl *nl, struct err *err)
{
	int v4, v6;

	v4 = read_family(r, nl, AF_INET, err);
	if (v4 < 0)
		return v4;
	v6 = read_family(r, nl, AF_INET6, err);
	if (v6 < 0)
		return v6;
	return v4 && v6;
}

/* Read both families, from the beginning when a part of the dump was lost
 * (ENOBUFS, EAGAIN) or the kernel says that it has changed (EINTR). Returns 1
 * when there is no such table.
 */
static int read_table(struct reading *r, struct nl *nl, struct err *err)
{
	char what[48];
	int code, i;

	for (i = 0; i < READS; i++) {
		r->begin(r->data);
		code = read_families(r, nl, err);
		if (code >= 0)
			return code;
		if (code != -ENOBUFS && code != -EAGAIN && code != -EINTR)
			break;
	}
	if (code == -EINTR)
		return err_set(err, -EBUSY, "routing table %u changed each of "
			       "%d times that it was read: try again",
			       r->table, READS);
	snprintf(what, sizeof(what), "cannot read routing table %u", r->table);
	return err_prefix(err, code, what);
}

static int sort_cmp(const void *a, const void *b, void *data)
{
	const size_t *x = a, *y = b;
	struct rtmsg_key kx, ky;
	int d;

	rtmsg_key(messages_here(data, *x), &kx);
	rtmsg_key(messages_here(data, *y), &ky);
	d = rtmsg_key_cmp(&kx, &ky);
	/* Routes of one key stay in the order of the dump. */
	return d ? d : (*x > *y) - (*x < *y);
}

/* Source specific routes, and perhaps other kernels, are dumped in another
 * order than ours.
 */
static int sort(struct messages *m, size_t n)
{
	size_t *index = malloc(n * sizeof(*index)), at = 0, i;
	struct messages sorted = { 0 };
	int code = index ? 0 : -ENOMEM;

	for (i = 0; !code && i < n; i++) {
		index[i] = at;
		at += messages_here(m, at)->nlmsg_len;
	}
	if (!code)
		qsort_r(index, n, sizeof(*index), sort_cmp, m);
	for (i = 0; !code && i < n; i++)
		code = messages_push(&sorted, messages_here(m, index[i]));
	free(index);
	if (code) {
		messages_release(&sorted);
		return code;
	}
	messages_release(m);
	*m = sorted;
	return 0;
}

/* A table in memory. */
struct table {
	struct messages *m;
	size_t n;
	struct rtmsg_key last;
	bool unsorted;
};

static void begin_store(void *data)
{
	struct table *t = data;

	t->m->len = 0;
	t->n = 0;
	t->unsorted = false;
}

static int store(const struct nlmsghdr *nlh, const struct rtmsg_key *key,
		 void *data)
{
	struct table *t = data;

	if (t->n && rtmsg_key_cmp(key, &t->last) < 0)
		t->unsorted = true;
	t->last = *key;
	t->n++;
	return messages_push(t->m, nlh);
}

/* Read a table into memory and sort it. Returns 1 when there is none. */
static int load(struct reading *r, struct nl *nl, struct messages *m,
		size_t *n, struct err *err)
{
	struct table t = { .m = m };
	int code;

	r->begin = begin_store;
	r->take = store;
	/* Only until read_table() returns. */
	/* cppcheck-suppress autoVariables */
	r->data = &t;
	code = read_table(r, nl, err);
	*n = t.n;
	if (code >= 0 && t.unsorted && sort(m, t.n))
		return -ENOMEM;
	return code;
}

static void forget_plan(struct copy *c)
{
	int phase;

	for (phase = 0; phase < PHASES; phase++)
		c->phase[phase].n = 0;
	c->extra.len = 0;
}

static void begin_target(void *data)
{
	struct merge *m = data;

	forget_plan(m->c);
	source_at(m, 0);
	m->held.len = 0;
	m->unsorted = false;
}

static int take_target(const struct nlmsghdr *nlh,
		       const struct rtmsg_key *key, void *data)
{
	struct merge *m = data;

	return m->unsorted ? 0 : feed(m, nlh, key);
}

/* The same from memory, for a target that is not dumped in our order. */
static int plan_sorted(struct merge *m, struct reading *r, struct nl *nl,
		       struct err *err)
{
	struct messages target = { 0 };
	struct rtmsg_key key;
	struct nlmsghdr *nlh;
	size_t at, n;
	int code;

	begin_target(m);
	code = load(r, nl, &target, &n, err);
	for (at = 0; code >= 0 && (nlh = messages_at(&target, at));
	     at += nlh->nlmsg_len) {
		rtmsg_key(nlh, &key);
		code = feed(m, nlh, &key);
	}
	messages_release(&target);
	return code < 0 ? code : 0;
}

/* Read the target and find what makes it equal to the source in memory. */
static int plan_target(struct copy *c, struct nl *nl, struct err *err)
{
	static struct merge m;
	struct reading r = { .table = c->dst, .as = c->dst,
			     .defaults = c->flush, .begin = begin_target,
			     .take = take_target, .data = &m };
	int code;

	m.c = c;
	code = read_table(&r, nl, err);
	if (code >= 0 && m.unsorted)
		code = plan_sorted(&m, &r, nl, err);
	if (code >= 0)
		code = plan_held(&m);
	if (code >= 0)
		code = plan_before(&m, NULL);
	messages_release(&m.held);
	free(m.s.route);
	free(m.d.route);
	m.s = m.d = (struct group){ 0 };
	if (code == -EMSGSIZE)
		err_set(err, code, "table %u or %u has more IPv6 routes of one "
			"prefix and metric than fit one message: give some of "
			"them another metric", c->src, c->dst);
	return code < 0 ? code : 0;
}

static int load_source(struct copy *c, struct nl *nl, struct err *err)
{
	struct reading r = { .table = c->src, .as = c->dst };
	int code;

	code = load(&r, nl, &c->source, &c->count.routes, err);
	/* local, main and default always exist, even before the kernel
	 * creates them with their first route.
	 */
	if (code > 0 && (c->src < RT_TABLE_DEFAULT || c->src > RT_TABLE_LOCAL))
		return err_set(err, -ENOENT, "there is no routing table %u "
			       "to copy from until its first route is added: "
			       "nothing is changed", c->src);
	return code < 0 ? code : 0;
}

/* Complete the sentence of a failure. Gives @code back. */
static int no_memory(const struct copy *c, int code, struct err *err)
{
	if (code != -ENOMEM)
		return code;
	return err_set(err, code, "out of memory for the routes of tables %u "
		       "and %u: free some memory, and try again", c->src,
		       c->dst);
}

int copy_plan(struct copy *c, struct nl *nl, struct err *err)
{
	int code = load_source(c, nl, err);

	return no_memory(c, code ? code : plan_target(c, nl, err), err);
}

/* Compare the source, as it is read again, with the one in memory. */
struct again {
	const struct messages *m;
	size_t at;
	bool differs;
};

static void begin_compare(void *data)
{
	struct again *a = data;

	a->at = 0;
	a->differs = false;
}

static int compare(const struct nlmsghdr *nlh, const struct rtmsg_key *key,
		   void *data)
{
	struct again *a = data;
	const struct nlmsghdr *was = messages_at(a->m, a->at);

	(void)key;
	if (a->differs)
		return 0;
	if (!was || !rtmsg_equal(was, nlh))
		a->differs = true;
	else
		a->at += was->nlmsg_len;
	return 0;
}

static bool same_messages(const struct messages *a, const struct messages *b)
{
	const struct nlmsghdr *x, *y;
	size_t at = 0;

	if (a->len != b->len)
		return false;
	while ((x = messages_at(a, at))) {
		y = messages_at(b, at);
		if (!rtmsg_equal(x, y))
			return false;
		at += x->nlmsg_len;
	}
	return true;
}

/* Has the source changed since it was loaded? If so, it is loaded again.
 * Returns 1 or 0, or a negative errno.
 */
static int source_changed(struct copy *c, struct nl *nl, struct err *err)
{
	struct again a = { .m = &c->source };
	struct reading r = { .table = c->src, .as = c->dst,
			     .begin = begin_compare, .take = compare,
			     .data = &a };
	struct messages was;
	int code;

	code = read_table(&r, nl, err);
	if (code < 0)
		return code;
	if (!a.differs && a.at == c->source.len)
		return 0;
	/* Or it is dumped in another order than ours. */
	was = c->source;
	c->source = (struct messages){ 0 };
	code = load_source(c, nl, err);
	if (!code)
		code = !same_messages(&was, &c->source);
	messages_release(&was);
	return code;
}

/* --- applying -------------------------------------------------------- */

/* Write the change @op as a message to @to (aligned to 8). */
static struct nlmsghdr *op_message(const struct copy *c,
				   const struct copy_op *op, uint32_t now,
				   void *to)
{
	const struct nlmsghdr *from =
		messages_at(op->extra ? &c->extra : &c->source, op->at);
	struct nlmsghdr *nlh = to;
	struct rtmsg *r;
	uint32_t expires = from->nlmsg_pid;

	memcpy(nlh, from, from->nlmsg_len);
	nlh->nlmsg_type = op->type;
	nlh->nlmsg_flags = op->flags;
	nlh->nlmsg_pid = 0;
	r = mnl_nlmsg_get_payload(nlh);
	/* The kernel shows a nexthop object's type, not the route's, so that
	 * it would not find the route by it.
	 */
	if (op->type == RTM_DELROUTE && rtmsg_attr(nlh, RTA_NH_ID))
		r->rtm_type = RTN_UNSPEC;
	if (expires) {
		expires = expires > now ? expires - now : 1;
		memcpy((char *)nlh + nlh->nlmsg_len - sizeof(expires),
		       &expires, sizeof(expires));
	}
	return nlh;
}

int copy_each(const struct copy *c, copy_op_cb cb, void *data)
{
	static char buf[RTMSG_MAX] __attribute__((aligned(8)));
	uint32_t now = rtmsg_now();
	int phase, code;
	size_t i;

	for (phase = 0; phase < PHASES; phase++) {
		for (i = 0; i < c->phase[phase].n; i++) {
			code = cb(op_message(c, &c->phase[phase].op[i], now,
					     buf), data);
			if (code)
				return code;
		}
	}
	return 0;
}

/* Remember a reason; the last one stands for all that do not fit. */
static uint8_t reason(struct copy *c, int code, const char *why)
{
	unsigned int i;

	for (i = 0; i < c->n_reasons; i++)
		if (c->code[i] == code && !strncmp(c->reason[i], why,
						   COPY_REASON_LEN - 1))
			return (uint8_t)i;
	if (i == COPY_REASONS)
		return COPY_REASONS - 1;
	c->code[i] = code;
	strncpy(c->reason[i], why, COPY_REASON_LEN - 1);
	c->n_reasons++;
	return (uint8_t)i;
}

/* What is on its way to the kernel. */
struct sending {
	struct copy *c;
	struct copy_op *op[NL_BATCH_MAX];
};

static int refused(const struct nl_refusal *no, void *data)
{
	struct sending *s = data;
	struct copy_op *op = s->op[no->index];

	if (no->code == -EPERM || no->code == -EACCES)
		return -EPERM;
	/* Somebody, or the kernel with an interface, was faster. */
	if (op->type == RTM_DELROUTE && no->code == -ESRCH)
		return 0;
	if (no->code == -EEXIST)
		s->c->exists = true;
	op->state = COPY_REFUSED;
	op->reason = reason(s->c, no->code, no->why);
	return 0;
}

/* Where sending has got to: the next is op[at], at every @step-th up to @end,
 * then the same with half the step, down to 1.
 */
struct cursor {
	size_t at, step, end;
};

/* The kernel's IPv4 table (fib_trie.c) grows by copying nodes. Routes that come
 * in the order of their addresses make it copy the same ones again and again;
 * when those in the middle come first, most copies fall away: 100,000 routes
 * are added in 70 % of the time, a table like the Internet's in 60 %.
 */
static struct cursor from_the_middle(size_t n)
{
	struct cursor at = { .step = 1, .end = n };

	while (at.step <= n / 2)
		at.step *= 2;
	return at;
}

/* The next change that is in @state. Routes of one key keep their order: all
 * but the first of them wait for the last pass.
 */
static struct copy_op *next_op(const struct copy_ops *o, struct cursor *at,
			       uint8_t state)
{
	struct copy_op *op;

	for (; at->step; at->step /= 2, at->at = 0) {
		while (at->at < at->end) {
			op = &o->op[at->at];
			at->at += at->step;
			if (op->state == state &&
			    (at->step == 1 || (op->flags & NLM_F_EXCL)))
				return op;
		}
	}
	return NULL;
}

/* Send the changes of @o that are in @state, as many as fit in one batch.
 * Returns how many there were, or a negative errno.
 */
static int send_some(struct copy *c, struct nl *nl, const struct copy_ops *o,
		     struct cursor *at, uint8_t state, struct err *err)
{
	static char tx[TX_SIZE] __attribute__((aligned(8)));
	struct sending s = { .c = c };
	struct nl_batch b;
	struct copy_op *op;
	struct nlmsghdr *nlh;
	uint32_t now = rtmsg_now();
	int code;

	nl_batch_init(&b, nl, tx, sizeof(tx));
	while (b.count < NL_BATCH_MAX && b.len < TX_FULL &&
	       (op = next_op(o, at, state))) {
		op->state = COPY_DONE;
		s.op[b.count++] = op;
		nlh = op_message(c, op, now, tx + b.len);
		nlh->nlmsg_seq = ++nl->seq;
		b.last = nlh;
		b.len += nlh->nlmsg_len;
	}
	code = nl_send(nl, &b, NULL, refused, NULL, &s, err);
	/* Answers were lost: reading the tables again will tell. */
	if (code == -ENOBUFS || code == -EAGAIN)
		code = 0;
	if (code == -EPERM)
		err_set(err, code, "the kernel does not let us change routing "
			"tables: this needs root or CAP_NET_ADMIN");
	return code ? code : (int)b.count;
}

static int send_all(struct copy *c, struct nl *nl, const struct copy_ops *o,
		    uint8_t state, struct err *err)
{
	struct cursor at = { .step = 1, .end = o->n };
	int code;

	if (state == COPY_TODO)
		at = from_the_middle(o->n);
	do {
		code = send_some(c, nl, o, &at, state, err);
	} while (code > 0);
	return code;
}

/* Send groups of steps one message at a time: the first one keeps the prefix
 * served, and when it is refused the group stays as it is.
 */
static int send_steps(struct copy *c, struct nl *nl, struct err *err)
{
	struct copy_ops *o = &c->phase[PHASE_STEPS];
	bool leave = false;
	size_t i;
	int code;

	for (i = 0; i < o->n; i++) {
		struct cursor one = { .at = i, .step = 1, .end = i + 1 };

		if (o->op[i].head)
			leave = false;
		if (leave)
			continue;
		code = send_some(c, nl, o, &one, COPY_TODO, err);
		if (code < 0)
			return code;
		leave = o->op[i].head && o->op[i].state == COPY_REFUSED;
	}
	return 0;
}

static size_t count_state(const struct copy *c, uint8_t state)
{
	size_t n = 0, i;
	int phase;

	for (phase = 0; phase < PHASES; phase++)
		for (i = 0; i < c->phase[phase].n; i++)
			n += c->phase[phase].op[i].state == state;
	return n;
}

/* Routes whose gateway could not be reached can be taken once others are
 * there, or gone.
 */
static int retry(struct copy *c, struct nl *nl, struct err *err)
{
	size_t n = count_state(c, COPY_REFUSED), before;
	int i, code;

	for (i = 0; n && i < RETRIES; i++) {
		before = n;
		code = send_all(c, nl, &c->phase[PHASE_LINK], COPY_REFUSED,
				err);
		if (!code)
			code = send_all(c, nl, &c->phase[PHASE_GATEWAY],
					COPY_REFUSED, err);
		if (code)
			return code;
		n = count_state(c, COPY_REFUSED);
		if (n >= before)
			break;
	}
	return 0;
}

/* Apply the plan: additions first, deletions last. */
static int apply(struct copy *c, struct nl *nl, struct err *err)
{
	int code;

	c->exists = false;
	code = send_all(c, nl, &c->phase[PHASE_LINK], COPY_TODO, err);
	if (!code)
		code = send_all(c, nl, &c->phase[PHASE_GATEWAY], COPY_TODO,
				err);
	if (!code)
		code = retry(c, nl, err);
	if (!code)
		code = send_steps(c, nl, err);
	if (!code)
		code = send_all(c, nl, &c->phase[PHASE_DELETE], COPY_TODO,
				err);
	return code ? code : retry(c, nl, err);
}

/* Count the changes, and remember the refused ones over the next plan. */
static int settle(struct copy *c)
{
	static char buf[RTMSG_MAX] __attribute__((aligned(8)));
	const struct nlmsghdr *from;
	struct nlmsghdr *nlh = (void *)buf;
	int phase, code;
	size_t i;

	c->refused.len = 0;
	c->count.refused = 0;
	for (phase = 0; phase < PHASES; phase++) {
		for (i = 0; i < c->phase[phase].n; i++) {
			const struct copy_op *op = &c->phase[phase].op[i];

			if (op->state == COPY_DONE && !op->head) {
				if (op->type == RTM_DELROUTE)
					c->count.deleted++;
				else if (op->flags & NLM_F_REPLACE)
					c->count.replaced++;
				else
					c->count.added++;
			}
			if (op->state != COPY_REFUSED)
				continue;
			from = messages_at(op->extra ? &c->extra : &c->source,
					   op->at);
			memcpy(nlh, from, from->nlmsg_len);
			nlh->nlmsg_type = op->type;
			nlh->nlmsg_flags = op->flags;
			nlh->nlmsg_seq = op->reason;
			code = messages_push(&c->refused, nlh);
			if (code)
				return code;
			c->count.refused++;
		}
	}
	return 0;
}

/* Is what is left to do exactly what the kernel has just refused? */
static bool only_refused(const struct copy *c)
{
	const struct nlmsghdr *no, *op;
	size_t at = 0, i;
	int phase;

	for (phase = 0; phase < PHASES; phase++) {
		const struct copy_ops *o = &c->phase[phase];

		for (i = 0; i < o->n; i++) {
			if (phase == PHASE_STEPS && !o->op[i].head)
				continue;
			no = messages_at(&c->refused, at);
			op = messages_at(o->op[i].extra ? &c->extra :
					 &c->source, o->op[i].at);
			if (!no || no->nlmsg_type != o->op[i].type ||
			    no->nlmsg_flags != o->op[i].flags ||
			    !rtmsg_equal(no, op))
				return false;
			at += no->nlmsg_len;
		}
	}
	return at == c->refused.len;
}

static bool nothing_to_do(const struct copy *c)
{
	int phase;

	for (phase = 0; phase < PHASES; phase++)
		if (c->phase[phase].n)
			return false;
	return true;
}

/* Plan and apply once. Returns 1 when the copy is complete but for what the
 * kernel refuses, 0 when another round is needed, or a negative errno.
 */
static int round_again(struct copy *c, struct nl *nl, bool *changed,
		       struct err *err)
{
	int code;

	c->count.rounds++;
	code = apply(c, nl, err);
	if (code)
		return code;
	if (settle(c))
		return -ENOMEM;
	code = source_changed(c, nl, err);
	*changed = code > 0;
	if (code >= 0)
		code = plan_target(c, nl, err);
	if (code)
		return code;
	if (nothing_to_do(c)) {
		c->refused.len = 0;
		c->count.refused = 0;
		return 1;
	}
	return !*changed && only_refused(c);
}

static unsigned int rounds_allowed(const struct copy *c)
{
	return c->revealed && c->revealed + 2 > COPY_ROUNDS ?
	       c->revealed + 2 : COPY_ROUNDS;
}

/* A signal may leave the copy incomplete, but never a prefix with a temporary
 * protocol number or without some of its legs.
 */
static void hold_signals(const struct copy *c)
{
	sigset_t set;

	if (!c->phase[PHASE_STEPS].n)
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int run_rounds(struct copy *c, struct nl *nl, struct err *err)
{
	bool changed = false;
	int code;

	while (c->count.rounds < rounds_allowed(c)) {
		hold_signals(c);
		code = round_again(c, nl, &changed, err);
		if (code)
			return code < 0 ? no_memory(c, code, err) : 0;
	}
	/* The other way to the same end was refused, too. */
	if (!changed && c->count.refused)
		return 0;
	return err_set(err, -EBUSY, "routing table %u changed while it was "
		       "copied to %u, %d times in a row: try again",
		       changed ? c->src : c->dst, changed ? c->dst : c->src,
		       COPY_ROUNDS);
}

int copy_run(struct copy *c, struct nl *nl, struct err *err)
{
	sigset_t was;
	int code;

	code = copy_plan(c, nl, err);
	if (code || nothing_to_do(c))
		return code;
	sigprocmask(SIG_SETMASK, NULL, &was);
	code = run_rounds(c, nl, err);
	sigprocmask(SIG_SETMASK, &was, NULL);
	return code;
}

const struct nlmsghdr *copy_refused(const struct copy *c,
				    const struct nlmsghdr *after,
				    const char **why)
{
	size_t at = after ? (size_t)((const char *)after - c->refused.data) +
			    after->nlmsg_len : 0;
	const struct nlmsghdr *nlh = messages_at(&c->refused, at);

	if (nlh)
		*why = c->reason[nlh->nlmsg_seq];
	return nlh;
}

void copy_init(struct copy *c, uint32_t src, uint32_t dst, bool flush)
{
	memset(c, 0, sizeof(*c));
	c->src = src;
	c->dst = dst;
	c->flush = flush;
}

void copy_release(struct copy *c)
{
	int phase;

	messages_release(&c->source);
	messages_release(&c->extra);
	messages_release(&c->refused);
	for (phase = 0; phase < PHASES; phase++)
		free(c->phase[phase].op);
	memset(c, 0, sizeof(*c));
}
