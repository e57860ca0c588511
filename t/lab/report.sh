# shellcheck shell=sh
# Reads the reports and the series of the traffic meter (flows.c), in the lab and
# outside of it.

# For an awk program: whose an address is, in the lab's network.
# shellcheck disable=SC2034,SC2016	# for who sources it; awk's
report_awk='
function family(address) {
	return address ~ /:/ ? 6 : 4
}
# The number of the line that it belongs to, 0 if it is of none.
function line_of(address,   part) {
	if (address ~ /^2001:db8:[ab]/)
		return address ~ /^2001:db8:a/ ? 1 : 2
	return split(address, part, ".") == 4 && part[1] == 10 ? part[3] + 0 : 0
}
# A host keeps its last part in every prefix.
function host_of(address,   f) {
	f = family(address)
	sub(/.*[.:]/, "", address)
	return f ":" address
}
# The words of a line of a report.
function read_flow(v,   w, n, i) {
	n = split($0, w, /[ =]/)
	for (i = 1; i < n; i += 2) v[w[i]] = w[i + 1]
}
'

# A report as one line: how many UDP flows of each family are by which line, and
# how many have had no answer lately.
flows_now() # TIME
{
	awk -v when="$1" "$report_awk"'
	/ proto=udp .* state=open / {
		read_flow(v)
		on[family(v["src"]), v["silent_ms"] > 700 ? 0 : \
			line_of(v["last"])]++
	}
	END {
		printf "  %5s   %8d %8d %10d   %8d %8d %10d\n", when, on[4, 1],
			on[4, 2], on[4, 0], on[6, 1], on[6, 2], on[6, 0]
	}'
}

flows_now_head()
{
	printf '  %5s   %-28s   %s\n' "" "IPv4 flows, now by" "IPv6 flows, now by"
	printf '  %5s   %8s %8s %10s   %8s %8s %10s\n' time "line 1" "line 2" \
		"no answer" "line 1" "line 2" "no answer"
}

# A report as a table: what became of each kind of flow.
flows_summary()
{
	awk "$report_awk"'
	{
		read_flow(v)
		was = v["group"] == "early" ? (line_of(v["first"]) == 1 ? \
			"line 1, was cut" : "line 2, healthy") : \
			v["group"] == "during" ? "in the outage" : \
			"after the return"
		key = sprintf("%-16s IPv%d %s", was, family(v["src"]), v["proto"])
		n[key]++; sent[key] += v["sent"]; lost[key] += v["lost"]
		if (v["lost"] > max[key]) max[key] = v["lost"]
		moved[key] += v["changes"] > 0; reset[key] += v["resets"] > 0
		if (v["state"] == "open") links[key, line_of(v["last"])] = 1
	}
	END {
		printf "  %-25s %5s %7s %5s %5s %5s %5s  %s\n", "flows opened on",
			"flows", "packets", "lost", "worst", "moved", "reset",
			"now on"
		split("line 1, was cut;line 2, healthy;in the outage;" \
			"after the return", kinds, ";")
		for (i = 0; i < 16; i++) {
			key = sprintf("%-16s IPv%d %s", kinds[int(i / 4) + 1],
				i % 4 < 2 ? 4 : 6, i % 2 ? "tcp" : "udp")
			if (!(key in n))
				continue
			on = (key, 1) in links ? "line 1" : ""
			if ((key, 2) in links)
				on = on == "" ? "line 2" : "both lines"
			printf "  %-25s %5d %7d %5d %5d %5d %5d  %s\n", key, n[key],
				sent[key], lost[key], max[key], moved[key],
				reset[key], on == "" ? "(ended)" : on
		}
	}'
}

# UDP packets that flows from before the outage have lost: "IPv4 140, IPv6 105".
flows_lost()
{
	awk "$report_awk"'
	/ group=early proto=udp / {
		read_flow(v)
		lost[family(v["src"])] += v["lost"]
	}
	END { printf "IPv4 %d, IPv6 %d\n", lost[4], lost[6] }'
}
