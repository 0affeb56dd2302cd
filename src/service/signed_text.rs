//! Texts that only this installation can make, and that nobody stores: a prefix and the base64 of a payload with its HMAC.
//!
//! In: a payload. Out: a text, and back from it the payload. Called by `login_token` and `key_token_text`, each with a key of
//! its own that is the same at every start.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// HMAC-SHA256.
const TAG_BYTES: usize = 32;

/// Makes and reads texts of one kind.
pub(super) struct SignedText {
    key: hmac::Key,
    prefix: &'static str,
    payload_bytes: usize,
}

impl SignedText {
    /// Texts with this prefix and payloads of one length, under this key.
    pub fn new(key: &[u8; 32], prefix: &'static str, payload_bytes: usize) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), prefix, payload_bytes }
    }

    /// How many characters follow the prefix: base64 without padding.
    pub const fn text_bytes(&self) -> usize {
        ((self.payload_bytes + TAG_BYTES) * 8).div_ceil(6)
    }

    /// The text of a payload whose parts are these.
    pub fn issue(&self, parts: &[&[u8]]) -> Zeroizing<String> {
        let mut token = Zeroizing::new(Vec::with_capacity(self.payload_bytes + TAG_BYTES));
        for part in parts {
            token.extend_from_slice(part);
        }
        let tag = hmac::sign(&self.key, &token);
        token.extend_from_slice(tag.as_ref());
        let mut text = Zeroizing::new(String::with_capacity(self.prefix.len() + self.text_bytes()));
        text.push_str(self.prefix);
        URL_SAFE_NO_PAD.encode_string(token.as_slice(), &mut text);
        text
    }

    /// The payload of a text without its prefix, if the text was made under this key. The tag is compared in constant time.
    pub fn read(&self, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        if text.len() != self.text_bytes() {
            return None;
        }
        let mut token = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let (payload, tag) = token.split_at_checked(self.payload_bytes)?;
        hmac::verify(&self.key, payload, tag).ok()?;
        token.truncate(self.payload_bytes);
        Some(token)
    }
}
