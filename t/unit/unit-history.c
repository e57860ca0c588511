// SPDX-License-Identifier: MIT
/* The links' past as the log tells it: whole lines, lines that a power cut has
 * left, clocks that jump, and what is drawn from them.
 */
#include <stdlib.h>
#include <time.h>

#include "tell/history_print.h"
#include "unit.h"

enum { TEXT_MAX = 1 << 20 };

static struct history history;
static char text[TEXT_MAX];

/* 2026-01-01T00:00:00Z */
static const int64_t start = INT64_C(1767225600000);

static void add_line(const char *line)
{
	struct event e;

	if (event_parse(line, strlen(line), &e))
		history_add(&history, &e);
}

static const char *stamp(int64_t ms, char out[MOMENT_TEXT])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, MOMENT_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	return out;
}

static void line(int64_t ms, const char *tool, const char *rest)
{
	char out[400], date[MOMENT_TEXT];

	snprintf(out, sizeof(out), "ts=%s.%03d+00:00 tool=%s pid=1 event=%s "
		 "took_us=9", stamp(ms, date), (int)(ms % 1000), tool, rest);
	add_line(out);
}

/* A word of a scenario: "7d0" is a line of second 7, by which ppp0 goes down. '#'
 * is the link's number.
 */
static void one_word(const char *word)
{
	static const struct {
		char letter;
		const char *tool, *rest;
	} events[] = {
		{ 'u', "ip-up.local", "up if=ppp# local=10.0.0.1 "
		  "default=ppp# result=ok" },
		{ 'n', "ip-up.local", "up if=ppp# local=10.0.0.2 "
		  "default=ppp# result=ok" },
		{ 's', "ip-up.local", "up if=ppp# local=10.0.0.1 "
		  "default=ppp# result=unchanged" },
		{ 'd', "ip-down.local", "down if=ppp# default=none result=ok" },
		{ 'D', "ip-down.local", "down if=ppp# default=ppp# "
		  "result=unchanged" },
		{ 'c', "mwan-watch", "down if=ppp# default=none result=ok" },
		{ 'h', "mwan-rules", "failed if=ppp# cause=silent result=ok" },
		{ 'r', "mwan-rules", "recovered if=ppp# cause=answers "
		  "result=ok" },
		{ 'p', "mwan-rules", "drain if=ppp# drained=x,ppp# result=ok" },
		{ 'q', "mwan-rules", "undrain if=ppp# result=ok" },
		{ 'a', "mwan-rules", "apply links=# result=ok" },
		{ 'b', "mwan-rules", "apply links=# note=\"all links are "
		  "down\" result=ok" },
		{ 'f', "mwan-rules", "flush links=# result=ok" },
		{ 'i', "ip-up.local", "ignored if=eth# result=ok" },
		{ 'x', "ip-up.local", "failed if=ppp# result=failed" },
	};
	char *after, rest[200], *at;
	int64_t second = strtoll(word, &after, 10);
	size_t i;

	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (events[i].letter != *after)
			continue;
		snprintf(rest, sizeof(rest), "%s", events[i].rest);
		for (at = rest; *at; at++)
			if (*at == '#')
				*at = after[1];
		/* Negative: a clock that was never set. */
		line(second < 0 ? -second * 1000 : start + second * 1000,
		     events[i].tool, rest);
	}
}

static bool add_span(const struct history_span *s, void *data)
{
	size_t len = strlen(text);

	(void)data;
	snprintf(text + len, sizeof(text) - len, "%s%s:%s:%lld-%s",
		 len ? " " : "", history.link[s->link].name + 3,
		 past_words[s->past].word, (long long)(s->begin - start) / 1000,
		 s->goes_on ? "" : "");
	len = strlen(text);
	if (!s->goes_on)
		snprintf(text + len, sizeof(text) - len, "%lld",
			 (long long)(s->end - start) / 1000);
	return true;
}

/* All spans of what the words tell, the reader's clock being at second 1000 and
 * the boot at @boot.
 */
static const char *spans(const char *words, int64_t boot)
{
	char copy[400], *word, *save;

	history_begin(&history, start + 1000000);
	snprintf(copy, sizeof(copy), "%s", words);
	for (word = strtok_r(copy, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		one_word(word);
	history_end(&history, start + boot * 1000);
	text[0] = '\0';
	history_spans(&history, start - 1000, start + 1000000, add_span, NULL);
	return text;
}

static void test_spans(void)
{
	static const struct {
		const char *what, *words, *spans;
		int64_t boot;
	} cases[] = {
		{ "nothing", "", "", 0 },
		{ "up", "1u0", "0:up:1-", 0 },
		{ "up and down", "1u0 5d0 9u0", "0:up:1-5 0:pppd:5-9 0:up:9-",
		  0 },
		{ "two links", "1u0 2u1 5d0 6d1 7u1",
		  "0:up:1-5 1:up:2-6 0:pppd:5- 1:pppd:6-7 1:up:7-", 0 },
		{ "an ip-down of an old session", "1u0 5D0", "0:up:1-", 0 },
		{ "told twice", "1u0 2s0 5d0 6d0 9u0 9s0",
		  "0:up:1-5 0:pppd:5-9 0:up:9-", 0 },
		{ "others' lines and failures", "1u0 2i0 3x0", "0:up:1-", 0 },
		{ "its interface went down", "1u0 5c0", "0:up:1-5 0:carrier:5-",
		  0 },
		{ "held and released", "1u0 5h0 9r0",
		  "0:up:1-5 0:held:5-9 0:up:9-", 0 },
		{ "drained and held", "1u0 3p0 5h0 9r0 11q0", "0:up:1-3 "
		  "0:drained:3-5 0:held:5-9 0:drained:9-11 0:up:11-", 0 },
		{ "held, and then pppd ends it", "1u0 5h0 7d0 9u0",
		  "0:up:1-5 0:held:5-7 0:pppd:7-9 0:up:9-", 0 },
		{ "drained", "1u0 2u1 5p0 9q0", "0:up:1-5 1:up:2- "
		  "0:drained:5-9 0:up:9-", 0 },
		{ "a boot undrains", "1u0 5p0 9b0 10u0",
		  "0:up:1-5 0:drained:5-9 0:lost:9-10 0:up:10-", 0 },
		{ "flush and apply", "1u0 5f0 9a0", "0:up:1-5 0:flush:5-9 "
		  "0:up:9-", 0 },
		{ "flush, and its hook", "1u0 2u1 5f0 7u1", "0:up:1-5 "
		  "1:up:2-5 0:flush:5- 1:flush:5-7 1:up:7-", 0 },
		{ "down while nothing is in force", "1u0 5f0 6d0",
		  "0:up:1-5 0:flush:5-6 0:pppd:6-", 0 },
		{ "a power cut, and apply finds none", "1u0 9b0 12u0",
		  "0:up:1-9 0:lost:9-12 0:up:12-", 8 },
		{ "a power cut, and no apply", "1u0 9n0",
		  "0:up:1-9 0:lost:9-9 0:up:9-", 8 },
		{ "a power cut, the address is the same", "1u0 9u0",
		  "0:up:1-9 0:lost:9-9 0:up:9-", 8 },
		{ "nothing was logged since the boot", "1u0",
		  "0:up:1-8 0:unknown:8-", 8 },
		{ "but of the other link", "1u0 2u1 9n1",
		  "0:up:1-8 1:up:2-9 0:unknown:8- 1:lost:9-9 1:up:9-", 8 },
		{ "and of one that stays down", "1u0 5d0 9b0",
		  "0:up:1-5 0:pppd:5-", 8 },
		{ "lines out of order by a little", "10u0 12d0 11u1",
		  "0:up:10-12 1:up:11- 0:pppd:12-", 0 },
		{ "the clock is set back", "1u0 500d0 600u0 300d0 310u0",
		  "0:up:1-300 0:pppd:300-310 0:up:310-", 0 },
		{ "... in an outage", "1u0 500d0 300i0 310u0",
		  "0:up:1-300 0:pppd:300-310 0:up:310-", 0 },
		{ "a board without a clock", "1u0 9i0 -5b0 -7u0 100u1",
		  "0:up:1-9 0:unknown:9-100 0:up:100- 1:up:100-", 8 },
		{ "... that it never gets", "-5b0 -7u0", "", 0 },
		{ "... and loses", "1u0 9i0 -7d0", "0:up:1-9 0:unknown:9-", 0 },
		{ "a clock in the future", "1u0 9i0 2000d0 2001u0 20d0",
		  "0:up:1-9 0:unknown:9-20 0:pppd:20-", 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is(spans(cases[i].words, cases[i].boot), cases[i].spans, "%s",
		   cases[i].what);
}

#define UP "ts=2026-01-01T00:00:01.000+00:00 tool=ip-up.local pid=1 event=up " \
	   "if=ppp0 local=10.0.0.1 default=ppp0 "
#define END "result=ok took_us=9"

static void test_lines(void)
{
	static const struct {
		const char *what, *line, *local;
		size_t len;
		int64_t ms;
	} cases[] = {
		{ "a line", UP END, "10.0.0.1", sizeof(UP END) - 1, 1000 },
		{ "another zone", "ts=2026-01-01T01:30:01.250+01:30 event=up "
		  "local=1 " END, "1", 0, 1250 },
		{ "west of Greenwich", "ts=2025-12-31T19:00:02.5-05:00 "
		  "event=up local=1 " END, "1", 0, 2500 },
		{ "no date", "ts=yesterday event=up local=1 " END, "1", 0, -1 },
		{ "no such month", "ts=2026-13-01T00:00:01.000+00:00 event=up "
		  "local=1 " END, "1", 0, -1 },
		{ "it lost its end", UP, NULL, 0, 0 },
		{ "not a line of ours", "Jan  1 00:00:00 a: ts=2026", NULL, 0,
		  0 },
		{ "a hole before it", "event=up\0\0\0" UP END, "10.0.0.1",
		  sizeof("event=up\0\0\0" UP END) - 1, 1000 },
		{ "only a hole", "\0\0\0", NULL, 3, 0 },
		{ "after one that lost its end", "ts=2025-01-01T00:00:01.000+"
		  "00:00 event=down if=p" UP END, "10.0.0.1", 0, 1000 },
		{ "... in a key", "ts=2025-01-01T00:00:01.000+00:00 event=do i"
		  UP END, "10.0.0.1", 0, 1000 },
		{ "... behind a blank", "ts=2025-01-01T00:00:01.000+00:00 "
		  "event=down " UP END, "10.0.0.1", 0, 1000 },
		{ "a value is no line", "ts=2026-01-01T00:00:01.000+00:00 "
		  "event=failed error=\"x \\\" ts=2020-01-01T00:00:01.000+00:00"
		  " event=up local=7\" local=2 " END, "2", 0, 1000 },
		{ "an open quotation mark", UP "note=\"all \\\" " END, NULL, 0,
		  0 },
	};
	struct event e;
	size_t i;
	bool whole;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		whole = event_parse(cases[i].line, cases[i].len ? cases[i].len :
				    strlen(cases[i].line), &e);
		ok(whole == (cases[i].local != NULL) &&
		   (!whole || (!strcmp(e.local, cases[i].local) &&
			       e.ms == (cases[i].ms < 0 ? -1 :
					start + cases[i].ms))),
		   "a line: %s", cases[i].what);
	}
}

static void test_shares(void)
{
	static struct history_share share[3 * LINKS_MAX];
	int64_t bound[] = { start, start + 100000, start + 200000,
		start + 300000 };
	char out[SHARE_TEXT];

	spans("50u0 150d0 160u0 250h0 260r0 270p0", 0);
	history_shares(&history, bound, 3, share);
	ok(share[0].known == 50000 && share[0].up == 50000,
	   "a share: of the time that is known");
	ok(share[LINKS_MAX].known == 100000 && share[LINKS_MAX].up == 90000,
	   "a share: without an outage's time");
	ok(share[2 * LINKS_MAX].up == 90000,
	   "a share: held is an outage, drained is none");
	is(history_share_text(&(struct history_share){ 99999, 100000 }, out),
	   "99.99%", "a share is never rounded up");
	is(history_share_text(&(struct history_share){ 5, 5 }, out), "100%",
	   "a whole share");
	is(history_share_text(&(struct history_share){ 0, 0 }, out), "-",
	   "a share of nothing");
}

static void test_duration(void)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "0.0s" }, { 350, "0.3s" }, { 9999, "9.9s" },
		{ 10000, "10s" }, { 59999, "59s" }, { 60000, "1m 0s" },
		{ 3599999, "59m 59s" }, { 3600000, "1h 0m" },
		{ 86399999, "23h 59m" }, { INT64_C(273600000), "3d 4h" },
	};
	char out[DURATION_TEXT];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is(duration_text(cases[i].ms, out), cases[i].text, "%s",
		   cases[i].text);
}

static void test_when(void)
{
	int64_t now = start + INT64_C(40) * 86400000, when;

	ok(!history_when("2d", now, &when) && when == now - 172800000,
	   "when: two days ago");
	ok(!history_when("90m", now, &when) && when == now - 5400000,
	   "when: 90 minutes ago");
	ok(!history_when("2026-01-01T00:00:07", now, &when) &&
	   when == start + 7000, "when: a date and a time");
	ok(!history_when("2026-01-02", now, &when) &&
	   when == start + 86400000, "when: a date");
	ok(history_when("d", now, &when) && history_when("-1d", now, &when) &&
	   history_when("", now, &when) && history_when("3y", now, &when) &&
	   history_when("2026-02-01x", now, &when) &&
	   history_when("0h", now, &when), "when: nothing else");
}

static void print_to_text(void (*print)(const struct history_view *v,
					FILE *out),
			  const struct history_view *v)
{
	FILE *f = fmemopen(text, sizeof(text), "w");

	print(v, f);
	fclose(f);
}

/* Any events at all: no line longer than 80, and the sums fit. */
static void test_random(void)
{
	static struct history_share share[LINKS_MAX];
	struct history_view v = { .h = &history, .only = -1 };
	int64_t second, bound[2] = { start, start + 1000000 };
	static const char letters[] = "uunsdddDchrpqabfix";
	unsigned int round, i, k, bad = 0, wide = 0;
	char word[40];

	for (round = 0; round < 300; round++) {
		history_begin(&history, start + 1000000);
		second = 0;
		for (i = unit_random(300); i; i--) {
			second += unit_random(9);
			if (!unit_random(40))
				second = unit_random(1100);
			snprintf(word, sizeof(word), "%lld%c%u",
				 unit_random(50) ? (long long)second : -5LL,
				 letters[unit_random(sizeof(letters) - 1)],
				 unit_random(4));
			one_word(word);
		}
		history_end(&history, start + unit_random(1100) * 1000);
		for (i = 1; i < history.n; i++)
			bad += history.change[i].at < history.change[i - 1].at;
		history_shares(&history, bound, 1, share);
		for (k = 0; k < history.n_links; k++)
			bad += share[k].up < 0 || share[k].up > share[k].known ||
			       share[k].known > 1000000;
		v.from = start + unit_random(500) * 1000;
		v.to = v.from + 1 + unit_random(500) * 1000;
		print_to_text(history_print, &v);
		wide += unit_longest_line(text) > 80;
		v.from = start - (int64_t)unit_random(400) * 86400000;
		print_to_text(history_print, &v);
		wide += unit_longest_line(text) > 80;
	}
	ok(!bad, "random logs: in order, and no share beyond the time there is");
	ok(!wide, "random logs: no line is longer than 80");
}

/* More changes than there is room for: the oldest go, and the rest is right. */
static void test_full(void)
{
	unsigned int i;

	history_begin(&history, start + INT64_C(1000) * 1000000);
	for (i = 0; i < HISTORY_CHANGES_MAX + 1000; i++)
		line(start + (int64_t)i * 1000, i % 2 ? "ip-down.local" :
		     "ip-up.local", i % 2 ? "down if=ppp0 default=none "
		     "result=ok" : "up if=ppp0 local=1 default=ppp0 "
		     "result=ok");
	text[0] = '\0';
	history_spans(&history, history.begin, history.begin + 2000, add_span,
		      NULL);
	ok(history.n <= HISTORY_CHANGES_MAX &&
	   history.begin == start + (int64_t)HISTORY_CHANGES_MAX / 2 * 1000,
	   "a log of more changes than there is room for");
	is(text, "0:up:131072-131073 "
	   "0:pppd:131073-131074", "... the newest are as they were");
}

static void test_choose(void)
{
	static const char bad[] = " is no time in the past that --since knows: "
				  "2026-11-22, 2026-11-22T17:22, 36h, 7d or "
				  "4w";
	struct history_view v;
	struct err err;
	char want[200];

	history_begin(&history, start + 3600000);
	line(start, "ip-up.local", "up if=ppp1 local=1 default=ppp1 "
	     "result=ok");
	history_end(&history, start);
	ok(!history_choose(&v, &history, NULL, NULL, &err) && v.only == -1 &&
	   v.to == start + 3600000 && v.from == start,
	   "all links, as far as anything is known");
	ok(!history_choose(&v, &history, "1h", "ppp1", &err) && !v.only,
	   "one link");
	snprintf(want, sizeof(want), "\"2100-01-01\"%s", bad);
	ok(history_choose(&v, &history, "2100-01-01", NULL, &err) < 0,
	   "a time to come");
	is(err.msg, want, "... is none");
	ok(history_choose(&v, &history, NULL, "ppp7", &err) < 0,
	   "an unknown link");
	is(err.msg, "neither the configuration nor the log has a link "
	   "\"ppp7\"", "... is told");
	ok(history_draw(&v, "/nowhere/x.svg", &err) < 0,
	   "a file that cannot be written");
	is(err.msg, "cannot write /nowhere/x.svg: No such file or directory; "
	   "\"--svg - >/nowhere/x.svg\" lets your shell do it", "... says why");
	ok(!history_draw(&v, "/dev/null", &err), "one that can");
	ok(history_draw(&v, "/dev/full", &err) < 0, "a full disk");
	is(err.msg, "cannot write all of /dev/full: is its disk full?",
	   "... is noticed");
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	test_lines();
	test_spans();
	test_shares();
	test_duration();
	test_when();
	test_random();
	test_full();
	test_choose();
	return done();
}
