// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/util.h"
#include "tell/peers.h"

#define OPTIONS "/etc/ppp/options"
#define PEERS "/etc/ppp/peers/"

enum {
	TEXT_MAX = 8192,
	WORD_MAX = 256,
	/* Files may include each other. */
	INCLUDES_MAX = 8,
};

/* The next word, as pppd's getword() reads it: quotes and backslashes hold a
 * word together, and '#' at its begin makes the rest of the line a comment.
 * What is longer than @word is cut off. NULL: there is none.
 */
static const char *next_word(const char *at, char word[WORD_MAX])
{
	size_t n = 0;
	char quote = '\0';

	for (;;) {
		at += strspn(at, " \t\r\n");
		if (*at != '#')
			break;
		at += strcspn(at, "\n");
	}
	if (!*at)
		return NULL;
	for (; *at && (quote || !strchr(" \t\r\n", *at)); at++) {
		if (quote ? *at == quote : *at == '"' || *at == '\'') {
			quote = quote ? '\0' : *at;
			continue;
		}
		if (*at == '\\' && at[1])
			at++;
		if (n < WORD_MAX - 1)
			word[n++] = *at;
	}
	word[n] = '\0';
	return at;
}

/* Options whose value is another word, so that it is not taken for an option. */
static bool has_value(const char *option)
{
	static const char *const words[] = {
		"asyncmap", "call", "connect", "connect-delay", "disconnect",
		"domain", "file", "holdoff", "idle", "ifname", "init", "ipparam",
		"lcp-echo-failure", "lcp-echo-interval", "lcp-max-configure",
		"lcp-restart", "linkname", "logfile", "logfd", "maxconnect",
		"maxfail", "mru", "mtu", "name", "netmask", "password",
		"plugin", "pppoe-padi-attempts", "pppoe-padi-timeout",
		"pppoe-service", "pppoe-ac", "pppoe-host-uniq", "pppoe-mac",
		"pppoe-sess", "rp_pppoe_ac", "rp_pppoe_service", "pty",
		"remotename", "set", "unit", "unset", "user", "welcome",
	};
	size_t i;

	for (i = 0; i < COUNT(words); i++)
		if (!strcmp(option, words[i]))
			return true;
	return false;
}

static void set_port(struct peer *p, const char *name)
{
	if (ifname_valid(name))
		(void)str_copy(p->port, sizeof(p->port), name);
}

/* pty "pppoe -I eth1 -T 80": the port is behind -I. */
static void read_pty(struct peer *p, const char *command)
{
	const char *at = strstr(command, "-I");
	char word[WORD_MAX];

	if (!strstr(command, "pppoe"))
		return;
	p->pppoe = true;
	if (at && next_word(at + 2, word))
		set_port(p, word);
}

static void read_option(struct peer *p, const char *option, const char *value)
{
	static const struct {
		const char *name;
		size_t at;
		bool to;
	} flags[] = {
		{ "defaultroute", offsetof(struct peer, default_route), true },
		{ "nodefaultroute", offsetof(struct peer, default_route),
		  false },
		{ "replacedefaultroute", offsetof(struct peer, default_route),
		  true },
		{ "persist", offsetof(struct peer, persist), true },
		{ "nopersist", offsetof(struct peer, persist), false },
		{ "demand", offsetof(struct peer, demand), true },
		{ "+ipv6", offsetof(struct peer, ipv6), true },
	};
	uint32_t number;
	bool zero = !u32_parse(value, 0, 0, &number);
	bool some = !u32_parse(value, 1, UINT32_MAX, &number);
	size_t i;

	for (i = 0; i < COUNT(flags); i++)
		if (!strcmp(option, flags[i].name))
			*(bool *)((char *)p + flags[i].at) = flags[i].to;
	if (!strcmp(option, "maxfail"))
		p->for_ever = zero;
	else if (!strcmp(option, "lcp-echo-interval"))
		p->interval = some;
	else if (!strcmp(option, "lcp-echo-failure"))
		p->failure = some;
	else if (!strcmp(option, "unit") && (zero || some) && number < 100000)
		snprintf(p->ifname, sizeof(p->ifname), "ppp%u", number);
	else if (!strcmp(option, "ifname") && ifname_valid(value))
		(void)str_copy(p->ifname, sizeof(p->ifname), value);
	else if (!strcmp(option, "linkname") && str_plain(value))
		(void)str_copy(p->linkname, sizeof(p->linkname), value);
	else if (!strcmp(option, "plugin"))
		p->pppoe |= strstr(value, "pppoe") != NULL;
	else if (!strcmp(option, "pty"))
		read_pty(p, value);
	else if (!strncmp(option, "nic-", 4))
		set_port(p, option + 4);
	else if (p->pppoe && !*p->port && if_nametoindex(option))
		set_port(p, option);
	p->echo = p->interval && p->failure;
}

static int read_options(struct peer *p, const char *path,
			unsigned int *includes);

/* "call NAME" or "file PATH" */
static void include(struct peer *p, const char *option, const char *value,
		    unsigned int *includes)
{
	bool call = !strcmp(option, "call") && *value != '/';
	char path[sizeof(PEERS) + WORD_MAX];

	if ((*includes)++ >= INCLUDES_MAX)
		return;
	snprintf(path, sizeof(path), "%s%s", call ? PEERS : "", value);
	if (!strncmp(path, PEERS, strlen(PEERS)))
		str_add(p->called, sizeof(p->called), " ",
			path + strlen(PEERS));
	(void)read_options(p, path, includes);
}

static int read_options(struct peer *p, const char *path,
			unsigned int *includes)
{
	char text[TEXT_MAX], option[WORD_MAX], value[WORD_MAX];
	const char *at = text;
	ssize_t n = file_read(AT_FDCWD, path, text, sizeof(text), FILE_PLAIN,
			      NULL);

	if (n < 0)
		return (int)n;
	while ((at = next_word(at, option))) {
		*value = '\0';
		if (has_value(option))
			at = next_word(at, value);
		if (!at)
			break;
		if (strcmp(option, "call") && strcmp(option, "file"))
			read_option(p, option, value);
		else
			include(p, option, value, includes);
	}
	return 0;
}

int peer_read(struct peer *p, const char *path)
{
	unsigned int includes = 0;

	*p = (struct peer){ 0 };
	(void)read_options(p, OPTIONS, &includes);
	return read_options(p, path, &includes);
}
