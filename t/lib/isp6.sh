# shellcheck shell=bash
# shellcheck disable=SC2034	# for the test
# For tests of IPv6 with hosts and servers: two lines that each give the LAN a
# prefix. After lib.sh:
#
#	. "$root/t/lib/isp6.sh"
#
#	 lan               router (the test)            isp0, isp1      inet
#	$A::11, $B::13,   lan0, ppp0 fe80::a0 ---------- r fe80::b0 ---- $server
#	$U::15, ::16            ppp1 fe80::a1 ---------- r fe80::b1 ----
#
# Lines are veths with pppd's addresses and without neighbour discovery. A provider
# drops what comes from addresses that are not its own, and counts it.

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

ip netns exec inet "$flows" serve "$server:7000" &
served=$!
ip netns exec lan "$flows" client "$meter" &
metered=$!
wait_for 9 test -S "$meter"
answered() { ! ctl report | grep "group=$1 " | grep -q ' answered=0 '; }
line_of() { # GROUP SOURCE: the address by which it leaves
	ctl report | grep "group=$1 proto=udp src=$2 " |
		sed 's/.* last=\([^ ]*\).*/\1/'
}
