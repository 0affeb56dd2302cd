//! What is known of the token while one generation of the library runs: its slot and the handles of its permanent keys.
//!
//! In: an initialised library. Out: a login, a [`Live`] whose keys were verified, and at the first start the
//! row-MAC key.

use super::config::TokenConfig;
use super::core::open_session;
use super::module::{Module, unavailable};
use crate::domain::id::{ClusterId, MaterialId};
use crate::service::ports::{InternalKey, InternalKeyRole, TokenBinding, TokenError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use zeroize::Zeroizing;

/// Domain separation of the row-MAC key.
const ROW_KEY_LABEL: &[u8] = b"claviger-row-mac-1";

/// One generation.
pub struct Live {
    /// Counts the starts of the library, from 1.
    pub generation: u64,
    /// The token's slot, which may change from one generation to the next.
    pub slot: Slot,
    /// The key that `init` wrapped under the newest KEK.
    pub canary: Vec<u8>,
    keks: Vec<(u32, ObjectHandle)>,
    sealing_keys: Vec<(u32, ObjectHandle)>,
}

impl Live {
    /// The KEK with this number.
    ///
    /// # Errors
    /// [`TokenError::MaterialDamaged`] if there never was one.
    pub fn kek(&self, number: u32) -> Result<ObjectHandle, TokenError> {
        by_number(&self.keks, number, "KEK")
    }

    /// The KEK that wraps new keys.
    ///
    /// # Errors
    /// [`TokenError::Untrusted`] if the binding names none.
    pub fn newest_kek(&self) -> Result<(u32, ObjectHandle), TokenError> {
        newest(&self.keks)
    }

    /// The internal key with this number that encrypts software-protected versions.
    ///
    /// # Errors
    /// [`TokenError::MaterialDamaged`] if there never was one.
    pub fn sealing_key(&self, number: u32) -> Result<ObjectHandle, TokenError> {
        by_number(&self.sealing_keys, number, "internal key")
    }

    /// The internal key that encrypts new software-protected versions.
    ///
    /// # Errors
    /// [`TokenError::Untrusted`] if the binding names none.
    pub fn newest_sealing_key(&self) -> Result<(u32, ObjectHandle), TokenError> {
        newest(&self.sealing_keys)
    }
}

fn by_number(keys: &[(u32, ObjectHandle)], number: u32, what: &str) -> Result<ObjectHandle, TokenError> {
    let found = keys.iter().find(|(known, _)| *known == number);
    found.map(|(_, key)| *key).ok_or_else(|| TokenError::MaterialDamaged(format!("there is no {what} {number}")))
}

fn newest(keys: &[(u32, ObjectHandle)]) -> Result<(u32, ObjectHandle), TokenError> {
    let newest = keys.iter().max_by_key(|(number, _)| *number);
    newest.copied().ok_or_else(|| TokenError::Untrusted("a permanent key is missing".to_owned()))
}

/// Finds the token, logs in, verifies its keys and finds their handles. The session keeps the login and must stay
/// open for the whole generation.
///
/// # Errors
/// [`TokenError::Unavailable`] if there is no token, no login or no answer, [`TokenError::Untrusted`] if the keys are
/// not those of `init`.
pub fn start(
    module: &Module,
    config: &TokenConfig,
    binding: &TokenBinding,
    generation: u64,
) -> Result<(Live, Session), TokenError> {
    let slot = module.find_slot(&config.selector)?;
    let opened = open_session(module, slot, binding.capabilities.rw_sessions_only);
    let session = opened.map_err(|error| unavailable("C_OpenSession", &error))?;
    module.login_once(&session, slot, UserType::User, &config.pin)?;
    let keks = binding.keks.iter().map(|kek| Ok((kek.number, find(&session, &kek.object_id)?)));
    let keks = keks.collect::<Result<Vec<_>, TokenError>>()?;
    let sealing_keys = keys_of(binding, InternalKeyRole::SoftwareVersions);
    let sealing_keys = sealing_keys.map(|key| Ok((key.number, find(&session, &key.object_id)?)));
    let sealing_keys = sealing_keys.collect::<Result<Vec<_>, TokenError>>()?;
    let newest_kek = binding.keks.iter().max_by_key(|kek| kek.number);
    let canary = newest_kek.map_or_else(|| Ok(Vec::new()), |kek| unhex(&kek.canary))?;
    Ok((Live { generation, slot, canary, keks, sealing_keys }, session))
}

/// The row-MAC key: HMAC-SHA256 of the installation's id, by a token key that is used for nothing else.
///
/// # Errors
/// [`TokenError`] if the key is missing or does not sign.
pub fn row_key(session: &Session, binding: &TokenBinding) -> Result<Zeroizing<[u8; 32]>, TokenError> {
    let missing = || TokenError::Untrusted("the row-MAC key is missing".to_owned());
    let key = newest_of(binding, InternalKeyRole::RowMac).ok_or_else(missing)?;
    let key = find(session, &key.object_id)?;
    let signed = session.sign(&Mechanism::Sha256Hmac, key, &row_key_input(binding.cluster_id));
    let signed = Zeroizing::new(signed.map_err(|error| unavailable("C_Sign with the row-MAC key", &error))?);
    let mut out = Zeroizing::new([0; 32]);
    if signed.len() != out.len() {
        return Err(TokenError::Untrusted("its HMAC-SHA256 is not 32 bytes long".to_owned()));
    }
    out.copy_from_slice(&signed);
    Ok(out)
}

fn row_key_input(cluster: ClusterId) -> Vec<u8> {
    [ROW_KEY_LABEL, cluster.as_bytes()].concat()
}

/// The id of the counter of the key that encrypts new software-protected versions.
pub fn sealing_counter(binding: &TokenBinding) -> Option<MaterialId> {
    let key = newest_of(binding, InternalKeyRole::SoftwareVersions)?;
    let bytes = unhex(&key.object_id).ok()?;
    bytes.try_into().ok().map(MaterialId::from_bytes)
}

fn keys_of(binding: &TokenBinding, role: InternalKeyRole) -> impl Iterator<Item = &InternalKey> {
    binding.internal_keys.iter().filter(move |key| key.role == role)
}

fn newest_of(binding: &TokenBinding, role: InternalKeyRole) -> Option<&InternalKey> {
    keys_of(binding, role).max_by_key(|key| key.number)
}

/// The one permanent object with this id.
fn find(session: &Session, id: &str) -> Result<ObjectHandle, TokenError> {
    let template = [Attribute::Id(unhex(id)?), Attribute::Token(true), Attribute::Private(true)];
    let found = session.find_objects(&template).map_err(|error| unavailable("C_FindObjects", &error))?;
    match found.as_slice() {
        [object] => Ok(*object),
        // A token whose directory or partition is away shows no objects and no error.
        [] => Err(TokenError::Unavailable(format!("it does not show its key {id}"))),
        _ => Err(TokenError::Untrusted(format!("it has more than one key {id}"))),
    }
}

fn unhex(text: &str) -> Result<Vec<u8>, TokenError> {
    let damaged = || TokenError::Untrusted("the record of the token's keys is not hexadecimal".to_owned());
    let digits = text.bytes().map(|digit| char::from(digit).to_digit(16)).collect::<Option<Vec<_>>>();
    let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or_else(damaged)?;
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).map_err(|_| damaged())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_text_is_read_and_other_text_is_refused() {
        assert_eq!(unhex("00ff7A").unwrap(), [0, 255, 0x7a]);
        for text in ["0", "0g", "+1", "é"] {
            assert!(matches!(unhex(text), Err(TokenError::Untrusted(_))), "{text}");
        }
    }
}
