// SPDX-License-Identifier: MIT
#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tool/priv.h"

/* These are in the first of two words. */
#define ADMIN (1U << CAP_NET_ADMIN)
#define RAW (1U << CAP_NET_RAW)

static bool is_dropped(const struct __user_cap_data_struct has[2],
		       uint32_t kept)
{
	return !((has[0].permitted & ~kept) | has[1].permitted |
		 has[0].inheritable | has[1].inheritable);
}

static int drop_all_but(uint32_t kept, struct err *err)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct has[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct __user_cap_data_struct keep[_LINUX_CAPABILITY_U32S_3] = { 0 };

	/* The bounding set stays as it is: emptying it takes two calls for each
	 * capability, and it limits only what execve(2) gives. A program that
	 * we execute (notify(), gzip), or that a fault makes us execute, gets
	 * no more than the process has: no_new_privs cuts what root or a file
	 * would get (security/commoncap.c, cap_bprm_creds_from_file()).
	 */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_capget, &head, has))
		return err_set(err, -errno, "cannot limit its own privileges: "
			       "%s; going on with all of them, allow prctl(2) "
			       "and capget(2) in whatever starts it",
			       strerror(errno));
	/* A service manager that has done so may forbid the call as well. */
	if (is_dropped(has, kept))
		return 0;
	/* This also removes them from the ambient set. */
	keep[0].permitted = has[0].permitted & kept;
	keep[0].effective = keep[0].permitted;
	if (syscall(SYS_capset, &head, keep))
		return err_set(err, -errno, "cannot give up its other "
			       "capabilities: %s; going on with them, allow "
			       "capset(2) in whatever starts it",
			       strerror(errno));
	return 0;
}

int priv_drop(struct err *err)
{
	return drop_all_but(ADMIN, err);
}

int priv_drop_to_ask(struct err *err)
{
	return drop_all_but(ADMIN | RAW, err);
}
