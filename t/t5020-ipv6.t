#!/bin/bash
# IPv6 on two lines that each give the LAN a prefix: hosts of the first line's
# prefix, of the second one's and with unique local addresses. The first line
# goes without any process of ours and comes back with another prefix: what is
# lost, who moves, and that no provider ever gets a packet from an address that
# is not its own (it would drop it, BCP 38).
#
# Lines are veths with pppd's addresses and without neighbour discovery; t8011 has
# real ones.
. "$(dirname "$0")/lib/lib.sh"

# shellcheck source=lib/isp6.sh
. "$root/t/lib/isp6.sh"

printf '[mwan]\nipv6 = yes\nqdisc = none\n[link ppp0]\ntable = 201\n%s\n' \
	$'[link ppp1]\ntable = 202' >/etc/ppp/mwan.ini

test_foreign() { [ "$(foreign_at 1)" -gt 0 ]; }

# --- nothing known: as if we were not there ---
ip -6 route add default via fe80::b1 dev ppp1
ok "apply" mwan-rules apply
ctl open plain udp $B::13 $server 7000
ok "what worked before still does" wait_for 20 answered plain
is "under its own address" "$(line_of plain $B::13)" $B::13
is "no provider saw a foreign one" "$(foreign)" "0 0"
ctl open wrong udp $A::11 $server 7000 rate=1
ok "what did not work is not translated either" wait_for 9 test_foreign
ctl close plain
ctl close wrong
ip -6 route del default
ip netns exec isp1 nft reset counters >/dev/null

# --- two prefixes ---
ok "the first prefix" mwan-rules prefix ppp0 $A::/56
ok "the second prefix" mwan-rules prefix ppp1 $B::/56
open early 20
ok "every flow is answered" wait_for 20 answered early
is "a host of a line's prefix keeps its address" "$(line_of early $A::11) $(
	line_of early $B::13)" "$A::11 $B::13"
like "one with a unique local address gets a line's" \
	"$(line_of early $U::15) $(line_of early $U::16)" \
	"2001:db8:[ab]00:ff::6d77:[12] 2001:db8:[ab]00:ff::6d77:[12]"

# --- the first line goes, and no process of ours runs ---
sleep 1
ctl mark cut
ip link del ppp0
ip -6 addr del $A::1/64 dev lan0
fresh 5 4 0.4
open during 20
sleep 1
# It comes back with another prefix, which its client tells.
delegates 0 $A2
ip -n isp0 -6 route del $A::/56 2>/dev/null
session 0 $A2
ctl mark back
ok "told of the new prefix" mwan-rules prefix ppp0 $A2::/56
ip -6 addr add $A2::1/64 dev lan0 nodad
ok "ipv6-up" ip-up.local ppp0 eth1 0 fe80::00a0 fe80::00b0
ok "ip-up" hook up ppp0 10.64.0.100
fresh 5 4 0.4
settle
ctl report >"$T/report"

outage_harmed_few "" $A::11 $U::15 $U::16
like "it is translated now, and stays where it is" "$(line_of early $A::11)" \
	"$B:ff::6d77:2"
is "flows opened in the outage: nothing lost, none moved, none reset" \
	"$(harm during)" 0
is "new connections: all answered" \
	"$(grep 'group=new ' "$T/report" | grep -c ' answered=0 ')" 0
like "a host that still has the dead prefix goes on" \
	"$(grep "group=new .*src=$A::11 " "$T/report" | tail -n 1)" \
	' last=2001:db8:(a77|b00):ff::6d77:[12] '

done_testing
