# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034	# of lan.sh, and for it
# For tests of mwan-rules watch: lines that are up and lead nowhere. After lib.sh
# and lan.sh:
#
#	. "$root/t/lib/watch.sh"
#	net5 2
#	watch_net
#	conf "targets = $targets" -- 1 1
#	mwan-rules apply
#	watch_start
#
# What is said of a line happens in "inet", behind it; the line itself stays up.

flows=$BIN/../t/flows
targets="198.51.100.11 198.51.100.12 198.51.100.13"

# The targets answer echoes, once (t/deal would as well), and refusals are not
# limited.
watch_net() {
	inet nft -f - <<-END
	table inet once {
		chain out { type filter hook output priority 0
			icmp type echo-reply meta length 32 drop; }
	}
	END
	inet sysctl -qw net.ipv4.icmp_echo_ignore_all=0 \
		net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_msgs_per_sec=100000
	for t in $targets; do
		ip -n inet addr add "$t/32" dev lo
	done
	# See daemon(): a function in the background would be a shell.
	ip netns exec inet "$flows" serve "$inet:7700" >/dev/null 2>&1 &
	ip netns exec lan "$flows" client "$T/flows" >/dev/null 2>&1 &
	wait_for 20 test -S "$T/flows"
}

# Until every link has had answers.
watch_start() {
	# Of one that was killed.
	rm -f /run/mwan/watched
	mwan-rules watch >>"$T/watch.out" 2>&1 &
	watcher=$!
	wait_for 20 watching
}

# watched LINK FIELD: 2 the verdict (1 fine, 2 poor, 3 held), 3 why, 5 loss, 6
# round trip, 9 questions, 10 answers, 11 verdicts.
watched() {
	awk -v l="ppp$1" -v f="$2" '$1 == l { print $f }' /run/mwan/watched
}

watching() {
	[ -s /run/mwan/watched ] &&
		awk '$1 != "until" && ($2 == 0 || $10 < 4) { exit 1 }' \
			/run/mwan/watched
}

watch_stop() {
	kill "$watcher"
	wait "$watcher"
}

# sever LINK [silence|outbound|inbound|refusal]: from now on it leads nowhere.
sever() {
	local i=ppp$1
	case ${2-silence} in
	outbound) set "iifname $i drop" "" ;;
	inbound) set "" "oifname $i drop" ;;
	refusal) set "" "oifname $i icmp type != destination-unreachable drop" \
		"iifname $i reject with icmp net-unreachable" ;;
	*) set "iifname $i drop" "oifname $i drop" ;;
	esac
	inet nft -f - <<-END
	table inet severed$i {
		chain pre { type filter hook prerouting priority -300; $1; }
		chain in { type filter hook input priority -300; ${3-}; }
		chain post { type filter hook postrouting priority 300; $2; }
	}
	END
}

mend() { # LINK
	inet nft delete table inet "severedppp$1"
}

# loses LINK PERCENT: each way.
loses() {
	inet nft -f - <<-END
	table inet lossy$1 {
		chain pre { type filter hook prerouting priority -301
			iifname ppp$1 numgen random mod 100 < $2 drop; }
		chain post { type filter hook postrouting priority 301
			oifname ppp$1 numgen random mod 100 < $2 drop; }
	}
	END
}

lossless() { # LINK
	inet nft delete table inet "lossy$1"
}

flow() { # WORD...
	"$flows" ctl "$T/flows" "$@"
}

# field NAME LINE: the value in a line of flows, or of the log.
field() {
	sed -n "s/.* $1=\([^ ]*\).*/\1/p" <<<" $2"
}

is_out() { # LINK
	! ip rule | grep -q "fwmark $(printf '0x%x' $(($1 + 1)))/"
}

is_in() {
	! is_out "$1"
}
