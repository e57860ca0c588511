#!/bin/bash
# doc/two-boxes.md, the thread's second system: boxes A and B dial a line each and
# masquerade, with no hook of ours; C, the machine itself, shares over both. A's
# line dies, while A lives, and comes back: by source, by flow, round-robin; without
# mwan-rules watch on C, and with it (by flow; with --long each way).
#
#	lan ---lan0- C -wan1--- boxA -eth1/ppp0--- isp1 --- inet
#	             C -wan2--- boxB -eth2/ppp1--- isp2 --- inet
#
# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
if [ -z "${LAB_INSIDE-}" ]; then
	export LAB_WATCHED=flow
	[ -z "${TEST_LONG-}" ] || LAB_WATCHED="source flow round-robin"
	exec "$(dirname "$0")/lab/retry" "$0" "$@"
fi
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lab/net.sh
. "$root/t/lab/net.sh"
# shellcheck source=lab/verdict.sh
. "$root/t/lab/verdict.sh"
# shellcheck source=lib/held.sh
. "$root/t/lib/held.sh"

log=/var/log/ifchang.log

# box N: it has ethN, and the far end of wanN; its pppd an /etc/ppp of its own.
box() {
	local n=$1 etc=$lab/box$1

	ip netns add "box$n"
	ip link set "eth$n" netns "box$n"
	ip -n "box$n" link set lo up
	ip -n "box$n" link set "eth$n" up
	ip link add "wan$n" type veth peer name lan netns "box$n"
	ip -n "box$n" addr add "192.168.$n.1/24" dev lan
	ip -n "box$n" link set lan up
	ip addr add "192.168.$n.2/24" dev "wan$n"
	ip link set "wan$n" up
	ip netns exec "box$n" sysctl -qw net.ipv4.ip_forward=1
	ip netns exec "box$n" nft 'table ip nat { chain out {
		type nat hook postrouting priority srcnat;
		oifname "ppp*" masquerade; }; }'
	write_peer "$n" defaultroute
	mkdir -p "$etc/ppp/peers" "$etc/run"
	# Its /run is another one.
	sed "s|logfile .*|logfile /run/pppd.log|" "/etc/ppp/peers/wan$n" \
		>"$etc/ppp/peers/wan$n"
	: >"$etc/ppp/options"
	# shellcheck disable=SC2016	# for the inner shell
	daemon "box_pid_$n" "$lab/box$n.log" ip netns exec "box$n" sh -c '
		mount --bind "$1/ppp" /etc/ppp && mount --bind "$1/run" /run &&
		exec pppd call "$2"' sh "$etc" "wan$n"
}

box_is_up() { # N
	[ -n "$(ip -n "box$1" -4 -o addr show dev "ppp$(($1 - 1))")" ]
}

box_is_down() { # N
	! box_is_up "$1"
}

# open_enough GROUP BALANCE: as open_group, where ports decide with so many that all
# of one protocol are on the same line once in eight million times.
open_enough() {
	if [ "$2" = flow ]; then
		flows_open "$1"
		flows_open "$1"
	fi
	open_group "$1"
}

# The flows of a group by one line, of the report from PHASE ("": all) on.
flows_by() { # N PHASE GROUP PROTO
	flow_lines "$2" "$3" "$4" all | grep -E "first=10\.64\.$1\."
}

# Nothing has happened to those by line 2, of which there are some.
others_untouched() { # PHASE GROUP PROTO
	local lines
	lines=$(flows_by 2 "" "$2" "$3")
	echo "$lines"
	[ -n "$lines" ] && ! grep -vq \
		' state=open .* lost=0 .* changes=0 ports=0 resets=0 ' <<<"$lines"
}

lab_net 2
box 1
box 2
isp_start 1 10.64.1.100 same
isp_start 2
awk '/^<!-- file: C / { on = 1 }
	/^```$/ { on = 0 }
	on && !/^```|^<!--/ { print }' "$root/doc/two-boxes.md" >/etc/ppp/mwan.ini
like "the page has C's file" "$(cat /etc/ppp/mwan.ini)" 'gateway = 192.168.2.1'
ok "which is fine" mwan-rules check
for n in 1 2; do
	ok "box $n has dialled" wait_for 60 box_is_up $n
done
flows_start ""

# --- with mwan-rules watch on C ---
watching() {
	[ "$(awk '$1 ~ /^wan/ && $10 >= 4' /run/mwan/watched | wc -l)" = 2 ]
}

# Every flow of the group that lives is answered by line 2.
by_b() { # GROUP PROTO
	[ "$(links_of "$1" "$2" all)" = 2 ]
}

watched() { # BALANCE
	local group=watched-$1 proto

	mwan-rules watch >>"$T/watch" 2>&1 &
	watcher=$!
	ok "$1, watched: both lines answer" wait_for 30 watching
	ok "$1, watched: flows" open_enough "$group" "$1"
	flows mark "held-$1"
	ip -n isp1 link set line down
	ok "$1, watched: A's line dies: C holds its link" wait_for 30 held wan1
	is "$1, watched: A lives" "$(mwan-rules status --json |
		jq -c '[.links[] | .up, .held]')" '[true,true,true,false]'
	ok "$1, watched: every UDP flow is answered, by B" \
		wait_for 30 by_b "$group" udp
	all_answer
	diag "$1, watched: gap $(flow_lines "held-$1" "$group" udp all |
		sed -n 's/.* gap_ms=\([0-9]*\).*/\1/p' | sort -n |
		tail -n 1) ms, $(log_last event=failed |
		sed -n 's/.*\(silent_ms=[0-9]*\) .*/\1/p')"
	flows_open "held-new-$1"
	ok "$1, watched: new connections are answered" wait_for 20 flows_ready
	is "$1, watched: all by B" "$(links_of "held-new-$1" udp all)" 2
	ip -n isp1 link set line up
	ok "$1, watched: A's line is back: so is its link" \
		wait_for 90 not_held wan1
	flows mark "back-$1"
	ok "$1, watched: new connections" open_enough "back-new-$1" "$1"
	is "$1, watched: by both" "$(links_of "back-new-$1" udp all)" "1 2"
	flows_settle
	ok "$1, watched: UDP by B: nothing lost, none moved" \
		others_untouched "" "$group" udp
	ok "$1, watched: TCP by B: nothing lost, none moved" \
		others_untouched "" "$group" tcp
	is "$1, watched: those that A had stay with B" \
		"$(links_of "$group" udp all)" 2
	for n in "$group" "held-new-$1" "back-new-$1"; do
		close_group "$n"
	done
	kill "$watcher"
	wait "$watcher"
}

sed -i "/^balance = /a targets = $server $server2\nrecover = 1s" \
	/etc/ppp/mwan.ini
for balance in source flow round-robin; do
	sed -i "s/^balance = .*/balance = $balance/" /etc/ppp/mwan.ini
	ok "$balance: apply" mwan-rules apply
	is "$balance: all is well" "$(mwan-rules status --json |
		jq -c '[.problems[].kind]')" '[]'
	ok "$balance: flows" open_enough "$balance" "$balance"
	for proto in udp tcp; do
		is "$balance: $proto goes by both" \
			"$(links_of "$balance" $proto all)" "1 2"
	done
	flows mark "dead-$balance"
	ip -n isp1 link set line down
	ok "$balance: A's line dies" wait_for 60 box_is_down 1
	ok "$balance: its flows are not answered" \
		wait_for 20 lib_not flows_answer 2000
	is "$balance: C cannot see it" "$(mwan-rules status --json |
		jq -c '[.links[].up], [.problems[].kind]' | paste -sd' ')" \
		'[true,true] []'
	flows_open "new-$balance"
	sleep 3
	like "$balance: new connections are dealt to both, and half of them wait" \
		"$(flows ready)" '^([1-9]|1[0-5])$'
	ip -n isp1 link set line up
	ok "$balance: A's line is back" wait_for 90 box_is_up 1
	ok "$balance: every UDP flow goes on" all_answer
	flows_settle
	for proto in udp tcp; do
		ok "$balance: $proto by B: nothing lost, none moved" \
			others_untouched "" "$balance" $proto
		is "$balance: no $proto was moved to another line" "$(
			flow_lines "" "$balance" $proto all |
				sed -nE 's/.* first=(10\.64\.[0-9])\..* last=(10\.64\.[0-9])\..*/\1 \2/p' |
				awk '$1 != $2' | wc -l)" 0
	done
	close_group "$balance"
	close_group "new-$balance"
	[[ " $LAB_WATCHED " != *" $balance "* ]] || watched "$balance"
done
done_testing
