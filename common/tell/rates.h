/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_RATES_H
#define MWAN_TELL_RATES_H

#include "tell/inspect.h"

/* The links' rates, from two readings of their counters. */
struct rates {
	int64_t at;			/* of the last look: ns; 0: none yet */
	uint32_t ifindex[LINKS_MAX];	/* of it; 0: it had no counters */
	struct iface_bytes bytes[LINKS_MAX];
	bool known[LINKS_MAX];
	uint64_t rx[LINKS_MAX], tx[LINKS_MAX];	/* bits per second */
};

/* Note the counters that were read at @now, and what has come of them since the
 * last time. An interface that was replaced begins again.
 */
void rates_note(struct rates *r, const struct facts *f,
		const struct present *p, unsigned int n_links, int64_t now);

#endif
