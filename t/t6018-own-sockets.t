#!/bin/bash
# failback = move: what the router itself sends by the backup line goes by the
# better one when that is back. A connected socket has the source address of the
# line that it began by, though nobody has bound it. OpenVPN does so over TCP,
# WireGuard with a kernel that has it (t8009 runs this in the lab).
# shellcheck disable=SC2317	# functions that wait_for calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

configure() { # LINE...
	conf "balance = round-robin" "$@" -- 1 "1 tier=2"
	mwan-rules apply 2>/dev/null
}

# The address that the server saw, of the connected UDP socket.
udp_seen() {
	local a

	printf x >&"$udp"
	a=$(timeout 20 head -c 4 <&"$udp" | od -An -tu1)
	# shellcheck disable=SC2086	# words
	printf '%s.%s.%s.%s' $a
}

udp_is() { # ADDRESS
	[ "$(udp_seen)" = "$1" ]
}

bound_seen() { # ADDRESS
	"$deal" ask -s "$1" $inet $port | awk '{ print $3 }'
}

# By which line is a socket bound to this device?
device_uses() { # DEVICE
	conntrack -F 2>/dev/null
	busybox ping -c 1 -W 1 -I "$1" $inet >/dev/null
	conntrack -L -p icmp 2>/dev/null |
		sed -n 's/^icmp.* dst=\(10\.64[^ ]*\) .*/\1/p'
}

net5 2
configure "failback = move"
down 0
exec {udp}<>/dev/udp/$inet/$port
is "a connected UDP socket uses the backup" "$(udp_seen)" "$(local_of 1)"

# --- OpenVPN over TCP ---
certificate() { # NAME: prints its fingerprint
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
		-nodes -keyout "$T/$1.key" -out "$T/$1.crt" -subj "/CN=$1" \
		-days 9 2>/dev/null
	openssl x509 -in "$T/$1.crt" -noout -fingerprint -sha256 |
		sed 's/.*=//'
}
print1=$(certificate router)
print2=$(certificate peer)
openvpn_ready() { # LOG COUNT
	[ "$(grep -c 'Initialization Sequence' "$1")" -ge "$2" ]
}
ip netns exec inet openvpn --dev tun1 --dev-type tun --disable-dco \
	--proto tcp-server --port 1194 --server 10.98.0.0 255.255.255.0 \
	--topology subnet --dh none --keepalive 1 4 --verb 3 \
	--cert "$T/peer.crt" --key "$T/peer.key" \
	--peer-fingerprint "$print1" >"$T/peer.log" 2>&1 &
ok "OpenVPN on the peer" wait_for 30 openvpn_ready "$T/peer.log" 1
openvpn --client --dev tun0 --dev-type tun --disable-dco --proto tcp-client \
	--remote $inet 1194 --nobind --connect-retry 1 --persist-tun --verb 3 \
	--cert "$T/router.crt" --key "$T/router.key" \
	--peer-fingerprint "$print2" >"$T/openvpn.log" 2>&1 &
ok "OpenVPN on the router" wait_for 30 openvpn_ready "$T/openvpn.log" 1
openvpn_uses() { # ADDRESS: as the peer sees it
	inet ss -Htn state established sport = :1194 |
		grep -q " $1:[0-9]*\$"
}
ok "OpenVPN uses the backup" openvpn_uses "$(local_of 1)"

# --- WireGuard ---
wireguard() { # NAMESPACE PRIVATE PUBLIC-OF-THE-OTHER ADDRESS [WORD...]
	local ns=${1:+ip netns exec $1} key=$2 other=$3 address=$4
	shift 4

	# shellcheck disable=SC2086 # a command's words, or none
	$ns ip link add wg0 type wireguard &&
		$ns wg set wg0 private-key <(echo "$key") listen-port 51820 \
			peer "$other" allowed-ips 10.97.0.0/24 "$@" &&
		$ns ip addr add "$address/24" dev wg0 &&
		$ns ip link set wg0 up
}
# A packet into the tunnel, and the address that the peer then knows.
wireguard_seen() {
	printf x >/dev/udp/10.97.0.2/9
	inet wg show wg0 endpoints | sed 's/.*\t//; s/:.*//'
}
wireguard_is() { # ADDRESS
	[ "$(wireguard_seen)" = "$1" ]
}
if [ -n "${LAB_WIREGUARD-}" ]; then
	key1=$(wg genkey)
	key2=$(wg genkey)
	ok "WireGuard on the peer" wireguard inet "$key2" \
		"$(wg pubkey <<<"$key1")" 10.97.0.2
	ok "WireGuard on the router" wireguard "" "$key1" \
		"$(wg pubkey <<<"$key2")" 10.97.0.1 endpoint "$inet:51820"
	ok "WireGuard uses the backup" wait_for 20 wireguard_is "$(local_of 1)"
fi

# --- from outside, to the backup's address ---
daemon router "$deal" serve 2222
coproc session {
	ip netns exec inet bash -c "exec 3<>/dev/tcp/$(local_of 1)/2222
		while read -r _; do
			printf x >&3
			timeout 60 head -c 4 <&3 | od -An -tu1
		done"
}
session_seen() {
	local -a word

	echo >&"${session[1]}"
	read -rt 60 -a word <&"${session[0]}"
	echo "${word[*]}"
}
is "a session from outside comes by the backup" "$(session_seen)" \
	"10 64 1 1"

# --- many connections; an IPv6 socket that speaks IPv4 ---
cat >"$T/many.pl" <<'END'
use Errno;
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6);
my ($n, $host, $port) = @ARGV;
my (@s, $aborted);
$| = 1;
for my $i (0 .. $n) {
	my $mapped = $i == $n;
	socket my $s, $mapped ? AF_INET6 : AF_INET, SOCK_STREAM, 0 or die $!;
	connect $s, $mapped ?
		pack_sockaddr_in6($port, inet_pton(AF_INET6, "::ffff:$host")) :
		pack_sockaddr_in($port, inet_aton($host)) or die $!;
	push @s, $s;
}
print "ready\n";
<STDIN>;
for my $s (@s) {
	recv $s, my $buf, 1, MSG_DONTWAIT;
	$aborted++ if $!{ECONNABORTED};
}
print "$aborted\n";
END
mkfifo "$T/many.in" "$T/many.out"
perl "$T/many.pl" 300 $inet 80 <"$T/many.in" >"$T/many.out" &
exec {many_in}>"$T/many.in" {many_out}<"$T/many.out"
read -rt 60 line <&"$many_out"
is "300 connections, and one of an IPv6 socket" "$line" ready

# --- a UDP socket whose peer sends first ---
cat >"$T/peer.pl" <<'END'
use Socket;
my ($what, $host) = @ARGV;
$| = 1;
socket S, AF_INET, SOCK_DGRAM, 0 or die $!;
if ($what eq "router") {
	connect S, pack_sockaddr_in 9999, inet_aton $host or die $!;
	send S, "x", 0;
	send S, $_, 0 while defined recv S, $_, 9, 0;
}
bind S, pack_sockaddr_in 9999, inet_aton $host or die $!;
print "ready\n";
my $from = recv S, $_, 9, 0;
while (<STDIN>) {
	send S, "y", 0, $from;
	$from = recv S, $_, 9, 0;
	print inet_ntoa((sockaddr_in $from)[1]), "\n";
}
END
mkfifo "$T/peer.in" "$T/peer.out"
ip netns exec inet perl "$T/peer.pl" inet $inet \
	<"$T/peer.in" >"$T/peer.out" 2>&1 &
exec {peer_in}>"$T/peer.in" {peer_out}<"$T/peer.out"
read -rt 60 line <&"$peer_out"
perl "$T/peer.pl" router $inet &
# The address that the peer has an answer from, when it sends first.
peer_first() {
	echo >&"$peer_in"
	read -rt 60 line <&"$peer_out"
	echo "$line"
}
is "a UDP socket whose peer sends first uses the backup" "$(peer_first)" \
	"$(local_of 1)"

# --- the better line is back ---
up 0
echo >&"$many_in"
read -rt 60 line <&"$many_out"
is "all 301 connections are closed" "$line" 301
is "where the peer sends first, nothing can be done" "$(peer_first)" \
	"$(local_of 1)"
is "the connected UDP socket moves, with its next packet" "$(udp_seen)" \
	"$(local_of 0)"
is "and stays" "$(udp_seen) $(udp_seen)" "$(local_of 0) $(local_of 0)"
ok "OpenVPN moves" wait_for 30 openvpn_uses "$(local_of 0)"
ok "and is ready again" wait_for 30 openvpn_ready "$T/openvpn.log" 2
if [ -n "${LAB_WIREGUARD-}" ]; then
	ok "WireGuard moves" wait_for 20 wireguard_is "$(local_of 0)"
fi
is "the session from outside goes on" "$(session_seen)" "10 64 1 1"
is "what is bound to the backup's address leaves it, too" \
	"$(bound_seen "$(local_of 1)")" "$(local_of 0)"
is "what is bound to its device does not" "$(device_uses ppp1)" \
	"$(local_of 1)"
is "what comes to the backup's address is answered by it" \
	"$(inet "$deal" ask -s 10.64.1.1 "$(local_of 1)" 9 | cut -d' ' -f3)" \
	ECONNREFUSED

# --- it fails again ---
cut_off 0
ok "the UDP socket goes back before any hook" wait_for 9 udp_is "$(local_of 1)"
hook down ppp0 "$(local_of 0)" 10.64.0.1
is "and after it" "$(udp_seen)" "$(local_of 1)"
is "the rule is where it was" "$(ip rule | grep -c '^1302:.*from 10.64.1.100')" 1

# --- not wanted, or not possible ---
configure "failback = stay"
up 0
is "stay: the UDP socket stays" "$(udp_seen)" "$(local_of 1)"
is "stay: what is bound to the backup's address uses it" \
	"$(bound_seen "$(local_of 1)")" "$(local_of 1)"
configure "failback = move" "masquerade = no"
is "without masquerade no line gets another's address" \
	"$(ip rule | grep -c '^1302:.*from 10.64.1.100')" 1
configure "failback = move"
mwan-rules drain ppp1 2>/dev/null
is "a drained line keeps what it has" \
	"$(ip rule | grep -c '^1302:.*from 10.64.1.100')" 1
done_testing
