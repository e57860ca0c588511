// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <string.h>

#include "nft/jhash.h"
#include "nft/trace.h"

/* A statement's effect on its rule and chain. */
enum outcome {
	GO_ON,		/* with the next statement */
	BREAK,		/* the next rule */
	LEAVE,		/* the chain, or the whole walk if rejected */
};

static void walk_chain(struct walk *w, uint16_t chain);

static const struct ruleset_element *
find_key(const struct ruleset *rs, const struct ruleset_statement *s,
	 struct wide key)
{
	const struct ruleset_element *e = &rs->element[s->first];
	unsigned int i;

	for (i = 0; i < s->count; i++, e++)
		if (wide_compare(e->key, key) <= 0 &&
		    wide_compare(key, e->last) <= 0)
			return e;
	return NULL;
}

static const struct ruleset_element *
find_name(const struct ruleset *rs, const struct ruleset_statement *s,
	  const char *name)
{
	const struct ruleset_element *e = &rs->element[s->first];
	unsigned int i;

	for (i = 0; i < s->count; i++, e++)
		if (!strncmp(e->name, name, IFNAMSIZ))
			return e;
	return NULL;
}

static enum outcome only_if(bool holds)
{
	return holds ? GO_ON : BREAK;
}

/* net/netfilter/nft_hash.c, nft_jhash_eval(), of registers as message.c loads
 * them: each field in the first bytes of four, in network order.
 */
static uint32_t hash_slot(const struct walk *w,
			  const struct ruleset_statement *s)
{
	unsigned int what = s->kind & KEY_MASK;
	uint8_t reg[(size_t)2 * WIDE_BYTES + 3 * sizeof(uint32_t)] = { 0 };
	size_t len = addr_len(&w->source);
	const uint16_t sport = htons(w->source_port);
	const uint16_t dport = htons(w->destination_port);

	memcpy(reg, w->source.bytes, len);
	if (what == KEY_FLOW || what == KEY_FLOW6) {
		memcpy(reg + len, w->destination.bytes, len);
		len *= 2;
		reg[len] = w->protocol;
		memcpy(reg + len + 4, &sport, sizeof(sport));
		memcpy(reg + len + 8, &dport, sizeof(dport));
		len += 3 * sizeof(uint32_t);
	}
	/* reciprocal_scale() */
	return (uint32_t)((uint64_t)jhash(reg, len, s->mask) * s->value >> 32);
}

/* Nobody can know this: the caller has chosen. */
static const struct ruleset_element *
choose(struct walk *w, const struct ruleset_statement *s)
{
	const struct ruleset_element *e = &w->rs->element[s->first];
	unsigned int i;

	w->n_choices = s->count;
	w->shares = 0;
	for (i = 0; i < s->count; i++)
		w->shares += (uint32_t)(e[i].last.lo - e[i].key.lo + 1);
	e += w->choice < s->count ? w->choice : 0;
	w->share = (uint32_t)(e->last.lo - e->key.lo + 1);
	return e;
}

static struct wide of_addr(const struct addr *a)
{
	return wide_get(a->bytes, addr_len(a));
}

/* Whether it is known what the packet has there, and what. */
static bool value_of(const struct walk *w, const struct ruleset_statement *s,
		     struct wide *value)
{
	bool ports = w->has_protocol && w->has_ports;

	switch (s->kind & KEY_MASK) {
	case KEY_META_MARK:
		*value = wide(w->mark & s->mask);
		return true;
	case KEY_CT_MARK:
		*value = wide(w->ct_mark & s->mask);
		return true;
	case KEY_PRIORITY:
		*value = wide(w->sticky);
		return true;
	case KEY_SADDR:
	case KEY_SADDR6:
		*value = of_addr(&w->source);
		if (s->mask)
			value->lo &= s->mask;
		return true;
	case KEY_DADDR:
	case KEY_DADDR6:
		*value = of_addr(&w->destination);
		return true;
	case KEY_PROTOCOL:
	case KEY_PORTS_OF:
		*value = wide(w->protocol);
		return w->has_protocol;
	case KEY_SPORT:
		*value = wide(w->source_port);
		return ports;
	case KEY_DPORT:
		*value = wide(w->destination_port);
		return ports;
	case KEY_HASH:
	case KEY_HASH6:
		*value = wide(hash_slot(w, s));
		return true;
	case KEY_FLOW:
	case KEY_FLOW6:
		*value = wide(hash_slot(w, s));
		return ports;
	}
	return false;
}

/* Is the statement about the family of the packet? */
static bool of_family(const struct walk *w, const struct ruleset_statement *s)
{
	const uint8_t family = key_of(s->kind)->family;

	return !family || family == w->source.family;
}

/* The element of a named set that the packet's source is in. The entries that
 * packets wrote are not known, and count as absent.
 */
static const struct ruleset_element *
find_in_set(const struct walk *w, const struct ruleset_statement *s,
	    struct wide key)
{
	static struct ruleset_element content[SET_CONTENT_MAX];
	unsigned int i, n = 0;

	if (set_is_named(w->rs, s->set - 1U))
		return w->named && w->named[s->set - 1] ? content : NULL;
	if (w->state)
		n = set_content(w->rs, s->set - 1U, w->state, content);
	for (i = 0; i < n; i++)
		if (wide_compare(content[i].key, key) <= 0 &&
		    wide_compare(key, content[i].last) <= 0)
			return &content[i];
	return NULL;
}

/* The interface that the packet comes in or leaves by. */
static const char *name_of(const struct walk *w,
			   const struct ruleset_statement *s)
{
	return (s->kind & KEY_MASK) == KEY_IIFNAME ? w->iif : w->oif;
}

/* A verdict map: the rule counts as met when it has the key. */
static const struct ruleset_element *look_up(struct walk *w,
					     const struct ruleset_statement *s,
					     uint32_t *key)
{
	struct wide value = wide(0);

	*key = WALK_NO_KEY;
	if (!of_family(w, s))
		return NULL;
	if (key_of(s->kind)->type == TYPE_IFNAME)
		return find_name(w->rs, s, name_of(w, s));
	if (!value_of(w, s, &value))
		return choose(w, s);
	if (s->set)
		return find_in_set(w, s, value);
	*key = (uint32_t)value.lo;
	return find_key(w->rs, s, value);
}

/* A condition without elements. No rule that decides a packet's way reads those
 * that are not named here: they do not hold.
 */
static enum outcome match_constant(const struct walk *w,
				   const struct ruleset_statement *s)
{
	bool not = (s->kind & OP_MASK) == OP_IF_NOT;

	switch (s->kind & KEY_MASK) {
	case KEY_IPV4:
		return only_if((w->source.family == AF_INET) != not);
	case KEY_IPV6:
		return only_if((w->source.family == AF_INET6) != not);
	case KEY_NEW:
		return only_if(w->is_new != not);
	case KEY_REPLY:
		return only_if(w->is_reply != not);
	case KEY_ORIGINAL:
		return only_if(w->is_reply == not);
	}
	return BREAK;
}

static enum outcome match(struct walk *w, const struct ruleset_statement *s)
{
	bool not = (s->kind & OP_MASK) == OP_IF_NOT, holds;
	const struct key *k = key_of(s->kind);
	struct wide value = wide(0);

	if (k->constant)
		return match_constant(w, s);
	if (!of_family(w, s) || k->from == FROM_TUPLE)
		return BREAK;
	if (k->type == TYPE_IFNAME)
		return only_if(!find_name(w->rs, s, name_of(w, s)) == not);
	if (!value_of(w, s, &value)) {
		w->unsure = true;
		return BREAK;
	}
	if (s->set)
		holds = find_in_set(w, s, value) != NULL;
	else
		holds = s->count ? find_key(w->rs, s, value) != NULL :
				   value.lo == s->value;
	return only_if(holds != not);
}

static void set_mark(struct walk *w, const struct ruleset_statement *s)
{
	uint32_t *mark = s->kind == SET_META_MARK ? &w->mark : &w->ct_mark;

	*mark = (*mark & ~s->mask) | s->value;
}

static enum outcome do_verb(struct walk *w, const struct ruleset_statement *s)
{
	switch (s->kind) {
	case COPY_CT_MARK:
		w->mark = w->ct_mark & s->mask;
		return GO_ON;
	case DO_REJECT:
	case DO_REJECT_ANY:
		w->rejected = true;
		return LEAVE;
	case DO_RETURN:
		return LEAVE;
	case DO_JUMP:
		walk_chain(w, s->chain);
		return w->rejected ? LEAVE : GO_ON;
	case DO_GOTO:
		walk_chain(w, s->chain);
		return LEAVE;
	}
	return GO_ON;
}

/* The entry that goes into the map of the hosts' links. */
static enum outcome write_set(struct walk *w,
			      const struct ruleset_statement *s)
{
	if (!of_family(w, s) || key_of(s->kind)->from == FROM_TUPLE)
		return BREAK;
	if (!set_is_map(w->rs, s->set - 1U))
		return GO_ON;
	if ((s->kind & OP_MASK) == OP_DELETE)
		w->sticky = 0;
	else if ((s->kind & OP_MASK) == OP_ADD && !w->sticky)
		w->sticky = s->value;
	return GO_ON;
}

static enum outcome act(struct walk *w, const struct ruleset_statement *s)
{
	switch (s->kind & OP_MASK) {
	case OP_SET:
		set_mark(w, s);
		return GO_ON;
	case OP_RECALL:
		return only_if(w->sticky && of_family(w, s));
	case OP_ADD:
	case OP_DELETE:
	case OP_UPDATE:
		return write_set(w, s);
	case OP_CLAMP:
		return GO_ON;
	case OP_DO:
		return do_verb(w, s);
	}
	return match(w, s);
}

static void note(struct walk *w, unsigned int rule, uint32_t key,
		 uint32_t mark)
{
	if (w->n_steps == WALK_STEPS)
		return;
	w->step[w->n_steps++] = (struct walk_step){
		.rule = (uint16_t)rule, .key = key, .mark = mark,
	};
}

/* Returns true when the walk leaves the rule's chain. The step of a rule goes
 * before those of the chain that it leads to.
 */
static bool walk_rule(struct walk *w, unsigned int number)
{
	const struct ruleset_rule *r = &w->rs->rule[number];
	const struct ruleset_statement *s = &w->rs->statement[r->first];
	const struct ruleset_element *e;
	const uint32_t mark = w->mark;
	uint32_t key = WALK_NO_KEY;
	unsigned int i;
	enum outcome outcome = GO_ON;

	w->asked |= r->policy &&
		    w->rs->chain[r->chain].hook == HOOK_PREROUTING;
	for (i = 0; i < r->count; i++, s++) {
		if (ruleset_is_map(s)) {
			e = look_up(w, s, &key);
			if (!e)
				return false;
			note(w, number, key, mark);
			walk_chain(w, e->chain);
			return true;
		}
		/* The verdict comes last in its rule. */
		if (i + 1 == r->count && (s->kind & OP_MASK) >= OP_SET)
			note(w, number, key, mark);
		outcome = act(w, s);
		if (outcome != GO_ON)
			break;
	}
	return outcome == LEAVE;
}

static void walk_chain(struct walk *w, uint16_t chain)
{
	unsigned int i;

	for (i = 0; i < w->rs->n_rules && !w->rejected; i++)
		if (w->rs->rule[i].chain == chain && walk_rule(w, i))
			return;
}

void walk(struct walk *w, enum ruleset_hook hook)
{
	const struct ruleset_chain *c = w->rs->chain;
	unsigned int i;

	for (i = 0; i < w->rs->n_chains && !w->rejected; i++)
		if (c[i].hook == hook && c[i].type != TYPE_NAT)
			walk_chain(w, (uint16_t)i);
}
