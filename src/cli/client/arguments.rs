//! The command line of the client commands.

use crate::config::Period;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// The longest id, in characters.
const MAX_ID_CHARS: usize = 50;

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
    Clock {
        /// What to do.
        #[command(subcommand)]
        command: ClockCommand,
    },
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
    #[arg(long, value_name = "TIME")]
    pub expires_at: Option<String>,
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
    #[arg(long, default_value = "AES_256_HSM")]
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
    text.parse().map(|Period(period)| period)
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a label is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::Arguments;
    use clap::error::ErrorKind;
    use clap::{CommandFactory, Parser};
    use rstest::rstest;

    const ID: &str = "0b7c1b6e-5a94-4c1e-9a53-0d9d7d4b2f11";

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once("claviger").chain(line.split(' ')))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[rstest]
    #[case("whoami")]
    #[case("whoami --json")]
    #[case("folder create --name n")]
    #[case("folder --json list")]
    #[case("folder list --json")]
    #[case("principal create --name n --type user-account --folder f")]
    #[case("principal delete 1 --yes")]
    #[case("credential create --principal 1 --type api-token --ttl 90d")]
    #[case("credential create --principal 1 --type key --output f --expires-at 2030-01-01T00:00:00Z")]
    #[case("binding list --service")]
    #[case("binding add --key 1 --role kms.viewer --subject group:x")]
    #[case("binding set -")]
    #[case("key create --label a=b --label c= --rotation-period 24h")]
    #[case("key schedule-destruction 1 2 --wait 7d -y")]
    #[case("clock confirm")]
    fn commands_are_read(#[case] line: &str) {
        parse(line).unwrap();
    }

    #[rstest]
    #[case("folder create")]
    #[case("folder show a/b")]
    #[case("folder show a?b")]
    #[case("key show ..")]
    #[case("principal create --name n --type robot")]
    #[case("credential create --principal 1 --type api-token --ttl 90")]
    #[case("credential create --principal 1 --type api-token --ttl 1d --expires-at 2030-01-01T00:00:00Z")]
    #[case("credential create --principal 1")]
    #[case("binding list --service --folder f")]
    #[case("binding add --role r --subject s --folder f --key k")]
    #[case("key create --label a")]
    #[case("key set-primary 1")]
    fn mistakes_are_refused(#[case] line: &str) {
        let error = parse(line).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::DisplayHelp, "{line}");
    }

    /// The commands in the examples of docs/cli.md, without what the shell does with them.
    fn documented() -> Vec<Vec<&'static str>> {
        let text = include_str!("../../../docs/cli.md");
        let blocks = text.split("```").skip(1).step_by(2);
        let lines = blocks.flat_map(str::lines).filter(|line| line.starts_with("claviger "));
        lines
            .map(|line| line.split_whitespace().take_while(|word| !["#", ">", "|", "<"].contains(word)).collect())
            .collect()
    }

    #[test]
    fn every_documented_command_is_one() {
        for command in documented() {
            // The examples have names for ids where the server has ids.
            Arguments::try_parse_from(command.iter().map(|word| word.trim_start_matches('$'))).unwrap();
        }
    }

    /// Every command with its options, but for those that clap adds.
    fn leaves(command: &clap::Command, path: &str) -> Vec<(String, Vec<String>)> {
        let path = format!("{path} {}", command.get_name());
        if command.has_subcommands() {
            return command.get_subcommands().flat_map(|below| leaves(below, &path)).collect();
        }
        let own = command.get_arguments().filter_map(|argument| argument.get_long()).map(str::to_owned);
        vec![(path.trim_start().to_owned(), own.collect())]
    }

    #[test]
    fn every_client_command_is_documented_and_none_takes_a_secret() {
        let own = ["dev", "init", "serve", "ceremony", "version"];
        let documented = documented();
        for (command, options) in leaves(&Arguments::command(), "") {
            let words: Vec<&str> = command.split(' ').collect();
            if own.contains(&words[1]) {
                continue;
            }
            assert!(documented.iter().any(|it| it.starts_with(&words)), "`{command}` is not in docs/cli.md");
            let secret = ["token", "secret", "password", "private-key", "pin"];
            assert!(!options.iter().any(|option| secret.contains(&option.as_str())), "{command} {options:?}");
        }
    }

    #[test]
    fn an_id_fits_into_a_path() {
        assert_eq!(id(ID).unwrap(), ID);
        for text in ["", "a b", "a/b", "a%2e", "\u{e4}", &"a".repeat(51)] {
            assert!(id(text).is_err(), "{text:?}");
        }
    }
}
