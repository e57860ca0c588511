// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/util.h"
#include "tell/pppd_hook.h"

#define PPP "/etc/ppp"

enum { SCRIPT_MAX = 16384 };

/* The file at @path. Ours is a program; whatever else is there is a script. */
static enum hookfile_state look(const char *path)
{
	static const char elf[] = { 0x7f, 'E', 'L', 'F' };
	char head[sizeof(elf) + 1];
	struct stat st;
	ssize_t n;

	if (lstat(path, &st))
		return errno == ENOENT || errno == ENOTDIR ? HOOKFILE_NONE :
		       HOOKFILE_UNKNOWN;
	if (stat(path, &st))
		return errno == EACCES ? HOOKFILE_UNKNOWN : HOOKFILE_DANGLING;
	if (!S_ISREG(st.st_mode))
		return HOOKFILE_FOREIGN;
	n = file_read(AT_FDCWD, path, head, sizeof(head), FILE_ANY, NULL);
	if (n < 0)
		return HOOKFILE_UNKNOWN;
	if (n != sizeof(elf) || memcmp(head, elf, sizeof(elf)))
		return HOOKFILE_FOREIGN;
	return st.st_mode & 0111 ? HOOKFILE_FINE : HOOKFILE_NO_EXEC;
}

/* run-parts(8) passes over what has another name. */
static bool is_part(const char *name)
{
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789_-")];
}

static bool runs(const char *path)
{
	struct stat st;

	return !stat(path, &st) && (st.st_mode & 0111);
}

/* Our hook among the scripts of @dir: the best there is. The name of another
 * one is left in @h.
 */
static enum hookfile_state look_in(const char *dir, const char *tool,
				   struct hookfile *h)
{
	enum hookfile_state best = HOOKFILE_NONE, is;
	char path[HOOKFILE_PATH], to[HOOKFILE_PATH];
	const struct dirent *e;
	const char *base;
	ssize_t n;
	DIR *d = opendir(dir);

	if (!d)
		return errno == EACCES ? HOOKFILE_UNKNOWN : HOOKFILE_NONE;
	while ((e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		n = readlink(path, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		base = strrchr(to, '/');
		is = look(path);
		if (!is_part(e->d_name)) {
			if (best != HOOKFILE_NONE || is != HOOKFILE_FINE ||
			    !base || strcmp(base + 1, tool))
				continue;
			is = HOOKFILE_ODD_NAME;
		}
		/* A symbolic link to our program shows that this hook is
		 * ours.
		 */
		if (base ? strcmp(base + 1, tool) :
			   strcmp(e->d_name, "0000mwan")) {
			if (runs(path))
				strcpy(h->other, path);
			continue;
		}
		if (best == HOOKFILE_NONE || best == HOOKFILE_ODD_NAME ||
		    is == HOOKFILE_FINE) {
			best = is;
			strcpy(h->path, path);
		}
	}
	closedir(d);
	return best;
}

/* Does it end in "exec /etc/ppp/ip-up.local"? */
static bool gives_way(const char *script, const char *local)
{
	const char *line, *at, *end;

	for (line = script; *line; line = end + (*end == '\n')) {
		end = line + strcspn(line, "\n");
		at = strstr(line, local);
		if (!strncmp(line + strspn(line, " \t"), "exec ", 5) && at &&
		    at < end)
			return true;
	}
	return false;
}

/* netifd has a script of its own, and pppd is told of that one. */
static enum hookfile_state look_at_script(const char *path)
{
	struct stat st;

	if (!stat(path, &st))
		return st.st_mode & 0111 ? HOOKFILE_FINE :
		       HOOKFILE_SCRIPT_NO_EXEC;
	return errno != ENOENT || !access("/lib/netifd", F_OK) ?
	       HOOKFILE_FINE : HOOKFILE_NO_SCRIPT;
}

static void find_program(struct hookfile *h, const char *tool)
{
	static const char *const places[] = { "/usr", "/usr/local" };
	size_t i;

	for (i = 0; i < COUNT(places); i++) {
		snprintf(h->program, sizeof(h->program), "%s/libexec/mwan/%s",
			 places[i], tool);
		if (runs(h->program))
			return;
	}
	h->program[0] = '\0';
}

void hookfile_read(struct hookfile *h, const char *what)
{
	static char script[SCRIPT_MAX];
	enum hookfile_state local, part;
	char dir[64], path[64], tool[32];
	bool instead, runs_dir;

	snprintf(path, sizeof(path), PPP "/ip-%s", what);
	snprintf(dir, sizeof(dir), "ip-%s.d", what);
	snprintf(tool, sizeof(tool), "ip-%s.local", what);
	find_program(h, tool);
	strcpy(h->path, path);
	h->other[0] = '\0';
	h->state = look_at_script(path);
	if (h->state != HOOKFILE_FINE)
		return;
	/* A file that cannot be read counts as empty. */
	(void)file_read(AT_FDCWD, path, script, sizeof(script), FILE_ANY,
			NULL);
	runs_dir = !*script || strstr(script, dir) ||
		   strstr(script, "run-parts");
	snprintf(dir, sizeof(dir), PPP "/ip-%s.d", what);
	snprintf(path, sizeof(path), PPP "/%s", tool);
	local = look(path);
	part = look_in(dir, tool, h);
	if (!runs_dir) {
		h->other[0] = '\0';
		if (part != HOOKFILE_NONE && local == HOOKFILE_NONE) {
			h->state = HOOKFILE_NOT_RUN;
			return;
		}
		part = HOOKFILE_NONE;
	}
	instead = runs(path) && gives_way(script, path);
	if (part == HOOKFILE_FINE && !instead) {
		h->state = HOOKFILE_FINE;
	} else if (part != HOOKFILE_NONE && !instead &&
		   local != HOOKFILE_FINE) {
		h->state = part;
	} else if (part == HOOKFILE_FINE && local == HOOKFILE_FOREIGN) {
		h->state = HOOKFILE_SHADOWED;
		strcpy(h->other, h->path);
		strcpy(h->path, path);
	} else {
		h->state = local == HOOKFILE_FINE && instead && h->other[0] ?
			   HOOKFILE_SHADOWS : local;
		strcpy(h->path, path);
	}
	/* If scripts have a directory, ours belongs there. */
	if (h->state == HOOKFILE_NONE && runs_dir && !access(dir, F_OK))
		snprintf(h->path, sizeof(h->path), "%s/0000mwan", dir);
}
