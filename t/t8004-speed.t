#!/bin/bash
# What t/bench/run promises of link events, in the lab: ours and the shell way do
# the same work there, queues included, in one run. The machine's clock counts
# instructions, so that what else this machine does changes no ratio.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
if [ -z "${LAB_INSIDE-}" ]; then
	# The least of 5 is that of 21, but for a hundredth: the long check's.
	rounds=5
	[ -z "${TEST_LONG-}" ] || rounds=21
	export LAB_ICOUNT="${LAB_ICOUNT-0}" LAB_ROUNDS="${LAB_ROUNDS:-$rounds}"
	exec "$(dirname "$0")/lab/boot" "$0" "$@"
fi
. "$(dirname "$0")/lib/lib.sh"

ok "the ratios are as promised" "$root/t/bench/run" --check
diag "$(cat "$T/ok.out")"
table=$(cat "$T/ok.out")
like "an unchanged second run writes nothing" "$table" ' second run: 0 writes'
like "no fork, no exec" "$table" 'after its own start: 0'
# Debian's kernel gives huge pages of zeros to whoever does not refuse them. Each
# costs as much as all else in a hook: with them the ratio is 20.
ratio=$(sed -n 's,^unchanged .* ratio \([0-9.]*\) .*,\1,p' <<<"$table")
ok "no huge page is made: $ratio times an empty process" \
	awk -v r="$ratio" 'BEGIN { exit !(r > 0 && r < 8) }'
# Reading grows with the links; the event's own work must not.
ratio=$(sed -n 's,^64 links: .* up / reading ,,p' <<<"$table")
ok "64 links: an event costs little more than reading them" \
	awk -v r="$ratio" 'BEGIN { exit !(r > 0 && r < 2) }'
done_testing
