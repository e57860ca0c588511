#!/bin/bash
# Each example of mwan.ini(5) is put in force, with the links that it has, and the
# kernel asked for what the text before it promises.
# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

conf=$root/cmd/mwan.ini.5

# examples: each in a file of its own, $T/ex.N
awk -v dir="$T" '
	$1 == ".\\\"" && $2 == "example:" && $3 == "ini" { n++; next_bd = 1 }
	/^\.Ed/ { on = 0 }
	on { print > (dir "/ex." n) }
	/^\.Bd/ && next_bd { on = 1; next_bd = 0 }' "$conf"
count=$(find "$T" -name 'ex.*' | wc -l)
like "the manual page has ten set-ups, and the one of its beginning" "$count" \
	'^1[1-9]$'

# A link as its name says: pppd's, or an Ethernet port with a router behind it.
link_comes() { # NAME N
	case $1 in
	ppp*)
		link_new "$1" "10.64.$2.100" "10.64.$2.1"
		hook up "$1" "10.64.$2.100" "10.64.$2.1"
		;;
	*)
		ip link add "$1" type veth peer name "x$1"
		ip link set "x$1" up
		ip link set "$1" up
		ip addr add 192.168.8.2/24 dev "$1"
		mwan-rules up "$1" 192.168.8.2 192.168.8.1
		;;
	esac
}

# The session of a line with "linkname", as pppd notes it.
session() {
	printf '%s\n' $$ "$1" >"/var/run/ppp-$2.pid"
}

rules() {
	nft list table inet mwan
}

weights() {
	ip nexthop show id 77257 | sed 's/.*group \([^ ]*\).*/\1/'
}

# Not every kernel has the queue: then it is what apply says that it would do.
queue() { # DEVICE REGEX
	{
		tc qdisc show dev "$1"
		mwan-rules apply -n | grep "^tc .* $1 "
	} | grep -qi "$2"
}

# kernel_has N: what the Nth example is for. (0: the one of the beginning.)
kernel_has() {
	case $1 in
	0) [ "$(weights)" = 77001,3/77002 ] ;;
	1) rules | grep -q 'ip saddr & 0.0.0.1 vmap' &&
		rules | grep -q 'iifname != "br0" return' ;;
	2) ip route show table 200 | grep -q 'default nhid 77258 .*metric 2' &&
		queue ppp2 'cake.*bandwidth 10' ;;
	3) rules | grep -q 'tcp dport 25 .*goto to_ppp1' &&
		rules | grep -q 'ip saddr 192.168.1.64/26 .*goto to_ppp0' &&
		rules | grep -q 'map sticky' ;;
	4) [ "$(weights)" = 77001,10/77002,2 ] &&
		queue ppp1 'cake.*bandwidth 9' ;;
	5) ip route show table 202 |
		grep -q 'default via 192.168.8.1 dev eth2 ' ;;
	6) ip route show table 203 |
		grep -q 'default via 192.168.8.1 dev eth3 ' &&
		ip route show table 200 | grep -q 'metric 2' ;;
	7) rules | grep -q 'iifname "guests" .*goto to_ppp1' &&
		rules | grep -q 'reject with icmp' &&
		rules | grep -q 'numgen inc mod 2' ;;
	8) rules | grep -q 'ip daddr @video .*goto to_ppp1' &&
		nft list set inet mwan video >/dev/null &&
		rules | grep -q '203.0.113.0/24 tcp dport 443 .*to_ppp0' ;;
	9) rules | grep -q 'ip saddr 192.168.5.0/24 return' &&
		ip route show table 200 | grep -q '^unreachable default' ;;
	10) ip -6 rule | grep -q '^600[0-9]:.*fwmark 0x1000000/0xff000000' &&
		nft list set inet mwan own6_ppp0 |
			grep -q '2001:db8:1:100::/56' ;;
	11) ! rules | grep -q masquerade &&
		rules | grep -q 'ip saddr 198.51.100.0/28 .*goto to_ppp0' ;;
	*) false ;;
	esac
}

for n in $(seq 1 "$count"); do
	i=$((n - 1))
	name=$(sed -n 's/^\[link \(.*\)\]/\1/p' "$T/ex.$n" | paste -sd' ')
	cp "$T/ex.$n" /etc/ppp/mwan.ini
	ok "example $n ($name): check" mwan-rules check
	at=0
	ok "example $n: apply" mwan-rules apply
	for link in $name; do
		linkname=$(awk -v l="[link $link]" '/^\[/ { on = $0 == l }
			on && $1 == "linkname" { print $3 }' "$T/ex.$n")
		[ -z "$linkname" ] || session "$link" "$linkname"
		at=$((at + 1))
		link_comes "$link" $at >/dev/null 2>&1
	done
	mwan-rules apply >"$T/said" 2>&1
	is "example $n: nothing but queues is left to do" \
		"$(mwan-rules apply -n | grep -v '^tc \|^#')" ""
	is "example $n: each link has its route" "$(for link in $name; do
		table=$(awk -v l="[link $link]" '/^\[/ { on = $0 == l }
			on && $1 == "table" { print $3 }' "$T/ex.$n")
		ip route show table "$table" | grep -o "dev $link " | uniq
	done | xargs)" "$(for link in $name; do echo "dev $link"; done | xargs)"
	ok "example $n: the kernel does what it is for" kernel_has $i
	mwan-rules flush 2>/dev/null
	for link in $name; do
		ip link del "$link"
	done
	rm -f /var/run/ppp-*.pid
done
done_testing
