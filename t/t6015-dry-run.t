#!/bin/bash
# What -n prints, run by sh in a twin of this network, comes to the same in the
# kernel as the tool itself; -n alone changes nothing. The twin has links of
# the same names and addresses, and sees the same files: -n is asked there
# before the tool runs here, the commands run after it.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh disable=SC2317 # both calls
. "$(dirname "$0")/lib/lib.sh"

twin() {
	nsenter --net=/run/netns/twin "$@"
}

# both COMMAND...: here and in the twin; it may be link_new.
both() {
	"$@"
	twin bash -c '"$@"' both "$@"
}
export -f link_new

# All that a plan may change, as text without handles, counters or clocks.
state() {
	ip rule
	ip nexthop
	ip route show table all
	ip -6 route show table 301
	# Chains are listed in the order in which they came.
	nft -s list ruleset | perl -ne 'push @c, "" if /^\tchain/; $c[-1] .= $_;
		BEGIN { @c = "" } END { print sort @c }'
	sysctl net.ipv4.ip_forward net.ipv4.conf.{ppp0,ppp1}.rp_filter
	for link in ppp0 ppp1 ppp2; do
		tc qdisc show dev $link
	done
	conntrack -L | sed -E 's/^(\S+ +[0-9]+) [0-9]+/\1/' | sort
} 2>/dev/null
export -f state

twin_state() {
	twin bash -c state
}

# step DESCRIPTION TOOL ARGUMENT...
step() {
	local what=$1 tool=$2 before
	shift 2
	before=$(twin_state)
	twin env -i "PATH=$PATH" "$tool" -n "$@" >"$T/commands" 2>"$T/said"
	is "$what: -n" "$?$(cat "$T/said")" 0
	is "$what: -n changes nothing" "$(twin_state)" "$before"
	env -i "PATH=$PATH" "$tool" "$@" >"$T/said" 2>&1 ||
		diag "$(cat "$T/said")"
	not_ok "$what: the tool changes something" test "$(state)" = "$before"
	# conntrack(8) fails where there is no connection to delete.
	twin sh "$T/commands" 2>"$T/said" >"$T/sh.out"
	is "$what: no command fails" "$(grep -v \
		'^conntrack v.*flow entries have been deleted' "$T/said")" ""
	is "$what: the commands come to the same" "$(diff <(state) \
		<(twin_state))" ""
}

connect() { # MARK...: a connection with each of them
	for mark; do
		conntrack -I -p udp -s 192.168.7.1 -d 192.0.2.1 \
			--sport $((1000 + mark)) --dport 53 -t 600 -m "$mark"
		conntrack -I -p udp -s 192.168.7.1 -d 192.0.2.1 \
			-r 192.0.2.1 -q 10.64.1.100 --sport $((2000 + mark)) \
			--dport 53 --reply-port-src 53 \
			--reply-port-dst $((2000 + mark)) -t 600 -m "$mark"
	done >/dev/null 2>&1
}
export -f connect

up() { # NUMBER
	both link_new "ppp$1" "10.64.$1.100" "10.64.$1.1"
	step "ppp$1 up" ip-up.local "ppp$1" eth9 0 "10.64.$1.100" "10.64.$1.1"
}

down() { # NUMBER
	both ip link del "ppp$1"
	step "ppp$1 down" ip-down.local "ppp$1" eth9 0 "10.64.$1.100" \
		"10.64.$1.1"
}

links_wanted ppp0 ppp1 ppp2
ip netns add twin
twin ip link set lo up
both sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.default.rp_filter=1

ini '[link ppp0]' '[link ppp1]'
step "first apply" mwan-rules apply
up 0
up 1
both connect 1 2
like "there are connections" "$(conntrack -L 2>/dev/null | grep -c mark=2)" 2
step "drain" mwan-rules drain ppp1
step "undrain" mwan-rules undrain ppp1
both ip addr add 192.0.2.9/32 dev ppp1
step "one more address" ip-up.local ppp1 eth9 0 10.64.1.100 10.64.1.1
both ip addr del 10.64.1.100 peer 10.64.1.1 dev ppp1
both ip addr add 10.64.1.100 peer 10.64.0.1 dev ppp1
step "one peer for both" ip-up.local ppp1 eth9 0 10.64.1.100 10.64.0.1
both connect 1 2
down 1
down 0
up 1

cat >/etc/ppp/mwan.ini <<'END'
[mwan]
qdisc = none
rule_priority = 2000
mark_mask = 0xff00
standby_table = 250
nexthop_base = 77256
balance = flow
sticky = 90m
last_resort = unreachable
lan = lan0 lan1
[link ppp0]
weight = 3
[link ppp2]
[link ppp1]
tier = 2
[policy mail]
source = 10.9.0.0/16 10.8.0.1-10.8.0.9
protocol = tcp
destination_port = 25 587 1000-2000
use = ppp1
if_down = unreachable
[policy rest]
protocol = icmp
use = main
END
# Apply gives connections their links' new marks. No conntrack(8) does that: it
# either looks for a mark or sets one.
like "what no command does is told" "$(mwan-rules apply -n)" \
	'# A connection with mark 0x1/0xff would get 0x100/0xff00[.]'
both conntrack -F 2>/dev/null
step "changed configuration" mwan-rules apply
both connect 256 768
up 0
step "drain with tiers" mwan-rules drain ppp0
step "undrain with tiers" mwan-rules undrain ppp0

# With connections of the worse tier, which end when the better one is back.
sed -i 's/^\[mwan\]/&\nfailback = move/' /etc/ppp/mwan.ini
down 0
mwan-rules apply 2>/dev/null
twin mwan-rules apply 2>/dev/null
both conntrack -F 2>/dev/null
both connect $((1 << 8)) $((3 << 8))
up 0
is "failback = move: ends those of the worse tier" \
	"$(conntrack -L 2>/dev/null | grep -o 'mark=[0-9]*' | sort -u)" mark=256

both ip rule flush protocol 119
both nft flush ruleset
# Connections that have begun meanwhile. The tool leaves those alone that are
# translated, which conntrack(8) cannot ask for.
both conntrack -F 2>/dev/null
both conntrack -I -p udp -s 192.168.7.1 -d 192.0.2.1 --sport 4000 --dport 53 \
	-t 600 >/dev/null 2>&1
like "one is there" "$(conntrack -L 2>/dev/null)" 'sport=4000.*UNREPLIED'
step "what others have deleted" mwan-rules apply
is "and it is ended" "$(conntrack -L 2>/dev/null)" ""
step "last flush" mwan-rules flush

# Routes of kinds that a router seldom has.
odd() {
	local r='ip route add table 300'

	$r 10.10.0.0/16 via 10.64.0.1 dev ppp0 onlink mtu lock 1400 advmss 1300
	$r 10.11.0.0/16 dev ppp0 src 10.64.1.100 proto 77 metric 5
	$r unreachable 10.12.0.0/16 metric 9
	$r blackhole 10.13.0.0/16
	$r throw 10.14.0.0/16
	$r prohibit 10.15.0.0/16
	$r 10.16.0.0/16 nexthop dev ppp0 weight 3 nexthop dev ppp1 weight 2
	$r 10.17.0.0/16 dev ppp1 tos 0x10
	ip nexthop add id 5 via 10.64.0.1 dev ppp0
	$r 10.18.0.0/16 nhid 5
	ip -6 route add blackhole 2001:db8::/32 table 300
	ip route add 10.99.0.0/16 dev ppp0 table 301
	ip route add default dev ppp1 table 301
}
export -f odd
both odd
is "odd routes" "$(ip route show table 300 | grep -c '^[a-z1]')" 9
step "cprt" cprt 300 301
ip route del table 300 10.17.0.0/16 tos 0x10
twin ip route del table 300 10.17.0.0/16 tos 0x10
both ip route change table 300 10.11.0.0/16 dev ppp1 metric 5
step "cprt of what has changed" cprt --flush 300 301
done_testing
