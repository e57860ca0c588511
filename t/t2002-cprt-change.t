#!/bin/bash
# cprt while things change: no gap for what is in both tables, two at once, a
# source that does not stand still, and an end in the middle.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

ok 'the addresses are ready' wires

# Gap-free: whatever is asked for below is in table 300 all the time, by ever
# other ways; who does not find it in table 301 meets "prohibit".
ways4=("via 10.1.1.2" "via 10.1.1.3 mtu 1400" "dev vb0" "via 10.1.2.2 proto 9"
	"via 10.1.1.2 src 10.1.1.1")
ways6=("via 2001:db8:1::2" "via 2001:db8:1::3 mtu 1400" "dev vb0"
	"via 2001:db8:2::2 proto 9" "dev va0")
# change N: write to table 300 what round N has there.
change() {
	local n=$1
	local w4=${ways4[n % 5]} w6=${ways6[n % 5]}
	local legs4="nexthop via 10.1.1.$((n % 9 + 2)) nexthop via 10.1.2.2"
	local legs="nexthop via 2001:db8:1::$((n % 9 + 2))"
	legs+=' nexthop via 2001:db8:2::2'
	local v4=${ways4[(n / 5) % 5]} v6=${ways6[(n / 5) % 5]}
	cat >"$T/four" <<-END
		route replace 10.10.0.0/16 $w4 table 300
		route replace 10.11.0.0/16 table 300 $legs4
		route append 10.12.0.0/16 $v4 table 300
		route del 10.12.0.0/16 $w4 table 300
		route add 10.12.0.0/16 dev va0 table 300
		route replace 10.$((n % 50 + 100)).0.0/16 dev va0 table 300
		route del 10.$(((n + 25) % 50 + 100)).0.0/16 table 300
	END
	cat >"$T/six" <<-END
		route replace 2001:db8:10::/48 $w6 table 300
		route append 2001:db8:12::/48 $v6 table 300
		route del 2001:db8:12::/48 $w6 table 300
		route add 2001:db8:12::/48 dev va0 table 300
		route replace 2001:db8:11::/48 table 300 $legs
	END
	ip -4 -force -batch "$T/four" >/dev/null 2>&1
	ip -6 -force -batch "$T/six" >/dev/null 2>&1
}

for ((i = 0; i < 200; i++)); do
	echo 'route get 10.10.0.1'
	echo 'route get 10.11.0.1'
	echo 'route get 10.12.0.1'
done >"$T/ask4"
for ((i = 0; i < 200; i++)); do
	echo 'route get 2001:db8:10::1'
	echo 'route get 2001:db8:11::1'
	echo 'route get 2001:db8:12::1'
done >"$T/ask6"
# Not for the gateways, which the kernel looks up by the rules, too.
ip -4 rule add pref 100 to 10.8.0.0/13 lookup 301
ip -4 rule add pref 101 to 10.8.0.0/13 prohibit
ip -6 rule add pref 100 to 2001:db8:10::/44 lookup 301
ip -6 rule add pref 101 to 2001:db8:10::/44 prohibit
change 0
ok 'the first copy' cprt 300 301
is 'is right' "$(routes_of 301)" "$(routes_of 300)"
is 'has all kinds' "$(routes_of 301 | grep -cE '10\.1[012]\.|:1[012]::')" 6

# prober FAMILY: ask and ask, and keep what was not answered with a route.
prober() {
	local n=0
	while [ ! -e "$T/stop" ]; do
		ip "-$1" -force -batch "$T/ask$1" 2>&1 >/dev/null |
			grep RTNETLINK >>"$T/gaps$1"
		n=$((n + 600))
	done
	echo "$n" >"$T/asked$1"
}
prober 4 &
prober 6 &
bad=0 rounds=300
[ -z "${TEST_LONG-}" ] || rounds=1000
rounds=${TEST_ROUNDS:-$rounds}
for ((i = 1; i <= rounds; i++)); do
	change "$i"
	cprt 300 301 2>>"$T/cprt.err" || bad=$((bad + 1))
	if ((i % 50 == 0)) && [ "$(routes_of 301 | sort)" != \
		"$(routes_of 300 | sort)" ]; then
		bad=$((bad + 1))
		diag "round $i: $(diff <(routes_of 300 | sort) <(routes_of 301 | sort))"
	fi
done
touch "$T/stop"
wait
is "$rounds rounds, all copied" "$bad,$(cat "$T/cprt.err")" '0,'
for f in 4 6; do
	diag "IPv$f: asked $(cat "$T/asked$f") times"
	ok "IPv$f: asked more often than changed" \
		test "$(cat "$T/asked$f")" -gt $((2 * rounds))
done
is 'IPv4: never without a route' "$(cat "$T/gaps4")" ''
# The kernel's own replacement of an IPv6 route has a gap of some nanoseconds:
# a lookup that has found the old route when it is released gets none (plain
# "ip -6 route replace" in a loop: 16 for 60,000). Deleting and adding would
# be seen a hundred times here.
diag "IPv6: $(wc -l <"$T/gaps6") lookups fell into the kernel's own gap"
ok 'IPv6: never without a route' test "$(wc -l <"$T/gaps6")" -le 10
# The prober itself can see gaps of the length of a deletion and an addition.
rm "$T/stop"
for f in 4 6; do
	: >"$T/gaps$f"
	prober "$f" &
done
for ((i = 0; i < 5000; i++)); do
	for n in 10.10.0.0/16 2001:db8:10::/48; do
		echo "route del $n table 301"
		echo "route add $n dev va0 table 301"
	done
done | ip -batch -
touch "$T/stop"
wait
for f in 4 6; do
	ok "IPv$f: the prober sees gaps" test "$(wc -l <"$T/gaps$f")" -gt 20
	ip "-$f" rule del pref 100
	ip "-$f" rule del pref 101
done

# Two at once: the lock is held by the test.
mkdir -m 700 /run/mwan 2>/dev/null
install -m 600 /dev/null /run/mwan/cprt-302
exec 9>/run/mwan/cprt-302
flock 9
start=${EPOCHREALTIME/./}
# Somebody else who waits as long, on the same machine.
(timeout 1.5 tail -f /dev/null; echo "${EPOCHREALTIME/./}" >"$T/other") 9>&- &
other=$!
out=$(cprt 300 302 2>&1 9>&-)
is 'a held lock: busy' $? 75
took=$((${EPOCHREALTIME/./} - start))
wait "$other"
other=$(($(<"$T/other") - start))
like 'a held lock: says so' "$out" 'another cprt is writing to table 302'
ok 'a held lock: waits for 1.5 s, not twice what that takes another' \
	test $((took >= 1450000 && took <= 2 * other)) = 1 ||
	diag "$took us, the other $other us"
is 'a held lock: nothing written' "$(routes_of 302)" ''
ok 'another target is free' cprt 300 303
ok '-n needs no lock' cprt -n 300 302
exec 9>&-
ok 'the lock is free again' cprt 300 302

# Many at once, on the same target: each right or busy, the end right.
for ((i = 0; i < 2000; i++)); do
	echo "route add 20.$((i / 250)).$((i % 250)).0/24 via 10.1.1.2"
done >"$T/fill"
sed 's/$/ table 310/' "$T/fill" | ip -batch -
for ((i = 0; i < 16; i++)); do
	(cprt 310 311; echo "$?" >>"$T/ends") 2>/dev/null &
done
wait
is 'sixteen at once: right or busy' "$(grep -vE '^(0|75)$' "$T/ends")" ''
is 'sixteen at once: the end is right' "$(routes_of 311)" "$(routes_of 310)"

# A source that never stands still: 75 and a sentence, or a right copy.
(
	while [ ! -e "$T/enough" ]; do
		for ((i = 0; i < 100; i++)); do
			echo "route replace 21.0.$i.0/24" \
				"via 10.1.1.$((RANDOM % 200 + 2)) table 310"
		done
	done | ip -batch -
) &
mover=$!
busy=0 done_=0 other=0
for ((i = 0; i < 30 || (i < 500 && busy == 0); i++)); do
	out=$(cprt 310 311 2>&1)
	case $? in
	0) done_=$((done_ + 1)) ;;
	75)
		busy=$((busy + 1))
		sentence=$out
		;;
	*)
		other=$((other + 1))
		diag "$out"
		;;
	esac
done
touch "$T/enough"
wait "$mover"
diag "a source that moves: $done_ done, $busy busy"
is 'a source that moves: done or busy' "$other" 0
ok 'a source that moves: busy at least once' test "$busy" -gt 0
like 'a source that moves: says so' "${sentence-}" \
	'^cprt: routing table 310 changed while it was copied to 311, 3 times'
ok 'a source at rest' cprt 310 311
is 'a source at rest: the copy is right' "$(routes_of 311)" "$(routes_of 310)"

# An end in the middle: what is there is a part of the copy, and the next run
# completes it.
killed=0
for ((i = 0; i < 40; i++)); do
	ip route flush table 311
	timeout -s TERM "0.00$((i % 9 + 1))" cprt 310 311 && continue
	killed=$((killed + 1))
	extra=$(comm -13 <(routes_of 310 | sort) <(routes_of 311 | sort))
	[ -z "$extra" ] || break
done
ok 'SIGTERM: it was in time once at least' test "$killed" -gt 0
is 'SIGTERM: nothing that does not belong there' "${extra-}" ''
ok 'SIGTERM: the next run' cprt 310 311
is 'SIGTERM: completes it' "$(routes_of 311)" "$(routes_of 310)"

# The source loses all its routes while it is copied.
sed -i 's/$/ table 320/' "$T/fill"
odd=0
for ((i = 0; i < 20; i++)); do
	ip -batch "$T/fill"
	cprt 320 321 2>/dev/null &
	ip route flush table 320
	wait $!
	case $? in
	0 | 75) ;;
	*) odd=$((odd + 1)) ;;
	esac
	cprt 320 321
	[ -z "$(ip route show table 321)" ] || odd=$((odd + 1))
done
is 'a source that vanishes' "$odd" 0

done_testing
