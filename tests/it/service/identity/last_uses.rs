//! When credentials were last used: noted in memory, written down by maintenance.

use super::{Office, Shown, every_kind, log_in};
use crate::service::in_own_process;
use claviger::domain::id::CredentialId;
use claviger::domain::time::Timestamp;
use claviger::service::identity::NewCredential;
use claviger::service::ports::Store;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

async fn last_use(office: &Office, id: CredentialId) -> Option<Timestamp> {
    let view = office.kms().credential(office.root(), id).await.unwrap();
    let listed = office.kms().credentials(office.root(), view.record.principal_id, None, 10).await.unwrap();
    let listed = listed.items.into_iter().find(|item| item.record.id == id).unwrap();
    assert_eq!(listed.last_used_at, view.last_used_at);
    view.last_used_at
}

/// As a client whose request is accepted.
async fn present(office: &Office, shown: &Shown) {
    assert!(office.accepts(shown).await);
    if let Shown::AccessKey { id, .. } = shown {
        let directory = office.kms().directory();
        directory.accepted(&directory.access_key(id).await.unwrap().in_force().unwrap());
    }
}

#[test]
fn the_last_use_of_every_kind_of_credential_is_shown_at_once_and_written_down() {
    let name = "the_last_use_of_every_kind_of_credential_is_shown_at_once_and_written_down";
    in_own_process(module_path!(), name, async |core| {
        let mut office = Office::start(core).await;
        let account = office.account().await;
        let mut all = Vec::new();
        for kind in every_kind(1) {
            let (id, shown) = office.issue(&account, kind).await;
            assert_eq!(last_use(&office, id).await, None);
            let used_at = office.kms().now();
            present(&office, &shown).await;
            assert_eq!(last_use(&office, id).await, Some(used_at), "before it is written");
            assert_eq!(office.service.store.last_used_at(id).await.unwrap(), None);
            office.service.clock.advance(MINUTE);
            all.push((id, shown, used_at));
        }
        office.kms().maintain().await.unwrap();
        office.service.restart();
        for (id, shown, used_at) in all {
            assert_eq!(last_use(&office, id).await, Some(used_at), "after a restart");
            present(&office, &shown).await;
            assert_eq!(last_use(&office, id).await, Some(office.kms().now()), "the later one of the two");
        }
    });
}

#[test]
fn a_use_is_written_down_once_a_minute_at_most() {
    in_own_process(module_path!(), "a_use_is_written_down_once_a_minute_at_most", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let (id, shown) = office.issue(&account, NewCredential::ApiToken).await;
        let first = office.kms().now();
        present(&office, &shown).await;
        office.kms().flush_uses().await.unwrap();
        office.service.clock.advance(MINUTE - Duration::from_micros(1));
        present(&office, &shown).await;
        office.kms().flush_uses().await.unwrap();
        assert_eq!(office.service.store.last_used_at(id).await.unwrap(), Some(first));
        office.service.clock.advance(Duration::from_micros(1));
        present(&office, &shown).await;
        office.kms().flush_uses().await.unwrap();
        assert_eq!(office.service.store.last_used_at(id).await.unwrap(), Some(first.plus(MINUTE)));
    });
}

#[test]
fn the_use_of_a_login_is_the_use_of_its_key() {
    in_own_process(module_path!(), "the_use_of_a_login_is_the_use_of_its_key", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let [.., key] = every_kind(1);
        let (kid, _) = office.issue(&account, key).await;
        let token = log_in(office.kms(), kid).await.unwrap();
        assert_eq!(last_use(&office, kid).await, Some(office.kms().now()));
        office.service.clock.advance(MINUTE);
        present(&office, &Shown::Token(token.text)).await;
        assert_eq!(last_use(&office, kid).await, Some(office.kms().now()));
    });
}

#[test]
fn what_is_refused_is_no_use_and_a_failure_to_write_loses_nothing() {
    in_own_process(module_path!(), "what_is_refused_is_no_use_and_a_failure_to_write_loses_nothing", async |core| {
        let office = Office::start(core).await;
        let account = office.account().await;
        let (id, shown) = office.issue(&account, NewCredential::ApiToken).await;
        let (other, never) = office.issue(&account, NewCredential::AccessKey).await;
        assert!(office.accepts(&never).await);
        assert_eq!(last_use(&office, other).await, None, "asked for, but no signature was verified");
        let used_at = office.kms().now();
        present(&office, &shown).await;
        office.service.store.cut_after(0);
        assert!(office.kms().flush_uses().await.is_err());
        office.service.store.cut_after(i64::MAX);
        office.revoke(id).await;
        office.service.clock.advance(MINUTE);
        assert!(!office.accepts(&shown).await);
        office.kms().flush_uses().await.unwrap();
        assert_eq!(office.service.store.last_used_at(id).await.unwrap(), Some(used_at));
    });
}
