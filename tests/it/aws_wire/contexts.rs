//! Encryption contexts: bound to the ciphertext, exactly, whatever their order.

use super::Scene;
use crate::support::aws::{Draft, error, good, refused};
use aws_sdk_kms::primitives::Blob;
use serde_json::json;
use std::collections::HashMap;

type Pairs<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn a_context_must_be_the_same_in_every_use() {
    let scene = Scene::start().await;
    let id = scene.admin.new_key_id().await;
    tokio::join!(
        decryption_needs_the_same_context(&scene, &id),
        the_order_of_members_does_not_matter(&scene, &id),
        none_and_an_empty_one_are_the_same(&scene, &id),
        re_encryption_changes_the_context(&scene, &id),
        what_is_no_map_of_texts_is_refused(&scene, &id),
    );
}

fn map(pairs: Pairs) -> Option<HashMap<String, String>> {
    Some(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

async fn seal(scene: &Scene, id: &str, pairs: Pairs<'_>) -> Blob {
    let request = scene.admin.kms.encrypt().key_id(id).plaintext(Blob::new("sealed"));
    good(request.set_encryption_context(map(pairs)).send().await).ciphertext_blob.unwrap()
}

async fn assert_opens(scene: &Scene, sealed: &Blob, pairs: Pairs<'_>) {
    let request = scene.admin.kms.decrypt().ciphertext_blob(sealed.clone());
    let opened = good(request.set_encryption_context(map(pairs)).send().await);
    assert_eq!(opened.plaintext().unwrap().as_ref(), b"sealed");
}

async fn assert_refuses(scene: &Scene, sealed: &Blob, pairs: Pairs<'_>) {
    let request = scene.admin.kms.decrypt().ciphertext_blob(sealed.clone());
    refused(request.set_encryption_context(map(pairs)).send().await, "InvalidCiphertextException", "");
}

async fn decryption_needs_the_same_context(scene: &Scene, id: &str) {
    let good_one: Pairs = &[("Department", "Физика"), ("e\u{301}", "\u{1f511}"), ("empty", "")];
    let sealed = seal(scene, id, good_one).await;
    assert_opens(scene, &sealed, good_one).await;
    let others: [Pairs; 9] = [
        &[],
        &[("Department", "Физика")],
        &[("department", "Физика"), ("e\u{301}", "\u{1f511}"), ("empty", "")],
        &[("Department", "физика"), ("e\u{301}", "\u{1f511}"), ("empty", "")],
        // The same letter in composed form.
        &[("Department", "Физика"), ("\u{e9}", "\u{1f511}"), ("empty", "")],
        &[("Department", "Физика"), ("e\u{301}", "\u{1f511}"), ("empty", " ")],
        &[("Department", "Физика"), ("e\u{301}", "\u{1f511}")],
        &[("Department", "Физика"), ("e\u{301}", "\u{1f511}"), ("empty", ""), ("more", "")],
        &[("Department", "\u{1f511}"), ("e\u{301}", "Физика"), ("empty", "")],
    ];
    for other in others {
        assert_refuses(scene, &sealed, other).await;
    }
    let without = scene.admin.encrypt(id, b"sealed").await;
    assert_refuses(scene, &without, &[("a", "b")]).await;
    // Texts that run into each other differ all the same.
    let sealed = seal(scene, id, &[("ab", "c")]).await;
    assert_refuses(scene, &sealed, &[("a", "bc")]).await;
}

async fn the_order_of_members_does_not_matter(scene: &Scene, id: &str) {
    let body = |context: &str| format!(r#"{{"KeyId":"{id}","Plaintext":"c2VhbGVk","EncryptionContext":{context}}}"#);
    let orders = [r#"{"b":"2","a":"1","B":"3"}"#, r#"{"B":"3","a":"1","b":"2"}"#, r#"{"a":"1","\u0062":"2","B":"3"}"#];
    for written in orders {
        let sealed = scene.admin.raw.signed(&Draft::of("Encrypt", body(written))).await.ok();
        for read in orders {
            let body = format!(r#"{{"CiphertextBlob":{},"EncryptionContext":{read}}}"#, sealed["CiphertextBlob"]);
            let opened = scene.admin.raw.signed(&Draft::of("Decrypt", body)).await.ok();
            assert_eq!(opened["Plaintext"], "c2VhbGVk");
        }
    }
}

async fn none_and_an_empty_one_are_the_same(scene: &Scene, id: &str) {
    let without = scene.admin.encrypt(id, b"sealed").await;
    assert_opens(scene, &without, &[]).await;
    let empty = seal(scene, id, &[]).await;
    assert_eq!(scene.admin.decrypt(&empty).await, b"sealed");
}

async fn re_encryption_changes_the_context(scene: &Scene, id: &str) {
    let kms = &scene.admin.kms;
    let (old, new): (Pairs, Pairs) = (&[("stage", "old")], &[("stage", "new")]);
    let sealed = seal(scene, id, old).await;
    let move_it = || kms.re_encrypt().destination_key_id(id).ciphertext_blob(sealed.clone());
    let request = move_it().set_source_encryption_context(map(old)).set_destination_encryption_context(map(new));
    let moved = good(request.send().await).ciphertext_blob.unwrap();
    assert_opens(scene, &moved, new).await;
    assert_refuses(scene, &moved, old).await;
    let dropped = good(move_it().set_source_encryption_context(map(old)).send().await).ciphertext_blob.unwrap();
    assert_eq!(scene.admin.decrypt(&dropped).await, b"sealed");
    for wrong in [map(new), None] {
        let request = move_it().set_source_encryption_context(wrong).set_destination_encryption_context(map(new));
        refused(request.send().await, "InvalidCiphertextException", "");
    }
}

async fn what_is_no_map_of_texts_is_refused(scene: &Scene, id: &str) {
    for context in [json!([]), json!("a"), json!({"a": 1}), json!({"a": {"b": "c"}}), json!({"a": ["b"]}), json!(true)]
    {
        let body = json!({"KeyId": id, "Plaintext": "aGk=", "EncryptionContext": context});
        assert_eq!(error(&scene.admin.raw.call("Encrypt", &body).await).0, "SerializationException", "{context}");
    }
    let twice = format!(r#"{{"KeyId":"{id}","Plaintext":"aGk=","EncryptionContext":{{"a":"1","a":"1"}}}}"#);
    let answer = scene.admin.raw.signed(&Draft::of("Encrypt", twice)).await;
    assert_eq!(error(&answer).0, "SerializationException");
}
