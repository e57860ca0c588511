# shellcheck shell=sh
# What makes the router a multi-WAN router, after net.sh: the shell scripts of
# 2004, or our programs in the place of them. LAB_OURS: a script to source in
# place of installing ours; $bin has our binaries.
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
	must "$bin/mwan-rules" apply
}
