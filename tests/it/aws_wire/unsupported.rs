//! Operations that are not served say so, to those who may ask at all.

use super::Scene;
use crate::support::aws::{Draft, error, refused_as};
use aws_sdk_kms::primitives::Blob;
use serde_json::json;

/// The operations of the service's model that are not served.
const UNSERVED: [&str; 25] = [
    "ConnectCustomKeyStore",
    "CreateCustomKeyStore",
    "CreateGrant",
    "Decapsulate",
    "DeleteCustomKeyStore",
    "DeleteImportedKeyMaterial",
    "DeriveSharedSecret",
    "DescribeCustomKeyStores",
    "DisconnectCustomKeyStore",
    "Encapsulate",
    "GenerateMac",
    "GetKeyLastUsage",
    "GetParametersForImport",
    "GetPublicKey",
    "ImportKeyMaterial",
    "ListGrants",
    "ListRetirableGrants",
    "ReplicateKey",
    "RetireGrant",
    "RevokeGrant",
    "Sign",
    "UpdateCustomKeyStore",
    "UpdatePrimaryRegion",
    "Verify",
    "VerifyMac",
];

/// What is no operation at all.
const UNKNOWN: [&str; 5] = ["Explode", "encrypt", "ENCRYPT", "", "RegisterSidecar"];

#[tokio::test]
async fn operations_that_are_not_served_say_so_to_known_callers_only() {
    let scene = Scene::start().await;
    let id = scene.admin.new_key_id().await;
    for operation in UNSERVED {
        for body in [json!({}), json!({"KeyId": id})] {
            let (code, text) = error(&scene.admin.raw.call(operation, &body).await);
            assert_eq!(code, "UnsupportedOperationException", "{operation}: {text}");
            assert!(text.contains(operation), "{operation}: {text}");
        }
    }
    for operation in UNKNOWN {
        let draft = Draft::of("x", "{}").with("x-amz-target", &format!("TrentService.{operation}"));
        assert_eq!(error(&scene.admin.raw.signed(&draft).await).0, "UnknownOperationException", "{operation:?}");
    }
    for target in
        ["Encrypt", "DynamoDB_20120810.ListTables", "TrentServiceX.Encrypt", "TrentService", "trentservice.Encrypt"]
    {
        let draft = Draft::of("x", "{}").with("x-amz-target", target);
        assert_eq!(error(&scene.admin.raw.signed(&draft).await).0, "UnknownOperationException", "{target}");
    }
    // Who has not signed is not told what there is.
    for operation in UNSERVED.into_iter().chain(UNKNOWN).chain(["Encrypt"]) {
        let answer = scene.admin.raw.send(&Draft::of(operation, "{}")).await;
        assert_eq!(error(&answer).0, "MissingAuthenticationTokenException", "{operation:?}");
    }
    let kms = &scene.admin.kms;
    refused_as(kms.get_public_key().key_id(&id).send().await, "UnsupportedOperationException");
    let sign = kms.sign().key_id(&id).message(Blob::new("m")).signing_algorithm("ECDSA_SHA_256".into());
    refused_as(sign.send().await, "UnsupportedOperationException");
    let grant = kms.create_grant().key_id(&id).grantee_principal("arn:aws:iam::111122223333:user/a");
    refused_as(grant.operations("Decrypt".into()).send().await, "UnsupportedOperationException");
    let mac = kms.generate_mac().key_id(&id).message(Blob::new("m")).mac_algorithm("HMAC_SHA_256".into());
    refused_as(mac.send().await, "UnsupportedOperationException");
    refused_as(kms.describe_custom_key_stores().send().await, "UnsupportedOperationException");
    refused_as(
        kms.replicate_key().key_id(&id).replica_region("eu-west-3").send().await,
        "UnsupportedOperationException",
    );
}
