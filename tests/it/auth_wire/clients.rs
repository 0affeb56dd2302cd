//! Clients with a certificate of their own.

use rcgen::{CertificateParams, KeyPair};
use std::path::Path;
use std::time::Duration;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// A self-signed client certificate with its private key.
pub struct ClientIdentity {
    key: KeyPair,
    certificate: rcgen::Certificate,
}

impl ClientIdentity {
    pub fn new() -> Self {
        Self::valid_for(CertificateParams::new(vec!["client".into()]).unwrap())
    }

    /// One whose validity ended long ago.
    pub fn expired() -> Self {
        let mut params = CertificateParams::new(vec!["client".into()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        Self::valid_for(params)
    }

    fn valid_for(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }

    pub fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }

    pub fn certificate_der(&self) -> &[u8] {
        self.certificate.der()
    }

    fn both_pem(&self) -> String {
        format!("{}{}", self.certificate.pem(), self.key.serialize_pem())
    }
}

/// An HTTP client that trusts this CA, with or without a certificate.
pub fn http(ca: &Path, identity: Option<&ClientIdentity>, http2: bool) -> reqwest::Client {
    let authority = reqwest::Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
    let mut builder = reqwest::Client::builder().tls_certs_only([authority]).timeout(Duration::from_secs(60));
    if let Some(identity) = identity {
        builder = builder.identity(reqwest::Identity::from_pem(identity.both_pem().as_bytes()).unwrap());
    }
    let builder = if http2 { builder } else { builder.http1_only() };
    builder.build().unwrap()
}

/// A gRPC channel that trusts this CA, with or without a certificate.
pub async fn grpc(endpoint: &str, ca: &Path, identity: Option<&ClientIdentity>) -> Channel {
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(std::fs::read(ca).unwrap()));
    if let Some(identity) = identity {
        tls = tls.identity(Identity::from_pem(identity.certificate.pem(), identity.key.serialize_pem()));
    }
    Endpoint::from_shared(endpoint.to_owned()).unwrap().tls_config(tls).unwrap().connect().await.unwrap()
}
