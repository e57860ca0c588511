#!/bin/bash
# A kernel without nft_fib_inet: everything else of the table works, and status
# says what is missing. In the lab, whose modules can be kept away.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/several" "$0" "$@"
. "$(dirname "$0")/lib/lib.sh"

links_wanted ppp0 ppp1
mkdir -p /etc/ppp
ini '[link ppp0]' '[link ppp1]'
link_new ppp0 10.64.0.100 10.64.0.1
link_new ppp1 10.64.1.100 10.64.1.1

has_fib() {
	nft list table inet mwan | grep -q 'fib saddr'
}

unloaded() {
	! grep -q '^nft_fib_inet ' /proc/modules || rmmod nft_fib_inet
}

ok "a module is kept away" mv "$(modinfo -n nft_fib_inet)" "$T/fib"
# A test before this one in the machine may have used it.
ok "and it is not loaded" wait_for 9 unloaded
ok "apply" mwan-rules apply
ok "the table is there" nft list chain inet mwan srcnat
not_ok "without the rule" has_fib
is "and once more nothing changes" "$(mwan-rules apply -n)" ""
like "status says so" "$(mwan-rules status)" 'This kernel lacks nft_fib_inet'
is "and does not know what was stopped" \
	"$(mwan-rules status --json | jq .stopped_packets)" null
mv "$T/fib" "$(dirname "$(modinfo -n nft_fib)")/nft_fib_inet.ko"
depmod
ok "the module is there again" modprobe nft_fib_inet
mwan-rules flush
ok "apply" mwan-rules apply
ok "with the rule" has_fib
not_ok "status does not say so" \
	eval 'mwan-rules status | grep -q nft_fib_inet'
done_testing
