/* SPDX-License-Identifier: MIT */
#ifndef MWAN_UNIT_MODEL_H
#define MWAN_UNIT_MODEL_H

#include "core/plan.h"

/* A model of what the kernel does with routes, rules and nexthops, for
 * tests without one: the operations of a plan change it, observe() reads it as
 * present_read() would, and find_path() says where it sends a packet. Its
 * device of number N is the interface pppN.
 */
enum {
	DEV_FOREIGN = LINKS_MAX,	/* an interface that is no link */
	DEVS,
	K_ROUTES = PRESENT_ROUTES_MAX + 1036,
	K_NEXTHOPS = 1024,
	K_RULES = PRESENT_RULES_MAX + 1036,
	K_STUCK = 64,
};

struct dev {
	uint32_t ifindex;	/* 0: no such interface */
	bool up, carrier;
	uint32_t mtu;
	struct addr local;
	struct addr peer;	/* family 0: none */
	struct addr extra;	/* one more; family 0: none */
	/* What IPV6CP has agreed on, what the line's provider takes from it, and
	 * the address that we have given it; family 0: none.
	 */
	struct addr local6, peer6, ours6[2];
	struct prefixes own6;
	/* On Ethernet, whose routes need a gateway; family 0: none is known. */
	bool shared;
	struct addr gateway;
	bool skips_linkdown;
	int rp_filter;
	struct qdisc qdisc;
};

struct object {
	struct nexthop nh;
	struct nexthop_member member[LINKS_MAX];
};

/* Connections that were given this address, which is gone. */
struct stuck {
	struct addr addr;
	unsigned int dev;
};

struct kernel {
	unsigned int n_devs;
	uint32_t last_ifindex;
	struct dev dev[DEVS];
	bool masquerade;
	/* There is another configuration, and no complete run since. */
	bool changed;
	unsigned int n_routes, n_nexthops, n_rules, n_stuck;
	struct route route[K_ROUTES];	/* a table's in its order */
	struct object nexthop[K_NEXTHOPS];
	struct rule rule[K_RULES];	/* in their order */
	struct stuck stuck[K_STUCK];
	int rp_filter_all, ip_forward, hash_policy, hash_fields;
	bool flows[DEVS];	/* connections with the link's mark */
	bool strays;		/* what began without masquerading */
	/* Which configuration the nftables table was made from, and the marks
	 * that it gives.
	 */
	unsigned int nft, n_marks;
	uint32_t mark[LINKS_MAX];
	uint32_t mtu[DEVS];	/* what its map has of a device; 0: nothing */
};

/* What the test says: the configuration, the verdicts on its links, and a
 * number that is another one whenever its ruleset is.
 */
extern struct conf conf;
extern bool drained[LINKS_MAX], held[LINKS_MAX];
extern unsigned int conf_serial;

/* What observe() has seen, and the named sets of a ruleset without rules: the
 * kernel's table is intact when it has no chains either.
 */
extern struct present present;
extern struct ruleset ruleset;

/* The plan whose operations do_op() carries out. */
extern struct plan plan;

unsigned int dev_number(unsigned int link);
struct dev *dev_of_link(struct kernel *k, unsigned int link);
struct dev *dev_of(struct kernel *k, uint32_t ifindex);
struct object *object_of(struct kernel *k, uint32_t id);
bool addr_present(const struct kernel *k, const struct addr *a);
bool table_known(uint32_t table);
bool route_same(const struct route *a, const struct route *b);

/* Can it carry packets, of IPv4, of IPv6? */
bool alive(const struct dev *d);
bool alive6(const struct dev *d);

/* It lacks its carrier alone, and its routes are passed over until that is
 * back.
 */
bool waits(const struct dev *d);
bool passed_over(struct kernel *k, const struct route *r);

/* Links ppp0, ppp1 ... of tier 1, with no queue and no setting to change; and
 * an empty kernel before them.
 */
void conf_of_links(unsigned int n);
void model_begin(struct kernel *k, unsigned int n_links);

/* Copy only what is in use. */
void kernel_copy(struct kernel *to, const struct kernel *from);

/* What happens to an interface: it comes with this address, goes, goes down, or
 * its address goes.
 */
void dev_add(struct kernel *k, unsigned int dev, struct addr local);
void dev_gone(struct kernel *k, unsigned int dev);
void dev_down(struct kernel *k, unsigned int dev);
void addr_drop(struct kernel *k, unsigned int dev);

/* What somebody does to it. Those that can be refused return 0 or a negative
 * errno, as the kernel would.
 */
void route_drop(struct kernel *k, unsigned int i);
void rule_drop(struct kernel *k, unsigned int i);
void nexthop_drop(struct kernel *k, uint32_t id);
void nexthops_drop(struct kernel *k, uint32_t ifindex);
void stuck_drop(struct kernel *k, unsigned int i);
int do_nexthop_set(struct kernel *k, const struct nexthop *nh);
int do_route_add(struct kernel *k, const struct route *r);
int do_rule_add(struct kernel *k, const struct rule *r);
int do_nft(struct kernel *k, bool load);
int do_op(struct kernel *k, const struct op *op);

/* Read, plan and carry out, until nothing is left to do; then read once more.
 * Returns false when that has no end.
 */
bool settle(struct kernel *k, enum plan_goal goal);

/* Read into present what a run for @goal would see. */
void observe(struct kernel *k, enum plan_goal goal);

/* --- where a packet goes --- */

struct path {
	uint32_t table;		/* that of its route */
	uint8_t nowhere;	/* the type of the route that refuses it */
	unsigned int n;
	const struct dev *dev[LINKS_MAX];
};

/* By the rules, for a packet with @mark, from the router's own address @from or
 * (NULL) from elsewhere. Main is empty.
 */
void find_path(struct kernel *k, uint32_t mark, const struct addr *from,
	       struct path *w);

/* The same of IPv6, from an address of the prefix @from. */
void find_path6(struct kernel *k, uint32_t mark, const struct prefix *from,
		struct path *w);

/* By the first route of a table for IPv4; false: it has none. */
bool way_of_table(struct kernel *k, uint32_t table, struct path *w);

/* Is there a way, and is it good for everything that takes it? */
bool good_way(struct kernel *k, uint32_t mark);
bool only_way(const struct path *w, const struct dev *d);

#endif
