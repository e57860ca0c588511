/* SPDX-License-Identifier: MIT */
#ifndef MWAN_COPY_ROUTE_COMMAND_H
#define MWAN_COPY_ROUTE_COMMAND_H

#include <libmnl/libmnl.h>
#include <stddef.h>

enum {
	/* The longest route is a multipath one of 32 KiB, of which a leg of
	 * 24 bytes becomes some 90 characters.
	 */
	RTTEXT_MAX = 160 * 1024,
};

/* Write the request @nlh (rtmsg.h) as the command that ip(8) would need for
 * it, such as "ip -4 route add unicast 10.0.0.0/8 dev eth0 proto static scope
 * link table 201". Returns 0, -ENOSPC, or -ENOTSUP when an encapsulation or
 * another attribute is one that we do not know the words of: then the text is
 * complete but for that.
 */
int rttext(const struct nlmsghdr *nlh, char *buf, size_t size);

/* The same without "ip route add": a route, for a person to read. */
int rttext_route(const struct nlmsghdr *nlh, char *buf, size_t size);

#endif
