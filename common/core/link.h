/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CORE_LINK_H
#define MWAN_CORE_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/prefix.h"
#include "conf/conf.h"
#include "kernel/qdisc.h"

/* Who says what a link's gateway is; the first one that knows counts. */
enum gateway_from {
	GATEWAY_OF_CONF,	/* mwan.ini */
	GATEWAY_OF_TABLE,	/* a default of others in the link's own table */
	GATEWAY_OF_MAIN,	/* main's default by the link's device */
	GATEWAY_OF_HOOK,	/* mwan-rules up */
	GATEWAY_UNKNOWN,	/* nobody */
	GATEWAY_SELF,		/* somebody, and it is the link's own address */
	GATEWAY_LAN,		/* it does not matter: the LAN has its network */
};

/* A link's part of one address family. */
struct link_family {
	/* The one with a peer, which is pppd's, or the first; family 0: no
	 * address of a wider scope than the link.
	 */
	struct addr local;
	struct addr peer;
	bool narrow;		/* there is one of scope link or narrower */
	struct prefix net;	/* of local, where others are on it, too */
	struct addr gateway;	/* family 0: none, or none is known */
	enum gateway_from from;	/* who says so */
	bool needs_gateway;	/* the device alone leads nowhere */
	/* The kernel passes over its routes while there is no carrier, and takes
	 * them again when there is (ignore_routes_with_linkdown).
	 */
	bool skips_linkdown;
	/* Held, and another link is usable that is not: links_judge(). */
	bool held;
};

/* What exists of conf->link[i]: the line, not its interface alone. */
struct link {
	uint32_t ifindex;	/* 0: no such interface */
	bool up, carrier;
	bool shared, ppp;	/* of the interface, as struct iface has them */
	bool other;		/* pppd says: not the link's session */
	uint32_t mtu;
	uint32_t lan;		/* GATEWAY_LAN: the interface that has it */
	/* Verdicts, from the run directory. */
	bool drained;		/* put aside by mwan-rules drain */
	bool held[FAMILIES];	/* said to be up and to lead nowhere */
	bool poor;		/* drained for its loss or latency alone */
	struct link_family af[FAMILIES];
	int rp_filter;
	int arp_ignore, arp_announce;	/* -1: not our business, see read_arp() */
	struct qdisc qdisc;	/* only of an interface that is up */
	/* IPv6, where af.local is the link-local address that a session begins
	 * with. The prefixes whose packets the provider accepts, as far as
	 * known: of this session (known6), else of the one before.
	 */
	struct prefixes own6;
	bool known6;
	struct prefixes past6;	/* earlier ones */
	struct prefixes seen6;	/* what the kernel alone tells of them */
	bool has_own6;		/* it has an address that others gave it, ... */
	struct addr others6;	/* ... this one */
	struct addr ours6;	/* it has this one from us; family 0: none */
	/* ... and this one, which is not wanted any more. */
	struct addr stale6;
};

/* Can the link be used for this family: it exists, is its own session's, is up,
 * has carrier and an address, a gateway where it needs one, and in IPv6 a prefix
 * of its own?
 */
bool link_usable(const struct link *l, enum family f);

/* The address of IPv6 that it has, from others or else from us; family 0: none.
 */
const struct addr *link_address6(const struct link *l);

/* Does its default stay in its table? That of a usable link does; and that of one
 * which lacks its carrier alone, where the kernel passes over it until the
 * carrier is back: nobody calls us then.
 */
bool link_stays(const struct link *l, enum family f);

/* Is there everything but the gateway? If so, @err has the sentence about
 * it.
 */
bool link_lacks_gateway(const struct conf_link *want, const struct link *is,
			enum family f, struct err *err);

/* Have two of these usable links one IPv4 address (two modems as they came out of
 * the shop)?
 */
bool links_are_twins(const struct link *link, unsigned int n);

/* Is it pppd that makes the interface, and says why it does not? Without an
 * interface its name tells: pppd's own are ppp0, ppp1, ...
 */
bool link_is_pppd(const struct conf_link *want, const struct link *is);

/* Find out for each family which of the held links give way to another one. A
 * verdict is evidence and no authority over the last link: when every usable
 * link is held, none gives way.
 */
void links_judge(struct link *link, unsigned int n);

/* The order in which links are used: by tier, then those that are put aside,
 * and then those that are held. Also the metric of the route to the group of
 * that rank.
 */
enum { RANK_DRAINED = TIER_MAX + 1, RANK_HELD, RANKS };
unsigned int link_rank(const struct conf_link *want, const struct link *is,
		       enum family f);

#endif
