# shellcheck shell=sh
# What makes the router a multi-WAN router, after net.sh: the shell scripts of
# 2004, or our programs in the place of them. LAB_OURS: a script to source in
# place of installing ours, which has a prefix_ours, too; $bin has our binaries.
: "${root:?variant.sh: set root to the source tree}" "${bin:?and bin}"

router_baseline()
{
	mkdir -p /etc/iproute2
	printf '201 ppp0\n202 ppp1\n' >>/etc/iproute2/rt_tables
	sysctl -qw net.ipv4.ip_forward=1
	must "$root/t/bench/baseline/rc.local" >/dev/null
	must install -m 755 "$root/t/bench/baseline/ip-up.local" \
		"$root/t/bench/baseline/ip-down.local" /etc/ppp
}

# The scripts know no IPv6. Beside them, the best that an administrator has without
# a program: each prefix leaves by its own line.
prefix_baseline() # N PREFIX
{
	given6 "$1" "$2" || return
	ip -6 rule del pref "20$1" 2>/dev/null || :
	ip -6 rule add pref "20$1" from "$2::/56" lookup "20$1"
	ip -6 route replace default dev "ppp$(($1 - 1))" table "20$1"
}

router_ours()
{
	mkdir -p /etc/iproute2
	printf '201 ppp0\n202 ppp1\n' >>/etc/iproute2/rt_tables
	if [ -n "${LAB_OURS-}" ]; then
		# shellcheck disable=SC1090
		. "$LAB_OURS"
		return
	fi
	must install -m 755 "$bin/ip-up.local" "$bin/ip-down.local" /etc/ppp
	# With IPv6, after net6.sh.
	[ -z "${lan6_flows-}" ] || router6_ours "$bin"
	must "$bin/mwan-rules" apply
}

prefix_ours() # N PREFIX
{
	told "$1" "$2"
}
