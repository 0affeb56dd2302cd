//! `claviger init` and `claviger serve`, on a SoftHSM token that is not dev's.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use crate::support::Rest;
use crate::support::server::{claviger, wait};
use crate::token_rig::SOFTHSM;
use crate::token_shim::shim;
use rstest::rstest;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const USER_PIN: &str = "user-4711-pin";
const SO_PIN: &str = "so-0815-pin";
const PATIENCE: Duration = Duration::from_secs(120);

/// A machine with a token, PIN files and settings.
struct Machine {
    directory: TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(machine.path("tokens")).unwrap();
        let tokens = machine.path("tokens").display().to_string();
        machine.write("softhsm2.conf", &format!("directories.tokendir = {tokens}\nobjectstore.backend = file\n"));
        machine.write("pin", USER_PIN);
        machine.write("so.pin", SO_PIN);
        machine.configure("");
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn configure(&self, more: &str) {
        let (pin, database) = (self.path("pin"), self.path("data/claviger.db"));
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\ntls_listen = \"\"\n\
             [token]\nlabel = \"prod\"\npin = \"file:{}\"\n{more}\n\
             [database]\npath = \"{}\"\n\
             [process]\nallow_unlocked_memory = true\n",
            pin.display(),
            database.display()
        );
        self.write("claviger.toml", &text);
    }

    fn command(&self, name: &str) -> Command {
        let mut command = claviger();
        command.env("SOFTHSM2_CONF", self.path("softhsm2.conf"));
        command.arg(name).arg("--config").arg(self.path("claviger.toml")).stdin(Stdio::null());
        command
    }

    fn init(&self, more: &[&str]) -> Output {
        let so_pin = format!("file:{}", self.path("so.pin").display());
        self.command("init").args(["--so-pin", &so_pin]).args(more).output().unwrap()
    }
}

fn shown(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn line_after<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_else(|| panic!("no {start:?} in\n{text}"))
}

#[tokio::test]
async fn init_shows_what_it_made_and_is_safe_to_repeat() {
    let machine = Machine::new();
    let output = machine.init(&["--init-token", ""]);
    let first = shown(&output);
    assert!(output.status.success(), "{first}");
    for wanted in
        ["The token's keys were made", "assurance      software", "protection     T:", "check value", "refused"]
    {
        assert!(first.contains(wanted), "{wanted} is not in\n{first}");
    }
    assert!(!first.contains(USER_PIN) && !first.contains(SO_PIN));
    let token = line_after(&first, "The administrator's API token, shown this once: ");
    assert!(token.starts_with("clv1_"));

    let output = machine.init(&[]);
    let second = shown(&output);
    assert!(output.status.success(), "{second}");
    assert!(second.contains("are there and as they should be") && !second.contains("clv1_"), "{second}");
    assert_eq!(line_after(&first, "Folder "), line_after(&second, "Folder "));
    assert_eq!(line_after(&first, "  KEK 1"), line_after(&second, "  KEK 1"));
}

#[tokio::test]
async fn a_wrong_pin_ends_init_as_it_ends_serve() {
    let machine = Machine::new();
    assert!(machine.init(&["--init-token", ""]).status.success());
    machine.write("pin", "another-pin");
    let output = machine.init(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(shown(&output).contains("CKR_PIN_INCORRECT"), "{}", shown(&output));
}

#[tokio::test]
async fn serve_works_after_init_and_its_administrator_neither_encrypts_nor_operates() {
    let machine = Machine::new();
    let output = machine.init(&["--init-token", ""]);
    assert!(output.status.success(), "{}", shown(&output));
    let printed = shown(&output);
    let token = line_after(&printed, "The administrator's API token, shown this once: ");
    let folder = line_after(&printed, "Folder ").split(' ').next().unwrap();
    machine.configure("allow_software_token = true");

    let log = std::fs::File::create(machine.path("log")).unwrap();
    let mut child = machine.command("serve").stderr(log).spawn().unwrap();
    let address = address_in(&machine.path("log"), &mut child).await;
    let rest = Rest::in_clear(&format!("http://{address}"), token);
    let body = json!({ "folderId": folder, "defaultAlgorithm": "AES_256_HSM" });
    let key = rest.post("/kms/v1/keys", &body).await.ok()["response"]["id"].as_str().unwrap().to_owned();
    let refused = rest.post(&format!("/kms/v1/keys/{key}:encrypt"), &json!({ "plaintext": "YQ==" })).await;
    assert_eq!((refused.status, refused.code()), (403, 7));
    let mut confirm = claviger();
    confirm.args(["clock", "confirm"]).env("CLAVIGER_ENDPOINT", format!("http://{address}"));
    let confirmed = confirm.env("CLAVIGER_TOKEN", token).output().unwrap();
    assert_eq!(confirmed.status.code(), Some(3), "{}", shown(&confirmed));
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(wait(&mut child, PATIENCE).await.success());
}

#[tokio::test]
async fn a_lost_token_of_the_administrator_is_replaced_and_revoked() {
    const SHOWN: &str = "The administrator's API token, shown this once: ";
    let machine = Machine::new();
    let first = shown(&machine.init(&["--init-token", ""]));
    let second = shown(&machine.init(&["--new-token"]));
    assert_eq!(line_after(&second, "API tokens revoked: "), "1");
    machine.configure("allow_software_token = true");
    let log = std::fs::File::create(machine.path("log")).unwrap();
    let mut child = machine.command("serve").stderr(log).spawn().unwrap();
    let address = address_in(&machine.path("log"), &mut child).await;
    let list = format!("/kms/v1/keys?folderId={}", line_after(&first, "Folder ").split(' ').next().unwrap());
    let statuses = [line_after(&first, SHOWN), line_after(&second, SHOWN)]
        .map(|token| (Rest::in_clear(&format!("http://{address}"), token), list.clone()))
        .map(|(rest, list)| async move { rest.get(&list).await.status });
    let [lost, fresh] = statuses;
    assert_eq!((lost.await, fresh.await), (401, 200));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The address in the line that says that the server serves.
async fn address_in(log: &Path, child: &mut std::process::Child) -> String {
    let served = async {
        loop {
            let text = std::fs::read_to_string(log).unwrap();
            let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            if let Some(line) = lines.into_iter().find(|line| line["message"] == "serving") {
                return line["plain"].as_str().unwrap().to_owned();
            }
            assert!(child.try_wait().unwrap().is_none(), "serve ended:\n{text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, served).await.unwrap()
}

#[tokio::test]
async fn serve_refuses_a_software_token_unless_the_settings_allow_it() {
    let machine = Machine::new();
    let made = machine.init(&["--init-token", ""]);
    assert!(made.status.success());
    assert!(shown(&made).contains("Warning: claviger serve will not start"), "{}", shown(&made));
    machine.configure("allow_software_token = true");
    let checked = shown(&machine.init(&[]));
    assert!(checked.contains("Administrator ") && !checked.contains("Warning: "), "{checked}");
    machine.configure("");
    let output = machine.command("serve").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(shown(&output).contains("allow_software_token"), "{}", shown(&output));
}

#[tokio::test]
async fn a_wrong_pin_ends_serve_with_the_status_that_the_unit_does_not_restart_at() {
    let machine = Machine::new();
    assert!(machine.init(&["--init-token", ""]).status.success());
    machine.write("pin", "another-pin");
    let output = machine.command("serve").output().unwrap();
    assert!(shown(&output).contains("CKR_PIN_INCORRECT"), "{}", shown(&output));
    let status = output.status.code().unwrap();
    let unit = include_str!("../../deploy/claviger.service");
    assert!(unit.lines().any(|line| line == format!("RestartPreventExitStatus={status}")), "{status}");
}

#[tokio::test]
async fn serve_before_init_says_what_to_do() {
    let machine = Machine::new();
    std::fs::create_dir(machine.path("data")).unwrap();
    let output = machine.command("serve").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(shown(&output).contains("claviger init"), "{}", shown(&output));
}

#[tokio::test]
async fn a_token_that_is_not_blank_is_never_configured() {
    let machine = Machine::new();
    assert!(machine.init(&["--init-token", ""]).status.success());
    std::fs::remove_dir_all(machine.path("data")).unwrap();
    let tokens = || {
        let entries = std::fs::read_dir(machine.path("tokens")).unwrap().map(|entry| entry.unwrap().path());
        let count = |path: PathBuf| (path.clone(), std::fs::read_dir(path).unwrap().count());
        entries.map(count).collect::<Vec<_>>()
    };
    let before = tokens();
    let output = machine.init(&["--init-token", "0123456789abcdef"]);
    assert!(!output.status.success(), "{}", shown(&output));
    assert_eq!(tokens(), before);
}

/// Serves over the shim, in which every start and end of the library is counted.
fn serve_over_shim(machine: &Machine, more: &str) -> Command {
    let module = shim().display().to_string();
    machine.configure(&format!("allow_software_token = true\nmodule = {module:?}\n{more}"));
    machine.write("rules", "C_Initialize delay 0\nC_Finalize delay 0\n");
    let mut command = machine.command("serve");
    command.env("P11SHIM_MODULE", SOFTHSM).env("P11SHIM_RULES", machine.path("rules"));
    command
}

/// How often the library was started and ended.
fn starts_and_ends(machine: &Machine) -> (usize, usize) {
    let log = std::fs::read_to_string(machine.path("rules.log")).unwrap_or_default();
    let count = |name: &str| log.lines().filter(|line| *line == name).count();
    (count("C_Initialize"), count("C_Finalize"))
}

#[tokio::test]
async fn the_library_is_ended_before_the_process_whether_it_served_or_could_not_begin() {
    let machine = Machine::new();
    let output = machine.init(&["--init-token", ""]);
    assert!(output.status.success(), "{}", shown(&output));

    let log = std::fs::File::create(machine.path("log")).unwrap();
    let mut child = serve_over_shim(&machine, "max_gcm_bytes = 70000").stderr(log).spawn().unwrap();
    address_in(&machine.path("log"), &mut child).await;
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(wait(&mut child, PATIENCE).await.success());
    assert_eq!(starts_and_ends(&machine), (1, 1));
    let log = std::fs::read_to_string(machine.path("log")).unwrap();
    assert!(!log.contains("something still uses the token"), "{log}");
    assert!(log.contains("\"max_gcm_bytes\":70000") && log.contains("\"overridden\":true"), "{log}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let occupied = taken.local_addr().unwrap().to_string();
    let output = serve_over_shim(&machine, "").env("CLAVIGER_SERVER__LISTEN", occupied).output().unwrap();
    assert_eq!((output.status.code(), starts_and_ends(&machine)), (Some(1), (2, 2)), "{}", shown(&output));
    // Opened and then refused, as a software token.
    let output = serve_over_shim(&machine, "").env("CLAVIGER_TOKEN__ALLOW_SOFTWARE_TOKEN", "false").output().unwrap();
    assert_eq!((output.status.code(), starts_and_ends(&machine)), (Some(2), (3, 3)), "{}", shown(&output));
    // Opened and then refused, with a token that has too few sessions.
    let output = serve_over_shim(&machine, "max_sessions = 2").output().unwrap();
    assert_eq!((output.status.code(), starts_and_ends(&machine)), (Some(1), (4, 4)), "{}", shown(&output));
}

/// Wrong settings end `serve` with the status that the unit does not restart at, and say which setting it is.
#[rstest]
#[case::pin_file("CLAVIGER_TOKEN__PIN", "file:/nowhere/pin", "token.pin: ")]
#[case::pin_variable("CLAVIGER_TOKEN__PIN", "env:NO_SUCH_VARIABLE", "NO_SUCH_VARIABLE")]
#[case::pin_credential("CLAVIGER_TOKEN__PIN", "credential:pin", "CREDENTIALS_DIRECTORY")]
#[case::pin_source("CLAVIGER_TOKEN__PIN", "1234", "token.pin: ")]
#[case::exposed("CLAVIGER_SERVER__LISTEN", "0.0.0.0:0", "server.listen")]
#[case::no_certificate("CLAVIGER_SERVER__TLS_LISTEN", "127.0.0.1:0", "server.tls_certificate")]
#[case::two_tokens("CLAVIGER_TOKEN__SERIAL", "0123", "token.label")]
#[case::login_period("CLAVIGER_ACCESS__LOGIN_PERIOD", "0", "access.login_period")]
#[case::login_audience("CLAVIGER_ACCESS__LOGIN_AUDIENCES", "kms.example.com", "access.login_audiences")]
#[tokio::test]
async fn wrong_settings_end_serve_for_good(#[case] name: &str, #[case] value: &str, #[case] said: &str) {
    let machine = configured();
    let output = machine.command("serve").env(name, value).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(shown(&output).contains(said), "{}", shown(&output));
}

#[tokio::test]
async fn a_missing_configuration_file_ends_serve_and_init_for_good() {
    let machine = configured();
    std::fs::remove_file(machine.path("claviger.toml")).unwrap();
    for output in [machine.command("serve").output().unwrap(), machine.init(&[])] {
        assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
        assert!(shown(&output).contains("claviger.toml"), "{}", shown(&output));
    }
}

#[tokio::test]
async fn a_key_of_another_certificate_ends_serve_for_good() {
    let machine = configured();
    let [one, other] = [0, 1].map(|_| rcgen::KeyPair::generate().unwrap());
    let certificate = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&one).unwrap();
    machine.write("server.pem", &certificate.pem());
    machine.write("server.key", &other.serialize_pem());
    let mut command = machine.command("serve");
    command.env("CLAVIGER_SERVER__TLS_LISTEN", "127.0.0.1:0");
    command.env("CLAVIGER_SERVER__TLS_CERTIFICATE", machine.path("server.pem"));
    let output = command.env("CLAVIGER_SERVER__TLS_KEY", machine.path("server.key")).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(shown(&output).contains("server.tls_key"), "{}", shown(&output));
}

/// Settings that allow the software token. What is wrong with others is found before a token or database is asked for.
fn configured() -> Machine {
    let machine = Machine::new();
    machine.configure("allow_software_token = true");
    std::fs::create_dir(machine.path("data")).unwrap();
    machine
}
