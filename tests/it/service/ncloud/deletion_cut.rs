//! Deletion at once, when the process ends in between.

use super::*;
use crate::service::{DAY, in_own_process};
use claviger::domain::alias::AliasName;
use claviger::domain::key::KeyState;
use claviger::domain::version::VersionState;

/// Kills the process after each write in turn. Either nothing was begun, or the scheduler of the next process finishes it.
#[test]
fn a_deletion_at_once_that_is_cut_off_anywhere_is_finished_or_was_not_begun() {
    let name = "a_deletion_at_once_that_is_cut_off_anywhere_is_finished_or_was_not_begun";
    in_own_process(module_path!(), name, async |core| {
        let mut service = Service::start(core).await;
        let mut outcomes = Vec::new();
        for writes in 0..40 {
            let ctx = ncloud(&service);
            let named = CreateKey { key_name: Some(short_name("orders")), ..request(&service, Algorithm::Aes256Hsm) };
            let key = make(&service, &ctx, named).await;
            rotate(&service, &ctx, key).await;
            let alias = AliasName::new(&format!("alias/{writes}")).unwrap();
            service.kms.create_alias(&aws(&service), alias, key).await.unwrap();
            let sealed = encrypt(&service, &ctx, key, &EncryptionContext::Empty).await.unwrap().ciphertext;
            service.kms.maintain().await.unwrap();
            service.kms.delete_key(&ctx, key, Some(DAY * 3)).await.unwrap();

            service.store.cut_after(writes);
            let answered = service.kms.delete_key_at_once(&ctx, key).await;
            // What the call has not finished by now is cut off too.
            let versions = service.core.store.versions(key, None, 10).await.unwrap().items;
            let done = versions.iter().all(|row| matches!(row.value.state, VersionState::Destroyed { .. }));
            service.restart();
            let begun = matches!(stored(&service, key).await.state, KeyState::Deleted { .. });
            assert_eq!(answered.is_ok(), begun, "cut after {writes} writes: {answered:?}");
            if !begun {
                service.kms.restore_key(&ctx, key, None).await.unwrap();
                let opened = decrypt(&service, &ctx, key, &EncryptionContext::Empty, &sealed).await;
                assert_eq!(opened.unwrap(), TEXT, "nothing was begun");
                service.kms.delete_key(&ctx, key, Some(DAY * 3)).await.unwrap();
                service.kms.delete_key_at_once(&ctx, key).await.unwrap();
            }
            service.kms.maintain().await.unwrap();
            let again = service.kms.maintain().await.unwrap();
            assert_eq!((again.deleted, again.destroyed, again.failed), (0, 0, 0), "cut after {writes} writes");
            let versions = service.core.store.versions(key, None, 10).await.unwrap().items;
            assert_eq!(versions.len(), 2);
            assert!(versions.iter().all(|row| matches!(row.value.state, VersionState::Destroyed { .. })));
            assert_eq!(stored(&service, key).await.key_name, None);
            outcomes.push((begun, done));
            if done {
                break;
            }
        }
        assert_eq!(outcomes.first(), Some(&(false, false)));
        assert_eq!(outcomes.last(), Some(&(true, true)));
        let between = outcomes.iter().filter(|outcome| **outcome == (true, false)).count();
        assert!(between >= 4, "two versions begin and end: {outcomes:?}");
    });
}

/// A deletion that was answered is final: a clock that leaps afterwards does not keep the bytes.
#[test]
fn what_is_left_of_a_deletion_is_finished_also_while_destructions_are_held() {
    let name = "what_is_left_of_a_deletion_is_finished_also_while_destructions_are_held";
    in_own_process(module_path!(), name, async |core| {
        let mut service = Service::start(core).await;
        let ctx = ncloud(&service);
        let (key, other) = (new_key(&service, Algorithm::Aes256Hsm).await, new_key(&service, Algorithm::Aes256).await);
        service.kms.maintain().await.unwrap();
        for key in [key, other] {
            service.kms.delete_key(&ctx, key, Some(DAY)).await.unwrap();
        }
        // The power goes with the second write, which would begin the destruction of the version.
        service.store.cut_after(2);
        service.kms.delete_key_at_once(&ctx, key).await.unwrap();
        service.restart();
        service.clock.leap(DAY * 2);
        let report = service.kms.maintain().await.unwrap();
        assert!(report.held.is_some());
        assert_eq!((report.destroyed, report.deleted), (1, 0), "nothing that was only due");
        let versions = service.core.store.versions(key, None, 10).await.unwrap().items;
        assert!(versions.iter().all(|row| matches!(row.value.state, VersionState::Destroyed { .. })));
        assert!(matches!(stored(&service, other).await.state, KeyState::PendingDeletion { .. }));
    });
}
