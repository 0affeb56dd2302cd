//! What clients of the Ncloud dialect send: heads, paths, bodies, ciphertexts, tokens.

use super::{PIN, texts};
use crate::auth::ncloud::{ACCESS_KEY, Claim, SIGNATURE, TIMESTAMP};
use crate::dialect::ncloud::input::{Input, OneOrMany, bytes_of};
use crate::dialect::ncloud::keys::number;
use crate::dialect::ncloud::route::{Route, Target};
use crate::dialect::ncloud::tokens::order;
use crate::domain::id::{CredentialId, GeneratorId, KeyId};
use crate::domain::key_token::{KeyToken, TokenUse};
use crate::domain::numbered::Numbered;
use crate::domain::time::Timestamp;
use crate::service::key_token_text::{KeyTokenClaim, KeyTokens};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderValue, Method, Request};
use serde_json::Value;

const SECRET: &[u8] = b"SK";
const TAG: &str = "0b7c1b6e5a944c1e9a530d9d7d4b2f11";

/// A signed head, its parts in lines: method, target, time, access key, signature.
pub fn request_seeds() -> Vec<Vec<u8>> {
    texts(&["GET\n/kms/v1/keys?pageNo=1&pageSize=1\n1700000000000\nAK\nz8OgaJFfo1idMjk8CQBHuJZTxwG8415enjPYwyRESdI="])
}

/// Who has changed anything of what was signed has no good signature.
pub fn signed_request(data: &[u8]) -> bool {
    let Some(head) = head(data) else { return false };
    let Ok(claim) = Claim::read(&head) else { return false };
    let signed = claim.is_signed(&head, SECRET);
    assert!(!signed || [&request_seeds()[0][..]].contains(&data), "another request has the signature");
    signed
}

fn head(data: &[u8]) -> Option<Parts> {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let [method, target, time, access_key, signature] = *lines.as_slice() else { return None };
    let value = |bytes: &[u8]| HeaderValue::from_bytes(bytes).ok();
    let request = Request::builder().method(method).uri(target);
    let request = request.header(TIMESTAMP, value(time)?).header(ACCESS_KEY, value(access_key)?);
    Some(request.header(SIGNATURE, value(signature)?).body(()).ok()?.into_parts().0)
}

pub fn path_seeds() -> Vec<Vec<u8>> {
    let below = ["", "/encrypt", "/versions/12/disable", "/token-generator", "/acl/enable"];
    let mut seeds: Vec<_> = below.iter().map(|rest| format!("/kms/v1/keys/{TAG}{rest}").into_bytes()).collect();
    seeds.extend(texts(&["/kms/v1/keys", "/keys/v2/x/createCustomKey"]));
    seeds
}

/// A path that names a key names it as the key is shown.
pub fn path(data: &[u8]) -> bool {
    let Ok(path) = std::str::from_utf8(data) else { return false };
    let routes = [Method::GET, Method::POST, Method::PUT, Method::DELETE].map(|method| Route::of(&method, path));
    let found = routes.into_iter().flatten().collect::<Vec<_>>();
    for route in &found {
        if let Some(Target::Key(key_id)) = route.key {
            assert!(path.contains(&key_id.simple()), "{path} was read as {key_id}");
        }
        let version = format!("/versions/{}/", route.version);
        assert!(route.version == 0 || path.contains(&version), "{path} was read with version {}", route.version);
    }
    !found.is_empty()
}

pub fn body_seeds() -> Vec<Vec<u8>> {
    let mut seeds = texts(&[
        "",
        r#"{"plaintext":"\/+8=","context":null,"other":{"a":[1.5,{"b":"c"}]}}"#,
        r#"{"plaintext":["AA==","AAAA"],"bits":128,"requestPlainKey":true,"accessTokenHours":"72"}"#,
    ]);
    seeds.push(format!(r#"{{"plaintext":"{PIN}AA","bits":-1}}"#).into_bytes());
    seeds
}

/// The members of a body are those that a general JSON reader finds. No refusal repeats what may be secret.
pub fn body(data: &[u8]) -> bool {
    let mut input = match Input::read(data) {
        Ok(input) => input,
        Err(error) => {
            assert!(!format!("{error:?}").contains(PIN), "a plaintext is repeated: {error:?}");
            return false;
        }
    };
    let json: Value = serde_json::from_slice(data).unwrap_or_else(|_| Value::Object(serde_json::Map::new()));
    assert!(json.is_object(), "what is no object was read");
    if let Ok(bits) = input.int("bits") {
        assert_eq!(bits, json["bits"].as_i64());
    }
    if let Ok(flag) = input.flag("requestPlainKey") {
        assert_eq!(flag, json["requestPlainKey"] == Value::Bool(true));
    }
    let Ok(plaintext) = input.one_or_many("plaintext") else { return true };
    match &plaintext {
        OneOrMany::One(text) => assert_eq!(json["plaintext"].as_str(), Some(text.as_str())),
        OneOrMany::Many(all) => {
            let read = all.iter().map(|text| Value::from(text.as_str())).collect::<Vec<_>>();
            assert_eq!(json["plaintext"].as_array(), Some(&read));
        }
    }
    for text in plaintext.into_list().0 {
        match bytes_of("plaintext", &text) {
            Ok(bytes) => assert_eq!(STANDARD.encode(&*bytes), *text),
            Err(error) => assert!(!format!("{error:?}").contains(PIN), "{error:?}"),
        }
    }
    true
}

pub fn ciphertext_seeds() -> Vec<Vec<u8>> {
    texts(&[
        "ncpkms:v1://+bKZjhBWsXFexkULZcLMeU+Pvki03D0phK60r5XbPS",
        "ncpkms:v4294967295:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ])
}

/// A ciphertext has one spelling.
pub fn ciphertext(data: &[u8]) -> bool {
    let Ok(Numbered { number, body }) = Numbered::parse(data) else { return false };
    assert!(Numbered::is_meant(data) && number > 0);
    let spelt = format!("ncpkms:v{number}:{}", STANDARD.encode(body));
    assert_eq!(spelt.as_bytes(), data, "another spelling");
    true
}

fn tokens() -> KeyTokens {
    KeyTokens::new(&[7; 32])
}

pub fn token_seeds() -> Vec<Vec<u8>> {
    let claim = |usage| KeyTokenClaim {
        token: KeyToken { usage, key_id: KeyId::from_bytes([2; 16]), generator_id: GeneratorId::from_bytes([3; 16]) },
        parent: CredentialId::from_bytes([1; 16]),
        expires_at: Timestamp::from_micros(1_700_000_000_000_000),
    };
    let issue = |usage| tokens().issue(&claim(usage), [4; 16]).as_bytes().to_vec();
    [TokenUse::Access, TokenUse::Refresh].map(issue).to_vec()
}

/// Nobody makes a token by changing one.
pub fn token(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let read = tokens().read(text).is_some();
    assert!(!read || token_seeds().iter().any(|seed| seed == data), "a token was forged");
    read
}

pub fn query_seeds() -> Vec<Vec<u8>> {
    texts(&["pageNo=1&pageSize=200", "pageSize=7&responseFormatType=json", "pageNo=4294967295"])
}

/// A page number is the one that the query names once, in digits.
pub fn query(data: &[u8]) -> bool {
    let Ok(query) = std::str::from_utf8(data) else { return false };
    let Ok(page) = number(query, "pageNo", 1, u32::MAX) else { return false };
    let named = query.split('&').filter_map(|pair| pair.strip_prefix("pageNo=")).collect::<Vec<_>>();
    let digits = named.first().map_or("1", |text| text.trim_start_matches('0'));
    assert!(named.len() <= 1 && digits == page.to_string(), "{query} was read as page {page}");
    true
}

pub fn hours_seeds() -> Vec<Vec<u8>> {
    texts(&[r#"{"accessTokenHours":72}"#, r#"{"accessTokenHours":"17520"}"#, r#"{"accessTokenHours":"UL"}"#])
}

/// Hours are within their bounds, as a general JSON reader finds them.
pub fn hours(data: &[u8]) -> bool {
    let Ok(mut input) = Input::read(data) else { return false };
    let Ok((_, period)) = order(TokenUse::Access, &mut input) else { return false };
    let json: Value = serde_json::from_slice(data).unwrap_or_default();
    let given = &json["accessTokenHours"];
    match period.map(|period| period.as_secs() / 3600) {
        None => assert_eq!(given, "UL"),
        Some(72) if given.is_null() => {}
        Some(hours) => {
            assert!((1..=17_520).contains(&hours) && period.is_some_and(|period| period.as_secs() % 3600 == 0));
            assert!(
                *given == hours || given.as_str().is_some_and(|given| given == hours.to_string()),
                "{given} was read as {hours}"
            );
        }
    }
    true
}
