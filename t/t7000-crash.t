#!/bin/bash
# Every binary, for every event, killed before each of its system calls: the
# marks still lead somewhere, nothing is locked, and the next run of anything
# leads to what it leads to without. In short some of the calls that change
# something, of those behind them, and of the others; with TEST_LONG all.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/faults.sh
. "$root/t/lib/faults.sh"

# judge EVENT: of a killed run.
# shellcheck disable=SC2317,SC2154 # point calls it and sets status
judge() {
	local lock

	[ "$status" = 137 ] || echo "was not killed: $status"
	for lock in /run/mwan/lock /run/mwan/cprt-*; do
		[ ! -e "$lock" ] || flock -n 9 9<"$lock" ||
			echo "$lock is held"
	done
}
export -f judge

for event in "${events[@]}"; do
	# Both families together make three times as many as there is time for.
	# How often notifications are read depends on when the kernel makes them;
	# to be killed there is to be killed before the next call.
	awk -v event="$event" -v long="${TEST_LONG-}" -v seed="$SEED" \
		-v most=25 '
		BEGIN { srand(seed) }
		$1 !~ /^recvfrom\// {
			if (long || $3 || last || rand() < 0.05)
				call[++n] = $1 " " $2
			last = $3
		}
		END {
			for (i = 1; i <= n; i++) {
				if (!long && rand() * (n - i + 1) >= most)
					continue
				print event, call[i], "signal=KILL"
				most--
			}
		}' "$T/$event/calls"
done >"$T/points"
# shellcheck disable=SC2016 # for the inner shell
is "the call that kills is not made" "$(unshare --net bash -c '
	before first-up
	rm -r /run/mwan
	"$BIN/../t/fault" 60 "$(grep -ho "^mkdir/[0-9]*" "$T/first-up/calls" |
		sed -n "1s/.*\///p")" 1 signal=KILL mwan-rules apply
	ls -d /run/mwan' 2>/dev/null)" ''
# A mend behind a killed run is compared with what it leads to alone: here that
# is known.
while IFS= read -r mend; do
	is "$mend: ends the flow of an address that is gone" \
		"$(unshare --net bash -c "before address-down
			conntrack -L | wc -l
			$mend >/dev/null
			conntrack -L | wc -l" 2>/dev/null)" "1
0"
done < <(mends address-down)
try "$T/points"
done_testing
