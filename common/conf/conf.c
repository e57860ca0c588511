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
#include <unistd.h>

#include "base/file.h"
#include "base/addr.h"
#include "base/util.h"
#include "conf/conf.h"
#include "conf/keys.h"
#include "conf/rttables.h"
#include "kernel/route.h"

#define RT_TABLES "/etc/iproute2/rt_tables"

/* The standby table where neither the file nor a name says which: the first
 * free one from here on.
 */
enum { STANDBY_FIRST = 200 };

/* The table of remembered networks where the file does not say: the first free
 * one from here downwards.
 */
enum { ONLINK_LAST = 199 };

/* The lines of a section and its keys. */
struct lines {
	unsigned int head;
	unsigned int key[KEYS_MAX];	/* 0: it was not given */
};

/* Everything that is known only while the file is read. */
struct parse {
	struct conf *conf;
	const char *path;
	char *next;			/* the rest of the text */
	unsigned int line;
	bool unread;			/* the line has not come to handle() */
	bool refused;			/* what is below such a head, too */
	bool link_heads;		/* there was one, good or bad */
	enum section section;
	void *of;			/* the struct that its keys are kept in */
	struct lines *at;		/* NULL: before the first section */
	struct lines mwan;
	struct err *err;
	int code;
	struct conf_faults *faults;	/* NULL: the first one is enough */
	bool finishing;			/* every line has been read */
	/* Large: a link or a policy is cleared when there is one. */
	struct lines link[LINKS_MAX], policy[POLICIES_MAX];
	struct rttables tables ON_A_PAGE;
};

/* The line that gave a key, by its field; 0: none did. */
#define LINE_OF(lines, section, of, member) \
	((lines)->key[key_at(section, offsetof(struct of, member))])
#define MWAN_LINE(p, member) LINE_OF(&(p)->mwan, SECTION_MWAN, conf, member)
#define LINK_LINE(p, i, member) \
	LINE_OF(&(p)->link[i], SECTION_LINK, conf_link, member)
#define POLICY_LINE(lines, member) \
	LINE_OF(lines, SECTION_POLICY, policy, member)

static int fail(struct parse *p, unsigned int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Insert in the order of the lines: faults of a link become known only at the
 * end of the file.
 */
static void push_fault(struct parse *p, unsigned int line,
		       const struct err *err)
{
	struct conf_faults *f = p->faults;
	unsigned int i;

	/* A value that was refused while reading is not judged again. */
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
	/* Defaults come from no file, so they have no line number. */
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

static void open_section(struct parse *p, enum section section, void *of,
			 struct lines *at)
{
	p->refused = false;
	p->section = section;
	p->of = of;
	p->at = at;
	*at = (struct lines){ .head = p->line };
}

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
		open_section(p, SECTION_POLICY, &c->policy[i], &p->policy[i]);
		c->policy[i] = (struct policy){ .use = USE_NONE };
		key_defaults(SECTION_POLICY, &c->policy[i]);
		str_copy(c->policy[i].name, POLICY_NAME, name);
		c->n_policies++;
	}
}

static void push_link(struct parse *p, const char *name)
{
	struct conf *c = p->conf;
	unsigned int i = c->n_links;

	if (!ifname_valid(name)) {
		fail(p, p->line, "[link %s]: this " IFNAME_RULE, name);
	} else if (conf_link_index(c, name) >= 0) {
		fail(p, p->line, "[link %s] is there a second time: put its "
		     "keys below the first", name);
	} else if (i == LINKS_MAX) {
		fail(p, p->line, "more than %d links: take some out",
		     LINKS_MAX);
	} else {
		open_section(p, SECTION_LINK, &c->link[i], &p->link[i]);
		c->link[i] = (struct conf_link){ 0 };
		key_defaults(SECTION_LINK, &c->link[i]);
		str_copy(c->link[i].name, IFNAMSIZ, name);
		c->n_links++;
	}
}

static void push_mwan(struct parse *p)
{
	if (p->mwan.head)
		fail(p, p->line, "[mwan] is there a second time: put its keys "
		     "below the first");
	open_section(p, SECTION_MWAN, p->conf, &p->mwan);
}

/* inih tells of keys only, and cuts a section's name at 49 characters: the
 * sections are read here.
 */
static void section(struct parse *p, const char *line)
{
	char name[LINE_LEN_MAX + 2];
	const char *end = strchr(line, ']');
	size_t len;

	p->refused = true;
	if (!end || end[1 + strspn(end + 1, " \t\r\n")]) {
		fail(p, p->line, "a section is a name in brackets, alone on "
		     "its line: [mwan] or [link ppp0]");
		return;
	}
	len = (size_t)(end - line - 1);
	memcpy(name, line + 1, len);
	name[len] = '\0';
	if (!strcmp(name, "mwan")) {
		push_mwan(p);
	} else if (!strncmp(name, "link ", 5)) {
		p->link_heads = true;
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
	struct err why = { "" };
	struct setting s;
	int i;

	(void)sec;
	p->unread = false;
	if (p->refused || (p->code && !p->faults))
		return 1;
	if (!p->at) {
		p->refused = true;
		return !fail(p, p->line, "%s stands before the first section: "
			     "begin with [mwan] or [link NAME]", name);
	}
	i = key_find(p->section, name);
	if (i < 0)
		return !fail(p, p->line, "unknown key \"%s\" in %s: see "
			     "mwan.ini(5)", name,
			     key_sections[p->section].name);
	if (p->at->key[i])
		return !fail(p, p->line, "%s is there a second time: keep one",
			     name);
	p->at->key[i] = p->line;
	if (!*value)
		return !fail(p, p->line, "%s has no value: give it one, or "
			     "delete the line", name);
	if (strstr(value, " #"))
		return !fail(p, p->line, "%s: a comment after a value begins "
			     "with \" ;\", not with #", name);
	s = (struct setting){ &key_sections[p->section].keys[i], p->of, value,
			      &p->tables, &why };
	if (!s.key->type->set(&s))
		return 1;
	/* Which marks would fit a mask that was refused is not known. */
	if (p->section == SECTION_MWAN && s.key->offset ==
					  offsetof(struct conf, mark_mask))
		p->conf->mark_mask = UINT32_MAX;
	return !fail(p, p->line, "%s", why.msg);
}

static void set_defaults(struct conf *c)
{
	/* A link or a policy is cleared when there is one. */
	memset(c, 0, offsetof(struct conf, link));
	key_defaults(SECTION_MWAN, c);
}

static bool table_of_link(const struct conf *c, uint32_t table)
{
	unsigned int i;

	for (i = 0; i < c->n_links; i++)
		if (c->link[i].table == table)
			return true;
	return false;
}

/* Nobody else's: neither a link's table nor one that has a name. */
static bool table_free(const struct conf *c, struct rttables *names,
		       uint32_t table)
{
	return !table_of_link(c, table) && !key_table_name(names, table);
}

/* Every reader of the same names has to choose the same table. The name
 * "standby" says which one is meant. Names and links are far fewer than
 * numbers.
 */
static uint32_t choose_standby(const struct conf *c, struct rttables *names)
{
	uint32_t table = key_table(names, "standby");

	if (table && !table_is_systems(table) && !table_of_link(c, table))
		return table;
	table = STANDBY_FIRST;
	while (!table_free(c, names, table))
		table++;
	return table;
}

static uint32_t choose_onlink(const struct conf *c, struct rttables *names)
{
	uint32_t table = ONLINK_LAST;

	while (table > 1 &&
	       (table == c->standby_table || !table_free(c, names, table)))
		table--;
	return table;
}

static void check_onlink(struct parse *p)
{
	const struct conf *c = p->conf;
	unsigned int line = MWAN_LINE(p, onlink_table);

	if (line && (c->onlink_table == c->standby_table ||
		     table_of_link(c, c->onlink_table)))
		fail(p, line, "onlink_table %u is a link's table or the "
		     "standby_table, give it another number", c->onlink_table);
}

static int check_table(struct parse *p, unsigned int i)
{
	struct conf *c = p->conf;
	struct conf_link *l = &c->link[i];
	unsigned int k, line = LINK_LINE(p, i, table);

	if (!line)
		line = p->link[i].head;
	if (!l->table)
		return fail(p, line, "link %s has no table: add "
			    "\"table = NUMBER\" here, or a line \"NUMBER %s\" "
			    "to /etc/iproute2/rt_tables", l->name, l->name);
	if (table_is_systems(l->table))
		return fail(p, line, "link %s: the tables local, main and "
			    "default are the system's, take another", l->name);
	if (l->table == c->standby_table)
		return fail(p, line ? line : MWAN_LINE(p, standby_table),
			    "table %u of link %s is the "
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
	unsigned int k, line = LINK_LINE(p, i, mark);

	if (!l->mark)
		return fail(p, p->link[i].head ? p->link[i].head :
			    MWAN_LINE(p, mark_mask), "link %s: no mark is left "
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

/* A session has one interface. */
static int check_linkname(struct parse *p, unsigned int i)
{
	const struct conf_link *l = p->conf->link;
	unsigned int k;

	for (k = 0; k < i; k++)
		if (*l[i].linkname && !strcmp(l[k].linkname, l[i].linkname))
			return fail(p, LINK_LINE(p, i, linkname), "link %s has "
				    "the same linkname %s as link %s, give it "
				    "another", l[i].name, l[i].linkname,
				    l[k].name);
	return 0;
}

static void check_lan(struct parse *p)
{
	const struct conf *c = p->conf;
	unsigned int i;

	for (i = 0; i < c->n_lan; i++)
		if (conf_link_index(c, c->lan[i]) >= 0)
			fail(p, MWAN_LINE(p, lan), "lan: %s is a link: name "
			     "interfaces of the LAN", c->lan[i]);
}

/* Parity deals by the address's low bits: every link one of 2^n remainders. */
static int check_balance(struct parse *p)
{
	struct conf *c = p->conf;
	uint8_t best = conf_best_tier(c);
	unsigned int i, n = 0, line = MWAN_LINE(p, balance);
	bool even = true;

	for (i = 0; i < c->n_links; i++) {
		if (c->link[i].tier != best)
			continue;
		n++;
		even = even && c->link[i].weight == 1;
	}
	if (!line)
		c->balance = n == 2 && even ? BALANCE_SOURCE_PARITY :
					      BALANCE_SOURCE;
	if (c->balance != BALANCE_SOURCE_PARITY)
		return 0;
	if (n & (n - 1))
		return fail(p, line, "balance = source-parity "
			    "needs 1, 2, 4, 8 ... links in the best tier, and "
			    "there are %u: use source", n);
	if (!even)
		return fail(p, line, "balance = source-parity "
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

/* Where the connections go: a link, balance, or main. */
static int check_use(struct parse *p, struct policy *y,
		     const struct lines *at)
{
	int link = conf_link_index(p->conf, y->use_name);
	unsigned int line = POLICY_LINE(at, use_name);

	if (!line)
		return fail(p, at->head, "policy %s does not say what to use: "
			    "add \"use = LINK\", \"use = balance\" or "
			    "\"use = main\"", y->name);
	if (!strcmp(y->use_name, "balance")) {
		y->use = USE_BALANCE;
	} else if (!strcmp(y->use_name, "main")) {
		y->use = USE_MAIN;
	} else if (link >= 0) {
		y->use = USE_LINK;
		y->link = (uint8_t)link;
		return 0;
	} else {
		return fail(p, line, "use = \"%s\" is neither a link "
			    "nor balance nor main", y->use_name);
	}
	line = POLICY_LINE(at, unreachable);
	if (line)
		return fail(p, line, "if_down is for \"use = LINK\" only: "
			    "delete it");
	return 0;
}

static int check_policy(struct parse *p, struct policy *y,
			const struct lines *at)
{
	unsigned int i, sport = POLICY_LINE(at, source_port);
	unsigned int dport = POLICY_LINE(at, destination_port);

	if ((sport || dport) && !has_ports(y))
		fail(p, sport > dport ? sport : dport, "ports are those of tcp and udp: "
		     "add \"protocol = tcp\", \"protocol = udp\" or "
		     "\"protocol = tcp udp\"");
	if (!policy_has_family(y, FAMILY_IPV4) &&
	    !policy_has_family(y, FAMILY_IPV6))
		fail(p, POLICY_LINE(at, destination), "destination: no "
		     "connection goes from an address of source to one of "
		     "these: IPv4 and IPv6 are apart");
	for (i = 0; i < y->n_interface; i++)
		if (conf_link_index(p->conf, y->interface[i]) >= 0 ||
		    !strcmp(y->interface[i], "lo"))
			fail(p, POLICY_LINE(at, interface), "interface: policies are "
			     "not for what comes in by %s: name interfaces of "
			     "the LAN", y->interface[i]);
	return check_use(p, y, at);
}

/* The tables ppp0, ppp1, ... of rt_tables, lowest number first. */
static void links_from_rttables(struct parse *p)
{
	uint32_t n, best, last = 0;
	bool first = true;
	char name[IFNAMSIZ];
	unsigned int i;

	/* No line of the file gives them. */
	p->line = 0;
	(void)key_table(&p->tables, "");
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
		if (key_table(&p->tables, name))
			push_link(p, name);
		last = best;
		first = false;
	}
}

static int finish(struct parse *p)
{
	struct conf *c = p->conf;
	unsigned int i;

	p->finishing = true;
	if (!p->link_heads)
		links_from_rttables(p);
	c->last_resort_given = MWAN_LINE(p, last_resort);
	for (i = 0; i < c->n_links; i++) {
		c->link[i].mark_given = LINK_LINE(p, i, mark);
		key_inherit(&c->link[i], c, p->link[i].key);
		if (!c->link[i].table)
			c->link[i].table = key_table(&p->tables,
						     c->link[i].name);
	}
	c->standby_given = MWAN_LINE(p, standby_table);
	if (!c->standby_given)
		c->standby_table = choose_standby(c, &p->tables);
	if (!MWAN_LINE(p, onlink_table))
		c->onlink_table = choose_onlink(c, &p->tables);
	conf_give_marks(c, NULL);
	for (i = 0; i < c->n_links; i++) {
		check_table(p, i);
		check_mark(p, i);
		check_linkname(p, i);
	}
	for (i = 0; i < c->n_policies; i++)
		check_policy(p, &c->policy[i], &p->policy[i]);
	check_balance(p);
	check_lan(p);
	check_onlink(p);
	return p->code;
}

static int cannot_read(const struct parse *p, int code)
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

/* A root program may only believe a file of root's. */
enum {
	CONF_MUST = FILE_NO_SYMLINK | FILE_PLAIN | FILE_OWN_OR_ROOTS |
		    FILE_OWNER_WRITES | FILE_ONE_NAME,
};

static int not_ours(const struct parse *p, enum file_must lacks)
{
	switch (lacks) {
	case FILE_PLAIN:
		/* No chmod: it may be a device, such as /dev/null. */
		return err_set(p->err, -EPERM, "%s must be a plain file: "
			       "replace it by one, or name another one with "
			       "-f", p->path);
	case FILE_ONE_NAME:
		return err_set(p->err, -EPERM, "%s has another name as well "
			       "(a hard link): replace it by a copy", p->path);
	default:
		return err_set(p->err, -EPERM, "%s must be a plain file of "
			       "root that nobody else can write: chown root, "
			       "chmod 644", p->path);
	}
}

/* The whole file, NUL-terminated, or a negative errno. */
static int read_text(struct parse *p, char *text, size_t size)
{
	enum file_must lacks;
	ssize_t n = file_read(AT_FDCWD, p->path, text, size, CONF_MUST,
			      &lacks);

	if (lacks)
		return not_ours(p, lacks);
	if (n < 0)
		return cannot_read(p, (int)n);
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

	memset(p, 0, offsetof(struct parse, link));
	p->tables.loaded = false;
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
		p->path = RT_TABLES;
	} else {
		/* fail() has been told what is wrong with lines. */
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

void conf_keep_standby(struct conf *conf, const struct conf *old)
{
	if (!conf->standby_given && !table_of_link(conf, old->standby_table) &&
	    !table_is_systems(old->standby_table))
		conf->standby_table = old->standby_table;
}

bool conf_same(const struct conf *conf, struct conf *old)
{
	unsigned int i, n = conf->n_links;

	old->standby_given = conf->standby_given;
	old->last_resort_given = conf->last_resort_given;
	for (i = 0; i < n; i++)
		old->link[i].mark_given = conf->link[i].mark_given;
	return !memcmp(conf, old, offsetof(struct conf, link)) &&
	       !memcmp(conf->link, old->link, n * sizeof(conf->link[0])) &&
	       !memcmp(conf->policy, old->policy,
		       conf->n_policies * sizeof(conf->policy[0]));
}

unsigned int conf_families(const struct conf *conf)
{
	return conf->ipv6 ? FAMILIES : FAMILY_IPV4 + 1;
}

uint32_t conf_nexthop_span(const struct conf *conf)
{
	return conf_families(conf) * NEXTHOP_SPAN;
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

int conf_print(const struct conf *c, char *buf, size_t size)
{
	const struct conf_link *l;
	const struct policy *y;
	long len;
	FILE *f = fmemopen(buf, size, "w");

	if (!f)
		return -errno;
	fputs("[mwan]\n", f);
	key_print(SECTION_MWAN, c, c, f);
	for (l = c->link; l < c->link + c->n_links; l++) {
		fprintf(f, "\n[link %s]\n", l->name);
		key_print(SECTION_LINK, l, c, f);
	}
	for (y = c->policy; y < c->policy + c->n_policies; y++) {
		fprintf(f, "\n[policy %s]\n", y->name);
		key_print(SECTION_POLICY, y, c, f);
	}
	len = ftell(f);
	if (fclose(f) || len < 0 || (size_t)len + 1 >= size)
		return -ENOSPC;
	return (int)len;
}
