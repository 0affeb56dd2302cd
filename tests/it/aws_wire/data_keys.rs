//! Data keys and random bytes.

use super::{Scene, assert_material_id};
use crate::support::aws::{error, good, refused, refused_as};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use serde_json::json;
use std::collections::HashMap;

#[tokio::test]
async fn data_keys_and_random_bytes_are_made() {
    let scene = Scene::start().await;
    let id = scene.admin.new_key_id().await;
    tokio::join!(
        data_keys_have_the_size_that_was_asked_for(&scene, &id),
        data_keys_without_plaintext_show_none(&scene, &id),
        data_keys_are_bound_to_their_context(&scene, &id),
        one_of_size_and_spec_is_needed(&scene, &id),
        random_bytes_are_made(&scene),
    );
}

async fn open(scene: &Scene, sealed: &Blob) -> (Vec<u8>, String) {
    let opened = good(scene.admin.kms.decrypt().ciphertext_blob(sealed.clone()).send().await);
    (opened.plaintext.unwrap().into_inner(), opened.key_material_id.unwrap())
}

async fn data_keys_have_the_size_that_was_asked_for(scene: &Scene, id: &str) {
    let request = || scene.admin.kms.generate_data_key().key_id(id);
    let material = scene.admin.material(id).await;
    let mut seen = Vec::new();
    let requests = [
        (request().key_spec(DataKeySpec::Aes256), 32),
        (request().key_spec(DataKeySpec::Aes128), 16),
        (request().number_of_bytes(1), 1),
        (request().number_of_bytes(64), 64),
        (request().number_of_bytes(1024), 1024),
    ];
    for (request, size) in requests {
        let made = good(request.send().await);
        assert_eq!(made.key_id(), Some(scene.arn(id).as_str()));
        assert_eq!(made.key_material_id(), Some(material.as_str()));
        assert!(made.ciphertext_for_recipient().is_none());
        let plaintext = made.plaintext.unwrap().into_inner();
        assert_eq!(plaintext.len(), size);
        assert_eq!(open(scene, &made.ciphertext_blob.unwrap()).await, (plaintext.clone(), material.clone()));
        seen.push(plaintext);
    }
    assert!(seen[3].iter().any(|byte| *byte != seen[3][0]), "random bytes differ from each other");
    let again = good(request().key_spec(DataKeySpec::Aes256).send().await).plaintext.unwrap().into_inner();
    assert_ne!(again, seen[0], "every data key is new");
}

async fn data_keys_without_plaintext_show_none(scene: &Scene, id: &str) {
    let material = scene.admin.material(id).await;
    for (body, size) in [
        (json!({"KeyId": id, "KeySpec": "AES_256"}), 32),
        (json!({"KeyId": id, "KeySpec": "AES_128"}), 16),
        (json!({"KeyId": id, "NumberOfBytes": 1024}), 1024),
    ] {
        let made = scene.admin.raw.call("GenerateDataKeyWithoutPlaintext", &body).await.ok();
        let members: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["CiphertextBlob", "KeyId", "KeyMaterialId"], "{body}");
        let made = scene.admin.raw.call("Decrypt", &json!({"CiphertextBlob": made["CiphertextBlob"]})).await.ok();
        assert_eq!(made["Plaintext"].as_str().unwrap().len(), usize::div_ceil(size, 3) * 4);
        assert_eq!(made["KeyMaterialId"], material.as_str());
    }
    let request = scene.admin.kms.generate_data_key_without_plaintext().key_id(id).key_spec(DataKeySpec::Aes256);
    let made = good(request.send().await);
    assert_eq!(made.key_id(), Some(scene.arn(id).as_str()));
    assert_material_id(made.key_material_id().unwrap());
    assert_eq!(open(scene, &made.ciphertext_blob.unwrap()).await.0.len(), 32);
}

async fn data_keys_are_bound_to_their_context(scene: &Scene, id: &str) {
    let kms = &scene.admin.kms;
    let context = HashMap::from([("file".to_owned(), "7".to_owned())]);
    let request = kms.generate_data_key().key_id(id).key_spec(DataKeySpec::Aes256);
    let made = good(request.set_encryption_context(Some(context.clone())).send().await);
    let sealed = made.ciphertext_blob.unwrap();
    let opened = kms.decrypt().ciphertext_blob(sealed.clone()).set_encryption_context(Some(context.clone()));
    assert_eq!(good(opened.send().await).plaintext, made.plaintext);
    refused(kms.decrypt().ciphertext_blob(sealed).send().await, "InvalidCiphertextException", "");
    let request = kms.generate_data_key_without_plaintext().key_id(id).key_spec(DataKeySpec::Aes256);
    let sealed = good(request.set_encryption_context(Some(context)).send().await).ciphertext_blob.unwrap();
    refused(kms.decrypt().ciphertext_blob(sealed).send().await, "InvalidCiphertextException", "");
}

async fn one_of_size_and_spec_is_needed(scene: &Scene, id: &str) {
    for operation in ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"] {
        for body in [
            json!({"KeyId": id}),
            json!({"KeyId": id, "NumberOfBytes": 32, "KeySpec": "AES_256"}),
            json!({"KeyId": id, "NumberOfBytes": 0}),
            json!({"KeyId": id, "NumberOfBytes": 1025}),
            json!({"KeyId": id, "NumberOfBytes": -1}),
            json!({"KeyId": id, "KeySpec": "AES_192"}),
            json!({"KeyId": id, "KeySpec": "aes_256"}),
        ] {
            assert_eq!(error(&scene.admin.raw.call(operation, &body).await).0, "ValidationException", "{body}");
        }
    }
}

async fn random_bytes_are_made(scene: &Scene) {
    let kms = &scene.admin.kms;
    for size in [1, 32, 1024] {
        let made = good(kms.generate_random().number_of_bytes(size).send().await);
        assert_eq!(made.plaintext.unwrap().as_ref().len(), usize::try_from(size).unwrap());
        assert!(made.ciphertext_for_recipient.is_none());
    }
    let two = [0, 1].map(|_| kms.generate_random().number_of_bytes(32).send());
    let [one, other] = two.map(|made| async { good(made.await).plaintext.unwrap() });
    assert_ne!(one.await, other.await);
    refused(kms.generate_random().send().await, "ValidationException", "NumberOfBytes is required.");
    for size in [0, 1025] {
        refused_as(kms.generate_random().number_of_bytes(size).send().await, "ValidationException");
    }
    let store = kms.generate_random().number_of_bytes(1).custom_key_store_id("cks-1");
    refused_as(store.send().await, "UnsupportedOperationException");
}
