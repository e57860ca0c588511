#!/bin/bash
# Queues, in the lab: the kernel here may have none of them.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/several" "$0" "$@"
. "$(dirname "$0")/lib/lib.sh"

# conf QDISC [LINK-QDISC]
conf() {
	printf '[mwan]\nqdisc = %s\n[link ppp0]\n[link ppp1]\n' "$1" \
		>/etc/ppp/mwan.ini
	[ -z "${2-}" ] || echo "qdisc = $2" >>/etc/ppp/mwan.ini
}

# kinds DEV: handle and kind of every queue, with what it is under.
kinds() {
	tc qdisc show dev "$1" | sed -E 's/^qdisc ([^ ]+) ([^ ]+) (root|parent [^ ]+).*/\2 \1 \3/' |
		sort | paste -sd, | sed 's/,/, /g'
}

links_wanted ppp0 ppp1
link_new ppp0 10.64.1.100 10.64.1.1
link_new ppp1 10.64.2.100 10.64.2.1
original="10: sfq parent 1:1, 1: prio root, 20: sfq parent 1:2, 30: sfq parent 1:3"

conf prio-sfq
ok "up with the original's queues" hook up ppp0 10.64.1.100
is "prio 1: with three sfq" "$(kinds ppp0)" "$original"
like "the first two perturbed" \
	"$(tc qdisc show dev ppp0 parent 1:1)" 'perturb 20sec'
ok "again" hook up ppp0 10.64.1.100
like "again changes nothing" "$(tail -n 1 /var/log/ifchang.log)" \
	'result=unchanged'
is "no sfq is replaced" "$(kinds ppp0)" "$original"
tc qdisc del dev ppp0 parent 1:2
ok "one sfq is missing" hook up ppp0 10.64.1.100
is "and comes back" "$(kinds ppp0)" "$original"
tc qdisc del dev ppp0 root
ok "the root is missing" hook up ppp0 10.64.1.100
is "and comes back with its bands" "$(kinds ppp0)" "$original"

conf fq_codel 'cake bandwidth 20mbit'
ok "another configuration" mwan-rules apply
is "fq_codel in the place of prio" "$(kinds ppp0)" "2: fq_codel root"
like "cake with its bandwidth" "$(tc qdisc show dev ppp1)" \
	'qdisc cake 3: root .*bandwidth 20Mbit'
conf fq_codel 'cake bandwidth 30mbit'
ok "another bandwidth" mwan-rules apply
like "is set" "$(tc qdisc show dev ppp1)" 'bandwidth 30Mbit'
ok "and apply again" mwan-rules apply
like "changes nothing" "$(tail -n 1 /var/log/ifchang.log)" 'result=unchanged'
conf prio-sfq
ok "back to the original" mwan-rules apply
is "on both links" "$(kinds ppp0); $(kinds ppp1)" "$original; $original"

# shellcheck disable=SC2016 # the inner shell's own
ok "what -n prints can be run" sh -c '
	tc qdisc del dev ppp0 root
	mwan-rules apply -n >"$1" && sh -e "$1"' sh "$T/n"
is "and gives the same" "$(kinds ppp0)" "$original"

printf '[mwan]\nqdisc = prio-sfq\n[link ppp0]\n' >/etc/ppp/mwan.ini
ok "a link is no link any more" mwan-rules apply
is "its queue goes" "$(kinds ppp0); $(kinds ppp1 | grep -c sfq)" "$original; 0"
conf prio-sfq
ok "and is one again" mwan-rules apply
printf '[mwan]\nqdisc = prio-sfq\n[link ppp0]\n' >/etc/ppp/mwan.ini
ok "a hook is the first to see that it is none" \
	hook up ppp0 10.64.1.100 10.64.1.1
is "and its queue goes" "$(kinds ppp0); $(kinds ppp1 | grep -c sfq)" "$original; 0"
conf prio-sfq
ok "and is one again" mwan-rules apply
# The same from another file, killed at any time: nothing of the kernel's tells
# whose queue that was.
printf '[mwan]\nqdisc = prio-sfq\n[link ppp0]\n' >"$T/one.ini"
writes mwan-rules apply -f "$T/one.ini" >/dev/null
sent=$(grep -c . "$T/strace")
for n in 1 $((sent / 2)) $((sent - 1)); do
	for next in nothing "a hook"; do
		mwan-rules apply -f /etc/ppp/mwan.ini 2>/dev/null
		is "apply -f is killed at call $n of $sent" "$(strace \
			-o /dev/null -e inject=sendto,sendmsg:signal=KILL:when=$n \
			mwan-rules apply -f "$T/one.ini" 2>/dev/null; echo $?)" 137
		[ "$next" = nothing ] || hook up ppp0 10.64.1.100 2>/dev/null
		mwan-rules apply -f "$T/one.ini" 2>/dev/null
		is "then $next, and apply: its queue goes" \
			"$(kinds ppp0); $(kinds ppp1 | grep -c sfq)" \
			"$original; 0"
	done
done
mwan-rules apply -f /etc/ppp/mwan.ini
ini '[link ppp0]'
ok "flush with a file that does not have it" mwan-rules flush
is "takes both queues away" "$(kinds ppp0; kinds ppp1)" "0: noqueue root
0: noqueue root"
conf prio-sfq
ok "apply" mwan-rules apply

tc qdisc replace dev ppp1 root handle 8: tbf rate 1mbit burst 10k latency 50ms
ok "somebody's own queue" mwan-rules apply
like "is left alone" "$(tc qdisc show dev ppp1)" 'qdisc tbf 8: root'
conf none
ok "none" mwan-rules apply
is "leaves what there is" "$(kinds ppp0)" "$original"
ok "flush" mwan-rules flush
is "takes ours away" "$(kinds ppp0 | grep -c prio)" 0
like "and not somebody's own" "$(tc qdisc show dev ppp1)" 'qdisc tbf 8: root'
done_testing
