/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_SERVICE_H
#define MWAN_TOOL_SERVICE_H

#include <stdint.h>

/* Messages for the service manager of a process that stays (sd_notify(3)). If
 * there is no manager, all of this does nothing.
 */

/* Read where to, and how often, from the environment: before that is cleared. */
void service_begin(void);

/* Tell it, for example "READY=1". */
void service_tell(const char *text);

/* It wants "WATCHDOG=1" at least so often, in microseconds; 0: it does not. */
int64_t service_watchdog(void);

#endif
