#!/bin/bash
# The inside of t/demo: two PPPoE lines, eight LAN hosts, one line is cut and
# comes back. Prints what a person wants to see; a fault ends it with 1.
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${BIN:-$root/build/release/bin}
# shellcheck source-path=SCRIPTDIR/../.. source=t/lab/net.sh
. "$root/t/lab/net.sh"
PATH=$bin:$PATH

step() {
	echo
	echo "== $*"
}

# watch_flows SECONDS: a line a second with what every flow's host uses now. Of a
# group "12 13" means the hosts 192.168.77.12 and .13.
watch_flows() {
	local until=$((SECONDS + $1)) last=-1

	while [ "$SECONDS" -lt "$until" ]; do
		if [ "$SECONDS" != "$last" ]; then
			last=$SECONDS
			flows report | awk '
			/ state=open / {
				split($0, w, /[ =]/)
				for (i = 1; i in w; i += 2) v[w[i]] = w[i + 1]
				host = substr(v["src"], 12)
				line = substr(v["last"], 7, 1)
				if (line == "" || v["silent_ms"] > 700)
					line = "none"
				hosts[v["group"], v["proto"], line] = \
					hosts[v["group"], v["proto"], line] " " host
				lost += v["lost"]
				groups[v["group"]] = 1
			}
			END {
				for (g in groups)
					printf "  %-6s udp  line 1:%-13s line 2:%-25s%s\n", g,
						hosts[g, "udp", 1], hosts[g, "udp", 2],
						hosts[g, "udp", "none"] ? \
						" no answer:" hosts[g, "udp", "none"] : ""
			}'
		fi
		sleep 0.2
	done
}

# Per kind of flow: how many, how many packets went, how many were lost.
summary() {
	flows report | awk '
	{
		split($0, w, /[ =]/)
		for (i = 1; i in w; i += 2) v[w[i]] = w[i + 1]
		cut = index(v["first"], "10.64.1.") == 1
		was = v["group"] == "early" ? (cut ? "line 1, was cut" : \
			"line 2, healthy") : v["group"] == "during" ? \
			"during the outage" : "after the return"
		key = sprintf("%-19s %s", was, v["proto"])
		if (!(key in n)) order[k++] = key
		n[key]++; sent[key] += v["sent"]; lost[key] += v["lost"]
		if (v["lost"] > max[key]) max[key] = v["lost"]
		moved[key] += v["changes"] > 0; reset[key] += v["resets"] > 0
		if (v["state"] == "open") links[key, substr(v["last"], 7, 1)] = 1
	}
	END {
		printf "  %-23s %5s %7s %5s %6s %6s %6s  %s\n", "flows opened on",
			"flows", "packets", "lost", "worst", "moved", "reset",
			"now on"
		for (i = 0; i < k; i++) {
			key = order[i]
			on = (key, 1) in links ? "line 1" : ""
			if ((key, 2) in links)
				on = on == "" ? "line 2" : "both lines"
			printf "  %-23s %5d %7d %5d %6d %6d %6d  %s\n", key, n[key],
				sent[key], lost[key], max[key], moved[key],
				reset[key], on == "" ? "(ended)" : on
		}
	}'
}

step "A router with two PPPoE lines: mwan-rules apply, then pppd twice"
lab_net 2
mkdir -p /etc/iproute2
printf '201 ppp0\n202 ppp1\n' >>/etc/iproute2/rt_tables
must install -m 755 "$bin/ip-up.local" "$bin/ip-down.local" /etc/ppp
must mwan-rules apply
isp_start 1
isp_start 2
link_up 1
link_up 2
must wait_for 60 link_is_up 1
must wait_for 60 link_is_up 2
must wait_for 30 hooks_are_through 2
mwan-rules status

step "Eight LAN hosts, a UDP and a TCP flow each, 10 packets a second"
flows_start
flows_open early
must wait_for 20 flows_ready
watch_flows 4

step "The cable of line 1 is unplugged (pppd's LCP echo needs 3 s to see it)"
# Count what is lost once somebody knows; until then it is the line's loss.
flows_mark_when_down 1 known
link_unplug 1
watch_flows 7
mwan-rules status
echo "  The hosts of line 1 are on line 2. New flows are opened now, too:"
flows_open during
must wait_for 20 flows_ready
watch_flows 6

step "The cable is plugged in again"
link_mend 1
must wait_for 60 link_is_up 1
must wait_for 30 hooks_are_through 3
watch_flows 4
echo "  Every flow has stayed where it was. New ones:"
flows_open after
must wait_for 20 flows_ready
watch_flows 3
flows_settle

step "What became of the flows"
summary
echo "  Packets of UDP flows lost on line 1 before pppd knew, and after:" \
	"$(flows report | grep 'group=early proto=udp' |
		sed -n 's/.* lost=\([0-9]*\).*/\1/p' | awk "{ n += \$1 } END { print n + 0 }"
	) in all, $(flows report known | grep 'group=early proto=udp' |
		sed -n 's/.* lost=\([0-9]*\).*/\1/p' | awk "{ n += \$1 } END { print n + 0 }") after."
echo "  (TCP connections of the cut line end with it: their address is gone.)"

step "/var/log/ifchang.log"
cat /var/log/ifchang.log
undisturbed 1 0
