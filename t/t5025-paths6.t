#!/bin/bash
# IPv6 beside what the LAN sends: port forwards are answered by the line that they
# came in by, the router's own sockets have a line's address, segments are clamped
# to the line's MTU, and an address that a line has no more preference for is not
# what packets are translated to.
#
# As in lib/lan6.sh; main's default leads to the first line.

# shellcheck disable=SC2016,SC2317	# perl; functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan6.sh
. "$root/t/lib/lan6.sh"

net6 2
ip netns attach router $$
ip -6 route add default dev ppp0 metric 512
conf6 "balance = round-robin" -- 1 1
ok "apply" mwan-rules apply
ours0=2001:db8:0:ffff::6d77:1 ours1=2001:db8:1:ffff::6d77:2

# --- a port forward ---
ip netns exec lan perl -MIO::Socket::IP -e '
	my $l = IO::Socket::IP->new(LocalHost => "fd00:9::7", Listen => 9,
		LocalPort => 80, ReuseAddr => 1) or die "$@";
	$| = 1;
	print "ready\n";
	while (my $s = $l->accept) {
		sysread $s, my $got, 9;
		syswrite $s, $s->peerhost . "\n";
	}' >"$T/web" &
wait_for 20 test -s "$T/web"
nft -f - <<-'END'
table ip6 forwards {
	chain prerouting {
		type nat hook prerouting priority dstnat
		iifname { "ppp0", "ppp1" } tcp dport 8080 dnat to [fd00:9::7]:80
	}
}
END
for k in 0 1; do
	to=ours$k
	is "a port forward by ppp$k is answered" \
		"$(from6 inet -t tcp -d 8080 -s "${!to}" $server6)" \
		"$server6 $server6"
done
is "its answers have left by that line" "$(foreign6)" 0

# --- the router's own ---
is "a socket of a line's address leaves by that line" \
	"$(from6 router -n 3 $ours1)" "$ours1 $ours1"
is "TCP, too" "$(from6 router -t tcp -n 3 $ours1)" "$ours1 $ours1"
is "any other one has the address of the line that it leaves by" \
	"$(from6 router -n 3 ::)" ":: $ours0"

# --- the size of segments ---
inet nft -f - <<-'END'
table ip6 sizes {
	set seen { typeof tcp option maxseg size; flags dynamic; size 99; }
	chain prerouting {
		type filter hook prerouting priority raw
		tcp flags syn add @seen { tcp option maxseg size }
	}
}
END
ask6 -t tcp fd00:9::21 fd00:9::22 >/dev/null
is "a segment fits the line: 1492 less 60" "$(inet nft -j list set ip6 sizes \
	seen | jq -c '[.nftables[].set? | select(.) | .elem[]?]')" "[1432]"

# --- a deprecated address on a line ---
ip -6 addr add 2001:db8:0:5::9/64 dev ppp0 nodad preferred_lft 0
ok "apply" mwan-rules apply
is "is not what packets are translated to" "$(ask6 fd00:9::31 fd00:9::32 |
	sed 's/.* //' | sort)" "$ours0
$ours1"

# --- disable_ipv6 at run time ---
sysctl -qw net.ipv6.conf.ppp0.disable_ipv6=1
ok "a hook" hook up ppp0 10.64.0.100 10.64.0.1
is "all goes by the other line then" "$(ask6 fd00:9::41 fd00:9::42 \
	2001:db8:0:1::7 | lines6)" "ppp1=3"
is "no provider got a foreign address" "$(foreign6)" 0
done_testing
