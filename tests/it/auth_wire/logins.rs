//! Logins of service accounts with a JWT, and what their tokens are good for.

use super::clients;
use super::rig::{ADVERTISED, PROBE, Wire};
use crate::service::{HOUR, in_own_process};
use claviger::auth::certificate::rsa_public_key;
use claviger::dialect::yandex::proto::yandex::cloud::iam::v1 as iam;
use claviger::domain::id::{CredentialId, PrincipalId};
use claviger::service::identity::NewCredential;
use claviger::service::ports::Clock;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, RsaKeySize};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;
use tonic::Code;

/// A service account with a registered key.
struct Account {
    key: KeyPair,
    principal_id: PrincipalId,
    credential_id: CredentialId,
}

impl Account {
    async fn new(wire: &Wire) -> Self {
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let spki = rsa_public_key(key.public_key_pem().as_bytes()).unwrap();
        let principal_id = wire.service_account().await;
        let credential_id = wire.issue(principal_id, NewCredential::PublicKey { spki }).await.record.id;
        Self { key, principal_id, credential_id }
    }

    fn claims(&self, wire: &Wire) -> Value {
        let now = wire.clock.now().as_micros() / 1_000_000;
        let aud = format!("https://iam.{ADVERTISED}/iam/v1/tokens");
        json!({ "iss": self.principal_id.to_string(), "aud": aud, "iat": now, "exp": now + 3600 })
    }

    fn sign(&self, claims: &Value, kid: CredentialId) -> String {
        let header = Header { kid: Some(kid.to_string()), ..Header::new(Algorithm::PS256) };
        let key = EncodingKey::from_rsa_pem(self.key.serialize_pem().as_bytes()).unwrap();
        encode(&header, claims, &key).unwrap()
    }

    fn jwt(&self, wire: &Wire) -> String {
        self.sign(&self.claims(wire), self.credential_id)
    }
}

/// The status and body of a login over REST.
async fn login(wire: &Wire, jwt: &str) -> (u16, Value) {
    let client = clients::http(&wire.ca, None, true);
    let body = json!({ "jwt": jwt });
    let answer = client.post(wire.tls_url("/iam/v1/tokens")).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn token(wire: &Wire, jwt: &str) -> String {
    let (status, body) = login(wire, jwt).await;
    assert_eq!(status, 200, "{body}");
    body["iamToken"].as_str().unwrap().to_owned()
}

#[test]
fn a_signed_jwt_becomes_a_token_for_a_while() {
    in_own_process(module_path!(), "a_signed_jwt_becomes_a_token_for_a_while", async |core| {
        let wire = Wire::start(core, 0).await;
        let account = Account::new(&wire).await;
        let jwt = account.jwt(&wire);
        let rest = token(&wire, &jwt).await;
        let channel = clients::grpc(&wire.tls_url(""), &wire.ca, None).await;
        let mut service = iam::iam_token_service_client::IamTokenServiceClient::new(channel);
        let identity = Some(iam::create_iam_token_request::Identity::Jwt(jwt.clone()));
        let answer = service.create(iam::CreateIamTokenRequest { identity }).await.unwrap().into_inner();
        let ends_at = (wire.clock.now().plus(HOUR)).as_micros() / 1_000_000;
        assert_eq!(answer.expires_at.unwrap().seconds, ends_at);
        for token in [&rest, &answer.iam_token] {
            assert_eq!(wire.probe_token(token).await, 404);
        }
        wire.clock.advance(HOUR - Duration::from_secs(1));
        assert_eq!(wire.probe_token(&rest).await, 404);
        wire.clock.advance(Duration::from_secs(1));
        assert_eq!(wire.probe_token(&rest).await, 401);
        assert_eq!(login(&wire, &jwt).await.0, 401, "the JWT has ended too");
    });
}

#[test]
fn revoking_the_key_ends_logins_and_their_tokens_at_once() {
    in_own_process(module_path!(), "revoking_the_key_ends_logins_and_their_tokens_at_once", async |core| {
        let wire = Wire::start(core, 0).await;
        let (account, other) = (Account::new(&wire).await, Account::new(&wire).await);
        let (own, others) = (token(&wire, &account.jwt(&wire)).await, token(&wire, &other.jwt(&wire)).await);
        wire.revoke(account.credential_id).await;
        assert_eq!((wire.probe_token(&own).await, wire.probe_token(&others).await), (401, 404));
        assert_eq!(login(&wire, &account.jwt(&wire)).await.0, 401);
        assert_eq!(login(&wire, &other.jwt(&wire)).await.0, 200);
    });
}

#[test]
fn every_bad_jwt_is_answered_alike() {
    in_own_process(module_path!(), "every_bad_jwt_is_answered_alike", async |core| {
        let wire = Wire::start(core, 0).await;
        let (account, other) = (Account::new(&wire).await, Account::new(&wire).await);
        let good = account.claims(&wire);
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            account.sign(&claims, account.credential_id)
        };
        let (_, api_token) = wire.token(account.principal_id).await;
        let token_id = wire.token(account.principal_id).await.0;
        let bad = [
            ("no JWT", "no JWT".to_owned()),
            ("an API token", api_token),
            ("an unknown key", account.sign(&good, CredentialId::from_bytes([7; 16]))),
            ("a credential that is no key", account.sign(&good, token_id)),
            ("somebody else's key", account.sign(&good, other.credential_id)),
            ("somebody else's name", with("iss", json!(other.principal_id.to_string()))),
            ("another audience", with("aud", json!("https://iam.example.com/iam/v1/tokens"))),
            ("ended", with("exp", good["iat"].clone())),
        ];
        let mut answers: Vec<_> = Vec::new();
        for (what, jwt) in &bad {
            let (status, body) = login(&wire, jwt).await;
            assert_eq!((status, body["code"].as_i64()), (401, Some(Code::Unauthenticated as i64)), "{what}");
            answers.push(body);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(login(&wire, &account.jwt(&wire)).await.0, 200);
    });
}

#[test]
fn failed_logins_are_throttled_while_good_ones_succeed() {
    in_own_process(module_path!(), "failed_logins_are_throttled_while_good_ones_succeed", async |core| {
        let wire = Wire::start(core, 3).await;
        let account = Account::new(&wire).await;
        let forged = account.sign(&account.claims(&wire), CredentialId::from_bytes([7; 16]));
        let mut statuses = Vec::new();
        for _ in 0..5 {
            statuses.push(login(&wire, &forged).await.0);
        }
        assert_eq!(statuses, [401, 401, 401, 429, 429]);
        assert_eq!(wire.probe_token("wrong").await, 429, "one count for all ways in");
        let token = token(&wire, &account.jwt(&wire)).await;
        assert_eq!(wire.probe_token(&token).await, 404);
        wire.clock.advance(Duration::from_secs(61));
        assert_eq!(login(&wire, &forged).await.0, 401);
    });
}

#[test]
fn failures_in_the_name_of_one_principal_are_throttled_whatever_their_source() {
    let name = "failures_in_the_name_of_one_principal_are_throttled_whatever_their_source";
    in_own_process(module_path!(), name, async |core| {
        let wire = Wire::start(core, 3).await;
        let account = wire.service_account().await;
        let (revoked, old) = wire.token(account).await;
        let (_, new) = wire.token(account).await;
        wire.revoke(revoked).await;
        // All of 127.0.0.0/8 is this machine.
        let from = async |host: u8, token: &str| {
            let client = reqwest::Client::builder().local_address(IpAddr::from([127, 0, 0, host])).build().unwrap();
            client.get(wire.url(PROBE)).bearer_auth(token).send().await.unwrap().status().as_u16()
        };
        assert_eq!([from(2, &old).await, from(3, &old).await, from(4, &old).await], [401; 3]);
        assert_eq!((from(5, &old).await, from(5, "wrong").await), (429, 401));
        assert_eq!(from(5, &new).await, 404, "its valid token is served");
    });
}
