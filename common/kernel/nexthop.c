// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/nexthop.h"

struct dump {
	nexthop_cb cb;
	void *data;
};

static void read_members(struct nexthop *nh, struct nexthop_member *member,
			 const struct nlattr *group)
{
	const struct nexthop_grp *g = mnl_attr_get_payload(group);
	size_t i, n = mnl_attr_get_payload_len(group) / sizeof(*g);

	nh->more = n > LINKS_MAX;
	if (nh->more)
		n = LINKS_MAX;
	for (i = 0; i < n; i++)
		member[i] = (struct nexthop_member){
			.id = g[i].id,
			/* The kernel's weight counts from 0. */
			.weight = (uint8_t)(g[i].weight + 1),
		};
	nh->member = member;
	nh->n_members = (unsigned int)n;
}

static int on_nexthop(const struct nlmsghdr *nlh, void *data)
{
	const struct nhmsg *nhm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[NHA_GATEWAY + 1];
	const struct dump *d = data;
	struct nexthop_member member[LINKS_MAX];
	struct nexthop nh = { 0 };

	if (nlh->nlmsg_type != RTM_NEWNEXTHOP)
		return 0;
	if (nl_attrs(nlh, sizeof(*nhm), tb, NHA_GATEWAY))
		return -EBADMSG;
	nh.id = nl_u32(tb[NHA_ID]);
	nh.protocol = nhm->nh_protocol;
	nh.family = nhm->nh_family;
	nh.ifindex = nl_u32(tb[NHA_OIF]);
	nh.onlink = nhm->nh_flags & RTNH_F_ONLINK;
	if (tb[NHA_GATEWAY] &&
	    addr_set(&nh.gateway, mnl_attr_get_payload(tb[NHA_GATEWAY]),
		     mnl_attr_get_payload_len(tb[NHA_GATEWAY])))
		return -EBADMSG;
	if (tb[NHA_GROUP])
		read_members(&nh, member, tb[NHA_GROUP]);
	return d->cb(&nh, d->data);
}

int nexthop_dump(struct nl *nl, nexthop_cb cb, void *data, struct err *err)
{
	static const struct nhmsg head = { .nh_family = AF_UNSPEC };
	struct dump d = { .cb = cb, .data = data };
	struct nl_ask ask;
	int code;

	nl_ask(&ask, nl, RTM_GETNEXTHOP, &head, sizeof(head));
	code = nl_ask_dump(&ask, on_nexthop, &d, err);
	/* rtnetlink's answer to a message type that it does not know. */
	if (code == -EOPNOTSUPP)
		return err_set(err, code, "this kernel has no nexthop objects: "
			       "Linux 5.4 or newer is needed");
	return err_prefix(err, code, "cannot read the nexthops");
}

static int on_missing(const struct nl_refusal *no, void *data)
{
	(void)data;
	return no->code == -ENOENT ? 0 : no->code;
}

int nexthop_get(struct nl *nl, uint32_t id, nexthop_cb cb, void *data,
		struct err *err)
{
	static const struct nhmsg head = { .nh_family = AF_UNSPEC };
	struct dump d = { .cb = cb, .data = data };
	struct nl_ask ask;
	int code;

	mnl_attr_put_u32(nl_ask(&ask, nl, RTM_GETNEXTHOP, &head, sizeof(head)),
			 NHA_ID, id);
	code = nl_ask_send(&ask, on_missing, on_nexthop, &d, err);
	return code ? err_set(err, code, "cannot read nexthop %u: %s%s", id,
			      strerror(-code), err_advice(code)) : 0;
}

int nexthop_put_set(struct nl_batch *b, struct nl *nl,
		    const struct nexthop *nh)
{
	struct nhmsg head = { .nh_family = nh->family,
			      .nh_protocol = nh->protocol,
			      .nh_flags = nh->onlink ? RTNH_F_ONLINK : 0 };
	struct nexthop_grp group[LINKS_MAX];
	size_t group_len = nh->n_members * sizeof(group[0]);
	struct nlmsghdr *nlh;
	unsigned int i;

	nlh = nl_put(b, nl, RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_REPLACE,
		     &head, sizeof(head), 64 + group_len);
	if (!nlh)
		return -ENOSPC;
	mnl_attr_put_u32(nlh, NHA_ID, nh->id);
	if (nh->n_members) {
		for (i = 0; i < nh->n_members; i++)
			group[i] = (struct nexthop_grp){
				.id = nh->member[i].id,
				.weight = (uint8_t)(nh->member[i].weight - 1),
			};
		mnl_attr_put(nlh, NHA_GROUP, group_len, group);
	} else {
		mnl_attr_put_u32(nlh, NHA_OIF, nh->ifindex);
		if (nh->gateway.family)
			mnl_attr_put(nlh, NHA_GATEWAY, addr_len(&nh->gateway),
				     nh->gateway.bytes);
	}
	nl_end(b, nlh);
	return 0;
}

int nexthop_put_del(struct nl_batch *b, struct nl *nl, uint32_t id)
{
	static const struct nhmsg head = { .nh_family = AF_UNSPEC };
	struct nlmsghdr *nlh = nl_put(b, nl, RTM_DELNEXTHOP, 0, &head,
				      sizeof(head), 16);

	if (!nlh)
		return -ENOSPC;
	mnl_attr_put_u32(nlh, NHA_ID, id);
	nl_end(b, nlh);
	return 0;
}

bool nexthop_equal(const struct nexthop *a, const struct nexthop *b)
{
	unsigned int i;

	if (a->ifindex != b->ifindex || a->onlink != b->onlink ||
	    !addr_equal(&a->gateway, &b->gateway) ||
	    a->n_members != b->n_members || a->more != b->more)
		return false;
	for (i = 0; i < b->n_members; i++)
		if (a->member[i].id != b->member[i].id ||
		    a->member[i].weight != b->member[i].weight)
			return false;
	return true;
}

void nexthop_print(const struct nexthop *nh, const char *dev, FILE *out)
{
	char addr[ADDR_TEXT];
	unsigned int i;

	fprintf(out, "%s nexthop replace id %u", ip_command(nh->family),
		nh->id);
	for (i = 0; i < nh->n_members; i++)
		fprintf(out, "%s%u,%u", i ? "/" : " group ", nh->member[i].id,
			nh->member[i].weight);
	if (nh->gateway.family)
		fprintf(out, " via %s", addr_text(&nh->gateway, addr));
	if (!nh->n_members)
		fprintf(out, " dev %s", dev);
	fprintf(out, "%s protocol %u\n", nh->onlink ? " onlink" : "",
		nh->protocol);
}

void nexthop_print_del(uint32_t id, FILE *out)
{
	fprintf(out, "ip nexthop del id %u\n", id);
}
