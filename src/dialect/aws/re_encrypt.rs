//! ReEncrypt: a ciphertext of one key becomes one of another, and the plaintext stays inside.

use super::blob::Blob;
use super::call::{Call, Naming};
use super::crypto::{context, dry_run_succeeded, ignores_ciphertext, refuse_what_is_not_served};
use super::error::AwsError;
use super::input::Input;
use super::metadata::{SYMMETRIC_DEFAULT, material_id};
use super::output::Output;
use super::source::{Source, require_ciphertext};
use crate::domain::context::EncryptionContext;
use crate::domain::id::KeyId;
use crate::service::request::{Decrypt, DryDecrypt, DryRun, ReEncrypt, ReEncrypted};
use serde::Serialize;
use zeroize::Zeroizing;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    ciphertext_blob: Blob<'a>,
    source_key_id: &'a str,
    key_id: &'a str,
    source_encryption_algorithm: &'static str,
    destination_encryption_algorithm: &'static str,
    source_key_material_id: String,
    destination_key_material_id: String,
}

/// What of a request concerns its source.
struct Wanted {
    given: Option<String>,
    ciphertext: Option<Zeroizing<Vec<u8>>>,
    ignores_ciphertext: bool,
    dry_run: bool,
    source_context: EncryptionContext,
    context: EncryptionContext,
}

/// ReEncrypt.
///
/// What is wrong with the source is told only to who may use the destination: were it the other way round, the source's
/// refusal would tell a destination that is hidden from one that does not exist.
///
/// # Errors
/// As Decrypt for the source, as Encrypt for the destination.
pub async fn re_encrypt(call: &Call<'_>, mut input: Input) -> Result<Output, AwsError> {
    refuse_what_is_not_served(&input, &["SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm"])?;
    let wanted = Wanted {
        ignores_ciphertext: ignores_ciphertext(&input)?,
        dry_run: input.flag("DryRun"),
        given: input.text("SourceKeyId").map(str::to_owned),
        ciphertext: input.take_blob("CiphertextBlob"),
        source_context: context(&mut input, "SourceEncryptionContext"),
        context: context(&mut input, "DestinationEncryptionContext"),
    };
    let ciphertext = wanted.ciphertext.as_ref().map(|bytes| bytes.as_slice());
    require_ciphertext(wanted.given.as_deref(), ciphertext, wanted.ignores_ciphertext)?;
    let target = call.key(&input, "DestinationKeyId", Naming::Any).await?;
    match from_source(call, wanted, target.id()).await {
        Ok((source, made)) => Output::of(&Answer {
            ciphertext_blob: Blob(&made.encrypted.ciphertext),
            source_key_id: &source.key.arn,
            key_id: &target.arn,
            source_encryption_algorithm: SYMMETRIC_DEFAULT,
            destination_encryption_algorithm: SYMMETRIC_DEFAULT,
            source_key_material_id: material_id(made.source_version_id),
            destination_key_material_id: material_id(made.encrypted.version_id),
        }),
        Err(error) => {
            // The core does not say which of two keys it refuses.
            let target_alone = DryRun { decrypt: None, encrypt: Some(target.id()) };
            call.kms.dry_run(&call.ctx, target_alone).await.map_err(|error| call.refused(error, &target))?;
            Err(error)
        }
    }
}

/// The use itself. Every refusal is worded as one of the source.
async fn from_source(call: &Call<'_>, wanted: Wanted, key_id: KeyId) -> Result<(Source, ReEncrypted), AwsError> {
    let ciphertext = wanted.ciphertext.as_ref().map(|bytes| bytes.as_slice());
    let source = Source::find(call, wanted.given.as_deref(), ciphertext).await?;
    let source = if wanted.ignores_ciphertext { source.whatever_the_ciphertext() } else { source };
    if let Some(fault) = source.fault(call).await? {
        return Err(fault);
    }
    let decrypt = Decrypt {
        key_id: source.key.id(),
        context: wanted.source_context,
        ciphertext: wanted.ciphertext.map(|bytes| bytes.to_vec()).unwrap_or_default(),
    };
    if wanted.dry_run {
        let decrypt = match wanted.ignores_ciphertext {
            true => DryDecrypt::Key(decrypt.key_id),
            false => DryDecrypt::Ciphertext(decrypt),
        };
        let request = DryRun { decrypt: Some(decrypt), encrypt: Some(key_id) };
        call.kms.dry_run(&call.ctx, request).await.map_err(|error| source.refused(call, error))?;
        return Err(dry_run_succeeded());
    }
    let request = ReEncrypt { source: decrypt, key_id, version_id: None, context: wanted.context };
    let made = call.kms.re_encrypt(&call.ctx, request).await.map_err(|error| source.refused(call, error))?;
    Ok((source, made))
}
