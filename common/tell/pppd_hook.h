/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_PPPD_HOOK_H
#define MWAN_TELL_PPPD_HOOK_H

/* Will pppd come to run our hook? */
enum hookfile_state {
	HOOKFILE_FINE,
	HOOKFILE_UNKNOWN,	/* without the right to look */
	HOOKFILE_NONE,		/* @path is not there */
	HOOKFILE_NO_EXEC,	/* ... is ours, and cannot be executed */
	HOOKFILE_DANGLING,	/* ... is a link that leads nowhere */
	HOOKFILE_FOREIGN,	/* ... is somebody else's */
	/* Debian's ip-up runs @path, an ip-up.local, in the place of the
	 * scripts in ip-up.d: of ours, or (@path is ours) of @other.
	 */
	HOOKFILE_SHADOWED,
	HOOKFILE_SHADOWS,
	/* @path is ours, in ip-up.d; run-parts(8) passes over its name, or
	 * pppd's own script, as Red Hat's, over that directory.
	 */
	HOOKFILE_ODD_NAME,
	HOOKFILE_NOT_RUN,
	/* Check pppd's own script, @path, without which pppd runs no hook. */
	HOOKFILE_NO_SCRIPT,
	HOOKFILE_SCRIPT_NO_EXEC,
};

enum { HOOKFILE_PATH = 336 };

struct hookfile {
	enum hookfile_state state;
	char path[HOOKFILE_PATH];
	char other[HOOKFILE_PATH];
	char program[64];	/* what @path is to lead to; "": not found */
};

/* Look at /etc/ppp for the hook of @what, "up" or "down". */
void hookfile_read(struct hookfile *h, const char *what);

#endif
