// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/util.h"
#include "tell/init.h"

static void comment(const char *text, FILE *out)
{
	fputs("# ", out);
	print_wrapped_behind(text, 2, "# ", out);
}

static void print_mwan(const struct init *in, FILE *out)
{
	char lan[INIT_LAN * IFNAMSIZ] = "";
	unsigned int i;

	fputs("[mwan]\n", out);
	comment("Our policy rules come after those of Tailscale (5210 to "
		"5270).", out);
	fputs("rule_priority = 6000\n\n", out);
	if (in->own_marks) {
		comment("Rules or scripts on this machine use small marks, "
			"which may be those of the links (1, 2, ...), so the "
			"bits that are ours stay 0xff. Without them 0xff000000 "
			"is better.", out);
		fputs("# mark_mask = 0xff000000\n\n", out);
	} else {
		comment("The bits of a mark that are ours.", out);
		fputs("mark_mask = 0xff000000\n\n", out);
	}
	for (i = 0; i < in->n_lan; i++)
		str_add(lan, sizeof(lan), " ", in->lan[i]);
	comment("The interfaces whose connections are shared among the links. "
		"Without this line it is every one that is no link.", out);
	fprintf(out, "# lan = %s\n\n", *lan ? lan : "br0");
	comment("How a new connection gets its link: by its host's address "
		"(source, source-parity), or each for itself (flow, "
		"round-robin, random).", out);
	fputs("# balance = source\n\n", out);
	comment(in->ipv6 ? "A line asks for IPv6: with yes that fails over, "
		"too." : "yes: IPv6 as well, for links whose prefixes are "
		"known.", out);
	fputs("# ipv6 = yes\n", out);
}

static void print_link(const struct init_link *l, FILE *out)
{
	const char *off = l->doubtful ? "# " : "";

	fputc('\n', out);
	comment(l->from, out);
	if (l->doubtful)
		comment("It may be a client of a VPN server on this machine. "
			"If it is a line, remove the next signs #.", out);
	fprintf(out, "%s[link %s]\n", off, l->name);
	if (l->named)
		comment("So rt_tables calls it, too.", out);
	fprintf(out, "%stable = %u\n", off, l->table);
	if (*l->linkname)
		fprintf(out, "%slinkname = %s\n", off, l->linkname);
	if (*l->file) {
		comment("Once its file has this linkname:", out);
		fprintf(out, "# linkname = %s\n", l->file);
	}
	if (l->wireless) {
		comment("It seems to be wireless. With tier = 2 it stands by, "
			"and is used when no other link is up.", out);
		fputs("# tier = 2\n", out);
	}
	fputs("# weight = 1\n", out);
}

void init_print(const struct init *in, FILE *out)
{
	unsigned int i;

	comment("/etc/ppp/mwan.ini, as \"mwan-rules init\" has found this "
		"machine. See mwan.ini(5). Read it, then: mwan-rules check; "
		"mwan-rules apply -n; mwan-rules apply.", out);
	for (i = 0; i < in->n_notes; i++) {
		fputs(i ? "#\n" : "#\n# To do:\n#\n", out);
		comment(in->note[i].msg, out);
	}
	fputc('\n', out);
	print_mwan(in, out);
	for (i = 0; i < in->n_links; i++)
		print_link(&in->link[i], out);
	if (in->n_lines)
		return;
	fputc('\n', out);
	comment("No line was found. For each one:", out);
	fputs("# [link ppp0]\n# table = 201\n", out);
}
