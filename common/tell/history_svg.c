// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tell/history_print.h"

/* In pixels. */
enum {
	WIDTH = 960,
	LEFT = 150,		/* for 15 letters of a name */
	RIGHT = 90,		/* for "99.98%" */
	BAR = WIDTH - LEFT - RIGHT,
	TOP = 64,
	ROW = 40,
	HEIGHT = 22,		/* of a bar */
	BOTTOM = 64,
	TICKS = 6,
};

/* Colours that differ in brightness as well, on both backgrounds. */
static const char style[] =
	"<style>\n"
	"svg { color-scheme: light dark; background: #fff; }\n"
	"text { font: 14px system-ui, sans-serif; fill: #1f2328; }\n"
	".title { font-size: 18px; font-weight: 600; }\n"
	".dim { fill: #59636e; font-size: 12px; }\n"
	".line { stroke: #d1d9e0; stroke-width: 1; }\n"
	".unknown { fill: #e6eaef; } .up { fill: #2da44e; }\n"
	".drained { fill: #54aeff; } .flush { fill: #a475f9; }\n"
	".held { fill: #e8a200; } .down { fill: #cf222e; }\n"
	"@media (prefers-color-scheme: dark) {\n"
	"svg { background: #0d1117; }\n"
	"text { fill: #f0f6fc; } .dim { fill: #9198a1; }\n"
	".line { stroke: #3d444d; }\n"
	".unknown { fill: #21262d; } .up { fill: #2ea043; }\n"
	".drained { fill: #388bfd; } .flush { fill: #8957e5; }\n"
	".held { fill: #d29922; } .down { fill: #f85149; }\n"
	"}\n"
	"</style>\n";

static const char *class_of(enum past p)
{
	return p >= PAST_CARRIER ? "down" : past_words[p].word;
}

/* A day, an hour and a minute, or a date, whichever tells the ticks apart. */
static void put_ticks(const struct history_view *v, int height, FILE *out)
{
	char text[MOMENT_TEXT];
	int i, x;

	for (i = 0; i <= TICKS; i++) {
		x = LEFT + BAR * i / TICKS;
		moment_text(v->from + (v->to - v->from) * i / TICKS, false,
			    text);
		/* The title has the year, so leave it out of "2026-11-22
		 * 17:22".
		 */
		if (v->to - v->from > INT64_C(4) * 86400000)
			text[strlen("2026-11-22")] = '\0';
		fprintf(out, "<line class=\"line\" x1=\"%d\" x2=\"%d\" "
			"y1=\"%d\" y2=\"%d\"/>\n"
			"<text class=\"dim\" x=\"%d\" y=\"%d\" "
			"text-anchor=\"middle\">%s</text>\n", x, x, TOP - 6,
			height - BOTTOM + 4, x, height - BOTTOM + 20,
			text + strlen("2026-"));
	}
}

/* One rectangle for each run of equal pixels. */
static void put_bar(const uint8_t *cell, int y, FILE *out)
{
	int x, end;

	for (x = 0; x < BAR; x = end) {
		for (end = x + 1; end < BAR && class_of(cell[end]) ==
					       class_of(cell[x]); end++)
			;
		fprintf(out, "<rect class=\"%s\" x=\"%d\" y=\"%d\" "
			"width=\"%d\" height=\"%d\"/>\n", class_of(cell[x]),
			LEFT + x, y, end - x, HEIGHT);
	}
}

static void put_legend(int y, FILE *out)
{
	static const struct {
		enum past past;
		const char *text;
	} words[] = {
		{ PAST_UP, "up" }, { PAST_CARRIER, "down" },
		{ PAST_HELD, "held: probes failed" },
		{ PAST_DRAINED, "drained" }, { PAST_FLUSHED, "flushed" },
		{ PAST_UNKNOWN, "not known" },
	};
	unsigned int i;
	int x = LEFT;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		fprintf(out, "<rect class=\"%s\" x=\"%d\" y=\"%d\" "
			"width=\"12\" height=\"12\" rx=\"2\"/>\n"
			"<text class=\"dim\" x=\"%d\" y=\"%d\">%s</text>\n",
			class_of(words[i].past), x, y - 10, x + 17, y,
			words[i].text);
		x += 17 + 7 * (int)strlen(words[i].text) + 18;
	}
}

void history_print_svg(const struct history_view *v, FILE *out)
{
	static uint8_t cell[LINKS_MAX * BAR];
	static struct history_share share[LINKS_MAX];
	int64_t whole[2] = { v->from, v->to };
	unsigned int i, shown = v->only < 0 ? v->h->n_links : 1;
	int height = TOP + (int)shown * ROW + BOTTOM, y = TOP;
	char from[MOMENT_TEXT], to[MOMENT_TEXT], text[SHARE_TEXT];

	history_cells(v->h, v->from, v->to, BAR, cell);
	history_shares(v->h, whole, 1, share);
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
		"height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n"
		"<title>Availability of the links, %s to %s</title>\n%s"
		"<text class=\"title\" x=\"16\" y=\"30\">Availability of the "
		"links</text>\n"
		"<text class=\"dim\" x=\"%d\" y=\"30\" text-anchor=\"end\">"
		"%s to %s</text>\n", WIDTH, height, WIDTH, height,
		moment_text(v->from, false, from),
		moment_text(v->to, false, to), style, WIDTH - 16, from, to);
	put_ticks(v, height, out);
	for (i = 0; i < v->h->n_links; i++) {
		if (v->only >= 0 && (unsigned int)v->only != i)
			continue;
		/* ifname_valid(): nothing there has to be escaped. */
		fprintf(out, "<text x=\"16\" y=\"%d\">%s</text>\n"
			"<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s"
			"</text>\n", y + 16, v->h->link[i].name, WIDTH - 16,
			y + 16, history_share_text(&share[i], text));
		put_bar(&cell[(size_t)i * BAR], y, out);
		y += ROW;
	}
	put_legend(height - 18, out);
	fputs("</svg>\n", out);
}

int history_draw(const struct history_view *v, const char *file,
		 struct err *err)
{
	bool to_stdout = !strcmp(file, "-");
	FILE *out = to_stdout ? stdout : fopen(file, "we");
	int code = 0;

	if (!out)
		return err_set(err, -errno, "cannot write %s: %s; \"--svg - "
			       ">%s\" lets your shell do it", file,
			       strerror(errno), file);
	history_print_svg(v, out);
	if (!to_stdout && (ferror(out) | fclose(out)))
		code = err_set(err, -EIO, "cannot write all of %s: is its "
			       "disk full?", file);
	return code;
}
