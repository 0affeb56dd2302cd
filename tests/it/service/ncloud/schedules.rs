//! Months of rotation schedules that Ncloud owns, and what the others see and do of them.

use super::*;
use crate::service::{DAY, HOUR, in_own_process};
use claviger::domain::error::{StateError, ValueError};
use claviger::domain::key::{Requires, Switch};
use claviger::domain::schedule::RotationSchedule;
use claviger::domain::version::VersionOrigin;
use claviger::service::request::Reschedule;
use std::time::Duration;

fn every(period: Duration) -> KeyPatch {
    KeyPatch { rotation_period: Some(Some(period)), ..KeyPatch::default() }
}

fn switch(switch: Switch) -> KeyPatch {
    KeyPatch { switch: Some(switch), ..KeyPatch::default() }
}

async fn rotations(service: &Service) -> u32 {
    let report = service.kms.maintain().await.unwrap();
    assert_eq!(report.failed, 0);
    report.rotated
}

async fn schedule(service: &Service, key: KeyId) -> RotationSchedule {
    stored(service, key).await.rotation.unwrap()
}

#[test]
fn a_disabled_key_is_rotated_for_years_and_stays_disabled() {
    in_own_process(module_path!(), "a_disabled_key_is_rotated_for_years_and_stays_disabled", async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        let key = new_key(&service, Algorithm::Aes256Hsm).await;
        service.clock.advance(DAY * 100);
        let begin = service.kms.now();
        update(&service, &ctx, key, every(DAY * 90)).await.unwrap();
        assert_eq!(rotations(&service).await, 0, "the period begins when rotation is enabled");
        update(&service, &ctx, key, switch(Switch::Inactive)).await.unwrap();
        for number in 1..=12 {
            service.clock.advance(DAY * 90 - HOUR);
            assert_eq!(rotations(&service).await, 0, "an hour before number {number}");
            service.clock.advance(HOUR);
            assert_eq!(rotations(&service).await, 1, "number {number}");
            assert_eq!(schedule(&service, key).await.next_rotation_at, begin.plus(DAY * 90 * (number + 1)));
            let refused = encrypt(&service, &ctx, key, &EncryptionContext::Empty).await.map(drop);
            assert_state(refused, StateError::KeyInactive);
        }
        let all = service.versions(key).await;
        assert_eq!(all.iter().filter(|view| view.version.origin == VersionOrigin::Automatic).count(), 12);
        update(&service, &ctx, key, switch(Switch::Active)).await.unwrap();
        assert_eq!(encrypt(&service, &ctx, key, &EncryptionContext::Empty).await.unwrap().version_number, 13);
        assert_eq!(rotations(&service).await, 0, "nothing was put off");
    });
}

#[test]
fn schedules_of_the_others_wait_until_a_disabled_key_is_enabled() {
    in_own_process(module_path!(), "schedules_of_the_others_wait_until_a_disabled_key_is_enabled", async |core| {
        let service = Service::start(core).await;
        for owner in [yandex(&service), aws(&service)] {
            let key = new_key(&service, Algorithm::Aes256).await;
            update(&service, &owner, key, every(DAY * 90)).await.unwrap();
            // Whoever switches it, the owner's rules hold.
            update(&service, &ncloud(&service), key, switch(Switch::Inactive)).await.unwrap();
            service.clock.advance(DAY * 400);
            assert_eq!(rotations(&service).await, 0, "{:?}", owner.dialect);
            update(&service, &ncloud(&service), key, switch(Switch::Active)).await.unwrap();
            assert_eq!(rotations(&service).await, 1, "{:?}: once for all that was missed", owner.dialect);
            assert_eq!(rotations(&service).await, 0);
            assert_eq!(schedule(&service, key).await.owner, owner.dialect);
            let never = KeyPatch { rotation_period: Some(None), ..KeyPatch::default() };
            update(&service, &ncloud(&service), key, never).await.unwrap();
        }
    });
}

#[test]
fn rotations_by_hand_of_any_dialect_leave_the_date_where_it_is() {
    in_own_process(module_path!(), "rotations_by_hand_of_any_dialect_leave_the_date_where_it_is", async |core| {
        let service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256).await;
        update(&service, &ncloud(&service), key, every(DAY * 90)).await.unwrap();
        let planned = schedule(&service, key).await;
        for ctx in [ncloud(&service), yandex(&service), aws(&service)] {
            service.clock.advance(DAY * 20);
            rotate(&service, &ctx, key).await;
            assert_eq!(schedule(&service, key).await, planned, "{:?}", ctx.dialect);
            let shown = service.kms.key(&ctx, key).await.unwrap().key.rotation;
            assert_eq!(shown, Some(planned), "the others see it as it is");
        }
        service.clock.advance(DAY * 30);
        assert_eq!(rotations(&service).await, 1);
        assert_eq!(schedule(&service, key).await.next_rotation_at, planned.next_rotation_at.plus(DAY * 90));
    });
}

#[test]
fn a_schedule_follows_the_rules_of_who_set_it_last() {
    in_own_process(module_path!(), "a_schedule_follows_the_rules_of_who_set_it_last", async |core| {
        let service = Service::start(core).await;
        let key = new_key(&service, Algorithm::Aes256).await;
        let made = service.kms.now();
        service.clock.advance(DAY * 10);
        let now = service.kms.now();
        for (ctx, begin) in [(ncloud(&service), now), (yandex(&service), made), (aws(&service), now)] {
            update(&service, &ctx, key, every(DAY * 90)).await.unwrap();
            let expected =
                RotationSchedule { period: DAY * 90, next_rotation_at: begin.plus(DAY * 90), owner: ctx.dialect };
            assert_eq!(schedule(&service, key).await, expected);
        }
        update(&service, &ncloud(&service), key, every(DAY * 90)).await.unwrap();
        update(&service, &ncloud(&service), key, switch(Switch::Inactive)).await.unwrap();
        service.clock.advance(DAY * 90);
        assert_eq!(rotations(&service).await, 1, "it is Ncloud's again");
        update(&service, &yandex(&service), key, every(DAY * 90)).await.unwrap();
        service.clock.advance(DAY * 90);
        assert_eq!(rotations(&service).await, 0, "it is Yandex's, and the key is off");
    });
}

#[test]
fn switching_rotation_on_again_leaves_a_schedule_of_the_dialect_as_it_is() {
    let name = "switching_rotation_on_again_leaves_a_schedule_of_the_dialect_as_it_is";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        let key = new_key(&service, Algorithm::Aes256).await;
        let on = |days: u32| KeyPatch { reschedule: Reschedule::UnlessOwn, ..every(DAY * days) };
        update(&service, &ctx, key, on(90)).await.unwrap();
        let first = schedule(&service, key).await;
        service.clock.advance(DAY * 5);
        for days in [90, 30] {
            update(&service, &ctx, key, on(days)).await.unwrap();
            assert_eq!(schedule(&service, key).await, first, "{days}");
        }
        for other in [yandex(&service), aws(&service)] {
            update(&service, &other, key, every(DAY * 40)).await.unwrap();
            update(&service, &ctx, key, on(30)).await.unwrap();
            let taken = schedule(&service, key).await;
            assert_eq!((taken.owner, taken.period), (ctx.dialect, DAY * 30), "another's is taken over");
            assert_eq!(taken.next_rotation_at, service.kms.now().plus(DAY * 30));
        }
    });
}

#[test]
fn a_period_is_changed_where_rotation_is_on_only() {
    in_own_process(module_path!(), "a_period_is_changed_where_rotation_is_on_only", async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        let key = new_key(&service, Algorithm::Aes256).await;
        let change = |days: u32| KeyPatch { reschedule: Reschedule::IfOn, ..every(DAY * days) };
        assert_state(update(&service, &ctx, key, change(30)).await, StateError::RotationOff);
        assert_eq!(stored(&service, key).await.rotation, None);
        update(&service, &ctx, key, every(DAY * 90)).await.unwrap();
        service.clock.advance(DAY * 5);
        update(&service, &ctx, key, change(30)).await.unwrap();
        let changed = schedule(&service, key).await;
        assert_eq!((changed.period, changed.next_rotation_at), (DAY * 30, service.kms.now().plus(DAY * 30)));
        let refused = update(&service, &ctx, key, change(0)).await;
        assert!(matches!(refused, Err(ServiceError::Value(ValueError::RotationPeriod { .. }))), "{refused:?}");
        let never = KeyPatch { rotation_period: Some(None), reschedule: Reschedule::IfOn, ..KeyPatch::default() };
        update(&service, &ctx, key, never).await.unwrap();
        service.clock.advance(DAY * 400);
        assert_eq!(rotations(&service).await, 0);
        assert_state(update(&service, &ctx, key, change(30)).await, StateError::RotationOff);
    });
}

#[test]
fn a_leaving_key_is_not_rotated_and_a_restored_one_is_in_its_cycle_again() {
    let name = "a_leaving_key_is_not_rotated_and_a_restored_one_is_in_its_cycle_again";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let ctx = ncloud(&service);
        let key = new_key(&service, Algorithm::Aes256).await;
        update(&service, &ctx, key, every(DAY)).await.unwrap();
        service.kms.delete_key(&ctx, key, Some(DAY * 3)).await.unwrap();
        service.clock.advance(DAY * 2);
        assert_eq!(rotations(&service).await, 0);
        service.kms.restore_key(&ctx, key, Some(Switch::Inactive)).await.unwrap();
        assert_eq!(rotations(&service).await, 1, "overdue, and Ncloud's keys are rotated while they are off");
        assert_eq!(stored(&service, key).await.require(Requires::Inactive), Ok(()));
    });
}
