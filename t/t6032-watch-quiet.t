#!/bin/bash
# mwan-rules watch makes no false alarm: on full lines with large buffers, on
# lines that lose, when all targets are dead or the process is stopped. All at the
# same time, each in a network of its own, so on a machine with much to do; for 2
# minutes, with --long for an hour.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"
# shellcheck source=lib/watch.sh
. "$root/t/lib/watch.sh"

seconds=${TEST_LONG:+3600}
seconds=${seconds:-120}
load=$BIN/../t/load

# slow NAMESPACE DEVICE RATE BUFFER: what leaves there waits so long at the most.
slow() {
	ip netns exec "$1" tc qdisc add dev "$2" root tbf rate "$3" burst 5kb \
		latency "$4"
}

# greedy down|up: by ppp0, until the end.
greedy() {
	lan "$load" "$1" 10.9.0.2 "$inet" 7800 "$seconds"
}

flood() { # KBIT SECONDS
	lan "$load" flood 10.9.0.2 "$inet" 9 "$2" "$1"
}

# worsens LINK: to a loss of a fifth each way, in steps. From one moment to the next
# six to eight questions without an answer in a row may come before it is known
# what the line loses: once in 300 times.
worsens() {
	local percent

	for percent in 5 10 15; do
		loses "$1" $percent
		sleep 4
		lossless "$1"
	done
	loses "$1" 20
}

chat() { # RATE
	flow open a udp 10.9.0.2 "$inet" 7700 "rate=$1"
	flow open b udp 10.9.0.3 "$inet" 7700 "rate=$1"
}

# One scenario: the line, and what happens on it.
scenario() {
	local end=$((SECONDS + seconds)) i
	case $1 in
	download) # 300 ms of buffer
		slow inet ppp0 10mbit 300ms
		greedy down
		;;
	upload) # 1 s of buffer
		slow router ppp0 4mbit 1s
		greedy up
		;;
	both)
		slow inet ppp0 8mbit 300ms
		slow router ppp0 4mbit 300ms
		greedy down &
		greedy up
		;;
	flood) # twice what the line carries, in one direction
		slow router ppp0 2mbit 300ms
		flood 4000 "$seconds"
		;;
	flood-1s)
		slow router ppp0 2mbit 1s
		flood 2400 "$seconds"
		;;
	jumps)
		slow router ppp0 2mbit 300ms
		while [ "$SECONDS" -lt $end ]; do
			flood 2300 4
			sleep 5
		done
		;;
	one-way) flood 500 "$seconds" ;;
	loss)
		worsens 0
		worsens 1
		chat 10
		sleep "$seconds"
		;;
	loss-idle)
		worsens 0
		sleep "$seconds"
		;;
	dead-targets)
		chat 20
		for i in $targets; do
			ip -n inet addr del "$i/32" dev lo
		done
		sleep "$seconds"
		;;
	dead-targets-idle)
		for i in $targets; do
			ip -n inet addr del "$i/32" dev lo
		done
		sleep "$seconds"
		;;
	stopped)
		chat 50
		while [ "$SECONDS" -lt $end ]; do
			kill -STOP "$watcher"
			sleep "1.$((RANDOM % 10))"
			kill -CONT "$watcher"
			sleep 0.7
		done
		;;
	esac
}

all="download upload both flood flood-1s jumps one-way loss loss-idle
dead-targets dead-targets-idle stopped"

if [ -n "${WATCH_QUIET-}" ]; then
	net5 2
	watch_net
	daemon inet "$load" serve "$inet" 7800
	conf "targets = $targets" -- 1 1
	mwan-rules apply 2>/dev/null
	watch_start
	scenario "$WATCH_QUIET" >/dev/null
	wait_for 20 watching
	diag "$WATCH_QUIET: $(watched 0 9) questions in $seconds s," \
		"$(watched 0 10) answers, loss $(($(watched 0 5) / 10000)) %," \
		"$(($(watched 0 6) / 1000)) ms; verdicts" \
		"$(watched 0 11) and $(watched 1 11)"
	is "$WATCH_QUIET: no verdict" "$(watched 0 11) $(watched 1 11)" "0 0"
	sed -n 's/.*event=failed/# &/p' /var/log/ifchang.log
	is "$WATCH_QUIET: in the log" \
		"$(grep -c 'event=failed' /var/log/ifchang.log)" 0
	done_testing
fi

children=()
for name in $all; do
	env -u LIB_INSIDE "WATCH_QUIET=$name" "$0" >"$T/$name.out" 2>&1 &
	children+=($!)
done
for name in $all; do
	wait "${children[0]}"
	is "$name" $? 0
	children=("${children[@]:1}")
	grep '^# \|^not ok' "$T/$name.out" | sed 's/^not ok/# not ok/'
done
done_testing
