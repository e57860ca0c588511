// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "tell/history_print.h"

enum {
	NAME_COLUMNS = 15,
	CELLS = 64,		/* beside a name, in 80 columns */
	SHARES = 7,		/* units beside the whole, likewise */
	OUTAGES = 20,		/* what a person reads at once */
};

/* --- time --- */

static struct tm local_time(int64_t ms)
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm = { 0 };

	localtime_r(&t, &tm);
	return tm;
}

const char *moment_text(int64_t ms, bool seconds, char text[MOMENT_TEXT])
{
	struct tm tm = local_time(ms);

	strftime(text, MOMENT_TEXT, seconds ? "%Y-%m-%d %H:%M:%S" :
		 "%Y-%m-%d %H:%M", &tm);
	return text;
}

static int ago(const char *text, int64_t now, int64_t *when)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = {
		{ 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 },
		{ 'w', INT64_C(7) * 86400000 },
	};
	char number[12];
	size_t len = strlen(text), i;
	uint32_t n;

	if (len < 2 || len > sizeof(number))
		return -EINVAL;
	snprintf(number, sizeof(number), "%.*s", (int)len - 1, text);
	for (i = 0; i < COUNT(units); i++) {
		if (units[i].unit != text[len - 1] ||
		    u32_parse(number, 1, 10000000, &n))
			continue;
		*when = now - n * units[i].ms;
		return 0;
	}
	return -EINVAL;
}

int history_when(const char *text, int64_t now, int64_t *when)
{
	static const char *const forms[] = {
		"%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S",
		"%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S",
	};
	const char *end;
	struct tm tm;
	size_t i;

	for (i = 0; i < COUNT(forms); i++) {
		tm = (struct tm){ .tm_isdst = -1 };
		end = strptime(text, forms[i], &tm);
		if (!end || *end)
			continue;
		*when = (int64_t)mktime(&tm) * 1000;
		return 0;
	}
	return ago(text, now, when);
}

/* The beginning of the unit @tm is in, or, with @next, of the one after it. */
/* Calendar units in local time that touch the window: their bounds (one more
 * than units), cut to it, and the date at which each begins.
 */
enum history_unit { UNIT_DAY, UNIT_WEEK, UNIT_MONTH };
enum { DATE_TEXT = 12 };	/* "2026-11-22" */
struct history_units {
	unsigned int n;
	int64_t bound[HISTORY_UNITS_MAX + 1];
	char date[HISTORY_UNITS_MAX][DATE_TEXT];
};

static int64_t unit_begin(struct tm tm, enum history_unit unit, bool next)
{
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	if (unit == UNIT_MONTH) {
		tm.tm_mday = 1;
		tm.tm_mon += next;
	} else if (unit == UNIT_WEEK) {
		tm.tm_mday -= (tm.tm_wday + 6) % 7;
		tm.tm_mday += 7 * next;
	} else {
		tm.tm_mday += next;
	}
	return (int64_t)mktime(&tm) * 1000;
}

/* More than there is room for: the newest. */
static void find_units(struct history_units *u, const struct history_view *v,
		       enum history_unit unit)
{
	int64_t begin, next;
	struct tm tm;

	u->n = 0;
	for (begin = v->from; begin < v->to; begin = next) {
		tm = local_time(begin);
		next = unit_begin(tm, unit, true);
		/* No zone has days without an end. */
		if (next <= begin)
			break;
		if (u->n == HISTORY_UNITS_MAX) {
			u->n--;
			memmove(u->bound, u->bound + 1,
				u->n * sizeof(u->bound[0]));
			memmove(u->date, u->date + 1,
				u->n * sizeof(u->date[0]));
		}
		tm = local_time(unit_begin(tm, unit, false));
		strftime(u->date[u->n], DATE_TEXT, "%Y-%m-%d", &tm);
		u->bound[u->n++] = begin;
		u->bound[u->n] = next < v->to ? next : v->to;
	}
}

static bool is_shown(const struct history_view *v, unsigned int link)
{
	return v->only < 0 || (unsigned int)v->only == link;
}

/* --- for a person --- */

static void print_timeline(const struct history_view *v, FILE *out)
{
	static uint8_t cell[LINKS_MAX * CELLS];
	char from[MOMENT_TEXT], to[MOMENT_TEXT], line[CELLS + 1];
	bool seen[PASTS] = { 0 };
	unsigned int i, k;
	enum past p;

	history_cells(v->h, v->from, v->to, CELLS, cell);
	fprintf(out, "%*s%-*s%s\n", NAME_COLUMNS + 1, "",
		CELLS - (int)strlen("2026-11-22 17:22"),
		moment_text(v->from, false, from),
		moment_text(v->to, false, to));
	for (i = 0; i < v->h->n_links; i++) {
		if (!is_shown(v, i))
			continue;
		for (k = 0; k < CELLS; k++) {
			p = (enum past)cell[i * CELLS + k];
			line[k] = past_words[p].cell;
			seen[p >= PAST_CARRIER ? PAST_CARRIER : p] = true;
		}
		line[CELLS] = '\0';
		fprintf(out, "%-*s %s\n", NAME_COLUMNS, v->h->link[i].name,
			line);
	}
	fprintf(out, "%*s", NAME_COLUMNS + 1, "");
	for (p = PAST_UNKNOWN, k = 0; p <= PAST_CARRIER; p++)
		if (seen[p])
			fprintf(out, "%s%c %s", k++ ? "  " : "",
				past_words[p].cell, p == PAST_CARRIER ? "down" :
				p == PAST_UNKNOWN ? "not known" :
				past_words[p].word);
	fputc('\n', out);
}

/* Days, weeks or months: so that few of them cover the window. */
static void print_shares(const struct history_view *v, FILE *out)
{
	static struct history_share share[HISTORY_UNITS_MAX * LINKS_MAX];
	static struct history_share all[LINKS_MAX];
	static struct history_units units;
	int64_t whole[2] = { v->from, v->to };
	int64_t days = (v->to - v->from) / 86400000;
	unsigned int i, k, first;
	char text[SHARE_TEXT];

	find_units(&units, v, days <= (int64_t)2 * SHARES ? UNIT_DAY :
		      days <= (int64_t)14 * SHARES ? UNIT_WEEK : UNIT_MONTH);
	history_shares(v->h, units.bound, units.n, share);
	history_shares(v->h, whole, 1, all);
	first = units.n > SHARES ? units.n - SHARES : 0;
	fprintf(out, "\n%-*s %7s", NAME_COLUMNS, "AVAILABLE", "ALL");
	/* Month and day, or year and month. */
	for (k = first; k < units.n; k++)
		fprintf(out, " %7.7s", units.date[k] + (
			days <= (int64_t)14 * SHARES ? strlen("2026-") : 0));
	fputc('\n', out);
	for (i = 0; i < v->h->n_links; i++) {
		if (!is_shown(v, i))
			continue;
		fprintf(out, "%-*s %7s", NAME_COLUMNS, v->h->link[i].name,
			history_share_text(&all[i], text));
		for (k = first; k < units.n; k++)
			fprintf(out, " %7s", history_share_text(
				&share[k * LINKS_MAX + i], text));
		fputc('\n', out);
	}
}

/* The newest outages, in a ring. */
struct newest {
	const struct history_view *v;
	unsigned int n;
	struct history_span span[OUTAGES];
};

/* States that a person reads as an outage, or caused on purpose. */
static bool keep_newest(const struct history_span *s, void *data)
{
	struct newest *g = data;

	if (s->past > PAST_UP && is_shown(g->v, s->link))
		g->span[g->n++ % OUTAGES] = *s;
	return true;
}

static void print_outages(const struct history_view *v, FILE *out)
{
	struct newest g = { .v = v };
	char begin[MOMENT_TEXT], length[DURATION_TEXT];
	const struct history_span *s;
	unsigned int i;

	history_spans(v->h, v->from, v->to, keep_newest, &g);
	if (!g.n) {
		fputs("\nNo outages.\n", out);
		return;
	}
	fprintf(out, "\n%-19s %-9s %-*s %s\n", "SINCE", "LENGTH", NAME_COLUMNS,
		"LINK", "CAUSE");
	for (i = g.n > OUTAGES ? g.n - OUTAGES : 0; i < g.n; i++) {
		s = &g.span[i % OUTAGES];
		fprintf(out, "%-19s %-9s %-*s %s%s\n",
			s->begins_before ? "?" :
			moment_text(s->begin, true, begin),
			s->begins_before || s->past == PAST_LOST ? "?" :
			duration_text(s->end - s->begin, length),
			NAME_COLUMNS, v->h->link[s->link].name,
			past_words[s->past].text,
			s->goes_on ? ", until now" : "");
	}
	if (g.n > OUTAGES)
		fprintf(out, "These are the newest of %u: --json prints all, "
			"--since shows less.\n", g.n);
}

void history_print(const struct history_view *v, FILE *out)
{
	if (!v->h->n) {
		fputs("The log tells of no link yet.\n", out);
		return;
	}
	print_timeline(v, out);
	print_shares(v, out);
	print_outages(v, out);
	if (v->h->jumps)
		fprintf(out, "\nThe clock was set back, or was not set, %u "
			"time%s:\nwhat the log tells of that time is left "
			"out.\n", v->h->jumps, v->h->jumps > 1 ? "s" : "");
}

/* --- JSON --- */

/* As in the log, in UTC. */
static void json_time(const char *key, int64_t ms, bool known, FILE *out)
{
	time_t t = (time_t)(ms / 1000);
	char text[MOMENT_TEXT];
	struct tm tm = { 0 };

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	if (known)
		fprintf(out, "\"%s\": \"%s.%03dZ\"", key, text,
			(int)(ms % 1000));
	else
		fprintf(out, "\"%s\": null", key);
}

struct json_outages {
	const struct history_view *v;
	FILE *out;
	bool any;
};

static bool json_outage(const struct history_span *s, void *data)
{
	struct json_outages *g = data;

	if (s->past <= PAST_UP || !is_shown(g->v, s->link))
		return true;
	fprintf(g->out, "%s\n{\"link\": \"%s\", \"cause\": \"%s\", ",
		g->any ? "," : "", g->v->h->link[s->link].name,
		past_words[s->past].word);
	json_time("begin", s->begin, !s->begins_before, g->out);
	fputs(", ", g->out);
	json_time("end", s->end, !s->goes_on, g->out);
	fprintf(g->out, ", \"outage\": %s}", s->past >= PAST_HELD ? "true" :
		"false");
	g->any = true;
	return true;
}

static void json_units(const struct history_view *v, const char *key,
		       enum history_unit unit, FILE *out)
{
	static struct history_share share[HISTORY_UNITS_MAX * LINKS_MAX];
	static struct history_units units;
	const struct history_share *s;
	unsigned int i, k, n = 0;

	find_units(&units, v, unit);
	history_shares(v->h, units.bound, units.n, share);
	fprintf(out, "],\n\"%s\": [", key);
	for (k = 0; k < units.n; k++)
		for (i = 0; i < v->h->n_links; i++) {
			s = &share[k * LINKS_MAX + i];
			if (!s->known || !is_shown(v, i))
				continue;
			fprintf(out, "%s\n{\"link\": \"%s\", \"date\": "
				"\"%s\", \"up_seconds\": %" PRId64 ".%03d, "
				"\"known_seconds\": %" PRId64 ".%03d}",
				n++ ? "," : "", v->h->link[i].name,
				units.date[k], s->up / 1000,
				(int)(s->up % 1000), s->known / 1000,
				(int)(s->known % 1000));
		}
}

void history_print_json(const struct history_view *v, FILE *out)
{
	struct json_outages g = { .v = v, .out = out };

	fputc('{', out);
	json_time("from", v->from, true, out);
	fputs(", ", out);
	json_time("to", v->to, true, out);
	fprintf(out, ", \"lines\": %" PRIu64 ", \"clock_jumps\": %u,\n"
		"\"outages\": [", v->h->lines, v->h->jumps);
	history_spans(v->h, v->from, v->to, json_outage, &g);
	json_units(v, "days", UNIT_DAY, out);
	json_units(v, "weeks", UNIT_WEEK, out);
	json_units(v, "months", UNIT_MONTH, out);
	fputs("]}\n", out);
}

int history_choose(struct history_view *v, const struct history *h,
		   const char *since, const char *only, struct err *err)
{
	unsigned int i;

	*v = (struct history_view){ .h = h, .only = -1, .to = h->now };
	if (history_when(since ? since : "30d", v->to, &v->from) ||
	    v->from >= v->to)
		return err_set(err, -EINVAL, "\"%s\" is no time in the past "
			       "that --since knows: 2026-11-22, "
			       "2026-11-22T17:22, 36h, 7d or 4w", since);
	/* There is nothing to show if nothing is known. */
	if (h->begin > v->from)
		v->from = h->begin < v->to ? h->begin : v->from;
	for (i = 0; i < h->n_links && only; i++)
		if (!strcmp(h->link[i].name, only))
			v->only = (int)i;
	if (only && v->only < 0)
		return err_set(err, -EINVAL, "neither the configuration nor "
			       "the log has a link \"%s\"", only);
	return 0;
}
