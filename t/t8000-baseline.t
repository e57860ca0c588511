#!/bin/bash
# What the shell scripts of 2004 do to traffic when one of two real PPPoE links
# fails for 16 s and returns: their faults as measured facts, so that it shows
# if the lab stops measuring them. t/lab/failover.sh says what the words mean.

[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/retry" "$0" "$@"
# shellcheck source=t/lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=t/lab/results.sh
. "$root/t/lab/results.sh"

failover baseline
sound_run
healthy_link

ok 'UDP on the cut link loses packets until ip-down has come through' \
	[ "$(get early cut udp known_lost)" -ge 4 ]
is 'UDP on the cut link: the public address changes again at failback' \
	"$(get early cut udp failback_moved)" 4
is 'UDP opened over the live link changes its address at failback' \
	"$(get during cut udp failback_moved)" 4
is 'TCP opened over the live link is reset at failback' \
	"$(get during cut tcp failback_reset)" 4
# They leave it to a rule for each prefix.
for proto in udp6 tcp6; do
	is "$proto of the cut link gets no answer from the cut on" \
		"$(get during cut $proto links)" -
done

done_testing
