#!/bin/bash
# The .deb, on Debian 12 and 13 (from this machine's release on: a package for
# Debian 12 must run on 13, not the other way): it installs, works, upgrades,
# is removed and purged, and is to lintian's liking. Each Debian is a chroot in
# the test's own network namespace: what its dpkg does to the kernel is seen
# there.

# The test itself has no network.
if [ -z "${LIB_INSIDE-}" ]; then
	. /etc/os-release
	debians=
	for release in bookworm trixie; do
		[ "$VERSION_CODENAME $release" != "trixie bookworm" ] || continue
		dir=$("$(dirname "$0")/lab/debian" $release) ||
			{ echo "Bail out! no $release, see above"; exit 1; }
		debians="$debians $dir"
	done
	export debians
fi
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh disable=SC2317 # ok calls them
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/package.sh
. "$root/t/lib/package.sh"

log=var/log/ifchang.log

# --- the packages ---
# pack VERSION: $T/VERSION.deb
pack() {
	(cd "$T" && cpack --config "$root/build/deb/CPackConfig.cmake" -G DEB \
		-B "$T/$1" -R "$1") && mv "$T/$1"/*.deb "$T/$1.deb"
}

version=$(sed -n 's/^project(mwan VERSION \([^ ]*\) .*/\1/p' \
	"$root/CMakeLists.txt")
ok "the package's programs are built" package_here deb
ok "a package" pack "$version"
ok "a later one" pack 99.1
ok "lintian finds no error" lintian --fail-on error --info "$T/$version.deb"
is "no shared library is needed" "$(dpkg-deb -f "$T/$version.deb" Depends)" ppp
is "the sources of the static ones are named" \
	"$(dpkg-deb -f "$T/$version.deb" Built-Using | tr , '\n' |
		sed -nE 's/^ ?(.*) \(= [0-9].*\)$/\1/p' | sort | xargs)" \
	"glibc libinih libmnl"

# A clone without t/setup's libraries: the README's commands make a package on
# Debian 12 too, and say what is different about it.
package_of_clone() {
	clone "$T/clone" && cd "$T/clone" && cmake --workflow --preset deb &&
		mv build/deb/*.deb "$T/clone.deb"
}
ok "a clone: a package" package_of_clone
# shellcheck disable=SC2012 # at most one
if ls /usr/lib/*/libmnl.a >"$T/libmnl" 2>&1; then
	is "a clone: needs no shared library" \
		"$(dpkg-deb -f "$T/clone.deb" Depends)" ppp
else
	like "a clone: says what is missing" "$(tr -s ' \n' ' ' <"$T/ok.out")" \
		'libmnl.a is missing, so .* Run "t/setup libmnl"'
	like "a clone: needs the distribution's libraries" \
		"$(dpkg-deb -f "$T/clone.deb" Depends)" \
		'^ppp, libc6 .*libinih1 .*libmnl0 '
fi
ok "a clone: lintian finds no error" lintian --fail-on error "$T/clone.deb"

# --- in a Debian ---
in_chroot() {
	# shellcheck disable=SC2154 # set by the loop below
	chroot "$R" "$@"
}

# package -i FILE | -r mwan | -P mwan
package() {
	in_chroot dpkg --force-unsafe-io "$@" >"$T/dpkg" 2>&1
	local status=$?

	cat "$T/dpkg"
	return "$status"
}

state() {
	# shellcheck disable=SC2016 # dpkg-query's own
	in_chroot dpkg-query -W -f '${db:Status-Status}' mwan 2>/dev/null ||
		echo unknown
}

# Every file but those of dpkg itself, with links and content.
files() {
	(cd "$R" && find . -xdev \( -path ./var/lib/dpkg -o -path ./tmp -o \
		-path ./var/log/dpkg.log -o -path ./var/cache \) -prune -o \
		-printf '%M %u %p %l\n' | sort
	find etc usr/lib/systemd -type f -exec md5sum {} + | sort -k 2)
}

# refused WHAT PATH: the package is not installed because of PATH.
refused() {
	files >"$T/was"
	not_ok "$release: $1: refused" package -i /tmp/old.deb
	like "$release: $1: it says how to go on" "$(tr '\n' ' ' <"$T/dpkg")" \
		"nothing was installed.*again: mv $2 .*\.before-mwan"
	is "$release: $1: nothing is changed" "$(files | diff "$T/was" -)" ""
	not_ok "$release: $1: nothing is installed" in_chroot dpkg --verify mwan
	in_chroot dpkg --purge --force-all mwan >/dev/null 2>&1
}

# The next Debian begins with an empty kernel.
clear_kernel() {
	ip link del ppp0
	ip rule flush protocol 119
	ip nexthop flush protocol 119
	ip route flush table all proto 119
	nft flush ruleset
}

call_hook() { # up|down
	in_chroot env -i sh "/etc/ppp/ip-$1" ppp0 eth1 0 10.64.1.100 10.64.1.1 x
}

# A machine with systemd, as far as the scripts know.
with_systemd() {
	mkdir -p "$R/run/systemd/system"
	printf '#!/bin/sh\necho "$@" >>/tmp/systemctl\n' >"$R/usr/bin/systemctl"
	chmod 755 "$R/usr/bin/systemctl"
}

without_systemd() {
	rm -r "$R/run/systemd" "$R/usr/bin/systemctl"
}

works() {
	printf '[mwan]\nqdisc = none\n[link ppp0]\ntable = 201\n%s' \
		$'[link ppp1]\ntable = 202\n' >"$R/etc/ppp/mwan.ini"
	printf '#!/bin/sh\necho other >>/tmp/other\n' \
		>"$R/etc/ppp/ip-up.d/0001other"
	chmod 755 "$R/etc/ppp/ip-up.d/0001other"
	link_new ppp0 10.64.1.100 10.64.1.1
	is "$release: the hook comes first" \
		"$(in_chroot run-parts --test /etc/ppp/ip-up.d | head -n 1)" \
		/etc/ppp/ip-up.d/0000mwan
	ok "$release: mwan-rules apply" in_chroot mwan-rules apply
	ok "$release: Debian's ip-up" call_hook up
	like "$release: it calls our hook" "$(tail -n 1 "$R/$log")" \
		'tool=ip-up.local .*event=up if=ppp0 .*default=ppp0.*result='
	is "$release: and others' hooks" "$(cat "$R/tmp/other")" other
	like "$release: so the kernel is prepared" "$(kernel)" \
		'lookup 201 .*default dev ppp0 table 201 .*table inet mwan'
}

upgrades() {
	local before

	before=$(kernel)
	echo '# mine' >>"$R/etc/logrotate.d/mwan"
	cp "$R/etc/logrotate.d/mwan" "$R/etc/ppp/mwan.ini" "$T"
	ok "$release: upgrade" package -i /tmp/new.deb
	is "$release: upgraded" "$(in_chroot dpkg-query -W mwan)" \
		$'mwan\t99.1'
	is "$release: an upgrade leaves the kernel alone" "$(kernel)" "$before"
	ok "$release: and a changed file of logrotate's" \
		cmp "$T/mwan" "$R/etc/logrotate.d/mwan"
	ok "$release: and mwan.ini" cmp "$T/mwan.ini" "$R/etc/ppp/mwan.ini"
	with_systemd
	ok "$release: upgrade with systemd" package -i /tmp/new.deb
	is "$release: what the unit has in force is made anew" \
		"$(grep -c '^reload mwan-rules.service$' "$R/tmp/systemctl")" 1
	is "$release: nothing is started or stopped" \
		"$(grep -cE '^(start|stop|restart|enable|disable)' \
			"$R/tmp/systemctl")" 0
	without_systemd
}

goes() {
	ok "$release: remove" package -r mwan
	is "$release: nothing of ours is left in the kernel" "$(kernel)" ""
	is "$release: nor what would call us" \
		"$(cd "$R" && ls etc/ppp/ip*.d/*mwan run/mwan 2>/dev/null)" ""
	ok "$release: the configuration is kept" \
		cmp "$T/mwan.ini" "$R/etc/ppp/mwan.ini"
	ok "$release: and the log" test -s "$R/$log"

	ok "$release: install again" package -i /tmp/old.deb
	ok "$release: and what was configured works" in_chroot mwan-rules apply
	with_systemd
	ok "$release: remove without the right to change the kernel" \
		setpriv --bounding-set -net_admin --inh-caps -net_admin \
		chroot "$R" dpkg --force-unsafe-io -r mwan
	like "$release: it says what is left" "$(cat "$T/ok.out")" \
		'rules and routes are still in the kernel'
	is "$release: the unit is stopped" \
		"$(grep -c '^stop mwan-watch.service mwan-rules.service$' "$R/tmp/systemctl")" 1
	mkdir -p "$R/etc/systemd/system/multi-user.target.wants"
	ln -s /usr/lib/systemd/system/mwan-rules.service \
		"$R/etc/systemd/system/multi-user.target.wants"
	ok "$release: purge" package -P mwan
	without_systemd
}

for R in $debians; do
	release=${R##*-}
	cp -a "$R" "$T/$release"
	R=$T/$release
	mount -t proc proc "$R/proc"
	cp "$T/$version.deb" "$R/tmp/old.deb"
	cp "$T/99.1.deb" "$R/tmp/new.deb"

	for what in ip-up ip-down ipv6-up ipv6-down; do
		cp "$root/t/bench/baseline/ip-${what#*-}.local" \
			"$R/etc/ppp/$what.local"
		refused "the script $what.local" "/etc/ppp/$what.local"
		rm "$R/etc/ppp/$what.local"
		ln -s /opt/other "$R/etc/ppp/$what.d/0000mwan"
		refused "somebody's link in $what.d" \
			"/etc/ppp/$what.d/0000mwan"
		rm "$R/etc/ppp/$what.d/0000mwan"
	done

	files >"$T/before"
	ok "$release: install" package -i /tmp/old.deb
	is "$release: installed" "$(state)" installed
	ok "$release: all files are there" in_chroot dpkg --verify mwan
	not_ok "$release: no configuration is made up" \
		test -e "$R/etc/ppp/mwan.ini"
	is "$release: nothing is put in force" "$(kernel)" ""
	for tool in mwan-rules cprt /etc/ppp/ip-up.d/0000mwan \
		/etc/ppp/ip-down.d/0000mwan /etc/ppp/ipv6-up.d/0000mwan \
		/etc/ppp/ipv6-down.d/0000mwan; do
		like "$release: $tool runs" "$(in_chroot $tool --version)" \
			"^[a-z.-]+ $version$"
	done
	is "$release: LD_PRELOAD does not reach a hook" "$(in_chroot \
		env LD_PRELOAD=/none.so /etc/ppp/ip-up.d/0000mwan --version 2>&1)" \
		"ip-up.local $version"
	works
	upgrades
	goes
	rm "$R/etc/ppp/ip-up.d/0001other" "$R"/tmp/*
	rmdir -p --ignore-fail-on-non-empty \
		"$R/etc/systemd/system/multi-user.target.wants"
	files >"$T/after"
	is "$release: after that all files are as before" \
		"$(diff "$T/before" "$T/after")" ""
	umount "$R/proc"
	clear_kernel >/dev/null 2>&1
done
done_testing
