# shellcheck shell=bash
# The policy module of pkg/selinux, with Debian's reference policy.

# selinux_build DIR: in $DIR the policies "strict" and "targeted" (the latter has
# a domain that may do everything, and pppd's hooks run in it), and "bare", which
# is strict without our module; and in strict.fc and bare.fc which file has which
# type. All have kernel_t, where a test runs, permissive.
selinux_build() {
	# shellcheck disable=SC2154 # lib.sh sets it, or who has none
	local debian=$root/build/deps/selinux/usr/share/selinux/default
	local m modules=()

	mkdir -p "$1/ours" "$1/test" || return
	cp "$root"/pkg/selinux/mwan.?? "$1/ours"
	cat >"$1/test/harness.te" <<-'END'
	policy_module(harness, 1.0)
	gen_require(`
		type kernel_t;
	')
	permissive kernel_t;
	END
	make -C "$1/ours" -f /usr/share/selinux/devel/Makefile NAME=default \
		mwan.pp || return
	make -C "$1/test" -f /usr/share/selinux/devel/Makefile NAME=default \
		harness.pp || return
	for m in base ppp dhcp networkmanager iptables unconfined; do
		bzcat "$debian/$m.pp.bz2" >"$1/$m.pp" || return
	done
	for m in ppp dhcp networkmanager iptables; do
		modules+=("$1/$m.pp")
	done
	modules+=("$1/test/harness.pp")
	link "$1/bare" && link "$1/strict" "$1/ours/mwan.pp" &&
		link "$1/targeted" "$1/ours/mwan.pp" "$1/unconfined.pp" || return
	for m in base ppp dhcp ours/mwan; do
		semodule_unpackage "$1/$m.pp" "$1/mod" "$1/fc" || return
		# Those of home directories have placeholders.
		grep '^/' "$1/fc" >>"$1/strict.fc"
		[ $m != dhcp ] || cp "$1/strict.fc" "$1/bare.fc"
	done
}

# link POLICY MODULE...: with base and the others.
link() {
	local policy=$1

	shift
	semodule_link -o "$policy.pp" "${policy%/*}/base.pp" "${modules[@]}" \
		"$@" && semodule_expand "$policy.pp" "$policy"
}
