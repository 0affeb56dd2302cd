//! Where the adapters are named: token, database and clock become the service.

use super::ambient::{SystemClock, SystemIds};
use crate::config::{ConfigError, Settings};
use crate::service::ports::{Assurance, InternalKeyRole, TokenBinding, TokenCapabilities, TokenStateStore};
use crate::service::{AccessSettings, Kms, KmsParts, KmsSettings};
use crate::store::SqliteStore;
use crate::token::module::TokenSelector;
use crate::token::pin::{Pin, PinSource};
use crate::token::{HsmToken, TokenConfig};
use anyhow::{Context, bail};
use aws_lc_rs::hmac;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Keys, and versions beside primary ones, that are kept in memory.
const CACHED_KEYS: u64 = 100_000;
const MAX_WORKERS: usize = 64;
/// Calls that an HSM works on at the same time.
const HSM_WORKERS: usize = 8;
/// How long the token is waited for at the end: two seconds.
const CLOSING_POLLS: u32 = 200;
const CLOSING_POLL: Duration = Duration::from_millis(10);

/// The service, ready to be called.
pub struct Core {
    /// The use cases.
    pub kms: Arc<Kms>,
    /// What they use the token through, to be closed last.
    pub token: OpenToken,
    /// Ids and secrets.
    pub ids: Arc<SystemIds>,
    /// Time.
    pub clock: Arc<SystemClock>,
    /// The token's keys that the database belongs to.
    pub binding: TokenBinding,
    /// What token and database have counted since the start, by the names of their metrics.
    pub counted: Arc<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>,
}

/// Opens database and token and puts the service on them. Blocks.
///
/// # Errors
/// If there was no `init`, or token and database are not those of it.
pub fn open(settings: &Settings, pin: Pin) -> anyhow::Result<Core> {
    let path = &settings.database.path;
    let locked = SqliteStore::open(path).with_context(|| format!("database {}", path.display()))?;
    let Some(binding) = locked.token_binding().context("database")?.filter(|binding| binding.complete) else {
        bail!("{} was not initialised: run claviger init first", path.display());
    };
    let opened = HsmToken::open(token_config(settings, pin, &binding.assurance)?, binding.clone()).context("token")?;
    let login_key = login_key(&opened.row_key);
    let store = Arc::new(locked.unlock(opened.row_key).context("database")?);
    let token = Arc::new(opened.token);
    show(token.capabilities(), &binding.capabilities);
    let counted = counted(Arc::clone(&token), Arc::clone(&store));
    let clock = Arc::new(SystemClock::new().context("clock")?);
    let ids = Arc::new(SystemIds::new().context("random numbers")?);
    let open_token = OpenToken(Arc::clone(&token));
    let settings = kms_settings(settings);
    let parts = KmsParts { store, token, clock: clock.clone(), ids: ids.clone(), login_key, settings };
    Ok(Core { kms: Arc::new(Kms::new(parts)), token: open_token, ids, clock, binding, counted })
}

/// The key that authenticates the tokens of logins: derived from the row-MAC key, as the key of the state tree is, so that
/// it is the same at every start and exists nowhere but in memory.
fn login_key(row_key: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, row_key);
    let mut derived = Zeroizing::new([0; 32]);
    derived.copy_from_slice(hmac::sign(&key, b"claviger-login-1").as_ref());
    derived
}

/// Says what the token can do, and what of it the settings have changed.
fn show(used: &TokenCapabilities, probed: &TokenCapabilities) {
    tracing::info!(
        max_gcm_bytes = used.max_gcm_bytes,
        max_sessions = used.max_sessions,
        cached_keys = used.cached_keys,
        iv_mode = ?used.iv_mode,
        wrap_mechanism = ?used.wrap_mechanism,
        overridden = used != probed,
        "the token's limits"
    );
}

/// The token, kept to be closed when everything that uses it has ended.
#[derive(Clone)]
pub struct OpenToken(Arc<HsmToken>);

impl OpenToken {
    /// Waits until nobody else has the token, and closes it in this thread: a process must not end while another thread
    /// is still finalizing the library, because its destructors and the library's calls do not go together. Blocks.
    pub fn close(self) {
        let mut token = self.0;
        for _ in 0..CLOSING_POLLS {
            match Arc::try_unwrap(token) {
                Ok(token) => return token.close(),
                Err(shared) => token = shared,
            }
            std::thread::sleep(CLOSING_POLL);
        }
        tracing::warn!("something still uses the token: it is closed all the same");
        token.shut();
    }
}

fn counted(token: Arc<HsmToken>, store: Arc<SqliteStore>) -> Arc<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync> {
    Arc::new(move || {
        let (token, store) = (token.stats(), store.stats());
        vec![
            ("claviger_token_cache_hits_total", token.cache_hits),
            ("claviger_token_cache_misses_total", token.cache_misses),
            ("claviger_token_cache_evictions_total", token.cache_evictions),
            ("claviger_token_unwraps_total", token.unwraps),
            ("claviger_token_destroys_total", token.destroys),
            ("claviger_token_probes_total", token.probes),
            ("claviger_token_hung_calls_total", token.hung_calls),
            ("claviger_token_recoveries_total", token.recoveries),
            ("claviger_token_reopened_sessions_total", token.reopened_sessions),
            ("claviger_token_crashed_threads_total", token.crashed_threads),
            ("claviger_token_exhaustions_total", token.exhaustions),
            ("claviger_software_cache_hits_total", token.software_hits),
            ("claviger_software_cache_misses_total", token.software_misses),
            ("claviger_store_rows_checked_total", store.rows_checked),
            ("claviger_store_integrity_alarms_total", store.integrity_alarms),
        ]
    })
}

/// Refuses a software token unless the settings say that it is known.
///
/// # Errors
/// If the token is software and `token.allow_software_token` is not set.
pub fn require_allowed_assurance(settings: &Settings, binding: &TokenBinding) -> Result<(), ConfigError> {
    if binding.assurance == Assurance::Software && !settings.token.allow_software_token {
        let text = "the token is software, which protects keys no better than a file does: to serve all the same, set \
            token.allow_software_token = true";
        return Err(ConfigError::Value(text.to_owned()));
    }
    Ok(())
}

/// The token that the settings name.
///
/// # Errors
/// Unless exactly one of `token.label`, `token.serial` and `token.uri` is set.
pub fn selector(settings: &Settings) -> anyhow::Result<TokenSelector> {
    let token = &settings.token;
    let wrong = ConfigError::Value;
    match (token.label.as_str(), token.serial.as_str(), token.uri.as_str()) {
        (label, "", "") if !label.is_empty() => Ok(TokenSelector::Label(label.into())),
        ("", serial, "") if !serial.is_empty() => Ok(TokenSelector::Serial(serial.into())),
        ("", "", uri) if !uri.is_empty() => {
            Ok(TokenSelector::Uri(uri.parse().map_err(|error| wrong(format!("token.uri: {error}")))?))
        }
        _ => Err(wrong("set exactly one of token.label, token.serial and token.uri".to_owned()).into()),
    }
}

/// The user PIN, from where the settings say.
///
/// # Errors
/// If it is not there.
pub fn user_pin(settings: &Settings, environment: &dyn Fn(&str) -> Option<String>) -> Result<Pin, ConfigError> {
    let source = settings.token.pin.parse::<PinSource>();
    let pin = source.and_then(|source| source.read(environment, "User PIN of the token: "));
    pin.map_err(|error| ConfigError::Value(format!("token.pin: {error}")))
}

/// The invocation counters that [`Kms`] keeps for internal keys of the token.
#[must_use]
pub fn counters_of(binding: &TokenBinding) -> Vec<crate::domain::id::MaterialId> {
    let counted = |role| matches!(role, InternalKeyRole::SoftwareVersions | InternalKeyRole::Credentials);
    let keys = binding.internal_keys.iter().filter(|key| counted(key.role));
    let id = |text: &str| uuid::Uuid::try_parse(text).ok().map(uuid::Uuid::into_bytes);
    keys.filter_map(|key| id(&key.object_id)).map(crate::domain::id::MaterialId::from_bytes).collect()
}

/// Whether the database at `path` belongs to a finished ceremony.
///
/// # Errors
/// If it cannot be read.
pub fn is_initialised(path: &Path) -> anyhow::Result<bool> {
    let locked = SqliteStore::open(path).with_context(|| format!("database {}", path.display()))?;
    Ok(locked.token_binding().context("database")?.is_some_and(|binding| binding.complete))
}

fn token_config(settings: &Settings, pin: Pin, assurance: &Assurance) -> anyhow::Result<TokenConfig> {
    let mut config = TokenConfig::new(settings.token.module.clone(), selector(settings)?, pin);
    config.workers = match (settings.token.worker_threads, assurance) {
        // A software token computes: its threads and those that serve share the processors.
        (0, Assurance::Software) => half_of_the_processors().min(MAX_WORKERS),
        // Threads of an HSM wait for it.
        (0, _) => HSM_WORKERS,
        (threads, _) => threads.min(MAX_WORKERS),
    };
    config.deadline = settings.token.deadline.0;
    config.max_gcm_bytes = Some(settings.token.max_gcm_bytes).filter(|bytes| *bytes > 0);
    config.max_sessions = Some(settings.token.max_sessions).filter(|sessions| *sessions > 0);
    config.cached_keys = Some(settings.token.cached_keys).filter(|keys| *keys > 0);
    config.software_cache_ttl = settings.software.cache_ttl.0;
    Ok(config)
}

/// How many threads serve requests, and how many call a software token: with more, both sides are woken and put to
/// sleep for every request, which costs more than the requests (docs/benchmarks.md).
#[must_use]
pub fn half_of_the_processors() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (processors / 2).max(1)
}

fn kms_settings(settings: &Settings) -> KmsSettings {
    let access = &settings.access;
    KmsSettings {
        access: AccessSettings {
            editors_use_keys_in: access.yandex_role_compat.0.iter().copied().collect(),
            addresses_bind_tokens_only_in: access.ncloud_acl_compat.0.iter().copied().collect(),
            requests_per_principal: NonZeroU32::new(access.requests_per_principal),
            requests_per_key: NonZeroU32::new(access.requests_per_key),
            login_period: access.login_period.0,
        },
        min_rotation_period: settings.limits.min_rotation_period.0,
        min_version_pending_period: settings.limits.min_version_pending_period.0,
        default_version_pending_period: settings.limits.default_version_pending_period.0,
        key_deletion_period: settings.limits.key_deletion_period.0,
        max_versions_per_key: settings.limits.max_versions_per_key,
        region: settings.aws.region.clone(),
        max_clock_leap: settings.clock.max_leap.0,
        cached_keys: CACHED_KEYS,
    }
}
