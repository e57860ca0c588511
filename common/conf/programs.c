// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/programs.h"

static bool is_roots(const struct stat *st)
{
	return !st->st_uid && !(st->st_mode & 022);
}

/* run-parts(8)'s names: what editors and packages leave beside a program has a
 * dot or a '~'.
 */
static bool is_named_well(const char *name)
{
	return !name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")];
}

static enum program_fault fault_of(const char *name, const struct stat *st)
{
	if (!is_named_well(name))
		return PROGRAM_NAMED_ODDLY;
	if (!(st->st_mode & 0100))
		return PROGRAM_NOT_EXECUTABLE;
	return is_roots(st) ? PROGRAM_FINE : PROGRAM_NOT_ROOTS;
}

void programs_read(struct programs *p, int dir)
{
	struct program *at;
	struct dirent *d;
	struct stat st;
	DIR *list;

	p->n = 0;
	p->unsafe = fstat(dir, &st) || !is_roots(&st);
	list = fdopendir(dir);
	if (!list) {
		close(dir);
		return;
	}
	while (p->n < PROGRAMS_MAX && (d = readdir(list))) {
		if (d->d_name[0] == '.' || strlen(d->d_name) >= PROGRAM_NAME ||
		    fstatat(dirfd(list), d->d_name, &st, 0) ||
		    !S_ISREG(st.st_mode))
			continue;
		at = &p->program[p->n++];
		strcpy(at->name, d->d_name);
		at->fault = fault_of(d->d_name, &st);
	}
	closedir(list);
}
