// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/lock.h"
#include "base/util.h"
#include "conf/state.h"

#define FILE_NAME "mwan.ini"
#define FILE_PATH RUN_DIR "/" FILE_NAME
#define DRAINED_NAME (&DRAINED_PATH[sizeof(RUN_DIR)])
#define HELD_NAME (&HELD_PATH[sizeof(RUN_DIR)])
#define POOR " poor"
#define VERIFIED_NAME (&VERIFIED_PATH[sizeof(RUN_DIR)])
#define PREFIX6_NAME (&PREFIX6_PATH[sizeof(RUN_DIR)])

enum {
	DRAINED_MAX = LINKS_MAX * IFNAMSIZ,
	/* A number of 64 bits, a word and spaces more. */
	HELD_WORDS = FAMILIES + 1,
	HELD_MAX = (IFNAMSIZ + 21 + sizeof(POOR)) * LINKS_MAX * HELD_WORDS,
	/* Two addresses of a link. */
	SAID = 2,
	SAID_MAX = SAID * LINKS_MAX * (IFNAMSIZ + ADDR_TEXT + 1),
	PREFIX6_LINE = IFNAMSIZ + 24 + PREFIXES_MAX * PREFIX_TEXT,
	PREFIX6_MAX = 3 * LINKS_MAX * PREFIX6_LINE,
	/* Three numbers of 64 bits and one of 32, each with what follows; a
	 * line a link, with a number of 32 bits and its prefixes.
	 */
	VERIFIED_HEAD = 3 * 17 + 9 + 1,
	VERIFIED_LINE = 12 + PREFIXES_MAX * PREFIX_TEXT,
	VERIFIED_MAX = VERIFIED_HEAD + LINKS_MAX * VERIFIED_LINE +
		       PAST6_MAX * (PREFIX_TEXT + 1),
};

int accepted_source(char source[LOG_PATH_MAX], struct err *err)
{
	char head[LOG_PATH_MAX + 8];
	ssize_t n = file_read(AT_FDCWD, FILE_PATH, head, sizeof(head),
			      FILE_NO_SYMLINK, NULL);

	source[0] = '\0';
	switch (n) {
	case -ENOENT:
	case -ENOTDIR:
	case -EISDIR:
	case -ELOOP:
	case -ENXIO:
		return -ENOENT;
	}
	if (n < 0)
		return err_set(err, (int)n, "cannot read from %s what is in "
			       "force: %s; run \"mwan-rules apply\", which "
			       "makes it again", FILE_PATH, strerror((int)-n));
	if (!strncmp(head, "# ", 2)) {
		head[strcspn(head, "\n")] = '\0';
		(void)!str_copy(source, LOG_PATH_MAX, head + 2);
	}
	return 0;
}

int accepted_read(struct conf *conf, struct err *err)
{
	return conf_read(conf, FILE_PATH, true, err);
}

static int write_file(const char *name, const char *text, size_t len,
		      struct err *err)
{
	int code, dir = rundir_open(err);

	if (dir < 0)
		return dir;
	code = file_replace(dir, RUN_DIR, name, text, len, err);
	close(dir);
	return code;
}

static int drop_file(const char *path, struct err *err)
{
	if (unlink(path) && errno != ENOENT)
		return err_set(err, -errno, "cannot remove %s: %s; remove it "
			       "by hand, and try again", path,
			       strerror(errno));
	return 0;
}

/* Read the file's part about @conf; returns its length or a negative errno. */
static int prepare(const struct conf *conf, const char *source,
		   char text[CONF_FILE_MAX], struct err *err)
{
	int len = snprintf(text, CONF_FILE_MAX, "# %s\n", source);
	int code = conf_print(conf, text + len, CONF_FILE_MAX - (size_t)len);

	if (code == -ENOSPC)
		return err_set(err, code, "the configuration is longer than "
			       "the %d bytes that %s may have: shorten the "
			       "lists of its policies", CONF_FILE_MAX,
			       FILE_PATH);
	if (code < 0)
		return err_set(err, code, "cannot prepare %s: %s%s", FILE_PATH,
			       strerror(-code), err_advice(code));
	return len + code;
}

bool accepted_is(const struct conf *conf)
{
	static char text[CONF_FILE_MAX], old_text[CONF_FILE_MAX];
	static struct conf old;

	return !accepted_read(&old, NULL) &&
	       conf_print(conf, text, sizeof(text)) >= 0 &&
	       conf_print(&old, old_text, sizeof(old_text)) >= 0 &&
	       !strcmp(text, old_text);
}

int accepted_write(const struct conf *conf, const char *source,
		   struct err *err)
{
	static char text[CONF_FILE_MAX];
	int len = prepare(conf, source, text, err);

	if (len < 0)
		return len;
	if (file_says(AT_FDCWD, FILE_PATH, text, (size_t)len, FILE_NO_SYMLINK))
		return 0;
	return write_file(FILE_NAME, text, (size_t)len, err);
}

enum {
	LINES_MUST = FILE_NO_SYMLINK | FILE_PLAIN | FILE_OWN_OR_ROOTS |
		     FILE_OWNER_WRITES,
};

/* The lines of a file beside it, "" if it does not exist. Returns 0, or a
 * negative errno with a sentence about @what it tells.
 */
static int read_lines(const char *path, const char *what, char *text,
		      size_t size, struct err *err)
{
	ssize_t n = file_read(AT_FDCWD, path, text, size,
			      LINES_MUST, NULL);
	bool odd = n == -EPERM || n == -ELOOP || n == -ENXIO;

	if (n >= 0)
		return 0;
	text[0] = '\0';
	/* A caller without the right to look sees the same as before apply. */
	if (n == -ENOENT || n == -EACCES)
		return 0;
	return err_set(err, (int)n, "cannot read %s from %s: %s%s", what, path,
		       odd ? "it must be a plain file of root's that nobody "
		       "else can write; remove it" : strerror((int)-n),
		       odd ? "" : err_file_advice((int)n));
}

int drained_read(const struct conf *conf, struct verdicts *v, struct err *err)
{
	char text[DRAINED_MAX + 1], *name, *save;
	int k, code = read_lines(DRAINED_PATH, "which links are drained", text,
				 sizeof(text), err);

	memset(v->drained, 0, conf->n_links * sizeof(v->drained[0]));
	for (name = strtok_r(text, "\n", &save); name;
	     name = strtok_r(NULL, "\n", &save)) {
		k = conf_link_index(conf, name);
		if (k >= 0)
			v->drained[k] = true;
	}
	return code;
}

int drained_write(const struct conf *conf, const struct verdicts *v,
		  struct err *err)
{
	char text[DRAINED_MAX + 1];
	unsigned int i;
	size_t len = 0;

	for (i = 0; i < conf->n_links; i++)
		if (v->drained[i])
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"%s\n", conf->link[i].name);
	if (!len)
		return drop_file(DRAINED_PATH, err);
	return write_file(DRAINED_NAME, text, len, err);
}

const bool *verdicts_aside(struct verdicts *v)
{
	unsigned int i;

	for (i = 0; i < LINKS_MAX; i++)
		v->aside[i] = v->drained[i] || v->poor[i];
	return v->aside;
}

/* Time of a clock that nobody sets, and that goes on while the machine
 * sleeps.
 */
static unsigned long long boot_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (unsigned long long)now.tv_sec;
}

/* The verdicts that the last word of a line stands for. */
static bool *held_words(struct verdicts *v, unsigned int word)
{
	return word < FAMILIES ? v->held[word] : v->poor;
}

static const char *const held_ends[HELD_WORDS] = {
	[FAMILY_IPV4] = "", [FAMILY_IPV6] = " ipv6", [FAMILIES] = POOR,
};

int held_read(const struct conf *conf, struct verdicts *v, struct err *err)
{
	char text[HELD_MAX + 1], *line, *until, *rest, *save;
	int code = read_lines(HELD_PATH, "which links are held", text,
			      sizeof(text), err);
	unsigned int w;
	int k;

	for (w = 0; w < HELD_WORDS; w++)
		memset(held_words(v, w), 0, conf->n_links * sizeof(bool));
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		until = strchr(line, ' ');
		if (!until)
			continue;
		*until++ = '\0';
		k = conf_link_index(conf, line);
		if (k < 0 || strtoull(until, &rest, 10) <= boot_seconds())
			continue;
		for (w = 0; w < HELD_WORDS; w++)
			if (!strcmp(rest, held_ends[w]))
				held_words(v, w)[k] = true;
	}
	return code;
}

int held_write(const struct conf *conf, struct verdicts *v,
	       unsigned int seconds, struct err *err)
{
	unsigned long long until = boot_seconds() + seconds;
	char text[HELD_MAX + 1];
	unsigned int i, w;
	size_t len = 0;

	for (i = 0; i < conf->n_links; i++)
		for (w = 0; w < HELD_WORDS; w++)
			if (held_words(v, w)[i])
				len += (size_t)snprintf(text + len,
					sizeof(text) - len, "%s %llu%s\n",
					conf->link[i].name, until,
					held_ends[w]);
	if (!len)
		return drop_file(HELD_PATH, err);
	return write_file(HELD_NAME, text, len, err);
}

/* One line of such a file, which it changes: a gateway's place is that of its
 * family, and a resolver's the next one.
 */
static void note_said(const struct conf *conf, struct addr to[][SAID],
		      bool by_family, char *line)
{
	char *gap = strchr(line, ' ');
	unsigned int at = 0;
	struct addr a;
	int k;

	if (!gap)
		return;
	*gap = '\0';
	k = conf_link_index(conf, line);
	if (k < 0 || addr_parse(&a, gap + 1) || !gateway_possible(&a))
		return;
	if (by_family)
		at = addr_family(&a);
	else
		while (at < SAID - 1 && to[k][at].family)
			at++;
	to[k][at] = a;
}

static int read_said(const char *path, const char *what,
		     const struct conf *conf, struct addr to[][SAID],
		     bool by_family, struct err *err)
{
	char text[SAID_MAX + 1], *line, *save;
	int code = read_lines(path, what, text, sizeof(text), err);

	memset(to, 0, LINKS_MAX * sizeof(to[0]));
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		note_said(conf, to, by_family, line);
	return code;
}

static int write_said(const char *path, const struct conf *conf,
		      const struct addr said[][SAID], struct err *err)
{
	char text[SAID_MAX + 1], addr[ADDR_TEXT];
	unsigned int i, k;
	size_t len = 0;

	for (i = 0; i < conf->n_links; i++)
		for (k = 0; k < SAID; k++)
			if (said[i][k].family)
				len += (size_t)snprintf(text + len,
					sizeof(text) - len, "%s %s\n",
					conf->link[i].name,
					addr_text(&said[i][k], addr));
	if (!len)
		return drop_file(path, err);
	return write_file(path + sizeof(RUN_DIR), text, len, err);
}

int gateways_read(const struct conf *conf, struct gateways *g, struct err *err)
{
	return read_said(GATEWAY_PATH, "the links' gateways", conf, g->said,
			 true, err);
}

int gateways_write(const struct conf *conf, const struct gateways *g,
		   struct err *err)
{
	return write_said(GATEWAY_PATH, conf, g->said, err);
}

int resolvers_read(const struct conf *conf, struct resolvers *r,
		   struct err *err)
{
	return read_said(RESOLVERS_PATH, "the providers' resolvers", conf,
			 r->of, false, err);
}

int resolvers_write(const struct conf *conf, const struct resolvers *r,
		    struct err *err)
{
	return write_said(RESOLVERS_PATH, conf, r->of, err);
}

/* Take the rest of a line: what is no prefix is passed over. */
static void take_prefixes(struct prefixes *to, char **save)
{
	const char *word;
	struct err why;

	to->n = 0;
	while ((word = strtok_r(NULL, " ", save)))
		(void)prefixes_add(to, word, &why);
}

static void take_line(const struct conf *conf, struct prefix6 *p, char *line)
{
	char *save;
	const char *name = strtok_r(line, " ", &save), *word;
	int i = name ? conf_link_index(conf, name) : -1;

	word = i < 0 ? NULL : strtok_r(NULL, " ", &save);
	if (!word)
		return;
	if (!strcmp(word, "told")) {
		word = strtok_r(NULL, " ", &save);
		if (word && !u32_parse(word, 0, UINT32_MAX, &p->of[i].ifindex))
			take_prefixes(&p->of[i].told, &save);
	} else if (!strcmp(word, "last")) {
		take_prefixes(&p->of[i].last, &save);
	} else if (!strcmp(word, "past")) {
		take_prefixes(&p->of[i].past, &save);
	}
}

static char prefix6_text[PREFIX6_MAX + 1];

int prefix6_read(const struct conf *conf, struct prefix6 *p, struct err *err)
{
	int code = read_lines(PREFIX6_PATH, "the links' IPv6 prefixes",
			      prefix6_text, sizeof(prefix6_text), err);
	char *line, *save;

	memset(p->of, 0, conf->n_links * sizeof(p->of[0]));
	for (line = strtok_r(prefix6_text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		take_line(conf, p, line);
	return code;
}

static void put_line(FILE *f, const char *name, const char *what,
		     const struct prefixes *is)
{
	char text[PREFIX_TEXT];
	unsigned int i;

	if (!is->n)
		return;
	fprintf(f, "%s %s", name, what);
	for (i = 0; i < is->n; i++)
		fprintf(f, " %s", prefix_text(&is->item[i], text));
	fputc('\n', f);
}

/* Returns the length or -errno. */
static int prefix6_print(const struct conf *conf, const struct prefix6 *p,
			 char *text, size_t size)
{
	FILE *f = fmemopen(text, size, "w");
	char told[24];
	unsigned int i;
	long len;

	if (!f)
		return -errno;
	*text = '\0';
	for (i = 0; i < conf->n_links; i++) {
		snprintf(told, sizeof(told), "told %u", p->of[i].ifindex);
		put_line(f, conf->link[i].name, told, &p->of[i].told);
		put_line(f, conf->link[i].name, "last", &p->of[i].last);
		put_line(f, conf->link[i].name, "past", &p->of[i].past);
	}
	len = ftell(f);
	if (fclose(f) || len < 0)
		return -ENOSPC;
	return (int)len;
}

int prefix6_write(const struct conf *conf, const struct prefix6 *p,
		  struct err *err)
{
	char *text = prefix6_text;
	int len = prefix6_print(conf, p, text, sizeof(prefix6_text));

	if (len < 0)
		return err_set(err, len, "cannot write down the prefixes of "
			       "the links: %s", strerror(-len));
	if (file_says(AT_FDCWD, PREFIX6_PATH, text, (size_t)len, LINES_MUST))
		return 0;
	return len ? write_file(PREFIX6_NAME, text, (size_t)len, err) :
	       drop_file(PREFIX6_PATH, err);
}

static size_t verified_head(const struct verified *v, char *text)
{
	return (size_t)snprintf(text, VERIFIED_HEAD, "%jx %jx %jx %jx\n",
				(uintmax_t)v->netns, (uintmax_t)v->ruleset,
				(uintmax_t)v->table, (uintmax_t)v->generation);
}

/* A line of what a link has in the table. */
static size_t verified_link(const struct table_link *l, char *text)
{
	size_t len = (size_t)snprintf(text, VERIFIED_LINE, "%u", l->mtu);
	char prefix[PREFIX_TEXT];
	unsigned int i;

	for (i = 0; i < l->own6.n; i++)
		len += (size_t)snprintf(text + len, VERIFIED_LINE - len, " %s",
					prefix_text(&l->own6.item[i], prefix));
	return len + (size_t)snprintf(text + len, VERIFIED_LINE - len, "\n");
}

/* Read it back and move *@p past it. Is it what verified_link() writes? */
static bool parse_link(struct table_link *l, char **p)
{
	char word[PREFIX_TEXT], again[VERIFIED_LINE];
	const char *line = *p;
	size_t len;

	l->mtu = (uint32_t)strtoul(*p, p, 10);
	for (l->own6.n = 0; **p == ' ' && l->own6.n < PREFIXES_MAX;
	     l->own6.n++) {
		len = strcspn(++*p, " \n");
		snprintf(word, sizeof(word), "%.*s", (int)len, *p);
		if (prefix_parse(&l->own6.item[l->own6.n], word))
			return false;
		*p += len;
	}
	*p += **p == '\n';
	len = verified_link(l, again);
	return len == (size_t)(*p - line) && !memcmp(line, again, len);
}

/* The earlier prefixes, a line each, to the end. */
static size_t verified_past(const struct table_state *s, char *text)
{
	char prefix[PREFIX_TEXT];
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < s->n_past; i++)
		len += (size_t)sprintf(text + len, "%s\n",
				       prefix_text(&s->past6[i], prefix));
	return len;
}

static bool parse_past(struct table_state *s, char *p)
{
	static char again[PAST6_MAX * (PREFIX_TEXT + 1)];
	char word[PREFIX_TEXT];
	const char *line = p;
	size_t len;

	for (s->n_past = 0; *p && s->n_past < PAST6_MAX; s->n_past++) {
		len = strcspn(p, "\n");
		snprintf(word, sizeof(word), "%.*s", (int)len, p);
		if (prefix_parse(&s->past6[s->n_past], word))
			return false;
		p += len + (p[len] == '\n');
	}
	len = verified_past(s, again);
	return !*p && len == strlen(line) && !memcmp(line, again, len);
}

/* The same of the first line. */
static bool parse_head(struct verified *v, char **p)
{
	char again[VERIFIED_HEAD];
	const char *line = *p;
	size_t len;

	v->netns = strtoull(*p, p, 16);
	v->ruleset = strtoull(*p, p, 16);
	v->table = strtoull(*p, p, 16);
	v->generation = (uint32_t)strtoul(*p, p, 16);
	*p += **p == '\n';
	len = verified_head(v, again);
	return len == (size_t)(*p - line) && !memcmp(line, again, len);
}

void verified_read(struct verified *v)
{
	static char text[VERIFIED_MAX + 1];
	const uint64_t netns = v->netns, ruleset = v->ruleset;
	unsigned int i;
	char *p = text;
	bool good;

	v->table = v->generation = 0;
	if (file_read(AT_FDCWD, VERIFIED_PATH, text, sizeof(text),
		      FILE_NO_SYMLINK | FILE_PLAIN | FILE_OWN_OR_ROOTS |
		      FILE_OWNER_WRITES, NULL) <= 0)
		return;
	good = parse_head(v, &p) && v->netns == netns &&
	       v->ruleset == ruleset;
	for (i = 0; good && i < v->n_links; i++)
		good = parse_link(&v->state.link[i], &p);
	good = good && parse_past(&v->state, p);
	v->netns = netns;
	v->ruleset = ruleset;
	if (!good)
		v->table = v->generation = 0;
}

void verified_write(const struct verified *v)
{
	static char text[VERIFIED_MAX];
	size_t len = verified_head(v, text);
	struct err err;
	unsigned int i;

	for (i = 0; i < v->n_links; i++)
		len += verified_link(&v->state.link[i], text + len);
	len += verified_past(&v->state, text + len);
	(void)write_file(VERIFIED_NAME, text, len, &err);
}

int accepted_drop(struct err *err)
{
	/* Do this last, when everything in force is known. */
	static const char *const paths[] = {
		VERIFIED_PATH FILE_TEMP, VERIFIED_PATH,
		DRAINED_PATH FILE_TEMP, DRAINED_PATH,
		HELD_PATH FILE_TEMP, HELD_PATH,
		PREFIX6_PATH FILE_TEMP, FILE_PATH FILE_TEMP, FILE_PATH,
	};
	unsigned int i;
	int code = 0;

	for (i = 0; i < COUNT(paths) && !code; i++)
		code = drop_file(paths[i], err);
	return code;
}
