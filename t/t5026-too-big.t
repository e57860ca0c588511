#!/bin/bash
# The path beyond a line carries less than the LAN sends: "Packet Too Big" of
# ICMPv6 comes to the host that has to know it, whether its packets are
# translated or not, and after its flow has moved to another line. So does the
# one that the router itself sends, as a line carries less than the LAN. IPv4's
# "Fragmentation Needed" for comparison.
#
# As in lib/lan6.sh; beyond inet there is one more network:
#
#	inet --- 1300 bytes --- far 2001:db8:fa::/64, 203.0.113.0/24, all of them
#
# A sender remembers the MTU of a destination, so each is asked once.

# shellcheck disable=SC2016,SC2317	# perl; functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan6.sh
. "$root/t/lib/lan6.sh"

own=2001:db8:0:1::7 moved=2001:db8:0:1::8 foreign=2001:db8:1:1::7
private=fd00:9::7 four=10.9.0.7

net6 2
ip netns add far
ip -n far link set lo up
ip link add far0 netns inet mtu 1300 type veth peer name far0 netns far
ip -n far link set far0 mtu 1300
for ns in inet far; do
	ip netns exec $ns sysctl -qw net.ipv6.ip_nonlocal_bind=1 \
		net.ipv4.ip_nonlocal_bind=1
	ip -n $ns link set far0 up
done
ip -n inet -6 addr add 2001:db8:fe::1/64 dev far0 nodad
ip -n far -6 addr add 2001:db8:fe::2/64 dev far0 nodad
ip -n inet addr add 192.0.2.1/24 dev far0
ip -n far addr add 192.0.2.2/24 dev far0
ip -n inet -6 route add 2001:db8:fa::/64 via 2001:db8:fe::2
ip -n inet route add 203.0.113.0/24 via 192.0.2.2
# Its offer of segments tells nothing of the way.
ip -n far -6 route add default via 2001:db8:fe::1 advmss 1440
ip -n far route add default via 192.0.2.1 advmss 1460
ip -n far -6 route add local 2001:db8:fa::/64 dev lo
ip -n far route add local 203.0.113.0/24 dev lo
# And some for the line alone, which are inet's.
ip -n inet -6 route add local 2001:db8:fb::/64 dev lo
ip -n inet route add local 198.51.100.64/26 dev lo

# serve NAMESPACE ADDRESS...: each says how many bytes it has got.
serve() {
	local ns=$1

	shift
	ip netns exec "$ns" perl -MIO::Socket::IP -MIO::Select -e '
		my $all = IO::Select->new;
		my (%listens, %got);
		for my $at (@ARGV) {
			for my $proto ("udp", "tcp") {
				my $s = IO::Socket::IP->new(LocalHost => $at,
					LocalPort => 9, Proto => $proto,
					ReuseAddr => 1, $proto eq "tcp" ?
					(Listen => 9) : ()) or die "$at: $@";
				$all->add($s);
				$listens{$s} = 1 if $proto eq "tcp";
			}
		}
		$| = 1;
		print "ready\n";
		while (my @ready = $all->can_read) {
			for my $s (@ready) {
				if ($listens{$s}) {
					$all->add($s->accept);
				} elsif ($s->socktype == SOCK_DGRAM) {
					my $from = $s->recv(my $got, 9999);
					$s->send(length $got, 0, $from) if $from;
				} elsif (sysread $s, my $got, 1 << 16) {
					$got{$s} += length $got;
				} else {
					syswrite $s, delete $got{$s};
					$all->remove($s);
					close $s;
				}
			}
		}' "$@" >"$T/serve.$ns" 2>&1 &
	wait_for 20 test -s "$T/serve.$ns"
}

# big PROTOCOL FROM TO BYTES [wait]: send so many, in one packet with UDP; what the
# server has got, and the MTU of the way that the sender knows then. With UDP what is
# too big is lost, and sent again. "wait": begin with a small packet, say that it has
# an answer, and wait for a line.
big() {
	lan perl -MIO::Socket::IP -MIO::Select -e '
		my ($proto, $from, $to, $bytes, $wait) = @ARGV;
		my $s = IO::Socket::IP->new(LocalHost => $from, PeerHost => $to,
			PeerPort => 9, Proto => $proto, Timeout => 30)
			or die "$@";
		my $got = "-";
		$| = 1;
		alarm 60;
		sub ask {
			my $bytes = shift;
			for my $try (1 .. 9) {
				$s->send("x" x $bytes);
				next if !IO::Select->new($s)->can_read(1);
				return if $s->recv($got, 99) && $got == $bytes;
			}
			$got = "-";
		}
		if ($proto eq "tcp") {
			my $all = "x" x $bytes;
			while (length $all) {
				my $n = syswrite $s, $all or die "$!";
				substr $all, 0, $n, "";
			}
			$s->shutdown(1);
			sysread $s, $got, 99;
		} else {
			if ($wait) {
				ask(1);
				print "$got\n";
				<STDIN>;
				ask(1);
			}
			ask($bytes);
		}
		# IPV6_MTU, IP_MTU
		my $mtu = $to =~ /:/ ? $s->getsockopt(41, 24) :
			$s->getsockopt(0, 14);
		print "$got $mtu\n";' "$@" 2>&1
}

conf6 "lan = lan0" -- 1 1
policy foreign "source = $foreign" "use = ppp0"
policy private "source = $private $four" "use = ppp0"
ok "apply" mwan-rules apply
serve far 2001:db8:fa::{1..9} 203.0.113.{1..2}
serve inet 2001:db8:fb::{1..9} 198.51.100.{65..66}
is "translated or not" "$(ask6 $own $foreign $private | sed 's/.* //')" \
	"$own
2001:db8:0:ffff::6d77:1
2001:db8:0:ffff::6d77:1"

# --- the path beyond the line ---
n=1
for host in own foreign private; do
	is "$host: TCP comes through" \
		"$(big tcp ${!host} 2001:db8:fa::$n 100000)" "100000 1300"
	is "$host: UDP, too" \
		"$(big udp ${!host} 2001:db8:fa::$((n + 1)) 1400)" "1400 1300"
	n=$((n + 2))
done
is "IPv4: TCP comes through" "$(big tcp $four 203.0.113.1 100000)" "100000 1300"
is "IPv4: UDP, too" "$(big udp $four 203.0.113.2 1400)" "1400 1300"

# --- the line itself, by the router ---
n=1
for host in own foreign private; do
	is "$host: the router says what the line carries" \
		"$(big udp ${!host} 2001:db8:fb::$n 1452)" "1452 1492"
	n=$((n + 1))
done
is "IPv4: the router says it, too" "$(big udp $four 198.51.100.65 1472)" \
	"1472 1492"

# --- flows that began untranslated by the other line ---
begun() { # NAME LINES
	[ "$(wc -l <"$T/$1")" -ge "$2" ]
}
declare -A resume
for to in fa::9/1400 fb::9/1452; do
	name=${to%%:*}
	mkfifo "$T/$name.go"
	big udp $moved "2001:db8:${to%/*}" "${to#*/}" wait \
		<"$T/$name.go" >"$T/$name" &
	exec {go}>"$T/$name.go"
	resume[$name]=$go
	ok "$name: a flow begins" wait_for 20 begun "$name" 1
done
cut6 0
for name in fa fb; do
	echo >&"${resume[$name]}"
done
ok "far: it ends" wait_for 20 begun fa 2
is "a flow that has moved: the path beyond the other line" "$(tail -n 1 "$T/fa")" \
	"1400 1300"
ok "inet: it ends" wait_for 20 begun fb 2
is "a flow that has moved: the other line itself" "$(tail -n 1 "$T/fb")" \
	"1452 1492"
is "both have moved by the kernel alone" "$(nft -j list set inet mwan moved |
	jq '[.nftables[].set? | select(.) | .elem[]?] | length')" 2
is "no provider got a foreign address" "$(foreign6)" 0
done_testing
