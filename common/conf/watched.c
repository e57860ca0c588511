// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/util.h"
#include "conf/watched.h"

#define FILE_NAME (&WATCHED_PATH[sizeof(RUN_DIR)])

enum {
	/* Names, a word, an address and eight numbers. */
	LINE = IFNAMSIZ + WATCHED_WHY + ADDR_TEXT + 9 * 21,
	TEXT = LINE * LINKS_MAX + 64,
};

static char text[TEXT];

static uint64_t boot_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int watched_write(const struct conf *conf, const struct watched *w,
		  unsigned int seconds, struct err *err)
{
	int dir = rundir_open(err), code;
	char addr[ADDR_TEXT];
	unsigned int i;
	size_t len;

	if (dir < 0)
		return dir;
	len = (size_t)snprintf(text, sizeof(text), "until %" PRIu64 "\n",
			       boot_ms() + seconds * 1000);
	for (i = 0; i < conf->n_links; i++, w++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"%s %d %s %" PRIu64 " %u %" PRIu64
					" %" PRIu64 " %s %" PRIu64 " %" PRIu64
					" %" PRIu64 "\n", conf->link[i].name,
					(int)w->verdict, w->why, w->since,
					w->loss, w->rtt, w->answer,
					addr_text(&w->target, addr),
					w->questions, w->replies, w->verdicts);
	code = file_replace(dir, RUN_DIR, FILE_NAME, text, len, err);
	close(dir);
	return code;
}

static void read_line(const struct conf *conf, const char *line,
		      struct watched all[LINKS_MAX])
{
	char name[IFNAMSIZ], addr[ADDR_TEXT];
	struct watched w = { 0 };
	unsigned int verdict;
	int link;

	if (sscanf(line, "%15s %u %15s %" SCNu64 " %" SCNu32 " %" SCNu64
		   " %" SCNu64 " %45s %" SCNu64 " %" SCNu64 " %" SCNu64,
		   name, &verdict, w.why, &w.since, &w.loss, &w.rtt, &w.answer,
		   addr, &w.questions, &w.replies, &w.verdicts) != 11 ||
	    verdict > WATCHED_HELD)
		return;
	w.verdict = verdict;
	if (addr_parse(&w.target, addr))
		w.target.family = 0;
	link = conf_link_index(conf, name);
	if (link >= 0)
		all[link] = w;
}

bool watched_read(const struct conf *conf, struct watched w[LINKS_MAX])
{
	ssize_t n = file_read(AT_FDCWD, WATCHED_PATH, text, sizeof(text),
			      FILE_NO_SYMLINK | FILE_PLAIN | FILE_OWN_OR_ROOTS |
			      FILE_OWNER_WRITES, NULL);
	char *line, *save;
	uint64_t until;

	memset(w, 0, conf->n_links * sizeof(*w));
	if (n <= 0)
		return false;
	line = strtok_r(text, "\n", &save);
	if (!line || sscanf(line, "until %" SCNu64, &until) != 1 ||
	    until < boot_ms())
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
