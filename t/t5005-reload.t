#!/bin/bash
# A reload under traffic: nothing is lost, nothing leaves without a mark or by
# another link; and a reload that has nothing to change writes nothing.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

counters() {
	nft -j list chain inet user seen |
		jq -c '[.nftables[].rule?.expr[]?.counter?.packets // empty]'
}

# Of the reloads: weights, chains and policies come and go.
one() {
	conf "balance = round-robin" "sticky = 10m" -- 1 1 1
}
other() {
	conf "balance = round-robin" "sticky = 10m" "clamp_mss = no" -- 3 2 1
	printf '[policy p]\nsource = 10.9.77.0/24\nuse = ppp1\n' \
		>>/etc/ppp/mwan.ini
}

net5 3
one
mwan-rules apply

# --- what there is to see ---
stream 10.9.0.1
link=$(stream_link 10.9.0.1)
nft -f - <<-END
table inet user {
	chain seen {
		type filter hook postrouting priority 300
		oifname "ppp*" meta mark & 0xff == 0 counter
		oifname "ppp*" ct mark & 0xff == 0 counter
		ip saddr 10.9.0.1 oifname != "ppp$link" counter
	}
}
END
# New connections of hosts that are known before, and of others.
ask -s 10.9.1.0 -n 12 >"$T/known"
churn() {
	local n=0
	until [ -e "$T/enough" ]; do
		n=$((n + 1))
		ask -s 10.9.1.0 -n 12 -p $((2000 + n)) >>"$T/known"
		ask -s "10.8.$((n / 250)).$((n % 250))" >>"$T/unknown"
	done
}
churn &
churn=$!

# --- 100 reloads ---
changed=0
for i in {1..50}; do
	for which in other one; do
		$which
		mwan-rules apply
		tail -n 1 /var/log/ifchang.log | grep -q result=ok &&
			changed=$((changed + 1))
	done
done
: >"$T/enough"
wait $churn
is "100 reloads, and each has changed something" $changed 100
is "500 packets a second: none lost, none by another link" "$(streamed)" \
	"lost=0 errors=0 changes=0"
is "none left without a mark or elsewhere" "$(counters)" '[0,0,0]'
sent=$(meter report | grep -o 'sent=[0-9]*')
diag "${sent#*=} packets, $(cat "$T/known" "$T/unknown" | wc -l) new" \
	"connections meanwhile"
ok "new connections began meanwhile" test "$(wc -l <"$T/unknown")" -ge 10
is "every one of them has a link" \
	"$(cat "$T/known" "$T/unknown" | grep -vc ' 10\.64\.[012]\.100$')" 0
is "hosts keep theirs" "$(wanderers "$T/known")" 0

# --- nothing to change ---
is "a reload that changes nothing writes nothing" "$(writes mwan-rules apply)" 0
printf '# a comment\n' >>/etc/ppp/mwan.ini
is "nor does a comment" "$(writes mwan-rules apply)" 0
ask -s 10.9.1.0 -n 12 -p 1999 >>"$T/known"
is "nor do elements of the sticky map" "$(writes mwan-rules apply)" 0
other
ok "the next one does write" test "$(writes mwan-rules apply)" -gt 0
done_testing
