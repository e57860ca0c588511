/* SPDX-License-Identifier: MIT */
#ifndef MWAN_BASE_ADDR_H
#define MWAN_BASE_ADDR_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>

enum { ADDR_TEXT = INET6_ADDRSTRLEN };

/* What there is one of for each family is an array with these indices. */
enum family { FAMILY_IPV4, FAMILY_IPV6, FAMILIES };

/* To and from AF_INET or AF_INET6. */
uint8_t family_af(enum family f);
enum family family_index(uint8_t af);

/* An address of either family; family 0 means "none". */
struct addr {
	uint8_t family;
	union {
		struct in_addr v4;
		struct in6_addr v6;
		uint8_t bytes[16];
	};
};

/* How ip(8) is called for AF_INET or AF_INET6. */
const char *ip_command(uint8_t af);

/* The family of an address that is not "none". */
enum family addr_family(const struct addr *a);

/* Read @text as an address of either family. Returns 0 or -EINVAL. */
int addr_parse(struct addr *a, const char *text);

/* Take @len raw bytes (4 or 16) in network order. Returns 0 or -EINVAL. */
int addr_set(struct addr *a, const void *bytes, unsigned int len);

/* The length of the address in bytes: 4, 16, or 0 for none. */
unsigned int addr_len(const struct addr *a);

/* Write the address to @text; an address of no family gives "none". */
const char *addr_text(const struct addr *a, char text[ADDR_TEXT]);

bool addr_equal(const struct addr *a, const struct addr *b);

#endif
