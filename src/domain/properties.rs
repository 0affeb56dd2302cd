//! Properties of the rules, over generated inputs.

use super::Dialect;
use super::algorithm::Algorithm;
use super::context::EncryptionContext;
use super::envelope::{Envelope, Header, Suite, TAG_BYTES};
use super::error::StateError;
use super::id::{AccountId, FolderId, KeyId, MaterialId};
use super::key::{Key, KeyState, Switch};
use super::numbered::Numbered;
use super::schedule::RotationSchedule;
use super::text::{Description, Labels, Name};
use super::time::{MAX_PERIOD, Timestamp};
use super::version::{KeyVersion, Residency, VersionOrigin, VersionState};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn start() -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000)
}

pub(super) fn version(number: u32, created_at: Timestamp) -> KeyVersion {
    KeyVersion {
        id: MaterialId::from_bytes([u8::try_from(number % 250).unwrap(); 16]),
        key_id: KeyId::from_bytes([1; 16]),
        number,
        algorithm: Algorithm::Aes256Hsm,
        residency: Residency::Database,
        origin: VersionOrigin::Creation,
        created_at,
        state: VersionState::Active,
        pin_holder_can_export: false,
        state_changed_at: None,
    }
}

pub(super) fn key(rotation: Option<RotationSchedule>) -> Key {
    let first = version(1, start());
    Key {
        id: first.key_id,
        folder_id: FolderId::from_bytes([2; 16]),
        created_by_dialect: Dialect::Yandex,
        key_tag: first.key_id.simple(),
        key_name: None,
        region: "us-east-1".into(),
        name: Name::default(),
        description: Description::default(),
        labels: Labels::default(),
        tags: BTreeMap::new(),
        default_algorithm: Algorithm::Aes256Hsm,
        state: KeyState::Live { switch: Switch::Active },
        primary_version: first.id,
        latest_version_number: 1,
        created_at: start(),
        rotated_at: start(),
        rotation,
        deletion_protection: false,
        min_destruction_wait: DAY,
        convergent: false,
        addresses: crate::domain::address::AddressList::default(),
        token_generator: None,
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Schedule { days: u64 },
    Cancel,
    Begin,
    BeginWithKey,
    End,
    Disable { primary: bool, newest: bool },
    Enable,
}

fn steps() -> impl Strategy<Value = Vec<(Step, u64)>> {
    let step = prop_oneof![
        (0u64..400).prop_map(|days| Step::Schedule { days }),
        Just(Step::Cancel),
        Just(Step::Begin),
        Just(Step::BeginWithKey),
        Just(Step::End),
        any::<(bool, bool)>().prop_map(|(primary, newest)| Step::Disable { primary, newest }),
        Just(Step::Enable),
    ];
    prop::collection::vec((step, 0u64..500), 1..40)
}

fn apply(step: Step, version: KeyVersion, now: Timestamp) -> Option<KeyVersion> {
    match step {
        Step::Schedule { days } => {
            version.schedule_destruction(false, now, DAY * u32::try_from(days).unwrap(), DAY).ok()
        }
        Step::Cancel => version.cancel_destruction(now).ok(),
        Step::Begin => version.begin_destruction(now).ok(),
        Step::BeginWithKey => version.begin_destruction_with_key(now).ok(),
        Step::End => version.end_destruction(now).ok(),
        Step::Disable { primary, newest } => version.disable(primary, newest, now).ok(),
        Step::Enable => version.enable(now).ok(),
    }
}

const fn rank(state: VersionState) -> u8 {
    match state {
        VersionState::Active | VersionState::Disabled | VersionState::ScheduledForDestruction { .. } => 0,
        VersionState::Destroying { .. } => 1,
        VersionState::Destroyed { .. } => 2,
    }
}

proptest! {
    #[test]
    fn a_version_never_comes_back_from_destruction_and_never_goes_before_its_time(steps in steps()) {
        let mut now = start();
        let mut current = version(1, now);
        for (step, days) in steps {
            now = now.plus(DAY * u32::try_from(days).unwrap());
            let before = current.clone();
            if let Some(after) = apply(step, current.clone(), now) {
                prop_assert!(rank(after.state) >= rank(before.state), "{before:?} became {after:?}");
                if let (Step::Begin, VersionState::ScheduledForDestruction { destroy_at, .. }) = (step, before.state) {
                    prop_assert!(destroy_at <= now);
                }
                if let VersionState::ScheduledForDestruction { destroy_at, .. } = after.state
                    && before.state != after.state
                {
                    prop_assert!(destroy_at >= now.plus(DAY), "the floor of one day holds");
                }
                if let Step::Disable { primary, newest } = step {
                    prop_assert!(!primary && !newest);
                }
                let since = if after.state == before.state { before.state_since() } else { now };
                prop_assert_eq!(after.state_since(), since, "{:?} became {:?}", before, after);
                if matches!(after.state, VersionState::Destroyed { .. }) {
                    let came_from = matches!(before.state, VersionState::Destroying { .. });
                    prop_assert!(came_from, "destroyed only through destroying");
                }
                current = after;
            }
            prop_assert_eq!(current.require_active().is_ok(), current.state == VersionState::Active);
        }
    }

    #[test]
    fn cancelling_a_scheduled_destruction_restores_what_was(disabled in any::<bool>(), days in 1u32..36_500) {
        let original = version(1, start());
        let original = if disabled { original.disable(false, false, start()).unwrap() } else { original };
        let scheduled = original.clone().schedule_destruction(false, start(), DAY * days, DAY).unwrap();
        prop_assert!(scheduled.require_active().is_err());
        prop_assert_eq!(scheduled.cancel_destruction(start()).unwrap().state, original.state);
    }

    #[test]
    fn the_primary_version_can_be_neither_destroyed_nor_disabled(days in 0u32..36_500) {
        let refused = version(1, start()).schedule_destruction(true, start(), DAY * days, DAY).unwrap_err();
        prop_assert_eq!(refused, StateError::VersionIsPrimary.into());
        prop_assert_eq!(version(1, start()).disable(true, true, start()).unwrap_err(), StateError::VersionIsPrimary);
        prop_assert_eq!(version(1, start()).disable(false, true, start()).unwrap_err(), StateError::VersionIsNewest);
    }

    /// Thirty years, woken at random times: as many rotations as periods fit, none twice, dates never drift
    /// while the service is up.
    #[test]
    fn schedules_over_years_fire_once_a_period(period_days in 1u32..400, wake_hours in prop::collection::vec(1u32..240, 200..400)) {
        let period = DAY * period_days;
        let mut key = key(Some(RotationSchedule::native(period, start(), DAY).unwrap()));
        let mut now = start();
        for hours in wake_hours {
            now = now.plus(Duration::from_secs(3600) * hours);
            let due = key.rotation.unwrap().next_rotation_at;
            let next = version(key.latest_version_number + 1, now);
            match key.clone().rotated_automatically(&next) {
                Ok(rotated) => {
                    prop_assert!(due <= now);
                    let after = rotated.rotation.unwrap().next_rotation_at;
                    prop_assert!(after > now, "one rotation at a wake, not several");
                    prop_assert!(after == due.plus(period) || due.plus(period) <= now);
                    prop_assert_eq!(rotated.primary_version, next.id);
                    prop_assert!(!rotated.rotation_is_due(now));
                    key = rotated;
                }
                Err(refused) => {
                    prop_assert_eq!(refused, StateError::NotDue);
                    prop_assert!(due > now);
                }
            }
        }
        let elapsed = now.since(start());
        let most = elapsed.as_secs() / period.as_secs();
        prop_assert!(u64::from(key.latest_version_number - 1) <= most);
    }

    #[test]
    fn only_ncloud_schedules_fire_while_the_key_is_off(owner in 0..3) {
        let owner = [Dialect::Yandex, Dialect::Aws, Dialect::Ncloud][usize::try_from(owner).unwrap()];
        let schedule = RotationSchedule { period: DAY, next_rotation_at: start(), owner };
        let off = key(Some(schedule)).switched(Switch::Inactive).unwrap();
        prop_assert_eq!(off.rotation_is_due(start()), owner == Dialect::Ncloud);
        let on = off.switched(Switch::Active).unwrap();
        prop_assert!(on.rotation_is_due(start()), "an overdue schedule fires when the key is on again");
    }

    #[test]
    fn a_manual_rotation_moves_only_the_native_schedule(owner in 0..3, days in 1u32..30) {
        let owner = [Dialect::Yandex, Dialect::Aws, Dialect::Ncloud][usize::try_from(owner).unwrap()];
        let schedule = RotationSchedule { period: DAY * 90, next_rotation_at: start().plus(DAY * 90), owner };
        let now = start().plus(DAY * days);
        let rotated = key(Some(schedule)).rotated_on_demand(&version(2, now)).unwrap();
        let expected = if owner == Dialect::Yandex { now.plus(DAY * 90) } else { schedule.next_rotation_at };
        prop_assert_eq!(rotated.rotation.unwrap().next_rotation_at, expected);
    }

    #[test]
    fn a_deleted_key_comes_back_as_it_was_until_its_time_is_over(hours in 0u32..200, off in any::<bool>()) {
        let switch = if off { Switch::Inactive } else { Switch::Active };
        let original = key(None).switched(switch).unwrap();
        let deleted = original.clone().deletion_requested(start(), DAY * 3).unwrap();
        prop_assert!(deleted.require_live().is_err());
        prop_assert_eq!(deleted.clone().restored(None).unwrap(), original);
        let now = start().plus(Duration::from_secs(3600) * hours);
        match deleted.deleted(now) {
            Ok(gone) => {
                prop_assert!(hours >= 72);
                prop_assert!(gone.restored(None).is_err());
            }
            Err(refused) => prop_assert!(hours < 72 && refused == StateError::NotDue),
        }
    }

    #[test]
    fn envelopes_round_trip(
        suite in 1u8..=6, key in any::<[u8; 16]>(), material in any::<[u8; 16]>(),
        iv in prop::collection::vec(any::<u8>(), 1..=64), sealed in prop::collection::vec(any::<u8>(), TAG_BYTES..300),
    ) {
        let header = Header {
            suite: Suite::from_code(suite).unwrap(),
            key_id: KeyId::from_bytes(key),
            material_id: MaterialId::from_bytes(material),
        };
        let envelope = Envelope { header, iv, sealed };
        prop_assert_eq!(Envelope::parse(&envelope.to_bytes()).unwrap(), envelope);
    }

    #[test]
    fn numbered_texts_round_trip_and_the_envelope_is_rebuilt_from_them(
        suite in 1u8..=6, number in 1u32.., sealed in prop::collection::vec(any::<u8>(), TAG_BYTES..300), iv in any::<u8>(),
    ) {
        let suite = Suite::from_code(suite).unwrap();
        let header = Header { suite, key_id: KeyId::from_bytes([7; 16]), material_id: MaterialId::from_bytes([9; 16]) };
        let envelope = Envelope { header, iv: vec![iv; suite.iv_bytes()], sealed };
        let parsed = Numbered::parse(Numbered::text(number, &envelope.to_bytes()).as_bytes()).unwrap();
        prop_assert_eq!(parsed.number, number);
        prop_assert_eq!(Envelope::under(header, parsed.body).unwrap(), envelope);
    }

    #[test]
    fn parsing_any_text_never_panics_and_there_is_one_text_of_each_ciphertext(
        number in "[0-9+ ]{0,12}", body in "[A-Za-z0-9+/=]{0,60}",
    ) {
        let text = format!("ncpkms:v{number}:{body}");
        prop_assert!(Numbered::is_meant(text.as_bytes()));
        if let Ok(Numbered { number, body }) = Numbered::parse(text.as_bytes()) {
            // The header is not part of the text.
            let under_any_header = [vec![0; 35], body].concat();
            prop_assert_eq!(Numbered::text(number, &under_any_header), text);
        }
    }

    #[test]
    fn parsing_any_bytes_never_panics_and_is_exact(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(envelope) = Envelope::parse(&bytes) {
            prop_assert_eq!(envelope.to_bytes(), bytes);
        }
    }

    /// Every bit before the IV is bound by the AAD, and the rest is what GCM authenticates: a changed bit is a
    /// parse error, another AAD, another IV or another sealed part.
    #[test]
    fn every_single_bit_matters(sealed in prop::collection::vec(any::<u8>(), TAG_BYTES..64)) {
        let header = Header {
            suite: Suite::HsmGivenIv,
            key_id: KeyId::from_bytes([7; 16]),
            material_id: MaterialId::from_bytes([9; 16]),
        };
        let context = EncryptionContext::Empty;
        let original = Envelope { header, iv: vec![3; 12], sealed };
        let bytes = original.to_bytes();
        let aad = original.header.aad(&context, &[0; 32]);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(parsed) = Envelope::parse(&changed) {
                let same_header = parsed.header.aad(&context, &[0; 32]) == aad;
                prop_assert!(!same_header || parsed.iv != original.iv || parsed.sealed != original.sealed);
            }
        }
    }

    #[test]
    fn different_contexts_have_different_canonical_forms(
        a in prop::collection::btree_map(".{0,6}", ".{0,6}", 0..4), b in prop::collection::btree_map(".{0,6}", ".{0,6}", 0..4),
    ) {
        let same = a == b;
        let (a, b) = (EncryptionContext::from_pairs(a), EncryptionContext::from_pairs(b));
        prop_assert_eq!(same, a.kind() == b.kind() && a.canonical() == b.canonical());
    }

    #[test]
    fn ids_read_back_and_other_spellings_are_unknown(bytes in any::<[u8; 16]>()) {
        let id = KeyId::from_bytes(bytes);
        prop_assert_eq!(KeyId::parse(&id.to_string()), Some(id));
        prop_assert_eq!(KeyId::parse(&id.simple()), None);
        let upper = id.to_string().to_uppercase();
        prop_assert_eq!(KeyId::parse(&upper).is_some(), upper == id.to_string());
    }

    #[test]
    fn account_numbers_have_twelve_digits(bytes in any::<[u8; 8]>()) {
        let text = AccountId::from_random(bytes).to_string();
        prop_assert!(text.len() == 12 && !text.starts_with('0'));
    }

    #[test]
    fn instants_never_overflow(micros in any::<i64>()) {
        let at = Timestamp::from_micros(micros);
        prop_assert!(at.plus(MAX_PERIOD) >= at);
        prop_assert_eq!(at.since(at.plus(MAX_PERIOD)), Duration::ZERO);
    }
}

#[test]
fn rotation_periods_outside_of_the_limits_are_refused() {
    for period in [Duration::ZERO, DAY - Duration::from_secs(1), MAX_PERIOD + Duration::from_secs(1)] {
        assert!(RotationSchedule::native(period, start(), DAY).is_err(), "{period:?}");
    }
    assert!(RotationSchedule::native(DAY, start(), DAY).is_ok());
    assert!(RotationSchedule::native(Duration::ZERO, start(), Duration::ZERO).is_err(), "a floor of zero too");
}

#[test]
fn protected_keys_are_not_deleted_and_short_waits_are_lengthened() {
    let guarded = Key { deletion_protection: true, ..key(None) };
    assert_eq!(guarded.deletion_requested(start(), DAY).unwrap_err(), StateError::DeletionProtected);
    let slow = Key { min_destruction_wait: DAY * 7, ..key(None) };
    let KeyState::PendingDeletion { delete_at, .. } = slow.deletion_requested(start(), DAY * 3).unwrap().state else {
        panic!("it is pending deletion");
    };
    assert_eq!(delete_at, start().plus(DAY * 7));
}
