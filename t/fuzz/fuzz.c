// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

void fuzz_must(bool holds, const char *what, const char *file, int line)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, what);
	abort();
}

const char *fuzz_string(const uint8_t *data, size_t size, size_t *at,
			char *buf, size_t buf_size)
{
	size_t left = size - *at;
	size_t len = strnlen((const char *)data + *at, left);
	size_t n = len < buf_size ? len : buf_size - 1;

	memcpy(buf, data + *at, n);
	buf[n] = '\0';
	*at += len < left ? len + 1 : len;
	return buf;
}

bool fuzz_one_line(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

bool fuzz_explained(int code, const char *sentence)
{
	return code < 0 && *sentence;
}
