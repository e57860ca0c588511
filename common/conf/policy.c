// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "conf/policy.h"

enum {
	WORDS_LEN = 256,	/* longer than a line of the file */
};

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{ "icmp", IPPROTO_ICMP },
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
	{ "ipv6-icmp", IPPROTO_ICMPV6 },
};

/* One end of a range: both are of one family. */
static int address(const char *text, struct range *r, struct wide *out)
{
	char again[ADDR_TEXT];
	struct addr a;

	if (addr_parse(&a, text) || (r->family && r->family != a.family))
		return -EINVAL;
	/* IPv4's within IPv6 ("::ffff:10.0.0.1") are never in a packet. */
	if (a.family == AF_INET6 && strchr(addr_text(&a, again), '.'))
		return -EINVAL;
	r->family = a.family;
	*out = wide_get(a.bytes, addr_len(&a));
	return 0;
}

static unsigned int address_bits(const struct range *r)
{
	return r->family == AF_INET ? 32 : 8 * WIDE_BYTES;
}

static int read_ends(char *word, struct range *r, uint32_t *len)
{
	char *slash = strchr(word, '/'), *dash = strchr(word, '-');
	int code;

	if (slash)
		*slash = '\0';
	if (dash)
		*dash = '\0';
	r->family = 0;
	code = address(word, r, &r->first);
	if (code)
		return code;
	*len = address_bits(r);
	r->last = r->first;
	if (dash)
		return slash ? -EINVAL : address(dash + 1, r, &r->last);
	return slash ? u32_parse(slash + 1, 0, *len, len) : 0;
}

static int read_address(char *word, void *slot, struct err *err)
{
	struct range *r = slot;
	char whole[WORDS_LEN], text[RANGE_TEXT];
	struct wide rest;
	uint32_t len;

	if (*word == '@')
		return err_set(err, -EINVAL, "\"%s\" must stand alone, in "
			       "destination: make a policy for it", word);
	str_copy(whole, sizeof(whole), word);
	if (read_ends(word, r, &len))
		return err_set(err, -EINVAL, "\"%s\" is neither an address "
			       "nor a prefix like 10.0.0.0/8 or 2001:db8::/32 "
			       "nor a range like 10.0.0.1-10.0.0.9", whole);
	rest = wide_ones(address_bits(r) - len);
	r->last = wide_or(r->last, rest);
	if (!wide_equal(wide_and(r->first, rest), wide(0))) {
		r->first = wide_and(r->first, wide_not(rest));
		return err_set(err, -EINVAL, "\"%s\" has bits after its "
			       "prefix: write %s", whole,
			       range_text(r, text));
	}
	if (wide_compare(r->last, r->first) < 0)
		return err_set(err, -EINVAL, "\"%s\" ends before it begins: "
			       "turn it round", whole);
	return 0;
}

static int read_port(char *word, void *slot, struct err *err)
{
	struct ports *r = slot;
	char *dash = strchr(word, '-');
	char whole[WORDS_LEN];
	uint32_t first = 0, last;
	int code;

	str_copy(whole, sizeof(whole), word);
	if (dash)
		*dash = '\0';
	code = u32_parse(word, 0, UINT16_MAX, &first);
	last = first;
	if (!code && dash)
		code = u32_parse(dash + 1, 0, UINT16_MAX, &last);
	if (code)
		return err_set(err, -EINVAL, "\"%s\" is neither a port from 0 "
			       "to 65535 nor a range like 5000-5999", whole);
	if (last < first)
		return err_set(err, -EINVAL, "\"%s\" ends before it begins: "
			       "turn it round", whole);
	*r = (struct ports){ (uint16_t)first, (uint16_t)last };
	return 0;
}

int protocol_parse(const char *word, uint8_t *out, struct err *err)
{
	uint32_t number = 0;
	size_t i;

	for (i = 0; i < COUNT(protocols); i++) {
		if (strcmp(word, protocols[i].name) != 0)
			continue;
		*out = protocols[i].number;
		return 0;
	}
	if (u32_parse(word, 0, UINT8_MAX, &number))
		return err_set(err, -EINVAL, "\"%s\" is none of: tcp, udp, "
			       "icmp, a number from 0 to 255", word);
	*out = (uint8_t)number;
	return 0;
}

static int read_protocol(char *word, void *slot, struct err *err)
{
	return protocol_parse(word, slot, err);
}

static int read_interface(char *word, void *slot, struct err *err)
{
	if (!ifname_valid(word))
		return err_set(err, -EINVAL, "\"%s\" " IFNAME_RULE, word);
	memset(slot, 0, IFNAMSIZ);
	return str_copy(slot, IFNAMSIZ, word);
}

static const char *address_text(const void *slot, char text[RANGE_TEXT])
{
	return range_text(slot, text);
}

static const char *port_text(const void *slot, char text[RANGE_TEXT])
{
	const struct ports *r = slot;

	if (r->last == r->first)
		snprintf(text, RANGE_TEXT, "%u", r->first);
	else
		snprintf(text, RANGE_TEXT, "%u-%u", r->first, r->last);
	return text;
}

static const char *number_text(const void *slot, char text[RANGE_TEXT])
{
	const uint8_t *protocol = slot;

	return protocol_text(*protocol, text);
}

static const char *name_text(const void *slot, char text[RANGE_TEXT])
{
	str_copy(text, RANGE_TEXT, slot);
	return text;
}

/* One list of a policy: where it is, and how a word of it is read and written. */
struct list {
	const char *key;
	int (*read)(char *word, void *slot, struct err *err);
	const char *(*text)(const void *slot, char text[RANGE_TEXT]);
	size_t n, at, slot;	/* the count, the slots, the size of one */
	uint8_t max;
};

#define SLOTS(member) .n = offsetof(struct policy, n_##member), \
		      .at = offsetof(struct policy, member), \
		      .slot = sizeof(((struct policy *)NULL)->member[0])

static const struct list lists[] = {
	{ "source", read_address, address_text, SLOTS(source),
	  POLICY_ADDRESSES },
	{ "destination", read_address, address_text, SLOTS(destination),
	  POLICY_ADDRESSES },
	{ "protocol", read_protocol, number_text, SLOTS(protocol),
	  POLICY_PROTOCOLS },
	{ "source_port", read_port, port_text, SLOTS(source_port),
	  POLICY_PORTS },
	{ "destination_port", read_port, port_text, SLOTS(destination_port),
	  POLICY_PORTS },
	{ "interface", read_interface, name_text, SLOTS(interface),
	  POLICY_INTERFACES },
};

static const struct list *find_list(const char *key)
{
	size_t i;

	for (i = 0; i < COUNT(lists); i++)
		if (!strcmp(key, lists[i].key))
			return &lists[i];
	return NULL;
}

/* Names of sets that the table has beside, see nft/sets.c. */
static bool is_taken(const char *name)
{
	static const char *const ours[] = { "sticky", "mss", "own", "known",
					    "native", "moved" };
	size_t i;

	for (i = 0; i < COUNT(ours); i++)
		if (!strcmp(name, ours[i]))
			return true;
	return !strncmp(name, "own6", strlen("own6"));
}

/* "@NAME" */
static int read_set(struct policy *p, const char *value, struct err *err)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	const char *name = value + 1;
	size_t len = strlen(name);

	if (!len || strspn(name, legal) != len ||
	    strchr("_0123456789", *name) || name[len - 1] == '6' ||
	    is_taken(name) || str_copy(p->set, sizeof(p->set), name))
		return err_set(err, -EINVAL, "\"%s\" is not \"@\" and one name "
			       "alone: up to %u letters, digits and \"_\", a "
			       "letter first, no 6 last, and no set of mwan's "
			       "own (sticky, mss, own, known, native, moved)",
			       value, POLICY_SET - 1);
	return 0;
}

int policy_set(struct policy *p, const char *key, const char *value,
	       struct err *err)
{
	char words[WORDS_LEN], *word, *save;
	const struct list *l = find_list(key);
	char *of = (char *)p;
	uint8_t n = 0;
	int code;

	if (!l || str_copy(words, sizeof(words), value))
		return err_set(err, -EINVAL, "unknown or too long");
	if (*value == '@' && l->read == read_address &&
	    l->n == offsetof(struct policy, n_destination))
		return read_set(p, value, err);
	for (word = strtok_r(words, " \t,", &save); word;
	     word = strtok_r(NULL, " \t,", &save)) {
		if (n == l->max)
			return err_set(err, -EINVAL, "more than %u of them: "
				       "make a second policy", l->max);
		code = l->read(word, of + l->at + n * l->slot, err);
		if (code)
			return code;
		memcpy(of + l->n, &(uint8_t){ ++n }, 1);
	}
	return n ? 0 : err_set(err, -EINVAL, "there is nothing in it: "
			       "delete the line");
}

void policy_text(const struct policy *p, const char *key, char *buf,
		 size_t size)
{
	const struct list *l = find_list(key);
	const char *of = (const char *)p;
	char text[RANGE_TEXT];
	uint8_t i, n;

	*buf = '\0';
	if (!l)
		return;
	if (*p->set && l->n == offsetof(struct policy, n_destination))
		snprintf(buf, size, "@%s", p->set);
	memcpy(&n, of + l->n, 1);
	for (i = 0; i < n; i++)
		str_add(buf, size, " ",
			l->text(of + l->at + i * l->slot, text));
}

bool policy_name_valid(const char *name)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t len = strlen(name);

	return len && len < POLICY_NAME && strspn(name, legal) == len;
}

static bool of_family(const struct range *r, unsigned int n, enum family f)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (r[i].family == family_af(f))
			return true;
	return !n;
}

bool policy_by_family(const struct policy *p)
{
	return p->n_source || p->n_destination || *p->set;
}

bool policy_has_family(const struct policy *p, enum family f)
{
	return of_family(p->source, p->n_source, f) &&
	       of_family(p->destination, p->n_destination, f);
}

static void end_text(const struct range *r, struct wide end,
		     char text[ADDR_TEXT])
{
	struct addr a = { .family = r->family };

	wide_put(end, a.bytes, addr_len(&a));
	addr_text(&a, text);
}

const char *range_text(const struct range *r, char text[RANGE_TEXT])
{
	const int bits = (int)address_bits(r);
	int len = wide_prefix(r->first, r->last, (unsigned int)bits);
	size_t at;

	end_text(r, r->first, text);
	at = strlen(text);
	if (len < 0) {
		text[at++] = '-';
		end_text(r, r->last, text + at);
	} else if (len < bits) {
		snprintf(text + at, RANGE_TEXT - at, "/%d", len);
	}
	return text;
}

const char *protocol_text(uint8_t protocol, char text[PROTOCOL_TEXT])
{
	size_t i;

	snprintf(text, PROTOCOL_TEXT, "%u", protocol);
	for (i = 0; i < COUNT(protocols); i++)
		if (protocols[i].number == protocol)
			snprintf(text, PROTOCOL_TEXT, "%s", protocols[i].name);
	return text;
}

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return wide_compare(x->first, y->first);
}

/* Does @next begin in @r, or right behind it? */
static bool joins(const struct range *r, const struct range *next)
{
	return wide_compare(next->first, r->last) <= 0 ||
	       wide_equal(next->first, wide_next(r->last));
}

unsigned int ranges_merge(struct range *r, unsigned int count,
			  struct wide max)
{
	unsigned int i, n = 0;

	qsort(r, count, sizeof(*r), by_first);
	for (i = 0; i < count; i++) {
		if (!n || !joins(&r[n - 1], &r[i]))
			r[n++] = r[i];
		else if (wide_compare(r[i].last, r[n - 1].last) > 0)
			r[n - 1].last = r[i].last;
	}
	return n == 1 && wide_equal(r[0].first, wide(0)) &&
	       wide_equal(r[0].last, max) ? 0 : n;
}
