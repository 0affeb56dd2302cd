"""Every role tries every AWS operation of the tables in docs/access.md, through boto3."""

import os
import pathlib

from botocore.exceptions import ClientError
from check import kms, service_account

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "access.md"
FOLDER = os.environ["CLAVIGER_FOLDER"]
ROLES_OF = {"kms.asymmetric*": "kms.asymmetricEncryptionKeys.decrypter"}
REFUSALS = {"AccessDeniedException": "no", "NotFoundException": "–"}

admin = kms()


def tables():
    """The rows below the heading, as (operations, {role: cell}), table by table."""
    section = DOCUMENT.read_text().split("### AWS operations\n")[1].split("\n### ")[0]
    found, roles = [], []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| operation |"):
            roles = cells[1:]
            found.append([])
        elif line.startswith("| ") and roles:
            found[-1].append((cells[0], dict(zip(roles, cells[1:], strict=True))))
    return found


def calls(caller, key, other, alias, sealed):
    """What is tried, by the rows' names: each of its operations, harmless where it is allowed."""
    key_id, pair = {"KeyId": key}, {"KeyPairSpec": "ECC_NIST_P256"}
    on_key = [
        [
            lambda: caller.describe_key(**key_id), lambda: caller.get_key_rotation_status(**key_id),
            lambda: caller.list_key_rotations(**key_id), lambda: caller.list_resource_tags(**key_id),
            lambda: caller.get_key_policy(**key_id), lambda: caller.list_key_policies(**key_id),
            lambda: caller.list_aliases(**key_id),
        ],
        [
            lambda: caller.encrypt(**key_id, Plaintext=b"x"), lambda: caller.generate_data_key(**key_id, KeySpec="AES_256"),
            lambda: caller.generate_data_key_without_plaintext(**key_id, KeySpec="AES_256"),
            lambda: caller.generate_data_key_pair(**key_id, **pair),
            lambda: caller.generate_data_key_pair_without_plaintext(**key_id, **pair),
        ],
        [lambda: caller.decrypt(**key_id, CiphertextBlob=sealed)],
        [lambda: caller.re_encrypt(SourceKeyId=key, CiphertextBlob=sealed, DestinationKeyId=key)],
        [
            lambda: caller.disable_key(**key_id), lambda: caller.enable_key(**key_id),
            lambda: caller.update_key_description(**key_id, Description="x"),
            lambda: caller.tag_resource(**key_id, Tags=[{"TagKey": "a", "TagValue": "b"}]),
            lambda: caller.untag_resource(**key_id, TagKeys=["a"]),
            lambda: caller.enable_key_rotation(**key_id), lambda: caller.disable_key_rotation(**key_id),
            lambda: caller.create_alias(AliasName=alias + "-new", TargetKeyId=key),
            lambda: caller.update_alias(AliasName=alias, TargetKeyId=other), lambda: caller.delete_alias(AliasName=alias),
        ],
        [lambda: caller.rotate_key_on_demand(**key_id)],
        [
            lambda: caller.put_key_policy(**key_id, Policy=admin.get_key_policy(KeyId=other)["Policy"]),
            lambda: caller.schedule_key_deletion(**key_id, PendingWindowInDays=7),
        ],
        [lambda: pending(key) and caller.cancel_key_deletion(**key_id)],
    ]
    on_folder = [
        [lambda: caller.create_key()],
        [lambda: caller.generate_random(NumberOfBytes=8)],
        [lambda: listed(caller.list_keys()["Keys"]), lambda: listed(caller.list_aliases()["Aliases"])],
    ]
    return [on_key, on_folder]


def pending(key):
    """Sees to it that there is a deletion to be cancelled."""
    if admin.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion":
        admin.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    return True


class Nothing(Exception):
    """A list without rows."""


def listed(rows):
    if not rows:
        raise Nothing


def outcome(call):
    try:
        call()
    except Nothing:
        return "no"
    except ClientError as error:
        return REFUSALS.get(error.response["Error"]["Code"], error.response["Error"]["Code"])
    return "yes"


def new_key(alias):
    key = admin.create_key()["KeyMetadata"]["KeyId"]
    admin.create_alias(AliasName=alias, TargetKeyId=key)
    return key


keys, folders = tables()
assert (len(keys), len(folders)) == (8, 3), (keys, folders)
# Lists show something to whoever may see it.
new_key("alias/roles/shown")
wrong = []
for number, name in enumerate(keys[0][1]):
    role, alias = ROLES_OF.get(name, name), f"alias/roles/{number}"
    caller = service_account(f"role-{number}", role, resource=f"/claviger/v1/folders/{FOLDER}")
    key, other = new_key(alias), new_key(alias + "-other")
    sealed = admin.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    for table, tried in zip([keys, folders], calls(caller, key, other, alias, sealed), strict=True):
        for (operations, cells), attempts in zip(table, tried, strict=True):
            found = [outcome(attempt) for attempt in attempts]
            if not all(it == cells[name] for it in found):
                wrong.append(f"{name}: {operations}: {cells[name]} expected, {found} found")
assert not wrong, "\n".join(wrong)
