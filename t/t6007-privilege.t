#!/bin/bash
# With how little they do: CAP_NET_ADMIN and nothing else, root or not, and
# nothing that cannot be written keeps a link from its routes.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

log=/var/log/ifchang.log
net_admin=0000000000001000 # 1 << 12, capability.h
pppd_user=65534
links_wanted ppp0 ppp1
ini '[link ppp0]' '[link ppp1]'
link_new ppp0 10.64.1.100 10.64.1.1
link_new ppp1 10.64.2.100 10.64.2.1
# Somebody else may not look below $BIN.
mkdir /run/bin
cp "$BIN/ip-up.local" "$BIN/ip-down.local" "$BIN/mwan-rules" "$BIN/cprt" \
	/run/bin
chmod -R 755 /run/bin
BIN=/run/bin
PATH=$BIN:$PATH

state() {
	ip rule
	ip nexthop
	ip route show table 200
	ip route show table 201
	ip route show table 202
	nft list ruleset
}

# lose: what a newly dialled ppp0 has lost.
lose() {
	ip link set ppp0 down
	ip link set ppp0 up
	sysctl -qw net.ipv4.conf.ppp0.rp_filter=1
}

# --- what they keep ---
# privileges PID: while it waits for the lock.
privileges() {
	awk '/^Cap(Inh|Prm|Eff|Bnd|Amb)|^NoNewPrivs/ { print $2 }' \
		"/proc/$1/status" | paste -sd' '
}

# shellcheck disable=SC2317 # wait_for calls it
waits() {
	[[ $(readlink "/proc/$1/exe") = "$BIN"/* ]] &&
		find "/proc/$1/fd" -lname "/run/mwan/$2" | grep -q .
}

# keeps LOCK WANT COMMAND...
keeps() {
	local lock=$1 want=$2 pid
	shift 2
	# The lock that it has open is to be its own.
	"$@" 2>/dev/null 7>&- 8>&- &
	pid=$!
	wait_for 5 waits $pid "$lock"
	is "$1: keeps CAP_NET_ADMIN only" "$(privileges $pid)" "$want"
	wait $pid
}

ok "in force" mwan-rules apply
ip route add 10.9.0.0/16 dev ppp0 table 300
touch /run/mwan/cprt-301
chmod 600 /run/mwan/cprt-301
exec 7</run/mwan/lock 8</run/mwan/cprt-301
flock 7
flock 8
# The bounding set stays: no_new_privs does its work (t/unit/unit-priv.c).
bound=$(awk '/^CapBnd/ { print $2 }' /proc/self/status)
root_keeps="0000000000000000 $net_admin $net_admin $bound \
0000000000000000 1"
keeps lock "$root_keeps" ip-up.local ppp0 eth9 0 10.64.1.100 10.64.1.1
keeps lock "$root_keeps" ip-down.local ppp0 eth9 0 10.64.1.99 10.64.1.1
keeps lock "$root_keeps" mwan-rules apply
keeps lock "$root_keeps" mwan-rules drain ppp0
keeps cprt-301 "$root_keeps" cprt 300 301
exec 7>&- 8>&-
rm $log

# --- nothing else is needed ---
lose
before=$(state)
ok "a hook whose service manager has left it nothing else" \
	setpriv --bounding-set=-all,+net_admin --inh-caps=-all \
	env -i $BIN/ip-up.local ppp0 eth9 0 10.64.1.100 10.64.1.1
not_ok "has repaired" test "$(state)" = "$before"
whole=$(state)
is "the sysctl, too" "$(sysctl -n net.ipv4.conf.ppp0.rp_filter)" 2
like "and has logged" "$(<$log)" 'event=up if=ppp0 .*result=ok'

# A filter of system calls that knows no capset.
lose
said=$(strace -o /dev/null -e inject=capset:error=EPERM \
	"${bare[@]}" $BIN/ip-up.local \
	ppp0 eth9 0 10.64.1.100 10.64.1.1 2>&1)
is "capset is forbidden: goes on" "$?$(state)" "0$whole"
is "and says so" "$said" "ip-up.local: cannot give up its other \
capabilities: Operation not permitted; going on with them, allow capset(2) in \
whatever starts it"
setpriv --bounding-set=-all,+net_admin --inh-caps=-all \
	strace -o "$T/strace" -e trace=capget,capset $BIN/cprt 300 301
is "not even asked for where there is nothing to give up" \
	"$(grep -c capget "$T/strace") $(grep -c capset "$T/strace")" "1 0"

# --- pppd without root, but with CAP_NET_ADMIN ---
pppd() { # UP|DOWN NAME LOCAL
	setpriv --reuid=$pppd_user --clear-groups --inh-caps=+net_admin \
		--ambient-caps=+net_admin env -i "$BIN/ip-$1.local" "$2" \
		eth9 0 "$3" 10.64.0.1
}

root_log=$(<$log)
is "what is in force can be read by all" \
	"$(stat -c %a /run/mwan/mwan.ini /run/mwan | paste -sd' ')" "644 755"
lose
said=$(pppd up ppp0 10.64.1.100 2>&1)
is "without root: status" $? 0
is "without root: all is repaired" "$(state)" "$whole"
is "without root: the sysctl, too" \
	"$(sysctl -n net.ipv4.conf.ppp0.rp_filter)" 2
is "without root: says what it does without" "$said" \
	"ip-up.local: /run/mwan is not ours but root's, and this runs as user \
$pppd_user: run it as root
ip-up.local: cannot open the log $log: Permission denied; let user $pppd_user \
own it and enter its directory, or name another one (log in mwan.ini)"
is "without root: root's log is as it was" "$(<$log)" "$root_log"
nft delete table inet mwan
ip rule del pref 1001
pppd up ppp1 10.64.2.100 2>/dev/null
is "without root: rules and nftables are repaired" "$(state)" "$whole"
mwan-rules drain ppp1
drained=$(state)
lose
pppd up ppp0 10.64.1.100 2>/dev/null
is "without root: knows what is drained" "$(state)" "$drained"
mwan-rules undrain ppp1
is "and not" "$(state)" "$whole"
ini '[link ppp0]' 'weight = 3' '[link ppp1]'
accepted=$(</run/mwan/mwan.ini)
pppd up ppp0 10.64.1.100 2>/dev/null
is "without root: another configuration" $? 0
like "without root: is used" "$(nft list ruleset)" 'mod 4'
is "without root: and not accepted" "$(</run/mwan/mwan.ini)" "$accepted"
mwan-rules apply
chmod 600 /etc/ppp/mwan.ini
said=$(pppd up ppp0 10.64.1.100 2>&1)
is "without root: a configuration of root's alone" $? 78
like "without root: a sentence" "$said" "cannot open /etc/ppp/mwan.ini: \
Permission denied; let user $pppd_user read it"
chmod 644 /etc/ppp/mwan.ini
ip link del ppp0
pppd down ppp0 10.64.1.100 2>/dev/null
is "without root: a link goes" $? 0
is "without root: its from rule, too" "$(ip rule | grep -c 10.64.1.100)" 0
link_new ppp0 10.64.1.100 10.64.1.1

# A log and a run directory of its own user's.
mwan-rules flush
rm -r /run/mwan $log
touch $log
chown $pppd_user $log
mkdir /run/mwan
chown $pppd_user /run/mwan
said=$(pppd up ppp0 10.64.1.100 2>&1)
is "its own log and run directory: nothing to say" "$said" ""
like "its own log" "$(<$log)" 'event=up if=ppp0 .*result=ok'
is "its own lock" "$(stat -c '%a %u' /run/mwan/lock)" "600 $pppd_user"

# Nobody without CAP_NET_ADMIN.
ip link set ppp0 down
ip link set ppp0 up
said=$(setpriv --reuid=$pppd_user --clear-groups env -i $BIN/ip-up.local \
	ppp0 eth9 0 10.64.1.100 10.64.1.1 2>&1)
is "without CAP_NET_ADMIN it cannot" "$?" 1
like "without CAP_NET_ADMIN: a sentence" "$said" \
	'not permitted; run this as root or with CAP_NET_ADMIN'
rm -r /run/mwan $log
is "apply -n without root: says what it cannot know" \
	"$(setpriv --reuid=$pppd_user --clear-groups $BIN/mwan-rules apply -n |
		grep '^# Only')" \
	"# Only root can read nftables: our table counts as missing here."
is "apply -n as root: nothing of that" \
	"$(mwan-rules apply -n | grep '^# Only')" ""

# --- root, without the right to everybody's files ---
mkdir -m 700 /var/log/other
chown $pppd_user /var/log/other
printf '[mwan]\nlog = /var/log/other/log\nqdisc = none\n[link ppp0]\n' \
	>/etc/ppp/mwan.ini
said=$(hook up ppp0 10.64.1.100 2>&1)
is "a log in somebody's own directory: skipped" "$?$said" "0ip-up.local: \
cannot open the log /var/log/other/log: Permission denied; let user 0 own it \
and enter its directory, or name another one (log in mwan.ini)"
is "the route is there" "$(ip route show table 201 | grep -c ppp0)" 1
cp /etc/ppp/mwan.ini /var/log/other
said=$(mwan-rules apply -f /var/log/other/mwan.ini 2>&1)
is "a configuration in there" "$?$said" "78mwan-rules: cannot open \
/var/log/other/mwan.ini: Permission denied; let user 0 read it and enter its \
directory"

# --- the service ---
score=$(systemd-analyze security --offline=yes \
	"$root/etc/mwan-rules.service" | awk '/Overall exposure/ { print $(NF - 2) }')
ok "systemd's score of the service: $score of 10, 2.0 at the most" \
	awk -v s="$score" 'BEGIN { exit !(s > 0 && s <= 2.0) }'
done_testing
