# shellcheck shell=sh
# shellcheck disable=SC2034	# for who sources it
# Providers that each delegate a prefix, and hosts that have one of these prefixes
# or unique local addresses. isp6.sh leads there by veths, t/lab/net6.sh by PPPoE.
#
#	lan                        router                ispN           inet
#	$A::11, ::12, $B::13, ::14, - lan0 ... line N ... - core ------ $server6
#	$U::15, ::16
#
# A provider drops what comes from addresses that are not its own (BCP 38), and
# counts it. The meter (t/lab/flows.c) is asked by ctl, which the other file has.

A=2001:db8:a00 B=2001:db8:b00 A2=2001:db8:a77 U=fd00:1:2
server6=2001:db8:ffff::1
# Of each kind, for tests that ask each host; ours may change it.
hosts="$A::11 $B::13 $U::15 $U::16"
providers=

# Between ispN and inet, which are there.
provider6() # N
{
	providers="$providers $1"
	ip -n "isp$1" -6 addr add "2001:db8:fff$1::1/64" dev core nodad
	ip -n inet -6 addr add "2001:db8:fff$1::2/64" dev "isp$1" nodad
	ip -n "isp$1" -6 route add default via "2001:db8:fff$1::2"
	ip netns exec "isp$1" nft -f - <<-'N'
	table ip6 bcp38 {
		set own { type ipv6_addr; flags interval; }
		counter bad { }
		chain f { type filter hook forward priority 0
			iifname != "core" ip6 saddr != @own counter name bad drop
		}
	}
	N
}

# The provider's side, before or after the session.
delegates() # N PREFIX
{
	ip netns exec "isp$1" nft "flush set ip6 bcp38 own
		add element ip6 bcp38 own { $2::/56 }"
	ip -n inet -6 route replace "$2::/40" via "2001:db8:fff$1::1"
}

# Packets from foreign addresses that a provider has got.
foreign_at() # N
{
	ip netns exec "isp$1" nft list counter ip6 bcp38 bad |
		sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

# And each of them.
foreign()
{
	for foreign_n in $providers; do
		foreign_at "$foreign_n"
	done | paste -sd' '
}

# The LAN, whose lan0 and eth0 are there.
lan6()
{
	ip -6 addr add fe80::1/64 dev lan0 nodad
	ip -n lan -6 route add default via fe80::1 dev eth0
	lan6_prefix $A 11 12
	lan6_prefix $B 13 14
	lan6_prefix $U 15 16
}

# The router and some hosts have addresses of it.
lan6_prefix() # PREFIX HOST...
{
	lan6_p=$1
	shift
	ip -6 addr add "$lan6_p::1/64" dev lan0 nodad
	for lan6_h; do
		ip -n lan -6 addr add "$lan6_p::$lan6_h/64" dev eth0 nodad
	done
}

# A UDP and a TCP flow of each host.
open() # GROUP RATE
{
	for open_host in $hosts; do
		ctl open "$1" udp "$open_host" "$server6" 7000 "rate=$2"
		ctl open "$1" tcp "$open_host" "$server6" 7000 "rate=$2"
	done
}

# New UDP flows of each, one after the other.
fresh() # TIMES RATE PAUSE
{
	for _ in $(seq "$1"); do
		for open_host in $hosts; do
			ctl open new udp "$open_host" "$server6" 7000 "rate=$2"
		done
		sleep "$3"
	done
}

# Each flow of the group has had an answer.
answered() # GROUP
{
	! ctl report | grep "group=$1 " | grep -q ' answered=0 '
}

# Over the flows of a source, of all time or of a phase; nothing if there is none.
sum() # GROUP SOURCE PROTO KEY [PHASE]
{
	ctl report ${5:+"$5"} | grep "group=$1 proto=$3 src=$2 " |
		sed "s/.* $4=\([0-9]*\).*/\1/" |
		awk '{ n += $1 } END { if (NR) print n }'
}

# What happened to a group: UDP packets lost, flows moved, flows reset.
harm() # GROUP
{
	for harm_host in $hosts; do
		sum "$1" "$harm_host" udp lost
		sum "$1" "$harm_host" udp changes
		sum "$1" "$harm_host" tcp changes
		sum "$1" "$harm_host" tcp resets
	done | awk '{ n += $1 } END { if (NR) print n }'
}

# The address by which the flow of a source leaves.
line_of() # GROUP SOURCE
{
	ctl report | grep "group=$1 proto=udp src=$2 " |
		sed 's/.* last=\([^ ]*\).*/\1/' | tail -n 1
}

# Of an outage of $A's line, whose own HOSTs and those dealt to it have to move.
# PHASE: what they have lost only then ("" for all time).
outage_harmed_few() # PHASE HOST...
{
	harm_phase=$1
	shift
	is "the healthy line's UDP: nothing lost" \
		"$(sum early $B::13 udp lost)" 0
	is "its TCP: not reset" "$(sum early $B::13 tcp resets)" 0
	is "it never moves" "$(sum early $B::13 udp changes)$(
		sum early $B::13 tcp changes)" 00
	for harm_host; do
		ok "$harm_host: two packets lost at most ($(
			sum early "$harm_host" udp lost) of $(
			sum early "$harm_host" udp sent))" \
			[ "$(sum early "$harm_host" udp lost \
				"$harm_phase")" -le 2 ]
	done
	is "no provider got a packet from a foreign address" "$(foreign)" "0 0"
}
