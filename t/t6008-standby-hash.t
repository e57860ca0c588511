#!/bin/bash
# When one of three links is cut, each of its hosts goes on by one other link
# with all its connections, and the hosts are spread by weight.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

hosts=250
per_host=6

configure() { # LINKS LINE...
	local i n=$1
	shift
	ini "$@"
	for ((i = 0; i < n; i++)); do
		printf '[link ppp%d]\n' "$i"
		[ $i != 1 ] || echo 'weight = 3'
	done >>/etc/ppp/mwan.ini
}

hash_is() {
	sysctl -n net.ipv4.fib_multipath_hash_policy \
		net.ipv4.fib_multipath_hash_fields | tr '\n' ' '
}

links_wanted ppp0 ppp1 ppp2
link_new lan0 192.168.7.1/16 192.168.7.1/16
sysctl -qw net.ipv4.conf.lan0.rp_filter=0 net.ipv4.conf.all.rp_filter=0 \
	net.ipv4.fib_multipath_hash_policy=0
fields=$(sysctl -n net.ipv4.fib_multipath_hash_fields)

configure 2
mwan-rules apply
is "two links: the host's hash is left alone" "$(hash_is)" "0 $fields "
configure 3 'sysctl = no'
mwan-rules apply
is "sysctl = no: so it is" "$(hash_is)" "0 $fields "
configure 3 'balance = source'
mwan-rules apply
is "three links: by the source's address" "$(hash_is)" "3 1 "
like "the log says so" "$(tail -n 1 /var/log/ifchang.log)" \
	'sysctl="net/ipv4/fib_multipath_hash_fields=1 net/ipv4/fib_multipath_hash_policy=3"'
sysctl -qw net.ipv4.fib_multipath_hash_policy=0
for i in 0 1 2; do
	link_new "ppp$i" "10.64.$i.100" "10.64.$i.1"
	hook up "ppp$i" "10.64.$i.100"
done
is "a hook mends it" "$(hash_is)" "3 1 "
mwan-rules apply
like "once is enough" "$(tail -n 1 /var/log/ifchang.log)" result=unchanged

ip link del ppp0
for ((h = 0; h < hosts; h++)); do
	for ((k = 0; k < per_host; k++)); do
		echo "route get 203.0.113.$((k * 7 % 5 + 1)) from" \
			"192.168.7.$((h + 2)) iif lan0 mark 1 ipproto tcp" \
			"sport $((1024 + k * 997)) dport $((80 + k * 363))"
	done
done >"$T/gets"
ip -batch "$T/gets" | sed -n \
	's/.* from \([0-9.]*\) dev \(ppp[0-9]\).*/\1 \2/p' >"$T/ways"
is "every connection of the cut link has a way" "$(wc -l <"$T/ways")" \
	$((hosts * per_host))
is "each host by one link" "$(sort -u "$T/ways" | wc -l)" $hosts
# 3 of 4 of 250, and five standard deviations of sqrt(250 * 3/4 * 1/4).
n=$(sort -u "$T/ways" | grep -c ppp1)
ok "by weight: $n of $hosts by the link of weight 3" \
	test "$n" -ge 153 -a "$n" -le 222
done_testing
