/* SPDX-License-Identifier: MIT */
#ifndef MWAN_NFT_MESSAGE_H
#define MWAN_NFT_MESSAGE_H

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdint.h>

#include "kernel/nl.h"
#include "nft/sets.h"

/* The messages of nftables that a table is made of. */

enum {
	/* Userdata is type, length, value; nft knows 0 (comment) and 1 of a
	 * rule and skips the rest.
	 */
	UDATA_HASH = 0x77,
	UDATA_LEN = 2 + sizeof(uint64_t),
};

/* The target of messages: a batch, or, without one, the same scratch place for
 * each, to compute the hash alone.
 */
struct nftmsg_out {
	struct nl *nl;
	struct nl_batch *batch;
};

/* Add a number: nftables has its own in network order. */
void nftmsg_put32(struct nlmsghdr *nlh, uint16_t type, uint32_t value);

/* An expression of a rule: its name and, nested, its own attributes, which come
 * between the two calls.
 */
struct nftmsg_expr {
	struct nlattr *list, *data;
};

struct nftmsg_expr nftmsg_expr_open(struct nlmsghdr *nlh, const char *name);
void nftmsg_expr_close(struct nlmsghdr *nlh, struct nftmsg_expr e);

/* All that follow return 0, or -ENOSPC when the batch is full. */

/* The brackets of a transaction: NFNL_MSG_BATCH_BEGIN and _END. @generation:
 * only if nothing of nftables has changed since then.
 */
int nftmsg_bracket(struct nftmsg_out *o, uint16_t type,
		   const uint32_t *generation);

/* A message that needs no more than the names of the table and, with
 * @name_attr, of one thing in it.
 */
int nftmsg_names(struct nftmsg_out *o, unsigned int op, uint16_t flags,
		 uint16_t table_attr, uint16_t name_attr, const char *name);

int nftmsg_chain(struct nftmsg_out *o, const struct ruleset_chain *c);

/* The named set or map number @set, from 0. */
int nftmsg_set(struct nftmsg_out *o, const struct ruleset *rs,
	       unsigned int set);

/* Take everything out of it, and put in what it holds for @state. */
int nftmsg_refill(struct nftmsg_out *o, const struct ruleset *rs,
		  unsigned int set, const struct table_state *state);

/* The question for the element of @key in the named set @set. */
int nftmsg_get(struct nftmsg_out *o, const char *set, const void *key,
	       size_t len);

/* The rule that is @number among all of them, after its sets. */
int nftmsg_rule(struct nftmsg_out *o, const struct ruleset *rs,
		unsigned int number);

/* The hash of everything wanted for the rule, its sets and their elements
 * included; nftmsg_rule() leaves it in the kernel's rule, to find it by.
 */
uint64_t nftmsg_hash(const struct ruleset *rs, const struct ruleset_rule *r);

/* The hash of the whole wanted state, made without encoding messages, and of
 * this version: the next one may encode the same ruleset differently.
 */
uint64_t nftmsg_digest(const struct ruleset *rs);

/* The hash goes on with one more word; this is where it starts. */
uint64_t nftmsg_fold(uint64_t hash, uint64_t word);
extern const uint64_t nftmsg_fold_start;

#endif
