//! Every operation on a key, in every state of a key that there is here: the table of the cloud's developer guide.

use super::Scene;
use crate::support::aws::{assert_request_id, error};
use crate::support::client::Answer;
use futures_util::future::join_all;
use serde_json::{Value, json};

/// What an operation meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// It succeeds.
    Ok,
    /// DisabledException, `ARN is disabled.`
    Disabled,
    /// KMSInvalidStateException, `ARN is pending deletion.`
    Pending,
    /// KMSInvalidStateException, `ARN is not pending deletion.`
    NotPending,
}

use Cell::{Disabled as D, NotPending as N, Ok as O, Pending as P};

/// States, in the order of the table's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Enabled,
    Disabled,
    PendingDeletion,
}

const STATES: [State; 3] = [State::Enabled, State::Disabled, State::PendingDeletion];

/// An operation (and which of its keys the row is about), and what it meets in each state.
const TABLE: [(&str, [Cell; 3]); 34] = [
    ("CancelKeyDeletion", [N, N, O]),
    ("CreateAlias", [O, O, P]),
    ("Decrypt", [O, D, P]),
    ("Decrypt with KeyId", [O, D, P]),
    ("DeleteAlias", [O, O, O]),
    ("DescribeKey", [O, O, O]),
    ("DisableKey", [O, O, P]),
    ("DisableKeyRotation", [O, D, P]),
    ("EnableKey", [O, O, P]),
    ("EnableKeyRotation", [O, D, P]),
    ("Encrypt", [O, D, P]),
    ("Encrypt by alias", [O, D, P]),
    ("GenerateDataKey", [O, D, P]),
    ("GenerateDataKeyPair", [O, D, P]),
    ("GenerateDataKeyPairWithoutPlaintext", [O, D, P]),
    ("GenerateDataKeyWithoutPlaintext", [O, D, P]),
    ("GetKeyPolicy", [O, O, O]),
    ("GetKeyRotationStatus", [O, O, O]),
    ("ListAliases", [O, O, O]),
    ("ListKeyPolicies", [O, O, O]),
    ("ListKeyRotations", [O, O, O]),
    ("ListResourceTags", [O, O, O]),
    ("PutKeyPolicy", [O, O, O]),
    ("ReEncrypt from", [O, D, P]),
    ("ReEncrypt from with SourceKeyId", [O, D, P]),
    ("ReEncrypt to", [O, D, P]),
    ("RotateKeyOnDemand", [O, D, P]),
    ("ScheduleKeyDeletion", [O, O, P]),
    ("TagResource", [O, O, P]),
    ("TagResource with nothing", [O, O, P]),
    ("UntagResource", [O, O, P]),
    ("UpdateAlias from", [O, O, O]),
    ("UpdateAlias to", [O, O, P]),
    ("UpdateKeyDescription", [O, O, P]),
];

/// Cells that are tried at the same time.
const TOGETHER: usize = 12;

#[tokio::test]
async fn every_operation_meets_every_state_as_the_table_says() {
    let scene = Scene::start().await;
    let other = Key::new(&scene, "other").await;
    let cells: Vec<_> =
        TABLE.iter().flat_map(|row| STATES.map(|state| (row.0, state, row.1[state as usize]))).collect();
    let mut wrong = Vec::new();
    for some in cells.chunks(TOGETHER) {
        let found = join_all(some.iter().map(|(operation, state, _)| cell(&scene, &other, operation, *state))).await;
        for ((operation, state, expected), found) in some.iter().zip(found) {
            if found != Ok(*expected) {
                wrong.push(format!("{operation} {state:?}: {expected:?} expected, found {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

struct Key {
    id: String,
    arn: String,
    alias: String,
    sealed: Value,
}

impl Key {
    /// A key with an alias and something that it encrypted.
    async fn new(scene: &Scene, name: &str) -> Self {
        let id = scene.admin.new_key_id().await;
        let alias = format!("alias/states/{name}");
        let made = scene.admin.raw.call("CreateAlias", &json!({"AliasName": alias, "TargetKeyId": id})).await;
        assert_eq!(made.status, 200, "{}", made.text);
        let sealed = scene.admin.raw.call("Encrypt", &json!({"KeyId": id, "Plaintext": "aGk="})).await.ok();
        Self { arn: scene.arn(&id), id, alias, sealed: sealed["CiphertextBlob"].clone() }
    }

    async fn put_into(&self, scene: &Scene, state: State) {
        let operation = match state {
            State::Enabled => return,
            State::Disabled => "DisableKey",
            State::PendingDeletion => "ScheduleKeyDeletion",
        };
        let put = scene.admin.raw.call(operation, &json!({"KeyId": self.id})).await;
        assert_eq!(put.status, 200, "{}", put.text);
    }
}

/// What an operation met on a key in a state; the answer, where it is none of the table's.
async fn cell(scene: &Scene, other: &Key, operation: &str, state: State) -> Result<Cell, String> {
    let key = Key::new(scene, &format!("{operation} {state:?}").replace(' ', "-")).await;
    key.put_into(scene, state).await;
    let body = body(operation, &key, other);
    let answer = scene.admin.raw.call(operation.split(' ').next().unwrap(), &body).await;
    met(&answer, &key.arn)
}

fn body(operation: &str, key: &Key, other: &Key) -> Value {
    let id = &key.id;
    match operation {
        "CreateAlias" => json!({"TargetKeyId": id, "AliasName": format!("alias/states/new/{id}")}),
        "DeleteAlias" => json!({"AliasName": key.alias}),
        "Decrypt" => json!({"CiphertextBlob": key.sealed}),
        "Decrypt with KeyId" => json!({"KeyId": id, "CiphertextBlob": key.sealed}),
        "Encrypt" => json!({"KeyId": id, "Plaintext": "aGk="}),
        "Encrypt by alias" => json!({"KeyId": key.alias, "Plaintext": "aGk="}),
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => json!({"KeyId": id, "KeySpec": "AES_256"}),
        "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => {
            json!({"KeyId": id, "KeyPairSpec": "ECC_NIST_P256"})
        }
        "PutKeyPolicy" => json!({"KeyId": id, "Policy": super::policies::default_policy(&key.arn)}),
        "ReEncrypt from" => json!({"CiphertextBlob": key.sealed, "DestinationKeyId": other.id}),
        "ReEncrypt from with SourceKeyId" => {
            json!({"CiphertextBlob": key.sealed, "SourceKeyId": key.id, "DestinationKeyId": other.id})
        }
        "ReEncrypt to" => json!({"CiphertextBlob": other.sealed, "DestinationKeyId": id}),
        "TagResource" => json!({"KeyId": id, "Tags": [{"TagKey": "k", "TagValue": "v"}]}),
        "TagResource with nothing" => json!({"KeyId": id, "Tags": []}),
        "UntagResource" => json!({"KeyId": id, "TagKeys": ["k"]}),
        "UpdateAlias from" => json!({"AliasName": key.alias, "TargetKeyId": other.id}),
        "UpdateAlias to" => json!({"AliasName": key.alias, "TargetKeyId": id}),
        "UpdateKeyDescription" => json!({"KeyId": id, "Description": "d"}),
        _ => json!({"KeyId": id}),
    }
}

fn met(answer: &Answer, arn: &str) -> Result<Cell, String> {
    assert_request_id(answer.headers.get("x-amzn-requestid").map(|value| value.to_str().unwrap()));
    if answer.status == 200 {
        return Ok(Cell::Ok);
    }
    let (code, text) = error(answer);
    let says = |what: &str| text == format!("{arn} {what}.");
    match code.as_str() {
        "DisabledException" if says("is disabled") => Ok(Cell::Disabled),
        "KMSInvalidStateException" if says("is pending deletion") => Ok(Cell::Pending),
        "KMSInvalidStateException" if says("is not pending deletion") => Ok(Cell::NotPending),
        _ => Err(answer.text.clone()),
    }
}
