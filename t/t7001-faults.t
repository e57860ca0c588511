#!/bin/bash
# Every binary, for every event, with an error forced into each of its system
# calls: no exit 0 unless all is as wanted, no hang, and the next run of anything
# mends it. In short a seeded sample, of which the two builds have their own; with
# TEST_LONG all.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/faults.sh
. "$root/t/lib/faults.sh"

# judge EVENT: of a run with an error in it.
# shellcheck disable=SC2317,SC2154 # point calls it and sets status
judge() {
	[ "$status" -lt 128 ] ||
		echo "hangs or died: $status"
	[ "$status" != 0 ] ||
		! differs "$1" "$T/$1/after" /run/now "a false exit 0" ||
		echo "a false exit 0"
}
export -f judge

share=0.003
[ -z "${TEST_LONG-}" ] || share=1
# brk(2) cannot fail with an error: it returns where the break is; and the
# sanitizers themselves give up without the memory that they map, and with what
# they cannot unmap.
none=' brk '
seed=$SEED
if ldd "$BIN/cprt" >/dev/null 2>&1; then
	none+='mmap munmap '
	seed=$((SEED + 1))
fi
for event in "${events[@]}"; do
	awk -v event="$event" -v share="$share" -v seed="$seed" \
		-v none="$none" '
		BEGIN {
			srand(seed)
			n = split("ENOBUFS ENOMEM EINTR EAGAIN ENOSPC EPERM", e)
		}
		!index(none, " " substr($1, 1, index($1, "/") - 1) " ") {
			call[++calls] = $1 " " $2
			weight[calls] = $3 ? 10 : 1
			all += n * weight[calls]
		}
		END {
			# Of an event with few calls more of them.
			if (share * all < 35)
				share = 35 / all
			for (c = 1; c <= calls; c++)
				for (i = 1; i <= n; i++)
					if (rand() < weight[c] * share)
						print event, call[c], "error=" e[i]
		}' "$T/$event/calls"
done >"$T/points"
try "$T/points"
done_testing
