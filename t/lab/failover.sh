#!/bin/sh
# One outage and return of one of two PPPoE links, measured.
#
#	t/lab/failover.sh baseline|ours|both
#
# boots the lab once for each variant and prints, per group of flows:
#
#	result variant= group= home= proto= flows= sent= lost= lost_max=
#		known_lost= known_lost_max= moved= reset= dead= failback_moved=
#		failback_reset= gap_ms_max= links=
#
# proto is udp or tcp, or udp6 or tcp6 of the hosts with IPv6. Line 1 returns with
# another prefix, which its hosts use from then on.
#
# groups: early (opened before the outage), during (opened in it) and after
# (opened when the link was back). home=cut are flows of the LAN hosts whose
# early flows used the link that gets cut, home=live the others. lost_max is
# the worst flow's; known_* counts packets sent after the router's device had
# gone down, when it could have known. moved and reset count flows that changed
# their public address or were reset, failback_* only from the return on.
#
#	event variant= what= ms=		times of the run
#	takeover variant= ms=			cut until all IPv4 flows answered
#	foreign variant= packets=		with a source of another line's
#						prefix, at providers 1 and 2
#
# A run in which a link went down that was not cut says nothing about either
# variant: t/lab/retry repeats it once and says so. LAB_RATE: packets/s a flow
# (default 10); LAB_OUTAGE: seconds (default 16); LAB_OUT: where logs and
# series.csv of each variant go. BIN: where our binaries are. LAB_OURS: a script
# to source in place of installing them.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${BIN:-$root/build/release/bin}
PATH=$bin:$PATH
rate=${LAB_RATE:-10}
outage=${LAB_OUTAGE:-16}

now_ms()
{
	date +%s%3N
}

event() # WHAT
{
	echo "event variant=$variant what=$1 ms=$(($(now_ms) - started))"
}

keep_logs()
{
	[ -n "${LAB_OUT-}" ] || return 0
	mkdir -p "$LAB_OUT/$variant"
	cp "$lab"/*.log "$lab/series.csv" /var/log/ifchang.log \
		"$LAB_OUT/$variant" 2>/dev/null || :
	flows report >"$LAB_OUT/$variant/report"
}

# Joins the reports: of all, and of the time since the return.
results()
{
	flows report >"$lab/all"
	must flows report known >"$lab/known"
	flows report back >"$lab/back"
	flows report after >"$lab/after"
	awk -v variant="$variant" "$report_awk"'
	function get(key) {
		return match($0, " " key "=[^ ]*") ? \
			substr($0, RSTART + length(key) + 2, \
			       RLENGTH - length(key) - 2) : ""
	}
	FNR == 1 { file++ }
	{
		id = $1; group = get("group"); src = host_of(get("src"))
		proto = get("proto") (src ~ /^6/ ? "6" : "")
	}
	# Which link a host is at home on, as its early flows show.
	file == 1 && group == "early" {
		home[src] = line_of(get("first")) == 1 ? "cut" : "live"
	}
	file == 2 { known[id] = get("lost"); next }
	file > 2 {
		back_moved[id] += get("changes") + get("ports")
		back_reset[id] += get("resets")
		next
	}
	{ order[n++] = id; line[id] = $0 }
	END {
		for (i = 0; i < n; i++) {
			id = order[i]; $0 = line[id]
			src = host_of(get("src"))
			key = "group=" get("group") " home=" home[src] \
				" proto=" get("proto") (src ~ /^6/ ? "6" : "")
			if (!(key in count))
				keys[k++] = key
			count[key]++
			sent[key] += get("sent")
			lost[key] += get("lost")
			if (get("lost") + 0 > max[key] + 0) max[key] = get("lost")
			klost[key] += known[id]
			if (known[id] + 0 > kmax[key] + 0) kmax[key] = known[id]
			moved[key] += get("changes") + get("ports") > 0
			reset[key] += get("resets") > 0
			dead[key] += get("state") != "open"
			fmoved[key] += back_moved[id] > 0
			freset[key] += back_reset[id] > 0
			if (get("gap_ms") + 0 > gap[key] + 0) gap[key] = get("gap_ms")
			if (!((key, get("last")) in seen)) {
				seen[key, get("last")] = 1
				links[key] = links[key] (links[key] ? "," : "") get("last")
			}
		}
		for (i = 0; i < k; i++) {
			key = keys[i]
			printf "result variant=%s %s flows=%d sent=%d lost=%d" \
				" lost_max=%d known_lost=%d known_lost_max=%d" \
				" moved=%d reset=%d dead=%d" \
				" failback_moved=%d failback_reset=%d" \
				" gap_ms_max=%d links=%s\n", variant, key, \
				count[key], sent[key], lost[key], max[key], \
				klost[key], kmax[key], \
				moved[key], reset[key], dead[key], \
				fmoved[key], freset[key], gap[key], links[key]
		}
	}' "$lab/all" "$lab/known" "$lab/back" "$lab/after"
}

opened()
{
	wait_for 20 flows_ready "$server" ||
		echo "note: not all flows could be opened"
}

# Inside the machine.
scenario() # VARIANT
{
	variant=$1
	# shellcheck source=t/lab/net.sh
	. "$root/t/lab/net.sh"
	# shellcheck source=t/lab/net6.sh
	. "$root/t/lab/net6.sh"
	# shellcheck source=t/lab/report.sh
	. "$root/t/lab/report.sh"
	# shellcheck source=t/lab/variant.sh
	. "$root/t/lab/variant.sh"
	lab_net 2
	lab_net6
	"router_$variant"
	isp_start 1
	isp_start 2
	started=$(now_ms)
	link_up 1
	link_up 2
	must wait_for 30 link_is_up 1
	must wait_for 30 link_is_up 2
	event up
	flows_start "$lab/series.csv"
	# An open flow whose link's hook is not through yet may be refused once.
	must wait_for 20 hooks_are_through 2
	must "prefix_$variant" 1 "$A"
	must "prefix_$variant" 2 "$B"
	flows_open early rate="$rate"
	must wait_for 20 flows_ready
	flows_mark_when_down 1 known
	sleep 3

	flows mark cut
	event cut
	cut_ms=$(now_ms)
	link_cut 1
	prefix_withdrawn
	must wait_for 30 flows_answer 300 "$server"
	echo "takeover variant=$variant ms=$(($(now_ms) - cut_ms))"
	# The answers until now may be from before the cut.
	must wait_for 30 link_is_down 1
	flows_open during rate="$rate"
	opened
	while [ $(($(now_ms) - cut_ms)) -lt $((outage * 1000)) ]; do
		sleep 0.2
	done

	prefix_changes
	flows mark back
	event mend
	link_mend 1
	must wait_for 60 link_is_up 1
	event back
	must wait_for 20 hooks_are_through 3
	must "prefix_$variant" 1 "$A2"
	prefix_announced
	sleep 6

	flows mark after
	flows_open after rate="$rate"
	opened
	sleep 4
	flows_settle
	results
	echo "foreign variant=$variant packets=$(foreign)"
	keep_logs
	undisturbed 1 0
}

case ${1-} in
baseline|ours|both) ;;
*)
	echo "usage: t/lab/failover.sh baseline|ours|both" >&2
	exit 64
	;;
esac
if [ -n "${LAB_INSIDE-}" ]; then
	scenario "$1"
elif [ "$1" = both ]; then
	"$root/t/lab/retry" "$0" baseline && "$root/t/lab/retry" "$0" ours
else
	"$root/t/lab/retry" "$0" "$1"
fi
