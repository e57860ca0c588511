/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_HOOK_H
#define MWAN_TOOL_HOOK_H

#include <stdbool.h>

/* The whole of ip-up.local (@up) or ip-down.local, from main()'s arguments to
 * the exit status. @tool is its name in messages and in the log.
 */
int hook_main(const char *tool, bool up, int argc, char **argv);

#endif
