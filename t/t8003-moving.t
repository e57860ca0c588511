#!/bin/bash
# On real PPPoE links: our hooks alone under the 2004 thread's own ip rule and
# iptables commands; the move from the scripts on a running machine and the way
# back, step by step as in the README; and inbound connections through a DNAT
# rule of the user's.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/retry" "$0" "$@"
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lab/net.sh
. "$root/t/lab/net.sh"
# shellcheck source=lab/verdict.sh
. "$root/t/lab/verdict.sh"

install_hooks() { # DIRECTORY
	# pppd may be running the old ones.
	install -m 755 "$1/ip-up.local" "$1/ip-down.local" /etc/ppp
}

rename_scripts() { # FROM-SUFFIX TO-SUFFIX
	for what in up down; do
		mv "/etc/ppp/ip-$what.local$1" "/etc/ppp/ip-$what.local$2"
	done
}

delete_rules() {
	ip rule del fwmark 1 table ppp0 && ip rule del fwmark 2 table ppp1 &&
		iptables -t mangle -F PREROUTING &&
		iptables -t nat -F POSTROUTING
}

back_up() { # N
	wait_for 60 link_is_up "$1" &&
		wait_for 30 hooks_are_through $((hooks_before + 1))
}

build=$(dirname "$BIN")
lab_net 2
links_wanted ppp0 ppp1
sysctl -qw net.ipv4.ip_forward=1

# --- the thread's machine, with our hooks in the place of its scripts ---
"$root/t/bench/baseline/rc.local" >/dev/null 2>&1
install_hooks "$BIN"
isp_start 1
isp_start 2
link_up 1
link_up 2
ok "thread's rules, our hooks: both up" wait_for 60 hooks_are_through 2
flows_start
ok "thread's rules: flows" open_group a
is "thread's rules: split by its iptables marks" "$(links_of a udp even) $(
	links_of a udp odd)" "1 2"
is "thread's rules: of ours only the last rule" \
	"$(ip rule | grep -c 'proto 119')/$(nft list tables | grep -c mwan)" \
	"1/0"
link_cut 1
ok "thread's rules: cut" wait_for 30 link_is_down 1
ok "thread's rules: flows go on by the other link" all_answer
ok "thread's rules: flows in the outage" open_group b
hooks_before=$(hooks_ended)
link_mend 1
ok "thread's rules: back" back_up 1
ok "thread's rules: flows after" open_group c
flows_settle
is "thread's rules: on both links again" "$(links_of c udp even) $(
	links_of c udp odd)" "1 2"
for proto in udp tcp; do
	ok "thread's rules: $proto of the healthy link" \
		untouched 4 "" a $proto odd
done
for group in a b c; do
	close_group $group
done

# --- from the scripts to ours, while everything runs ---
install_hooks "$root/t/bench/baseline"
link_cut 1
ok "upgrade: the scripts' failover" wait_for 60 sh -c \
	'ip route show table 201 | grep -q "default dev ppp1"'
ok "upgrade: flows during the scripts' outage" open_group d
not_ok "upgrade: installing does not overwrite the scripts" \
	cmake --install "$build"
rename_scripts "" .before-mwan
ok "upgrade: install" cmake --install "$build"
ok "upgrade: apply on the running machine" mwan-rules apply
is "upgrade: the leftover default is gone" \
	"$(ip route show table 201 | grep -c default)" 0
hooks_before=$(hooks_ended)
link_mend 1
ok "upgrade: the link returns" back_up 1
is "upgrade: its table has our default alone" \
	"$(ip route show table 201 | grep default)" \
	"default dev ppp0 proto 119 scope link "
ok "upgrade: flows after" open_group e
ok "upgrade: the scripts' rules go" delete_rules
ok "upgrade: and more flows" open_group f
flows_settle
for proto in udp tcp; do
	ok "upgrade: $proto flows that were running are untouched" \
		untouched 8 "" d $proto all
done
is "upgrade: new ones use both" "$(links_of e udp even) $(
	links_of e udp odd)" "1 2"
is "upgrade: by our own rules alone, too" "$(links_of f udp even) $(
	links_of f udp odd)" "1 2"
for group in d e f; do
	close_group $group
done

# --- the way back ---
# The hook of a link that is hung up must not meet the one that comes back.
for n in 1 2; do
	link_off $n
done
ok "back: uninstall" cmake -P "$build/uninstall.cmake"
is "back: nothing of ours is left" "$(
	ip rule | grep 'proto 119'
	ip nexthop show protocol 119
	nft list tables | grep mwan
	ls /etc/ppp/ip-*.d/*mwan 2>/dev/null)" ""
rename_scripts .before-mwan ""
"$root/t/bench/baseline/rc.local" >/dev/null 2>&1
hooks_before=$(hooks_ended)
for n in 1 2; do
	link_up $n
done
ok "back: dialled anew" wait_for 60 hooks_are_through $((hooks_before + 2))
ok "back: flows" open_group g
is "back: the scripts share them" "$(links_of g udp even) $(
	links_of g udp odd)" "1 2"
ok "back: ip-up.local is the script" \
	cmp "$root/t/bench/baseline/ip-up.local" /etc/ppp/ip-up.local
close_group g
install_hooks "$BIN"

# --- inbound, by the user's own DNAT; both links with a fixed address ---
mwan-rules flush
iptables -t mangle -F
iptables -t nat -F
for n in 1 2; do
	link_off $n
	isp_stop $n
	isp_start $n 10.64.$n.100 same
done
hooks_before=$(hooks_ended)
link_up 1
link_up 2
ok "inbound: both up" wait_for 60 hooks_are_through $((hooks_before + 2))
mwan-rules apply
nft -f - <<-'E2'
	table ip user {
		chain prerouting {
			type nat hook prerouting priority dstnat
			meta l4proto { tcp, udp } th dport 7000 iifname "ppp*" dnat to 192.168.77.11:7000
		}
	}
E2
inbound_start 192.168.77.11
for n in 1 2; do
	inbound open "in$n" udp 0.0.0.0 "10.64.$n.100" 7000
	inbound open "in$n" tcp 0.0.0.0 "10.64.$n.100" 7000
done
inbound_ready() {
	[ "$(inbound ready)" = 0 ]
}
inbound_healthy() { # GROUP PROTO
	inbound report | grep "group=$1 proto=$2 " |
		grep ' state=open .* lost=0 .* changes=0 ports=0 resets=0 '
}
ok "inbound: connections by both links" wait_for 20 inbound_ready
is "inbound: no packet goes back by the other link" "$(
	conntrack -L -p udp --dport 7000 2>/dev/null |
		grep -oE 'dst=10\.64\.[12]\.100 .* mark=[0-9]+' |
		sed -E 's/dst=10\.64\.(.).* mark=(.*)/\1 \2/' | sort -u |
		paste -sd,)" "1 1,2 2"
link_cut 1
ok "inbound: cut" wait_for 30 link_is_down 1
ok "inbound: the failover is through" wait_for 20 grep -q \
	'event=down if=ppp0 .*takeover=ppp1' /var/log/ifchang.log
hooks_before=$(hooks_ended)
outage_end=$(($(date +%s) + 5))
long_enough() {
	[ "$(date +%s)" -ge "$outage_end" ]
}
wait_for 10 long_enough
link_mend 1
ok "inbound: back" back_up 1
is "inbound: with the same address" "$(link_address 1)" 10.64.1.100
inbound mark after
inbound_answers() { # GROUP: its UDP flow has had answers since the return
	inbound report after | grep "group=$1 proto=udp" |
		grep -qE ' answered=[1-9]'
}
ok "inbound: the cut link's UDP flow goes on" wait_for 20 inbound_answers in1
inbound open new udp 0.0.0.0 10.64.1.100 7000
inbound open new tcp 0.0.0.0 10.64.1.100 7000
ok "inbound: new connections by the returned link" wait_for 20 inbound_ready
inbound pause
wait_for 5 sh -c "! '$FLOWS' ctl '$inbound_socket' report |
	grep 'proto=udp .*state=open' | grep -qv 'pending=0 '"
for proto in udp tcp; do
	ok "inbound: $proto by the healthy link" inbound_healthy in2 $proto
done
done_testing
