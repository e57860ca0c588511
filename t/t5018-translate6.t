#!/bin/bash
# The table's part in IPv6: a host's own prefix decides its line, what is foreign
# to a line is translated there, and a flow that began untranslated goes on by
# another line when its own dies, without any process of ours.
#
#	 lan                       router                    inet
#	2001:db8:a::7 (ppp0's)   lan0   ppp0 fe80::1 ---- fe80::2   2001:db8:f::1
#	2001:db8:b::7 (ppp1's)          ppp1 fe80::1 ---- fe80::2
#	fd00::7, 5 more
#
# The table is loaded by unit-nft; nexthops, routes and rules are as plan.c has
# them, by hand. "inet" counts and drops what comes by a line and has not that
# line's prefix.
# shellcheck disable=SC2016,SC2317	# perl; functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

unit=$BIN/../t/unit-nft
server=2001:db8:f::1

sysctl -qw net.ipv6.conf.all.disable_ipv6=0 \
	net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.forwarding=1
for ns in lan inet; do
	ip netns add $ns
	ip netns exec $ns sysctl -qw net.ipv6.conf.all.disable_ipv6=0 \
		net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.all.forwarding=1
	ip -n $ns link set lo up
done
ip link set lo up

# line NUMBER PREFIX
line() {
	ip link add "ppp$1" type veth peer name "ppp$1" netns inet
	ip -n inet link set "ppp$1" addrgenmode none up
	ip link set "ppp$1" addrgenmode none up
	ip -6 addr add fe80::1/64 dev "ppp$1" nodad
	ip -n inet -6 addr add fe80::2/64 dev "ppp$1" nodad
	ip -6 addr add "$2::6d77:1/128" dev "ppp$1" nodad
	ip -n inet -6 route replace "$2::/48" via fe80::1 dev "ppp$1"
	ip -6 nexthop replace id $((100 + $1)) via fe80::2 dev "ppp$1"
	ip nexthop replace id 300 group "$(ip -6 nexthop |
		sed -n 's/^id \(10[01]\) .*/\1/p' | paste -sd/)"
	ip -6 route replace default nhid 300 table 200 metric 1
	ip -6 route replace default via fe80::2 dev "ppp$1" table $((201 + $1))
}

ip link add lan0 type veth peer name lan0 netns lan
ip link set lan0 up
ip -n lan link set lan0 up
for p in 2001:db8:a 2001:db8:b fd00; do
	ip -6 addr add $p::1/64 dev lan0 nodad
	for i in 7 8 9 a b c d; do
		ip -n lan -6 addr add "$p::$i/64" dev lan0 nodad
	done
done
ip -n lan -6 route add default via fd00::1
ip -n inet -6 addr add $server/128 dev lo nodad
line 0 2001:db8:a
line 1 2001:db8:b
ip -6 rule add pref 1000 lookup main suppress_prefixlength 0
ip -6 rule add pref 1001 fwmark 1/0xff lookup 201
ip -6 rule add pref 1002 fwmark 2/0xff lookup 202
ip -6 rule add pref 1900 not fwmark 0/0xff lookup 200
ip netns exec inet nft -f - <<'END'
table ip6 provider {
	counter foreign { }
	chain prerouting {
		type filter hook prerouting priority raw
		ip6 saddr { ::, fe80::/10 } accept
		iifname "ppp0" ip6 saddr != 2001:db8:a::/48 counter name foreign drop
		iifname "ppp1" ip6 saddr != 2001:db8:b::/48 counter name foreign drop
	}
}
END
ok "the table" "$unit" -6 -M 1500 -P 2001:db8:a::/48,2001:db8:b::/48 load

foreign() {
	ip netns exec inet nft -j list counter ip6 provider foreign |
		jq '.nftables[].counter? | select(.) | .packets'
}

# Answers with the address that it sees, or with the port.
ip netns exec inet perl -MIO::Socket::IP -e '
	my $s = IO::Socket::IP->new(LocalHost => "::", LocalPort => 7,
		Proto => "udp", Family => AF_INET6) or die "$@";
	$| = 1;
	print "ready\n";
	while (defined $s->recv(my $got, 99)) {
		$s->send($got eq "port" ? $s->peerport : $s->peerhost, 0,
			$s->peername)
	}' >"$T/server" &
wait_for 20 test -s "$T/server"
# Asks by every socket once for each line of its input, and says who was seen.
mkfifo "$T/ask"
ip netns exec lan perl -MIO::Socket::IP -MIO::Select -e '
	my $server = shift;
	my @s = map { IO::Socket::IP->new(LocalHost => $_, PeerHost => $server,
		LocalPort => 4000, PeerPort => 7, Proto => "udp") or die "$@"
		} @ARGV;
	$| = 1;
	while (<STDIN>) {
		print join(" ", map {
			my $got = "-";
			$_->send("?");
			$_->recv($got, 99) if IO::Select->new($_)->can_read(1);
			$got } @s), "\n";
	}' $server 2001:db8:a::7 2001:db8:b::7 fd00::7 <"$T/ask" >"$T/seen" &
asking=$!
exec 5>"$T/ask"

asked=0
answered() {
	[ "$(wc -l <"$T/seen")" -ge "$asked" ]
}

ask() {
	asked=$((asked + 1))
	echo >&5
	wait_for 20 answered
	tail -n 1 "$T/seen"
}

# fresh ADDRESS: who is seen of a new flow.
fresh() {
	ip netns exec lan perl -MIO::Socket::IP -MIO::Select -e '
		my $s = IO::Socket::IP->new(LocalHost => shift, PeerPort => 7,
			PeerHost => shift, Proto => "udp") or die "$@";
		my $got = "-";
		$s->send("?");
		$s->recv($got, 99) if IO::Select->new($s)->can_read(2);
		print "$got\n";' "$1" $server
}

settled() {
	[ "$(fresh 2001:db8:a::8)" = 2001:db8:a::8 ] &&
		[ "$(fresh 2001:db8:b::8)" = 2001:db8:b::8 ]
}
wait_for 20 settled
before=$(ask)
read -r a b c <<<"$before"
is "a line's own prefix leaves by that line, as it is" "$a $b" \
	"2001:db8:a::7 2001:db8:b::7"
like "private addresses are translated" "$c" '^2001:db8:[ab]::6d77:1$'
is "and stay so" "$(ask)" "$before"
for i in 7 8 9 a b; do
	fresh fd00::$i
done | sort -u >"$T/lines"
is "they are shared among the lines" "$(cat "$T/lines")" \
	"2001:db8:a::6d77:1
2001:db8:b::6d77:1"
is "nothing foreign has left" "$(foreign)" 0

# A host with a flow from before the cut and one from after it: for each line of
# the input it opens one more, asks by all, the first one until it is answered, and
# says which ports were seen.
mkfifo "$T/two"
ip netns exec lan perl -MIO::Socket::IP -MIO::Select -e '
	my ($host, $server) = @ARGV;
	my @s;
	$| = 1;
	while (<STDIN>) {
		push @s, IO::Socket::IP->new(LocalHost => $host, PeerPort => 7,
			PeerHost => $server, Proto => "udp") or die "$@"
			if @s < 2;
		print join(" ", map {
			my ($got, $tries) = ("-", 9);
			while ($got eq "-" && $tries--) {
				$_->send("port");
				$_->recv($got, 99)
					if IO::Select->new($_)->can_read(0.5);
			}
			$got } reverse @s), "\n";
	}' 2001:db8:a::c $server <"$T/two" >"$T/ports" &
asking2=$!
exec 6>"$T/two"
two_said() {
	[ "$(wc -l <"$T/ports")" -ge "$1" ]
}
two() { # TIME
	echo >&6
	wait_for 20 two_said "$1"
}
two 1

# --- a line dies, and nobody is called ---
ip link set ppp0 down
ask >/dev/null
ask >/dev/null
ask >/dev/null
after=$(ask)
is "flows of the dead line go on by the other one, translated" "$after" \
	"2001:db8:b::6d77:1 2001:db8:b::7 2001:db8:b::6d77:1"
is "new ones of its hosts, too" "$(fresh 2001:db8:a::9)" 2001:db8:b::6d77:1
like "one packet was lost, or two" "$(awk '$1 == "-"' "$T/seen" | wc -l)" \
	'^[12]$'
two 2
two 3
like "the flow from before goes on" "$(tail -n 1 "$T/ports")" ' [0-9]+$'
is "and takes no other flow of its host along" \
	"$(sed -n '2s/ .*//p' "$T/ports")" "$(sed -n '3s/ .*//p' "$T/ports")"
is "none of the living line's" "$(awk '$2 != "2001:db8:b::7"' "$T/seen" |
	grep -c .)" 0
is "nothing foreign has left until now" "$(foreign)" 0

# --- it returns ---
ip link del ppp0
line 0 2001:db8:a
wait_for 20 settled
is "flows stay where they are" "$(ask)" "$after"
is "new ones leave by their own line" "$(fresh 2001:db8:a::a)" 2001:db8:a::a
is "and nothing foreign has left" "$(foreign)" 0

# --- with nothing known, and without translation ---
ok "no prefix is known" "$unit" -6 load
is "nothing is translated" "$(fresh fd00::c)" "-"
is "it has left with its own address" "$(foreign)" 1
ok "without translation" "$unit" -6 -T \
	-P 2001:db8:a::/48,2001:db8:b::/48 load
is "none takes place" "$(fresh fd00::d) $(foreign)" "- 2"
is "but each line has its own" "$(fresh 2001:db8:a::b)
$(fresh 2001:db8:b::b)" "2001:db8:a::b
2001:db8:b::b"
exec 5>&- 6>&-
wait $asking $asking2
done_testing
