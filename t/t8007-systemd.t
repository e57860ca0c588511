#!/bin/bash
# The service under a real systemd, in the lab: with all that its unit forbids it
# still puts everything in force.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/boot" "$0" "$@"
. "$(dirname "$0")/lib/lib.sh"

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

property() {
	in_systemd systemctl show --value -p "$1" mwan-rules
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
is "what it may do at the most" "$(tr -s '\t\n' '  ' </var/log/walls)" \
	"CapPrm: 0000000000001000 CapBnd: 0000000000001000 NoNewPrivs: 1 \
Seccomp: 2 "
kill -9 "$(pgrep -P $unshare)"
done_testing
