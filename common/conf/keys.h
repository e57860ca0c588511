/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CONF_KEYS_H
#define MWAN_CONF_KEYS_H

#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "conf/conf.h"
#include "conf/rttables.h"

/* The keys of mwan.ini. A key is one row of its section's table, and a
 * paragraph of mwan.ini(5).
 */
enum {
	/* inih's INI_MAX_LINE is 200 as packaged: a longer line would be
	 * split, and its tail taken for a line of its own.
	 */
	LINE_LEN_MAX = 198,
	/* No section has more: "was it given" is a line number for each. */
	KEYS_MAX = 40,
	/* A policy's list of addresses, each a range of two. */
	KEY_TEXT = POLICY_ADDRESSES * RANGE_TEXT,
};

enum section {
	SECTION_MWAN,		/* its keys are kept in struct conf */
	SECTION_LINK,		/* ... in struct conf_link */
	SECTION_POLICY,		/* ... in struct policy */
	SECTIONS,
};

struct key;

/* A value that is to be read into its field of @of. @names is loaded when a
 * table's name is met.
 */
struct setting {
	const struct key *key;
	void *of;
	const char *value;
	struct rttables *names;
	struct err *err;
};

/* How values of one kind are read and written. */
struct key_type {
	/* Returns 0, or -EINVAL with a sentence that quotes the value. */
	int (*set)(const struct setting *s);
	/* The field of @of as a value that set() takes back, in @buf; "" where
	 * the key must not be written.
	 */
	void (*text)(const struct key *k, const void *of,
		     const struct conf *conf, char *buf, size_t size);
	/* The value may be as long as a line: nothing is spent on blanks. */
	bool fills_line;
};

struct key {
	const char *name;
	const struct key_type *type;
	const char *standard;		/* the default; NULL: others decide */
	const char *const *words;	/* of enumerations, by their values */
	unsigned int n_words;
	uint32_t min, max;		/* of numbers */
	uint16_t offset, size;		/* of the field in its struct */
};

struct key_section {
	const char *name;		/* as messages call it: "a [link]" */
	const struct key *keys;
	unsigned int n;			/* at most KEYS_MAX */
};

extern const struct key_section key_sections[SECTIONS];

/* Which row of @s is called @name? -1: none. */
int key_find(enum section s, const char *name);

/* Which row is kept at @offset of its struct? It must exist. */
unsigned int key_at(enum section s, size_t offset);

/* Give every key of section @s its default in @of. */
void key_defaults(enum section s, void *of);

/* Give @l the value of [mwan] for every key that both have and that @given, a
 * line for each row of [link], does not have.
 */
void key_inherit(struct conf_link *l, const struct conf *conf,
		 const unsigned int *given);

/* Write every key of section @s that has a value in @of, a line each. */
void key_print(enum section s, const void *of, const struct conf *conf,
	       FILE *f);

/* The table's number, or 0. The names are loaded the first time. */
uint32_t key_table(struct rttables *names, const char *name);

/* The table's name, or NULL. The names are loaded the first time. */
const char *key_table_name(struct rttables *names, uint32_t table);

/* local, main or default, which are never ours? */
bool table_is_systems(uint32_t table);

#endif
