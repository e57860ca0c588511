#!/bin/bash
# The lock: one at a time, never for long, and never in the way of routing
# when it cannot be had at all.
. "$(dirname "$0")/lib/lib.sh"

log=/var/log/ifchang.log
ini '[link ppp0]' 'table = 201'
link_new ppp0 10.64.1.100 10.64.1.1

up() {
	ip route del default table 201 2>/dev/null
	hook up ppp0 10.64.1.100 10.64.1.1 2>"$T/msg"
	status=$?
	msg=$(<"$T/msg")
	routed=$(ip route show table 201 | grep -c 'default dev ppp0')
}

now_ms() {
	date +%s%3N
}

# --- the run directory ---
umask 022
up
is "the hook" "$status$msg" 0
is "/run/mwan is made, and nobody else can write there" \
	"$(stat -c '%a %u' /run/mwan)" "755 0"
is "nor lock us out" "$(stat -c '%a %u' /run/mwan/lock)" "600 0"
inode=$(stat -c %i /run/mwan/lock)
up
is "the lock stays" "$(stat -c %i /run/mwan/lock)" "$inode"

# --- somebody holds it ---
# hold: in the background until $holder is killed. A shared lock is enough to
# keep out who wants it for himself alone.
hold() {
	rm -f "$T/held"
	flock -s /run/mwan/lock bash -c "echo >'$T/held'; exec cat <>'$T/pipe'" &
	holder=$!
	wait_for 5 test -e "$T/held"
}
mkfifo "$T/pipe"
hold
rm -f "$log"
for tool in "hook up ppp0 10.64.1.100" "hook down ppp0 10.64.1.100" \
	"mwan-rules apply" "mwan-rules flush"; do
	start=$(now_ms)
	# Somebody else who waits as long, on the same machine.
	(timeout 1.5 tail -f /dev/null; now_ms >"$T/other") &
	other=$!
	# shellcheck disable=SC2086 # words
	$tool 2>"$T/msg"
	is "busy: $tool: status" $? 75
	took=$(($(now_ms) - start))
	wait "$other"
	other=$(($(<"$T/other") - start))
	ok "busy: $tool: waits for 1.5 s, not twice what that takes another" \
		test $((took >= 1450 && took <= 2 * other)) = 1 ||
		diag "$took ms, the other $other ms"
	is "busy: $tool: a sentence" "$(cut -d' ' -f 2- "$T/msg")" \
		"/run/mwan/lock is held by another process for more than \
1500 ms: try again, or see who holds it with \"fuser /run/mwan/lock\""
done
is "busy: a line each" "$(grep -c ' event=busy ' "$log")" 4
is "busy: and no other" "$(wc -l <"$log")" 4
sysctl -qw net.ipv4.ip_forward=1
is "status needs no lock, and sees that nothing is in force" \
	"$(mwan-rules status --json |
		jq -r '.status, .problems[].kind')" "1
not-in-force"
is "nor does -n" "$(status mwan-rules apply -n)" 0

# --- who holds it dies, in the middle of the wait ---
# shellcheck disable=SC2317 # wait_for calls it
has_lock_open() {
	find "/proc/$1/fd" -lname /run/mwan/lock | grep -q .
}
disown "$holder"
children=$(pgrep -P "$holder")
env -i "$BIN/ip-up.local" ppp0 eth9 0 10.64.1.100 10.64.1.1 &
waiting=$!
wait_for 5 has_lock_open "$waiting"
# shellcheck disable=SC2086 # words
kill -9 $children "$holder"
wait "$waiting"
is "freed by the death of its holder" $? 0
up
is "and free" "$status$routed$msg" 01

# --- nobody inherits it ---
strace -f -e trace=openat,open -o "$T/strace" "$BIN/mwan-rules" apply
is "every file is closed on exec" "$(grep -v O_CLOEXEC "$T/strace" |
	grep -v -e ENOENT -e /dev/null -e /etc/localtime -e zoneinfo \
		-e /proc/self -e /sys/ |
	grep -c open)" 0
ok "the lock was among them" grep -q '"lock".*O_CLOEXEC' "$T/strace"

# --- what is not a run directory of ours: a warning, and on ---
# strange NAME SENTENCE
strange() {
	up
	is "$1: goes on" "$status$routed" 01
	is "$1: a warning" "$msg" "ip-up.local: $2"
	like "$1: in the log too" "$(tail -n 1 "$log")" ' warning="'
}

mwan-rules flush
rm -r /run/mwan
again="remove it, it is made again"
mkdir "$T/elsewhere"
ln -s "$T/elsewhere" /run/mwan
strange "a symbolic link" "cannot open the directory /run/mwan: Not a \
directory; $again"
is "nothing was made behind it" "$(ls "$T/elsewhere")" ""
rm /run/mwan
mkdir -m 700 /run/mwan
chown 65534 /run/mwan
strange "somebody else's" "/run/mwan is not ours alone (owner 65534, mode \
0700): $again"
chown 0 /run/mwan
chmod 1777 /run/mwan
strange "writable by all" "/run/mwan is not ours alone (owner 0, mode 1777): \
$again"
rmdir /run/mwan
echo >/run/mwan
strange "a file" "cannot open the directory /run/mwan: Not a directory; $again"
rm /run/mwan
mkdir -m 700 /run/mwan
ln -s /etc/passwd /run/mwan/lock
strange "a lock that is a symbolic link" "cannot open the lock \
/run/mwan/lock: $(words "Too many levels of symbolic links" \
	"Symbolic link loop"); $again"
rm /run/mwan/lock
mkdir /run/mwan/lock
strange "a lock that is a directory" "cannot open the lock /run/mwan/lock: \
Is a directory; $again"
rmdir /run/mwan/lock
rmdir /run/mwan
mount -o remount,ro /run
strange "/run is read-only" "cannot make /run/mwan: Read-only file system; \
mount that file system read-write, and try again"
mount -o remount,rw /run
up
is "and all is well again" "$status$routed$msg" 01

# --- two at once do not disturb each other ---
rm "$log"
for i in 1 2 3 4 5 6 7 8; do
	hook up ppp0 10.64.1.100 &
done
failed=0
for i in $(jobs -p); do
	wait "$i" || failed=$((failed + 1))
done
is "eight at once" "$failed $(grep -c 'event=up .*result=' "$log")" "0 8"

# --- a slow log holds up no other link ---
for name in ppp0 ppp9; do
	"${bare[@]}" strace -o "$T/trace" \
		-e "trace=?open,openat,close" "$BIN/ip-up.local" $name eth1 0 \
		10.64.1.100 10.64.1.1
	is "$name: the lock goes before the log is opened" "$(awk '
		/"lock"/	{ fd = $NF }
		fd && /^close/ && index($0, "(" fd ")") { print "free"; fd = "" }
		/ifchang.log/	{ print "log" }' "$T/trace" | paste -sd' ')" \
		"free log"
done
done_testing
