/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_LINK_FACTS_H
#define MWAN_TELL_LINK_FACTS_H

#include "base/addr.h"
#include "tell/status.h"

/* The facts that status tells about a link. Each is one row of link_facts[],
 * which all three printers read: it appears in the table, in JSON and in the
 * metrics, or nowhere.
 */
enum fact {
	FACT_NAME,
	FACT_UP,
	FACT_SINCE,
	FACT_LOCAL,
	FACT_PEER,
	FACT_GATEWAY,
	FACT_TABLE,
	FACT_MARK,
	FACT_WEIGHT,
	FACT_TIER,
	FACT_FLOWS,
	FACT_RX,
	FACT_TX,
	FACT_BY,
	FACT_UP6,
	FACT_LOCAL6,
	FACT_PEER6,
	FACT_PREFIX6,
	FACT_DRAINED,
	FACT_HELD,
	FACT_POOR,
	FACT_CAUSE,
	FACT_JUDGED,
	FACT_LOSS,
	FACT_RTT,
	FACT_ANSWER,
	FACT_TARGET,
	FACT_HELD6,
	FACT_CAUSE6,
	FACT_LOSS6,
	FACT_RTT6,
	FACT_ANSWER6,
	FACT_TARGET6,
	FACTS,
};

/* The form of a fact: true or false, 12, "word", a date, or ["name", ...].
 * Metrics have 0 or 1, the number, a label of mwan_link_info, seconds since
 * 1970, or a sample for each name with the label "by".
 */
enum fact_kind { KIND_FLAG, KIND_NUMBER, KIND_WORD, KIND_TIME, KIND_NAMES };

enum { FACT_TEXT = 64 };

struct fact_value {
	uint64_t number;	/* a flag, a number, or seconds since 1970 */
	char word[FACT_TEXT];	/* a word or a date; "": there is none */
};

struct link_fact {
	const char *key;	/* its member in JSON */
	enum fact_kind kind;
	/* Its column in the table. A fact without a width is told in the column
	 * of another one that has the same heading. Numbers stand on the right.
	 */
	int width;
	const char *heading;
	/* No metric: a word that is another one at each look would make a new
	 * series each time, and is no label.
	 */
	const char *metric, *type, *help;
	/* Fill in the value of the link; false: it is not known. NULL: the
	 * names that status_by() gives.
	 */
	bool (*get)(const struct status *s, unsigned int link,
		    struct fact_value *v);
	/* Its text in the table, of FACT_TEXT bytes; NULL: the value as it is.
	 */
	void (*show)(const struct status *s, unsigned int link,
		     const struct fact_value *v, char *text);
	/* If the short table says it differently: its heading and its text. */
	const char *brief;
	void (*show_brief)(const struct status *s, unsigned int link,
			   const struct fact_value *v, char *text);
};

/* A number in at most 6 characters: "9999", "12.3k", "123M". */
void scaled_text(uint64_t n, char text[FACT_TEXT]);

extern const struct link_fact link_facts[FACTS];

/* The name of the @k-th interface that carries the packets of @link now; NULL:
 * there are no more.
 */
const char *status_by(const struct status *s, unsigned int link,
		      unsigned int k);

/* Its part of the table; "-" where that is not known. */
void link_fact_text(const struct status *s, unsigned int link, enum fact fact,
		    char text[FACT_TEXT]);

/* Its heading in the short table. */
const char *link_fact_heading(const struct status *s, enum fact fact);

/* The same in the short table; FACT_BY takes @room columns, "" where a name does
 * not fit.
 */
void link_fact_brief(const struct status *s, unsigned int link, enum fact fact,
		     size_t room, char text[FACT_TEXT]);

#endif
