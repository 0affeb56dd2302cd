//! How `claviger dev` starts, restarts and ends, line by line of docs/operations.md.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod access_keys;

use crate::support::server::{claviger, read_credentials};
use crate::support::{Dev, Home};
use claviger::token::ceremony::Staging;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const NAMES: [&str; 13] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_ACCOUNT_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "CLAVIGER_CA",
    "CLAVIGER_ENDPOINT",
    "CLAVIGER_FOLDER",
    "CLAVIGER_TLS_ENDPOINT",
    "CLAVIGER_TOKEN",
    "NCP_ACCESS_KEY",
    "NCP_SECRET_KEY",
];

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn key_list_status(dev: &Dev, token: &str) -> u16 {
    let rest = dev.rest().with_token(token);
    rest.get(&format!("/kms/v1/keys?folderId={}", dev.folder())).await.status
}

#[tokio::test]
async fn a_fresh_start_writes_credentials_that_work_over_both_listeners() {
    let home = Home::new();
    let dev = home.start().await;
    assert_eq!(dev.credentials().keys().map(String::as_str).collect::<Vec<_>>(), NAMES);
    for rest in [dev.rest(), dev.rest_tls()] {
        let answer = rest.get(&format!("/kms/v1/keys?folderId={}", dev.folder())).await;
        answer.ok();
    }
    let endpoint = dev.credential("CLAVIGER_ENDPOINT");
    let tls_endpoint = dev.credential("CLAVIGER_TLS_ENDPOINT");
    assert!(endpoint.starts_with("http://127.0.0.1:"), "{endpoint}");
    assert!(tls_endpoint.starts_with("https://localhost:"), "{tls_endpoint}");
    assert!(!endpoint.ends_with('/') && !tls_endpoint.ends_with('/') && !endpoint.ends_with(":0"));
    assert!(dev.terminate().await.success());
}

#[tokio::test]
async fn the_credentials_file_can_be_sourced_by_a_shell() {
    let home = Home::new();
    let dev = home.start().await;
    let script = format!(". {}; set", home.credentials_file().display());
    let output = Command::new("sh").args(["-euc", &script]).env_clear().output().unwrap();
    assert!(output.status.success());
    let set = String::from_utf8(output.stdout).unwrap();
    for (name, value) in dev.credentials() {
        assert!(set.contains(&format!("{name}='{value}'")), "{name} is not {value} in the shell");
        assert!(!value.contains(['"', '\'', ' ', '$', '\\']), "{name}={value}");
    }
}

#[tokio::test]
async fn what_is_in_the_directory_belongs_to_its_owner_only() {
    let home = Home::new();
    let _dev = home.start().await;
    let data = home.data();
    assert_eq!(mode(&data), 0o700);
    for name in ["pin", "credentials.env", "ca.key", "claviger.db"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    let mut open = Vec::new();
    let mut pending = vec![data];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if mode(&path) & 0o077 != 0 {
                open.push(path.clone());
            }
            if path.is_dir() {
                pending.push(path);
            }
        }
    }
    assert_eq!(open, Vec::<std::path::PathBuf>::new(), "others can read these");
}

#[tokio::test]
async fn a_restart_keeps_folder_ca_token_and_keys_and_writes_the_file_anew() {
    let home = Home::new();
    let first = home.start().await;
    let before = first.credentials().clone();
    let body = serde_json::json!({ "folderId": first.folder(), "defaultAlgorithm": "AES_256_HSM" });
    let key = first.rest().post("/kms/v1/keys", &body).await.ok()["response"]["id"].as_str().unwrap().to_owned();
    let ca = std::fs::read(first.ca()).unwrap();
    assert!(first.terminate().await.success());
    let second = home.start().await;
    let kept = ["AWS_ACCESS_KEY_ID", "AWS_ACCOUNT_ID", "AWS_SECRET_ACCESS_KEY"];
    for name in kept.into_iter().chain(["CLAVIGER_CA", "CLAVIGER_FOLDER", "CLAVIGER_TOKEN"]) {
        assert_eq!(second.credential(name), before[name], "{name}");
    }
    assert_eq!(std::fs::read(second.ca()).unwrap(), ca);
    second.rest_tls().get(&format!("/kms/v1/keys/{key}")).await.ok();
}

#[tokio::test]
async fn a_token_that_is_broken_or_lost_is_replaced_and_the_one_before_revoked() {
    let home = Home::new();
    let first = home.start().await;
    let (folder, original) = (first.folder().to_owned(), first.credential("CLAVIGER_TOKEN").to_owned());
    assert!(first.terminate().await.success());

    let text = std::fs::read_to_string(home.credentials_file()).unwrap();
    std::fs::write(home.credentials_file(), text.replace(&original, "clv1_broken")).unwrap();
    let second = home.start().await;
    let replaced = second.credential("CLAVIGER_TOKEN").to_owned();
    assert_eq!(second.folder(), folder);
    assert_eq!(key_list_status(&second, &replaced).await, 200);
    assert_eq!(key_list_status(&second, &original).await, 401);
    assert!(second.terminate().await.success());

    std::fs::remove_file(home.credentials_file()).unwrap();
    let third = home.start().await;
    let newest = third.credential("CLAVIGER_TOKEN").to_owned();
    assert_eq!(third.folder(), folder);
    assert_eq!(mode(&home.credentials_file()), 0o600);
    assert_eq!(key_list_status(&third, &newest).await, 200);
    for old in [&original, &replaced] {
        assert_eq!(key_list_status(&third, old).await, 401);
    }
}

#[tokio::test]
async fn a_second_server_in_the_directory_is_refused_and_the_first_goes_on() {
    let home = Home::new();
    let dev = home.start().await;
    let before = std::fs::read(home.credentials_file()).unwrap();
    let (status, said) = home.start_refused().await;
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("another claviger is running"), "{said}");
    assert_eq!(std::fs::read(home.credentials_file()).unwrap(), before);
    assert_eq!(key_list_status(&dev, dev.credential("CLAVIGER_TOKEN")).await, 200);
}

#[tokio::test]
async fn after_kill_9_the_next_start_needs_no_clean_up() {
    let home = Home::new();
    let first = home.start().await;
    let body = serde_json::json!({ "folderId": first.folder(), "defaultAlgorithm": "AES_256_HSM" });
    let key = first.rest().post("/kms/v1/keys", &body).await.ok()["response"]["id"].as_str().unwrap().to_owned();
    let body = serde_json::json!({ "plaintext": "c2VjcmV0" });
    let encrypted = first.rest().post(&format!("/kms/v1/keys/{key}:encrypt"), &body).await.ok();
    let before = first.credentials().clone();
    first.kill();
    let second = home.start().await;
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "CLAVIGER_TOKEN"] {
        assert_eq!(second.credential(name), before[name], "{name}");
    }
    let body = serde_json::json!({ "ciphertext": encrypted["ciphertext"] });
    let decrypted = second.rest().post(&format!("/kms/v1/keys/{key}:decrypt"), &body).await.ok();
    assert_eq!(decrypted["plaintext"], "c2VjcmV0");
}

#[tokio::test]
async fn a_start_wipes_the_copy_of_the_token_that_a_killed_ceremony_left_in_memory() {
    let home = Home::new();
    assert!(home.start().await.terminate().await.success());
    let place = home.data().join("tokens").canonicalize().unwrap();
    let left = Staging::prepare(&place, &["/dev/shm".into()], &[0x5e; 16]).unwrap();
    assert!(left.root().join("tokens").exists());
    assert!(home.start().await.terminate().await.success());
    assert!(!left.root().exists());
}

#[tokio::test]
async fn a_first_start_that_is_killed_at_any_moment_is_repeated_without_clean_up() {
    let home = Home::new();
    for pause_ms in [5, 30, 60, 90, 120, 160, 200] {
        let mut child = home.command().spawn().unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(pause_ms)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let dev = home.start().await;
    assert_eq!(key_list_status(&dev, dev.credential("CLAVIGER_TOKEN")).await, 200);
}

#[tokio::test]
async fn settings_of_the_environment_hold_in_dev_too() {
    let daily = Home::new();
    let often = Home::new().with("CLAVIGER_LIMITS__MIN_ROTATION_PERIOD", "1s");
    for (home, status) in [(daily, 400), (often, 200)] {
        let dev = home.start().await;
        let body = serde_json::json!({
            "folderId": dev.folder(), "defaultAlgorithm": "AES_256", "rotationPeriod": "60s",
        });
        let answer = dev.rest().post("/kms/v1/keys", &body).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}

#[tokio::test]
async fn an_unknown_setting_is_an_error_that_names_it() {
    let home = Home::new().with("CLAVIGER_LIMITS__MAX_KEYS", "1").with("CLAVIGER_ENDPOINT", "http://unused");
    let (status, said) = home.start_refused().await;
    assert_eq!(status.code(), Some(2));
    assert!(said.contains("CLAVIGER_LIMITS__MAX_KEYS"), "{said}");
    assert!(!said.contains("CLAVIGER_ENDPOINT"), "{said}");
}

#[tokio::test]
async fn plaintext_for_other_machines_is_refused_unless_told_in_so_many_words() {
    let home = Home::new().arg("--listen").arg("0.0.0.0:0");
    let (status, said) = home.start_refused().await;
    assert!(!status.success());
    assert!(said.contains("allow_plaintext_beyond_loopback"), "{said}");
    let home = home.with("CLAVIGER_SERVER__ALLOW_PLAINTEXT_BEYOND_LOOPBACK", "true");
    home.start().await;
}

#[tokio::test]
async fn the_certificates_pass_strict_checks_for_every_name_of_this_machine() {
    let home = Home::new();
    let dev = home.start().await;
    let address = dev.credential("CLAVIGER_TLS_ENDPOINT").replace("https://localhost", "127.0.0.1");
    for check in [["-verify_hostname", "localhost"], ["-verify_ip", "127.0.0.1"], ["-verify_ip", "::1"]] {
        let output = s_client(&address, dev.ca(), &check);
        assert!(output.status.success(), "{check:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(!s_client(&address, dev.ca(), &["-verify_hostname", "example.org"]).status.success());
}

#[tokio::test]
async fn the_certificates_have_the_attributes_that_python_3_13_asks_for() {
    let home = Home::new();
    let dev = home.start().await;
    let ca = certificate_text(&std::fs::read(dev.ca()).unwrap());
    for wanted in ["CA:TRUE", "X509v3 Basic Constraints: critical", "Certificate Sign", "Subject Key Identifier"] {
        assert!(ca.contains(wanted), "{wanted} is not in the CA:\n{ca}");
    }
    let address = dev.credential("CLAVIGER_TLS_ENDPOINT").replace("https://localhost", "127.0.0.1");
    let leaf = certificate_text(&s_client(&address, dev.ca(), &["-showcerts"]).stdout);
    let wanted = ["CA:FALSE", "DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1"];
    for wanted in wanted.into_iter().chain(["Authority Key Identifier", "TLS Web Server Authentication"]) {
        assert!(leaf.contains(wanted), "{wanted} is not in the leaf:\n{leaf}");
    }
}

fn s_client(address: &str, ca: &Path, more: &[&str]) -> Output {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", address, "-x509_strict", "-verify_return_error", "-CAfile"]).arg(ca);
    command.args(more).stdin(Stdio::null()).output().unwrap()
}

fn certificate_text(pem: &[u8]) -> String {
    let mut command = Command::new("openssl");
    command.args(["x509", "-noout", "-text"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(pem).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[tokio::test]
async fn pins_are_on_no_command_line_and_in_no_environment_or_log() {
    let home = Home::new();
    let dev = home.start().await;
    let pin = std::fs::read_to_string(home.data().join("pin")).unwrap();
    let token = dev.credential("CLAVIGER_TOKEN");
    let secrets = [pin.trim(), token, dev.credential("AWS_SECRET_ACCESS_KEY")];
    assert!(pin.trim().len() >= 16);
    for file in ["cmdline", "environ"] {
        let shown = std::fs::read(format!("/proc/{}/{file}", dev.pid())).unwrap();
        let shown = String::from_utf8_lossy(&shown);
        assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{file} shows a secret");
    }
    key_list_status(&dev, token).await;
    let said = home.log() + &home.output();
    assert!(secrets.iter().all(|secret| !said.contains(secret)), "the output shows a secret");
}

#[tokio::test]
async fn a_pin_instead_of_its_source_is_refused_and_not_repeated() {
    let arguments = ["--module", "/nonexistent.so", "--token-label", "x", "--so-pin", "env:SO"];
    let home = arguments.into_iter().fold(Home::new(), Home::arg).arg("--pin").arg("4711-0815");
    let (status, said) = home.start_refused().await;
    assert!(!status.success());
    assert!(!said.contains("4711-0815"), "{said}");
    assert!(said.contains("file:PATH"), "{said}");
}

#[tokio::test]
async fn a_relative_directory_becomes_absolute() {
    let home = Home::new();
    let place = home.data();
    std::fs::create_dir(&place).unwrap();
    let mut command = claviger();
    command.args(["dev", "--data-dir", "data", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"]);
    let child = command.current_dir(place.parent().unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child.spawn().unwrap();
    let started = async {
        while !home.credentials_file().exists() {
            assert!(child.try_wait().unwrap().is_none(), "claviger dev ended");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let in_time = tokio::time::timeout(std::time::Duration::from_secs(120), started).await;
    let credentials = in_time.map(|()| read_credentials(&home.credentials_file()));
    child.kill().unwrap();
    child.wait().unwrap();
    let ca = credentials.unwrap()["CLAVIGER_CA"].clone();
    assert!(ca.starts_with('/') && Path::new(&ca).exists(), "{ca}");
}

#[tokio::test]
async fn both_signals_end_the_server_well() {
    let home = Home::new();
    let dev = home.start().await;
    dev.signal("INT");
    assert!(dev.terminate().await.success());
    let dev = home.start().await;
    assert!(dev.terminate().await.success());
}

#[tokio::test]
async fn no_core_dump_of_the_server_can_be_made() {
    let home = Home::new();
    let dev = home.start().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", dev.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", dev.pid())).unwrap();
    let locked = status.lines().any(|line| line.starts_with("VmLck:") && !line.contains("\t       0 kB"));
    let warned = home.log().contains("memory cannot be locked");
    assert!(locked != warned, "memory is either locked or the log says that it is not:\n{status}");
}

#[tokio::test]
async fn the_version_is_printed() {
    let output = claviger().arg("version").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("claviger {}\n", env!("CARGO_PKG_VERSION")));
}
