// SPDX-License-Identifier: MIT
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/util.h"
#include "conf/conf.h"
#include "conf/rttables.h"
#include "conf/state.h"
#include "kernel/iface.h"
#include "kernel/route.h"
#include "kernel/rule.h"
#include "tell/init.h"
#include "tell/peers.h"
#include "tell/pppd_hook.h"

#define PEERS "/etc/ppp/peers"
#define IFCFG "/etc/sysconfig/network-scripts"
#define NM "/etc/NetworkManager/system-connections"

enum {
	FIRST_TABLE = 201,	/* as in the scripts of 2004 */
	FILES_MAX = 64,
	IFS_MAX = 256,
	NAME_LEN = 64,		/* longer names of files are passed over */
	PATH_LEN = 128,
	TEXT_MAX = 16384,
	/* Marks of hand-written scripts; what other programs take is above. */
	SMALL_MARK = 0xff,
};

/* While it is looked. */
struct looking {
	struct init *in;
	struct nl *rtnl;
	struct rttables names;
	unsigned int n_ifs;
	struct iface ifs[IFS_MAX];
	bool addressed[IFS_MAX];	/* it has an IPv4 address */
	char port[INIT_LINKS][IFNAMSIZ];	/* under PPPoE */
	unsigned int n_ports;
	unsigned int n_without;		/* ppp lines that have no number */
	bool seen_dir;
};

static void __attribute__((format(printf, 2, 3)))
note(struct looking *l, const char *fmt, ...)
{
	struct init *in = l->in;
	va_list args;

	if (in->n_notes == INIT_NOTES)
		return;
	va_start(args, fmt);
	vsnprintf(in->note[in->n_notes].msg, sizeof(in->note[0].msg), fmt,
		  args);
	va_end(args);
	in->n_notes++;
}

static struct init_link *find_link(struct init *in, const char *name)
{
	unsigned int i;

	for (i = 0; i < in->n_links; i++)
		if (!strcmp(in->link[i].name, name))
			return &in->link[i];
	return NULL;
}

/* NULL: there is no room, or there is one of that name. */
static struct init_link *add_link(struct looking *l, const char *name,
				  const char *from)
{
	struct init *in = l->in;
	struct init_link *new = &in->link[in->n_links];

	if (in->n_links == INIT_LINKS || find_link(in, name))
		return NULL;
	*new = (struct init_link){ 0 };
	str_copy(new->name, sizeof(new->name), name);
	snprintf(new->from, sizeof(new->from), "%s", from);
	new->wireless = !strncmp(name, "ww", 2) || !strncmp(name, "usb", 3);
	in->n_links++;
	return new;
}

static void add_port(struct looking *l, const char *port)
{
	if (*port && l->n_ports < INIT_LINKS)
		strcpy(l->port[l->n_ports++], port);
}

static bool is_port(const struct looking *l, const char *name)
{
	unsigned int i;

	for (i = 0; i < l->n_ports; i++)
		if (!strcmp(l->port[i], name))
			return true;
	return false;
}

/* --- pppd's files --- */

/* What is missing for the line to be found again by its name, to be dialled for
 * ever, and to be given up when it is dead.
 */
static void note_peer(struct looking *l, const char *path, const char *file,
		      const struct peer *p, const char *ifname)
{
	char lacks[200] = "", unit[32];

	snprintf(unit, sizeof(unit), "unit %.8s", ifname + 3);
	if (!*p->ifname)
		str_add(lacks, sizeof(lacks), "; ", unit);
	if (!*p->linkname && strlen(file) < PPPD_LINKNAME) {
		str_add(lacks, sizeof(lacks), "; ", "linkname ");
		str_add(lacks, sizeof(lacks), "", file);
	}
	if (!p->persist)
		str_add(lacks, sizeof(lacks), "; ", "persist");
	if (!p->for_ever)
		str_add(lacks, sizeof(lacks), "; ", "maxfail 0");
	if (!p->echo)
		str_add(lacks, sizeof(lacks), "; ",
			"lcp-echo-interval 1; lcp-echo-failure 3");
	if (*lacks)
		note(l, "%s lacks lines: %s", path, lacks);
	if (p->default_route)
		note(l, "%s: write nodefaultroute in the place of "
		     "defaultroute and replacedefaultroute, also in "
		     "/etc/ppp/options: that route does not fail over", path);
	if (p->demand)
		note(l, "%s: remove demand: a line must come and go with its "
		     "session", path);
}

/* Lines without a number get those that the others leave, in the order of their
 * files.
 */
static void free_unit(const struct looking *l, char name[IFNAMSIZ])
{
	unsigned int n = 0;

	do {
		snprintf(name, IFNAMSIZ, "ppp%u", n++ % 1000);
	} while (find_link(l->in, name));
}

static void add_peer(struct looking *l, const char *file, bool numbered)
{
	char path[PATH_LEN], from[INIT_FROM], name[IFNAMSIZ];
	struct init_link *new;
	struct peer p;

	snprintf(path, sizeof(path), PEERS "/%s", file);
	if (peer_read(&p, path) || numbered != (*p.ifname != 0))
		return;
	if (!p.pppoe) {
		if (numbered)
			note(l, "%s is not PPPoE: if it is a line to share, "
			     "describe [link %s]", path, p.ifname);
		return;
	}
	str_copy(name, sizeof(name), p.ifname);
	if (!numbered)
		free_unit(l, name);
	snprintf(from, sizeof(from), "%s%s%s", path,
		 *p.port ? ", by the Ethernet port " : "", p.port);
	new = add_link(l, name, from);
	if (!new) {
		note(l, "%s: another line is %s already: give this one a "
		     "\"unit\" of its own", path, name);
		return;
	}
	str_copy(new->linkname, sizeof(new->linkname), p.linkname);
	if (!*p.linkname)
		(void)str_copy(new->file, sizeof(new->file), file);
	add_port(l, p.port);
	l->in->ipv6 |= p.ipv6;
	note_peer(l, path, file, &p, name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The plain names in @dir, sorted. Editors and dpkg leave others there. */
static unsigned int list(const char *dir, char names[FILES_MAX][NAME_LEN])
{
	const struct dirent *e;
	unsigned int n = 0;
	DIR *d = opendir(dir);

	while (d && n < FILES_MAX && (e = readdir(d)))
		if (str_plain(e->d_name) && *e->d_name != '.' &&
		    !strstr(e->d_name, ".dpkg-") &&
		    !str_copy(names[n], NAME_LEN, e->d_name))
			n++;
	if (d)
		closedir(d);
	qsort(names, n, sizeof(names[0]), by_name);
	return n;
}

/* Does a file call @name? Then that is no line of its own. */
static bool is_called(const struct peer *p, const char *name)
{
	const char *at = p->called;
	size_t len;

	for (; *at; at += len + strspn(at + len, " ")) {
		len = strcspn(at, " ");
		if (len == strlen(name) && !strncmp(at, name, len))
			return true;
	}
	return false;
}

static void look_at_peers(struct looking *l)
{
	static char names[FILES_MAX][NAME_LEN];
	bool parts[FILES_MAX] = { false }, unreadable = false;
	unsigned int i, k, n = list(PEERS, names);
	char path[PATH_LEN];
	struct peer p;

	unreadable = !n && access(PEERS, R_OK | X_OK) && errno == EACCES;
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), PEERS "/%.63s", names[i]);
		unreadable |= peer_read(&p, path) == -EACCES;
		for (k = 0; k < n; k++)
			parts[k] |= k != i && is_called(&p, names[k]);
	}
	if (unreadable)
		note(l, PEERS " can be read by root only: run this as root");
	for (i = 0; i < 2 * n; i++)
		if (!parts[i % n])
			add_peer(l, names[i % n], i < n);
}

/* --- ifcfg-pppN and NetworkManager --- */

/* The value of "KEY=VALUE", without quotes; "": there is none. */
static const char *value_of(const char *text, const char *key, char *buf,
			    size_t size)
{
	size_t len = strlen(key), n = 0;
	const char *at = text;

	*buf = '\0';
	while (at) {
		if (!strncmp(at, key, len) && at[len] == '=') {
			at += len + 1;
			at += strspn(at, "\"'");
			n = strcspn(at, "\"'\r\n");
			snprintf(buf, size, "%.*s", (int)n, at);
			break;
		}
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	return buf;
}

static void add_ifcfg(struct looking *l, const char *file)
{
	char path[PATH_LEN], from[INIT_FROM], text[TEXT_MAX];
	char name[IFNAMSIZ], port[IFNAMSIZ], route[8];

	snprintf(path, sizeof(path), IFCFG "/%s", file);
	if (file_read(AT_FDCWD, path, text, sizeof(text), FILE_PLAIN, NULL) < 0)
		return;
	value_of(text, "DEVICE", name, sizeof(name));
	if (!ifname_valid(name))
		snprintf(name, sizeof(name), "%.15s",
			 file + strlen("ifcfg-"));
	if (!ifname_valid(value_of(text, "ETH", port, sizeof(port))))
		*port = '\0';
	snprintf(from, sizeof(from), "%s%s%s", path,
		 *port ? ", by the Ethernet port " : "", port);
	if (!ifname_valid(name) || !add_link(l, name, from))
		return;
	add_port(l, port);
	if (strcmp(value_of(text, "DEFROUTE", route, sizeof(route)), "no"))
		note(l, "%s lacks the line DEFROUTE=no: a default route in "
		     "main does not fail over", path);
	if (!strcmp(value_of(text, "DEMAND", route, sizeof(route)), "yes"))
		note(l, "%s: write DEMAND=no: a line must come and go with its "
		     "session", path);
}

static void look_at_ifcfg(struct looking *l)
{
	static char names[FILES_MAX][NAME_LEN];
	unsigned int i, n = list(IFCFG, names);

	for (i = 0; i < n; i++)
		if (!strncmp(names[i], "ifcfg-ppp", strlen("ifcfg-ppp")))
			add_ifcfg(l, names[i]);
}

/* Its id may be any text; a file's name is one, too, where it is no plain one. */
static void add_connection(struct looking *l, const char *file)
{
	char path[PATH_LEN], from[INIT_FROM], text[TEXT_MAX];
	char type[16], name[IFNAMSIZ], port[IFNAMSIZ], never[8];

	snprintf(path, sizeof(path), NM "/%s", file);
	if (file_read(AT_FDCWD, path, text, sizeof(text), FILE_PLAIN,
		      NULL) < 0 ||
	    strcmp(value_of(text, "type", type, sizeof(type)), "pppoe"))
		return;
	value_of(text, "interface-name", name, sizeof(name));
	value_of(text, "parent", port, sizeof(port));
	/* Without a parent that name is the Ethernet port's. */
	if (!*port) {
		strcpy(port, name);
		*name = '\0';
		note(l, "%s lacks an interface of its own: nmcli connection "
		     "modify ... connection.interface-name pppN pppoe.parent "
		     "%s", path, ifname_valid(port) ? port : "PORT");
	}
	if (!ifname_valid(name))
		free_unit(l, name);
	snprintf(from, sizeof(from), "NetworkManager, %s%s%s", path,
		 ifname_valid(port) ? ", by the Ethernet port " : "",
		 ifname_valid(port) ? port : "");
	if (!add_link(l, name, from))
		return;
	if (ifname_valid(port))
		add_port(l, port);
	if (strcmp(value_of(text, "never-default", never, sizeof(never)),
		   "true"))
		note(l, "%s: nmcli connection modify ... ipv4.never-default "
		     "yes: a default route in main does not fail over", path);
}

static void look_at_nm(struct looking *l)
{
	static char names[FILES_MAX][NAME_LEN];
	unsigned int i, n = list(NM, names);

	if (!access(NM, F_OK) && access(NM, R_OK | X_OK))
		note(l, NM " can be read by root only: run this as root");
	for (i = 0; i < n; i++)
		add_connection(l, names[i]);
}

/* --- the kernel --- */

static int on_iface(const struct nlmsghdr *nlh, void *data)
{
	struct looking *l = data;
	struct iface i;

	if (l->n_ifs < IFS_MAX && !iface_reply(nlh, &i) &&
	    ifname_valid(i.name))
		l->ifs[l->n_ifs++] = i;
	return 0;
}

/* It may have gone meanwhile. */
static int forgive(const struct nl_refusal *no, void *data)
{
	(void)no;
	(void)data;
	return 0;
}

static int read_ifaces(struct looking *l, struct err *err)
{
	char buf[NL_ROOM] __attribute__((aligned(8)));
	struct if_nameindex *all = if_nameindex(), *i;
	struct nl_batch b;
	int code = 0;

	if (!all)
		return err_set(err, -errno, "cannot list the interfaces: %s",
			       strerror(errno));
	for (i = all; i->if_index && !code; i++) {
		nl_batch_init(&b, l->rtnl, buf, sizeof(buf));
		code = iface_put_get(&b, l->rtnl, i->if_name);
		if (!code)
			code = nl_send(l->rtnl, &b, NULL, forgive, on_iface, l,
				       err);
	}
	if_freenameindex(all);
	return code;
}

static struct iface *iface_of(struct looking *l, uint32_t ifindex)
{
	unsigned int i;

	for (i = 0; i < l->n_ifs; i++)
		if (l->ifs[i].ifindex == ifindex)
			return &l->ifs[i];
	return NULL;
}

static int on_addr(const struct iface_addr *a, void *data)
{
	struct looking *l = data;
	const struct iface *i = iface_of(l, a->ifindex);

	if (i && !a->on_link)
		l->addressed[i - l->ifs] = true;
	return 0;
}

/* A default route by Ethernet or its like is a DHCP line's, or one that somebody
 * has set up: a client may have put it into a table of the line's own.
 */
static int on_default(const struct route *r, void *data)
{
	struct looking *l = data;
	const struct iface *i = iface_of(l, r->ifindex);
	char gateway[ADDR_TEXT], from[INIT_FROM];
	struct init_link *new;

	if (!i || r->type != RTN_UNICAST || r->protocol == PROTO_MWAN ||
	    !r->gateway.family || !i->shared)
		return 0;
	snprintf(from, sizeof(from), "%s by %s, as the kernel's default route "
		 "says", r->protocol == RTPROT_DHCP ? "DHCP, the router" :
		 "the router", addr_text(&r->gateway, gateway));
	new = add_link(l, i->name, from);
	if (new && r->table != TABLE_MAIN)
		new->table = r->table;
	if (new && r->table == TABLE_MAIN)
		note(l, "%s has a default route in main, which takes the "
		     "router's own traffic: see \"Links that are not pppd's\" "
		     "in mwan-rules(8), also for what its DHCP client has to "
		     "call", i->name);
	return 0;
}

/* Scripts of 2004 and those who learned from them: "fwmark 1 lookup ppp0". */
static int on_rule(const struct rule *r, void *data)
{
	struct looking *l = data;

	if (r->protocol != PROTO_MWAN && r->mask && r->mark &&
	    r->mark <= SMALL_MARK && !l->in->own_marks) {
		l->in->own_marks = true;
		note(l, "ip rule shows a rule for the mark 0x%x that is not "
		     "ours: delete those of scripts that mwan takes the place "
		     "of, see \"Moving from the scripts of 2004\" in the "
		     "README", r->mark);
	}
	return 0;
}

static int look_at_kernel(struct looking *l, struct err *err)
{
	int code = read_ifaces(l, err);

	if (!code)
		code = iface_addr_dump(l->rtnl, AF_INET, 0, on_addr, l, err);
	if (!code)
		code = route_dump_protocol(l->rtnl, AF_INET, RTPROT_DHCP,
					   on_default, l, err);
	if (!code)
		code = route_dump_defaults(l->rtnl, AF_INET, TABLE_MAIN,
					   on_default, l, err);
	if (!code)
		code = rule_dump(l->rtnl, AF_INET, RULE_ANYONES, on_rule, l,
				 err);
	return code;
}

/* Sessions that no file tells of: a line by hand, or a client of a VPN server
 * on this machine.
 */
static void add_sessions(struct looking *l)
{
	struct init_link *new;
	unsigned int i;

	for (i = 0; i < l->n_ifs; i++) {
		if (!l->ifs[i].ppp)
			continue;
		new = add_link(l, l->ifs[i].name, "it is up now, and no file "
			       "was found that tells of it");
		if (new)
			new->doubtful = !rttables_find(&l->names, new->name);
	}
}

/* The tables ppp0, ppp1, ... of the scripts. */
static void add_tables(struct looking *l)
{
	const struct rttables_entry *e = l->names.entry;
	char from[INIT_FROM];
	unsigned int i;

	for (i = 0; i < l->names.n; i++, e++) {
		if (strncmp(e->name, "ppp", 3) || !e->name[3] ||
		    e->name[3 + strspn(e->name + 3, "0123456789")] ||
		    !ifname_valid(e->name))
			continue;
		snprintf(from, sizeof(from), "the table %s of "
			 "/etc/iproute2/rt_tables", e->name);
		(void)add_link(l, e->name, from);
	}
}

static void add_lan(struct looking *l)
{
	struct init *in = l->in;
	unsigned int i;

	for (i = 0; i < l->n_ifs; i++)
		if (l->ifs[i].shared && l->addressed[i] && l->ifs[i].up &&
		    strcmp(l->ifs[i].name, "lo") &&
		    !find_link(in, l->ifs[i].name) &&
		    !is_port(l, l->ifs[i].name) && in->n_lan < INIT_LAN)
			strcpy(in->lan[in->n_lan++], l->ifs[i].name);
}

/* --- other programs --- */

static void look_at_script(struct looking *l, const char *path)
{
	static const char *const signs[] = { "cprt ", "--set-mark",
					     "--set-xmark", "fwmark " };
	char text[TEXT_MAX];
	size_t i;

	if (file_read(AT_FDCWD, path, text, sizeof(text), FILE_PLAIN, NULL) < 0)
		return;
	for (i = 0; i < COUNT(signs); i++) {
		if (!strstr(text, signs[i]))
			continue;
		l->in->own_marks = true;
		note(l, "%s has lines with \"%s\", as the scripts that mwan "
		     "takes the place of: see \"Moving from the scripts of "
		     "2004\" in the README", path, signs[i]);
		return;
	}
}

static void look_at_others(struct looking *l)
{
	static const char *const scripts[] = { "/etc/rc.local",
					       "/etc/rc.d/rc.local" };
	static const char *const whats[] = { "up", "down" };
	struct hookfile h;
	struct stat st;
	size_t i;

	for (i = 0; i < COUNT(scripts); i++)
		look_at_script(l, scripts[i]);
	for (i = 0; i < COUNT(whats); i++) {
		hookfile_read(&h, whats[i]);
		if (h.state == HOOKFILE_FOREIGN ||
		    h.state == HOOKFILE_SHADOWED)
			note(l, "%s is not our hook: \"mv %s %s.before-mwan\" "
			     "before you install mwan", h.path, h.path,
			     h.path);
	}
	if (!access("/run/NetworkManager", F_OK))
		note(l, "NetworkManager runs: for DHCP lines it needs "
		     "etc/dhcp/NetworkManager-dispatcher of the examples");
	if (!stat(CONF_PATH, &st) && st.st_size)
		note(l, CONF_PATH " is there already: this does not know what "
		     "is in it");
}

/* --- all together --- */

/* A number that nobody has: neither a name in rt_tables, nor another link, nor
 * a route.
 */
static uint32_t free_table(struct looking *l)
{
	uint32_t id = FIRST_TABLE;
	bool taken = true;
	unsigned int i;

	for (; taken; id++) {
		taken = rttables_name(&l->names, id);
		for (i = 0; i < l->in->n_links && !taken; i++)
			taken = l->in->link[i].table == id;
		if (!taken)
			(void)route_any(l->rtnl, id, &taken, NULL);
	}
	return id - 1;
}

static void give_tables(struct looking *l)
{
	static struct conf old;
	struct init_link *link = l->in->link;
	unsigned int i, k;
	int at;

	if (accepted_read(&old, NULL))
		old.n_links = 0;
	for (i = 0; i < l->in->n_links; i++) {
		link[i].named = rttables_find(&l->names, link[i].name);
		at = conf_link_index(&old, link[i].name);
		if (link[i].named)
			link[i].table = rttables_find(&l->names, link[i].name);
		else if (at >= 0)
			link[i].table = old.link[at].table;
		/* Two clients may share one. */
		for (k = 0; k < i && link[k].table != link[i].table; k++)
			;
		if (k < i)
			link[i].table = 0;
	}
	for (i = 0; i < l->in->n_links; i++)
		if (!link[i].table)
			link[i].table = free_table(l);
}

/* ppp0, ppp1, ppp10, then others: the order of the marks. */
static int by_link(const void *a, const void *b)
{
	const struct init_link *x = a, *y = b;
	bool px = !strncmp(x->name, "ppp", 3), py = !strncmp(y->name, "ppp", 3);
	size_t lx = strlen(x->name), ly = strlen(y->name);

	if (px != py)
		return py - px;
	if (px && lx != ly)
		return lx < ly ? -1 : 1;
	return strcmp(x->name, y->name);
}

int init_look(struct init *in, struct nl *rtnl, struct err *err)
{
	static struct looking l;
	unsigned int i;
	int code;

	l.in = in;
	l.rtnl = rtnl;
	rttables_load(&l.names);
	look_at_peers(&l);
	look_at_ifcfg(&l);
	look_at_nm(&l);
	add_tables(&l);
	code = look_at_kernel(&l, err);
	if (code)
		return code;
	add_sessions(&l);
	add_lan(&l);
	look_at_others(&l);
	qsort(in->link, in->n_links, sizeof(in->link[0]), by_link);
	give_tables(&l);
	for (i = 0; i < in->n_links; i++)
		in->n_lines += !in->link[i].doubtful;
	return 0;
}
