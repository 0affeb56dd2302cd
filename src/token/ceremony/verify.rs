//! What every start does: the keys are there, are as they were made, and have no twins. No attack is played.

use super::plan::{internal_label, kek_label};
use super::{canary, inspect, internal};
use crate::service::ports::{InternalKeyRole, KekRecord, Protection, TokenBinding, TokenError};
use crate::token::access::Access;
use crate::token::module::{Module, unavailable};
use crate::token::raw_attr::Attr;
use crate::token::template;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::slot::Slot;

/// The handles of an installation's token keys, valid for the login in which they were found.
#[derive(Debug, Clone)]
pub struct Parts {
    /// KEKs by number, oldest first.
    pub keks: Vec<(u32, ObjectHandle)>,
    /// Internal keys by role and number.
    pub internal_keys: Vec<(InternalKeyRole, u32, ObjectHandle)>,
}

impl Parts {
    /// The KEK with this number.
    #[must_use]
    pub fn kek(&self, number: u32) -> Option<ObjectHandle> {
        self.keks.iter().find(|(found, _)| *found == number).map(|(_, handle)| *handle)
    }

    /// The internal key of this role and number.
    #[must_use]
    pub fn internal_key(&self, role: InternalKeyRole, number: u32) -> Option<ObjectHandle> {
        let mut fitting = self.internal_keys.iter().filter(|(found, n, _)| *found == role && *n == number);
        fitting.next().map(|(.., handle)| *handle)
    }
}

/// Finds the token keys of `binding` by their `CKA_ID`, in a session of a logged-in user.
///
/// # Errors
/// [`TokenError::Unavailable`] if one is missing, [`TokenError::Untrusted`] if an id or label occurs twice.
pub fn open_parts(module: &Module, slot: Slot, session: &Session, binding: &TokenBinding) -> Result<Parts, TokenError> {
    let access = Access::new(module, session, slot);
    let kek = |record: &KekRecord| {
        let label = (!record.adopted).then(|| kek_label(record.number, binding.cluster_id));
        let what = format!("KEK {}", record.number);
        inspect::the_object(&access, &record.object_id, label.as_deref(), &what).map(|key| (record.number, key))
    };
    let keks = binding.keks.iter().map(kek).collect::<Result<_, _>>()?;
    let internal_keys = binding.internal_keys.iter().map(|key| {
        let label = internal_label(key.role, binding.cluster_id);
        let what = format!("the key {label}");
        inspect::the_object(&access, &key.object_id, Some(&label), &what).map(|handle| (key.role, key.number, handle))
    });
    Ok(Parts { keks, internal_keys: internal_keys.collect::<Result<_, _>>()? })
}

/// Checks the token keys of `binding`, in a session of a logged-in user: all attributes, the canaries, and that
/// there is no twin of a key and, on profile T, no trusted key of others.
///
/// # Errors
/// [`TokenError::Untrusted`] for any difference, [`TokenError::Unavailable`] if a key is missing or the token does
/// not answer.
pub fn verify(module: &Module, slot: Slot, session: &Session, binding: &TokenBinding) -> Result<(), TokenError> {
    if !binding.complete {
        return Err(TokenError::Untrusted("the ceremony was cut off: repeat it".into()));
    }
    let found = module.identity(slot)?;
    if found.serial != binding.identity.serial {
        return Err(TokenError::Untrusted(format!(
            "the token has the serial number {:?}, the database belongs to {:?}",
            found.serial, binding.identity.serial
        )));
    }
    let access = Access::new(module, session, slot);
    let parts = open_parts(module, slot, session, binding)?;
    verify_parts(&access, binding, &parts)
}

pub(super) fn verify_parts(access: &Access<'_>, binding: &TokenBinding, parts: &Parts) -> Result<(), TokenError> {
    for (record, (_, kek)) in binding.keks.iter().zip(&parts.keks) {
        refuse_difference(access, *kek, &expected_kek(record, binding), &format!("KEK {}", record.number))?;
        canary::compare(access, *kek, record, binding.protection, &binding.capabilities)?;
        inspect::refuse_twin(access, *kek, record, binding.protection, &binding.capabilities)?;
    }
    for (role, _, key) in &parts.internal_keys {
        let what = format!("the key {}", internal_label(*role, binding.cluster_id));
        refuse_difference(access, *key, &internal::expected(*role), &what)?;
    }
    if binding.protection == Protection::Trusted {
        let keks: Vec<_> = parts.keks.iter().map(|(_, kek)| *kek).collect();
        inspect::refuse_unknown_trusted(access, &keks)?;
    }
    Ok(())
}

/// An adopted KEK of profile W is whatever the vendor's tool made, but it cannot be read.
fn expected_kek(record: &KekRecord, binding: &TokenBinding) -> Vec<Attr> {
    if record.adopted && binding.protection == Protection::Weak {
        return template::weakest_kek();
    }
    template::kek_read_back(binding.protection, binding.capabilities.wrap_mechanism)
}

fn refuse_difference(
    access: &Access<'_>,
    object: ObjectHandle,
    expected: &[Attr],
    what: &str,
) -> Result<(), TokenError> {
    let differences = access.differences(object, expected);
    let differences = differences.map_err(|error| unavailable(&format!("reading {what}"), &error))?;
    if differences.is_empty() {
        return Ok(());
    }
    Err(TokenError::Untrusted(format!("{what} is not as it was made: {}", differences.join("; "))))
}
