//! Starting and ending `claviger dev`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use super::client::{Grpc, Rest};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Generous: many servers may start on one core, each with a ceremony.
const START_TIMEOUT: Duration = Duration::from_secs(120);
const END_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(25);

/// A directory for a development server. It is removed at the end of the test.
pub struct Home {
    directory: TempDir,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
}

impl Home {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), environment: Vec::new(), arguments: Vec::new() }
    }

    /// Sets a setting for servers that are started from now on.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a command line argument for servers that are started from now on.
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What the servers logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("stderr")).unwrap_or_default()
    }

    /// What the servers printed.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("stdout")).unwrap_or_default()
    }

    pub fn credentials_file(&self) -> PathBuf {
        self.data().join("credentials.env")
    }

    /// The command, ready to be run, on free ports, with nothing of this process's own settings.
    pub fn command(&self) -> Command {
        let file =
            |name: &str| File::options().append(true).create(true).open(self.directory.path().join(name)).unwrap();
        let mut command = claviger();
        command.arg("dev").arg("--data-dir").arg(self.data());
        for (flag, setting) in
            [("--listen", "CLAVIGER_SERVER__LISTEN"), ("--tls-listen", "CLAVIGER_SERVER__TLS_LISTEN")]
        {
            let is_set = self.environment.iter().any(|(name, _)| name == setting);
            if !is_set && !self.arguments.iter().any(|argument| argument == flag) {
                command.args([flag, "127.0.0.1:0"]);
            }
        }
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        command
    }

    /// Starts a server and waits until it has written its credentials.
    pub async fn start(&self) -> Dev {
        let before = inode(&self.credentials_file());
        let mut child = self.command().spawn().unwrap();
        let started = async {
            loop {
                let now = inode(&self.credentials_file());
                if now.is_some() && now != before {
                    return Ok(());
                }
                if let Some(status) = child.try_wait().unwrap() {
                    return Err(status);
                }
                tokio::time::sleep(POLL).await;
            }
        };
        match tokio::time::timeout(START_TIMEOUT, started).await {
            Ok(Ok(())) => Dev { child, credentials: read_credentials(&self.credentials_file()) },
            Ok(Err(status)) => panic!("claviger dev ended with {status}:\n{}", self.log()),
            Err(_) => panic!("claviger dev did not start:\n{}", self.log()),
        }
    }

    /// Starts a server that is expected to refuse, and returns how it ended and what it said.
    pub async fn start_refused(&self) -> (ExitStatus, String) {
        let said = self.log().len();
        let mut child = self.command().spawn().unwrap();
        let status = wait(&mut child, START_TIMEOUT).await;
        (status, self.log()[said..].to_owned())
    }
}

/// The command under test, with an environment of its own.
#[expect(clippy::disallowed_methods, reason = "the command gets what it needs of the test's environment")]
pub fn claviger() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    for name in ["SOFTHSM2_MODULE", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// A running server. It is killed when it is dropped.
pub struct Dev {
    child: Child,
    credentials: BTreeMap<String, String>,
}

impl Dev {
    /// A line of credentials.env.
    pub fn credential(&self, name: &str) -> &str {
        self.credentials.get(name).unwrap_or_else(|| panic!("{name} is not in credentials.env"))
    }

    pub const fn credentials(&self) -> &BTreeMap<String, String> {
        &self.credentials
    }

    pub fn folder(&self) -> &str {
        self.credential("CLAVIGER_FOLDER")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// REST in the clear, as the administrator.
    pub fn rest(&self) -> Rest {
        Rest::new(self.credential("CLAVIGER_ENDPOINT"), self.credential("CLAVIGER_TOKEN"), self.ca())
    }

    /// REST over TLS, as the administrator.
    pub fn rest_tls(&self) -> Rest {
        Rest::new(self.credential("CLAVIGER_TLS_ENDPOINT"), self.credential("CLAVIGER_TOKEN"), self.ca())
    }

    /// gRPC in the clear, as the administrator.
    pub async fn grpc(&self) -> Grpc {
        Grpc::connect(self.credential("CLAVIGER_ENDPOINT"), self.credential("CLAVIGER_TOKEN"), None).await
    }

    /// gRPC over TLS, as the administrator.
    pub async fn grpc_tls(&self) -> Grpc {
        let ca = std::fs::read(self.ca()).unwrap();
        Grpc::connect(self.credential("CLAVIGER_TLS_ENDPOINT"), self.credential("CLAVIGER_TOKEN"), Some(&ca)).await
    }

    pub fn ca(&self) -> &Path {
        Path::new(self.credential("CLAVIGER_CA"))
    }

    /// Asks the server to end, and waits.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        wait(&mut self.child, END_TIMEOUT).await
    }

    /// Sends a signal, by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Ends the server as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the end of a process that must end by itself.
pub async fn wait(child: &mut Child, patience: Duration) -> ExitStatus {
    let ended = async {
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    if let Ok(status) = tokio::time::timeout(patience, ended).await {
        return status;
    }
    child.kill().unwrap();
    panic!("the process did not end within {patience:?}");
}

fn inode(path: &Path) -> Option<u64> {
    Some(std::fs::metadata(path).ok()?.ino())
}

/// Reads `NAME=value` lines as a shell would.
pub fn read_credentials(path: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(path).unwrap();
    let pair = |line: &str| {
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("not NAME=value: {line:?}"));
        (name.to_owned(), value.to_owned())
    };
    text.lines().map(pair).collect()
}
