#!/bin/bash
# The hooks and mwan-rules on kernel state: what they make, that a second run
# changes nothing, and that the next run of anything mends what was broken.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

# Our objects as text that can be compared; ifindexes are left out by ip.
state() {
	ip rule | sed 's/\t/ /g'
	ip nexthop
	for table in 200 $(seq 201 $((200 + ${links:-2}))); do
		echo "table $table"
		ip route show table "$table"
	done
	nft list ruleset
}

links_wanted ppp0 ppp1
ini '[link ppp0]' '[link ppp1]'
sysctl -qw net.ipv4.ip_forward=0

since() {
	mwan-rules status --long | awk -v link="$1" '$1 == link { print $3 }'
}

# --- before any link: apply at boot ---
ok "apply before pppd" mwan-rules apply
like "apply says what sysctl it set" "$(log_last)" \
	'event=apply .*sysctl="net/ipv4/ip_forward=1"'
is "ip_forward is on" "$(sysctl -n net.ipv4.ip_forward)" 1
is "status: no link" "$(status mwan-rules status)" 2
is "apply again writes nothing" "$(writes mwan-rules apply)" 0

# --- links come ---
link_new ppp0 10.64.1.100 10.64.1.1
sysctl -qw net.ipv4.conf.ppp0.rp_filter=1
ok "first link up" hook up ppp0 10.64.1.100 10.64.1.1
is "its rp_filter is loose" "$(sysctl -n net.ipv4.conf.ppp0.rp_filter)" 2
like "the log says so" "$(log_last)" 'sysctl="net/ipv4/conf/ppp0/rp_filter=2"'
like "event line" "$(log_last)" "^ts=[0-9T:.+-]+ tool=ip-up.local \
pid=[0-9]+ event=up if=ppp0 local=10.64.1.100 peer=10.64.1.1 default=ppp0 \
takeover=ppp0 .* result=ok took_us=[0-9]+$"
is "its table has its default and nothing else" \
	"$(ip route show table 201)" \
	"default dev ppp0 proto 119 scope link "
is "the other link's mark falls through to the standby" \
	"$(ip route get 192.0.2.1 mark 2 | grep -o 'dev [^ ]*')" "dev ppp0"
is "status: degraded" "$(status mwan-rules status)" 1
is "since when is in the log" "$(since ppp0)" "$(log_last | cut -c4-22)"
is "and not known of the other" "$(since ppp1)" -
link_new ppp1 10.64.2.100 10.64.2.1
ok "second link up" hook up ppp1 10.64.2.100 10.64.2.1
is "status: all well" "$(status mwan-rules status)" 0
for i in 1 2; do
	is "mark $i goes by its link" \
		"$(ip route get 192.0.2.1 mark $i | grep -o 'dev [^ ]*')" \
		"dev ppp$((i - 1))"
done
is "a socket bound to a link's address goes by that link" \
	"$(ip route get 192.0.2.1 from 10.64.2.100 | grep -o 'dev [^ ]*')" \
	"dev ppp1"
is "unmarked traffic goes by the primary" \
	"$(ip route get 192.0.2.1 | grep -o 'dev [^ ]*')" "dev ppp0"
is "nothing of ours is in main" \
	"$(ip route show table main | grep -c 'proto 119')" 0
two_up=$(state)
for run in "hook up ppp0 10.64.1.100" "hook up ppp1 10.64.2.100" \
	"hook down ppp0 10.64.1.100" "mwan-rules apply"; do
	# shellcheck disable=SC2086 # words
	$run
	is "unchanged by: $run" "$(state)" "$two_up"
done
is "a second ip-up writes nothing" "$(writes env -i "$BIN/ip-up.local" \
	ppp0 eth9 0 10.64.1.100 10.64.1.1)" 0
like "a late ip-down says that the link stays" "$(
	hook down ppp0 10.64.1.99
	log_last
)" 'event=down .*default=ppp0 note="ppp0 has a session with address 10.64.1.100: it stays in use"'
is "a late ip-down of an old address changes nothing" "$(state)" "$two_up"

# --- in the environment alone ---
ok "ip-up.local by IFNAME and IPLOCAL alone" \
	env -i IFNAME=ppp0 IPLOCAL=10.64.1.100 "$BIN/ip-up.local"
ok "ip-down.local by IFNAME alone" env -i IFNAME=ppp1 "$BIN/ip-down.local"
is "both changed nothing" "$(state)" "$two_up"
is "argv wins over the environment" "$(
	env -i IFNAME=ppp7 IPLOCAL=1.2.3.4 "$BIN/ip-up.local" \
		ppp1 eth9 0 10.64.2.100 10.64.2.1
	log_last | grep -o 'if=.* local=[^ ]*'
)" "if=ppp1 local=10.64.2.100"

# --- not ours ---
is "an unknown link is ignored with 0" \
	"$(status hook up tun7 10.9.9.9)" 0
like "and logged" "$(log_last)" 'event=ignored if=tun7 .*result=ok'
is "and nothing changed" "$(state)" "$two_up"

# --- self-healing ---
mend() {
	local what=$1
	shift
	"$@"
	not_ok "broken: $what" test "$(state)" = "$two_up"
	hook up ppp1 10.64.2.100 10.64.2.1
	is "mended by a hook: $what" "$(state)" "$two_up"
}
mend "nft flush ruleset" nft flush ruleset
mend "rules deleted" ip rule flush protocol 119
mend "the standby's nexthops deleted" ip nexthop del id 77257
mend "all nexthops deleted" ip nexthop flush protocol 119
mend "a table emptied" ip route flush table 202
mend "a rule added under our protocol" \
	ip rule add pref 1005 lookup 7 protocol 119
mend "somebody's nft rule in our table" \
	nft add rule inet mwan prerouting counter
mend "a chain flushed" nft flush chain inet mwan postrouting

# --- the scripts' leftovers, and what is not ours to touch ---
ip route add default dev ppp1 metric 7 table 201
ip route add 10.99.0.0/16 dev ppp1 table 201
hook up ppp0 10.64.1.100
is "the scripts' default through a managed link goes" \
	"$(ip route show table 201 | sed 's/ *$//')" \
	"default dev ppp0 proto 119 scope link
10.99.0.0/16 dev ppp1 scope link"
ip route del 10.99.0.0/16 dev ppp1 table 201
ip route del default dev ppp0 table 201
ip route add default dev ppp1 table 201
hook up ppp0 10.64.1.100
is "also when it stands in the very place of ours" "$(state)" "$two_up"
link_new wan9 10.70.0.2 10.70.0.1
ip route add default via 10.70.0.1 dev wan9 metric 50 table 201
ip rule add pref 1500 fwmark 0x77 lookup 77
foreign=$(state)
hook up ppp0 10.64.1.100
is "foreign routes and rules stay" "$(state)" "$foreign"
ip link del wan9
ip rule del pref 1500

# --- a flap during a hook: pppd makes no further call for it ---
# The last question of a run that finds nothing to do is the eleventh, when it has to
# read the whole nftables table.
rm -f /run/mwan/verified
strace -o "$T/flap" -e trace=sendto -e inject=sendto:delay_exit=3000000:when=11 \
	"${bare[@]}" "$BIN/ip-up.local" ppp0 eth9 0 10.64.1.100 10.64.1.1 &
flapping=$!
asked() { # COUNT
	[ "$(grep -c '^sendto' "$T/flap")" = "$1" ]
}
ok "a hook is looking" wait_for 5 asked 11
ip link set ppp1 down
ip link set ppp1 up
wait $flapping
ok "it has looked again" test "$(grep -c '^sendto' "$T/flap")" -gt 20
is "and mended what the flap of the other link took" "$(state)" "$two_up"

# --- the kernel fails over before any hook ---
ip link del ppp0
is "cut: mark 1 goes by the other link at once" \
	"$(ip route get 192.0.2.1 mark 1 | grep -o 'dev [^ ]*')" "dev ppp1"
is "cut: so does unmarked traffic" \
	"$(ip route get 192.0.2.1 | grep -o 'dev [^ ]*')" "dev ppp1"
ok "ip-down" env -i CONNECT_TIME=61 BYTES_SENT=12 BYTES_RCVD=34 \
	"$BIN/ip-down.local" ppp0 eth9 0 10.64.1.100 10.64.1.1
like "down line" "$(log_last)" "event=down if=ppp0 local=10.64.1.100 \
peer=10.64.1.1 connect_time=61 sent=12 received=34 default=ppp1 takeover=ppp1 "
is "the from rule is gone" "$(ip rule | grep -c 'from 10.64.1.100')" 0
hook down ppp0 10.64.1.100
like "down again: unchanged" "$(log_last)" 'result=unchanged'

ip link del ppp1
hook down ppp1 10.64.2.100
like "all down" "$(log_last)" 'default=none note="all links are down"'
is "status: no link" "$(status mwan-rules status)" 2
link_new ppp0 10.64.1.100 10.64.1.1
link_new ppp1 10.64.2.100 10.64.2.1
hook up ppp1 10.64.2.100
hook up ppp0 10.64.1.100
is "the primary is kept, though a lower one is back" \
	"$(ip route get 192.0.2.1 | grep -o 'dev [^ ]*')" "dev ppp0"

# --- flush ---
ok "flush" mwan-rules flush
is "flush: says what that means" "$(cat "$T/ok.out")" \
	"mwan-rules: the links that are up have no route of ours any more, \
until their next ip-up or \"mwan-rules apply\""
is "nothing of ours is left" "$(
	ip rule | grep 'proto 119'
	ip nexthop
	ip route show table all | grep 'proto 119'
	nft list ruleset
)" ""
is "flush again writes nothing" "$(writes mwan-rules flush)" 0
is "and says nothing" "$(mwan-rules flush 2>&1)" ""
hook up ppp0 10.64.1.100
is "a redial does not undo a flush: only the last rule" \
	"$(ip rule | grep -c 'proto 119')" 1
is "but the links' part is there" \
	"$(ip route show table 200 | head -n 1)" \
	"default nhid 77257 proto 119 metric 1 "
is "and no table of nftables" "$(nft list ruleset)" ""
done_testing
