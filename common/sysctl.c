// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sysctl.h"

void sysctl_rp_filter_path(const char *dev, char path[SYSCTL_PATH_MAX])
{
	snprintf(path, SYSCTL_PATH_MAX, "net/ipv4/conf/%s/rp_filter", dev);
}

static int open_sysctl(const char *path, int flags)
{
	char full[SYSCTL_PATH_MAX + 16];

	snprintf(full, sizeof(full), "/proc/sys/%s", path);
	return open(full, flags | O_CLOEXEC);
}

int sysctl_read(const char *path)
{
	char digit = 0;
	int code = 0, fd = open_sysctl(path, O_RDONLY);

	if (fd < 0)
		return -errno;
	if (read(fd, &digit, 1) != 1)
		code = -EIO;
	close(fd);
	if (code)
		return code;
	return digit >= '0' && digit <= '9' ? digit - '0' : -EIO;
}

int sysctl_write(const char *path, int value, struct err *err)
{
	char text[16];
	int code = 0, fd = open_sysctl(path, O_WRONLY);
	int len = snprintf(text, sizeof(text), "%d\n", value);

	if (fd < 0 || write(fd, text, (size_t)len) != len)
		code = err_set(err, -errno, "cannot set /proc/sys/%s to %d: "
			       "%s", path, value, strerror(errno));
	if (fd >= 0)
		close(fd);
	return code;
}
