//! ReEncrypt: a ciphertext of one key becomes one of another, and the plaintext stays inside.

use super::blob::Blob;
use super::call::{Call, Naming};
use super::crypto::{context, dry_run_succeeded, refuse_what_is_not_served};
use super::error::AwsError;
use super::input::Input;
use super::metadata::{SYMMETRIC_DEFAULT, material_id};
use super::output::Output;
use super::source::{Source, Wanted};
use crate::domain::id::KeyId;
use crate::service::request::{DryRun, ReEncrypt, ReEncrypted};
use serde::Serialize;

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

/// ReEncrypt.
///
/// What is wrong with the source is told only to who may use the destination: were it the other way round, the source's
/// refusal would tell a destination that is hidden from one that does not exist.
///
/// # Errors
/// As Decrypt for the source, as Encrypt for the destination.
pub async fn re_encrypt(call: &Call<'_>, mut input: Input) -> Result<Output, AwsError> {
    refuse_what_is_not_served(&input, &["SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm"])?;
    let wanted = Wanted::read(&mut input, "SourceKeyId", "SourceEncryptionContext")?;
    let target = call.key(&input, "DestinationKeyId", Naming::Any).await?;
    match from_source(call, input, wanted, target.id()).await {
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
            let target_alone = DryRun { encrypt: Some(target.id()), ..DryRun::default() };
            call.kms.dry_run(&call.ctx, target_alone).await.map_err(|error| call.refused(error, &target))?;
            Err(error)
        }
    }
}

/// The use itself. Every refusal is worded as one of the source.
async fn from_source(
    call: &Call<'_>,
    mut input: Input,
    wanted: Wanted,
    key_id: KeyId,
) -> Result<(Source, ReEncrypted), AwsError> {
    let (source, decrypt) = Source::find(call, wanted).await?;
    let dry = input.flag("DryRun");
    let context = context(&mut input, "DestinationEncryptionContext");
    if dry {
        let request = DryRun { decrypt: Some(source.dry(decrypt)), encrypt: Some(key_id), context: Some(context) };
        call.kms.dry_run(&call.ctx, request).await.map_err(|error| source.refused(call, error))?;
        return Err(dry_run_succeeded());
    }
    let request = ReEncrypt { source: decrypt, key_id, version_id: None, context };
    let made = call.kms.re_encrypt(&call.ctx, request).await.map_err(|error| source.refused(call, error))?;
    Ok((source, made))
}
