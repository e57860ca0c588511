#!/bin/bash
# Links that lead on by a router on Ethernet, beside one of pppd's.
. "$(dirname "$0")/lib/lib.sh"
. "$root/t/lib/lan.sh"
. "$root/t/lib/modem.sh"

net5 1
modem 1
modem 2 192.168.1.1 192.168.1.3

# links LINE...: an mwan.ini with the three, and lines for eth1 and eth2, "1 LINE".
links() {
	local n line
	{
		printf '[mwan]\nbalance = flow\nlan = lan0\n'
		printf '[link ppp0]\ntable = 1001\nqdisc = none\n'
		for n in 1 2; do
			printf '[link eth%d]\ntable = %d\n' $n $((1001 + n))
			for line; do
				[ "${line%% *}" != $n ] || echo "${line#* }"
			done
		done
	} >/etc/ppp/mwan.ini
}

defaults() { # TABLE
	ip route show table "$1" default 2>/dev/null | sed 's/ *$//'
}

nexthops() {
	ip nexthop show proto 119 | grep -v group | sed 's/ *$//'
}

# --- the gateway is given, or found ---
links '1 gateway = 192.168.1.1'
ok "apply" mwan-rules apply
is "a gateway of mwan.ini" "$(defaults 1002)" \
	"default via 192.168.1.1 dev eth1 proto 119 onlink"

is "is its nexthop's, too" "$(nexthops)" \
	"id 77001 dev ppp0 scope host proto 119
id 77002 via 192.168.1.1 dev eth1 scope link proto 119 onlink"
is "eth2 has none, and no default" "$(defaults 1003)" ""
ip route add default via 192.168.1.1 dev eth2 metric 300
mwan-rules apply 2>/dev/null
is "main has one, by its device" "$(defaults 1003)" \
	"default via 192.168.1.1 dev eth2 proto 119 onlink"
ip route del default via 192.168.1.1 dev eth2 metric 300
mwan-rules apply 2>/dev/null
is "main has none any more" "$(defaults 1003)" ""
ip route add default via 192.168.1.1 dev eth2 metric 1024 proto dhcp table 1003
mwan-rules apply 2>/dev/null
is "networkd's default in its own table tells it, and stays" \
	"$(defaults 1003)" \
	"default via 192.168.1.1 dev eth2 proto 119 onlink
default via 192.168.1.1 dev eth2 proto dhcp metric 1024"
ask -s 10.9.0.1 -n 600 -p 2000 >"$T/dealt"
ok "each link carries its share" fair "$T/dealt" 1 1 1
done_testing
