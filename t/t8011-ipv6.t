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

A=2001:db8:a00 B=2001:db8:b00 A2=2001:db8:a77 U=fd00:1:2
server6=2001:db8:ffff::1
meter=$lab/flows6.sock
modprobe -a nft_chain_nat nft_masq nft_ct nft_fib_inet nft_hash nf_nat \
	nft_redir nft_reject_inet nf_conntrack_netlink 2>/dev/null

# --- the world around ---
lab_net 2
links_wanted ppp0 ppp1
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n inet addr add $server6/128 dev lo
for n in inet isp1 isp2; do
	in_ns $n sysctl -qw net.ipv6.conf.all.forwarding=1
done
for n in 1 2; do
	ip -n isp$n -6 addr add 2001:db8:fff$n::1/64 dev core nodad
	ip -n inet -6 addr add 2001:db8:fff$n::2/64 dev isp$n nodad
	ip -n isp$n -6 route add default via 2001:db8:fff$n::2
	in_ns isp$n nft -f - <<-N
	table ip6 bcp38 {
		set own { type ipv6_addr; flags interval; }
		counter bad { }
		chain f { type filter hook forward priority 0
			iifname "ppp*" ip6 saddr != @own counter name bad drop
		}
	}
	N
done
ip -6 addr add fe80::1/64 dev lan0 nodad
ip -n lan -6 route add default via fe80::1 dev eth0
hosts="$A::11 $B::13 $U::15 $U::16"
for a in $hosts; do
	ip -n lan -6 addr add "$a"/64 dev eth0 nodad
done
for p in $A $B $U; do
	ip -6 addr add "$p::1/64" dev lan0 nodad
done

delegates() { # N PREFIX: the provider's side, before or after the session
	in_ns "isp$1" nft "flush set ip6 bcp38 own
		add element ip6 bcp38 own { $2::/56 }"
	ip -n inet -6 route replace "$2::/40" via "2001:db8:fff$1::1"
}
routes_it() { # N PREFIX: by the session that there is
	local dev

	dev=$(ip -n "isp$1" -o link show up | sed -n 's/^[0-9]*: \(ppp[0-9]*\).*/\1/p')
	[ -n "$dev" ] && ip -n "isp$1" -6 route replace "$2::/56" dev "$dev"
}
has_ll() { ip -6 addr show dev "ppp$1" scope link 2>/dev/null | grep -q fe80; }

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

# PREFIX of link N, as the client that asks for it tells it.
told() {
	wait_for 60 has_ll $(($1 - 1)) && wait_for 20 routes_it "$1" "$2" &&
		mwan-rules prefix "ppp$(($1 - 1))" "$2::/56"
}

foreign() {
	in_ns "isp$1" nft list counter ip6 bcp38 bad |
		sed -n 's/.*packets \([0-9]*\).*/\1/p'
}
ctl() { "$FLOWS" ctl "$meter" "$@"; }
sum() { # GROUP SOURCE PROTO KEY
	ctl report | grep "group=$1 proto=$3 src=$2 " |
		sed "s/.* $4=\([0-9]*\).*/\1/" | awk '{ n += $1 } END { print n + 0 }'
}
line_of() { # GROUP SOURCE
	ctl report | grep "group=$1 proto=udp src=$2 " |
		sed 's/.* last=\([^ ]*\).*/\1/' | tail -n 1
}
answered() { ! ctl report | grep "group=$1 " | grep -q ' answered=0 '; }
open() { # GROUP
	for host in $hosts; do
		ctl open "$1" udp "$host" "$server6" 7000 rate=10
		ctl open "$1" tcp "$host" "$server6" 7000 rate=10
	done
}
fresh() { # N: new connections, one after the other
	local i

	for i in $(seq "$1"); do
		for host in $hosts; do
			ctl open new udp "$host" "$server6" 7000 rate=2
		done
		sleep 1
	done
}
few() { [ "$1" -le 2 ]; }

hooks ours
printf '[mwan]\nipv6 = yes\nqdisc = none\n[link ppp0]\ntable = 201\n%s\n' \
	$'[link ppp1]\ntable = 202' >/etc/ppp/mwan.ini
delegates 1 $A
delegates 2 $B
isp_start 1
isp_start 2
ok "apply, before pppd" mwan-rules apply
link_up 1
link_up 2
ok "line 1 and its prefix" told 1 $A
ok "line 2 and its prefix" told 2 $B
like "pppd calls our hook for IPV6CP" "$(cat /var/log/ifchang.log)" \
	'event=ipv6-up if=ppp1 local=fe80::'
daemon flows_server6 "$lab/flows.log" ip netns exec inet "$FLOWS" \
	serve "$server6:7000"
daemon flows_client6 "$lab/flows.log" ip netns exec lan "$FLOWS" client "$meter"
must wait_for 10 [ -S "$meter" ]
open early
ok "every flow is answered" wait_for 30 answered early
is "hosts with a line's prefix keep their addresses" \
	"$(line_of early $A::11) $(line_of early $B::13)" "$A::11 $B::13"

# --- the first line is cut, and every hook does nothing ---
hooks "true"
ctl mark cut
link_cut 1
ip -6 addr del $A::1/64 dev lan0
fresh 7
open during
fresh 7
sleep 2
ip -n isp1 -6 route del $A::/56 2>/dev/null
delegates 1 $A2
hooks ours
ctl mark back
link_mend 1
ok "it comes back with another prefix" told 1 $A2
ip -6 addr add $A2::1/64 dev lan0 nodad
fresh 6
ctl pause
sleep 3

is "the healthy line's UDP: nothing lost" "$(sum early $B::13 udp lost)" 0
is "its TCP: not reset" "$(sum early $B::13 tcp resets)" 0
is "it never moves" "$(sum early $B::13 udp changes)$(
	sum early $B::13 tcp changes)" 00
for host in $A::11 $U::15 $U::16; do
	ok "$host: two packets lost at most ($(sum early "$host" udp lost) of $(
		sum early "$host" udp sent))" few "$(sum early "$host" udp lost)"
done
like "the lost line's own host is translated, and stays" \
	"$(line_of early $A::11)" "$B:ff::6d77:2"
is "flows opened in the outage: nothing lost, none moved, none reset" "$(
	for host in $hosts; do
		sum during "$host" udp lost
		sum during "$host" udp changes
		sum during "$host" tcp changes
		sum during "$host" tcp resets
	done | awk '{ n += $1 } END { print n }')" 0
is "new connections: none of $(ctl report | grep -c 'group=new ') unanswered" \
	"$(ctl report | grep 'group=new ' | grep -c ' answered=0 ')" 0
is "packets from foreign addresses at the providers" \
	"$(foreign 1) $(foreign 2)" "0 0"
neighbours=$(ip -6 neigh show dev ppp1 | grep -c .)
ok "few neighbour entries on a line ($neighbours)" [ "$neighbours" -le 4 ]

# --- IPV6CP alone ends ---
ctl resume
ctl close early
ctl close during
ctl close new
open last
ok "flows before IPV6CP ends" wait_for 30 answered last
v6_closed() { ! has_ll 0; }
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
is "still no packet from a foreign address" "$(foreign 1) $(foreign 2)" "0 0"

# --- IPCP alone ends, of the line that all of IPv6 leaves by ---
has_v4() { ip -4 addr show dev ppp1 | grep -q inet; }
no_v4() { ! has_v4; }
six() { ip -6 rule; ip -6 route show table 202; ip -6 nexthop; ip -6 addr; }
ctl close last
open four
ok "flows before IPCP ends" wait_for 30 answered four
before=$(six)
ends=$(grep -c 'event=down if=ppp1' /var/log/ifchang.log)
link_ipcp_cut 2
ok "IPCP ends" wait_for 30 no_v4
ended() { [ "$(grep -c 'event=down if=ppp1' /var/log/ifchang.log)" -gt "$ends" ]; }
ok "its hook comes" wait_for 30 ended
sleep 2
is "IPv6 is untouched" "$(six)" "$before"
is "nothing of it is lost, none moved, none reset" "$(
	for host in $hosts; do
		sum four "$host" udp lost
		sum four "$host" udp changes
		sum four "$host" tcp changes
		sum four "$host" tcp resets
	done | awk '{ n += $1 } END { print n }')" 0
link_ipcp_mend 2
undisturbed 1 1

done_testing
