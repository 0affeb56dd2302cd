//! A key's life from end to end, over each transport: create, encrypt, rotate, decrypt, schedule a version's
//! destruction, see it destroyed.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

use crate::support::{Dev, Grpc, Home, Rest};
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::dialect::yandex::proto::yandex::cloud::operation::GetOperationRequest;
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// A server whose destructions need a second instead of a day.
fn quick() -> Home {
    Home::new().with("CLAVIGER_LIMITS__MIN_VERSION_PENDING_PERIOD", "1s").with("CLAVIGER_SCHEDULER__INTERVAL", "1s")
}

#[tokio::test]
async fn a_key_lives_and_a_version_dies_over_rest() {
    let home = quick();
    let dev = home.start().await;
    life_over_rest(&dev, &dev.rest()).await;
    life_over_rest(&dev, &dev.rest_tls()).await;
}

#[tokio::test]
async fn a_key_lives_and_a_version_dies_over_grpc() {
    let home = quick();
    let dev = home.start().await;
    life_over_grpc(&dev, &dev.grpc().await).await;
    life_over_grpc(&dev, &dev.grpc_tls().await).await;
}

async fn life_over_rest(dev: &Dev, rest: &Rest) {
    let body = json!({ "folderId": dev.folder(), "name": "life", "defaultAlgorithm": "AES_256_HSM" });
    let created = rest.post("/kms/v1/keys", &body).await.ok();
    assert_eq!(created["done"], true);
    let (key, first) = (text(&created["response"]["id"]), text(&created["response"]["primaryVersion"]["id"]));
    rest.patch(&format!("/kms/v1/keys/{key}"), &json!({ "updateMask": "description", "description": "d" })).await.ok();
    assert_eq!(rest.get(&format!("/kms/v1/keys/{key}")).await.ok()["description"], "d");
    let act = async |verb: &str, body: Value| rest.post(&format!("/kms/v1/keys/{key}:{verb}"), &body).await;

    let encrypted = act("encrypt", json!({ "plaintext": "bWVzc2FnZQ==", "aadContext": "YWFk" })).await.ok();
    assert_eq!(text(&encrypted["versionId"]), first);
    let rotated = act("rotate", json!({})).await.ok();
    assert_ne!(text(&rotated["response"]["primaryVersion"]["id"]), first);

    let sealed = json!({ "ciphertext": encrypted["ciphertext"], "aadContext": "YWFk" });
    let decrypted = act("decrypt", sealed.clone()).await.ok();
    assert_eq!((text(&decrypted["plaintext"]), text(&decrypted["versionId"])), ("bWVzc2FnZQ==".into(), first.clone()));
    let other = json!({ "ciphertext": encrypted["ciphertext"], "aadContext": "b3RoZXI=" });
    assert_eq!(act("decrypt", other).await.code(), 3);

    let scheduled = act("scheduleVersionDestruction", json!({ "versionId": first, "pendingPeriod": "1s" })).await.ok();
    assert_eq!(scheduled["response"]["status"], "SCHEDULED_FOR_DESTRUCTION");
    assert_eq!(act("decrypt", sealed.clone()).await.code(), 9);
    let destroyed = async {
        loop {
            let versions = rest.get(&format!("/kms/v1/keys/{key}/versions")).await.ok();
            let versions = versions["keyVersions"].as_array().unwrap().clone();
            let version = versions.iter().find(|version| text(&version["id"]) == first).unwrap();
            if version["status"] == "DESTROYED" {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(PATIENCE, destroyed).await.expect("the version was not destroyed");
    assert_eq!(act("decrypt", sealed).await.code(), 9);
}

async fn life_over_grpc(dev: &Dev, grpc: &Grpc) {
    let (mut keys, mut crypto) = (grpc.keys(), grpc.crypto());
    let hsm = kms::SymmetricAlgorithm::Aes256Hsm as i32;
    let folder_id = dev.folder().to_owned();
    let request =
        kms::CreateSymmetricKeyRequest { folder_id: folder_id.clone(), default_algorithm: hsm, ..Default::default() };
    let created = keys.create(request).await.unwrap().into_inner();
    let request = GetOperationRequest { operation_id: created.id.clone() };
    assert_eq!(grpc.operations().get(request).await.unwrap().into_inner(), created);
    assert!(created.done);
    let request = kms::ListSymmetricKeysRequest { folder_id, page_size: 1000, ..Default::default() };
    let key = keys.list(request).await.unwrap().into_inner().keys.pop().unwrap();
    let (key_id, first) = (key.id, key.primary_version.unwrap().id);

    let request = kms::SymmetricEncryptRequest {
        key_id: key_id.clone(),
        aad_context: b"aad".to_vec(),
        plaintext: b"message".to_vec(),
        ..Default::default()
    };
    let encrypted = crypto.encrypt(request).await.unwrap().into_inner();
    assert_eq!(encrypted.version_id, first);
    keys.rotate(kms::RotateSymmetricKeyRequest { key_id: key_id.clone() }).await.unwrap();

    let sealed = kms::SymmetricDecryptRequest {
        key_id: key_id.clone(),
        aad_context: b"aad".to_vec(),
        ciphertext: encrypted.ciphertext,
    };
    let decrypted = crypto.decrypt(sealed.clone()).await.unwrap().into_inner();
    assert_eq!((decrypted.plaintext.as_slice(), &decrypted.version_id), (b"message".as_slice(), &first));
    let other = kms::SymmetricDecryptRequest { aad_context: b"other".to_vec(), ..sealed.clone() };
    assert_eq!(crypto.decrypt(other).await.unwrap_err().code(), tonic::Code::InvalidArgument);

    let request = kms::ScheduleSymmetricKeyVersionDestructionRequest {
        key_id: key_id.clone(),
        version_id: first.clone(),
        pending_period: Some(serde_json::from_str("\"1s\"").unwrap()),
    };
    keys.schedule_version_destruction(request).await.unwrap();
    let destroyed = async {
        loop {
            let request = kms::ListSymmetricKeyVersionsRequest { key_id: key_id.clone(), ..Default::default() };
            let versions = keys.list_versions(request).await.unwrap().into_inner().key_versions;
            let version = versions.into_iter().find(|version| version.id == first).unwrap();
            if version.status == kms::symmetric_key_version::Status::Destroyed as i32 {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(PATIENCE, destroyed).await.expect("the version was not destroyed");
    assert_eq!(crypto.decrypt(sealed).await.unwrap_err().code(), tonic::Code::FailedPrecondition);
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}
