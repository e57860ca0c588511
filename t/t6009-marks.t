#!/bin/bash
# A link's mark stays when links are added or removed: connections have it.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

configure() { # LINK...
	ini 'balance = source'
	printf '[link %s]\n' "$@" >>/etc/ppp/mwan.ini
}

marks() { # as check, status and the kernel know them
	mwan-rules check | sed -n 's/^\(ppp.\): .*mark \([^,]*\),.*/\1 \2/p' |
		tr '\n' ' '
	mwan-rules status --long | awk '/^ppp/ { name = $1 }
		/^ +20/ { print name, $2 }' | tr '\n' ' '
	ip rule | sed -n 's/.*fwmark \(.*\)\/0xff lookup \(ppp.\).*/\2 \1/p' |
		tr '\n' ' '
}

links_wanted ppp0 ppp1 ppp2 ppp3
for i in 0 1 2 3; do
	link_new "ppp$i" "10.64.$i.100" "10.64.$i.1"
done
configure ppp0 ppp1 ppp2
mwan-rules apply
all="ppp0 0x1 ppp1 0x2 ppp2 0x3 "
is "in the file's order" "$(marks)" "$all$all$all"
configure ppp1 ppp2
mwan-rules apply
two="ppp1 0x2 ppp2 0x3 "
is "the first is removed: the others' stay" "$(marks)" "$two$two$two"
hook up ppp1 10.64.1.100
like "a hook comes to the same" "$(tail -n 1 /var/log/ifchang.log)" \
	'result=unchanged'
configure ppp3 ppp1 ppp2
hook up ppp3 10.64.3.100
all="ppp3 0x1 ppp1 0x2 ppp2 0x3 "
is "one is added in front, and a hook sees it first: the others' stay" \
	"$(marks)" "$all$all$all"
configure ppp0 ppp3 ppp1 ppp2
mwan-rules apply
all="ppp0 0x4 ppp3 0x1 ppp1 0x2 ppp2 0x3 "
is "and another: it gets the lowest free one" "$(marks)" "$all$all$all"
printf 'mark = 1\n' >>/etc/ppp/mwan.ini
mwan-rules apply
like "a mark that the file gives is that link's" "$(marks)" "ppp2 0x1 "
mwan-rules flush
configure ppp3 ppp2 ppp1
mwan-rules apply
all="ppp3 0x1 ppp2 0x2 ppp1 0x3 "
is "a flush, or a boot, forgets: in the file's order" "$(marks)" \
	"$all$all$all"
done_testing
