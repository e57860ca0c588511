// SPDX-License-Identifier: MIT
#include <string.h>

#include "watch/probe.h"

enum {
	MS = 1000,
	MILLION = 1000000,
	/* A line's loss before it is known. */
	LOSS_FIRST = MILLION / 50,
	/* A line may lose more from one moment to the next. */
	LOSS_LEAST = MILLION / 20,
	/* ... and half of all when it is full of what nobody answers: what was
	 * learned before tells nothing of that. Its buffer fills as suddenly,
	 * and may hold so much.
	 */
	LOSS_FULL = MILLION / 2,
	TIMEOUT_FULL = 700 * MS,
	/* It may be so when so much is sent, in packets a second, and more than
	 * so many times the answers. TCP's answers are a half of what is sent.
	 */
	FULL_LEAST = 20,
	FULL_TIMES = 4,
	/* Readings of the counters: the mean of what is sent, and how fast the
	 * most of the answers is forgotten.
	 */
	LOAD_MEAN = 8,
	LOAD_FADES = 16,
	LOAD_MAX = 100 * MILLION,
	LOSS_MEAN = 30,
	/* The share of losses that follow a loss: a mean of 16 of them,
	 * forgotten over some hundred answers.
	 */
	AGAIN_MEAN = 16,
	AGAIN_FADES = 256,
	/* A verdict by chance alone: less often than once in so many. A line
	 * that loses a third is doubted ten thousand times an hour.
	 */
	CHANCE = 10 * MILLION,
	ENOUGH_MAX = 40,
	/* A timeout before any round trip is known, and the longest: a full
	 * buffer may hold a second or more.
	 */
	TIMEOUT_FIRST = 300 * MS,
	TIMEOUT_MAX = 3 * PROBE_SECOND,
	/* Sooner than that nothing is called lost. */
	LOST_LEAST = PROBE_SECOND,
	/* Questions of one silence, a tick apart; more come slowly. */
	BURST_MAX = 40,
	BURST_TICK = 3,
	/* One question in so long even where traffic is answered. */
	ROUTINE = 3 * PROBE_SECOND,
	/* Before a line is called deaf, which rests on questions alone; they
	 * begin earlier.
	 */
	DEAF_LEAST = 10 * PROBE_SECOND,
	DEAF_ASKS = 2 * PROBE_SECOND,
	DEAF_QUESTIONS = 10,
	DEAF_SLOWS = 30 * PROBE_SECOND,
	/* Before a line that never had an answer is called dead. */
	NEVER_LEAST = 10 * PROBE_SECOND,
	NEVER_PACKETS = 10,
	/* A target that misses so many is no witness, and is asked again with
	 * every 32nd question.
	 */
	MISSES_MAX = 10,
	RETRY = 32,
	/* Questions to each target when a line comes up. */
	OPENING = 2,
	/* Lines that are asked as the control of one verdict. */
	CONTROLS = 2,
	/* Answers that a dead line must give, at least. */
	GOOD_LEAST = 5,
	SEEK_MAX = 5 * PROBE_SECOND,
	/* An answer that was under way at the verdict. */
	LATE_MAX = 3 * PROBE_SECOND,
	/* A line that falls again so soon after its return waits twice as
	 * long.
	 */
	AGAIN = 600 * PROBE_SECOND,
	RECOVER_MAX = 300 * PROBE_SECOND,
	/* A line must be poor for so long, with so many answers known. */
	POOR_LEAST = 3 * PROBE_SECOND,
	POOR_REPLIES = 20,
	TICKS = 12,		/* of the time to detect in */
	TICKS_LATE = 3,
};

static int64_t max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static bool is_live(const struct probe_line *l)
{
	return l->up && l->verdict != PROBE_DEAD;
}

static bool unanswered(const struct probe_question *q)
{
	return q->state == PROBE_PENDING || q->state == PROBE_LOST ||
	       q->state == PROBE_REFUSED;
}

/* May the line be full of what it sends? Nothing that comes in tells whether it
 * carries all of it: much is sent, and little of that gets answers. Traffic that
 * had answers until now says the contrary.
 */
static bool may_be_full(const struct probe_line *l)
{
	uint64_t out = (uint64_t)l->load.out + l->beside.out;
	uint64_t in = (uint64_t)l->load.in + l->beside.in;

	return out > FULL_LEAST + FULL_TIMES * in;
}

/* A target is a worse witness for what it misses while the line leads somewhere,
 * and not for what all miss: it has been lost before something came back at
 * @now.
 */
static void count_misses(struct probe_line *l, int64_t now)
{
	struct probe_question *q;
	struct probe_target *t;

	for (q = l->ring; q < l->ring + PROBE_RING; q++) {
		if (q->state != PROBE_LOST || q->missed || q->sent >= now ||
		    q->sent <= l->outage)
			continue;
		q->missed = true;
		t = &l->target[q->target];
		if (++t->misses < MISSES_MAX)
			continue;
		t->misses = MISSES_MAX;
		t->witness = false;
	}
}

/* The longest time that an answer may take. Traffic that nobody answers may
 * have filled a buffer since the last question: then that is as long ago as we
 * were quiet.
 */
static int64_t timeout(const struct probe_line *l, unsigned int target)
{
	const struct probe_target *t = &l->target[target];
	int64_t usual = t->rtt ? 2 * t->rtt + 4 * t->var : TIMEOUT_FIRST;
	int64_t least = max64(l->rules.detect / 5, l->used ? l->quiet / 2 : 0);

	if (may_be_full(l))
		least = max64(least, TIMEOUT_FULL);
	return min64(max64(usual, least), TIMEOUT_MAX);
}

uint32_t probe_loss(const struct probe_line *l)
{
	uint32_t least = MILLION;
	unsigned int i;

	/* A loss at one target alone is not the line's loss. */
	for (i = 0; i < l->rules.n_targets; i++)
		if (l->target[i].witness && l->target[i].loss < least)
			least = l->target[i].loss;
	return least < MILLION ? least : LOSS_FIRST;
}

int64_t probe_rtt(const struct probe_line *l)
{
	int64_t least = 0;
	unsigned int i;

	for (i = 0; i < l->rules.n_targets; i++)
		if (l->target[i].witness &&
		    (!least || l->target[i].rtt < least))
			least = l->target[i].rtt;
	return least;
}

/* So many in a row, of a line that loses @least, or more. */
static unsigned int enough_at(const struct probe_line *l, uint64_t least)
{
	uint64_t loss = probe_loss(l), one = 1ULL << 40, again, chance;
	unsigned int n = 1;

	if (loss < least)
		loss = least;
	/* Losses come in bursts. */
	again = l->again > loss ? l->again : loss;
	chance = one / MILLION * loss;
	while (chance > one / CHANCE && n < ENOUGH_MAX) {
		chance = chance * again / MILLION;
		n++;
	}
	return n;
}

unsigned int probe_enough(const struct probe_line *l)
{
	return enough_at(l, may_be_full(l) ? LOSS_FULL : LOSS_LEAST);
}

static bool any_witness(const struct probe_line *l)
{
	unsigned int i;

	for (i = 0; i < l->rules.n_targets; i++)
		if (l->target[i].witness)
			return true;
	return false;
}

/* So many targets are asked: without the reserve when two others bear witness. */
static unsigned int n_asked(const struct probe_line *l)
{
	unsigned int i, n = l->rules.n_targets - l->rules.n_reserve;
	unsigned int witnesses = 0;

	for (i = 0; i < n; i++)
		witnesses += l->target[i].witness;
	return witnesses < 2 ? l->rules.n_targets : n;
}

/* The next target in turn of those that have answered, of those that have not, or
 * of all (NULL). Returns whether there is one.
 */
static bool in_turn(const struct probe_line *l, const bool *witness,
		    unsigned int *turn, unsigned int *t)
{
	unsigned int i, n = n_asked(l);

	for (i = 0; i < n; i++) {
		*t = (*turn)++ % n;
		if (!witness || l->target[*t].witness == *witness)
			return true;
	}
	return false;
}

/* Targets that have not answered are asked only now and then, unless none has,
 * and in a turn of their own: a common one may come to the same targets each
 * time.
 */
static unsigned int choose(struct probe_line *l)
{
	static const bool yes = true, no = false;
	bool all = !any_witness(l) ||
		   l->questions < (uint64_t)4 * l->rules.n_targets;
	unsigned int t = 0;

	if (all || l->seq % RETRY != RETRY - 1 ||
	    !in_turn(l, &no, &l->again_turn, &t))
		(void)in_turn(l, all ? NULL : &yes, &l->turn, &t);
	return t;
}

static void put_question(struct probe_line *l, int64_t now)
{
	struct probe_question *q;

	if (!l->rules.n_targets)
		return;
	q = &l->ring[++l->seq % PROBE_RING];
	*q = (struct probe_question){
		.sent = now, .seq = l->seq, .target = (uint8_t)choose(l),
		.state = PROBE_PENDING,
	};
	l->questions++;
	l->mine += !l->rules.apart;
	l->asked = now;
	if (!l->ask)
		l->ask = now;
}

bool probe_next(struct probe *p, unsigned int line, uint16_t *seq,
		unsigned int *target)
{
	struct probe_line *l = &p->line[line];
	const struct probe_question *q;

	while (l->out != l->seq) {
		q = &l->ring[++l->out % PROBE_RING];
		if (q->seq != l->out || q->state != PROBE_PENDING)
			continue;
		*seq = q->seq;
		*target = q->target;
		return true;
	}
	return false;
}

/* A sign of life. Traffic in one direction is never answered: its line is asked
 * less and less often.
 */
static void prove(struct probe_line *l, bool by_answer, int64_t now)
{
	int64_t least = l->rules.detect / 4;
	int64_t most = max64(min64(l->rules.interval, ROUTINE), least);
	bool in_vain = by_answer && l->burst;

	/* A silence that no other line could witness was no loss either. */
	if (l->hopeless)
		l->outage = now;
	l->hopeless = false;
	l->proof = now;
	l->ask = 0;
	l->used = false;
	l->burst = 0;
	if (in_vain)
		l->quiet = min64(max64(l->quiet, least) * 2, most);
	else if (!by_answer)
		l->quiet = least;
}

static void judge(struct probe_line *l, enum probe_verdict verdict,
		  enum probe_why why, int64_t now)
{
	l->verdict = verdict;
	l->why = why;
	l->changed = now;
	l->poor_since = l->better_since = 0;
}

static void revive(struct probe_line *l, enum probe_why why, int64_t now)
{
	judge(l, PROBE_FINE, why, now);
	l->returned = l->outage = now;
	prove(l, true, now);
}

static void condemn(struct probe_line *l, enum probe_why why, unsigned int n,
		    int64_t now)
{
	int64_t most = max64(RECOVER_MAX, l->rules.recover);

	l->unanswered = n;
	l->enough = probe_enough(l);
	l->silent = now - l->proof;
	l->recover = l->returned && now - l->returned < AGAIN ?
		     min64(l->recover * 2, most) : l->rules.recover;
	judge(l, PROBE_DEAD, why, now);
	l->good = 0;
	l->next = 0;
	l->load = (struct probe_load){ 0 };
	l->verdicts++;
}

/* --- what comes in --- */

void probe_begin(struct probe *p, unsigned int n, int64_t now)
{
	memset(p, 0, sizeof(*p));
	p->n = n;
	p->last = now;
}

static void forget_targets(struct probe_line *l)
{
	unsigned int i;

	memset(l->target, 0, sizeof(l->target));
	memset(l->ring, 0, sizeof(l->ring));
	for (i = 0; i < PROBE_TARGETS; i++)
		l->target[i].loss = LOSS_FIRST;
	l->out = l->seq;
	l->ready = false;
	l->heard = 0;
	l->unmet = l->met = 0;
}

void probe_set(struct probe *p, unsigned int line,
	       const struct probe_rules *rules, bool anew)
{
	struct probe_line *l = &p->line[line];

	anew = anew || rules->n_targets != l->rules.n_targets;
	l->rules = *rules;
	l->recover = rules->recover;
	l->quiet = rules->detect / 4;
	if (anew)
		forget_targets(l);
}

/* Questions that were under way while nobody looked say nothing. */
static void void_questions(struct probe_line *l, int64_t now)
{
	unsigned int i;

	for (i = 0; i < PROBE_RING; i++)
		if (l->ring[i].state == PROBE_PENDING)
			l->ring[i].state = PROBE_FREE;
	l->voided = now;
	l->burst = 0;
	if (l->ask)
		l->ask = now;
}

void probe_up(struct probe *p, unsigned int line, bool up, int64_t now)
{
	struct probe_line *l = &p->line[line];

	if (l->up == up)
		return;
	l->up = up;
	void_questions(l, now);
	l->up_since = l->proof = l->outage = now;
	l->opening = 0;
	l->ask = 0;
	l->load = l->beside = (struct probe_load){ 0 };
	l->hopeless = l->control = l->counting = false;
	l->unmet = l->met = 0;
	l->good = 0;
}

void probe_take_over(struct probe *p, unsigned int line, int64_t now)
{
	judge(&p->line[line], PROBE_DEAD, PROBE_TAKEN_OVER, now);
}

static uint64_t growth(uint64_t before, uint64_t now, uint64_t ours)
{
	uint64_t more = now >= before ? now - before : now;

	return more > ours ? more - ours : 0;
}

static void note_sent(struct probe_line *l, int64_t now)
{
	/* Traffic that begins now may fill a buffer: ask from its beginning
	 * on.
	 */
	if (now - l->sent_at >= PROBE_SECOND)
		l->quiet = l->rules.detect / 4;
	l->sent_at = now;
	l->used = true;
	if (!l->ask)
		l->ask = now;
}

static uint32_t a_second(uint64_t packets, int64_t time)
{
	if (packets > LOAD_MAX)
		packets = LOAD_MAX;
	return (uint32_t)min64((int64_t)packets * PROBE_SECOND /
			       max64(time, MS), LOAD_MAX);
}

/* A line that is being asked may be dead: it keeps what it had. */
static void note_load(struct probe_line *l, uint64_t sent, uint64_t answers,
		      int64_t time)
{
	struct probe_load *load = &l->load;
	uint32_t in = a_second(answers, time);

	load->out = (uint32_t)(((uint64_t)load->out * (LOAD_MEAN - 1) +
				a_second(sent, time)) / LOAD_MEAN);
	if (!l->burst)
		load->in -= (load->in + LOAD_FADES - 1) / LOAD_FADES;
	if (load->in < in)
		load->in = in;
}

void probe_beside(struct probe *p, unsigned int line,
		  const struct probe_load *load)
{
	p->line[line].beside = *load;
}

void probe_count(struct probe *p, unsigned int line,
		 const struct probe_seen *seen, int64_t now)
{
	struct probe_line *l = &p->line[line];
	uint64_t sent = growth(l->seen.sent, seen->sent, l->mine);
	uint64_t answers = growth(l->seen.answers, seen->answers, l->own);
	uint64_t fresh = growth(l->seen.fresh, seen->fresh, l->own);
	int64_t time = now - l->counted;
	bool first = !l->counting;

	l->seen = *seen;
	l->counted = now;
	l->mine = l->own = 0;
	l->counting = true;
	if (first || !is_live(l))
		return;
	if (!l->ready) {
		l->unmet += sent;
		l->met += answers;
	}
	note_load(l, sent, answers, time);
	if (sent)
		note_sent(l, now);
	if (fresh) {
		l->fresh = now;
		count_misses(l, now);
	}
	if (answers)
		prove(l, false, now);
}

static void learn(struct probe_target *t, int64_t rtt)
{
	int64_t off;

	if (rtt < 1)
		rtt = 1;
	off = rtt - t->rtt;
	if (t->rtt) {
		t->var += ((off < 0 ? -off : off) - t->var) / 4;
		t->rtt += off / 8;
	} else {
		t->rtt = rtt;
		t->var = rtt / 2;
	}
	t->witness = true;
	t->misses = 0;
	t->loss -= t->loss / LOSS_MEAN;
}

/* Was the next question lost, too? Only a loss soon after another one says
 * something about bursts.
 */
static void count_pair(struct probe_line *l, struct probe_question *q)
{
	const struct probe_question *next;

	next = &l->ring[(uint16_t)(q->seq + 1) % PROBE_RING];
	if (next->seq != (uint16_t)(q->seq + 1) ||
	    next->sent - q->sent > l->rules.detect / 2) {
		q->paired = true;
		return;
	}
	if (next->state == PROBE_LOST)
		l->again += (MILLION - l->again) / AGAIN_MEAN;
	else if (next->state == PROBE_ANSWERED)
		l->again -= l->again / AGAIN_MEAN;
	q->paired = next->state == PROBE_LOST || next->state == PROBE_ANSWERED;
}

/* The line's loss is what gets lost while it lives: a question of an outage is
 * counted when a later sign of life says that there was none.
 */
static void count_losses(struct probe_line *l, int64_t before)
{
	struct probe_question *q;
	struct probe_target *t;

	for (q = l->ring; q < l->ring + PROBE_RING; q++) {
		if (q->state != PROBE_LOST || q->counted ||
		    q->sent >= before || q->sent <= l->outage)
			continue;
		t = &l->target[q->target];
		t->loss += (MILLION - t->loss) / LOSS_MEAN;
		q->counted = true;
		l->losses++;
	}
	l->again -= l->again / AGAIN_FADES;
	for (q = l->ring; q < l->ring + PROBE_RING; q++)
		if (q->state == PROBE_LOST && q->counted && !q->paired)
			count_pair(l, q);
}

static int64_t seek_pause(const struct probe_line *l)
{
	return min64(l->rules.interval / 2, SEEK_MAX);
}

/* While it is dead. Returns whether the answer brings it back. */
static bool answer_of_dead(struct probe_line *l, const struct probe_question *q,
			   int64_t now)
{
	struct probe_target *t = &l->target[q->target];

	l->outage = now;
	if (q->sent >= l->changed) {
		if (!l->good++)
			l->good_since = now;
		if (l->good < GOOD_LEAST || now - l->good_since < l->recover)
			return false;
		revive(l, PROBE_ANSWERS, now);
		return true;
	}
	if (l->why == PROBE_TAKEN_OVER || now - l->changed >= LATE_MAX)
		return false;
	/* It was slow and not dead: this one waits longer from now on. */
	t->var = max64(t->var, now - q->sent);
	l->late++;
	revive(l, PROBE_LATE, now);
	return true;
}

bool probe_answer(struct probe *p, unsigned int line, uint16_t seq,
		  int64_t now)
{
	struct probe_line *l = &p->line[line];
	struct probe_question *q = &l->ring[seq % PROBE_RING];

	if (q->seq != seq ||
	    (q->state != PROBE_PENDING && q->state != PROBE_LOST))
		return false;
	q->state = PROBE_ANSWERED;
	learn(&l->target[q->target], now - q->sent);
	l->replies++;
	l->own += !l->rules.apart;
	l->ready = true;
	l->heard = now;
	l->last_target = q->target;
	if (!l->up)
		return false;
	if (l->verdict == PROBE_DEAD)
		return answer_of_dead(l, q, now);
	/* This may tell that what is lost was lost in an outage. */
	prove(l, true, now);
	count_losses(l, q->sent);
	count_misses(l, q->sent);
	return false;
}

bool probe_latest(const struct probe *p, unsigned int line, unsigned int target,
		  uint16_t *seq)
{
	const struct probe_line *l = &p->line[line];
	const struct probe_question *q;
	unsigned int i;

	for (i = 0; i < PROBE_RING; i++) {
		*seq = (uint16_t)(l->seq - i);
		q = &l->ring[*seq % PROBE_RING];
		if (q->seq == *seq && q->state == PROBE_PENDING &&
		    q->target == target)
			return true;
	}
	return false;
}

void probe_refuse(struct probe *p, unsigned int line, uint16_t seq)
{
	struct probe_question *q = &p->line[line].ring[seq % PROBE_RING];

	if (q->seq == seq && q->state == PROBE_PENDING)
		q->state = PROBE_REFUSED;
}

void probe_unsent(struct probe *p, unsigned int line, uint16_t seq)
{
	struct probe_line *l = &p->line[line];
	struct probe_question *q = &l->ring[seq % PROBE_RING];

	if (q->seq != seq || q->state != PROBE_PENDING)
		return;
	q->state = PROBE_FREE;
	l->questions--;
	l->mine -= l->mine > 0;
}

/* --- a tick --- */

static void expire(struct probe_line *l, int64_t now)
{
	struct probe_question *q;

	for (q = l->ring; q < l->ring + PROBE_RING; q++)
		if (q->state == PROBE_PENDING &&
		    now - q->sent > max64(LOST_LEAST,
					  2 * timeout(l, q->target)))
			q->state = PROBE_LOST;
}

/* Questions since @since that have had their time, @times their timeout, and got
 * no answer. @oldest is when the first of them was asked.
 */
struct silence {
	unsigned int n, targets;
	int64_t oldest;
};

static void find_silence(const struct probe_line *l, int64_t since, int times,
			 int64_t now, struct silence *s)
{
	const struct probe_question *q;
	uint32_t asked = 0;

	*s = (struct silence){ .oldest = now };
	for (q = l->ring; q < l->ring + PROBE_RING; q++) {
		if (!unanswered(q) || q->sent < since || q->sent < l->voided)
			continue;
		if (q->state == PROBE_PENDING &&
		    now - q->sent < times * timeout(l, q->target))
			continue;
		s->n++;
		asked |= 1U << q->target;
		s->oldest = min64(s->oldest, q->sent);
	}
	s->targets = (unsigned int)__builtin_popcount(asked);
}

/* One target's own trouble must not look like the line's. */
static bool by_enough_targets(const struct probe_line *l,
			      const struct silence *s)
{
	unsigned int i, witnesses = 0;

	for (i = 0; i < l->rules.n_targets; i++)
		witnesses += l->target[i].witness;
	return s->targets >= (witnesses < 2 ? witnesses : 2);
}

/* Has another line got an answer to a question since then? */
static bool others_hear(const struct probe *p, const struct probe_line *l,
			int64_t since)
{
	const struct probe_line *o;

	for (o = p->line; o < p->line + p->n; o++)
		if (o != l && is_live(o) && o->heard > since)
			return true;
	return false;
}

/* Ask others the same. */
static void want_control(struct probe *p, const struct probe_line *l,
			 int64_t since)
{
	struct probe_line *o;
	unsigned int n = 0;

	for (o = p->line; o < p->line + p->n && n < CONTROLS; o++) {
		if (o == l || !is_live(o) || !o->ready || o->heard > since)
			continue;
		o->control = true;
		n++;
	}
}

/* Nothing at all comes in. */
static bool is_silent(struct probe *p, struct probe_line *l, int64_t now)
{
	struct silence s;

	if (!l->ask || !l->ready)
		return false;
	find_silence(l, l->proof, 1, now, &s);
	if (s.n < probe_enough(l) || !by_enough_targets(l, &s))
		return false;
	l->hopeless = !others_hear(p, l, l->ask);
	if (!l->hopeless)
		condemn(l, PROBE_SILENT, s.n, now);
	return !l->hopeless;
}

/* Packets come in, but none of them answers anything new: those of a sender that
 * needs no answer, or that has not got one and tries again.
 */
static bool is_deaf(struct probe *p, struct probe_line *l, int64_t now)
{
	int64_t since = max64(l->heard, l->fresh);
	unsigned int enough = probe_enough(l);
	struct silence s;

	if (!l->ready || !any_witness(l) || now - since < DEAF_ASKS)
		return false;
	find_silence(l, since, 2, now, &s);
	if (s.n && now >= l->next) {
		put_question(l, now);
		if (!others_hear(p, l, s.oldest))
			want_control(p, l, s.oldest);
		/* Not for ever, when all targets have gone. */
		l->next = now + (now - since < DEAF_SLOWS ? ROUTINE / 4 :
				 ROUTINE);
	}
	if (s.n < enough || s.n < DEAF_QUESTIONS || !by_enough_targets(l, &s) ||
	    now - since < DEAF_LEAST || !others_hear(p, l, s.oldest))
		return false;
	condemn(l, PROBE_DEAF, s.n, now);
	return true;
}

/* It came up, is used, and has never had one answer. Questions alone would not
 * do: a provider may answer none.
 */
static bool is_stillborn(struct probe *p, struct probe_line *l, int64_t now)
{
	int64_t since = l->up_since;
	struct silence s;

	if (l->ready || l->met || l->unmet < NEVER_PACKETS ||
	    now - since < NEVER_LEAST)
		return false;
	find_silence(l, since, 1, now, &s);
	if (s.n < 3 * enough_at(l, LOSS_LEAST) ||
	    s.targets < min64(2, l->rules.n_targets))
		return false;
	want_control(p, l, now - ROUTINE);
	if (!others_hear(p, l, now - ROUTINE))
		return false;
	condemn(l, PROBE_NEVER, s.n, now);
	return true;
}

static bool is_poor(const struct probe_line *l, uint32_t per_cent)
{
	const struct probe_rules *r = &l->rules;

	return (r->loss && (uint64_t)probe_loss(l) * 100 >=
				   (uint64_t)r->loss * MILLION / 100 * per_cent) ||
	       (r->latency && probe_rtt(l) * 100 >= r->latency * per_cent);
}

/* It must be well below the limit, and for long enough, to be fine again. */
static bool weigh(struct probe_line *l, int64_t now)
{
	const struct probe_rules *r = &l->rules;
	bool lossy;

	if (l->verdict == PROBE_FINE) {
		if (!is_poor(l, 100) || l->replies < POOR_REPLIES)
			l->poor_since = 0;
		else if (!l->poor_since)
			l->poor_since = now;
		else if (now - l->poor_since >= POOR_LEAST) {
			lossy = r->loss &&
				probe_loss(l) >= r->loss * (MILLION / 100);
			judge(l, PROBE_POOR,
			      lossy ? PROBE_LOSSY : PROBE_SLOW, now);
			return true;
		}
		return false;
	}
	if (is_poor(l, 75))
		l->better_since = 0;
	else if (!l->better_since)
		l->better_since = now;
	else if (now - l->better_since >= r->recover) {
		judge(l, PROBE_FINE, PROBE_BETTER, now);
		return true;
	}
	return false;
}

static void ask_dead(struct probe_line *l, int64_t now)
{
	int64_t pause = seek_pause(l);

	if (now >= l->next) {
		put_question(l, now);
		l->next = now + pause;
	}
	/* As many without an answer as a verdict takes: it has gone again. */
	if (l->good && now - l->heard > probe_enough(l) * pause + LOST_LEAST)
		l->good = 0;
}

/* The number of questions a tick that makes enough of them old in time. */
static unsigned int per_tick(const struct probe_line *l)
{
	int64_t detect = l->rules.detect, tick = detect / TICKS;
	int64_t room = detect - detect / 4 - timeout(l, l->last_target);
	unsigned int most = BURST_TICK;

	/* Not where answers take long anyway. */
	if (room <= tick)
		return 1;
	while (most > 1 && (probe_enough(l) - 2) * tick <= (most - 1) * room)
		most--;
	return most;
}

/* Two at once; then some each tick, or fewer where answers take long. */
static void ask_silent(struct probe *p, struct probe_line *l, int64_t now)
{
	unsigned int n = per_tick(l);

	if (!l->burst) {
		put_question(l, now);
		l->next = 0;
	}
	if (now < l->next)
		return;
	while (n--) {
		put_question(l, now);
		if (++l->burst % 3 == 2 && !others_hear(p, l, l->ask))
			want_control(p, l, l->ask);
	}
	l->next = now + (l->burst > BURST_MAX ? l->rules.interval :
			 timeout(l, l->last_target) / ((int64_t)2 * probe_enough(l)));
}

/* Soon after it has come up it is known who answers by this line. */
static void ask_first(struct probe_line *l, int64_t now)
{
	l->opening++;
	put_question(l, now);
	l->next = now + l->rules.detect / 4;
}

static void ask_live(struct probe *p, struct probe_line *l, int64_t now)
{
	const struct probe_rules *r = &l->rules;
	bool measured = r->loss || r->latency;
	int64_t routine = max64(measured ? 0 : ROUTINE, r->interval);
	struct silence s = { .n = 0 };

	if (l->ask && !l->burst)
		find_silence(l, l->proof, 1, now, &s);
	if (l->ask && (l->burst || s.n || now - l->ask >= l->quiet))
		ask_silent(p, l, now);
	else if (l->opening < OPENING * r->n_targets && now >= l->next)
		ask_first(l, now);
	else if ((!l->ask && now - l->proof >= r->interval) ||
		 now - l->asked >= routine)
		put_question(l, now);
}

static bool step(struct probe *p, struct probe_line *l, int64_t now)
{
	expire(l, now);
	if (!l->up)
		return false;
	if (l->verdict == PROBE_DEAD) {
		ask_dead(l, now);
		return false;
	}
	if (is_silent(p, l, now) || is_deaf(p, l, now) ||
	    is_stillborn(p, l, now))
		return true;
	ask_live(p, l, now);
	return weigh(l, now);
}

int64_t probe_period(const struct probe *p)
{
	int64_t least = PROBE_SECOND;
	unsigned int i;

	for (i = 0; i < p->n; i++)
		if (p->line[i].rules.n_targets)
			least = min64(least, p->line[i].rules.detect / TICKS);
	return least;
}

bool probe_tick(struct probe *p, int64_t now)
{
	bool late = now < p->last ||
		    now - p->last > TICKS_LATE * probe_period(p);
	bool changed = false;
	unsigned int i;

	p->last = now;
	p->stalls += late;
	for (i = 0; i < p->n && late; i++)
		void_questions(&p->line[i], now);
	for (i = 0; i < p->n; i++)
		changed |= step(p, &p->line[i], now);
	for (i = 0; i < p->n; i++) {
		if (p->line[i].control)
			put_question(&p->line[i], now);
		p->line[i].control = false;
	}
	return changed;
}
