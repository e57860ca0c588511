#!/bin/bash
# 64 links that come and go, and the hooks of as many pppds at once, in an order
# that a seed gives. SEED=N in the environment repeats it; TEST_LONG=1 runs a
# thousand rounds, and a flap at every system call. t/helper/schedule.c has the rest.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
# shellcheck disable=SC2317 # ok calls schedule
. "$(dirname "$0")/lib/lib.sh"

seed=${SEED:-$((RANDOM * 32768 + RANDOM + 1))}
rounds=100 step=10
if [ -n "${TEST_LONG-}" ]; then
	rounds=1000 step=1
fi
hooks=0 killed=0 flaps=0 late=0 work_p50_us=0 work_max_us=none

# schedule WHAT ARGS...: in a network namespace of its own, and with an own
# directory for its files. Sets its figures as variables.
schedule() {
	local mode=$1 word
	shift
	rm -rf /run/mwan
	mkdir "$T/$mode"
	(cd "$T/$mode" && unshare --net bash -c '
		ip link set lo up
		sysctl -qw net.ipv6.conf.default.addr_gen_mode=1
		exec "$@"' - "$BIN/../t/schedule" "$mode" "$BIN" "$@") \
		>"$T/figures" 2>&1
	status=$?
	cat "$T/figures"
	for word in $(tail -n 1 "$T/figures"); do
		[[ $word != *=* ]] || printf -v "${word%%=*}" %s "${word#*=}"
	done
	return "$status"
}

ok "a hook that gives up on one that is at its end is not lost" \
	schedule giveup
diag "$(tail -n 1 "$T/figures")"
ok "a link that goes and comes during its hook is seen by it" \
	schedule flap "$step"
diag "$(tail -n 1 "$T/figures")"
ok "at many moments" test "$flaps" -ge $((300 / step))
ok "but when it ends, after its last look" test "$late" -le $((60 / step))
diag "SEED=$seed"
ok "$rounds rounds end as the links and the configuration say" \
	schedule random "$rounds" "$seed"
diag "$(tail -n 1 "$T/figures")"
ok "hooks were killed, had flaps, and ran at once" \
	test $((killed > rounds / 10 && flaps > rounds / 10 &&
	hooks > 5 * rounds)) = 1
# Of the processor: how long it waits for one depends on the machine. What a hook
# reads again when links change is bounded by its rounds: 14 to 22 times the work
# of the median, which mostly changes nothing.
ok "no hook works as much as one for each of 64 links" \
	test "$work_max_us" -le $((64 * work_p50_us))
done_testing
