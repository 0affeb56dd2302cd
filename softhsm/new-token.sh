#!/usr/bin/env bash
# Makes a private throw-away SoftHSM2 token in DIR and prints how to use it.
#
#   softhsm/new-token.sh DIR [LABEL]
#
# DIR (made if missing, must be empty) gets: softhsm2.conf, tokens/, user.pin and so.pin (0600, no newline).
# The PINs are random. They are on no command line and in no environment: softhsm2-util asks for them, and
# they are typed to it through a terminal of its own (script(1)), because it refuses to read them from a pipe.
# Output on stdout: lines to be evaluated or copied. Delete DIR to be rid of the token.
set -euo pipefail
umask 077
here=$(cd "$(dirname "$0")" && pwd)

die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# 128 random bits as hexadecimal: SoftHSM accepts PINs of 4 to 255 characters.
random_pin() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# Runs a command with a terminal as its standard input; what is written to our stdin is typed there.
on_terminal() {
    case "$(uname -s)" in
        Darwin | *BSD) script -q /dev/null "$@" ;;
        *) script -qec "$(printf '%q ' "$@")" /dev/null ;;
    esac
}

[ $# -ge 1 ] && [ $# -le 2 ] || die "usage: $0 DIR [LABEL]"
label=${2:-claviger-throw-away}
module=$("$here/find-module.sh") || die 'SoftHSM2 is not installed: run softhsm/ensure.sh'
command -v softhsm2-util >/dev/null || die 'softhsm2-util is missing: install the softhsm2 package'
command -v script >/dev/null || die 'script(1) is missing: install util-linux (Fedora: util-linux-script)'

mkdir -p "$1"
dir=$(cd "$1" && pwd)
[ -z "$(ls -A "$dir")" ] || die "$dir is not empty"
chmod 700 "$dir"
mkdir "$dir/tokens"

template=$(<"$here/softhsm2.conf")
printf '%s\n' "${template//@TOKENDIR@/"$dir/tokens"}" >"$dir/softhsm2.conf"
export SOFTHSM2_CONF=$dir/softhsm2.conf

so_pin=$(random_pin)
user_pin=$(random_pin)
printf '%s' "$so_pin" >"$dir/so.pin"
printf '%s' "$user_pin" >"$dir/user.pin"

# Each PIN is asked for twice. The terminal echoes what is typed, so the answer is shown only without PINs.
if ! answer=$(printf '%s\n%s\n%s\n%s\n' "$so_pin" "$so_pin" "$user_pin" "$user_pin" |
    on_terminal softhsm2-util --init-token --free --label "$label" 2>&1); then
    answer=${answer//"$so_pin"/***}
    die "softhsm2-util failed: ${answer//"$user_pin"/***}"
fi
[ -n "$(ls -A "$dir/tokens")" ] || die 'softhsm2-util made no token'

cat <<EOF
# Token "$label" is ready in $dir. To use it:
export SOFTHSM2_CONF='$dir/softhsm2.conf'
# claviger … --module '$module' --token-label '$label' --pin 'file:$dir/user.pin' --so-pin 'file:$dir/so.pin'
EOF
