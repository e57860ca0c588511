#!/bin/bash
# Whoever builds a package gets the same one: two builds of the same sources in
# different folders, at different times, with another umask and locale, are the
# same byte for byte; and its programs run. With --long for each machine that a
# package is made for (by qemu-user).
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/package.sh
. "$root/t/lib/package.sh"

# shellcheck disable=SC2317 # ok calls it
build() ( # PRESET
	umask 077
	export LC_ALL=C.UTF-8 TZ=Asia/Tokyo
	cd "$there" && cmake --workflow --preset "$1"
)

there=$T/another/place/of/ours
ok "a clone" clone_with_deps "$there"
find "$there" -type f -exec touch -d '2027-01-31 23:59' {} +
machine=$(dpkg --print-architecture)
archs=$machine
[ -z "${TEST_LONG-}" ] || archs="amd64 arm64 armhf"
for arch in $archs; do
	preset=deb-$arch emulator=
	case $arch in
	"$machine")	preset=deb ;;
	arm64)		emulator=qemu-aarch64 ;;
	armhf)		emulator=qemu-arm ;;
	*)		continue ;;
	esac
	ok "$arch: a package" package_here "$preset"
	ok "$arch: again" build "$preset"
	one=$(echo "$root/build/$preset"/mwan_*_"$arch".deb)
	two=$(echo "$there/build/$preset"/mwan_*_"$arch".deb)
	ok "$arch: one package" test -s "$one"
	ok "$arch: byte for byte the same" cmp "$one" "$two"
	dpkg -x "$one" "$T/$arch"
	for tool in sbin/cprt sbin/mwan-rules libexec/mwan/ip-up.local \
		libexec/mwan/ip-down.local; do
		like "$arch: ${tool##*/} runs there" \
			"$($emulator "$T/$arch/usr/$tool" --version 2>&1)" \
			"^${tool##*/} [0-9.]+$"
		not_ok "$arch: ${tool##*/} does not tell where it was built" \
			grep -q -e "$there" -e "$root" "$T/$arch/usr/$tool"
	done
done
done_testing
