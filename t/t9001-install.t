#!/bin/bash
# cmake --install: what goes where, that it works there, called by Debian's own
# ip-up too, and that nothing of the administrator's is ever overwritten.

# lib.sh hides /etc/ppp; Debian's own scripts are wanted below.
[ -n "${LIB_INSIDE-}" ] || exec 8</etc/ppp/ip-up 9</etc/ppp/ip-down
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

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
for what in up down; do
	hook=$dest/etc/ppp/ip-$what.local
	is "ip-$what.local is a link" "$(readlink "$hook")" \
		"/usr/local/libexec/mwan/ip-$what.local"
	like "to the program" "$("$dest$(readlink "$hook")" --version)" \
		"^ip-$what.local [0-9.]+$"
done
for file in sbin/mwan-rules sbin/cprt share/man/man8/mwan-rules.8 \
	share/man/man8/ip-up.local.8 share/man/man8/ip-down.local.8 \
	share/man/man8/cprt.8 share/man/man5/mwan.ini.5 \
	lib/systemd/system/mwan-rules.service share/doc/mwan/README.md \
	share/doc/mwan/LICENSE share/doc/mwan/examples/mwan.ini \
	share/doc/mwan/examples/rc.local \
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

sed "s|^|$dest|" "$T/manifest" | xargs rm
is "the list of what was installed is complete" \
	"$(find "$dest" ! -type d)" ""

# --- what is the administrator's stays ---
fresh
mkdir -p "$dest/etc/logrotate.d"
echo '# mine' | tee "$dest/etc/ppp/mwan.ini" >"$dest/etc/logrotate.d/mwan"
ok "install beside a configuration" put
is "mwan.ini and logrotate's file are untouched" \
	"$(cat "$dest/etc/ppp/mwan.ini" "$dest/etc/logrotate.d/mwan")" \
	"# mine
# mine"

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
cp "$root/t/baseline/ip-up.local" "$dest/etc/ppp/"
refused "the script ip-up.local" "$dest/etc/ppp/ip-up.local"
mv "$dest/etc/ppp/ip-up.local" "$dest/etc/ppp/ip-up.local.before-mwan"
ok "and goes on when that is done" put

fresh
ln -s /opt/other/ip-down.local "$dest/etc/ppp/ip-down.local"
refused "somebody's link ip-down.local" "$dest/etc/ppp/ip-down.local"

fresh
mkdir "$dest/etc/ppp/ip-up.d" "$dest/etc/ppp/ip-down.d"
touch "$dest/etc/ppp/ip-up.d/000mwan"
refused "somebody's 000mwan" "$dest/etc/ppp/ip-up.d/000mwan"
rm "$dest/etc/ppp/ip-up.d/000mwan"
touch "$dest/etc/ppp/ip-up.local"
refused "an ip-up.local that would keep ip-up.d from running" \
	"$dest/etc/ppp/ip-up.local"

# --- Debian: links in ip-up.d ---
fresh
ok "install where there is no ip-up.d" put
mkdir "$dest/etc/ppp/ip-up.d" "$dest/etc/ppp/ip-down.d"
ok "install where there is one now" put
is "the hooks have moved there" \
	"$(cd "$dest/etc/ppp" && find . -type l | sort)" \
	"./ip-down.d/000mwan
./ip-up.d/000mwan"

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
printf '[mwan]\nqdisc = none\n[link ppp0]\n[link ppp1]\n' >/etc/ppp/mwan.ini
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
		/usr/local/lib/systemd/system/mwan-rules.service 2>&1)" ""
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
done_testing
