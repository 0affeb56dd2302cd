//! The other end of a connection, put into the extensions of its every request.
//!
//! In: a connection's address and client certificate. Out: a [`Peer`] per request. Called by the listeners only: nothing that
//! a client writes into a request can change it.

use crate::auth::Peer;
use crate::auth::certificate::ClientCertificate;
use crate::service::ports::Clock;
use http::Request;
use hyper::service::Service;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The other end of a connection.
#[derive(Clone)]
pub struct FarEnd {
    address: IpAddr,
    certificate: Option<ClientCertificate>,
    clock: Arc<dyn Clock>,
}

impl FarEnd {
    /// The far end at this address. An IPv4 address that is mapped into IPv6 is an IPv4 address.
    #[must_use]
    pub fn new(address: SocketAddr, clock: Arc<dyn Clock>) -> Self {
        Self { address: address.ip().to_canonical(), certificate: None, clock }
    }

    /// The same with the certificate that it presented.
    #[must_use]
    pub fn with_certificate(self, certificate: Option<ClientCertificate>) -> Self {
        Self { certificate, ..self }
    }

    /// Who it is now: a certificate counts while it is valid.
    fn peer(&self) -> Peer {
        let valid = self.certificate.filter(|certificate| certificate.is_valid_at(self.clock.now()));
        Peer { address: self.address, certificate_sha256: valid.map(|certificate| certificate.spki_sha256) }
    }
}

/// A service that tells the one behind it where requests come from.
#[derive(Clone)]
pub struct WithPeer<S> {
    /// The service behind.
    pub service: S,
    /// Where its requests come from.
    pub far_end: FarEnd,
}

impl<S, B> Service<Request<B>> for WithPeer<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.far_end.peer());
        self.service.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::testing::ManualClock;
    use std::time::Duration;

    #[test]
    fn a_mapped_v4_address_is_a_v4_address() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp::from_micros(0)));
        let far_end = |text: &str| FarEnd::new(text.parse().unwrap(), Arc::clone(&clock)).peer().address.to_string();
        assert_eq!(far_end("[::ffff:192.0.2.1]:5"), "192.0.2.1");
        assert_eq!(far_end("192.0.2.1:5"), "192.0.2.1");
        assert_eq!(far_end("[2001:db8::1]:5"), "2001:db8::1");
    }

    #[test]
    fn a_certificate_counts_while_it_is_valid_also_on_an_open_connection() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(0)));
        let (not_before, not_after) = (Timestamp::from_micros(1_000_000), Timestamp::from_micros(2_000_000));
        let certificate = Some(ClientCertificate { spki_sha256: [7; 32], not_before, not_after });
        let far_end = FarEnd::new("192.0.2.1:5".parse().unwrap(), Arc::clone(&clock) as Arc<dyn Clock>);
        let far_end = far_end.with_certificate(certificate);
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(far_end.peer().certificate_sha256);
            clock.advance(Duration::from_secs(1));
        }
        assert_eq!(seen, [None, Some([7; 32]), Some([7; 32]), None]);
    }
}
