#!/bin/bash
# The inside of t/demo: two PPPoE lines, each with IPv4 and an IPv6 prefix, and a
# LAN; one line is cut and comes back with another prefix. Prints what a person
# wants to see; a fault ends it with 1.
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${BIN:-$root/build/release/bin}
# shellcheck source-path=SCRIPTDIR/../.. source=t/lab/net.sh
. "$root/t/lab/net.sh"
# shellcheck source=t/lab/net6.sh
. "$root/t/lab/net6.sh"
# shellcheck source=t/lab/report.sh
. "$root/t/lab/report.sh"
PATH=$bin:$PATH
began=$SECONDS

step() {
	echo
	echo "== $*"
}

# watch_flows SECONDS: a line a second with how many flows use which line.
watch_flows() {
	local until=$((SECONDS + $1)) last=-1

	flows_now_head
	while [ "$SECONDS" -lt "$until" ]; do
		if [ "$SECONDS" != "$last" ]; then
			last=$SECONDS
			flows report | flows_now "$((last - began)) s"
		fi
		sleep 0.2
	done
}

lost() {
	echo "  UDP packets lost in all:               $(
		flows report | flows_lost)"
	echo "  of these, once pppd knew of the cut:   $(
		flows report known | flows_lost)"
}

step "A router with two PPPoE lines: mwan-rules apply, then pppd twice"
lab_net 2
lab_net6
lan6_flows="$lan6_flows $U::15-22"
mkdir -p /etc/iproute2
printf '201 ppp0\n202 ppp1\n' >>/etc/iproute2/rt_tables
for what in up down; do
	must ln -s "$bin/ip-$what.local" "/etc/ppp/ip-$what.d/0000mwan"
done
router6_ours "$bin"
must mwan-rules apply
isp_start 1
isp_start 2
link_up 1
link_up 2
must wait_for 60 link_is_up 1
must wait_for 60 link_is_up 2
must wait_for 30 hooks_are_through 2
must told 1 $A
must told 2 $B
echo "  The providers give IPv6 prefixes, too: $A::/56 by line 1,"
echo "  and $B::/56 by line 2."
mwan-rules status

step "The LAN: a UDP and a TCP flow of each host, 10 packets a second"
echo "  Eight hosts with IPv4. Six with IPv6: two have line 1's prefix, two line"
echo "  2's, and two have unique local addresses."
flows_start
flows_open early
must wait_for 20 flows_ready
began=$SECONDS
watch_flows 4

step "The cable of line 1 is unplugged (pppd's LCP echo needs 3 s to see it)"
# Count what is lost once somebody knows; until then it is the line's loss.
flows_mark_when_down 1 known
link_unplug 1
watch_flows 7
mwan-rules status
prefix_withdrawn
echo "  The flows of line 1 are on line 2, in both families. New ones are" \
	"opened:"
flows_open during
must wait_for 20 flows_ready
watch_flows 5
lost

step "The cable is plugged in again, and the provider gives another prefix"
prefix_changes
flows mark back
link_mend 1
must wait_for 60 link_is_up 1
must wait_for 30 hooks_are_through 3
must told 1 $A2
prefix_announced
echo "  Line 1 had $A::/56, and has $A2::/56 now."
watch_flows 4
echo "  Flows that have moved since line 1 is back:" \
	"$(flows report back | grep -c ' changes=[1-9]'). New ones are opened:"
flows_open after
must wait_for 20 flows_ready
watch_flows 3
flows_settle

step "What became of the flows"
flows report | flows_summary
lost
echo "  Packets at the providers from an IPv6 address that is not theirs:" \
	"$(foreign)"
echo "  (TCP connections of the cut line end with it: their address is gone.)"

step "/var/log/ifchang.log"
cat /var/log/ifchang.log
undisturbed 1 0
