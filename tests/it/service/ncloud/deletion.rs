//! Deletion at once, of keys that were made in each dialect.

use super::*;
use crate::service::{DAY, HOUR, in_own_process};
use claviger::domain::alias::AliasName;
use claviger::domain::error::StateError;
use claviger::domain::key::KeyState;
use claviger::domain::operation::OperationKind;
use claviger::domain::version::VersionState;
use claviger::service::ports::KeyFilter;
use claviger::service::request::KeyName;
use std::time::Duration;

async fn make_in(service: &Service, ctx: &RequestContext) -> KeyId {
    make(service, ctx, request(service, Algorithm::Aes256Hsm)).await
}

async fn request_deletion(service: &Service, key: KeyId) {
    service.kms.delete_key(&ncloud(service), key, Some(DAY * 3)).await.unwrap();
}

async fn at_once(service: &Service, key: KeyId) -> Result<(), ServiceError> {
    service.kms.delete_key_at_once(&ncloud(service), key).await
}

/// Whether these bytes are in the database file or beside it.
fn is_on_disk(service: &Service, wanted: &[u8]) -> bool {
    let database = service.core.database.display().to_string();
    let files = ["", "-wal", "-journal"].map(|suffix| std::fs::read(format!("{database}{suffix}")).unwrap_or_default());
    files.iter().any(|bytes| bytes.windows(wanted.len()).any(|window| window == wanted))
}

/// The middle of each version's material.
async fn pieces(service: &Service, key: KeyId) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    for view in service.versions(key).await {
        let found = service.core.store.material(key, view.version.id).await.unwrap().unwrap();
        let bytes = found.sealed.unwrap().bytes;
        pieces.push(bytes[bytes.len() / 2 - 8..bytes.len() / 2 + 8].to_vec());
    }
    pieces
}

#[test]
fn an_ncloud_key_is_gone_with_its_bytes_its_name_and_its_aliases_when_that_is_answered() {
    let name = "an_ncloud_key_is_gone_with_its_bytes_its_name_and_its_aliases_when_that_is_answered";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        for algorithm in Algorithm::ALL {
            let request = CreateKey { key_name: Some(short_name("orders")), ..request(&service, algorithm) };
            let key = make(&service, &ctx, request).await;
            rotate(&service, &ctx, key).await;
            let alias = AliasName::new("alias/orders").unwrap();
            service.kms.create_alias(&aws(&service), alias.clone(), key).await.unwrap();
            let pieces = pieces(&service, key).await;
            assert!(pieces.len() == 2 && pieces.iter().all(|piece| is_on_disk(&service, piece)));
            request_deletion(&service, key).await;
            service.clock.advance(HOUR);
            at_once(&service, key).await.unwrap();
            assert!(!pieces.iter().any(|piece| is_on_disk(&service, piece)), "{algorithm:?}");
            let versions = service.core.store.versions(key, None, 10).await.unwrap().items;
            assert!(versions.iter().all(|row| matches!(row.value.state, VersionState::Destroyed { .. })));
            for ctx in [ncloud(&service), yandex(&service), aws(&service)] {
                let hidden = service.kms.key(&ctx, key).await.map(drop);
                assert!(matches!(hidden, Err(ServiceError::NotFound { .. })), "{hidden:?}");
            }
            let filter = KeyFilter { region: None, pending_deletion: true };
            let listed = service.core.store.keys_at(ctx.caller.folder_id, filter, 0, 10).await.unwrap();
            assert_eq!(listed.total, 0);
            let account = service.kms.account_of(ctx.caller.folder_id).await.unwrap();
            let located = service.kms.locate(&aws(&service), &KeyName::Alias(account, alias)).await.map(drop);
            assert!(matches!(located, Err(ServiceError::NotFound { .. })), "{located:?}");
            let record = service.core.store.operations(key, None, 1).await.unwrap().items.remove(0);
            assert_eq!((record.kind, record.created_by), (OperationKind::DeleteKey, Some(ctx.caller.principal_id)));
            let report = service.kms.maintain().await.unwrap();
            assert_eq!((report.deleted, report.destroyed, report.failed), (0, 0, 0), "nothing was left to do");
        }
    });
}

#[test]
fn keys_of_other_dialects_are_deleted_at_once_when_their_own_wait_is_over() {
    in_own_process(
        module_path!(),
        "keys_of_other_dialects_are_deleted_at_once_when_their_own_wait_is_over",
        async |core| {
            let service = Service::start(core).await;
            for (maker, floor) in [(yandex(&service), DAY), (aws(&service), DAY * 7)] {
                let key = make_in(&service, &maker).await;
                service.kms.maintain().await.unwrap();
                service.kms.delete_key(&ncloud(&service), key, Some(DAY * 30)).await.unwrap();
                for wait in [Duration::ZERO, floor - Duration::from_micros(1)] {
                    service.clock.advance(wait);
                    assert_state(at_once(&service, key).await, StateError::DestructionWait);
                }
                assert!(matches!(stored(&service, key).await.state, KeyState::PendingDeletion { .. }));
                service.clock.advance(Duration::from_micros(1));
                at_once(&service, key).await.unwrap();
                assert!(matches!(stored(&service, key).await.state, KeyState::Deleted { .. }));
            }
        },
    );
}

#[test]
fn only_a_requested_deletion_is_hastened_and_no_protected_one() {
    in_own_process(module_path!(), "only_a_requested_deletion_is_hastened_and_no_protected_one", async |core| {
        let service = Service::start(core).await;
        let key = make_in(&service, &ncloud(&service)).await;
        assert_state(at_once(&service, key).await, StateError::KeyNotPendingDeletion);
        let protect = |on| KeyPatch { deletion_protection: Some(on), ..KeyPatch::default() };
        update(&service, &service.ctx, key, protect(true)).await.unwrap();
        let refused = service.kms.delete_key(&ncloud(&service), key, Some(DAY)).await.map(drop);
        assert_state(refused, StateError::DeletionProtected);
        update(&service, &service.ctx, key, protect(false)).await.unwrap();
        request_deletion(&service, key).await;
        service.kms.restore_key(&ncloud(&service), key, None).await.unwrap();
        assert_state(at_once(&service, key).await, StateError::KeyNotPendingDeletion);
        request_deletion(&service, key).await;
        let natively = service.kms.delete_key_at_once(&yandex(&service), key).await;
        assert!(matches!(natively, Err(ServiceError::NotFound { .. })), "it is hidden there: {natively:?}");
        at_once(&service, key).await.unwrap();
        assert!(matches!(at_once(&service, key).await, Err(ServiceError::NotFound { .. })));
    });
}

#[test]
fn a_clock_that_was_set_forward_ends_no_wait() {
    in_own_process(module_path!(), "a_clock_that_was_set_forward_ends_no_wait", async |core| {
        let service = Service::start(core).await;
        let native = make_in(&service, &yandex(&service)).await;
        let own = make_in(&service, &ncloud(&service)).await;
        service.kms.maintain().await.unwrap();
        for key in [native, own] {
            request_deletion(&service, key).await;
        }
        service.clock.leap(DAY * 2);
        // Nobody has looked at the clock since.
        for _ in 0..2 {
            assert_state(at_once(&service, native).await, StateError::DestructionsHeld);
            assert!(service.kms.destructions_held().is_some());
        }
        assert!(matches!(stored(&service, native).await.state, KeyState::PendingDeletion { .. }));
        at_once(&service, own).await.unwrap();
        service.kms.confirm_clock(&service.ctx).await.unwrap();
        at_once(&service, native).await.unwrap();
    });
}

#[test]
fn who_may_not_delete_the_key_does_not_hasten_it() {
    in_own_process(module_path!(), "who_may_not_delete_the_key_does_not_hasten_it", async |core| {
        use claviger::domain::access::{BindingDelta, PrincipalKind, Role};
        use claviger::service::ports::BindingScope;
        let service = Service::start(core).await;
        let key = make_in(&service, &ncloud(&service)).await;
        request_deletion(&service, key).await;
        let folder = service.ctx.caller.folder_id;
        let person = crate::service::access::person(&service, folder, PrincipalKind::User).await;
        let viewer = RequestContext { dialect: claviger::domain::Dialect::Ncloud, ..person };
        assert!(matches!(service.kms.delete_key_at_once(&viewer, key).await, Err(ServiceError::NotFound { .. })));
        let delta = BindingDelta::Add(crate::service::access::binding(Role::Viewer, &viewer));
        service.kms.update_access_bindings(&service.ctx, BindingScope::Folder(folder), vec![delta]).await.unwrap();
        assert!(matches!(service.kms.delete_key_at_once(&viewer, key).await, Err(ServiceError::Denied)));
    });
}

#[test]
fn a_deletion_that_another_change_of_the_same_rows_came_before_is_made_anew() {
    let name = "a_deletion_that_another_change_of_the_same_rows_came_before_is_made_anew";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let key = make_in(&service, &ncloud(&service)).await;
        request_deletion(&service, key).await;
        service.store.plant_conflicts(2);
        at_once(&service, key).await.unwrap();
        assert!(matches!(stored(&service, key).await.state, KeyState::Deleted { .. }));
    });
}

#[test]
fn of_a_restore_and_a_deletion_that_meet_one_holds() {
    in_own_process(module_path!(), "of_a_restore_and_a_deletion_that_meet_one_holds", async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        for _ in 0..10 {
            let key = make_in(&service, &ctx).await;
            let sealed = encrypt(&service, &ctx, key, &EncryptionContext::Empty).await.unwrap().ciphertext;
            request_deletion(&service, key).await;
            service.clock.advance(HOUR);
            let (restored, deleted) =
                tokio::join!(service.kms.restore_key(&ctx, key, None), service.kms.delete_key_at_once(&ctx, key));
            assert!(restored.is_ok() != deleted.is_ok(), "{restored:?} {deleted:?}");
            let opened = decrypt(&service, &ctx, key, &EncryptionContext::Empty, &sealed).await;
            assert_eq!(opened.is_ok(), restored.is_ok(), "{opened:?}");
        }
    });
}

#[test]
fn no_byte_is_left_when_a_deletion_is_answered_though_the_scheduler_works_on_the_same_versions() {
    let name = "no_byte_is_left_when_a_deletion_is_answered_though_the_scheduler_works_on_the_same_versions";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        for _ in 0..3 {
            let key = make_in(&service, &ncloud(&service)).await;
            for _ in 0..12 {
                rotate(&service, &ncloud(&service), key).await;
            }
            let pieces = pieces(&service, key).await;
            request_deletion(&service, key).await;
            let delete = async {
                at_once(&service, key).await.unwrap();
                pieces.iter().any(|piece| is_on_disk(&service, piece))
            };
            let schedule = async {
                loop {
                    service.kms.schedule_changed().await;
                    service.kms.maintain().await.unwrap();
                }
            };
            let left =
                tokio::select! { biased; left = delete => left, () = schedule => unreachable!("it does not end") };
            assert!(!left, "the answer says that they are gone");
        }
    });
}
