/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CORE_RENUMBER_H
#define MWAN_CORE_RENUMBER_H

#include "core/session.h"

/* Before the accepted copy becomes @conf: note what that copy has. @dry: and
 * print to it what becomes of marks, for people.
 */
void renumber_note(const struct conf *conf, FILE *dry);

/* Bring what is in force to the marks and tables of the session's configuration
 * without a packet lost, as far as renumber_note() has found them changed: what
 * then follows is an apply that finds them so. Adds to @o.
 */
void renumber(struct session *s, struct outcome *o);

/* Pure, for tests: do numbers of links in one of these mean other links in the
 * other one?
 */
bool renumber_clashes(const struct conf *new, const struct conf *old);

/* Make @via, which wants what @new does, and whose marks and tables clash with
 * those of neither. Returns false when the mask has no marks for that.
 */
bool renumber_detour(struct conf *via, const struct conf *new,
		     const struct conf *old);

#endif
