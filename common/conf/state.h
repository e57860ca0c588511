/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CONF_STATE_H
#define MWAN_CONF_STATE_H

#include "base/lock.h"
#include "conf/conf.h"

#define DRAINED_PATH RUN_DIR "/drained"

/* The configuration that mwan-rules has put in force, as a file in the run
 * directory: mwan-rules apply makes it before anything else, mwan-rules flush
 * removes it last of all, and a reboot empties the directory. Its first line
 * names the file that it was made from.
 */

/* Is a configuration in force, and from which file was it made? @source becomes
 * its path, "" when there was none. Returns 0, -ENOENT when nothing is in
 * force (also what is no file), -EACCES without the right to know, or another
 * negative errno when it could not be read; these two with a sentence.
 */
int accepted_source(char source[LOG_PATH_MAX], struct err *err);

/* Read it. Returns 0 or a negative errno with a sentence. */
int accepted_read(struct conf *conf, struct err *err);

/* Does it say @conf? Not as text: an earlier version may have written it. */
bool accepted_is(const struct conf *conf);

/* Write it, in one step (rename), unless it says the same already. Returns 0
 * or a negative errno with a sentence.
 */
int accepted_write(const struct conf *conf, const char *source,
		   struct err *err);

/* Which links have been put aside, in a file of names beside it. Set drained of
 * every link of @conf; what the file names and @conf does not is passed over.
 * Returns 0, or a negative errno with a sentence, and no link is drained then.
 */
int drained_read(struct conf *conf, struct err *err);

/* Write the names of the drained links, in one step; none: remove the file.
 * Returns 0 or a negative errno with a sentence.
 */
int drained_write(const struct conf *conf, struct err *err);

/* Remove both. Returns 0 (also when there is none) or a negative errno. */
int accepted_drop(struct err *err);

#endif
