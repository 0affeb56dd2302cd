//! What the state of a key or version forbids.

use super::super::{create, decrypt, encrypt, key, new_key, primary, response, rotate, schedule};
use super::Suite;
use crate::support::Home;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::wkt::FieldMask;
use kms::SymmetricAlgorithm::{Aes256, Aes256Hsm};
use kms::SymmetricKey;
use kms::symmetric_key::Status;
use tonic::Code;

const FORBIDDEN: Code = Code::FailedPrecondition;

#[tokio::test]
async fn what_a_state_forbids_is_a_failed_precondition() {
    let suite = Suite::start_in(Home::new().with("CLAVIGER_LIMITS__MAX_VERSIONS_PER_KEY", "3")).await;
    the_primary_version_cannot_be_scheduled(&suite).await;
    a_version_that_is_not_scheduled_cannot_be_cancelled(&suite).await;
    a_protected_key_cannot_be_deleted(&suite).await;
    an_inactive_key_cannot_be_used(&suite).await;
    a_key_has_no_more_versions_than_the_limit(&suite).await;
}

fn update(key_id: &str, path: &str) -> kms::UpdateSymmetricKeyRequest {
    kms::UpdateSymmetricKeyRequest {
        key_id: key_id.to_owned(),
        update_mask: Some(FieldMask { paths: vec![path.to_owned()] }),
        ..Default::default()
    }
}

async fn the_primary_version_cannot_be_scheduled(suite: &Suite) {
    let made = new_key(suite.grpc(), suite.folder(), Aes256Hsm).await;
    suite.refused("the only version", FORBIDDEN, &schedule(&made.id, &primary(&made), None)).await;
    let new = rotate(suite.grpc(), &made.id).await;
    suite.refused("the primary version", FORBIDDEN, &schedule(&made.id, &new, None)).await;
    suite.grpc().ok(schedule(&made.id, &primary(&made), None)).await;
    suite.refused("a scheduled version", FORBIDDEN, &schedule(&made.id, &primary(&made), None)).await;
}

async fn a_version_that_is_not_scheduled_cannot_be_cancelled(suite: &Suite) {
    let made = new_key(suite.grpc(), suite.folder(), Aes256Hsm).await;
    let cancel =
        kms::CancelSymmetricKeyVersionDestructionRequest { key_id: made.id.clone(), version_id: primary(&made) };
    suite.refused("the primary version", FORBIDDEN, &cancel).await;
    rotate(suite.grpc(), &made.id).await;
    suite.refused("an active version", FORBIDDEN, &cancel).await;
}

async fn a_protected_key_cannot_be_deleted(suite: &Suite) {
    let request = kms::CreateSymmetricKeyRequest { deletion_protection: true, ..create(suite.folder(), Aes256Hsm) };
    let made: SymmetricKey = response(&suite.grpc().ok(request).await);
    let delete = kms::DeleteSymmetricKeyRequest { key_id: made.id.clone() };
    suite.refused("a protected key", FORBIDDEN, &delete).await;
    assert_eq!(key(suite.grpc(), &made.id).await, made);
    suite.grpc().ok(update(&made.id, "deletion_protection")).await;
    suite.grpc().ok(delete.clone()).await;
    suite.refused("a deleted key", Code::NotFound, &delete).await;
    suite.refused("a deleted key", Code::NotFound, &update(&made.id, "name")).await;
}

async fn an_inactive_key_cannot_be_used(suite: &Suite) {
    let made = new_key(suite.grpc(), suite.folder(), Aes256Hsm).await;
    let other = new_key(suite.grpc(), suite.folder(), Aes256Hsm).await;
    let sealed = suite.grpc().ok(encrypt(&made.id, b"x", b"")).await.ciphertext;
    let by_other = suite.grpc().ok(encrypt(&other.id, b"x", b"")).await.ciphertext;
    let switch =
        |status: Status| kms::UpdateSymmetricKeyRequest { status: status.into(), ..update(&made.id, "status") };
    suite.grpc().ok(switch(Status::Inactive)).await;
    suite.refused("encrypt", FORBIDDEN, &encrypt(&made.id, b"x", b"")).await;
    suite.refused("decrypt", FORBIDDEN, &decrypt(&made.id, &sealed, b"")).await;
    let data_key =
        kms::GenerateDataKeyRequest { key_id: made.id.clone(), data_key_spec: Aes256.into(), ..Default::default() };
    suite.refused("data key", FORBIDDEN, &data_key).await;
    let moved = |key_id: &str, source: &str, ciphertext: &[u8]| kms::SymmetricReEncryptRequest {
        key_id: key_id.to_owned(),
        source_key_id: source.to_owned(),
        ciphertext: ciphertext.to_vec(),
        ..Default::default()
    };
    suite.refused("re-encrypt from", FORBIDDEN, &moved(&other.id, &made.id, &sealed)).await;
    suite.refused("re-encrypt to", FORBIDDEN, &moved(&made.id, &other.id, &by_other)).await;
    suite
        .accepted("a key that is off can be looked at", &kms::GetSymmetricKeyRequest { key_id: made.id.clone() })
        .await;
    suite.grpc().ok(switch(Status::Active)).await;
    suite.accepted("decrypt", &decrypt(&made.id, &sealed, b"")).await;
}

async fn a_key_has_no_more_versions_than_the_limit(suite: &Suite) {
    let made = new_key(suite.grpc(), suite.folder(), Aes256).await;
    for _ in 1..3 {
        rotate(suite.grpc(), &made.id).await;
    }
    let message = kms::RotateSymmetricKeyRequest { key_id: made.id.clone() };
    suite.refused("the fourth version", FORBIDDEN, &message).await;
    suite.accepted("the key goes on", &encrypt(&made.id, b"x", b"")).await;
}
