#!/bin/bash
# mwan-rules why: what it says of a packet is what the kernel then does with it.
# Each question is put first, then a real packet is sent from the LAN, and the
# server's answer tells by which link it has come. As in lib/lan.sh, with four
# links and the tunnel, into which main has specific routes.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

RANDOM=${SEED:-2301}
server=$inet
total=0
agreed=0
exact=0			# of these: one way was named, and no other

begin() { # forget everything, and put the file in force
	forget
	mwan-rules flush
	mwan-rules apply 2>/dev/null
}

# packets COUNT: "HOST DST PROTOCOL SPORT DPORT" at random, from networks and
# to places that policies may be about. ICMP's source port is its id.
packets() {
	local i host dst proto dport
	for ((i = 0; i < $1; i++)); do
		host=10.9.$((RANDOM % 4)).$((RANDOM % 250 + 1))
		case $((RANDOM % 10)) in
		0) dst=198.51.100.2 ;;
		1) dst=10.20.0.$((RANDOM % 250 + 1)) ;;
		*) dst=$server ;;
		esac
		proto=udp dport=$port
		case $((RANDOM % 5)) in
		0 | 1) proto=tcp dport=80 ;;
		2) proto=icmp ;;
		esac
		echo "$host $dst $proto $((20000 + RANDOM)) $dport"
	done
}

# verdict HOST DST PROTOCOL SPORT DPORT: the interfaces that "why" names, in
# one word; "none". The exit status says the same.
verdict() {
	local args=("$@") status=0 names
	[ "$3" != icmp ] || args=("$1" "$2" icmp)
	mwan-rules why "${args[@]}" >"$T/why" 2>&1 || status=$?
	names=$(sed -z 's/\n    / /g' "$T/why" | head -n 1 |
		sed -n 's/.*: it leaves by//p' |
		grep -o '\(ppp\|vpn\|lan\)[0-9]' | paste -sd ,)
	case $status$names in
	0?*) echo "$names" ;;
	1) echo none ;;
	*) echo "exit $status" ;;
	esac
}

# seen HOST DST PROTOCOL SPORT DPORT: where the packet leaves: a link by the
# address that the server sees, else the way into the tunnel or nowhere.
seen() {
	local saw
	saw=$(lan "$deal" ask -t "$3" -s "$1" -p "$4" "$2" "$5")
	case ${saw##* } in
	10.64.*) tally <(echo "$saw") | cut -d= -f1 ;;
	"$1") echo vpn0 ;;
	E*) echo none ;;
	*) echo "nothing (${saw##* })" ;;
	esac
}

# agree DESCRIPTION COUNT: for so many packets at random, or those in a file.
agree() {
	local n=0 good=0 packet said saw
	[ -f "$2" ] || packets "$2" >"$T/packets"
	[ ! -f "$2" ] || cp "$2" "$T/packets"
	: >"$T/ends"
	while read -r -a packet; do
		n=$((n + 1))
		said=$(verdict "${packet[@]}")
		saw=$(seen "${packet[@]}" </dev/null)
		echo "$saw" >>"$T/ends"
		if [[ ,$said, == *,$saw,* ]]; then
			good=$((good + 1))
			[[ $said == *,* ]] || exact=$((exact + 1))
		else
			diag "${packet[*]}: said $said, went $saw"
			diag "$(cat "$T/why")"
		fi
	done <"$T/packets"
	total=$((total + n))
	agreed=$((agreed + good))
	is "$1: as it said" "$good of $n" "$n of $n"
	diag "$(sort "$T/ends" | uniq -c | awk '{ print $2 "=" $1 }' |
		paste -sd ' ')"
}

# silent REGEX ARGUMENT...: it says no such thing of a packet.
silent() {
	local regex=$1
	shift
	mwan-rules why "$@" >"$T/why"
	is "not said of $*: $regex" "$(tr -s '\n ' ' ' <"$T/why" |
		grep -Eo "$regex")" ""
	ok "but something is" test -s "$T/why"
}

# tells REGEX ARGUMENT...: what it says of a packet, on one line.
tells() {
	local regex=$1
	shift
	like "it says: $regex" "$(mwan-rules why "$@" 2>&1 |
		tee -a "$T/lines" | tr -s '\n ' ' ')" "$regex"
}

net5 4
net_vpn 198.51.100.2

# --- methods ---
conf "balance = source" -- 3 2 1 "1 tier=2"
begin
agree "source" 30
conf "balance = flow" -- 3 2 1 "1 tier=2"
begin
agree "flow" 30
conf "balance = source-parity" -- 1 1 1 1
begin
agree "parity" 20
for method in round-robin random; do
	conf "balance = $method" -- 3 2 1 "1 tier=2"
	begin
	agree "$method: one of those that it names" 10
	tells "by ppp0 \(3 of 6\); or .* ppp1 \(2 of 6\); or .* ppp2 \(1 of 6" \
		10.9.0.1 $server
done
conf "balance = flow" "lan = vpn0" -- 3 2 1 1
begin
agree "not of the lan" 10
tells 'lan0 is none of the lan interfaces' 10.9.0.1 $server

# --- what was before ---
conf "balance = source" "sticky = 10m" -- 3 2 1 "1 tier=2"
begin
agree "hosts that are kept: the first time" 20
cp "$T/packets" "$T/again"
conf "balance = source" "sticky = 10m" -- 1 2 3 "1 tier=2"
mwan-rules apply 2>/dev/null
forget
agree "with other weights" "$T/again"
read -r host _ < <(grep " $server " "$T/again")
tells 'has ppp. already \(sticky\)' "$host" $server
conf "balance = source" -- 1 2 3 "1 tier=2"
mwan-rules apply 2>/dev/null
grep -v icmp "$T/again" >"$T/flows"
agree "known connections, by other rules" "$T/flows"
conf "balance = flow" -- 1 2 3 "1 tier=2"
mwan-rules apply 2>/dev/null
agree "and once more" "$T/flows"
# (A TCP one is over by now.)
read -ra packet < <(grep " $server udp " "$T/flows")
tells 'Its connection stays with ppp' "${packet[@]}"

conf "balance = source" -- 3 2 1 "1 tier=2"
begin
keep open -t tcp -s 10.9.1.0 -n 20 -p 5000
mwan-rules drain ppp0 2>/dev/null
again open "$T/open.now"
is "open TCP connections of a link that is drained: as it said" "$(
	while read -r host sport _; do
		echo "$host $sport $(verdict "$host" $server tcp "$sport" \
			$port)"
	done <"$T/open")" "$(sed 's/10\.64\.\(.\)\.100$/ppp\1/' "$T/open.now")"
like "there are some" "$(with ppp0 "$T/open" | wc -l)" '^[1-9]'
read -r host sport _ <"$T/open"
tells "NAT sends it to $host.* leaves by lan0|leaves by lan0.*to $host" \
	$server "$(awk '{ print $3; exit }' "$T/open")" tcp $port "$sport"
mwan-rules undrain ppp0 2>/dev/null

# Of a TCP connection it is the state that says whether it is over.
for state in ESTABLISHED SYN_SENT2 LAST_ACK TIME_WAIT CLOSE; do
	conntrack -I -p tcp -s 10.9.0.7 -d $server --sport 900 --dport 80 \
		--reply-src $server --reply-dst "$(local_of 2)" \
		--reply-port-src 80 --reply-port-dst 900 \
		--state $state -u SEEN_REPLY -t 100 -m 3 >/dev/null 2>&1
	knows='knows its connection, with mark 0x3'
	[[ $state != TIME_WAIT && $state != CLOSE ]] || knows='does not know'
	tells "conntrack $knows" 10.9.0.7 $server tcp 900 80
	forget
done

# --- the router itself ---
own() { # [ADDRESS]: like verdict and seen
	local saw
	saw=$("$deal" ask ${1:+-s "$1"} $server $port)
	echo "$(verdict "${1-self}" $server udp 1024 $port)" \
		"$(tally <(echo "$saw") | cut -d= -f1)"
}
for i in 0 1 2 3; do
	is "the router's own from the address of ppp$i" \
		"$(own "$(local_of $i)")" "ppp$i ppp$i"
done
like "the router's own" "$(own)" '^(ppp.) \1$'
tells 'bound to no address' self $server
tells 'for the router itself' 10.9.0.1 172.16.0.1
# From the LAN, to the address that a link has: it does not come by that link,
# whose rp_filter would drop it.
sysctl -qw net.ipv4.conf.ppp0.rp_filter=1
tells 'for the router itself\..* comes in by lan0, which leads to' \
	10.9.0.1 "$(local_of 0)"
tells 'comes in by ppp1, which has the address' $server "$(local_of 1)"
sysctl -qw net.ipv4.conf.ppp0.rp_filter=0

# --- what is not forwarded ---
sysctl -qw net.ipv4.conf.lan0.forwarding=0
tells 'nowhere: the kernel drops it without a word\..* '\
'net/ipv4/conf/lan0/forwarding is 0: nothing that' 10.9.0.1 $server
sysctl -qw net.ipv4.ip_forward=0
tells 'net.ipv4.ip_forward is 0: the router forwards nothing' 10.9.0.1 $server
silent 'forward' self $server
sysctl -qw net.ipv4.ip_forward=1
silent 'forward' 10.9.0.1 $server

# --- a source that only a link's default leads to ---
tells '\. +No interface of the LAN leads to 10.99.0.1, only ppp[0-3]: is the '\
'address right, and the LAN up\?' 10.99.0.1 $server
ip link set lan0 down
tells '\. +No interface of the LAN leads to 10.9.0.1, only ppp' 10.9.0.1 $server
ip link set lan0 up
wait_for 20 carriers
ip route add 10.8.0.0/16 via 172.16.0.2
ip route add 10.9.0.0/16 via 172.16.0.2
# What really comes by a link: a stranger to the LAN or a link's address, the
# peer, the answer of a known connection.
silent 'only ppp' $server 10.9.0.1 tcp 4000 80
silent 'only ppp' $server "$(local_of 1)" tcp 4000 80
silent 'only ppp' 10.64.1.1 10.9.0.1
silent 'only ppp' 10.64.1.1 $server
silent 'only ppp' 10.9.0.1 $server
silent 'only ppp' self $server
keep answers -t udp -s 10.9.1.0 -n 1 -p 5000
read -r host sport saw <"$T/answers"
silent 'only ppp' $server "$saw" udp $port "$sport"

# --- what goes to many ---
for to in 255.255.255.255 172.16.0.255 224.0.0.1 224.0.0.5 239.1.2.3; do
	kind=multicast
	[[ $to != *.255 ]] || kind=broadcast
	tells ": it is not forwarded\\. .* It is a $kind address: it is not forw" \
		10.9.0.1 $to
	silent 'decides otherwise|for the router|refuse' 10.9.0.1 $to udp 7 7
	is "and its exit status" "$(status mwan-rules why 10.9.0.1 $to)" 1
	silent 'decides otherwise|for the router' self $to
done
tells ': it leaves by lan0\..* It is a broadcast address' self 172.16.0.255
is "which is one of success" "$(status mwan-rules why self 172.16.0.255)" 0

# --- policies ---
policies() {
	policy web "source = 10.9.0.0/24" "protocol = tcp" \
		"destination_port = 80" "use = ppp2"
	policy except "source = 10.9.1.0/25" "use = balance"
	policy strict "source = 10.9.1.0/24" "use = ppp0" \
		"if_down = unreachable"
	policy main "source = 10.9.2.0-10.9.2.127" "use = main"
	policy ping "source = 10.9.2.0/24" "protocol = icmp" "use = ppp3"
	policy ports "source = 10.9.3.0/24" "protocol = udp tcp" \
		"source_port = 20000-30000" "use = ppp1"
	policy iface "interface = vpn0" "use = ppp1"
}
conf "balance = source" -- 3 2 1 "1 tier=2"
policies
begin
agree "policies of each kind" 60
tells 'Policy except \(2 of 7\) matches: use = balance' \
	10.9.1.9 $server udp 4000 7
tells 'Left out: policies that ask for a protocol or a port' \
	10.9.0.9 $server
forget
tells 'begins one\. +None of the 7 policies matches\. +The balance chooses' \
	10.9.3.9 $server udp 4000 7
silent 'None of' 10.9.1.9 $server udp 4000 7
silent 'None of' self $server
keep stays -t udp -s 10.9.3.0 -n 1 -p 5000
read -r host sport _ <"$T/stays"
tells 'Its connection stays with' "$host" $server udp "$sport" $port
silent 'None of' "$host" $server udp "$sport" $port

# --- a file that is not in force ---
cp /etc/ppp/mwan.ini "$T/applied.ini"
conf "balance = source" -- 3 2 1 "1 tier=2"
policy all "use = ppp3"
agree "the file was edited, and is not in force" 10
tells 'leaves by ppp2\. +It goes by what is in force; /etc/ppp/mwan.ini was'\
' changed since\..* Policy web ' 10.9.0.9 $server tcp 4000 80
echo nonsense >/etc/ppp/mwan.ini
tells 'leaves by ppp2\. +It goes by what is in force; /etc/ppp/mwan.ini was' \
	10.9.0.9 $server tcp 4000 80
: >/etc/ppp/mwan.ini
tells 'leaves by ppp2\. +It goes by what is in force; /etc/ppp/mwan.ini was' \
	10.9.0.9 $server tcp 4000 80
conf "balance = source" -- 3 2 1 "1 tier=2"
policy all "source = 10.9.7.0/24" "use = ppp3"
tells 'Policy all, the only one, does not match\.' \
	-f /etc/ppp/mwan.ini 10.9.0.9 $server
cp "$T/applied.ini" /etc/ppp/mwan.ini
silent 'changed since' 10.9.0.9 $server
cp /etc/ppp/mwan.ini "$T/other.ini"
sed -i 's/use = ppp2/use = ppp3/' "$T/other.ini"
tells "leaves by ppp3\. +It goes by $T/other.ini, as if that were in force" \
	-f "$T/other.ini" 10.9.0.9 $server tcp 4000 80
silent 'table differs' -f "$T/other.ini" 10.9.0.9 $server

# --- rules of somebody else ---
# theirs REGEX RULE...: what it says of a packet that this rule sends into the
# tunnel.
theirs() {
	local regex=$1
	shift
	ip rule add "$@"
	tells "leaves by vpn0\\..* $regex" 10.9.3.9 $server
	is "as it does" "$(seen 10.9.3.9 $server udp 4000 7)" vpn0
	forget
	ip rule del "$@"
}
ip route add default via 172.17.0.2 dev vpn0 table 99
vpn ip addr add $server/32 dev lo
theirs 'Rule 998, which is not ours \(from 10.9.0.0/22 lookup 99\), takes it' \
	pref 998 from 10.9.0.0/22 lookup 99
theirs 'Rule 998, which is not ours \(to 198.51.100.1 iif lan0 lookup 99\), ' \
	pref 998 to $server iif lan0 lookup 99
theirs 'Rule 998, which is not ours \(not to 10.9.0.0/16 lookup 99\), ' \
	pref 998 not to 10.9.0.0/16 lookup 99
theirs 'decides otherwise, by table 99: see "ip rule"\.' \
	pref 998 iif lan0 ipproto udp lookup 99
ip rule add pref 996 from 10.9.0.0/23 lookup 99
ip rule add pref 997 iif ppp0 lookup 99
theirs 'Rule 998, which is not ours \(iif lan0 lookup 99\), takes it first' \
	pref 998 iif lan0 lookup 99
silent 'not ours|otherwise' 10.9.3.9 $server
ip rule del pref 996
ip rule del pref 997
vpn ip addr del $server/32 dev lo

# --- one drained, one down ---
mwan-rules drain ppp1 2>/dev/null
forget
agree "one link drained" 40
cut_off 0
forget
agree "another one down, and no hook has run" 40
tells 'ppp0 \(down\) has no default\. .* \(standby\) leads to ppp2' \
	10.9.1.200 $server udp 4000 7
tells 'goes nowhere: a policy has it refused' 10.9.1.200 $server udp 4000 7
# Somebody else's defaults in its table, by what is no link.
ip route add default via 172.17.0.2 dev vpn0 table 1001
tells 'table 1001 of ppp0 \(down\) leads to vpn0\.' 10.9.1.200 $server udp 4000 7
ip route replace default table 1001 nexthop via 172.17.0.2 dev vpn0 \
	nexthop via 172.16.0.2 dev lan0
tells 'of ppp0 \(down\) leads to several interfaces\.' \
	10.9.1.200 $server udp 4000 7
silent 'decides otherwise' 10.9.1.200 $server udp 4000 7
ip route del default table 1001
hook down ppp0 10.64.0.100 10.64.0.1
forget
agree "and after the hook" 40
mwan-rules undrain ppp1 2>/dev/null
forget
agree "drained no more" 30

conf "balance = flow" -- 3 2 1 "1 tier=2"
begin
agree "flow, one link down: one of those that it names" 40
for sport in {4000..4099}; do
	[ "$(verdict 10.9.0.1 $server udp "$sport" $port)" != ppp1,ppp2 ] ||
		break
done
tells 'leaves by ppp1 or ppp2\. ' 10.9.0.1 $server udp "$sport" $port

# --- none is left ---
cut_off 1 2 3
forget
agree "no link" 20
conf "last_resort = unreachable" -- 3 2 1 "1 tier=2"
mwan-rules apply 2>/dev/null
agree "no link, last_resort = unreachable" 20
tells 'refuses it \(last_resort\)' 10.9.0.1 $server
links_come 0 1 2 3
conf "balance = source" -- 3 2 1 "1 tier=2"
begin
agree "all of them are back" 20

# --- not in force ---
mwan-rules flush
forget
tells 'Nothing is marked' 10.9.0.1 $server
agree "nothing in force" 10
# What a strict rp_filter drops, of ppp1 or of all, unless the larger one is
# loose: the way back to the source is by another link.
ip route add default dev ppp0
for filter in "1 0" "0 1" "1 2" "2 1"; do
	sysctl -qw net.ipv4.conf.ppp1.rp_filter="${filter% *}" \
		net.ipv4.conf.all.rp_filter="${filter#* }"
	if [[ $filter == *2* ]]; then
		silent 'rp_filter' $server "$(local_of 1)"
	else
		tells 'nowhere: reverse path filtering \(rp_filter\) drops it' \
			$server "$(local_of 1)"
	fi
done
sysctl -qw net.ipv4.conf.ppp1.rp_filter=0 net.ipv4.conf.all.rp_filter=0
ip route del default dev ppp0

diag "$agreed of $total verdicts are what the kernel did; $exact name one way"
like "there were enough that name one way" "$exact" '^[2-9][0-9][0-9]$'

is "no line is longer than 80 columns" "$(awk 'length > 80' "$T/lines")" ""
like "what is longer goes on behind four blanks" \
	"$(grep -c '^    [^ ]' "$T/lines")" '^[1-9]'

# --- how it is called ---
is "a source is missing" "$(status mwan-rules why)" 64
is "ports without a second" "$(status mwan-rules why 10.9.0.1 10.9.0.2 tcp 1)" 64
is "no address" "$(status mwan-rules why lan 10.9.0.2)" 64
is "no protocol" "$(status mwan-rules why 10.9.0.1 10.9.0.2 tpc 1 2)" 64
is "no port" "$(status mwan-rules why 10.9.0.1 10.9.0.2 tcp 1 65536)" 64
is "ports of ICMP" "$(status mwan-rules why 10.9.0.1 10.9.0.2 icmp 1 2)" 64
mwan-rules apply 2>/dev/null
nft list table inet mwan >"$T/nft.before"
ip rule >"$T/rules.before"
size=$(wc -c </var/log/ifchang.log)
mwan-rules why 10.9.0.1 $server >/dev/null
ok "no rule of nftables is changed" cmp "$T/nft.before" \
	<(nft list table inet mwan)
ok "no other rule is" cmp "$T/rules.before" <(ip rule)
is "nothing is logged" "$(wc -c </var/log/ifchang.log)" "$size"
like "others may not see" "$(setpriv --reuid=65534 --clear-groups \
	"$BIN/mwan-rules" why 10.9.0.1 $server 2>&1)" \
	'only root can see what is in force: run mwan-rules why as root'
echo nonsense >/etc/ppp/mwan.ini
is "a configuration with a mistake" \
	"$(status mwan-rules why -f /etc/ppp/mwan.ini 10.9.0.1 $server)" 78
done_testing
