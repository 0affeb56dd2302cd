//! A service account logs in with its key, as the SDKs of the cloud do: from the registered public key to the token
//! that ends with it.

use super::{Api, encrypt, new_key};
use crate::support::client::text;
use crate::support::{Dev, Home, Rest};
use claviger::dialect::yandex::proto::yandex::cloud::access::{AccessBinding, SetAccessBindingsRequest, Subject};
use claviger::dialect::yandex::proto::yandex::cloud::iam::v1::CreateIamTokenRequest;
use claviger::dialect::yandex::proto::yandex::cloud::iam::v1::create_iam_token_request::Identity;
use claviger::dialect::yandex::proto::yandex::cloud::kms::v1 as kms;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use kms::SymmetricAlgorithm;
use rcgen::{KeyPair, RsaKeySize};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tonic::Code;

const NOBODY: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";

/// A service account whose public key is registered.
struct ServiceAccount {
    id: String,
    kid: String,
    key: KeyPair,
    audience: String,
}

#[tokio::test]
async fn a_service_account_logs_in_and_its_token_ends_with_its_key() {
    let home = Home::new();
    let dev = home.start().await;
    let id = dev.rest().service_account(dev.folder(), "application").await;
    let key = new_key(&Api::rest(&dev), dev.folder(), SymmetricAlgorithm::Aes256).await.id;
    let subject = Some(Subject { id: id.clone(), r#type: "serviceAccount".into() });
    let access_bindings = vec![AccessBinding { role_id: "kms.keys.encrypter".into(), subject }];
    Api::rest(&dev).ok(SetAccessBindingsRequest { resource_id: key.clone(), access_bindings }).await;
    for api in Api::all(&dev).await {
        let account = register(&dev, &id).await;
        let nobody = api.with_token("");
        let answer = nobody.ok(login(account.jwt())).await;
        let lasts = answer.expires_at.unwrap().seconds - now();
        assert!((1..=12 * 3600).contains(&lasts), "{lasts}");
        let caller = api.with_token(&answer.iam_token);
        caller.ok(encrypt(&key, b"hi", b"")).await;
        let record = caller.refused("not its role", kms::RotateSymmetricKeyRequest { key_id: key.clone() }).await;
        assert_eq!(record.code, Code::PermissionDenied, "{record:?}");
        revoke(&dev.rest(), &account.kid).await;
        for refused in [
            caller.refused("the key is revoked", encrypt(&key, b"hi", b"")).await,
            nobody.refused("the key is revoked", login(account.jwt())).await,
        ] {
            assert_eq!(
                (refused.code, refused.text.as_str()),
                (Code::Unauthenticated, "a valid credential is required")
            );
        }
    }
    let log = home.log();
    let logged_in = log.lines().filter(|line| line.contains("CreateIamToken") && line.contains(&id)).count();
    assert_eq!(logged_in, 4, "the log says who has logged in");
    assert!(!log.contains("eyJ"), "a JWT is in the log");
}

#[tokio::test]
async fn whatever_is_wrong_with_a_jwt_the_answer_is_the_same() {
    let home = Home::new();
    let dev = home.start().await;
    let id = dev.rest().service_account(dev.folder(), "application").await;
    let account = register(&dev, &id).await;
    let stranger = ServiceAccount { key: rsa_key(), ..register(&dev, &id).await };
    let wrong = [
        ("garbage", "garbage".to_owned()),
        ("another key", stranger.jwt()),
        ("an unknown key", account.signed(NOBODY, &account.claims())),
        ("another issuer", account.signed(&account.kid, &account.with("iss", json!(NOBODY)))),
        ("another audience", account.signed(&account.kid, &account.with("aud", json!("https://example.com")))),
        ("its end has passed", account.signed(&account.kid, &account.with("exp", json!(now() - 1)))),
        ("it lasts too long", account.signed(&account.kid, &account.with("exp", json!(now() + 3602)))),
        ("it has not begun", account.signed(&account.kid, &account.with("iat", json!(now() + 3000)))),
        ("a cut signature", account.jwt()[..account.jwt().len() - 4].to_owned()),
    ];
    for api in Api::both(&dev).await {
        let nobody = api.with_token("");
        for (case, jwt) in &wrong {
            let refused = nobody.refused(case, login(jwt.clone())).await;
            assert_eq!(
                (refused.code, refused.text.as_str()),
                (Code::Unauthenticated, "a valid credential is required"),
                "{case}"
            );
        }
        nobody.ok(login(account.jwt())).await;
    }
}

impl ServiceAccount {
    fn jwt(&self) -> String {
        self.signed(&self.kid, &self.claims())
    }

    fn claims(&self) -> Value {
        json!({ "iss": self.id, "aud": self.audience, "iat": now(), "exp": now() + 3600 })
    }

    /// The usual claims but for one.
    fn with(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims();
        claims[name] = value;
        claims
    }

    fn signed(&self, kid: &str, claims: &Value) -> String {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::PS256) };
        encode(&header, claims, &EncodingKey::from_rsa_pem(self.key.serialize_pem().as_bytes()).unwrap()).unwrap()
    }
}

fn rsa_key() -> KeyPair {
    KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

/// Registers a new key of a service account, with the audience that SDKs use for this server.
async fn register(dev: &Dev, id: &str) -> ServiceAccount {
    let key = rsa_key();
    let body = json!({"type": "publicKey", "name": "login", "publicKey": key.public_key_pem()});
    let issued = dev.rest().post(&format!("/claviger/v1/principals/{id}/credentials"), &body).await.ok();
    let endpoint = dev.credential("CLAVIGER_TLS_ENDPOINT").trim_start_matches("https://");
    let audience = format!("https://iam.{endpoint}/iam/v1/tokens");
    ServiceAccount { id: id.to_owned(), kid: text(&issued["credential"]["id"]), key, audience }
}

async fn revoke(admin: &Rest, credential_id: &str) {
    admin.post(&format!("/claviger/v1/credentials/{credential_id}:revoke"), &json!({})).await.ok();
}

const fn login(jwt: String) -> CreateIamTokenRequest {
    CreateIamTokenRequest { identity: Some(Identity::Jwt(jwt)) }
}

#[expect(clippy::disallowed_methods, reason = "clients sign with the time of their own clock")]
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}
