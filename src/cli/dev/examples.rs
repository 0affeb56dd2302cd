//! What a development server prints: how to talk to it.

use std::path::Path;

/// Examples that can be pasted into a shell.
pub fn text(credentials: &Path) -> String {
    let file = credentials.display();
    format!(
        r#"
claviger dev is ready. Credentials are in {file}

Paste into a shell:

  set -a; . {file}; set +a

  # Create a key in the token, encrypt with it, decrypt (REST, in the clear on loopback):
  KEY=$(curl -sS -H "Authorization: Bearer $CLAVIGER_TOKEN" $CLAVIGER_ENDPOINT/kms/v1/keys \
    -d "{{\"folderId\":\"$CLAVIGER_FOLDER\",\"name\":\"first\",\"defaultAlgorithm\":\"AES_256_HSM\"}}" \
    | sed -n 's/.*"keyId": *"\([^"]*\)".*/\1/p')
  CIPHERTEXT=$(curl -sS -H "Authorization: Bearer $CLAVIGER_TOKEN" $CLAVIGER_ENDPOINT/kms/v1/keys/$KEY:encrypt \
    -d "{{\"plaintext\":\"$(printf 'hello' | base64)\"}}" \
    | sed -n 's/.*"ciphertext": *"\([^"]*\)".*/\1/p')
  curl -sS -H "Authorization: Bearer $CLAVIGER_TOKEN" $CLAVIGER_ENDPOINT/kms/v1/keys/$KEY:decrypt \
    -d "{{\"ciphertext\":\"$CIPHERTEXT\"}}" | sed -n 's/.*"plaintext": *"\([^"]*\)".*/\1/p' | base64 -d; echo

  # The same over TLS:
  curl -sS --cacert $CLAVIGER_CA -H "Authorization: Bearer $CLAVIGER_TOKEN" \
    "$CLAVIGER_TLS_ENDPOINT/kms/v1/keys?folderId=$CLAVIGER_FOLDER"

  # And over gRPC:
  grpcurl -cacert $CLAVIGER_CA -H "authorization: Bearer $CLAVIGER_TOKEN" \
    -d "{{\"folder_id\":\"$CLAVIGER_FOLDER\"}}" ${{CLAVIGER_TLS_ENDPOINT#https://}} \
    yandex.cloud.kms.v1.SymmetricKeyService/List

  # With the AWS CLI, and with boto3 (docs/dialects/aws.md has the other SDKs):
  ARN=$(aws kms create-key --query KeyMetadata.Arn --output text)
  aws kms generate-data-key --key-id $ARN --key-spec AES_256
  python3 -c 'import boto3, sys; kms = boto3.client("kms"); print(kms.decrypt(CiphertextBlob=
    kms.encrypt(KeyId=sys.argv[1], Plaintext=b"hello")["CiphertextBlob"])["Plaintext"])' $ARN
  AWS_ENDPOINT_URL_KMS=$CLAVIGER_TLS_ENDPOINT AWS_CA_BUNDLE=$CLAVIGER_CA aws kms list-keys

  # With the Ncloud API: a signed request of curl and openssl (docs/dialects/ncloud.md has the rest)
  ncp() {{
    local time signature
    time=$(date +%s)000
    signature=$(printf '%s %s\n%s\n%s' "$1" "$2" "$time" "$NCP_ACCESS_KEY" \
      | openssl dgst -sha256 -hmac "$NCP_SECRET_KEY" -binary | base64)
    curl -sS -X "$1" "$CLAVIGER_ENDPOINT$2" -H "x-ncp-apigw-timestamp: $time" \
      -H "x-ncp-iam-access-key: $NCP_ACCESS_KEY" -H "x-ncp-apigw-signature-v2: $signature" ${{3:+-d "$3"}}; echo
  }}
  ncp POST /kms/v1/keys '{{"keyName":"orders","keyType":"AES256","protectionType":"COMMON_HSM"}}'
  ncp GET '/kms/v1/keys?pageNo=1&pageSize=10'

Stop with Ctrl-C.
"#
    )
}
