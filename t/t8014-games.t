#!/bin/bash
# doc/games.md: flows through a tunnel to a server of one's own see no other
# address and no reset when their line fails and returns, unlike the same flows
# without it. Both ends are set up by the files of that page.
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

page=$root/doc/games.md
game=198.51.100.2

# The file of the page that SIDE (server, router) has, with keys and addresses
# of the lab.
config() { # SIDE
	awk -v want="<!-- file: $1 " '
		index($0, want) { on = 1 }
		on && /^```$/ { exit }
		on && text { print }
		on && /^```ini/ { text = 1 }' "$page" |
	sed -e "s|SERVER-PRIVATE-KEY|$server_key|" \
		-e "s|ROUTER-PRIVATE-KEY|$router_key|" \
		-e "s|SERVER-PUBLIC-KEY|$(wg pubkey <<<"$server_key")|" \
		-e "s|ROUTER-PUBLIC-KEY|$(wg pubkey <<<"$router_key")|"
}

# What happened to a group's flows: the worst of each, and how many there are.
story() { # GROUP PROTO
	flows report | grep "group=$1 proto=$2 " | awk '
	{
		split($0, w, /[ =]/)
		for (i = 1; i in w; i += 2)
			v[w[i]] = w[i + 1]
		resets += v["resets"]
		changes += v["changes"] + v["ports"]
		dead += v["state"] != "open"
		if (v["gap_ms"] + 0 > gap)
			gap = v["gap_ms"] + 0
	}
	END {
		printf "flows=%d resets=%d changes=%d dead=%d gap_ms=%d\n",
			NR, resets, changes, dead, gap
	}'
}

field() { # NAME LINE
	grep -oP "\b$1=\K[0-9]+" <<<"$2"
}

lab_net 2
modprobe wireguard
links_wanted ppp0 ppp1
cp "$BIN/ip-up.local" "$BIN/ip-down.local" /etc/ppp
ok "apply" mwan-rules apply
isp_start 1
isp_start 2
link_up 1 'lcp-restart 1'
ok "link 1 is up" wait_for 30 hooks_are_through 1
link_up 2 'lcp-restart 1'
ok "link 2 is up" wait_for 30 hooks_are_through 2

# The game's server, behind inet, where the player's own server stands.
ip netns add game
ip link add eth0 netns inet type veth peer name eth0 netns game
ip -n inet address add 198.51.100.1/30 dev eth0
ip -n inet link set eth0 up
ip -n game address add $game/30 dev eth0
ip -n game link set eth0 up
ip -n game link set lo up
ip -n game route add default via 198.51.100.1
daemon game_server "$lab/flows.log" ip netns exec game "$FLOWS" serve \
	"$game:$server_port"

server_key=$(wg genkey)
router_key=$(wg genkey)
mkdir -p "$T/server" /etc/wireguard
config server >"$T/server/wg0.conf"
config router >/etc/wireguard/wg0.conf
chmod 600 "$T/server/wg0.conf" /etc/wireguard/wg0.conf
ok "the page's server" ip netns exec inet wg-quick up "$T/server/wg0.conf"
ok "the page's router" wg-quick up wg0
ok "the tunnel works" wait_for 20 sh -c \
	'wg show wg0 latest-handshakes | grep -qv "[^0-9]0$"'

# Even hosts use link 1. One of them plays, another one has to do without.
flows_start
for proto in udp tcp; do
	flows open tunnel $proto 192.168.77.11 $game $server_port count=4 rate=20
	flows open plain $proto 192.168.77.12 $game $server_port count=4 rate=20
done
ok "both are answered" wait_for 20 flows_ready
is "the game sees the player's own server" "$(flows report |
	sed -n 's/.*group=tunnel .* last=\([0-9.]*\).*/\1/p' | sort -u)" \
	198.51.100.1
is "the other host uses link 1" "$(links_of plain udp all)" 1

# Neither the cut's moment nor the return's is chosen by what suits.
link_cut 1
ok "link 1 fails" wait_for 30 link_is_down 1
sleep 5
link_mend 1
ok "link 1 returns" wait_for 60 link_is_up 1
ok "with its hook" wait_for 30 hooks_are_through 3
sleep 3
flows_settle

for proto in udp tcp; do
	tunnel=$(story tunnel $proto)
	plain=$(story plain $proto)
	diag "$proto, through the tunnel: $tunnel"
	diag "$proto, without: $plain"
	is "$proto, through the tunnel: no reset, no other address" \
		"${tunnel% gap_ms*}" "flows=4 resets=0 changes=0 dead=0"
	# The keep-alive is a second away at most; TCP repeats by itself.
	ok "$proto, through the tunnel: silent for less than 2 s" \
		[ "$(field gap_ms "$tunnel")" -lt 2000 ]
done
is "UDP without: another address, each" \
	"$(($(field changes "$(story plain udp)") >= 4))" 1
is "TCP without: all of them dead" "$(field dead "$(story plain tcp)")" 4
ok "the router's files take down what they put up" wg-quick down wg0
is "no rule is left of it" "$(ip rule | grep -c '^89[89]:')" 0
undisturbed 1 0
done_testing
