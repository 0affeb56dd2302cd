//! What the listeners tell requests of their connection, without a service behind them.

use super::clients::{self, ClientIdentity};
use axum::Router;
use axum::extract::Request;
use claviger::auth::{Peer, certificate};
use claviger::domain::time::Timestamp;
use claviger::server::ambient::SystemClock;
use claviger::server::listen::{Bound, Options, Wanted};
use claviger::server::{dev_ca, tls};
use claviger::service::ports::Clock;
use claviger::testing::ManualClock;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;

/// Listeners whose every answer says who asked.
struct Mirror {
    plain: SocketAddr,
    tls: SocketAddr,
    ca: PathBuf,
    clock: Arc<ManualClock>,
    _directory: TempDir,
    _stop: watch::Sender<bool>,
}

impl Mirror {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Certificates of clients and server are judged by the machine's time, so the clock begins there.
        let now = SystemClock::new().unwrap().now();
        let issued = dev_ca::issue(directory.path(), now).unwrap();
        let clock = Arc::new(ManualClock::at(now));
        let local: Option<SocketAddr> = Some(([127, 0, 0, 1], 0).into());
        let bound = Bound::bind(&Wanted { plain: local, tls: local, plain_beyond_loopback: false }).await.unwrap();
        let (plain, tls) = (bound.plain_address().unwrap(), bound.tls_address().unwrap());
        let options = Options {
            tls: Some(tls::server_config(issued.identity).unwrap()),
            max_connections: 16,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
        };
        let (stop, stopped) = watch::channel(false);
        let router = Router::new().fallback(|request: Request| async move { shown(&request) });
        tokio::spawn(bound.serve(router, options, stopped));
        Self { plain, tls, ca: issued.ca_file, clock, _directory: directory, _stop: stop }
    }

    async fn ask(&self, client: &reqwest::Client, tls: bool) -> String {
        let url =
            if tls { format!("https://localhost:{}/", self.tls.port()) } else { format!("http://{}/", self.plain) };
        client.get(url).send().await.unwrap().text().await.unwrap()
    }
}

fn shown(request: &Request) -> String {
    match request.extensions().get::<Peer>() {
        None => "nobody".to_owned(),
        Some(peer) => shown_peer(peer, request.version()),
    }
}

fn shown_peer(peer: &Peer, version: http::Version) -> String {
    format!("{version:?} {} {:?}", peer.address, peer.certificate_sha256)
}

/// The answer to a client with this certificate.
fn expected(identity: Option<&ClientIdentity>, version: http::Version) -> String {
    let sha256 = identity.map(|identity| certificate::spki_sha256(identity.certificate_der()).unwrap());
    shown_peer(&Peer { address: [127, 0, 0, 1].into(), certificate_sha256: sha256 }, version)
}

#[tokio::test]
async fn every_request_knows_its_peer_in_every_protocol() {
    let mirror = Mirror::start().await;
    let identity = ClientIdentity::new();
    for (http2, version) in [(false, http::Version::HTTP_11), (true, http::Version::HTTP_2)] {
        for who in [None, Some(&identity)] {
            let client = clients::http(&mirror.ca, who, http2);
            for _ in 0..2 {
                assert_eq!(mirror.ask(&client, true).await, expected(who, version));
            }
            assert_eq!(mirror.ask(&client, false).await, expected(None, http::Version::HTTP_11), "in clear");
        }
    }
    let h2c = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    assert_eq!(mirror.ask(&h2c, false).await, expected(None, http::Version::HTTP_2));
}

#[tokio::test]
async fn a_client_with_an_expired_certificate_is_served_as_one_without() {
    let mirror = Mirror::start().await;
    let client = clients::http(&mirror.ca, Some(&ClientIdentity::expired()), true);
    assert_eq!(mirror.ask(&client, true).await, expected(None, http::Version::HTTP_2));
}

#[tokio::test]
async fn an_open_connection_loses_its_certificate_when_that_ends() {
    let mirror = Mirror::start().await;
    let identity = ClientIdentity::new();
    let client = clients::http(&mirror.ca, Some(&identity), true);
    assert_eq!(mirror.ask(&client, true).await, expected(Some(&identity), http::Version::HTTP_2));
    let end = certificate::read_der(identity.certificate_der()).unwrap().not_after;
    mirror.clock.advance(end.since(mirror.clock.now()) + Duration::from_secs(1));
    assert!(mirror.clock.now() > end && end > Timestamp::from_micros(0));
    assert_eq!(mirror.ask(&client, true).await, expected(None, http::Version::HTTP_2));
}
