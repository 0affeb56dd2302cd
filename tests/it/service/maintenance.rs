//! What is due happens, once, whatever happens to the process in between.

use super::{DAY, HOUR, Service, in_own_process, primary_of, settings};
use claviger::domain::algorithm::Algorithm;
use claviger::domain::error::StateError;
use claviger::domain::key::Switch;
use claviger::domain::time::Timestamp;
use claviger::domain::version::{VersionOrigin, VersionState};
use claviger::service::error::ServiceError;
use claviger::service::ports::{BootInstant, Clock, Due, Store};
use claviger::service::request::{KeyPatch, OnDemandRules};
use claviger::service::{Kms, KmsParts};
use claviger::testing::ManualClock;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn five_years_of_rotations_happen_once_each_and_old_ciphertexts_stay_readable() {
    in_own_process(
        module_path!(),
        "five_years_of_rotations_happen_once_each_and_old_ciphertexts_stay_readable",
        async |core| {
            let service = Service::start(core).await;
            let key = service.create(Algorithm::Aes256Hsm, Some(DAY * 30)).await;
            let first = service.encrypt(key, None).await.unwrap();
            for _ in 0..5 * 365 / 10 {
                service.clock.advance(DAY * 10);
                service.kms.maintain().await.unwrap();
                assert_eq!(service.kms.maintain().await.unwrap().rotated, 0, "a second wake finds nothing");
            }
            let versions = service.versions(key).await;
            assert_eq!(versions.len(), 1 + 5 * 365 / 10 * 10 / 30);
            assert_eq!(versions.iter().filter(|view| view.primary).count(), 1);
            assert!(versions[0].primary, "the newest version is primary");
            assert!(versions.iter().rev().skip(1).all(|view| view.version.origin == VersionOrigin::Automatic));
            assert_eq!(service.decrypt(key, &first).await.unwrap(), b"attack at dawn");
        },
    );
}

#[test]
fn a_long_downtime_is_caught_up_with_one_rotation() {
    in_own_process(module_path!(), "a_long_downtime_is_caught_up_with_one_rotation", async |core| {
        let mut service = Service::start(core).await;
        let key = service.create(Algorithm::Aes256, Some(DAY * 7)).await;
        service.kms.maintain().await.unwrap();
        service.clock.advance(DAY * 400);
        service.restart();
        assert_eq!(service.kms.maintain().await.unwrap().rotated, 1);
        assert_eq!(service.kms.maintain().await.unwrap().rotated, 0);
        assert_eq!(service.versions(key).await.len(), 2);
    });
}

#[test]
fn a_rotation_that_comes_due_while_the_key_is_off_fires_when_it_is_on() {
    in_own_process(
        module_path!(),
        "a_rotation_that_comes_due_while_the_key_is_off_fires_when_it_is_on",
        async |core| {
            let service = Service::start(core).await;
            let key = service.create(Algorithm::Aes256Hsm, Some(DAY * 2)).await;
            let switch = |switch| KeyPatch { switch: Some(switch), ..KeyPatch::default() };
            service.kms.update_key(&service.ctx, key, switch(Switch::Inactive)).await.unwrap();
            service.clock.advance(DAY * 3);
            assert_eq!(service.kms.maintain().await.unwrap().rotated, 0);
            service.kms.update_key(&service.ctx, key, switch(Switch::Active)).await.unwrap();
            assert_eq!(service.kms.maintain().await.unwrap().rotated, 1);
        },
    );
}

#[test]
fn a_version_is_destroyed_at_its_time_and_not_before() {
    in_own_process(module_path!(), "a_version_is_destroyed_at_its_time_and_not_before", async |core| {
        let service = Service::start(core).await;
        let key = service.create(Algorithm::Aes256Hsm, None).await;
        let old = service.primary(key).await;
        let ciphertext = service.encrypt(key, None).await.unwrap();
        service.kms.rotate_key(&service.ctx, key, OnDemandRules::default()).await.unwrap();
        service.kms.schedule_version_destruction(&service.ctx, key, old, Some(DAY * 2)).await.unwrap();
        service.clock.advance(DAY * 2 - Duration::from_micros(1));
        assert_eq!(service.kms.maintain().await.unwrap().destroyed, 0);
        service.kms.cancel_version_destruction(&service.ctx, key, old).await.unwrap();
        assert_eq!(service.decrypt(key, &ciphertext).await.unwrap(), b"attack at dawn", "cancelled in time");

        service.kms.schedule_version_destruction(&service.ctx, key, old, Some(DAY)).await.unwrap();
        let refused = service.decrypt(key, &ciphertext).await.unwrap_err();
        assert!(matches!(refused, ServiceError::State(StateError::VersionNotActive)), "{refused:?}");
        service.clock.advance(DAY);
        assert_eq!(service.kms.maintain().await.unwrap().destroyed, 1);
        let view = service.versions(key).await.pop().unwrap();
        assert!(matches!(view.version.state, VersionState::Destroyed { .. }), "destroyed versions stay listed");
        let refused = service.decrypt(key, &ciphertext).await.unwrap_err();
        assert!(matches!(refused, ServiceError::State(StateError::VersionDestroyed)), "{refused:?}");
        assert!(service.encrypt(key, None).await.is_ok(), "the primary version is not touched");
    });
}

#[test]
fn a_deleted_key_is_hidden_at_once_comes_back_and_is_gone_after_its_wait() {
    in_own_process(
        module_path!(),
        "a_deleted_key_is_hidden_at_once_comes_back_and_is_gone_after_its_wait",
        async |core| {
            let service = Service::start(core).await;
            let key = service.create(Algorithm::Aes256Hsm, None).await;
            let ciphertext = service.encrypt(key, None).await.unwrap();
            service.kms.delete_key(&service.ctx, key, None).await.unwrap();
            assert!(matches!(service.decrypt(key, &ciphertext).await, Err(ServiceError::NotFound { .. })));
            assert!(matches!(service.kms.key(&service.ctx, key).await, Err(ServiceError::NotFound { .. })));
            service.clock.advance(HOUR * 71);
            service.kms.maintain().await.unwrap();
            service.kms.restore_key(&service.ctx, key, None).await.unwrap();
            assert_eq!(service.decrypt(key, &ciphertext).await.unwrap(), b"attack at dawn");

            service.kms.rotate_key(&service.ctx, key, OnDemandRules::default()).await.unwrap();
            service.kms.delete_key(&service.ctx, key, None).await.unwrap();
            service.clock.advance(HOUR * 72);
            let report = service.kms.maintain().await.unwrap();
            assert_eq!((report.deleted, report.destroyed), (1, 2));
            assert!(matches!(service.kms.restore_key(&service.ctx, key, None).await, Err(ServiceError::State(_))));
        },
    );
}

#[test]
fn a_key_that_is_not_deleted_keeps_its_versions_whatever_the_work_lists_say() {
    in_own_process(
        module_path!(),
        "a_key_that_is_not_deleted_keeps_its_versions_whatever_the_work_lists_say",
        async |core| {
            let service = Service::start(core).await;
            let key = service.create(Algorithm::Aes256Hsm, None).await;
            let ciphertext = service.encrypt(key, None).await.unwrap();
            service.kms.delete_key(&service.ctx, key, None).await.unwrap();
            service.clock.advance(HOUR * 72);
            let due = service.store.due(service.kms.now(), 10).await.unwrap();
            assert_eq!(due.deletions, [key]);
            service.kms.restore_key(&service.ctx, key, None).await.unwrap();
            let planted = Due { unfinished_deletions: vec![key], ..Due::default() };
            for due in [due, planted] {
                service.store.plant_due(due);
                assert_eq!(service.kms.maintain().await.unwrap().destroyed, 0);
                assert_eq!(service.decrypt(key, &ciphertext).await.unwrap(), b"attack at dawn");
            }
        },
    );
}

/// Kills the process after each write of a maintenance run in turn; the next process must end in the same
/// state as if nothing had happened.
#[test]
fn maintenance_that_is_cut_off_anywhere_is_finished_exactly_once() {
    in_own_process(module_path!(), "maintenance_that_is_cut_off_anywhere_is_finished_exactly_once", async |core| {
        let mut cuts = 0;
        let mut service = Service::start(core).await;
        for writes in 1..40 {
            let rotated = service.create(Algorithm::Aes256Hsm, Some(DAY)).await;
            let deleted = service.create(Algorithm::Aes256, None).await;
            let key = service.create(Algorithm::Aes256Hsm, None).await;
            let old = service.primary(key).await;
            let rotation = service.kms.rotate_key(&service.ctx, key, OnDemandRules::default()).await.unwrap();
            service.kms.schedule_version_destruction(&service.ctx, key, old, Some(DAY)).await.unwrap();
            service.kms.delete_key(&service.ctx, deleted, None).await.unwrap();
            service.kms.maintain().await.unwrap();
            service.clock.advance(DAY * 3);

            service.store.cut_after(writes);
            let run = service.kms.maintain().await;
            let cut = run.is_err() || run.as_ref().is_ok_and(|report| report.failed > 0);
            service.restart();
            service.kms.maintain().await.unwrap();
            let again = service.kms.maintain().await.unwrap();
            assert_eq!((again.rotated, again.destroyed, again.deleted, again.failed), (0, 0, 0, 0), "cut {writes}");
            assert_eq!(service.versions(rotated).await.len(), 2, "rotated once, cut after {writes} writes");
            let states: Vec<_> = service.versions(key).await.into_iter().map(|view| view.version.state).collect();
            assert!(matches!(states[..], [VersionState::Active, VersionState::Destroyed { .. }]), "{states:?}");
            assert_eq!(service.primary(key).await, primary_of(&rotation));
            let left = service.store.versions(deleted, None, 10).await.unwrap().items;
            assert!(left.iter().all(|row| matches!(row.value.state, VersionState::Destroyed { .. })), "cut {writes}");
            let unscheduled = KeyPatch { rotation_period: Some(None), ..KeyPatch::default() };
            service.kms.update_key(&service.ctx, rotated, unscheduled).await.unwrap();
            if !cut {
                break;
            }
            cuts += 1;
        }
        assert!(cuts >= 6, "the run was cut at {cuts} places only");
    });
}

#[test]
fn a_leap_of_the_clock_holds_destruction_but_not_rotation_until_it_is_confirmed() {
    in_own_process(
        module_path!(),
        "a_leap_of_the_clock_holds_destruction_but_not_rotation_until_it_is_confirmed",
        async |core| {
            let service = Service::start(core).await;
            let key = service.create(Algorithm::Aes256Hsm, Some(DAY * 30)).await;
            let old = service.primary(key).await;
            service.kms.rotate_key(&service.ctx, key, OnDemandRules::default()).await.unwrap();
            service.kms.schedule_version_destruction(&service.ctx, key, old, Some(DAY)).await.unwrap();
            service.kms.maintain().await.unwrap();
            service.clock.leap(DAY * 60);
            let report = service.kms.maintain().await.unwrap();
            assert_eq!((report.destroyed, report.rotated), (0, 1));
            assert!(report.held.is_some() && service.kms.destructions_held().is_some());
            service.kms.confirm_clock(&service.ctx).await.unwrap();
            let report = service.kms.maintain().await.unwrap();
            assert_eq!((report.destroyed, report.held), (1, None));
        },
    );
}

/// A clock that is set forward right after somebody looked at it and at the time since the boot.
struct SetForwardOnceLookedAt {
    clock: Arc<ManualClock>,
    by: Mutex<Duration>,
}

impl Clock for SetForwardOnceLookedAt {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn boot(&self) -> BootInstant {
        let boot = self.clock.boot();
        self.clock.leap(std::mem::take(&mut *self.by.lock().unwrap()));
        boot
    }
}

#[test]
fn a_clock_that_is_set_forward_during_maintenance_destroys_nothing() {
    in_own_process(module_path!(), "a_clock_that_is_set_forward_during_maintenance_destroys_nothing", async |core| {
        let service = Service::start(core).await;
        let key = service.create(Algorithm::Aes256Hsm, None).await;
        let old = service.primary(key).await;
        service.kms.rotate_key(&service.ctx, key, OnDemandRules::default()).await.unwrap();
        service.kms.schedule_version_destruction(&service.ctx, key, old, Some(DAY)).await.unwrap();
        service.kms.maintain().await.unwrap();
        let clock = SetForwardOnceLookedAt { clock: Arc::clone(&service.clock), by: Mutex::new(DAY * 60) };
        let kms = Kms::new(KmsParts {
            store: Arc::clone(&service.store) as Arc<dyn Store>,
            token: Arc::clone(&service.core.token),
            clock: Arc::new(clock),
            ids: Arc::clone(&service.core.ids),
            login_key: zeroize::Zeroizing::new([9; 32]),
            settings: settings(),
        });
        for _ in 0..2 {
            assert_eq!(kms.maintain().await.unwrap().destroyed, 0);
        }
        assert!(kms.destructions_held().is_some());
    });
}

#[test]
fn a_hold_survives_a_restart() {
    in_own_process(module_path!(), "a_hold_survives_a_restart", async |core| {
        let mut service = Service::start(core).await;
        service.kms.maintain().await.unwrap();
        service.clock.leap(DAY);
        service.restart();
        assert!(service.kms.maintain().await.unwrap().held.is_some(), "found against the last heartbeat");
        service.restart();
        assert!(service.kms.maintain().await.unwrap().held.is_some(), "and kept");
    });
}
