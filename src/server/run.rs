//! Serving: requests, scheduler and health, from bound listeners to the end of the last request.

use super::assembly::Core;
use super::edge::{self, Edge};
use super::health::{self, Readiness};
use super::listen::{Bound, Options};
use crate::auth::attempts::FailedAttempts;
use crate::auth::body_budget::BodyBudget;
use crate::auth::ncloud::NcloudParts;
use crate::auth::sigv4::{SignatureParts, Signatures};
use crate::auth::turns::Turns;
use crate::auth::{Credentials, JwtLogins, NcloudRequests, jwt};
use crate::config::Settings;
use crate::dialect::aws::{self, AwsDeps};
use crate::dialect::ncloud::{self, NcloudDeps};
use crate::dialect::yandex::{self, YandexDeps};
use crate::scheduler;
use crate::service::Kms;
use crate::service::ports::Clock;
use crate::telemetry::metrics::Metrics;
use axum::Router;
use rustls::ServerConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic_health::server::HealthReporter;

/// What grpc.health.v1 knows besides the server as a whole.
const HEALTH_SERVICES: &[&str] = &[
    "",
    "yandex.cloud.kms.v1.SymmetricKeyService",
    "yandex.cloud.kms.v1.SymmetricCryptoService",
    "yandex.cloud.operation.OperationService",
    "yandex.cloud.endpoint.ApiEndpointService",
    "yandex.cloud.iam.v1.IamTokenService",
];
const METRICS_FOLD_INTERVAL: Duration = Duration::from_secs(5);
/// What maintenance in progress has beside the listeners' grace.
const SCHEDULER_GRACE: Duration = Duration::from_millis(800);
/// What the last writes have after that.
const FLUSH_GRACE: Duration = Duration::from_millis(500);

/// A server that is ready to begin.
pub struct Server {
    /// The use cases and what they stand on.
    pub core: Core,
    /// The settings.
    pub settings: Settings,
    /// The listeners.
    pub bound: Bound,
    /// For the TLS listener.
    pub tls: Option<Arc<ServerConfig>>,
    /// What `/metrics` shows.
    pub metrics: Metrics,
}

impl Server {
    /// Serves until `end` is ready, then lets requests in flight finish, within 10 seconds.
    ///
    /// # Errors
    /// If the server cannot begin.
    pub async fn run(self, end: impl Future<Output = ()>) -> Result<(), String> {
        let (stop, stopped) = watch::channel(false);
        let interval = self.settings.scheduler.interval.0;
        let metrics = self.metrics.clone().with_counters(Arc::clone(&self.core.counted));
        let readiness = Arc::new(Readiness::new(Arc::clone(&self.core.kms), interval));
        let reporter = HealthReporter::new();
        let router = edge::around(self.router(&readiness, &reporter, metrics.clone())?, self.edge());
        let scheduler = tokio::spawn(scheduler::run(Arc::clone(&self.core.kms), interval, ended(stopped.clone())));
        let background = background(readiness, reporter, metrics);
        let max_connections = self.settings.server.max_connections;
        let options = Options { tls: self.tls, max_connections, clock: self.core.clock.clone() };
        let listeners = tokio::spawn(self.bound.serve(router, options, stopped));
        end.await;
        tracing::info!("ending: requests in flight are finished first");
        stop.send_replace(true);
        let _ = listeners.await;
        let _ = tokio::time::timeout(SCHEDULER_GRACE, scheduler).await;
        background.iter().for_each(JoinHandle::abort);
        flush_uses(&self.core.kms).await;
        tracing::info!("ended");
        Ok(())
    }

    fn router(
        &self,
        readiness: &Arc<Readiness>,
        reporter: &HealthReporter,
        metrics: Metrics,
    ) -> Result<Router, String> {
        let limit = self.settings.access.failed_attempts_per_minute;
        let clock: Arc<dyn Clock> = self.core.clock.clone();
        let attempts = Arc::new(FailedAttempts::new(limit, &clock));
        let turns = Arc::new(Turns::default());
        let credentials = Credentials::new(self.core.kms.directory(), Arc::clone(&attempts), Arc::clone(&turns));
        let signatures = Signatures::new(SignatureParts {
            directory: self.core.kms.directory(),
            attempts: Arc::clone(&attempts),
            turns: Arc::clone(&turns),
            clock: Arc::clone(&clock),
            regions: self.settings.aws.regions(),
        });
        let bodies = Arc::new(BodyBudget::default());
        let aws =
            AwsDeps { kms: Arc::clone(&self.core.kms), signatures: Arc::new(signatures), bodies: Arc::clone(&bodies) };
        let ncloud = NcloudDeps {
            kms: Arc::clone(&self.core.kms),
            requests: NcloudRequests::new(NcloudParts {
                kms: Arc::clone(&self.core.kms),
                directory: self.core.kms.directory(),
                attempts: Arc::clone(&attempts),
                turns: Arc::clone(&turns),
                clock,
            }),
            bodies,
            base_url: self.base_url(),
        };
        let yandex = YandexDeps {
            kms: Arc::clone(&self.core.kms),
            authenticator: Arc::new(credentials),
            logins: self.logins(attempts, turns)?,
            advertised_address: self.advertised_address(),
            reflection: self.settings.server.reflection,
            health: Some(reporter.clone()),
        };
        let health = health::routes(Arc::clone(readiness), metrics);
        Ok(ncloud::before(yandex::routes(yandex)?.merge(aws::routes(aws)), ncloud).merge(health))
    }

    fn logins(&self, attempts: Arc<FailedAttempts>, turns: Arc<Turns>) -> Result<Arc<JwtLogins>, String> {
        let advertised = self.advertised_address();
        let addresses = jwt::Addresses {
            advertised: &advertised,
            plain: self.bound.plain_address(),
            tls: self.bound.tls_address(),
        };
        let audiences = jwt::audiences(addresses, &self.settings.access.login_audiences.0);
        let logins = JwtLogins::new(self.core.kms.directory(), attempts, turns, self.core.clock.clone(), audiences);
        logins.map(Arc::new).map_err(|error| error.to_string())
    }

    fn edge(&self) -> Edge {
        Edge { ids: self.core.ids.clone(), request_timeout: self.settings.server.request_timeout.0 }
    }

    /// Where clients of the Ncloud dialect are told that keys are.
    fn base_url(&self) -> String {
        let is_secure = self.bound.tls_address().is_some() || !self.settings.server.advertised_address.is_empty();
        format!("{}://{}", if is_secure { "https" } else { "http" }, self.advertised_address())
    }

    /// What discovery says: as set, else localhost with the TLS port, else with the plaintext one.
    fn advertised_address(&self) -> String {
        let set = &self.settings.server.advertised_address;
        let port = self.bound.tls_address().or_else(|| self.bound.plain_address()).map(|address| address.port());
        match port {
            Some(port) if set.is_empty() => format!("localhost:{port}"),
            _ => set.clone(),
        }
    }
}

/// Writes down when credentials were last used, unless the database hangs.
async fn flush_uses(kms: &Kms) {
    let flushed = tokio::time::timeout(FLUSH_GRACE, kms.flush_uses()).await;
    if !matches!(flushed, Ok(Ok(()))) {
        tracing::warn!("the last uses of credentials could not be written down");
    }
}

async fn ended(mut stop: watch::Receiver<bool>) {
    // The sender is gone only when the server is.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn background(readiness: Arc<Readiness>, reporter: HealthReporter, metrics: Metrics) -> Vec<JoinHandle<()>> {
    let fold = async move {
        loop {
            tokio::time::sleep(METRICS_FOLD_INTERVAL).await;
            metrics.fold();
        }
    };
    vec![tokio::spawn(health::follow(readiness, reporter, HEALTH_SERVICES)), tokio::spawn(fold)]
}

/// Waits for SIGINT or SIGTERM.
///
/// # Errors
/// If the kernel does not let signals be handled.
pub fn signals() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
