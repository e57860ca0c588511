#!/bin/bash
# How long mwan-rules history takes for a big log. With the sanitizers that would
# say nothing.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

log=/var/log/ifchang.log
export TZ=UTC
mount -t tmpfs tmpfs /var/log
now=$(date +%s)
printf '[link ppp0]\ntable = 201\n[link ppp1]\ntable = 202\n' \
	>/etc/ppp/mwan.ini

awk -v now="$now" 'BEGIN {
	for (i = 0; i < 100000; i++) {
		at = now - 8640000 + int(i * 86)
		link = "ppp" i % 7
		up = int(i / 7) % 2 == 0
		printf "ts=%s.000+00:00 tool=ip-%s.local pid=%d event=%s if=%s local=10.0.0.1 peer=10.0.0.2 default=%s takeover=ppp8 changes=3 result=ok took_us=795\n",
			strftime("%Y-%m-%dT%H:%M:%S", at, 1), up ? "up" : "down",
			i, up ? "up" : "down", link, up ? link : "ppp8"
	}
}' >$log
is "100,000 lines: all are read" "$(mwan-rules history --json | jq .lines)" 100000
ok "... and told in 80 columns" sh -c \
	"mwan-rules history --since 200d | awk 'length > 80 { exit 1 }'"
# Not many times as long as awk takes to split the same lines at blanks (twice,
# with mawk: 44 ms and 22 ms). Processor time, and by turns: whatever else runs here
# concerns both.
least() { # VARIABLE COMMAND...: milliseconds, if they are less than its value
	local -n least=$1
	local took TIMEFORMAT='%3U %3S'

	shift
	took=$({ time "$@" >/dev/null; } 2>&1 | tr -d . |
		awk '{ print $1 + $2 }')
	((took >= least)) || least=$took
}
ours=999999 awks=999999
for ((i = 0; i < 7; i++)); do
	least ours mwan-rules history --since 200d
	# shellcheck disable=SC2016 # for awk
	least awks awk '{ n[$5]++ } END { print n["if=ppp0"] }' $log
done
diag "100,000 lines: $ours ms; awk, splitting them: $awks ms"
ok "100,000 lines take at most five times as long as awk's splitting of them" \
	test "$ours" -lt $((5 * awks))
done_testing
