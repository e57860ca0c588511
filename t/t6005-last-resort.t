#!/bin/bash
# last_resort: what becomes of packets when no link is usable.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

standby() {
	ip route show table 200 2>/dev/null |
		sed 's/ dev ppp[01]//; s/ proto 119//; s/ *$//'
}

way() { # ADDRESS ARGUMENT...: the device, or the error
	ip route get "$@" 2>&1 | head -n 1 |
		grep -oE 'dev [^ ]*|No route to host|Invalid argument'
}

links_wanted ppp0 ppp1
link_new lan0 192.168.7.1/24 192.168.7.1/24
link_new wan9 10.70.0.2 10.70.0.1
ip route add default via 10.70.0.1 dev wan9
ip route add 10.99.0.0/16 dev lan0

ini 'last_resort = main' '[link ppp0]' '[link ppp1]'
mwan-rules apply
is "main: the standby is empty" "$(standby)" ""
is "main: its default is the last resort" "$(way 192.0.2.1 mark 1)" "dev wan9"
ini 'last_resort = unreachable' '[link ppp0]' '[link ppp1]'
mwan-rules apply
is "unreachable: a route for good" "$(standby)" \
	"unreachable default metric 65535"
is "unreachable: marked traffic is refused" "$(way 192.0.2.1 mark 2)" \
	"No route to host"
is "specific routes win" "$(way 10.99.1.1 mark 2) $(way 192.168.7.9 mark 1)" \
	"dev lan0 dev lan0"
is "unmarked traffic goes by main's default" "$(way 192.0.2.1)" "dev wan9"
mwan-rules apply
like "a second apply: unchanged" "$(tail -n 1 /var/log/ifchang.log)" \
	'result=unchanged'
is "status: no link, and the last resort is no leftover" \
	"$(mwan-rules status --json | jq -r '.status, .problems[].kind')" "2
no-link
link-down
link-down"

link_new ppp0 10.64.0.100 10.64.0.1
hook up ppp0 10.64.0.100
is "a link goes before it" "$(standby)" "default nhid 77257 metric 1
unreachable default metric 65535"
is "marks go by the link" "$(way 192.0.2.1 mark 1) $(way 192.0.2.1 mark 2)" \
	"dev ppp0 dev ppp0"
ip link del ppp0
is "the kernel itself falls back on it" "$(way 192.0.2.1 mark 1)" \
	"No route to host"
hook down ppp0 10.64.0.100
is "it stays" "$(standby)" "unreachable default metric 65535"
ip route flush table 200
hook up ppp1 10.64.1.100
is "a hook brings it back" "$(standby)" "unreachable default metric 65535"

ini 'last_resort = blackhole' '[link ppp0]' '[link ppp1]'
hook up ppp1 10.64.1.100
is "another one takes its place" "$(standby)" "blackhole default metric 65535"
is "blackhole: marked traffic is lost" "$(way 192.0.2.1 mark 2)" \
	"Invalid argument"
sed -i 's/\[mwan\]/&\nstandby_table = 300/' /etc/ppp/mwan.ini
dry=$(mwan-rules apply -n)
ok "what -n prints can be run" sh -e <<<"$dry"
is "another standby table: the route goes with it" \
	"$(standby) $(ip route show table 300)" \
	" blackhole default proto 119 metric 65535 "
mwan-rules flush
is "flush takes it away" "$(ip route show table all | grep -c 'proto 119')" 0
done_testing
