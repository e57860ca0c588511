// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "kernel/sysctl.h"

const char *const sysctl_hash_policy[FAMILIES] = {
	[FAMILY_IPV4] = "net/ipv4/fib_multipath_hash_policy",
	[FAMILY_IPV6] = "net/ipv6/fib_multipath_hash_policy",
};

const char *const sysctl_hash_fields[FAMILIES] = {
	[FAMILY_IPV4] = "net/ipv4/fib_multipath_hash_fields",
	[FAMILY_IPV6] = "net/ipv6/fib_multipath_hash_fields",
};

void sysctl_rp_filter_path(const char *dev, char path[SYSCTL_PATH_MAX])
{
	snprintf(path, SYSCTL_PATH_MAX, "net/ipv4/conf/%s/rp_filter", dev);
}

void sysctl_linkdown_path(const char *dev, enum family f,
			  char path[SYSCTL_PATH_MAX])
{
	snprintf(path, SYSCTL_PATH_MAX,
		 "net/ipv%c/conf/%s/ignore_routes_with_linkdown",
		 f == FAMILY_IPV4 ? '4' : '6', dev);
}

void sysctl_arp_path(const char *dev, enum sysctl_arp which,
		     char path[SYSCTL_PATH_MAX])
{
	snprintf(path, SYSCTL_PATH_MAX, "net/ipv4/conf/%s/arp_%s", dev,
		 which == ARP_IGNORE ? "ignore" : "announce");
}

struct dump {
	sysctl_cb cb;
	void *data;
};

static int on_netconf(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN + 1];
	const struct dump *d = data;
	struct sysctl s;
	int ifindex;

	if (nlh->nlmsg_type != RTM_NEWNETCONF)
		return 0;
	/* The header is one byte, and what follows it is aligned. */
	if (nl_attrs(nlh, NLMSG_ALIGN(sizeof(struct netconfmsg)), tb,
		     NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN))
		return -EBADMSG;
	ifindex = (int)nl_u32(tb[NETCONFA_IFINDEX]);
	if (ifindex != NETCONFA_IFINDEX_ALL && ifindex <= 0)
		return 0;
	s.ifindex = ifindex > 0 ? (uint32_t)ifindex : 0;
	s.rp_filter = (int)nl_u32(tb[NETCONFA_RP_FILTER]);
	s.forwarding = (int)nl_u32(tb[NETCONFA_FORWARDING]);
	s.linkdown = (int)nl_u32(tb[NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN]);
	return d->cb(&s, d->data);
}

int sysctl_dump(struct nl *nl, sysctl_cb cb, void *data, struct err *err)
{
	static const struct netconfmsg head = { .ncm_family = AF_INET };
	struct dump d = { .cb = cb, .data = data };
	struct nl_ask ask;

	nl_ask(&ask, nl, RTM_GETNETCONF, &head, sizeof(head));
	return err_prefix(err, nl_ask_dump(&ask, on_netconf, &d, err),
			  "cannot read the sysctls of IPv4");
}

bool sysctl_rp_strict(int all, int own)
{
	return (all > own ? all : own) == RP_STRICT;
}

int sysctl_read(const char *path)
{
	char full[SYSCTL_PATH_MAX + 16], text[16];
	ssize_t n;

	snprintf(full, sizeof(full), "/proc/sys/%s", path);
	n = file_read(AT_FDCWD, full, text, sizeof(text), FILE_ANY, NULL);
	if (n == -ENOENT || n == -EACCES)
		return -1;
	return n > 0 ? (int)strtol(text, NULL, 10) : SYSCTL_UNKNOWN;
}

int sysctl_write(const char *path, int value, struct err *err)
{
	char full[SYSCTL_PATH_MAX + 16], text[16];
	int len = snprintf(text, sizeof(text), "%d\n", value);
	int code = 0, fd;

	snprintf(full, sizeof(full), "/proc/sys/%s", path);
	fd = open(full, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)len) != len)
		code = err_set(err, -errno, "cannot set /proc/sys/%s to %d: "
			       "%s%s", path, value, strerror(errno),
			       errno == EROFS ? "; set it outside of this "
			       "container, and sysctl = no in mwan.ini" :
			       err_advice(-errno));
	if (fd >= 0)
		close(fd);
	return code;
}

void sysctl_print(const char *path, int value, FILE *out)
{
	fprintf(out, "sysctl -w %s=%d\n", path, value);
}
