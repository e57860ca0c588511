/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_NOTIFY_H
#define MWAN_TOOL_NOTIFY_H

#include "core/session.h"

/* Start the programs of PROGRAMS_DIR for each link whose state has changed since
 * they were last told: see mwan-rules(8), Programs. To be called without the
 * lock, at the end. Returns at once: all else happens in a process of its own.
 * Where that directory is missing, looking for it is all that is done.
 */
void notify(const struct session *s, bool flushed);

#endif
