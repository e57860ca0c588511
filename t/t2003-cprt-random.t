#!/bin/bash
# cprt between random pairs of tables with many routes of few prefixes, tos
# and metrics: whatever is in either, the target becomes equal to the source.
# The pairs are the same ones every time, so that the check is repeatable; with
# TEST_LONG set they are new ones. SEED='N...' sets what they are made from,
# TURNS=N how many each seed makes.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

# 4805 hides a route between legs that is in the way of another one.
seeds='4805 1 2'
[ -z "${TEST_LONG-}" ] || seeds=$(od -An -N10 -tu2 /dev/urandom)
read -ra seeds <<<"${SEED:-$seeds}"
diag "SEED='${seeds[*]}'"

# state FAMILY TABLE. The order of IPv6 routes of one prefix and metric, and of
# multipath legs, has no meaning: one line a route, the words of each sorted.
state() {
	if [ "$1" = 4 ]; then
		ip -d -4 route show table "$2" 2>/dev/null
	else
		ip -d -6 -o route show table "$2" 2>/dev/null |
			sed -E 's/expires [0-9]+sec/expires/' |
			awk '{ n = split($0, leg, "\\")
				line = leg[1]
				delete leg[1]
				while (n-- > 1) {
					min = ""
					for (i in leg)
						if (!min || leg[i] < leg[min])
							min = i
					line = line "|" leg[min]
					delete leg[min]
				}
				print line }' |
			sort
	fi | sed 's/[ \t]*$//'
}

ok 'the addresses are ready' wires
ip nexthop add id 1 via 10.1.1.2 dev va0
ip nexthop add id 2 dev vb0
ip nexthop add id 3 group 1/2
ip nexthop add id 4 blackhole
ip -6 nexthop add id 11 via 2001:db8:1::2 dev va0
ip -6 nexthop add id 12 dev vb0
ip -6 nexthop add id 14 blackhole

# TYPE|WORDS|NEXTHOPS; these are used by name.
# shellcheck disable=SC2034
{
	ways4=('|via 10.1.1.2' '|via 10.1.1.3' '|via 10.1.2.2' '|dev va0'
		'|dev vb0' '|dev va0 scope global'
		'|via 10.1.1.2 src 10.1.1.1' '|via 10.1.1.2 src 10.1.2.1'
		'|via 10.1.1.2 mtu 1400'
		'|via 10.1.1.2 mtu lock 1300 advmss 77' '|nhid 1' '|nhid 2'
		'|nhid 3' '|nhid 4'
		'||nexthop via 10.1.1.2 weight 3 nexthop via 10.1.2.2'
		'||nexthop via 10.1.2.2 nexthop via 10.1.1.2 weight 3'
		'||nexthop dev va0 nexthop dev vb0'
		'|via inet6 fe80::1 dev va0' '|via 10.77.1.1 dev va0 onlink'
		'|via 10.1.1.2 realm 4' 'blackhole|' 'unreachable|' 'throw|')
	ways6=('|via 2001:db8:1::2' '|via 2001:db8:1::3' '|via 2001:db8:2::2'
		'|dev va0' '|dev vb0' '|via 2001:db8:1::2 mtu 1400'
		'|nhid 11' '|nhid 12' '|nhid 14' '|dev va0 pref high'
		'|dev va0 mtu 1300'
		'||nexthop via 2001:db8:1::2 weight 3 nexthop via 2001:db8:2::2'
		'||nexthop via 2001:db8:2::2 nexthop via 2001:db8:1::3'
		'|via 2001:db8:1::2 expires 500' '|dev vb0 expires 900'
		'|via fe80::5 dev vb0' 'blackhole|' 'unreachable|' '|dev lo')
	prefixes4=(10.9.0.0/16 10.9.1.0/24 10.9.0.0/24 10.10.0.0/16)
	prefixes6=(2001:db8:9::/48 2001:db8:9:1::/64 2001:db8:8::/45)
	protocols=('' '' '' '' 'proto 77' 'proto kernel' 'proto unspec')
	metrics=('' '' 'metric 5')
	toses=('' '' 'tos 8')
}

# pick ARRAY-NAME: one of its elements, into $picked.
pick() {
	local -n array=$1
	picked=${array[RANDOM % ${#array[@]}]}
}

# some FAMILY: commands that add some routes; TABLE is put in later.
some() {
	local prefix n tos='' type words legs protocol
	local -n prefixes=prefixes$1
	for prefix in "${prefixes[@]}"; do
		for ((n = RANDOM % 6; n > 0; n--)); do
			pick "ways$1"
			IFS='|' read -r type words legs <<<"$picked"
			pick protocols
			protocol=$picked
			[ "$1" = 6 ] || { pick toses && tos=$picked; }
			pick metrics
			echo "route append $type $prefix $tos $words" \
				"$protocol $picked table TABLE $legs"
		done
	done
}

# load FAMILY TABLE FILE
load() {
	sed "s/TABLE/$2/" "$3" | ip "-$1" -force -batch - >/dev/null 2>&1
}

# turn NUMBER: make two tables and copy one. They are new ones each time: ip
# route flush does not take every kind.
turn() {
	local name="seed $seed, turn $1" src=$((1000 + pairs)) f out
	local dst=$((100000 + pairs))
	ip route add 10.200.0.0/16 dev va0 table "$src"
	for f in 4 6; do
		some "$f" >"$T/src"
		load "$f" "$src" "$T/src"
		case $((RANDOM % 3)) in
		0) some "$f" >"$T/dst" ;;
		1) shuf --random-source=<(yes "$1") "$T/src" >"$T/dst" ;;
		2) sed "$((RANDOM % 9 + 1))d;$((RANDOM % 9 + 1))d" "$T/src" \
			>"$T/dst" ;;
		esac
		load "$f" "$dst" "$T/dst"
	done
	out=$(cprt -v "$src" "$dst" 2>&1) || {
		bad=$((bad + 1))
		diag "$name: $out"
	}
	[[ $out == *"in 0 rounds"* ]] || wrote=$((wrote + 1))
	for f in 4 6; do
		diff <(state "$f" "$src") <(state "$f" "$dst") >"$T/diff" &&
			continue
		bad=$((bad + 1))
		diag "$name: $(cat "$T/diff")"
	done
	[ -z "$(cprt -n "$src" "$dst")" ] && idle=$((idle + 1))
	pairs=$((pairs + 1))
}

turns=${TURNS:-60} pairs=0 bad=0 idle=0 wrote=0
for seed in "${seeds[@]}"; do
	RANDOM=$seed
	for ((n = 0; n < turns; n++)); do
		turn "$n"
	done
done
is "$pairs pairs of tables: equal in the end" "$bad" 0
is 'nothing to do the second time' "$idle" "$pairs"
ok 'and something the first time' test "$wrote" -gt $((pairs / 2))

done_testing
