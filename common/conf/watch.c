// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "conf/gateway.h"
#include "conf/watch.h"

static const char *const kinds[] = {
	[WATCH_ICMP] = "icmp",
	[WATCH_DNS] = "dns",
	[WATCH_TCP] = "tcp",
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
			       "or none");
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
		if (addr_parse(&a, word) || a.family != AF_INET ||
		    !gateway_possible(&a))
			return err_set(err, -EINVAL, "\"%s\" is no host's IPv4 "
				       "address", word);
		if (t->n == WATCH_TARGETS)
			return err_set(err, -EINVAL, "there are more than %d",
				       WATCH_TARGETS);
		t->addr[t->n++] = a;
	}
	return t->n ? 0 : err_set(err, -EINVAL, "there is no address");
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
