//! Wakes the maintenance use cases: at every interval, when the next thing is due, and when a change may
//! have moved that date.

use crate::service::Kms;
use crate::service::maintenance::MaintenanceReport;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// The shortest pause between two runs, so that a stream of changes does not become a stream of runs.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// Runs maintenance until `stop` is ready. A run that has begun is finished first.
pub async fn run(kms: Arc<Kms>, interval: Duration, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    loop {
        let pause = match kms.maintain().await {
            Ok(report) => pause_after(&report, interval, &kms),
            Err(error) => {
                tracing::error!(%error, cause = error.cause().unwrap_or_default(), "maintenance failed");
                interval
            }
        };
        tokio::time::sleep(SHORTEST_PAUSE).await;
        tokio::select! {
            () = &mut stop => return,
            () = kms.schedule_changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn pause_after(report: &MaintenanceReport, interval: Duration, kms: &Kms) -> Duration {
    if report.more && report.failed == 0 {
        return Duration::ZERO;
    }
    match report.next_due_at {
        Some(due_at) => due_at.since(kms.now()).min(interval),
        None => interval,
    }
}
