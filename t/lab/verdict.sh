# shellcheck shell=bash
# For the tests that judge flows themselves, after net.sh. The LAN's even hosts
# are at home on link 1, the odd ones on link 2.

# Lines of a report: PHASE ("" for all) GROUP PROTO even|odd|all
flow_lines() {
	local hosts='[0-9.]*'

	[ "$4" != even ] || hosts='[0-9.]*[02468]'
	[ "$4" != odd ] || hosts='[0-9.]*[13579]'
	# shellcheck disable=SC2086 # no phase, no word
	flows report $1 | grep -E "group=$2 proto=$3 src=$hosts "
}

# Nothing has happened to these flows, and there are N of them.
untouched() { # N PHASE GROUP PROTO HOSTS
	local n=$1 lines
	shift
	lines=$(flow_lines "$@")
	if [ "$(grep -c ' state=open .* lost=0 .* changes=0 ports=0 resets=0 ' \
		<<<"$lines")" != "$n" ] || [ "$(wc -l <<<"$lines")" != "$n" ]; then
		echo "$lines"
		return 1
	fi
}

# The worst flow's lost packets.
lost_max() { # PHASE GROUP PROTO HOSTS
	flow_lines "$@" | sed -n 's/.* lost=\([0-9]*\) .*/\1/p' | sort -n |
		tail -n 1
}

# The links by which these flows leave, as numbers.
links_of() { # GROUP PROTO HOSTS
	flow_lines "" "$@" | grep ' state=open ' |
		sed -n 's/.* last=10\.64\.\([0-9]*\)\..*/\1/p' | sort -u |
		paste -sd' '
}

# Open a group and wait until each flow has had an answer.
open_group() { # GROUP
	flows_open "$@"
	wait_for 20 flows_ready
}

# A group's flows end; the next scenario begins without them.
close_group() {
	flows close "$1"
	flows resume
}

# Every live UDP flow has been answered lately.
all_answer() {
	wait_for 30 flows_answer 400
}

log_last() { # REGEX
	grep -E "$1" /var/log/ifchang.log | tail -n 1
}
