/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_NOTIFY_H
#define MWAN_TOOL_NOTIFY_H

#include "core/session.h"

/* Start the programs of PROGRAMS_DIR for each link whose state has changed
 * since they were last told: see mwan-rules(8), Programs. Call it without the
 * lock, at the end. Returns at once: all else happens in a process of its own.
 * If that directory is missing, nothing more is done than to look for it.
 */
void notify(const struct session *s, bool flushed);

#endif
