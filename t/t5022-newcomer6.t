#!/bin/bash
# Whose IPv6 works is not harmed by ours: with nothing known of the links'
# prefixes, with a part of them, and with addresses that are no link's at all, what
# had an answer before has the same one afterwards.
#
# As in lib/lan6.sh, with a tunnel to a provider of its own, 2001:db8:77::/48.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan6.sh
. "$root/t/lib/lan6.sh"

net6 2
# 2001:db8:0:1::7 and 2001:db8:1:1::7 have the links' prefixes.
ip link add tun0 address 02:00:00:00:06:fd arp off type veth peer name tun0 \
	address 02:00:00:00:06:fd arp off netns inet
ip -n inet link set tun0 arp off up
ip link set tun0 up
ip -6 addr add 2001:db8:77:1::1/64 dev lan0 nodad
ip -n lan -6 route add local 2001:db8:77:1::/64 dev lo
ip -n inet -6 route add 2001:db8:77::/48 dev tun0
inet nft add rule ip6 provider from iifname tun0 ip6 saddr != \
	2001:db8:77::/48 counter name foreign drop
hosts="2001:db8:0:1::7 2001:db8:1:1::7 2001:db8:77:1::7 fd00:9::7"

ip netns attach router $$

# ways: "WHAT OPTION... HOST" for each host's own flows, of three packets each, pings
# that come to it, and the router's own sockets.
ways() {
	local host

	for host in $hosts; do
		echo "from6 lan -n 3 $host"
		echo "from6 lan -n 3 -t tcp $host"
		echo "ping6_from inet $server6 $host"
		echo "from6 router -n 3 ${host%7}1"
	done
}

ping6_from() { ns6=$1 ping6 "$2" "$3" && echo "in to $3"; }

# answers FILE [OPTION]: all of them at once, "WAY = ANSWER" each
answers() {
	local way asking=()

	while read -r way; do
		# shellcheck disable=SC2086 # words
		echo "$way = $(${way/-n 3/-n 3 ${2-}} 2>/dev/null)" &
		asking+=($!)
	done <"$1"
	wait "${asking[@]}"
}

before() {
	ways >"$T/ways"
	answers "$T/ways" "-w 2" | grep -v ' = \(.* \(-\|E[A-Z]*\)\)\?$' |
		sort >"$T/before"
	sed 's/ = .*//' "$T/before" >"$T/asked"
}

# as_before DESCRIPTION: is all of it there again?
as_before() {
	is "$1" "$(answers "$T/asked" | sort)" "$(cat "$T/before")"
}

# with LINE... : what the file says besides two links
with() {
	conf6 -- 1 1
	sed -i '/^prefix6/d' /etc/ppp/mwan.ini
	rm -f /run/mwan/prefix6
	while [ $# -ge 2 ]; do
		sed -i "s,^\[link $1\],&\nprefix6 = $2," /etc/ppp/mwan.ini
		shift 2
	done
	ok "apply" mwan-rules apply
}

for way in ppp0 ppp1 tun0; do
	ip -6 route replace default dev $way metric 512
	mwan-rules flush 2>/dev/null
	before
	like "a default route by $way: some have an answer" \
		"$(wc -l <"$T/before")" '^[4-9]$'
	with
	as_before "$way, nothing known"
	with ppp0 "$(prefix_of 0)"
	as_before "$way, a prefix of ppp0 known"
	with ppp0 2001:db8:0:ffff::/64
	as_before "$way, a part of ppp0's"
	with ppp0 "$(prefix_of 0)" ppp1 "$(prefix_of 1)"
	as_before "$way, both known"
	ip -6 route del default dev $way metric 512
done
for host in 2001:db8:0:1::7 2001:db8:1:1::7 fd00:9::7; do
	like "$host has an answer now" "$(ask6 $host)" ' 2001:db8:[01]:'
done

# --- a line comes with another prefix: the earlier one is known ---
mwan-rules flush 2>/dev/null
with
ok "a prefix of ppp0" mwan-rules prefix ppp0 2001:db8:77::/48
ok "of ppp1" mwan-rules prefix ppp1 "$(prefix_of 1)"
ok "another one of ppp0" mwan-rules prefix ppp0 "$(prefix_of 0)"
like "the earlier one is known" "$(nft list set inet mwan known6)" \
	'2001:db8:77::/48'
like "and is translated" "$(ask6 2001:db8:77:1::7)" \
	'^2001:db8:77:1::7 2001:db8:[01]:ffff::6d77:'
ok "what the kernel has is what is wanted" mwan-rules apply
like "so nothing is changed" "$(tail -n 1 /var/log/ifchang.log)" 'changes=0 '
nft delete element inet mwan known6 '{ 2001:db8:77::/48 }'
ok "what somebody else takes away" mwan-rules apply
like "is put back" "$(nft list set inet mwan known6)" '2001:db8:77::/48'
done_testing
