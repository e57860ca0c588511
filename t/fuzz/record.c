// SPDX-License-Identifier: MIT
/* What the first inputs of the targets hook, netlink and cprt are made with: a
 * hook or a cprt that works, and whatever the kernel answers goes to FILE.
 *
 *	fuzz-record hook FILE up|down [ARGUMENT...]
 *	fuzz-record cprt FILE SRC DST
 */
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "base/util.h"
#include "conf/state.h"
#include "copy/copy.h"
#include "kernel.h"
#include "tool/hook.h"

extern char **environ;

static char text[UINT16_MAX];

static void write_file(FILE *out, uint16_t type, const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return;
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	kernel_write(out, type, 0, text, n);
}

static void write_strings(FILE *out, uint16_t type, uint8_t flags,
			  char **string)
{
	size_t len = 0, n;

	for (; *string; string++, len += n) {
		n = strlen(*string) + 1;
		if (n > sizeof(text) - len)
			break;
		memcpy(text + len, *string, n);
	}
	kernel_write(out, type, flags, text, len);
}

static int record_hook(FILE *out, char **argv)
{
	bool up = !strcmp(argv[0], "up");
	int argc = 0;

	while (argv[argc])
		argc++;
	write_file(out, PART_CONF, CONF_PATH);
	write_file(out, PART_ACCEPTED, RUN_DIR "/mwan.ini");
	write_file(out, PART_DRAINED, RUN_DIR "/drained");
	write_file(out, PART_HELD, RUN_DIR "/held");
	write_file(out, PART_GATEWAY, RUN_DIR "/gateway");
	write_file(out, PART_PREFIX6, PREFIX6_PATH);
	write_strings(out, PART_ARGUMENTS, up ? 0 : PART_DOWN, argv + 1);
	write_strings(out, PART_ENVIRONMENT, 0, environ);
	return hook_main("hook", up, argc, argv);
}

static int record_cprt(char **argv)
{
	static struct copy copy;
	static struct nl nl;
	uint32_t src = 0, dst = 0;
	struct err err;
	int code;

	if (u32_parse(argv[0], 1, UINT32_MAX, &src) ||
	    u32_parse(argv[1], 1, UINT32_MAX, &dst))
		return 1;
	copy_init(&copy, src, dst, false);
	code = nl_open(&nl, NETLINK_ROUTE, &err);
	if (!code)
		code = copy_run(&copy, &nl, &err);
	copy_release(&copy);
	nl_close(&nl);
	return code ? 1 : 0;
}

int main(int argc, char **argv)
{
	FILE *out = argc > 4 || (argc == 4 && *argv[1] == 'h') ?
		    fopen(argv[2], "w") : NULL;
	int status;

	if (!out)
		return 2;
	kernel_record(out);
	status = *argv[1] == 'h' ? record_hook(out, argv + 3) :
				   record_cprt(argv + 3);
	return fclose(out) ? 2 : status;
}
