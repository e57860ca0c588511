#!/bin/bash
# mwan-rules why of IPv6: as t6013 has it of IPv4. Each question is put first, then
# a real packet is sent from the LAN, and the server says whom it has seen: by
# which link it has come, and whether it was translated.
#
#	 lan                          router                       inet
#	2001:db8:aK:1::/64, all of   lan0   ppp0 fe80::a0 --- fe80::b0
#	it, for each line K                 ppp1 fe80::a1 --- fe80::b1
#	fd00:9::/64                         ppp2 fe80::a2 --- fe80::b2
#	                                    2001:db8:f::1, f::2 are the servers
#
# Line K is ppp$K, and its provider takes from it what is of 2001:db8:aK::/48.
# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

RANDOM=${SEED:-613}
server=2001:db8:f::1
total=0
agreed=0

for ns in lan inet; do
	ip netns add $ns
	ip -n $ns link set lo up
done
ip netns attach router $$
for ns in lan inet router; do
	ip netns exec $ns sysctl -qw net.ipv6.conf.all.disable_ipv6=0 \
		net.ipv6.conf.default.disable_ipv6=0 \
		net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1 \
		net.ipv6.icmp.echo_ignore_all=1 net.ipv6.ip_nonlocal_bind=1
done
ip link add lan0 type veth peer name lan0 netns lan
for ns in lan router; do
	ip -n $ns link set lan0 up
done
ip -6 addr add fd00:9:1::1/64 dev lan0 nodad
ip -n lan -6 addr add fd00:9:1::2/64 dev lan0 nodad
for net in fd00:9 2001:db8:a0:1 2001:db8:a1:1 2001:db8:a2:1; do
	ip -6 route add $net::/64 via fd00:9:1::2
	ip -n lan -6 route add local $net::/64 dev lo
done
ip -n lan -6 route add default via fd00:9:1::1
for i in 1 2; do
	ip -n inet -6 addr add 2001:db8:f::$i/128 dev lo nodad
done

# come K...: as IPCP and IPV6CP leave the lines behind.
come() {
	local k
	for k; do
		ip link add "ppp$k" address "02:00:00:00:00:0$k" arp off \
			type veth peer name "ppp$k" \
			address "02:00:00:00:00:0$k" netns inet
		ip -n inet link set "ppp$k" arp off addrgenmode none up
		ip link set "ppp$k" addrgenmode none mtu 1492 up
		ip addr add "10.64.$k.100" peer "10.64.$k.1" dev "ppp$k"
		ip -6 addr add "fe80::a$k" peer "fe80::b$k/128" dev "ppp$k" nodad
		ip -n inet -6 addr add "fe80::b$k" peer "fe80::a$k/128" \
			dev "ppp$k" nodad
		ip -n inet -6 route add "2001:db8:a$k::/48" via "fe80::a$k" \
			dev "ppp$k"
	done
	wait_for 20 carriers
}

carriers() {
	ip -j link show up type veth | jq -e 'all(.operstate == "UP")'
}

hook6() { # up|down K
	"$BIN/ip-$1.local" "ppp$2" eth9 0 "fe80::0000:0000:0000:00a$2" \
		"fe80::0000:0000:0000:00b$2"
}

# A provider drops what is not its line's.
for k in 0 1 2; do
	echo "add rule ip6 provider in iifname ppp$k ip6 saddr != " \
		"{ fe80::/10, 2001:db8:a$k::/48 } counter drop"
done >"$T/provider"
ip netns exec inet nft -f - <<END
add table ip6 provider
add chain ip6 provider in { type filter hook prerouting priority raw; }
$(cat "$T/provider")
END

# talk server: answers UDP, TCP (port 80) and pings with the address that it sees.
# talk client: a line "HOST DST PROTOCOL SPORT DPORT" on its input is a question,
# and each is answered by a line: that address, "-" for none, "none" for an error.
# A TCP connection stays open, and is asked again by the same words.
cat >"$T/talk" <<'END'
use strict; use warnings;
use Socket qw(:all); use IO::Select; use IO::Handle; use Errno;
STDOUT->autoflush(1);
sub at { pack_sockaddr_in6($_[1], inet_pton(AF_INET6, $_[0])) }
sub who { inet_ntop(AF_INET6, (unpack_sockaddr_in6($_[0]))[1]) }
sub make { socket(my $s, AF_INET6, $_[0], $_[1]) or die "socket: $!"; $s }
my %open;
sub serve {
	my (%udp, %raw);
	my $all = IO::Select->new;
	for (1, 2) {	# each answers as who was asked
		my ($u, $r) = (make(SOCK_DGRAM, 0), make(SOCK_RAW, 58));
		bind($u, at("2001:db8:f::$_", 7)) &&
			bind($r, at("2001:db8:f::$_", 0)) or die "bind: $!";
		$udp{$u} = $raw{$r} = 1;
		$all->add($u, $r);
	}
	my $tcp = make(SOCK_STREAM, 0);
	setsockopt($tcp, SOL_SOCKET, SO_REUSEADDR, 1);
	bind($tcp, at("::", 80)) && listen($tcp, 99) or die "bind: $!";
	$all->add($tcp);
	print "ready\n";
	for (;;) {
		for my $s ($all->can_read) {
			my $got;
			if ($udp{$s}) {
				my $peer = recv($s, $got, 99, 0);
				send($s, who($peer), 0, $peer);
			} elsif ($s == $tcp) {
				my $c;
				$all->add($c) if accept($c, $tcp);
			} elsif ($raw{$s}) {
				my $peer = recv($s, $got, 199, 0);
				next if ord($got) != 128;
				send($s, pack("CCn a4 a*", 129, 0, 0,
					substr($got, 4, 4), who($peer)), 0,
					$peer);
			} elsif (sysread($s, $got, 99)) {
				syswrite($s, who(getpeername($s)));
			} else {
				$all->remove($s); close $s;
			}
		}
	}
}
sub hear {
	my ($s, $read) = @_;
	my $got;
	IO::Select->new($s)->can_read(4) or return "-";
	return defined $read->($s, \$got) ? $got : "none";
}
sub ping {
	my ($host, $dst, $id) = @_;
	my ($s, $got) = make(SOCK_RAW, 58);
	bind($s, at($host, 0)) or die "bind $host: $!";
	send($s, pack("CCn n n", 128, 0, 0, $id, 1), 0, at($dst, 0)) or
		return "none";
	do {
		IO::Select->new($s)->can_read(4) or return "-";
		recv($s, $got, 199, 0);
		return "none" if ord($got) == 1;
	} until ord($got) == 129 && unpack("x4n", $got) == $id;
	return substr($got, 8);
}
sub ask {
	my ($host, $dst, $proto, $sport, $dport) = @_;
	return ping($host, $dst, $sport) if $proto eq "icmp";
	my $s = $open{"@_"};
	if (!$s) {
		$s = make($proto eq "tcp" ? SOCK_STREAM : SOCK_DGRAM, 0);
		setsockopt($s, 41, 25, 1);	# IPV6_RECVERR
		setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
		bind($s, at($host, $sport)) or die "bind $host: $!";
		$s->blocking(0);
		if (!connect($s, at($dst, $dport))) {
			return "none" if !$!{EINPROGRESS};
			IO::Select->new($s)->can_write(4) or return "-";
		}
		$open{"@_"} = $s if $proto eq "tcp";
	}
	if (!defined syswrite($s, "?")) {
		delete $open{"@_"};
		return "none";
	}
	my $got = hear($s, sub { sysread($_[0], ${$_[1]}, 99) });
	delete $open{"@_"} if $got eq "none" || $got eq "";
	return $got eq "" ? "none" : $got;
}
serve() if $ARGV[0] eq "server";
while (<STDIN>) {
	print ask(split), "\n";
}
END
ip netns exec inet perl "$T/talk" server >"$T/ready" &
mkfifo "$T/ask" "$T/answer"
ip netns exec lan perl "$T/talk" client <"$T/ask" >"$T/answer" &
exec 5>"$T/ask" 6<"$T/answer"
wait_for 20 test -s "$T/ready"

# conf LINE... -- WEIGHT...: a file with three lines, whose prefixes it tells.
conf() {
	ini_links 1001 'ipv6 = yes' "$@"
}

link_more() {
	printf 'prefix6 = %s\n' "${prefix-2001:db8:a$1::/48}"
}

begin() {
	conntrack -F 2>/dev/null
	mwan-rules flush 2>/dev/null
	mwan-rules apply 2>/dev/null
}

# packets COUNT: "HOST DST PROTOCOL SPORT DPORT" at random.
packets() {
	local i net proto dport
	local nets=(fd00:9 fd00:9 2001:db8:a0:1 2001:db8:a1:1 2001:db8:a2:1)
	for ((i = 0; i < $1; i++)); do
		net=${nets[RANDOM % 5]}
		proto=udp dport=7
		case $((RANDOM % 5)) in
		0 | 1) proto=tcp dport=80 ;;
		2) proto=icmp ;;
		esac
		printf '%s::%x:%x 2001:db8:f::%d %s %d %d\n' "$net" \
			$((RANDOM % 9 + 1)) $((RANDOM + 3)) $((RANDOM % 2 + 1)) \
			$proto $((10000 + RANDOM)) $dport
	done
}

# said HOST DST PROTOCOL SPORT DPORT: whom the server will see, by mwan-rules
# why; "none"; of several links "ppp1,ppp2".
said() {
	local args=("$@") status=0 names from
	[ "$3" != icmp ] || args=("$1" "$2" icmp)
	mwan-rules why "${args[@]}" >"$T/why" 2>&1 || status=$?
	sed -z 's/\n    / /g' "$T/why" >"$T/why.lines"
	names=$(head -n 1 "$T/why.lines" | sed -n 's/.*: it leaves by//p' |
		grep -o 'ppp[0-9]' | paste -sd ,)
	from=$(sed -n 's/.* translated to \([^ ]*\)\.$/\1/p
		s/^  It goes on as \([^ ]*\)\.$/\1/p
		s/^  It keeps its address.*/'"$1/p" "$T/why.lines")
	case $status$names in
	0*,*) echo "$names" ;;
	0?*) echo "$names ${from:-?}" ;;
	1) echo none ;;
	*) echo "exit $status" ;;
	esac
}

# saw HOST DST PROTOCOL SPORT DPORT: the same by a packet.
saw() {
	local seen=- k
	echo "$*" >&5
	read -rt 60 -u 6 seen
	case $seen in
	- | none) echo none; return ;;
	2001:db8:a?:*) k=${seen#2001:db8:a} ;;
	esac
	echo "ppp${k%%:*} $seen"
}

# agree DESCRIPTION COUNT|FILE: for so many packets at random, or those in a file.
agree() {
	local n=0 good=0 packet say see
	[ -f "$2" ] || packets "$2" >"$T/packets"
	[ ! -f "$2" ] || cp "$2" "$T/packets"
	: >"$T/ends"
	while read -ru 7 -a packet; do
		n=$((n + 1))
		say=$(said "${packet[@]}")
		see=$(saw "${packet[@]}")
		echo "$see ${packet[0]}" >>"$T/ends"
		if [ "$say" = "$see" ] || [[ $say == *,* &&
			,$say, == *,${see% *},* ]]; then
			good=$((good + 1))
		else
			diag "${packet[*]}: said $say, seen $see"
			diag "$(cat "$T/why")"
		fi
	done 7<"$T/packets"
	total=$((total + n))
	agreed=$((agreed + good))
	is "$1: as it said" "$good of $n" "$n of $n"
	diag "$(awk '{ print NF < 3 ? $1 : $1 ($2 == $3 ? "" : "+") }' \
		"$T/ends" | sort | uniq -c | awk '{ print $2 "=" $1 }' |
		paste -sd ' ')"
}

tells() { # REGEX ARGUMENT...: what it says of a packet, on one line.
	local regex=$1
	shift
	like "it says: $regex" "$(mwan-rules why "$@" 2>&1 |
		tee -a "$T/all" | tr -s '\n ' ' ')" "$regex"
}

come 0 1 2

# --- methods ---
for method in source flow source-parity; do
	weights=(3 2 1)
	[ $method != source-parity ] || weights=(1 1 "1 tier=2")
	conf "balance = $method" -- "${weights[@]}"
	begin
	agree "$method" 24
done
conf "balance = round-robin" -- 3 2 1
begin
agree "round-robin: one of those that it names" 8
tells 'by ppp0 \(3 of 6\); or' fd00:9::7 $server
tells 'Its address is of a prefix of ppp1: it leaves by that link\. .*'\
'It keeps its address, which is of a prefix of ppp1' 2001:db8:a1:1::7 $server

# --- what was before ---
conf "balance = source" "sticky = 10m" -- 3 2 1
begin
agree "hosts that are kept: the first time" 16
cp "$T/packets" "$T/again"
conf "balance = source" "sticky = 10m" -- 1 2 3
mwan-rules apply 2>/dev/null
grep -v icmp "$T/again" >"$T/flows"
agree "known connections, by other weights" "$T/flows"
read -r host rest < <(grep '^fd00.* udp' "$T/flows")
# shellcheck disable=SC2086 # words
tells 'It goes on as 2001:db8:a[0-2]:ffff::6d77:' "$host" $rest
conntrack -F 2>/dev/null
agree "new ones, of hosts that are kept" "$T/again"
tells 'has ppp. already \(sticky\)' "$host" $server

# --- policies, that no address is in ---
conf "balance = source" -- 3 2 1
printf '[policy web]\nprotocol = tcp\ndestination_port = 80\nuse = ppp2\n%s' \
	'if_down = unreachable' >>/etc/ppp/mwan.ini
begin
agree "a policy" 20
tells 'Policy web \(1 of 1\) matches: use = ppp2' fd00:9::7 $server tcp 4000 80

# --- a line is lost, and no hook is called ---
conf "balance = source" -- 3 2 1
begin
agree "before a line is lost" 24
grep udp "$T/packets" >"$T/udp"
ip link set ppp0 down
ip link del ppp0
read -r host rest < <(grep '^2001:db8:a0' "$T/udp")
# shellcheck disable=SC2086 # words
tells 'it is dropped where it would leave by ppp1 or ppp2\. .*2001:db8:a0:.* is '\
'of no prefix of ppp1 or ppp2, and conntrack cannot translate this connection '\
'any more: its next packet begins it anew' "$host" $rest
agree "flows of a lost line: their next packet" "$T/udp"
# shellcheck disable=SC2086 # words
tells 'flow began by another link, untranslated, and goes on in a conntrack zone of '\
'its own\. .* begins one\. .*no prefix of ppp1 or ppp2: it is translated' \
	"$host" $rest
agree "and the one after that" "$T/udp"
# shellcheck disable=SC2086 # words
tells 'conntrack zone of its own\. .* It goes on as 2001:db8:a[12]:ffff::6d77:' \
	"$host" $rest
agree "new ones" 20
hook6 down 0
agree "and after the hook" 20
come 0
hook6 up 0
agree "it is back: what moved stays" "$T/udp"
agree "new ones are on their line again" 20
mwan-rules drain ppp1 2>/dev/null
agree "a line is drained" 20
mwan-rules undrain ppp1 2>/dev/null

# --- nothing is known, and other settings ---
prefix=auto conf "balance = source" -- 3 2 1
rm -f /run/mwan/prefix6
begin
tells 'goes nowhere' fd00:9::7 $server
conf "translate6 = no" -- 3 2 1
begin
tells 'It keeps its address: translate6 = no\.' fd00:9::7 $server
conf -- 3 2 1
sed -i 's/^ipv6 = yes/ipv6 = no/' /etc/ppp/mwan.ini
mwan-rules apply 2>/dev/null
ip -6 route add default via fe80::b1 dev ppp1
tells 'leaves by ppp1\..* IPv6 is not shared: ipv6 = no\. .*main has a default' \
	fd00:9::7 $server
ip -6 route del default via fe80::b1 dev ppp1
conf -- 3 2 1
begin
sysctl -qw net.ipv6.conf.all.forwarding=0
tells 'nowhere: the kernel drops it without a word\. .*'\
'net/ipv6/conf/all/forwarding is 0: the router forwards no IPv6' \
	fd00:9::7 $server
sysctl -qw net.ipv6.conf.all.forwarding=1

# --- the router itself, and what is no connection of the LAN's ---
for k in 0 1 2; do
	tells "own\\. .*leaves by ppp$k|leaves by ppp$k\\..*own\\." \
		"2001:db8:a$k:ffff::6d77:$((k + 1))" $server
done
tells 'leaves by ppp0\..* bound to no address: the kernel gives it '\
'2001:db8:a0:ffff::6d77:1\.' self $server
tells 'leaves by lan0\. .*comes in by ppp1, which has the prefix of what' \
	$server 2001:db8:a1:1::7
tells 'is for the router itself' 2001:db8:a1:1::7 fd00:9:1::1
tells 'is not forwarded\..*multicast' fd00:9::7 ff0e::1
mwan-rules prefix ppp1 2>/dev/null
ip -6 route del 2001:db8:a1:1::/64 via fd00:9:1::2
ip -6 addr add 2001:db8:a1:1::1/64 dev lan0 nodad
hook6 up 1
ip -6 addr del 2001:db8:a1:1::1/64 dev lan0
hook6 up 1
tells 'leaves by lan0\. .*Table 199 remembers its network \(/64\), which the '\
'router has no more' fd00:9::7 2001:db8:a1:1::7

# --- rules and routes of somebody else ---
ip -6 route add default via fd00:9:1::2 dev lan0 table 99
ip -6 rule add pref 998 from fd00:9::/48 lookup 99
tells 'leaves by lan0\..* Rule 998, which is not ours \(from fd00:9::/48 lookup '\
'99\), takes it first' fd00:9::7 $server
ip -6 rule del pref 998
ip -6 route add unreachable default metric 5
tells 'But main, which is asked first, refuses' fd00:9::7 $server
ip -6 route del unreachable default metric 5

diag "$agreed of $total verdicts are what the kernel did"
like "there were enough" "$total" '^[23][0-9][0-9]$'
is "no line is longer than 80 columns" "$(awk 'length > 80' "$T/all")" ""

# --- how it is called ---
is "two families" "$(status mwan-rules why fd00:9::7 10.0.0.1)" 64
is "a link-local address" "$(status mwan-rules why fe80::1 $server)" 64
is "ports of ICMPv6" "$(status mwan-rules why fd00:9::7 $server icmp 1 2)" 64
done_testing
