"""AWS Encryption SDK for Python: messages under KMS keyrings, with and across contexts, keys and rotations."""

import os

import aws_encryption_sdk
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import CreateAwsKmsKeyringInput, CreateAwsKmsMultiKeyringInput
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from check import fails, kms, refused, service_account

client = kms()
sdk = aws_encryption_sdk.EncryptionSDKClient()
providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
context = {"purpose": "test", "tenant": "Zürich"}
message = os.urandom(100_000)


def keyring(arn, caller=client):
    return providers.create_aws_kms_keyring(input=CreateAwsKmsKeyringInput(kms_key_id=arn, kms_client=caller))


first, second = (client.create_key()["KeyMetadata"] for _ in range(2))
sealed, header = sdk.encrypt(source=message, keyring=keyring(first["Arn"]), encryption_context=context)
assert context.items() <= header.encryption_context.items() and message[:32] not in sealed

# What the SDK has in its message is a ciphertext of ours, bound to the context.
data_key = next(iter(header.encrypted_data_keys)).encrypted_data_key
bound = dict(header.encryption_context)
assert client.decrypt(CiphertextBlob=data_key, EncryptionContext=bound)["KeyId"] == first["Arn"]
refused("InvalidCiphertextException", client.decrypt, CiphertextBlob=data_key, EncryptionContext=context | {"purpose": "x"})

client.rotate_key_on_demand(KeyId=first["KeyId"])
opened, _ = sdk.decrypt(source=sealed, keyring=keyring(first["Arn"]), encryption_context=context)
assert opened == message
later, _ = sdk.encrypt(source=message, keyring=keyring(first["Arn"]), encryption_context=context)
assert sdk.decrypt(source=later, keyring=keyring(first["Arn"]))[0] == message

wrong = {
    "another context": lambda: sdk.decrypt(
        source=sealed, keyring=keyring(first["Arn"]), encryption_context={"purpose": "other"}
    ),
    "another key": lambda: sdk.decrypt(source=sealed, keyring=keyring(second["Arn"])),
    "a changed message": lambda: sdk.decrypt(
        source=sealed[:-200] + bytes([sealed[-200] ^ 1]) + sealed[-199:], keyring=keyring(first["Arn"])
    ),
    "a context that was changed in the header": lambda: sdk.decrypt(
        source=sealed.replace(b"purpose\x00\x04test", b"purpose\x00\x04tesT", 1), keyring=keyring(first["Arn"])
    ),
}
assert b"purpose\x00\x04test" in sealed
for call in wrong.values():
    fails(Exception, call)

# One message for two keys: whoever may use either reads it, whoever may use none does not.
both = providers.create_aws_kms_multi_keyring(
    input=CreateAwsKmsMultiKeyringInput(generator=first["Arn"], kms_key_ids=[second["Arn"]])
)
shared, header = sdk.encrypt(source=message, keyring=both, encryption_context=context)
assert len(header.encrypted_data_keys) == 2
reader = service_account("encryption-sdk-reader", "kms.keys.decrypter", second["KeyId"])
assert sdk.decrypt(source=shared, keyring=keyring(second["Arn"], reader))[0] == message
fails(Exception, sdk.decrypt, source=shared, keyring=keyring(first["Arn"], reader))
client.disable_key(KeyId=second["KeyId"])
fails(Exception, sdk.decrypt, source=shared, keyring=keyring(second["Arn"]))
assert sdk.decrypt(source=shared, keyring=keyring(first["Arn"]))[0] == message
