//! What credentials look like, and which are not issued.

use super::{CERTIFICATE, Office, SPKI, Shown, every_kind, is_invalid, log_in};
use crate::service::{DAY, HOUR, in_own_process};
use claviger::domain::access::PrincipalKind;
use claviger::domain::time::Timestamp;
use claviger::service::error::ServiceError;
use claviger::service::identity::{IssueCredential, NewCredential};
use claviger::service::ports::Store;
use std::time::Duration;

#[test]
fn credentials_have_the_forms_that_clients_and_scanners_know() {
    in_own_process(module_path!(), "credentials_have_the_forms_that_clients_and_scanners_know", async |core| {
        let mut office = Office::start(core).await;
        let account = office.account().await;
        let Shown::Token(token) = office.issue(&account, NewCredential::ApiToken).await.1 else { unreachable!() };
        assert!(token.len() == 48 && token.starts_with("clv1_"), "{} characters", token.len());
        let (_, key) = office.issue(&account, NewCredential::AccessKey).await;
        let Shown::AccessKey { id, secret } = &key else { unreachable!() };
        assert!(id.len() == 20 && id.starts_with("CLVA"), "{id}");
        assert!(id.bytes().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte)), "{id}");
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        assert!(secret.len() == 40 && secret.bytes().all(is_base64), "{} characters", secret.len());
        let Shown::AccessKey { id: other_id, secret: other } = office.issue(&account, NewCredential::AccessKey).await.1
        else {
            unreachable!()
        };
        assert!(*id != other_id && *secret != other);
        office.service.restart();
        assert!(office.accepts(&key).await, "the token opens the secret after a restart");
    });
}

/// The token encrypts secrets with a GCM key, whose invocations are counted like those of any other.
#[test]
fn sealing_a_secret_is_counted() {
    in_own_process(module_path!(), "sealing_a_secret_is_counted", async |core| {
        let office = Office::start(core).await;
        let key = office.service.core.token.secrets_key().unwrap();
        let account = office.account().await;
        office.issue(&account, NewCredential::ApiToken).await;
        assert_eq!(office.service.store.lease_invocations(key, 1).await.unwrap().from, 0);
        office.issue(&account, NewCredential::AccessKey).await;
        assert!(office.service.store.lease_invocations(key, 1).await.unwrap().from > 1);
    });
}

#[test]
fn a_credential_that_would_have_ended_already_is_not_issued() {
    in_own_process(module_path!(), "a_credential_that_would_have_ended_already_is_not_issued", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let now = office.kms().now();
        for kind in every_kind(1) {
            assert!(is_invalid(&office.try_to_issue(&account, kind, Some(now)).await));
        }
        let gone = NewCredential::Certificate { spki_sha256: CERTIFICATE, not_after: now };
        assert!(is_invalid(&office.try_to_issue(&account, gone, None).await));
        assert!(office.service.store.credentials_of(account.id).await.unwrap().is_empty());
    });
}

#[test]
fn a_credential_ends_with_its_certificate_at_the_latest() {
    in_own_process(module_path!(), "a_credential_ends_with_its_certificate_at_the_latest", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let now = office.kms().now();
        let not_after = now.plus(DAY);
        for (number, (wanted, end)) in [(None, DAY), (Some(HOUR), HOUR), (Some(DAY * 2), DAY)].into_iter().enumerate() {
            let spki_sha256 = [u8::try_from(number).unwrap(); 32];
            let kind = NewCredential::Certificate { spki_sha256, not_after };
            let issued = office.try_to_issue(&account, kind, wanted.map(|wanted| now.plus(wanted))).await.unwrap();
            assert_eq!(issued.record.expires_at, Some(now.plus(end)));
        }
    });
}

#[test]
fn a_certificate_is_one_credential_at_a_time() {
    in_own_process(module_path!(), "a_certificate_is_one_credential_at_a_time", async |core| {
        let office = Office::start(core).await;
        let (one, other) = (office.account().await, office.account().await);
        let until = |end: Timestamp| NewCredential::Certificate { spki_sha256: CERTIFICATE, not_after: end };
        let issue = |to, end| office.try_to_issue(to, until(end), None);
        let end = office.kms().now().plus(DAY);
        let first = issue(&one, end).await.unwrap().record;
        for to in [&one, &other] {
            let refused = issue(to, end).await;
            assert!(matches!(refused, Err(ServiceError::Exists(_))), "{refused:?}");
        }
        office.revoke(first.id).await;
        let second = issue(&other, end).await.unwrap().record;
        assert!(office.accepts(&Shown::Certificate(CERTIFICATE)).await);
        office.service.clock.advance(DAY);
        assert!(!office.accepts(&Shown::Certificate(CERTIFICATE)).await);
        let renewed = issue(&one, office.kms().now().plus(DAY)).await.unwrap().record;
        let caller = office.kms().directory().by_certificate(CERTIFICATE).await.unwrap();
        let claviger::service::directory::Recognised::InForce(caller) = caller else { unreachable!("{caller:?}") };
        assert_eq!((caller.principal_id, caller.credential_id), (one.id, renewed.id));
        let closed = office.kms().credential(office.root(), second.id).await.unwrap().record;
        assert!(closed.revoked_at.is_some(), "what had expired made room");
    });
}

/// Its owner decides about it, though it has expired.
#[test]
fn a_certificate_of_another_folder_makes_no_room_when_it_has_expired() {
    in_own_process(module_path!(), "a_certificate_of_another_folder_makes_no_room_when_it_has_expired", async |core| {
        let office = Office::start(core).await;
        let elsewhere = office.folder("elsewhere").await;
        let (owner, stranger) = (office.account().await, office.principal(elsewhere, PrincipalKind::User).await);
        let until = |end: Timestamp| NewCredential::Certificate { spki_sha256: CERTIFICATE, not_after: end };
        let (soon, later) = (office.kms().now().plus(HOUR), office.kms().now().plus(DAY));
        let first = office.try_to_issue(&owner, until(soon), None).await.unwrap().record;
        let in_force = office.try_to_issue(&stranger, until(later), None).await.unwrap_err();
        office.service.clock.advance(HOUR);
        let expired = office.try_to_issue(&stranger, until(later), None).await.unwrap_err();
        assert!(matches!(expired, ServiceError::Exists(_)), "{expired:?}");
        assert_eq!(expired.to_string(), in_force.to_string(), "and tells nothing of its state");
        assert_eq!(office.kms().credential(office.root(), first.id).await.unwrap().record, first);
        office.revoke(first.id).await;
        office.try_to_issue(&stranger, until(later), None).await.unwrap();
    });
}

#[test]
fn no_credential_ends_after_the_last_instant_that_answers_can_say() {
    in_own_process(module_path!(), "no_credential_ends_after_the_last_instant_that_answers_can_say", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let latest = Timestamp::LATEST_END;
        let past_it = latest.plus(Duration::from_micros(1));
        for kind in every_kind(1) {
            for end in [past_it, Timestamp::from_micros(i64::MAX)] {
                assert!(is_invalid(&office.try_to_issue(&account, kind.clone(), Some(end)).await), "{kind:?}");
            }
            let issued = office.try_to_issue(&account, kind, Some(latest)).await.unwrap();
            assert_eq!(issued.record.expires_at, Some(latest));
        }
        let kind = NewCredential::Certificate { spki_sha256: [0xcf; 32], not_after: past_it };
        let endless = office.try_to_issue(&account, kind, None).await.unwrap();
        assert_eq!(endless.record.expires_at, Some(latest), "a certificate that says that it never ends");
        let (kid, _) = office.issue(&account, NewCredential::PublicKey { spki: SPKI.to_vec() }).await;
        office.service.clock.advance(latest.since(office.kms().now()) - HOUR / 2);
        assert_eq!(log_in(office.kms(), kid).await.unwrap().expires_at, latest);
    });
}

#[test]
fn keys_of_their_own_are_for_service_accounts_and_of_a_size_that_exists() {
    in_own_process(
        module_path!(),
        "keys_of_their_own_are_for_service_accounts_and_of_a_size_that_exists",
        async |core| {
            let office = Office::start(core).await;
            let person = office.principal(office.home(), PrincipalKind::User).await;
            let account = office.account().await;
            let key = |spki: &[u8]| NewCredential::PublicKey { spki: spki.to_vec() };
            assert!(is_invalid(&office.try_to_issue(&person, key(&SPKI), None).await));
            assert!(is_invalid(&office.try_to_issue(&account, key(&[0x30; 4097]), None).await));
            assert!(office.try_to_issue(&account, key(&[0x30; 4096]), None).await.is_ok());
        },
    );
}

#[test]
fn names_of_credentials_have_a_limit() {
    in_own_process(module_path!(), "names_of_credentials_have_a_limit", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        for (name, good) in [(String::new(), true), ("\u{e4}".repeat(100), true), ("a".repeat(101), false)] {
            let kind = NewCredential::ApiToken;
            let request = IssueCredential { principal_id: account.id, name, expires_at: None, kind };
            let issued = office.kms().issue_credential(office.root(), request).await;
            assert_eq!(issued.is_ok(), good);
            assert!(good || is_invalid(&issued));
        }
    });
}

#[test]
fn a_principal_has_a_hundred_credentials_in_force_at_most() {
    in_own_process(module_path!(), "a_principal_has_a_hundred_credentials_in_force_at_most", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let end = office.kms().now().plus(DAY);
        let issue = |end| office.try_to_issue(&account, NewCredential::ApiToken, end);
        for _ in 0..99 {
            issue(Some(end)).await.unwrap();
        }
        let (one, other) = tokio::join!(issue(None), issue(None));
        assert!(one.is_ok() != other.is_ok(), "at the same moment too: {one:?} {other:?}");
        assert!(is_invalid(&issue(None).await));
        office.service.clock.advance(DAY);
        assert!(issue(None).await.is_ok(), "expired ones do not count");
    });
}
