// SPDX-License-Identifier: MIT
/* The table as text, in the words of nft. */
#include <inttypes.h>
#include <linux/netfilter/nf_tables.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "nft/sets.h"

const char *ruleset_type_name(uint8_t type)
{
	static const char *const name[] = {
		[TYPE_FILTER] = "filter", [TYPE_ROUTE] = "route",
		[TYPE_NAT] = "nat",
	};

	return name[type];
}

static const char *hook_name(uint8_t hook)
{
	static const char *const name[] = {
		[HOOK_PREROUTING] = "prerouting", [HOOK_FORWARD] = "forward",
		[HOOK_OUTPUT] = "output", [HOOK_POSTROUTING] = "postrouting",
	};

	return name[hook];
}

/* Text that grows in a buffer of the caller; .len goes on counting when the
 * buffer is full.
 */
struct text {
	char *buf;
	size_t size, len;
};

static void say(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct text *t, const char *fmt, ...)
{
	size_t left = t->len < t->size ? t->size - t->len : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(left ? t->buf + t->len : NULL, left, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n;
}

static void say_range(struct text *t, struct wide first, struct wide last)
{
	say(t, "%" PRIu64, first.lo);
	if (!wide_equal(first, last))
		say(t, "-%" PRIu64, last.lo);
}

static void say_address(struct text *t, struct wide value, uint8_t len)
{
	struct addr a = { .family = len == 4 ? AF_INET : AF_INET6 };
	char text[ADDR_TEXT];

	wide_put(value, a.bytes, len);
	say(t, "%s", addr_text(&a, text));
}

/* An address, a prefix, or a range. */
static void say_addresses(struct text *t, const struct ruleset_element *e,
			  uint8_t len)
{
	int prefix = wide_prefix(e->key, e->last, 8U * len);

	say_address(t, e->key, len);
	if (prefix < 0) {
		say(t, "-");
		say_address(t, e->last, len);
	} else if (prefix < 8 * len) {
		say(t, "/%d", prefix);
	}
}

/* A mark as the value of the map: nft has no type for scratch registers but
 * that of traffic classes, "major:minor", where all ones are "root".
 */
static void say_class(struct text *t, uint32_t mark)
{
	if (mark == UINT32_MAX)
		say(t, "root");
	else
		say(t, "%" PRIx32 ":%" PRIx32, mark >> 16, mark & 0xffff);
}

static void say_key(struct text *t, const struct key *k,
		    const struct ruleset_element *e)
{
	char protocol[PROTOCOL_TEXT];
	uint32_t number = (uint32_t)e->key.lo;

	switch (k->type) {
	case TYPE_INTEGER:
	case TYPE_SERVICE:
		say_range(t, e->key, e->last);
		break;
	case TYPE_IPV4:
	case TYPE_IPV6:
		say_addresses(t, e, k->len);
		break;
	case TYPE_PROTOCOL:
		say(t, "%s", protocol_text((uint8_t)number, protocol));
		break;
	case TYPE_CLASS:
		say_class(t, number);
		break;
	case TYPE_MARK:
		say(t, "0x%08" PRIx32, number);
		break;
	default:
		say(t, "\"%s\"", e->name);
	}
}

static void say_turns(struct text *t, const struct ruleset *rs,
		      const struct ruleset_statement *s)
{
	int32_t lag[LINKS_MAX] = { 0 };
	const struct ruleset_element *e;
	uint32_t i;

	for (i = 0; i < s->value; i++) {
		e = &rs->element[s->first + ruleset_turn(rs, s, lag)];
		say(t, "%s%" PRIu32 " : goto %s", i ? ", " : "{ ", i,
		    rs->chain[e->chain].name);
	}
	say(t, " }");
}

static void say_elements(struct text *t, const struct ruleset *rs,
			 const struct ruleset_statement *s)
{
	const struct ruleset_element *e = &rs->element[s->first];
	unsigned int i;

	if (!ruleset_has_set(s)) {
		say_key(t, key_of(s->kind), e);
		return;
	}
	if (s->kind == TO_TURNS) {
		say_turns(t, rs, s);
		return;
	}
	for (i = 0; i < s->count; i++, e++) {
		say(t, i ? ", " : "{ ");
		say_key(t, key_of(s->kind), e);
		if (ruleset_is_map(s))
			say(t, " : goto %s", rs->chain[e->chain].name);
	}
	say(t, " }");
}

static const char *set_of(const struct ruleset *rs,
			  const struct ruleset_statement *s)
{
	return rs->set[s->set - 1].name;
}

/* nft leaves a mask of ones out; of a key that has none it is 0. */
static bool say_mask(struct text *t, const struct key *k, uint32_t mask)
{
	if (!mask || mask == UINT32_MAX || k->type == TYPE_INTEGER)
		return false;
	say(t, " & ");
	if (k->type == TYPE_IPV4)
		say_address(t, wide(mask), k->len);
	else
		say(t, "0x%08" PRIx32, mask);
	return true;
}

/* nft's name of the key, with all its parts. */
static void say_word(struct text *t, const struct ruleset_statement *s)
{
	const struct key *k = key_of(s->kind);
	char protocol[PROTOCOL_TEXT] = "th";

	if (k->type == TYPE_SERVICE && s->value)
		protocol_text((uint8_t)s->value, protocol);
	if (k->type == TYPE_SERVICE)
		say(t, "%s ", protocol);
	say(t, "%s", k->word);
	if (k->type == TYPE_INTEGER)
		say(t, " mod %" PRIu32, s->value);
	if (k->from == FROM_HASH)
		say(t, " seed 0x%" PRIx32, s->mask);
}

static void say_condition(struct text *t, const struct ruleset *rs,
			  const struct ruleset_statement *s)
{
	const struct key *k = key_of(s->kind);
	bool masked;

	say_word(t, s);
	masked = say_mask(t, k, s->mask);
	if (ruleset_is_map(s))
		say(t, " vmap ");
	else if ((s->kind & OP_MASK) == OP_IF_NOT)
		say(t, " != ");
	else
		say(t, masked ? " == " : " ");
	if (k->constant)
		say(t, "%s", k->constant);
	else if (s->set)
		say(t, "@%s", set_of(rs, s));
	else if (s->count)
		say_elements(t, rs, s);
	else
		say(t, "0x%08" PRIx32, s->value);
}

/* nft shows "& 0xffffff01 | 0x01" for what was written as "& 0xffffff00 |
 * 0x01", which is the same.
 */
static void say_set(struct text *t, const struct ruleset_statement *s)
{
	const struct key *k = key_of(s->kind);

	say(t, "%s set %s", k->word, k->word);
	if (!say_mask(t, k, ~s->mask | s->value) && !s->value)
		say(t, " & 0x%08" PRIx32, s->value);
	if (s->value)
		say(t, " | 0x%08" PRIx32, s->value);
}

static void say_element(struct text *t, const struct ruleset *rs,
			const struct ruleset_statement *s, const char *verb)
{
	say(t, "%s @%s { %s", verb, set_of(rs, s), key_of(s->kind)->word);
	if (set_is_map(rs, s->set - 1U)) {
		say(t, " : ");
		say_class(t, s->value);
	}
	say(t, " }");
}

static void say_verb(struct text *t, const struct ruleset *rs,
		     const struct ruleset_statement *s)
{
	static const char *const words[] = {
		[COPY_CT_MARK & KEY_MASK] = "meta mark set ct mark",
		[DO_CLAMP_MSS & KEY_MASK] =
			"tcp option maxseg size set rt mtu",
		[DO_MASQUERADE & KEY_MASK] = "masquerade",
		[DO_COUNT & KEY_MASK] = "counter",
		[DO_DROP & KEY_MASK] = "drop",
		[DO_REJECT_ANY & KEY_MASK] = "reject with icmpx no-route",
		[DO_ZONE & KEY_MASK] = "ct original zone set ",
		[DO_REJECT & KEY_MASK] = "reject with icmp net-unreachable",
		[DO_RETURN & KEY_MASK] = "return",
		[DO_JUMP & KEY_MASK] = "jump ",
		[DO_GOTO & KEY_MASK] = "goto ",
	};

	say(t, "%s", words[s->kind & KEY_MASK]);
	if (s->kind == DO_ZONE)
		say(t, "%d", RULESET_ZONE);
	if (s->kind == COPY_CT_MARK)
		say_mask(t, key_of(KEY_CT_MARK), s->mask);
	if (s->kind == DO_GOTO || s->kind == DO_JUMP)
		say(t, "%s", rs->chain[s->chain].name);
}

static void say_statement(struct text *t, const struct ruleset *rs,
			  const struct ruleset_statement *s)
{
	switch (s->kind & OP_MASK) {
	case OP_SET:
		say_set(t, s);
		break;
	case OP_RECALL:
		say(t, "%s set %s map @%s", key_of(KEY_PRIORITY)->word,
		    key_of(s->kind)->word, set_of(rs, s));
		break;
	case OP_ADD:
		say_element(t, rs, s, "add");
		break;
	case OP_UPDATE:
		say_element(t, rs, s, "update");
		break;
	case OP_DELETE:
		say_element(t, rs, s, "delete");
		break;
	case OP_CLAMP:
		say(t, "tcp option maxseg size set %s map @%s",
		    key_of(s->kind)->word, set_of(rs, s));
		break;
	case OP_DO:
		say_verb(t, rs, s);
		break;
	default:
		say_condition(t, rs, s);
	}
}

static void say_rule(struct text *t, const struct ruleset *rs,
		     const struct ruleset_rule *r)
{
	const struct ruleset_statement *s = &rs->statement[r->first];
	const struct ruleset_statement *end = s + r->count;
	bool first = true;

	for (; s < end; s++) {
		/* Said by the ports after it. */
		if (s->kind == IF_PORTS_OF)
			continue;
		if (!first)
			say(t, " ");
		first = false;
		say_statement(t, rs, s);
	}
}

/* "1d12h", as nft has it. */
static void say_time(struct text *t, uint32_t left)
{
	static const struct {
		uint32_t seconds;
		char name;
	} units[] = {
		{ 24 * 60 * 60, 'd' }, { 60 * 60, 'h' }, { 60, 'm' },
		{ 1, 's' },
	};
	size_t i;

	for (i = 0; i < COUNT(units); left %= units[i++].seconds)
		if (left / units[i].seconds)
			say(t, "%" PRIu32 "%c", left / units[i].seconds,
			    units[i].name);
}

static void say_set_head(struct text *t, const struct ruleset_set *set)
{
	const struct set_shape *k = set_shape(set->kind);

	say(t, "\n\t%s %s {\n\t\t%s\n", k->flags & NFT_SET_MAP ? "map" :
	    "set", set->name, k->text);
	if (k->size)
		say(t, "\t\tsize %" PRIu32 "\n", k->size);
	if (k->flags & NFT_SET_EVAL)
		say(t, "\t\tflags dynamic,timeout\n");
	if (k->flags & NFT_SET_INTERVAL)
		say(t, "\t\tflags interval%s\n",
		    k->flags & NFT_SET_TIMEOUT ? ",timeout" : "");
	if (set->timeout) {
		say(t, "\t\ttimeout ");
		say_time(t, set->timeout);
		say(t, "\n");
	}
	say(t, "\t}\n");
}

static void say_priority(struct text *t, const struct ruleset_chain *c)
{
	if (c->priority == RULESET_RAW)
		say(t, "raw");
	else if (c->priority == RULESET_SRCNAT)
		say(t, "srcnat");
	else if (c->priority > RULESET_SRCNAT)
		say(t, "srcnat + %d", c->priority - RULESET_SRCNAT);
	else if (c->priority == RULESET_MANGLE)
		say(t, "mangle");
	else
		say(t, "mangle + %d", c->priority - RULESET_MANGLE);
}

size_t ruleset_print_rule(const struct ruleset *rs,
			  const struct ruleset_rule *rule, char *buf,
			  size_t size)
{
	struct text t = { .buf = buf, .size = size };

	say_rule(&t, rs, rule);
	return t.len;
}

size_t ruleset_print(const struct ruleset *rs, char *buf, size_t size)
{
	struct text t = { .buf = buf, .size = size };
	unsigned int i, r = 0;

	say(&t, "table inet %s {", RULESET_TABLE);
	for (i = 0; i < rs->n_sets; i++)
		say_set_head(&t, &rs->set[i]);
	for (i = 0; i < rs->n_chains; i++) {
		const struct ruleset_chain *c = &rs->chain[i];

		say(&t, "\n\tchain %s {\n", c->name);
		if (c->hook != HOOK_NONE) {
			say(&t, "\t\ttype %s hook %s priority ",
			    ruleset_type_name(c->type),
			    hook_name(c->hook));
			say_priority(&t, c);
			say(&t, "; policy accept;\n");
		}
		for (; r < rs->n_rules && rs->rule[r].chain == i; r++) {
			say(&t, "\t\t");
			say_rule(&t, rs, &rs->rule[r]);
			say(&t, "\n");
		}
		say(&t, "\t}\n");
	}
	say(&t, "}\n");
	return t.len;
}

static void say_content(struct text *t, const struct ruleset *rs,
			const struct ruleset_set *set,
			const struct ruleset_element *e, unsigned int n)
{
	const struct set_shape *k = set_shape(set->kind);
	unsigned int i;

	say(t, "add element inet %s %s ", RULESET_TABLE, set->name);
	for (i = 0; i < n; i++, e++) {
		say(t, i ? ", " : "{ ");
		if (k->headers)
			say(t, "\"%s\" : %" PRIu64, e->name, e->last.lo);
		else
			say_addresses(t, e, (uint8_t)k->key_len);
		if (k->flags & NFT_SET_MAP && !k->headers)
			say(t, " : goto %s", rs->chain[e->chain].name);
	}
	say(t, " }\n");
}

size_t table_state_print(const struct ruleset *rs,
			 const struct table_state *state, char *buf,
			 size_t size)
{
	static struct ruleset_element content[SET_CONTENT_MAX];
	struct text t = { .buf = buf, .size = size };
	unsigned int i, n;

	say(&t, "%s", "");
	for (i = 0; i < rs->n_sets; i++) {
		const struct ruleset_set *set = &rs->set[i];

		if (!set_is_filled(rs, i))
			continue;
		n = set_content(rs, i, state, content);
		say(&t, "flush %s inet %s %s\n",
		    set_shape(set->kind)->flags & NFT_SET_MAP ? "map" : "set",
		    RULESET_TABLE, set->name);
		if (n)
			say_content(&t, rs, set, content, n);
	}
	return t.len;
}
