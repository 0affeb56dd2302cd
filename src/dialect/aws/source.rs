//! What a ciphertext is decrypted with: the key that the request names, or the one that the ciphertext names.
//!
//! A ciphertext that does not fit the named key is told only to who may decrypt with that key; and a key that only the
//! ciphertext names is not told from one that does not exist.

use super::call::{Call, NamedKey, Naming};
use super::crypto::context;
use super::error::{AwsError, Code};
use super::input::{Input, missing};
use crate::domain::context::EncryptionContext;
use crate::domain::envelope::Envelope;
use crate::domain::id::KeyId;
use crate::domain::numbered::Numbered;
use crate::service::error::{Missing, ServiceError};
use crate::service::request::{Decrypt, DryDecrypt, DryRun, KeyName};

/// What a request says of the ciphertext that is to be decrypted.
pub struct Wanted {
    /// What it calls the key.
    given: Option<String>,
    ciphertext: Option<Vec<u8>>,
    context: EncryptionContext,
    /// Whether it is a dry run that does not look at the ciphertext.
    ignores_ciphertext: bool,
}

impl Wanted {
    /// Takes it out of a request, in which these members hold the key and the context.
    ///
    /// # Errors
    /// ValidationException if the ciphertext is to be ignored, and the request is no dry run; and without a ciphertext,
    /// unless it is ignored and the key is named.
    pub fn read(input: &mut Input, key: &str, context_member: &str) -> Result<Self, AwsError> {
        let ignores_ciphertext = input.texts("DryRunModifiers").iter().any(|modifier| modifier == "IGNORE_CIPHERTEXT");
        if ignores_ciphertext && !input.flag("DryRun") {
            return Err(AwsError::new(Code::Validation, "DryRunModifiers can be specified with DryRun only."));
        }
        let given = input.text(key).map(str::to_owned);
        let ciphertext = input.take_blob("CiphertextBlob").map(|mut bytes| std::mem::take(&mut *bytes));
        if ciphertext.is_none() && (given.is_none() || !ignores_ciphertext) {
            return Err(missing("CiphertextBlob"));
        }
        Ok(Self { given, ciphertext, context: context(input, context_member), ignores_ciphertext })
    }
}

/// A key that is to decrypt.
pub struct Source {
    /// The key.
    pub key: NamedKey,
    /// Whether only the ciphertext names it.
    implied: bool,
    ignores_ciphertext: bool,
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
        if Numbered::is_meant(ciphertext) {
            // It names no key: whether it fits is found out by decrypting it.
            return None;
        }
        match Envelope::header_of(ciphertext) {
            Err(_) => Some(Self::NoCiphertext),
            Ok(header) if header.key_id != key_id => Some(Self::OtherKey),
            Ok(_) => None,
        }
    }
}

impl Source {
    /// Finds the key, and what to ask the core for. What is wrong with the ciphertext is told to who may decrypt with it.
    ///
    /// # Errors
    /// NotFoundException for the key that the request names, AccessDeniedException for the one that only the ciphertext
    /// names, InvalidCiphertextException, IncorrectKeyException, and what refuses the key itself.
    pub async fn find(call: &Call<'_>, wanted: Wanted) -> Result<(Self, Decrypt), AwsError> {
        let Wanted { given, ciphertext, context, ignores_ciphertext } = wanted;
        let ciphertext = ciphertext.unwrap_or_default();
        let source = match given {
            Some(given) => {
                let key = call.key_named(&given, Naming::Any).await?;
                Self { key, implied: false, ignores_ciphertext }
            }
            None => Self { key: implied_key(call, &ciphertext).await?, implied: true, ignores_ciphertext },
        };
        if !ignores_ciphertext && let Some(misfit) = Misfit::of(&ciphertext, source.key.id()) {
            let request = DryRun { decrypt: Some(DryDecrypt::Key(source.key.id())), ..DryRun::default() };
            call.kms.dry_run(&call.ctx, request).await.map_err(|error| source.refused(call, error))?;
            return Err(misfit.error());
        }
        let request = Decrypt { key_id: source.key.id(), context, ciphertext };
        Ok((source, request))
    }

    /// What a dry run asks the core for.
    #[must_use]
    pub fn dry(&self, request: Decrypt) -> DryDecrypt {
        if self.ignores_ciphertext { DryDecrypt::Key(request.key_id) } else { DryDecrypt::Ciphertext(request) }
    }

    /// A refusal of the core that is about this key.
    #[must_use]
    pub fn refused(&self, call: &Call<'_>, error: ServiceError) -> AwsError {
        if self.implied { implied_refusal(call, error, &self.key.arn) } else { call.refused(error, &self.key) }
    }
}

/// The key that a ciphertext names.
async fn implied_key(call: &Call<'_>, ciphertext: &[u8]) -> Result<NamedKey, AwsError> {
    if Numbered::is_meant(ciphertext) {
        let text = "A ciphertext of the Ncloud API does not name its key: the key ID is required to decrypt it.";
        return Err(AwsError::new(Code::Validation, text));
    }
    let header = Envelope::header_of(ciphertext).map_err(|_| Misfit::NoCiphertext.error())?;
    let name = KeyName::Anywhere(header.key_id);
    let located = call.kms.locate(&call.ctx, &name).await.map_err(|error| implied_refusal(call, error, "*"))?;
    Ok(call.key_at(located, name))
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

#[cfg(test)]
mod tests {
    use super::super::shapes::DECRYPT;
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
        assert_eq!(Misfit::of(b"ncpkms:v1:AAAA", key_id), None, "it names no key");
    }

    #[test]
    fn a_ciphertext_is_left_out_only_in_a_dry_run_that_ignores_it_and_names_the_key() {
        let read = |body: &str| {
            let mut input = Input::read(DECRYPT, body.as_bytes()).unwrap();
            Wanted::read(&mut input, "KeyId", "EncryptionContext")
        };
        let ignored = r#""DryRun":true,"DryRunModifiers":["IGNORE_CIPHERTEXT"]"#;
        assert!(read(r#"{"CiphertextBlob":"eA=="}"#).is_ok());
        assert!(read(&format!(r#"{{"KeyId":"k",{ignored}}}"#)).is_ok());
        let not_dry = r#"{"CiphertextBlob":"eA==","KeyId":"k","DryRunModifiers":["IGNORE_CIPHERTEXT"]}"#;
        for body in ["{}", r#"{"KeyId":"k"}"#, r#"{"KeyId":"k","DryRun":true}"#, &format!("{{{ignored}}}"), not_dry] {
            assert_eq!(read(body).err().unwrap().code, Code::Validation, "{body}");
        }
    }

    #[test]
    fn a_misfit_has_the_error_of_the_cloud() {
        assert_eq!(Misfit::NoCiphertext.error(), AwsError::new(Code::InvalidCiphertext, ""));
        assert_eq!(Misfit::OtherKey.error().code, Code::IncorrectKey);
    }
}
