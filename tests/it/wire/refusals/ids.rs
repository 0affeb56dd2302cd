//! Ids are opaque: empty or over 50 characters is a mistake, anything else that was never handed out is not there.

use super::super::{Rpc, encrypt, new_key, primary};
use super::Suite;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::proto::yandex::cloud::operation::{CancelOperationRequest, GetOperationRequest};
use kms::SymmetricAlgorithm::{Aes256, Aes256Hsm};
use tonic::Code;

const UUID: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";

/// A field with an id, and how to set it.
type Set<M> = fn(&mut M, String);

#[tokio::test]
async fn malformed_and_unknown_ids_are_not_found_and_overlong_ones_invalid() {
    let suite = Suite::start().await;
    let made = new_key(suite.grpc(), suite.folder(), Aes256Hsm).await;
    let (key_id, version_id) = (made.id.clone(), primary(&made));
    ids_of_keys(&suite, &key_id, &version_id).await;
    ids_of_versions(&suite, &key_id).await;
    ids_of_crypto(&suite, &key_id).await;
    required(&suite, GetOperationRequest::default(), |m, id| m.operation_id = id).await;
    required(&suite, CancelOperationRequest::default(), |m, id| m.operation_id = id).await;
    another_keys_version_is_not_found(&suite, &key_id).await;
}

/// Ids that this service would never hand out.
fn strangers(real: &str) -> Vec<String> {
    let nil = "00000000-0000-0000-0000-000000000000";
    [UUID, nil, "x", "a/b", "a:b", "..", "%", "\u{e4}", " ", "'; DROP TABLE keys; --"]
        .map(str::to_owned)
        .into_iter()
        .chain([
            UUID.to_uppercase(),
            UUID.replace('-', ""),
            "\u{e9}".repeat(50),
            format!("{real} "),
            format!("{{{real}}}"),
        ])
        .collect()
}

async fn required<M: Rpc>(suite: &Suite, base: M, set: Set<M>) {
    let mut empty = base.clone();
    set(&mut empty, String::new());
    let (_, path, _) = empty.route();
    if path.ends_with('/') || path.contains("//") {
        // Over REST that is another path, or none.
        let refusal = suite.grpc().refused("an empty id", empty).await;
        assert_eq!(refusal.code, Code::InvalidArgument, "{}: {refusal:?}", M::full_name());
    } else {
        suite.refused("an empty id", Code::InvalidArgument, &empty).await;
    }
    optional(suite, base, set).await;
}

async fn optional<M: Rpc>(suite: &Suite, base: M, set: Set<M>) {
    for overlong in ["a".repeat(51), "\u{e9}".repeat(51), format!("{UUID}{UUID}")] {
        let mut message = base.clone();
        set(&mut message, overlong);
        suite.refused("an id over 50 characters", Code::InvalidArgument, &message).await;
    }
    for stranger in strangers(UUID) {
        let mut message = base.clone();
        set(&mut message, stranger.clone());
        if message.route().1.contains("/..") {
            // An HTTP client takes such a path apart itself.
            continue;
        }
        suite.refused(&format!("id {stranger:?}"), Code::NotFound, &message).await;
    }
}

async fn ids_of_keys(suite: &Suite, key_id: &str, version_id: &str) {
    let mask = Some(claviger::dialect::yandex::wkt::FieldMask { paths: vec!["name".into()] });
    required(suite, kms::GetSymmetricKeyRequest::default(), |m, id| m.key_id = id).await;
    required(suite, kms::ListSymmetricKeyVersionsRequest::default(), |m, id| m.key_id = id).await;
    required(suite, kms::ListSymmetricKeyOperationsRequest::default(), |m, id| m.key_id = id).await;
    let update = kms::UpdateSymmetricKeyRequest { update_mask: mask, ..Default::default() };
    required(suite, update, |m, id| m.key_id = id).await;
    required(suite, kms::DeleteSymmetricKeyRequest::default(), |m, id| m.key_id = id).await;
    required(suite, kms::RotateSymmetricKeyRequest::default(), |m, id| m.key_id = id).await;
    let version_id = version_id.to_owned();
    let set_primary = kms::SetPrimarySymmetricKeyVersionRequest { version_id, ..Default::default() };
    required(suite, set_primary.clone(), |m, id| m.key_id = id).await;
    let schedule = super::super::schedule("", &set_primary.version_id, None);
    required(suite, schedule, |m, id| m.key_id = id).await;
    let cancel =
        kms::CancelSymmetricKeyVersionDestructionRequest { version_id: set_primary.version_id, ..Default::default() };
    required(suite, cancel, |m, id| m.key_id = id).await;
    let still = kms::GetSymmetricKeyRequest { key_id: key_id.to_owned() };
    suite.accepted("the key is untouched", &still).await;
}

async fn ids_of_versions(suite: &Suite, key_id: &str) {
    let set_primary =
        kms::SetPrimarySymmetricKeyVersionRequest { key_id: key_id.to_owned(), version_id: String::new() };
    required(suite, set_primary, |m, id| m.version_id = id).await;
    required(suite, super::super::schedule(key_id, "", None), |m, id| m.version_id = id).await;
    let cancel =
        kms::CancelSymmetricKeyVersionDestructionRequest { key_id: key_id.to_owned(), version_id: String::new() };
    required(suite, cancel, |m, id| m.version_id = id).await;
}

async fn ids_of_crypto(suite: &Suite, key_id: &str) {
    let sealed = suite.grpc().ok(encrypt(key_id, b"x", b"")).await.ciphertext;
    required(suite, encrypt("", b"x", b""), |m, id| m.key_id = id).await;
    optional(suite, encrypt(key_id, b"x", b""), |m, id| m.version_id = id).await;
    required(suite, super::super::decrypt("", &sealed, b""), |m, id| m.key_id = id).await;
    let data_key =
        kms::GenerateDataKeyRequest { key_id: key_id.to_owned(), data_key_spec: Aes256.into(), ..Default::default() };
    required(suite, data_key.clone(), |m, id| m.key_id = id).await;
    optional(suite, data_key, |m, id| m.version_id = id).await;
    let re_encrypt = kms::SymmetricReEncryptRequest {
        key_id: key_id.to_owned(),
        source_key_id: key_id.to_owned(),
        ciphertext: sealed,
        ..Default::default()
    };
    required(suite, re_encrypt.clone(), |m, id| m.key_id = id).await;
    required(suite, re_encrypt.clone(), |m, id| m.source_key_id = id).await;
    optional(suite, re_encrypt, |m, id| m.version_id = id).await;
}

async fn another_keys_version_is_not_found(suite: &Suite, key_id: &str) {
    let other = primary(&new_key(suite.grpc(), suite.folder(), Aes256Hsm).await);
    let encrypt = kms::SymmetricEncryptRequest { version_id: other.clone(), ..encrypt(key_id, b"x", b"") };
    suite.refused("another key's version", Code::NotFound, &encrypt).await;
    let set_primary =
        kms::SetPrimarySymmetricKeyVersionRequest { key_id: key_id.to_owned(), version_id: other.clone() };
    suite.refused("another key's version", Code::NotFound, &set_primary).await;
    let schedule = super::super::schedule(key_id, &other, None);
    suite.refused("another key's version", Code::NotFound, &schedule).await;
    let cancel = kms::CancelSymmetricKeyVersionDestructionRequest { key_id: key_id.to_owned(), version_id: other };
    suite.refused("another key's version", Code::NotFound, &cancel).await;
}
