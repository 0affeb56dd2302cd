//! Many clients at the same key, and what the log says of them.

use super::{Api, create, decrypt, encrypt, key, new_key, primary, response, rotate, versions};
use crate::support::Home;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::wkt::FieldMask;
use kms::{SymmetricAlgorithm, SymmetricKey};
use std::collections::HashSet;
use tokio::task::JoinSet;

const PLAINTEXT: &[u8] = b"only-the-caller-may-see-this";
/// The same in base64.
const ENCODED: &str = "b25seS10aGUtY2FsbGVyLW1heS1zZWUtdGhpcw";

#[tokio::test]
async fn clients_that_change_and_use_one_key_at_once_lose_nothing() {
    let home = Home::new().with("CLAVIGER_LOG__FILTER", "info,claviger=trace");
    let dev = home.start().await;
    let apis = Api::all(&dev).await;
    let made = new_key(&apis[0], dev.folder(), SymmetricAlgorithm::Aes256Hsm).await;
    let mut rotations = JoinSet::new();
    let mut uses = JoinSet::new();
    let mut updates = JoinSet::new();
    for number in 0..24 {
        let api = apis[number % apis.len()].clone();
        let id = made.id.clone();
        match number % 3 {
            0 => drop(rotations.spawn(async move { rotate(&api, &id).await })),
            1 => drop(uses.spawn(async move { use_it(&api, &id).await })),
            _ => drop(updates.spawn(async move { api.ok(rename(&id, number)).await })),
        }
    }
    let made_by_rotation: HashSet<String> = rotations.join_all().await.into_iter().collect();
    let sealed: Vec<Vec<u8>> = uses.join_all().await.concat();
    updates.join_all().await;
    assert_eq!(made_by_rotation.len(), 8, "two rotations made the same version");
    let shown = versions(&apis[0], &made.id).await;
    assert_eq!(shown.len(), 9);
    assert_eq!(shown[0].id, primary(&key(&apis[0], &made.id).await), "the newest version is the primary one");
    assert!(made_by_rotation.contains(&shown[0].id));
    for ciphertext in &sealed {
        assert_eq!(apis[1].ok(decrypt(&made.id, ciphertext, b"")).await.plaintext, PLAINTEXT);
    }
    assert!(key(&apis[0], &made.id).await.name.starts_with("name "));
    any_text_is_a_name(&apis, dev.folder()).await;
    let said = home.log() + &home.output();
    assert!(said.contains("Encrypt"), "the log has the requests");
    let token = dev.credential("CLAVIGER_TOKEN");
    for secret in [std::str::from_utf8(PLAINTEXT).unwrap(), ENCODED, token] {
        assert!(!said.contains(secret), "the log has a plaintext or a token");
    }
}

/// Encrypts and decrypts a few times, and gives the ciphertexts.
async fn use_it(api: &Api, key_id: &str) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for _ in 0..10 {
        let sealed = api.ok(encrypt(key_id, PLAINTEXT, b"")).await.ciphertext;
        assert_eq!(api.ok(decrypt(key_id, &sealed, b"")).await.plaintext, PLAINTEXT);
        api.refused("tampered", decrypt(key_id, &[&sealed[..], b"x"].concat(), b"")).await;
        all.push(sealed);
    }
    all
}

fn rename(key_id: &str, number: usize) -> kms::UpdateSymmetricKeyRequest {
    kms::UpdateSymmetricKeyRequest {
        key_id: key_id.to_owned(),
        update_mask: Some(FieldMask { paths: vec!["name".into()] }),
        name: format!("name {number}"),
        ..Default::default()
    }
}

/// Names are free: nothing in them is syntax to anyone.
async fn any_text_is_a_name(apis: &[Api], folder: &str) {
    let texts = ["a\0b", "\u{1f511} \u{202e}x", "'; DROP TABLE keys; --", "\"\\\n\r\t", "<b>", " ", "%s%n", "\u{feff}"];
    for (text, api) in texts.into_iter().zip(apis.iter().cycle()) {
        let request = kms::CreateSymmetricKeyRequest {
            name: text.to_owned(),
            description: text.to_owned(),
            ..create(folder, SymmetricAlgorithm::Aes128)
        };
        let made: SymmetricKey = response(&api.ok(request).await);
        for reader in apis {
            let shown = key(reader, &made.id).await;
            assert_eq!((shown.name.as_str(), shown.description.as_str()), (text, text), "{}", reader.name);
        }
    }
}
