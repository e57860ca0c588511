#!/bin/bash
# probe = arp: mwan-rules watch asks a link's gateway for its hardware address, in
# IPv6 as a neighbour. The gateway dies with the carrier up, and comes back. And
# the provider's resolvers, which pppd tells the hooks, are asked where nobody else
# answers.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"
# shellcheck source=lib/modem.sh
. "$root/t/lib/modem.sh"
# shellcheck source=lib/watch.sh
. "$root/t/lib/watch.sh"
# shellcheck source=lib/held.sh
. "$root/t/lib/held.sh"

log=/var/log/ifchang.log
net5 1
modem 1
modem 2 192.168.1.1 192.168.1.3
sysctl -qw net.ipv6.conf.all.disable_ipv6=0
for n in 1 2; do
	modem_of $n sysctl -qw net.ipv6.conf.all.disable_ipv6=0
	modem_of $n ip addr add fe80::1/64 dev lan nodad
	ip addr add fe80::a$n/64 dev eth$n nodad
	ip addr add 2001:db8:$n::2/64 dev eth$n nodad
done
# The line of pppd has nobody who answers for now.
{
	printf '[mwan]\nqdisc = none\nlan = lan0\nrecover = 1s\nipv6 = yes\n'
	printf 'probe_interval = 300ms\n[link ppp0]\ntable = 1001\n'
	for n in 1 2; do
		printf '[link eth%d]\ntable = %d\nprobe = arp\n' $n $((1001 + n))
		printf 'gateway = 192.168.1.1 fe80::1\n'
	done
} >/etc/ppp/mwan.ini
mwan-rules apply 2>/dev/null

# asked LINK: its answers so far, in that family; nothing: nobody asks.
asked() {
	awk -v l="$1" '$1 == l && $2 { print $10 }' /run/mwan/watched
}

answer() { # LINK...
	local l n
	for l; do
		n=$(asked "$l")
		[ "${n:-0}" -ge 4 ] || return
	done
}

mwan-rules watch >>"$T/watch.out" 2>&1 &
watcher=$!
ok "the gateways answer, in both families" wait_for 20 \
	answer eth1 eth2 eth1/ipv6 eth2/ipv6
is "nobody else is asked" "$(awk '$1 ~ /^eth/ { print $1, $8 }' \
	/run/mwan/watched)" "eth1 192.168.1.1
eth1/ipv6 fe80::1
eth2 192.168.1.1
eth2/ipv6 fe80::1"

# dies N, lives N: its modem, whose carrier stays.
dies() {
	modem_of "$1" nft 'table netdev dead { chain in {
		type filter hook ingress device lan priority 0; drop; }; }'
}
lives() {
	modem_of "$1" nft delete table netdev dead
}
held_is() { # LINE...
	[ "$(sed 's/ [0-9]*/ /; s/ *$//' /run/mwan/held 2>/dev/null | sort)" = \
		"$(printf '%s\n' "$@")" ]
}
dies 1
ok "a gateway dies with the carrier up: its link is held in both" \
	wait_for 20 held_is eth1 "eth1  ipv6"
ok "which is carried out" wait_for 20 held eth1
ok "in both" wait_for 20 held eth1 ipv6
ok "the carrier is up" has_carrier eth1
is "its default is behind all" "$(ip route show table 200 |
	grep -c 'nhid 77000 .*dev eth1 .*metric 257')" 1
like "the log" "$(grep 'if=eth1' $log)" \
	'event=failed if=eth1 cause=silent .*'
lives 1
ok "it lives" wait_for 20 test ! -e /run/mwan/held
whole() {
	[ -z "$(mwan-rules apply -n 2>/dev/null)" ]
}
wait_for 20 whole
pull 2
has_nexthop() {
	ip nexthop show proto 119 dev eth2 | grep -q "via 192.168.1.1"
}
is "a cable is pulled: the kernel takes the nexthop away" \
	"$(has_nexthop || echo gone)" gone
plug 2
ok "it is plugged in, and nobody calls a hook: it is back" \
	wait_for 20 has_nexthop
ok "as is all else" wait_for 20 whole
kill "$watcher"
wait "$watcher"

# --- the provider's resolvers ---
resolvers() {
	sed 's/ [0-9]*\./ ./' /run/mwan/resolvers 2>/dev/null | grep -c .
}
ok "pppd tells two" env DNS1=198.51.100.21 DNS2=198.51.100.22 \
	"$BIN/ip-up.local" ppp0 eth9 0 10.64.0.100 10.64.0.1
is "they are kept with the link" "$(cat /run/mwan/resolvers)" \
	"ppp0 198.51.100.21
ppp0 198.51.100.22"
ok "another session, which is told none" hook up ppp0 10.64.0.100 10.64.0.1
is "has those of the last one" "$(resolvers)" 2
ok "nonsense" env DNS1=0.0.0.0 DNS2='resolver; reboot' \
	"$BIN/ip-up.local" ppp0 eth9 0 10.64.0.100 10.64.0.1
is "is not kept" "$(resolvers)" 2
inet sysctl -qw net.ipv4.icmp_echo_ignore_all=0
ip -n inet addr add 198.51.100.21/32 dev lo
mwan-rules watch >>"$T/watch.out" 2>&1 &
watcher=$!
ok "they are asked where nobody else answers" wait_for 20 answer ppp0
is "and answer" "$(awk '$1 == "ppp0" { print $8 }' /run/mwan/watched)" \
	198.51.100.21
ip -n inet addr add 198.51.100.22/32 dev lo
ip -n inet addr del 198.51.100.21/32 dev lo
ok "a session tells another one" env DNS1=198.51.100.22 \
	"$BIN/ip-up.local" ppp0 eth9 0 10.64.0.100 10.64.0.1
by_22() {
	awk '$1 == "ppp0" && $8 == "198.51.100.22"' /run/mwan/watched | grep -q .
}
ok "which is asked from now on" wait_for 20 by_22
for a in 1.1.1.1 8.8.8.8; do
	ip -n inet addr add $a/32 dev lo
done
kill "$watcher"
wait "$watcher"
mwan-rules watch >>"$T/watch.out" 2>&1 &
watcher=$!
ok "two others answer" wait_for 20 answer ppp0
inet nft 'table ip counted { counter asked { }; chain in {
	type filter hook input priority 0;
	ip daddr 198.51.100.22 counter name "asked"; }; }'
more() {
	[ "$(asked ppp0)" -ge $((at + 12)) ]
}
at=$(asked ppp0)
wait_for 30 more
is "then the provider's own is asked no more: it would answer while all beyond is dead" \
	"$(inet nft list counter ip counted asked |
		sed -n 's/.*packets \([0-9]*\).*/\1/p')" 0
done_testing
