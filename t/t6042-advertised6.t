#!/bin/bash
# What a running system does to a link's IPv6: its router stops to advertise
# itself, its prefix ends, accept_ra forbids the kernel to listen, and disable_ipv6
# is set and taken back. What status says, and what a hook and watch make of it.
#
#	router (the test)                gw
#	eth1, by advertisements -------- fe80::9, 2001:db8:e00::/64
#	ppp0 fe80::a0, prefix6

# shellcheck disable=SC2016,SC2317	# perl; functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

A=2001:db8:a00 E=2001:db8:e00
sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0
ip netns add gw
ip netns exec gw sysctl -qw net.ipv6.conf.all.forwarding=1
ip link add eth1 type veth peer name eth1 netns gw
ip -n gw link set eth1 addrgenmode none up
ip -n gw -6 addr add fe80::9/64 dev eth1 nodad
ip link set eth1 up
ip addr add 192.168.8.2/24 dev eth1
ip link add ppp0 type veth peer name xppp0
for i in ppp0 xppp0; do
	ip link set $i address 02:00:00:00:00:00 arp off addrgenmode none up
done
ip addr add 10.64.0.100 peer 10.64.0.1 dev ppp0
ll_add() {
	ip -6 addr add fe80::a0 peer fe80::b0/128 dev ppp0 nodad
}
ll_add
cat >/etc/ppp/mwan.ini <<-END
	[mwan]
	ipv6 = yes
	qdisc = none
	[link ppp0]
	table = 201
	prefix6 = $A::/56
	[link eth1]
	table = 202
	gateway = 192.168.8.1
END

# ra ROUTER PREFIX: eth1's router says how many seconds each will last.
ra() {
	ip netns exec gw perl -MSocket=:all -e '
		my ($router, $prefix, $net) = @ARGV;
		my $to = `cat /sys/class/net/eth1/ifindex`;
		socket my $s, AF_INET6, SOCK_RAW, 58 or die "$!";
		# IPV6_MULTICAST_HOPS, IPV6_MULTICAST_IF
		setsockopt $s, 41, 18, pack "i", 255 or die "$!";
		setsockopt $s, 41, 17, pack "i", $to or die "$!";
		bind $s, pack_sockaddr_in6(0, inet_pton(AF_INET6, "fe80::9"),
			$to) or die "$!";
		send $s, pack("C2 n C2 n N2 C4 N3 a16", 134, 0, 0, 64, 0,
			$router, 0, 0, 3, 4, 64, 0xc0, $prefix, $prefix, 0,
			inet_pton(AF_INET6, $net)), 0, pack_sockaddr_in6(0,
			inet_pton(AF_INET6, "ff02::1"), $to) or die "$!";
		' "$1" "$2" $E::
}

# says KIND: what status says of that kind
says() {
	mwan-rules status --json |
		jq -r ".problems[] | select(.kind == \"$1\") | .text"
}
kinds() {
	mwan-rules status --json | jq -r '[.problems[].kind] | join(" ")'
}
has_address() { ip -6 addr show dev eth1 | grep -q "inet6 $E:"; }
no_address() { ! has_address; }
way() { # TABLE
	ip -6 route show table "$1" default 2>/dev/null |
		grep -o 'via [^ ]* dev [^ ]*'
}
leads() { [ "$(way "$1")" = "$2" ]; }
by_router="via fe80::9 dev eth1"
setting() { # LINK NAME VALUE
	sysctl -qw "net.ipv6.conf.$1.$2=$3"
}

# --- it takes no advertisements ---
ok "apply" mwan-rules apply
ra 600 600
like "nothing is known: status tells what to set" "$(says no-prefix)" \
	'eth1 has IPv6 and no prefix.*net.ipv6.conf.eth1.accept_ra = 2\.$'
setting eth1 accept_ra 2
ra 600 600
ok "with 2 the kernel takes one" wait_for 20 has_address
ok "a hook" mwan-rules up eth1
is "has its gateway" "$(way 202)" "$by_router"
is "all is well" "$(kinds)" ""
for value in 1 0; do
	setting eth1 accept_ra $value
	is "with $value status says what will end" "$(says accept-ra)" \
		"eth1 will lose its IPv6 address, which is of a router's \
advertisement, as with net/ipv6/conf/eth1/accept_ra = $value and forwarding = 1 \
the kernel takes no more of them: \"sysctl -w net/ipv6/conf/eth1/accept_ra=2\"."
done
setting eth1 forwarding 0
is "a host takes none with 0" "$(kinds)" accept-ra
setting eth1 accept_ra 1
is "but with 1" "$(kinds)" ""
setting eth1 forwarding 1
setting eth1 accept_ra 2

# --- the router stops: its route lasts for a second, and then stays in the list for
# half a minute ---
ra 1 600
expired() { ip -6 route show default dev eth1 | grep -q 'expires -'; }
ok "its route expires" wait_for 20 expired
ok "a hook" mwan-rules up eth1
is "does not believe in it" "$(way 202)" ""
is "status says that there is none" "$(says no-gateway)" "eth1 is not used for \
IPv6, as nobody says who its gateway is: its router does not advertise itself, or \
write \"gateway = ADDRESS\" below [link eth1] in mwan.ini."
setting eth1 accept_ra 1
like "or that nobody listens" "$(says no-gateway)" ': let the kernel take its router.s adv.* ."sysctl -w net/ipv6/conf/eth1/accept_ra=2".. or write'
setting eth1 accept_ra 2

# --- watch: without any hook ---
# From now on the kernel deletes such routes soon.
sysctl -qw net.ipv6.route.gc_interval=1 net.ipv6.route.flush=1
mwan-rules watch >"$T/watch" 2>&1 &
ra 600 600
ok "watch: it is back" wait_for 20 leads 202 "$by_router"
ra 0 600
ok "watch: it says that it goes" wait_for 20 leads 202 ""
ra 600 600
ok "watch: it comes" wait_for 20 leads 202 "$by_router"
ra 1 600
ok "watch: it says nothing more" wait_for 20 leads 202 ""
ip -6 addr flush dev eth1 scope global
ra 600 4
ok "watch: a prefix" wait_for 20 leads 202 "$by_router"
ok "its address ends" wait_for 20 no_address
ok "watch: and with it the link's use" wait_for 20 leads 202 ""

# --- disable_ipv6 ---
ra 600 600
ok "watch: another" wait_for 20 leads 202 "$by_router"
setting eth1 disable_ipv6 1
ok "it has no IPv6" wait_for 20 leads 202 ""
is "status says why" "$(says no-ipv6)" "eth1 has no IPv6, as \
net/ipv6/conf/eth1/disable_ipv6 is 1: \"sysctl -w \
net/ipv6/conf/eth1/disable_ipv6=0\"."
setting eth1 disable_ipv6 0
only_prefix() {
	[ "$(kinds)" = no-prefix ]
}
ok "then only its advertisement is missing" wait_for 20 only_prefix
ra 600 600
ok "and all is back" wait_for 20 leads 202 "$by_router"
ok "ppp0 is used" leads 201 "via fe80::b0 dev ppp0"
nexthops() { ip -6 nexthop | grep -c 'dev ppp0'; }
no_nexthop() { [ "$(nexthops)" = 0 ]; }
setting ppp0 disable_ipv6 1
ok "watch: the nexthop that the kernel leaves is gone" wait_for 20 no_nexthop
like "status says why, and that pppd has to begin again" "$(says no-ipv6)" \
	'^ppp0 has no IPv6, as .*ppp0/disable_ipv6=0", and dial again, as pppd'
setting ppp0 disable_ipv6 0
is "also when it is taken back" "$(says no-ipv6)" "ppp0 has no IPv6, as it has no \
link-local address: IPV6CP is not open, see pppd's messages about it in the \
system log, and dial again."
mwan-rules drain ppp0
is "but not of a link that is drained" "$(says no-ipv6)" ""
mwan-rules undrain ppp0
ll_add
ok "a new session" wait_for 20 leads 201 "via fe80::b0 dev ppp0"
well() { [ -z "$(kinds)" ]; }
ok "all is well" wait_for 20 well
done_testing
