// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/util.h"
#include "kernel/sock.h"

enum {
	/* What is closing ends by itself, and a socket that listens is none
	 * of a line's.
	 */
	STATES = 1 << TCP_ESTABLISHED | 1 << TCP_SYN_SENT |
		 1 << TCP_CLOSE_WAIT,
};

struct dump {
	const struct addr *local;
	sock_cb cb;
	void *data;
};

/* ::ffff:192.0.2.1 */
static bool is_mapped(const __be32 word[4])
{
	return !word[0] && !word[1] && word[2] == htonl(0xffff);
}

static unsigned int v4_word(uint8_t family)
{
	return family == AF_INET6 ? 3 : 0;
}

static int on_sock(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	const struct dump *dump = data;
	struct sock s;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg))
		return -EBADMSG;
	s.family = msg->idiag_family;
	s.id = msg->id;
	if (s.family == AF_INET6 && !is_mapped(s.id.idiag_src))
		return 0;
	addr_set(&s.source, &s.id.idiag_src[v4_word(s.family)],
		 sizeof(uint32_t));
	addr_set(&s.destination, &s.id.idiag_dst[v4_word(s.family)],
		 sizeof(uint32_t));
	s.source_port = ntohs(s.id.idiag_sport);
	s.destination_port = ntohs(s.id.idiag_dport);
	return addr_equal(&s.source, dump->local) ? dump->cb(&s, dump->data) :
						    0;
}

int sock_dump(struct nl *nl, const struct addr *local, sock_cb cb, void *data,
	      struct err *err)
{
	static const uint8_t family[] = { AF_INET, AF_INET6 };
	struct inet_diag_req_v2 req = { .sdiag_protocol = IPPROTO_TCP,
					.idiag_states = STATES };
	struct dump dump = { .local = local, .cb = cb, .data = data };
	struct nl_ask ask;
	unsigned int i;
	int code = 0;

	for (i = 0; i < COUNT(family) && !code; i++) {
		req.sdiag_family = family[i];
		nl_ask(&ask, nl, SOCK_DIAG_BY_FAMILY, &req, sizeof(req));
		code = nl_ask_dump(&ask, on_sock, &dump, err);
	}
	return code;
}

int sock_end(struct nl *nl, const struct sock *s, struct err *err)
{
	struct inet_diag_req_v2 req = { .sdiag_family = s->family,
					.sdiag_protocol = IPPROTO_TCP,
					.idiag_states = STATES, .id = s->id };
	struct nl_ask ask;

	nl_ask(&ask, nl, SOCK_DESTROY, &req, sizeof(req));
	return nl_ask_send(&ask, NULL, NULL, NULL, err);
}

void sock_print_end(const struct addr *local, FILE *out)
{
	char text[ADDR_TEXT];

	fprintf(out, "ss -tK state established src %s\n",
		addr_text(local, text));
}
