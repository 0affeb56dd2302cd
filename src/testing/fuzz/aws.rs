//! What clients of the AWS dialect send: bodies, names of keys and markers.

use super::{PIN, holds_pin_behind, texts};
use crate::dialect::aws::arn;
use crate::dialect::aws::call::Naming;
use crate::dialect::aws::dispatch::members;
use crate::dialect::aws::error::Code;
use crate::dialect::aws::input::Input;
use crate::dialect::aws::marker::{List, Listed, next, wanted};
use crate::dialect::aws::operation::Operation;
use crate::domain::id::AccountId;
use crate::service::ports::Cursor;
use crate::service::request::KeyName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const HERE: &str = "us-east-1";

/// The members of a body, and the same as a general JSON reader finds them. Any refusal is the caller's fault, names the
/// place, and does not repeat what may be secret.
fn body(operation: Operation, data: &[u8]) -> Option<(Input, Map<String, Value>)> {
    let error = match Input::read(members(operation)?, data) {
        Ok(input) => {
            let json = serde_json::from_slice(data).unwrap_or_else(|_| Value::Object(Map::new()));
            let Value::Object(members) = json else { unreachable!("what is no object was read") };
            return Some((input, members));
        }
        Err(error) => error,
    };
    assert!(matches!(error.code, Code::Serialization | Code::Validation), "{error:?}");
    assert!(error.code.status() == 400 && error.cause().is_none() && !error.message.is_empty(), "{error:?}");
    let told = |text: &str| error.message.contains(PIN) && holds_pin_behind(text, "\"Plaintext\":\"");
    assert!(!std::str::from_utf8(data).is_ok_and(told), "a plaintext is repeated: {}", error.message);
    None
}

fn text_of<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}

fn map_of(members: &Map<String, Value>, name: &str) -> BTreeMap<String, String> {
    let pair = |(name, value): (&String, &Value)| (name.clone(), value.as_str().unwrap_or_default().to_owned());
    members.get(name).and_then(Value::as_object).into_iter().flatten().map(pair).collect()
}

fn texts_of(members: &Map<String, Value>, name: &str) -> Vec<String> {
    let items = members.get(name).and_then(Value::as_array).into_iter().flatten();
    items.map(|item| item.as_str().unwrap_or_default().to_owned()).collect()
}

pub fn encrypt_seeds() -> Vec<Vec<u8>> {
    let mut seeds = texts(&[
        r#"{"KeyId":"alias/x","Plaintext":"AA==","EncryptionContext":{"a":"1","":"\u00e9"},"GrantTokens":[],"DryRun":true}"#,
        r#"{"KeyId":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11","Plaintext":"\/+8=","GrantTokens":["t"],"Other":[{"a":null}]}"#,
        r#"{"EncryptionAlgorithm":"SYMMETRIC_DEFAULT","DryRun":null,"Plaintext":"AAAA","KeyId":"k"}"#,
    ]);
    seeds.push(format!(r#"{{"KeyId":"k","Plaintext":"{PIN}AA"}}"#).into_bytes());
    seeds
}

/// A body of Encrypt.
pub fn encrypt(data: &[u8]) -> bool {
    let Some((mut input, members)) = body(Operation::Encrypt, data) else { return false };
    assert_eq!(input.text("KeyId"), text_of(&members, "KeyId"));
    assert_eq!(input.text("EncryptionAlgorithm"), text_of(&members, "EncryptionAlgorithm"));
    assert_eq!(input.flag("DryRun"), members.get("DryRun") == Some(&Value::Bool(true)));
    assert_eq!(input.texts("GrantTokens"), texts_of(&members, "GrantTokens"));
    let plaintext = input.take_blob("Plaintext");
    assert!(plaintext.as_ref().is_some_and(|bytes| (1..=4096).contains(&bytes.len())));
    assert_eq!(plaintext.map(|bytes| STANDARD.encode(&*bytes)).as_deref(), text_of(&members, "Plaintext"));
    assert_eq!(input.take_map("EncryptionContext"), map_of(&members, "EncryptionContext"));
    true
}

pub fn create_key_seeds() -> Vec<Vec<u8>> {
    texts(&[
        "",
        r#"{"Description":"d","KeySpec":"SYMMETRIC_DEFAULT","Tags":[{"TagKey":"a","TagValue":""}],"MultiRegion":false}"#,
        r#"{"Policy":"{\"Version\":\"2012-10-17\"}","Tags":[{"TagValue":"v","TagKey":"k"},{"TagKey":"l","TagValue":"w"}]}"#,
    ])
}

/// A body of CreateKey.
pub fn create_key(data: &[u8]) -> bool {
    let Some((input, members)) = body(Operation::CreateKey, data) else { return false };
    for name in ["Description", "Policy", "KeySpec", "KeyUsage", "Origin"] {
        assert_eq!(input.text(name), text_of(&members, name), "{name}");
    }
    let tags = members.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let tag = |tag: &Value| (tag["TagKey"].clone(), tag["TagValue"].clone());
    let read = input.tags("Tags").iter().map(|(key, value)| (json!(key), json!(value)));
    assert!(read.eq(tags.map(tag)), "the tags are others");
    true
}

pub fn list_seeds() -> Vec<Vec<u8>> {
    let marker = next(listed(List::Keys), Some(Cursor { at: 7, id: [9; 16] })).unwrap_or_default();
    let mut seeds = texts(&["{}", r#"{"Limit":1000,"ResourceOwners":["SELF"]}"#, r#"{"Limit":null,"Marker":null}"#]);
    seeds.push(format!(r#"{{"Limit":1,"Marker":"{marker}"}}"#).into_bytes());
    seeds
}

/// A body of ListKeys, and the page that it asks for.
pub fn list(data: &[u8]) -> bool {
    let Some((input, members)) = body(Operation::ListKeys, data) else { return false };
    assert_eq!(input.int("Limit"), members.get("Limit").and_then(Value::as_i64));
    assert_eq!(input.texts("ResourceOwners"), texts_of(&members, "ResourceOwners"));
    for list in LISTS {
        match wanted(&input, listed(list)) {
            Ok(page) => {
                assert!((1..=list.sizes().max).contains(&page.limit));
                assert_eq!(next(listed(list), page.after).as_deref(), input.text("Marker"), "another form of it");
            }
            Err(error) => assert!(error.code == Code::InvalidMarker && input.has("Marker"), "{error:?}"),
        }
    }
    true
}

const LISTS: [List; 5] = [List::Keys, List::Aliases, List::Tags, List::Rotations, List::Policies];

const fn listed(list: List) -> Listed<'static> {
    Listed { list, resource: &[7; 16], region: HERE }
}

pub fn marker_seeds() -> Vec<Vec<u8>> {
    let cursors = [Cursor { at: -1_700_000_000_000_000, id: [9; 16] }, Cursor { at: i64::MAX, id: [0; 16] }];
    let markers = cursors.into_iter().zip(LISTS).filter_map(|(cursor, list)| next(listed(list), Some(cursor)));
    markers.map(String::into_bytes).collect()
}

/// A marker leads to one place of one list in one region, in one form.
pub fn marker(data: &[u8]) -> bool {
    let Ok(marker) = std::str::from_utf8(data) else { return false };
    let table = members(Operation::ListKeys).unwrap_or_default();
    let Ok(input) = Input::read(table, json!({ "Marker": marker }).to_string().as_bytes()) else {
        return false;
    };
    let mut found = 0;
    for list in LISTS {
        let elsewhere = Listed { region: "us-east-2", ..listed(list) };
        assert!(wanted(&input, elsewhere).is_err(), "a marker of another region");
        let Ok(page) = wanted(&input, listed(list)) else { continue };
        assert_eq!(next(listed(list), page.after).as_deref(), Some(marker), "another form of the marker");
        found += 1;
    }
    assert!(found <= 1, "a marker of several lists");
    found == 1
}

pub fn key_name_seeds() -> Vec<Vec<u8>> {
    texts(&[
        "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11",
        "alias/a/b-c_d",
        "arn:aws:kms:us-east-1:111122223333:key/0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11",
        "arn:aws:kms:us-east-1:000000000000:alias/x",
    ])
}

/// A name of a key, in one of four forms. The ARN of what it names is, in the two of ARNs, the name itself.
pub fn key_name(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let account = AccountId::from_stored(444_455_556_666);
    let read = |naming| arn::key_name(text, naming, HERE, account);
    let name = read(Naming::Any);
    match &name {
        Ok(name) => {
            let whole = arn::of_name(HERE, name);
            let short = whole.splitn(6, ':').nth(5).unwrap_or_default();
            let own = whole.contains(":444455556666:");
            let spelt = text == whole || own && (text == short || short.strip_prefix("key/") == Some(text));
            assert!(spelt, "{text:?} was read as {whole}");
            assert_eq!(arn::key_name(&whole, Naming::Any, HERE, account).as_ref(), Ok(name));
        }
        Err(error) => {
            let bounded = error.message.chars().count() < 400;
            assert!(error.code == Code::NotFound && bounded, "{error:?}");
        }
    }
    let alias = matches!(name, Ok(KeyName::Alias(..)));
    for (naming, takes_aliases) in [(Naming::IdOrArn, false), (Naming::AnyOrInvalidArn, true)] {
        match read(naming) {
            Ok(same) => assert_eq!(Ok(same), name),
            Err(error) if alias => assert!(!takes_aliases && error.code == Code::NotFound, "{error:?}"),
            Err(error) => assert!(name.is_err() && matches!(error.code, Code::NotFound | Code::InvalidArn)),
        }
    }
    name.is_ok()
}
