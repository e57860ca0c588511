#!/bin/bash
# Any number of the configuration changes on a running router: one apply, and
# the kernel has exactly what a fresh start with the new file would have given
# it. (A twin is started afresh: its links have the same names and addresses.)
# Flows that keep their link lose nothing.
# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

twin() {
	nsenter --net=/run/netns/twin "$@"
}

# What the twin knows it has from the file alone, and nobody from the twin.
twin_rules() {
	twin unshare --mount --propagation private sh -c \
		'mount -t tmpfs tmpfs /run && exec mwan-rules "$@"' sh "$@"
}

# The primary is history by intention.
state() {
	ip rule | sed 's/^\(32768:.*lookup\) .*/\1 the primary/'
	ip nexthop
	ip route show table all | grep 'proto 119' |
		sed 's/ dev ppp.* metric 65536/ the primary/'
	# Chains are listed in the order in which they came.
	nft -s list table inet mwan | perl -ne 'push @c, "" if /^\tchain/;
		$c[-1] .= $_; BEGIN { @c = "" } END { print sort @c }' |
		grep -v '^}\?$'
}
export -f state

twin_clear() {
	twin_rules flush >/dev/null 2>&1
	twin ip route flush table all proto 119
	twin ip rule flush protocol 119
	twin ip nexthop flush protocol 119
	twin nft flush ruleset
} >/dev/null 2>&1

# The numbers of a file are 1,000 and up, 200, 77,000, 0xff and 1 to 3.
three=('[link ppp0]' 'table = 201' 'mark = 1' '[link ppp1]' 'table = 202'
	'mark = 2' '[link ppp2]' 'table = 203' 'mark = 3')

# Of the flows that keep their link: but those of the hosts in $going.
going=none
lost() {
	streamed >"$T/streamed"
	meter report | grep ' src=' | grep -vE "src=($going) " | grep -o 'lost=[0-9]*' | cut -d = -f 2 | paste -sd +
}

# step DESCRIPTION FILE...: from what there is.
step() {
	local desc=$1 before after
	shift
	ini "$@"
	before=$(($(lost)))
	ok "$desc: apply" mwan-rules apply
	after=$(($(lost)))
	is "$desc: 0 packets lost" $((after - before)) 0
	state >"$T/is"
	mwan-rules apply 2>"$T/again"
	is "$desc: nothing is left to do" "$(tail -n 1 /var/log/ifchang.log |
		grep -o 'result=[a-z]*')" result=unchanged
	twin_clear
	twin_rules apply >"$T/twin.out" 2>&1 || diag "$(cat "$T/twin.out")"
	twin bash -c state >"$T/want"
	is "$desc: as a fresh start" "$(diff "$T/is" "$T/want")" ""
}

net5 3
ip netns add twin
twin ip link set lo up
twin sysctl -qw net.ipv6.conf.all.disable_ipv6=1
export -f link_new
for i in 0 1 2; do
	twin bash -c "link_new ppp$i 10.64.$i.100 10.64.$i.1"
done
ini "${three[@]}"
ok "start" mwan-rules apply
for i in $(seq 12); do
	stream "10.9.60.$i"
done
is "flows on every link" "$(for i in $(seq 12); do
	stream_link "10.9.60.$i"
done | sort -u | paste -sd ' ')" "0 1 2"

for base in 77256 77001 77255 77512 76745 90000 4000000000 77000; do
	step "nexthop_base $base" "nexthop_base = $base" "${three[@]}"
done
for table in 210 4000000000 200; do
	step "standby_table $table" "standby_table = $table" "${three[@]}"
done
for priority in 1001 1300 1900 20000 100 1000; do
	step "rule_priority $priority" "rule_priority = $priority" \
		"${three[@]}"
done
step "other tables" "${three[@]/#table = 2/table = 3}"
step "first tables" "${three[@]}"
ask -s 10.9.62.1 -c 30 >"$T/asked"
# Marks, which connections have: others, each the next one's, in a circle, under
# another mask, and together with tables.
links() { # TABLE MARK TABLE MARK TABLE MARK
	printf '[link ppp0]\ntable = %s\nmark = %s\n[link ppp1]\ntable = %s\n' \
		"$1" "$2" "$3"
	printf 'mark = %s\n[link ppp2]\ntable = %s\nmark = %s\n' "$4" "$5" "$6"
}
step "other marks" "$(links 201 0x11 202 0x12 203 0x13)"
step "first marks" "${three[@]}"
step "marks of the next one" "$(links 201 2 202 3 203 4)"
step "marks in a circle" "$(links 201 4 202 2 203 3)"
step "first marks again" "${three[@]}"
step "another mask" "mark_mask = 0xff00" \
	"$(links 201 0x100 202 0x200 203 0x300)"
step "a wider one" "mark_mask = 0xffff" \
	"$(links 201 0x101 202 0x200 203 0x300)"
step "first mask" "${three[@]}"
step "tables in a circle" "$(links 202 1 203 2 201 3)"
step "and marks" "$(links 202 2 203 3 201 1)"
step "both back" "${three[@]}"
like "connections that say nothing have the marks of now" "$(conntrack -L \
	-p udp -s 10.9.62.1 2>&1 | grep -o ' mark=[0-9]*' | sort -u |
	paste -sd ' ')" '^ mark=[123]( *mark=[23])*$'
going=$(meter report | sed -n 's/.* src=\([^ ]*\) .*last=10\.64\.2\..*/\1/p' |
	paste -sd '|')
like "flows on the link that goes" "$going" '^10'
step "a link is removed" "${three[@]:0:6}"
going=none
step "and added" "${three[@]}"
step "another order" "${three[@]:6}" "${three[@]:0:6}"
step "all at once" "nexthop_base = 77257" "standby_table = 210" \
	"rule_priority = 1002" "${three[@]/#table = 2/table = 3}"
step "and back" "standby_table = 200" "${three[@]}"

# --- an addition is refused ---
# Where every detour has an id of somebody else, a group stands in the place of
# a link for good.
for id in 77773 78285 78797 79309; do
	ip nexthop add id $id dev lan0 protocol static
done
refused() { # DESCRIPTION
	before=$(($(lost)))
	is "$1: exit" "$(status mwan-rules apply)" 1
	is "$1: 0 packets lost" $(($(lost) - before)) 0
	like "$1: the standby stays" "$(ip route show table 200 proto 119)" \
		'default nhid 77257 .*ppp0.*ppp1.*ppp2'
}
ini "nexthop_base = 77256" "${three[@]}"
refused "kernel"
like "its reason is told" "$(tail -n 1 /var/log/ifchang.log)" \
	'error=.*was refused: Can not replace a nexthop group'
for id in 77773 78285 78797 79309; do
	ip nexthop del id $id
done
step "it is free" "nexthop_base = 77256" "${three[@]}"
step "and back" "${three[@]}"
for id in 80001 80002 80003; do
	ip nexthop add id $id dev lan0 protocol static
done
ini "nexthop_base = 80000" "${three[@]}"
refused "ids of another program"
cut_off 2
ask -s 10.9.61.1 -c 100 >"$T/asked"
is "and serves when a link is cut" "$(grep -c ' 10\.64\.[01]\.100$' \
	"$T/asked")" 100
for id in 80001 80002 80003; do
	ip nexthop del id $id
done

# --- flush ---
rest() {
	ip rule | grep 'proto 119'
	ip nexthop show protocol 119
	ip route show table all proto 119
	nft list table inet mwan
} 2>/dev/null
links_come 2
ini "${three[@]}"
ok "apply" mwan-rules apply
ip rule flush protocol 119
ini "standby_table = 210" "nexthop_base = 90000" '[link ppp0]' \
	'table = 301'
ok "flush with another file, without our rules" mwan-rules flush
is "nothing of ours is left" "$(rest)" ""
ini "${three[@]}"
mwan-rules apply
ip rule flush protocol 119
printf '[mwan]\nstandby_table = 211\n[link ppp7]\ntable = 307\n' >"$T/ini"
ok "flush -f" mwan-rules flush -f "$T/ini"
is "nothing of ours is left then" "$(rest)" ""
ini "${three[@]}"
mwan-rules apply
ip rule flush protocol 119
ini "standby_table = 210" "${three[@]:0:3}"
ok "apply with another file, without our rules" mwan-rules apply
is "has its own tables alone" "$(ip route show table all proto 119 |
	grep -o 'table [a-z0-9]*' | sort -u | paste -sd ' ')" \
	"table 201 table 210 table default"
done_testing
