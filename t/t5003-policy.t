#!/bin/bash
# Policies: which connections they are about, what becomes of them, and that
# nothing of the LAN or of main's own routes is ever sent to a link.
#
# As in lib/lan.sh, with the tunnel, into which main has a default of its own.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

net5 3
net_vpn default
conf "balance = round-robin" -- 1 1 1
policy first "source = 10.9.0.0/24" "protocol = tcp" "use = ppp2"
policy shadow "source = 10.9.0.0/24" "protocol = tcp" \
	"destination_port = 80" "use = ppp1"
policy addresses "source = 10.9.1.1 10.9.1.8/29 10.9.1.100-10.9.1.103" \
	"use = ppp1"
policy tunnel "source = 10.9.2.0/24" "destination = 198.51.100.2" "use = main"
policy server "source = 10.9.2.0/24" \
	"destination = 198.51.0.0-198.51.99.255 198.51.100.0/31" "use = ppp0"
policy ping "source = 10.9.3.0/24" "protocol = icmp" "use = ppp2"
policy number "source = 10.9.3.0/24" "protocol = 17" "use = ppp1"
policy web "source = 10.9.4.0/24" "protocol = tcp udp" \
	"destination_port = 80 443 8000-8080" "use = ppp2"
policy sip "source = 10.9.4.0/24" "protocol = udp" \
	"source_port = 5060-5069 7000" "use = ppp0"
policy office "interface = vpn0" "use = ppp1"
policy except "source = 10.9.5.7" "use = balance"
policy most "source = 10.9.5.0/24" "use = ppp0"
policy strict "source = 10.9.8.0/24" "use = ppp0" "if_down = unreachable"
policy soft "source = 10.9.9.0/24" "use = ppp0" "if_down = balance"
ok "apply" mwan-rules apply

# --- keys ---
by "a source and a protocol" ppp2=3 -t tcp -s 10.9.0.0 -n 3
port=80 by "the first that matches wins" ppp2=3 -t tcp -s 10.9.0.0 -n 3
by "another protocol is balanced" "ppp0=1 ppp1=1 ppp2=1" -s 10.9.0.0 -n 3
by "an address" ppp1=3 -s 10.9.1.1 -c 3
by "a prefix" ppp1=8 -s 10.9.1.8 -n 8
by "a range" ppp1=4 -s 10.9.1.100 -n 4
by "beside them" "ppp0=2 ppp1=2 ppp2=2" -s 10.9.1.2 -n 6
by "a destination by a link" ppp0=3 -s 10.9.2.0 -n 3
inet=198.51.100.2 by "a destination for main goes into the tunnel" \
	"10.9.2.0=1 10.9.2.1=1 10.9.2.2=1" -s 10.9.2.0 -n 3
by "ICMP" ppp2=3 -t icmp -s 10.9.3.0 -n 3
by "a protocol's number" ppp1=3 -s 10.9.3.0 -n 3
by "neither of the two" "ppp0=1 ppp1=1 ppp2=1" -t tcp -s 10.9.3.0 -n 3
port=80 by "a destination port, TCP" ppp2=3 -t tcp -s 10.9.4.0 -n 3
port=80 by "a destination port, UDP" ppp2=3 -s 10.9.4.0 -n 3
by "source ports, a range" ppp0=10 -s 10.9.4.0 -p 5060 -c 10
by "source ports, one" ppp0=1 -s 10.9.4.0 -p 7000
by "source ports of TCP are others" "ppp0=1 ppp1=1 ppp2=1" \
	-t tcp -s 10.9.4.0 -p 5060 -c 3
by "beside the ports" "ppp0=1 ppp1=1 ppp2=1" -s 10.9.4.0 -p 5070 -c 3
vpn "$deal" ask -s 10.20.0.1 -n 3 $inet $port >"$T/by"
is "an interface" "$(tally "$T/by")" ppp1=3
by "use = balance: an exception" "ppp0=2 ppp1=2 ppp2=2" -s 10.9.5.7 -c 6
by "from the rest" ppp0=6 -s 10.9.5.8 -n 6

# --- never to a link ---
office=10.20.0.1
# Two hosts, each under a policy.
lan_to_lan() {
	local proto
	for proto in udp tcp icmp; do
		inet=$office by "$1: a strict host to the office, $proto" \
			10.9.8.1=1 -t $proto -s 10.9.8.1
		inet=$office by "$1: a balanced host to the office, $proto" \
			10.9.7.1=1 -t $proto -s 10.9.7.1
	done
}
lan_to_lan "links up"

# --- the link is down ---
by "a strict policy by its link" ppp0=3 -s 10.9.8.0 -n 3
keep others -s 10.9.7.0 -n 6 -p 4000
without ppp0 "$T/others" >"$T/others.want"
cut_off 0
for proto in udp tcp icmp; do
	by "unreachable at once, $proto" ENETUNREACH=3 -t $proto \
		-s 10.9.8.10 -n 3
	ask -t $proto -s 10.9.9.10 -n 3 >"$T/by"
	is "if_down = balance goes on by others, $proto" \
		"$(grep -c " 10.64.[12].100$" "$T/by")" 3
done
again others "$T/others.now"
is "others' flows by living links are as they were" \
	"$(grep -cFxf "$T/others.want" "$T/others.now")" \
	"$(wc -l <"$T/others.want")"
hook down ppp0 10.64.0.100 10.64.0.1
by "unreachable after the hook, too" ENETUNREACH=3 -s 10.9.8.20 -n 3
up 0
by "the link is back" ppp0=3 -s 10.9.8.20 -n 3 -p 2000

# --- a policy comes while connections last ---
conf "balance = round-robin" -- 1 1 1
mwan-rules apply
keep old -s 10.9.8.0 -n 6 -p 5000
policy strict "source = 10.9.8.0/24" "use = ppp0" "if_down = unreachable"
mwan-rules apply
cut_off 0
without ppp0 "$T/old" >"$T/old.want"
again old "$T/old.now"
is "flows by other links outlive a policy and its link" \
	"$(grep -cFxf "$T/old.want" "$T/old.now")" 4
up 0

# --- no link at all ---
# That main has a default of its own is last_resort's affair.
conf "last_resort = unreachable" -- 1 1 1
policy strict "source = 10.9.8.0/24" "use = ppp0" "if_down = unreachable"
mwan-rules apply
cut_off 0 1 2
lan_to_lan "all links down"
for i in 0 1 2; do
	hook down ppp$i "$(local_of $i)" "10.64.$i.1"
done
lan_to_lan "and the hooks have run"
by "a strict host is told" EHOSTUNREACH=3 -s 10.9.8.30 -n 3
by "and so is any other" EHOSTUNREACH=3 -s 10.9.9.30 -n 3
done_testing
