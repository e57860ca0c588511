/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_SINCE_H
#define MWAN_TELL_SINCE_H

#include <time.h>

#include "base/addr.h"
#include "conf/conf.h"
#include "tell/event.h"

/* A moment, in the log's form and in seconds since 1970. */
struct since {
	char text[EVENT_TIME_TEXT];	/* "": not known */
	time_t seconds;
};

/* Since when each link is up, with the address @local, or not (family 0), by
 * the last part of the log; not known where it does not tell, and where that was
 * before this boot or the clock has been set since.
 */
void since_read(const struct conf *conf,
		   const struct addr local[LINKS_MAX],
		   struct since since[LINKS_MAX]);

#endif
