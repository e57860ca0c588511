// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "networkd.h"
#include "util.h"

#define CONFIG "/etc/systemd/networkd.conf"
#define DIRECTORY CONFIG ".d"

enum { TEXT_MAX = 16384 };

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
	ssize_t n;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
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

static int is_conf(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > 5 && !strcmp(e->d_name + len - 5, ".conf");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

void networkd_read(bool *deletes_routes, bool *deletes_rules)
{
	char path[sizeof(DIRECTORY) + 257];
	struct dirent **found;
	int i, n;

	*deletes_routes = *deletes_rules = !access("/run/systemd/netif", F_OK);
	if (!*deletes_routes)
		return;
	read_file(CONFIG, deletes_routes, deletes_rules);
	n = scandir(DIRECTORY, &found, is_conf, by_name);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), DIRECTORY "/%s",
			 found[i]->d_name);
		read_file(path, deletes_routes, deletes_rules);
		free(found[i]);
	}
	if (n >= 0)
		free(found);
}
