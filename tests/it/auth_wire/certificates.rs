//! Client certificates as credentials.

use super::clients::{self, ClientIdentity};
use super::rig::{PROBE, Wire};
use crate::service::{core::Core, in_own_process};
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use claviger::service::error::ServiceError;
use kms::symmetric_key_service_client::SymmetricKeyServiceClient;
use tonic::Code;
use tonic::transport::Channel;

async fn grpc_probe(channel: &Channel) -> Code {
    let key_id = PROBE.rsplit_once('/').unwrap().1.to_owned();
    let request = kms::GetSymmetricKeyRequest { key_id };
    SymmetricKeyServiceClient::new(channel.clone()).get(request).await.unwrap_err().code()
}

async fn many(core: Core) -> Wire {
    Wire::start(core, 0).await
}

#[test]
fn a_registered_certificate_authenticates_in_every_protocol_and_nobody_elses_does() {
    let name = "a_registered_certificate_authenticates_in_every_protocol_and_nobody_elses_does";
    in_own_process(module_path!(), name, async |core| {
        let wire = many(core).await;
        let (registered, stranger) = (ClientIdentity::new(), ClientIdentity::new());
        wire.register(wire.service_account().await, &registered).await;
        for (who, status, code) in
            [(Some(&registered), 404, Code::NotFound), (Some(&stranger), 401, Code::Unauthenticated)]
        {
            for http2 in [false, true] {
                assert_eq!(wire.probe(&clients::http(&wire.ca, who, http2), None).await.0, status);
            }
            assert_eq!(grpc_probe(&clients::grpc(&wire.tls_url(""), &wire.ca, who).await).await, code);
        }
        // On the plaintext listener there is no handshake, and nothing that a client says replaces it.
        let client = clients::http(&wire.ca, Some(&registered), false);
        assert_eq!(client.get(wire.url(PROBE)).send().await.unwrap().status(), 401);
    });
}

#[test]
fn a_token_decides_alone_whatever_the_certificate() {
    in_own_process(module_path!(), "a_token_decides_alone_whatever_the_certificate", async |core| {
        let wire = many(core).await;
        let identity = ClientIdentity::new();
        let account = wire.service_account().await;
        wire.register(account, &identity).await;
        let (_, token) = wire.token(account).await;
        let client = clients::http(&wire.ca, Some(&identity), true);
        assert_eq!(wire.probe(&client, None).await.0, 404);
        let nobody = wire.probe(&clients::http(&wire.ca, None, true), None).await;
        assert_eq!(nobody.0, 401);
        assert_eq!(wire.probe(&client, Some("wrong")).await, nobody, "the same answer, to the byte");
        assert_eq!(wire.probe(&client, Some(&token)).await.0, 404);
        let twice = client.get(wire.tls_url(PROBE)).header("authorization", format!("Bearer {token}"));
        let twice = twice.header("authorization", format!("Bearer {token}")).send().await.unwrap();
        assert_eq!(twice.status(), 401);
        assert_eq!(client.get(wire.tls_url(PROBE)).header("authorization", "").send().await.unwrap().status(), 401);
    });
}

#[test]
fn a_revoked_certificate_is_refused_on_the_open_connection() {
    in_own_process(module_path!(), "a_revoked_certificate_is_refused_on_the_open_connection", async |core| {
        let wire = many(core).await;
        let (identity, successor) = (ClientIdentity::new(), ClientIdentity::new());
        let account = wire.service_account().await;
        let credential = wire.register(account, &identity).await;
        let channel = clients::grpc(&wire.tls_url(""), &wire.ca, Some(&identity)).await;
        assert_eq!(grpc_probe(&channel).await, Code::NotFound);
        // Rotation without a gap: both are good for a while.
        wire.register(account, &successor).await;
        let next = clients::grpc(&wire.tls_url(""), &wire.ca, Some(&successor)).await;
        assert_eq!((grpc_probe(&channel).await, grpc_probe(&next).await), (Code::NotFound, Code::NotFound));
        wire.revoke(credential).await;
        assert_eq!((grpc_probe(&channel).await, grpc_probe(&next).await), (Code::Unauthenticated, Code::NotFound));
        // A session that is resumed is no way around it.
        assert_eq!(wire.probe(&clients::http(&wire.ca, Some(&identity), false), None).await.0, 401);
    });
}

#[test]
fn a_certificate_of_a_deleted_principal_is_refused_on_the_open_connection() {
    let name = "a_certificate_of_a_deleted_principal_is_refused_on_the_open_connection";
    in_own_process(module_path!(), name, async |core| {
        let wire = many(core).await;
        let identity = ClientIdentity::new();
        let account = wire.service_account().await;
        wire.register(account, &identity).await;
        let client = clients::http(&wire.ca, Some(&identity), true);
        assert_eq!(wire.probe(&client, None).await.0, 404);
        wire.kms.delete_principal(&wire.ctx, account).await.unwrap();
        assert_eq!(wire.probe(&client, None).await.0, 401);
    });
}

#[test]
fn an_expired_certificate_of_a_registered_key_is_refused() {
    in_own_process(module_path!(), "an_expired_certificate_of_a_registered_key_is_refused", async |core| {
        let wire = many(core).await;
        let fresh = ClientIdentity::new();
        let expired = fresh.expired_twin();
        wire.register(wire.service_account().await, &fresh).await;
        assert_eq!(wire.probe(&clients::http(&wire.ca, Some(&fresh), true), None).await.0, 404);
        assert_eq!(wire.probe(&clients::http(&wire.ca, Some(&expired), true), None).await.0, 401);
    });
}

#[test]
fn a_certificate_belongs_to_one_principal_only() {
    in_own_process(module_path!(), "a_certificate_belongs_to_one_principal_only", async |core| {
        let wire = many(core).await;
        let identity = ClientIdentity::new();
        wire.register(wire.service_account().await, &identity).await;
        let read = claviger::auth::certificate::read_der(identity.certificate_der()).unwrap();
        let request = claviger::service::identity::IssueCredential {
            principal_id: wire.service_account().await,
            name: "stolen".into(),
            expires_at: None,
            kind: claviger::service::identity::NewCredential::Certificate {
                spki_sha256: read.spki_sha256,
                not_after: read.not_after,
            },
        };
        let refused = wire.kms.issue_credential(&wire.ctx, request).await.err();
        assert!(matches!(refused, Some(ServiceError::Exists(_))), "{refused:?}");
    });
}
