#!/bin/bash
# The address of a link changes while its flows are many: all of them are ended,
# no others, in one go, and no other link's hook waits for that.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

# Connections that left by ppp0's first address, or by another one's.
fill() { # COUNT
	awk -v n="$1" 'BEGIN {
		for (i = 0; i < n; i++)
			print "-I -p udp -s 10.9." int(i / 10000) ".1 -d 192.0.2.1" \
				" --sport " 1024 + i % 10000 " --dport 53" \
				" -r 192.0.2.1 -q 10.64.0.100" \
				" --reply-port-src 53 --reply-port-dst " \
				1024 + i " -t 600 -m 1"
		for (i = 0; i < 50; i++)
			print "-I -p udp -s 10.64.0.100 -d 192.0.2.2" \
				" --sport " 1024 + i " --dport 53" \
				" -r 192.0.2.2 -q 10.64.1.100" \
				" --reply-port-src 53 --reply-port-dst " \
				1024 + i " -t 600 -m 2"
	}' >"$T/entries"
	conntrack -F
	conntrack -R "$T/entries"
} >/dev/null 2>&1

left() { # ADDRESS: entries whose reply goes there
	conntrack -L --reply-dst "$1" 2>/dev/null | wc -l
}

address_to() { # NEW: IPv6CP holds the device
	ip addr flush dev ppp0
	ip addr add "$1" peer 10.64.0.1 dev ppp0
}

configure() { # LINE
	ini '[link ppp0]' '[link ppp1]'
	mwan-rules apply
}

links_wanted ppp0 ppp1
link_new ppp0 10.64.0.100 10.64.0.1
link_new ppp1 10.64.1.100 10.64.1.1
configure
fill 50000
is "there are connections" "$(left 10.64.0.100) $(left 10.64.1.100)" \
	"50000 50"
is "and the rule that remembers their address" \
	"$(ip rule | grep -c 'from 10.64.0.100 ')" 1
address_to 10.64.0.7
strace -o "$T/trace" -e trace=flock,close,sendto \
	"${bare[@]}" \
	"$BIN/ip-up.local" ppp0 eth9 0 10.64.0.7 10.64.0.1
like "the log" "$(log_last)" 'event=up if=ppp0 .*result=ok '
is "all of them are ended, and no others" \
	"$(left 10.64.0.100) $(left 10.64.1.100)" "0 50"
is "so nothing has to be remembered" \
	"$(ip rule | grep -c 'from 10.64.0.100 ')" 0
# One dump finds and one confirms, at most; how many messages delete depends on
# the kernel, but each deletion reads no table again.
is "the table is read twice" "$(grep -c CT_GET "$T/trace")" 2
is "no deletion is sent while the lock is held" "$(awk '
	/^flock\(.*LOCK_EX.*= 0$/	{ match($0, /[0-9]+/)
				  lock = substr($0, RSTART, RLENGTH) }
	$0 ~ "^close\\(" lock "\\)"	{ lock = "" }
	/CT_DELETE/		{ n++; held += lock != "" }
	END			{ print (n > 0), held + 0 }' "$T/trace")" "1 0"

# --- another link's hook while the deletions take long ---
first=$(grep ^sendto "$T/trace" | grep -n CT_DELETE | head -n 1 | cut -d: -f1)
fill 300
ip addr flush dev ppp0
ip addr add 10.64.0.100 peer 10.64.0.1 dev ppp0
hook up ppp0 10.64.0.100
fill 300
address_to 10.64.0.7
# Longer than a hook waits for the lock.
strace -o "$T/slow" -e trace=sendto \
	-e inject=sendto:delay_exit=2500000:when="$first" \
	"${bare[@]}" "$BIN/ip-up.local" ppp0 eth9 0 \
	10.64.0.7 10.64.0.1 &
slow=$!
ok "the deletions have begun" wait_for 20 grep CT_DELETE "$T/slow"
is "meanwhile another link's hook succeeds" \
	"$(status hook up ppp1 10.64.1.100)" 0
wait "$slow"
is "so does the slow one" "$?" 0
is "and the rule that remembered is gone" \
	"$(left 10.64.0.100) $(ip rule | grep -c 'from 10.64.0.100 ')" "0 0"

done_testing
