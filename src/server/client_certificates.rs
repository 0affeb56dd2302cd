//! Client certificates in the TLS handshake: asked for, never required.
//!
//! In: what a client presents. Out: a proof that it holds the certificate's private key, and what is read of the
//! certificate. Called by the TLS listener. No certification authority is asked: a certificate is a credential because the
//! hash of its public key was registered (see [`crate::auth::certificate`]), so a self-signed one is as good as any (docs/adr/0013).
//!
//! A certificate outside of its validity does not end the handshake. It counts as none, judged anew at every request: a
//! client that has a token works on, a connection that outlives its certificate loses it, and a resumed session, which
//! skips the handshake's checks, gains nothing.

use crate::auth::certificate::{self, ClientCertificate};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConnection, SignatureScheme};

/// Accepts every readable certificate whose private key the client proves to hold.
#[derive(Debug)]
pub struct AnyHeldKey {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyHeldKey {
    /// A verifier of signatures that `provider` knows.
    #[must_use]
    pub const fn new(provider: &CryptoProvider) -> Self {
        Self { algorithms: provider.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for AnyHeldKey {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: clients shall present the certificate that they have.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // The library verifies the handshake's signature with the key that it finds in the certificate, and the caller is
        // found by the key that we find. A certificate that the two read differently would let one key pass for another.
        let theirs = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        match certificate::spki_sha256(end_entity) {
            Ok(ours) if ours == certificate::sha256(&theirs) => Ok(ClientCertVerified::assertion()),
            Ok(_) | Err(_) => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The certificate that the client presented in the handshake of this connection, or of the session that it resumes.
#[must_use]
pub fn presented(connection: &ServerConnection) -> Option<ClientCertificate> {
    let end_entity = connection.peer_certificates()?.first()?;
    certificate::read_der(end_entity).ok()
}

#[cfg(test)]
mod tests;
