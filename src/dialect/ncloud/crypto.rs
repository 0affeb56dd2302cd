//! Using keys.

use super::call::Call;
use super::error::NcloudError;
use super::input::{Form, Input, OneOrMany, bytes_of};
use super::output::{Output, Texts, text_of};
use crate::domain::context::EncryptionContext;
use crate::domain::numbered::Numbered;
use crate::service::lists_of_data::ListOf;
use crate::service::request::{DryRun, Encrypted, GenerateDataKey};
use serde::Serialize;
use zeroize::Zeroizing;

/// The largest plaintext, in bytes; of a list, all together.
const MAX_PLAINTEXT_BYTES: usize = 32 * 1024;
/// The longest context, in bytes.
const MAX_CONTEXT_BYTES: usize = 50;
/// The length of a custom key if a request names none, in bits.
const DEFAULT_BITS: i64 = 256;

/// The context of a request. That convergent keys need one, and others take none, is the core's to say.
fn context(input: &mut Input) -> Result<EncryptionContext, NcloudError> {
    let Some(text) = input.text("context")?.filter(|text| !text.is_empty()) else {
        return Ok(EncryptionContext::Empty);
    };
    let bytes = bytes_of("context", &text)?;
    if bytes.len() > MAX_CONTEXT_BYTES {
        return Err(NcloudError::invalid(format!("context must be at most {MAX_CONTEXT_BYTES} bytes long")));
    }
    Ok(EncryptionContext::Convergent(bytes.to_vec()))
}

#[derive(Serialize)]
struct Ciphertext {
    ciphertext: Texts,
}

/// POST .../encrypt
///
/// # Errors
/// INVALID_REQUEST, NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn encrypt(call: &Call<'_>, mut input: Input) -> Result<Output, NcloudError> {
    let (items, form) = plaintexts(input.one_or_many("plaintext")?)?;
    let context = context(&mut input)?;
    let list = ListOf { key_id: call.key()?, context, items };
    let encrypted = call.kms.encrypt_list(&call.ctx, list).await?;
    call.answer(&Ciphertext { ciphertext: ciphertexts(&encrypted, form) })
}

/// Plaintexts, and the form in which they came.
type Plaintexts = (Vec<Zeroizing<Vec<u8>>>, Form);

fn plaintexts(texts: OneOrMany<Zeroizing<String>>) -> Result<Plaintexts, NcloudError> {
    let (texts, form) = texts.into_list();
    let items = texts.iter().map(|text| bytes_of("plaintext", text)).collect::<Result<Vec<_>, _>>()?;
    if items.iter().any(|item| item.is_empty()) {
        return Err(NcloudError::invalid("plaintext must not be empty"));
    }
    if items.iter().map(|item| item.len()).sum::<usize>() > MAX_PLAINTEXT_BYTES {
        let text = format!("plaintext must be at most {MAX_PLAINTEXT_BYTES} bytes long, a list in sum");
        return Err(NcloudError::invalid(text));
    }
    Ok((items, form))
}

fn ciphertexts(encrypted: &[Encrypted], form: Form) -> Texts {
    let text = |it: &Encrypted| Zeroizing::new(Numbered::text(it.version_number, &it.ciphertext));
    Texts { texts: encrypted.iter().map(text).collect(), form }
}

/// The ciphertexts of a request. What is wrong with one is told by the core, to who may decrypt.
fn sources(texts: OneOrMany<Zeroizing<String>>) -> Result<(Vec<Vec<u8>>, Form), NcloudError> {
    let (mut texts, form) = texts.into_list();
    if !texts.iter().all(|text| Numbered::is_meant(text.as_bytes())) {
        return Err(NcloudError::invalid("ciphertext must begin with ncpkms:v and the number of a version"));
    }
    Ok((texts.iter_mut().map(|text| std::mem::take(&mut **text).into_bytes()).collect(), form))
}

#[derive(Serialize)]
struct Plaintext {
    plaintext: Texts,
}

/// POST .../decrypt
///
/// # Errors
/// INVALID_REQUEST, NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn decrypt(call: &Call<'_>, mut input: Input) -> Result<Output, NcloudError> {
    let (items, form) = sources(input.one_or_many("ciphertext")?)?;
    let context = context(&mut input)?;
    let list = ListOf { key_id: call.key()?, context, items };
    let decrypted = call.kms.decrypt_list(&call.ctx, list).await?;
    let texts = decrypted.iter().map(|it| text_of(&it.plaintext)).collect();
    call.answer(&Plaintext { plaintext: Texts { texts, form } })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewCiphertext {
    new_ciphertext: Texts,
}

/// POST .../re-encrypt
///
/// # Errors
/// INVALID_REQUEST, NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn re_encrypt(call: &Call<'_>, mut input: Input) -> Result<Output, NcloudError> {
    let (items, form) = sources(input.one_or_many("ciphertext")?)?;
    let context = context(&mut input)?;
    let list = ListOf { key_id: call.key()?, context, items };
    let encrypted = call.kms.re_encrypt_list(&call.ctx, list).await?;
    call.answer(&NewCiphertext { new_ciphertext: ciphertexts(&encrypted, form) })
}

#[derive(Serialize)]
struct CustomKey {
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<Texts>,
    ciphertext: String,
    /// Older pages of the cloud's documents have it.
    key_version: u32,
}

/// POST .../create-custom-key
///
/// # Errors
/// INVALID_REQUEST, NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY.
pub async fn create_custom_key(call: &Call<'_>, mut input: Input) -> Result<Output, NcloudError> {
    let wants_plaintext = input.flag("requestPlainKey")?;
    let bytes = match input.int("bits")?.unwrap_or(DEFAULT_BITS) {
        128 => 16,
        256 => 32,
        512 => 64,
        _ => return Err(NcloudError::invalid("bits must be 128, 256 or 512")),
    };
    let context = context(&mut input)?;
    let request = GenerateDataKey { key_id: call.key()?, version_id: None, context, bytes };
    let made = call.kms.generate_data_key(&call.ctx, request).await?;
    let plaintext = wants_plaintext.then(|| Texts { texts: vec![text_of(&made.plaintext)], form: Form::One });
    let Encrypted { version_number, ciphertext, .. } = &made.encrypted;
    let ciphertext = Numbered::text(*version_number, ciphertext);
    call.answer(&CustomKey { plaintext, ciphertext, key_version: *version_number })
}

/// Sign, verify and get-pub-key, which are of keys with another keyType than there is.
///
/// # Errors
/// INVALID_REQUEST, for who may use the key; NOT_FOUND, FORBIDDEN, UNPROCESSABLE_ENTITY before that.
pub async fn of_asymmetric_keys(call: &Call<'_>) -> Result<Output, NcloudError> {
    call.kms.dry_run(&call.ctx, DryRun { encrypt: Some(call.key()?), ..DryRun::default() }).await?;
    Err(NcloudError::invalid("the key's keyType is AES256: only keys of keyType RSA2048 or ECDSA do this"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(bytes: usize) -> Zeroizing<String> {
        text_of(&vec![7; bytes])
    }

    #[test]
    fn plaintext_has_1_to_32_768_bytes_in_sum() {
        for (texts, good) in [
            (OneOrMany::One(one(MAX_PLAINTEXT_BYTES)), true),
            (OneOrMany::One(one(MAX_PLAINTEXT_BYTES + 1)), false),
            (OneOrMany::One(one(0)), false),
            (OneOrMany::Many(vec![one(MAX_PLAINTEXT_BYTES - 1), one(1)]), true),
            (OneOrMany::Many(vec![one(MAX_PLAINTEXT_BYTES), one(1)]), false),
            (OneOrMany::Many(vec![one(1), one(0)]), false),
            (OneOrMany::One(Zeroizing::new("!".to_owned())), false),
        ] {
            assert_eq!(plaintexts(texts).is_ok(), good);
        }
    }

    #[test]
    fn a_context_has_at_most_50_bytes_and_an_empty_one_is_none() {
        let read = |text: &str| context(&mut Input::read(format!(r#"{{"context":"{text}"}}"#).as_bytes()).unwrap());
        assert_eq!(read("").unwrap(), EncryptionContext::Empty);
        assert_eq!(context(&mut Input::default()).unwrap(), EncryptionContext::Empty);
        assert_eq!(read(&one(50)).unwrap(), EncryptionContext::Convergent(vec![7; 50]));
        assert!(read(&one(51)).is_err() && read("AA").is_err());
    }

    #[test]
    fn only_numbered_ciphertexts_are_taken() {
        assert!(sources(OneOrMany::One(Zeroizing::new("ncpkms:v1:AA".to_owned()))).is_ok());
        assert!(sources(OneOrMany::One(text_of(&[1; 80]))).is_err());
    }
}
