#!/bin/bash
# The services under a real systemd, in the lab: with all that its unit forbids
# mwan-rules still puts everything in force, and mwan-watch asks, holds and heals.
# shellcheck disable=SC2317,SC2016	# functions that ok calls; for the inner shell
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/boot" "$0" "$@"
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"
# shellcheck source=lib/watch.sh
. "$root/t/lib/watch.sh"

# Nothing else of the machine's own services.
rm -rf /lib/systemd/system/*.wants /etc/systemd/system/*.wants \
	/lib/systemd/system-generators
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /usr/local/sbin /etc/ppp
cp "$BIN/mwan-rules" /usr/local/sbin
cp "$root/etc/mwan-rules.service" /etc/systemd/system
cat >/etc/systemd/system/lab.target <<-'EOF'
	[Unit]
	Description=Nothing
EOF
links_wanted ppp0 ppp1
ini '[link ppp0]' '[link ppp1]'
sysctl -qw net.ipv4.ip_forward=0
unshare --pid --fork --kill-child --mount --mount-proc \
	env container=lab /lib/systemd/systemd --system --unit=lab.target \
	--log-target=kmsg </dev/null >/dev/null 2>&1 &
unshare=$!

# in_systemd COMMAND...: systemd knows a privileged caller by its process
# number, so by one of its own namespace.
in_systemd() {
	nsenter -t "$(pgrep -P $unshare)" -p -m "$@"
}

property() { # NAME [UNIT]
	in_systemd systemctl show --value -p "$1" "${2-mwan-rules}"
}

ok "systemd runs" wait_for 60 in_systemd systemctl is-active lab.target
ok "the service starts" in_systemd systemctl start mwan-rules
is "in the end" "$(property ActiveState) $(property Result)" "active success"
like "its log" "$(cat /var/log/ifchang.log)" \
	'event=apply sysctl="net/ipv4/ip_forward=1.* result=ok'
is "sysctls are set" "$(sysctl -n net.ipv4.ip_forward)" 1
is "rules are there" "$(ip rule | grep -c 'proto 119')" 5
like "and the table" "$(nft list tables)" 'table inet mwan'
is "the run directory" "$(stat -c '%a %u' /run/mwan /run/mwan/mwan.ini |
	paste -sd, -)" "755 0,644 0"
ok "a reload" in_systemd systemctl reload mwan-rules
like "changes nothing" "$(tail -n 1 /var/log/ifchang.log)" \
	'event=apply .*changes=0 .*result=unchanged'
ok "a stop" in_systemd systemctl stop mwan-rules
is "leaves what is in force" "$(ip rule | grep -c 'proto 119') $(
	ls -I verified /run/mwan)" "5 lock
mwan.ini"
ok "a restart" in_systemd systemctl restart mwan-rules
echo nonsense >>/etc/ppp/mwan.ini
not_ok "a bad file" in_systemd systemctl restart mwan-rules
is "has its own status" "$(property ExecMainStatus)" 78
is "and changes nothing" "$(ip rule | grep -c 'proto 119')" 5

# --- mwan-watch ---
net5 2
watch_net
conf "targets = $targets" "recover = 1s" -- 1 1
ok "with two links" in_systemd systemctl restart mwan-rules
cp "$root/etc/mwan-watch.service" /etc/systemd/system
mkdir -p /etc/systemd/system/mwan-watch.service.d
printf '[Service]\nWatchdogSec=5\n' \
	>/etc/systemd/system/mwan-watch.service.d/soon.conf
in_systemd systemctl daemon-reload
ok "mwan-watch says that it is ready" in_systemd systemctl start mwan-watch
is "it runs" "$(property ActiveState mwan-watch) $(
	property SubState mwan-watch)" "active running"
is "what it may do" "$(in_systemd sh -c 'grep -E "^Cap(Prm|Bnd)|^Seccomp:" \
	"/proc/$(systemctl show --value -p MainPID mwan-watch)/status"' |
	tr -s '\t\n' '  ')" \
	"CapPrm: 0000000000003000 CapBnd: 0000000000003000 Seccomp: 2 "
ok "it asks, and is answered" wait_for 60 watching
sever 0
ok "a dead line is held" wait_for 30 is_out 0
mend 0
ok "and returns" wait_for 60 is_in 0
ip rule flush
ip rule add pref 32766 lookup main
whole() {
	[ -z "$("$BIN/mwan-rules" apply -n)" ]
}
ok "what is taken away comes back" wait_for 30 whole
ok "the log" wait_for 30 grep -q event=healed /var/log/ifchang.log
in_systemd sh -c 'kill -STOP "$(systemctl show --value -p MainPID mwan-watch)"'
again() {
	[ "$(property NRestarts mwan-watch)" = 1 ] &&
		[ "$(property SubState mwan-watch)" = running ]
}
ok "when it hangs it is started anew" wait_for 60 again
rm -f /run/mwan/watched
ok "and asks" wait_for 60 watching
sever 0
ok "a dead line, and a stop:" wait_for 30 is_out 0
ok "it ends" in_systemd systemctl stop mwan-watch
ok "and holds nobody" is_in 0
is "nor says that it does" "$(ls /run/mwan/held /run/mwan/watched 2>/dev/null)" ""

# Its walls: the same unit, and a program that tries them.
cat >/usr/local/sbin/mwan-rules <<-'EOF'
	#!/bin/sh
	exec >/var/log/walls 2>/dev/null
	for f in /etc/x /usr/x /boot/x /proc/sys/kernel/hostname \
		/sys/kernel/x /home/x; do
		( : >$f ) && echo "$f"
	done
	mount -t tmpfs tmpfs /mnt && echo mount
	unshare -n true && echo unshare
	grep -E '^Cap(Prm|Bnd)|^NoNewPrivs|^Seccomp:' /proc/self/status
EOF
in_systemd systemctl restart mwan-rules
is "what mwan-rules may do at the most" "$(tr -s '\t\n' '  ' </var/log/walls)" \
	"CapPrm: 0000000000001000 CapBnd: 0000000000001000 NoNewPrivs: 1 \
Seccomp: 2 "
kill -9 "$(pgrep -P $unshare)"
done_testing
