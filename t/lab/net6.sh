# shellcheck shell=sh
# shellcheck disable=SC2034	# for who sources it
# IPv6 in the lab's network, after net.sh and lab_net: two providers that each
# delegate a prefix, and hosts with line 1's, with line 2's and with unique local
# addresses, as providers6.sh says. What a DHCPv6 client would do is done here.

: "${root:?net6.sh: set root to the source tree}"
# shellcheck source=t/lib/providers6.sh
. "$root/t/lib/providers6.sh"

ctl()
{
	flows "$@"
}

lab_net6()
{
	sysctl -qw net.ipv6.conf.all.forwarding=1
	for lab_net6_ns in inet isp1 isp2; do
		in_ns "$lab_net6_ns" sysctl -qw net.ipv6.conf.all.forwarding=1
	done
	ip -n inet addr add "$server6/128" dev lo
	provider6 1
	provider6 2
	lan6
	delegates 1 $A
	delegates 2 $B
	# flows_open's: hosts 11 and 12, 13 and 14, in the meter's words.
	lan6_flows="$A::11-18 $B::13-20"
}

# The programs as the hooks of IPV6CP, and a mwan.ini that asks for IPv6.
router6_ours() # DIRECTORY
{
	for router6_what in up down; do
		must ln -s "$1/ip-$router6_what.local" \
			"/etc/ppp/ipv6-$router6_what.d/0000mwan"
	done
	printf '[mwan]\nipv6 = yes\n' >/etc/ppp/mwan.ini
}

has_ll() # N
{
	ip -6 addr show dev "ppp$(($1 - 1))" scope link 2>/dev/null |
		grep -q fe80
}

# The provider sends the prefix by the session that there is.
routes_it() # N PREFIX
{
	routes_dev=$(ip -n "isp$1" -o link show up |
		sed -n 's/^[0-9]*: \(ppp[0-9]*\).*/\1/p' | tail -n 1)
	[ -n "$routes_dev" ] &&
		ip -n "isp$1" -6 route replace "$2::/56" dev "$routes_dev"
}

# A link has IPv6 and is given a prefix.
given6() # N PREFIX
{
	wait_for 60 has_ll "$1" && wait_for 20 routes_it "$1" "$2"
}

# So its client tells us.
told() # N PREFIX
{
	given6 "$1" "$2" || return
	until mwan-rules prefix "ppp$(($1 - 1))" "$2::/56"; do
		# Again when the lock was busy (report.h, EXIT_BUSY), and only then.
		[ $? = 75 ] || return
	done
}

# Link 1 is lost: its client takes the prefix off the LAN.
prefix_withdrawn()
{
	ip -6 addr del $A::1/64 dev lan0
}

# The provider will give another one.
prefix_changes()
{
	ip -n isp1 -6 route del $A::/56 2>/dev/null || :
	delegates 1 $A2
}

# Hosts of the LAN have it, and use it.
prefix_announced()
{
	lan6_prefix $A2 11 12
	lan6_flows="$A2::11-18 ${lan6_flows#* }"
}
