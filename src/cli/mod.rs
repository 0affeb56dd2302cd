//! Commands.
//!
//! In: the command line. Out: an [`Exit`] for `main`. Commands print their results on standard output and
//! everything else on standard error. No secret is ever an argument: they are named by where they come from.

mod arguments;
mod client;
mod dev;
mod init;
mod process;
mod serve;

use crate::config::ConfigError;
use crate::service::ports::TokenError;
use arguments::{Arguments, Command};
use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// How a command ended. clap ends the process with 2 itself where the command line is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// It failed; standard error says why.
    Failed,
    /// Settings are wrong, or the PIN is: a start with the same ones only does harm.
    Usage,
    /// The server refused it: denied, not found, or not in a state for it.
    Refused,
    /// The server cannot be reached or is unavailable: a later try may succeed.
    Unavailable,
}

impl Exit {
    /// The status of the process.
    const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unavailable => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

/// Why a command failed, and how the process should end.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    text: String,
}

impl Failure {
    fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let wrong_input = matches!(error.downcast_ref(), Some(TokenError::PinRefused(_)))
            || error.is::<ConfigError>()
            || error.downcast_ref::<init::ceremony::NotMade>().is_some_and(|it| it.wrong_input);
        Self::new(if wrong_input { Exit::Usage } else { Exit::Failed }, format!("{error:#}"))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}

/// Runs the command of this process's command line. Starts no thread before the environment is as the PKCS#11
/// library needs it.
#[must_use]
pub fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Dev(arguments) => dev::run(arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Ceremony => init::ceremony::run(),
        Command::Version => say(concat!("claviger ", env!("CARGO_PKG_VERSION"))),
        Command::Client(command) => client::run(command),
    };
    match result {
        Ok(()) => Exit::Done.into(),
        Err(Failure { exit, text }) => {
            // Nothing is left to be done if standard error is closed.
            let _ = writeln!(std::io::stderr().lock(), "claviger: {text}");
            exit.into()
        }
    }
}

/// Prints a line on standard output.
fn say(line: impl std::fmt::Display) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    written.map_err(|error| Failure::new(Exit::Failed, format!("standard output: {error}")))
}

/// A variable of this process's environment.
#[expect(clippy::disallowed_methods, reason = "cli is the place where the environment is read")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
