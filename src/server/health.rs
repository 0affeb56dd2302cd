//! `/healthz`, `/readyz`, `/metrics` and `grpc.health.v1`. None of them needs a credential, so none lets a
//! stranger load the token or the database: one check at a time, and its result stands for a second.

use crate::service::Kms;
use crate::telemetry::{Stopwatch, metrics};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use serde::Serialize;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

const CHECK_STANDS_FOR: Duration = Duration::from_secs(1);
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// Maintenance may take this much longer than its interval before the scheduler counts as dead.
const SCHEDULER_SLACK: Duration = Duration::from_secs(60);

/// Whether the server can do its work, part by part: `None` if the part works, else why not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The token did a real operation.
    pub token: Option<String>,
    /// The database did a real write.
    pub database: Option<String>,
    /// The scheduler ran lately.
    pub scheduler: Option<String>,
}

impl Report {
    /// Whether every part works.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self == &Self::default()
    }
}

/// Asks the parts.
pub struct Readiness {
    kms: Arc<Kms>,
    scheduler_interval: Duration,
    started: Stopwatch,
    last: Mutex<Option<(Stopwatch, Report)>>,
}

impl Readiness {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(kms: Arc<Kms>, scheduler_interval: Duration) -> Self {
        Self { kms, scheduler_interval, started: Stopwatch::start(), last: Mutex::new(None) }
    }

    /// The report, at most a second old.
    pub async fn report(&self) -> Report {
        let mut last = self.last.lock().await;
        if let Some((age, report)) = last.as_ref().filter(|(age, _)| age.elapsed() < CHECK_STANDS_FOR) {
            tracing::trace!(age_ms = age.elapsed().as_millis(), "readiness from memory");
            return report.clone();
        }
        let report = self.ask().await;
        metrics::ready("token", report.token.is_none());
        metrics::ready("database", report.database.is_none());
        metrics::ready("scheduler", report.scheduler.is_none());
        *last = Some((Stopwatch::start(), report.clone()));
        report
    }

    async fn ask(&self) -> Report {
        let token = async { self.kms.token().check().await.map_err(|error| error.to_string()) };
        let database = async { self.kms.beat().await.map(drop).map_err(|error| reason(&error)) };
        let (token, database) = tokio::join!(in_time(token), in_time(database));
        Report { token, database, scheduler: self.scheduler() }
    }

    fn scheduler(&self) -> Option<String> {
        let allowed = self.scheduler_interval * 2 + SCHEDULER_SLACK;
        let silent = match self.kms.last_maintenance() {
            Some(at) => self.kms.now().since(at),
            None => self.started.elapsed(),
        };
        (silent > allowed).then(|| format!("no maintenance for {} seconds", silent.as_secs()))
    }
}

fn reason(error: &crate::service::error::ServiceError) -> String {
    error.cause().map_or_else(|| error.to_string(), str::to_owned)
}

async fn in_time(check: impl Future<Output = Result<(), String>>) -> Option<String> {
    match tokio::time::timeout(CHECK_TIMEOUT, check).await {
        Ok(result) => result.err(),
        Err(_) => Some(format!("no answer within {} seconds", CHECK_TIMEOUT.as_secs())),
    }
}

/// The HTTP routes.
pub fn routes(readiness: Arc<Readiness>, metrics: metrics::Metrics) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(show_metrics).with_state(metrics))
}

async fn readyz(State(readiness): State<Arc<Readiness>>) -> Response {
    let report = readiness.report().await;
    let status = if report.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let part = |why: &Option<String>| why.clone().unwrap_or_else(|| "ok".into());
    let body = serde_json::json!({
        "ready": report.is_ready(),
        "token": part(&report.token),
        "database": part(&report.database),
        "scheduler": part(&report.scheduler),
    });
    (status, axum::Json(body)).into_response()
}

async fn show_metrics(State(metrics): State<metrics::Metrics>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render()).into_response()
}

/// Tells gRPC clients what [`Readiness`] says, until it is dropped.
pub async fn follow(readiness: Arc<Readiness>, reporter: HealthReporter, services: &'static [&'static str]) {
    loop {
        let ready = readiness.report().await.is_ready();
        let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in services {
            reporter.set_service_status(*service, status).await;
        }
        tokio::time::sleep(2 * CHECK_STANDS_FOR).await;
    }
}
