#!/bin/bash
# The samples for Arch and Alpine: makepkg, which is Arch's own, has nothing
# against the PKGBUILD and makes a package of it; the APKBUILD's functions do
# their work in busybox's shell, as abuild calls them.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh disable=SC2317
. "$(dirname "$0")/lib/lib.sh"

pkg=$root/pkg
tools=$root/build/deps/makepkg
version=$(sed -n 's/^project(mwan VERSION \([^ ]*\) .*/\1/p' \
	"$root/CMakeLists.txt")

for file in "$pkg"/alpine/*; do
	ok "${file##*/}: shellcheck" shellcheck "$file"
	ok "${file##*/}: busybox ash" busybox ash -n "$file"
done
ok "PKGBUILD: shellcheck" shellcheck "$pkg/arch/PKGBUILD"
ok "PKGBUILD: bash" bash -n "$pkg/arch/PKGBUILD"

# As tar makes it of a release.
release() {
	(cd "$root" && git ls-files -zco --exclude-standard |
		xargs -0 -I {} find {} -maxdepth 0 -print0 2>/dev/null |
		tar --null -cT - --transform "s,^,mwan-$version/,") |
		gzip -1 >"$T/mwan-$version.tar.gz"
}
ok "a release" release

# --- Arch ---
arch=$T/arch
install -d -o nobody "$arch"
cp "$pkg/arch/PKGBUILD" "$T/mwan-$version.tar.gz" "$arch"
chmod 755 "$T"
# makepkg does not work as root. There is no pacman.
makepkg() {
	(cd "$arch" && setpriv --reuid nobody --regid nogroup --clear-groups \
		env HOME="$arch" PACMAN=true PKGEXT=.pkg.tar \
		LIBRARY="$tools/usr/share/makepkg" \
		MAKEPKG_CONF="$tools/etc/makepkg.conf" \
		bash "$tools/usr/bin/makepkg" "$@") >"$T/makepkg" 2>&1
	local status=$?

	cat "$T/makepkg"
	return "$status"
}
ok "makepkg makes the package" makepkg --nodeps
is "and has nothing against it" "$(grep -E 'WARNING|ERROR' "$T/makepkg" |
	grep -v 'Skipping dependency checks')" ""
is "what is in it, without documents" \
	"$(tar -tf "$arch/mwan-$version-1-$(uname -m).pkg.tar" |
		grep -vE '/$|^\.|^usr/share/(doc|man)' | sort)" \
	"etc/logrotate.d/mwan
etc/ppp/ip-down.d/0000mwan.sh
etc/ppp/ip-up.d/0000mwan.sh
etc/ppp/ipv6-down.d/0000mwan.sh
etc/ppp/ipv6-up.d/0000mwan.sh
usr/bin/cprt
usr/bin/mwan-rules
usr/lib/mwan/ip-down.local
usr/lib/mwan/ip-up.local
usr/lib/systemd/system/mwan-rules.service
usr/lib/systemd/system/mwan-watch.service
usr/share/bash-completion/completions/mwan-rules
usr/share/licenses/mwan/LICENSE
usr/share/zsh/site-functions/_mwan-rules"

# --- Alpine ---
abuild() { # FUNCTION...
	(cd "$T/mwan-$version" && pkgdir=$T/alpine srcdir=$pkg/alpine busybox ash -e -c \
		". '$pkg/alpine/APKBUILD'; for f; do \$f; done" - "$@")
}
tar -xzf "$T/mwan-$version.tar.gz" -C "$T"
ok "the APKBUILD's functions" abuild build package
is "what they install, without documents" "$(cd "$T/alpine" &&
	find . ! -type d | grep -vE '^./usr/share/(doc|man)' | sort)" \
	"./etc/init.d/mwan
./etc/init.d/mwan-watch
./etc/logrotate.d/mwan
./etc/ppp/ip-down.d/0000mwan
./etc/ppp/ip-up.d/0000mwan
./etc/ppp/ipv6-down.d/0000mwan
./etc/ppp/ipv6-up.d/0000mwan
./usr/libexec/mwan/ip-down.local
./usr/libexec/mwan/ip-up.local
./usr/sbin/cprt
./usr/sbin/mwan-rules
./usr/share/bash-completion/completions/mwan-rules
./usr/share/zsh/site-functions/_mwan-rules"
done_testing
