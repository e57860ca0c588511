# shellcheck shell=bash
# For t7000-crash.t and t7001-faults.t, to be sourced behind lib.sh: the events
# that the binaries are called for, and what happens to each at each of its
# system calls in turn. Every point has a network of its own:
#
#	before EVENT, ${command[EVENT]} until helper/fault.c interferes, look, and
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

# What ip(8) is to do; ip_do does it. Each program that is started here is so for
# thousands of points.
todo=
to_do() { # WORD...
	todo+="$*"$'\n'
}

ip_do() {
	ip -force -batch - <<<"$todo"
	todo=
}

dial() { # NUMBER...
	local i

	for i; do
		to_do "link set ppp$i up"
		to_do "addr add 10.64.$i.100 peer 10.64.$i.1 dev ppp$i"
		to_do "addr add fe80::a$i peer fe80::b$i/128 dev ppp$i nodad"
	done
}

undial6() { # NUMBER
	to_do "addr del fe80::a$1 peer fe80::b$1/128 dev ppp$1"
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
		to_do "link add ppp$i arp off type veth peer name xppp$i"
		to_do "link set xppp$i up"
	done
	case $1 in
	first-up)	ip_do; mwan-rules apply; dial 0 ;;
	second-up)	dial 0; ip_do; mwan-rules apply; dial 1 ;;
	ipv6-up)
		dial 0 1 2
		undial6 1
		ip_do
		mwan-rules apply
		dial 1
		;;
	lone-up)	dial 0 1 ;;
	last-down)
		dial 0
		ip_do
		mwan-rules apply
		to_do "link del ppp0"
		;;
	apply)		dial 0 1 2 ;;
	*-cprt)		before_cprt "$1" ;;
	# On Ethernet: it is nothing without its gateway.
	told-*)
		to_do "link set ppp1 arp on"
		dial 0 1 2
		ip_do
		mwan-rules apply
		;;
	*)		dial 0 1 2; ip_do; mwan-rules apply ;;
	esac
	case $1 in
	down)		to_do "addr flush dev ppp0"; to_do "link set ppp0 down" ;;
	address-down)	ip -4 addr flush dev ppp0; flow ;;
	ipv6-down)	undial6 0; ip_do; flow6 ;;
	changed-apply)	echo -e "${ini/sticky = 300s/balance = flow}" \
				>/etc/ppp/mwan.ini ;;
	undrain)	mwan-rules drain ppp0 ;;
	told-down)
		# shellcheck disable=SC2086 # words
		mwan-rules up ppp1 $a1
		;;
	esac
	[ -z "$todo" ] || ip_do
} 2>/dev/null

# The copy serves mark 1, and its default stays all the time.
before_cprt() { # EVENT
	local i

	dial 0 1
	to_do "rule add fwmark 1 lookup 301"
	to_do "route add default dev ppp0 table 301"
	for i in 1 2 3 4 5 6 7 8; do
		to_do "route add 10.$i.0.0/16 dev ppp1 table 300"
		to_do "route add 2001:db8:$i::/48 dev ppp1 table 300"
	done
	for i in 2 3 4; do
		to_do "route append 10.9.0.0/16 via 10.64.1.1 dev ppp1" \
			"tos $((i * 4)) table 300"
		to_do "route append 10.10.0.0/16 dev ppp1 src" \
			"10.64.$((i % 2)).100 table 300"
	done
	[ "$1" = changed-cprt ] || return 0
	ip_do
	cprt 300 301
	to_do "route del 10.1.0.0/16 table 300"
	to_do "route replace 10.2.0.0/16 dev ppp0 table 300"
	to_do "route add 10.11.0.0/16 dev ppp0 table 301"
	to_do "route del 2001:db8:1::/48 table 300"
	to_do "route add 2001:db8:11::/48 dev ppp0 table 300"
}

# What look() asks ip(8), of each family: the state, then the ways.
show4=$'route show table all\nrule\nnexthop'
show6=$'route show table all\nrule\naddr show scope global'
for lib_mark in 0 1 2 3; do
	show4+=$'\n'"route get 192.0.2.1 mark $lib_mark"
	# Whose answers do not tell the mark.
	show6+=$'\n'"route get 2001:db8:f::a$lib_mark mark $lib_mark"
done
export show4 show6

# look FILE: write the state there, and the ways into FILE.ways.
#
# The state is all that our binaries ever write, but the log and what a killed
# write has left: nobody reads a *.new, the next write begins it anew, and a flush
# removes it. Locks are empty. What has been verified names the namespace and
# generation, which are never the same twice: here the table counts that a hook
# leaves in trust of it. IPv6's own routes, which "table all" shows in either
# family, come when they come.
#
# The ways are which link each mark takes: "MARK LINK" lines, none for those that
# take none; of IPv6 "6:MARK 6:LINK".
look() { # FILE
	local line mark text files=() state=() ways=()

	shopt -s dotglob globstar nullglob
	ip -d -force -batch - <<<"$show4" >/run/shown
	ip -d -6 -force -batch - <<<"$show6" >>/run/shown
	mapfile -t text </run/shown
	for line in "${text[@]}"; do
		case $line in
		*" 192.0.2.1 "*)
			[[ $line =~ \ dev\ ([^\ ]+) ]] || continue
			ways+=("${BASH_REMATCH[1]}")
			mark=0
			[[ $line =~ \ mark\ ([^\ ]+) ]] && mark=${BASH_REMATCH[1]}
			ways[-1]="0x$mark ${ways[-1]}"
			;;
		"unicast 2001:db8:f::a"*)
			[[ $line =~ ::a(.)\ .*\ dev\ ([^\ ]+) ]] || continue
			ways+=("6:0x${BASH_REMATCH[1]} 6:${BASH_REMATCH[2]}")
			;;
		*" 2001:db8:f::a"* | "    cache"* | *"table local"* | multicast* | \
			*link/ether*) ;;
		*)
			[[ $line =~ ^unicast\ [0-9a-f]*:.*proto\ kernel ]] ||
				state+=("$line")
			;;
		esac
	done
	{
		[ ${#ways[@]} = 0 ] || printf '%s\n' "${ways[@]}"
	} >"$1.ways"
	printf '%s\n' "${state[@]}" >"$1"
	nft list ruleset >>"$1"
	# Most have none.
	read -r line </proc/sys/net/netfilter/nf_conntrack_count || line=unknown
	if [ "$line" != 0 ]; then
		conntrack -L | grep -o 'src=.*'
		conntrack -L -f ipv6 | grep -o 'src=.*'
	fi >>"$1"
	for line in /proc/sys/net/ipv4/{ip_forward,fib_multipath_hash_*} \
		/proc/sys/net/ipv4/conf/{all,ppp?}/{rp_filter,ignore_routes_with_linkdown} \
		/proc/sys/net/ipv6/fib_multipath_hash_* \
		/proc/sys/net/ipv6/conf/{all,ppp?}/ignore_routes_with_linkdown; do
		read -r text <"$line" && echo "$line: $text"
	done >>"$1"
	for line in /run/mwan/**; do
		case $line in
		*.new | */lock | */cprt-* | */verified) continue ;;
		esac
		[ ! -f "$line" ] || [ -L "$line" ] || files+=("$line")
	done
	[ ${#files[@]} = 0 ] || stat -c '%a %n' "${files[@]}" >>"$1"
	for line in "${files[@]}"; do
		read_all "$line"
		printf '%s:\n%s' "$line" "$all"
	done >>"$1"
} 2>/dev/null

# read_all FILE: its text is then in $all.
read_all() {
	local text

	mapfile -d '' -t text <"$1"
	all=${text[0]-}
}

# The files of an uninterrupted run: below $T/EVENT, "before" and "after", what
# look() finds, "usable" links before it, "calls" that it makes as "NAME/NUMBER
# WHICH IMPORTANT".
learn() { # EVENT COMMAND
	local d=$T/$1

	mkdir "$d"
	before "$1"
	look "$d/before"
	{
		ip -4 -br addr show up | sed 's/@.*10.64.*//'
		ip -6 -br addr show up | sed -n 's/\(.*\)@.* fe80.*/6:\1/p'
	} | sed -n 's/^\([^ ]*\) *$/\1/p' >"$d/usable"
	# shellcheck disable=SC2086 # words of a command
	strace -n -o "$d/trace" $2 >/dev/null 2>&1 || return
	look "$d/after"
	# What the kernel begins anew, such as a sysctl while somebody has the
	# lock of all routing, is not there each time.
	sed -n 's/^\[ *\([0-9]*\)\] \([a-z0-9_]*\)(/\2\/\1(/p' "$d/trace" |
		awk -F'(' '!/^(execve|exit_group)\/|= \? ERESTART/ {
		print $1, ++n[$1], /RTM_(NEW|DEL)|NFT_MSG_(NEW|DEL)|BATCH|flock/ ||
			/O_CREAT|^(write|rename|unlink|mkdir|f?chmod|ftruncate)/
	}' >"$d/calls"
}

# Where MEND leads to: mendN.alone, and mendN.after the event's COMMAND.
learn_mend() { # EVENT N MEND COMMAND
	local d=$T/$1

	before "$1"
	# shellcheck disable=SC2086
	[ -z "$4" ] || $4 >/dev/null 2>&1
	# shellcheck disable=SC2086
	$3 >/dev/null 2>&1
	echo $? >>"$d/mend$2.status"
	if [ -z "$4" ]; then
		look "$d/mend$2.alone"
	else
		look "$d/mend$2.after"
	fi
}

# Does every mark that took a link before, or will, take one that is usable? A
# mark that the event leads nowhere may go nowhere when nothing gives it; and in a
# flush, whose table goes last, when nothing goes anywhere without a mark either.
wrong_ways() { # EVENT STATE WAYS
	local mark link none=1 usable=' ' d=$T/$1

	[[ $2 == *'table inet mwan'* ]] || none=0
	declare -A is=() was=() later=()
	while read -r mark link; do
		is[$mark]=$link
	done <"$3"
	while read -r mark link; do
		was[$mark]=$link
	done <"$d/before.ways"
	while read -r mark link; do
		later[$mark]=$link
	done <"$d/after.ways"
	while read -r link; do
		usable+="$link "
	done <"$d/usable"
	for mark in "${!was[@]}"; do
		[ "${is[$mark]-}" != "${was[$mark]}" ] || continue
		if [ -n "${is[$mark]-}" ]; then
			[[ $usable == *" ${is[$mark]} "* ]] ||
				echo "mark $mark takes ${is[$mark]}"
		elif [ "$1" = flush ] && [ -z "${is[${mark%%0x*}0x0]-}" ]; then
			:
		elif [[ $mark != *0x0 && $none != 0 || ${later[$mark]-} ]]; then
			[ "$usable" = ' ' ] || echo "mark $mark takes nothing"
		fi
	done
	for mark in "${!is[@]}"; do
		[ -n "${was[$mark]-}" ] || [[ $usable == *" ${is[$mark]} "* ]] ||
			echo "mark $mark takes ${is[$mark]}"
	done
}

# Bring the event about with the fault, which leaves status. A run of a second at
# most hangs when it has not ended after $HANGS seconds.
interfere() { # EVENT COMMAND CALL WHICH FAULT
	before "$1"
	# shellcheck disable=SC2086
	"$BIN/../t/fault" "$HANGS" "${3#*/}" "$4" "$5" $2 >/dev/null 2>&1
	status=$?
} 2>/dev/null

# Is the state of FILE another one than that of WANTED? try() prints how they
# differ, behind the event's points.
differs() { # EVENT WANTED FILE WHAT
	local all wanted

	read_all "$2"
	wanted=$all
	read_all "$3"
	[ "$all" != "$wanted" ] || return
	{
		echo "$4:"
		diff "$2" "$3" | grep '^[<>]' | head -n 10
	} >>"$T/$1/differences"
}

# The mend, and what is wrong with what it has led to.
mend() { # EVENT NUMBER MEND
	local d=$T/$1 all alone status

	# shellcheck disable=SC2086
	timeout -s KILL "$HANGS" $3 >/dev/null 2>&1
	status=$?
	read_all "$d/mend$2.status"
	[[ $'\n'$all == *$'\n'"$status"$'\n'* ]] || echo "$3: status $status"
	look /run/mended
	read_all "$d/mend$2.alone"
	alone=$all
	read_all /run/mended
	[ "$all" != "$alone" ] || return 0
	! differs "$1" "$d/mend$2.after" /run/mended "$3" ||
		echo "$3: another state"
}

# Is this the first time that somebody calls it with FILE?
first() { # FILE
	local status

	set -o noclobber
	true >"$1"
	status=$?
	set +o noclobber
	return $status
} 2>/dev/null

# A point with every mend that its state has not had; prints what is wrong.
point() { # EVENT COMMAND CALL NUMBER FAULT MENDS
	local status now hash i=0 m all d=$T/$1

	interfere "$@"
	look /run/now
	read_all /run/now
	now=$all
	md5sum /run/now >/run/hash
	read -r hash m </run/hash
	judge "$1" >/run/said
	wrong_ways "$1" "$now" /run/now.ways >>/run/said
	while IFS= read -r m; do
		i=$((i + 1))
		first "$d/seen.$i.$hash" || continue
		# The first finds everything as the fault has left it.
		# shellcheck disable=SC2016 # for the inner shell
		if [ "$i" = 1 ]; then
			mend "$1" 1 "$m"
		else
			unshare --net bash -c 'interfere "${@:1:5}"
				mend "$1" "$6" "$7"' - "${@:1:5}" $i "$m"
		fi >>/run/said
	done <<<"$6"
	read_all /run/said
	all=${all%$'\n'}
	echo "${all:+$1 ${3%/*}:$5:when=$4: ${all//$'\n'/; }}"
}

# The runs that may come next, a line each.
mends() { # EVENT
	echo "${command[$1]}"
	[ -z "${others[$1]}" ] || tr "|" "\n" <<<"${others[$1]}"
}

# One of two that take every other line of the points.
worker() { # NUMBER FILE
	local n=0 event call number fault
	declare -A mends=()

	for event in "${!command[@]}"; do
		mends[$event]=$(mends "$event")
	done
	mount -t tmpfs -o mode=755 tmpfs /run
	mount -t tmpfs -o mode=755 tmpfs /var/log
	mount -t tmpfs -o mode=755 tmpfs /etc/ppp
	while read -r event call number fault; do
		n=$((n + 1))
		[ $((n % 2)) = "$1" ] || continue
		unshare --net bash -c 'point "$@"' - "$event" \
			"${command[$event]}" "$call" "$number" "$fault" \
			"${mends[$event]}"
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

export T BIN
export -f to_do ip_do dial undial6 flow flow6 before before_cprt look read_all \
	learn learn_mend wrong_ways interfere differs mend first point mends worker
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
