/* SPDX-License-Identifier: MIT */
#ifndef MWAN_FUZZ_FILES_H
#define MWAN_FUZZ_FILES_H

#include <stddef.h>

/* Files that are not there: with files.c the linker's --wrap makes open(),
 * openat() and fstat() of the project ours. A path that nobody has set does not
 * exist; what is written is lost, but for the last text.
 */
void files_begin(void);

/* Make the file @path, or, for openat(), its last part; @text must stay. */
void files_set(const char *path, const void *text, size_t len);

/* What has been written to the file that was last opened for writing, as a
 * string, cut to @size; "" when there was none.
 */
void files_written(char *text, size_t size);

#endif
