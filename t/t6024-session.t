#!/bin/bash
# One process can carry out again and again what a hook does once: nothing of
# one time is left in the next.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

session=$(dirname "$BIN")/t/session
links_wanted ppp0 ppp1
ini '[link ppp0]' '[link ppp1]'
link_new ppp0 10.64.0.100 10.64.0.1
link_new ppp1 10.64.1.100 10.64.1.1
mwan-rules apply

said=$("$session" 1000 ppp0)
is "1,000 times: each did what was to be done, and no more" "$said" 1000
is "the last one has left all as it should be" "$(mwan-rules apply -n)" ""
ip link set ppp0 up
hook up ppp0 10.64.0.100
is "the same with both links" "$(ip nexthop show id 77257 |
	sed 's/.*group \([^ ]*\) .*/\1/')" 77001/77002

# A kernel that does not do as asked says so each time.
ip nexthop del id 77002
ip nexthop add id 77002 blackhole
said=$("$session" 50 ppp0)
like "an error is told" "$said" '^# the 1. time: it failed: nexthop 77002 belongs'
is "50 times: each fails for itself" "${said##*$'\n'}" 0
done_testing
