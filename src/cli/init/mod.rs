//! `claviger init`: the token's keys, the database, the first folder and its administrator. Safe to repeat: what is
//! there is checked and kept.

pub mod ceremony;
mod report;

use super::arguments::InitArguments;
use super::serve::read_settings;
use super::{Exit, Failure, process, say, variable};
use crate::config::{ConfigError, Settings};
use crate::domain::access::Role;
use crate::server::assembly::{self, Core};
use crate::server::files;
use crate::service::error::ServiceError;
use crate::service::ports::Principal;
use crate::service::provision::Administration;
use crate::token::ceremony::KekName;
use crate::token::pin::{Pin, PinSource};
use anyhow::{Context, anyhow};
use ceremony::Order;
use std::path::Path;

/// The name of the credentials that `init` issues.
const CREDENTIAL: &str = "init";
/// The administrator administers the service, and neither operates nor encrypts: it gives those roles to others
/// (docs/adr/0010-what-the-first-administrator-may-do.md).
const ROLES: [Role; 1] = [Role::Admin];
/// The name of the administrator.
pub const ADMINISTRATOR: &str = "administrator";

/// Makes or checks everything.
pub fn run(arguments: &InitArguments) -> Result<(), Failure> {
    let settings = read_settings(&arguments.config)?;
    process::harden(&Settings { process: crate::config::Process { allow_unlocked_memory: true }, ..settings.clone() })?;
    if let Some(kek) = &arguments.adopt_kek {
        let wrong = |error| Failure::new(Exit::Usage, format!("--adopt-kek: {error}"));
        kek.parse::<KekName>().map_err(wrong)?;
    }
    make_directory_of(&settings.database.path)?;
    let user_pin = assembly::user_pin(&settings, &variable)?;
    let first_time = !assembly::is_initialised(&settings.database.path)?;
    let so_pin = if first_time { Some(read_so_pin(&arguments.so_pin)?) } else { None };
    let place = ceremony::softhsm_place(&settings.token.module, &variable)?;
    let order = order(arguments, &settings, &user_pin, so_pin.as_ref())?;
    let runtime_directory = || variable("XDG_RUNTIME_DIR").map(Into::into);
    // A repetition changes nothing, so it needs no copy of the token to work on.
    if let Some(place) = place.as_deref().filter(|_| !first_time) {
        ceremony::clean_up_after(place, runtime_directory())?;
    }
    let place = place.filter(|_| first_time);
    ceremony::hold(order, place.as_deref(), runtime_directory())?;
    let core = assembly::open(&settings, user_pin)?;
    let token = core.token.clone();
    let administered = process::block_on(async { Ok(administer(&core, arguments.new_token).await?) });
    let refused = assembly::require_allowed_assurance(&settings, &core.binding);
    drop(core);
    token.close();
    administered?;
    // It is the setting of `serve`, so nothing is refused here.
    refused.or_else(|error| say(format!("Warning: claviger serve will not start with these settings: {error}")))
}

fn make_directory_of(database: &Path) -> anyhow::Result<()> {
    let directory = database.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.exists());
    directory.map_or(Ok(()), |parent| files::private_directory(parent).context("database.path"))
}

fn read_so_pin(source: &str) -> Result<Pin, ConfigError> {
    let source = source.parse::<PinSource>();
    let pin = source.and_then(|source| source.read(&variable, "SO PIN of the token: "));
    pin.map_err(|error| ConfigError::Value(format!("--so-pin: {error}")))
}

fn order(
    arguments: &InitArguments,
    settings: &Settings,
    user_pin: &Pin,
    so_pin: Option<&Pin>,
) -> anyhow::Result<Order> {
    let token = &settings.token;
    // Refuses settings that name no token, or several.
    assembly::selector(settings)?;
    let serial = Some(&token.serial).filter(|serial| !serial.is_empty()).map(|serial| format!("serial:{serial}"));
    let named = [&token.label, &token.uri].into_iter().find(|text| !text.is_empty()).cloned();
    let selector = serial.or(named).unwrap_or_default();
    let blank = match &arguments.init_token {
        Some(_) if token.label.is_empty() => {
            return Err(ConfigError::Value("--init-token needs token.label".into()).into());
        }
        Some(serial) => Some((serial.clone(), token.label.clone())),
        None => None,
    };
    Ok(Order {
        module: token.module.clone(),
        selector,
        blank,
        so_pin: so_pin.map(Order::pin_text),
        user_pin: Order::pin_text(user_pin),
        database: settings.database.path.clone(),
        adopt_kek: arguments.adopt_kek.clone(),
        accept_pin_holder_can_export: arguments.accept_pin_holder_can_export,
        print_report: true,
        certificate: arguments.hsm_certificate.clone(),
        staging: None,
    })
}

/// The folder, its administrator and the administrator's token.
async fn administer(core: &Core, new_token: bool) -> anyhow::Result<()> {
    let mut administration = provision(core, &ROLES).await?;
    print(format!(
        "Folder {0} ({1:?}), account {2}",
        administration.folder.id, administration.folder.name, administration.folder.account_id
    ))?;
    if !administration.in_office {
        print(out_of_office(&administration.administrator))?;
        if !new_token {
            return print("Repeat with --new-token to make another administrator.".into());
        }
        // Its tokens may be what was lost.
        core.kms.revoke_credentials(administration.administrator.id, CREDENTIAL).await?;
        administration = core.kms.appoint_administrator(&administration.folder, ADMINISTRATOR, &ROLES).await?;
        print("A new administrator was made, with the role kms.admin on the service.".into())?;
    }
    let administrator = &administration.administrator;
    print(format!("Administrator {} ({:?})", administrator.id, administrator.name))?;
    if new_token {
        let revoked = core.kms.revoke_credentials(administrator.id, CREDENTIAL).await?;
        print(format!("API tokens revoked: {revoked}"))?;
    } else if core.kms.has_credentials(administrator.id).await? {
        return print(
            "The administrator has an API token already; it is not shown again. If it is lost, repeat with --new-token."
                .into(),
        );
    }
    let token = core.kms.issue_token(administrator, CREDENTIAL, None).await?;
    print(format!("The administrator's API token, shown this once: {}", token.text.as_str()))
}

fn print(line: String) -> anyhow::Result<()> {
    say(line).map_err(|failure| anyhow!(failure.text))
}

/// What became of an administrator that cannot administer any more.
fn out_of_office(administrator: &Principal) -> String {
    let what = if administrator.deleted_at.is_some() { "was deleted" } else { "has no role on the service any more" };
    format!("The administrator {} ({:?}) {what}.", administrator.id, administrator.name)
}

/// Makes what every installation has, unless it is there.
pub async fn provision(core: &Core, roles: &[Role]) -> anyhow::Result<Administration> {
    match core.kms.make_internal_counters(&assembly::counters_of(&core.binding)).await {
        // They were made before.
        Ok(()) | Err(ServiceError::Conflict) => {}
        Err(error) => return Err(error).context("counters of the token's own keys"),
    }
    let made = core.kms.ensure_administration("default", ADMINISTRATOR, roles).await;
    made.map_err(with_cause).context("the first folder and its administrator")
}

/// For whoever runs the command, who is no caller: what went wrong inside, too.
fn with_cause(error: ServiceError) -> anyhow::Error {
    match error.cause() {
        Some(cause) => anyhow!("{error}: {cause}"),
        None => error.into(),
    }
}
