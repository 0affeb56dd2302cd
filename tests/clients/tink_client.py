"""Tink: envelope encryption and encrypted keysets under keys of Claviger."""

import os

import tink
from check import fails, kms
from tink import aead
from tink.integration import awskms

aead.register()
client = kms()
key, other = (client.create_key()["KeyMetadata"] for _ in range(2))
uri = "aws-kms://" + key["Arn"]
message, associated = os.urandom(50_000), b"associated \xff data"


def envelope(uri):
    remote = awskms.new_client(boto3_client=client, key_uri=uri).get_aead(uri)
    return aead.KmsEnvelopeAead(aead.aead_key_templates.AES256_GCM, remote)


sealed = envelope(uri).encrypt(message, associated)
assert message[:32] not in sealed
client.rotate_key_on_demand(KeyId=key["KeyId"])
assert envelope(uri).decrypt(sealed, associated) == message

# The client that Tink makes by itself, from the environment.
default = awskms.AwsKmsClient(uri, None).get_aead(uri)
direct = default.encrypt(b"a secret", associated)
assert default.decrypt(direct, associated) == b"a secret"
for wrong in [b"", b"other"]:
    fails(tink.TinkError, default.decrypt, direct, wrong)
    fails(tink.TinkError, envelope(uri).decrypt, sealed, wrong)
for at in (0, 10, len(direct) - 1):
    fails(tink.TinkError, default.decrypt, direct[:at] + bytes([direct[at] ^ 1]) + direct[at + 1:], associated)
fails(tink.TinkError, envelope("aws-kms://" + other["Arn"]).decrypt, sealed, associated)

# A keyset that is stored encrypted by the key, named by an alias.
client.create_alias(AliasName="alias/tink", TargetKeyId=key["KeyId"])
named = uri.rsplit(":", 1)[0] + ":alias/tink"
remote = awskms.new_client(boto3_client=client, key_uri=named).get_aead(named)
handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
stored = tink.json_proto_keyset_format.serialize_encrypted(handle, remote, b"keyset")
inner = handle.primitive(aead.Aead).encrypt(message, b"")
loaded = tink.json_proto_keyset_format.parse_encrypted(stored, remote, b"keyset")
assert loaded.primitive(aead.Aead).decrypt(inner, b"") == message
fails(tink.TinkError, tink.json_proto_keyset_format.parse_encrypted, stored, remote, b"other")
client.disable_key(KeyId=key["KeyId"])
fails(tink.TinkError, tink.json_proto_keyset_format.parse_encrypted, stored, remote, b"keyset")
