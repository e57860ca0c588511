#!/bin/bash
# No flow stays untranslated: while the table is missing and something else uses
# conntrack, flows of the LAN leave with their private source, and conntrack never
# translates what it has once confirmed so. As in lib/lan.sh.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

links_wanted ppp0 ppp1
ini 'masquerade = yes' '[link ppp0]' '[link ppp1]'
net5 2
# A firewall, as every router has one: conntrack is in use without us.
nft -f - <<'END'
table inet fw {
	chain forward {
		type filter hook forward priority filter
		ct state invalid counter
	}
}
END
# Like a provider: counts what comes with a private source.
inet nft -f - <<'END'
table inet provider {
	chain private {
		type filter hook prerouting priority raw
		iifname "ppp*" ip saddr 10.8.0.0/15 counter
	}
}
END
private() {
	inet nft list table inet provider | grep -o 'packets [0-9]*' |
		cut -d' ' -f2
}

# tells REGEX SPORT: what is said of a packet of a host's, on one line.
tells() {
	local said
	said=$(mwan-rules why "$source" $inet udp "$2" $port)
	like "why: $1" "$(tr -s '\n ' ' ' <<<"$said")" "$1"
}

# stuck FILE: how many flows had no answer.
stuck() {
	awk '$3 == "-"' "$1" | wc -l
}

# Each host's datagrams from the same port: the same flow each time.
flows=200
again_all() {
	ask -t udp -s 10.9.0.1 -n $flows -p 4000
}
# What is sent while nothing translates: no answer is waited for.
leak() {
	ask -t udp -s 10.9.0.1 -n $flows -p 4000 -b >/dev/null
}

confirmed() {
	[ "$(conntrack -L -p udp 2>/dev/null | grep -c UNREPLIED)" -ge "$flows" ]
}

hook up ppp0 10.64.0.100 10.64.0.1
hook up ppp1 10.64.1.100 10.64.1.1

leak
wait_for 20 confirmed
ok "boot: flows leave untranslated before apply" \
	test "$(private)" -ge "$flows"
ok "apply" mwan-rules apply
again_all >"$T/boot"
is "boot: and all of them work after it" "$(stuck "$T/boot")" 0
is "nothing remembers them any more" "$(ip rule show pref 33100)" ""

conntrack -F 2>/dev/null
before=$(private)
nft delete table inet mwan
leak
ok "nft flush ruleset: flows leave untranslated" \
	test "$(private)" -ge $((before + flows))
ok "apply" mwan-rules apply
again_all >"$T/flushed"
is "nft flush ruleset: and all of them work after apply" \
	"$(stuck "$T/flushed")" 0

# A hook that finds the table missing does the same.
conntrack -F 2>/dev/null
nft delete table inet mwan
leak
ok "a hook" hook up ppp0 10.64.0.100 10.64.0.1
again_all >"$T/hook"
is "nft flush ruleset: and all of them work after a hook" \
	"$(stuck "$T/hook")" 0

# Under traffic all the while: not one packet leaves untranslated, and what
# began in between works at once.
conntrack -F 2>/dev/null
before=$(private)
(
	n=1
	until [ -e "$T/stop" ]; do
		ask -t udp -s 10.8.$((n % 200)).1 -n 40 -p 5000 -b
		n=$((n + 1))
	done
) >"$T/traffic" 2>&1 &
traffic=$!
for _ in {1..40}; do
	mwan-rules flush 2>/dev/null
	mwan-rules apply 2>/dev/null
done
touch "$T/stop"
wait $traffic
is "flush and apply under traffic: packets with a private source" \
	"$(($(private) - before))" 0
ask -t udp -s 10.8.1.1 -n 40 -p 5000 >"$T/traffic"
is "and no flow is stuck" "$(stuck "$T/traffic")" 0

# Masquerading that is switched on later.
conntrack -F 2>/dev/null
ini 'masquerade = no' '[link ppp0]' '[link ppp1]'
ok "masquerade = no" mwan-rules apply
leak
ini 'masquerade = yes' '[link ppp0]' '[link ppp1]'
ok "masquerade = yes" mwan-rules apply
again_all >"$T/yes"
is "and what had left untranslated works" "$(stuck "$T/yes")" 0

# What has an answer, or is translated, is left alone.
keep udp -t udp -s 10.9.0.1 -n 20 -p 6000
nft delete table inet mwan
ok "the table is missing under established flows" mwan-rules apply
again udp "$T/again"
is "they go on by their links" "$(wanderers <(cat "$T/udp" "$T/again"))" 0
is "with answers" "$(stuck "$T/again")" 0

# --- the guard ---

# provider WHAT COMMAND...: 0 packets with a private source came to it.
stopped() {
	mwan-rules status --json | jq .stopped_packets
}
not_private() {
	local what=$1 before since
	shift
	before=$(private)
	since=$(stopped)
	"$@" >/dev/null
	is "$what: packets with a private source" $(($(private) - before)) 0
	ok "$what: and status counts what was stopped" \
		test "$(stopped)" -gt "$since"
}

# The address goes and the interface stays: masquerade takes the LAN's.
conntrack -F 2>/dev/null
inet nft add rule inet provider private iifname '"ppp*"' \
	ip saddr 172.16.0.0/12 counter
private() {
	inet nft -j list table inet provider |
		jq '[.. | .counter? | select(.) | .packets] | add'
}
ip addr del 10.64.0.100 peer 10.64.0.1 dev ppp0
ip route replace default dev ppp0 table 201
not_private "the address is gone, and ip-down has not run" leak
hook down ppp0 10.64.0.100 10.64.0.1
again_all >"$T/gone"
is "after ip-down all of them work" "$(stuck "$T/gone")" 0
ip addr add 10.64.0.100 peer 10.64.0.1 dev ppp0
hook up ppp0 10.64.0.100 10.64.0.1

# The only other address is a public one: masquerade takes that, which is no
# better. The provider counts what has not line 1's address.
conntrack -F 2>/dev/null
inet nft add rule inet provider private iifname ppp0 \
	ip saddr != 10.64.0.100 counter
ip addr add 203.0.113.1/32 dev lo
ip addr del 10.64.0.100 peer 10.64.0.1 dev ppp0
ip route replace default dev ppp0 table 201
not_private "the address is gone, and there is a public one" leak
source=10.9.0.2
tells 'goes nowhere: it is dropped where it would leave by ppp0' 4000
tells 'ppp0 has no address that masquerade could give it' 4000
source=10.9.0.1
tells 'leaves by ppp1\..* leaves under the address 10\.64\.1\.100, unless' 4999
ip addr add 10.64.0.100 peer 10.64.0.1 dev ppp0
hook up ppp0 10.64.0.100 10.64.0.1
again_all >"$T/public"
is "with its address all of them work" "$(stuck "$T/public")" 0
is "and conntrack has a link's mark for each of them" \
	"$(conntrack -L -p udp --orig-src 10.9.0.0/16 2>/dev/null |
		grep -c 'mark=[12] ')" "$flows"

# The user's own SNAT to that public address is none of it, whichever of the
# two was there first.
inet ip route add 203.0.113.1 dev ppp0
inet ip route append 203.0.113.1 dev ppp1 metric 5
for when in before after; do
	conntrack -F 2>/dev/null
	[ $when = before ] || mwan-rules flush
	nft 'add table ip user; add chain ip user nat {
		type nat hook postrouting priority srcnat - 1; }'
	nft add rule ip user nat ip saddr 10.9.7.0/24 snat to 203.0.113.1
	mwan-rules apply
	before=$(stopped)
	ask -t udp -s 10.9.7.1 -n 20 -p 8000 >"$T/user"
	# The half that leaves by ppp0 has answers.
	is "the user's own SNAT to it passes ($when)" \
		"$(grep -c ' 203.0.113.1$' "$T/user")" 10
	is "and nothing was stopped" "$(stopped)" "$before"
	nft delete table ip user
done
ip addr del 203.0.113.1/32 dev lo

# The device of a VPN goes: what it carried was never translated.
conntrack -F 2>/dev/null
net_vpn 198.51.100.1/32
leak
wait_for 20 confirmed
ip link del vpn0
not_private "the VPN's device is gone" leak
tells 'Its connection has the address 10\.9\.0\.1, which is none of ppp1, .* dropped' 4000

# What is untracked cannot be translated.
conntrack -F 2>/dev/null
nft 'add chain inet fw raw { type filter hook prerouting priority raw; }'
nft add rule inet fw raw ip saddr 10.9.0.0/16 notrack
# Only marks lead out here.
ip route add default dev ppp1 table 300
ip rule add pref 900 from 10.9.0.0/16 lookup 300
not_private "untracked packets" leak
nft delete chain inet fw raw

# Neither can what conntrack calls invalid: here an ACK of no connection.
bare_acks() { # COUNT
	# shellcheck disable=SC2016 # for perl
	lan perl -MSocket -e '
		sub sum {
			my $s = unpack "%32n*", $_[0];
			$s = ($s >> 16) + ($s & 0xffff) while $s >> 16;
			return ~$s & 0xffff;
		}
		my ($count, $dst) = ($ARGV[0], inet_aton $ARGV[1]);
		my $to = pack_sockaddr_in 0, $dst;
		socket S, AF_INET, SOCK_RAW, 255 or die "socket: $!";
		for my $i (1 .. $count) {
			my $src = inet_aton "10.9.11.$i";
			my @tcp = (5000, 7, 1, 1, 0x50, 0x10, 512);
			my $tcp = pack "nnNNCCnx4", @tcp;
			my $sum = sum $src . $dst . pack("nn", 6, 20) . $tcp;
			send S, pack("CCnnnCCna4a4", 0x45, 0, 40, $i, 0, 64, 6,
				0, $src, $dst) . pack("nnNNCCnnx2", @tcp,
				$sum), 0, $to or die "send: $!";
		}' "$1" "$inet"
}
sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0
before=$(stopped)
not_private "200 ACKs of no connection" bare_acks 200
is "each of them is counted" $(($(stopped) - before)) 200
sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1
ip rule del pref 900
conntrack -F 2>/dev/null

# What the user's own rules translate to a network that is routed here passes.
nft 'add table ip user; add chain ip user nat {
	type nat hook postrouting priority 99; }'
nft add rule ip user nat ip saddr 10.9.7.1 snat to 10.77.0.1
inet ip route add 10.77.0.1 dev ppp0
inet ip route append 10.77.0.1 dev ppp1 metric 5
before=$(stopped)
ask -t udp -s 10.9.7.1 -n 1 -p 8000 -b >/dev/null
is "the user's own SNAT passes" "$(stopped)" "$before"
nft delete table ip user

# Somebody deletes the rule.
nft delete rule inet mwan guard handle "$(nft -a list chain inet mwan guard |
	sed -n 's/.*drop # handle //p')"
ok "the guard's rule is deleted: apply" mwan-rules apply
like "and it is there again" "$(nft list chain inet mwan guard)" 'drop'
not_private "so it works" eval 'nft delete chain inet mwan srcnat; leak'
ok "apply" mwan-rules apply

# What conntrackd has brought from another router waits for the link of its address.
brought() { # HOST
	conntrack -I -p udp -s "$1" -d "$inet" --sport 4000 --dport "$port" \
		-r "$inet" -q "$1" --reply-port-src "$port" \
		--reply-port-dst 4000 \
		-n 10.64.1.100 -t 600 -m 2
}
down 1
ok "a connection of another router's" brought 10.9.12.1
ask -t udp -s 10.9.12.1 -n 1 -p 4000 -b >/dev/null
is "its link is not up yet: it has its mark" "$(conntrack -L -s 10.9.12.1 \
	2>/dev/null | grep -o 'mark=.')" mark=2
up 1
by "and goes on by its link" ppp1=1 -t udp -s 10.9.12.1 -n 1 -p 4000

# A link with a private address of its own is none of that.
ask -t udp -s 10.9.0.1 -n 20 -p 7000 >"$T/own"
is "the links' own addresses are private here, and pass" \
	"$(stuck "$T/own")" 0
like "for people" "$(mwan-rules status)" \
	'[1-9][0-9]* packets were kept from leaving by a link'
like "for programs" "$(mwan-rules status --prometheus)" \
	$'\nmwan_stopped_packets_total [1-9]'
done_testing
