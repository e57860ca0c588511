#!/bin/bash
# Links with several addresses, with one peer, and with one address between
# them: what is bound to a link's address, or has its mark, goes by the link.
# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

# way TO SELECTOR...: the device.
way() {
	ip route get "$@" 2>&1 | sed -n 's/.* dev \([^ ]*\).*/\1/p'
}

printf '%s\n' '[mwan]' 'qdisc = none' '[link ppp0]' 'table = 201' \
	'[link ppp1]' 'table = 202' >/etc/ppp/mwan.ini
link_new ppp0 10.64.0.100 10.64.9.1
link_new ppp1 10.64.1.100 10.64.9.2
# A /29, in front of pppd's own and behind it.
ip addr del 10.64.1.100 peer 10.64.9.2 dev ppp1
for i in 2 3 4; do
	ip addr add 192.0.2.$i/32 dev ppp1
done
ip addr add 10.64.1.100 peer 10.64.9.2 dev ppp1
for i in 5 6; do
	ip addr add 192.0.2.$i/32 dev ppp1
done
ok "apply" mwan-rules apply
for a in 10.64.1.100 192.0.2.{2..6}; do
	is "from $a" "$(way 198.51.100.1 from "$a")" ppp1
done
is "from the other link's" "$(way 198.51.100.1 from 10.64.0.100)" ppp0
like "status names pppd's" "$(mwan-rules status)" 'ppp1 .*10\.64\.1\.100'
ip addr del 192.0.2.4/32 dev ppp1
ip addr add 192.0.2.14/32 dev ppp1
ok "a hook sees another one" hook up ppp1 10.64.1.100 10.64.9.2
is "which has its rule" "$(way 198.51.100.1 from 192.0.2.14)" ppp1
is "and the old one has none" "$(ip rule | grep -c 192.0.2.4)" 0

# --- one access server ---
ip link del ppp1
link_new ppp1 10.64.1.100 10.64.9.1
hook up ppp1 10.64.1.100 10.64.9.1
for i in 0 1; do
	is "to the peer from ppp$i's address" \
		"$(way 10.64.9.1 from 10.64.$i.100)" ppp$i
	is "to the peer with ppp$i's mark" \
		"$(way 10.64.9.1 mark $((i + 1)))" ppp$i
done
ip link set ppp0 down
is "a link goes: the other one has its peer, too" \
	"$(way 10.64.9.1 mark 1)" ppp1
ip link del ppp0
hook down ppp0 10.64.0.100 10.64.9.1
is "and main's route does alone" "$(ip rule | grep -c ' to ')" 0

# --- one address ---
link_new ppp0 10.64.1.100 10.64.9.1
hook up ppp0 10.64.1.100 10.64.9.1
like "status says that both have one address" "$(mwan-rules status)" \
	'ppp1 has the address of ppp0, 10\.64\.1\.100: .*the mark 0x2'
is "the mark chooses" "$(way 10.64.9.1 mark 2) $(way 198.51.100.1 mark 2)" \
	"ppp1 ppp1"

# --- an address that is of use on the link alone ---
# The kernel gives it to no packet of the LAN, and masquerade drops them all.
ip addr del 10.64.1.100 peer 10.64.9.1 dev ppp1
ip addr add 10.64.1.101 peer 10.64.9.1 dev ppp1 scope link
ok "the address has scope link" hook up ppp1 10.64.1.101 10.64.9.1
is "no mark leaves by the link" \
	"$(way 198.51.100.1 mark 1) $(way 198.51.100.1 mark 2)" "ppp0 ppp0"
like "status says why" "$(mwan-rules status)" \
	'ppp1 is down, its IPv4 address is of scope link, .* scope global'
ip addr add 10.64.1.100 peer 10.64.9.2 dev ppp1
ok "one of scope global beside it" hook up ppp1 10.64.1.100 10.64.9.2
is "makes it a link" "$(way 198.51.100.1 mark 2)" ppp1
like "of that address" "$(mwan-rules status)" 'ppp1 +up .*10\.64\.1\.100'
ok "flush" mwan-rules flush
is "nothing is left" "$(ip rule | grep -c 'proto 119')" 0
done_testing
