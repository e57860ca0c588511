/* SPDX-License-Identifier: MIT */
#ifndef MWAN_BASE_LOG_H
#define MWAN_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { LOG_LINE_MAX = 4096 };

/* One line "ts=... key=value ..." in the making. */
struct log {
	size_t len;
	char line[LOG_LINE_MAX];
};

/* Begin a line with the time of now: ISO 8601, milliseconds, the offset of
 * /etc/localtime. The environment's TZ counts unless the caller has cleared
 * it; the tools clear theirs.
 */
void log_begin(struct log *l);

/* Add key=value. A value that is not one plain word is put in quotation
 * marks, with \" \\ and \xNN for what would not be printable ASCII, so that
 * no value can look like another key or line. A long value is cut, and ends in
 * "..." then; a key that does not fit is left out.
 */
void log_add(struct log *l, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Add what every line ends in, and has room for: the result, and how long it
 * took, in microseconds.
 */
void log_end(struct log *l, const char *result, int64_t took_us);

/* Write @text to @out, with \xNN for what is not printable ASCII. What does not
 * fit is left out.
 */
void log_escape(const char *text, char *out, size_t size);

/* Could a line be appended to the file? Neither writes to it nor makes it.
 * Returns 0 or a negative errno with log_write()'s sentence.
 */
int log_check(const char *path, struct err *err);

/* Append the line to the file with one write(2). A missing file is made, mode
 * 0640; one that is not a plain file of ours with one name is refused. Returns
 * 0 or a negative errno with a sentence; never waits.
 */
int log_write(struct log *l, const char *path, struct err *err);

#endif
