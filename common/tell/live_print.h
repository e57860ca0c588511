/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_LIVE_PRINT_H
#define MWAN_TELL_LIVE_PRINT_H

#include <stdio.h>

#include "tell/status.h"

/* Below the table of "status --watch": how much of its bandwidth each link
 * sends, where the configuration has it (cake), and what mwan-rules watch
 * knows. Nothing, where nothing of that is known or there are no rates.
 */
void status_print_live(const struct status *s, FILE *out);

#endif
