//! Uses of keys: Encrypt, Decrypt. Random bytes.

use super::blob::Blob;
use super::call::{Call, NamedKey, Naming};
use super::error::{AwsError, Code};
use super::input::Input;
use super::keys::refuse_grant_tokens;
use super::metadata::{SYMMETRIC_DEFAULT, material_id};
use super::output::Output;
use super::source::{Source, Wanted};
use crate::domain::context::EncryptionContext;
use crate::service::request::{DryRun, Encrypt};
use serde::Serialize;

/// Refuses what no use of a key is served with: grant tokens, answers for an enclave, algorithms of other keys (which
/// the members `algorithms` name). None of it depends on the key, so it tells nothing of it.
///
/// # Errors
/// InvalidGrantTokenException, UnsupportedOperationException, InvalidKeyUsageException.
pub fn refuse_what_is_not_served(input: &Input, algorithms: &[&str]) -> Result<(), AwsError> {
    refuse_grant_tokens(input)?;
    if input.has("Recipient") {
        return Err(AwsError::unsupported("Attested enclaves are not supported: leave Recipient out."));
    }
    let mut given = algorithms.iter().filter_map(|member| input.text(member));
    if let Some(other) = given.find(|algorithm| *algorithm != SYMMETRIC_DEFAULT) {
        return Err(AwsError::new(
            Code::InvalidKeyUsage,
            format!("Algorithm {other} is incompatible with key spec {SYMMETRIC_DEFAULT}."),
        ));
    }
    Ok(())
}

/// The encryption context in the member `member`; none and an empty one are the same.
pub fn context(input: &mut Input, member: &str) -> EncryptionContext {
    EncryptionContext::from_pairs(input.take_map(member))
}

/// How a dry run ends that is not refused.
#[must_use]
pub fn dry_run_succeeded() -> AwsError {
    AwsError::new(Code::DryRunOperation, "The request would have succeeded, but the DryRun option is set.")
}

/// A dry run of what encrypts with a key.
///
/// # Errors
/// Those of the use, or DryRunOperationException.
pub async fn dry_run_of_encryption(
    call: &Call<'_>,
    key: &NamedKey,
    context: EncryptionContext,
) -> Result<Output, AwsError> {
    let request = DryRun { decrypt: None, encrypt: Some(key.id()), context: Some(context) };
    call.kms.dry_run(&call.ctx, request).await.map_err(|error| call.refused(error, key))?;
    Err(dry_run_succeeded())
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EncryptAnswer<'a> {
    ciphertext_blob: Blob<'a>,
    key_id: &'a str,
    encryption_algorithm: &'static str,
}

/// Encrypt.
///
/// # Errors
/// NotFoundException, DisabledException, KMSInvalidStateException, InvalidKeyUsageException, DryRunOperationException.
pub async fn encrypt(call: &Call<'_>, mut input: Input) -> Result<Output, AwsError> {
    refuse_what_is_not_served(&input, &["EncryptionAlgorithm"])?;
    let key = call.key(&input, "KeyId", Naming::Any).await?;
    if input.flag("DryRun") {
        let context = context(&mut input, "EncryptionContext");
        return dry_run_of_encryption(call, &key, context).await;
    }
    let request = Encrypt {
        key_id: key.id(),
        version_id: None,
        context: context(&mut input, "EncryptionContext"),
        plaintext: input.take_blob("Plaintext").unwrap_or_default(),
    };
    let encrypted = call.kms.encrypt(&call.ctx, request).await.map_err(|error| call.refused(error, &key))?;
    Output::of(&EncryptAnswer {
        ciphertext_blob: Blob(&encrypted.ciphertext),
        key_id: &key.arn,
        encryption_algorithm: SYMMETRIC_DEFAULT,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DecryptAnswer<'a> {
    key_id: &'a str,
    plaintext: Blob<'a>,
    encryption_algorithm: &'static str,
    key_material_id: String,
}

/// Decrypt.
///
/// # Errors
/// InvalidCiphertextException, IncorrectKeyException, NotFoundException, DisabledException, KMSInvalidStateException,
/// AccessDeniedException, DryRunOperationException.
pub async fn decrypt(call: &Call<'_>, mut input: Input) -> Result<Output, AwsError> {
    refuse_what_is_not_served(&input, &["EncryptionAlgorithm"])?;
    let wanted = Wanted::read(&mut input, "KeyId", "EncryptionContext")?;
    let (source, request) = Source::find(call, wanted).await?;
    if input.flag("DryRun") {
        let request = DryRun { decrypt: Some(source.dry(request)), ..DryRun::default() };
        call.kms.dry_run(&call.ctx, request).await.map_err(|error| source.refused(call, error))?;
        return Err(dry_run_succeeded());
    }
    let decrypted = call.kms.decrypt(&call.ctx, request).await.map_err(|error| source.refused(call, error))?;
    Output::of(&DecryptAnswer {
        key_id: &source.key.arn,
        plaintext: Blob(&decrypted.plaintext),
        encryption_algorithm: SYMMETRIC_DEFAULT,
        key_material_id: material_id(decrypted.version_id),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Random<'a> {
    plaintext: Blob<'a>,
}

/// GenerateRandom.
///
/// # Errors
/// ValidationException without a number of bytes, UnsupportedOperationException, AccessDeniedException.
pub async fn generate_random(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    refuse_what_is_not_served(&input, &[])?;
    if input.has("CustomKeyStoreId") {
        return Err(AwsError::unsupported("Custom key stores are not supported: leave CustomKeyStoreId out."));
    }
    let Some(bytes) = input.int("NumberOfBytes").and_then(|bytes| usize::try_from(bytes).ok()) else {
        return Err(AwsError::new(Code::Validation, "NumberOfBytes is required."));
    };
    let random = call.kms.random(&call.ctx, bytes).await.map_err(|error| call.refused_in_folder(error))?;
    Output::of(&Random { plaintext: Blob(&random) })
}
