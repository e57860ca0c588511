// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "nft/sets.h"

/* The links that share the new connections. */
struct share {
	uint16_t first, count;	/* elements */
	uint32_t sum;		/* of their weights */
};

/* A policy's conditions: elements of the pool, none: no condition. */
struct match {
	uint16_t source[FAMILIES], destination[FAMILIES];
	uint16_t source_port, destination_port;
	uint16_t protocol, interface;
	uint8_t n_source[FAMILIES], n_destination[FAMILIES];
	uint8_t n_source_port, n_destination_port;
	uint8_t n_protocol, n_interface;
	uint16_t set[FAMILIES];		/* of destinations */
};

/* The pieces of the pool that several statements share. */
struct build {
	struct ruleset *rs;
	const struct conf *conf;
	uint16_t chain;			/* rules are added to this one */
	uint16_t from_link, balance, stuck;
	uint16_t to[LINKS_MAX], is[LINKS_MAX];
	uint16_t deal[LINKS_MAX], keep[LINKS_MAX];
	/* Named sets, by their numbers. */
	uint16_t mss, mss6, sticky, sticky6, native, known, moved, moved6;
	uint16_t own[LINKS_MAX];
	uint16_t astray, onlink6, guard_new;
	uint16_t by_name, to_by_mark, is_by_mark, keep_by_name, lan, lo;
	uint16_t to_by_old, n_old, n_lan;
	const bool *drained;		/* of each link */
	const bool *other;		/* of each link */
	const struct ct_marks *was;	/* NULL: none */
	bool twins;			/* two have one address */
	bool aside[LINKS_MAX];		/* drained, and another link is not */
	uint8_t tier;			/* the one that is dealt to */
	bool parity;
	struct share slots;		/* with gaps where a link is aside */
	struct share last;		/* without */
	struct share stuck_links;
	struct match match[POLICIES_MAX];
};

/* nft quotes a name, but inside the quotes it knows no escape for '"', and
 * a '*' at the end stands for any name that begins so.
 */
static bool quotable(const char *name)
{
	for (; *name; name++)
		if (*name == '"' || *name == '*' || *name == '\\' ||
		    *name <= ' ' || *name > '~')
			return false;
	return true;
}

/* nft's identifiers: letters, digits, and these; ours begin with "to_". */
static bool identifier(const char *name)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return strspn(name, legal) == strlen(name);
}

/* The arrays hold what LINKS_MAX and LAN_MAX allow, by their sizes. */
static uint16_t add_chain(struct build *b, const char *name, uint8_t type,
			  uint8_t hook, int16_t priority)
{
	struct ruleset_chain *c = &b->rs->chain[b->rs->n_chains];

	snprintf(c->name, sizeof(c->name), "%s", name);
	c->type = type;
	c->hook = hook;
	c->priority = priority;
	b->chain = (uint16_t)b->rs->n_chains;
	return (uint16_t)b->rs->n_chains++;
}

static uint16_t add_regular(struct build *b, const char *name)
{
	return add_chain(b, name, TYPE_FILTER, HOOK_NONE, 0);
}

/* Named after the link, where nft can read that; to1, to2, … where not:
 * without the underscore no interface's name can be mistaken for it.
 */
static void link_name(const struct build *b, const char *what, unsigned int i,
		      char name[RULESET_NAME])
{
	const char *link = b->conf->link[i].name;

	if (identifier(link))
		snprintf(name, RULESET_NAME, "%s_%s", what, link);
	else
		snprintf(name, RULESET_NAME, "%s%u", what, i + 1);
}

static uint16_t add_link_chain(struct build *b, const char *verb,
			       unsigned int i)
{
	char name[RULESET_NAME];

	link_name(b, verb, i, name);
	return add_regular(b, name);
}

static uint16_t add_range(struct build *b, struct wide key, struct wide last)
{
	struct ruleset_element *e = &b->rs->element[b->rs->n_elements];

	memset(e, 0, sizeof(*e));
	e->key = key;
	e->last = last;
	e->chain = RULESET_NONE;
	return (uint16_t)b->rs->n_elements++;
}

static uint16_t add_element(struct build *b, const char *name, uint32_t key,
			    uint32_t last, uint16_t chain)
{
	uint16_t n = add_range(b, wide(key), wide(last));
	struct ruleset_element *e = &b->rs->element[n];

	if (name)
		snprintf(e->name, sizeof(e->name), "%s", name);
	e->chain = chain;
	return n;
}

static uint16_t add_set(struct build *b, unsigned int kind, uint32_t timeout)
{
	struct ruleset_set *set = &b->rs->set[b->rs->n_sets];

	*set = (struct ruleset_set){ .kind = (uint8_t)kind,
				     .timeout = timeout };
	snprintf(set->name, sizeof(set->name), "%s", set_shape(kind)->name);
	return (uint16_t)++b->rs->n_sets;
}

/* A rule for link @i alone. */
static uint16_t add_link_set(struct build *b, unsigned int kind,
			     unsigned int i)
{
	uint16_t number = add_set(b, kind, 0);
	struct ruleset_set *set = &b->rs->set[number - 1];

	set->link = (uint16_t)i;
	link_name(b, set_shape(kind)->name, i, set->name);
	return number;
}

/* A rule is opened, its statements follow. */
static void open_rule(struct build *b)
{
	struct ruleset *rs = b->rs;
	unsigned int n = rs->n_rules;
	struct ruleset_rule *r = &rs->rule[n];

	*r = (struct ruleset_rule){ .chain = b->chain, .number = 1,
				    .first = (uint16_t)rs->n_statements };
	if (n && r[-1].chain == b->chain)
		r->number = (uint16_t)(r[-1].number + 1);
	rs->n_rules++;
}

static void add(struct build *b, struct ruleset_statement s)
{
	struct ruleset *rs = b->rs;

	rs->statement[rs->n_statements++] = s;
	rs->rule[rs->n_rules - 1].count++;
}

static void add_rule(struct build *b, struct ruleset_statement s1,
		     struct ruleset_statement s2, struct ruleset_statement s3)
{
	open_rule(b);
	add(b, s1);
	if (s2.kind != DO_END)
		add(b, s2);
	if (s3.kind != DO_END)
		add(b, s3);
}

static struct ruleset_statement plain(uint16_t kind)
{
	return (struct ruleset_statement){ .kind = kind,
					   .chain = RULESET_NONE };
}

static struct ruleset_statement end(void)
{
	return plain(DO_END);
}

static struct ruleset_statement go(uint16_t chain)
{
	return (struct ruleset_statement){ .kind = DO_GOTO, .chain = chain };
}

static struct ruleset_statement jump(uint16_t chain)
{
	return (struct ruleset_statement){ .kind = DO_JUMP, .chain = chain };
}

static struct ruleset_statement among(uint16_t kind, uint16_t first,
				      unsigned int count)
{
	return (struct ruleset_statement){ .kind = kind, .first = first,
					   .count = (uint16_t)count,
					   .chain = RULESET_NONE };
}

static struct ruleset_statement links(const struct build *b, uint16_t kind)
{
	return among(kind, b->by_name, b->conf->n_links);
}

static struct ruleset_statement mark(const struct build *b, uint16_t kind,
				     uint32_t value)
{
	return (struct ruleset_statement){ .kind = kind,
					   .mask = b->conf->mark_mask,
					   .value = value,
					   .chain = RULESET_NONE };
}

/* A statement about a named set, with @value as the data of an element. */
static struct ruleset_statement of_set(uint16_t kind, uint16_t set,
				       uint32_t value)
{
	return (struct ruleset_statement){ .kind = kind, .set = set,
					   .value = value,
					   .chain = RULESET_NONE };
}

static struct ruleset_statement by_mark(const struct build *b, uint16_t kind,
					uint16_t elements)
{
	struct ruleset_statement s = among(kind, elements, b->conf->n_links);

	s.mask = b->conf->mark_mask;
	return s;
}

/* A mark of ours: not zero under the mask. */
static struct ruleset_statement marked(const struct build *b)
{
	return mark(b, IF_NOT_META_MARK, 0);
}

/* A chain that is about IPv4 alone. */
static void only_ipv4(struct build *b)
{
	add_rule(b, plain(IF_NOT_IPV4), plain(DO_RETURN), end());
}

static void only_ipv6(struct build *b)
{
	add_rule(b, plain(IF_NOT_IPV6), plain(DO_RETURN), end());
}

/* Packets that must not be forwarded beyond their link are not our business:
 * neighbours, routers' advertisements, DHCPv6, multicast.
 */
static void not_onlink6(struct build *b)
{
	add_rule(b, among(IF_DADDR6, b->onlink6, 2), plain(DO_RETURN), end());
}

/* The same of what comes from such an address. */
static void not_from_onlink6(struct build *b)
{
	add_rule(b, among(IF_SADDR6, b->onlink6, 1), plain(DO_RETURN), end());
}

/* The beginning of a chain that is about what is routed. */
static void only_routed(struct build *b)
{
	if (b->conf->ipv6)
		not_onlink6(b);
	else
		only_ipv4(b);
}

/* A global address that is no link's, as far as is known: whose it is, and which
 * way it takes, is for others to say. It goes where it would go without us.
 */
static void only_known6(struct build *b)
{
	if (b->conf->ipv6)
		add_rule(b, of_set(IF_NOT_SADDR6, b->known, 0),
			 plain(DO_RETURN), end());
}

/* The links' marks, each with a chain of its link. */
static uint16_t add_marks(struct build *b, const uint16_t *chain)
{
	uint16_t first = (uint16_t)b->rs->n_elements;
	unsigned int i;

	for (i = 0; i < b->conf->n_links; i++)
		add_element(b, NULL, b->conf->link[i].mark,
			    b->conf->link[i].mark, chain[i]);
	return first;
}

/* The marks of before. */
static void add_old_marks(struct build *b)
{
	unsigned int i;

	b->to_by_old = (uint16_t)b->rs->n_elements;
	for (i = 0; b->was && i < b->conf->n_links; i++) {
		if (!b->was->mark[i])
			continue;
		add_element(b, NULL, b->was->mark[i], b->was->mark[i],
			    b->to[i]);
		b->n_old++;
	}
}

/* A connection that has one gets its link's with its next packet: to_X gives
 * that to the packet, is_X to the connection.
 */
static void renumber(struct build *b)
{
	struct ruleset_statement s = among(TO_CT_MARK, b->to_by_old, b->n_old);

	if (!b->was || !b->n_old)
		return;
	s.mask = b->was->mask;
	add_rule(b, s, end(), end());
}

/* The interface of another session is none of ours, though it has the name: in
 * its place is a name that the kernel gives to no interface
 * (net/core/dev.c, dev_valid_name()), so that all lists keep their lengths.
 */
static uint16_t add_names(struct build *b, const uint16_t *chain)
{
	uint16_t first = (uint16_t)b->rs->n_elements;
	char nobody[IFNAMSIZ];
	unsigned int i;

	for (i = 0; i < b->conf->n_links; i++) {
		snprintf(nobody, sizeof(nobody), ":%u", i + 1);
		add_element(b, b->other[i] ? nobody : b->conf->link[i].name, 0,
			    0, chain[i]);
	}
	return first;
}

/* to_X gives a packet the mark of the link, is_X the connection. The kernel
 * itself compares before it writes a connection's mark and tells listeners.
 */
static void link_chains(struct build *b)
{
	const struct conf *conf = b->conf;
	unsigned int i;

	for (i = 0; i < conf->n_links; i++) {
		b->to[i] = add_link_chain(b, "to", i);
		b->rs->link[i].to = b->to[i];
		add_rule(b, mark(b, SET_META_MARK, conf->link[i].mark), end(),
			 end());
	}
	for (i = 0; i < conf->n_links; i++) {
		b->is[i] = add_link_chain(b, "is", i);
		add_rule(b, mark(b, SET_CT_MARK, conf->link[i].mark), end(),
			 end());
	}
	b->by_name = add_names(b, b->is);
	b->to_by_mark = add_marks(b, b->to);
	add_old_marks(b);
}

/* A drained link gets nothing new as long as there is another. The tier that
 * is dealt to is the best that has such a link.
 */
static void find_tier(struct build *b)
{
	const struct conf *conf = b->conf;
	bool any = false;
	unsigned int i;

	for (i = 0; i < conf->n_links; i++)
		any = any || !b->drained[i];
	b->tier = TIER_MAX;
	for (i = 0; i < conf->n_links; i++) {
		b->aside[i] = any && b->drained[i];
		if (!b->aside[i] && conf->link[i].tier < b->tier)
			b->tier = conf->link[i].tier;
	}
}

static uint32_t weight_of(const struct build *b, unsigned int i)
{
	if (b->conf->link[i].tier != b->tier)
		return 0;
	return b->parity ? 1 : b->conf->link[i].weight;
}

/* Parity needs 2^n links of weight 1. The configuration is refused when its
 * best tier is not so; when that is drained the next one may be anything.
 */
static void find_parity(struct build *b)
{
	unsigned int i, n = 0;
	bool even = true;

	for (i = 0; i < b->conf->n_links; i++) {
		n += weight_of(b, i) != 0;
		even = even && weight_of(b, i) <= 1;
	}
	b->parity = b->conf->balance == BALANCE_SOURCE_PARITY &&
		    ((even && !(n & (n - 1))) ||
		     b->tier == conf_best_tier(b->conf));
}

static uint32_t common_divisor(const struct build *b)
{
	uint32_t all = 0, one, rest;
	unsigned int i;

	for (i = 0; i < b->conf->n_links; i++) {
		one = b->aside[i] ? 0 : weight_of(b, i);
		while (one) {
			rest = all % one;
			all = one;
			one = rest;
		}
	}
	return all ? all : 1;
}

static uint16_t target(const struct build *b, unsigned int i)
{
	return b->conf->sticky ? b->deal[i] : b->to[i];
}

/* A link that gets the slots from @key on: it has them next to what it has. */
static void add_slots(struct build *b, struct share *s, unsigned int link,
		      uint32_t key, uint32_t weight)
{
	struct ruleset_element *e = &b->rs->element[b->rs->n_elements - 1];

	if (s->count && !b->parity && e->chain == target(b, link) &&
	    e->last.lo + 1 == key) {
		e->last.lo += weight;
		return;
	}
	add_element(b, NULL, key, key + weight - 1, target(b, link));
	s->count++;
}

/* The links of the tier, each with as many slots in a row as its weight says
 * (a hash has no order that would ask to interleave them), with the parity one
 * residue each. @gaps: the slots of a link aside are nobody's, so that no
 * other link's slots move.
 */
static struct share deal_out(struct build *b, bool gaps, uint32_t divisor)
{
	struct share s = { .first = (uint16_t)b->rs->n_elements };
	uint32_t weight;
	unsigned int i;

	for (i = 0; i < b->conf->n_links; i++) {
		weight = weight_of(b, i) / divisor;
		if (!weight || (b->aside[i] && !gaps))
			continue;
		if (!b->aside[i])
			add_slots(b, &s, i, s.sum, weight);
		s.sum += weight;
	}
	return s;
}

/* The same without gaps: the next link that is not aside has the slots of one
 * that is. Whichever links are put aside, and in whatever order: a host moves
 * only when its own link is.
 */
static struct share deal_all(struct build *b)
{
	struct share s = { .first = (uint16_t)b->rs->n_elements };
	unsigned int i, k, n = b->conf->n_links;
	uint32_t weight;

	for (i = 0; i < n; i++) {
		weight = weight_of(b, i);
		if (!weight)
			continue;
		for (k = i; b->aside[k] || !weight_of(b, k); k = (k + 1) % n)
			;
		add_slots(b, &s, k, s.sum, weight);
		s.sum += weight;
	}
	return s;
}

static void find_slots(struct build *b)
{
	find_parity(b);
	switch (b->conf->balance) {
	case BALANCE_ROUND_ROBIN:
		/* Each turn is an element in the end: no more than needed. */
		b->slots = deal_out(b, false, common_divisor(b));
		break;
	case BALANCE_RANDOM:
		b->slots = deal_out(b, false, 1);
		break;
	default:
		b->slots = deal_out(b, true, 1);
		b->last = deal_all(b);
	}
}

static struct ruleset_statement hash(struct share s, uint16_t kind,
				     uint32_t round)
{
	struct ruleset_statement to = among(kind, s.first, s.count);

	to.value = s.sum;
	to.mask = RULESET_SEED + round;
	return to;
}

/* The slots of a link aside match nothing: another hash deals its hosts out to
 * the others by their weights, and where that leads nowhere as well, one more.
 * The rest, a small share, goes to the next link.
 */
static void add_hashes(struct build *b, uint16_t kind)
{
	uint32_t round = 0;
	unsigned int i;
	bool gaps = false;

	for (i = 0; i < b->conf->n_links; i++)
		gaps = gaps || (b->aside[i] && weight_of(b, i));
	for (; gaps && !b->parity && round < RULESET_DEALS; round++)
		add_rule(b, hash(b->slots, kind, round), end(), end());
	add_rule(b, hash(b->last, kind, round), end(), end());
}

/* An IPv6 host has several addresses at random: their low bits say nothing, and
 * each address is a host of its own.
 */
static void add_hashes6(struct build *b)
{
	if (!b->conf->ipv6)
		return;
	if (b->conf->balance == BALANCE_FLOW)
		add_hashes(b, TO_FLOW6);
	add_hashes(b, TO_HASH6);
}

static void add_deal(struct build *b)
{
	struct ruleset_statement s;
	uint16_t kind = TO_RANDOM;

	if (b->slots.count == 1) {
		add_rule(b, go(b->rs->element[b->slots.first].chain), end(),
			 end());
		return;
	}
	switch (b->conf->balance) {
	case BALANCE_ROUND_ROBIN:
		kind = TO_TURNS;
		/* fall through */
	case BALANCE_RANDOM:
		s = among(kind, b->slots.first, b->slots.count);
		s.value = b->slots.sum;
		add_rule(b, s, end(), end());
		return;
	case BALANCE_FLOW:
		/* A packet without ports, or too short to have some, goes on to
		 * the next rule.
		 */
		add_hashes(b, TO_FLOW);
		break;
	case BALANCE_SOURCE_PARITY:
		if (!b->parity)
			break;
		s = among(TO_SADDR, b->last.first, b->last.count);
		s.mask = b->last.sum - 1U;
		add_rule(b, s, end(), end());
		add_hashes6(b);
		return;
	case BALANCE_SOURCE:
		break;
	}
	add_hashes(b, TO_HASH);
	add_hashes6(b);
}

/* The link of a new connection that nothing has decided yet. */
static void add_balance(struct build *b)
{
	/* Packets from a provider's own addresses leave by its link. */
	if (b->conf->ipv6)
		add_rule(b, of_set(TO_SADDR6, b->native, 0), end(), end());
	if (b->conf->sticky) {
		add_rule(b, jump(b->stuck), end(), end());
		add_rule(b, marked(b), plain(DO_RETURN), end());
	}
	add_deal(b);
}

/* A host's link is the mark in the map. skb->priority is where it is kept for
 * a moment: the kernel itself overwrites it when it forwards the packet
 * (net/ipv4/ip_forward.c), so that no bit of anybody's is lost. A link that
 * is put aside is not found; with "failback = move" one of a worse tier
 * neither, or a host would never come back from it.
 */
static void stuck_chain(struct build *b)
{
	const struct conf *conf = b->conf;
	unsigned int i;

	b->stuck_links.first = (uint16_t)b->rs->n_elements;
	for (i = 0; i < conf->n_links; i++) {
		if (b->aside[i] || (conf->failback == FAILBACK_MOVE &&
				    conf->link[i].tier > b->tier))
			continue;
		add_element(b, NULL, conf->link[i].mark, conf->link[i].mark,
			    b->to[i]);
		b->stuck_links.count++;
	}
	b->stuck = add_regular(b, "stuck");
	add_rule(b, of_set(SET_PRIORITY, b->sticky, 0),
		 among(TO_PRIORITY, b->stuck_links.first,
		       b->stuck_links.count), end());
	if (conf->ipv6)
		add_rule(b, of_set(SET_PRIORITY6, b->sticky6, 0),
			 among(TO_PRIORITY, b->stuck_links.first,
			       b->stuck_links.count), end());
}

/* deal_X gives a host link X, unless another connection of that host has been
 * faster on another CPU: "add" leaves what is there. An entry that exists and
 * is still not found is of a link that is no longer in use. When the map is
 * full "add" ends its rule, and the last rule sends the packet to the link.
 */
static void deal_chain(struct build *b, unsigned int i)
{
	uint32_t m = b->conf->link[i].mark;

	b->deal[i] = add_link_chain(b, "deal", i);
	add_rule(b, of_set(ADD_STICKY, b->sticky, m), end(), end());
	if (b->conf->ipv6)
		add_rule(b, of_set(ADD_STICKY6, b->sticky6, m), end(), end());
	add_rule(b, jump(b->stuck), end(), end());
	add_rule(b, marked(b), plain(DO_RETURN), end());
	add_rule(b, of_set(DELETE_STICKY, b->sticky, m),
		 of_set(ADD_STICKY, b->sticky, m), end());
	if (b->conf->ipv6)
		add_rule(b, of_set(DELETE_STICKY6, b->sticky6, m),
			 of_set(ADD_STICKY6, b->sticky6, m), end());
	add_rule(b, go(b->to[i]), end(), end());
}

/* keep_X is for the first packet of a connection that leaves by link X: it
 * restarts the host's timeout. When its own link is dead it stays with X from
 * now on. "update" would keep the old link; "delete" and "add" for every
 * connection would be slow, and race with other CPUs.
 */
static void keep_chain(struct build *b, unsigned int i)
{
	uint32_t m = b->conf->link[i].mark;

	b->keep[i] = add_link_chain(b, "keep", i);
	add_rule(b, mark(b, IF_META_MARK, m),
		 of_set(UPDATE_STICKY, b->sticky, m), end());
	add_rule(b, mark(b, IF_NOT_META_MARK, m),
		 of_set(DELETE_STICKY, b->sticky, m),
		 of_set(ADD_STICKY, b->sticky, m));
	if (b->conf->ipv6) {
		add_rule(b, mark(b, IF_META_MARK, m),
			 of_set(UPDATE_STICKY6, b->sticky6, m), end());
		add_rule(b, mark(b, IF_NOT_META_MARK, m),
			 of_set(DELETE_STICKY6, b->sticky6, m),
			 of_set(ADD_STICKY6, b->sticky6, m));
	}
	add_rule(b, go(b->is[i]), end(), end());
}

/* Every link has its chains, also one that is put aside: what comes and goes
 * with that are rules alone.
 */
static void sticky_chains(struct build *b)
{
	unsigned int i;

	if (!b->conf->sticky)
		return;
	stuck_chain(b);
	for (i = 0; i < b->conf->n_links; i++)
		deal_chain(b, i);
	for (i = 0; i < b->conf->n_links; i++)
		keep_chain(b, i);
	b->is_by_mark = add_marks(b, b->is);
	b->keep_by_name = add_names(b, b->keep);
}

/* The map is written for what the balance has dealt out alone. For packets
 * whose connection has no mark yet; packets that a user's own mark sends to a
 * link get it here.
 */
static void remember_marked(struct build *b, bool all_new)
{
	if (!b->conf->sticky)
		return;
	open_rule(b);
	if (!all_new)
		add(b, plain(IF_NEW));
	add(b, by_mark(b, TO_META_MARK, b->is_by_mark));
}

/* Ranges as the kernel wants them: sorted, and none in another. */
static uint8_t add_merged(struct build *b, struct range *r, unsigned int n,
			  unsigned int bits, uint16_t *first)
{
	unsigned int i;

	if (n)
		n = ranges_merge(r, n, wide_ones(bits));
	*first = (uint16_t)b->rs->n_elements;
	for (i = 0; i < n; i++)
		add_range(b, r[i].first, r[i].last);
	return (uint8_t)n;
}

static uint8_t add_of_family(struct build *b, const struct range *from,
			     unsigned int count, uint8_t family,
			     uint16_t *first)
{
	struct range r[POLICY_ADDRESSES];
	unsigned int i, n = 0;

	for (i = 0; i < count; i++)
		if (from[i].family == family)
			r[n++] = from[i];
	return add_merged(b, r, n, family == AF_INET ? 32 : 128, first);
}

static uint8_t add_ports(struct build *b, const struct ports *from,
			 unsigned int count, uint16_t *first)
{
	struct range r[POLICY_PORTS];
	unsigned int i;

	for (i = 0; i < count; i++)
		r[i] = (struct range){ .first = wide(from[i].first),
				       .last = wide(from[i].last) };
	return add_merged(b, r, count, 16, first);
}

static void add_protocols(struct build *b, const struct policy *y,
			  struct match *m)
{
	bool icmp = false, icmp6 = false;
	unsigned int i, k;

	m->protocol = (uint16_t)b->rs->n_elements;
	for (i = 0; i < y->n_protocol; i++) {
		for (k = 0; y->protocol[k] != y->protocol[i]; k++)
			;
		if (k < i)
			continue;
		add_element(b, NULL, y->protocol[i], y->protocol[i],
			    RULESET_NONE);
		m->n_protocol++;
		icmp = icmp || y->protocol[i] == IPPROTO_ICMP;
		icmp6 = icmp6 || y->protocol[i] == IPPROTO_ICMPV6;
	}
	/* Who writes icmp means that of the packet's family. */
	if (!b->conf->ipv6 || !icmp || icmp6)
		return;
	add_element(b, NULL, IPPROTO_ICMPV6, IPPROTO_ICMPV6, RULESET_NONE);
	m->n_protocol++;
}

static void add_match(struct build *b, const struct policy *y,
		      struct match *m)
{
	unsigned int i, k;
	enum family f;

	for (f = 0; f < conf_families(b->conf); f++) {
		m->n_source[f] = add_of_family(b, y->source, y->n_source,
					       family_af(f), &m->source[f]);
		m->n_destination[f] = add_of_family(b, y->destination,
						    y->n_destination,
						    family_af(f),
						    &m->destination[f]);
	}
	m->n_source_port = add_ports(b, y->source_port, y->n_source_port,
				     &m->source_port);
	m->n_destination_port = add_ports(b, y->destination_port,
					  y->n_destination_port,
					  &m->destination_port);
	add_protocols(b, y, m);
	m->interface = (uint16_t)b->rs->n_elements;
	for (i = 0; i < y->n_interface; i++) {
		for (k = 0; strcmp(y->interface[k], y->interface[i]) != 0; k++)
			;
		if (k < i)
			continue;
		add_element(b, y->interface[i], 0, 0, RULESET_NONE);
		m->n_interface++;
	}
}

/* Those of one family, for a policy that names addresses. All of them are said
 * by the family alone.
 */
static void add_addresses(struct build *b, const struct match *m,
			  enum family f)
{
	static const uint16_t saddr[FAMILIES] = { IF_SADDR, IF_SADDR6 };
	static const uint16_t daddr[FAMILIES] = { IF_DADDR, IF_DADDR6 };

	if (m->n_source[f])
		add(b, among(saddr[f], m->source[f], m->n_source[f]));
	if (m->n_destination[f])
		add(b, among(daddr[f], m->destination[f],
			     m->n_destination[f]));
	if (m->set[f])
		add(b, of_set(daddr[f], m->set[f], 0));
	if (b->conf->ipv6 && !m->n_source[f] && !m->n_destination[f] &&
	    !m->set[f])
		add(b, plain(f == FAMILY_IPV4 ? IF_IPV4 : IF_IPV6));
}

/* The order and the words are those of nft's list. */
static void add_conditions(struct build *b, const struct match *m,
			   enum family f)
{
	struct ruleset_statement s;
	bool ports = m->n_source_port || m->n_destination_port;
	uint32_t only = 0;

	if (m->n_interface)
		add(b, among(IF_IIFNAME, m->interface, m->n_interface));
	if (f != FAMILIES)
		add_addresses(b, m, f);
	if (m->n_protocol) {
		if (ports && m->n_protocol == 1)
			only = (uint32_t)b->rs->element[m->protocol].key.lo;
		add(b, among(only ? IF_PORTS_OF : IF_PROTOCOL, m->protocol,
			     m->n_protocol));
	}
	if (m->n_source_port) {
		s = among(IF_SPORT, m->source_port, m->n_source_port);
		s.value = only;
		add(b, s);
	}
	if (m->n_destination_port) {
		s = among(IF_DPORT, m->destination_port,
			  m->n_destination_port);
		s.value = only;
		add(b, s);
	}
}

static void open_policy_rule(struct build *b, unsigned int policy,
			     enum family f)
{
	open_rule(b);
	b->rs->rule[b->rs->n_rules - 1].policy = (uint8_t)(policy + 1);
	add_conditions(b, &b->match[policy], f);
}

/* A rule for each family of whose addresses a policy is about, FAMILIES for one
 * of both; each is filled by @fill.
 */
static void policy_rules(struct build *b, unsigned int policy,
			 void (*fill)(struct build *b,
				      const struct policy *y))
{
	const struct policy *y = &b->conf->policy[policy];
	enum family f;

	if (!policy_by_family(y)) {
		open_policy_rule(b, policy, FAMILIES);
		fill(b, y);
		return;
	}
	for (f = 0; f < conf_families(b->conf); f++) {
		if (!policy_has_family(y, f))
			continue;
		open_policy_rule(b, policy, f);
		fill(b, y);
	}
}

/* "use = LINK" of a link that is put aside is what if_down says. */
static bool is_aside(const struct build *b, const struct policy *y)
{
	return y->use == USE_LINK && b->aside[y->link];
}

static bool to_balance(const struct build *b, const struct policy *y)
{
	return y->use == USE_BALANCE || (is_aside(b, y) && !y->unreachable);
}

/* The connection gets its mark here, as one that the balance has not dealt
 * out. A packet of an unreachable one goes on without: see strict_chain().
 */
static void decide(struct build *b, const struct policy *y)
{
	if (to_balance(b, y)) {
		add(b, go(b->balance));
	} else if (y->use == USE_MAIN || is_aside(b, y)) {
		add(b, plain(DO_RETURN));
	} else {
		add(b, mark(b, SET_CT_MARK, b->conf->link[y->link].mark));
		add(b, go(b->to[y->link]));
	}
}

static void add_policies(struct build *b)
{
	unsigned int i;

	for (i = 0; i < b->conf->n_policies; i++)
		policy_rules(b, i, decide);
}

/* A packet that may leave by its own link alone, and by the way the LAN has to
 * other places, is refused on every other link. Connections of other links have
 * another mark; on a link that is put aside a packet without a mark is a new
 * one. While a load replaces the rule such a packet may find the set of all
 * links empty (see remember()) and leave once.
 */
static void refuse(struct build *b, const struct policy *y)
{
	const struct conf_link *l = &b->conf->link[y->link];
	uint16_t name = (uint16_t)(b->by_name + y->link);

	if (y->use != USE_LINK || !y->unreachable) {
		add(b, plain(DO_RETURN));
		return;
	}
	if (b->aside[y->link]) {
		add(b, plain(IF_NEW));
		add(b, mark(b, IF_CT_MARK, 0));
		add(b, mark(b, IF_META_MARK, 0));
	} else {
		add(b, mark(b, IF_META_MARK, l->mark));
		add(b, among(IF_NOT_OIFNAME, name, 1));
	}
	add(b, links(b, IF_OIFNAME));
	add(b, plain(b->conf->ipv6 ? DO_REJECT_ANY : DO_REJECT));
}

/* Take the policies up to the last one with if_down = unreachable, since a
 * packet that an earlier one has taken must not reach it.
 */
static void strict_chain(struct build *b)
{
	const struct policy *y = b->conf->policy;
	unsigned int i, n = b->conf->n_policies;

	while (n && !(y[n - 1].use == USE_LINK && y[n - 1].unreachable))
		n--;
	if (!n)
		return;
	add_chain(b, "strict", TYPE_FILTER, HOOK_FORWARD, RULESET_MANGLE);
	only_routed(b);
	add_rule(b, plain(IF_REPLY), plain(DO_RETURN), end());
	only_known6(b);
	for (i = 0; i < n; i++)
		policy_rules(b, i, refuse);
}

/* While a transaction replaces a rule, a packet that is just in the middle of
 * the old one finds the old map empty: the kernel has switched the generation
 * that its elements belong to. It happened to 4 of 2,000,000 packets in 1,000
 * loads on Linux 6.18; such a packet leaves by any link, and masquerade then
 * kills its connection. This rule has no map. It replaces the whole mark of
 * the packet, so it leaves a packet alone that has foreign bits.
 */
static void remember(struct build *b)
{
	struct ruleset_statement zero = { .kind = IF_META_MARK,
					  .chain = RULESET_NONE,
					  .mask = UINT32_MAX };

	add_rule(b, zero, mark(b, IF_NOT_CT_MARK, 0),
		 mark(b, COPY_CT_MARK, 0));
}

/* A packet from a link only binds a connection from outside to that link, and
 * is never sent anywhere else by us. An existing connection stays where it
 * was. Only what is new and comes from the LAN is dealt out: an untracked
 * packet cannot be remembered (nor masqueraded), an invalid one belongs to
 * nothing, and one of a related connection has its master's mark already.
 */
static void prerouting(struct build *b)
{
	add_chain(b, "prerouting", TYPE_FILTER, HOOK_PREROUTING,
		  RULESET_MANGLE + 1);
	only_routed(b);
	add_rule(b, links(b, IF_IIFNAME), go(b->from_link), end());
	renumber(b);
	add_rule(b, by_mark(b, TO_CT_MARK, b->to_by_mark), end(), end());
	remember(b);
	add_rule(b, plain(IF_NOT_NEW), plain(DO_RETURN), end());
	remember_marked(b, true);
	add_rule(b, marked(b), plain(DO_RETURN), end());
	only_known6(b);
	if (b->conf->n_policies || !b->n_lan)
		add_rule(b, among(IF_IIFNAME, b->lo, 1), plain(DO_RETURN),
			 end());
	add_policies(b);
	if (b->n_lan)
		add_rule(b, among(IF_NOT_IIFNAME, b->lan, b->n_lan),
			 plain(DO_RETURN), end());
	if (b->balance == RULESET_NONE)
		add_balance(b);
	else
		add_rule(b, go(b->balance), end(), end());
}

/* The balance as a chain of its own, when a policy leads there. */
static void balance_chain(struct build *b)
{
	unsigned int i, n = b->conf->n_policies;

	for (i = 0; i < n && !to_balance(b, &b->conf->policy[i]); i++)
		;
	b->balance = RULESET_NONE;
	if (i == n)
		return;
	b->balance = add_regular(b, "balance");
	add_balance(b);
}

/* See keep_chain(): for the first packet of connections that the balance has
 * dealt out.
 */
static void remember_dealt(struct build *b)
{
	if (!b->conf->sticky)
		return;
	open_rule(b);
	add(b, plain(IF_NEW));
	add(b, mark(b, IF_CT_MARK, 0));
	add(b, by_mark(b, IF_META_MARK, b->is_by_mark));
	add(b, among(TO_OIFNAME, b->keep_by_name, b->conf->n_links));
}

/* The router's own connections, and its answers to connections from outside; a
 * route chain looks the route up again when the mark changes. A mark that has
 * our bits and is no link's is somebody else's as a whole: wg-quick(8) knows
 * WireGuard's own packets by 51820 alone, and they would be sent into their own
 * tunnel with any other.
 */
static void output(struct build *b)
{
	add_chain(b, "output", TYPE_ROUTE, HOOK_OUTPUT, RULESET_MANGLE);
	only_routed(b);
	add_rule(b, by_mark(b, IF_META_MARK, b->to_by_mark),
		 by_mark(b, TO_CT_MARK, b->to_by_mark), end());
	remember_marked(b, false);
	add_rule(b, marked(b), plain(DO_RETURN), end());
	renumber(b);
	add_rule(b, by_mark(b, TO_CT_MARK, b->to_by_mark), end(), end());
}

/* RFC 1918, RFC 6598, RFC 3927. A line may have such an address. */
static const uint32_t private[RULESET_PRIVATE][2] = {
	{ 0x0a000000, 0x0affffff }, { 0x64400000, 0x647fffff },
	{ 0xa9fe0000, 0xa9feffff }, { 0xac100000, 0xac1fffff },
	{ 0xc0a80000, 0xc0a8ffff },
};

bool ruleset_is_private(const struct addr *a)
{
	uint32_t address = ntohl(a->v4.s_addr);
	unsigned int i = 0;

	while (i < RULESET_PRIVATE &&
	       (address < private[i][0] || address > private[i][1]))
		i++;
	return a->family == AF_INET && i < RULESET_PRIVATE;
}

/* The first packet that masquerade has translated comes here with a connection
 * that has no mark, see masquerades(). Its address must be the link's own. The
 * connection gets its mark back, which postrouting had given it.
 */
static void guard_new(struct build *b)
{
	b->guard_new = add_regular(b, RULESET_GUARD "new");
	if (!b->twins) {
		open_rule(b);
		add(b, links(b, IF_OIFNAME));
		add(b, plain(IF_FOREIGN));
		add(b, plain(DO_COUNT));
		add(b, plain(DO_DROP));
	}
	add_rule(b, links(b, TO_OIFNAME), end(), end());
}

/* Masquerade, and note for the guard that it was us. If the link has lost its
 * address, masquerade takes another interface's. The address alone does not tell
 * that from the choice of a user's own SNAT, such as a public address on lo; but
 * what an earlier SNAT has translated does not come here. The connection's mark
 * is the place for the note: conntrack has not confirmed the connection yet, so
 * nobody sees it without its mark.
 */
static void masquerades(struct build *b)
{
	open_rule(b);
	add(b, links(b, IF_OIFNAME));
	add(b, plain(IF_NO_IPSEC));
	add(b, mark(b, SET_CT_MARK, 0));
	add(b, plain(DO_MASQUERADE));
}

/* A masqueraded packet has an address of its link; guard_new() looks after
 * that. Invalid and untracked packets, and a flow that began by another way (a
 * VPN whose device has gone), are not translated at all. No provider takes such
 * a packet. Conntrack has not confirmed a packet that is dropped here, so the
 * flow's next packet begins again. Public addresses pass that masquerade has not
 * chosen, and what the user's own rules have translated to an address that this
 * machine has not: networks that are routed to it.
 */
static void guard(struct build *b)
{
	uint16_t first = (uint16_t)b->rs->n_elements;
	unsigned int i;

	for (i = 0; i < RULESET_PRIVATE; i++)
		add_element(b, NULL, private[i][0], private[i][1],
			    RULESET_NONE);
	add_chain(b, RULESET_GUARD, TYPE_FILTER, HOOK_POSTROUTING,
		  RULESET_SRCNAT + 1);
	only_ipv4(b);
	add_rule(b, plain(IF_REPLY), plain(DO_RETURN), end());
	add_rule(b, mark(b, IF_CT_MARK, 0), go(b->guard_new), end());
	add_rule(b, among(IF_NOT_SADDR, first, RULESET_PRIVATE),
		 plain(DO_RETURN), end());
	open_rule(b);
	add(b, links(b, IF_OIFNAME));
	add(b, plain(IF_SNAT));
	if (!b->twins)
		add(b, plain(IF_ELSEWHERE));
	add(b, plain(DO_RETURN));
	open_rule(b);
	add(b, links(b, IF_OIFNAME));
	add(b, plain(IF_NO_IPSEC));
	add(b, plain(IF_FOREIGN));
	add(b, plain(DO_COUNT));
	add(b, plain(DO_DROP));
}

/* Outgoing packets: use the MTU of their route. Incoming packets: the route
 * back is not known here, because its mark belongs to the other direction; so
 * use the MTU of the link itself.
 */
static void clamp(struct build *b)
{
	const bool ipv6 = b->conf->ipv6;
	const struct ruleset_statement in = of_set(CLAMP_IIFNAME, b->mss, 0);

	add_chain(b, "forward", TYPE_FILTER, HOOK_FORWARD, RULESET_MANGLE);
	if (!ipv6)
		only_ipv4(b);
	add_rule(b, links(b, IF_OIFNAME), plain(IF_TCP_SYN),
		 plain(DO_CLAMP_MSS));
	if (!ipv6) {
		add_rule(b, plain(IF_TCP_SYN), in, end());
		return;
	}
	add_rule(b, plain(IF_IPV4), plain(IF_TCP_SYN), in);
	add_rule(b, plain(IF_IPV6), plain(IF_TCP_SYN),
		 of_set(CLAMP_IIFNAME, b->mss6, 0));
}

/* --- IPv6: what has an address that the link's provider does not take --- */

static bool translates6(const struct build *b)
{
	return b->conf->ipv6 && b->conf->translate6;
}

/* Is it foreign to link @i? A packet that IPsec takes is not seen by it. */
static void foreign(struct build *b, unsigned int i)
{
	open_rule(b);
	add(b, of_set(IF_NOT_SADDR6, b->own[i], 0));
	add(b, of_set(IF_SADDR6, b->known, 0));
	add(b, plain(IF_NO_IPSEC));
}

/* One chain a link, and the map that leads there. */
static uint16_t foreign_chains(struct build *b, const char *name,
			       const struct ruleset_statement *what,
			       unsigned int n)
{
	uint16_t chain[LINKS_MAX];
	unsigned int i, k;

	for (i = 0; i < b->conf->n_links; i++) {
		chain[i] = add_link_chain(b, name, i);
		foreign(b, i);
		for (k = 0; k < n; k++)
			add(b, what[k]);
	}
	return add_names(b, chain);
}

/* A flow that began untranslated has got so far by another link, which is dead
 * now: conntrack cannot translate it any more. It is dropped here, and noted;
 * its next packet goes, before conntrack sees it, into another zone, where it
 * is a new connection and is translated. The kernel alone does that, whether a
 * hook comes or not. The answer of a port forward is not foreign: its source is
 * corrected only after this.
 */
static void astray_chains(struct build *b)
{
	static const uint8_t protocol[] = { 6, 17 };	/* TCP, UDP */
	struct ruleset_statement ports;
	uint16_t first = (uint16_t)b->rs->n_elements, elsewhere;
	unsigned int i;

	for (i = 0; i < 2; i++)
		add_element(b, NULL, protocol[i], protocol[i], RULESET_NONE);
	ports = among(IF_PROTOCOL, first, 2);
	b->astray = add_regular(b, "astray");
	open_rule(b);
	add(b, ports);
	add(b, plain(IF_ORIGINAL));
	add(b, of_set(ADD_TUPLE6, b->moved, 0));
	/* Not "add": another flow's entry may be about to expire. */
	add(b, of_set(UPDATE_SADDR6, b->moved6, 0));
	add_rule(b, plain(DO_COUNT), plain(DO_DROP), end());
	elsewhere = add_regular(b, "elsewhere");
	add_rule(b, links(b, IF_IIFNAME), plain(DO_RETURN), end());
	/* A packet without ports does not match: the protocol is part of the
	 * key.
	 */
	open_rule(b);
	add(b, of_set(IF_TUPLE6, b->moved, 0));
	add(b, of_set(UPDATE_TUPLE6, b->moved, 0));
	add(b, of_set(UPDATE_SADDR6, b->moved6, 0));
	add(b, plain(DO_ZONE));
	/* Every packet comes here: the source alone is half the work. */
	add_chain(b, "early", TYPE_FILTER, HOOK_PREROUTING, RULESET_RAW);
	add_rule(b, of_set(IF_SADDR6, b->moved6, 0), go(elsewhere), end());
}

/* leave_X: an established flow leaves by link X. */
static uint16_t leave_chains(struct build *b)
{
	uint16_t chain[LINKS_MAX];
	unsigned int i;

	for (i = 0; i < b->conf->n_links; i++) {
		chain[i] = add_link_chain(b, "leave", i);
		foreign(b, i);
		add(b, go(b->astray));
		add_rule(b, plain(IF_ORIGINAL), go(b->is[i]), end());
	}
	return add_names(b, chain);
}

static void srcnat6(struct build *b)
{
	const struct ruleset_statement masquerade = plain(DO_MASQUERADE);
	uint16_t foreign6 = foreign_chains(b, "foreign", &masquerade, 1);

	add_chain(b, "srcnat6", TYPE_NAT, HOOK_POSTROUTING, RULESET_SRCNAT);
	only_ipv6(b);
	not_onlink6(b);
	not_from_onlink6(b);
	add_rule(b, among(TO_OIFNAME, foreign6, b->conf->n_links), end(),
		 end());
}

/* See guard(): what is still foreign after that, whoever has translated it. */
static void guard6(struct build *b)
{
	const struct ruleset_statement drop[] = {
		plain(IF_FOREIGN), plain(DO_COUNT), plain(DO_DROP),
	};
	uint16_t guards = foreign_chains(b, RULESET_GUARD, drop, 3);

	add_chain(b, RULESET_GUARD "6", TYPE_FILTER, HOOK_POSTROUTING,
		  RULESET_SRCNAT + 1);
	only_ipv6(b);
	not_onlink6(b);
	not_from_onlink6(b);
	add_rule(b, plain(IF_REPLY), plain(DO_RETURN), end());
	open_rule(b);
	add(b, links(b, IF_OIFNAME));
	add(b, plain(IF_SNAT));
	add(b, plain(IF_ELSEWHERE));
	add(b, plain(DO_RETURN));
	add_rule(b, among(TO_OIFNAME, guards, b->conf->n_links), end(), end());
}

/* It never gets a link's mark by itself: its later packets would be sent to
 * that link's table. If it has a mark all the same, the user's own rules gave
 * it.
 */
static void unmarked_unknown6(struct build *b)
{
	if (!b->conf->ipv6)
		return;
	open_rule(b);
	add(b, mark(b, IF_CT_MARK, 0));
	add(b, mark(b, IF_META_MARK, 0));
	add(b, of_set(IF_NOT_SADDR6, b->known, 0));
	add(b, plain(DO_RETURN));
}

/* Masquerade ends a connection that leaves by another link than before, but not
 * one that conntrackd has brought from another router: it belongs to the link
 * whose address it has, also while that one is not up yet and its packets stray.
 */
static void keep_translated(struct build *b)
{
	if (b->conf->masquerade && !b->was)
		add_rule(b, plain(IF_SNAT), mark(b, IF_NOT_CT_MARK, 0),
			 plain(DO_RETURN));
}

static void other_chains(struct build *b)
{
	uint16_t leave = 0;

	output(b);
	if (translates6(b)) {
		astray_chains(b);
		leave = leave_chains(b);
	}

	/* Original direction only: the answers of a connection from outside
	 * may leave by a standby link during an outage, but the connection
	 * belongs to the link that it came by. After mangle: a script that
	 * saves whole marks there (CONNMARK --save-mark) would otherwise undo
	 * this, and move a flow back when its first link returns.
	 */
	add_chain(b, "postrouting", TYPE_FILTER, HOOK_POSTROUTING,
		  RULESET_MANGLE + 1);
	only_routed(b);
	unmarked_unknown6(b);
	if (translates6(b)) {
		not_from_onlink6(b);
		add_rule(b, plain(IF_IPV6), plain(IF_BARE),
			 among(TO_OIFNAME, leave, b->conf->n_links));
	}
	add_rule(b, plain(IF_REPLY), plain(DO_RETURN), end());
	keep_translated(b);
	remember_dealt(b);
	add_rule(b, links(b, TO_OIFNAME), end(), end());

	if (b->conf->masquerade) {
		/* A packet that IPsec takes must keep the address that the
		 * IPsec policy knows.
		 */
		add_chain(b, RULESET_NAT, TYPE_NAT, HOOK_POSTROUTING,
			  RULESET_SRCNAT);
		only_ipv4(b);
		masquerades(b);
		guard_new(b);
		guard(b);
	}
	if (translates6(b)) {
		srcnat6(b);
		guard6(b);
	}
	if (b->conf->clamp_mss)
		clamp(b);
	strict_chain(b);
}

static int check(const struct build *b, struct err *err)
{
	const struct conf *conf = b->conf;
	unsigned int i;

	if (!conf->n_links || conf->n_links > LINKS_MAX ||
	    conf->n_lan > LAN_MAX)
		return err_set(err, -EINVAL, "%u links and %u lan interfaces: "
			       "nftables rules need 1 to %d links and at most "
			       "%d", conf->n_links, conf->n_lan, LINKS_MAX,
			       LAN_MAX);
	for (i = 0; i < conf->n_links; i++) {
		const struct conf_link *l = &conf->link[i];

		if (!quotable(l->name))
			return err_set(err, -EINVAL, "nftables has no way to "
				       "write the interface name '%s': rename "
				       "that interface", l->name);
		if (!l->mark || (l->mark & ~conf->mark_mask))
			return err_set(err, -EINVAL, "link %s: mark 0x%" PRIx32
				       " does not fit mask 0x%" PRIx32
				       ": change it, or mark_mask",
				       l->name, l->mark, conf->mark_mask);
	}
	for (i = 0; i < conf->n_lan; i++)
		if (!quotable(conf->lan[i]))
			return err_set(err, -EINVAL, "nftables has no way to "
				       "write the interface name '%s': rename "
				       "that interface", conf->lan[i]);
	return 0;
}

static void name_links(struct build *b)
{
	struct ruleset *rs = b->rs;

	memset(rs->link, 0, b->conf->n_links * sizeof(rs->link[0]));
	for (rs->n_links = 0; rs->n_links < b->conf->n_links; rs->n_links++)
		snprintf(rs->link[rs->n_links].name, IFNAMSIZ, "%s",
			 b->conf->link[rs->n_links].name);
}

/* Destinations that stay on their link: fe80::/10 and ff00::/8. */
static void add_onlink6(struct build *b)
{
	static const struct prefix onlink[] = {
		{ { .family = AF_INET6, .bytes = { 0xfe, 0x80 } }, 10 },
		{ { .family = AF_INET6, .bytes = { 0xff } }, 8 },
	};
	struct wide first;
	unsigned int i;

	b->onlink6 = (uint16_t)b->rs->n_elements;
	for (i = 0; i < COUNT(onlink); i++) {
		first = wide_get(onlink[i].addr.bytes, WIDE_BYTES);
		add_range(b, first, wide_or(first,
			  wide_ones(8 * WIDE_BYTES - onlink[i].len)));
	}
}

/* The sets that policies name, each once for all that name it. */
static void add_named_sets(struct build *b, enum family f)
{
	const struct conf *conf = b->conf;
	const struct policy *y = conf->policy;
	struct ruleset_set *set;
	unsigned int i, k;

	for (i = 0; i < conf->n_policies; i++) {
		if (!*y[i].set)
			continue;
		for (k = 0; strcmp(y[k].set, y[i].set) != 0; k++)
			;
		b->match[i].set[f] = b->match[k].set[f];
		if (k < i)
			continue;
		b->match[i].set[f] = add_set(b, f == FAMILY_IPV4 ? SET_NAMED :
					     SET_NAMED6, 0);
		set = &b->rs->set[b->match[i].set[f] - 1];
		snprintf(set->name, sizeof(set->name), "%s%s", y[i].set,
			 f == FAMILY_IPV4 ? "" : "6");
	}
}

/* Named sets, in the order in which nft lists them: that of their making. Those
 * of IPv6 come last, so that a table can get or lose them.
 */
static void add_sets(struct build *b)
{
	const struct conf *conf = b->conf;
	unsigned int i;

	if (conf->clamp_mss)
		b->mss = add_set(b, SET_MSS, 0);
	if (conf->sticky)
		b->sticky = add_set(b, SET_STICKY, conf->sticky);
	add_named_sets(b, FAMILY_IPV4);
	if (!conf->ipv6)
		return;
	add_onlink6(b);
	if (conf->clamp_mss)
		b->mss6 = add_set(b, SET_MSS6, 0);
	if (conf->sticky)
		b->sticky6 = add_set(b, SET_STICKY6, conf->sticky);
	b->known = add_set(b, SET_KNOWN6, 0);
	b->native = add_set(b, SET_NATIVE6, 0);
	if (translates6(b)) {
		b->moved = add_set(b, SET_MOVED, SET_MOVED_TIMEOUT);
		b->moved6 = add_set(b, SET_MOVED6, SET_MOVED_TIMEOUT);
	}
	for (i = 0; i < conf->n_links; i++)
		b->own[i] = add_link_set(b, SET_OWN6, i);
	add_named_sets(b, FAMILY_IPV6);
}

/* A connection from outside belongs to the link that it came in by.
 *
 * Packets of IPv6 from a link also get its mark. Nothing of ours sends them
 * anywhere by that, but a check of the reverse path asks with it: firewalld's
 * (IPv6_rpfilter, on by default) comes after the destination was translated, and
 * then nothing but the mark tells which link the way back leads to. What is no
 * link's, as far as is known, has no mark, and keeps its way.
 */
static void from_link(struct build *b)
{
	bool ipv6 = b->conf->ipv6;
	uint16_t back = 0;

	if (ipv6) {
		back = add_regular(b, "back");
		add_rule(b, among(TO_IIFNAME, add_names(b, b->to),
				  b->conf->n_links), end(), end());
	}
	b->from_link = add_regular(b, "from_link");
	if (ipv6) {
		add_rule(b, plain(IF_NEW), of_set(IF_NOT_DADDR6, b->known, 0),
			 plain(DO_RETURN));
		add_rule(b, plain(IF_IPV6), plain(IF_NEW), jump(back));
	}
	add_rule(b, plain(IF_NEW), links(b, TO_IIFNAME), end());
	if (ipv6)
		add_rule(b, plain(IF_IPV6),
			 by_mark(b, TO_CT_MARK, b->to_by_mark), end());
}

static void lan(struct build *b)
{
	const struct conf *conf = b->conf;
	unsigned int i;

	b->lan = (uint16_t)b->rs->n_elements;
	b->n_lan = (uint16_t)conf->n_lan;
	for (i = 0; i < conf->n_lan; i++)
		add_element(b, conf->lan[i], 0, 0, RULESET_NONE);
	b->lo = add_element(b, "lo", 0, 0, RULESET_NONE);
	for (i = 0; i < conf->n_policies; i++)
		add_match(b, &conf->policy[i], &b->match[i]);
}

int ruleset_build(struct ruleset *rs, const struct conf *conf,
		  const bool *drained, const bool *other, bool twins,
		  struct err *err)
{
	return ruleset_build_after(rs, conf, drained, other, twins, NULL, err);
}

int ruleset_build_after(struct ruleset *rs, const struct conf *conf,
			const bool *drained, const bool *other, bool twins,
			const struct ct_marks *was, struct err *err)
{
	struct build b;
	int code;

	/* Most of it is of links and policies that there are not. */
	memset(&b, 0, offsetof(struct build, match));
	memset(b.match, 0, conf->n_policies * sizeof(b.match[0]));
	b.rs = rs;
	b.conf = conf;
	b.drained = drained;
	b.other = other;
	b.twins = twins;
	b.was = was;
	rs->n_chains = rs->n_rules = rs->n_statements = rs->n_elements = 0;
	rs->n_sets = 0;
	code = check(&b, err);
	if (code)
		return code;
	name_links(&b);
	add_sets(&b);
	find_tier(&b);
	link_chains(&b);
	sticky_chains(&b);
	find_slots(&b);
	if (!b.slots.count)
		return err_set(err, -EINVAL, "no link of the best tier has a "
			       "weight: give one of them a weight in mwan.ini");
	if (b.parity && (b.slots.sum & (b.slots.sum - 1)))
		return err_set(err, -EINVAL, "source-parity cannot share "
			       "among %u links, only among 2, 4, 8 ...: set "
			       "balance = source in mwan.ini", b.slots.sum);
	lan(&b);
	from_link(&b);
	balance_chain(&b);
	prerouting(&b);
	other_chains(&b);
	return 0;
}

unsigned int ruleset_turn(const struct ruleset *rs,
			  const struct ruleset_statement *s,
			  int32_t lag[LINKS_MAX])
{
	const struct ruleset_element *e = &rs->element[s->first];
	unsigned int i, most = 0;

	for (i = 0; i < s->count; i++) {
		lag[i] += (int32_t)(e[i].last.lo - e[i].key.lo + 1);
		if (lag[i] > lag[most])
			most = i;
	}
	lag[most] -= (int32_t)s->value;
	return most;
}
