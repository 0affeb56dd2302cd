//! Data keys and data key pairs, in clear and encrypted or encrypted only.

use super::blob::Blob;
use super::call::{Call, Naming};
use super::crypto::{context, dry_run_of_encryption, refuse_what_is_not_served};
use super::error::{AwsError, Code};
use super::input::Input;
use super::metadata::material_id;
use super::output::Output;
use crate::domain::key_pair::KeyPairSpec;
use crate::service::request::{DataKeyPair, GenerateDataKey, GenerateDataKeyPair};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DataKeyAnswer<'a> {
    ciphertext_blob: Blob<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<Blob<'a>>,
    key_id: &'a str,
    key_material_id: String,
}

/// GenerateDataKey.
///
/// # Errors
/// ValidationException unless there is exactly one of NumberOfBytes and KeySpec; those of Encrypt.
pub async fn generate_data_key(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    data_key(call, input, true).await
}

/// GenerateDataKeyWithoutPlaintext.
///
/// # Errors
/// Those of [`generate_data_key`].
pub async fn generate_data_key_without_plaintext(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    data_key(call, input, false).await
}

async fn data_key(call: &Call<'_>, mut input: Input, in_clear: bool) -> Result<Output, AwsError> {
    refuse_what_is_not_served(&input, &[])?;
    let bytes = data_key_bytes(input.text("KeySpec"), input.int("NumberOfBytes"))?;
    let key = call.key(&input, "KeyId", Naming::Any).await?;
    if input.flag("DryRun") {
        let context = context(&mut input, "EncryptionContext");
        return dry_run_of_encryption(call, &key, context).await;
    }
    let context = context(&mut input, "EncryptionContext");
    let request = GenerateDataKey { key_id: key.id(), version_id: None, context, bytes };
    let made = call.kms.generate_data_key(&call.ctx, request).await.map_err(|error| call.refused(error, &key))?;
    Output::of(&DataKeyAnswer {
        ciphertext_blob: Blob(&made.encrypted.ciphertext),
        plaintext: in_clear.then_some(Blob(&made.plaintext)),
        key_id: &key.arn,
        key_material_id: material_id(made.encrypted.version_id),
    })
}

/// The length of a data key. The table of the operation has checked both members.
fn data_key_bytes(spec: Option<&str>, number: Option<i64>) -> Result<usize, AwsError> {
    let bytes = match (spec, number) {
        (Some("AES_128"), None) => Some(16),
        (Some("AES_256"), None) => Some(32),
        (None, Some(number)) => usize::try_from(number).ok(),
        _ => None,
    };
    bytes.ok_or_else(|| AwsError::new(Code::Validation, "Please specify either number of bytes or key spec."))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyPairAnswer<'a> {
    private_key_ciphertext_blob: Blob<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key_plaintext: Option<Blob<'a>>,
    public_key: Blob<'a>,
    key_id: &'a str,
    key_pair_spec: &'a str,
    key_material_id: String,
}

/// GenerateDataKeyPair.
///
/// # Errors
/// UnsupportedOperationException for kinds of pairs that are not served; those of Encrypt.
pub async fn generate_data_key_pair(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    key_pair(call, input, true).await
}

/// GenerateDataKeyPairWithoutPlaintext.
///
/// # Errors
/// Those of [`generate_data_key_pair`].
pub async fn generate_data_key_pair_without_plaintext(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    key_pair(call, input, false).await
}

async fn key_pair(call: &Call<'_>, mut input: Input, in_clear: bool) -> Result<Output, AwsError> {
    refuse_what_is_not_served(&input, &[])?;
    let name = input.text("KeyPairSpec").unwrap_or_default().to_owned();
    let spec = key_pair_spec(&name)?;
    let key = call.key(&input, "KeyId", Naming::Any).await?;
    if input.flag("DryRun") {
        let context = context(&mut input, "EncryptionContext");
        return dry_run_of_encryption(call, &key, context).await;
    }
    let context = context(&mut input, "EncryptionContext");
    let request = GenerateDataKeyPair { key_id: key.id(), context, spec };
    let made = call.kms.generate_data_key_pair(&call.ctx, request).await.map_err(|error| call.refused(error, &key))?;
    let DataKeyPair { pair, encrypted } = &made;
    Output::of(&KeyPairAnswer {
        private_key_ciphertext_blob: Blob(&encrypted.ciphertext),
        private_key_plaintext: in_clear.then_some(Blob(&pair.private_pkcs8)),
        public_key: Blob(&pair.public_spki),
        key_id: &key.arn,
        key_pair_spec: &name,
        key_material_id: material_id(encrypted.version_id),
    })
}

fn key_pair_spec(name: &str) -> Result<KeyPairSpec, AwsError> {
    Ok(match name {
        "RSA_2048" => KeyPairSpec::Rsa2048,
        "RSA_3072" => KeyPairSpec::Rsa3072,
        "RSA_4096" => KeyPairSpec::Rsa4096,
        "ECC_NIST_P256" => KeyPairSpec::EccNistP256,
        "ECC_NIST_P384" => KeyPairSpec::EccNistP384,
        "ECC_NIST_P521" => KeyPairSpec::EccNistP521,
        other => {
            return Err(AwsError::unsupported(format!(
                "Data key pairs of the kind {other} are not supported: RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, \
                 ECC_NIST_P384 and ECC_NIST_P521 are."
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Some("AES_128"), None, 16)]
    #[case(Some("AES_256"), None, 32)]
    #[case(None, Some(1), 1)]
    #[case(None, Some(1024), 1024)]
    fn a_data_key_has_the_length_that_is_asked_for(
        #[case] spec: Option<&str>,
        #[case] number: Option<i64>,
        #[case] bytes: usize,
    ) {
        assert_eq!(data_key_bytes(spec, number).unwrap(), bytes);
    }

    #[rstest]
    #[case(None, None)]
    #[case(Some("AES_256"), Some(32))]
    fn a_length_is_asked_for_exactly_once(#[case] spec: Option<&str>, #[case] number: Option<i64>) {
        let error = data_key_bytes(spec, number).unwrap_err();
        assert_eq!(error, AwsError::new(Code::Validation, "Please specify either number of bytes or key spec."));
    }

    #[rstest]
    #[case("SM2")]
    #[case("ECC_SECG_P256K1")]
    #[case("ECC_NIST_EDWARDS25519")]
    #[case("ML_KEM_768")]
    fn other_kinds_of_pairs_are_not_served(#[case] name: &str) {
        assert_eq!(key_pair_spec(name).unwrap_err().code, Code::UnsupportedOperation);
    }
}
