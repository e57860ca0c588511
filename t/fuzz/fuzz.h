/* SPDX-License-Identifier: MIT */
#ifndef MWAN_FUZZ_H
#define MWAN_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A fuzz target is a file TARGET.c with this function of libFuzzer's, which
 * replay.c calls as well, with what is in corpus/TARGET. What must always hold
 * is said with must(), which ends the process, as libFuzzer expects it.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(what) fuzz_must((what), #what, __FILE__, __LINE__)
void fuzz_must(bool holds, const char *what, const char *file, int line);

/* The NUL-terminated piece of the input that begins at *@at, which goes on
 * behind it; "" behind the last. It is copied to @buf and cut there.
 */
const char *fuzz_string(const uint8_t *data, size_t size, size_t *at,
			char *buf, size_t buf_size);

/* Is it one line that a terminal takes as it is? */
bool fuzz_one_line(const char *text);

/* Is an error of this code described by this sentence? */
bool fuzz_explained(int code, const char *sentence);

#endif
