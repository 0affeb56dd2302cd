//! Years of rotation schedules that AWS owns, and schedules that change hands.

use super::aws_rules::{aws, key, make, switch};
use super::{DAY, HOUR, Service, in_own_process};
use claviger::domain::Dialect;
use claviger::domain::algorithm::Algorithm;
use claviger::domain::error::StateError;
use claviger::domain::id::KeyId;
use claviger::domain::key::Switch;
use claviger::domain::schedule::RotationSchedule;
use claviger::domain::time::Timestamp;
use claviger::domain::version::VersionOrigin;
use claviger::service::error::ServiceError;
use claviger::service::request::{KeyPatch, OnDemandRules, RequestContext};
use std::time::Duration;

const CLEAR: OnDemandRules =
    OnDemandRules { max_rotations: Some(25), keep_clear_of_schedule: Duration::from_secs(20 * 60) };

fn every(period: Duration) -> KeyPatch {
    KeyPatch { rotation_period: Some(Some(period)), ..KeyPatch::default() }
}

fn never() -> KeyPatch {
    KeyPatch { rotation_period: Some(None), ..KeyPatch::default() }
}

/// Rotations that fell due by now.
async fn rotations(service: &Service) -> u32 {
    service.kms.maintain().await.unwrap().rotated
}

async fn schedule(service: &Service, ctx: &RequestContext, id: KeyId) -> RotationSchedule {
    key(service, ctx, id).await.rotation.unwrap()
}

async fn next(service: &Service, ctx: &RequestContext, id: KeyId) -> Timestamp {
    schedule(service, ctx, id).await.next_rotation_at
}

#[test]
fn a_period_of_ninety_days_fires_on_its_days_for_years() {
    in_own_process(module_path!(), "a_period_of_ninety_days_fires_on_its_days_for_years", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let id = make(&service, &ctx).await;
        service.clock.advance(DAY * 200);
        service.kms.update_key(&ctx, id, every(DAY * 90)).await.unwrap();
        let begin = service.kms.now();
        assert_eq!(rotations(&service).await, 0, "the period begins when rotation is enabled");
        for number in 1..=20 {
            service.clock.advance(DAY * 90 - HOUR);
            assert_eq!(rotations(&service).await, 0, "an hour before number {number}");
            service.clock.advance(HOUR);
            assert_eq!(rotations(&service).await, 1, "number {number}");
            assert_eq!(next(&service, &ctx, id).await, begin.plus(DAY * 90 * (number + 1)));
        }
        let versions = service.versions(id).await;
        assert_eq!(versions.iter().filter(|view| view.version.origin == VersionOrigin::Automatic).count(), 20);
        service.kms.update_key(&ctx, id, never()).await.unwrap();
        service.clock.advance(DAY * 2560);
        assert_eq!(rotations(&service).await, 0);
    });
}

#[test]
fn a_disabled_key_is_not_rotated_and_one_that_is_overdue_is_when_it_is_enabled() {
    let name = "a_disabled_key_is_not_rotated_and_one_that_is_overdue_is_when_it_is_enabled";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let id = make(&service, &ctx).await;
        service.kms.update_key(&ctx, id, every(DAY * 90)).await.unwrap();
        let planned = next(&service, &ctx, id).await;
        service.kms.update_key(&ctx, id, switch(Switch::Inactive)).await.unwrap();
        service.clock.advance(DAY * 30);
        service.kms.update_key(&ctx, id, switch(Switch::Active)).await.unwrap();
        assert_eq!(rotations(&service).await, 0, "enabled in time, it goes on as before");
        assert_eq!(next(&service, &ctx, id).await, planned);

        service.kms.update_key(&ctx, id, switch(Switch::Inactive)).await.unwrap();
        service.clock.advance(DAY * 400);
        assert_eq!(rotations(&service).await, 0);
        assert_eq!(next(&service, &ctx, id).await, planned, "the date stays while it is disabled");
        service.kms.update_key(&ctx, id, switch(Switch::Active)).await.unwrap();
        assert_eq!(rotations(&service).await, 1, "once, not for every date that was missed");
        assert_eq!(rotations(&service).await, 0);
        assert_eq!(next(&service, &ctx, id).await, service.kms.now().plus(DAY * 90));
    });
}

#[test]
fn a_key_pending_deletion_is_not_rotated_until_it_is_back_and_enabled() {
    in_own_process(
        module_path!(),
        "a_key_pending_deletion_is_not_rotated_until_it_is_back_and_enabled",
        async |core| {
            let service = Service::start(core).await;
            let ctx = aws(&service);
            let id = make(&service, &ctx).await;
            service.kms.update_key(&ctx, id, every(DAY * 90)).await.unwrap();
            service.clock.advance(DAY * 89);
            service.kms.delete_key(&ctx, id, Some(DAY * 30)).await.unwrap();
            service.clock.advance(DAY * 29);
            assert_eq!(rotations(&service).await, 0);
            service.kms.restore_key(&ctx, id, Some(Switch::Inactive)).await.unwrap();
            assert_eq!(rotations(&service).await, 0, "a restored key is disabled");
            service.kms.update_key(&ctx, id, switch(Switch::Active)).await.unwrap();
            assert_eq!(rotations(&service).await, 1);
        },
    );
}

#[test]
fn a_rotation_on_demand_keeps_the_date_that_aws_has_set_and_moves_a_native_one() {
    let name = "a_rotation_on_demand_keeps_the_date_that_aws_has_set_and_moves_a_native_one";
    in_own_process(module_path!(), name, async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let id = make(&service, &ctx).await;
        service.kms.update_key(&ctx, id, every(DAY * 90)).await.unwrap();
        let planned = next(&service, &ctx, id).await;
        service.clock.advance(DAY * 60);
        for by in [&ctx, &service.ctx] {
            service.kms.rotate_key(by, id, CLEAR).await.unwrap();
            assert_eq!(next(&service, &ctx, id).await, planned, "{:?}", by.dialect);
        }
        service.clock.advance(DAY * 30);
        assert_eq!(rotations(&service).await, 1);

        let native = service.create(Algorithm::Aes256, Some(DAY * 90)).await;
        service.clock.advance(DAY * 60);
        service.kms.rotate_key(&ctx, native, CLEAR).await.unwrap();
        assert_eq!(next(&service, &ctx, native).await, service.kms.now().plus(DAY * 90));
    });
}

#[test]
fn no_rotation_on_demand_is_made_shortly_before_that_of_the_schedule() {
    in_own_process(module_path!(), "no_rotation_on_demand_is_made_shortly_before_that_of_the_schedule", async |core| {
        let service = Service::start(core).await;
        let ctx = aws(&service);
        let id = make(&service, &ctx).await;
        service.kms.update_key(&ctx, id, every(DAY * 90)).await.unwrap();
        let rotate = async |rules| service.kms.rotate_key(&ctx, id, rules).await;
        service.clock.advance(DAY * 90 - CLEAR.keep_clear_of_schedule - Duration::from_secs(1));
        rotate(CLEAR).await.unwrap();
        for wait in [1, 20 * 60, 60] {
            // Within the time, on the date, and overdue because nothing has looked at it yet.
            service.clock.advance(Duration::from_secs(wait));
            let refused = rotate(CLEAR).await.unwrap_err();
            assert!(matches!(refused, ServiceError::State(StateError::RotationImminent)), "{refused:?}");
        }
        rotate(OnDemandRules::default()).await.unwrap();
        service.kms.update_key(&ctx, id, switch(Switch::Inactive)).await.unwrap();
        let refused = rotate(CLEAR).await.unwrap_err();
        assert!(matches!(refused, ServiceError::State(StateError::KeyInactive)), "{refused:?}");
        service.kms.update_key(&ctx, id, switch(Switch::Active)).await.unwrap();
        assert_eq!(rotations(&service).await, 1);
        rotate(CLEAR).await.unwrap();
        service.kms.update_key(&ctx, id, never()).await.unwrap();
        rotate(CLEAR).await.unwrap();
    });
}

#[test]
fn the_dialect_that_sets_a_schedule_owns_it_from_then_on() {
    in_own_process(module_path!(), "the_dialect_that_sets_a_schedule_owns_it_from_then_on", async |core| {
        let service = Service::start(core).await;
        let (ctx, native) = (aws(&service), service.ctx.clone());
        let id = service.create(Algorithm::Aes256, Some(DAY * 100)).await;
        let made = service.kms.now();
        let set = async |by: &RequestContext, days: u32| {
            service.kms.update_key(by, id, every(DAY * days)).await.unwrap();
            schedule(&service, by, id).await
        };
        let expected = |owner, days, from: Timestamp| RotationSchedule {
            period: DAY * days,
            next_rotation_at: from.plus(DAY * days),
            owner,
        };
        service.clock.advance(DAY * 40);
        let enabled = service.kms.now();
        assert_eq!(set(&ctx, 100).await, expected(Dialect::Aws, 100, enabled), "the same period, another owner");
        service.clock.advance(DAY);
        assert_eq!(set(&ctx, 100).await, expected(Dialect::Aws, 100, enabled), "enabled again as it was");
        assert_eq!(set(&ctx, 365).await, expected(Dialect::Aws, 365, service.kms.now()), "another period");
        assert_eq!(set(&native, 365).await, expected(Dialect::Yandex, 365, made), "by the last rotation");
        // Other changes do not touch it.
        service.kms.update_key(&ctx, id, switch(Switch::Active)).await.unwrap();
        assert_eq!(schedule(&service, &ctx, id).await.owner, Dialect::Yandex);
        service.kms.update_key(&ctx, id, never()).await.unwrap();
        assert_eq!(key(&service, &native, id).await.rotation, None);
        assert_eq!(set(&native, 100).await, expected(Dialect::Yandex, 100, made), "as if it had never been off");
        service.kms.update_key(&ctx, id, every(DAY * 100)).await.unwrap();
        service.kms.update_key(&native, id, never()).await.unwrap();
        assert_eq!(key(&service, &ctx, id).await.rotation, None);
        let short = service.kms.update_key(&ctx, id, every(HOUR)).await.unwrap_err();
        assert!(matches!(short, ServiceError::Value(_)), "{short:?}");
    });
}
