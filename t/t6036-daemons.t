#!/bin/bash
# The samples in etc/dhcp for daemons, called by the real ones: systemd-networkd
# with networkd-dispatcher, and NetworkManager, on a bus of their own. networkd also
# deletes rules and routes that it did not make when it starts: mwan-rules watch
# puts them back.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"
# shellcheck source=lib/modem.sh
. "$root/t/lib/modem.sh"

deps=$root/build/deps/dispatchers
log=/var/log/ifchang.log

# No udev.
mount -t sysfs -o ro sysfs /sys
own_etc
mkdir -p /run/dbus /run/systemd/netif /run/systemd/system "$T/services"
chmod 777 /run/systemd/netif

cat >"$T/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
	"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
	<type>custom</type>
	<listen>unix:path=/run/dbus/system_bus_socket</listen>
	<servicedir>$T/services</servicedir>
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

two_modems

told() { # LINK EVENT
	grep -q "tool=mwan-rules .*event=$2 if=$1 " "$log"
}

tell_all() {
	: >$log
}

# What each daemon has to bring about, with its script called by itself.
lines() { # NAME PROBLEM...
	local n
	for n in 1 2; do
		ok "$1: eth$n leads to its modem" wait_for 60 first_is $n \
			192.168.1.1
		ok "$1: it has told mwan-rules" wait_for 20 told eth$n up
	done
	is "$1: status" "$(mwan-rules status --json |
		jq -r '.problems[].kind')" "${2-}"
	forget
	ask -s 10.9.0.1 -n 300 -p 2000 >"$T/dealt"
	ok "$1: each link carries its share" fair "$T/dealt" 1 1 1
	tell_all
	pull 2
	ok "$1: no carrier: it tells the end" wait_for 60 told eth2 down
	ok "$1: eth2 leads nowhere" wait_for 20 no_first 2
	tell_all
	plug 2
	ok "$1: the lease is back" wait_for 60 first_is 2 192.168.1.1
	ok "$1: told, too" wait_for 60 told eth2 up
	ok "$1: eth1 is as it was" first_is 1 192.168.1.1
}

# Our default of a link, before those of others.
first_is() { # N GATEWAY
	[ "$(defaults "$1" | grep 'proto 119')" = \
		"default via $2 dev eth$1 proto 119 onlink" ]
}

no_first() { # N
	! defaults "$1" | grep -q 'proto 119'
}

# --- systemd-networkd and networkd-dispatcher ---
rm -rf /etc/systemd/network /etc/networkd-dispatcher
mkdir -p /etc/systemd/network
: >/etc/systemd/networkd.conf
for n in 1 2; do
	printf '[Match]\nName=eth%d\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no
[DHCPv4]\nRouteTable=%d\n' $n $((1001 + n)) >/etc/systemd/network/10-eth$n.network
done
for state in routable degraded no-carrier off configured; do
	mkdir -p /etc/networkd-dispatcher/$state.d
	ln -s "$root/etc/dhcp/networkd-dispatcher" \
		/etc/networkd-dispatcher/$state.d/mwan
done
networkd() {
	/lib/systemd/systemd-networkd >>"$T/networkd" 2>&1 &
	networkd=$!
}
on_bus() { # NAME
	dbus-send --system --print-reply --dest=org.freedesktop.DBus / \
		org.freedesktop.DBus.GetNameOwner "string:$1"
}
python3 "$deps/usr/bin/networkd-dispatcher" -v --run-startup-triggers \
	>"$T/dispatcher" 2>&1 &
dispatcher=$!
networkd
ok "networkd is on the bus" wait_for 30 on_bus org.freedesktop.network1
# It takes our rules for leftovers, unless it is told not to.
lines networkd networkd
rules=$(ip rule | grep -v ^32768 | sort)

mwan-rules watch >"$T/watch" 2>&1 &
watcher=$!
whole() {
	[ -z "$(mwan-rules apply -n 2>/dev/null)" ]
}
healed() {
	grep -q 'event=healed' "$log"
}
for n in 1 2 3; do
	tell_all
	kill $networkd
	wait_for 20 lib_not kill -0 $networkd
	networkd
	ok "networkd begins anew ($n): what it deletes comes back" \
		wait_for 30 healed
	diag "$(sed -n 's/.*event=healed.* \(changes=[0-9]*\) .*/\1/p' "$log" |
		paste -sd' ')"
	ok "all of it" wait_for 30 whole
	ok "and eth2 is leased as ever" wait_for 60 first_is 2 192.168.1.1
done
is "the rules are those of before" "$(ip rule |
	grep -v ^32768 | sort)" "$rules"
kill "$watcher" $networkd $dispatcher
wait_for 20 lib_not kill -0 $networkd
for n in 1 2; do
	ip addr flush dev eth$n
	ip route flush dev eth$n
	ip route flush table $((1001 + n)) proto dhcp 2>/dev/null
	mwan-rules down eth$n 2>/dev/null
done

# --- NetworkManager ---
tell_all
rm -rf /run/systemd/netif
# Where it looks for its own programs.
mount -t overlay -o "lowerdir=$deps/usr/lib:/usr/lib" overlay /usr/lib
libraries=$deps/usr/lib/$(gcc -print-multiarch)
mkdir -p /etc/NetworkManager/dispatcher.d /etc/NetworkManager/system-connections \
	/run/NetworkManager
mount -t tmpfs tmpfs /var/lib
install -D "$root/etc/dhcp/NetworkManager-dispatcher" \
	/etc/NetworkManager/dispatcher.d/50-mwan
cat >"$T/services/nm_dispatcher.service" <<-END
	[D-BUS Service]
	Name=org.freedesktop.nm_dispatcher
	Exec=/usr/bin/env LD_LIBRARY_PATH=$libraries /usr/lib/NetworkManager/nm-dispatcher --persist
	User=root
END
dbus-send --system --dest=org.freedesktop.DBus / \
	org.freedesktop.DBus.ReloadConfig
cat >/etc/NetworkManager/NetworkManager.conf <<-END
	[main]
	plugins=keyfile
	dhcp=internal
	dns=none
	rc-manager=unmanaged
	no-auto-default=*
	auth-polkit=root-only
	[keyfile]
	unmanaged-devices=except:interface-name:eth1;except:interface-name:eth2
	[logging]
	level=INFO
END
for n in 1 2; do
	cat >/etc/NetworkManager/system-connections/eth$n.nmconnection <<-END
		[connection]
		id=eth$n
		type=ethernet
		interface-name=eth$n
		[ipv4]
		method=auto
		never-default=true
		[ipv6]
		method=disabled
	END
done
chmod 600 /etc/NetworkManager/system-connections/*
LD_LIBRARY_PATH=$libraries "$deps/usr/sbin/NetworkManager" --no-daemon >"$T/nm" 2>&1 &
ok "NetworkManager is on the bus" wait_for 30 on_bus org.freedesktop.NetworkManager
lines NetworkManager
done_testing
