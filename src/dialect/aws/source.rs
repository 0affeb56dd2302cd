//! What a ciphertext is decrypted with: the key that the request names, or the one that the ciphertext names.
//!
//! A ciphertext that does not fit the named key is told only to who may decrypt with that key; and a key that only the
//! ciphertext names is not told from one that does not exist.

use super::call::{Call, NamedKey, Naming};
use super::error::{AwsError, Code};
use super::input::missing;
use crate::domain::envelope::Envelope;
use crate::domain::id::KeyId;
use crate::service::error::{Missing, ServiceError};
use crate::service::request::{DryDecrypt, DryRun, KeyName};

/// A key that is to decrypt, and what is wrong with the ciphertext.
pub struct Source {
    /// The key.
    pub key: NamedKey,
    /// Whether only the ciphertext names it.
    implied: bool,
    misfit: Option<Misfit>,
}

/// Why a key cannot decrypt a ciphertext, whatever its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Misfit {
    /// It is none of ours.
    NoCiphertext,
    /// It is that of another key.
    OtherKey,
}

impl Misfit {
    fn error(self) -> AwsError {
        match self {
            Self::NoCiphertext => AwsError::new(Code::InvalidCiphertext, ""),
            Self::OtherKey => AwsError::new(
                Code::IncorrectKey,
                "The key ID in the request does not identify a CMK that can perform this operation.",
            ),
        }
    }

    fn of(ciphertext: &[u8], key_id: KeyId) -> Option<Self> {
        match Envelope::parse(ciphertext) {
            Err(_) => Some(Self::NoCiphertext),
            Ok(envelope) if envelope.header.key_id != key_id => Some(Self::OtherKey),
            Ok(_) => None,
        }
    }
}

impl Source {
    /// Finds the key. `given` is what the request calls it. A request without ciphertext must name the key.
    ///
    /// # Errors
    /// NotFoundException for the key that the request names, AccessDeniedException for the one that only the ciphertext
    /// names, InvalidCiphertextException if it names none, ValidationException without both.
    pub async fn find(call: &Call<'_>, given: Option<&str>, ciphertext: Option<&[u8]>) -> Result<Self, AwsError> {
        if let Some(given) = given {
            let key = call.key_named(given, Naming::Any).await?;
            let misfit = Misfit::of(ciphertext.unwrap_or_default(), key.id());
            return Ok(Self { key, implied: false, misfit });
        }
        let ciphertext = ciphertext.ok_or_else(missing_ciphertext)?;
        let envelope = Envelope::parse(ciphertext).map_err(|_| Misfit::NoCiphertext.error())?;
        let name = KeyName::Anywhere(envelope.header.key_id);
        let located = call.kms.locate(&call.ctx, &name).await.map_err(|error| implied_refusal(call, error, "*"))?;
        Ok(Self { key: call.key_at(located, name), implied: true, misfit: None })
    }

    /// The source of a dry run that does not look at ciphertexts.
    #[must_use]
    pub fn whatever_the_ciphertext(self) -> Self {
        Self { misfit: None, ..self }
    }

    /// What is wrong with the ciphertext, for who may decrypt with the key.
    ///
    /// # Errors
    /// What refuses the key itself.
    pub async fn fault(&self, call: &Call<'_>) -> Result<Option<AwsError>, AwsError> {
        let Some(misfit) = self.misfit else { return Ok(None) };
        let request = DryRun { decrypt: Some(DryDecrypt::Key(self.key.id())), encrypt: None };
        call.kms.dry_run(&call.ctx, request).await.map_err(|error| self.refused(call, error))?;
        Ok(Some(misfit.error()))
    }

    /// A refusal of the core that is about this key.
    #[must_use]
    pub fn refused(&self, call: &Call<'_>, error: ServiceError) -> AwsError {
        if self.implied { implied_refusal(call, error, &self.key.arn) } else { call.refused(error, &self.key) }
    }
}

/// A refusal of a key that only the ciphertext names.
fn implied_refusal(call: &Call<'_>, error: ServiceError, arn: &str) -> AwsError {
    match error {
        ServiceError::NotFound { what: Missing::Key, .. } => AwsError::new(
            Code::AccessDenied,
            "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you \
             are not allowed to access.",
        ),
        other => call.refusal(other, arn, arn),
    }
}

/// Refuses a request without ciphertext, unless it is a dry run that does not look at it and names the key.
///
/// # Errors
/// ValidationException.
pub fn require_ciphertext(given: Option<&str>, ciphertext: Option<&[u8]>, ignored: bool) -> Result<(), AwsError> {
    match ciphertext {
        None if given.is_none() || !ignored => Err(missing_ciphertext()),
        _ => Ok(()),
    }
}

fn missing_ciphertext() -> AwsError {
    missing("CiphertextBlob")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::envelope::{Header, Suite};
    use crate::domain::id::MaterialId;

    fn ciphertext(key: u8) -> Vec<u8> {
        let header = Header {
            suite: Suite::HsmGivenIv,
            key_id: KeyId::from_bytes([key; 16]),
            material_id: MaterialId::from_bytes([9; 16]),
        };
        Envelope { header, iv: vec![0; 12], sealed: vec![0; 20] }.to_bytes()
    }

    #[test]
    fn a_ciphertext_fits_the_key_that_it_names_and_no_other() {
        let key_id = KeyId::from_bytes([1; 16]);
        assert_eq!(Misfit::of(&ciphertext(1), key_id), None);
        assert_eq!(Misfit::of(&ciphertext(2), key_id), Some(Misfit::OtherKey));
        assert_eq!(Misfit::of(b"AQICAHh", key_id), Some(Misfit::NoCiphertext));
        assert_eq!(Misfit::of(&[], key_id), Some(Misfit::NoCiphertext));
    }

    #[test]
    fn a_ciphertext_is_left_out_only_where_it_is_ignored_and_the_key_is_named() {
        assert!(require_ciphertext(None, Some(b"x"), false).is_ok());
        assert!(require_ciphertext(Some("k"), None, true).is_ok());
        for (given, ignored) in [(None, true), (None, false), (Some("k"), false)] {
            assert_eq!(require_ciphertext(given, None, ignored).unwrap_err().code, Code::Validation);
        }
    }

    #[test]
    fn a_misfit_has_the_error_of_the_cloud() {
        assert_eq!(Misfit::NoCiphertext.error(), AwsError::new(Code::InvalidCiphertext, ""));
        assert_eq!(Misfit::OtherKey.error().code, Code::IncorrectKey);
    }
}
