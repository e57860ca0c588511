/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_HOOK_H
#define MWAN_TOOL_HOOK_H

#include <stdbool.h>

#include "tool/ppp.h"

/* The whole of ip-up.local (@up) or ip-down.local, from main()'s arguments to
 * the exit status. @tool is its name in messages and in the log.
 */
int hook_main(const char *tool, bool up, int argc, char **argv);

/* The same for a caller who is not pppd: a DHCP client, or a person. The
 * gateway in @event is kept for later runs; a link that went down has none any
 * more. @event's strings are "". Returns the exit status.
 */
int hook_told(const char *tool, bool dry, const struct ppp_event *event);

#endif
