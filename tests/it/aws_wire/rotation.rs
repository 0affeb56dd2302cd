//! Rotation, by schedule and on demand.

use super::{Scene, assert_material_id};
use crate::support::aws::{error, good, now, refused, refused_as};
use aws_sdk_kms::operation::get_key_rotation_status::GetKeyRotationStatusOutput;
use aws_sdk_kms::types::{IncludeKeyMaterial, KeyMaterialState, RotationType, RotationsListEntry};
use serde_json::json;

const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn keys_rotate_by_schedule_and_on_demand() {
    let scene = Scene::start().await;
    tokio::join!(
        a_schedule_is_enabled_changed_and_disabled(&scene),
        the_period_is_90_to_2560_days(&scene),
        a_key_is_rotated_on_demand(&scene),
        rotations_are_listed(&scene),
        the_limit_is_25_rotations_on_demand(&scene),
        a_pending_key_shows_no_rotation(&scene),
    );
}

async fn status(scene: &Scene, id: &str) -> GetKeyRotationStatusOutput {
    let shown = good(scene.admin.kms.get_key_rotation_status().key_id(id).send().await);
    assert_eq!(shown.key_id(), Some(scene.arn(id).as_str()));
    assert!(shown.on_demand_rotation_start_date().is_none(), "none is under way");
    shown
}

fn assert_next_in(status: &GetKeyRotationStatusOutput, days: i64) {
    let next = status.next_rotation_date().unwrap().secs();
    assert!((next - now() - days * DAY).abs() <= 60, "{status:?} is not in {days} days");
}

async fn a_schedule_is_enabled_changed_and_disabled(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    let off = status(scene, &id).await;
    assert_eq!(
        (off.key_rotation_enabled, off.rotation_period_in_days(), off.next_rotation_date()),
        (false, None, None)
    );
    // Clients of the older form send the key alone and read one member.
    good(kms.enable_key_rotation().key_id(&id).send().await);
    for (period, days) in [(None, 365), (Some(90), 90), (Some(2560), 2560), (None, 365)] {
        good(kms.enable_key_rotation().key_id(&id).set_rotation_period_in_days(period).send().await);
        let on = status(scene, &id).await;
        assert_eq!((on.key_rotation_enabled, on.rotation_period_in_days()), (true, Some(days)));
        assert_next_in(&on, days.into());
    }
    for _ in 0..2 {
        good(kms.disable_key_rotation().key_id(scene.arn(&id)).send().await);
        let off = scene.admin.raw.call("GetKeyRotationStatus", &json!({"KeyId": id})).await.ok();
        assert_eq!(off, json!({"KeyId": scene.arn(&id), "KeyRotationEnabled": false}));
    }
    good(kms.enable_key_rotation().key_id(&id).rotation_period_in_days(100).send().await);
    let shown = scene.admin.raw.call("GetKeyRotationStatus", &json!({"KeyId": id})).await.ok();
    assert!(shown["NextRotationDate"].is_number(), "{shown}");
}

async fn the_period_is_90_to_2560_days(scene: &Scene) {
    let id = scene.admin.new_key_id().await;
    for days in [89, 2561, 0, -90] {
        let outcome = scene.admin.kms.enable_key_rotation().key_id(&id).rotation_period_in_days(days).send().await;
        refused_as(outcome, "ValidationException");
        assert!(!status(scene, &id).await.key_rotation_enabled);
    }
}

async fn a_key_is_rotated_on_demand(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    good(kms.enable_key_rotation().key_id(&id).rotation_period_in_days(90).send().await);
    let scheduled = status(scene, &id).await.next_rotation_date;
    let before = scene.admin.material(&id).await;
    let sealed = scene.admin.encrypt(&id, b"before").await;
    let rotated = good(kms.rotate_key_on_demand().key_id(&id).send().await);
    assert_eq!(rotated.key_id(), Some(scene.arn(&id).as_str()), "a bare id is answered by the ARN");
    let after = scene.admin.material(&id).await;
    assert_material_id(&after);
    assert_ne!(after, before);
    assert_eq!(status(scene, &id).await.next_rotation_date, scheduled, "the schedule does not care");
    let data_key = good(kms.generate_data_key().key_id(&id).number_of_bytes(1).send().await);
    assert_eq!(data_key.key_material_id(), Some(after.as_str()));
    let opened = good(kms.decrypt().ciphertext_blob(sealed).send().await);
    assert_eq!(
        (opened.plaintext().unwrap().as_ref(), opened.key_material_id()),
        (&b"before"[..], Some(before.as_str()))
    );
}

async fn list(
    scene: &Scene,
    id: &str,
    include: Option<IncludeKeyMaterial>,
    limit: Option<i32>,
) -> Vec<RotationsListEntry> {
    let (mut all, mut marker) = (Vec::new(), None);
    loop {
        let request = scene.admin.kms.list_key_rotations().key_id(id).set_include_key_material(include.clone());
        let page = good(request.set_limit(limit).set_marker(marker).send().await);
        assert_eq!(page.truncated, page.next_marker.is_some());
        assert!(limit.is_none_or(|limit| page.rotations().len() <= usize::try_from(limit).unwrap()));
        all.extend(page.rotations.unwrap());
        marker = page.next_marker;
        if marker.is_none() {
            return all;
        }
    }
}

async fn rotations_are_listed(scene: &Scene) {
    let id = scene.admin.new_key_id().await;
    assert_eq!(list(scene, &id, None, None).await, []);
    let mut materials = vec![scene.admin.material(&id).await];
    for _ in 0..3 {
        materials.push(scene.admin.rotate(&id).await);
    }
    for limit in [None, Some(1), Some(2), Some(3), Some(1000)] {
        let all = list(scene, &id, Some(IncludeKeyMaterial::AllKeyMaterial), limit).await;
        let found: Vec<_> = all.iter().map(|entry| entry.key_material_id.clone().unwrap()).collect();
        assert_eq!(found, materials, "oldest first");
        assert_eq!((all[0].rotation_date(), all[0].rotation_type()), (None, None), "made with the key, by no rotation");
        for (entry, last) in all.iter().zip([false, false, false, true]) {
            let state = if last { KeyMaterialState::Current } else { KeyMaterialState::NonCurrent };
            assert_eq!(entry.key_material_state(), Some(&state));
            assert_eq!(entry.key_id(), Some(scene.arn(&id).as_str()));
        }
        let rotations = list(scene, &id, None, limit).await;
        assert_eq!(rotations, all[1..], "the first material is not from a rotation");
        assert_eq!(list(scene, &id, Some(IncludeKeyMaterial::RotationsOnly), limit).await, rotations);
        for entry in rotations {
            assert_eq!(entry.rotation_type(), Some(&RotationType::OnDemand));
            assert!((entry.rotation_date().unwrap().secs() - now()).abs() <= 60, "{entry:?}");
        }
    }
    let outcome = scene.admin.kms.list_key_rotations().key_id(&id).marker("nonsense").send().await;
    refused_as(outcome, "InvalidMarkerException");
    let body = json!({"KeyId": id, "IncludeKeyMaterial": "SOME"});
    assert_eq!(error(&scene.admin.raw.call("ListKeyRotations", &body).await).0, "ValidationException");
    let shown = scene.admin.raw.call("ListKeyRotations", &json!({"KeyId": id, "Limit": 1})).await.ok();
    assert!(shown["Rotations"][0]["RotationDate"].is_number(), "{shown}");
}

async fn the_limit_is_25_rotations_on_demand(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    for _ in 0..25 {
        good(kms.rotate_key_on_demand().key_id(&id).send().await);
    }
    refused_as(kms.rotate_key_on_demand().key_id(&id).send().await, "LimitExceededException");
    assert_eq!(list(scene, &id, None, Some(10)).await.len(), 25);
    assert_eq!(scene.admin.decrypt(&scene.admin.encrypt(&id, b"still").await).await, b"still");
}

async fn a_pending_key_shows_no_rotation(scene: &Scene) {
    let (kms, id) = (&scene.admin.kms, scene.admin.new_key_id().await);
    good(kms.enable_key_rotation().key_id(&id).send().await);
    good(kms.disable_key().key_id(&id).send().await);
    let text = format!("{} is disabled.", scene.arn(&id));
    refused(kms.rotate_key_on_demand().key_id(&id).send().await, "DisabledException", &text);
    assert!(status(scene, &id).await.key_rotation_enabled, "a disabled key keeps its schedule");
    good(kms.schedule_key_deletion().key_id(&id).send().await);
    assert!(!status(scene, &id).await.key_rotation_enabled);
    good(kms.cancel_key_deletion().key_id(&id).send().await);
    assert!(status(scene, &id).await.key_rotation_enabled, "it has its schedule back");
}
