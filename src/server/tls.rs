//! TLS for the listener: rustls with aws-lc-rs, TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN, client certificates.

use super::client_certificates::AnyHeldKey;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;

/// A certificate chain, leaf first, and the leaf's private key.
#[derive(Debug)]
pub struct Identity {
    /// The chain.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key.
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads two PEM files.
    ///
    /// # Errors
    /// Which file is missing or holds something else.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, String> {
        let wrong = |path: &Path, error: rustls::pki_types::pem::Error| format!("{}: {error}", path.display());
        let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
        let chain: Vec<_> = chain.map_err(|error| wrong(certificate, error))?;
        if chain.is_empty() {
            return Err(format!("{}: no certificate in it", certificate.display()));
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error))?;
        Ok(Self { chain, key })
    }
}

/// The listener's TLS configuration.
///
/// # Errors
/// If certificate and key do not belong together.
pub fn server_config(identity: Identity) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(default_provider());
    let clients = Arc::new(AnyHeldKey::new(&provider));
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_client_cert_verifier(clients).with_single_cert(identity.chain, identity.key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
