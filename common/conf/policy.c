// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
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

static int read_address(char *word, struct range *r, struct err *err)
{
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

static int read_port(char *word, struct range *r, struct err *err)
{
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

/* One list of a policy: where it is, and how a word of it is read. */
struct list {
	uint8_t *n, max;
	struct range *range;
	bool ports;
	uint8_t *protocol;
	char (*interface)[IFNAMSIZ];
};

static bool find_list(struct policy *p, const char *key, struct list *l)
{
	const struct {
		const char *key;
		struct list list;
	} lists[] = {
		{ "source", { .n = &p->n_source, .range = p->source,
			      .max = POLICY_ADDRESSES } },
		{ "destination", { .n = &p->n_destination,
				   .range = p->destination,
				   .max = POLICY_ADDRESSES } },
		{ "source_port", { .n = &p->n_source_port, .ports = true,
				   .range = p->source_port,
				   .max = POLICY_PORTS } },
		{ "destination_port", { .n = &p->n_destination_port,
					.ports = true,
					.range = p->destination_port,
					.max = POLICY_PORTS } },
		{ "protocol", { .n = &p->n_protocol, .protocol = p->protocol,
				.max = POLICY_PROTOCOLS } },
		{ "interface", { .n = &p->n_interface,
				 .interface = p->interface,
				 .max = POLICY_INTERFACES } },
	};
	size_t i;

	for (i = 0; i < COUNT(lists); i++) {
		*l = lists[i].list;
		if (!strcmp(key, lists[i].key))
			return true;
	}
	return false;
}

static int read_word(const struct list *l, char *word, struct err *err)
{
	if (l->ports)
		return read_port(word, &l->range[*l->n], err);
	if (l->range)
		return read_address(word, &l->range[*l->n], err);
	if (l->protocol)
		return protocol_parse(word, &l->protocol[*l->n], err);
	if (!ifname_valid(word))
		return err_set(err, -EINVAL, "\"%s\" " IFNAME_RULE, word);
	memset(l->interface[*l->n], 0, IFNAMSIZ);
	return str_copy(l->interface[*l->n], IFNAMSIZ, word);
}

int policy_set(struct policy *p, const char *key, const char *value,
	       struct err *err)
{
	char words[WORDS_LEN], *word, *save;
	struct list l;
	int code;

	if (!find_list(p, key, &l) || str_copy(words, sizeof(words), value))
		return err_set(err, -EINVAL, "unknown or too long");
	*l.n = 0;
	for (word = strtok_r(words, " \t,", &save); word;
	     word = strtok_r(NULL, " \t,", &save)) {
		if (*l.n == l.max)
			return err_set(err, -EINVAL, "more than %u of them: "
				       "make a second policy", l.max);
		code = read_word(&l, word, err);
		if (code)
			return code;
		(*l.n)++;
	}
	return *l.n ? 0 : err_set(err, -EINVAL, "there is nothing in it: "
				  "delete the line");
}

bool policy_name_valid(const char *name)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t len = strlen(name);

	return len && len < POLICY_NAME && strspn(name, legal) == len;
}

int range_prefix(const struct range *r)
{
	uint32_t len;

	for (len = 0; len < ADDRESS_BITS; len++)
		if (!(r->first & free_bits(len)) &&
		    r->last == (r->first | free_bits(len)))
			return (int)len;
	return r->first == r->last ? ADDRESS_BITS : -1;
}

const char *range_text(const struct range *r, char text[RANGE_TEXT])
{
	struct in_addr a = { htonl(r->first) }, z = { htonl(r->last) };
	int len = range_prefix(r);
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

static void print_addresses(FILE *f, const char *key, const struct range *r,
			    unsigned int n)
{
	char text[RANGE_TEXT];
	unsigned int i;

	for (i = 0; i < n; i++)
		fprintf(f, "%s%s%s", i ? "" : key, i ? " " : "=",
			range_text(&r[i], text));
	fputs(n ? "\n" : "", f);
}

static void print_ports(FILE *f, const char *key, const struct range *r,
			unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		fprintf(f, "%s%s%u", i ? "" : key, i ? " " : "=", r[i].first);
		if (r[i].last != r[i].first)
			fprintf(f, "-%u", r[i].last);
	}
	fputs(n ? "\n" : "", f);
}

void policy_print_lists(const struct policy *p, FILE *f)
{
	char text[PROTOCOL_TEXT];
	unsigned int i;

	print_addresses(f, "source", p->source, p->n_source);
	print_addresses(f, "destination", p->destination, p->n_destination);
	for (i = 0; i < p->n_protocol; i++)
		fprintf(f, "%s%s", i ? " " : "protocol=",
			protocol_text(p->protocol[i], text));
	fputs(i ? "\n" : "", f);
	print_ports(f, "source_port", p->source_port, p->n_source_port);
	print_ports(f, "destination_port", p->destination_port,
		    p->n_destination_port);
	for (i = 0; i < p->n_interface; i++)
		fprintf(f, "%s%s", i ? " " : "interface=", p->interface[i]);
	fputs(i ? "\n" : "", f);
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
