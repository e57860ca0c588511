// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "kernel/route.h"

struct dump {
	uint32_t table;		/* 0: every one, of the protocol */
	uint32_t ifindex;	/* 0: by any */
	uint8_t protocol;
	uint8_t max_len;	/* of the destination */
	route_cb cb;
	void *data;
};

bool route_refuses(const struct route *r)
{
	return r->type == RTN_UNREACHABLE || r->type == RTN_BLACKHOLE ||
	       r->type == RTN_PROHIBIT;
}

struct search {
	uint32_t table;
	bool found;
};

/* The kernel uses no such route any more, and deletes it up to half a minute later
 * (ip-sysctl.rst, route/gc_interval): a router that has not advertised itself
 * again.
 */
static bool has_expired(const struct nlattr *info)
{
	const struct rta_cacheinfo *life;

	if (!info || mnl_attr_get_payload_len(info) < sizeof(*life))
		return false;
	life = mnl_attr_get_payload(info);
	return life->rta_expires < 0;
}

static int on_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTA_NH_ID + 1];
	const struct dump *d = data;
	struct route r = { 0 };

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return 0;
	if (nl_attrs(nlh, sizeof(*rtm), tb, RTA_NH_ID))
		return -EBADMSG;
	/* An older kernel answers with every table. */
	r.table = tb[RTA_TABLE] ? nl_u32(tb[RTA_TABLE]) : rtm->rtm_table;
	if (d->table ? r.table != d->table : rtm->rtm_protocol != d->protocol)
		return 0;
	/* The kernel tells the routes of an IPv4 table in the order of their
	 * destinations (fib_trie.c, fib_table_dump()): behind 0.0.0.0 there
	 * are no defaults, but there may be a million other routes.
	 */
	if (d->table && rtm->rtm_family == AF_INET && nl_u32(tb[RTA_DST]))
		return NL_ENOUGH;
	if (rtm->rtm_dst_len > d->max_len || (rtm->rtm_flags & RTM_F_CLONED) ||
	    has_expired(tb[RTA_CACHEINFO]))
		return 0;
	r.dst_len = rtm->rtm_dst_len;
	r.metric = nl_u32(tb[RTA_PRIORITY]);
	r.ifindex = nl_u32(tb[RTA_OIF]);
	if (d->ifindex && r.ifindex != d->ifindex)
		return 0;
	r.nhid = nl_u32(tb[RTA_NH_ID]);
	r.family = rtm->rtm_family;
	r.protocol = rtm->rtm_protocol;
	r.type = rtm->rtm_type;
	/* IPv6 says that these lead to lo. */
	if (route_refuses(&r))
		r.ifindex = 0;
	r.scope = rtm->rtm_scope;
	r.tos = rtm->rtm_tos;
	if (tb[RTA_SRC] && rtm->rtm_src_len) {
		if (addr_set(&r.from.addr, mnl_attr_get_payload(tb[RTA_SRC]),
			     mnl_attr_get_payload_len(tb[RTA_SRC])))
			return -EBADMSG;
		r.from.len = rtm->rtm_src_len;
	}
	r.onlink = rtm->rtm_flags & RTNH_F_ONLINK;
	/* Of a group's route the kernel tells the legs as well. */
	r.opaque = (!r.nhid && (tb[RTA_MULTIPATH] || tb[RTA_VIA])) ||
		   r.from.len;
	if (tb[RTA_GATEWAY] &&
	    addr_set(&r.gateway, mnl_attr_get_payload(tb[RTA_GATEWAY]),
		     mnl_attr_get_payload_len(tb[RTA_GATEWAY])))
		return -EBADMSG;
	return d->cb(&r, d->data);
}

static int on_any(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTA_NH_ID + 1];
	struct search *s = data;

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return 0;
	if (nl_attrs(nlh, sizeof(*rtm), tb, RTA_NH_ID))
		return -EBADMSG;
	s->found = (tb[RTA_TABLE] ? nl_u32(tb[RTA_TABLE]) :
		    rtm->rtm_table) == s->table &&
		   rtm->rtm_type != RTN_THROW &&
		   !(rtm->rtm_flags & RTM_F_CLONED);
	return s->found ? NL_ENOUGH : 0;
}

/* @table 0: of all tables. */
static int dump(struct nl *nl, uint8_t family, uint8_t protocol, uint32_t table,
		uint32_t ifindex,
		int (*cb)(const struct nlmsghdr *nlh, void *data), void *data,
		struct err *err)
{
	/* A kernel that does not filter by these tells all that there is. */
	struct rtmsg head = { .rtm_family = family, .rtm_protocol = protocol };
	struct nl_ask ask;
	struct nlmsghdr *nlh;
	int code;

	nlh = nl_ask(&ask, nl, RTM_GETROUTE, &head, sizeof(head));
	if (table)
		mnl_attr_put_u32(nlh, RTA_TABLE, table);
	if (ifindex)
		mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
	code = nl_ask_dump(&ask, cb, data, err);
	if (code == NL_ENOUGH) {
		nl_close(nl);
		code = nl_open(nl, NETLINK_ROUTE, err);
	}
	/* A table comes into being with its first route. */
	return code == -ENOENT ? 0 :
	       err_prefix(err, code, "cannot read the routes");
}

int route_dump_defaults(struct nl *nl, uint8_t family, uint32_t table,
			route_cb cb, void *data, struct err *err)
{
	struct dump d = { .table = table, .cb = cb, .data = data };

	return dump(nl, family, 0, table, 0, on_route, &d, err);
}

int route_dump_device(struct nl *nl, uint8_t family, uint32_t table,
		      uint32_t ifindex, route_cb cb, void *data,
		      struct err *err)
{
	struct dump d = { .table = table, .ifindex = ifindex, .cb = cb,
			  .data = data };

	return dump(nl, family, 0, table, ifindex, on_route, &d, err);
}

int route_dump_halves(struct nl *nl, uint32_t table, route_cb cb, void *data,
		      struct err *err)
{
	struct dump d = { .table = table, .max_len = 1, .cb = cb,
			  .data = data };

	return dump(nl, AF_INET, 0, table, 0, on_route, &d, err);
}

int route_dump_protocol(struct nl *nl, uint8_t family, uint8_t protocol,
			route_cb cb, void *data, struct err *err)
{
	struct dump d = { .protocol = protocol, .cb = cb, .data = data };

	return dump(nl, family, protocol, 0, 0, on_route, &d, err);
}

int route_any(struct nl *nl, uint32_t table, bool *any, struct err *err)
{
	struct search s = { .table = table };
	int code = dump(nl, AF_INET, 0, table, 0, on_any, &s, err);

	*any = s.found;
	return code;
}

static int put(struct nl_batch *b, struct nl *nl, uint16_t type,
	       uint16_t flags, const struct route *r)
{
	struct rtmsg head = { .rtm_family = r->family,
			      .rtm_tos = r->tos,
			      .rtm_protocol = r->protocol,
			      .rtm_type = r->type, .rtm_scope = r->scope,
			      .rtm_flags = r->onlink ? RTNH_F_ONLINK : 0 };
	struct nlmsghdr *nlh = nl_put(b, nl, type, flags, &head, sizeof(head),
				      128);

	if (!nlh)
		return -ENOSPC;
	mnl_attr_put_u32(nlh, RTA_TABLE, r->table);
	mnl_attr_put_u32(nlh, RTA_PRIORITY, r->metric);
	/* A route of a nexthop object takes the device from there; naming it
	 * as well is an error.
	 */
	if (r->nhid) {
		mnl_attr_put_u32(nlh, RTA_NH_ID, r->nhid);
	} else {
		if (r->ifindex)
			mnl_attr_put_u32(nlh, RTA_OIF, r->ifindex);
		if (r->gateway.family)
			mnl_attr_put(nlh, RTA_GATEWAY, addr_len(&r->gateway),
				     r->gateway.bytes);
	}
	nl_end(b, nlh);
	return 0;
}

int route_put_add(struct nl_batch *b, struct nl *nl, const struct route *r)
{
	/* Neither EXCL, REPLACE nor APPEND: before its equals
	 * (fib_trie.c, fib_table_insert()). IPv6 would add it to them as
	 * another leg (ip6_fib.c, fib6_add_rt2node()).
	 */
	return put(b, nl, RTM_NEWROUTE, r->family == AF_INET ? NLM_F_CREATE :
		   NLM_F_CREATE | NLM_F_REPLACE, r);
}

int route_put_del(struct nl_batch *b, struct nl *nl, const struct route *r)
{
	return put(b, nl, RTM_DELROUTE, 0, r);
}

struct onlink_dump {
	uint32_t table;
	onlink_cb cb;
	void *data;
};

static int on_onlink(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[RTA_TABLE + 1];
	const struct onlink_dump *d = data;
	const struct rta_cacheinfo *life;
	struct onlink o = { .table = d->table };
	struct addr to;

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return 0;
	if (nl_attrs(nlh, sizeof(*rtm), tb, RTA_TABLE))
		return -EBADMSG;
	/* An older kernel answers with every table. */
	if ((tb[RTA_TABLE] ? nl_u32(tb[RTA_TABLE]) : rtm->rtm_table) !=
	    d->table || rtm->rtm_protocol != PROTO_MWAN || !tb[RTA_DST])
		return 0;
	if (addr_set(&to, mnl_attr_get_payload(tb[RTA_DST]),
		     mnl_attr_get_payload_len(tb[RTA_DST])) ||
	    rtm->rtm_dst_len > 8 * addr_len(&to))
		return -EBADMSG;
	o.to = prefix_of(&to, rtm->rtm_dst_len);
	o.ifindex = nl_u32(tb[RTA_OIF]);
	life = tb[RTA_CACHEINFO] ? mnl_attr_get_payload(tb[RTA_CACHEINFO]) :
	       NULL;
	if (life && mnl_attr_get_payload_len(tb[RTA_CACHEINFO]) <
		    sizeof(*life))
		return -EBADMSG;
	/* In hundredths of a second (USER_HZ). */
	if (life && life->rta_expires > 0)
		o.expires = (uint32_t)life->rta_expires / 100 + 1;
	return d->cb(&o, d->data);
}

int onlink_dump(struct nl *nl, uint32_t table, onlink_cb cb, void *data,
		struct err *err)
{
	struct onlink_dump d = { .table = table, .cb = cb, .data = data };

	return dump(nl, AF_INET6, PROTO_MWAN, table, 0, on_onlink, &d, err);
}

static int put_onlink(struct nl_batch *b, struct nl *nl, uint16_t type,
		      uint16_t flags, const struct onlink *o)
{
	struct rtmsg head = { .rtm_family = AF_INET6,
			      .rtm_dst_len = o->to.len,
			      .rtm_protocol = PROTO_MWAN,
			      .rtm_type = RTN_UNICAST };
	struct nlmsghdr *nlh = nl_put(b, nl, type, flags, &head, sizeof(head),
				      128);

	if (!nlh)
		return -ENOSPC;
	mnl_attr_put_u32(nlh, RTA_TABLE, o->table);
	mnl_attr_put(nlh, RTA_DST, addr_len(&o->to.addr), o->to.addr.bytes);
	mnl_attr_put_u32(nlh, RTA_OIF, o->ifindex);
	if (o->expires && type == RTM_NEWROUTE)
		mnl_attr_put_u32(nlh, RTA_EXPIRES, o->expires);
	nl_end(b, nlh);
	return 0;
}

int onlink_put_set(struct nl_batch *b, struct nl *nl, const struct onlink *o)
{
	return put_onlink(b, nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
			  o);
}

int onlink_put_del(struct nl_batch *b, struct nl *nl, const struct onlink *o)
{
	return put_onlink(b, nl, RTM_DELROUTE, 0, o);
}

bool route_equal(const struct route *a, const struct route *b)
{
	return a->family == b->family && a->table == b->table &&
	       a->metric == b->metric &&
	       a->ifindex == b->ifindex && a->nhid == b->nhid &&
	       a->protocol == b->protocol && a->type == b->type &&
	       a->tos == b->tos && addr_equal(&a->gateway, &b->gateway);
}

/* What stands before the destination: "unreachable ". */
static const char *type_text(const struct route *r)
{
	static const char *const type[] = {
		[RTN_BLACKHOLE] = "blackhole ",
		[RTN_UNREACHABLE] = "unreachable ",
		[RTN_PROHIBIT] = "prohibit ", [RTN_THROW] = "throw ",
	};

	return r->type < COUNT(type) && type[r->type] ? type[r->type] : "";
}

const char *route_text(const struct route *r, const char *dev,
		       char text[ROUTE_TEXT])
{
	char via[ADDR_TEXT], metric[24] = "", table[24] = "", nhid[24] = "";

	if (r->metric)
		snprintf(metric, sizeof(metric), " metric %u", r->metric);
	if (r->table != TABLE_MAIN)
		snprintf(table, sizeof(table), " table %u", r->table);
	if (r->nhid)
		snprintf(nhid, sizeof(nhid), " nhid %u", r->nhid);
	snprintf(text, ROUTE_TEXT, "%s%s%s%s%s%s%s%s%s",
		 type_text(r),
		 r->dst_len ? "0.0.0.0/1" : "default",
		 nhid, r->gateway.family ? " via " : "",
		 r->gateway.family ? addr_text(&r->gateway, via) : "",
		 dev[0] && !r->nhid ? " dev " : "",
		 r->nhid ? "" : dev, metric, table);
	return text;
}

void route_print(const struct route *r, const char *verb, const char *dev,
		 FILE *out)
{
	char addr[ADDR_TEXT];

	fprintf(out, "%s route %s %sdefault", ip_command(r->family), verb,
		type_text(r));
	if (r->nhid) {
		fprintf(out, " nhid %u", r->nhid);
	} else {
		if (r->gateway.family)
			fprintf(out, " via %s", addr_text(&r->gateway, addr));
		if (dev[0])
			fprintf(out, " dev %s%s", dev,
				r->onlink ? " onlink" : "");
	}
	fprintf(out, " table %u", r->table);
	if (r->metric)
		fprintf(out, " metric %u", r->metric);
	if (r->tos)
		fprintf(out, " tos 0x%x", r->tos);
	fprintf(out, " protocol %u\n", r->protocol);
}

static void print_onlink(const struct onlink *o, const char *verb, FILE *out)
{
	char to[PREFIX_TEXT], dev[IF_NAMESIZE];

	fprintf(out, "ip -6 route %s %s dev %s table %u", verb,
		prefix_text(&o->to, to),
		if_indextoname(o->ifindex, dev) ? dev : "none", o->table);
}

void onlink_print_set(const struct onlink *o, FILE *out)
{
	print_onlink(o, "replace", out);
	if (o->expires)
		fprintf(out, " expires %u", o->expires);
	fprintf(out, " protocol %d\n", PROTO_MWAN);
}

void onlink_print_del(const struct onlink *o, FILE *out)
{
	print_onlink(o, "del", out);
	fprintf(out, " protocol %d\n", PROTO_MWAN);
}
