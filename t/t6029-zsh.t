#!/bin/bash
# Completion in a real zsh, on a real terminal: commands, options, the links'
# names. What bash offers (t6025) zsh has to offer as well.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

# A server of its own: others use tmux at the same time.
export TMUX_TMPDIR=$T
term() {
	tmux -L mwan -f /dev/null "$@"
}

screen() {
	term capture-pane -p | sed '/^$/d'
}

shows() { # REGEX
	screen | grep -qE -- "$1"
}

# C-u empties the line, C-l the screen: zsh takes one key after the other.
clear_line() {
	term send-keys C-u C-l
	wait_for 9 empty
}

empty() {
	[ "$(screen)" = '>' ]
}

# offers REGEX WORDS: after WORDS and a tab.
offers() {
	clear_line
	term send-keys "$2" Tab
	wait_for 9 shows "$1"
}

links_wanted ppp0 wan-b
printf '[mwan]\nqdisc = none\n[link ppp0]\n[link wan-b]\n' >/etc/ppp/mwan.ini
mkdir "$T/home"
cat >"$T/home/.zshrc" <<END
PS1='> '
fpath=($root/etc/zsh-completion \$fpath)
autoload -Uz compinit
compinit -u -d $T/home/dump
setopt no_beep
END
term new-session -d -x 100 -y 50 \
	"env HOME=$T/home ZDOTDIR=$T/home PATH=$PATH zsh -d -i"
trap 'term kill-server 2>/dev/null; lib_end' EXIT
wait_for 9 shows '^>'

ok "the commands, with what they do" \
	offers '^undrain +-- take LINK back' 'mwan-rules '
is "... all of them" "$(screen | sed -n 's/^\([a-z]*\) *-- .*/\1/p' | sort |
	paste -sd' ')" "$(mwan-rules --help |
	sed -n 's/^\(Usage:\|      \) mwan-rules \([a-z]*\).*/\2/p' |
	sort | paste -sd' ')"
ok "a command that is begun" offers '^> mwan-rules status$' 'mwan-rules stat'
ok "links" offers '^ppp0 +wan-b' 'mwan-rules drain '
ok "a link that is begun" offers '^> mwan-rules drain wan-b' 'mwan-rules drain w'
ok "after an option" offers '^> mwan-rules down -n ppp0' 'mwan-rules down -n p'
ok "history: a link as well" offers '^> mwan-rules history ppp0' \
	'mwan-rules history p'
ok "times" offers '^24h +4w +7d|^24h +7d +4w' 'mwan-rules history --since '
ok "no option that does not go with another" \
	offers '^> mwan-rules status --json -f' 'mwan-rules status --json -'
ok "files after -f" offers "^> mwan-rules apply -f $T/home/dump" \
	"mwan-rules apply -f $T/home/du"
offered=$(for command in "" "status " "history "; do
	offers '^--[a-z]+ ' "mwan-rules $command--" >/dev/null
	screen | grep -o '^--[a-z]*'
done | sort -u | paste -sd' ')
is "every long option is offered somewhere" "$offered" "$({
	sed -n 's/^\t\t{ "\([a-z]*\)", .*_argument.*/--\1/p' \
		"$root/cmd/mwan-rules.c"
	printf -- '--help\n--version\n'
} | sort -u | paste -sd' ')"
echo '[link' >/etc/ppp/mwan.ini
clear_line
term send-keys 'mwan-rules drain p' Tab 'x'
ok "a configuration that is wrong: no links, no words" \
	wait_for 9 shows '^> mwan-rules drain px$'
done_testing
