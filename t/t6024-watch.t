#!/bin/bash
# mwan-rules status --watch, in a real terminal: what it shows, that it follows
# changes and the window's size, and leaves the terminal as it was.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

# A server of its own: others use tmux at the same time.
export TMUX_TMPDIR=$T
term() {
	tmux -L mwan -f /dev/null "$@"
}

shows() { # REGEX
	term capture-pane -p | grep -qE "$1"
}

# started ARGUMENT...: in the terminal, whose settings are kept before.
started() {
	term send-keys "clear; echo before-it; stty -g >$T/before; mwan-rules status --watch $*; \
echo \"ended \$?\"; stty -g >$T/after" Enter
	wait_for 9 shows '^LINK +STATE'
}

same_terminal() {
	cmp "$T/before" "$T/after"
}

links_wanted ppp0 ppp1
ini '[link ppp0]' '[link ppp1]'
sysctl -qw net.ipv4.ip_forward=1
mwan-rules apply 2>/dev/null
link_new ppp0 10.64.1.100 10.64.1.1
hook up ppp0 10.64.1.100 10.64.1.1

term new-session -d -x 80 -y 24 "env PS1='$ ' bash --norc"
trap 'term kill-server 2>/dev/null; lib_end' EXIT
ok "it starts" started 3600
ok "with rates" shows '^LINK +STATE +FOR +ADDRESS +IN b/s +OUT b/s +FLOWS +CARRIED BY'
ok "a link" shows '^ppp0 +up .* 10\.64\.1\.100 +- +- .* ppp0$'
ok "the other one is down" shows '^ppp1 +down '
ok "what is wrong" shows '^\* ppp1 is down, '
not_ok "and not what was there before" shows before-it
# The next look is in an hour: only the change itself can show it.
link_new ppp1 10.64.2.100 10.64.2.1
ok "a change is shown at once" wait_for 9 shows '^ppp1 +up .* 10\.64\.2\.100'
ok "... with the rate since" wait_for 9 shows '^ppp0 +up .* 10\.64\.1\.100 +[0-9]'
term resize-window -x 40 -y 6
ok "a small window: the lines are cut" \
	wait_for 9 sh -c "tmux -L mwan capture-pane -p | head -n1 |
		grep -qE '^LINK +STATE +FOR +ADDRESS ' &&
		! tmux -L mwan capture-pane -p | grep -qE '.{41}'"
ok "... and it says that there is more" shows 'too small for more'
term resize-window -x 100 -y 30
ok "a large one: all is there" wait_for 9 shows 'CARRIED BY$'
term send-keys q
ok "q ends it, with the status" wait_for 9 shows '^ended [01]$'
ok "what was there before is there again" shows before-it
wait_for 9 test -s "$T/after"
ok "and the terminal is as it was" same_terminal
rm "$T/after"
ok "once more" started 1
term send-keys C-c
ok "^C ends it" wait_for 9 shows '^ended'
wait_for 9 test -s "$T/after"
ok "and the terminal is as it was" same_terminal
rm "$T/after"
ok "--long" sh -c "tmux -L mwan send-keys 'clear; mwan-rules status --long --watch; echo over' Enter"
ok "... shows all" wait_for 9 shows 'TABLE +MARK +WEIGHT'
term send-keys C-z
ok "^Z does not stop it" wait_for 9 shows 'TABLE +MARK +WEIGHT'
term send-keys q
# What is typed before it has ended is lost with it.
wait_for 9 shows '^over'
ok "with a configuration that is wrong" sh -c "
	echo '[link' >$T/bad.ini
	tmux -L mwan send-keys 'clear; mwan-rules status -f $T/bad.ini --watch; echo and over' Enter"
ok "... it says so, and goes on" wait_for 9 shows "$T/bad.ini:1"
term send-keys q
wait_for 9 shows '^and over'

# --- bars, loss and latency ---
term send-keys 'clear; mwan-rules status --watch 1' Enter
wait_for 9 shows '^LINK +STATE'
not_ok "nothing is known of them: no such table" shows LATENCY
sed -i 's/^\[link ppp1\]/&\nqdisc = cake bandwidth 8kbit/' /etc/ppp/mwan.ini
{
	echo "until 99999999999999"
	echo "ppp0 1 answers 1700000000 2500 12345 1 192.0.2.1 9 9 1"
} >"$T/watched"
# As mwan-rules watch writes it.
chmod 644 "$T/watched" && cp "$T/watched" /run/mwan/watched
ok "a bar to the link's bandwidth" wait_for 9 shows \
	'^ppp1 +\[\.{20}\] +0% of 8000 +- +-$'
ok "loss and latency" wait_for 9 shows '^ppp0 +- +0\.2% +12\.3 ms$'
not_ok "all within 80 columns" shows '.{81}'
# A stream of 4 kbit/s: 500 bytes a second, in packets of 100.
ip route add 192.0.2.99/32 dev ppp1
perl -MSocket -e 'socket(my $s, PF_INET, SOCK_DGRAM, 0);
	for (1 .. 3000) {
		send($s, "x" x 72, 0, sockaddr_in(9, inet_aton("192.0.2.99")));
		select undef, undef, undef, 0.2;
	}' &
stream=$!
ok "the bar grows with the rate" wait_for 20 shows \
	'^ppp1 +\[#{3,20}\.*\] +[1-9][0-9]+% of 8000 '
kill $stream
term send-keys q
rm /run/mwan/watched

# --- where it is no terminal ---
mwan-rules status --watch 1 </dev/null 2>/dev/null |
	awk '{ print } /^LINK/ && ++n == 3 { exit }' >"$T/plain"
is "in a pipe: one after the other" "$(grep -c ^LINK "$T/plain")" 3
is "... without escape sequences" "$(grep -c $'\33' "$T/plain")" 0
is "no such interval" "$(mwan-rules status --watch 0 2>&1; echo $?)" \
	'mwan-rules: seconds from 1 to 3600 are expected, not "0"; see mwan-rules --help
64'
is "with another command" "$(status mwan-rules check --watch)" 64
is "with --json" "$(status mwan-rules status --watch --json)" 64
is "an interval without --watch" "$(status mwan-rules status 2)" 64
done_testing
