// SPDX-License-Identifier: MIT
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "core/link.h"

static bool has_gateway(const struct link_family *af)
{
	return !af->needs_gateway || af->gateway.family;
}

/* Everything but the carrier and the gateway. */
static bool is_there(const struct link *l, enum family f)
{
	return l->ifindex && !l->other && l->up && l->af[f].local.family &&
	       (f != FAMILY_IPV6 || l->known6);
}

bool link_usable(const struct link *l, enum family f)
{
	return is_there(l, f) && l->carrier && has_gateway(&l->af[f]);
}

const struct addr *link_address6(const struct link *l)
{
	return l->has_own6 ? &l->others6 : &l->ours6;
}

bool link_stays(const struct link *l, enum family f)
{
	return is_there(l, f) && has_gateway(&l->af[f]) &&
	       (l->carrier || (l->shared && l->af[f].skips_linkdown));
}

bool link_lacks_gateway(const struct conf_link *want, const struct link *is,
			enum family f, struct err *err)
{
	char lan[IFNAMSIZ], net[PREFIX_TEXT];

	if (!is_there(is, f) || !is->carrier || has_gateway(&is->af[f]))
		return false;
	if (is->af[f].from == GATEWAY_LAN) {
		if (!if_indextoname(is->lan, lan))
			strcpy(lan, "the LAN");
		err_set(err, -EHOSTUNREACH, "%s is not used, as its network "
			"%s is %s's, too, and what is for the hosts there might "
			"leave by %s: give the router on %s, or the LAN, other "
			"addresses; if %s is no part of the LAN, say what is, "
			"with \"lan = INTERFACE\" in mwan.ini", want->name,
			prefix_text(&is->af[f].net, net), lan, want->name,
			want->name, lan);
		return true;
	}
	err_set(err, -EHOSTUNREACH, "%s is not used, as %s: write \"gateway = "
		"ADDRESS\" below [link %s] in mwan.ini, or have its DHCP client "
		"call \"mwan-rules up\", see mwan.ini(5)", want->name,
		is->af[f].from == GATEWAY_SELF ?
		"what is said to be its gateway is its own address" :
		"nobody says who its gateway is", want->name);
	return true;
}

bool links_are_twins(const struct link *link, unsigned int n)
{
	unsigned int i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < i && link[i].shared; k++)
			if (link[k].shared && link_usable(&link[i], FAMILY_IPV4) &&
			    link_usable(&link[k], FAMILY_IPV4) &&
			    addr_equal(&link[i].af[FAMILY_IPV4].local,
				       &link[k].af[FAMILY_IPV4].local))
				return true;
	return false;
}

bool link_is_pppd(const struct conf_link *want, const struct link *is)
{
	return *want->linkname || is->ppp || !strncmp(want->name, "ppp", 3);
}

static void judge(struct link *link, unsigned int n, enum family f)
{
	bool others = false;
	unsigned int i;

	for (i = 0; i < n; i++)
		others = others || (!link[i].held[f] && link_usable(&link[i], f));
	for (i = 0; i < n; i++)
		link[i].af[f].held = others && link[i].held[f];
}

void links_judge(struct link *link, unsigned int n)
{
	judge(link, n, FAMILY_IPV4);
	judge(link, n, FAMILY_IPV6);
}

unsigned int link_rank(const struct conf_link *want, const struct link *is,
		       enum family f)
{
	return is->af[f].held ? RANK_HELD : is->drained ? RANK_DRAINED :
	       want->tier;
}
