//! Settings: `claviger.toml`, and environment variables `CLAVIGER_SECTION__NAME` over it.
//!
//! In: a file's text and the environment, both read by `cli`. Out: [`Settings`], or an error that names the
//! setting. There is no secret among them: PINs are named by where they come from. `deploy/claviger.toml`
//! shows every setting with its default.

mod load;
mod rules;
mod value;

pub use load::{ConfigError, load, read_environment};
pub use value::{FolderList, Listen, Period, TextList};

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// All settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Listeners and requests.
    pub server: Server,
    /// The PKCS#11 token.
    pub token: Token,
    /// Versions that are used in this process.
    pub software: Software,
    /// What callers may ask for.
    pub limits: Limits,
    /// Rotation and destruction of what is due.
    pub scheduler: Scheduler,
    /// The clock alarm.
    pub clock: Clock,
    /// The AWS interface.
    pub aws: Aws,
    /// The metadata database.
    pub database: Database,
    /// The process itself.
    pub process: Process,
    /// Logs.
    pub log: Log,
    /// Credentials, roles and how often callers may ask.
    pub access: Access,
}

/// `[access]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// Folders in which kms.editor and kms.admin also encrypt and decrypt, as they do in Yandex Cloud.
    pub yandex_role_compat: FolderList,
    /// Folders in which the address list of a key binds requests with tokens of the key only, as it does in Ncloud.
    pub ncloud_acl_compat: FolderList,
    /// Failed attempts to authenticate in a minute, per source address and per principal, above which further failing ones
    /// get the throttling error; 0 = any number.
    #[serde(deserialize_with = "value::scalar")]
    pub failed_attempts_per_minute: u32,
    /// Requests per second of one principal; 0 = any number.
    #[serde(deserialize_with = "value::scalar")]
    pub requests_per_principal: u32,
    /// Requests per second on one key; 0 = any number.
    #[serde(deserialize_with = "value::scalar")]
    pub requests_per_key: u32,
    /// How long a token lasts that a service account gets for a signed JWT.
    pub login_period: Period,
    /// Audiences of such JWTs, besides those that follow from `server.advertised_address`.
    pub login_audiences: TextList,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Where plaintext HTTP/1.1 and h2c are served; empty = nowhere.
    pub listen: Listen,
    /// Where TLS is served; empty = nowhere.
    pub tls_listen: Listen,
    /// PEM file: the server's certificate chain, leaf first.
    pub tls_certificate: PathBuf,
    /// PEM file: the private key of the certificate.
    pub tls_key: PathBuf,
    /// `host:port` that discovery tells clients; empty = `localhost` and the TLS port.
    pub advertised_address: String,
    /// Whether gRPC server reflection is served.
    #[serde(deserialize_with = "value::scalar")]
    pub reflection: bool,
    /// Whether `listen` may be an address that other machines reach: bearer tokens then travel in clear.
    #[serde(deserialize_with = "value::scalar")]
    pub allow_plaintext_beyond_loopback: bool,
    /// Connections that are open at once; further ones wait.
    #[serde(deserialize_with = "value::scalar")]
    pub max_connections: usize,
    /// The longest time for one request.
    pub request_timeout: Period,
}

/// `[token]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Token {
    /// The PKCS#11 library.
    pub module: PathBuf,
    /// Token label, if the token is found by it.
    pub label: String,
    /// Serial number, if the token is found by it.
    pub serial: String,
    /// RFC 7512 URI, if the token is found by it.
    pub uri: String,
    /// Where the user PIN comes from: `file:PATH`, `env:NAME`, `fd:NUMBER`, `credential:NAME` or `prompt`.
    pub pin: String,
    /// Whether `serve` accepts a token that is software.
    #[serde(deserialize_with = "value::scalar")]
    pub allow_software_token: bool,
    /// Threads that call the library; 0 = half as many as processors for a software token, 8 for an HSM.
    #[serde(deserialize_with = "value::scalar")]
    pub worker_threads: usize,
    /// The longest time a request waits for the token.
    pub deadline: Period,
    /// The largest plaintext in bytes that the token encrypts; 0 = what was found at `init`.
    #[serde(deserialize_with = "value::scalar")]
    pub max_gcm_bytes: usize,
    /// Sessions that the token lets be open at once; 0 = what it tells.
    #[serde(deserialize_with = "value::scalar")]
    pub max_sessions: u32,
    /// Unwrapped keys kept in the token; 0 = the default of 4096.
    #[serde(deserialize_with = "value::scalar")]
    pub cached_keys: usize,
}

/// `[software]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Software {
    /// How long a decrypted AES_128, AES_192 or AES_256 version stays in memory.
    pub cache_ttl: Period,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The shortest time between a version's scheduling and its destruction.
    pub min_version_pending_period: Period,
    /// That time if the caller does not choose.
    pub default_version_pending_period: Period,
    /// The shortest rotation period.
    pub min_rotation_period: Period,
    /// How long a deleted key can be restored.
    pub key_deletion_period: Period,
    /// Versions per key; 0 = no limit.
    #[serde(deserialize_with = "value::scalar")]
    pub max_versions_per_key: u32,
}

/// `[scheduler]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scheduler {
    /// The longest time between two wakes.
    pub interval: Period,
}

/// `[clock]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clock {
    /// A leap of the wall clock beyond this holds destructions; 0 = never.
    pub max_leap: Period,
}

/// `[aws]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Aws {
    /// The region of keys that other interfaces make, and one that requests may be signed for.
    pub region: String,
    /// Further regions that requests may be signed for. A key belongs to the region that it was made in.
    pub extra_regions: TextList,
}

/// `[database]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// The SQLite file.
    pub path: PathBuf,
}

/// `[process]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Process {
    /// Whether `serve` starts although its memory cannot be locked and might be swapped out.
    #[serde(deserialize_with = "value::scalar")]
    pub allow_unlocked_memory: bool,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// Which lines: a level, or tracing's directives such as `info,claviger::token=debug`.
    pub filter: String,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Text,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            yandex_role_compat: FolderList::default(),
            ncloud_acl_compat: FolderList::default(),
            failed_attempts_per_minute: 100,
            requests_per_principal: 0,
            requests_per_key: 0,
            login_period: Period(12 * HOUR),
            login_audiences: TextList::default(),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: Listen::loopback(8200),
            tls_listen: Listen::loopback(8201),
            tls_certificate: "/etc/claviger/server.pem".into(),
            tls_key: "/etc/claviger/server.key".into(),
            advertised_address: String::new(),
            reflection: true,
            allow_plaintext_beyond_loopback: false,
            max_connections: 1024,
            request_timeout: Period(Duration::from_secs(30)),
        }
    }
}

impl Default for Token {
    fn default() -> Self {
        Self {
            module: "/usr/lib/softhsm/libsofthsm2.so".into(),
            label: String::new(),
            serial: String::new(),
            uri: String::new(),
            pin: "credential:pin".into(),
            allow_software_token: false,
            worker_threads: 0,
            deadline: Period(Duration::from_secs(5)),
            max_gcm_bytes: 0,
            max_sessions: 0,
            cached_keys: 0,
        }
    }
}

impl Default for Software {
    fn default() -> Self {
        Self { cache_ttl: Period(Duration::from_secs(5 * 60)) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            min_version_pending_period: Period(DAY),
            default_version_pending_period: Period(7 * DAY),
            min_rotation_period: Period(DAY),
            key_deletion_period: Period(3 * DAY),
            max_versions_per_key: 0,
        }
    }
}

impl Default for Scheduler {
    fn default() -> Self {
        Self { interval: Period(Duration::from_secs(30)) }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self { max_leap: Period(HOUR) }
    }
}

impl Aws {
    /// Every region that is served.
    #[must_use]
    pub fn regions(&self) -> Vec<String> {
        std::iter::once(&self.region).chain(&self.extra_regions.0).cloned().collect()
    }
}

impl Default for Aws {
    fn default() -> Self {
        Self { region: "us-east-1".into(), extra_regions: TextList::default() }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self { path: "/var/lib/claviger/claviger.db".into() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Json, filter: "info,refinery_core=warn".into() }
    }
}
