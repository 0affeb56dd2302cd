//! What the wire shows of each state.

use super::*;
use crate::domain::Dialect;
use crate::domain::id::MaterialId;
use crate::domain::id::{FolderId, OperationId, PrincipalId};
use crate::domain::key::Key;
use crate::domain::schedule::RotationSchedule;
use crate::domain::text::{Description, Labels, Name};
use crate::domain::version::{Residency, VersionOrigin};
use rstest::rstest;
use std::collections::BTreeMap;

const CREATED_AT: Timestamp = Timestamp::from_micros(1_800_000_000_250_000);
const LATER: Timestamp = Timestamp::from_micros(1_800_600_000_000_000);

fn a_version(state: VersionState) -> KeyVersion {
    KeyVersion {
        id: MaterialId::from_bytes([2; 16]),
        key_id: KeyId::from_bytes([1; 16]),
        number: 1,
        algorithm: Algorithm::Aes256Hsm,
        residency: Residency::Database,
        origin: VersionOrigin::Creation,
        created_at: CREATED_AT,
        state,
        pin_holder_can_export: false,
        state_changed_at: None,
    }
}

fn a_view(state: KeyState) -> KeyView {
    let primary = a_version(VersionState::Active);
    let key = Key {
        id: primary.key_id,
        folder_id: FolderId::from_bytes([3; 16]),
        created_by_dialect: Dialect::Yandex,
        key_tag: primary.key_id.simple(),
        key_name: None,
        region: "local".into(),
        name: Name::new("orders".into()).unwrap(),
        description: Description::default(),
        labels: Labels::new(BTreeMap::from([("env".into(), "prod".into())])).unwrap(),
        tags: BTreeMap::new(),
        default_algorithm: Algorithm::Aes256Hsm,
        state,
        primary_version: primary.id,
        latest_version_number: 1,
        created_at: CREATED_AT,
        rotated_at: CREATED_AT,
        rotation: Some(
            RotationSchedule::native(Duration::from_secs(2_592_000), CREATED_AT, Duration::from_secs(1)).unwrap(),
        ),
        deletion_protection: true,
        min_destruction_wait: Duration::from_secs(86_400),
        convergent: false,
        addresses: crate::domain::address::AddressList::default(),
        token_generator: None,
    };
    KeyView { key, primary }
}

fn live() -> KeyState {
    KeyState::Live { switch: Switch::Active }
}

fn a_record(kind: OperationKind, snapshot: Snapshot) -> Operation {
    Operation {
        id: OperationId::from_bytes([4; 16]),
        key_id: KeyId::from_bytes([1; 16]),
        kind,
        created_at: CREATED_AT,
        created_by: Some(PrincipalId::from_bytes([5; 16])),
        snapshot,
    }
}

fn key_snapshot() -> Snapshot {
    Snapshot::Key(Box::new(a_view(live())))
}

#[test]
fn a_key_in_json() {
    let json = serde_json::to_string_pretty(&key(a_view(live()))).unwrap();
    insta::assert_snapshot!(json, @r#"
    {
      "id": "01010101-0101-0101-0101-010101010101",
      "folderId": "03030303-0303-0303-0303-030303030303",
      "createdAt": "2027-01-15T08:00:00.250Z",
      "name": "orders",
      "labels": {
        "env": "prod"
      },
      "status": "ACTIVE",
      "primaryVersion": {
        "id": "02020202-0202-0202-0202-020202020202",
        "keyId": "01010101-0101-0101-0101-010101010101",
        "status": "ACTIVE",
        "algorithm": "AES_256_HSM",
        "createdAt": "2027-01-15T08:00:00.250Z",
        "primary": true,
        "hostedByHsm": true
      },
      "defaultAlgorithm": "AES_256_HSM",
      "rotatedAt": "2027-01-15T08:00:00.250Z",
      "rotationPeriod": "2592000s",
      "deletionProtection": true
    }
    "#);
}

#[test]
fn a_create_operation_in_json() {
    let record = a_record(OperationKind::CreateKey, key_snapshot());
    let json = serde_json::to_string_pretty(&operation(record)).unwrap();
    insta::assert_snapshot!(json, @r#"
    {
      "id": "04040404-0404-0404-0404-040404040404",
      "description": "Create symmetric key",
      "createdAt": "2027-01-15T08:00:00.250Z",
      "createdBy": "05050505-0505-0505-0505-050505050505",
      "modifiedAt": "2027-01-15T08:00:00.250Z",
      "done": true,
      "metadata": {
        "@type": "type.googleapis.com/yandex.cloud.kms.v1.CreateSymmetricKeyMetadata",
        "keyId": "01010101-0101-0101-0101-010101010101",
        "primaryVersionId": "02020202-0202-0202-0202-020202020202"
      },
      "response": {
        "@type": "type.googleapis.com/yandex.cloud.kms.v1.SymmetricKey",
        "id": "01010101-0101-0101-0101-010101010101",
        "folderId": "03030303-0303-0303-0303-030303030303",
        "createdAt": "2027-01-15T08:00:00.250Z",
        "name": "orders",
        "labels": {
          "env": "prod"
        },
        "status": "ACTIVE",
        "primaryVersion": {
          "id": "02020202-0202-0202-0202-020202020202",
          "keyId": "01010101-0101-0101-0101-010101010101",
          "status": "ACTIVE",
          "algorithm": "AES_256_HSM",
          "createdAt": "2027-01-15T08:00:00.250Z",
          "primary": true,
          "hostedByHsm": true
        },
        "defaultAlgorithm": "AES_256_HSM",
        "rotatedAt": "2027-01-15T08:00:00.250Z",
        "rotationPeriod": "2592000s",
        "deletionProtection": true
      }
    }
    "#);
}

#[test]
fn a_destruction_in_json() {
    let state = VersionState::ScheduledForDestruction { destroy_at: LATER, was_disabled: false };
    let snapshot = Snapshot::Version(Box::new(VersionView { version: a_version(state), primary: false }));
    let kind =
        OperationKind::ScheduleVersionDestruction { version_id: MaterialId::from_bytes([2; 16]), destroy_at: LATER };
    let json = serde_json::to_string_pretty(&operation(a_record(kind, snapshot))).unwrap();
    insta::assert_snapshot!(json, @r#"
    {
      "id": "04040404-0404-0404-0404-040404040404",
      "description": "Schedule destruction of symmetric key version",
      "createdAt": "2027-01-15T08:00:00.250Z",
      "createdBy": "05050505-0505-0505-0505-050505050505",
      "modifiedAt": "2027-01-15T08:00:00.250Z",
      "done": true,
      "metadata": {
        "@type": "type.googleapis.com/yandex.cloud.kms.v1.ScheduleSymmetricKeyVersionDestructionMetadata",
        "keyId": "01010101-0101-0101-0101-010101010101",
        "versionId": "02020202-0202-0202-0202-020202020202",
        "destroyAt": "2027-01-22T06:40:00Z"
      },
      "response": {
        "@type": "type.googleapis.com/yandex.cloud.kms.v1.SymmetricKeyVersion",
        "id": "02020202-0202-0202-0202-020202020202",
        "keyId": "01010101-0101-0101-0101-010101010101",
        "status": "SCHEDULED_FOR_DESTRUCTION",
        "algorithm": "AES_256_HSM",
        "createdAt": "2027-01-15T08:00:00.250Z",
        "destroyAt": "2027-01-22T06:40:00Z",
        "hostedByHsm": true
      }
    }
    "#);
}

#[rstest]
#[case(live(), symmetric_key::Status::Active)]
#[case(KeyState::Live { switch: Switch::Inactive }, symmetric_key::Status::Inactive)]
#[case(KeyState::PendingDeletion { delete_at: LATER, switch: Switch::Active, requested_at: None }, symmetric_key::Status::Active)]
#[case(KeyState::PendingDeletion { delete_at: LATER, switch: Switch::Inactive, requested_at: None }, symmetric_key::Status::Inactive)]
fn a_key_shows_what_it_is_switched_to(#[case] state: KeyState, #[case] status: symmetric_key::Status) {
    assert_eq!(key(a_view(state)).status(), status);
}

#[rstest]
#[case(VersionState::Active, symmetric_key_version::Status::Active, false)]
#[case(VersionState::Disabled, symmetric_key_version::Status::Unspecified, false)]
#[case(
    VersionState::ScheduledForDestruction { destroy_at: LATER, was_disabled: true },
    symmetric_key_version::Status::ScheduledForDestruction,
    true
)]
#[case(VersionState::Destroying { destroy_at: LATER }, symmetric_key_version::Status::ScheduledForDestruction, true)]
#[case(VersionState::Destroyed { destroyed_at: LATER }, symmetric_key_version::Status::Destroyed, false)]
fn destroy_at_is_shown_while_destruction_is_ahead(
    #[case] state: VersionState,
    #[case] status: symmetric_key_version::Status,
    #[case] has_date: bool,
) {
    let message = version(&VersionView { version: a_version(state), primary: false });
    assert_eq!((message.status(), message.destroy_at.is_some()), (status, has_date));
}

#[rstest]
#[case(OperationKind::CreateKey, "CreateSymmetricKeyMetadata")]
#[case(OperationKind::UpdateKey, "UpdateSymmetricKeyMetadata")]
#[case(OperationKind::DeleteKey, "DeleteSymmetricKeyMetadata")]
#[case(OperationKind::RestoreKey, "UpdateSymmetricKeyMetadata")]
#[case(OperationKind::RotateKey, "RotateSymmetricKeyMetadata")]
#[case(
    OperationKind::SetPrimaryVersion { version_id: MaterialId::from_bytes([2; 16]) },
    "SetPrimarySymmetricKeyVersionMetadata"
)]
#[case(
    OperationKind::ScheduleVersionDestruction { version_id: MaterialId::from_bytes([2; 16]), destroy_at: LATER },
    "ScheduleSymmetricKeyVersionDestructionMetadata"
)]
#[case(
    OperationKind::CancelVersionDestruction { version_id: MaterialId::from_bytes([2; 16]) },
    "CancelSymmetricKeyVersionDestructionMetadata"
)]
fn every_kind_of_operation_has_its_metadata(#[case] kind: OperationKind, #[case] name: &str) {
    let message = operation(a_record(kind, key_snapshot()));
    let metadata = message.metadata.as_ref().unwrap();
    assert_eq!(metadata.type_url, format!("type.googleapis.com/yandex.cloud.kms.v1.{name}"));
    assert!(message.done && message.description.len() <= 256);
    assert!(serde_json::to_string(&message).unwrap().contains("\"keyId\":\"01010101-0101-0101-0101-010101010101\""));
}

#[rstest]
#[case(OperationKind::SetAccessBindings, "Set")]
#[case(OperationKind::UpdateAccessBindings, "Update")]
fn a_change_of_access_bindings_answers_nothing(#[case] kind: OperationKind, #[case] verb: &str) {
    let message = operation(a_record(kind, Snapshot::Nothing));
    let json = serde_json::to_value(&message).unwrap();
    let key_id = "01010101-0101-0101-0101-010101010101";
    let metadata = format!("type.googleapis.com/yandex.cloud.access.{verb}AccessBindingsMetadata");
    assert_eq!(json["metadata"], serde_json::json!({"@type": metadata, "resourceId": key_id}));
    // The JSON mapping has no special form for Empty in an Any: it is a message without fields.
    assert_eq!(json["response"], serde_json::json!({"@type": "type.googleapis.com/google.protobuf.Empty"}));
    assert_eq!(serde_json::from_value::<operation::Operation>(json).unwrap(), message);
}

#[test]
fn a_change_of_the_scheduler_says_so() {
    let record = Operation { created_by: None, ..a_record(OperationKind::RotateKey, key_snapshot()) };
    assert_eq!(operation(record).created_by, SCHEDULER);
}

#[test]
fn instants_before_the_epoch_have_positive_nanoseconds() {
    assert_eq!(timestamp(Timestamp::from_micros(-1)), wkt::Timestamp { seconds: -1, nanos: 999_999_000 });
}

#[test]
fn any_instant_can_be_written() {
    for micros in [i64::MIN, -62_135_596_800_000_001, 253_402_207_201_000_000, i64::MAX] {
        let shown = timestamp(Timestamp::from_micros(micros));
        assert!((0..1_000_000_000).contains(&shown.nanos), "{micros}");
        let text = serde_json::to_string(&shown).unwrap();
        assert_eq!(serde_json::from_str::<wkt::Timestamp>(&text).unwrap(), shown, "{micros}");
    }
}
