// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/util.h"
#include "nft/words.h"

bool nft_is_word(const char *name)
{
	/* nftables 1.0.6, src/scanner.l: what its parser does not take for the
	 * name of a set; t5022 asks nft itself.
	 */
	static const char *const words[] = {
		"accept", "add", "ah", "all", "and", "arp", "bridge",
		"cgroup", "chain", "comment", "comp", "constant", "continue",
		"counter", "cpu", "create", "ct", "day", "dccp", "define",
		"delete", "describe", "device", "devices", "dnat", "drop",
		"dst", "dup", "dynamic", "ecn", "element", "elements", "esp",
		"ether", "exists", "expires", "export", "exthdr", "fib",
		"flags", "flow", "flowtable", "flush", "frag", "fwd", "get",
		"goto", "handle", "hbh", "hook", "hour", "ibriport",
		"ibrname", "icmp", "icmpv6", "igmp", "iif", "iifgroup",
		"iifname", "iiftype", "import", "include", "index", "inet",
		"insert", "interval", "ip", "ip6", "ipsec", "jhash", "jump",
		"limit", "list", "log", "lt", "map", "mark", "masquerade",
		"meta", "meter", "mh", "missing", "monitor", "netdev",
		"nftrace", "not", "notrack", "numgen", "obriport", "obrname",
		"offload", "oif", "oifgroup", "oifname", "oiftype", "or",
		"osf", "pkttype", "policy", "position", "priority", "queue",
		"quota", "random", "redefine", "redirect", "reject", "rename",
		"replace", "reset", "return", "rt", "rt0", "rt2", "rtclassid",
		"rule", "ruleset", "sctp", "secmark", "set", "size", "skgid",
		"skuid", "snat", "socket", "srh", "symhash", "synproxy",
		"table", "tcp", "th", "time", "timeout", "tproxy", "type",
		"typeof", "udp", "udplite", "undefine", "update", "vlan",
		"vmap", "xt",
	};
	size_t i;

	for (i = 0; i < COUNT(words); i++)
		if (!strcmp(name, words[i]))
			return true;
	return false;
}
