#!/bin/bash
# cmake --install: what goes where, that it works there, called by Debian's own
# ip-up too, and that nothing of the administrator's is ever overwritten.

# lib.sh hides /etc/ppp; Debian's own scripts are wanted below.
[ -n "${LIB_INSIDE-}" ] || exec 8</etc/ppp/ip-up 9</etc/ppp/ip-down
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/package.sh
. "$root/t/lib/package.sh"

build=$(dirname "$BIN")
dest=$T/root

# cmake writes the list of what it has installed into the build directory: a
# real installation's must survive this test.
touch "$T/manifest" "$build/install_manifest.txt"
mount --bind "$T/manifest" "$build/install_manifest.txt"

# shellcheck disable=SC2317 # ok calls it
put() {
	DESTDIR=$dest cmake --install "$build" >"$T/out" 2>&1
}

# shellcheck disable=SC2317 # ok calls it
take_away() {
	DESTDIR=$dest cmake -P "$build/uninstall.cmake" >"$T/out" 2>&1
}

# Every name below the destination, and every file's content.
tree() {
	(cd "$dest" && find . | sort && find . -type f -exec md5sum {} + | sort)
}

fresh() {
	rm -rf "$dest"
	mkdir -p "$dest/etc/ppp"
}

# --- pppd calls ip-up.local: Red Hat and others ---
fresh
ok "install" put
for what in ip-up ip-down ipv6-up ipv6-down; do
	hook=$dest/etc/ppp/$what.local
	tool=ip-${what#*-}.local
	is "$what.local is a link" "$(readlink "$hook")" \
		"/usr/local/libexec/mwan/$tool"
	like "to the program" "$("$dest$(readlink "$hook")" --version)" \
		"^$tool [0-9.]+$"
done
for file in sbin/mwan-rules sbin/cprt share/man/man8/mwan-rules.8 \
	share/man/man8/ip-up.local.8 share/man/man8/ip-down.local.8 \
	share/man/man8/cprt.8 share/man/man5/mwan.ini.5 \
	lib/systemd/system/mwan-rules.service \
	lib/systemd/system/mwan-watch.service share/doc/mwan/README.md \
	share/doc/mwan/examples/init.d/mwan-watch \
	share/doc/mwan/README.zh-CN.md share/doc/mwan/t/failover.svg \
	share/doc/mwan/doc/games.md share/doc/mwan/doc/games.zh-CN.md \
	share/bash-completion/completions/mwan-rules \
	share/zsh/site-functions/_mwan-rules \
	share/doc/mwan/doc/two-boxes.md share/doc/mwan/doc/two-boxes.zh-CN.md \
	share/doc/mwan/examples/dhcp/dhclient-exit-hook \
	share/doc/mwan/LICENSE share/doc/mwan/examples/mwan.ini \
	share/doc/mwan/examples/rc.local share/doc/mwan/examples/grafana/mwan.json \
	share/doc/mwan/examples/rt_tables.d/mwan.conf \
	share/doc/mwan/examples/ppp/peers/wan0 \
	share/doc/mwan/examples/ppp/peers/wan1; do
	ok "$file" test -s "$dest/usr/local/$file"
done
ok "logrotate" cmp "$root/etc/logrotate/mwan" "$dest/etc/logrotate.d/mwan"
not_ok "no configuration is made up" test -e "$dest/etc/ppp/mwan.ini"
is "everything is root's, and nobody else can write it" \
	"$(find "$dest" ! -user root -o ! -type l -perm /022)" ""
first=$(tree)
ok "a second time" put
is "changes nothing" "$(tree)" "$first"

ok "uninstall" take_away
is "nothing is left" "$(find "$dest" ! -type d)" ""
is "not even a directory of ours" "$(find "$dest" -name mwan)" ""
not_ok "uninstall a second time" take_away
like "says that there is nothing" "$(tr -s '\n ' ' ' <"$T/out")" \
	"Nothing is installed from this build directory"

# --- what is the administrator's stays ---
fresh
mkdir -p "$dest/etc/logrotate.d"
echo '# mine' | tee "$dest/etc/ppp/mwan.ini" >"$dest/etc/logrotate.d/mwan"
ok "install beside a configuration" put
is "mwan.ini and logrotate's file are untouched" \
	"$(cat "$dest/etc/ppp/mwan.ini" "$dest/etc/logrotate.d/mwan")" \
	"# mine
# mine"
echo '#!/bin/sh' >"$T/hook"
rm "$dest/etc/ppp/ip-up.local"
cp "$T/hook" "$dest/etc/ppp/ip-up.local"
ok "uninstall beside them, and a hook that came later" take_away
is "they are left, and nothing else" \
	"$(cd "$dest" && find . ! -type d | sort)" \
	"./etc/logrotate.d/mwan
./etc/ppp/ip-up.local
./etc/ppp/mwan.ini"

# refused WHAT PATH: install refuses because of PATH and changes nothing.
refused() {
	local before

	before=$(tree)
	not_ok "$1: refused" put
	like "$1: says how to go on" "$(tr -s '\n ' ' ' <"$T/out")" \
		"nothing was installed.* mv $2 $2.before-mwan"
	is "$1: nothing is changed" "$(tree)" "$before"
}

fresh
cp "$root/t/bench/baseline/ip-up.local" "$dest/etc/ppp/"
refused "the script ip-up.local" "$dest/etc/ppp/ip-up.local"
mv "$dest/etc/ppp/ip-up.local" "$dest/etc/ppp/ip-up.local.before-mwan"
ok "and goes on when that is done" put

fresh
ln -s /opt/other/ip-down.local "$dest/etc/ppp/ip-down.local"
refused "somebody's link ip-down.local" "$dest/etc/ppp/ip-down.local"

fresh
ln -s /opt/other/ipv6-up.local "$dest/etc/ppp/ipv6-up.local"
refused "somebody's link ipv6-up.local" "$dest/etc/ppp/ipv6-up.local"

fresh
mkdir "$dest/etc/ppp/ip-up.d" "$dest/etc/ppp/ip-down.d"
touch "$dest/etc/ppp/ip-up.d/0000mwan"
refused "somebody's 0000mwan" "$dest/etc/ppp/ip-up.d/0000mwan"
rm "$dest/etc/ppp/ip-up.d/0000mwan"
touch "$dest/etc/ppp/ip-up.local"
refused "an ip-up.local that would keep ip-up.d from running" \
	"$dest/etc/ppp/ip-up.local"

fresh
mkdir -p "$dest/usr/local/sbin"
cp "$root/t/bench/baseline/cprt" "$dest/usr/local/sbin/"
refused "the script cprt" "$dest/usr/local/sbin/cprt"

fresh
ln -s /usr/libexec/mwan/ip-up.local "$dest/etc/ppp/ip-up.local"
ok "install over links to what is gone" put
mkdir -p "$dest/usr/libexec/mwan"
touch "$dest/usr/libexec/mwan/ip-up.local"
ln -sf /usr/libexec/mwan/ip-up.local "$dest/etc/ppp/ip-up.local"
before=$(tree)
not_ok "installed elsewhere: refused" put
like "installed elsewhere: says how to go on" \
	"$(tr -s '\n ' ' ' <"$T/out")" \
	"leads to /usr/libexec/mwan/ip-up.local, so nothing was installed. \
Remove that first: apt remove mwan, or"
is "installed elsewhere: nothing is changed" "$(tree)" "$before"

# --- Debian: links in ip-up.d ---
fresh
ok "install where there is no ip-up.d" put
mkdir "$dest/etc/ppp/"{ip,ipv6}-{up,down}.d
ok "install where there is one now" put
is "the hooks have moved there" \
	"$(cd "$dest/etc/ppp" && find . -type l | sort)" \
	"./ip-down.d/0000mwan
./ip-up.d/0000mwan
./ipv6-down.d/0000mwan
./ipv6-up.d/0000mwan"

cat <&8 >"$dest/etc/ppp/ip-up"
cat <&9 >"$dest/etc/ppp/ip-down"
for what in up down; do
	printf '#!/bin/sh\necho %s >>%s/other\n' "$what" "$T" \
		>"$dest/etc/ppp/ip-$what.d/0001other"
	chmod 755 "$dest/etc/ppp/ip-$what.d/0001other"
done
mount --bind "$dest/etc/ppp" /etc/ppp
mount --bind "$dest/usr/local" /usr/local
links_wanted ppp0 ppp1
ini '[link ppp0]' '[link ppp1]'
link_new ppp0 10.64.1.100 10.64.1.1
for what in up down; do
	env -i sh "/etc/ppp/ip-$what" ppp0 eth1 0 10.64.1.100 10.64.1.1 wan0
	like "Debian's ip-$what calls the hook" \
		"$(tail -n 1 /var/log/ifchang.log)" \
		"tool=ip-$what.local .*event=$what if=ppp0 .*default=ppp0"
done
is "and then other packages' hooks" "$(cat "$T/other")" "up
down"

# --- the systemd unit ---
# It looks the manual page up as well.
is "systemd has nothing to say against the unit" "$(
	MANPATH=/usr/local/share/man systemd-analyze verify \
		/usr/local/lib/systemd/system/mwan-rules.service \
		/usr/local/lib/systemd/system/mwan-watch.service 2>&1)" ""
is "what the watch's may do is hardly exposed" "$(
	systemd-analyze security --offline=true --no-pager \
		/usr/local/lib/systemd/system/mwan-watch.service |
		sed -n 's/.*for .*: \([0-9.]*\) .*/\1/p' |
		awk '{ print ($1 <= 2.0 ? "2.0 at most" : $1) }')" "2.0 at most"
unit=$(cat /usr/local/lib/systemd/system/mwan-rules.service)
caps=$(sed -n 's/^CapabilityBoundingSet=CAP_//p' <<<"$unit" | tr '[:upper:]' '[:lower:]')
for verb in Start Reload; do
	command=$(sed -n "s/^Exec$verb=//p" <<<"$unit")
	# shellcheck disable=SC2086 # words
	ok "Exec$verb works with the unit's capabilities alone" \
		setpriv --no-new-privs --bounding-set "-all,+$caps" \
		--inh-caps -all $command
	mwan-rules flush
done

# --- an upgrade and a removal, of what is in force ---
mount -t tmpfs tmpfs /etc/logrotate.d
cp "$dest/etc/logrotate.d/mwan" /etc/logrotate.d
mwan-rules apply
before=$(kernel)
like "in force" "$before" 'lookup ppp1.*default.*table inet mwan'
ok "install over it" put
is "changes nothing in the kernel" "$(kernel)" "$before"
unset dest
not_ok "uninstall without the right to change the kernel" \
	setpriv --bounding-set -net_admin --inh-caps -net_admin \
	cmake -P "$build/uninstall.cmake"
like "says that nothing was removed" "$(tr -s '\n ' ' ' <"$T/ok.out")" \
	'mwan-rules flush" failed, so nothing was removed'
ok "so it is" test -x /usr/local/sbin/mwan-rules
ok "the build has the target uninstall" \
	cmake --build "$build" --target uninstall
is "nothing of ours is left in the kernel" "$(kernel)" ""
is "nor files" "$(find /usr/local /etc/ppp /etc/logrotate.d /run \
	-name '*mwan*' ! -name mwan.ini)" ""
ok "but the configuration" test -s /etc/ppp/mwan.ini
done_testing
