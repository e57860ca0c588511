// SPDX-License-Identifier: MIT
/* The verdicts of mwan-rules watch, by a simulated clock: lines that lose, delay,
 * hold up, fall silent in one direction or in both; targets that go; a process
 * that is stopped.
 */
#include "unit.h"
#include "watch/probe.h"

enum {
	MS = 1000,
	LINES = 3,
	ANSWERS_MAX = 4096,
	SLOTS = 16384,		/* of a millisecond each */
};

/* A second, for times of hours. */
static const int64_t S = PROBE_SECOND;

/* A line as the world has it. */
struct wire {
	int64_t delay, jitter;		/* of a round trip, in us */
	unsigned int loss;		/* of a million packets, each way */
	unsigned int burst;		/* Gilbert-Elliott: chance to go bad, of
					 * a million, and back with a fifth */
	bool bad;
	bool cut_out, cut_in;		/* a direction leads nowhere */
	bool refuses;			/* a router on the way says so */
	bool mute;			/* no target answers here */
	unsigned int rate;		/* packets a second that get answers */
	unsigned int one_way;		/* ... that never get one */
	unsigned int stream;		/* ... that come in on their own */
	/* Arrivals to be counted, by their time. */
	uint32_t answers[SLOTS], fresh[SLOTS];
	struct probe_seen seen;
	int64_t due, due_one, due_stream;
	uint64_t asked;			/* questions that were sent */
};

struct arrival {
	int64_t at;
	unsigned int line;
	uint16_t seq;
	bool refusal;
};

static struct probe p;
static struct wire wire[LINES];
static struct arrival arrival[ANSWERS_MAX];
static unsigned int n_arrivals, targets_alive;
static int64_t now, counted;
static uint64_t ticks;
static const struct probe_rules usual = {
	.detect = 400 * MS, .recover = 5 * PROBE_SECOND,
	.interval = PROBE_SECOND, .n_targets = 3,
};

static bool lost(struct wire *w)
{
	if (w->burst) {
		if (w->bad)
			w->bad = unit_random(5) != 0;
		else
			w->bad = unit_random(1000000) < w->burst;
		if (w->bad && unit_random(10) < 7)
			return true;
	}
	return unit_random(1000000) < w->loss;
}

static int64_t travel(const struct wire *w)
{
	return w->delay + (w->jitter ? unit_random((uint32_t)w->jitter) : 0);
}

/* A packet that leaves now and wants an answer; when that comes, 0: never. */
static int64_t round_trip(struct wire *w)
{
	if (w->cut_out || w->cut_in || lost(w) || lost(w))
		return 0;
	return now + travel(w);
}

static void send_traffic(struct wire *w, int64_t step)
{
	int64_t at;

	for (w->due += step * w->rate; w->due >= S; w->due -= S) {
		w->seen.sent++;
		at = round_trip(w);
		if (!at)
			continue;
		w->answers[at / MS % SLOTS]++;
		w->fresh[at / MS % SLOTS] += unit_random(4) == 0;
	}
	for (w->due_one += step * w->one_way; w->due_one >= S; w->due_one -= S)
		w->seen.sent++;
	w->due_stream += step * w->stream;
	for (; w->due_stream >= S; w->due_stream -= S)
		w->answers[(now + travel(w)) / MS % SLOTS] += !w->cut_in;
}

/* What has come in until now. */
static void count_traffic(struct wire *w)
{
	int64_t ms;

	for (ms = counted; ms < now / MS; ms++) {
		w->seen.answers += w->answers[ms % SLOTS];
		w->seen.fresh += w->fresh[ms % SLOTS];
		w->answers[ms % SLOTS] = w->fresh[ms % SLOTS] = 0;
	}
}

static void ask(unsigned int line)
{
	struct wire *w = &wire[line];
	unsigned int target;
	struct arrival a = { .line = line };

	while (probe_next(&p, line, &a.seq, &target)) {
		w->asked++;
		w->seen.sent++;
		a.refusal = w->refuses;
		a.at = w->refuses ? now + w->delay : round_trip(w);
		if (!w->refuses && (w->mute || !(targets_alive >> target & 1)))
			a.at = 0;
		if (a.at && n_arrivals < ANSWERS_MAX)
			arrival[n_arrivals++] = a;
	}
}

static void take_arrivals(void)
{
	struct arrival *a;
	unsigned int i = 0;

	while (i < n_arrivals) {
		a = &arrival[i];
		if (a->at > now) {
			i++;
			continue;
		}
		if (a->refusal) {
			probe_refuse(&p, a->line, a->seq);
		} else {
			wire[a->line].seen.answers++;
			wire[a->line].seen.fresh++;
			probe_answer(&p, a->line, a->seq, a->at);
		}
		*a = arrival[--n_arrivals];
	}
}

/* One tick, @late after the last. */
static void tick_after(int64_t late)
{
	unsigned int i;

	now += late;
	ticks++;
	for (i = 0; i < p.n; i++)
		send_traffic(&wire[i], late);
	take_arrivals();
	for (i = 0; i < p.n; i++) {
		count_traffic(&wire[i]);
		probe_count(&p, i, &wire[i].seen, now);
	}
	counted = now / MS;
	probe_tick(&p, now);
	for (i = 0; i < p.n; i++)
		ask(i);
}

static void run(int64_t time)
{
	int64_t end = now + time;

	while (now < end)
		tick_after(probe_period(&p) + unit_random(3 * MS));
}

/* Until the line is dead or no longer, for @time at most. Returns how long. */
static int64_t run_until(unsigned int line, bool dead, int64_t time)
{
	int64_t from = now;

	while (now - from < time && (p.line[line].verdict == PROBE_DEAD) != dead)
		tick_after(probe_period(&p) + unit_random(3 * MS));
	return now - from;
}

static void world(unsigned int n)
{
	unsigned int i;

	memset(wire, 0, sizeof(wire));
	n_arrivals = 0;
	targets_alive = ~0U;
	now += 1000 * S;
	counted = now / MS;
	probe_begin(&p, n, now);
	for (i = 0; i < n; i++) {
		wire[i].delay = 20 * MS;
		probe_set(&p, i, &usual, true);
		probe_up(&p, i, true, now);
	}
}

static uint64_t verdicts(void)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < p.n; i++)
		sum += p.line[i].verdicts;
	return sum;
}

/* --- death --- */

static void cut(struct wire *w)
{
	w->cut_out = w->cut_in = true;
}

static void mend(struct wire *w)
{
	w->cut_out = w->cut_in = w->refuses = false;
}

enum death { SILENCE, REFUSAL, OUTBOUND, INBOUND };

static void die(struct wire *w, enum death how)
{
	w->cut_out = how != INBOUND;
	w->cut_in = how != OUTBOUND;
	w->refuses = how == REFUSAL;
}

/* Line 0 falls so, again and again, under traffic. */
static void detects(const char *what, enum death how, unsigned int loss,
		    unsigned int alive, int64_t worst)
{
	unsigned int i, good = 0, rounds = unit_rounds(30);
	int64_t took, sum = 0, most = 0;

	world(2);
	wire[0].rate = wire[1].rate = 100;
	wire[0].loss = loss;
	targets_alive = alive;
	run(120 * S);
	for (i = 0; i < rounds; i++) {
		die(&wire[0], how);
		took = run_until(0, true, 10 * S);
		good += took && p.line[0].verdict == PROBE_DEAD;
		sum += took;
		most = took > most ? took : most;
		mend(&wire[0]);
		run_until(0, false, 1000 * S);
		run(620 * S);
	}
	ok(good == rounds && most <= worst && !p.line[1].verdicts,
	   "%s: dead %u of %u times, mean %d ms, at most %d ms, the other "
	   "line never", what, good, rounds, (int)(sum / rounds / MS),
	   (int)(most / MS));
}

static void all_deaths(void)
{
	static const struct {
		const char *what;
		unsigned int loss, alive;
		int64_t worst;
	} with[] = {
		{ "no loss", 0, 7, 450 * MS },
		{ "one of three targets dead before", 0, 6, 450 * MS },
		{ "5 % loss each way", 50000, 7, 600 * MS },
		{ "20 % loss each way", 200000, 7, 700 * MS },
	};
	static const char *const hows[] = {
		[SILENCE] = "silence", [REFUSAL] = "refusal",
		[OUTBOUND] = "outbound only", [INBOUND] = "inbound only",
	};
	char what[80];
	unsigned int i, how;

	for (i = 0; i < sizeof(with) / sizeof(with[0]); i++)
		for (how = SILENCE; how <= INBOUND; how++) {
			snprintf(what, sizeof(what), "%s, %s", hows[how],
				 with[i].what);
			detects(what, how, with[i].loss, with[i].alive,
				with[i].worst);
		}
}

static void idle_death(void)
{
	int64_t took;

	world(2);
	run(60 * S);
	cut(&wire[0]);
	took = run_until(0, true, 10 * S);
	ok(took <= 1600 * MS, "an idle line: %d ms", (int)(took / MS));
	ok(p.line[0].why == PROBE_SILENT, "it was silent");
}

/* Something goes on to come in, and nothing goes out. */
static void deaf_line(void)
{
	/* Slow enough that the line is asked between two packets. */
	static const struct {
		unsigned int in, out;
	} streams[] = {
		{ 2, 0 }, { 5, 0 }, { 5, 350 }, { 10, 350 },
	};
	unsigned int i;
	int64_t took;

	world(2);
	wire[0].stream = 200;
	wire[0].rate = 5;
	run(60 * S);
	wire[0].cut_out = true;
	took = run_until(0, true, 60 * S);
	ok(p.line[0].why == PROBE_DEAF && took < 20 * S,
	   "a line that still receives is dead after %d ms", (int)(took / MS));
	world(2);
	wire[0].stream = 200;
	wire[0].rate = 5;
	run(60 * S);
	wire[0].mute = true;
	run(3600 * S);
	ok(!verdicts(), "no target answers, but others do: no verdict");
	wire[0].rate = 0;
	run(60 * S);
	ok(!verdicts(), "nor when nothing new is asked any more");
	for (i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		world(2);
		wire[0].stream = streams[i].in;
		wire[0].rate = 5;
		wire[0].one_way = streams[i].out;
		run(60 * S);
		wire[0].cut_out = true;
		took = run_until(0, true, 60 * S);
		ok(p.line[0].verdict == PROBE_DEAD && took < 25 * S,
		   "%u/s in and %u/s out that need no answer: dead after %d "
		   "ms", streams[i].in, streams[i].out, (int)(took / MS));
	}
}

static void stillborn_line(void)
{
	int64_t took;

	world(2);
	cut(&wire[0]);
	run(60 * S);
	ok(!verdicts(), "never an answer, and not used: no verdict");
	wire[0].one_way = 5;
	took = run_until(0, true, 60 * S);
	ok(p.line[0].why == PROBE_NEVER && took < 20 * S,
	   "never an answer, and used: dead after %d ms", (int)(took / MS));
	mend(&wire[0]);
	took = run_until(0, false, 60 * S);
	ok(took < 9 * S, "and back after %d ms", (int)(took / MS));
	world(2);
	wire[0].mute = true;
	wire[0].rate = 5;
	run(3600 * S);
	ok(!verdicts(), "no target ever answers: no verdict by questions");
}

/* --- return --- */

static void returns(void)
{
	int64_t first, again, third, later;

	world(2);
	wire[0].rate = 20;
	run(30 * S);
	cut(&wire[0]);
	run(30 * S);
	ok(p.line[0].verdict == PROBE_DEAD, "dead for half a minute");
	mend(&wire[0]);
	first = run_until(0, false, 60 * S);
	ok(first >= 5 * S && first < 7 * S, "back after %d ms",
	   (int)(first / MS));
	run(60 * S);
	cut(&wire[0]);
	run_until(0, true, 10 * S);
	mend(&wire[0]);
	again = run_until(0, false, 60 * S);
	run(60 * S);
	cut(&wire[0]);
	run_until(0, true, 10 * S);
	mend(&wire[0]);
	third = run_until(0, false, 60 * S);
	ok(again >= 10 * S && again < 12 * S && third >= 20 * S &&
		   third < 22 * S,
	   "fallen again soon, back after %d and %d ms", (int)(again / MS),
	   (int)(third / MS));
	run(700 * S);
	cut(&wire[0]);
	run_until(0, true, 10 * S);
	mend(&wire[0]);
	later = run_until(0, false, 60 * S);
	ok(later < 7 * S, "fallen much later, back after %d ms",
	   (int)(later / MS));
}

/* It comes and goes faster than it may return. */
static void flaps(void)
{
	unsigned int i;

	world(2);
	wire[0].rate = 20;
	run(30 * S);
	for (i = 0; i < 100; i++) {
		cut(&wire[0]);
		run(5 * S);
		mend(&wire[0]);
		run(3 * S);
	}
	ok(p.line[0].verdicts == 1, "on for 3 s of 8 a hundred times: one "
	   "verdict, not %d", (int)p.line[0].verdicts);
}

static void comes_late(void)
{
	world(2);
	wire[0].one_way = 50;
	run(60 * S);
	wire[0].delay = 900 * MS;
	run(60 * S);
	ok(p.line[0].verdict == PROBE_FINE && p.line[0].late == verdicts(),
	   "from 20 to 900 ms at once: %d verdicts, taken back at once",
	   (int)verdicts());
}

/* --- no false alarm --- */

static void stays(const char *what, int64_t time)
{
	uint64_t asked = wire[0].asked;

	run(time);
	ok(!verdicts(), "%s: no verdict in %d s, %d questions a minute", what,
	   (int)(time / S), (int)((wire[0].asked - asked) * 60 /
				   (uint64_t)(time / S)));
}

static void patterns(void)
{
	int64_t hour = 3600 * S / (getenv("UNIT_SLOW") ? 10 : 1);

	world(2);
	stays("idle", hour);
	world(2);
	wire[0].rate = 100;
	stays("busy", hour);
	world(2);
	wire[0].one_way = 500;
	stays("one way", hour);
	world(2);
	wire[0].rate = wire[1].rate = 10;
	wire[0].loss = wire[1].loss = 200000;
	stays("20 % loss each way on both, with traffic", hour);
	world(2);
	wire[0].loss = 200000;
	stays("20 % loss each way, idle", hour);
	world(2);
	wire[0].loss = 50000;
	wire[0].one_way = 50;
	stays("5 % loss each way, one way", hour);
	world(2);
	wire[0].rate = 10;
	wire[0].delay = 300 * MS;
	wire[0].jitter = 120 * MS;
	wire[0].burst = 20000;
	stays("300 to 420 ms with bursts of loss", hour);
	world(2);
	wire[0].one_way = 100;
	wire[0].delay = 1000 * MS;
	stays("a round trip of a second, one way", hour);
}

/* A buffer that fills and empties, over 300 ms to one second. */
static void buffers(void)
{
	unsigned int i, k;

	world(2);
	for (i = 0; i < unit_rounds(300); i++) {
		wire[0].one_way = 200;
		for (k = 0; k < 20; k++) {
			if (wire[0].delay < 1000 * MS)
				wire[0].delay += 50 * MS;
			wire[0].loss = k > 10 ? 70000 : 0;
			run(S / 10);
		}
		run(4 * S);
		wire[0].one_way = 0;
		wire[0].loss = 0;
		wire[0].delay = 20 * MS;
		run(8 * S);
	}
	ok(!verdicts(), "a buffer of a second, filled again and again: %d "
	   "verdicts, %d taken back", (int)verdicts(), (int)p.line[0].late);
}

/* A line of which no loss is known loses a fifth each way from one moment to the
 * next: six to eight questions in a row without an answer look like its end.
 */
static void sudden_loss(void)
{
	static const unsigned int chat[] = { 0, 10 };
	unsigned int i, r, n, rounds = unit_rounds(2000);

	for (i = 0; i < sizeof(chat) / sizeof(chat[0]); i++) {
		for (r = n = 0; r < rounds; r++) {
			world(2);
			wire[0].rate = chat[i];
			run(10 * S + unit_random(PROBE_SECOND));
			wire[0].loss = 200000;
			run(20 * S);
			n += verdicts() > 0;
		}
		ok(n * 150 <= rounds, "20 %% each way at once, %u/s with "
		   "answers: %u verdicts of %u times", chat[i], n, rounds);
	}
}

/* From one moment to the next the line is full of what nobody answers: it loses
 * a part of all and delays the rest, before anything is known of that. Beside it
 * goes on what gets answers, if any. Returns whether there is a verdict in the
 * first ten seconds.
 */
static bool fill_up(unsigned int loss, int64_t delay, unsigned int chat)
{
	world(2);
	wire[0].rate = chat;
	run(4 * S + unit_random(PROBE_SECOND));
	wire[0].one_way = 350;
	wire[0].loss = loss;
	wire[0].delay = delay;
	run(10 * S);
	return verdicts() > 0;
}

static void sudden_floods(void)
{
	/* Of a round trip, and so much each way. */
	static const struct {
		unsigned int percent, loss;
	} losses[] = {
		{ 40, 225403 }, { 50, 292893 }, { 60, 367544 }, { 70, 452277 },
	};
	static const struct {
		int64_t delay;
		unsigned int chat;
	} with[] = {
		{ 20 * MS, 0 }, { 300 * MS, 0 }, { 300 * MS, 10 },
		{ 1000 * MS, 0 },
	};
	unsigned int i, k, r, n, rounds = unit_rounds(500);

	for (i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		for (k = 0; k < sizeof(with) / sizeof(with[0]); k++) {
			for (r = n = 0; r < rounds; r++)
				n += fill_up(losses[i].loss, with[k].delay,
					     with[k].chat);
			ok(n * 250 <= rounds, "full at once, %u %% lost, %d "
			   "ms, %u/s with answers: %u verdicts of %u times",
			   losses[i].percent, (int)(with[k].delay / MS),
			   with[k].chat, n, rounds);
		}
}

/* And dies while it is full: that takes longer, as its traffic tells nothing. */
static void death_in_flood(void)
{
	static const struct {
		int64_t delay, mean, most;
		unsigned int loss;
	} with[] = {
		{ 20 * MS, 2500 * MS, 3500 * MS, 0 },
		{ 300 * MS, 2500 * MS, 3500 * MS, 36000 },
		{ 1000 * MS, 5000 * MS, 6500 * MS, 36000 },
	};
	unsigned int i, k, found, rounds = unit_rounds(50);
	int64_t took, sum, most;

	for (k = 0; k < sizeof(with) / sizeof(with[0]); k++) {
		sum = most = found = 0;
		for (i = 0; i < rounds; i++) {
			(void)fill_up(with[k].loss, with[k].delay, 0);
			run(20 * S + unit_random(2 * PROBE_SECOND));
			cut(&wire[0]);
			took = run_until(0, true, 30 * S);
			found += p.line[0].verdict == PROBE_DEAD;
			sum += took;
			most = took > most ? took : most;
		}
		ok(found == rounds && sum <= rounds * with[k].mean &&
			   most <= with[k].most,
		   "dead while full, %d ms: found %u of %u times, after %d "
		   "ms, at most %d", (int)(with[k].delay / MS), found, rounds,
		   (int)(sum / rounds / MS), (int)(most / MS));
	}
}

/* Traffic that has had answers is no flood, however young it is. */
static void death_of_young_traffic(void)
{
	static const unsigned int rates[] = { 20, 100, 2000 };
	unsigned int i, k, found = 0, rounds = unit_rounds(100);
	int64_t took, most = 0;

	for (k = 0; k < sizeof(rates) / sizeof(rates[0]); k++)
		for (i = 0; i < rounds; i++) {
			world(2);
			run(4 * S + unit_random(PROBE_SECOND));
			wire[0].rate = rates[k];
			run(150 * MS + unit_random(100 * MS));
			cut(&wire[0]);
			took = run_until(0, true, 10 * S);
			found += p.line[0].verdict == PROBE_DEAD;
			most = took > most ? took : most;
		}
	ok(found == 3 * rounds && most <= 500 * MS,
	   "dead just after traffic began: found %u of %u times, after %d ms "
	   "at most", found, 3 * rounds, (int)(most / MS));
}

/* One family's flood is in the way of the other, too. */
static void other_familys_flood(void)
{
	const struct probe_load flood = { .out = 350 }, none = { 0 };
	const struct probe_load call = { .out = 350, .in = 200 };

	world(1);
	ok(probe_enough(&p.line[0]) == 6, "usually 6 are enough");
	probe_beside(&p, 0, &flood);
	ok(probe_enough(&p.line[0]) == 24,
	   "24 where the other family may fill the line");
	probe_beside(&p, 0, &call);
	ok(probe_enough(&p.line[0]) == 6, "6 where that gets answers");
	probe_beside(&p, 0, &none);
	ok(probe_enough(&p.line[0]) == 6, "and 6 where there is none");
}

static void targets_go(void)
{
	world(2);
	wire[0].rate = wire[1].rate = 50;
	run(60 * S);
	targets_alive = 0;
	stays("all targets dead, with traffic", 600 * S);
	world(2);
	run(60 * S);
	targets_alive = 0;
	stays("all targets dead, idle", 600 * S);
	world(2);
	wire[1].rate = 50;
	run(60 * S);
	targets_alive = 0;
	stays("all targets dead, the other line busy", 600 * S);
	targets_alive = 7;
	run(60 * S);
	ok(probe_loss(&p.line[0]) < 60000, "and the line's loss is none of it");
}

/* ... while connections go on that are no longer young, and come back: not to all
 * lines at once, as one of them asks first.
 */
static void targets_return(void)
{
	unsigned int i, bad = 0, rounds = unit_rounds(200);

	for (i = 0; i < rounds; i++) {
		world(2);
		wire[0].rate = wire[1].rate = 10;
		run(10 * S);
		wire[0].stream = wire[1].stream = 100;
		wire[0].rate = wire[1].rate = 0;
		targets_alive = 0;
		run((12 + unit_random(60)) * S + unit_random(PROBE_SECOND));
		targets_alive = 7;
		run(20 * S);
		bad += verdicts() > 0;
	}
	ok(!bad, "targets that come back: %u verdicts of %u times", bad,
	   rounds);
}

static void everything_dies(void)
{
	world(3);
	wire[0].rate = wire[1].rate = 50;
	run(60 * S);
	cut(&wire[0]);
	cut(&wire[1]);
	cut(&wire[2]);
	run(120 * S);
	ok(!verdicts(), "all lines dead: no verdict");
	mend(&wire[1]);
	run(5 * S);
	ok(p.line[0].verdict == PROBE_DEAD && p.line[2].verdict == PROBE_DEAD &&
		   p.line[1].verdict == PROBE_FINE,
	   "one is back: the others are dead");
	world(1);
	run(60 * S);
	cut(&wire[0]);
	run(60 * S);
	ok(!verdicts(), "the only line: no verdict");
}

static void is_stopped(void)
{
	unsigned int i;

	world(2);
	wire[0].rate = wire[1].one_way = 100;
	run(10 * S);
	for (i = 0; i < unit_rounds(2000); i++) {
		tick_after(unit_random(3) * S + unit_random(PROBE_SECOND));
		run(unit_random(2 * PROBE_SECOND));
	}
	ok(!verdicts(), "stopped %u times for up to 3 s: no verdict",
	   unit_rounds(2000));
	tick_after(8 * 3600 * S);
	run(10 * S);
	ok(!verdicts(), "asleep for eight hours: no verdict");
	ok(p.stalls > 0, "the stalls were seen");
	for (i = 0; i < 200; i++)
		tick_after(probe_period(&p) * (1 + unit_random(3)));
	ok(!verdicts(), "every tick up to two too late: no verdict");
	cut(&wire[0]);
	for (i = 0; i < 100; i++)
		tick_after(probe_period(&p) * (1 + unit_random(3)));
	ok(p.line[0].verdict == PROBE_DEAD, "and a dead line is found then");
}

static void clock_steps(void)
{
	world(2);
	wire[0].rate = 10;
	run(60 * S);
	probe_tick(&p, now - 30 * S);
	now -= 30 * S;
	counted = now / MS;
	run(60 * S);
	ok(!verdicts() && probe_rtt(&p.line[0]) > 0,
	   "a clock that goes back makes no verdict");
}

/* --- poor lines --- */

static void poor(void)
{
	struct probe_rules r = usual;
	int64_t took = 0;

	r.loss = 10;
	r.latency = 200 * MS;
	world(2);
	probe_set(&p, 0, &r, false);
	wire[0].rate = 50;
	run(600 * S);
	ok(p.line[0].verdict == PROBE_FINE, "fine with limits");
	wire[0].loss = 120000;
	for (; p.line[0].verdict == PROBE_FINE && took < 300 * S; took += S)
		run(S);
	ok(p.line[0].verdict == PROBE_POOR && p.line[0].why == PROBE_LOSSY,
	   "22 %% loss is poor with a limit of 10, after %d s",
	   (int)(took / S));
	wire[0].loss = 0;
	run(300 * S);
	ok(p.line[0].verdict == PROBE_FINE, "and fine again without");
	wire[0].delay = 400 * MS;
	run(60 * S);
	ok(p.line[0].verdict == PROBE_POOR && p.line[0].why == PROBE_SLOW,
	   "400 ms are poor with a limit of 200");
	cut(&wire[0]);
	run(10 * S);
	ok(p.line[0].verdict == PROBE_DEAD, "poor, then dead");
	mend(&wire[0]);
	wire[0].delay = 20 * MS;
	run(60 * S);
	ok(p.line[0].verdict == PROBE_FINE, "and back");
	ok(!p.line[1].verdicts, "the other line had no verdict");
}

/* --- counters, sequence numbers, sessions --- */

static void counters_restart(void)
{
	world(2);
	wire[0].rate = 50;
	run(30 * S);
	memset(&wire[0].seen, 0, sizeof(wire[0].seen));
	run(30 * S);
	ok(!verdicts(), "counters that begin anew");
}

static void strangers(void)
{
	uint64_t replies;
	uint16_t seq;

	world(2);
	run(10 * S);
	replies = p.line[0].replies;
	seq = p.line[0].seq;
	probe_answer(&p, 0, (uint16_t)(seq + 1), now);
	probe_answer(&p, 0, (uint16_t)(seq - PROBE_RING), now);
	probe_refuse(&p, 0, (uint16_t)(seq + 5));
	ok(p.line[0].replies == replies, "answers to nothing that was asked");
	probe_answer(&p, 0, seq, now);
	probe_answer(&p, 0, seq, now);
	ok(p.line[0].replies <= replies + 1, "a second answer is none");
}

static void sessions(void)
{
	world(2);
	wire[0].rate = 50;
	run(30 * S);
	probe_up(&p, 0, false, now);
	cut(&wire[0]);
	run(60 * S);
	ok(!verdicts(), "a line that is down gets no verdict");
	ok(!p.line[0].ask, "and no question");
	mend(&wire[0]);
	probe_up(&p, 0, true, now);
	run(10 * S);
	ok(!verdicts(), "up again");
	probe_up(&p, 0, false, now);
	cut(&wire[0]);
	probe_up(&p, 0, true, now);
	run(5 * S);
	ok(p.line[0].verdict == PROBE_DEAD,
	   "a new session that leads nowhere is found");
	probe_up(&p, 0, false, now);
	run(5 * S);
	probe_up(&p, 0, true, now);
	run(5 * S);
	ok(p.line[0].verdict == PROBE_DEAD, "the next one has to show better");
	world(2);
	probe_take_over(&p, 1, now);
	run(4 * S);
	ok(p.line[1].verdict == PROBE_DEAD, "taken over as dead");
	run(4 * S);
	ok(p.line[1].verdict == PROBE_FINE && p.line[1].why == PROBE_ANSWERS,
	   "and back by its answers");
}

/* What is not sent is no evidence. */
static void unsent(void)
{
	unsigned int target;
	uint16_t seq;
	int i;

	world(2);
	wire[1].rate = 50;
	run(30 * S);
	for (i = 0; i < 3000; i++) {
		while (probe_next(&p, 0, &seq, &target))
			;
		tick_after(probe_period(&p));
		for (seq = 0; seq < PROBE_RING; seq++)
			probe_unsent(&p, 0, p.line[0].ring[seq].seq);
	}
	ok(!verdicts(), "questions that cannot be sent make no verdict");
}

/* --- a day, and anything --- */

static void day(void)
{
	static const struct probe empty;
	unsigned int i, hours = getenv("UNIT_SLOW") ? 2 : 24;
	unsigned int falls = 0;
	uint64_t before = ticks;

	world(2);
	wire[0].rate = 3;
	wire[0].loss = 3000;
	for (i = 0; i < hours; i++) {
		run(3590 * S);
		cut(&wire[i % 2]);
		run(5 * S);
		falls += p.line[i % 2].verdict == PROBE_DEAD;
		mend(&wire[i % 2]);
		run(5 * S);
	}
	ok(verdicts() == hours && falls == hours,
	   "%u hours and %llu ticks: %u falls, %d verdicts", hours,
	   (unsigned long long)(ticks - before), hours, (int)verdicts());
	ok(sizeof(empty) < 1024 * 1024, "in %u kB, whatever happens",
	   (unsigned int)(sizeof(empty) / 1024));
}

/* Anything at all, and what must hold meanwhile. */
static void chaos(void)
{
	unsigned int i, k, bad = 0, rounds = unit_rounds(200000);
	struct wire *w;

	world(3);
	for (i = 0; i < rounds; i++) {
		w = &wire[unit_random(LINES)];
		switch (unit_random(400)) {
		case 0: w->loss = unit_random(900000); break;
		case 1: w->delay = unit_random(3 * PROBE_SECOND); break;
		case 2: w->jitter = unit_random(PROBE_SECOND); break;
		case 3: die(w, unit_random(4)); break;
		case 4: mend(w); w->loss = 0; break;
		case 5: w->rate = unit_random(300); break;
		case 6: w->one_way = unit_random(300); break;
		case 7: w->stream = unit_random(300); break;
		case 8: targets_alive = unit_random(8); break;
		case 9: w->mute = unit_random(2); break;
		case 10: probe_up(&p, unit_random(LINES), unit_random(2), now);
		}
		tick_after(unit_random(100) ? probe_period(&p) :
			   unit_random(5 * PROBE_SECOND));
		for (k = 0; k < p.n; k++)
			bad += probe_loss(&p.line[k]) > 1000000 ||
			       probe_enough(&p.line[k]) < 6 ||
			       probe_enough(&p.line[k]) > 40 ||
			       probe_rtt(&p.line[k]) < 0 ||
			       p.line[k].recover > 300 * S ||
			       (!p.line[k].up && p.line[k].ask);
	}
	ok(!bad, "%u ticks of anything: loss, K and times in their limits",
	   rounds);
	ok(verdicts() > rounds / 20000, "with %d verdicts", (int)verdicts());
}

/* K against the loss: p^K at most one in ten million. */
static void how_many(void)
{
	static const struct {
		uint32_t loss;
		unsigned int want;
	} cases[] = {
		{ 0, 6 }, { 50000, 6 }, { 100000, 7 }, { 200000, 11 },
		{ 360000, 16 }, { 500000, 24 }, { 700000, 40 }, { 900000, 40 },
	};
	unsigned int i, k;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world(1);
		p.line[0].target[0].witness = true;
		p.line[0].target[0].loss = cases[i].loss;
		k = probe_enough(&p.line[0]);
		ok(k == cases[i].want, "%u of %u per million lost are enough",
		   k, cases[i].loss);
	}
}

/* Was target @t of line 0 asked within @time? */
static bool asks(unsigned int t, int64_t time)
{
	uint16_t from = p.line[0].seq;
	unsigned int i;
	bool is = false;

	for (; time > 0; time -= S) {
		run(S);
		for (i = 0; i < PROBE_RING; i++)
			is = is || (p.line[0].ring[i].target == t &&
				    (int16_t)(p.line[0].ring[i].seq - from) > 0);
	}
	return is;
}

/* The provider's own resolver answers while all beyond him is dead. */
static void reserve(void)
{
	struct probe_rules rules = usual;

	rules.n_targets = 4;
	rules.n_reserve = 1;
	world(2);
	probe_set(&p, 0, &rules, true);
	targets_alive = 8;
	run(10 * S);
	ok(p.line[0].ready && asks(3, 10 * S),
	   "a reserve is asked where nobody else answers");
	targets_alive = ~0U;
	run(300 * S);
	ok(!asks(3, 300 * S), "and not where two others do");
	wire[0].rate = wire[1].rate = 100;
	run(10 * S);
	/* What is beyond: line 1 has other ways to it. */
	wire[0].cut_out = wire[0].cut_in = true;
	ok(run_until(0, true, 10 * S) <= 500 * MS,
	   "so it does not vouch for what is beyond");
}

/* Answers that do not tell the question, and counters that see none of it. */
static void neighbours(void)
{
	struct probe_rules rules = usual;
	uint16_t seq = 0, first;
	unsigned int target;
	bool good;

	rules.n_targets = 1;
	rules.apart = true;
	world(1);
	probe_set(&p, 0, &rules, true);
	probe_count(&p, 0, &wire[0].seen, now);
	now += probe_period(&p);
	probe_tick(&p, now);
	good = probe_next(&p, 0, &first, &target) && !p.line[0].mine;
	now += S;
	probe_tick(&p, now);
	good = good && probe_latest(&p, 0, 0, &seq) && seq != first;
	probe_answer(&p, 0, seq, now + MS);
	ok(good && !p.line[0].own && p.line[0].replies == 1,
	   "an answer is to the latest question, and nothing is subtracted");
	ok(!probe_latest(&p, 0, 1, &seq), "nobody else was asked");
}

int main(void)
{
	how_many();
	all_deaths();
	idle_death();
	deaf_line();
	stillborn_line();
	returns();
	flaps();
	comes_late();
	patterns();
	buffers();
	sudden_loss();
	sudden_floods();
	death_in_flood();
	death_of_young_traffic();
	other_familys_flood();
	targets_go();
	targets_return();
	everything_dies();
	is_stopped();
	clock_steps();
	poor();
	counters_restart();
	strangers();
	sessions();
	unsent();
	reserve();
	neighbours();
	day();
	chaos();
	return done();
}
