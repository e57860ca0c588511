// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "core/apply.h"
#include "kernel/ct.h"
#include "kernel/iface.h"
#include "kernel/sock.h"
#include "nft/load.h"

enum {
	BATCH_SIZE = 65536,
	OP_TEXT_MAX = 300,
	/* Dumps of the router's TCP connections, see end_sockets(): each finds
	 * nearly all that the one before has missed.
	 */
	SOCKET_ROUNDS = 8,
};

/* Operations that wait to be sent together. */
struct applying {
	const struct plan *plan;
	struct nl *rtnl;
	struct apply_result *result;
	struct nl_batch batch;
	const struct op *op_of[NL_BATCH_MAX + 8];	/* by message */
	bool failed[NL_BATCH_MAX + 8];
	bool adding;		/* an addition waits with them */
	bool refused;		/* an addition has been refused */
};

enum lane {
	LANE_MESSAGE,	/* of rtnetlink, sent with others */
	LANE_CALL,	/* a function, which says itself what was refused */
	LANE_LATER,	/* of conntrack: when the lock has been released */
};

/* What each kind of operation needs: one row a kind. */
static const struct trait {
	enum lane lane;
	int forgiven;		/* an error that means "as it should be" */
	bool addition;		/* what is removed after it may rely on it */
	bool queue;
} trait[] = {
	[OP_SYSCTL] = { .lane = LANE_CALL },
	[OP_NEXTHOP_SET] = { .lane = LANE_MESSAGE, .addition = true },
	[OP_NEXTHOP_DEL] = { .lane = LANE_MESSAGE, .forgiven = -ENOENT },
	[OP_ROUTE_ADD] = { .lane = LANE_MESSAGE, .forgiven = -EEXIST,
		.addition = true },
	[OP_ROUTE_DEL] = { .lane = LANE_MESSAGE, .forgiven = -ESRCH },
	[OP_RULE_ADD] = { .lane = LANE_MESSAGE, .forgiven = -EEXIST,
		.addition = true },
	[OP_RULE_DEL] = { .lane = LANE_MESSAGE, .forgiven = -ENOENT },
	[OP_ADDR_ADD] = { .lane = LANE_MESSAGE, .forgiven = -EEXIST },
	[OP_ADDR_DEL] = { .lane = LANE_MESSAGE, .forgiven = -EADDRNOTAVAIL },
	[OP_ONLINK_SET] = { .lane = LANE_MESSAGE },
	[OP_ONLINK_DEL] = { .lane = LANE_MESSAGE, .forgiven = -ESRCH },
	[OP_QDISC_SET] = { .lane = LANE_MESSAGE, .queue = true },
	[OP_QDISC_DEL] = { .lane = LANE_MESSAGE, .forgiven = -ENOENT,
		.queue = true },
	[OP_NFT_LOAD] = { .lane = LANE_CALL },
	[OP_NFT_FILL] = { .lane = LANE_CALL },
	[OP_NFT_DELETE] = { .lane = LANE_CALL },
	[OP_CT_FORGET] = { .lane = LANE_LATER },
	[OP_CT_PREFIX] = { .lane = LANE_LATER },
	[OP_CT_END] = { .lane = LANE_LATER },
	[OP_CT_STRAY] = { .lane = LANE_LATER },
};

static const struct trait *trait_of(const struct op *op)
{
	return &trait[op->kind];
}

static const char *advice(const struct op *op, int code)
{
	/* ct.c has said it. */
	if (trait_of(op)->lane == LANE_LATER)
		return "";
	if (op->kind == OP_QDISC_SET && code == -ENOENT)
		return "; this kernel lacks that queue: set qdisc = none in "
		       "mwan.ini, or install its module (sch_prio, sch_sfq, "
		       "sch_fq_codel, sch_cake)";
	if (op->kind == OP_RULE_ADD && code == -EOPNOTSUPP)
		return "; this kernel is built without "
		       "CONFIG_IP_MULTIPLE_TABLES, which is needed";
	return err_advice(code);
}

static void fail(struct apply_result *r, const struct op *op,
		 const struct plan *plan, int code, const char *why)
{
	char text[OP_TEXT_MAX];
	bool queue = trait_of(op)->queue;
	bool first = !r->failed || (r->failed == r->failed_queues && !queue);
	FILE *f;

	r->failed++;
	r->failed_queues += queue;
	/* Report a failure of routing rather than one of a queue. */
	if (!first)
		return;
	r->code = code;
	if (trait_of(op)->lane == LANE_CALL) {
		err_set(&r->first, code, "%s", why);
		return;
	}
	f = fmemopen(text, sizeof(text), "w");
	text[0] = '\0';
	if (f) {
		op_print(plan, op, f);
		fclose(f);
	}
	text[strcspn(text, "\n")] = '\0';
	err_set(&r->first, code, "\"%s\" was refused: %s%s", text, why,
		advice(op, code));
}

static int on_refused(const struct nl_refusal *no, void *data)
{
	struct applying *a = data;
	const struct op *op = a->op_of[no->index];

	if (no->code == trait_of(op)->forgiven)
		return 0;
	a->refused = a->refused || trait_of(op)->addition;
	/* A queue is several messages and one failure. */
	if (!a->failed[no->index])
		fail(a->result, op, a->plan, no->code, no->why);
	for (unsigned int i = 0; i < a->batch.count; i++)
		if (a->op_of[i] == op)
			a->failed[i] = true;
	return no->code;
}

static void begin(struct applying *a)
{
	static char buf[BATCH_SIZE] __attribute__((aligned(8)));

	nl_batch_init(&a->batch, a->rtnl, buf, sizeof(buf));
	memset(a->failed, 0, sizeof(a->failed));
	a->adding = false;
}

static void flush_batch(struct applying *a)
{
	unsigned int before = a->result->failed;
	struct err err;
	int code;

	if (!a->batch.count)
		return;
	code = nl_send(a->rtnl, &a->batch, NULL, on_refused, NULL, a, &err);
	/* Not one operation's failure, but the whole call's. */
	if (code && a->result->failed == before) {
		a->refused = a->refused || a->adding;
		if (!a->result->failed++) {
			a->result->code = code;
			a->result->first = err;
		}
	}
	begin(a);
}

static int encode(struct applying *a, const struct op *op)
{
	struct nl_batch *b = &a->batch;

	switch (op->kind) {
	case OP_NEXTHOP_SET:
		return nexthop_put_set(b, a->rtnl, &op->nexthop);
	case OP_NEXTHOP_DEL:
		return nexthop_put_del(b, a->rtnl, op->nexthop.id);
	case OP_ROUTE_ADD:
		return route_put_add(b, a->rtnl, &op->route);
	case OP_ROUTE_DEL:
		return route_put_del(b, a->rtnl, &op->route);
	case OP_RULE_ADD:
		return rule_put_add(b, a->rtnl, &op->rule);
	case OP_RULE_DEL:
		return rule_put_del(b, a->rtnl, &op->rule);
	case OP_ADDR_ADD:
		return iface_addr_put_add(b, a->rtnl, op->own.ifindex,
					  &op->own.addr);
	case OP_ADDR_DEL:
		return iface_addr_put_del(b, a->rtnl, op->own.ifindex,
					  &op->own.addr);
	case OP_ONLINK_SET:
		return onlink_put_set(b, a->rtnl, &op->onlink);
	case OP_ONLINK_DEL:
		return onlink_put_del(b, a->rtnl, &op->onlink);
	case OP_QDISC_SET:
		return qdisc_put_set(b, a->rtnl, op->qdisc.ifindex,
				     &op->qdisc.is, op->qdisc.want);
	case OP_QDISC_DEL:
		return qdisc_put_del(b, a->rtnl, op->qdisc.ifindex);
	default:
		return -EINVAL;
	}
}

static void put(struct applying *a, const struct op *op)
{
	unsigned int i = a->batch.count;

	if (i >= NL_BATCH_MAX || a->batch.size - a->batch.len < 2UL * NL_ROOM) {
		flush_batch(a);
		i = 0;
	}
	a->adding = a->adding || trait_of(op)->addition;
	if (encode(a, op)) {
		fail(a->result, op, a->plan, -ENOSPC, strerror(ENOSPC));
		a->refused = a->refused || trait_of(op)->addition;
	}
	for (; i < a->batch.count; i++)
		a->op_of[i] = op;
}

/* Must what still serves stay, because an addition was refused that may have
 * been to take its place? The answers to those that wait say so. Nothing finer:
 * what stays for nothing costs no packet, and the next run takes it away.
 */
static bool must_stay(struct applying *a)
{
	if (a->adding)
		flush_batch(a);
	return a->refused;
}

/* The operations that are no rtnetlink message. */
static int alone(const struct op *op, const struct plan *plan,
		 const struct present *present, struct nl *nfnl,
		 struct err *err)
{
	switch (op->kind) {
	case OP_SYSCTL:
		return sysctl_write(op->sysctl.path, op->sysctl.value, err);
	case OP_NFT_LOAD:
		return nft_load(nfnl, plan->ruleset, &plan->table,
				&present->nft, err);
	case OP_NFT_FILL:
		return nft_fill(nfnl, plan->ruleset, &plan->table,
				&present->nft, err);
	case OP_NFT_DELETE:
		return nft_delete(nfnl, err);
	default:
		return -EINVAL;
	}
}

static bool same_deletion(const struct op *a, const struct op *b)
{
	if (a->kind != b->kind || a->kind == OP_CT_STRAY)
		return a->kind == b->kind;
	switch (a->kind) {
	case OP_CT_FORGET:
		return addr_equal(&a->addr, &b->addr);
	case OP_CT_PREFIX:
		return prefix_equal(&a->lost.prefix, &b->lost.prefix) &&
		       a->lost.value == b->lost.value &&
		       a->lost.mask == b->lost.mask;
	default:
		return a->mark.value == b->mark.value &&
		       a->mark.mask == b->mark.mask &&
		       a->mark.family == b->mark.family;
	}
}

/* Has this deletion been carried out? If not, it waits in @later. */
static bool is_done(struct apply_later *later, const struct op *op)
{
	unsigned int i;

	for (i = 0; i < later->n; i++)
		if (same_deletion(&later->item[i].op, op))
			return later->item[i].done;
	/* A full list is for rounds upon rounds of new addresses: their rules
	 * stay, and the next run of anything ends the flows.
	 */
	if (i < APPLY_LATER_MAX) {
		later->item[i].op = *op;
		later->item[i].done = false;
		later->n++;
	}
	return false;
}

bool apply_waits(const struct apply_later *later)
{
	unsigned int i;

	for (i = 0; i < later->n; i++)
		if (!later->item[i].done)
			return true;
	return false;
}

struct ending {
	struct nl *nfnl, *diag;
	const struct op *op;
	unsigned int n;		/* sockets that have been closed */
};

static int on_sock(const struct sock *s, void *data)
{
	struct ending *e = data;
	const struct ct_tuple tuple = {
		.protocol = IPPROTO_TCP,
		.source = s->source, .destination = s->destination,
		.source_port = s->source_port,
		.destination_port = s->destination_port,
	};
	struct ct_flow flow;
	struct err err;

	if (!ct_find(e->nfnl, &tuple, &flow, &err) && flow.known &&
	    !flow.is_reply &&
	    (flow.mark & e->op->mark.mask) == e->op->mark.value)
		e->n += !sock_end(e->diag, s, &err);
	return 0;
}

/* Close the TCP connections that the router itself has opened by the link of
 * @op, as far as conntrack knows them. Otherwise chance decides which packet
 * comes first after ct_end(): if it is the peer's, the connection begins again
 * as one from outside, on the line that it was to leave. A kernel without
 * CONFIG_INET_DIAG_DESTROY leaves it to chance. A dump misses sockets when
 * others are closed meanwhile: one that finds none is the last.
 */
static void end_sockets(struct nl *nfnl, const struct op *op)
{
	static struct nl list, diag;
	struct ending e = { .nfnl = nfnl, .diag = &diag, .op = op };
	unsigned int round;
	struct err err;

	if (nl_open(&list, NETLINK_SOCK_DIAG, &err))
		return;
	if (!nl_open(&diag, NETLINK_SOCK_DIAG, &err)) {
		for (round = 0; round < SOCKET_ROUNDS; round++) {
			e.n = 0;
			sock_dump(&list, &op->mark.own, on_sock, &e, &err);
			if (!e.n)
				break;
		}
		nl_close(&diag);
	}
	nl_close(&list);
}

/* The router's own address of another interface has not been translated either.
 * A flow that is ended needlessly has had no answer, and begins again.
 */
static bool is_of_link(const struct addr *a, void *data)
{
	const struct present *p = data;
	unsigned int i;

	for (i = 0; i < p->n_links; i++)
		if (addr_equal(&p->link[i].af[addr_family(a)].local, a))
			return true;
	for (i = 0; i < p->n_extras; i++)
		if (addr_equal(&p->extra[i].addr, a))
			return true;
	return false;
}

/* Returns how many connections were ended, at least, or a negative errno. */
static int end_flows(const struct op *op, struct present *present,
		     struct nl *nfnl, struct err *err)
{
	int code;

	if (op->kind == OP_CT_FORGET)
		return ct_forget(nfnl, &op->addr, err);
	if (op->kind == OP_CT_PREFIX)
		return ct_forget_prefix(nfnl, &op->lost.prefix, op->lost.value,
					op->lost.mask, err);
	if (op->kind == OP_CT_STRAY)
		return ct_end_stray(nfnl, is_of_link, present, err);
	if (op->mark.own.family)
		end_sockets(nfnl, op);
	code = ct_end(nfnl, op->mark.family, op->mark.value, op->mark.mask, err);
	return code ? code : 1;
}

/* A kernel without nf_conntrack_netlink cannot end them, now or later: the next
 * run need not try, and the rest is as it should be.
 */
static bool cannot(const struct op *op, int code)
{
	return op->kind == OP_CT_STRAY &&
	       (code == -EINVAL || code == -EOPNOTSUPP);
}

int apply_later(struct apply_later *later, const struct plan *plan,
		struct present *present, struct nl *nfnl,
		struct apply_result *result, char *ended, size_t size,
		struct err *err)
{
	unsigned int i, failed = result->failed;
	const struct op *op;
	struct err why;
	int code;

	for (i = 0; i < later->n; i++) {
		op = &later->item[i].op;
		if (later->item[i].done)
			continue;
		code = end_flows(op, present, nfnl, &why);
		if (code < 0 && !cannot(op, code)) {
			fail(result, op, plan, code, why.msg);
			continue;
		}
		later->item[i].done = true;
		result->done += code > 0;
		if (op->kind == OP_CT_END)
			str_add(ended, size, ",", op->dev);
	}
	if (result->failed == failed)
		return 0;
	*err = result->first;
	return result->code;
}

bool apply_only_queues(const struct apply_result *r)
{
	return r->failed && r->failed == r->failed_queues;
}

void apply_plan(const struct plan *plan, struct nl *rtnl, struct nl *nfnl,
		const struct present *present, struct apply_later *later,
		struct apply_result *result)
{
	struct applying a = { .plan = plan, .rtnl = rtnl, .result = result };
	const struct op *op;
	struct err err;
	unsigned int i, idle = 0;
	bool keep = false;
	int code;

	*result = (struct apply_result){ 0 };
	later->kept = 0;
	begin(&a);
	for (i = 0; i < plan->n_ops; i++) {
		op = &plan->op[i];
		if (trait_of(op)->lane == LANE_LATER) {
			keep = !is_done(later, op) || keep;
			idle++;
			continue;
		}
		/* The rules after conntrack remember what is to be ended. */
		if (keep && op->kind == OP_RULE_DEL) {
			later->kept++;
			idle++;
			continue;
		}
		if (op->serves && must_stay(&a)) {
			idle++;
			continue;
		}
		if (trait_of(op)->lane == LANE_MESSAGE) {
			put(&a, op);
			continue;
		}
		flush_batch(&a);
		code = alone(op, plan, present, nfnl, &err);
		if (code < 0)
			fail(result, op, plan, code, err.msg);
	}
	flush_batch(&a);
	idle += result->failed;
	result->done = plan->n_ops > idle ? plan->n_ops - idle : 0;
}
