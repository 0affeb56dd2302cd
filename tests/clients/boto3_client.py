"""boto3: every operation that is served, every one that is not, paginators and error classes."""

import json
import os
from datetime import datetime, timedelta, timezone

from check import kms, refused, service_account
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

# Not there yet: the smallest arguments that boto3 lets through.
KEY = {"KeyId": "0a8f35be-71a6-4f1e-9c5a-0c0f6a1d2b3c"}
STORE = {"CustomKeyStoreId": "cks-1234567890abcdef0"}
UNSERVED = {
    "connect_custom_key_store": STORE,
    "create_custom_key_store": {"CustomKeyStoreName": "store"},
    "create_grant": KEY | {"GranteePrincipal": "arn:aws:iam::111122223333:user/x", "Operations": ["Encrypt"]},
    "decapsulate": KEY | {"SharedSecretCiphertextBlob": b"x", "EncapsulationAlgorithm": "ML_KEM"},
    "delete_custom_key_store": STORE,
    "delete_imported_key_material": KEY,
    "derive_shared_secret": KEY | {"KeyAgreementAlgorithm": "ECDH", "PublicKey": b"x"},
    "describe_custom_key_stores": {},
    "disconnect_custom_key_store": STORE,
    "encapsulate": KEY | {"EncapsulationAlgorithm": "ML_KEM"},
    "generate_mac": KEY | {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256"},
    "get_key_last_usage": KEY,
    "get_parameters_for_import": KEY | {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
    "get_public_key": KEY,
    "import_key_material": KEY | {"ImportToken": b"x", "EncryptedKeyMaterial": b"x"},
    "list_grants": KEY,
    "list_retirable_grants": {"RetiringPrincipal": "arn:aws:iam::111122223333:user/x"},
    "replicate_key": KEY | {"ReplicaRegion": "eu-west-1"},
    "retire_grant": KEY | {"GrantId": "x"},
    "revoke_grant": KEY | {"GrantId": "x"},
    "sign": KEY | {"Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"},
    "update_custom_key_store": STORE,
    "update_primary_region": KEY | {"PrimaryRegion": "eu-west-1"},
    "verify": KEY | {"Message": b"x", "Signature": b"x", "SigningAlgorithm": "ECDSA_SHA_256"},
    "verify_mac": KEY | {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256", "Mac": b"x"},
}
REGION, ACCOUNT = os.environ["AWS_REGION"], os.environ["AWS_ACCOUNT_ID"]

client = kms()
called = set()
client.meta.events.register("before-call.kms", lambda model, **_: called.add(model.name))


def answered(answer):
    """An answer with what every answer has, without it."""
    metadata = answer.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == 200 and len(metadata["RequestId"]) == 36, metadata
    return answer


def new_key(**more):
    """Metadata of a new key."""
    return answered(client.create_key(**more))["KeyMetadata"]


def the_life_of_a_key():
    key = new_key(Description="first", Tags=[{"TagKey": "team", "TagValue": "payments"}])
    key_id, arn = key["KeyId"], key["Arn"]
    assert arn == f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key_id}", key
    expected = {
        "AWSAccountId": ACCOUNT, "Enabled": True, "Description": "first", "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "KeySpec": "SYMMETRIC_DEFAULT",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "MultiRegion": False,
    }
    assert expected.items() <= {name: key[name] for name in expected}.items(), key
    assert len(key["CurrentKeyMaterialId"]) == 64
    assert abs(datetime.now(timezone.utc) - key["CreationDate"]) < timedelta(minutes=5), key["CreationDate"]
    assert answered(client.describe_key(KeyId=arn))["KeyMetadata"] == key
    assert answered(client.update_key_description(KeyId=key_id, Description="second")) == {}
    assert client.describe_key(KeyId=key_id)["KeyMetadata"]["Description"] == "second"

    assert answered(client.disable_key(KeyId=key_id)) == {}
    message = refused("DisabledException", client.encrypt, KeyId=key_id, Plaintext=b"x")
    assert message == f"{arn} is disabled.", message
    assert answered(client.enable_key(KeyId=key_id)) == {}
    scheduled = answered(client.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7))
    assert (scheduled["KeyId"], scheduled["KeyState"], scheduled["PendingWindowInDays"]) == (arn, "PendingDeletion", 7)
    assert timedelta(days=6, hours=23) < scheduled["DeletionDate"] - datetime.now(timezone.utc) <= timedelta(days=7)
    message = refused("KMSInvalidStateException", client.encrypt, KeyId=key_id, Plaintext=b"x")
    assert message == f"{arn} is pending deletion.", message
    refused("KMSInvalidStateException", client.schedule_key_deletion, KeyId=key_id)
    assert answered(client.cancel_key_deletion(KeyId=key_id)) == {"KeyId": arn}
    assert client.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Disabled"
    refused("KMSInvalidStateException", client.cancel_key_deletion, KeyId=key_id)
    refused("ValidationException", client.schedule_key_deletion, KeyId=key_id, PendingWindowInDays=6)
    client.enable_key(KeyId=key_id)


def encryption():
    key, other = new_key(), new_key()
    arn = key["Arn"]
    context = {"purpose": "test", "Größe": "ß"}
    encrypted = answered(client.encrypt(KeyId=key["KeyId"], Plaintext=b"secret", EncryptionContext=context))
    assert (encrypted["KeyId"], encrypted["EncryptionAlgorithm"]) == (arn, "SYMMETRIC_DEFAULT")
    blob = encrypted["CiphertextBlob"]
    reordered = dict(reversed(context.items()))
    decrypted = answered(client.decrypt(CiphertextBlob=blob, EncryptionContext=reordered))
    assert (decrypted["Plaintext"], decrypted["KeyId"]) == (b"secret", arn)
    assert decrypted["KeyMaterialId"] == key["CurrentKeyMaterialId"]
    for wrong in [{}, {"purpose": "test"}, context | {"purpose": "Test"}]:
        refused("InvalidCiphertextException", client.decrypt, CiphertextBlob=blob, EncryptionContext=wrong)
    for at in (0, len(blob) // 2, len(blob) - 1):
        changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1:]
        refused("InvalidCiphertextException", client.decrypt, KeyId=arn, CiphertextBlob=changed, EncryptionContext=context)
    refused("IncorrectKeyException", client.decrypt, KeyId=other["Arn"], CiphertextBlob=blob, EncryptionContext=context)
    for size, good in [(1, True), (4096, True), (4097, False)]:
        if good:
            assert client.encrypt(KeyId=arn, Plaintext=b"x" * size)["CiphertextBlob"]
        else:
            refused("ValidationException", client.encrypt, KeyId=arn, Plaintext=b"x" * size)

    moved = answered(client.re_encrypt(
        CiphertextBlob=blob, SourceEncryptionContext=context, DestinationKeyId=other["Arn"],
        DestinationEncryptionContext={"purpose": "moved"},
    ))
    assert (moved["SourceKeyId"], moved["KeyId"]) == (arn, other["Arn"])
    assert moved["DestinationKeyMaterialId"] == other["CurrentKeyMaterialId"]
    again = client.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"purpose": "moved"})
    assert again["Plaintext"] == b"secret"
    refused("DryRunOperationException", client.encrypt, KeyId=arn, Plaintext=b"x", DryRun=True)
    refused("InvalidKeyUsageException", client.encrypt, KeyId=arn, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1")


def data_keys():
    arn = new_key()["Arn"]
    for size, arguments in [(32, {"KeySpec": "AES_256"}), (16, {"KeySpec": "AES_128"}), (1024, {"NumberOfBytes": 1024})]:
        made = answered(client.generate_data_key(KeyId=arn, EncryptionContext={"a": "b"}, **arguments))
        assert len(made["Plaintext"]) == size and len(made["KeyMaterialId"]) == 64
        opened = client.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "b"})
        assert opened["Plaintext"] == made["Plaintext"]
    hidden = answered(client.generate_data_key_without_plaintext(KeyId=arn, KeySpec="AES_256"))
    assert "Plaintext" not in hidden and len(client.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == 32
    refused("ValidationException", client.generate_data_key, KeyId=arn)
    refused("ValidationException", client.generate_data_key, KeyId=arn, KeySpec="AES_256", NumberOfBytes=32)
    random = [answered(client.generate_random(NumberOfBytes=24))["Plaintext"] for _ in range(2)]
    assert len(random[0]) == 24 and random[0] != random[1]
    refused("ValidationException", client.generate_random, NumberOfBytes=1025)

    for spec in ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"]:
        pair = answered(client.generate_data_key_pair(KeyId=arn, KeyPairSpec=spec))
        assert client.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"] == pair["PrivateKeyPlaintext"]
        private, public = load_der_private_key(pair["PrivateKeyPlaintext"], None), load_der_public_key(pair["PublicKey"])
        public.verify(private.sign(b"m", ec.ECDSA(hashes.SHA256())), b"m", ec.ECDSA(hashes.SHA256()))
    for spec in ["RSA_2048", "RSA_3072"]:
        pair = answered(client.generate_data_key_pair_without_plaintext(KeyId=arn, KeyPairSpec=spec))
        private = load_der_private_key(client.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"], None)
        assert "PrivateKeyPlaintext" not in pair
        assert private.public_key() == load_der_public_key(pair["PublicKey"])
    refused("UnsupportedOperationException", client.generate_data_key_pair, KeyId=arn, KeyPairSpec="ECC_SECG_P256K1")


def rotation():
    key = new_key()
    key_id, arn = key["KeyId"], key["Arn"]
    blob = client.encrypt(KeyId=key_id, Plaintext=b"before")["CiphertextBlob"]
    assert answered(client.get_key_rotation_status(KeyId=key_id))["KeyRotationEnabled"] is False
    assert answered(client.enable_key_rotation(KeyId=key_id)) == {}
    assert client.get_key_rotation_status(KeyId=key_id)["RotationPeriodInDays"] == 365
    client.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90)
    status = answered(client.get_key_rotation_status(KeyId=key_id))
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90), status
    left = status["NextRotationDate"] - datetime.now(timezone.utc)
    assert timedelta(days=89, hours=23) < left <= timedelta(days=90), left
    refused("ValidationException", client.enable_key_rotation, KeyId=key_id, RotationPeriodInDays=89)
    assert answered(client.rotate_key_on_demand(KeyId=key_id)) == {"KeyId": arn}
    assert answered(client.disable_key_rotation(KeyId=key_id)) == {}
    current = client.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert current != key["CurrentKeyMaterialId"]
    old = client.decrypt(CiphertextBlob=blob)
    assert (old["Plaintext"], old["KeyMaterialId"]) == (b"before", key["CurrentKeyMaterialId"])
    listed = answered(client.list_key_rotations(KeyId=key_id))["Rotations"]
    assert [(it["RotationType"], it["KeyMaterialId"]) for it in listed] == [("ON_DEMAND", current)], listed
    client.rotate_key_on_demand(KeyId=key_id)
    pages = list(client.get_paginator("list_key_rotations").paginate(
        KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL", PaginationConfig={"PageSize": 2},
    ))
    states = [row["KeyMaterialState"] for page in pages for row in page["Rotations"]]
    assert len(pages) == 2 and states == ["NON_CURRENT", "NON_CURRENT", "CURRENT"], states


def aliases():
    first, second = new_key(), new_key()
    name = "alias/clients/boto3"
    assert answered(client.create_alias(AliasName=name, TargetKeyId=first["KeyId"])) == {}
    refused("AlreadyExistsException", client.create_alias, AliasName=name, TargetKeyId=first["KeyId"])
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:{name}"
    for known in [name, arn]:
        blob = client.encrypt(KeyId=known, Plaintext=b"x")["CiphertextBlob"]
        assert client.decrypt(KeyId=known, CiphertextBlob=blob)["KeyId"] == first["Arn"]
    assert client.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == first["KeyId"]
    refused("NotFoundException", client.enable_key, KeyId=name)
    assert answered(client.update_alias(AliasName=name, TargetKeyId=second["Arn"])) == {}
    client.create_alias(AliasName=name + "/2", TargetKeyId=second["KeyId"])
    pages = list(client.get_paginator("list_aliases").paginate(KeyId=second["KeyId"], PaginationConfig={"PageSize": 1}))
    found = [row for page in pages for row in page["Aliases"]]
    assert [it["AliasName"] for it in found] == [name, name + "/2"], found
    assert (found[0]["AliasArn"], found[0]["TargetKeyId"]) == (arn, second["KeyId"])
    assert {"CreationDate", "LastUpdatedDate"} <= found[0].keys()
    assert answered(client.delete_alias(AliasName=name)) == {}
    refused("NotFoundException", client.delete_alias, AliasName=name)
    refused("NotFoundException", client.encrypt, KeyId=name, Plaintext=b"x")
    refused("ValidationException", client.create_alias, AliasName="no-prefix", TargetKeyId=first["KeyId"])
    refused("InvalidAliasNameException", client.create_alias, AliasName="alias/aws/s3", TargetKeyId=first["KeyId"])


def tags_and_policies():
    key_id = new_key(Tags=[{"TagKey": "a", "TagValue": "1"}])["KeyId"]
    assert answered(client.tag_resource(KeyId=key_id, Tags=[{"TagKey": "b", "TagValue": ""}])) == {}
    pages = client.get_paginator("list_resource_tags").paginate(KeyId=key_id, PaginationConfig={"PageSize": 1})
    tags = {tag["TagKey"]: tag["TagValue"] for page in pages for tag in page["Tags"]}
    assert tags == {"a": "1", "b": ""}, tags
    assert answered(client.untag_resource(KeyId=key_id, TagKeys=["a", "absent"])) == {}
    assert answered(client.list_resource_tags(KeyId=key_id))["Tags"] == [{"TagKey": "b", "TagValue": ""}]
    refused("TagException", client.tag_resource, KeyId=key_id, Tags=[{"TagKey": "aws:x", "TagValue": "1"}])

    assert answered(client.list_key_policies(KeyId=key_id))["PolicyNames"] == ["default"]
    assert client.can_paginate("list_key_policies")
    policy = answered(client.get_key_policy(KeyId=key_id, PolicyName="default"))["Policy"]
    statement = json.loads(policy)["Statement"][0]
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"} and statement["Action"] == "kms:*"
    respaced = json.dumps(json.loads(policy), separators=(",", ":"))
    assert answered(client.put_key_policy(KeyId=key_id, Policy=respaced)) == {}
    new_key(Policy=policy)
    narrower = policy.replace("kms:*", "kms:Decrypt")
    refused("UnsupportedOperationException", client.put_key_policy, KeyId=key_id, Policy=narrower)
    refused("UnsupportedOperationException", client.create_key, Policy=narrower)
    refused("MalformedPolicyDocumentException", client.put_key_policy, KeyId=key_id, Policy="{")


def lists_of_keys():
    made = {new_key()["KeyId"] for _ in range(3)}
    pages = list(client.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2}))
    rows = [row for page in pages for row in page["Keys"]]
    assert made <= {row["KeyId"] for row in rows} and len(rows) == len({row["KeyId"] for row in rows})
    assert all(page["Truncated"] and "NextMarker" in page for page in pages[:-1])
    assert not pages[-1]["Truncated"] and "NextMarker" not in pages[-1]
    refused("InvalidMarkerException", client.list_keys, Marker="nonsense")


def other_callers_and_other_places():
    key, hidden = new_key(), new_key()
    writer = service_account("boto3-writer", "kms.keys.encrypter", key["KeyId"])
    blob = writer.encrypt(KeyId=key["Arn"], Plaintext=b"x")["CiphertextBlob"]
    message = refused("AccessDeniedException", writer.decrypt, CiphertextBlob=blob)
    expected = f"User: arn:aws:iam::{ACCOUNT}:user/boto3-writer is not authorized to perform: kms:Decrypt on resource: {key['Arn']}"
    assert message.startswith(expected), message
    seen = refused("NotFoundException", writer.describe_key, KeyId=hidden["KeyId"])
    absent = refused("NotFoundException", writer.describe_key, KeyId=KEY["KeyId"])
    assert seen.replace(hidden["KeyId"], "") == absent.replace(KEY["KeyId"], ""), (seen, absent)
    assert [row["KeyId"] for row in writer.list_keys()["Keys"]] == [key["KeyId"]]

    elsewhere = kms(region_name="eu-west-1")
    refused("NotFoundException", elsewhere.describe_key, KeyId=key["KeyId"])
    refused("NotFoundException", elsewhere.describe_key, KeyId=key["Arn"])
    theirs = elsewhere.create_key()["KeyMetadata"]["Arn"]
    assert theirs.startswith("arn:aws:kms:eu-west-1:"), theirs
    refused("NotFoundException", client.describe_key, KeyId=theirs)
    refused("InvalidSignatureException", kms(region_name="ap-south-1").list_keys)
    refused("InvalidSignatureException", kms(aws_secret_access_key="A" * 40, aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"]).list_keys)
    unknown = kms(aws_access_key_id="CLVAAAAAAAAAAAAAAAAA", aws_secret_access_key="A" * 40)
    refused("UnrecognizedClientException", unknown.list_keys)
    session = kms(
        aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        aws_session_token="session",
    )
    refused("UnrecognizedClientException", session.list_keys)


def errors_have_classes():
    try:
        client.describe_key(KeyId="nonsense")
    except client.exceptions.NotFoundException as error:
        assert error.response["Error"]["Message"] == "Invalid keyId 'nonsense'", error
    else:
        raise AssertionError("a key that cannot exist was found")


def what_is_not_there_says_so():
    served = called.copy()
    for name, arguments in UNSERVED.items():
        message = refused("UnsupportedOperationException", getattr(client, name), **arguments)
        assert message, f"{name} does not say why"
    for arguments in [{"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, {"Origin": "EXTERNAL"}, {"MultiRegion": True}]:
        refused("UnsupportedOperationException", client.create_key, **arguments)
    everything = set(client.meta.service_model.operation_names)
    assert served | called == everything and len(served) == 31 and len(everything) == 56, everything - called


the_life_of_a_key()
encryption()
data_keys()
rotation()
aliases()
tags_and_policies()
lists_of_keys()
other_callers_and_other_places()
errors_have_classes()
what_is_not_there_says_so()
