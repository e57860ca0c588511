// SPDX-License-Identifier: MIT
/* The configuration: what is taken, what is refused and in which words, and
 * that a configuration that is written is read back the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"
#include "base/util.h"
#include "conf/keys.h"
#include "conf/state.h"
#include "unit.h"

enum { ROUNDS = 1000 };

static const char path[] = "mwan.ini";
static struct conf conf, again;
static struct err err;
static char text[CONF_FILE_MAX + 64];

static void put(const char *file, const char *what, size_t len)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, what, len) != (ssize_t)len)
		printf("Bail out! cannot write %s\n", file);
	close(fd);
}

static void put_watch(FILE *f, const struct watch_conf *w)
{
	char probe[WATCH_PROBE_TEXT], targets[WATCH_TARGETS_TEXT];

	if (w->detect != 400 || w->recover != 5000 || w->interval != 1000)
		fprintf(f, " within %u %u %u", w->detect, w->recover,
			w->interval);
	if (w->loss || w->latency)
		fprintf(f, " poor %u %u", w->loss, w->latency);
	if (w->probe.kind != WATCH_ICMP)
		fprintf(f, " by %s", watch_probe_text(&w->probe, probe));
	if (w->targets.n)
		fprintf(f, " asks %s", watch_targets_text(&w->targets,
							  targets));
}

/* The links, and what is not as it is by default. */
static const char *summary(const struct conf *c)
{
	static char buf[8192];
	const struct conf_link *l;
	char q[64], via[GATEWAY_TEXT], p[PREFIX_TEXT];
	FILE *f = fmemopen(buf, sizeof(buf), "w");
	unsigned int i, k;

	if (strcmp(c->log, CONF_LOG))
		fprintf(f, "log %s, ", c->log);
	if (c->rule_priority != 1000 || c->standby_table != 200 ||
	    c->nexthop_base != 77000)
		fprintf(f, "%u %u %u, ", c->rule_priority, c->standby_table,
			c->nexthop_base);
	if (c->mark_mask != 0xff)
		fprintf(f, "mask 0x%x, ", c->mark_mask);
	if (!c->masquerade || !c->clamp_mss || !c->sysctl)
		fprintf(f, "%d%d%d, ", c->masquerade, c->clamp_mss,
			c->sysctl);
	for (i = 0; i < c->n_lan; i++)
		fprintf(f, "lan %s, ", c->lan[i]);
	if (c->ipv6 || c->onlink_table != 199)
		fprintf(f, "ipv6 %d %u, ", c->ipv6, c->onlink_table);
	if (!c->translate6)
		fprintf(f, "untranslated, ");
	fputs(c->balance == BALANCE_SOURCE ? "source" : "parity", f);
	for (i = 0; i < c->n_links; i++) {
		l = &c->link[i];
		fprintf(f, "; %s %u 0x%x", l->name, l->table, l->mark);
		if (l->weight != 1 || l->tier != 1)
			fprintf(f, " %u/%u", l->weight, l->tier);
		if (*l->linkname)
			fprintf(f, " %s", l->linkname);
		if (l->qdisc.kind == QDISC_CAKE)
			fprintf(f, " cake %llu",
				(unsigned long long)l->qdisc.bandwidth);
		else if (l->qdisc.kind != QDISC_AUTO)
			fprintf(f, " %s", qdisc_conf_text(&l->qdisc, q,
							  sizeof(q)));
		if (*gateway_text(&l->gateway, via))
			fprintf(f, " via %s", via);
		for (k = 0; k < l->prefix6.n; k++)
			fprintf(f, " %s", prefix_text(&l->prefix6.item[k], p));
		put_watch(f, &l->watch);
	}
	fclose(f);
	return buf;
}

/* What comes of the file: the configuration, or the sentence. */
static const char *result(bool must_exist)
{
	err.msg[0] = '\0';
	return conf_read(&conf, path, must_exist, &err) ? err.msg :
							  summary(&conf);
}

#define LINKS "[link ppp0]\n[link ppp1]\n"
#define TWO "; ppp0 201 0x1; ppp1 202 0x2"
/* What rt_tables names here. */
#define BY_NAME "source; ppp0 201 0x1; ppp1 202 0x2; ppp2 203 0x3; " \
	"ppp10 210 0x4"
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static const struct {
	const char *what, *file, *want;
} tests[] = {
	/* --- good --- */
	{ "without a [link] the links are those of rt_tables", "", BY_NAME },
	{ "with other keys as well", "[mwan]\nmark_mask = 0xf0\n"
	  "[policy a]\nuse = ppp1\n", "mask 0xf0, source; ppp0 201 0x10; ppp1 "
	  "202 0x20; ppp2 203 0x30; ppp10 210 0x40" },
	{ "a bad [link] is no reason to take those",
	  "[mwan]\n[link pp/p0]\n", "mwan.ini:2: [link pp/p0]: this "
	  IFNAME_RULE },
	{ "what does not go with them: the standby", "[mwan]\n"
	  "standby_table = 203\n", "mwan.ini:2: table 203 of link ppp2 is the "
	  "standby_table, give one of them another number" },
	{ "and the mask", "[mwan]\nmark_mask = 1\n", "mwan.ini:2: link ppp1: "
	  "no mark is left under mark_mask 0x1, which must have more bits" },
	{ "two links by rt_tables", LINKS, "parity" TWO },
	{ "no newline at the end", "[link ppp0]\ntable = 7",
	  "source; ppp0 7 0x1" },
	{ "lines of CRLF", "[mwan]\r\nmark_mask = 0xff00\r\n[link ppp0]\r\n"
	  "weight = 3\r\n", "mask 0xff00, source; ppp0 201 0x100 3/1" },
	{ "comments, blanks, indented keys",
	  "# one\n; two\n\n   [link ppp0] \n\ttable=9 ; nine\n  weight : 2\n",
	  "source; ppp0 9 0x1 2/1" },
	{ "every key of [mwan]",
	  "[mwan]\nlog = /tmp/a b\nrule_priority = 31766\n"
	  "mark_mask = 0x70\nstandby_table = ppp2\nnexthop_base = 0x10\n"
	  "lan = lan0, br-lan eth1.5\nbalance = source\nmasquerade = no\n"
	  "clamp_mss = no\nsysctl = no\nqdisc = none\n" LINKS,
	  "log /tmp/a b, 31766 203 16, mask 0x70, 000, lan lan0, "
	  "lan br-lan, lan eth1.5, source; ppp0 201 0x10 none; ppp1 202 "
	  "0x20 none" },
	{ "every key of a link",
	  "[link ppp0]\ntable = 4294967295\nmark = 0x7f\nweight = 255\n"
	  "tier = 255\nqdisc = cake bandwidth 20mbit\n",
	  "source; ppp0 4294967295 0x7f 255/255 cake 2500000" },
	{ "a gateway of each family", "[link ppp0]\ngateway = "
	  "fe80::1, 192.168.8.1\n", "source; ppp0 201 0x1 via 192.168.8.1 "
	  "fe80::1" },
	{ "what is known of gateways, and that there is none",
	  "[link ppp0]\ngateway = auto\n[link ppp1]\ngateway = none\n",
	  "parity; ppp0 201 0x1 via auto; ppp1 202 0x2 via none" },
	{ "a gateway of one family is not asked for the other",
	  "[link ppp0]\ngateway = fe80::1\n", "source; ppp0 201 0x1 via "
	  "fe80::1" },
	{ "a table by another name", "[link wan]\ntable = ppp1\n",
	  "source; wan 202 0x1" },
	{ "IPv6", "[mwan]\nipv6 = yes\nonlink_table = 7\ntranslate6 = no\n"
	  "[link ppp0]\nprefix6 = 2001:db8:a00::/56, 2001:db8:b::/48\n"
	  "[link ppp1]\nprefix6 = auto\n", "ipv6 1 7, untranslated, parity; ppp0 201 0x1 "
	  "2001:db8:a00::/56 2001:db8:b::/48; ppp1 202 0x2" },
	{ "a link that has the table of the remembered networks",
	  "[link ppp0]\ntable = 199\n[link ppp1]\n", "ipv6 0 198, parity; "
	  "ppp0 199 0x1; ppp1 202 0x2" },
	{ "two tables for that", "[mwan]\nonlink_table = 201\n" LINKS,
	  "mwan.ini:2: onlink_table 201 is a link's table or the "
	  "standby_table, give it another number" },
	{ "bits behind the length of a prefix", "[link ppp0]\n"
	  "prefix6 = 2001:db8:a00:1::/56\n", "mwan.ini:2: prefix6: "
	  "\"2001:db8:a00:1::/56\" is not a global IPv6 prefix like "
	  "2001:db8:1:100::/56" },
	{ "a prefix that is no provider's", "[link ppp0]\n"
	  "prefix6 = fd00::/48\n", "mwan.ini:2: prefix6: \"fd00::/48\" is not "
	  "a global IPv6 prefix like 2001:db8:1:100::/56" },
	{ "what is watched, of all links and of one", "[mwan]\n"
	  "detect = 1s\nprobe = dns\ntargets = 192.0.2.1, 192.0.2.2\n"
	  "[link ppp0]\n[link ppp1]\ndetect = 250ms\nrecover = 0\n"
	  "probe_interval = 30s\nprobe = tcp 443\ntargets = 198.51.100.7\n"
	  "loss = 10\nlatency = 300ms\n", "parity; ppp0 201 0x1 within 1000 "
	  "5000 1000 by dns asks 192.0.2.1 192.0.2.2; ppp1 202 0x2 within 250 "
	  "0 30000 poor 10 300 by tcp 443 asks 198.51.100.7" },
	{ "targets of both families, and a gateway", "[mwan]\n"
	  "targets = 2001:db8::1 192.0.2.1\n[link eth1]\ntable = 201\n"
	  "probe = arp\n", "source; eth1 201 0x1 by arp asks 2001:db8::1 "
	  "192.0.2.1" },
	{ "a link that is not watched", "[link ppp0]\nprobe = none\n",
	  "source; ppp0 201 0x1 by none" },
	{ "the links' queue, and a link's own", "[mwan]\nqdisc = fq_codel\n"
	  "[link ppp0]\n[link ppp1]\nqdisc = cake\n",
	  "parity; ppp0 201 0x1 fq_codel; ppp1 202 0x2 cake 0" },
	{ "weights are not for parity", "[link ppp0]\nweight = 2\n"
	  "[link ppp1]\n", "source; ppp0 201 0x1 2/1; ppp1 202 0x2" },
	{ "two in the best tier, one behind", "[link ppp0]\ntier = 2\n"
	  "[link ppp1]\n[link ppp2]\n", "parity; ppp0 201 0x1 1/2; ppp1 202 "
	  "0x2; ppp2 203 0x3" },
	{ "[mwan] behind the links", LINKS "[mwan]\nmark_mask = 0x300\n",
	  "mask 0x300, parity; ppp0 201 0x100; ppp1 202 0x200" },
	{ "a line of 198 characters", "#" X100 X10 X10 X10 X10 X10 X10 X10
	  X10 X10 "xxxxxxx\n" LINKS, "parity" TWO },
	/* --- the file's form --- */
	{ "a line of 199: inih would make two of it",
	  "[mwan]\n" ";" X100 X10 X10 X10 X10 X10 X10 X10 X10 X10
	  "xxxxxxxx\n", "mwan.ini:2: the line is longer than 198 characters: "
	  "shorten it, or make two policies of a long list" },
	{ "a key whose tail inih would take for another one", "[mwan]\nlog = /"
	  X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 "xx\nmasquerade = no\n",
	  "mwan.ini:2: the line is longer than 198 characters: shorten it, "
	  "or make two policies of a long list" },
	{ "a section that inih would cut", "[link ppp0" X10 X10 X10 X10 X10
	  "]\n", "mwan.ini:1: [link ppp0" X10 X10 X10 X10 X10 "]: this "
	  "cannot be a network interface: such a name is 1 to 15 letters, "
	  "digits, '_', '-' or '.'" },
	{ "neither key nor section", "[mwan]\n\nsysctl\n", "mwan.ini:3: this "
	  "is neither \"key = value\" nor a section" },
	{ "a key before any section", "# c\nlog = /x\n", "mwan.ini:2: log "
	  "stands before the first section: begin with [mwan] or [link "
	  "NAME]" },
	{ "an unknown section", LINKS "[Mwan]\n", "mwan.ini:3: unknown "
	  "section [Mwan]: [mwan], [link NAME] and [policy NAME] are "
	  "known" },
	{ "a section without its end", "[mwan\n", "mwan.ini:1: a section is "
	  "a name in brackets, alone on its line: [mwan] or [link ppp0]" },
	{ "more behind a section", "[mwan] x\n", "mwan.ini:1: a section is "
	  "a name in brackets, alone on its line: [mwan] or [link ppp0]" },
	{ "[mwan] twice", "[mwan]\n[link ppp0]\n[mwan]\n", "mwan.ini:3: "
	  "[mwan] is there a second time: put its keys below the first" },
	{ "a link twice", LINKS "[link  ppp0]\n", "mwan.ini:3: [link ppp0] "
	  "is there a second time: put its keys below the first" },
	{ "an unknown key", "[mwan]\nmasqerade = no\n", "mwan.ini:2: unknown "
	  "key \"masqerade\" in [mwan]: see mwan.ini(5)" },
	{ "a key of the other section", "[link ppp0]\nlog = /x\n",
	  "mwan.ini:2: unknown key \"log\" in a [link]: see mwan.ini(5)" },
	{ "a key twice", "[link ppp0]\nweight = 1\ntier = 1\nweight = 2\n",
	  "mwan.ini:4: weight is there a second time: keep one" },
	{ "no value", "[mwan]\nlan =\n", "mwan.ini:2: lan has no value: give "
	  "it one, or delete the line" },
	{ "a value that is a comment", "[mwan]\nlan = ; all\n",
	  "mwan.ini:2: lan has no value: give it one, or delete the line" },
	{ "an indented line is no more of the value before",
	  "[mwan]\nlog = /a\n /b\n", "mwan.ini:3: this is neither \"key = "
	  "value\" nor a section" },
	{ "the first mistake counts", "[mwan]\nlog = a\nlan = /\n[x]\n",
	  "mwan.ini:2: log = \"a\" is not an absolute path like "
	  "/var/log/ifchang.log" },
	/* --- values --- */
	{ "a number and more", "[link ppp0]\nweight = 3 three\n",
	  "mwan.ini:2: weight = \"3 three\" is not a number from 1 to "
	  "255" },
	{ "no comment", "[link ppp0]\nweight = 3 # three\n", "mwan.ini:2: "
	  "weight: a comment after a value begins with \" ;\", not with #" },
	{ "a weight of 0", "[link ppp0]\nweight = 0\n", "mwan.ini:2: weight "
	  "= \"0\" is not a number from 1 to 255" },
	{ "a weight of 256", "[link ppp0]\nweight = 256\n", "mwan.ini:2: "
	  "weight = \"256\" is not a number from 1 to 255" },
	{ "a negative tier", "[link ppp0]\ntier = -1\n", "mwan.ini:2: tier = "
	  "\"-1\" is not a number from 1 to 255" },
	{ "more than 64 bits", "[link ppp0]\nmark = 99999999999999999999\n",
	  "mwan.ini:2: mark = \"99999999999999999999\" is not a number from "
	  "1 to 4294967295" },
	{ "a mark of 0", "[link ppp0]\nmark = 0x0\n", "mwan.ini:2: mark = "
	  "\"0x0\" is not a number from 1 to 4294967295" },
	{ "a priority that has the local rule's before it",
	  "[mwan]\nrule_priority = 1\n",
	  "mwan.ini:2: rule_priority = \"1\" is not a number from 2 to "
	  "31766" },
	{ "a priority behind main's", "[mwan]\nrule_priority = 31767\n",
	  "mwan.ini:2: rule_priority = \"31767\" is not a number from 2 to "
	  "31766" },
	{ "no room for ids", "[mwan]\nnexthop_base = 4294966784\n",
	  "mwan.ini:2: nexthop_base = \"4294966784\" is not a number from 1 "
	  "to 4294966783" },
	{ "not yes", "[mwan]\nsysctl = Yes\n", "mwan.ini:2: sysctl = "
	  "\"Yes\" is neither yes nor no" },
	{ "a table without a name", "[link ppp0]\ntable = nowhere\n",
	  "mwan.ini:2: table = \"nowhere\" is neither a number from 1 to "
	  "4294967295 nor a name in /etc/iproute2/rt_tables" },
	{ "the system's table by name", "[link ppp0]\ntable = main\n",
	  "mwan.ini:2: table = \"main\": the tables local, main and default "
	  "are the system's, take another" },
	{ "and by number", "[mwan]\nstandby_table = 253\n", "mwan.ini:2: "
	  "standby_table = \"253\": the tables local, main and default are "
	  "the system's, take another" },
	{ "a time without a unit", "[mwan]\ndetect = 400\n", "mwan.ini:2: "
	  "detect = \"400\" is not a time from 100ms to 1m: a number and ms, "
	  "s, m or h" },
	{ "a time too short", "[mwan]\ndetect = 99ms\n", "mwan.ini:2: "
	  "detect = \"99ms\" is not a time from 100ms to 1m: a number and ms, "
	  "s, m or h" },
	{ "a time too long", "[link ppp0]\nrecover = 61m\n", "mwan.ini:2: "
	  "recover = \"61m\" is neither 0 nor a time from 1ms to 1h: a number "
	  "and ms, s, m or h" },
	{ "a probe", "[mwan]\nprobe = ping\n", "mwan.ini:2: probe = \"ping\" "
	  "is no probe: it is icmp, dns, tcp and a port, arp, or none" },
	{ "a probe's port", "[mwan]\nprobe = tcp 0\n", "mwan.ini:2: probe = "
	  "\"tcp 0\" is no probe: a port from 1 to 65535 follows tcp, as in "
	  "\"tcp 443\"" },
	{ "a port where there is none", "[mwan]\nprobe = icmp 7\n",
	  "mwan.ini:2: probe = \"icmp 7\" is no probe: it is icmp, dns, tcp and "
	  "a port, arp, or none" },
	{ "a target by its name", "[mwan]\ntargets = 1.1.1.1 dns.google\n",
	  "mwan.ini:2: targets: \"dns.google\" is no host's address" },
	{ "a target on the link itself", "[mwan]\ntargets = fe80::1\n",
	  "mwan.ini:2: targets: \"fe80::1\" is no host's address" },
	{ "too many targets", "[mwan]\ntargets = 1.0.0.1 1.0.0.2 1.0.0.3 "
	  "1.0.0.4 1.0.0.5 1.0.0.6 1.0.0.7 1.0.0.8 1.0.0.9\n", "mwan.ini:2: "
	  "targets: there are more than 8" },
	{ "more loss than there is", "[mwan]\nloss = 101\n", "mwan.ini:2: "
	  "loss = \"101\" is not a number from 0 to 100" },
	{ "a queue", "[mwan]\nqdisc = sfq\n", "mwan.ini:2: qdisc = \"sfq\" "
	  "is none of: auto, none, prio-sfq, fq_codel, cake, cake "
	  "bandwidth 20mbit" },
	{ "a gateway by its name", "[link ppp0]\ngateway = router.lan\n",
	  "mwan.ini:2: gateway = \"router.lan\": \"router.lan\" is neither "
	  "auto nor none nor an address" },
	{ "a word beside an address", "[link ppp0]\ngateway = 10.0.0.1 auto\n",
	  "mwan.ini:2: gateway = \"10.0.0.1 auto\": \"auto\" is neither "
	  "auto nor none nor an address" },
	{ "a gateway that is everybody", "[link ppp0]\n"
	  "gateway = 255.255.255.255\n", "mwan.ini:2: gateway = "
	  "\"255.255.255.255\": \"255.255.255.255\" is no router's address" },
	{ "and one that is this host", "[link ppp0]\ngateway = ::1\n",
	  "mwan.ini:2: gateway = \"::1\": \"::1\" is no router's address" },
	{ "two gateways of a family", "[link ppp0]\ngateway = 10.0.0.1 "
	  "10.0.0.2\n", "mwan.ini:2: gateway = \"10.0.0.1 10.0.0.2\": a link "
	  "has one router of a family, and here are two IPv4 addresses; two "
	  "routers behind one card are two links, a macvlan each" },
	{ "no gateway at all", "[link ppp0]\ngateway = ,\n", "mwan.ini:2: "
	  "gateway = \",\": there is no address" },
	{ "a gateway of [mwan]", "[mwan]\ngateway = auto\n", "mwan.ini:2: "
	  "unknown key \"gateway\" in [mwan]: see mwan.ini(5)" },
	{ "a link that is the LAN, too", "[mwan]\nlan = eth1\n[link eth1]\n"
	  "table = 9\ngateway = 10.0.0.1\n", "mwan.ini:2: lan: eth1 is a "
	  "link: name interfaces of the LAN" },
	{ "a bandwidth without a unit", "[link ppp0]\nqdisc = cake bandwidth "
	  "20\n", "mwan.ini:2: qdisc = \"cake bandwidth 20\" is none of: "
	  "auto, none, prio-sfq, fq_codel, cake, cake bandwidth 20mbit" },
	{ "a balance", "[mwan]\nbalance = odd\n", "mwan.ini:2: balance = "
	  "\"odd\" is none of: source, source-parity, flow, round-robin, "
	  "random" },
	{ "no interface", "[mwan]\nlan = eth0 a/b\n", "mwan.ini:2: lan: "
	  "\"a/b\" cannot be a network interface: such a name is 1 to 15 "
	  "letters, digits, '_', '-' or '.'" },
	{ "a link's name that is too long", "[link abcdefghijklmnop]\n",
	  "mwan.ini:1: [link abcdefghijklmnop]: this cannot be a network "
	  "interface: such a name is 1 to 15 letters, digits, '_', '-' or "
	  "'.'" },
	{ "no name", "[link ]\n", "mwan.ini:1: [link ]: this cannot be a "
	  "network interface: such a name is 1 to 15 letters, digits, '_', "
	  "'-' or '.'" },
	/* --- what does not go together --- */
	{ "a link without a table", "[link ppp0]\n[link wan]\n",
	  "mwan.ini:2: link wan has no table: add \"table = NUMBER\" here, "
	  "or a line \"NUMBER wan\" to /etc/iproute2/rt_tables" },
	{ "a mark that does not fit", "[mwan]\nmark_mask = 0xf\n[link ppp0]\n"
	  "\nmark = 0x10\n", "mwan.ini:5: mark 0x10 of link ppp0 does not "
	  "fit mask 0xf: change it, or mark_mask" },
	{ "too many marks for the mask", "[mwan]\nmark_mask = 0x80000000\n"
	  LINKS, "mwan.ini:4: link ppp1: no mark is left under mark_mask "
	  "0x80000000, which must have more bits" },
	{ "the same mark", "[link ppp0]\nmark = 2\n[link ppp1]\nmark = 2\n",
	  "mwan.ini:4: link ppp1 has the same mark 0x2 as link ppp0, "
	  "give it another" },
	{ "the mark of a place in the file is taken: the lowest free one",
	  "[link ppp0]\n[link ppp1]\nmark = 1\n[link ppp2]\nmark = 2\n",
	  "source; ppp0 201 0x3; ppp1 202 0x1; ppp2 203 0x2" },
	{ "a mask with a gap", "[mwan]\nmark_mask = 0x11\n" LINKS
	  "[link ppp2]\n", "mask 0x11, source; ppp0 201 0x1; ppp1 202 0x10; "
	  "ppp2 203 0x11" },
	{ "a last resort", "[mwan]\nlast_resort = none\n", "mwan.ini:2: "
	  "last_resort = \"none\" is none of: main, unreachable, "
	  "blackhole" },
	{ "failback", "[mwan]\nfailback = back\n", "mwan.ini:2: failback = "
	  "\"back\" is neither stay nor move" },
	{ "the same table", "[link ppp0]\n[link a]\ntable = 201\n",
	  "mwan.ini:3: link a has the same table 201 as link ppp0, "
	  "give it another" },
	{ "the standby's default avoids a link's table and all that have a name",
	  "[link ppp0]\ntable = 200\n", "1000 204 77000, source; ppp0 200 "
	  "0x1" },
	{ "a linkname", "[link ppp0]\nlinkname = wan.0\n", "source; ppp0 201 "
	  "0x1 wan.0" },
	{ "a linkname is no path", "[link ppp0]\nlinkname = ../wan0\n",
	  "mwan.ini:2: linkname = \"../wan0\" is not 1 to 31 letters, digits, "
	  "'_', '-' or '.'" },
	{ "a linkname twice", "[link ppp0]\nlinkname = a\n[link ppp1]\n"
	  "linkname = a\n", "mwan.ini:4: link ppp1 has the same linkname a as "
	  "link ppp0, give it another" },
	{ "the standby's table", "[link ppp0]\ntable = 200\n[mwan]\n"
	  "standby_table = 200\n", "mwan.ini:2: "
	  "table 200 of link ppp0 is the standby_table, give one of them "
	  "another number" },
	{ "parity of three", "[mwan]\nbalance = source-parity\n" LINKS
	  "[link ppp2]\n", "mwan.ini:2: balance = source-parity needs 1, 2, "
	  "4, 8 ... links in the best tier, and there are 3: use source" },
	{ "parity with weights", "[mwan]\nbalance = source-parity\n"
	  "[link ppp0]\nweight = 2\n[link ppp1]\n", "mwan.ini:2: balance = "
	  "source-parity knows no weights: use source" },
};

/* --- methods, sticky, policies --- */

/* A configuration of two links and what comes of it, without the links. */
static const char *deal_of(const char *mwan, const char *policies)
{
	static char got[4096], *links, *rest;
	int len = snprintf(text, sizeof(text), "[mwan]\n%s\n%s%s", mwan,
			   policies, LINKS);

	put(path, text, (size_t)len);
	err.msg[0] = '\0';
	if (conf_read(&conf, path, true, &err))
		return err.msg;
	conf_print(&conf, text, sizeof(text));
	links = strstr(text, "\n[link ");
	rest = strstr(text, "\n[policy ");
	len = snprintf(got, sizeof(got), "%.*s%s",
		       (int)strcspn(strstr(text, "sticky"), "\n"),
		       strstr(text, "sticky"), rest ? rest : "");
	return links && len < (int)sizeof(got) ? got : "no links";
}

static const struct {
	const char *what, *mwan, *policies, *want;
} deals[] = {
	{ "off", "", "", "sticky = 0" },
	{ "off, said", "sticky = 0", "", "sticky = 0" },
	{ "seconds", "sticky = 90s", "", "sticky = 90s" },
	{ "minutes", "sticky = 600s", "", "sticky = 10m" },
	{ "hours", "sticky = 36h", "", "sticky = 36h" },
	{ "days", "sticky = 24h", "", "sticky = 1d" },
	{ "a year", "sticky = 365d", "", "sticky = 365d" },
	{ "more than a year", "sticky = 366d", "", "mwan.ini:2: sticky = "
	  "\"366d\" is neither 0 nor a time up to 365d: a number and s, m, h "
	  "or d" },
	{ "no unit", "sticky = 10", "", "mwan.ini:2: sticky = \"10\" is "
	  "neither 0 nor a time up to 365d: a number and s, m, h or d" },
	{ "no number", "sticky = m", "", "mwan.ini:2: sticky = \"m\" is "
	  "neither 0 nor a time up to 365d: a number and s, m, h or d" },
	{ "many digits", "sticky = 000000000000001s", "", "mwan.ini:2: sticky "
	  "= \"000000000000001s\" is neither 0 nor a time up to 365d: a "
	  "number and s, m, h or d" },
	{ "two units", "sticky = 1m1s", "", "mwan.ini:2: sticky = \"1m1s\" "
	  "is neither 0 nor a time up to 365d: a number and s, m, h or d" },
	{ "everything of a policy", "", "[policy a.b-c_1]\nsource = 10.0.0.0/8"
	  ", 192.168.1.1 10.0.0.1-10.0.0.9\ndestination = 0.0.0.0/0\n"
	  "protocol = tcp, 17\nsource_port = 1-5 7\n"
	  "destination_port = 80,443\ninterface = eth0 br0\nuse = ppp1\n"
	  "if_down = unreachable\n",
	  "sticky = 0\n[policy a.b-c_1]\nsource=10.0.0.0/8 192.168.1.1 "
	  "10.0.0.1-10.0.0.9\ndestination=0.0.0.0/0\nprotocol=tcp udp\n"
	  "source_port=1-5 7\ndestination_port=80 443\ninterface=eth0 br0\n"
	  "use = ppp1\nif_down = unreachable\n" },
	{ "in their order, if_down by default", "",
	  "[policy z]\nuse = ppp0\n[policy a]\nuse = main\n[policy m]\n"
	  "use = balance\nprotocol = icmp 1\n",
	  "sticky = 0\n[policy z]\nuse = ppp0\nif_down = balance\n\n"
	  "[policy a]\nuse = main\n\n[policy m]\nprotocol=icmp icmp\n"
	  "use = balance\n" },
	{ "no use", "", "[policy x]\nprotocol = tcp\n", "mwan.ini:3: policy "
	  "x does not say what to use: add \"use = LINK\", \"use = balance\" "
	  "or \"use = main\"" },
	{ "no such link", "", "[policy x]\nuse = ppp9\n", "mwan.ini:4: use = "
	  "\"ppp9\" is neither a link nor balance nor main" },
	{ "no such use", "", "[policy x]\nuse = xxxxxxxxxxxxxxxx\n",
	  "mwan.ini:4: use = \"xxxxxxxxxxxxxxxx\" is neither a link nor "
	  "balance nor main" },
	{ "if_down without a link", "", "[policy x]\nuse = main\n"
	  "if_down = balance\n", "mwan.ini:5: if_down is for \"use = LINK\" "
	  "only: delete it" },
	{ "another if_down", "", "[policy x]\nuse = ppp0\nif_down = main\n",
	  "mwan.ini:5: if_down = \"main\" is neither balance nor "
	  "unreachable" },
	{ "a policy twice", "", "[policy x]\nuse = main\n[policy x]\n",
	  "mwan.ini:5: [policy x] is there a second time: give it another "
	  "name" },
	{ "a policy's name", "", "[policy a b]\n", "mwan.ini:3: [policy a b]: "
	  "a policy's name is 1 to 31 letters, digits, '_', '-' or '.'" },
	{ "a key twice", "", "[policy x]\nuse = main\nuse = main\n",
	  "mwan.ini:5: use is there a second time: keep one" },
	{ "a link's key", "", "[policy x]\nweight = 1\n", "mwan.ini:4: "
	  "unknown key \"weight\" in a [policy]: see mwan.ini(5)" },
	{ "bits behind the prefix", "", "[policy x]\nsource = 10.0.0.1/8\n",
	  "mwan.ini:4: source: \"10.0.0.1/8\" has bits after its prefix: "
	  "write 10.0.0.0/8" },
	{ "no address", "", "[policy x]\ndestination = 10.0.0\n",
	  "mwan.ini:4: destination: \"10.0.0\" is neither an address nor a "
	  "prefix like 10.0.0.0/8 or 2001:db8::/32 nor a range like "
	  "10.0.0.1-10.0.0.9" },
	{ "a prefix of 33", "", "[policy x]\nsource = 10.0.0.0/33\n",
	  "mwan.ini:4: source: \"10.0.0.0/33\" is neither an address nor a "
	  "prefix like 10.0.0.0/8 or 2001:db8::/32 nor a range like "
	  "10.0.0.1-10.0.0.9" },
	{ "a range of prefixes", "", "[policy x]\n"
	  "source = 10.0.0.0-10.1.0.0/16\n", "mwan.ini:4: source: "
	  "\"10.0.0.0-10.1.0.0/16\" is neither an address nor a prefix like "
	  "10.0.0.0/8 or 2001:db8::/32 nor a range like 10.0.0.1-10.0.0.9" },
	{ "a range of two families", "", "[policy x]\n"
	  "source = 10.0.0.0-2001:db8::1\n", "mwan.ini:4: source: "
	  "\"10.0.0.0-2001:db8::1\" is neither an address nor a prefix like "
	  "10.0.0.0/8 or 2001:db8::/32 nor a range like 10.0.0.1-10.0.0.9" },
	{ "IPv4 within IPv6", "", "[policy x]\nsource = ::ffff:a00:1\n",
	  "mwan.ini:4: source: \"::ffff:a00:1\" is neither an address nor a "
	  "prefix like 10.0.0.0/8 or 2001:db8::/32 nor a range like "
	  "10.0.0.1-10.0.0.9" },
	{ "bits behind an IPv6 prefix", "", "[policy x]\n"
	  "source = 2001:db8:0:1::/47\n", "mwan.ini:4: source: "
	  "\"2001:db8:0:1::/47\" has bits after its prefix: write "
	  "2001:db8::/47" },
	{ "an IPv6 prefix of 129", "", "[policy x]\nsource = ::/129\n",
	  "mwan.ini:4: source: \"::/129\" is neither an address nor a prefix "
	  "like 10.0.0.0/8 or 2001:db8::/32 nor a range like "
	  "10.0.0.1-10.0.0.9" },
	{ "an IPv6 range backwards", "", "[policy x]\n"
	  "source = 2001:db8:0:1::-2001:db8::f\n", "mwan.ini:4: source: "
	  "\"2001:db8:0:1::-2001:db8::f\" ends before it begins: turn it "
	  "round" },
	{ "from one family to the other", "", "[policy x]\nuse = main\n"
	  "destination = 10.0.0.0/8\nsource = fd00::/8\n", "mwan.ini:5: "
	  "destination: no connection goes from an address of source to one "
	  "of these: IPv4 and IPv6 are apart" },
	{ "both families", "", "[policy x]\nsource = 10.0.0.1 fd00::/8, ::/0 "
	  "2001:DB8::0:7 2001:db8::-2001:db8::f 2001:db8::1-2001:db8::f\n"
	  "destination = fd00::1\nuse = main\n", "sticky = 0\n[policy x]\n"
	  "source=10.0.0.1 fd00::/8 ::/0 2001:db8::7 2001:db8::/124 "
	  "2001:db8::1-2001:db8::f\ndestination=fd00::1\nuse = main\n" },
	{ "a range backwards", "", "[policy x]\nsource = 2.0.0.0-1.0.0.0\n",
	  "mwan.ini:4: source: \"2.0.0.0-1.0.0.0\" ends before it begins: "
	  "turn it round" },
	{ "ports backwards", "", "[policy x]\nsource_port = 2-1\n",
	  "mwan.ini:4: source_port: \"2-1\" ends before it begins: turn it "
	  "round" },
	{ "no port", "", "[policy x]\nsource_port = 65536\n", "mwan.ini:4: "
	  "source_port: \"65536\" is neither a port from 0 to 65535 nor a "
	  "range like 5000-5999" },
	{ "ports of icmp", "", "[policy x]\nprotocol = tcp icmp\n"
	  "source_port = 1\nuse = main\n", "mwan.ini:5: ports are those of "
	  "tcp and udp: add \"protocol = tcp\", \"protocol = udp\" or "
	  "\"protocol = tcp udp\"" },
	{ "ports of no protocol", "", "[policy x]\ndestination_port = 1\n"
	  "use = main\n", "mwan.ini:4: ports are those of tcp and udp: add "
	  "\"protocol = tcp\", \"protocol = udp\" or \"protocol = tcp udp\"" },
	{ "no protocol", "", "[policy x]\nprotocol = 256\n", "mwan.ini:4: "
	  "protocol: \"256\" is none of: tcp, udp, icmp, a number from 0 to "
	  "255" },
	{ "17 protocols", "", "[policy x]\n"
	  "protocol = 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8\n", "mwan.ini:4: "
	  "protocol: more than 16 of them: make a second policy" },
	{ "no interface", "", "[policy x]\ninterface = a/b\n", "mwan.ini:4: "
	  "interface: \"a/b\" cannot be a network interface: such a name is "
	  "1 to 15 letters, digits, '_', '-' or '.'" },
	{ "a link in lan", "lan = eth0 ppp1\n", "", "mwan.ini:2: lan: ppp1 is a "
	  "link: name interfaces of the LAN" },
	{ "a link's interface", "", "[policy x]\nuse = main\n"
	  "interface = eth0 ppp0\n", "mwan.ini:5: interface: policies are "
	  "not for what comes in by ppp0: name interfaces of the LAN" },
	{ "nothing", "", "[policy x]\nsource = ,\n", "mwan.ini:4: source: "
	  "there is nothing in it: delete the line" },
};

static void test_deals(void)
{
	size_t i;

	for (i = 0; i < sizeof(deals) / sizeof(deals[0]); i++)
		is(deal_of(deals[i].mwan, deals[i].policies), deals[i].want,
		   "deal: %s", deals[i].what);
}

static void test_many_policies(void)
{
	unsigned int i;
	FILE *f = fopen(path, "w");

	for (i = 0; i <= POLICIES_MAX; i++)
		fprintf(f, "[policy p%u]\nuse = main\n", i);
	fclose(f);
	is(result(true), "mwan.ini:129: more than 64 policies: join some "
	   "that use the same", "65 policies");
}

static void random_ranges(struct range *r, uint8_t *n, uint8_t max,
			  uint32_t top)
{
	unsigned int i;

	for (*n = (uint8_t)unit_random(max + 1U), i = 0; i < *n; i++) {
		uint32_t first = unit_random(top) + unit_random(2);

		r[i] = (struct range){ .first = wide(first),
				       .last = wide(first) };
		if (unit_random(2))
			r[i].last.lo += unit_random(top - first + 1);
	}
}

static void random_ports(struct ports *p, uint8_t *n)
{
	struct range r[14];
	unsigned int i;

	random_ranges(r, n, 14, 0xffff);
	for (i = 0; i < *n; i++)
		p[i] = (struct ports){ (uint16_t)r[i].first.lo,
				       (uint16_t)r[i].last.lo };
}

/* Some of them of IPv6, by bits above those of IPv4. */
static void random_addresses(struct range *r, uint8_t *n, uint32_t top)
{
	unsigned int i;

	/* Of the longest addresses as many fit one line. */
	random_ranges(r, n, 3, top);
	for (i = 0; i < *n; i++) {
		r[i].family = AF_INET;
		if (unit_random(2))
			continue;
		r[i].family = AF_INET6;
		r[i].first.hi = r[i].last.hi = 0x20010db8ULL << 32 |
			unit_random(UINT32_MAX);
		if (unit_random(2))
			r[i].last.hi += unit_random(UINT32_MAX);
	}
}

static void random_policy(struct policy *y, unsigned int n_links)
{
	unsigned int i;

	memset(y, 0, sizeof(*y));
	snprintf(y->name, sizeof(y->name), "p%u.%u", unit_random(1000000),
		 unit_random(1000000));
	random_addresses(y->source, &y->n_source, UINT32_MAX - 1);
	random_addresses(y->destination, &y->n_destination, 0xffff);
	if (!policy_has_family(y, FAMILY_IPV4) &&
	    !policy_has_family(y, FAMILY_IPV6))
		y->n_source = 0;
	if (!y->n_destination && unit_random(2))
		snprintf(y->set, sizeof(y->set), "S%u_", unit_random(1000000));
	y->n_protocol = (uint8_t)unit_random(POLICY_PROTOCOLS);
	for (i = 0; i < y->n_protocol; i++)
		y->protocol[i] = (uint8_t)unit_random(256);
	if (unit_random(2)) {
		y->n_protocol = 2;
		y->protocol[0] = IPPROTO_TCP;
		y->protocol[1] = IPPROTO_UDP;
		random_ports(y->source_port, &y->n_source_port);
		random_ports(y->destination_port, &y->n_destination_port);
	}
	for (i = 0; i < unit_random(4); i++)
		snprintf(y->interface[y->n_interface++], IFNAMSIZ, "+%u",
			 unit_random(999));
	y->use = USE_BALANCE + unit_random(2);
	if (n_links && unit_random(2)) {
		y->use = USE_LINK;
		y->link = (uint8_t)unit_random(n_links);
		y->unreachable = unit_random(2);
	}
}

static bool same_ranges(const struct range *a, const struct range *b,
			unsigned int n)
{
	while (n--)
		if (!wide_equal(a[n].first, b[n].first) ||
		    !wide_equal(a[n].last, b[n].last) ||
		    a[n].family != b[n].family)
			return false;
	return true;
}

static bool same_ports(const struct ports *a, const struct ports *b,
		       unsigned int n)
{
	while (n--)
		if (a[n].first != b[n].first || a[n].last != b[n].last)
			return false;
	return true;
}

static bool same_policy(const struct policy *a, const struct policy *b)
{
	unsigned int i;

	if (a->n_interface != b->n_interface || a->n_source != b->n_source ||
	    a->n_destination != b->n_destination ||
	    a->n_protocol != b->n_protocol ||
	    a->n_source_port != b->n_source_port ||
	    a->n_destination_port != b->n_destination_port)
		return false;
	for (i = 0; i < a->n_interface; i++)
		if (strcmp(a->interface[i], b->interface[i]))
			return false;
	return !strcmp(a->name, b->name) && a->use == b->use &&
	       !strcmp(a->set, b->set) &&
	       a->link == b->link && a->unreachable == b->unreachable &&
	       !memcmp(a->protocol, b->protocol, a->n_protocol) &&
	       same_ranges(a->source, b->source, a->n_source) &&
	       same_ranges(a->destination, b->destination,
			   a->n_destination) &&
	       same_ports(a->source_port, b->source_port,
			  a->n_source_port) &&
	       same_ports(a->destination_port, b->destination_port,
			  a->n_destination_port);
}

static void random_deal(struct conf *c)
{
	static const uint32_t unit[] = { 1, 60, 3600, 86400 };
	unsigned int i, k, best = 0;

	/* Parity is for 1, 2, 4, ... links of weight 1. */
	c->balance = unit_random(BALANCE_RANDOM + 1);
	for (i = 0; i < c->n_links; i++)
		best += c->link[i].tier == conf_best_tier(c);
	if (c->balance == BALANCE_SOURCE_PARITY && best != 1)
		c->balance = BALANCE_FLOW;
	if (c->balance == BALANCE_SOURCE_PARITY)
		for (i = 0; i < c->n_links; i++)
			c->link[i].weight = 1;
	c->sticky = unit_random(300) * unit[unit_random(4)];
	c->n_policies = unit_random(unit_random(8) ? 5 : POLICIES_MAX + 1);
	for (i = 0; i < c->n_policies; i++) {
		random_policy(&c->policy[i], c->n_links);
		for (k = 0; k < i; k++)
			if (!strcmp(c->policy[k].name, c->policy[i].name))
				i--;
	}
}

static bool same_deal(const struct conf *a, const struct conf *b)
{
	unsigned int i;

	for (i = 0; i < a->n_policies && a->n_policies == b->n_policies; i++)
		if (!same_policy(&a->policy[i], &b->policy[i]))
			return false;
	return a->sticky == b->sticky && a->n_policies == b->n_policies;
}

static void ranges_are(const char *in, const char *want)
{
	struct policy y;
	char got[1024] = "", one[RANGE_TEXT];
	unsigned int i, n;

	policy_set(&y, "source", in, NULL);
	n = ranges_merge(y.source, y.n_source,
			 wide_ones(y.source[0].family == AF_INET ? 32 : 128));
	for (i = 0; i < n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s",
			 i ? " " : "", range_text(&y.source[i], one));
	is(got, want, "merged: %s", in);
}

static void test_merge(void)
{
	ranges_are("10.0.0.0/8 10.1.0.0/16 9.0.0.0/8",
		   "9.0.0.0-10.255.255.255");
	ranges_are("10.0.0.128/25 10.0.0.0/25", "10.0.0.0/24");
	ranges_are("10.0.0.3 10.0.0.1 10.0.0.3", "10.0.0.1 10.0.0.3");
	ranges_are("255.0.0.0/8 255.255.255.255 1.1.1.1-2.2.2.2 2.2.2.3",
		   "1.1.1.1-2.2.2.3 255.0.0.0/8");
	ranges_are("128.0.0.0/1 0.0.0.0-127.255.255.255", "");
	ranges_are("1.0.0.0/8 0.0.0.0/0", "");
	ranges_are("0.0.0.0 255.255.255.255", "0.0.0.0 255.255.255.255");
	ranges_are("2001:db8:8000::/33 2001:db8::/33 fd00::1 fd00::",
		   "2001:db8::/32 fd00::/127");
	ranges_are("ffff::/16 ::1-fffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		   "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	ranges_are("8000::/1 ::/1", "");
}

static void test_files(void)
{
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		put(path, tests[i].file, strlen(tests[i].file));
		is(result(true), tests[i].want, "%s", tests[i].what);
	}
}

/* A mark of a byte order is no part of a key, wherever it stands. */
static void test_bom(void)
{
	static const char bom[] = "\xef\xbb\xbf" LINKS;

	put(path, bom, sizeof(bom) - 1);
	is(result(true), "parity" TWO, "a byte order mark");
}

static const char plain[] = "mwan.ini must be a plain file of root that "
	"nobody else can write: chown root, chmod 644";
static const char no_file[] = "mwan.ini must be a plain file: replace it by "
	"one, or name another one with -f";

/* What a file can be besides a file. None of it may block. */
static void test_kinds(void)
{
	put(path, "[mwan]\nlog = /x\0y\n", 18);
	is(result(true), "mwan.ini holds a NUL byte: save it as plain text, "
	   "not as UTF-16", "a NUL");
	memset(text, '\n', sizeof(text));
	put(path, text, CONF_FILE_MAX - 2);
	is(result(true), BY_NAME, "as long as it may be");
	put(path, text, CONF_FILE_MAX);
	is(result(true), "mwan.ini is longer than 262143 bytes: take "
	   "comments out, if it is the right file", "too long");
	put(path, LINKS, strlen(LINKS));
	chmod(path, 0664);
	is(result(true), plain, "writable by a group");
	chmod(path, 0646);
	is(result(true), plain, "writable by others");
	chmod(path, 0400);
	is(result(true), "parity" TWO, "readable by root alone");
	ok(!link(path, "other"), "a hard link");
	is(result(true), "mwan.ini has another name as well (a hard link): "
	   "replace it by a copy", "a hard link is refused");
	rename(path, "other");
	unlink(path);
	ok(!symlink("other", path), "a symbolic link");
	is(result(true), "cannot open mwan.ini: it is a symbolic link, "
	   "replace it by the file itself", "a symbolic link is refused");
	is(result(false), "cannot open mwan.ini: it is a symbolic link, "
	   "replace it by the file itself", "and is no missing file");
	unlink(path);
	ok(!mkfifo(path, 0600), "a fifo");
	is(result(true), no_file, "a fifo is refused");
	unlink(path);
	ok(!mkdir(path, 0700), "a directory");
	is(result(true), no_file, "a directory is refused");
	rmdir(path);
	is(result(true), "cannot open mwan.ini: No such file or directory; "
	   "write it (see mwan.ini(5)), or name another one with -f",
	   "a missing file");
	unlink("other");
	/* A mistake is not remembered by the next reading. */
	is(result(false), "source; ppp0 201 0x1; ppp1 202 0x2; ppp2 203 0x3; "
	   "ppp10 210 0x4", "the links of rt_tables then");
}

static void names(const char *rt_tables, const char *want, const char *what)
{
	put("/etc/iproute2/rt_tables", rt_tables, strlen(rt_tables));
	is(result(false), want, "%s", what);
}

/* Without a file the names of rt_tables are the links. */
static void test_rt_tables(void)
{
	unlink(path);
	names("", "source", "no names, no links");
	names("210 ppp10\n202 ppp2\n200 ppp0\n", "1000 201 77000, source; "
	      "ppp0 200 0x1; ppp2 202 0x2; ppp10 210 0x3",
	      "the standby's default is a link's table");
	names("200 ppp0\n201 ppp1\n202 vpn\n", "1000 203 77000, parity; ppp0 "
	      "200 0x1; ppp1 201 0x2", "as in the howtos");
	names("201 ppp1\n200 standby\n", "source; ppp1 201 0x1",
	      "the name standby is no stranger's");
	names("201 ppp1\n7 standby\n", "1000 7 77000, source; ppp1 201 0x1",
	      "and says which table it is");
	names("201 ppp1\n254 standby\n", "source; ppp1 201 0x1",
	      "but main it cannot be");
	names("210 ppp10\n202 ppp2\n201 ppp0\n", "source; ppp0 201 0x1; ppp2 "
	      "202 0x2; ppp10 210 0x3", "sorted by number");
	names("201 ppp00\n202 ppp1\n203 ppp\n204 pppoe\n205 ppp2x\n206 ppp-1"
	      "\n207 xppp3\n208 ppp0x4\n209 ppp99999999999\n",
	      "source; ppp1 202 0x1", "ppp00 and the like are no links");
	names("# 200 ppp0\n201\tppp1 # one\nppp2 202\n0xcb ppp3\n\n204\n"
	      "201 ppp4 x\n", "/etc/iproute2/rt_tables: link ppp4 has the same "
	      "table 201 as link ppp1, give it another", "two names for one table");
	names("201 ppp1\n202 ppp1\n0xcb ppp3\n",
	      "parity; ppp1 201 0x1; ppp3 203 0x2",
	      "the first number counts; a hexadecimal one");
	ok(!mkdir("/etc/iproute2/rt_tables.d", 0755), "rt_tables.d");
	put("/etc/iproute2/rt_tables.d/mwan.conf", "204 ppp4\n", 9);
	put("/etc/iproute2/rt_tables.d/mwan.bak", "205 ppp5\n", 9);
	names("201 ppp1\n", "parity; ppp1 201 0x1; ppp4 204 0x2",
	      "rt_tables.d/*.conf");
	put(path, "[link ppp4]\n[link ppp1]\n", 24);
	names("201 ppp1\n", "parity; ppp4 204 0x1; ppp1 201 0x2",
	      "for the links of a file as well, in its order");
	unlink(path);
	unlink("/etc/iproute2/rt_tables.d/mwan.conf");
	names("254 ppp0\n", "/etc/iproute2/rt_tables: link ppp0: the tables "
	      "local, main and default are the system's, take another",
	      "main under a link's name");
}

/* --- what is written is read back --- */

static void random_name(char name[IFNAMSIZ])
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJ0123456789_-.@+%";
	unsigned int i, n = 1 + unit_random(IFNAMSIZ - 1);

	memset(name, 0, IFNAMSIZ);
	for (i = 0; i < n; i++)
		name[i] = set[unit_random(sizeof(set) - 1)];
	if (name[0] == '.')
		name[0] = 'x';
}

static void random_qdisc(struct qdisc_conf *q)
{
	static const uint64_t unit[] = { 1, 1000, 1000000, 1000000000 };

	q->kind = unit_random(QDISC_AUTO + 1);
	q->bandwidth = 0;
	if (q->kind == QDISC_CAKE && unit_random(3))
		q->bandwidth = (uint64_t)(8 + unit_random(unit_random(2) ?
			100 : 0xfffffff0)) * unit[unit_random(4)] / 8;
}

static void random_gateway(struct gateway_conf *g)
{
	unsigned int f, i;

	memset(g, 0, sizeof(*g));
	g->how = unit_random(GATEWAY_NONE + 1);
	for (f = 0; f < FAMILIES; f++) {
		if (unit_random(4))
			continue;
		g->how = GATEWAY_GIVEN;
		g->addr[f].family = family_af(f);
		for (i = 0; i < addr_len(&g->addr[f]); i++)
			g->addr[f].bytes[i] = (uint8_t)(1 + unit_random(126));
	}
}

static bool same_gateway(const struct gateway_conf *a,
			 const struct gateway_conf *b)
{
	return a->how == b->how &&
	       addr_equal(&a->addr[FAMILY_IPV4], &b->addr[FAMILY_IPV4]) &&
	       addr_equal(&a->addr[FAMILY_IPV6], &b->addr[FAMILY_IPV6]);
}

static void random_prefixes(struct prefixes *p)
{
	struct addr a = { .family = AF_INET6 };
	unsigned int i, k;

	p->n = 0;
	for (i = unit_random(3); i > 0; i--) {
		for (k = 0; k < 16; k++)
			a.bytes[k] = (uint8_t)unit_random(256);
		a.bytes[0] = 0x20;
		p->item[p->n++] = prefix_of(&a, (uint8_t)(3 +
							  unit_random(126)));
	}
}

static void random_watch(struct watch_conf *w)
{
	unsigned int i;

	memset(w, 0, sizeof(*w));
	w->detect = 100 + unit_random(60 * 1000 - 99);
	w->recover = unit_random(2) ? 0 : unit_random(60 * 60 * 1000 + 1);
	w->interval = 1000 * (1 + unit_random(60 * 60));
	w->latency = unit_random(2) ? 0 : unit_random(60 * 1000 + 1);
	w->loss = (uint8_t)unit_random(101);
	w->probe.kind = unit_random(WATCH_NONE + 1);
	if (w->probe.kind == WATCH_TCP)
		w->probe.port = (uint16_t)(1 + unit_random(UINT16_MAX));
	w->targets.n = unit_random(WATCH_TARGETS + 1);
	for (i = 0; i < w->targets.n; i++) {
		w->targets.addr[i].family = AF_INET;
		w->targets.addr[i].v4.s_addr =
			htonl(0x80000000 + unit_random(0x50000000));
	}
}

static bool same_watch(const struct watch_conf *a, const struct watch_conf *b)
{
	unsigned int i;

	for (i = 0; i < a->targets.n && a->targets.n == b->targets.n; i++)
		if (!addr_equal(&a->targets.addr[i], &b->targets.addr[i]))
			return false;
	return a->detect == b->detect && a->recover == b->recover &&
	       a->interval == b->interval && a->latency == b->latency &&
	       a->loss == b->loss && a->probe.kind == b->probe.kind &&
	       a->probe.port == b->probe.port && a->targets.n == b->targets.n;
}

static void random_conf(struct conf *c)
{
	static const uint32_t mask[] = { 0xff, 0xff00, 0x3fc0000, 0xff000000,
					 0xffffffff };
	struct conf_link *l;
	unsigned int i;

	memset(c, 0, sizeof(*c));
	c->mark_mask = mask[unit_random(5)];
	c->rule_priority = 2 + unit_random(31765);
	c->standby_table = 256 + unit_random(1000);
	c->onlink_table = 1300 + unit_random(700);
	c->ipv6 = unit_random(2);
	c->translate6 = unit_random(2);
	c->nexthop_base = 1 + unit_random(UINT32_MAX - NEXTHOP_SPAN);
	c->masquerade = unit_random(2);
	c->clamp_mss = unit_random(2);
	c->sysctl = unit_random(2);
	c->last_resort = unit_random(LAST_RESORT_BLACKHOLE + 1);
	c->failback = unit_random(FAILBACK_MOVE + 1);
	snprintf(c->log, sizeof(c->log), "/var/log/%u x", unit_random(999));
	random_qdisc(&c->qdisc);
	random_watch(&c->watch);
	/* No line can take it back: others have what [mwan] says. */
	c->watch.targets.n = 0;
	c->heal = unit_random(2);
	c->n_links = 1 + unit_random(unit_random(8) ? 4 : LINKS_MAX);
	for (i = 0; i < c->n_links; i++) {
		l = &c->link[i];
		do {
			random_name(l->name);
		} while (conf_link_index(c, l->name) != (int)i);
		if (unit_random(2))
			snprintf(l->linkname, sizeof(l->linkname), "wan-%u_.",
				 i);
		l->table = 2000 + i + unit_random(2) * 1000000;
		l->mark = (i + 1) * (c->mark_mask & -c->mark_mask);
		l->weight = (uint8_t)(1 + unit_random(WEIGHT_MAX));
		l->tier = (uint8_t)(1 + unit_random(TIER_MAX));
		random_qdisc(&l->qdisc);
		random_gateway(&l->gateway);
		random_prefixes(&l->prefix6);
		l->watch = c->watch;
		if (unit_random(2))
			random_watch(&l->watch);
	}
	c->n_lan = unit_random(8);
	for (i = 0; i < c->n_lan; i++)
		do {
			random_name(c->lan[i]);
		} while (conf_link_index(c, c->lan[i]) >= 0);
	random_deal(c);
}

static bool same_qdisc(const struct qdisc_conf *a, const struct qdisc_conf *b)
{
	return a->kind == b->kind && a->bandwidth == b->bandwidth;
}

/* Not memcmp(): there is padding. */
static bool same(const struct conf *a, const struct conf *b)
{
	const struct conf_link *x, *y;
	unsigned int i;

	for (i = 0; i < a->n_links && a->n_links == b->n_links; i++) {
		x = &a->link[i];
		y = &b->link[i];
		if (strcmp(x->name, y->name) || x->table != y->table ||
		    x->mark != y->mark || x->weight != y->weight ||
		    x->tier != y->tier || strcmp(x->linkname, y->linkname) ||
		    !same_qdisc(&x->qdisc, &y->qdisc) ||
		    !same_gateway(&x->gateway, &y->gateway) ||
		    !prefixes_equal(&x->prefix6, &y->prefix6) ||
		    !same_watch(&x->watch, &y->watch))
			return false;
	}
	for (i = 0; i < a->n_lan && a->n_lan == b->n_lan; i++)
		if (strcmp(a->lan[i], b->lan[i]))
			return false;
	return !strcmp(a->log, b->log) &&
	       a->rule_priority == b->rule_priority &&
	       a->mark_mask == b->mark_mask &&
	       a->standby_table == b->standby_table &&
	       a->onlink_table == b->onlink_table && a->ipv6 == b->ipv6 &&
	       a->translate6 == b->translate6 &&
	       a->nexthop_base == b->nexthop_base &&
	       a->balance == b->balance && a->masquerade == b->masquerade &&
	       a->clamp_mss == b->clamp_mss && a->sysctl == b->sysctl &&
	       a->last_resort == b->last_resort &&
	       a->failback == b->failback &&
	       same_deal(a, b) &&
	       same_watch(&a->watch, &b->watch) && a->heal == b->heal &&
	       same_qdisc(&a->qdisc, &b->qdisc) && a->n_lan == b->n_lan &&
	       a->n_links == b->n_links;
}

static void test_round_trip(void)
{
	unsigned int i, bad = 0;
	int len;

	for (i = 0; i < ROUNDS; i++) {
		random_conf(&conf);
		len = conf_print(&conf, text, sizeof(text));
		if (len < 0)
			break;
		put(path, text, (size_t)len);
		memset(&again, 0xa5, sizeof(again));
		err.msg[0] = '\0';
		if (!conf_read(&again, path, true, &err) &&
		    same(&conf, &again))
			continue;
		if (!bad++) {
			printf("# round %u: %s\n", i, err.msg);
			unit_show("it was:", text);
			conf_print(&again, text, sizeof(text));
			unit_show("it is:", text);
		}
	}
	ok(i == ROUNDS && !bad, "%u configurations are read back as they "
	   "were written", ROUNDS);
	conf.n_links = LINKS_MAX;
	ok(conf_print(&conf, text, 100) == -ENOSPC &&
	   conf_print(&conf, text, sizeof(text)) > 0,
	   "a buffer that is too small");
}

/* The marks of @file when @before is in force, where ppp0 has the mark 1. */
static const char *kept(const char *before, const char *file)
{
	put(path, before, strlen(before));
	(void)result(true);
	again = conf;
	put(path, file, strlen(file));
	if (result(true) == err.msg)
		return err.msg;
	conf_give_marks(&conf, &again);
	return summary(&conf);
}

static void test_marks(void)
{
	is(kept(LINKS "[link ppp2]\n", "[link ppp1]\n[link ppp2]\n"),
	   "parity; ppp1 202 0x2; ppp2 203 0x3", "the first link is removed: "
	   "the others' marks stay");
	is(kept(LINKS, "[link ppp2]\n" LINKS), "source; ppp2 203 0x3; ppp0 "
	   "201 0x1; ppp1 202 0x2", "a link is added in front: the same");
	is(kept(LINKS, "[link ppp1]\n[link ppp0]\n"), "parity; ppp1 202 0x2; "
	   "ppp0 201 0x1", "another order: the same");
	is(kept(LINKS, "[link ppp1]\n[link ppp2]\nmark = 2\n"), "parity; "
	   "ppp1 202 0x1; ppp2 203 0x2", "a mark that the file gives to "
	   "another link is not kept");
	is(kept("[link ppp0]\nmark = 0x30\n[link ppp1]\n", LINKS), "parity; "
	   "ppp0 201 0x30; ppp1 202 0x2", "a mark that was given is kept as "
	   "well");
	is(kept(LINKS, "[mwan]\nmark_mask = 0xf00\n[link ppp1]\n"
		"[link ppp0]\n"), "mask 0xf00, parity; ppp1 202 0x100; ppp0 "
	   "201 0x200", "but not under another mask");
}

/* Is what @file says the same as what conf_print() makes of @before? */
static bool same_as_printed(const char *before, const char *file)
{
	int len;

	put(path, before, strlen(before));
	(void)result(true);
	len = conf_print(&conf, text, sizeof(text));
	put(path, text, (size_t)len);
	(void)result(true);
	again = conf;
	put(path, file, strlen(file));
	return result(true) != err.msg && conf_same(&conf, &again);
}

static void test_same(void)
{
	static const char more[] = LINKS "weight = 2\ngateway = 10.0.0.1\n"
		"targets = 192.0.2.1\nprefix6 = 2001:db8::/56\n"
		"qdisc = cake bandwidth 20mbit\n"
		"[policy a]\nsource = 10.0.0.0/8\nuse = ppp1\n";

	ok(same_as_printed(LINKS, LINKS), "a file that leaves marks open is "
	   "the same as its copy, which does not");
	ok(same_as_printed(more, more), "with keys of each kind, too");
	ok(!same_as_printed(more, LINKS) && !same_as_printed(LINKS, more) &&
	   !same_as_printed(LINKS, LINKS "[link ppp2]\n") &&
	   !same_as_printed(LINKS, "[mwan]\nsticky = 9\n" LINKS) &&
	   !same_as_printed(LINKS "[link ppp2]\n", LINKS),
	   "not one with a key, a policy or a link more or less");
}

/* The standby table of LINKS by rt_tables, when @table was in force. */
static void keeps(uint32_t table, const char *rt_tables, const char *file,
		  uint32_t want, const char *what)
{
	static const char fixed[] = "201 ppp0\n202 ppp1\n203 ppp2\n"
				    "210 ppp10\n";

	put("/etc/iproute2/rt_tables", rt_tables, strlen(rt_tables));
	put(path, file, strlen(file));
	(void)result(true);
	again = conf;
	again.standby_table = table;
	conf_keep_standby(&conf, &again);
	ok(conf.standby_table == want, "%s: %u", what, conf.standby_table);
	put("/etc/iproute2/rt_tables", fixed, sizeof(fixed) - 1);
}

static void test_standby(void)
{
	keeps(203, "201 ppp0\n202 ppp1\n", LINKS, 203,
	      "200 is free again: what is in force stays");
	keeps(200, "200 vpn\n201 ppp0\n202 ppp1\n", LINKS, 200,
	      "a name takes its number: it stays");
	keeps(203, "201 ppp0\n202 ppp1\n", LINKS "table = 203\n", 200,
	      "a link takes its number: it goes");
	keeps(203, "201 ppp0\n202 ppp1\n", "[mwan]\nstandby_table = 9\n"
	      LINKS, 9, "the file says which one it is");
	keeps(254, "201 ppp0\n202 ppp1\n", LINKS, 200,
	      "a table of the system's is never kept");
}

static void test_limits(void)
{
	unsigned int i;
	FILE *f = fopen(path, "w");

	for (i = 0; i <= LINKS_MAX; i++)
		fprintf(f, "[link l%u]\ntable = %u\n", i, 1000 + i);
	fclose(f);
	is(result(true), "mwan.ini:511: more than 255 links: take some out",
	   "256 links");
	f = fopen(path, "w");
	fputs("[mwan]\nlan =", f);
	for (i = 0; i <= LAN_MAX; i++)
		fprintf(f, " l%u", i);
	fclose(f);
	is(result(true), "mwan.ini:2: lan: more than 32 interfaces: without "
	   "lan all but the links count", "33 interfaces");
}

/* Any bytes: the file is taken or refused with a sentence. */
static void test_random_bytes(void)
{
	static const char *const part[] = { "[mwan]", "[link ", "ppp0", "]",
		"\n", "=", " ", "table", "mark", "weight", ";", "#", ":",
		"\"", "0x", "1", "lan", "log", "/", "\t", "\r", "cake ",
		"bandwidth ", "mbit", "qdisc", "\xff", "-", "[", "99999999" };
	unsigned int i, k, bad = 0;
	char *end;
	int code;

	for (i = 0; i < ROUNDS; i++) {
		text[0] = '\0';
		end = text;
		for (k = unit_random(60); k; k--)
			end = stpcpy(end, part[unit_random(sizeof(part) /
							   sizeof(part[0]))]);
		put(path, text, strlen(text));
		err.msg[0] = '\0';
		code = conf_read(&conf, path, true, &err);
		bad += (code != 0) != (err.msg[0] != '\0');
		bad += conf.n_links > LINKS_MAX || conf.n_lan > LAN_MAX;
	}
	ok(!bad, "nonsense is refused with a sentence");
}

/* A place of our own with an /etc that nobody else sees. */
static bool enter(char *dir)
{
	char map[32];
	uid_t uid = getuid();

	if (!mkdtemp(dir) || chdir(dir))
		return false;
	if (unshare(CLONE_NEWNS)) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
			return false;
		snprintf(map, sizeof(map), "0 %u 1", uid);
		put("/proc/self/uid_map", map, strlen(map));
	}
	return !mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) &&
	       !mount("etc", "/etc", "tmpfs", 0, NULL) &&
	       !mkdir("/etc/iproute2", 0755) &&
	       (access("/usr/share/iproute2", F_OK) ||
		!mount("usr", "/usr/share/iproute2", "tmpfs", 0, NULL));
}

/* For t9000-docs.t: "SECTION KEY = DEFAULT", a row each. */
static int show_keys(void)
{
	static const char *const names[] = { "mwan", "link", "policy" };
	const struct key *k;
	unsigned int s, i;

	for (s = 0; s < SECTIONS; s++)
		for (i = 0; i < key_sections[s].n; i++) {
			k = &key_sections[s].keys[i];
			printf("%s %s =%s%s\n", names[s], k->name,
			       k->standard ? " " : "",
			       k->standard ? k->standard : "");
		}
	return 0;
}

/* A row that is not found would be looked for outside the table. */
static void test_keys(void)
{
	unsigned int s, i, bad = 0;

	for (s = 0; s < SECTIONS; s++)
		for (i = 0; i < key_sections[s].n; i++)
			bad += key_at(s, key_sections[s].keys[i].offset) != i ||
			       key_find(s, key_sections[s].keys[i].name) !=
				       (int)i;
	ok(!bad && key_find(SECTION_MWAN, "weight") < 0,
	   "each key is found by its name and by its field");
	for (s = 0; s < SECTIONS; s++)
		ok(key_sections[s].n <= KEYS_MAX, "%s has at most %d keys",
		   key_sections[s].name, KEYS_MAX);
}

/* Here fmemopen(3) can be told to fail; see t/CMakeLists.txt. */
static bool no_memory;

FILE *__real_fmemopen(void *buf, size_t size, const char *mode);
FILE *__wrap_fmemopen(void *buf, size_t size, const char *mode);

FILE *__wrap_fmemopen(void *buf, size_t size, const char *mode)
{
	if (!no_memory)
		return __real_fmemopen(buf, size, mode);
	errno = ENOMEM;
	return NULL;
}

static void test_no_memory(void)
{
	static struct prefix6 p;

	no_memory = true;
	ok(conf_print(&conf, text, sizeof(text)) == -ENOMEM,
	   "no memory: a configuration is not written down");
	/* Their file would be taken away. */
	ok(prefix6_write(&conf, &p, &err) == -ENOMEM,
	   "no memory: the prefixes are not taken for none: %s", err.msg);
	no_memory = false;
}

int main(int argc, char **argv)
{
	static const char rt_tables[] = "201 ppp0\n202 ppp1\n203 ppp2\n"
					"210 ppp10\n";
	char dir[] = "/tmp/unit-conf.XXXXXX";

	if (argc > 1 && !strcmp(argv[1], "keys"))
		return show_keys();
	umask(022);
	if (!enter(dir)) {
		printf("Bail out! no namespace of our own\n");
		return 1;
	}
	put("/etc/iproute2/rt_tables", rt_tables, sizeof(rt_tables) - 1);
	test_keys();
	test_files();
	test_deals();
	test_many_policies();
	test_merge();
	test_bom();
	test_kinds();
	test_limits();
	test_marks();
	test_same();
	test_standby();
	test_round_trip();
	test_random_bytes();
	test_rt_tables();
	test_no_memory();
	unlink(path);
	if (chdir("/") || rmdir(dir))
		printf("# %s is left\n", dir);
	return done();
}
