#!/bin/bash
# mwan-rules history: what real hooks have logged, rotated and packed logs, JSON,
# the picture.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

log=/var/log/ifchang.log
export TZ=UTC
mount -t tmpfs tmpfs /var/log

outages() { # [ARGUMENT...]: "LINK CAUSE ..." of the JSON
	mwan-rules history --json "$@" |
		jq -r '.outages[] | "\(.link) \(.cause)"' | paste -sd' '
}

# line SECONDS-AGO TOOL EVENT FIELD...
line() {
	printf 'ts=%s tool=%s pid=7 event=%s result=ok took_us=9\n' \
		"$(date -u -d "@$((now - $1))" +%FT%T.000+00:00)" "$2" "${*:3}"
}

links_wanted ppp0 ppp1
ini '[link ppp0]' '[link ppp1]'

# --- a log that there is not, and what the hooks and commands write ---
is "no log" "$(mwan-rules history 2>&1; echo $?)" \
	"mwan-rules: cannot read the log $log: No such file or directory; it is made with its first line
1"
mwan-rules apply 2>/dev/null
is "a log without a link" "$(mwan-rules history)" \
	"The log tells of no link yet."
link_new ppp0 10.64.1.100 10.64.1.1
hook up ppp0 10.64.1.100 10.64.1.1
link_new ppp1 10.64.2.100 10.64.2.1
hook up ppp1 10.64.2.100 10.64.2.1
is "two links are up" "$(outages)" ""
like "and no outage is said" "$(mwan-rules history)" $'\nNo outages\\.$'
ip link del ppp0
hook down ppp0 10.64.1.100 10.64.1.1
mwan-rules drain ppp1 2>/dev/null
mwan-rules undrain ppp1
link_new ppp0 10.64.1.101 10.64.1.1
hook up ppp0 10.64.1.101 10.64.1.1
mwan-rules flush 2>/dev/null
mwan-rules apply
is "a session ends, a link is drained, all is flushed" "$(outages)" \
	"ppp0 pppd ppp1 drained ppp0 flush ppp1 flush"
is "of one link" "$(outages ppp1)" "ppp1 drained ppp1 flush"
is "which of them is an outage" "$(mwan-rules history --json |
	jq -c '[.outages[].outage]')" "[true,false,false,false]"
is "each has ended" "$(mwan-rules history --json |
	jq '[.outages[] | select(.end == null)] | length')" 0
is "when it began is the log's date" "$(mwan-rules history --json |
	jq -r '.outages[0].begin')" \
	"$(date -ud "$(sed -n 's/^ts=\([^ ]*\) .*event=down.*/\1/p' $log)" \
		+%FT%T.%3NZ)"
like "for people" "$(mwan-rules history | grep pppd)" \
	'^20[0-9-]{8} [0-9:]{8} +[0-9.]+s +ppp0 +pppd ended the session$'

# --- rotated logs, the oldest packed ---
now=$(date +%s)
line 900000 mwan-rules apply links=2 | gzip >$log.10.gz
line 900000 ip-up.local up if=ppp0 local=10.0.0.1 default=ppp0 | gzip >>$log.10.gz
line 890000 ip-up.local up if=ppp1 local=10.0.1.1 default=ppp1 | gzip >$log.2.gz
line 500000 ip-down.local down if=ppp1 local=10.0.1.1 default=ppp0 >$log.1
line 400000 ip-up.local up if=ppp1 local=10.0.1.2 default=ppp1 >$log
is "rotated logs, in their order" "$(outages)" "ppp1 pppd"
is "the availability is of all of them" "$(mwan-rules history --json |
	jq -c '[.months[] | select(.link == "ppp1") | .known_seconds -
		.up_seconds] | add')" 100000
is "--since: what has ended before is not shown" "$(outages --since 4d)" ""
is "--since: what goes on then is" "$(outages --since 5d)" "ppp1 pppd"
mv $log.10.gz "$log-20260101.gz"
mv $log.2.gz "$log-20260102.gz"
mv $log.1 "$log-20260103"
is "by date (dateext)" "$(outages)" "ppp1 pppd"
echo "not gzip" >$log-20251231.gz
is "what is not gzip's" "$(mwan-rules history --json 2>&1 >/dev/null)" "mwan-rules: ifchang.log-20251231.gz is left out: \
gzip could not unpack all of it; see \"gzip -t\""
rm $log-20251231.gz
ln -s /etc/shadow $log.3
like "no link is followed" "$(mwan-rules history 2>&1 >/dev/null)" \
	"ifchang.log.3 is left out: $(words 'Too many levels' 'Symbolic link loop')"
rm $log.3
touch "$log.bak" "$log-old" "$log.1.gz.tmp"
is "other files are not read" "$(mwan-rules history 2>&1 >/dev/null)" ""
rm $log
is "logrotate is at work: the rotated ones" "$(outages)" "ppp1 pppd"
is "the shell is not used" "$(strace -f -e trace=execve -o "$T/strace" \
	mwan-rules history >/dev/null
	grep -o 'execve("[^"]*"' "$T/strace" | grep -v mwan-rules | sort -u)" \
	'execve("/usr/bin/gzip"'
# A crash in the middle: the file has grown, and a line has lost its end.
{
	printf 'ts=2026-01-01T00:00:00.000+00:00 tool=ip-down.local event=down if='
	line 300000 ip-down.local down if=ppp0 local=10.0.0.1 default=ppp1
	head -c 5000 /dev/zero
	line 200000 ip-up.local up if=ppp0 local=10.0.0.2 default=ppp0
	printf 'ts=2026-01-01T00:0'
} >$log
is "a log from a crash" "$(outages)" "ppp1 pppd ppp0 pppd"
rm $log*

# --- arguments ---
line 90 ip-up.local up if=ppp9 local=10.0.0.1 default=ppp9 >$log
is "a link of the log that is not configured" \
	"$(mwan-rules history ppp9 | sed -n '2s/ .*//p')" ppp9
is "no such link" "$(mwan-rules history ppp7 2>&1; echo $?)" \
	'mwan-rules: neither the configuration nor the log has a link "ppp7"
64'
is "no such time" "$(mwan-rules history --since tomorrow 2>&1; echo $?)" \
	'mwan-rules: "tomorrow" is no time in the past that --since knows: 2026-11-22, 2026-11-22T17:22, 36h, 7d or 4w
64'
is "--since in the future" "$(status mwan-rules history --since 2100-01-01)" 64
is "--since without a time" "$(mwan-rules history --since 2>&1)" \
	'mwan-rules: a time is missing after "--since"; see mwan-rules --help'
is "--svg without a file" "$(mwan-rules history --svg 2>&1)" \
	"mwan-rules: a file's name is missing after \"--svg\"; see mwan-rules --help"
is "two links" "$(status mwan-rules history ppp0 ppp1)" 64
is "--svg and --json" "$(status mwan-rules history --svg - --json)" 64
is "--prometheus" "$(status mwan-rules history --prometheus)" 64
is "--since with another command" "$(status mwan-rules status --since 7d)" 64
is "--svg with another command" "$(status mwan-rules status --svg x)" 64

# --- the picture ---
# Of some days: its ticks are dates, the same ones in a picture made a moment later.
line 900000 ip-up.local up if=ppp9 local=10.0.0.1 default=ppp9 >$log
ok "--svg FILE" mwan-rules history --svg "$T/picture.svg"
is "--svg -: the same" "$(mwan-rules history --svg - | sed 's/2026.*//')" \
	"$(sed 's/2026.*//' "$T/picture.svg")"
ok "it is XML" xmllint --noout "$T/picture.svg"
is "without a script or anything from elsewhere" \
	"$(grep -ciE '<script|href|url\(|@import' "$T/picture.svg")" 0
like "light and dark" "$(cat "$T/picture.svg")" 'prefers-color-scheme: dark'
like "a file that cannot be made" \
	"$(mwan-rules history --svg /nodir/x.svg 2>&1)" \
	'cannot write /nodir/x.svg: No such file .*"--svg - >/nodir/x.svg"'

done_testing
