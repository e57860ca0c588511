// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "tell/status_print.h"

enum {
	/* What the second line leaves for the links that carry the traffic. */
	BY_COLUMNS = 23,
	SENTENCE_MAX = 4 * sizeof(((struct err *)NULL)->msg),
};

static const char *state_of(const struct status_link *l)
{
	bool drained = l->want->drained;

	return l->usable ? (drained ? "drained" : "up") :
			   (drained ? "down,drained" : "down");
}

/* --- for a person --- */

static void print_state(const struct status_link *l, bool colour, FILE *out)
{
	const char *state = state_of(l);
	const char *on = !l->usable ? "\33[31m" : l->want->drained ?
			 "\33[33m" : "\33[32m";

	fprintf(out, "%s%-12s%s", colour ? on : "", state,
		colour ? "\33[0m" : "");
}

/* At most 6 characters: "9999", "12.3k", "123M". */
enum { SCALED = 24 };
static const char *scaled(uint64_t n, char text[SCALED])
{
	const char *unit = "kMGTPE";

	if (n < 10000) {
		snprintf(text, SCALED, "%" PRIu64, n);
		return text;
	}
	for (; n >= 1000000; n /= 1000)
		unit++;
	if (n < 100000)
		snprintf(text, SCALED, "%" PRIu64 ".%" PRIu64 "%c", n / 1000,
			 n % 1000 / 100, *unit);
	else
		snprintf(text, SCALED, "%" PRIu64 "%c", n / 1000, *unit);
	return text;
}

/* As many names as there is room for, and how many more. */
static void print_by(const struct status *s, const struct status_link *l,
		     FILE *out)
{
	char list[BY_COLUMNS + 16] = "", more[16] = "";
	unsigned int i, left;
	const char *name;
	size_t len;

	for (i = 0; i < l->n_by; i++) {
		name = s->link[l->by[i]].want->name;
		left = l->n_by - i - 1;
		len = strlen(list) + 1 + strlen(name);
		/* Behind it there must be room for ",+254". */
		if (i && len + (left ? strlen(",+254") : 0) > BY_COLUMNS) {
			snprintf(more, sizeof(more), ",+%u", left + 1);
			break;
		}
		str_add(list, sizeof(list), ",", name);
	}
	if (!l->n_by)
		str_add(list, sizeof(list), "", l->by_other[0] ? l->by_other :
			"none");
	fprintf(out, "%s%s\n", list, more);
}

static void print_link(const struct status *s, unsigned int i, bool colour,
		       FILE *out)
{
	const struct status_link *l = &s->link[i];
	const struct facts *f = s->facts;
	char local[ADDR_TEXT], peer[ADDR_TEXT], mark[16];
	char flows[SCALED] = "-", rx[SCALED] = "-", tx[SCALED] = "-";

	fprintf(out, "%-15s ", l->want->name);
	print_state(l, colour, out);
	fprintf(out, " %-19.19s %-15s %s\n",
		f->since[i][0] ? f->since[i] : "-",
		addr_text(&l->is->local, local), addr_text(&l->is->peer, peer));
	snprintf(mark, sizeof(mark), "0x%x", l->want->mark);
	if (!f->flows_code)
		scaled(f->flows[i], flows);
	if (f->have_bytes[i]) {
		scaled(f->bytes[i].rx, rx);
		scaled(f->bytes[i].tx, tx);
	}
	fprintf(out, "  %10u %-10s %6u %4u %6s %6s %6s ", l->want->table, mark,
		l->want->weight, l->want->tier, flows, rx, tx);
	print_by(s, l, out);
}

void status_print(const struct status *s, bool colour, FILE *out)
{
	char text[SENTENCE_MAX];
	unsigned int i;

	fprintf(out, "%-15s %-12s %-19s %-15s %s\n", "LINK", "STATE", "SINCE",
		"ADDRESS", "PEER");
	fprintf(out, "  %10s %-10s %6s %4s %6s %6s %6s %s\n", "TABLE", "MARK",
		"WEIGHT", "TIER", "FLOWS", "RX", "TX", "DEFAULT");
	for (i = 0; i < s->n_links; i++)
		print_link(s, i, colour, out);
	if (!s->in_force && !s->facts->conf_exists)
		fprintf(out, "\nRules and nftables are not in force: "
			"\"mwan-rules apply\" puts them in force.\n");
	if (s->stopped)
		fprintf(out, "\n%" PRIu64 " packets were kept from leaving by "
			"a link under a private address that is not the "
			"link's.\n", s->stopped);
	if (s->n_problems)
		fputc('\n', out);
	for (i = 0; i < s->n_problems; i++) {
		log_escape(s->problem[i].text.msg, text, sizeof(text));
		fputs("* ", out);
		print_wrapped(text, 2, 2, out);
	}
	if (s->more)
		fprintf(out, "* ... and %u more: mend these first.\n",
			s->more);
	if (s->commands)
		fprintf(out, "\"mwan-rules apply -n\" prints the commands "
			"that it would do.\n");
}

/* --- JSON --- */

static void json_string(const char *text, FILE *out)
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
		json_string(value, out);
	else
		fputs("null", out);
	fputs(", ", out);
}

static void json_addr(const char *key, const struct addr *a, FILE *out)
{
	char text[ADDR_TEXT];

	json_word(key, a->family ? addr_text(a, text) : "", out);
}

static void json_number(const char *key, bool known, uint64_t n, FILE *out)
{
	if (known)
		fprintf(out, "\"%s\": %" PRIu64 ", ", key, n);
	else
		fprintf(out, "\"%s\": null, ", key);
}

static void json_link(const struct status *s, unsigned int i, FILE *out)
{
	const struct status_link *l = &s->link[i];
	const struct facts *f = s->facts;
	unsigned int k;

	fputs("{", out);
	json_word("name", l->want->name, out);
	fprintf(out, "\"up\": %s, ", l->usable ? "true" : "false");
	json_word("since", f->since[i], out);
	json_addr("local", &l->is->local, out);
	json_addr("peer", &l->is->peer, out);
	json_number("table", true, l->want->table, out);
	json_number("mark", true, l->want->mark, out);
	json_number("weight", true, l->want->weight, out);
	json_number("tier", true, l->want->tier, out);
	json_number("flows", !f->flows_code, f->flows[i], out);
	json_number("rx_bytes", f->have_bytes[i], f->bytes[i].rx, out);
	json_number("tx_bytes", f->have_bytes[i], f->bytes[i].tx, out);
	fputs("\"default\": [", out);
	for (k = 0; k < l->n_by; k++) {
		fputs(k ? ", " : "", out);
		json_string(s->link[l->by[k]].want->name, out);
	}
	if (!l->n_by && l->by_other[0])
		json_string(l->by_other, out);
	fprintf(out, "], \"drained\": %s}",
		l->want->drained ? "true" : "false");
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
		json_string(p->text.msg, out);
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

/* The value of one link for a metric; false: it is not known. */
typedef bool (*link_value)(const struct status *s, unsigned int i,
			   uint64_t *value);

static bool value_up(const struct status *s, unsigned int i, uint64_t *value)
{
	*value = s->link[i].usable;
	return true;
}

static bool value_drained(const struct status *s, unsigned int i,
			  uint64_t *value)
{
	*value = s->link[i].want->drained;
	return true;
}

static bool value_weight(const struct status *s, unsigned int i,
			 uint64_t *value)
{
	*value = s->link[i].want->weight;
	return true;
}

static bool value_tier(const struct status *s, unsigned int i,
		       uint64_t *value)
{
	*value = s->link[i].want->tier;
	return true;
}

static bool value_flows(const struct status *s, unsigned int i,
			uint64_t *value)
{
	*value = s->facts->flows[i];
	return !s->facts->flows_code;
}

static bool value_rx(const struct status *s, unsigned int i, uint64_t *value)
{
	*value = s->facts->bytes[i].rx;
	return s->facts->have_bytes[i];
}

static bool value_tx(const struct status *s, unsigned int i, uint64_t *value)
{
	*value = s->facts->bytes[i].tx;
	return s->facts->have_bytes[i];
}

static const struct {
	const char *name, *type, *help;
	link_value value;
} metrics[] = {
	{ "mwan_link_up", "gauge", "Whether the link can be used.",
	  value_up },
	{ "mwan_link_drained", "gauge", "Whether the link is put aside.",
	  value_drained },
	{ "mwan_link_weight", "gauge", "The link's share of its tier.",
	  value_weight },
	{ "mwan_link_tier", "gauge", "The link's tier; 1 is used first.",
	  value_tier },
	{ "mwan_link_flows", "gauge", "Tracked connections of the link.",
	  value_flows },
	{ "mwan_link_receive_bytes_total", "counter",
	  "Bytes received since the interface was made.", value_rx },
	{ "mwan_link_transmit_bytes_total", "counter",
	  "Bytes sent since the interface was made.", value_tx },
};

/* No name of a link has a character that a label must escape: ifname_valid().
 */
void status_print_prometheus(const struct status *s, FILE *out)
{
	unsigned int i;
	uint64_t value;
	size_t k;

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
	for (k = 0; k < COUNT(metrics) && s->n_links; k++) {
		metric(metrics[k].name, metrics[k].type, metrics[k].help, out);
		for (i = 0; i < s->n_links; i++)
			if (metrics[k].value(s, i, &value))
				fprintf(out, "%s{link=\"%s\"} %" PRIu64 "\n",
					metrics[k].name,
					s->link[i].want->name, value);
	}
}
