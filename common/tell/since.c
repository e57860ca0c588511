// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "tell/since.h"

enum { LOG_READ_MAX = 1 << 18 };

/* What was read from the log about a link so far. */
struct told {
	char event[8];		/* "": nothing */
	char local[ADDR_TEXT];
};

/* The length of the last part of the log, which is read to @text. */
static size_t read_log(const char *log, char *text, size_t size)
{
	ssize_t n = file_read_end(log, text, size, FILE_NO_SYMLINK);

	return n > 0 ? (size_t)n : 0;
}

/* Events that tell the same again, or of a session that had ended before,
 * change nothing. An "up" of the same address means another session if it had
 * something to do: a power cut leaves no "down".
 */
static void note(const struct conf *conf, const struct event *e,
		 struct told told[LINKS_MAX], struct since since[LINKS_MAX])
{
	bool down = !strcmp(e->event, "down");
	int i = conf_link_index(conf, e->link);

	if ((!down && strcmp(e->event, "up")) || i < 0 ||
	    (down && !strcmp(e->by, e->link)) ||
	    (!strcmp(e->event, told[i].event) &&
	     (down || (!strcmp(e->local, told[i].local) &&
		       !strcmp(e->result, "unchanged")))))
		return;
	strcpy(told[i].event, e->event);
	snprintf(told[i].local, ADDR_TEXT, "%.*s", ADDR_TEXT - 1, e->local);
	strcpy(since[i].text, e->time);
	since[i].seconds = (time_t)(e->ms / 1000);
}

/* Is the time one of this boot? Older lines say nothing about the present: a
 * link that was up then is another one, or the clock was wrong, as on a board
 * that begins in 1970 until NTP has set it.
 */
static bool of_this_boot(time_t t)
{
	struct timespec now, up;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	/* The line has come from a hook that began after the boot's second. */
	return t >= now.tv_sec - up.tv_sec - 1 && t <= now.tv_sec;
}

void since_read(const struct conf *conf,
		   const struct addr local[LINKS_MAX],
		   struct since since[LINKS_MAX])
{
	static char text[LOG_READ_MAX];
	static struct told told[LINKS_MAX];
	const char *line = text, *end, *stop;
	char now[ADDR_TEXT];
	struct event e;
	unsigned int i;
	bool up;

	memset(told, 0, sizeof(told));
	memset(since, 0, LINKS_MAX * sizeof(since[0]));
	stop = text + read_log(conf->log, text, sizeof(text));
	for (; line < stop; line = end + 1) {
		end = memchr(line, '\n', (size_t)(stop - line));
		end = end ? end : stop;
		if (event_parse(line, (size_t)(end - line), &e))
			note(conf, &e, told, since);
	}
	for (i = 0; i < conf->n_links; i++) {
		up = local[i].family;
		if (strcmp(told[i].event, up ? "up" : "down") ||
		    !of_this_boot(since[i].seconds) ||
		    (up && strcmp(told[i].local, addr_text(&local[i], now))))
			since[i].text[0] = '\0';
	}
}
