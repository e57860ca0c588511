/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TOOL_CHANGE_H
#define MWAN_TOOL_CHANGE_H

#include "tool/task.h"

/* The commands that change what is in force. Each returns the exit status, and
 * has said and logged what came of it.
 */
int change_apply(struct task *t);
int change_flush(struct task *t);

/* Put @t->link aside, or take it back. */
int change_drain(struct task *t);
int change_undrain(struct task *t);

/* Note @t->prefixes of @t->link; without anything in force they are kept for
 * the next apply.
 */
int change_prefix(struct task *t);

#endif
