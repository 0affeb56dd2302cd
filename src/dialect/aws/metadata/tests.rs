use super::*;
use crate::domain::Dialect;
use crate::domain::algorithm::Algorithm;
use crate::domain::id::{FolderId, KeyId};
use crate::domain::text::{Description, Labels, Name};
use crate::domain::version::{KeyVersion, Residency, VersionOrigin, VersionState};
use std::collections::BTreeMap;
use std::time::Duration;

fn view(state: KeyState) -> KeyView {
    let key_id = KeyId::from_bytes([1; 16]);
    let (id, at) = (MaterialId::from_bytes([2; 16]), Timestamp::from_micros(1_700_000_000_123_456));
    let key = Key {
        id: key_id,
        folder_id: FolderId::from_bytes([3; 16]),
        created_by_dialect: Dialect::Aws,
        key_tag: key_id.simple(),
        key_name: None,
        region: "eu-north-1".into(),
        name: Name::default(),
        description: Description::new("d".into(), 10).unwrap(),
        labels: Labels::default(),
        tags: BTreeMap::new(),
        default_algorithm: Algorithm::Aes256Hsm,
        state,
        primary_version: id,
        latest_version_number: 1,
        created_at: at,
        rotated_at: at,
        rotation: None,
        deletion_protection: false,
        min_destruction_wait: Duration::ZERO,
        convergent: false,
        addresses: crate::domain::address::AddressList::default(),
        token_generator: None,
    };
    let primary = KeyVersion {
        id,
        key_id,
        number: 1,
        algorithm: Algorithm::Aes256Hsm,
        residency: Residency::Database,
        origin: VersionOrigin::Creation,
        created_at: at,
        state: VersionState::Active,
        pin_holder_can_export: false,
        state_changed_at: None,
    };
    KeyView { key, primary }
}

fn shown(state: KeyState) -> serde_json::Value {
    serde_json::to_value(KeyMetadata::of(&view(state), AccountId::from_stored(42))).unwrap()
}

#[test]
fn metadata_has_the_members_of_a_symmetric_key() {
    let found = shown(KeyState::Live { switch: Switch::Active });
    let id = "01010101-0101-0101-0101-010101010101";
    let expected = serde_json::json!({
        "AWSAccountId": "000000000042",
        "KeyId": id,
        "Arn": format!("arn:aws:kms:eu-north-1:000000000042:key/{id}"),
        "CreationDate": 1_700_000_000.123,
        "Enabled": true,
        "Description": "d",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
        "CurrentKeyMaterialId": material_id(MaterialId::from_bytes([2; 16])),
    });
    assert_eq!(found, expected);
}

#[test]
fn states_are_shown_as_in_the_cloud() {
    let disabled = shown(KeyState::Live { switch: Switch::Inactive });
    assert_eq!((&disabled["KeyState"], &disabled["Enabled"]), (&"Disabled".into(), &false.into()));
    let delete_at = Timestamp::from_micros(1_800_000_000_000_000);
    let pending = shown(KeyState::PendingDeletion { delete_at, switch: Switch::Active, requested_at: None });
    assert_eq!((&pending["KeyState"], &pending["Enabled"]), (&"PendingDeletion".into(), &false.into()));
    assert_eq!(pending["DeletionDate"], 1_800_000_000.0);
}

#[test]
fn a_material_id_has_64_hexadecimal_digits_and_is_not_the_version_id() {
    let of = |byte: u8| material_id(MaterialId::from_bytes([byte; 16]));
    assert_eq!(of(2).len(), 64);
    assert!(of(2).bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit)));
    assert_ne!(of(2), of(3));
    assert!(!of(2).contains("02020202"));
}
