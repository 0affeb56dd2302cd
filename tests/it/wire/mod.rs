//! The native dialect from outside: a real `claviger dev`, real sockets, a generated client and plain HTTP.
//!
//! [`api`] sends one and the same message over either protocol. [`raw`] sends what no client would.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod api;
mod bindings;
mod database;
mod db_writer;
mod erased;
mod flood;
mod life;
mod logins;
mod power_cut;
mod raw;
mod refusals;
mod schedule;
mod together;

pub use api::{Api, Refusal, Rpc};

use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::proto::yandex::cloud::operation::{Operation, operation};
use kms::{SymmetricAlgorithm, SymmetricKey, SymmetricKeyVersion};
use prost::{Message, Name};
use std::time::Duration;

/// Long enough for a scheduler on a busy machine; a test that works ends far earlier.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a finished operation gave.
#[track_caller]
pub fn response<M: Message + Name + Default>(record: &Operation) -> M {
    assert!(record.done, "an operation that is not done: {record:?}");
    match &record.result {
        Some(operation::Result::Response(any)) => any.unpack().unwrap_or_else(|| panic!("{any:?}")),
        other => panic!("no response: {other:?}"),
    }
}

/// What an operation says of itself.
#[track_caller]
pub fn metadata<M: Message + Name + Default>(record: &Operation) -> M {
    let any = record.metadata.as_ref().unwrap();
    any.unpack().unwrap_or_else(|| panic!("{any:?} is not a {}", M::full_name()))
}

/// A create request with nothing that need not be there.
pub fn create(folder: &str, algorithm: SymmetricAlgorithm) -> kms::CreateSymmetricKeyRequest {
    kms::CreateSymmetricKeyRequest {
        folder_id: folder.to_owned(),
        default_algorithm: algorithm.into(),
        ..Default::default()
    }
}

/// A new key.
pub async fn new_key(api: &Api, folder: &str, algorithm: SymmetricAlgorithm) -> SymmetricKey {
    response(&api.ok(create(folder, algorithm)).await)
}

/// The primary version's id.
pub fn primary(key: &SymmetricKey) -> String {
    key.primary_version.as_ref().unwrap().id.clone()
}

/// The key as it is now.
pub async fn key(api: &Api, id: &str) -> SymmetricKey {
    api.ok(kms::GetSymmetricKeyRequest { key_id: id.to_owned() }).await
}

/// Rotates, and gives the new primary version.
pub async fn rotate(api: &Api, key_id: &str) -> String {
    primary(&response(&api.ok(kms::RotateSymmetricKeyRequest { key_id: key_id.to_owned() }).await))
}

/// All versions, page by page.
pub async fn versions(api: &Api, key_id: &str) -> Vec<SymmetricKeyVersion> {
    let mut all = Vec::new();
    let mut request =
        kms::ListSymmetricKeyVersionsRequest { key_id: key_id.to_owned(), page_size: 2, page_token: String::new() };
    loop {
        let page = api.ok(request.clone()).await;
        all.extend(page.key_versions);
        if page.next_page_token.is_empty() {
            return all;
        }
        request.page_token = page.next_page_token;
    }
}

/// One version.
pub async fn version(api: &Api, key_id: &str, id: &str) -> SymmetricKeyVersion {
    let all = versions(api, key_id).await;
    let found = all.iter().find(|version| version.id == id).cloned();
    found.unwrap_or_else(|| panic!("{id} is not in {all:?}"))
}

/// An encrypt request for the primary version.
pub fn encrypt(key_id: &str, plaintext: &[u8], aad: &[u8]) -> kms::SymmetricEncryptRequest {
    kms::SymmetricEncryptRequest {
        key_id: key_id.to_owned(),
        version_id: String::new(),
        aad_context: aad.to_vec(),
        plaintext: plaintext.to_vec(),
    }
}

/// A decrypt request.
pub fn decrypt(key_id: &str, ciphertext: &[u8], aad: &[u8]) -> kms::SymmetricDecryptRequest {
    kms::SymmetricDecryptRequest {
        key_id: key_id.to_owned(),
        aad_context: aad.to_vec(),
        ciphertext: ciphertext.to_vec(),
    }
}

/// A request for a version's destruction; no period is the default one.
pub fn schedule(
    key_id: &str,
    version_id: &str,
    wait: Option<Duration>,
) -> kms::ScheduleSymmetricKeyVersionDestructionRequest {
    kms::ScheduleSymmetricKeyVersionDestructionRequest {
        key_id: key_id.to_owned(),
        version_id: version_id.to_owned(),
        pending_period: wait.map(period),
    }
}

/// A period as it travels.
pub fn period(period: Duration) -> claviger::dialect::yandex::wkt::Duration {
    claviger::dialect::yandex::wkt::Duration {
        seconds: period.as_secs().try_into().unwrap(),
        nanos: period.subsec_nanos().try_into().unwrap(),
    }
}

/// Asks again and again until the answer is there.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let answered = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(answer) => answer,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

/// Waits until a version is destroyed.
pub async fn destroyed(api: &Api, key_id: &str, version_id: &str) -> SymmetricKeyVersion {
    until("the version is destroyed", async || {
        let version = version(api, key_id, version_id).await;
        (version.status() == kms::symmetric_key_version::Status::Destroyed).then_some(version)
    })
    .await
}
