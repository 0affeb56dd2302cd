# shellcheck shell=bash
# For scripts that install what they need on Debian and Ubuntu, as root or through sudo. To be sourced.

say() { printf '%s\n' "$*" >&2; }

apt_install() {
    command -v apt-get >/dev/null && can_be_root || return 1
    say "Installing: $*"
    # The package lists of a fresh container are empty, those of a machine may be stale.
    as_root apt-get install -y --no-install-recommends "$@" </dev/null >&2 ||
        { as_root apt-get update </dev/null >&2 &&
            as_root apt-get install -y --no-install-recommends "$@" </dev/null >&2; }
}

can_be_root() { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}
