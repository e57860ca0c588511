// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/util.h"
#include "tell/history_read.h"

enum {
	/* logrotate's "rotate 12", and more. */
	FILES_MAX = 512,
	CHUNK = 1 << 17,
};

/* A rotated log: its name, and its place among the others. */
struct rotated {
	char name[NAME_MAX + 1];
	bool packed;
	/* ".3": 3, the higher the older; "-20261122": 0, and the name counts.
	 */
	uint32_t number;
};

struct folder {
	unsigned int n;
	struct rotated file[FILES_MAX];
};

/* --- lines --- */

struct reader {
	struct history *h;
	size_t have;		/* bytes of a line that has not ended yet */
	bool skip;		/* it is too long for one of ours */
	char buf[LOG_LINE_MAX + CHUNK];
};

static void take_line(struct reader *r, const char *line, size_t len)
{
	struct event e;

	if (!r->skip && event_parse(line, len, &e))
		history_add(r->h, &e);
	r->skip = false;
}

/* The last line may have no newline: it is taken if it is whole. */
static int read_lines(struct reader *r, int fd)
{
	char *line, *end, *stop;
	ssize_t n;

	r->have = 0;
	r->skip = false;
	while ((n = read(fd, r->buf + r->have, CHUNK)) > 0) {
		stop = r->buf + r->have + n;
		for (line = r->buf; (end = memchr(line, '\n',
						  (size_t)(stop - line)));
		     line = end + 1)
			take_line(r, line, (size_t)(end - line));
		r->have = (size_t)(stop - line);
		if (r->have >= LOG_LINE_MAX) {
			r->have = 0;
			r->skip = true;
		}
		memmove(r->buf, line, r->have);
	}
	if (n < 0)
		return -errno;
	if (r->have)
		take_line(r, r->buf, r->have);
	return 0;
}

/* --- gzip --- */

/* In the child: @from and @to become its standard input and output. We say its
 * complaint in a sentence of ours.
 */
static void run_gzip(int from, int to)
{
	static char *const argv[] = { (char *)"gzip", (char *)"-dc", NULL };
	static char *const env[] = { NULL };

	int none = open("/dev/null", O_WRONLY);

	if (dup2(from, STDIN_FILENO) < 0 || dup2(to, STDOUT_FILENO) < 0 ||
	    dup2(none, STDERR_FILENO) < 0)
		_exit(EXIT_FAILURE);
	execve("/usr/bin/gzip", argv, env);
	execve("/bin/gzip", argv, env);
	_exit(EXIT_FAILURE);
}

/* A file that its name does not describe is not ours; of one that ends early we
 * take what there is, as of a log that a crash has cut.
 */
static int read_packed(struct reader *r, int fd)
{
	int ends[2], code, status = 0;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	child = fork();
	if (!child)
		run_gzip(fd, ends[1]);
	code = child < 0 ? -errno : 0;
	close(ends[1]);
	if (!code)
		code = read_lines(r, ends[0]);
	close(ends[0]);
	if (child < 0)
		return code;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (!code && (!WIFEXITED(status) || WEXITSTATUS(status)))
		code = -EBADMSG;
	return code;
}

/* --- files --- */

static int read_file(struct reader *r, int dir, const char *name, bool packed)
{
	int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY |
			O_CLOEXEC | O_NOFOLLOW);
	int code;

	if (fd < 0)
		return -errno;
	code = file_lacks(fd, FILE_PLAIN);
	if (code > 0)
		code = -EINVAL;
	if (!code)
		code = packed ? read_packed(r, fd) : read_lines(r, fd);
	close(fd);
	return code;
}

/* Is it a name that logrotate makes of the log's name @base? */
static bool is_rotated(const char *base, const char *name, struct rotated *f)
{
	size_t len = strlen(base);
	const char *tail = name + len;
	char text[NAME_MAX + 1];

	if (strncmp(name, base, len) || (*tail != '.' && *tail != '-') ||
	    strlen(name) > NAME_MAX)
		return false;
	strcpy(text, tail + 1);
	len = strlen(text);
	f->packed = len > 3 && !strcmp(text + len - 3, ".gz");
	if (f->packed)
		text[len - 3] = '\0';
	f->number = 0;
	strcpy(f->name, name);
	if (*tail == '.')
		return !u32_parse(text, 1, UINT32_MAX, &f->number);
	/* dateext: -%Y%m%d, perhaps followed by hours or seconds. */
	return *text && !text[strspn(text, "0123456789-")];
}

static int by_age(const void *a, const void *b)
{
	const struct rotated *x = a, *y = b;

	if (x->number != y->number)
		return x->number > y->number ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void find_rotated(struct folder *f, DIR *dir, const char *base)
{
	struct dirent *d;

	f->n = 0;
	while (f->n < FILES_MAX && (d = readdir(dir)))
		if (is_rotated(base, d->d_name, &f->file[f->n]))
			f->n++;
	qsort(f->file, f->n, sizeof(f->file[0]), by_age);
}

static void leave_out(struct err *left, const char *name, int code)
{
	if (left->msg[0])
		return;
	err_set(left, code, "%s is left out: %s", name, code == -EBADMSG ?
		"gzip could not unpack all of it; see \"gzip -t\"" :
		strerror(-code));
}

int history_read(struct history *h, const char *path, struct err *left,
		 struct err *err)
{
	static struct folder folder;
	static struct reader reader;
	const char *base = strrchr(path, '/');
	char name[PATH_MAX];
	struct rotated *f;
	int code;
	DIR *dir;

	left->msg[0] = '\0';
	reader.h = h;
	snprintf(name, sizeof(name), "%.*s",
		 base ? (int)(base + 1 - path) : 1, base ? path : ".");
	base = base ? base + 1 : path;
	dir = opendir(name);
	if (!dir)
		return err_set(err, -errno, "cannot read the log %s: %s", path,
			       strerror(errno));
	find_rotated(&folder, dir, base);
	for (f = folder.file; f < folder.file + folder.n; f++) {
		code = read_file(&reader, dirfd(dir), f->name, f->packed);
		if (code)
			leave_out(left, f->name, code);
	}
	code = read_file(&reader, dirfd(dir), base, false);
	closedir(dir);
	/* logrotate may be at work, or have left no new one. */
	if (!code || (code == -ENOENT && folder.n))
		return 0;
	return err_set(err, code, "cannot read the log %s: %s%s", path,
		       strerror(-code), code == -ENOENT ? "; it is made with "
		       "its first line" : code == -EACCES ? "; run mwan-rules "
		       "history as root" : "");
}

/* The start of the machine, in milliseconds since 1970, and with it now. */
static int64_t read_clock(int64_t *now)
{
	struct timespec real, up;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &up);
	*now = (int64_t)real.tv_sec * 1000 + real.tv_nsec / 1000000;
	return *now - (int64_t)up.tv_sec * 1000 - up.tv_nsec / 1000000;
}

int history_recall(struct history *h, const struct conf *conf,
		   struct err *left, struct err *err)
{
	unsigned int i;
	int64_t now, boot = read_clock(&now);
	int code;

	history_begin(h, now);
	for (i = 0; i < conf->n_links; i++)
		history_link(h, conf->link[i].name);
	code = history_read(h, conf->log, left, err);
	if (!code)
		history_end(h, boot);
	return code;
}
