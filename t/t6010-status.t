#!/bin/bash
# mwan-rules status: what it shows, and each thing that can be wrong: it is
# caused, said in one sentence, mended as the sentence says, and gone.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

promtool=$root/build/deps/prometheus/usr/bin/promtool

json() { # FILTER: of jq, on what status prints
	mwan-rules status --json | jq -cr "$1"
}

# caused DESCRIPTION KIND REGEX: that is the one problem there is, and status
# exits 1.
caused() {
	mwan-rules status --json >"$T/json" 2>"$T/said"
	is "$1: status" $? 1
	is "$1: one problem, of its kind" \
		"$(jq -r '.problems[].kind' "$T/json")" "$2"
	text=$(jq -r '.problems[].text' "$T/json")
	like "$1: the sentence" "$text" "$3"
	is "$1: for people, the same" "$(mwan-rules status |
		sed -n '/^\*/,/^"/p' | sed 's/^\* //; /^"/d' |
		paste -sd' ' | tr -s ' ')" "$text"
}

gone() { # DESCRIPTION
	mwan-rules status --json >"$T/json" 2>"$T/said"
	is "$1: gone" "$? $(jq -c '.problems' "$T/json")" "0 []"
}

# mended DESCRIPTION KIND REGEX: the command that the sentence ends in does it.
mended() {
	caused "$@"
	ok "$1: what it says can be done" \
		sh -ec "$(grep -oE '"[^"]*"[^"]*$' <<<"$text" | cut -d'"' -f2)"
	gone "$1"
}

two_links() { # LINE...: of [mwan]
	ini "$@" '[link ppp0]' '[link ppp1]'
}
links_wanted ppp0 ppp1
two_links
mkdir -p /etc/systemd
mount -t tmpfs tmpfs /etc/systemd
sysctl -qw net.ipv4.ip_forward=1

# --- before anything, and as links come ---
is "not in force" "$(json '.status, .problems[].text')" \
	"2
No link is up: see pppd's own messages in the system log.
ppp0 is down, there is no such interface (a link is called like its interface: \
see \"ip -br link\"): see pppd's messages about it in the system log.
ppp1 is down, there is no such interface (a link is called like its interface: \
see \"ip -br link\"): see pppd's messages about it in the system log.
Rules and nftables are not in force, though there is /etc/ppp/mwan.ini: run \
\"mwan-rules apply\".
The rule \"pref 32769 lookup 200\" is missing: run \"mwan-rules apply\"."
rm /etc/ppp/mwan.ini
like "not in force, and no mwan.ini: said before what is wrong" \
	"$(mwan-rules status | sed 1,3d | paste -sd' ')" \
	'^ Rules and nftables are not in force: "mwan-rules apply" puts them in force\.  \* No link is up'
two_links
mwan-rules apply
is "no link: apply" "$(json '.status, .problems[].kind' | paste -sd' ')" \
	"2 no-link link-down link-down"
is "no way" "$(json '[.links[] | .up, .default[]]')" "[false,false]"
link_new ppp0 10.64.1.100 10.64.1.1
hook up ppp0 10.64.1.100 10.64.1.1
caused "a link is down" link-down \
	'^ppp1 is down, there is no such interface \(.* "ip -br link"\): see .*log\.$'
is "its problem names it" "$(json '.problems[].link')" ppp1
is "the other carries its traffic" \
	"$(json '.links[] | "\(.name) \(.up) \(.default)"')" \
	'ppp0 true ["ppp0"]
ppp1 false ["ppp0"]'
link_new ppp1 10.64.2.100 10.64.2.1
ip link set ppp1 down
caused "an interface is not up" link-down 'ppp1 is down, the interface is not up:'
ip link set ppp1 up
ip addr del 10.64.2.100/32 peer 10.64.2.1 dev ppp1
caused "an interface has no address" link-down 'has no IPv4 address:'
ip addr add 10.64.2.100 peer 10.64.2.1 dev ppp1
hook up ppp1 10.64.2.100 10.64.2.1
gone "two links"

# --- what is shown ---
is "the table's head" "$(mwan-rules status --long | sed -n 1,2p | xargs)" \
	"LINK STATE SINCE ADDRESS PEER TABLE MARK WEIGHT TIER FLOWS RX TX DEFAULT"
since=$(grep 'event=up if=ppp0' /var/log/ifchang.log | cut -c4-22)
like "a line a link, and nothing else" "$(mwan-rules status)" \
	'^LINK  STATE  FOR +ADDRESS      RX  TX  FLOWS  CARRIED BY
ppp0  up     [0-9a-z. ]+  10\.64\.1\.100   0   0      0  ppp0
ppp1  up     [0-9a-z. ]+  10\.64\.2\.100   0   0      0  ppp1$'
is "--long: nothing else but two lines a link" \
	"$(mwan-rules status --long | tail -n +3 | tr -s ' ')" \
	"ppp0 up $since 10.64.1.100 10.64.1.1
 201 0x1 1 1 0 0 0 ppp0
ppp1 up $(grep 'event=up if=ppp1' /var/log/ifchang.log | cut -c4-22) \
10.64.2.100 10.64.2.1
 202 0x2 1 1 0 0 0 ppp1"
is "JSON: every member of a link" "$(json '.links[0] | keys_unsorted')" \
	'["name","up","since","local","peer","gateway","table","mark","weight","tier","flows","rx_bytes","tx_bytes","default","ipv6_up","ipv6_local","ipv6_peer","ipv6_prefix","drained","held","poor","cause","judged","loss_ppm","rtt_us","answer_age_ms","answer_from","ipv6_held","ipv6_cause","ipv6_loss_ppm","ipv6_rtt_us","ipv6_answer_age_ms","ipv6_answer_from"]'
is "JSON: their values" "$(json '.links[0] | del(.since)')" \
	'{"name":"ppp0","up":true,"local":"10.64.1.100","peer":"10.64.1.1","gateway":null,"table":201,"mark":1,"weight":1,"tier":1,"flows":0,"rx_bytes":0,"tx_bytes":0,"default":["ppp0"],"ipv6_up":null,"ipv6_local":null,"ipv6_peer":null,"ipv6_prefix":null,"drained":false,"held":false,"poor":false,"cause":null,"judged":null,"loss_ppm":null,"rtt_us":null,"answer_age_ms":null,"answer_from":null,"ipv6_held":null,"ipv6_cause":null,"ipv6_loss_ppm":null,"ipv6_rtt_us":null,"ipv6_answer_age_ms":null,"ipv6_answer_from":null}'
is "JSON: since is the log's date" "$(json '.links[0].since')" \
	"$(sed -n 's/^ts=\([^ ]*\) .*event=up if=ppp0.*/\1/p' \
		/var/log/ifchang.log)"
# A power cut leaves holes in files that grow.
cp /var/log/ifchang.log "$T/log"
printf 'ts=2020-01-01T00:00:00.000+00:00 event=up if=ppp1 local=192.0.2.1\n\0\0' |
	cat - "$T/log" >/var/log/ifchang.log
is "since, behind bytes of zero" "$(json '.links[1].since')" \
	"$(sed -n 's/^ts=\([^ ]*\) .*event=up if=ppp1.*/\1/p' "$T/log")"
# since_by LINE...: of ppp1, by a log of EVENT LOCAL RESULT, a minute each.
since_by() {
	local line minute=10 now

	now=$(date -u +%FT%T)
	for line; do
		# shellcheck disable=SC2086
		printf 'ts=%s.0%d+00:00 event=%s if=ppp1 local=%s default=ppp0 result=%s took_us=9\n' \
			"${ts:-$now}" $minute $line
		minute=$((minute + 1))
	done >/var/log/ifchang.log
	json '.links[1].since' | sed 's/.*[.]0\(..\)+.*/\1/'
}
is "since: the newest session, when no down was logged" \
	"$(since_by "up 10.64.2.100 ok" "up 10.64.2.100 partial")" 11
is "since: a second call that changes nothing is none" \
	"$(since_by "up 10.64.2.100 ok" "up 10.64.2.100 unchanged")" 10
is "since: another hook was faster" \
	"$(since_by "up 10.64.2.100 ok" "down 10.64.2.100 ok" \
		"up 10.64.2.100 unchanged")" 12
is "since: the address is another one" \
	"$(since_by "up 10.64.2.100 ok" "up 10.64.2.99 ok")" null
is "since: the address is the same again" \
	"$(since_by "up 10.64.2.100 ok" "up 10.64.2.99 ok" \
		"up 10.64.2.100 unchanged")" 12
# A clock that was set after the link had come up: in 1970 there was no boot.
boot=$(($(date +%s) - $(cut -d. -f1 /proc/uptime)))
is "since: not of 1970" \
	"$(ts=1970-01-01T00:00:09 since_by "up 10.64.2.100 ok")" null
is "since: not of before the boot" "$(ts=$(date -u +%FT%T \
	-d "@$((boot - 5))") since_by "up 10.64.2.100 ok")" null
is "since: but of this boot" "$(ts=$(date -u +%FT%T \
	-d "@$((boot + 5))") since_by "up 10.64.2.100 ok")" 10
is "since: not of the future" "$(ts=$(date -u +%FT%T -d "1 hour") \
	since_by "up 10.64.2.100 ok")" null
ts=1970-01-01T00:00:09 since_by "up 10.64.2.100 ok" >/dev/null
is "since: the table has no date then" \
	"$(mwan-rules status --long | awk '$1 == "ppp1" { print $3 }')" -
cp "$T/log" /var/log/ifchang.log
# To the peer: at least the question for its hardware address is sent.
echo >/dev/udp/10.64.2.1/9
wait_for 5 sh -c "ip -s link show ppp1 | grep -A 1 TX: | grep -q ' [1-9]'"
conntrack -F >/dev/null 2>&1
for i in 1 2 3; do
	conntrack -I -p udp -s "10.0.0.$i" -d 192.0.2.1 --sport 9 --dport 9 \
		-t 600 -m $((i > 1 ? 0x102 : 1)) >/dev/null 2>&1
done
is "flows: by the mark under the mask" "$(json '[.links[].flows]')" "[1,2]"
is "bytes are the interface's" \
	"$(json '.links[1] | "\(.rx_bytes) \(.tx_bytes)"')" \
	"$(ip -j -s link show ppp1 |
		jq -r '.[].stats64 | "\(.rx.bytes) \(.tx.bytes)"')"
not_ok "and there are some" test "$(json '.links[1].tx_bytes')" = 0
mwan-rules drain ppp0
is "drained: another link carries new connections, this one its own" \
	"$(json '.status, .links[0].drained, .links[0].default[0]' |
		paste -sd' ')" "0 true ppp0"
mwan-rules undrain ppp0
is "-f the file in force: the same" \
	"$(mwan-rules status --json -f /etc/ppp/mwan.ini; echo $?)" \
	"$(mwan-rules status --json; echo $?)"
sed 's/\[link ppp1\]/&\nweight = 3/' /etc/ppp/mwan.ini >"$T/other.ini"
is "-f another file: what it would change" \
	"$(mwan-rules status --json -f "$T/other.ini" |
		jq -r '.in_force, .problems[].kind' | sort | uniq | paste -sd' ')" \
	"nftables standby true"

# --- the file was changed, and is not in force yet ---
echo '# a comment' >>/etc/ppp/mwan.ini
gone "a change that says the same"
two_links 'clamp_mss = no'
is "the file was changed: said first" "$(json '.problems[].kind' | xargs)" \
	"configuration nftables"
is "and nobody has flushed nftables" "$(json '.problems[].text')" \
	'/etc/ppp/mwan.ini was changed since it was put in force, and what follows comes of that: run "mwan-rules apply".
The nftables table "inet mwan" is of the configuration before: run "mwan-rules apply".'
is "so with -f" "$(mwan-rules status --json -f /etc/ppp/mwan.ini)" \
	"$(mwan-rules status --json)"
sed -i '/ppp1/d' /etc/ppp/mwan.ini
is "a link was removed: said first" "$(json '.problems[0].kind')" configuration
two_links
gone "the file is as before"

# --- colour ---
terminal() { # VARIABLE=VALUE...: status on a terminal, with no other variable
	script -qec "env -i $* $BIN/mwan-rules status" /dev/null </dev/null
}
is "no colour in a pipe" "$(TERM=xterm mwan-rules status | grep -c $'\33')" 0
is "on a terminal" "$(terminal TERM=xterm | grep -c $'\33\[32mup')" 2
is "NO_COLOR, empty: colour" \
	"$(terminal TERM=xterm NO_COLOR= | grep -c $'\33')" 2
is "NO_COLOR: none" "$(terminal TERM=xterm NO_COLOR=0 | grep -c $'\33')" 0
is "TERM=dumb: none" "$(terminal TERM=dumb | grep -c $'\33')" 0
is "no TERM: none" "$(terminal A=b | grep -c $'\33')" 0

# --- Prometheus ---
mwan-rules status --prometheus >"$T/prom"
is "Prometheus: exit status" $? 0
is "promtool has nothing to say" \
	"$("$promtool" check metrics <"$T/prom" 2>&1; echo $?)" 0
is "a link's figure" "$(grep '^mwan_link_.*ppp1' "$T/prom" |
	grep -vE '_bytes_total|_since_')" \
	'mwan_link_info{link="ppp1",local="10.64.2.100",peer="10.64.2.1",gateway="",cause="",ipv6_cause=""} 1
mwan_link_up{link="ppp1"} 1
mwan_link_table{link="ppp1"} 202
mwan_link_mark{link="ppp1"} 2
mwan_link_weight{link="ppp1"} 1
mwan_link_tier{link="ppp1"} 1
mwan_link_flows{link="ppp1"} 2
mwan_link_carried_by{link="ppp1",by="ppp1"} 1
mwan_link_drained{link="ppp1"} 0
mwan_link_held{link="ppp1"} 0
mwan_link_poor{link="ppp1"} 0'
is "since, in seconds: the log's date" \
	"$(sed -n 's/^mwan_link_since_seconds.*ppp1"} //p' "$T/prom")" \
	"$(date -d "$(json '.links[1].since')" +%s)"
while read -r name; do
	ok "the member $name is in the page" \
		grep -qE "^(\.Ic|\.It Ic|.*Ic) $name\b" "$root/cmd/mwan-rules.8"
done < <(json '.links[0] | keys[]')
while read -r name; do
	ok "$name is in the page" grep -q "$name" "$root/cmd/mwan-rules.8"
done < <(sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' "$T/prom")

# --- the kernel is not as it should be ---
ip rule del pref 1001
mended "a rule is missing" rule '^The rule "pref 1001 fwmark 0x1/0xff lookup 201" is missing: run "mwan-rules apply"\.$'
ip rule add pref 1007 lookup 207 protocol 119
mended "a rule of ours is too many" rule 'pref 1007 lookup 207" is ours and not wanted'
ip route del default table 200
mended "no standby" standby '^The standby \(table 200\) lacks its default'
ip nexthop replace id 77257 group 77001 protocol 119
mended "another standby" standby 'group of the standby \(nexthop 77257\)'
ip nexthop add id 77009 dev xppp0 protocol 119
mended "a nexthop is too many" nexthop 'Nexthop 77009 is ours'
ip route flush table 202
is "a link's default is missing: the standby carries it" \
	"$(json '.links[1].default')" '["ppp0","ppp1"]'
mended "a link's default is missing" route \
	'^Table 202 lacks the default of ppp1, whose traffic goes by other links: run'
mwan-rules drain ppp0
ip route flush table 202
mended "... and nothing else carries it" route \
	'^Table 202 lacks the default of ppp1: run "mwan-rules apply"\.$'
mwan-rules undrain ppp0
nft flush ruleset
mended "nftables is flushed" nftables '"inet mwan" is missing: .*flushes nftables'
nft flush chain inet mwan postrouting
mended "nftables is changed" nftables '"inet mwan" was changed'
sysctl -qw net.ipv4.ip_forward=0
mended "ip_forward" ip-forward '^net/ipv4/ip_forward is 0, .* "mwan-rules apply"'
sysctl -qw net.ipv4.conf.ppp0.rp_filter=1
mended "rp_filter of a link" rp-filter \
	'^net/ipv4/conf/ppp0/rp_filter is 1.* by ppp0 .* "mwan-rules apply"'
two_links 'sysctl = no'
mwan-rules apply
sysctl -qw net.ipv4.ip_forward=0
mended "ip_forward is the user's" ip-forward 'sysctl -w'
sysctl -qw net.ipv4.conf.ppp0.rp_filter=0 net.ipv4.conf.ppp1.rp_filter=2 \
	net.ipv4.conf.all.rp_filter=1
mended "rp_filter of all" rp-filter 'conf/all/rp_filter is 1.* ppp0 .*sysctl -w'
sysctl -qw net.ipv4.conf.all.rp_filter=0
two_links
mwan-rules apply

# --- what apply and the hooks write to ---
chmod 777 /run/mwan
caused "the run directory is anybody's" configuration \
	'^/run/mwan is not ours alone \(owner 0, mode 0777\): remove it, it is made again\.$'
chmod 755 /run/mwan
chown 65534 /run/mwan
caused "the run directory is another one's" configuration 'owner 65534, mode 0755'
chown 0 /run/mwan
gone "the run directory"
log_to() { # FILE: the log, in force without a change of the file
	two_links "log = $1"
	rm -rf /run/mwan
	mwan-rules apply 2>/dev/null
}
log_to /nodir/x.log
caused "the log has no directory" log \
	'^cannot open the log /nodir/x.log: No such file or directory; make its directory, '
log_to /var/log/new.log
rm /var/log/new.log
gone "a log that is made with the first line"
not_ok "status does not make it" test -e /var/log/new.log
mkdir /var/log/new.log
caused "the log is a directory" log '^cannot open the log /var/log/new.log: Is a dir'
rmdir /var/log/new.log
touch /var/log/new.log
chmod 666 /var/log/new.log
caused "the log is anybody's" log '^the log /var/log/new.log is not a plain file'
chmod 640 /var/log/new.log
mkdir -m 700 /var/log/other
chown 65534 /var/log/other
log_to /var/log/other/x.log
caused "the log's directory is another one's" log 'Permission denied; let user 0'
log_to /var/log/ifchang.log
two_links
gone "the log"

# --- queues ---
two_links
sed -i 's/\[link ppp0\]/&\nqdisc = prio-sfq/' /etc/ppp/mwan.ini
mwan-rules apply 2>/dev/null
tc qdisc del dev ppp0 root 2>/dev/null
caused "no queue" queue '^The queue of ppp0 is not the one .*: run "mwan-rules apply", and if this kernel lacks that queue, set qdisc = none in mwan.ini\.$'
two_links
mwan-rules apply
gone "no queue"

# --- the LAN ---
two_links 'lan = lna0 xppp0'
mwan-rules apply
caused "lan: a name that no interface has" lan '^lan names lna0, and there is no such interface, so what comes in by another one is not shared: fix lan in /etc/ppp/mwan.ini, and run "mwan-rules apply"\.$'
two_links 'lan = lna0 xppp0 lna1'
mwan-rules apply
caused "lan: two of them" lan '^lan names lna0, lna1, and there are no such'
two_links 'lan = xppp0'
mwan-rules apply
gone "lan"
two_links
mwan-rules apply

# --- others' rules and routes ---
ip route add default dev xppp1 table 99
ip rule add pref 500 lookup 99
mended "a rule that takes everything" foreign-rule '^A rule of somebody else.s, of priority 500, .* ppp0, ppp1 elsewhere .* above 1900\.$'
ip rule add pref 500 fwmark 2/0xff lookup 99
mended "a rule that takes one link's" foreign-rule 'marked for ppp1 elsewhere'
ip rule add pref 500 not fwmark 1/0xff unreachable
mended "a rule that refuses" foreign-rule 'marked for ppp1 nowhere'
ip rule add pref 500 fwmark 2/0xff blackhole
mended "a rule that is silent" foreign-rule 'marked for ppp1 nowhere'
ip rule add pref 500 prohibit
mended "a rule that prohibits" foreign-rule 'marked for ppp0, ppp1 nowhere'
# Behind ours: "del pref 1001" alone would take that.
ip rule add pref 1001 lookup 99
mended "a rule of the priority of one of ours" foreign-rule 'of priority 1001'
mwan-rules flush
ip rule add pref 1900 lookup 99
mwan-rules apply
mended "... before the last of ours" foreign-rule 'of priority 1900, leads'
ip rule add pref 1900 fwmark 1/0xff unreachable
caused "... behind it" mark-collision '^The rule 1900 .* ours take its packets first'
ip rule del pref 1900 unreachable
ip rule add pref 500 fwmark 1/0xff lookup 201
ip rule add pref 501 lookup main suppress_prefixlength 0
ip rule add pref 502 lookup 98
ip rule add pref 503 to 192.0.2.0/24 lookup 99
ip rule add pref 504 fwmark 0x100/0x100 lookup 99
ip route add throw default table 97
ip rule add pref 505 lookup 97
ip rule add pref 1950 iif lo lookup 99
gone "rules that take nothing away"
for i in 500 501 502 503 504 505 1950; do
	ip rule del pref $i
done
# Each of these would fill the places that there are for what matters.
for i in $(seq 100 169); do
	echo "rule add pref $i lookup 98"
	echo "rule add pref $i fwmark 0x100/0x100 lookup 99"
done | ip -b -
ip rule add pref 500 lookup 99
mended "a rule behind many that take nothing away" foreign-rule 'of priority 500'
for i in $(seq 100 169); do
	printf 'rule del pref %d\n' "$i" "$i"
done | ip -b -
ip route add default via 10.64.2.9 dev ppp1 metric 7 onlink
caused "a default in main" foreign-default \
	'^The table main .* own traffic .*"ip route del default via 10.64.2.9 dev ppp1 metric 7", .*nodefaultroute'
like "a default in main: or else" "$text" \
	'or, if it is to be the last resort, write "last_resort = main" in mwan.ini\.$'
two_links 'last_resort = main'
gone "a default in main that is wanted"
two_links 'last_resort = unreachable'
mwan-rules apply
caused "a default in main that is not" foreign-default '^The table main '
two_links
mwan-rules apply
ip link set ppp0 down
ip link set ppp1 down
ip route add default dev xppp0
is "a default in main, and no link: nothing is said of it" \
	"$(json '.problems[].kind' | grep -c foreign)" 0
ip addr del 10.64.1.100/32 peer 10.64.1.1 dev ppp0
ip link set ppp0 up
is "no link: of each it is said why" \
	"$(json '.problems[] | select(.kind == "link-down").text' |
		cut -d: -f1)" \
	"ppp0 is down, the interface has no IPv4 address
ppp1 is down, the interface is not up"
mwan-rules drain ppp1
is "no link: also of a drained one" \
	"$(json '.status, .problems[].kind' | xargs)" "2 no-link link-down link-down"
ip addr add 10.64.1.100 peer 10.64.1.1 dev ppp0
mwan-rules apply
ip route del default
is "a drained link is down: shown as both" \
	"$(mwan-rules status | awk '$1 == "ppp1" { print $2 }'; \
		mwan-rules status >"$T/said"; echo $?)" "down,drained
0"
ip link set ppp1 up
mwan-rules undrain ppp1
gone "a default in main"
ip route prepend default dev xppp0 table 201
is "a default before a link's own: it carries the link's traffic" \
	"$(json '.links[0].default')" '["xppp0"]'
mended "a default before a link's own" foreign-default \
	'^Table 201, of ppp0, has a default of somebody else.s'
ip route add default dev xppp0 table 201 metric 9
mended "a default behind a link's own" foreign-default \
	'^Table 201, of ppp0, .* after ours, .* when ppp0 fails: "ip route del default dev xppp0 metric 9 table 201"\.$'
ip route add unreachable default table 201 metric 9
mended "... that refuses" foreign-default '^Table 201, of ppp0, .* after ours'
ip route add throw default table 201 metric 9
gone "... that leaves it to the standby"
ip route del throw default table 201 metric 9
ip route add default dev xppp0 table 200 metric 9
gone "a default behind the standby's"
ip route del default dev xppp0 table 200 metric 9
ip route add default dev xppp0 table 200
mended "a default before the standby" foreign-default '^Table 200, the standby, '
ip route add default dev ppp0 table 200
mended "... by a link: no plan replaces it" foreign-default '^Table 200, the standby, '

# --- systemd-networkd ---
# The directory is made at boot, also where networkd does not run.
mkdir -p /run/systemd/netif /etc/systemd/networkd.conf.d
gone "networkd: it does not run"
touch /run/systemd/netif/state
caused "networkd" networkd '^systemd-networkd will delete our routes and rules '
printf '[Network]\n#ManageForeignRoutes=no\n[DHCPv4]\nManageForeignRoutes=no\n' \
	>/etc/systemd/networkd.conf
caused "networkd: a comment, another section" networkd 'routes and rules'
printf '[Network]\nManageForeignRoutes = False\n' \
	>/etc/systemd/networkd.conf.d/a.conf
caused "networkd: half of it" networkd 'our rules when'
grep -o 'Manage[A-Za-z]*=no' <<<"$text" |
	sed '1i[Network]' >/etc/systemd/networkd.conf
gone "networkd"
printf '[Network]\nManageForeignRoutes=yes\n' >/etc/systemd/networkd.conf.d/b.conf
caused "networkd: the last file counts" networkd 'our routes when'
mkdir /run/systemd/networkd.conf.d
mount -t tmpfs tmpfs /usr/lib/systemd
mkdir /usr/lib/systemd/networkd.conf.d
printf '[Network]\nManageForeign%s=no\n' Routes RoutingPolicyRules \
	>/usr/lib/systemd/networkd.conf.d/c.conf
gone "networkd: the last one, in /usr/lib"
mv /etc/systemd/networkd.conf.d/b.conf /run/systemd/networkd.conf.d/d.conf
caused "networkd: the last one, in /run" networkd 'our routes when'
ln -s /dev/null /etc/systemd/networkd.conf.d/d.conf
gone "networkd: /etc goes before /run"
rm /etc/systemd/networkd.conf.d/* /run/systemd/networkd.conf.d/d.conf \
	/etc/systemd/networkd.conf
gone "networkd: no file but one in /usr/lib"
umount /usr/lib/systemd
caused "networkd: nor that" networkd 'our routes and rules when'
rm -r /run/systemd
gone "networkd: it does not run any more"

# --- hooks ---
rm /etc/ppp/ip-up.local
caused "no hook" hook '^/etc/ppp/ip-up.local is missing, .* goes up: make it a link'
cp "$BIN/ip-up.local" /etc/ppp
chmod -x /etc/ppp/ip-up.local
mended "not executable" hook '^/etc/ppp/ip-up.local is not executable'
ln -sf /nowhere/ip-down.local /etc/ppp
caused "leads nowhere" hook '^/etc/ppp/ip-down.local leads nowhere, .* goes down:'
rm /etc/ppp/ip-down.local
printf '#!/bin/sh\n' >/etc/ppp/ip-down.local
chmod +x /etc/ppp/ip-down.local
caused "a script" hook '^/etc/ppp/ip-down.local is not our hook, .*before-mwan'
ln -sf "$BIN/ip-down.local" /etc/ppp
gone "a script"
# What the sentence names is what there is on this machine.
mount -t tmpfs tmpfs /usr/local
mkdir -p /usr/local/libexec/mwan
cp "$BIN/ip-up.local" "$BIN/ip-down.local" /usr/local/libexec/mwan
rm /etc/ppp/ip-up.local
mended "no hook, and a program in /usr/local" hook \
	': "ln -s /usr/local/libexec/mwan/ip-up.local /etc/ppp/ip-up.local"\.$'
ln -sf /nowhere/ip-down.local /etc/ppp
mended "leads nowhere, and a program" hook \
	'"ln -sf /usr/local/libexec/mwan/ip-down.local /etc/ppp/ip-down.local"\.$'
mount -t tmpfs tmpfs /usr/libexec
mkdir /usr/libexec/mwan
cp "$BIN/ip-up.local" "$BIN/ip-down.local" /usr/libexec/mwan
ln -sf /nowhere/ip-down.local /etc/ppp
mended "the package's goes before it" hook '"ln -sf /usr/libexec/mwan/ip-down.local '
umount /usr/libexec /usr/local
ln -sf "$BIN/ip-up.local" "$BIN/ip-down.local" /etc/ppp
gone "programs elsewhere"
# pppd's own script.
chmod -x /etc/ppp/ip-up
mended "pppd's own script is not executable" hook \
	'^/etc/ppp/ip-up is not executable, and pppd runs no hook when a link goes up:'
mv /etc/ppp/ip-down "$T"
caused "pppd's own script is missing" hook \
	"^/etc/ppp/ip-down is missing, and pppd runs no hook when a link goes down: install pppd's own /etc/ppp/ip-down anew\\.\$"
# OpenWrt's netifd has one of its own.
mkdir -p "$T/lib/netifd"
is "pppd's own script is missing, and netifd runs the hooks" \
	"$(unshare --mount --propagation private sh -c "
		mount -t overlay -o lowerdir=$T/lib:/usr/lib none /usr/lib
		mwan-rules status --json" | jq -c .problems)" "[]"
mv "$T/ip-down" /etc/ppp
gone "pppd's own script"
# Red Hat: no other directory.
mkdir /etc/ppp/ip-up.d
mv /etc/ppp/ip-up.local /etc/ppp/ip-up.d/0000mwan
mended "Red Hat: ours in a directory that nobody runs" hook \
	'^/etc/ppp/ip-up does not run what is in ip-up.d, and so not our hook /etc/ppp/ip-up.d/0000mwan:'
ln -s "$BIN/ip-up.local" /etc/ppp/ip-up.d/0000mwan
printf '#!/bin/sh\n' >"$T/script"
chmod +x "$T/script"
mv /etc/ppp/ip-up.local "$T/ours"
cp "$T/script" /etc/ppp/ip-up.local
caused "Red Hat: ... and another ip-up.local" hook \
	'^/etc/ppp/ip-up.local is not our hook'
rm -r /etc/ppp/ip-up.d
mv "$T/ours" /etc/ppp/ip-up.local
gone "Red Hat"
# Debian: scripts of their own directory, unless there is an ip-up.local.
for what in up down; do
	mkdir /etc/ppp/ip-$what.d
	printf '#!/bin/sh\nif [ -x /etc/ppp/ip-%s.local ]; then\n' $what
	printf '  exec /etc/ppp/ip-%s.local "$@"\nfi\n' $what
	printf 'run-parts /etc/ppp/ip-%s.d\n' $what
done >/etc/ppp/ip-up
sed 's/ip-up/ip-down/' /etc/ppp/ip-up >/etc/ppp/ip-down
gone "Debian: nobody else's hooks"
printf '#!/bin/sh\n' >/etc/ppp/ip-up.d/0000usepeerdns
gone "Debian: a hook that is not executable"
chmod +x /etc/ppp/ip-up.d/0000usepeerdns
mended "Debian: others' hooks are bypassed" hook \
	'runs our hook /etc/ppp/ip-up.local .* not /etc/ppp/ip-up.d/0000usepeerdns'
ln -sf "$BIN/ip-up.local" /etc/ppp/ip-up.d/0000mwan
printf '#!/bin/sh\n' >/etc/ppp/ip-up.local
gone "Debian: an ip-up.local that is not executable"
chmod +x /etc/ppp/ip-up.local
mended "Debian: ours is bypassed" hook \
	'^/etc/ppp/ip-up runs /etc/ppp/ip-up.local .* not our hook /etc/ppp/ip-up.d/0000mwan'
rm /etc/ppp/ip-up.d/0000mwan
caused "Debian: no hook" hook '^/etc/ppp/ip-up.d/0000mwan is missing'
ln -s "$BIN/ip-up.local" /etc/ppp/ip-up.d/mwan.sh
mended "Debian: a name that run-parts passes over" hook \
	'^run-parts passes over /etc/ppp/ip-up.d/mwan.sh for its name, '
ln -s "$BIN/ip-up.local" /etc/ppp/ip-up.d/mwan.sh
gone "Debian: a second one by such a name"

# --- nothing can be looked at, or not all ---
setpriv --reuid=65534 --clear-groups --inh-caps=-all \
	"$BIN/mwan-rules" status --json >"$T/json" 2>"$T/said"
is "without root: as far as it can" \
	"$? $(jq -r '.problems[] | .kind, .text' "$T/json")" "1 privilege
Only root can see the nftables table and count connections: run mwan-rules \
status as root."
chmod 600 /etc/ppp/mwan.ini
is "nor the configuration" "$(setpriv --reuid=65534 --clear-groups \
	--inh-caps=-all "$BIN/mwan-rules" status --json |
	jq -r '.status, .problems[].kind, .problems[0].text')" "1
privilege
privilege
Only root can read the configuration, and what is shown here comes of what is \
in force: run mwan-rules status as root."
chmod 644 /etc/ppp/mwan.ini
chmod 700 /etc/ppp/ip-up.d
is "nor where it may not look for the hook" \
	"$(setpriv --reuid=65534 --clear-groups --inh-caps=-all \
		"$BIN/mwan-rules" status --json |
		jq -r '.problems[].kind')" privilege
chmod 755 /etc/ppp/ip-up.d
is "flows are not known" "$(jq -c '[.links[].flows]' "$T/json")" "[null,null]"
printf '[link ppp0\xff"\\]\n' >"$T/bad.ini"
mwan-rules status --json -f "$T/bad.ini" >"$T/json" 2>"$T/said"
is "a configuration that cannot be read" \
	"$? $(jq -r '.status, .problems[0].kind' "$T/json" | paste -sd' ')" \
	"78 78 error"
like "is named" "$(jq -r '.problems[0].text' "$T/json")" \
	"^$T/bad.ini:1: .*ppp0\\\\xff"
is "stderr says it, too" "$(cut -d' ' -f2- "$T/said")" \
	"$(jq -r '.problems[0].text' "$T/json")"
mwan-rules status --prometheus -f "$T/bad.ini" >"$T/prom" 2>"$T/said"
is "Prometheus: the status" "$(grep '^mwan_' "$T/prom")" "mwan_status 78
mwan_in_force 0
mwan_problems 1"
is "and what that may be" "$(grep '^# HELP mwan_status' "$T/prom")" \
	"# HELP mwan_status 0 all well, 1 degraded, 2 no link, else the exit status of \
an error."
is "and promtool" "$("$promtool" check metrics <"$T/prom" 2>&1; echo $?)" 0
is "status --json writes nothing" "$(strace -f -e trace=sendto,sendmsg \
	-o "$T/strace" mwan-rules status --json >/dev/null
	grep -cE 'RTM_(NEW|DEL)|NFT_MSG_(NEW|DEL)|CT_DELETE' "$T/strace")" 0
is "--long goes with no other command" "$(status mwan-rules check --long)" 64
is "--json goes with no other command" "$(status mwan-rules check --json)" 64
is "--json takes no value" "$(mwan-rules status --json=x 2>&1)" \
	'mwan-rules: unknown option "--json=x"; see mwan-rules --help'
is "nor --prometheus" "$(status mwan-rules --prometheus apply)" 64
is "the kinds are those of the page" \
	"$(sed -n 's/.*\bsay(s, "\([a-z-]*\)".*/\1/p' "$root/common/tell/status.c" |
		sort -u)" \
	"$(sed -n '/Em Kind/,/^\.El/s/^\.It \([a-z-]*\) Ta .*/\1/p' \
		"$root/cmd/mwan-rules.8" | sort -u)"

# --- 80 columns ---
for what in up down; do
	for i in 0 1 2 3; do
		name=long-name-ppp-$i
		case $what in
		up)
			ip link add "$name" arp off type veth peer name "y$i"
			ip link set "y$i" up
			ip link set "$name" up
			ip addr add "203.100.200.10$i" peer \
				"203.100.210.10$i" dev "$name"
			printf '[link %s]\ntable = 42949670%d\n' "$name" \
				$((i + 80))
			;;
		down)
			ip link del "$name"
			;;
		esac
	done >>/etc/ppp/mwan.ini
	[ $what = down ] || sed -i 's/\[mwan\]/&\nmark_mask = 0xff000000/' \
		/etc/ppp/mwan.ini
	mwan-rules apply 2>/dev/null
	{
		mwan-rules status
		mwan-rules status --long
	} >"$T/wide"
	is "all of it, links $what: no line is longer than 80" \
		"$(awk 'length > 80' "$T/wide")" ""
	like "and it is all there" "$(cat "$T/wide")" "long-name-ppp-3"
done
done_testing
