#!/bin/bash
# What happens to real PPPoE links, and what becomes of flows of 10 packets/s:
# hooks before apply, poff, a silent line, both links down, a new address, only
# the address going, a killed hook, nft flush ruleset.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/retry" "$0" "$@"
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lab/net.sh
. "$root/t/lab/net.sh"
# shellcheck source=lab/verdict.sh
. "$root/t/lab/verdict.sh"

# Both links are up, and COUNT hooks "up" have ended since the last call.
both_up() { # COUNT
	wait_for 60 link_is_up 1 && wait_for 60 link_is_up 2 &&
		wait_for 30 hooks_are_through $((hooks_before + $1)) &&
		hooks_before=$(hooks_ended)
}
hooks_before=0

hooks_logged() { # COUNT
	[ "$(grep -c event=down /var/log/ifchang.log)" -ge "$1" ]
}

way() {
	ip route get 198.51.100.1 mark "$1" | grep -o 'dev [^ ]*'
}

lab_net 2
links_wanted ppp0 ppp1
cp "$BIN/ip-up.local" "$BIN/ip-down.local" /etc/ppp
# Debian's ip-up now passes over these, of which status would complain.
rm -f /etc/ppp/ip-up.d/* /etc/ppp/ip-down.d/*

# --- pppd first, apply later ---
isp_start 1
isp_start 2
link_up 1
link_up 2
ok "both links are up" both_up 2
is "without apply the hooks do the links' part" \
	"$(ip route show table 201)/$(ip rule | grep -c 'proto 119')" \
	"default dev ppp0 proto 119 scope link /1"
is "with the original's queues" "$(tc qdisc show dev ppp0 | grep -c sfq)" 3
ok "apply after pppd" mwan-rules apply
is "status: all well" "$(status mwan-rules status)" 0
flows_start
ok "flows" open_group a
is "even hosts by link 1, odd by link 2" \
	"$(links_of a udp even) $(links_of a tcp even) $(
	links_of a udp odd) $(links_of a tcp odd)" "1 1 2 2"

# --- poff ---
flows_mark_when_down 1 poff
link_off 1
ok "poff: flows go on by the other link" all_answer
ok "poff: flows in the outage" open_group b
like "poff: the log has the session's figures" "$(log_last event=down)" \
	'if=ppp0 .*connect_time=[0-9]+ sent=[0-9]+ received=[0-9]+ default=ppp1 takeover=ppp1 .*result=ok'
link_up 1
ok "poff: back" both_up 1
ok "poff: new flows" open_group c
flows_settle
for proto in udp tcp; do
	ok "poff: $proto of the healthy link" untouched 4 "" a $proto odd
	ok "poff: $proto opened meanwhile" untouched 8 "" b $proto all
	is "poff: new $proto uses both" "$(links_of c $proto even) $(
		links_of c $proto odd)" "1 2"
done
ok "poff: UDP of the cut link: at most 3 lost" \
	test "$(lost_max "" a udp even)" -le 3
close_group a
close_group b
close_group c

# --- a silent line: only LCP echo notices ---
ok "silent: flows" open_group d
flows_mark_when_down 1 silent
link_silence 1
ok "silent: pppd notices" wait_for 30 link_is_down 1
ok "silent: flows go on by the other link" all_answer
link_unsilence 1
ok "silent: back" both_up 1
flows_settle
for proto in udp tcp; do
	ok "silent: $proto of the healthy link" untouched 4 "" d $proto odd
done
ok "silent: at most 3 lost once pppd knew" \
	test "$(lost_max silent d udp even)" -le 3
is "silent: the moved flows stay" "$(links_of d udp even)" 2
close_group d

# --- both down and back ---
link_cut 1
link_cut 2
ok "both down" wait_for 30 link_is_down 1
ok "both down" wait_for 30 link_is_down 2
ok "both down: said in the log" wait_for 20 grep -q \
	'event=down .*default=none note="all links are down"' \
	/var/log/ifchang.log
is "both down: status 2" "$(status mwan-rules status)" 2
ok "both down: the LAN's own routes are not shadowed" \
	ip route get 192.168.77.11 mark 1
link_mend 1
link_mend 2
ok "both back" both_up 2
ok "both back: flows" open_group e
is "both back: on both links" "$(links_of e udp even) $(links_of e udp odd)" \
	"1 2"

# --- a new address ---
old=$(link_address 1)
isp_stop 1
ok "new address: the session ends" wait_for 60 link_is_down 1
isp_start 1 10.64.1.200
ok "new address: and begins again" both_up 1
is "new address" "$(link_address 1)" 10.64.1.200
is "new address: its rule, and not the old one's" \
	"$(ip rule | grep -o 'from 10.64.1.[0-9]*')" "from 10.64.1.200"
flows_settle
for proto in udp tcp; do
	ok "new address: $proto of the healthy link" \
		untouched 4 "" e $proto odd
done
is "new address: no flow is left on the old one" \
	"$(conntrack -L 2>/dev/null | grep -c "dst=$old ")" 0
close_group e

# --- only the address goes ---
ok "address only: flows" open_group f
is "address only: on both links" "$(links_of f udp even)" 1
old=$(link_address 1)
ifindex=$(cat /sys/class/net/ppp0/ifindex)
downs=$(grep -c event=down /var/log/ifchang.log)
link_ipcp_cut 1
ok "address only: it goes" wait_for 30 link_is_down 1
ok "address only: the hook" wait_for 30 hooks_logged $((downs + 1))
# Here the failover is the hook's: the kernel keeps the route.
flows mark address
is "address only: the interface stays up" \
	"$(cat /sys/class/net/ppp0/ifindex)/$(ip -br link show ppp0 |
		grep -c 'LOWER_UP')" "$ifindex/1"
ok "address only: flows go on by the other link" all_answer
is "address only: none is stuck on the old one" \
	"$(conntrack -L -p udp 2>/dev/null | grep -c "dst=$old ")" 0
flows_settle
is "address only: nothing is lost once the hook is through" \
	"$(lost_max address f udp even)" 0
diag "address only: the worst flow lost $(lost_max "" f udp even) in all"
for proto in udp tcp; do
	ok "address only: $proto of the healthy link" \
		untouched 4 "" f $proto odd
done
close_group f
link_ipcp_mend 1
ok "address only: back" both_up 1
is "address only: its way is back" "$(way 1)" "dev ppp0"

# --- a hook that is killed in the middle ---
# Each call dies before its next-to-last message to the kernel, or before the
# first, in turn; the next event of the other link mends what it left.
cat >/etc/ppp/ip-up.local <<E2
#!/bin/sh
exec strace -o /run/lab/killed -e trace=sendto \
	-e inject=sendto:signal=KILL:when=\$(cat /run/lab/when) \
	$BIN/ip-up.local "\$@"
E2
chmod 755 /etc/ppp/ip-up.local
for when in 1 9 12; do
	echo $when >/run/lab/when
	link_cut 1
	ok "killed at $when: down" wait_for 30 link_is_down 1
	link_mend 1
	wait_for 60 link_is_up 1
	ok "killed at $when" wait_for 20 grep -q 'killed by SIGKILL' \
		/run/lab/killed
	rm -f /run/lab/killed
	ok "killed at $when: every mark has a way" \
		ip route get 198.51.100.1 mark 1
	hook up ppp1 "$(link_address 2)"
	is "killed at $when: mended by an event of the other link" \
		"$(way 1) $(mwan-rules status --json |
			jq -r '.problems[].kind')" "dev ppp0 hook"
done
cp "$BIN/ip-up.local" /etc/ppp/ip-up.local.new
mv /etc/ppp/ip-up.local.new /etc/ppp/ip-up.local

# --- somebody flushes nftables; the next event repairs ---
nft flush ruleset
link_off 1
hooks_before=$(hooks_ended)
link_up 1
ok "nft flush ruleset: redial" both_up 1
ok "nft flush ruleset: the table is back" \
	nft list chain inet mwan postrouting
ok "nft flush ruleset: flows" open_group g
is "nft flush ruleset: on both links" "$(links_of g udp even) $(
	links_of g udp odd)" "1 2"
flows_settle

done_testing
