//! What callers present: headers.

use super::texts;
use crate::auth::bearer::token_in;

pub fn bearer_seeds() -> Vec<Vec<u8>> {
    texts(&["Bearer cv1_Zm9vYmFyYmF6cXV4", "bearer   abc", "BEARER t1.9euelZq.signature_-~+/== "])
}

/// The value of an `authorization` header.
pub fn bearer_header(data: &[u8]) -> bool {
    let Some(token) = token_in(data) else { return false };
    assert!((1..=4096).contains(&token.len()), "a token of {} bytes", token.len());
    assert!(token.bytes().all(|byte| byte.is_ascii_graphic()), "a token with a separator or beyond ASCII");
    assert_eq!(token_in(format!("Bearer {token}").as_bytes()), Some(token), "the token is not read again");
    true
}
