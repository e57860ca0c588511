#!/bin/bash
# Prefixes that systemd-networkd's own DHCPv6 client gets: dhcpd of ISC on either
# provider's side, networkd on ours with the script of etc/dhcp for its dispatcher,
# which finds the line of each.
#
# As in lib/isp6.sh.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/isp6.sh
. "$root/t/lib/isp6.sh"

dhcpd=$root/build/deps/delegation/usr/sbin/dhcpd

# No udev; and what the daemons write to is the test's own.
mount -t sysfs -o ro sysfs /sys
cp -a /etc "$T/etc"
mount --bind "$T/etc" /etc
mount -t tmpfs tmpfs /usr/local/sbin
ln -s "$BIN/mwan-rules" /usr/local/sbin
mkdir -p /run/dbus /run/systemd/netif /run/systemd/system /etc/systemd/network
chmod 777 /run/systemd/netif
rm -f /etc/systemd/network/*
cat >"$T/bus.conf" <<END
<busconfig>
	<type>custom</type>
	<listen>unix:path=/run/dbus/system_bus_socket</listen>
	<policy context="default">
		<allow user="*"/>
		<allow own="*"/>
		<allow send_destination="*"/>
		<allow receive_sender="*"/>
	</policy>
</busconfig>
END
dbus-daemon --config-file="$T/bus.conf" --nofork --nopidfile >"$T/bus" 2>&1 &
ok "a bus" wait_for 20 test -S /run/dbus/system_bus_socket

printf '[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n' \
	>/etc/systemd/networkd.conf
for k in 0 1; do
	prefix=$A
	[ $k = 0 ] || prefix=$B
	ip -6 addr del "$prefix::1/64" dev lan0
	ip -n isp$k -6 route replace fe80::/64 dev r
	ip -n isp$k -6 addr replace 2001:db8:ff0$k::1/64 dev r
	printf 'default-lease-time 600;\nsubnet6 2001:db8:ff0%s::/64 {
		prefix6 %s:: %s:: /56;\n}\n' $k $prefix $prefix >"$T/isp$k.conf"
	: >"$T/isp$k.leases"
	ip netns exec isp$k "$dhcpd" -6 -d --no-pid -cf "$T/isp$k.conf" \
		-lf "$T/isp$k.leases" r >"$T/isp$k.log" 2>&1 &
	cat >/etc/systemd/network/ppp$k.network <<-END
		[Match]
		Name=ppp$k
		[Network]
		DHCP=ipv6
		IPv6AcceptRA=no
		KeepConfiguration=yes
		[DHCPv6]
		WithoutRA=solicit
		UseAddress=no
	END
done
cat >/etc/systemd/network/lan0.network <<-END
	[Match]
	Name=lan0
	[Network]
	KeepConfiguration=yes
	IPv6AcceptRA=no
	DHCPPrefixDelegation=yes
	[DHCPPrefixDelegation]
	Announce=no
END
/lib/systemd/systemd-networkd >"$T/networkd" 2>&1 &
delegated() {
	ip -6 route | grep -q "unreachable $1::/56"
}
ok "networkd has the first line's prefix" wait_for 60 delegated $A
ok "and the second's" wait_for 60 delegated $B
printf '[mwan]\nipv6 = yes\nqdisc = none\n[link ppp0]\ntable = 201\n%s\n' \
	$'[link ppp1]\ntable = 202' >/etc/ppp/mwan.ini
ok "apply" mwan-rules apply

dispatcher() { # STATE IFACE: as networkd-dispatcher does it
	env -i "PATH=$PATH" STATE="$1" IFACE="$2" \
		"$root/etc/dhcp/networkd-dispatcher"
}
told() {
	sed -n 's/^\(ppp[01]\) told [0-9]* /\1 /p' /run/mwan/prefix6
}
ok "an event of the LAN" dispatcher configured lan0
is "tells of which line each prefix is" "$(told)" "ppp0 $A::/56
ppp1 $B::/56"
is "and hosts leave by their own line" "$(ip -6 rule |
	sed -n 's/.*from \(2001[^ ]*\) lookup \([0-9]*\).*/\1 \2/p')" \
	"$A::/56 201
$B::/56 202"

# --- two lines with one peer's address: before systemd 255 nobody knows ---
rm /run/mwan/prefix6
ip -6 addr add fe80::a9 peer fe80::b0/128 dev ppp1 nodad
dispatcher configured lan0
want="ppp1 $B::/56"
! networkctl --json=short list | grep -q DHCPv6Client ||
	want="ppp0 $A::/56"$'\n'$want
is "two lines with one server's address: of the other alone" "$(told)" "$want"
ip -6 addr del fe80::a9 peer fe80::b0/128 dev ppp1

# --- what networkd says from systemd 255 on ---
cat >/usr/local/sbin/networkctl <<'END'
#!/bin/sh
echo '{"Interfaces":[{"Name":"lo"},{"Name":"ppp0","DHCPv6Client":{"DUID":[0]}},
{"Name":"ppp1","DHCPv6Client":{"Prefixes":[{"Prefix":[32,1,13,184,10,119,0,0,0,0,
0,0,0,0,0,0],"PrefixLength":56}]}}]}'
END
chmod +x /usr/local/sbin/networkctl
env -i PATH=/usr/local/sbin:/usr/bin:/bin STATE=configured IFACE=lan0 \
	"$root/etc/dhcp/networkd-dispatcher" 2>/dev/null
is "systemd 255: the prefix of each link" "$(told)" "ppp1 $A2::/56"
done_testing
