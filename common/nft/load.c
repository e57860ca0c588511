// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "nft/load.h"
#include "nft/message.h"

enum {
	/* 255 links in turn by weights up to 255, in the place of others, need
	 * 4.8 MB; the rest is for policies.
	 */
	BATCH_SIZE = 6 * 1024 * 1024,
	/* Every refused message has an answer, all at once. */
	ANSWERS_SIZE = 2 * 1024 * 1024,
	MODULE_TEXT = 96,
	RULE_TEXT = 160,	/* the rest of a long rule is left out */
};

/* For what is sent, or printed: only the pages that are written take memory. */
static char batch_buf[BATCH_SIZE] __attribute__((aligned(8)));

static bool same_chain(const struct nft_chain *k,
		       const struct ruleset_chain *c)
{
	if (strcmp(k->name, c->name) != 0 || k->hook != c->hook)
		return false;
	return c->hook == HOOK_NONE ||
	       (k->priority == c->priority &&
		!strcmp(k->type, ruleset_type_name(c->type)));
}

/* Chains come back in the order in which they were made, so that the next one
 * to look for is nearly always the next one there is: *@at.
 */
static const struct nft_chain *find_seen(const struct nft_seen *seen,
					 const char *name, unsigned int *at)
{
	unsigned int i;

	for (i = 0; i < seen->n_chains; i++) {
		if (*at >= seen->n_chains)
			*at = 0;
		if (!strcmp(seen->chain[*at].name, name))
			return &seen->chain[(*at)++];
		(*at)++;
	}
	return NULL;
}

/* A chain of the guard, which has "guard" or "guard6" for its name, or a link's
 * name after that.
 */
static bool is_guard(const char *name)
{
	return !strncmp(name, RULESET_GUARD, sizeof(RULESET_GUARD) - 1);
}

/* A rule of the guard that asks fib: a kernel without that refuses it. */
static bool needs_fib(const struct ruleset *rs, const struct ruleset_rule *r)
{
	const struct ruleset_statement *s = &rs->statement[r->first];
	unsigned int i;

	for (i = 0; i < r->count; i++)
		if ((s[i].kind & OP_MASK) < OP_DO &&
		    key_of(s[i].kind)->from == FROM_FIB)
			return true;
	return false;
}

/* Has the chain as many of the rules from @r to @end as there are without fib?
 * None of the guard counts anything then: one that somebody has deleted is none
 * that the kernel has refused.
 */
static bool lacks_fib(const struct nft_seen *seen, const struct nft_chain *k,
		      const struct ruleset *rs, unsigned int r,
		      unsigned int end)
{
	uint32_t n = 0, all = end - r;

	if (seen->guards || !is_guard(k->name))
		return false;
	for (; r < end; r++)
		n += !needs_fib(rs, &rs->rule[r]);
	return k->n_rules == n && n < all;
}

/* Mark which of the wanted chains the kernel has as they should be, and which
 * of its own it may keep as chains, with or without their rules. Returns the
 * number of the former.
 */
static unsigned int compare_chains(const struct nft_seen *seen,
				   const struct ruleset *rs,
				   bool good[RULESET_CHAINS],
				   bool keep[NFT_SEEN_CHAINS])
{
	unsigned int i, r = 0, at = 0, count = 0;

	memset(good, 0, sizeof(good[0]) * RULESET_CHAINS);
	memset(keep, 0, sizeof(keep[0]) * NFT_SEEN_CHAINS);
	for (i = 0; i < rs->n_chains; i++) {
		const struct nft_chain *k = find_seen(seen, rs->chain[i].name,
						      &at);
		uint64_t digest = nftmsg_fold_start;
		unsigned int end = r;
		uint32_t n = 0;
		bool bare;

		while (end < rs->n_rules && rs->rule[end].chain == i)
			end++;
		bare = k && lacks_fib(seen, k, rs, r, end);
		for (; r < end; r++) {
			if (bare && needs_fib(rs, &rs->rule[r]))
				continue;
			if (k && n++ < k->n_rules)
				digest = nftmsg_fold(digest,
					      nftmsg_hash(rs, &rs->rule[r]));
		}
		if (!k || !same_chain(k, &rs->chain[i]))
			continue;
		keep[k - seen->chain] = true;
		good[i] = k->policy == NF_ACCEPT && k->n_rules == n &&
			  k->digest == digest;
		count += good[i];
	}
	return count;
}

/* Whether the set is as it should be, whatever it holds. */
static bool same_set(const struct nft_set *is, const struct ruleset_set *want)
{
	const struct set_shape *k = set_shape(want->kind);

	return is->timeout == want->timeout * 1000ULL &&
	       is->flags == k->flags && is->size == k->size &&
	       is->key_type == k->key_type && is->key_len == k->key_len &&
	       is->data_type == k->data_type &&
	       (!k->data_len || is->data_len == k->data_len);
}

static const struct nft_set *find_set(const struct nft_seen *seen,
				      const char *name)
{
	unsigned int i;

	for (i = 0; i < seen->n_sets; i++)
		if (!strcmp(seen->set[i].name, name))
			return &seen->set[i];
	return NULL;
}

static bool good_set(const struct nft_seen *seen,
		     const struct ruleset_set *want)
{
	const struct nft_set *is = find_set(seen, want->name);

	return is && same_set(is, want);
}

/* All that are wanted, and no other of ours. */
static bool good_sets(const struct nft_seen *seen, const struct ruleset *rs)
{
	unsigned int i;

	for (i = 0; i < rs->n_sets; i++)
		if (!good_set(seen, &rs->set[i]))
			return false;
	return seen->n_sets == rs->n_sets;
}

bool nft_intact(const struct nft_seen *seen, const struct ruleset *rs)
{
	bool good[RULESET_CHAINS], keep[NFT_SEEN_CHAINS];

	if (seen->known)
		return true;
	return seen->present && !seen->odd && good_sets(seen, rs) &&
	       seen->n_chains == rs->n_chains &&
	       compare_chains(seen, rs, good, keep) == rs->n_chains;
}

bool nft_filled(const struct nft_seen *seen, const struct ruleset *rs,
		const struct table_state *state)
{
	return !seen->misfilled && table_state_equal(rs, &seen->state, state);
}

/* One load. */
struct load {
	const struct ruleset *rs;
	const struct table_state *state;
	const struct nft_seen *seen;
	struct err *err;
	enum load_how {
		LOAD_CHANGES,
		LOAD_KEEP_CHAINS,	/* those that go stay, empty */
		LOAD_ALL,		/* make the table again */
	} how;
	bool without_fib;		/* leave out the rules that ask it */
	bool no_fib;			/* the kernel has refused one of them */
	bool new_set[RULESET_SETS];	/* make it again */
	bool said;			/* the first refusal */
	bool good[RULESET_CHAINS];
	bool keep[NFT_SEEN_CHAINS];
	/* The last message of the batch before the chains, and about each
	 * chain and rule.
	 */
	unsigned int setup;
	uint16_t chain[RULESET_CHAINS], rule[RULESET_RULES];
};

static int encode_whole(struct nftmsg_out *o)
{
	int code = nftmsg_names(o, NFT_MSG_DELTABLE, 0, NFTA_TABLE_NAME, 0,
				NULL);

	return code ? code : nftmsg_names(o, NFT_MSG_NEWTABLE, NLM_F_CREATE,
					  NFTA_TABLE_NAME, 0, NULL);
}

/* Does it have to be made again, or is it no longer wanted? */
static bool set_goes(const struct load *l, const struct nft_set *is)
{
	unsigned int i;

	for (i = 0; i < l->rs->n_sets; i++)
		if (!strcmp(l->rs->set[i].name, is->name))
			return l->new_set[i];
	return true;
}

/* First all rules that go, then the chains: a rule can hold another chain. */
static int encode_removal(struct nftmsg_out *o, struct load *l)
{
	const struct nft_seen *seen = l->seen;
	unsigned int i, at = 0;
	int code;

	code = nftmsg_names(o, NFT_MSG_NEWTABLE, NLM_F_CREATE,
			    NFTA_TABLE_NAME, 0, NULL);
	if (code || l->how == LOAD_ALL)
		return code ? code : encode_whole(o);
	for (i = 0; i < l->rs->n_chains; i++) {
		const struct nft_chain *k = find_seen(seen,
						      l->rs->chain[i].name,
						      &at);

		if (k && !l->good[i] && k->n_rules)
			code = nftmsg_names(o, NFT_MSG_DELRULE, 0,
					    NFTA_RULE_TABLE, NFTA_RULE_CHAIN,
					    k->name);
		if (code)
			return code;
	}
	for (i = 0; !code && i < seen->n_chains; i++)
		if (!l->keep[i] && seen->chain[i].n_rules)
			code = nftmsg_names(o, NFT_MSG_DELRULE, 0,
					    NFTA_RULE_TABLE, NFTA_RULE_CHAIN,
					    seen->chain[i].name);
	/* A map's elements keep their chains in use. */
	for (i = 0; !code && i < seen->n_sets; i++)
		if (set_flags_filled(seen->set[i].flags))
			code = nftmsg_names(o, NFT_MSG_DELSETELEM, 0,
					    NFTA_SET_ELEM_LIST_TABLE,
					    NFTA_SET_ELEM_LIST_SET,
					    seen->set[i].name);
	for (i = 0; !code && i < seen->n_sets; i++)
		if (set_goes(l, &seen->set[i]))
			code = nftmsg_names(o, NFT_MSG_DELSET, 0,
					    NFTA_SET_TABLE, NFTA_SET_NAME,
					    seen->set[i].name);
	if (l->how == LOAD_KEEP_CHAINS)
		return code;
	for (i = 0; !code && i < seen->n_chains; i++)
		if (!l->keep[i])
			code = nftmsg_names(o, NFT_MSG_DELCHAIN, 0,
					    NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME,
					    seen->chain[i].name);
	return code;
}

static bool uses_new_set(const struct load *l, const struct ruleset_rule *r)
{
	unsigned int i, set;

	for (i = 0; i < r->count; i++) {
		set = l->rs->statement[r->first + i].set;
		if (set && l->new_set[set - 1])
			return true;
	}
	return false;
}

/* Does a link that was there before have another mark now? The map's entries of
 * its hosts then mean another link. A mark that no link has any more counts for
 * nothing in it, and a new link changes nothing.
 */
static bool marks_moved(const struct load *l)
{
	const struct ruleset *rs = l->rs;
	const struct ruleset_rule *r = rs->rule;
	const struct nft_chain *k;
	unsigned int at = 0;

	for (; r < rs->rule + rs->n_rules; r++) {
		if (rs->statement[r->first].kind != SET_META_MARK ||
		    l->good[r->chain])
			continue;
		k = find_seen(l->seen, rs->chain[r->chain].name, &at);
		if (k && k->n_rules)
			return true;
	}
	return false;
}

/* Entries that packets have written become wrong when links get other marks. A
 * set cannot go without the rules that refer to it. Rules of chains that are no
 * longer wanted go with their chain.
 */
static void find_new_sets(struct load *l)
{
	const struct ruleset *rs = l->rs;
	bool moved = l->how != LOAD_ALL && marks_moved(l);
	unsigned int i;

	for (i = 0; i < rs->n_sets; i++)
		l->new_set[i] = l->how == LOAD_ALL ||
				!good_set(l->seen, &rs->set[i]) ||
				(moved && !set_is_filled(rs, i) &&
				 !set_is_named(rs, i));
	for (i = 0; i < rs->n_rules; i++)
		if (uses_new_set(l, &rs->rule[i]))
			l->good[rs->rule[i].chain] = false;
}

static int encode_fill(struct nftmsg_out *o, const struct ruleset *rs,
		       const struct table_state *state)
{
	unsigned int i;
	int code = 0;

	for (i = 0; !code && i < rs->n_sets; i++)
		if (set_is_filled(rs, i))
			code = nftmsg_refill(o, rs, i, state);
	return code;
}

static int encode_table(struct nftmsg_out *o, struct load *l)
{
	const struct ruleset *rs = l->rs;
	unsigned int i;
	int code;

	code = nftmsg_bracket(o, NFNL_MSG_BATCH_BEGIN, &l->seen->generation);
	if (!code)
		code = encode_removal(o, l);
	for (i = 0; !code && i < rs->n_sets; i++)
		if (l->new_set[i])
			code = nftmsg_set(o, rs, i);
	l->setup = o->batch->count - 1;
	for (i = 0; !code && i < rs->n_chains; i++) {
		if (!l->good[i])
			code = nftmsg_chain(o, &rs->chain[i]);
		l->chain[i] = (uint16_t)(o->batch->count - 1);
	}
	for (i = 0; !code && i < rs->n_rules; i++) {
		if (!l->good[rs->rule[i].chain] &&
		    !(l->without_fib && needs_fib(rs, &rs->rule[i])))
			code = nftmsg_rule(o, rs, i);
		l->rule[i] = (uint16_t)(o->batch->count - 1);
	}
	return code ? code : encode_fill(o, rs, l->state);
}

/* Which of the @n objects message @index is about; @n: none of them. */
static unsigned int about(const uint16_t *last, unsigned int n,
			  unsigned int index)
{
	unsigned int i = 0;

	while (i < n && last[i] < index)
		i++;
	return i;
}

/* Parts of nftables that are modules of their own. If one is missing, the
 * kernel says "no such file or directory", which nobody understands.
 */
static const char *module_of(const struct ruleset *rs,
			     const struct ruleset_rule *r)
{
	static const char *const module[] = {
		[FROM_CT] = "nft_ct", [FROM_FIB] = "nft_fib_inet",
		[FROM_HASH] = "nft_hash", [FROM_NUMGEN] = "nft_numgen",
	};
	unsigned int i, kind, from;

	for (i = 0; i < r->count; i++) {
		kind = rs->statement[r->first + i].kind;
		from = key_of(kind)->from;
		if (kind == DO_MASQUERADE)
			return "nft_masq";
		if (kind == DO_REJECT || kind == DO_REJECT_ANY)
			return "nft_reject_inet";
		if (kind == COPY_CT_MARK || kind == DO_ZONE)
			return "nft_ct";
		if ((kind & OP_MASK) != OP_DO && from < COUNT(module) &&
		    module[from])
			return module[from];
	}
	return "nf_tables";
}

/* Advice for the user. */
static const char *missing(char text[MODULE_TEXT], int code,
			   const char *module)
{
	if (code == -ENOENT || code == -EOPNOTSUPP || code == -EAFNOSUPPORT ||
	    code == -EPROTONOSUPPORT)
		snprintf(text, MODULE_TEXT, "; is kernel module %s missing?",
			 module);
	else
		snprintf(text, MODULE_TEXT, "%s", err_advice(code));
	return text;
}

static int refused_rule(struct load *l, const struct ruleset_rule *r,
			const struct nl_refusal *no)
{
	char module[MODULE_TEXT], text[RULE_TEXT];

	ruleset_print_rule(l->rs, r, text, sizeof(text));
	return err_set(l->err, no->code, "nftables refuses rule %u of chain "
		       "%s: %s%s (%s)", r->number,
		       l->rs->chain[r->chain].name, no->why,
		       missing(module, no->code, module_of(l->rs, r)), text);
}

static int refused_chain(struct load *l, const struct ruleset_chain *c,
			 const struct nl_refusal *no)
{
	char module[MODULE_TEXT];

	return err_set(l->err, no->code, "nftables refuses chain %s: %s%s",
		       c->name, no->why,
		       missing(module, no->code, c->type == TYPE_NAT ?
			       "nft_chain_nat" : "nf_tables"));
}

/* The first refusal is the cause; what comes after it is its consequence. */
static int refused(const struct nl_refusal *no, void *data)
{
	struct load *l = data;
	const struct ruleset *rs = l->rs;
	char module[MODULE_TEXT];
	unsigned int i;

	if (l->said)
		return no->code;
	l->said = true;
	if (no->code == -ERESTART)
		return err_set(l->err, no->code, "nftables changed while its "
			       "rules were being loaded: try again");
	if (no->index > l->setup) {
		i = about(l->chain, rs->n_chains, no->index);
		if (i < rs->n_chains)
			return refused_chain(l, &rs->chain[i], no);
		i = about(l->rule, rs->n_rules, no->index);
		l->no_fib = i < rs->n_rules && no->code == -ENOENT &&
			    needs_fib(rs, &rs->rule[i]);
		if (i < rs->n_rules)
			return refused_rule(l, &rs->rule[i], no);
	}
	return err_set(l->err, no->code, "nftables refuses to set up table "
		       "inet %s: %s%s", RULESET_TABLE, no->why,
		       missing(module, no->code, "nf_tables"));
}

/* A transaction is one sendmsg(2), and its errors come all at once. FORCE
 * passes the limits of /proc/sys/net/core and takes CAP_NET_ADMIN, as nftables
 * does anyway. When it fails the kernel will say what is wrong.
 */
static void make_room(struct nl *nl)
{
	const int fd = mnl_socket_get_fd(nl->sock);
	const int out = 2 * BATCH_SIZE, in = ANSWERS_SIZE;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &out, sizeof(out)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &out, sizeof(out));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &in, sizeof(in)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &in, sizeof(in));
}

static int send_load(struct nl *nl, struct load *l)
{
	struct nl_batch batch;
	struct nftmsg_out o = { .nl = nl, .batch = &batch };
	struct nlmsghdr *last;
	int code;

	l->said = false;
	if (l->how != LOAD_ALL)
		compare_chains(l->seen, l->rs, l->good, l->keep);
	find_new_sets(l);
	nl_batch_init(&batch, nl, batch_buf, sizeof(batch_buf));
	code = encode_table(&o, l);
	last = batch.last;
	if (!code)
		code = nftmsg_bracket(&o, NFNL_MSG_BATCH_END, NULL);
	if (code)
		return err_set(l->err, code, "the nftables rules for the links "
			       "do not fit %d bytes: shorten the lists of the "
			       "policies in mwan.ini", BATCH_SIZE);
	return nl_send(nl, &batch, last, refused, NULL, l, l->err);
}

static int load_once(struct nl *nl, const struct ruleset *rs,
		     const struct table_state *state,
		     const struct nft_seen *seen, enum load_how how,
		     struct err *err)
{
	struct load l = { .rs = rs, .state = state, .seen = seen, .how = how,
			  .err = err };
	int code = send_load(nl, &l);

	if (!code || !l.no_fib)
		return code;
	l.without_fib = true;
	return send_load(nl, &l);
}

/* The same after what we have just done ourselves. @busy: others commit all the
 * time. The batch is then tied to no generation: somebody else's change to our
 * table, between this reading and the load, is for the next run to find. A table
 * that cannot be read while others commit is made again.
 */
static int load_again(struct nl *nl, const struct ruleset *rs,
		      const struct table_state *state, enum load_how how,
		      bool busy, struct err *err)
{
	static struct nft_seen now;
	int code = nft_read(nl, &now, rs, NULL, err);

	if (busy && code == -EINTR) {
		how = LOAD_ALL;
		code = 0;
	}
	if (busy)
		now.generation = 0;
	return code ? code : load_once(nl, rs, state, &now, how, err);
}

int nft_load(struct nl *nl, const struct ruleset *rs,
	     const struct table_state *state, const struct nft_seen *seen,
	     struct err *err)
{
	enum load_how how = LOAD_CHANGES;
	struct err why = { "" };
	int code;

	make_room(nl);
	if (seen->odd)
		how = LOAD_ALL;
	code = load_once(nl, rs, state, seen, how, &why);
	if (code == -ERESTART)
		code = load_again(nl, rs, state, how, true, &why);
	/* Something holds a chain that has to go. Before Linux 6.4 this is also
	 * true of our own map that the same transaction deletes: so a second
	 * transaction deletes the chains, and the map of the hosts' links can
	 * stay.
	 */
	if (code == -EBUSY && seen->present && !seen->odd) {
		code = load_once(nl, rs, state, seen, LOAD_KEEP_CHAINS, &why);
		if (!code)
			code = load_again(nl, rs, state, LOAD_CHANGES, false,
					  &why);
		/* Or it is a map that somebody has added. */
		if (code == -EBUSY)
			code = load_again(nl, rs, state, LOAD_ALL, false, &why);
	}
	return code ? err_set(err, code, "%s", why.msg) : 0;
}

static int refused_fill(const struct nl_refusal *no, void *data)
{
	if (no->code == -ERESTART)
		return err_set(data, no->code, "nftables changed while its "
			       "sets were being filled: try again");
	return err_set(data, no->code, "nftables refuses what the sets of table "
		       "inet %s are to hold: %s%s", RULESET_TABLE, no->why,
		       err_advice(no->code));
}

static int fill_once(struct nl *nl, const struct ruleset *rs,
		     const struct table_state *state, uint32_t generation,
		     struct err *err)
{
	struct nl_batch batch;
	struct nftmsg_out o = { .nl = nl, .batch = &batch };
	struct nlmsghdr *last;
	int code;

	nl_batch_init(&batch, nl, batch_buf, sizeof(batch_buf));
	code = nftmsg_bracket(&o, NFNL_MSG_BATCH_BEGIN, &generation);
	if (!code)
		code = encode_fill(&o, rs, state);
	last = batch.last;
	if (!code)
		code = nftmsg_bracket(&o, NFNL_MSG_BATCH_END, NULL);
	if (code)
		return err_set(err, code, "what the links' sets are to hold "
			       "does not fit %d bytes", BATCH_SIZE);
	return nl_send(nl, &batch, last, refused_fill, NULL, err, err);
}

int nft_fill(struct nl *nl, const struct ruleset *rs,
	     const struct table_state *state, const struct nft_seen *seen,
	     struct err *err)
{
	int code;

	make_room(nl);
	code = fill_once(nl, rs, state, seen->generation, err);
	/* Others commit all the time. The wanted contents of the sets do not
	 * depend on that.
	 */
	return code == -ERESTART ? fill_once(nl, rs, state, 0, err) : code;
}

static int refused_delete(const struct nl_refusal *no, void *data)
{
	if (no->code == -ENOENT)
		return 0;
	return err_set(data, no->code, "nftables refuses to delete table inet "
		       "%s: %s%s", RULESET_TABLE, no->why,
		       err_advice(no->code));
}

int nft_delete(struct nl *nl, struct err *err)
{
	char buf[4 * NL_ROOM] __attribute__((aligned(8)));
	struct nl_batch batch;
	struct nftmsg_out o = { .nl = nl, .batch = &batch };
	struct nlmsghdr *last;

	nl_batch_init(&batch, nl, buf, sizeof(buf));
	nftmsg_bracket(&o, NFNL_MSG_BATCH_BEGIN, NULL);
	nftmsg_names(&o, NFT_MSG_DELTABLE, 0, NFTA_TABLE_NAME, 0, NULL);
	last = batch.last;
	nftmsg_bracket(&o, NFNL_MSG_BATCH_END, NULL);
	return nl_send(nl, &batch, last, refused_delete, NULL, err, err);
}

/* Reading. */

struct reader {
	struct nft_seen *seen;
	struct err *err;
	unsigned int at;	/* the chain of the last rule */
	bool changed;		/* between two of our requests */
	const struct ruleset *rs;
	unsigned int set;	/* the one whose elements are read */
	unsigned int n_elements;
	struct ruleset_element *element;	/* ELEMENTS_MAX of them */
};

/* A range is two of them, and nft has one more before the first. */
enum { ELEMENTS_MAX = 2 * SET_CONTENT_MAX + 1 };

static bool ours(const struct nlmsghdr *nlh, unsigned int op,
		 const struct nlattr *table)
{
	const struct nfgenmsg *head = mnl_nlmsg_get_payload(nlh);

	return nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | op) &&
	       head->nfgen_family == NFPROTO_INET &&
	       !strcmp(nl_str(table), RULESET_TABLE);
}

/* The header of every object has the generation's low 16 bits. */
static void check_generation(struct reader *r, const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *head = mnl_nlmsg_get_payload(nlh);

	if (ntohs(head->res_id) != (r->seen->generation & 0xffff))
		r->changed = true;
}

static uint64_t be64(const struct nlattr *a)
{
	uint64_t value = 0;

	if (a && mnl_attr_get_payload_len(a) == sizeof(value))
		memcpy(&value, mnl_attr_get_payload(a), sizeof(value));
	return be64toh(value);
}

/* Is it the name of a set that we make, now or before? A set that no policy
 * names any more stays, with what others have put into it.
 */
static bool our_set(const struct reader *r, const char *name)
{
	unsigned int i;

	for (i = 0; r->rs && i < r->rs->n_sets; i++)
		if (!strcmp(r->rs->set[i].name, name))
			return true;
	for (i = 0; i < SET_KINDS; i++) {
		const struct set_shape *k = set_shape(i);

		if (k->of_link ? !strncmp(name, k->name, strlen(k->name)) :
		    !strcmp(name, k->name))
			return true;
	}
	return false;
}

static int read_set(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NFTA_SET_MAX + 1];
	const struct nlattr *desc[NFTA_SET_DESC_SIZE + 1] = { NULL };
	struct reader *r = data;
	struct nft_set *k;
	const char *name;

	if (nl_attrs(nlh, sizeof(struct nfgenmsg), tb, NFTA_SET_MAX))
		return -EBADMSG;
	if (!ours(nlh, NFT_MSG_NEWSET, tb[NFTA_SET_TABLE]))
		return 0;
	check_generation(r, nlh);
	name = nl_str(tb[NFTA_SET_NAME]);
	if (nl_be32(tb[NFTA_SET_FLAGS]) & NFT_SET_ANONYMOUS ||
	    !our_set(r, name))
		return 0;
	if (r->seen->n_sets == NFT_SEEN_SETS ||
	    strlen(name) >= sizeof(k->name)) {
		r->seen->odd = true;
		return 0;
	}
	if (tb[NFTA_SET_DESC] &&
	    nl_nested(tb[NFTA_SET_DESC], desc, NFTA_SET_DESC_SIZE))
		return -EBADMSG;
	k = &r->seen->set[r->seen->n_sets++];
	memcpy(k->name, name, strlen(name) + 1);
	k->flags = nl_be32(tb[NFTA_SET_FLAGS]);
	k->key_type = nl_be32(tb[NFTA_SET_KEY_TYPE]);
	k->key_len = nl_be32(tb[NFTA_SET_KEY_LEN]);
	k->data_type = nl_be32(tb[NFTA_SET_DATA_TYPE]);
	k->data_len = nl_be32(tb[NFTA_SET_DATA_LEN]);
	k->size = nl_be32(desc[NFTA_SET_DESC_SIZE]);
	k->timeout = be64(tb[NFTA_SET_TIMEOUT]);
	return 0;
}

/* The chain of a verdict; RULESET_NONE: none that is wanted, or no verdict. */
static uint16_t chain_of(const struct reader *r, const struct nlattr *data)
{
	const struct nlattr *verdict[NFTA_VERDICT_CHAIN + 1];
	const char *name;
	unsigned int i;

	if (!data || nl_nested(data, verdict, NFTA_VERDICT_CHAIN) ||
	    nl_be32(verdict[NFTA_VERDICT_CODE]) != (uint32_t)NFT_GOTO)
		return RULESET_NONE;
	name = nl_str(verdict[NFTA_VERDICT_CHAIN]);
	for (i = 0; i < r->rs->n_chains; i++)
		if (!strcmp(r->rs->chain[i].name, name))
			return (uint16_t)i;
	return RULESET_NONE;
}

/* The bytes of a key or value, when there are @len of them; else NULL. */
static const void *bytes_of(const struct nlattr *a, size_t len)
{
	return a && mnl_attr_get_payload_len(a) == len ?
	       mnl_attr_get_payload(a) : NULL;
}

/* One element of a set that links fill; the end of a range has 1 as last.hi. An
 * element that does not look like ours marks the set as odd, and it is filled
 * again.
 */
static int read_element(struct reader *r, const struct nlattr *elem)
{
	const struct set_shape *k = set_shape(r->rs->set[r->set].kind);
	const struct nlattr *one[NFTA_SET_ELEM_FLAGS + 1];
	const struct nlattr *key[NFTA_DATA_VALUE + 1];
	const struct nlattr *data[NFTA_DATA_VERDICT + 1] = { NULL };
	struct ruleset_element *e = &r->element[r->n_elements];
	const void *bytes, *number;

	if (nl_nested(elem, one, NFTA_SET_ELEM_FLAGS) ||
	    !one[NFTA_SET_ELEM_KEY] ||
	    nl_nested(one[NFTA_SET_ELEM_KEY], key, NFTA_DATA_VALUE) ||
	    (one[NFTA_SET_ELEM_DATA] &&
	     nl_nested(one[NFTA_SET_ELEM_DATA], data, NFTA_DATA_VERDICT)))
		return -EBADMSG;
	bytes = bytes_of(key[NFTA_DATA_VALUE], k->key_len);
	number = bytes_of(data[NFTA_DATA_VALUE], k->data_len);
	if (r->n_elements == ELEMENTS_MAX || !bytes ||
	    (k->headers && !number)) {
		r->seen->misfilled = true;
		return 0;
	}
	memset(e, 0, sizeof(*e));
	if (k->headers) {
		memcpy(e->name, bytes, IFNAMSIZ);
		e->last = wide_get(number, k->data_len);
	} else {
		e->key = wide_get(bytes, k->key_len);
		e->last.hi = nl_be32(one[NFTA_SET_ELEM_FLAGS]) &
			     NFT_SET_ELEM_INTERVAL_END;
		e->chain = chain_of(r, data[NFTA_DATA_VERDICT]);
	}
	r->n_elements++;
	return 0;
}

static int read_elements(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NFTA_SET_ELEM_LIST_ELEMENTS + 1], *elem;
	struct reader *r = data;
	const char *end;
	int code = 0;

	if (nl_attrs(nlh, sizeof(struct nfgenmsg), tb,
		     NFTA_SET_ELEM_LIST_ELEMENTS))
		return -EBADMSG;
	if (!ours(nlh, NFT_MSG_NEWSETELEM, tb[NFTA_SET_ELEM_LIST_TABLE]) ||
	    !tb[NFTA_SET_ELEM_LIST_ELEMENTS])
		return 0;
	check_generation(r, nlh);
	elem = mnl_attr_get_payload(tb[NFTA_SET_ELEM_LIST_ELEMENTS]);
	end = (const char *)elem +
	      mnl_attr_get_payload_len(tb[NFTA_SET_ELEM_LIST_ELEMENTS]);
	for (; !code && mnl_attr_ok(elem, (int)(end - (const char *)elem));
	     elem = mnl_attr_next(elem))
		code = read_element(r, elem);
	return code;
}

static int read_table(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NFTA_TABLE_MAX + 1];
	struct reader *r = data;

	if (nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN)) {
		const struct nlattr *gen[NFTA_GEN_ID + 1];

		if (nl_attrs(nlh, sizeof(struct nfgenmsg), gen, NFTA_GEN_ID))
			return -EBADMSG;
		r->seen->generation = nl_be32(gen[NFTA_GEN_ID]);
		return 0;
	}
	if (nl_attrs(nlh, sizeof(struct nfgenmsg), tb, NFTA_TABLE_MAX))
		return -EBADMSG;
	if (!ours(nlh, NFT_MSG_NEWTABLE, tb[NFTA_TABLE_NAME]))
		return 0;
	r->seen->present = true;
	r->seen->handle = be64(tb[NFTA_TABLE_HANDLE]);
	if (nl_be32(tb[NFTA_TABLE_FLAGS]))
		r->seen->odd = true;
	check_generation(r, nlh);
	return 0;
}

static int read_chain(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NFTA_CHAIN_MAX + 1];
	const struct nlattr *hook[NFTA_HOOK_PRIORITY + 1];
	struct reader *r = data;
	struct nft_seen *seen = r->seen;
	struct nft_chain *k;
	const char *name;

	if (nl_attrs(nlh, sizeof(struct nfgenmsg), tb, NFTA_CHAIN_MAX))
		return -EBADMSG;
	if (!ours(nlh, NFT_MSG_NEWCHAIN, tb[NFTA_CHAIN_TABLE]))
		return 0;
	check_generation(r, nlh);
	name = nl_str(tb[NFTA_CHAIN_NAME]);
	if (seen->n_chains == NFT_SEEN_CHAINS ||
	    strlen(name) >= sizeof(k->name)) {
		seen->odd = true;
		return 0;
	}
	k = &seen->chain[seen->n_chains++];
	*k = (struct nft_chain){ .hook = HOOK_NONE, .policy = NF_ACCEPT,
				 .digest = nftmsg_fold_start };
	memcpy(k->name, name, strlen(name) + 1);
	seen->masquerades = seen->masquerades || !strcmp(name, RULESET_NAT);
	if (!tb[NFTA_CHAIN_HOOK])
		return 0;
	if (nl_nested(tb[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_PRIORITY))
		return -EBADMSG;
	k->hook = (uint8_t)nl_be32(hook[NFTA_HOOK_HOOKNUM]);
	k->priority = (int32_t)nl_be32(hook[NFTA_HOOK_PRIORITY]);
	k->policy = (uint8_t)nl_be32(tb[NFTA_CHAIN_POLICY]);
	snprintf(k->type, sizeof(k->type), "%s", nl_str(tb[NFTA_CHAIN_TYPE]));
	return 0;
}

/* The hash that we gave the rule; 0 for a rule that is not ours. */
static uint64_t rule_hash(const struct nlattr *udata)
{
	const uint8_t *p = udata ? mnl_attr_get_payload(udata) : NULL;
	uint64_t hash = 0;

	if (p && mnl_attr_get_payload_len(udata) == UDATA_LEN &&
	    p[0] == UDATA_HASH && p[1] == sizeof(hash))
		memcpy(&hash, p + 2, sizeof(hash));
	return hash;
}

/* The number of packets that the guard has stopped: the sum of its counters. */
static void read_guard(struct nft_seen *seen, const struct nlattr *list)
{
	const struct nlattr *expr[NFTA_EXPR_MAX + 1];
	const struct nlattr *count[NFTA_COUNTER_MAX + 1];
	const struct nlattr *elem = mnl_attr_get_payload(list);
	const char *end = (const char *)elem + mnl_attr_get_payload_len(list);

	for (; mnl_attr_ok(elem, (int)(end - (const char *)elem));
	     elem = mnl_attr_next(elem)) {
		if (nl_nested(elem, expr, NFTA_EXPR_MAX) ||
		    strcmp(nl_str(expr[NFTA_EXPR_NAME]), "counter") != 0 ||
		    !expr[NFTA_EXPR_DATA] ||
		    nl_nested(expr[NFTA_EXPR_DATA], count, NFTA_COUNTER_MAX))
			continue;
		seen->guards = true;
		seen->stopped += nl_be64(count[NFTA_COUNTER_PACKETS]);
	}
}

static int read_rule(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NFTA_RULE_MAX + 1];
	struct reader *r = data;
	struct nft_seen *seen = r->seen;
	const char *name;
	unsigned int i;

	if (nl_attrs(nlh, sizeof(struct nfgenmsg), tb, NFTA_RULE_MAX))
		return -EBADMSG;
	if (!ours(nlh, NFT_MSG_NEWRULE, tb[NFTA_RULE_TABLE]))
		return 0;
	check_generation(r, nlh);
	name = nl_str(tb[NFTA_RULE_CHAIN]);
	for (i = 0; i < seen->n_chains; i++, r->at++) {
		struct nft_chain *k;

		if (r->at >= seen->n_chains)
			r->at = 0;
		k = &seen->chain[r->at];
		if (strcmp(k->name, name) != 0)
			continue;
		k->n_rules++;
		k->digest = nftmsg_fold(k->digest,
				 rule_hash(tb[NFTA_RULE_USERDATA]));
		if (tb[NFTA_RULE_EXPRESSIONS] && is_guard(name))
			read_guard(seen, tb[NFTA_RULE_EXPRESSIONS]);
		return 0;
	}
	return 0;
}

static int refused_read(const struct nl_refusal *no, void *data)
{
	struct reader *r = data;
	char module[MODULE_TEXT];

	/* The table does not exist. */
	if (no->index && no->code == -ENOENT)
		return 0;
	/* nfnetlink's answer for a subsystem that it does not have. */
	return err_set(r->err, no->code, "the kernel says: %s%s", no->why,
		       missing(module, no->code == -EINVAL ?
					-EOPNOTSUPP : no->code, "nf_tables"));
}

static int dump(struct nl *nl, struct reader *r, unsigned int op,
		nl_reply_cb reply, uint16_t table_attr, uint16_t name_attr,
		const char *name)
{
	char buf[2 * NL_ROOM] __attribute__((aligned(8)));
	struct nl_batch batch;
	struct nftmsg_out o = { .nl = nl, .batch = &batch };

	nl_batch_init(&batch, nl, buf, sizeof(buf));
	/* NFTA_RULE_TABLE makes the kernel leave other tables' rules out; of
	 * chains it dumps the whole family.
	 */
	nftmsg_names(&o, op, 0, table_attr, name_attr, name);
	return nl_dump(nl, &batch, reply, r, r->err);
}

static int by_name(const struct reader *r, const char *name)
{
	unsigned int i;

	for (i = 0; i < r->rs->n_links; i++)
		if (!strncmp(r->rs->link[i].name, name, IFNAMSIZ))
			return (int)i;
	return -1;
}

static int by_key(const void *a, const void *b)
{
	const struct ruleset_element *x = a, *y = b;
	int order = strncmp(x->name, y->name, IFNAMSIZ);

	if (!order)
		order = wide_compare(x->key, y->key);
	/* An end sorts before a beginning at the same place. */
	return order ? order : (y->last.hi > x->last.hi) -
			       (y->last.hi < x->last.hi);
}

/* The beginnings and ends of ranges become ranges. */
static void join_ranges(struct reader *r)
{
	struct ruleset_element *e = r->element;
	const struct wide none = wide_not(wide(0));
	unsigned int i, n = 0, count = r->n_elements;
	struct wide next;

	for (i = 0; i < count; i++) {
		if (e[i].last.hi)
			continue;
		e[n] = e[i];
		/* The number before that one. */
		next = i + 1 < count ? e[i + 1].key : wide(0);
		e[n].last = i + 1 < count ? next : none;
		if (i + 1 < count) {
			e[n].last.lo--;
			e[n].last.hi -= !next.lo;
		}
		n++;
	}
	r->n_elements = n;
}

/* What the sets say of one link. */
static void take_own(struct reader *r, struct prefixes *own)
{
	const struct ruleset_element *e = r->element;
	struct prefix p = { { .family = AF_INET6 }, 0 };
	unsigned int i;
	int len;

	own->n = 0;
	for (i = 0; i < r->n_elements; i++, e++) {
		len = wide_prefix(e->key, e->last, 8 * WIDE_BYTES);
		if (len < 0 || own->n == PREFIXES_MAX) {
			r->seen->misfilled = true;
			return;
		}
		/* All there is: nothing is known. */
		if (!len)
			return;
		wide_put(e->key, p.addr.bytes, WIDE_BYTES);
		p.len = (uint8_t)len;
		own->item[own->n++] = p;
	}
	/* Nothing is its own: not what we would say. */
	r->seen->misfilled |= !own->n;
}

/* A prefix that no link has is an earlier one. */
static void take_known(struct reader *r)
{
	const struct ruleset_element *e = r->element;
	struct table_state *s = &r->seen->state;
	struct prefix p = { { .family = AF_INET6 }, 0 };
	unsigned int i;
	int len;

	for (i = 0; i < r->n_elements; i++, e++) {
		len = wide_prefix(e->key, e->last, 8 * WIDE_BYTES);
		if (len < 0 || s->n_past == PAST6_MAX)
			return;
		wide_put(e->key, p.addr.bytes, WIDE_BYTES);
		p.len = (uint8_t)len;
		if (!table_state_has6(r->rs, s, &p))
			s->past6[s->n_past++] = p;
	}
}

static void take_sizes(struct reader *r, const struct set_shape *k)
{
	unsigned int i;
	int link;

	for (i = 0; i < r->n_elements; i++) {
		link = by_name(r, r->element[i].name);
		if (link >= 0)
			r->seen->state.link[link].mtu = (uint32_t)
				r->element[i].last.lo + k->headers;
	}
}

/* Is it what follows from what the links have? */
static bool as_expected(struct reader *r)
{
	static struct ruleset_element want[SET_CONTENT_MAX];
	const struct ruleset_element *is = r->element;
	unsigned int i, n = set_content(r->rs, r->set, &r->seen->state, want);
	bool addresses = !set_shape(r->rs->set[r->set].kind)->headers;

	if (n != r->n_elements)
		return false;
	qsort(want, n, sizeof(*want), by_key);
	for (i = 0; i < n; i++, is++)
		if (strncmp(is->name, want[i].name, IFNAMSIZ) != 0 ||
		    !wide_equal(is->key, want[i].key) ||
		    !wide_equal(is->last, want[i].last) ||
		    (addresses && is->chain != want[i].chain))
			return false;
	return true;
}

/* Read what the elements say of the links; the set that comes first decides. */
static void take_content(struct reader *r)
{
	const struct ruleset_set *set = &r->rs->set[r->set];
	const struct set_shape *k = set_shape(set->kind);

	qsort(r->element, r->n_elements, sizeof(r->element[0]), by_key);
	if (k->flags & NFT_SET_INTERVAL)
		join_ranges(r);
	if (set->kind == SET_MSS)
		take_sizes(r, k);
	if (set->kind == SET_OWN6)
		take_own(r, &r->seen->state.link[set->link].own6);
	if (set->kind == SET_KNOWN6)
		take_known(r);
	if (!as_expected(r))
		r->seen->misfilled = true;
}

static int read_one(struct nl *nl, struct reader *r, unsigned int set)
{
	int code;

	/* One that goes says nothing. */
	if (!set_is_filled(r->rs, set) ||
	    !good_set(r->seen, &r->rs->set[set]))
		return 0;
	r->set = set;
	r->n_elements = 0;
	code = dump(nl, r, NFT_MSG_GETSETELEM, read_elements,
		    NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET,
		    r->rs->set[set].name);
	if (!code)
		take_content(r);
	return code;
}

/* Does it follow from what other sets say of the links? */
static bool follows(unsigned int kind)
{
	return kind == SET_NATIVE6 || kind == SET_KNOWN6;
}

/* Which link a host belongs to follows from what the links have: that comes
 * last.
 */
static int read_content(struct nl *nl, struct reader *r)
{
	const struct ruleset *rs = r->rs;
	unsigned int i;
	int code = 0;

	for (i = 0; i < rs->n_links; i++) {
		r->seen->state.link[i].mtu = 0;
		r->seen->state.link[i].own6.n = 0;
	}
	r->seen->state.n_past = 0;
	for (i = 0; i < rs->n_sets && !code; i++)
		if (!follows(rs->set[i].kind))
			code = read_one(nl, r, i);
	for (i = 0; i < rs->n_sets && !code; i++)
		if (follows(rs->set[i].kind))
			code = read_one(nl, r, i);
	return code;
}

/* Doubt means no: it costs a reading. */
static bool is_known(const struct reader *r, const struct verified *known)
{
	const struct nft_seen *seen = r->seen;

	return known && known->generation && !r->changed && !seen->odd &&
	       known->generation == seen->generation &&
	       known->table == seen->handle;
}

/* The sets still hold what was verified. */
static void recall_content(struct reader *r, const struct verified *known)
{
	memcpy(r->seen->state.link, known->state.link,
	       known->n_links * sizeof(known->state.link[0]));
	r->seen->state.n_past = known->state.n_past;
	memcpy(r->seen->state.past6, known->state.past6,
	       known->state.n_past * sizeof(known->state.past6[0]));
}

static int read_rules(struct nl *nl, struct reader *r)
{
	return dump(nl, r, NFT_MSG_GETRULE, read_rule, NFTA_RULE_TABLE, 0,
		    NULL);
}

/* All that is in the table. A part that changes meanwhile is no reason to leave
 * the next one out.
 */
static int read_parts(struct nl *nl, struct reader *r)
{
	int code = dump(nl, r, NFT_MSG_GETSET, read_set, NFTA_SET_TABLE, 0,
			NULL), next;

	if ((!code || code == -EINTR) && r->rs) {
		next = read_content(nl, r);
		code = next ? next : code;
	}
	if (!code || code == -EINTR) {
		next = dump(nl, r, NFT_MSG_GETCHAIN, read_chain,
			    NFTA_CHAIN_TABLE, 0, NULL);
		code = next ? next : code;
	}
	if (!code || code == -EINTR) {
		next = read_rules(nl, r);
		code = next ? next : code;
	}
	return code;
}

int nft_read(struct nl *nl, struct nft_seen *seen, const struct ruleset *rs,
	     const struct verified *known, struct err *err)
{
	char buf[4 * NL_ROOM] __attribute__((aligned(8)));
	static struct ruleset_element element[ELEMENTS_MAX];
	struct reader r = { .seen = seen, .err = err, .rs = rs,
			    .element = element };
	struct nl_batch batch;
	struct nftmsg_out o = { .nl = nl, .batch = &batch };
	int code;

	seen->present = seen->masquerades = seen->odd = false;
	seen->guards = seen->steady = seen->known = false;
	seen->stopped = seen->handle = 0;
	seen->misfilled = false;
	seen->n_sets = 0;
	seen->generation = 0;
	seen->n_chains = 0;
	nl_batch_init(&batch, nl, buf, sizeof(buf));
	nftmsg_names(&o, NFT_MSG_GETGEN, 0, 0, 0, NULL);
	nftmsg_names(&o, NFT_MSG_GETTABLE, 0, NFTA_TABLE_NAME, 0, NULL);
	code = nl_send(nl, &batch, NULL, refused_read, read_table, &r, err);
	if (!code && !seen->present)
		return 0;
	seen->known = !code && is_known(&r, known);
	if (seen->known)
		recall_content(&r, known);
	if (seen->known)
		return 0;
	if (!code)
		code = read_parts(nl, &r);
	if (!code && r.changed)
		code = err_set(err, -EINTR, "nftables changed while it was "
			       "read: try again");
	seen->steady = !code;
	return err_prefix(err, code, "cannot read the nftables rules");
}

/* The first element of the answer's list, and its data's value. */
static int on_sticky(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NFTA_SET_ELEM_LIST_MAX + 1];
	const struct nlattr *list[NFTA_LIST_ELEM + 1];
	const struct nlattr *one[NFTA_SET_ELEM_DATA + 1];
	const struct nlattr *value[NFTA_DATA_VALUE + 1];
	uint32_t *mark = data;

	if (nl_attrs(nlh, sizeof(struct nfgenmsg), tb,
		     NFTA_SET_ELEM_LIST_MAX) ||
	    !tb[NFTA_SET_ELEM_LIST_ELEMENTS] ||
	    nl_nested(tb[NFTA_SET_ELEM_LIST_ELEMENTS], list, NFTA_LIST_ELEM) ||
	    !list[NFTA_LIST_ELEM] ||
	    nl_nested(list[NFTA_LIST_ELEM], one, NFTA_SET_ELEM_DATA) ||
	    !one[NFTA_SET_ELEM_DATA] ||
	    nl_nested(one[NFTA_SET_ELEM_DATA], value, NFTA_DATA_VALUE))
		return -EBADMSG;
	*mark = nl_u32(value[NFTA_DATA_VALUE]);
	return 0;
}

static int no_element(const struct nl_refusal *no, void *data)
{
	(void)data;
	return no->code == -ENOENT ? 0 : no->code;
}

static int ask_element(struct nl *nl, const char *set, const void *key,
		       size_t len, nl_reply_cb cb, void *data, struct err *err)
{
	char buf[2 * NL_ROOM] __attribute__((aligned(8)));
	struct nl_batch batch;
	struct nftmsg_out o = { .nl = nl, .batch = &batch };
	int code;

	nl_batch_init(&batch, nl, buf, sizeof(buf));
	nftmsg_get(&o, set, key, len);
	code = nl_send(nl, &batch, NULL, no_element, cb, data, err);
	return code ? err_set(err, code, "cannot read the set %s of nftables: "
			      "%s%s", set, strerror(-code),
			      err_advice(code)) : 0;
}

int nft_sticky(struct nl *nl, const struct addr *host, uint32_t *mark,
	       struct err *err)
{
	*mark = 0;
	return ask_element(nl, set_shape(host->family == AF_INET6 ?
			   SET_STICKY6 : SET_STICKY)->name, host->bytes, addr_len(host), on_sticky,
			   mark, err);
}

static int on_element(const struct nlmsghdr *nlh, void *data)
{
	bool *has = data;

	(void)nlh;
	*has = true;
	return 0;
}

int nft_moved(struct nl *nl, const struct ct_tuple *t, bool *moved,
	      struct err *err)
{
	/* Each field begins a register of four bytes. */
	struct {
		uint8_t source[WIDE_BYTES], destination[WIDE_BYTES];
		uint16_t sport, no1, dport, no2;
		uint8_t protocol, no3[3];
	} key = {
		.sport = htons(t->source_port),
		.dport = htons(t->destination_port),
		.protocol = t->protocol,
	};

	*moved = false;
	memcpy(key.source, t->source.bytes, sizeof(key.source));
	memcpy(key.destination, t->destination.bytes,
	       sizeof(key.destination));
	return ask_element(nl, set_shape(SET_MOVED)->name, &key, sizeof(key),
			   on_element, moved, err);
}

int nft_named(struct nl *nl, const struct ruleset *rs, unsigned int set,
	      const struct addr *a, bool *has, struct err *err)
{
	*has = false;
	if (set_shape(rs->set[set].kind)->key_len != addr_len(a))
		return 0;
	return ask_element(nl, rs->set[set].name, a->bytes, addr_len(a),
			   on_element, has, err);
}

static void print_content(const struct ruleset *rs,
			  const struct table_state *state, FILE *out)
{
	table_state_print(rs, state, batch_buf, sizeof(batch_buf));
	fputs(batch_buf, out);
}

void nft_print_load(const struct ruleset *rs, const struct table_state *state,
		    FILE *out)
{
	/* Two transactions would leave packets unmarked between them. */
	fputs("nft -f - <<'END'\n"
	      "add table inet " RULESET_TABLE "\n"
	      "delete table inet " RULESET_TABLE "\n", out);
	ruleset_print(rs, batch_buf, sizeof(batch_buf));
	fputs(batch_buf, out);
	print_content(rs, state, out);
	fputs("END\n", out);
}

void nft_print_fill(const struct ruleset *rs, const struct table_state *state,
		    FILE *out)
{
	fputs("nft -f - <<'END'\n", out);
	print_content(rs, state, out);
	fputs("END\n", out);
}

void nft_print_delete(FILE *out)
{
	fputs("nft delete table inet " RULESET_TABLE "\n", out);
}
