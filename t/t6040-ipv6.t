#!/bin/bash
# Both families in the kernel: which links IPv6 can use, what is prepared for
# them and in which order, what is remembered of prefixes and of the LAN, and that
# nothing of IPv6 is touched where nothing is known of it.
#
# Interfaces are veths with pppd's addresses; t8011 has real ones.
. "$(dirname "$0")/lib/lib.sh"

log=/var/log/ifchang.log
A=2001:db8:a00 B=2001:db8:b00 C=2001:db8:c00

# link6_new K: pppK as IPCP and IPV6CP leave it behind.
link6_new() {
	ip link add "ppp$1" type veth peer name "xppp$1"
	for i in "ppp$1" "xppp$1"; do
		ip link set "$i" address "02:00:00:00:00:0$1" arp off \
			addrgenmode none mtu 1492 up
	done
	ip addr add "10.64.$1.100" peer "10.64.$1.1" dev "ppp$1"
	ll_add "$1"
}

ll_add() {
	ip -6 addr add "fe80::a$1" peer "fe80::b$1/128" dev "ppp$1" nodad
}

# hook6 up|down K: as pppd calls it, with addresses as it writes them.
hook6() {
	"$BIN/ip-$1.local" "ppp$2" eth9 0 "fe80::0000:0000:0000:00a$2" \
		"fe80::0000:0000:0000:00b$2"
}

# shellcheck disable=SC2317 # ok calls them
rules6() { ip -6 rule | grep 'proto 119' | sed 's/ proto 119//' | tr -s '\t ' ' '; }
table6() { ip -6 route show table "$1" 2>/dev/null | sed 's/ *pref medium *//'; }
# The kernel makes the routes of an address some time later: those do not count.
all6() {
	ip -6 rule
	ip -6 route show table all | grep -v 'multicast\|proto kernel' | sort
	ip -6 nexthop
	ip -6 addr show scope global | grep inet6
}
last() { tail -n 1 "$log"; }

sysctl -qw net.ipv6.conf.all.forwarding=1
ip link add lan0 type veth peer name h0
ip link set h0 up
ip link set lan0 up
wait_for 9 wires_settled
conf() { # [LINE in [mwan]] [PREFIX of ppp0] [of ppp1]
	printf '[mwan]\nqdisc = none\n%s\n' "${1-ipv6 = yes}"
	for k in 0 1; do
		printf '[link ppp%s]\ntable = 20%s\n' $k $((k + 1))
		shift
		[ -z "${1-}" ] || printf 'prefix6 = %s\n' "$1"
	done
}

# --- nothing is known: nothing changes ---
link6_new 0
link6_new 1
ip -6 addr add $C::1/64 dev lan0 nodad
before=$(all6)
conf >/etc/ppp/mwan.ini
ok "apply" mwan-rules apply
is "a line without a prefix: nothing of IPv6 is changed" "$(all6)" "$before"
ok "ipv6-up" hook6 up 0
like "is logged" "$(last)" \
	'event=ipv6-up if=ppp0 local=fe80::a0 peer=fe80::b0 .*result=unchanged'
is "and changes nothing either" "$(all6)" "$before"
mwan-rules flush 2>/dev/null
is "nor does flush" "$(all6)" "$before"

# --- two lines whose prefixes the file tells ---
conf 'ipv6 = yes' $A::/56 $B::/56 >/etc/ppp/mwan.ini
printed=$(mwan-rules apply -n | grep -E '^ip -6|group 775|^sysctl.*ipv6')
ok "apply with two prefixes" mwan-rules apply
is "the rules" "$(rules6)" "1000: not from all fwmark 0x6d77616e lookup main suppress_prefixlength 0
1001: from all lookup 199
1002: from all fwmark 0x1/0xff lookup 201
1003: from all fwmark 0x2/0xff lookup 202
1301: from $A::/56 lookup 201
1302: from $B::/56 lookup 202
1900: not from all fwmark 0/0xff lookup 200
32768: from all lookup 201
32769: from all lookup 200"
is "a link's table leads to its peer, at the metric that IPv6 makes of none" \
	"$(table6 201)$(table6 202)" \
	"default via fe80::b0 dev ppp0 proto 119 metric 1024\
default via fe80::b1 dev ppp1 proto 119 metric 1024"
is "nexthops of their own ids, by way of the peer" \
	"$(ip -6 nexthop | grep -o '^id 77[0-9]* .*dev ppp.' | sort)" \
	"id 77513 via fe80::b0 dev ppp0
id 77514 via fe80::b1 dev ppp1"
like "a group of them" "$(ip nexthop show groups)" \
	'id 77769 group 77513/77514 proto 119'
like "the standby" "$(table6 200)" '^default nhid 77769 proto 119 metric 1'
like "an address of the line's own prefix" "$(ip -6 addr show dev ppp0)" \
	"inet6 $A:ff::6d77:1/128 scope global nodad noprefixroute"
like "for each line" "$(ip -6 addr show dev ppp1)" \
	"inet6 $B:ff::6d77:2/128 scope global nodad noprefixroute"
is "forwarding is not our affair" "$(grep -c forwarding <<<"$printed")" 0
state=$(all6)
ok "apply again" mwan-rules apply
like "has nothing to do" "$(last)" 'event=apply .*changes=0 '
# What -n has printed does the same, by ip(8).
mwan-rules flush 2>/dev/null
is "flush takes all of it away" "$(all6)" "$before"
ok "the printed commands" bash -e -c "$printed"
is "bring about the same" "$(all6)" "$state"
ok "and apply again" mwan-rules apply
is "leaves it so" "$(all6)" "$state"

json() { mwan-rules status --json | jq -c "$1"; }
is "status" "$(json '.links[] | [.ipv6_up, .ipv6_prefix, .ipv6_peer,
	.ipv6_local]')" "[true,\"$A::/56\",\"fe80::b0\",\"$A:ff::6d77:1\"]
[true,\"$B::/56\",\"fe80::b1\",\"$B:ff::6d77:2\"]"
like "check tells the prefixes" "$(mwan-rules check)" \
	"ppp0: table 201, .*, prefix6 $A::/56"
like "for people" "$(mwan-rules status --long)" \
	"  IPV6 +PREFIX +PEER.*  up +$B::/56 +fe80::b1"
sysctl -qw net.ipv6.conf.all.forwarding=0
like "it tells that nothing is forwarded, and what to see to first" \
	"$(json '.problems[] | select(.kind == "ip-forward") | .text')" \
	'all/forwarding is 0.*your firewall'
sysctl -qw net.ipv6.conf.all.forwarding=1

# --- IPV6CP alone ends ---
ip -6 addr del fe80::a0 peer fe80::b0/128 dev ppp0
ok "ipv6-down" hook6 down 0
is "the link's table is empty" "$(table6 201)" ""
is "its nexthop is gone" "$(ip -6 nexthop | grep -c 'dev ppp0')" 0
is "and our address" "$(ip -6 addr show dev ppp0 | grep -c 6d77)" 0
like "the group has the other one" "$(ip nexthop show id 77769)" 'group 77514 '
is "IPv4 is as it was" "$(ip route show table 201)" \
	"default dev ppp0 proto 119 scope link "
like "the log does not say that the link is down" "$(last)" \
	'event=ipv6-down if=ppp0 '
ll_add 0
ok "ipv6-up" hook6 up 0
is "and all is back" "$(rules6 | grep -c "from $A::/56")$(table6 201)" \
	"1default via fe80::b0 dev ppp0 proto 119 metric 1024"

# --- IPCP alone ends ---
ip addr del 10.64.0.100 peer 10.64.0.1 dev ppp0
six=$(all6)
ok "ip-down" hook down ppp0 10.64.0.100
is "IPv6 is untouched" "$(all6)" "$six"
is "IPv4 has moved" "$(ip route show table 201)" ""
like "status tells the families apart" "$(mwan-rules status)" \
	"ppp0 +IPv6 only .*ppp0 is down, the interface has no IPv4 address: .* \
?.*IPv6 goes on by it\\."
ip addr add 10.64.0.100 peer 10.64.0.1 dev ppp0
ok "ip-up" hook up ppp0 10.64.0.100

# --- the interface goes: without a process ---
ip link del ppp0
is "the kernel has taken the route" "$(table6 201)" ""
like "and the group's member" "$(ip nexthop show id 77769)" 'group 77514 '
ok "ip-down sees to both families" hook down ppp0 10.64.0.100
is "the prefix is no rule any more" "$(rules6 | grep -c "$A::/56")" 0
like "unmarked traffic takes the other line" "$(rules6)" \
	'32768: from all lookup 202'
is "what the line had is remembered" "$(cat /run/mwan/prefix6)" \
	"ppp0 last $A::/56
ppp1 last $B::/56"
link6_new 0
ok "ipv6-up comes before ip-up" hook6 up 0
ok "and ip-up after it" hook up ppp0 10.64.0.100
like "which has nothing left to do" "$(last)" 'event=up .*changes=0 '

# --- IPV6CP opens before IPCP, and the other way round ---
four() { ip rule; ip route show table 201; ip nexthop show dev ppp0 2>/dev/null; }
ip link del ppp0
ok "a line goes" hook down ppp0 10.64.0.100
without=$(four)
link6_new 0
ip -4 addr flush dev ppp0
ok "IPV6CP opens first" hook6 up 0
like "the line serves IPv6" "$(table6 201)" 'default via fe80::b0 dev ppp0'
is "and IPv4 not yet" "$(four | grep -v 77513)" "$without"
six=$(all6)
ip addr add 10.64.0.100 peer 10.64.0.1 dev ppp0
ok "then IPCP" hook up ppp0 10.64.0.100
like "it serves IPv4, too" "$(four)" 'from 10.64.0.100 lookup.*default dev ppp0'
is "IPv6 is untouched" "$(all6)" "$six"
ip link del ppp0
hook down ppp0 10.64.0.100
without=$(all6)
link6_new 0
ip -6 addr del fe80::a0 peer fe80::b0/128 dev ppp0
ok "IPCP opens first" hook up ppp0 10.64.0.100
is "IPv6 is not there yet" "$(all6)" "$without"
both=$(four)
ll_add 0
ok "then IPV6CP" hook6 up 0
is "and IPv4 is untouched" "$(four | grep -v 77513)" "$both"
like "the line serves both" "$(table6 201)" 'default via fe80::b0 dev ppp0'

# --- another address than ours ---
ip -6 addr add $A:1::5/64 dev ppp0 nodad
ok "an address by SLAAC" hook6 up 0
is "makes ours needless" "$(ip -6 addr show dev ppp0 | grep -c 6d77)" 0
ip -6 addr change $A:1::5/64 dev ppp0 preferred_lft 0
ok "one that is deprecated" hook6 up 0
like "is passed over by masquerading: ours is there" \
	"$(ip -6 addr show dev ppp0)" "$A:ff::6d77:1/128"
ip -6 addr del $A:1::5/64 dev ppp0

# --- what is no link any more keeps nothing of ours ---
# A name can change while the interface is up; older kernels refuse that.
ip link set ppp0 name was0 ||
	ip -6 addr add "$A:ff::6d77:1/128" dev lan0 nodad
like "a link has got another name: status tells of its address" \
	"$(json '.problems[] | select(.kind == "address") | .text')" \
	"(was0|lan0) has the address $A:ff::6d77:1, which is ours and not wanted"
ok "the next hook" hook6 up 1
is "takes it" "$(ip -6 addr show to $A:ff::6d77:1)" ""
like "and has nothing left to do" "$(hook6 up 1; last)" 'changes=0 '
ip link set was0 name ppp0
ok "the name is back" hook6 up 0
like "and the address" "$(ip -6 addr show dev ppp0)" "$A:ff::6d77:1/128"
conf 'ipv6 = yes' $A::/56 $B::/56 | sed '/link ppp0/,/prefix6/d' \
	>/etc/ppp/mwan.ini
ok "it is no link any more" mwan-rules apply
is "apply takes its address" "$(ip -6 addr show dev ppp0 to $A:ff::6d77:1)" ""
conf 'ipv6 = yes' $A::/56 $B::/56 >/etc/ppp/mwan.ini
ok "and is one again" mwan-rules apply

# --- what is remembered of the LAN ---
ip -6 addr add $A::1/64 dev lan0 nodad
ok "a network of the LAN" hook6 up 0
is "is remembered" "$(table6 199)" "$A::/64 dev lan0 proto 119 metric 1024"
ip -6 addr del $A::1/64 dev lan0
ok "when it is withdrawn" hook6 up 0
like "for two hours more" "$(table6 199)" \
	"^$A::/64 dev lan0 proto 119 metric 1024 expires 7[12][0-9][0-9]sec"
hook6 up 0
like "and not for longer" "$(last)" 'changes=0 '
ip -6 addr add $A::1/64 dev lan0 nodad
hook6 up 0
is "unless it comes back" "$(table6 199)" "$A::/64 dev lan0 proto 119 metric 1024"
ip -6 addr del $A::1/64 dev lan0

# --- disable_ipv6 at run time: the kernel keeps nexthop and group ---
sysctl -qw net.ipv6.conf.ppp0.disable_ipv6=1
ok "any hook" hook up ppp0 10.64.0.100
is "takes the link out of the group" \
	"$(ip -6 nexthop | grep -c 'dev ppp0')$(table6 201)" 0
sysctl -qw net.ipv6.conf.ppp0.disable_ipv6=0
ll_add 0
ok "and when it is enabled" hook6 up 0
is "puts it in again" "$(ip -6 nexthop | grep -c 'dev ppp0')" 1

# --- drain and tiers ---
ok "drain" mwan-rules drain ppp0
like "a drained link has a group of its own" "$(table6 200)" \
	'default nhid 77769 proto 119 metric 1[^0-9].*default nhid 77768 proto 119 metric 256'
ok "undrain" mwan-rules undrain ppp0
mwan-rules flush 2>/dev/null
is "flush" "$(all6 | grep -c 119)" 0

# --- prefixes that a DHCPv6 client tells ---
conf 'ipv6 = yes' >/etc/ppp/mwan.ini
rm -f /run/mwan/prefix6
ok "told before anything is in force" mwan-rules prefix ppp0 $A::/56
is "nothing is changed" "$(all6)" "$before"
is "it is kept" "$(cut -d' ' -f1,2,4- /run/mwan/prefix6)" "ppp0 told $A::/56"
ok "apply" mwan-rules apply
like "is told" "$(rules6)" "1301: from $A::/56 lookup 201"
like "status says what it lacks" \
	"$(json '.problems[] | select(.kind == "no-prefix") | .link')" '"ppp1"'
is "the other line is none of IPv6's" "$(ip -6 nexthop | grep -c 'dev ppp1')" 0
ok "told of the other line" mwan-rules prefix ppp1 $B::/56 $B:100::/56
like "is logged" "$(last)" \
	"event=prefix if=ppp1 prefix=\"$B::/56 $B:100::/56\" .*result=ok"
is "two prefixes of one line" "$(rules6 | grep -c 'lookup 202')" 3
like "-n tells and does nothing" "$(mwan-rules prefix ppp1 -n)" \
	"# /run/mwan/prefix6: ppp1 told "
is "really" "$(rules6 | grep -c 'lookup 202')" 3
ok "another prefix" mwan-rules prefix ppp0 $C::/56
is "takes the place of the first" "$(rules6 | grep 'lookup 201$')" \
	"1002: from all fwmark 0x1/0xff lookup 201
1301: from $C::/56 lookup 201
32768: from all lookup 201"
like "with an address of it" "$(ip -6 addr show dev ppp0)" "$C:ff::6d77:1/128"
is "alone" "$(ip -6 addr show dev ppp0 | grep -c 6d77)" 1
is "the first is remembered" "$(grep 'ppp0 [lp]' /run/mwan/prefix6)" \
	"ppp0 last $C::/56
ppp0 past $A::/56"
# A new session: what was told may be another's, unless the LAN has it.
ip -6 addr del $C::1/64 dev lan0
ip link del ppp0
link6_new 0
ok "a new session" hook6 up 0
is "does not trust what was told of the last" "$(table6 201)" ""
ip -6 addr add $C::1/64 dev lan0 nodad
ok "but for the LAN" hook6 up 0
is "which still has it" "$(table6 201)" \
	"default via fe80::b0 dev ppp0 proto 119 metric 1024"
ok "the lease ends" mwan-rules prefix ppp0
is "and the link is of no use for IPv6" "$(table6 201)" ""
# The sample for dhcpcd, with what that tells its hooks.
sample() {
	env "$@" sh -c ". '$root/etc/dhcp/dhcpcd-exit-hook'"
}
ok "dhcpcd has a prefix" sample interface=ppp0 reason=BOUND6 \
	new_dhcp6_ia_pd1_prefix1=$A:: new_dhcp6_ia_pd1_prefix1_length=56 \
	new_dhcp6_ia_pd1_prefix2=$A:100:: new_dhcp6_ia_pd1_prefix2_length=60
is "or two" "$(rules6 | grep -c "from $A:.* lookup 201")" 2
ok "and none when its lease has ended" sample interface=ppp0 reason=EXPIRE6
is "they are gone" "$(table6 201)" ""
# netifd's routes
ip -6 route add default from $C::/60 via fe80::b0 dev ppp0
ok "default from PREFIX" hook6 up 0
like "is a prefix of the link" "$(rules6)" "1301: from $C::/60 lookup 201"
ip -6 route del default from $C::/60 via fe80::b0 dev ppp0

# What is remembered cannot be written down: nothing else suffers from that.
mkdir /run/mwan/prefix6.new
ip -6 addr add $B:200::5/64 dev ppp0 nodad
is "a prefix that cannot be kept" "$(hook6 up 0 2>&1; echo $?)" \
	"ip-up.local: cannot make /run/mwan/prefix6.new: Is a directory; remove it, it is made again
1"
like "is in use" "$(rules6)" "1301: from $B:200::/64 lookup 201"
like "and all but that is done" "$(last)" \
	'changes=[1-9].* warning="cannot make .*prefix6.new.* result=partial'
hook6 up 0 2>/dev/null
like "by the next hook, too" "$(last)" 'changes=0 .*result=partial'
rmdir /run/mwan/prefix6.new
ok "which keeps it when it can" hook6 up 0
like "as it is needed" "$(cat /run/mwan/prefix6)" "ppp0 last $B:200::/64"
ip -6 addr del $B:200::5/64 dev ppp0

not_ok "no prefix" mwan-rules prefix ppp0 fd00::/8
like "is refused" "$(cat "$T/ok.out")" 'is not a global IPv6 prefix like'
not_ok "no link" mwan-rules prefix ppp9 $A::/56
like "is refused, too" "$(cat "$T/ok.out")" 'there is no link "ppp9"'
chmod 666 /run/mwan/prefix6
not_ok "a file that others can write" mwan-rules prefix ppp0 $A::/56
like "is not believed" "$(cat "$T/ok.out")" "cannot read the links' IPv6 prefixes"
ok "a hook goes on without it" hook6 up 1
rm /run/mwan/prefix6

# --- the switch ---
conf 'ipv6 = no' $A::/56 $B::/56 >/etc/ppp/mwan.ini
ok "ipv6 = no" mwan-rules apply
is "takes what there was of IPv6 away" "$(all6)" "$before"
mwan-rules flush 2>/dev/null

done_testing
