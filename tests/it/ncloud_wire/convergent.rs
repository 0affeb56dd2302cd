//! Convergent keys: equal plaintexts under equal contexts become equal ciphertexts, and nothing else does.

use super::uses::{Api, encrypted_with, parts, rotated};
use super::{Scene, key_id, plaintext};
use crate::support::aws::{Raw, error};
use crate::support::client::{Answer, text};
use crate::support::ncloud::{Ncloud, b64, data, refused};
use serde_json::{Value, json};
use std::collections::HashSet;

const WRONG: &str = "Invalid request: the ciphertext cannot be decrypted with this key and additional data";

/// How long the IV of a convergent ciphertext is, in bytes.
const IV: usize = 32;

#[tokio::test]
async fn equal_texts_become_equal_and_others_do_not() {
    let scene = Scene::start().await;
    tokio::join!(
        every_difference_makes_another_ciphertext(&scene),
        a_context_is_needed_and_must_be_the_same(&scene),
        a_context_is_of_convergent_keys_only(&scene),
        contexts_are_kept_by_re_encrypt_and_custom_keys(&scene),
        a_changed_ciphertext_is_refused(&scene),
        thousands_of_texts_have_ivs_of_their_own(&scene),
        convergent_keys_are_software_keys(&scene),
        sizes_are_those_of_other_keys(&scene),
    );
    let key = convergent(&scene).await;
    let before = encrypted_with(&scene.admin, &key, b"same", b"context").await;
    let Scene { home, dev, key: access, .. } = scene;
    dev.kill();
    let dev = home.start().await;
    let admin = Ncloud::new(dev.credential("CLAVIGER_ENDPOINT"), &access);
    assert_eq!(encrypted_with(&admin, &key, b"same", b"context").await, before, "across a restart");
    assert_eq!(opened(&admin, &key, &before, b"context").await, b64(b"same"));
}

#[tokio::test]
async fn other_dialects_keep_the_rules_of_a_convergent_key() {
    let scene = Scene::start().await;
    tokio::join!(
        the_native_dialect_needs_additional_data(&scene),
        aws_needs_an_encryption_context(&scene),
        no_dialect_changes_the_algorithm(&scene),
        kinds_of_context_do_not_match_each_other(&scene),
    );
}

/// The path of a new convergent key.
async fn convergent(scene: &Scene) -> String {
    scene.new_key_with(json!({"isConvergent": true})).await
}

async fn opened(caller: &Ncloud, key: &str, ciphertext: &str, context: &[u8]) -> String {
    let body = json!({"ciphertext": ciphertext, "context": b64(context)});
    text(&data(&caller.post(&format!("{key}/decrypt"), &body).await)["plaintext"])
}

async fn every_difference_makes_another_ciphertext(scene: &Scene) {
    let (key, other) = (convergent(scene).await, convergent(scene).await);
    assert_eq!(data(&scene.admin.get(&key).await)["isConvergent"], true);
    let body = json!({"plaintext": b64(b"text"), "context": b64(b"context")});
    let first = encrypted_with(&scene.admin, &key, b"text", b"context").await;
    for api in Api::BOTH {
        assert_eq!(api.data(&scene.admin, &key, "encrypt", &body).await["ciphertext"], first.as_str(), "{api:?}");
    }
    let pair = json!({"plaintext": [b64(b"text"), b64(b"text"), b64(b"text2")], "context": b64(b"context")});
    let pair = data(&scene.admin.post(&format!("{key}/encrypt"), &pair).await)["ciphertext"].clone();
    assert_eq!((pair[0].as_str(), pair[1].as_str()), (Some(first.as_str()), Some(first.as_str())));
    assert_ne!(pair[2], first.as_str());
    let (number, bytes) = parts(&first);
    assert_eq!((number, bytes.len()), (1, IV + 4 + 16));

    let mut all = vec![first.clone(), text(&pair[2])];
    for (bytes, context) in [
        (&b"texu"[..], &b"context"[..]),
        (b"text", b"contexu"),
        (b"textc", b"ontext"),
        (b"tex", b"tcontext"),
        (b"text", b"c"),
    ] {
        all.push(encrypted_with(&scene.admin, &key, bytes, context).await);
    }
    all.push(encrypted_with(&scene.admin, &other, b"text", b"context").await);
    rotated(&scene.admin, &key).await;
    let second = encrypted_with(&scene.admin, &key, b"text", b"context").await;
    assert_eq!(second, encrypted_with(&scene.admin, &key, b"text", b"context").await);
    all.push(second);
    assert_all_differ(&all);
    assert_eq!(opened(&scene.admin, &key, &first, b"context").await, b64(b"text"), "of the old version");
    let body = json!({"ciphertext": all[7], "context": b64(b"context")});
    assert_eq!(refused(&scene.admin.post(&format!("{key}/decrypt"), &body).await, 400, "INVALID_REQUEST"), WRONG);
}

/// Neither IV nor ciphertext nor tag of any two are equal.
#[track_caller]
fn assert_all_differ(all: &[String]) {
    let bytes: Vec<Vec<u8>> = all.iter().map(|text| parts(text).1).collect();
    let ivs: HashSet<&[u8]> = bytes.iter().map(|bytes| &bytes[..IV]).collect();
    let tags: HashSet<&[u8]> = bytes.iter().map(|bytes| &bytes[bytes.len() - 16..]).collect();
    assert_eq!((ivs.len(), tags.len()), (all.len(), all.len()), "{all:?}");
}

async fn a_context_is_needed_and_must_be_the_same(scene: &Scene) {
    let key = convergent(scene).await;
    let sealed = encrypted_with(&scene.admin, &key, b"x", b"right").await;
    let requests = [
        ("encrypt", json!({"plaintext": b64(b"x")})),
        ("decrypt", json!({"ciphertext": sealed})),
        ("re-encrypt", json!({"ciphertext": sealed})),
        ("create-custom-key", json!({})),
    ];
    for (action, body) in &requests {
        for api in Api::BOTH {
            let with = |context: Value| {
                let mut body = body.clone();
                body["context"] = context;
                body
            };
            for missing in [body.clone(), with(json!("")), with(json!(null))] {
                let msg = refused(&api.send(&scene.admin, &key, action, &missing).await, 400, "INVALID_REQUEST");
                assert!(msg.contains("needs a context"), "{action}: {msg}");
            }
            for malformed in [json!("!"), json!("AA"), json!(7), json!(["AA=="]), json!({"a": "b"})] {
                refused(&api.send(&scene.admin, &key, action, &with(malformed)).await, 400, "INVALID_REQUEST");
            }
            let msg = refused(
                &api.send(&scene.admin, &key, action, &with(json!(b64(&[7; 51])))).await,
                400,
                "INVALID_REQUEST",
            );
            assert!(msg.contains("at most 50 bytes"), "{action}: {msg}");
        }
    }
    for wrong in [&b"wrong"[..], b"righ", b"right ", b"Right", &[0], &[7; 50]] {
        for action in ["decrypt", "re-encrypt"] {
            let body = json!({"ciphertext": sealed, "context": b64(wrong)});
            let msg = refused(&Api::Two.send(&scene.admin, &key, action, &body).await, 400, "INVALID_REQUEST");
            assert_eq!(msg, WRONG);
        }
    }
    for context in [&[0][..], &[7; 50]] {
        let sealed = encrypted_with(&scene.admin, &key, b"x", context).await;
        assert_eq!(opened(&scene.admin, &key, &sealed, context).await, b64(b"x"));
    }
}

async fn a_context_is_of_convergent_keys_only(scene: &Scene) {
    for protection in super::uses::PROTECTIONS {
        let key = scene.new_key(protection).await;
        let sealed = super::encrypted(&scene.admin, &key, b"x").await;
        for (action, mut body) in super::uses::requests(&sealed) {
            for api in Api::BOTH {
                body["context"] = json!(b64(b"context"));
                let msg = refused(&api.send(&scene.admin, &key, action, &body).await, 400, "INVALID_REQUEST");
                assert!(msg.contains("not convergent"), "{action}: {msg}");
                body["context"] = json!("");
                data(&api.send(&scene.admin, &key, action, &body).await);
            }
        }
    }
}

async fn contexts_are_kept_by_re_encrypt_and_custom_keys(scene: &Scene) {
    let key = convergent(scene).await;
    let old = encrypted_with(&scene.admin, &key, b"x", b"context").await;
    let body = json!({"ciphertext": old, "context": b64(b"context")});
    let moved = Api::One.data(&scene.admin, &key, "re-encrypt", &body).await;
    assert_eq!(moved["newCiphertext"], old.as_str(), "the same version makes the same of it");
    rotated(&scene.admin, &key).await;
    let moved = text(&Api::Two.data(&scene.admin, &key, "re-encrypt", &body).await["newCiphertext"]);
    assert_eq!(moved, encrypted_with(&scene.admin, &key, b"x", b"context").await, "as if it were encrypted now");
    assert_eq!(opened(&scene.admin, &key, &moved, b"context").await, b64(b"x"));

    let body = json!({"bits": 512, "requestPlainKey": true, "context": b64(b"context")});
    let made = Api::Two.data(&scene.admin, &key, "create-custom-key", &body).await;
    let again = Api::Two.data(&scene.admin, &key, "create-custom-key", &body).await;
    assert_ne!(made["plaintext"], again["plaintext"], "custom keys are random");
    let (plain, sealed) = (text(&made["plaintext"]), text(&made["ciphertext"]));
    assert_eq!(opened(&scene.admin, &key, &sealed, b"context").await, plain);
    let body = json!({"plaintext": plain, "context": b64(b"context")});
    assert_eq!(Api::Two.data(&scene.admin, &key, "encrypt", &body).await["ciphertext"], sealed.as_str());
}

async fn a_changed_ciphertext_is_refused(scene: &Scene) {
    let key = convergent(scene).await;
    let sealed = encrypted_with(&scene.admin, &key, b"text", b"context").await;
    let (_, bytes) = parts(&sealed);
    let mut wrong: Vec<Vec<u8>> = (0..bytes.len())
        .map(|at| {
            let mut changed = bytes.clone();
            changed[at] ^= 0x80;
            changed
        })
        .collect();
    wrong.extend([1, 12, 17, 32, 47, 48, bytes.len() - 1].map(|length| bytes[..length].to_vec()));
    wrong.push([bytes.as_slice(), &[0]].concat());
    // IV and rest of two texts that are good, exchanged.
    let other = parts(&encrypted_with(&scene.admin, &key, b"texu", b"context").await).1;
    wrong.push([&bytes[..IV], &other[IV..]].concat());
    for changed in wrong {
        let body = json!({"ciphertext": format!("ncpkms:v1:{}", b64(&changed)), "context": b64(b"context")});
        for action in ["decrypt", "re-encrypt"] {
            let answer = Api::Two.send(&scene.admin, &key, action, &body).await;
            assert_eq!(refused(&answer, 400, "INVALID_REQUEST"), WRONG, "{changed:?}");
        }
    }
}

async fn thousands_of_texts_have_ivs_of_their_own(scene: &Scene) {
    let key = convergent(scene).await;
    let (mut ivs, mut tags) = (HashSet::new(), HashSet::new());
    for context in 0..4_u8 {
        let texts: Vec<String> = (0..1000_u32).map(|number| b64(&number.to_be_bytes())).collect();
        let body = json!({"plaintext": texts, "context": b64(&[context])});
        let made = data(&scene.admin.post(&format!("{key}/encrypt"), &body).await);
        for sealed in made["ciphertext"].as_array().unwrap() {
            let (_, bytes) = parts(sealed.as_str().unwrap());
            assert!(ivs.insert(bytes[..IV].to_vec()) && tags.insert(bytes[bytes.len() - 16..].to_vec()), "{sealed}");
        }
    }
    assert_eq!(ivs.len(), 4000);
}

async fn convergent_keys_are_software_keys(scene: &Scene) {
    let create = |protection: &str, convergent: Value| json!({"keyName": scene.name(), "keyType": "AES256", "protectionType": protection, "isConvergent": convergent});
    let msg =
        refused(&scene.admin.post("/kms/v1/keys", &create("COMMON_HSM", json!(true))).await, 400, "INVALID_REQUEST");
    assert!(msg.contains("isConvergent needs protectionType BASIC"), "{msg}");
    data(&scene.admin.post("/kms/v1/keys", &create("COMMON_HSM", json!(false))).await);
    refused(&scene.admin.post("/kms/v1/keys", &create("BASIC", json!("true"))).await, 400, "INVALID_REQUEST");
}

async fn sizes_are_those_of_other_keys(scene: &Scene) {
    let key = convergent(scene).await;
    for size in [1, 32 * 1024] {
        let sealed = encrypted_with(&scene.admin, &key, &vec![1; size], b"c").await;
        assert_eq!(parts(&sealed).1.len(), IV + size + 16);
        assert_eq!(opened(&scene.admin, &key, &sealed, b"c").await, b64(&vec![1; size]));
    }
    for texts in [json!(b64(&[])), json!(b64(&vec![1; 32 * 1024 + 1])), json!([b64(&vec![1; 32 * 1024]), b64(&[1])])] {
        let body = json!({"plaintext": texts, "context": b64(b"c")});
        refused(&scene.admin.post(&format!("{key}/encrypt"), &body).await, 400, "INVALID_REQUEST");
    }
}

/// A request of the native dialect for a key.
async fn native(scene: &Scene, key: &str, action: &str, body: &Value) -> Answer {
    scene.rest.post(&format!("/kms/v1/keys/{}:{action}", key_id(key)), body).await
}

async fn the_native_dialect_needs_additional_data(scene: &Scene) {
    let key = convergent(scene).await;
    let with = |aad: &[u8], mut body: Value| {
        body["aadContext"] = json!(b64(aad));
        body
    };
    for body in [plaintext(b"x"), with(b"", plaintext(b"x"))] {
        let answer = native(scene, &key, "encrypt", &body).await;
        assert_eq!((answer.status, answer.code()), (400, 3), "{}", answer.text);
    }
    let data_key = native(scene, &key, "generateDataKey", &json!({"dataKeySpec": "AES_256"})).await;
    assert_eq!((data_key.status, data_key.code()), (400, 3), "{}", data_key.text);
    let encrypt = async |aad: &[u8], bytes: &[u8]| {
        text(&native(scene, &key, "encrypt", &with(aad, plaintext(bytes))).await.ok()["ciphertext"])
    };
    let first = encrypt(b"aad", b"x").await;
    assert_eq!(encrypt(b"aad", b"x").await, first, "deterministic there too");
    assert_ne!(encrypt(b"aae", b"x").await, first);
    assert_ne!(encrypt(b"aad", b"y").await, first);
    let decrypt = async |aad: &[u8]| native(scene, &key, "decrypt", &with(aad, json!({"ciphertext": first}))).await;
    assert_eq!(decrypt(b"aad").await.ok()["plaintext"], b64(b"x"));
    for aad in [&b""[..], b"aae"] {
        assert_eq!(decrypt(aad).await.code(), 3);
    }
    let made = native(scene, &key, "generateDataKey", &with(b"aad", json!({"dataKeySpec": "AES_256"}))).await.ok();
    let opened =
        native(scene, &key, "decrypt", &with(b"aad", json!({"ciphertext": made["dataKeyCiphertext"]}))).await.ok();
    assert_eq!(opened["plaintext"], made["dataKeyPlaintext"]);

    // Moved to a key without this rule, and back.
    let other = scene.new_key("COMMON_HSM").await;
    let body = json!({"sourceKeyId": key_id(&key), "sourceAadContext": b64(b"aad"), "ciphertext": first});
    let moved = native(scene, &other, "reEncrypt", &body).await.ok();
    let back =
        |aad: &[u8]| json!({"sourceKeyId": key_id(&other), "ciphertext": moved["ciphertext"], "aadContext": b64(aad)});
    assert_eq!(native(scene, &key, "reEncrypt", &back(b"")).await.code(), 3);
    assert_eq!(native(scene, &key, "reEncrypt", &back(b"aad")).await.ok()["ciphertext"], first.as_str());
}

async fn aws_needs_an_encryption_context(scene: &Scene) {
    let key = convergent(scene).await;
    let raw = Raw::new(scene.dev.credential("CLAVIGER_ENDPOINT"), &scene.key);
    let (id, context) = (key_id(&key), json!({"EncryptionContext": {"a": "b"}}));
    let call = async |operation: &str, context: &Value, mut body: Value| {
        body["KeyId"] = json!(id);
        body.as_object_mut().unwrap().extend(context.as_object().unwrap().clone());
        raw.call(operation, &body).await
    };
    let first = call("Encrypt", &context, json!({"Plaintext": "aGk="})).await.ok()["CiphertextBlob"].clone();
    for none in [json!({}), json!({"EncryptionContext": {}})] {
        for (operation, body) in [
            ("Encrypt", json!({"Plaintext": "aGk="})),
            ("Decrypt", json!({"CiphertextBlob": first})),
            ("GenerateDataKey", json!({"NumberOfBytes": 8})),
            ("GenerateDataKeyWithoutPlaintext", json!({"NumberOfBytes": 8})),
            ("GenerateDataKeyPair", json!({"KeyPairSpec": "ECC_NIST_P256"})),
            ("Encrypt", json!({"Plaintext": "aGk=", "DryRun": true})),
            ("Decrypt", json!({"CiphertextBlob": first, "DryRun": true})),
            ("GenerateDataKey", json!({"NumberOfBytes": 8, "DryRun": true})),
            ("GenerateDataKeyPair", json!({"KeyPairSpec": "ECC_NIST_P256", "DryRun": true})),
        ] {
            let (code, said) = error(&call(operation, &none, body).await);
            assert_eq!(code, "ValidationException", "{operation}: {said}");
            assert!(said.contains("needs a context"), "{operation}: {said}");
        }
    }
    let (code, _) = error(&call("Encrypt", &context, json!({"Plaintext": "aGk=", "DryRun": true})).await);
    assert_eq!(code, "DryRunOperationException", "with a context it would have succeeded");
    let again = call("Encrypt", &context, json!({"Plaintext": "aGk="})).await.ok();
    assert_eq!(again["CiphertextBlob"], first, "deterministic there too");
    let other = call("Encrypt", &json!({"EncryptionContext": {"a": "c"}}), json!({"Plaintext": "aGk="})).await.ok();
    assert_ne!(other["CiphertextBlob"], first);
    let opened = call("Decrypt", &context, json!({"CiphertextBlob": first})).await.ok();
    assert_eq!(opened["Plaintext"], "aGk=");
    let made = call("GenerateDataKey", &context, json!({"NumberOfBytes": 8})).await.ok();
    let opened = call("Decrypt", &context, json!({"CiphertextBlob": made["CiphertextBlob"]})).await.ok();
    assert_eq!(opened["Plaintext"], made["Plaintext"]);
    let made = call("GenerateDataKeyPair", &context, json!({"KeyPairSpec": "ECC_NIST_P256"})).await.ok();
    let opened = call("Decrypt", &context, json!({"CiphertextBlob": made["PrivateKeyCiphertextBlob"]})).await.ok();
    assert_eq!(opened["Plaintext"], made["PrivateKeyPlaintext"]);
}

async fn no_dialect_changes_the_algorithm(scene: &Scene) {
    let key = convergent(scene).await;
    let path = format!("/kms/v1/keys/{}", key_id(&key));
    let first = encrypted_with(&scene.admin, &key, b"x", b"c").await;
    for algorithm in ["AES_128", "AES_192", "AES_256_HSM"] {
        let body = json!({"updateMask": "defaultAlgorithm", "defaultAlgorithm": algorithm});
        let answer = scene.rest.patch(&path, &body).await;
        assert_eq!((answer.status, answer.code()), (400, 9), "{algorithm}: {}", answer.text);
    }
    scene.rest.patch(&path, &json!({"updateMask": "defaultAlgorithm", "defaultAlgorithm": "AES_256"})).await.ok();
    // Rotated from elsewhere it stays what it is.
    scene.rest.post(&format!("{path}:rotate"), &json!({})).await.ok();
    let second = encrypted_with(&scene.admin, &key, b"x", b"c").await;
    assert_eq!(second, encrypted_with(&scene.admin, &key, b"x", b"c").await);
    assert_eq!((parts(&second).0, data(&scene.admin.get(&key).await)["isConvergent"].clone()), (2, json!(true)));
    assert_eq!(opened(&scene.admin, &key, &first, b"c").await, b64(b"x"));
}

/// The same bytes are a context of each dialect for itself.
async fn kinds_of_context_do_not_match_each_other(scene: &Scene) {
    let key = convergent(scene).await;
    let body = json!({"plaintext": b64(b"x"), "aadContext": b64(b"context")});
    let envelope = text(&native(scene, &key, "encrypt", &body).await.ok()["ciphertext"]);
    let ours = encrypted_with(&scene.admin, &key, b"x", b"context").await;
    let bytes = parts(&format!("ncpkms:v1:{envelope}")).1;
    for sealed in [format!("ncpkms:v1:{envelope}"), format!("ncpkms:v1:{}", b64(&bytes[bytes.len() - IV - 17..]))] {
        let body = json!({"ciphertext": sealed, "context": b64(b"context")});
        assert_eq!(refused(&scene.admin.post(&format!("{key}/decrypt"), &body).await, 400, "INVALID_REQUEST"), WRONG);
    }
    let body = json!({"ciphertext": b64(ours.as_bytes()), "aadContext": b64(b"context")});
    assert_eq!(native(scene, &key, "decrypt", &body).await.code(), 3);
}
