"""What the client tests share: refusals, and other callers than the administrator."""

import json
import os
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# Nothing is tried again, and wrong values are sent: it is the server that has to refuse them.
ONCE = Config(retries={"total_max_attempts": 1}, parameter_validation=False)


def kms(**more):
    """A client of the server under test, as the environment of credentials.env has it."""
    return boto3.client("kms", config=ONCE, **more)


def refused(code, call, /, **arguments):
    """The message of a call that must end with this error."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, f"{call.__name__}: {found['Code']} ({found['Message']}) instead of {code}"
        return found["Message"]
    raise AssertionError(f"{call.__name__} succeeded instead of {code}: {sorted(answer)}")


def fails(kinds, call, /, *arguments, **named):
    """The exception of a call that must not succeed."""
    try:
        call(*arguments, **named)
    except kinds as error:
        return error
    raise AssertionError(f"{call} succeeded")


def native(path, body):
    """A POST of Claviger's own API, as the administrator."""
    request = urllib.request.Request(
        os.environ["CLAVIGER_ENDPOINT"] + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": "Bearer " + os.environ["CLAVIGER_TOKEN"], "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def service_account(name, role, key_id=None, resource=None):
    """A client that signs as a new service account, which has one role, on a key or another resource."""
    folder = os.environ["CLAVIGER_FOLDER"]
    principal = native("/claviger/v1/principals", {"folderId": folder, "type": "serviceAccount", "name": name})["id"]
    binding = {"roleId": role, "subject": {"id": principal, "type": "serviceAccount"}}
    deltas = {"accessBindingDeltas": [{"action": "ADD", "accessBinding": binding}]}
    native((resource or f"/kms/v1/keys/{key_id}") + ":updateAccessBindings", deltas)
    issued = native(f"/claviger/v1/principals/{principal}/credentials", {"type": "accessKey", "name": name})
    return kms(
        aws_access_key_id=issued["credential"]["accessKeyId"],
        aws_secret_access_key=issued["secret"],
    )
