#!/bin/bash
# cprt, every kind of route: what is in SRC arrives in DST as it is, both as
# written by cprt and by the commands of cprt -n, and a second run is idle.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

# All routes of a table but the defaults, without the seconds that run.
table() {
	ip -d -4 route show table "$1" 2>/dev/null |
		grep -vE '^[a-z]+ default'
	ip -d -6 route show table "$1" 2>/dev/null |
		grep -vE '^[a-z]+ default' |
		sed -E 's/expires [0-9]+sec/expires/'
}

# How many routes? ip -o prints each in one line.
count() {
	{
		ip -4 -o route show table "$1"
		ip -6 -o route show table "$1"
	} 2>/dev/null | grep -c .
}

# kind NAME ADD...: put the routes into a new table $src and copy them. (ip
# route flush does not get rid of every kind.)
src=1000 dst=4294967296 other=2000
kind() {
	local name=$1 route
	shift
	src=$((src + 1)) dst=$((dst - 1)) other=$((other + 1))
	for route; do
		# shellcheck disable=SC2086	# words of a command
		ip ${route/append/append table $src} ||
			diag "not added: $route"
	done
	is "$name: is there" "$(count "$src")" "$#"
	ok "$name: is copied" cprt "$src" "$dst"
	is "$name: arrives as it is" "$(table "$dst")" "$(table "$src")"
	is "$name: a second run is idle" "$(writes cprt "$src" "$dst")" 0
	cprt -n "$src" "$other" >"$T/commands"
	ok "$name: the commands of -n work" sh -e "$T/commands"
	is "$name: and do the same" "$(table "$other")" "$(table "$src")"
}

a4='-4 route append'
a6='-6 route append'
ip link add vc0 type veth peer name vc1
ip link set vc1 up
ip link set vc0 up
ok 'the addresses are ready' wires
ip nexthop add id 1 via 10.1.1.2 dev va0
ip nexthop add id 2 via 10.1.2.2 dev vb0
ip nexthop add id 3 group 1,3/2
ip nexthop add id 4 blackhole
ip -6 nexthop add id 11 via 2001:db8:1::2 dev va0
ip -6 nexthop add id 12 via 2001:db8:2::2 dev vb0
ip nexthop add id 13 group 11,5/12
ip -6 nexthop add id 14 blackhole

kind 'link scope' "$a4 10.10.0.0/16 dev va0" "$a4 10.11.0.0/16 dev vb0"
kind 'gateway' "$a4 10.10.0.0/16 via 10.1.1.2"
kind 'via inet6' "$a4 10.10.0.0/16 via inet6 fe80::9 dev va0"
kind 'onlink' "$a4 10.10.0.0/16 via 10.77.0.1 dev va0 onlink" \
	"$a6 2001:db8:10::/48 via 2001:db8:77::1 dev va0 onlink"
kind 'protocol, scope, source' "$a4 10.10.0.0/16 via 10.1.1.2 proto 77" \
	"$a4 10.11.0.0/16 dev va0 scope global src 10.1.2.1" \
	"$a4 10.12.0.0/16 dev va0 scope 250 proto unspec" \
	"$a6 2001:db8:10::/48 dev va0 src 2001:db8:1::1 proto bgp"
kind 'metrics' "$a4 10.10.0.0/16 via 10.1.1.2 mtu lock 1400 advmss 1300" \
	"$a4 10.11.0.0/16 via 10.1.1.2 mtu 1400 hoplimit 7 window 4000" \
	"$a4 10.12.0.0/16 via 10.1.1.2 rtt lock 30ms rttvar 10ms cwnd lock 9" \
	"$a4 10.13.0.0/16 via 10.1.1.2 rto_min 40ms initcwnd 20 initrwnd 21" \
	"$a4 10.14.0.0/16 via 10.1.1.2 ssthresh 33 reordering 5 quickack 1" \
	"$a4 10.15.0.0/16 via 10.1.1.2 features ecn congctl reno" \
	"$a6 2001:db8:10::/48 dev va0 mtu lock 1400 congctl lock reno" \
	"$a6 2001:db8:11::/48 via 2001:db8:1::2 hoplimit 9 advmss 1200"
kind 'realms' "$a4 10.10.0.0/16 via 10.1.1.2 realms 5/6" \
	"$a4 10.11.0.0/16 via 10.1.1.2 realms 7"
kind 'metric and tos' "$a4 10.10.0.0/16 via 10.1.1.2" \
	"$a4 10.10.0.0/16 via 10.1.1.3 metric 5" \
	"$a4 10.10.0.0/16 via 10.1.1.4 tos 0x10" \
	"$a4 10.10.0.0/16 via 10.1.1.5 tos 0x10 metric 4000000000" \
	"$a6 2001:db8:10::/48 via 2001:db8:1::2 metric 5" \
	"$a6 2001:db8:10::/48 via 2001:db8:1::2 metric 4000000000"
kind 'several of one key' "$a4 10.10.0.0/16 via 10.1.1.3" \
	"$a4 10.10.0.0/16 via 10.1.1.2" "$a4 10.10.0.0/16 dev vb0" \
	"$a4 blackhole 10.10.0.0/16" "$a4 10.10.0.0/16 via 10.1.1.2 proto 9" \
	"$a6 2001:db8:10::/48 dev vb0" "$a6 2001:db8:10::/48 dev va0" \
	"$a6 unreachable 2001:db8:10::/48"
kind 'one prefix inside another' "$a4 10.0.0.0/8 dev va0" \
	"$a4 10.0.0.0/16 dev va0" "$a4 10.1.0.0/16 dev va0" \
	"$a4 10.0.0.0/7 dev va0" "$a4 0.0.0.0/1 dev va0" \
	"$a6 2000::/3 dev va0" "$a6 2001:db8::/32 dev va0" \
	"$a6 2001:db8:5::/48 dev va0" "$a6 2001:db8:5:1::/64 dev va0" \
	"$a6 8000::/1 dev va0" "$a6 2001:db8:a::/128 dev va0"
kind 'multipath' \
	"$a4 10.10.0.0/16 nexthop via 10.1.1.2 weight 3 nexthop via 10.1.2.2" \
	"$a4 10.11.0.0/16 nexthop dev va0 weight 255 nexthop dev vb0" \
	"$a4 10.12.0.0/16 nexthop via inet6 fe80::1 dev va0 nexthop dev vb0" \
	"$a4 10.13.0.0/16 nexthop via 10.77.0.1 dev va0 onlink nexthop dev vb0"
# One command, one route.
kind 'IPv6 multipath' "$a6 2001:db8:10::/48 nexthop via 2001:db8:1::2 weight \
3 nexthop via 2001:db8:2::2 weight 256" "$a6 2001:db8:11::/48 proto 9 nexthop \
via fe80::1 dev va0 nexthop via fe80::1 dev vb0 nexthop via fe80::2 dev vb0"
kind 'reject' "$a4 blackhole 10.10.0.0/16" "$a4 unreachable 10.11.0.0/16" \
	"$a4 prohibit 10.12.0.0/16 metric 9" "$a4 throw 10.13.0.0/16" \
	"$a6 blackhole 2001:db8:10::/48" "$a6 unreachable 2001:db8:11::/48" \
	"$a6 prohibit 2001:db8:12::/48" "$a6 throw 2001:db8:13::/48 metric 9"
kind 'other types' "$a4 local 10.10.0.0/24 dev va0" \
	"$a4 broadcast 10.11.0.255 dev va0" \
	"$a4 multicast 224.9.0.0/16 dev va0" \
	"$a4 anycast 10.12.0.1 dev va0" "$a6 local 2001:db8:10::1 dev va0" \
	"$a6 anycast 2001:db8:11::1 dev va0" "$a6 multicast ff05::/16 dev va0"
kind 'nexthop objects' "$a4 10.10.0.0/16 nhid 1" \
	"$a4 10.11.0.0/16 nhid 3 metric 4" "$a4 10.12.0.0/16 nhid 4" \
	"$a4 10.13.0.0/16 nhid 1 src 10.1.1.1 mtu 1400" \
	"$a6 2001:db8:10::/48 nhid 11" "$a6 2001:db8:11::/48 nhid 13" \
	"$a6 2001:db8:12::/48 nhid 14"
kind 'preference' "$a6 2001:db8:10::/48 via 2001:db8:1::2 pref high" \
	"$a6 2001:db8:11::/48 dev va0 pref low" "$a6 2001:db8:12::/48 dev va0"
segs=fc00::1,fc00::2
kind 'encapsulation' \
	"$a4 10.10.0.0/16 encap ip id 5 dst 10.1.1.7 ttl 9 tos 4 key dev va0" \
	"$a6 2001:db8:10::/48 encap ip6 id 5 dst fc00::7 hoplimit 9 dev va0" \
	"$a6 2001:db8:11::/48 encap seg6 mode encap segs $segs dev va0" \
	"$a6 2001:db8:12::/48 encap seg6 mode inline segs $segs dev va0"
kind 'source specific' "$a6 2001:db8:10::/48 from 2001:db8:77::/64 dev va0" \
	"$a6 2001:db8:10::/48 dev vb0" "$a6 2001:dba::/32 dev vb0" \
	"$a6 2001:dba::/32 from 2001:db8:77::/64 via 2001:db8:1::2" \
	"$a6 2001:dba::/32 from 2001:db8:77:1::/80 via 2001:db8:1::2"
kind 'gateways that only this table reaches' "$a4 10.99.0.0/24 dev vc0" \
	"$a4 10.50.0.0/16 via 10.99.0.1" "$a4 10.100.0.0/16 via 10.99.0.1" \
	"$a6 2001:db8:99::/64 dev vc0" \
	"$a6 2001:db8:50::/48 via 2001:db8:99::1" \
	"$a6 2001:db8:a0::/48 via 2001:db8:99::1"

ip link set va1 down
ok 'the carrier is gone' wait_for 5 sh -c 'ip -d link show va0 | grep NO-CARR'
kind 'link down' "$a4 10.10.0.0/16 via 10.1.1.2 dev va0" \
	"$a4 10.11.0.0/16 nexthop via 10.1.1.2 dev va0 nexthop via 10.1.2.2" \
	"$a6 2001:db8:10::/48 via 2001:db8:1::2 dev va0" \
	"$a6 2001:db8:11::/48 dev va0" "$a6 2001:db8:12::/48 nexthop via \
2001:db8:1::2 dev va0 nexthop via 2001:db8:2::2 dev vb0"
like 'link down: the kernel says so' "$(ip route show table $src)" linkdown
ip link set va1 up
ok 'the carrier is back' wait_for 5 \
	sh -c "! ip route show table $src | grep linkdown"

# Expiring routes: the same second, give or take one.
left() {
	ip -6 route show table "$1" | sed -En 's/.*expires ([0-9]+)sec.*/\1/p'
}

kind 'expiry' "$a6 2001:db8:10::/48 via 2001:db8:1::2 expires 500" \
	"$a6 2001:db8:11::/48 dev va0"
is 'expiry: one of the two' "$(left $dst | grep -c .)" 1
ok 'expiry: the time that is left' test $(($(left $src) - \
	$(left $dst) + 1)) -ge 0 -a $(($(left $src) - \
	$(left $dst))) -le 1
ip -6 route replace 2001:db8:10::/48 via 2001:db8:1::2 expires 900 table $src
is 'expiry: a new one is copied' "$(writes cprt $src $dst)" 1
ok 'expiry: and arrives' test "$(left $dst)" -gt 890
ip -6 route replace 2001:db8:10::/48 via 2001:db8:1::2 table $src
is 'expiry: none any more' "$(writes cprt $src $dst)" 1
is 'expiry: none any more in the copy' "$(left $dst)" ''

# What the kernel itself puts into main and local, of va1's address when nobody else
# is found to have it.
ok 'the carrier is back: so is its address' wait_for 9 \
	sh -c 'ip -6 addr show dev va1 scope link -tentative | grep inet6'
ip route add default via 10.1.1.2
ok 'main' cprt main 305
is 'main arrives' "$(table 305)" "$(table main)"
ok 'main to a name' sh -c 'echo 306 dsl >>/etc/iproute2/rt_tables &&
	cprt main dsl'
is 'main arrives by name' "$(table 306)" "$(table main)"
ok 'local' cprt local 307
is 'local arrives' \
	"$(table 307 | grep -v 'metric 1024')" \
	"$(table local | grep -v 'metric 0')"
is 'local: IPv6 metric 0 cannot be asked for' \
	"$(ip -6 route show table 307 | grep -c 'metric 1024')" \
	"$(ip -6 route show table local | grep -c 'metric 0')"
# The kernel itself may still add to it.
# shellcheck disable=SC2317	# wait_for calls it
local_is_idle() {
	[ "$(writes cprt local 307)" = 0 ]
}
ok 'local: another run is idle' wait_for 9 local_is_idle

done_testing
