//! Ciphertexts of the Ncloud dialect: `ncpkms:v{N}:` and base64. They name the version by its number and the key not at all.
//!
//! What follows the prefix is IV, ciphertext and tag, from which the envelope is rebuilt once the key is known; or a whole
//! envelope, so that what other dialects encrypted can be decrypted in this one too.

use super::envelope::{Envelope, MalformedEnvelope, TAG_BYTES};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write;

const PREFIX: &[u8] = b"ncpkms:v";
/// The most digits of a version's number (`u32`).
const MAX_DIGITS: usize = 10;

/// A ciphertext that names its version by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// The version's number, from 1.
    pub number: u32,
    /// IV, ciphertext and tag, or an envelope.
    pub body: Vec<u8>,
}

impl Numbered {
    /// Whether these bytes are meant as a numbered ciphertext, whatever is wrong with them. No envelope begins so.
    #[must_use]
    pub fn is_meant(bytes: &[u8]) -> bool {
        bytes.starts_with(PREFIX)
    }

    /// Takes a text apart. There is one text for each ciphertext: a number has no zeros before it, and base64 is padded
    /// (RFC 4648, section 4).
    ///
    /// # Errors
    /// [`MalformedEnvelope`] for anything else, and where nothing could be decrypted.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedEnvelope> {
        let rest = bytes.strip_prefix(PREFIX).ok_or(MalformedEnvelope)?;
        let colon = rest.iter().take(MAX_DIGITS + 1).position(|byte| *byte == b':').ok_or(MalformedEnvelope)?;
        let (digits, text) = (&rest[..colon], &rest[colon + 1..]);
        let canonical = digits.iter().all(u8::is_ascii_digit) && digits.first().is_some_and(|first| *first != b'0');
        let number = std::str::from_utf8(digits).ok().filter(|_| canonical).and_then(|digits| digits.parse().ok());
        let body = STANDARD.decode(text).map_err(|_| MalformedEnvelope)?;
        match number {
            Some(number) if body.len() > TAG_BYTES => Ok(Self { number, body }),
            _ => Err(MalformedEnvelope),
        }
    }

    /// The text of an envelope's bytes that a version with this number made.
    #[must_use]
    pub fn text(number: u32, envelope: &[u8]) -> String {
        let tail = Envelope::tail(envelope);
        let mut text = String::with_capacity(PREFIX.len() + MAX_DIGITS + 1 + tail.len().div_ceil(3) * 4);
        // Writing to a string does not fail.
        let _ = write!(text, "ncpkms:v{number}:");
        STANDARD.encode_string(tail, &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::envelope::{Header, Suite};
    use super::super::id::{KeyId, MaterialId};
    use super::*;
    use rstest::rstest;

    fn envelope() -> Envelope {
        let header = Header {
            suite: Suite::HsmGivenIv,
            key_id: KeyId::from_bytes([1; 16]),
            material_id: MaterialId::from_bytes([2; 16]),
        };
        Envelope { header, iv: vec![3; 12], sealed: vec![4; 20] }
    }

    #[test]
    fn a_text_has_iv_ciphertext_and_tag_and_nothing_of_the_header() {
        let text = Numbered::text(7, &envelope().to_bytes());
        let expected = [vec![3; 12], vec![4; 20]].concat();
        assert_eq!(text, format!("ncpkms:v7:{}", STANDARD.encode(&expected)));
        assert_eq!(Numbered::parse(text.as_bytes()).unwrap(), Numbered { number: 7, body: expected });
    }

    #[rstest]
    #[case("ncpkms:v0:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    #[case("ncpkms:v01:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    #[case("ncpkms:v+1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    #[case("ncpkms:v:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    #[case("ncpkms:v4294967296:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    #[case("ncpkms:v99999999999:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    #[case("ncpkms:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    #[case("ncpkms:v1:AAAAAAAAAAAAAAAAAAAAAA==")]
    #[case("ncpkms:v1:")]
    #[case("ncpkms:v1")]
    #[case("ncpkms:1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    #[case("NCPKMS:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    #[case(" ncpkms:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    #[case("ncpkms:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")]
    #[case("")]
    fn what_is_not_the_one_text_is_refused(#[case] text: &str) {
        assert_eq!(Numbered::parse(text.as_bytes()), Err(MalformedEnvelope), "{text}");
    }

    #[test]
    fn the_largest_number_is_read() {
        let text = "ncpkms:v4294967295:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(Numbered::parse(text.as_bytes()).unwrap().number, u32::MAX);
    }

    #[test]
    fn no_envelope_is_meant_as_a_numbered_text() {
        assert!(!Numbered::is_meant(&envelope().to_bytes()));
        assert!(Numbered::is_meant(b"ncpkms:vx"));
    }
}
