#!/bin/bash
# The policy module for SELinux compiles with Debian's reference policy, and lets
# in who starts us and nobody to more than we need. What it does in a kernel:
# t8018.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh disable=SC2317
. "$(dirname "$0")/lib/lib.sh"
# shellcheck source=lib/selinux.sh
. "$root/t/lib/selinux.sh"

transitions() { # POLICY
	sesearch -T -c process -t mwan_exec_t "$T/$1" | awk '{ print $2, $NF }' |
		sort
}

may() { # sesearch's arguments
	sesearch -A -s mwan_t "$@" "$T/strict"
}

ok "it compiles, and links with Debian's modules" selinux_build "$T"
like "who starts us gets there" "$(transitions strict)" "^NetworkManager_t \
mwan_t;.dhcpc_t mwan_t;.(init_t mwan_t;.)?initrc_t mwan_t;.pppd_t mwan_t;.sysadm_t \
mwan_t;$"
nftables() { # POLICY DOMAIN
	sesearch -A -s "$2" -c netlink_netfilter_socket -p create "$T/$1" |
		grep -c .
}
is "where there are domains that may do everything, ip-up's is one" \
	"$(nftables targeted initrc_t)" 1
is "where not, it may not use nftables" "$(nftables strict initrc_t)" 0
is "nor may a DHCP client's anywhere" \
	"$(nftables strict dhcpc_t) $(nftables targeted dhcpc_t)" "0 0"
is "an administrator without a domain stays without one" \
	"$(transitions targeted | grep unconfined)" ""
is "what that one makes is of use to the hooks, and its scripts are an init's" \
	"$(sesearch -T -s unconfined_t "$T/targeted" | grep mwan_ | sort)" \
	'type_transition unconfined_t mwan_script_exec_t:process initrc_t;
type_transition unconfined_t var_log_t:file mwan_log_t ifchang.log;
type_transition unconfined_t var_run_t:dir mwan_runtime_t mwan;'
is "a program in mwan.d runs where ip-up does" \
	"$(sesearch -T -s mwan_t -t mwan_script_exec_t -c process "$T/strict")" \
	"type_transition mwan_t mwan_script_exec_t:process initrc_t;"
is "no TCP" "$(may -c tcp_socket -p connect)" ""
is "no password" "$(may -t shadow_t)$(may -t pppd_secret_t)" ""
is "no file of others is written but the sysctls of the network" \
	"$(may -c file -p write | awk '{ print $3 }' | sort -u)" \
	"init_tmpfs_t:file
mwan_runtime_t:file
mwan_t:file
sysctl_net_t:file"
done_testing
