// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "conf/keys.h"
#include "kernel/route.h"

enum {
	/* Our rules' priorities must stay below that of main's rule. */
	PRIORITY_SPAN = 1000,
	PRIORITY_MAIN = 32766,
	STICKY_MAX = 365 * 24 * 60 * 60,
};

static void *field(const struct key *k, void *of)
{
	return (char *)of + k->offset;
}

static const void *kept(const struct key *k, const void *of)
{
	return (const char *)of + k->offset;
}

/* Fields are as wide as their values need. */
static void put_number(const struct key *k, void *of, uint32_t n)
{
	uint8_t small = (uint8_t)n;

	if (k->size == sizeof(n))
		memcpy(field(k, of), &n, sizeof(n));
	else
		memcpy(field(k, of), &small, sizeof(small));
}

static uint32_t get_number(const struct key *k, const void *of)
{
	uint8_t small;
	uint32_t n;

	if (k->size == sizeof(n)) {
		memcpy(&n, kept(k, of), sizeof(n));
		return n;
	}
	memcpy(&small, kept(k, of), sizeof(small));
	return small;
}

/* "KEY = "VALUE" is not ...". */
__attribute__((format(printf, 2, 3)))
static int refuse(const struct setting *s, const char *fmt, ...)
{
	char why[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_set(s->err, -EINVAL, "%s = \"%s\" %s", s->key->name,
		       s->value, why);
}

/* --- an absolute path --- */

static int set_path(const struct setting *s)
{
	if (s->value[0] == '/' &&
	    !str_copy(field(s->key, s->of), s->key->size, s->value))
		return 0;
	return refuse(s, "is not an absolute path like %s", s->key->standard);
}

static void path_text(const struct key *k, const void *of,
		      const struct conf *conf, char *buf, size_t size)
{
	(void)conf;
	str_copy(buf, size, kept(k, of));
}

static const struct key_type path = { set_path, path_text, true };

/* --- a number --- */

static int set_number(const struct setting *s)
{
	uint32_t n;

	if (u32_parse(s->value, s->key->min, s->key->max, &n))
		return refuse(s, "is not a number from %u to %u",
			      s->key->min, s->key->max);
	put_number(s->key, s->of, n);
	return 0;
}

static void number_text(const struct key *k, const void *of,
			const struct conf *conf, char *buf, size_t size)
{
	(void)conf;
	snprintf(buf, size, "%u", get_number(k, of));
}

static void hex_text(const struct key *k, const void *of,
		     const struct conf *conf, char *buf, size_t size)
{
	(void)conf;
	snprintf(buf, size, "0x%x", get_number(k, of));
}

static const struct key_type number = { set_number, number_text, false };
static const struct key_type bits = { set_number, hex_text, false };

/* --- a routing table --- */

uint32_t key_table(struct rttables *names, const char *name)
{
	/* A file that gives every table by number never needs their names. */
	if (!names->loaded)
		rttables_load(names);
	return rttables_find(names, name);
}

const char *key_table_name(struct rttables *names, uint32_t table)
{
	if (!names->loaded)
		rttables_load(names);
	return rttables_name(names, table);
}

bool table_is_systems(uint32_t table)
{
	return table >= TABLE_DEFAULT && table <= TABLE_LOCAL;
}

static int set_table(const struct setting *s)
{
	uint32_t n;

	if (u32_parse(s->value, 1, UINT32_MAX, &n)) {
		n = key_table(s->names, s->value);
		if (!n)
			return refuse(s, "is neither a number from 1 to "
				      "4294967295 nor a name in "
				      "/etc/iproute2/rt_tables");
	}
	put_number(s->key, s->of, n);
	if (table_is_systems(n))
		return err_set(s->err, -EINVAL, "%s = \"%s\": the tables "
			       "local, main and default are the system's, "
			       "take another", s->key->name, s->value);
	return 0;
}

static const struct key_type table = { set_table, number_text, false };

/* --- the interfaces of the LAN --- */

static int set_lan(const struct setting *s)
{
	char words[LINE_LEN_MAX + 2], *word, *save;
	struct conf *c = s->of;

	str_copy(words, sizeof(words), s->value);
	for (word = strtok_r(words, " \t,", &save); word;
	     word = strtok_r(NULL, " \t,", &save)) {
		if (!ifname_valid(word))
			return err_set(s->err, -EINVAL,
				       "%s: \"%s\" " IFNAME_RULE, s->key->name,
				       word);
		if (c->n_lan == LAN_MAX)
			return err_set(s->err, -EINVAL, "%s: more than %d "
				       "interfaces: without %s all but the "
				       "links count", s->key->name, LAN_MAX,
				       s->key->name);
		str_copy(c->lan[c->n_lan++], IFNAMSIZ, word);
	}
	return 0;
}

static void lan_text(const struct key *k, const void *of,
		     const struct conf *conf, char *buf, size_t size)
{
	unsigned int i;

	(void)k;
	(void)of;
	for (i = 0; i < conf->n_lan; i++)
		str_add(buf, size, " ", conf->lan[i]);
}

static const struct key_type lan = { set_lan, lan_text, true };

/* --- IPv6 prefixes --- */

static int set_prefixes(const struct setting *s)
{
	char words[LINE_LEN_MAX + 2], *word, *save;
	struct prefixes *to = field(s->key, s->of);
	struct err why;

	to->n = 0;
	if (!strcmp(s->value, "auto"))
		return 0;
	str_copy(words, sizeof(words), s->value);
	for (word = strtok_r(words, " \t,", &save); word;
	     word = strtok_r(NULL, " \t,", &save))
		if (prefixes_add(to, word, &why))
			return err_set(s->err, -EINVAL, "%s: %s", s->key->name,
				       why.msg);
	return 0;
}

static void prefixes_text(const struct key *k, const void *of,
			  const struct conf *conf, char *buf, size_t size)
{
	const struct prefixes *is = kept(k, of);
	char text[PREFIX_TEXT];
	unsigned int i;

	(void)conf;
	for (i = 0; i < is->n; i++)
		str_add(buf, size, " ", prefix_text(&is->item[i], text));
	if (!is->n)
		str_copy(buf, size, "auto");
}

static const struct key_type prefixes = { set_prefixes, prefixes_text, true };

/* --- one of several words --- */

static const char *const balances[] = {
	[BALANCE_SOURCE] = "source",
	[BALANCE_SOURCE_PARITY] = "source-parity",
	[BALANCE_FLOW] = "flow",
	[BALANCE_ROUND_ROBIN] = "round-robin",
	[BALANCE_RANDOM] = "random",
};

static const char *const last_resorts[] = {
	[LAST_RESORT_MAIN] = "main",
	[LAST_RESORT_UNREACHABLE] = "unreachable",
	[LAST_RESORT_BLACKHOLE] = "blackhole",
};

static const char *const failbacks[] = {
	[FAILBACK_STAY] = "stay",
	[FAILBACK_MOVE] = "move",
};

static const char *const translations[] = { "no", "foreign" };

static const char *const no_yes[] = { "no", "yes" };

static int find_word(const struct setting *s)
{
	unsigned int i;

	for (i = 0; i < s->key->n_words; i++) {
		put_number(s->key, s->of, i);
		if (!strcmp(s->value, s->key->words[i]))
			return 0;
	}
	return -EINVAL;
}

static int set_word(const struct setting *s)
{
	char list[128] = "";
	unsigned int i;

	if (!find_word(s))
		return 0;
	if (s->key->n_words == 2)
		return refuse(s, "is neither %s nor %s", s->key->words[0],
			      s->key->words[1]);
	for (i = 0; i < s->key->n_words; i++)
		str_add(list, sizeof(list), ", ", s->key->words[i]);
	return refuse(s, "is none of: %s", list);
}

static int set_yes_no(const struct setting *s)
{
	if (!find_word(s))
		return 0;
	return refuse(s, "is neither yes nor no");
}

static void word_text(const struct key *k, const void *of,
		      const struct conf *conf, char *buf, size_t size)
{
	(void)conf;
	str_copy(buf, size, k->words[get_number(k, of)]);
}

static const struct key_type word = { set_word, word_text, false };
static const struct key_type yes_no = { set_yes_no, word_text, false };

/* --- a time --- */

static const struct {
	char name;
	uint32_t seconds;
} time_units[] = {
	{ 'd', 24 * 60 * 60 }, { 'h', 60 * 60 }, { 'm', 60 }, { 's', 1 },
};

static int set_time(const struct setting *s)
{
	size_t digits = strspn(s->value, "0123456789"), i;
	char head[12] = "";
	uint32_t n;

	put_number(s->key, s->of, 0);
	if (!strcmp(s->value, "0"))
		return 0;
	if (digits < sizeof(head))
		memcpy(head, s->value, digits);
	for (i = 0; i < COUNT(time_units); i++) {
		if (s->value[digits] != time_units[i].name ||
		    s->value[digits + 1] ||
		    u32_parse(head, 1, s->key->max / time_units[i].seconds, &n))
			continue;
		put_number(s->key, s->of, n * time_units[i].seconds);
		return 0;
	}
	return refuse(s, "is neither 0 nor a time up to 365d: a number and s, "
		      "m, h or d");
}

static void time_text(const struct key *k, const void *of,
		      const struct conf *conf, char *buf, size_t size)
{
	uint32_t seconds = get_number(k, of);
	size_t i = 0;

	(void)conf;
	while (seconds % time_units[i].seconds)
		i++;
	if (seconds)
		snprintf(buf, size, "%u%c", seconds / time_units[i].seconds,
			 time_units[i].name);
	else
		str_copy(buf, size, "0");
}

static const struct key_type duration = { set_time, time_text, false };

/* --- a shorter time, in milliseconds --- */

static const struct {
	const char *name;
	uint32_t ms;
} span_units[] = {
	{ "h", 60 * 60 * 1000 }, { "m", 60 * 1000 }, { "s", 1000 }, { "ms", 1 },
};

static void put_span(char *buf, size_t size, uint32_t ms)
{
	size_t i = 0;

	while (ms % span_units[i].ms)
		i++;
	snprintf(buf, size, "%u%s", ms / span_units[i].ms, span_units[i].name);
}

static int refuse_span(const struct setting *s)
{
	char least[16], most[16];

	put_span(least, sizeof(least), s->key->min ? s->key->min : 1);
	put_span(most, sizeof(most), s->key->max);
	return refuse(s, "is %s a time from %s to %s: a number and ms, s, m or "
		      "h", s->key->min ? "not" : "neither 0 nor", least, most);
}

static int set_span(const struct setting *s)
{
	size_t digits = strspn(s->value, "0123456789"), i;
	char head[12] = "";
	uint32_t n;

	put_number(s->key, s->of, 0);
	if (!strcmp(s->value, "0") && !s->key->min)
		return 0;
	if (digits < sizeof(head))
		memcpy(head, s->value, digits);
	for (i = 0; i < COUNT(span_units); i++) {
		if (strcmp(s->value + digits, span_units[i].name) ||
		    u32_parse(head, 1, s->key->max / span_units[i].ms, &n) ||
		    n * span_units[i].ms < s->key->min)
			continue;
		put_number(s->key, s->of, n * span_units[i].ms);
		return 0;
	}
	return refuse_span(s);
}

static void span_text(const struct key *k, const void *of,
		      const struct conf *conf, char *buf, size_t size)
{
	uint32_t ms = get_number(k, of);

	(void)conf;
	if (ms)
		put_span(buf, size, ms);
	else
		str_copy(buf, size, "0");
}

static const struct key_type span = { set_span, span_text, false };

/* --- a name that pppd gives a session --- */

static int set_linkname(const struct setting *s)
{
	size_t len = strspn(s->value, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	if (!s->value[len] &&
	    !str_copy(field(s->key, s->of), s->key->size, s->value))
		return 0;
	return refuse(s, "is not 1 to %d letters, digits, '_', '-' or '.'",
		      PPPD_LINKNAME - 1);
}

static const struct key_type linkname = { set_linkname, path_text, false };

/* --- a queue --- */

static int set_queue(const struct setting *s)
{
	return qdisc_conf_parse(s->value, field(s->key, s->of), s->err);
}

static void queue_text(const struct key *k, const void *of,
		       const struct conf *conf, char *buf, size_t size)
{
	(void)conf;
	qdisc_conf_text(kept(k, of), buf, size);
}

static const struct key_type queue = { set_queue, queue_text, false };

/* --- a gateway --- */

static int set_gateway(const struct setting *s)
{
	struct err why = {""};

	if (gateway_parse(s->value, field(s->key, s->of), &why))
		return err_set(s->err, -EINVAL, "%s = \"%s\": %s",
			       s->key->name, s->value, why.msg);
	return 0;
}

static void gateway_value(const struct key *k, const void *of,
			  const struct conf *conf, char *buf, size_t size)
{
	char text[GATEWAY_TEXT];

	(void)conf;
	str_copy(buf, size, gateway_text(kept(k, of), text));
}

static const struct key_type gateway = { set_gateway, gateway_value, false };

/* --- what is watched, and how --- */

static int set_probe(const struct setting *s)
{
	struct err why = {""};

	if (watch_probe_parse(s->value, field(s->key, s->of), &why))
		return refuse(s, "is no probe: %s", why.msg);
	return 0;
}

static void probe_text(const struct key *k, const void *of,
		       const struct conf *conf, char *buf, size_t size)
{
	char text[WATCH_PROBE_TEXT];

	(void)conf;
	str_copy(buf, size, watch_probe_text(kept(k, of), text));
}

static const struct key_type probe = { set_probe, probe_text, false };

static int set_targets(const struct setting *s)
{
	struct err why = {""};

	if (watch_targets_parse(s->value, field(s->key, s->of), &why))
		return err_set(s->err, -EINVAL, "%s: %s", s->key->name,
			       why.msg);
	return 0;
}

static void targets_text(const struct key *k, const void *of,
			 const struct conf *conf, char *buf, size_t size)
{
	char text[WATCH_TARGETS_TEXT];

	(void)conf;
	str_copy(buf, size, watch_targets_text(kept(k, of), text));
}

static const struct key_type targets = { set_targets, targets_text, true };

/* --- a policy's own --- */

static int set_list(const struct setting *s)
{
	struct err why = {""};

	if (policy_set(s->of, s->key->name, s->value, &why))
		return err_set(s->err, -EINVAL, "%s: %s", s->key->name,
			       why.msg);
	return 0;
}

static void list_text(const struct key *k, const void *of,
		      const struct conf *conf, char *buf, size_t size)
{
	(void)conf;
	policy_text(of, k->name, buf, size);
}

static const struct key_type list = { set_list, list_text, true };

/* Links may follow the policies that name them. */
static int set_use(const struct setting *s)
{
	if (!str_copy(field(s->key, s->of), s->key->size, s->value))
		return 0;
	return refuse(s, "is neither a link nor balance nor main");
}

static void use_text(const struct key *k, const void *of,
		     const struct conf *conf, char *buf, size_t size)
{
	const struct policy *y = of;

	(void)k;
	str_copy(buf, size,
		 y->use == USE_BALANCE ? "balance"
		 : y->use == USE_MAIN  ? "main"
				       : conf->link[y->link].name);
}

static const struct key_type use = { set_use, use_text, false };

static const char *const if_downs[] = { "balance", "unreachable" };

/* Only a link can be down. */
static void if_down_text(const struct key *k, const void *of,
			 const struct conf *conf, char *buf, size_t size)
{
	const struct policy *y = of;

	if (y->use == USE_LINK)
		word_text(k, of, conf, buf, size);
}

static const struct key_type if_down = { set_word, if_down_text, false };

/* --- the tables --- */

#define FIELD(of, member) .offset = offsetof(struct of, member), \
			  .size = sizeof(((struct of *)NULL)->member)
#define WORDS(list) .words = (list), .n_words = COUNT(list)

static const struct key mwan_keys[] = {
	{ "log", &path, FIELD(conf, log), .standard = CONF_LOG },
	/* One less is for rules of ours, and 0 for the kernel's own, of local. */
	{ "rule_priority", &number, FIELD(conf, rule_priority),
	  .standard = "1000", .min = 2, .max = PRIORITY_MAIN - PRIORITY_SPAN },
	{ "mark_mask", &bits, FIELD(conf, mark_mask), .standard = "0xff",
	  .min = 1, .max = UINT32_MAX },
	{ "standby_table", &table, FIELD(conf, standby_table) },
	/* Far from what people and routing daemons count up from 1. */
	{ "nexthop_base", &number, FIELD(conf, nexthop_base),
	  .standard = "77000", .min = 1, .max = UINT32_MAX - NEXTHOP_SPAN },
	{ "lan", &lan, FIELD(conf, lan) },
	{ "balance", &word, FIELD(conf, balance), WORDS(balances) },
	{ "sticky", &duration, FIELD(conf, sticky), .standard = "0",
	  .max = STICKY_MAX },
	{ "masquerade", &yes_no, FIELD(conf, masquerade), .standard = "yes",
	 WORDS(no_yes) },
	{ "clamp_mss", &yes_no, FIELD(conf, clamp_mss), .standard = "yes",
	 WORDS(no_yes) },
	{ "sysctl", &yes_no, FIELD(conf, sysctl), .standard = "yes",
	 WORDS(no_yes) },
	{ "ipv6", &yes_no, FIELD(conf, ipv6), .standard = "no",
	 WORDS(no_yes) },
	{ "translate6", &word, FIELD(conf, translate6), .standard = "foreign",
	 WORDS(translations) },
	{ "onlink_table", &table, FIELD(conf, onlink_table) },
	{ "last_resort", &word, FIELD(conf, last_resort), .standard = "main",
	 WORDS(last_resorts) },
	{ "failback", &word, FIELD(conf, failback), .standard = "stay",
	 WORDS(failbacks) },
	{ "qdisc", &queue, FIELD(conf, qdisc), .standard = "auto" },
	{ "detect", &span, FIELD(conf, watch.detect),
	  .standard = "400ms", .min = 100, .max = 60 * 1000 },
	{ "recover", &span, FIELD(conf, watch.recover),
	  .standard = "5s", .max = 60 * 60 * 1000 },
	{ "probe_interval", &span, FIELD(conf, watch.interval),
	  .standard = "1s", .min = 100, .max = 60 * 60 * 1000 },
	{ "targets", &targets, FIELD(conf, watch.targets) },
	{ "probe", &probe, FIELD(conf, watch.probe),
	  .standard = "icmp" },
	{ "loss", &number, FIELD(conf, watch.loss),
	  .standard = "0", .max = 100 },
	{ "latency", &span, FIELD(conf, watch.latency),
	  .standard = "0", .max = 60 * 1000 },
	{ "heal", &yes_no, FIELD(conf, heal), .standard = "yes",
	 WORDS(no_yes) },
};

static const struct key link_keys[] = {
	{ "table", &table, FIELD(conf_link, table) },
	{ "mark", &bits, FIELD(conf_link, mark), .min = 1, .max = UINT32_MAX },
	{ "linkname", &linkname, FIELD(conf_link, linkname) },
	{ "weight", &number, FIELD(conf_link, weight), .standard = "1",
	  .min = 1, .max = WEIGHT_MAX },
	{ "tier", &number, FIELD(conf_link, tier), .standard = "1",
	  .min = 1, .max = TIER_MAX },
	{ "qdisc", &queue, FIELD(conf_link, qdisc) },
	{ "prefix6", &prefixes, FIELD(conf_link, prefix6), .standard = "auto" },
	{ "gateway", &gateway, FIELD(conf_link, gateway) },
	{ "detect", &span, FIELD(conf_link, watch.detect),
	  .min = 100, .max = 60 * 1000 },
	{ "recover", &span, FIELD(conf_link, watch.recover),
	  .max = 60 * 60 * 1000 },
	{ "probe_interval", &span, FIELD(conf_link, watch.interval),
	  .min = 100, .max = 60 * 60 * 1000 },
	{ "targets", &targets, FIELD(conf_link, watch.targets) },
	{ "probe", &probe, FIELD(conf_link, watch.probe) },
	{ "loss", &number, FIELD(conf_link, watch.loss),
	  .max = 100 },
	{ "latency", &span, FIELD(conf_link, watch.latency),
	  .max = 60 * 1000 },
};

static const struct key policy_keys[] = {
	{ "source", &list, FIELD(policy, source) },
	{ "destination", &list, FIELD(policy, destination) },
	{ "protocol", &list, FIELD(policy, protocol) },
	{ "source_port", &list, FIELD(policy, source_port) },
	{ "destination_port", &list, FIELD(policy, destination_port) },
	{ "interface", &list, FIELD(policy, interface) },
	{ "use", &use, FIELD(policy, use_name) },
	{ "if_down", &if_down, FIELD(policy, unreachable), .standard = "balance",
	 WORDS(if_downs) },
};

const struct key_section key_sections[SECTIONS] = {
	[SECTION_MWAN] = { "[mwan]", mwan_keys, COUNT(mwan_keys) },
	[SECTION_LINK] = { "a [link]", link_keys, COUNT(link_keys) },
	[SECTION_POLICY] = { "a [policy]", policy_keys, COUNT(policy_keys) },
};

int key_find(enum section s, const char *name)
{
	const struct key_section *is = &key_sections[s];
	static unsigned int next;
	unsigned int i, k;

	/* Every run of a hook looks up some hundred names, mostly in the order
	 * of the table; most names differ in the first letter.
	 */
	for (k = 0; k < is->n; k++) {
		i = (next + k) % is->n;
		if (*is->keys[i].name != *name ||
		    strcmp(is->keys[i].name, name) != 0)
			continue;
		next = i + 1;
		return (int)i;
	}
	return -1;
}

unsigned int key_at(enum section s, size_t offset)
{
	unsigned int i = 0;

	while (key_sections[s].keys[i].offset != offset)
		i++;
	return i;
}

void key_defaults(enum section s, void *of)
{
	const struct key_section *is = &key_sections[s];
	const struct key *k;

	/* Defaults are right, and name no table. */
	for (k = is->keys; k < is->keys + is->n; k++)
		if (k->standard)
			(void)k->type->set(&(struct setting){
				.key = k, .of = of, .value = k->standard });
}

void key_inherit(struct conf_link *l, const struct conf *conf,
		 const unsigned int *given)
{
	const struct key *k, *from;
	int at;

	for (k = link_keys; k < link_keys + COUNT(link_keys); k++) {
		at = key_find(SECTION_MWAN, k->name);
		if (at < 0 || given[k - link_keys])
			continue;
		from = &mwan_keys[at];
		memcpy(field(k, l), kept(from, conf), k->size);
	}
}

/* Is it what the link has of [mwan] anyway? */
static bool inherited(enum section s, const struct key *k, const char *text,
		      const struct conf *conf)
{
	int at = s == SECTION_LINK ? key_find(SECTION_MWAN, k->name) : -1;
	char general[KEY_TEXT] = "";

	if (at < 0)
		return false;
	mwan_keys[at].type->text(&mwan_keys[at], conf, conf, general,
				 sizeof(general));
	return !strcmp(text, general);
}

void key_print(enum section s, const void *of, const struct conf *conf,
	       FILE *f)
{
	const struct key_section *is = &key_sections[s];
	const struct key *k;
	char text[KEY_TEXT];

	for (k = is->keys; k < is->keys + is->n; k++) {
		*text = '\0';
		k->type->text(k, of, conf, text, sizeof(text));
		if (*text && !inherited(s, k, text, conf))
			fprintf(f, k->type->fills_line ? "%s=%s\n" :
				"%s = %s\n", k->name, text);
	}
}
