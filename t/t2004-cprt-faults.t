#!/bin/bash
# cprt when the kernel's answers get lost and when it is ended in the middle of
# what must not stay half done. strace(1) lets single system calls fail.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

# faulty EXPRESSION ARGUMENT...: cprt with a fault put in.
faulty() {
	local inject=$1
	shift
	strace -qq -o "$T/strace" -e trace=recvmsg,sendto \
		-e "inject=$inject" cprt "$@"
}

ok 'the addresses are ready' wires
for ((i = 0; i < 300; i++)); do
	echo "route add 20.$((i / 250)).$((i % 250)).0/24 via 10.1.1.2 table 320"
done | ip -batch -
ip -6 route add 2001:db8:10::/48 via 2001:db8:1::2 table 320

# A lost answer, wherever: a dump is read again, a batch is looked after by the
# next round.
for error in ENOBUFS EINTR; do
	odd=0
	for ((i = 1; i <= 16; i++)); do
		ip route flush table 321 2>/dev/null
		faulty "recvmsg:error=$error:when=$i" 320 321 ||
			odd=$((odd + 1))
		[ "$(routes_of 321)" = "$(routes_of 320)" ] || odd=$((odd + 1))
	done
	is "$error at any read: a right copy" "$odd" 0
	like "$error: has happened" "$(cat "$T/strace")" "$error.*INJECTED"
done
out=$(faulty recvmsg:error=ENOBUFS 320 322 2>&1)
is 'nothing can be read at all: status' $? 1
is 'nothing can be read at all: says so' "$out" "cprt: cannot read routing \
table 320: cannot read the kernel's answer: No buffer space available; free \
some memory, and try again"
out=$(faulty recvmsg:error=ENOMEM 320 322 2>&1)
is 'out of memory: says so' "$?$out" "1cprt: out of memory for the routes of \
tables 320 and 322: free some memory, and try again"
is 'nothing can be read at all: nothing is written' "$(routes_of 322)" ''

# An IPv6 route that stands between the legs of a multipath one, where no dump
# shows it, and that the source has, too.
p=2001:db8:11::/48
legs="nexthop via 2001:db8:1::2 nexthop via 2001:db8:2::2"
# shellcheck disable=SC2086	# words of a command
hidden() {
	ip -6 route flush table "$1" 2>/dev/null
	ip -6 route add $p table "$1" via 2001:db8:1::2
	ip -6 route append $p table "$1" dev vb0
	ip -6 route append $p table "$1" via 2001:db8:2::2
}

# shellcheck disable=SC2086
seen() {
	ip -6 route flush table "$1" 2>/dev/null
	ip -6 route add $p table "$1" $legs
	ip -6 route append $p table "$1" dev vb0
}

legs_of() {
	ip -6 route show table "$1" | grep -c 'via 2001'
}

seen 330
hidden 331
is 'the dump hides a route' "$(routes_of 331 | grep -c 'dev vb0.*proto boot')" 0
like 'a hidden route in the way: is found' "$(cprt -v 330 331)" \
	' 0 refused, in [3-5] rounds$'
is 'a hidden route in the way: the copy is right' "$(routes_of 331 | sort)" \
	"$(routes_of 330 | sort)"
# Ended at any message to the kernel: the prefix keeps both legs.
single=0 ended=0
for ((i = 1; i <= 14; i++)); do
	hidden 331
	(faulty "sendto:signal=TERM:when=$i" 330 331) 2>/dev/null ||
		ended=$((ended + 1))
	[ "$(legs_of 331)" = 2 ] || single=$((single + 1))
done
ok 'SIGTERM at any message: ended sometimes' test "$ended" -gt 2
is 'SIGTERM at any message: never a single leg' "$single" 0

# The temporary protocol number of a group of steps does not stay either.
odd=0 ended=0
for n in 3 2 4; do
	ip route append 10.10.0.0/16 via "10.1.1.$n" table 340
done
for ((i = 1; i <= 14; i++)); do
	ip route flush table 341 2>/dev/null
	for n in 2 3 4; do
		ip route append 10.10.0.0/16 via "10.1.1.$n" table 341
	done
	(faulty "sendto:signal=TERM:when=$i" 340 341) 2>/dev/null ||
		ended=$((ended + 1))
	[ "$(ip route show table 341 | grep -c 'proto 2[45]')" = 0 ] ||
		odd=$((odd + 1))
done
ok 'SIGTERM in a group of steps: ended sometimes' test "$ended" -gt 2
is 'SIGTERM in a group of steps: no temporary protocol' "$odd" 0
ok 'the next run' cprt 340 341
is 'the next run completes it' "$(routes_of 341)" "$(routes_of 340)"

done_testing
