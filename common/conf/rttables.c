// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/util.h"
#include "conf/rttables.h"
#include "kernel/route.h"

enum { FILE_MAX = 65536 };

static void push(struct rttables *t, uint32_t id, const char *name)
{
	struct rttables_entry *e = &t->entry[t->n];

	if (t->n == RTTABLES_MAX || rttables_find(t, name) ||
	    str_copy(e->name, sizeof(e->name), name))
		return;
	e->id = id;
	t->n++;
}

/* One line: "NUMBER NAME", '#' begins a comment. Changes @line. */
static void parse_line(struct rttables *t, char *line)
{
	char *save, *number, *name;
	uint32_t id;

	line[strcspn(line, "#")] = '\0';
	number = strtok_r(line, " \t\r", &save);
	name = number ? strtok_r(NULL, " \t\r", &save) : NULL;
	if (name && !u32_parse(number, 1, UINT32_MAX, &id))
		push(t, id, name);
}

static void read_file(struct rttables *t, int dir, const char *file)
{
	static char text[FILE_MAX];
	char *line, *save;

	if (file_read(dir, file, text, sizeof(text), FILE_ANY, NULL) < 0)
		return;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		parse_line(t, line);
}

static void read_dropins(struct rttables *t, int dir)
{
	DIR *d;
	struct dirent *e;
	size_t len;
	int fd = openat(dir, "rt_tables.d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return;
	}
	while ((e = readdir(d))) {
		len = strlen(e->d_name);
		if (e->d_name[0] != '.' && len > 5 &&
		    !strcmp(e->d_name + len - 5, ".conf"))
			read_file(t, fd, e->d_name);
	}
	closedir(d);
}

void rttables_load(struct rttables *t)
{
	static const char *const dirs[] = { "/etc/iproute2",
					    "/usr/share/iproute2" };
	size_t i;
	int fd;

	t->loaded = true;
	t->n = 0;
	for (i = 0; i < COUNT(dirs); i++) {
		fd = open(dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			continue;
		read_file(t, fd, "rt_tables");
		read_dropins(t, fd);
		close(fd);
	}
	push(t, TABLE_DEFAULT, "default");
	push(t, TABLE_MAIN, "main");
	push(t, TABLE_LOCAL, "local");
}

uint32_t rttables_find(const struct rttables *t, const char *name)
{
	unsigned int i;

	for (i = 0; i < t->n; i++)
		if (!strcmp(t->entry[i].name, name))
			return t->entry[i].id;
	return 0;
}

const char *rttables_name(const struct rttables *t, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < t->n; i++)
		if (t->entry[i].id == id)
			return t->entry[i].name;
	return NULL;
}

int rttables_number(const char *name, uint32_t *id, struct err *err)
{
	static struct rttables t;

	if (!u32_parse(name, 1, UINT32_MAX, id))
		return 0;
	rttables_load(&t);
	*id = rttables_find(&t, name);
	if (*id)
		return 0;
	return err_set(err, -EINVAL, "there is no routing table \"%s\": give "
		       "a number from 1 to 4294967295, or a name that is in "
		       "/etc/iproute2/rt_tables", name);
}
