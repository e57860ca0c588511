#!/bin/bash
# The nftables table: that the kernel takes it, shows it as we print it, that
# nft reads it back, that every change to it is noticed, and what it does to
# packets.
#
#	 lan                    router                         net
#	lan0 10.9.0.2/30 ---- lan0 10.9.0.1/30
#	                      ppp0 10.64.0.1/24 ---- ppp0 10.64.0.2/24
#	                      ppp1 10.64.1.1/24 ---- ppp1 10.64.1.2/24
#	                      ppp2 10.64.2.1/24 ---- ppp2 10.64.2.2/24
#	                                             lo   198.51.100.1
#
# "lan" sends from thousands of addresses of 10.9.0.0/16; counters in another
# table of the router see by which link they leave.

# shellcheck disable=SC2317	# functions that ok calls

. "$(dirname "$0")/lib/lib.sh"

unit=$BIN/../t/unit-nft

# Elements come back in another order, sets under other numbers. What the named
# sets hold is told apart by their bytecode.
listing() {
	perl -0pe 's/^(flush|add element) .*\n//mg;
		s/^\t\telements = \{.*?\}\n//msg;
		s/counter packets \d+ bytes \d+/counter/g;
		s/\{ (.*?) \}/"{ ".join(", ", sort split ", ", $1)." }"/eg'
}

bytecode() {
	nft --debug=netlink list table inet mwan | perl -e '
		while (<>) {
			next if /^\s*$/ || /userdata/;
			s/__(map|set)\d*/__$1/;
			s/^(inet mwan \S+).*/$1/;
			if (/^inet mwan @/) { push @sets, [$_] }
			elsif (/^\telement/) { push @{$sets[-1]}, $_ }
			else { push @rest, $_ }
		}
		print sort map { join "", sort @$_ } @sets;
		print @rest;'
}

# Is the table what nft itself would make of the text that we print?
same_as_nft() {
	nft flush ruleset
	"$unit" "$@" load >/dev/null || return
	nft list table inet mwan >"$T/list" || return
	bytecode >"$T/code"
	"$unit" "$@" print >"$T/print" || return
	diff <(listing <"$T/list") <(listing <"$T/print") || return
	nft -c -f "$T/list" || return
	nft -j list table inet mwan | jq -e . >/dev/null || return
	nft flush ruleset
	nft -f "$T/print" || return
	diff "$T/code" <(bytecode)
}

load() {
	"$unit" "$@" load
}

# Of two links.
check() {
	"$unit" check
}

# --- the table ---

names=ppp-a.1,a@b:c,eth0.7,1,to_x
for options in "" "-p" "-n 3 -w 3:2:1" "-w 255:255" "-n 1" "-l lan0" \
		"-l lan0,br-lan.2" "-C -N" "-m 0xff00" "-m 0x70000000" \
		"-m 0xffffffff" "-m 0x3 -p"; do
	# shellcheck disable=SC2086	# options are words
	ok "as nft reads it:${options:+ }$options" same_as_nft $options
done
for options in "" "-T" "-C" "-N" "-n 1" "-n 3 -w 3:2:1 -d ppp1" "-p" \
		"-p -n 4 -s 60" "-b flow -n 3 -d ppp2 -s 60" "-b random -s 60" \
		"-b round-robin -w 2:1" "-n 64 -m 0xff00" "-n 255 -m 0xffff" \
		"-M 1400 -P 2001:db8:1::/48,2001:db8:2::/56+fd00::/16" \
		"-n 4 -P -,2001:db8:1::/48,ffff::/16,::/1"; do
	# shellcheck disable=SC2086	# options are words
	ok "IPv6, as nft reads it:${options:+ }$options" \
		same_as_nft -6 $options
done
ok "IPv6, as nft reads it: odd names" same_as_nft -6 -n 5 -L "$names"
ok "as nft reads it: odd names" same_as_nft -n 5 -L "$names"

# Every method, with and without a map of the hosts' links, with links that are
# put aside, and with policies.
cat >"$T/policies.ini" <<'END'
[mwan]
lan = lan0 br0
[link ppp0]
table = 201
weight = 2
[link ppp1]
table = 202
[link ppp2]
table = 203
tier = 2
[policy lists]
source = 10.0.0.0/8 192.168.0.0/16 1.2.3.4 5.0.0.3-5.0.0.9 255.0.0.0/8
destination = 1.1.1.1
protocol = tcp udp
destination_port = 80 443-445
use = ppp1
if_down = unreachable
[policy one]
source = 10.128.0.0/9
protocol = tcp
destination_port = 80
use = main
[policy ranges]
source = 10.0.0.3-10.0.0.9
destination = 0.0.0.0/0
protocol = icmp
interface = eth0 br0
use = balance
[policy overlapping]
destination = 1.1.1.0/28 3.3.3.3 4.4.4.4-4.4.4.6 1.1.1.8 1.1.1.16/28 4.4.4.6
protocol = udp
source_port = 1-5
destination_port = 1024-65535 80 2000-3000
interface = eth0 eth0
use = ppp2
if_down = unreachable
[policy protocols]
protocol = tcp udp icmp tcp 250
use = ppp0
[policy all]
source = 0.0.0.0/1 128.0.0.0/1
protocol = udp
source_port = 0-65535
use = ppp0
if_down = unreachable
[policy prefix]
source = 0.0.0.0/8
destination = 10.0.0.0/24
use = ppp0
[policy ipv6]
source = 2001:db8:1::/48 2001:db8:2::7 fd00::3-fd00::9 ff80::/9
destination = 2001:db8::/33
protocol = icmp
use = ppp1
if_down = unreachable
[policy both]
source = 10.0.0.9 2001:db8::1 2001:db8::3
destination = 2001:db8::1-2001:db8::6 0.0.0.0/0
protocol = tcp
destination_port = 80
interface = eth0
use = balance
[policy half]
source = ::/0 10.0.0.0/8
destination = ::/1 8000::/1 11.0.0.0/8
protocol = udp
source_port = 53
use = ppp0
[policy every]
source = 0.0.0.0/0 ::/0
protocol = udp
use = ppp2
END
for method in source source-parity flow round-robin random; do
	for sticky in 0 90061; do
		case $method in
		source) options="-n 4 -w 3:2:1:2" ;;
		source-parity) options="-n 4 -p" ;;
		*) options="-n 4 -w 3:2:1:2 -b $method" ;;
		esac
		options="$options -s $sticky"
		# shellcheck disable=SC2086	# options are words
		ok "as nft reads it: $options" same_as_nft $options
		# shellcheck disable=SC2086
		is "and the second load writes nothing" \
			"$(load $options >/dev/null; load $options)" intact
		for aside in ppp0 ppp3 ppp1,ppp2 ppp0,ppp1,ppp2,ppp3; do
			# shellcheck disable=SC2086
			ok "the same without $aside" \
				same_as_nft $options -d $aside
		done
		# Parity has no weights.
		sed "s/^lan.*/&\nbalance = $method\nsticky = ${sticky}s/
			s/ = 0s/ = 0/; /parity/,/ppp1/s/^weight.*//" \
			"$T/policies.ini" >"$T/policies-now.ini"
		for aside in none ppp1 ppp0,ppp2 "ppp1 -6" "ppp0,ppp2 -6"; do
			options="-f $T/policies-now.ini -d $aside"
			# shellcheck disable=SC2086
			ok "policies, $method, sticky $sticky, without $aside" \
				same_as_nft $options
			# shellcheck disable=SC2086
			is "and the second load writes nothing" \
				"$(load $options >/dev/null; load $options)" \
				intact
		done
	done
done
for mask in 0xff0000 0x7fff0000 0xffffffff; do
	ok "classes as nft reads them: mask $mask" \
		same_as_nft -s 600 -m $mask
done
for n in 64 255; do
	for method in round-robin random flow; do
		is "$n links of any weight, $method, replace the former" \
			"$(load -n $n -b $method -w random -m 0xffff -s 60)" \
			changed
		is "and the second load writes nothing" \
			"$(load -n $n -b $method -w random -m 0xffff -s 60)" \
			intact
	done
done
"$unit" delete

# --- the map of the MTUs ---

sizes() {
	nft -j list map inet mwan mss | jq -c '[.nftables[].map? |
		select(.) | .elem[]?] | sort | map(.[1])'
}

is "the map of the MTUs is a change" "$(load -n 3 -M 1400)" absent
is "it holds each link's" "$(sizes)" "[1360,1361,1362]"
is "and is all" "$(load -n 3 -M 1400)" intact
is "other MTUs are a change" "$(load -n 3 -M 1500)" changed
is "which is made" "$(sizes)" "[1460,1461,1462]"
for change in "delete element inet mwan mss { ppp0 }" \
		"add element inet mwan mss { eth0 : 7 }" \
		"flush map inet mwan mss"; do
	nft "$change"
	is "noticed: $change" "$(load -n 3 -M 1500)" changed
	is "mended: $change" "$(sizes)" "[1460,1461,1462]"
done
is "another table keeps it" "$(load -n 3 -M 1500 -b flow; sizes)" \
	"changed
[1460,1461,1462]"
nft list table inet mwan >"$T/list"
nft flush ruleset
nft -f "$T/list"
is "nft reads it back" "$(sizes)" "[1460,1461,1462]"
for n in 64 255; do
	is "$n links" "$(load -n $n -m 0xffff -M 1000; sizes | jq length)" \
		"changed
$n"
	is "$n links, again" "$(load -n $n -m 0xffff -M 1000)" intact
done
"$unit" delete

# --- the map of the hosts' links ---

hosts() {
	nft list map inet mwan sticky 2>&1 |
		grep -o '10\.9\.0\.[0-9]* [^,}]*' |
		sed 's/ .* : / /; s/ *$//' | sort | tr '\n' ' '
}

# kept DESCRIPTION OPTION...: a load with these leaves the hosts in the map.
kept() {
	local desc=$1
	shift
	is "the map, $desc: a change" "$(load "$@")" changed
	is "which keeps the hosts" "$(hosts)" "10.9.0.7 0:1 10.9.0.8 0:2 "
	is "and is all" "$(load "$@")" intact
}

# emptied DESCRIPTION OPTION...: a load with these makes the map anew.
emptied() {
	local desc=$1
	shift
	load -n 3 -s 600 >/dev/null
	nft add element inet mwan sticky \
		'{ 10.9.0.7 : 0:1, 10.9.0.8 : 0:2 }'
	is "the map, $desc: a change" "$(load "$@")" changed
	is "which forgets the hosts" "$(hosts)" ""
	is "and is all" "$(load "$@")" intact
}

load -n 3 -s 600 >/dev/null
nft add element inet mwan sticky '{ 10.9.0.7 : 0:1, 10.9.0.8 : 0:2 }'
is "the map has hosts" "$(hosts)" "10.9.0.7 0:1 10.9.0.8 0:2 "
kept "other weights" -n 3 -s 600 -w 3:2:1
kept "another method" -n 3 -s 600 -b flow
kept "one more link" -n 4 -s 600
kept "a link aside" -n 4 -s 600 -d ppp1
kept "two links less" -n 2 -s 600
sed 's/^lan.*/&\nsticky = 10m/' "$T/policies.ini" >"$T/policies-now.ini"
kept "policies" -f "$T/policies-now.ini"
emptied "another timeout" -n 3 -s 601
emptied "other marks" -n 3 -s 600 -m 0xff00
emptied "no map" -n 3
for change in "delete element inet mwan sticky { 10.9.0.7 }" \
		"add element inet mwan sticky { 10.9.0.9 : 0:1 }"; do
	load -n 3 -s 600 >/dev/null
	nft add element inet mwan sticky '{ 10.9.0.7 : 0:1 }' 2>/dev/null
	nft "$change"
	is "what is in the map is no matter" "$(load -n 3 -s 600)" intact
done
foreign_map() {
	nft -f - <<-END
	flush table inet mwan
	delete map inet mwan sticky
	add map inet mwan sticky { type ipv4_addr : mark; timeout 10m; flags dynamic, timeout; }
	END
}
load -n 3 -s 600 >/dev/null
foreign_map
is "another map of that name" "$(load -n 3 -s 600)" changed
is "is replaced" "$(load -n 3 -s 600)" intact
load >/dev/null
nft add map inet mwan sticky \
	'{ type ipv4_addr : classid; timeout 10m; flags dynamic, timeout; }'
is "a map that is not wanted" "$(check)" changed
load >/dev/null
is "goes" "$(nft list maps | grep -c sticky)" 0

for n in 1 3 64 255; do
	ok "as nft reads it: $n links" same_as_nft -n "$n"
	is "$n links replace the former" "$(load -n "$n" -m 0xfff000)" "changed"
	is "$n links, twice" "$(load -n "$n" -m 0xfff000)" "intact"
done
ok "as nft reads it: parity of 128" same_as_nft -n 128 -p
is "from 128 links to 2" "$(load)" "changed"
is "nothing is left of the others" "$(check)" "intact"
ok "delete" "$unit" delete
is "gone" "$(nft list ruleset)" ""
ok "delete again" "$unit" delete

# --- what others do to it ---

# noticed DESCRIPTION COMMAND...: after it the table is not intact, and the
# next load mends it.
noticed() {
	local desc=$1 found
	shift
	load >/dev/null
	"$@" || diag "failed: $*"
	found=$(check)
	is "noticed: $desc" "$found" "${want-changed}"
	load >/dev/null
	is "mended: $desc" "$(check)" "intact"
}

handle() {
	nft -a list chain inet mwan "$1" | sed -n "s/.*$2.*# handle //p" |
		head -n 1
}

delete_rule() {
	nft delete rule inet mwan prerouting handle "$(handle prerouting lo)"
}

replace_rule() {
	nft replace rule inet mwan prerouting handle \
		"$(handle prerouting lo)" iifname lo return
}

move_rule() {
	nft -f - <<-END
	delete rule inet mwan prerouting handle $(handle prerouting lo)
	insert rule inet mwan prerouting iifname "lo" return
	END
}

other_priority() {
	nft -f - <<-END
	flush chain inet mwan output
	delete chain inet mwan output
	add chain inet mwan output { type route hook output priority 7; }
	END
}

reread() {
	nft list table inet mwan >"$T/again"
	nft flush ruleset
	nft -f "$T/again"
}

long=$(printf 'x%.0s' {1..100})
want=absent noticed "flush ruleset" nft flush ruleset
noticed "a rule deleted" delete_rule
noticed "a rule replaced by its like" replace_rule
noticed "a rule moved" move_rule
noticed "a rule inserted" nft insert rule inet mwan postrouting accept
noticed "a rule added" nft add rule inet mwan to_ppp0 counter
noticed "a chain flushed" nft flush chain inet mwan from_link
noticed "a chain added" nft add chain inet mwan other
noticed "a chain with a long name added" nft add chain inet mwan "$long"
noticed "a base chain added" nft add chain inet mwan other \
	'{ type filter hook input priority 0; }'
noticed "another policy" nft chain inet mwan output '{ policy drop; }'
noticed "another priority" other_priority
noticed "a table put to sleep" nft add table inet mwan '{ flags dormant; }'
noticed "the listing read back" reread
# What is as it should be is not touched: see ruleset.c on maps that change.
load >/dev/null
before=$(handle srcnat masquerade)
delete_rule
load >/dev/null
is "a repair leaves other chains alone" "$(handle srcnat masquerade)" "$before"

load >/dev/null
is "a table of others is none of ours" \
	"$(nft add table inet other; nft add chain inet other c; check)" intact

not_ok "no element leaves a set of ours" nft delete element inet mwan \
	__set0 '{ "ppp0" }'

load >/dev/null
nft add set inet mwan keep '{ type ipv4_addr; elements = { 10.0.0.1 }; }'
is "a named set is no matter" "$(check)" "intact"
load -n 3 >/dev/null
like "a named set outlives a load" "$(nft list set inet mwan keep)" 10.0.0.1
nft add map inet mwan hold '{ type mark : verdict; }'
nft add element inet mwan hold '{ 1 : goto to_ppp2 }'
is "somebody's map holds a chain that must go" "$(load)" "changed"
is "it goes" "$(check)" "intact"

is "a change since the reading: it is read again, and loaded" \
	"$("$unit" -n 3 stale 2>&1)" "changed"
is "as it is wanted" "$("$unit" -n 3 check)" "intact"
load >/dev/null
out=$("$unit" -n 3 broken 2>&1)
like "a refused rule is named" "$out" \
	"refuses rule 3 of chain forward: .*kernel module nft_masq missing"
is "a refused load changes nothing" "$(check)" "intact"
out=$(setpriv --bounding-set -net_admin --inh-caps -net_admin "$unit" check \
	2>&1)
like "without privilege" "$out" "CAP_NET_ADMIN"

# --- packets ---

sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.default.rp_filter=0 \
	net.ipv4.conf.all.rp_filter=0
nft flush ruleset
for ns in lan net; do
	ip netns add $ns
	ip -n $ns link set lo up
	ip netns exec $ns sysctl -qw net.ipv4.conf.default.rp_filter=0 \
		net.ipv4.conf.all.rp_filter=0
done
ip link add lan0 type veth peer name lan0 netns lan
# The hosts are behind one neighbour: what comes back to each (that nobody listens
# there) must make no entry of its own in the table of neighbours, which has room
# for 1024 and is one for all namespaces of the machine.
ip addr add 10.9.0.1/30 dev lan0
ip link set lan0 up
ip route add 10.9.0.0/16 via 10.9.0.2
ip -n lan addr add 10.9.0.2/30 dev lan0
ip -n lan link set lan0 up
ip -n lan route add default via 10.9.0.1
ip -n net addr add 198.51.100.1/32 dev lo
for i in 0 1 2; do
	ip link add ppp$i type veth peer name ppp$i netns net
	ip addr add 10.64.$i.1/24 dev ppp$i
	ip link set ppp$i mtu 1400 up
	ip -n net addr add 10.64.$i.2/24 dev ppp$i
	ip -n net link set ppp$i up
	ip route add default via 10.64.$i.2 dev ppp$i table 20$i
	ip rule add pref 100$i fwmark $((i + 1))/0xff table 20$i
done
ip -n net route add 10.9.0.0/16 via 10.64.0.1
ip rule add pref 1 lookup main suppress_prefixlength 0
ip route add default via 10.64.2.2 dev ppp2 table 300
ip rule add pref 32770 table 300
ip rule add pref 1300 not fwmark 0/0xff table 300
# A neighbour that is not known yet loses packets.
# known NS ADDRESS DEV NS-OF-ADDRESS
known() {
	ip -n "$1" neigh replace "$2" dev "$3" nud permanent lladdr \
		"$(ip -n "$4" -j link show "$3" | jq -r '.[].address')"
}
ip netns attach router $$
known lan 10.9.0.1 lan0 router
known router 10.9.0.2 lan0 lan
for i in 0 1 2; do
	known router 10.64.$i.2 ppp$i net
	known net 10.64.$i.1 ppp$i router
done

# What leaves by which link. The user's own marks are set before ours, and
# looked at after.
counters() {
	nft -f - <<-'END'
	table inet count
	delete table inet count
	table inet count {
		counter ppp0 { }
		counter ppp1 { }
		counter ppp2 { }
		counter odd0 { }
		counter even1 { }
		counter strange { }
		counter inward { }
		counter bits { }
		counter ctbits { }
		chain user {
			type filter hook prerouting priority -160
		}
		chain out {
			type filter hook postrouting priority 0
			meta nfproto != ipv4 return
			oifname "lan0" ip saddr 198.51.100.1 \
				counter name inward
			ip daddr != 198.51.100.1 return
			ip protocol != { tcp, udp } return
			oifname "ppp0" counter name ppp0
			oifname "ppp1" counter name ppp1
			oifname "ppp2" counter name ppp2
			oifname "ppp0" ip saddr & 0.0.0.1 != 0 counter name odd0
			oifname "ppp1" ip saddr & 0.0.0.1 == 0 \
				counter name even1
			oifname "ppp*" meta mark & 0xff == 0 \
				counter name strange
			meta mark & 0xffffff00 == 0x5a5a5a00 counter name bits
			ct mark & 0xffffff00 == 0xa5a5a500 counter name ctbits
		}
	}
	END
	conntrack -F 2>/dev/null
}

count() {
	local c
	for c; do
		nft -j list counter inet count "$c" |
			jq -j '.nftables[] | .counter.packets // empty'
		printf ' '
	done
}

count_is() {
	local want=$1
	shift
	[ "$(count "$@")" = "$want" ]
}

# counted DESCRIPTION WANT COUNTER...: packets take their time on a busy
# machine.
counted() {
	local desc=$1 want=$2
	shift 2
	wait_for 10 count_is "$want" "$@"
	is "$desc" "$(count "$@")" "$want"
}

# sum WANT: as many packets have left.
sum() {
	local a b c
	read -r a b c <<<"$(count ppp0 ppp1 ppp2)"
	[ $((a + b + c)) = "$1" ]
}

# A veth drops what it gets before the kernel has noticed its carrier.
all_up() {
	local ns
	for ns in "" "-n lan" "-n net"; do
		# shellcheck disable=SC2086	# words
		ip $ns -j link show type veth |
			jq -e 'all(.operstate == "UP")' || return
	done
}

spray() {
	ip netns exec lan "$unit" spray "$@"
}

wait_for 20 all_up
# Unmasqueraded, to see the hosts' own addresses.
load -p -N -l lan0 >/dev/null
counters
nft add rule inet count user meta mark set 0x5a5a5a00
nft add rule inet count user ct mark set ct mark '|' 0xa5a5a500
spray 4000 10.9.16.0 198.51.100.1 7 7
counted "parity: half by each link" "2000 2000 0 " ppp0 ppp1 ppp2
counted "parity: even by the first, odd by the second" "0 0 " odd0 even1
counted "other bits of mark and ct mark survive" "4000 4000 0 " \
	bits ctbits strange
nft flush chain inet count user
spray 4000 10.9.16.0 198.51.100.1 7 7
counted "the second packets go the same way" "4000 4000 0 0 " \
	ppp0 ppp1 odd0 even1

counters
nft add rule inet count user meta mark set 0x2
spray 10 10.9.16.0 198.51.100.1 7 7
counted "the user's mark on new connections" "0 10 " ppp0 ppp1
nft flush chain inet count user
nft add rule inet count user meta mark set 0x1
spray 10 10.9.16.0 198.51.100.1 7 7
counted "but not on existing ones" "0 20 " ppp0 ppp1

# A link dies: its table is empty, the standby table has ppp2.
load -p -N -l lan0 -n 4 >/dev/null
counters
spray 4 10.9.16.0 198.51.100.1 7 7
counted "four links, four residues" "1 1 2 " ppp0 ppp1 ppp2
ip route del default table 200
spray 4 10.9.16.0 198.51.100.1 7 7
counted "the dead link's flow takes the standby" "1 2 5 " ppp0 ppp1 ppp2
ip route add default via 10.64.0.2 dev ppp0 table 200
spray 4 10.9.16.0 198.51.100.1 7 7
counted "and stays there when the link is back" "1 3 8 " ppp0 ppp1 ppp2

# From outside.
load -p -N -l lan0 >/dev/null
counters
ip -n net route replace 10.9.0.0/16 via 10.64.1.1
ip netns exec net "$unit" spray 1 198.51.100.1 10.9.16.0 7 7
counted "a packet from a link goes into the LAN" "1 0 0 0 " \
	inward ppp0 ppp1 ppp2
spray 1 10.9.16.0 198.51.100.1 7 7
counted "its answer takes the link that it came by" "0 1 " ppp0 ppp1
# By itself it would answer by ppp2.
answer() {
	perl -MIO::Socket::INET -e '
		$s = IO::Socket::INET->new(Listen => 1, LocalPort => 7)
			or die;
		open F, ">", "$ARGV[0]/router"; close F;
		alarm 60;
		$s->accept or die' "$T" &
	local listener=$!
	wait_for 20 test -e "$T/router"
	ip netns exec net timeout 60 perl -MIO::Socket::INET -e '
		IO::Socket::INET->new(PeerAddr => "10.64.1.1:7",
			LocalAddr => "198.51.100.1") or die' &&
		wait "$listener"
}
counters
ok "the router answers" answer
asked_by_ppp1() {
	local a b c
	read -r a b c <<<"$(count ppp0 ppp1 ppp2)"
	[ "$a" = 0 ] && [ "$b" -ge 2 ] && [ "$c" = 0 ]
}
ok "by the link that it was asked by" wait_for 10 asked_by_ppp1
ip -n net route replace 10.9.0.0/16 via 10.64.0.1

# The hash.
load -N -w 3:2:1 -n 3 >/dev/null
counters
spray 12000 10.9.16.0 198.51.100.1 7 7
wait_for 10 sum 12000
read -r a b c <<<"$(count ppp0 ppp1 ppp2)"
diag "12000 hosts by weights 3:2:1: $a $b $c"
ok "every host has a link" test $((a + b + c)) = 12000
ok "three sixths" test "${a#-}" -ge 5700 -a "$a" -le 6300
ok "two sixths" test "$b" -ge 3700 -a "$b" -le 4300
ok "one sixth" test "$c" -ge 1700 -a "$c" -le 2300
"$unit" delete
load -N -w 3:2:1 -n 3 >/dev/null
counters
spray 12000 10.9.16.0 198.51.100.1 7 7
counted "the same hosts' links after a new load" "$a $b $c " ppp0 ppp1 ppp2

# Loads while packets flow, with chains that come and go.
counters
spray 5000 10.9.16.0 198.51.100.1 7 7
wait_for 10 sum 5000
nft reset counters table inet count >/dev/null
rounds=20
[ -z "${TEST_LONG-}" ] || rounds=400
spray 5000 10.9.16.0 198.51.100.1 7 7 $rounds &
loads=0
while kill -0 $! 2>/dev/null && [ $loads -lt 9000 ]; do
	load -N -n 2 >/dev/null
	load -N -n 3 >/dev/null
	load -p -N -n 1 >/dev/null
	loads=$((loads + 3))
done
wait $!
diag "$loads loads while $((5000 * rounds)) packets passed"
ok "some loads happened" test "$loads" -ge 10
ok "not one packet lost" wait_for 10 sum $((5000 * rounds))
is "not one packet without a mark" "$(count strange)" "0 "

# Masquerade and MSS, with a real connection.
load -n 1 >/dev/null
conntrack -F 2>/dev/null
# shellcheck disable=SC2016	# perl's variables
ip netns exec net perl -MIO::Socket::INET -e '
	$s = IO::Socket::INET->new(Listen => 1, LocalPort => 80,
		ReuseAddr => 1) or die;
	open F, ">", "$ARGV[0]/ready"; close F;
	$c = $s->accept;
	print $c->peerhost, " ", unpack("i", getsockopt($c, 6, 2)), "\n";
	' "$T" >"$T/seen" &
server=$!
wait_for 20 test -e "$T/ready"
ip netns exec lan timeout 60 perl -MIO::Socket::INET -e '
	IO::Socket::INET->new("198.51.100.1:80") or die' || kill $server
wait $server
# 1400 - 40, and 12 more for timestamps.
like "masqueraded, and no segment over the link's MTU" "$(cat "$T/seen")" \
	'^10\.64\.0\.1 13(48|60)$'

done_testing
