/* SPDX-License-Identifier: MIT */
#ifndef MWAN_NFT_TRACE_H
#define MWAN_NFT_TRACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "nft/sets.h"

enum {
	/* A packet meets a handful of rules that do something to it. */
	WALK_STEPS = 32,
	WALK_NO_KEY = 0xffffffff,
};

/* A rule all of whose conditions held. */
struct walk_step {
	uint16_t rule;
	/* the key that a map was asked for; WALK_NO_KEY where nobody can know
	 * it.
	 */
	uint32_t key;
	uint32_t mark;		/* the packet's, before the rule */
};

/* One packet on its way through the rules, as the kernel would evaluate them.
 * The caller fills in the first part; ports and marks are in host order. Marks
 * and the sticky map's element change on the way.
 */
struct walk {
	const struct ruleset *rs;
	/* the contents of the named sets; NULL: nothing is known of them. */
	const struct table_state *state;
	struct addr source, destination;	/* of one family */
	bool has_protocol, has_ports;	/* else: not known */
	uint8_t protocol;
	uint16_t source_port, destination_port;
	char iif[IFNAMSIZ], oif[IFNAMSIZ];	/* zero-padded */
	bool is_new, is_reply;		/* as conntrack sees it */
	uint32_t mark, ct_mark;
	uint32_t sticky;		/* the host's in the map; 0: none */
	/* For each named set: does it hold the destination? NULL: none has. */
	const bool *named;
	/* Which element of a map to take when it is by turns or at random, or by
	 * a hash of what is not known.
	 */
	unsigned int choice;

	unsigned int n_choices;		/* of such a map; 0: none was met */
	uint32_t share, shares;		/* what of it this choice has */
	bool rejected;
	bool asked;		/* it met the policies before routing */
	/* A policy asks for the protocol or a port that is not known; it was
	 * taken not to match.
	 */
	bool unsure;
	unsigned int n_steps;
	struct walk_step step[WALK_STEPS];
};

/* Let the packet through the chains of @hook, those of NAT left out. Pure. */
void walk(struct walk *w, enum ruleset_hook hook);

#endif
