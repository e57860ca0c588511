// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/util.h"
#include "kernel/rule.h"

struct dump {
	int protocol;
	rule_cb cb;
	void *data;
};

/* Attributes that our rules are made of; any other makes a rule foreign, and
 * is a condition. The last one is ours for packets of the router itself, and can
 * be told of a foreign one.
 */
static const uint16_t known[] = {
	FRA_SRC, FRA_PRIORITY, FRA_FWMARK, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE,
	FRA_FWMASK, FRA_PROTOCOL, FRA_PAD, FRA_DST,
	FRA_IIFNAME,
};
enum { OURS = 9 };

/* Of the first @n of these, and nothing else? */
static bool made_of(const struct nlattr *const *tb, unsigned int n)
{
	unsigned int i, k;

	for (i = 1; i <= FRA_MAX; i++) {
		if (!tb[i])
			continue;
		/* -1 is "nothing is suppressed", and always sent. */
		if (i == FRA_SUPPRESS_IFGROUP && nl_u32(tb[i]) == UINT32_MAX)
			continue;
		for (k = 0; k < n; k++)
			if (known[k] == i)
				break;
		if (k == n)
			return false;
	}
	return true;
}

/* The bits of @a that count. */
static uint8_t bits(const struct addr *a, uint8_t len)
{
	return len ? len : (uint8_t)(8 * addr_len(a));
}

/* Do all bits of an address count, or is it an IPv6 prefix? */
static bool like_ours(const struct addr *a, uint8_t len)
{
	return len == 8 * addr_len(a) || (a->family == AF_INET6 && len);
}

static int get_addr(const struct nlattr *a, struct addr *addr)
{
	return a ? addr_set(addr, mnl_attr_get_payload(a),
			    mnl_attr_get_payload_len(a)) : 0;
}

static int keep_raw(struct rule_raw *raw, const struct nlmsghdr *nlh)
{
	size_t head = sizeof(struct fib_rule_hdr);
	size_t len = mnl_nlmsg_get_payload_len(nlh) - head;

	if (len > sizeof(raw->attrs))
		return -ENOSPC;
	memcpy(raw->attrs, (const char *)mnl_nlmsg_get_payload(nlh) + head,
	       len);
	raw->len = (uint16_t)len;
	return 0;
}

static int on_rule(const struct nlmsghdr *nlh, void *data)
{
	const struct fib_rule_hdr *frh = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[FRA_MAX + 1];
	const struct dump *d = data;
	struct rule r = { 0 };
	struct rule_raw raw;
	uint32_t suppress;
	bool ours;

	if (nlh->nlmsg_type != RTM_NEWRULE)
		return 0;
	if (nl_attrs(nlh, sizeof(*frh), tb, FRA_MAX))
		return -EBADMSG;
	r.protocol = nl_u8(tb[FRA_PROTOCOL]);
	if (d->protocol != RULE_ANYONES && r.protocol != d->protocol)
		return 0;
	r.priority = nl_u32(tb[FRA_PRIORITY]);
	r.table = tb[FRA_TABLE] ? nl_u32(tb[FRA_TABLE]) : frh->table;
	r.mark = nl_u32(tb[FRA_FWMARK]);
	r.mask = nl_u32(tb[FRA_FWMASK]);
	r.invert = frh->flags & FIB_RULE_INVERT;
	suppress = tb[FRA_SUPPRESS_PREFIXLEN] ?
		   nl_u32(tb[FRA_SUPPRESS_PREFIXLEN]) : UINT32_MAX;
	r.suppress_default = suppress == 0;
	r.family = frh->family;
	r.action = frh->action;
	(void)!str_copy(r.iif, sizeof(r.iif), nl_str(tb[FRA_IIFNAME]));
	ours = made_of(tb, OURS) || (tb[FRA_SRC] && !strcmp(r.iif, "lo") &&
				     made_of(tb, COUNT(known)));
	r.partial = !ours || frh->dst_len || frh->src_len || frh->tos ||
		    suppress != UINT32_MAX;
	r.opaque = !made_of(tb, COUNT(known)) || frh->tos ||
		   (suppress && suppress != UINT32_MAX);
	if (get_addr(tb[FRA_SRC], &r.from) || get_addr(tb[FRA_DST], &r.to))
		return -EBADMSG;
	r.tos = frh->tos;
	r.from_len = frh->src_len;
	r.to_len = frh->dst_len;
	r.own = tb[FRA_UID_RANGE] || tb[FRA_OIFNAME] || !strcmp(r.iif, "lo");
	r.foreign = !ours || frh->action != FR_ACT_TO_TBL ||
		    frh->tos || !like_ours(&r.to, frh->dst_len) ||
		    !like_ours(&r.from, frh->src_len);
	if (r.foreign && !keep_raw(&raw, nlh))
		r.raw = &raw;
	return d->cb(&r, d->data);
}

int rule_dump(struct nl *nl, uint8_t family, int protocol, rule_cb cb,
	      void *data, struct err *err)
{
	struct fib_rule_hdr head = { .family = family };
	struct dump d = { .protocol = protocol, .cb = cb, .data = data };
	struct nl_ask ask;
	int code;

	nl_ask(&ask, nl, RTM_GETRULE, &head, sizeof(head));
	code = nl_ask_dump(&ask, on_rule, &d, err);
	/* rtnetlink's answer to a message type that it does not know. */
	if (code == -EOPNOTSUPP)
		return err_set(err, code, "this kernel has no policy rules: "
			       "one built with CONFIG_IP_MULTIPLE_TABLES is "
			       "needed");
	return err_prefix(err, code, "cannot read the rules");
}

static int put(struct nl_batch *b, struct nl *nl, uint16_t type,
	       uint16_t flags, const struct rule *r)
{
	struct fib_rule_hdr head = {
		.family = r->family, .action = FR_ACT_TO_TBL,
		.src_len = bits(&r->from, r->from_len),
		.dst_len = bits(&r->to, r->to_len),
		.flags = r->invert ? FIB_RULE_INVERT : 0,
	};
	struct nlmsghdr *nlh = nl_put(b, nl, type, flags, &head, sizeof(head),
				      128);

	if (!nlh)
		return -ENOSPC;
	mnl_attr_put_u32(nlh, FRA_PRIORITY, r->priority);
	mnl_attr_put_u32(nlh, FRA_TABLE, r->table);
	mnl_attr_put_u8(nlh, FRA_PROTOCOL, r->protocol);
	if (r->mask) {
		mnl_attr_put_u32(nlh, FRA_FWMARK, r->mark);
		mnl_attr_put_u32(nlh, FRA_FWMASK, r->mask);
	}
	if (r->from.family)
		mnl_attr_put(nlh, FRA_SRC, addr_len(&r->from), r->from.bytes);
	if (r->iif[0])
		mnl_attr_put_strz(nlh, FRA_IIFNAME, r->iif);
	if (r->to.family)
		mnl_attr_put(nlh, FRA_DST, addr_len(&r->to), r->to.bytes);
	if (r->suppress_default)
		mnl_attr_put_u32(nlh, FRA_SUPPRESS_PREFIXLEN, 0);
	nl_end(b, nlh);
	return 0;
}

int rule_put_add(struct nl_batch *b, struct nl *nl, const struct rule *r)
{
	return put(b, nl, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, r);
}

static int put_raw(struct nl_batch *b, struct nl *nl, const struct rule *r)
{
	struct fib_rule_hdr head = {
		.family = r->family, .action = r->action, .tos = r->tos,
		.src_len = r->from_len, .dst_len = r->to_len,
		.flags = r->invert ? FIB_RULE_INVERT : 0,
	};
	struct nlmsghdr *nlh = nl_put(b, nl, RTM_DELRULE, 0, &head,
				      sizeof(head), RULE_RAW_MAX);

	if (!nlh)
		return -ENOSPC;
	memcpy(mnl_nlmsg_get_payload_tail(nlh), r->raw->attrs, r->raw->len);
	nlh->nlmsg_len += r->raw->len;
	nl_end(b, nlh);
	return 0;
}

int rule_put_del(struct nl_batch *b, struct nl *nl, const struct rule *r)
{
	if (r->raw)
		return put_raw(b, nl, r);
	return put(b, nl, RTM_DELRULE, 0, r);
}

bool rule_equal(const struct rule *a, const struct rule *b)
{
	return a->priority == b->priority && a->table == b->table &&
	       a->mark == b->mark && a->mask == b->mask &&
	       a->invert == b->invert && a->foreign == b->foreign &&
	       a->suppress_default == b->suppress_default &&
	       a->family == b->family && a->protocol == b->protocol &&
	       !strcmp(a->iif, b->iif) &&
	       addr_equal(&a->from, &b->from) && addr_equal(&a->to, &b->to) &&
	       bits(&a->from, a->from_len) == bits(&b->from, b->from_len) &&
	       bits(&a->to, a->to_len) == bits(&b->to, b->to_len);
}

/* " from ADDRESS/LENGTH", without the length of a single host. */
static void add_prefix(char *text, size_t size, const char *word,
		       const struct addr *a, uint8_t len)
{
	char addr[ADDR_TEXT], length[8];

	if (!a->family)
		return;
	str_add(text, size, " ", word);
	str_add(text, size, " ", addr_text(a, addr));
	snprintf(length, sizeof(length), "/%u", len);
	if (len && len < 8 * addr_len(a))
		str_add(text, size, "", length);
}

const char *rule_what(const struct rule *r, char *text, size_t size)
{
	char mark[40], to[24] = "lookup main";

	snprintf(text, size, "%s", r->invert ? "not" : "");
	add_prefix(text, size, "from", &r->from, r->from_len);
	add_prefix(text, size, "to", &r->to, r->to_len);
	if (r->iif[0]) {
		str_add(text, size, " ", "iif");
		str_add(text, size, " ", r->iif);
	}
	snprintf(mark, sizeof(mark), "fwmark 0x%x/0x%x", r->mark, r->mask);
	if (r->mask)
		str_add(text, size, " ", mark);
	if (r->action == FR_ACT_BLACKHOLE)
		strcpy(to, "blackhole");
	else if (r->action == FR_ACT_UNREACHABLE)
		strcpy(to, "unreachable");
	else if (r->action == FR_ACT_PROHIBIT)
		strcpy(to, "prohibit");
	else if (r->table != RT_TABLE_MAIN)
		snprintf(to, sizeof(to), "lookup %u", r->table);
	str_add(text, size, " ", to);
	if (r->suppress_default)
		str_add(text, size, " ", "suppress_prefixlength 0");
	return text;
}

const char *rule_text(const struct rule *r, char text[RULE_TEXT])
{
	int len = snprintf(text, RULE_TEXT, "pref %u ", r->priority);

	rule_what(r, text + len, RULE_TEXT - (size_t)len);
	return text;
}

void rule_print(const struct rule *r, const char *verb, FILE *out)
{
	char text[RULE_TEXT];

	fprintf(out, "%s rule %s %s protocol %u\n", ip_command(r->family), verb,
		rule_text(r, text), r->protocol);
}
