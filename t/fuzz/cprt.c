// SPDX-License-Identifier: MIT
/* Routes of any kind, one by one, two by two, and whole tables that cprt makes
 * equal.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "copy/copy.h"
#include "copy/route_command.h"
#include "copy/rtmsg.h"
#include "fuzz.h"
#include "kernel.h"

enum { SRC = 201, DST = 202, NOW = 1000 };

/* As the kernel sent it, made ours, and that made ours again. */
static char in[NL_RX_SIZE] __attribute__((aligned(8)));
static char route[2][RTMSG_MAX] __attribute__((aligned(8)));
static char again[RTMSG_MAX] __attribute__((aligned(8)));
static char text[RTTEXT_MAX];
static struct nl nl;
static struct copy copy;

static int sign(int d)
{
	return (d > 0) - (d < 0);
}

static void check_text(const struct nlmsghdr *nlh)
{
	int code = rttext(nlh, text, sizeof(text));

	must(!code || code == -ENOSPC || code == -ENOTSUP);
	must(strnlen(text, sizeof(text)) < sizeof(text));
	must(fuzz_one_line(text));
	must(!strncmp(text, "ip -", 4));
}

/* What is normal stays as it is. */
static void check_normal(const struct nlmsghdr *nlh,
			 const struct rtmsg_key *key)
{
	struct rtmsg_key same;
	int len;

	rtmsg_key(nlh, &same);
	must(!rtmsg_key_cmp(key, &same) && rtmsg_equal(nlh, nlh));
	if (nlh->nlmsg_pid || nlh->nlmsg_len > RTMSG_MAX - 64)
		return;
	len = rtmsg_normalise(nlh, DST, NOW, again, &same);
	must(len == (int)nlh->nlmsg_len);
	must(!memcmp(again, nlh, nlh->nlmsg_len));
}

/* Returns whether there is a route in it. */
static bool check_route(const struct nlmsghdr *nlh, char *out)
{
	const struct nlmsghdr *normal = (const void *)out;
	struct rtmsg_key key;
	uint8_t family;
	int len;

	rtmsg_table(nlh, &family);
	len = rtmsg_normalise(nlh, DST, NOW, out, &key);
	must(len >= 0 || len == -EBADMSG);
	if (len <= 0)
		return false;
	must(len <= RTMSG_MAX && !(len & (int)(NLMSG_ALIGNTO - 1)));
	must(normal->nlmsg_len == (uint32_t)len);
	check_normal(normal, &key);
	check_text(normal);
	return true;
}

static void check_pair(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	struct rtmsg_key ka, kb;
	int len;

	rtmsg_key(a, &ka);
	rtmsg_key(b, &kb);
	must(sign(rtmsg_key_cmp(&ka, &kb)) == -sign(rtmsg_key_cmp(&kb, &ka)));
	must(rtmsg_equal(a, b) == rtmsg_equal(b, a));
	rtmsg_mistakable(a, b);
	if (!rtmsg_is_leg(a) || !rtmsg_is_leg(b))
		return;
	len = rtmsg_join(a, b, again, sizeof(again));
	must(len == -EMSGSIZE || (len > 0 && len <= RTMSG_MAX));
	if (len < 0)
		return;
	check_text((const void *)again);
	rtmsg_keep_first_leg((void *)again);
	must(((struct nlmsghdr *)(void *)again)->nlmsg_len <= (uint32_t)len);
}

static void check_messages(const uint8_t *data, size_t len)
{
	struct nlmsghdr *nlh = (void *)in;
	int left = (int)(len < sizeof(in) ? len : sizeof(in));
	unsigned int n = 0;

	memcpy(in, data, (size_t)left);
	while (left >= (int)sizeof(*nlh)) {
		if (nlh->nlmsg_len < sizeof(*nlh) ||
		    nlh->nlmsg_len > (uint32_t)left)
			nlh->nlmsg_len = (uint32_t)left;
		if (check_route(nlh, route[n % 2]) && n++)
			check_pair((const void *)route[0],
				   (const void *)route[1]);
		nlh = mnl_nlmsg_next(nlh, &left);
	}
}

static void check_copy(void)
{
	const struct nlmsghdr *no = NULL;
	struct err err = { "" };
	const char *why;
	size_t n = 0;
	int code;

	kernel_open(&nl);
	copy_init(&copy, SRC, DST, false);
	code = copy_run(&copy, &nl, &err);
	must(!code || fuzz_explained(code, err.msg));
	while ((no = copy_refused(&copy, no, &why)))
		must(*why && ++n);
	must(n == copy.count.refused || code);
	copy_release(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *messages;
	struct part head;

	kernel_begin(data, size);
	while ((messages = kernel_part(RTM_GETROUTE, &head)))
		check_messages(messages, head.len);
	kernel_begin(data, size);
	check_copy();
	return 0;
}
