#!/usr/bin/env bash
# Makes sure that what a build and a run need is there: a C compiler and SoftHSM2.
# Installs them on Debian and Ubuntu, as root or through sudo; elsewhere it says what to install.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# shellcheck source=softhsm/apt.sh
. "$here/apt.sh"

has_compiler() { command -v cc >/dev/null; }

has_softhsm() { "$here/find-module.sh" >/dev/null; }

say_compilers() {
    say 'A C compiler is needed: SQLite and aws-lc are built from source. Install one:'
    say '  Debian, Ubuntu: apt-get install gcc libc6-dev'
    say '  Fedora:         dnf install gcc'
    say '  macOS:          xcode-select --install'
}

say_softhsm() {
    say 'SoftHSM2 is needed, and this script installs it only with apt-get, as root or through sudo.'
    say '  Debian, Ubuntu: apt-get install softhsm2'
    say '  Fedora:         dnf install softhsm'
    say '  Arch:           pacman -S softhsm'
    say '  macOS:          brew install softhsm'
    say 'If it is at an unusual place: export SOFTHSM2_MODULE=/path/to/libsofthsm2.so'
}

if ! has_compiler && ! { apt_install gcc libc6-dev && has_compiler; }; then
    say_compilers
    exit 1
fi
if ! has_softhsm && ! { apt_install softhsm2 && has_softhsm; }; then
    say_softhsm
    exit 1
fi
