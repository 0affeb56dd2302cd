//! Bytes on the wire: base64 (RFC 4648, section 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

/// Bytes of an answer. They may be secret: the text is wiped once it is written.
pub struct Blob<'a>(pub &'a [u8]);

impl Serialize for Blob<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_padded_base64() {
        assert_eq!(serde_json::to_string(&Blob(&[0xfb, 0xff])).unwrap(), "\"+/8=\"");
        assert_eq!(serde_json::to_string(&Blob(&[])).unwrap(), "\"\"");
    }
}
