#!/bin/bash
# What the manual pages, the README and etc/ say is what the programs do: every
# example is run, and every list is compared with the source's own.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

cmd=$root/cmd
rules=$cmd/mwan-rules.8
hooks=$cmd/ip-up.local.8
conf=$cmd/mwan.ini.5
readme=$root/README.md
log=/var/log/ifchang.log

# example FILE KIND N: the Nth example of that kind in a manual page.
example() {
	awk -v want="$2" -v n="$3" '
		$1 == ".\\\"" && $2 == "example:" { on = $3 == want && !--n }
		/^\.Ed/ { if (on && in_bd) exit; in_bd = 0 }
		on && in_bd { gsub(/\\e/, "\\"); print }
		on && /^\.Bd/ { in_bd = 1 }' "$1"
}

# lines of words, sorted, each once, on one line
set_of() {
	sort -u | tr '\n' ' '
}

# --- manual pages ---
for page in "$cmd"/*.[58]; do
	# What the pages refer to need not be installed here.
	is "$(basename "$page"): mandoc has nothing to say" "$(
		mandoc -T lint "$page" 2>/dev/null |
			grep -v 'referenced manual not found')" ""
done
for source in "$cmd"/*.c; do
	tool=$(basename "$source" .c)
	ok "$tool has a page" grep -q "^\.Nm $tool\b" "$cmd"/*.8
	for option in --help --version; do
		is "$tool $option" "$(status "$tool" $option)" 0
	done
done
is "the commands of mwan-rules are those of the page" \
	"$(sed -n 's/^\.It Cm //p' "$rules" | set_of)" \
	"$(mwan-rules --help | sed -nE \
		's/^(Usage:|      ) mwan-rules ([a-z]*).*/\2/p' | set_of)"

# --- mwan.ini(5): keys ---
# keys_of_page SECTION, keys_of_code SECTION
keys_of_page() {
	awk -v want="$1" '/^\.Ss/ { on = $3 ~ want } /^\.Sh/ { on = 0 }
		on && /^\.It Ic/ { print $3 }' "$conf"
}

keys_of_code() {
	"$BIN/../t/unit-conf" keys | sed -n "s/^$1 \([a-z_0-9]*\) .*/\1/p"
}

like "the source has keys" "$(keys_of_code mwan | wc -l)" '^[1-9][0-9]$'
is "[mwan]: the keys of the page are those of the code" \
	"$(keys_of_page '^.mwan' | set_of)" "$(keys_of_code mwan | set_of)"
is "[link]: the keys of the page are those of the code" \
	"$(keys_of_page '^.link' | set_of)" "$(keys_of_code link | set_of)"

is "[policy]: the keys of the page are those of the code" \
	"$(keys_of_page '^.policy' | set_of)" "$(keys_of_code policy | set_of)"

links=$'[link ppp0]\ntable = 201\n[link ppp1]\ntable = 202\n'
examples=$(sed -n 's/^\.Dl \([a-z_0-9]* = .*\)/\1/p' "$conf")
is "every key has its example" "$(cut -d' ' -f1 <<<"$examples" | set_of)" \
	"$( (keys_of_code mwan && keys_of_code link && keys_of_code policy) |
		set_of)"
while read -r line; do
	key=${line%% *}
	for section in mwan link policy; do
		grep -qx "$key" <(keys_of_code $section) || continue
		case $section in
		mwan) text=$'[mwan]\n'"$line"$'\n'"$links" ;;
		link) text=$'[link ppp7]\n'"$line" ;;
		policy)
			text=$'[policy x]\n'"$line"$'\n'
			[ "$key" = use ] || text+=$'use = ppp1\n'
			[ "$key" = protocol ] || text+=$'protocol = tcp\n'
			text+=$links
			;;
		esac
		[ "$key" = table ] || text=${text/\[link ppp7]/[link ppp7]
table = 207}
		echo "$text" >"$T/example.ini"
		ok "[$section] $line" mwan-rules check -f "$T/example.ini"
	done
done <<<"$examples"

# The copy in the run directory holds every default.
echo "$links" >/etc/ppp/mwan.ini
mwan-rules apply 2>/dev/null
# The copy has no blanks around the sign where a value can fill the line.
sed -E 's/^(log|lan|prefix6)=/\1 = /' /run/mwan/mwan.ini >"$T/defaults"
mwan-rules flush
awk '/^\.It Ic/ { key = $3; said = 0 } /^Default:/ { said = 1; next }
	said && /^\.Ql/ { print key " = " $2 } { said = 0 }' "$conf" \
	>"$T/said"
like "the page tells defaults" "$(wc -l <"$T/said")" '^[12][0-9]$'
while read -r line; do
	ok "default: $line" grep -qx "$line" "$T/defaults"
done <"$T/said"
is "every row with a default has it in the page" \
	"$("$BIN/../t/unit-conf" keys | sed -nE 's/^(mwan|link) (.* = .)/\2/p' |
		sort)" "$(sort "$T/said")"
# "What is commented out shows the default."
while read -r key value; do
	case $key in
	mark | balance | lan | table | *_table | linkname | gateway | targets)
		continue ;;	# of others
	esac
	[[ $value != cake* ]] || continue		# an example of a link
	ok "etc/mwan.ini: $key = $value is the default" \
		grep -qx "$key = $value" "$T/said"
done < <(sed -nE 's/^# ([a-z_0-9]+) = (.*)/\1 \2/p' "$root/etc/mwan.ini")
is "no other default but those that the page describes in words" \
	"$(sed -n 's/ = .*//p' "$T/defaults" | grep -vxf \
		<(sed 's/ = .*//' "$T/said") | set_of)" "balance mark onlink_table standby_table table "
# balance_of TEXT: which balance that file has without saying so.
balance_of() {
	echo "$1" >/etc/ppp/mwan.ini
	mwan-rules apply >/dev/null 2>&1
	sed -n 's/^balance = //p' /run/mwan/mwan.ini
	mwan-rules flush
}
is "default balance: two links" "$(balance_of "$links")" source-parity
is "default balance: unequal weights" \
	"$(balance_of "$links"'weight = 2')" source
is "default balance: three links" \
	"$(balance_of "$links"$'[link ppp2]\ntable = 203')" source

# --- numbers that the pages repeat ---
# said PAGE REGEX CONSTANT FILE: the regex, with the constant of that file of
# common/ in the place of each @, is in the page.
said() {
	local value
	value=$(sed -n "s/.*\b$3 = \([0-9]*\),.*/\1/p" "$root/common/$4")
	like "$3 of $4 is what $(basename "$1") says" \
		"$(grep -oE "${2//@/$value}" "$1")" .
}
said "$conf" 'There can be @ links' LINKS_MAX base/limits.h
said "$conf" '1 to @: of two links' WEIGHT_MAX conf/conf.h
said "$conf" 'at most @,' LAN_MAX conf/conf.h
said "$conf" 'first of @ ids' NEXTHOP_SPAN conf/conf.h
said "$conf" 'There can be @ policies' POLICIES_MAX conf/policy.h
said "$conf" 'in one list; @ at most' POLICY_ADDRESSES conf/policy.h
said "$conf" 'numbers; @ at most' POLICY_PROTOCOLS conf/policy.h
said "$conf" 'Ports and ranges; @ at most' POLICY_PORTS conf/policy.h
said "$conf" 'comes in by; @ at most' POLICY_INTERFACES conf/policy.h
said "$conf" 'beyond @ are' RULESET_STICKY_SIZE nft/table.h
said "$conf" 'at most @ characters' LINE_LEN_MAX conf/keys.h
said "$rules" 'protocol number @\.' PROTO_MWAN kernel/route.h
is "the lock is waited for as long as the pages say" \
	"$(grep -c 'more than 1.5 seconds' "$rules" "$hooks" | cut -d: -f2 |
		set_of)$(grep -c 'LOCK_WAIT_MS = 1500' "$root/common/base/lock.h")" \
	"1 1"
codes=$(sed -n 's/^\tEXIT_[A-Z]* = \([0-9]*\),/\1/p' "$root/common/tool/report.h")
for page in "$rules" "$hooks"; do
	is "$(basename "$page"): exit status" "$(
		awk '/^\.Sh/ { on = /EXIT STATUS/ }
			on && /^\.It/ { print $2 }' "$page" | set_of)" \
		"$( (echo 0 && echo "$codes") | set_of)"
done

# --- etc/mwan.ini ---
like "the sample" "$(mwan-rules check -f "$root/etc/mwan.ini" 2>&1)" \
	'is fine, with these links:'
sed 's/^# \([a-z_0-9]* = \)/\1/' "$root/etc/mwan.ini" >"$T/all.ini"
ok "the sample with everything in it" mwan-rules check -f "$T/all.ini"
is "the sample has every key" \
	"$(sed -n 's/^\([a-z_0-9]*\) = .*/\1/p' "$T/all.ini" | set_of)" \
	"$( (keys_of_code mwan && keys_of_code link) | set_of)"
sed -n '/^\[link/q; s/^# \([a-z_0-9]* = .*\)/\1/p' "$root/etc/mwan.ini" |
	grep -v '^lan\|^targets' >"$T/shown"
is "what it shows as defaults are the defaults" \
	"$(grep -vxFf "$T/defaults" "$T/shown")" ""

# --- what the kernel holds ---
sysctl -qw net.ipv4.ip_forward=0
printf '[mwan]\nqdisc = none\nlan = lan0\n%s' "$links" >/etc/ppp/mwan.ini
cp "$root/etc/rt_tables.d/mwan.conf" "$T/mwan.conf"
mkdir -p /etc/iproute2/rt_tables.d
grep -v standby "$T/mwan.conf" >/etc/iproute2/rt_tables.d/mwan.conf
mwan-rules apply 2>/dev/null
like "apply line" "$(log_last)" 'event=apply sysctl=.* links=2 .*note='
link_new ppp0 10.64.1.100 10.64.1.1
hook up ppp0 10.64.1.100
# The rule of a moment is not there now.
sed -n '/ no packet/d
	s/^\.It \(P\|3[0-9]*\)\(.*\) Ta \(.*\) Ta .*/\1\2: \3/p' "$rules" |
	sed 's/^P + \([0-9]*\)/\1 1000/; s/^P:/1000:/; s/ \.\.\.//
		s/ of one link//; s/MARK/0x1/; s/MASK/0xff/
		s/TABLE/ppp0/; s/ADDRESS/10.64.1.100/' |
	awk '$2 == "1000:" { $1 += 1000; $1 = $1 ":"; $2 = "" }
		{ $1 = $1; gsub(/  +/, " "); print }' >"$T/documented"
# The first link's, and those of no link.
ip rule | sed -n 's/[\t ]*proto 119 *$//p' |
	sed 's/\t/ /; s/from all //; s/fwmark 0x6d77616e/&\/0xffffffff/; /lookup ppp1/d' >"$T/real"
is "the rules are those of the page" "$(cat "$T/real")" \
	"$(cat "$T/documented")"
link_new ppp1 10.64.2.100 10.64.2.1
hook up ppp1 10.64.2.100
for id in $(ip nexthop | sed 's/^id \([0-9]*\).*/\1/'); do
	ok "nexthop $id is in the page" grep -q "$id" "$rules"
done
is "the standby's route is that of the page" \
	"$(ip route show table 200 | head -n 1 | sed 's/ proto 119//; s/ *$//')" \
	"$(sed -n 's/^\.It table 200 Ta \(.*\), for .*/\1/p' "$rules")"
is "the head of status is that of the page" \
	"$(mwan-rules status | sed -n '1s/  */ /gp')" \
	"$(sed -n '/^LINK /s/  */ /gp' "$rules")"

# --- your own rules choose a link ---
ip netns add lan
ip link add lan0 type veth peer name eth0 netns lan
ip addr add 10.0.0.1/24 dev lan0
ip link set lan0 up
ip -n lan addr add 10.0.0.2/24 dev eth0
ip -n lan addr add 10.0.0.3/24 dev eth0
ip -n lan link set eth0 up
wait_for 5 ip -n lan route add default via 10.0.0.1

# The sender must not have to wait for its router's hardware address.
# shellcheck disable=SC2317 # wait_for calls it
reach_router() {
	ip netns exec lan bash -c 'echo >/dev/udp/10.0.0.1/9'
	ip -n lan neigh show 10.0.0.1 | grep -q lladdr
}
wait_for 5 reach_router
# With one link down "why" has the most to say.
ip link set ppp0 down
example "$rules" why 1 >"$T/why"
is "what mwan-rules(8) shows of why" \
	"$(eval "$(sed -n 's/^\$ //p' "$T/why")")" "$(sed 1d "$T/why")"
ip link set ppp0 up
hook up ppp0 10.64.1.100
nft -f - <<'END'
table ip count {
	chain postrouting {
		type filter hook postrouting priority 300
		oifname "ppp0" counter
		oifname "ppp1" counter
	}
}
END

# send SOURCE PROTO PORT TOS: the link that the first packet leaves by.
send() {
	local before after

	before=$(counts)
	# shellcheck disable=SC2016 # perl's variables
	ip netns exec lan perl -MSocket -MIO::Handle -e '
		my ($src, $proto, $port, $tos) = @ARGV;
		my $type = $proto eq "tcp" ? SOCK_STREAM : SOCK_DGRAM;
		socket(my $s, PF_INET, $type, 0) or die;
		$s->blocking(0);
		setsockopt($s, IPPROTO_IP, 1, pack("i", oct($tos))) or die;
		bind($s, sockaddr_in(0, inet_aton($src))) or die;
		connect($s, sockaddr_in($port, inet_aton("192.0.2.9")));
		send($s, "x", 0) if $proto eq "udp";' "$@"
	wait_for 5 changed "$before" || return
	after=$(counts)
	if [ "${before%% *}" = "${after%% *}" ]; then
		echo ppp1
	else
		echo ppp0
	fi
}

counts() {
	nft list table ip count | grep -o 'packets [0-9]*' | cut -c9- | xargs
}

# shellcheck disable=SC2317 # wait_for calls it
changed() {
	[ "$(counts)" != "$1" ]
}

for kind in none nft iptables; do
	# A flow with the port of one before is the same connection.
	conntrack -F 2>/dev/null
	case $kind in
	none)
		sec=ppp0 low=ppp1
		;;
	nft)
		example "$conf" nft 1 >"$T/marks.nft"
		ok "the nft example loads" nft -f "$T/marks.nft"
		sec=ppp1 low=ppp0
		;;
	iptables)
		nft delete table ip mylinks
		example "$conf" iptables 1 >"$T/marks.sh"
		ok "the iptables example runs" sh -e "$T/marks.sh"
		;;
	esac
	is "$kind: even host, port 80" "$(send 10.0.0.2 tcp 80 0)" ppp0
	is "$kind: odd host, port 53" "$(send 10.0.0.3 udp 53 0)" ppp1
	is "$kind: even host, port 443" "$(send 10.0.0.2 tcp 443 0)" "$sec"
	is "$kind: even host, port 25" "$(send 10.0.0.2 tcp 25 0)" "$sec"
	is "$kind: odd host, low delay" "$(send 10.0.0.3 udp 53 0x10)" "$low"
done

# --- the examples with our own commands ---
example "$hooks" sh 1 >"$T/example.sh"
mount -t tmpfs tmpfs /usr/libexec
ln -s "$BIN" /usr/libexec/mwan
ok "example of ip-up.local(8)" sh -e "$T/example.sh"
example "$rules" sh 1 >"$T/example.sh"
ok "example of mwan-rules(8)" sh -e "$T/example.sh"

# --- the log ---
is "the keys of the log are those of the page" "$(
	awk '/^\.It Va/ { $1 = $2 = ""; gsub(/Va|,/, ""); print }' "$hooks" |
		xargs -n 1 | set_of)" "$(
	(echo ts && sed -nE 's/.*\b(log_)?addr?\([^"]*, "([a-z0-9_]*)",.*/\2/p' \
		"$cmd"/*.c "$root"/common/*/*.c) | set_of)"
is "the hooks' variables are those of the page" "$(
	awk '/^\.It Ev/ { $1 = $2 = ""; gsub(/Ev|,/, ""); print }' "$hooks" |
		xargs -n 1 | set_of)" "$(
	sed -n 's/.*variable("\([A-Z0-9_]*\)").*/\1/p' \
		"$root/common/tool/ppp.c" | set_of)"
ip link del ppp0
CONNECT_TIME=61 BYTES_SENT=12 BYTES_RCVD=34 \
	ip-down.local ppp0 eth1 0 10.64.1.100 10.64.1.1
# same LINE: without what differs from call to call
same() {
	tr '\n' ' ' | sed -E 's/(ts|pid|changes|took_us)=[^ ]*/\1/g; s/ $//'
}
is "a line as in the page" "$(log_last | same)" \
	"$(example "$hooks" log 1 | same)"

# Every key and every word, by every kind of call.
hook up tun9 10.9.9.9
hook up ppp1 fe80::1 fe80::2 2>/dev/null
hook down ppp1 fe80::1 fe80::2 2>/dev/null
mwan-rules drain ppp1 2>/dev/null
mwan-rules undrain ppp1
printf 'ppp1 99999999999%s\n' "" " ipv6" >/run/mwan/held
hook up ppp1 10.64.2.100
rm /run/mwan/held
ip link set ppp1 arp on
mwan-rules up ppp1 10.64.2.100 10.64.2.1 2>/dev/null
ip link set ppp1 arp off
mwan-rules prefix ppp1 2001:db8::/56
sed -i 's/^\[mwan\]/&\nfailback = move/; s/^table = 202/&\ntier = 2/' \
	/etc/ppp/mwan.ini
link_new ppp0 10.64.1.100 10.64.1.1
hook up ppp0 10.64.1.100
ip-up.local 2>/dev/null
echo nonsense >>/etc/ppp/mwan.ini
hook down ppp0 10.64.1.100 2>/dev/null
hook up tun9 10.9.9.9 2>/dev/null
mwan-rules apply 2>/dev/null
sed -i '$d' /etc/ppp/mwan.ini
mwan-rules flush
chmod 775 /run/mwan
hook up ppp1 10.64.2.100 2>/dev/null
chmod 755 /run/mwan
flock /run/mwan/lock ip-up.local ppp1 eth1 0 10.64.2.100 10.64.2.1 2>/dev/null
ip nexthop flush protocol 119 >/dev/null 2>&1
ip nexthop add id 77002 blackhole
hook up ppp1 10.64.2.100 2>/dev/null
keys=$(sed 's/\\"//g; s/"[^"]*"/x/g' "$log" | grep -o '[a-z0-9_]*=' | tr -d = |
	set_of)
# Those of mwan-rules watch are in t6031.
is "every key of the page was seen" "$keys" "$(
	awk '/^\.It Va/ && !/cause/ { $1 = $2 = ""; gsub(/Va|,/, ""); print }' "$hooks" |
		xargs -n 1 | set_of)"
for key in event result; do
	words=$(awk -v key=$key '/^\.It Va|^\.El/ { on = $3 == key } on' \
		"$hooks" | tr -s ' ,;.()' '\n')
	is "every word of $key is in the page" "$(
		grep -o " $key=[a-z0-9-]*" "$log" | cut -d= -f2 | sort -u |
			grep -vxFf <(echo "$words"))" ""
done
is "words seen" "$(grep -Eo ' (event|result)=[a-z0-9-]*' "$log" |
	cut -d= -f2 | set_of)" \
	"apply busy config down drain failed flush ignored ipv6-down ipv6-up ok partial prefix \
unchanged undrain up usage "

# --- other samples ---
is "logrotate's file is the log" \
	"$(sed -n 's/ {$//p' "$root/etc/logrotate/mwan")" \
	"$(sed -n 's/^#define CONF_LOG "\(.*\)"/\1/p' "$root/common/conf/conf.h")"
is "logrotate makes the file as the programs do" \
	"$(sed -n 's/^\tcreate 0//p' "$root/etc/logrotate/mwan")" \
	"$(stat -c '%a %U %G' "$log")"
for i in 0 1; do
	peer=$root/etc/ppp/peers/wan$i
	ok "wan$i has its unit" grep -qx "unit $i" "$peer"
	ok "and the table is there" grep -q "ppp$i\$" "$T/mwan.conf"
	# The plugin wants a kernel with PPPoE; the lab has one.
	grep -v -e '^plugin ' -e '^nic-' -e '^pppoe-' "$peer" >"$T/peer"
	echo 'nonsense 7' | cat "$T/peer" - >"$T/peer.bad"
	is "pppd knows wan$i's options" \
		"$(pppd file "$T/peer" dryrun 2>&1 | grep -i option)" ""
	like "and would say if not" \
		"$(pppd file "$T/peer.bad" dryrun 2>&1)" \
		"unrecognized option 'nonsense'"
done
# Not every kernel has the queue that is the default.
ip link del ppp0
ip link del ppp1
ip nexthop flush >/dev/null 2>&1
rm /etc/ppp/mwan.ini
cp "$T/mwan.conf" /etc/iproute2/rt_tables.d/
like "rt_tables.d alone names the links" "$(mwan-rules check)" 'ppp1: table 202'
is "iproute2 reads it" "$(status ip route show table standby)" 0
ok "rc.local" sh -e "$root/etc/rc.local"
ok "puts it in force" test -s /run/mwan/mwan.ini
mwan-rules flush

# --- README ---
like "the README is short" "$(wc -c <"$readme")" '^[1-7]?[0-9]{3}$'
while read -r file; do
	ok "README: $file is there" test -x "$root/$file"
done < <(grep -oP '\bt/(?:[a-z]+/)*[a-z]+(?:\.sh)?\b(?!\.)' "$readme" | sort -u)
while read -r preset; do
	ok "README: the preset $preset is there" \
		grep -q "\"name\": \"$preset\"" "$root/CMakePresets.json"
done < <(grep -oP -- '--preset \K[a-z]*' "$readme" | sort -u)
while read -r package; do
	ok "README: the package $package is one that t/setup installs" \
		grep -qw -- "$package" "$root/t/setup"
done < <(sed -n '/^    apt install gcc/,/[^\\]$/p' "$readme" |
	sed 's/apt install//' | grep -o '[^ \\]*')
mount -t tmpfs tmpfs /usr/share/doc
mkdir -p /usr/share/doc/mwan /etc/ppp/peers
ln -s "$root/etc" /usr/share/doc/mwan/examples
awk '/^<!-- runs -->/ { next_block = 1 }
	/^```$/ { on = 0 }
	on { print }
	/^```sh/ { on = next_block; next_block = 0 }' "$readme" >"$T/readme.sh"
like "the README has commands that run here" "$(cat "$T/readme.sh")" \
	'mwan-rules apply'
ok "and they do" sh -e "$T/readme.sh"
ok "so the links are in force" grep -q '^\[link ppp1\]' /run/mwan/mwan.ini

# --- README.zh-CN.md says the same ---
chinese=$root/README.zh-CN.md
# commands FILE: the blocks, without their comments and line ends
commands() {
	awk '/^```/ { on = !on; next } on || /^    /' "$1" |
		sed 's/ *#.*//; s/\([;:]\) *pppd call.*//'
}

# words_in FILE: what is quoted as code, in any order, each once
words_in() {
	perl -0 -pe 's/^```.*?^```$//gms' "$1" |
		perl -0 -ne 's/\s+/ /g; print "$_\n" for /`([^`]+)`/g' | sort -u
}

numbers_in() {
	sed -n '/figures: begin/,/figures: end/p' "$1" |
		sed 's/8 of 8/8 8/; s/0 of 8/8 0/; s/[^0-9.|]\+/ /g'
}

like "the README has blocks of commands" "$(commands "$readme" | wc -l)" \
	'^[12][0-9]$'
is "README.zh-CN.md has the same commands" "$(commands "$chinese")" \
	"$(commands "$readme")"
is "and the same words of code" "$(words_in "$chinese")" \
	"$(words_in "$readme")"
like "the README has figures" "$(numbers_in "$readme")" '60 \|.*471 '
# A figure of the last release, not of the last commit: a twentieth is allowed.
ok "and the size of the largest program, about" awk \
	-v mb="$(sed -n 's/^| size of the largest .* \([0-9.]*\) MB.*/\1/p' "$readme")" \
	-v size="$(stat -c %s "$BIN"/* | sort -n | tail -n 1)" \
	'BEGIN { r = mb * 1e6 / size; print r; exit !(r > 0.95 && r < 1.05) }'
is "and the same figures" "$(numbers_in "$chinese")" \
	"$(numbers_in "$readme")"
is "and as many sections" "$(grep -c '^## ' "$chinese")" \
	"$(grep -c '^## ' "$readme")"

# --- doc/ ---
for page in "$root"/doc/*.zh-CN.md; do
	name=$(basename "$page" .zh-CN.md)
	like "doc/$name has blocks of commands" \
		"$(commands "$root/doc/$name.md" | wc -l)" '^[1-9]'
	is "doc/$name.zh-CN has the same" "$(commands "$page")" \
		"$(commands "$root/doc/$name.md")"
	is "and the same words of code" "$(words_in "$page")" \
		"$(words_in "$root/doc/$name.md")"
done
is "each page is there in both languages" "$(find "$root/doc" -type f | wc -l)" \
	"$((2 * $(find "$root/doc" -name '*.zh-CN.md' | wc -l)))"
for page in games two-boxes; do
	ok "and the README leads to $page" grep -q "(doc/$page.md)" "$readme"
	ok "and so does the Chinese one" grep -q "(doc/$page.zh-CN.md)" "$chinese"
done

# --- the picture ---
picture=$root/t/failover.svg
for file in "$readme" "$chinese"; do
	like "$(basename "$file") shows it" "$(cat "$file")" \
		'!\[[^]]+\]\(t/failover.svg\)'
done
like "it is small" "$(wc -c <"$picture")" '^[1-5][0-9]{4}$'
is "and needs nothing from elsewhere" \
	"$(grep -oE 'https?:[^"]*||<(image|script|use)' "$picture")" \
	http://www.w3.org/2000/svg
# Twice three groups of either line's hosts: four with IPv4, two with IPv6, and a
# UDP and a TCP flow of each.
is "it has a row for each flow, and names their families" \
	"$(grep -o 'class="n" d="[^"]*"' "$picture" | tr -cd M | wc -c) $(
	grep -c '>IPv4<' "$picture") $(grep -c '>IPv6<' "$picture")" "144 12 12"
is "with mwan nothing moves back, in either family, and nothing stays dead" \
	"$(sed '1,/>mwan</d' "$picture" | grep -E 'answer<|any more|moved at')" ""
# A run of which all is known: a flow by line 1 loses ten packets, goes on by
# line 2 and is moved at the return; a TCP connection dies; one by line 2 has no
# trouble. In IPv6 a flow by line 1 loses one, or all that follows; one cannot be
# opened in the outage; and line 1's host has another prefix afterwards.
for variant in baseline ours; do
	mkdir -p "$T/run/$variant"
	awk -v variant=$variant 'BEGIN {
		print "ms,flow,group,proto,src,answered,lost,link"
		for (ms = 0; ms <= 40000; ms += 500) {
			if (ms == 5000) print ms ",mark,cut,,,,,"
			if (ms == 20000) print ms ",mark,back,,,,,"
			scripts = variant == "baseline"
			gone = scripts && ms > 5000 && ms <= 6000
			by = ms <= 6000 || scripts && ms > 30000 ? 1 : 2
			print ms ",0,early,udp,192.168.77.12," \
				(gone ? 0 : 5) "," (gone ? 5 : 0) \
				",10.64." by ".100"
			if (ms <= 6000)
				print ms ",1,early,tcp,192.168.77.12,5,0," \
					"10.64.1.100"
			print ms ",2,early,udp,192.168.77.11,5,0,10.64.2.100"
			dead = scripts && ms > 5000
			lost = dead ? 5 : ms == 5500
			print ms ",3,early,udp,2001:db8:a00::11," 5 - lost \
				"," lost "," (ms <= 5500 || scripts ? \
				"2001:db8:a00::11" : "2001:db8:b00:ff::6d77:2")
			if (ms == 8000 || ms > 8000 && !scripts)
				print ms ",4,during,tcp,2001:db8:a00::11," \
					(scripts ? "0,0,0.0.0.0" : \
					"5,0,2001:db8:b00:ff::6d77:2")
			if (ms > 22000)
				print ms ",5,after,udp,2001:db8:a77::11,5,0," \
					"2001:db8:a77::11"
		}
	}' >"$T/run/$variant/series.csv"
done
ok "t/lab/picture draws one" "$root/t/lab/picture" "$T/run" "$T/picture.svg"
is "it says what became of each" \
	"$(sed -n 's/.*>\(\(UDP\|TCP\|IPv6\)\(: .*\)*\)<.*/\1/p' "$T/picture.svg")" \
	"UDP: 10 lost, 1 of 1 moved at the return
TCP: 1 of 1 died
UDP: 1 of 1 get no answer any more
IPv6
UDP: nothing lost, nothing moved
TCP: 1 of 1 never had an answer
IPv6
UDP: nothing lost, nothing moved
IPv6
UDP: nothing lost, nothing moved
TCP: 1 of 1 died
UDP: 1 lost
IPv6
UDP: nothing lost, nothing moved
TCP: nothing lost, nothing moved
IPv6
UDP: nothing lost, nothing moved
IPv6"
is "a flow that is moved back has bars by line 1 twice, with a gap" \
	"$(grep -c 'class="l1" d="M[^M]*V[^M]*M[^M]*"' "$T/picture.svg")" 1
is "IPv6 has its own colours, by line 1 and by line 2" \
	"$(grep -c 'class="l16" d="M[^h]*"' "$T/picture.svg") $(
	grep -c 'class="l26" d="M[^h]*"' "$T/picture.svg")" "4 2"
high=$(sed -n 's/.*viewBox="0 0 900 \([0-9]*\)".*/\1/p' "$picture")
is "all that is drawn is inside" "$(high=$high perl -ne '
	for (/(?<= y=")[0-9.]+/g) { print if $_ > $ENV{high} - 8 }' "$picture")" ""

# --- what t/demo prints ---
# shellcheck source=lab/report.sh
. "$root/t/lab/report.sh"
# flow GROUP PROTO SOURCE LOST RESETS FIRST LAST SILENT
flow() {
	printf 'flow=1 group=%s proto=%s src=%s dst=::1 state=%s ' "$1" "$2" \
		"$3" "$([ "$5" = 0 ] && echo open || echo reset)"
	printf 'sent=1234 answered=9 lost=%s late=0 pending=0 errors=0 ' "$4"
	printf 'changes=%s ports=0 resets=%s first=%s last=%s gap_ms=9 %s\n' \
		"$([ "$6" = "$7" ] && echo 0 || echo 1)" "$5" "$6" "$7" \
		"silent_ms=$8 retrans=0"
}
{
	flow early udp 192.168.77.12 7 0 10.64.1.100 10.64.2.100 90
	flow early udp 192.168.77.11 0 0 10.64.2.100 10.64.2.100 90
	flow early tcp 192.168.77.12 3 1 10.64.1.100 10.64.1.100 9000
	flow early udp 2001:db8:a00::11 4 0 2001:db8:a00::11 \
		2001:db8:b00:ff::6d77:2 90
	flow early udp fd00:1:2::15 1 0 2001:db8:a00:ff::6d77:1 \
		2001:db8:b00:ff::6d77:2 9000
	flow early tcp 2001:db8:b00::13 0 0 2001:db8:b00::13 2001:db8:b00::13 90
	flow after udp 2001:db8:a77::11 0 0 2001:db8:a77::11 2001:db8:a77::11 90
	flow after udp 2001:db8:b00::13 0 0 2001:db8:b00::13 2001:db8:b00::13 90
} >"$T/report"
is "t/demo counts the flows of each family by line" \
	"$(flows_now "3 s" <"$T/report" | tr -s ' ')" " 3 s 0 2 0 1 2 1"
is "and what they have lost" "$(flows_lost <"$T/report")" "IPv4 7, IPv6 5"
is "and says what became of each kind" \
	"$(flows_summary <"$T/report" | tail -n +2 | tr -s ' ')" \
	" line 1, was cut IPv4 udp 1 1234 7 7 1 0 line 2
 line 1, was cut IPv4 tcp 1 1234 3 3 0 1 (ended)
 line 1, was cut IPv6 udp 2 2468 5 4 2 0 line 2
 line 2, healthy IPv4 udp 1 1234 0 0 0 0 line 2
 line 2, healthy IPv6 tcp 1 1234 0 0 0 0 line 2
 after the return IPv6 udp 2 2468 0 0 0 0 both lines"
is "within 80 columns" "$({
	flows_now_head
	flows_now "3 s" <"$T/report"
	flows_summary <"$T/report"
} | awk 'length > 80')" ""
done_testing
