//! The token of a development server: a private SoftHSM token, or one that the command line names.

use super::directory::DataDirectory;
use crate::cli::arguments::DevArguments;
use crate::cli::init::ceremony::{self, Order};
use crate::cli::variable;
use crate::config::Settings;
use crate::server::ambient::SystemIds;
use crate::server::{assembly, files};
use crate::service::ports::{IdSource, TokenStateStore};
use crate::store::SqliteStore;
use crate::token::pin::PinSource;
use crate::token::softhsm::{self, CONF_VARIABLE};
use anyhow::{Context, anyhow, bail};
use std::fmt::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use zeroize::Zeroizing;

/// The label of the private token.
pub const LABEL: &str = "claviger-dev";
/// Where distributions put SoftHSM2's library; softhsm/find-module.sh has the same list.
const LIBRARIES: [&str; 8] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// SoftHSM2's library.
pub fn softhsm_library() -> anyhow::Result<PathBuf> {
    let set = variable("SOFTHSM2_MODULE").map(PathBuf::from);
    let found = set.or_else(|| LIBRARIES.iter().map(PathBuf::from).find(|path| path.exists()));
    found.context("SoftHSM2 is not installed: apt-get install softhsm2, or set SOFTHSM2_MODULE to its library")
}

/// Makes sure that this process has the variable by which SoftHSM finds the private token: sets it by becoming the
/// same program again, because a variable cannot safely be changed in a process.
pub fn point_softhsm_to(directory: &DataDirectory) -> anyhow::Result<()> {
    let conf = directory.file("softhsm2.conf");
    files::private_directory(&directory.file("tokens")).context("tokens")?;
    let text = softhsm::conf(&directory.file("tokens"));
    files::replace(&conf, text.as_bytes()).context("softhsm2.conf")?;
    if variable(CONF_VARIABLE).is_some_and(|set| Path::new(&set) == conf) {
        return Ok(());
    }
    let program = std::env::current_exe().context("this executable")?;
    let error = Command::new(program).args(std::env::args_os().skip(1)).env(CONF_VARIABLE, &conf).exec();
    Err(anyhow!("starting again with {CONF_VARIABLE}: {error}"))
}

/// Makes the token's keys, unless they are there.
pub fn prepare(directory: &DataDirectory, arguments: &DevArguments, settings: &Settings) -> anyhow::Result<()> {
    let runtime_directory = || variable("XDG_RUNTIME_DIR").map(Into::into);
    if assembly::is_initialised(&settings.database.path)? {
        return match arguments.module {
            Some(_) => Ok(()),
            None => ceremony::clean_up_after(&directory.file("tokens"), runtime_directory()),
        };
    }
    let order = match arguments.module {
        Some(_) => named(arguments, settings)?,
        None => private(directory, settings)?,
    };
    tracing::info!("making the token's keys");
    let place = match arguments.module {
        Some(_) => ceremony::softhsm_place(&order.module, &variable)?,
        None => Some(directory.file("tokens")),
    };
    ceremony::hold(order, place.as_deref(), runtime_directory())
}

/// A token that the command line names.
fn named(arguments: &DevArguments, settings: &Settings) -> anyhow::Result<Order> {
    let read = |flag: &'static str, source: &str| {
        let source: PinSource = source.parse().context(flag)?;
        source.read(&variable, "PIN: ").context(flag)
    };
    let user_pin = read("--pin", &settings.token.pin)?;
    let so_pin = arguments.so_pin.as_deref().map(|source| read("--so-pin", source)).transpose()?;
    let blank = arguments.init_token.clone().map(|serial| (serial, settings.token.label.clone()));
    let mut order = order(settings, Order::pin_text(&user_pin));
    order.blank = blank;
    order.so_pin = so_pin.as_ref().map(Order::pin_text);
    Ok(order)
}

/// A new private token, with random PINs. The SO PIN is kept nowhere: what needs it again begins anew.
fn private(directory: &DataDirectory, settings: &Settings) -> anyhow::Result<Order> {
    forget_unfinished(directory, settings)?;
    let ids = SystemIds::new().context("random numbers")?;
    let user_pin = random_pin(&ids);
    files::replace(&directory.file("pin"), user_pin.as_bytes()).context("pin")?;
    let mut order = order(settings, user_pin.as_str().to_owned());
    order.blank = Some((String::new(), LABEL.to_owned()));
    order.so_pin = Some(random_pin(&ids).as_str().to_owned());
    Ok(order)
}

fn order(settings: &Settings, user_pin: String) -> Order {
    Order {
        module: settings.token.module.clone(),
        selector: settings.token.label.clone(),
        blank: None,
        so_pin: None,
        user_pin,
        database: settings.database.path.clone(),
        adopt_kek: None,
        accept_pin_holder_can_export: false,
        print_report: false,
        certificate: None,
        staging: None,
    }
}

/// Removes the token of a ceremony that was cut off: it has protected nothing yet. A token without any trace of its
/// making in the database is not touched: the database was lost, and may come back from a backup.
fn forget_unfinished(directory: &DataDirectory, settings: &Settings) -> anyhow::Result<()> {
    let tokens = directory.file("tokens");
    if std::fs::read_dir(&tokens).context("tokens")?.next().is_none() {
        return Ok(());
    }
    let database = SqliteStore::open(&settings.database.path).context("database")?;
    match database.token_binding().context("database")? {
        Some(binding) if !binding.complete => {
            std::fs::remove_dir_all(&tokens).context("tokens")?;
            files::private_directory(&tokens).context("tokens")
        }
        _ => bail!(
            "{} holds a token, but {} knows nothing of it: put the database back, or use another directory",
            tokens.display(),
            settings.database.path.display()
        ),
    }
}

/// 128 random bits as hexadecimal digits.
fn random_pin(ids: &SystemIds) -> Zeroizing<String> {
    let mut pin = Zeroizing::new(String::with_capacity(32));
    for byte in &ids.secret()[..16] {
        // Writing to a string does not fail.
        let _ = write!(pin, "{byte:02x}");
    }
    pin
}
