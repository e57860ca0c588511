#!/bin/bash
# What a hook has verified of our nftables table the next one does not read
# again: as long as nothing in nftables has changed, and never where in doubt.
# shellcheck disable=SC2086,SC2317 # no blanks in $record; called by name
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

record=/run/mwan/verified
links_wanted ppp0 ppp1
conf='[mwan]\nqdisc = none\n[link ppp0]\n[link ppp1]\n'
# shellcheck disable=SC2059 # it is the format
printf "$conf" >/etc/ppp/mwan.ini
link_new ppp0 10.64.1.100 10.64.1.1
link_new ppp1 10.64.2.100 10.64.2.1

# seen COMMAND...: did it read the rules, and how many changes were logged?
seen() {
	local log=/var/log/ifchang.log
	: >$log
	strace -qq -e trace=sendto -o "$T/strace" \
		"${bare[@]}" "$@" >"$T/out" 2>&1
	printf '%s %s' "$(grep -c NFT_MSG_GETRULE "$T/strace")" \
		"$(sed -n 's/.* changes=\([0-9]*\) .*/\1/p' $log)"
}

table() {
	nft -s list table inet mwan
}

event=("$BIN/ip-up.local" ppp0 eth9 0 10.64.1.100 10.64.1.1)
ok "in force" mwan-rules apply
whole=$(table)
rm -f $record
is "nothing is known yet: it is read" "$(seen "${event[@]}")" "1 0"
is "and that is kept, in a file of root's" "$(stat -c '%a %u' $record)" "644 0"
is "known: not read again" "$(seen "${event[@]}")" "0 0"
is "nor by ip-down.local" "$(seen "$BIN/ip-down.local" ppp0 eth9 0 \
	10.64.1.99 10.64.1.1)" "0 0"
is "a dry run reads" "$(seen "${event[0]}" -n "${event[@]:1}")" "1 "
is "status reads" "$(seen "$BIN/mwan-rules" status)" "1 "
is "apply reads" "$(seen "$BIN/mwan-rules" apply)" "1 0"
is "which changes nothing of what is known" "$(seen "${event[@]}")" "0 0"

# --- what others do ---
nft add table inet other
is "somebody else's table: read again" "$(seen "${event[@]}")" "1 0"
is "and known again" "$(seen "${event[@]}")" "0 0"
# hurt WHAT COMMAND...: damage, which the next hook repairs.
hurt() {
	local what=$1
	shift
	"$@"
	like "$what: read, and repaired" "$(seen "${event[@]}")" '^[1-9] [1-9]'
	is "$what: as it was" "$(table)" "$whole"
	# By the same hook, when it had to go round again.
	like "$what: what was loaded is read once" "$(seen "${event[@]}")" \
		'^[01] 0$'
	is "$what: and is known then" "$(seen "${event[@]}")" "0 0"
}
hurt "a chain is flushed" nft flush chain inet mwan prerouting
hurt "a foreign rule" nft insert rule inet mwan prerouting counter
hurt "the table is deleted" nft delete table inet mwan
hurt "everything is flushed" nft flush ruleset
hurt "dormant" nft add table inet mwan '{ flags dormant; }'
nft -s list table inet mwan >"$T/saved"
reload() {
	nft flush ruleset
	nft -f "$T/saved"
}
# What nft makes of our text carries no hash of ours.
hurt "flushed, and loaded again by somebody else" reload

# --- another configuration ---
printf '%b[link ppp2]\ntable = 203\n' "$conf" >/etc/ppp/mwan.ini
like "another configuration: loaded" "$(seen "${event[@]}")" '^[1-9] [1-9]'
# shellcheck disable=SC2059 # it is the format
printf "$conf" >/etc/ppp/mwan.ini
like "and back" "$(seen "${event[@]}")" '^[1-9] [1-9]'
is "is what it was" "$(table)" "$whole"
mwan-rules drain ppp1
like "another one is drained: read" "$(seen "${event[@]}")" '^1 0'
mwan-rules undrain ppp1
is "undrained: as it was" "$(table)" "$whole"

# --- the record itself ---
# odd WHAT COMMAND...: change a record that would be believed.
odd() {
	local what=$1
	shift
	seen "${event[@]}" >/dev/null
	is "$what: known before" "$(seen "${event[@]}")" "0 0"
	"$@"
	is "$what: read" "$(seen "${event[@]}")" "1 0"
	is "$what: written anew" "$(stat -c '%F %a %u %h' $record)" \
		"regular file 644 0 1"
}
cut() {
	printf '%s' "$(<$record)" >$record
}
more() {
	echo >>$record
}
field() { # NUMBER
	awk -v n="$1" '{ $n = $n == "7" ? "8" : "7"; print }' $record >"$T/r"
	cat "$T/r" >$record
}
link() {
	mv $record "$T/record"
	ln -s "$T/record" $record
}
pipe() {
	rm $record
	mkfifo $record
}
odd "missing" rm $record
odd "empty" truncate -s 0 $record
odd "cut" cut
odd "longer" more
odd "of another namespace" field 1
odd "of another ruleset" field 2
odd "of another table" field 3
odd "of another generation" field 4
odd "writable by others" chmod 666 $record
odd "somebody else's" chown 65534 $record
odd "a symbolic link" link
odd "a pipe" pipe

# A record that cannot be written is no failure.
rm $record
mkdir $record
is "it cannot be written: goes on" "$(seen "${event[@]}")" "1 0"
rmdir $record
seen "${event[@]}" >/dev/null
strace -qq -o /dev/null -e trace=getsockopt -e inject=getsockopt:error=ENOPROTOOPT \
	"${bare[@]}" "${event[@]}"
is "a kernel that does not tell namespaces apart: goes on" $? 0
strace -qq -e inject=getsockopt:error=ENOPROTOOPT -e trace=getsockopt,sendto \
	-o "$T/strace" "${bare[@]}" "${event[@]}"
is "and reads each time" "$(grep -c NFT_MSG_GETRULE "$T/strace")" 1

# --- the same run directory in another namespace ---
# There everything has the same numbers: the first table, in generation 2.
mwan-rules flush
ok "flush takes it away" test ! -e $record
other() {
	link_new ppp0 10.64.1.100 10.64.1.1
	link_new ppp1 10.64.2.100 10.64.2.1
	"$@"
}
export -f link_new other
fresh() {
	mwan-rules apply
	ip-up.local ppp0 eth9 0 10.64.1.100 10.64.1.1
}
export -f fresh
unshare --net bash -c 'other fresh' >/dev/null 2>&1
read -r _ _ first <$record
fake() {
	nft add table inet mwan
	ip-up.local ppp0 eth9 0 10.64.1.100 10.64.1.1
	nft list table inet mwan | grep -c masquerade
	ip-up.local ppp0 eth9 0 10.64.1.100 10.64.1.1
}
export -f fake
is "another namespace, the same generation and table: loaded" \
	"$(unshare --net bash -c 'other fake' 2>/dev/null)" 1
read -r _ _ second <$record
like "it was the same table" "$first" "^${second% *} "
done_testing
