#!/bin/bash
# Links that lead on by a router on Ethernet, beside one of pppd's.
. "$(dirname "$0")/lib/lib.sh"
. "$root/t/lib/lan.sh"
. "$root/t/lib/modem.sh"

net5 1
modem 1
modem 2 192.168.1.1 192.168.1.3

# links LINE...: an mwan.ini with the three, and lines for eth1 and eth2, "1 LINE".
links() {
	local n line
	{
		printf '[mwan]\nbalance = flow\nlan = lan0\n'
		printf '[link ppp0]\ntable = 1001\nqdisc = none\n'
		for n in 1 2; do
			printf '[link eth%d]\ntable = %d\n' $n $((1001 + n))
			for line; do
				[ "${line%% *}" != $n ] || echo "${line#* }"
			done
		done
	} >/etc/ppp/mwan.ini
}

defaults() { # TABLE
	ip route show table "$1" default 2>/dev/null | sed 's/ dead//; s/ *$//'
}

nexthops() {
	ip nexthop show proto 119 | grep -v group | sed 's/ *$//'
}

# --- the gateway is given, or found ---
links '1 gateway = 192.168.1.1'
ok "apply" mwan-rules apply
is "a gateway of mwan.ini" "$(defaults 1002)" \
	"default via 192.168.1.1 dev eth1 proto 119 onlink"

is "is its nexthop's, too" "$(nexthops)" \
	"id 77001 dev ppp0 scope host proto 119
id 77002 via 192.168.1.1 dev eth1 scope link proto 119 onlink"
is "eth2 has none, and no default" "$(defaults 1003)" ""
ip route add default via 192.168.1.1 dev eth2 metric 300
mwan-rules apply 2>/dev/null
is "main has one, by its device" "$(defaults 1003)" \
	"default via 192.168.1.1 dev eth2 proto 119 onlink"
ip route del default via 192.168.1.1 dev eth2 metric 300
mwan-rules apply 2>/dev/null
is "main has none any more" "$(defaults 1003)" ""
ip route add default via 192.168.1.1 dev eth2 metric 1024 proto dhcp table 1003
mwan-rules apply 2>/dev/null
is "networkd's default in its own table tells it, and stays" \
	"$(defaults 1003)" \
	"default via 192.168.1.1 dev eth2 proto 119 onlink
default via 192.168.1.1 dev eth2 proto dhcp metric 1024"
ask -s 10.9.0.1 -n 600 -p 2000 >"$T/dealt"
ok "each link carries its share" fair "$T/dealt" 1 1 1
ip route del default via 192.168.1.1 dev eth2 metric 1024 proto dhcp table 1003

# --- nobody says it ---
lacks="eth2 is not used, as nobody says who its gateway is: write \"gateway = \
ADDRESS\" below [link eth2] in mwan.ini, or have its DHCP client call \
\"mwan-rules up\", see mwan.ini(5)"
is "apply says so" "$(mwan-rules apply 2>&1)" "mwan-rules: $lacks"
like "its log does" "$(tail -n 1 /var/log/ifchang.log)" \
	'event=apply .*warning="eth2 is not used, as nobody'
is "check says so, and that the file is fine" "$(mwan-rules check 2>&1 >"$T/out"
	head -n 1 "$T/out")" "mwan-rules: $lacks
/etc/ppp/mwan.ini is fine, with these links:"
is "check shows what the file says" "$(sed -n 3,4p "$T/out")" \
	"eth1: table 1002, mark 0x2, weight 1, tier 1, gateway 192.168.1.1
eth2: table 1003, mark 0x3, weight 1, tier 1"
mwan-rules status --json >"$T/json"
is "status says so" "$(jq -r '.problems[] | .kind, .link, .text' "$T/json")" \
	"no-gateway
eth2
$lacks."
is "and shows each gateway" "$(jq -c '[.links[] | .up, .peer, .gateway]' \
	"$T/json")" '[true,"10.64.0.1",null,true,null,"192.168.1.1",false,null,null]'

# --- a DHCP client says it ---
is "up -n prints what would be done" "$(mwan-rules up -n eth2 192.168.1.3 \
	192.168.1.1 | grep -v '^#' | head -n 5)" "cat >/run/mwan/gateway <<'END'
eth2 192.168.1.1
END
ip nexthop replace id 77003 via 192.168.1.1 dev eth2 onlink protocol 119
ip route prepend default via 192.168.1.1 dev eth2 onlink table 1003 protocol 119"
is "and changes nothing" "$(ls /run/mwan/gateway 2>&1; defaults 1003)" \
	"ls: cannot access '/run/mwan/gateway': No such file or directory"
is "up" "$(mwan-rules up eth2 192.168.1.3 192.168.1.1; echo $?)" 0
is "its default" "$(defaults 1003)" \
	"default via 192.168.1.1 dev eth2 proto 119 onlink"
like "its log" "$(tail -n 1 /var/log/ifchang.log)" \
	'tool=mwan-rules .*event=up if=eth2 local=192.168.1.3 default=eth2 gateway=192.168.1.1 changes=.* result=ok'
mwan-rules up eth2 192.168.1.3 192.168.1.1
like "once more: nothing to do" "$(tail -n 1 /var/log/ifchang.log)" \
	'changes=0 result=unchanged'
mwan-rules up eth1
is "another link's event keeps it" "$(defaults 1003)" \
	"default via 192.168.1.1 dev eth2 proto 119 onlink"
mwan-rules flush 2>/dev/null
mwan-rules apply 2>/dev/null
is "flush and apply do" "$(defaults 1003)" \
	"default via 192.168.1.1 dev eth2 proto 119 onlink"
mwan-rules up eth2 192.168.1.3 192.168.1.254
is "it is another one" "$(defaults 1003)" \
	"default via 192.168.1.254 dev eth2 proto 119 onlink"
like "why says it" "$(mwan-rules why self $inet 2>/dev/null; ip rule add pref 5 \
	from 192.168.1.3 lookup 1003; mwan-rules why 192.168.1.3 $inet)" \
	'it leaves by eth2, via 192.168.1.254'
ip rule del pref 5
mwan-rules up eth2 192.168.1.3 192.168.1.3 2>"$T/msg"
like "its own address is none" "$(defaults 1003) $(<"$T/msg")" \
	"^ mwan-rules: eth2 is not used, as what is said to be its gateway is its own address"
mwan-rules up eth2 192.168.1.3 192.168.1.1
mwan-rules down eth2 2>/dev/null
is "down forgets it" "$(defaults 1003) $(ls /run/mwan/gateway 2>&1)" \
	" ls: cannot access '/run/mwan/gateway': No such file or directory"
is "an interface that is no link" "$(mwan-rules up eth9 10.0.0.1 2>&1; echo $?)" \
	"mwan-rules: eth9 is not a configured link
0"
like "is in the log" "$(tail -n 1 /var/log/ifchang.log)" 'event=ignored if=eth9'

# --- what may stand in the place of its file ---
links
for kind in directory link open fifo; do
	rm -rf /run/mwan/gateway
	case $kind in
	directory) mkdir /run/mwan/gateway ;;
	link) ln -s /etc/shadow /run/mwan/gateway ;;
	open) echo 'eth2 192.168.1.1' | install -m 666 /dev/stdin \
		/run/mwan/gateway ;;
	fifo) mkfifo /run/mwan/gateway ;;
	esac
	ip route flush table 1001
	mwan-rules up eth2 192.168.1.3 192.168.1.1 2>"$T/msg"
	is "$kind: up fails" "$?" 1
	like "$kind: in a sentence" "$(<"$T/msg")" \
		"^mwan-rules: cannot read the links' gateways from /run/mwan/gateway: "
	hook up ppp0 10.64.0.100 2>"$T/msg"
	is "$kind: a hook says so, and pppd's link works" "$? $(defaults 1001) $(
		grep -c "cannot read the links' gateways" "$T/msg")" \
		"1 default dev ppp0 proto 119 scope link 1"
done
rm -rf /run/mwan/gateway
head -c 3000 /dev/urandom >/run/mwan/gateway
chmod 600 /run/mwan/gateway
printf '\neth2 192.168.1.1 x\neth2 0.0.0.0\neth2\n eth2 192.168.1.1\neth9 10.0.0.1\n' \
	>>/run/mwan/gateway
hook up ppp0 10.64.0.100
is "nonsense in it is no gateway" "$? $(defaults 1003)" "0 "
mwan-rules up eth2 192.168.1.3 192.168.1.1
is "and the next up writes it anew" "$(</run/mwan/gateway)" \
	"eth2 192.168.1.1"
mwan-rules down eth2 2>/dev/null
# Somebody holds the lock for longer than a hook would wait.
(
	flock 9
	touch "$T/held"
	pause 3
) 9>/run/mwan/lock &
holder=$!
ok "the lock is held" wait_for 20 test -e "$T/held"
mwan-rules up eth2 192.168.1.3 192.168.1.1
is "what a client says once is not lost to a lock" "$? $(defaults 1003)" \
	"0 default via 192.168.1.1 dev eth2 proto 119 onlink"
wait "$holder"
mwan-rules down eth2 2>/dev/null
links '1 gateway = 192.168.1.1'
mwan-rules apply 2>/dev/null

# --- main's default through a link ---
mwan-rules up eth2 192.168.1.3 192.168.1.1
problems() {
	mwan-rules status --json | jq -c '[.problems[].kind]'
}
ip route add default via 192.168.1.1 dev eth2 metric 300
is "fails over with it, and is no fault" "$(problems)" '[]'
mwan-rules drain eth2 2>/dev/null
is "while the link is drained it is" "$(problems)" '["foreign-default"]'
like "and its client's own way is named" "$(mwan-rules status | tr -s '\n ' ' ')" \
	'tell its DHCP client not to \(networkd: RouteTable=, dhcpcd: nogateway'
mwan-rules undrain eth2 2>/dev/null
sysctl -qw net.ipv4.conf.eth2.ignore_routes_with_linkdown=0
is "where the kernel does not pass over it, it is" "$(problems)" \
	'["linkdown","foreign-default"]'
mwan-rules apply 2>/dev/null
is "apply mends that" "$(problems)" '[]'
ip route del default via 192.168.1.1 dev eth2 metric 300

# --- the cable ---
is "all of them are up" "$(mwan-rules status --json | jq -c '[.links[].up]')" \
	'[true,true,true]'
keep flows -s 10.9.0.1 -n 300 -p 4000
by() { # N: of eth1, after all three
	grep -c " 10.64.$1.100\$" "$T/flows"
}
like "flows by each" "$(tally "$T/flows")" '^ppp0=[0-9]+ ppp1=[0-9]+ ppp2=[0-9]+$'
cp "$T/flows" "$T/before"
pull 1
# A packet each, which conntrack and the masquerade may take to forget.
again flows "$T/lost"
again flows "$T/after"
is "pulled: flows of the others stay where they are" \
	"$(of_hosts <(without ppp1 "$T/before") "$T/after" | cut -d' ' -f1,3)" \
	"$(without ppp1 "$T/before" | cut -d' ' -f1,3)"
is "its own go on by the others, with no process" \
	"$(of_hosts <(with ppp1 "$T/before") "$T/after" |
		grep -c ' 10.64.[02].100$')" "$(with ppp1 "$T/before" | wc -l)"
mwan-rules up eth2 192.168.1.3 192.168.1.1
is "an event meanwhile keeps its default for the cable's return" \
	"$(defaults 1002)" \
	"default via 192.168.1.1 dev eth1 proto 119 onlink linkdown"
like "status says why it is down" "$(mwan-rules status | tr -s '\n ' ' ')" \
	'eth1 is down, the interface has no carrier: see "ip addr show dev eth1"'
plug 1
forget
ask -s 10.9.0.1 -n 300 -p 5000 >"$T/dealt"
ok "plugged in: new connections use it by themselves" fair "$T/dealt" 1 1 1
is "its nexthop is not back" "$(nexthops | grep -c eth1)" 0
mwan-rules up eth2
is "the next event brings it back" "$(nexthops | grep -c eth1)" 1
is "and all is well" "$(problems)" '[]'

# --- IPv6: a router's advertisement, or a hook, says it ---
sysctl -qw net.ipv6.conf.{all,default,eth1}.disable_ipv6=0
ip -6 addr add 2001:db8:1::2/64 dev eth1 nodad
ip -6 route add default via fe80::1 dev eth1 proto ra metric 1024
cp /etc/ppp/mwan.ini "$T/ipv4.ini"
sed -i 's/^\[mwan]/&\nipv6 = yes/; s/^table = 1002/&\nprefix6 = 2001:db8:1::\/64/' \
	/etc/ppp/mwan.ini
defaults6() {
	ip -6 route show table 1002 default | grep -o 'via.* dev [^ ]* proto 119'
}
mwan-rules apply 2>/dev/null
is "IPv6: main has it from a router's advertisement" "$(defaults6)" \
	"via fe80::1 dev eth1 proto 119"
is "and so does its nexthop, in a group of its own family" \
	"$(ip nexthop | grep -c 'via fe80::1 dev eth1') $(ip nexthop |
		grep -c 'group 77514 ')" "1 1"
is "the kernel passes over it without carrier" \
	"$(sysctl -n net.ipv6.conf.eth1.ignore_routes_with_linkdown)" 1
is "once more: nothing to do" "$(mwan-rules apply -n 2>/dev/null)" ""
ip -6 route del default via fe80::1 dev eth1
mwan-rules up eth1 2001:db8:1::2 fe80::9
is "or a client says it" "$(defaults6)" "via fe80::9 dev eth1 proto 119"
cp "$T/ipv4.ini" /etc/ppp/mwan.ini
mwan-rules apply 2>/dev/null
sysctl -qw net.ipv6.conf.{all,default,eth1}.disable_ipv6=1

# --- one address on both, and another network of the LAN's ---
ip addr flush dev eth2
ip addr add 192.168.1.2/24 dev eth2
mwan-rules up eth2 192.168.1.2 192.168.1.1
forget
ask -s 10.9.0.1 -n 300 -p 6000 >"$T/dealt"
ok "two modems and one address: each link carries its share" \
	fair "$T/dealt" 1 1 1
is "status says what the router's own sockets do" "$(problems)" \
	'["same-address"]'
is "a packet that nobody has translated is stopped as ever" "$(
	nft list chain inet mwan guard | grep -c 'fib saddr . oif type != local')" 1
is "once more: nothing to do" "$(mwan-rules apply -n 2>/dev/null)" ""
ip addr flush dev eth2
ip addr add 192.168.1.3/24 dev eth2
mwan-rules up eth2 192.168.1.3 192.168.1.1
is "other addresses, and the guard is as it was" "$(
	nft list chain inet mwan guard | grep -c 'ct status snat fib saddr type != local'
	problems)" '1
[]'

# --- a LAN with the addresses of a link's network ---
overlaps() {
	mwan-rules status --json | jq -c '[.problems[] | .kind, .link]'
}
ip addr add 192.168.1.129/25 dev lan0
ip -n lan route add local 192.168.1.128/25 dev lo
mwan-rules apply
is "a LAN that has a part of a link's network: all is well" "$(problems)" '[]'
forget
ask -s 192.168.1.130 -n 100 -p 9000 >"$T/dealt"
ok "its hosts have a share of each link" fair "$T/dealt" 1 1 1
ip addr del 192.168.1.129/25 dev lan0
ip addr add 192.168.1.129/24 dev lan0
is "a LAN that has all of it: check says so of each" "$(mwan-rules check 2>&1 |
	sed -n 's/.*: \(eth[12] is not used, .*\) is lan0.s, too.*/\1/p')" \
	"eth1 is not used, as its network 192.168.1.0/24
eth2 is not used, as its network 192.168.1.0/24"
like "as does apply" "$(mwan-rules apply 2>&1)" \
	'eth1 is not used, as its network 192.168.1.0/24 is lan0.s, too'
like "and the log" "$(tail -n 1 /var/log/ifchang.log)" \
	'warning="eth1 is not used, as its network'
is "and status" "$(overlaps)" '["overlap","eth1","overlap","eth2"]'
forget
ask -s 10.9.0.1 -n 30 -p 2000 >"$T/dealt"
is "they are not used" "$(tally "$T/dealt")" "ppp0=30"
sed -i 's/^lan = .*/lan = lan1/' /etc/ppp/mwan.ini
mwan-rules apply 2>/dev/null
like "where that is no LAN they are" "$(defaults 1002)" 'via 192.168.1.1 dev eth1'
is "but it is a fault" "$(overlaps)" \
	'["overlap","eth1","overlap","eth2","lan",null]'
sed -i 's/^lan = .*/lan = lan0/' /etc/ppp/mwan.ini
ip addr del 192.168.1.129/24 dev lan0
ip -n lan route del local 192.168.1.128/25 dev lo
mwan-rules apply 2>/dev/null
is "it has another one: they are used again" "$(problems)" '[]'

# --- two cards, and then one with a macvlan, on the segment of two routers ---
is "networks that overlap: each card answers for itself" \
	"$(sysctl -n net.ipv4.conf.eth{1,2}.arp_{ignore,announce} | xargs)" \
	"1 2 1 2"
is "a link's that overlaps none keeps what it has" \
	"$(sysctl -n net.ipv4.conf.ppp0.arp_{ignore,announce} | xargs)" "0 0"
ip netns add switch
ip -n switch link add br0 type bridge
ip -n switch link set br0 up
for n in 1 2; do
	ip link del eth$n
	ip -n switch link add modem$n type veth peer name lan netns modem$n
	modem_of $n ip addr add "192.168.1.$((n == 1 ? 1 : 254))/24" dev lan
	modem_of $n ip link set lan up
	ip link add eth$n type veth peer name router$n netns switch
	ip -n switch link set modem$n master br0 up
	ip -n switch link set router$n master br0 up
	ip link set eth$n up
	ip addr add 192.168.1.$((n + 1))/24 dev eth$n
done
links '1 gateway = 192.168.1.1' '2 gateway = 192.168.1.254'
wait_for 20 carriers
mwan-rules apply 2>/dev/null
is "one segment: the cards that are new answer for themselves" \
	"$(sysctl -n net.ipv4.conf.eth{1,2}.arp_{ignore,announce} | xargs)" \
	"1 2 1 2"
# learned N: whose hardware address modem N has for 192.168.1.$((N + 1))
learned() {
	modem_of "$1" ip neigh flush all
	modem_of "$1" "$deal" ask -n 1 192.168.1.$(($1 + 1)) 9 >/dev/null 2>&1
	modem_of "$1" ip -j neigh show 192.168.1.$(($1 + 1)) |
		jq -r '.[0].lladdr'
}
for n in 1 2; do
	is "one segment: modem $n learns the card of the address" "$(learned $n)" \
		"$(ip -j link show "eth$n" | jq -r '.[0].address')"
done
forget
ask -s 10.9.0.1 -n 300 -p 7000 >"$T/dealt"
ok "one segment: each link carries its share" fair "$T/dealt" 1 1 1
ip link del eth2
ip link add eth2 link eth1 type macvlan mode private
ip addr add 192.168.1.3/24 dev eth2
ip link set eth2 up
mwan-rules up eth2
forget
ask -s 10.9.0.1 -n 300 -p 8000 >"$T/dealt"
ok "one card and a macvlan: each link carries its share" \
	fair "$T/dealt" 1 1 1
is "and all is well" "$(problems)" '[]'
done_testing
