// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hookfile.h"

#define PPP "/etc/ppp"

enum { SCRIPT_MAX = 16384 };

/* What is at @path. Ours is a program; whatever else is there is a script. */
static enum hookfile_state look(const char *path)
{
	static const char elf[] = { 0x7f, 'E', 'L', 'F' };
	char head[sizeof(elf)];
	struct stat st;
	ssize_t n;
	int fd;

	if (lstat(path, &st))
		return errno == ENOENT || errno == ENOTDIR ? HOOKFILE_NONE :
		       HOOKFILE_UNKNOWN;
	if (stat(path, &st))
		return errno == EACCES ? HOOKFILE_UNKNOWN : HOOKFILE_DANGLING;
	if (!S_ISREG(st.st_mode))
		return HOOKFILE_FOREIGN;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return HOOKFILE_UNKNOWN;
	n = read(fd, head, sizeof(head));
	close(fd);
	if (n != sizeof(head) || memcmp(head, elf, sizeof(elf)))
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
		if (!is_part(e->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		n = readlink(path, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		base = strrchr(to, '/');
		is = look(path);
		/* By the link is it known that it was to be ours. */
		if (base ? strcmp(base + 1, tool) :
			   strcmp(e->d_name, "0000mwan")) {
			if (runs(path))
				strcpy(h->other, path);
			continue;
		}
		if (best == HOOKFILE_NONE || is == HOOKFILE_FINE) {
			best = is;
			strcpy(h->path, path);
		}
	}
	closedir(d);
	return best;
}

/* Does pppd's own script end in "exec /etc/ppp/ip-up.local"? */
static bool gives_way(const char *what)
{
	static char text[SCRIPT_MAX];
	char path[64], local[64];
	char *line, *save, *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), PPP "/ip-%s", what);
	snprintf(local, sizeof(local), PPP "/ip-%s.local", what);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		at = line + strspn(line, " \t");
		if (!strncmp(at, "exec ", 5) && strstr(at, local))
			return true;
	}
	return false;
}

void hookfile_read(struct hookfile *h, const char *what)
{
	enum hookfile_state local, part;
	char dir[64], path[64], tool[32];
	bool instead;

	snprintf(dir, sizeof(dir), PPP "/ip-%s.d", what);
	snprintf(path, sizeof(path), PPP "/ip-%s.local", what);
	snprintf(tool, sizeof(tool), "ip-%s.local", what);
	h->path[0] = h->other[0] = '\0';
	local = look(path);
	part = look_in(dir, tool, h);
	instead = runs(path) && gives_way(what);
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
	/* Where scripts have a directory, that is where ours belongs. */
	if (h->state == HOOKFILE_NONE && !access(dir, F_OK))
		snprintf(h->path, sizeof(h->path), "%s/0000mwan", dir);
}
