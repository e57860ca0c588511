// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/util.h"
#include "kernel/qdisc.h"

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
	/* Without ECHO the answer goes only to those who listen to RTNLGRP_TC
	 * (sch_api.c, qdisc_notify(), up to 6.2).
	 */
	struct nlmsghdr *nlh = begin(b, nl, RTM_GETQDISC, NLM_F_ECHO, ifindex,
				     parent, 0);

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

static bool root_is(const struct qdisc *is, const struct qdisc_conf *want)
{
	return !strcmp(is->kind, roots[want->kind].kind) &&
	       is->handle == roots[want->kind].handle &&
	       is->bandwidth == want->bandwidth;
}

/* Does band 1, 2 or 3 of the original's prio lack its sfq? */
static bool lacks_band(const struct qdisc *is, const struct qdisc_conf *want,
		       uint32_t band)
{
	if (want->kind != QDISC_PRIO_SFQ)
		return false;
	return !root_is(is, want) || !(is->sfq_bands & 1U << (band - 1));
}

const struct qdisc_conf *qdisc_conf_for(const struct qdisc_conf *q,
					bool shared)
{
	static const struct qdisc_conf own = { .kind = QDISC_NONE };
	static const struct qdisc_conf point = { .kind = QDISC_PRIO_SFQ };

	if (q->kind != QDISC_AUTO)
		return q;
	return shared ? &own : &point;
}

bool qdisc_matches(const struct qdisc *q, const struct qdisc_conf *want)
{
	uint32_t band;

	if (want->kind == QDISC_NONE)
		return true;
	for (band = 1; band <= QDISC_BANDS; band++)
		if (lacks_band(q, want, band))
			return false;
	return root_is(q, want);
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

/* Seconds; the original perturbs the first two. */
static int perturb(uint32_t band)
{
	return band < QDISC_BANDS ? SFQ_PERTURB : 0;
}

static int put_root(struct nl_batch *b, struct nl *nl, uint32_t ifindex,
		    const struct qdisc_conf *want)
{
	/* tc(8)'s own defaults: three bands, by the packet's TOS. */
	static const struct tc_prio_qopt prio = { .bands = QDISC_BANDS,
		.priomap = { 1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1 } };
	struct nlmsghdr *nlh = begin_set(b, nl, ifindex, TC_H_ROOT,
					 roots[want->kind].handle,
					 roots[want->kind].kind);
	struct nlattr *nest;

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
	return 0;
}

int qdisc_put_set(struct nl_batch *b, struct nl *nl, uint32_t ifindex,
		  const struct qdisc *is, const struct qdisc_conf *want)
{
	struct tc_sfq_qopt_v1 sfq = { 0 };
	struct nlmsghdr *nlh;
	uint32_t band;

	if (!root_is(is, want) && put_root(b, nl, ifindex, want))
		return -ENOSPC;
	for (band = 1; band <= QDISC_BANDS; band++) {
		if (!lacks_band(is, want, band))
			continue;
		nlh = begin_set(b, nl, ifindex, HANDLE_PRIO | band,
				HANDLE_SFQ * band, "sfq");
		if (!nlh)
			return -ENOSPC;
		sfq.v0.perturb_period = perturb(band);
		mnl_attr_put(nlh, TCA_OPTIONS, sizeof(sfq), &sfq);
		nl_end(b, nlh);
	}
	return 0;
}

void qdisc_print_set(const char *dev, const struct qdisc *is,
		     const struct qdisc_conf *want, FILE *out)
{
	uint32_t band;

	if (!root_is(is, want)) {
		fprintf(out, "tc qdisc replace dev %s root handle %u: %s", dev,
			TC_H_MAJ(roots[want->kind].handle) >> 16,
			roots[want->kind].kind);
		if (want->bandwidth)
			fprintf(out, " bandwidth %llubit",
				(unsigned long long)want->bandwidth * 8);
		fputc('\n', out);
	}
	for (band = 1; band <= QDISC_BANDS; band++)
		if (lacks_band(is, want, band))
			fprintf(out, "tc qdisc replace dev %s parent 1:%u "
				"handle %u0: sfq perturb %d\n", dev, band,
				band, perturb(band));
}

void qdisc_print_del(const char *dev, FILE *out)
{
	fprintf(out, "tc qdisc del dev %s root\n", dev);
}

/* "20mbit": tc(8)'s units of 1000; bits a second, kept as bytes a second. */
static int bandwidth(const char *text, uint64_t *out)
{
	static const struct {
		const char *name;
		uint64_t bits;
	} units[] = { { "bit", 1 }, { "kbit", 1000 }, { "mbit", 1000000 },
		      { "gbit", 1000000000 } };
	size_t digits = strspn(text, "0123456789"), i;
	char head[12];
	uint32_t n;

	if (!digits || digits >= sizeof(head))
		return -EINVAL;
	memcpy(head, text, digits);
	head[digits] = '\0';
	for (i = 0; i < COUNT(units); i++) {
		if (strcasecmp(text + digits, units[i].name) ||
		    u32_parse(head, 1, UINT32_MAX, &n))
			continue;
		*out = n * units[i].bits / 8;
		return *out ? 0 : -EINVAL;
	}
	return -EINVAL;
}

int qdisc_conf_parse(const char *text, struct qdisc_conf *q, struct err *err)
{
	static const char cake[] = "cake bandwidth ";

	*q = (struct qdisc_conf){ .kind = QDISC_NONE };
	if (!strcmp(text, "none"))
		return 0;
	q->kind = QDISC_AUTO;
	if (!strcmp(text, "auto"))
		return 0;
	q->kind = QDISC_PRIO_SFQ;
	if (!strcmp(text, "prio-sfq"))
		return 0;
	q->kind = QDISC_FQ_CODEL;
	if (!strcmp(text, "fq_codel"))
		return 0;
	q->kind = QDISC_CAKE;
	if (!strcmp(text, "cake") ||
	    (!strncmp(text, cake, strlen(cake)) &&
	     !bandwidth(text + strlen(cake), &q->bandwidth)))
		return 0;
	return err_set(err, -EINVAL, "qdisc = \"%s\" is none of: auto, none, "
		       "prio-sfq, fq_codel, cake, cake bandwidth 20mbit", text);
}

const char *qdisc_conf_text(const struct qdisc_conf *q, char *buf, size_t size)
{
	static const char *const names[] = {
		[QDISC_NONE] = "none", [QDISC_PRIO_SFQ] = "prio-sfq",
		[QDISC_FQ_CODEL] = "fq_codel", [QDISC_CAKE] = "cake",
		[QDISC_AUTO] = "auto",
	};

	static const char *const unit[] = { "bit", "kbit", "mbit", "gbit" };
	uint64_t bits = q->bandwidth * 8;
	size_t i = 0;

	/* bandwidth() reads numbers of 32 bits. */
	while (bits && !(bits % 1000) && i + 1 < COUNT(unit)) {
		bits /= 1000;
		i++;
	}
	if (q->bandwidth)
		snprintf(buf, size, "cake bandwidth %llu%s",
			 (unsigned long long)bits, unit[i]);
	else
		snprintf(buf, size, "%s", names[q->kind]);
	return buf;
}
