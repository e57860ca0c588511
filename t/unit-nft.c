// SPDX-License-Identifier: MIT
/* The nftables table as data, as text and as messages. Without arguments this
 * is a test of its own and needs no privilege; with some it is the hand of
 * t5000-nft.t inside a network namespace:
 *
 *	unit-nft [-m MASK] [-p] [-w WEIGHTS] [-l LAN,...] [-L NAME,...]
 *		[-C] [-N] [-t] [-n LINKS] load|check|print|delete|stale|broken
 *	unit-nft spray COUNT FROM TO SPORT DPORT [ROUNDS]
 *
 * -n number of links (2), -p parity, -w weights "3:2:1", -L names of the
 * links (ppp0, ppp1, …), -C no MSS clamp, -N no masquerade, -t print the time
 * that it took. "stale" loads with the generation of yesterday, "broken" a
 * rule that no kernel takes. "spray" sends one UDP datagram from each of COUNT
 * addresses from FROM on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "nft.h"
#include "unit.h"

enum { TEXT = 512 * 1024 };

static struct conf conf;
static struct ruleset rs;
static struct nft_seen seen;
static struct nl nl;
static char text[TEXT], before[TEXT];

/* Marks are 1, 2, … at the low end of the mask. */
static void make_conf(unsigned int n, uint32_t mask, enum balance balance)
{
	unsigned int i;

	memset(&conf, 0, sizeof(conf));
	conf.mark_mask = mask;
	conf.balance = balance;
	conf.masquerade = conf.clamp_mss = true;
	conf.n_links = n;
	for (i = 0; i < n; i++) {
		struct conf_link *l = &conf.link[i];

		snprintf(l->name, sizeof(l->name), "ppp%u", i);
		l->mark = (i + 1) * (mask & -mask);
		l->weight = 1;
		l->tier = 1;
	}
}

static bool has(const char *part)
{
	return strstr(text, part) != NULL;
}

static bool build(void)
{
	struct err err = { "" };

	if (ruleset_build(&rs, &conf, &err)) {
		printf("# %s\n", err.msg);
		return false;
	}
	return ruleset_print(&rs, text, sizeof(text)) < sizeof(text);
}

static void test_size(unsigned int n, enum balance balance)
{
	make_conf(n, 0xffff, balance);
	ok(build(), "%u links: built", n);
	ok(rs.n_chains == 2 * n + 6 && rs.n_rules == 2 * n + 19 &&
	   rs.n_chains <= RULESET_CHAINS && rs.n_rules <= RULESET_RULES &&
	   rs.n_elements <= RULESET_ELEMENTS, "%u links: sizes", n);
	ok(ruleset_print(&rs, NULL, 0) == strlen(text),
	   "%u links: the text's length is known before", n);
	strcpy(before, text);
	memset(&rs, 0xa5, sizeof(rs));
	build();
	ok(!strcmp(text, before), "%u links: the same twice", n);
	memset(&seen, 0, sizeof(seen));
	ok(!nft_intact(&seen, &rs), "%u links: no table is not intact", n);
}

static void test_text(void)
{
	make_conf(2, 0xff, BALANCE_SOURCE_PARITY);
	build();
	ok(has("\t\tip saddr & 0.0.0.1 vmap { 0.0.0.0 : goto to_ppp0, "
	       "0.0.0.1 : goto to_ppp1 }\n"), "even and odd");
	ok(has("\t\tiifname \"lo\" return\n"), "all but lo without lan");
	conf.n_lan = 1;
	strcpy(conf.lan[0], "lan0");
	build();
	ok(has("\t\tiifname != \"lan0\" return\n"), "one lan");
	make_conf(3, 0x70000000, BALANCE_SOURCE);
	conf.link[0].weight = 3;
	conf.link[1].weight = 2;
	conf.clamp_mss = conf.masquerade = false;
	build();
	ok(has("\t\tjhash ip saddr mod 6 seed 0x6d77616e vmap { 0-2 : goto "
	       "to_ppp0, 3-4 : goto to_ppp1, 5 : goto to_ppp2 }\n"), "slots");
	ok(has("\t\tmeta mark set meta mark & 0xafffffff | 0x20000000\n"),
	   "a mask at the other end");
	ok(!has("srcnat") && !has("maxseg"), "no masquerade, no clamp");
	conf.link[0].tier = 2;
	conf.link[1].tier = 2;
	build();
	ok(has("\t\tgoto to_ppp2\n"), "one link in the best tier");
	strcpy(conf.link[0].name, "ppp-a.1");
	strcpy(conf.link[1].name, "a@b:c");
	build();
	ok(has("chain to_ppp-a.1 {") && has("chain to2 {") &&
	   has("\"a@b:c\" : goto is2"), "odd names");
}

static void refuses(const char *what, const char *why)
{
	struct err err = { "" };
	int code = ruleset_build(&rs, &conf, &err);

	ok(code == -EINVAL && strstr(err.msg, why), "refused: %s", what);
}

static void test_refusals(void)
{
	make_conf(3, 0xff, BALANCE_SOURCE_PARITY);
	refuses("parity of three", "2, 4, 8");
	make_conf(0, 0xff, BALANCE_SOURCE);
	refuses("no link", "1 to 255");
	make_conf(2, 0xff, BALANCE_SOURCE);
	strcpy(conf.link[1].name, "ppp*");
	refuses("a name with a wildcard", "'ppp*'");
	strcpy(conf.link[1].name, "a\"b");
	refuses("a name with a quote", "'a\"b'");
	make_conf(2, 0xff, BALANCE_SOURCE);
	conf.link[1].mark = 0x100;
	refuses("a mark outside the mask", "0x100");
}

static int unit(void)
{
	static const unsigned int sizes[] = { 1, 2, 3, 4, 64, 128, 255 };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		test_size(sizes[i], BALANCE_SOURCE);
		if (!(sizes[i] & (sizes[i] - 1)))
			test_size(sizes[i], BALANCE_SOURCE_PARITY);
	}
	test_text();
	test_refusals();
	return done();
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* 0: it is as it should be; 1: not; 2: an error. */
static int act(const char *what, bool timed)
{
	struct err err = { "" };
	double t[4];
	int code;

	t[0] = now();
	code = nl_open(&nl, NETLINK_NETFILTER, &err);
	if (code)
		goto out;
	if (!strcmp(what, "delete")) {
		code = nft_delete(&nl, &err);
		goto out;
	}
	t[1] = now();
	code = nft_read(&nl, &seen, &err);
	t[2] = now();
	if (code)
		goto out;
	if (nft_intact(&seen, &rs)) {
		t[3] = now();
		printf("intact\n");
		if (timed)
			printf("read %.0f us, compare %.0f us\n", t[2] - t[1],
			       t[3] - t[2]);
		return 0;
	}
	printf("%s\n", seen.present ? "changed" : "absent");
	if (!strcmp(what, "check"))
		return 1;
	if (!strcmp(what, "stale"))
		seen.generation--;
	if (!strcmp(what, "broken"))
		rs.rule[rs.n_rules - 1].s[2].kind = DO_MASQUERADE;
	t[2] = now();
	code = nft_load(&nl, &rs, &seen, &err);
	t[3] = now();
	if (!code && timed)
		printf("load %.0f us\n", t[3] - t[2]);
out:
	if (code)
		fprintf(stderr, "%s (%s)\n", err.msg, strerror(-code));
	return code ? 2 : 0;
}

/* UDP without a checksum is legal over IPv4. The kernel fills in the header's
 * checksum and length. The other end of a veth queues at most
 * net.core.netdev_max_backlog packets (1000) and drops the rest when its
 * softirq comes late: so no bursts.
 */
static int spray(char **arg, int rounds)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
	} p = { .ip = { .version = 4, .ihl = 5, .ttl = 64,
			.protocol = IPPROTO_UDP } };
	struct sockaddr_in to = { .sin_family = AF_INET };
	uint32_t count = (uint32_t)atoi(arg[0]), i;
	uint32_t from = ntohl(inet_addr(arg[1]));
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	to.sin_addr.s_addr = p.ip.daddr = inet_addr(arg[2]);
	p.udp.source = htons((uint16_t)atoi(arg[3]));
	p.udp.dest = htons((uint16_t)atoi(arg[4]));
	p.udp.len = htons(sizeof(p.udp));
	while (rounds--) {
		for (i = 0; i < count; i++) {
			p.ip.saddr = htonl(from + i);
			if (sendto(fd, &p, sizeof(p), 0, (void *)&to,
				   sizeof(to)) < 0) {
				perror("sendto");
				return 2;
			}
			if (i % 256 == 255)
				usleep(200);
		}
	}
	return 0;
}

/* A list in place, for -L and -l. */
static unsigned int names(char *list, char (*name)[IFNAMSIZ], size_t step,
			  unsigned int max)
{
	unsigned int n = 0;
	char *s;

	for (s = strtok(list, ","); s && n < max; s = strtok(NULL, ","), n++) {
		snprintf(*name, IFNAMSIZ, "%s", s);
		name = (void *)((char *)name + step);
	}
	return n;
}

static void weights(char *list)
{
	unsigned int n = 0;
	char *s;

	for (s = strtok(list, ":"); s && n < LINKS_MAX; s = strtok(NULL, ":"))
		conf.link[n++].weight = (uint8_t)atoi(s);
}

int main(int argc, char **argv)
{
	enum balance balance = BALANCE_SOURCE;
	char *lan = NULL, *link = NULL, *weight = NULL;
	bool clamp = true, masquerade = true, timed = false;
	uint32_t mask = 0xff;
	unsigned int n = 2;
	int c;

	if (argc == 1)
		return unit();
	if (argc >= 7 && !strcmp(argv[1], "spray"))
		return spray(argv + 2, argc > 7 ? atoi(argv[7]) : 1);
	while ((c = getopt(argc, argv, "n:m:pw:l:L:CNt")) != -1) {
		switch (c) {
		case 'm': mask = (uint32_t)strtoul(optarg, NULL, 0); break;
		case 'n': n = (unsigned int)atoi(optarg); break;
		case 'p': balance = BALANCE_SOURCE_PARITY; break;
		case 'w': weight = optarg; break;
		case 'l': lan = optarg; break;
		case 'L': link = optarg; break;
		case 'C': clamp = false; break;
		case 'N': masquerade = false; break;
		case 't': timed = true; break;
		default: return 64;
		}
	}
	if (optind == argc)
		return 64;
	make_conf(n, mask, balance);
	conf.clamp_mss = clamp;
	conf.masquerade = masquerade;
	if (link)
		conf.n_links = names(link, &conf.link[0].name,
				     sizeof(conf.link[0]), conf.n_links);
	if (lan)
		conf.n_lan = names(lan, conf.lan, IFNAMSIZ, LAN_MAX);
	if (weight)
		weights(weight);
	if (!build())
		return 78;
	if (!strcmp(argv[optind], "print"))
		return fputs(text, stdout) < 0;
	return act(argv[optind], timed);
}
