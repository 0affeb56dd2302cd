//! Rotation on demand and by schedule.

use super::shapes::{date, shape};
use super::{Scene, encrypted, tag};
use crate::support::Home;
use crate::support::ncloud::{data, now, refused};
use serde_json::{Value, json};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn rotations_and_their_schedules_answer_what_is_documented() {
    let scene = Scene::start().await;
    tokio::join!(
        a_rotation_makes_the_next_version(&scene),
        a_schedule_begins_when_it_is_set(&scene),
        a_schedule_is_switched_on_and_off(&scene),
        a_schedule_that_is_on_already_goes_on(&scene),
        a_period_is_set_where_rotation_is_on(&scene),
        a_rotation_on_demand_leaves_the_schedule(&scene),
        a_disabled_key_keeps_its_schedule(&scene),
        a_revoked_key_has_no_schedule_until_it_is_back(&scene),
    );
}

/// Whether an instant is so many days after one of now and `before`.
#[track_caller]
fn assert_due(shown: &Value, days: i64, before: i64) {
    let begun = date(shown) - days * DAY_MS;
    assert!((before - 1..=now()).contains(&begun), "{shown} is not {days} days from now");
}

async fn shown(scene: &Scene, key: &str) -> Value {
    let key = data(&scene.admin.get(key).await);
    json!([key["isAutoRotation"], key["rotationPeriod"], key["nextRotationDate"]])
}

async fn a_rotation_makes_the_next_version(scene: &Scene) {
    for protection in ["BASIC", "COMMON_HSM"] {
        let key = scene.new_key(protection).await;
        for version in 2..=4 {
            let before = now();
            let answer = data(&scene.admin.act(&format!("{key}/rotate")).await);
            assert!((before - 1..=now()).contains(&date(&answer["rotatedDate"])), "{answer}");
            assert_eq!(answer["keyTag"], tag(&key));
            assert_eq!(shape(&answer), json!({"keyTag": "TAG", "version": version, "rotatedDate": "MS"}));
            assert_eq!(data(&scene.admin.get(&key).await)["currentVersion"], version);
            let sealed = encrypted(&scene.admin, &key, b"new").await;
            assert!(sealed.starts_with(&format!("ncpkms:v{version}:")), "{sealed}");
        }
    }
}

async fn a_schedule_begins_when_it_is_set(scene: &Scene) {
    for (members, days) in [
        (json!({"isAutoRotation": true}), 90),
        (json!({"isAutoRotation": true, "rotationPeriod": null}), 90),
        (json!({"isAutoRotation": true, "rotationPeriod": 1}), 1),
        (json!({"isAutoRotation": true, "rotationPeriod": 730}), 730),
    ] {
        let before = now();
        let key = scene.new_key_with(members).await;
        let shown = shown(scene, &key).await;
        assert_eq!((&shown[0], &shown[1]), (&json!(true), &json!(days)));
        assert_due(&shown[2], days, before);
    }
}

async fn a_schedule_is_switched_on_and_off(scene: &Scene) {
    let key = scene.new_key_with(json!({"isAutoRotation": true, "rotationPeriod": 7})).await;
    let off = data(&scene.admin.act(&format!("{key}/disable-auto-rotation")).await);
    assert_eq!(off, json!({"keyTag": tag(&key), "isAutoRotation": false}));
    assert_eq!(shown(scene, &key).await, json!([false, 0, null]));
    let again = data(&scene.admin.act(&format!("{key}/disable-auto-rotation")).await);
    assert_eq!(again, off);
    let before = now();
    let on = data(&scene.admin.act(&format!("{key}/enable-auto-rotation")).await);
    let next = on["nextRotationDate"].clone();
    let expected = json!({"keyTag": tag(&key), "isAutoRotation": true, "rotationPeriod": 90, "nextRotationDate": next});
    assert_eq!(on, expected, "the former period is forgotten");
    assert_due(&next, 90, before);
    assert_eq!(shown(scene, &key).await, json!([true, 90, next]));
}

async fn a_schedule_that_is_on_already_goes_on(scene: &Scene) {
    let key = scene.new_key_with(json!({"isAutoRotation": true, "rotationPeriod": 7})).await;
    let before = shown(scene, &key).await;
    let on = data(&scene.admin.act(&format!("{key}/enable-auto-rotation")).await);
    assert_eq!(json!([on["isAutoRotation"], on["rotationPeriod"], on["nextRotationDate"]]), before);
    assert_eq!(shown(scene, &key).await, before);
}

async fn a_period_is_set_where_rotation_is_on(scene: &Scene) {
    let key = scene.new_key_with(json!({"isAutoRotation": true})).await;
    let period = format!("{key}/rotation-period");
    for days in [1, 730, 30] {
        let before = now();
        let set = data(&scene.admin.put(&period, &json!({"rotationPeriod": days})).await);
        let next = set["nextRotationDate"].clone();
        assert_eq!(set, json!({"keyTag": tag(&key), "rotationPeriod": days, "nextRotationDate": next}));
        assert_due(&next, days, before);
        assert_eq!(shown(scene, &key).await, json!([true, days, next]));
    }
    for value in [json!(0), json!(731), json!(-1), json!(1.5), json!("90"), json!(true), json!([90]), json!(null)] {
        let answer = scene.admin.put(&period, &json!({"rotationPeriod": value})).await;
        assert!(refused(&answer, 400, "INVALID_REQUEST").contains("rotationPeriod"), "{value}");
    }
    let text = refused(&scene.admin.put(&period, &json!({})).await, 400, "INVALID_REQUEST");
    assert_eq!(text, "Invalid request: rotationPeriod is required");
    data(&scene.admin.act(&format!("{key}/disable-auto-rotation")).await);
    let text = refused(&scene.admin.put(&period, &json!({"rotationPeriod": 7})).await, 422, "UNPROCESSABLE_ENTITY");
    assert!(text.contains("automatic rotation is off"), "{text}");
    assert_eq!(shown(scene, &key).await, json!([false, 0, null]));
}

async fn a_rotation_on_demand_leaves_the_schedule(scene: &Scene) {
    let key = scene.new_key_with(json!({"isAutoRotation": true, "rotationPeriod": 7})).await;
    let before = shown(scene, &key).await;
    data(&scene.admin.act(&format!("{key}/rotate")).await);
    assert_eq!(shown(scene, &key).await, before);
}

async fn a_disabled_key_keeps_its_schedule(scene: &Scene) {
    let key = scene.new_key_with(json!({"isAutoRotation": true, "rotationPeriod": 7})).await;
    let before = shown(scene, &key).await;
    for action in ["disable", "enable"] {
        data(&scene.admin.act(&format!("{key}/{action}")).await);
        assert_eq!(shown(scene, &key).await, before, "{action}");
    }
}

async fn a_revoked_key_has_no_schedule_until_it_is_back(scene: &Scene) {
    let key = scene.new_key_with(json!({"isAutoRotation": true, "rotationPeriod": 7})).await;
    let before = shown(scene, &key).await;
    data(&scene.admin.act(&format!("{key}/request-deletion")).await);
    assert_eq!(shown(scene, &key).await, json!([false, 0, null]));
    data(&scene.admin.act(&format!("{key}/cancel-deletion")).await);
    assert_eq!(shown(scene, &key).await, before);
}

#[tokio::test]
async fn a_key_with_as_many_versions_as_there_may_be_is_not_rotated() {
    let scene = Scene::start_in(Home::new().with("CLAVIGER_LIMITS__MAX_VERSIONS_PER_KEY", "3")).await;
    let key = scene.new_key("BASIC").await;
    for version in [2, 3] {
        assert_eq!(data(&scene.admin.act(&format!("{key}/rotate")).await)["version"], version);
    }
    let text = refused(&scene.admin.act(&format!("{key}/rotate")).await, 422, "UNPROCESSABLE_ENTITY");
    assert!(text.contains('3'), "{text}");
    assert_eq!(data(&scene.admin.get(&key).await)["currentVersion"], 3);
    assert!(encrypted(&scene.admin, &key, b"still").await.starts_with("ncpkms:v3:"));
}
