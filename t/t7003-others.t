#!/bin/bash
# What other programs have in the kernel, or do to it, keeps no link from its
# way: what stands in the way of one object of ours is named at the end, and
# everything else is done.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

noise=$root/t/helper/noise.pl
links_wanted ppp0 ppp1
ini '[link ppp0]' '[link ppp1]'

# fresh: two links that are up, of which nothing is known; another interface.
fresh() {
	mwan-rules flush 2>/dev/null
	ip link del ppp0 2>/dev/null
	ip link del ppp1 2>/dev/null
	ip link del lan0 2>/dev/null
	ip nexthop flush >/dev/null 2>&1
	ip link add lan0 type veth peer name lan1
	ip link set lan1 up
	ip link set lan0 up
	mwan-rules apply 2>/dev/null
	link_new ppp0 10.64.0.100 10.64.0.1
	link_new ppp1 10.64.1.100 10.64.1.1
}

defaults() {
	local table
	for table in 201 202; do
		ip route show table "$table" default
	done | sed 's/ proto.*//' | xargs
}
both='default dev ppp0 default dev ppp1'

standby() {
	ip route show table 200 default | sed -n 's/.*nhid \([0-9]*\).*/\1/p' |
		xargs
}

# begin_noise ARGUMENT...: in the background, until end_noise. Fails when it has
# not begun.
begin_noise() {
	exec {said}< <(exec "$noise" "$@")
	noise_pid=$!
	read -rt 60 -u "$said"
}

end_noise() {
	kill "$noise_pid"
	wait "$noise_pid" 2>/dev/null
	exec {said}<&-
}

# --- nexthops ---

fresh
seq -f 'nexthop add id %.0f dev lan0 proto 250' 1 5000 | ip -batch -
for n in 255 256 5000; do
	"$noise" group 9000 250 1 "$n"
	is "a foreign group of $n members: ip-up" \
		"$(status hook up ppp0 10.64.0.100)" 0
	is "... and status" "$(status mwan-rules status)" 0
	ip link set ppp0 down
	ip link set ppp0 up
	ip nexthop del id 9000
done
hook up ppp0 10.64.0.100
is "its links have their way" "$(defaults)" "$both"
is "and the standby" "$(standby)" 77257
ip nexthop del id 77257
"$noise" group 77257 119 1 300
is "a group of 300 with our id and protocol: ip-up" \
	"$(status hook up ppp0 10.64.0.100)" 0
is "... makes it ours" "$(ip nexthop show id 77257 | sed 's/ proto.*//')" \
	'id 77257 group 77001/77002'

fresh
ip nexthop add id 77001 dev lan0 proto 250
text=$(hook up ppp0 10.64.0.100 2>&1)
is "a foreign nexthop with a link's id: ip-up fails" $? 1
like "... and says whose" "$text" 'nexthop 77001 belongs to another program'
like "... and the log, as what could not be done" "$(log_last)" \
	'event=up if=ppp0 .*warning="nexthop 77001 belongs .*result=partial'
is "... and both links have their way" "$(defaults)" "$both"
is "... and the standby has the other link" "$(standby), $(
	ip nexthop show id 77257 | sed 's/ proto.*//')" \
	'77257, id 77257 group 77002'
is "... which stays the other program's" "$(ip nexthop show id 77001 |
	grep -c 'dev lan0.*proto 250')" 1
is "status fails" "$(status mwan-rules status)" 1
like "... and says so" "$(mwan-rules status 2>&1)" \
	'nexthop 77001 belongs to another program \(protocol 250\)'

fresh
ip nexthop add id 77257 dev lan0 proto 250
is "a foreign nexthop with a group's id: ip-up fails" \
	"$(status hook up ppp0 10.64.0.100)" 1
is "... and both links have their way" "$(defaults)" "$both"
is "... marked packets, too" "$(ip route get 192.0.2.1 mark 2 |
	grep -o 'dev ppp1')" 'dev ppp1'
is "it is over when the object is gone" "$(ip nexthop del id 77257
	status hook up ppp0 10.64.0.100), $(standby)" '0, 77257'

# --- rules ---

fresh
hook up ppp0 10.64.0.100
good=$(ip rule)
mine='fwmark 0x1/0xff lookup 201 proto 119'
for more in 'iif lan0' 'oif lan0' 'to 192.0.2.0/24' 'ipproto tcp dport 25' \
	'uidrange 7-9' 'from 192.0.2.0/24' 'tos 0x10' 'tun_id 5'; do
	# One before ours, one after it.
	ip rule del pref 1001 2>/dev/null
	# shellcheck disable=SC2086	# words
	ip rule add pref 1001 $more $mine
	hook up ppp0 10.64.0.100
	is "a rule of our protocol with $more before ours goes" \
		"$(ip rule)" "$good"
	# shellcheck disable=SC2086	# words
	ip rule add pref 1001 $more $mine
	hook up ppp0 10.64.0.100
	is "a rule of our protocol with $more after ours goes" \
		"$(ip rule)" "$good"
done
for type in 'goto 32766' blackhole unreachable nop; do
	# shellcheck disable=SC2086	# words
	ip rule add pref 1001 fwmark 0x1/0xff $type protocol 119
	hook up ppp0 10.64.0.100
	is "a rule of our protocol that says $type goes" "$(ip rule)" "$good"
done
ip rule add pref 1001 iif lan0 fwmark 0x1/0xff lookup 201 protocol 250
hook up ppp0 10.64.0.100
is "another protocol's stays" "$(ip rule | grep -v 'iif lan0')$(
	ip rule | grep -c 'iif lan0')" "${good}1"
ip rule del pref 1001 iif lan0

# --- routes ---

ip route append table 201 proto 119 \
	nexthop dev ppp0 nexthop dev ppp1 2>/dev/null ||
	ip route append default table 201 proto 119 \
		nexthop dev ppp0 nexthop dev ppp1
before=$(ip route show table 201)
hook up ppp0 10.64.0.100
is "a multipath default of our protocol is not taken for ours" \
	"$(ip route show table 201)" "$before"
ip route flush table 201
seq -f 'route add default dev lan0 table 201 metric %.0f proto 4' 1 3000 |
	ip -batch -
is "3,000 foreign defaults in a link's table: ip-up" \
	"$(status hook up ppp0 10.64.0.100)" 0
is "... adds its own" "$(ip route show table 201 proto 119 |
	sed 's/ scope.*//')" 'default dev ppp0'

# --- addresses ---

fresh
hook up ppp0 10.64.0.100
hook up ppp1 10.64.1.100
for ((i = 0; i < 8; i++)); do
	seq -f "addr add 172.16.$i.%.0f/32 dev lan0" 1 250
done | ip -batch -
flow() {
	conntrack -L -p udp -q 10.64.0.100 2>/dev/null | grep -c .
}
conntrack -I -p udp -s 192.168.1.5 -d 192.0.2.7 --sport 1000 --dport 53 \
	-r 192.0.2.7 -q 10.64.0.100 --reply-port-src 53 \
	--reply-port-dst 1000 -t 600 >/dev/null 2>&1
ip addr flush dev ppp0
is "a flow of an address that goes, beside 2,000 addresses" "$(flow)" 1
is "... ip-down" "$(status hook down ppp0 10.64.0.100)" 0
is "... ends it" "$(flow)" 0

# --- a link's table with other routes ---

# The order that the reading relies on: 0.0.0.0 comes first.
fresh
hook up ppp0 10.64.0.100
hook up ppp1 10.64.1.100
{
	seq -f 'route add 11.%.0f.0.0/16 dev lan0 table 201' 0 255
	seq -f 'route add 12.0.%.0f.0/24 dev lan0 table 201' 0 255
	echo 'route add 0.0.0.0/1 dev lan0 table 201'
	echo 'route add 0.0.0.0/32 dev lan0 table 201'
	seq -f 'route add 0.%.0f.0.0/16 dev lan0 table 201' 1 255
	seq -f 'route add 1.0.%.0f.0/24 dev lan0 table 201' 0 255
	echo 'route add default via 10.64.1.1 dev ppp1 table 201 metric 7'
} | ip -batch -
is "1,000 routes beside a default" "$(ip route show table 201 | wc -l)" 1027
hook up ppp0 10.64.0.100
is "a leftover among 1,000 routes is replaced" "$(defaults)" "$both"
is "the others stay" "$(ip route show table 201 | wc -l)" 1026
ip route del default table 201
hook up ppp0 10.64.0.100
is "a default among 1,000 routes is made again" "$(defaults)" "$both"
calls() {
	strace -f -e trace=recvmsg -o "$T/calls" "${bare[@]}" "$BIN/ip-up.local" \
		ppp0 eth9 0 10.64.0.100 10.64.0.1
	wc -l <"$T/calls"
}
few=$(calls)
for ((i = 0; i < 200; i++)); do
	seq -f "route add 20.$i.%.0f.0/24 dev lan0 table 201" 0 255
done | ip -batch -
is "a hook reads no more of 50,000 routes than of 1,000" "$(calls)" "$few"
is "all the same nothing is missing" "$(defaults)" "$both"

# --- changes without a pause ---

# fixed COMMAND: how many of 10 hooks fail to fix what nft does.
fixed() {
	local i bad=0

	for ((i = 0; i < 10; i++)); do
		nft "$1"
		hook up ppp0 10.64.0.100 2>/dev/null || bad=$((bad + 1))
	done
	echo $bad
}

for what in nft 'addr 2000'; do
	fresh
	what=${what/addr/addr $(ip -o link show lan0 | cut -d: -f1)}
	# shellcheck disable=SC2086	# words
	begin_noise $what
	is "somebody else's changes: $what" $? 0
	for link in ppp0 ppp1; do
		n=${link#ppp}
		is "$link: ip-up meanwhile" \
			"$(status hook up "$link" "10.64.$n.100")" 0
	done
	is "... and both links have their way" "$(defaults)" "$both"
	is "... and the standby" "$(standby), $(ip nexthop show id 77257 |
		sed 's/ proto.*//')" '77257, id 77257 group 77001/77002'
	bad=0
	for ((i = 0; i < 20; i++)); do
		ip link set ppp0 down
		ip link set ppp0 up
		hook up ppp0 10.64.0.100 2>/dev/null &&
			[ "$(defaults)" = "$both" ] || bad=$((bad + 1))
	done
	is "... 20 times" "$bad" 0
	if [ "$what" = nft ]; then
		for damage in 'delete table inet mwan' \
			'flush chain inet mwan postrouting' \
			'flush map inet mwan mss'; do
			is "... and what is broken is fixed: $damage" \
				"$(fixed "$damage")" 0
		done
	fi
	# A round reads the interfaces once.
	strace -e trace=sendto -o "$T/sent" "${bare[@]}" "$BIN/ip-up.local" \
		ppp0 eth9 0 10.64.0.100 10.64.0.1 2>/dev/null
	[ "$what" = nft ] ||
		is "... in one round" "$(grep -c RTM_GETRULE "$T/sent")" 1
	end_noise
	is "... so that nothing is to be done" "$(mwan-rules apply -n)" ""
done

# --- a kernel without netfilter ---

# (musl asks a second time, without SOCK_CLOEXEC.)
fresh
strace -o /dev/null -e trace=socket \
	-e inject=socket:error=EPROTONOSUPPORT:when=3+ "${bare[@]}" \
	"$BIN/ip-up.local" ppp0 eth9 0 10.64.0.100 10.64.0.1 2>/dev/null
is "no netfilter socket: ip-up fails" $? 1
is "... and both links have their way" "$(defaults)" "$both"

done_testing
