/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CONF_POLICY_H
#define MWAN_CONF_POLICY_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/wide.h"

enum {
	POLICIES_MAX = 64,
	POLICY_NAME = 32,
	/* No more of IPv4 fit the longest line of the file. */
	POLICY_ADDRESSES = 24,
	/* Enough, and short enough for one line when they are written. */
	POLICY_PORTS = 32,
	POLICY_PROTOCOLS = 16,
	POLICY_INTERFACES = 12,
	/* A "6" may follow for IPv6; nft allows such names. */
	POLICY_SET = 16,
};

enum policy_use {
	USE_NONE,		/* not said yet */
	USE_LINK,
	USE_BALANCE,
	USE_MAIN,
};

/* Addresses from @first to @last, both included, in host order. */
struct range {
	uint8_t family;		/* AF_INET or AF_INET6; of ports 0 */
	struct wide first, last;
};

/* The same of ports. A configuration has thousands of them. */
struct ports {
	uint16_t first, last;
};

/* Which new connections it is about (an empty list: all) and what becomes of
 * them. The lists are as the file has them, also when they overlap.
 */
struct policy {
	char name[POLICY_NAME];
	uint8_t n_source, n_destination, n_protocol, n_interface;
	uint8_t n_source_port, n_destination_port;
	struct range source[POLICY_ADDRESSES];
	struct range destination[POLICY_ADDRESSES];
	/* The named set of destinations that others fill, in their place; "":
	 * none. That of IPv6 is called NAME6.
	 */
	char set[POLICY_SET];
	struct ports source_port[POLICY_PORTS];
	struct ports destination_port[POLICY_PORTS];
	uint8_t protocol[POLICY_PROTOCOLS];
	char interface[POLICY_INTERFACES][IFNAMSIZ];
	char use_name[IFNAMSIZ];	/* as the file has it */
	enum policy_use use;
	uint8_t link;		/* of USE_LINK: its place in conf.link */
	bool unreachable;	/* ... when that is down; else balance */
};

/* Set one of the lists: source, destination, protocol, source_port,
 * destination_port, interface. Returns 0, or -EINVAL with a sentence.
 */
int policy_set(struct policy *p, const char *key, const char *value,
	       struct err *err);

/* Letters, digits, '_', '-', '.'; 1 to 31 of them. */
bool policy_name_valid(const char *name);

/* Write one of them as policy_set() takes it back, no longer than what it was
 * read from; "" when it is empty.
 */
void policy_text(const struct policy *p, const char *key, char *buf,
		 size_t size);

/* Is it a rule a family, because it names addresses? */
bool policy_by_family(const struct policy *p);

/* Can a connection of family @f match it? Without addresses it is about both;
 * else every list that there is needs some of that family.
 */
bool policy_has_family(const struct policy *p, enum family f);

/* Sort @count ranges of one family, or ports, and make one of those that overlap
 * or touch. Returns how many are left; 0 when they are all of 0 to @max.
 */
unsigned int ranges_merge(struct range *r, unsigned int count,
			  struct wide max);

/* An address, a prefix, or two addresses with '-' between them. */
enum { RANGE_TEXT = 2 * ADDR_TEXT };
const char *range_text(const struct range *r, char text[RANGE_TEXT]);

/* "tcp", "udp", "icmp", "ipv6-icmp", or the number. protocol_parse() returns 0,
 * or -EINVAL with a sentence.
 */
enum { PROTOCOL_TEXT = 10 };
const char *protocol_text(uint8_t protocol, char text[PROTOCOL_TEXT]);
int protocol_parse(const char *word, uint8_t *out, struct err *err);

#endif
