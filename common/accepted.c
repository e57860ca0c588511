// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "accepted.h"
#include "lock.h"
#include "util.h"

#define FILE_NAME "mwan.ini"
#define FILE_PATH RUN_DIR "/" FILE_NAME

/* Its first @size bytes at the most; returns their number or -errno. */
static ssize_t read_head(char *buf, size_t size)
{
	ssize_t n;
	int fd = open(FILE_PATH, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
		      O_CLOEXEC);

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

int accepted_source(char source[LOG_PATH_MAX])
{
	char head[LOG_PATH_MAX + 8];
	ssize_t n = read_head(head, sizeof(head));

	source[0] = '\0';
	if (n < 0)
		return n == -EACCES || n == -EPERM ? -EACCES : -ENOENT;
	if (!strncmp(head, "# ", 2)) {
		head[strcspn(head, "\n")] = '\0';
		(void)!str_copy(source, LOG_PATH_MAX, head + 2);
	}
	return 0;
}

int accepted_read(struct conf *conf, struct err *err)
{
	return conf_read(conf, FILE_PATH, true, err);
}

static int write_file(int dir, const char *text, size_t len, struct err *err)
{
	static const char temp[] = FILE_NAME ".new";
	int code = 0, fd = openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC |
				  O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(err, -errno, "cannot make %s/%s: %s", RUN_DIR,
			       temp, strerror(errno));
	errno = ENOSPC;
	if (write(fd, text, len) != (ssize_t)len ||
	    renameat(dir, temp, dir, FILE_NAME))
		code = err_set(err, -errno, "cannot write %s: %s", FILE_PATH,
			       strerror(errno));
	close(fd);
	return code;
}

int accepted_write(const struct conf *conf, const char *source,
		   struct err *err)
{
	static char text[CONF_FILE_MAX], old[CONF_FILE_MAX];
	int code, len, dir;

	len = snprintf(text, sizeof(text), "# %s\n", source);
	code = conf_print(conf, text + len, sizeof(text) - (size_t)len);
	if (code < 0)
		return err_set(err, code, "the configuration is too long");
	len += code;
	if (read_head(old, sizeof(old)) == len && !strcmp(old, text))
		return 0;
	dir = rundir_open(err);
	if (dir < 0)
		return dir;
	code = write_file(dir, text, (size_t)len, err);
	close(dir);
	return code;
}

int accepted_drop(struct err *err)
{
	if (unlink(FILE_PATH) && errno != ENOENT)
		return err_set(err, -errno, "cannot remove %s: %s", FILE_PATH,
			       strerror(errno));
	return 0;
}
