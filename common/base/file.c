// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
	/* Do not hang on a pipe or terminal that somebody put there. */
	FILE_FLAGS = O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	FILE_MODE = 0644,
};

int file_lacks(int fd, unsigned int must)
{
	struct stat st;
	bool own, roots;

	if (fstat(fd, &st))
		return -errno;
	own = st.st_uid == geteuid();
	roots = !st.st_uid;
	if ((must & FILE_PLAIN) && !S_ISREG(st.st_mode))
		return FILE_PLAIN;
	if ((must & FILE_OWN) && !own)
		return FILE_OWN;
	if ((must & FILE_OWN_OR_ROOTS) && !own && !roots)
		return FILE_OWN_OR_ROOTS;
	if ((must & FILE_PRIVATE) && (st.st_mode & 077))
		return FILE_PRIVATE;
	if ((must & FILE_OWNER_WRITES) && (st.st_mode & 022))
		return FILE_OWNER_WRITES;
	if ((must & FILE_OTHERS_DO_NOT_WRITE) && (st.st_mode & 002))
		return FILE_OTHERS_DO_NOT_WRITE;
	if ((must & FILE_ONE_NAME) && st.st_nlink > 1)
		return FILE_ONE_NAME;
	return 0;
}

static int open_to_read(int dir, const char *path, unsigned int must)
{
	int fd = openat(dir, path, O_RDONLY | FILE_FLAGS |
			(must & FILE_NO_SYMLINK ? O_NOFOLLOW : 0));

	return fd < 0 ? -errno : fd;
}

/* Closes @fd. */
static ssize_t read_rest(int fd, char *buf, size_t size)
{
	ssize_t n = read(fd, buf, size - 1);

	if (n < 0)
		n = -errno;
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

/* A descriptor, or a negative errno. */
static int open_trusted(int dir, const char *path, unsigned int must,
			enum file_must *lacks)
{
	int fd = open_to_read(dir, path, must), code;

	/* FILE_ANY: there is nothing to examine. */
	if (fd < 0 || !(must & ~(unsigned int)FILE_NO_SYMLINK))
		return fd;
	code = file_lacks(fd, must);
	if (!code)
		return fd;
	close(fd);
	if (code < 0)
		return code;
	if (lacks)
		*lacks = (enum file_must)code;
	return -EPERM;
}

ssize_t file_read(int dir, const char *path, char *buf, size_t size,
		  unsigned int must, enum file_must *lacks)
{
	int fd;

	*buf = '\0';
	if (lacks)
		*lacks = FILE_ANY;
	fd = open_trusted(dir, path, must, lacks);
	return fd < 0 ? fd : read_rest(fd, buf, size);
}

bool file_says(int dir, const char *path, const char *text, size_t len,
	       unsigned int must)
{
	int fd = open_trusted(dir, path, must, NULL);
	char part[4096];
	ssize_t n = 1;

	while (fd >= 0 && n > 0) {
		n = read(fd, part, sizeof(part));
		if (n < 0 || (size_t)n > len || memcmp(part, text, (size_t)n))
			break;
		text += n;
		len -= (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	return fd >= 0 && !n && !len;
}

ssize_t file_read_end(const char *path, char *buf, size_t size,
		      unsigned int must)
{
	off_t len, room = (off_t)size - 1;
	int fd;

	*buf = '\0';
	fd = open_trusted(AT_FDCWD, path, must, NULL);
	if (fd < 0)
		return fd;
	len = lseek(fd, 0, SEEK_END);
	lseek(fd, len > room ? len - room : 0, SEEK_SET);
	return read_rest(fd, buf, size);
}

int file_replace(int dir, const char *dir_name, const char *name,
		 const char *text, size_t len, struct err *err)
{
	char temp[NAME_MAX + 1];
	int code = 0, fd;
	bool done;

	snprintf(temp, sizeof(temp), "%s" FILE_TEMP, name);
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
		    FILE_FLAGS, 0600);
	if (fd < 0)
		return err_set(err, -errno, "cannot make %s/%s: %s%s", dir_name,
			       temp, strerror(errno), err_file_advice(-errno));
	/* A hook without root reads it too; pppd's umask would forbid that. */
	done = !fchmod(fd, FILE_MODE);
	if (done) {
		errno = ENOSPC;
		done = write(fd, text, len) == (ssize_t)len &&
		       !renameat(dir, temp, dir, name);
	}
	if (!done)
		code = err_set(err, -errno, "cannot write %s/%s: %s%s",
			       dir_name, name, strerror(errno),
			       err_file_advice(-errno));
	close(fd);
	return code;
}
