#!/bin/bash
# failback = move: when a better tier is back, the connections of worse ones
# are ended, and no others.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/links.sh
. "$root/t/lib/links.sh"

# A connection with each of these marks.
marks='0 1 2 3 256 258'
connect() {
	local mark
	conntrack -F
	for mark in $marks; do
		conntrack -I -p udp -s 192.168.7.1 -d 192.0.2.1 \
			--sport $((1000 + mark)) --dport 53 -t 600 -m "$mark"
	done
} >/dev/null 2>&1

left() { # the marks of what is left
	conntrack -L -p udp 2>/dev/null | sed -n 's/.*mark=\([0-9]*\).*/\1/p' |
		sort -n | tr '\n' ' '
}

memory() {
	ip rule | grep -c ^32770
}

configure() { # FAILBACK
	cat >/etc/ppp/mwan.ini <<-EOI
		[mwan]
		qdisc = none
		failback = $1
		[link ppp0]
		[link ppp1]
		tier = 2
		[link ppp2]
		tier = 3
	EOI
	mwan-rules apply
}

links_wanted ppp0 ppp1 ppp2
configure stay
link_up 1
link_up 2
connect
is "there are connections" "$(left)" "0 1 2 3 256 258 "
link_up 0
is "stay: all of them go on" "$(left)" "0 1 2 3 256 258 "

configure move
link_down 0
is "move: a loss ends none" "$(left)" "0 1 2 3 256 258 "
dry=$(
	link_new ppp0 10.64.0.100 10.64.0.1
	env -i "$BIN/ip-up.local" -n ppp0 eth9 0 10.64.0.100 10.64.0.1
)
like "-n prints it, behind the primary's move, and remembered meanwhile" \
	"$dry" "ip rule add pref 32770 lookup 202 protocol 119
.*ip rule del pref 32768 lookup 202 protocol 119
.*conntrack -D --mark 0x2/0xff
ss -tK state established src 10.64.1.100
conntrack -D --mark 0x3/0xff
ss -tK state established src 10.64.2.100
ip rule del pref 32770 lookup 202 protocol 119"
is "-n ends none" "$(left)" "0 1 2 3 256 258 "
hook up ppp0 10.64.0.100
is "those of the worse tiers are ended, whatever foreign bits they have" \
	"$(left)" "0 1 256 "
like "the log names the links" "$(log_last)" 'event=up .*ended=ppp1,ppp2 '
is "nothing is remembered" "$(memory)" 0
connect
hook up ppp0 10.64.0.100
like "the next run has nothing to do" "$(log_last)" 'result=unchanged'
is "and ends none" "$(left)" "0 1 2 3 256 258 "

# --- a better tier, but not the best ---
link_down 0
link_down 1
connect
link_up 1
is "tier 2 is back: tier 3's are ended" "$(left)" "0 1 2 256 258 "

# --- whoever was killed before the deletion ---
link_up 0
connect
ip rule add pref 32770 lookup 202 protocol 119
hook up ppp1 10.64.1.100
is "the next hook of any link completes it" "$(left) $(memory)" "0 1 256  0"
link_down 0
connect
ip rule add pref 32770 lookup 202 protocol 119
hook up ppp2 10.64.2.100
is "unless the primary is in that tier again" "$(left) $(memory)" \
	"0 1 2 3 256 258  0"

# --- a drained link's finish ---
mwan-rules drain ppp2
link_up 0
is "a drained link's are not ended" "$(left)" "0 1 3 256 "
mwan-rules undrain ppp2

# --- nor is anything when no worse link is up ---
link_down 1
link_down 2
link_down 0
connect
link_up 0
is "with the better link alone none is ended" "$(left)" "0 1 2 3 256 258 "
done_testing
