#!/bin/bash
# doc/two-boxes.md, the thread's second system: A and B have a line each and
# masquerade, C shares over both. A's line dies, while A lives, and comes back: by
# source, by flow, round-robin. (A veth stands for the line that A dials.)
. "$(dirname "$0")/lib/lib.sh"
. "$root/t/lib/lan.sh"
. "$root/t/lib/modem.sh"

net5 1
ip link del ppp0
for n in 1 2; do
	modem $n 192.168.$n.1 192.168.$n.2
	ip link set eth$n down
	ip link set eth$n name wan$n
	ip link set wan$n up
done
wait_for 20 carriers
awk '/^<!-- file: C / { on = 1 }
	/^```$/ { on = 0 }
	on && !/^```|^<!--/ { print }' "$root/doc/two-boxes.md" >/etc/ppp/mwan.ini
like "the page has C's file" "$(cat /etc/ppp/mwan.ini)" 'gateway = 192.168.2.1'
is "which is fine" "$(mwan-rules check 2>&1 | tail -n 2)" \
	"wan1: table 201, mark 0x1, weight 1, tier 1, gateway 192.168.1.1
wan2: table 202, mark 0x2, weight 1, tier 1, gateway 192.168.2.1"

# line up|down: that of A, which drops what it has no way for. (deal takes no
# refusal for an answer.)
line() {
	ip -n modem1 link set ppp1 "$1"
	case $1 in
	up) ip -n modem1 route replace default via 10.64.1.1 ;;
	down) ip -n modem1 route replace blackhole default ;;
	esac
	wait_for 20 "line_$1"
}

line_up() {
	ip -n modem1 -j link show ppp1 | jq -e '.[0].operstate == "UP"'
}

line_down() {
	! line_up
}

# by FILE: the connections of a file, without their answers.
by() {
	cut -d' ' -f1,2 "$1" | sort
}

problems() {
	mwan-rules status --json | jq -c '[.problems[].kind]'
}

port_first=2000
for balance in source flow round-robin; do
	for proto in udp tcp; do
		name=$balance-$proto
		sed -i "s/^balance = .*/balance = $balance/" /etc/ppp/mwan.ini
		ok "$name: apply" mwan-rules apply
		is "$name: all is well" "$(problems)" '[]'
		forget
		keep "$name" -t $proto -s 10.9.0.1 -n 100 -p $port_first
		before=$T/$name.before
		cp "$T/$name" "$before"
		like "$name: both are used" "$(tally "$before")" \
			'^ppp1=[0-9]+ ppp2=[0-9]+$'
		line down
		again "$name" "$T/dead"
		is "$name: A's line is dead: what goes by B stays there" \
			"$(of_hosts <(with ppp2 "$before") "$T/dead")" \
			"$(with ppp2 "$before")"
		is "$name: and what goes by A waits there" \
			"$(with ppp1 "$T/dead" | wc -l) $(
			of_hosts <(with ppp1 "$before") "$T/dead" |
			grep -c ' 10.64.2.100$')" "0 0"
		is "$name: C cannot see it" "$(problems)" '[]'
		ask -t udp -s 10.9.1.1 -n 100 -p $port_first >"$T/new"
		like "$name: new ones are dealt to both" \
			"$(with ppp2 "$T/new" | wc -l)" '^[2-7][0-9]$'
		line up
		again "$name" "$T/back"
		is "$name: it is back: no connection has been moved" \
			"$(of_hosts <(with ppp2 "$before") "$T/back")" \
			"$(with ppp2 "$before")"
		[ $proto = tcp ] || is "$name: and those of A go on" \
			"$(of_hosts <(with ppp1 "$before") "$T/back")" \
			"$(with ppp1 "$before")"
		port_first=$((port_first + 1000))
	done
done
done_testing
