#!/usr/bin/env bash
# sops: a YAML file encrypted by a key of Claviger, edited, rotated and decrypted; refusals.
set -euo pipefail

fail() { printf 'sops: %s\n' "$*" >&2; exit 1; }
arn_of_new_key() { aws kms create-key --query KeyMetadata.Arn --output text; }
export SOPS_DISABLE_VERSION_CHECK=true

ARN=$(arn_of_new_key)
OTHER=$(arn_of_new_key)
printf 'user: billing\npassword: correct horse\n' >plain.yaml
sops encrypt --kms "$ARN" --encryption-context "file:plain" plain.yaml >sealed.yaml
grep -q "$ARN" sealed.yaml || fail "the key is not named in the file"
! grep -q 'correct horse' sealed.yaml || fail "the password is in clear"
sops decrypt sealed.yaml | cmp - plain.yaml || fail "the plaintext differs"

aws kms rotate-key-on-demand --key-id "$ARN" >/dev/null
sops decrypt sealed.yaml | cmp - plain.yaml || fail "the plaintext differs after a rotation of the key"
cp sealed.yaml before.yaml
sops rotate --in-place sealed.yaml
! cmp -s sealed.yaml before.yaml || fail "nothing was rotated"
sops set sealed.yaml '["password"]' '"battery staple"'
[ "$(sops decrypt --extract '["password"]' sealed.yaml)" = 'battery staple' ] || fail "the edit is lost"

# A second key, and the first taken away.
sops rotate --in-place --add-kms "$OTHER" --rm-kms "$ARN" --encryption-context "file:plain" sealed.yaml
grep -q "$OTHER" sealed.yaml && ! grep -q "$ARN" sealed.yaml || fail "the keys are not those that were asked for"
[ "$(sops decrypt --extract '["user"]' sealed.yaml)" = billing ] || fail "the plaintext differs under the other key"

refused() {
    local wanted=$1 said
    shift
    if said=$("$@" 2>&1); then fail "$* succeeded instead of $wanted"; fi
    [[ $said == *"$wanted"* ]] || fail "$*: $said instead of $wanted"
}
sed 's/file: plain/file: other/' before.yaml >context.yaml
! cmp -s context.yaml before.yaml || fail "the context is not in the file"
refused InvalidCiphertextException sops decrypt context.yaml
aws kms disable-key --key-id "$ARN"
refused DisabledException sops decrypt before.yaml
refused NotFoundException sops encrypt --kms "${ARN%/*}/0a8f35be-71a6-4f1e-9c5a-0c0f6a1d2b3c" plain.yaml
