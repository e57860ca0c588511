#!/bin/bash
# The samples in etc/dhcp, called by the real clients: two modems as they came out
# of the shop, 192.168.1.1 both, give addresses to the router's eth1 and eth2.
. "$(dirname "$0")/lib/lib.sh"
. "$root/t/lib/lan.sh"
. "$root/t/lib/modem.sh"

own_etc
mkdir -p /run/lock
mount -t tmpfs tmpfs /var/lib/dhcp 2>/dev/null
mkdir -p /etc/dhcp/dhclient-exit-hooks.d
rm -f /etc/dhcp/dhclient-e*-hooks.d/* /etc/dhcp/dhclient-exit-hooks.d/*

two_modems

last_of() { # LINK: its last event in the log
	grep "if=$1 " /var/log/ifchang.log | tail -n 1
}

told_end() {
	[[ $(last_of eth2) =~ event=down ]]
}

told_as() { # REGEX
	[[ $(last_of eth2) =~ $1 ]]
}

# lines CLIENT: what each has to pass. CLIENT_client start N, renew N and stop N do
# what they are called with the client of ethN.
lines() {
	local client=$1 n

	serve 1 100
	serve 2 140
	for n in 1 2; do
		"${client}_client" start $n
		ok "$client: eth$n leads to its modem" wait_for 60 \
			default_is $n 192.168.1.1
	done
	ok "$client: it has told the address" wait_for 20 told_as \
		'tool=mwan-rules .*event=up if=eth2 local=192.168.1.1[4-6][0-9] .*gateway=192.168.1.1'
	forget
	ask -s 10.9.0.1 -n 300 -p 2000 >"$T/dealt"
	ok "$client: each link carries its share" fair "$T/dealt" 1 1 1
	serve 2 170 192.168.1.254
	"${client}_client" renew 2
	ok "$client: another lease: a new address" wait_for 60 address_is 2 170
	ok "$client: and a new gateway" wait_for 60 default_is 2 192.168.1.254
	ok "$client: eth1 is as it was" default_is 1 192.168.1.1
	for n in 1 2; do
		"${client}_client" stop $n
		ok "$client: its end: eth$n leads nowhere" wait_for 60 none $n
	done
	ok "$client: it has told that, too" wait_for 60 told_end
	for n in 1 2; do
		ip addr flush dev eth$n
		ip route flush dev eth$n
		ip link set eth$n up
	done
}

# --- dhclient ---
cp "$root/etc/dhcp/dhclient-exit-hook" /etc/dhcp/dhclient-exit-hooks.d/mwan
dhclient_client() {
	local at=$T/dhclient.$2

	case $1 in
	start) timeout 60 dhclient -1 -q -lf "$at.l" -pf "$at.pid" "eth$2" ;;
	# It has no signal for that: a new one reads the leases, and asks for the
	# same address.
	renew)
		kill "$(<"$at.pid")"
		timeout 60 dhclient -1 -q -lf "$at.l" -pf "$at.pid" "eth$2"
		;;
	stop) timeout 60 dhclient -r -q -lf "$at.l" -pf "$at.pid" "eth$2" ;;
	esac
} >>"$T/dhclient" 2>&1
lines dhclient
rm /etc/dhcp/dhclient-exit-hooks.d/mwan

# --- udhcpc ---
mkdir -p /etc/udhcpc
install "$root/etc/dhcp/udhcpc-script" /etc/udhcpc/mwan.script
udhcpc_client() {
	local at=$T/udhcpc.$2

	case $1 in
	start)
		udhcpc -f -S -i "eth$2" -s /etc/udhcpc/mwan.script -t 9 -T 1 \
			-A 1 -p "$at.pid" &
		;;
	renew) kill -USR1 "$(<"$at.pid")" ;;
	stop) kill -USR2 "$(<"$at.pid")" ;;
	esac
} >>"$T/udhcpc" 2>&1
lines udhcpc
kill "$(<"$T/udhcpc.1.pid")" "$(<"$T/udhcpc.2.pid")"

# --- dhcpcd ---
cp "$root/etc/dhcp/dhcpcd-exit-hook" /etc/dhcpcd.exit-hook
echo 'nogateway' >/etc/dhcpcd.conf
mount -t tmpfs tmpfs /var/lib/dhcpcd 2>/dev/null || mkdir -p /var/lib/dhcpcd
mkdir -p /run/dhcpcd
dhcpcd_client() {
	case $1 in
	start) timeout 60 dhcpcd -4 -A -w "eth$2" ;;
	renew) timeout 60 dhcpcd -4 -n "eth$2" ;;
	stop) timeout 60 dhcpcd -4 -k "eth$2" ;;
	esac
} >>"$T/dhcpcd" 2>&1
lines dhcpcd
rm /etc/dhcpcd.exit-hook

# --- systemd-networkd, and its dispatcher's script as that one calls it ---
mkdir -p /etc/systemd/network /run/systemd/netif /run/systemd/system
chmod 777 /run/systemd/netif
mount -t sysfs -o ro sysfs /sys
printf '[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n' \
	>/etc/systemd/networkd.conf
rm -f /etc/systemd/network/*
for n in 1 2; do
	printf '[Match]\nName=eth%d\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no
[DHCPv4]\n%s\n' $n "$([ $n = 1 ] && echo RouteMetric=300 ||
		echo RouteTable=1003)" >/etc/systemd/network/10-eth$n.network
done
dispatcher() { # STATE IFACE: as networkd-dispatcher does it
	env -i "PATH=$PATH" STATE="$1" OperationalState="$1" IFACE="$2" \
		AdministrativeState=configured \
		"$root/etc/dhcp/networkd-dispatcher"
}
leased() { # N
	grep -qs "^ADDRESS=" "/run/systemd/netif/leases/$(<"/sys/class/net/eth$1/ifindex")" &&
		address_is "$1" $((60 + 40 * $1)) &&
		ip route show table all default dev "eth$1" proto dhcp | grep -q .
}
serve 1 100
serve 2 140
/lib/systemd/systemd-networkd >"$T/networkd" 2>&1 &
networkd=$!
for n in 1 2; do
	ok "networkd has leased eth$n" wait_for 60 leased $n
	dispatcher routable eth$n
done
is "networkd: the gateway is main's by eth1" "$(defaults 1)" \
	"default via 192.168.1.1 dev eth1 proto 119 onlink"
like "networkd: RouteTable's by eth2, which stays behind ours" "$(defaults 2)" \
	'^default via 192.168.1.1 dev eth2 proto 119 onlink
default via 192.168.1.1 dev eth2 proto dhcp src 192.168.1.* metric 1024$'
is "networkd: main has none by eth2" \
	"$(ip route show default dev eth2)" ""
mwan-rules status --json >"$T/json"
is "networkd: neither default is a fault" \
	"$(jq -c '[.problems[].kind]' "$T/json")" '[]'
forget
ask -s 10.9.0.1 -n 300 -p 2000 >"$T/dealt"
ok "networkd: each link carries its share" fair "$T/dealt" 1 1 1
pull 2
wait_for 60 lib_not leased 2
dispatcher no-carrier eth2
ok "networkd: no carrier, no lease, no default of ours" \
	lib_not grep -q 'proto 119' <<<"$(defaults 2)"
plug 2
ok "networkd: the lease is back" wait_for 60 leased 2
dispatcher routable eth2
like "networkd: and with it our default" "$(defaults 2)" \
	'^default via 192.168.1.1 dev eth2 proto 119 onlink'
kill $networkd
wait_for 20 lib_not kill -0 $networkd
for n in 1 2; do
	ip addr flush dev eth$n
	ip route flush dev eth$n
	ip route flush table $((1001 + n))
	mwan-rules down eth$n 2>/dev/null
done

# --- NetworkManager's dispatcher script, as that one calls it ---
ip addr add 192.168.1.3/24 dev eth2
network_manager() { # ACTION [VARIABLE=VALUE...]
	env -i "PATH=$PATH" DEVICE_IFACE=eth2 DEVICE_IP_IFACE=eth2 "${@:2}" \
		"$root/etc/dhcp/NetworkManager-dispatcher" eth2 "$1"
}
network_manager up "IP4_ADDRESS_0=192.168.1.3/24 192.168.1.1" \
	IP4_GATEWAY=192.168.1.1
is "NetworkManager: up" "$(defaults 2)" \
	"default via 192.168.1.1 dev eth2 proto 119 onlink"
network_manager dhcp4-change "IP4_ADDRESS_0=192.168.1.3/24" \
	"DHCP4_ROUTERS=192.168.1.254 192.168.1.253"
is "NetworkManager: with never-default, another router" "$(defaults 2)" \
	"default via 192.168.1.254 dev eth2 proto 119 onlink"
network_manager down 2>/dev/null
is "NetworkManager: down" "$(defaults 2)" ""
done_testing
