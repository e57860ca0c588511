#!/bin/bash
# mwan-rules watch: a line that is up and leads nowhere is noticed, its traffic
# moves, its flows stay where they are when it returns, and other lines notice
# nothing of it. With --long a table of how soon, 20 rounds a row.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"
# shellcheck source=lib/watch.sh
. "$root/t/lib/watch.sh"
# shellcheck source=lib/held.sh
. "$root/t/lib/held.sh"

log=/var/log/ifchang.log
rounds=${TEST_LONG:+20}
rounds=${rounds:-1}

log_has() { # REGEX
	grep -qE "$1" "$log"
}

ready() {
	[ "$(flow ready)" = 0 ]
}

# Flow a, whose line is ppp0, has answers again, and is on ppp1.
moved() {
	flow report "$1" | grep -q ' group=a .* state=open .* last=10.64.1.100 '
}

# One death of ppp0 under flows by both lines: gaps and losses go to $T/gaps.
one_round() { # HOW
	local a b
	flow open a udp 10.9.0.2 "$inet" 7700 rate=100
	flow open b udp 10.9.0.3 "$inet" 7700 rate=100
	wait_for 20 ready || return
	flow mark dies
	sever 0 "$1"
	wait_for 20 moved dies || return
	wait_for 20 log_has "event=failed if=ppp0 " || return
	a=$(flow report dies | grep 'group=a .* state=open')
	b=$(flow report dies | grep 'group=b .* state=open')
	echo "$(field gap_ms "$a") $(field lost "$b")" \
		"$(sed -n 's/.*silent_ms=\([0-9]*\) .*/\1/p' "$log")" \
		"$(sed -n 's/.*event=failed .*took_us=//p' "$log")" >>"$T/gaps"
	mend 0
	flow close a
	flow close b
}

# died HOW NAME: that, as often as is asked for. Each time with a watch of its
# own: who falls again soon waits longer for its return.
died() {
	local i median lost
	: >"$T/gaps"
	for i in $(seq "$rounds"); do
		: >"$log"
		watch_start
		ok "$2: the flow moved" one_round "$1"
		wait_for 20 not_held ppp0
		watch_stop
	done
	median=$(sort -n "$T/gaps" | awk '{ g[NR] = $1 }
		END { print g[int((NR + 1) / 2)] }')
	diag "$2: gap $median ms median," \
		"$(sort -n "$T/gaps" | tail -n 1 | sed 's/ .*//') ms at most" \
		"of $rounds; verdict after" \
		"$(sort -nk 3 "$T/gaps" | awk 'NR == 1 { a = $3 }
			END { print a "-" $3 }') ms, carried out in" \
		"$(sort -nk 4 "$T/gaps" | awk '{ t = $4 }
			END { print t / 1000 }') ms at most"
	lost=$(awk '{ n += $2 } END { print n + 0 }' "$T/gaps")
	is "$2: the other line lost nothing" "$lost" 0
}

net5 2
watch_net
conf "targets = $targets" "recover = 1s" -- 1 1
mwan-rules apply

# --- what holding out is ---
watch_start
flow open a udp 10.9.0.2 "$inet" 7700 rate=50
wait_for 20 ready
is "flow a leaves by ppp0" \
	"$(field last "$(flow report)")" 10.64.0.100
rules_before=$(ip rule | grep -v ^32768)
flow mark dies
sever 0
ok "it is held" wait_for 20 held ppp0
ok "and out" is_out 0
like "its rule for marks is gone, that for its address is there" \
	"$(ip rule)" 'from 10.64.0.100 lookup 1001'
is "it is behind all others" "$(ip route show table 200)" \
	"default nhid 77257 dev ppp1 proto 119 metric 1 
default nhid 77000 dev ppp0 proto 119 metric 257 "
like "the verdict has an end" "$(cat /run/mwan/held)" '^ppp0 [0-9]+$'
like "the log says so" "$(tail -n 1 "$log")" \
	'event=failed if=ppp0 cause=silent silent_ms=[0-9]+ .* default=ppp1 held=ppp0 '
is "with every key of ip-up.local(8)" "$(
	sed -n 's/,//g; s/^\.It Va cause/cause/p' "$root/cmd/ip-up.local.8" |
		tr ' ' '\n' | while read -r key; do
			tail -n 1 "$log" | grep -q " $key=" || echo "$key"
		done)" ""
wait_for 20 moved dies
like "status tells of it" "$(mwan-rules status)" \
	'ppp0 +held .*ppp0 is up and leads nowhere, says mwan-rules watch'
is "in JSON, too" "$(mwan-rules status --json | jq -c '.links[0] |
	[.held, .cause, .answer_from != null, .loss_ppm < 100000]')" \
	'[true,"silent",true,true]'
like "and in the metrics" "$(mwan-rules status --prometheus)" \
	'mwan_link_held\{link="ppp0"\} 1'
like "why says it" "$(mwan-rules why 10.9.0.2 "$inet" udp 1 7700 -f \
	/etc/ppp/mwan.ini)" 'ppp0, which is held: it is up and leads nowhere'
is "mwan-rules apply keeps it out" "$(status mwan-rules apply)" 0
ok "as does a hook" hook up ppp1 10.64.1.100 10.64.1.1
ok "which both know it" is_out 0
mend 0
ok "it answers, and its verdict ends" wait_for 20 not_held ppp0
ok "it is back" is_in 0
is "all is as before" "$(ip rule | grep -v ^32768)" "$rules_before"
ok "there is no verdict any more" test ! -e /run/mwan/held
like "the log says so" "$(tail -n 1 "$log")" \
	'event=recovered if=ppp0 cause=answers .* result=ok '
flow mark later
wait_for 20 moved later
is "the flow stays where it is" "$(field changes "$(flow report later)")" 0
flow close a

# --- the ends of a watch ---
sever 0
ok "it falls again" wait_for 20 is_out 0
watch_stop
ok "who ends by a signal holds nobody out" is_in 0
ok "and leaves no verdict" test ! -e /run/mwan/held
ok "nor its table" lib_not nft list table inet mwan_watch
mend 0
watch_start
sever 0
ok "and again" wait_for 20 is_out 0
kill -KILL "$watcher"
wait "$watcher" 2>/dev/null
ok "a killed one leaves its verdict" verdict ppp0
ok "but no table" wait_for 20 lib_not nft list table inet mwan_watch
sed -i 's/ .*/ 1/' /run/mwan/held
hook up ppp1 10.64.1.100 10.64.1.1
ok "until that has expired: the next hook takes the link in" is_in 0
mend 0

# --- a poor line ---
conf "targets = $targets" "recover = 1s" "probe_interval = 200ms" "loss = 10" \
	-- 1 1
mwan-rules apply 2>/dev/null
rm -f /run/mwan/held
watch_start
loses 0 30
ok "a line that loses is poor" wait_for 60 grep -q '^ppp0 .* poor$' \
	/run/mwan/held
ok "which is told" wait_for 20 log_has 'event=avoided if=ppp0 cause=loss '
like "status tells of it" "$(mwan-rules status)" \
	'ppp0 +poor .*New connections avoid ppp0, which loses'
flow open c udp 10.9.0.2 "$inet" 7700 rate=20
wait_for 20 ready
is "new flows avoid it" \
	"$(field last "$(flow report | grep 'group=c ')")" 10.64.1.100
flow close c
lossless 0
ok "until it loses less" wait_for 120 log_has \
	'event=recovered if=ppp0 cause=better '
watch_stop
conf "targets = $targets" "recover = 1s" -- 1 1
mwan-rules apply 2>/dev/null

# --- other kinds of questions ---
for probe in "tcp 7701" "tcp 7700"; do
	conf "targets = $targets" "recover = 1s" "probe = $probe" -- 1 1
	mwan-rules apply 2>/dev/null
	: >"$log"
	watch_start
	sever 0
	ok "$probe: a dead line is found" wait_for 20 held ppp0
	mend 0
	ok "$probe: and back" wait_for 20 not_held ppp0
	watch_stop
done
conf "targets = $targets" "recover = 1s" -- 1 1
mwan-rules apply 2>/dev/null

# --- how soon ---
died silence silence
died refusal refusal
died outbound "outbound only"
died inbound "inbound only"
ip -n inet addr del "${targets%% *}/32" dev lo
died silence "one of three targets dead before"
ip -n inet addr add "${targets%% *}/32" dev lo
if [ -n "${TEST_LONG-}" ]; then
	loses 0 20
	died silence "20 % loss before"
	lossless 0
fi

done_testing
