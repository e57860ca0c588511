# shellcheck shell=bash
# For tests that watch links come and go, after lib.sh: pppN is the link with table
# 200+N, and 10.64.N.100 its address. (The lab's links are in lab/net.sh.)

# All that is ours but nftables.
state() {
	ip rule | sed 's/\t/ /g'
	ip nexthop
	for table in 200 201 202 203 253; do
		echo "table $table"
		ip route show table "$table"
	done
}

# The way of a packet of the router.
way() { # ARGUMENT...: of ip route get
	ip route get 192.0.2.1 "$@" 2>&1 | grep -o 'dev [^ ]*'
}

# The members of a nexthop group.
group() { # ID
	ip nexthop show id "$1" 2>/dev/null | sed 's/.*group \([^ ]*\) .*/\1/'
}

link_up() { # NUMBER
	link_new "ppp$1" "10.64.$1.100" "10.64.$1.1"
	hook up "ppp$1" "10.64.$1.100"
}

link_down() { # NUMBER
	ip link del "ppp$1"
	hook down "ppp$1" "10.64.$1.100"
}
