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
# with mawk: 44 ms and 22 ms).
best() { # COMMAND...: of five runs, in microseconds
	local i begin took least=999999999

	for ((i = 0; i < 5; i++)); do
		begin=${EPOCHREALTIME/./}
		"$@" >/dev/null
		took=$((${EPOCHREALTIME/./} - begin))
		((took >= least)) || least=$took
	done
	echo $least
}
ours=$(best mwan-rules history --since 200d)
# shellcheck disable=SC2016 # for awk
awks=$(best awk '{ n[$5]++ } END { print n["if=ppp0"] }' $log)
diag "100,000 lines: $ours us; awk, splitting them: $awks us"
ok "100,000 lines take at most five times as long as awk's splitting of them" \
	test "$ours" -lt $((5 * awks))
done_testing
