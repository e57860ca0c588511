// SPDX-License-Identifier: MIT
/* The names of routing tables: whatever is in the file, every name is one word
 * with one number, and the system's own tables are found.
 */
#include <string.h>

#include "conf/rttables.h"
#include "files.h"
#include "fuzz.h"

static struct rttables tables;

static void check_entry(unsigned int i)
{
	const struct rttables_entry *e = &tables.entry[i];
	size_t len = strnlen(e->name, sizeof(e->name));

	must(len && len < sizeof(e->name));
	must(e->id);
	must(!strpbrk(e->name, " \t\r\n#"));
	must(rttables_find(&tables, e->name) == e->id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { "" };
	char name[64];
	unsigned int i;
	size_t at = 0;
	uint32_t id = 0;
	int code;

	files_begin();
	files_set("/etc/iproute2", "", 0);
	files_set("rt_tables", data, size);
	rttables_load(&tables);
	must(tables.n <= RTTABLES_MAX);
	for (i = 0; i < tables.n; i++)
		check_entry(i);
	if (tables.n < RTTABLES_MAX)
		must(rttables_find(&tables, "main") &&
		     rttables_find(&tables, "local"));
	fuzz_string(data, size, &at, name, sizeof(name));
	code = rttables_number(name, &id, &err);
	must(code ? fuzz_explained(code, err.msg) : id != 0);
	return 0;
}
