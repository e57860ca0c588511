// SPDX-License-Identifier: MIT
/* The log: whatever the values are, a line is one line of printable ASCII, and
 * who reads it finds exactly the values that were added. The input: values with
 * a NUL behind each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "files.h"
#include "fuzz.h"

#define PATH "/ifchang.log"

enum {
	VALUES_MAX = 16,
	TEXT_MAX = 800,
	/* log.c cuts values there, as they are written (VALUE_MAX). */
	CUT = 600,
};

static char value[VALUES_MAX][TEXT_MAX];
static bool used[VALUES_MAX];

/* Take the value behind a '=' as a reader of the log does. */
static const char *unquote(const char *at, char out[TEXT_MAX])
{
	char hex[3] = "";
	size_t n = 0;

	if (*at != '"') {
		n = strcspn(at, " ");
		must(n && n < TEXT_MAX);
		must(strcspn(at, "\"\\=") >= n);
		memcpy(out, at, n);
		out[n] = '\0';
		return at + n;
	}
	for (at++; *at != '"'; at++) {
		must(*at && n < TEXT_MAX - 1);
		if (*at == '\\' && at[1] == 'x') {
			memcpy(hex, at + 2, 2);
			out[n++] = (char)strtoul(hex, NULL, 16);
			at += 3;
		} else {
			at += *at == '\\';
			out[n++] = *at;
		}
	}
	out[n] = '\0';
	return at + 1;
}

static bool is_cut(const char *out, const char *whole)
{
	size_t len = strlen(out);

	return len >= CUT / 4 && strlen(whole) * 4 > CUT &&
	       !strcmp(out + len - 3, "...") &&
	       !strncmp(out, whole, len - 3);
}

/* Every field of the line is one that was added, in the order of adding. */
static void check_fields(const char *line)
{
	char out[TEXT_MAX], key[16];
	const char *at = line + strcspn(line, " ");
	unsigned int i, n;
	int len;

	memset(used, 0, sizeof(used));
	for (i = 0; *at; i++) {
		len = 0;
		must(sscanf(at, " k%u=%n", &n, &len) == 1 && len > 0);
		must(n >= i && n < VALUES_MAX);
		snprintf(key, sizeof(key), " k%u=", n);
		must(!strncmp(at, key, strlen(key)));
		at = unquote(at + strlen(key), out);
		must(!strcmp(out, value[n]) || is_cut(out, value[n]));
		used[n] = true;
		i = n;
	}
}

/* What is left out did not fit: each byte may become four. The rest is for the
 * time and for what a line ends in.
 */
static void check_missing(const struct log *l, unsigned int n)
{
	size_t sum = 64 + 64, len;
	unsigned int i;

	for (i = 0; i < n; i++) {
		len = 4 * strlen(value[i]);
		sum += (len < CUT ? len : CUT) + 12;
	}
	for (i = 0; i < n; i++)
		must(used[i] || sum > sizeof(l->line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char written[2 * LOG_LINE_MAX], key[8];
	struct err err;
	struct log l;
	unsigned int n;
	size_t at = 0;

	log_begin(&l);
	for (n = 0; n < VALUES_MAX && at < size; n++) {
		fuzz_string(data, size, &at, value[n], TEXT_MAX);
		snprintf(key, sizeof(key), "k%u", n);
		log_add(&l, key, "%s", value[n]);
		must(l.len < sizeof(l.line));
	}
	files_begin();
	files_set(PATH, "", 0);
	must(!log_write(&l, PATH, &err));
	files_written(written, sizeof(written));
	must(strlen(written) == l.len + 1 && written[l.len] == '\n');
	written[l.len] = '\0';
	must(fuzz_one_line(written));
	must(!strncmp(written, "ts=", 3));
	check_fields(written);
	check_missing(&l, n);
	return 0;
}
