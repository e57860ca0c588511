// SPDX-License-Identifier: MIT
/* The table as text, in the words of nft. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "nft/table.h"

const char *ruleset_type_name(uint8_t type)
{
	static const char *const name[] = {
		[TYPE_FILTER] = "filter", [TYPE_ROUTE] = "route",
		[TYPE_NAT] = "nat",
	};

	return name[type];
}

const char *ruleset_hook_name(uint8_t hook)
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

static void say_range(struct text *t, uint32_t first, uint32_t last)
{
	say(t, "%" PRIu32, first);
	if (last > first)
		say(t, "-%" PRIu32, last);
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

static void say_key(struct text *t, const struct ruleset_statement *s,
		    const struct ruleset_element *e)
{
	const struct range r = { e->key, e->last };
	char range[RANGE_TEXT], protocol[PROTOCOL_TEXT];

	switch (s->kind) {
	case TO_HASH:
	case TO_FLOW:
	case TO_RANDOM:
	case TO_TURNS:
	case IF_SPORT:
	case IF_DPORT:
		say_range(t, e->key, e->last);
		break;
	case IF_SADDR:
	case IF_DADDR:
		say(t, "%s", range_text(&r, range));
		break;
	case IF_PROTOCOL:
		say(t, "%s", protocol_text((uint8_t)e->key, protocol));
		break;
	case TO_SADDR:
		/* At most the last octet's bits, as the parity has it. */
		say(t, "0.0.0.%" PRIu32, e->key);
		break;
	case TO_PRIORITY:
		say_class(t, e->key);
		break;
	case TO_CT_MARK:
	case TO_META_MARK:
	case IF_META_MARKS:
		say(t, "0x%08" PRIx32, e->key);
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
		say_key(t, s, e);
		return;
	}
	if (s->kind == TO_TURNS) {
		say_turns(t, rs, s);
		return;
	}
	for (i = 0; i < s->count; i++, e++) {
		say(t, i ? ", " : "{ ");
		say_key(t, s, e);
		if (ruleset_is_map(s))
			say(t, " : goto %s", rs->chain[e->chain].name);
	}
	say(t, " }");
}

/* nft shows "& 0xffffff01 | 0x01" for what was written as "& 0xffffff00 |
 * 0x01", which is the same, and leaves a mask of ones out.
 */
static void say_mark(struct text *t, const char *what, uint32_t mask)
{
	say(t, "%s ", what);
	if (mask != UINT32_MAX)
		say(t, "& 0x%08" PRIx32 " ", mask);
}

static void say_set_mark(struct text *t, const struct ruleset_statement *s,
			 const char *what)
{
	say(t, "%s set ", what);
	say_mark(t, what, ~s->mask | s->value);
	say(t, "| 0x%08" PRIx32, s->value);
}

static void say_compared(struct text *t, const struct ruleset_statement *s)
{
	bool ct = s->kind == IF_CT_MARK || s->kind == IF_NOT_CT_MARK;
	bool not = s->kind == IF_NOT_META_MARK || s->kind == IF_NOT_CT_MARK;

	say_mark(t, ct ? "ct mark" : "meta mark", s->mask);
	if (not)
		say(t, "!= ");
	else if (s->mask != UINT32_MAX)
		say(t, "== ");
	if (s->kind != IF_META_MARKS)
		say(t, "0x%08" PRIx32, s->value);
}

static void say_ports(struct text *t, const struct ruleset_statement *s)
{
	char protocol[PROTOCOL_TEXT] = "th";

	if (s->value)
		protocol_text((uint8_t)s->value, protocol);
	say(t, "%s %s ", protocol, s->kind == IF_SPORT ? "sport" : "dport");
}

static void say_sticky(struct text *t, const struct ruleset_statement *s,
		       const char *verb)
{
	say(t, "%s @%s { ip saddr : ", verb, RULESET_STICKY);
	say_class(t, s->value);
	say(t, " }");
}

static const char *const words[] = {
	[IF_NOT_IPV4] = "meta nfproto != ipv4",
	[IF_IIFNAME] = "iifname ",
	[IF_NOT_IIFNAME] = "iifname != ",
	[IF_OIFNAME] = "oifname ",
	[IF_NOT_OIFNAME] = "oifname != ",
	[IF_NEW] = "ct state new",
	[IF_NOT_NEW] = "ct state != new",
	[IF_REPLY] = "ct direction reply",
	[IF_NO_IPSEC] = "rt ipsec missing",
	[IF_SNAT] = "ct status snat",
	[IF_ELSEWHERE] = "fib saddr type != local",
	[IF_FOREIGN] = "fib saddr . oif type != local",
	[IF_TCP_SYN] = "tcp flags syn / syn,rst",
	[IF_SADDR] = "ip saddr ",
	[IF_DADDR] = "ip daddr ",
	[IF_PROTOCOL] = "meta l4proto ",
	[TO_IIFNAME] = "iifname vmap ",
	[TO_OIFNAME] = "oifname vmap ",
	[TO_PRIORITY] = "meta priority vmap ",
	[SET_PRIORITY] = ("meta priority set ip saddr map @"
			  RULESET_STICKY),
	[DO_CLAMP_MSS] = "tcp option maxseg size set rt mtu",
	[DO_MASQUERADE] = "masquerade",
	[DO_COUNT] = "counter",
	[DO_DROP] = "drop",
	[DO_REJECT] = "reject with icmp net-unreachable",
	[DO_RETURN] = "return",
	[DO_JUMP] = "jump ",
	[DO_GOTO] = "goto ",
};

/* What chooses a link: the key of its map. */
static void say_choice(struct text *t, const struct ruleset_statement *s)
{
	switch (s->kind) {
	case TO_HASH:
		say(t, "jhash ip saddr mod %" PRIu32 " seed 0x%" PRIx32,
		    s->value, s->mask);
		break;
	case TO_FLOW:
		say(t, "jhash ip saddr . ip daddr . ip protocol . th sport . "
		    "th dport mod %" PRIu32 " seed 0x%" PRIx32, s->value,
		    s->mask);
		break;
	case TO_RANDOM:
		say(t, "numgen random mod %" PRIu32, s->value);
		break;
	case TO_TURNS:
		say(t, "numgen inc mod %" PRIu32, s->value);
		break;
	default:
		say(t, "ip saddr & 0.0.0.%" PRIu32, s->mask);
	}
	say(t, " vmap ");
}

static void say_head(struct text *t, const struct ruleset_statement *s)
{
	switch (s->kind) {
	case IF_META_MARK:
	case IF_NOT_META_MARK:
	case IF_META_MARKS:
	case IF_CT_MARK:
	case IF_NOT_CT_MARK:
		say_compared(t, s);
		break;
	case IF_SPORT:
	case IF_DPORT:
		say_ports(t, s);
		break;
	case TO_META_MARK:
	case TO_CT_MARK:
		say_mark(t, s->kind == TO_CT_MARK ? "ct mark" : "meta mark",
			 s->mask);
		say(t, "vmap ");
		break;
	case TO_HASH:
	case TO_FLOW:
	case TO_RANDOM:
	case TO_TURNS:
	case TO_SADDR:
		say_choice(t, s);
		break;
	case COPY_CT_MARK:
		say(t, "meta mark set ct mark");
		if (s->mask != UINT32_MAX)
			say(t, " & 0x%08" PRIx32, s->mask);
		break;
	case SET_META_MARK:
		say_set_mark(t, s, "meta mark");
		break;
	case SET_CT_MARK:
		say_set_mark(t, s, "ct mark");
		break;
	case ADD_STICKY:
		say_sticky(t, s, "add");
		break;
	case UPDATE_STICKY:
		say_sticky(t, s, "update");
		break;
	case DELETE_STICKY:
		say_sticky(t, s, "delete");
		break;
	default:
		say(t, "%s", words[s->kind]);
	}
}

static void say_rule(struct text *t, const struct ruleset *rs,
		     const struct ruleset_rule *r)
{
	const struct ruleset_statement *s = &rs->statement[r->first];
	const struct ruleset_statement *end = s + r->count;
	bool first = true;

	for (; s < end; s++) {
		/* Said by the ports behind it. */
		if (s->kind == IF_PORTS_OF)
			continue;
		if (!first)
			say(t, " ");
		first = false;
		say_head(t, s);
		if (s->kind == DO_GOTO || s->kind == DO_JUMP)
			say(t, "%s", rs->chain[s->chain].name);
		else if (s->count)
			say_elements(t, rs, s);
	}
}

/* "1d12h", as nft has it. */
static void say_map(struct text *t, const struct ruleset *rs)
{
	static const struct {
		uint32_t seconds;
		char name;
	} units[] = {
		{ 24 * 60 * 60, 'd' }, { 60 * 60, 'h' }, { 60, 'm' },
		{ 1, 's' },
	};
	uint32_t left = rs->sticky;
	size_t i;

	say(t, "\n\tmap %s {\n\t\ttype ipv4_addr : classid\n"
	    "\t\tsize %d\n\t\tflags dynamic,timeout\n\t\ttimeout ",
	    RULESET_STICKY, RULESET_STICKY_SIZE);
	for (i = 0; i < COUNT(units); left %= units[i++].seconds)
		if (left / units[i].seconds)
			say(t, "%" PRIu32 "%c", left / units[i].seconds,
			    units[i].name);
	say(t, "\n\t}\n");
}

static void say_priority(struct text *t, const struct ruleset_chain *c)
{
	if (c->priority == RULESET_SRCNAT)
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
	if (rs->sticky)
		say_map(&t, rs);
	for (i = 0; i < rs->n_chains; i++) {
		const struct ruleset_chain *c = &rs->chain[i];

		say(&t, "\n\tchain %s {\n", c->name);
		if (c->hook != HOOK_NONE) {
			say(&t, "\t\ttype %s hook %s priority ",
			    ruleset_type_name(c->type),
			    ruleset_hook_name(c->hook));
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
