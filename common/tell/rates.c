// SPDX-License-Identifier: MIT
#include "tell/rates.h"

/* 0 where the counter has gone back. */
static uint64_t bits_per_second(uint64_t was, uint64_t is, int64_t ns)
{
	return is < was ? 0 : (uint64_t)((double)(is - was) * 8e9 /
					 (double)ns);
}

void rates_note(struct rates *r, const struct facts *f,
		const struct present *p, unsigned int n_links, int64_t now)
{
	int64_t ns = now - r->at;
	unsigned int i;

	for (i = 0; i < n_links; i++) {
		r->known[i] = r->at && ns > 0 && f->have_bytes[i] &&
			      r->ifindex[i] == p->link[i].ifindex;
		if (r->known[i]) {
			r->rx[i] = bits_per_second(r->bytes[i].rx,
						   f->bytes[i].rx, ns);
			r->tx[i] = bits_per_second(r->bytes[i].tx,
						   f->bytes[i].tx, ns);
		}
		r->ifindex[i] = f->have_bytes[i] ? p->link[i].ifindex : 0;
		r->bytes[i] = f->bytes[i];
	}
	r->at = now;
}
