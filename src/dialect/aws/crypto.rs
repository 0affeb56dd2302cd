//! Uses of keys, and what is made for callers.

use super::call::Call;
use super::error::AwsError;
use super::input::Input;
use super::output::Output;

/// Encrypt.
///
/// # Errors
/// The operation's.
pub async fn encrypt(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// Decrypt.
///
/// # Errors
/// The operation's.
pub async fn decrypt(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// ReEncrypt.
///
/// # Errors
/// The operation's.
pub async fn re_encrypt(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// GenerateDataKey.
///
/// # Errors
/// The operation's.
pub async fn generate_data_key(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// GenerateDataKeyWithoutPlaintext.
///
/// # Errors
/// The operation's.
pub async fn generate_data_key_without_plaintext(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// GenerateDataKeyPair.
///
/// # Errors
/// The operation's.
pub async fn generate_data_key_pair(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// GenerateDataKeyPairWithoutPlaintext.
///
/// # Errors
/// The operation's.
pub async fn generate_data_key_pair_without_plaintext(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}

/// GenerateRandom.
///
/// # Errors
/// The operation's.
pub async fn generate_random(call: &Call<'_>, input: Input) -> Result<Output, AwsError> {
    let _ = (call.account, input.has("KeyId"));
    Err(AwsError::unsupported("not yet"))
}
