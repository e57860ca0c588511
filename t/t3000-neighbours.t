#!/bin/bash
# Other programs' rules and routes beside ours: what is theirs goes on working,
# and where it cannot, status and why say whose it is and what to do.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

# takes [ARGUMENT...]: the device and table of a packet to the internet server.
takes() {
	ip route get $inet "$@" 2>&1 | grep -oE 'dev [^ ]*|table [^ ]*|RTNET.*' |
		paste -sd' '
}

default_table() {
	ip route show table 253 | tr -s '[:space:]' ' '
}

net5 3
conf -- 1 1 "1 tier=2"
mwan-rules apply 2>/dev/null

# --- Tailscale: router_linux.go, its rules and table 52, word for word ---
tailscale() { # add | del
	ip -batch - <<-END
	rule $1 pref 5210 fwmark 0x80000/0xff0000 lookup main
	rule $1 pref 5230 fwmark 0x80000/0xff0000 lookup default
	rule $1 pref 5250 fwmark 0x80000/0xff0000 unreachable
	rule $1 pref 5270 lookup 52
	END
}
tailscale add
is "Tailscale's own packets find the primary in the table default" \
	"$(takes mark 0x80000)" "dev ppp0 table default"
is "which has the groups as well" "$(default_table)" \
	"default dev ppp0 proto 119 scope link metric 65536 default nhid 77257 \
proto 119 metric 65537 nexthop dev ppp0 weight 1 nexthop dev ppp1 weight 1 \
default nhid 77258 dev ppp2 proto 119 metric 65538 "
is "unmarked packets find the same" "$(takes)" "dev ppp0 table default"
cut_off 0
is "the primary is cut: the kernel has failed over by itself" \
	"$(takes mark 0x80000)" "dev ppp1 table default"
hook down ppp0 10.64.0.100 10.64.0.1
is "the hook names another primary" "$(takes mark 0x80000)" \
	"dev ppp1 table default"
cut_off 1
is "the whole tier is: the next one's group" \
	"$(takes mark 0x80000)" "dev ppp2 table default"
up 0 1
is "the better tier is back" "$(default_table | cut -d' ' -f-3)" \
	"default dev ppp1"
ip route del default dev ppp1 table 253
like "status: the default is missing" "$(mwan-rules status --json |
	jq -r '.problems[] | "\(.kind): \(.text)"' | grep default)" \
	'^route: The table default lacks our default of metric 65536, .*"mwan-rules apply"\.$'
mwan-rules apply
ip route add default dev lan0 table 253
is "somebody else's default there comes before ours" "$(takes)" \
	"dev lan0 table default"
like "and status says so" "$(mwan-rules status --json |
	jq -r '.problems[] | "\(.kind): \(.text)"')" \
	'foreign-default: The table default has a default, .* "ip route del default dev lan0 table 253"'
ip route del default dev lan0 table 253
mwan-rules flush 2>/dev/null
is "a flush leaves none" "$(default_table)" ""
hook up ppp0 10.64.0.100 10.64.0.1
is "a hook alone makes the groups" "$(default_table | cut -d' ' -f-3)" \
	"default nhid 77257"
mwan-rules apply 2>/dev/null
hook up ppp1 10.64.1.100 10.64.1.1

# says REGEX: status has one problem beside links that are down.
problems() {
	mwan-rules status --json | jq -r \
		'.problems[] | select(.kind != "link-down") | "\(.kind): \(.text)"'
}

# A LAN host is marked for a link, and main does not know the tailnet.
gone_by() { # [MARK]: a host's packet to a node of the tailnet
	ip route get 100.64.0.7 from 10.9.0.1 iif lan0 mark "$1" |
		grep -o 'dev [^ ]*'
}
ip link add tailscale0 type veth peer name there0
ip link set there0 up
ip link set tailscale0 up
sysctl -qw net.ipv4.conf.tailscale0.rp_filter=0
is "a table 52 without a route takes nothing" "$(problems)" ""
ip route add 100.100.100.100 dev tailscale0 table 52
ip route add 100.64.0.7 dev tailscale0 table 52
is "a LAN host does not reach the tailnet" "$(gone_by 1)" "dev ppp0"
is "status says so" "$(problems)" "late-rule: The rule 5270 of somebody \
else's (lookup 52) comes after ours, and what the LAN sends by ppp0, ppp1, ppp2 \
never gets to it: set rule_priority = 6000 in mwan.ini, or write a policy with \
use = main for what is to; or give the rule \"iif lo\" if it is for the router \
alone."
is "and so in the text and the metrics" \
	"$(mwan-rules status | grep -c '^\* The rule 5270 of') $(
		mwan-rules status --prometheus | grep -c '^mwan_problems 1')" \
	"1 1"
like "and why" "$(mwan-rules why 10.9.0.1 100.64.0.7 | tr -s '\n ' ' ')" \
	'leaves by ppp.\..* Rule 5270, which is not ours \(lookup 52\), would take it, but it comes after ours'
is "but not of what it would not take" \
	"$(mwan-rules why 10.9.0.1 $inet | grep -c 5270)" 0
sed -i 's/\[mwan\]/&\nrule_priority = 6000/' /etc/ppp/mwan.ini
mwan-rules apply
is "with rule_priority = 6000: it does" "$(gone_by 1)" "dev tailscale0"
is "and nothing is said" "$(problems)" ""
is "its own packets have their way" "$(takes mark 0x80000)" \
	"dev ppp0 table default"
is "and what the LAN sends elsewhere has its link" "$(
	ip route get $inet from 10.9.0.1 iif lan0 mark 2 | grep -o 'dev [^ ]*')" \
	"dev ppp1"
conf -- 1 1 "1 tier=2"
policy tailnet "destination = 100.64.0.0/10" "use = main"
mwan-rules apply
is "with a policy: nothing is said" "$(problems)" ""
like "and why: it leaves by it" \
	"$(mwan-rules why 10.9.0.1 100.64.0.7)" 'leaves by tailscale0\.'
tailscale del
ip link del tailscale0

# --- rules of others after ours ---
conf -- 1 1 "1 tier=2"
mwan-rules apply
net_vpn 198.51.100.2
ip route add default dev vpn0 table 77
# late REGEX RULE...: status says it of a rule of priority 32000.
late() {
	local regex=$1
	shift
	ip rule add pref 32000 "$@"
	like "status, of $*" "$(problems)" "^late-rule: The rule 32000 of .*$regex"
	is "in one sentence" "$(problems | wc -l)" 1
	ip rule del pref 32000
}
quiet() { # RULE...: nothing is said of it
	ip rule add pref 32000 "$@"
	is "nothing is said of $*" "$(problems)" ""
	ip rule del pref 32000
}
late ': "ip rule del pref 32000 from 10.9.0.7 lookup 77; ip rule add pref 999 from 10.9.0.7 lookup 77", or write' \
	from 10.9.0.7 lookup 77
late '\(from 10.9.0.7 unreachable\)' from 10.9.0.7 unreachable
late 'iif lan0 lookup 77' iif lan0 lookup 77
late 'gets to it: write a policy' lookup 77
quiet iif lo lookup 77
quiet uidrange 0-0 lookup 77
quiet from 10.64.0.100 lookup 1001
quiet fwmark 1/0xff lookup 1001
quiet lookup main suppress_prefixlength 0
quiet lookup 78
quiet fwmark 0x80000/0xff0000 unreachable
ip rule add pref 32000 from 10.9.0.7 lookup 77
ip rule add pref 999 from 10.9.0.8 lookup 77
like "why names it for its host" "$(mwan-rules why 10.9.0.7 $inet |
	tr -s '\n ' ' ')" 'Rule 32000, which is not ours \(from 10.9.0.7 lookup 77\), would'
is "and for no other" "$(mwan-rules why 10.9.0.9 $inet | grep -c 32000)" 0
ip rule del pref 32000
ip rule del pref 999

# --- wg-quick, a full tunnel: without a priority its rules come before ours,
# where these are in force first, else after main's ---
umask 077
key=$(wg genkey)
cat >"$T/wg0.conf" <<-END
	[Interface]
	PrivateKey = $key
	Address = 10.70.0.1/24
	[Peer]
	PublicKey = $(wg genkey | wg pubkey)
	AllowedIPs = 0.0.0.0/0
	Endpoint = $inet:51820
END
export WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go
ok "wg-quick up" wg-quick up "$T/wg0.conf"
like "before ours: status says so" "$(problems)" \
	'^foreign-rule: A rule of somebody else.s, of priority 999, leads .* ppp0, ppp1, ppp2 elsewhere'
is "what it sends itself has its way" "$(takes mark 51820 |
	sed 's/ppp[01]/LINK/')" "dev LINK table 200"
ok "wg-quick down" wg-quick down "$T/wg0.conf"
is "it has deleted its own rules, and none of ours" "$(problems)" ""
is "so nothing is to be done" "$(mwan-rules apply -n)" ""
mwan-rules flush 2>/dev/null
ok "wg-quick up, before ours are there" wg-quick up "$T/wg0.conf"
mwan-rules apply
like "after ours: status says so" "$(problems)" '^late-rule: The rule 32765 of '\
'somebody else.s \(not fwmark 0xca6c/0xffffffff lookup 51820\) comes after ours, .*it: write a policy with use = main'
like "and why" "$(mwan-rules why 10.9.0.1 $inet | tr -s '\n ' ' ')" \
	'leaves by ppp.\..* Rule 32765, which is not ours \(not fwmark 0xca6c'
policy tunnel "source = 10.9.0.7" "use = main"
mwan-rules apply
is "a policy says what goes there: nothing is said" "$(problems)" ""
like "and that goes there" "$(mwan-rules why 10.9.0.7 $inet)" 'leaves by wg0\.'
mwan-rules watch >"$T/watch" 2>&1 &
watch=$!
wait_for 20 test -s /run/mwan/watched
wg-quick down "$T/wg0.conf" 2>/dev/null
main_rule() {
	ip rule show pref 1000 | grep -q 'suppress_prefixlength 0'
}
ok "it takes our rule along, and watch puts it back" wait_for 20 main_rule
kill $watch
wait $watch
ip rule del pref 1000
like "without watch, status says so" "$(problems)" \
	'^rule: The rule "pref 1000 not .* suppress_prefixlength 0" is missing: run "mwan-rules apply"\.$'
sysctl -qw net.ipv4.conf.all.src_valid_mark=0	# which it leaves at 1
conf -- 1 1 "1 tier=2"
mwan-rules apply

# --- TPROXY: its recipe has mark 1 ---
ip rule add fwmark 1 lookup 100
ip route add local default dev lo table 100
pref=$(ip rule | sed -n 's/:.*lookup 100$//p')
ip rule del fwmark 1 lookup 100
ip rule add pref 32000 fwmark 1 lookup 100
is "without a priority it comes before ours, whose first it follows" "$pref" 999
is "after ours: a collision" "$(problems)" "mark-collision: The rule 32000 of \
somebody else's (fwmark 0x1/0xffffffff lookup 100) is for a mark that is ppp0's \
here, and ours take its packets first: set mark_mask = 0xff000000 in mwan.ini, \
and give that rule a mask without these bits and a priority below 1000."
sed -i 's/\[mwan\]/&\nmark_mask = 0xff000000/' /etc/ppp/mwan.ini
mwan-rules apply
ip rule del pref 32000
ip rule add pref 999 fwmark 1/0xff lookup 100
is "done: nothing is said" "$(problems)" ""
is "its packets are for the router" "$(ip route get $inet from 10.9.0.1 \
	iif lan0 mark 0x2000001 | grep -o '^local')" local
is "and others have their link" "$(ip route get $inet from 10.9.0.1 \
	iif lan0 mark 0x2000000 | grep -o 'dev [^ ]*')" "dev ppp1"
ip rule del pref 999
ip rule add pref 32000 fwmark 0x4000/0x4000 lookup 100
ip rule add pref 32001 fwmark 0x40000/0xff0000 lookup 100
is "nor of marks beside ours" "$(problems)" ""
ip rule del pref 32000
ip rule del pref 32001
conf -- 1 1 "1 tier=2"
mwan-rules apply

# --- main refuses what it has no route for ---
marked() { # a LAN host's packet, marked for ppp0: its device, or "refused"
	ip route get $inet from 10.9.0.1 iif lan0 mark 1 2>/dev/null |
		grep -o 'dev [^ ]*' || echo refused
}
is "before: it goes by ppp0" "$(marked)" "dev ppp0"
for kind in unreachable blackhole prohibit; do
	ip route add $kind default metric 4278198272
	is "$kind: all that is marked is dropped" "$(marked)" refused
	is "$kind: status says so" "$(problems)" "refused: The table main \
refuses what it has no route for ($kind default metric 4278198272), and with \
that all that goes by a link: \"ip route del $kind default metric 4278198272\", \
and if nothing may leave by another way when no link is up, write \"last_resort = \
unreachable\" in mwan.ini in its place."
	hook up ppp0 10.64.0.100 10.64.0.1 2>"$T/said"
	like "$kind: the hook's log says so" "$(log_last)" \
		"warning=\"the table main refuses all that goes by a link \\($kind default metric 4278198272\\): see mwan-rules status\" .*result="
	like "$kind: why says so" "$(mwan-rules why 10.9.0.1 $inet |
		tr -s '\n ' ' ')" "goes nowhere: .* But main, which is asked \
first, refuses what it has no route for \\($kind default metric 4278198272\\): see"
	ip route del $kind default metric 4278198272
done
ip route add unreachable default metric 4278198272
ip route add default dev vpn0 metric 5
is "before it another default: marks go on" "$(marked)" "dev ppp0"
like "and status says when they will not" "$(problems)" \
	'refused: The table main refuses .*, and when its other default goes, all that goes by a link'
hook up ppp0 10.64.0.100 10.64.0.1
is "the hook has nothing to say" "$(log_last | grep -c refuses)" 0
ip route del default dev vpn0
ip route del unreachable default metric 4278198272
ip route add throw default metric 9
is "a throw is passed over" "$(marked) $(problems)" "dev ppp0 "
ip route del throw default metric 9
ip route add unreachable 192.0.2.0/24
hook up ppp0 10.64.0.100 10.64.0.1
is "a net that is refused is none of it" \
	"$(problems)$(log_last | grep -c refuses)" 0
ip route del unreachable 192.0.2.0/24
for half in 0.0.0.0/1 128.0.0.0/1; do
	ip route add $half dev vpn0
done
like "OpenVPN's two halves: status names them" "$(problems)" \
	'^foreign-default: The table main has a route for half of all addresses \(0.0.0.0/1 dev vpn0\), .*redirect-gateway\)\.$'
like "and why" "$(mwan-rules why 10.9.0.1 $inet | tr -s '\n ' ' ')" \
	'leaves by vpn0\..* main has a route to it \(/1\)'
for half in 0.0.0.0/1 128.0.0.0/1; do
	ip route replace blackhole $half
done
like "two halves that refuse" "$(problems)" \
	'^refused: The table main refuses half of all addresses \(blackhole 0.0.0.0/1\), .*"ip route del blackhole 0.0.0.0/1"'
for half in 0.0.0.0/1 128.0.0.0/1; do
	ip route del blackhole $half
done
is "all of it is gone" "$(problems)" ""

# --- a server of the router's, asked at the second line's address ---
cat >"$T/udp.pl" <<'END'
use IO::Socket::INET;
my ($what, $addr, $port, $text) = @ARGV;
$SIG{ALRM} = sub { print "nothing\n"; exit };
if ($what eq "serve") {
	my $s = IO::Socket::INET->new(Proto => "udp", LocalPort => 9999,
				      LocalAddr => $addr) or die $!;
	$| = 1;
	print "ready\n";
	while (1) {
		my $from = recv($s, my $buf, 99, 0);
		send($s, $buf, 0, $from);
	}
}
my $s = IO::Socket::INET->new(Proto => "udp",
			      LocalAddr => "198.51.100.1") or die $!;
send($s, pack("H*", $text), 0, sockaddr_in($port, inet_aton($addr)));
alarm 9;
print inet_ntoa((sockaddr_in(recv($s, my $buf, 99, 0)))[1]), "\n";
END
first=$(local_of "$(default_table | sed 's/default dev ppp\(.\).*/\1/')")
second=$(local_of 0)
[ "$first" != "$second" ] || second=$(local_of 1)
# answer_of ADDRESS: the source of what answers for the second line's address,
# when the server is bound to ADDRESS.
answer_of() {
	perl "$T/udp.pl" serve "$1" >"$T/ready" &
	local pid=$!
	wait_for 9 test -s "$T/ready"
	inet perl "$T/udp.pl" ask "$second" 9999 00
	kill $pid
	wait $pid
	: >"$T/ready"
}
is "bound to no address: the first line's, and nothing can be done" \
	"$(answer_of 0.0.0.0)" "$first"
is "bound to it: its own" "$(answer_of "$second")" "$second"
nft 'add table ip ports
	add chain ip ports prerouting { type nat hook prerouting priority -100; }
	add rule ip ports prerouting iifname "ppp*" udp dport 9999 dnat to 172.16.0.1'
is "redirected to an address of the LAN: its own" \
	"$(answer_of 172.16.0.1)" "$second"
nft delete table ip ports

# OpenVPN itself: it answers the first packet of a client (its opcode, an id, no
# acknowledgement, number 0).
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
	-keyout "$T/key" -out "$T/crt" -subj /CN=router -days 9 2>/dev/null
openvpn_answers() { # [OPTION]
	openvpn --dev null --proto udp --port 1194 --tls-server --dh none \
		--cert "$T/crt" --key "$T/key" --ca "$T/crt" "$@" \
		>"$T/openvpn" 2>&1 &
	local pid=$!
	wait_for 20 eval 'ss -Huln sport = 1194 | grep -q .'
	inet perl "$T/udp.pl" ask "$second" 1194 380102030405060708000000000000
	kill $pid
	wait $pid
}
is "OpenVPN: the first line's" "$(openvpn_answers)" "$first"
is "OpenVPN with multihome: its own" "$(openvpn_answers --multihome)" "$second"
done_testing
