/* SPDX-License-Identifier: MIT */
#ifndef MWAN_UNIT_H
#define MWAN_UNIT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* TAP for the unit-*.c: one program a file, which prints a line a test and
 * exits non-zero when one has failed. No libc random numbers: a seed must give
 * the same run everywhere.
 */

static unsigned int unit_tests, unit_failures;

static inline bool unit_verdict(bool good, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static inline bool unit_verdict(bool good, const char *fmt, va_list ap)
{
	printf("%sok %u - ", good ? "" : "not ", ++unit_tests);
	vprintf(fmt, ap);
	putchar('\n');
	unit_failures += !good;
	return good;
}

static inline bool ok(bool good, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static inline bool ok(bool good, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	unit_verdict(good, fmt, ap);
	va_end(ap);
	return good;
}

/* Both strings must be the same; else both are shown, as comments. */
static inline bool is(const char *got, const char *want, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static inline void unit_show(const char *head, const char *text)
{
	printf("# %s\n#   ", head);
	for (; *text; text++) {
		putchar(*text);
		if (*text == '\n' && text[1])
			printf("#   ");
	}
	putchar('\n');
}

static inline bool is(const char *got, const char *want, const char *fmt, ...)
{
	bool same = !strcmp(got, want);
	va_list ap;

	va_start(ap, fmt);
	unit_verdict(same, fmt, ap);
	va_end(ap);
	if (!same) {
		unit_show("got:", got);
		unit_show("expected:", want);
	}
	return same;
}

static inline int done(void)
{
	printf("1..%u\n", unit_tests);
	if (unit_failures)
		printf("# %u of %u failed\n", unit_failures, unit_tests);
	return unit_failures != 0;
}

/* xorshift64*: a number below @below, which must not be 0. */
static uint64_t unit_seed = 1;

static inline uint32_t unit_random(uint32_t below)
{
	unit_seed ^= unit_seed >> 12;
	unit_seed ^= unit_seed << 25;
	unit_seed ^= unit_seed >> 27;
	return (uint32_t)((unit_seed * 0x2545f4914f6cdd1dULL) >> 32) % below;
}

/* Rounds of a test at random: one in UNIT_SLOW where each takes long (valgrind). */
static inline unsigned int unit_rounds(unsigned int n)
{
	const char *slow = getenv("UNIT_SLOW");

	return slow ? 1 + (n - 1) / (unsigned int)atoi(slow) : n;
}

static inline size_t unit_longest_line(const char *text)
{
	size_t len, max = 0;
	const char *at;

	for (at = text; *at; at += len + (at[len] == '\n')) {
		len = strcspn(at, "\n");
		if (len > max)
			max = len;
	}
	return max;
}

#endif
