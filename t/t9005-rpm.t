#!/bin/bash
# The .rpm: what is in it, and that it installs, works, upgrades and is erased
# without harm to what is the administrator's, as rpm does it with the scriptlets,
# in a root of its own: a Red Hat as far as the package sees one, with pppd's
# ip-up that calls ip-up.local and busybox for a shell.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh disable=SC2317
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/package.sh
. "$root/t/lib/package.sh"

R=$T/redhat
log=var/log/ifchang.log

# pack SOURCES VERSION: $T/VERSION.rpm
pack() {
	(cd "$1/build/rpm" && cpack -G RPM -B "$T/pack" -R "$2") &&
		mv "$T"/pack/*.rpm "$T/$2.rpm"
}

package() { # rpm's arguments
	# Debian's rpm warns of Debian.
	rpm --root "$R" --force-debian "$@" >"$T/rpm" 2>&1
	local status=$?

	cat "$T/rpm"
	return "$status"
}

in_root() {
	chroot "$R" "$@"
}

# All files but rpm's own, with what is in them.
files() {
	(cd "$R" && find . -xdev \( -path './var/lib/rpm*' -o -path ./proc \
		-o -path ./tmp -o -path './root/.rpmdb' \) -prune -o \
		-printf '%M %u %p %l\n'
	find etc -type f -exec md5sum {} +) | sort
}

with_systemd() {
	mkdir -p "$R/run/systemd/system"
	printf '#!/bin/sh\necho "$@" >>/tmp/systemctl\n' >"$R/bin/systemctl"
	chmod 755 "$R/bin/systemctl"
}

without_systemd() {
	rm -r "$R/run/systemd" "$R/bin/systemctl" "$R/tmp/systemctl"
}

said() {
	tr -s ' \n' ' ' <"$T/rpm"
}

# --- the packages ---
version=$(sed -n 's/^project(mwan VERSION \([^ ]*\) .*/\1/p' \
	"$root/CMakeLists.txt")
here=$T/here
there=$T/another/place/of/ours
rpm=mwan-$version-1.$(uname -m).rpm
build() {
	(cd "$1" && cmake --workflow --preset rpm)
}
otherwise() (
	umask 077
	export LC_ALL=C.UTF-8 TZ=Asia/Tokyo
	"$@"
)
ok "a clone" clone_with_deps "$here"
ok "a package" build "$here"
# The programs are those of the .deb, which t9004 builds twice.
if [ -n "${TEST_LONG-}" ]; then
	ok "another clone" clone_with_deps "$there"
	find "$there" -type f -exec touch -d '2027-01-31 23:59' {} +
	ok "again, elsewhere, later and with another umask" \
		otherwise build "$there"
	ok "byte for byte the same" \
		cmp "$here/build/rpm/$rpm" "$there/build/rpm/$rpm"
fi
cp "$here/build/rpm/$rpm" "$T/$version.rpm"
ok "a later one" pack "$here" 99.1

list=$(rpm -qp --qf '[%{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES}\n]' \
	"$T/$version.rpm")
is "what is in it, without examples and documents" "$(grep -v ' /usr/share/doc' \
	<<<"$list")" "-rw-r--r-- root /etc/logrotate.d/mwan
lrwxrwxrwx root /etc/ppp/ip-down.local
lrwxrwxrwx root /etc/ppp/ip-up.local
lrwxrwxrwx root /etc/ppp/ipv6-down.local
lrwxrwxrwx root /etc/ppp/ipv6-up.local
-rw-r--r-- root /usr/lib/systemd/system/mwan-rules.service
-rw-r--r-- root /usr/lib/systemd/system/mwan-watch.service
drwxr-xr-x root /usr/libexec/mwan
-rwxr-xr-x root /usr/libexec/mwan/ip-down.local
-rwxr-xr-x root /usr/libexec/mwan/ip-up.local
-rwxr-xr-x root /usr/sbin/cprt
-rwxr-xr-x root /usr/sbin/mwan-rules
-rw-r--r-- root /usr/share/bash-completion/completions/mwan-rules
-rw-r--r-- root /usr/share/man/man5/mwan.ini.5.gz
-rw-r--r-- root /usr/share/man/man8/cprt.8.gz
-rw-r--r-- root /usr/share/man/man8/ip-down.local.8.gz
-rw-r--r-- root /usr/share/man/man8/ip-up.local.8.gz
-rw-r--r-- root /usr/share/man/man8/mwan-rules.8.gz
-rw-r--r-- root /usr/share/zsh/site-functions/_mwan-rules"
is "everything is root's, and nobody else can write it" \
	"$(awk '$2 != "root" || (!/^l/ && $1 ~ /^(.....w|........w)/)' \
		<<<"$list")" ""
is "a changed file of logrotate's is kept" \
	"$(rpm -qp --qf '[%{FILEFLAGS:fflags} %{FILENAMES}\n]' \
		"$T/$version.rpm" | grep '^cn')" "cn /etc/logrotate.d/mwan"
is "no shared library is needed" "$(rpm -qpR "$T/$version.rpm" | sort -u |
	grep -v '^rpmlib')" "/bin/sh
ppp"
is "rpmlint finds nothing but what has its reason in our list" \
	"$(rpmlint -c "$root/cmake/rpm/rpmlint.toml" "$here/build/rpm/$rpm" |
		sed -nE '/^mwan/p; s/^ *(1 packages .* warnings).*/\1/p')" \
	"1 packages and 0 specfiles checked; 0 errors, 0 warnings"

# --- a Red Hat ---
mkdir -p "$R"/{bin,dev,proc,run,tmp,var/log,var/lib/rpm,var/tmp,root,etc/ppp,etc/logrotate.d}
cp /bin/busybox "$R/bin"
for tool in sh cat readlink rm touch; do
	ln -s busybox "$R/bin/$tool"
done
mount -t proc proc "$R/proc"
for what in ip-up ip-down ipv6-up ipv6-down; do
	printf '#!/bin/sh\n[ -x /etc/ppp/%s.local ] && /etc/ppp/%s.local "$@"\n' \
		$what $what >"$R/etc/ppp/$what"
	chmod 755 "$R/etc/ppp/$what"
done

for what in up down; do
	cp "$root/t/bench/baseline/ip-$what.local" "$R/etc/ppp"
	files >"$T/was"
	not_ok "the script ip-$what.local: refused" \
		package --nodeps -i "$T/$version.rpm"
	like "the script ip-$what.local: it says how to go on" "$(said)" \
		"nothing was mwan: installed.*mv /etc/ppp/ip-$what.local .*\
\.before-mwan"
	is "the script ip-$what.local: nothing is changed" \
		"$(files | diff "$T/was" -)" ""
	rm "$R/etc/ppp/ip-$what.local"
done

files >"$T/before"
ok "install" package --nodeps -i "$T/$version.rpm"
is "nothing is said" "$(cat "$T/rpm")" ""
ok "all files are there" package --nodeps -V mwan
not_ok "no configuration is made up" test -e "$R/etc/ppp/mwan.ini"
is "nothing is put in force" "$(kernel)" ""
printf '[mwan]\nqdisc = none\n[link ppp0]\ntable = 201\n%s' \
	$'[link ppp1]\ntable = 202\n' >"$R/etc/ppp/mwan.ini"
link_new ppp0 10.64.1.100 10.64.1.1
ok "mwan-rules apply" in_root /usr/sbin/mwan-rules apply
ok "Red Hat's ip-up" in_root /bin/sh /etc/ppp/ip-up ppp0 eth1 0 10.64.1.100 \
	10.64.1.1 x
like "calls our hook" "$(tail -n 1 "$R/$log")" \
	'tool=ip-up.local .*event=up if=ppp0 .*default=ppp0.*result='
like "so the kernel is prepared" "$(kernel)" \
	'lookup 201 .*default dev ppp0 table 201 .*table inet mwan'

before=$(kernel)
echo '# mine' >>"$R/etc/logrotate.d/mwan"
cp "$R/etc/logrotate.d/mwan" "$R/etc/ppp/mwan.ini" "$T"
with_systemd
ok "upgrade" package --nodeps -U "$T/99.1.rpm"
is "upgraded" "$(package -q mwan)" "mwan-99.1-1.$(uname -m)"
is "an upgrade leaves the kernel alone" "$(kernel)" "$before"
ok "and the run directory" test -d "$R/run/mwan"
ok "and a changed file of logrotate's" \
	cmp "$T/mwan" "$R/etc/logrotate.d/mwan"
ok "and mwan.ini" cmp "$T/mwan.ini" "$R/etc/ppp/mwan.ini"
is "what the unit has in force is made anew" \
	"$(grep -c '^reload mwan-rules.service$' "$R/tmp/systemctl")" 1
is "nothing is started, stopped or disabled" \
	"$(grep -cE 'start|stop|enable|disable' "$R/tmp/systemctl")" 0

ok "erase" package --nodeps -e mwan
is "the unit is stopped" \
	"$(grep -c 'disable --now mwan-watch.service mwan-rules.service$' "$R/tmp/systemctl")" 1
without_systemd
is "nothing of ours is left in the kernel" "$(kernel)" ""
is "nor what would call us" \
	"$(cd "$R" && ls -d etc/ppp/*.local run/mwan 2>/dev/null)" ""
ok "the configuration is kept" cmp "$T/mwan.ini" "$R/etc/ppp/mwan.ini"
ok "and the log" test -s "$R/$log"
ok "and the changed file of logrotate's" \
	cmp "$T/mwan" "$R/etc/logrotate.d/mwan.rpmsave"

ok "install again" package --nodeps -i "$T/$version.rpm"
ok "and what was configured works" in_root /usr/sbin/mwan-rules apply
ok "erase without the right to change the kernel" setpriv \
	--bounding-set -net_admin --inh-caps -net_admin \
	rpm --root "$R" --nodeps -e mwan
like "it says what is left" "$(cat "$T/ok.out")" \
	'rules and routes are still in the kernel'
rm -f "$R/etc/logrotate.d/mwan.rpmsave" "$R/etc/ppp/mwan.ini" "$R/$log"
files >"$T/after"
# rpm leaves the directories that it had to make, which are in no package here.
is "after that all files are as before" \
	"$(comm -3 "$T/before" "$T/after" | grep -v '^	d.* ./usr')" ""
umount "$R/proc"
done_testing
