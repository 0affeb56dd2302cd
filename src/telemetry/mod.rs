//! Logs and metrics, and the one place where elapsed time is measured for them.
//!
//! A request is logged once, at the boundary (`server`), as a message plus fields. Never key material,
//! plaintext, PINs, tokens, signatures or IVs.

pub mod metrics;
mod request;

pub use request::RequestNotes;

use std::io::IsTerminal;
use std::time::{Duration, Instant};
use tracing::Metadata;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Libraries that log what must not be in any log: this one traces canonical requests and strings to sign, with the
/// headers of requests in them, and in other uses of it the signatures that it expects.
const SILENCED: &[&str] = &["scratchstack_aws_signature"];

/// Starts logging to standard error. May be called once per process.
///
/// # Errors
/// If the filter cannot be read or logging was started before.
pub fn start_logs(filter: &str, json: bool) -> Result<(), String> {
    start_logs_to(filter, json, std::io::stderr().is_terminal(), std::io::stderr)
}

/// As [`start_logs`], to anywhere.
///
/// # Errors
/// As there.
pub fn start_logs_to<W>(filter: &str, json: bool, colours: bool, writer: W) -> Result<(), String>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("log.filter: {error}"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(writer);
    // Beside the operator's filter, which could not be kept from letting parts of a library through.
    let fit = filter_fn(is_fit_to_be_logged);
    let started = if json {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).finish().with(fit).try_init()
    } else {
        lines.finish().with(fit).try_init()
    };
    started.map_err(|error| error.to_string())?;
    log_panics();
    Ok(())
}

/// Whether a record comes from where records may come from.
fn is_fit_to_be_logged(record: &Metadata<'_>) -> bool {
    let source = record.target().split("::").next().unwrap_or_default();
    !SILENCED.contains(&source)
}

/// Panics are logged with their place only: their text may hold what the code was working on.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a bug: the code panicked");
    }));
}

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where elapsed time is measured")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
