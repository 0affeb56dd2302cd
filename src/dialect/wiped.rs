//! Bodies of answers, which may hold plaintext.

use axum::body::{Body, Bytes};
use serde::Serialize;
use std::io;
use zeroize::Zeroizing;

/// Bytes that are wiped when they are dropped, and when they move because they grow.
pub struct WipedBody(Zeroizing<Vec<u8>>);

/// Most answers are shorter.
const USUAL_BODY_BYTES: usize = 1024;

impl WipedBody {
    /// A message as JSON.
    ///
    /// # Errors
    /// The serializer's, for a message that has no JSON form.
    pub fn json<M: Serialize + ?Sized>(message: &M) -> Result<Self, serde_json::Error> {
        let mut body = Self(Zeroizing::new(Vec::with_capacity(USUAL_BODY_BYTES)));
        serde_json::to_writer(&mut body, message)?;
        Ok(body)
    }
}

impl io::Write for WipedBody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed * 2));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsRef<[u8]> for WipedBody {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<WipedBody> for Body {
    fn from(body: WipedBody) -> Self {
        Self::from(Bytes::from_owner(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_outgrows_its_buffer_is_whole() {
        let text = "x".repeat(3 * USUAL_BODY_BYTES);
        let body = WipedBody::json(&[&text, "end"]).unwrap();
        assert_eq!(body.as_ref(), format!("[\"{text}\",\"end\"]").as_bytes());
    }
}
