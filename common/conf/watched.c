// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/util.h"
#include "conf/watched.h"

#define UNTIL "until "
/* Behind a link's name; no interface has a name with that in it. */
#define IPV6 "/ipv6"
#define FILE_NAME (&WATCHED_PATH[sizeof(RUN_DIR)])

enum {
	/* Names, a word, an address and eight numbers. */
	NUMBERS = 9 * 21,
	LINE = IFNAMSIZ + sizeof(IPV6) + WATCHED_WHY + ADDR_TEXT + NUMBERS,
	TEXT = FAMILIES * LINE * LINKS_MAX + 64,
};

static char text[TEXT];

static uint64_t boot_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static size_t print_line(const struct watched *w, const char *name,
			 const char *family, char *to, size_t size)
{
	char addr[ADDR_TEXT];

	return (size_t)snprintf(to, size, "%s%s %d %s %" PRIu64 " %u %" PRIu64
				" %" PRIu64 " %s %" PRIu64 " %" PRIu64
				" %" PRIu64 "\n", name, family,
				(int)w->verdict, w->why, w->since, w->loss,
				w->rtt, w->answer, addr_text(&w->target, addr),
				w->questions, w->replies, w->verdicts);
}

int watched_write(const struct conf *conf,
		  struct watched w[FAMILIES][LINKS_MAX], unsigned int seconds,
		  struct err *err)
{
	int dir = rundir_open(err), code;
	const struct watched *is;
	unsigned int i;
	size_t len;

	if (dir < 0)
		return dir;
	len = (size_t)snprintf(text, sizeof(text), UNTIL "%" PRIu64 "\n",
			       boot_ms() + (uint64_t)seconds * 1000);
	for (i = 0; i < conf->n_links; i++) {
		len += print_line(&w[FAMILY_IPV4][i], conf->link[i].name, "",
				  text + len, sizeof(text) - len);
		is = &w[FAMILY_IPV6][i];
		if (is->verdict != WATCHED_NOT)
			len += print_line(is, conf->link[i].name, IPV6,
					  text + len, sizeof(text) - len);
	}
	code = file_replace(dir, RUN_DIR, FILE_NAME, text, len, err);
	close(dir);
	return code;
}

/* The next word of a line, "" after the last one. */
static const char *word(char **rest)
{
	const char *w = strsep(rest, " ");

	return w ? w : "";
}

static uint64_t number(char **rest)
{
	return strtoull(word(rest), NULL, 10);
}

/* Takes @line to pieces. */
static void read_line(const struct conf *conf, char *line,
		      struct watched all[FAMILIES][LINKS_MAX])
{
	struct watched w = { 0 };
	char *name = strsep(&line, " "), *ipv6 = strstr(name, IPV6);
	uint64_t verdict = number(&line);
	const char *last;
	int link;

	if (ipv6)
		*ipv6 = '\0';
	link = conf_link_index(conf, name);
	if (str_copy(w.why, sizeof(w.why), word(&line)))
		return;
	w.since = number(&line);
	w.loss = (uint32_t)number(&line);
	w.rtt = number(&line);
	w.answer = number(&line);
	if (addr_parse(&w.target, word(&line)))
		w.target.family = 0;
	w.questions = number(&line);
	w.replies = number(&line);
	last = word(&line);
	w.verdicts = strtoull(last, NULL, 10);
	if (link < 0 || verdict > WATCHED_HELD || !*last || line)
		return;
	w.verdict = (enum watched_verdict)verdict;
	all[ipv6 ? FAMILY_IPV6 : FAMILY_IPV4][link] = w;
}

bool watched_read(const struct conf *conf,
		  struct watched w[FAMILIES][LINKS_MAX])
{
	ssize_t n = file_read(AT_FDCWD, WATCHED_PATH, text, sizeof(text),
			      FILE_NO_SYMLINK | FILE_PLAIN | FILE_OWN_OR_ROOTS |
			      FILE_OWNER_WRITES, NULL);
	char *line, *save;
	unsigned int f;

	for (f = 0; f < FAMILIES; f++)
		memset(w[f], 0, conf->n_links * sizeof(w[f][0]));
	if (n <= 0)
		return false;
	line = strtok_r(text, "\n", &save);
	if (!line || strncmp(line, UNTIL, strlen(UNTIL)) != 0 ||
	    strtoull(line + strlen(UNTIL), NULL, 10) < boot_ms())
		return false;
	while ((line = strtok_r(NULL, "\n", &save)))
		read_line(conf, line, w);
	return true;
}

uint64_t watched_age(const struct watched *w)
{
	uint64_t now = boot_ms();

	return now > w->answer ? now - w->answer : 0;
}

void watched_drop(void)
{
	(void)unlink(WATCHED_PATH);
}
