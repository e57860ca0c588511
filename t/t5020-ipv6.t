#!/bin/bash
# IPv6 on two lines that each give the LAN a prefix: hosts of the first line's
# prefix, of the second one's and with unique local addresses. The first line
# goes without any process of ours and comes back with another prefix: what is
# lost, who moves, and that no provider ever gets a packet from an address that
# is not its own (it would drop it, BCP 38).
#
# Lines are veths with pppd's addresses and without neighbour discovery; t8011 has
# real ones.
. "$(dirname "$0")/lib/lib.sh"

A=2001:db8:a00 B=2001:db8:b00 A2=2001:db8:a77 U=fd00:1:2
server=2001:db8:ffff::1
flows=$BIN/../t/flows
meter=$T/flows.sock

# --- the world around ---
mkdir -p /run/netns
sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1 \
	net.ipv6.conf.default.accept_dad=0
for n in inet lan isp0 isp1; do
	ip netns add $n
	ip -n $n link set lo up
	ip netns exec $n sysctl -qw net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.default.accept_ra=0
	[ $n = lan ] || ip netns exec $n sysctl -qw \
		net.ipv6.conf.all.forwarding=1 \
		net.ipv6.conf.default.forwarding=1
done
ip -n inet addr add $server/128 dev lo

session() { # K PREFIX: what IPCP and IPV6CP leave behind
	ip link add "ppp$1" type veth peer name r netns "isp$1"
	ip link set "ppp$1" address "02:00:00:00:00:0$1" arp off \
		addrgenmode none mtu 1492 up
	ip -n "isp$1" link set r address "02:00:00:00:00:0$1" arp off \
		addrgenmode none mtu 1492 up
	ip addr add "10.64.$1.100" peer "10.64.$1.1" dev "ppp$1"
	ip -6 addr add "fe80::a$1" peer "fe80::b$1/128" dev "ppp$1"
	ip -n "isp$1" -6 addr add "fe80::b$1" peer "fe80::a$1/128" dev r
	ip -n "isp$1" -6 route replace "$2::/56" dev r
}

for k in 0 1; do
	ip -n isp$k link add core type veth peer name i$k netns inet
	ip -n isp$k link set core up
	ip -n inet link set i$k up
	ip -n isp$k -6 addr add 2001:db8:fff$k::1/64 dev core
	ip -n inet -6 addr add 2001:db8:fff$k::2/64 dev i$k
	ip -n isp$k -6 route add default via 2001:db8:fff$k::2
	ip netns exec isp$k nft -f - <<-N
	table ip6 bcp38 {
		set own { type ipv6_addr; flags interval; }
		counter bad { }
		chain f { type filter hook forward priority 0
			iifname "r" ip6 saddr != @own counter name bad drop
		}
	}
	N
done
delegates() { # K PREFIX: the provider's side
	ip netns exec "isp$1" nft "flush set ip6 bcp38 own
		add element ip6 bcp38 own { $2::/56 }"
	ip -n inet -6 route replace "$2::/40" via "2001:db8:fff$1::1"
}
delegates 0 $A
delegates 1 $B
session 0 $A
session 1 $B

ip link add lan0 type veth peer name h0 netns lan
ip link set lan0 up
ip -n lan link set h0 up
ip -6 addr add fe80::1/64 dev lan0 nodad
ip -n lan -6 route add default via fe80::1 dev h0
for a in $A::11 $B::13 $U::15 $U::16; do
	ip -n lan -6 addr add "$a/64" dev h0
done
for p in $A $B $U; do
	ip -6 addr add "$p::1/64" dev lan0 nodad
done

# foreign K: packets from foreign addresses that the provider got
foreign() {
	ip netns exec "isp$1" nft list counter ip6 bcp38 bad |
		sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

ctl() { "$flows" ctl "$meter" "$@"; }

# value KEY LINE
value() { sed -n "s/.* $1=\([^ ]*\).*/\1/p" <<<" $2 "; }

# sum GROUP SOURCE PROTO KEY: over the flows of a source
sum() {
	ctl report | grep "group=$1 proto=$3 src=$2 " |
		sed "s/.* $4=\([0-9]*\).*/\1/" | paste -sd+ | bc
}

settle() { ctl pause >/dev/null; sleep 2.5; }

printf '[mwan]\nipv6 = yes\nqdisc = none\n[link ppp0]\ntable = 201\n%s\n' \
	$'[link ppp1]\ntable = 202' >/etc/ppp/mwan.ini

ip netns exec inet "$flows" serve "$server:7000" &
served=$!
ip netns exec lan "$flows" client "$meter" &
metered=$!
wait_for 9 test -S "$meter"
test_foreign() { [ "$(foreign 1)" -gt 0 ]; }
answered() { ! ctl report | grep "group=$1 " | grep -q ' answered=0 '; }
line_of() { # GROUP SOURCE: the address by which it leaves
	ctl report | grep "group=$1 proto=udp src=$2 " |
		sed 's/.* last=\([^ ]*\).*/\1/'
}

# --- nothing known: as if we were not there ---
ip -6 route add default via fe80::b1 dev ppp1
ok "apply" mwan-rules apply
ctl open plain udp $B::13 $server 7000
ok "what worked before still does" wait_for 20 answered plain
is "under its own address" "$(line_of plain $B::13)" $B::13
is "no provider saw a foreign one" "$(foreign 0) $(foreign 1)" "0 0"
ctl open wrong udp $A::11 $server 7000 rate=1
ok "what did not work is not translated either" wait_for 9 test_foreign
ctl close plain
ctl close wrong
ip -6 route del default
ip netns exec isp1 nft reset counters >/dev/null

# --- two prefixes ---
ok "the first prefix" mwan-rules prefix ppp0 $A::/56
ok "the second prefix" mwan-rules prefix ppp1 $B::/56
hosts="$A::11 $B::13 $U::15 $U::16"
open() { # GROUP
	for host in $hosts; do
		ctl open "$1" udp "$host" $server 7000 rate=20
		ctl open "$1" tcp "$host" $server 7000 rate=20
	done
}
open early
ok "every flow is answered" wait_for 20 answered early
is "a host of a line's prefix keeps its address" "$(line_of early $A::11) $(
	line_of early $B::13)" "$A::11 $B::13"
like "one with a unique local address gets a line's" \
	"$(line_of early $U::15) $(line_of early $U::16)" \
	"2001:db8:[ab]00:ff::6d77:[12] 2001:db8:[ab]00:ff::6d77:[12]"

# --- the first line goes, and no process of ours runs ---
sleep 1
ctl mark cut
ip link del ppp0
ip -6 addr del $A::1/64 dev lan0
fresh() { # N: new connections, one after the other
	local i

	for i in $(seq "$1"); do
		for host in $hosts; do
			ctl open new udp "$host" $server 7000 rate=4
		done
		sleep 0.4
	done
}
fresh 5
open during
sleep 1
# It comes back with another prefix, which its client tells.
delegates 0 $A2
ip -n isp0 -6 route del $A::/56 2>/dev/null
session 0 $A2
ctl mark back
ok "told of the new prefix" mwan-rules prefix ppp0 $A2::/56
ip -6 addr add $A2::1/64 dev lan0 nodad
ok "ipv6-up" ip-up.local ppp0 eth1 0 fe80::00a0 fe80::00b0
ok "ip-up" hook up ppp0 10.64.0.100
fresh 5
settle
ctl report >"$T/report"

is "the healthy line's UDP: nothing lost" "$(sum early $B::13 udp lost)" 0
is "its TCP: not reset" "$(sum early $B::13 tcp resets)" 0
is "it never moves" "$(sum early $B::13 udp changes)$(
	sum early $B::13 tcp changes)" 00
few() { [ "$1" -le 2 ]; }
ok "the lost line's own host: two packets lost at most" \
	few "$(sum early $A::11 udp lost)"
like "it is translated now, and stays where it is" "$(line_of early $A::11)" \
	"$B:ff::6d77:2"
for host in $U::15 $U::16; do
	ok "$host: two packets lost at most" few "$(sum early "$host" udp lost)"
done
is "flows opened in the outage: nothing lost" "$(
	for host in $hosts; do sum during "$host" udp lost; done | paste -sd+ |
		bc)" 0
is "none of them moves" "$(for host in $hosts; do
	sum during "$host" udp changes
	sum during "$host" tcp changes
	sum during "$host" tcp resets
done | paste -sd+ | bc)" 0
is "new connections: all answered" \
	"$(grep 'group=new ' "$T/report" | grep -c ' answered=0 ')" 0
is "no provider got a packet from a foreign address" "$(foreign 0) $(foreign 1)" \
	"0 0"
like "a host that still has the dead prefix goes on" \
	"$(grep "group=new .*src=$A::11 " "$T/report" | tail -n 1)" \
	' last=2001:db8:(a77|b00):ff::6d77:[12] '

kill $served $metered
done_testing
