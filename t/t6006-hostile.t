#!/bin/bash
# Whatever a caller leaves a hook with, and whatever stands where its files
# should be: the routes are made, one line is logged, and nothing waits.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

log=/var/log/ifchang.log
ini=/etc/ppp/mwan.ini
links_wanted ppp0 ppp1
printf '[mwan]\nqdisc = none\n[link ppp0]\n[link ppp1]\n' >$ini
link_new ppp0 10.64.1.100 10.64.1.1
link_new ppp1 10.64.2.100 10.64.2.1
session=(ppp0 eth9 0 10.64.1.100 10.64.1.1)
mwan-rules apply 2>/dev/null
hook up ppp1 10.64.2.100

# A dynamic binary, as the one under sanitizers is, belongs to its loader, which
# needs some files open; and the sanitizers look for leaks by ptrace(2), as
# strace(1) does.
loader=() few=() traced=(ASAN_OPTIONS=detect_leaks=0)
if ! ldd "$BIN/ip-up.local" >/dev/null 2>&1; then
	loader=(LD_PRELOAD=/poison LD_LIBRARY_PATH=/poison LD_AUDIT=/poison
		LD_BIND_NOW=1 LD_DEBUG=all GLIBC_TUNABLES=glibc.malloc.check=3
		MALLOC_CHECK_=3 MALLOC_PERTURB_=85 MALLOC_TOP_PAD_=9999999)
	few=(3 4 5 6 7) traced=()
fi
poison=("${loader[@]}" PATH=/poison TZ=:/poison TZDIR=/poison LANG=xx_XX.UTF-8
	LC_ALL=xx_XX.UTF-8 LANGUAGE=xx LOCPATH=/poison NLSPATH=/poison/%N
	POSIXLY_CORRECT=1 HOME=/poison TMPDIR=/poison IFS=0 ENV=/poison
	BASH_ENV=/poison HOSTALIASES=/poison RES_OPTIONS=debug
	GCONV_PATH=/poison GETCONF_DIR=/poison SHELL=/poison
	DEVICE=poison SPEED=poison PPPD_PID=poison LINKNAME=poison
	ORIG_UID=poison PEERNAME=poison MACREMOTE=poison ACNAME=poison
	DNS1=poison DNS2=poison CALL_FILE=poison PPPLOGNAME=poison
	USEPEERDNS=poison MWAN=poison MWAN_CONF=/poison CONFIG=/poison
	LOG=/poison)

# fresh: ppp0 as a dial leaves it: its route is gone.
fresh() {
	ip route del default table 201 2>/dev/null
	rm -f "$log"
}

# came NAME STATUS: the route is there, and one line that is a line.
came() {
	local name=$1 want=$2 lines
	lines=$(grep -cE '^ts=[^ ]+ tool=ip-(up|down)\.local pid=[0-9]+ event=(up|down) if=ppp0 [ -~]* took_us=[0-9]+$' \
		"$log" 2>/dev/null)
	is "$name: status, routes, lines, good lines" \
		"$status $(ip route show table 201 | grep -c 'dev ppp0') $(
		wc -l <"$log") $lines" "$want 1 1 1"
}

# --- the environment ---
# seen COMMAND...: its system calls with files, and what it says and logs.
seen() {
	fresh
	strace -qq -e trace=file,network,prctl,capset -e signal=none \
		-o "$T/strace" "$@" 2>&1
	# Addresses of buffers, and execve with its environment.
	sed -E '1d; s/0x[0-9a-f]+/P/g; s/(seq|pid|portid|nl_pid|nlmsg_pid)=[0-9-]+//g' \
		"$T/strace" | grep -oE '^[a-z0-9]+\(("[^"]*"|AT_FDCWD, "[^"]*")?'
	[ ! -e "$log" ] || sed -E 's/^ts=[^ ]+ | (pid|took_us)=[0-9]+//g' "$log"
}

for tool in "ip-up.local ${session[*]}" "ip-down.local ${session[*]}" \
	"mwan-rules apply -n" "cprt -n 201 300"; do
	read -ra words <<<"$tool"
	clean=$(seen env -i "${traced[@]}" "$BIN/${words[0]}" "${words[@]:1}")
	poisoned=$(seen env -i "${traced[@]}" "${poison[@]}" \
		"$BIN/${words[0]}" "${words[@]:1}")
	is "$tool: ${#poison[@]} variables make no difference" "$poisoned" \
		"$clean"
	ok "$tool: something was compared" test "$(wc -l <<<"$clean")" -gt 10
done
is "nothing was looked for where they point" "$(grep -c poison \
	<<<"$poisoned")" 0

# Ten thousand, and as long as the kernel lets one be (MAX_ARG_STRLEN).
mapfile -t many < <(seq -f 'V%.0f=x' 10000)
long=$(head -c 131000 /dev/zero | tr '\0' x)
fresh
env -i "${many[@]}" A="$long" PEERNAME="$long" ACNAME="$long" DNS1="$long" \
	CONNECT_TIME="$long" BYTES_SENT="$long" \
	"$BIN/ip-down.local" "${session[@]}" 2>"$T/msg"
status=$?
came "10,000 variables, five of 128 KB" 0
is "and nothing to say" "$(<"$T/msg")" ""

# --- any bytes ---
# shellcheck disable=SC1003,SC2016 # as they are
evil=("$long" $'\n' $'x\nts=2026-01-01T00:00:00 tool=ip-up.local event=up' '"'
	'\' ' ' '%s%n%x' $'\x1b]0;x\a\x1b[2J' $'\xff\xfe' $'a\r\tb'
	'../../etc/passwd' '$(id)' '; reboot' '-n' '--help' '*' '10.64.1.100 x'
	'0x7f000001' '999.1.1.1' '::1' 'ppp0:1' '10.64.1.100/0')
good=0
bad=()
# evil_event NAME STATUS COMMAND...
evil_event() {
	local name=$1
	shift
	rm -f "$log"
	"$@" >/dev/null 2>"$T/msg"
	status=$?
	if [ $status -le 64 ] && [ "$(wc -l <"$log")" = 1 ] &&
		[ "$(grep -c '^ts=[^ ]* tool=ip-[a-z.]* pid=[0-9]* event=[a-z]* [ -~]* took_us=[0-9]*$' "$log")" = 1 ] &&
		[ "$(wc -l <"$T/msg")" -le 1 ] && ! grep -q '[^ -~]' "$T/msg"
	then
		good=$((good + 1))
	else
		bad+=("$name ($status)")
	fi
}
for bytes in "${evil[@]}"; do
	for key in IFNAME IPLOCAL CONNECT_TIME; do
		evil_event "$key=${bytes:0:20}" env -i IFNAME=ppp0 \
			IPLOCAL=10.64.1.100 "$key=$bytes" "$BIN/ip-down.local"
	done
	# The interface (args[0]) may be an option, and is IFNAME above.
	for i in 1 3 5; do
		args=("${session[@]}" ipparam)
		args[i]=$bytes
		evil_event "argument $i ${bytes:0:20}" env -i "$BIN/ip-up.local" \
			"${args[@]}"
	done
done
is "any bytes: one printable line in the log, one sentence at the most" \
	"${bad[*]}" ""
is "any bytes: tried" "$good" $((${#evil[@]} * 6))

# --- descriptors ---
# with_fds WAY: how descriptors 0 to 2 are left to the command behind it.
with_fds() {
	local way=$1
	shift
	case $way in
	closed) "$@" <&- >&- 2>&- ;;
	"0 closed") "$@" <&- ;;
	"1 closed") "$@" >&- ;;
	"2 closed") "$@" 2>&- ;;
	"1 and 2 closed") "$@" >&- 2>&- ;;
	/dev/full) "$@" </dev/full >/dev/full 2>&1 ;;
	"no reader") (
		trap '' PIPE
		trap - PIPE
		exec 8> >(:)
		wait $!
		"$@" >&8 2>&8
	) ;;
	directory) "$@" </ 1</ 2</ ;;
	read-only) "$@" </etc/passwd 1</etc/passwd 2</etc/passwd ;;
	O_PATH) perl -MPOSIX -e 'sysopen(F, "/", 010000000) or die;
		POSIX::dup2(fileno(F), $_) for 0 .. 2; exec @ARGV' "$@" ;;
	socket) perl -MPOSIX -MSocket -e '
		socketpair(A, B, AF_UNIX, SOCK_STREAM, 0) or die; close(B);
		POSIX::dup2(fileno(A), $_) for 0 .. 2; exec @ARGV' "$@" ;;
	esac
}

for way in closed "0 closed" "1 closed" "2 closed" "1 and 2 closed" \
	/dev/full "no reader" directory read-only O_PATH socket; do
	fresh
	with_fds "$way" timeout 60 env -i "$BIN/ip-up.local" "${session[@]}"
	status=$?
	came "descriptors: $way" 0
	rm -f "$log"
	with_fds "$way" timeout 60 env -i "$BIN/ip-up.local" ppp0 eth9 0 x y
	is "descriptors: $way: a mistake" "$? $(wc -l <"$log")" "64 1"
done
ip route del default table 201
for way in /dev/full "no reader" directory read-only O_PATH socket; do
	with_fds "$way" mwan-rules apply -n
	is "descriptors: $way: commands that nobody got" $? 1
done
fresh
mount --bind "$T" /dev
env -i "$BIN/ip-up.local" "${session[@]}" <&- >&- 2>&-
status=$?
umount /dev
came "descriptors: closed, and no /dev/null" 0

# --- signals and limits ---
# pppd's child has what pppd has.
fresh
perl -MPOSIX -e 'POSIX::sigprocmask(SIG_SETMASK,
	POSIX::SigSet->new(1 .. 30)); exec @ARGV' \
	env -i "$BIN/ip-up.local" "${session[@]}"
status=$?
came "every signal blocked" 0
fresh
(
	trap '' HUP INT QUIT PIPE ALRM TERM CHLD
	env -i "$BIN/ip-up.local" "${session[@]}"
)
status=$?
came "every signal ignored" 0
fresh
(
	ulimit -f 0
	env -i "$BIN/ip-up.local" "${session[@]}" 2>/dev/null
)
is "no file may grow: the route is there" \
	"$? $(ip route show table 201 | grep -c ppp0)" "0 1"
said=$(
	ulimit -f 0
	env -i "$BIN/ip-up.local" "${session[@]}" 2>&1
)
is "no file may grow: the log is skipped" "$said" \
	"ip-up.local: cannot write to the log $log: File too large; allow \
longer files (ulimit -f), and try again"

prlimit=$(command -v prlimit)
# survives LIMIT VALUE...: either all is well, or it says what is missing.
survives() {
	local limit=$1 value well=0 told=0 died=()
	shift
	for value; do
		fresh
		timeout 60 env -i "$prlimit" "--$limit=$value:$value" \
			"$BIN/ip-up.local" "${session[@]}" 2>"$T/msg"
		status=$?
		if [ $status = 0 ] &&
			ip route show table 201 | grep -q 'dev ppp0'; then
			well=$((well + 1))
		elif [ $status -lt 124 ] && [ $status != 0 ] &&
			grep -q '^[a-z.-]*: ' "$T/msg"; then
			told=$((told + 1))
		else
			died+=("$value: $status $(<"$T/msg")")
		fi
	done
	is "$limit of $*: it works, or it says why not" "${died[*]}" ""
	ok "$limit: it has worked at the end ($well, $told)" test $well -gt 0
}
survives nofile "${few[@]}" 8 16
survives stack 65536 131072 262144
survives nproc 0 1
survives memlock 0
survives fsize 1 100 4096
survives core 0
if [ ${#loader[@]} != 0 ]; then
	# Below the size of the program execve(2) itself fails.
	survives data 16000000
	survives as 16000000 24000000
fi

# --- what stands where a file should be ---
# strange NAME PATH SENTENCE-REGEX STATUS: with something there, a hook says so
# and routes all the same; nothing waits for it.
strange() {
	local name=$1 path=$2 regex=$3 want=$4
	ip route del default table 201 2>/dev/null
	timeout 60 env -i "$BIN/ip-up.local" "${session[@]}" 2>"$T/msg"
	is "$name: status, routes" \
		"$? $(ip route show table 201 | grep -c 'dev ppp0')" "$want 1"
	like "$name: a sentence" "$(<"$T/msg")" "$regex"
	rm -rf "$path"
}

# every_kind WHAT PATH REGEX STATUS [LINK-REGEX [DIRECTORY-REGEX]]
every_kind() {
	local what=$1 path=$2 regex=$3 want=$4
	mv "$path" "$T/kept"
	ln -s "$T/kept" "$path"
	strange "$what: a symbolic link" "$path" "${5-$regex}" "$want"
	mkfifo "$path"
	strange "$what: a fifo" "$path" "$regex" "$want"
	mkfifo "$path"
	exec 8<>"$path"
	strange "$what: a fifo that is open" "$path" "$regex" "$want"
	exec 8>&-
	mkdir "$path"
	strange "$what: a directory" "$path" "${6-$regex}" "$want"
	mknod "$path" c 1 5
	strange "$what: /dev/zero" "$path" "$regex" "$want"
	mknod "$path" b 240 0
	strange "$what: a device that is not there" "$path" "$regex" "$want"
	perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => shift,
		Listen => 1) or die' "$path"
	strange "$what: a socket" "$path" "$regex" "$want"
	cp "$T/kept" "$path"
	ln "$path" "$path.2"
	strange "$what: a hard link" "$path" "$regex" "$want"
	rm "$path.2"
	cp "$T/kept" "$path"
	chmod 666 "$path"
	strange "$what: writable by all" "$path" "$regex" "$want"
	cp "$T/kept" "$path"
	chmod 664 "$path"
	chown 65534 "$path"
	strange "$what: somebody else's" "$path" "$regex" "$want"
	mv "$T/kept" "$path"
}

rm -f "$log"
hook up ppp0 10.64.1.100
every_kind "the log" $log "the log $log( is not a plain file|: No such)" 0 \
	"cannot open the log $log: (Too many levels|Symbolic link loop)" \
	"cannot open the log $log: Is a directory"
every_kind "the lock" /run/mwan/lock \
	"the lock /run/mwan/lock( is not a plain file|: No such)" 0 \
	"cannot open the lock .*: (Too many levels|Symbolic link loop)" \
	"cannot open the lock .*: Is a directory"
every_kind "the configuration" $ini \
	"$ini( must be a plain file|: No such| has another name)" 78 \
	"$ini: it is a symbolic link, replace it"
strange "the configuration: mended" /nowhere '^$' 0
for kind in "mkfifo /run/mwan" "touch /run/mwan" "ln -s $T /run/mwan"; do
	rm -rf /run/mwan
	$kind
	strange "the run directory: ${kind%% *}" /run/mwan \
		"directory /run/mwan: (Not a|Too many)" 0
done
mwan-rules apply 2>/dev/null
accepted=/run/mwan/mwan.ini
for kind in "mkfifo $accepted" "mkdir $accepted" "ln -s $ini $accepted" \
	"mknod $accepted c 1 5"; do
	rm -rf $accepted
	$kind
	ip route del default table 201
	timeout 60 env -i "$BIN/ip-up.local" "${session[@]}" 2>/dev/null
	is "what is in force: ${kind%% *}: the route" "$(($? > 78)) $(
		ip route show table 201 | grep -c ppp0)" "0 1"
	rm -rf $accepted
done

# What apply and flush cannot write says what to do, and then they can.
# told NAME SENTENCE CURE COMMAND...
told() {
	local name=$1 sentence=$2 cure=$3
	shift 3
	is "$name: says" "$("$@" 2>&1; echo $?)" "mwan-rules: $sentence
1"
	eval "$cure"
	ok "$name: mended" "$@"
}
sysctl -qw net.ipv4.ip_forward=1
again="remove it, it is made again"
mkdir $accepted.new
told "a directory beside what is in force" "cannot make $accepted.new: Is a \
directory; $again" "rmdir $accepted.new" mwan-rules apply
mwan-rules flush
mkdir $accepted
told "a directory in its place" "cannot write $accepted: Is a directory; $again" \
	"rmdir $accepted" mwan-rules apply
rm $accepted
mkdir $accepted
told "a directory in its place: flush" "cannot remove $accepted: Is a \
directory; remove it by hand, and try again" "rmdir $accepted" mwan-rules flush
mount -t tmpfs -o size=4k,mode=755 tmpfs /run/mwan
dd if=/dev/zero of=/run/mwan/other bs=4k count=1 status=none
told "no room" "cannot write $accepted: No space left on device; make room \
there, and try again" "rm /run/mwan/other" mwan-rules apply
mwan-rules flush
umount /run/mwan
mwan-rules apply
is "what is in force cannot be read" "$(strace -o /dev/null -P $accepted \
	-e inject=read:error=EIO mwan-rules status 2>&1 |
	sed 's|I/O error|Input/output error|'; echo "${PIPESTATUS[0]}")" \
	"mwan-rules: cannot read from $accepted what is in force: Input/output \
error; run \"mwan-rules apply\", which makes it again
1"
sysctl -qw net.ipv4.ip_forward=0
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,ro /proc/sys/net
told "sysctls that are read-only" "cannot set /proc/sys/net/ipv4/ip_forward to \
1: Read-only file system; set it outside of this container, and sysctl = no in \
mwan.ini" "umount /proc/sys/net" mwan-rules apply
mv /etc/iproute2/rt_tables "$T/rt_tables"
printf '[mwan]\nqdisc = none\n[link ppp0]\ntable = 201\n[link ppp1]\n' >$ini
for kind in mkfifo mkdir "mknod -m 644"; do
	device=
	[ "$kind" != "mknod -m 644" ] || device="c 1 5"
	# shellcheck disable=SC2086 # words
	$kind /etc/iproute2/rt_tables $device
	timeout 60 mwan-rules check >/dev/null 2>"$T/msg"
	is "rt_tables: ${kind%% *}" "$? $(<"$T/msg")" "78 mwan-rules: $ini:5: \
link ppp1 has no table: add \"table = NUMBER\" here, or a line \"NUMBER \
ppp1\" to /etc/iproute2/rt_tables"
	rm -rf /etc/iproute2/rt_tables
done
done_testing
