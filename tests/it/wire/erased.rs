//! What is destroyed is not in the database file any more, nor in its companions.

use super::{Api, database, decrypt, destroyed, encrypt, new_key, primary, rotate, schedule};
use crate::support::Home;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1::{DeleteSymmetricKeyRequest, SymmetricAlgorithm};
use std::path::PathBuf;
use std::time::Duration;

const ALGORITHMS: [SymmetricAlgorithm; 3] =
    [SymmetricAlgorithm::Aes256Hsm, SymmetricAlgorithm::Aes256, SymmetricAlgorithm::Aes128];

/// Some bytes out of the middle: a piece that is left counts as much as the whole.
fn piece(material: &[u8]) -> &[u8] {
    &material[material.len() / 2 - 8..material.len() / 2 + 8]
}

#[tokio::test]
async fn the_bytes_of_a_destroyed_version_are_not_in_the_database_files() {
    let home = Home::new()
        .with("CLAVIGER_LIMITS__MIN_VERSION_PENDING_PERIOD", "1s")
        .with("CLAVIGER_LIMITS__KEY_DELETION_PERIOD", "1s")
        .with("CLAVIGER_SCHEDULER__INTERVAL", "1s");
    let dev = home.start().await;
    let api = Api::grpc(&dev).await;
    let mut doomed = Vec::new();
    for algorithm in ALGORITHMS {
        let key = new_key(&api, dev.folder(), algorithm).await;
        let old = primary(&key);
        let sealed = api.ok(encrypt(&key.id, b"x", b"")).await.ciphertext;
        let material = database::material(&database::reader(&home), &old);
        assert!(material.len() >= 32 && !database::places(&home, piece(&material)).is_empty());
        let new = rotate(&api, &key.id).await;
        let kept = database::material(&database::reader(&home), &new);
        doomed.push((key.id, old, material, kept, sealed));
    }
    for (key_id, old, ..) in &doomed {
        api.ok(schedule(key_id, old, Some(Duration::from_secs(1)))).await;
    }
    for (key_id, old, material, kept, sealed) in &doomed {
        destroyed(&api, key_id, old).await;
        assert_eq!(database::places(&home, piece(material)), Vec::<PathBuf>::new());
        assert!(!database::places(&home, piece(kept)).is_empty(), "the search finds what is there");
        let refusal = api.refused("destroyed", decrypt(key_id, sealed, b"")).await;
        assert_eq!(refusal.code, tonic::Code::FailedPrecondition);
    }
    the_bytes_of_a_deleted_key_go_too(&home, &api, &doomed[0].0, &doomed[0].3).await;
    assert!(dev.terminate().await.success());
    for (_, _, material, ..) in &doomed {
        assert_eq!(database::places(&home, piece(material)), Vec::<PathBuf>::new());
    }
}

async fn the_bytes_of_a_deleted_key_go_too(home: &Home, api: &Api, key_id: &str, material: &[u8]) {
    api.ok(DeleteSymmetricKeyRequest { key_id: key_id.to_owned() }).await;
    super::until("a deleted key's bytes are erased", async || {
        database::places(home, piece(material)).is_empty().then_some(())
    })
    .await;
}
