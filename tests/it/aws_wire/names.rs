//! How keys are named: by id, by ARN, by alias, by the ARN of an alias, each where the cloud takes it.

use super::{NOBODY, Scene};
use crate::support::aws::{REGION, error};
use crate::support::client::Answer;
use serde_json::{Value, json};

/// An operation that names a key, the member that does, and the other members that it needs.
type Operation = (&'static str, &'static str, Value);

struct Names {
    id: String,
    arn: String,
    alias: String,
    alias_arn: String,
}

#[tokio::test]
async fn keys_are_named_as_the_cloud_takes_it() {
    let scene = Scene::start().await;
    let id = scene.admin.new_key_id().await;
    let alias = "alias/named/one".to_owned();
    scene.admin.raw.call("CreateAlias", &json!({"AliasName": alias, "TargetKeyId": id})).await;
    let names = Names { arn: scene.arn(&id), alias_arn: scene.alias_arn(&alias), id, alias };
    let sealed = scene.admin.raw.call("Encrypt", &json!({"KeyId": names.id, "Plaintext": "aGk="})).await.ok();
    let sealed = sealed["CiphertextBlob"].clone();
    for operation in of_any_name(&sealed) {
        all_four_forms_are_taken(&scene, &operation, &names).await;
        unknown_names_are_not_found(&scene, &operation).await;
    }
    for operation in of_id_or_arn() {
        aliases_are_not_found(&scene, &operation, &names).await;
        unknown_names_are_not_found(&scene, &operation).await;
    }
}

/// What takes a key by any of its names.
fn of_any_name(sealed: &Value) -> Vec<Operation> {
    let spec = json!({"KeySpec": "AES_256"});
    let pair = json!({"KeyPairSpec": "ECC_NIST_P256"});
    vec![
        ("DescribeKey", "KeyId", json!({})),
        ("Encrypt", "KeyId", json!({"Plaintext": "aGk="})),
        ("Decrypt", "KeyId", json!({"CiphertextBlob": sealed})),
        ("ReEncrypt", "SourceKeyId", json!({"CiphertextBlob": sealed})),
        ("ReEncrypt", "DestinationKeyId", json!({"CiphertextBlob": sealed})),
        ("GenerateDataKey", "KeyId", spec.clone()),
        ("GenerateDataKeyWithoutPlaintext", "KeyId", spec),
        ("GenerateDataKeyPair", "KeyId", pair.clone()),
        ("GenerateDataKeyPairWithoutPlaintext", "KeyId", pair),
    ]
}

/// What takes a key by its id or ARN. None of them changes the key in a way that matters to the others.
fn of_id_or_arn() -> Vec<Operation> {
    let none = json!({});
    vec![
        ("EnableKey", "KeyId", none.clone()),
        ("DisableKey", "KeyId", none.clone()),
        ("EnableKey", "KeyId", none.clone()),
        ("UpdateKeyDescription", "KeyId", json!({"Description": "d"})),
        ("EnableKeyRotation", "KeyId", none.clone()),
        ("GetKeyRotationStatus", "KeyId", none.clone()),
        ("ListKeyRotations", "KeyId", none.clone()),
        ("RotateKeyOnDemand", "KeyId", none.clone()),
        ("DisableKeyRotation", "KeyId", none.clone()),
        ("TagResource", "KeyId", json!({"Tags": [{"TagKey": "k", "TagValue": "v"}]})),
        ("UntagResource", "KeyId", json!({"TagKeys": ["k"]})),
        ("ListResourceTags", "KeyId", none.clone()),
        ("ListKeyPolicies", "KeyId", none.clone()),
        ("GetKeyPolicy", "KeyId", none.clone()),
        ("ListAliases", "KeyId", none.clone()),
        ("UpdateAlias", "TargetKeyId", json!({"AliasName": "alias/named/one"})),
        ("ScheduleKeyDeletion", "KeyId", none.clone()),
        ("CancelKeyDeletion", "KeyId", none),
    ]
}

async fn ask(scene: &Scene, (operation, member, rest): &Operation, name: &str) -> Answer {
    let mut body = rest.clone();
    body[*member] = json!(name);
    if *operation == "ReEncrypt" && body.get("DestinationKeyId").is_none() {
        body["DestinationKeyId"] = json!("alias/named/one");
    }
    scene.admin.raw.call(operation, &body).await
}

#[track_caller]
fn assert_not_found(operation: &Operation, answer: &Answer, text: &str) {
    assert_eq!(error(answer), ("NotFoundException".into(), text.to_owned()), "{operation:?}");
}

async fn all_four_forms_are_taken(scene: &Scene, operation: &Operation, names: &Names) {
    for name in [&names.id, &names.arn, &names.alias, &names.alias_arn] {
        let answer = ask(scene, operation, name).await.ok();
        if operation.0 != "DescribeKey" {
            assert_eq!(answer["KeyId"], names.arn, "{operation:?}");
        }
    }
    let unknown = "alias/unknown";
    let text = format!("Alias {} is not found.", scene.alias_arn(unknown));
    assert_not_found(operation, &ask(scene, operation, unknown).await, &text);
    assert_not_found(operation, &ask(scene, operation, &scene.alias_arn(unknown)).await, &text);
}

async fn aliases_are_not_found(scene: &Scene, operation: &Operation, names: &Names) {
    for name in [&names.alias, &names.alias_arn] {
        let answer = ask(scene, operation, name).await;
        let (code, text) = error(&answer);
        assert_eq!(code, "NotFoundException", "{operation:?} {name}: {text}");
        assert!(text.starts_with("Invalid keyId"), "{operation:?}: {text}");
    }
    for name in [&names.id, &names.arn] {
        let answer = ask(scene, operation, name).await;
        let (name, _, _) = operation;
        // A key that is pending deletion is needed for the last of them: it is made by the one before.
        let twice = ["ScheduleKeyDeletion", "CancelKeyDeletion"].contains(name) && answer.status == 400;
        assert!(answer.status == 200 || twice, "{operation:?}: {}", answer.text);
    }
}

async fn unknown_names_are_not_found(scene: &Scene, operation: &Operation) {
    let invalid = |name: &str| format!("Invalid keyId '{name}'");
    for name in ["x", "mrk-0123456789abcdef0123456789abcdef0", "7f3c1b5e-0d2a-4c66-9b1f-3d5a8e0c9f2g", "key/x"] {
        assert_not_found(operation, &ask(scene, operation, name).await, &invalid(name));
    }
    let text = format!("Key '{}' does not exist", scene.arn(NOBODY));
    assert_not_found(operation, &ask(scene, operation, NOBODY).await, &text);
    assert_not_found(operation, &ask(scene, operation, &scene.arn(NOBODY)).await, &text);
    let elsewhere = format!("arn:aws:kms:eu-west-3:{}:key/{NOBODY}", scene.account);
    assert_not_found(operation, &ask(scene, operation, &elsewhere).await, "Invalid arn eu-west-3");
    let account = "000000000000";
    let foreign = format!("arn:aws:kms:{REGION}:{account}:key/{NOBODY}");
    let text = format!("Key '{foreign}' does not exist");
    assert_not_found(operation, &ask(scene, operation, &foreign).await, &text);
    for name in [format!("arn:aws:s3:{REGION}:{}:key/{NOBODY}", scene.account), "arn:aws:kms".into(), "arn:".into()] {
        let (code, text) = error(&ask(scene, operation, &name).await);
        let declares =
            !["Encrypt", "Decrypt", "ReEncrypt"].contains(&operation.0) && !operation.0.starts_with("Generate");
        assert_eq!(code, if declares { "InvalidArnException" } else { "NotFoundException" }, "{operation:?} {text}");
    }
}
