/* SPDX-License-Identifier: MIT */
#ifndef MWAN_TELL_STATUS_PRINT_H
#define MWAN_TELL_STATUS_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "tell/status.h"

/* For a person, in 80 columns: a line a link, or all of it in two with @full,
 * then the problems.
 */
void status_print(const struct status *s, bool full, bool colour, FILE *out);

/* For programs: one JSON document of printable ASCII, or the text format of
 * Prometheus. mwan-rules(8) describes both.
 */
void status_print_json(const struct status *s, FILE *out);
void status_print_prometheus(const struct status *s, FILE *out);

#endif
