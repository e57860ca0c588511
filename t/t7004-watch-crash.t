#!/bin/bash
# mwan-rules watch, and the child that carries its verdict out, killed before
# system calls of every kind while a line dies: the links go on, nothing is locked,
# and the next event leads to what there was before. With --long more of each.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"
# shellcheck source=lib/watch.sh
. "$root/t/lib/watch.sh"

state() {
	# The primary stays where it is until its link goes, with its route in
	# the table default.
	ip rule | grep -v '^32768'
	ip nexthop | sort
	ip route show table all | grep 'proto 119' | grep -v 'table default' |
		sort
	nft list table inet mwan | grep -c .
}

# Ended, or it has done all that it had to.
over() {
	! kill -0 "$watcher" 2>/dev/null ||
		grep -q 'event=failed' /var/log/ifchang.log
}

unlocked() {
	flock -n /run/mwan/lock true && flock -n /run/mwan/watch.lock true
}

# reaches LAST: a host of the LAN gets an answer.
reaches() {
	ask -s "10.9.0.$1" -n 1 >/dev/null 2>&1
}

attached() {
	! grep -q '^TracerPid:[[:space:]]*0$' "/proc/$watcher/status"
}

# One kill, before the @when-th call that each process makes from now on: the line
# is dying. It is counted when it has hit somebody.
killed() { # CALL WHEN
	local tracer
	: >/var/log/ifchang.log
	rm -f /run/mwan/watched
	watch_start
	strace -qq -f -p "$watcher" -o "$T/strace" -e trace="$1" \
		-e inject="$1:signal=KILL:when=$2" &
	tracer=$!
	wait_for 20 attached
	sever 0
	wait_for 20 over
	! grep -q 'killed by SIGKILL' "$T/strace" || hits=$((hits + 1))
	kill -KILL "$watcher" 2>/dev/null
	wait "$watcher" 2>/dev/null
	wait "$tracer"
	mend 0
	wait_for 20 unlocked || return
	# As thirty seconds later.
	[ ! -e /run/mwan/held ] || sed -i 's/ .*/ 1/' /run/mwan/held
	hook up ppp1 10.64.1.100 10.64.1.1
	state >"$T/after"
	diff "$T/before" "$T/after" && reaches 2 && reaches 3
}

net5 2
watch_net
conf "targets = $targets" "recover = 1s" -- 1 1
mwan-rules apply 2>/dev/null
hook up ppp1 10.64.1.100 10.64.1.1
state >"$T/before"

calls=(openat write renameat fchmod clone flock sendto sendmsg recvfrom recvmsg
	poll socket)
SEED=${SEED:-7}
diag "SEED=$SEED"
RANDOM=$SEED
hits=0
for call in "${calls[@]}"; do
	points=($((1 + RANDOM % 3)))
	[ -z "${TEST_LONG-}" ] || points=(1 2 3 4 5 7 9 12 16 20 30)
	for when in "${points[@]}"; do
		ok "killed before $call number $when" killed "$call" "$when"
	done
done 2>/dev/null
diag "$hits of $lib_count kills hit"
ok "many kills hit" test $hits -ge $((lib_count / 3))

done_testing
