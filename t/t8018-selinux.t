#!/bin/bash
# SELinux, enforcing, with Debian's strict policy and the module of pkg/selinux:
# pppd's hooks, a DHCP client's, the units and "watch" do their work in a domain
# of their own, and nothing that they do is denied. Without the module it is.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh disable=SC2317
if [ -z "${LAB_INSIDE-}" ]; then
	root=$(cd "$(dirname "$0")/.." && pwd)
	# shellcheck source=lib/selinux.sh
	. "$root/t/lib/selinux.sh"
	export LAB_ICOUNT="${LAB_ICOUNT-0}" LAB_KERNEL=security=selinux
	LAB_SELINUX=$(mktemp -d)
	export LAB_SELINUX
	trap 'rm -rf "$LAB_SELINUX"' EXIT
	selinux_build "$LAB_SELINUX" >"$LAB_SELINUX/log" 2>&1 || {
		cat "$LAB_SELINUX/log"
		echo "Bail out! no policy, see above"
		exit 1
	}
	"$root/t/lab/boot" "$0" "$@"
	exit
fi
# Once there is a policy nothing can be made on the lab's own file system, which
# has no types.
export TMPDIR=/run
. "$(dirname "$0")/lib/lib.sh"

R=/run/root
log=$R/var/log/ifchang.log

enforce() { # POLICY
	perl -e 'local $/; my $policy = <STDIN>;
		open my $load, ">", "/sys/fs/selinux/load" or die $!;
		syswrite($load, $policy) == length $policy or die $!' \
		<"$LAB_SELINUX/$1" &&
		echo 1 >/sys/fs/selinux/enforce &&
		setfiles -r "$R" "$LAB_SELINUX/$1.fc" "$R" "$R/dev" &&
		chcon -t initrc_exec_t "$R/etc/init.d/run" &&
		chcon -h -t root_t "$R/bin" "$R/sbin" "$R/lib" "$R/lib64"
}

# in_init COMMAND...: as an init script starts it.
in_init() {
	"$root/t/helper/setexec" initrc_t "$R" /etc/init.d/run "$@" &&
		grep -qx 0 "$R/run/status" && return
	tail -n 5 "$R/var/log/boot.log"
	return 1
}

# denied DOMAIN: what the kernel has denied it.
denied() {
	dmesg | sed -n "s/.*avc: *denied *\(.*scontext=[^ ]*:$1:.*\)/\1/p"
}

logged() {
	grep -qsE "$1" "$log"
}

route() { # TABLE
	ip route show table "$1" 2>/dev/null
}

is_in() { # DOMAIN PROCESS
	local context

	read -r -d '' context <"/proc/$2/attr/current"
	[[ $context = *:"$1":* ]]
}

modprobe -a ppp_generic ppp_async dummy nf_tables nf_conntrack_netlink
echo 0 >/proc/sys/kernel/printk_ratelimit
dmesg -n 1
mount -t selinuxfs selinuxfs /sys/fs/selinux
mkdir -p "$R"/{usr/{bin,sbin,lib,libexec/mwan},dev,proc,sys,run,tmp,var/log,etc/{init.d,ppp/mwan.d}}
for d in bin sbin lib lib64; do
	ln -s "usr/$d" "$R/$d"
done
ln -s lib "$R/usr/lib64"
for tool in sh cat; do
	cp /bin/busybox "$R/bin/$tool"
done
cp "$BIN"/{mwan-rules,cprt} /usr/sbin/pppd "$R/usr/sbin"
cp "$BIN"/ip-{up,down}.local "$R/usr/libexec/mwan"
ldd /usr/sbin/pppd | grep -o '/[^ ]*' | while read -r library; do
	mkdir -p "$R${library%/*}"
	cp -L "$library" "$R$library"
done
script() { # FILE
	{
		echo '#!/bin/sh'
		cat
	} >"$R/$1"
	chmod 755 "$R/$1"
}
script etc/init.d/run <<'END'
{
	"$@" </dev/null 2>&1
	echo $? >/run/status
} | cat >>/var/log/boot.log
END
script usr/sbin/dhclient <<'END'
/usr/sbin/mwan-rules up eth9 192.0.2.9 192.0.2.1
END
script etc/ppp/mwan.d/note <<'END'
read -r context </proc/self/attr/current
echo "$context" >/tmp/note
END
for what in up down; do
	script etc/ppp/ip-$what <<-END
	/etc/ppp/ip-$what.local "\$@"
	END
	ln -s /usr/libexec/mwan/ip-$what.local "$R/etc/ppp"
done
printf 'noauth\nlocal\nnodetach\n' >"$R/etc/ppp/options"
cat >"$R/etc/ppp/mwan.ini" <<'END'
[mwan]
qdisc = none
[link ppp0]
table = 201
[link ppp1]
table = 202
[link eth9]
table = 203
gateway = auto
END
chmod 600 "$R/etc/ppp/mwan.ini"
mount -t proc proc "$R/proc"
mount -t sysfs sys "$R/sys"
mount -t devtmpfs dev "$R/dev"
mount -t devpts pts "$R/dev/pts"
link_dummy() {
	ip link add eth9 type dummy && ip addr add 192.0.2.9/24 dev eth9 &&
		ip link set eth9 up
}

ok "a link that is not pppd's" link_dummy
ok "SELinux, enforcing, with the module" enforce strict
is "it is enforcing" "$(cat /sys/fs/selinux/enforce)" 1

# The unit has NoNewPrivileges=.
ok "the unit's apply" setpriv --no-new-privs bash -c "$(declare -f in_init)
	root=$root R=$R; in_init /usr/sbin/mwan-rules apply"
ok "is done" logged 'event=apply .*result=ok'
in_init /usr/sbin/mwan-rules watch >/dev/null &
watching() {
	watch=$(pgrep -x mwan-rules) && is_in mwan_t "$watch"
}
ok "watch runs in our domain" wait_for 60 watching

in_init /usr/sbin/pppd unit 0 10.64.1.100:10.64.1.1 \
	pty '/usr/sbin/pppd notty unit 1 10.64.1.1:10.64.1.100' >/dev/null &
for n in 0 1; do
	ok "pppd's hook for ppp$n" wait_for 60 logged \
		"tool=ip-up.local .*event=up if=ppp$n .*result=(ok|unchanged)"
	like "has made its route" "$(route 20$((n + 1)))" "^default dev ppp$n "
done
pppd=$(pgrep -x pppd | head -n 1)
ok "pppd runs in its domain" is_in pppd_t "$pppd"
ok "a DHCP client's hook" in_init /usr/sbin/dhclient
like "has made its route" "$(route 203)" '^default via 192.0.2.1 dev eth9 '
ok "status can look at everything" in_init /usr/sbin/mwan-rules status
ok "history" in_init /usr/sbin/mwan-rules history
kill "$pppd"
ok "the hook for the end" wait_for 60 logged \
	'tool=ip-down.local .*event=down if=ppp0 .*result='
ok "a program in mwan.d runs" wait_for 60 test -s "$R/tmp/note"
like "where ip-up does" "$(cat "$R/tmp/note")" ':initrc_t:'
kill "$watch"
ended() {
	! pgrep -x 'pppd|mwan-rules'
}
ok "all have ended" wait_for 60 ended
is "run directory and log have their types" \
	"$(stat -c '%C' "$R/run/mwan" "$log" | cut -d : -f 3 | xargs)" \
	"mwan_runtime_t mwan_log_t"
is "nothing was denied to us" "$(denied mwan_t)" ""
ok "flush" in_init /usr/sbin/mwan-rules flush

rm -r "$log" "$R/run/mwan"
dmesg -C
ok "without the module" enforce bare
not_ok "apply is denied" in_init /usr/sbin/mwan-rules apply
like "by SELinux" "$(denied initrc_t)" 'comm="mwan-rules" '
in_init /usr/sbin/dhclient
is "and a DHCP client's hook has no effect" "$(route 203)" ""
like "by the same" "$(denied dhcpc_t)" 'comm="mwan-rules" '
done_testing
