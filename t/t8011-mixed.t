#!/bin/bash
# One line of pppd's and one behind a cable router that translates addresses, on a
# real kernel with real clients, under flows of 10 packets/s: the session is cut,
# the cable is pulled, the lease is lost, another address comes, the router dies
# with its carrier up.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/retry" "$0" "$@"
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lab/net.sh
. "$root/t/lab/net.sh"
# shellcheck source=lab/verdict.sh
. "$root/t/lab/verdict.sh"

# eth2 leads by its router again, as the last hook left it.
cable_is_up() {
	ip route show table 202 | grep -q '^default via 192.168.8.1 dev eth2' &&
		ip nexthop show proto 119 | grep -q 'via 192.168.8.1 dev eth2' &&
		! ip route show table 202 | grep -q linkdown
}

route_is_alive() {
	! ip route show table 202 | grep -q linkdown
}

has_other_address() {
	[ -n "$(lease_address 2)" ] && [ "$(lease_address 2)" != "$old" ]
}

# healthy NAME GROUP even|odd: the flows of the other link.
healthy() {
	local proto

	for proto in udp tcp; do
		ok "$1: $proto of the healthy link is untouched" \
			untouched 4 "" "$2" $proto "$3"
	done
}

# the_cut NAME PHASE GROUP even|odd: UDP of the link that failed.
the_cut() {
	local lost

	lost=$(lost_max "$2" "$3" udp "$4")
	ok "$1: UDP of the cut link: at most 2 lost once the kernel knew" \
		[ "${lost:-99}" -le 2 ]
	diag "$1: the worst flow lost $lost, and $(lost_max "" "$3" udp "$4")" \
		"from the outage on"
}

# shared_again NAME GROUP GROUP: flows of the outage live, new ones use both links.
shared_again() {
	local proto

	for proto in udp tcp; do
		ok "$1: $proto opened meanwhile" untouched 8 "" "$2" $proto all
		is "$1: new $proto uses both" \
			"$(links_of "$3" $proto even) $(
			links_of "$3" $proto odd)" "1 2"
	done
}

lab_net 2
ln -s "$BIN/mwan-rules" /usr/local/sbin
cp "$BIN/ip-up.local" "$BIN/ip-down.local" /etc/ppp
rm -f /etc/ppp/ip-up.d/* /etc/ppp/ip-down.d/*
printf '[mwan]\nlan = lan0\n[link ppp0]\ntable = 201\n[link eth2]\ntable = 202\n' \
	>/etc/ppp/mwan.ini
ok "apply" mwan-rules apply
isp_start 1
cable_start 2
link_up 1
lease_up 2
ok "the session is up" wait_for 60 link_is_up 1
ok "its hook is through" wait_for 60 hooks_are_through 1
ok "the lease is there, and its router known" wait_for 60 cable_is_up
is "all is well" "$(mwan-rules status --json | jq -c '[.problems[].kind]')" '[]'
like "the queues: pppd's as ever, the card's its own" \
	"$(tc qdisc show dev ppp0 | grep -c sfq) $(tc qdisc show dev eth2)" \
	'^3 qdisc noqueue 0: root'
flows_start

# --- the session is cut ---
ok "cut: flows" open_group a
is "even hosts by pppd's link, odd ones by the cable" \
	"$(links_of a udp even) $(links_of a tcp even) $(links_of a udp odd) $(
	links_of a tcp odd)" "1 1 2 2"
flows_mark_when_down 1 cut
link_cut 1
ok "cut: the link goes" wait_for 30 link_is_down 1
ok "cut: flows go on by the cable" all_answer
ok "cut: flows in the outage" open_group b
link_mend 1
ok "cut: back" wait_for 60 link_is_up 1
ok "cut: its hook is through" wait_for 60 hooks_are_through 2
ok "cut: new flows" open_group c
flows_settle
healthy cut a odd
the_cut cut cut a even
shared_again cut b c
close_group a
close_group b
close_group c

# --- the cable is pulled, and nobody calls us ---
ok "cable: flows" open_group d
flows_mark_when 'eth2.*NO-CARRIER' cable
ip -n isp2 link set line down
ok "cable: flows go on by pppd's link" all_answer
ok "cable: flows in the outage" open_group e
ip -n isp2 link set line up
ok "cable: the route is back by itself" wait_for 60 route_is_alive
ok "cable: new flows" open_group f
flows_settle
healthy cable d even
the_cut cable cable d odd
shared_again cable e f
close_group d
close_group e
close_group f
mwan-rules up eth2
ok "cable: the next event brings its nexthop back" cable_is_up

# --- the lease is lost, with carrier ---
# As with pppd where the address alone goes, the kernel keeps the nexthop: the
# failover is the hook's, which the client calls when it has taken the address.
# hook_is_through NAME: and from now on nothing may be lost.
hook_is_through() {
	ok "$1: the client takes the address, and calls us" wait_for 60 \
		downs_logged $((downs + 1))
	flows mark "$1"
	ok "$1: flows go on by pppd's link" all_answer
}

downs_logged() {
	[ "$(grep -c 'event=down if=eth2' /var/log/ifchang.log)" -ge "$1" ]
}

# nothing_lost NAME GROUP: of the flows of the cable, once the hook is through.
nothing_lost() {
	is "$1: UDP of the cable: nothing lost once the hook is through" \
		"$(lost_max "$1" "$2" udp odd)" 0
	diag "$1: the worst flow lost $(lost_max "" "$2" udp odd) in all"
}

downs=$(grep -c 'event=down if=eth2' /var/log/ifchang.log)
ok "lease: flows" open_group g
lease_signal 2 USR2
hook_is_through lease
lease_signal 2 USR1
ok "lease: another one" wait_for 60 cable_is_up
ok "lease: new flows" open_group h
flows_settle
healthy lease g even
nothing_lost lease g
is "lease: new udp uses both" "$(links_of h udp even) $(links_of h udp odd)" "1 2"
close_group g
close_group h

# --- another address ---
downs=$(grep -c 'event=down if=eth2' /var/log/ifchang.log)
ok "address: flows" open_group i
old=$(lease_address 2)
cable_stop 2
cable_serve 2 170
lease_signal 2 USR1
hook_is_through address
ok "address: another one" wait_for 60 has_other_address
ok "address: its router is known" wait_for 60 cable_is_up
ok "address: every flow goes on" all_answer
flows_settle
healthy address i even
nothing_lost address i
# Beside those there is what the DHCP server itself has sent there.
is "address: no flow is left on the old one" "$(conntrack -L 2>/dev/null |
	grep "dport=$server_port " | grep -c "dst=$old ")" 0
close_group i

# --- the router dies with its carrier up: nothing in the kernel shows it ---
ok "dead: flows" open_group j
link_silence 2
ok "dead: half of them are not answered" wait_for 20 lib_not flows_answer 2000
is "dead: and the link counts as up" \
	"$(mwan-rules status --json | jq -c '[.links[].up]')" '[true,true]'
link_unsilence 2
ok "dead: they go on when it lives again" all_answer
flows_settle
healthy dead j even
close_group j

undisturbed 1
done_testing
