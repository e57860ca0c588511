/* SPDX-License-Identifier: MIT */
#ifndef MWAN_KERNEL_SOCK_H
#define MWAN_KERNEL_SOCK_H

#include <linux/inet_diag.h>
#include <stdio.h>

#include "base/addr.h"
#include "kernel/nl.h"

/* A socket, with the kernel's cookie: never another one of the same ports. */
struct sock {
	struct addr source, destination;
	uint16_t source_port, destination_port;	/* in host order */
	uint8_t family;		/* AF_INET6: an IPv6 one that speaks IPv4 */
	struct inet_diag_sockid id;
};

typedef int (*sock_cb)(const struct sock *s, void *data);

/* Hand every TCP socket of IPv4, be it an IPv6 one (::ffff:192.0.2.1), that is
 * connected, or connecting, from @local to @cb. @nl is a NETLINK_SOCK_DIAG
 * socket. Returns 0 or a negative errno.
 */
int sock_dump(struct nl *nl, const struct addr *local, sock_cb cb, void *data,
	      struct err *err);

/* Close a socket as if its peer were gone: its program reads ECONNABORTED, and
 * the peer is sent a reset. -ENOENT: it is closed already; -EOPNOTSUPP: the
 * kernel is built without CONFIG_INET_DIAG_DESTROY.
 */
int sock_end(struct nl *nl, const struct sock *s, struct err *err);

/* Print a command of ss(8) that closes all that sock_dump() tells. */
void sock_print_end(const struct addr *local, FILE *out);

#endif
