// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "core/plan.h"

/* 255 links give about 60 KB. */
enum { RULESET_TEXT_MAX = 256 * 1024 };

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
		nexthop_print(&op->nexthop, op->dev, out);
		return;
	case OP_NEXTHOP_DEL:
		fprintf(out, "ip nexthop del id %u\n", op->nexthop.id);
		return;
	case OP_ROUTE_ADD:
		route_print(&op->route, op->route.family == AF_INET6 ?
			    "replace" : "prepend", op->dev, out);
		return;
	case OP_ROUTE_DEL:
		route_print(&op->route, "del", op->dev, out);
		return;
	case OP_RULE_ADD:
		rule_print(&op->rule, "add", out);
		return;
	case OP_RULE_DEL:
		rule_print(&op->rule, "del", out);
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
