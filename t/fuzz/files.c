// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "fuzz.h"

enum { FILES_MAX = 8 };

static struct {
	const char *path;
	const void *text;
	size_t len;
} file[FILES_MAX];
static unsigned int n_files;
static int written = -1;
static bool begun;

/* What glibc's headers make of the three on 32-bit machines, where CMake asks for
 * files and times of 64 bits.
 */
#if defined(__GLIBC__) && __SIZEOF_POINTER__ == 4
#define __real_open __real_open64
#define __wrap_open __wrap_open64
#define __wrap_openat __wrap_openat64
#define __real_fstat __real___fstat64_time64
#define __wrap_fstat __wrap___fstat64_time64
#elif __SIZEOF_POINTER__ == 4
#define __real_fstat __real___fstat_time64
#define __wrap_fstat __wrap___fstat_time64
#endif

int __real_open(const char *path, int flags, ...);
int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);

void files_begin(void)
{
	begun = true;
	n_files = 0;
	if (written >= 0)
		close(written);
	written = -1;
}

void files_set(const char *path, const void *text, size_t len)
{
	must(n_files < FILES_MAX);
	file[n_files].path = path;
	file[n_files].text = text;
	file[n_files++].len = len;
}

void files_written(char *text, size_t size)
{
	ssize_t n = written < 0 ? 0 : pread(written, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
}

static int serve(unsigned int i, int flags)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	must(fd >= 0);
	must(write(fd, file[i].text, file[i].len) == (ssize_t)file[i].len);
	lseek(fd, 0, SEEK_SET);
	if ((flags & O_ACCMODE) != O_RDONLY) {
		if (written >= 0)
			close(written);
		written = dup(fd);
	}
	return fd;
}

int __wrap_open(const char *path, int flags, ...)
{
	unsigned int i;

	/* A build that counts its lines writes them so; and with musl so does
	 * opendir() open the corpus.
	 */
	if (!begun || strstr(path, ".gcda"))
		return __real_open(path, flags, 0644);
	for (i = 0; i < n_files; i++)
		if (!strcmp(file[i].path, path))
			return serve(i, flags);
	errno = ENOENT;
	return -1;
}

int __wrap_openat(int dir, const char *path, int flags, ...)
{
	(void)dir;
	return __wrap_open(path, flags);
}

/* A memfd has no name, and is open to everybody. */
int __wrap_fstat(int fd, struct stat *st)
{
	int code = __real_fstat(fd, st);

	st->st_nlink = 1;
	st->st_mode &= ~(mode_t)0077;
	return code;
}
