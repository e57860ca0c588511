// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "tell/history.h"
#include "tell/link_facts.h"

void scaled_text(uint64_t n, char text[FACT_TEXT])
{
	const char *unit = "kMGTPE";

	if (n < 10000) {
		snprintf(text, FACT_TEXT, "%" PRIu64, n);
		return;
	}
	for (; n >= 1000000; n /= 1000)
		unit++;
	if (n < 100000)
		snprintf(text, FACT_TEXT, "%" PRIu64 ".%" PRIu64 "%c", n / 1000,
			 n % 1000 / 100, *unit);
	else
		snprintf(text, FACT_TEXT, "%" PRIu64 "%c", n / 1000, *unit);
}

const char *status_by(const struct status *s, unsigned int link,
		      unsigned int k)
{
	const struct status_link *l = &s->link[link];

	if (k < l->n_by)
		return s->link[l->by[k]].want->name;
	return !k && l->by_other[0] ? l->by_other : NULL;
}

/* --- what is known --- */

static bool get_name(const struct status *s, unsigned int i,
		     struct fact_value *v)
{
	snprintf(v->word, sizeof(v->word), "%s", s->link[i].want->name);
	return true;
}

static bool get_up(const struct status *s, unsigned int i,
		   struct fact_value *v)
{
	v->number = s->link[i].usable;
	return true;
}

static bool get_drained(const struct status *s, unsigned int i,
			struct fact_value *v)
{
	v->number = s->link[i].is->drained && !s->link[i].is->poor;
	return true;
}

static bool get_held(const struct status *s, unsigned int i,
		     struct fact_value *v)
{
	v->number = s->link[i].is->held[FAMILY_IPV4];
	return true;
}

static bool get_held6(const struct status *s, unsigned int i,
		      struct fact_value *v)
{
	v->number = s->link[i].is->held[FAMILY_IPV6];
	return s->ipv6;
}

static bool get_poor(const struct status *s, unsigned int i,
		     struct fact_value *v)
{
	v->number = s->link[i].is->poor;
	return true;
}

/* --- what mwan-rules watch says --- */

static const struct watched *watched(const struct status *s, enum family f,
				     unsigned int i)
{
	const struct watched *w = &s->facts->watched[f][i];

	return w->verdict == WATCHED_NOT ? NULL : w;
}

static bool cause_of(const struct watched *w, struct fact_value *v)
{
	if (w && strcmp(w->why, "-") != 0)
		snprintf(v->word, sizeof(v->word), "%s", w->why);
	return true;
}

static bool loss_of(const struct watched *w, struct fact_value *v)
{
	v->number = w ? w->loss : 0;
	return w && w->answer;
}

static bool rtt_of(const struct watched *w, struct fact_value *v)
{
	v->number = w ? w->rtt : 0;
	return v->number > 0;
}

static bool target_of(const struct watched *w, struct fact_value *v)
{
	if (w && w->answer && w->target.family)
		addr_text(&w->target, v->word);
	return true;
}

static bool get_cause(const struct status *s, unsigned int i,
		      struct fact_value *v)
{
	return cause_of(watched(s, FAMILY_IPV4, i), v);
}

static bool get_cause6(const struct status *s, unsigned int i,
		       struct fact_value *v)
{
	return cause_of(watched(s, FAMILY_IPV6, i), v);
}

static bool get_judged(const struct status *s, unsigned int i,
		       struct fact_value *v)
{
	snprintf(v->word, sizeof(v->word), "%s", s->facts->judged[i].text);
	v->number = (uint64_t)s->facts->judged[i].seconds;
	return watched(s, FAMILY_IPV4, i) && v->word[0];
}

static bool get_loss(const struct status *s, unsigned int i,
		     struct fact_value *v)
{
	return loss_of(watched(s, FAMILY_IPV4, i), v);
}

static bool get_loss6(const struct status *s, unsigned int i,
		      struct fact_value *v)
{
	return loss_of(watched(s, FAMILY_IPV6, i), v);
}

static bool get_rtt(const struct status *s, unsigned int i,
		    struct fact_value *v)
{
	return rtt_of(watched(s, FAMILY_IPV4, i), v);
}

static bool get_rtt6(const struct status *s, unsigned int i,
		     struct fact_value *v)
{
	return rtt_of(watched(s, FAMILY_IPV6, i), v);
}

static bool answer_of(const struct status *s, enum family f, unsigned int i,
		      struct fact_value *v)
{
	const struct watched *w = watched(s, f, i);

	v->number = s->facts->answer_ms[f][i];
	return w && w->answer;
}

static bool get_answer(const struct status *s, unsigned int i,
		       struct fact_value *v)
{
	return answer_of(s, FAMILY_IPV4, i, v);
}

static bool get_answer6(const struct status *s, unsigned int i,
			struct fact_value *v)
{
	return answer_of(s, FAMILY_IPV6, i, v);
}

static bool get_target(const struct status *s, unsigned int i,
		       struct fact_value *v)
{
	return target_of(watched(s, FAMILY_IPV4, i), v);
}

static bool get_target6(const struct status *s, unsigned int i,
			struct fact_value *v)
{
	return target_of(watched(s, FAMILY_IPV6, i), v);
}

static bool get_since(const struct status *s, unsigned int i,
		      struct fact_value *v)
{
	snprintf(v->word, sizeof(v->word), "%s", s->facts->since[i].text);
	v->number = (uint64_t)s->facts->since[i].seconds;
	return v->word[0];
}

static bool get_addr(const struct addr *a, struct fact_value *v)
{
	if (a->family)
		addr_text(a, v->word);
	return true;
}

static bool get_local(const struct status *s, unsigned int i,
		      struct fact_value *v)
{
	return get_addr(&s->link[i].is->af[FAMILY_IPV4].local, v);
}

/* If there is none, the kernel repeats the address itself. */
static bool get_peer(const struct status *s, unsigned int i,
		     struct fact_value *v)
{
	const struct link_family *af = &s->link[i].is->af[FAMILY_IPV4];

	return addr_equal(&af->peer, &af->local) || get_addr(&af->peer, v);
}

static bool get_gateway(const struct status *s, unsigned int i,
			struct fact_value *v)
{
	return get_addr(&s->link[i].is->af[FAMILY_IPV4].gateway, v);
}

static bool get_up6(const struct status *s, unsigned int i,
		    struct fact_value *v)
{
	v->number = link_usable(s->link[i].is, FAMILY_IPV6);
	return s->ipv6;
}

static bool get_local6(const struct status *s, unsigned int i,
		       struct fact_value *v)
{
	return s->ipv6 && get_addr(link_address6(s->link[i].is), v);
}

static bool get_peer6(const struct status *s, unsigned int i,
		      struct fact_value *v)
{
	return s->ipv6 && get_addr(&s->link[i].is->af[FAMILY_IPV6].gateway, v);
}

/* The first of those that it has, or had when it was last of use. */
static bool get_prefix6(const struct status *s, unsigned int i,
			struct fact_value *v)
{
	const struct prefixes *own = &s->link[i].is->own6;

	if (own->n)
		prefix_text(&own->item[0], v->word);
	return s->ipv6;
}

static bool get_table(const struct status *s, unsigned int i,
		      struct fact_value *v)
{
	v->number = s->link[i].want->table;
	return true;
}

static bool get_mark(const struct status *s, unsigned int i,
		     struct fact_value *v)
{
	v->number = s->link[i].want->mark;
	return true;
}

static bool get_weight(const struct status *s, unsigned int i,
		       struct fact_value *v)
{
	v->number = s->link[i].want->weight;
	return true;
}

static bool get_tier(const struct status *s, unsigned int i,
		     struct fact_value *v)
{
	v->number = s->link[i].want->tier;
	return true;
}

static bool get_flows(const struct status *s, unsigned int i,
		      struct fact_value *v)
{
	v->number = s->facts->flows[i];
	return !s->facts->flows_code;
}

static bool get_rx(const struct status *s, unsigned int i,
		   struct fact_value *v)
{
	v->number = s->facts->bytes[i].rx;
	return s->facts->have_bytes[i];
}

static bool get_tx(const struct status *s, unsigned int i,
		   struct fact_value *v)
{
	v->number = s->facts->bytes[i].tx;
	return s->facts->have_bytes[i];
}

/* --- what a person reads --- */

static void show_state(const struct status *s, unsigned int i,
		       const struct fact_value *v, char *text)
{
	const struct link *is = s->link[i].is;
	bool drained = is->drained && !is->poor;

	if (!v->number && link_usable(is, FAMILY_IPV6)) {
		strcpy(text, "IPv6 only");
		return;
	}
	strcpy(text, !v->number ? (drained ? "down,drained" : "down") :
	       is->held[FAMILY_IPV4] ? "held" : drained ? "drained" :
	       is->poor ? "poor" : "up");
}

static void show_up6(const struct status *s, unsigned int i,
		     const struct fact_value *v, char *text)
{
	strcpy(text, !v->number ? "down" :
	       s->link[i].is->held[FAMILY_IPV6] ? "held" : "up");
}

/* Without milliseconds and time zone. */
static void show_date(const struct status *s, unsigned int i,
		      const struct fact_value *v, char *text)
{
	(void)s;
	(void)i;
	snprintf(text, FACT_TEXT, "%.19s", v->word);
}

/* For how long, at the moment of the reading. */
static void show_age(const struct status *s, unsigned int i,
		     const struct fact_value *v, char *text)
{
	int64_t age = s->facts->now - (int64_t)v->number;

	(void)i;
	if (age < 60)
		snprintf(text, FACT_TEXT, "%ds", age < 0 ? 0 : (int)age);
	else
		duration_text(age * 1000, text);
}

static void show_address(const struct status *s, unsigned int i,
			 const struct fact_value *v, char *text)
{
	(void)s;
	(void)i;
	strcpy(text, v->word[0] ? v->word : "none");
}

/* The other end of the line. */
static void show_peer(const struct status *s, unsigned int i,
		      const struct fact_value *v, char *text)
{
	const struct addr *gateway =
		&s->link[i].is->af[FAMILY_IPV4].gateway;

	if (gateway->family)
		addr_text(gateway, text);
	else
		show_address(s, i, v, text);
}

static void show_hex(const struct status *s, unsigned int i,
		     const struct fact_value *v, char *text)
{
	(void)s;
	(void)i;
	snprintf(text, FACT_TEXT, "0x%" PRIx64, v->number);
}

static void show_scaled(const struct status *s, unsigned int i,
			const struct fact_value *v, char *text)
{
	(void)s;
	(void)i;
	scaled_text(v->number, text);
}

#define INFO "mwan_link_info", "gauge", "What has no figure, as labels."

const struct link_fact link_facts[FACTS] = {
	[FACT_NAME] = { "name", KIND_WORD, -15, "LINK",
		INFO, .get = get_name },
	[FACT_UP] = { "up", KIND_FLAG, -12, "STATE",
		"mwan_link_up", "gauge", "Whether the link can be used.",
		.get = get_up, .show = show_state },
	[FACT_SINCE] = { "since", KIND_TIME, -19, "SINCE",
		"mwan_link_since_seconds", "gauge",
		"When the link went up or down.", get_since, show_date,
		"FOR", show_age },
	[FACT_LOCAL] = { "local", KIND_WORD, -15, "ADDRESS",
		INFO, .get = get_local, .show = show_address },
	[FACT_PEER] = { "peer", KIND_WORD, -15, "PEER",
		INFO, .get = get_peer, .show = show_peer },
	[FACT_GATEWAY] = { "gateway", KIND_WORD, 0, "PEER",
		INFO, .get = get_gateway },
	[FACT_TABLE] = { "table", KIND_NUMBER, 10, "TABLE",
		"mwan_link_table", "gauge", "The link's routing table.",
		.get = get_table },
	[FACT_MARK] = { "mark", KIND_NUMBER, -10, "MARK",
		"mwan_link_mark", "gauge", "The mark of the link's packets.",
		.get = get_mark, .show = show_hex },
	[FACT_WEIGHT] = { "weight", KIND_NUMBER, 6, "WEIGHT",
		"mwan_link_weight", "gauge", "The link's share of its tier.",
		.get = get_weight },
	[FACT_TIER] = { "tier", KIND_NUMBER, 4, "TIER",
		"mwan_link_tier", "gauge", "The link's tier; 1 is used first.",
		.get = get_tier },
	[FACT_FLOWS] = { "flows", KIND_NUMBER, 6, "FLOWS",
		"mwan_link_flows", "gauge", "Tracked connections of the link.",
		.get = get_flows, .show = show_scaled },
	[FACT_RX] = { "rx_bytes", KIND_NUMBER, 6, "RX",
		"mwan_link_receive_bytes_total", "counter",
		"Bytes received since the interface was made.",
		.get = get_rx, .show = show_scaled },
	[FACT_TX] = { "tx_bytes", KIND_NUMBER, 6, "TX",
		"mwan_link_transmit_bytes_total", "counter",
		"Bytes sent since the interface was made.",
		.get = get_tx, .show = show_scaled },
	[FACT_BY] = { "default", KIND_NAMES, -23, "DEFAULT",
		"mwan_link_carried_by", "gauge",
		"The interfaces that carry packets with the link's mark now.",
		NULL, NULL, "CARRIED BY", NULL },
	[FACT_UP6] = { "ipv6_up", KIND_FLAG, -6, "IPV6",
		"mwan_link_ipv6_up", "gauge",
		"Whether the link can be used for IPv6.",
		.get = get_up6, .show = show_up6 },
	[FACT_LOCAL6] = { "ipv6_local", KIND_WORD, -25, "ADDRESS",
		INFO, .get = get_local6, .show = show_address },
	[FACT_PEER6] = { "ipv6_peer", KIND_WORD, -25, "PEER",
		INFO, .get = get_peer6, .show = show_address },
	[FACT_PREFIX6] = { "ipv6_prefix", KIND_WORD, -24, "PREFIX",
		INFO, .get = get_prefix6, .show = show_address },
	[FACT_DRAINED] = { "drained", KIND_FLAG, 0, "STATE",
		"mwan_link_drained", "gauge", "Whether the link is put aside.",
		.get = get_drained },
	[FACT_HELD] = { "held", KIND_FLAG, 0, "STATE",
		"mwan_link_held", "gauge",
		"Whether the link is up and leads nowhere.", .get = get_held },
	[FACT_POOR] = { "poor", KIND_FLAG, 0, "STATE",
		"mwan_link_poor", "gauge",
		"Whether new connections avoid it for its loss or latency.",
		.get = get_poor },
	[FACT_CAUSE] = { "cause", KIND_WORD, 0, "STATE",
		INFO, .get = get_cause },
	[FACT_JUDGED] = { "judged", KIND_TIME, 0, "STATE",
		"mwan_link_judged_seconds", "gauge",
		"When mwan-rules watch made its last verdict.",
		.get = get_judged },
	[FACT_LOSS] = { "loss_ppm", KIND_NUMBER, 0, "STATE",
		"mwan_link_loss_ppm", "gauge",
		"Questions that get lost, of a million.", .get = get_loss },
	[FACT_RTT] = { "rtt_us", KIND_NUMBER, 0, "STATE",
		"mwan_link_rtt_microseconds", "gauge",
		"The usual round trip to the nearest target.", .get = get_rtt },
	[FACT_ANSWER] = { "answer_age_ms", KIND_NUMBER, 0, "STATE",
		"mwan_link_answer_age_milliseconds", "gauge",
		"How long ago a target has answered by it.",
		.get = get_answer },
	[FACT_TARGET] = { "answer_from", KIND_WORD, 0, "STATE",
		.get = get_target },
	[FACT_HELD6] = { "ipv6_held", KIND_FLAG, 0, "IPV6",
		"mwan_link_ipv6_held", "gauge",
		"Whether the link leads nowhere in IPv6.", .get = get_held6 },
	[FACT_CAUSE6] = { "ipv6_cause", KIND_WORD, 0, "IPV6",
		INFO, .get = get_cause6 },
	[FACT_LOSS6] = { "ipv6_loss_ppm", KIND_NUMBER, 0, "IPV6",
		"mwan_link_ipv6_loss_ppm", "gauge",
		"Questions that get lost in IPv6, of a million.",
		.get = get_loss6 },
	[FACT_RTT6] = { "ipv6_rtt_us", KIND_NUMBER, 0, "IPV6",
		"mwan_link_ipv6_rtt_microseconds", "gauge",
		"The usual round trip to the nearest target of IPv6.",
		.get = get_rtt6 },
	[FACT_ANSWER6] = { "ipv6_answer_age_ms", KIND_NUMBER, 0, "IPV6",
		"mwan_link_ipv6_answer_age_milliseconds", "gauge",
		"How long ago a target of IPv6 has answered by it.",
		.get = get_answer6 },
	[FACT_TARGET6] = { "ipv6_answer_from", KIND_WORD, 0, "IPV6",
		.get = get_target6 },
};

/* As many names as there is room for, and how many more; "" where not even the
 * first fits.
 */
static void names_text(const struct status *s, unsigned int i, size_t room,
		       char text[FACT_TEXT])
{
	unsigned int k, left = s->link[i].n_by;
	size_t len, more;
	const char *name;

	*text = '\0';
	for (k = 0; (name = status_by(s, i, k)); k++, left--) {
		len = strlen(text) + (k ? 1 : 0) + strlen(name);
		/* After it there must be room for ",+254". */
		more = left > 1 ? strlen(",+254") : 0;
		if (len + more > room) {
			if (!k)
				return;
			len = strlen(text);
			snprintf(text + len, FACT_TEXT - len, ",+%u", left);
			return;
		}
		str_add(text, FACT_TEXT, ",", name);
	}
	if (!k)
		strcpy(text, "none");
}

static void fact_text(const struct status *s, unsigned int i, enum fact fact,
		      void (*show)(const struct status *s, unsigned int link,
				   const struct fact_value *v, char *text),
		      char text[FACT_TEXT])
{
	const struct link_fact *f = &link_facts[fact];
	struct fact_value v = { 0 };

	if (!f->get(s, i, &v))
		strcpy(text, "-");
	else if (show)
		show(s, i, &v, text);
	else if (f->kind == KIND_NUMBER)
		snprintf(text, FACT_TEXT, "%" PRIu64, v.number);
	else
		strcpy(text, v.word);
}

void link_fact_text(const struct status *s, unsigned int i, enum fact fact,
		    char text[FACT_TEXT])
{
	const struct link_fact *f = &link_facts[fact];

	if (f->kind == KIND_NAMES)
		names_text(s, i, (size_t)-f->width, text);
	else
		fact_text(s, i, fact, f->show, text);
}

static bool is_rate(const struct status *s, enum fact fact)
{
	return s->rates && (fact == FACT_RX || fact == FACT_TX);
}

const char *link_fact_heading(const struct status *s, enum fact fact)
{
	const struct link_fact *f = &link_facts[fact];

	if (is_rate(s, fact))
		return fact == FACT_RX ? "IN b/s" : "OUT b/s";
	return f->brief ? f->brief : f->heading;
}

void link_fact_brief(const struct status *s, unsigned int i, enum fact fact,
		     size_t room, char text[FACT_TEXT])
{
	const struct link_fact *f = &link_facts[fact];

	if (is_rate(s, fact) && !s->rates->known[i])
		strcpy(text, "-");
	else if (is_rate(s, fact))
		scaled_text(fact == FACT_RX ? s->rates->rx[i] :
			    s->rates->tx[i], text);
	else if (f->kind == KIND_NAMES)
		names_text(s, i, room, text);
	else
		fact_text(s, i, fact, f->show_brief ? f->show_brief : f->show,
			  text);
}
