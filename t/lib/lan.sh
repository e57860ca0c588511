# shellcheck shell=bash
# For t50NN: the network in which links are shared. After lib.sh:
#
#	. "$root/t/lib/lan.sh"
#	net5 2
#
#	 lan                     router (the test)                 inet
#	10.9.0.0/16, all of it  lan0                        198.51.100.1, .2
#	10.8.0.0/16, as well    ppp0 10.64.0.100 ---------- ppp0 10.64.0.1
#	                        ppp1 10.64.1.100 ---------- ppp1 10.64.1.1
#	                        ...                         strict rp_filter
#
# A link is a pair of veths that has the look of a PPP link: no ARP (both ends
# have one hardware address), and an address with a peer. "inet" refuses what
# comes by a link without that link's address, as providers do. By the source
# that a server in inet sees t/deal tells which link a connection has.

deal=$BIN/../t/deal
inet=198.51.100.1
port=7

# shellcheck source=spaces.sh disable=SC2154 # of lib.sh
. "$root/t/lib/spaces.sh"

local_of() { # INDEX
	echo "10.64.$1.100"
}

# pair NAME NAMESPACE: for ip -batch, a veth without ARP: what the one end sends
# has the other's address as well.
pair() {
	local mac n=${1//[!0-9]/}
	mac=$(printf '02:00:00:00:%02x:%02x' $((n / 256)) $((n % 256)))
	echo "link add $1 address $mac arp off type veth peer" \
		"name $1 address $mac netns $2"
	echo "link set $1 up"
}

# links_come INDEX...: as pppd has just made them; no hook is called.
links_come() {
	local i
	for i; do
		pair "ppp$i" inet
		echo "addr add 10.64.$i.100 peer 10.64.$i.1 dev ppp$i"
	done >"$T/here"
	for i; do
		echo "link set ppp$i arp off up"
		echo "addr add 10.64.$i.1 peer 10.64.$i.100 dev ppp$i"
	done >"$T/there"
	ip -batch "$T/here"
	ip -n inet -batch "$T/there"
	wait_for 20 carriers
}

# up INDEX..., down INDEX...: a session begins and ends, with its hook.
up() {
	local i
	links_come "$@"
	for i; do
		hook up "ppp$i" "$(local_of "$i")" "10.64.$i.1"
	done
}

# In pppd's order, but for the hook: the kernel must do without it.
cut_off() {
	local i
	for i; do
		ip link set "ppp$i" down
		ip link del "ppp$i"
	done
}

down() {
	local i
	cut_off "$@"
	for i; do
		hook down "ppp$i" "$(local_of "$i")" "10.64.$i.1"
	done
}

# conf LINE... -- WEIGHT...: an mwan.ini of as many links, and [mwan]'s lines.
# A WEIGHT is "3", or "3 tier=2".
conf() {
	ini_links 1001 "$@"
}

# net5 LINKS: the namespaces, the servers, and LINKS links.
net5() {
	local ns
	for ns in lan inet; do
		ip netns add $ns
		ip -n $ns link set lo up
		ip netns exec $ns sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
			net.ipv6.conf.default.disable_ipv6=1 \
			net.ipv4.icmp_echo_ignore_all=1 \
			net.ipv4.ip_local_port_range="1024 65535"
	done
	sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
	ip netns attach router $$
	inet sysctl -qw net.ipv4.conf.all.rp_filter=1
	lan sysctl -qw net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.default.rp_filter=0
	{
		pair lan0 lan
		echo "addr add 172.16.0.1/24 dev lan0"
		echo "route add 10.8.0.0/16 via 172.16.0.2"
		echo "route add 10.9.0.0/16 via 172.16.0.2"
	} | ip -batch -
	ip -n lan -batch - <<-END
	link set lan0 arp off up
	addr add 172.16.0.2/24 dev lan0
	route add local 10.8.0.0/16 dev lo
	route add local 10.9.0.0/16 dev lo
	route add default via 172.16.0.1
	END
	printf 'addr add %s dev lo\n' $inet 198.51.100.2 |
		ip -n inet -batch -
	# shellcheck disable=SC2046	# words
	links_come $(seq 0 $(($1 - 1)))
	daemon inet "$deal" serve $port 80
	daemon lan "$deal" serve $port 80
}

# net_vpn ROUTE: a tunnel, into which main has that route, too:
#
#	vpn0 172.17.0.1 --- "vpn": 10.20.0.0/16 is the other office,
#	                    198.51.100.2 can be reached there too
vpn() {
	ip netns exec vpn "$@"
}

net_vpn() {
	ip netns add vpn
	vpn sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv4.icmp_echo_ignore_all=1
	{
		pair vpn0 vpn
		echo "addr add 172.17.0.1/24 dev vpn0"
		echo "route add 10.20.0.0/16 via 172.17.0.2"
		echo "route add $1 via 172.17.0.2 dev vpn0"
	} | ip -batch -
	ip -n vpn -batch - <<-END
	link set lo up
	link set vpn0 arp off up
	addr add 172.17.0.2/24 dev vpn0
	addr add 198.51.100.2 dev lo
	route add local 10.20.0.0/16 dev lo
	route add default via 172.17.0.1
	END
	daemon vpn "$deal" serve $port 80
	wait_for 20 carriers
}

# daemon NAMESPACE COMMAND...: until the test ends; it says when it is ready. (A
# function in the background would be a shell, and be killed instead.)
daemon() {
	local out
	out=$(mktemp -p "$T" daemon.XXXXXX)
	ip netns exec "$@" >"$out" 2>&1 &
	wait_for 20 test -s "$out"
}

# ask [OPTION...]: by all of them from the LAN, a line each.
ask() {
	lan "$deal" ask "$@" $inet $port
}

# by DESCRIPTION TALLY OPTION...: a line of deal ask's, and where it goes. The
# destination and its port are $inet and $port.
by() {
	local desc=$1 want=$2
	shift 2
	ask "$@" >"$T/by"
	is "$desc" "$(tally "$T/by")" "$want"
}

# keep NAME OPTION...: like ask; all connections stay open. again NAME FILE asks
# by all of them once more.
declare -A keep_in keep_out keep_pid
keep() {
	local name=$1 in out
	shift
	mkfifo "$T/$name.in" "$T/$name.out"
	ip netns exec lan "$deal" ask -k "$@" $inet $port \
		<"$T/$name.in" >"$T/$name.out" &
	keep_pid[$name]=$!
	exec {in}>"$T/$name.in" {out}<"$T/$name.out"
	keep_in[$name]=$in
	keep_out[$name]=$out
	kept "$name" "$T/$name"
}

# end_kept NAME: the next ones may have the same ports.
end_kept() {
	local fd=${keep_in[$1]}

	exec {fd}>&-
	fd=${keep_out[$1]}
	exec {fd}<&-
	wait "${keep_pid[$1]}"
}

again() {
	echo >&"${keep_in[$1]}"
	kept "$1" "$2"
}

kept() {
	local line
	while read -rt 60 -u "${keep_out[$1]}" line && [ "$line" != end ]; do
		echo "$line"
	done >"$2"
}

# Forget all connections: the next one of the same addresses is a new one.
forget() {
	conntrack -F 2>/dev/null
}

# tally FILE: how many by each link ("ppp0=10 ppp1=5"), and no answers: "-=2".
tally() {
	awk '{ n[$3]++ }
		END {
			for (s in n) {
				name = s
				if (s ~ /^10\.64\./) {
					split(s, b, ".")
					name = "ppp" b[3]
				}
				print name "=" n[s]
			}
		}' "$1" | sort -V | paste -sd ' '
}

# A host, or a connection with "c", that has had more than one link.
wanderers() { # FILE [c]
	awk -v c="${2-}" '{
			k = c ? $1 " " $2 : $1
			if (k in l && l[k] != $3) bad[k]
			l[k] = $3
		}
		END { for (k in bad) n++; print n + 0 }' "$1"
}

# without LINK FILE, with LINK FILE: connections by other links, by this one.
without() {
	grep -v " 10.64.${1#ppp}.100$" "$2"
}

with() {
	grep " 10.64.${1#ppp}.100$" "$2"
}

# of_hosts FILE FILE2: those lines of FILE2 whose hosts are in FILE.
of_hosts() {
	awk 'NR == FNR { is[$1]; next } $1 in is' "$1" "$2"
}

# fair FILE WEIGHT...: are the shares of ppp0, ppp1, ... as the weights say?
# Of n connections dealt at random a link of share p gets a binomially
# distributed number. Beyond what is allowed here, on either side, is one in
# 10^7: a check with 400 such counts errs once in 10,000 runs. Of 10,000 and a
# half that is 5,000 +- 260.
fair() {
	perl -e '
		sub tail {	# P(X <= k), or P(X >= k): terms shrink fast
			my ($n, $p, $k, $step) = @_;
			my ($log, $sum) = (0, 0);
			my $j = $k > $n - $k ? $n - $k : $k;
			$log += log(($n - $j + $_) / $_) for 1 .. $j;
			my $t = exp($log + $k * log($p) +
				($n - $k) * log(1 - $p));
			for (; $k >= 0 && $k <= $n; $k += $step) {
				$sum += $t;
				last if $t < $sum * 1e-12;
				$t *= $step > 0 ?
					($n - $k) / ($k + 1) * $p / (1 - $p) :
					$k / ($n - $k + 1) * (1 - $p) / $p;
			}
			return $sum;
		}
		my ($file, @w) = @ARGV;
		my ($n, $sum, $bad, %seen) = (0, 0, 0);
		open F, $file or die;
		while (<F>) {
			$n++;
			/ 10\.64\.(\d+)\.100$/ && $1 < @w or die "stray: $_";
			$seen{$1}++;
		}
		$sum += $_ for @w;
		for my $i (0 .. $#w) {
			my ($p, $k) = ($w[$i] / $sum, $seen{$i} // 0);
			my $t = tail($n, $p, $k, $k > $n * $p ? 1 : -1);
			next if $t >= 1e-7;
			printf "ppp%d: %d of %d, weight %d of %d: %g\n", $i,
				$k, $n, $w[$i], $sum, $t;
			$bad++;
		}
		exit($n ? $bad : 1);' "$@"

}

# stream HOST: a UDP flow of 500 packets a second, until "streamed", which
# prints what became of it. t/lab/flows.c has the meter.
flows=$BIN/../t/flows
meter() {
	"$flows" ctl "$T/flows.sock" "$@"
}

stream() {
	if [ ! -S "$T/flows.sock" ]; then
		ip netns exec inet "$flows" serve $inet:7000 &
		wait_for 20 serving
		ip netns exec lan "$flows" client "$T/flows.sock" &
		wait_for 20 meter ready
	fi
	meter open "$1" udp "$1" $inet 7000 rate=500
	wait_for 20 streaming
}

# The number of the link by which the last answer of HOST had gone.
stream_link() { # HOST
	meter report |
		sed -n "s/.* src=$1 .* last=10\.64\.\([0-9]*\)\..*/\1/p"
}

serving() {
	inet ss -Huln sport = 7000 | grep -q .
}

streaming() {
	[ "$(meter ready)" = 0 ]
}

nothing_pending() {
	! meter report | grep -q 'pending=[1-9]'
}

streamed() {
	meter pause
	wait_for 10 nothing_pending
	meter report | grep -o 'lost=[0-9]*\|errors=[0-9]*\|changes=[0-9]*' |
		paste -sd ' '
	meter resume
}
