#!/bin/bash
# The log: a line an event whatever happens, and never in the way of routing.
. "$(dirname "$0")/lib/lib.sh"

log=/var/log/ifchang.log
ini '[link ppp0]' 'table = 201'
link_new ppp0 10.64.1.100 10.64.1.1

# up [NAME=VALUE...]: the hook, after which the link's default must be there
# although it was not before.
up() {
	ip route del default table 201 2>/dev/null
	env -i "$@" "$BIN/ip-up.local" ppp0 eth9 0 10.64.1.100 10.64.1.1 \
		2>"$T/msg" </dev/null
	status=$?
	msg=$(<"$T/msg")
	routed=$(ip route show table 201 | grep -c 'default dev ppp0')
}

# --- a file of ours ---
umask 077
up
is "the hook" "$status$msg" 0
is "mode 0640 in spite of pppd's umask" "$(stat -c %a "$log")" 640
umask 022
like "the line" "$(<"$log")" "^ts=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\
\.[0-9]{3}[+-][0-9]{2}:[0-9]{2} tool=ip-up.local pid=[0-9]+ event=up if=ppp0 \
local=10.64.1.100 peer=10.64.1.1 default=ppp0 changes=[1-9][0-9]* \
result=ok took_us=[0-9]+$"
up
is "appended" "$(wc -l <"$log")" 2
rm "$log"

# --- not a file of ours ---
# refused NAME SENTENCE: the log is as it was made before.
refused() {
	up
	is "$1: the routing is done" "$status$routed" 01
	is "$1: a sentence" "$msg" "ip-up.local: $2"
}

odd="the log $log is not a plain file of ours (one name, not writable by \
others) and stays as it is: move it away, it is made again"
or="or name another one (log in mwan.ini)"
plain="put a plain file there, $or"
echo kept >"$T/other"
ln -s "$T/other" "$log"
loop=$(words "Too many levels of symbolic links" "Symbolic link loop")
refused "a symbolic link" "cannot open the log $log: $loop; $plain"
rm "$log"
echo kept >/var/log/other
ln /var/log/other "$log"
refused "a hard link" "$odd"
rm "$log"
is "neither was written to" "$(cat "$T/other" /var/log/other)" "kept
kept"
mkfifo "$log"
refused "a fifo without a reader" "cannot open the log $log: No such device \
or address; $plain"
exec 7<>"$log"
refused "a fifo with a reader" "$odd"
exec 7>&-
rm "$log"
mkdir "$log"
refused "a directory" "cannot open the log $log: Is a directory; $plain"
rmdir "$log"
touch "$log"
chmod 646 "$log"
refused "writable by others" "$odd"
chmod 640 "$log"
chown 65534 "$log"
refused "somebody else's" "cannot open the log $log: Permission denied; let \
user 0 own it and enter its directory, $or"
chmod 660 "$log"
chown 65534:0 "$log"
refused "somebody else's, that we could write" "$odd"
is "and left empty" "$(stat -c %s "$log")" 0
rm "$log"
mkdir /var/log/full
mount -t tmpfs -o size=4k,mode=755 tmpfs /var/log/full
sed -i 's,\[mwan\],&\nlog = /var/log/full/log,' /etc/ppp/mwan.ini
touch /var/log/full/log
dd if=/dev/zero of=/var/log/full/other bs=4k count=1 status=none
refused "a full disk" "cannot write to the log /var/log/full/log: No space \
left on device; make room there, and try again"
umount /var/log/full
mount -t tmpfs -o ro tmpfs /var/log/full
refused "a file system that is read-only" "cannot open the log \
/var/log/full/log: Read-only file system; mount that file system read-write, \
and try again"
umount /var/log/full
rmdir /var/log/full
refused "no directory" "cannot open the log /var/log/full/log: No such file \
or directory; make its directory, $or"
sed -i '/^log =/d' /etc/ppp/mwan.ini

# --- whose time ---
up TZ=XXX+11:11
not_ok "TZ of the environment is not read" grep -q -- '-11:11' "$log"
is "its offset is the system's" \
	"$(grep -o '[+-][0-9][0-9]:[0-9][0-9] ' "$log")" "$(date +%:z) "
rm "$log"
# An /etc whose localtime says +05:45: TZif, version 2, one type in each part, and
# a rule (tzfile(5)). musl takes version 1 for 2.
cp -a /etc "$T/etc"
rm -f "$T/etc/localtime"
{
	for i in 1 2; do
		printf 'TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
		printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
		printf '\0\0\0\1\0\0\0\4\0\0\120\334\0\0NPT\0'
	done
	printf '\nNPT-5:45\n'
} >"$T/etc/localtime"
mount --bind "$T/etc" /etc
up TZ=UTC0
like "/etc/localtime is read" "$(<"$log")" '^ts=[^ ]*\+05:45 tool='
umount /etc
rm "$log"

# --- what others choose cannot forge a line ---
forged=$'1\nts=2026-01-01T00:00:00.000+00:00 tool=ip-up.local event=up if=x'
backslash=\\
env -i CONNECT_TIME="$forged" BYTES_SENT='1" event="up' BYTES_RCVD=12 \
	"$BIN/ip-down.local" ppp0 eth9 0 10.64.1.99 10.64.1.1
is "one line" "$(wc -l <"$log")" 1
like "with what is a number, and nothing else" "$(<"$log")" \
	' peer=10.64.1.1 received=12 default='
rm "$log"
for name in "$forged" 'a" event="up' "b$backslash"; do
	env -i IFNAME="$name" "$BIN/ip-down.local" 2>/dev/null
done
is "three lines" "$(wc -l <"$log")" 3
like "in quotation marks" "$(<"$log")" ' error="IFNAME \\"1\\x0ats=2026'
like "a quotation mark" "$(<"$log")" ' error="IFNAME \\"a\\" event=\\"up\\" can'
like "a backslash" "$(<"$log")" ' error="IFNAME \\"b\\\\\\" cannot'
rm "$log"
env -i "$BIN/ip-up.local" $'pp\np0' eth9 0 10.64.1.100 10.64.1.1 2>/dev/null
env -i "$BIN/ip-up.local" ppp0 eth9 0 $'10.64.1.100\n' 10.64.1.1 2>/dev/null
env -i "$BIN/ip-up.local" $'a\xff=b' eth9 0 10.1.1.1 10.1.1.2 2>/dev/null
is "three mistakes, three lines" "$(grep -c '^ts=.* result=usage ' "$log")" 3
is "and no other" "$(wc -l <"$log")" 3
is "all of it printable ASCII" "$(LC_ALL=C grep -c '[^ -~]' "$log")" 0
rm "$log"
# A value that is too long is cut, and the end of the line is there.
quotes=$(printf '"%.0s' {1..599})
for n in 1 200 {247..257} 350 599; do
	env -i IFNAME="${quotes:0:n}" "$BIN/ip-down.local" 2>/dev/null
done
is "long values" "$(grep -cE '^ts=.* error=".*" result=usage took_us=[0-9]+$' \
	"$log")" 15
is "are cut" "$(grep -c '\.\.\." result=' "$log")" 8
is "none is longer than a line may be" "$(awk 'length > 800' "$log")" ""
rm "$log"

# --- descriptors 0 to 2 may be closed ---
(
	exec <&- >&- 2>&-
	env -i "$BIN/ip-up.local" ppp0 eth9 0 10.64.1.100 10.64.1.1
)
is "closed: the hook" $? 0
(
	exec <&- >&- 2>&-
	env -i "$BIN/ip-up.local" ppp0 eth9 0 nonsense 10.64.1.1
)
is "closed: a mistake" $? 64
is "closed: two lines, and no message between them" \
	"$(grep -c '^ts=' "$log") $(wc -l <"$log")" "2 2"
strace -f -e trace=openat,open,socket -o "$T/strace" "$BIN/ip-up.local" \
	ppp0 eth9 0 10.64.1.100 10.64.1.1 <&- >&- 2>&-
like "closed: they are taken by /dev/null" "$(grep -c \
	'/dev/null.* = [012]$' "$T/strace")" 3
is "closed: and by nothing else that stays open" "$(grep ' = [012]$' \
	"$T/strace" | sed '0,/ = 2$/d')" ""
done_testing
