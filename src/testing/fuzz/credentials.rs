//! What callers present: headers.

use super::texts;
use crate::auth::bearer::token_of;
use http::{HeaderMap, HeaderValue, header};

pub fn bearer_seeds() -> Vec<Vec<u8>> {
    texts(&["Bearer cv1_Zm9vYmFyYmF6cXV4", "bearer   abc", "BEARER t1.9euelZq.signature_-~+/== "])
}

/// Each line is an `authorization` header.
pub fn bearer_header(data: &[u8]) -> bool {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else { return false };
        headers.append(header::AUTHORIZATION, value);
    }
    let Some(token) = token_of(&headers) else { return false };
    assert_eq!(headers.len(), 1, "a token was chosen among several headers");
    assert!((1..=4096).contains(&token.len()), "a token of {} bytes", token.len());
    assert!(
        token.bytes().all(|byte| byte.is_ascii_graphic() || byte == b'\t'),
        "a token with a separator or beyond ASCII"
    );
    let again = HeaderValue::from_str(&format!("Bearer {token}"));
    let again: Option<HeaderMap> = again.ok().map(|value| HeaderMap::from_iter([(header::AUTHORIZATION, value)]));
    assert!(again.is_some_and(|headers| token_of(&headers) == Some(token)), "the token is not read again");
    true
}
