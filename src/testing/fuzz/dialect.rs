//! What clients of the native dialect send: bodies, query parameters and page tokens.

use super::texts;
use crate::dialect::yandex::proto::yandex::cloud::kms::v1::{
    CreateSymmetricKeyRequest, GenerateDataKeyRequest, ListSymmetricKeysRequest, SymmetricDecryptRequest,
    SymmetricEncryptRequest, UpdateSymmetricKeyRequest,
};
use crate::dialect::yandex::{convert, json};
use crate::service::error::ServiceError;
use crate::service::ports::Cursor;
use convert::{List, next_token, page_after, page_size};
use http::Uri;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The message in a body. Any that is refused is the caller's fault.
fn body<M: DeserializeOwned + Default>(data: &[u8]) -> Option<M> {
    match json::from_body::<M>(data) {
        Ok(message) => Some(message),
        Err(error) => {
            assert!(matches!(error, ServiceError::Invalid(_)), "{error}");
            None
        }
    }
}

/// That a message, written as JSON, is read as itself.
fn assert_reads_again<M: DeserializeOwned + Default + Serialize + PartialEq>(message: &M) {
    let again = serde_json::to_vec(message).ok().and_then(|text| json::from_body::<M>(&text).ok());
    assert!(again.as_ref() == Some(message), "the message is another one when it is read again");
}

/// What is asked for. Any that is refused is the caller's fault, or names what there cannot be.
fn request<T>(converted: Result<T, ServiceError>) -> Option<T> {
    match converted {
        Ok(request) => Some(request),
        Err(ServiceError::Invalid(_) | ServiceError::Value(_) | ServiceError::NotFound { .. }) => None,
        Err(error) => {
            assert!(error.to_string().is_empty(), "a message was refused for another reason than itself: {error}");
            None
        }
    }
}

pub fn create_key_seeds() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"folderId":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","name":"n","description":"d","labels":{"a":"1","b-c":"2"},
            "defaultAlgorithm":"AES_256_HSM","rotationPeriod":"2592000s","deletionProtection":true}"#,
        r#"{"folder_id":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","default_algorithm":4,"rotation_period":"1.500s"}"#,
        r#"{"folderId":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","name":null,"labels":null,"defaultAlgorithm":"AES_128"}"#,
    ])
}

/// A body of Create.
pub fn create_key(data: &[u8]) -> bool {
    let Some(message) = body::<CreateSymmetricKeyRequest>(data) else { return false };
    assert_reads_again(&message);
    let Some(create) = request(convert::create_key(message.clone(), Some("once".to_owned()))) else { return false };
    assert_eq!(create.folder_id.to_string(), message.folder_id);
    assert_eq!(create.name.as_str(), message.name);
    assert!(message.name.chars().count() <= 100 && message.description.chars().count() <= 1024);
    assert_eq!((create.labels.pairs(), create.labels.pairs().len() <= 64), (&message.labels, true));
    assert_eq!(create.rotation_period.is_some(), message.rotation_period.is_some());
    assert_eq!(create.deletion_protection, message.deletion_protection);
    true
}

pub fn update_key_seeds() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"keyId":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","updateMask":"name,rotationPeriod,status","name":"n",
            "rotationPeriod":"86400s","status":"INACTIVE"}"#,
        r#"{"key_id":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","update_mask":"labels,description,default_algorithm",
            "labels":{"a":""},"description":"d","default_algorithm":2}"#,
    ])
}

/// A body of Update: what the mask does not name is not changed.
pub fn update_key(data: &[u8]) -> bool {
    let Some(mut message) = body::<UpdateSymmetricKeyRequest>(data) else { return false };
    let Some((key_id, patch)) = request(convert::update_key(&message)) else {
        // A mask of unknown paths has no form in JSON that is read as itself (underscores before what is no letter).
        message.update_mask = None;
        assert_reads_again(&message);
        return false;
    };
    assert_reads_again(&message);
    assert_eq!(key_id.to_string(), message.key_id);
    let paths = message.update_mask.map(|mask| mask.paths).unwrap_or_default();
    let changed = [
        ("name", patch.name.is_some()),
        ("description", patch.description.is_some()),
        ("status", patch.switch.is_some()),
        ("labels", patch.labels.is_some()),
        ("default_algorithm", patch.default_algorithm.is_some()),
        ("rotation_period", patch.rotation_period.is_some()),
        ("deletion_protection", patch.deletion_protection.is_some()),
    ];
    for (path, is_changed) in changed {
        assert_eq!(is_changed, paths.iter().any(|named| named == path), "{path}");
    }
    true
}

pub fn encrypt_seeds() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"keyId":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","plaintext":"c2VjcmV0","aadContext":"YWFk",
            "versionId":"5d4f3f7e-9d0a-4f6b-8f0e-0c5d7a1b2c3d"}"#,
        r#"{"key_id":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","plaintext":"-_-_"}"#,
    ])
}

/// A body of Encrypt.
pub fn encrypt(data: &[u8]) -> bool {
    let Some(message) = body::<SymmetricEncryptRequest>(data) else { return false };
    assert_reads_again(&message);
    let Some(encrypt) = request(convert::encrypt(message.clone())) else { return false };
    assert_eq!(encrypt.key_id.to_string(), message.key_id);
    assert_eq!(encrypt.version_id.map(|id| id.to_string()).unwrap_or_default(), message.version_id);
    assert!((1..=32_768).contains(&message.plaintext.len()) && message.aad_context.len() <= 8192);
    assert!(*encrypt.plaintext == message.plaintext && encrypt.context.canonical() == message.aad_context);
    true
}

pub fn decrypt_seeds() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"keyId":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","ciphertext":"AQEAAAAA","aadContext":"YWFk"}"#,
        r#"{"key_id":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","ciphertext":"AA==","aad_context":null}"#,
    ])
}

/// A body of Decrypt.
pub fn decrypt(data: &[u8]) -> bool {
    let Some(message) = body::<SymmetricDecryptRequest>(data) else { return false };
    assert_reads_again(&message);
    let Some(decrypt) = request(convert::decrypt(message.clone())) else { return false };
    assert_eq!(decrypt.key_id.to_string(), message.key_id);
    assert!(!decrypt.ciphertext.is_empty() && message.aad_context.len() <= 8192);
    assert_eq!((decrypt.ciphertext, decrypt.context.canonical()), (message.ciphertext, message.aad_context));
    true
}

pub fn data_key_seeds() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"keyId":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","dataKeySpec":"AES_192","skipPlaintext":true}"#,
        r#"{"key_id":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","data_key_spec":3,"aad_context":"YWFk"}"#,
    ])
}

/// A body of GenerateDataKey.
pub fn data_key(data: &[u8]) -> bool {
    let Some(message) = body::<GenerateDataKeyRequest>(data) else { return false };
    assert_reads_again(&message);
    let Some(generate) = request(convert::generate_data_key(message.clone())) else { return false };
    assert_eq!(generate.key_id.to_string(), message.key_id);
    assert!(matches!(generate.bytes, 16 | 24 | 32), "{}", generate.bytes);
    assert_eq!(generate.context.canonical(), message.aad_context);
    true
}

pub fn query_seeds() -> Vec<Vec<u8>> {
    texts(&["", "folderId=f&pageSize=5&pageToken=a%2Bb", "folder_id=%D1%84+x&page_size=1000"])
}

/// The query parameters of List.
pub fn query(data: &[u8]) -> bool {
    let read = |query: &[u8]| {
        let uri = Uri::try_from([&b"/kms/v1/keys?"[..], query].concat()).ok()?;
        let message = json::from_query::<ListSymmetricKeysRequest>(&uri);
        assert!(matches!(message, Ok(_) | Err(ServiceError::Invalid(_))));
        // What has parameters is refused where there are none, and what has none is not.
        let none = query.first().is_none_or(|byte| *byte == b'#');
        assert_eq!(json::no_query(&uri).is_ok(), none, "{uri}");
        message.ok()
    };
    let Some(message) = read(data) else { return false };
    let named = |names: [&str; 2]| value_of(data, names).unwrap_or_default();
    assert_eq!(message.folder_id, named(["folderId", "folder_id"]), "another folder than was asked for");
    assert_eq!(message.page_token, named(["pageToken", "page_token"]), "another token than was sent");
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let ListSymmetricKeysRequest { folder_id, page_size: size, page_token } = &message;
    let again = format!("folderId={}&pageSize={size}&pageToken={}", escaped(folder_id), escaped(page_token));
    assert_eq!(read(again.as_bytes()).as_ref(), Some(&message), "the query is another one when it is read again");
    assert_eq!(page_size(*size).is_ok(), (0..=1000).contains(size));
    true
}

/// The value of a parameter in either of its names, by the rules of application/x-www-form-urlencoded (WHATWG URL, 5.1).
fn value_of(query: &[u8], names: [&str; 2]) -> Option<String> {
    let query = query.split(|byte| *byte == b'#').next().unwrap_or_default();
    let mut pairs = query.split(|byte| *byte == b'&').map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        (unescaped(&pair[..at]), unescaped(pair.get(at + 1..).unwrap_or_default()))
    });
    pairs.find(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value)
}

fn unescaped(mut rest: &[u8]) -> String {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(rest.len());
    while let [first, tail @ ..] = rest {
        let escaped = match tail {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => out.push(high << 4 | low),
            None => out.push(if *first == b'+' { b' ' } else { *first }),
        }
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&out).into_owned()
}

const RESOURCE: [u8; 16] = [7; 16];
const LISTS: [List; 3] = [List::Keys, List::Versions, List::Operations];

pub fn page_token_seeds() -> Vec<Vec<u8>> {
    let cursors = [Cursor { at: -1_700_000_000_000_000, id: [9; 16] }, Cursor { at: i64::MAX, id: [0; 16] }];
    let tokens = cursors.into_iter().zip(LISTS).map(|(cursor, list)| next_token(list, &RESOURCE, Some(cursor)));
    tokens.chain([String::new()]).map(String::into_bytes).collect()
}

/// A token leads to one place of one list, in one form. Any place has a token.
pub fn page_token(data: &[u8]) -> bool {
    place(data);
    let Ok(token) = std::str::from_utf8(data) else { return false };
    let mut found = Vec::new();
    for list in LISTS {
        match page_after(list, &RESOURCE, token) {
            Ok(None) => assert!(token.is_empty()),
            Ok(Some(cursor)) => {
                assert_eq!(next_token(list, &RESOURCE, Some(cursor)), token, "another form of the token");
                found.push(list);
            }
            Err(error) => assert!(matches!(error, ServiceError::Invalid(_)), "{error}"),
        }
    }
    assert!(found.len() <= 1, "a token of several lists");
    token.is_empty() || !found.is_empty()
}

/// Reads the bytes as a place in a list, and its token again.
fn place(data: &[u8]) {
    let Some((at, rest)) = data.split_first_chunk::<8>() else { return };
    let Some(id) = rest.first_chunk::<16>() else { return };
    let cursor = Cursor { at: i64::from_be_bytes(*at), id: *id };
    for list in LISTS {
        let token = next_token(list, &RESOURCE, Some(cursor));
        assert_eq!(page_after(list, &RESOURCE, &token).ok(), Some(Some(cursor)), "{list:?}");
    }
}
