//! `claviger dev`: a server with everything it needs in one directory, for development and tests.

mod credentials;
mod directory;
mod examples;
mod secrets;
mod token;

use super::arguments::DevArguments;
use super::serve::wanted;
use super::{Failure, init, process, say, variable};
use crate::config::{self, Listen, LogFormat, Settings};
use crate::domain::access::Role;
use crate::server::assembly::{self, Core};
use crate::server::dev_ca::{self, Issued};
use crate::server::listen::Bound;
use crate::server::run::{Server, signals};
use crate::server::tls;
use crate::service::ports::Clock;
use crate::service::provision::Administration;
use crate::telemetry::metrics::Metrics;
use anyhow::{Context, anyhow};
use credentials::Credentials;
use directory::DataDirectory;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `dev`'s administrator may do everything, in every folder.
const ROLES: [Role; 3] = [Role::Admin, Role::KeysEncrypterDecrypter, Role::Operator];

/// Serves until a signal.
pub fn run(arguments: DevArguments) -> Result<(), Failure> {
    let settings = settings(&arguments)?;
    let directory = DataDirectory::open(&arguments.data_dir)?;
    if arguments.module.is_none() {
        token::point_softhsm_to(&directory)?;
    }
    let _lock = directory.lock()?;
    let metrics = process::start_telemetry(&settings)?;
    process::harden(&settings)?;
    token::prepare(&directory, &arguments, &settings)?;
    drop(arguments);
    let core = assembly::open(&settings, assembly::user_pin(&settings, &variable)?)?;
    let issued = dev_ca::issue(directory.path(), core.clock.now()).context("certificates")?;
    let token = core.token.clone();
    let served = process::block_on(serve(core, settings, issued, directory, metrics));
    token.close();
    served
}

/// Defaults of a development server, then the environment, then the command line.
fn settings(arguments: &DevArguments) -> Result<Settings, Failure> {
    let directory = std::path::absolute(&arguments.data_dir).context("the data directory")?;
    let mut base = Settings::default();
    base.database.path = directory.join("claviger.db");
    base.log.format = LogFormat::Text;
    base.process.allow_unlocked_memory = true;
    base.token.allow_software_token = true;
    base.token.label = token::LABEL.into();
    base.token.pin = format!("file:{}", directory.join("pin").display());
    base.token.module = match &arguments.module {
        Some(path) => path.clone(),
        None => token::softhsm_library()?,
    };
    let mut settings = config::load(&base, None, &config::read_environment())?;
    let set = |listen: &mut Listen, flag: Option<SocketAddr>| *listen = flag.map_or(*listen, |it| Listen(Some(it)));
    set(&mut settings.server.listen, arguments.listen);
    set(&mut settings.server.tls_listen, arguments.tls_listen);
    if let Some(label) = &arguments.token_label {
        settings.token.label.clone_from(label);
    }
    if let Some(source) = &arguments.pin {
        settings.token.pin.clone_from(source);
    }
    Ok(settings)
}

async fn serve(
    core: Core,
    settings: Settings,
    issued: Issued,
    directory: DataDirectory,
    metrics: Metrics,
) -> Result<(), Failure> {
    let end = signals().context("signals")?;
    let bound = Bound::bind(&wanted(&settings)).await.context("listening")?;
    let administration = administration(&core).await?;
    let file = directory.file("credentials.env");
    let secrets = secrets::of(&core.kms, &administration.administrator, &file).await?;
    let credentials = Credentials {
        endpoint: bound.plain_address().map(|address| format!("http://{}", reachable(address))),
        tls_endpoint: bound.tls_address().map(|address| format!("https://localhost:{}", address.port())),
        ca_file: &issued.ca_file,
        folder: administration.folder.id.to_string(),
        account: administration.folder.account_id.to_string(),
        region: &settings.aws.region,
        secrets: &secrets,
    };
    credentials::write(&file, &credentials).context("credentials.env")?;
    drop(secrets);
    say(examples::text(&file))?;
    let tls = tls::server_config(issued.identity).context("TLS")?;
    let server = Server { core, settings, bound, tls: Some(tls), metrics };
    Ok(server.run(end).await.map_err(|text| anyhow!(text))?)
}

/// The folder and its administrator; a new one if it was deleted, because credentials of somebody are to be written.
async fn administration(core: &Core) -> anyhow::Result<Administration> {
    let found = init::provision(core, &ROLES).await?;
    if found.administrator.deleted_at.is_none() {
        return Ok(found);
    }
    let appointed = core.kms.appoint_administrator(&found.folder, init::ADMINISTRATOR, &ROLES).await;
    appointed.context("a new administrator")
}

/// An address that clients on this machine can connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
