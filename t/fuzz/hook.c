// SPDX-License-Identifier: MIT
/* A whole hook, from its arguments to the line in the log, before a kernel that
 * answers with what the input says. The environment, the configuration and what
 * is in force are in the input, too; the lock is free, and /proc/sys takes
 * everything.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "files.h"
#include "fuzz.h"
#include "kernel.h"
/* For its one object, which has to be as new each time. */
#include "../../common/tool/hook.c"

enum { ARGS_MAX = 8, TEXT_MAX = 300 };

static struct hook *the_hook;
static unsigned int lines;

int __real_session_conf(struct session *s, struct err *err);
int __wrap_session_conf(struct session *s, struct err *err);
int __wrap_lock_take(struct lock *l, const char *name, unsigned int ms,
		     struct err *err);
int __wrap_priv_drop(struct err *err);
int __wrap_accepted_source(char source[LOG_PATH_MAX]);
int __wrap_accepted_write(const struct conf *conf, const char *source,
			  struct err *err);
int __wrap_gateways_write(const struct conf *conf, const struct gateways *g,
			  struct err *err);
int __wrap_log_write(struct log *l, const char *path, struct err *err);
void __wrap_report_say(const struct report *r, const char *sentence);
int __wrap_sysctl_read(const char *path);
int __wrap_sysctl_write(const char *path, int value, struct err *err);

int __wrap_session_conf(struct session *s, struct err *err)
{
	the_hook = (void *)((char *)s - offsetof(struct hook, session));
	return __real_session_conf(s, err);
}

int __wrap_lock_take(struct lock *l, const char *name, unsigned int ms,
		     struct err *err)
{
	(void)name;
	(void)ms;
	(void)err;
	l->fd = -1;
	return 0;
}

/* The next input wants the rights of this one. */
int __wrap_priv_drop(struct err *err)
{
	(void)err;
	return 0;
}

int __wrap_accepted_source(char source[LOG_PATH_MAX])
{
	struct part head;

	source[0] = '\0';
	return kernel_part(PART_ACCEPTED, &head) ? 0 : -ENOENT;
}

int __wrap_accepted_write(const struct conf *conf, const char *source,
			  struct err *err)
{
	(void)source;
	(void)err;
	must(conf->n_links);
	return 0;
}

int __wrap_gateways_write(const struct conf *conf, const struct gateways *g,
			  struct err *err)
{
	unsigned int i, f;

	(void)err;
	for (i = 0; i < conf->n_links; i++)
		for (f = 0; f < FAMILIES; f++)
			must(!g->said[i][f].family ||
			     (gateway_possible(&g->said[i][f]) &&
			      addr_family(&g->said[i][f]) == f));
	return 0;
}

int __wrap_log_write(struct log *l, const char *path, struct err *err)
{
	(void)path;
	(void)err;
	must(strlen(l->line) == l->len && l->len < sizeof(l->line));
	must(fuzz_one_line(l->line));
	must(!strncmp(l->line, "ts=", 3));
	must(strstr(l->line, " event=") && strstr(l->line, " result="));
	lines++;
	return 0;
}

void __wrap_report_say(const struct report *r, const char *sentence)
{
	(void)r;
	must(*sentence);
}

int __wrap_sysctl_read(const char *path)
{
	return (int)strlen(path) % 3 - 1;
}

int __wrap_sysctl_write(const char *path, int value, struct err *err)
{
	(void)path;
	(void)value;
	(void)err;
	return 0;
}

static void set_file(const char *path, uint16_t type)
{
	struct part head;
	const uint8_t *text = kernel_part(type, &head);

	if (text)
		files_set(path, text, head.len);
}

static void set_environment(void)
{
	char text[TEXT_MAX], *value;
	struct part head;
	const uint8_t *data = kernel_part(PART_ENVIRONMENT, &head);
	size_t at = 0;

	clearenv();
	while (data && at < head.len) {
		fuzz_string(data, head.len, &at, text, sizeof(text));
		value = strchr(text, '=');
		if (!value || value == text)
			continue;
		*value = '\0';
		setenv(text, value + 1, 1);
	}
}

static void run_hook(void)
{
	static char text[ARGS_MAX][TEXT_MAX];
	struct part head = { 0 };
	const uint8_t *data = kernel_part(PART_ARGUMENTS, &head);
	char *argv[ARGS_MAX + 2] = {
		head.flags & PART_IPV6 ? "ipv6-hook" : "hook"
	};
	struct ppp_event event;
	struct err err;
	size_t at = 0;
	bool dry;
	int n, status;

	for (n = 0; data && n < ARGS_MAX && at < head.len; n++) {
		fuzz_string(data, head.len, &at, text[n], TEXT_MAX);
		argv[n + 1] = text[n];
		/* The other options have texts on stderr: t0000-options.t. */
		if (!n && text[n][0] == '-' && strcmp(text[n], "-n") != 0)
			return;
	}
	if (head.flags & PART_TOLD) {
		if (!n || ppp_event_told(&event, !(head.flags & PART_DOWN),
					 n < 3 ? n : 3, argv + 1, &err))
			return;
		status = hook_told("hook", false, &event);
		must(status == 0 || status == EXIT_FAILED ||
		     status == EXIT_CONFIG);
		must(lines == 1);
		return;
	}
	dry = n && !strcmp(text[0], "-n");
	status = hook_main("hook", !(head.flags & PART_DOWN), n + 1, argv);
	must(status == 0 || status == EXIT_FAILED || status == EXIT_USAGE ||
	     status == EXIT_CONFIG);
	must(lines == !dry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (the_hook)
		memset(the_hook, 0, sizeof(*the_hook));
	lines = 0;
	kernel_begin(data, size);
	files_begin();
	set_file(CONF_PATH, PART_CONF);
	set_file(RUN_DIR "/mwan.ini", PART_ACCEPTED);
	set_file(RUN_DIR "/drained", PART_DRAINED);
	set_file(RUN_DIR "/held", PART_HELD);
	set_file(RUN_DIR "/gateway", PART_GATEWAY);
	set_file(PREFIX6_PATH, PART_PREFIX6);
	files_set("/etc/iproute2", "", 0);
	files_set("rt_tables", "201 ppp0\n202 ppp1\n", 18);
	set_environment();
	/* accepted_source() asks for it again. */
	kernel_begin(data, size);
	run_hook();
	return 0;
}
