// SPDX-License-Identifier: MIT
#include "core/plan.h"
#include "kernel/ct.h"
#include "kernel/iface.h"
#include "kernel/sock.h"

void op_print(const struct plan *plan, const struct op *op, FILE *out)
{
	switch (op->kind) {
	case OP_SYSCTL:
		sysctl_print(op->sysctl.path, op->sysctl.value, out);
		return;
	case OP_NEXTHOP_SET:
		nexthop_print(&op->nexthop, op->dev, out);
		return;
	case OP_NEXTHOP_DEL:
		nexthop_print_del(op->nexthop.id, out);
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
		iface_addr_print_add(&op->own.addr, op->dev, out);
		return;
	case OP_ADDR_DEL:
		iface_addr_print_del(&op->own.addr, op->dev, out);
		return;
	case OP_ONLINK_SET:
		onlink_print_set(&op->onlink, out);
		return;
	case OP_ONLINK_DEL:
		onlink_print_del(&op->onlink, out);
		return;
	case OP_QDISC_SET:
		qdisc_print_set(op->dev, &op->qdisc.is, op->qdisc.want, out);
		return;
	case OP_QDISC_DEL:
		qdisc_print_del(op->dev, out);
		return;
	case OP_NFT_LOAD:
		nft_print_load(plan->ruleset, &plan->table, out);
		return;
	case OP_NFT_FILL:
		nft_print_fill(plan->ruleset, &plan->table, out);
		return;
	case OP_NFT_DELETE:
		nft_print_delete(out);
		return;
	case OP_CT_FORGET:
		ct_print_forget(&op->addr, out);
		return;
	case OP_CT_PREFIX:
		ct_print_forget_prefix(op->lost.value, op->lost.mask, out);
		return;
	case OP_CT_STRAY:
		ct_print_end_stray(out);
		return;
	case OP_CT_END:
		ct_print_end(op->mark.family, op->mark.value, op->mark.mask,
			     out);
		if (op->mark.own.family)
			sock_print_end(&op->mark.own, out);
		return;
	}
}

void plan_print(const struct plan *plan, FILE *out)
{
	unsigned int i;

	for (i = 0; i < plan->n_ops; i++)
		op_print(plan, &plan->op[i], out);
}
