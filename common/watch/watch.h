/* SPDX-License-Identifier: MIT */
#ifndef MWAN_WATCH_WATCH_H
#define MWAN_WATCH_WATCH_H

#include "core/session.h"
#include "tool/report.h"

/* mwan-rules watch: stay, ask by each link whether it leads anywhere, hold out
 * those that do not, and put back what somebody has taken away. Ends by SIGTERM
 * or SIGINT, when nothing is held out any more, and returns 0; or a negative
 * errno with a sentence, when it cannot do its work at all. @s is empty, and
 * @report begun. @ready tells the caller that it runs.
 */
int watch_run(struct session *s, struct report *report, struct err *err);

#endif
