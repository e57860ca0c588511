/* SPDX-License-Identifier: MIT */
#ifndef MWAN_KERNEL_IFACE_H
#define MWAN_KERNEL_IFACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/addr.h"
#include "kernel/nl.h"

/* A network interface. */
struct iface {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	bool up;		/* administratively: IFF_UP */
	bool carrier;		/* IFF_LOWER_UP */
	/* Several stations may be on it, and each packet must name the next one
	 * (neither IFF_POINTOPOINT nor IFF_NOARP): Ethernet and its like.
	 */
	bool shared;
	bool ppp;		/* ARPHRD_PPP: pppd's, or its like */
	uint32_t mtu;
};

/* An address of an interface. */
struct iface_addr {
	uint32_t ifindex;
	struct addr local;
	struct addr peer;	/* the same as local where there is no peer */
	/* Scope link or narrower: the kernel takes it for no packet that goes
	 * further than the link, masquerade included.
	 */
	bool on_link;
	uint8_t len;		/* bits of the network that it is in */
	bool deprecated;	/* IPv6: not for new connections any more */
	bool unusable;		/* IPv6: not verified, or somebody else's */
	/* IPv6: the kernel made it of a router's advertisement, and takes it
	 * away when no more come.
	 */
	bool advertised;
};

/* Called for each; a negative errno ends the reading with that error. */
typedef int (*iface_addr_cb)(const struct iface_addr *a, void *data);

/* Encode the question for the interface @name, in whose place a refusal (there
 * is none) is an answer too; the reply belongs to iface_reply(), which returns
 * -EBADMSG for a malformed one. A dump would describe every interface there is,
 * at 10 us each. Returns 0 or -ENOSPC.
 */
int iface_put_get(struct nl_batch *b, struct nl *nl, const char *name);
int iface_reply(const struct nlmsghdr *nlh, struct iface *l);

/* Which interface is a message of nl_watch() about? Its index, and its name
 * where the message tells it; else "". Returns 0 or -EBADMSG.
 */
int iface_event(const struct nlmsghdr *nlh, struct iface *l);

/* Is it a message about the address @a of @len bits? */
bool iface_event_addr(const struct nlmsghdr *nlh, struct addr *a,
		      uint8_t *len);

/* What an interface has carried since it was made. */
struct iface_bytes {
	uint64_t rx, tx;
};

/* Read it (Linux 4.7). Returns 0 or a negative errno with a sentence. */
int iface_read_bytes(struct nl *nl, uint32_t ifindex, struct iface_bytes *bytes,
		    struct err *err);

/* Encode "give the interface @ifindex the IPv6 address @a alone": no route comes
 * with it and nobody is asked whether it is free (a point-to-point line has no
 * neighbours). Adding what is there gives EEXIST, deleting what is not
 * EADDRNOTAVAIL. Return 0 or -ENOSPC when the batch is full.
 */
int iface_addr_put_add(struct nl_batch *b, struct nl *nl, uint32_t ifindex,
		       const struct addr *a);
int iface_addr_put_del(struct nl_batch *b, struct nl *nl, uint32_t ifindex,
		       const struct addr *a);

/* Read the addresses of @family (AF_UNSPEC: of both), of the interface @ifindex
 * or of all (0). Errors of nl_dump().
 */
int iface_addr_dump(struct nl *nl, uint8_t family, uint32_t ifindex,
		   iface_addr_cb cb, void *data, struct err *err);

/* Print the command that either is, for the interface @dev. */
void iface_addr_print_add(const struct addr *a, const char *dev, FILE *out);
void iface_addr_print_del(const struct addr *a, const char *dev, FILE *out);

#endif
