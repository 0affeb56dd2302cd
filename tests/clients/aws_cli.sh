#!/usr/bin/env bash
# The AWS CLI: create, encrypt and decrypt files, alias, rotation, refusals, and all of that over TLS too.
set -euo pipefail

fail() { printf 'aws_cli: %s\n' "$*" >&2; exit 1; }
kms() { aws kms "$@" --output text; }
# refused ERROR ARGUMENTS...: the command ends with 254 and names the error.
refused() {
    local wanted=$1 said status=0
    shift
    said=$(aws kms "$@" 2>&1) || status=$?
    [ "$status" -ne 0 ] || fail "aws kms $1 succeeded instead of $wanted"
    [[ $said == *"($wanted)"* ]] || fail "aws kms $1: $said instead of $wanted"
}

round_trip() {
    local place=$1 alias="alias/cli-$1" key arn
    printf 'a secret of %s' "$place" >plain
    read -r key arn < <(kms create-key --description "made by the CLI" --tags TagKey=by,TagValue=cli \
        --query '[KeyMetadata.KeyId,KeyMetadata.Arn]')
    kms create-alias --alias-name "$alias" --target-key-id "$key"
    kms encrypt --key-id "$alias" --plaintext fileb://plain --encryption-context "place=$place" \
        --query CiphertextBlob | base64 -d >sealed
    [ "$(kms rotate-key-on-demand --key-id "$key")" = "$arn" ] || fail "rotation does not answer the ARN"
    kms enable-key-rotation --key-id "$key" --rotation-period-in-days 180
    [ "$(kms get-key-rotation-status --key-id "$key" --query '[KeyRotationEnabled,RotationPeriodInDays]')" = \
        "$(printf 'True\t180')" ] || fail "rotation is not enabled"
    kms decrypt --ciphertext-blob fileb://sealed --encryption-context "place=$place" --query Plaintext |
        base64 -d | cmp - plain || fail "the plaintext differs"
    refused InvalidCiphertextException decrypt --ciphertext-blob fileb://sealed
    refused InvalidCiphertextException decrypt --ciphertext-blob fileb://plain --key-id "$arn"
    kms disable-key --key-id "$key"
    refused DisabledException encrypt --key-id "$alias" --plaintext fileb://plain
    kms enable-key --key-id "$key"
    [ "$(kms list-aliases --key-id "$key" --query 'Aliases[].AliasName')" = "$alias" ] || fail "the alias is not listed"
    kms delete-alias --alias-name "$alias"
    refused NotFoundException describe-key --key-id "$alias"
    kms schedule-key-deletion --key-id "$key" --pending-window-in-days 7 >/dev/null
    refused KMSInvalidStateException encrypt --key-id "$key" --plaintext fileb://plain
}

round_trip clear
# The list is read page by page, one key at a time.
kms create-key >/dev/null
[ "$(kms list-keys --page-size 1 --query 'Keys[].KeyId' | wc -w)" = \
    "$(kms list-keys --query 'Keys[].KeyId' | wc -w)" ] || fail "pages do not add up to the list"
AWS_ACCESS_KEY_ID=CLVAAAAAAAAAAAAAAAAA refused UnrecognizedClientException list-keys
AWS_SECRET_ACCESS_KEY=wrong refused InvalidSignatureException list-keys

export AWS_ENDPOINT_URL_KMS=$CLAVIGER_TLS_ENDPOINT
if said=$(aws kms list-keys 2>&1); then fail "a certificate of an unknown authority was taken"; fi
[[ $said == *"SSL validation failed"* ]] || fail "TLS without our authority: $said"
export AWS_CA_BUNDLE=$CLAVIGER_CA
round_trip tls
