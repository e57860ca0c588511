// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/util.h"
#include "tell/networkd.h"

#define CONFIG "/systemd/networkd.conf"

enum { TEXT_MAX = 16384 };

/* networkd.conf(5), the first goes before the others. */
static const char *const places[] = { "/etc", "/run", "/usr/local/lib",
				      "/usr/lib" };

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r");
	for (len = strlen(text); len && strchr(" \t\r", text[len - 1]); len--)
		text[len - 1] = '\0';
	return text;
}

/* systemd.syntax(7); what it does not know it passes over. */
static void set(bool *setting, const char *value)
{
	static const char *const no[] = { "no", "n", "false", "f", "off",
					  "0" };
	static const char *const yes[] = { "yes", "y", "true", "t", "on",
					   "1" };
	size_t i;

	for (i = 0; i < COUNT(no); i++) {
		if (!strcasecmp(value, no[i]))
			*setting = false;
		else if (!strcasecmp(value, yes[i]))
			*setting = true;
	}
}

static void read_file(const char *path, bool *routes, bool *rules)
{
	char text[TEXT_MAX], *line, *value, *save;
	bool network = false;

	if (file_read(AT_FDCWD, path, text, sizeof(text), FILE_ANY, NULL) < 0)
		return;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		line = trim(line);
		if (*line == '[')
			network = !strcmp(line, "[Network]");
		value = strchr(line, '=');
		if (!network || !value)
			continue;
		*value = '\0';
		line = trim(line);
		if (!strcmp(line, "ManageForeignRoutes"))
			set(routes, trim(value + 1));
		else if (!strcmp(line, "ManageForeignRoutingPolicyRules"))
			set(rules, trim(value + 1));
	}
}

static bool is_conf(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && !strcmp(name + len - 5, ".conf");
}

/* The next file after @name in the order of names, in any place: a name that is
 * in several places counts in the first of them. Returns its place, NULL if
 * there is none.
 */
static const char *next_file(char name[NAME_MAX + 1])
{
	char best[NAME_MAX + 1] = "", path[64];
	const char *where = NULL;
	const struct dirent *e;
	size_t i;
	DIR *d;

	for (i = 0; i < COUNT(places); i++) {
		snprintf(path, sizeof(path), "%s" CONFIG ".d", places[i]);
		d = opendir(path);
		while (d && (e = readdir(d))) {
			if (!is_conf(e->d_name) ||
			    strcmp(e->d_name, name) <= 0 ||
			    (where && strcmp(e->d_name, best) >= 0))
				continue;
			snprintf(best, sizeof(best), "%s", e->d_name);
			where = places[i];
		}
		if (d)
			closedir(d);
	}
	strcpy(name, best);
	return where;
}

void networkd_read(bool *deletes_routes, bool *deletes_rules)
{
	char name[NAME_MAX + 1] = "", path[64 + NAME_MAX];
	const char *where;
	size_t i;

	/* The directory is there also where it does not run: tmpfiles.d. */
	*deletes_routes = *deletes_rules = !access("/run/systemd/netif/state",
						   F_OK);
	if (!*deletes_routes)
		return;
	for (i = 0; i < COUNT(places); i++) {
		snprintf(path, sizeof(path), "%s" CONFIG, places[i]);
		if (access(path, F_OK))
			continue;
		read_file(path, deletes_routes, deletes_rules);
		break;
	}
	while ((where = next_file(name))) {
		snprintf(path, sizeof(path), "%s" CONFIG ".d/%s", where, name);
		read_file(path, deletes_routes, deletes_rules);
	}
}
