//! Schedules of the Ncloud dialect.

use super::*;
use crate::domain::error::StateError;
use crate::domain::key::{Key, Switch};
use crate::domain::properties::{DAY, key, start, version};

fn ninety_days() -> RotationSchedule {
    RotationSchedule::ncloud(DAY * 90, start(), DAY).unwrap()
}

fn at(days: u32) -> Timestamp {
    start().plus(DAY * days)
}

/// The number that the key has after it was asked to rotate by its schedule.
fn woken(key: Key, now: Timestamp) -> Result<Key, StateError> {
    let next = version(key.latest_version_number + 1, now);
    key.rotated_automatically(&next)
}

#[test]
fn the_first_rotation_is_due_a_period_after_the_call() {
    let schedule = ninety_days();
    assert_eq!((schedule.owner, schedule.period), (Dialect::Ncloud, DAY * 90));
    assert_eq!(schedule.next_rotation_at, at(90));
    let short = RotationSchedule::ncloud(DAY - Duration::from_micros(1), start(), DAY);
    assert_eq!(short, Err(ValueError::RotationPeriod { min: DAY, max: MAX_PERIOD }));
    assert!(RotationSchedule::ncloud(MAX_PERIOD + Duration::from_micros(1), start(), DAY).is_err());
}

#[test]
fn a_rotation_by_hand_does_not_move_the_date() {
    let rotated = key(Some(ninety_days())).rotated_on_demand(&version(2, at(89))).unwrap();
    assert_eq!(rotated.rotation, Some(ninety_days()));
    let rotated = woken(rotated, at(90)).unwrap();
    assert_eq!((rotated.latest_version_number, rotated.rotation.unwrap().next_rotation_at), (3, at(180)));
}

#[test]
fn a_disabled_key_stays_in_its_cycle() {
    let mut off = key(Some(ninety_days())).switched(Switch::Inactive).unwrap();
    for number in 1..=8 {
        let due = at(90 * number);
        assert_eq!(woken(off.clone(), at(90 * number - 1)).unwrap_err(), StateError::NotDue);
        off = woken(off, due).unwrap();
        assert_eq!(off.require_live(), Ok(Switch::Inactive), "it is rotated and stays off");
        assert_eq!(off.rotation.unwrap().next_rotation_at, at(90 * (number + 1)));
    }
    assert_eq!(off.rotated_on_demand(&version(10, at(721))).unwrap_err(), StateError::KeyInactive);
}

#[test]
fn what_was_missed_is_made_up_for_once() {
    let late = at(1_000);
    let rotated = woken(key(Some(ninety_days())), late).unwrap();
    assert_eq!(rotated.rotation.unwrap().next_rotation_at, late.plus(DAY * 90));
    assert_eq!(woken(rotated, late).unwrap_err(), StateError::NotDue);
}

#[test]
fn a_key_that_is_leaving_is_not_rotated() {
    let leaving = key(Some(ninety_days())).deletion_requested(start(), DAY * 3).unwrap();
    assert_eq!(woken(leaving.clone(), at(400)).unwrap_err(), StateError::NotDue);
    let back = leaving.restored(Some(Switch::Inactive)).unwrap();
    assert!(woken(back, at(400)).is_ok(), "a restored one is disabled, and in its cycle again");
}
