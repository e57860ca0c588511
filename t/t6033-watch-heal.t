#!/bin/bash
# mwan-rules watch puts back what somebody takes away, and is woken by nothing
# else: not by others' routes, nor by what it does itself. A hook that nobody calls
# is not missed, and hooks that are called find the same.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"
# shellcheck source=lib/watch.sh
. "$root/t/lib/watch.sh"

log=/var/log/ifchang.log

# Is there nothing left to do?
whole() {
	[ -z "$(mwan-rules apply -n)" ]
}

# For a condition that comes soon: the process' own time says how soon.
heals() { # DESCRIPTION COMMAND...
	local what=$1 before after
	shift
	# There are five repairs a second at the most.
	sleep 0.3
	: >"$log"
	before=$(date +%s%N)
	"$@" >/dev/null 2>&1
	after=$(date +%s%N)
	ok "$what: healed" wait_for 20 grep -q 'event=healed' "$log"
	diag "$what: after $((($(date -d "$(sed -n \
		's/^ts=\([^ ]*\) .*event=healed.*/\1/p' "$log" |
		head -n 1)" +%s%N) - before) / 1000000)) ms, with the" \
		"$(((after - before) / 1000000)) ms that it took to happen"
	ok "$what: all of it" wait_for 20 whole
}

flush_rules() {
	ip rule flush
	ip rule add pref 32766 lookup main
	ip rule add pref 32767 lookup default
}

net5 2
watch_net
conf "targets = $targets" -- 1 1
mwan-rules apply 2>/dev/null
watch_start

heals "nft flush ruleset" nft flush ruleset
heals "ip rule flush" flush_rules
heals "the nexthops are gone" ip nexthop flush protocol 119
heals "a link's default is gone" ip route del default table 1001
heals "a chain is empty" nft flush chain inet mwan postrouting
ok "and it goes on counting" wait_for 20 nft list table inet mwan_watch

# pppd calls no hook here.
cut_off 1
heals "a hook that was missed" links_come 1
like "the link is in use" "$(ip route show table 1002)" 'default dev ppp1'
ok "and watched" wait_for 20 watching

# What it has changed itself does not wake it again.
sleep 1
: >"$log"
sleep 1
is "then there is nothing to do" "$(cat "$log")" ""

# --- others ---
wakes() { # how often it has been woken, roughly: context switches
	awk '/^voluntary/ { print $2 }' "/proc/$watcher/status"
}
kids() {
	awk '{ print $16 + $17 }' "/proc/$watcher/stat"
}
for i in $(seq 0 9999); do
	echo "route add 11.$((i / 250)).$((i % 250)).0/24 dev lan0 proto 186"
done >"$T/routes"
sed 's/add/del/' "$T/routes" >"$T/unroutes"
sleep 1
runs=$(kids)
start=$(date +%s%N) woken=$(wakes)
sleep 2
idle=$(((($(wakes) - woken) * 1000000000) / ($(date +%s%N) - start)))
start=$(date +%s%N) woken=$(wakes)
ip -batch "$T/routes"
ip -batch "$T/unroutes"
busy=$(((($(wakes) - woken) * 1000000000) / ($(date +%s%N) - start)))
diag "wake-ups a second: $idle idle, $busy under 20,000 changes of routes"
ok "20,000 changes of others' routes wake nobody" test "$busy" -lt \
	$((idle + 20))
is "and nothing runs" "$(kids)" "$runs"

# Somebody who takes our nexthops away all the time is not fought all the time.
: >"$log"
start=$(date +%s%N)
for i in $(seq 60); do
	ip nexthop flush protocol 119 >/dev/null 2>&1
	sleep 0.03
done
runs=$(grep -c event=healed "$log")
took=$((($(date +%s%N) - start) / 1000000))
diag "$runs repairs in $took ms"
ok "five repairs a second at the most" test "$runs" -le $((took / 200 + 1))
ok "and in the end all is there" wait_for 20 whole

# Hooks and it at the same time: one result, no quarrel.
: >"$log"
for i in 1 2 3 4 5; do
	nft delete table inet mwan
	hook up ppp0 10.64.0.100 10.64.0.1 &
	pids=$!
	hook up ppp1 10.64.1.100 10.64.1.1 &
	wait $pids $!
done
ok "with hooks at the same time" wait_for 20 whole
is "nobody fails" "$(grep -c 'result=failed' "$log")" 0

# --- heal = no, and flush ---
conf "targets = $targets" "heal = no" -- 1 1
mwan-rules apply 2>/dev/null
sleep 2
flush_rules
sleep 1
is "heal = no leaves it" "$(ip rule | grep -c 'proto 119')" 0
conf "targets = $targets" -- 1 1
mwan-rules apply 2>/dev/null
sleep 2
mwan-rules flush 2>/dev/null
sleep 2
is "a flush is not healed" \
	"$(ip rule | grep -c 'proto 119') $(ip nexthop | grep -c 'proto 119')" \
	"0 0"
ok "an apply" mwan-rules apply
ok "is noticed" wait_for 20 watching
heals "and then healed again" flush_rules

watch_stop
done_testing
