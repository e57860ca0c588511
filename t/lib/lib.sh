# shellcheck shell=bash
# For the t/tNNNN-*.t: TAP, and a place of its own for every test: new network
# and mount namespaces with an /etc/ppp that has our hooks and nothing else, an
# empty /run and /var/log and a copy of /etc/iproute2, so that no test can touch
# the host and no production code needs to know of tests. To be sourced first:
#
#	. "$(dirname "$0")/lib/lib.sh"
#
# $root is the repository, $BIN has the binaries under test (BIN=... in the
# environment, else build/release/bin), $T is a directory for the test's
# files, removed at the end unless a test has failed.

set -u

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BIN=${BIN:-$root/build/release/bin}
export PATH=$BIN:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C
# LeakSanitizer cannot run under strace, and these programs end at once. It makes
# the exit status 1: what runs under strace and with an empty environment is
# started by "${bare[@]}".
export ASAN_OPTIONS=detect_leaks=0
# shellcheck disable=SC2034 # for the tests
bare=(env -i "ASAN_OPTIONS=$ASAN_OPTIONS")

if [ -z "${LIB_INSIDE-}${LAB_INSIDE-}" ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "Bail out! $0 makes namespaces: run it as root"
		exit 1
	fi
	LIB_INSIDE=1 exec unshare --net --mount --propagation private \
		bash "$0" "$@"
fi

T=$(mktemp -d)
lib_never=$T/.never
mkfifo "$lib_never"
lib_count=0
lib_failed=0
lib_finished=0

lib_end() {
	status=$?
	# What still runs in the background. By bash's own list: the number of a
	# process that has ended may be another test's by now.
	# shellcheck disable=SC2046 # words
	kill $(jobs -pr) 2>/dev/null
	if [ "$lib_finished" = 0 ]; then
		echo "Bail out! $0 ended early with status $status"
		status=1
	fi
	if [ "$lib_failed" != 0 ] || [ "$status" != 0 ]; then
		echo "# the test's files are in $T"
		exit 1
	fi
	# What runs inside another one has mounted over its directory.
	umount /etc/iproute2 2>/dev/null
	rm -rf "$T"
	exit 0
}
trap lib_end EXIT

# In the lab (t/lab/net.sh) the whole machine is the test's own, and pppd needs
# what Debian has put into /etc/ppp.
if [ -z "${LAB_INSIDE-}" ]; then
	mkdir -p /etc/ppp
	mount -t tmpfs -o mode=755 tmpfs /etc/ppp
	mount -t tmpfs -o mode=755 tmpfs /run
	mount -t tmpfs -o mode=755 tmpfs /var/log
	# As on Red Hat, with pppd's own scripts that run them.
	ln -s "$BIN/ip-up.local" "$BIN/ip-down.local" /etc/ppp
	for what in up down; do
		printf '#!/bin/sh\n/etc/ppp/ip-%s.local "$@"\n' $what \
			>/etc/ppp/ip-$what
		chmod +x /etc/ppp/ip-$what
	done
fi
mkdir "$T/iproute2"
if [ -d /etc/iproute2 ]; then
	cp -r /etc/iproute2/. "$T/iproute2"
else
	cp -r /usr/share/iproute2/. "$T/iproute2"
	mkdir -p /etc/iproute2
fi
mount --bind "$T/iproute2" /etc/iproute2
ip link set lo up

# ok DESCRIPTION COMMAND...: the command must succeed. It runs in this shell: a
# function may set variables.
ok() {
	local desc=$1
	shift
	lib_count=$((lib_count + 1))
	if "$@" >"$T/ok.out" 2>&1; then
		echo "ok $lib_count - $desc"
		return 0
	fi
	lib_failed=$((lib_failed + 1))
	echo "not ok $lib_count - $desc"
	diag "failed: $*"
	diag "$(cat "$T/ok.out")"
	return 1
}

# not_ok DESCRIPTION COMMAND...: the command must fail.
not_ok() {
	local desc=$1
	shift
	ok "$desc" lib_not "$@"
}

lib_not() {
	! "$@"
}

# is DESCRIPTION GOT WANT: the two strings must be the same.
is() {
	lib_count=$((lib_count + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $lib_count - $1"
		return 0
	fi
	lib_failed=$((lib_failed + 1))
	echo "not ok $lib_count - $1"
	diag "     got: $2"
	diag "expected: $3"
	return 1
}

# like DESCRIPTION GOT REGEX: the string must match the extended expression.
like() {
	lib_count=$((lib_count + 1))
	if [[ $2 =~ $3 ]]; then
		echo "ok $lib_count - $1"
		return 0
	fi
	lib_failed=$((lib_failed + 1))
	echo "not ok $lib_count - $1"
	diag "           got: $2"
	diag "does not match: $3"
	return 1
}

diag() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

# How often wait_for looks: each look starts programs, which are what takes an
# emulated machine's time.
lib_pause=0.05
[ -z "${LAB_INSIDE-}" ] || lib_pause=0.4

# pause SECONDS: without a process, so $! is what it was before.
pause() {
	read -rt "$1" <>"$lib_never" || true
}

# wait_for SECONDS COMMAND...: until the command succeeds. The bound is for what
# never comes: it is a minute at least, for a machine with other work.
wait_for() {
	local end=$((SECONDS + ($1 > 60 ? $1 : 60)))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			diag "waited in vain for: $*"
			return 1
		fi
		pause "$lib_pause"
	done
}

# status COMMAND...: print the exit status.
status() {
	"$@" >/dev/null 2>&1
	echo $?
}

# words GLIBC MUSL: what the programs' C library says to an errno.
words() {
	if grep -q "$2" "$BIN/mwan-rules"; then
		echo "$2"
	else
		echo "$1"
	fi
}

# link_new NAME LOCAL PEER: an interface that looks to the hooks like a PPP
# link that has just come up. (A pair of veths without ARP: there is no ppp here;
# the lab has.) Its other end is in this namespace too, and unused.
link_new() {
	ip link add "$1" arp off type veth peer name "x$1"
	sysctl -qw "net.ipv6.conf.$1.disable_ipv6=1" \
		"net.ipv6.conf.x$1.disable_ipv6=1"
	ip link set "x$1" up
	ip link set "$1" up
	ip addr add "$2" peer "$3" dev "$1"
}

# wires: two pairs of veths, va0-va1 and vb0-vb1, with addresses for routes
# through them.
wires() {
	local i

	for i in va vb; do
		ip link add "${i}0" type veth peer name "${i}1"
		ip link set "${i}1" up
		ip link set "${i}0" up
	done
	ip addr add 10.1.1.1/24 dev va0
	ip addr add 10.1.2.1/24 dev vb0
	ip -6 addr add 2001:db8:1::1/64 dev va0 nodad
	ip -6 addr add 2001:db8:2::1/64 dev vb0 nodad
	# The kernel adds its own routes when an address is no longer
	# tentative.
	wait_for 9 wires_settled
}

wires_settled() {
	[ -z "$(ip -6 addr show tentative)" ]
}

# links_wanted NAME...: name the tables in rt_tables, 201 and up, as in the
# original.
links_wanted() {
	local id=201 name

	for name; do
		echo "$id $name" >>/etc/iproute2/rt_tables
		id=$((id + 1))
	done
}

# ini LINE...: an mwan.ini with [mwan], no queues and these lines, the first of
# which belong to [mwan].
ini() {
	printf '%s\n' '[mwan]' 'qdisc = none' "$@" >/etc/ppp/mwan.ini
}

# ini_links TABLE LINE... -- WEIGHT...: one of as many links, ppp0 with TABLE and
# so on. A WEIGHT is "3", or "3 tier=2". What link_more prints of a link's number
# is also the link's.
ini_links() {
	local table=$1 n=0 w
	shift
	{
		printf '[mwan]\nqdisc = none\n'
		while [ "$1" != -- ]; do
			printf '%s\n' "$1"
			shift
		done
		shift
		for w; do
			printf '[link ppp%d]\ntable = %d\nweight = %s\n' \
				$n $((table + n)) "${w// /$'\n'}"
			link_more $n
			n=$((n + 1))
		done
	} >/etc/ppp/mwan.ini
}

link_more() {
	:
}

# routes_of TABLE: of both families.
routes_of() {
	ip -d -4 route show table "$1" 2>/dev/null
	ip -d -6 route show table "$1" 2>/dev/null
}

# writes COMMAND...: print how many of its netlink requests would change
# something.
writes() {
	strace -f -s 9 -e trace=sendto,sendmsg -o "$T/strace" "$@" \
		>/dev/null 2>&1
	grep -cE 'RTM_(NEW|DEL)|NFT_MSG_(NEW|DEL)|CT_DELETE' "$T/strace"
}

log_last() {
	tail -n 1 /var/log/ifchang.log
}

# hook up|down NAME LOCAL [PEER]: call the hook as pppd does.
hook() {
	env -i "$BIN/ip-$1.local" "$2" eth9 0 "$3" "${4:-10.64.0.1}"
}

done_testing() {
	lib_finished=1
	echo "1..$lib_count"
	if [ "$lib_failed" != 0 ]; then
		diag "$lib_failed of $lib_count failed"
		exit 1
	fi
	exit 0
}
