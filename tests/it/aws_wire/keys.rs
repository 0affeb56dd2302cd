//! The life of a key: made, shown, switched, described, deleted and taken back.

use super::{Scene, assert_material_id};
use crate::support::aws::{REGION, good, now, refusal, refused, refused_as};
use aws_sdk_kms::types::{
    EncryptionAlgorithmSpec, KeyManagerType, KeyMetadata, KeySpec, KeyState, KeyUsageType, OriginType, Tag,
};
use serde_json::{Value, json};

const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn a_key_lives_as_the_cloud_says() {
    let scene = Scene::start().await;
    tokio::join!(
        a_new_key_has_every_documented_member(&scene),
        a_key_is_made_with_description_and_tags(&scene),
        what_else_may_be_said_of_a_symmetric_key_is_accepted(&scene),
        keys_that_are_not_served_are_refused(&scene),
        a_key_is_switched_off_and_on(&scene),
        a_description_is_changed(&scene),
        a_deletion_is_scheduled_and_cancelled(&scene),
        the_waiting_period_is_7_to_30_days(&scene),
    );
}

fn assert_now(at: Option<&aws_sdk_kms::primitives::DateTime>) {
    assert!((at.unwrap().secs() - now()).abs() <= 60, "{at:?} is not now");
}

fn assert_in_days(at: Option<&aws_sdk_kms::primitives::DateTime>, days: i64) {
    assert!((at.unwrap().secs() - now() - days * DAY).abs() <= 60, "{at:?} is not in {days} days");
}

fn assert_new(scene: &Scene, key: &KeyMetadata) {
    assert!(key.key_id.parse::<uuid::Uuid>().is_ok(), "{key:?}");
    assert_eq!(key.aws_account_id.as_deref(), Some(scene.account.as_str()));
    assert!(scene.account.len() == 12 && scene.account.bytes().all(|byte| byte.is_ascii_digit()));
    let arn = format!("arn:aws:kms:{REGION}:{}:key/{}", scene.account, key.key_id);
    assert_eq!(key.arn(), Some(arn.as_str()));
    assert_now(key.creation_date());
    assert_eq!((key.enabled, key.key_state()), (true, Some(&KeyState::Enabled)));
    assert_eq!(key.key_usage(), Some(&KeyUsageType::EncryptDecrypt));
    assert_eq!((key.origin(), key.key_manager()), (Some(&OriginType::AwsKms), Some(&KeyManagerType::Customer)));
    assert_eq!(key.key_spec(), Some(&KeySpec::SymmetricDefault));
    #[expect(deprecated, reason = "old clients read it")]
    let old_spec = key.customer_master_key_spec().map(|spec| spec.as_str());
    assert_eq!(old_spec, Some("SYMMETRIC_DEFAULT"));
    assert_eq!(key.encryption_algorithms(), [EncryptionAlgorithmSpec::SymmetricDefault]);
    assert_eq!(key.multi_region(), Some(false));
    assert_material_id(key.current_key_material_id().unwrap());
}

async fn a_new_key_has_every_documented_member(scene: &Scene) {
    let key = scene.admin.new_key().await;
    assert_new(scene, &key);
    assert_eq!(scene.admin.describe(&key.key_id).await, key);
    let other = scene.admin.new_key().await;
    assert_ne!((key.current_key_material_id, &key.key_id), (other.current_key_material_id, &other.key_id));
    // Members without a value are left out, as clients expect.
    let shown = scene.admin.raw.call("DescribeKey", &json!({"KeyId": key.key_id})).await.ok();
    let members: Vec<_> = shown["KeyMetadata"].as_object().unwrap().keys().cloned().collect();
    let expected = [
        "AWSAccountId",
        "Arn",
        "CreationDate",
        "CurrentKeyMaterialId",
        "CustomerMasterKeySpec",
        "Description",
        "Enabled",
        "EncryptionAlgorithms",
        "KeyId",
        "KeyManager",
        "KeySpec",
        "KeyState",
        "KeyUsage",
        "MultiRegion",
        "Origin",
    ];
    assert_eq!(members, expected);
    assert!(shown["KeyMetadata"]["CreationDate"].is_number(), "{shown}");
}

async fn a_key_is_made_with_description_and_tags(scene: &Scene) {
    let tag = |key: &str, value: &str| Tag::builder().tag_key(key).tag_value(value).build().unwrap();
    let tags = [tag("stage", "test"), tag("empty", "")];
    let text = "Ключ от всех дверей \u{1f511}";
    let request = scene.admin.kms.create_key().description(text).set_tags(Some(tags.to_vec()));
    let key = good(request.send().await).key_metadata.unwrap();
    assert_eq!(key.description(), Some(text));
    let listed = good(scene.admin.kms.list_resource_tags().key_id(&key.key_id).send().await);
    let mut found = listed.tags().to_vec();
    found.sort_by(|a, b| b.tag_key.cmp(&a.tag_key));
    assert_eq!((found, listed.truncated), (tags.to_vec(), false));
}

async fn what_else_may_be_said_of_a_symmetric_key_is_accepted(scene: &Scene) {
    for body in [
        json!({}),
        json!({"KeySpec": "SYMMETRIC_DEFAULT"}),
        json!({"CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT"}),
        json!({"Origin": "AWS_KMS", "MultiRegion": false, "BypassPolicyLockoutSafetyCheck": true, "Tags": []}),
        json!({"Description": "", "KeySpec": null, "Unknown": {"member": [1]}}),
    ] {
        let made = scene.admin.raw.call("CreateKey", &body).await.ok();
        assert_eq!(made["KeyMetadata"]["KeyState"], "Enabled", "{body}");
    }
}

async fn keys_that_are_not_served_are_refused(scene: &Scene) {
    for spec in ["RSA_2048", "ECC_NIST_P256", "HMAC_256", "ML_DSA_65", "ML_KEM_768", "SM2"] {
        let outcome = scene.admin.kms.create_key().key_spec(spec.into()).send().await;
        assert!(refused_as(outcome, "UnsupportedOperationException").contains("SYMMETRIC_DEFAULT"), "{spec}");
    }
    for usage in ["SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"] {
        let outcome = scene.admin.kms.create_key().key_usage(usage.into()).send().await;
        assert!(refused_as(outcome, "UnsupportedOperationException").contains("ENCRYPT_DECRYPT"), "{usage}");
    }
    for origin in ["EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"] {
        let outcome = scene.admin.kms.create_key().origin(origin.into()).send().await;
        assert!(refused_as(outcome, "UnsupportedOperationException").contains("AWS_KMS"), "{origin}");
    }
    let kms = &scene.admin.kms;
    refused_as(kms.create_key().multi_region(true).send().await, "UnsupportedOperationException");
    refused_as(kms.create_key().custom_key_store_id("cks-1").send().await, "UnsupportedOperationException");
    refused_as(kms.create_key().xks_key_id("key-1").send().await, "UnsupportedOperationException");
    for old in ["RSA_2048", "SYMMETRIC_DEFAULT"] {
        let both = json!({"KeySpec": "SYMMETRIC_DEFAULT", "CustomerMasterKeySpec": old});
        let (code, _) = crate::support::aws::error(&scene.admin.raw.call("CreateKey", &both).await);
        assert_eq!(code, "ValidationException");
    }
}

async fn a_key_is_switched_off_and_on(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    for _ in 0..2 {
        good(kms.disable_key().key_id(&id).send().await);
        let key = scene.admin.describe(&id).await;
        assert_eq!((key.enabled, key.key_state()), (false, Some(&KeyState::Disabled)));
    }
    for _ in 0..2 {
        good(kms.enable_key().key_id(scene.arn(&id)).send().await);
        let key = scene.admin.describe(&id).await;
        assert_eq!((key.enabled, key.key_state()), (true, Some(&KeyState::Enabled)));
    }
    assert_eq!(scene.admin.decrypt(&scene.admin.encrypt(&id, b"back").await).await, b"back");
}

async fn a_description_is_changed(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    for text in ["first", "\u{416}".repeat(8192).as_str(), ""] {
        good(kms.update_key_description().key_id(&id).description(text).send().await);
        assert_eq!(scene.admin.describe(&id).await.description(), Some(text));
    }
    let (code, _) = refusal(kms.update_key_description().key_id(&id).description("a".repeat(8193)).send().await);
    assert_eq!(code, "ValidationException");
    assert_eq!(scene.admin.describe(&id).await.description(), Some(""));
}

async fn a_deletion_is_scheduled_and_cancelled(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    let arn = scene.arn(&id);
    refused(
        kms.cancel_key_deletion().key_id(&id).send().await,
        "KMSInvalidStateException",
        &format!("{arn} is not pending deletion."),
    );
    let scheduled = good(kms.schedule_key_deletion().key_id(&id).pending_window_in_days(7).send().await);
    assert_eq!(scheduled.key_id(), Some(arn.as_str()));
    assert_eq!(scheduled.key_state(), Some(&KeyState::PendingDeletion));
    assert_eq!(scheduled.pending_window_in_days(), Some(7));
    assert_in_days(scheduled.deletion_date(), 7);
    let key = scene.admin.describe(&id).await;
    assert_eq!((key.enabled, key.key_state()), (false, Some(&KeyState::PendingDeletion)));
    assert_in_days(key.deletion_date(), 7);
    assert!(key.pending_deletion_window_in_days().is_none(), "only of multi-Region keys");
    refused(
        kms.schedule_key_deletion().key_id(&id).pending_window_in_days(30).send().await,
        "KMSInvalidStateException",
        &format!("{arn} is pending deletion."),
    );
    assert_in_days(scene.admin.describe(&id).await.deletion_date(), 7);

    let cancelled = good(kms.cancel_key_deletion().key_id(&arn).send().await);
    assert_eq!(cancelled.key_id(), Some(arn.as_str()));
    let key = scene.admin.describe(&id).await;
    assert_eq!((key.enabled, key.key_state(), key.deletion_date()), (false, Some(&KeyState::Disabled), None));
    good(kms.enable_key().key_id(&id).send().await);
    assert_eq!(scene.admin.decrypt(&scene.admin.encrypt(&id, b"back").await).await, b"back");
}

async fn the_waiting_period_is_7_to_30_days(scene: &Scene) {
    let id = scene.admin.new_key_id().await;
    for days in [json!(6), json!(31), json!(1), json!(365), json!(0), json!(-7), json!(366)] {
        let body = json!({"KeyId": id, "PendingWindowInDays": days});
        let (code, _) = crate::support::aws::error(&scene.admin.raw.call("ScheduleKeyDeletion", &body).await);
        assert_eq!(code, "ValidationException", "{days}");
    }
    let body = json!({"KeyId": id});
    let answer: Value = scene.admin.raw.call("ScheduleKeyDeletion", &body).await.ok();
    assert_eq!(answer["PendingWindowInDays"], 30);
    let at = answer["DeletionDate"].as_f64().unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "seconds")]
    let seconds = at as i64;
    assert!((seconds - now() - 30 * DAY).abs() <= 60, "{answer}");
    let other = scene.admin.new_key_id().await;
    let longest = good(scene.admin.kms.schedule_key_deletion().key_id(&other).pending_window_in_days(30).send().await);
    assert_in_days(longest.deletion_date(), 30);
}
