// SPDX-License-Identifier: MIT
/* The kernel's answers, of every kind of object: what is malformed is refused
 * with a sentence, and what is handed over has the form that its header says.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "fuzz.h"
#include "kernel.h"
#include "kernel/ct.h"
#include "kernel/fib.h"
#include "kernel/iface.h"
#include "kernel/nexthop.h"
#include "kernel/qdisc.h"
#include "kernel/route.h"
#include "kernel/rule.h"
#include "kernel/sock.h"
#include "kernel/sysctl.h"
#include "nft/load.h"

static struct nl nl;
static struct err err;
static char out[4096] __attribute__((aligned(8)));

static bool is_string(const char *s, size_t size)
{
	return memchr(s, '\0', size);
}

static void check_addr(const struct addr *a, bool may_be_none)
{
	char text[ADDR_TEXT];

	must(a->family == AF_INET || a->family == AF_INET6 ||
	     (may_be_none && !a->family));
	must(*addr_text(a, text));
}

static int on_link(const struct nlmsghdr *nlh, void *data)
{
	struct iface l;
	int code = iface_reply(nlh, &l);

	(void)data;
	must(!code || code == -EBADMSG);
	must(code || is_string(l.name, sizeof(l.name)));
	return code;
}

static int on_addr(const struct iface_addr *a, void *data)
{
	(void)data;
	check_addr(&a->local, false);
	check_addr(&a->peer, false);
	return 0;
}

static int on_route(const struct route *r, void *data)
{
	must(r->table == *(uint32_t *)data);
	check_addr(&r->gateway, true);
	return 0;
}

static int on_rule(const struct rule *r, void *data)
{
	(void)data;
	must(r->protocol == PROTO_MWAN);
	check_addr(&r->from, true);
	must(rule_equal(r, r));
	return 0;
}

static int on_nexthop(const struct nexthop *nh, void *data)
{
	unsigned int i, sum = 0;

	(void)data;
	must(nh->n_members <= LINKS_MAX);
	for (i = 0; i < nh->n_members; i++)
		sum += nh->member[i].weight;
	must(sum <= nh->n_members * UINT8_MAX);
	return 0;
}

static int on_qdisc(const struct nlmsghdr *nlh, void *data)
{
	static const struct qdisc_conf want = { .kind = QDISC_PRIO_SFQ };
	struct qdisc q = { 0 };
	int code;

	(void)data;
	if (!qdisc_reply_ifindex(nlh))
		return 0;
	code = qdisc_reply(nlh, &q);
	must(!code || code == -EBADMSG);
	must(is_string(q.kind, sizeof(q.kind)));
	must(!qdisc_matches(&q, &want) || qdisc_is_ours(&q));
	return code;
}

static int on_sysctl(const struct sysctl *s, void *data)
{
	(void)s;
	(void)data;
	return 0;
}

static int on_refused(const struct nl_refusal *no, void *data)
{
	must(no->index < *(unsigned int *)data);
	must(no->code < 0 && is_string(no->why, 256) && *no->why);
	return err_set(&err, no->code, "%s", no->why);
}

/* Questions and changes, whose answers are confirmations and refusals. */
static int send_some(void)
{
	static const struct route route = { .family = AF_INET, .table = 7 };
	struct nl_batch b;
	unsigned int i;

	nl_batch_init(&b, &nl, out, sizeof(out));
	iface_put_get(&b, &nl, "ppp0");
	for (i = 0; i < 3; i++)
		route_put_add(&b, &nl, &route);
	return nl_send(&nl, &b, NULL, on_refused, on_link, &b.count, &err);
}

static int read_qdisc(void)
{
	struct nl_batch b;

	nl_batch_init(&b, &nl, out, sizeof(out));
	qdisc_put_get(&b, &nl, 7);
	return nl_send(&nl, &b, NULL, on_refused, on_qdisc, &b.count, &err);
}

static int read_nft(void)
{
	static struct nft_seen seen;
	static const struct verified known = { .table = 1, .generation = 7 };
	unsigned int i;
	/* With a map whose elements are read, when the answers have it. */
	static const struct ruleset rs = {
		.n_links = 1, .link[0] = { .name = "ppp0" }, .n_sets = 1,
		.set[0] = { RULESET_MSS, .kind = SET_MSS },
	};
	int code = nft_read(&nl, &seen, &rs, &known, &err);

	must(seen.n_chains <= NFT_SEEN_CHAINS);
	for (i = 0; i < seen.n_chains; i++) {
		must(is_string(seen.chain[i].name, RULESET_NAME));
		must(is_string(seen.chain[i].type, sizeof(seen.chain->type)));
	}
	return code;
}

static int read_counts(void)
{
	static const uint32_t marks[] = { 1, 2 };
	struct iface_bytes bytes;
	uint64_t counts[2];
	int code = iface_read_bytes(&nl, 7, &bytes, &err);

	return code ? code : ct_count(&nl, AF_INET, 0xff, marks, 2, counts, &err);
}

/* What "why" asks about one packet. */
static int ask(uint8_t family)
{
	const struct ct_tuple tuple = {
		.source = { .family = family },
		.destination = { .family = family }, .protocol = IPPROTO_UDP,
		.zone = family == AF_INET6 ? RULESET_ZONE : 0,
	};
	const struct fib_packet packet = { .destination = tuple.destination };
	struct ct_flow flow;
	struct fib fib;
	uint32_t mark;
	bool moved;
	int code = ct_find(&nl, &tuple, &flow, &err);

	must(code || !flow.known || addr_len(&flow.to));
	if (!code)
		code = nft_sticky(&nl, &tuple.source, &mark, &err);
	if (!code && family == AF_INET6)
		code = nft_moved(&nl, &tuple, &moved, &err);
	return code ? code : fib_ask(&nl, &packet, &fib, &err);
}

static int on_onlink(const struct onlink *o, void *data)
{
	must(!o->to.addr.family || o->to.len <= 8 * addr_len(&o->to.addr));
	must(o->table == *(uint32_t *)data);
	return 0;
}

static int on_sock(const struct sock *s, void *data)
{
	must(addr_equal(&s->source, data));
	return 0;
}

static void verdict(int code)
{
	must(code >= 0 || fuzz_explained(code, err.msg));
	err.msg[0] = '\0';
}

static void read_all(uint8_t family)
{
	const struct addr local = { .family = family };
	static const struct prefix of = { .addr = { .family = AF_INET6 } };
	uint32_t table = 201;

	kernel_open(&nl);
	verdict(send_some());
	verdict(iface_addr_dump(&nl, family, 0, on_addr, NULL, &err));
	verdict(nexthop_dump(&nl, on_nexthop, NULL, &err));
	verdict(rule_dump(&nl, family, PROTO_MWAN, on_rule, NULL, &err));
	verdict(route_dump_defaults(&nl, family, table, on_route, &table,
				    &err));
	verdict(read_qdisc());
	verdict(sysctl_dump(&nl, on_sysctl, NULL, &err));
	verdict(read_nft());
	verdict(ct_forget(&nl, &local, &err));
	verdict(ct_end(&nl, family, 1, 0xff, &err));
	verdict(sock_dump(&nl, &local, on_sock, (void *)&local, &err));
	verdict(read_counts());
	verdict(ask(family));
	verdict(onlink_dump(&nl, table, on_onlink, &table, &err));
	verdict(ct_forget_prefix(&nl, &of, 1, 0xff, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	kernel_begin(data, size);
	read_all(AF_INET);
	kernel_begin(data, size);
	read_all(AF_INET6);
	return 0;
}
