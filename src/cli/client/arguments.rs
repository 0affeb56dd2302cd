//! The command line of the client commands.

use crate::config::Period;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;

/// The longest id, in characters.
const MAX_ID_CHARS: usize = 50;

/// A longer period is a mistake; no end at all is said by leaving it out.
const LONGEST_PERIOD: Duration = Duration::from_secs(36_525 * 24 * 60 * 60);

/// Commands that are requests to the running server.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Who the server takes this caller for, and by which credential
    Whoami {
        /// Print the server's JSON
        #[arg(long)]
        json: bool,
    },
    /// Folders: the tenants
    Folder(Group<FolderCommand>),
    /// People and service accounts
    Principal(Group<PrincipalCommand>),
    /// API tokens, access keys, client certificates and keys of service accounts
    Credential(Group<CredentialCommand>),
    /// Who has which role on the service, a folder or a key
    Binding(Group<BindingCommand>),
    /// Keys
    Key(Group<KeyCommand>),
    /// The clock of the server
    Clock(Group<ClockCommand>),
}

/// `claviger THING COMMAND`, with the form of its output.
#[derive(Debug, Args)]
pub struct Group<C: Subcommand> {
    /// Print the server's JSON: one object, or one array of all pages of a list
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: C,
}

/// `claviger folder ...`
#[derive(Debug, Subcommand)]
pub enum FolderCommand {
    /// Make a folder
    Create {
        /// Free name
        #[arg(long)]
        name: String,
    },
    /// List the folders that you may see
    List,
    /// Show a folder
    Show {
        /// The folder's id
        #[arg(value_parser = id)]
        id: String,
    },
}

/// A folder.
#[derive(Debug, Args)]
pub struct FolderArgument {
    /// The folder's id [default: CLAVIGER_FOLDER]
    #[arg(long, value_name = "ID", value_parser = id)]
    pub folder: Option<String>,
}

/// The kinds of principals.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PrincipalType {
    /// A program
    ServiceAccount,
    /// A person
    UserAccount,
}

/// `claviger principal ...`
#[derive(Debug, Subcommand)]
pub enum PrincipalCommand {
    /// Make a principal, without credentials and roles
    Create {
        /// The folder that will own it.
        #[command(flatten)]
        folder: FolderArgument,
        /// Free name
        #[arg(long)]
        name: String,
        /// Program or person
        #[arg(long = "type", value_enum, default_value_t = PrincipalType::ServiceAccount)]
        kind: PrincipalType,
    },
    /// List the principals of a folder
    List {
        /// The folder.
        #[command(flatten)]
        folder: FolderArgument,
    },
    /// Show a principal
    Show {
        /// The principal's id
        #[arg(value_parser = id)]
        id: String,
    },
    /// Delete a principal and revoke its credentials
    Delete {
        /// The principal's id
        #[arg(value_parser = id)]
        id: String,
        /// Whether it has to be confirmed.
        #[command(flatten)]
        consent: Consent,
    },
}

/// Whether something that cannot be undone has to be confirmed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Consent {
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
}

/// The kinds of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CredentialType {
    /// A bearer token
    ApiToken,
    /// An access key id and a secret access key, for signed requests
    AccessKey,
    /// A TLS client certificate that you have
    Certificate,
    /// An RSA key pair with which a service account signs its logins
    Key,
}

/// `claviger credential ...`
#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Issue a credential; its secret is shown this once
    Create(IssueArguments),
    /// List the credentials of a principal, revoked and expired ones too
    List {
        /// The principal's id
        #[arg(long, value_name = "ID", value_parser = id)]
        principal: String,
    },
    /// Show a credential, without its secret
    Show {
        /// The credential's id
        #[arg(value_parser = id)]
        id: String,
    },
    /// Revoke a credential, at once
    Revoke {
        /// The credential's id
        #[arg(value_parser = id)]
        id: String,
    },
}

/// `claviger credential create`
#[derive(Debug, Args)]
pub struct IssueArguments {
    /// Whose it will be
    #[arg(long, value_name = "ID", value_parser = id)]
    pub principal: String,
    /// What to issue
    #[arg(long = "type", value_enum)]
    pub kind: CredentialType,
    /// What it is for
    #[arg(long, default_value = "")]
    pub name: String,
    /// How long it lasts, such as 90d or 12h
    #[arg(long, value_name = "PERIOD", value_parser = period, conflicts_with = "expires_at")]
    pub ttl: Option<Duration>,
    /// When it ends (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub expires_at: Option<Timestamp>,
    /// Write the secret into this new file (mode 0600) and print the id only
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// The public half of a key pair that you have (PEM); without it a pair is made here
    #[arg(long, value_name = "FILE")]
    pub public_key: Option<PathBuf>,
}

/// What roles are bound on.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct TargetArguments {
    /// The service with all its folders
    #[arg(long)]
    pub service: bool,
    /// A folder with all its keys [default: CLAVIGER_FOLDER]
    #[arg(long, value_name = "ID", value_parser = id)]
    pub folder: Option<String>,
    /// One key
    #[arg(long, value_name = "ID", value_parser = id)]
    pub key: Option<String>,
}

/// One role for one subject.
#[derive(Debug, Args)]
pub struct BindingArguments {
    /// What it is bound on.
    #[command(flatten)]
    pub target: TargetArguments,
    /// The role, such as kms.keys.encrypterDecrypter
    #[arg(long)]
    pub role: String,
    /// serviceAccount:ID, userAccount:ID, federatedUser:ID, group:ID or system:ID; or the id of a principal of this server
    #[arg(long)]
    pub subject: String,
}

/// `claviger binding ...`
#[derive(Debug, Subcommand)]
pub enum BindingCommand {
    /// List what is bound here, without what is inherited
    List {
        /// Where.
        #[command(flatten)]
        target: TargetArguments,
    },
    /// Give a role
    Add(BindingArguments),
    /// Take a role back
    Remove(BindingArguments),
    /// Replace everything that is bound here
    Set {
        /// Where.
        #[command(flatten)]
        target: TargetArguments,
        /// JSON as `binding list --json` prints it, or lines `ROLE SUBJECT`; - is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Whether it has to be confirmed.
        #[command(flatten)]
        consent: Consent,
    },
}

/// `claviger key ...`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key
    Create(CreateKeyArguments),
    /// List the keys of a folder
    List {
        /// The folder.
        #[command(flatten)]
        folder: FolderArgument,
    },
    /// Show a key, its versions, and how it is protected
    Show {
        /// The key's id
        #[arg(value_parser = id)]
        id: String,
    },
    /// Change what is said of a key and how it is used
    Update(UpdateKeyArguments),
    /// Make a new version and make it primary
    Rotate {
        /// The key's id
        #[arg(value_parser = id)]
        id: String,
    },
    /// Make another version primary
    SetPrimary(VersionArguments),
    /// Let a version be destroyed after a wait
    ScheduleDestruction {
        /// Which version.
        #[command(flatten)]
        version: VersionArguments,
        /// The wait, such as 7d [default: the server's]
        #[arg(long, value_name = "PERIOD", value_parser = period)]
        wait: Option<Duration>,
        /// Whether it has to be confirmed.
        #[command(flatten)]
        consent: Consent,
    },
    /// Take the destruction of a version back
    CancelDestruction(VersionArguments),
    /// Delete a key; its versions are destroyed after a wait
    Delete {
        /// The key's id
        #[arg(value_parser = id)]
        id: String,
        /// Whether it has to be confirmed.
        #[command(flatten)]
        consent: Consent,
    },
    /// Take a requested deletion back
    Restore {
        /// The key's id
        #[arg(value_parser = id)]
        id: String,
    },
}

/// A version of a key.
#[derive(Debug, Args)]
pub struct VersionArguments {
    /// The key's id
    #[arg(value_name = "KEY", value_parser = id)]
    pub key: String,
    /// The version's id
    #[arg(value_name = "VERSION", value_parser = id)]
    pub version: String,
}

/// `claviger key create`
#[derive(Debug, Args)]
pub struct CreateKeyArguments {
    /// The folder that will own it.
    #[command(flatten)]
    pub folder: FolderArgument,
    /// Free name
    #[arg(long, default_value = "")]
    pub name: String,
    /// Free text
    #[arg(long, default_value = "")]
    pub description: String,
    /// AES_256_HSM is used inside of the token only; AES_256, AES_192 and AES_128 in the server's memory
    #[arg(long, default_value = "AES_256_HSM", value_parser = ["AES_256_HSM", "AES_256", "AES_192", "AES_128"])]
    pub algorithm: String,
    /// Rotate automatically, such as every 90d
    #[arg(long, value_name = "PERIOD", value_parser = period)]
    pub rotation_period: Option<Duration>,
    /// Refuse deletion
    #[arg(long)]
    pub deletion_protection: bool,
    /// A label; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
}

/// Whether a key is used.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KeyStatus {
    /// It is
    Active,
    /// It neither encrypts nor decrypts
    Inactive,
}

/// How often a key is rotated automatically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// After each such period.
    Every(Duration),
    /// Not at all.
    Never,
}

/// `claviger key update`
#[derive(Debug, Args)]
pub struct UpdateKeyArguments {
    /// The key's id
    #[arg(value_parser = id)]
    pub id: String,
    /// What is changed.
    #[command(flatten)]
    pub changes: KeyChanges,
}

/// What is not named stays as it is.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct KeyChanges {
    /// Free name
    #[arg(long)]
    pub name: Option<String>,
    /// Free text
    #[arg(long)]
    pub description: Option<String>,
    /// Whether it is used
    #[arg(long, value_enum)]
    pub status: Option<KeyStatus>,
    /// Whether deletion is refused
    #[arg(long, value_name = "true|false")]
    pub deletion_protection: Option<bool>,
    /// Rotate automatically, such as every 90d; or none
    #[arg(long, value_name = "PERIOD", value_parser = rotation)]
    pub rotation_period: Option<Rotation>,
}

/// `claviger clock ...`
#[derive(Debug, Subcommand)]
pub enum ClockCommand {
    /// Say that the wall clock is right, so that held destructions go on
    Confirm,
}

/// An id can stand in a path as it is.
pub fn id(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if plain && text.len() <= MAX_ID_CHARS { Ok(text.to_owned()) } else { Err("this is not an id".to_owned()) }
}

fn period(text: &str) -> Result<Duration, String> {
    let Period(period) = text.parse()?;
    if period > LONGEST_PERIOD { Err("this is longer than 100 years (36525d)".to_owned()) } else { Ok(period) }
}

fn rotation(text: &str) -> Result<Rotation, String> {
    if text == "none" { Ok(Rotation::Never) } else { period(text).map(Rotation::Every) }
}

fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "this is not a time such as 2030-01-01T00:00:00Z".to_owned())
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a label is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests;
