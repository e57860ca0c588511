// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "tell/event.h"

/* Two digits, or -1. */
static int two_digits(const char *at)
{
	if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
		return -1;
	return (at[0] - '0') * 10 + at[1] - '0';
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_from_1970(int year, int month, int day)
{
	/* If years begin in March, a leap day is the last day of its year. */
	int64_t y = month > 2 ? year : year - 1;
	int64_t in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 + in_year - 719468;
}

/* "2026-11-22T10:00:00.000+01:00" in milliseconds since 1970; -1: it is none.
 * strptime(3) takes as long as all the rest of a line.
 */
static int64_t time_ms(const char *t)
{
	int year, month, day, hour, minute, second, zone_h, zone_m;
	int in_day, offset;
	int64_t ms = 0;
	size_t digits;
	const char *zone;

	if (strlen(t) < sizeof("2026-11-22T10:00:00.0+01:00") - 1 ||
	    t[4] != '-' || t[7] != '-' || t[10] != 'T' || t[13] != ':' ||
	    t[16] != ':' || t[19] != '.')
		return -1;
	year = two_digits(t) * 100 + two_digits(t + 2);
	month = two_digits(t + 5);
	day = two_digits(t + 8);
	hour = two_digits(t + 11);
	minute = two_digits(t + 14);
	second = two_digits(t + 17);
	digits = strspn(t + 20, "0123456789");
	zone = t + 20 + digits;
	if ((*zone != '+' && *zone != '-') || strlen(zone) != 6 ||
	    zone[3] != ':' || digits > 9)
		return -1;
	zone_h = two_digits(zone + 1);
	zone_m = two_digits(zone + 4);
	if (two_digits(t) < 0 || two_digits(t + 2) < 0 || year < 1970 ||
	    month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 ||
	    hour > 23 || minute < 0 || minute > 59 || second < 0 ||
	    second > 60 || zone_h < 0 || zone_m < 0)
		return -1;
	in_day = hour * 3600 + minute * 60 + second;
	offset = (*zone == '-' ? -60 : 60) * (60 * zone_h + zone_m);
	for (size_t i = 0; i < 3; i++)
		ms = ms * 10 + (i < digits ? t[20 + i] - '0' : 0);
	return (days_from_1970(year, month, day) * 86400 + in_day - offset) *
	       1000 + ms;
}

/* The end of the value that begins at @at, its quotation marks included; NULL:
 * its end is missing.
 */
static const char *value_end(const char *at, const char *end)
{
	if (at == end || *at != '"') {
		while (at < end && *at != ' ')
			at++;
		return at;
	}
	for (at++; at < end && *at != '"'; at++)
		at += *at == '\\';
	return at < end ? at + 1 : NULL;
}

/* Copy a value without what log_add() wrapped it in; \xNN stays. */
static void copy_value(const char *at, const char *end, char *to, size_t size)
{
	bool quoted = at < end && *at == '"';
	size_t n = 0;

	at += quoted;
	end -= quoted;
	for (; at < end && n + 1 < size; at++) {
		if (quoted && *at == '\\' && at + 1 < end && at[1] != 'x')
			at++;
		to[n++] = *at;
	}
	to[n] = '\0';
}

static void take(struct event *e, const char *key, size_t key_len,
		 const char *value, const char *end)
{
	const struct {
		const char *key;
		char *to;
		size_t size;
	} known[] = {
		{ "ts", e->time, sizeof(e->time) },
		{ "tool", e->tool, sizeof(e->tool) },
		{ "event", e->event, sizeof(e->event) },
		{ "if", e->link, sizeof(e->link) },
		{ "local", e->local, sizeof(e->local) },
		{ "default", e->by, sizeof(e->by) },
		{ "cause", e->cause, sizeof(e->cause) },
		{ "result", e->result, sizeof(e->result) },
		{ "drained", e->drained, sizeof(e->drained) },
		{ "note", e->note, sizeof(e->note) },
	};
	size_t i;

	for (i = 0; i < COUNT(known); i++)
		if (known[i].key[0] == *key &&
		    strlen(known[i].key) == key_len &&
		    !memcmp(known[i].key, key, key_len))
			copy_value(value, end, known[i].to, known[i].size);
}

static void clear(struct event *e)
{
	e->time[0] = e->tool[0] = e->event[0] = e->link[0] = '\0';
	e->local[0] = e->by[0] = e->cause[0] = e->result[0] = '\0';
	e->drained[0] = e->note[0] = '\0';
}

/* "ts" just before the '=', where no whole line has it: a line that lost its end
 * is followed by another one, which begins there.
 */
static bool begins_anew(const char *word, const char *equals)
{
	return equals - word >= 2 && !memcmp(equals - 2, "ts", 2);
}

/* Take the value of the word "key=value" at @word, and return its end. NULL if
 * it is no such word, or, with @anew, another line begins there.
 */
static const char *take_word(const char *word, const char *end, bool first,
			     struct event *e, const char **anew)
{
	const char *equals = memchr(word, '=', (size_t)(end - word)), *stop;
	const char *second;

	if (equals && !first && begins_anew(word, equals)) {
		*anew = equals - 2;
		return NULL;
	}
	stop = equals ? value_end(equals + 1, end) : NULL;
	if (!stop || memchr(word, ' ', (size_t)(equals - word)))
		return NULL;
	second = stop > equals + 1 && equals[1] == '"' ? NULL :
		 memchr(equals + 1, '=', (size_t)(stop - equals - 1));
	if (second) {
		if (begins_anew(equals + 1, second))
			*anew = second - 2;
		return NULL;
	}
	take(e, word, (size_t)(equals - word), equals + 1, stop);
	return stop;
}

bool event_parse(const char *line, size_t len, struct event *e)
{
	const char *end = line + len, *word = NULL, *anew;
	/* A power cut leaves these where the file had grown. */
	const char *hole = memrchr(line, '\0', len);

	for (anew = hole ? hole + 1 : line; anew;) {
		clear(e);
		line = word = anew;
		anew = NULL;
		if (end - line < 3 || memcmp(line, "ts=", 3))
			return false;
		while (word && word < end) {
			word = take_word(word, end, word == line, e, &anew);
			if (word && word < end && *word++ != ' ')
				word = NULL;
		}
	}
	e->ms = time_ms(e->time);
	/* Every whole line has a result. */
	return word && e->event[0] && e->result[0];
}

bool event_names(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (; *list; list += strcspn(list, ",")) {
		list += *list == ',';
		if (!strncmp(list, name, len) &&
		    (!list[len] || list[len] == ','))
			return len;
	}
	return false;
}
