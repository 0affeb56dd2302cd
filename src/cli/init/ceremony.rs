//! The ceremony, in a process of its own.
//!
//! On SoftHSM it must run on a private copy of the tokens, which the library only finds through an environment
//! variable, and variables can be set for a new process only. So `init` and `dev` start this executable again with
//! the hidden command `ceremony` and an [`Order`] on its standard input: PINs are never on a command line or in an
//! environment. Tokens other than SoftHSM's are treated the same way, without a copy.

use super::report;
use crate::cli::{Exit, Failure};
use crate::domain::id::ClusterId;
use crate::server::ambient::{SystemClock, SystemIds};
use crate::server::process;
use crate::service::ports::{Assurance, Clock, IdSource, TokenStateStore};
use crate::store::SqliteStore;
use crate::token::ceremony::{self, BlankToken, CeremonyError, CeremonyRequest, Outcome, Staging};
use crate::token::module::{Module, TokenSelector};
use crate::token::pin::Pin;
use crate::token::softhsm;
use anyhow::{Context, anyhow};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Room for an order, so that the text never moves in memory and leaves copies behind.
const ORDER_BYTES: usize = 64 * 1024;

/// How the ceremony's process ended; why, it has said on standard error itself.
#[derive(Debug, thiserror::Error)]
#[error("the token's keys were not made")]
pub struct NotMade {
    /// Whether a PIN or a setting is wrong.
    pub wrong_input: bool,
}

/// What the ceremony is to do.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct Order {
    /// The PKCS#11 library.
    #[zeroize(skip)]
    pub module: PathBuf,
    /// The token: a label, `serial:...` or `pkcs11:...`.
    #[zeroize(skip)]
    pub selector: String,
    /// A blank token to be initialised: its serial number, empty for the only blank one, and its label.
    #[zeroize(skip)]
    pub blank: Option<(String, String)>,
    /// The security officer's PIN.
    pub so_pin: Option<String>,
    /// The user PIN.
    pub user_pin: String,
    /// The SQLite file.
    #[zeroize(skip)]
    pub database: PathBuf,
    /// A KEK made by a vendor's tool.
    #[zeroize(skip)]
    pub adopt_kek: Option<String>,
    /// The validation certificate of the hardware.
    #[zeroize(skip)]
    pub certificate: Option<String>,
    /// Whether profile W is accepted.
    #[zeroize(skip)]
    pub accept_pin_holder_can_export: bool,
    /// Whether the report is printed.
    #[zeroize(skip)]
    pub print_report: bool,
    /// The staging directory, set by [`hold`].
    #[zeroize(skip)]
    pub staging: Option<PathBuf>,
}

impl Order {
    /// The text of a PIN.
    pub fn pin_text(pin: &Pin) -> String {
        pin.auth().expose_secret().to_owned()
    }
}

/// Holds the ceremony in a new process and waits for its end. `place` is the directory of SoftHSM's tokens.
pub fn hold(mut order: Order, place: Option<&Path>, runtime_directory: Option<PathBuf>) -> anyhow::Result<()> {
    let Some(place) = place else { return start(&order, None) };
    let candidates = staging_candidates(runtime_directory);
    let random = SystemIds::new().context("random numbers")?.id();
    let staging = Staging::prepare(place, &candidates, &random).context("the ceremony's private directory")?;
    order.staging = Some(staging.root().to_owned());
    let conf = staging.conf();
    let held = start(&order, Some(&conf));
    staging.remove().context("wiping the ceremony's private directory")?;
    held
}

/// Wipes what a ceremony for the tokens in `place` left behind that was killed after it had finished them.
pub fn clean_up_after(place: &Path, runtime_directory: Option<PathBuf>) -> anyhow::Result<()> {
    Staging::clean(place, &staging_candidates(runtime_directory)).context("wiping what a ceremony left behind")
}

/// Where a private directory would be in memory.
fn staging_candidates(runtime_directory: Option<PathBuf>) -> Vec<PathBuf> {
    ["/dev/shm".into()].into_iter().chain(runtime_directory).collect()
}

fn start(order: &Order, softhsm_conf: Option<&Path>) -> anyhow::Result<()> {
    let mut text = Zeroizing::new(Vec::with_capacity(ORDER_BYTES));
    serde_json::to_writer(&mut *text, order).context("the ceremony's order")?;
    let mut command = Command::new(std::env::current_exe().context("this executable")?);
    command.arg("ceremony").stdin(Stdio::piped());
    if let Some(conf) = softhsm_conf {
        command.env(softhsm::CONF_VARIABLE, conf);
    }
    let mut child = command.spawn().context("starting the ceremony")?;
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(&text));
    let status = child.wait().context("waiting for the ceremony")?;
    if !status.success() {
        return Err(NotMade { wrong_input: status.code() == Some(Exit::Usage.status().into()) }.into());
    }
    written.context("the ceremony's order")
}

/// The directory of SoftHSM's tokens, if the library is SoftHSM.
pub fn softhsm_place(module: &Path, environment: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Option<PathBuf>> {
    let loaded = Module::load(module).context("token.module")?;
    let tokens = loaded.tokens().context("token.module")?;
    loaded.finalize().context("token.module")?;
    if !tokens.iter().any(|(_, token)| token.manufacturer.contains("SoftHSM")) {
        return Ok(None);
    }
    let conf = softhsm::conf_path(environment);
    let text = std::fs::read_to_string(&conf).with_context(|| conf.display().to_string())?;
    let place = softhsm::token_directory(&text);
    place.map(Some).with_context(|| format!("{}: directories.tokendir is missing", conf.display()))
}

/// The hidden command.
pub fn run() -> Result<(), Failure> {
    // A ceremony that outlives its command would have the database and the token while the command is repeated. If
    // the command ended before this call, the order is cut off.
    let prepared = process::end_with_parent().and_then(|()| process::forbid_dumps());
    prepared.map_err(|reason| Failure::new(Exit::Failed, reason))?;
    // Only PINs are in this process, for a moment. Where memory cannot be locked, the server will say so.
    let _ = process::lock_memory();
    let mut text = Zeroizing::new(Vec::with_capacity(ORDER_BYTES));
    std::io::stdin().lock().read_to_end(&mut text).context("the ceremony's order")?;
    let order: Order = serde_json::from_slice(&text).map_err(|_| anyhow!("the ceremony's order cannot be read"))?;
    let outcome = obey(&order)?;
    if order.print_report {
        let made = matches!(outcome, Outcome::Made(_));
        report::print(&outcome.into_binding(), made)?;
    }
    Ok(())
}

fn obey(order: &Order) -> anyhow::Result<Outcome> {
    let ids = SystemIds::new().context("random numbers")?;
    let store = SqliteStore::open(&order.database).context("database")?;
    let before = store.token_binding().context("database")?;
    let staging = order.staging.as_deref().map(Staging::reopen).transpose().context("staging")?;
    let pin = |text: &String| Pin::generated(&Zeroizing::new(text.clone()));
    let blank = order.blank.as_ref().map(|(serial, label)| BlankToken {
        serial: Some(serial.clone()).filter(|serial| !serial.is_empty()),
        label: label.clone(),
    });
    let request = CeremonyRequest {
        module: order.module.clone(),
        selector: order.selector.parse::<TokenSelector>().context("the token")?,
        blank,
        so_pin: order.so_pin.as_ref().map(pin),
        user_pin: pin(&order.user_pin),
        cluster_id: before.map_or_else(|| ClusterId::from_bytes(ids.id()), |binding| binding.cluster_id),
        created_at: SystemClock::new().context("clock")?.now(),
        ids: &ids,
        assurance: order.certificate.clone().map_or(Assurance::HsmUnvalidated, Assurance::HsmValidated),
        accept_pin_holder_can_export: order.accept_pin_holder_can_export,
        adopt_kek: order.adopt_kek.as_deref().map(str::parse).transpose().context("--adopt-kek")?,
        staging: staging.as_ref(),
        on_step: &|_| {},
    };
    ceremony::run(&request, &store).map_err(|error| match error {
        // As it is, so that a refused PIN is known by its type.
        CeremonyError::Token(error) => error.into(),
        error => error.into(),
    })
}
