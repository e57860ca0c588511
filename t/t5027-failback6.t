#!/bin/bash
# failback in IPv6. The line of the better tier is lost and returns with another
# prefix: flows that have gone to the worse one stay there, or with "move" begin
# again by the better one. A host with the worse line's own prefix is not
# concerned, and no provider ever gets a packet from a foreign address.

# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/isp6.sh
. "$root/t/lib/isp6.sh"

# The line, by its prefix, of each host's UDP flow: "0 1 0 0"
by() { # GROUP
	for host in $hosts; do
		line_of "$1" "$host"
	done | sed "s/^$B:.*/1/; s/^2001:db8:a.*/0/" | paste -sd' '
}
is_by() { [ "$(by "$1")" = "$2" ]; }

conf() { # FAILBACK
	ini 'ipv6 = yes' "failback = $1" '[link ppp0]' 'table = 201' \
		'[link ppp1]' 'table = 202' 'tier = 2'
	ok "$1: apply" mwan-rules apply
}

# FAILBACK PREFIX: the first line has this one when it returns
outage() {
	open "$1" 20
	ok "$1: every flow is answered" wait_for 20 answered "$1"
	is "$1: by the better tier, or by the host's own prefix" "$(by "$1")" \
		"0 1 0 0"
	ip link del ppp0
	ok "$1: the first line is lost, and its flows go by the other" \
		wait_for 20 is_by "$1" "1 1 1 1"
	ok "$1: ipv6-down" ip-down.local ppp0 eth1 0 fe80::00a0 fe80::00b0
	ok "$1: ip-down" hook down ppp0 10.64.0.100
	delegates 0 "$2"
	session 0 "$2"
	ok "$1: told of the new prefix" mwan-rules prefix ppp0 "$2::/56"
	ok "$1: ipv6-up" ip-up.local ppp0 eth1 0 fe80::00a0 fe80::00b0
	ok "$1: ip-up" hook up ppp0 10.64.0.100
	ctl open "new-$1" udp $U::16 $server 7000
	ok "$1: what is new takes the better line" wait_for 20 answered "new-$1"
	like "$1: by its prefix" "$(line_of "new-$1" $U::16)" "^$2:ff::"
}

conf stay
ok "the first line's prefix" mwan-rules prefix ppp0 $A::/56
ok "the second line's prefix" mwan-rules prefix ppp1 $B::/56
outage stay $A2
sleep 1
is "stay: flows are where they were" "$(by stay)" "1 1 1 1"
is "stay: and have moved once" \
	"$(sum stay $A::11 udp changes)$(sum stay $U::15 udp changes)" 11
ctl close stay

conf move
outage move $A
ok "move: flows begin again by the better line" wait_for 20 is_by move "0 1 0 0"
is "move: the host of the prefix that is back is not translated" \
	"$(line_of move $A::11)" $A::11
like "move: the log says whose flows were ended" \
	"$(grep ended= /var/log/ifchang.log)" 'ended=ppp1'

settle
for group in stay move; do
	is "$group: the worse line's own host: nothing lost, moved or reset" \
		"$(hosts=$B::13 harm $group)" 0
done
is "no provider got a packet from a foreign address" "$(foreign)" "0 0"

done_testing
