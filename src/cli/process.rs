//! What `serve` and `dev` do alike: logs, a hardened process, the runtime.

use super::{Exit, Failure};
use crate::config::{LogFormat, Settings};
use crate::server::assembly::half_of_the_processors;
use crate::server::process;
use crate::telemetry;
use crate::telemetry::metrics::Metrics;
use anyhow::Context;
use std::future::Future;
use std::time::Duration;

/// Blocking work that has not ended when everything else has, is left behind.
const RUNTIME_GRACE: Duration = Duration::from_millis(100);

/// Starts logs and metrics.
pub fn start_telemetry(settings: &Settings) -> Result<Metrics, Failure> {
    let usage = |text: String| Failure::new(Exit::Usage, text);
    telemetry::start_logs(&settings.log.filter, settings.log.format == LogFormat::Json).map_err(usage)?;
    Metrics::start().map_err(usage)
}

/// Keeps keys in memory: no dumps, no swap.
pub fn harden(settings: &Settings) -> Result<(), Failure> {
    if let Err(reason) = process::forbid_dumps() {
        tracing::warn!(reason, "core dumps of this process cannot be ruled out");
    }
    match process::lock_memory() {
        Ok(()) => Ok(()),
        Err(reason) if settings.process.allow_unlocked_memory => {
            tracing::warn!(reason, "memory cannot be locked: keys may be swapped to disk");
            Ok(())
        }
        Err(reason) => Err(Failure::new(
            Exit::Failed,
            format!(
                "memory cannot be locked, so keys might be swapped to disk: {reason}; \
                 to serve all the same, set process.allow_unlocked_memory = true"
            ),
        )),
    }
}

/// Runs a future on half of the processors; the other half is for the threads of the token.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(half_of_the_processors())
        .enable_all()
        .build()
        .context("starting")?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(RUNTIME_GRACE);
    result
}
