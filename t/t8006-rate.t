#!/bin/bash
# Real PPPoE links under flows of 500 packets/s: what a link's failure costs, its
# return, and putting it aside on purpose. t/lab/rate.sh says what the words
# mean. 5 failures; with TEST_LONG=1 a hundred.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
if [ -z "${LAB_INSIDE-}" ]; then
	export LAB_ICOUNT="${LAB_ICOUNT-0}" LAB_RUNS="${LAB_RUNS:-5}"
	if [ -n "${TEST_LONG-}" ]; then
		export LAB_RUNS=100 LAB_TIMEOUT=3000
	fi
	exec "$(dirname "$0")/lab/retry" "$0" "$@"
fi
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lab/results.sh
. "$root/t/lab/results.sh"

# A figure of a line.
rate_of() { # LINE KEY
	sed -n "/^$1 /s/.* $2=\([^ ]*\).*/\1/p" "$T/result"
}

# LINE KEY...: there are flows, and each figure is 0.
none() {
	local line=$1 key

	shift
	grep "^$line " "$T/result"
	for key; do
		[ "$(rate_of "$line" "$key")" = 0 ] || return 1
	done
}

measure rate.sh ours

ok "the flows run at 490 packets/s or more" \
	[ "$(rate_of other rate)" -ge 490 ]
is "every run counts" "$(rate_of down runs)/$(grep -c '^run ' "$T/result")" \
	"$LAB_RUNS/$LAB_RUNS"
ok "link down: at most 5 packets of a flow are lost (p99)" \
	[ "$(rate_of down p99)" -le 5 ]
ok "link down: a flow of the cut link does lose some" \
	[ "$(rate_of down max)" -ge 1 ]
ok "flows of the other link: nothing lost, moved or reset" \
	none other lost moved reset
is "flows of the other link: none left conntrack" \
	"$(rate_of other idle)/$(rate_of other destroyed)" 100/0
ok "the link's return: nothing lost, moved or reset" \
	none back lost moved reset
is "drain: new flows go elsewhere, until undrain" \
	"$(rate_of drain links)" 1,2,1
ok "drain, undrain: nothing of an established flow is lost, moved or reset" \
	none drain lost moved reset
ok "drain, then poff: nothing lost, moved or reset" \
	none leave lost moved reset
done_testing
