#!/bin/bash
# Policies that name addresses of IPv6, or of both families: which connections
# they are about, what becomes of them, and that what stays on its link is nobody's
# affair. (t5003 is about all the rest of policies.)
#
# As in lib/lan6.sh, with a tunnel, into which main has a default of its own.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan6.sh
. "$root/t/lib/lan6.sh"

# by DESCRIPTION TALLY [OPTION...] HOST...: of ask6
by() {
	local desc=$1 want=$2
	shift 2
	is "$desc" "$(ask6 "$@" | lines6)" "$want"
}

net6 3
ip -6 addr add fe80::1/64 dev lan0 nodad
ip -n lan -6 addr add fe80::2/64 dev lan0 nodad
ip link add vpn0 address 02:00:00:00:06:fe arp off type veth peer name vpn0 \
	address 02:00:00:00:06:fe arp off netns inet
ip -n inet link set vpn0 arp off up
ip link set vpn0 up
ip -6 route add default dev vpn0 metric 9
ip -n inet -6 route add fd00:9::/64 dev vpn0
U=fd00:9:

conf6 "balance = round-robin" "lan = lan0" -- 1 1 1
policy first "source = $U:100/120" "protocol = tcp" "use = ppp2"
policy shadow "source = $U:100/120" "destination_port = 80" "protocol = tcp" \
	"use = ppp1"
policy lists "source = $U:201 $U:208/125 $U:220-$U:223 10.9.2.0/24" "use = ppp1"
policy server "source = $U:300/120" "destination = 2001:db8:e::-2001:db8:f::1" \
	"use = ppp0"
policy tunnel "source = $U:300/120" "destination = 2001:db8:f::2" "use = main"
policy ping "source = $U:400/120" "protocol = icmp" "use = ppp2"
policy six "destination = ::/0" "protocol = udp" "source_port = 5060" \
	"use = ppp0"
policy four "source = 0.0.0.0/0" "protocol = udp" "source_port = 5070" \
	"use = ppp0"
policy any "protocol = udp" "source_port = 5080" "use = ppp1"
policy except "source = $U:507" "use = balance"
policy most "source = $U:500/120" "use = ppp0"
policy every-ping "protocol = icmp" "use = ppp1"
policy native "source = 2001:db8:0:1::77" "use = ppp1"
policy strict "source = $U:800/120 10.9.8.0/24" "use = ppp0" \
	"if_down = unreachable"
policy soft "source = $U:900/120" "use = ppp0" "if_down = balance"
ok "apply" mwan-rules apply

turns="ppp0=1 ppp1=1 ppp2=1"
# shellcheck disable=SC2046 # words
{
by "a source and a protocol" ppp2=3 -t tcp $(hosts6 0x100 3)
by "the first that matches wins" ppp2=3 -t tcp -d 80 $(hosts6 0x100 3)
by "another protocol is balanced" "$turns" $(hosts6 0x100 3)
by "an address" ppp1=3 $U:201 $U:201 $U:201
by "a prefix" ppp1=8 $(hosts6 0x208 8)
by "a range" ppp1=4 $(hosts6 0x220 4)
by "and IPv4 in the same list" ppp1=3 10.9.2.1 10.9.2.2 10.9.2.3
by "beside them" "ppp0=2 ppp1=2 ppp2=2" $(hosts6 0x210 6)
by "a destination by a link" ppp0=3 $(hosts6 0x300 3)
by "a destination for main goes into the tunnel" \
	"$U:300=1 $U:301=1" -s 2001:db8:f::2 $(hosts6 0x300 2)
is "icmp is ICMPv6" "$(ping6_by $U:401)" ppp2
is "of any host" "$(ping6_by $U:621)" ppp1
ok "but not to a neighbour" ping6 fe80::2 fe80::1 lan0
by "no other protocol" "$turns" $(hosts6 0x400 3)
by "any address of IPv6" ppp0=2 -p 5060 $(hosts6 0x600 2)
by "is none of IPv4" "$turns" -p 5060 10.9.6.1 10.9.6.2 10.9.6.3
by "any of IPv4" ppp0=2 -p 5070 10.9.6.1 10.9.6.2
by "is none of IPv6" "$turns" -p 5070 $(hosts6 0x610 3)
by "without addresses: both" ppp1=2 -p 5080 10.9.6.1 $U:620
by "use = balance: an exception" "$turns" $U:507 $U:507 $U:507
by "from the rest" ppp0=3 $(hosts6 0x508 3)
by "a policy wins over a host's own prefix, and is translated" ppp1=1 \
	2001:db8:0:1::77
by "beside it the host's own prefix decides" ppp0=1 2001:db8:0:1::78
}

# --- the link is down ---
# shellcheck disable=SC2046
{
by "a strict policy by its link" ppp0=3 $(hosts6 0x800 3)
cut6 0
by "unreachable at once" ENETUNREACH=3 $(hosts6 0x810 3)
by "TCP, too" ENETUNREACH=3 -t tcp $(hosts6 0x810 3)
by "and IPv4" ENETUNREACH=2 10.9.8.1 10.9.8.2
ask6 $(hosts6 0x910 4) >"$T/soft"
is "if_down = balance goes on by others" \
	"$(grep -c ' 2001:db8:[12]:ffff::6d77:[23]$' "$T/soft")" 4
hook down ppp0 10.64.0.100 10.64.0.1
by "unreachable after the hook, too" ENETUNREACH=3 $(hosts6 0x820 3)
up6 0
by "the link is back" ppp0=3 $(hosts6 0x830 3)
ip -6 route del default dev vpn0
ok "drained" mwan-rules drain ppp0
by "is unreachable as well" ENETUNREACH=3 $(hosts6 0x840 3)
mwan-rules undrain ppp0
}
is "no provider got a foreign address" "$(foreign6)" 0

# --- the switch ---
sed -i 's/^ipv6 = yes/ipv6 = no/' /etc/ppp/mwan.ini
ok "ipv6 = no" mwan-rules apply
is "no rule has an address of IPv6" \
	"$(nft list table inet mwan | grep -c 'ip6')" 0
by "policies of both families are IPv4's" ppp1=2 10.9.2.1 10.9.2.2
done_testing
