#!/bin/bash
# sticky: a host keeps its link for all its connections, on two processors too,
# until it has been idle; it follows its link's death as one. Round-robin deals,
# which by itself would give every connection another link.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

# left HOST HOST: how long they have left in the map, in seconds, one "-" the
# other: what both have lost since, by a slow machine, is not in it.
left() {
	nft -j list map inet mwan sticky | jq --arg a "$1" --arg b "$2" '
		[.. | objects | select(.val? == ($a, $b)) |
			{ (.val): .expires }] | add | .[$a] - .[$b]'
}

# Of all of them.
older_than() { # SECONDS
	nft -j list map inet mwan sticky | jq -e --argjson s "$1" '
		[.. | objects | .expires? // empty] |
			length > 0 and all(. < $s)'
}

empty() {
	! nft list map inet mwan sticky | grep -q expires
}

# settled FILE: every connection has an answer, and every host one link.
settled() {
	[ -s "$1" ] || return
	! grep -vE ' 10\.64\.[0-9]+\.100$' "$1" || return
	[ "$(wanderers "$1")" = 0 ]
}

net5 3
rr="balance = round-robin"
conf "$rr" "sticky = 10m" -- 1 1 1
mwan-rules apply

# --- a host has one link ---
ask -s 10.9.0.0 -n 21 -c 20 >"$T/many"
is "21 hosts are dealt to three links in turn" "$(tally "$T/many")" \
	"ppp0=140 ppp1=140 ppp2=140"
ask -t tcp -s 10.9.0.0 -n 21 -c 2 >>"$T/many"
ask -t icmp -s 10.9.0.0 -n 21 -c 2 >>"$T/many"
ok "each has one link, with UDP, TCP and ICMP" settled "$T/many"
ok "time passes" wait_for 20 older_than 598
ask -s 10.9.0.0 -p 9000 >"$T/one"
ok "a new connection begins its host's time anew" \
	test "$(left 10.9.0.0 10.9.0.1)" -ge 2

changes=0
for i in {1..20}; do
	clamp=yes
	[ $((i % 2)) = 0 ] || clamp=no
	conf "$rr" "sticky = 10m" "clamp_mss = $clamp" -- 1 1 1
	mwan-rules apply
	tail -n 1 /var/log/ifchang.log | grep -q result=ok &&
		changes=$((changes + 1))
	[ $((i % 10)) != 0 ] || ask -s 10.9.0.0 -n 21 -p $((9000 + i)) >>"$T/many"
done
is "20 reloads, and each has changed something" $changes 20
ok "each host has the link that it had" settled "$T/many"

# --- a connection that somebody else has put on a link ---
nft -f - <<-'END'
table ip user {
	chain prerouting {
		type filter hook prerouting priority mangle
		udp dport 80 meta mark set 3
	}
}
END
port=80 ask -s 10.9.0.0 -n 21 >"$T/marked"
is "the user's mark puts all on one link" "$(tally "$T/marked")" ppp2=21
ask -s 10.9.0.0 -n 21 -p 10000 >>"$T/many"
ok "and the hosts still have theirs" settled "$T/many"
nft delete table ip user

# --- the link dies: the host follows with all it has ---
keep udp -s 10.9.0.0 -n 21 -c 4 -p 11000
keep tcp -t tcp -s 10.9.0.0 -n 21 -c 2 -p 11000
cut_off 0
# Masquerade kills an entry whose link has changed, at the price of a packet.
again udp "$T/lost"
again udp "$T/after"
ask -s 10.9.0.0 -n 21 -c 4 -p 12000 >"$T/new"
is "0 connections of other links have moved" \
	"$(without ppp0 "$T/udp" |
		grep -vcFxf "$T/after")" 0
again tcp "$T/after.tcp"
is "and 0 are reset" "$(without ppp0 "$T/tcp" |
	grep -vcFxf "$T/after.tcp")" 0
with ppp0 "$T/udp" >"$T/hit"
ok "seven hosts are hit" test "$(wc -l <"$T/hit")" = 28
of_hosts "$T/hit" "$T/after" >"$T/moved"
of_hosts "$T/hit" "$T/new" >>"$T/moved"
ok "each has all its connections on one link, old and new" \
	settled "$T/moved"
is "none on the dead one" "$(with ppp0 "$T/moved")" ""
hook down ppp0 10.64.0.100 10.64.0.1
ask -s 10.9.1.0 -n 30 -c 4 >"$T/outage"
ok "a host that comes during the outage has one link too" \
	settled "$T/outage"
up 0
ask -s 10.9.0.0 -n 21 -c 4 -p 13000 >"$T/back"
of_hosts "$T/hit" "$T/back" >>"$T/moved"
ok "when the link is back they stay where they are" settled "$T/moved"
cat "$T/outage" >"$T/out"
ask -s 10.9.1.0 -n 30 -p 13000 >>"$T/out"
ok "so do those that came meanwhile" settled "$T/out"

# --- two processors ---
forget
ask -2 -s 10.9.2.0 -n 400 -c 2 >"$T/claims"
is "400 hosts begin on both processors at once" "$(wc -l <"$T/claims")" 1600
ok "each has one link" settled "$T/claims"
# Datagrams of one host, counted and dropped at the far ends.
crowd() { # COUNT: twice as many, "ppp1=COUNT" by one link
	inet nft -f - <<-'END'
	table ip sink
	delete table ip sink
	table ip sink {
		chain prerouting {
			type filter hook prerouting priority -300
			udp dport 9 iifname "ppp0" counter drop
			udp dport 9 iifname "ppp1" counter drop
			udp dport 9 iifname "ppp2" counter drop
		}
	}
	END
	port=9 ask -b -2 -s 10.9.4.0 -c "$1" -p "$2" >/dev/null
	inet nft -j list chain ip sink prerouting | jq -r '
		[.nftables[].rule?.expr | select(.) |
			[(.[] | .match?.right | strings), (.[] |
			.counter?.packets // empty)]
			| select(.[1] > 0) | "\(.[0])=\(.[1])"] | join(" ")'
}
out=$(crowd 25000 1024)
like "50,000 connections of one host are all by one link" "$out" \
	'^ppp[012]=50000$'
link=${out%=*}
cut_off "${link#ppp}"
forget
out=$(crowd 1000 1024)
like "2,000 when it is dead are all by another" "$out" '^ppp[012]=2000$'
not_ok "which lives" test "${out%=*}" = "$link"
up "${link#ppp}"

# --- a full map ---
forget
size=$(nft -j list map inet mwan sticky | jq '.nftables[].map.size // empty')
# shellcheck disable=SC2016	# perl's variables
fill() {
	nft flush map inet mwan sticky
	ask -s 10.9.5.0 -n 3 >"$T/inside"
	perl -e 'print "add element inet mwan sticky { ";
		printf "10.200.%d.%d : 0:1, ", $_ / 256, $_ % 256
			for 0 .. $ARGV[0] - 4;
		print "}\n"' "$size" | nft -f -
}
ok "$size hosts fill the map" fill
not_ok "it is full" \
	nft add element inet mwan sticky '{ 10.201.0.0 : 0:1 }'
ask -s 10.9.6.0 -n 30 -c 4 >"$T/outside"
is "30 more hosts: every connection has a link, in turn" \
	"$(tally "$T/outside")" "ppp0=40 ppp1=40 ppp2=40"
ask -s 10.9.5.0 -n 3 -c 10 >>"$T/inside"
ok "those in the map keep theirs" settled "$T/inside"

# --- idle ---
forget
conf "$rr" "sticky = 2s" -- 1 1 1
mwan-rules apply
ask -s 10.9.0.0 -n 6 >"$T/first"
ok "after the time the map is empty" wait_for 20 empty
forget
ask -s 10.9.7.0 >/dev/null
ask -s 10.9.0.0 -n 6 >"$T/second"
is "and every host is dealt anew" "$(comm -12 <(sort "$T/first") \
	<(sort "$T/second") | wc -l)" 0

conf "$rr" "sticky = 0" -- 1 1 1
mwan-rules apply
not_ok "without sticky there is no map" nft list map inet mwan sticky
ask -s 10.9.0.0 -c 30 -p 2000 >"$T/free"
is "and one host has all links" "$(tally "$T/free")" \
	"ppp0=10 ppp1=10 ppp2=10"
done_testing
