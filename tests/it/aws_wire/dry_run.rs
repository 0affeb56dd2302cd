//! DryRun: everything is checked and nothing is done.

use super::{Caller, Scene};
use crate::support::aws::error;
use serde_json::{Value, json};

const OPERATIONS: [&str; 7] = [
    "Encrypt",
    "Decrypt",
    "ReEncrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
];
const WOULD: (&str, &str) =
    ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.");

fn body(operation: &str, id: &str, sealed: &Value) -> Value {
    let mut body = match operation {
        "Encrypt" => json!({"KeyId": id, "Plaintext": "aGk="}),
        "Decrypt" => json!({"CiphertextBlob": sealed}),
        "ReEncrypt" => json!({"CiphertextBlob": sealed, "DestinationKeyId": id}),
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => json!({"KeyId": id, "NumberOfBytes": 8}),
        _ => json!({"KeyId": id, "KeyPairSpec": "ECC_NIST_P256"}),
    };
    body["DryRun"] = json!(true);
    body
}

#[tokio::test]
async fn a_dry_run_checks_everything_and_does_nothing() {
    let scene = Scene::start().await;
    let id = scene.admin.new_key_id().await;
    let sealed = scene.admin.raw.call("Encrypt", &json!({"KeyId": id, "Plaintext": "aGk="})).await.ok();
    let sealed = sealed["CiphertextBlob"].clone();
    let viewer = scene.caller(scene.dev.folder(), "viewer", &["kms.viewer"]).await;
    for operation in OPERATIONS {
        let answer = scene.admin.raw.call(operation, &body(operation, &id, &sealed)).await;
        assert_eq!(error(&answer), (WOULD.0.to_owned(), WOULD.1.to_owned()), "{operation}");
        let answer = viewer.raw.call(operation, &body(operation, &id, &sealed)).await;
        assert_eq!(error(&answer).0, "AccessDeniedException", "{operation}");
        let mut no = body(operation, &id, &sealed);
        no["DryRun"] = json!(false);
        assert_eq!(scene.admin.raw.call(operation, &no).await.status, 200, "{operation}");
    }
    let mut incomplete = body("GenerateDataKey", &id, &sealed);
    incomplete["KeySpec"] = json!("AES_256");
    assert_eq!(error(&scene.admin.raw.call("GenerateDataKey", &incomplete).await).0, "ValidationException");
    for operation in ["Decrypt", "ReEncrypt"] {
        let answer = scene.admin.raw.call(operation, &body(operation, &id, &json!("bm8gZW52ZWxvcGU="))).await;
        assert_eq!(error(&answer).0, "InvalidCiphertextException", "{operation}");
        let mut other_context = body(operation, &id, &sealed);
        let member = if operation == "Decrypt" { "EncryptionContext" } else { "SourceEncryptionContext" };
        other_context[member] = json!({"a": "b"});
        let answer = scene.admin.raw.call(operation, &other_context).await;
        assert_eq!(error(&answer).0, "InvalidCiphertextException", "{operation} with another context");
    }
    ciphertexts_may_be_ignored(&scene, &viewer, &id, &sealed).await;
    assert_eq!(scene.admin.raw.call("DisableKey", &json!({"KeyId": id})).await.status, 200);
    let ignored = scene.admin.raw.call("Decrypt", &ignoring(&id, None)).await;
    assert_eq!(error(&ignored).0, "DisabledException");
    for operation in OPERATIONS {
        let answer = scene.admin.raw.call(operation, &body(operation, &id, &sealed)).await;
        assert_eq!(error(&answer).0, "DisabledException", "{operation}");
    }
}

/// A dry decryption that does not look at its ciphertext, or has none.
fn ignoring(id: &str, sealed: Option<&Value>) -> Value {
    json!({"KeyId": id, "CiphertextBlob": sealed, "DryRun": true, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]})
}

async fn ciphertexts_may_be_ignored(scene: &Scene, viewer: &Caller, id: &str, sealed: &Value) {
    let garbage = json!("bm8gZW52ZWxvcGU=");
    for ciphertext in [None, Some(sealed), Some(&garbage)] {
        let body = ignoring(id, ciphertext);
        let would = (WOULD.0.to_owned(), WOULD.1.to_owned());
        assert_eq!(error(&scene.admin.raw.call("Decrypt", &body).await), would, "{body}");
        assert_eq!(error(&viewer.raw.call("Decrypt", &body).await).0, "AccessDeniedException", "{body}");
        let mut moved = body;
        moved["SourceKeyId"] = moved["KeyId"].take();
        moved["DestinationKeyId"] = json!(id);
        assert_eq!(error(&scene.admin.raw.call("ReEncrypt", &moved).await), would, "{moved}");
        // Only a dry run may do without.
        for operation in ["Decrypt", "ReEncrypt"] {
            let mut wet = if operation == "Decrypt" { ignoring(id, ciphertext) } else { moved.clone() };
            wet["DryRun"] = json!(false);
            assert_eq!(error(&scene.admin.raw.call(operation, &wet).await).0, "ValidationException", "{wet}");
        }
    }
}
