//! What comes back to us: ciphertexts, contexts that they were bound to, and rows.

use super::texts;
use crate::domain::access::{Binding, BindingSet};
use crate::domain::context::EncryptionContext;
use crate::domain::envelope::{Envelope, Header, Suite, TAG_BYTES};
use crate::domain::id::{KeyId, MaterialId};
use serde_json::Value;
use std::collections::BTreeMap;

pub fn envelope_seeds() -> Vec<Vec<u8>> {
    let suites = [Suite::HsmGivenIv, Suite::HsmMadeIv, Suite::Software128, Suite::Software192, Suite::Software256];
    let sealed = |(suite, bytes): (Suite, usize)| {
        let header = Header { suite, key_id: KeyId::from_bytes([3; 16]), material_id: MaterialId::from_bytes([5; 16]) };
        Envelope { header, iv: vec![7; 12], sealed: vec![9; TAG_BYTES + bytes] }.to_bytes()
    };
    suites.into_iter().zip([0, 1, 40, 200, 4096]).map(sealed).collect()
}

/// What is accepted is the one encoding of its parts, and its whole header is bound by the AAD.
pub fn envelope(data: &[u8]) -> bool {
    let Ok(envelope) = Envelope::parse(data) else { return false };
    assert_eq!(envelope.to_bytes(), data, "another encoding");
    assert!(!envelope.iv.is_empty() && envelope.sealed.len() >= TAG_BYTES, "a part is missing");
    let aad = envelope.header.aad(&EncryptionContext::Empty, &[0; 32]);
    assert!(aad.windows(34).any(|part| part == &data[..34]), "the AAD does not bind the header");
    true
}

pub fn context_seeds() -> Vec<Vec<u8>> {
    vec![
        b"tenant\0seven\0purpose\0backup".to_vec(),
        b"a\0b".to_vec(),
        b"\0".to_vec(),
        [&[0xff; 300][..], b"\0", &[0x80; 3]].concat(),
    ]
}

/// Nothing is a kind of its own, anything else is itself.
pub fn context_bytes(data: &[u8]) -> bool {
    let context = EncryptionContext::from_bytes(data.to_vec());
    assert_eq!(context.canonical(), data, "the bytes were changed");
    assert_eq!(context == EncryptionContext::Empty, data.is_empty());
    assert_eq!(context.kind(), u8::from(!data.is_empty()));
    true
}

/// The canonical form of pairs can be taken apart again, so no two contexts have one form.
pub fn context_pairs(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let mut words = text.split('\0').map(str::to_owned);
    let mut pairs = BTreeMap::new();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        pairs.insert(name, value);
    }
    let context = EncryptionContext::from_pairs(pairs.clone());
    assert_eq!(context.kind(), if pairs.is_empty() { 0 } else { 2 });
    let canonical = context.canonical();
    assert_eq!(taken_apart(&canonical).as_ref(), Some(&pairs), "the canonical form has lost something");
    !pairs.is_empty()
}

/// Reads the canonical form by its description, with every rule of it.
fn taken_apart(mut rest: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    if rest.is_empty() {
        return Some(pairs);
    }
    for _ in 0..number(&mut rest)? {
        let (name, value) = (word(&mut rest)?, word(&mut rest)?);
        let in_order = pairs.last_key_value().is_none_or(|(last, _): (&String, _)| last.as_bytes() < name.as_bytes());
        if !in_order {
            return None;
        }
        pairs.insert(name, value);
    }
    rest.is_empty().then_some(pairs)
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    usize::try_from(u32::from_be_bytes(*head)).ok()
}

fn word(rest: &mut &[u8]) -> Option<String> {
    let length = number(rest)?;
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    String::from_utf8(head.to_vec()).ok()
}

/// Whether a binding is what its JSON says. Rows are written by us, so ids of principals have any form of a UUID here,
/// and a structure may be a list of its members, of which no more is asked.
fn names(text: &Value, binding: &Binding) -> bool {
    if !text.is_object() {
        return text.is_array();
    }
    let of_principal = text["principal_id"].as_str().and_then(|id| uuid::Uuid::try_parse(id).ok());
    let id = match &text["subject"] {
        Value::Object(subject) => subject.get("id").and_then(Value::as_str).map(str::to_owned),
        Value::Array(members) => members.last().and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    let ids = [id, of_principal.map(|id| id.to_string())];
    text["role"] == binding.role.name() && ids.into_iter().flatten().any(|id| id == binding.subject.id())
}

pub fn bindings_seeds() -> Vec<Vec<u8>> {
    texts(&[
        "[]",
        r#"[{"role":"kms.admin","principal_id":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11"}]"#,
        r#"[{"role":"kms.keys.user","subject":{"kind":"serviceAccount","id":"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11"}},
            {"role":"claviger.operator","subject":{"kind":"group","id":"ajeabc"}}]"#,
    ])
}

/// A stored set has the roles and subjects that its text names, and is stored again as what it is.
pub fn bindings(data: &[u8]) -> bool {
    let Ok(set) = serde_json::from_slice::<BindingSet>(data) else { return false };
    let text: Vec<Value> = serde_json::from_slice(data).unwrap_or_default();
    assert_eq!(text.len(), set.as_slice().len(), "bindings were lost or made");
    for (binding, text) in set.as_slice().iter().zip(&text) {
        assert!(names(text, binding), "another binding");
    }
    let again = serde_json::to_vec(&set).ok().and_then(|text| serde_json::from_slice::<BindingSet>(&text).ok());
    assert_eq!(again, Some(set), "the set is another one when it is read again");
    true
}
