//! What is known of the token while one generation of the library runs: its slot and the handles of its permanent keys.
//!
//! In: an initialised library. Out: a login, a [`Live`] whose keys were verified, and at the first start the
//! row-MAC key.

use super::access::Access;
use super::ceremony::{hex, open_parts, verify};
use super::ckr::{Fault, fault};
use super::config::TokenConfig;
use super::core::open_session;
use super::module::{Module, ckr_text, unavailable};
use super::sealing::SealingRole;
use super::template::{canary_unwrap, wrap_mechanism};
use crate::domain::id::{ClusterId, MaterialId};
use crate::service::ports::{InternalKey, InternalKeyRole, Protection, TokenBinding, TokenError};
use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
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
    sealing_keys: Vec<(SealingRole, u32, ObjectHandle)>,
    row_mac: ObjectHandle,
}

impl Live {
    /// A generation of a token that has no keys, for tests of the gate.
    #[cfg(test)]
    pub fn without_keys(generation: u64) -> Self {
        let slot = Slot::try_from(0_u64).unwrap();
        let row_mac = super::raw_data::object_handle(0);
        Self { generation, slot, canary: Vec::new(), keks: Vec::new(), sealing_keys: Vec::new(), row_mac }
    }

    /// The KEK with this number.
    ///
    /// # Errors
    /// [`TokenError::MaterialDamaged`] if there never was one.
    pub fn kek(&self, number: u32) -> Result<ObjectHandle, TokenError> {
        by_number(self.keks.iter().copied(), number, "KEK")
    }

    /// The KEK that wraps new keys.
    ///
    /// # Errors
    /// [`TokenError::Untrusted`] if the binding names none.
    pub fn newest_kek(&self) -> Result<(u32, ObjectHandle), TokenError> {
        newest(self.keks.iter().copied())
    }

    /// The internal key of this role and number.
    ///
    /// # Errors
    /// [`TokenError::MaterialDamaged`] if there never was one.
    pub fn sealing_key(&self, role: SealingRole, number: u32) -> Result<ObjectHandle, TokenError> {
        by_number(self.sealing_keys(role), number, "internal key")
    }

    /// The internal key of this role that encrypts what is new.
    ///
    /// # Errors
    /// [`TokenError::Untrusted`] if the binding names none.
    pub fn newest_sealing_key(&self, role: SealingRole) -> Result<(u32, ObjectHandle), TokenError> {
        newest(self.sealing_keys(role))
    }

    fn sealing_keys(&self, role: SealingRole) -> impl Iterator<Item = (u32, ObjectHandle)> {
        self.sealing_keys.iter().filter(move |(of, ..)| *of == role).map(|(_, number, key)| (*number, *key))
    }
}

type Numbered = (u32, ObjectHandle);

fn by_number(mut keys: impl Iterator<Item = Numbered>, number: u32, what: &str) -> Result<ObjectHandle, TokenError> {
    let found = keys.find(|(known, _)| *known == number);
    found.map(|(_, key)| key).ok_or_else(|| TokenError::MaterialDamaged(format!("there is no {what} {number}")))
}

fn newest(keys: impl Iterator<Item = Numbered>) -> Result<Numbered, TokenError> {
    let newest = keys.max_by_key(|(number, _)| *number);
    newest.ok_or_else(|| TokenError::Untrusted("a permanent key is missing".to_owned()))
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
    verify(module, slot, &session, binding)?;
    let parts = open_parts(module, slot, &session, binding)?;
    let sealing = |(role, number, key): &(_, _, _)| Some((SealingRole::of(*role)?, *number, *key));
    let sealing_keys = parts.internal_keys.iter().filter_map(sealing).collect();
    let newest_kek = binding.keks.iter().max_by_key(|kek| kek.number);
    let canary = newest_kek.and_then(|kek| hex::decode(&kek.canary)).ok_or_else(missing)?;
    let (_, kek) = newest(parts.keks.iter().copied())?;
    refuse_other_kek(&Access::new(module, &session, slot), kek, &canary, binding)?;
    let row_mac = newest_of(binding, InternalKeyRole::RowMac).ok_or_else(missing)?;
    let row_mac = parts.internal_key(InternalKeyRole::RowMac, row_mac.number).ok_or_else(missing)?;
    Ok((Live { generation, slot, canary, keks: parts.keks, sealing_keys, row_mac }, session))
}

/// What the probe will do all the time must work now: where the profile lets the KEK wrap the canary again, it gives the
/// bytes that `init` stored.
fn refuse_other_kek(
    access: &Access<'_>,
    kek: ObjectHandle,
    canary: &[u8],
    binding: &TokenBinding,
) -> Result<(), TokenError> {
    if binding.protection != Protection::Trusted {
        return Ok(());
    }
    let kind = wrap_mechanism(binding.capabilities.wrap_mechanism);
    let template = canary_unwrap(binding.protection, binding.capabilities.value_len_on_unwrap);
    let refused = |error: Error| match fault(&error) {
        Fault::Input | Fault::Refused => {
            TokenError::Untrusted(format!("its KEK does not wrap what it wrapped at `init`: {}", ckr_text(&error)))
        }
        _ => unavailable("wrapping the canary", &error),
    };
    let key = access.unwrap(kind, kek, canary, &template).map_err(refused)?;
    let wrapped = access.wrap(kind, kek, key).map_err(refused);
    access.session.destroy_object(key).map_err(|error| unavailable("destroying the canary key", &error))?;
    if wrapped? == canary {
        return Ok(());
    }
    Err(TokenError::Untrusted("its KEK is not the one of `init`".to_owned()))
}

/// The row-MAC key: HMAC-SHA256 of the installation's id, by a token key that is used for nothing else.
///
/// # Errors
/// [`TokenError`] if the key does not sign.
pub fn row_key(live: &Live, session: &Session, cluster: ClusterId) -> Result<Zeroizing<[u8; 32]>, TokenError> {
    let signed = session.sign(&Mechanism::Sha256Hmac, live.row_mac, &row_key_input(cluster));
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

/// The id of the counter of the key that encrypts what is new of this role.
pub fn sealing_counter(binding: &TokenBinding, role: SealingRole) -> Option<MaterialId> {
    let key = newest_of(binding, role.internal())?;
    hex::decode(&key.object_id)?.try_into().ok().map(MaterialId::from_bytes)
}

fn newest_of(binding: &TokenBinding, role: InternalKeyRole) -> Option<&InternalKey> {
    binding.internal_keys.iter().filter(|key| key.role == role).max_by_key(|key| key.number)
}

fn missing() -> TokenError {
    TokenError::Untrusted("the record of the token's keys is not complete".to_owned())
}
