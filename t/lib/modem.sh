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

# serve N FIRST [ROUTER]: modem N gives addresses from 192.168.1.FIRST on.
declare -A server
serve() {
	[ -z "${server[$1]-}" ] || kill "${server[$1]}"
	[ -z "${server[$1]-}" ] || wait_for 9 lib_not kill -0 "${server[$1]}"
	rm -f "$T/dnsmasq.$1"
	ip netns exec "modem$1" dnsmasq --no-daemon --conf-file=/dev/null --port=0 \
		--interface=lan --user=root --dhcp-authoritative \
		--dhcp-leasefile="$T/leases.$1.$2" --pid-file= \
		--dhcp-range="192.168.1.$2,192.168.1.$(($2 + 20)),120" \
		--dhcp-option="3,${3-192.168.1.1}" >"$T/dnsmasq.$1" 2>&1 &
	server[$1]=$!
	wait_for 20 grep -q 'DHCP, IP range' "$T/dnsmasq.$1"
}

defaults() { # N: of the table of ethN
	ip route show table $((1001 + $1)) default 2>/dev/null | sed 's/ *$//'
}

default_is() { # N GATEWAY
	[ "$(defaults "$1")" = "default via $2 dev eth$1 proto 119 onlink" ]
}

address_is() { # N FIRST: one of that range's
	local last
	last=$(ip -j -4 addr show "eth$1" |
		jq -r '.[0].addr_info[0].local // empty | split(".")[3]')
	[ -n "$last" ] && [ "$last" -ge "$2" ] && [ "$last" -le $(($2 + 20)) ]
}

none() { # N
	[ -z "$(defaults "$1")" ]
}

# own_etc: what DHCP clients and their scripts write to, and run, is the test's
# own.
own_etc() {
	cp -a /etc "$T/etc"
	mount --bind "$T/etc" /etc
	echo "nameserver 192.0.2.1" >/etc/resolv.conf
	mount -t tmpfs tmpfs /usr/local/sbin
	ln -s "$BIN/mwan-rules" /usr/local/sbin
}

# two_modems: ppp0, and eth1 and eth2 without addresses, whose modems give them
# some by DHCP; in force.
two_modems() {
	local n

	net5 1
	for n in 1 2; do
		modem $n 192.168.1.1 none
	done
	printf '%s\n' '[mwan]' 'lan = lan0' '[link ppp0]' 'table = 1001' \
		'qdisc = none' '[link eth1]' 'table = 1002' '[link eth2]' \
		'table = 1003' >/etc/ppp/mwan.ini
	mwan-rules apply 2>/dev/null
	serve 1 100
	serve 2 140
}
