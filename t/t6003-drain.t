#!/bin/bash
# A link that is put aside: mwan-rules drain and undrain, on kernel state.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/links.sh
. "$root/t/lib/links.sh"

shows() { # LINK: its state in status
	mwan-rules status | awk -v link="$1" '$1 == link { print $2 }'
}

links_wanted ppp0 ppp1 ppp2
printf '[mwan]\nqdisc = none\nbalance = source\n[link ppp0]\n[link ppp1]
[link ppp2]\n' >/etc/ppp/mwan.ini

# --- what is refused ---
is "drain without apply: status" "$(status mwan-rules drain ppp0)" 64
like "drain without apply: why" "$(mwan-rules drain ppp0 2>&1)" \
	'^mwan-rules: nothing is in force that ppp0 could be put aside from: run "mwan-rules apply" first$'
is "drain without apply: nothing is written" \
	"$(ip rule | grep -c 119; ls /run/mwan)" "0
lock"
is "no link is named: status" "$(status mwan-rules drain)" 64
is "-f is refused: status" \
	"$(status mwan-rules drain ppp0 -f /etc/ppp/mwan.ini)" 64
mwan-rules apply
for i in 0 1 2; do
	link_up $i
done
is "an unknown link: status" "$(status mwan-rules undrain ppp7)" 64
is "an unknown link: the known ones" "$(mwan-rules drain ppp7 2>&1)" \
	'mwan-rules: there is no link "ppp7"; the links are: ppp0, ppp1, ppp2'

# --- drain and undrain ---
all=$(state)
is "three links are one group" "$(group 77257)" 77001/77002/77003
dry=$(mwan-rules drain ppp0 -n)
is "drain -n changes nothing" "$(state)" "$all"
is "drain the primary" "$(status mwan-rules drain ppp0)" 0
like "the log" "$(log_last)" \
	'event=drain if=ppp0 drained=ppp0 links=3 changes=[0-9]+ result=ok'
is "it is out of the group" "$(group 77257)" 77002/77003
is "and in the last one" "$(group 77256)" 77001
is "which stands behind the tiers" \
	"$(ip route show table 200 | sed -n \
		's/\(default nhid [0-9]*\) .*\(metric [0-9]*\).*/\1 \2/p')" \
	"default nhid 77257 metric 1
default nhid 77256 metric 256"
is "its established flows stay" "$(way mark 1)" "dev ppp0"
is "so do those of its address" "$(way from 10.64.0.100)" "dev ppp0"
is "unmarked traffic does not" "$(way)" "dev ppp1"
is "status: drained" "$(shows ppp0)" drained
is "status: all well" "$(status mwan-rules status)" 0
drained=$(state)
mwan-rules drain ppp0
like "drain again: unchanged" "$(log_last)" 'changes=0 result=unchanged'
mwan-rules undrain ppp0
like "undrain: the log" "$(log_last)" 'event=undrain if=ppp0 links=3 .*result=ok'
is "undrain: one group again" "$(group 77257) $(group 77256)" \
	"77001/77002/77003 "
is "undrain: nothing is kept" "$(ls -I verified /run/mwan)" "lock
mwan.ini"
is "undrain: the primary need not move back" "$(way)" "dev ppp1"
mwan-rules undrain ppp0
like "undrain again: unchanged" "$(log_last)" 'changes=0 result=unchanged'
# The primary is ppp1 now, and the commands were made with ppp0.
ip rule add pref 32768 lookup 201 protocol 119
ip rule del pref 32768 lookup 202 protocol 119
ip route prepend default dev ppp0 table 253 metric 65536 protocol 119
ip route del default dev ppp1 table 253 metric 65536 protocol 119
is "as before" "$(state)" "$all"
ok "what -n has printed can be run" sh -e <<<"$dry"
is "and does the same" "$(state) $(cat /run/mwan/drained)" "$drained ppp0"

# --- it is kept ---
link_down 0
is "down and drained is not degraded" \
	"$(shows ppp0) $(status mwan-rules status)" "down,drained 0"
is "its mark goes by the others" "$(way mark 1 | grep -c 'ppp[12]')" 1
link_up 0
is "kept over a redial" "$(group 77257) $(group 77256)" "77002/77003 77001"
like "the hook's line names it" "$(log_last)" 'event=up .*drained=ppp0 '
printf 'weight = 3\n' >>/etc/ppp/mwan.ini
mwan-rules apply
is "kept over another configuration" "$(group 77257) $(group 77256)" \
	"77002/77003,3 77001"
link_down 2
is "drain a link that is down" "$(status mwan-rules drain ppp2)" 0
link_up 2
is "it comes up drained" "$(group 77257) $(group 77256)" "77002 77001/77003,3"
echo tun0 >>/run/mwan/drained
is "drain the last one" "$(mwan-rules drain ppp1 2>&1)" "mwan-rules: no other \
link is up: what is drained (ppp0,ppp1,ppp2) stays in use until one is"
like "the log says so, too" "$(log_last)" 'note="no other link is up: .*result=ok'
is "a name that is no link's is dropped" "$(cat /run/mwan/drained)" "ppp0
ppp1
ppp2"
is "all are used" "$(group 77257) $(group 77256)" " 77001/77002/77003,3"
like "unmarked traffic has a way" "$(way)" "dev ppp"
is "status" "$(shows ppp1) $(status mwan-rules status)" "drained 0"
mwan-rules undrain ppp1
is "unmarked traffic goes by what is not drained" "$(way)" "dev ppp1"

# --- no way is ever missing meanwhile ---
for ((i = 0; i < 1000; i++)); do
	echo "route get 192.0.2.1 mark $((i % 4))"
done >"$T/gets"
while [ ! -e "$T/enough" ]; do
	cat "$T/gets"
	echo asked >>"$T/asked"
done | ip -force -batch - >"$T/ways" 2>&1 &
asking=$!
wait_for 20 test -s "$T/ways"
for _ in {1..10}; do
	mwan-rules drain ppp1
	mwan-rules undrain ppp1
done >/dev/null 2>&1
touch "$T/enough"
wait $asking
asked=$((1000 * $(wc -l <"$T/asked")))
is "each of $asked questions during 20 changes has an answer" \
	"$(grep -c 'dev ppp' "$T/ways")" "$asked"

# --- a file that is not ours ---
rm /run/mwan/drained
ln -s /etc/passwd /run/mwan/drained
why='cannot read which links are drained from /run/mwan/drained: it must be a plain file of root.s that nobody else can write; remove it'
is "drain refuses it: status" "$(status mwan-rules drain ppp0)" 1
like "drain refuses it: why" "$(mwan-rules drain ppp0 2>&1)" "^mwan-rules: $why$"
ok "a hook goes on" hook up ppp0 10.64.0.100
like "and says so" "$(log_last)" "warning=\"$why\""
is "with all links" "$(group 77257)" 77001/77002/77003,3
is "status is not content" "$(status mwan-rules status)" 1
rm /run/mwan/drained
mkfifo /run/mwan/drained
is "nor is a pipe taken, or waited for" "$(status mwan-rules drain ppp0)" 1
rm /run/mwan/drained

# --- flush forgets ---
mwan-rules drain ppp0
touch /run/mwan/mwan.ini.new /run/mwan/drained.new
mwan-rules flush
is "flush removes both files, and what a killed write has left" "$(ls /run/mwan)" lock
mwan-rules apply
is "and no link is drained any more" "$(group 77257)" 77001/77002/77003,3
done_testing
