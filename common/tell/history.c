// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "tell/history.h"

enum { LOG_READ_MAX = 1 << 18 };

/* What the log has told of a link so far. */
struct told {
	char event[8];		/* "": nothing */
	char local[ADDR_TEXT];
};

/* The last part of the log, NUL-terminated; "" when there is none. */
static void read_log(const char *log, char *text, size_t size)
{
	ssize_t n = file_read_end(log, text, size, FILE_NO_SYMLINK);

	/* What a power cut leaves where the file had grown. */
	while (n-- > 0)
		if (!text[n])
			text[n] = '\n';
}

/* The value behind @key (" local=") in a line of the log; "" without. */
static void log_value(const char *line, const char *key, char *value,
		      size_t size)
{
	const char *at = strstr(line, key);

	snprintf(value, size, "%.*s", at ? (int)strcspn(at + strlen(key), " ")
		 : 0, at ? at + strlen(key) : "");
}

/* Events that tell the same again, or of a session that had ended before,
 * change nothing. An "up" of the same address tells of another session if it had
 * something to do: a power cut leaves no "down" behind.
 */
static void note(const struct conf *conf, const char *line,
		 struct told told[LINKS_MAX],
		 struct since since[LINKS_MAX])
{
	char name[IFNAMSIZ], event[8], local[ADDR_TEXT], way[IFNAMSIZ];
	char result[16];
	bool down;
	size_t len;
	int i;

	log_value(line, " event=", event, sizeof(event));
	log_value(line, " if=", name, sizeof(name));
	down = !strcmp(event, "down");
	if (strncmp(line, "ts=", 3) || (!down && strcmp(event, "up")))
		return;
	i = conf_link_index(conf, name);
	if (i < 0)
		return;
	log_value(line, " local=", local, sizeof(local));
	log_value(line, " default=", way, sizeof(way));
	log_value(line, " result=", result, sizeof(result));
	if ((down && !strcmp(way, name)) ||
	    (!strcmp(event, told[i].event) &&
	     (down || (!strcmp(local, told[i].local) &&
		       !strcmp(result, "unchanged")))))
		return;
	strcpy(told[i].event, event);
	strcpy(told[i].local, local);
	len = strspn(line + 3, "0123456789-T:.+");
	snprintf(since[i].text, SINCE_TEXT, "%.*s", (int)len, line + 3);
}

/* A log line's time (2026-11-22T10:00:00.000+01:00) in seconds; -1: it is none. */
static time_t line_time(const char *ts)
{
	struct tm tm = { 0 };
	const char *zone = strptime(ts, "%Y-%m-%dT%H:%M:%S", &tm);
	unsigned int hours, minutes;

	if (!zone || *zone != '.')
		return -1;
	zone += 1 + strspn(zone + 1, "0123456789");
	if ((*zone != '+' && *zone != '-') || strlen(zone) != 6 ||
	    zone[3] != ':')
		return -1;
	/* What is no digit there makes a time that is of no boot. */
	hours = (unsigned int)(zone[1] - '0') * 10 +
		(unsigned int)(zone[2] - '0');
	minutes = (unsigned int)(zone[4] - '0') * 10 +
		  (unsigned int)(zone[5] - '0');
	return timegm(&tm) -
	       (*zone == '-' ? -60L : 60L) * (long)(60 * hours + minutes);
}

/* Is the time one of this boot? What is older says nothing of what is there
 * now: a link that was up then is another one, or the clock was wrong, as on a
 * board that begins in 1970 until NTP has set it.
 */
static bool of_this_boot(time_t t)
{
	struct timespec now, up;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	/* The line has come from a hook that began after the boot's second. */
	return t >= now.tv_sec - up.tv_sec - 1 && t <= now.tv_sec;
}

void history_since(const struct conf *conf,
		   const struct addr local[LINKS_MAX],
		   struct since since[LINKS_MAX])
{
	static char text[LOG_READ_MAX];
	static struct told told[LINKS_MAX];
	char *line, *save, now[ADDR_TEXT];
	unsigned int i;
	bool up;

	memset(told, 0, sizeof(told));
	memset(since, 0, LINKS_MAX * sizeof(since[0]));
	read_log(conf->log, text, sizeof(text));
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		note(conf, line, told, since);
	for (i = 0; i < conf->n_links; i++) {
		since[i].seconds = line_time(since[i].text);
		up = local[i].family;
		if (strcmp(told[i].event, up ? "up" : "down") ||
		    !of_this_boot(since[i].seconds) ||
		    (up && strcmp(told[i].local, addr_text(&local[i], now))))
			since[i].text[0] = '\0';
	}
}
