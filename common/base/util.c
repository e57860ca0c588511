// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

enum { COLUMNS = 80 };

int u32_parse(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	unsigned long long v;
	char *end;

	/* strtoull() would take blanks, a sign, and an octal number. */
	if (!isxdigit((unsigned char)digits[0]))
		return -EINVAL;
	errno = 0;
	v = strtoull(digits, &end, hex ? 16 : 10);
	if (end == digits || *end)
		return -EINVAL;
	if (errno == ERANGE || v < min || v > max)
		return -ERANGE;
	*out = (uint32_t)v;
	return 0;
}

int str_copy(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src);

	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(dst, src, len + 1);
	return 0;
}

void str_add(char *list, size_t size, const char *between, const char *word)
{
	size_t len = strlen(list);

	snprintf(list + len, size - len, "%s%s", len ? between : "", word);
}

void print_wrapped_behind(const char *text, size_t column, const char *begin,
			  FILE *out)
{
	size_t len, blank = 0;

	for (; *text; text += len + strspn(text + len, " ")) {
		len = strcspn(text, " ");
		if (column + blank + len > COLUMNS && blank) {
			fprintf(out, "\n%s", begin);
			column = strlen(begin);
			blank = 0;
		}
		fprintf(out, "%s%.*s", blank ? " " : "", (int)len, text);
		column += blank + len;
		blank = 1;
	}
	fputc('\n', out);
}

void print_wrapped(const char *text, size_t column, size_t indent, FILE *out)
{
	char blanks[COLUMNS];

	snprintf(blanks, sizeof(blanks), "%*s", (int)indent, "");
	print_wrapped_behind(text, column, blanks, out);
}

bool str_plain(const char *s)
{
	const char *at = s;

	while (isalnum((unsigned char)*at) || (*at && strchr("_-.@+%", *at)))
		at++;
	return *s && !*at;
}

bool ifname_valid(const char *name)
{
	return str_plain(name) && strlen(name) < IFNAMSIZ &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}
