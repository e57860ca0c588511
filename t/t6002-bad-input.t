#!/bin/bash
# Whatever is missing or malformed: one sentence that quotes it, exit 64 or
# 78, nothing changed; and links keep working under a bad configuration.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

objects() {
	ip rule
	ip nexthop
	ip route show table all
	nft list ruleset
}

# refused DESCRIPTION STATUS REGEX COMMAND...: exits so, says so in one line.
refused() {
	local desc=$1 want=$2 regex=$3 before said
	shift 3
	before=$(objects)
	said=$("$@" 2>&1 >/dev/null)
	is "$desc: exit" "$?" "$want"
	like "$desc: says" "$said" "$regex"
	is "$desc: in one line" "$(wc -l <<<"$said")" 1
	is "$desc: nothing changed" "$(objects)" "$before"
}

up() {
	env -i "$@" "$BIN/ip-up.local"
}

links_wanted ppp0 ppp1
ini '[link ppp0]' '[link ppp1]'
link_new ppp0 10.64.1.100 10.64.1.1
link_new ppp1 10.64.2.100 10.64.2.1

refused "no IFNAME" 64 '^ip-up.local: IFNAME is missing' up IPLOCAL=10.0.0.1
like "no IFNAME: also in the log" "$(cat /var/log/ifchang.log)" \
	'event=failed error="IFNAME is missing.*result=usage'
refused "no IPLOCAL" 64 'IPLOCAL is missing: ppp0' up IFNAME=ppp0
refused "bad IPLOCAL" 64 'IPLOCAL "10.0.0" is not' up IFNAME=ppp0 IPLOCAL=10.0.0
refused "bad IFNAME" 64 'IFNAME "a/b" cannot be' up IFNAME=a/b IPLOCAL=10.0.0.1
refused "long IFNAME" 64 'IFNAME "abcdefghijklmnop" cannot' \
	up IFNAME=abcdefghijklmnop IPLOCAL=10.0.0.1
refused "bad argv address" 64 'IPLOCAL "x" is not' \
	env -i "$BIN/ip-up.local" ppp0 eth9 0 x 10.0.0.1
refused "too few arguments" 64 'pppd gives five or six arguments, not 2' \
	env -i "$BIN/ip-down.local" ppp0 eth9
refused "no command" 64 'a command is missing: init, apply' mwan-rules
refused "unknown command" 64 'unknown command "aply"' mwan-rules aply
refused "unknown option" 64 'unknown option "-x"' mwan-rules -x apply
refused "no such file" 78 'cannot open /nowhere: .*; write it' mwan-rules apply -f /nowhere

# bad TEXT REGEX: a configuration that apply and check refuse.
bad() {
	printf '%b' "$1" >"$T/bad.ini"
	refused "apply: ${1%%\\*}" 78 "^mwan-rules: $T/bad.ini:$2" \
		mwan-rules apply -f "$T/bad.ini"
	refused "check: ${1%%\\*}" 78 "^mwan-rules: $T/bad.ini:$2" \
		mwan-rules check -f "$T/bad.ini"
}
bad '[mwan]\nmark_mask = 0xgg\n[link ppp0]\n' '2: mark_mask = "0xgg" is not'
bad '[link ppp0]\nmark = 0x300\n' '2: mark 0x300 of link ppp0 does not fit mask 0xff'
bad '[link ppp0]\ntable = nosuch\n' '2: table = "nosuch" is neither'
bad '[link ppp0]\ntable = main\n' '2: table = "main"'
bad '[link ppp0]\n[link ppp1]\ntable = 201\n' '3: link ppp1 has the same table 201 as'
bad '[link ppp0]\nwieght = 3\n' '2: unknown key "wieght"'
bad '[link ppp0]\nweight = 256\n' '2: weight = "256" is not a number from 1 to 255'
bad '[mwan]\nlan = lan0 ppp1\n[link ppp0]\n[link ppp1]\n' \
	'2: lan: ppp1 is a link: name interfaces of the LAN'
bad '[link ppp0]\ntable = 201 # DSL\n' \
	'2: table: a comment after a value begins with " ;", not with #'
bad '[lnk ppp0]\n' '1: unknown section \[lnk ppp0\]'
bad '[mwan]\nbalance = source-parity\n[link ppp0]\n[link ppp1]\n[link ppp2]\ntable = 7\n' \
	'2: balance = source-parity needs'

# All that is wrong with a file, in the order of its lines: check names each
# once, and nothing is blamed for what stands behind a head that was refused, or
# for a value that was.
cat >"$T/many.ini" <<-'END'
	[mwan]
	mark_mask = 0xf
	rule_priority = 99999
	balance = source-parity
	nonsense
	colour = red
	standby_table = 200
	[link ppp0]
	table = 201
	mark = 1
	weight = 0
	[link ppp1]
	table = 201
	mark = 1
	[link ppp2]
	table = 200
	mark = 0x10
	[lnk ppp3]
	table = 204
	[link ppp4]
	[link ppp5]
	table = main
	tier = 1
	tier = 1
	[link ppp0]
	[policy mail]
	destination = 10.0.0.300
	use = ppp9
	[policy web]
	destination_port = 80
	if_down = balance
	[policy dns]
	protocol = udp
	destination_port = 53
	use = main
	if_down = unreachable
	interface = ppp0
END
printf '[link %0200d]\n' 7 >>"$T/many.ini"
said=$(mwan-rules check -f "$T/many.ini" 2>&1)
is "many faults: exit" "$?" 78
is "many faults: the lines" "$(sed -n "s|^mwan-rules: $T/many.ini:\([0-9]*\): .*|\1|p" \
	<<<"$said" | xargs)" \
	"3 4 5 6 11 13 14 16 17 18 20 22 24 25 27 28 29 30 36 37 38"
is "many faults: nothing else" "$(wc -l <<<"$said")" 21
while IFS=: read -r line words; do
	like "many faults: line $line" \
		"$(grep -F "many.ini:$line: " <<<"$said")" "$words"
done <<'END'
3:rule_priority = "99999" is not a number from 2 to
4:source-parity needs 1, 2, 4, 8
5:neither "key = value" nor a section
6:unknown key "colour"
11:weight = "0" is not a number from 1 to 255
13:ppp1 has the same table 201 as link ppp0
14:ppp1 has the same mark 0x1 as link ppp0
16:table 200 of link ppp2 is the standby_table
17:mark 0x10 of link ppp2 does not fit mask 0xf
18:unknown section \[lnk ppp3\]
20:link ppp4 has no table
22:the tables local, main and default are
24:tier is there a second time
25:\[link ppp0\] is there a second time
27:"10.0.0.300"
28:use = "ppp9" is neither a link
29:policy web does not say what to use
30:ports are those of tcp and udp
36:if_down is for
37:not for what comes in by ppp0
38:longer than
END
is "many faults: apply names the first" \
	"$(mwan-rules apply -f "$T/many.ini" 2>&1)" "$(head -n 1 <<<"$said")"
{
	echo '[mwan]'
	for ((i = 0; i < 120; i++)); do
		echo "key$i = 1"
	done
} >"$T/many.ini"
is "a hundred faults are enough" \
	"$(mwan-rules check -f "$T/many.ini" 2>&1 | sed -n '100,$p')" \
	"mwan-rules: $T/many.ini:101: unknown key \"key99\" in [mwan]: see mwan.ini(5)
mwan-rules: ... and 20 more: fix these first"
printf '[mwan]\nmark_mask = 0x0g\n[link ppp0]\nmark = 0x300\n' \
	>"$T/many.ini"
is "what was refused is not judged again" \
	"$(mwan-rules check -f "$T/many.ini" 2>&1 | wc -l)" 1

# A bad file while links run: the hook says so, and works by what was accepted.
mwan-rules apply
hook up ppp0 10.64.1.100
before=$(objects)
echo 'nonsense' >>/etc/ppp/mwan.ini
ip link set ppp0 down
ip link set ppp0 up
said=$(hook up ppp0 10.64.1.100 2>&1)
is "a hook under a bad file: exit" "$?" 78
like "a hook under a bad file: says" "$said" \
	'mwan.ini:5: this is neither .*; until it is fixed, what is in force stays'
is "a hook under a bad file: the link works" "$(objects)" "$before"
like "a hook under a bad file: the log" "$(tail -n 1 /var/log/ifchang.log)" \
	'event=up .*config="/etc/ppp/mwan.ini:5: .*result=ok'
refused "apply under a bad file" 78 'mwan.ini:5: this is neither' \
	mwan-rules apply
mwan-rules flush 2>/dev/null
like "a bad file, nothing accepted: says" \
	"$(hook up ppp0 10.64.1.100 2>&1)" \
	"; until it is fixed, the tables' names in rt_tables are used"
is "a bad file, nothing accepted: by rt_tables" \
	"$(ip route show table 201 | grep -c 'dev ppp0 proto 119')" 1

# Tables as in the howtos, without a file: the standby makes room. A link by
# name and a file that only changes a default are no reason to refuse either.
cp /etc/iproute2/rt_tables "$T/rt_tables"
printf '200 ppp0\n201 ppp1\n' >/etc/iproute2/rt_tables
rm /etc/ppp/mwan.ini
like "tables 200 and 201, no file: apply" "$(mwan-rules apply -n)" \
	'default nhid [0-9]+ table 202'
ini
standby() {
	# The rule for main has a "not" of its own.
	ip -4 rule | sed -n '/suppress/d; s/.*not .*lookup \([^ ]*\).*/\1/p'
}
ok "tables 200 and 201: apply" mwan-rules apply
is "tables 200 and 201: the standby is 202" \
	"$(standby) $(
		ip route show table 202 | grep -c 'default nhid')" "202 1"
ok "tables 200 and 201: a hook" hook up ppp0 10.64.1.100
is "tables 200 and 201: the link's route" \
	"$(ip route show table 200 | grep -c 'default dev ppp0')" 1
echo '202 vpn' >>/etc/iproute2/rt_tables
hook up ppp0 10.64.1.100
is "its number gets a name: what is in force stays" "$(standby)" vpn
mwan-rules flush 2>/dev/null
cp "$T/rt_tables" /etc/iproute2/rt_tables
ini 'mark_mask = 0xff0000'
like "a file without a [link]: check" "$(mwan-rules check 2>&1)" 'ppp0.*ppp1'
ok "a file without a [link]: apply" mwan-rules apply
is "what nobody had named is 200 again" "$(standby)" 200
is "a file without a [link]: the links are rt_tables'" \
	"$(ip rule | grep -c 'fwmark 0x[12]0000/0xff0000 lookup ppp[01]')" 2
mwan-rules flush 2>/dev/null
: >/etc/iproute2/rt_tables
refused "no links anywhere" 78 'there are no links: describe them in .*ppp0' \
	mwan-rules check
cp "$T/rt_tables" /etc/iproute2/rt_tables

# Without the right to change anything.
ini '[link ppp0]' '[link ppp1]'
ip link set ppp0 down
ip link set ppp0 up
nobody() {
	setpriv --reuid=65534 --clear-groups env -i "$@"
}
mkdir -m 755 /run/bin
cp "$BIN/ip-up.local" "$BIN/mwan-rules" /run/bin/
like "without permission it says so" \
	"$(nobody /run/bin/ip-up.local ppp0 e 0 10.64.1.100 10.64.1.1 2>&1)" \
	'Operation not permitted; run this as root or with CAP_NET_ADMIN'
is "and exits 1" "$(status nobody /run/bin/ip-up.local ppp0 e 0 10.64.1.100 \
	10.64.1.1)" 1
like "-n needs no privilege" \
	"$(nobody /run/bin/ip-up.local -n ppp0 e 0 10.64.1.100 10.64.1.1 2>&1)" \
	'ip route prepend default dev ppp0 table 201'
like "nor does apply -n" "$(nobody /run/bin/mwan-rules apply -n 2>&1)" \
	'nft -f -'

# CAP_NET_ADMIN alone, as newer pppds run their hooks: no lock, but links.
cap_only() {
	setpriv --reuid=65534 --clear-groups --inh-caps=+net_admin \
		--ambient-caps=+net_admin env -i "$@"
}
said=$(cap_only /run/bin/ip-up.local ppp0 e 0 10.64.1.100 10.64.1.1 2>&1)
is "CAP_NET_ADMIN is enough" "$?" 0
like "but says what it cannot do" "$said" 'ip-up.local: cannot make /run/mwan|/run/mwan is not ours|cannot open the directory /run/mwan'
is "and the link is there" \
	"$(ip route show table 201 | grep -c 'dev ppp0 proto 119')" 1
done_testing
