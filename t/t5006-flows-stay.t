#!/bin/bash
# Established connections stay where they are while their link lives, whatever
# happens around them; losing a link moves its own hosts only; tiers, drain,
# failback; what comes in by a link is answered by it; the router's own.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

# stay DESCRIPTION [LINK]: every kept connection, but those of LINK, is as it
# was. A connection that loses a packet does not count as moved but fails too.
stay() {
	local p
	: >"$T/moved"
	for p in udp tcp; do
		again $p "$T/now"
		if [ $# = 2 ]; then
			without "$2" "$T/$p"
		else
			cat "$T/$p"
		fi | grep -vFxf "$T/now" >>"$T/moved"
	done
	is "$1: 0 moved" "$(cat "$T/moved")" ""
}

apply() { # LINE... -- WEIGHT...
	conf "$@"
	mwan-rules apply
}

# A kept connection whose link has died or been taken away has its new link
# with the second packet: masquerade drops the first.
new_links() { # NAME FILE
	again "$1" "$T/lost"
	again "$1" "$2"
}

net5 4
rr="balance = round-robin"
apply "$rr" -- 2 1 1
keep udp -s 10.9.0.0 -n 10 -c 4 -p 3000
keep tcp -t tcp -s 10.9.0.0 -n 10 -c 2 -p 3000
is "dealt to three links" "$(tally "$T/udp")" "ppp0=20 ppp1=10 ppp2=10"

# --- nothing moves ---
apply "$rr" -- 1 5 9
stay "weights change"
apply "$rr" "clamp_mss = no" "sticky = 10m" -- 1 5 9
stay "stickiness begins"
apply "balance = source" -- 1 1 1
stay "another method"
conf "$rr" -- 2 1 1
sed -i 's/^\[link ppp0\]/[link ppp3]\ntable = 1004\n&/' /etc/ppp/mwan.ini
mwan-rules apply
stay "a link is added before the others"
ask -s 10.9.1.0 -n 5 >"$T/new"
is "which is used" "$(tally "$T/new")" "ppp0=2 ppp1=1 ppp2=1 ppp3=1"
apply "$rr" -- 2 1 1
stay "and removed"
# A late acknowledgement that passes while there is no table is nobody's to save.
sleep 0.3
for delay in 0.001 0.002 0.003 0.005 0.008 0.013; do
	nft flush ruleset
	timeout -s KILL $delay env -i "$BIN/ip-up.local" \
		ppp1 eth9 0 10.64.1.100 10.64.1.1
	timeout -s KILL $delay mwan-rules apply
done 2>/dev/null
mwan-rules apply
stay "hooks and applies are killed"
hook up ppp0 10.64.0.100 10.64.0.1
hook down ppp1 10.64.1.99 10.64.1.1
stay "hooks without need"
cut_off 2
stay "a link is cut" ppp2
hook down ppp2 10.64.2.100 10.64.2.1
stay "its hook has run" ppp2
up 2
stay "it is back" ppp2
new_links udp "$T/udp"
again tcp "$T/tcp"
down 1
stay "another goes, with its hook" ppp1
up 1
stay "and comes" ppp1

# --- losing one of four moves its own hosts, by weight ---
apply "balance = source" -- 3 2 1 4
forget
ask -s 10.9.16.0 -n 2500 >"$T/before"
with ppp3 "$T/before" >"$T/hit"
cut_off 3
forget
ask -s 10.9.16.0 -n 2500 >"$T/after"
is "losing a link: 0 of the others' hosts move" \
	"$(without ppp3 "$T/before" | grep -vcFxf "$T/after")" 0
of_hosts "$T/hit" "$T/after" >"$T/spread"
ok "its own are spread by weight" fair "$T/spread" 3 2 1
diag "$(wc -l <"$T/hit") hosts to: $(tally "$T/spread")"
up 3
forget
ask -s 10.9.16.0 -n 2500 >"$T/after"
ok "and return to it with their next connections" cmp "$T/before" "$T/after"

# --- tiers ---
down 3
apply "$rr" -- 1 1 "1 tier=2"
forget
tier() { # DESCRIPTION TALLY
	sources=$((sources + 1))
	ask -s "10.9.40.$sources" -c 60 >"$T/tier"
	is "$1" "$(tally "$T/tier" | sed 's/=[0-9]*//g')" "$2"
}
sources=0
tier "the best tier is used alone" "ppp0 ppp1"
cut_off 0
tier "while it has a link" ppp1
hook down ppp0 10.64.0.100 10.64.0.1
tier "after the hook, too" ppp1
cut_off 1
tier "then the next tier" ppp2
hook down ppp1 10.64.1.100 10.64.1.1
tier "after the hook, too" ppp2
keep backup -s 10.9.41.0 -n 5 -c 2 -p 4000
up 0
tier "the better tier is back and is used" ppp0
again backup "$T/now"
ok "failback = stay: what the backup has stays" cmp "$T/backup" "$T/now"
up 1
down 0 1
apply "$rr" "failback = move" -- 1 1 "1 tier=2"
keep move -s 10.9.42.0 -n 5 -c 2 -p 4000
is "all on the backup again" "$(tally "$T/move")" ppp2=10
up 0
again move "$T/now"
again move "$T/now"
is "failback = move: they go" "$(tally "$T/now")" ppp0=10
keep better -s 10.9.43.0 -n 5 -c 2 -p 4000
keep tbetter -t tcp -s 10.9.43.0 -n 5 -p 4000
up 1
again better "$T/now"
again tbetter "$T/tnow"
ok "another link of the better tier: nothing moves" \
	cmp "$T/better" "$T/now"
ok "nor is reset" cmp "$T/tbetter" "$T/tnow"

# --- drain ---
apply "$rr" -- 1 1 1
forget
stream 10.9.50.1
drained=ppp$(stream_link 10.9.50.1)
keep old -s 10.9.51.0 -n 6 -p 4000
avoid() { # DESCRIPTION
	sources=$((sources + 1))
	ask -s "10.9.52.$sources" -c 30 >"$T/avoid"
	is "$1" "$(grep -c ' 10\.64' "$T/avoid") $(with "$drained" \
		"$T/avoid" | wc -l)" "30 0"
}
ok "drain" mwan-rules drain "$drained"
avoid "drained: new connections go elsewhere"
again old "$T/now"
ok "established ones go on" cmp "$T/old" "$T/now"
hook up "$drained" "$(local_of "${drained#ppp}")" "10.64.${drained#ppp}.1"
avoid "through a hook"
apply "$rr" "clamp_mss = no" -- 2 1 1
avoid "through a reload"
is "500 packets a second on the drained link: 0 lost" "$(streamed)" \
	"lost=0 errors=0 changes=0"
down "${drained#ppp}"
up "${drained#ppp}"
avoid "through a redial"
ok "undrain" mwan-rules undrain "$drained"
ask -s 10.9.53.1 -c 40 >"$T/now"
ok "it is used again" test "$(with "$drained" "$T/now" | wc -l)" -ge 10

# --- from outside, by each link; inet drops what comes by another one ---
daemon router "$deal" serve 90
nft -f - <<-'END'
table ip user {
	chain prerouting {
		type nat hook prerouting priority dstnat
		iifname "ppp*" meta l4proto { tcp, udp } th dport 8080 \
			dnat to 10.9.0.9:7
	}
}
END
for i in 0 1 2; do
	for proto in udp tcp; do
		inet "$deal" ask -t $proto -s 198.51.100.2 -c 20 -p 5000 \
			"10.64.$i.100" 8080 >"$T/in"
		is "ppp$i, $proto: DNAT is answered by it" "$(tally "$T/in")" \
			"198.51.100.2=20"
		inet "$deal" ask -t $proto -s 198.51.100.2 -c 20 -p 5000 \
			"10.64.$i.100" 90 >"$T/in"
		is "ppp$i, $proto: the router answers by it" \
			"$(tally "$T/in")" "198.51.100.2=20"
	done
done

# --- the router's own ---
own() { # DESCRIPTION TALLY OPTION...
	local desc=$1 want=$2
	shift 2
	"$deal" ask -p $((own_port += 10)) "$@" $inet $port >"$T/own"
	is "$desc" "$(tally "$T/own")" "$want"
}
own_port=6000
for i in 0 1 2; do
	own "the router, bound to ppp$i's address" ppp$i=3 \
		-s "10.64.$i.100" -c 3
	own "the router, with ppp$i's mark" ppp$i=3 -m $((i + 1)) -c 3
done
"$deal" ask -p 6500 -c 3 $inet $port >"$T/own"
is "the router, unbound, uses one link" "$(cut -d " " -f 3 "$T/own" |
	sort -u | grep -c "^10\.64\.")" 1
primary=$(cut -d . -f 6 "$T/own" | head -n 1)
mkfifo "$T/tunnel"
"$deal" ask -k -p 6600 $inet $port <"$T/tunnel" >"$T/tunnel.out" &
exec {tunnel}>"$T/tunnel"
tunnel_says() { # LINES
	[ "$(wc -l <"$T/tunnel.out")" = "$1" ]
}
wait_for 20 tunnel_says 2
others=()
for i in 0 1 2; do
	[ "$i" = "$primary" ] || others+=("$i")
done
down "${others[0]}"
up "${others[0]}"
echo >&"$tunnel"
wait_for 20 tunnel_says 4
is "its tunnel stays when others come and go" \
	"$(grep -c " 10.64.$primary.100$" "$T/tunnel.out")" 2
# By 51820 wg-quick knows WireGuard's own packets; some of its bits are ours.
nft -f - <<END
table inet watch {
	chain out {
		type filter hook postrouting priority 0
		tcp dport $port meta mark 51820 counter
		tcp dport $port meta mark != 51820 counter
	}
}
END
"$deal" ask -t tcp -p 6800 -m 51820 -c 3 $inet $port >"$T/own"
is "a mark that is no link's: it has a link" \
	"$(grep -c " 10\.64\." "$T/own")" 3
like "and keeps all of its bits in every packet" "$(nft -j list chain inet \
	watch out | jq -c '[.. | .counter? // empty | .packets]')" \
	'^\[([1-9][0-9]|9),0\]$'
nft delete table inet watch
cut_off "$primary"
"$deal" ask -p 6700 -c 3 $inet $port >"$T/own"
is "the primary is cut: what is unbound goes on by another" \
	"$(without "ppp$primary" "$T/own" | grep -c " 10\.64\.")" 3
done_testing
