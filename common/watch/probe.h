/* SPDX-License-Identifier: MIT */
#ifndef MWAN_WATCH_PROBE_H
#define MWAN_WATCH_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

/* Does a line that is up lead anywhere? Pure: time, counters and answers come
 * in, questions and verdicts go out. The caller has the sockets and the clock,
 * which must not go back and must count a suspended machine's sleep
 * (CLOCK_BOOTTIME); all times are in microseconds.
 *
 * Traffic is evidence first. A line whose connections get answers is alive, and
 * is hardly asked. When packets leave and nothing comes back, or nothing moves,
 * questions go to several targets. A line is dead when so many of them have no
 * answer that its own usual loss explains it less than once in ten million times,
 * while another line, asked meanwhile, has got an answer: else it is the
 * machine, or the targets, or everything.
 *
 * A line may fill up from one moment to the next by what it sends, and lose half
 * of all, long before that is its usual loss. Where most of what is sent gets no
 * answer, it is taken for such a line: its death is found later, by a second.
 */
enum {
	PROBE_TARGETS = 8,
	/* Questions that a line remembers: more than the most that a verdict
	 * takes (40), and a power of two, as sequence numbers wrap.
	 */
	PROBE_RING = 64,
	PROBE_SECOND = 1000000,
};

/* The rules by which a line is judged. */
struct probe_rules {
	int64_t detect;		/* aim: from the last answer to the verdict */
	int64_t recover;	/* answers for so long bring it back */
	int64_t interval;	/* between the questions to an idle line */
	int64_t latency;	/* a longer round trip is poor; 0: none is */
	uint32_t loss;		/* so many per cent are poor; 0: none are */
	unsigned int n_targets;
	/* The last of them are asked only while fewer than two others have
	 * answered: they are the provider's own, and answer also where nothing
	 * beyond him does.
	 */
	unsigned int n_reserve;
	bool apart;		/* the counters do not see what is asked */
};

enum probe_verdict {
	PROBE_FINE,
	PROBE_POOR,		/* loses too much, or takes too long */
	PROBE_DEAD,
};

/* The reason of the last verdict. */
enum probe_why {
	PROBE_NOTHING,
	PROBE_SILENT,		/* nothing came in at all */
	PROBE_DEAF,		/* old connections went on, nothing else did */
	PROBE_NEVER,		/* it has not had a single answer */
	PROBE_LOSSY,
	PROBE_SLOW,
	PROBE_ANSWERS,		/* for long enough */
	PROBE_LATE,		/* answers had been under way */
	PROBE_BETTER,		/* no longer poor */
	PROBE_TAKEN_OVER,	/* from who watched before */
	PROBE_RELEASED,		/* who watched has ended */
};

/* Packet counters of a line, as read; they may begin anew. */
struct probe_seen {
	uint64_t sent;
	uint64_t answers;	/* in connections that have had an answer */
	uint64_t fresh;		/* those of connections that are still young:
				 * both directions must work for these */
};

/* Traffic of a line, in packets a second. */
struct probe_load {
	uint32_t out;		/* a mean of the last ones sent */
	uint32_t in;		/* the most answers of late, while it lived */
};

enum probe_state {
	PROBE_FREE,
	PROBE_PENDING,
	PROBE_ANSWERED,
	PROBE_LOST,
	PROBE_REFUSED,
};

struct probe_question {
	int64_t sent;
	uint16_t seq;
	uint8_t target;
	uint8_t state;
	bool counted;		/* its loss is in target.loss */
	bool missed;		/* ... in target.misses */
	bool paired;		/* ... and the next one's fate in again */
};

struct probe_target {
	uint32_t loss;		/* of a million; a mean of about 30 */
	int64_t rtt, var;	/* as in RFC 6298; rtt 0: not known */
	bool witness;		/* it has answered by this line */
	uint8_t misses;		/* in a row, while others answered */
};

struct probe_line {
	struct probe_rules rules;
	bool up;
	bool ready;		/* a target has answered since the start */
	bool counting;		/* seen holds a first reading */
	enum probe_verdict verdict;
	enum probe_why why;
	int64_t changed;	/* when the verdict was made */
	/* Facts of that verdict, for the log. */
	unsigned int unanswered, enough;
	int64_t silent;

	int64_t up_since;
	int64_t proof;		/* last sign of life of any kind */
	int64_t heard;		/* last answer to a question; 0: never */
	int64_t fresh;		/* last answer to a young connection */
	int64_t ask;		/* sent, and no sign of life since; 0: not */
	bool used;		/* ... and it was traffic that was sent */
	int64_t sent_at;	/* last traffic */
	int64_t quiet;		/* so long it may last before we ask */
	struct probe_load load;
	struct probe_load beside;	/* of its other family */
	int64_t counted;	/* seen was read then */
	unsigned int opening;	/* questions since it came up */
	int64_t next;		/* question of those that follow each other */
	int64_t asked;		/* last question */
	int64_t voided;		/* questions before this count for nothing */
	int64_t outage;		/* end of the last one */
	int64_t returned;	/* from being dead; 0: never */
	int64_t recover;	/* of this time: longer after each fall */
	int64_t good_since;
	int64_t poor_since, better_since;	/* 0: it is not */
	bool hopeless;		/* silent, as all others are */
	bool control;		/* another line wants to know about this */
	unsigned int burst;	/* questions of this silence */
	unsigned int good;	/* answers while dead */
	unsigned int turn;	/* of the targets */
	unsigned int again_turn;	/* of those that have not answered */
	uint8_t last_target;	/* that has answered */
	uint32_t again;		/* of a million questions right after a lost
				 * one: lost, too */
	struct probe_seen seen;
	uint64_t mine, own;	/* questions and answers since that reading */
	uint64_t unmet, met;	/* packets of others, answers to them, while
				 * no target has ever answered */
	uint16_t seq, out;	/* last question made, and handed out */
	struct probe_question ring[PROBE_RING];
	struct probe_target target[PROBE_TARGETS];
	/* Since the start, for who wants to know. */
	uint64_t questions, replies, losses, verdicts, late;
};

struct probe {
	unsigned int n;
	int64_t last;		/* tick */
	uint64_t stalls;	/* ticks that came too late */
	struct probe_line line[LINKS_MAX];
};

/* Begin with @n lines that are down; each needs probe_set(). */
void probe_begin(struct probe *p, unsigned int n, int64_t now);

/* Rules of a line; @anew: its targets have changed. */
void probe_set(struct probe *p, unsigned int line,
	       const struct probe_rules *rules, bool anew);

/* The line has an interface and an address, or has lost it. A verdict stays:
 * the next session has to show that it is better.
 */
void probe_up(struct probe *p, unsigned int line, bool up, int64_t now);

/* Go on with a line as dead that was when somebody watched before us. */
void probe_take_over(struct probe *p, unsigned int line, int64_t now);

/* A reading of the line's counters. */
void probe_count(struct probe *p, unsigned int line,
		 const struct probe_seen *seen, int64_t now);

/* Traffic that shares the line, and that its own counters do not see: that of the
 * line's other family, as its own probe_line has it.
 */
void probe_beside(struct probe *p, unsigned int line,
		  const struct probe_load *load);

/* The answer to question @seq; an unknown one, or a second, changes nothing.
 * Returns whether the verdict has changed.
 */
bool probe_answer(struct probe *p, unsigned int line, uint16_t seq,
		  int64_t now);

/* The latest question to @target that waits for an answer, for answers that do
 * not say what was asked. false: there is none.
 */
bool probe_latest(const struct probe *p, unsigned int line, unsigned int target,
		  uint16_t *seq);

/* A router on the way has refused the question. */
void probe_refuse(struct probe *p, unsigned int line, uint16_t seq);

/* The question has not even left this machine. */
void probe_unsent(struct probe *p, unsigned int line, uint16_t seq);

/* Judge all lines and make questions. Call it every probe_period(), after
 * handing in answers and counters; if it comes much later than that, questions
 * that were not answered meanwhile count for nothing. Returns whether a verdict
 * has changed.
 */
bool probe_tick(struct probe *p, int64_t now);
int64_t probe_period(const struct probe *p);

/* A question to be sent by @line to its target number @target, now. false: there
 * is none.
 */
bool probe_next(struct probe *p, unsigned int line, uint16_t *seq,
		unsigned int *target);

/* The line's own loss, of a million; its usual round trip, 0: unknown; and so
 * many questions without an answer in a row are enough.
 */
uint32_t probe_loss(const struct probe_line *l);
int64_t probe_rtt(const struct probe_line *l);
unsigned int probe_enough(const struct probe_line *l);

#endif
