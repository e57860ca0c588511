/* SPDX-License-Identifier: MIT */
#ifndef MWAN_BASE_PREFIX_H
#define MWAN_BASE_PREFIX_H

#include "base/addr.h"
#include "base/err.h"

enum {
	PREFIX_TEXT = ADDR_TEXT + 4,
	/* Of a link: a provider delegates one or two. */
	PREFIXES_MAX = 8,
};

/* The addresses that have the first @len bits of @addr, whose other bits are 0.
 * Family 0: none.
 */
struct prefix {
	struct addr addr;
	uint8_t len;
};

/* Read "ADDRESS/LENGTH", or an address alone for a single host. Returns 0, or
 * -EINVAL: no prefix, or bits are set after its length.
 */
int prefix_parse(struct prefix *p, const char *text);

/* The prefix of @len bits that @a is in; @len is at most the address's. */
struct prefix prefix_of(const struct addr *a, uint8_t len);

/* Write it as prefix_parse() reads it, always with its length. */
const char *prefix_text(const struct prefix *p, char text[PREFIX_TEXT]);

bool prefix_equal(const struct prefix *a, const struct prefix *b);

/* Is @a one of the addresses of @p? */
bool prefix_has(const struct prefix *p, const struct addr *a);

/* Is all of @b in @a? */
bool prefix_covers(const struct prefix *a, const struct prefix *b);

struct prefixes {
	unsigned int n;
	struct prefix item[PREFIXES_MAX];
};

/* Add the global IPv6 prefix @word. Returns 0 or -EINVAL with a sentence. */
int prefixes_add(struct prefixes *to, const char *word, struct err *err);

bool prefixes_equal(const struct prefixes *a, const struct prefixes *b);

/* Is an address in both? */
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

/* Is it an IPv6 address that the Internet routes (2000::/3)? */
bool addr_is_global6(const struct addr *a);

/* Is it in fe80::/10? */
bool addr_is_link_local6(const struct addr *a);

#endif
