// SPDX-License-Identifier: MIT
/* The functions of libmnl that we call, for t/cross alone: Debian has no
 * libmnl for 32-bit big-endian machines, and the programs' own arithmetic is
 * what the test is for. What we ship is linked with libmnl itself.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>

struct mnl_socket {
	int fd;
	struct sockaddr_nl addr;
};

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	struct mnl_socket *nl = calloc(1, sizeof(*nl));

	if (!nl)
		return NULL;
	nl->fd = socket(AF_NETLINK, SOCK_RAW | flags, bus);
	if (nl->fd >= 0)
		return nl;
	free(nl);
	return NULL;
}

struct mnl_socket *mnl_socket_fdopen(int fd)
{
	struct mnl_socket *nl = calloc(1, sizeof(*nl));

	if (nl)
		nl->fd = fd;
	return nl;
}

int mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	socklen_t len = sizeof(nl->addr);

	nl->addr = (struct sockaddr_nl){ .nl_family = AF_NETLINK,
					 .nl_pid = (uint32_t)pid,
					 .nl_groups = groups };
	if (bind(nl->fd, (const void *)&nl->addr, len))
		return -1;
	return getsockname(nl->fd, (void *)&nl->addr, &len);
}

int mnl_socket_close(struct mnl_socket *nl)
{
	int code = close(nl->fd);

	free(nl);
	return code;
}

int mnl_socket_get_fd(const struct mnl_socket *nl)
{
	return nl->fd;
}

unsigned int mnl_socket_get_portid(const struct mnl_socket *nl)
{
	return nl->addr.nl_pid;
}

int mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *buf,
			  socklen_t len)
{
	return setsockopt(nl->fd, SOL_NETLINK, type, buf, len);
}

static uint32_t align(size_t len)
{
	return (uint32_t)((len + MNL_ALIGNTO - 1) & ~(size_t)(MNL_ALIGNTO - 1));
}

struct nlmsghdr *mnl_nlmsg_put_header(void *buf)
{
	struct nlmsghdr *nlh = memset(buf, 0, sizeof(*nlh));

	nlh->nlmsg_len = sizeof(*nlh);
	return nlh;
}

void *mnl_nlmsg_get_payload_tail(const struct nlmsghdr *nlh)
{
	return (char *)nlh + align(nlh->nlmsg_len);
}

void *mnl_nlmsg_put_extra_header(struct nlmsghdr *nlh, size_t size)
{
	void *head = mnl_nlmsg_get_payload_tail(nlh);

	nlh->nlmsg_len += align(size);
	return memset(head, 0, align(size));
}

void *mnl_nlmsg_get_payload_offset(const struct nlmsghdr *nlh, size_t offset)
{
	return (char *)nlh + sizeof(*nlh) + align(offset);
}

void *mnl_nlmsg_get_payload(const struct nlmsghdr *nlh)
{
	return (char *)nlh + sizeof(*nlh);
}

size_t mnl_nlmsg_get_payload_len(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_len - sizeof(*nlh);
}

bool mnl_nlmsg_ok(const struct nlmsghdr *nlh, int len)
{
	return len >= (int)sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) &&
		(int)nlh->nlmsg_len <= len;
}

struct nlmsghdr *mnl_nlmsg_next(const struct nlmsghdr *nlh, int *len)
{
	*len -= (int)align(nlh->nlmsg_len);
	return mnl_nlmsg_get_payload_tail(nlh);
}

uint16_t mnl_attr_get_type(const struct nlattr *attr)
{
	return attr->nla_type & (uint16_t)NLA_TYPE_MASK;
}

uint16_t mnl_attr_get_payload_len(const struct nlattr *attr)
{
	return (uint16_t)(attr->nla_len - sizeof(*attr));
}

void *mnl_attr_get_payload(const struct nlattr *attr)
{
	return (char *)attr + sizeof(*attr);
}

bool mnl_attr_ok(const struct nlattr *attr, int len)
{
	return len >= (int)sizeof(*attr) && attr->nla_len >= sizeof(*attr) &&
		(int)attr->nla_len <= len;
}

struct nlattr *mnl_attr_next(const struct nlattr *attr)
{
	return (void *)((char *)attr + align(attr->nla_len));
}

uint8_t mnl_attr_get_u8(const struct nlattr *attr)
{
	return *(const uint8_t *)mnl_attr_get_payload(attr);
}

uint16_t mnl_attr_get_u16(const struct nlattr *attr)
{
	return *(const uint16_t *)mnl_attr_get_payload(attr);
}

uint32_t mnl_attr_get_u32(const struct nlattr *attr)
{
	return *(const uint32_t *)mnl_attr_get_payload(attr);
}

uint64_t mnl_attr_get_u64(const struct nlattr *attr)
{
	uint64_t value;

	memcpy(&value, mnl_attr_get_payload(attr), sizeof(value));
	return value;
}

void mnl_attr_put(struct nlmsghdr *nlh, uint16_t type, size_t len,
		  const void *data)
{
	struct nlattr *attr = mnl_nlmsg_get_payload_tail(nlh);
	char *to = mnl_attr_get_payload(attr);

	attr->nla_type = type;
	attr->nla_len = (uint16_t)(sizeof(*attr) + len);
	memset(to, 0, align(len));
	if (len)
		memcpy(to, data, len);
	nlh->nlmsg_len += align(attr->nla_len);
}

void mnl_attr_put_u8(struct nlmsghdr *nlh, uint16_t type, uint8_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_u16(struct nlmsghdr *nlh, uint16_t type, uint16_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_u32(struct nlmsghdr *nlh, uint16_t type, uint32_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_u64(struct nlmsghdr *nlh, uint16_t type, uint64_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_strz(struct nlmsghdr *nlh, uint16_t type, const char *data)
{
	mnl_attr_put(nlh, type, strlen(data) + 1, data);
}

struct nlattr *mnl_attr_nest_start(struct nlmsghdr *nlh, uint16_t type)
{
	struct nlattr *start = mnl_nlmsg_get_payload_tail(nlh);

	start->nla_type = NLA_F_NESTED | type;
	nlh->nlmsg_len += align(sizeof(*start));
	return start;
}

void mnl_attr_nest_end(struct nlmsghdr *nlh, struct nlattr *start)
{
	start->nla_len = (uint16_t)((char *)mnl_nlmsg_get_payload_tail(nlh) -
				    (char *)start);
}
