#!/bin/bash
# Beside the user's own rules: other bits of mark and ct mark are his, a mark
# of his under the mask is a link, and his tables, firewalls among them, are as
# they were and work, whatever we do.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"
# shellcheck source=lib/firewalld.sh
. "$root/t/lib/firewalld.sh"

ipt() {
	iptables-nft -w -t mangle "$@"
}

# Every rule and handle that is not ours; packet counts aside.
users() {
	nft -sa list ruleset 2>/dev/null |
		awk '/^table/ { ours = /^table inet mwan / } !ours'
}

clean() {
	local t
	for t in $(nft list tables | awk '!/inet mwan/ { print $2 "/" $3 }'); do
		nft delete table "${t%/*}" "${t#*/}"
	done
	forget
}

net5 3
conf "balance = round-robin" "sticky = 10m" -- 1 1 1
mwan-rules apply

# --- bits that are not ours ---
# iptables keeps 0x1200 of its own by save and restore; nft sets bits before
# and after us. "seen" counts what leaves with all of them, and without.
ipt -A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff00 --ctmask 0xff00
ipt -A PREROUTING -i lan0 -m mark --mark 0/0xff00 \
	-m conntrack --ctstate NEW -j MARK --set-mark 0x1200/0xff00
ipt -A PREROUTING -j CONNMARK --save-mark --nfmask 0xff00 --ctmask 0xff00
nft -f - <<-'END'
table inet user {
	chain early {
		type filter hook prerouting priority -170
		iifname "lan0" meta mark set meta mark | 0x10000000
		iifname "lan0" ct state new ct mark set ct mark | 0x20000000
	}
	chain late {
		type filter hook prerouting priority -140
		iifname "lan0" meta mark set meta mark | 0x400000
		iifname "lan0" ct mark set ct mark | 0x800000
	}
	chain seen {
		type filter hook postrouting priority 300
		oifname "ppp*" meta mark & 0xffffff00 != 0x10401200 counter
		oifname "ppp*" ct mark & 0xffffff00 != 0x20801200 counter
		oifname "ppp*" meta mark & 0xff == 0 counter
		oifname "ppp*" counter
	}
}
END
seen() {
	nft -j list chain inet user seen |
		jq -c '[.nftables[].rule?.expr[]?.counter?.packets // empty]'
}
keep udp -s 10.9.0.0 -n 30 -c 2
again udp "$T/udp2"
ok "every connection keeps its link" cmp "$T/udp" "$T/udp2"
is "other bits of mark and ct mark survive in every packet" "$(seen)" \
	'[0,0,0,120]'
conf "balance = round-robin" "sticky = 10m" "clamp_mss = no" -- 1 1 1
mwan-rules apply
again udp "$T/udp2"
ok "also over a reload" cmp "$T/udp" "$T/udp2"
is "so do the bits" "$(seen)" '[0,0,0,180]'
clean

# --- the user chooses a link: ports and ToS ---
# chosen NAME HOSTS PORT: by the rules that have just been loaded. HOSTS are new
# to us, PORT is where connections begin that last.
chosen() {
	port=80 by "$1: a port, TCP" ppp1=6 -t tcp -s 10.9.1.0 -n 6
	port=80 by "$1: a port, UDP" ppp1=6 -s 10.9.1.0 -n 6
	by "$1: ToS" ppp2=6 -s 10.9.2.0 -n 6 -q 0x10
	by "$1: ToS of ICMP" ppp2=6 -t icmp -s 10.9.2.0 -n 6 -q 0x10
	by "$1: the rest is balanced" "ppp0=2 ppp1=2 ppp2=2" -s "$2" -n 6
	port=80 keep "$1" -s 10.9.4.0 -n 6 -p "$3"
	is "$1: a connection begins" "$(tally "$T/$1")" ppp1=6
}
pinned() {
	again "$1" "$T/$1.2"
	ok "$1: it is tied to its link without the rule, too" \
		cmp "$T/$1" "$T/$1.2"
}
ipt -A PREROUTING -p tcp --dport 80 -j MARK --set-mark 2/0xff
ipt -A PREROUTING -p udp --dport 80 -j MARK --set-mark 2/0xff
ipt -A PREROUTING -m tos --tos 0x10 -j MARK --set-mark 3/0xff
chosen iptables 10.9.3.0 3000
ipt -R PREROUTING 2 -p udp --dport 80 -j MARK --set-mark 1/0xff
again iptables "$T/iptables.1"
ok "iptables: another mark does not move what is established" \
	cmp "$T/iptables" "$T/iptables.1"
ipt -F PREROUTING
pinned iptables
clean
nft -f - <<-'END'
table ip user {
	chain prerouting {
		type filter hook prerouting priority mangle
		meta l4proto { tcp, udp } th dport 80 meta mark set 2
		ip dscp 0x04 meta mark set 3
	}
}
END
chosen nft 10.9.5.0 4000
nft flush chain ip user prerouting
pinned nft
clean

# --- firewalls ---
# Each lets the LAN use the links and nothing else. The office has no rule.
iptables_firewall() {
	iptables-nft -P FORWARD DROP
	iptables-nft -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED \
		-j ACCEPT
	iptables-nft -A FORWARD -i lan0 -o ppp+ -j ACCEPT
	iptables-nft -t nat -A POSTROUTING -o ppp+ -j MASQUERADE
}

nft_firewall() {
	nft -f - <<-'END'
	table inet filter {
		chain input {
			type filter hook input priority filter; policy drop;
			ct state vmap { established : accept, related : accept }
			iifname { "lo", "lan0" } accept
		}
		chain forward {
			type filter hook forward priority filter; policy drop;
			ct state { established, related } accept
			iifname "lan0" oifname "ppp*" accept
		}
	}
	END
}

# What firewalld 1.3 loads, as far as this network goes: its priorities are
# all 10 behind the usual ones, and its zones' chains hang on interfaces.
firewalld_tables() {
	nft -f - <<-'END'
	table inet firewalld {
		chain mangle_PREROUTING {
			type filter hook prerouting priority mangle + 10
			iifname "lan0" goto mangle_PRE_internal
		}
		chain mangle_PRE_internal {
		}
		chain nat_POSTROUTING {
			type nat hook postrouting priority srcnat + 10
			iifname "lan0" oifname "ppp*" masquerade
		}
		chain filter_FORWARD {
			type filter hook forward priority filter + 10
			ct state { established, related } accept
			ct status dnat accept
			iifname "lo" accept
			ct state invalid drop
			iifname "lan0" oifname "ppp*" accept
			reject with icmpx admin-prohibited
		}
	}
	END
}

# Our own table, without what packets change in it.
ours() {
	nft -sa list table inet mwan | sed '/elements = {/,/}/d'
}

works() { # NAME
	local proto
	for proto in udp tcp icmp; do
		ask -t $proto -s 10.9.10.0 -n 9 >"$T/works"
		is "$1: every connection has its answer, $proto" \
			"$(grep -c ' 10\.64\.[012]\.100$' "$T/works")" 9
	done
	inet "$deal" ask -s $inet 10.9.0.9 $port >"$T/works"
	like "$1: it still keeps strangers out" "$(cat "$T/works")" \
		'^198\.51\.100\.1 1024 (-|E[A-Z]+)$'
}
ip -n inet route add 10.9.0.0/16 dev ppp0
for firewall in iptables_firewall nft_firewall firewalld_tables; do
	mwan-rules flush
	clean
	$firewall
	before=$(users)
	mwan-rules apply
	is "$firewall: untouched by apply" "$(users)" "$before"
	works $firewall
	conf "balance = round-robin" "sticky = 10m" -- 1 2 1
	mwan-rules apply
	is "$firewall: untouched by a reload" "$(users)" "$before"
	down 1
	up 1
	is "$firewall: untouched by hooks" "$(users)" "$before"
	mwan-rules flush
	is "$firewall: untouched by flush" "$(users)" "$before"
	[ $firewall != iptables_firewall ] || iptables-nft -P FORWARD ACCEPT
	mwan-rules apply
	conf "balance = round-robin" "sticky = 10m" -- 1 1 1
done

# --- firewalld loads all of its own anew ---
mwan-rules flush
clean
firewalld trusted lan0 external ppp0 external ppp1 external ppp2
before=$(users)
mwan-rules apply
is "firewalld: untouched by apply" "$(users)" "$before"
works firewalld
before=$(ours)
keep firewalld -s 10.9.11.0 -n 6 -p 6000
again firewalld "$T/firewalld.1"
ok "firewalld: reloads" firewall_cmd --reload
is "firewalld: its reload leaves ours alone" "$(ours)" "$before"
again firewalld "$T/firewalld.2"
ok "firewalld: its reload moves nothing" cmp "$T/firewalld.1" "$T/firewalld.2"
works "firewalld, reloaded"
before=$(users)
conf "balance = round-robin" "sticky = 10m" -- 1 2 1
mwan-rules apply
is "firewalld: untouched by a reload" "$(users)" "$before"
down 1
up 1
is "firewalld: untouched by hooks" "$(users)" "$before"
mwan-rules flush
is "firewalld: untouched by flush" "$(users)" "$before"
firewalld_end
done_testing
