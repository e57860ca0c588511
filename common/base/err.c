// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return code;
}

int err_prefix(struct err *err, int code, const char *what)
{
	struct err why;

	if (!err || !code)
		return code;
	why = *err;
	return err_set(err, code, "%s: %s", what, why.msg);
}

const char *err_advice(int code)
{
	switch (code) {
	case -EPERM:
	case -EACCES:
		return "; run this as root or with CAP_NET_ADMIN";
	case -ENOMEM:
	case -ENOBUFS:
		return "; free some memory, and try again";
	case -EMFILE:
	case -ENFILE:
		return "; allow more open files (ulimit -n), and try again";
	case -EINTR:
	case -EAGAIN:
	case -EBUSY:
	case -ENODEV:
	case -ENETDOWN:
		return "; try again";
	default:
		return "; try again, or report it with the kernel's version "
		       "(uname -r)";
	}
}

const char *err_file_advice(int code)
{
	switch (code) {
	case -EPERM:
	case -EACCES:
		/* We run as root, but without the right to others' files. */
		return geteuid() ? "; run this as root" :
				   "; give it and its directory to root";
	case -ELOOP:
	case -EISDIR:
	case -ENXIO:
		return "; remove it, it is made again";
	case -ENOSPC:
	case -EDQUOT:
		return "; make room there, and try again";
	case -EFBIG:
		return "; allow longer files (ulimit -f), and try again";
	case -EROFS:
		return "; mount that file system read-write, and try again";
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
		return err_advice(code);
	default:
		return "; see the kernel's messages (dmesg), and try again";
	}
}

int err_expected(struct err *err, const char *what, const char *word)
{
	return err_set(err, -EINVAL, "%s is expected, not \"%s\"", what,
		       word);
}
