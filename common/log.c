// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

enum { VALUE_MAX = 600 };

void log_begin(struct log *l)
{
	struct timespec now;
	struct tm tm = { 0 };
	char date[32], zone[8];

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	/* %z is +hhmm; ISO 8601 wants +hh:mm beside a time with colons. */
	l->len = (size_t)snprintf(l->line, sizeof(l->line),
				  "ts=%s.%03ld%.3s:%.2s", date,
				  now.tv_nsec / 1000000, zone, zone + 3);
}

static bool plain(const char *value)
{
	const char *c;

	for (c = value; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '"' || *c == '\\' ||
		    *c == '=')
			return false;
	return c != value;
}

/* Append as much as leaves room for a closing quotation mark and a newline. */
static bool append(struct log *l, const char *text, size_t len)
{
	if (l->len + len + 3 > sizeof(l->line))
		return false;
	memcpy(l->line + l->len, text, len);
	l->len += len;
	return true;
}

static bool append_quoted(struct log *l, const char *value)
{
	char hex[5];
	const char *c;
	bool ok = append(l, "\"", 1);

	for (c = value; *c && ok; c++) {
		if (*c == '"' || *c == '\\') {
			ok = append(l, "\\", 1) && append(l, c, 1);
		} else if (*c < ' ' || *c >= 0x7f) {
			snprintf(hex, sizeof(hex), "\\x%02x",
				 (unsigned char)*c);
			ok = append(l, hex, 4);
		} else {
			ok = append(l, c, 1);
		}
	}
	/* The room for this one was kept. */
	l->line[l->len++] = '"';
	return ok;
}

void log_add(struct log *l, const char *key, const char *fmt, ...)
{
	char value[VALUE_MAX];
	size_t before = l->len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (append(l, " ", 1) && append(l, key, strlen(key)) &&
	    append(l, "=", 1) &&
	    (plain(value) ? append(l, value, strlen(value)) :
			    append_quoted(l, value)))
		return;
	l->len = before;
}

static int open_log(const char *path)
{
	int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
		    O_CLOEXEC;
	int fd = open(path, flags);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = open(path, flags | O_CREAT | O_EXCL, 0640);
	/* pppd's umask is 077. */
	if (fd >= 0)
		(void)!fchmod(fd, 0640);
	else if (errno == EEXIST)
		fd = open(path, flags);
	return fd;
}

int log_write(struct log *l, const char *path, struct err *err)
{
	struct stat st;
	ssize_t n;
	int code = 0, fd = open_log(path);

	if (fd < 0)
		return err_set(err, -errno, "cannot open the log %s: %s", path,
			       strerror(errno));
	if (fstat(fd, &st)) {
		code = err_set(err, -errno, "cannot examine the log %s: %s",
			       path, strerror(errno));
	} else if (!S_ISREG(st.st_mode) || st.st_nlink != 1 ||
		   st.st_uid != geteuid() || (st.st_mode & S_IWOTH)) {
		code = err_set(err, -EPERM, "the log %s is not a plain file "
			       "of ours (one name, not writable by others): "
			       "nothing is written to it", path);
	} else {
		l->line[l->len++] = '\n';
		n = write(fd, l->line, l->len);
		if (n != (ssize_t)l->len)
			code = err_set(err, n < 0 ? -errno : -ENOSPC,
				       "cannot write to the log %s: %s", path,
				       strerror(n < 0 ? errno : ENOSPC));
		l->line[--l->len] = '\0';
	}
	close(fd);
	return code;
}
