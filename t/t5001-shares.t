#!/bin/bash
# How new connections are shared: real ones, answered through masquerade, by
# every method, over 3 links and 64, with UDP, TCP and ICMP.
#
# Tolerance: a hash and the dice give binomially distributed shares, see fair
# in lib/lan.sh. Parity is exact. Round-robin is exact at every moment: after n
# connections each of L links has had n times its share, give or take
# 1 - 1 / 2(L-1), the least that an order for any weights can promise (Tijdeman,
# The chairman assignment problem, 1980). In blocks the link of weight 3 of 6
# would be 1.5 off, where 0.75 is allowed; that of 255 of 8161 links 247, where
# 0.99 is.

# shellcheck disable=SC2317	# functions that ok calls
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/lan.sh
. "$root/t/lib/lan.sh"

# at_every_moment FILE WEIGHT...: round-robin, as said above.
at_every_moment() {
	perl -e '
		my ($file, @w) = @ARGV;
		my ($n, $sum, @had) = (0, 0, (0) x @w);
		$sum += $_ for @w;
		open F, $file or die;
		while (<F>) {
			/ 10\.64\.(\d+)\.100$/ && $1 < @w or die "stray: $_";
			$had[$1]++;
			$n++;
			for my $i (0 .. $#w) {
				my $off = abs($had[$i] - $n * $w[$i] / $sum);
				my $may = 1 - 1 / (2 * (@w - 1));
				next if $off <= $may + 1e-9;
				die "ppp$i is $off off after $n: $may allowed";
			}
		}
		$n >= 10000 or die "only $n connections";' "$@"
}

# equal FILE WEIGHT...: as many by each link, to the one.
equal() {
	local file=$1 want
	shift
	want=$(seq -f "ppp%g=$(($(wc -l <"$file") / $#))" 0 $(($# - 1)))
	diff <(tally "$file" | tr ' ' '\n') - <<<"$want"
}

# anew: nothing is left of before, as after a reboot.
anew() {
	forget
	mwan-rules flush && mwan-rules apply
}

# dealt FILE METHOD: real connections, as many of each protocol: of 10,176 hosts
# (a multiple of 64) where the host decides, else of 96 hosts.
dealt() {
	local proto share first=0
	rm -f "$1".*
	for proto in tcp udp icmp; do
		share=106
		case $2 in
		source*)
			share=$((share * 96))
			ask -C 0 -t "$proto" -n "$share" \
				-s 10.9.$((first / 256)).$((first % 256))
			first=$((first + share))
			;;
		*) ask -C 0 -t "$proto" -s 10.9.0.0 -n 96 -c "$share" ;;
		esac >"$1.$proto" 2>>"$1.again"
		cat "$1.$proto"
	done >"$1"
}

shares() { # METHOD WEIGHT...
	local method=$1 check=fair file=$T/$1.$(($# - 1)) proto
	shift
	case $method in
	source-parity) check=equal ;;
	round-robin) check=at_every_moment ;;
	esac
	for _ in 1 2 3; do
		anew
		dealt "$file" "$method"
		[ -s "$file.again" ] || break
		diag "$(cat "$file.again")"
	done
	ok "$method, $# links" $check "$file" "$@"
	[ "$#" = 3 ] || return 0
	diag "$method, 3:2:1: $(tally "$file")"
	for proto in tcp udp icmp; do
		ok "$method, 3 links, $proto" fair "$file.$proto" "$@"
	done
}

# With a link that nobody ought to use: of a tier behind.
three=(3 2 1)
sixtyfour=()
ones=()
for i in {0..63}; do
	sixtyfour+=($((1 + i * 254 / 63)))
	ones+=(1)
done

net5 65
for method in source flow round-robin random; do
	conf "balance = $method" -- "${three[@]}" "255 tier=2"
	shares $method "${three[@]}"
	conf "balance = $method" -- "${sixtyfour[@]}" "255 tier=2"
	shares $method "${sixtyfour[@]}"
done
conf "balance = source-parity" -- 1 1 "1 tier=2"
shares source-parity 1 1
is "parity: even by the first, odd by the second" "$(awk '{
		split($1, a, "."); split($3, b, ".")
		if (a[4] % 2 != b[3]) n++
	} END { print n + 0 }' "$T/source-parity.2")" 0
conf "balance = source-parity" -- "${ones[@]}" "1 tier=2"
shares source-parity "${ones[@]}"

conf "balance = source-parity" -- 1 1 1
is "parity of three is refused" "$(status mwan-rules check)" 78
like "and it is said why" "$(mwan-rules check 2>&1)" \
	'source-parity.* 1, 2, 4, 8'

# --- the same deal, whatever happens ---
deal_of() { # FILE METHOD: 400 connections, anew
	local hosts=20 conns=20
	[ "$2" != source ] || hosts=400 conns=1
	forget
	ask -s 10.8.0.0 -n $hosts -c $conns >"$1"
}

same() { # METHOD
	deal_of "$T/now" "$1"
	[ "$(wc -l <"$T/now")" = 400 ] && cmp "$T/now" "$T/before"
}
for method in source flow; do
	conf "balance = $method" -- "${three[@]}" "255 tier=2"
	anew
	deal_of "$T/before" $method
	anew
	ok "$method: the same deal after flush and apply" same $method
	conf "balance = $method" "clamp_mss = no" -- \
		"${three[@]}" "255 tier=2"
	mwan-rules apply
	ok "$method: after a reload" same $method
	conf "balance = $method" "mark_mask = 0xff000" -- \
		"${three[@]}" "255 tier=2"
	mwan-rules apply
	ok "$method: with other marks" same $method
	conf "balance = $method" -- 6 4 2 "255 tier=2"
	mwan-rules apply
	ok "$method: with all weights twice as big" same $method
done
conf "balance = random" -- "${three[@]}" "255 tier=2"
anew
deal_of "$T/before" random
not_ok "random is not" same random

# --- the checks see what is wrong ---
not_ok "4:2:1 is not 3:2:1" fair "$T/source.3" 4 2 1
not_ok "a hash is no round-robin" at_every_moment "$T/source.3" 3 2 1
sort -k3,3 "$T/round-robin.3" >"$T/blocks"
not_ok "neither are blocks" at_every_moment "$T/blocks" 3 2 1

done_testing
