// SPDX-License-Identifier: MIT
/* bench-start ROUNDS EMPTY COMMAND [ARG...]: what a command costs beside a
 * program that does nothing, in one line: the median of the ratios of its time
 * to that program's, run in turn, from vfork to exit, and the page faults of
 * both. All output is thrown away.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS_MAX = 10000 };

static posix_spawn_file_actions_t quiet;

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* Returns the microseconds, or a negative number. */
static double run(char **argv, long *faults)
{
	double start = now_us();
	struct rusage used;
	pid_t pid;
	int code = posix_spawn(&pid, argv[0], &quiet, NULL, argv, environ);

	if (code) {
		fprintf(stderr, "bench-start: %s: %s\n", argv[0],
			strerror(code));
		return -1;
	}
	if (wait4(pid, NULL, 0, &used) != pid)
		return -1;
	*faults = used.ru_minflt + used.ru_majflt;
	return now_us() - start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double ratio[ROUNDS_MAX];
	int rounds = argc > 3 ? atoi(argv[1]) : 0, i;
	char *empty[] = { argc > 2 ? argv[2] : NULL, NULL };
	long faults_of_empty = 0, faults = 0;
	double base, time;

	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench-start ROUNDS EMPTY COMMAND "
			"[ARG...]\n");
		return 64;
	}
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null",
					 O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null",
					 O_WRONLY, 0);
	for (i = 0; i < rounds; i++) {
		base = run(empty, &faults_of_empty);
		time = base < 0 ? -1 : run(argv + 3, &faults);
		if (time < 0)
			return 1;
		ratio[i] = time / base;
	}
	qsort(ratio, (size_t)rounds, sizeof(ratio[0]), compare);
	printf("ratio %.2f faults %ld empty %ld\n", ratio[rounds / 2], faults,
	       faults_of_empty);
	return 0;
}
