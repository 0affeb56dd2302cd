//! The one way in for credentials of all kinds.
//!
//! In: the headers of a request and the [`Peer`] of its connection. Out: the [`Caller`] that the credential was issued to.
//! A request with an `authorization` header is judged by that header alone: one with a bad token is refused also on a
//! connection with a good client certificate, since a client that sends both must never act as somebody it did not name.

use super::attempts::FailedAttempts;
use super::bearer;
use super::turns::Turns;
use super::{Authenticator, Peer};
use crate::domain::access::Caller;
use crate::service::directory::{Directory, Recognised};
use crate::service::error::ServiceError;
use async_trait::async_trait;
use http::{HeaderMap, header};
use std::net::IpAddr;
use std::sync::Arc;

/// Authenticates by API token, token of a login, or client certificate.
pub struct Credentials {
    directory: Arc<Directory>,
    attempts: Arc<FailedAttempts>,
    turns: Arc<Turns>,
}

impl Credentials {
    /// An authenticator that looks credentials up in `directory`, those that are not in memory in `turns`, and counts
    /// failures in `attempts`.
    #[must_use]
    pub const fn new(directory: Arc<Directory>, attempts: Arc<FailedAttempts>, turns: Arc<Turns>) -> Self {
        Self { directory, attempts, turns }
    }

    async fn by_token(&self, token: &str, address: Option<IpAddr>) -> Result<Recognised, ServiceError> {
        if let Some(caller) = self.directory.remembered_by_token(token) {
            return Ok(Recognised::InForce(caller));
        }
        let _turn = self.turns.turn(address).await;
        self.directory.by_token(token).await
    }

    async fn by_certificate(&self, sha256: [u8; 32], address: Option<IpAddr>) -> Result<Recognised, ServiceError> {
        if let Some(caller) = self.directory.remembered_by_certificate(sha256) {
            return Ok(Recognised::InForce(caller));
        }
        let _turn = self.turns.turn(address).await;
        self.directory.by_certificate(sha256).await
    }
}

#[async_trait]
impl Authenticator for Credentials {
    async fn authenticate(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Caller, ServiceError> {
        let address = peer.map(|peer| peer.address);
        let recognised = match Presented::of(headers, peer) {
            // A token has 256 random bits, so one unsalted SHA-256 is enough to store it, and the look-up by that hash
            // tells nothing of the token through its timing.
            Presented::Token(token) => self.by_token(token, address).await?,
            Presented::Certificate(spki_sha256) => self.by_certificate(spki_sha256, address).await?,
            Presented::Nothing => Recognised::Refused(None),
        };
        match recognised {
            Recognised::InForce(caller) => Ok(caller),
            Recognised::Refused(principal) => Err(self.attempts.failed(address, principal)),
        }
    }
}

/// What a request shows of its caller.
#[derive(Debug, PartialEq, Eq)]
enum Presented<'a> {
    /// Nothing that could be one of our credentials.
    Nothing,
    Token(&'a str),
    /// SHA-256 of the SubjectPublicKeyInfo.
    Certificate([u8; 32]),
}

impl<'a> Presented<'a> {
    fn of(headers: &'a HeaderMap, peer: Option<&Peer>) -> Self {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (None, _) => peer.and_then(|peer| peer.certificate_sha256).map_or(Self::Nothing, Self::Certificate),
            (Some(value), None) => bearer::token_in(value.as_bytes()).map_or(Self::Nothing, Self::Token),
            // Which of two would be meant, a proxy may see otherwise.
            (Some(_), Some(_)) => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use rstest::rstest;

    const SHA256: [u8; 32] = [7; 32];

    #[rstest]
    #[case(&[], Presented::Certificate(SHA256))]
    #[case(&["Bearer abc"], Presented::Token("abc"))]
    #[case(&["Bearer"], Presented::Nothing)]
    #[case(&[""], Presented::Nothing)]
    #[case(&["Basic abc"], Presented::Nothing)]
    #[case(&["Bearer abc", "Bearer abc"], Presented::Nothing)]
    #[case(&["Basic abc", "Bearer abc"], Presented::Nothing)]
    fn a_header_alone_decides_where_there_is_one(#[case] values: &[&'static str], #[case] expected: Presented<'_>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        let peer = Peer { address: [192, 0, 2, 1].into(), certificate_sha256: Some(SHA256) };
        assert_eq!(Presented::of(&headers, Some(&peer)), expected);
    }

    #[test]
    fn without_header_and_certificate_nothing_is_presented() {
        let peer = Peer { address: [192, 0, 2, 1].into(), certificate_sha256: None };
        assert_eq!(Presented::of(&HeaderMap::new(), Some(&peer)), Presented::Nothing);
        assert_eq!(Presented::of(&HeaderMap::new(), None), Presented::Nothing);
    }
}
