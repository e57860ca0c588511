// SPDX-License-Identifier: MIT
/* The configuration: whatever is in the file, it is refused with the number of
 * a line, or it is taken, and then written as one that says the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "conf/conf.h"
#include "files.h"
#include "fuzz.h"
#include "nft/table.h"

#define PATH "/mwan.ini"

static const char rt_tables[] = "201 ppp0\n202 ppp1\n203 wan\n";
static struct conf conf, again;
static char text[CONF_FILE_MAX], same[CONF_FILE_MAX];

static void check_refusal(int code, const struct err *err, size_t lines)
{
	unsigned long line;
	char *end;

	must(fuzz_explained(code, err->msg));
	if (code != -EINVAL || strstr(err->msg, "NUL byte"))
		return;
	must(!strncmp(err->msg, PATH ":", strlen(PATH) + 1));
	line = strtoul(err->msg + strlen(PATH) + 1, &end, 10);
	must(line >= 1 && line <= lines);
	must(!strncmp(end, ": ", 2) && end[2]);
}

static void check_links(void)
{
	const struct conf_link *l;
	unsigned int i, k;

	must(conf.n_links <= LINKS_MAX && conf.n_lan <= LAN_MAX);
	for (i = 0; i < conf.n_lan; i++)
		must(ifname_valid(conf.lan[i]));
	for (i = 0; i < conf.n_links; i++) {
		l = &conf.link[i];
		must(ifname_valid(l->name));
		must(l->mark && !(l->mark & ~conf.mark_mask));
		must(l->table && l->weight && l->tier);
		must(l->prefix6.n <= PREFIXES_MAX);
		for (k = 0; k < l->prefix6.n; k++)
			must(addr_is_global6(&l->prefix6.item[k].addr) &&
			     l->prefix6.item[k].len <= 128);
		must(l->table != conf.standby_table);
		for (k = 0; k < i; k++)
			must(conf.link[k].mark != l->mark &&
			     conf.link[k].table != l->table);
	}
}

/* Written and read, it is the same. */
static void check_print(void)
{
	struct err err;
	int len = conf_print(&conf, text, sizeof(text));

	must(len > 0 && (size_t)len == strlen(text));
	files_begin();
	files_set(PATH, text, (size_t)len);
	must(!conf_read(&again, PATH, true, &err));
	must(again.n_links == conf.n_links);
	must(conf_print(&again, same, sizeof(same)) == len);
	must(!strcmp(text, same));
}

static void check_ruleset(void)
{
	static const bool drained[LINKS_MAX], nobody[LINKS_MAX];
	static struct ruleset rs;
	struct err err;
	int code = ruleset_build(&rs, &conf, drained, nobody, false, &err);

	if (code)
		must(code == -EINVAL && fuzz_explained(code, err.msg));
	else
		must(ruleset_print(&rs, text, sizeof(text)) < sizeof(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { "" };
	size_t i, lines = 1;
	int code;

	for (i = 0; i < size; i++)
		lines += data[i] == '\n';
	files_begin();
	files_set(PATH, data, size);
	files_set("/etc/iproute2", "", 0);
	files_set("rt_tables", rt_tables, sizeof(rt_tables) - 1);
	code = conf_read(&conf, PATH, true, &err);
	if (code) {
		check_refusal(code, &err, lines);
		return 0;
	}
	check_links();
	check_print();
	check_ruleset();
	return 0;
}
