/* SPDX-License-Identifier: MIT */
#ifndef MWAN_BASE_ERR_H
#define MWAN_BASE_ERR_H

/* Why a call failed: a sentence that can be printed as it is. The caller owns
 * it; a function that returns 0 leaves it alone.
 */
struct err {
	char msg[512];
};

/* Write the sentence and give @code (a negative errno) back, so that a
 * failing function ends in "return err_set(err, -EINVAL, ...)".
 * @err may be NULL.
 */
int err_set(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Put "@what: " before the sentence of a failure further down. Gives @code
 * back; where that is 0 there is no sentence, and nothing is done.
 */
int err_prefix(struct err *err, int code, const char *what);

/* What to do about a negative errno of the kernel, or of a file of ours that is
 * made again when it is missing: "; try again", to follow strerror().
 */
const char *err_advice(int code);
const char *err_file_advice(int code);

/* Set "WHAT is expected, not "WORD"", for the words of a command line. Returns
 * -EINVAL.
 */
int err_expected(struct err *err, const char *what, const char *word);

#endif
