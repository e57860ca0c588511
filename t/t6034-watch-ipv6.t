#!/bin/bash
# mwan-rules watch asks by each line in each family: a line whose IPv6 leads
# nowhere, while its IPv4 is not concerned, is held for IPv6 alone.

# shellcheck disable=SC2317,SC2154	# functions that ok calls; of isp6.sh
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/isp6.sh
. "$root/t/lib/isp6.sh"
# shellcheck source=lib/held.sh
. "$root/t/lib/held.sh"

log=/var/log/ifchang.log
targets="2001:db8:ffff::11 2001:db8:ffff::12 2001:db8:ffff::13"
for t in $targets; do
	ip -n inet -6 addr add "$t/128" dev lo
done
# Its answers to a probe of dns are refusals.
ip netns exec inet dnsmasq --no-daemon --conf-file=/dev/null --no-resolv \
	--no-hosts --user=root --pid-file= >"$T/dnsmasq" 2>&1 &

conf() { # LINE...
	{
		printf '[mwan]\nipv6 = yes\nqdisc = none\nrecover = 1s\n'
		printf '%s\n' "targets = 192.0.2.1 $targets" "$@"
		printf '[link ppp0]\ntable = 201\nprefix6 = %s::/56\n' $A
		printf '[link ppp1]\ntable = 202\nprefix6 = %s::/56\n' $B
	} >/etc/ppp/mwan.ini
	mwan-rules apply
}

watching() {
	[ "$(awk '$1 ~ "/ipv6$" && $2 == 1 && $10 >= 4' /run/mwan/watched |
		wc -l)" = 2 ]
}

watch_start() {
	rm -f /run/mwan/watched
	mwan-rules watch >>"$T/watch.out" 2>&1 &
	watcher=$!
	wait_for 20 watching
}

watch_stop() {
	kill "$watcher"
	wait "$watcher"
}

sever() {
	ip netns exec isp0 nft 'table ip6 severed {
		chain f { type filter hook forward priority 0; drop; }
	}'
}

mend() {
	ip netns exec isp0 nft delete table ip6 severed
}

rules6() {
	ip -6 rule | grep 'proto 119' | sed 's/ proto 119//' | tr -s '\t ' ' '
}

# What leaves by a line has an address of that line's prefix.
by() { # PREFIX [FLOW ADDRESS]
	line_of "${2-a}" "${3-$U::15}" | grep -q "^$1:"
}

conf
ok "it watches both families" watch_start
before=$(rules6)
# Hosts of the LAN's own prefix are dealt to both.
for n in 1 2 3 4 5 6 7 8; do
	ctl open a udp $U::15 $server 7000 rate=50
	wait_for 20 answered a
	! by $A || break
	ctl close a
done
ok "a flow goes by ppp0" by $A
ctl open own udp $A::11 $server 7000 rate=50
ok "and that of a host with its prefix" wait_for 20 by $A own $A::11
ctl mark dies
sever
ok "IPv6 of ppp0 is held" wait_for 20 held ppp0 ipv6
moved() { by "$B"; }
ok "its flow moves" wait_for 20 moved
ok "so does that host's" wait_for 20 by "$B" own $A::11
like "why says so" "$(mwan-rules why $A::12 $server udp 1 7000 |
	tr -s '\n ' ' ')" 'it leaves by ppp1\..* ppp0, which is held: .*leads to ppp1'
ctl open new udp $A::12 $server 7000 rate=50
ok "and a new one" wait_for 20 by "$B" new $A::12
diag "gap $(value gap_ms "$(ctl report dies | grep 'group=a .*src=')") ms," \
	"$(sed -n 's/.*event=ipv6-failed .*\(silent_ms=[0-9]*\) .*/\1/p' $log)"
is "its rule for marks is gone, that for its prefix is the router's alone" \
	"$(rules6 | grep 'lookup 201')" \
	"1301: from $A::/56 iif lo lookup 201"
is "IPv4 is not concerned" "$(ip rule | grep -c 'fwmark 0x1/0xff')" 1
like "the log says so" "$(grep event= $log | tail -n 1)" \
	'event=ipv6-failed if=ppp0 cause=silent .* ipv6_held=ppp0 '
like "status tells of it" "$(mwan-rules status | tr -s '\n ' ' ')" \
	'ppp0 is up and leads nowhere in IPv6, says mwan-rules watch, so others carry its traffic; its last answer came [0-9]+ s ago from 2001:db8:ffff::1[123]'
is "in JSON, too" "$(mwan-rules status --json | jq -c '.links[] |
	[.held, .ipv6_held, .ipv6_cause, .ipv6_answer_from != null]')" \
	'[false,true,"silent",true]
[false,false,null,true]'
like "and in the metrics" "$(mwan-rules status --prometheus)" \
	'mwan_link_ipv6_held\{link="ppp0"\} 1'
like "why says it" "$(mwan-rules why $U::15 $server udp 1 7000 \
	-f /etc/ppp/mwan.ini | tr -s '\n ' ' ')" \
	'ppp0, which is held: it is up and leads nowhere'
ok "a hook keeps it out" hook up ppp1 10.64.1.100 10.64.1.1
ok "which both know it" held ppp0 ipv6
is "that rule is still gone" "$(rules6 | grep -c 'fwmark 0x1/')" 0
mend
ok "it answers, and is back" wait_for 20 not_held ppp0 ipv6
# 32768 stays with the line that it has.
as_before() {
	[ "$(rules6 | grep -v ^32768)" = "$(grep -v ^32768 <<<"$before")" ]
}
ok "all is as before" wait_for 20 as_before
like "the log says so" "$(grep event= $log | tail -n 1)" \
	'event=ipv6-recovered if=ppp0 cause=answers .* result=ok '
is "history counts no outage: those are of IPv4" \
	"$(mwan-rules history --json | jq -c '[.. | objects |
		select(.state? == "held")] | length')" 0
ok "that host's flow stays where it is" by "$B" own $A::11
ctl close own
ctl close new
ctl open own udp $A::11 $server 7000 rate=50
ok "its next one goes by its own line" wait_for 20 by $A own $A::11
ctl close own
ctl close a
sever
ok "it falls again" wait_for 20 held ppp0 ipv6
watch_stop
ok "who ends by a signal holds nobody out" as_before
ok "nor says so" test ! -e /run/mwan/held
mend

for probe in dns "tcp 7001"; do
	conf "probe = $probe"
	ok "$probe: it watches" watch_start
	sever
	ok "$probe: a dead line is found" wait_for 20 held ppp0 ipv6
	mend
	ok "$probe: and back" wait_for 20 not_held ppp0 ipv6
	watch_stop
done

# Without CAP_NET_RAW it uses sockets for echoes, where a group may.
conf
powerless() {
	rm -f /run/mwan/watched
	setpriv --bounding-set=-net_raw --inh-caps=-net_raw \
		"$BIN/mwan-rules" watch >"$T/powerless" 2>&1 &
	watcher=$!
}
sysctl -qw net.ipv4.ping_group_range="1 0"
powerless
said() {
	grep -q 'cannot ask anybody by ppp0: .*net.ipv4.ping_group_range' \
		"$T/powerless"
}
ok "without CAP_NET_RAW it says what it lacks" wait_for 20 said
watch_stop
sysctl -qw net.ipv4.ping_group_range="0 2147483647"
powerless
ok "with net.ipv4.ping_group_range it asks" wait_for 20 watching
sever
ok "a dead line is found" wait_for 20 held ppp0 ipv6
mend
ok "and back" wait_for 20 not_held ppp0 ipv6
watch_stop

sed -i 's/^ipv6 = yes/ipv6 = no/' /etc/ppp/mwan.ini
ok "ipv6 = no" mwan-rules apply
mwan-rules watch >>"$T/watch.out" 2>&1 &
watcher=$!
ipv4_alone() {
	[ -s /run/mwan/watched ] && ! grep -q ipv6 /run/mwan/watched
}
ok "nobody asks" wait_for 20 ipv4_alone
is "nor counts" "$(nft list table inet mwan_watch | grep -c 'map .*6 {')" 0
watch_stop
done_testing
