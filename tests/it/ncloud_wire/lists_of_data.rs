//! Lists of texts in one request: all are answered, in their order and form, or none.

use super::uses::{Api, PROTECTIONS, parts, rotated};
use super::{Scene, encrypted};
use crate::support::client::text;
use crate::support::ncloud::{b64, data, refused};
use serde_json::{Value, json};

const MAX: usize = 32 * 1024;

#[tokio::test]
async fn lists_are_answered_as_they_came_or_not_at_all() {
    let scene = Scene::start().await;
    tokio::join!(
        a_list_of_any_length_comes_back_as_a_list(&scene),
        one_wrong_text_refuses_all(&scene),
        a_list_has_1_to_1000_texts(&scene),
        a_list_has_at_most_32768_bytes_in_sum(&scene),
        a_list_of_custom_keys_and_versions_is_moved(&scene),
    );
}

fn list(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

async fn a_list_of_any_length_comes_back_as_a_list(scene: &Scene) {
    for (protection, api) in PROTECTIONS.into_iter().flat_map(|it| Api::BOTH.map(|api| (it, api))) {
        let key = scene.new_key(protection).await;
        for texts in [vec![b64(b"1")], vec![b64(b"1"), b64(b"22"), b64(b"1"), b64(b"333")]] {
            let made = api.data(&scene.admin, &key, "encrypt", &json!({"plaintext": texts})).await;
            let sealed = list(&made["ciphertext"]);
            assert_eq!(sealed.len(), texts.len());
            let distinct: std::collections::HashSet<_> = sealed.iter().map(|it| parts(it).1[..12].to_vec()).collect();
            assert_eq!(distinct.len(), sealed.len(), "each has its own IV");
            let opened = api.data(&scene.admin, &key, "decrypt", &json!({"ciphertext": sealed})).await;
            assert_eq!(opened["plaintext"], json!(texts), "in order");
            let moved = api.data(&scene.admin, &key, "re-encrypt", &json!({"ciphertext": sealed})).await;
            let opened = api.data(&scene.admin, &key, "decrypt", &json!({"ciphertext": moved["newCiphertext"]})).await;
            assert_eq!(opened["plaintext"], json!(texts), "in order");
            // Lists and single texts are the same ciphertexts.
            let one = api.data(&scene.admin, &key, "decrypt", &json!({"ciphertext": sealed[0]})).await;
            assert_eq!(one["plaintext"], json!(texts[0]));
        }
    }
}

async fn one_wrong_text_refuses_all(scene: &Scene) {
    for protection in PROTECTIONS {
        let (key, other) = (scene.new_key(protection).await, scene.new_key(protection).await);
        let good = encrypted(&scene.admin, &key, b"good").await;
        let foreign = encrypted(&scene.admin, &other, b"foreign").await;
        let (unknown, malformed) = (good.replace("v1", "v9"), "ncpkms:v1:!".to_owned());
        for wrong in [foreign, unknown, malformed, "AA==".to_owned(), String::new()] {
            for texts in [vec![&good, &wrong], vec![&wrong, &good], vec![&good, &wrong, &good]] {
                for action in ["decrypt", "re-encrypt"] {
                    let answer = Api::Two.send(&scene.admin, &key, action, &json!({"ciphertext": texts})).await;
                    refused(&answer, 400, "INVALID_REQUEST");
                    assert!(!answer.text.contains(&b64(b"good")), "{}", answer.text);
                }
            }
        }
        rotated(&scene.admin, &key).await;
        let newer = encrypted(&scene.admin, &key, b"newer").await;
        data(&scene.admin.act(&format!("{key}/versions/1/disable")).await);
        for action in ["decrypt", "re-encrypt"] {
            let answer = Api::Two.send(&scene.admin, &key, action, &json!({"ciphertext": [newer, good]})).await;
            refused(&answer, 422, "UNPROCESSABLE_ENTITY");
        }
        for wrong in ["", "!", "YQ"] {
            let body = json!({"plaintext": [b64(b"good"), wrong]});
            refused(&Api::Two.send(&scene.admin, &key, "encrypt", &body).await, 400, "INVALID_REQUEST");
        }
        for wrong in [json!(null), json!(7), json!(["YQ=="]), json!({"a": "YQ=="}), json!(true)] {
            let body = json!({"plaintext": ["YQ==", wrong]});
            refused(&Api::Two.send(&scene.admin, &key, "encrypt", &body).await, 400, "INVALID_REQUEST");
        }
    }
}

async fn a_list_has_1_to_1000_texts(scene: &Scene) {
    for protection in PROTECTIONS {
        let key = scene.new_key(protection).await;
        let texts: Vec<String> =
            (0..1000_u32).map(|number| b64(&[&number.to_be_bytes()[..], &[7; 28]].concat())).collect();
        let made = Api::Two.data(&scene.admin, &key, "encrypt", &json!({"plaintext": texts})).await;
        let sealed = list(&made["ciphertext"]);
        let opened = Api::One.data(&scene.admin, &key, "decrypt", &json!({"ciphertext": sealed})).await;
        assert_eq!(opened["plaintext"], json!(texts));
        let moved = Api::Two.data(&scene.admin, &key, "re-encrypt", &json!({"ciphertext": sealed})).await;
        let moved = list(&moved["newCiphertext"]);
        assert_eq!(moved.len(), 1000);
        let more: Vec<&str> = moved.iter().chain(&sealed[..1]).map(String::as_str).collect();
        for api in Api::BOTH {
            for (action, member, texts) in [
                ("encrypt", "plaintext", json!(vec!["YQ=="; 1001])),
                ("decrypt", "ciphertext", json!(more)),
                ("re-encrypt", "ciphertext", json!(more)),
                ("encrypt", "plaintext", json!([])),
                ("decrypt", "ciphertext", json!([])),
                ("re-encrypt", "ciphertext", json!([])),
            ] {
                let msg = refused(
                    &api.send(&scene.admin, &key, action, &json!({member: texts})).await,
                    400,
                    "INVALID_REQUEST",
                );
                assert!(msg.contains("1 to 1000 strings"), "{msg}");
            }
        }
    }
}

async fn a_list_has_at_most_32768_bytes_in_sum(scene: &Scene) {
    for protection in PROTECTIONS {
        let key = scene.new_key(protection).await;
        let body = |sizes: &[usize]| {
            let texts: Vec<String> = sizes.iter().map(|size| b64(&vec![1; *size])).collect();
            json!({"plaintext": texts})
        };
        for sizes in [&[MAX][..], &[MAX - 1, 1], &[MAX / 2, MAX / 2], &[1; 1000]] {
            let made = Api::Two.data(&scene.admin, &key, "encrypt", &body(sizes)).await;
            assert_eq!(list(&made["ciphertext"]).len(), sizes.len(), "{protection}");
        }
        for sizes in [&[MAX + 1][..], &[MAX, 1], &[MAX / 2, MAX / 2 + 1], &[33; 1000]] {
            for api in Api::BOTH {
                let msg = refused(&api.send(&scene.admin, &key, "encrypt", &body(sizes)).await, 400, "INVALID_REQUEST");
                assert!(msg.contains("in sum"), "{msg}");
            }
        }
        // What was encrypted one by one is more than that together, and is not bounded by it.
        let one = encrypted(&scene.admin, &key, &vec![1; MAX]).await;
        let opened = Api::Two.data(&scene.admin, &key, "decrypt", &json!({"ciphertext": [one, one]})).await;
        assert_eq!(list(&opened["plaintext"]).len(), 2);
    }
}

async fn a_list_of_custom_keys_and_versions_is_moved(scene: &Scene) {
    let key = scene.new_key("COMMON_HSM").await;
    let mut sealed = Vec::new();
    let mut texts = Vec::new();
    for bits in [128, 256, 512] {
        let body = json!({"bits": bits, "requestPlainKey": true});
        let made = Api::Two.data(&scene.admin, &key, "create-custom-key", &body).await;
        sealed.push(text(&made["ciphertext"]));
        texts.push(text(&made["plaintext"]));
        rotated(&scene.admin, &key).await;
    }
    assert_eq!(sealed.iter().map(|it| parts(it).0).collect::<Vec<_>>(), [1, 2, 3]);
    let opened = Api::One.data(&scene.admin, &key, "decrypt", &json!({"ciphertext": sealed})).await;
    assert_eq!(opened["plaintext"], json!(texts));
    let moved = Api::One.data(&scene.admin, &key, "re-encrypt", &json!({"ciphertext": sealed})).await;
    let moved = list(&moved["newCiphertext"]);
    assert_eq!(moved.iter().map(|it| parts(it).0).collect::<Vec<_>>(), [4, 4, 4]);
    let opened = Api::Two.data(&scene.admin, &key, "decrypt", &json!({"ciphertext": moved})).await;
    assert_eq!(opened["plaintext"], json!(texts));
}
