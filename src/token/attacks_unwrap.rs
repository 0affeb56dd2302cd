//! Attacks on wrapped data keys: unwrapping them with attributes of the attacker's choice, and what can be done with
//! a data key that was unwrapped as it should be.

use super::attacks::{Ending, Target, refused, unprepared};
use super::module::ckr_text;
use super::raw_attr::{Attr, Value};
use super::template::{self, wrap_mechanism};
use crate::service::ports::Protection;
use cryptoki::error::{Error, Result};
use cryptoki::object::ObjectHandle;
use cryptoki_sys::{
    CK_ATTRIBUTE_TYPE, CKA_DERIVE, CKA_EXTRACTABLE, CKA_KEY_TYPE, CKA_MODIFIABLE, CKA_PRIVATE, CKA_SENSITIVE, CKA_SIGN,
    CKA_TOKEN, CKA_UNWRAP, CKA_VALUE, CKA_VERIFY, CKA_WRAP, CKA_WRAP_WITH_TRUSTED, CKK_GENERIC_SECRET, CKM_AES_KEY_GEN,
};

/// The proper template, with some attributes exchanged or added and some left out.
fn weakened(target: &Target<'_>, changes: &[Attr], left_out: &[CK_ATTRIBUTE_TYPE]) -> Vec<Attr> {
    let proper = template::data_key_unwrap(target.protection, false);
    let stays = |attr: &Attr| !left_out.contains(&attr.kind) && !changes.iter().any(|change| change.kind == attr.kind);
    let mut list: Vec<Attr> = proper.into_iter().filter(stays).collect();
    let at = list.iter().position(|attr| attr.kind == CKA_MODIFIABLE).unwrap_or(list.len());
    list.splice(at..at, changes.iter().cloned());
    list
}

fn unwrap_with(target: &Target<'_>, template: &[Attr]) -> Result<ObjectHandle> {
    target.access.unwrap(wrap_mechanism(target.mechanism), target.kek, target.blob, template)
}

/// Unwraps with a weakened template; it succeeded if the weakness is there afterwards.
fn unwrap_weakened(target: &Target<'_>, changes: &[Attr], left_out: &[CK_ATTRIBUTE_TYPE]) -> Ending {
    match unwrap_with(target, &weakened(target, changes, left_out)) {
        Err(error) => refused(&error),
        Ok(key) => {
            let ending = judge(target, key, changes);
            discard(target, key);
            ending
        }
    }
}

/// Whether an object that was made has what the attacker wanted.
pub(super) fn judge(target: &Target<'_>, object: ObjectHandle, wanted: &[Attr]) -> Ending {
    match target.access.differences(object, wanted) {
        Ok(list) if wanted.is_empty() || list.is_empty() => Ending::Succeeded(format!("{wanted:?}")),
        Ok(list) => Ending::Refused(format!("answered OK, but {}", list.join(", "))),
        Err(error) => Ending::Succeeded(format!("made, and not readable: {}", ckr_text(&error))),
    }
}

/// Objects that an attack made do not stay. One that cannot be destroyed is found by the search for twins.
pub(super) fn discard(target: &Target<'_>, object: ObjectHandle) {
    drop(target.access.session.destroy_object(object));
}

pub(super) fn not_sensitive(target: &Target<'_>) -> Ending {
    let changes = [Attr::bool(CKA_SENSITIVE, false), Attr::bool(CKA_EXTRACTABLE, true)];
    match unwrap_with(target, &weakened(target, &changes, &[])) {
        Err(error) => refused(&error),
        Ok(key) => {
            let ending = value_of(target, key);
            discard(target, key);
            ending
        }
    }
}

pub(super) fn value_of(target: &Target<'_>, key: ObjectHandle) -> Ending {
    match target.access.attribute(key, CKA_VALUE) {
        Ok(Some(Value::Bytes(bytes))) if !bytes.is_empty() => {
            Ending::Succeeded(format!("{} key bytes in clear", bytes.len()))
        }
        Ok(_) => Ending::Refused("no CKA_VALUE".into()),
        Err(error) => refused(&error),
    }
}

/// On profile N the template has no `WRAP_WITH_TRUSTED`; there the attack is to unwrap the key extractable.
pub(super) fn not_wrap_with_trusted(target: &Target<'_>) -> Ending {
    let changes = match target.protection {
        Protection::Trusted => vec![Attr::bool(CKA_WRAP_WITH_TRUSTED, false), Attr::bool(CKA_EXTRACTABLE, true)],
        _ => vec![Attr::bool(CKA_EXTRACTABLE, true)],
    };
    unwrap_weakened(target, &changes, &[])
}

pub(super) fn without_wrap_with_trusted(target: &Target<'_>) -> Ending {
    let extractable = [Attr::bool(CKA_EXTRACTABLE, true)];
    match unwrap_with(target, &weakened(target, &extractable, &[CKA_WRAP_WITH_TRUSTED])) {
        Err(error) => refused(&error),
        Ok(key) => {
            // A token may merge the pinned attributes in (kryoptic does): then nothing is gained.
            let gained = [Attr::bool(CKA_EXTRACTABLE, true), Attr::bool(CKA_WRAP_WITH_TRUSTED, false)];
            let ending = judge(target, key, &gained);
            discard(target, key);
            ending
        }
    }
}

pub(super) fn public_permanent(target: &Target<'_>) -> Ending {
    unwrap_weakened(target, &[Attr::bool(CKA_TOKEN, true), Attr::bool(CKA_PRIVATE, false)], &[])
}

pub(super) fn private_permanent(target: &Target<'_>) -> Ending {
    unwrap_weakened(target, &[Attr::bool(CKA_TOKEN, true)], &[])
}

pub(super) fn derive(target: &Target<'_>) -> Ending {
    unwrap_weakened(target, &[Attr::bool(CKA_DERIVE, true)], &[])
}

pub(super) fn wrap(target: &Target<'_>) -> Ending {
    unwrap_weakened(target, &[Attr::bool(CKA_WRAP, true)], &[])
}

pub(super) fn unwrap(target: &Target<'_>) -> Ending {
    unwrap_weakened(target, &[Attr::bool(CKA_UNWRAP, true)], &[])
}

pub(super) fn sign(target: &Target<'_>) -> Ending {
    unwrap_weakened(target, &[Attr::bool(CKA_SIGN, true)], &[])
}

pub(super) fn verify(target: &Target<'_>) -> Ending {
    unwrap_weakened(target, &[Attr::bool(CKA_VERIFY, true)], &[])
}

pub(super) fn modifiable(target: &Target<'_>) -> Ending {
    unwrap_weakened(target, &[Attr::bool(CKA_MODIFIABLE, true)], &[])
}

pub(super) fn generic_secret(target: &Target<'_>) -> Ending {
    let changes = [Attr::ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET), Attr::bool(CKA_DERIVE, true)];
    unwrap_weakened(target, &changes, &[])
}

/// Plays on a data key that was unwrapped as the service does it.
fn on_data_key(target: &Target<'_>, play: impl Fn(ObjectHandle) -> Ending) -> Ending {
    match unwrap_properly(target) {
        Err(error) => unprepared("unwrapping the data key", &error),
        Ok(key) => {
            let ending = play(key);
            discard(target, key);
            ending
        }
    }
}

fn unwrap_properly(target: &Target<'_>) -> Result<ObjectHandle> {
    let without = unwrap_with(target, &template::data_key_unwrap(target.protection, false));
    without.or_else(|_| unwrap_with(target, &template::data_key_unwrap(target.protection, true)))
}

pub(super) fn read_value(target: &Target<'_>) -> Ending {
    on_data_key(target, |key| value_of(target, key))
}

fn set_on_data_key(target: &Target<'_>, wanted: &Attr) -> Ending {
    let wanted = std::slice::from_ref(wanted);
    on_data_key(target, |key| match target.access.raw.set_attributes(target.access.session, key, wanted) {
        Err(error) => refused(&error),
        Ok(()) => judge(target, key, wanted),
    })
}

pub(super) fn set_derive(target: &Target<'_>) -> Ending {
    set_on_data_key(target, &Attr::bool(CKA_DERIVE, true))
}

pub(super) fn set_wrap(target: &Target<'_>) -> Ending {
    set_on_data_key(target, &Attr::bool(CKA_WRAP, true))
}

fn copy_of_data_key(target: &Target<'_>, wanted: &[Attr]) -> Ending {
    on_data_key(target, |key| copy_and_judge(target, key, wanted))
}

pub(super) fn copy_and_judge(target: &Target<'_>, object: ObjectHandle, wanted: &[Attr]) -> Ending {
    match target.access.copy(object, wanted) {
        Err(error) => refused(&error),
        Ok(copy) => {
            let ending = judge(target, copy, wanted);
            discard(target, copy);
            ending
        }
    }
}

pub(super) fn copy_permanent(target: &Target<'_>) -> Ending {
    copy_of_data_key(target, &[Attr::bool(CKA_TOKEN, true)])
}

pub(super) fn copy_not_sensitive(target: &Target<'_>) -> Ending {
    copy_of_data_key(target, &[Attr::bool(CKA_SENSITIVE, false)])
}

/// A wrapping key of the attacker's own.
pub(super) fn own_wrapping_key(target: &Target<'_>) -> Result<ObjectHandle> {
    target.access.generate(CKM_AES_KEY_GEN, &template::session_wrapping_key())
}

/// Unwraps the key as extractable as the KEK allows, and wraps it under a key of the attacker's own.
pub(super) fn wrap_under_own_key(target: &Target<'_>) -> Ending {
    match own_wrapping_key(target) {
        Err(error) => unprepared("making a wrapping key", &error),
        Ok(own) => {
            let ending = rewrap(target, own);
            discard(target, own);
            ending
        }
    }
}

/// The way in which a KEK is replaced on profile T.
pub(super) fn rewrap_under_next_kek(target: &Target<'_>) -> Ending {
    match target.next_kek {
        None => Ending::NotApplicable("there is no second KEK".into()),
        Some(next) => rewrap(target, next),
    }
}

fn rewrap(target: &Target<'_>, under: ObjectHandle) -> Ending {
    let extractable = weakened(target, &[Attr::bool(CKA_EXTRACTABLE, true)], &[]);
    let wrapped = unwrap_with(target, &extractable).and_then(|key| {
        let wrapped = target.access.wrap(wrap_mechanism(target.mechanism), under, key);
        discard(target, key);
        wrapped
    });
    match wrapped {
        Ok(blob) => Ending::Succeeded(format!("wrapped to {} bytes", blob.len())),
        Err(error @ Error::Pkcs11(..)) => refused(&error),
        Err(error) => unprepared("wrapping", &error),
    }
}
