// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/util.h"
#include "kernel/pppd.h"

enum { PID_MAX = INT32_MAX };

/* "PID\nIFNAME\n", the second line as soon as there is an interface. */
static int read_note(const char *path, char ifname[IFNAMSIZ])
{
	char text[64], *name;
	uint32_t pid;
	ssize_t n = file_read(AT_FDCWD, path, text, sizeof(text),
			      FILE_NO_SYMLINK | FILE_PLAIN | FILE_OWN_OR_ROOTS |
			      FILE_OWNER_WRITES, NULL);

	if (n < 0)
		return (int)n;
	name = strchr(text, '\n');
	if (!name)
		return -ENOENT;
	*name++ = '\0';
	name[strcspn(name, "\n")] = '\0';
	/* A pppd that was killed leaves its file. */
	if (u32_parse(text, 1, PID_MAX, &pid) ||
	    (kill((pid_t)pid, 0) && errno == ESRCH) ||
	    !ifname_valid(name) || str_copy(ifname, IFNAMSIZ, name))
		return -ENOENT;
	return 0;
}

int pppd_interface(const char *linkname, char ifname[IFNAMSIZ])
{
	/* pppd 2.4.9, and from 2.5 on. */
	static const char *const dirs[] = { "/var/run", "/var/run/pppd" };
	char path[sizeof("/var/run/pppd/ppp-.pid") + PPPD_LINKNAME];
	int code = -ENOENT;
	size_t i;

	for (i = 0; i < COUNT(dirs) && code == -ENOENT; i++) {
		snprintf(path, sizeof(path), "%s/ppp-%s.pid", dirs[i],
			 linkname);
		code = read_note(path, ifname);
	}
	return code;
}
