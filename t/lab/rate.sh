#!/bin/sh
# How many packets of a fast UDP flow are lost when one of two PPPoE links goes
# down, comes back, or is put aside on purpose; over many runs.
#
#	t/lab/rate.sh baseline|ours|both
#
# boots the lab once for each variant and prints:
#
#	run variant= n= lost= gap_ms= back_lost= back_moved= back_reset=
#	down variant= runs= min= median= p99= max=
#	back variant= lost= moved= reset=
#	other variant= flows= sent= lost= moved= reset= gap_ms= rate= idle=
#		destroyed=
#	drain variant= flows= sent= lost= moved= reset= gap_ms= links=
#	leave variant= flows= sent= lost= moved= reset= gap_ms=
#
# In each run a host of link 1 opens a UDP flow, and the link is cut and mended.
# lost is what that flow loses by the cut. In the outage the same host opens
# another UDP and a TCP flow; back_* are the figures of all three from the return
# on. down is the distribution of lost, back the sum over all runs. other are a
# UDP and a TCP flow over link 2 through all of it; rate is what the UDP flow
# really sent a second, idle how many of 100 silent flows conntrack still knows,
# destroyed how many answered connections of link 2 it has dropped.
#
# drain: link 1 gets no new flows any more, while a UDP and a TCP flow use it;
# then it does again. links are those of a flow opened before, meanwhile and
# afterwards. leave: link 1 is drained and pppd stopped; the figures are those
# of a UDP and a TCP flow that the host has opened since. The scripts of 2004
# know no such thing: there the default of the link's table is changed by hand.
#
# LAB_RATE: packets/s of each fast UDP flow (default 500); LAB_RUNS (default 10).
# A packet here and there counts, so the machine's clock counts instructions
# (LAB_ICOUNT in t/lab/boot).
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck disable=SC2034	# for variant.sh
bin=${BIN:-$root/build/release/bin}
rate=${LAB_RATE:-500}
runs=${LAB_RUNS:-10}
host=192.168.77.12
other=192.168.77.11

# What ends in conntrack did not end by itself.
long_lived()
{
	sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3600 \
		net.netfilter.nf_conntrack_udp_timeout_stream=3600
}

# The sums of the figures of some groups' flows, in a phase or ("") in all.
figures() # PHASE GROUP...
{
	figures_phase=$1
	shift
	# shellcheck disable=SC2086	# no phase, no word
	flows report $figures_phase | awk -v groups=" $* " '
	function get(key) {
		return match($0, " " key "=[^ ]*") ? \
			substr($0, RSTART + length(key) + 2, \
			       RLENGTH - length(key) - 2) : ""
	}
	index(groups, " " get("group") " ") {
		n++
		sent += get("sent"); lost += get("lost")
		moved += get("changes") + get("ports")
		reset += get("resets")
		if (get("gap_ms") + 0 > gap) gap = get("gap_ms")
	}
	END {
		printf "flows=%d sent=%d lost=%d moved=%d reset=%d gap_ms=%d\n",
			n, sent, lost, moved, reset, gap
	}'
}

figure() # KEY: of the line on stdin
{
	sed -n "s/.*\b$1=\([^ ]*\).*/\1/p"
}

open_pair() # GROUP HOST RATE-OF-THE-UDP-FLOW
{
	must flows open "$1" udp "$2" "$server" "$server_port" rate="$3"
	must flows open "$1" tcp "$2" "$server" "$server_port"
	wait_for 20 flows_ready || echo "note: $1: not all flows could be opened"
}

# The public address as the link's number.
link_of() # GROUP
{
	flows report | sed -n "/ group=$1 proto=udp /s/.* last=10\.64\.\([0-9]*\)\..*/\1/p"
}

goes_on() # GROUP: its UDP flow has just been answered
{
	[ "$(flows report | sed -n \
		"/ group=$1 proto=udp /s/.* silent_ms=\([0-9]*\) .*/\1/p")" -lt 100 ]
}

one_run() # N
{
	must flows open "r$1" udp "$host" "$server" "$server_port" rate="$rate"
	must wait_for 20 flows_ready
	sleep 0.3
	flows mark "cut$1"
	# Nothing else runs now: what counts is what the router does.
	link_cut 1
	sleep 0.5
	must wait_for 20 goes_on "r$1"
	open_pair "d$1" "$host" 10
	flows mark "back$1"
	link_mend 1
	must wait_for 60 link_is_up 1
	must wait_for 20 hooks_are_through $(($1 + 2))
	sleep 0.5
	flows pause "r$1"
	flows pause "d$1"
}

# By hand, in the scripts' table, with what an administrator of theirs has.
put_aside()
{
	case $variant in
	ours)	must mwan-rules drain ppp0 ;;
	*)	must ip route change default dev ppp1 table ppp0 ;;
	esac
}

put_back()
{
	case $variant in
	ours)	must mwan-rules undrain ppp0 ;;
	*)	must ip route change default dev ppp0 table ppp0 ;;
	esac
}

planned()
{
	open_pair stay "$host" "$rate"
	flows mark drain
	put_aside
	sleep 0.3
	open_pair fresh "$host" 10
	put_back
	sleep 0.3
	open_pair again "$host" 10
	sleep 0.3
	flows mark drained
	links=$(link_of stay),$(link_of fresh),$(link_of again)
	flows pause again
	flows pause fresh

	put_aside
	flows pause stay
	open_pair leave "$host" "$rate"
	flows mark leave
	link_off 1
	sleep 1
	flows pause leave
}

results()
{
	results_n=0
	while [ "$results_n" -lt "$runs" ]; do
		results_n=$((results_n + 1))
		cut=$(figures "" "r$results_n")
		back=$(figures "back$results_n" "r$results_n")
		both=$(figures "back$results_n" "r$results_n" "d$results_n")
		# What is sent before the mark can still be on its way.
		echo "run variant=$variant n=$results_n" \
			"lost=$(($(echo "$cut" | figure lost) -
				$(echo "$back" | figure lost)))" \
			"gap_ms=$(figures "cut$results_n" "r$results_n" |
				figure gap_ms)" \
			"back_lost=$(echo "$both" | figure lost)" \
			"back_moved=$(echo "$both" | figure moved)" \
			"back_reset=$(echo "$both" | figure reset)"
	done >"$lab/runs"
	cat "$lab/runs"
	figure lost <"$lab/runs" | sort -n | awk -v variant="$variant" '
	{ v[NR] = $1 }
	# The smallest value that q of all are not above.
	function at(q, i) {
		i = int(q * NR)
		return v[i < q * NR ? i + 1 : i]
	}
	END {
		printf "down variant=%s runs=%d min=%d median=%d p99=%d max=%d\n",
			variant, NR, v[1], at(0.5), at(0.99), v[NR]
	}'
	awk -v variant="$variant" '
	{
		split($0, w, /[ =]/)
		for (i = 2; i in w; i += 2)
			sum[w[i]] += w[i + 1]
	}
	END {
		printf "back variant=%s lost=%d moved=%d reset=%d\n", variant,
			sum["back_lost"], sum["back_moved"], sum["back_reset"]
	}' "$lab/runs"
	echo "other variant=$variant $(figures "" other)" \
		"rate=$other_rate idle=$idle destroyed=$(
		grep -c 'dst=10\.64\.2\..*ASSURED' "$lab/destroyed")"
	echo "drain variant=$variant $(figures drain stay) links=$links"
	echo "leave variant=$variant $(figures "" leave)"
}

# Inside the machine.
scenario() # VARIANT
{
	variant=$1
	# shellcheck source=t/lab/net.sh
	. "$root/t/lab/net.sh"
	# shellcheck source=t/lab/variant.sh
	. "$root/t/lab/variant.sh"
	PATH=$bin:$PATH
	lab_net 2
	"router_$variant"
	isp_start 1
	isp_start 2
	# A session that is there within 3 s makes a run short.
	link_up 1 'lcp-restart 1'
	link_up 2 'lcp-restart 1'
	must wait_for 30 link_is_up 1
	must wait_for 30 link_is_up 2
	must wait_for 20 hooks_are_through 2
	long_lived
	flows_start
	must flows open idle udp "$other" "$server" "$server_port" count=100 \
		rate=1
	must wait_for 20 flows_ready
	flows pause idle
	open_pair other "$other" "$rate"
	other_ms=$(date +%s%3N)
	daemon destroyed_pid "$lab/destroyed" conntrack -E -e DESTROY
	must wait_for 10 conntrack_listens
	scenario_n=0
	while [ "$scenario_n" -lt "$runs" ]; do
		scenario_n=$((scenario_n + 1))
		one_run $scenario_n
	done
	planned
	flows pause
	other_ms=$(($(date +%s%3N) - other_ms))
	other_rate=$(($(flows report | sed -n "/ group=other proto=udp /{
		s/.* sent=//; s/ .*//; p; }") * 1000 / other_ms))
	flows_settle
	idle=$(($(conntrack -L -p udp -s "$other" 2>/dev/null |
		wc -l) - 1))
	results
	undisturbed $((runs + 1)) 0
}

# A socket of NETLINK_NETFILTER, which is 12, has joined groups.
conntrack_listens()
{
	awk '$2 == 12 && $4 !~ /^0*$/ { n = 1 } END { exit !n }' \
		/proc/net/netlink
}

case ${1-} in
baseline|ours|both) ;;
*)
	echo "usage: t/lab/rate.sh baseline|ours|both" >&2
	exit 64
	;;
esac
export LAB_ICOUNT="${LAB_ICOUNT-0}"
if [ -n "${LAB_INSIDE-}" ]; then
	scenario "$1"
elif [ "$1" = both ]; then
	"$root/t/lab/retry" "$0" baseline && "$root/t/lab/retry" "$0" ours
else
	"$root/t/lab/retry" "$0" "$1"
fi
