//! One key, three dialects: what one does the others show, and rules of any bind in all.

use super::three::{Dialect, Trio};
use super::{Scene, key_id, tag};
use crate::support::aws::error;
use crate::support::client::text;
use crate::support::ncloud::{b64, data, refused};
use serde_json::{Value, json};

const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn what_one_dialect_encrypts_every_other_decrypts() {
    let scene = Scene::start().await;
    let trio = Trio::of(&scene);
    let mut keys = Vec::new();
    for algorithm in ["AES_128", "AES_192", "AES_256", "AES_256_HSM"] {
        keys.push(trio.native_key(algorithm).await);
    }
    keys.push(trio.aws_key().await);
    for protection in super::uses::PROTECTIONS {
        keys.push(key_id(&scene.new_key(protection).await));
    }
    for id in &keys {
        every_dialect_encrypts_rotates_and_decrypts(&trio, id).await;
    }
    tokio::join!(
        aws_needs_to_know_the_key_of_a_numbered_ciphertext(&trio, &keys[5]),
        numbered_ciphertexts_are_re_encrypted_everywhere(&trio, &keys[6], &keys[0]),
        contexts_of_other_dialects_are_not_known_here(&trio, &keys[3]),
        versions_keep_their_algorithm_and_an_older_one_may_be_current(&trio),
        keys_of_other_dialects_have_names_and_protections(&trio, &keys),
    );
}

#[tokio::test]
async fn states_names_and_restrictions_are_shared() {
    let scene = Scene::start().await;
    let trio = Trio::of(&scene);
    tokio::join!(
        a_key_that_is_disabled_anywhere_is_disabled_everywhere(&trio),
        names_and_memos_are_shown_where_they_are_known(&trio),
        a_disabled_version_refuses_everywhere(&trio),
        a_role_that_is_taken_is_taken_everywhere(&trio),
        what_is_done_here_is_in_the_native_history(&trio),
    );
}

#[tokio::test]
async fn deletions_are_shared_and_the_longest_wait_holds() {
    let scene = Scene::start().await;
    let trio = Trio::of(&scene);
    tokio::join!(
        deletion_protection_binds_here(&trio),
        a_deletion_is_shown_everywhere_and_cancelled_anywhere(&trio),
        keys_of_other_dialects_wait_as_long_as_there(&trio),
        a_key_that_is_deleted_at_once_is_gone_everywhere(&trio),
        versions_of_our_keys_wait_as_long_as_is_asked(&trio),
    );
}

async fn every_dialect_encrypts_rotates_and_decrypts(trio: &Trio<'_>, id: &str) {
    for by in Dialect::ALL {
        for rotator in Dialect::ALL {
            let number = trio.version(id).await;
            let sealed = trio.encrypt(by, id, b"across").await;
            trio.rotate(rotator, id).await;
            assert_eq!(trio.version(id).await, number + 1, "{by:?} {rotator:?}");
            for reader in Dialect::ALL {
                let opened = trio.decrypt(reader, id, &sealed, number).await;
                assert_eq!(opened, b64(b"across"), "{id}: {by:?} encrypts, {rotator:?} rotates, {reader:?} decrypts");
            }
        }
    }
}

async fn aws_needs_to_know_the_key_of_a_numbered_ciphertext(trio: &Trio<'_>, id: &str) {
    let sealed = b64(&trio.encrypt(Dialect::Ncloud, id, b"x").await);
    for (operation, body) in [
        ("Decrypt", json!({"CiphertextBlob": sealed})),
        ("ReEncrypt", json!({"CiphertextBlob": sealed, "DestinationKeyId": id})),
    ] {
        let (code, said) = error(&trio.raw.call(operation, &body).await);
        assert_eq!(code, "ValidationException", "{operation}: {said}");
        assert!(said.contains("key ID is required"), "{operation}: {said}");
    }
    // A changed one is a changed ciphertext there too.
    for changed in ["ncpkms:v1:", "ncpkms:v99:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "ncpkms:v"] {
        let body = json!({"KeyId": id, "CiphertextBlob": b64(changed.as_bytes())});
        assert_eq!(error(&trio.raw.call("Decrypt", &body).await).0, "InvalidCiphertextException", "{changed}");
        let native = trio.native(id, "decrypt", &json!({"ciphertext": b64(changed.as_bytes())})).await;
        assert_eq!((native.status, native.code()), (400, 3), "{changed}");
    }
}

async fn numbered_ciphertexts_are_re_encrypted_everywhere(trio: &Trio<'_>, id: &str, other: &str) {
    let sealed = trio.encrypt(Dialect::Ncloud, id, b"x").await;
    let body = json!({"CiphertextBlob": b64(&sealed), "SourceKeyId": id, "DestinationKeyId": other});
    let moved = trio.raw.call("ReEncrypt", &body).await.ok();
    let opened = trio.raw.call("Decrypt", &json!({"CiphertextBlob": moved["CiphertextBlob"]})).await.ok();
    assert_eq!((&opened["Plaintext"], opened["KeyId"].as_str().unwrap().ends_with(other)), (&json!("eA=="), true));
    let moved = trio.native(other, "reEncrypt", &json!({"sourceKeyId": id, "ciphertext": b64(&sealed)})).await.ok();
    let opened = trio.native(other, "decrypt", &json!({"ciphertext": moved["ciphertext"]})).await.ok();
    assert_eq!(opened["plaintext"], "eA==");
}

async fn contexts_of_other_dialects_are_not_known_here(trio: &Trio<'_>, id: &str) {
    let number = trio.version(id).await;
    let native = json!({"plaintext": b64(b"x"), "aadContext": b64(b"aad")});
    let aws = json!({"KeyId": id, "Plaintext": b64(b"x"), "EncryptionContext": {"a": "b"}});
    let sealed = [
        text(&trio.native(id, "encrypt", &native).await.ok()["ciphertext"]),
        text(&trio.raw.call("Encrypt", &aws).await.ok()["CiphertextBlob"]),
    ];
    for sealed in sealed {
        for body in [
            json!({"ciphertext": format!("ncpkms:v{number}:{sealed}")}),
            json!({"ciphertext": format!("ncpkms:v{number}:{sealed}"), "context": b64(b"aad")}),
        ] {
            for action in ["decrypt", "re-encrypt"] {
                let answer = trio.scene.admin.post(&format!("{}/{action}", trio.path(id)), &body).await;
                refused(&answer, 400, "INVALID_REQUEST");
            }
        }
    }
}

async fn versions_keep_their_algorithm_and_an_older_one_may_be_current(trio: &Trio<'_>) {
    let id = trio.native_key("AES_128").await;
    let (path, native) = (trio.path(&id), format!("/kms/v1/keys/{id}"));
    let first = text(&trio.rest.get(&native).await.ok()["primaryVersion"]["id"]);
    let mut sealed = vec![trio.encrypt(Dialect::Ncloud, &id, b"x").await];
    for (number, algorithm) in ["AES_256_HSM", "AES_192", "AES_256"].into_iter().enumerate() {
        let body = json!({"updateMask": "defaultAlgorithm", "defaultAlgorithm": algorithm});
        trio.rest.patch(&native, &body).await.ok();
        trio.rotate(Dialect::ALL[number], &id).await;
        sealed.push(trio.encrypt(Dialect::Ncloud, &id, b"x").await);
    }
    for sealed in &sealed {
        for reader in Dialect::ALL {
            assert_eq!(trio.decrypt(reader, &id, sealed, 0).await, b64(b"x"), "{reader:?}");
        }
    }
    trio.native(&id, "setPrimaryVersion", &json!({"versionId": first})).await.ok();
    assert_eq!(trio.version(&id).await, 1, "the current version is the one that encrypts");
    for by in Dialect::ALL {
        let again = trio.encrypt(by, &id, b"x").await;
        assert_eq!(trio.decrypt(Dialect::Ncloud, &id, &again, 1).await, b64(b"x"), "{by:?}");
    }
    let body = json!({"ciphertext": String::from_utf8(sealed[3].clone()).unwrap()});
    let moved = data(&trio.ncloud.post(&format!("{path}/re-encrypt"), &body).await);
    assert!(moved["newCiphertext"].as_str().unwrap().starts_with("ncpkms:v1:"), "{moved}");
    for number in [1, 4] {
        let answer = trio.ncloud.act(&format!("{path}/versions/{number}/disable")).await;
        refused(&answer, 422, "UNPROCESSABLE_ENTITY");
    }
    data(&trio.ncloud.act(&format!("{path}/versions/2/disable")).await);
    trio.rotate(Dialect::Ncloud, &id).await;
    assert_eq!(trio.version(&id).await, 5);
}

async fn keys_of_other_dialects_have_names_and_protections(trio: &Trio<'_>, keys: &[String]) {
    let types = ["AES128", "AES192", "AES256", "AES256", "AES256", "AES256", "AES256"];
    let protections = ["BASIC", "BASIC", "BASIC", "COMMON_HSM", "COMMON_HSM", "BASIC", "COMMON_HSM"];
    let listed = data(&trio.scene.admin.get("/kms/v1/keys?pageSize=200").await);
    for (number, id) in keys.iter().enumerate() {
        let shown = trio.shown(id).await;
        assert_eq!((&shown["keyType"], &shown["protectionType"]), (&json!(types[number]), &json!(protections[number])));
        let tag = id.replace('-', "");
        assert_eq!((&shown["keyTag"], &shown["isConvergent"]), (&json!(tag), &json!(false)));
        if number < 5 {
            assert_eq!(shown["keyName"], format!("k{}", &tag[..14]), "the dialect that made it knows no such name");
        }
        let entry = listed["keyList"].as_array().unwrap().iter().find(|it| it["keyTag"] == tag).unwrap();
        assert_eq!((&entry["keyName"], &entry["keyType"]), (&shown["keyName"], &shown["keyType"]));
    }
}

async fn a_key_that_is_disabled_anywhere_is_disabled_everywhere(trio: &Trio<'_>) {
    for id in trio.one_of_each().await {
        for (by, back) in
            [(Dialect::Native, Dialect::Aws), (Dialect::Aws, Dialect::Ncloud), (Dialect::Ncloud, Dialect::Native)]
        {
            let sealed = trio.encrypt(by, &id, b"x").await;
            let number = trio.version(&id).await;
            trio.switch(by, &id, false).await;
            assert_eq!(trio.states(&id).await, ["INACTIVE", "Disabled", "DISABLE"], "{by:?}");
            trio.uses_are_refused(&id, 9, "DisabledException", 422).await;
            trio.switch(back, &id, true).await;
            assert_eq!(trio.states(&id).await, ["ACTIVE", "Enabled", "ENABLE"], "{back:?}");
            assert_eq!(trio.decrypt(back, &id, &sealed, number).await, b64(b"x"));
        }
    }
}

async fn names_and_memos_are_shown_where_they_are_known(trio: &Trio<'_>) {
    let admin = &trio.scene.admin;
    for id in trio.one_of_each().await {
        let path = trio.path(&id);
        let native = format!("/kms/v1/keys/{id}");
        let named = trio.scene.name();
        data(&admin.put(&format!("{path}/name"), &json!({"keyName": named})).await);
        trio.scene.rest.patch(&native, &json!({"updateMask": "name", "name": "Free & easy"})).await.ok();
        assert_eq!(trio.shown(&id).await["keyName"], named.as_str(), "the names are two");
        assert_eq!(trio.scene.rest.get(&native).await.ok()["name"], "Free & easy");

        let long = "\u{e9}".repeat(150);
        trio.scene.rest.patch(&native, &json!({"updateMask": "description", "description": long})).await.ok();
        assert_eq!(trio.shown(&id).await["memo"], "\u{e9}".repeat(100), "the first 100 characters");
        let described = async || trio.raw.call("DescribeKey", &json!({"KeyId": id})).await.ok()["KeyMetadata"].clone();
        assert_eq!(described().await["Description"], long.as_str());
        data(&admin.put(&format!("{path}/memo"), &json!({"memo": "of Ncloud"})).await);
        assert_eq!(described().await["Description"], "of Ncloud");
        assert_eq!(trio.scene.rest.get(&native).await.ok()["description"], "of Ncloud");
        let body = json!({"KeyId": id, "Description": "of AWS"});
        assert_eq!(trio.raw.call("UpdateKeyDescription", &body).await.status, 200);
        assert_eq!(trio.shown(&id).await["memo"], "of AWS");
        data(&admin.put(&format!("{path}/memo"), &json!({"memo": ""})).await);
        assert_eq!(described().await["Description"], "");
        let made = text(&trio.scene.rest.get(&native).await.ok()["createdAt"]).parse::<jiff::Timestamp>().unwrap();
        assert_eq!(trio.shown(&id).await["registerDate"].as_i64().unwrap() / 1000, made.as_second());
    }
}

async fn a_disabled_version_refuses_everywhere(trio: &Trio<'_>) {
    for id in trio.one_of_each().await {
        let mut sealed = Vec::new();
        for by in Dialect::ALL {
            sealed.push(trio.encrypt(by, &id, b"x").await);
        }
        trio.rotate(Dialect::Ncloud, &id).await;
        for reader in Dialect::ALL {
            assert_eq!(trio.decrypt(reader, &id, &sealed[0], 1).await, b64(b"x"), "{reader:?}");
        }
        data(&trio.scene.admin.act(&format!("{}/versions/1/disable", trio.path(&id))).await);
        for sealed in &sealed {
            trio.decryption_is_refused(&id, sealed, 1, [9, 422], "KMSInvalidStateException").await;
        }
        let newer = trio.encrypt(Dialect::Native, &id, b"y").await;
        assert_eq!(trio.decrypt(Dialect::Ncloud, &id, &newer, 2).await, b64(b"y"));
        data(&trio.scene.admin.act(&format!("{}/versions/1/enable", trio.path(&id))).await);
        for sealed in &sealed {
            for reader in Dialect::ALL {
                assert_eq!(trio.decrypt(reader, &id, sealed, 1).await, b64(b"x"), "{reader:?}");
            }
        }
    }
}

/// A role on the key alone, given and taken natively.
async fn a_role_that_is_taken_is_taken_everywhere(trio: &Trio<'_>) {
    let (caller, principal) = trio.somebody("user-of-one-key").await;
    for id in trio.one_of_each().await {
        caller.uses_are_refused(&id, 5, "NotFoundException", 404).await;
        trio.bind(&id, "ADD", "kms.keys.encrypterDecrypter", &principal).await;
        for by in Dialect::ALL {
            let sealed = caller.encrypt(by, &id, b"x").await;
            for reader in Dialect::ALL {
                assert_eq!(caller.decrypt(reader, &id, &sealed, 1).await, b64(b"x"));
            }
        }
        trio.bind(&id, "ADD", "kms.viewer", &principal).await;
        trio.bind(&id, "REMOVE", "kms.keys.encrypterDecrypter", &principal).await;
        caller.uses_are_refused(&id, 7, "AccessDeniedException", 403).await;
        trio.bind(&id, "REMOVE", "kms.viewer", &principal).await;
        caller.uses_are_refused(&id, 5, "NotFoundException", 404).await;
    }
}

async fn what_is_done_here_is_in_the_native_history(trio: &Trio<'_>) {
    let key = trio.scene.new_key("COMMON_HSM").await;
    let native = format!("/kms/v1/keys/{}", key_id(&key));
    let done = [
        ("PUT", "memo", Some(json!({"memo": "m"}))),
        ("POST", "rotate", None),
        ("POST", "versions/1/disable", None),
        ("POST", "versions/1/enable", None),
        ("POST", "acl", Some(json!({"ipList": ["127.0.0.1"]}))),
        ("POST", "acl/enable", None),
        ("POST", "token-generator", None),
        ("POST", "enable-auto-rotation", None),
        ("POST", "disable", None),
    ];
    for (method, what, body) in &done {
        data(&trio.ncloud.call(method, &format!("{key}/{what}"), body.as_ref()).await);
    }
    let listed = trio.rest.get(&format!("{native}/operations?pageSize=100")).await.ok();
    let operations = listed["operations"].as_array().unwrap();
    assert_eq!(operations.len(), done.len() + 1, "{listed}");
    for operation in operations {
        assert_eq!((&operation["done"], operation.get("error")), (&json!(true), None), "{operation}");
        let one = trio.rest.get(&format!("/operations/{}", operation["id"].as_str().unwrap())).await.ok();
        assert_eq!(one, *operation);
    }
    let versions = trio.rest.get(&format!("{native}/versions")).await.ok();
    assert_eq!(versions["keyVersions"].as_array().unwrap().len(), 2, "{versions}");
    let rotations = trio.raw.call("ListKeyRotations", &json!({"KeyId": key_id(&key)})).await.ok();
    assert_eq!(rotations["Rotations"].as_array().unwrap().len(), 1, "{rotations}");
}

async fn protect(trio: &Trio<'_>, id: &str, on: bool) {
    let body = json!({"updateMask": "deletionProtection", "deletionProtection": on});
    trio.scene.rest.patch(&format!("/kms/v1/keys/{id}"), &body).await.ok();
}

async fn deletion_protection_binds_here(trio: &Trio<'_>) {
    for id in trio.one_of_each().await {
        let request = format!("{}/request-deletion", trio.path(&id));
        protect(trio, &id, true).await;
        let msg = refused(&trio.scene.admin.act(&request).await, 422, "UNPROCESSABLE_ENTITY");
        assert!(msg.contains("deletion protection"), "{msg}");
        refused(&trio.scene.admin.delete(&trio.path(&id)).await, 422, "UNPROCESSABLE_ENTITY");
        assert_eq!(trio.states(&id).await[2], "ENABLE");
        protect(trio, &id, false).await;
        data(&trio.scene.admin.act(&request).await);
    }
}

/// When the key will be deleted, in milliseconds; the dialects that show it agree.
async fn doomed(trio: &Trio<'_>, id: &str) -> i64 {
    assert_eq!(trio.states(id).await, ["404", "PendingDeletion", "REVOKE"]);
    let shown = trio.shown(id).await["destroyDate"].as_i64().unwrap();
    let aws = trio.raw.call("DescribeKey", &json!({"KeyId": id})).await.ok()["KeyMetadata"]["DeletionDate"].clone();
    assert!((aws.as_f64().unwrap() * 1000.0 - shown as f64).abs() < 1.0, "{aws} {shown}");
    let listed = data(&trio.scene.admin.get("/kms/v1/keys?pageSize=200").await);
    let entry = listed["KeyList"].as_array().unwrap().iter().find(|it| it["keyTag"] == tag(&trio.path(id))).unwrap();
    assert_eq!((&entry["status"], entry["destroyDate"].as_i64()), (&json!("REVOKE"), Some(shown)));
    shown
}

async fn a_deletion_is_shown_everywhere_and_cancelled_anywhere(trio: &Trio<'_>) {
    for id in trio.one_of_each().await {
        for by in Dialect::ALL {
            trio.delete(by, &id).await;
            doomed(trio, &id).await;
            trio.uses_are_refused(&id, 5, "KMSInvalidStateException", 422).await;
            data(&trio.scene.admin.act(&format!("{}/cancel-deletion", trio.path(&id))).await);
            assert_eq!(trio.states(&id).await, ["INACTIVE", "Disabled", "DISABLE"], "{by:?}");
            trio.switch(Dialect::Ncloud, &id, true).await;

            trio.delete(by, &id).await;
            trio.raw.call("CancelKeyDeletion", &json!({"KeyId": id})).await.ok();
            assert_eq!(trio.states(&id).await, ["INACTIVE", "Disabled", "DISABLE"], "{by:?}");
            assert_eq!(trio.shown(&id).await["destroyDate"], json!(null));
            trio.switch(Dialect::Ncloud, &id, true).await;

            trio.delete(by, &id).await;
            trio.scene.rest.post(&format!("/claviger/v1/keys/{id}:restore"), &json!({})).await.ok();
            assert_eq!(trio.states(&id).await, ["ACTIVE", "Enabled", "ENABLE"], "as it was before {by:?}");
        }
    }
}

async fn keys_of_other_dialects_wait_as_long_as_there(trio: &Trio<'_>) {
    let [native, aws, ours] = trio.one_of_each().await;
    for (id, hours, at_once) in [(native, 72, false), (aws, 7 * 24, false), (ours, 72, true)] {
        let before = crate::support::ncloud::now();
        refused(&trio.scene.admin.delete(&trio.path(&id)).await, 422, "UNPROCESSABLE_ENTITY");
        data(&trio.scene.admin.act(&format!("{}/request-deletion", trio.path(&id))).await);
        let after = crate::support::ncloud::now();
        let date = doomed(trio, &id).await - hours * HOUR;
        assert!((before - 1..=after).contains(&date), "{hours} h: {before} {date} {after}");
        let answer = trio.scene.admin.delete(&trio.path(&id)).await;
        if at_once {
            data(&answer);
        } else {
            let msg = refused(&answer, 422, "UNPROCESSABLE_ENTITY");
            assert!(msg.contains("shortest wait"), "{msg}");
            assert_eq!(doomed(trio, &id).await - hours * HOUR, date, "it is deleted when it would have been");
        }
    }
}

/// The shortest wait is the key's, whoever asks: none here, a day natively, a week in AWS.
async fn versions_of_our_keys_wait_as_long_as_is_asked(trio: &Trio<'_>) {
    let hour = |version: &Value| json!({"versionId": version["id"], "pendingPeriod": "3600s"});
    for (id, accepted) in trio.one_of_each().await.iter().zip([false, false, true]) {
        let native = trio.rest.get(&format!("/kms/v1/keys/{id}")).await.ok();
        trio.rotate(Dialect::Native, id).await;
        let body = hour(&native["primaryVersion"]);
        let answer = trio.native(id, "scheduleVersionDestruction", &body).await;
        assert_eq!(answer.status == 200, accepted, "{}", answer.text);
    }
}

async fn a_key_that_is_deleted_at_once_is_gone_everywhere(trio: &Trio<'_>) {
    for by in Dialect::ALL {
        let name = trio.scene.name();
        let key = trio.scene.new_key_with(json!({"keyName": name})).await;
        let id = key_id(&key);
        let alias = json!({"AliasName": format!("alias/{name}"), "TargetKeyId": id});
        assert_eq!(trio.raw.call("CreateAlias", &alias).await.status, 200);
        let sealed = trio.encrypt(Dialect::Native, &id, b"x").await;
        trio.delete(by, &id).await;
        assert_eq!(data(&trio.scene.admin.delete(&key).await), Value::Null);
        assert_eq!(trio.states(&id).await, ["404", "NotFoundException", "404"], "{by:?}");
        trio.uses_are_refused(&id, 5, "NotFoundException", 404).await;
        let opened = trio.raw.call("Decrypt", &json!({"CiphertextBlob": b64(&sealed)})).await;
        assert_eq!(error(&opened).0, "AccessDeniedException");
        for answer in [
            trio.scene.admin.act(&format!("{key}/cancel-deletion")).await,
            trio.scene.admin.act(&format!("{key}/enable")).await,
            trio.scene.admin.delete(&key).await,
        ] {
            refused(&answer, 404, "NOT_FOUND");
        }
        let restored = trio.scene.rest.post(&format!("/claviger/v1/keys/{id}:restore"), &json!({})).await;
        assert_ne!(restored.status, 200, "{}", restored.text);
        assert_eq!(error(&trio.raw.call("CancelKeyDeletion", &json!({"KeyId": id})).await).0, "NotFoundException");
        let aliases = trio.raw.call("ListAliases", &json!({})).await.ok();
        assert!(!aliases["Aliases"].to_string().contains(&name), "{aliases}");
        // Both names are free.
        let next = trio.scene.new_key_with(json!({"keyName": name})).await;
        assert_ne!(next, key);
        let alias = json!({"AliasName": format!("alias/{name}"), "TargetKeyId": key_id(&next)});
        assert_eq!(trio.raw.call("CreateAlias", &alias).await.status, 200);
    }
}
