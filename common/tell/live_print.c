// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tell/link_facts.h"
#include "tell/live_print.h"

enum {
	BAR = 20,
	BAR_TEXT = 2 * BAR + 64,
	PERCENT_MAX = 999,
};

/* Bits per second, where the configuration says it: what cake shapes to. */
static uint64_t bandwidth_of(const struct status *s, unsigned int i)
{
	const struct qdisc_conf *q = &s->link[i].want->qdisc;

	return q->kind == QDISC_CAKE ? q->bandwidth * 8 : 0;
}

/* "[########............]  40% of 45.0M" */
static const char *bar(const struct status *s, unsigned int i,
		       char text[BAR_TEXT])
{
	static const char full[] = "####################";
	static const char empty[] = "....................";
	double all = (double)bandwidth_of(s, i), share;
	char of[FACT_TEXT];
	int n;

	if (all <= 0)
		return strcpy(text, "-");
	scaled_text(bandwidth_of(s, i), of);
	if (!s->rates->known[i]) {
		snprintf(text, BAR_TEXT, "[%s]   - of %.6s", empty, of);
		return text;
	}
	share = (double)s->rates->tx[i] / all;
	n = share < 1 ? (int)(share * BAR + 0.5) : BAR;
	snprintf(text, BAR_TEXT, "[%.*s%.*s] %3d%% of %.6s", n, full, BAR - n,
		 empty, share * 100 < PERCENT_MAX ? (int)(share * 100) :
		 PERCENT_MAX, of);
	return text;
}

/* The units are parts of a million, and microseconds. */
static void print_watched(const struct status *s, unsigned int i, FILE *out)
{
	struct fact_value loss = { 0 }, rtt = { 0 };
	char text[FACT_TEXT] = "-";

	if (link_facts[FACT_LOSS].get(s, i, &loss))
		snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64 "%%",
			 loss.number / 10000, loss.number / 1000 % 10);
	fprintf(out, "  %6s", text);
	strcpy(text, "-");
	if (link_facts[FACT_RTT].get(s, i, &rtt))
		snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64 " ms",
			 rtt.number / 1000, rtt.number / 100 % 10);
	fprintf(out, "  %9s\n", text);
}

static bool has_any(const struct status *s)
{
	struct fact_value v;
	unsigned int i;

	for (i = 0; i < s->n_links; i++)
		if (bandwidth_of(s, i) ||
		    link_facts[FACT_LOSS].get(s, i, &v) ||
		    link_facts[FACT_RTT].get(s, i, &v))
			return true;
	return false;
}

void status_print_live(const struct status *s, FILE *out)
{
	char text[BAR_TEXT];
	unsigned int i;

	if (!s->rates || !has_any(s))
		return;
	fprintf(out, "\n%-15s  %-36s  %6s  %9s\n", "LINK", "OUT", "LOSS",
		"LATENCY");
	for (i = 0; i < s->n_links; i++) {
		fprintf(out, "%-15s  %-36s", s->link[i].want->name,
			bar(s, i, text));
		print_watched(s, i, out);
	}
}
