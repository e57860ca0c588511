# shellcheck shell=bash
# shellcheck disable=SC2154	# of lib.sh
# For tests of the packages, after lib.sh.

# clone DIR: the sources as a clone has them.
clone() {
	mkdir -p "$1" && (cd "$root" &&
		git ls-files -zco --exclude-standard |
		xargs -0 -I {} find {} -maxdepth 0 -print0 2>/dev/null |
		tar --null -cT - | tar -xC "$1")
}

# The same with the libraries of t/setup.
clone_with_deps() {
	clone "$1" && mkdir -p "$1/build" &&
		ln -s "$root/build/deps" "$1/build/deps"
}

# package_here PRESET: in build/PRESET of the tree itself, for whoever needs it; made
# once.
package_here() (
	cd "$root" && mkdir -p build && exec 9>"build/$1.lock" && flock 9 &&
		cmake --workflow --preset "$1"
)

# All that is ours in the kernel. What is made anew has a new handle.
kernel() {
	ip rule | grep 'proto 119'
	ip nexthop show protocol 119
	ip route show table all proto 119
	nft list tables | grep mwan
	nft -a list table inet mwan 2>/dev/null
}
