// SPDX-License-Identifier: MIT
/* pppd's arguments and environment. The input: a byte that says up or down and
 * how many arguments there are, the arguments, then NAME=VALUE, all with a NUL
 * behind them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "conf/gateway.h"
#include "fuzz.h"
#include "tool/ppp.h"

enum { ARGS_MAX = 9, TEXT_MAX = 300 };

char *__real_getenv(const char *name);
char *__wrap_getenv(const char *name);

/* Other callers in libc do not count. */
static bool reading;

/* Whoever may start pppd sets its hooks' environment: nothing else counts. */
char *__wrap_getenv(const char *name)
{
	static const char *const listed[] = {
		"IFNAME", "IPLOCAL", "IPREMOTE", "CONNECT_TIME", "BYTES_SENT",
		"BYTES_RCVD", "LLLOCAL", "LLREMOTE", "DNS1", "DNS2",
	};
	bool is_listed = false;
	size_t i;

	for (i = 0; i < COUNT(listed); i++)
		is_listed = is_listed || !strcmp(name, listed[i]);
	must(is_listed || !reading);
	return __real_getenv(name);
}

static void set_environment(const uint8_t *data, size_t size, size_t at)
{
	char text[TEXT_MAX], *value;

	clearenv();
	while (at < size) {
		fuzz_string(data, size, &at, text, sizeof(text));
		value = strchr(text, '=');
		if (!value || value == text)
			continue;
		*value = '\0';
		setenv(text, value + 1, 1);
	}
}

static bool is_of(const struct addr *a, enum family f)
{
	return a->family == family_af(f) || !a->family;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[ARGS_MAX + 1][TEXT_MAX], *argv[ARGS_MAX + 2];
	unsigned int n = size ? data[0] % (ARGS_MAX + 1) : 0, i;
	bool up = size && data[0] >= 128;
	struct err err = { "" };
	struct ppp_event e;
	size_t at = 1;
	int code;

	if (!size)
		return 0;
	strcpy(text[0], data[0] & 64 ? "ipv6-hook" : "hook");
	for (i = 1; i <= n; i++)
		fuzz_string(data, size, &at, text[i], TEXT_MAX);
	for (i = 0; i <= n; i++)
		argv[i] = text[i];
	argv[i] = NULL;
	set_environment(data, size, at);
	reading = true;
	code = ppp_event_read(&e, up, (int)n + 1, argv, &err);
	reading = false;
	if (code) {
		must(code == -EINVAL && fuzz_explained(code, err.msg));
		return 0;
	}
	must(e.up == up && ifname_valid(e.ifname));
	must(is_of(&e.local, e.family) && is_of(&e.peer, e.family));
	must(!up || e.local.family);
	for (i = 0; i < RESOLVERS; i++)
		must(!e.resolver[i].family || gateway_possible(&e.resolver[i]));
	must(strlen(e.connect_time) + strlen(e.sent) + strlen(e.received) <
	     3 * TEXT_MAX);
	return 0;
}
