// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/lock.h"

enum { POLL_NS = 5000000 };

int rundir_open(struct err *err)
{
	/* Works without the right to read the directory. */
	static const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW |
				 O_CLOEXEC;
	struct stat st;
	int code, fd = open(RUN_DIR, flags);

	if (fd < 0 && errno == ENOENT) {
		/* pppd's umask is 077. */
		if (!mkdir(RUN_DIR, 0755))
			(void)!chmod(RUN_DIR, 0755);
		else if (errno != EEXIST)
			return err_set(err, -errno, "cannot make %s: %s%s",
				       RUN_DIR, strerror(errno),
				       err_file_advice(-errno));
		fd = open(RUN_DIR, flags);
	}
	if (fd < 0)
		return err_set(err, -errno, "cannot open the directory %s: "
			       "%s%s", RUN_DIR, strerror(errno),
			       errno == ENOTDIR ? err_file_advice(-ELOOP) :
						  err_file_advice(-errno));
	if (fstat(fd, &st)) {
		code = -errno;
		close(fd);
		return err_set(err, code, "cannot examine %s: %s%s", RUN_DIR,
			       strerror(-code), err_file_advice(code));
	}
	if (st.st_uid == geteuid() && !(st.st_mode & 022))
		return fd;
	close(fd);
	if (!st.st_uid && geteuid())
		return err_set(err, -EACCES, "%s is not ours but root's, and "
			       "this runs as user %u: run it as root",
			       RUN_DIR, geteuid());
	return err_set(err, -EACCES, "%s is not ours alone (owner %u, mode "
		       "%04o): remove it, it is made again", RUN_DIR,
		       st.st_uid, st.st_mode & 07777);
}

int rundir_check(struct err *err)
{
	struct stat st;
	int fd;

	if (lstat(RUN_DIR, &st) && errno == ENOENT)
		return 0;
	fd = rundir_open(err);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Only root can put anything there, but root may have put anything. Returns the
 * descriptor, or a negative errno with a sentence.
 */
static int open_lock(int dir, const char *name, struct err *err)
{
	int code, fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW |
			      O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(err, -errno, "cannot open the lock %s/%s: %s%s",
			       RUN_DIR, name, strerror(errno),
			       err_file_advice(-errno));
	if (!file_lacks(fd, FILE_PLAIN | FILE_OWN | FILE_PRIVATE |
			FILE_ONE_NAME))
		return fd;
	code = err_set(err, -EPERM, "the lock %s/%s is not a plain file of "
		       "ours alone: remove it, it is made again", RUN_DIR,
		       name);
	close(fd);
	return code;
}

/* A long of 32 bits overflows on a router that is up for 25 days. */
static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int lock_take(struct lock *l, const char *name, unsigned int ms,
	      struct err *err)
{
	static const struct timespec pause = { .tv_nsec = POLL_NS };
	int64_t deadline = now_ms() + ms;
	int dir, code;

	l->fd = -1;
	dir = rundir_open(err);
	if (dir < 0)
		return dir;
	l->fd = open_lock(dir, name, err);
	close(dir);
	if (l->fd < 0)
		return l->fd;
	/* flock(2) has no time limit, and a timer's signal would interrupt
	 * other calls as well.
	 */
	while (flock(l->fd, LOCK_EX | LOCK_NB)) {
		code = -errno;
		if (code == -EINTR)
			continue;
		if (code == -EWOULDBLOCK && now_ms() < deadline) {
			nanosleep(&pause, NULL);
			continue;
		}
		lock_release(l);
		if (code == -EWOULDBLOCK)
			return err_set(err, -EBUSY, "%s/%s is held by another "
				       "process for more than %u ms: try "
				       "again, or see who holds it with "
				       "\"fuser %s/%s\"", RUN_DIR, name, ms,
				       RUN_DIR, name);
		return err_set(err, code, "cannot lock %s/%s: %s%s", RUN_DIR,
			       name, strerror(-code), err_file_advice(code));
	}
	return 0;
}

void lock_release(struct lock *l)
{
	/* Not by close(2) alone: a run that takes it again would wait for
	 * itself where that has failed, and leave its rest to the next one.
	 */
	if (l->fd >= 0) {
		(void)flock(l->fd, LOCK_UN);
		close(l->fd);
	}
	l->fd = -1;
}
