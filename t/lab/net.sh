# shellcheck shell=sh
# The lab's network, for scripts that t/lab/boot runs: . "$root/t/lab/net.sh"
#
#	lan ---lan0- router -ethN/pppK------ ispN ------- inet
#	192.168.77.11..18    PPPoE session   10.64.N.1    203.0.113.1
#	                     10.64.N.100..                192.0.2.1
#
# The router is the machine itself, with Debian's own /etc/ppp; everything else
# is a network namespace. K is N-1: eth1 carries ppp0. The ISPs only route, and
# inet knows each ISP's addresses: an answer shows by which line its flow left.
# ISPs run pppoe-server, in a mount namespace with an /etc/ppp and a /run of
# their own, or their pppd would run the router's hooks.
#
# A test uses lib.sh and this, and runs itself in the lab:
#
#	[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/retry" "$0" "$@"
#	LIB_INSIDE=1
#	. "$(dirname "$0")/lib/lib.sh"
#	. "$root/t/lab/net.sh"

: "${LAB_INSIDE:?net.sh: only for the inside of the lab, see t/lab/boot}"

lab=/run/lab
mkdir -p $lab
: "${root:?net.sh: set root to the source tree}"
FLOWS=${LAB_FLOWS-}
if [ -z "$FLOWS" ]; then
	for FLOWS in "$root"/build/release/t/flows "$root"/build/*/t/flows; do
		[ ! -x "$FLOWS" ] || break
	done
fi

lan_hosts=192.168.77.11-18
server=203.0.113.1
server2=192.0.2.1
server_port=7000
flow_socket=$lab/flows.sock
inbound_socket=$lab/inbound.sock

say()
{
	echo "$*"
}

fail()
{
	echo "lab: $*"
	exit 1
}

# At least a minute, as lib.sh's: nothing but a failure takes that long.
command -v wait_for >/dev/null || wait_for() # SECONDS COMMAND...
{
	wait_until=$(($(date +%s) + ($1 > 60 ? $1 : 60)))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$wait_until" ] || return 1
		sleep 0.1
	done
}

must() # COMMAND...
{
	"$@" || fail "failed: $*"
}

in_ns() # NAMESPACE COMMAND...
{
	ip netns exec "$@"
}

# Runs a daemon in the background and leaves its process id in a variable.
daemon() # VARIABLE LOGFILE COMMAND...
{
	daemon_var=$1 daemon_log=$2
	shift 2
	"$@" </dev/null >>"$daemon_log" 2>&1 &
	eval "$daemon_var=\$!"
}

# Topology ---------------------------------------------------------------

lab_net() # NUMBER-OF-LINKS
{
	lab_links=$1
	[ -x "$FLOWS" ] || fail "the traffic meter is not built (target flows)"
	# Nothing loads /dev/ppp's module on demand before the node exists.
	modprobe -a ppp_generic pppoe
	code_settled
	ip netns add inet
	ip -n inet link set lo up
	ip -n inet address add "$server/32" dev lo
	ip -n inet address add "$server2/32" dev lo
	lab_net_n=1
	while [ "$lab_net_n" -le "$lab_links" ]; do
		add_isp "$lab_net_n"
		lab_net_n=$((lab_net_n + 1))
	done
	ip netns add lan
	ip link add lan0 type veth peer name eth0 netns lan
	ip address add 192.168.77.1/24 dev lan0
	ip link set lan0 up
	ip -n lan link set lo up
	ip -n lan link set eth0 up
	for lab_net_n in 11 12 13 14 15 16 17 18; do
		ip -n lan address add "192.168.77.$lab_net_n/24" dev eth0
	done
	ip -n lan route add default via 192.168.77.1
}

# The first use of a netfilter hook makes the kernel rewrite its own code, and so
# does the last one's end. While packets run through that code on the other
# processor, an emulated machine has hung for ever. So every hook that a test may
# use is in use, by chains that do nothing, before there are packets.
code_settled()
{
	ip netns add settled
	in_ns settled nft -f - <<-'EOF'
	table netdev settled {
		chain in { type filter hook ingress device lo priority 0; }
		chain out { type filter hook egress device lo priority 0; }
	}
	table inet settled {
		chain a { type filter hook prerouting priority 0; }
		chain b { type filter hook input priority 0; }
		chain c { type filter hook forward priority 0; }
		chain d { type filter hook output priority 0; }
		chain e { type filter hook postrouting priority 0; }
	}
	EOF
}

add_isp() # N
{
	ip netns add "isp$1"
	ip link add "eth$1" type veth peer name line netns "isp$1"
	ip link set "eth$1" up
	ip -n "isp$1" link set lo up
	ip -n "isp$1" link set line up
	ip -n "isp$1" link add core type veth peer name "isp$1" netns inet
	ip -n "isp$1" address add "10.255.$1.1/30" dev core
	ip -n "isp$1" link set core up
	ip -n inet address add "10.255.$1.2/30" dev "isp$1"
	ip -n inet link set "isp$1" up
	ip -n inet route add "10.64.$1.0/24" via "10.255.$1.1"
	ip -n "isp$1" route add default via "10.255.$1.2"
	in_ns "isp$1" sysctl -qw net.ipv4.ip_forward=1
}

# The server's usual way is a pppoe process that copies every packet between a
# terminal and the line. In an emulated machine that is too slow, so this
# stands in for its pppd and hands the session to the kernel.
isp_pppd()
{
	cat <<-'EOF'
	#!/bin/sh
	# pty 'pppoe ... -e SESSION:MAC ...' file OPTIONS LOCAL:REMOTE ...
	session=$(echo "$2" | sed 's/.* -e \([^ ]*\).*/\1/')
	echo "$session" >/run/session
	shift 2
	exec /usr/sbin/pppd plugin rp-pppoe.so nic-line \
		rp_pppoe_sess "$session" "$@"
	EOF
}

# Every session gets the pool's next address; with "same" there is one address,
# and so no new session before the old one is over.
isp_start() # N [FIRST-ADDRESS [same]]
{
	isp=$lab/isp$1
	mkdir -p "$isp/ppp" "$isp/run"
	isp_pppd >"$isp/ppp/pppd"
	chmod 755 "$isp/ppp/pppd"
	: >"$isp/ppp/options"
	{
		printf '%s\n' noauth 'lcp-echo-interval 2' \
			'lcp-echo-failure 4' 'lcp-restart 1' 'ipcp-restart 1' \
			'ipcp-max-configure 1000' debug 'logfile /run/pppd.log'
		printf '%s\n' "${ISP_OPTIONS-}"
	} >"$isp/ppp/pppoe-server-options"
	# shellcheck disable=SC2016	# for the inner shell
	daemon "isp_pid_$1" "$isp/log" ip netns exec "isp$1" sh -c '
		mount --bind "$1/ppp" /etc/ppp && mount --bind "$1/run" /run &&
		shift && exec pppoe-server "$@"' sh "$isp" -F -I line \
		-q /etc/ppp/pppd -L "10.64.$1.1" -R "${2:-10.64.$1.100}" \
		${3:+-N 1}
	# A request before it listens would be repeated only 5 s later.
	must wait_for 10 in_ns "isp$1" grep -q ' 8863 ' /proc/net/packet
}

# Its pppds go with it, without a word to the other side.
isp_stop() # N
{
	for isp_pid in $(ip netns pids "isp$1"); do
		kill -KILL "$isp_pid" 2>/dev/null
	done
	wait_for 10 isp_is_gone "$1"
}

isp_is_gone() # N
{
	[ -z "$(ip netns pids "isp$1")" ]
}

# In the place of an ISP with PPPoE: a router that gives the other end of ethN an
# address by DHCP, and translates what comes from there to 10.64.N.100.
cable_start() # N
{
	cable=$lab/cable$1
	mkdir -p "$cable"
	ip -n "isp$1" address add 192.168.8.1/24 dev line
	ip -n "isp$1" address add "10.64.$1.100/32" dev core
	in_ns "isp$1" nft "table ip nat { chain out {
		type nat hook postrouting priority srcnat;
		oifname core snat to 10.64.$1.100; }; }"
	cable_serve "$1" 100
}

cable_serve() # N FIRST: addresses from 192.168.8.FIRST on
{
	daemon "cable_pid_$1" "$cable/log.$2" ip netns exec "isp$1" dnsmasq \
		--no-daemon --conf-file=/dev/null --port=0 --interface=line \
		--user=root --pid-file= --dhcp-authoritative \
		--dhcp-leasefile="$cable/leases.$2" \
		--dhcp-range="192.168.8.$2,192.168.8.$(($2 + 20)),120"
	must wait_for 20 grep -q 'DHCP, IP range' "$cable/log.$2"
}

cable_stop() # N
{
	cable_pid=
	eval "cable_pid=\$cable_pid_$1"
	kill "$cable_pid"
	wait "$cable_pid" || :
}

# The client on the router's side.
lease_up() # N
{
	daemon "lease_pid_$1" "$lab/udhcpc.$1.log" udhcpc -f -S -i "eth$1" \
		-s "$root/etc/dhcp/udhcpc-script" -t 9 -T 1 -A 1
}

lease_signal() # N SIGNAL: USR1 renews, USR2 releases
{
	lease_pid=
	eval "lease_pid=\$lease_pid_$1"
	kill "-$2" "$lease_pid"
}

lease_address() # N
{
	ip -4 -o address show dev "eth$1" | sed -n 's/.* inet \([0-9.]*\).*/\1/p'
}

# Links ------------------------------------------------------------------

# Without the shorter timeout a session could begin 20 s after the line is well
# again: pppd doubles its 5 s twice. (The plugin takes the option only where it
# stands before the device.)
write_peer() # N [OPTION...]
{
	peer=/etc/ppp/peers/wan$1
	{
		printf '%s\n' 'plugin rp-pppoe.so' 'pppoe-padi-timeout 1' \
			"eth$1" "unit $(($1 - 1))" "linkname wan$1" noauth \
			persist 'maxfail 0' 'holdoff 1' \
			'lcp-echo-interval 1' 'lcp-echo-failure 3' \
			nodetach debug "logfile $lab/pppd.$1.log"
		shift
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"$peer"
}

link_up() # N [OPTION...]
{
	write_peer "$@"
	daemon "link_pid_$1" "$lab/pppd.$1.err" pppd call "wan$1"
}

# What poff does. Returns when pppd is gone.
link_off() # N
{
	link_off_pid=
	eval "link_off_pid=\$link_pid_$1"
	kill -TERM "$link_off_pid"
	wait "$link_off_pid" || :
}

link_address() # N
{
	ip -4 -o address show dev "ppp$(($1 - 1))" 2>/dev/null |
		sed -n 's/.* inet \([0-9.]*\) .*/\1/p'
}

link_is_up() # N
{
	[ -n "$(link_address "$1")" ]
}

link_is_down() # N
{
	[ -z "$(link_address "$1")" ]
}

# How often the link has come up so far.
link_ups() # N
{
	grep -c '^local  IP address' "$lab/pppd.$1.log" || :
}

# How often pppd has run its ip-up to the end, over all links.
hooks_ended()
{
	cat "$lab"/pppd.*.log | grep -c '^Script /etc/ppp/ip-up finished' || :
}

hooks_are_through() # COUNT
{
	[ "$(hooks_ended)" -ge "$1" ]
}

# How often it went down, for whatever reason.
link_downs() # N
{
	grep -c '^Script /etc/ppp/ip-down started' "$lab/pppd.$1.log" || :
}

# Faults -----------------------------------------------------------------

# The Ethernet device goes down: the kernel ends the PPPoE session at once.
link_cut() # N
{
	ip link set "eth$1" down
	ip -n "isp$1" link set line down
}

# Only the carrier is lost, as when a cable is pulled: the kernel keeps the
# session, and the missing LCP echoes end it 3 to 4 s later.
link_unplug() # N
{
	ip -n "isp$1" link set line down
}

link_mend() # N
{
	ip -n "isp$1" link set line up
	ip link set "eth$1" up
}

# The line looks well and carries nothing.
link_silence() # N
{
	in_ns "isp$1" nft -f - <<-'EOF'
	table netdev silence {
		chain from {
			type filter hook ingress device line priority 0
			drop
		}
		chain to {
			type filter hook egress device line priority 0
			drop
		}
	}
	EOF
}

link_unsilence() # N
{
	in_ns "isp$1" nft delete table netdev silence
}

# One family alone is terminated, by one frame in the ISP's name, and the ISP's
# attempts to open it again are dropped. The other one stays open, so the router's
# device stays up and only the addresses of the one go. (pppd itself offers no way
# to close one alone. Debian's pppd negotiates IPv6 unless told otherwise.) PPP's
# number of a family's control protocol is that of its packets plus 0x8000.
link_ipcp_cut() { link_family_cut "$1" 0x0021; }	# N
link_ipv6cp_cut() { link_family_cut "$1" 0x0057; }	# N

link_family_cut() # N PROTOCOL
{
	# Behind 14 bytes of Ethernet and 6 of PPPoE: the PPP protocol and the
	# packet's code, of which 5 is the Terminate-Request that follows. With
	# IPCP closed no IPv4 may come either (RFC 1661, 2): the router has no
	# such address any more, would send it on by the other link, and in an
	# emulated machine what runs in circles leaves no time for the rest.
	in_ns "isp$1" nft -f - <<-EOF
	table netdev family {
		chain to {
			type filter hook egress device line priority 0
			@ll,160,16 $(($2 + 0x8000)) @ll,176,8 != 5 drop
			@ll,160,16 $2 drop
		}
	}
	EOF
	link_family_terminate "$1" "$2"
}

link_ipcp_mend() { in_ns "isp$1" nft delete table netdev family; }	# N

# Alone it makes both ends negotiate anew at once.
link_ipcp_terminate() { link_family_terminate "$1" 0x0021; }	# N

link_family_terminate() # N PROTOCOL
{
	in_ns "isp$1" perl - line "$(cat "/sys/class/net/eth$1/address")" \
		"$(cat "$lab/isp$1/run/session")" "$2" <<-'EOF'
	use strict;
	use Socket;
	my ($device, $to, $session, $protocol) = @ARGV;
	my $index = `cat /sys/class/net/$device/ifindex`;
	my $from = `cat /sys/class/net/$device/address`;
	my $mac = sub { pack "C6", map { hex } split /:/, shift };
	$session =~ s/:.*//;
	my $cp = pack "n C C n", 0x8000 + hex $protocol, 5, 99, 4;
	my $frame = $mac->($to) . $mac->($from) .
		pack("n C C n n", 0x8864, 0x11, 0, $session, length $cp) . $cp;
	socket my $socket, 17, SOCK_RAW, 0 or die "socket: $!";
	send $socket, $frame, 0, pack("S n i S C C a8", 17, 0x8864, $index,
		0, 0, 6, $mac->($to)) or die "send: $!";
	EOF
}

# A run in which a link went down that nobody cut is no verdict: the emulated
# machine was too slow for its keep-alives. t/lab/retry repeats it once.
undisturbed() # DOWNS-OF-LINK-1 [DOWNS-OF-LINK-2...]
{
	undisturbed_n=1
	for undisturbed_want; do
		undisturbed_got=$(link_downs "$undisturbed_n")
		if [ "$undisturbed_got" != "$undisturbed_want" ]; then
			echo "# disturbed: link $undisturbed_n went down" \
				"$undisturbed_got times, not $undisturbed_want"
			trap - EXIT
			exit 3
		fi
		undisturbed_n=$((undisturbed_n + 1))
	done
}

# Traffic ----------------------------------------------------------------

# The meter's client in the LAN and its servers in inet, and the other way
# round for inbound connections (server on a LAN host, client in inet).
flows_start() # [SERIES-FILE]
{
	daemon flows_server "$lab/flows.log" ip netns exec inet "$FLOWS" \
		serve ${server6:+"$server6:$server_port"} \
		"$server:$server_port" "$server2:$server_port"
	daemon flows_client "$lab/flows.log" ip netns exec lan "$FLOWS" \
		client ${1:+-c "$1"} "$flow_socket"
	must wait_for 10 [ -S "$flow_socket" ]
	must wait_for 10 serves inet
}

inbound_start() # LAN-HOST
{
	daemon inbound_server "$lab/flows.log" ip netns exec lan "$FLOWS" \
		serve "$1:$server_port"
	daemon inbound_client "$lab/flows.log" ip netns exec inet "$FLOWS" \
		client "$inbound_socket"
	must wait_for 10 [ -S "$inbound_socket" ]
	must wait_for 10 serves lan
}

# A request before the server listens would be refused, and count as lost.
serves() # NAMESPACE
{
	serves_port=$(printf ':%04X ' "$server_port")
	in_ns "$1" grep -q "$serves_port" /proc/net/udp &&
		in_ns "$1" grep -q "$serves_port" /proc/net/tcp
}

flows() # COMMAND...
{
	"$FLOWS" ctl "$flow_socket" "$@"
}

inbound() # COMMAND...
{
	"$FLOWS" ctl "$inbound_socket" "$@"
}

# One UDP and one TCP flow from each of the eight LAN hosts, and from those with
# IPv6 (net6.sh).
flows_open() # GROUP [OPTION...]
{
	flows_group=$1
	shift
	for flows_hosts in $lan_hosts ${lan6_flows-}; do
		flows_to=$server
		case $flows_hosts in
		*:*)	flows_to=$server6 ;;
		esac
		for flows_proto in udp tcp; do
			flows open "$flows_group" $flows_proto "$flows_hosts" \
				"$flows_to" "$server_port" "$@"
		done
	done
}

# Every flow that lives, or every one to SERVER, has had an answer.
flows_ready() # [SERVER]
{
	if [ -z "${1-}" ]; then
		[ "$(flows ready)" = 0 ]
	else
		! flows report | grep " dst=$1 state=[co].* answered=0 "
	fi
}

# Every live UDP flow of the LAN, or every one to SERVER, has had an answer in the
# last MS milliseconds.
flows_answer() # MS [SERVER]
{
	flows report | awk -v ms="$1" -v to=" dst=${2-}" '
	index($0, to) && /state=open/ && /proto=udp/ {
		sub(/.*silent_ms=/, ""); if ($1 + 0 > ms) bad = 1
	}
	END { exit bad }'
}

# Starts the phase NAME when the link's address or device goes: what is lost
# before is lost because nobody knew yet. With IPv6 it is the device: pppd takes it
# down with the second of the two (sifdown, sif6down), and until then both leave by
# it, with or without an address. Returns when it listens.
flows_mark_when_down() # N NAME
{
	flows_mark_down="ppp$(($1 - 1)).*state DOWN"
	[ -n "${lan6_flows-}" ] ||
		flows_mark_down="$flows_mark_down|Deleted [0-9]+: ppp$(($1 - 1)) .*inet "
	flows_mark_when "$flows_mark_down" "$2"
}

# The same for any line of "ip -o monitor link address".
flows_mark_when() # REGEX NAME
{
	mkfifo "$lab/monitor.$2"
	ip -o monitor link address >"$lab/monitor.$2" 2>/dev/null &
	monitor_pid=$!
	(
		grep -q -m 1 -E "$1" "$lab/monitor.$2"
		flows mark "$2"
	) </dev/null >>"$lab/flows.log" 2>&1 &
	must wait_for 10 monitor_listens
}

# Its socket has joined its groups. (A first socket's port is the process id.)
monitor_listens()
{
	awk -v pid="$monitor_pid" '$3 == pid && $4 !~ /^0*$/ { n = 1 }
		END { exit !n }' /proc/net/netlink
}

# Ends the sending and waits until nothing is undecided.
flows_settle()
{
	flows pause
	wait_for 5 flows_decided || :
}

flows_decided()
{
	! flows report | grep 'proto=udp .*state=open ' | grep -qv 'pending=0 '
}
