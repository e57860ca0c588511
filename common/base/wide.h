/* SPDX-License-Identifier: MIT */
#ifndef MWAN_BASE_WIDE_H
#define MWAN_BASE_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number of up to 128 bits: an IPv6 address in host order; anything shorter
 * is in @lo alone. (C has no such type on machines of 32 bits.)
 */
struct wide {
	uint64_t hi, lo;
};

enum { WIDE_BYTES = 16 };

static inline struct wide wide(uint64_t lo)
{
	return (struct wide){ .lo = lo };
}

/* Less than, equal to or greater than 0, like memcmp(3). */
static inline int wide_compare(struct wide a, struct wide b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return (a.lo > b.lo) - (a.lo < b.lo);
}

static inline bool wide_equal(struct wide a, struct wide b)
{
	return !wide_compare(a, b);
}

/* The number after @a; that after the last one is 0. */
static inline struct wide wide_next(struct wide a)
{
	a.lo++;
	a.hi += !a.lo;
	return a;
}

/* The lowest @bits (0 to 128) of them set. */
static inline struct wide wide_ones(unsigned int bits)
{
	struct wide w = { 0, 0 };

	if (bits > 64)
		w.hi = bits < 128 ? UINT64_MAX >> (128 - bits) : UINT64_MAX;
	if (bits)
		w.lo = bits < 64 ? UINT64_MAX >> (64 - bits) : UINT64_MAX;
	return w;
}

static inline struct wide wide_and(struct wide a, struct wide b)
{
	return (struct wide){ a.hi & b.hi, a.lo & b.lo };
}

static inline struct wide wide_or(struct wide a, struct wide b)
{
	return (struct wide){ a.hi | b.hi, a.lo | b.lo };
}

static inline struct wide wide_not(struct wide a)
{
	return (struct wide){ ~a.hi, ~a.lo };
}

/* The length of the prefix that @first to @last is among numbers of @bits bits,
 * or -1 where it is none.
 */
static inline int wide_prefix(struct wide first, struct wide last,
			      unsigned int bits)
{
	unsigned int len;

	for (len = 0; len <= bits; len++) {
		struct wide rest = wide_ones(bits - len);

		if (wide_equal(wide_and(first, rest), wide(0)) &&
		    wide_equal(last, wide_or(first, rest)))
			return (int)len;
	}
	return -1;
}

/* The lowest @len bytes (1 to 16) of @a, in network order. */
static inline void wide_put(struct wide a, void *out, size_t len)
{
	uint8_t *byte = out;

	while (len--) {
		byte[len] = (uint8_t)a.lo;
		a.lo = a.lo >> 8 | a.hi << 56;
		a.hi >>= 8;
	}
}

/* The number that @len bytes in network order are. */
static inline struct wide wide_get(const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;
	struct wide a = { 0, 0 };

	for (; len--; byte++) {
		a.hi = a.hi << 8 | a.lo >> 56;
		a.lo = a.lo << 8 | *byte;
	}
	return a;
}

#endif
