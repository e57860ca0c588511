#!/bin/bash
# mwan-rules init: what it makes of machines of several kinds. What it writes
# must be a configuration that check takes and apply puts in force.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

# machine: one without anything.
machine() {
	mount -t tmpfs tmpfs /etc
	mkdir -p /etc/ppp/peers /etc/iproute2
	grep -v ppp "$T/iproute2/rt_tables" >/etc/iproute2/rt_tables
	ip -force -batch - 2>/dev/null <<-END
	link del eth1
	link del eth2
	link del eth3
	link del br0
	END
}

card() { # NAME [ADDRESS]
	ip link add "$1" type veth peer name "x$1"
	ip link set "x$1" up
	ip link set "$1" up
	[ -z "${2-}" ] || ip addr add "$2" dev "$1"
}

# init: what it writes is in $T/ini, what it says in $T/said.
init() {
	mwan-rules init >"$T/ini" 2>"$T/said"
}

# The lines that count.
settings() {
	grep -v '^#\|^$' "$T/ini" | paste -sd' '
}

fine() {
	cp "$T/ini" /etc/ppp/mwan.ini
	mwan-rules check
}

head="[mwan] rule_priority = 6000 mark_mask = 0xff000000"

# --- nothing ---
machine
not_ok "no line at all: it fails" init
like "and says what to do" "$(cat "$T/said")" \
	'no line was found: describe each to pppd, a file in /etc/ppp/peers'
is "and has written no link" "$(settings)" "$head"

# --- the samples, on a machine with a bridge ---
machine
cp "$root"/etc/ppp/peers/* /etc/ppp/peers
card br0 192.168.1.1/24
card eth1 192.168.100.2/24
ok "two lines" init
is "two links" "$(settings)" "$head [link ppp0] table = 201 linkname = wan0 \
[link ppp1] table = 202 linkname = wan1"
is "the samples lack nothing" "$(cat "$T/said")" ""
like "the LAN is the bridge, not the modem's port" "$(cat "$T/ini")" \
	$'\n# lan = br0\n'
like "where a link was found" "$(cat "$T/ini")" \
	'# /etc/ppp/peers/wan0, by the Ethernet port eth1'
ok "check takes it" fine
ok "and apply" mwan-rules apply
mwan-rules flush
sed 's/^# \([a-z_0-9]* = \)/\1/' "$T/ini" >"$T/all.ini"
sed -i 's/^mark_mask.*//2' "$T/all.ini"
ok "and so is what it has as comments" mwan-rules check -f "$T/all.ini"
init
like "a configuration that is there is told of" "$(cat "$T/said")" \
	'/etc/ppp/mwan.ini is there already'

# --- Debian's pppoeconf, and what people forget ---
machine
cat >/etc/ppp/options <<'END'
# Debian's
asyncmap 0
lcp-echo-interval 30
lcp-echo-failure 4
END
cat >/etc/ppp/peers/dsl-provider <<'END'
noipdefault
defaultroute
replacedefaultroute
persist
user "me@isp"
password "unit 5 #x"
plugin rp-pppoe.so
nic-eth1
END
cat >/etc/ppp/peers/zweite <<'END'
pty "/usr/sbin/pppoe -I eth2 -T 80 -m 1452"
call common
demand
unit 0
END
echo 'persist maxfail 0 +ipv6 plugin rp-pppoe.so call common' \
	>/etc/ppp/peers/common
printf 'connect "/usr/sbin/chat -v"\n/dev/modem\n' >/etc/ppp/peers/provider
printf 'plugin rp-pppoe.so\nunit 9\n' >/etc/ppp/peers/$'a\n[policy x]'
printf 'plugin rp-pppoe.so\nunit 9\n' >/etc/ppp/peers/old.dpkg-old
ok "files of a person" init
is "a line without a number gets the next one" "$(settings)" \
	"$head [link ppp0] table = 201 [link ppp1] table = 202"
is "what they lack" "$(cat "$T/said")" "\
mwan-rules: /etc/ppp/peers/zweite lacks lines: linkname zweite
mwan-rules: /etc/ppp/peers/zweite: remove demand: a line must come and go with its session
mwan-rules: /etc/ppp/peers/dsl-provider lacks lines: unit 1; linkname dsl-provider; maxfail 0
mwan-rules: /etc/ppp/peers/dsl-provider: write nodefaultroute in the place of defaultroute and replacedefaultroute, also in /etc/ppp/options: that route does not fail over"
is "each is in the file as well" "$(sed 's/^# //' "$T/ini" | paste -sd' ' |
	grep -o 'zweite lacks lines: linkname zweite\|dsl-provider lacks' |
	wc -l)" 2
not_ok "no password" grep -q 'unit 5\|me@isp' "$T/ini" "$T/said"
like "a port behind pty" "$(cat "$T/ini")" \
	'# /etc/ppp/peers/zweite, by the Ethernet port eth2'
like "IPv6 is asked for" "$(cat "$T/ini")" 'A line asks for IPv6'
ok "check takes it" fine
# What it says that is missing, once it is there.
sed -i 's/^demand/linkname zweite/' /etc/ppp/peers/zweite
sed -i '/defaultroute/d' /etc/ppp/peers/dsl-provider
printf 'unit 1\nlinkname dsl-provider\nmaxfail 0\n' >>/etc/ppp/peers/dsl-provider
rm /etc/ppp/mwan.ini
init
is "done as told: nothing is left to say" "$(cat "$T/said")" ""
like "and the names are used" "$(settings)" 'table = 202 linkname = dsl-provider'

# Two lines of one number.
sed -i 's/unit 0/unit 1/' /etc/ppp/peers/zweite
init
like "two files of one number" "$(cat "$T/said")" \
	'zweite: another line is ppp1 already: give this one a "unit" of its own'
ok "check takes it" fine

# --- the machine of 2004 ---
machine
links_wanted ppp0 ppp1
cp "$root"/t/bench/baseline/rc.local /etc/rc.local
cp "$root"/t/bench/baseline/ip-*.local /etc/ppp
for what in up down; do
	printf '#!/bin/sh\n/etc/ppp/ip-%s.local "$@"\n' $what >/etc/ppp/ip-$what
	chmod +x /etc/ppp/ip-$what /etc/ppp/ip-$what.local
done
mkdir -p /etc/sysconfig/network-scripts
for i in 0 1; do
	printf 'TYPE=xDSL\nDEVICE=ppp%u\nETH="eth%u"\nDEMAND=no\n' $i $((i + 1)) \
		>/etc/sysconfig/network-scripts/ifcfg-ppp$i
done
ip rule add fwmark 1 table ppp0
ok "the scripts of 2004" init
is "their tables, and their marks" "$(settings)" "[mwan] rule_priority = 6000 \
[link ppp0] table = 201 [link ppp1] table = 202"
is "what they have to do" "$(sed 's/mwan-rules: //; s/ .*//' "$T/said")" "\
/etc/sysconfig/network-scripts/ifcfg-ppp0
/etc/sysconfig/network-scripts/ifcfg-ppp1
ip
/etc/rc.local
/etc/ppp/ip-up.local
/etc/ppp/ip-down.local"
like "where that is told" "$(cat "$T/said")" \
	'/etc/rc.local has lines with "cprt ".*"Moving from the scripts of 2004"'
ok "the README has that" grep -q '^## Moving from the scripts of 2004' \
	"$root/README.md"
ip rule del fwmark 1 table ppp0
ok "check takes it" fine

# --- DHCP, LTE, NetworkManager, ---
machine
card br0 10.0.0.1/24
card eth2 192.168.8.100/24
card eth3 192.168.9.100/24
card wwan0 100.64.7.2/30
ip route add default via 192.168.8.1 dev eth2 proto dhcp
ip route add default via 192.168.9.1 dev eth3 proto dhcp table 77
ip route add default via 100.64.7.1 dev wwan0 metric 700
ip route add 203.0.113.0/24 dev br0 table 201
mkdir -p /etc/NetworkManager/system-connections /run/NetworkManager
cat >/etc/NetworkManager/system-connections/Glasfaser.nmconnection <<'END'
[connection]
id=Glasfaser [policy x]
type=pppoe
interface-name=ppp0
[pppoe]
parent=eth1
username=me
[ipv4]
method=auto
END
ok "other lines" init
is "each with its table; not one that has routes" "$(settings)" "$head \
[link ppp0] table = 202 [link eth2] table = 203 [link eth3] table = 77 \
[link wwan0] table = 204"
like "the wireless one may stand by" "$(cat "$T/ini")" \
	$'\\[link wwan0\\]\ntable = 204\n# It seems to be wireless.*# tier = 2\n'
like "NetworkManager's routes" "$(cat "$T/said")" \
	'Glasfaser.nmconnection: nmcli connection modify ... ipv4.never-default yes'
like "its dispatcher" "$(cat "$T/said")" 'etc/dhcp/NetworkManager-dispatcher'
like "main's default" "$(cat "$T/said")" 'eth2 has a default route in main'
not_ok "eth3 has none" grep -q 'eth3 has' "$T/said"
like "the LAN" "$(cat "$T/ini")" $'\n# lan = br0\n'
ok "check takes it" fine
ok "and apply" mwan-rules apply
rm /etc/ppp/mwan.ini
init
is "what apply has made changes nothing" "$(settings | cut -d' ' -f 8-)" \
	"[link ppp0] table = 202 [link eth2] table = 203 [link eth3] \
table = 77 [link wwan0] table = 204"
mwan-rules flush

# --- the three commands of the manual page ---
machine
cp "$root"/etc/ppp/peers/* /etc/ppp/peers
sed -n '/^\.\\" example: init/,/^\.Ed/ { /^\./d; p }' "$root/cmd/mwan-rules.8" \
	>"$T/start"
is "the manual page has three commands" "$(wc -l <"$T/start")" 3
ok "and they run" sh -e "$T/start"
ok "and put two links in force" grep -q '^\[link ppp1\]' /run/mwan/mwan.ini
mwan-rules flush

# --- not root; a full disk ---
machine
cp "$root"/etc/ppp/peers/* /etc/ppp/peers
chmod 750 /etc/ppp/peers
setpriv --reuid 65534 --regid 65534 --clear-groups "$BIN/mwan-rules" init \
	>"$T/ini" 2>"$T/said"
like "without root it says what it cannot read" "$(cat "$T/said")" \
	'/etc/ppp/peers can be read by root only'
is "a full disk is told of" "$(mwan-rules init 2>/dev/null >/dev/full
	echo $?)" 1
is "misuse" "$(status mwan-rules init ppp0)" 64
is "-n is no option of it" "$(status mwan-rules init -n)" 64
done_testing
