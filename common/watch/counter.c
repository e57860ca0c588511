// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "nft/message.h"
#include "watch/counter.h"

#define TABLE "mwan_watch"

enum {
	/* Headers of kernels before 5.12 lack this. */
	TABLE_OWNER = 2,
	SET_OBJECT = 64,
	STATE_ESTABLISHED = 2,	/* NF_CT_STATE_BIT() */
	PRIORITY = -147,	/* after conntrack and after our marks */
	NAME_MAX_LEN = 12,
	STATE_UNTRACKED = 64,	/* NF_CT_STATE_UNTRACKED_BIT */
	/* A counter, or an element of one of the six maps. */
	ROOM = 160,
	BATCH = LINKS_MAX * 6 * 2 * ROOM + 8 * NL_ROOM + 6 * 65536,
};

enum what { SENT, ANSWERS, FRESH };

/* What is counted: the first letter of the counters' names. */
static const struct kind {
	char letter;
	const char *map;
	enum what what;
	enum family family;
} kinds[] = {
	{ 's', "sent", SENT, FAMILY_IPV4 },
	{ 'a', "answers", ANSWERS, FAMILY_IPV4 },
	{ 'f', "fresh", FRESH, FAMILY_IPV4 },
	{ 'S', "sent6", SENT, FAMILY_IPV6 },
	{ 'A', "answers6", ANSWERS, FAMILY_IPV6 },
	{ 'F', "fresh6", FRESH, FAMILY_IPV6 },
};

/* Of each family. */
enum { KINDS = 3 };

/* For nft, which prints the names (libnftnl/udata.h): type 0 is the byte order of
 * the key, and 1 the host's.
 */
static const uint8_t names_order[] = { 0, 4, 1, 0, 0, 0 };

struct making {
	struct nl_batch batch;
	struct nl *nl;
	const struct conf *conf;
	uint32_t flags;
	int code;
};

static char buf[BATCH] __attribute__((aligned(8)));

static struct nlmsghdr *begin(struct making *m, unsigned int op, size_t room)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_INET };
	struct nlmsghdr *nlh;

	if (m->code)
		return NULL;
	nlh = nl_put(&m->batch, m->nl,
		     (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | op), NLM_F_CREATE,
		     &head, sizeof(head), room);
	if (!nlh)
		m->code = -ENOSPC;
	return nlh;
}

static void put_table(struct making *m)
{
	struct nlmsghdr *nlh = begin(m, NFT_MSG_NEWTABLE, NL_ROOM);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, TABLE);
	nftmsg_put32(nlh, NFTA_TABLE_FLAGS, m->flags);
	nl_end(&m->batch, nlh);
}

static const char *counter_name(unsigned int kind, unsigned int link,
				char name[NAME_MAX_LEN])
{
	snprintf(name, NAME_MAX_LEN, "%c%u", kinds[kind].letter, link);
	return name;
}

static void put_counter(struct making *m, unsigned int kind, unsigned int link)
{
	struct nlmsghdr *nlh = begin(m, NFT_MSG_NEWOBJ, NL_ROOM);
	char name[NAME_MAX_LEN];

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, counter_name(kind, link, name));
	nftmsg_put32(nlh, NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
	mnl_attr_nest_end(nlh, mnl_attr_nest_start(nlh, NFTA_OBJ_DATA));
	nl_end(&m->batch, nlh);
}

/* Interfaces by their names, and the counter of each: one look-up for any number
 * of links.
 */
static void put_map(struct making *m, unsigned int kind)
{
	struct nlmsghdr *nlh = begin(m, NFT_MSG_NEWSET, NL_ROOM);

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, kinds[kind].map);
	nftmsg_put32(nlh, NFTA_SET_FLAGS, SET_OBJECT);
	nftmsg_put32(nlh, NFTA_SET_KEY_TYPE, TYPE_IFNAME);
	nftmsg_put32(nlh, NFTA_SET_KEY_LEN, IFNAMSIZ);
	nftmsg_put32(nlh, NFTA_SET_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nftmsg_put32(nlh, NFTA_SET_ID, kind + 1);
	mnl_attr_put(nlh, NFTA_SET_USERDATA, sizeof(names_order), names_order);
	nl_end(&m->batch, nlh);
}

static void put_element(struct nlmsghdr *nlh, const struct conf_link *l,
			const char *counter)
{
	struct nlattr *element = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	struct nlattr *key = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, IFNAMSIZ, l->name);
	mnl_attr_nest_end(nlh, key);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_OBJREF, counter);
	mnl_attr_nest_end(nlh, element);
}

static void put_elements(struct making *m, unsigned int kind)
{
	struct nlmsghdr *nlh = begin(m, NFT_MSG_NEWSETELEM,
				     (size_t)m->conf->n_links * ROOM + NL_ROOM);
	char name[NAME_MAX_LEN];
	struct nlattr *list;
	unsigned int i;

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, kinds[kind].map);
	nftmsg_put32(nlh, NFTA_SET_ELEM_LIST_SET_ID, kind + 1);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (i = 0; i < m->conf->n_links; i++)
		put_element(nlh, &m->conf->link[i],
			    counter_name(kind, i, name));
	mnl_attr_nest_end(nlh, list);
	nl_end(&m->batch, nlh);
}

static void put_chain(struct making *m, const char *name, uint32_t hook)
{
	struct nlmsghdr *nlh = begin(m, NFT_MSG_NEWCHAIN, NL_ROOM);
	struct nlattr *nest;

	if (!nlh)
		return;
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, name);
	nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
	nftmsg_put32(nlh, NFTA_HOOK_HOOKNUM, hook);
	nftmsg_put32(nlh, NFTA_HOOK_PRIORITY, (uint32_t)PRIORITY);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
	nl_end(&m->batch, nlh);
}

static void put_data(struct nlmsghdr *nlh, uint16_t type, uint32_t value)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put_u32(nlh, NFTA_DATA_VALUE, value);
	mnl_attr_nest_end(nlh, nest);
}

/* ct @key & @bit, which must be there or must not. */
static void put_condition(struct nlmsghdr *nlh, uint32_t key, uint32_t bit,
			  bool there)
{
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "ct");

	nftmsg_put32(nlh, NFTA_CT_DREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_CT_KEY, key);
	nftmsg_expr_close(nlh, e);
	e = nftmsg_expr_open(nlh, "bitwise");
	nftmsg_put32(nlh, NFTA_BITWISE_SREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_BITWISE_DREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_BITWISE_LEN, sizeof(bit));
	put_data(nlh, NFTA_BITWISE_MASK, bit);
	put_data(nlh, NFTA_BITWISE_XOR, 0);
	nftmsg_expr_close(nlh, e);
	e = nftmsg_expr_open(nlh, "cmp");
	nftmsg_put32(nlh, NFTA_CMP_SREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_CMP_OP, there ? NFT_CMP_NEQ : NFT_CMP_EQ);
	put_data(nlh, NFTA_CMP_DATA, 0);
	nftmsg_expr_close(nlh, e);
}

/* Packets of one family. */
static void put_family(struct nlmsghdr *nlh, enum family f)
{
	static const uint8_t protocols[FAMILIES] = { NFPROTO_IPV4,
						     NFPROTO_IPV6 };
	struct nftmsg_expr e = nftmsg_expr_open(nlh, "meta");
	struct nlattr *nest;

	nftmsg_put32(nlh, NFTA_META_DREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_META_KEY, NFT_META_NFPROTO);
	nftmsg_expr_close(nlh, e);
	e = nftmsg_expr_open(nlh, "cmp");
	nftmsg_put32(nlh, NFTA_CMP_SREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_CMP_OP, NFT_CMP_EQ);
	nest = mnl_attr_nest_start(nlh, NFTA_CMP_DATA);
	mnl_attr_put(nlh, NFTA_DATA_VALUE, sizeof(protocols[f]), &protocols[f]);
	mnl_attr_nest_end(nlh, nest);
	nftmsg_expr_close(nlh, e);
}

static void put_rule(struct making *m, const char *chain, unsigned int kind)
{
	const enum what what = kinds[kind].what;
	struct nlmsghdr *nlh = begin(m, NFT_MSG_NEWRULE, NL_ROOM);
	struct nlattr *nest;
	struct nftmsg_expr e;

	if (!nlh)
		return;
	nlh->nlmsg_flags |= NLM_F_APPEND;
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, chain);
	nest = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	put_family(nlh, kinds[kind].family);
	/* IPv6's own packets that look for neighbours and routers are not
	 * tracked: nobody waits for an answer that would be counted.
	 */
	if (what == SENT)
		put_condition(nlh, NFT_CT_STATE, STATE_UNTRACKED, false);
	else
		put_condition(nlh, NFT_CT_STATE, STATE_ESTABLISHED, true);
	if (what == FRESH)
		put_condition(nlh, NFT_CT_STATUS, IPS_ASSURED, false);
	e = nftmsg_expr_open(nlh, "meta");
	nftmsg_put32(nlh, NFTA_META_DREG, NFT_REG_1);
	nftmsg_put32(nlh, NFTA_META_KEY, what == SENT ? NFT_META_OIFNAME :
						 NFT_META_IIFNAME);
	nftmsg_expr_close(nlh, e);
	e = nftmsg_expr_open(nlh, "objref");
	nftmsg_put32(nlh, NFTA_OBJREF_SET_SREG, NFT_REG_1);
	mnl_attr_put_strz(nlh, NFTA_OBJREF_SET_NAME, kinds[kind].map);
	nftmsg_put32(nlh, NFTA_OBJREF_SET_ID, kind + 1);
	nftmsg_expr_close(nlh, e);
	mnl_attr_nest_end(nlh, nest);
	nl_end(&m->batch, nlh);
}

static int send_all(struct counter *c, const struct conf *conf, uint32_t flags,
		    struct err *err)
{
	struct making m = { .nl = &c->nl, .conf = conf, .flags = flags };
	struct nftmsg_out o = { .nl = &c->nl, .batch = &m.batch };
	struct nlmsghdr *last;
	unsigned int kind, i;

	nl_batch_init(&m.batch, &c->nl, buf, sizeof(buf));
	m.code = nftmsg_bracket(&o, NFNL_MSG_BATCH_BEGIN, NULL);
	put_table(&m);
	put_chain(&m, "in", NF_INET_PRE_ROUTING);
	put_chain(&m, "out", NF_INET_POST_ROUTING);
	for (kind = 0; kind < KINDS * conf_families(conf); kind++) {
		for (i = 0; i < conf->n_links; i++)
			put_counter(&m, kind, i);
		put_map(&m, kind);
		put_elements(&m, kind);
		put_rule(&m, kinds[kind].what == SENT ? "out" : "in", kind);
	}
	last = m.batch.last;
	if (!m.code)
		m.code = nftmsg_bracket(&o, NFNL_MSG_BATCH_END, NULL);
	if (m.code)
		return err_set(err, m.code, "the counters of %u links do not "
			       "fit", conf->n_links);
	return nl_send(&c->nl, &m.batch, last, NULL, NULL, NULL, err);
}

static int refused_delete(const struct nl_refusal *no, void *data)
{
	return no->code == -ENOENT ? 0 :
	       err_set(data, no->code, "%s", no->why);
}

static int send_delete(struct counter *c, struct err *err)
{
	struct making m = { .nl = &c->nl };
	struct nftmsg_out o = { .nl = &c->nl, .batch = &m.batch };
	struct nlmsghdr *nlh, *last;

	nl_batch_init(&m.batch, &c->nl, buf, sizeof(buf));
	nftmsg_bracket(&o, NFNL_MSG_BATCH_BEGIN, NULL);
	nlh = begin(&m, NFT_MSG_DELTABLE, NL_ROOM);
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, TABLE);
	nl_end(&m.batch, nlh);
	last = m.batch.last;
	nftmsg_bracket(&o, NFNL_MSG_BATCH_END, NULL);
	return nl_send(&c->nl, &m.batch, last, refused_delete, NULL, err, err);
}

int counter_open(struct counter *c, struct err *err)
{
	c->n = 0;
	return nl_open(&c->nl, NETLINK_NETFILTER, err);
}

int counter_make(struct counter *c, const struct conf *conf, struct err *err)
{
	int code = send_delete(c, err);

	c->n = 0;
	memset(c->seen, 0, sizeof(c->seen));
	if (!code)
		code = send_all(c, conf, TABLE_OWNER, err);
	if (code == -EOPNOTSUPP || code == -EINVAL)
		code = send_all(c, conf, 0, err);
	c->n_families = conf_families(conf);
	if (!code)
		c->n = conf->n_links;
	return err_prefix(err, code, "cannot count packets by nftables");
}

/* "a7" and its packets. */
static int read_counter(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NFTA_OBJ_MAX + 1];
	const struct nlattr *in[NFTA_COUNTER_MAX + 1];
	struct counter *c = data;
	struct probe_seen *seen;
	unsigned int kind = 0;
	unsigned long link;
	const char *name;
	uint64_t packets;

	if (nl_attrs(nlh, sizeof(struct nfgenmsg), tb, NFTA_OBJ_MAX) ||
	    !tb[NFTA_OBJ_DATA] ||
	    nl_nested(tb[NFTA_OBJ_DATA], in, NFTA_COUNTER_MAX))
		return 0;
	name = nl_str(tb[NFTA_OBJ_NAME]);
	packets = nl_be64(in[NFTA_COUNTER_PACKETS]);
	link = *name ? strtoul(name + 1, NULL, 10) : c->n;
	while (kind < COUNT(kinds) && kinds[kind].letter != *name)
		kind++;
	if (link >= c->n || kind == COUNT(kinds))
		return 0;
	c->read++;
	seen = &c->seen[kinds[kind].family][link];
	if (kinds[kind].what == SENT)
		seen->sent = packets;
	else if (kinds[kind].what == ANSWERS)
		seen->answers = packets;
	else
		seen->fresh = packets;
	return 0;
}

int counter_read(struct counter *c, struct err *err)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_INET };
	struct nl_ask ask;
	struct nlmsghdr *nlh;
	int code;

	nlh = nl_ask(&ask, &c->nl, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETOBJ,
		     &head, sizeof(head));
	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, TABLE);
	nftmsg_put32(nlh, NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
	c->read = 0;
	code = nl_ask_dump(&ask, read_counter, c, err);
	/* Somebody has changed nftables meanwhile: the numbers hold. */
	if (code == -EINTR)
		return 0;
	if (!code && c->read < KINDS * c->n_families * c->n)
		return -ENOENT;
	return code;
}

void counter_close(struct counter *c)
{
	struct err err;

	if (!c->nl.sock)
		return;
	(void)send_delete(c, &err);
	nl_close(&c->nl);
}

unsigned int counter_port(const struct counter *c)
{
	return c->nl.portid;
}
