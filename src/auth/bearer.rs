//! API tokens: `authorization: Bearer <token>` (RFC 6750, 2.1).
//!
//! A token has 256 random bits, so one unsalted SHA-256 is enough to store it, and the look-up by that hash tells
//! nothing of the token through its timing.

use super::{Authenticator, Peer};
use crate::domain::access::Caller;
use crate::service::directory::{Directory, Recognised};
use crate::service::error::ServiceError;
use async_trait::async_trait;
use http::{HeaderMap, header};
use std::sync::Arc;

/// The longest token that is looked at, in bytes; ours are far shorter.
const MAX_TOKEN_BYTES: usize = 4096;

/// Authenticates by API token.
pub struct BearerTokens {
    directory: Arc<Directory>,
}

impl BearerTokens {
    /// An authenticator that looks tokens up in `directory`.
    #[must_use]
    pub const fn new(directory: Arc<Directory>) -> Self {
        Self { directory }
    }
}

#[async_trait]
impl Authenticator for BearerTokens {
    async fn authenticate(&self, headers: &HeaderMap, _: Option<&Peer>) -> Result<Caller, ServiceError> {
        let token = token_of(headers).ok_or(ServiceError::Unauthenticated)?;
        match self.directory.by_token(token).await? {
            Recognised::Caller(caller) => Ok(caller),
            Recognised::Refused(_) => Err(ServiceError::Unauthenticated),
        }
    }
}

/// The bearer token, if there is exactly one `authorization` header and it holds one.
pub(crate) fn token_of(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    let well_formed = !token.is_empty() && token.len() <= MAX_TOKEN_BYTES && !token.contains(' ');
    (scheme.eq_ignore_ascii_case("bearer") && well_formed).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&["Bearer abc"], Some("abc"))]
    #[case(&["bearer abc"], Some("abc"))]
    #[case(&["Bearer   abc "], Some("abc"))]
    #[case(&[], None)]
    #[case(&["Bearer"], None)]
    #[case(&["Bearer "], None)]
    #[case(&["Basic abc"], None)]
    #[case(&["Api-Key abc"], None)]
    #[case(&["Bearer abc def"], None)]
    #[case(&["Bearer abc", "Bearer abc"], None)]
    fn exactly_one_bearer_token_is_read(#[case] values: &[&'static str], #[case] token: Option<&str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, http::HeaderValue::from_static(value));
        }
        assert_eq!(token_of(&headers), token);
    }

    #[test]
    fn an_overlong_token_is_not_looked_at() {
        let mut headers = HeaderMap::new();
        let value = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES + 1));
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        assert_eq!(token_of(&headers), None);
    }
}
