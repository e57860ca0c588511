#!/bin/bash
# A kernel without IPv6 (ipv6.disable=1): IPv4 works as ever, whatever mwan.ini says
# of IPv6.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
if [ -z "${LAB_INSIDE-}${LAB_HERE-}" ]; then
	LAB_KERNEL=ipv6.disable=1 LAB_ICOUNT=0 \
		exec "$(dirname "$0")/lab/retry" "$0" "$@"
fi
if [ -n "${LAB_INSIDE-}" ]; then
	modprobe -a veth nft_chain_nat nft_masq nft_ct nft_fib_inet nft_hash \
		nf_nat nft_reject_inet 2>/dev/null
	unset LAB_INSIDE
	LAB_HERE=1 exec bash "$0"
fi
. "$(dirname "$0")/lib/lib.sh"

log_last() { tail -n 1 /var/log/ifchang.log; }

not_ok "the kernel has no IPv6" test -e /proc/sys/net/ipv6
for ipv6 in yes no; do
	for k in 0 1; do
		ip link add ppp$k type veth peer name xppp$k
		ip link set ppp$k address 02:00:00:00:00:0$k arp off up
		ip link set xppp$k address 02:00:00:00:00:0$k arp off up
		ip addr add 10.64.$k.100 peer 10.64.$k.1 dev ppp$k
	done
	printf '[mwan]\nipv6 = %s\nqdisc = none\n[link ppp0]\ntable = 201\n%s\n' \
		$ipv6 $'prefix6 = 2001:db8:a00::/56\n[link ppp1]\ntable = 202' \
		>/etc/ppp/mwan.ini
	ok "ipv6 = $ipv6: check" mwan-rules check
	ok "ipv6 = $ipv6: apply" mwan-rules apply
	like "ipv6 = $ipv6: both links are used" \
		"$(ip route show table 201) $(ip route show table 200)" \
		'^default dev ppp0 .*nhid .*ppp0.*ppp1'
	ok "ipv6 = $ipv6: the rules of nftables" nft list chain inet mwan \
		prerouting
	ok "ipv6 = $ipv6: apply again" mwan-rules apply
	like "ipv6 = $ipv6: has nothing to do" "$(log_last)" 'changes=0 '
	ip link del ppp0
	ok "ipv6 = $ipv6: ip-down" hook down ppp0 10.64.0.100
	like "ipv6 = $ipv6: the other link has it all" \
		"$(ip route show table 200)" '^default nhid [0-9]*.*dev ppp1'
	is "ipv6 = $ipv6: status knows of no fault of IPv6" \
		"$(mwan-rules status --json | jq -c '[.problems[].text] |
			map(select(test("(?i)ipv6"))) | length')" 0
	ok "ipv6 = $ipv6: flush" mwan-rules flush
	ip link del ppp1
done
done_testing
