# shellcheck shell=bash
# shellcheck disable=SC2154	# log, the test's
# Has mwan-rules watch taken a link out, or in again? Its verdict is in a file
# before it is carried out; its line in the log comes after that. For tests that
# have the log's path in "log".

# told failed|recovered LINK [ipv6]: the last of the two in the log.
told() {
	[ "$(sed -nE "s/.* event=${3:+$3-}(failed|recovered) if=$2 .*/\1/p" \
		"$log" | tail -n 1)" = "$1" ]
}

verdict() { # LINK [ipv6]
	grep -qE "^$1 [0-9]+${2:+ $2}\$" /run/mwan/held
}

held() { # LINK [ipv6]
	verdict "$@" && told failed "$@"
}

not_held() { # LINK [ipv6]
	! verdict "$@" && told recovered "$@"
}
