#!/bin/bash
# The main job on real PPPoE sessions: one of two links fails for 16 s and
# returns, under flows of 10 packets/s. t8000 is the same run with the shell
# scripts of 2004; t/lab/failover.sh says what the words mean.

[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/retry" "$0" "$@"
# shellcheck source=t/lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=t/lab/results.sh
. "$root/t/lab/results.sh"

failover ours
sound_run
healthy_link

ok 'UDP on the cut link: at most 3 lost once the router knows' \
	[ "$(get early cut udp known_lost_max)" -le 3 ]
ok 'UDP on the cut link stays where it went when the link returns' \
	zero early cut udp failback_moved dead
for proto in udp tcp; do
	ok "$proto: flows opened over the live link are untouched" \
		zero during cut $proto lost moved reset dead
	ok "$proto: new flows of the returned link are untouched" \
		zero after cut $proto lost moved reset dead
done

done_testing
