#!/bin/bash
# mwan-rules watch on real PPPoE, with Debian's kernel: a line whose session lives
# while its provider leads nowhere. LCP echoes go on, so pppd notices nothing. How
# soon the flows move, and that delay, loss and bursts by netem make no alarm.
# Netem for two minutes each; with --long for an hour each, and 20 rounds.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
if [ -z "${LAB_INSIDE-}" ]; then
	export LAB_ICOUNT="${LAB_ICOUNT-0}" LAB_IDLE=1
	export LAB_ROUNDS="${LAB_ROUNDS:-3}" LAB_SECONDS="${LAB_SECONDS:-120}"
	export LAB_TIMEOUT="${LAB_TIMEOUT:-1200}"
	if [ -n "${TEST_LONG-}" ]; then
		export LAB_ROUNDS=20 LAB_SECONDS=3600 LAB_TIMEOUT=12600
	fi
	exec "$(dirname "$0")/lab/retry" "$0" "$@"
fi
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lab/net.sh
. "$root/t/lab/net.sh"
# shellcheck source=lib/held.sh
. "$root/t/lib/held.sh"

log=/var/log/ifchang.log
rounds=$LAB_ROUNDS seconds=$LAB_SECONDS

# Behind the session: what the provider would forward goes nowhere.
sever() {
	in_ns isp1 nft "table inet severed {
		chain f { type filter hook forward priority 0; drop; }
	}"
}

mend() {
	in_ns isp1 nft delete table inet severed
}

watching() {
	[ "$(awk '$1 != "until" && $10 >= 4' /run/mwan/watched | wc -l)" = 2 ]
}

start() {
	rm -f /run/mwan/watched
	mwan-rules watch >>"$T/watch.out" 2>&1 &
	watcher=$!
	wait_for 30 watching
}

stop() {
	kill "$watcher"
	wait "$watcher"
}

# field NAME GROUP PHASE: the worst of its flows.
worst() {
	flows report "$3" | sed -n "s/.* group=$2 .* $1=\([0-9]*\).*/\1/p" |
		sort -n | tail -n 1
}

moved() {
	! flows report "$1" |
		grep ' group=a .*state=open' | grep -qv ' last=10.64.2.'
}

modprobe -a sch_netem
lab_net 2
links_wanted ppp0 ppp1
cp "$BIN/ip-up.local" "$BIN/ip-down.local" /etc/ppp
rm -f /etc/ppp/ip-up.d/* /etc/ppp/ip-down.d/*
printf '%s\n' '[mwan]' 'recover = 1s' "targets = $server $server2" \
	'[link ppp0]' 'table = 201' '[link ppp1]' 'table = 202' \
	>/etc/ppp/mwan.ini
isp_start 1
isp_start 2
link_up 1
link_up 2
ok "both links are up" wait_for 60 eval 'link_is_up 1 && link_is_up 2'
ok "apply" mwan-rules apply
flows_start

for i in $(seq "$rounds"); do
	start
	flows open a udp 192.168.77.12 "$server" "$server_port" rate=50
	flows open b udp 192.168.77.13 "$server" "$server_port" rate=50
	wait_for 30 flows_ready
	flows mark "dies$i"
	sever
	ok "round $i: the flow moves" wait_for 30 moved "dies$i"
	ok "round $i: ppp0 is held" wait_for 30 held ppp0
	ok "round $i: and still up" link_is_up 1
	diag "round $i: gap $(worst gap_ms a "dies$i") ms," \
		"$(sed -n 's/.*\(silent_ms=[0-9]*\) .*/\1/p' $log | tail -n 1)"
	flows close a
	is "round $i: the other line lost" "$(worst lost b "dies$i")" 0
	flows close b
	mend
	ok "round $i: it returns" wait_for 60 not_held ppp0
	stop
done
like "the log" "$(grep -c 'event=failed .*cause=silent' $log)/$(
	grep -c event=down $log)" "^$rounds/0$"

# netem loses ARP as well: without these the line itself has an outage of a second
# or two, several times an hour, until the neighbour is found again.
must in_ns isp1 ip neigh replace 10.255.1.2 dev core nud permanent lladdr \
	"$(in_ns inet cat /sys/class/net/isp1/address)"
must in_ns inet ip neigh replace 10.255.1.1 dev isp1 nud permanent lladdr \
	"$(in_ns isp1 cat /sys/class/net/core/address)"

impair() { # NETEM
	local at

	for at in "isp1 core" "inet isp1"; do
		# shellcheck disable=SC2086 # words
		in_ns ${at% *} tc qdisc replace dev ${at#* } root netem $1
	done
}

worsens() { # SECONDS NETEM...
	local how

	for how in "${@:2}"; do
		impair "$how"
		sleep "$1"
	done
}

start
while read -r how; do
	: >$log
	flows open c udp 192.168.77.12 "$server" "$server_port" rate=10
	# Where no answer has taken 0.3 s for a day, "detect" of it is silence: a
	# line's delay grows, as its queues do.
	# So does loss: unit-probe says how often it is a verdict from one moment to
	# the next.
	case $how in
	delay*) worsens 2 "delay 50ms 20ms" "delay 100ms 40ms" ;;
	"loss gemodel"*) worsens 15 "loss gemodel 1% 50% 50% 0.1%" ;;
	loss*) worsens 8 "loss 7%" "loss 14%" ;;
	esac
	impair "$how"
	sleep "$seconds"
	is "$how: no verdict" "$(grep -c event=failed $log)" 0
	sed -n 's/.*event=\(failed\|recovered\)/# &/p' $log
	diag "$how: $(awk '$1 == "ppp0" { print $9 " questions, " $10 \
		" answers, loss " $5 / 10000 " %, " $6 / 1000 " ms" }' \
		/run/mwan/watched)"
	flows close c
	for at in "isp1 core" "inet isp1"; do
		in_ns "${at% *}" tc qdisc del dev "${at#* }" root
	done
done <<'END'
loss 20%
delay 150ms 60ms distribution normal loss 10%
loss gemodel 1% 20% 70% 0.1%
END
stop
done_testing
