#!/bin/bash
# A session that takes a link's name and is not its line: with linkname nothing
# uses it, neither its own hook nor another link's nor apply, and the line's own
# session gets its place back.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

# pppd's note: whose PID has IFNAME.
says() { # LINKNAME PID [IFNAME]
	printf '%s\n' "${@:2}" >"/var/run/ppp-$1.pid"
}

uses() {
	local dev

	for dev in ppp0 ppp1; do
		ip route show table all proto 119 | grep -q "^default dev $dev " &&
			ip nexthop | grep -q "dev $dev " && echo "$dev"
	done | xargs
}

links_wanted ppp0 ppp1
printf '[mwan]\nqdisc = none\n[link ppp0]\nlinkname = wan0\n%s' \
	$'[link ppp1]\nlinkname = wan1\n' >/etc/ppp/mwan.ini
ok "check" mwan-rules check
link_new ppp0 10.64.1.100 10.64.1.1
says wan0 $$ ppp0
mwan-rules apply 2>/dev/null
is "the line's session is used" "$(uses)" ppp0

# The client of a VPN server, while line 2 is down.
link_new ppp1 10.99.0.1 10.99.0.2
hook up ppp1 10.99.0.1 10.99.0.2
is "no pppd of that linkname: its own hook does not use it" "$(uses)" ppp0
like "the log says why" "$(tail -n 1 /var/log/ifchang.log)" \
	'if=ppp1 .*default=ppp0 .*note="ppp1 is not used: pppd says that it is not the session of linkname wan1"'
hook up ppp0 10.64.1.100
is "nor does another link's" "$(uses)" ppp0
mwan-rules apply
is "nor apply" "$(uses)" ppp0
is "nor nftables" "$(nft list chain inet mwan srcnat | grep -c '"ppp1"')" 0
is "and once more nothing changes" "$(mwan-rules apply -n)" ""
like "status says so" "$(mwan-rules status)" \
	'ppp1 is there, but pppd says that it is not the session of linkname wan1'
is "and exits 1" "$(status mwan-rules status)" 1
says wan1 $$
hook up ppp0 10.64.1.100
is "line 2 dials, and has no interface yet" "$(uses)" ppp0
says wan1 $$ ppp2
hook up ppp0 10.64.1.100
is "line 2 has another interface" "$(uses)" ppp0
true &
wait $!
says wan1 $! ppp1
hook up ppp0 10.64.1.100
is "a pppd that was killed has left its note" "$(uses)" ppp0
says wan1 $$ ppp1
chmod 666 /var/run/ppp-wan1.pid
hook up ppp0 10.64.1.100
is "a note that anybody may write proves nothing against it" "$(uses)" \
	"ppp0 ppp1"

# The line's own session; and what takes its place.
chmod 644 /var/run/ppp-wan1.pid
hook up ppp1 10.99.0.1 10.99.0.2
is "line 2 itself is used" "$(uses)" "ppp0 ppp1"
is "also by nftables" "$(nft list chain inet mwan srcnat | grep -c '"ppp1"')" 1
is "status: all well" "$(mwan-rules status | grep -c linkname)" 0
rm /var/run/ppp-wan1.pid
mkdir /var/run/pppd
printf '%s\nppp1\n' $$ >/var/run/pppd/ppp-wan1.pid
hook up ppp1 10.99.0.1 10.99.0.2
is "also as pppd 2.5 says it" "$(uses)" "ppp0 ppp1"
rm /var/run/pppd/ppp-wan1.pid
hook up ppp0 10.64.1.100
is "what was used is given up" "$(uses)" ppp0
sed -i /linkname/d /etc/ppp/mwan.ini
hook up ppp0 10.64.1.100
is "without the key nothing is asked" "$(uses)" "ppp0 ppp1"
done_testing
