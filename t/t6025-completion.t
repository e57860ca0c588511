#!/bin/bash
# Completion: what bash offers, and that it knows all commands and options.
# shellcheck source-path=SCRIPTDIR source=lib/lib.sh
. "$(dirname "$0")/lib/lib.sh"

# offers WORD...: what is offered for the last one.
offers() {
	bash --norc -c "
		source $root/etc/bash-completion/mwan-rules
		COMP_WORDS=(mwan-rules \"\$@\")
		COMP_CWORD=\$#
		_mwan_rules
		printf '%s\n' \"\${COMPREPLY[*]}\"" - "$@"
}

links_wanted ppp0 wan-b
ini '[link ppp0]' '[link wan-b]'
is "the commands" "$(offers "" | tr ' ' '\n' | grep -v ^- | sort | paste -sd' ')" \
	"$(mwan-rules --help |
		sed -n 's/^\(Usage:\|      \) mwan-rules \([a-z]*\).*/\2/p' |
		sort | paste -sd' ')"
is "a command that is begun" "$(offers st)" status
is "two of them" "$(offers u)" "undrain up"
is "a link" "$(offers drain "")" "-n ppp0 wan-b"
is "a link that is begun" "$(offers drain w)" wan-b
is "after an option" "$(offers drain -n p)" ppp0
is "history: a link as well" "$(offers history p)" ppp0
is "the options of status" "$(offers status --)" \
	"--long --watch --json --prometheus"
is "after -f: files, by bash itself" "$(offers apply -f "")" ""
is "the command behind -f" "$(offers -f /etc/ppp/mwan.ini un)" undrain
is "times" "$(offers history --since "")" "24h 7d 4w"
echo '[link' >/etc/ppp/mwan.ini
is "a configuration that is wrong: no links" "$(offers drain "")" -n
is "every long option is offered somewhere" "$(for command in "" status history; do
	offers ${command:+"$command"} --
done | tr ' ' '\n' | grep ^-- | sort -u | paste -sd' ')" \
	"$({
		sed -n 's/^\t\t{ "\([a-z]*\)", .*_argument.*/--\1/p' \
			"$root/cmd/mwan-rules.c"
		printf -- '--help\n--version\n'
	} | sort -u | paste -sd' ')"
is "bash asks it" "$(bash --norc -c "source $root/etc/bash-completion/mwan-rules
	complete -p mwan-rules")" "complete -o default -F _mwan_rules mwan-rules"
done_testing
