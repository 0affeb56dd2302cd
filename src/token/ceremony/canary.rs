//! The KEK's canary: a key wrapped under it and a check of that key, so that a wrong KEK is noticed at every start.

use super::hex;
use crate::service::ports::{IvMode, KekRecord, Protection, TokenCapabilities, TokenError};
use crate::token::access::Access;
use crate::token::ckr::{Fault, fault};
use crate::token::module::{ckr_text, unavailable};
use crate::token::template::{self, wrap_mechanism};
use cryptoki::error::Result;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::ObjectHandle;
use cryptoki_sys::CKM_AES_KEY_GEN;
use subtle::ConstantTimeEq;

/// The fixed text; one AES block.
const TEXT: &[u8; 16] = b"claviger-canary1";
/// The IV of the check. The canary key encrypts nothing but [`TEXT`], so that a fixed IV is no repetition.
const IV: &[u8; 12] = b"canary-check";

/// The 16-byte check of an AES key: the tag of AES-GCM over a fixed text, or where the token makes the IV itself,
/// the fixed text encrypted by AES-CBC.
///
/// # Errors
/// The error of the token, or `InvalidValue` for an answer of another size.
pub fn check_of(access: &Access<'_>, key: ObjectHandle, iv_mode: IvMode) -> Result<[u8; 16]> {
    let out = match iv_mode {
        IvMode::Given => {
            let mut iv = *IV;
            let params = GcmParams::new(&mut iv, TEXT, 128.into())?;
            access.session.encrypt(&Mechanism::AesGcm(params), key, TEXT)?
        }
        IvMode::Made => access.session.encrypt(&Mechanism::AesCbc([0; 16]), key, TEXT)?,
    };
    let check = out.last_chunk::<16>().copied();
    check.ok_or(cryptoki::error::Error::InvalidValue)
}

/// Makes a data key, and returns it wrapped under `kek`, with its check.
pub(super) fn make(
    access: &Access<'_>,
    kek: ObjectHandle,
    protection: Protection,
    capabilities: &TokenCapabilities,
) -> Result<(Vec<u8>, [u8; 16])> {
    let key = access.generate(CKM_AES_KEY_GEN, &template::data_key_generate(protection))?;
    let wrapped = access.wrap(wrap_mechanism(capabilities.wrap_mechanism), kek, key);
    let check = check_of(access, key, capabilities.iv_mode);
    access.session.destroy_object(key)?;
    Ok((wrapped?, check?))
}

/// Unwraps the canary under `kek` and compares its check.
///
/// # Errors
/// [`TokenError::Untrusted`] if the KEK is another one, [`TokenError::Unavailable`] if the token says that it is lost.
pub(super) fn compare(
    access: &Access<'_>,
    kek: ObjectHandle,
    record: &KekRecord,
    protection: Protection,
    capabilities: &TokenCapabilities,
) -> std::result::Result<(), TokenError> {
    let damaged = || TokenError::Untrusted(format!("the canary of KEK {} is malformed", record.number));
    let blob = hex::decode(&record.canary).ok_or_else(damaged)?;
    let expected = hex::decode(&record.canary_check).ok_or_else(damaged)?;
    let template = template::data_key_unwrap(protection, capabilities.value_len_on_unwrap);
    let mechanism = wrap_mechanism(capabilities.wrap_mechanism);
    let key = access.unwrap(mechanism, kek, &blob, &template).map_err(|error| match fault(&error) {
        // Most tokens have no code of its own for a wrapped key that is another KEK's.
        Fault::Input | Fault::Refused | Fault::Unclear => {
            TokenError::Untrusted(format!("KEK {} does not unwrap its canary: {}", record.number, ckr_text(&error)))
        }
        Fault::StaleHandle | Fault::Session | Fault::Lost | Fault::Exhausted => {
            unavailable("unwrapping the canary", &error)
        }
    })?;
    let check = check_of(access, key, capabilities.iv_mode);
    access.session.destroy_object(key).map_err(|error| unavailable("destroying the canary key", &error))?;
    let check = check.map_err(|error| unavailable("checking the canary key", &error))?;
    if bool::from(check.as_slice().ct_eq(&expected)) {
        return Ok(());
    }
    Err(TokenError::Untrusted(format!("KEK {} is not the one that was set up: its canary differs", record.number)))
}
