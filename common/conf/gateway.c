// SPDX-License-Identifier: MIT
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/util.h"
#include "conf/gateway.h"

enum {
	/* Two addresses, and room for what is too much. */
	WORDS_MAX = 3 * ADDR_TEXT,
};

static bool v4_possible(in_addr_t a)
{
	return a && !IN_MULTICAST(a) && !IN_BADCLASS(a) &&
	       a >> IN_CLASSA_NSHIFT != IN_LOOPBACKNET;
}

bool gateway_possible(const struct addr *a)
{
	if (a->family == AF_INET)
		return v4_possible(ntohl(a->v4.s_addr));
	return a->family == AF_INET6 && !IN6_IS_ADDR_MULTICAST(&a->v6) &&
	       !IN6_IS_ADDR_LOOPBACK(&a->v6) &&
	       !IN6_IS_ADDR_UNSPECIFIED(&a->v6) &&
	       !IN6_IS_ADDR_V4MAPPED(&a->v6);
}

static int add_word(struct gateway_conf *g, const char *word, struct err *err)
{
	struct addr a, *to;

	if (addr_parse(&a, word))
		return err_set(err, -EINVAL, "\"%s\" is neither auto nor none "
			       "nor an address", word);
	if (!gateway_possible(&a))
		return err_set(err, -EINVAL, "\"%s\" is no router's address",
			       word);
	to = &g->addr[a.family == AF_INET ? FAMILY_IPV4 : FAMILY_IPV6];
	if (to->family)
		return err_set(err, -EINVAL, "a link has one router of a "
			       "family, and here are two %s addresses; two "
			       "routers behind one card are two links, a "
			       "macvlan each", a.family == AF_INET ? "IPv4" :
			       "IPv6");
	g->how = GATEWAY_GIVEN;
	*to = a;
	return 0;
}

int gateway_parse(const char *text, struct gateway_conf *g, struct err *err)
{
	char words[WORDS_MAX], *word, *save;
	int code = 0;

	*g = (struct gateway_conf){ .how = GATEWAY_BY_DEVICE };
	if (!strcmp(text, "auto"))
		g->how = GATEWAY_AUTO;
	else if (!strcmp(text, "none"))
		g->how = GATEWAY_NONE;
	if (g->how != GATEWAY_BY_DEVICE)
		return 0;
	if (str_copy(words, sizeof(words), text))
		return err_set(err, -EINVAL, "it is auto, none, or an address "
			       "of a family or of each");
	for (word = strtok_r(words, " \t,", &save); word && !code;
	     word = strtok_r(NULL, " \t,", &save))
		code = add_word(g, word, err);
	if (!code && g->how == GATEWAY_BY_DEVICE)
		return err_set(err, -EINVAL, "there is no address");
	return code;
}

const char *gateway_text(const struct gateway_conf *g, char text[GATEWAY_TEXT])
{
	char addr[ADDR_TEXT];
	unsigned int f;

	*text = '\0';
	if (g->how == GATEWAY_AUTO)
		strcpy(text, "auto");
	else if (g->how == GATEWAY_NONE)
		strcpy(text, "none");
	for (f = 0; f < FAMILIES && g->how == GATEWAY_GIVEN; f++)
		if (g->addr[f].family)
			str_add(text, GATEWAY_TEXT, " ",
				addr_text(&g->addr[f], addr));
	return text;
}
