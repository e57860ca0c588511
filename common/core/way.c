// SPDX-License-Identifier: MIT
#include <linux/rtnetlink.h>

#include "core/way.h"

const struct route *way_default(const struct present *p, enum family f,
				uint32_t table)
{
	const struct route *best = NULL, *r;
	unsigned int i;

	for (i = 0; i < p->n_routes; i++) {
		r = &p->route[i];
		if (r->table == table && r->family == family_af(f) &&
		    !r->tos && (!best || r->metric < best->metric))
			best = r;
	}
	return best;
}

static bool add(struct way *w, const struct conf *conf,
		const struct present *p, uint32_t ifindex)
{
	int link = present_link_of(p, conf, ifindex);

	if (link >= 0 && w->n < LINKS_MAX)
		w->by[w->n++] = (uint8_t)link;
	return link >= 0;
}

void way_of_route(struct way *w, const struct conf *conf,
		  const struct present *p, const struct route *r)
{
	const struct nexthop *nh = present_nexthop(p, r->nhid), *member;
	unsigned int i;

	w->n = 0;
	w->other = NULL;
	if (r->type != RTN_UNICAST)
		return;
	for (i = 0; nh && i < nh->n_members; i++) {
		member = present_nexthop(p, nh->member[i].id);
		if (member)
			(void)add(w, conf, p, member->ifindex);
	}
	if (nh && !nh->n_members)
		(void)add(w, conf, p, nh->ifindex);
	else if (!nh && !add(w, conf, p, r->ifindex))
		w->other = r;
}

bool way_of_link(struct way *w, const struct conf *conf,
		 const struct present *p, enum family f, unsigned int i)
{
	uint32_t table = conf->link[i].table;
	const struct route *r = NULL;

	w->n = 0;
	w->other = NULL;
	/* Without rules for marks they are the administrator's own. */
	if (present_has_mark(p, f, table) || !present_has_mark(p, f, 0))
		r = way_default(p, f, table);
	if (!r)
		r = way_default(p, f, conf->standby_table);
	if (r)
		way_of_route(w, conf, p, r);
	return r;
}

void way_wanted(struct way *w, const struct conf *conf,
		const struct present *p, enum family f, int i)
{
	const struct link *is = p->link;
	unsigned int k, rank, best = RANKS;

	w->n = 0;
	w->other = NULL;
	if (i >= 0 && link_usable(&is[i], f) && !is[i].af[f].held) {
		w->by[w->n++] = (uint8_t)i;
		return;
	}
	for (k = 0; k < conf->n_links; k++) {
		rank = link_rank(&conf->link[k], &is[k], f);
		if (!link_usable(&is[k], f) || rank > best)
			continue;
		if (rank < best)
			w->n = 0;
		best = rank;
		w->by[w->n++] = (uint8_t)k;
	}
}
