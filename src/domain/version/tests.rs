//! Versions that are switched on and off, and since when they are what they are.

use super::*;
use crate::domain::properties::{DAY, start, version};

fn later() -> Timestamp {
    start().plus(DAY)
}

fn disabled() -> KeyVersion {
    version(1, start()).disable(false, false, later()).unwrap()
}

#[test]
fn an_untouched_version_is_in_its_state_since_it_was_made() {
    let untouched = version(1, start());
    assert_eq!((untouched.state_changed_at, untouched.state_since()), (None, start()));
}

#[test]
fn each_change_of_state_has_its_instant() {
    let (one, two, three) = (later(), later().plus(DAY), later().plus(DAY * 3));
    let off = version(1, start()).disable(false, false, one).unwrap();
    assert_eq!((off.state, off.state_since()), (VersionState::Disabled, one));
    let on = off.enable(two).unwrap();
    assert_eq!((on.state, on.state_since()), (VersionState::Active, two));
    let scheduled = on.schedule_destruction(false, two, DAY, DAY).unwrap();
    assert_eq!(scheduled.state_since(), two);
    let back = scheduled.clone().cancel_destruction(three).unwrap();
    assert_eq!((back.state, back.state_since()), (VersionState::Active, three));
    let going = scheduled.begin_destruction(three).unwrap();
    assert_eq!(going.state_since(), three);
    let gone = going.end_destruction(three.plus(DAY)).unwrap();
    assert_eq!(gone.state_since(), three.plus(DAY));
    assert_eq!(version(1, start()).begin_destruction_with_key(three).unwrap().state_since(), three);
}

#[test]
fn what_changes_nothing_has_no_instant() {
    let off = disabled();
    assert_eq!(off.clone().disable(false, false, later().plus(DAY)).unwrap(), off);
    let on = version(1, start());
    assert_eq!(on.clone().enable(later()).unwrap(), on);
}

#[test]
fn neither_the_primary_nor_the_newest_version_is_switched_off_in_any_state() {
    let scheduled = version(1, start()).schedule_destruction(false, start(), DAY, DAY).unwrap();
    for version in [version(1, start()), disabled(), scheduled] {
        for newest in [false, true] {
            let refused = version.clone().disable(true, newest, later()).unwrap_err();
            assert_eq!(refused, StateError::VersionIsPrimary);
        }
        assert_eq!(version.disable(false, true, later()).unwrap_err(), StateError::VersionIsNewest);
    }
}

#[test]
fn a_version_that_is_scheduled_or_gone_is_not_switched() {
    let scheduled = disabled().schedule_destruction(false, start(), DAY, DAY).unwrap();
    let going = scheduled.clone().begin_destruction(later()).unwrap();
    let gone = going.clone().end_destruction(later()).unwrap();
    for version in [scheduled, going, gone] {
        assert_eq!(version.clone().disable(false, false, later()).unwrap_err(), StateError::VersionNotActive);
        assert_eq!(version.enable(later()).unwrap_err(), StateError::VersionNotActive);
    }
}

#[test]
fn a_disabled_version_is_not_used() {
    assert_eq!(disabled().require_active(), Err(StateError::VersionNotActive));
    assert_eq!(disabled().enable(later()).unwrap().require_active(), Ok(()));
}

#[test]
fn a_version_that_was_recorded_before_states_had_an_instant_is_read() {
    let mut old = serde_json::to_value(version(1, start())).unwrap();
    assert!(old.as_object_mut().unwrap().remove("state_changed_at").is_some());
    assert_eq!(serde_json::from_value::<KeyVersion>(old).unwrap(), version(1, start()));
}
