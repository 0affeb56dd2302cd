//! A whole server in this process, over a real token and database, whose clock the test moves and whose use cases it calls.

use super::clients::{self, ClientIdentity};
use crate::service::{Service, core::Core};
use axum::extract::Request;
use axum::middleware::map_request;
use claviger::auth::attempts::FailedAttempts;
use claviger::auth::jwt::{Addresses, audiences};
use claviger::auth::turns::Turns;
use claviger::auth::{Credentials, JwtLogins, certificate};
use claviger::dialect::RequestId;
use claviger::dialect::yandex::{YandexDeps, routes};
use claviger::domain::access::PrincipalKind;
use claviger::domain::id::{CredentialId, PrincipalId};
use claviger::server::ambient::SystemClock;
use claviger::server::listen::{Bound, Options, Wanted};
use claviger::server::{dev_ca, tls};
use claviger::service::Kms;
use claviger::service::identity::{CreatePrincipal, IssueCredential, IssuedCredential, NewCredential, ShownSecret};
use claviger::service::ports::Clock;
use claviger::service::request::RequestContext;
use claviger::testing::ManualClock;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::watch;

/// The id of every request, so that refusals can be compared as they are.
pub const REQUEST_ID: &str = "same";
/// Where the server says that it is.
pub const ADVERTISED: &str = "kms.example.com:8201";
/// A key that does not exist: whoever is known is told so, all others are unauthenticated.
pub const PROBE: &str = "/kms/v1/keys/00000000-0000-4000-8000-000000000000";

/// A running server.
pub struct Wire {
    pub kms: Arc<Kms>,
    pub clock: Arc<ManualClock>,
    /// The administrator's requests.
    pub ctx: RequestContext,
    pub ca: PathBuf,
    plain: SocketAddr,
    tls: SocketAddr,
    _directory: TempDir,
    _stop: watch::Sender<bool>,
}

impl Wire {
    /// Starts one that lets this many attempts a minute fail.
    pub async fn start(core: Core, failed_attempts_per_minute: u32) -> Self {
        let Service { kms, clock, ctx, .. } = Service::start(core).await;
        let kms = Arc::new(kms);
        let directory = tempfile::tempdir().unwrap();
        // Clients judge the server's certificate by the machine's time.
        let issued = dev_ca::issue(directory.path(), SystemClock::new().unwrap().now()).unwrap();
        let local: Option<SocketAddr> = Some(([127, 0, 0, 1], 0).into());
        let bound = Bound::bind(&Wanted { plain: local, tls: local, plain_beyond_loopback: false }).await.unwrap();
        let (plain, tls) = (bound.plain_address().unwrap(), bound.tls_address().unwrap());
        let any_clock = Arc::clone(&clock) as Arc<dyn Clock>;
        let attempts = Arc::new(FailedAttempts::new(failed_attempts_per_minute, &any_clock));
        let turns = Arc::new(Turns::default());
        let addresses = Addresses { advertised: ADVERTISED, plain: Some(plain), tls: Some(tls) };
        let accepted = audiences(addresses, &[]);
        let (directory_of, logins_clock) = (kms.directory(), Arc::clone(&any_clock));
        let logins =
            JwtLogins::new(directory_of, Arc::clone(&attempts), Arc::clone(&turns), logins_clock, accepted).unwrap();
        let deps = YandexDeps {
            kms: Arc::clone(&kms),
            authenticator: Arc::new(Credentials::new(kms.directory(), attempts, turns)),
            logins: Arc::new(logins),
            advertised_address: ADVERTISED.into(),
            reflection: false,
            health: None,
        };
        let router = routes(deps).unwrap().layer(map_request(|mut request: Request| async move {
            request.extensions_mut().insert(RequestId(REQUEST_ID.into()));
            request
        }));
        let config = tls::server_config(issued.identity).unwrap();
        let options = Options { tls: Some(config), max_connections: 64, clock: any_clock };
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(bound.serve(router, options, stopped));
        Self { kms, clock, ctx, ca: issued.ca_file, plain, tls, _directory: directory, _stop: stop }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.plain)
    }

    pub fn tls_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.tls.port())
    }

    /// The status and body of the probe.
    pub async fn probe(&self, client: &reqwest::Client, bearer: Option<&str>) -> (u16, String) {
        let request = client.get(self.tls_url(PROBE));
        let request = if let Some(token) = bearer { request.bearer_auth(token) } else { request };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The status of the probe with this bearer token.
    pub async fn probe_token(&self, token: &str) -> u16 {
        self.probe(&clients::http(&self.ca, None, true), Some(token)).await.0
    }

    pub async fn service_account(&self) -> PrincipalId {
        let folder_id = self.ctx.caller.folder_id;
        let request = CreatePrincipal { folder_id, kind: PrincipalKind::ServiceAccount, name: "robot".into() };
        self.kms.create_principal(&self.ctx, request).await.unwrap().id
    }

    pub async fn issue(&self, principal_id: PrincipalId, kind: NewCredential) -> IssuedCredential {
        let request = IssueCredential { principal_id, name: "test".into(), expires_at: None, kind };
        self.kms.issue_credential(&self.ctx, request).await.unwrap()
    }

    /// Registers a client certificate.
    pub async fn register(&self, principal_id: PrincipalId, identity: &ClientIdentity) -> CredentialId {
        let read = certificate::read_pem(identity.certificate_pem().as_bytes()).unwrap();
        let kind = NewCredential::Certificate { spki_sha256: read.spki_sha256, not_after: read.not_after };
        self.issue(principal_id, kind).await.record.id
    }

    /// A new API token.
    pub async fn token(&self, principal_id: PrincipalId) -> (CredentialId, String) {
        let issued = self.issue(principal_id, NewCredential::ApiToken).await;
        let ShownSecret::ApiToken(text) = issued.secret else { unreachable!("an API token has a secret") };
        (issued.record.id, text.to_string())
    }

    pub async fn revoke(&self, id: CredentialId) {
        self.kms.revoke_credential(&self.ctx, id).await.unwrap();
    }
}
