// SPDX-License-Identifier: MIT
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "tool/service.h"

static struct sockaddr_un to = { .sun_family = AF_UNIX };
static socklen_t to_len;
static int64_t watchdog;

void service_begin(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	const char *every = getenv("WATCHDOG_USEC");
	uint32_t us;

	if (path && *path &&
	    !str_copy(to.sun_path, sizeof(to.sun_path), path)) {
		to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				     strlen(path));
		/* An abstract name begins with a NUL. */
		if (*path == '@')
			to.sun_path[0] = '\0';
	}
	if (to_len && every && !u32_parse(every, 1, UINT32_MAX, &us))
		watchdog = us;
}

void service_tell(const char *text)
{
	int fd;

	if (!to_len)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL,
		     (const struct sockaddr *)&to, to_len);
	close(fd);
}

int64_t service_watchdog(void)
{
	return watchdog;
}
