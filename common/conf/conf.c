// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "conf/conf.h"
#include "conf/rttables.h"
#include "kernel/route.h"

enum {
	/* inih's INI_MAX_LINE is 200 as packaged: a longer line would be
	 * split, and its tail taken for a line of its own.
	 */
	LINE_LEN_MAX = 198,
	/* What the rules' priorities must stay below: main's own rule. */
	PRIORITY_SPAN = 1000,
	PRIORITY_MAIN = 32766,
	STICKY_MAX = 365 * 24 * 60 * 60,
};

/* Everything that is known only while the file is read. */
struct parse {
	struct conf *conf;
	const char *path;
	char *next;			/* the rest of the text */
	unsigned int line;
	bool unread;			/* the line has not come to handle() */
	/* IN_REFUSED: what is below a head that was refused is passed over. */
	enum { IN_NONE, IN_MWAN, IN_LINK, IN_POLICY, IN_REFUSED } section;
	unsigned int seen;		/* bit per key of the section */
	bool balance_given, mwan_given;
	unsigned int balance_line, lan_line;
	struct link_parse {
		unsigned int line, mark_line, table_line;
		bool qdisc_given;
	} link[LINKS_MAX];
	struct policy_parse {
		unsigned int line, use_line, if_down_line, port_line;
		unsigned int interface_line;
		char use[IFNAMSIZ];	/* links may follow the policies */
	} policy[POLICIES_MAX];
	struct err *err;
	int code;
	struct conf_faults *faults;	/* NULL: the first one is enough */
	bool finishing;			/* every line has been read */
	bool tables_loaded;
	struct rttables tables;		/* last: large, and not cleared */
};

static const char *const balances[] = {
	[BALANCE_SOURCE] = "source",
	[BALANCE_SOURCE_PARITY] = "source-parity",
	[BALANCE_FLOW] = "flow",
	[BALANCE_ROUND_ROBIN] = "round-robin",
	[BALANCE_RANDOM] = "random",
};

static const char *const last_resorts[] = {
	[LAST_RESORT_MAIN] = "main",
	[LAST_RESORT_UNREACHABLE] = "unreachable",
	[LAST_RESORT_BLACKHOLE] = "blackhole",
};

/* The value of one key; returns 0 or -EINVAL after fail(). */
typedef int (*set_fn)(struct parse *p, const char *key, const char *value);

static int fail(struct parse *p, unsigned int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* In the order of the lines: what is wrong with a link is known only at the
 * end of the file.
 */
static void push_fault(struct parse *p, unsigned int line,
		       const struct err *err)
{
	struct conf_faults *f = p->faults;
	unsigned int i;

	/* What was refused when it was read is not judged again. */
	for (i = 0; p->finishing && i < f->n; i++)
		if (f->fault[i].line == line && f->fault[i].as_read)
			return;
	if (f->n == CONF_FAULTS_MAX) {
		f->more++;
		return;
	}
	for (i = f->n++; i && f->fault[i - 1].line > line; i--)
		f->fault[i] = f->fault[i - 1];
	f->fault[i] = (struct conf_fault){ line, !p->finishing, *err };
}

static int fail(struct parse *p, unsigned int line, const char *fmt, ...)
{
	char what[400];
	struct err err;
	va_list ap;

	if (p->code && !p->faults)
		return p->code;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	/* Of what is in no file there is no line. */
	if (line)
		err_set(&err, -EINVAL, "%s:%u: %s", p->path, line, what);
	else
		err_set(&err, -EINVAL, "%s: %s", p->path, what);
	if (!p->code)
		err_set(p->err, -EINVAL, "%s", err.msg);
	if (p->faults)
		push_fault(p, line, &err);
	p->code = -EINVAL;
	return p->code;
}

static int number(struct parse *p, const char *key, const char *value,
		  uint32_t min, uint32_t max, uint32_t *out)
{
	if (!u32_parse(value, min, max, out))
		return 0;
	return fail(p, p->line, "%s = \"%s\" is not a number from %u to %u",
		    key, value, min, max);
}

static int yes_no(struct parse *p, const char *key, const char *value,
		  bool *out)
{
	*out = !strcmp(value, "yes");
	if (*out || !strcmp(value, "no"))
		return 0;
	return fail(p, p->line, "%s = \"%s\" is neither yes nor no", key,
		    value);
}

/* A file that gives every table by number never needs their names. */
static uint32_t table_named(struct parse *p, const char *name)
{
	if (!p->tables_loaded)
		rttables_load(&p->tables);
	p->tables_loaded = true;
	return rttables_find(&p->tables, name);
}

static int table(struct parse *p, const char *key, const char *value,
		 uint32_t *out)
{
	if (u32_parse(value, 1, UINT32_MAX, out)) {
		*out = table_named(p, value);
		if (!*out)
			return fail(p, p->line, "%s = \"%s\" is neither a "
				    "number from 1 to 4294967295 nor a name "
				    "in /etc/iproute2/rt_tables", key, value);
	}
	if (*out >= TABLE_DEFAULT && *out <= TABLE_LOCAL)
		return fail(p, p->line, "%s = \"%s\": the tables local, main "
			    "and default are the system's, take another", key,
			    value);
	return 0;
}

static int set_queue(struct parse *p, const char *value, struct qdisc_conf *q)
{
	struct err err;

	return qdisc_conf_parse(value, q, &err) ?
	       fail(p, p->line, "%s", err.msg) : 0;
}

static int set_log(struct parse *p, const char *key, const char *value)
{
	if (value[0] == '/' && !str_copy(p->conf->log, sizeof(p->conf->log),
					 value))
		return 0;
	return fail(p, p->line, "%s = \"%s\" is not an absolute path like "
		    CONF_LOG, key, value);
}

static int set_rule_priority(struct parse *p, const char *key,
			     const char *value)
{
	return number(p, key, value, 1, PRIORITY_MAIN - PRIORITY_SPAN,
		      &p->conf->rule_priority);
}

static int set_mark_mask(struct parse *p, const char *key, const char *value)
{
	/* Which marks would fit a mask that was refused is not known. */
	p->conf->mark_mask = UINT32_MAX;
	return number(p, key, value, 1, UINT32_MAX, &p->conf->mark_mask);
}

static int set_nexthop_base(struct parse *p, const char *key,
			    const char *value)
{
	return number(p, key, value, 1, UINT32_MAX - NEXTHOP_SPAN,
		      &p->conf->nexthop_base);
}

static int set_standby_table(struct parse *p, const char *key,
			     const char *value)
{
	return table(p, key, value, &p->conf->standby_table);
}

static int set_lan(struct parse *p, const char *key, const char *value)
{
	struct conf *c = p->conf;
	char words[LINE_LEN_MAX + 2], *word, *save;

	p->lan_line = p->line;
	str_copy(words, sizeof(words), value);
	for (word = strtok_r(words, " \t,", &save); word;
	     word = strtok_r(NULL, " \t,", &save)) {
		if (!ifname_valid(word))
			return fail(p, p->line, "%s: \"%s\" " IFNAME_RULE,
				    key, word);
		if (c->n_lan == LAN_MAX)
			return fail(p, p->line, "%s: more than %d interfaces: "
				    "without %s all but the links count", key,
				    LAN_MAX, key);
		str_copy(c->lan[c->n_lan++], IFNAMSIZ, word);
	}
	return 0;
}

static int set_balance(struct parse *p, const char *key, const char *value)
{
	unsigned int i;

	p->balance_given = true;
	p->balance_line = p->line;
	for (i = 0; i < COUNT(balances); i++) {
		p->conf->balance = i;
		if (!strcmp(value, balances[i]))
			return 0;
	}
	return fail(p, p->line, "%s = \"%s\" is none of: source, "
		    "source-parity, flow, round-robin, random", key, value);
}

static const struct {
	char name;
	uint32_t seconds;
} time_units[] = {
	{ 'd', 24 * 60 * 60 }, { 'h', 60 * 60 }, { 'm', 60 }, { 's', 1 },
};

static int set_sticky(struct parse *p, const char *key, const char *value)
{
	size_t digits = strspn(value, "0123456789"), i;
	char head[12] = "";
	uint32_t n;

	p->conf->sticky = 0;
	if (!strcmp(value, "0"))
		return 0;
	if (digits < sizeof(head))
		memcpy(head, value, digits);
	for (i = 0; i < COUNT(time_units); i++) {
		if (value[digits] != time_units[i].name || value[digits + 1] ||
		    u32_parse(head, 1, STICKY_MAX / time_units[i].seconds, &n))
			continue;
		p->conf->sticky = n * time_units[i].seconds;
		return 0;
	}
	return fail(p, p->line, "%s = \"%s\" is neither 0 nor a time up to "
		    "365d: a number and s, m, h or d", key, value);
}

static int set_masquerade(struct parse *p, const char *key, const char *value)
{
	return yes_no(p, key, value, &p->conf->masquerade);
}

static int set_clamp_mss(struct parse *p, const char *key, const char *value)
{
	return yes_no(p, key, value, &p->conf->clamp_mss);
}

static int set_sysctl(struct parse *p, const char *key, const char *value)
{
	return yes_no(p, key, value, &p->conf->sysctl);
}

static int set_last_resort(struct parse *p, const char *key,
			   const char *value)
{
	unsigned int i;

	p->conf->last_resort_given = true;
	for (i = 0; i < COUNT(last_resorts); i++) {
		p->conf->last_resort = i;
		if (!strcmp(value, last_resorts[i]))
			return 0;
	}
	return fail(p, p->line, "%s = \"%s\" is none of: main, unreachable, "
		    "blackhole", key, value);
}

static int set_failback(struct parse *p, const char *key, const char *value)
{
	p->conf->failback = FAILBACK_STAY;
	if (!strcmp(value, "stay"))
		return 0;
	p->conf->failback = FAILBACK_MOVE;
	if (!strcmp(value, "move"))
		return 0;
	return fail(p, p->line, "%s = \"%s\" is neither stay nor move", key,
		    value);
}

static int set_qdisc(struct parse *p, const char *key, const char *value)
{
	(void)key;
	return set_queue(p, value, &p->conf->qdisc);
}

static struct conf_link *link_of(struct parse *p)
{
	return &p->conf->link[p->conf->n_links - 1];
}

static int set_link_table(struct parse *p, const char *key, const char *value)
{
	p->link[p->conf->n_links - 1].table_line = p->line;
	return table(p, key, value, &link_of(p)->table);
}

static int set_link_mark(struct parse *p, const char *key, const char *value)
{
	p->link[p->conf->n_links - 1].mark_line = p->line;
	link_of(p)->mark_given = true;
	return number(p, key, value, 1, UINT32_MAX, &link_of(p)->mark);
}

static int small_number(struct parse *p, const char *key, const char *value,
			uint8_t *out)
{
	uint32_t n = *out;
	int code = number(p, key, value, 1, UINT8_MAX, &n);

	*out = (uint8_t)n;
	return code;
}

static int set_link_weight(struct parse *p, const char *key, const char *value)
{
	return small_number(p, key, value, &link_of(p)->weight);
}

static int set_link_tier(struct parse *p, const char *key, const char *value)
{
	return small_number(p, key, value, &link_of(p)->tier);
}

static int set_link_qdisc(struct parse *p, const char *key, const char *value)
{
	(void)key;
	p->link[p->conf->n_links - 1].qdisc_given = true;
	return set_queue(p, value, &link_of(p)->qdisc);
}

static struct policy *policy_of(struct parse *p)
{
	return &p->conf->policy[p->conf->n_policies - 1];
}

static struct policy_parse *policy_parse_of(struct parse *p)
{
	return &p->policy[p->conf->n_policies - 1];
}

static int set_policy_list(struct parse *p, const char *key, const char *value)
{
	struct err why = { "" };

	if (policy_set(policy_of(p), key, value, &why))
		return fail(p, p->line, "%s: %s", key, why.msg);
	return 0;
}

static int set_policy_port(struct parse *p, const char *key, const char *value)
{
	policy_parse_of(p)->port_line = p->line;
	return set_policy_list(p, key, value);
}

static int set_policy_interface(struct parse *p, const char *key,
				const char *value)
{
	policy_parse_of(p)->interface_line = p->line;
	return set_policy_list(p, key, value);
}

static int set_policy_use(struct parse *p, const char *key, const char *value)
{
	struct policy_parse *q = policy_parse_of(p);

	q->use_line = p->line;
	if (str_copy(q->use, sizeof(q->use), value))
		return fail(p, p->line, "%s = \"%s\" is neither a link nor "
			    "balance nor main", key, value);
	return 0;
}

static int set_policy_if_down(struct parse *p, const char *key,
			      const char *value)
{
	policy_parse_of(p)->if_down_line = p->line;
	policy_of(p)->unreachable = !strcmp(value, "unreachable");
	if (policy_of(p)->unreachable || !strcmp(value, "balance"))
		return 0;
	return fail(p, p->line, "%s = \"%s\" is neither balance nor "
		    "unreachable", key, value);
}

struct key {
	const char *name;
	set_fn set;
};

static const struct key mwan_keys[] = {
	{ "log", set_log },
	{ "rule_priority", set_rule_priority },
	{ "mark_mask", set_mark_mask },
	{ "standby_table", set_standby_table },
	{ "nexthop_base", set_nexthop_base },
	{ "lan", set_lan },
	{ "balance", set_balance },
	{ "sticky", set_sticky },
	{ "masquerade", set_masquerade },
	{ "clamp_mss", set_clamp_mss },
	{ "sysctl", set_sysctl },
	{ "last_resort", set_last_resort },
	{ "failback", set_failback },
	{ "qdisc", set_qdisc },
	{ NULL, NULL },
};

static const struct key link_keys[] = {
	{ "table", set_link_table },
	{ "mark", set_link_mark },
	{ "weight", set_link_weight },
	{ "tier", set_link_tier },
	{ "qdisc", set_link_qdisc },
	{ NULL, NULL },
};

static const struct key policy_keys[] = {
	{ "source", set_policy_list },
	{ "destination", set_policy_list },
	{ "protocol", set_policy_list },
	{ "source_port", set_policy_port },
	{ "destination_port", set_policy_port },
	{ "interface", set_policy_interface },
	{ "use", set_policy_use },
	{ "if_down", set_policy_if_down },
	{ NULL, NULL },
};

/* The keys of each kind of section, and what messages call it. */
static const struct {
	const struct key *keys;
	const char *name;
} sections[] = {
	[IN_MWAN] = { mwan_keys, "[mwan]" },
	[IN_LINK] = { link_keys, "a [link]" },
	[IN_POLICY] = { policy_keys, "a [policy]" },
};

static void push_policy(struct parse *p, const char *name)
{
	struct conf *c = p->conf;
	unsigned int i;

	for (i = 0; i < c->n_policies && strcmp(c->policy[i].name, name); i++)
		;
	if (!policy_name_valid(name)) {
		fail(p, p->line, "[policy %s]: a policy's name is 1 to %d "
		     "letters, digits, '_', '-' or '.'", name,
		     POLICY_NAME - 1);
	} else if (i < c->n_policies) {
		fail(p, p->line, "[policy %s] is there a second time: give it "
		     "another name", name);
	} else if (i == POLICIES_MAX) {
		fail(p, p->line, "more than %d policies: join some that use "
		     "the same", POLICIES_MAX);
	} else {
		p->section = IN_POLICY;
		p->policy[i].line = p->line;
		c->policy[i] = (struct policy){ .use = USE_NONE };
		str_copy(c->policy[i].name, POLICY_NAME, name);
		c->n_policies++;
	}
}

static void push_link(struct parse *p, const char *name)
{
	struct conf *c = p->conf;

	if (!ifname_valid(name)) {
		fail(p, p->line, "[link %s]: this " IFNAME_RULE, name);
	} else if (conf_link_index(c, name) >= 0) {
		fail(p, p->line, "[link %s] is there a second time: put its "
		     "keys below the first", name);
	} else if (c->n_links == LINKS_MAX) {
		fail(p, p->line, "more than %d links: take some out",
		     LINKS_MAX);
	} else {
		p->section = IN_LINK;
		p->link[c->n_links].line = p->line;
		c->link[c->n_links] = (struct conf_link){ .weight = 1,
							  .tier = 1 };
		str_copy(c->link[c->n_links++].name, IFNAMSIZ, name);
	}
}

/* inih tells of keys only, and cuts a section's name at 49 characters: the
 * sections are read here.
 */
static void section(struct parse *p, const char *line)
{
	char name[LINE_LEN_MAX + 2];
	const char *end = strchr(line, ']');
	size_t len;

	p->seen = 0;
	p->section = IN_REFUSED;
	if (!end || end[1 + strspn(end + 1, " \t\r\n")]) {
		fail(p, p->line, "a section is a name in brackets, alone on "
		     "its line: [mwan] or [link ppp0]");
		return;
	}
	len = (size_t)(end - line - 1);
	memcpy(name, line + 1, len);
	name[len] = '\0';
	if (!strcmp(name, "mwan")) {
		if (p->mwan_given)
			fail(p, p->line, "[mwan] is there a second time: put "
			     "its keys below the first");
		p->mwan_given = true;
		p->section = IN_MWAN;
	} else if (!strncmp(name, "link ", 5)) {
		push_link(p, name + 5 + strspn(name + 5, " \t"));
	} else if (!strncmp(name, "policy ", 7)) {
		push_policy(p, name + 7 + strspn(name + 7, " \t"));
	} else {
		fail(p, p->line, "unknown section [%s]: [mwan], [link NAME] "
		     "and [policy NAME] are known", name);
	}
}

/* inih tells of the first line only that it cannot read. */
static void tell_unread(struct parse *p)
{
	if (p->unread)
		fail(p, p->line, "this is neither \"key = value\" nor a "
		     "section");
	p->unread = false;
}

/* inih's reader, in the place of fgets(): a line at a time, counted. Blanks
 * before a key are taken away, because inih would take such a line for more
 * of the value before it.
 */
static char *next_line(char *buf, int size, void *stream)
{
	struct parse *p = stream;
	char *line = p->next, *end;
	size_t len;

	tell_unread(p);
	if (!*line || (p->code && !p->faults))
		return NULL;
	/* A byte order mark, as editors of Windows write it. */
	if (!p->line++ && !strncmp(line, "\xef\xbb\xbf", 3))
		line += 3;
	end = strchr(line, '\n');
	len = end ? (size_t)(end - line) : strlen(line);
	p->next = line + len + (end ? 1 : 0);
	while (len && isspace((unsigned char)*line)) {
		line++;
		len--;
	}
	if (len > LINE_LEN_MAX || (int)len + 2 > size) {
		fail(p, p->line, "the line is longer than %d characters: "
		     "shorten it, or make two policies of a long list",
		     LINE_LEN_MAX);
		len = 0;
	}
	memcpy(buf, line, len);
	strcpy(buf + len, "\n");
	if (*buf == '[')
		section(p, buf);
	else
		p->unread = !strchr("\n;#", *buf);
	return p->code && !p->faults ? NULL : buf;
}

/* inih's handler: 1 means "taken". */
static int handle(void *user, const char *sec, const char *name,
		  const char *value)
{
	struct parse *p = user;
	const struct key *keys;
	unsigned int i;

	(void)sec;
	p->unread = false;
	if (p->section == IN_REFUSED || (p->code && !p->faults))
		return 1;
	if (p->section == IN_NONE) {
		p->section = IN_REFUSED;
		return !fail(p, p->line, "%s stands before the first section: "
			     "begin with [mwan] or [link NAME]", name);
	}
	keys = sections[p->section].keys;
	for (i = 0; keys[i].name && strcmp(keys[i].name, name); i++)
		;
	if (!keys[i].name)
		return !fail(p, p->line, "unknown key \"%s\" in %s: see "
			     "mwan.ini(5)", name, sections[p->section].name);
	if (p->seen & 1U << i)
		return !fail(p, p->line, "%s is there a second time: keep one",
			     name);
	p->seen |= 1U << i;
	if (!*value)
		return !fail(p, p->line, "%s has no value: give it one, or "
			     "delete the line", name);
	if (strstr(value, " #"))
		return !fail(p, p->line, "%s: behind a value a comment begins "
			     "with \" ;\", not with #", name);
	return !keys[i].set(p, name, value);
}

static void set_defaults(struct conf *c)
{
	/* A link or a policy is cleared when there is one. */
	memset(c, 0, offsetof(struct conf, link));
	c->n_policies = 0;
	strcpy(c->log, CONF_LOG);
	c->rule_priority = 1000;
	c->mark_mask = 0xff;
	c->standby_table = 200;
	/* Far from what people and routing daemons count up from 1. */
	c->nexthop_base = 77000;
	c->masquerade = true;
	c->clamp_mss = true;
	c->sysctl = true;
	c->qdisc.kind = QDISC_PRIO_SFQ;
}

static int check_table(struct parse *p, unsigned int i)
{
	struct conf *c = p->conf;
	struct conf_link *l = &c->link[i];
	unsigned int k, line = p->link[i].table_line;

	if (!line)
		line = p->link[i].line;
	if (!l->table)
		l->table = table_named(p, l->name);
	if (!l->table)
		return fail(p, line, "link %s has no table: add "
			    "\"table = NUMBER\" here, or a line \"NUMBER %s\" "
			    "to /etc/iproute2/rt_tables", l->name, l->name);
	if (l->table >= TABLE_DEFAULT && l->table <= TABLE_LOCAL)
		return fail(p, line, "link %s: the tables local, main and "
			    "default are the system's, take another", l->name);
	if (l->table == c->standby_table)
		return fail(p, line, "table %u of link %s is the "
			    "standby_table, give one of them another number",
			    l->table, l->name);
	for (k = 0; k < i; k++)
		if (c->link[k].table == l->table)
			return fail(p, line, "link %s has the same table %u "
				    "as link %s, give it another", l->name,
				    l->table, c->link[k].name);
	return 0;
}

static int check_mark(struct parse *p, unsigned int i)
{
	const struct conf *c = p->conf;
	const struct conf_link *l = &c->link[i];
	unsigned int k, line = p->link[i].mark_line;

	if (!l->mark)
		return fail(p, p->link[i].line, "link %s: no mark is left "
			    "under mark_mask 0x%x, which must have more bits",
			    l->name, c->mark_mask);
	if (l->mark & ~c->mark_mask)
		return fail(p, line, "mark 0x%x of link %s does not fit "
			    "mask 0x%x: change it, or mark_mask", l->mark,
			    l->name, c->mark_mask);
	for (k = 0; k < i; k++)
		if (c->link[k].mark == l->mark)
			return fail(p, line, "link %s has the same mark 0x%x "
				    "as link %s, give it another", l->name,
				    l->mark, c->link[k].name);
	return 0;
}

static void check_lan(struct parse *p)
{
	const struct conf *c = p->conf;
	unsigned int i;

	for (i = 0; i < c->n_lan; i++)
		if (conf_link_index(c, c->lan[i]) >= 0)
			fail(p, p->lan_line, "lan: %s is a link: name "
			     "interfaces of the LAN", c->lan[i]);
}

/* Parity deals by the address's low bits: every link one of 2^n remainders. */
static int check_balance(struct parse *p)
{
	struct conf *c = p->conf;
	uint8_t best = conf_best_tier(c);
	unsigned int i, n = 0;
	bool even = true;

	for (i = 0; i < c->n_links; i++) {
		if (c->link[i].tier != best)
			continue;
		n++;
		even = even && c->link[i].weight == 1;
	}
	if (!p->balance_given)
		c->balance = n == 2 && even ? BALANCE_SOURCE_PARITY :
					      BALANCE_SOURCE;
	if (c->balance != BALANCE_SOURCE_PARITY)
		return 0;
	if (n & (n - 1))
		return fail(p, p->balance_line, "balance = source-parity "
			    "needs 1, 2, 4, 8 ... links in the best tier, and "
			    "there are %u: use source", n);
	if (!even)
		return fail(p, p->balance_line, "balance = source-parity "
			    "knows no weights: use source");
	return 0;
}

static bool has_ports(const struct policy *y)
{
	unsigned int i;

	for (i = 0; i < y->n_protocol; i++)
		if (y->protocol[i] != IPPROTO_TCP &&
		    y->protocol[i] != IPPROTO_UDP)
			return false;
	return y->n_protocol;
}

/* What becomes of the connections: the link, or balance, or main. */
static int check_use(struct parse *p, struct policy *y,
		     const struct policy_parse *q)
{
	int link = conf_link_index(p->conf, q->use);

	if (!q->use_line)
		return fail(p, q->line, "policy %s does not say what to use: "
			    "add \"use = LINK\", \"use = balance\" or "
			    "\"use = main\"", y->name);
	if (!strcmp(q->use, "balance")) {
		y->use = USE_BALANCE;
	} else if (!strcmp(q->use, "main")) {
		y->use = USE_MAIN;
	} else if (link >= 0) {
		y->use = USE_LINK;
		y->link = (uint8_t)link;
		return 0;
	} else {
		return fail(p, q->use_line, "use = \"%s\" is neither a link "
			    "nor balance nor main", q->use);
	}
	if (q->if_down_line)
		return fail(p, q->if_down_line, "if_down is for \"use = "
			    "LINK\" only: delete it");
	return 0;
}

static int check_policy(struct parse *p, struct policy *y,
			const struct policy_parse *q)
{
	unsigned int i;

	if (q->port_line && !has_ports(y))
		fail(p, q->port_line, "ports are those of tcp and udp: "
		     "add \"protocol = tcp\", \"protocol = udp\" or "
		     "\"protocol = tcp udp\"");
	for (i = 0; i < y->n_interface; i++)
		if (conf_link_index(p->conf, y->interface[i]) >= 0 ||
		    !strcmp(y->interface[i], "lo"))
			fail(p, q->interface_line, "interface: policies are "
			     "not for what comes in by %s: name interfaces of "
			     "the LAN", y->interface[i]);
	return check_use(p, y, q);
}

static int finish(struct parse *p)
{
	struct conf *c = p->conf;
	unsigned int i;

	p->finishing = true;
	conf_give_marks(c, NULL);
	for (i = 0; i < c->n_links; i++) {
		if (!p->link[i].qdisc_given)
			c->link[i].qdisc = c->qdisc;
		check_table(p, i);
		check_mark(p, i);
	}
	for (i = 0; i < c->n_policies; i++)
		check_policy(p, &c->policy[i], &p->policy[i]);
	check_balance(p);
	check_lan(p);
	return p->code;
}

/* The tables ppp0, ppp1, ... of rt_tables, lowest number first. */
static void links_from_rttables(struct parse *p)
{
	uint32_t n, best, last = 0;
	bool first = true;
	char name[IFNAMSIZ];
	unsigned int i;

	(void)table_named(p, "");
	for (;;) {
		best = UINT32_MAX;
		for (i = 0; i < p->tables.n; i++) {
			const char *e = p->tables.entry[i].name;

			if (strncmp(e, "ppp", 3) || !isdigit(e[3]) ||
			    u32_parse(e + 3, 0, 99999999, &n))
				continue;
			if ((first || n > last) && n < best)
				best = n;
		}
		if (best == UINT32_MAX || p->conf->n_links == LINKS_MAX)
			return;
		snprintf(name, sizeof(name), "ppp%u", best);
		/* "ppp00" is not the interface ppp0. */
		if (table_named(p, name))
			push_link(p, name);
		last = best;
		first = false;
	}
}

static int cannot_open(const struct parse *p, int code)
{
	const char *why = strerror(-code);

	switch (code) {
	case -ELOOP:
		return err_set(p->err, code, "cannot open %s: it is a symbolic "
			       "link, replace it by the file itself", p->path);
	case -EACCES:
		return err_set(p->err, code, "cannot open %s: %s; let user %u "
			       "read it and enter its directory", p->path, why,
			       geteuid());
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
	case -EIO:
		return err_set(p->err, code, "cannot open %s: %s%s", p->path,
			       why, err_file_advice(code));
	default:
		return err_set(p->err, code, "cannot open %s: %s; write it "
			       "(see mwan.ini(5)), or name another one with -f",
			       p->path, why);
	}
}

/* The whole file, NUL-terminated, or a negative errno. */
static int read_text(struct parse *p, char *text, size_t size)
{
	struct stat st;
	ssize_t n;
	int code, fd = open(p->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
			    O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return cannot_open(p, -errno);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		/* No chmod: it may be a device, such as /dev/null. */
		return err_set(p->err, -EPERM, "%s must be a plain file: "
			       "replace it by one, or name another one with "
			       "-f", p->path);
	}
	if ((st.st_uid && st.st_uid != geteuid()) || (st.st_mode & 022)) {
		close(fd);
		return err_set(p->err, -EPERM, "%s must be a plain file of "
			       "root that nobody else can write: chown root, "
			       "chmod 644", p->path);
	}
	if (st.st_nlink > 1) {
		close(fd);
		return err_set(p->err, -EPERM, "%s has another name as well "
			       "(a hard link): replace it by a copy", p->path);
	}
	n = read(fd, text, size - 1);
	code = -errno;
	close(fd);
	if (n < 0)
		return err_set(p->err, code, "cannot read %s: %s%s", p->path,
			       strerror(-code), err_file_advice(code));
	text[n] = '\0';
	if ((size_t)n == size - 1)
		return err_set(p->err, -EFBIG, "%s is longer than %zu bytes: "
			       "take comments out, if it is the right file",
			       p->path, size - 1);
	if (strlen(text) != (size_t)n)
		return err_set(p->err, -EINVAL, "%s holds a NUL byte: save it "
			       "as plain text, not as UTF-16", p->path);
	return 0;
}

int conf_read(struct conf *conf, const char *path, bool must_exist,
	      struct err *err)
{
	return conf_read_all(conf, path, must_exist, NULL, err);
}

int conf_read_all(struct conf *conf, const char *path, bool must_exist,
		  struct conf_faults *faults, struct err *err)
{
	static struct parse parse;
	static char text[CONF_FILE_MAX];
	struct parse *p = &parse;
	int code;

	memset(p, 0, offsetof(struct parse, tables));
	p->conf = conf;
	p->path = path;
	p->err = err;
	p->faults = faults;
	if (faults)
		faults->n = faults->more = 0;
	p->next = text;
	set_defaults(conf);
	code = read_text(p, text, sizeof(text));
	if (code && (code != -ENOENT || must_exist))
		return code;
	if (code) {
		p->path = "/etc/iproute2/rt_tables";
		links_from_rttables(p);
	} else {
		/* What it says of lines, fail() has been told. */
		(void)ini_parse_stream(next_line, p, handle, p);
		tell_unread(p);
	}
	return p->code && !faults ? p->code : finish(p);
}

int conf_link_index(const struct conf *conf, const char *name)
{
	unsigned int i;

	for (i = 0; i < conf->n_links; i++)
		if (!strcmp(conf->link[i].name, name))
			return (int)i;
	return -1;
}

static bool mark_taken(const struct conf *conf, uint32_t mark)
{
	unsigned int i;

	for (i = 0; i < conf->n_links; i++)
		if (conf->link[i].mark == mark)
			return true;
	return false;
}

static bool mark_fits(const struct conf *conf, uint32_t mark)
{
	return mark && !(mark & ~conf->mark_mask) && !mark_taken(conf, mark);
}

/* The lowest one that no link has, or 0: counting where the mask has bits. */
static uint32_t free_mark(const struct conf *conf)
{
	uint32_t mark = 0;

	do {
		mark = ((mark | ~conf->mark_mask) + 1) & conf->mark_mask;
	} while (mark && mark_taken(conf, mark));
	return mark;
}

void conf_give_marks(struct conf *conf, const struct conf *old)
{
	struct conf_link *l;
	uint32_t mark;
	unsigned int i;
	int k;

	for (i = 0; i < conf->n_links; i++)
		if (!conf->link[i].mark_given)
			conf->link[i].mark = 0;
	for (i = 0; i < conf->n_links && old; i++) {
		l = &conf->link[i];
		k = conf_link_index(old, l->name);
		if (!l->mark && k >= 0 && mark_fits(conf, old->link[k].mark))
			l->mark = old->link[k].mark;
	}
	for (i = 0; i < conf->n_links; i++) {
		l = &conf->link[i];
		if (l->mark)
			continue;
		mark = (i + 1) << (ffs((int)conf->mark_mask) - 1);
		l->mark = mark_fits(conf, mark) ? mark : free_mark(conf);
	}
}

unsigned int conf_rank(const struct conf_link *l)
{
	return l->drained ? RANK_DRAINED : l->tier;
}

bool conf_by_host(const struct conf *conf)
{
	return conf->sticky || conf->balance == BALANCE_SOURCE ||
	       conf->balance == BALANCE_SOURCE_PARITY;
}

uint8_t conf_best_tier(const struct conf *conf)
{
	uint8_t best = UINT8_MAX;
	unsigned int i;

	for (i = 0; i < conf->n_links; i++)
		if (conf->link[i].tier < best)
			best = conf->link[i].tier;
	return best;
}

static void print_links(FILE *f, const struct conf *c)
{
	const struct conf_link *l;
	char text[64];
	unsigned int i;

	for (i = 0; i < c->n_links; i++) {
		l = &c->link[i];
		fprintf(f, "\n[link %s]\ntable = %u\nmark = 0x%x\n"
			"weight = %u\ntier = %u\nqdisc = %s\n", l->name,
			l->table, l->mark, l->weight, l->tier,
			qdisc_conf_text(&l->qdisc, text, sizeof(text)));
	}
}

static void print_sticky(FILE *f, uint32_t sticky)
{
	size_t i = 0;

	while (sticky % time_units[i].seconds)
		i++;
	if (sticky)
		fprintf(f, "sticky = %u%c\n", sticky / time_units[i].seconds,
			time_units[i].name);
	else
		fputs("sticky = 0\n", f);
}

static void print_policies(FILE *f, const struct conf *c)
{
	const struct policy *y;

	for (y = c->policy; y < c->policy + c->n_policies; y++) {
		fprintf(f, "\n[policy %s]\n", y->name);
		policy_print_lists(y, f);
		fprintf(f, "use = %s\n", y->use == USE_BALANCE ? "balance" :
			y->use == USE_MAIN ? "main" : c->link[y->link].name);
		if (y->use == USE_LINK)
			fprintf(f, "if_down = %s\n",
				y->unreachable ? "unreachable" : "balance");
	}
}

int conf_print(const struct conf *c, char *buf, size_t size)
{
	char text[64];
	unsigned int i;
	long len;
	FILE *f = fmemopen(buf, size, "w");

	if (!f)
		return -errno;
	fprintf(f, "[mwan]\nlog=%s\nrule_priority = %u\nmark_mask = 0x%x\n"
		"standby_table = %u\nnexthop_base = %u\n", c->log,
		c->rule_priority, c->mark_mask, c->standby_table,
		c->nexthop_base);
	for (i = 0; i < c->n_lan; i++)
		fprintf(f, "%s%s", i ? " " : "lan=", c->lan[i]);
	fprintf(f, "%sbalance = %s\nmasquerade = %s\nclamp_mss = %s\n"
		"sysctl = %s\nqdisc = %s\n", i ? "\n" : "",
		balances[c->balance],
		c->masquerade ? "yes" : "no", c->clamp_mss ? "yes" : "no",
		c->sysctl ? "yes" : "no",
		qdisc_conf_text(&c->qdisc, text, sizeof(text)));
	fprintf(f, "last_resort = %s\nfailback = %s\n",
		last_resorts[c->last_resort],
		c->failback == FAILBACK_MOVE ? "move" : "stay");
	print_sticky(f, c->sticky);
	print_links(f, c);
	print_policies(f, c);
	len = ftell(f);
	if (fclose(f) || len < 0 || (size_t)len + 1 >= size)
		return -ENOSPC;
	return (int)len;
}
