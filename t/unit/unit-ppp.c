// SPDX-License-Identifier: MIT
/* What pppd told its hook: by arguments, by the environment, and wrongly. */
#include <errno.h>
#include <stdlib.h>

#include "tool/ppp.h"
#include "unit.h"

enum { ROUNDS = 20000, ARGS_MAX = 9 };

static const char *const variables[] = {
	"IFNAME", "IPLOCAL", "IPREMOTE", "CONNECT_TIME", "BYTES_SENT",
	"BYTES_RCVD", "LLLOCAL", "LLREMOTE",
};

struct test {
	const char *what;
	bool up;
	const char *arg[ARGS_MAX];
	const char *env[8];
	/* "ifname local peer", or the sentence */
	const char *want;
};

static const struct test tests[] = {
	{ "pppd's arguments", true,
	  { "ppp0", "eth9", "0", "10.64.1.100", "10.64.1.1" }, { NULL },
	  "ppp0 10.64.1.100 10.64.1.1" },
	{ "with ipparam", true,
	  { "ppp0", "eth9", "0", "10.64.1.100", "10.64.1.1", "line a" },
	  { NULL }, "ppp0 10.64.1.100 10.64.1.1" },
	{ "more than pppd gives", true,
	  { "ppp0", "eth9", "0", "10.64.1.100", "10.64.1.1", "p", "q" },
	  { NULL }, "ppp0 10.64.1.100 10.64.1.1" },
	{ "the environment alone", true, { NULL },
	  { "IFNAME=ppp1", "IPLOCAL=10.0.0.1", "IPREMOTE=10.0.0.2" },
	  "ppp1 10.0.0.1 10.0.0.2" },
	{ "the environment without a peer", true, { NULL },
	  { "IFNAME=ppp1", "IPLOCAL=10.0.0.1" }, "ppp1 10.0.0.1 none" },
	{ "arguments win", true,
	  { "ppp0", "eth9", "0", "10.64.1.100", "10.64.1.1" },
	  { "IFNAME=ppp7", "IPLOCAL=192.0.2.9", "IPREMOTE=nonsense" },
	  "ppp0 10.64.1.100 10.64.1.1" },
	{ "a late ip-down knows the interface alone", false, { NULL },
	  { "IFNAME=ppp1" }, "ppp1 none none" },
	{ "empty addresses of an ip-down", false,
	  { "ppp0", "eth9", "0", "", "" }, { NULL }, "ppp0 none none" },
	{ "an interface's longest name", true, { NULL },
	  { "IFNAME=abcdefghijklmno", "IPLOCAL=10.0.0.1" },
	  "abcdefghijklmno 10.0.0.1 none" },
	{ "nothing at all", true, { NULL }, { NULL },
	  "IFNAME is missing: pppd sets it, or try IFNAME=ppp0 "
	  "IPLOCAL=192.0.2.1" },
	{ "a late ip-down without IFNAME", false, { NULL },
	  { "IPLOCAL=10.0.0.1" }, "IFNAME is missing: pppd sets it, or try "
	  "IFNAME=ppp0 IPLOCAL=192.0.2.1" },
	{ "an empty IFNAME", true, { NULL },
	  { "IFNAME=", "IPLOCAL=10.0.0.1" }, "IFNAME is missing: pppd sets "
	  "it, or try IFNAME=ppp0 IPLOCAL=192.0.2.1" },
	{ "up without an address", true, { NULL }, { "IFNAME=ppp0" },
	  "IPLOCAL is missing: ppp0 came up with what address?" },
	{ "too few arguments", true, { "ppp0", "eth9", "0", "10.64.1.100" },
	  { "IFNAME=ppp0", "IPLOCAL=10.0.0.1" },
	  "pppd gives five or six arguments, not 4: ifname tty speed local "
	  "remote [ipparam]" },
	{ "one argument", true, { "ppp0" }, { "IFNAME=ppp0" },
	  "pppd gives five or six arguments, not 1: ifname tty speed local "
	  "remote [ipparam]" },
	{ "a path", true, { "../ppp0", "eth9", "0", "10.0.0.1", "10.0.0.2" },
	  { NULL }, "IFNAME \"../ppp0\" cannot be a network interface: such "
	  "a name is 1 to 15 letters, digits, '_', '-' or '.'" },
	{ "too long a name", true, { NULL },
	  { "IFNAME=abcdefghijklmnop", "IPLOCAL=10.0.0.1" },
	  "IFNAME \"abcdefghijklmnop\" cannot be a network interface: such a "
	  "name is 1 to 15 letters, digits, '_', '-' or '.'" },
	{ "a space in the name", true, { NULL },
	  { "IFNAME=ppp 0", "IPLOCAL=10.0.0.1" },
	  "IFNAME \"ppp 0\" cannot be a network interface: such a name is 1 "
	  "to 15 letters, digits, '_', '-' or '.'" },
	{ "not an address", true,
	  { "ppp0", "eth9", "0", "10.64.1", "10.64.1.1" }, { NULL },
	  "IPLOCAL \"10.64.1\" is not an IPv4 address" },
	{ "no peer's address", true,
	  { "ppp0", "eth9", "0", "10.64.1.1", "peer" }, { NULL },
	  "IPREMOTE \"peer\" is not an IPv4 address" },
	{ "IPv6", true, { NULL }, { "IFNAME=ppp0", "IPLOCAL=fe80::1" },
	  "IPLOCAL \"fe80::1\" is not an IPv4 address" },
	{ "an address and more", false,
	  { "ppp0", "eth9", "0", "10.0.0.1\n", "10.0.0.2" }, { NULL },
	  "IPLOCAL \"10.0.0.1\n\" is not an IPv4 address" },
};

/* Called by other names. */
static const struct {
	const char *hook;
	struct test test;
} tests6[] = {
	{ "/etc/ppp/ipv6-up.local",
	  { "an ipv6-up's arguments, as pppd writes the addresses", true,
	    { "ppp0", "eth9", "0", "fe80::0000:0000:0000:0002",
	      "fe80::0000:0000:0000:0001" }, { NULL },
	    "ppp0 fe80::2 fe80::1" } },
	{ "hook",
	  { "with ipparam, by whatever name", true,
	    { "ppp0", "eth9", "0", "fe80::0000:0000:0000:0002",
	      "fe80::0000:0000:0000:0001", "line a" },
	    { "IPLOCAL=10.0.0.1" }, "ppp0 fe80::2 fe80::1" } },
	{ "/etc/ppp/ipv6-up.d/0000mwan",
	  { "an ipv6-up's environment alone", true, { NULL },
	    { "IFNAME=ppp1", "IPLOCAL=10.0.0.1", "LLLOCAL=fe80::2",
	      "LLREMOTE=fe80::1" }, "ppp1 fe80::2 fe80::1" } },
	{ "/etc/ppp/ip-up.d/0000mwan",
	  { "an ip-up's, when IPv6 is up already", true, { NULL },
	    { "IFNAME=ppp1", "IPLOCAL=10.0.0.1", "LLLOCAL=fe80::2" },
	    "ppp1 10.0.0.1 none" } },
	{ "ipv6-down.local",
	  { "a late ipv6-down", false, { NULL }, { "IFNAME=ppp1" },
	    "ppp1 none none" } },
	{ "ipv6-up.local",
	  { "an ipv6-up without an address", true, { NULL },
	    { "IFNAME=ppp1", "IPLOCAL=10.0.0.1" }, "LLLOCAL is missing: ppp1 "
	    "came up with what address?" } },
	{ "ipv6-up.local",
	  { "an ipv6-up without IFNAME", true, { NULL }, { NULL }, "IFNAME is "
	    "missing: pppd sets it, or try IFNAME=ppp0 LLLOCAL=fe80::1" } },
	{ "hook",
	  { "an address of each family", true,
	    { "ppp0", "eth9", "0", "fe80::2", "10.64.1.1" }, { NULL },
	    "LLREMOTE \"10.64.1.1\" is not an IPv6 address" } },
};

static void set_environment(const char *const *env)
{
	size_t i;

	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	for (i = 0; i < 8 && env[i]; i++)
		putenv((char *)(uintptr_t)env[i]);
}

static void read_event(const char *hook, const struct test *t, char *text,
		       size_t size)
{
	char *argv[ARGS_MAX + 2] = { (char *)(uintptr_t)hook };
	char local[ADDR_TEXT], peer[ADDR_TEXT];
	struct ppp_event e;
	struct err err = { "" };
	int argc = 1;

	for (; argc <= ARGS_MAX && t->arg[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)t->arg[argc - 1];
	set_environment(t->env);
	if (ppp_event_read(&e, t->up, argc, argv, &err) == -EINVAL)
		snprintf(text, size, "%s", err.msg);
	else
		snprintf(text, size, "%s %s %s", e.ifname,
			 addr_text(&e.local, local), addr_text(&e.peer, peer));
}

static void session(void)
{
	static const char *const env[8] = { "IFNAME=ppp0",
		"CONNECT_TIME=61", "BYTES_SENT=12", "BYTES_RCVD=34" };
	static const char *const odd[] = { "", "-1", "1 ", "0x12", "12.5",
		"184467440737095516150", "1 event=up", "\xef\xbc\x91" };
	char *argv[] = { NULL };
	struct ppp_event e;
	size_t i;

	set_environment(env);
	ok(!ppp_event_read(&e, false, 1, argv, NULL), "an ip-down");
	is(e.connect_time, "61", "CONNECT_TIME");
	is(e.sent, "12", "BYTES_SENT");
	is(e.received, "34", "BYTES_RCVD");
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		setenv("BYTES_SENT", odd[i], 1);
		ppp_event_read(&e, false, 1, argv, NULL);
		is(e.sent, "", "\"%.24s\" is no number", odd[i]);
	}
	setenv("BYTES_SENT", "18446744073709551615", 1);
	ppp_event_read(&e, false, 1, argv, NULL);
	is(e.sent, "18446744073709551615", "as many as pppd can count");
	unsetenv("BYTES_SENT");
	ppp_event_read(&e, false, 1, argv, NULL);
	is(e.sent, "", "an absent variable is empty");
	set_environment(env + 5);
	ok(ppp_event_read(&e, false, 1, argv, NULL) == -EINVAL,
	   "an error without a place for its sentence");
}

/* Any bytes: read or refused with a sentence, never a name that could leave
 * a directory or a line.
 */
static void random_bytes(void)
{
	struct test t = { .up = true };
	char name[24], local[24], text[600];
	unsigned int i, k, bad = 0, good = 0;

	for (i = 0; i < ROUNDS; i++) {
		for (k = 0; k < sizeof(name) - 1; k++)
			name[k] = unit_random(8) ?
				  "pp.0/: 1"[unit_random(8)] :
				  (char)(unit_random(255) + 1U);
		name[unit_random(sizeof(name))] = '\0';
		name[sizeof(name) - 1] = '\0';
		for (k = 0; k < sizeof(local) - 1; k++)
			local[k] = "0123456789..25"[unit_random(14)];
		local[unit_random(sizeof(local))] = '\0';
		local[sizeof(local) - 1] = '\0';
		if (unit_random(2))
			strcpy(local, "10.0.0.1");
		t.arg[0] = name;
		t.arg[1] = t.arg[2] = "";
		t.arg[3] = local;
		t.arg[4] = "";
		read_event("ip-up.local", &t, text, sizeof(text));
		bad += !*text;
		if (strstr(text, " none")) {
			good++;
			bad += strpbrk(name, "/: \n\"\\") ||
			       strlen(name) > 15 || !*name ||
			       !strcmp(name, ".") || !strcmp(name, "..");
		}
	}
	ok(good && !bad, "any bytes: %u read, the others refused", good);
}

/* What callers other than pppd say. */
static void told(void)
{
	static const struct {
		const char *words, *want;
	} all[] = {
		{ "ppp0", "ppp0 none none" },
		{ "ppp0 10.0.0.2", "ppp0 10.0.0.2 none" },
		{ "eth1 10.0.0.2 10.0.0.1", "eth1 10.0.0.2 10.0.0.1" },
		{ "eth1 fe80::2 fe80::1", "eth1 fe80::2 fe80::1" },
		{ "a/b", "an interface's name is expected, not \"a/b\"" },
		{ "an-interface-too-long 10.0.0.2", "an interface's name is "
		  "expected, not \"an-interface-too-long\"" },
		{ "ppp0 10.0.0", "an address is expected, not \"10.0.0\"" },
		{ "ppp0 10.0.0.2 fe80::1", "a router's address of the same "
		  "family is expected, not \"fe80::1\"" },
		{ "ppp0 10.0.0.2 0.0.0.0", "a router's address of the same "
		  "family is expected, not \"0.0.0.0\"" },
	};
	char copy[100], got[600], local[ADDR_TEXT], gateway[ADDR_TEXT];
	char *word[3], *save;
	struct ppp_event e;
	struct err err;
	size_t i;
	int n;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		strcpy(copy, all[i].words);
		n = 0;
		for (char *w = strtok_r(copy, " ", &save); w;
		     w = strtok_r(NULL, " ", &save))
			word[n++] = w;
		if (ppp_event_told(&e, true, n, word, &err))
			strcpy(got, err.msg);
		else
			snprintf(got, sizeof(got), "%s %s %s", e.ifname,
				 e.local.family ? addr_text(&e.local, local) :
				 "none", e.gateway.family ?
				 addr_text(&e.gateway, gateway) : "none");
		is(got, all[i].want, "told: %s", all[i].words);
	}
}

int main(void)
{
	char text[600];
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		read_event("ip-up.local", &tests[i], text, sizeof(text));
		is(text, tests[i].want, "%s", tests[i].what);
	}
	for (i = 0; i < sizeof(tests6) / sizeof(tests6[0]); i++) {
		read_event(tests6[i].hook, &tests6[i].test, text,
			   sizeof(text));
		is(text, tests6[i].test.want, "%s", tests6[i].test.what);
	}
	session();
	told();
	random_bytes();
	return done();
}
