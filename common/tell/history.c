// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "tell/history.h"

enum {
	/* Lines are written when a call ends, but have the time of its
	 * beginning: so far apart the log may be out of order.
	 */
	ORDER_MS = 60 * 1000,
};

/* 2020-01-01: what is before has been written without a clock. */
static const int64_t first_ms = INT64_C(1577836800000);

const struct past_word past_words[PASTS] = {
	[PAST_UNKNOWN] = { "unknown", '?', "not known" },
	[PAST_UP] = { "up", '=', "up" },
	[PAST_DRAINED] = { "drained", 'd', "drained" },
	[PAST_FLUSHED] = { "flush", 'f', "mwan-rules flush" },
	[PAST_HELD] = { "held", 'h', "its probes failed" },
	[PAST_CARRIER] = { "carrier", 'x', "its interface went down" },
	[PAST_PPPD] = { "pppd", 'x', "pppd ended the session" },
	[PAST_LOST] = { "lost", 'x', "its end was not logged" },
};

void history_begin(struct history *h, int64_t now)
{
	h->n_links = h->n = h->jumps = 0;
	h->lines = 0;
	h->begin = h->last = -1;
	h->now = now;
	h->no_clock = false;
}

int history_link(struct history *h, const char *name)
{
	struct history_link *l;
	unsigned int i;

	for (i = 0; i < h->n_links; i++)
		if (!strcmp(h->link[i].name, name))
			return (int)i;
	if (h->n_links == LINKS_MAX || !ifname_valid(name))
		return -1;
	l = &h->link[h->n_links++];
	*l = (struct history_link){ 0 };
	strcpy(l->name, name);
	return (int)i;
}

/* --- changes, in the order of their times --- */

/* The older half goes, but for what it has led to. */
static void make_room(struct history *h)
{
	unsigned int half = h->n / 2, i;

	for (i = 0; i < half; i++)
		h->link[h->change[i].link].first =
			(enum past)h->change[i].past;
	h->begin = h->change[half].at;
	memmove(h->change, h->change + half,
		(h->n - half) * sizeof(h->change[0]));
	h->n -= half;
}

static void push(struct history *h, int64_t at, unsigned int link,
		 enum past past)
{
	unsigned int i;

	if (h->n == HISTORY_CHANGES_MAX)
		make_room(h);
	/* A link's own changes stay in the order of the log. */
	for (i = h->n; i && h->change[i - 1].at > at; i--) {
		if (h->change[i - 1].link == link) {
			at = h->change[i - 1].at;
			break;
		}
		h->change[i] = h->change[i - 1];
	}
	h->change[i].at = at;
	h->change[i].link = (uint8_t)link;
	h->change[i].past = (uint8_t)past;
	h->n++;
}

static enum past what_comes_of(const struct history_link *l)
{
	if (l->session != PAST_UP)
		return l->session;
	return l->held ? PAST_HELD : l->flushed ? PAST_FLUSHED :
	       l->drained ? PAST_DRAINED : PAST_UP;
}

/* Before the clock is set a change has no time: the state when the clock
 * returns counts.
 */
static void update(struct history *h, unsigned int link, int64_t at)
{
	struct history_link *l = &h->link[link];
	enum past past = what_comes_of(l);

	if (past != l->now && !h->no_clock)
		push(h, at, link, past);
	l->now = past;
}

/* --- the clock --- */

static void all_become(struct history *h, int64_t at, bool unknown)
{
	unsigned int i;

	for (i = 0; i < h->n_links; i++)
		push(h, at, i, unknown ? PAST_UNKNOWN : h->link[i].now);
}

/* The clock was set back to @at: what was logged after that has wrong times, and
 * goes; what it has led to is true from @at on.
 */
static void set_back(struct history *h, int64_t at)
{
	h->jumps++;
	while (h->n && h->change[h->n - 1].at > at)
		h->n--;
	if (h->begin > at)
		h->begin = at;
	all_become(h, at, false);
	h->last = at;
}

/* The time of a line, as far as it can be one; false: there is no clock. */
static bool take_time(struct history *h, int64_t at)
{
	if (at < first_ms || at > h->now) {
		if (!h->no_clock && h->last >= 0) {
			h->jumps++;
			all_become(h, h->last, true);
		}
		h->no_clock = true;
		return false;
	}
	if (h->begin < 0)
		h->begin = at;
	if (at + ORDER_MS < h->last)
		set_back(h, at);
	if (at > h->last)
		h->last = at;
	if (h->no_clock)
		all_become(h, h->last, false);
	h->no_clock = false;
	return true;
}

/* --- what lines tell --- */

static enum past why_down(const struct event *e)
{
	enum past p;

	for (p = PAST_HELD; p < PASTS; p++)
		if (!strcmp(e->cause, past_words[p].word))
			return p;
	return strncmp(e->tool, "ip-", 3) ? PAST_CARRIER : PAST_PPPD;
}

/* A session that begins while another one is there, with something to do or
 * another address: the end of that one was not logged. Nobody knows when it was;
 * a span without a length shows that it was.
 */
static void session_up(struct history *h, unsigned int link,
		       const struct event *e)
{
	struct history_link *l = &h->link[link];

	if (l->session == PAST_UP && !l->flushed &&
	    (strcmp(e->result, "unchanged") ||
	     (l->local[0] && strcmp(e->local, l->local)))) {
		l->session = PAST_LOST;
		update(h, link, e->ms);
	}
	l->session = PAST_UP;
	l->flushed = l->held = false;
	strcpy(l->local, e->local);
}

/* Up or down: where its traffic goes says what it is, not the hook's name. */
static void session(struct history *h, const struct event *e)
{
	int i = history_link(h, e->link);
	struct history_link *l;

	if (i < 0 || !*e->by)
		return;
	l = &h->link[i];
	if (strcmp(e->by, e->link)) {
		if (l->session <= PAST_UP)
			l->session = why_down(e);
	} else if (!strcmp(e->event, "up")) {
		session_up(h, (unsigned int)i, e);
	} else if (l->session != PAST_UP) {
		/* The end of an older session, and there is a newer one. */
		l->session = PAST_UP;
		l->local[0] = '\0';
	}
	update(h, (unsigned int)i, e->ms);
}

/* Of mwan-rules watch. A run that failed has an error in its line, no cause. */
static void held(struct history *h, const struct event *e, bool is)
{
	int i = history_link(h, e->link);

	if (i < 0)
		return;
	h->link[i].held = is;
	update(h, (unsigned int)i, e->ms);
}

/* Each of these lines has all that are drained. */
static void drained(struct history *h, const struct event *e)
{
	unsigned int i;

	for (i = 0; i < h->n_links; i++) {
		h->link[i].drained = event_names(e->drained, h->link[i].name);
		update(h, i, e->ms);
	}
}

/* apply puts all links to use again; at boot it finds them down. */
static void applied(struct history *h, const struct event *e)
{
	bool none = strstr(e->note, "all links are down");
	unsigned int i;

	for (i = 0; i < h->n_links; i++) {
		h->link[i].flushed = false;
		if (none && h->link[i].session == PAST_UP)
			h->link[i].session = PAST_LOST;
		update(h, i, e->ms);
		/* That makes it known of this boot, see history_end(). */
		if (none && !h->no_clock && h->link[i].now)
			push(h, e->ms, i, h->link[i].now);
	}
}

static void flushed(struct history *h, const struct event *e)
{
	unsigned int i;

	for (i = 0; i < h->n_links; i++) {
		h->link[i].flushed = true;
		h->link[i].drained = h->link[i].held = false;
		update(h, i, e->ms);
	}
}

void history_add(struct history *h, const struct event *e)
{
	const char *what = e->event;

	h->lines++;
	take_time(h, e->ms);
	if (!strcmp(what, "up") || !strcmp(what, "down"))
		session(h, e);
	else if (!strcmp(what, "failed") && *e->cause)
		held(h, e, true);
	else if (!strcmp(what, "recovered"))
		held(h, e, false);
	else if (!strcmp(what, "apply"))
		applied(h, e);
	else if (!strcmp(what, "flush"))
		flushed(h, e);
	else if (strcmp(what, "drain") && strcmp(what, "undrain"))
		return;
	/* The lines of watch do not say which are drained. */
	if (strcmp(what, "failed") && strcmp(what, "recovered"))
		drained(h, e);
}

void history_end(struct history *h, int64_t boot)
{
	static int64_t told[LINKS_MAX];
	unsigned int i;

	if (h->no_clock)
		return;
	for (i = 0; i < h->n_links; i++)
		told[i] = -1;
	for (i = 0; i < h->n; i++)
		told[h->change[i].link] = h->change[i].at;
	for (i = 0; i < h->n_links; i++)
		if (h->link[i].now && told[i] < boot && boot < h->now)
			push(h, boot, i, PAST_UNKNOWN);
}

/* --- spans --- */

/* The next change of the same link, h->n if none. */
static unsigned int next_change(const struct history *h, unsigned int i,
				unsigned int link)
{
	while (i < h->n && h->change[i].link != link)
		i++;
	return i;
}

/* The state of @link from its change @c on, or before its first one (NULL);
 * @next is where the next one may be. False: the span does not touch [from,
 * to), or has no length, as of a lost one alone.
 */
static bool span_of(const struct history *h, unsigned int link,
		    const struct history_change *c, unsigned int next,
		    int64_t from, int64_t to, struct history_span *s)
{
	s->link = link;
	s->past = c ? (enum past)c->past : h->link[link].first;
	s->begin = c ? c->at : h->begin;
	s->begins_before = !c;
	for (next = next_change(h, next, link);
	     next < h->n && h->change[next].past == s->past;
	     next = next_change(h, next + 1, link))
		;
	s->goes_on = next == h->n;
	s->end = s->goes_on ? h->now : h->change[next].at;
	return s->begin < to && s->end >= from &&
	       (s->end > s->begin || s->past == PAST_LOST);
}

void history_spans(const struct history *h, int64_t from, int64_t to,
		   bool (*cb)(const struct history_span *span, void *data),
		   void *data)
{
	static uint8_t is[LINKS_MAX];
	const struct history_change *c;
	struct history_span s;
	unsigned int i;

	for (i = 0; i < h->n_links; i++) {
		is[i] = (uint8_t)h->link[i].first;
		if (is[i] && span_of(h, i, NULL, 0, from, to, &s) &&
		    !cb(&s, data))
			return;
	}
	for (i = 0; i < h->n && h->change[i].at < to; i++) {
		c = &h->change[i];
		if (c->past != is[c->link] &&
		    span_of(h, c->link, c, i + 1, from, to, &s) &&
		    !cb(&s, data))
			return;
		is[c->link] = c->past;
	}
}

/* --- shares --- */

struct summing {
	const int64_t *bound;
	unsigned int n;
	struct history_share *share;
};

static bool sum(const struct history_span *s, void *data)
{
	const struct summing *g = data;
	struct history_share *at;
	unsigned int low = 0, high = g->n, mid;
	int64_t begin, end;

	if (s->past == PAST_UNKNOWN)
		return true;
	/* The unit in which the span begins. */
	while (low + 1 < high) {
		mid = (low + high) / 2;
		if (g->bound[mid] <= s->begin)
			low = mid;
		else
			high = mid;
	}
	for (; low < g->n && g->bound[low] < s->end; low++) {
		begin = s->begin > g->bound[low] ? s->begin : g->bound[low];
		end = s->end < g->bound[low + 1] ? s->end :
		      g->bound[low + 1];
		if (end <= begin)
			continue;
		at = &g->share[low * LINKS_MAX + s->link];
		at->known += end - begin;
		if (s->past < PAST_HELD)
			at->up += end - begin;
	}
	return true;
}

void history_shares(const struct history *h, const int64_t *bound,
		    unsigned int n, struct history_share *share)
{
	struct summing g = { bound, n, share };

	memset(share, 0, (size_t)n * LINKS_MAX * sizeof(*share));
	history_spans(h, bound[0], bound[n], sum, &g);
}

struct celling {
	int64_t from, to;
	unsigned int n;
	uint8_t *cell;
};

static bool fill_cells(const struct history_span *s, void *data)
{
	const struct celling *g = data;
	int64_t length = g->to - g->from, begin, end, i;
	uint8_t *cell = g->cell + (size_t)s->link * g->n;

	begin = s->begin > g->from ? s->begin - g->from : 0;
	end = (s->end < g->to ? s->end : g->to) - g->from;
	begin = begin * g->n / length;
	/* Its last millisecond; an outage without length shows as well. */
	end = end ? (end - 1) * g->n / length : 0;
	for (i = begin; (i <= end || i == begin) && i < g->n; i++)
		if (cell[i] < s->past)
			cell[i] = (uint8_t)s->past;
	return true;
}

void history_cells(const struct history *h, int64_t from, int64_t to,
		   unsigned int n, uint8_t *cell)
{
	struct celling g = { from, to, n, cell };

	memset(cell, PAST_UNKNOWN, (size_t)h->n_links * n);
	if (from < to)
		history_spans(h, from, to, fill_cells, &g);
}

/* --- words --- */

const char *history_share_text(const struct history_share *s,
			       char text[SHARE_TEXT])
{
	/* Hundredths of a percent; 2^63 ms are enough for that. */
	int64_t part = s->known ? s->up * 10000 / s->known : 0;

	if (!s->known)
		strcpy(text, "-");
	else if (part == 10000)
		strcpy(text, "100%");
	else
		snprintf(text, SHARE_TEXT, "%d.%02d%%", (int)(part / 100),
			 (int)(part % 100));
	return text;
}

const char *duration_text(int64_t ms, char text[DURATION_TEXT])
{
	static const struct {
		int64_t ms;
		const char *unit, *next;
		int64_t next_ms;
	} units[] = {
		{ 86400000, "d", "h", 3600000 },
		{ 3600000, "h", "m", 60000 },
		{ 60000, "m", "s", 1000 },
	};
	size_t i;

	for (i = 0; i < COUNT(units); i++) {
		if (ms < units[i].ms)
			continue;
		snprintf(text, DURATION_TEXT, "%" PRId64 "%s %" PRId64 "%s",
			 ms / units[i].ms, units[i].unit,
			 ms % units[i].ms / units[i].next_ms, units[i].next);
		return text;
	}
	if (ms < 10000)
		snprintf(text, DURATION_TEXT, "%d.%ds", (int)(ms / 1000),
			 (int)(ms % 1000 / 100));
	else
		snprintf(text, DURATION_TEXT, "%ds", (int)(ms / 1000));
	return text;
}
