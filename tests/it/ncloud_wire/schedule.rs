//! Rotation schedules of one key in three dialects: who set one last, whose rules it has.

use super::three::{Dialect, Trio};
use super::uses::{encrypted_with, parts};
use super::{Scene, key_id};
use crate::support::Home;
use crate::support::ncloud::{b64, data, now, refused};
use crate::wire::until;
use serde_json::{Value, json};

const DAY: i64 = 24 * 3_600_000;

#[tokio::test]
async fn schedules_are_seen_and_taken_over_by_every_dialect() {
    let scene = Scene::start().await;
    let trio = Trio::of(&scene);
    tokio::join!(
        a_schedule_of_ours_is_seen_elsewhere(&trio),
        a_native_schedule_is_shown_in_whole_days_and_taken_over(&trio),
        a_schedule_of_aws_is_shown_and_taken_over(&trio),
        the_owner_decides_whether_a_rotation_moves_the_date(&trio),
        whoever_ends_a_schedule_ends_it_everywhere(&trio),
    );
}

#[tokio::test]
async fn due_rotations_of_other_dialects_follow_their_rules() {
    let home =
        Home::new().with("CLAVIGER_LIMITS__MIN_ROTATION_PERIOD", "1s").with("CLAVIGER_SCHEDULER__INTERVAL", "1s");
    let scene = Scene::start_in(home).await;
    let trio = Trio::of(&scene);
    tokio::join!(
        a_native_schedule_waits_until_the_key_is_enabled(&trio),
        a_schedule_keeps_a_convergent_key_convergent(&trio),
        an_overdue_schedule_that_is_taken_over_begins_anew(&trio),
    );
}

/// What each dialect shows of a schedule: days, and the date in milliseconds where it shows one.
async fn assert_shown(trio: &Trio<'_>, id: &str, days: i64) -> i64 {
    let ours = trio.shown(id).await;
    assert_eq!((&ours["isAutoRotation"], &ours["rotationPeriod"]), (&json!(true), &json!(days)), "{ours}");
    let date = ours["nextRotationDate"].as_i64().unwrap();
    let aws = aws(trio, id).await;
    assert_eq!((&aws["KeyRotationEnabled"], &aws["RotationPeriodInDays"]), (&json!(true), &json!(days)), "{aws}");
    assert!((aws["NextRotationDate"].as_f64().unwrap() * 1000.0 - date as f64).abs() < 1.0, "{aws} {date}");
    date
}

async fn assert_off(trio: &Trio<'_>, id: &str) {
    let ours = trio.shown(id).await;
    let expected = (&json!(false), &json!(0), &Value::Null);
    assert_eq!((&ours["isAutoRotation"], &ours["rotationPeriod"], &ours["nextRotationDate"]), expected);
    let aws = aws(trio, id).await;
    assert_eq!((&aws["KeyRotationEnabled"], aws.get("NextRotationDate")), (&json!(false), None), "{aws}");
    assert_eq!(trio.rest.get(&format!("/kms/v1/keys/{id}")).await.ok().get("rotationPeriod"), None);
}

async fn aws(trio: &Trio<'_>, id: &str) -> Value {
    trio.raw.call("GetKeyRotationStatus", &json!({"KeyId": id})).await.ok()
}

/// Sets the native period, or ends the schedule.
async fn natively(trio: &Trio<'_>, id: &str, period: Value) {
    let body = json!({"updateMask": "rotationPeriod", "rotationPeriod": period});
    trio.rest.patch(&format!("/kms/v1/keys/{id}"), &body).await.ok();
}

async fn native_period(trio: &Trio<'_>, id: &str) -> Value {
    trio.rest.get(&format!("/kms/v1/keys/{id}")).await.ok()["rotationPeriod"].clone()
}

/// Does something, after which the next rotation is so many days from that moment.
async fn from_now(trio: &Trio<'_>, id: &str, days: i64, act: impl AsyncFnOnce()) -> i64 {
    let before = now();
    act().await;
    let after = now();
    let date = assert_shown(trio, id, days).await;
    assert!((before - 1..=after).contains(&(date - days * DAY)), "{before} {date} {after}");
    date
}

async fn enable(trio: &Trio<'_>, id: &str) -> Value {
    data(&trio.ncloud.act(&format!("{}/enable-auto-rotation", trio.path(id))).await)
}

async fn set_period(trio: &Trio<'_>, id: &str, days: i64) -> Value {
    let body = json!({"rotationPeriod": days});
    data(&trio.ncloud.put(&format!("{}/rotation-period", trio.path(id)), &body).await)
}

async fn a_schedule_of_ours_is_seen_elsewhere(trio: &Trio<'_>) {
    let members = json!({"isAutoRotation": true, "rotationPeriod": 30});
    let id = key_id(&trio.scene.new_key_with(members).await);
    let date = assert_shown(trio, &id, 30).await;
    assert_eq!(native_period(trio, &id).await, "2592000s");
    let again = enable(trio, &id).await;
    let expected =
        json!({"keyTag": id.replace('-', ""), "isAutoRotation": true, "rotationPeriod": 30, "nextRotationDate": date});
    assert_eq!(again, expected, "ours already: it stays as it is");
    assert_eq!(assert_shown(trio, &id, 30).await, date);
    let date = from_now(trio, &id, 730, async || drop(set_period(trio, &id, 730).await)).await;
    assert_eq!(native_period(trio, &id).await, "63072000s");
    assert_eq!(enable(trio, &id).await["nextRotationDate"], date);
    assert_eq!(assert_shown(trio, &id, 730).await, date);
}

async fn a_native_schedule_is_shown_in_whole_days_and_taken_over(trio: &Trio<'_>) {
    let id = trio.native_key("AES_256_HSM").await;
    assert_off(trio, &id).await;
    refused(
        &trio.ncloud.put(&format!("{}/rotation-period", trio.path(&id)), &json!({"rotationPeriod": 7})).await,
        422,
        "UNPROCESSABLE_ENTITY",
    );
    // One second more than two days is shown as three.
    for (period, days) in [("86400s", 1), ("172800s", 2), ("172801s", 3)] {
        natively(trio, &id, json!(period)).await;
        let date = assert_shown(trio, &id, days).await;
        let seconds: i64 = period.trim_end_matches('s').parse().unwrap();
        let made = trio.shown(&id).await["registerDate"].as_i64().unwrap();
        assert_eq!(date, made + seconds * 1000, "counted from the last rotation, and not rounded");
    }
    let date = from_now(trio, &id, 90, async || drop(enable(trio, &id).await)).await;
    assert_eq!(native_period(trio, &id).await, "7776000s");
    assert_eq!(enable(trio, &id).await["nextRotationDate"], date, "ours from now on");
    natively(trio, &id, json!("172800s")).await;
    from_now(trio, &id, 5, async || drop(set_period(trio, &id, 5).await)).await;
    assert_eq!(native_period(trio, &id).await, "432000s");
}

async fn a_schedule_of_aws_is_shown_and_taken_over(trio: &Trio<'_>) {
    let id = trio.aws_key().await;
    let by_aws = async |days: i64| {
        let body = json!({"KeyId": id, "RotationPeriodInDays": days});
        assert_eq!(trio.raw.call("EnableKeyRotation", &body).await.status, 200);
    };
    from_now(trio, &id, 2560, async || by_aws(2560).await).await;
    assert_eq!(native_period(trio, &id).await, "221184000s");
    let date = from_now(trio, &id, 90, async || drop(enable(trio, &id).await)).await;
    assert_eq!(enable(trio, &id).await["nextRotationDate"], date, "ours from now on");
    // AWS takes it back: the same period is another schedule.
    from_now(trio, &id, 90, async || by_aws(90).await).await;
    from_now(trio, &id, 90, async || drop(enable(trio, &id).await)).await;
    from_now(trio, &id, 100, async || by_aws(100).await).await;
    from_now(trio, &id, 1, async || drop(set_period(trio, &id, 1).await)).await;
}

async fn the_owner_decides_whether_a_rotation_moves_the_date(trio: &Trio<'_>) {
    let id = key_id(&trio.scene.new_key_with(json!({"isAutoRotation": true})).await);
    let date = assert_shown(trio, &id, 90).await;
    for by in Dialect::ALL {
        trio.rotate(by, &id).await;
        assert_eq!(assert_shown(trio, &id, 90).await, date, "of ours: {by:?}");
    }
    natively(trio, &id, json!("7776000s")).await;
    for by in Dialect::ALL {
        let before = assert_shown(trio, &id, 90).await;
        trio.rotate(by, &id).await;
        assert!(assert_shown(trio, &id, 90).await > before, "natively: {by:?}");
    }
}

async fn whoever_ends_a_schedule_ends_it_everywhere(trio: &Trio<'_>) {
    for by in Dialect::ALL {
        let id = key_id(&trio.scene.new_key_with(json!({"isAutoRotation": true, "rotationPeriod": 7})).await);
        assert_shown(trio, &id, 7).await;
        match by {
            Dialect::Native => natively(trio, &id, Value::Null).await,
            Dialect::Aws => {
                assert_eq!(trio.raw.call("DisableKeyRotation", &json!({"KeyId": id})).await.status, 200);
            }
            Dialect::Ncloud => {
                let off = data(&trio.ncloud.act(&format!("{}/disable-auto-rotation", trio.path(&id))).await);
                assert_eq!(off, json!({"keyTag": id.replace('-', ""), "isAutoRotation": false}));
            }
        }
        assert_off(trio, &id).await;
        assert_eq!(enable(trio, &id).await["rotationPeriod"], 90, "the period is forgotten");
    }
}

async fn versions(trio: &Trio<'_>, id: &str) -> u64 {
    trio.version(id).await
}

/// Once this went well, keys that were due for longer had their turn: twice over.
async fn another_key_rotates_twice(trio: &Trio<'_>) {
    let id = trio.native_key("AES_256").await;
    natively(trio, &id, json!("1s")).await;
    until("another key rotates twice", async || (versions(trio, &id).await >= 3).then_some(())).await;
    natively(trio, &id, Value::Null).await;
}

async fn a_native_schedule_waits_until_the_key_is_enabled(trio: &Trio<'_>) {
    let id = key_id(&trio.scene.new_key("COMMON_HSM").await);
    trio.switch(Dialect::Ncloud, &id, false).await;
    natively(trio, &id, json!("1s")).await;
    another_key_rotates_twice(trio).await;
    assert_eq!(versions(trio, &id).await, 1, "disabled: the rules are the native dialect's, who set it");
    trio.switch(Dialect::Ncloud, &id, true).await;
    until("it rotates once it is enabled", async || (versions(trio, &id).await >= 2).then_some(())).await;
    natively(trio, &id, Value::Null).await;
}

async fn a_schedule_keeps_a_convergent_key_convergent(trio: &Trio<'_>) {
    let key = trio.scene.new_key_with(json!({"isConvergent": true})).await;
    let id = key_id(&key);
    let first = encrypted_with(&trio.ncloud, &key, b"x", b"c").await;
    natively(trio, &id, json!("1s")).await;
    until("it rotates by itself", async || (versions(trio, &id).await >= 3).then_some(())).await;
    natively(trio, &id, Value::Null).await;
    let newest = encrypted_with(&trio.ncloud, &key, b"x", b"c").await;
    assert!(parts(&newest).0 >= 3 && parts(&first).0 == 1, "{newest} {first}");
    assert_eq!(newest, encrypted_with(&trio.ncloud, &key, b"x", b"c").await);
    for sealed in [first, newest] {
        let body = json!({"ciphertext": sealed, "context": b64(b"c")});
        assert_eq!(data(&trio.ncloud.post(&format!("{key}/decrypt"), &body).await)["plaintext"], b64(b"x"));
    }
    assert_eq!(trio.shown(&id).await["isConvergent"], true);
}

/// Otherwise a disabled key would be rotated at the moment when it is taken over.
async fn an_overdue_schedule_that_is_taken_over_begins_anew(trio: &Trio<'_>) {
    let id = trio.native_key("AES_256_HSM").await;
    trio.switch(Dialect::Ncloud, &id, false).await;
    natively(trio, &id, json!("1s")).await;
    another_key_rotates_twice(trio).await;
    from_now(trio, &id, 90, async || drop(enable(trio, &id).await)).await;
    another_key_rotates_twice(trio).await;
    assert_eq!(versions(trio, &id).await, 1);
}
