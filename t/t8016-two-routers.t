#!/bin/bash
# doc/two-routers.md: keepalived and conntrackd by the samples in etc/. The master
# dies in the middle of flows; the other router dials and goes on.
#
#	lan --sw-- r1:lan0 192.168.77.2   r1:ethN --- dsl (ispN's bridge "line")
#	           r2:lan0 192.168.77.3   r2:ethN ---/
#	    gateway 192.168.77.1 (VRRP)   r1:sync0 --- r2:sync0
#
# A router is a network and a mount namespace with an /etc/ppp, a /run and a
# /var/log of its own.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
if [ -z "${LAB_INSIDE-}" ]; then
	export LAB_ICOUNT="${LAB_ICOUNT-0}"
	exec "$(dirname "$0")/lab/retry" "$0" "$@"
fi
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lab/net.sh
. "$root/t/lab/net.sh"

deps=$root/build/deps/two-routers
etc=$root/etc/keepalived

# on N COMMAND...: on router N
on() {
	local pid
	pid=$(cat "$lab/r$1.pid")
	shift
	nsenter -t "$pid" -n -m -- "$@"
}

# router N LAN-ADDRESS PRIORITY
router() {
	local n=$1

	ip netns add "r$n"
	# shellcheck disable=SC2016 # for the inner shell
	ip netns exec "r$n" unshare -m --propagation private sh -c '
		for dir in /etc/ppp /run /var/log /etc/keepalived \
			/etc/conntrackd; do
			mkdir -p "$dir" "$1/keep$dir"
			cp -a "$dir/." "$1/keep$dir"
			[ "$dir" != /run ] || rm -rf "$1/keep/run"
			mount -t tmpfs tmpfs "$dir"
			[ ! -d "$1/keep$dir" ] || cp -a "$1/keep$dir/." "$dir"
		done
		mkdir -p /run/lock
		: >/run/router
		exec sleep infinity' sh "$T/r$n" </dev/null >/dev/null 2>&1 &
	echo $! >"$lab/r$n.pid"
	wait_for 10 on "$n" [ -e /run/router ] || return
	ip -n "r$n" link set lo up
	ip link add lan0 netns "r$n" type veth peer name "r$n" netns lan
	ip -n lan link set "r$n" master sw up
	ip -n "r$n" address add "$2/24" dev lan0
	ip -n "r$n" link set lan0 up
	for isp in 1 2; do
		ip link add "eth$isp" netns "r$n" type veth peer name \
			"port$n" netns "isp$isp"
		ip -n "isp$isp" link set "port$n" master line up
		ip -n "r$n" link set "eth$isp" up
	done
	on "$n" cp "$BIN/ip-up.local" "$BIN/ip-down.local" /etc/ppp
	printf '[link ppp%d]\ntable = 20%d\n' 0 1 1 2 | on "$n" tee /etc/ppp/mwan.ini \
		>/dev/null
	for isp in 1 2; do
		on "$n" tee "/etc/ppp/peers/wan$isp" >/dev/null <<-E2
		plugin rp-pppoe.so
		pppoe-padi-timeout 1
		eth$isp
		unit $((isp - 1))
		linkname wan$isp
		noauth
		persist
		maxfail 0
		holdoff 1
		lcp-restart 1
		lcp-echo-interval 1
		lcp-echo-failure 3
		nodetach
		logfile /run/pppd.$isp.log
		E2
	done
	on "$n" cp "$etc/mwan-dial" /etc/keepalived
	sed "s/priority 100/priority $3/" "$etc/keepalived.conf" |
		on "$n" tee /etc/keepalived/keepalived.conf >/dev/null
	if [ "$n" = 1 ]; then
		cat "$etc/conntrackd.conf"
	else
		sed '/^	UDP/,/^	}/ { s/88\.1$/88.x/; s/88\.2$/88.1/; s/88\.x$/88.2/ }' \
			"$etc/conntrackd.conf"
	fi | on "$n" tee /etc/conntrackd/conntrackd.conf >/dev/null
	on "$n" mwan-rules apply
}

serve() { # N: what its init would start
	daemon "conntrackd_$1" "$lab/conntrackd.$1.log" \
		nsenter -t "$(cat "$lab/r$1.pid")" -n -m -- conntrackd
	wait_for 10 on "$1" [ -S /run/conntrackd.ctl ] || return
	daemon "keepalived_$1" "$lab/keepalived.$1.log" \
		nsenter -t "$(cat "$lab/r$1.pid")" -n -m -- keepalived -n -l -D
}

is_master() { # N
	ip -n "r$1" -4 address show dev lan0 | grep -q 'inet 192\.168\.77\.1/'
}

lines_up() { # N: how many links of router N have an address
	ip -n "r$1" -4 -o address show | grep -c ' ppp[01] '
}

both_lines() { # N
	[ "$(lines_up "$1")" = 2 ]
}

some_line() { # N
	[ "$(lines_up "$1")" != 0 ]
}

send_all() { # N SIGNAL: to every process of router N but the one that holds it
	local pid holder

	holder=$(cat "$lab/r$1.pid")
	for pid in $(ip netns pids "r$1"); do
		[ "$pid" = "$holder" ] || kill "-$2" "$pid"
	done
}

# Power off: all at once. One process after the other would be another death: a
# router whose one line has gone sends that line's flows out by the other, and
# keepalived hangs up when its parent is dead. So all stand still first, and the
# LAN goes before the lines.
dies() { # N
	send_all "$1" STOP
	for dev in lan0 sync0 eth1 eth2; do
		ip -n "r$1" link set "$dev" down
	done
	on "$1" conntrack -L >"$lab/entries" 2>/dev/null
	send_all "$1" KILL
}

# The old flows, their entries on the dead router and on the other one, and what
# that one did.
evidence() {
	flows report | grep group=old
	cat "$lab/entries"
	echo "router 2:"
	on 2 conntrack -L 2>/dev/null
	on 2 cat /var/log/ifchang.log
	grep -i 'state\|script' "$lab/keepalived.2.log"
	cat "$lab/conntrackd.2.log"
}

# Each with its line's mark and address.
has_old() { # N
	[ "$(on "$1" conntrack -L 2>/dev/null | grep "dport=$server_port" |
		grep -c 'dst=10\.64\.\([12]\)\.100 .* mark=\1 ')" = 8 ]
}

new_answers() {
	flows report | grep -q 'group=new .* answered=[1-9]'
}

all_answer() { # PROTOCOL
	! flows report | grep "group=old proto=$1" |
		grep -qv 'silent_ms=[0-9]\{1,3\} '
}

# Where mwan-dial looks for them.
ln -s "$deps"/usr/sbin/* /usr/sbin
lab_net 2
# Its LAN device and the two lines of the machine itself are not used.
for isp in 1 2; do
	ip -n "isp$isp" link del line
	ip -n "isp$isp" link add line type bridge
	ip -n "isp$isp" link set line up
done
ip link del lan0
ip -n lan link add sw type bridge
for host in 11 12 13 14; do
	ip -n lan address add "192.168.77.$host/24" dev sw
done
ip -n lan link set sw up
ip -n lan route add default via 192.168.77.1
ok "router 1" router 1 192.168.77.2 100
ok "router 2" router 2 192.168.77.3 90
ip link add sync0 netns r1 type veth peer name sync0 netns r2
for n in 1 2; do
	ip -n r$n address add 192.168.88.$n/24 dev sync0
	ip -n r$n link set sync0 up
done
# One account, one address, one session.
isp_start 1 10.64.1.100 same
isp_start 2 10.64.2.100 same
# No provider takes a packet with another one's address.
for isp in 1 2; do
	in_ns isp$isp nft "table ip strict { chain forward {
		type filter hook forward priority 0;
		iifname ppp* ip saddr != 10.64.$isp.0/24 drop; }; }"
done

# --- both at boot: one of them dials ---
ok "router 1's daemons" serve 1
ok "router 2's daemons" serve 2
ok "router 1 becomes master" wait_for 20 is_master 1
ok "it dials" wait_for 40 both_lines 1
is "router 2 does not" "$(is_master 2; echo $?) $(lines_up 2)" "1 0"

# --- the master dies in the middle of flows ---
flows_start
for proto in udp tcp; do
	flows open old $proto 192.168.77.11-14 $server $server_port rate=10
done
ok "flows are answered" wait_for 30 flows_ready
sleep 2
# The other router's line 2 comes some time after its line 1.
ip -n isp2 link set port2 down
flows mark death
died=$(date +%s%3N)
dies 1
ok "router 2 becomes master" wait_for 20 is_master 2
master=$(date +%s%3N)
ok "it has taken over the connections" wait_for 20 has_old 2
ok "it dials" wait_for 60 some_line 2
first=$(date +%s%3N)
flows open new udp 192.168.77.11-14 $server $server_port rate=10
ok "new connections work" wait_for 60 new_answers
new=$(date +%s%3N)
sleep 3
is "line 2 is still down" "$(lines_up 2)" 1
ip -n isp2 link set port2 up
ok "both lines are up" wait_for 60 both_lines 2
both=$(date +%s%3N)
diag "after the death, ms: master $((master - died)), first line" \
	"$((first - died)), new connections $((new - died)), both lines" \
	"$((both - died))"
# TCP's timer doubles meanwhile.
ok "TCP: all go on" wait_for 60 all_answer tcp
ok "UDP: all go on" wait_for 60 all_answer udp
diag "UDP lost, the worst: $(flows report | sed -n \
	's/.*group=old proto=udp .* lost=\([0-9]*\) .*/\1/p' | sort -n | tail -n 1)," \
	"TCP silent, ms: $(flows report | sed -n \
	's/.*group=old proto=tcp .* gap_ms=\([0-9]*\) .*/\1/p' | sort -n | tail -n 1)"
flows_settle
is "TCP: no flow is reset, none sees another address" "$(flows report |
	grep -c 'group=old proto=tcp .* state=open .* changes=0 ports=0 resets=0 ')" 4
is "UDP: none sees another address" "$(flows report |
	grep -c 'group=old proto=udp .* changes=0 ports=0 ')" 4
[ "$lib_failed" = 0 ] || diag "$(evidence)"

# --- it returns: nothing happens to what works ---
flows resume
flows mark return
for dev in lan0 eth1 eth2 sync0; do
	ip -n r1 link set "$dev" up
done
on 1 rm -f /run/conntrackd.lock /run/conntrackd.ctl
ok "router 1 returns" serve 1
sleep 8
is "router 2 stays master" "$(is_master 1; echo $?) $(is_master 2; echo $?)" "1 0"
is "router 1 does not dial" "$(lines_up 1)" 0
flows_settle
is "no flow is lost, moved or reset by that" "$(flows report return |
	grep -c ' lost=0 .* changes=0 ports=0 resets=0 ')" 12

# --- split brain: each holds the other for dead ---
masters() {
	local n

	for n in 1 2; do
		! is_master "$n" || printf %s "$n"
	done
}
masters_are() {
	[ "$(masters)" = "$1" ]
}
ip -n lan link set r2 nomaster
ok "split brain: both are masters" wait_for 20 masters_are 12
sleep 4
is "but the provider takes one session an account" \
	"$(lines_up 1) $(lines_up 2)" "0 2"
ip -n lan link set r2 master sw
ok "the LAN is whole: the one of lower priority steps down" \
	wait_for 20 masters_are 1
ok "the other one gets the lines" wait_for 60 both_lines 1
is "which the first has hung up" "$(lines_up 2)" 0

# --- backup again before it has dialled ---
wants_up() {
	on 2 grep -qx up /run/mwan-dial
}
nobody_dials() { # N
	local pid

	for pid in $(ip netns pids "r$1"); do
		[ "$(cat "/proc/$pid/comm")" != pppd ] || return
	done
}
on 2 /etc/keepalived/mwan-dial up >/dev/null 2>&1 &
up=$!
ok "router 2 begins to dial" wait_for 20 wants_up
on 2 /etc/keepalived/mwan-dial down >/dev/null 2>&1
wait "$up"
ok "told to hang up before it has dialled, it does" nobody_dials 2
done_testing
