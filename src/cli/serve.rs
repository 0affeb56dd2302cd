//! `claviger serve`: the server of a production installation.

use super::arguments::ServeArguments;
use super::{Failure, process, variable};
use crate::config::{self, ConfigError, Settings};
use crate::server::assembly::{self, Core};
use crate::server::listen::{Bound, Wanted};
use crate::server::run::{Server, signals};
use crate::server::tls::{self, Identity};
use crate::telemetry::metrics::Metrics;
use anyhow::{Context, anyhow};
use rustls::ServerConfig;
use sd_notify::NotifyState;
use std::path::Path;
use std::sync::Arc;

/// Serves until a signal.
pub fn run(arguments: &ServeArguments) -> Result<(), Failure> {
    let settings = read_settings(&arguments.config)?;
    let metrics = process::start_telemetry(&settings)?;
    process::harden(&settings)?;
    // Wrong settings are found before the PIN is used.
    wanted(&settings).require_leave().map_err(ConfigError::Value)?;
    assembly::selector(&settings)?;
    let tls = tls_config(&settings)?;
    let pin = assembly::user_pin(&settings, &variable)?;
    let core = assembly::open(&settings, pin)?;
    let token = core.token.clone();
    if let Err(refused) = assembly::require_allowed_assurance(&settings, &core.binding) {
        drop(core);
        token.close();
        return Err(refused.into());
    }
    let served = process::block_on(serve(core, settings, tls, metrics));
    token.close();
    served
}

/// The settings of a file, with the environment over it.
pub fn read_settings(path: &Path) -> Result<Settings, Failure> {
    let unreadable = |error| ConfigError::Value(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(config::load(&Settings::default(), Some(&text), &config::read_environment())?)
}

fn tls_config(settings: &Settings) -> Result<Option<Arc<ServerConfig>>, ConfigError> {
    if settings.server.tls_listen.0.is_none() {
        return Ok(None);
    }
    let identity = Identity::from_files(&settings.server.tls_certificate, &settings.server.tls_key);
    let wrong = |text: String| ConfigError::Value(format!("server.tls_certificate, server.tls_key: {text}"));
    tls::server_config(identity.map_err(wrong)?).map(Some).map_err(|error| wrong(error.to_string()))
}

async fn serve(
    core: Core,
    settings: Settings,
    tls: Option<Arc<ServerConfig>>,
    metrics: Metrics,
) -> Result<(), Failure> {
    let end = signals().context("signals")?;
    let bound = Bound::bind(&wanted(&settings)).await.context("listening")?;
    let token = core.kms.token().description();
    tracing::info!(
        plain = bound.plain_address().map(tracing::field::display),
        tls = bound.tls_address().map(tracing::field::display),
        token = token.identity.label,
        protection = ?token.protection,
        assurance = ?token.assurance,
        "serving"
    );
    // Not being run by systemd is no failure.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let server = Server { core, settings, bound, tls, metrics };
    let end = async {
        end.await;
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
    };
    Ok(server.run(end).await.map_err(|text| anyhow!(text))?)
}

/// Where the settings want listeners.
pub const fn wanted(settings: &Settings) -> Wanted {
    Wanted {
        plain: settings.server.listen.0,
        tls: settings.server.tls_listen.0,
        plain_beyond_loopback: settings.server.allow_plaintext_beyond_loopback,
    }
}
