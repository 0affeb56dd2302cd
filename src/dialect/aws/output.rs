//! Answers: JSON 1.1 bodies.

use crate::domain::time::Timestamp;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

/// More than what an answer with a plaintext has beside its blobs: names of members, an ARN, a material id, padding.
const SECRET_TEXT_BYTES: usize = 1024;

/// What a handler answers.
#[derive(Debug)]
pub enum Output {
    /// HTTP 200 without a body.
    Empty,
    /// HTTP 200 with this JSON.
    Body(Vec<u8>),
    /// As [`Body`](Self::Body), with a plaintext in it: wiped once it is sent.
    Secret(Zeroizing<Vec<u8>>),
}

impl Output {
    /// A structure with members named as on the wire; absent ones are left out by the structure.
    #[must_use]
    pub fn of(answer: &impl Serialize) -> Self {
        // Structures of ours always serialise.
        Self::Body(serde_json::to_vec(answer).unwrap_or_default())
    }

    /// As [`of`](Self::of), for an answer with a plaintext. `blob_bytes` is at least the size of all its blobs together,
    /// so that the buffer never grows, which would leave a copy behind.
    #[must_use]
    pub fn secret(answer: &impl Serialize, blob_bytes: usize) -> Self {
        let mut body = Zeroizing::new(Vec::with_capacity(SECRET_TEXT_BYTES + blob_bytes.div_ceil(3) * 4));
        // Structures of ours always serialise.
        if serde_json::to_writer(&mut *body, answer).is_err() {
            body.clear();
        }
        Self::Secret(body)
    }
}

/// Writes a time as seconds since the epoch with milliseconds as decimals (`#[serde(serialize_with = "epoch")]`).
///
/// # Errors
/// The serializer's.
pub fn epoch<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds until the year 9999 fit into 53 bits")]
    let seconds = at.as_micros().div_euclid(1000) as f64 / 1000.0;
    serializer.serialize_f64(seconds)
}

/// As [`epoch`], for a time that may be absent.
///
/// # Errors
/// The serializer's.
pub fn epoch_if<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => epoch(at, serializer),
        None => serializer.serialize_none(),
    }
}
