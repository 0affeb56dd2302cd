#!/usr/bin/env bash
# Prints the path of SoftHSM2's PKCS#11 library, or nothing (exit 1) if it is not installed.
# SOFTHSM2_MODULE, if set, is the answer.
set -euo pipefail

candidates=(
    ${SOFTHSM2_MODULE:+"$SOFTHSM2_MODULE"}
    /usr/lib/softhsm/libsofthsm2.so          # Debian, Ubuntu
    /usr/lib/*-linux-gnu/softhsm/libsofthsm2.so
    /usr/lib64/pkcs11/libsofthsm2.so         # Fedora, RHEL
    /usr/lib/pkcs11/libsofthsm2.so           # Arch
    /usr/lib64/softhsm/libsofthsm2.so        # openSUSE
    /usr/lib/libsofthsm2.so
    /usr/local/lib/softhsm/libsofthsm2.so    # built from source
    /opt/homebrew/lib/softhsm/libsofthsm2.so # macOS, Apple silicon
    /usr/local/opt/softhsm/lib/softhsm/libsofthsm2.so
)

for path in "${candidates[@]}"; do
    if [ -f "$path" ]; then
        printf '%s\n' "$path"
        exit 0
    fi
done
exit 1
