/* SPDX-License-Identifier: MIT */
#ifndef MWAN_BASE_LOCK_H
#define MWAN_BASE_LOCK_H

#include "base/err.h"

#define RUN_DIR "/run/mwan"

enum {
	/* How long a hook waits for another one. pppd sends SIGTERM to its
	 * scripts 5 s after it wants to exit (pppd/main.c).
	 */
	LOCK_WAIT_MS = 1500,
};

struct lock {
	int fd;
};

/* Make the run directory (root's, 0755: a hook of a pppd without root reads
 * what is in force) where it is missing, refuse it when somebody else could
 * write there, and give back a descriptor of it for openat(2) and the like, to
 * be closed by the caller; or a negative errno with a sentence in @err.
 */
int rundir_open(struct err *err);

/* The same without making it: 0 also when it is not there. */
int rundir_check(struct err *err);

/* Take the lock @name in the run directory, waiting for @ms milliseconds at
 * the most. The file stays when it is released, and the kernel releases it
 * when its holder dies. Returns 0; -EBUSY when another process holds it; or
 * another negative errno when the lock is not available at all (-EACCES,
 * -EPERM, -EROFS: the caller has no right to it, and may go on).
 */
int lock_take(struct lock *l, const char *name, unsigned int ms,
	      struct err *err);
void lock_release(struct lock *l);

#endif
