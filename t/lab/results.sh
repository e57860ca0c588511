# shellcheck shell=bash
# For the tests that judge the figures of t/lab/failover.sh, or of rate.sh,
# after lib.sh.

# Runs one of them and prints its lines as a comment. A run that failed ends the
# test with the same status, so that t/lab/retry can repeat a disturbed one.
measure() { # SCRIPT VARIANT
	local status=0

	# shellcheck disable=SC2154	# root: from lib.sh
	"$root/t/lab/$1" "$2" >"$T/result" 2>&1 || status=$?
	if [ "$status" != 0 ]; then
		cat "$T/result"
		[ "$status" = 3 ] || echo "Bail out! $1 $2: $status"
		trap - EXIT
		exit "$status"
	fi
	diag "$(cat "$T/result")"
}

failover() { # VARIANT
	measure failover.sh "$1"
}

# A figure of one line of results.
get() { # GROUP HOME PROTO KEY
	sed -n "/^result .* group=$1 home=$2 proto=$3 /s/.* $4=\([^ ]*\).*/\1/p" \
		"$T/result"
}

event_ms() { # WHAT
	sed -n "s/^event .* what=$1 ms=//p" "$T/result"
}

# True if each of the figures is 0, and there is one at all.
zero() { # GROUP HOME PROTO KEY...
	local line="$1 $2 $3" value

	shift 3
	for key; do
		# shellcheck disable=SC2086	# three words
		value=$(get $line "$key")
		if [ "$value" != 0 ]; then
			echo "$line: $key=$value"
			return 1
		fi
	done
}

# What has to be so with any variant, or the run measured something else.
sound_run() {
	local proto hosts cut live

	ok 'the link was cut for 15 s at least' \
		[ $(($(event_ms mend) - $(event_ms cut))) -ge 15000 ]
	for proto in udp tcp udp6 tcp6; do
		hosts=4 cut='10\.64\.1\.[0-9]+' live='10\.64\.2\.[0-9]+'
		if [[ $proto == *6 ]]; then
			hosts=2
			cut='2001:db8:a77::11,2001:db8:a77::12'
			live='2001:db8:b00::13,2001:db8:b00::14'
		fi
		is "$proto: $hosts hosts on each link, early and in the outage" \
			"$(get early cut $proto flows
			) $(get early live $proto flows
			) $(get during cut $proto flows
			) $(get during live $proto flows)" \
			"$hosts $hosts $hosts $hosts"
		like "$proto: new connections use the returned link" \
			"$(get after cut $proto links)" "^$cut\$"
		like "$proto: and the other one" \
			"$(get after live $proto links)" "^$live\$"
	done
}

# The hosts of the link that stayed up.
healthy_link() {
	local group proto

	for proto in udp tcp udp6 tcp6; do
		for group in early during after; do
			ok "$proto: $group flows of the healthy link are untouched" \
				zero $group live $proto lost moved reset dead
		done
	done
}
