#!/bin/bash
# A link that is held: up, but said to lead nowhere, in a file with a deadline.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/links.sh
. "$root/t/lib/links.sh"

# until SECONDS: that many from now, of CLOCK_BOOTTIME.
until_in() {
	awk -v s="$1" '{ printf "%d\n", $1 + s }' /proc/uptime
}

held() { # "NAME SECONDS"...: the file says so
	local line

	for line; do
		echo "${line% *} $(until_in "${line#* }")"
	done >/run/mwan/held
}

any_hook() {
	hook up ppp1 10.64.1.100
}

links_wanted ppp0 ppp1 ppp2
printf '[mwan]\nqdisc = none\nbalance = source\n[link ppp0]\n[link ppp1]
[link ppp2]\ntier = 2\n' >/etc/ppp/mwan.ini
mwan-rules apply
for i in 0 1 2; do
	link_up $i
done
all=$(state)
is "two links are the group of tier 1" "$(group 77257)" 77001/77002

# --- a hook obeys ---
held "ppp0 600"
any_hook
like "the log says which are held" "$(log_last)" \
	'if=ppp1 .*held=ppp0 .*result=ok'
is "it is out of its tier's group" "$(group 77257)" 77002
is "and in the last one" "$(group 77000)" 77001
is "which stands behind all others" "$(ip route show table 200 | sed -n \
	's/\(default nhid [0-9]*\) .*\(metric [0-9]*\).*/\1 \2/p')" \
	"default nhid 77257 metric 1
default nhid 77258 metric 2
default nhid 77000 metric 257"
is "what has its mark goes by the standby" "$(way mark 1)" "dev ppp1"
is "what is bound to its address goes by it" "$(way from 10.64.0.100)" \
	"dev ppp0"
is "so does what is bound to it" "$(way oif ppp0)" "dev ppp0"
is "what has no mark goes by another" "$(way)" "dev ppp1"
is "its table is as it was" "$(ip route show table 201)" \
	"default dev ppp0 proto 119 scope link "
is "status says who carries it" "$(mwan-rules status --json |
	jq -c '.links[0].default')" '["ppp1"]'
hook up ppp0 10.64.0.100
like "so does the log" "$(log_last)" 'if=ppp0 .*default=ppp1 .*held=ppp0'
held=$(state)
any_hook
like "once more: unchanged" "$(log_last)" 'changes=0 result=unchanged'
mwan-rules apply
like "apply obeys" "$(log_last)" 'held=ppp0 .*result=unchanged'
is "and leaves it so" "$(state)" "$held"
is "status finds nothing to do" "$(mwan-rules apply -n)" ""
ip link del ppp0
hook down ppp0 10.64.0.100
link_up 0
is "held over a redial" "$(group 77257) $(group 77000)" "77002 77001"

# --- the kernel takes it again by itself ---
ip link del ppp1
ip link del ppp2
is "without another link its mark goes by it" "$(way mark 1)" "dev ppp0"
is "and theirs" "$(way mark 2) $(way mark 3)" "dev ppp0 dev ppp0"
is "and what has no mark" "$(way)" "dev ppp0"
hook down ppp1 10.64.1.100
is "a hook that comes then leaves it in use" \
	"$(way mark 1) $(group 77257) $(group 77000)" "dev ppp0 77001 "
link_up 1
link_up 2
is "until there is another one" "$(way mark 1) $(group 77000)" "dev ppp1 77001"

# --- the last other one goes, and two held ones are left ---
carried() {
	mwan-rules status --json | jq -c '.links[0].default'
}
held "ppp0 600" "ppp2 600"
any_hook
ip link del ppp1
is "before a hook the group of the held ones has its mark" "$(carried)" \
	'["ppp0","ppp2"]'
hook down ppp1 10.64.1.100
is "and then it has its own way" "$(carried)" '["ppp0"]'
link_up 1

# --- every link is held: as if none were ---
held "ppp0 600" "ppp1 600" "ppp2 600"
any_hook
is "all held: their own marks" "$(way mark 1) $(way mark 2) $(way mark 3)" \
	"dev ppp0 dev ppp1 dev ppp2"
is "and the tiers" "$(group 77257) $(group 77258) $(group 77000)" \
	"77001/77002 77003 "

# --- drained and held ---
held "ppp0 600" "ppp2 600"
mwan-rules drain ppp1
is "what is put aside goes before what is held" "$(way mark 1) $(way)" \
	"dev ppp1 dev ppp1"
like "drain: the log" "$(log_last)" 'drained=ppp1 held=ppp0,ppp2 '
mwan-rules undrain ppp1

# --- the deadline ---
held "ppp0 4" "ppp2 600"
any_hook
is "before it" "$(group 77257)" 77002
sleep 5
any_hook
is "after it" "$(group 77257) $(group 77000)" "77001/77002 77003"
rm /run/mwan/held
any_hook
# The primary need not move back.
ip rule add pref 32768 lookup 201 protocol 119
ip rule del pref 32768 lookup 202 protocol 119
ip route prepend default dev ppp0 table 253 metric 65536 protocol 119
ip route del default dev ppp1 table 253 metric 65536 protocol 119
is "without the file all is as before" "$(state)" "$all"

# --- what the file may be ---
printf 'ppp0\nppp0 x\n ppp0 99999999999\nppp7 99999999999\n\n ' \
	>/run/mwan/held
any_hook
like "lines that say nothing" "$(log_last)" 'changes=0 result=unchanged'
rm /run/mwan/held
ln -s /etc/passwd /run/mwan/held
why='cannot read which links are held from /run/mwan/held: it must be a plain file of root.s that nobody else can write; remove it'
like "not a plain file" "$(any_hook 2>&1)" "^ip-up.local: $why$"
like "it is in the log" "$(log_last)" 'warning="cannot read which links .*changed'
like "apply says so" "$(mwan-rules apply 2>&1)" "^mwan-rules: $why$"
like "and status" "$(mwan-rules status)" \
	'cannot read which links are held from /run/mwan/held'
rm /run/mwan/held
mkfifo /run/mwan/held
like "a pipe" "$(any_hook 2>&1)" "$why"
rm /run/mwan/held
held "ppp0 600"
chmod 666 /run/mwan/held
like "one that anybody can write" "$(any_hook 2>&1)" "$why"
is "is not obeyed" "$(group 77257)" 77001/77002

# --- hooks alone, and the end ---
held "ppp0 600"
chmod 644 /run/mwan/held
mwan-rules flush
is "flush forgets" "$(ls /run/mwan)" lock
held "ppp0 600"
any_hook
is "without apply nothing is held" "$(group 77257)" 77001/77002
done_testing
