"""Code as it is written for Ncloud: it signs by hand, after the cloud's documents, and changes nothing but the host."""

import base64
import hashlib
import hmac
import json
import os
import time
import urllib.error
import urllib.request


def request(method, target, body=None, token=None, endpoint=os.environ["CLAVIGER_ENDPOINT"]):
    """The answer of one call: its status and its JSON."""
    if token:
        headers = {"x-ncp-ocapi-token": token}
    else:
        stamp, key = str(int(time.time() * 1000)), os.environ["NCP_ACCESS_KEY"]
        message = f"{method} {target}\n{stamp}\n{key}"
        digest = hmac.new(os.environ["NCP_SECRET_KEY"].encode(), message.encode(), hashlib.sha256).digest()
        headers = {
            "x-ncp-apigw-timestamp": stamp,
            "x-ncp-iam-access-key": key,
            "x-ncp-apigw-signature-v2": base64.b64encode(digest).decode(),
        }
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(endpoint + target, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(call) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def done(*arguments, **options):
    """The data of a call that must go well."""
    status, answer = request(*arguments, **options)
    assert (status, answer["code"]) == (200, "SUCCESS"), (arguments, status, answer)
    return answer["data"]


def refused(wanted, *arguments, **options):
    """A call that must end with this status and code."""
    status, answer = request(*arguments, **options)
    code = answer["code"] if "code" in answer else answer["error"]["errorCode"]
    assert (status, code) == wanted, (arguments, status, answer)


def b64(data):
    return base64.b64encode(data).decode()


PLAIN = {"plaintext": b64(b"attack at dawn")}


def keys_and_rotation():
    key = done("POST", "/kms/v1/keys", {"keyName": "orders", "keyType": "AES256", "protectionType": "COMMON_HSM"})
    path = "/kms/v1/keys/" + key["keyTag"]
    assert (key["status"], key["currentVersion"], key["isAutoRotation"]) == ("ENABLE", 1, False), key
    first = done("POST", path + "/encrypt", PLAIN)["ciphertext"]
    assert first.startswith("ncpkms:v1:"), first
    assert done("POST", path + "/rotate")["version"] == 2
    both = [first, done("POST", path + "/re-encrypt", {"ciphertext": first})["newCiphertext"]]
    assert both[1].startswith("ncpkms:v2:"), both
    assert done("POST", path + "/decrypt", {"ciphertext": both})["plaintext"] == [PLAIN["plaintext"]] * 2
    assert done("POST", path + "/enable-auto-rotation")["rotationPeriod"] == 90
    assert done("PUT", path + "/rotation-period", {"rotationPeriod": 30})["rotationPeriod"] == 30
    assert [entry["version"] for entry in done("GET", path + "/versions")["versionList"]] == [1, 2]
    done("POST", path + "/versions/1/disable")
    refused((422, "UNPROCESSABLE_ENTITY"), "POST", path + "/decrypt", {"ciphertext": first})
    custom = done("POST", path + "/create-custom-key", {"requestPlainKey": True, "bits": 512})
    assert done("POST", path + "/decrypt", {"ciphertext": custom["ciphertext"]})["plaintext"] == custom["plaintext"]
    assert key["keyTag"] in [entry["keyTag"] for entry in done("GET", "/kms/v1/keys?pageNo=1&pageSize=10")["keyList"]]
    # The API before this one, at the same host.
    old = "/keys/v2/" + key["keyTag"]
    status, answer = request("POST", old + "/decrypt", {"ciphertext": both[1]})
    assert (status, answer) == (200, {"code": "SUCCESS", "msg": "", "data": PLAIN}), answer
    return path


def tokens(path):
    done("POST", path + "/token-generator")
    issued = done("POST", path + "/token-set", {"accessTokenHours": 1, "refreshTokenHours": "UL"})
    access, refresh = issued["accessToken"], issued["refreshToken"]
    sealed = done("POST", path + "/encrypt", PLAIN, token=access)["ciphertext"]
    renewed = done("POST", path + "/access-token", {"accessTokenHours": 1}, token=refresh)["accessToken"]
    assert done("POST", path + "/decrypt", {"ciphertext": sealed}, token=renewed) == PLAIN
    refused((401, "UNAUTHORIZED"), "POST", path + "/rotate", token=access)
    refused((401, "UNAUTHORIZED"), "POST", path + "/encrypt", PLAIN, token=refresh)
    done("POST", path + "/acl/enable")
    refused((403, "FORBIDDEN"), "POST", path + "/encrypt", PLAIN, token=access)
    done("POST", path + "/acl", {"ipList": ["127.0.0.1"]})
    done("POST", path + "/encrypt", PLAIN, token=access)
    done("PUT", path + "/token-generator")
    refused((401, "UNAUTHORIZED"), "POST", path + "/encrypt", PLAIN, token=access)


def convergent():
    body = {"keyName": "lookup", "keyType": "AES256", "protectionType": "BASIC", "isConvergent": True}
    path = "/kms/v1/keys/" + done("POST", "/kms/v1/keys", body)["keyTag"]
    sealed = [done("POST", path + "/encrypt", PLAIN | {"context": b64(c)})["ciphertext"] for c in (b"a", b"a", b"b")]
    assert sealed[0] == sealed[1] != sealed[2], sealed
    assert done("POST", path + "/decrypt", {"ciphertext": sealed[0], "context": b64(b"a")}) == PLAIN
    refused((400, "INVALID_REQUEST"), "POST", path + "/decrypt", {"ciphertext": sealed[0], "context": b64(b"b")})
    refused((400, "INVALID_REQUEST"), "POST", path + "/encrypt", PLAIN)


def end(path):
    done("POST", path + "/disable")
    refused((422, "UNPROCESSABLE_ENTITY"), "POST", path + "/encrypt", PLAIN)
    assert done("POST", path + "/request-deletion")["status"] == "REVOKE"
    assert done("POST", path + "/cancel-deletion")["status"] == "DISABLE"
    done("POST", path + "/request-deletion")
    assert done("DELETE", path) is None
    refused((404, "NOT_FOUND"), "GET", path)


def strangers(path):
    os.environ["NCP_SECRET_KEY"] += "x"
    refused((401, "200"), "GET", path)
    refused((401, "UNAUTHORIZED"), "POST", path + "/encrypt", PLAIN, token="nonsense")


used = keys_and_rotation()
tokens(used)
convergent()
end(used)
strangers(used)
