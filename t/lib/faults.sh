# shellcheck shell=bash
# For t7000-crash.t and t7001-faults.t, to be sourced behind lib.sh: the events
# that the binaries are called for, and what happens to each at each of its
# system calls in turn. Every point has a network of its own:
#
#	before EVENT, ${command[EVENT]} until strace(1) interferes, look, and
#	then each of the ${mends[EVENT]}
#
# What a mend must lead to is what it leads to when nobody interferes. Points
# that leave the same state are mended the same, so a state is mended once.

links_wanted ppp0 ppp1 ppp2
export SEED=${SEED:-7} HANGS=120
diag "SEED=$SEED"

a0='10.64.0.100 10.64.0.1'
a1='10.64.1.100 10.64.1.1'
# As pppd writes them. The third line's prefix is told by its DHCPv6 client.
s0='fe80::0000:0000:0000:00a0 fe80::0000:0000:0000:00b0'
s1='fe80::0000:0000:0000:00a1 fe80::0000:0000:0000:00b1'
p2='prefix ppp2 2001:db8:a2::/48'
ini='[mwan]\nqdisc = none\nsticky = 300s\nipv6 = yes\n'
ini+='[link ppp0]\nweight = 2\nprefix6 = 2001:db8:a0::/48\n'
ini+='[link ppp1]\nprefix6 = 2001:db8:a1::/48\n[link ppp2]\ntier = 2\n'
export ini a1

declare -A command=(
	[first-up]="ip-up.local ppp0 eth9 0 $a0"
	[second-up]="ip-up.local ppp1 eth9 0 $a1"
	[lone-up]="ip-up.local ppp0 eth9 0 $a0"
	[down]="ip-down.local ppp0 eth9 0 $a0"
	[address-down]="ip-down.local ppp0 eth9 0 $a0"
	[last-down]="ip-down.local ppp0 eth9 0 $a0"
	[apply]='mwan-rules apply'
	[changed-apply]='mwan-rules apply'
	[flush]='mwan-rules flush'
	[drain]='mwan-rules drain ppp0'
	[undrain]='mwan-rules undrain ppp0'
	[told-up]="mwan-rules up ppp1 $a1"
	[told-down]='mwan-rules down ppp1'
	[ipv6-up]="ip-up.local ppp1 eth9 0 $s1"
	[ipv6-down]="ip-down.local ppp0 eth9 0 $s0"
	[prefix]="mwan-rules $p2"
	[first-cprt]='cprt 300 301'
	[changed-cprt]='cprt 300 301'
)
# Other runs that come next, with | between; the same command is one of them.
up="ip-up.local ppp0 eth9 0 $a0"
declare -A others=(
	[first-up]="mwan-rules apply|ip-up.local ppp0 eth9 0 $s0"
	[second-up]="mwan-rules apply|$up"
	[lone-up]="ip-down.local ppp1 eth9 0 $a1"
	[down]="mwan-rules apply|ip-down.local ppp0 eth9 0 $s0"
	[address-down]="mwan-rules apply|ip-up.local ppp1 eth9 0 $a1"
	[last-down]="mwan-rules apply|ip-down.local ppp1 eth9 0 $a1"
	[apply]="$up"
	[changed-apply]="$up|mwan-rules drain ppp1"
	[flush]="mwan-rules apply|$up"
	[drain]="mwan-rules apply|$up|mwan-rules undrain ppp0"
	[undrain]="mwan-rules apply|$up|mwan-rules drain ppp1"
	[told-up]="mwan-rules apply|$up"
	[told-down]="mwan-rules apply|$up"
	[ipv6-up]="mwan-rules apply|ip-up.local ppp1 eth9 0 $a1"
	[ipv6-down]="mwan-rules apply|$up"
	[prefix]="mwan-rules $p2|$up"
	[first-cprt]=''
	[changed-cprt]=''
)
events=(first-up second-up lone-up down address-down last-down apply
	changed-apply flush drain undrain told-up told-down ipv6-up ipv6-down
	prefix first-cprt changed-cprt)

dial() { # NUMBER...
	local i

	for i; do
		echo "link set ppp$i up"
		echo "addr add 10.64.$i.100 peer 10.64.$i.1 dev ppp$i"
	done | ip -batch -
	for i; do
		echo "addr add fe80::a$i peer fe80::b$i/128 dev ppp$i nodad"
	done | ip -6 -batch -
}

undial6() { # NUMBER
	ip -6 addr del "fe80::a$1" peer "fe80::b$1/128" dev "ppp$1"
}

# A flow that has left by the address of ppp0. Masquerading, which forgets it by
# itself when the interface goes, does not see that the address alone goes.
flow() {
	conntrack -I -p udp -s 192.168.1.5 -d 192.0.2.7 --sport 1000 \
		--dport 53 -r 192.0.2.7 -q 10.64.0.100 --reply-port-src 53 \
		--reply-port-dst 1000 -t 600
} >/dev/null 2>&1

# The same of IPv6, with the mark of ppp0.
flow6() {
	conntrack -I -f ipv6 -p udp -s 2001:db8:a0:1::5 -d 2001:db8:f::7 \
		--sport 1000 --dport 53 -r 2001:db8:f::7 -q 2001:db8:a0:1::5 \
		--reply-port-src 53 --reply-port-dst 1000 -t 600 -m 1
} >/dev/null 2>&1

# The network and the files as they are when the event comes.
before() { # EVENT
	local i

	rm -rf /run/mwan /var/log/ifchang.log
	echo -e "$ini" >/etc/ppp/mwan.ini
	# No address of the kernel's own that gets ready some time later.
	echo 1 >/proc/sys/net/ipv6/conf/default/addr_gen_mode
	for i in 0 1 2; do
		echo "link add ppp$i arp off type veth peer name xppp$i"
		echo "link set xppp$i up"
	done | ip -batch -
	case $1 in
	first-up)	mwan-rules apply; dial 0 ;;
	second-up)	dial 0; mwan-rules apply; dial 1 ;;
	ipv6-up)	dial 0 1 2; undial6 1; mwan-rules apply; dial 1 ;;
	lone-up)	dial 0 1 ;;
	last-down)	dial 0; mwan-rules apply; ip link del ppp0 ;;
	apply)		dial 0 1 2 ;;
	*-cprt)		before_cprt "$1" ;;
	# On Ethernet: it is nothing without its gateway.
	told-*)
		ip link set ppp1 arp on
		dial 0 1 2
		mwan-rules apply
		;;
	*)		dial 0 1 2; mwan-rules apply ;;
	esac 2>/dev/null
	case $1 in
	down)		ip addr flush dev ppp0; ip link set ppp0 down ;;
	address-down)	ip -4 addr flush dev ppp0; flow ;;
	ipv6-down)	undial6 0; flow6 ;;
	changed-apply)	echo -e "${ini/sticky = 300s/balance = flow}" \
				>/etc/ppp/mwan.ini ;;
	undrain)	mwan-rules drain ppp0 ;;
	told-down)
		# shellcheck disable=SC2086 # words
		mwan-rules up ppp1 $a1
		;;
	esac
}

# The copy serves mark 1, and its default stays all the time.
before_cprt() { # EVENT
	local i

	dial 0 1
	{
		echo "rule add fwmark 1 lookup 301"
		echo "route add default dev ppp0 table 301"
		for i in 1 2 3 4 5 6 7 8; do
			echo "route add 10.$i.0.0/16 dev ppp1 table 300"
		done
		for i in 2 3 4; do
			echo "route append 10.9.0.0/16 via 10.64.1.1 dev ppp1" \
				"tos $((i * 4)) table 300"
			echo "route append 10.10.0.0/16 dev ppp1 src" \
				"10.64.$((i % 2)).100 table 300"
		done
	} | ip -batch -
	for i in 1 2 3 4 5 6 7 8; do
		echo "route add 2001:db8:$i::/48 dev ppp1 table 300"
	done | ip -6 -batch -
	[ "$1" = changed-cprt ] || return 0
	cprt 300 301
	{
		echo "route del 10.1.0.0/16 table 300"
		echo "route replace 10.2.0.0/16 dev ppp0 table 300"
		echo "route add 10.11.0.0/16 dev ppp0 table 301"
	} | ip -batch -
	{
		echo "route del 2001:db8:1::/48 table 300"
		echo "route add 2001:db8:11::/48 dev ppp0 table 300"
	} | ip -6 -batch -
}

# All that our binaries ever write, but the log and what a killed write has left:
# nobody reads a *.new, the next write begins it anew, and a flush removes it.
# Locks are empty. What has been verified names the namespace and generation, which
# are never the same twice: here the table counts that a hook leaves in trust of it.
# IPv6's own routes, which "table all" shows in either family, come when they come.
state() {
	printf '%s\n' 'route show table all' rule nexthop |
		ip -d -force -batch - |
		grep -v 'table local\|^multicast\|^unicast [0-9a-f]*:.*proto kernel'
	printf '%s\n' 'route show table all' rule 'addr show scope global' |
		ip -d -6 -force -batch - |
		grep -v 'table local\|^multicast\|^unicast.*proto kernel\|link/ether'
	nft list ruleset
	conntrack -L 2>/dev/null | grep -o 'src=.*'
	conntrack -L -f ipv6 2>/dev/null | grep -o 'src=.*'
	(
		cd /proc/sys/net/ipv4 &&
			grep -H . ip_forward fib_multipath_hash_* \
				conf/{all,ppp?}/{rp_filter,ignore_routes_with_linkdown}
		cd ../ipv6 &&
			grep -H . fib_multipath_hash_* \
				conf/{all,ppp?}/ignore_routes_with_linkdown
		cd /run/mwan 2>/dev/null && find . -type f \
			! -name '*.new' ! -name lock \
			! -name 'cprt-*' ! -name verified -printf '%m %p\n' \
			-exec cat {} \; | sort
	)
}

# Which link each mark takes: "MARK LINK" lines, none for those that take none; of
# IPv6, whose answers do not tell the mark, "6:MARK 6:LINK".
ways() {
	printf 'route get 192.0.2.1 mark %s\n' 0 1 2 3 |
		ip -force -batch - 2>/dev/null | awk '{
			m = "0x0"
			for (i = 1; i < NF; i++) {
				if ($i == "dev") d = $(i + 1)
				if ($i == "mark") m = "0x" $(i + 1)
			}
			if (d) print m, d
			d = ""
		}'
	printf 'route get 2001:db8:f::%s mark %s\n' 9 0 1 1 2 2 3 3 |
		ip -6 -force -batch - 2>/dev/null |
		sed -n 's/^2001:db8:f::\([0-9]*\) .* dev \([^ ]*\) .*/6:0x\1 6:\2/p' |
		sed s/^6:0x9/6:0x0/
}

# The files of an uninterrupted run: below $T/EVENT, "ways" and "usable" before
# it, "after" behind it, "calls" that it makes as "NAME NUMBER IMPORTANT".
learn() { # EVENT
	local d=$T/$1

	mkdir "$d"
	before "$1"
	ways >"$d/ways"
	{
		ip -4 -br addr show up | sed 's/@.*10.64.*//'
		ip -6 -br addr show up | sed -n 's/\(.*\)@.* fe80.*/6:\1/p'
	} >"$d/usable"
	# shellcheck disable=SC2086 # words of a command
	strace -o "$d/trace" $2 >/dev/null 2>&1 || return
	state >"$d/after" 2>/dev/null
	ways >"$d/ways.after"
	# What the kernel begins anew, such as a sysctl while somebody has the
	# lock of all routing, is not there each time.
	awk -F'(' '/^[a-z0-9_]+\(/ && !/^(execve|exit_group)|= \? ERESTART/ {
		print $1, ++n[$1], /RTM_(NEW|DEL)|NFT_MSG_(NEW|DEL)|BATCH|flock/ ||
			/O_CREAT|^(write|rename|unlink|mkdir|f?chmod|ftruncate)/
	}' "$d/trace" >"$d/calls"
}

# Where MEND leads to, with the event's command before it and without.
learn_mend() { # EVENT NUMBER MEND COMMAND
	before "$1"
	# shellcheck disable=SC2086
	[ -z "$4" ] || $4 >/dev/null 2>&1
	# shellcheck disable=SC2086
	$3 >/dev/null 2>&1
	echo $? >>"$T/$1/mend$2.status"
	state >"$T/$1/mend$2.state" 2>/dev/null
	md5sum <"$T/$1/mend$2.state" >>"$T/$1/mend$2"
}

# Does every mark that took a link before, or will, take one that is usable? A
# mark that the event leads nowhere may go nowhere when nothing gives it; and in a
# flush, whose table goes last, when nothing goes anywhere without a mark either.
wrong_ways() { # EVENT STATE
	local mark link none d=$T/$1

	none=$(grep -c 'table inet mwan' <<<"$2")
	declare -A is=()
	while read -r mark link; do
		is[$mark]=$link
	done < <(ways)
	while read -r mark link; do
		[ "${is[$mark]-}" != "$link" ] || continue
		if [ -n "${is[$mark]-}" ]; then
			grep -q "^${is[$mark]} *$" "$d/usable" ||
				echo "mark $mark takes ${is[$mark]}"
		elif [ "$1" = flush ] && [ -z "${is[${mark%%0x*}0x0]-}" ]; then
			:
		elif [[ $mark != *0x0 && $none != 0 ]] || grep -q "^$mark " "$d/ways.after"; then
			[ ! -s "$d/usable" ] || echo "mark $mark takes nothing"
		fi
	done <"$d/ways"
	for mark in "${!is[@]}"; do
		grep -q "^$mark " "$d/ways" ||
			grep -q "^${is[$mark]} *$" "$d/usable" ||
			echo "mark $mark takes ${is[$mark]}"
	done
}

# One point: bring the event about with the fault, look. Leaves status and now.
# A run of a second at most hangs when it has not ended after $HANGS seconds.
interfere() { # EVENT COMMAND CALL NUMBER FAULT
	before "$1"
	# shellcheck disable=SC2086
	timeout -s KILL "$HANGS" strace -qq -o /dev/null -e trace="$3" \
		-e inject="$3:$5:when=$4" $2 >/dev/null 2>&1
	status=$?
	state >/run/now 2>/dev/null
	now=$(</run/now)
}

# Is the state of FILE another one than that of WANTED? try() prints how they
# differ, behind the event's points.
differs() { # EVENT WANTED FILE WHAT
	cmp -s "$2" "$3" && return 1
	{
		echo "$4:"
		diff "$2" "$3" | grep '^[<>]' | head -n 10
	} >>"$T/$1/differences"
}

# The mend, and what is wrong with what it has led to.
mend() { # EVENT NUMBER MEND
	local d=$T/$1 hash status

	# shellcheck disable=SC2086
	timeout -s KILL "$HANGS" $3 >/dev/null 2>&1
	status=$?
	grep -qx $status "$d/mend$2.status" || echo "$3: status $status"
	state >"/run/state" 2>/dev/null
	hash=$(md5sum </run/state)
	grep -qxF "$hash" "$d/mend$2" && return
	differs "$1" "$d/mend$2.state" /run/state "$3"
	echo "$3: another state"
}

# A point with every mend that its state has not had; prints what is wrong.
point() { # EVENT COMMAND CALL NUMBER FAULT MENDS
	local status now hash i=0 m d=$T/$1 said=

	set -- "$@" ''
	interfere "$@" 2>/dev/null
	hash=$(md5sum <<<"$now")
	said=$(judge "$1"; wrong_ways "$1" "$now")
	while IFS= read -r m; do
		i=$((i + 1))
		mkdir "$d/seen.$i.${hash%% *}" 2>/dev/null || continue
		# The first finds everything as the fault has left it.
		# shellcheck disable=SC2016 # for the inner shell
		[ "$i" = 1 ] ||
			said+=$(unshare --net bash -c 'interfere "$1" "$2" \
				"$3" "$4" "$5" 2>/dev/null; mend "$1" "$6" \
				"$7"' - "${@:1:5}" $i "$m")
		[ "$i" != 1 ] || said+=$(mend "$1" 1 "$m")
	done <<<"$6"
	echo "${said:+$1 $3:$5:when=$4: ${said//$'\n'/; }}"
}

# The runs that may come next, a line each.
mends() { # EVENT
	echo "${command[$1]}"
	[ -z "${others[$1]}" ] || tr "|" "\n" <<<"${others[$1]}"
}

# One of two that take every other line of the points.
worker() { # NUMBER FILE
	local n=0 event call number fault

	mount -t tmpfs -o mode=755 tmpfs /run
	mount -t tmpfs -o mode=755 tmpfs /var/log
	mount -t tmpfs -o mode=755 tmpfs /etc/ppp
	while read -r event call number fault; do
		n=$((n + 1))
		[ $((n % 2)) = "$1" ] || continue
		unshare --net bash -c 'point "$@"' - "$event" \
			"${command[$event]}" "$call" "$number" "$fault" \
			"$(mends "$event")"
	done <"$2" >"$2.$1"
}

# try FILE: every point of the file ("EVENT CALL NUMBER FAULT" lines), a test
# for each event. The number of points is the budget, however long they take; an
# event with fewer than 20 was hardly tried (the least of a short sample is 30).
try() {
	local event tried bad pid=() i

	for i in 0 1; do
		unshare --mount bash -c "$(declare -p command \
			others); worker $i $1" &
		pid+=($!)
	done
	wait "${pid[@]}"
	for event in "${events[@]}"; do
		bad=$(cat "$1".[01] | grep "^$event " | head -n 20)
		tried=$(grep -c "^$event " "$1")
		[ "$tried" -ge 20 ] || bad+=" fewer than 20 points"
		is "$event: right after $tried points" "$bad" '' ||
			diag "$(head -n 40 "$T/$event/differences" 2>/dev/null)"
	done
	tried=$(cat "$1".[01] | wc -l)
	diag "$tried points tried in $SECONDS seconds"
	is "all points were tried" "$tried" "$(wc -l <"$1")"
}

export T
export -f dial undial6 flow flow6 before before_cprt state ways learn learn_mend wrong_ways \
	interfere differs mend mends point worker
for lib_event in "${events[@]}"; do
	unshare --net bash -c 'learn "$@"' - "$lib_event" \
		"${command[$lib_event]}" || {
		echo "Bail out! $lib_event fails by itself"
		exit 1
	}
	lib_n=0
	while IFS= read -r lib_mend; do
		lib_n=$((lib_n + 1))
		for lib_first in '' "${command[$lib_event]}"; do
			unshare --net bash -c 'learn_mend "$@"' - "$lib_event" \
				$lib_n "$lib_mend" "$lib_first"
		done
	done < <(mends "$lib_event")
done
