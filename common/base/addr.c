// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "base/addr.h"

uint8_t family_af(enum family f)
{
	return f == FAMILY_IPV4 ? AF_INET : AF_INET6;
}

enum family family_index(uint8_t af)
{
	return af == AF_INET6 ? FAMILY_IPV6 : FAMILY_IPV4;
}

const char *ip_command(uint8_t af)
{
	return af == AF_INET6 ? "ip -6" : "ip";
}

enum family addr_family(const struct addr *a)
{
	return family_index(a->family);
}

int addr_parse(struct addr *a, const char *text)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, text, &a->v4) == 1)
		a->family = AF_INET;
	else if (inet_pton(AF_INET6, text, &a->v6) == 1)
		a->family = AF_INET6;
	else
		return -EINVAL;
	return 0;
}

int addr_set(struct addr *a, const void *bytes, unsigned int len)
{
	memset(a, 0, sizeof(*a));
	if (len != 4 && len != 16)
		return -EINVAL;
	a->family = len == 4 ? AF_INET : AF_INET6;
	memcpy(a->bytes, bytes, len);
	return 0;
}

unsigned int addr_len(const struct addr *a)
{
	if (a->family == AF_INET)
		return 4;
	return a->family == AF_INET6 ? 16 : 0;
}

const char *addr_text(const struct addr *a, char text[ADDR_TEXT])
{
	if (!a->family || !inet_ntop(a->family, a->bytes, text, ADDR_TEXT))
		strcpy(text, "none");
	return text;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family &&
	       !memcmp(a->bytes, b->bytes, addr_len(a));
}
