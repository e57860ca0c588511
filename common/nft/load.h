/* SPDX-License-Identifier: MIT */
#ifndef MWAN_NFT_LOAD_H
#define MWAN_NFT_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "conf/state.h"
#include "kernel/ct.h"
#include "kernel/nl.h"
#include "nft/sets.h"

enum {
	/* Our largest table and some room for what others have added. A table
	 * with more chains than that is replaced as a whole.
	 */
	NFT_SEEN_CHAINS = RULESET_CHAINS + 64,
	/* Ours, and those of an earlier configuration. */
	NFT_SEEN_SETS = 2 * RULESET_SETS,
};

/* A chain of our table as the kernel has it. */
struct nft_chain {
	char name[RULESET_NAME];
	char type[8];
	uint8_t hook;		/* HOOK_NONE: a regular chain */
	uint8_t policy;
	int32_t priority;
	uint32_t n_rules;
	uint64_t digest;	/* of its rules' hashes, in their order */
};

/* A named set or map of ours as the kernel has it. */
struct nft_set {
	char name[RULESET_NAME];
	uint32_t flags, size;
	uint32_t key_type, key_len, data_type, data_len;
	uint64_t timeout;	/* in milliseconds */
};

/* Our table as the kernel has it. */
struct nft_seen {
	bool present;
	bool masquerades;	/* it has the chain for that */
	bool guards;		/* ... and for what was not masqueraded */
	uint64_t stopped;	/* packets, since that chain was loaded */
	bool odd;		/* dormant, owned, or with chains that do not
				 * fit here: never ours */
	uint32_t generation;	/* of all of nftables, when it was read */
	uint64_t handle;	/* of the table */
	bool steady;		/* nothing changed while it was read */
	bool known;		/* it was found intact before and is the same:
				 * its sets, chains and rules were not read */
	bool misfilled;		/* the named sets hold more than state says,
				 * or something else */
	unsigned int n_chains, n_sets;
	struct table_state state;	/* what they say of the links */
	struct nft_set set[NFT_SEEN_SETS];
	struct nft_chain chain[NFT_SEEN_CHAINS];
};

/* Read our table through @nl (NETLINK_NETFILTER): its generation, its chains
 * and the hash that each rule carries, and what the named sets of @rs hold
 * (NULL: they are not read). A missing table is not present and no error.
 * Returns -EINTR when nftables changed meanwhile, be it somebody else's table:
 * read again. @seen has what was read, even then.
 *
 * @known (NULL: nothing) is what nft_intact() has once said of this namespace
 * and the ruleset that is wanted now. Every commit to nftables, by whomever,
 * makes a new generation: with the same one, and the same table, everything in
 * it is the same, and no more is read. It takes 2^32 commits until a generation
 * number returns.
 */
int nft_read(struct nl *nl, struct nft_seen *seen, const struct ruleset *rs,
	     const struct verified *known, struct err *err);

/* Whether the kernel's table is exactly @rs, or all of it but the rules that need
 * a fib expression, which a kernel may lack: same chains, hooks, priorities,
 * policies, the same rules in the same order, and the named sets, whatever they
 * hold. The other sets need no look: they are anonymous and
 * constant, so the kernel itself refuses to change them while their rule
 * exists, and the rule's hash covers them.
 */
bool nft_intact(const struct nft_seen *seen, const struct ruleset *rs);

/* Do the named sets of @rs hold what they should for @state? */
bool nft_filled(const struct nft_seen *seen, const struct ruleset *rs,
		const struct table_state *state);

/* Make the kernel's table @rs, with @state in its named sets, in one
 * transaction: a packet meets the old rules or the new ones. @seen is what
 * nft_read() saw; when nftables has changed since, nothing is done and
 * -ERESTART returned: read again. Everything else in our table goes, except
 * named sets and maps, which stay with their contents: those of others, and
 * that of the hosts' links unless its timeout has changed. Before Linux 6.4, a
 * second transaction deletes the chains that nothing leads to any more. Other
 * errors name the rule or chain in @err; nothing has changed then either.
 */
int nft_load(struct nl *nl, const struct ruleset *rs,
	     const struct table_state *state, const struct nft_seen *seen,
	     struct err *err);

/* Put @state into the named sets of the table that is @rs, in one transaction
 * that touches no rule; else like nft_load().
 */
int nft_fill(struct nl *nl, const struct ruleset *rs,
	     const struct table_state *state, const struct nft_seen *seen,
	     struct err *err);

/* The mark that the map of the hosts' links has for @host, 0 when it has none or
 * there is no map. Returns 0 or a negative errno.
 */
int nft_sticky(struct nl *nl, const struct addr *host, uint32_t *mark,
	       struct err *err);

/* Is the flow of @t one that began untranslated by another link, and goes on in a
 * zone of its own? Returns 0 or a negative errno.
 */
int nft_moved(struct nl *nl, const struct ct_tuple *t, bool *moved,
	      struct err *err);

/* Has the set number @set of @rs, one that a policy names, the address @a? No,
 * where that is of the other family. Returns 0 or a negative errno.
 */
int nft_named(struct nl *nl, const struct ruleset *rs, unsigned int set,
	      const struct addr *a, bool *has, struct err *err);

/* Delete our table; an absent one is fine. */
int nft_delete(struct nl *nl, struct err *err);

/* Print the commands of nft(8) that do the same. */
void nft_print_load(const struct ruleset *rs, const struct table_state *state,
		    FILE *out);
void nft_print_fill(const struct ruleset *rs, const struct table_state *state,
		    FILE *out);
void nft_print_delete(FILE *out);

#endif
