//! The calls of the hot path, without what `cryptoki` adds: no size query before an encryption (over a network it is
//! a round trip), no allocation but the result's, the IV buffer in our hands.
//!
//! In: session, key handle and slices. Out: the result, or cryptoki's error. Used by the data workers only.
#![expect(unsafe_code, reason = "PKCS#11 is a C interface; each block says why it is sound")]

use super::raw::RawFunctions;
use crate::domain::envelope::TAG_BYTES;
use cryptoki::context::Function;
use cryptoki::error::{Error, Result, Rv};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki_sys::{CK_GCM_PARAMS, CK_MECHANISM, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CKM_AES_GCM, CKR_OK};
use std::ptr::null_mut;
use zeroize::Zeroizing;

/// `C_Encrypt` and `C_Decrypt` have the same form.
type Transform = unsafe extern "C" fn(CK_SESSION_HANDLE, *mut u8, CK_ULONG, *mut u8, *mut CK_ULONG) -> CK_RV;

fn check(rv: CK_RV, function: Function) -> Result<()> {
    if rv == CKR_OK { Ok(()) } else { Rv::from(rv).into_result(function) }
}

/// GCM parameters for these buffers, valid while they are borrowed. The IV is written to by tokens that make it.
fn gcm(iv: &mut [u8], aad: &[u8]) -> CK_GCM_PARAMS {
    CK_GCM_PARAMS {
        pIv: iv.as_mut_ptr(),
        ulIvLen: iv.len() as CK_ULONG,
        ulIvBits: iv.len() as CK_ULONG * 8,
        pAAD: if aad.is_empty() { null_mut() } else { aad.as_ptr().cast_mut() },
        ulAADLen: aad.len() as CK_ULONG,
        ulTagBits: TAG_BYTES as CK_ULONG * 8,
    }
}

fn mechanism(params: &mut CK_GCM_PARAMS) -> CK_MECHANISM {
    CK_MECHANISM {
        mechanism: CKM_AES_GCM,
        pParameter: (&raw mut *params).cast(),
        ulParameterLen: size_of::<CK_GCM_PARAMS>() as CK_ULONG,
    }
}

/// Runs the second call of a pair into a buffer with room for `capacity` bytes.
fn transform(call: Transform, session: &Session, input: &[u8], capacity: usize) -> (CK_RV, Vec<u8>) {
    let mut out = Vec::with_capacity(capacity);
    let mut bytes = capacity as CK_ULONG;
    // SAFETY: `input` is valid for its length and only read (PKCS#11 has no const); `out` has room for `capacity`
    // bytes, which is what the call is told; `bytes` is a valid place for the size that was written.
    let rv = unsafe {
        call(session.handle(), input.as_ptr().cast_mut(), input.len() as CK_ULONG, out.as_mut_ptr(), &raw mut bytes)
    };
    let written = if rv == CKR_OK { usize::try_from(bytes).unwrap_or(usize::MAX).min(capacity) } else { 0 };
    // SAFETY: after CKR_OK the call has written `bytes` bytes (PKCS#11 2.40, 5.2), and no more than the capacity
    // is taken for written.
    unsafe { out.set_len(written) };
    (rv, out)
}

impl RawFunctions {
    /// Fills a buffer from the token's random generator (`C_GenerateRandom`).
    ///
    /// # Errors
    /// [`Error`] of the token.
    pub fn fill_random(&self, session: &Session, out: &mut [u8]) -> Result<()> {
        let call = self.list.C_GenerateRandom.ok_or(Error::NullFunctionPointer)?;
        // SAFETY: `out` is valid for writes of its length.
        let rv = unsafe { call(session.handle(), out.as_mut_ptr(), out.len() as CK_ULONG) };
        check(rv, Function::GenerateRandom)
    }

    /// AES-GCM with a 128-bit tag: `C_EncryptInit` and one `C_Encrypt`. The result ends with the tag. A token that
    /// makes the IV writes it into `iv`.
    ///
    /// # Errors
    /// [`Error`] of the token; its function says which of the two calls failed.
    pub fn gcm_encrypt(
        &self,
        session: &Session,
        key: ObjectHandle,
        iv: &mut [u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>> {
        let init = self.list.C_EncryptInit.ok_or(Error::NullFunctionPointer)?;
        let encrypt = self.list.C_Encrypt.ok_or(Error::NullFunctionPointer)?;
        let mut params = gcm(iv, aad);
        let mut mechanism = mechanism(&mut params);
        // SAFETY: the mechanism and all that it points to (`params`, `iv`, `aad`) live until this function ends,
        // because a token that makes the IV may write it as late as C_Encrypt.
        check(unsafe { init(session.handle(), &raw mut mechanism, key.handle()) }, Function::EncryptInit)?;
        let (rv, out) = transform(encrypt, session, plaintext, plaintext.len() + TAG_BYTES);
        check(rv, Function::Encrypt).map(|()| out)
    }

    /// AES-GCM with a 128-bit tag, at the end of `sealed`: `C_DecryptInit` and one `C_Decrypt`.
    ///
    /// # Errors
    /// [`Error`] of the token; its function says which of the two calls failed.
    pub fn gcm_decrypt(
        &self,
        session: &Session,
        key: ObjectHandle,
        iv: &mut [u8],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let init = self.list.C_DecryptInit.ok_or(Error::NullFunctionPointer)?;
        let decrypt = self.list.C_Decrypt.ok_or(Error::NullFunctionPointer)?;
        let mut params = gcm(iv, aad);
        let mut mechanism = mechanism(&mut params);
        // SAFETY: as in `gcm_encrypt`.
        check(unsafe { init(session.handle(), &raw mut mechanism, key.handle()) }, Function::DecryptInit)?;
        // SoftHSM wants room for the tag too, though it does not write it.
        let (rv, out) = transform(decrypt, session, sealed, sealed.len());
        let out = Zeroizing::new(out);
        check(rv, Function::Decrypt).map(|()| out)
    }
}

/// The handle with this number, for tests of code that only passes handles on.
#[cfg(test)]
pub fn object_handle(number: CK_ULONG) -> ObjectHandle {
    // SAFETY: a handle is a number that the token checks at each use.
    unsafe { ObjectHandle::new_from_raw(number) }
}
