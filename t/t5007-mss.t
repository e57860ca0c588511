#!/bin/bash
# Lines of different MTU: the segment size in what comes in by a link is what
# fits through that link, not through another; a new session with another MTU
# counts from its hook on.
#
# As in lib/lan.sh; the router's end of each link has the MTU. The servers know
# nothing of it, and offer segments of 1460 bytes.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

net5 3
# What arrives: the segment sizes of the SYN and of its answer.
for ns in lan inet; do
	ip netns exec $ns nft -f - <<-'END'
	table inet metre {
		set got { typeof tcp option maxseg size; flags dynamic; size 64; }
		chain input {
			type filter hook input priority -400
			tcp flags & syn == syn add @got { tcp option maxseg size }
		}
	}
	END
done

got() { # NAMESPACE
	ip netns exec "$1" nft -j list set inet metre got |
		jq -c '[.nftables[].set? | select(.) | .elem[]?]'
	ip netns exec "$1" nft flush set inet metre got
}

# sizes LINK-INDEX: of a connection by it, to and fro.
sizes() {
	ask -t tcp -s "10.9.$1.1" >"$T/ask"
	echo "$(tally "$T/ask") $(got inet) $(got lan)"
}

map() {
	nft -j list map inet mwan mss | jq -cS '[.nftables[].map? |
		select(.) | .elem[]?] | map({(.[0]): .[1]}) | add'
}

ip link set ppp1 mtu 1400
ip link set ppp2 mtu 1492
conf "" -- 1 1 1
for i in 0 1 2; do
	policy "p$i" "source = 10.9.$i.0/24" "use = ppp$i"
done
ok "apply" mwan-rules apply
is "the map knows all links" "$(map)" '{"ppp0":1460,"ppp1":1360,"ppp2":1452}'
is "MTU 1500" "$(sizes 0)" "ppp0=1 [1460] [1460]"
is "MTU 1400" "$(sizes 1)" "ppp1=1 [1360] [1360]"
is "MTU 1492" "$(sizes 2)" "ppp2=1 [1452] [1452]"

# From outside: the LAN's own offer goes out clamped, the client's comes in so.
forward() {
	nft -f - <<-END
	table ip forwards {
		chain forwards {
			type nat hook prerouting priority dstnat
			iifname "ppp1" tcp dport $port dnat to 10.9.7.7
		}
	}
	END
	inet "$deal" ask -t tcp -s 10.64.1.1 10.64.1.100 $port >"$T/ask"
	echo "$(got lan) $(got inet)"
}
is "a port forward" "$(forward)" "[1360] [1360]"

# --- it changes ---
is "nothing to do" "$(mwan-rules apply -n | grep -c .)" 0
ip link set ppp0 mtu 1300
like "another MTU shows in -n" "$(mwan-rules apply -n)" \
	'add element inet mwan mss .*"ppp0" : 1260'
mwan-rules apply -n >"$T/n"
like "status says it" "$(mwan-rules status)" "sets of the nftables table"
hook up ppp0 10.64.0.100
is "the hook has it" "$(map)" '{"ppp0":1260,"ppp1":1360,"ppp2":1452}'
is "and packets" "$(sizes 0)" "ppp0=1 [1260] [1260]"
hook up ppp0 10.64.0.100
like "once" "$(tail -n 1 /var/log/ifchang.log)" "changes=0"
ip link set ppp0 mtu 1500
hook up ppp0 10.64.0.100
before=$(map)
bash "$T/n"
is "the commands of -n do the same" "$(map)" \
	'{"ppp0":1260,"ppp1":1360,"ppp2":1452}'
hook up ppp0 10.64.0.100
is "back" "$(map)" "$before"

# --- a session ends and another begins ---
down 1
is "an ended one leaves its size" "$(map)" "$before"
links_come 1
ip link set ppp1 mtu 1280
hook up ppp1 10.64.1.100 10.64.1.1
is "a new one has its own" "$(map)" '{"ppp0":1460,"ppp1":1240,"ppp2":1452}'
is "for packets, too" "$(sizes 1)" "ppp1=1 [1240] [1240]"
sticky=$(nft list map inet mwan mss)
conf "sticky = 10m" -- 2 1 1
ok "another configuration" mwan-rules apply
is "keeps the map" "$(nft list map inet mwan mss)" "$sticky"
conf "clamp_mss = no" -- 1 1 1
ok "without clamp_mss" mwan-rules apply
is "there is no map" "$(nft list maps | grep -c mss)" 0
conf "" -- 1 1
ok "with, and a link less" mwan-rules apply
is "there is one of two links" "$(map)" '{"ppp0":1460,"ppp1":1240}'
nft flush map inet mwan mss
hook up ppp0 10.64.0.100
is "emptied by hand: filled again" "$(map)" '{"ppp0":1460,"ppp1":1240}'
nft add element inet mwan mss '{ "eth9" : 7 }'
hook up ppp0 10.64.0.100
is "with something of others: taken out" "$(map)" \
	'{"ppp0":1460,"ppp1":1240}'
done_testing
