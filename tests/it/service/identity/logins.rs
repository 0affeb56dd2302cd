//! Tokens of logins: nobody stores them, and they are worth as much as the key that was logged in with.

use super::{Office, SPKI, Shown, knows, log_in};
use crate::service::{DAY, HOUR, in_own_process, settings};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claviger::domain::access::Caller;
use claviger::domain::id::CredentialId;
use claviger::service::directory::Recognised;
use claviger::service::error::ServiceError;
use claviger::service::identity::NewCredential;
use std::time::Duration;
use zeroize::Zeroizing;

const PREFIX: &str = "clvl1_";

fn public_key() -> NewCredential {
    NewCredential::PublicKey { spki: SPKI.to_vec() }
}

#[test]
fn the_token_of_a_login_stands_for_the_key_until_its_period_is_over() {
    in_own_process(module_path!(), "the_token_of_a_login_stands_for_the_key_until_its_period_is_over", async |core| {
        let mut office = Office::start(core).await;
        let account = office.account().await;
        let (kid, _) = office.issue(&account, public_key()).await;
        let token = log_in(office.kms(), kid).await.unwrap();
        let another = log_in(office.kms(), kid).await.unwrap();
        assert!(token.text != another.text, "two logins at one instant");
        assert_eq!(token.expires_at, office.kms().now().plus(HOUR));
        let Recognised::InForce(caller) = office.kms().directory().by_token(&token.text).await.unwrap() else {
            unreachable!("it is valid");
        };
        let expected = office.with_credential(&account, kid).caller;
        assert_eq!(caller, expected);
        office.service.restart();
        office.service.clock.advance(HOUR - Duration::from_micros(1));
        assert!(knows(office.kms(), &token.text).await, "after a restart");
        office.service.clock.advance(Duration::from_micros(1));
        let ended = office.kms().directory().by_token(&token.text).await.unwrap();
        assert_eq!(ended, Recognised::Refused(Some(account.id)));
    });
}

#[test]
fn the_token_of_a_login_does_not_outlive_its_key() {
    in_own_process(module_path!(), "the_token_of_a_login_does_not_outlive_its_key", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let end = office.kms().now().plus(HOUR / 2);
        let key = office.try_to_issue(&account, public_key(), Some(end)).await.unwrap().record;
        let token = log_in(office.kms(), key.id).await.unwrap();
        assert_eq!(token.expires_at, end);
        office.service.clock.advance(HOUR / 2);
        assert!(!knows(office.kms(), &token.text).await && log_in(office.kms(), key.id).await.is_none());

        let (kid, _) = office.issue(&account, public_key()).await;
        let (other, _) = office.issue(&account, public_key()).await;
        let token = log_in(office.kms(), kid).await.unwrap();
        let beside = log_in(office.kms(), other).await.unwrap();
        let caller = office.kms().directory().login_key(kid).await.unwrap().in_force().unwrap().caller;
        assert!(knows(office.kms(), &token.text).await);
        office.revoke(kid).await;
        assert!(!knows(office.kms(), &token.text).await && knows(office.kms(), &beside.text).await);
        let found = office.kms().directory().login_key(kid).await.unwrap();
        assert_eq!(found, Recognised::Refused(Some(account.id)), "a failure with it is counted for its principal");
        let late = office.kms().directory().login(&caller).await;
        assert!(matches!(late, Err(ServiceError::Unauthenticated)), "{late:?}");
    });
}

#[test]
fn every_changed_bit_of_the_token_of_a_login_is_refused() {
    in_own_process(module_path!(), "every_changed_bit_of_the_token_of_a_login_is_refused", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let (kid, _) = office.issue(&account, public_key()).await;
        let token = log_in(office.kms(), kid).await.unwrap().text;
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX).unwrap()).unwrap();
        let refused = async |bytes: &[u8]| {
            let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
            office.kms().directory().by_token(&text).await.unwrap() == Recognised::Refused(None)
        };
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(refused(&changed).await, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(refused(&bytes[..length]).await, "length {length}");
        }
        assert!(knows(office.kms(), &token).await);
    });
}

#[test]
fn the_token_of_another_installations_login_is_refused() {
    in_own_process(module_path!(), "the_token_of_another_installations_login_is_refused", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let (kid, _) = office.issue(&account, public_key()).await;
        let token = log_in(office.kms(), kid).await.unwrap();
        let same = office.service.another(|_| {});
        let other = office.service.another(|parts| parts.login_key = Zeroizing::new([8; 32]));
        assert!(knows(&same, &token.text).await && !knows(&other, &token.text).await);
        let foreign = log_in(&other, kid).await.unwrap();
        assert!(knows(&other, &foreign.text).await && !knows(office.kms(), &foreign.text).await);
    });
}

#[test]
fn only_keys_of_service_accounts_log_in() {
    in_own_process(module_path!(), "only_keys_of_service_accounts_log_in", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let (id, shown) = office.issue(&account, NewCredential::ApiToken).await;
        let Shown::Token(text) = shown else { unreachable!() };
        let Recognised::InForce(caller) = office.kms().directory().by_token(&text).await.unwrap() else {
            unreachable!("it is valid");
        };
        assert_eq!(caller.credential_id, id);
        for credential_id in [id, CredentialId::from_bytes([9; 16])] {
            let refused = office.kms().directory().login(&Caller { credential_id, ..caller.clone() }).await;
            assert!(matches!(refused, Err(ServiceError::Unauthenticated)), "{refused:?}");
        }
    });
}

#[test]
fn the_period_of_logins_is_as_it_was_set() {
    in_own_process(module_path!(), "the_period_of_logins_is_as_it_was_set", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let (kid, _) = office.issue(&account, public_key()).await;
        let kms = office.service.another(|parts| {
            parts.settings = settings();
            parts.settings.access.login_period = DAY;
        });
        assert_eq!(log_in(&kms, kid).await.unwrap().expires_at, kms.now().plus(DAY));
    });
}
