/* SPDX-License-Identifier: MIT */
#ifndef MWAN_BASE_UTIL_H
#define MWAN_BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The number of elements of an array (not of a pointer). */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* For large arrays that are mostly empty: the beginning, which is what is used,
 * is on one page then. Each page that is touched for the first time costs as
 * much as a system call.
 */
#define ON_A_PAGE __attribute__((aligned(4096)))

/* Read a whole number, decimal or 0x hexadecimal, with nothing before or after
 * it. Returns 0, -EINVAL when @text is no number, or -ERANGE when it does not
 * lie in [min, max].
 */
int u32_parse(const char *text, uint32_t min, uint32_t max, uint32_t *out);

/* Copy a string. Returns 0, or -ENAMETOOLONG (nothing is copied then). */
int str_copy(char *dst, size_t size, const char *src);

/* Append a word to a list, as far as there is room. */
void str_add(char *list, size_t size, const char *between, const char *word);

/* Print the words of a sentence and end the line. Lines break between words at
 * 80 columns, and begin with @indent blanks; the first one, which has @column
 * columns already, goes on from there.
 */
void print_wrapped(const char *text, size_t column, size_t indent, FILE *out);
/* The same; the lines after the first begin with @begin. */
void print_wrapped_behind(const char *text, size_t column, const char *begin,
			  FILE *out);

/* Is it a word of letters, digits and "_-.@+%" alone, which sh, nft and
 * mwan.ini all take as it is?
 */
bool str_plain(const char *s);

/* Could @name be a network interface? 1 to 15 characters, plain, and not what
 * the kernel refuses ("." ".."; net/core/dev.c, dev_valid_name()). It would take
 * others, which could not be written in a list of mwan.ini or in a command.
 */
bool ifname_valid(const char *name);

/* Follows a name that is refused: what a name may be. */
#define IFNAME_RULE "cannot be a network interface: such a name is 1 to 15 " \
	"letters, digits, '_', '-' or '.'"

#endif
