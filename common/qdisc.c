// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "qdisc.h"
#include "util.h"

enum {
	/* A handle of its own for each kind: the kernel refuses to replace a
	 * root by another kind under the same handle
	 * (sch_api.c, tc_modify_qdisc()).
	 */
	HANDLE_PRIO = 0x10000,
	HANDLE_FQ_CODEL = 0x20000,
	HANDLE_CAKE = 0x30000,
	/* The original's sfq 10:, 20: and 30:; tc(8) reads them as hex. */
	HANDLE_SFQ = 0x100000,
	SFQ_PERTURB = 20,	/* seconds, the original's */
};

static const struct {
	const char *kind;
	uint32_t handle;
} roots[] = {
	[QDISC_PRIO_SFQ] = { "prio", HANDLE_PRIO },
	[QDISC_FQ_CODEL] = { "fq_codel", HANDLE_FQ_CODEL },
	[QDISC_CAKE] = { "cake", HANDLE_CAKE },
};

static struct nlmsghdr *begin(struct nl_batch *b, struct nl *nl, uint16_t type,
			      uint16_t flags, uint32_t ifindex,
			      uint32_t parent, uint32_t handle)
{
	struct tcmsg tcm = { .tcm_family = AF_UNSPEC,
			     .tcm_ifindex = (int)ifindex,
			     .tcm_parent = parent, .tcm_handle = handle };

	return nl_put(b, nl, type, flags, &tcm, sizeof(tcm), 128);
}

static int put_get(struct nl_batch *b, struct nl *nl, uint32_t ifindex,
		   uint32_t parent)
{
	struct nlmsghdr *nlh = begin(b, nl, RTM_GETQDISC, 0, ifindex, parent,
				     0);

	if (!nlh)
		return -ENOSPC;
	nl_end(b, nlh);
	return 0;
}

int qdisc_put_get(struct nl_batch *b, struct nl *nl, uint32_t ifindex)
{
	uint32_t band;
	int code = put_get(b, nl, ifindex, TC_H_ROOT);

	for (band = 1; band <= QDISC_BANDS && !code; band++)
		code = put_get(b, nl, ifindex, HANDLE_PRIO | band);
	return code;
}

uint32_t qdisc_reply_ifindex(const struct nlmsghdr *nlh)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type != RTM_NEWQDISC ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*tcm))
		return 0;
	return (uint32_t)tcm->tcm_ifindex;
}

static uint64_t cake_rate(const struct nlattr *options)
{
	const struct nlattr *tb[TCA_CAKE_BASE_RATE64 + 1];
	const struct nlattr *rate;

	if (!options || nl_nested(options, tb, TCA_CAKE_BASE_RATE64))
		return 0;
	rate = tb[TCA_CAKE_BASE_RATE64];
	return rate && mnl_attr_get_payload_len(rate) == sizeof(uint64_t) ?
	       mnl_attr_get_u64(rate) : 0;
}

int qdisc_reply(const struct nlmsghdr *nlh, struct qdisc *q)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[TCA_OPTIONS + 1];
	uint32_t band = TC_H_MIN(tcm->tcm_parent);
	const char *kind;

	if (nl_attrs(nlh, sizeof(*tcm), tb, TCA_OPTIONS))
		return -EBADMSG;
	kind = nl_str(tb[TCA_KIND]);
	if (tcm->tcm_parent == TC_H_ROOT) {
		if (str_copy(q->kind, sizeof(q->kind), kind))
			return -EBADMSG;
		q->handle = tcm->tcm_handle;
		if (!strcmp(kind, "cake"))
			q->bandwidth = cake_rate(tb[TCA_OPTIONS]);
	} else if (TC_H_MAJ(tcm->tcm_parent) == HANDLE_PRIO && band >= 1 &&
		   band <= QDISC_BANDS && !strcmp(kind, "sfq")) {
		q->sfq_bands |= (uint8_t)(1U << (band - 1));
	}
	return 0;
}

bool qdisc_matches(const struct qdisc *q, const struct qdisc_conf *want)
{
	if (want->kind == QDISC_NONE)
		return true;
	if (strcmp(q->kind, roots[want->kind].kind) ||
	    q->handle != roots[want->kind].handle)
		return false;
	if (want->kind == QDISC_PRIO_SFQ)
		return q->sfq_bands == (1U << QDISC_BANDS) - 1;
	return q->bandwidth == want->bandwidth;
}

bool qdisc_is_ours(const struct qdisc *q)
{
	size_t i;

	for (i = 0; i < COUNT(roots); i++)
		if (roots[i].kind && !strcmp(q->kind, roots[i].kind) &&
		    q->handle == roots[i].handle)
			return true;
	return false;
}

int qdisc_put_del(struct nl_batch *b, struct nl *nl, uint32_t ifindex)
{
	struct nlmsghdr *nlh = begin(b, nl, RTM_DELQDISC, 0, ifindex,
				     TC_H_ROOT, 0);

	if (!nlh)
		return -ENOSPC;
	nl_end(b, nlh);
	return 0;
}

static struct nlmsghdr *begin_set(struct nl_batch *b, struct nl *nl,
				  uint32_t ifindex, uint32_t parent,
				  uint32_t handle, const char *kind)
{
	struct nlmsghdr *nlh = begin(b, nl, RTM_NEWQDISC,
				     NLM_F_CREATE | NLM_F_REPLACE, ifindex,
				     parent, handle);

	if (nlh)
		mnl_attr_put_strz(nlh, TCA_KIND, kind);
	return nlh;
}

int qdisc_put_set(struct nl_batch *b, struct nl *nl, uint32_t ifindex,
		  const struct qdisc_conf *want)
{
	/* tc(8)'s own defaults: three bands, by the packet's TOS. */
	static const struct tc_prio_qopt prio = { .bands = QDISC_BANDS,
		.priomap = { 1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1 } };
	struct tc_sfq_qopt_v1 sfq = { 0 };
	struct nlmsghdr *nlh;
	struct nlattr *nest;
	uint32_t band;

	nlh = begin_set(b, nl, ifindex, TC_H_ROOT, roots[want->kind].handle,
			roots[want->kind].kind);
	if (!nlh)
		return -ENOSPC;
	if (want->kind == QDISC_CAKE && want->bandwidth) {
		nest = mnl_attr_nest_start(nlh, TCA_OPTIONS);
		mnl_attr_put_u64(nlh, TCA_CAKE_BASE_RATE64, want->bandwidth);
		mnl_attr_nest_end(nlh, nest);
	} else if (want->kind == QDISC_PRIO_SFQ) {
		mnl_attr_put(nlh, TCA_OPTIONS, sizeof(prio), &prio);
	}
	nl_end(b, nlh);
	for (band = 1; want->kind == QDISC_PRIO_SFQ && band <= QDISC_BANDS;
	     band++) {
		nlh = begin_set(b, nl, ifindex, HANDLE_PRIO | band,
				HANDLE_SFQ * band, "sfq");
		if (!nlh)
			return -ENOSPC;
		/* The original perturbs the first two. */
		sfq.v0.perturb_period = band < QDISC_BANDS ? SFQ_PERTURB : 0;
		mnl_attr_put(nlh, TCA_OPTIONS, sizeof(sfq), &sfq);
		nl_end(b, nlh);
	}
	return 0;
}

void qdisc_text(const char *dev, const struct qdisc_conf *want, char *buf,
		size_t size)
{
	switch (want->kind) {
	case QDISC_PRIO_SFQ:
		snprintf(buf, size,
			 "tc qdisc replace dev %s root handle 1: prio\n"
			 "tc qdisc replace dev %s parent 1:1 handle 10: sfq "
			 "perturb 20\n"
			 "tc qdisc replace dev %s parent 1:2 handle 20: sfq "
			 "perturb 20\n"
			 "tc qdisc replace dev %s parent 1:3 handle 30: sfq\n",
			 dev, dev, dev, dev);
		return;
	case QDISC_FQ_CODEL:
		snprintf(buf, size, "tc qdisc replace dev %s root handle 2: "
			 "fq_codel\n", dev);
		return;
	case QDISC_CAKE:
		if (want->bandwidth)
			snprintf(buf, size, "tc qdisc replace dev %s root "
				 "handle 3: cake bandwidth %llubit\n", dev,
				 (unsigned long long)want->bandwidth * 8);
		else
			snprintf(buf, size, "tc qdisc replace dev %s root "
				 "handle 3: cake\n", dev);
		return;
	case QDISC_NONE:
		break;
	}
	buf[0] = '\0';
}
