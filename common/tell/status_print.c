// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "tell/link_facts.h"
#include "tell/live_print.h"
#include "tell/status_print.h"

enum { SENTENCE_MAX = 4 * sizeof(((struct err *)NULL)->msg) };

/* --- for a person --- */

enum { COLUMNS = 80 };

/* One line a link, in the order of the questions that one asks at night. */
static const enum fact brief[] = {
	FACT_NAME, FACT_UP, FACT_SINCE, FACT_LOCAL, FACT_RX, FACT_TX,
	FACT_FLOWS, FACT_BY,
};

/* All there is of a link, in two lines. */
static const enum fact first_line[] = {
	FACT_NAME, FACT_UP, FACT_SINCE, FACT_LOCAL, FACT_PEER,
}, second_line[] = {
	FACT_TABLE, FACT_MARK, FACT_WEIGHT, FACT_TIER, FACT_FLOWS, FACT_RX,
	FACT_TX, FACT_BY,
}, ipv6_line[] = {
	FACT_UP6, FACT_PREFIX6, FACT_PEER6,
};

static const char *state_colour(const struct status_link *l)
{
	return !l->usable ? "\33[31m" :
	       l->is->drained || l->is->held[FAMILY_IPV4] ? "\33[33m" :
	       "\33[32m";
}

/* One field; @width as in link_facts[], 0 for the last of a line. */
static void print_field(const struct status *s, unsigned int i, enum fact fact,
			int width, const char *text, bool colour, FILE *out)
{
	bool painted = colour && fact == FACT_UP;

	fprintf(out, "%s%*s%s", painted ? state_colour(&s->link[i]) : "",
		width, text, painted ? "\33[0m" : "");
}

/* --- the long table --- */

static void print_headings(const enum fact *line, size_t n, FILE *out)
{
	size_t k;

	for (k = 0; k + 1 < n; k++)
		fprintf(out, "%*s ", link_facts[line[k]].width,
			link_facts[line[k]].heading);
	fprintf(out, "%s\n", link_facts[line[k]].heading);
}

static void print_line(const struct status *s, unsigned int i,
		       const enum fact *line, size_t n, bool colour, FILE *out)
{
	char text[FACT_TEXT];
	size_t k;

	for (k = 0; k < n; k++) {
		link_fact_text(s, i, line[k], text);
		print_field(s, i, line[k], k + 1 < n ?
			    link_facts[line[k]].width : 0, text, colour, out);
		fputc(k + 1 < n ? ' ' : '\n', out);
	}
}

static void print_long(const struct status *s, bool colour, FILE *out)
{
	unsigned int i;

	print_headings(first_line, COUNT(first_line), out);
	fputs("  ", out);
	print_headings(second_line, COUNT(second_line), out);
	if (s->ipv6) {
		fputs("  ", out);
		print_headings(ipv6_line, COUNT(ipv6_line), out);
	}
	for (i = 0; i < s->n_links; i++) {
		print_line(s, i, first_line, COUNT(first_line), colour, out);
		fputs("  ", out);
		print_line(s, i, second_line, COUNT(second_line), false, out);
		if (!s->ipv6)
			continue;
		fputs("  ", out);
		print_line(s, i, ipv6_line, COUNT(ipv6_line), false, out);
	}
}

/* --- the short table --- */

/* Columns as wide as what is in them, so that there is room for the last. */
struct layout {
	int width[COUNT(brief)];	/* as in link_facts[] */
	const char *gap;
	size_t room;			/* for the last column */
};

static void lay_out(const struct status *s, struct layout *l)
{
	char text[FACT_TEXT];
	size_t k, len, widest, sum = 0;
	unsigned int i;

	for (k = 0; k + 1 < COUNT(brief); k++) {
		widest = strlen(link_fact_heading(s, brief[k]));
		for (i = 0; i < s->n_links; i++) {
			link_fact_brief(s, i, brief[k], 0, text);
			len = strlen(text);
			widest = len > widest ? len : widest;
		}
		l->width[k] = link_facts[brief[k]].width < 0 ? -(int)widest :
			      (int)widest;
		sum += widest;
	}
	widest = strlen(link_fact_heading(s, brief[k]));
	l->gap = sum + 2 * k + widest + strlen(",+254") <= COLUMNS ? "  " : " ";
	sum += k * strlen(l->gap);
	l->room = sum < COLUMNS ? COLUMNS - sum : 0;
}

/* Who carries it, on a line of its own if the names are too long. */
static void print_by(const struct status *s, unsigned int i, size_t room,
		     FILE *out)
{
	char text[FACT_TEXT];

	link_fact_brief(s, i, FACT_BY, room, text);
	if (*text) {
		fprintf(out, "%s\n", text);
		return;
	}
	link_fact_text(s, i, FACT_BY, text);
	fprintf(out, "\n  carried by %s\n", text);
}

static void print_brief(const struct status *s, bool colour, FILE *out)
{
	char text[FACT_TEXT];
	struct layout l;
	unsigned int i;
	size_t k;

	lay_out(s, &l);
	for (k = 0; k + 1 < COUNT(brief); k++)
		fprintf(out, "%*s%s", l.width[k], link_fact_heading(s, brief[k]),
			l.gap);
	fprintf(out, "%s\n", l.room < strlen(link_fact_heading(s, brief[k])) ?
		"BY" : link_fact_heading(s, brief[k]));
	for (i = 0; i < s->n_links; i++) {
		for (k = 0; k + 1 < COUNT(brief); k++) {
			link_fact_brief(s, i, brief[k], 0, text);
			print_field(s, i, brief[k], l.width[k], text, colour,
				    out);
			fputs(l.gap, out);
		}
		print_by(s, i, l.room, out);
	}
}

/* --- sentences --- */

/* The part of a sentence after the link's name, if it begins with " is "; else
 * NULL.
 */
static const char *said_of_link(const struct status_problem *p)
{
	size_t len = strlen(p->link);

	if (!len || strncmp(p->text.msg, p->link, len) ||
	    strncmp(p->text.msg + len, " is ", strlen(" is ")))
		return NULL;
	return p->text.msg + len + strlen(" is ");
}

/* "ppp0, ppp1 and ppp2": the links that @said is said of, from the @first
 * problem on. Returns how many, which are marked in @done.
 */
static unsigned int name_all(const struct status *s, unsigned int first,
			     const char *said, bool done[STATUS_PROBLEMS_MAX],
			     char *names, size_t size)
{
	const char *also;
	unsigned int i, n = 0, last = first;

	*names = '\0';
	for (i = first; i < s->n_problems; i++) {
		also = said_of_link(&s->problem[i]);
		if (done[i] || !also || strcmp(also, said))
			continue;
		if (n++)
			str_add(names, size, ", ", s->problem[last].link);
		last = i;
		done[i] = true;
	}
	if (n > 1)
		str_add(names, size, " and ", s->problem[last].link);
	return n;
}

/* Say once what several links share. */
static void print_problem(const struct status *s, unsigned int i,
			  bool done[STATUS_PROBLEMS_MAX], FILE *out)
{
	const char *said = said_of_link(&s->problem[i]);
	char text[SENTENCE_MAX + LINKS_MAX * (IFNAMSIZ + 2)];
	char names[LINKS_MAX * (IFNAMSIZ + 2)];

	if (said && name_all(s, i, said, done, names, sizeof(names)) > 1) {
		snprintf(text, sizeof(text), "%s are ", names);
		log_escape(said, text + strlen(text), SENTENCE_MAX);
	} else {
		log_escape(s->problem[i].text.msg, text, SENTENCE_MAX);
	}
	fputs("* ", out);
	print_wrapped(text, 2, 2, out);
}

static void print_problems(const struct status *s, FILE *out)
{
	bool done[STATUS_PROBLEMS_MAX] = { 0 };
	unsigned int i;

	if (s->n_problems)
		fputc('\n', out);
	for (i = 0; i < s->n_problems; i++)
		if (!done[i])
			print_problem(s, i, done, out);
	if (s->more)
		fprintf(out, "* ... and %u more: fix these first.\n",
			s->more);
	if (s->commands)
		fprintf(out, "\"mwan-rules apply -n\" prints the commands "
			"that it would do.\n");
}

void status_print(const struct status *s, bool full, bool colour, FILE *out)
{
	if (full)
		print_long(s, colour, out);
	else
		print_brief(s, colour, out);
	status_print_live(s, out);
	if (!s->in_force && !s->facts->conf_exists)
		fprintf(out, "\nRules and nftables are not in force: "
			"\"mwan-rules apply\" puts them in force.\n");
	if (s->stopped)
		fprintf(out, "\n%" PRIu64 " packets were kept from leaving by "
			"a link under an address that is not the link's: "
			"\"mwan-rules why\" tells of one.\n", s->stopped);
	print_problems(s, out);
}

/* --- JSON --- */

/* As JSON and the labels of metrics have it. */
static void quote(const char *text, FILE *out)
{
	char safe[SENTENCE_MAX], *c;

	log_escape(text, safe, sizeof(safe));
	fputc('"', out);
	for (c = safe; *c; c++)
		fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
	fputc('"', out);
}

/* A string, or null for an empty one. */
static void json_word(const char *key, const char *value, FILE *out)
{
	fprintf(out, "\"%s\": ", key);
	if (*value)
		quote(value, out);
	else
		fputs("null", out);
	fputs(", ", out);
}

static void json_number(const char *key, bool known, uint64_t n, FILE *out)
{
	if (known)
		fprintf(out, "\"%s\": %" PRIu64 ", ", key, n);
	else
		fprintf(out, "\"%s\": null, ", key);
}

static void json_names(const struct status *s, unsigned int i, FILE *out)
{
	const char *name;
	unsigned int k;

	fputc('[', out);
	for (k = 0; (name = status_by(s, i, k)); k++) {
		fputs(k ? ", " : "", out);
		quote(name, out);
	}
	fputc(']', out);
}

static void json_link(const struct status *s, unsigned int i, FILE *out)
{
	const struct link_fact *f;
	struct fact_value v;
	bool known;

	for (f = link_facts; f < link_facts + FACTS; f++) {
		v = (struct fact_value){ 0 };
		known = f->get && f->get(s, i, &v);
		fprintf(out, "%s\"%s\": ", f > link_facts ? ", " : "{",
			f->key);
		if (f->kind == KIND_NAMES)
			json_names(s, i, out);
		else if (!known || (f->kind >= KIND_WORD && !v.word[0]))
			fputs("null", out);
		else if (f->kind == KIND_FLAG)
			fputs(v.number ? "true" : "false", out);
		else if (f->kind == KIND_NUMBER)
			fprintf(out, "%" PRIu64, v.number);
		else
			quote(v.word, out);
	}
	fputc('}', out);
}

void status_print_json(const struct status *s, FILE *out)
{
	const struct status_problem *p;
	unsigned int i;

	fprintf(out, "{\"status\": %d, \"in_force\": %s, ", s->code,
		s->in_force ? "true" : "false");
	json_number("stopped_packets", s->guards, s->stopped, out);
	fputs("\"links\": [", out);
	for (i = 0; i < s->n_links; i++) {
		fputs(i ? ",\n" : "\n", out);
		json_link(s, i, out);
	}
	fputs("],\n\"problems\": [", out);
	for (i = 0; i < s->n_problems; i++) {
		p = &s->problem[i];
		fputs(i ? ",\n{" : "\n{", out);
		json_word("kind", p->kind, out);
		json_word("link", p->link, out);
		fputs("\"text\": ", out);
		quote(p->text.msg, out);
		fputs("}", out);
	}
	fprintf(out, "],\n\"more_problems\": %u}\n", s->more);
}

/* --- Prometheus --- */

static void metric(const char *name, const char *type, const char *help,
		   FILE *out)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_samples(const struct status *s, unsigned int i,
			  const struct link_fact *f, FILE *out)
{
	const char *link = s->link[i].want->name, *name;
	struct fact_value v = { 0 };
	unsigned int k;

	if (f->get) {
		if (f->get(s, i, &v))
			fprintf(out, "%s{link=\"%s\"} %" PRIu64 "\n",
				f->metric, link, v.number);
		return;
	}
	for (k = 0; (name = status_by(s, i, k)); k++) {
		fprintf(out, "%s{link=\"%s\",by=", f->metric, link);
		quote(name, out);
		fputs("} 1\n", out);
	}
}

/* All words are labels of one metric. */
static void print_info(const struct status *s, unsigned int i, FILE *out)
{
	const struct link_fact *f = &link_facts[FACT_NAME];
	struct fact_value v;

	fprintf(out, "%s{link=\"%s\"", f->metric, s->link[i].want->name);
	for (f++; f < link_facts + FACTS; f++) {
		v = (struct fact_value){ 0 };
		if (f->kind == KIND_WORD && f->metric && f->get(s, i, &v))
			fprintf(out, ",%s=\"%s\"", f->key, v.word);
	}
	fputs("} 1\n", out);
}

/* Names of links and addresses have no character that a label must escape
 * (ifname_valid()); names of other interfaces may.
 */
void status_print_prometheus(const struct status *s, FILE *out)
{
	const struct link_fact *f;
	unsigned int i;

	metric("mwan_status", "gauge", "0 all well, 1 degraded, 2 no link, "
	       "else the exit status of an error.", out);
	fprintf(out, "mwan_status %d\n", s->code);
	metric("mwan_in_force", "gauge", "Whether rules are in force.", out);
	fprintf(out, "mwan_in_force %d\n", s->in_force);
	if (s->guards) {
		metric("mwan_stopped_packets_total", "counter", "Packets kept "
		       "from leaving by a link under another's private "
		       "address.", out);
		fprintf(out, "mwan_stopped_packets_total %" PRIu64 "\n",
			s->stopped);
	}
	metric("mwan_problems", "gauge", "What status complains of.", out);
	fprintf(out, "mwan_problems %u\n", s->n_problems + s->more);
	for (f = link_facts; f < link_facts + FACTS && s->n_links; f++) {
		if (f->kind == KIND_WORD && f > link_facts)
			continue;
		metric(f->metric, f->type, f->help, out);
		for (i = 0; i < s->n_links; i++) {
			if (f->kind == KIND_WORD)
				print_info(s, i, out);
			else
				print_samples(s, i, f, out);
		}
	}
}
