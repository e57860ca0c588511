// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "base/wide.h"
#include "conf/policy.h"

enum {
	ADDRESS_BITS = 32,
	WORDS_LEN = 256,	/* longer than a line of the file */
};

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{ "icmp", IPPROTO_ICMP },
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
};

static int address(const char *text, uint32_t *out)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		return -EINVAL;
	*out = ntohl(a.s_addr);
	return 0;
}

/* The addresses that a prefix of @len bits leaves free. */
static uint32_t free_bits(uint32_t len)
{
	return len ? (1U << (ADDRESS_BITS - len)) - 1 : UINT32_MAX;
}

static int read_address(char *word, void *slot, struct err *err)
{
	struct range *r = slot;
	char *slash = strchr(word, '/'), *dash = strchr(word, '-');
	char whole[WORDS_LEN], text[RANGE_TEXT];
	uint32_t len = ADDRESS_BITS;
	int code;

	str_copy(whole, sizeof(whole), word);
	if (slash)
		*slash = '\0';
	if (dash)
		*dash = '\0';
	code = address(word, &r->first);
	if (!code && dash)
		code = slash ? -EINVAL : address(dash + 1, &r->last);
	if (!code && slash)
		code = u32_parse(slash + 1, 0, ADDRESS_BITS, &len);
	if (code)
		return err_set(err, -EINVAL, "\"%s\" is neither an IPv4 "
			       "address nor a prefix like 10.0.0.0/8 nor a "
			       "range like 10.0.0.1-10.0.0.9", whole);
	if (!dash)
		r->last = len == ADDRESS_BITS ? r->first :
						r->first | free_bits(len);
	if (!dash && len < ADDRESS_BITS && r->first & free_bits(len)) {
		r->first &= ~free_bits(len);
		return err_set(err, -EINVAL, "\"%s\" has bits behind its "
			       "prefix: write %s", whole,
			       range_text(r, text));
	}
	if (r->last < r->first)
		return err_set(err, -EINVAL, "\"%s\" ends before it begins: "
			       "turn it round", whole);
	return 0;
}

static int read_port(char *word, void *slot, struct err *err)
{
	struct range *r = slot;
	char *dash = strchr(word, '-');
	char whole[WORDS_LEN];
	int code;

	str_copy(whole, sizeof(whole), word);
	if (dash)
		*dash = '\0';
	code = u32_parse(word, 0, UINT16_MAX, &r->first);
	r->last = r->first;
	if (!code && dash)
		code = u32_parse(dash + 1, 0, UINT16_MAX, &r->last);
	if (code)
		return err_set(err, -EINVAL, "\"%s\" is neither a port from 0 "
			       "to 65535 nor a range like 5000-5999", whole);
	if (r->last < r->first)
		return err_set(err, -EINVAL, "\"%s\" ends before it begins: "
			       "turn it round", whole);
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
	const struct range *r = slot;

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

const char *range_text(const struct range *r, char text[RANGE_TEXT])
{
	struct in_addr a = { htonl(r->first) }, z = { htonl(r->last) };
	int len = wide_prefix(wide(r->first), wide(r->last), ADDRESS_BITS);
	size_t at;

	inet_ntop(AF_INET, &a, text, INET_ADDRSTRLEN);
	at = strlen(text);
	if (len < 0) {
		text[at++] = '-';
		inet_ntop(AF_INET, &z, text + at, INET_ADDRSTRLEN);
	} else if (len < ADDRESS_BITS) {
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

	return (x->first > y->first) - (x->first < y->first);
}

unsigned int ranges_merge(struct range *r, unsigned int count, uint32_t max)
{
	unsigned int i, n = 0;

	qsort(r, count, sizeof(*r), by_first);
	for (i = 0; i < count; i++) {
		if (n && (r[n - 1].last == UINT32_MAX ||
			  r[i].first <= r[n - 1].last + 1)) {
			if (r[i].last > r[n - 1].last)
				r[n - 1].last = r[i].last;
		} else {
			r[n++] = r[i];
		}
	}
	return n == 1 && !r[0].first && r[0].last == max ? 0 : n;
}
