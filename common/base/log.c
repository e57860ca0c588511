// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

enum {
	/* After escaping. A sentence of struct err fits. */
	VALUE_MAX = 600,
	ESCAPED_MAX = 4,	/* "\xNN" */
	/* " result=unchanged took_us=" and a number of 64 bits, newline. */
	END_MAX = 64,
};

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

/* Append the text as a whole or not at all. */
static bool append(struct log *l, const char *text, size_t len, size_t room)
{
	if (l->len + len > room)
		return false;
	memcpy(l->line + l->len, text, len);
	l->len += len;
	return true;
}

/* One byte as it is written between quotation marks; returns the length. */
static size_t escape(char out[ESCAPED_MAX + 1], char c)
{
	if (c < ' ' || c >= 0x7f)
		return (size_t)snprintf(out, ESCAPED_MAX + 1, "\\x%02x",
					(unsigned char)c);
	return (size_t)snprintf(out, ESCAPED_MAX + 1, "%s%c",
				c == '"' || c == '\\' ? "\\" : "", c);
}

static bool append_value(struct log *l, const char *value, size_t room)
{
	const char *quote = plain(value) ? "" : "\"";
	char out[ESCAPED_MAX + 1];
	size_t n, left = VALUE_MAX;
	bool ok;

	if (!*quote && strlen(value) <= VALUE_MAX)
		return append(l, value, strlen(value), room);
	ok = append(l, quote, strlen(quote), room);
	for (; *value && ok; value++) {
		n = escape(out, *value);
		if (n > left)
			return append(l, "...", 3, room) &&
			       append(l, quote, strlen(quote), room);
		left -= n;
		ok = append(l, out, n, room);
	}
	return ok && append(l, quote, strlen(quote), room);
}

static void add(struct log *l, const char *key, const char *value,
		size_t room)
{
	size_t before = l->len;

	if (!append(l, " ", 1, room) ||
	    !append(l, key, strlen(key), room) ||
	    !append(l, "=", 1, room) || !append_value(l, value, room))
		l->len = before;
}

void log_add(struct log *l, const char *key, const char *fmt, ...)
{
	char value[VALUE_MAX + 2];	/* one more shows that it is cut */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	add(l, key, value, sizeof(l->line) - END_MAX);
}

void log_end(struct log *l, const char *result, int64_t took_us)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, took_us);
	/* The newline. */
	add(l, "result", result, sizeof(l->line) - 1);
	add(l, "took_us", text, sizeof(l->line) - 1);
}

void log_escape(const char *text, char *out, size_t size)
{
	char one[ESCAPED_MAX + 1];
	size_t n, len = 0;

	for (; *text; text++) {
		n = *text == '"' || *text == '\\' ? 1 : escape(one, *text);
		if (len + n >= size)
			break;
		memcpy(out + len, n == 1 ? text : one, n);
		len += n;
	}
	out[len] = '\0';
}

enum {
	LOG_FLAGS = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
		    O_CLOEXEC,
};

static int open_log(const char *path)
{
	int fd = open(path, LOG_FLAGS);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	fd = open(path, LOG_FLAGS | O_CREAT | O_EXCL, 0640);
	/* pppd's umask is 077. */
	if (fd >= 0)
		(void)!fchmod(fd, 0640);
	else if (errno == EEXIST)
		fd = open(path, LOG_FLAGS);
	return fd;
}

static int cannot_open(const char *path, int code, struct err *err)
{
	static const char other[] = "or name another one (log in mwan.ini)";
	const char *why = strerror(-code);

	switch (code) {
	case -EPERM:
	case -EACCES:
		return err_set(err, code, "cannot open the log %s: %s; let "
			       "user %u own it and enter its directory, %s",
			       path, why, geteuid(), other);
	case -ELOOP:
	case -EISDIR:
	case -ENXIO:
		return err_set(err, code, "cannot open the log %s: %s; put a "
			       "plain file there, %s", path, why, other);
	case -ENOENT:
	case -ENOTDIR:
		return err_set(err, code, "cannot open the log %s: %s; make "
			       "its directory, %s", path, why, other);
	default:
		return err_set(err, code, "cannot open the log %s: %s%s", path,
			       why, err_file_advice(code));
	}
}

static int examine(int fd, const char *path, struct err *err)
{
	int code = file_lacks(fd, FILE_PLAIN | FILE_OWN | FILE_ONE_NAME |
			      FILE_OTHERS_DO_NOT_WRITE);

	if (code < 0)
		return err_set(err, code, "cannot examine the log %s: %s%s",
			       path, strerror(-code), err_file_advice(code));
	if (code)
		return err_set(err, -EPERM, "the log %s is not a plain file "
			       "of ours (one name, not writable by others) "
			       "and stays as it is: move it away, it is made "
			       "again", path);
	return 0;
}

/* Could the file be made in its directory? */
static int check_directory(const char *path, struct err *err)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%.*s",
		 (int)(strrchr(path, '/') + 1 - path), path);
	return access(dir, W_OK | X_OK) ? cannot_open(path, -errno, err) : 0;
}

int log_check(const char *path, struct err *err)
{
	int code, fd = open(path, LOG_FLAGS);

	if (fd < 0 && errno == ENOENT)
		return check_directory(path, err);
	if (fd < 0)
		return cannot_open(path, -errno, err);
	code = examine(fd, path, err);
	close(fd);
	return code;
}

int log_write(struct log *l, const char *path, struct err *err)
{
	ssize_t n;
	int code, fd = open_log(path);

	if (fd < 0)
		return cannot_open(path, -errno, err);
	code = examine(fd, path, err);
	if (!code) {
		l->line[l->len++] = '\n';
		n = write(fd, l->line, l->len);
		if (n != (ssize_t)l->len) {
			code = n < 0 ? -errno : -ENOSPC;
			err_set(err, code, "cannot write to the log %s: %s%s",
				path, strerror(-code), err_file_advice(code));
		}
		l->line[--l->len] = '\0';
	}
	close(fd);
	return code;
}
