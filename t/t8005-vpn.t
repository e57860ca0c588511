#!/bin/bash
# VPNs on a router with two PPPoE links, to a peer in inet: IPsec by policy,
# WireGuard, OpenVPN. What belongs into a tunnel goes into it, and the tunnel's
# own packets keep their link until it fails.
#
# Behind the peer is a LAN for each tunnel, 10.99.N.0/24, of which one host
# echoes. What it sees as the source tells which way a packet came: a LAN
# host's own address by the tunnel, a link's address if the link took it. (The
# ISPs would bring such a packet there, too.)
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
if [ -z "${LAB_INSIDE-}" ]; then
	export LAB_ICOUNT="${LAB_ICOUNT-0}"
	exec "$(dirname "$0")/lab/retry" "$0" "$@"
fi
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lab/net.sh
. "$root/t/lab/net.sh"
# shellcheck source=lab/verdict.sh
. "$root/t/lab/verdict.sh"

both_up() { # COUNT: as many hooks "up" have ended since the last call
	wait_for 60 link_is_up 1 && wait_for 60 link_is_up 2 &&
		wait_for 30 hooks_are_through $((hooks_before + $1)) &&
		hooks_before=$(hooks_ended)
}
hooks_before=0

# A UDP and a TCP flow of four LAN hosts to the LAN behind tunnel N.
open_flows() { # GROUP N
	flows open "$1" udp 192.168.77.11-14 "10.99.$2.1" "$server_port"
	flows open "$1" tcp 192.168.77.11-14 "10.99.$2.1" "$server_port" rate=5
	wait_for 20 flows_ready
}

# Each packet of the group's 8 flows (in PHASE) came there, as its LAN host's,
# and back.
whole() { # GROUP [PHASE]
	# shellcheck disable=SC2086 # no phase, no word
	flows report ${2-} | grep "group=$1 " | awk '
	{
		print
		split($0, w, /[ =]/)
		for (i = 1; i in w; i += 2)
			v[w[i]] = w[i + 1]
		if (v["sent"] < 5 || v["answered"] != v["sent"] ||
		    v["first"] != v["src"] || v["last"] != v["src"] ||
		    v["changes"] + v["ports"] + v["resets"])
			bad = 1
	}
	END { exit bad || NR != 8 }'
}

# The group's flows are being answered, and none has been reset.
answered() { # GROUP
	flows report | awk -v group="$1" '
	index($0, " group=" group " ") {
		n += / state=open .* changes=0 ports=0 resets=0 /
		sub(/.*silent_ms=/, "")
		n -= $1 + 0 > 400
	}
	END { exit n != 8 }'
}

# What goes to the LANs behind the peer as it came from the LAN, and what the
# ISPs see of it: nothing, but for ESP.
count_packets() {
	local n

	nft -f - <<-'E2'
	table inet count {
		counter into_ipsec { }
		chain prerouting {
			type filter hook prerouting priority -400
			iifname lan0 ip daddr 10.99.1.0/24 counter name into_ipsec
		}
	}
	E2
	for n in 1 2; do
		in_ns isp$n nft -f - <<-'E2'
		table inet count {
			counter naked { }
			counter sealed { }
			chain forward {
				type filter hook forward priority 0
				ip saddr 10.99.0.0/16 counter name naked
				ip daddr 10.99.0.0/16 counter name naked
				ip daddr 203.0.113.1 meta l4proto esp counter name sealed
			}
		}
		E2
	done
}

counted() { # COUNTER [N]: on the router, or at ISP N
	${2+ip netns exec "isp$2"} nft list counter inet count "$1" |
		sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

# The links by which the tunnels' own packets come to the peer.
tunnels() {
	echo "WireGuard $(ip netns exec inet wg show wg0 endpoints |
		sed 's/.*10\.64\.\([0-9]*\)\..*/\1/')," \
		"OpenVPN $(in_ns inet ss -Htn state established \
			sport = :1194 | tail -n 1 |
			sed 's/.*10\.64\.\([0-9]*\)\..*/\1/')"
}

lab_net 2
modprobe -a wireguard tun
links_wanted ppp0 ppp1
cp "$BIN/ip-up.local" "$BIN/ip-down.local" /etc/ppp
ok "apply" mwan-rules apply
isp_start 1
isp_start 2
# The first is the link of what the router itself sends.
link_up 1 'lcp-restart 1'
ok "link 1 is up" wait_for 30 hooks_are_through 1
link_up 2 'lcp-restart 1'
ok "both links are up" both_up 2
count_packets
for n in 1 2 3; do
	ip -n inet address add "10.99.$n.1/32" dev lo
	ip -n inet rule add from "10.99.$n.0/24" table $n
done
daemon remote_server "$lab/flows.log" ip netns exec inet "$FLOWS" serve \
	"10.99.1.1:$server_port" "10.99.2.1:$server_port" \
	"10.99.3.1:$server_port"
flows_start

# --- IPsec: policies, and associations with link 1's address ---
local1=$(link_address 1)
ipsec() { # DIR DIR COMMAND...: the same on both sides, but for the direction
	local to_peer=$1 from_peer=$2
	shift 2
	set -- "$@" xfrm

	"$@" state add src "$local1" dst "$server" proto esp spi 0x101 reqid 1 \
		mode tunnel aead 'rfc4106(gcm(aes))' "0x$(printf %040d 1)" 128
	"$@" state add src "$server" dst "$local1" proto esp spi 0x102 reqid 1 \
		mode tunnel aead 'rfc4106(gcm(aes))' "0x$(printf %040d 2)" 128
	"$@" policy add src 192.168.77.0/24 dst 10.99.1.0/24 dir "$to_peer" \
		tmpl src "$local1" dst "$server" proto esp reqid 1 mode tunnel
	"$@" policy add src 10.99.1.0/24 dst 192.168.77.0/24 dir "$from_peer" \
		tmpl src "$server" dst "$local1" proto esp reqid 1 mode tunnel
}
ok "IPsec on the router" ipsec out fwd ip
ok "IPsec on the peer" ipsec in out ip -n inet
ip -n inet route add default via 10.255.1.1 table 1
ok "IPsec: flows" open_flows ipsec 1

# --- WireGuard ---
wireguard() { # NAMESPACE PRIVATE PUBLIC-OF-THE-OTHER ALLOWED [WORD...]
	local ns=${1:+ip netns exec $1} key=$2 other=$3 allowed=$4
	shift 4

	# shellcheck disable=SC2086 # a command's words, or none
	$ns ip link add wg0 type wireguard &&
		$ns wg set wg0 private-key <(echo "$key") listen-port 51820 \
			peer "$other" allowed-ips "$allowed" "$@" &&
		$ns ip link set wg0 up
}
key1=$(wg genkey)
key2=$(wg genkey)
ok "WireGuard on the router" wireguard "" "$key1" "$(wg pubkey <<<"$key2")" \
	10.99.2.0/24 endpoint "$server:51820"
ip route add 10.99.2.0/24 dev wg0
ok "WireGuard on the peer" wireguard inet "$key2" "$(wg pubkey <<<"$key1")" \
	192.168.77.0/24
ip -n inet route add default dev wg0 table 2
ok "WireGuard: flows" open_flows wg 2

# --- OpenVPN, over TCP ---
certificate() { # NAME: prints its fingerprint
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
		-nodes -keyout "$T/$1.key" -out "$T/$1.crt" -subj "/CN=$1" \
		-days 9 2>/dev/null
	openssl x509 -in "$T/$1.crt" -noout -fingerprint -sha256 |
		sed 's/.*=//'
}
print1=$(certificate router)
print2=$(certificate peer)
mkdir "$T/ccd"
echo 'iroute 192.168.77.0 255.255.255.0' >"$T/ccd/router"
ip -n inet tuntap add tun1 mode tun
ip -n inet link set tun1 up
ip -n inet route add default dev tun1 table 3
daemon openvpn_peer "$lab/openvpn.peer.log" ip netns exec inet openvpn \
	--disable-dco --dev tun1 --proto tcp-server --port 1194 \
	--server 10.98.0.0 255.255.255.0 --topology subnet --dh none \
	--client-config-dir "$T/ccd" --keepalive 1 4 --verb 3 \
	--cert "$T/peer.crt" --key "$T/peer.key" --peer-fingerprint "$print1"
ok "OpenVPN on the peer" wait_for 20 grep -q 'Initialization Sequence' \
	"$lab/openvpn.peer.log"
daemon openvpn_router "$lab/openvpn.log" openvpn --disable-dco --client \
	--dev tun0 --proto tcp-client --remote $server 1194 --nobind \
	--connect-retry 1 --persist-tun --verb 3 \
	--route 10.99.3.0 255.255.255.0 \
	--cert "$T/router.crt" --key "$T/router.key" \
	--peer-fingerprint "$print2"
ok "OpenVPN on the router" wait_for 30 grep -q 'Initialization Sequence' \
	"$lab/openvpn.log"
ok "OpenVPN: flows" open_flows ovpn 3
is "both use link 1" "$(tunnels)" "WireGuard 1, OpenVPN 1"

# --- the other link fails, and returns ---
link_cut 2
ok "link 2 fails" wait_for 30 link_is_down 2
is "the tunnels stay" "$(tunnels)" "WireGuard 1, OpenVPN 1"
link_mend 2
ok "link 2 returns" both_up 1
sleep 1
flows_settle
wait_for 5 sh -c "! '$FLOWS' ctl '$flow_socket' report |
	grep -qv ' pending=0 '"
for group in ipsec wg ovpn; do
	ok "the other link's outage: every packet goes through $group" \
		whole $group
done
n=$(counted into_ipsec)
diag "IPsec: $n packets"
is "IPsec: all of them became ESP, and left by link 1" \
	"$(ip -s xfrm state get src "$local1" dst "$server" proto esp \
		spi 0x101 | sed -n 's/.*(bytes), \([0-9]*\)(packets).*/\1/p'
	)/$(counted sealed 1)/$(counted sealed 2)" "$n/$n/0"
is "the tunnels have stayed" "$(tunnels)" "WireGuard 1, OpenVPN 1"

# --- their own link fails, and returns ---
flows resume
link_cut 1
ok "link 1 fails" wait_for 30 link_is_down 1
# Answers from before are no answers now.
sleep 1
ok "WireGuard goes on by itself" wait_for 20 answered wg
ok "OpenVPN connects again by itself" wait_for 40 answered ovpn
diag "silent for, ms: $(flows report | sed -n \
	's/.*group=\([a-z]*\) proto=\([a-z]*\) .* gap_ms=\([0-9]*\) .*/\1 \2 \3/p' |
	sort -k1,2 -k3nr | awk '!n[$1 $2]++' | paste -sd,)"
is "by the other link" "$(tunnels)" "WireGuard 2, OpenVPN 2"
link_mend 1
ok "link 1 returns" both_up 1
sleep 1
# Its associations name an address that is no more.
flows close ipsec
flows_settle
flows mark back
flows resume
sleep 2
flows_settle
wait_for 5 sh -c "! '$FLOWS' ctl '$flow_socket' report back |
	grep -qv ' pending=0 '"
for group in wg ovpn; do
	ok "every packet goes through $group again" whole $group back
done
is "the tunnels stay where they went" "$(tunnels)" "WireGuard 2, OpenVPN 2"
is "nothing ever left a link outside a tunnel" \
	"$(counted naked 1)/$(counted naked 2)" 0/0

# --- a full tunnel, as wg-quick makes it, for one LAN host ---
wg set wg0 fwmark 51820 peer "$(wg pubkey <<<"$key2")" allowed-ips 0.0.0.0/0
ip route add default dev wg0 table 51820
ip rule add not fwmark 51820 table 51820 priority 32765
ip -n inet rule add from $server2 to 192.168.77.0/24 table 2
printf '%s\n' '[link ppp0]' '[link ppp1]' '[policy tunnel]' \
	'source = 192.168.77.15' 'use = main' >/etc/ppp/mwan.ini
ok "use = main: apply" mwan-rules apply
flows close wg
flows close ovpn
flows resume
for host in 15 16; do
	flows open full$host udp 192.168.77.$host $server2 "$server_port"
done
ok "use = main: flows" wait_for 20 flows_ready
flows_settle
is "use = main: this host by the tunnel, the next by its link" \
	"$(flows report | sed -n 's/.* group=full.* last=\([^ ]*\) .*/\1/p' |
		paste -sd' ')" "192.168.77.15 $(link_address 1)"
for host in 15 16; do
	is "use = main: nothing of .$host is lost" "$(flows report |
		grep -c "group=full$host .* answered=[1-9].* lost=0 .* changes=0 ports=0 ")" 1
done
undisturbed 1 1
done_testing
