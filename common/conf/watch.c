// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/prefix.h"
#include "base/util.h"
#include "conf/gateway.h"
#include "conf/watch.h"

static const char *const kinds[] = {
	[WATCH_ICMP] = "icmp",
	[WATCH_DNS] = "dns",
	[WATCH_TCP] = "tcp",
	[WATCH_ARP] = "arp",
	[WATCH_NONE] = "none",
};

int watch_probe_parse(const char *text, struct watch_probe *p, struct err *err)
{
	size_t word = strcspn(text, " \t");
	const char *rest = text + word + strspn(text + word, " \t");
	uint32_t port = 0;
	unsigned int i;

	for (i = 0; i < COUNT(kinds); i++)
		if (strlen(kinds[i]) == word && !strncmp(text, kinds[i], word))
			break;
	if (i == COUNT(kinds) || (*rest && i != WATCH_TCP))
		return err_set(err, -EINVAL, "it is icmp, dns, tcp and a port, "
			       "arp, or none");
	if (i == WATCH_TCP && u32_parse(rest, 1, UINT16_MAX, &port))
		return err_set(err, -EINVAL, "a port from 1 to 65535 follows "
			       "tcp, as in \"tcp 443\"");
	*p = (struct watch_probe){ i, (uint16_t)port };
	return 0;
}

const char *watch_probe_text(const struct watch_probe *p,
			     char text[WATCH_PROBE_TEXT])
{
	if (p->kind == WATCH_TCP)
		snprintf(text, WATCH_PROBE_TEXT, "tcp %u", p->port);
	else
		snprintf(text, WATCH_PROBE_TEXT, "%s", kinds[p->kind]);
	return text;
}

int watch_targets_parse(const char *text, struct watch_targets *t,
			struct err *err)
{
	char words[2 * WATCH_TARGETS_TEXT], *word, *save;
	struct addr a;

	*t = (struct watch_targets){ 0 };
	if (str_copy(words, sizeof(words), text))
		return err_set(err, -EINVAL, "the line is too long");
	for (word = strtok_r(words, " \t,", &save); word;
	     word = strtok_r(NULL, " \t,", &save)) {
		if (addr_parse(&a, word) || !gateway_possible(&a) ||
		    addr_is_link_local6(&a))
			return err_set(err, -EINVAL, "\"%s\" is no host's "
				       "address", word);
		if (t->n == WATCH_TARGETS)
			return err_set(err, -EINVAL, "there are more than %d",
				       WATCH_TARGETS);
		t->addr[t->n++] = a;
	}
	return t->n ? 0 : err_set(err, -EINVAL, "there is no address");
}

bool watch_targets_of(const struct watch_targets *given, enum family f,
		      struct watch_targets *t)
{
	static const char *const usual[FAMILIES] = {
		[FAMILY_IPV4] = "1.1.1.1 8.8.8.8 9.9.9.9",
		[FAMILY_IPV6] = "2606:4700:4700::1111 2001:4860:4860::8888 "
				"2620:fe::fe",
	};
	unsigned int i;

	t->n = 0;
	for (i = 0; i < given->n; i++)
		if (addr_family(&given->addr[i]) == f)
			t->addr[t->n++] = given->addr[i];
	if (t->n)
		return true;
	(void)watch_targets_parse(usual[f], t, NULL);
	return false;
}

const char *watch_targets_text(const struct watch_targets *t,
			       char text[WATCH_TARGETS_TEXT])
{
	char addr[ADDR_TEXT];
	unsigned int i;

	*text = '\0';
	for (i = 0; i < t->n; i++)
		str_add(text, WATCH_TARGETS_TEXT, " ",
			addr_text(&t->addr[i], addr));
	return text;
}
