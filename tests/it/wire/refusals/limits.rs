//! Lengths, numbers and patterns: at the limit it goes well, one beyond it does not.

use super::super::{create, encrypt, key, new_key, period, primary, rotate};
use super::Suite;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::wkt;
use kms::SymmetricAlgorithm;
use std::collections::BTreeMap;
use std::time::Duration;
use tonic::Code;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
const NANO: Duration = Duration::from_nanos(1);

#[tokio::test]
async fn every_field_is_taken_at_its_limit_and_refused_beyond_it() {
    let suite = Suite::start().await;
    limits_of_create(&suite).await;
    limits_of_update(&suite).await;
    limits_of_crypto(&suite).await;
    limits_of_destruction(&suite).await;
    limits_of_pages(&suite).await;
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn many_labels(count: usize) -> BTreeMap<String, String> {
    (0..count).map(|number| (format!("l{number}"), "v".to_owned())).collect()
}

fn long_name(chars: usize) -> BTreeMap<String, String> {
    labels(&[("a".repeat(chars).as_str(), "v")])
}

fn long_value(chars: usize) -> BTreeMap<String, String> {
    labels(&[("a", "1".repeat(chars).as_str())])
}

const BAD_LABELS: [(&str, &str); 8] =
    [("", "v"), ("1a", "v"), ("-a", "v"), ("A", "v"), ("a.b", "v"), ("\u{e4}", "v"), ("a", "V"), ("a", "v w")];

async fn limits_of_create(suite: &Suite) {
    let base = create(suite.folder(), SymmetricAlgorithm::Aes256);
    suite
        .each(
            &base,
            &[
                ("name of 100 characters", |m| m.name = "\u{e9}".repeat(100)),
                ("description of 1024 characters", |m| m.description = "\u{e9}".repeat(1024)),
                ("64 labels", |m| m.labels = many_labels(64)),
                ("label name of 63 characters", |m| m.labels = long_name(63)),
                ("label value of 63 characters", |m| m.labels = long_value(63)),
                ("empty label value", |m| m.labels = labels(&[("a-_9", "")])),
                ("the shortest period", |m| m.rotation_period = Some(period(DAY))),
                ("the longest period", |m| m.rotation_period = Some(period(CENTURY))),
                ("the same name again", |m| m.name = "\u{e9}".repeat(100)),
            ],
            &[
                ("no folder", |m| m.folder_id.clear()),
                ("folder id of 51 characters", |m| m.folder_id = "f".repeat(51)),
                ("name of 101 characters", |m| m.name = "n".repeat(101)),
                ("description of 1025 characters", |m| m.description = "d".repeat(1025)),
                ("65 labels", |m| m.labels = many_labels(65)),
                ("label name of 64 characters", |m| m.labels = long_name(64)),
                ("label value of 64 characters", |m| m.labels = long_value(64)),
                ("no algorithm", |m| m.default_algorithm = 0),
                ("GOST", |m| m.set_default_algorithm(SymmetricAlgorithm::GostR34122015K)),
                ("a period of almost a day", |m| m.rotation_period = Some(period(DAY - NANO))),
                ("a period of zero", |m| m.rotation_period = Some(period(Duration::ZERO))),
                ("a negative period", |m| m.rotation_period = Some(wkt::Duration { seconds: -86_400, nanos: 0 })),
                ("a period over a century", |m| m.rotation_period = Some(period(CENTURY + NANO))),
            ],
        )
        .await;
    for pair in BAD_LABELS {
        let message = kms::CreateSymmetricKeyRequest { labels: labels(&[pair]), ..base.clone() };
        suite.refused(&format!("label {pair:?}"), Code::InvalidArgument, &message).await;
    }
    for folder_id in ["f".repeat(50), "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11".to_owned()] {
        let message = kms::CreateSymmetricKeyRequest { folder_id, ..base.clone() };
        suite.refused("a folder that is not there", Code::NotFound, &message).await;
    }
    for number in [6, -1, i32::MAX] {
        let message = kms::CreateSymmetricKeyRequest { default_algorithm: number, ..base.clone() };
        let refusal = suite.grpc().refused("an unknown algorithm", message).await;
        assert_eq!(refusal.code, Code::InvalidArgument, "{number}: {refusal:?}");
    }
}

async fn limits_of_update(suite: &Suite) {
    let made = new_key(suite.grpc(), suite.folder(), SymmetricAlgorithm::Aes256).await;
    let mask = |paths: &[&str]| Some(wkt::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() });
    let all =
        ["name", "description", "status", "labels", "default_algorithm", "rotation_period", "deletion_protection"];
    let base = kms::UpdateSymmetricKeyRequest {
        key_id: made.id.clone(),
        update_mask: mask(&all),
        status: kms::symmetric_key::Status::Active.into(),
        default_algorithm: SymmetricAlgorithm::Aes128.into(),
        ..Default::default()
    };
    suite
        .each(
            &base,
            &[
                ("name of 100 characters", |m| m.name = "n".repeat(100)),
                ("description of 1024 characters", |m| m.description = "d".repeat(1024)),
                ("64 labels", |m| m.labels = many_labels(64)),
                ("the shortest period", |m| m.rotation_period = Some(period(DAY))),
            ],
            &[
                ("no mask", |m| m.update_mask = None),
                ("an empty mask", |m| m.update_mask = Some(wkt::FieldMask::default())),
                ("name of 101 characters", |m| m.name = "n".repeat(101)),
                ("description of 1025 characters", |m| m.description = "d".repeat(1025)),
                ("65 labels", |m| m.labels = many_labels(65)),
                ("label name of 64 characters", |m| m.labels = long_name(64)),
                ("status CREATING", |m| m.set_status(kms::symmetric_key::Status::Creating)),
                ("no status", |m| m.status = 0),
                ("no algorithm", |m| m.default_algorithm = 0),
                ("GOST", |m| m.set_default_algorithm(SymmetricAlgorithm::GostR34122015K)),
                ("a period of almost a day", |m| m.rotation_period = Some(period(DAY - NANO))),
            ],
        )
        .await;
    for path in ["*", "id", "primary_version", "created_at", "name.x", "colour", ""] {
        let message = kms::UpdateSymmetricKeyRequest { update_mask: mask(&["name", path]), ..base.clone() };
        suite.refused(&format!("mask path {path:?}"), Code::InvalidArgument, &message).await;
    }
    let unchanged = key(suite.grpc(), &made.id).await;
    assert_eq!((unchanged.name.as_str(), unchanged.labels.len()), ("", 0), "a refused update changed something");
}

async fn limits_of_crypto(suite: &Suite) {
    for algorithm in [SymmetricAlgorithm::Aes256Hsm, SymmetricAlgorithm::Aes256] {
        let made = new_key(suite.grpc(), suite.folder(), algorithm).await;
        let base = encrypt(&made.id, b"x", b"");
        suite
            .each(
                &base,
                &[
                    ("plaintext of 32768 bytes", |m| m.plaintext = vec![1; 32_768]),
                    ("aad of 8192 bytes", |m| m.aad_context = vec![1; 8_192]),
                ],
                &[
                    ("no plaintext", |m| m.plaintext.clear()),
                    ("plaintext of 32769 bytes", |m| m.plaintext = vec![1; 32_769]),
                    ("aad of 8193 bytes", |m| m.aad_context = vec![1; 8_193]),
                ],
            )
            .await;
        let largest = kms::SymmetricEncryptRequest { plaintext: vec![7; 32_768], ..base };
        let sealed = suite.grpc().ok(largest).await.ciphertext;
        limits_of_decryption(suite, &made.id, &sealed).await;
        limits_of_data_keys(suite, &made.id).await;
    }
}

async fn limits_of_decryption(suite: &Suite, key_id: &str, sealed: &[u8]) {
    let base = super::super::decrypt(key_id, sealed, b"");
    let refused: [(&str, super::Edit<kms::SymmetricDecryptRequest>); 2] =
        [("no ciphertext", |m| m.ciphertext.clear()), ("aad of 8193 bytes", |m| m.aad_context = vec![1; 8_193])];
    suite.each(&base, &[("the largest ciphertext", |_| ())], &refused).await;
    let base = kms::SymmetricReEncryptRequest {
        key_id: key_id.to_owned(),
        source_key_id: key_id.to_owned(),
        ciphertext: sealed.to_vec(),
        ..Default::default()
    };
    let refused: [(&str, super::Edit<kms::SymmetricReEncryptRequest>); 3] = [
        ("no ciphertext", |m| m.ciphertext.clear()),
        ("aad of 8193 bytes", |m| m.aad_context = vec![1; 8_193]),
        ("source aad of 8193 bytes", |m| m.source_aad_context = vec![1; 8_193]),
    ];
    suite.each(&base, &[("aad of 8192 bytes", |m| m.aad_context = vec![1; 8_192])], &refused).await;
}

async fn limits_of_data_keys(suite: &Suite, key_id: &str) {
    let base = kms::GenerateDataKeyRequest {
        key_id: key_id.to_owned(),
        data_key_spec: SymmetricAlgorithm::Aes256.into(),
        ..Default::default()
    };
    let refused: [(&str, super::Edit<kms::GenerateDataKeyRequest>); 3] = [
        ("no spec", |m| m.data_key_spec = 0),
        ("GOST", |m| m.set_data_key_spec(SymmetricAlgorithm::GostR34122015K)),
        ("aad of 8193 bytes", |m| m.aad_context = vec![1; 8_193]),
    ];
    suite.each(&base, &[("aad of 8192 bytes", |m| m.aad_context = vec![1; 8_192])], &refused).await;
    let unknown = kms::GenerateDataKeyRequest { data_key_spec: 6, ..base };
    assert_eq!(suite.grpc().refused("an unknown spec", unknown).await.code, Code::InvalidArgument);
}

async fn limits_of_destruction(suite: &Suite) {
    let made = new_key(suite.grpc(), suite.folder(), SymmetricAlgorithm::Aes256).await;
    let old = primary(&made);
    rotate(suite.grpc(), &made.id).await;
    let refused = [DAY - NANO, Duration::ZERO, CENTURY + NANO];
    for wait in refused {
        let message = super::super::schedule(&made.id, &old, Some(wait));
        suite.refused(&format!("a wait of {wait:?}"), Code::InvalidArgument, &message).await;
    }
    let mut negative = super::super::schedule(&made.id, &old, None);
    negative.pending_period = Some(wkt::Duration { seconds: -1, nanos: 0 });
    suite.refused("a negative wait", Code::InvalidArgument, &negative).await;
    for wait in [DAY, CENTURY] {
        suite.grpc().ok(super::super::schedule(&made.id, &old, Some(wait))).await;
        let cancel =
            kms::CancelSymmetricKeyVersionDestructionRequest { key_id: made.id.clone(), version_id: old.clone() };
        suite.grpc().ok(cancel).await;
    }
}

async fn limits_of_pages(suite: &Suite) {
    let made = new_key(suite.grpc(), suite.folder(), SymmetricAlgorithm::Aes256).await;
    rotate(suite.grpc(), &made.id).await;
    let other = new_key(suite.grpc(), suite.folder(), SymmetricAlgorithm::Aes256).await;
    let keys =
        kms::ListSymmetricKeysRequest { folder_id: suite.folder().to_owned(), page_size: 1, page_token: String::new() };
    let versions =
        kms::ListSymmetricKeyVersionsRequest { key_id: made.id.clone(), page_size: 1, page_token: String::new() };
    let operations =
        kms::ListSymmetricKeyOperationsRequest { key_id: made.id.clone(), page_size: 1, page_token: String::new() };
    let of_keys = suite.grpc().ok(keys.clone()).await.next_page_token;
    let of_versions = suite.grpc().ok(versions.clone()).await.next_page_token;
    let of_operations = suite.grpc().ok(operations.clone()).await.next_page_token;
    assert!([&of_keys, &of_versions, &of_operations].iter().all(|token| (1..=100).contains(&token.len())));
    for (case, size) in [("no", 0), ("the largest", 1000)] {
        suite.accepted(case, &kms::ListSymmetricKeysRequest { page_size: size, ..keys.clone() }).await;
        suite.accepted(case, &kms::ListSymmetricKeyVersionsRequest { page_size: size, ..versions.clone() }).await;
        suite.accepted(case, &kms::ListSymmetricKeyOperationsRequest { page_size: size, ..operations.clone() }).await;
    }
    let invalid = Code::InvalidArgument;
    for size in [-1, 1001, i64::MAX, i64::MIN] {
        let case = format!("page size {size}");
        suite.refused(&case, invalid, &kms::ListSymmetricKeysRequest { page_size: size, ..keys.clone() }).await;
        let message = kms::ListSymmetricKeyVersionsRequest { page_size: size, ..versions.clone() };
        suite.refused(&case, invalid, &message).await;
        let message = kms::ListSymmetricKeyOperationsRequest { page_size: size, ..operations.clone() };
        suite.refused(&case, invalid, &message).await;
    }
    let garbage = ["x".to_owned(), "A".repeat(257), "A".repeat(101), of_keys[1..].to_owned(), "\u{e4}".to_owned()];
    for token in garbage.iter().chain([&of_versions, &of_operations]) {
        let message = kms::ListSymmetricKeysRequest { page_token: token.clone(), ..keys.clone() };
        suite.refused("page token", invalid, &message).await;
    }
    for token in garbage.iter().chain([&of_keys, &of_operations]) {
        let message = kms::ListSymmetricKeyVersionsRequest { page_token: token.clone(), ..versions.clone() };
        suite.refused("page token", invalid, &message).await;
    }
    for token in garbage.iter().chain([&of_keys, &of_versions]) {
        let message = kms::ListSymmetricKeyOperationsRequest { page_token: token.clone(), ..operations.clone() };
        suite.refused("page token", invalid, &message).await;
    }
    let of_another_key = kms::ListSymmetricKeyVersionsRequest { key_id: other.id, page_token: of_versions, ..versions };
    suite.refused("another key's page token", invalid, &of_another_key).await;
    for folder_id in ["nowhere", "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11"] {
        let message = kms::ListSymmetricKeysRequest { folder_id: folder_id.to_owned(), ..Default::default() };
        for api in &suite.apis {
            assert_eq!(api.ok(message.clone()).await, kms::ListSymmetricKeysResponse::default());
        }
    }
}
