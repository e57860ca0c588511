#!/bin/bash
# Other programs' rules and routes beside ours: what is theirs goes on working,
# and where it cannot, status and why say whose it is and what to do.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

# takes [ARGUMENT...]: the device and table of a packet to the internet server.
takes() {
	ip route get $inet "$@" 2>&1 | grep -oE 'dev [^ ]*|table [^ ]*|RTNET.*' |
		paste -sd' '
}

default_table() {
	ip route show table 253 | tr -s '[:space:]' ' '
}

net5 3
conf -- 1 1 "1 tier=2"
mwan-rules apply 2>/dev/null

# --- Tailscale: router_linux.go, its rules and table 52, word for word ---
tailscale() { # add | del
	ip -batch - <<-END
	rule $1 pref 5210 fwmark 0x80000/0xff0000 lookup main
	rule $1 pref 5230 fwmark 0x80000/0xff0000 lookup default
	rule $1 pref 5250 fwmark 0x80000/0xff0000 unreachable
	rule $1 pref 5270 lookup 52
	END
}
tailscale add
is "Tailscale's own packets find the primary in the table default" \
	"$(takes mark 0x80000)" "dev ppp0 table default"
is "which has the groups as well" "$(default_table)" \
	"default dev ppp0 proto 119 scope link metric 65536 default nhid 77257 \
proto 119 metric 65537 nexthop dev ppp0 weight 1 nexthop dev ppp1 weight 1 \
default nhid 77258 dev ppp2 proto 119 metric 65538 "
is "unmarked packets find the same" "$(takes)" "dev ppp0 table default"
cut_off 0
is "the primary is cut: the kernel has failed over by itself" \
	"$(takes mark 0x80000)" "dev ppp1 table default"
hook down ppp0 10.64.0.100 10.64.0.1
is "the hook names another primary" "$(takes mark 0x80000)" \
	"dev ppp1 table default"
cut_off 1
is "the whole tier is: the next one's group" \
	"$(takes mark 0x80000)" "dev ppp2 table default"
up 0 1
is "the better tier is back" "$(default_table | cut -d' ' -f-3)" \
	"default dev ppp1"
ip route del default dev ppp1 table 253
like "status: the default is missing" "$(mwan-rules status --json |
	jq -r '.problems[] | "\(.kind): \(.text)"' | grep default)" \
	'^route: The table default lacks our default of metric 65536, .*"mwan-rules apply"\.$'
mwan-rules apply
ip route add default dev lan0 table 253
is "somebody else's default there comes before ours" "$(takes)" \
	"dev lan0 table default"
like "and status says so" "$(mwan-rules status --json |
	jq -r '.problems[] | "\(.kind): \(.text)"')" \
	'foreign-default: The table default has a default, .* "ip route del default dev lan0 table 253"'
ip route del default dev lan0 table 253
mwan-rules flush 2>/dev/null
is "a flush leaves none" "$(default_table)" ""
hook up ppp0 10.64.0.100 10.64.0.1
is "a hook alone makes the groups" "$(default_table | cut -d' ' -f-3)" \
	"default nhid 77257"
mwan-rules apply 2>/dev/null
tailscale del
done_testing
