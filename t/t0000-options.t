#!/bin/bash
# Options, usage errors and exit statuses of the hooks and of mwan-rules.
. "$(dirname "$0")/lib/lib.sh"

ini '[link ppp0]' 'table = 201'

# run COMMAND...: its output in $out, its messages in $msg, $status.
run() {
	"$@" >"$T/out" 2>"$T/msg" </dev/null
	status=$?
	out=$(<"$T/out")
	msg=$(<"$T/msg")
}

# refuses STATUS SENTENCE COMMAND...: nothing on stdout, one sentence.
refuses() {
	local want=$1 sentence=$2
	shift 2
	run "$@"
	is "$*: status" "$status" "$want"
	is "$*: sentence" "$msg" "$sentence"
	is "$*: nothing else" "$out" ""
}

# --- all of them ---
for tool in ip-up.local ip-down.local mwan-rules; do
	run "$tool" --help
	is "$tool --help: status" "$status" 0
	like "$tool --help: usage" "$out" "^Usage: $tool "
	like "$tool --help: its manual" "$out" "See $tool\(8\)\.$"
	is "$tool --help: no line is too long" \
		"$(awk 'length > 80' <<<"$out")" ""
	is "$tool --help: no message" "$msg" ""
	whole=$out
	run "$tool" -h
	is "$tool -h: the same" "$status $out" "0 $whole"
	run "$tool" --version
	is "$tool --version: status" "$status" 0
	like "$tool --version" "$out" "^$tool [0-9]+\.[0-9]+\.[0-9]+$"
	is "$tool --version: no message" "$msg" ""
done

# One table has the commands: what is said when there is none names them all.
commands=$(mwan-rules 2>&1 | sed 's/.*missing: //; s/;.*//; s/,//g; s/ or / /')
usage=$(mwan-rules --help)
is "commands" "$(wc -w <<<"$commands" | awk '{ print ($1 > 9) }')" 1
for command in $commands; do
	like "usage: $command" "$usage" "(^Usage:|
      ) mwan-rules $command( |$|
)"
	like "usage: what $command does" "$usage" "
  $command +[a-z]"
done
is "asking changes nothing" "$(ls -d /run/mwan /var/log/* 2>/dev/null)" ""

# --- mwan-rules ---
refuses 64 "mwan-rules: a command is missing: init, apply, flush, status, history, \
check, why, watch, drain, undrain, up, down or prefix; see mwan-rules --help" mwan-rules
refuses 64 "mwan-rules: nothing is expected after apply, but there is \
\"flush\"; see mwan-rules --help" mwan-rules apply flush
refuses 64 "mwan-rules: unknown command \"appply\"; see mwan-rules --help" \
	mwan-rules appply
refuses 64 "mwan-rules: unknown option \"-x\"; see mwan-rules --help" \
	mwan-rules check -x
refuses 64 "mwan-rules: unknown option \"--verbose\"; see mwan-rules --help" \
	mwan-rules check --verbose
refuses 64 "mwan-rules: a file's name is missing after \"-f\"; see \
mwan-rules --help" mwan-rules check -f
refuses 64 "mwan-rules: a file's name is missing after \"-f\"; see \
mwan-rules --help" mwan-rules check -f ""
refuses 64 "mwan-rules: one link's name is expected after \"up\"; see \
mwan-rules --help" mwan-rules up
refuses 64 "mwan-rules: one link's name is expected after \"down\"; see \
mwan-rules --help" mwan-rules down ppp0 10.64.1.100
refuses 64 "mwan-rules: -f does not go with \"up\"; see mwan-rules --help" \
	mwan-rules up ppp0 -f /etc/ppp/mwan.ini
refuses 64 "mwan-rules: an interface's name is expected, not \"a/b\"; see \
mwan-rules --help" mwan-rules up a/b
refuses 64 "mwan-rules: an address is expected, not \"dhcp\"; see mwan-rules \
--help" mwan-rules up ppp0 dhcp
refuses 64 "mwan-rules: a router's address of the same family is expected, not \
\"fe80::1\"; see mwan-rules --help" mwan-rules up ppp0 10.64.1.100 fe80::1
refuses 64 "mwan-rules: a router's address of the same family is expected, not \
\"0.0.0.0\"; see mwan-rules --help" mwan-rules up ppp0 10.64.1.100 0.0.0.0
refuses 64 "mwan-rules: nothing is expected after \"10.64.1.1\"; see \
mwan-rules --help" mwan-rules up ppp0 10.64.1.100 10.64.1.1 10.64.1.2
refuses 64 "mwan-rules: --json, --prometheus and --long do not go with \"up\"; see \
mwan-rules --help" mwan-rules up ppp0 --json
run mwan-rules check
is "check: status" "$status" 0
is "check: says so" "$out" "/etc/ppp/mwan.ini is fine, with these links:
ppp0: table 201, mark 0x1, weight 1, tier 1"
refuses 78 "mwan-rules: cannot open /etc/nowhere: No such file or directory; \
write it (see mwan.ini(5)), or name another one with -f" \
	mwan-rules check -f /etc/nowhere
printf '[link ppp0]\nweight = 0\ntable = 201\n' >"$T/bad.ini"
refuses 78 "mwan-rules: $T/bad.ini:2: weight = \"0\" is not a number from 1 \
to 255" mwan-rules check -f "$T/bad.ini"
refuses 78 "mwan-rules: $T/bad.ini:2: weight = \"0\" is not a number from 1 \
to 255" mwan-rules apply -f "$T/bad.ini"
cd "$T" || exit 1
refuses 78 "mwan-rules: $T/bad.ini:2: weight = \"0\" is not a number from 1 \
to 255" mwan-rules -f bad.ini check
cd / || exit 1
run mwan-rules status
is "status without a link: status" "$status" 2
like "status: a table" "$out" "^LINK +STATE .*
ppp0 +down .*"
run mwan-rules apply -n
is "apply -n: status" "$status" 0
like "apply -n: commands" "$out" "ip rule add pref 1001 fwmark 0x1/0xff \
lookup 201 protocol 119"
run mwan-rules flush -n
is "flush -n: status" "$status" 0
is "flush -n: nothing to do" "$out$msg" ""
is "all that has changed nothing" \
	"$(ip rule | grep -c 'proto 119'; nft list ruleset; ip nexthop)" 0

# --- the hooks ---
refuses 64 "ip-up.local: IFNAME is missing: pppd sets it, or try \
IFNAME=ppp0 IPLOCAL=192.0.2.1" env -i "$BIN/ip-up.local"
refuses 64 "ip-down.local: IFNAME is missing: pppd sets it, or try \
IFNAME=ppp0 IPLOCAL=192.0.2.1" env -i "$BIN/ip-down.local"
refuses 64 "ip-up.local: pppd gives five or six arguments, not 1: ifname \
tty speed local remote [ipparam]" ip-up.local ppp0
refuses 64 "ip-up.local: unknown option \"--frobnicate\"; see ip-up.local \
--help" ip-up.local --frobnicate
refuses 64 "ip-up.local: IPLOCAL is missing: ppp0 came up with what \
address?" env -i IFNAME=ppp0 "$BIN/ip-up.local"
refuses 64 "ip-up.local: IPLOCAL \"10.64.1\" is not an IPv4 address" \
	ip-up.local ppp0 eth9 0 10.64.1 10.64.0.1
refuses 64 "ip-down.local: IFNAME \"a/b\" cannot be a network interface: such a \
name is 1 to 15 letters, digits, '_', '-' or '.'" \
	ip-down.local a/b eth9 0 10.64.1.1 10.64.0.1
is "each mistake is in the log" \
	"$(grep -c 'event=failed .*result=usage' /var/log/ifchang.log)" 6
rm /var/log/ifchang.log
run env -i "$BIN/ip-up.local" -n ppp0 eth9 0 10.64.1.100 10.64.1.1
is "ip-up.local -n: status" "$status" 0
like "ip-up.local -n: commands" "$out" "^# 1 change would be made:
ip rule add pref 32769 lookup 200"
refuses 64 "ip-up.local: IFNAME is missing: pppd sets it, or try \
IFNAME=ppp0 IPLOCAL=192.0.2.1" env -i "$BIN/ip-up.local" -n
run ip-up.local -n tun7 eth9 0 10.64.1.100 10.64.1.1
is "-n of a link that is not ours: status" "$status" 0
is "-n of a link that is not ours: nothing" "$out" ""
is "-n writes no log, and takes no lock" \
	"$(ls -d /run/mwan /var/log/* 2>/dev/null)" ""

# --- without privilege ---
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all
	--bounding-set=-all)
cp "$BIN/ip-up.local" "$BIN/mwan-rules" /run
chmod 755 /run/ip-up.local /run/mwan-rules
run "${nobody[@]}" /run/ip-up.local -n ppp0 eth9 0 10.64.1.100 10.64.1.1
is "ip-up.local -n without privilege" "$status$msg" 0
run "${nobody[@]}" /run/mwan-rules apply -n
is "mwan-rules apply -n without privilege" "$status$msg" 0
run "${nobody[@]}" /run/mwan-rules apply
is "mwan-rules apply without privilege: status" "$status" 1
is "mwan-rules apply without privilege: a sentence" "$(head -n 1 "$T/msg")" \
	"mwan-rules: cannot make /run/mwan: Permission denied; run this as root"
run "${nobody[@]}" /run/ip-up.local ppp0 eth9 0 10.64.1.100 10.64.1.1
is "ip-up.local without privilege: status" "$status" 1
like "ip-up.local without privilege: what to do" "$msg" \
	"run this as root or with CAP_NET_ADMIN"
done_testing
