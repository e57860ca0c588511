#!/bin/bash
# cprt's command line, what it leaves alone, and what it says when something
# cannot be done.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

# says STATUS REGEX ARGUMENT...: cprt ends like this, with one sentence.
says() {
	local want=$1 regex=$2 out got
	shift 2
	out=$(cprt "$@" 2>&1)
	got=$?
	is "cprt $*: status" "$got" "$want"
	is "cprt $*: one sentence" "$(wc -l <<<"$out")" 1
	like "cprt $*: says why" "$out" "^cprt: .*${regex}"
}

ip link add va0 type veth peer name va1
ip link add vb0 type veth peer name vb1
for i in va0 va1 vb0 vb1; do
	ip link set "$i" up
done
ip addr add 10.1.1.1/24 dev va0
ip -6 addr add 2001:db8:1::1/64 dev va0 nodad
echo '301 dsl' >>/etc/iproute2/rt_tables
ip route add 10.10.0.0/16 via 10.1.1.2 table 300
ip -6 route add 2001:db8:10::/48 via 2001:db8:1::2 table 300
ip route add 10.66.0.0/16 dev va0 table 301

before=$(routes_of 301)
says 64 'two routing tables' 300
says 64 'two routing tables' 300 301 302
says 64 'two routing tables'
says 64 '"nosuch"' nosuch 301
says 64 '"4294967296"' 300 4294967296
says 64 '"0"' 0 301
says 64 '"-x"' -x 300 301
says 64 '"--nosuch"' --nosuch 300 301
says 64 "\"main\" is the system's own routing table 254, which is never \
written to: give another DST$" 300 main
says 64 "\"254\" is the system's own" 300 254
says 64 "\"local\" is the system's own" 300 local
says 64 "\"253\" is the system's own" 300 253
says 64 'the same routing table, 301: give two different ones$' dsl 301
says 1 'there is no routing table 777 to copy from until its first route is added: nothing is changed$' 777 301
says 1 'there is no routing table 777' -n 777 301
is 'none of these changed anything' "$(routes_of 301)" "$before"
like '--help' "$(cprt --help)" '^Usage: cprt '
like '--version' "$(cprt --version)" '^cprt [0-9]+\.[0-9]+'

# Without privilege: -n works, the rest says what is missing. The temporary
# directory is not for others to enter.
nobody=(setpriv --bounding-set=-all --inh-caps=-all --clear-groups
	--reuid=65534 --regid=65534)
cp "$BIN/cprt" /run/cprt
chmod 755 /run /run/cprt
ok '-n as nobody' "${nobody[@]}" /run/cprt -n 300 301
is '-n as nobody sees the difference' \
	"$("${nobody[@]}" /run/cprt -n 300 301 | grep -c .)" 3
out=$("${nobody[@]}" /run/cprt 300 301 2>&1)
is 'writing as nobody fails' $? 1
like 'writing as nobody: says what is needed' "$out" 'root or CAP_NET_ADMIN'
is 'writing as nobody changes nothing' "$(routes_of 301)" "$before"
rm /run/cprt
# With the one capability and no right to lock.
out=$(setpriv --reuid=65534 --regid=65534 --clear-groups \
	--inh-caps=+net_admin --ambient-caps=+net_admin \
	--bounding-set=-all,+net_admin "$BIN/cprt" 300 302 2>&1) ||
	out="$out failed"
like 'CAP_NET_ADMIN alone will do' "$out" \
	"^cprt: (cannot make /run/mwan: Permission denied; run this as root|\
/run/mwan is not ours but root's, and this runs as user 65534: run it as \
root); going on without a lock\$"
is 'CAP_NET_ADMIN alone copies' "$(routes_of 302)" "$(routes_of 300)"

is '-v counts' "$(cprt -v 300 dsl)" "table 300, 2 routes, to table 301:\
 2 added, 0 replaced, 1 deleted, 0 refused, in 1 round"
is 'the copy is right' "$(routes_of 301)" "$(routes_of 300)"
is '-v on the second run' "$(cprt -v 300 dsl)" "table 300, 2 routes, to table\
 301: 0 added, 0 replaced, 0 deleted, 0 refused, in 0 rounds"
is '-n on the second run' "$(cprt -n 300 dsl)" ''

# Defaults of any kind stay, and are not copied.
ip route add default via 10.1.1.9 table 300
ip route add unreachable default metric 4000 table 300
ip -6 route add default via 2001:db8:1::9 table 300
ip route add default dev va0 table 301
ip route add blackhole default metric 9 table 301
ip route add 10.66.0.0/16 dev va0 table 301
ip -6 route add default dev va0 table 301
ip -6 route add unreachable default metric 9 table 301
defaults=$(routes_of 301 | grep default)
is 'four defaults' "$(grep -c . <<<"$defaults")" 4
ok 'copy with defaults' cprt 300 301
is 'the defaults stay' "$(routes_of 301 | grep default)" "$defaults"
is 'the rest is copied' "$(routes_of 301 | grep -v default)" \
	"$(routes_of 300 | grep -v default)"
is 'a second run has nothing to do' "$(cprt -n 300 301)" ''
ok '--flush' cprt --flush 300 301
is '--flush: the defaults are gone' "$(routes_of 301 | grep default)" ''
is '--flush: the rest is there' "$(routes_of 301)" \
	"$(routes_of 300 | grep -v default)"

# An empty source, as opposed to one that does not exist.
ip route add default dev va0 table 301
ip route flush table 300
ip -6 route flush table 300
ok 'an empty source' cprt 300 301
is 'an empty source empties the target' "$(routes_of 301)" \
	"$(routes_of 301 | grep default)"
is 'but for the default' "$(routes_of 301 | grep -c .)" 1

# Refusals: a leg whose device is down cannot be taken, all else can.
ip addr add 10.1.2.1/24 dev vb0
ip -4 route add 10.10.0.0/16 via 10.1.1.2 table 300
ip -4 route add 10.20.0.0/16 table 300 nexthop via 10.1.1.2 \
	nexthop dev vb0
ip -4 route add 10.30.0.0/16 via 10.1.1.2 table 300
ip -6 route add 2001:db8:10::/48 via 2001:db8:1::2 table 300
ip route add 10.40.0.0/16 dev va0 table 301
ip link set vb0 down
out=$(cprt 300 301 2>&1)
is 'a dead leg: status' $? 1
like 'a dead leg: the route and the reason' "$out" \
	"^cprt: the kernel refuses to take unicast 10\\.20\\.0\\.0/16 .* \
nexthop via 10\\.1\\.1\\.2 dev va0 weight 1 nexthop dev vb0 weight 1: Device \
for nexthop is not up
cprt: all other routes are copied: fix these, and run it again \\(see DIAGNOSTICS \
in cprt\\(8\\)\\)\$"
is 'a dead leg: the rest is done' \
	"$(routes_of 301 | grep -v default)" \
	"$(routes_of 300 | grep -vE '10\.20|nexthop')"
out2=$(cprt 300 301 2>&1)
is 'a dead leg: the same again' "$?,$out2" "1,$out"
ip link set vb0 up
ip route replace 10.20.0.0/16 table 300 nexthop via 10.1.1.2 \
	nexthop dev vb0
ok 'the leg is back' cprt 300 301
is 'and so is the route' "$(routes_of 301 | grep -v default)" "$(routes_of 300)"

# A route that cannot be replaced stays as it was.
ip route replace 10.20.0.0/16 dev va0 table 301
ip link set vb0 down
before=$(routes_of 301)
is 'a refused replacement' "$(status cprt 300 301)" 1
is 'leaves the old route' "$(routes_of 301)" "$before"

# -n that cannot be written.
is '-n on a full disk' "$(cprt -n 300 309 2>&1 >/dev/full; echo $?)" \
	"cprt: cannot write the commands to the standard output: No space left \
on device; is that closed, or its disk full?
1"

done_testing
