// SPDX-License-Identifier: MIT
/* What mwan-rules status prints, for figures that no test can make the kernel
 * have.
 */
#include "tell/status_print.h"
#include "unit.h"

enum { TEXT_MAX = 1 << 20, ROUNDS = 300 };

static struct status status;
static struct facts facts;
static struct conf conf;
static struct present present;
static char text[TEXT_MAX];

static const char *printed(bool json)
{
	FILE *f = fmemopen(text, sizeof(text), "w");

	if (json)
		status_print_json(&status, f);
	else
		status_print(&status, false, f);
	fclose(f);
	return text;
}

/* The nth word of the nth line, from 1. */
static const char *word(unsigned int line, unsigned int n)
{
	static char copy[200];
	char *at = text, *w = NULL, *save;

	while (--line)
		at = strchr(at, '\n') + 1;
	snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(at, "\n"), at);
	for (at = copy; n--; at = NULL)
		w = strtok_r(at, " ", &save);
	return w ? w : "";
}

static void links(unsigned int n)
{
	struct status_link *l;
	unsigned int i;

	memset(&status, 0, sizeof(status));
	memset(&facts, 0, sizeof(facts));
	status.facts = &facts;
	status.n_links = n;
	status.in_force = true;
	for (i = 0; i < n; i++) {
		l = &status.link[i];
		l->want = &conf.link[i];
		l->is = &present.link[i];
		snprintf(conf.link[i].name, IFNAMSIZ, "ppp%u", i);
	}
}

static void test_scale(void)
{
	static const struct {
		uint64_t n;
		const char *text;
	} cases[] = {
		{ 0, "0" }, { 9999, "9999" }, { 10000, "10.0k" },
		{ 99999, "99.9k" }, { 100000, "100k" }, { 999999, "999k" },
		{ 1000000, "1.0M" }, { 123456789, "123M" },
		{ 1999999999, "1.9G" }, { UINT64_MAX, "18.4E" },
	};
	size_t i;

	links(1);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		facts.have_bytes[0] = true;
		facts.bytes[0].rx = cases[i].n;
		printed(false);
		is(word(4, 6), cases[i].text, "%s", cases[i].text);
	}
}

static void test_default(void)
{
	unsigned int i;

	links(LINKS_MAX);
	printed(false);
	is(word(4, 8), "none", "no link carries it");
	strcpy(status.link[0].by_other, "eth0");
	printed(false);
	is(word(4, 8), "eth0", "another interface does");
	for (i = 0; i < LINKS_MAX; i++)
		status.link[0].by[status.link[0].n_by++] = (uint8_t)i;
	printed(false);
	is(word(4, 8), "ppp0,ppp1,ppp2,+252", "all links do");
	status.link[0].n_by = 4;
	printed(false);
	is(word(4, 8), "ppp0,ppp1,ppp2,ppp3", "all that there is room for");
}

static void test_state(void)
{
	links(1);
	conf.link[0].drained = true;
	printed(false);
	is(word(3, 2), "down,drained", "a drained link that is down");
	status.link[0].usable = true;
	printed(false);
	is(word(3, 2), "drained", "... and that is up");
	conf.link[0].drained = false;
}

static void fill(char *to, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size; i++)
		to[i] = (char)('a' + unit_random(26));
	to[i] = '\0';
}

/* Sentences of words that are not longer than a line. */
static void fill_sentence(struct err *e)
{
	size_t i;

	for (i = 0; i + 1 < sizeof(e->msg); i++)
		e->msg[i] = i % 70 == 69 || !unit_random(6) ? ' ' : 'a';
	e->msg[0] = 'a';
	e->msg[i] = '\0';
}

static size_t longest_line(void)
{
	size_t len, max = 0;
	const char *at;

	for (at = text; *at; at += len + (at[len] == '\n')) {
		len = strcspn(at, "\n");
		if (len > max)
			max = len;
	}
	return max;
}

static void test_width(void)
{
	size_t len, max = 0;
	struct status_link *l;
	unsigned int round, i;

	for (round = 0; round < ROUNDS; round++) {
		links(1 + unit_random(LINKS_MAX));
		for (i = 0; i < status.n_links; i++) {
			l = &status.link[i];
			fill(conf.link[i].name, 2 + unit_random(15));
			fill(facts.since[i], SINCE_TEXT);
			conf.link[i].table = UINT32_MAX;
			conf.link[i].mark = UINT32_MAX;
			conf.link[i].weight = conf.link[i].tier = 255;
			l->usable = unit_random(2);
			conf.link[i].drained = unit_random(2);
			addr_parse(&present.link[i].local, "100.100.100.100");
			addr_parse(&present.link[i].peer, "200.200.200.200");
			facts.have_bytes[i] = true;
			facts.bytes[i].rx = facts.bytes[i].tx =
				facts.flows[i] = UINT64_MAX >> unit_random(64);
			while (l->n_by < status.n_links && unit_random(4))
				l->by[l->n_by++] = (uint8_t)unit_random(
					status.n_links);
		}
		status.n_problems = 3;
		for (i = 0; i < 3; i++)
			fill_sentence(&status.problem[i].text);
		printed(false);
		len = longest_line();
		if (len > max)
			max = len;
	}
	ok(max <= 80 && max > 70, "%d tables: no line is longer than 80 "
	   "(%zu)", ROUNDS, max);
}

static void test_json(void)
{
	struct err err = { "a \"b\" \\ \n\x01\xff\xc3\xa4." };
	struct err longest;

	memset(&status, 0, sizeof(status));
	status_fail(&status, 78, &err);
	is(printed(true),
	   "{\"status\": 78, \"in_force\": false, \"stopped_packets\": "
	   "null, \"links\": [],\n"
	   "\"problems\": [\n{\"kind\": \"error\", \"link\": null, "
	   "\"text\": \"a \\\"b\\\" \\\\ "
	   "\\\\x0a\\\\x01\\\\xff\\\\xc3\\\\xa4.\"}],\n"
	   "\"more_problems\": 0}\n", "JSON of an error");
	memset(&status, 0, sizeof(status));
	memset(longest.msg, 0xff, sizeof(longest.msg) - 1);
	longest.msg[sizeof(longest.msg) - 1] = '\0';
	for (unsigned int i = 0; i < STATUS_PROBLEMS_MAX + 2; i++)
		status_fail(&status, 1, &longest);
	printed(true);
	ok(strstr(text, "\\\\xff\"}],\n\"more_problems\": 2}\n") != NULL,
	   "JSON of more problems than there is room for is complete");
}

int main(void)
{
	test_scale();
	test_default();
	test_state();
	test_width();
	test_json();
	return done();
}
