#!/bin/bash
# 1, 3 and 64 links: tiers, weights, and that every link's mark has a way as
# long as one link lives. Links go in an order that ends with the last one.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

# configure N: links ppp0 to pppN-1, weights 1 to 5; the last third is tier 2.
configure() {
	local i
	ini 'balance = source'
	for ((i = 0; i < $1; i++)); do
		printf '[link ppp%d]\ntable = %d\nweight = %d\ntier = %d\n' \
			"$i" "$((1000 + i))" "$((1 + i % 5))" \
			"$((i > 0 && i >= $1 * 2 / 3 ? 2 : 1))"
	done >>/etc/ppp/mwan.ini
}

# The device by which each mark leaves, one a line; nothing where none does.
ways() {
	seq -f 'route get 192.0.2.1 mark %.0f' "$1" |
		ip -force -batch - 2>/dev/null | grep -o 'dev [^ ]*'
}

# The wanted members of a tier's group, as ip shows them.
members() {
	local i out=
	for i in $2; do
		local tier=1 weight=$((1 + i % 5))
		[ "$i" = 0 ] || [ "$i" -lt $((n * 2 / 3)) ] || tier=2
		[ "$tier" = "$1" ] || continue
		out+=/$((77001 + i))
		[ "$weight" = 1 ] || out+=,$weight
	done
	echo "${out#/}"
}

group() {
	ip nexthop show id "$((77256 + $1))" 2>/dev/null |
		sed -n 's/.*group \([^ ]*\) .*/\1/p'
}

for n in 1 3 64; do
	configure "$n"
	ok "$n links: apply" mwan-rules apply
	for ((i = 0; i < n; i++)); do
		link_new "ppp$i" "10.64.$i.100" "10.64.$i.1"
	done
	all=$(seq -s' ' 0 $((n - 1)))
	for ((i = 0; i < n; i++)); do
		hook up "ppp$i" "10.64.$i.100" || break
	done
	is "$n links: every ip-up has worked" "$i" "$n"
	is "$n links: each mark leaves by its link" "$(ways "$n")" \
		"$(for i in $all; do echo "dev ppp$i"; done)"
	is "$n links: tier 1's group" "$(group 1)" "$(members 1 "$all")"
	is "$n links: tier 2's group" "$(group 2)" "$(members 2 "$all")"
	is "$n links: one rule a link each for mark and address" \
		"$(ip rule | grep -c 'fwmark 0x[0-9a-f]*/0xff lookup'), $(
			ip rule | grep -c 'from 10.64')" "$n, $n"
	is "$n links: status" "$(status mwan-rules status)" 0

	# Cut links, tier 1 first; nothing runs between cut and look.
	left=$all
	bad=0
	for ((i = 0; i < n - 1; i++)); do
		ip link del "ppp$i"
		left=${left#"$i "}
		[ "$(ways "$n" | grep -cE "dev ppp(${left// /|})$")" = "$n" ] ||
			bad=$((bad + 1))
		[ $((i % 3)) = 2 ] || hook down "ppp$i" "10.64.$i.100"
	done
	is "$n links: always a live way for every mark" "$bad" 0
	hook down "ppp$((n - 1))" 192.0.2.77
	is "$n links: one link left carries all" "$(ways "$n" | sort |
		uniq -c | xargs)" "$n dev ppp$((n - 1))"
	is "$n links: the last group" "$(group 1)$(group 2)" \
		"$(members 1 "$left")$(members 2 "$left")"

	# A better tier comes back: the standby uses it again.
	link_new ppp0 10.64.0.101 10.64.0.1 2>/dev/null
	hook up ppp0 10.64.0.101
	is "$n links: a better tier is back" \
		"$(ip route get 192.0.2.1 | grep -o 'dev [^ ]*')" "dev ppp0"
	mwan-rules flush
	is "$n links: flush" "$(ip rule | grep -c 'proto 119') $(
		ip nexthop | wc -l) $(ip route show table all |
		grep -c 'proto 119')" "0 0 0"
	for ((i = 0; i < n; i++)); do
		ip link del "ppp$i" 2>/dev/null
	done
done

# --- a changed configuration leaves nothing of the old one ---
n=3
configure 3
for ((i = 0; i < 3; i++)); do
	link_new "ppp$i" "10.64.$i.100" "10.64.$i.1"
done
sed -i 's/= 100/= 110/; s/\[mwan\]/&\nmark_mask = 0xf00\nstandby_table = 210\nrule_priority = 5000\nnexthop_base = 500/' \
	/etc/ppp/mwan.ini
mwan-rules apply
fresh=$(ip rule; ip nexthop; ip route show table all | grep 119; nft list ruleset)
mwan-rules flush
configure 3
mwan-rules apply
sed -i 's/= 100/= 110/; s/\[mwan\]/&\nmark_mask = 0xf00\nstandby_table = 210\nrule_priority = 5000\nnexthop_base = 500/' \
	/etc/ppp/mwan.ini
ok "apply with other tables, mask, priorities, ids" mwan-rules apply
is "the same as from scratch" "$(ip rule; ip nexthop
	ip route show table all | grep 119; nft list ruleset)" "$fresh"
done_testing
