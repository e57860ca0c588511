#!/bin/bash
# IPv6 on real PPPoE lines: two providers that each delegate a prefix, hosts of
# either and with unique local addresses. The first line is cut for 15 s while
# all four hooks of pppd do nothing, and comes back with another prefix; then
# IPV6CP ends alone, and then IPCP of the other line.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/retry" "$0" "$@"
LIB_INSIDE=1
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lab/net.sh
. "$root/t/lab/net.sh"
# shellcheck source=lab/net6.sh
. "$root/t/lab/net6.sh"

modprobe -a nft_chain_nat nft_masq nft_ct nft_fib_inet nft_hash nf_nat \
	nft_redir nft_reject_inet nf_conntrack_netlink 2>/dev/null

# --- the world around ---
lab_net 2
links_wanted ppp0 ppp1
sysctl -qw net.ipv4.ip_forward=1
lab_net6

hooks() { # ours|true
	local what

	for what in ip-up ip-down ipv6-up ipv6-down; do
		if [ "$1" = ours ]; then
			ln -sf "$BIN/ip-${what#*-}.local" \
				"/etc/ppp/$what.d/0000mwan"
		else
			ln -sf /bin/true "/etc/ppp/$what.d/0000mwan"
		fi
	done
}

hooks ours
printf '[mwan]\nipv6 = yes\nqdisc = none\n[link ppp0]\ntable = 201\n%s\n' \
	$'[link ppp1]\ntable = 202' >/etc/ppp/mwan.ini
isp_start 1
isp_start 2
ok "apply, before pppd" mwan-rules apply
# One after the other: a hook that waits too long for the others leaves its work to
# them, and says "busy".
link_up 1
ok "line 1 and its prefix" told 1 $A
ok "its hooks are through" wait_for 60 hooks_are_through 1
link_up 2
ok "line 2 and its prefix" told 2 $B
ok "pppd calls our hook for IPV6CP" wait_for 60 grep -q \
	'event=ipv6-up if=ppp1 local=fe80::' /var/log/ifchang.log
ok "the hooks are through" wait_for 60 hooks_are_through 2
flows_start
open early 10
ok "every flow is answered" wait_for 30 answered early
is "hosts with a line's prefix keep their addresses" \
	"$(line_of early $A::11) $(line_of early $B::13)" "$A::11 $B::13"

# --- the first line is cut, and every hook does nothing ---
hooks "true"
flows_mark_when_down 1 known
link_cut 1
prefix_withdrawn
fresh 7 2 1
open during 10
fresh 7 2 1
sleep 2
prefix_changes
hooks ours
ctl mark back
link_mend 1
ok "it comes back with another prefix" told 1 $A2
prefix_announced
fresh 6 2 1
ctl pause
sleep 3

# Once the kernel knew: until pppd lets the device go, a slow machine loses more.
outage_harmed_few known $A::11 $U::15 $U::16
like "the lost line's own host is translated, and stays" \
	"$(line_of early $A::11)" "$B:ff::6d77:2"
is "flows opened in the outage: nothing lost, none moved, none reset" \
	"$(harm during)" 0
is "new connections: none of $(ctl report | grep -c 'group=new ') unanswered" \
	"$(ctl report | grep 'group=new ' | grep -c ' answered=0 ')" 0
neighbours=$(ip -6 neigh show dev ppp1 | grep -c .)
ok "few neighbour entries on a line ($neighbours)" [ "$neighbours" -le 4 ]

# --- IPV6CP alone ends ---
ctl resume
ctl close early
ctl close during
ctl close new
open last 10
ok "flows before IPV6CP ends" wait_for 30 answered last
v6_closed() { ! has_ll 1; }
# The provider ends it: the router's pppd keeps IPv4 and the device.
link_ipv6cp_cut 1
ok "IPV6CP ends" wait_for 30 v6_closed
ok "IPv4 stays" link_is_up 1
moved() { [ "$(ip -6 nexthop | grep -c 'dev ppp0')" = 0 ]; }
ok "the hook takes the link out of IPv6's group" wait_for 30 moved
by_line2() {
	! ctl report | grep "group=last proto=udp" |
		grep -qv " last=$B:"
}
ok "and its flows go on by the other line" wait_for 20 by_line2
is "IPv4 is untouched" "$(ip route show table 201)" \
	"default dev ppp0 proto 119 scope link "
is "still no packet from a foreign address" "$(foreign)" "0 0"

# --- IPCP alone ends, of the line that all of IPv6 leaves by ---
has_v4() { ip -4 addr show dev ppp1 | grep -q inet; }
no_v4() { ! has_v4; }
six() { ip -6 rule; ip -6 route show table 202; ip -6 nexthop; ip -6 addr; }
ctl close last
open four 10
ok "flows before IPCP ends" wait_for 30 answered four
before=$(six)
ends=$(grep -c 'event=down if=ppp1' /var/log/ifchang.log)
link_ipcp_cut 2
ok "IPCP ends" wait_for 30 no_v4
ended() { [ "$(grep -c 'event=down if=ppp1' /var/log/ifchang.log)" -gt "$ends" ]; }
ok "its hook comes" wait_for 30 ended
sleep 2
is "IPv6 is untouched" "$(six)" "$before"
is "nothing of it is lost, none moved, none reset" "$(harm four)" 0
link_ipcp_mend 2
undisturbed 1 1

done_testing
