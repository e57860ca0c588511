// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/nl.h"
#include "tool/again.h"
#include "tool/terminal.h"

enum { PAUSE_MS = 200, TEXT_MAX = 1 << 17 };

/* Read the output to @text. */
static int look_once(int (*look)(void *of), void *of, char *text, size_t size)
{
	int ends[2], status = 0;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		status = look(of);
		fflush(stdout);
		_exit(status);
	}
	close(ends[1]);
	while (pid > 0 && (n = read(ends[0], text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(ends[0]);
	text[len] = '\0';
	return pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) ?
	       -1 : WEXITSTATUS(status);
}

static int any_change(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	(void)data;
	return 1;
}

static int show_plain(int (*look)(void *of), void *of, unsigned int seconds,
		      char *text, size_t size)
{
	int code;

	for (;;) {
		code = look_once(look, of, text, size);
		if (printf("%s\n", text) < 0 || fflush(stdout))
			return code;
		sleep(seconds);
	}
}

int again_show(int (*look)(void *of), void *of, unsigned int seconds)
{
	static struct terminal terminal;
	static char text[TEXT_MAX];
	static struct nl changes;
	struct err err;
	int code, fd;

	if (!terminal_begin(&terminal))
		return show_plain(look, of, seconds, text, sizeof(text));
	fd = nl_watch(&changes, &err) ? -1 : nl_fd(&changes);
	do {
		/* A signal after this ends the wait. */
		if (fd >= 0)
			nl_heard(&changes, any_change, NULL);
		code = look_once(look, of, text, sizeof(text));
		terminal_draw(&terminal, text);
	} while (terminal_wait(&terminal, -1, PAUSE_MS) &&
		 terminal_wait(&terminal, fd, (int)seconds * 1000 - PAUSE_MS));
	terminal_end(&terminal);
	return code;
}
