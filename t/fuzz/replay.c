// SPDX-License-Identifier: MIT
/* A fuzz target without libFuzzer: a TAP line for every input of its corpus, or
 * of the files and directories that are named. Each runs in a process of its
 * own, as a hook does; where processes are slow (UNIT_SLOW), because each has to
 * be translated anew, all run in one, as with libFuzzer.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/unit.h"
#include "fuzz.h"

/* libFuzzer's own limit where nothing else is said is 4096. */
enum { INPUT_MAX = 1 << 20 };

static void run_input(const char *path)
{
	uint8_t *data = malloc(INPUT_MAX), *exact;
	FILE *f = fopen(path, "r");
	size_t size;

	if (!data || !f)
		exit(2);
	size = fread(data, 1, INPUT_MAX, f);
	/* A directory that could not be listed is no input. */
	if (ferror(f))
		exit(2);
	fclose(f);
	/* Of just this size, so that reading beyond it is noticed. */
	exact = realloc(data, size ? size : 1);
	if (!exact)
		exit(2);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

static int child(const char *path)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* What the target prints is no TAP. */
		(void)!freopen("/dev/null", "w", stdout);
		run_input(path);
		exit(0);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	return status;
}

/* What ends this process here ends the test, too. */
static int here(const char *path)
{
	int tap;

	printf("# %s\n", path);
	fflush(stdout);
	tap = dup(STDOUT_FILENO);
	if (tap < 0 || !freopen("/dev/null", "w", stdout))
		exit(2);
	run_input(path);
	fflush(stdout);
	if (dup2(tap, STDOUT_FILENO) < 0)
		exit(2);
	close(tap);
	return 0;
}

static void replay_file(const char *path)
{
	const char *slash = strrchr(path, '/');
	int status = getenv("UNIT_SLOW") ? here(path) : child(path);

	ok(!status, "%s: %s %d", slash ? slash + 1 : path,
	   WIFSIGNALED(status) ? "signal" : "exit",
	   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void replay(const char *path)
{
	struct dirent **list;
	char *file;
	int i, n;

	n = scandir(path, &list, visible, alphasort);
	if (n < 0) {
		replay_file(path);
		return;
	}
	for (i = 0; i < n; i++) {
		if (asprintf(&file, "%s/%s", path, list[i]->d_name) < 0)
			exit(2);
		replay_file(file);
		free(file);
		free(list[i]);
	}
	free(list);
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc == 1)
		replay(FUZZ_CORPUS);
	ok(unit_tests, "there are inputs");
	return done();
}
