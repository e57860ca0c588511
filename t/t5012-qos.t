#!/bin/bash
# QoS scripts that restore and save whole marks (CONNMARK without masks) beside
# ours: a connection that an outage has moved stays where it is when its first
# link is back.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

# script IPTABLES CHAIN...: what howtos say, with the marks saved in CHAIN.
script() {
	local ipt=$1 chain

	shift
	$ipt -t mangle -F
	$ipt -t mangle -A PREROUTING -j CONNMARK --restore-mark
	$ipt -t mangle -A OUTPUT -j CONNMARK --restore-mark
	for chain; do
		$ipt -t mangle -A "$chain" -j CONNMARK --save-mark
	done
}

# flows_stay NAME: over an outage of either link.
flows_stay() {
	local name=$1 key=$((++n_flows)) link

	forget
	keep "$key" -s 10.9.0.0 -n 4 -c 2 -p 3000
	is "$name: dealt to both links" "$(tally "$T/$key")" "ppp0=4 ppp1=4"
	for link in 0 1; do
		down $link
		again "$key" "$T/lost"
		again "$key" "$T/out"
		is "$name: by the other link while ppp$link is down" \
			"$(tally "$T/out")" "ppp$((1 - link))=8"
		up $link
		again "$key" "$T/back"
		is "$name: and they stay there when it is back" \
			"$(tally "$T/back")" "ppp$((1 - link))=8"
		again "$key" "$T/back"
		ok "$name: for good" cmp "$T/out" "$T/back"
	done
	end_kept "$key"
}

n_flows=0
net5 2
conf "balance = round-robin" -- 1 1
for ipt in iptables-nft iptables-legacy; do
	for when in after before; do
		for chain in POSTROUTING PREROUTING FORWARD; do
			mwan-rules flush 2>/dev/null
			[ $when = after ] || script $ipt $chain
			mwan-rules apply 2>/dev/null
			[ $when = before ] || script $ipt $chain OUTPUT
			flows_stay "$ipt, $chain, loaded $when ours"
		done
	done
	$ipt -t mangle -F
done
done_testing
