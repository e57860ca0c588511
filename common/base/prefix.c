// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/prefix.h"
#include "base/util.h"

/* The bits of byte @i that the first @len bits of an address have. */
static uint8_t mask_at(unsigned int i, uint8_t len)
{
	if (len >= 8 * (i + 1))
		return 0xff;
	if (len <= 8 * i)
		return 0;
	return (uint8_t)(0xff00 >> (len - 8 * i));
}

struct prefix prefix_of(const struct addr *a, uint8_t len)
{
	struct prefix p = { .addr = *a, .len = len };
	unsigned int i;

	for (i = 0; i < addr_len(a); i++)
		p.addr.bytes[i] &= mask_at(i, len);
	return p;
}

int prefix_parse(struct prefix *p, const char *text)
{
	char addr[ADDR_TEXT];
	size_t n = strcspn(text, "/");
	struct prefix clear;
	uint32_t len;

	memset(p, 0, sizeof(*p));
	if (n >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, n);
	addr[n] = '\0';
	if (addr_parse(&p->addr, addr))
		return -EINVAL;
	len = 8 * addr_len(&p->addr);
	if (text[n] && u32_parse(text + n + 1, 0, len, &len))
		return -EINVAL;
	p->len = (uint8_t)len;
	clear = prefix_of(&p->addr, p->len);
	return prefix_equal(&clear, p) ? 0 : -EINVAL;
}

const char *prefix_text(const struct prefix *p, char text[PREFIX_TEXT])
{
	char addr[ADDR_TEXT];

	snprintf(text, PREFIX_TEXT, "%s/%u", addr_text(&p->addr, addr), p->len);
	return text;
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && addr_equal(&a->addr, &b->addr);
}

bool prefix_has(const struct prefix *p, const struct addr *a)
{
	struct prefix of;

	if (!p->addr.family || a->family != p->addr.family)
		return false;
	of = prefix_of(a, p->len);
	return prefix_equal(p, &of);
}

bool prefix_covers(const struct prefix *a, const struct prefix *b)
{
	return a->len <= b->len && prefix_has(a, &b->addr);
}

bool prefixes_equal(const struct prefixes *a, const struct prefixes *b)
{
	unsigned int i;

	for (i = 0; i < a->n && i < b->n; i++)
		if (!prefix_equal(&a->item[i], &b->item[i]))
			return false;
	return a->n == b->n;
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return prefix_covers(a, b) || prefix_covers(b, a);
}

bool addr_is_global6(const struct addr *a)
{
	return a->family == AF_INET6 && (a->bytes[0] & 0xe0) == 0x20;
}

bool addr_is_link_local6(const struct addr *a)
{
	return a->family == AF_INET6 && a->bytes[0] == 0xfe &&
	       (a->bytes[1] & 0xc0) == 0x80;
}

int prefixes_add(struct prefixes *to, const char *word, struct err *err)
{
	struct prefix *p = &to->item[to->n];

	if (to->n == PREFIXES_MAX)
		return err_set(err, -EINVAL, "more than %d prefixes",
			       PREFIXES_MAX);
	if (prefix_parse(p, word) || !addr_is_global6(&p->addr))
		return err_set(err, -EINVAL, "\"%s\" is not a global IPv6 "
			       "prefix like 2001:db8:1:100::/56", word);
	to->n++;
	return 0;
}
