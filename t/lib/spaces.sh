# shellcheck shell=bash
# What lan.sh and lan6.sh have in common: the namespaces "lan" and "inet" on either
# side of the router.

lan() {
	ip netns exec lan "$@"
}

inet() {
	ip netns exec inet "$@"
}

# Before the kernel has noticed its carrier a veth drops what it is given.
carriers() {
	local ns
	for ns in "" "-n lan" "-n inet"; do
		# shellcheck disable=SC2086	# words
		ip $ns -j link show up type veth |
			jq -e 'all(.operstate == "UP")' || return
	done
}

# policy NAME LINE...: one more for that file.
policy() {
	printf '[policy %s]\n' "$1"
	shift
	printf '%s\n' "$@"
} >>/etc/ppp/mwan.ini
