//! What operators write: ids, settings and names of tokens.

use super::{PIN, holds_pin_behind, texts};
use crate::config::{self, FolderList, Listen, Period, Settings, TextList};
use crate::dialect::yandex::convert;
use crate::domain::id::{CredentialId, FolderId, KeyId, PrincipalId};
use crate::service::error::{Missing, ServiceError};
use crate::token::ceremony::KekName;
use crate::token::module::TokenSelector;
use crate::token::pin::PinSource;
use crate::token::uri::Pkcs11Uri;
use std::fmt::{Debug, Display, Write};
use std::str::FromStr;

/// The text of the bytes, if they are one.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// What is read from a text, after it was written out and read again to the same.
fn round_trip<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let value = text.parse::<T>().ok()?;
    let again = value.to_string().parse::<T>().ok();
    assert_eq!(again.as_ref(), Some(&value), "it is another one when it is read again");
    Some(value)
}

pub fn id_seeds() -> Vec<Vec<u8>> {
    texts(&["0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11", "ffffffff-ffff-ffff-ffff-ffffffffffff"])
}

/// An id has one form. Any other text is one of an unknown thing, or too long to be looked at.
pub fn id(data: &[u8]) -> bool {
    let Some(text) = text(data) else { return false };
    let forms = [
        KeyId::parse(text).map(|id| id.to_string()),
        FolderId::parse(text).map(|id| id.to_string()),
        PrincipalId::parse(text).map(|id| id.to_string()),
        CredentialId::parse(text).map(|id| id.to_string()),
    ];
    let accepted = forms[0].is_some();
    for form in forms {
        assert_eq!(form.as_deref(), accepted.then_some(text), "not the form in which ids are handed out");
    }
    let canonical = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    };
    assert_eq!(accepted, text.len() == 36 && text.bytes().enumerate().all(canonical));
    match convert::key_id(text) {
        Ok(id) => assert_eq!(id.to_string(), text),
        Err(ServiceError::Invalid(_)) => assert!(text.is_empty() || text.chars().count() > 50),
        Err(error) => {
            let unknown = matches!(&error, ServiceError::NotFound { what: Missing::Key, id } if id == text);
            assert!(unknown && !accepted && text.chars().count() <= 50, "{error}");
        }
    }
    accepted
}

pub fn period_seeds() -> Vec<Vec<u8>> {
    texts(&["0", "1s", "15m", "24h", "7d", "250ms", "18446744073709551615ms"])
}

/// A duration.
pub fn period(data: &[u8]) -> bool {
    let Some(period) = text(data).and_then(round_trip::<Period>) else { return false };
    let has_unit = data.last().is_some_and(u8::is_ascii_lowercase);
    assert!(has_unit || data.iter().all(|byte| *byte == b'0'), "{period} was read from a number without a unit");
    true
}

pub fn list_seeds() -> Vec<Vec<u8>> {
    let folder = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";
    let mut seeds = texts(&["", folder]);
    seeds.push(format!("{folder},{folder} ,").into_bytes());
    seeds
}

/// Lists of texts and of folders: each folder of a list is an item of the text.
pub fn lists(data: &[u8]) -> bool {
    let Some(items) = text(data).and_then(round_trip::<TextList>) else { return false };
    assert!(items.0.iter().all(|item| !item.is_empty() && item.trim() == item && !item.contains(',')));
    let Some(folders) = text(data).and_then(round_trip::<FolderList>) else { return false };
    assert_eq!(items.0, folders.0.iter().map(ToString::to_string).collect::<Vec<_>>());
    true
}

pub fn listen_seeds() -> Vec<Vec<u8>> {
    texts(&["", "127.0.0.1:8200", "[::1]:8201", "[fe80::1%3]:65535"])
}

/// An address to listen on.
pub fn listen(data: &[u8]) -> bool {
    text(data).and_then(round_trip::<Listen>).is_some()
}

pub fn settings_seeds() -> Vec<Vec<u8>> {
    let mut seeds = texts(&[
        "[server]\nlisten = \"127.0.0.1:0\"\nmax_connections = 7\nreflection = false\n[clock]\nmax_leap = \"1h\"\n",
        "[access]\nyandex_role_compat = \"0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11\"\nrequests_per_key = \"5\"\n",
        "log = { format = \"text\", filter = 'info' }\naws.extra_regions = \"eu-west-1,eu-west-2\"\n",
    ]);
    seeds.push(format!("[token]\nlabel = \"0042\"\npin = \"{PIN}\"\nmax_sessions = 3\n").into_bytes());
    seeds
}

/// A settings file over the defaults; as defaults of another, the settings stay what they are.
pub fn settings(data: &[u8]) -> bool {
    let Some(text) = text(data) else { return false };
    match config::load(&Settings::default(), Some(text), &[]) {
        Ok(settings) => {
            let again = config::load(&settings, None, &[]).ok();
            assert_eq!(again, Some(settings), "the settings are others when they are read again");
            true
        }
        Err(error) => {
            let told = error.to_string().contains(PIN) && holds_pin_behind(text, "\npin = \"");
            assert!(!told, "a PIN in the settings is repeated");
            false
        }
    }
}

pub fn uri_seeds() -> Vec<Vec<u8>> {
    texts(&[
        "pkcs11:",
        "pkcs11:token=my%20token;serial=12ab;object=kek;id=%00%fF",
        "pkcs11:manufacturer=SoftHSM%20project;model=v2;type=secret-key",
    ])
}

/// A PKCS#11 URI, written out with every byte escaped, is the same one. What is refused is not repeated if it is a PIN.
pub fn pkcs11_uri(data: &[u8]) -> bool {
    let Some(text) = text(data) else { return false };
    let with_pin = format!("{text};pin-value={PIN}");
    for text in [text, &with_pin, &with_pin.replace(';', "?"), &format!("{with_pin}%")] {
        if let Err(error) = text.parse::<Pkcs11Uri>() {
            let told = error.to_string().contains(PIN) && holds_pin_behind(text, "pin-value=");
            assert!(!told, "a PIN in the URI is repeated");
        }
    }
    assert!(with_pin.parse::<Pkcs11Uri>().is_err(), "a PIN in a URI was accepted");
    let Ok(uri) = text.parse::<Pkcs11Uri>() else { return false };
    assert_eq!(bytes_of(&uri), bytes_named(text), "a part was lost or read otherwise");
    assert_eq!(escaped(&uri).parse::<Pkcs11Uri>().as_ref(), Ok(&uri), "it is another one when it is read again");
    assert_eq!(text.parse::<TokenSelector>(), Ok(TokenSelector::Uri(uri.clone())));
    assert_eq!(text.parse::<KekName>(), Ok(KekName::Uri(uri)));
    true
}

fn parts_of(uri: &Pkcs11Uri) -> impl Iterator<Item = (&'static str, &[u8])> {
    let Pkcs11Uri { token, serial, manufacturer, model, object, id } = uri;
    let named = [("token", token), ("serial", serial), ("manufacturer", manufacturer), ("model", model)];
    let named = named.into_iter().chain([("object", object)]);
    let parts = named.filter_map(|(name, value)| Some((name, value.as_ref()?.as_bytes())));
    parts.chain(id.as_deref().map(|id| ("id", id)))
}

/// How many bytes the values of a URI have.
fn bytes_of(uri: &Pkcs11Uri) -> usize {
    parts_of(uri).map(|(_, value)| value.len()).sum()
}

/// How many bytes the values in the text of a URI stand for: an escaped one takes three. The one part that is not kept,
/// the type, does not count.
fn bytes_named(text: &str) -> usize {
    let parts = text.trim_start_matches("pkcs11:").split(';').filter_map(|part| part.split_once('='));
    parts.filter(|(name, _)| *name != "type").map(|(_, value)| value.len() - 2 * value.matches('%').count()).sum()
}

fn escaped(uri: &Pkcs11Uri) -> String {
    let mut out = "pkcs11:".to_owned();
    for (name, value) in parts_of(uri) {
        out.push_str(name);
        out.push('=');
        for byte in value {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02x}");
        }
        out.push(';');
    }
    out
}

pub fn pin_source_seeds() -> Vec<Vec<u8>> {
    texts(&["prompt", "file:/run/pin", "env:PIN", "fd:3", "credential:pin"])
}

/// Where a PIN is read from. What is refused may be the PIN itself.
pub fn pin_source(data: &[u8]) -> bool {
    let Some(text) = text(data) else { return false };
    let source = match text.parse::<PinSource>() {
        Ok(source) => source,
        Err(error) => {
            let fixed = "a PIN is given as file:PATH, env:NAME, fd:N, credential:NAME or prompt, never itself";
            assert_eq!(error.to_string(), fixed);
            return false;
        }
    };
    let again = match &source {
        PinSource::File(path) => format!("file:{}", path.display()),
        PinSource::Env(name) => format!("env:{name}"),
        PinSource::Fd(number) => format!("fd:{number}"),
        PinSource::Credential(name) => format!("credential:{name}"),
        PinSource::Prompt => "prompt".to_owned(),
    };
    // Numbers have several forms.
    assert!(again == text || matches!(source, PinSource::Fd(_)), "the source is not the one that was named");
    assert_eq!(again.parse::<PinSource>().ok(), Some(source), "it is another one when it is read again");
    true
}
