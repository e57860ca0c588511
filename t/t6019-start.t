#!/bin/bash
# What the hook's own start and end cost when there is nothing to do: system
# calls and page faults, which load does not change, beyond those of a program
# that does nothing, built with the same compiler, flags and C library.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

empty=$(dirname "$BIN")/t/bench-empty
start=$(dirname "$BIN")/t/bench-start
event=("$BIN/ip-up.local" ppp0 eth9 0 10.64.1.100 10.64.1.1)
links_wanted ppp0 ppp1
ini '[link ppp0]' '[link ppp1]'
link_new ppp0 10.64.1.100 10.64.1.1
link_new ppp1 10.64.2.100 10.64.2.1

# calls COMMAND...: how many system calls it makes.
calls() {
	strace -qq -o "$T/strace" "${bare[@]}" "$@"
	# Without those of env, which end with its second execve.
	awk '/^execve\("/ && / = 0$/ { n = 0 } { n++ } END { print n }' \
		"$T/strace"
}

ok "in force" mwan-rules apply
ok "the log is made" hook up ppp0 10.64.1.100
like "nothing is left to do" "$(hook up ppp0 10.64.1.100
	tail -n1 /var/log/ifchang.log)" 'changes=0 result=unchanged'
ours=$(calls "${event[@]}")
base=$(calls "$empty")
# The sanitizers' start is 13 times as long, and so may be what they add.
times=$((base / 16 + 1))
ok "$ours system calls, $((ours - base)) of its own, $((132 * times)) at the most" \
	test "$((ours - base))" -le "$((132 * times))"
said=$(env -i ASAN_OPTIONS=detect_leaks=0 "$start" 5 "$empty" "${event[@]}")
diag "$said"
read -r _ _ _ faults _ base <<<"$said"
ok "$faults page faults, $((faults - base)) of its own, $((64 * times)) at the most" \
	test "$((faults - base))" -le "$((64 * times))"
done_testing
