//! Deletion before its time, and what changes ask of a key's state.

use super::*;
use crate::domain::id::GeneratorId;
use crate::domain::properties::{DAY, key, start};
use proptest::prelude::*;
use rstest::rstest;

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// A key with this shortest wait whose deletion was requested at the start, for three days or for the shortest wait.
fn leaving(floor: Duration) -> Key {
    Key { min_destruction_wait: floor, ..key(None) }.deletion_requested(start(), DAY * 3).unwrap()
}

/// The same, of a time when nobody wrote down when it was requested.
fn leaving_since_nobody_knows_when(floor: Duration) -> Key {
    let mut key = leaving(floor);
    if let KeyState::PendingDeletion { requested_at, .. } = &mut key.state {
        *requested_at = None;
    }
    key
}

#[test]
fn a_key_without_a_shortest_wait_may_be_deleted_in_the_instant_of_the_request() {
    for pending in [leaving(Duration::ZERO), leaving_since_nobody_knows_when(Duration::ZERO)] {
        let hastened = pending.deletion_hastened(start()).unwrap();
        let KeyState::PendingDeletion { delete_at, .. } = hastened.state else { panic!("{hastened:?}") };
        assert_eq!(delete_at, start());
        assert_eq!(hastened.deleted(start()).unwrap().state, KeyState::Deleted { deleted_at: start() });
    }
}

#[rstest]
#[case::native(DAY)]
#[case::aws(WEEK)]
fn a_shortest_wait_counts_from_the_request(#[case] floor: Duration) {
    let just_before = start().plus(floor - Duration::from_micros(1));
    assert_eq!(leaving(floor).deletion_hastened(just_before).unwrap_err(), StateError::DestructionWait);
    let over = start().plus(floor);
    assert!(leaving(floor).deletion_hastened(over).unwrap().deleted(over).is_ok());
}

#[test]
fn a_wait_whose_beginning_nobody_knows_is_over_at_its_end() {
    let end = start().plus(DAY * 3);
    let pending = leaving_since_nobody_knows_when(DAY);
    let before = start().plus(DAY * 3 - Duration::from_micros(1));
    assert_eq!(pending.clone().deletion_hastened(before).unwrap_err(), StateError::DestructionWait);
    assert!(pending.deletion_hastened(end).is_ok());
}

#[test]
fn a_date_that_is_past_is_not_moved() {
    let late = start().plus(DAY * 9);
    let KeyState::PendingDeletion { delete_at, requested_at, switch } =
        leaving(DAY).deletion_hastened(late).unwrap().state
    else {
        panic!("it is pending deletion");
    };
    assert_eq!((delete_at, requested_at, switch), (start().plus(DAY * 3), Some(start()), Switch::Active));
}

#[test]
fn only_a_pending_deletion_of_a_key_that_is_not_protected_is_hastened() {
    let late = start().plus(DAY * 9);
    assert_eq!(key(None).deletion_hastened(late).unwrap_err(), StateError::KeyNotPendingDeletion);
    let gone = leaving(DAY).deleted(late).unwrap();
    assert_eq!(gone.deletion_hastened(late).unwrap_err(), StateError::KeyDeleted);
    let guarded = Key { deletion_protection: true, ..leaving(Duration::ZERO) };
    assert_eq!(guarded.deletion_hastened(late).unwrap_err(), StateError::DeletionProtected);
}

#[test]
fn a_deleted_key_has_neither_name_nor_schedule_nor_tokens() {
    let named = Key {
        key_name: Some(ShortName::new("orders".to_owned()).unwrap()),
        token_generator: Some(TokenGenerator::new(GeneratorId::from_bytes([1; 16]), start())),
        rotation: Some(RotationSchedule::ncloud(DAY, start(), DAY).unwrap()),
        ..leaving(DAY)
    };
    let gone = named.deleted(start().plus(DAY * 3)).unwrap();
    assert_eq!((gone.key_name, gone.token_generator, gone.rotation), (None, None, None));
}

#[test]
fn a_restored_key_begins_its_next_wait_anew() {
    let again = start().plus(DAY * 2);
    let restored = leaving(WEEK).restored(Some(Switch::Inactive)).unwrap();
    assert_eq!(restored.state, KeyState::Live { switch: Switch::Inactive });
    let pending = restored.deletion_requested(again, Duration::ZERO).unwrap();
    let first_wait_over = start().plus(WEEK);
    assert_eq!(pending.clone().deletion_hastened(first_wait_over).unwrap_err(), StateError::DestructionWait);
    assert!(pending.deletion_hastened(again.plus(WEEK)).is_ok());
}

#[test]
fn what_is_to_be_switched_on_has_to_be_off() {
    let (on, off) = (key(None), key(None).switched(Switch::Inactive).unwrap());
    let gone = leaving(DAY).deleted(start().plus(WEEK)).unwrap();
    assert_eq!(on.require(Requires::Inactive), Err(StateError::KeyActive));
    assert_eq!(off.require(Requires::Inactive), Ok(()));
    assert_eq!(leaving(DAY).require(Requires::Inactive), Err(StateError::KeyPendingDeletion));
    assert_eq!(gone.require(Requires::Inactive), Err(StateError::KeyDeleted));
    for what in [Requires::Live, Requires::Active] {
        assert_eq!(on.require(what), Ok(()));
    }
    assert_eq!(off.require(Requires::Active), Err(StateError::KeyInactive));
}

#[test]
fn a_convergent_key_keeps_its_algorithm() {
    for algorithm in Algorithm::ALL {
        let convergent = Key { convergent: true, default_algorithm: Algorithm::Aes256, ..key(None) };
        let expected = algorithm == Algorithm::Aes256;
        assert_eq!(convergent.with_algorithm(algorithm).is_ok(), expected, "{algorithm:?}");
        assert_eq!(check_convergent(true, algorithm).is_ok(), expected, "{algorithm:?}");
        assert!(check_convergent(false, algorithm).is_ok() && key(None).with_algorithm(algorithm).is_ok());
    }
}

#[test]
fn a_state_that_was_recorded_before_requests_had_an_instant_is_read() {
    let old = r#"{"state":"pending_deletion","delete_at":5,"switch":"active"}"#;
    let expected =
        KeyState::PendingDeletion { delete_at: Timestamp::from_micros(5), switch: Switch::Active, requested_at: None };
    assert_eq!(serde_json::from_str::<KeyState>(old).unwrap(), expected);
}

/// In records of operations, which nobody writes anew.
#[test]
fn a_key_that_was_recorded_before_keys_had_lists_and_tokens_is_read() {
    let mut old = serde_json::to_value(key(None)).unwrap();
    for field in ["convergent", "addresses", "token_generator"] {
        assert!(old.as_object_mut().unwrap().remove(field).is_some(), "{field}");
    }
    assert_eq!(serde_json::from_value::<Key>(old).unwrap(), key(None));
}

proptest! {
    #[test]
    fn nothing_is_deleted_before_the_keys_own_shortest_wait(
        floor_hours in 0u32..400, wait_hours in 0u32..400, asked_hours in 0u32..800, known in any::<bool>(),
    ) {
        let hour = Duration::from_secs(3600);
        let floor = hour * floor_hours;
        let original = Key { min_destruction_wait: floor, ..key(None) };
        let mut pending = original.deletion_requested(start(), hour * wait_hours).unwrap();
        let KeyState::PendingDeletion { requested_at, delete_at, .. } = &mut pending.state else { unreachable!() };
        let planned = *delete_at;
        if !known {
            *requested_at = None;
        }
        let now = start().plus(hour * asked_hours);
        match pending.deletion_hastened(now).and_then(|key| key.deleted(now)) {
            Ok(_) => prop_assert!(now >= start().plus(floor)),
            Err(refused) => {
                prop_assert_eq!(refused, StateError::DestructionWait);
                prop_assert!(now < planned && (!known || now < start().plus(floor)));
            }
        }
    }
}
