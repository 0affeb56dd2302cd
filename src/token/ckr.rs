//! What a `CK_RV` means for a running token: the one map, each line with its reason.
//!
//! In: the error of a failed call. Out: a [`Fault`], which says what to do next. Used by the workers, the owners and
//! the probe. Tokens disagree on codes (docs/hsm.md), so a code decides only where no caller can provoke it and
//! no vendor is known to use it otherwise; all others are [`Fault::Unclear`], and a probe settles them.

use cryptoki::error::{Error, RvError};
use cryptoki_sys::{CKR_AEAD_DECRYPT_FAILED, CKR_TOKEN_RESOURCE_EXCEEDED};

/// What to do after a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The input is wrong: ciphertext, tag, AAD or wrapped key. The token is well.
    Input,
    /// The token does not know the key's handle: forget it and unwrap again, once.
    StaleHandle,
    /// The session cannot be used any more: close it and open another.
    Session,
    /// Token, login or library state are lost: only a new start of the library helps.
    Lost,
    /// The token is out of memory or sessions: a later try may succeed.
    Exhausted,
    /// The token refuses what it accepted at `init`, such as a mechanism or a template.
    Refused,
    /// Vendors use the code both for bad input and for a dead token: probe.
    Unclear,
}

/// What a failed call means.
#[must_use]
pub const fn fault(error: &Error) -> Fault {
    match error {
        Error::Pkcs11(code, _) => of_code(*code),
        // The library lacks a function: it will lack it the next time too.
        Error::NullFunctionPointer | Error::MissingSymbol(_) | Error::NotSupported => Fault::Refused,
        _ => Fault::Unclear,
    }
}

const fn of_code(code: RvError) -> Fault {
    use RvError as E;
    match code {
        // The standard's codes for a failed tag, and for a wrapped key that is not one (PKCS#11 2.40, 5.1.6).
        E::EncryptedDataInvalid | E::EncryptedDataLenRange | E::UnknownErrorCode(CKR_AEAD_DECRYPT_FAILED) => {
            Fault::Input
        }
        E::WrappedKeyInvalid | E::WrappedKeyLenRange => Fault::Input,
        // The key object is gone: its session closed, a node of the HSM died, or somebody logged out.
        E::KeyHandleInvalid | E::ObjectHandleInvalid => Fault::StaleHandle,
        // An operation that a failed call left behind blocks its session until that is closed (seen where a proxy
        // answered the second call of a pair, which the token never saw).
        E::OperationActive | E::OperationNotInitialized => Fault::Session,
        E::SessionClosed | E::SessionHandleInvalid => Fault::Session,
        // No call, with good input or bad, causes these in a working token.
        E::CryptokiNotInitialized | E::UserNotLoggedIn | E::SlotIdInvalid => Fault::Lost,
        E::DeviceRemoved | E::TokenNotPresent | E::TokenNotRecognized => Fault::Lost,
        // Transient by their definition.
        E::HostMemory | E::DeviceMemory | E::SessionCount | E::UnknownErrorCode(CKR_TOKEN_RESOURCE_EXCEEDED) => {
            Fault::Exhausted
        }
        // The token's policy: the same call will fail again.
        E::MechanismInvalid | E::KeyFunctionNotPermitted | E::KeyNotWrappable | E::KeyUnextractable => Fault::Refused,
        E::TemplateIncomplete | E::TemplateInconsistent | E::ActionProhibited => Fault::Refused,
        E::AttributeReadOnly | E::AttributeTypeInvalid | E::AttributeValueInvalid => Fault::Refused,
        E::FunctionNotSupported => Fault::Refused,
        // GENERAL_ERROR is SoftHSM's code for a failed tag and a wrong wrapped key, DEVICE_ERROR is Kryoptic's for
        // the latter and a network HSM's for a lost connection; FUNCTION_FAILED is anybody's for anything. IVs and
        // lengths of callers cause ARGUMENTS_BAD and the like. The KEK's own handle (UNWRAPPING_KEY_HANDLE_INVALID)
        // is judged by the probe, which uses it too. Vendors' codes: nobody knows.
        _ => Fault::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptoki::context::Function;

    fn of(code: RvError) -> Fault {
        fault(&Error::Pkcs11(code, Function::Decrypt))
    }

    #[test]
    fn codes_that_tokens_use_for_bad_ciphertext_never_mean_a_lost_token() {
        let seen = [RvError::GeneralError, RvError::DeviceError, RvError::EncryptedDataInvalid, RvError::ArgumentsBad];
        for code in seen {
            assert!(matches!(of(code), Fault::Unclear | Fault::Input), "{code:?}");
        }
    }

    #[test]
    fn codes_of_vendors_are_unclear() {
        assert_eq!(of(RvError::VendorDefined(0x8000_0123)), Fault::Unclear);
        assert_eq!(of(RvError::UnknownErrorCode(0x7777)), Fault::Unclear);
    }

    #[test]
    fn a_lost_login_is_a_lost_token_and_a_lost_key_is_not() {
        assert_eq!(of(RvError::UserNotLoggedIn), Fault::Lost);
        assert_eq!(of(RvError::KeyHandleInvalid), Fault::StaleHandle);
    }
}
