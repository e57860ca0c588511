#!/bin/bash
# Prefixes that providers really delegate: dhcpd of ISC on either provider's side,
# dhcpcd on ours with the hook of etc/dhcp, which is all that tells mwan-rules of
# them. The first line goes without any process of ours, and dhcpcd itself takes
# its prefix off the LAN; then the line comes back with another prefix.
#
# As in lib/isp6.sh.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/isp6.sh
. "$root/t/lib/isp6.sh"

dhcpd=$root/build/deps/delegation/usr/sbin/dhcpd

# What dhcpcd and its scripts write to is the test's own.
cp -a /etc "$T/etc"
mount --bind "$T/etc" /etc
mount -t tmpfs tmpfs /usr/local/sbin
ln -s "$BIN/mwan-rules" "$BIN/ip-up.local" /usr/local/sbin
mount -t tmpfs tmpfs /var/lib/dhcpcd 2>/dev/null || mkdir -p /var/lib/dhcpcd
mkdir -p /run/dhcpcd
cp "$root/etc/dhcp/dhcpcd-exit-hook" /etc/dhcpcd.exit-hook
cat >/etc/dhcpcd.conf <<-END
	nodev
	ipv6only
	nohook resolv.conf, hostname, ntp.conf
	noipv6rs
	nodelay
	allowinterfaces ppp0 ppp1 lan0
	interface lan0
		noipv6
	interface ppp0
		ia_pd 1 lan0/0/64
	interface ppp1
		ia_pd 2 lan0/0/64
END

# The LAN has what dhcpcd gives it.
for p in $A $B; do
	ip -6 addr del "$p::1/64" dev lan0
done

# provider K PREFIX: it delegates that to whoever asks.
declare -A provider
provider() {
	local conf=$T/isp$1.conf

	if [ -n "${provider[$1]-}" ]; then
		kill "${provider[$1]}" 2>/dev/null
		wait_for 20 lib_not kill -0 "${provider[$1]}"
	fi
	delegates "$1" "$2"
	# dhcpcd may have been here before pppd's addresses, with one of its own.
	ip -n "isp$1" -6 route replace fe80::/64 dev r
	ip -n "isp$1" -6 addr replace "2001:db8:ff0$1::1/64" dev r
	printf 'default-lease-time 600;\nsubnet6 2001:db8:ff0%s::/64 {
		prefix6 %s:: %s:: /56;\n}\n' "$1" "$2" "$2" >"$conf"
	: >"$T/isp$1.leases"
	ip netns exec "isp$1" "$dhcpd" -6 -d --no-pid -cf "$conf" \
		-lf "$T/isp$1.leases" r >"$T/isp$1.log" 2>&1 &
	provider[$1]=$!
}

rule_of() { # TABLE PREFIX
	ip -6 rule | grep -q "from $2::/56 lookup $1 "
}

on_lan() { # PREFIX
	ip -6 addr show dev lan0 | grep -q "inet6 $1:"
}

printf '[mwan]\nipv6 = yes\nqdisc = none\n[link ppp0]\ntable = 201\n%s\n' \
	$'[link ppp1]\ntable = 202' >/etc/ppp/mwan.ini
ok "apply" mwan-rules apply
provider 0 $A
provider 1 $B
/usr/sbin/dhcpcd -B -d >"$T/dhcpcd" 2>&1 &
ok "the first line's prefix is known" wait_for 60 rule_of 201 $A
ok "the second line's, too" wait_for 60 rule_of 202 $B
ok "the LAN has the first" wait_for 30 on_lan $A
ok "and the second" wait_for 30 on_lan $B
ok "told by dhcpcd's hook" wait_for 20 grep -q \
	"event=prefix if=ppp0 prefix=$A::/56 .*result=ok" /var/log/ifchang.log

hosts="$A::11 $B::13 $U::15"
open early 20
ok "every flow is answered" wait_for 30 answered early
is "a host of a line's prefix keeps its address" "$(line_of early $A::11) $(
	line_of early $B::13)" "$A::11 $B::13"

# --- the first line goes; nobody but the kernel and dhcpcd knows ---
rm /usr/local/sbin/mwan-rules
sleep 1
ip link del ppp0
not_on_lan() { ! on_lan "$1"; }
ok "dhcpcd takes its prefix off the LAN" wait_for 60 not_on_lan $A
sleep 1
open during 20
ok "new flows are answered" wait_for 30 answered during
sleep 2
like "the lost line's host is translated" "$(line_of during $A::11)" \
	"$B:ff::6d77:2"

# --- it comes back with another prefix ---
ln -s "$BIN/mwan-rules" /usr/local/sbin
session 0 $A2
ip -n isp0 -6 route del $A::/56 2>/dev/null
provider 0 $A2
ok "ipv6-up" ip-up.local ppp0 eth1 0 fe80::00a0 fe80::00b0
ok "the new prefix is known" wait_for 120 rule_of 201 $A2
ok "the LAN has it" wait_for 30 on_lan $A2
open late 20
ok "flows are answered, those of the dead prefix as well" \
	wait_for 30 answered late
settle
outage_harmed_few "" $A::11 $U::15
done_testing
