// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
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

static int read_addr(struct addr *a, const char *text, const char *name,
		     struct err *err)
{
	memset(a, 0, sizeof(*a));
	if (!*text)
		return 0;
	if (addr_parse(a, text) || a->family != AF_INET)
		return err_set(err, -EINVAL, "%s \"%s\" is not an IPv4 "
			       "address", name, text);
	return 0;
}

int ppp_event_read(struct ppp_event *e, bool up, int argc, char **argv,
		   struct err *err)
{
	bool args = argc > ARG_REMOTE;
	const char *ifname = args ? argv[ARG_IFNAME] : variable("IFNAME");
	const char *local = args ? argv[ARG_LOCAL] : variable("IPLOCAL");
	const char *peer = args ? argv[ARG_REMOTE] : variable("IPREMOTE");
	int code;

	*e = (struct ppp_event){ .up = up };
	e->connect_time = number_variable("CONNECT_TIME");
	e->sent = number_variable("BYTES_SENT");
	e->received = number_variable("BYTES_RCVD");
	if (argc > 1 && !args)
		return err_set(err, -EINVAL, "pppd gives five or six "
			       "arguments, not %d: ifname tty speed local "
			       "remote [ipparam]", argc - 1);
	if (!*ifname)
		return err_set(err, -EINVAL, "IFNAME is missing: pppd sets "
			       "it, or try IFNAME=ppp0 IPLOCAL=192.0.2.1");
	if (!ifname_valid(ifname) ||
	    str_copy(e->ifname, sizeof(e->ifname), ifname))
		return err_set(err, -EINVAL, "IFNAME \"%s\" " IFNAME_RULE,
			       ifname);
	if (up && !*local)
		return err_set(err, -EINVAL, "IPLOCAL is missing: %s came up "
			       "with what address?", ifname);
	code = read_addr(&e->local, local, "IPLOCAL", err);
	if (!code)
		code = read_addr(&e->peer, peer, "IPREMOTE", err);
	return code;
}
