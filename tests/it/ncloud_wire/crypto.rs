//! Encrypt, decrypt, re-encrypt and create-custom-key, one text at a time.

use super::uses::{Api, PROTECTIONS, all_go_well, all_refused, parts, rotated};
use super::{Scene, decrypted, encrypted, key_id, plaintext};
use crate::support::client::text;
use crate::support::ncloud::{b64, data, refused};
use serde_json::{Value, json};

const MAX: usize = 32 * 1024;
/// What is said of a ciphertext that cannot be decrypted, whatever is wrong with it.
const WRONG: &str = "Invalid request: the ciphertext cannot be decrypted with this key and additional data";

#[tokio::test]
async fn what_was_encrypted_is_decrypted_and_nothing_else() {
    let scene = Scene::start().await;
    tokio::join!(
        both_apis_decrypt_what_either_encrypted(&scene),
        plaintexts_have_1_to_32768_bytes(&scene),
        malformed_requests_are_refused(&scene),
        a_changed_ciphertext_is_refused_with_one_text(&scene),
        another_key_or_number_is_refused_with_the_same_text(&scene),
        a_whole_envelope_may_follow_the_number_of_its_version(&scene),
        only_numbered_ciphertexts_are_taken(&scene),
    );
}

#[tokio::test]
async fn states_and_versions_decide_what_a_key_does() {
    let scene = Scene::start().await;
    tokio::join!(
        custom_keys_have_the_length_that_was_asked_for(&scene),
        ciphertexts_outlive_rotations_and_move_to_the_newest_version(&scene),
        a_disabled_version_refuses_until_it_is_enabled(&scene),
        a_version_that_is_to_be_destroyed_refuses(&scene),
        a_disabled_or_doomed_key_refuses(&scene),
        signing_is_of_other_keys(&scene),
    );
}

async fn both_apis_decrypt_what_either_encrypted(scene: &Scene) {
    for protection in PROTECTIONS {
        let key = scene.new_key(protection).await;
        for api in Api::BOTH {
            let body = json!({"plaintext": b64(b"text"), "context": null, "unknown": [{"a": 1}]});
            let made = api.data(&scene.admin, &key, "encrypt", &body).await;
            assert_eq!(made.as_object().unwrap().keys().collect::<Vec<_>>(), ["ciphertext"]);
            let sealed = text(&made["ciphertext"]);
            let again = text(&api.data(&scene.admin, &key, "encrypt", &body).await["ciphertext"]);
            assert_ne!(sealed, again, "two encryptions of the same text differ");
            let (number, bytes) = parts(&sealed);
            assert_eq!((number, bytes.len()), (1, 12 + 4 + 16), "IV, ciphertext and tag");
            assert_ne!(bytes[..12], parts(&again).1[..12]);
            for other in Api::BOTH {
                let opened = other.data(&scene.admin, &key, "decrypt", &json!({"ciphertext": sealed})).await;
                assert_eq!(opened, json!({"plaintext": b64(b"text")}), "{protection} {api:?} {other:?}");
            }
        }
    }
}

async fn plaintexts_have_1_to_32768_bytes(scene: &Scene) {
    for protection in PROTECTIONS {
        let key = scene.new_key(protection).await;
        for size in [1, 2, MAX - 1, MAX] {
            let bytes = vec![0xa5; size];
            let sealed = encrypted(&scene.admin, &key, &bytes).await;
            assert_eq!(decrypted(&scene.admin, &key, &sealed).await, b64(&bytes), "{protection} {size}");
            let moved = scene.admin.post(&format!("{key}/re-encrypt"), &json!({"ciphertext": sealed})).await;
            assert_ne!(data(&moved)["newCiphertext"], sealed.as_str());
        }
        for api in Api::BOTH {
            for (size, said) in [(0, "plaintext must not be empty"), (MAX + 1, "at most 32768 bytes")] {
                let answer = api.send(&scene.admin, &key, "encrypt", &plaintext(&vec![0; size])).await;
                let msg = refused(&answer, 400, "INVALID_REQUEST");
                assert!(msg.contains(said), "{msg}");
            }
        }
    }
}

async fn malformed_requests_are_refused(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    let long = b64(&[7; 51]);
    let bodies = [
        ("encrypt", json!({})),
        ("encrypt", json!({"plaintext": null})),
        ("encrypt", json!({"plaintext": 7})),
        ("encrypt", json!({"plaintext": true})),
        ("encrypt", json!({"plaintext": {"a": "YQ=="}})),
        ("encrypt", json!({"plaintext": "YQ"})),
        ("encrypt", json!({"plaintext": "YR=="})),
        ("encrypt", json!({"plaintext": "YQ==\n"})),
        ("encrypt", json!({"plaintext": "-_-_"})),
        ("encrypt", json!({"plaintext": "YQ==", "context": "YQ"})),
        ("encrypt", json!({"plaintext": "YQ==", "context": 7})),
        ("encrypt", json!({"plaintext": "YQ==", "context": long})),
        ("encrypt", json!({"Plaintext": "YQ=="})),
        ("decrypt", json!({"plaintext": "YQ=="})),
        ("decrypt", json!({"ciphertext": 7})),
        ("re-encrypt", json!({"newCiphertext": "ncpkms:v1:AA=="})),
        ("create-custom-key", json!({"bits": 0})),
        ("create-custom-key", json!({"bits": 129})),
        ("create-custom-key", json!({"bits": 1024})),
        ("create-custom-key", json!({"bits": "256"})),
        ("create-custom-key", json!({"bits": 256.5})),
        ("create-custom-key", json!({"requestPlainKey": "true"})),
        ("create-custom-key", json!({"requestPlainKey": 1})),
    ];
    for (action, body) in bodies {
        for api in Api::BOTH {
            let msg = refused(&api.send(&scene.admin, &key, action, &body).await, 400, "INVALID_REQUEST");
            assert!(msg.starts_with("Invalid request: "), "{msg}");
        }
    }
}

/// What is said of a ciphertext, by both operations that take one and in both APIs.
async fn said_of(scene: &Scene, key: &str, ciphertext: &str) -> String {
    let mut said = Vec::new();
    for action in ["decrypt", "re-encrypt"] {
        for api in Api::BOTH {
            let body = json!({"ciphertext": ciphertext});
            said.push(refused(&api.send(&scene.admin, key, action, &body).await, 400, "INVALID_REQUEST"));
        }
    }
    assert!(said.iter().all(|text| *text == said[0]), "{ciphertext}: {said:?}");
    said.swap_remove(0)
}

async fn a_changed_ciphertext_is_refused_with_one_text(scene: &Scene) {
    for protection in PROTECTIONS {
        let key = scene.new_key(protection).await;
        let sealed = encrypted(&scene.admin, &key, b"eight by").await;
        let prefix = "ncpkms:v".len();
        for (at, old) in sealed.char_indices().skip(prefix) {
            for new in ['A', '2'].into_iter().filter(|new| *new != old) {
                let mut changed = sealed.clone();
                changed.replace_range(at..=at, &new.to_string());
                assert_eq!(said_of(scene, &key, &changed).await, WRONG, "{protection}: {new} at {at}");
            }
        }
        let (_, bytes) = parts(&sealed);
        for length in [0, 1, 12, 16, 17, 27, 28, bytes.len() - 1] {
            let cut = format!("ncpkms:v1:{}", b64(&bytes[..length]));
            assert_eq!(said_of(scene, &key, &cut).await, WRONG, "{protection}: {length} bytes");
        }
        let more = [bytes.as_slice(), &[0]].concat();
        for changed in [
            format!("ncpkms:v1:{}", b64(&more)),
            format!("ncpkms:v1:{}", b64(&vec![0; MAX + 200])),
            format!("{sealed}\n"),
            format!("{sealed}="),
            format!("{sealed}{sealed}"),
            sealed.replace("v1", "v01"),
            sealed.replace("v1", "v+1"),
            sealed.replace("v1", "v99999999999999999999"),
            "ncpkms:v".to_owned(),
            "ncpkms:v1".to_owned(),
            "ncpkms:v1:".to_owned(),
        ] {
            assert_eq!(said_of(scene, &key, &changed).await, WRONG, "{protection}: {changed}");
        }
        assert_eq!(decrypted(&scene.admin, &key, &sealed).await, b64(b"eight by"));
    }
}

async fn another_key_or_number_is_refused_with_the_same_text(scene: &Scene) {
    for protection in PROTECTIONS {
        let (key, other) = (scene.new_key(protection).await, scene.new_key(protection).await);
        let first = encrypted(&scene.admin, &key, b"x").await;
        assert_eq!(said_of(scene, &other, &first).await, WRONG, "of another key");
        rotated(&scene.admin, &key).await;
        let second = encrypted(&scene.admin, &key, b"x").await;
        for changed in [
            first.replace("v1:", "v2:"),
            second.replace("v2:", "v1:"),
            first.replace("v1:", "v3:"),
            first.replace("v1:", "v0:"),
            first.replace("v1:", "v4294967295:"),
        ] {
            assert_eq!(said_of(scene, &key, &changed).await, WRONG, "{protection}: {changed}");
        }
        // What was asked for in vain is there once there is such a version.
        assert_eq!(rotated(&scene.admin, &key).await, 3);
        let third = encrypted(&scene.admin, &key, b"x").await;
        assert_eq!(decrypted(&scene.admin, &key, &third).await, b64(b"x"));
    }
}

/// The bytes of an envelope, which the native dialect makes.
async fn envelope(scene: &Scene, key: &str, bytes: &[u8]) -> String {
    let path = format!("/kms/v1/keys/{}:encrypt", key_id(key));
    text(&scene.rest.post(&path, &plaintext(bytes)).await.ok()["ciphertext"])
}

async fn a_whole_envelope_may_follow_the_number_of_its_version(scene: &Scene) {
    for protection in PROTECTIONS {
        let (key, other) = (scene.new_key(protection).await, scene.new_key(protection).await);
        let first = envelope(scene, &key, b"whole").await;
        rotated(&scene.admin, &key).await;
        let second = envelope(scene, &key, b"whole").await;
        for (number, envelope) in [(1, &first), (2, &second)] {
            let sealed = format!("ncpkms:v{number}:{envelope}");
            assert_eq!(decrypted(&scene.admin, &key, &sealed).await, b64(b"whole"), "{protection} {number}");
            let moved = scene.admin.post(&format!("{key}/re-encrypt"), &json!({"ciphertext": sealed})).await;
            let moved = text(&data(&moved)["newCiphertext"]);
            assert_eq!((parts(&moved).0, parts(&moved).1.len()), (2, 12 + 5 + 16));
        }
        for (number, envelope) in [(2, &first), (1, &second), (3, &second)] {
            let sealed = format!("ncpkms:v{number}:{envelope}");
            assert_eq!(said_of(scene, &key, &sealed).await, WRONG, "{protection}: {number}");
        }
        let sealed = format!("ncpkms:v1:{}", envelope(scene, &other, b"x").await);
        assert_eq!(said_of(scene, &key, &sealed).await, WRONG, "of another key");
        let sealed = parts(&format!("ncpkms:v1:{first}")).1;
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(
                said_of(scene, &key, &format!("ncpkms:v1:{}", b64(&changed))).await,
                WRONG,
                "{protection}: {at}"
            );
        }
    }
}

/// The form is told before anything else, and of it alone.
async fn only_numbered_ciphertexts_are_taken(scene: &Scene) {
    let key = scene.new_key("BASIC").await;
    let sealed = encrypted(&scene.admin, &key, b"x").await;
    let bare = envelope(scene, &key, b"x").await;
    for text in [&bare, "", " ", "AA==", &sealed[1..], &format!(" {sealed}"), &sealed.to_uppercase(), "vault:v1:AA=="] {
        let said = said_of(scene, &key, text).await;
        assert_eq!(said, "Invalid request: ciphertext must begin with ncpkms:v and the number of a version", "{text}");
    }
}

async fn custom_keys_have_the_length_that_was_asked_for(scene: &Scene) {
    for protection in PROTECTIONS {
        let key = scene.new_key(protection).await;
        for (bits, bytes) in [(Some(128), 16), (Some(256), 32), (Some(512), 64), (None, 32)] {
            for api in Api::BOTH {
                let mut body = json!({});
                if let Some(bits) = bits {
                    body["bits"] = json!(bits);
                }
                let hidden = api.data(&scene.admin, &key, "create-custom-key", &body).await;
                assert_eq!(hidden.as_object().unwrap().keys().collect::<Vec<_>>(), ["ciphertext", "key_version"]);
                let sealed = text(&hidden["ciphertext"]);
                assert_eq!(parts(&sealed).1.len(), 12 + bytes + 16, "{bits:?}");
                let first = decrypted(&scene.admin, &key, &sealed).await;
                body["requestPlainKey"] = json!(true);
                let shown = api.data(&scene.admin, &key, "create-custom-key", &body).await;
                assert_eq!(shown["key_version"], 1);
                let second = text(&shown["plaintext"]);
                assert_eq!(decrypted(&scene.admin, &key, &text(&shown["ciphertext"])).await, second);
                assert_ne!(first, second, "every custom key is a new one");
                assert_eq!(parts(&format!("ncpkms:v1:{second}")).1.len(), bytes, "{bits:?}");
                body["requestPlainKey"] = json!(false);
                let hidden = api.data(&scene.admin, &key, "create-custom-key", &body).await;
                assert_eq!(hidden.get("plaintext"), None);
            }
        }
    }
}

async fn ciphertexts_outlive_rotations_and_move_to_the_newest_version(scene: &Scene) {
    for protection in PROTECTIONS {
        let key = scene.new_key(protection).await;
        let mut sealed = vec![encrypted(&scene.admin, &key, b"1").await];
        for number in 2..=11 {
            assert_eq!(rotated(&scene.admin, &key).await, number);
            let newest = encrypted(&scene.admin, &key, b"1").await;
            assert_eq!(u64::from(parts(&newest).0), number, "the newest version encrypts");
            sealed.push(newest);
        }
        let made = data(&scene.admin.act(&format!("{key}/create-custom-key")).await);
        assert_eq!(made["key_version"], 11, "a body may be missing");
        for old in &sealed {
            assert_eq!(decrypted(&scene.admin, &key, old).await, b64(b"1"), "{old}");
            for api in Api::BOTH {
                let moved = api.data(&scene.admin, &key, "re-encrypt", &json!({"ciphertext": old})).await;
                assert_eq!(moved.as_object().unwrap().keys().collect::<Vec<_>>(), ["newCiphertext"]);
                let moved = text(&moved["newCiphertext"]);
                assert_eq!(parts(&moved).0, 11);
                assert!(!sealed.contains(&moved), "encrypted anew");
                assert_eq!(decrypted(&scene.admin, &key, &moved).await, b64(b"1"));
            }
        }
    }
}

/// Both operations that take a ciphertext refuse it because of its version's state, whatever else is wrong with it.
async fn refused_for_its_version(scene: &Scene, key: &str, sealed: &str) {
    let wrong = format!("ncpkms:v1:{}", b64(&[0; 40]));
    for (api, action) in Api::BOTH.into_iter().flat_map(|api| ["decrypt", "re-encrypt"].map(|action| (api, action))) {
        for sealed in [sealed, &wrong] {
            let answer = api.send(&scene.admin, key, action, &json!({"ciphertext": sealed})).await;
            refused(&answer, 422, "UNPROCESSABLE_ENTITY");
        }
    }
}

async fn a_disabled_version_refuses_until_it_is_enabled(scene: &Scene) {
    for protection in PROTECTIONS {
        let key = scene.new_key(protection).await;
        let first = encrypted(&scene.admin, &key, b"x").await;
        rotated(&scene.admin, &key).await;
        decrypted(&scene.admin, &key, &first).await;
        data(&scene.admin.act(&format!("{key}/versions/1/disable")).await);
        refused_for_its_version(scene, &key, &first).await;
        let second = encrypted(&scene.admin, &key, b"x").await;
        assert_eq!(decrypted(&scene.admin, &key, &second).await, b64(b"x"), "other versions work");
        data(&scene.admin.act(&format!("{key}/versions/1/enable")).await);
        assert_eq!(decrypted(&scene.admin, &key, &first).await, b64(b"x"), "{protection}");
    }
}

async fn a_version_that_is_to_be_destroyed_refuses(scene: &Scene) {
    let key = scene.new_key("COMMON_HSM").await;
    let native = format!("/kms/v1/keys/{}", key_id(&key));
    let version = text(&scene.rest.get(&native).await.ok()["primaryVersion"]["id"]);
    let sealed = encrypted(&scene.admin, &key, b"x").await;
    rotated(&scene.admin, &key).await;
    let body = json!({"versionId": version, "pendingPeriod": "86400s"});
    scene.rest.post(&format!("{native}:scheduleVersionDestruction"), &body).await.ok();
    refused_for_its_version(scene, &key, &sealed).await;
    let listed = data(&scene.admin.get(&format!("{key}/versions")).await);
    assert_eq!(listed["versionList"][0]["status"], "DISABLE");
    refused(&scene.admin.act(&format!("{key}/versions/1/enable")).await, 422, "UNPROCESSABLE_ENTITY");
    scene.rest.post(&format!("{native}:cancelVersionDestruction"), &json!({"versionId": version})).await.ok();
    assert_eq!(decrypted(&scene.admin, &key, &sealed).await, b64(b"x"));
}

async fn a_disabled_or_doomed_key_refuses(scene: &Scene) {
    for protection in PROTECTIONS {
        let key = scene.new_key(protection).await;
        let sealed = encrypted(&scene.admin, &key, b"x").await;
        data(&scene.admin.act(&format!("{key}/disable")).await);
        all_refused(&scene.admin, &key, &sealed, 422, "UNPROCESSABLE_ENTITY").await;
        data(&scene.admin.act(&format!("{key}/enable")).await);
        all_go_well(&scene.admin, &key, &sealed).await;
        data(&scene.admin.act(&format!("{key}/request-deletion")).await);
        all_refused(&scene.admin, &key, &sealed, 422, "UNPROCESSABLE_ENTITY").await;
        data(&scene.admin.act(&format!("{key}/cancel-deletion")).await);
        all_refused(&scene.admin, &key, &sealed, 422, "UNPROCESSABLE_ENTITY").await;
        data(&scene.admin.act(&format!("{key}/enable")).await);
        all_go_well(&scene.admin, &key, &sealed).await;
        data(&scene.admin.act(&format!("{key}/request-deletion")).await);
        data(&scene.admin.delete(&key).await);
        all_refused(&scene.admin, &key, &sealed, 404, "NOT_FOUND").await;
    }
}

async fn signing_is_of_other_keys(scene: &Scene) {
    for protection in PROTECTIONS {
        let key = scene.new_key(protection).await;
        let bodies: [(&str, Value); 3] = [
            ("sign", json!({"data": b64(b"x")})),
            ("verify", json!({"data": b64(b"x"), "signature": "ncpkms:v1:AA=="})),
            ("get-pub-key", json!({"keyVersion": 1})),
        ];
        for (action, body) in bodies {
            let path = format!("{key}/{action}");
            for answer in [scene.admin.post(&path, &body).await, scene.admin.act(&path).await] {
                let msg = refused(&answer, 400, "INVALID_REQUEST");
                assert!(msg.contains("keyType is AES256"), "{action}: {msg}");
            }
            if action != "get-pub-key" {
                refused(&Api::One.send(&scene.admin, &key, action, &body).await, 400, "INVALID_REQUEST");
            }
        }
        data(&scene.admin.act(&format!("{key}/disable")).await);
        refused(&scene.admin.act(&format!("{key}/sign")).await, 422, "UNPROCESSABLE_ENTITY");
    }
}
