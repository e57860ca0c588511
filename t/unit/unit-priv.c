// SPDX-License-Identifier: MIT
/* Whoever has given up its capabilities gets none back by execve(2), although
 * root's bounding set is still full.
 */
#include <linux/capability.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/priv.h"
#include "unit.h"

/* What a program that the child executes may do; all bits set: unknown. */
static unsigned long long permitted(int (*drop)(struct err *err))
{
	unsigned long long caps = ~0ULL;
	struct err err;
	char line[256];
	int fds[2];
	FILE *f;
	pid_t pid;

	fflush(stdout);
	if (pipe(fds) || (pid = fork()) < 0)
		return caps;
	if (!pid) {
		if (dup2(fds[1], STDOUT_FILENO) < 0 ||
		    (drop && drop(&err)))
			_exit(1);
		execlp("cat", "cat", "/proc/self/status", NULL);
		_exit(1);
	}
	close(fds[1]);
	f = fdopen(fds[0], "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "CapPrm:", 7))
			caps = strtoull(line + 7, NULL, 16);
	if (f)
		fclose(f);
	waitpid(pid, NULL, 0);
	return caps;
}

int main(void)
{
	unsigned long long keep = 1ULL << CAP_NET_ADMIN;
	unsigned long long before = permitted(NULL);
	unsigned long long after = permitted(priv_drop);
	unsigned long long asks = permitted(priv_drop_to_ask);

	ok(before != ~0ULL, "a program has %llx", before);
	ok(after == (before & keep), "and of that %llx, CAP_NET_ADMIN at the "
	   "most, once the one that executes it has dropped the rest", after);
	keep |= 1ULL << CAP_NET_RAW;
	ok(asks == (before & keep), "and %llx where it goes on to ask", asks);
	return done();
}
