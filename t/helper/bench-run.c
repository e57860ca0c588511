// SPDX-License-Identifier: MIT
/* bench-run COMMAND [ARG...]: run a command with its output thrown away and
 * print how long it took from vfork to exit, in microseconds. A shell's own
 * fork would cost as much as what is measured.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t actions;
	int64_t start;
	int status, code;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: bench-run COMMAND [ARG...]\n");
		return 64;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
					 O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
					 O_WRONLY, 0);
	start = now_us();
	code = posix_spawnp(&pid, argv[1], &actions, NULL, argv + 1, environ);
	if (code) {
		fprintf(stderr, "bench-run: %s: %s\n", argv[1],
			strerror(code));
		return 1;
	}
	if (waitpid(pid, &status, 0) != pid)
		return 1;
	printf("%" PRId64 "\n", now_us() - start);
	return 0;
}
