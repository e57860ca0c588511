// SPDX-License-Identifier: MIT
/* The configuration: what is taken, what is refused and in which words, and
 * that a configuration that is written is read back the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
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

/* The links, and what is not as it is by default. */
static const char *summary(const struct conf *c)
{
	static char buf[8192];
	const struct conf_link *l;
	char q[64];
	FILE *f = fmemopen(buf, sizeof(buf), "w");
	unsigned int i;

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
	fputs(c->balance == BALANCE_SOURCE ? "source" : "parity", f);
	for (i = 0; i < c->n_links; i++) {
		l = &c->link[i];
		fprintf(f, "; %s %u 0x%x", l->name, l->table, l->mark);
		if (l->weight != 1 || l->tier != 1)
			fprintf(f, " %u/%u", l->weight, l->tier);
		if (l->qdisc.kind == QDISC_CAKE)
			fprintf(f, " cake %llu",
				(unsigned long long)l->qdisc.bandwidth);
		else if (l->qdisc.kind != QDISC_PRIO_SFQ)
			fprintf(f, " %s", qdisc_conf_text(&l->qdisc, q,
							  sizeof(q)));
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
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static const struct {
	const char *what, *file, *want;
} tests[] = {
	/* --- good --- */
	{ "an empty file has no links", "", "source" },
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
	{ "a table by another name", "[link wan]\ntable = ppp1\n",
	  "source; wan 202 0x1" },
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
	  "xxxxxxxx\n", "mwan.ini:2: the line is longer than 198 "
	  "characters" },
	{ "neither key nor section", "[mwan]\n\nsysctl\n", "mwan.ini:3: this "
	  "is neither \"key = value\" nor a section" },
	{ "a key before any section", "# c\nlog = /x\n", "mwan.ini:2: log "
	  "stands before the first section: begin with [mwan] or [link "
	  "NAME]" },
	{ "an unknown section", LINKS "[Mwan]\n", "mwan.ini:3: unknown "
	  "section [Mwan]: [mwan] and [link NAME] are known" },
	{ "a section without its end", "[mwan\n", "mwan.ini:1: a section is "
	  "a name in brackets, alone on its line: [mwan] or [link ppp0]" },
	{ "more behind a section", "[mwan] x\n", "mwan.ini:1: a section is "
	  "a name in brackets, alone on its line: [mwan] or [link ppp0]" },
	{ "[mwan] twice", "[mwan]\n[link ppp0]\n[mwan]\n", "mwan.ini:3: "
	  "[mwan] is there a second time" },
	{ "a link twice", LINKS "[link  ppp0]\n", "mwan.ini:3: [link ppp0] "
	  "is there a second time" },
	{ "an unknown key", "[mwan]\nmasqerade = no\n", "mwan.ini:2: unknown "
	  "key \"masqerade\" in [mwan]" },
	{ "a key of the other section", "[link ppp0]\nlog = /x\n",
	  "mwan.ini:2: unknown key \"log\" in a [link]" },
	{ "a key twice", "[link ppp0]\nweight = 1\ntier = 1\nweight = 2\n",
	  "mwan.ini:4: weight is there a second time" },
	{ "no value", "[mwan]\nlan =\n", "mwan.ini:2: lan has no value" },
	{ "a value that is a comment", "[mwan]\nlan = ; all\n",
	  "mwan.ini:2: lan has no value" },
	{ "an indented line is no more of the value before",
	  "[mwan]\nlog = /a\n /b\n", "mwan.ini:3: this is neither \"key = "
	  "value\" nor a section" },
	{ "the first mistake counts", "[mwan]\nlog = a\nlan = /\n[x]\n",
	  "mwan.ini:2: log = \"a\" is not an absolute path" },
	/* --- values --- */
	{ "a number and more", "[link ppp0]\nweight = 3 # three\n",
	  "mwan.ini:2: weight = \"3 # three\" is not a number from 1 to "
	  "255" },
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
	{ "a priority behind main's", "[mwan]\nrule_priority = 31767\n",
	  "mwan.ini:2: rule_priority = \"31767\" is not a number from 1 to "
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
	{ "a queue", "[mwan]\nqdisc = sfq\n", "mwan.ini:2: qdisc = \"sfq\" "
	  "is none of: none, prio-sfq, fq_codel, cake, cake bandwidth "
	  "20mbit" },
	{ "a bandwidth without a unit", "[link ppp0]\nqdisc = cake bandwidth "
	  "20\n", "mwan.ini:2: qdisc = \"cake bandwidth 20\" is none of: "
	  "none, prio-sfq, fq_codel, cake, cake bandwidth 20mbit" },
	{ "a balance", "[mwan]\nbalance = odd\n", "mwan.ini:2: balance = "
	  "\"odd\" is neither source nor source-parity" },
	{ "no interface", "[mwan]\nlan = eth0 a/b\n", "mwan.ini:2: lan: "
	  "\"a/b\" cannot be a network interface" },
	{ "a link's name that is too long", "[link abcdefghijklmnop]\n",
	  "mwan.ini:1: [link abcdefghijklmnop]: \"abcdefghijklmnop\" cannot "
	  "be a network interface" },
	{ "no name", "[link ]\n", "mwan.ini:1: [link ]: \"\" cannot be a "
	  "network interface" },
	/* --- what does not go together --- */
	{ "a link without a table", "[link ppp0]\n[link wan]\n",
	  "mwan.ini:2: link wan has no table: add \"table = NUMBER\" here, "
	  "or a line \"NUMBER wan\" to /etc/iproute2/rt_tables" },
	{ "a mark that does not fit", "[mwan]\nmark_mask = 0xf\n[link ppp0]\n"
	  "\nmark = 0x10\n", "mwan.ini:5: mark 0x10 of link ppp0 does not "
	  "fit mask 0xf" },
	{ "too many marks for the mask", "[mwan]\nmark_mask = 0x80000000\n"
	  LINKS, "mwan.ini:4: mark 0x0 of link ppp1 does not fit mask "
	  "0x80000000" },
	{ "the same mark", "[link ppp0]\nmark = 2\n[link ppp1]\n",
	  "mwan.ini:3: link ppp1 has the same mark 0x2 as link ppp0" },
	{ "the same table", "[link ppp0]\n[link a]\ntable = 201\n",
	  "mwan.ini:3: link a has the same table 201 as link ppp0" },
	{ "the standby's table", "[link ppp0]\ntable = 200\n", "mwan.ini:2: "
	  "table 200 of link ppp0 is the standby_table, give one of them "
	  "another number" },
	{ "parity of three", "[mwan]\nbalance = source-parity\n" LINKS
	  "[link ppp2]\n", "mwan.ini:2: balance = source-parity needs 1, 2, "
	  "4, 8 ... links in the best tier, and there are 3: use source" },
	{ "parity with weights", "[mwan]\nbalance = source-parity\n"
	  "[link ppp0]\nweight = 2\n[link ppp1]\n", "mwan.ini:2: balance = "
	  "source-parity knows no weights: use source" },
};

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

/* What a file can be besides a file. None of it may block. */
static void test_kinds(void)
{
	put(path, "[mwan]\nlog = /x\0y\n", 18);
	is(result(true), "mwan.ini holds a NUL byte: it is not a text file",
	   "a NUL");
	memset(text, '\n', sizeof(text));
	put(path, text, CONF_FILE_MAX - 2);
	is(result(true), "source", "as long as it may be");
	put(path, text, CONF_FILE_MAX);
	is(result(true), "mwan.ini is longer than 262143 bytes", "too long");
	put(path, LINKS, strlen(LINKS));
	chmod(path, 0664);
	is(result(true), plain, "writable by a group");
	chmod(path, 0646);
	is(result(true), plain, "writable by others");
	chmod(path, 0400);
	is(result(true), "parity" TWO, "readable by root alone");
	rename(path, "other");
	ok(!symlink("other", path), "a symbolic link");
	is(result(true), "cannot open mwan.ini: it is a symbolic link",
	   "a symbolic link is refused");
	is(result(false), "cannot open mwan.ini: it is a symbolic link",
	   "and is no missing file");
	unlink(path);
	ok(!mkfifo(path, 0600), "a fifo");
	is(result(true), plain, "a fifo is refused");
	unlink(path);
	ok(!mkdir(path, 0700), "a directory");
	is(result(true), plain, "a directory is refused");
	rmdir(path);
	is(result(true), "cannot open mwan.ini: No such file or directory",
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
	names("210 ppp10\n202 ppp2\n200 ppp0\n", "mwan.ini:0: table 200 of "
	      "link ppp0 is the standby_table, give one of them another "
	      "number", "a name for the standby's table");
	names("210 ppp10\n202 ppp2\n201 ppp0\n", "source; ppp0 201 0x1; ppp2 "
	      "202 0x2; ppp10 210 0x3", "sorted by number");
	names("201 ppp00\n202 ppp1\n203 ppp\n204 pppoe\n205 ppp2x\n206 ppp-1"
	      "\n207 xppp3\n208 ppp0x4\n209 ppp99999999999\n",
	      "source; ppp1 202 0x1", "ppp00 and the like are no links");
	names("# 200 ppp0\n201\tppp1 # one\nppp2 202\n0xcb ppp3\n\n204\n"
	      "201 ppp4 x\n", "mwan.ini:0: link ppp4 has the same table 201 "
	      "as link ppp1", "two names for one table");
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
	names("254 ppp0\n", "mwan.ini:0: link ppp0: the tables local, main "
	      "and default are the system's, take another",
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

	q->kind = unit_random(QDISC_CAKE + 1);
	q->bandwidth = 0;
	if (q->kind == QDISC_CAKE && unit_random(3))
		q->bandwidth = (uint64_t)(8 + unit_random(unit_random(2) ?
			100 : 0xfffffff0)) * unit[unit_random(4)] / 8;
}

static void random_conf(struct conf *c)
{
	static const uint32_t mask[] = { 0xff, 0xff00, 0x3fc0000, 0xff000000,
					 0xffffffff };
	struct conf_link *l;
	unsigned int i;

	memset(c, 0, sizeof(*c));
	c->mark_mask = mask[unit_random(5)];
	c->rule_priority = 1 + unit_random(31766);
	c->standby_table = 256 + unit_random(1000);
	c->nexthop_base = 1 + unit_random(UINT32_MAX - NEXTHOP_SPAN);
	c->masquerade = unit_random(2);
	c->clamp_mss = unit_random(2);
	c->sysctl = unit_random(2);
	snprintf(c->log, sizeof(c->log), "/var/log/%u x", unit_random(999));
	random_qdisc(&c->qdisc);
	c->n_lan = unit_random(8);
	for (i = 0; i < c->n_lan; i++)
		random_name(c->lan[i]);
	c->n_links = unit_random(unit_random(8) ? 5 : LINKS_MAX + 1);
	for (i = 0; i < c->n_links; i++) {
		l = &c->link[i];
		do {
			random_name(l->name);
		} while (conf_link_index(c, l->name) != (int)i);
		l->table = 2000 + i + unit_random(2) * 1000000;
		l->mark = (i + 1) * (c->mark_mask & -c->mark_mask);
		l->weight = (uint8_t)(1 + unit_random(WEIGHT_MAX));
		l->tier = (uint8_t)(1 + unit_random(TIER_MAX));
		random_qdisc(&l->qdisc);
	}
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
		    x->tier != y->tier || !same_qdisc(&x->qdisc, &y->qdisc))
			return false;
	}
	for (i = 0; i < a->n_lan && a->n_lan == b->n_lan; i++)
		if (strcmp(a->lan[i], b->lan[i]))
			return false;
	return !strcmp(a->log, b->log) &&
	       a->rule_priority == b->rule_priority &&
	       a->mark_mask == b->mark_mask &&
	       a->standby_table == b->standby_table &&
	       a->nexthop_base == b->nexthop_base &&
	       a->balance == b->balance && a->masquerade == b->masquerade &&
	       a->clamp_mss == b->clamp_mss && a->sysctl == b->sysctl &&
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

static void test_limits(void)
{
	unsigned int i;
	FILE *f = fopen(path, "w");

	for (i = 0; i <= LINKS_MAX; i++)
		fprintf(f, "[link l%u]\ntable = %u\n", i, 1000 + i);
	fclose(f);
	is(result(true), "mwan.ini:511: more than 255 links", "256 links");
	f = fopen(path, "w");
	fputs("[mwan]\nlan =", f);
	for (i = 0; i <= LAN_MAX; i++)
		fprintf(f, " l%u", i);
	fclose(f);
	is(result(true), "mwan.ini:2: lan: more than 32 interfaces",
	   "33 interfaces");
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
	return !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("etc", "/etc", "tmpfs", 0, NULL) &&
	       !mkdir("/etc/iproute2", 0755) &&
	       (access("/usr/share/iproute2", F_OK) ||
		!mount("usr", "/usr/share/iproute2", "tmpfs", 0, NULL));
}

int main(void)
{
	static const char rt_tables[] = "201 ppp0\n202 ppp1\n203 ppp2\n"
					"210 ppp10\n";
	char dir[] = "/tmp/unit-conf.XXXXXX";

	umask(022);
	if (!enter(dir)) {
		printf("Bail out! no namespace of our own\n");
		return 1;
	}
	put("/etc/iproute2/rt_tables", rt_tables, sizeof(rt_tables) - 1);
	test_files();
	test_bom();
	test_kinds();
	test_limits();
	test_round_trip();
	test_random_bytes();
	test_rt_tables();
	unlink(path);
	if (chdir("/") || rmdir(dir))
		printf("# %s is left\n", dir);
	return done();
}
