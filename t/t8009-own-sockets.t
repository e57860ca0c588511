#!/bin/bash
# The same as t6018 on Debian's kernel, with its WireGuard.
[ -n "${LAB_INSIDE-}" ] || exec "$(dirname "$0")/lab/several" "$0" "$@"
modprobe -a wireguard tun
exec env -u LAB_INSIDE LAB_WIREGUARD=1 "$(dirname "$0")/t6018-own-sockets.t"
