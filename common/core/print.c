// SPDX-License-Identifier: MIT
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "core/plan.h"

/* 255 links give about 60 KB. */
enum { RULESET_TEXT_MAX = 256 * 1024 };

/* ip(8) of a family. */
static const char *ip(uint8_t family)
{
	return family == AF_INET6 ? "ip -6" : "ip";
}

static void show_nexthop(const struct op *op, FILE *out)
{
	const struct nexthop *nh = &op->nexthop;
	char addr[ADDR_TEXT];
	unsigned int i;

	fprintf(out, "%s nexthop replace id %u", ip(nh->family), nh->id);
	for (i = 0; i < nh->n_members; i++)
		fprintf(out, "%s%u,%u", i ? "/" : " group ", nh->member[i].id,
			nh->member[i].weight);
	if (nh->gateway.family)
		fprintf(out, " via %s", addr_text(&nh->gateway, addr));
	if (!nh->n_members)
		fprintf(out, " dev %s", op->dev);
	fprintf(out, "%s protocol %u\n", nh->onlink ? " onlink" : "",
		nh->protocol);
}

static void show_route(const struct op *op, const char *verb, FILE *out)
{
	const struct route *r = &op->route;
	char addr[ADDR_TEXT];

	static const char *const type[] = {
		[RTN_BLACKHOLE] = "blackhole ",
		[RTN_UNREACHABLE] = "unreachable ",
		[RTN_PROHIBIT] = "prohibit ", [RTN_THROW] = "throw ",
	};

	fprintf(out, "%s route %s %sdefault", ip(r->family), verb,
		r->type < COUNT(type) && type[r->type] ? type[r->type] : "");
	if (r->nhid) {
		fprintf(out, " nhid %u", r->nhid);
	} else {
		if (r->gateway.family)
			fprintf(out, " via %s", addr_text(&r->gateway, addr));
		if (op->dev[0])
			fprintf(out, " dev %s%s", op->dev,
				r->onlink ? " onlink" : "");
	}
	fprintf(out, " table %u", r->table);
	if (r->metric)
		fprintf(out, " metric %u", r->metric);
	if (r->tos)
		fprintf(out, " tos 0x%x", r->tos);
	fprintf(out, " protocol %u\n", r->protocol);
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
	else if (r->table != TABLE_MAIN)
		snprintf(to, sizeof(to), "lookup %u", r->table);
	str_add(text, size, " ", to);
	if (r->suppress_default)
		str_add(text, size, " ", "suppress_prefixlength 0");
	return text;
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
		 r->type == RTN_UNREACHABLE ? "unreachable " :
		 r->type == RTN_BLACKHOLE ? "blackhole " :
		 r->type == RTN_PROHIBIT ? "prohibit " : "",
		 r->dst_len ? "0.0.0.0/1" : "default",
		 nhid, r->gateway.family ? " via " : "",
		 r->gateway.family ? addr_text(&r->gateway, via) : "",
		 dev[0] && !r->nhid ? " dev " : "",
		 r->nhid ? "" : dev, metric, table);
	return text;
}

const char *rule_text(const struct rule *r, char text[RULE_TEXT])
{
	int len = snprintf(text, RULE_TEXT, "pref %u ", r->priority);

	rule_what(r, text + len, RULE_TEXT - (size_t)len);
	return text;
}

static void show_rule(const struct rule *r, const char *verb, FILE *out)
{
	char text[RULE_TEXT];

	fprintf(out, "%s rule %s %s protocol %u\n", ip(r->family), verb,
		rule_text(r, text), r->protocol);
}

static void show_onlink(const struct onlink *o, bool set, FILE *out)
{
	char to[PREFIX_TEXT], dev[IF_NAMESIZE];

	fprintf(out, "ip -6 route %s %s dev %s table %u",
		set ? "replace" : "del", prefix_text(&o->to, to),
		if_indextoname(o->ifindex, dev) ? dev : "none", o->table);
	if (set && o->expires)
		fprintf(out, " expires %u", o->expires);
	fprintf(out, " protocol %d\n", PROTO_MWAN);
}

static void show_fill(const struct plan *plan, FILE *out)
{
	static char text[RULESET_TEXT_MAX];

	table_state_print(plan->ruleset, &plan->table, text, sizeof(text));
	fputs(text, out);
}

static void show_ruleset(const struct plan *plan, FILE *out)
{
	static char text[RULESET_TEXT_MAX];

	ruleset_print(plan->ruleset, text, sizeof(text));
	/* Two transactions would leave packets unmarked between them. */
	fprintf(out, "nft -f - <<'END'\nadd table inet mwan\n"
		"delete table inet mwan\n%s", text);
	show_fill(plan, out);
	fputs("END\n", out);
}

static void show_qdisc(const struct op *op, FILE *out)
{
	char text[512];

	qdisc_text(op->dev, &op->qdisc.is, op->qdisc.want, text, sizeof(text));
	fputs(text, out);
}

void op_print(const struct plan *plan, const struct op *op, FILE *out)
{
	char addr[ADDR_TEXT];

	switch (op->kind) {
	case OP_SYSCTL:
		fprintf(out, "sysctl -w %s=%d\n", op->sysctl.path,
			op->sysctl.value);
		return;
	case OP_NEXTHOP_SET:
		show_nexthop(op, out);
		return;
	case OP_NEXTHOP_DEL:
		fprintf(out, "ip nexthop del id %u\n", op->nexthop.id);
		return;
	case OP_ROUTE_ADD:
		show_route(op, op->route.family == AF_INET6 ? "replace" :
			   "prepend", out);
		return;
	case OP_ROUTE_DEL:
		show_route(op, "del", out);
		return;
	case OP_RULE_ADD:
		show_rule(&op->rule, "add", out);
		return;
	case OP_RULE_DEL:
		show_rule(&op->rule, "del", out);
		return;
	case OP_ADDR_ADD:
	case OP_ADDR_DEL:
		fprintf(out, "ip -6 addr %s %s/128 dev %s%s\n",
			op->kind == OP_ADDR_ADD ? "add" : "del",
			addr_text(&op->own.addr, addr), op->dev,
			op->kind == OP_ADDR_ADD ? " nodad noprefixroute" : "");
		return;
	case OP_ONLINK_SET:
	case OP_ONLINK_DEL:
		show_onlink(&op->onlink, op->kind == OP_ONLINK_SET, out);
		return;
	case OP_QDISC_SET:
		show_qdisc(op, out);
		return;
	case OP_QDISC_DEL:
		fprintf(out, "tc qdisc del dev %s root\n", op->dev);
		return;
	case OP_NFT_LOAD:
		show_ruleset(plan, out);
		return;
	case OP_NFT_FILL:
		fputs("nft -f - <<'END'\n", out);
		show_fill(plan, out);
		fputs("END\n", out);
		return;
	case OP_NFT_DELETE:
		fprintf(out, "nft delete table inet mwan\n");
		return;
	case OP_CT_FORGET:
		fprintf(out, "conntrack -D --reply-dst %s\n",
			addr_text(&op->addr, addr));
		return;
	case OP_CT_PREFIX:
		/* conntrack(8) knows no prefix of the answers' destination:
		 * what is still good begins anew.
		 */
		fprintf(out, "conntrack -D -f ipv6 --mark 0x%x/0x%x\n",
			op->lost.value, op->lost.mask);
		return;
	case OP_CT_STRAY:
		/* Those that are translated begin anew, as well. */
		fprintf(out, "conntrack -D -f ipv4 -u UNREPLIED\n");
		return;
	case OP_CT_END:
		fprintf(out, "conntrack -D%s --mark 0x%x/0x%x\n",
			op->mark.family == AF_INET6 ? " -f ipv6" : "",
			op->mark.value, op->mark.mask);
		if (op->mark.own.family)
			fprintf(out, "ss -4tK state established src %s\n",
				addr_text(&op->mark.own, addr));
		return;
	}
}

void plan_print(const struct plan *plan, FILE *out)
{
	unsigned int i;

	for (i = 0; i < plan->n_ops; i++)
		op_print(plan, &plan->op[i], out);
}
