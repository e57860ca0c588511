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
# Lines are veths with pppd's addresses and without neighbour discovery; the rest
# is in providers6.sh.

: "${root:?lib.sh comes first}"
# shellcheck source=t/lib/providers6.sh
. "$root/t/lib/providers6.sh"
server=$server6
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
	ip -n isp$k link add core type veth peer name isp$k netns inet
	ip -n isp$k link set core up
	ip -n inet link set isp$k up
	provider6 $k
done
delegates 0 $A
delegates 1 $B
session 0 $A
session 1 $B

ip link add lan0 type veth peer name eth0 netns lan
ip link set lan0 up
ip -n lan link set eth0 up
lan6

ctl() { "$flows" ctl "$meter" "$@"; }

# value KEY LINE
value() { sed -n "s/.* $1=\([^ ]*\).*/\1/p" <<<" $2 "; }

settle() { ctl pause >/dev/null; sleep 2.5; }

ip netns exec inet "$flows" serve "$server:7000" &
ip netns exec lan "$flows" client "$meter" &
wait_for 9 test -S "$meter"
