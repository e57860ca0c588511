#!/bin/bash
# What pkg/ has for OpenWrt, which cannot be booted here. In a root with busybox
# for a shell are played: rc.common and procd for the init script, netifd for
# hotplug and for pppd's scripts, which call the hooks with pppd's arguments after
# netifd's own routes are in main, and fw4's reload, which makes its own table
# anew. The package's files are taken from its Makefile.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh disable=SC2317,SC2016
. "$(dirname "$0")/lib/lib.sh"

pkg=$root/pkg
feed=$pkg/openwrt/mwan
R=$T/openwrt
log=$R/tmp/log/ifchang.log

# --- what can be said of the text ---
for file in "$feed"/files/mwan.init "$feed"/files/mwan.hotplug; do
	ok "${file##*/}: shellcheck" shellcheck -s sh "$file"
	ok "${file##*/}: busybox ash" busybox ash -n "$file"
done
version=$(sed -n 's/^project(mwan VERSION \([^ ]*\) .*/\1/p' \
	"$root/CMakeLists.txt")
is "all have this version" "$(grep -hE '^(PKG_VERSION:|pkgver)=' \
	"$feed/Makefile" "$pkg"/*/*BUILD | cut -d = -f 2 | sort -u)" "$version"

# --- the package, as its Makefile installs it ---
mkdir -p "$R"/{bin,dev,proc,sys,tmp/log,var,lib/functions,lib/netifd,etc}
mkdir -p "$R/tmp/run"
ln -s ../tmp/run "$R/var/run"
ln -s ../tmp/log "$R/var/log"
ln -s var/run "$R/run"
cp /bin/busybox "$R/bin"
for tool in sh cat grep ip; do
	ln -s busybox "$R/bin/$tool"
done
mount -t proc proc "$R/proc"
mount -t sysfs sysfs "$R/sys"
{
	printf 'INSTALL_DIR = install -d\nINSTALL_BIN = install -m 755\n'
	printf 'INSTALL_CONF = install -m 600\nINSTALL_DATA = install -m 644\n'
	printf 'LN = ln -sf\n'
	sed -n '/^define Package\/mwan\/install/,/^endef/p' "$feed/Makefile"
	printf 'all:\n\t$(call Package/mwan/install,%s)\n' "$R"
} >"$T/Makefile"
mkdir "$T/package"
ln -s "$BIN" "$T/package/bin"
ok "the Makefile's installation" make -C "$feed" -f "$T/Makefile" \
	PKG_BUILD_DIR="$T/package"
for file in etc/ppp/ip-up.d/0000mwan etc/ppp/ip-down.d/0000mwan \
	etc/init.d/mwan etc/init.d/mwan-watch usr/sbin/mwan-rules usr/sbin/cprt; do
	ok "$file can be run" chroot "$R" /bin/sh -c "[ -x /$file ]"
done
while read -r file; do
	ok "sysupgrade keeps $file, which is there" test -f "$R$file"
done <"$R/lib/upgrade/keep.d/mwan"

# --- OpenWrt, played ---
# rc.common with procd: a script's functions, called by the command's name.
cat >"$R/etc/rc.common" <<'END'
procd_add_reload_trigger() {
	echo "$@" >>/tmp/triggers
}
procd_open_instance() {
	:
}
procd_set_param() {
	[ "$1" != command ] || echo "$@" >>/tmp/instances
}
procd_close_instance() {
	:
}
service_triggers() {
	:
}

. "$1"
case $2 in
boot | start)	start_service; service_triggers ;;
restart)	stop_service; start_service ;;
*)		"$2_service" ;;
esac
END
# netifd's functions for scripts: what its state would say.
cat >"$R/lib/functions/network.sh" <<'END'
network_flush_cache() {
	:
}
network_get_ipaddr() {
	eval "$1=192.168.8.100"
}
network_get_gateway() {
	eval "$1=192.168.8.1"
}
END
# netifd's ppp-up and ppp-down: its own work first, then each hook.
for what in up down; do
	cat >"$R/lib/netifd/ppp-$what" <<END
[ ! -x /lib/netifd/own-$what ] || /lib/netifd/own-$what "\$@"
for script in /etc/ppp/ip-$what.d/*; do
	[ ! -x "\$script" ] || "\$script" "\$@"
done
END
done
printf '#!/bin/sh\nip route replace default dev "$1" metric "$METRIC"\n' \
	>"$R/lib/netifd/own-up"
chmod 755 "$R/lib/netifd/own-up"

service() { # COMMAND [SCRIPT]
	chroot "$R" /bin/sh /etc/rc.common "/etc/init.d/${2-mwan}" "$1"
}

# netifd DEVICE up|down LOCAL METRIC [REMOTE]: pppd's call, with ipparam in the end.
netifd() {
	chroot "$R" /bin/busybox env -i PATH=/usr/sbin:/bin METRIC="$4" \
		IFNAME="$1" IPLOCAL="$3" /bin/sh "/lib/netifd/ppp-$2" "$1" \
		"" 0 "$3" "${5:-10.64.0.1}" wan
}

hotplug() { # ACTION DEVICE
	chroot "$R" /bin/busybox env -i PATH=/usr/sbin:/bin ACTION="$1" \
		DEVICE="$2" INTERFACE=wanc /bin/sh /etc/hotplug.d/iface/30-mwan
}

ours() {
	ip rule | grep 'proto 119'
	ip route show table all proto 119
	nft list tables | grep mwan
}

ok "start, as it is installed" service start
ok "start of watch, as it is installed" service start mwan-watch
not_ok "it does not run without a link" test -e "$R/tmp/instances"
is "nothing is put in force without a link" "$(ours)" ""
is "it is called again after these" "$(cat "$R/tmp/triggers")" \
	"network firewall"

cat >>"$R/etc/ppp/mwan.ini" <<'END'
[link pppoe-wan]
table = 201
[link pppoe-wanb]
table = 202
[link eth2]
table = 203
gateway = auto
END
chmod 600 "$R/etc/ppp/mwan.ini"
ok "the sample's settings and links are right" \
	chroot "$R" /usr/sbin/mwan-rules check
ok "start" service start
ok "start of watch" service start mwan-watch
is "procd is to run it" "$(cat "$R/tmp/instances")" \
	"command /usr/sbin/mwan-rules watch"
like "rules and table are in force" "$(ours)" 'lookup .*table inet mwan'
for n in 1 2; do
	dev=pppoe-wan
	[ $n = 1 ] || dev=pppoe-wanb
	link_new $dev 10.64.$n.100 10.64.0.1
	ok "netifd's ppp-up for $dev" netifd $dev up 10.64.$n.100 $((n * 10))
	like "the hook has the event" "$(tail -n 1 "$log")" \
		"tool=ip-up.local .*event=up if=$dev .*local=10.64.$n.100 .*result=ok"
	like "its route is there" "$(ip route show table 20$n)" \
		"^default dev $dev .*proto 119"
done
is "OpenWrt's queue is left alone" \
	"$(tc qdisc show dev pppoe-wan | grep -c prio)" 0
is "netifd's routes in main are left alone" \
	"$(ip -4 route show default | sed 's/ *$//' | grep -v 'proto 119')" \
	"default dev pppoe-wan scope link metric 10
default dev pppoe-wanb scope link metric 20"
ip route flush table main proto boot type unicast exact default
is "option defaultroute 0: main has no default route of netifd's" \
	"$(ip -4 route show default | grep -v 'proto 119')" ""
like "the router's own packets have a way" "$(ip route get 203.0.113.1)" 'dev pppoe-wan'
ok "netifd calls the same hooks for IPv6" netifd pppoe-wan up fe80::1 10 \
	fe80::2
like "which changes nothing" "$(tail -n 1 "$log")" 'result=(unchanged|ok)'
like "and leaves the route" "$(ip route show table 201)" \
	'^default dev pppoe-wan '

# --- fw4 ---
fw4() {
	nft -f - <<-'END'
	table inet fw4
	flush table inet fw4
	table inet fw4 {
		chain srcnat {
			type nat hook postrouting priority srcnat; policy accept;
			oifname { "pppoe-wan", "pppoe-wanb" } masquerade
		}
	}
	END
}
before=$(nft -a list table inet mwan)
ok "fw4 start" fw4
ok "fw4 reload" fw4
is "our table is as it was" "$(nft -a list table inet mwan)" "$before"
not_ok "with masquerade = no we leave that to fw4" \
	grep -q masquerade <<<"$before"
ok "the trigger's reload" service reload
is "has nothing to do" "$(tail -n 1 "$log" | grep -o 'result=.*' |
	cut -d ' ' -f 1)" result=unchanged

# --- a link that is not pppd's ---
ip link add eth2 type veth peer name xeth2
ip link set xeth2 up
ip link set eth2 up
ip addr add 192.168.8.100/24 dev eth2
ok "hotplug: ifup" hotplug ifup eth2
like "the gateway is taken" "$(ip route show table 203)" \
	'^default via 192.168.8.1 dev eth2 '
lines=$(wc -l <"$log")
ok "hotplug: an interface that is no link" hotplug ifup xeth2
is "is none of ours" "$(wc -l <"$log")" "$lines"
ok "hotplug: ifdown" hotplug ifdown eth2
is "the route is gone" "$(ip route show table 203)" ""

ok "netifd's ppp-down" netifd pppoe-wanb down 10.64.2.100 20
like "the hook has the event" "$(tail -n 1 "$log")" \
	"tool=ip-down.local .*event=down if=pppoe-wanb "
before=$(ours)
ok "stop and restart" service restart
is "nobody's connections are interrupted" "$(ours)" "$before"
like "status" "$(service status)" 'pppoe-wan '
umount "$R/proc" "$R/sys"
done_testing
