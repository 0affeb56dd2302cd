//! The header `authorization: AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...`.
//!
//! In: the header's bytes. Out: its parts. Called by [`super::claim`]. Stricter than the library's own reader, which takes the
//! last of two parts of one name and quotes the whole header in its errors: nothing here can be read in two ways, and no text
//! repeats what was sent.

use super::SignatureError;
use super::signing_key::TERMINATOR;

/// The longest header that is looked at, in bytes; those of SDKs have about 300.
pub(crate) const MAX_BYTES: usize = 8 * 1024;
/// Most signed headers. SDKs sign about ten.
const MAX_SIGNED_HEADERS: usize = 64;
/// The longest part of a credential, in bytes. AWS's access key ids have at most 128 characters.
const MAX_CREDENTIAL_PART: usize = 128;
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const WRONG_FORM: &str = "The Authorization header must have the form 'AWS4-HMAC-SHA256 Credential=KEY_ID/DATE/REGION/SERVICE/\
                          aws4_request, SignedHeaders=NAME;NAME, Signature=HEX', each part once.";

/// What the header says. Nothing is verified.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authorization<'a> {
    pub credential: Credential<'a>,
    /// Lower-case names, each once, in order.
    pub signed_headers: Vec<&'a str>,
    pub signature: [u8; 32],
}

/// An access key's id, and the scope that its signing key was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Credential<'a> {
    /// All of it, as it was sent.
    pub text: &'a str,
    /// All behind the access key's id.
    pub scope: &'a str,
    pub access_key_id: &'a str,
    pub date: &'a str,
    pub region: &'a str,
}

impl<'a> Authorization<'a> {
    pub(crate) fn parse(header: &'a [u8]) -> Result<Self, SignatureError> {
        if header.len() > MAX_BYTES {
            return Err(incomplete(format!("The Authorization header has more than {MAX_BYTES} bytes.")));
        }
        let text = std::str::from_utf8(header).ok().filter(|text| text.bytes().all(is_printable));
        let text = text.ok_or_else(|| incomplete("The Authorization header is not ASCII."))?.trim_matches(' ');
        let (algorithm, rest) = text.split_once(' ').unwrap_or((text, ""));
        if algorithm != ALGORITHM {
            return Err(incomplete(format!("Unsupported AWS 'algorithm': use '{ALGORITHM}'.")));
        }
        let parts = Parts::of(rest)?;
        Ok(Self {
            credential: Credential::parse(parts.credential)?,
            signed_headers: signed_headers(parts.signed_headers)?,
            // As long as another signature that is wrong.
            signature: from_hex(parts.signature).ok_or_else(SignatureError::mismatch)?,
        })
    }
}

/// The three parts as texts.
struct Parts<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Result<Self, SignatureError> {
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in text.split(',').map(|part| part.trim_matches(' ')).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| incomplete(WRONG_FORM))?;
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(incomplete(WRONG_FORM)),
            };
            if place.replace(value).is_some() {
                return Err(incomplete(WRONG_FORM));
            }
        }
        match (credential, signed_headers, signature) {
            (Some(credential), Some(signed_headers), Some(signature)) => {
                Ok(Self { credential, signed_headers, signature })
            }
            (credential, signed_headers, signature) => Err(missing(&[
                ("Credential", credential.is_none()),
                ("Signature", signature.is_none()),
                ("SignedHeaders", signed_headers.is_none()),
            ])),
        }
    }
}

impl<'a> Credential<'a> {
    fn parse(text: &'a str) -> Result<Self, SignatureError> {
        let wrong = || {
            incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/{TERMINATOR}."
            ))
        };
        let mut parts = text.split('/');
        let (Some(access_key_id), Some(date), Some(region), Some(_), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        // What of it stands in texts for callers is bounded, and has nothing in it that would need to be escaped.
        if !text.split('/').all(is_credential_part) {
            return Err(wrong());
        }
        let (_, scope) = text.split_once('/').ok_or_else(wrong)?;
        Ok(Self { text, scope, access_key_id, date, region })
    }
}

fn is_printable(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_graphic()
}

fn is_credential_part(part: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (1..=MAX_CREDENTIAL_PART).contains(&part.len()) && part.bytes().all(known)
}

/// Names in the one order of the canonical form, so that none is there twice.
fn signed_headers(text: &str) -> Result<Vec<&str>, SignatureError> {
    let names: Vec<_> = text.split(';').take(MAX_SIGNED_HEADERS + 1).collect();
    if names.len() > MAX_SIGNED_HEADERS {
        return Err(incomplete(format!("SignedHeaders has more than {MAX_SIGNED_HEADERS} names.")));
    }
    let lower = |name: &&str| !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b' ');
    if !names.iter().all(lower) || !names.is_sorted_by(|a, b| a < b) {
        return Err(incomplete("SignedHeaders must be names in lower case, sorted, each once."));
    }
    Ok(names)
}

/// 64 digits in lower case.
fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    if pairs.len() != bytes.len() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Names all that is missing, in AWS's words.
fn missing(parts: &[(&str, bool)]) -> SignatureError {
    let texts = parts.iter().filter(|(_, missing)| *missing);
    let texts: Vec<_> = texts.map(|(name, _)| format!("Authorization header requires '{name}' parameter.")).collect();
    SignatureError::Incomplete(texts.join(" "))
}

fn incomplete(text: impl Into<String>) -> SignatureError {
    SignatureError::Incomplete(text.into())
}
