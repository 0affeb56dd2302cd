//! Every kind of credential against every way in which it ends.

use super::counting_token::CountingToken;
use super::{CERTIFICATE, Office, Shown, every_kind, is_denied, is_missing, knows, log_in};
use crate::service::{DAY, HOUR, in_own_process};
use claviger::domain::access::Role;
use claviger::domain::id::CredentialId;
use claviger::service::directory::Recognised;
use claviger::service::error::{Missing, ServiceError};
use claviger::service::identity::NewCredential;
use claviger::service::ports::{BindingScope, CredentialLookup, Store};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

#[test]
fn credentials_of_every_kind_are_accepted_until_they_expire() {
    in_own_process(module_path!(), "credentials_of_every_kind_are_accepted_until_they_expire", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        for kind in every_kind(1) {
            let end = office.kms().now().plus(DAY);
            let issued = office.try_to_issue(&account, kind, Some(end)).await.unwrap();
            let shown = super::shown(issued);
            assert!(office.accepts(&shown).await, "at once");
            office.service.clock.advance(DAY - Duration::from_micros(1));
            assert!(office.accepts(&shown).await, "until its end");
            office.service.clock.advance(Duration::from_micros(1));
            assert!(!office.accepts(&shown).await && !office.accepts(&shown).await, "not after it");
        }
    });
}

#[test]
fn a_revocation_binds_when_it_is_answered_and_can_be_repeated() {
    in_own_process(module_path!(), "a_revocation_binds_when_it_is_answered_and_can_be_repeated", async |core| {
        let mut office = Office::start(core).await;
        let account = office.account().await;
        let mut all = Vec::new();
        for kind in every_kind(1) {
            let (id, shown) = office.issue(&account, kind).await;
            assert!(office.accepts(&shown).await);
            office.revoke(id).await;
            assert!(!office.accepts(&shown).await);
            let first = office.kms().credential(office.root(), id).await.unwrap().record.revoked_at;
            office.service.clock.advance(HOUR);
            office.revoke(id).await;
            assert_eq!(office.kms().credential(office.root(), id).await.unwrap().record.revoked_at, first);
            all.push(shown);
        }
        office.service.restart();
        for shown in &all {
            assert!(!office.accepts(shown).await, "after a restart");
        }
    });
}

#[test]
fn nothing_of_a_deleted_principal_is_accepted() {
    in_own_process(module_path!(), "nothing_of_a_deleted_principal_is_accepted", async |core| {
        let mut office = Office::start(core).await;
        let account = office.account().await;
        let mut all = Vec::new();
        for kind in every_kind(1) {
            let (id, shown) = office.issue(&account, kind).await;
            if let Shown::PublicKey(_) = shown {
                all.push(Shown::Token(log_in(office.kms(), id).await.unwrap().text));
            }
            all.push(shown);
        }
        for shown in &all {
            assert!(office.accepts(shown).await);
        }
        let deleted = office.kms().delete_principal(office.root(), account.id).await.unwrap();
        assert!(deleted.deleted_at.is_some());
        for restarted in [false, true] {
            for shown in &all {
                assert!(!office.accepts(shown).await, "restarted: {restarted}");
            }
            office.service.restart();
        }
        let left = office.kms().credentials(office.root(), account.id, None, 10).await.unwrap().items;
        assert!(left.len() == 4 && left.iter().all(|view| view.record.revoked_at == deleted.deleted_at), "{left:?}");
        let refused = office.try_to_issue(&account, NewCredential::ApiToken, None).await;
        assert!(is_missing(&refused, Missing::Principal), "{refused:?}");
    });
}

#[test]
fn a_credential_is_replaced_without_a_gap() {
    in_own_process(module_path!(), "a_credential_is_replaced_without_a_gap", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        for (old, new) in every_kind(1).into_iter().zip(every_kind(2)) {
            let (old_id, old) = office.issue(&account, old).await;
            let (_, new) = office.issue(&account, new).await;
            assert!(office.accepts(&old).await && office.accepts(&new).await, "both while clients change over");
            office.revoke(old_id).await;
            assert!(!office.accepts(&old).await && office.accepts(&new).await);
        }
    });
}

/// Whoever tries learns nothing, whatever was wrong. Only the count of failures tells a credential that once was
/// somebody's.
#[test]
fn unknown_wrong_and_ended_credentials_are_refused_alike() {
    in_own_process(module_path!(), "unknown_wrong_and_ended_credentials_are_refused_alike", async |core| {
        let office = Office::start(core).await;
        let (account, directory) = (office.account().await, office.kms().directory());
        let (token_id, token) = office.issue(&account, NewCredential::ApiToken).await;
        let (key_id, key) = office.issue(&account, NewCredential::AccessKey).await;
        let (Shown::Token(token), Shown::AccessKey { id: access_key_id, secret }) = (token, key) else {
            unreachable!()
        };
        let stranger = format!("clv1_{}", "A".repeat(43));
        for unknown in ["", "clv1_", &stranger, &token[..token.len() - 1], "clvl1_", &format!("{}A", token.as_str())] {
            assert_eq!(directory.by_token(unknown).await.unwrap(), Recognised::Refused(None), "{unknown}");
        }
        assert_eq!(directory.by_certificate(CERTIFICATE).await.unwrap(), Recognised::Refused(None));
        for unknown in ["", "CLVA", "CLVAAAAAAAAAAAAAAAAA", &access_key_id.to_lowercase(), "AKIAAAAAAAAAAAAAAAAA"] {
            assert!(directory.access_key(unknown).await.unwrap().in_force().is_none(), "{unknown}");
        }
        let mut wrong = secret;
        let first = if wrong.starts_with('A') { "B" } else { "A" };
        wrong.replace_range(0..1, first);
        let wrong = Shown::AccessKey { id: access_key_id.clone(), secret: wrong };
        assert!(!office.accepts(&wrong).await);
        for kid in [token_id, key_id, CredentialId::from_bytes([9; 16])] {
            let found = directory.login_key(kid).await.unwrap();
            assert_eq!(found.in_force(), None, "no key of a service account");
        }
        office.revoke(token_id).await;
        assert_eq!(directory.by_token(&token).await.unwrap(), Recognised::Refused(Some(account.id)));
        office.revoke(key_id).await;
        assert!(directory.access_key(&access_key_id).await.unwrap().in_force().is_none());
    });
}

/// Every credential that is not in force costs one and the same read, and only those in force are remembered: neither
/// strangers nor those who once had a credential can push others out of memory.
#[test]
fn what_is_not_in_force_is_read_once_and_never_remembered() {
    in_own_process(module_path!(), "what_is_not_in_force_is_read_once_and_never_remembered", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let end = office.kms().now().plus(DAY);
        let expired = office.try_to_issue(&account, NewCredential::ApiToken, Some(end)).await.unwrap();
        let expired = super::shown(expired);
        assert!(office.accepts(&expired).await);
        let (id, revoked) = office.issue(&account, NewCredential::ApiToken).await;
        assert!(office.accepts(&revoked).await);
        office.revoke(id).await;
        office.service.clock.advance(DAY);
        let unknown = Shown::Token(format!("clv1_{}", "A".repeat(43)).into());
        let valid = office.issue(&account, NewCredential::ApiToken).await.1;
        assert!(office.accepts(&valid).await);
        for shown in [&unknown, &revoked, &expired].repeat(2) {
            office.service.store.take_reads();
            assert!(!office.accepts(shown).await);
            assert_eq!(office.service.store.take_reads(), ["credential"]);
        }
        for _ in 0..200 {
            assert!(!office.accepts(&unknown).await);
        }
        office.service.store.take_reads();
        assert!(office.accepts(&valid).await);
        assert!(office.service.store.take_reads().is_empty(), "it is still in memory");
        assert!(!knows(office.kms(), "clvl1_garbage").await);
        assert!(office.service.store.take_reads().is_empty(), "nobody stores tokens of logins");
    });
}

#[test]
fn the_token_opens_the_secret_of_an_access_key_once() {
    in_own_process(module_path!(), "the_token_opens_the_secret_of_an_access_key_once", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let (id, key) = office.issue(&account, NewCredential::AccessKey).await;
        let token = Arc::new(CountingToken::new(&office.service.core.token));
        let kms = office.service.another(|parts| parts.token = Arc::clone(&token) as _);
        for _ in 0..3 {
            assert!(super::accepts(&kms, &key).await);
        }
        assert_eq!(token.opened(), 1);
        kms.revoke_credential(office.root(), id).await.unwrap();
        assert!(!super::accepts(&kms, &key).await);
        assert_eq!(token.opened(), 1, "a revoked one is not opened");
    });
}

/// Indexes carry no MAC: whoever can write to the database can make one lead to another's row, which is intact.
#[test]
fn a_credential_that_is_found_under_anothers_name_raises_the_alarm() {
    in_own_process(module_path!(), "a_credential_that_is_found_under_anothers_name_raises_the_alarm", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let mut stored = Vec::new();
        for kind in every_kind(1) {
            let (id, _) = office.issue(&account, kind).await;
            stored.push(office.service.store.credential(CredentialLookup::Id(id)).await.unwrap().unwrap());
        }
        let directory = office.kms().directory();
        let is_alarm = |error: ServiceError| matches!(error, ServiceError::Integrity(_));
        for found in stored {
            let plant = || office.service.store.plant_credential(found.clone());
            plant();
            assert!(is_alarm(directory.by_token("clv1_mine").await.unwrap_err()));
            plant();
            assert!(is_alarm(directory.by_certificate([1; 32]).await.unwrap_err()));
            plant();
            assert!(is_alarm(directory.access_key("CLVAAAAAAAAAAAAAAAAA").await.unwrap_err()));
            plant();
            assert!(is_alarm(directory.login_key(CredentialId::from_bytes([1; 16])).await.unwrap_err()));
        }
    });
}

/// A caller whose connection breaks is dropped wherever it waits.
#[test]
fn a_revocation_takes_effect_though_its_caller_went_away_while_it_was_stored() {
    let name = "a_revocation_takes_effect_though_its_caller_went_away_while_it_was_stored";
    in_own_process(module_path!(), name, async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let (id, shown) = office.issue(&account, NewCredential::ApiToken).await;
        assert!(office.accepts(&shown).await);
        let mut revoke = Box::pin(office.kms().revoke_credential(office.root(), id));
        let stored = async || office.service.core.store.credential(CredentialLookup::Id(id)).await.unwrap().unwrap();
        while stored().await.value.revoked_at.is_none() {
            let polled = poll_fn(|cx| Poll::Ready(revoke.as_mut().poll(cx).is_ready())).await;
            assert!(!polled, "the caller was answered before it could go away");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(revoke);
        let refused = async { while office.accepts(&shown).await {} };
        tokio::time::timeout(Duration::from_secs(20), refused).await.expect("it is still accepted");
    });
}

#[test]
fn a_revocation_is_tried_again_when_somebody_else_was_faster() {
    in_own_process(module_path!(), "a_revocation_is_tried_again_when_somebody_else_was_faster", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let (id, shown) = office.issue(&account, NewCredential::ApiToken).await;
        office.service.store.plant_conflicts(4);
        office.revoke(id).await;
        assert!(!office.accepts(&shown).await);
        let (id, _) = office.issue(&account, NewCredential::ApiToken).await;
        office.service.store.plant_conflicts(5);
        let refused = office.kms().revoke_credential(office.root(), id).await;
        assert!(matches!(refused, Err(ServiceError::Conflict)), "{refused:?}");
    });
}

#[test]
fn credentials_are_shown_to_their_principal_and_changed_by_who_manages_it() {
    let name = "credentials_are_shown_to_their_principal_and_changed_by_who_manages_it";
    in_own_process(module_path!(), name, async |core| {
        let office = Office::start(core).await;
        let (home, kms) = (office.home(), office.kms());
        let account = office.account().await;
        let (id, _) = office.issue(&account, NewCredential::ApiToken).await;
        let owner = office.with_credential(&account, id);
        let viewer = office.with_role(home, BindingScope::Folder(home), Role::Viewer).await;
        for ctx in [&owner, &viewer] {
            assert_eq!(kms.credential(ctx, id).await.unwrap().record.id, id);
            assert_eq!(kms.credentials(ctx, account.id, None, 10).await.unwrap().items.len(), 1);
            assert!(is_denied(&kms.revoke_credential(ctx, id).await));
        }
        let stranger = office.as_caller(&office.account().await).await;
        let unknown = CredentialId::from_bytes([9; 16]);
        for (ctx, id) in [(&stranger, id), (office.root(), unknown), (&stranger, unknown)] {
            let Err(ServiceError::NotFound { what: Missing::Credential, id: named }) = kms.credential(ctx, id).await
            else {
                unreachable!("it may not be shown");
            };
            assert_eq!(named, id.to_string());
            assert!(is_missing(&kms.revoke_credential(ctx, id).await, Missing::Credential));
        }
        assert!(is_missing(&kms.credentials(&stranger, account.id, None, 10).await, Missing::Principal));
        let admin = office.with_role(home, BindingScope::Folder(home), Role::Admin).await;
        assert!(kms.revoke_credential(&admin, id).await.unwrap().record.revoked_at.is_some());
    });
}

#[test]
fn any_number_of_unknown_tokens_leave_readers_of_the_database_to_others() {
    let name = "any_number_of_unknown_tokens_leave_readers_of_the_database_to_others";
    in_own_process(module_path!(), name, async |core| {
        let office = Office::start(core).await;
        let store = &office.service.store;
        let looked_up = || store.take_reads().into_iter().filter(|read| *read == "credential").count();
        looked_up();
        let held = store.hold_credentials().await;
        let strangers: Vec<_> = (0..50)
            .map(|number| {
                let directory = office.kms().directory();
                tokio::spawn(async move { directory.by_token(&format!("clv1_{number}")).await })
            })
            .collect();
        let mut waiting = 0;
        while waiting < 2 {
            tokio::task::yield_now().await;
            waiting += looked_up();
        }
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(waiting + looked_up(), 2);
        assert_eq!(office.kms().folders(office.root(), None, 10).await.unwrap().items.len(), 1);
        drop(held);
        for stranger in strangers {
            assert_eq!(stranger.await.unwrap().unwrap(), Recognised::Refused(None));
        }
        assert_eq!(looked_up(), 48);
    });
}
