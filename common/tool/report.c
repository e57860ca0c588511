// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tool/report.h"

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* From the linker. */
extern char __bss_start[], _end[];

void report_small_pages(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t rest = (uintptr_t)__bss_start % page;
	char *start = __bss_start - rest;

	/* A kernel without huge pages refuses it, and needs it not. */
	(void)madvise(start, (uintptr_t)_end - (uintptr_t)start,
		      MADV_NOHUGEPAGE);
}

void report_begin(struct report *r, const char *tool, const char *event)
{
	int fd;

	r->start_us = now_us();
	clearenv();
	/* If /dev/null is missing, use a descriptor that cannot be written
	 * to.
	 */
	for (fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			(void)!open("/", O_PATH);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	r->tool = tool;
	report_event(r, event);
}

void report_restart(struct report *r)
{
	r->start_us = now_us();
}

void report_event(struct report *r, const char *event)
{
	log_begin(&r->line);
	log_add(&r->line, "tool", "%s", r->tool);
	log_add(&r->line, "pid", "%d", (int)getpid());
	log_add(&r->line, "event", "%s", event);
}

void report_say(const struct report *r, const char *sentence)
{
	char text[4 * sizeof(((struct err *)NULL)->msg)];

	log_escape(sentence, text, sizeof(text));
	fprintf(stderr, "%s: %s\n", r->tool, text);
}

void report_warn(struct report *r, const struct err *err)
{
	if (!err->msg[0])
		return;
	report_say(r, err->msg);
	log_add(&r->line, "warning", "%s", err->msg);
}

void report_end(struct report *r, const char *path, const char *result)
{
	struct err err;

	log_end(&r->line, result, now_us() - r->start_us);
	if (log_write(&r->line, path, &err))
		report_say(r, err.msg);
}

int report_status(const struct report *r, int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	report_say(r, "what was to be printed cannot be written to the "
		   "standard output: is that closed, or its disk full?");
	return status ? status : EXIT_FAILED;
}

bool report_help(const char *tool, const char *usage, int argc, char **argv)
{
	if (argc != 2)
		return false;
	if (!strcmp(argv[1], "--version"))
		printf("%s %s\n", tool, MWAN_VERSION);
	else if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		printf("%s", usage);
	else
		return false;
	return true;
}
