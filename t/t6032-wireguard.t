#!/bin/bash
# A WireGuard tunnel as a link beside the line that it goes by: a point-to-point
# device that is not pppd's, and needs no gateway.
. "$(dirname "$0")/lib/lib.sh"
. "$root/t/lib/lan.sh"

net5 2

# tunnel NAMESPACE-OPTION DEVICE: wireguard-go, as this kernel may have none.
keys=()
for i in 0 1; do
	keys[i]=$(wg genkey)
done
mkdir -p /run/wireguard
tunnel() { # [NAMESPACE] DEVICE KEY PEER-KEY OPTION...
	local ns=$1 dev=$2 own=$3 peer=$4
	local in=(ip netns exec "$ns")
	"${in[@]}" env WG_PROCESS_FOREGROUND=1 wireguard-go -f "$dev" \
		>"$T/$dev" 2>&1 &
	wait_for 20 test -S "/run/wireguard/$dev.sock"
	"${in[@]}" wg set "$dev" private-key <(echo "$own") \
		peer "$(wg pubkey <<<"$peer")" allowed-ips 0.0.0.0/0 "${@:5}"
	"${in[@]}" ip link set "$dev" up
}
tunnel inet wgs "${keys[0]}" "${keys[1]}"
ip netns exec inet wg set wgs listen-port 51820
ip netns exec inet ip addr add 10.64.2.1 peer 10.64.2.100 dev wgs
tunnel router wg0 "${keys[1]}" "${keys[0]}" endpoint 10.64.1.1:51820
# Its own packets go by ppp1, whose mark is 2.
wg set wg0 fwmark 2
ip addr add 10.64.2.100/32 dev wg0

printf '[mwan]\nlan = lan0\nqdisc = none\nbalance = flow\n[link ppp0]\ntable = 1001
[link ppp1]\ntable = 1002\n[link wg0]\ntable = 1003\n' >/etc/ppp/mwan.ini
ok "apply" mwan-rules apply
is "its default needs no gateway" "$(ip route show table 1003 | sed 's/ *$//')" \
	"default dev wg0 proto 119 scope link"
is "all is well" "$(mwan-rules status --json | jq -c '[.problems[].kind]')" '[]'
is "up finds nothing to do" "$(mwan-rules up wg0 10.64.2.100; tail -n 1 \
	/var/log/ifchang.log | grep -o 'changes=.* result=[a-z]*')" \
	"changes=0 result=unchanged"
ask -s 10.9.0.1 -n 300 -p 2000 >"$T/dealt"
ok "each link carries its share" fair "$T/dealt" 1 1 1
is "its own packets go by their line alone" "$(conntrack -L -p udp --dport 51820 \
	2>/dev/null | grep -c 'src=10.64.1.100.*dport=51820')" 1
keep flows -s 10.9.0.1 -n 200 -p 4000
ip link set wg0 down
again flows "$T/lost"
again flows "$T/after"
is "it goes: the flows of the others stay" \
	"$(of_hosts <(without ppp2 "$T/flows") "$T/after" | cut -d' ' -f1,3)" \
	"$(without ppp2 "$T/flows" | cut -d' ' -f1,3)"
is "and its own go on by them" "$(with ppp2 "$T/after" | wc -l) $(
	grep -c ' -$' "$T/after")" "0 0"
mwan-rules down wg0
like "status says it in words that are not of pppd" \
	"$(mwan-rules status | tr -s '\n ' ' ')" \
	'wg0 is down, the interface is not up: see "ip addr show dev wg0"'
done_testing
