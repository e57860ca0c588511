/* SPDX-License-Identifier: MIT */
#ifndef MWAN_BASE_FILE_H
#define MWAN_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* What a file must be before we believe it or write to it. Each caller picks
 * what its file needs; FILE_ANY is for what others wrote for everybody.
 */
enum file_must {
	FILE_ANY = 0,
	FILE_NO_SYMLINK = 1,		/* its path names the file itself */
	FILE_PLAIN = 2,			/* no directory, device or pipe */
	FILE_OWN = 4,			/* it belongs to who runs this */
	FILE_OWN_OR_ROOTS = 8,
	FILE_PRIVATE = 16,		/* others may not even read it */
	FILE_OWNER_WRITES = 32,		/* neither group nor others do */
	FILE_OTHERS_DO_NOT_WRITE = 64,	/* the group may */
	FILE_ONE_NAME = 128,		/* no hard link */
};

/* Which of @must does the open file @fd not meet? Returns 0: none; that
 * condition, the first in the order above; or a negative errno.
 */
int file_lacks(int fd, unsigned int must);

/* Read the beginning of the file @path, below the directory @dir unless it is
 * absolute (AT_FDCWD: below the current one), NUL-terminated, without waiting
 * for anything. Returns its length, or a negative errno, and "" in @buf;
 * -EPERM with the condition in @lacks (which may be NULL) when it does not
 * meet @must.
 */
ssize_t file_read(int dir, const char *path, char *buf, size_t size,
		  unsigned int must, enum file_must *lacks);

/* The same, but the end of a longer file. */
ssize_t file_read_end(const char *path, char *buf, size_t size,
		      unsigned int must);

/* Does the file have exactly these @len bytes? */
bool file_says(int dir, const char *path, const char *text, size_t len,
	       unsigned int must);

/* What file_replace() writes to first; a killed writer leaves it. */
#define FILE_TEMP ".new"

/* Write the file @name in @dir, which messages call @dir_name, readable for
 * everybody, in one step: a reader sees the old one or the new one. Returns 0
 * or a negative errno with a sentence.
 */
int file_replace(int dir, const char *dir_name, const char *name,
		 const char *text, size_t len, struct err *err);

#endif
