//! What the token can do, found out by doing it with session keys. Nothing permanent is made.

use super::access::Access;
use super::ceremony::check_of;
use super::module::{Module, unavailable};
use super::template::{self, wrap_mechanism};
use crate::service::ports::{IvMode, Protection, TokenCapabilities, TokenError, WrapMechanism};
use cryptoki::error::{Error, Result as CkResult};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::ObjectHandle;
use cryptoki_sys::CKM_AES_KEY_GEN;

/// The largest GCM input that is tried: far above what the dialects accept.
const MAX_GCM_BYTES: usize = 1024 * 1024;
/// Below this the token is of no use.
const MIN_GCM_BYTES: usize = 4096;
/// Unwrapped keys kept in the token, unless settings say otherwise. Handle tables get slow above 10,000.
const CACHED_KEYS: usize = 4096;
const IV_BYTES: usize = 12;

/// Probes the token with the user logged in.
///
/// # Errors
/// [`TokenError::Untrusted`] if it breaks GCM's rules for IVs, [`TokenError::Unavailable`] if it lacks what this
/// service needs.
pub fn probe(module: &Module, access: &Access<'_>) -> Result<TokenCapabilities, TokenError> {
    let key = data_key(access).map_err(|error| unavailable("generating a session AES key", &error))?;
    let iv_mode = iv_mode(access, key);
    let max_gcm_bytes = iv_mode.as_ref().ok().and_then(|mode| max_gcm_bytes(access, key, *mode));
    access.session.destroy_object(key).map_err(|error| unavailable("destroying a session key", &error))?;
    let iv_mode = iv_mode?;
    let (wrap_mechanism, value_len_on_unwrap) = wrapping(access, iv_mode)?;
    let too_small = || TokenError::Unavailable(format!("the token does not encrypt {MIN_GCM_BYTES} bytes by AES-GCM"));
    Ok(TokenCapabilities {
        max_gcm_bytes: max_gcm_bytes.ok_or_else(too_small)?,
        iv_mode,
        wrap_mechanism,
        value_len_on_unwrap,
        rw_sessions_only: rw_sessions_only(module, access),
        max_sessions: module.token_info(access.slot)?.max_sessions,
        cached_keys: CACHED_KEYS,
    })
}

fn data_key(access: &Access<'_>) -> CkResult<ObjectHandle> {
    access.generate(CKM_AES_KEY_GEN, &template::data_key_generate(Protection::NonExtractable))
}

fn encrypt(access: &Access<'_>, key: ObjectHandle, iv: &mut [u8], plaintext: &[u8]) -> CkResult<Vec<u8>> {
    let params = GcmParams::new(iv, b"claviger-probe", 128.into())?;
    access.session.encrypt(&Mechanism::AesGcm(params), key, plaintext)
}

fn decrypts(access: &Access<'_>, key: ObjectHandle, iv: &mut [u8], ciphertext: &[u8], plaintext: &[u8]) -> bool {
    let Ok(params) = GcmParams::new(iv, b"claviger-probe", 128.into()) else {
        return false;
    };
    access.session.decrypt(&Mechanism::AesGcm(params), key, ciphertext).is_ok_and(|found| found == plaintext)
}

/// Given: the token uses our IV and leaves it as it is. Made: it writes a fresh one into our zeroed buffer.
fn iv_mode(access: &Access<'_>, key: ObjectHandle) -> Result<IvMode, TokenError> {
    let random = access.session.generate_random_vec(12).map_err(|error| unavailable("C_GenerateRandom", &error))?;
    let mut iv = random.clone();
    let given = encrypt(access, key, &mut iv, b"given");
    if let Ok(ciphertext) = &given
        && iv == random
        && decrypts(access, key, &mut iv, ciphertext, b"given")
    {
        return Ok(IvMode::Given);
    }
    let first = made_iv(access, key)?;
    let second = made_iv(access, key)?;
    if first == second {
        return Err(TokenError::Untrusted("the token made the same GCM IV twice".into()));
    }
    Ok(IvMode::Made)
}

fn made_iv(access: &Access<'_>, key: ObjectHandle) -> Result<[u8; IV_BYTES], TokenError> {
    let mut iv = [0; IV_BYTES];
    let ciphertext = encrypt(access, key, &mut iv, b"made").map_err(|error| unavailable("AES-GCM", &error))?;
    if iv == [0; IV_BYTES] {
        return Err(TokenError::Untrusted("the token encrypts by AES-GCM without telling the IV it used".into()));
    }
    let told = iv;
    if decrypts(access, key, &mut iv, &ciphertext, b"made") {
        return Ok(told);
    }
    Err(TokenError::Untrusted("the token does not decrypt with the GCM IV that it told".into()))
}

fn max_gcm_bytes(access: &Access<'_>, key: ObjectHandle, mode: IvMode) -> Option<usize> {
    let sizes = std::iter::successors(Some(MAX_GCM_BYTES), |size| Some(size / 2));
    let mut sizes = sizes.take_while(|size| *size >= MIN_GCM_BYTES);
    sizes.find(|size| {
        let plaintext = vec![0x5a; *size];
        let Ok(mut iv) = access.session.generate_random_vec(12) else {
            return false;
        };
        if mode == IvMode::Made {
            iv.fill(0);
        }
        let ciphertext = encrypt(access, key, &mut iv, &plaintext);
        ciphertext.is_ok_and(|ciphertext| decrypts(access, key, &mut iv, &ciphertext, &plaintext))
    })
}

/// The first mechanism that wraps and unwraps a data key, and whether the unwrap needs `CKA_VALUE_LEN`.
fn wrapping(access: &Access<'_>, iv_mode: IvMode) -> Result<(WrapMechanism, bool), TokenError> {
    let candidates = [WrapMechanism::AesKeyWrap, WrapMechanism::AesKeyWrapPad, WrapMechanism::AesKeyWrapKwp];
    let mut last = Error::NotSupported;
    for mechanism in candidates {
        match round_trip(access, mechanism, iv_mode) {
            Ok(value_len) => return Ok((mechanism, value_len)),
            Err(error) => last = error,
        }
    }
    Err(unavailable("no AES key wrap mechanism works; the last one", &last))
}

fn round_trip(access: &Access<'_>, mechanism: WrapMechanism, iv_mode: IvMode) -> CkResult<bool> {
    let wrapping = access.generate(CKM_AES_KEY_GEN, &template::session_wrapping_key())?;
    let key = data_key(access)?;
    let kind = wrap_mechanism(mechanism);
    let result = access.wrap(kind, wrapping, key).and_then(|blob| {
        let expected = check_of(access, key, iv_mode)?;
        let works = |value_len: bool| {
            let template = template::data_key_unwrap(Protection::NonExtractable, value_len);
            let unwrapped = access.unwrap(kind, wrapping, &blob, &template)?;
            let check = check_of(access, unwrapped, iv_mode);
            access.session.destroy_object(unwrapped)?;
            if check? == expected { Ok(value_len) } else { Err(Error::InvalidValue) }
        };
        works(false).or_else(|_| works(true))
    });
    access.session.destroy_object(key)?;
    access.session.destroy_object(wrapping)?;
    result
}

/// Whether a session without write access is refused, or cannot make session objects.
fn rw_sessions_only(module: &Module, access: &Access<'_>) -> bool {
    let Ok(session) = module.pkcs11().open_ro_session(access.slot) else {
        return true;
    };
    let read_only = Access::new(module, &session, access.slot);
    data_key(&read_only).and_then(|key| session.destroy_object(key)).is_err()
}
