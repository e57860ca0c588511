// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

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

static int on_sock(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	const struct dump *dump = data;
	struct sock s;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg))
		return -EBADMSG;
	if (msg->idiag_family != AF_INET)
		return 0;
	s.id = msg->id;
	addr_set(&s.source, s.id.idiag_src, sizeof(uint32_t));
	addr_set(&s.destination, s.id.idiag_dst, sizeof(uint32_t));
	s.source_port = ntohs(s.id.idiag_sport);
	s.destination_port = ntohs(s.id.idiag_dport);
	return addr_equal(&s.source, dump->local) ? dump->cb(&s, dump->data) :
						    0;
}

int sock_dump(struct nl *nl, const struct addr *local, sock_cb cb, void *data,
	      struct err *err)
{
	struct inet_diag_req_v2 req = { .sdiag_family = AF_INET,
					.sdiag_protocol = IPPROTO_TCP,
					.idiag_states = STATES };
	struct dump dump = { .local = local, .cb = cb, .data = data };
	struct nl_ask ask;

	nl_ask(&ask, nl, SOCK_DIAG_BY_FAMILY, &req, sizeof(req));
	return nl_ask_dump(&ask, on_sock, &dump, err);
}

int sock_end(struct nl *nl, const struct sock *s, struct err *err)
{
	struct inet_diag_req_v2 req = { .sdiag_family = AF_INET,
					.sdiag_protocol = IPPROTO_TCP,
					.idiag_states = STATES, .id = s->id };
	struct nl_ask ask;

	nl_ask(&ask, nl, SOCK_DESTROY, &req, sizeof(req));
	return nl_ask_send(&ask, NULL, NULL, NULL, err);
}

void sock_print_end(const struct addr *local, FILE *out)
{
	char text[ADDR_TEXT];

	fprintf(out, "ss -4tK state established src %s\n",
		addr_text(local, text));
}
