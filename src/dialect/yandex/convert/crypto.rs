//! Requests of `SymmetricCryptoService`. Data moves from the message into the request; it is not copied.

use super::super::proto::yandex::cloud::kms::v1::{
    GenerateDataKeyRequest, SymmetricDecryptRequest, SymmetricEncryptRequest, SymmetricReEncryptRequest,
};
use super::{IdText, algorithm, invalid};
use crate::domain::context::EncryptionContext;
use crate::domain::id::MaterialId;
use crate::service::error::ServiceError;
use crate::service::request::{Decrypt, Encrypt, GenerateDataKey, ReEncrypt};
use zeroize::Zeroizing;

/// The longest plaintext, in bytes.
const MAX_PLAINTEXT_BYTES: usize = 32_768;
/// The longest additional data, in bytes.
const MAX_AAD_BYTES: usize = 8_192;

/// Reads an encrypt request.
///
/// # Errors
/// [`ServiceError::Invalid`] or [`ServiceError::NotFound`].
pub fn encrypt(message: SymmetricEncryptRequest) -> Result<Encrypt, ServiceError> {
    let plaintext = Zeroizing::new(message.plaintext);
    let key_id = IdText::required("key_id", &message.key_id)?;
    let version_id = IdText::optional("version_id", &message.version_id)?;
    let context = context("aad_context", message.aad_context)?;
    if plaintext.is_empty() {
        return Err(invalid("plaintext is required"));
    }
    if plaintext.len() > MAX_PLAINTEXT_BYTES {
        return Err(invalid(format!("plaintext must be at most {MAX_PLAINTEXT_BYTES} bytes long")));
    }
    Ok(Encrypt { key_id: key_id.key()?, version_id: version(version_id)?, context, plaintext })
}

/// Reads a decrypt request.
///
/// # Errors
/// [`ServiceError::Invalid`] or [`ServiceError::NotFound`].
pub fn decrypt(message: SymmetricDecryptRequest) -> Result<Decrypt, ServiceError> {
    let key_id = IdText::required("key_id", &message.key_id)?;
    let context = context("aad_context", message.aad_context)?;
    let ciphertext = ciphertext(message.ciphertext)?;
    Ok(Decrypt { key_id: key_id.key()?, context, ciphertext })
}

/// Reads a re-encrypt request.
///
/// # Errors
/// [`ServiceError::Invalid`] or [`ServiceError::NotFound`].
pub fn re_encrypt(message: SymmetricReEncryptRequest) -> Result<ReEncrypt, ServiceError> {
    let key_id = IdText::required("key_id", &message.key_id)?;
    let version_id = IdText::optional("version_id", &message.version_id)?;
    let source_key_id = IdText::required("source_key_id", &message.source_key_id)?;
    let new_context = context("aad_context", message.aad_context)?;
    let source_context = context("source_aad_context", message.source_aad_context)?;
    let ciphertext = ciphertext(message.ciphertext)?;
    let source = Decrypt { key_id: source_key_id.key()?, context: source_context, ciphertext };
    Ok(ReEncrypt { source, key_id: key_id.key()?, version_id: version(version_id)?, context: new_context })
}

/// Reads a request for a data key.
///
/// # Errors
/// [`ServiceError::Invalid`] or [`ServiceError::NotFound`].
pub fn generate_data_key(message: GenerateDataKeyRequest) -> Result<GenerateDataKey, ServiceError> {
    let key_id = IdText::required("key_id", &message.key_id)?;
    let version_id = IdText::optional("version_id", &message.version_id)?;
    let context = context("aad_context", message.aad_context)?;
    let bytes = algorithm("data_key_spec", message.data_key_spec)?.key_bytes();
    Ok(GenerateDataKey { key_id: key_id.key()?, version_id: version(version_id)?, context, bytes })
}

fn version(text: Option<IdText<'_>>) -> Result<Option<MaterialId>, ServiceError> {
    text.map(IdText::version).transpose()
}

fn context(field: &str, bytes: Vec<u8>) -> Result<EncryptionContext, ServiceError> {
    if bytes.len() > MAX_AAD_BYTES {
        return Err(invalid(format!("{field} must be at most {MAX_AAD_BYTES} bytes long")));
    }
    Ok(EncryptionContext::from_bytes(bytes))
}

fn ciphertext(bytes: Vec<u8>) -> Result<Vec<u8>, ServiceError> {
    if bytes.is_empty() {
        return Err(invalid("ciphertext is required"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::super::proto::yandex::cloud::kms::v1::SymmetricAlgorithm;
    use super::*;
    use crate::service::error::Missing;
    use rstest::rstest;

    const KEY: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";
    const VERSION: &str = "5d4f3f7e-9d0a-4f6b-8f0e-0c5d7a1b2c3d";

    fn encrypt_request() -> SymmetricEncryptRequest {
        SymmetricEncryptRequest {
            key_id: KEY.into(),
            version_id: VERSION.into(),
            aad_context: vec![1; MAX_AAD_BYTES],
            plaintext: vec![2; MAX_PLAINTEXT_BYTES],
        }
    }

    fn re_encrypt_request() -> SymmetricReEncryptRequest {
        SymmetricReEncryptRequest {
            key_id: KEY.into(),
            version_id: String::new(),
            aad_context: vec![1],
            source_key_id: VERSION.into(),
            source_aad_context: vec![2],
            ciphertext: vec![3],
        }
    }

    fn data_key_request(spec: SymmetricAlgorithm) -> GenerateDataKeyRequest {
        GenerateDataKeyRequest { key_id: KEY.into(), data_key_spec: spec.into(), ..Default::default() }
    }

    fn refusal<T>(result: Result<T, ServiceError>) -> String {
        match result {
            Err(ServiceError::Invalid(text)) => text,
            Err(other) => panic!("not an invalid argument: {other}"),
            Ok(_) => panic!("accepted"),
        }
    }

    #[test]
    fn an_encrypt_request_at_every_limit_is_accepted() {
        let request = encrypt(encrypt_request()).unwrap();
        assert_eq!(request.key_id.to_string(), KEY);
        assert_eq!(request.version_id.unwrap().to_string(), VERSION);
        assert_eq!(request.context, EncryptionContext::Bytes(vec![1; MAX_AAD_BYTES]));
        assert_eq!(request.plaintext.len(), MAX_PLAINTEXT_BYTES);
    }

    #[rstest]
    #[case(SymmetricEncryptRequest { key_id: String::new(), ..encrypt_request() }, "key_id is required")]
    #[case(SymmetricEncryptRequest { key_id: "k".repeat(51), ..encrypt_request() }, "key_id must be at most 50")]
    #[case(SymmetricEncryptRequest { version_id: "v".repeat(51), ..encrypt_request() }, "version_id must be at most 50")]
    #[case(SymmetricEncryptRequest { aad_context: vec![0; 8193], ..encrypt_request() }, "aad_context must be at most 8192")]
    #[case(SymmetricEncryptRequest { plaintext: vec![], ..encrypt_request() }, "plaintext is required")]
    #[case(SymmetricEncryptRequest { plaintext: vec![0; 32_769], ..encrypt_request() }, "plaintext must be at most 32768")]
    fn an_encrypt_request_outside_of_a_limit_is_refused(#[case] message: SymmetricEncryptRequest, #[case] text: &str) {
        assert!(refusal(encrypt(message)).starts_with(text));
    }

    #[test]
    fn limits_are_checked_before_ids_are_looked_for() {
        let message = SymmetricEncryptRequest { key_id: "nobody".into(), plaintext: vec![], ..encrypt_request() };
        assert_eq!(refusal(encrypt(message)), "plaintext is required");
        let message = SymmetricEncryptRequest { version_id: "nobody".into(), ..encrypt_request() };
        assert!(matches!(encrypt(message), Err(ServiceError::NotFound { what: Missing::Version, .. })));
    }

    #[test]
    fn decrypt_needs_a_ciphertext() {
        let message = SymmetricDecryptRequest { key_id: KEY.into(), ..Default::default() };
        assert_eq!(refusal(decrypt(message.clone())), "ciphertext is required");
        let request = decrypt(SymmetricDecryptRequest { ciphertext: vec![9], ..message }).unwrap();
        assert_eq!((request.ciphertext, request.context), (vec![9], EncryptionContext::Empty));
    }

    #[test]
    fn re_encrypt_keeps_source_and_target_apart() {
        let request = re_encrypt(re_encrypt_request()).unwrap();
        assert_eq!((request.key_id.to_string(), request.context.canonical()), (KEY.into(), vec![1]));
        assert_eq!((request.source.key_id.to_string(), request.source.context.canonical()), (VERSION.into(), vec![2]));
    }

    #[rstest]
    #[case(SymmetricReEncryptRequest { key_id: String::new(), ..re_encrypt_request() }, "key_id is required")]
    #[case(SymmetricReEncryptRequest { source_key_id: String::new(), ..re_encrypt_request() }, "source_key_id is required")]
    #[case(SymmetricReEncryptRequest { aad_context: vec![0; 8193], ..re_encrypt_request() }, "aad_context must")]
    #[case(SymmetricReEncryptRequest { source_aad_context: vec![0; 8193], ..re_encrypt_request() }, "source_aad_context must")]
    #[case(SymmetricReEncryptRequest { ciphertext: vec![], ..re_encrypt_request() }, "ciphertext is required")]
    fn a_re_encrypt_request_outside_of_a_limit_is_refused(
        #[case] message: SymmetricReEncryptRequest,
        #[case] text: &str,
    ) {
        assert!(refusal(re_encrypt(message)).starts_with(text));
    }

    #[rstest]
    #[case(SymmetricAlgorithm::Aes128, 16)]
    #[case(SymmetricAlgorithm::Aes192, 24)]
    #[case(SymmetricAlgorithm::Aes256, 32)]
    #[case(SymmetricAlgorithm::Aes256Hsm, 32)]
    fn the_spec_fixes_the_length_of_a_data_key(#[case] spec: SymmetricAlgorithm, #[case] bytes: usize) {
        assert_eq!(generate_data_key(data_key_request(spec)).unwrap().bytes, bytes);
    }

    #[test]
    fn a_data_key_without_a_spec_is_refused() {
        let message = data_key_request(SymmetricAlgorithm::Unspecified);
        assert_eq!(refusal(generate_data_key(message)), "data_key_spec is required");
    }
}
