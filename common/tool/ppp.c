// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "conf/gateway.h"
#include "tool/ppp.h"

/* pppd 2.4.9 and 2.5: the places in ip-up's and ip-down's argv. */
enum { ARG_IFNAME = 1, ARG_LOCAL = 4, ARG_REMOTE = 5 };

enum { NUMBER_LEN_MAX = 20 };

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

/* pppd counts in 64 bits at the most; anything else comes from somebody who may
 * set the variables of his own pppd.
 */
static const char *number_variable(const char *name)
{
	const char *value = variable(name);
	size_t len = strspn(value, "0123456789");

	return value[len] || len > NUMBER_LEN_MAX ? "" : value;
}

/* The variables of a family, and what its addresses are called. */
static const struct {
	const char *local, *peer, *what, *example;
} words[FAMILIES] = {
	[FAMILY_IPV4] = { "IPLOCAL", "IPREMOTE", "an IPv4",
			  "IPLOCAL=192.0.2.1" },
	[FAMILY_IPV6] = { "LLLOCAL", "LLREMOTE", "an IPv6",
			  "LLLOCAL=fe80::1" },
};

static const char *local_variable(enum family f)
{
	if (f == FAMILY_IPV6)
		return variable("LLLOCAL");
	return variable("IPLOCAL");
}

static const char *peer_variable(enum family f)
{
	if (f == FAMILY_IPV6)
		return variable("LLREMOTE");
	return variable("IPREMOTE");
}

static int read_addr(struct addr *a, enum family f, const char *text,
		     const char *name, struct err *err)
{
	memset(a, 0, sizeof(*a));
	if (!*text)
		return 0;
	if (addr_parse(a, text) || a->family != family_af(f))
		return err_set(err, -EINVAL, "%s \"%s\" is not %s address",
			       name, text, words[f].what);
	return 0;
}

static void read_resolver(struct addr *a, const char *text)
{
	if (addr_parse(a, text) || !gateway_possible(a))
		a->family = 0;
}

/* Is a hook that is called by this path one of IPv6: ipv6-up.local, or whatever
 * is in ipv6-up.d?
 */
static bool is_ipv6(const char *path)
{
	static const char word[] = "ipv6-";
	const char *name = strrchr(path, '/'), *dir = name;

	if (!strncmp(name ? name + 1 : path, word, sizeof(word) - 1))
		return true;
	while (dir && dir > path && dir[-1] != '/')
		dir--;
	return dir && !strncmp(dir, word, sizeof(word) - 1);
}

static enum family family_of(const char *hook, const char *local)
{
	struct addr a;

	if (local && *local && !addr_parse(&a, local))
		return addr_family(&a);
	return hook && is_ipv6(hook) ? FAMILY_IPV6 : FAMILY_IPV4;
}

int ppp_event_read(struct ppp_event *e, bool up, int argc, char **argv,
		   struct err *err)
{
	bool args = argc > ARG_REMOTE;
	const char *ifname = args ? argv[ARG_IFNAME] : variable("IFNAME");
	enum family f = family_of(argv[0], args ? argv[ARG_LOCAL] : NULL);
	const char *local = args ? argv[ARG_LOCAL] : local_variable(f);
	const char *peer = args ? argv[ARG_REMOTE] : peer_variable(f);
	int code;

	*e = (struct ppp_event){ .up = up, .family = f };
	read_resolver(&e->resolver[0], variable("DNS1"));
	read_resolver(&e->resolver[1], variable("DNS2"));
	e->connect_time = number_variable("CONNECT_TIME");
	e->sent = number_variable("BYTES_SENT");
	e->received = number_variable("BYTES_RCVD");
	if (argc > 1 && !args)
		return err_set(err, -EINVAL, "pppd gives five or six "
			       "arguments, not %d: ifname tty speed local "
			       "remote [ipparam]", argc - 1);
	if (!*ifname)
		return err_set(err, -EINVAL, "IFNAME is missing: pppd sets "
			       "it, or try IFNAME=ppp0 %s", words[f].example);
	if (!ifname_valid(ifname) ||
	    str_copy(e->ifname, sizeof(e->ifname), ifname))
		return err_set(err, -EINVAL, "IFNAME \"%s\" " IFNAME_RULE,
			       ifname);
	if (up && !*local)
		return err_set(err, -EINVAL, "%s is missing: %s came up "
			       "with what address?", words[f].local, ifname);
	code = read_addr(&e->local, f, local, words[f].local, err);
	if (!code)
		code = read_addr(&e->peer, f, peer, words[f].peer, err);
	return code;
}

int ppp_event_told(struct ppp_event *e, bool up, int n, char **word,
		   struct err *err)
{
	*e = (struct ppp_event){ .up = up, .connect_time = "", .sent = "",
				 .received = "" };
	if (!ifname_valid(word[0]) ||
	    str_copy(e->ifname, sizeof(e->ifname), word[0]))
		return err_expected(err, "an interface's name", word[0]);
	if (n > 1 && addr_parse(&e->local, word[1]))
		return err_expected(err, "an address", word[1]);
	e->family = addr_family(&e->local);
	if (n > 2 && (addr_parse(&e->gateway, word[2]) ||
		      e->gateway.family != e->local.family ||
		      !gateway_possible(&e->gateway)))
		return err_expected(err, "a router's address of the same "
				    "family", word[2]);
	return 0;
}
