#!/bin/bash
# The main job on real PPPoE sessions, in both families: one of two links fails for
# 16 s and returns, with another IPv6 prefix, under flows of 10 packets/s. t8000 is the same run with the shell
# scripts of 2004; t/lab/failover.sh says what the words mean.

[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/retry" "$0" "$@"
# shellcheck source=t/lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=t/lab/results.sh
. "$root/t/lab/results.sh"

failover ours
sound_run
healthy_link

for proto in udp udp6; do
	ok "$proto on the cut link: at most 3 lost once the router knows" \
		[ "$(get early cut $proto known_lost_max)" -le 3 ]
	ok "$proto on the cut link stays where it went when the link returns" \
		zero early cut $proto failback_moved dead
done
for proto in udp tcp udp6 tcp6; do
	ok "$proto: flows opened over the live link are untouched" \
		zero during cut $proto lost moved reset dead
	ok "$proto: new flows of the returned link are untouched" \
		zero after cut $proto lost moved reset dead
done
is 'packets with a foreign IPv6 address at the providers' \
	"$(sed -n 's/^foreign .* packets=//p' "$T/result")" '0 0'

done_testing
