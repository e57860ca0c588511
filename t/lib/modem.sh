# shellcheck shell=bash
# For tests of links that lead on by a router of their own. After lan.sh:
#
#	. "$root/t/lib/modem.sh"
#	net5 1
#	modem 1; modem 2
#
#	router (the test)                 modemN               inet
#	ppp0 10.64.0.100 --------------------------------- ppp0 10.64.0.1
#	eth1 192.168.1.2/24 --- lan 192.168.1.1, NAT, ppp1 --- ppp1 10.64.1.1
#	eth2 192.168.1.2/24 --- lan 192.168.1.1, NAT, ppp2 --- ppp2 10.64.2.1
#
# A modem's address in inet is 10.64.N.100, as a link's of pppd would be: tally
# calls it pppN. Both modems are as they came out of the shop.

modem_of() { # N COMMAND...
	ip netns exec "modem$1" "${@:2}"
}

# modem N [ROUTER OWN]: a modem with this address, and the link ethN to it.
modem() {
	local n=$1 via=${2-192.168.1.1} own=${3-192.168.1.2}

	ip netns add "modem$n"
	ip -n "modem$n" link set lo up
	modem_of "$n" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1 net.ipv4.ip_forward=1
	ip link add "eth$n" type veth peer name lan netns "modem$n"
	ip -n "modem$n" addr add "$via/24" dev lan
	ip -n "modem$n" link set lan up
	[ "$own" = none ] || ip addr add "$own/24" dev "eth$n"
	ip link set "eth$n" up
	pair "ppp$n" inet | ip -n "modem$n" -batch -
	ip -n "modem$n" addr add "10.64.$n.100" peer "10.64.$n.1" dev "ppp$n"
	ip -n "modem$n" route add default via "10.64.$n.1"
	ip -n inet link set "ppp$n" arp off up
	ip -n inet addr add "10.64.$n.1" peer "10.64.$n.100" dev "ppp$n"
	modem_of "$n" nft 'table ip nat { chain out {
		type nat hook postrouting priority srcnat;
		oifname "ppp*" masquerade; }; }'
	wait_for 20 carriers
}

# pull N, plug N: the cable between the router and the modem.
pull() {
	ip -n "modem$1" link set lan down
	wait_for 20 no_carrier "eth$1"
}

plug() {
	ip -n "modem$1" link set lan up
	wait_for 20 has_carrier "eth$1"
}

has_carrier() {
	ip -j link show "$1" | jq -e '.[0].flags | index("LOWER_UP")'
}

no_carrier() {
	! has_carrier "$1"
}
