//! The tokens that lead from one page of a list to the next, in every dialect.
//!
//! A token belongs to one list of one resource in one region. It opens nothing: it says where to go on in a list that the
//! caller must be allowed to see anyway.

use crate::service::ports::Cursor;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The longest token that is looked at, in characters.
pub const MAX_CHARS: usize = 100;
/// Form number, list, order value, id.
const BODY_BYTES: usize = 1 + 1 + 8 + 16;
const CHECKSUM_BYTES: usize = 8;
const FORM: u8 = 1;

/// What a token belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The list's number, another one for each list of each dialect.
    pub list: u8,
    /// The id of the folder or key whose list it is.
    pub resource: &'a [u8; 16],
    /// The region; empty in dialects without regions.
    pub region: &'a str,
}

/// The token of the page after `next`.
#[must_use]
pub fn write(place: Place<'_>, next: Cursor) -> String {
    let mut token = Vec::with_capacity(BODY_BYTES + CHECKSUM_BYTES);
    token.extend([FORM, place.list]);
    token.extend(next.at.to_be_bytes());
    token.extend(next.id);
    token.extend(checksum(place, &token));
    URL_SAFE_NO_PAD.encode(token)
}

/// Where the page of a token begins; `None` if the token was not handed out for this place.
#[must_use]
pub fn read(place: Place<'_>, token: &str) -> Option<Cursor> {
    if token.len() > MAX_CHARS {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (body, sum) = bytes.split_at_checked(BODY_BYTES)?;
    let genuine = sum == checksum(place, body) && body[..2] == [FORM, place.list];
    genuine.then_some(Cursor { at: i64::from_be_bytes(body[2..10].try_into().ok()?), id: body[10..].try_into().ok()? })
}

/// Finds mistakes, not forgery: a cursor opens nothing that its list would not show anyway.
fn checksum(place: Place<'_>, body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"claviger-page-1");
    context.update(place.resource);
    // Between parts of fixed length.
    context.update(place.region.as_bytes());
    context.update(body);
    let mut sum = [0; CHECKSUM_BYTES];
    sum.copy_from_slice(&context.finish().as_ref()[..CHECKSUM_BYTES]);
    sum
}
