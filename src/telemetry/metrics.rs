//! Metrics in Prometheus' text format. Label values come from fixed sets only: a caller cannot make new ones.

use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Upper bounds in seconds. An encryption takes tens of microseconds in SoftHSM and milliseconds in an HSM.
const LATENCY_BUCKETS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
const REQUESTS: &str = "claviger_requests_total";
const LATENCY: &str = "claviger_request_duration_seconds";
const UNVERIFIED_BODY_BYTES: &str = "claviger_unverified_body_bytes";
const REFUSED_BODIES: &str = "claviger_unverified_bodies_refused_total";
const FAILED_AUTHENTICATIONS: &str = "claviger_failed_authentications_total";

/// What is shown at `/metrics`.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    counted: Arc<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>,
}

impl Metrics {
    /// Starts collecting. May be called once per process.
    ///
    /// # Errors
    /// If collecting was started before.
    pub fn start() -> Result<Self, String> {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(LATENCY.into()), &LATENCY_BUCKETS)
            .map_err(|error| error.to_string())?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(|error| error.to_string())?;
        describe();
        Ok(Self { handle, counted: Arc::new(Vec::new) })
    }

    /// Shows these counters too, by name, as they are when they are asked for.
    #[must_use]
    pub fn with_counters(self, counted: Arc<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>) -> Self {
        Self { counted, ..self }
    }

    /// The text of `/metrics`.
    #[must_use]
    pub fn render(&self) -> String {
        for (name, count) in (self.counted)() {
            metrics::counter!(name).absolute(count);
        }
        self.handle.render()
    }

    /// Folds what histograms gathered since the last call; without it they grow while nobody asks.
    pub fn fold(&self) {
        self.handle.run_upkeep();
    }
}

fn describe() {
    metrics::describe_counter!(REQUESTS, "Requests by dialect, operation and result");
    metrics::describe_counter!(FAILED_AUTHENTICATIONS, "Failed attempts to authenticate; throttled: above the limit");
    // Shown from the start: an alarm on a counter that is not there yet never fires.
    for throttled in ["false", "true"] {
        metrics::counter!(FAILED_AUTHENTICATIONS, "throttled" => throttled).absolute(0);
    }
    metrics::describe_gauge!(
        UNVERIFIED_BODY_BYTES,
        "Room taken by bodies that arrive and whose senders are not verified"
    );
    metrics::describe_counter!(REFUSED_BODIES, "Requests that were refused because there was no room for their bodies");
    metrics::gauge!(UNVERIFIED_BODY_BYTES).set(0.0);
    metrics::counter!(REFUSED_BODIES).absolute(0);
    metrics::describe_histogram!(LATENCY, metrics::Unit::Seconds, "Time from a request's head to its answer's head");
    metrics::describe_gauge!("claviger_build_info", "Always 1; the labels say what is running");
    metrics::describe_gauge!("claviger_connections", "Open connections by listener");
    metrics::describe_gauge!("claviger_ready", "1 if the part works: token, database, scheduler");
    metrics::gauge!("claviger_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// What one kind of request is counted with.
struct Counted {
    requests: Counter,
    latency: Histogram,
}

thread_local! {
    /// The registry finds a metric by hashing all its labels; a thread remembers what it found.
    static COUNTED: RefCell<HashMap<(&'static str, &'static str, u16), Counted>> = RefCell::new(HashMap::new());
}

/// Counts one request.
pub fn request(dialect: &'static str, operation: &'static str, code: u16, latency: Duration) {
    COUNTED.with_borrow_mut(|all| {
        let counted = all.entry((dialect, operation, code)).or_insert_with(|| Counted {
            requests: metrics::counter!(REQUESTS,
                "dialect" => dialect, "operation" => operation, "code" => code.to_string()),
            latency: metrics::histogram!(LATENCY, "dialect" => dialect, "operation" => operation),
        });
        counted.requests.increment(1);
        counted.latency.record(latency);
    });
}

/// Counts a failed attempt to authenticate.
pub fn authentication_failed(throttled: bool) {
    let throttled = if throttled { "true" } else { "false" };
    metrics::counter!(FAILED_AUTHENTICATIONS, "throttled" => throttled).increment(1);
}

/// Counts a request for whose body there was no room.
pub fn body_refused() {
    metrics::counter!(REFUSED_BODIES).increment(1);
}

/// Shows bytes that are held before their sender is verified, until it is dropped.
#[derive(Debug)]
pub struct HeldBytes(f64);

impl HeldBytes {
    /// This many.
    #[must_use]
    pub fn new(bytes: f64) -> Self {
        metrics::gauge!(UNVERIFIED_BODY_BYTES).increment(bytes);
        Self(bytes)
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        metrics::gauge!(UNVERIFIED_BODY_BYTES).decrement(self.0);
    }
}

/// Counts an open connection until it is dropped.
#[derive(Debug)]
pub struct OpenConnection(&'static str);

impl OpenConnection {
    /// A connection to the listener of this name.
    #[must_use]
    pub fn new(listener: &'static str) -> Self {
        metrics::gauge!("claviger_connections", "listener" => listener).increment(1.0);
        Self(listener)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        metrics::gauge!("claviger_connections", "listener" => self.0).decrement(1.0);
    }
}

/// Tells whether a part works.
pub fn ready(part: &'static str, works: bool) {
    metrics::gauge!("claviger_ready", "part" => part).set(if works { 1.0 } else { 0.0 });
}
