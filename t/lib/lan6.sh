# shellcheck shell=bash
# shellcheck disable=SC2016 # perl
# For tests of both families. After lib.sh:
#
#	. "$root/t/lib/lan6.sh"
#	net6 2
#
#	 lan                     router (the test)                    inet
#	fd00:9::/64, all of it  lan0                          2001:db8:f::1, ::2
#	10.9.0.0/16, all of it  ppp0 fe80::a0, 10.64.0.100 -- ppp0 198.51.100.1
#	                        ppp1 fe80::a1, 10.64.1.100 -- ppp1
#
# pppK is a pair of veths with pppd's addresses; its provider delegates
# 2001:db8:K::/48 and counts and drops what is from elsewhere. "lan" has all
# addresses that a test asks by: it may use any of those prefixes.

server6=2001:db8:f::1
server4=198.51.100.1

# shellcheck source=spaces.sh disable=SC2154 # of lib.sh
. "$root/t/lib/spaces.sh"

prefix_of() { echo "2001:db8:$1::/48"; } # K

# session6 K: what pppd leaves behind; no hook is called.
session6() {
	local mac

	mac=$(printf '02:00:00:00:06:%02x' "$1")
	ip link add "ppp$1" address "$mac" type veth peer name "ppp$1" \
		address "$mac" netns inet
	ip -n inet link set "ppp$1" arp off addrgenmode none mtu 1492 up
	ip link set "ppp$1" arp off addrgenmode none mtu 1492 up
	ip addr add "10.64.$1.100" peer "10.64.$1.1" dev "ppp$1"
	ip -n inet addr add "10.64.$1.1" peer "10.64.$1.100" dev "ppp$1"
	ip -6 addr add "fe80::a$1" peer "fe80::b$1/128" dev "ppp$1" nodad
	ip -n inet -6 addr add "fe80::b$1" peer "fe80::a$1/128" dev "ppp$1" \
		nodad
	ip -n inet -6 route replace "$(prefix_of "$1")" dev "ppp$1"
	inet nft "add rule ip6 provider from iifname \"ppp$1\" ip6 saddr != {
		::, fe80::/10, $(prefix_of "$1") } counter name foreign drop"
	wait_for 20 carriers
}

# up6 K..., down6 K...: with its hook. cut6 K...: the kernel must do without it.
up6() {
	local k

	for k; do
		session6 "$k"
		hook up "ppp$k" "10.64.$k.100" "10.64.$k.1"
	done
}

cut6() {
	local k

	for k; do
		ip link del "ppp$k"
	done
}

down6() {
	local k

	for k; do
		cut6 "$k"
		hook down "ppp$k" "10.64.$k.100" "10.64.$k.1"
	done
}

# conf6 LINE... -- WEIGHT...: an mwan.ini of as many links with their prefixes. A
# WEIGHT is "3", or "3 tier=2".
conf6() {
	ini_links 201 'ipv6 = yes' "$@"
}

link_more() {
	printf 'prefix6 = %s\n' "$(prefix_of "$1")"
}

# net6 LINKS
net6() {
	local ns k

	for ns in lan inet; do
		ip netns add $ns
		ip -n $ns link set lo up
		ip netns exec $ns sysctl -qw net.ipv6.conf.default.accept_dad=0 \
			net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1
	done
	sysctl -qw net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1
	lan sysctl -qw net.ipv6.ip_nonlocal_bind=1 net.ipv4.conf.all.rp_filter=0
	inet nft -f - <<-'END'
	table ip6 provider {
		set pinged { type ifname; flags dynamic; size 99; }
		counter foreign { }
		chain from { }
		chain prerouting {
			type filter hook prerouting priority raw
			icmpv6 type echo-request add @pinged { iifname }
			jump from
		}
	}
	END
	ip link add lan0 address 02:00:00:00:06:ff arp off type veth peer \
		name lan0 address 02:00:00:00:06:ff arp off netns lan
	ip -n lan link set lan0 arp off up
	ip link set lan0 up
	ip addr add 172.16.0.1/24 dev lan0
	ip route add 10.9.0.0/16 via 172.16.0.2
	ip -6 addr add fd00:9::1/64 dev lan0 nodad
	ip -n lan addr add 172.16.0.2/24 dev lan0
	ip -n lan route add default via 172.16.0.1
	ip -n lan route add local 10.9.0.0/16 dev lo
	ip -n lan -6 route add default via fd00:9::1 dev lan0 onlink
	ip -n lan -6 route add local fd00:9::/64 dev lo
	for k in $server6/128 2001:db8:f::2/128 $server4/32; do
		ip -n inet addr add "$k" dev lo
	done
	for k in $(seq 0 $(($1 - 1))); do
		# A network of the LAN, of the provider's prefix.
		ip -6 addr add "2001:db8:$k:1::1/64" dev lan0 nodad
		ip -n lan -6 route add local "2001:db8:$k:1::/64" dev lo
		session6 "$k"
	done
	ip netns exec inet perl -MIO::Socket::IP -MIO::Select -e '
		my $all = IO::Select->new;
		my %listens;
		for (map { my $at = $_; map { [@$at, $_] } @ARGV }
				map { ["udp", $_], ["tcp", $_] } 7, 80) {
			my ($proto, $port, $at) = @$_;
			my $s = IO::Socket::IP->new(LocalHost => $at,
				LocalPort => $port, Proto => $proto,
				ReuseAddr => 1,
				$proto eq "tcp" ? (Listen => 64) : ())
				or die "$@";
			$all->add($s);
			$listens{$s} = 1 if $proto eq "tcp";
		}
		$| = 1;
		print "ready\n";
		while (my @ready = $all->can_read) {
			for my $s (@ready) {
				if ($listens{$s}) {
					$all->add($s->accept);
				} elsif ($s->socktype == SOCK_STREAM) {
					if (sysread($s, my $got, 9)) {
						syswrite $s, $s->peerhost . "\n";
					} else {
						$all->remove($s);
					}
				} else {
					my $from = $s->recv(my $got, 99) or next;
					$s->send($s->peerhost . "\n", 0, $from);
				}
			}
		}' $server6 2001:db8:f::2 $server4 >"$T/server6" 2>&1 &
	wait_for 20 test -s "$T/server6"
}

# ask6 [-t udp|tcp] [-d PORT] [-p SOURCE-PORT] [-s SERVER] [-n TIMES] [-w LOST]
# HOST...: a new connection from each host, a line each: "HOST SEEN", the address that the
# server saw last, "-" without an answer, or the error. from6 NAMESPACE: from there.
# No two have the same port by chance: the second would be the first one's connection.
ask6() { from6 lan "$@"; }

from6() {
	local ns=$1

	shift
	ip netns exec "$ns" perl -MIO::Socket::IP -MIO::Select -MErrno -MGetopt::Std -e '
		open my $ports, "+>>", shift or die $!;
		my %o = (t => "udp", d => 7, p => 0, n => 1, w => 3, s => shift);
		getopts("t:d:p:s:n:w:", \%o);
		flock $ports, 2;
		my $port = 20000 + -s $ports;
		syswrite $ports, "x" x @ARGV;
		close $ports;
		for my $host (@ARGV) {
			my $seen = "-";
			my $s = IO::Socket::IP->new(LocalHost => $host,
				PeerHost => $host =~ /:/ ? $o{s} : "'$server4'",
				PeerPort => $o{d}, Proto => $o{t}, Timeout => 3 * $o{w},
				LocalPort => $o{p} || $port++);
			if (!$s) {
				($seen) = grep { $!{$_} } keys %!;
			} else {
				# IP_RECVERR, IPV6_RECVERR
				$s->setsockopt(0, 11, 1);
				$s->setsockopt(41, 25, 1);
				my $left = $o{n};
				for (my $lost = 0; $left && $lost < $o{w}; ) {
					$seen = "-";
					$s->syswrite("?") or last;
					if (!IO::Select->new($s)->can_read(1)) {
						$lost++;
						next;
					}
					$! = 0;
					$seen = $s->sysread($seen, 99) ? $seen :
						(grep { $!{$_} } keys %!)[0];
					$left--;
				}
				chomp $seen;
			}
			print "$host $seen\n";
		}' "$T/ports6" $server6 "$@"
}

# lines6: what each line of ask6 says, as the link: "ppp0=3 ppp1=2"
lines6() {
	awk '{
		name = $2
		if (match(name, /^2001:db8:[0-9]+:/))
			name = "ppp" substr(name, 10, RLENGTH - 10)
		if (match(name, /^(::ffff:)?10\.64\./)) {
			split(substr(name, RLENGTH + 1), b, ".")
			name = "ppp" b[1]
		}
		n[name]++
	} END { for (k in n) print k "=" n[k] }' "$@" | sort | paste -sd ' '
}

# hosts6 FIRST COUNT [PREFIX]: fd00:9::FIRST and on; numbers of its last 16 bits.
hosts6() {
	local i

	for ((i = 0; i < $2; i++)); do
		printf '%s%x\n' "${3-fd00:9::}" $(($1 + i))
	done
}

# ping6 HOST [TO [SCOPE]]: an echo request, from the LAN or from $ns6; is it answered?
ping6() {
	ip netns exec "${ns6-lan}" perl -MSocket=:all -MIO::Select -e '
		my ($host, $to, $scope) = @ARGV;
		socket my $s, AF_INET6, SOCK_RAW, 58 or die "socket: $!";
		$scope = `cat /sys/class/net/$scope/ifindex` if $scope;
		bind $s, pack_sockaddr_in6(0, inet_pton(AF_INET6, $host),
			$scope // 0) or die "bind: $!";
		send $s, pack("C2 n3", 128, 0, 0, $$ & 0xffff, 1), 0,
			pack_sockaddr_in6(0, inet_pton(AF_INET6, $to),
			$scope // 0) or die "send: $!";
		while (IO::Select->new($s)->can_read(3)) {
			recv $s, my $got, 999, 0;
			exit 0 if $got =~ /^\x81/ &&
				unpack("x4 n", $got) == ($$ & 0xffff);
		}
		exit 1;' "$1" "${2-$server6}" "${3-}"
}

# ping6_by HOST: the link by which its ping comes to the server
ping6_by() {
	inet nft flush set ip6 provider pinged
	ping6 "$@"
	inet nft -j list set ip6 provider pinged |
		jq -r '[.nftables[].set? | select(.) | .elem[]?] | join(" ")'
}

# How many packets from addresses of others the providers have got.
foreign6() {
	inet nft -j list counter ip6 provider foreign |
		jq '.nftables[].counter? | select(.) | .packets'
}
