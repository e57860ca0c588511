/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_HISTORY_H
#define MWAN_TELL_HISTORY_H

#include <time.h>

#include "base/addr.h"
#include "conf/conf.h"

/* "2026-11-22T17:22:06.123+01:00" */
enum { SINCE_TEXT = 32 };

/* A moment, as the log has it and in seconds since 1970. */
struct since {
	char text[SINCE_TEXT];	/* "": not known */
	time_t seconds;
};

/* Since when each link is up, with the address @local, or not (family 0), by
 * the last part of the log; not known where it does not tell, and where that was
 * before this boot or the clock has been set since.
 */
void history_since(const struct conf *conf,
		   const struct addr local[LINKS_MAX],
		   struct since since[LINKS_MAX]);

#endif
