// SPDX-License-Identifier: MIT
/* The links' past, from any bytes in the place of the log: its changes are in the
 * order of time, nobody was up for longer than the time there is, and each form
 * can be printed, the one for people in 80 columns of ASCII. The first two bytes
 * choose the window, the third the reader's clock.
 */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "tell/history_print.h"

static struct history history;
static char text[1 << 20];

static void read_lines(const char *at, const char *end)
{
	const char *stop;
	struct event e;

	for (; at < end; at = stop + 1) {
		stop = memchr(at, '\n', (size_t)(end - at));
		stop = stop ? stop : end;
		if (event_parse(at, (size_t)(stop - at), &e))
			history_add(&history, &e);
	}
}

static void check_order(void)
{
	unsigned int i;

	must(history.n_links <= LINKS_MAX);
	for (i = 0; i < history.n; i++) {
		must(history.change[i].past < PASTS);
		must(history.change[i].link < history.n_links);
		must(!i || history.change[i - 1].at <= history.change[i].at);
	}
}

static void check_shares(const struct history_view *v)
{
	static struct history_share share[LINKS_MAX];
	int64_t bound[2] = { v->from, v->to };
	unsigned int i;

	history_shares(&history, bound, 1, share);
	for (i = 0; i < history.n_links; i++)
		must(share[i].up >= 0 && share[i].up <= share[i].known &&
		     share[i].known <= v->to - v->from);
}

static size_t print(void (*how)(const struct history_view *v, FILE *out),
		    const struct history_view *v)
{
	FILE *f = fmemopen(text, sizeof(text), "w");
	long len;

	how(v, f);
	len = ftell(f);
	fclose(f);
	must(len > 0);
	return (size_t)len;
}

static void check_text(size_t len)
{
	size_t i, column = 0;

	for (i = 0; i < len && i < sizeof(text) - 1; i++) {
		must(text[i] == '\n' || (text[i] >= ' ' && text[i] < 0x7f));
		column = text[i] == '\n' ? 0 : column + 1;
		must(column <= 80);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* 2026-12-01, or what the log may take for the future. */
	int64_t now = INT64_C(1796083200000);
	struct history_view v = { .h = &history, .only = -1 };

	if (size < 3)
		return 0;
	now -= (int64_t)data[2] * 86400000;
	history_begin(&history, now);
	read_lines((const char *)data + 3, (const char *)data + size);
	history_end(&history, now - 86400000);
	check_order();
	v.to = now;
	v.from = now - 1 - (int64_t)data[0] * data[1] * 7200000;
	check_shares(&v);
	check_text(print(history_print, &v));
	print(history_print_json, &v);
	print(history_print_svg, &v);
	return 0;
}
