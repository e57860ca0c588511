/* SPDX-License-Identifier: MIT */
#ifndef MWAN_CONF_RTTABLES_H
#define MWAN_CONF_RTTABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum {
	RTTABLES_MAX = 1024,
	RTTABLES_NAME = 32,
};

struct rttables_entry {
	uint32_t id;
	char name[RTTABLES_NAME];
};

/* The names of routing tables, as ip(8) knows them. */
struct rttables {
	bool loaded;
	unsigned int n;
	struct rttables_entry entry[RTTABLES_MAX];
};

/* Read the names: /etc/iproute2/rt_tables and rt_tables.d, then, for what is
 * not named there, the same below /usr/share/iproute2. A missing or unreadable
 * file names nothing; a line that is no "NUMBER NAME" is passed over, as ip(8)
 * does.
 */
void rttables_load(struct rttables *t);

/* The number of the table @name, or 0. */
uint32_t rttables_find(const struct rttables *t, const char *name);

/* The first name of the table @id, or NULL. */
const char *rttables_name(const struct rttables *t, uint32_t id);

/* A table by name or number (1 to 2^32-1). Returns 0, or -EINVAL with a
 * sentence that quotes @name.
 */
int rttables_number(const char *name, uint32_t *id, struct err *err);

#endif
