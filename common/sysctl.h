/* SPDX-License-Identifier: MIT */
#ifndef MWAN_SYSCTL_H
#define MWAN_SYSCTL_H

#include "err.h"

enum { SYSCTL_PATH_MAX = 64 };

/* The path below /proc/sys of an interface's rp_filter, "all" included. */
void sysctl_rp_filter_path(const char *dev, char path[SYSCTL_PATH_MAX]);

#define SYSCTL_IP_FORWARD "net/ipv4/ip_forward"

/* Read or write a small whole number. sysctl_read() returns the number (0 to
 * 9) or a negative errno: -ENOENT when the interface is gone.
 */
int sysctl_read(const char *path);
int sysctl_write(const char *path, int value, struct err *err);

#endif
