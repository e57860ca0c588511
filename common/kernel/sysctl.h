/* SPDX-License-Identifier: MIT */
#ifndef MWAN_KERNEL_SYSCTL_H
#define MWAN_KERNEL_SYSCTL_H

#include <stdio.h>

#include "base/addr.h"
#include "kernel/nl.h"

enum { SYSCTL_PATH_MAX = 80 };

/* The path below /proc/sys of an interface's rp_filter, "all" included. */
void sysctl_rp_filter_path(const char *dev, char path[SYSCTL_PATH_MAX]);

/* That of its ignore_routes_with_linkdown: 1, and the kernel passes over routes
 * by it while it has no carrier.
 */
void sysctl_linkdown_path(const char *dev, enum family f,
			  char path[SYSCTL_PATH_MAX]);

/* Its values, and is it strict with this one and that of "all"? The larger
 * counts (linux/inetdevice.h, IN_DEV_RPFILTER()).
 */
enum { RP_STRICT = 1, RP_LOOSE = 2 };
bool sysctl_rp_strict(int all, int own);

/* Those of ARP of an interface. ARP_IGNORE 1: do not answer for the addresses of
 * others. ARP_ANNOUNCE 2: do not ask in the name of theirs. Two interfaces on one
 * segment need both, or the others learn the address of the one by the card of
 * the other (ip-sysctl.rst).
 */
enum sysctl_arp { ARP_IGNORE, ARP_ANNOUNCE };
enum { ARP_IGNORE_OTHERS = 1, ARP_ANNOUNCE_OWN = 2 };
void sysctl_arp_path(const char *dev, enum sysctl_arp which,
		     char path[SYSCTL_PATH_MAX]);

#define SYSCTL_IP_FORWARD "net/ipv4/ip_forward"
#define SYSCTL_IPV6_FORWARD "net/ipv6/conf/all/forwarding"

/* The settings of an interface that matter here, or of "all", whose forwarding
 * is ip_forward.
 */
struct sysctl {
	uint32_t ifindex;	/* 0: all */
	int rp_filter;
	int forwarding;
	int linkdown;		/* ignore_routes_with_linkdown (Linux 4.4) */
};

typedef int (*sysctl_cb)(const struct sysctl *s, void *data);

/* Read them for every interface: one dump in the place of three system calls a
 * setting. Errors of nl_dump().
 */
int sysctl_dump(struct nl *nl, sysctl_cb cb, void *data, struct err *err);

/* How the kernel chooses among the members of a group (its ip-sysctl.rst): by
 * the fields of policy 3, of which we want the source's address alone, or by
 * addresses and ports.
 */
extern const char *const sysctl_hash_policy[FAMILIES];
extern const char *const sysctl_hash_fields[FAMILIES];
enum { HASH_POLICY_L4 = 1, HASH_POLICY_FIELDS = 3, HASH_FIELDS_SOURCE = 1 };

/* Read a small whole number; -1 where there is none. What there is and cannot be
 * read is like no value, and so it is written.
 */
enum { SYSCTL_UNKNOWN = 0x7fffffff };
int sysctl_read(const char *path);

/* Write a small whole number. Returns 0 or a negative errno with a sentence. */
int sysctl_write(const char *path, int value, struct err *err);

/* Print the command that does it. */
void sysctl_print(const char *path, int value, FILE *out);

#endif
