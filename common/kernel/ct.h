/* SPDX-License-Identifier: MIT */
#ifndef MWAN_KERNEL_CT_H
#define MWAN_KERNEL_CT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/limits.h"
#include "base/prefix.h"
#include "kernel/nl.h"

/* Delete the conntrack entries whose replies go to @local: the flows that left
 * by an address that is gone. They would go on under that address for ever;
 * their next packet begins anew by a live link. The kernel deletes all of them
 * with one message where it can (Linux 6.12), else each has its own, in one
 * dump. With 100,000 entries either takes a good part of a second, so do it
 * without the lock. @nl is a NETLINK_NETFILTER socket. Returns how many were
 * found and deleted, at least (0: there was none), or a negative errno: -EBUSY
 * when some are still there.
 */
int ct_forget(struct nl *nl, const struct addr *local, struct err *err);

/* The same for the entries that have @mark under @mask and whose replies go to an
 * address of the IPv6 prefix @of: the flows of a line whose prefix is gone. They
 * are few enough to be deleted one by one. With ::/0 the kernel deletes them at
 * once where that is cheaper; then it does not tell how many, and 1 is returned.
 */
int ct_forget_prefix(struct nl *nl, const struct prefix *of, uint32_t mark,
		     uint32_t mask, struct err *err);

/* Delete the conntrack entries of @family that have @mark under @mask, in one
 * walk by the kernel, which does not tell how many. Returns 0 or a negative
 * errno.
 */
int ct_end(struct nl *nl, uint8_t family, uint32_t mark, uint32_t mask,
	   struct err *err);

/* Delete the IPv4 entries without an answer whose replies go to no address of a
 * link, as @keep tells: what left while nothing was masqueraded, and
 * would never be translated. Whatever else has had no answer begins anew with
 * its next packet, and nobody notices. Returns as ct_forget() does.
 */
int ct_end_stray(struct nl *nl, bool (*keep)(const struct addr *, void *),
		 void *data, struct err *err);

/* The marks of the connections of each link of a configuration, under a mask;
 * 0: none.
 */
struct ct_marks {
	uint32_t mask;
	uint32_t mark[LINKS_MAX];
};

/* Give the entries, of any family, that have one of @n marks in @from the mark of
 * the same link in @to, in one dump. Bits of @from's mask that @to's has not are
 * cleared. Returns 0 or a negative errno.
 */
int ct_renumber(struct nl *nl, const struct ct_marks *from,
		const struct ct_marks *to, unsigned int n, struct err *err);

/* Count the entries of @family that have each of @n marks under @mask, in one
 * dump: the kernel's own filter knows one mark, and 64 walks would cost more
 * than to pass over what is no link's. @counts is theirs to the end, or to an
 * error.
 */
int ct_count(struct nl *nl, uint8_t family, uint32_t mask,
	     const uint32_t *marks, unsigned int n, uint64_t *counts,
	     struct err *err);

/* The packets of one direction of a connection; ports in host order. */
struct ct_tuple {
	struct addr source, destination;
	uint8_t protocol;
	uint16_t source_port, destination_port;
	uint16_t zone;		/* of the original direction alone; 0: none */
};

/* What conntrack knows of the connection of a packet. */
struct ct_flow {
	bool known;
	bool is_reply;		/* the packet is one of the answers */
	bool answered;
	bool bare;		/* it began, and no NAT has a part in it */
	uint32_t mark;
	/* What NAT makes of its addresses; without any its own. */
	struct addr from, to;
};

/* Look up the connection that a packet of @tuple belongs to, as conntrack would
 * before it does any NAT. That there is none, or a TCP one that is over, is no
 * error. Returns 0 or a negative errno.
 */
int ct_find(struct nl *nl, const struct ct_tuple *tuple, struct ct_flow *flow,
	    struct err *err);

/* Print a command of conntrack(8) for each of the deletions. It knows neither a
 * prefix of the answers' destination nor the router's addresses, so two of them
 * delete more: what is still good begins anew.
 */
void ct_print_forget(const struct addr *local, FILE *out);
void ct_print_forget_prefix(uint32_t mark, uint32_t mask, FILE *out);
void ct_print_end(uint8_t family, uint32_t mark, uint32_t mask, FILE *out);
void ct_print_end_stray(FILE *out);

#endif
