#!/bin/bash
# Policies for destinations by name: sets of our table that others fill (the
# user, and a real dnsmasq), whose contents outlive all that we do to the table.
#
# As in lib/lan.sh; a dnsmasq on the router asks another one in "inet".

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

# --- names ---
links=$'[link ppp0]\ntable = 201\n[link ppp1]\ntable = 202'
# check_of VALUE: what check says to that destination.
check_of() {
	printf '%s\n[policy p]\ndestination = %s\nuse = ppp1\n' "$links" "$1" \
		>"$T/check.ini"
	mwan-rules check -f "$T/check.ini" 2>&1
}
for name in video Video_4k a abcdefghijklmno; do
	like "a good name: $name" "$(check_of "@$name")" 'is fine'
done
for name in "" 1a _a a6 a-b a.b 'a"' 'a;b' 'a{b' sticky mss moved native known own own6_ppp0 \
	own61 abcdefghijklmnop 'a b' 'a,10.0.0.1' 'a @b'; do
	like "no name: \"$name\"" "$(check_of "@$name")" \
		"check.ini:6: destination: \"@"
done
like "not among addresses" "$(check_of "10.0.0.1 @video")" \
	'check.ini:6: destination: "@video" must stand alone'
like "not as a source" "$(check_of "10.0.0.1
source = @video")" 'check.ini:7: source: "@video" must stand alone'
like "a word of nft's" "$(check_of @limit)" \
	'nobody can fill a set "@limit", as that is a word of nft'
# Its own list, against nft itself.
sed -n '/words\[\]/,/};/s/"\([a-z0-9]*\)",*/\1/gp' \
	"$root/common/nft/words.c" | tr -s ' \t' '\n' | grep . >"$T/words"
nft add table inet words
is "nft takes none of its words" "$(while read -r word; do
	nft "add set inet words $word { type ipv4_addr; }" 2>/dev/null &&
		echo "$word"
done <"$T/words" | paste -sd' ')" ""
is "... and others" "$(for word in video netflix games work school mail vpn \
	cdn office bank voip news backup cloud site nat net web; do
	nft "add set inet words $word { type ipv4_addr; }" 2>/dev/null ||
		echo $word
done)" ""
nft delete table inet words

# --- what is in a set goes by the policy's link ---
net5 2
conf "balance = round-robin" -- 1 1
policy video "destination = @video" "use = ppp1"
policy mail "destination = @video" "protocol = tcp" "use = ppp0"
ok "apply" mwan-rules apply

# held NAME: the elements of a set
held() {
	nft -j list set inet mwan "$1" | jq -c '[.nftables[].set // empty |
		.elem // [] | .[] | if type == "object" then
		.prefix // .elem.val | if type == "object" then
		"\(.addr)/\(.len)" else . end else . end] | join(" ")' -r
}

is "an empty set is nobody's" "$(held video)" ""
by "so all is balanced" "ppp0=2 ppp1=2" -s 10.9.0.0 -n 4
nft add element inet mwan video "{ $inet }"
forget
by "an address" ppp1=4 -s 10.9.0.0 -n 4
forget
inet=198.51.100.2 by "not another one" "ppp0=2 ppp1=2" -s 10.9.0.0 -n 4
nft flush set inet mwan video
nft add element inet mwan video '{ 198.51.100.0/30 }'
forget
inet=198.51.100.2 by "a prefix" ppp1=4 -s 10.9.0.0 -n 4
like "why" "$(mwan-rules why 10.9.0.7 198.51.100.2)" \
	'leaves by ppp1.*Policy video'
not_ok "why of another one" sh -c "mwan-rules why 10.9.0.7 203.0.113.1 | grep 'Policy video'"
nft flush set inet mwan video
nft add element inet mwan video '{ 198.51.100.1 timeout 1h, 203.0.113.0/24 }'
is "elements that expire, and prefixes" "$(held video)" \
	"198.51.100.1 203.0.113.0/24"

# --- what it outlives ---
all="198.51.100.1 203.0.113.0/24"
is "apply finds nothing to do" "$(mwan-rules apply -n)" ""
mwan-rules apply
is "apply" "$(held video)" "$all"
down 0
up 0
is "a link that goes and comes" "$(held video)" "$all"
mwan-rules drain ppp1
mwan-rules undrain ppp1
is "drain and undrain" "$(held video)" "$all"
policy other "destination = 192.0.2.0/24" "use = ppp0"
sed -i 's/^qdisc = none/&\nsticky = 10m/' /etc/ppp/mwan.ini
mwan-rules apply
is "another configuration" "$(held video)" "$all"
sed -i 's/^table = 1001/&\nmark = 0x77/' /etc/ppp/mwan.ini
mwan-rules apply
is "other marks" "$(held video)" "$all"
nft add chain inet mwan stranger
nft flush chain inet mwan prerouting
mwan-rules apply
is "a table that somebody has changed" "$(held video)" "$all"
forget
by "and it does what it is for" ppp1=4 -s 10.9.0.0 -n 4
cp /etc/ppp/mwan.ini "$T/with.ini"
sed -i 's/^destination = @video/destination = 192.0.2.1/' /etc/ppp/mwan.ini
mwan-rules apply
is "a policy that is gone for a while" "$(held video)" "$all"
cp "$T/with.ini" /etc/ppp/mwan.ini
mwan-rules apply
is "... and is back" "$(held video)" "$all"
is "all is as it should be" "$(mwan-rules apply -n)" ""
nft delete table inet mwan
mwan-rules apply
is "a table that somebody has deleted is made with an empty one" \
	"$(held video)" ""
nft add element inet mwan video '{ 198.51.100.1 }'
mwan-rules flush 2>/dev/null
not_ok "flush takes it" nft list table inet mwan
nft -f - <<'END'
table inet mwan {
	set video { type ipv4_addr; elements = { 192.0.2.1 }; }
}
END
ok "a set of that name and of another kind" mwan-rules apply
is "is made anew" "$(held video)" ""
is "all is as it should be" "$(mwan-rules apply -n)" ""

# --- dnsmasq ---
# Of Debian's, one that knows nftables.
like "dnsmasq knows nftset" "$(dnsmasq --version)" ' nftset '
cat >"$T/there.conf" <<END
no-resolv
no-hosts
port=53
listen-address=$inet
bind-interfaces
address=/video.example/198.51.100.2
address=/other.example/198.51.100.1
address=/video.example/2001:db8:e::2
END
cat >"$T/here.conf" <<END
no-resolv
no-hosts
port=53
listen-address=172.16.0.1
bind-interfaces
server=$inet
nftset=/video.example/4#inet#mwan#video,6#inet#mwan#video6
END
ip netns exec inet dnsmasq -k -u root -x "$T/there.pid" -C "$T/there.conf" \
	>"$T/there.log" 2>&1 &
dnsmasq -k -u root -x "$T/here.pid" -C "$T/here.conf" >"$T/here.log" 2>&1 &

# asks NAME ADDRESS: a host of the LAN, whose resolver is the router.
asks() {
	lan busybox nslookup "$1" 172.16.0.1 2>&1 | grep -q "Address: $2\$"
}
wait_for 9 asks other.example 198.51.100.1
is "a name that is not in it" "$(held video)" ""
ok "a host asks" asks www.video.example 198.51.100.2
is "dnsmasq puts the address into the set" "$(held video)" 198.51.100.2
forget
inet=198.51.100.2 by "the host's connections go by ppp1" ppp1=4 -s 10.9.0.0 -n 4
by "others do not" "ppp0=2 ppp1=2" -s 10.9.0.0 -n 4
mwan-rules apply
hook up ppp0 10.64.0.100
is "it stays" "$(held video)" 198.51.100.2

# --- IPv6 ---
like "IPv6 is not ours yet" "$(nft list table inet mwan)" 'set video [{]'
not_ok "so there is no set for it" nft list set inet mwan video6
sed -i 's/^qdisc = none/&\nipv6 = yes/' /etc/ppp/mwan.ini
mwan-rules apply
is "IPv6 has a set of its own" "$(held video6)" ""
is "and the one of IPv4 stays" "$(held video)" 198.51.100.2
ok "a host asks again" asks www.video.example 198.51.100.2
is "dnsmasq fills both" "$(held video) $(held video6)" \
	"198.51.100.2 2001:db8:e::2"
like "and a rule for each" "$(nft list chain inet mwan prerouting)" \
	'ip daddr @video .*ip6 daddr @video6 '
is "all is as it should be" "$(mwan-rules apply -n)" ""
mwan-rules flush 2>/dev/null
done_testing
