//! The command line.

use super::client::arguments::ClientCommand;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What client commands read of the environment.
const ENVIRONMENT: &str = "\
whoami, folder, principal, credential, binding, key and clock are requests to the running server that the environment \
names: CLAVIGER_TLS_ENDPOINT or CLAVIGER_ENDPOINT, CLAVIGER_CA, and CLAVIGER_TOKEN or CLAVIGER_CLIENT_CERTIFICATE and \
CLAVIGER_CLIENT_KEY. CLAVIGER_FOLDER is the folder where none is named.";

/// Key management service over PKCS#11.
#[derive(Debug, Parser)]
#[command(name = "claviger", version, about, disable_help_subcommand = true, after_help = ENVIRONMENT)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a development server with everything it needs in one directory
    Dev(DevArguments),
    /// Make the token's keys, the database, the first folder and its administrator
    Init(InitArguments),
    /// Start the server
    Serve(ServeArguments),
    /// The part of init and dev that runs in a process of its own; what to do is on standard input
    #[command(hide = true)]
    Ceremony,
    /// Print the version
    Version,
    /// A request to the running server
    #[command(flatten)]
    Client(ClientCommand),
}

/// `claviger dev`
#[derive(Debug, Args)]
pub struct DevArguments {
    /// Where token, database, certificates and credentials are kept
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Plaintext HTTP/1.1 and h2c; port 0 picks a free one [default: 127.0.0.1:8200]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// HTTP/1.1 and HTTP/2 over TLS; port 0 picks a free one [default: 127.0.0.1:8201]
    #[arg(long, value_name = "ADDRESS")]
    pub tls_listen: Option<SocketAddr>,
    /// Use this PKCS#11 library instead of a private SoftHSM2 token
    #[arg(long, value_name = "PATH", requires_all = ["token_label", "pin"])]
    pub module: Option<PathBuf>,
    /// The token's label
    #[arg(long, value_name = "LABEL", requires = "module")]
    pub token_label: Option<String>,
    /// Where the user PIN is read from: file:PATH, env:NAME or fd:NUMBER
    #[arg(long, value_name = "SOURCE", requires = "module")]
    pub pin: Option<String>,
    /// Where the SO PIN is read from, needed the first time only: file:PATH, env:NAME or fd:NUMBER
    #[arg(long, value_name = "SOURCE", requires = "module")]
    pub so_pin: Option<String>,
    /// Initialise the blank token with this serial number, which ERASES it
    #[arg(long, value_name = "SERIAL", requires = "module")]
    pub init_token: Option<String>,
}

/// `claviger init`
#[derive(Debug, Args)]
pub struct InitArguments {
    /// The settings
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Where the SO PIN is read from: file:PATH, env:NAME, fd:NUMBER or prompt
    #[arg(long, value_name = "SOURCE", default_value = "prompt")]
    pub so_pin: String,
    /// Bind this wrapping key, made by a vendor's tool, instead of making one
    #[arg(long, value_name = "URI")]
    pub adopt_kek: Option<String>,
    /// The hardware's validation certificate, such as "FIPS 140-3 #4700", which init and the log then show
    #[arg(long, value_name = "TEXT")]
    pub hsm_certificate: Option<String>,
    /// Go on although the token lets a holder of the user PIN export keys
    #[arg(long)]
    pub accept_pin_holder_can_export: bool,
    /// Initialise the blank token with this serial number, which ERASES it
    #[arg(long, value_name = "SERIAL")]
    pub init_token: Option<String>,
    /// Let a locked-out administrator in again: revoke its API token of an earlier run and issue another, because it was
    /// lost; if the administrator was deleted or has no role on the service any more, make another administrator
    #[arg(long)]
    pub new_token: bool,
}

/// `claviger serve`
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// The settings
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}
