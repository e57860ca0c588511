#!/bin/bash
# How links are shared in IPv6: every method, weights, tiers, sticky hosts, drain,
# and firewalld's check of the reverse path. Hosts have unique local
# addresses, so that the server sees the link of each.
#
# As in lib/lan6.sh.

# shellcheck disable=SC2046,SC2317	# words; functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan6.sh
. "$root/t/lib/lan6.sh"
# shellcheck source=lib/firewalld.sh
. "$root/t/lib/firewalld.sh"

net6 3
# Each time another host: of more than a hundred flows from one, two may have the same
# port, and then the second goes by the line of the first (4,000 pairs, 28,000 ports).
times() { # COUNT HOST: one host so often
	yes "fd00:9::77:$2" | head -n "$1"
}
# Which hosts have had more than one link, of two answers in a row?
unsteady() { awk '{ if ($1 in l && l[$1] != $2) n++; l[$1] = $2 } END { print n + 0 }' "$@"; }
links_of() { lines6 "$1" | tr ' ' '\n' | sed 's/=.*//' | paste -sd ' '; }
count_of() { lines6 "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"; }

for method in source source-parity; do
	if [ $method = source ]; then
		conf6 "balance = $method" -- 3 1 2
	else
		conf6 "balance = $method" -- 1 1
	fi
	ok "$method: apply" mwan-rules apply
	ask6 $(hosts6 0x1000 48) $(hosts6 0x1000 48) >"$T/dealt"
	is "$method: a host keeps its link" "$(unsteady "$T/dealt")" 0
	[ $method = source ] || {
		is "$method: both links, by a hash of the address" \
			"$(links_of "$T/dealt")" "ppp0 ppp1"
		continue
	}
	is "$method: every link has hosts" "$(links_of "$T/dealt")" \
		"ppp0 ppp1 ppp2"
	ok "$method: by their weights" test "$(count_of "$T/dealt" ppp0)" -gt \
		"$(count_of "$T/dealt" ppp1)"
done

conf6 "balance = flow" -- 1 1 1
ok "flow: apply" mwan-rules apply
ask6 $(times 40 1) >"$T/dealt"
is "flow: one host has every link" "$(links_of "$T/dealt")" "ppp0 ppp1 ppp2"
conf6 "balance = random" -- 1 1 1
ok "random: apply" mwan-rules apply
ask6 $(times 60 2) >"$T/dealt"
is "random: one host has every link" "$(links_of "$T/dealt")" "ppp0 ppp1 ppp2"
conf6 "balance = round-robin" -- 2 1 1
ok "round-robin: apply" mwan-rules apply
ask6 $(times 8 3) >"$T/dealt"
is "round-robin: in turn, by weight" "$(lines6 "$T/dealt")" \
	"ppp0=4 ppp1=2 ppp2=2"

conf6 "balance = round-robin" "sticky = 10m" -- 1 1 1
ok "sticky: apply" mwan-rules apply
ask6 $(hosts6 0x2000 6) $(hosts6 0x2000 6) $(hosts6 0x2000 6) >"$T/dealt"
is "sticky: each host keeps the link that it was dealt" \
	"$(unsteady "$T/dealt") $(lines6 "$T/dealt")" "0 ppp0=6 ppp1=6 ppp2=6"
cut6 0
sed -n 's/ 2001:db8:0:.*//p' "$T/dealt" | sort -u >"$T/lost"
ask6 $(cat "$T/lost") $(cat "$T/lost") >"$T/moved"
is "sticky: hosts of a dead link get another one, and keep that" \
	"$(unsteady "$T/moved") $(grep -c ' 2001:db8:[12]:' "$T/moved")" "0 4"
up6 0
ask6 $(cat "$T/lost") >>"$T/moved"
is "sticky: also when theirs is back" "$(unsteady "$T/moved")" 0

conf6 "balance = round-robin" -- 1 1 "1 tier=2"
ok "tiers: apply" mwan-rules apply
ask6 $(times 6 4) >"$T/dealt"
is "tiers: the first one alone" "$(lines6 "$T/dealt")" "ppp0=3 ppp1=3"
ok "drain" mwan-rules drain ppp0
ask6 $(times 6 5) >"$T/dealt"
is "drain: what is new takes the other one" "$(lines6 "$T/dealt")" ppp1=6
ok "drain both" mwan-rules drain ppp1
ask6 $(times 4 6) >"$T/dealt"
is "drain: and then the next tier" "$(lines6 "$T/dealt")" ppp2=4
mwan-rules undrain ppp0
mwan-rules undrain ppp1
down6 0 1
ask6 $(times 4 7) >"$T/dealt"
is "tiers: both links down, the next tier" "$(lines6 "$T/dealt")" ppp2=4
up6 0 1
ask6 $(times 6 8) >"$T/dealt"
is "tiers: they are back" "$(lines6 "$T/dealt")" "ppp0=3 ppp1=3"

# --- firewalld's IPv6_rpfilter, strict, as its versions write it ---
conf6 "balance = round-robin" -- 1 1 1
mwan-rules apply
for check in "saddr . mark . iif" "saddr . iif"; do
	nft -f - <<-END
	table inet firewalld {
		chain filter_PREROUTING {
			type filter hook prerouting priority raw + 10
			icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
			meta nfproto ipv6 fib $check oif missing counter drop
		}
	}
	END
	ask6 -n 3 $(hosts6 0x3000 6) 2001:db8:0:1::7 2001:db8:1:1::7 \
		2001:db8:2:1::7 >"$T/dealt"
	is "a check of the reverse path ($check) drops nothing" \
		"$(lines6 "$T/dealt") $(nft list chain inet firewalld \
		filter_PREROUTING | grep -o 'packets [0-9]*')" \
		"ppp0=3 ppp1=3 ppp2=3 packets 0"
	nft delete table inet firewalld
done

# The same by firewalld itself, for which it is the default. It checks later, when
# the destination has been translated: what comes in by a link has that link's mark.
firewalld trusted lan0 external ppp0 external ppp1 external ppp2
is "firewalld checks the way back" "$(nft list table inet firewalld |
	grep -c 'fib saddr . mark . iif oif missing drop')" 1
# answers: of hosts of the LAN, by the link that each has, and of the router to pings
# that come in by each link.
answers() {
	local k

	ask6 -n 3 $(hosts6 0x3000 6) 2001:db8:0:1::7 2001:db8:1:1::7 \
		2001:db8:2:1::7 | lines6
	for k in 0 1 2; do
		ns6=inet ping6 $server6 \
			"2001:db8:$k:ffff::6d77:$((k + 1))" && echo "in by ppp$k"
	done
}
all_in=$(printf '\nin by ppp%d' 0 1 2)
is "all links are equal" "$(answers)" "ppp0=3 ppp1=3 ppp2=3$all_in"
nft flush chain inet mwan from_link
like "without their marks it drops some" \
	"$(ask6 -w 1 $(hosts6 0x3000 3) | lines6)" "^-=[12] "
mwan-rules apply
mwan-rules drain ppp1
is "one is drained" "$(answers)" "ppp0=4 ppp1=1 ppp2=4$all_in"
mwan-rules undrain ppp1
echo "ppp0 99999999 ipv6" >/run/mwan/held
hook up ppp0 10.64.0.100
is "one is held: nothing is dropped" "$(answers | grep -v '^ppp')" "${all_in#?}"
rm /run/mwan/held
conf6 "balance = round-robin" -- 1 "1 tier=2" "1 tier=3"
mwan-rules apply
is "each has a tier of its own" "$(answers)" "ppp0=7 ppp1=1 ppp2=1$all_in"
ip -6 route add default dev ppp2 metric 512
is "main has a default by one" "$(answers)" "ppp0=7 ppp1=1 ppp2=1$all_in"
firewalld_end
is "no provider got a foreign address" "$(foreign6)" 0
done_testing
