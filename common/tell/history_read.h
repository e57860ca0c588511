/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_HISTORY_READ_H
#define MWAN_TELL_HISTORY_READ_H

#include "base/err.h"
#include "conf/conf.h"
#include "tell/history.h"

/* Read the log @path and what logrotate(8) has made of it before, the oldest
 * first: PATH.1 and PATH-20261122, also with ".gz", which gzip(1) unpacks.
 * Files that cannot be read are left out, with a sentence in @left ("" if there
 * are none). Returns 0 or a negative errno with a sentence: there is no log.
 */
int history_read(struct history *h, const char *path, struct err *left,
		 struct err *err);

/* Read the history until now: of the links of @conf, in their order, and of
 * others in its log. Returns and sets @left like history_read().
 */
int history_recall(struct history *h, const struct conf *conf,
		   struct err *left, struct err *err);

#endif
