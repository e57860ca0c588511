// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <string.h>

#include "nft/jhash.h"
#include "nft/trace.h"

/* What a statement makes of its rule and chain. */
enum outcome {
	GO_ON,		/* with the next statement */
	BREAK,		/* the next rule */
	LEAVE,		/* the chain, or the whole walk if rejected */
};

static void walk_chain(struct walk *w, uint16_t chain);

static const struct ruleset_element *
find_key(const struct ruleset *rs, const struct ruleset_statement *s,
	 uint32_t key)
{
	const struct ruleset_element *e = &rs->element[s->first];
	unsigned int i;

	for (i = 0; i < s->count; i++, e++)
		if (e->key <= key && key <= e->last)
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

/* A condition about what may not be known. */
static enum outcome only_if_known(struct walk *w, bool known,
				  const struct ruleset_statement *s,
				  uint32_t key)
{
	if (!known)
		w->unsure = true;
	return only_if(known && find_key(w->rs, s, key));
}

/* net/netfilter/nft_hash.c, nft_jhash_eval(), of registers as nftmsg.c loads
 * them: each field in the first bytes of four, in network order.
 */
static uint32_t hash_slot(const struct walk *w,
			  const struct ruleset_statement *s)
{
	uint8_t reg[5][4] = { { 0 } };
	size_t len = sizeof(reg[0]);
	const uint32_t source = htonl(w->source), to = htonl(w->destination);
	const uint16_t sport = htons(w->source_port);
	const uint16_t dport = htons(w->destination_port);

	memcpy(reg[0], &source, sizeof(source));
	if (s->kind == TO_FLOW) {
		memcpy(reg[1], &to, sizeof(to));
		reg[2][0] = w->protocol;
		memcpy(reg[3], &sport, sizeof(sport));
		memcpy(reg[4], &dport, sizeof(dport));
		len = sizeof(reg);
	}
	/* reciprocal_scale() */
	return (uint32_t)((uint64_t)jhash(reg, len, s->mask) * s->value >> 32);
}

/* What nobody can know: the caller has chosen. */
static const struct ruleset_element *
choose(struct walk *w, const struct ruleset_statement *s)
{
	const struct ruleset_element *e = &w->rs->element[s->first];
	unsigned int i;

	w->n_choices = s->count;
	w->shares = 0;
	for (i = 0; i < s->count; i++)
		w->shares += e[i].last - e[i].key + 1;
	e += w->choice < s->count ? w->choice : 0;
	w->share = e->last - e->key + 1;
	return e;
}

/* A verdict map: the rule counts as met when it has the key. */
static const struct ruleset_element *look_up(struct walk *w,
					     const struct ruleset_statement *s,
					     uint32_t *key)
{
	*key = WALK_NO_KEY;
	switch (s->kind) {
	case TO_IIFNAME:
		return find_name(w->rs, s, w->iif);
	case TO_OIFNAME:
		return find_name(w->rs, s, w->oif);
	case TO_META_MARK:
		*key = w->mark & s->mask;
		break;
	case TO_CT_MARK:
		*key = w->ct_mark & s->mask;
		break;
	case TO_PRIORITY:
		*key = w->sticky;
		break;
	case TO_SADDR:
		*key = w->source & s->mask;
		break;
	case TO_FLOW:
		if (!w->has_protocol || !w->has_ports)
			return choose(w, s);
		*key = hash_slot(w, s);
		break;
	case TO_HASH:
		*key = hash_slot(w, s);
		break;
	default:
		return choose(w, s);
	}
	return find_key(w->rs, s, *key);
}

/* Conditions of interfaces, addresses, protocols and ports. */
static enum outcome match(struct walk *w, const struct ruleset_statement *s)
{
	const struct ruleset *rs = w->rs;
	bool ports = w->has_protocol && w->has_ports;

	switch (s->kind) {
	case IF_IIFNAME:
		return only_if(find_name(rs, s, w->iif));
	case IF_NOT_IIFNAME:
		return only_if(!find_name(rs, s, w->iif));
	case IF_OIFNAME:
		return only_if(find_name(rs, s, w->oif));
	case IF_NOT_OIFNAME:
		return only_if(!find_name(rs, s, w->oif));
	case IF_SADDR:
		return only_if(find_key(rs, s, w->source));
	case IF_DADDR:
		return only_if(find_key(rs, s, w->destination));
	case IF_PROTOCOL:
	case IF_PORTS_OF:
		return only_if_known(w, w->has_protocol, s, w->protocol);
	case IF_SPORT:
		return only_if_known(w, ports, s, w->source_port);
	default:
		return only_if_known(w, ports, s, w->destination_port);
	}
}

static enum outcome act(struct walk *w, const struct ruleset_statement *s)
{
	switch (s->kind) {
	case IF_NEW:
		return only_if(w->is_new);
	case IF_NOT_NEW:
		return only_if(!w->is_new);
	case IF_REPLY:
		return only_if(w->is_reply);
	case IF_META_MARK:
		return only_if((w->mark & s->mask) == s->value);
	case IF_NOT_META_MARK:
		return only_if((w->mark & s->mask) != s->value);
	case IF_META_MARKS:
		return only_if(find_key(w->rs, s, w->mark & s->mask));
	case IF_CT_MARK:
		return only_if((w->ct_mark & s->mask) == s->value);
	case IF_NOT_CT_MARK:
		return only_if((w->ct_mark & s->mask) != s->value);
	case SET_META_MARK:
		w->mark = (w->mark & ~s->mask) | s->value;
		return GO_ON;
	case SET_CT_MARK:
		w->ct_mark = (w->ct_mark & ~s->mask) | s->value;
		return GO_ON;
	case COPY_CT_MARK:
		w->mark = w->ct_mark & s->mask;
		return GO_ON;
	case SET_PRIORITY:
		return only_if(w->sticky);
	case ADD_STICKY:
		if (!w->sticky)
			w->sticky = s->value;
		return GO_ON;
	case DELETE_STICKY:
		w->sticky = 0;
		return GO_ON;
	case UPDATE_STICKY:
	case DO_CLAMP_MSS:
		return GO_ON;
	case DO_REJECT:
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
	case IF_NOT_IPV4:
	case IF_TCP_SYN:
		/* Every packet here is the one, and no SYN makes a
		 * difference.
		 */
		return BREAK;
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
		/* What decides comes last in its rule. */
		if (i + 1 == r->count && s->kind >= SET_META_MARK)
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
