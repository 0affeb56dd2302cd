//! Looking for objects that should not be there: leftovers, twins, and trusted keys of others.

use super::hex;
use super::kek::find_by_id;
use crate::service::ports::{KekRecord, Protection, TokenBinding, TokenCapabilities, TokenError};
use crate::token::access::Access;
use crate::token::module::unavailable;
use crate::token::raw_attr::Value;
use crate::token::template::{self, wrap_mechanism};
use cryptoki::error::Result as CkResult;
use cryptoki::object::ObjectHandle;
use cryptoki_sys::{CKA_ID, CKA_LABEL, CKA_UNWRAP};

/// The `CKA_ID` of every object that an incomplete binding's run may have made.
pub(super) fn made_ids(intent: &TokenBinding) -> Vec<Vec<u8>> {
    let keks = intent.keks.iter().filter(|kek| !kek.adopted).map(|kek| &kek.object_id);
    let internal = intent.internal_keys.iter().map(|key| &key.object_id);
    keks.chain(internal).filter_map(|id| hex::decode(id)).filter(|id| !id.is_empty()).collect()
}

/// Destroys what a run that was cut off has made, public KEKs included.
pub(super) fn destroy_leftovers(access: &Access<'_>, intent: &TokenBinding) -> Result<usize, TokenError> {
    let mut destroyed = 0;
    for id in made_ids(intent) {
        for object in find_by_id(access, &id)? {
            let done = access.session.destroy_object(object);
            done.map_err(|error| unavailable("destroying what an earlier run left behind", &error))?;
            destroyed += 1;
        }
    }
    Ok(destroyed)
}

/// Destroys every object with an id, if there are any.
pub(super) fn destroy_by_id(access: &Access<'_>, id: &str) -> Result<(), TokenError> {
    for object in find_by_id(access, &hex::decode(id).unwrap_or_default())? {
        access.session.destroy_object(object).map_err(|error| unavailable("C_DestroyObject", &error))?;
    }
    Ok(())
}

/// Refuses trusted keys other than `ours`: the user could wrap keys under them.
pub(super) fn refuse_unknown_trusted(access: &Access<'_>, ours: &[ObjectHandle]) -> Result<(), TokenError> {
    let trusted = access.trusted_keys().map_err(|error| unavailable("C_FindObjects", &error))?;
    match trusted.into_iter().find(|key| !ours.contains(key)) {
        None => Ok(()),
        Some(key) => Err(TokenError::Untrusted(format!(
            "there is a trusted key that this installation did not make: {}. If it is of a database that was lost, put \
             that back; else use another token",
            describe(access, key)
        ))),
    }
}

/// An object in words, for an operator who has to find it.
pub(super) fn describe(access: &Access<'_>, object: ObjectHandle) -> String {
    let bytes = |kind| match access.attribute(object, kind) {
        Ok(Some(Value::Bytes(bytes))) => bytes,
        _ => Vec::new(),
    };
    format!("label {:?}, id {}", String::from_utf8_lossy(&bytes(CKA_LABEL)), hex::encode(&bytes(CKA_ID)))
}

/// Finds the one object with an id and refuses twins: others with the same id or label.
pub(super) fn the_object(
    access: &Access<'_>,
    id: &str,
    label: Option<&str>,
    what: &str,
) -> Result<ObjectHandle, TokenError> {
    let id = hex::decode(id).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| TokenError::Untrusted(format!("the id of {what} is malformed")))?;
    let object = match find_by_id(access, &id)?.as_slice() {
        [object] => *object,
        [] => return Err(TokenError::Unavailable(format!("{what} is not in the token"))),
        several => return Err(TokenError::Untrusted(format!("{} objects have the id of {what}", several.len()))),
    };
    let Some(label) = label else {
        return Ok(object);
    };
    let labelled = access.by_label(label).map_err(|error| unavailable("C_FindObjects", &error))?;
    if labelled.iter().any(|other| *other != object) {
        return Err(TokenError::Untrusted(format!("another object has the label of {what}")));
    }
    Ok(object)
}

/// Refuses a secret key that is the KEK under another name: it unwraps the KEK's canary, or has its check value.
pub(super) fn refuse_twin(
    access: &Access<'_>,
    kek: ObjectHandle,
    record: &KekRecord,
    protection: Protection,
    capabilities: &TokenCapabilities,
) -> Result<(), TokenError> {
    let keys = access.secret_keys().map_err(|error| unavailable("C_FindObjects", &error))?;
    let check_value = access.check_value(kek);
    let canary = hex::decode(&record.canary).unwrap_or_default();
    for key in keys.into_iter().filter(|key| *key != kek) {
        let same_check = check_value.is_some() && access.check_value(key) == check_value;
        if same_check || unwraps(access, key, &canary, protection, capabilities) {
            return Err(TokenError::Untrusted(format!(
                "a key is a twin of KEK {}: {}",
                record.number,
                describe(access, key)
            )));
        }
    }
    Ok(())
}

fn unwraps(
    access: &Access<'_>,
    key: ObjectHandle,
    canary: &[u8],
    protection: Protection,
    capabilities: &TokenCapabilities,
) -> bool {
    if !matches!(access.attribute(key, CKA_UNWRAP), Ok(Some(Value::Bool(true)))) {
        return false;
    }
    let template = template::data_key_unwrap(protection, capabilities.value_len_on_unwrap);
    let unwrapped: CkResult<ObjectHandle> =
        access.unwrap(wrap_mechanism(capabilities.wrap_mechanism), key, canary, &template);
    match unwrapped {
        Err(_) => false,
        Ok(object) => {
            drop(access.session.destroy_object(object));
            true
        }
    }
}
