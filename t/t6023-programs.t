#!/bin/bash
# Programs in /etc/ppp/mwan.d: what they are told, that they hold up nobody, how
# many there are at the most, and which files are none.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
# shellcheck disable=SC2016 # the programs expand their variables
. "$(dirname "$0")/lib/lib.sh"

dir=/etc/ppp/mwan.d

program() { # NAME LINE...: a script, whose output is collected
	local name=$1
	shift
	printf '%s\n' '#!/bin/bash' "$@" >"$dir/$name"
	chmod 755 "$dir/$name"
}

# told FILE TEXT: that is the last line there, by and by.
told() {
	wait_for 5 sh -c "tail -n1 '$1' | grep -qxF -- '$2'"
}

# ours: how many processes there are in this test's network namespace, in $ours.
# It starts none, which would count itself or not as the moment has it.
ours() {
	local process

	ours=0
	for process in /proc/[0-9]*; do
		[ ! "$process/ns/net" -ef /proc/self/ns/net ] || ((++ours))
	done
}

# settled: those that the tools have left are gone.
settled() {
	ours
	test "$ours" -le $((idle + BASH_SUBSHELL))
}

ours
idle=$ours
links_wanted ppp0 ppp1
ini '[link ppp0]' '[link ppp1]'
mwan-rules apply 2>/dev/null

# --- without the directory ---
link_new ppp0 10.64.1.100 10.64.1.1
is "no directory: nothing is forked, and it is looked for once" \
	"$(strace -f -qq -e "trace=process,?open,openat" -o "$T/strace" \
		"$BIN/ip-up.local" ppp0 e 0 10.64.1.100 10.64.1.1
	grep -cE '(fork|clone3?)[(]' "$T/strace"
	grep -c "$dir" "$T/strace")" "0
1"
not_ok "and no file is made" test -e /run/mwan/events

# --- what a program is told ---
mkdir $dir
program all 'env | sort | grep -v "^_=\|^PWD=\|^SHLVL=" >'"$T/env.new" \
	"mv $T/env.new $T/env" \
	'echo "$LINK $EVENT $STATE $ADDRESS" >>'"$T/all"
link_new ppp1 10.64.2.100 10.64.2.1
hook up ppp1 10.64.2.100 10.64.2.1
ok "a hook: it is told" told "$T/all" "ppp1 up up 10.64.2.100"
is "and, the first time, of each link that is up" "$(sort "$T/all")" \
	"ppp0 up up 10.64.1.100
ppp1 up up 10.64.2.100"
like "its environment" "$(sed 's/^TIME=....-..-..T..:..:..[+-]....$/TIME=now/' \
	"$T/env")" '^ADDRESS6=
ADDRESS=10.64.2.100
CARRIED_BY=ppp1
EVENT=up
LINK=ppp1
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PEER=10.64.2.1
STATE6=down
STATE=up
TIME=now$'
program self "tr '\\0' ' ' </proc/\$\$/cmdline >$T/self" \
	"readlink /proc/\$\$/fd/[012] /proc/\$\$/cwd >>$T/self" \
	"umask >>$T/self" "mv $T/self $T/done"
program open "exec ls /proc/self/fd >$T/open"
program status "exec grep -E '^(Cap(Eff|Inh)|NoNewPrivs|Sig(Ign|Blk))' \
/proc/self/status >$T/status"
hook down ppp1 10.64.2.100
wait_for 5 settled
ok "told again of nothing that is as it was" test "$(grep -c . "$T/all")" = 2
ip addr flush dev ppp1
hook down ppp1 10.64.2.100
ok "down" told "$T/all" "ppp1 down down "
is "who carries its traffic" "$(grep CARRIED "$T/env")" "CARRIED_BY=ppp0"
wait_for 5 test -e "$T/done"
wait_for 5 settled
# The fourth descriptor is for the directory that ls reads.
is "no arguments, nothing open, no signal ignored" \
	"$(cat "$T/done" "$T/open" "$T/status")" \
	"/bin/bash $dir/self /dev/null
/dev/null
/dev/null
/
0022
0
1
2
3
SigBlk:	0000000000000000
SigIgn:	0000000000000000
CapInh:	0000000000000000
CapEff:	0000000000001000
NoNewPrivs:	1"
rm "$dir/self" "$dir/open" "$dir/status"
ip addr add 10.64.2.101 peer 10.64.2.1 dev ppp1
hook up ppp1 10.64.2.101 10.64.2.1
ok "up" told "$T/all" "ppp1 up up 10.64.2.101"
ip addr del 10.64.2.101/32 peer 10.64.2.1 dev ppp1
ip addr add 10.64.2.102 peer 10.64.2.1 dev ppp1
hook up ppp1 10.64.2.102 10.64.2.1
ok "another address" told "$T/all" "ppp1 address up 10.64.2.102"
mwan-rules drain ppp1
ok "drained" told "$T/all" "ppp1 drained drained 10.64.2.102"
mwan-rules undrain ppp1
ok "undrained" told "$T/all" "ppp1 up up 10.64.2.102"
mwan-rules flush 2>/dev/null
ok "flushed" told "$T/all" "ppp1 flushed flushed 10.64.2.102"
mwan-rules apply
ok "applied" told "$T/all" "ppp1 up up 10.64.2.102"
is "what -n, status and why do is no event" "$(mwan-rules apply -n
	mwan-rules status >/dev/null
	mwan-rules drain -n ppp0 >/dev/null
	wait_for 5 settled
	wc -l <"$T/all")" "$(wc -l <"$T/all")"

# --- IPv6 alone ---
# Its state changes with the link's, or alone.
program six 'echo "$LINK $EVENT $STATE $STATE6" >>'"$T/six"
held6() { # [SECONDS]: so long, as mwan-rules watch writes it down
	rm -f /run/mwan/held
	[ -z "${1-}" ] || awk -v s="$1" '{ printf "ppp1 %d ipv6\n", $1 + s }' \
		/proc/uptime >/run/mwan/held
	hook up ppp1 10.64.2.102 10.64.2.1
}
ini 'ipv6 = yes' '[link ppp0]' 'prefix6 = 2001:db8:a00::/56' '[link ppp1]' \
	'prefix6 = 2001:db8:b00::/56'
mwan-rules apply 2>/dev/null
for i in 0 1; do
	sysctl -qw net.ipv6.conf.ppp$i.disable_ipv6=0
	ip -6 addr add fe80::a$i peer fe80::b$i/128 dev ppp$i nodad
done
held6
ok "an address of it: as ever" told "$T/six" "ppp1 address up up"
held6 600
ok "IPv6 is held alone" told "$T/six" "ppp1 ipv6-held up held"
held6
ok "and back" told "$T/six" "ppp1 ipv6-up up up"
mwan-rules drain ppp1
ok "drained: both" told "$T/six" "ppp1 drained drained drained"
mwan-rules undrain ppp1
ok "undrained" told "$T/six" "ppp1 up up up"
cp "$root/etc/mwan.d/mail" "$dir/mail"
sed -i "s|sendmail -t|cat >$T/mail|" "$dir/mail"
held6 600
ok "the sample for mail says it" wait_for 5 grep -q "^Subject: .*ppp1's IPv6 is held" \
	"$T/mail"
held6
rm "$dir/six" "$dir/mail"
ini '[link ppp0]' '[link ppp1]'
mwan-rules apply 2>/dev/null
ok "without IPv6 again" told "$T/all" "ppp1 address up 10.64.2.102"
mwan-rules drain ppp1
ok "drained" told "$T/all" "ppp1 drained drained 10.64.2.102"
mwan-rules undrain ppp1
ok "undrained" told "$T/all" "ppp1 up up 10.64.2.102"
wait_for 5 settled

# --- two that serve one program ---
# The first one has done its work and is stopped before it looks again for what
# came meanwhile: the next event, which the second one tells.
before=$(wc -l <"$T/all")
strace -f -qq -o /dev/null -e trace=flock \
	-e inject=flock:delay_exit=1500000:when=1 "$BIN/mwan-rules" drain ppp1 &
slow=$!
ok "the first one tells" told "$T/all" "ppp1 drained drained 10.64.2.102"
ok "and serves no more" wait_for 10 flock -n /run/mwan/events/.all true
mwan-rules undrain ppp1
ok "the second one tells" told "$T/all" "ppp1 up up 10.64.2.102"
wait "$slow"
wait_for 5 settled
is "nothing is told twice" "$(tail -n +$((before + 1)) "$T/all")" \
	"ppp1 drained drained 10.64.2.102
ppp1 up up 10.64.2.102"

# --- which files are programs ---
for name in a.sh .hidden 'b~' c.dpkg-old; do
	program "$name" "echo \$0 >>$T/none"
done
program d "echo \$0 >>$T/none"
chmod 644 "$dir/d"
program e "echo \$0 >>$T/none"
chown 65534 "$dir/e"
program f "echo \$0 >>$T/none"
chmod 775 "$dir/f"
mkdir "$dir/g"
program h-_9 "echo \$0 >>$T/h"
program "$(printf 'x%.0s' {1..70})" "echo \$0 >>$T/none"
printf 'no script\n' >"$dir/i"
chmod 755 "$dir/i"
mwan-rules drain ppp1
ok "a program" told "$T/h" "$dir/h-_9"
ok "the other one, beside files that are none" told "$T/all" \
	"ppp1 drained drained 10.64.2.102"
not_ok "nothing else was started" test -e "$T/none"
wait_for 5 settled
chmod 777 $dir
mwan-rules undrain ppp1
wait_for 5 settled
chmod 755 $dir
mwan-rules drain ppp1
wait_for 5 settled
mwan-rules undrain ppp1
ok "they are told" told "$T/all" "ppp1 up up 10.64.2.102"
is "a directory that others may write to: none is started" \
	"$(tail -n 3 "$T/all")" "ppp1 up up 10.64.2.102
ppp1 drained drained 10.64.2.102
ppp1 up up 10.64.2.102"
said() { # what status says of programs
	mwan-rules status --json |
		jq -r '.problems[] | select(.kind == "program") | .text' | sort
}
is "status says it of what looks like one" "$(said)" \
	"/etc/ppp/mwan.d/a.sh is not started, because its name has a dot: \"mv /etc/ppp/mwan.d/a.sh /etc/ppp/mwan.d/a\".
/etc/ppp/mwan.d/e is not started, because others than root can write to it: \
\"chown root /etc/ppp/mwan.d/e; chmod 755 /etc/ppp/mwan.d/e\".
/etc/ppp/mwan.d/f is not started, because others than root can write to it: \
\"chown root /etc/ppp/mwan.d/f; chmod 755 /etc/ppp/mwan.d/f\"."
chmod 777 $dir
like "and of the directory" "$(said)" "Others than root can write to $dir, "
chmod 755 $dir
said | grep -o '"[^"]*"' | tr -d '"' >"$T/advice"
ok "what it says helps" sh -e "$T/advice"
is "and nothing is left" "$(said)" ""
rm -r "${dir:?}"/*

# --- the samples ---
mount -t tmpfs tmpfs /usr/local/bin
for name in sendmail mosquitto_pub curl; do
	{
		printf '#!/bin/sh\nfor a; do echo "$a"; done >>%s\n' "$T/$name"
		[ $name != sendmail ] || echo "cat >>$T/$name"
	} >/usr/local/bin/$name
	chmod 755 /usr/local/bin/$name
done
cp "$root"/etc/mwan.d/* $dir
mwan-rules drain ppp1
ok "the samples are started" wait_for 5 sh -c "
	grep -q goes '$T/sendmail' && grep -q http '$T/curl' &&
	test \$(grep -c ^10.64 '$T/mosquitto_pub') = 2"
wait_for 5 settled
is "mail" "$(grep -A 4 ^Subject "$T/sendmail" | grep -A 4 ppp1 |
	sed 's/^[^ ]* //; 4,$d' | paste -sd' ' | sed 's/^[^ ]* //')" \
	"ppp1 is drained  ppp1 is drained (10.64.2.102)."
is "webhook" "$(sed -n '/^{/,/}$/p' "$T/curl" | jq -c 'select(.link == "ppp1")
	| del(.time)')" '{"link":"ppp1","event":"drained","state":"drained","state6":"down","address":"10.64.2.102","carried_by":"ppp1"}'
is "mqtt" "$(paste -sd' ' "$T/mosquitto_pub" | sed 's/ -h/\n-h/g' |
	grep ppp1/state)" \
	"-h mqtt.example.org -t mwan/ppp1/state -r -m drained"
umount /usr/local/bin
rm -r "${dir:?}"/*
mwan-rules undrain ppp1
program all 'echo "$LINK $EVENT $STATE $ADDRESS" >>'"$T/all"

# --- one that sleeps for ever ---
program sleeper "echo begun >>$T/sleeper" 'sleep 7777 &' 'exec sleep 7777'
begin=${EPOCHREALTIME/./}
mwan-rules drain ppp1
mwan-rules undrain ppp1
took=$((${EPOCHREALTIME/./} - begin))
ok "the others are told ($took us)" told "$T/all" "ppp1 up up 10.64.2.102"
ok "it sleeps" wait_for 5 grep -q begun "$T/sleeper"
for i in 1 2 3 4 5; do
	mwan-rules drain ppp1
	mwan-rules undrain ppp1
done
is "and is not started beside itself" "$(wc -l <"$T/sleeper")" 1
ok "the others are still told" told "$T/all" "ppp1 up up 10.64.2.102"
# It has had "drained" or "up"; "up" is what is left to tell.
ok "after 30 seconds it is ended, and told the last" \
	wait_for 90 sh -c "test \$(wc -l <$T/sleeper) -ge 2"
rm "$dir/sleeper"
ok "... with all that it had started" wait_for 90 settled

# --- 64 links flapping ---
links=64
# Which lines they reach does not depend on how many they are.
[[ $BIN != */coverage/bin ]] || links=8
for ((i = 0; i < links; i++)); do
	echo "$((300 + i)) wan$i" >>/etc/iproute2/rt_tables
	echo "link add wan$i arp off type veth peer name peer$i"
	echo "link set wan$i up"
	echo "link set peer$i up"
	printf '[link wan%d]\n' "$i" >>/etc/ppp/mwan.ini
done >"$T/batch"
ip -batch "$T/batch"
mwan-rules apply 2>/dev/null
program slow 'sleep 0.05' 'echo "$LINK $STATE $ADDRESS" >>'"$T/slow"
flap() { # LINK: many times, and up at last
	local k

	for k in 0 1 2; do
		ip addr add "10.9.$1.$k" peer 10.9.0.1 dev "wan$1"
		hook up "wan$1" "10.9.$1.$k"
		[ $k != 2 ] || return
		ip addr flush dev "wan$1"
		hook down "wan$1" "10.9.$1.$k"
	done 2>/dev/null
}
pids=()
for ((i = 0; i < links; i++)); do
	flap "$i" &
	pids+=($!)
done
most=0
while jobs -pr | grep -q .; do
	ours
	((ours - idle <= most)) || most=$((ours - idle))
	pause 0.5
done
wait "${pids[@]}"
# A hook that found the lock busy leaves its link to who had it.
mwan-rules apply 2>/dev/null
# Each flap() is a shell with a hook or ip, which may have left a process that is
# about to end; besides, two programs and who works for them.
diag "at the most $most processes for $links links that flap and 2 programs"
ok "there are no more processes than hooks and programs" \
	test "$most" -le $((4 * links))
ok "the last state of each link is told, also to the slow one" wait_for 60 sh -c "
	for i in \$(seq 0 $((links - 1))); do
		grep \"^wan\$i \" $T/slow | tail -n1 |
			grep -qx \"wan\$i up 10.9.\$i.2\" || exit 1
	done"
ok "and in the end no process is left" wait_for 30 settled
done_testing
