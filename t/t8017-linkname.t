#!/bin/bash
# Real pppd: a client dials in to a server on the router and gets the free name
# ppp1. With linkname that is no line, in routing and in nftables, and the line
# itself is one as soon as it has the name.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/retry" "$0" "$@"
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lab/net.sh
. "$root/t/lab/net.sh"

# Its own /etc/ppp and /run, or its pppd would run the router's hooks.
dial_in() {
	ip netns add client
	ip -n client link set lo up
	# shellcheck disable=SC2016 # for sh
	daemon dialin_pid "$lab/dialin.err" pppd nodetach noauth local \
		nodefaultroute debug logfile "$lab/dialin.log" 10.99.0.1:10.99.0.2 \
		pty 'ip netns exec client sh -c "
			mount -t tmpfs tmpfs /etc/ppp &&
			mount -t tmpfs tmpfs /run &&
			: >/etc/ppp/options &&
			exec pppd notty noauth local defaultroute \
				10.99.0.2:10.99.0.1"'
}

dialled_in() {
	grep -q 'Script /etc/ppp/ip-up finished' "$lab/dialin.log" &&
		ip -n client route get "$server" >/dev/null
}

# ping NAMESPACE DESTINATION [SOURCE]
ping() {
	ip netns exec "$1" busybox ping -c 1 -W 9 ${3:+-I "$3"} "$2"
}

rules_of() { # NAME: of the table, but for the map of its packets' sizes
	nft list table inet mwan | grep 'iifname\|oifname' | grep -c "\"$1\""
}

lab_net 2
printf '[mwan]\nqdisc = none\n[link ppp0]\ntable = 201\nlinkname = wan1\n%s' \
	$'[link ppp1]\ntable = 202\nlinkname = wan2\n' >/etc/ppp/mwan.ini
cp "$BIN/ip-up.local" "$BIN/ip-down.local" /etc/ppp
rm -f /etc/ppp/ip-up.d/* /etc/ppp/ip-down.d/*
ok "apply" mwan-rules apply
isp_start 1
isp_start 2
link_up 1
link_up 2
ok "both lines are up" wait_for 60 hooks_are_through 2
is "and used" "$(ip route show table 201) $(ip route show table 202)" \
	"default dev ppp0 proto 119 scope link  default dev ppp1 proto 119 scope link "
is "status: all well" "$(status mwan-rules status)" 0

link_off 2
dial_in
ok "a client dials in while line 2 is down" wait_for 60 dialled_in
like "it has the line's name" "$(ip -br address show ppp1)" '10\.99\.0\.1'
is "nothing of ours leads there" "$(ip route show table 202)$(
	ip nexthop | grep -c 'dev ppp1')" 0
like "the log says why" "$(grep 'event=up if=ppp1' /var/log/ifchang.log |
	tail -n 1)" 'note="ppp1 is not used: pppd says'
like "and status" "$(mwan-rules status)" 'ppp1 is there, but pppd says'
is "nftables does not know its name" "$(rules_of ppp1)" 0
ok "but still that of the other line" test "$(rules_of ppp0)" -gt 0
ok "a host of the LAN reaches the client" ping lan 10.99.0.2 192.168.77.11
is "under its own address and with no line's mark" \
	"$(conntrack -L -p icmp -d 10.99.0.2 2>/dev/null |
		grep -o 'dst=192.168.77.11\|mark=[0-9]*' | paste -sd ' ')" \
	"dst=192.168.77.11 mark=0"
ok "the client has the Internet, as every host behind the router" \
	ping client "$server"
is "by the line that is up" "$(conntrack -L -p icmp -d "$server" 2>/dev/null |
	grep -o 'dst=10.64[0-9.]*\|mark=[0-9]*' | paste -sd ' ')" \
	"dst=10.64.1.100 mark=1"

# The client hangs up, and the line dials.
# shellcheck disable=SC2154	# daemon sets it
kill "$dialin_pid"
wait "$dialin_pid"
link_up 2
ok "the line has its name again" wait_for 60 hooks_are_through 3
is "and is used" "$(ip route show table 202)" \
	"default dev ppp1 proto 119 scope link "
ok "also by nftables" test "$(rules_of ppp1)" -gt 0
is "status: all well" "$(status mwan-rules status)" 0
done_testing
