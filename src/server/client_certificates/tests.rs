//! Handshakes of real clients with certificates of all kinds.

use super::*;
use crate::server::tls::{Identity, server_config};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData};
use rstest::rstest;
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::sync::Arc;

type Version = &'static SupportedProtocolVersion;

/// A server and what clients must trust.
struct Server {
    config: Arc<ServerConfig>,
    roots: RootCertStore,
}

impl Server {
    fn new() -> Self {
        let (chain, key) = certificate("localhost", &KeyPair::generate().unwrap());
        let mut roots = RootCertStore::empty();
        roots.add(chain.clone()).unwrap();
        Self { config: server_config(Identity { chain: vec![chain], key }).unwrap(), roots }
    }

    fn client(&self, version: Version, identity: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>) -> Client {
        let provider = Arc::new(default_provider());
        let roots = Arc::new(self.roots.clone());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build().unwrap();
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        Client(Arc::new(match identity {
            None => builder.with_no_client_auth(),
            // Certificate and key need not fit together.
            Some((certificate, key)) => {
                let key = any_supported_type(&key).unwrap();
                builder.with_client_cert_resolver(Arc::new(Fixed(Arc::new(CertifiedKey::new(vec![certificate], key)))))
            }
        }))
    }
}

/// A client, which resumes its sessions.
struct Client(Arc<ClientConfig>);

impl Client {
    /// One connection: whether it resumed a session, and the SPKI hash that the server saw.
    fn connect(&self, server: &Server) -> Result<(bool, Option<[u8; 32]>), Error> {
        let mut client = ClientConnection::new(Arc::clone(&self.0), "localhost".try_into().unwrap())?;
        let mut server = ServerConnection::new(Arc::clone(&server.config))?;
        loop {
            let mut bytes = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut bytes).unwrap();
            }
            feed(&mut server, &bytes)?;
            let mut bytes = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            // The last flight of the server holds the tickets.
            if bytes.is_empty() && !client.wants_write() {
                break;
            }
            feed(&mut client, &bytes)?;
        }
        assert!(!client.is_handshaking() && !server.is_handshaking());
        let resumed = server.handshake_kind() == Some(HandshakeKind::Resumed);
        Ok((resumed, presented(&server).map(|certificate| certificate.spki_sha256)))
    }
}

fn feed<D>(connection: &mut rustls::ConnectionCommon<D>, mut bytes: &[u8]) -> Result<(), Error> {
    while !bytes.is_empty() {
        connection.read_tls(&mut bytes).unwrap();
        connection.process_new_packets()?;
    }
    Ok(())
}

#[derive(Debug)]
struct Fixed(Arc<CertifiedKey>);

impl ResolvesClientCert for Fixed {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn certificate(name: &str, key: &KeyPair) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let params = CertificateParams::new(vec![name.into()]).unwrap();
    let certificate = params.self_signed(key).unwrap();
    (certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into())
}

fn hash(key: &KeyPair) -> [u8; 32] {
    certificate::sha256(&key.subject_public_key_info())
}

#[rstest]
fn a_certificate_is_seen_in_every_version_and_with_every_kind_of_key(
    #[values(&TLS12, &TLS13)] version: Version,
    #[values(&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519, &PKCS_RSA_SHA256)] algorithm: &'static rcgen::SignatureAlgorithm,
) {
    let server = Server::new();
    let key = KeyPair::generate_for(algorithm).unwrap();
    let client = server.client(version, Some(certificate("client", &key)));
    assert_eq!(client.connect(&server), Ok((false, Some(hash(&key)))));
}

#[rstest]
fn a_client_without_certificate_is_served(#[values(&TLS12, &TLS13)] version: Version) {
    let server = Server::new();
    let client = server.client(version, None);
    assert_eq!(client.connect(&server), Ok((false, None)));
    assert_eq!(client.connect(&server), Ok((true, None)));
}

#[rstest]
fn a_certificate_without_its_private_key_ends_the_handshake(#[values(&TLS12, &TLS13)] version: Version) {
    let server = Server::new();
    let (stolen, _) = certificate("victim", &KeyPair::generate().unwrap());
    let (_, own_key) = certificate("thief", &KeyPair::generate().unwrap());
    let refused = server.client(version, Some((stolen, own_key))).connect(&server).unwrap_err();
    assert_eq!(refused, Error::InvalidCertificate(CertificateError::BadSignature));
}

#[rstest]
fn a_resumed_session_has_the_certificate_of_its_first_handshake(#[values(&TLS12, &TLS13)] version: Version) {
    let server = Server::new();
    let keys = [(); 2].map(|()| KeyPair::generate().unwrap());
    let clients = [0, 1].map(|n| server.client(version, Some(certificate("client", &keys[n]))));
    let nobody = server.client(version, None);
    for round in 0..4 {
        let resumed = round > 0;
        assert_eq!(clients[0].connect(&server), Ok((resumed, Some(hash(&keys[0])))));
        assert_eq!(nobody.connect(&server), Ok((resumed, None)));
        assert_eq!(clients[1].connect(&server), Ok((resumed, Some(hash(&keys[1])))));
    }
}

/// A certificate outside of its validity is judged at each request, not here.
#[rstest]
fn an_expired_certificate_does_not_end_the_handshake(#[values(&TLS12, &TLS13)] version: Version) {
    let server = Server::new();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["client".into()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let expired = params.self_signed(&key).unwrap().der().clone();
    let private = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let client = server.client(version, Some((expired, private)));
    assert_eq!(client.connect(&server), Ok((false, Some(hash(&key)))));
}

#[test]
fn what_is_no_certificate_is_refused() {
    let verifier = AnyHeldKey::new(&default_provider());
    let (good, _) = certificate("client", &KeyPair::generate().unwrap());
    let verify = |der: Vec<u8>| verifier.verify_client_cert(&der.into(), &[], UnixTime::now());
    assert!(verify(good.to_vec()).is_ok());
    let longer = [good.as_ref(), &[0]].concat();
    let shorter = good[..good.len() - 1].to_vec();
    for bad in [Vec::new(), vec![0x30, 0], vec![0xff; 300], longer, shorter] {
        assert!(verify(bad.clone()).is_err(), "{bad:?}");
    }
}

#[test]
fn a_certificate_is_asked_for_but_not_required_and_from_nobody_in_particular() {
    let verifier = AnyHeldKey::new(&default_provider());
    assert!(verifier.offer_client_auth() && !verifier.client_auth_mandatory());
    assert!(verifier.root_hint_subjects().is_empty());
    assert!(!verifier.supported_verify_schemes().is_empty());
}
