// SPDX-License-Identifier: MIT
/* The verdicts of mwan-rules watch: whatever counters, answers and times come in,
 * questions and verdicts stay within what is promised. The input: the number of
 * lines, then an operation and its operand, a byte each.
 */
#include <string.h>

#include "fuzz.h"
#include "watch/probe.h"

enum { LINES = 4, MS = 1000 };

static struct probe p;
static int64_t now;

static void check(const struct probe_line *l)
{
	must(probe_loss(l) <= 1000000);
	must(probe_enough(l) >= 6 && probe_enough(l) <= 40);
	must(probe_rtt(l) >= 0);
	must(l->verdict != PROBE_DEAD || l->why != PROBE_NOTHING);
	must(l->recover >= l->rules.recover);
	must(l->up || !l->ask);
	/* Nobody is condemned who has never been seen alive or in use. */
	must(l->why != PROBE_SILENT || l->replies);
}

static void set(unsigned int line, uint8_t how)
{
	const struct probe_rules rules = {
		.detect = (100 + how * 20) * MS,
		.recover = (int64_t)(how % 16) * PROBE_SECOND,
		.interval = (100 + how * 40) * MS,
		.loss = how % 3 ? how % 100 : 0,
		.latency = how % 5 ? how * MS : 0,
		.n_targets = how % (PROBE_TARGETS + 1),
	};

	probe_set(&p, line, &rules, how & 1);
}

static void take_questions(unsigned int line, bool answered)
{
	unsigned int target, n = 0;
	uint16_t seq;

	while (probe_next(&p, line, &seq, &target)) {
		must(target < p.line[line].rules.n_targets);
		must(++n <= PROBE_RING);
		if (answered)
			probe_answer(&p, line, seq, now);
	}
}

static void count(unsigned int line, uint8_t how)
{
	struct probe_seen seen = p.line[line].seen;

	seen.sent += how & 7;
	seen.answers += how >> 3 & 3;
	seen.fresh += how >> 5 & 3;
	if (how >> 7)
		memset(&seen, 0, sizeof(seen));
	probe_count(&p, line, &seen, now);
}

static void act(uint8_t op, uint8_t with)
{
	unsigned int line = (op >> 4) % p.n;
	uint16_t seq = (uint16_t)(p.line[line].seq - (with & 0x7f) + 1);

	switch (op & 15) {
	case 0: probe_up(&p, line, with & 1, now); break;
	case 1: set(line, with); break;
	case 2: count(line, with); break;
	case 3: probe_answer(&p, line, seq, now); break;
	case 4: probe_refuse(&p, line, seq); break;
	case 5: probe_unsent(&p, line, seq); break;
	case 6: take_questions(line, true); break;
	case 7: take_questions(line, false); break;
	case 8: probe_take_over(&p, line, now); break;
	case 9: now += with * (int64_t)PROBE_SECOND; break;
	case 10: now -= with * MS; break;
	default:
		for (with &= 63; with; with--) {
			now += probe_period(&p);
			probe_tick(&p, now);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int i;
	size_t at;

	if (size < 1 || size > 4096)
		return 0;
	now = 1000 * (int64_t)PROBE_SECOND;
	probe_begin(&p, data[0] % LINES + 1, now);
	for (i = 0; i < p.n; i++)
		set(i, 15);
	for (at = 1; at + 1 < size; at += 2) {
		act(data[at], data[at + 1]);
		for (i = 0; i < p.n; i++)
			check(&p.line[i]);
	}
	return 0;
}
