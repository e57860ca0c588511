/* SPDX-License-Identifier: MIT */
#ifndef MWAN_SYSCTL_H
#define MWAN_SYSCTL_H

#include "nl.h"

enum { SYSCTL_PATH_MAX = 64 };

/* The path below /proc/sys of an interface's rp_filter, "all" included. */
void sysctl_rp_filter_path(const char *dev, char path[SYSCTL_PATH_MAX]);

#define SYSCTL_IP_FORWARD "net/ipv4/ip_forward"

/* The two settings of an interface that matter here, or of "all", whose
 * forwarding is ip_forward.
 */
struct sysctl {
	uint32_t ifindex;	/* 0: all */
	int rp_filter;
	int forwarding;
};

typedef int (*sysctl_cb)(const struct sysctl *s, void *data);

/* Read them for every interface: one dump in the place of three system calls a
 * setting. Errors of nl_dump().
 */
int sysctl_dump(struct nl *nl, sysctl_cb cb, void *data, struct err *err);

/* Write a small whole number. Returns 0 or a negative errno with a sentence. */
int sysctl_write(const char *path, int value, struct err *err);

#endif
