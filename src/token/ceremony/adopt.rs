//! Binding a KEK that a vendor's tool made (`--adopt-kek`), because no SO step can be assumed through `C_Login`.

use super::kek::KekName;
use super::plan::FIRST;
use super::{CeremonyError, hex, inspect};
use crate::service::ports::{AttackOutcome, AttackReport, KekRecord, Protection, TokenCapabilities, TokenError};
use crate::token::access::Access;
use crate::token::attacks::{self, Target};
use crate::token::module::{ckr_text, unavailable};
use crate::token::raw_attr::Value;
use crate::token::template;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki_sys::CKA_ID;

/// An adopted KEK, what it promises, and how that was found out.
pub(super) struct Adopted {
    pub(super) record: KekRecord,
    pub(super) key: ObjectHandle,
    pub(super) protection: Protection,
    pub(super) attacks: Vec<AttackReport>,
}

/// Finds the KEK and decides what it promises: profile T or N only if it has the very attributes of ours and
/// withstands the attacks, else W.
pub(super) fn adopt(
    access: &Access<'_>,
    name: &KekName,
    capabilities: &TokenCapabilities,
) -> Result<Adopted, CeremonyError> {
    let key = find(access, name)?;
    let record = record(access, key)?;
    let mut notes = Vec::new();
    for protection in [Protection::Trusted, Protection::NonExtractable, Protection::Weak] {
        let expected = match protection {
            Protection::Weak => template::weakest_kek(),
            _ => template::kek_read_back(protection, capabilities.wrap_mechanism),
        };
        let read = |error| unavailable("reading the KEK's attributes", &error);
        let differences = access.differences(key, &expected).map_err(read)?;
        if !differences.is_empty() {
            notes.push(attribute_note(protection, &differences));
            continue;
        }
        let mut reports = play(access, key, protection, capabilities)?;
        if attacks::keeps(&reports, protection) {
            reports.splice(0..0, notes);
            return Ok(Adopted { record, key, protection, attacks: reports });
        }
    }
    let details = notes.iter().map(|note| note.detail.as_str()).collect::<Vec<_>>().join("; ");
    Err(CeremonyError::Refused(format!("this key cannot be a KEK: {details}")))
}

fn attribute_note(protection: Protection, differences: &[String]) -> AttackReport {
    AttackReport {
        name: format!("attributes-of-{protection:?}").to_lowercase(),
        outcome: AttackOutcome::NotApplicable,
        detail: differences.join("; "),
    }
}

fn find(access: &Access<'_>, name: &KekName) -> Result<ObjectHandle, CeremonyError> {
    let mut template = vec![Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Token(true)];
    match name {
        KekName::Label(label) => template.push(Attribute::Label(label.as_bytes().to_vec())),
        KekName::Uri(uri) => {
            template.extend(uri.object.as_ref().map(|label| Attribute::Label(label.as_bytes().to_vec())));
            template.extend(uri.id.clone().map(Attribute::Id));
        }
    }
    if template.len() == 2 {
        return Err(CeremonyError::Refused("the KEK's URI needs an object or id attribute".into()));
    }
    let found = access.session.find_objects(&template).map_err(|error| unavailable("C_FindObjects", &error))?;
    match found.as_slice() {
        [key] => Ok(*key),
        [] => Err(CeremonyError::Refused("no secret key has the name of the KEK to adopt".into())),
        several => Err(CeremonyError::Refused(format!("{} secret keys have that name", several.len()))),
    }
}

fn record(access: &Access<'_>, key: ObjectHandle) -> Result<KekRecord, CeremonyError> {
    let id = match access.attribute(key, CKA_ID) {
        Ok(Some(Value::Bytes(id))) if !id.is_empty() => id,
        _ => return Err(CeremonyError::Refused("the KEK to adopt has no CKA_ID: give it one".into())),
    };
    let object_id = hex::encode(&id);
    inspect::the_object(access, &object_id, None, "the KEK to adopt")?;
    Ok(KekRecord {
        number: FIRST,
        object_id,
        canary: String::new(),
        canary_check: String::new(),
        check_value: access.check_value(key).map(|value| hex::encode(&value)),
        adopted: true,
    })
}

fn play(
    access: &Access<'_>,
    kek: ObjectHandle,
    protection: Protection,
    capabilities: &TokenCapabilities,
) -> Result<Vec<AttackReport>, TokenError> {
    let blob = super::canary::make(access, kek, protection, capabilities).map_err(|error| {
        TokenError::Unavailable(format!("the KEK to adopt does not wrap a data key: {}", ckr_text(&error)))
    })?;
    Ok(attacks::play_all(&Target {
        access: *access,
        kek,
        blob: &blob.0,
        protection,
        mechanism: capabilities.wrap_mechanism,
        next_kek: None,
        spare_kek: true,
    }))
}
